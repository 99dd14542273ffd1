"""The tape: trades in the order in which they were executed, and the orders that made them.

The exchange stamps all fills of one taker order with the same instant and lists them in no
particular order. An order that walks the book pays ever worse prices: a buyer of YES from the
lowest up, a buyer of NO from the highest YES price down. So within one instant the taker's
direction gives the order of execution back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import (
    Bools,
    Ints,
    at_instants,
    instants,
    legs,
    require,
    scaled,
    tickers,
    with_attrs,
)
from kalshi_research.book.levels import ratio
from kalshi_research.errors import FrameError, PartialDataWarning, warn
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE

__all__ = ["Tape", "changes", "parent_orders", "read_tape", "side_names", "tape_order"]

_MAKERS = "get_trades and read_trades make such frames"
_NEEDED = ("ticker", "yes_price", "quantity", "taker_side")
_MOST = 2.0**62


@dataclass(frozen=True, slots=True)
class Tape:
    """Trades as integers, market by market, each in the order of execution.

    Attributes
    ----------
    frame : pandas.DataFrame
        The trades as given, without repeats.
    rows : int64 array
        For each trade of the tape its place in `frame`.
    names : pandas.Index
        Of the markets.
    market, time, price, count : int64 array
        Place in `names`; microseconds since 1970; 1/10 000 dollar for YES; 1/100 contract.
    is_yes : bool array
        Whether the taker bought YES.
    parent : int64 array
        Which taker order a trade belongs to, counted from 0 along the tape.
    """

    frame: pd.DataFrame
    rows: Ints
    names: pd.Index
    market: Ints
    time: Ints
    price: Ints
    count: Ints
    is_yes: Bools
    parent: Ints

    @property
    def begins(self) -> Bools:
        """For each trade whether it is the first of its market."""
        return changes(self.market)

    def by_time(self) -> Ints:
        """The places of the tape in the order of time; at one instant market by market."""
        return np.argsort(self.time, kind="stable")

    def place_in_market(self) -> Ints:
        """For each trade how many of its market come before it."""
        return np.arange(self.rows.size) - np.searchsorted(self.market, self.market)

    def parent_by_time(self) -> Ints:
        """`parent`, counted in the order of time instead of market by market."""
        when = self.time[changes(self.parent)]
        rank = np.empty(when.size, dtype=np.int64)
        rank[np.argsort(when, kind="stable")] = np.arange(when.size)
        return rank[self.parent]

    def trades(self, columns: Mapping[str, Any]) -> pd.DataFrame:
        """The trades in the order of time, with further columns (arrays along the tape)."""
        order = self.by_time()
        frame = self.frame.take(self.rows[order])
        for name, values in columns.items():
            frame[name] = values[order]
        return frame


def changes(values: Ints) -> Bools:
    """Where a value differs from the one before; true at the first."""
    found = np.ones(values.size, dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=found[1:])
    return found


def tape_order(trades: pd.DataFrame) -> pd.DataFrame:
    """Put trades in the order in which they were executed.

    Parameters
    ----------
    trades : DataFrame
        Of one market or of many, in any order, as `get_trades` and `read_trades` make them.
        Needed are the columns ticker, yes_price, quantity, taker_side and an index of times.
        Trades that share a `trade_id` are one: repeats are dropped with a warning.

    Returns
    -------
    DataFrame
        The same rows and columns, ordered by time, and two columns more:

        ========  =====  ===============================================================
        column    dtype  meaning
        ========  =====  ===============================================================
        sequence  int64  place on the tape of its market, from 0
        parent    int64  the row of `parent_orders` that holds the taker order it is of
        ========  =====  ===============================================================

    Raises
    ------
    FrameError
        If a column is missing, times have no zone, or a price or quantity cannot be one.

    Warns
    -----
    PartialDataWarning
        If trades came more than once.

    Notes
    -----
    Within one instant of one market trades stand in the taker's direction: by rising
    `yes_price` where takers bought YES, by falling `yes_price` where they bought NO. Equal
    prices are ordered by `trade_id`, so that one set of trades has one tape; which of them
    came first is not known, and no price depends on it. In recorded data no instant of a
    market has takers of both legs; should it happen, YES stands first. A block trade is an
    order of its own.

    Markets that trade at the same instant stand in the order of their names.

    Examples
    --------
    >>> import pandas as pd
    >>> trades = pd.DataFrame({"trade_id": ["a", "b", "c"], "ticker": "T",
    ...     "yes_price": [0.44, 0.42, 0.43], "quantity": [5.0, 1.0, 2.0], "taker_side": "yes"},
    ...     index=pd.DatetimeIndex(["2026-11-20T15:00:00Z"] * 3, name="time"))
    >>> tape_order(trades)["yes_price"].tolist()
    [0.42, 0.43, 0.44]
    """
    tape = read_tape(trades)
    return tape.trades({"sequence": tape.place_in_market(), "parent": tape.parent_by_time()})


def parent_orders(trades: pd.DataFrame) -> pd.DataFrame:
    """The taker orders behind the trades: fills of one market, instant and side are one order.

    Parameters
    ----------
    trades : DataFrame
        As for `tape_order`.

    Returns
    -------
    DataFrame
        One row per taker order, indexed by time.

        ==============  ===================  ==========================================
        column          dtype                meaning
        ==============  ===================  ==========================================
        time            datetime64[us, UTC]  index: execution
        ticker          str                  market
        taker_side      str                  leg bought: `yes` or `no`
        fills           int64                trades
        levels          int64                different prices
        quantity        float64              filled [contracts]
        vwap            float64              YES price, weighted by quantity [dollars]
        first_price     float64              YES price of the first fill [dollars]
        last_price      float64              YES price of the last fill [dollars]
        walked          float64              from the first price to the last, away from
                                             the touch, ≥ 0 [dollars]
        is_block_trade  boolean              negotiated off the book; where the trades
                                             tell
        ==============  ===================  ==========================================

    Raises
    ------
    FrameError
        As for `tape_order`.

    Notes
    -----
    Sums are kept in integers and divided once. What an order left resting, or what of it was
    cancelled, is not on the tape: `quantity` is what was filled.

    Examples
    --------
    >>> import pandas as pd
    >>> trades = pd.DataFrame({"ticker": "T", "yes_price": [0.44, 0.42], "quantity": [5.0, 15.0],
    ...     "taker_side": "yes"}, index=pd.DatetimeIndex(["2026-11-20T15:00:00Z"] * 2, name="time"))
    >>> parent_orders(trades)[["fills", "levels", "quantity", "vwap", "walked"]].to_dict("records")
    [{'fills': 2, 'levels': 2, 'quantity': 20.0, 'vwap': 0.425, 'walked': 0.02}]
    """
    tape = read_tape(trades)
    start = np.flatnonzero(changes(tape.parent))
    stop = np.append(start[1:], tape.rows.size)[: start.size]
    first, last = tape.price[start], tape.price[stop - 1]
    new_level = changes(tape.parent) | changes(tape.price)
    quantity = np.add.reduceat(tape.count, start) if start.size else start
    notional = np.add.reduceat(tape.count * tape.price, start) if start.size else start
    columns: dict[str, Any] = {
        "ticker": tape.names.take(tape.market[start]),
        "taker_side": side_names(tape.is_yes[start]),
        "fills": stop - start,
        "levels": np.add.reduceat(new_level.astype(np.int64), start) if start.size else start,
        "quantity": ratio(quantity, COUNT_SCALE),
        "vwap": ratio(notional, quantity * PRICE_SCALE),
        "first_price": ratio(first, PRICE_SCALE),
        "last_price": ratio(last, PRICE_SCALE),
        "walked": ratio(np.abs(last - first), PRICE_SCALE),
    }
    if "is_block_trade" in tape.frame.columns:
        columns["is_block_trade"] = tape.frame["is_block_trade"].array.take(tape.rows[start])
    frame = pd.DataFrame(columns, index=at_instants(tape.time[start]))
    order = np.argsort(tape.time[start], kind="stable")
    return with_attrs(frame.take(order), tape.frame)


def side_names(is_yes: Bools, known: Bools | None = None) -> Any:
    """An array of ``yes`` and ``no``; missing where `known` is false."""
    code = np.where(is_yes, 1, 0) if known is None else np.where(known, is_yes, -1)
    return pd.array(["no", "yes"], dtype="str").take(code, allow_fill=True)


def read_tape(trades: pd.DataFrame, *, as_given: bool = False) -> Tape:
    """Check trades, drop repeats, and bring them into the order of execution.

    Parameters
    ----------
    trades : pandas.DataFrame
        In any order.
    as_given : bool
        Leave trades of one instant in the order in which they stand.

    Raises
    ------
    FrameError
        If the frame cannot be a frame of trades.
    """
    require(trades, _NEEDED, what="trades", makers=_MAKERS)
    trades = _without_repeats(trades)
    price = scaled(trades, "yes_price", PRICE_SCALE, what="trades", below=1)
    count = scaled(trades, "quantity", COUNT_SCALE, what="trades")
    if float(count.sum(dtype=np.float64)) * PRICE_SCALE > _MOST:
        raise FrameError(
            "the quantities of trades add up to more than exact sums can hold (4.6e12 contracts); "
            "quantity is in contracts"
        )
    is_yes = legs(trades, "taker_side", what="trades")
    (market, names), time = tickers(trades, what="trades"), instants(trades)
    block = _is_block(trades)
    if as_given:
        rows = np.lexsort((time, market))
    else:
        ahead = np.where(is_yes, price, PRICE_SCALE - price)
        rows = np.lexsort((ahead, block, ~is_yes, time, market))
        rows = _by_id_where_equal(trades, rows, (ahead, block, is_yes, time, market))
    parts = (market[rows], time[rows], is_yes[rows].astype(np.int64), block[rows].astype(np.int64))
    new_parent = np.logical_or.reduce([changes(part) for part in parts])
    parent = np.cumsum(new_parent) - 1
    return Tape(trades, rows, names, parts[0], parts[1], price[rows], count[rows], is_yes[rows], parent)


def _is_block(trades: pd.DataFrame) -> Bools:
    if "is_block_trade" not in trades.columns:
        return np.zeros(len(trades), dtype=np.bool_)
    return trades["is_block_trade"].astype("boolean").to_numpy(dtype=np.bool_, na_value=False)


def _by_id_where_equal(trades: pd.DataFrame, rows: Ints, keys: tuple[np.ndarray, ...]) -> Ints:
    """Order what the keys leave undecided by trade id, if there is one."""
    if "trade_id" not in trades.columns:
        return rows
    distinct = np.logical_or.reduce([changes(key[rows]) for key in keys])
    run = np.cumsum(distinct)
    alone = distinct & np.append(distinct[1:], True)[: distinct.size]
    tied = np.flatnonzero(~alone)
    rank, _ = pd.factorize(trades["trade_id"].take(rows[tied]), sort=True)
    ordered = rows.copy()
    ordered[tied] = rows[tied[np.lexsort((rank, run[tied]))]]
    return ordered


def _without_repeats(trades: pd.DataFrame) -> pd.DataFrame:
    if "trade_id" not in trades.columns:
        return trades
    again = trades["trade_id"].duplicated().to_numpy() & trades["trade_id"].notna().to_numpy()
    if not again.any():
        return trades
    warn(
        f"{int(again.sum()):,} of {len(trades):,} trades came more than once (same trade_id); "
        "the repeats were dropped",
        PartialDataWarning,
    )
    return trades[~again]
