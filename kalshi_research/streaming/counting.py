"""The numbers of frames: the exchange counts those of a subscription in one row, from 1.

So a number that is missing, passed or repeated tells what happened on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from kalshi_research.streaming.books import Book

__all__ = ["WINDOW", "Counters", "Hole", "Place", "Subscription"]

WINDOW = 1024
"""So many frames of a subscription are remembered, to tell a repeated one from a new count."""

Place: TypeAlias = Literal["next", "repeated", "late", "ahead"]
"""Of a frame: it continues the count, came before, was passed, or leaves a hole behind it."""


class Hole(NamedTuple):
    """Frames of a subscription that did not come: between number `after` and number `before`.

    Where the count began anew, `before` is not above `after`, and what is missing is unknown.
    """

    sid: int
    after: int
    before: int

    @property
    def lost(self) -> int:
        """How many frames are missing; 0 where that is unknown."""
        return max(self.before - self.after - 1, 0)


@dataclass(slots=True)
class Counters:
    """What was not applied, and why.

    Attributes
    ----------
    repeated : int
        Frames that came again word for word.
    early : int
        Deltas of a market of which the subscription has sent no snapshot.
    withheld : int
        Deltas of a book that was out of step or invalid.
    contained : int
        Deltas that a snapshot already had in it, by its clock.
    late : int
        Frames whose number had been passed, or of a subscription that had ended.
    """

    repeated: int = 0
    early: int = 0
    withheld: int = 0
    contained: int = 0
    late: int = 0


class Subscription:
    """The count of one sid, and the books that it feeds."""

    __slots__ = ("books", "early", "is_announced", "next", "recent", "sid")

    def __init__(self, sid: int, first: int | None, *, is_announced: bool) -> None:
        self.sid = sid
        self.next = first
        self.is_announced = is_announced
        self.books: dict[str, Book] = {}
        self.early: dict[str, int] = {}  # market to clock: changes that came before its snapshot
        self.recent: list[Any] = [None] * WINDOW

    def place(self, frame: tuple[Any, ...], *, contiguous: bool, holds: bool | None) -> Place:
        """Where a frame stands whose number is not the next one; what counts moves the count on.

        `holds` is given for a snapshot: whether its clock or its book tells that one like an
        earlier one of that number *is* that one. If not, it may be the first of a new count:
        then no book of the subscription can be trusted, nor the frame.
        """
        seq, due = frame[0], self.next
        if due is None or (seq > due and not contiguous):
            self.next = seq + 1
            return "next"
        known = seq < due and self.recent[seq % WINDOW] == frame
        if known and holds is not False:
            return "repeated"
        if seq < due:
            # In a sparse recording the frame with number 1 may have been left out.
            restarts = seq == 1 or (holds is not None and not contiguous)
            if known or not restarts:
                return "late"
            self.recent = [None] * WINDOW
        self.next = seq + 1
        return "ahead"
