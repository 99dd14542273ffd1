"""What a consumer has not seen yet: bounded, whatever the consumer does.

Of a book only the newest state matters, so many changes of it become one update. Rows are
kept one by one, and when too many wait the oldest are dropped and counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = ["Audience", "Mailbox", "Update"]


class Update(NamedTuple):
    """Something new.

    Attributes
    ----------
    kind : str
        ``books``, ``trades``, ``tickers``, ``fills``, ``orders``, ``positions``, ``lifecycle``.
    ticker : str
        Market; empty where it is about none.
    value : object
        The top of the book, the trade, or the row as the exchange sent it.
    """

    kind: str
    ticker: str
    value: Any


class Mailbox:
    """Updates on their way to one consumer.

    Parameters
    ----------
    limit : int
        Rows that may wait.
    kinds : frozenset of str
        Those wanted.

    Attributes
    ----------
    dropped : int
        Rows that were dropped because too many waited.

    Examples
    --------
    >>> box = Mailbox(2, frozenset({"books", "trades"}))
    >>> for _ in range(3):
    ...     box.put_books(["T"])
    ...     box.put(Update("trades", "T", 1))
    >>> [box.get(0).kind for _ in range(3)], box.get(0), box.dropped
    (['trades', 'books', 'trades'], None, 1)
    """

    def __init__(self, limit: int, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self.dropped = 0
        self._limit = limit
        self._books: dict[str, None] = {}
        self._rows: deque[Update] = deque()
        self._condition = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self._was_row = False
        self.closed = False

    def put_books(self, tickers: Any) -> None:
        """Books that have changed."""
        with self._condition:
            idle = not self._books and not self._rows
            for ticker in tickers:
                self._books[ticker] = None
            if idle:
                self._notify()

    def put(self, update: Update) -> None:
        """A row."""
        with self._condition:
            idle = not self._books and not self._rows
            if len(self._rows) >= self._limit:
                self._rows.popleft()
                self.dropped += 1
            self._rows.append(update)
            if idle:
                self._notify()

    def close(self) -> None:
        """Nothing more will come."""
        with self._condition:
            self.closed = True
            self._notify()

    def get(self, timeout: float | None) -> Update | None:
        """The next update; None where none comes in time, or the mailbox is closed.

        Rows and books take turns, so that neither keeps the other waiting.
        """
        with self._condition:
            if not self._condition.wait_for(self._is_ready, timeout):
                return None
            if self._rows and not (self._was_row and self._books):
                self._was_row = True
                return self._rows.popleft()
            self._was_row = False
            if self._books:
                ticker = next(iter(self._books))
                del self._books[ticker]
                return Update("books", ticker, None)
            return None

    async def get_soon(self) -> Update | None:
        """As `get`, in a running loop."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.set)

        while True:
            with self._condition:
                self._wake = wake
                ready = self._is_ready()
            if ready:
                return self.get(0)
            await arrived.wait()
            arrived.clear()

    def _is_ready(self) -> bool:
        return bool(self._rows or self._books or self.closed)

    def _notify(self) -> None:
        self._condition.notify_all()
        if self._wake is not None:
            self._wake()


class Audience:
    """All consumers of one stream or poll.

    Parameters
    ----------
    limit : int
        Rows that may wait for each.

    Examples
    --------
    >>> audience = Audience(10)
    >>> box = audience.join(["trades"], [])
    >>> audience.put(Update("trades", "T", 1))
    >>> box.get(0).ticker, len(audience)
    ('T', 1)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._boxes: tuple[Mailbox, ...] = ()
        self._dropped = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._boxes)

    @property
    def dropped(self) -> int:
        """Rows that consumers were too slow for, those who have left too."""
        with self._lock:
            return self._dropped + sum(box.dropped for box in self._boxes)

    def join(self, kinds: Iterable[str], books: Iterable[str]) -> Mailbox:
        """A new consumer, who gets these books first."""
        box = Mailbox(self._limit, frozenset(kinds))
        if "books" in box.kinds:
            box.put_books(books)
        with self._lock:
            self._boxes = (*self._boxes, box)
            if self._closed:
                box.close()
        return box

    def leave(self, box: Mailbox) -> None:
        """A consumer that has enough."""
        with self._lock:
            if box in self._boxes:
                self._dropped += box.dropped
            self._boxes = tuple(each for each in self._boxes if each is not box)
        box.close()

    def put(self, update: Update) -> None:
        """A row, for those who want its kind."""
        for box in self._boxes:
            if update.kind in box.kinds:
                box.put(update)

    def put_books(self, tickers: Iterable[str]) -> None:
        """Books that have changed."""
        for box in self._boxes:
            if "books" in box.kinds:
                box.put_books(tickers)

    def close(self) -> None:
        """Nothing more will come, for nobody."""
        with self._lock:
            self._closed = True
            boxes = self._boxes
        for box in boxes:
            box.close()
