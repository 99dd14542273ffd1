"""Which quote stood in the book when a trade happened.

A trade removes what it trades with, so the book *at* its instant is the book after it. What
its price must be compared with is the quote before: the last one strictly earlier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.analysis.frames import (
    Ints,
    at_instants,
    duration,
    instants,
    nearest,
    numbers,
    require,
    scaled,
    tickers,
)
from kalshi_research.analysis.tape import Tape, read_tape
from kalshi_research.analysis.timelines import price_ticks
from kalshi_research.errors import FrameError, printable, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.provenance import KEY, combined

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["join_quotes", "quotes_before", "stream_times"]

_QUOTE_MAKERS = "quotes(book_history) makes such frames"
_CHANGE_NEEDED = ("ticker", "side", "price", "change", "arrival")
_CHANGE_MAKERS = "replay_book makes such frames"


def join_quotes(
    trades: pd.DataFrame, quotes: pd.DataFrame, *, tolerance: str | pd.Timedelta | None = None
) -> pd.DataFrame:
    """Give each trade the quote that stood before it.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.
    quotes : DataFrame
        Indexed by time, with `ticker`, `yes_bid`, `yes_ask` and any further columns, as
        ``quotes(book_history)`` makes it. A row holds from its time on, until the next one
        of its market; of several rows at one time the last one holds.
    tolerance : str or Timedelta, optional
        How old a quote may be, such as ``"10s"``. By default of any age.

    Returns
    -------
    DataFrame
        The trades as `tape_order` returns them, then `quote_time` (datetime64[us, UTC], the time
        of the quote) and all columns of `quotes`. They are missing where no quote came before
        the trade, or only one that is too old; a side that was empty is NaN with a `quote_time`.

    Raises
    ------
    FrameError
        If a frame lacks a column, both have one of the same name, or times have no zone.
    InputError
        If `tolerance` is no length of time.

    Notes
    -----
    The quote of a trade at `t` is the last row of its market with a time *strictly before* `t`.
    The exchange stamps the changes that a taker order makes in the book with the instant of
    its trades, so they are left out, and all fills of one order get the same quote: the one
    the order met. That needs both frames to tell the exchange's own time to the microsecond.
    Trades recorded from a WebSocket tell it less exactly: complete them with `stream_times`.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.to_datetime(["2026-11-20T15:00:00Z", "2026-11-20T15:00:07Z"]).rename("time")
    >>> quotes = pd.DataFrame({"ticker": "T", "yes_bid": [0.40, 0.40], "yes_ask": [0.42, 0.44]},
    ...     index=time)
    >>> trade = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 5.0,
    ...     "taker_side": "yes"}, index=time[1:])
    >>> join_quotes(trade, quotes)[["yes_price", "yes_bid", "yes_ask"]].to_dict("records")
    [{'yes_price': 0.42, 'yes_bid': 0.4, 'yes_ask': 0.42}]
    """
    tape = read_tape(trades)
    at = quotes_before(tape, quotes, tolerance)
    found = quotes.drop(columns="ticker")
    ours = {*tape.frame.columns, "sequence", "parent", "quote_time"}
    taken = sorted(str(name) for name in ours & set(found.columns) | {"quote_time"} & set(tape.frame))
    if taken:
        raise FrameError(
            f"trades and quotes would both fill the column(s) {printable(', '.join(taken))}; "
            "rename or drop them in one of the two"
        )
    frame = tape.trades({"sequence": tape.place_in_market(), "parent": tape.parent_by_time()})
    row = at[tape.by_time()]
    known = row >= 0
    when = np.zeros(row.size, dtype=np.int64)
    when[known] = instants(quotes)[row[known]]
    frame["quote_time"] = at_instants(when).where(known)
    quoted = found.reset_index(drop=True).reindex(row)
    for name in found.columns:
        frame[name] = quoted[name].array
    source = combined(trades, quotes)
    frame.attrs = {**frame.attrs, **({} if source is None else {KEY: source})}
    return frame


def quotes_before(tape: Tape, quotes: pd.DataFrame, tolerance: str | pd.Timedelta | None = None) -> Ints:
    """For each trade of the tape the row of the quote before it, -1 where there is none."""
    require(quotes, ("ticker", "yes_bid", "yes_ask"), what="quotes", makers=_QUOTE_MAKERS)
    for name in ("yes_bid", "yes_ask"):
        price_ticks(quotes, name, what="quotes")
    reach = None if tolerance is None else duration(tolerance, "tolerance")
    market = _market(tape, quotes, "quotes")
    mine = np.flatnonzero(market >= 0)
    time, code = instants(quotes)[mine], market[mine]
    order = np.lexsort((time, code))
    mine, time, code = mine[order], time[order], code[order]
    if not mine.size:
        return np.full(tape.rows.size, -1, dtype=np.int64)
    # One number per market and instant, so that one search serves all markets.
    every, rank = np.unique(np.concatenate((time, tape.time)), return_inverse=True)
    quote_key = code * every.size + rank[: time.size]
    trade_key = tape.market * every.size + rank[time.size :]
    place = np.searchsorted(quote_key, trade_key, side="left") - 1
    near = np.maximum(place, 0)
    good = (place >= 0) & (code[near] == tape.market)
    if reach is not None:
        good &= tape.time - time[near] <= reach
    return np.where(good, mine[near], -1)


def _market(tape: Tape, frame: pd.DataFrame, what: str) -> Ints:
    """For each row the place of its market on the tape, -1 where it is not there."""
    code, names = tickers(frame, what=what)
    found: Ints = tape.names.get_indexer(names).astype(np.int64)[code]
    return found


def stream_times(
    trades: pd.DataFrame, changes: pd.DataFrame, *, resolution: str | pd.Timedelta = "1s"
) -> pd.DataFrame:
    """Give the trades of a recorded stream the instant at which they changed the book.

    A trade message tells its time in whole seconds or milliseconds; the changes that the trade
    made in the book arrive before it and tell theirs to the microsecond. `replay_book` gives the
    frames of both.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`, with a column `arrival`: the place of the message in the recording.
        Times are cut off at `resolution`.
    changes : DataFrame
        One row for each change of a level, indexed by the exchange's time, with the columns
        ticker, `side` (``bid`` or ``ask``), `price` (of YES) [dollars], `change` (of the
        quantity, negative where it falls) [contracts] and `arrival`.
    resolution : str or Timedelta, default "1s"
        Of the times of trades.

    Returns
    -------
    DataFrame
        The trades in the order of arrival. Where the change that belongs to a trade was found,
        its time is the index; `matched` (bool) says where.

    Raises
    ------
    FrameError
        If a column is missing, or holds what it cannot.
    InputError
        If `resolution` is no length of time.

    Notes
    -----
    The change of a trade is one of the same market, on the maker's side (a taker of YES buys
    from the asks), at its price, by minus its quantity, in the same second (or whatever
    `resolution` is), that arrived before the trade. A change belongs to one trade. Trades of
    equal price and size keep their order, and take the latest changes that leave one for each,
    because an equal fall earlier in that second may have been a cancelled order.

    A trade without such a change keeps its time, so that `join_quotes` gives it a quote from
    before that second: old, but none that knows the trade.

    Examples
    --------
    >>> import pandas as pd
    >>> changes = pd.DataFrame({"ticker": "T", "side": "ask", "price": [0.44, 0.42],
    ...     "change": [9.0, -5.0], "arrival": [0, 1]}, index=pd.DatetimeIndex(
    ...     ["2026-11-20T15:00:00.250Z", "2026-11-20T15:00:00.900Z"], name="time"))
    >>> trade = pd.DataFrame({"ticker": "T", "yes_price": 0.42, "quantity": 5.0, "taker_side": "yes",
    ...     "arrival": 2}, index=pd.DatetimeIndex(["2026-11-20T15:00:00Z"], name="time"))
    >>> stream_times(trade, changes).index[0].isoformat()
    '2026-11-20T15:00:00.900000+00:00'
    """
    unit = duration(resolution, "resolution")
    tape = read_tape(trades)
    if "arrival" not in trades.columns:
        raise FrameError(
            "the frame of trades lacks the column arrival, the place of each message in the "
            "recording; trades of get_trades have no such order and need no stream_times"
        )
    require(changes, _CHANGE_NEEDED, what="changes of the book", makers=_CHANGE_MAKERS)
    arrived = _arrivals(tape.frame, "trades")[tape.rows]
    seen = _arrivals(changes, "changes of the book")
    change_time = instants(changes)
    key, change_key = _keys(tape, changes, change_time // unit, tape.time // unit)
    match = _latest_in_order(key, arrived, change_key, seen)
    time = (
        np.where(match >= 0, change_time[np.maximum(match, 0)], tape.time) if len(changes) else tape.time
    )
    order = np.argsort(arrived, kind="stable")
    frame = tape.frame.take(tape.rows[order])
    frame.index = at_instants(time[order])
    frame["matched"] = (match >= 0)[order]
    source = combined(trades, changes)
    frame.attrs = {**frame.attrs, **({} if source is None else {KEY: source})}
    return frame


def _arrivals(frame: pd.DataFrame, what: str) -> Ints:
    value = numbers(frame, "arrival", what=what)
    if not np.isfinite(value).all():
        raise FrameError(f"a row of {what} has no arrival: row {int(np.argmin(np.isfinite(value)))}")
    found: Ints = frame["arrival"].to_numpy(dtype=np.int64)
    return found


def _keys(tape: Tape, changes: pd.DataFrame, change_at: Ints, trade_at: Ints) -> tuple[Ints, Ints]:
    """Equal numbers for a trade and the changes it may have made."""
    price = scaled(changes, "price", PRICE_SCALE, what="changes of the book", below=1)
    fall, whole = nearest(-numbers(changes, "change", what="changes of the book"), COUNT_SCALE)
    if not whole.all():
        at = int(np.argmin(whole))
        raise FrameError(
            f"a change of the book is no multiple of 1/{COUNT_SCALE} contract: "
            f"{printable(changes['change'].iloc[at], 40)} in row {at}"
        )
    side = changes["side"].astype("str").to_numpy(dtype=object)
    known = np.isin(side, ["bid", "ask"])
    if not known.all():
        at = int(np.argmin(known))
        raise FrameError(
            f"side of changes of the book must be 'bid' or 'ask', but row {at} "
            f"says {quoted(side[at], 40)}"
        )
    market = _market(tape, changes, "changes of the book")
    ours = np.column_stack([tape.market, tape.is_yes, tape.price, tape.count, trade_at])
    theirs = np.column_stack([market, side == "ask", price, fall, change_at])
    _, code = np.unique(np.vstack([ours, theirs]), axis=0, return_inverse=True)
    code = code.reshape(-1).astype(np.int64)
    return code[: len(ours)], code[len(ours) :]


def _latest_in_order(key: Ints, arrived: Ints, change_key: Ints, seen: Ints) -> Ints:
    """For each trade a change of its key that was seen before it, -1 where none is left.

    Per key the k-th trade gets the change ``min over j >= k of (last(j) - (j - k))``, where
    ``last(j)`` is the last change before trade j: the latest choice that keeps the order.
    """
    order = np.lexsort((arrived, key))
    change_order = np.lexsort((seen, change_key))
    k, ck = key[order], change_key[change_order]
    at = np.concatenate((arrived, seen))
    every, rank = np.unique(at, return_inverse=True)
    span = every.size
    last = np.searchsorted(
        ck * span + rank[key.size :][change_order], k * span + rank[: key.size][order]
    )
    slack = last - np.arange(k.size)
    # The reversed running minimum restarts at each key: a key's slack is lifted above the next's.
    run = np.cumsum(np.append(k[1:] != k[:-1], False)[::-1])[::-1] if k.size else k
    lift = -run * (2 * (key.size + change_key.size) + 1)
    tight = np.minimum.accumulate((slack + lift)[::-1])[::-1] - lift
    place = tight + np.arange(k.size) - 1
    first = np.searchsorted(ck, k)
    match = np.full(key.size, -1, dtype=np.int64)
    good = place >= first
    match[order[good]] = change_order[place[good]]
    return match
