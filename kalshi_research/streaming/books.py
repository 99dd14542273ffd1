"""A market's book in integers, which gives numbers only while it is proven current."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from kalshi_research.errors import printable
from kalshi_research.money import PRICE_SCALE

__all__ = ["Best", "Book", "Ladder", "Levels", "Status", "Transition"]

Status: TypeAlias = Literal["live", "syncing", "stale", "invalid"]

_UNKNOWN = -1


class Best(NamedTuple):
    """The top of a book, seen from the YES leg; None and 0 where a side is empty."""

    bid: int | None
    bid_size: int
    ask: int | None
    ask_size: int


class Levels(NamedTuple):
    """All levels as (YES price, count), best first."""

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Transition(NamedTuple):
    """A book that changed its status."""

    ticker: str
    status: Status
    reason: str


class Ladder:
    """The bids of one leg.

    Attributes
    ----------
    counts : dict
        Price to count, in no order.
    best : int
        The highest price; 0 while nothing rests.
    """

    __slots__ = ("_occupied", "best", "counts")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.best = 0
        self._occupied = 0  # bit p - 1 is set where something rests at price p

    @property
    def size(self) -> int:
        """The count at the best price."""
        return self.counts.get(self.best, 0)

    def change(self, price: int, change: int) -> bool:
        """Add `change` to a level; False, and nothing done, where that is impossible."""
        counts = self.counts
        count = counts.get(price)
        if count is None:
            if change <= 0 or not 0 < price < PRICE_SCALE:
                return change == 0
            counts[price] = change
            self._occupied |= 1 << (price - 1)
            if price > self.best:  # noqa: PLR1730  a call takes longer
                self.best = price
            return True
        count += change
        if count > 0:
            counts[price] = count
            return True
        if count < 0:
            return False
        del counts[price]
        self._occupied ^= 1 << (price - 1)
        if price == self.best:
            self.best = self._occupied.bit_length()
        return True

    def fill(self, levels: Iterable[tuple[int, int]]) -> str:
        """Replace all levels; what is wrong with them, or nothing. Counts of 0 are no levels."""
        self.clear()
        for price, count in levels:
            if price in self.counts:
                return f"a snapshot has the price {price} twice"
            if count < 0 or not self.change(price, count):
                return f"a snapshot has {count} at the price {price}"
        return ""

    def clear(self) -> None:
        """Remove all levels."""
        self.counts.clear()
        self.best = self._occupied = 0


class Book:
    """One market's book.

    Attributes
    ----------
    ticker : str
    status : {"live", "syncing", "stale", "invalid"}
    reason : str
        Why it is not live.
    sid, seq, clock : int
        The subscription and number of the frame that changed it last, and the exchange's
        clock up to which it holds everything; -1 where unknown.
    touched : bool
        Whether the last change reached the best level of its side.
    floor, heard, sent : int
        Of the last snapshot: its clock, before which it has every delta in it, the clock of
        the last delta before or beside it, and when it was sent [ms].
    yes, no : Ladder
        The bids of each leg. They are not what the market is unless the book is live.
    """

    __slots__ = (
        "clock",
        "floor",
        "heard",
        "no",
        "reason",
        "sent",
        "seq",
        "sid",
        "status",
        "ticker",
        "touched",
        "yes",
    )

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.status: Status = "syncing"
        self.reason = "no snapshot yet"
        self.sid = self.seq = self.clock = _UNKNOWN
        self.touched = False
        self.yes, self.no = Ladder(), Ladder()
        self.floor = _UNKNOWN
        self.heard = _UNKNOWN
        self.sent = _UNKNOWN

    def __repr__(self) -> str:
        return f"<Book {printable(self.ticker, 60)}: {self.status}>"

    def best(self) -> Best | None:
        """Best bid and ask with their counts; None unless the book is live."""
        if self.status != "live":
            return None
        yes, no = self.yes, self.no
        bid, ask = yes.best, no.best
        return Best(
            bid or None,
            yes.counts.get(bid, 0),
            PRICE_SCALE - ask if ask else None,
            no.counts.get(ask, 0),
        )

    def holds(self, yes: Iterable[tuple[int, int]], no: Iterable[tuple[int, int]]) -> bool:
        """Whether these are the levels of both ladders."""
        return self.yes.counts == dict(yes) and self.no.counts == dict(no)

    def levels(self) -> Levels | None:
        """All levels, best first; None unless the book is live."""
        if self.status != "live":
            return None
        asks = [(PRICE_SCALE - price, count) for price, count in self.no.counts.items()]
        return Levels(sorted(self.yes.counts.items(), reverse=True), sorted(asks))

    def top(self) -> Levels | None:
        """The best level of each side, if any; None unless the book is live."""
        best = self.best()
        if best is None:
            return None
        return Levels(
            [] if best.bid is None else [(best.bid, best.bid_size)],
            [] if best.ask is None else [(best.ask, best.ask_size)],
        )
