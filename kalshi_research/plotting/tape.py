"""The tape: print after print, with the side that took and its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.ticker import FixedLocator, FuncFormatter

from kalshi_research.errors import FrameError
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, only_ticker, require, times
from kalshi_research.plotting.lettering import drawable, width_of, wrapped
from kalshi_research.plotting.prints import SIDES, draw_prints, taken_by

if TYPE_CHECKING:
    from datetime import tzinfo

    from matplotlib.axes import Axes

__all__ = ["plot_tape"]

_MAKERS = "tape_order(trades) makes such frames"
_NEEDED = ("yes_price", "quantity", "sequence", "parent")
_MOST_TICKS = 7

Floats = npt.NDArray[np.float64]


def plot_tape(
    tape: pd.DataFrame,
    *,
    ax: Axes | None = None,
    tz: str | tzinfo | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the tape of one market print by print: price, taker's side, size, and the orders behind.

    Parameters
    ----------
    tape : DataFrame
        Trades of one ticker from `tape_order` (or `join_quotes`), or some rows of them in that
        order: ``tape_order(trades).tail(100)``. Some hundred prints can be told apart.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    tz : str or tzinfo, optional
        Time zone of the labels, UTC if not given. The frame stays as it is.
    title : str, optional
        Instead of the ticker.

    Returns
    -------
    matplotlib.axes.Axes
        x the place in the frame, from 0: one step a print, whatever time passed between; the labels
        are times. y the YES price. Each mark is a print, its area proportional to the contracts;
        filled triangles up are bought YES, hollow triangles down bought NO. A line joins
        the fills of one order.

    Raises
    ------
    FrameError
        If a column is missing, there are several tickers, times have no zone, or the prints are
        not in the order of the tape.

    Examples
    --------
    >>> import pandas as pd
    >>> from kalshi_research import tape_order
    >>> from matplotlib.figure import Figure
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.44, 0.42, 0.41], "taker_side":
    ...     ["yes", "yes", "no"], "quantity": [5.0, 1.0, 2.0]}, index=pd.DatetimeIndex(
    ...     ["2026-11-20T15:00:00Z"] * 2 + ["2026-11-20T15:00:09Z"], name="time"))
    >>> ax = plot_tape(tape_order(trades), ax=Figure().subplots())
    >>> ax.collections[0].get_offsets().tolist()
    [[0.0, 0.42], [1.0, 0.44]]
    """
    require(tape, _NEEDED, what="the tape", makers=_MAKERS)
    ticker = only_ticker(tape, what="the tape")
    when = times(tape, what="the tape")
    price, size, sequence = (
        numbers(tape, name, what="the tape") for name in ("yes_price", "quantity", "sequence")
    )
    if not (np.diff(sequence) > 0).all():
        raise FrameError(f"the prints are not in the order of the tape; {_MAKERS}")
    where = house.zone(tz)
    ax = house.canvas(ax)
    x = np.arange(price.size, dtype=np.float64)
    handles: list[Any] = []
    if np.isfinite(price).any():
        *marks, area = draw_prints(ax, tape, x, price, size)
        handles = [*marks, *_join_orders(ax, tape, x, price), area]
    house.price_ticks(ax.yaxis)
    _print_ticks(ax, when, where)
    if handles:
        _limit(ax, price)
    else:
        house.say_empty(ax, "no trades")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"Tape · {ticker or 'no ticker'}"
    return house.finish(ax, tape, title=heading, above=above)


def _join_orders(ax: Axes, tape: pd.DataFrame, x: Floats, price: Floats) -> list[Any]:
    """A line through the fills of each order that has several."""
    parent = pd.factorize(tape["parent"])[0]
    starts = np.flatnonzero(np.diff(parent, prepend=-1))
    handles: list[Any] = []
    points = np.column_stack([x, price])
    for side, _, _, colour, _ in SIDES:
        mine = taken_by(tape, side)
        runs = [run for run in np.split(np.arange(x.size), starts[1:]) if run.size > 1 and mine[run[0]]]
        if runs:
            lines = LineCollection(
                [points[run] for run in runs],
                colors=colour,
                linestyles="-" if side == "yes" else house.DASHED,
                linewidths=1.0,
                alpha=0.8,
                zorder=3,
                gid=f"orders of several fills, {side or 'unknown'}",
            )
            lines.set_label("_" if handles else "fills of one order")
            ax.add_collection(lines)
            handles.append(lines)
    return handles[:1]


def _print_ticks(ax: Axes, when: npt.NDArray[np.datetime64], where: tzinfo) -> None:
    """Label some prints with their time; steps between prints are equal, times between them are not."""
    local = pd.DatetimeIndex(when).tz_localize("UTC").tz_convert(where)
    day = local.normalize().nunique() < 2
    form = "%H:%M:%S" if day else "%b %d %H:%M"
    room = house.points_wide(ax)
    fitting = int(room / (1.5 * width_of("00:00:00" if day else "Nov 30 00:00", house.NORMAL)))
    count = min(max(fitting, 2), _MOST_TICKS, max(when.size, 1))
    places = np.unique(np.linspace(0, max(when.size - 1, 0), count).round()).tolist()

    def text(x: float, _: int | None = None) -> str:
        return local[round(x)].strftime(form) if 0 <= round(x) < local.size else ""

    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_major_formatter(FuncFormatter(text))
    date = f"{local[0]:%Y-%m-%d}, " if day and local.size else ""
    label = wrapped(f"print after print, {date}time [{drawable(where, 60)}]", room, house.NORMAL, 2)
    ax.set_xlabel(label, loc="left", fontsize=house.NORMAL, color=house.INK, parse_math=False)


def _limit(ax: Axes, price: Floats) -> None:
    """Room for the marks, and at least two cents, so that one tick does not look like a crash."""
    low, high = float(np.nanmin(price)), float(np.nanmax(price))
    pad = max(0.08 * (high - low), 0.01)
    ax.set_ylim(max(low - pad, -0.03), min(high + pad, 1.03))
    ax.set_xlim(-0.02 * price.size - 0.6, 1.02 * price.size - 0.4)
