"""What a stream keeps besides books: the newest rows of each kind, each row once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kalshi_research.schemas.channels import CHANNELS
from kalshi_research.schemas.stream_rows import market_of

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Delta, Trade
    from kalshi_research.streaming.prevailing import TopOfBook

__all__ = ["ONLY_HEARD", "STATES", "Feeds", "Taped"]

STATES = frozenset({"orders", "positions"})
"""Kinds of which a row is the state of something, not an event: there is one from the beginning."""
ONLY_HEARD = frozenset({"books", "lifecycle"})
"""Kinds of which nobody can be asked for events that were missed; of books, the changes of one's own."""


class Taped(NamedTuple):
    """A trade, the quote it met, when it was received [µs], and whether it was asked for later."""

    trade: Trade
    top: TopOfBook | None
    received: int
    is_late: bool


class Feeds:
    """Rows by kind, under the lock of the stream.

    Attributes
    ----------
    repeated : int
        Rows that had come before.
    dropped : dict
        By kind, how many old rows were dropped to keep the buffers bounded.
    backfilled : int
        Rows that came through a question after an outage.
    missed : set of str
        Kinds of which rows are missing for good.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.trades: dict[str, Taped] = {}
        self.rows: dict[str, dict[Any, Mapping[str, Any]]] = {name: {} for name in CHANNELS}
        self.own: deque[Delta] = deque(maxlen=limit)
        self.repeated = self.backfilled = 0
        self.dropped = dict.fromkeys(CHANNELS, 0)
        self.missed: set[str] = set()
        self._heard: dict[str, dict[tuple[Any, ...], float]] = {name: {} for name in STATES}
        self._running = 0

    def add_trade(self, trade: Trade, top: TopOfBook | None, *, is_late: bool = False) -> bool:
        """Keep a trade; False if it had come before."""
        trades = self.trades
        if trade.trade_id in trades:
            self.repeated += 1
            return False
        if len(trades) >= self._limit:
            del trades[next(iter(trades))]
            self.dropped["trades"] += 1
        trades[trade.trade_id] = Taped(trade, top, time.time_ns() // 1000, is_late)
        self.backfilled += is_late
        return True

    def add_own(self, change: Delta) -> None:
        """Keep a change of a book that an order of our own made."""
        self.dropped["books"] += len(self.own) >= self._limit
        self.own.append(change)

    def add_row(self, kind: str, key: tuple[Any, ...] | None, body: Mapping[str, Any]) -> bool:
        """Keep a row; False if it had come before. The newest state replaces an older one."""
        rows = self.rows[kind]
        if key is None:
            self._running += 1
            key = (self._running,)
        if kind == "fills" and key in rows:
            self.repeated += 1
            return False
        self._keep(kind, key, body)
        if kind in STATES:
            self._heard[kind][key] = time.monotonic()
        return True

    def add_late(
        self, kind: str, rows: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], since: float
    ) -> list[Mapping[str, Any]]:
        """Rows of an answer over REST; those that say something new.

        What the stream said after `since`, the beginning of its connection [s], is newer than
        any answer: whatever changed later would have been said too.
        """
        taken = []
        for key, body in rows:
            if self._is_news(kind, key, body, since):
                self._keep(kind, key, body)
                taken.append(body)
        return taken

    def forget(self, tickers: Iterable[str]) -> None:
        """Nobody follows the states of some markets any more."""
        gone = set(tickers)
        for kind in STATES:
            for key in [key for key, body in self.rows[kind].items() if market_of(body) in gone]:
                del self.rows[kind][key]
                self._heard[kind].pop(key, None)

    def _is_news(self, kind: str, key: tuple[Any, ...], body: Mapping[str, Any], since: float) -> bool:
        known = self.rows[kind].get(key)
        if known is None:
            return True
        if kind not in STATES or self._heard[kind].get(key, -1.0) >= since:
            return False
        if kind == "orders" and body.get("status") == "resting" != known.get("status"):
            return False  # answers lag behind: an order that has ended does not rest again
        return any(known.get(name, value) != value for name, value in body.items())

    def _keep(self, kind: str, key: tuple[Any, ...], body: Mapping[str, Any]) -> None:
        rows = self.rows[kind]
        if key not in rows and len(rows) >= self._limit:
            oldest = next(iter(rows))
            del rows[oldest]
            self._heard.get(kind, {}).pop(oldest, None)
            self.dropped[kind] += 1
        rows[key] = body
