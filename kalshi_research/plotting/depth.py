"""Depth of a book: how much rests up to each price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kalshi_research.errors import FrameError
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, only_ticker, require

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["plot_depth"]

_MAKERS = "depth_curve(book) makes such frames"


def plot_depth(
    curve: pd.DataFrame,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw how many contracts can be sold to the bids and bought from the asks, by price.

    Parameters
    ----------
    curve : DataFrame
        Of one book, from `depth_curve`. To look closer at the touch, draw fewer rows:
        ``curve[curve["distance"] <= 0.05]``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    title : str, optional
        Instead of the ticker.

    Returns
    -------
    matplotlib.axes.Axes
        With one step line a side: x the YES price [dollars], y the contracts at that
        price or better.

    Raises
    ------
    FrameError
        If a column is missing, or the frame holds several books.

    Examples
    --------
    >>> import pandas as pd
    >>> from kalshi_research.book import depth_curve
    >>> from matplotlib.figure import Figure
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "bid", "ask"],
    ...                      "price": [0.42, 0.41, 0.44], "quantity": [13.0, 10.0, 17.0]})
    >>> ax = plot_depth(depth_curve(book), ax=Figure().subplots())
    >>> ax.lines[0].get_ydata().tolist()
    [13.0, 23.0]
    """
    require(curve, ["ticker", "side", "price", "cumulative"], what="a depth curve", makers=_MAKERS)
    ticker = only_ticker(curve, what="a depth curve")
    instants: Any = curve["time"].unique() if "time" in curve.columns else []
    if len(instants) > 1:
        raise FrameError(
            f"the frame of a depth curve holds {len(instants)} instants, but a figure shows one\n"
            "Choose one: frame[frame['time'] == frame['time'].iloc[0]]"
        )
    leg = "NO" if curve.attrs.get("leg") == "no" else "YES"
    price = numbers(curve, "price", what="a depth curve")
    contracts = numbers(curve, "cumulative", what="a depth curve")
    if not np.isfinite(price).all() or not np.isfinite(contracts).all():
        raise FrameError(f"a row of a depth curve lacks its price or its contracts; {_MAKERS}")
    ax = house.canvas(ax)
    handles = [_side(ax, curve[curve["side"] == side], side, leg) for side in ("bid", "ask")]
    if not curve.empty:
        low, high = price.min(), price.max()
        pad = max(0.02 * (high - low), 0.02)
        ax.set_xlim(max(0.0, low - pad), min(1.0, high + pad))
        ax.set_ylim(bottom=0)
    house.price_ticks(ax.xaxis, leg)
    house.contracts_ticks(ax.yaxis, "cumulative quantity")
    if curve.empty:
        house.say_empty(ax, "nobody bids on either side")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"Depth of the book · {ticker or 'no ticker'}"
    return house.finish(ax, curve, title=heading, above=above)


def _side(ax: Axes, levels: pd.DataFrame, side: str, leg: str) -> Line2D:
    """Draw one side from its best price outwards."""
    bid = side == "bid"
    levels = levels.sort_values("price", ascending=not bid, kind="stable")
    x, y = levels["price"].to_numpy(dtype=float), levels["cumulative"].to_numpy(dtype=float)
    look: dict[str, Any] = {
        "color": house.YES if bid else house.NO,
        "linestyle": "-" if bid else house.DASHED,
        "linewidth": 1.8,
    }
    best = f"best {house.price_text(x[0])}" if x.size else "none"
    (line,) = ax.plot(x, y, drawstyle="steps-post", label=f"{leg} {side}s, {best}", **look)
    if x.size:
        line.set_marker("o" if x.size == 1 else "")
        ax.fill_between(
            x, y, step="post", color=look["color"], alpha=0.16, linewidth=0, gid=f"{side} area"
        )
        ax.vlines(
            x[0],
            0,
            y[0],
            colors=look["color"],
            linestyles=look["linestyle"],
            linewidths=1.8,
            gid=f"best {side}",
        )
    return line
