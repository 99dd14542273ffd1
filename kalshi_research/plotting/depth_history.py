"""A book through time: how much rested at each price, and what was traded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kalshi_research.errors import FrameError
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, only_ticker, require, times

if TYPE_CHECKING:
    from datetime import tzinfo

    from matplotlib.axes import Axes

__all__ = ["plot_depth_history"]

_MAKERS = "replay_book(frames).books is such a frame"
_TRADES = "replay_book(frames).trades and get_trades make such frames"
_LARGEST = 70.0
"""Area of the marker of the largest trade [points²]."""
_CENT = 0.01

Floats = npt.NDArray[np.float64]


def plot_depth_history(
    books: pd.DataFrame,
    trades: pd.DataFrame | None = None,
    *,
    ax: Axes | None = None,
    tz: str | tzinfo | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the resting orders of one market as a map over time and price.

    Parameters
    ----------
    books : DataFrame
        Full books of one market at regular instants: time, side, level, price [dollars],
        quantity [contracts]. To look closer at the touch, draw fewer rows:
        ``books[books["level"] < 10]``.
    trades : DataFrame, optional
        Trades of the same market (index `time`; yes_price, and where known quantity and
        taker_side), drawn on the map.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    tz : str or tzinfo, optional
        Time zone of the axis, UTC if not given. The frames stay as they are.
    title : str, optional
        Instead of the ticker.

    Returns
    -------
    matplotlib.axes.Axes
        One box for each level of each book, darker the more rests there (on a logarithmic
        scale, the same on both sides); it reaches to the next book, but not across a gap of
        more than one and a half of the usual steps. The lines are the best bid (solid) and
        ask (dashed). The scale of the colours is in ``ax.child_axes[-1]``.

    Raises
    ------
    FrameError
        If a column is missing, there are several tickers, or times have no zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> time = pd.to_datetime(["2026-11-20 15:00", "2026-11-20 15:01"], utc=True)
    >>> books = pd.DataFrame({"time": time.repeat(2), "ticker": "T", "side": ["bid", "ask"] * 2,
    ...     "level": 0, "price": [0.42, 0.44, 0.42, 0.45], "quantity": [13.0, 17.0, 10.0, 5.0]})
    >>> ax = plot_depth_history(books, ax=Figure().subplots())
    >>> [len(boxes.get_paths()) for boxes in ax.collections]
    [2, 2]
    """
    require(books, ["time", "side", "level", "price", "quantity"], what="books", makers=_MAKERS)
    ticker = only_ticker(books, what="books")
    books = books.set_index("time").sort_index(kind="stable")
    when = house.days(times(books, what="books"))
    price, quantity = (numbers(books, name, what="books") for name in ("price", "quantity"))
    if not np.isfinite(price).all() or not (quantity > 0).all():
        raise FrameError(f"a level of a book lacks its price or its quantity; {_MAKERS}")
    tape = None if trades is None else _tape_of(trades, ticker)
    where = house.zone(tz)
    ax = house.canvas(ax, height=4.4)
    ax.grid(visible=False)
    handles = _draw_levels(ax, books, when, price, quantity) if len(books) else []
    if tape is not None and len(tape):
        handles += _draw_trades(ax, tape)
    house.time_ticks(ax, where)
    house.price_ticks(ax.yaxis)
    if handles:
        _limit(ax, price, tape)
    else:
        house.say_empty(ax, "no books")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"Depth through time · {ticker or 'no ticker'}"
    return house.finish(ax, books, *([] if trades is None else [trades]), title=heading, above=above)


def _tape_of(trades: pd.DataFrame, ticker: str) -> pd.DataFrame:
    require(trades, ["yes_price"], what="trades", makers=_TRADES)
    if ticker and "ticker" in trades.columns:
        trades = trades[trades["ticker"] == ticker]
    only_ticker(trades, what="trades")
    trades = trades.sort_index(kind="stable")
    times(trades, what="trades")
    for name in {"yes_price", "quantity"} & set(trades.columns):
        numbers(trades, name, what="trades")
    return trades


def _ends(instants: Floats) -> Floats:
    """Until when the book of each instant is drawn."""
    if instants.size < 2:
        return instants + 1 / 1440
    gap = np.diff(instants)
    usual = float(np.median(gap))
    until = np.where(gap > 1.5 * usual, usual, gap)
    ends: Floats = instants + np.append(until, usual)
    return ends


