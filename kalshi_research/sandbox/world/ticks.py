"""Trades as the public sees them, newest first, in lists that grow at no cost."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

__all__ = ["NewestFirst", "Tick"]


class Tick(NamedTuple):
    """One trade as the public sees it."""

    time: int
    trade_id: str
    ticker: str
    price: int
    quantity: int
    taker_yes: bool
    block: bool


class NewestFirst(Sequence[Tick]):
    """Trades by time and id, the largest first.

    Examples
    --------
    >>> rows = NewestFirst([Tick(1, "a", "M", 4700, 100, True, False)])
    >>> rows.add([Tick(2, "b", "M", 4800, 100, True, False)])
    >>> [row.time for row in rows], [row.time for row in rows[:1]]
    ([2, 1], [2])
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[Tick] = ()) -> None:
        self._rows = sorted(rows)

    def add(self, rows: Iterable[Tick]) -> None:
        """Put trades in, which as a rule are newer than all there are."""
        kept = self._rows
        for row in rows:
            if kept and row < kept[-1]:
                insort(kept, row)
            else:
                kept.append(row)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Tick: ...
    @overload
    def __getitem__(self, place: slice) -> list[Tick]: ...
    def __getitem__(self, place: int | slice) -> Tick | list[Tick]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self._rows))
            last = len(self._rows) - 1
            return [self._rows[last - at] for at in range(start, stop, step)]
        return self._rows[-1 - place]
