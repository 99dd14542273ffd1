"""One side of a book: price levels, each a queue in time order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.orders import Order

__all__ = ["BookSide", "Level"]


class Level:
    """The orders at one price, oldest first, linked to each other.

    Attributes
    ----------
    price : int
        On the YES leg [1/10 000 dollar].
    total : int
        Sum of what remains of them [1/100 contract].
    first, last : Order or None
        Each order knows its neighbours, so one leaves from anywhere in constant time.
    """

    __slots__ = ("first", "last", "price", "total")

    def __init__(self, price: int) -> None:
        self.price = price
        self.total = 0
        self.first: Order | None = None
        self.last: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        order = self.first
        while order is not None:
            yield order
            order = order.behind


class BookSide:
    """The bids or the asks of one market.

    Attributes
    ----------
    sign : int
        1 for bids, −1 for asks. A level's key is ``sign × price``, so that the best is the largest.
    keys : list of int
        Ascending; the best is the last.
    levels : dict of int to Level
    """

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    def add(self, order: Order) -> None:
        """Put an order at the end of the queue at its price."""
        key = self.sign * order.price
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(order.price)
            insort(self.keys, key)
        last = level.last
        level.last = order
        if last is None:
            level.first = order
        else:
            last.behind = order
            order.ahead = last
        level.total += order.remaining

    def remove(self, order: Order) -> None:
        """Take an order off its queue."""
        key = self.sign * order.price
        level = self.levels[key]
        ahead, behind = order.ahead, order.behind
        if ahead is None:
            level.first = behind
        else:
            ahead.behind = behind
            order.ahead = None
        if behind is None:
            level.last = ahead
        else:
            behind.ahead = ahead
            order.behind = None
        level.total -= order.remaining
        if level.first is None:
            del self.levels[key]
            keys = self.keys
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]

    def volume_within(self, limit: int, wanted: int) -> int:
        """Contracts at keys of at least `limit`, counted until `wanted` is reached."""
        found = 0
        for key in reversed(self.keys):
            if key < limit or found >= wanted:
                break
            found += self.levels[key].total
        return found

    def ahead_of(self, order: Order) -> int:
        """Contracts that must be matched before this order is."""
        key = self.sign * order.price
        ahead = 0
        for better in reversed(self.keys):
            if better == key:
                break
            ahead += self.levels[better].total
        for other in self.levels[key]:
            if other is order:
                break
            ahead += other.remaining
        return ahead

    def best(self) -> Level | None:
        """The level with priority, or None when the side is empty."""
        return self.levels[self.keys[-1]] if self.keys else None

    def orders(self) -> Iterator[Order]:
        """All orders in priority."""
        for key in reversed(self.keys):
            yield from self.levels[key]

    def ladder(self) -> list[tuple[int, int]]:
        """``(price of the leg, count)`` with the best last: NO bids for asks."""
        if self.sign > 0:
            return [(key, self.levels[key].total) for key in self.keys]
        return [(10_000 + key, self.levels[key].total) for key in self.keys]
