"""The quotes that stood a moment ago, to find the one that a trade met."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Trade
    from kalshi_research.streaming.books import Book

__all__ = ["PrevailingQuotes", "TopOfBook"]

_KEPT = 64
"""So many earlier quotes of a market are kept."""


class TopOfBook:
    """The best prices after one change; `time_ms` is that of the exchange."""

    __slots__ = ("ask", "ask_size", "bid", "bid_size", "time_ms")

    def __init__(self, time_ms: int, book: Book) -> None:
        self.time_ms = time_ms
        self.bid, self.bid_size = book.yes.best, book.yes.size
        self.ask, self.ask_size = book.no.best, book.no.size


class PrevailingQuotes:
    """The newest quotes of each market, while its book is live."""

    def __init__(self) -> None:
        self._rings: dict[str, deque[TopOfBook]] = {}

    def note(self, book: Book, time_ms: int) -> None:
        """The best level of a book has changed."""
        ring = self._rings.get(book.ticker)
        if ring is None:
            ring = self._rings[book.ticker] = deque(maxlen=_KEPT)
        ring.append(TopOfBook(time_ms, book))

    def before(self, trade: Trade) -> TopOfBook | None:
        """The quote that stood before a trade; its own changes of the book may have come first."""
        for top in reversed(self._rings.get(trade.ticker, ())):
            if 0 <= top.time_ms < trade.time_ms:
                return top
        return None

    def forget(self, ticker: str) -> None:
        """The book of a market is not live any more."""
        self._rings.pop(ticker, None)
