"""The strikes of one event side by side: where each is bid and offered, and its last price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from kalshi_research.errors import FrameError, quoted
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, require
from kalshi_research.plotting.lettering import drawable, wrapped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_ladder"]

_MAKERS = "get_markets, read_markets and quotes(books) make such frames"
_LABEL_WIDTH = 150
"""Widest label of a strike [points]."""


def plot_ladder(
    markets: pd.DataFrame,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw bid, ask and last price of every strike of an event.

    Parameters
    ----------
    markets : DataFrame
        The markets of one event, one row each: yes_bid, yes_ask [dollars], and where
        known last_price, floor_strike, cap_strike, yes_sub_title, event_ticker. The
        `quotes` of many books will do.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, as high as the ladder is long, if not given.
    title : str, optional
        Instead of the event ticker.

    Returns
    -------
    matplotlib.axes.Axes
        One row per market, the lowest strike at the bottom; markets without strikes
        stay in the order of the frame, the first one on top.

    Raises
    ------
    FrameError
        If a column is missing, or the frame holds several events.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> markets = pd.DataFrame({"yes_bid": [0.1, 0.6], "yes_ask": [0.2, 0.65],
    ...     "floor_strike": [70.0, 65.0], "yes_sub_title": ["70° or above", "65° or above"]})
    >>> ax = plot_ladder(markets, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['65° or above', '70° or above']
    """
    require(markets, ["yes_bid", "yes_ask"], what="markets", makers=_MAKERS)
    event = _event(markets)
    if "time" in (markets.index.name, *markets.columns) and "ticker" in markets.columns:
        repeated = markets["ticker"].duplicated().any()
        if repeated:
            raise FrameError(
                "the frame of markets holds several instants, but a figure shows one\n"
                "Choose one: frame.loc[frame.index[-1]]"
            )
    ladder = markets.iloc[_order(markets)]
    ax = house.canvas(ax, height=min(1.5 + 0.32 * max(len(ladder), 2), 24.0))
    handles = _draw(ax, ladder)
    per_row = house.points_high(ax) / max(len(ladder), 1)
    size = min(house.NORMAL, max(0.8 * per_row, 4.0))
    labels = _labels(ladder, size, lines=2 if per_row > 2.6 * size else 1)
    ax.set_yticks(range(len(ladder)), labels, fontsize=size, color=house.INK, parse_math=False)
    ax.set_ylim(-0.7, max(len(ladder), 1) - 0.3)
    ax.set_xlim(-0.02, 1.02)
    ax.grid(visible=False, axis="y")
    house.price_ticks(ax.xaxis)
    if ladder.empty:
        house.say_empty(ax, "no markets")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"Ladder · {event or 'no event ticker'}"
    return house.finish(ax, markets, title=heading, above=above)


def _event(markets: pd.DataFrame) -> str:
    if "event_ticker" not in markets.columns:
        return ""
    found = list(markets["event_ticker"].dropna().unique())
    if len(found) > 1:
        raise FrameError(
            f"the frame of markets holds {len(found)} events, but a figure shows one\n"
            f"Choose one: frame[frame['event_ticker'] == {quoted(str(found[0]), 80)}]"
        )
    return drawable(found[0], 80) if found else ""


def _order(markets: pd.DataFrame) -> np.ndarray:
    """Rows from the bottom of the figure to its top."""
    place = np.arange(len(markets))
    strikes = {
        name: numbers(markets, name, what="markets")
        for name in ("floor_strike", "cap_strike")
        if name in markets.columns
    }
    if not any(np.isfinite(values).any() for values in strikes.values()):
        return place[::-1]
    nothing = np.full(len(markets), np.nan)
    floor, cap = strikes.get("floor_strike", nothing), strikes.get("cap_strike", nothing)
    # "Less than" has a cap only and lies below everything, "greater than" a floor only.
    low = np.where(np.isfinite(floor), floor, -np.inf)
    high = np.where(np.isfinite(cap), cap, np.inf)
    unknown = ~np.isfinite(floor) & ~np.isfinite(cap)
    return np.lexsort((place, high, low, ~unknown))


def _labels(ladder: pd.DataFrame, size: float, lines: int) -> list[str]:
    tickers = ladder["ticker"] if "ticker" in ladder.columns else ladder.index
    names: Any = tickers
    if "yes_sub_title" in ladder.columns:
        names = ladder["yes_sub_title"].astype("object").where(ladder["yes_sub_title"].notna(), "")
    return [
        wrapped(drawable(name or ticker), _LABEL_WIDTH, size, lines)
        for name, ticker in zip(names, tickers, strict=True)
    ]


def _draw(ax: Axes, ladder: pd.DataFrame) -> list[Any]:
    bid, ask = (numbers(ladder, name, what="markets") for name in ("yes_bid", "yes_ask"))
    row = np.arange(len(ladder), dtype=float)
    both = np.isfinite(bid) & np.isfinite(ask)
    if both.any():
        ends = [np.column_stack([x[both], row[both]]) for x in (bid, ask)]
        ax.add_collection(
            LineCollection(
                list(np.stack(ends, axis=1)),
                colors="#B9B9B9",
                linewidths=5,
                zorder=2,
                capstyle="butt",
                gid="bid–ask interval",
            )
        )
    series = [
        ("bid", bid, "|", house.YES, house.YES, 11.0, 2.4),
        ("ask", ask, "|", house.NO, house.NO, 11.0, 1.2),
    ]
    if "last_price" in ladder.columns:
        last = numbers(ladder, "last_price", what="markets")
        series.append(("last price", last, "D", house.INK, "white", 4.5, 1.0))
    handles = []
    for label, x, marker, edge, face, size, weight in series:
        known = np.isfinite(x)
        if known.any():
            handles += ax.plot(
                x[known],
                row[known],
                linestyle="",
                marker=marker,
                markersize=size,
                zorder=4,
                markeredgecolor=edge,
                markerfacecolor=face,
                markeredgewidth=weight,
                label=label,
                clip_on=False,
            )
    for at in row[~np.isfinite(bid) & ~np.isfinite(ask)]:
        ax.text(0.0, at, "no quotes", color=house.QUIET, fontsize=house.NORMAL - 1.5, va="center")
    return handles
