"""Price impact: how far the mid moves after orders, by the time since and by their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.ticker import FixedLocator, FuncFormatter

from kalshi_research.errors import FrameError
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, require
from kalshi_research.plotting.horizons import (
    draw_estimates,
    interval_key,
    length_text,
    length_ticks,
    lengths,
    only_group,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_impact_curve"]

_MAKERS = "impact_curve(trades, quotes) makes such frames"
_NEEDED = ("estimate", "low", "high", "horizon", "size_from", "size_to")
_MARKERS = "osD^vP"
_STYLES: tuple[Any, ...] = ("-", house.DASHED, (0.0, (1.0, 1.2)), "-.", "-", house.DASHED)
_WHAT = "impacts"

Floats = npt.NDArray[np.float64]


def plot_impact_curve(curve: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw price impact against the time since the order, or against its size.

    Parameters
    ----------
    curve : DataFrame
        Of one market or of all pooled, from `impact_curve`: with several horizons there is a
        line for each class of sizes (up to six); with one horizon the classes are the x axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    title : str, optional
        Instead of the market.

    Returns
    -------
    matplotlib.axes.Axes
        x the time since the order [s] on a logarithmic scale, or the place of the class of sizes
        from 0; y the way of the mid in the direction of the taker [dollars]. Bars are 95 %
        intervals; where there are too few orders for one, the mark is hollow. Classes without an
        estimate are gaps.

    Raises
    ------
    FrameError
        If a column is missing, or the frame holds several groups or more than six classes.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> curve = pd.DataFrame({"estimate": [0.001, 0.004], "low": [0.0, 0.002], "high": [0.002, 0.006],
    ...     "horizon": pd.to_timedelta(["10s", "1min"]), "size_from": 0.0, "size_to": float("inf")},
    ...     index=pd.Index(["all", "all"], name="pool"))
    >>> ax = plot_impact_curve(curve, ax=Figure().subplots())
    >>> ax.lines[0].get_xydata().tolist()
    [[10.0, 0.001], [60.0, 0.004]]
    """
    require(curve, _NEEDED, what=_WHAT, makers=_MAKERS)
    group = only_group(curve, what=_WHAT)
    seconds = lengths(curve, "horizon", what=_WHAT)
    ends = np.column_stack([numbers(curve, name, what=_WHAT) for name in ("size_from", "size_to")])
    classes = np.unique(ends, axis=0) if len(curve) else ends
    if len(classes) > len(_MARKERS):
        raise FrameError(
            f"{len(classes)} classes of sizes cannot be told apart; draw up to {len(_MARKERS)}"
        )
    for name in ("estimate", "low", "high"):
        numbers(curve, name, what=_WHAT)
    ax = house.canvas(ax)
    after = ""
    if np.unique(seconds).size == 1 and len(classes) > 1:
        handles = _by_size(ax, curve, ends, classes)
        after = f" after {length_text(float(seconds[0]))}"
    else:
        handles = _by_horizon(ax, curve, seconds, ends, classes)
    house.price_ticks(ax.yaxis)
    ax.set_ylabel("mid moved the taker's way [$]", fontsize=house.NORMAL, color=house.INK)
    if handles:
        ax.axhline(0.0, color=house.QUIET, linewidth=0.9, zorder=1, gid="no impact")
    else:
        house.say_empty(ax, "too few orders to tell an impact")
    named = len(classes) > 1 and not after
    above = house.key_row(ax, [*(handles if named else []), *interval_key(ax)])
    heading = title if title is not None else f"Price impact{after} · {group or 'no market'}"
    return house.finish(ax, curve, title=heading, above=above)


def _size_text(low: float, high: float) -> str:
    if not np.isfinite(high):
        return f"{house.contracts_text(low)} or more" if low > 0 else "all sizes"
    below = f"below {house.contracts_text(high)}"
    return f"{house.contracts_text(low)} to {below}" if low > 0 else below


def _by_horizon(
    ax: Axes, curve: pd.DataFrame, seconds: Floats, ends: Floats, classes: Floats
) -> list[Any]:
    """A line for each class; they stand a little beside each other so that the bars can be seen."""
    shades = LinearSegmentedColormap.from_list("sizes", ["#7DB4DB", house.YES, "#002B45"])
    handles = []
    for at, (low, high) in enumerate(classes.tolist()):
        mine = (ends == (low, high)).all(axis=1)
        aside = 1.0 + 0.03 * (at - (len(classes) - 1) / 2)
        place = at / (len(classes) - 1) if len(classes) > 1 else 0.5
        handles += draw_estimates(
            ax,
            curve[mine],
            seconds[mine] * aside,
            what=_WHAT,
            color=to_hex(shades(place)),
            marker=_MARKERS[at],
            linestyle=_STYLES[at],
            label=_size_text(low, high) + (" contracts" if at == 0 and len(classes) > 1 else ""),
        )
    length_ticks(ax, seconds, "time since the order")
    return handles


def _by_size(ax: Axes, curve: pd.DataFrame, ends: Floats, classes: Floats) -> list[Any]:
    place = np.array([int(np.flatnonzero((classes == one).all(axis=1))[0]) for one in ends], dtype=float)
    labels = [_size_text(low, high) for low, high in classes.tolist()]
    ax.xaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: labels[round(x)] if 0 <= round(x) < len(labels) else "")
    )
    ax.set_xlabel("order size [contracts]", fontsize=house.NORMAL, color=house.INK, parse_math=False)
    ax.set_xlim(-0.5, len(labels) - 0.5)
    look = {"color": house.YES, "marker": "o", "linestyle": ":", "label": "impact"}
    return draw_estimates(ax, curve, place, what=_WHAT, **look)