def _heights(price: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Half the height of the boxes at each price, so that neighbours touch but do not overlap."""
    every, place = np.unique(price, return_inverse=True)
    gap = np.diff(every, prepend=-np.inf, append=np.inf)
    return np.minimum(np.minimum(gap[:-1], gap[1:]), _CENT) / 2, place


def _draw_levels(
    ax: Axes, books: pd.DataFrame, when: Floats, price: Floats, quantity: Floats
) -> list[Any]:
    instants, place = np.unique(when, return_inverse=True)
    ends = _ends(instants)
    heights, at_price = _heights(price)
    left, right, half = when, ends[place], heights[at_price]
    low, high = price - half, price + half
    norm = LogNorm(float(quantity.min()), max(float(quantity.max()), 1.001 * float(quantity.min())))
    handles: list[Any] = []
    maps = []
    for side, colour in (("bid", house.YES), ("ask", house.NO)):
        mine = (books["side"] == side).to_numpy(dtype=bool)
        colours = _colours(colour)
        maps.append(colours)
        if not mine.any():
            continue
        corners = ((left, low), (left, high), (right, high), (right, low))
        boxes = np.stack([np.column_stack([x[mine], y[mine]]) for x, y in corners], axis=1)
        # Without antialiasing the boxes join without seams; pixels keep a vector file small.
        drawn = PolyCollection(
            list(boxes),
            array=quantity[mine],
            cmap=colours,
            norm=norm,
            edgecolors="none",
            linewidths=0,
            antialiaseds=False,
            rasterized=True,
            zorder=1,
            gid=f"resting {side}s",
        )
        ax.add_collection(drawn)
        handles.append(Patch(facecolor=colours(0.6), label=f"resting {side}s"))
    handles += _draw_best(ax, books, when, price)
    ax.set_xlim(instants[0], ends[-1])
    _colour_key(ax, norm, maps)
    return handles


def _colours(colour: str) -> LinearSegmentedColormap:
    """From nearly white over the colour of the side to nearly black: its order is that of the greys."""
    return LinearSegmentedColormap.from_list("side", ["#F4F4F4", colour, "#1A1A1A"])


def _draw_best(ax: Axes, books: pd.DataFrame, when: Floats, price: Floats) -> list[Line2D]:
    instants = np.unique(when)
    ends = _ends(instants)
    handles = []
    best = (books["level"] == 0).to_numpy(dtype=bool)
    style: Any
    for side, style in (("bid", "-"), ("ask", (0.0, (3.0, 1.5)))):
        mine = best & (books["side"] == side).to_numpy(dtype=bool)
        if not mine.any():
            continue
        y = np.full(instants.size, np.nan)
        y[np.searchsorted(instants, when[mine])] = price[mine]
        # Both ends of each box, and nothing in between where the next book is not its neighbour.
        gap = np.append(instants[1:] - ends[:-1] > 1e-9, False)
        x = np.column_stack([instants, ends, ends]).ravel()
        steps = np.column_stack([y, y, np.where(gap, np.nan, y)]).ravel()
        (line,) = ax.plot(
            x, steps, color=house.INK, linestyle=style, linewidth=1.1, label=f"best {side}", zorder=3
        )
        handles.append(line)
    return handles


def _draw_trades(ax: Axes, tape: pd.DataFrame) -> list[Line2D]:
    when, price = house.days(times(tape, what="trades")), numbers(tape, "yes_price", what="trades")
    size = numbers(tape, "quantity", what="trades") if "quantity" in tape.columns else np.ones(len(tape))
    largest = float(np.nanmax(size, initial=0.0))
    area = np.clip(_LARGEST * np.nan_to_num(size) / max(largest, 1e-9), 3.0, None)
    side = tape["taker_side"] if "taker_side" in tape.columns else pd.Series("", index=tape.index)
    handles = []
    for leg, label, marker, face in (
        ("yes", "taker buys YES", "^", house.INK),
        ("no", "taker buys NO", "v", "white"),
        ("", "trade", "o", "white"),
    ):
        mine = (side == leg if leg else ~side.isin(["yes", "no"])).to_numpy(dtype=bool, na_value=False)
        mine = mine & np.isfinite(price)
        if mine.any():
            edge = "white" if leg == "yes" else house.INK
            ax.scatter(
                when[mine],
                price[mine],
                s=area[mine],
                marker=marker,
                facecolors=face,
                edgecolors=edge,
                linewidths=0.5,
                zorder=4,
                gid=label,
                rasterized=int(mine.sum()) > 4_000,
            )
            look: Any = {"linestyle": "", "marker": marker, "color": house.INK, "markersize": 6}
            handles.append(Line2D([], [], markerfacecolor=face, label=label, **look))
    return handles


def _limit(ax: Axes, price: Floats, tape: pd.DataFrame | None) -> None:
    every = price if tape is None else np.concatenate([price, numbers(tape, "yes_price", what="trades")])
    every = every[np.isfinite(every)]
    if every.size:
        pad = max(0.02 * float(every.max() - every.min()), _CENT)
        ax.set_ylim(max(float(every.min()) - pad, -0.02), min(float(every.max()) + pad, 1.02))


def _colour_key(ax: Axes, norm: LogNorm, maps: list[LinearSegmentedColormap]) -> None:
    """The scale of both sides at the right edge, left of it bids, right of it asks."""
    low, high = float(norm.vmin or 1.0), float(norm.vmax or 1.0)
    key = ax.inset_axes((1.015, 0, 0.035, 1), zorder=2)
    shades = np.linspace(0, 1, 128)
    image = np.stack([each(shades) for each in maps], axis=1)
    key.imshow(
        image, origin="lower", aspect="auto", extent=(0, len(maps), np.log10(low), np.log10(high))
    )
    decades = [10.0**power for power in range(-2, 13)]
    ticks = [tick for tick in decades if low <= tick <= high]
    key.yaxis.set_major_locator(
        FixedLocator(np.log10(ticks if len(ticks) > 1 else [low, high]).tolist())
    )
    key.yaxis.set_minor_locator(NullLocator())
    key.yaxis.set_major_formatter(FuncFormatter(lambda power, _: house.contracts_text(10.0**power)))
    key.yaxis.tick_right()
    key.set_xticks([])
    key.tick_params(labelsize=house.NORMAL - 1, labelcolor=house.QUIET, color=house.QUIET)
    key.yaxis.set_label_position("right")
    key.set_ylabel("resting [contracts]", fontsize=house.NORMAL - 1, color=house.QUIET)
    for spine in key.spines.values():
        spine.set_visible(False)
