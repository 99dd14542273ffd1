"""What a replay noted, as flat rows of integers, to the frames that users see."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from kalshi_research.book.levels import ratio
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.schemas import TRADES

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Delta, Trade
    from kalshi_research.streaming.books import Levels
    from kalshi_research.streaming.feeds import Taped

__all__ = [
    "STATUSES",
    "changes",
    "levels",
    "quotes",
    "trades",
]

Ints: TypeAlias = npt.NDArray[np.int64]

# Packing a row takes a third of the time of extending an array by its values.
pack_quote, pack_level, pack_change = Struct("=11q").pack, Struct("=7q").pack, Struct("=7q").pack

STATUSES = ("live", "syncing", "stale", "invalid")
_QUOTE_WIDTH, _LEVEL_WIDTH, _CHANGE_WIDTH = 11, 7, 7

_SIDES = pd.Index(["bid", "ask"], dtype="str")


def _rows(noted: array[int], width: int) -> list[Ints]:
    """The columns of rows that were noted one after the other."""
    return list(np.array(noted, dtype=np.int64).reshape(-1, width).T)


def times(micros: Ints) -> pd.DatetimeIndex:
    """Microseconds since 1970 as instants; a negative one is none."""
    stamps = np.where(micros < 0, np.iinfo(np.int64).min, micros).view("datetime64[us]")
    return pd.DatetimeIndex(stamps, name="time").tz_localize("UTC")


def _tickers(code: Ints, names: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(code, categories=pd.Index(list(names), dtype="str"))


def _optional(values: Ints) -> pd.Series:
    """Whole numbers, of which a negative one is none."""
    return pd.Series(pd.arrays.IntegerArray(values.copy(), values < 0))


def quotes(noted: array[int], names: Sequence[str], reasons: Sequence[str | None]) -> pd.DataFrame:
    """Rows of time, ticker, bid, its size, NO bid, its size, status, reason, seq, clock, arrival."""
    time, code, bid, bid_count, no, no_count, status, reason, seq, clock, arrival = _rows(
        noted, _QUOTE_WIDTH
    )
    has_bid, has_ask = bid > 0, no > 0
    both = has_bid & has_ask
    ask = PRICE_SCALE - no
    bid_size = ratio(bid_count, COUNT_SCALE, has_bid)
    ask_size = ratio(no_count, COUNT_SCALE, has_ask)
    columns: dict[str, Any] = {
        "ticker": _tickers(code, names),
        "yes_bid": ratio(bid, PRICE_SCALE, has_bid),
        "yes_bid_size": bid_size,
        "yes_ask": ratio(ask, PRICE_SCALE, has_ask),
        "yes_ask_size": ask_size,
        "no_bid": ratio(no, PRICE_SCALE, has_ask),
        "no_bid_size": ask_size,
        "no_ask": ratio(PRICE_SCALE - bid, PRICE_SCALE, has_bid),
        "no_ask_size": bid_size,
        "spread": ratio(ask - bid, PRICE_SCALE, both),
        "mid": ratio(bid + ask, 2 * PRICE_SCALE, both),
        "microprice": ratio(
            bid * no_count + ask * bid_count, PRICE_SCALE * (bid_count + no_count), both
        ),
        "status": pd.Categorical.from_codes(status, categories=pd.Index(STATUSES, dtype="str")),
        "reason": pd.Series(list(reasons), dtype="str").reindex(reason).array,
        "seq": _optional(seq).array,
        "clock": _optional(clock).array,
        "quote_arrival": arrival,
    }
    return pd.DataFrame(columns, index=times(time))


def levels(noted: array[int], names: Sequence[str]) -> pd.DataFrame:
    """Rows of time, ticker, is it an ask, level, price, count, cumulative count."""
    time, code, is_ask, level, price, count, running = _rows(noted, _LEVEL_WIDTH)
    return pd.DataFrame(
        {
            "time": times(time),
            "ticker": _tickers(code, names),
            "side": pd.Categorical.from_codes(is_ask, categories=_SIDES),
            "level": level,
            "price": price / PRICE_SCALE,
            "quantity": count / COUNT_SCALE,
            "cumulative": running / COUNT_SCALE,
        }
    )


def book_levels(names: Sequence[str], books: Iterable[Levels | None]) -> pd.DataFrame:
    """The levels of some books as `get_orderbook` has them; none of a book that is not known."""
    rows: list[tuple[int, int, int, int, int, int]] = []
    for code, book in enumerate(books):
        for is_ask, side in enumerate(book or ()):
            running = 0
            for level, (price, count) in enumerate(side):
                running += count
                rows.append((code, is_ask, level, price, count, running))
    found = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    return pd.DataFrame(
        {
            "ticker": _tickers(found[0], names),
            "side": pd.Categorical.from_codes(found[1], categories=_SIDES),
            "level": found[2],
            "price": found[3] / PRICE_SCALE,
            "quantity": found[4] / COUNT_SCALE,
            "cumulative": found[5] / COUNT_SCALE,
        }
    )


def taped(rows: Sequence[Taped]) -> pd.DataFrame:
    """Trades of a live stream with the quotes they met, oldest first."""
    rows = sorted(rows, key=lambda row: row.trade.time_ms)
    frame = trades([(row.trade, row.trade.time_ms * 1000, 0) for row in rows]).drop(columns="arrival")
    tops = [row.top for row in rows]

    def of(name: str) -> Ints:
        return np.array([0 if top is None else getattr(top, name) for top in tops], dtype=np.int64)

    bid, no = of("bid"), of("ask")
    frame["yes_bid"] = ratio(bid, PRICE_SCALE, bid > 0)
    frame["yes_bid_size"] = ratio(of("bid_size"), COUNT_SCALE, bid > 0)
    frame["yes_ask"] = ratio(PRICE_SCALE - no, PRICE_SCALE, no > 0)
    frame["yes_ask_size"] = ratio(of("ask_size"), COUNT_SCALE, no > 0)
    stamps = np.array([-1 if top is None else top.time_ms * 1000 for top in tops], dtype=np.int64)
    frame["quote_time"] = times(stamps)
    frame["received"] = times(np.array([row.received for row in rows], dtype=np.int64))
    frame["is_late"] = np.array([row.is_late for row in rows], dtype=bool)
    return frame


def own_changes(rows: Sequence[Delta]) -> pd.DataFrame:
    """Changes of books that orders of one's own made."""
    side = np.array([row.side for row in rows], dtype=np.int64)
    price = np.array([row.price for row in rows], dtype=np.int64)
    return pd.DataFrame(
        {
            "ticker": pd.array([row.ticker for row in rows], dtype="str"),
            "side": pd.Categorical.from_codes(side, categories=_SIDES),
            "price": np.where(side == 1, PRICE_SCALE - price, price) / PRICE_SCALE,
            "change": np.array([row.change for row in rows], dtype=np.int64) / COUNT_SCALE,
            "client_order_id": pd.array([row.client_order_id for row in rows], dtype="str"),
        },
        index=times(np.array([row.time_ms for row in rows], dtype=np.int64) * 1000),
    )


