"""The volatility signature: how much of the variance of prices is noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, require
from kalshi_research.plotting.horizons import (
    draw_estimates,
    interval_key,
    length_ticks,
    lengths,
    only_group,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_volatility_signature"]

_MAKERS = "volatility_signature(quotes) makes such frames"
_NEEDED = ("estimate", "low", "high", "interval")
_WHAT = "variances"


def plot_volatility_signature(
    signature: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw realised variance against the sampling interval.

    Parameters
    ----------
    signature : DataFrame
        Of one market or of all pooled, from `volatility_signature`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    title : str, optional
        Instead of the market.

    Returns
    -------
    matplotlib.axes.Axes
        x the interval [s] on a logarithmic scale, y the variance [dollars²/hour] from 0. Bars are
        95 % intervals; where there are too few prices for one, the mark is hollow. A price
        without noise gives a level line; noise lifts its left end.

    Raises
    ------
    FrameError
        If a column is missing, or the frame holds several groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> signature = pd.DataFrame({"estimate": [0.004, 0.002], "low": [0.003, 0.001],
    ...     "high": [0.005, 0.003], "interval": pd.to_timedelta(["1s", "1min"])},
    ...     index=pd.Index(["T", "T"], name="ticker"))
    >>> ax = plot_volatility_signature(signature, ax=Figure().subplots())
    >>> ax.lines[0].get_xydata().tolist()
    [[1.0, 0.004], [60.0, 0.002]]
    """
    require(signature, _NEEDED, what=_WHAT, makers=_MAKERS)
    group = only_group(signature, what=_WHAT)
    seconds = lengths(signature, "interval", what=_WHAT)
    high = numbers(signature, "high", what=_WHAT)
    value = numbers(signature, "estimate", what=_WHAT)
    ax = house.canvas(ax)
    look = {"color": house.YES, "marker": "o", "linestyle": "-", "label": "realised variance"}
    handles = draw_estimates(ax, signature, seconds, what=_WHAT, **look)
    length_ticks(ax, seconds, "sampled every")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.3g}"))
    ax.set_ylabel(
        "realised variance [$²/hour]", fontsize=house.NORMAL, color=house.INK, parse_math=False
    )
    if handles:
        most = float(np.nanmax(np.concatenate([value, high])))
        ax.set_ylim(0, 1.08 * most if most > 0 else 1.0)
    else:
        house.say_empty(ax, "too few prices to tell a variance")
    heading = title if title is not None else f"Volatility signature · {group or 'no market'}"
    return house.finish(ax, signature, title=heading, above=house.key_row(ax, interval_key(ax)))
