"""What a stream keeps besides books: the newest rows of each kind, each row once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kalshi_research.schemas.channels import CHANNELS

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Delta, Trade
    from kalshi_research.streaming.link import Top

__all__ = ["Feeds", "Taped"]


class Taped(NamedTuple):
    """A trade, the quote it met, when it was received [µs], and whether it was asked for later."""

    trade: Trade
    top: Top | None
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
    newest : dict
        By kind, the time of the newest row that said one [ms].
    backfilled : int
        Rows that came through a question after an outage.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.trades: dict[str, Taped] = {}
        self.rows: dict[str, dict[Any, Mapping[str, Any]]] = {name: {} for name in CHANNELS}
        self.own: deque[Delta] = deque(maxlen=limit)
        self.repeated = self.backfilled = 0
        self.dropped = dict.fromkeys(CHANNELS, 0)
        self.newest: dict[str, int] = {}
        self._running = 0

    def add_trade(self, trade: Trade, top: Top | None, *, is_late: bool = False) -> bool:
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
        self._mark("trades", trade.time_ms)
        return True

    def add_row(
        self, kind: str, key: tuple[Any, ...] | None, body: Mapping[str, Any], time_ms: int = -1
    ) -> bool:
        """Keep a row; False if it had come before. The newest state replaces an older one."""
        rows = self.rows[kind]
        if key is None:
            self._running += 1
            key = (self._running,)
        known = rows.get(key)
        if known is not None:
            if kind == "fills":
                self.repeated += 1
                return False
            rows[key] = body
        else:
            if len(rows) >= self._limit:
                del rows[next(iter(rows))]
                self.dropped[kind] += 1
            rows[key] = body
        self._mark(kind, time_ms)
        return True

    def add_late(self, kind: str, rows: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> int:
        """Rows of an answer after an outage; how many were new. What the stream said is kept."""
        count = 0
        for key, body in rows:
            if kind == "fills" and key in self.rows[kind]:
                continue
            count += self.add_row(kind, key, body)
        self.backfilled += count
        return count

    def _mark(self, kind: str, time_ms: int) -> None:
        if time_ms > self.newest.get(kind, -1):
            self.newest[kind] = time_ms