def changes(noted: array[int], names: Sequence[str]) -> pd.DataFrame:
    """Rows of time, ticker, is it an ask, price, change, count afterwards (-1: unknown), arrival."""
    time, code, is_ask, price, change, count, arrival = _rows(noted, _CHANGE_WIDTH)
    return pd.DataFrame(
        {
            "ticker": _tickers(code, names),
            "side": pd.Categorical.from_codes(is_ask, categories=_SIDES),
            "price": price / PRICE_SCALE,
            "change": change / COUNT_SCALE,
            "quantity": ratio(count, COUNT_SCALE, count >= 0),
            "arrival": arrival,
        },
        index=times(time),
    )


def trades(rows: Sequence[tuple[Trade, int, int]]) -> pd.DataFrame:
    """Trades with their time and their place in the recording, as a frame of `get_trades`."""
    found = [trade for trade, _, _ in rows]

    def whole(values: list[int]) -> Ints:
        return np.array(values, dtype=np.int64)

    frame = pd.DataFrame(
        {
            "trade_id": [trade.trade_id for trade in found],
            "ticker": [trade.ticker for trade in found],
            "yes_price": whole([trade.yes_price for trade in found]) / PRICE_SCALE,
            "no_price": whole([trade.no_price for trade in found]) / PRICE_SCALE,
            "quantity": whole([trade.count for trade in found]) / COUNT_SCALE,
            "taker_side": [trade.taker_side for trade in found],
            "is_block_trade": [trade.is_block_trade for trade in found],
        },
        index=times(whole([time for _, time, _ in rows])),
    )
    frame = frame.astype({column.name: column.dtype for column in TRADES.columns[1:]})
    frame["arrival"] = whole([arrival for _, _, arrival in rows])
    return frame
