"""Bars: open, high, low, close, volume and VWAP over time, over contracts, or over trades."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Bools, Ints, at_instants, duration, with_attrs
from kalshi_research.analysis.tape import Tape, changes, read_tape
from kalshi_research.book.levels import ratio
from kalshi_research.errors import InputError, printable, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, to_count

__all__ = ["time_bars", "trade_bars", "volume_bars"]

_DAY = 86_400_000_000
_MOST_ROWS = 10_000_000
_MOST = 2**62


def time_bars(
    trades: pd.DataFrame,
    interval: str | pd.Timedelta,
    *,
    tz: str | tzinfo | None = None,
    empty: bool = True,
) -> pd.DataFrame:
    """One row per market and period of time, like the exchange's candlesticks.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    interval : str or Timedelta
        Length of a period, such as ``"1min"``, ``"1h"`` or ``"1D"``. Periods are counted from
        1970-01-01T00:00Z.
    tz : str or tzinfo, optional
        Only with ``"1D"``: days from midnight to midnight there, 23 or 25 hours long when
        clocks change.
    empty : bool, default True
        Keep periods without a trade between the first and the last of a market.

    Returns
    -------
    DataFrame
        Ordered by time, then by ticker.

        ============  ===================  ====================================================
        column        dtype                meaning
        ============  ===================  ====================================================
        time          datetime64[us, UTC]  index: end of the period, inclusive
        ticker        str                  market
        period_start  datetime64[us, UTC]  start of the period, exclusive
        open          float64              first YES price on the tape [dollars]
        high, low     float64              extremes [dollars]
        close         float64              last YES price on the tape [dollars]
        vwap          float64              YES price weighted by quantity [dollars]
        previous      float64              last price before the period [dollars]
        volume        float64              [contracts]
        yes_volume    float64              of it bought by takers of YES [contracts]
        trades        int64                number of trades
        orders        int64                number of taker orders
        ============  ===================  ====================================================

        A period without a trade has volume 0 and NaN prices; ``bars["close"].fillna(
        bars["previous"])`` carries the last price on.

    Raises
    ------
    InputError
        If the interval is no length of time, or makes more than 10 million rows.
    FrameError
        As for `tape_order`.

    Notes
    -----
    A trade at the very end of a period belongs to it, as in the exchange's candlesticks: a bar
    holds what happened in (`period_start`, `time`]. Block trades count like others; leave them
    out with ``trades[~trades["is_block_trade"]]``.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00:20Z", "2026-11-20T15:02:10Z"]).rename("time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.44], "quantity": [5.0, 1.0],
    ...     "taker_side": "yes"}, index=time)
    >>> time_bars(trades, "1min")[["close", "previous", "volume"]].to_dict("list")
    {'close': [0.42, nan, 0.44], 'previous': [nan, 0.42, 0.42], 'volume': [5.0, 0.0, 1.0]}
    """
    length = duration(interval, "interval")
    tape = read_tape(trades)
    if tz is None:
        period = -(-tape.time // length)

        def edge(number: Ints) -> Ints:
            return number * length
    else:
        if length != _DAY:
            raise InputError(f"tz goes with interval='1D' only, not with {printable(interval, 40)}")
        midnights = _midnights(tape.time, tz)
        period = np.searchsorted(midnights, tape.time)

        def edge(number: Ints) -> Ints:
            return midnights[number]

    starts = tape.begins | changes(period)
    return _of_periods(tape, starts, period[starts], edge, empty=empty)


def volume_bars(trades: pd.DataFrame, contracts: float | str | Decimal) -> pd.DataFrame:
    """One row whenever a fixed number of contracts has traded in a market.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    contracts : int, float, str or Decimal
        Volume of a bar, down to 0.01 [contracts].

    Returns
    -------
    DataFrame
        As `time_bars`, but a bar reaches from the time of its first trade (`period_start`) to
        that of its last (`time`), both inclusive, and no bar is empty. Several bars may end
        at the same instant; within a market they stand in the order of the tape.

    Raises
    ------
    InputError
        If `contracts` is not positive, finer than 0.01, or makes more than 10 million rows.
    FrameError
        As for `tape_order`.

    Notes
    -----
    A trade that fills a bar up is split: what is left over opens the next bar, and it counts in
    `trades` and `orders` of each. So every bar has exactly the volume asked for, save the last
    one of a market, which holds what was left.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00:20Z", "2026-11-20T15:02:10Z"]).rename("time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.44], "quantity": [5.0, 7.0],
    ...     "taker_side": "yes"}, index=time)
    >>> volume_bars(trades, 10)[["open", "close", "vwap", "volume"]].to_dict("list")
    {'open': [0.42, 0.44], 'close': [0.44, 0.44], 'vwap': [0.43, 0.44], 'volume': [10.0, 2.0]}
    """
    size = to_count(contracts)
    if size <= 0:
        raise InputError(f"contracts must be positive, got {printable(contracts, 40)}")
    tape = read_tape(trades)
    done = np.cumsum(tape.count)
    before = done - tape.count
    offset = before[tape.begins][np.cumsum(tape.begins) - 1] if done.size else before
    begin, end = before - offset, done - offset
    pieces = (end - 1) // size - begin // size + 1
    _check_size(pieces, "contracts")
    trade = np.repeat(np.arange(pieces.size), pieces)
    nth = np.arange(trade.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    bar = begin[trade] // size + nth
    count = np.minimum(end[trade], (bar + 1) * size) - np.maximum(begin[trade], bar * size)
    split = _Pieces.of(tape, trade, count)
    return _of_runs(split, changes(split.market) | changes(bar))


def trade_bars(trades: pd.DataFrame, n: int) -> pd.DataFrame:
    """One row for every `n` trades of a market.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    n : int
        Trades in a bar.

    Returns
    -------
    DataFrame
        As `volume_bars`. The last bar of a market holds what was left.

    Raises
    ------
    InputError
        If `n` is no whole number from 1.
    FrameError
        As for `tape_order`.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00:20Z", "2026-11-20T15:02:10Z"]).rename("time")
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.42, 0.44], "quantity": [5.0, 7.0],
    ...     "taker_side": "yes"}, index=time)
    >>> trade_bars(trades, 2)[["open", "close", "trades"]].to_dict("list")
    {'open': [0.42], 'close': [0.44], 'trades': [2]}
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n < _MOST:
        raise InputError(f"n must be a whole number from 1, not {quoted(n, 40)}")
    tape = read_tape(trades)
    place = tape.place_in_market()
    everything = np.arange(tape.rows.size)
    return _of_runs(_Pieces.of(tape, everything, tape.count), place % n == 0)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Trades or parts of trades, along the tape."""

    tape: Tape
    market: Ints
    time: Ints
    price: Ints
    count: Ints
    is_yes: Bools
    parent: Ints

    @classmethod
    def of(cls, tape: Tape, trade: Ints, count: Ints) -> _Pieces:
        """The parts with `count` of the trades at the places `trade`."""
        columns = (tape.market, tape.time, tape.price)
        market, time, price = (column[trade] for column in columns)
        return cls(tape, market, time, price, count, tape.is_yes[trade], tape.parent[trade])

    def summed(self, starts: Bools) -> tuple[Ints, Ints, dict[str, Any]]:
        """First and last piece of each run, and what the run adds up to."""
        first = np.flatnonzero(starts)
        last = np.append(first[1:], starts.size)[: first.size] - 1

        def total(amount: Ints) -> Ints:
            return np.add.reduceat(amount, first) if first.size else first

        volume = total(self.count)
        high = np.maximum.reduceat(self.price, first) if first.size else first
        low = np.minimum.reduceat(self.price, first) if first.size else first
        return (
            first,
            last,
            {
                "open": ratio(self.price[first], PRICE_SCALE),
                "high": ratio(high, PRICE_SCALE),
                "low": ratio(low, PRICE_SCALE),
                "close": ratio(self.price[last], PRICE_SCALE),
                "vwap": ratio(total(self.price * self.count), volume * PRICE_SCALE),
                "previous": _previous(self.price, self.market, first),
                "volume": ratio(volume, COUNT_SCALE),
                "yes_volume": ratio(total(np.where(self.is_yes, self.count, 0)), COUNT_SCALE),
                "trades": last - first + 1,
                "orders": self.parent[last] - self.parent[first] + 1,
            },
        )


def _previous(price: Ints, market: Ints, first: Ints) -> np.ndarray:
    """The price before each run; NaN at the first of a market."""
    before = np.maximum(first - 1, 0)
    return ratio(price[before], PRICE_SCALE, (first > 0) & (market[before] == market[first]))


def _frame(tape: Tape, market: Ints, begin: Ints, end: Ints, columns: dict[str, Any]) -> pd.DataFrame:
    found = {
        "ticker": tape.names.take(market),
        "period_start": at_instants(begin),
        **columns,
    }
    order = np.argsort(end, kind="stable")
    frame = pd.DataFrame(found, index=at_instants(end)).take(order)
    return with_attrs(frame, tape.frame)


def _of_runs(pieces: _Pieces, starts: Bools) -> pd.DataFrame:
    first, last, columns = pieces.summed(starts)
    return _frame(pieces.tape, pieces.market[first], pieces.time[first], pieces.time[last], columns)


def _of_periods(
    tape: Tape, starts: Bools, period: Ints, edge: Callable[[Ints], Ints], *, empty: bool
) -> pd.DataFrame:
    """Bars of the periods that hold trades, with those in between where asked."""
    first, _, columns = _Pieces.of(tape, np.arange(tape.rows.size), tape.count).summed(starts)
    market = tape.market[first]
    if empty and first.size:
        steps = np.where(changes(market), 1, np.diff(period, prepend=0))
        _check_size(steps, "interval")
        where = np.cumsum(steps) - 1
        latest = np.repeat(np.arange(first.size), np.append(steps[1:], 1))
        columns = _spread(columns, where, latest)
        period = period[latest] + np.arange(latest.size) - where[latest]
        market = market[latest]
    return _frame(tape, market, edge(period - 1), edge(period), columns)


def _spread(columns: dict[str, Any], where: Ints, latest: Ints) -> dict[str, Any]:
    """Columns of periods with trades, at their places `where` among all periods.

    A period without trades has its latest close (that of the bar `latest`) as previous price.
    """
    wide: dict[str, Any] = {}
    for name, values in columns.items():
        counted = name in {"volume", "yes_volume", "trades", "orders"}
        wide[name] = np.full(latest.size, 0 if counted else np.nan, dtype=values.dtype)
        if name == "previous":
            wide[name] = columns["close"][latest]
        wide[name][where] = values
    return wide


def _check_size(pieces: Ints, argument: str) -> None:
    """Refuse what would fill the memory, before it does."""
    total = float(pieces.sum(dtype=np.float64))
    if total > _MOST_ROWS:
        hint = "a longer interval, or empty=False" if argument == "interval" else "more contracts a bar"
        raise InputError(
            f"these trades would make {total:,.0f} rows, more than {_MOST_ROWS:,}; choose {hint}"
        )


def _midnights(times: Ints, tz: str | tzinfo) -> Ints:
    """The midnights of a place around the times, in microseconds since 1970."""
    if not times.size:
        return times
    ends = at_instants(np.array([times.min(), times.max()]))
    try:
        local = ends.tz_convert(tz).tz_localize(None).normalize()
    except (KeyError, ValueError, TypeError, OSError):
        raise InputError(
            f"tz must be the name of a time zone such as 'America/New_York', not {quoted(tz, 60)}"
        ) from None
    days = pd.date_range(local[0] - pd.Timedelta(days=1), local[1] + pd.Timedelta(days=1))
    # Where midnight comes twice the first one counts, where it is skipped the next instant.
    zoned = days.tz_localize(tz, ambiguous=np.ones(len(days), bool), nonexistent="shift_forward")
    return zoned.as_unit("us").asi8
