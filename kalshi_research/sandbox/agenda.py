"""What is to be done when its time comes."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["Agenda"]


class Agenda:
    """Acts by their moments; those of one moment in the order in which they were set.

    Examples
    --------
    >>> agenda, done = Agenda(), []
    >>> for moment in (20, 10, 10):
    ...     agenda.at(moment, lambda: done.append(len(done)))
    >>> agenda.next(5) is None, agenda.next(15)[0], agenda.next(15)[0], agenda.next(15) is None
    (True, 10, 10, True)
    """

    def __init__(self) -> None:
        self._acts: list[tuple[int, int, Callable[[], None]]] = []
        self._set = 0

    def at(self, moment: int, act: Callable[[], None]) -> None:
        """Set something."""
        self._set += 1
        heappush(self._acts, (moment, self._set, act))

    def next(self, until: int) -> tuple[int, Callable[[], None]] | None:
        """Take the next one off that is due by then; None where there is none."""
        if not self._acts or self._acts[0][0] > until:
            return None
        moment, _, act = heappop(self._acts)
        return moment, act
