"""Price through time: trades as they happened, and the bid–ask band around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from kalshi_research.errors import FrameError, printable
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, only_ticker, require, times
from kalshi_research.plotting.prints import draw_prints

if TYPE_CHECKING:
    from datetime import tzinfo

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D as Line

__all__ = ["plot_price"]

_TRADES = "get_trades and read_trades make such frames"
_QUOTES = "quotes(book_history) makes such frames"
_ALONE = np.timedelta64(30, "m")
"""Room on each side of trades that share one instant."""
Floats = npt.NDArray[np.float64]


def plot_price(
    trades: pd.DataFrame | pd.Series,
    *,
    quotes: pd.DataFrame | None = None,
    ax: Axes | None = None,
    tz: str | tzinfo | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the price of one market through time.

    Parameters
    ----------
    trades : DataFrame or Series
        Trades of one ticker (index `time`; yes_price, and where known quantity and
        taker_side), or any price indexed by time [dollars]. NaN leaves a gap.
    quotes : DataFrame, optional
        From `quotes` of a book history (index `time`; yes_bid, yes_ask): drawn as a band
        behind the trades. An empty side leaves a gap.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    tz : str or tzinfo, optional
        Time zone of the axis, UTC if not given. The frame stays as it is.
    title : str, optional
        Instead of the ticker or the name of the series.

    Returns
    -------
    matplotlib.axes.Axes
        With a step line (the last price holds until the next), and a marker a trade:
        its area is proportional to the contracts, filled triangles up are bought YES,
        hollow triangles down bought NO.

    Raises
    ------
    FrameError
        If a column is missing, there are several tickers, or times have no zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> time = pd.to_datetime(["2026-11-20 15:00", "2026-11-20 15:05"], utc=True)
    >>> price = pd.Series([0.42, 0.44], index=time, name="yes_price")
    >>> ax = plot_price(price, ax=Figure().subplots(), tz="America/New_York")
    >>> ax.lines[0].get_ydata().tolist(), ax.get_xlabel()
    ([0.42, 0.44], 'time [America/New_York]')
    """
    frame = _as_frame(trades)
    ticker = only_ticker(frame, what="trades")
    when, price = times(frame, what="trades"), numbers(frame, "yes_price", what="trades")
    band = None if quotes is None else _band_of(quotes, ticker)
    where = house.zone(tz)
    ax = house.canvas(ax)
    handles = _draw_trades(ax, frame, when, price)
    if band is not None:
        handles += _draw_band(ax, band)
    house.time_ticks(ax, where)
    house.price_ticks(ax.yaxis)
    _limit(ax, price, band)
    if band is None and when.size and when[0] == when[-1]:
        ax.set_xlim(when[0] - _ALONE, when[0] + _ALONE)
    if not handles:
        house.say_empty(ax, "no trades")
    above = house.key_row(ax, handles)
    name = ticker or (printable(trades.name) if isinstance(trades, pd.Series) and trades.name else "")
    heading = title if title is not None else f"Price · {name or 'no ticker'}"
    sources = [trades] if quotes is None else [trades, quotes]
    return house.finish(ax, *sources, title=heading, above=above)


def _as_frame(trades: pd.DataFrame | pd.Series) -> pd.DataFrame:
    if isinstance(trades, pd.Series):
        return trades.to_frame("yes_price")
    return require(trades, ["yes_price"], what="trades", makers=_TRADES)


def _band_of(quotes: pd.DataFrame, ticker: str) -> pd.DataFrame:
    require(quotes, ["yes_bid", "yes_ask"], what="quotes", makers=_QUOTES)
    if ticker and "ticker" in quotes.columns:
        quotes = quotes[quotes["ticker"] == ticker]
    theirs = only_ticker(quotes, what="quotes")
    if ticker and theirs and ticker != theirs:
        raise FrameError(f"the quotes are those of {theirs}, but the trades those of {ticker}")
    times(quotes, what="quotes")
    for name in ("yes_bid", "yes_ask"):
        numbers(quotes, name, what="quotes")
    return quotes


def _draw_band(ax: Axes, quotes: pd.DataFrame) -> list[Line]:
    when = times(quotes, what="quotes")
    bid, ask = (numbers(quotes, name, what="quotes") for name in ("yes_bid", "yes_ask"))
    ax.fill_between(
        when,
        bid,
        ask,
        where=np.isfinite(bid) & np.isfinite(ask),
        step="post",
        color=house.QUIET,
        alpha=0.13,
        linewidth=0,
        zorder=1,
        gid="bid–ask band",
    )
    handles = []
    for y, label, colour, style in (
        (bid, "bid", house.YES, "-"),
        (ask, "ask", house.NO, house.DASHED),
    ):
        (line,) = ax.plot(
            when,
            y,
            drawstyle="steps-post",
            color=colour,
            linestyle=style,
            linewidth=1.0,
            label=label,
            zorder=2,
        )
        handles.append(line)
    return handles


def _draw_trades(
    ax: Axes, frame: pd.DataFrame, when: npt.NDArray[np.datetime64], price: Floats
) -> list[Line]:
    (line,) = ax.plot(
        when, price, drawstyle="steps-post", color=house.INK, linewidth=0.9, zorder=3, label="price"
    )
    if "quantity" not in frame.columns or not np.isfinite(price).any():
        line.set_linewidth(1.4)
        return [line] if np.isfinite(price).any() else []
    size = numbers(frame, "quantity", what="trades")
    return [line, *draw_prints(ax, frame, house.days(when), price, size)]


def _limit(ax: Axes, price: Floats, band: pd.DataFrame | None) -> None:
    """Room for the markers, and at least two cents, so that one tick does not look like a crash."""
    every = (
        price if band is None else np.concatenate([price, *band[["yes_bid", "yes_ask"]].to_numpy().T])
    )
    every = every[np.isfinite(every)]
    if every.size:
        low, high = every.min(), every.max()
        pad = max(0.06 * (high - low), 0.01)
        ax.set_ylim(max(low - pad, -0.03), min(high + pad, 1.03))
