"""What keeps the books of one connection right: repairs, and proofs that nothing was lost.

A book that is out of step is repaired by a snapshot inside its subscription; if a few do not
help, by a new subscription; if that does not help either, by a new connection. A frame lost
*last*, before silence, leaves no gap: so every subscription that is numbered must answer now and
then with a numbered frame, and a few books in turn are compared with a fresh snapshot. Where no
books are followed the exchange is asked what is subscribed to: pings may go on long after that
which sends frames is gone.
"""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_research.streaming.books import Book
    from kalshi_research.streaming.channel_subscription import ChannelSubscription
    from kalshi_research.streaming.options import StreamOptions
    from kalshi_research.streaming.state import Session
    from kalshi_research.streaming.subscriptions import Subscriptions

__all__ = ["Upkeep"]

_MOST_PROVED = 2_000
"""A list of more markets than this is too long to be sent just as a proof."""
_RENEWALS = 2
_AT_ONCE = 3
"""So often a book that does not stay right is asked for again at once; then after pauses that grow."""


class Upkeep:
    """Repairs and audits of one connection.

    Attributes
    ----------
    repairs, renewals, audits, mismatches : int
        Books asked for anew, subscriptions made anew, books compared, and books that a
        comparison found wrong.
    """

    def __init__(self, options: StreamOptions, session: Session, subscriptions: Subscriptions) -> None:
        self._options = options
        self._session = session
        self._subscriptions = subscriptions
        self._asked: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._relapses: dict[str, tuple[float, int]] = {}
        self._turn: deque[str] = deque()
        self._next_audit = 0.0
        self._next_check = 0.0
        self._renewed = 0
        self._silent = 0
        self._seen = (-1, -1)
        self._moved = 0.0
        self.repairs = self.renewals = self.audits = self.mismatches = 0

    def connected(self, now: float) -> None:
        """A new connection: nothing is asked for yet."""
        self._asked.clear()
        self._tries.clear()
        self._relapses.clear()
        self._renewed = self._silent = 0
        self._seen = (-1, -1)
        self._moved = now
        self._next_check = now
        self._plan_audit(now)

    def hurry(self) -> None:
        """Look after the books, and prove them, with the next step."""
        self._next_check = self._next_audit = 0.0

    def look(self) -> None:
        """Look after the books with the next step."""
        self._next_check = 0.0

    def came(self, book: Book) -> None:
        """A snapshot was taken in."""
        self._tries.pop(book.ticker, None)
        self._asked.pop(book.ticker, None)
        self._silent = 0

    def step(self, now: float, messages: int) -> str:
        """Do what is due, after so many messages; why to give the connection up, if one should."""
        sub = self._subscriptions.channel("books")
        sign = (0, messages)
        if sub is not None and sub.sid is not None:
            if now >= self._next_check:
                self._next_check = now + self._options.repair_timeout / 2
                wrong = self._repair(sub, sub.sid, now)
                if wrong:
                    return wrong
            sign = (sub.sid, self._session.position(sub.sid))
        wrong = self._listen(sign, now)
        if wrong:
            return wrong
        if now >= self._next_audit:
            self._audit(now)
        return ""

    def _repair(self, sub: ChannelSubscription, sid: int, now: float) -> str:  # noqa: C901
        books, patience = self._session.books, self._options.repair_timeout
        due, hopeless = [], False
        waiting = False
        for ticker in sub.asked:
            book = books.get(ticker)
            if book is not None and book.sid == sid and book.status in ("live", "stale"):
                continue
            waiting = True
            came_before = book is not None and book.seq >= 0 and book.sid == sid
            last = self._asked.get(ticker)
            if last is None and not came_before:
                self._asked[ticker] = now  # its snapshot is on the way
                continue
            if last is None and (wait := self._pause(ticker, now)) > 0:
                self._next_check = min(self._next_check, now + wait)
                continue
            tries = self._tries.get(ticker, 0)
            often = tries < self._options.repairs
            hopeless |= came_before and not often
            if last is None or now - last >= (patience if often else self._options.dead_after):
                due.append(ticker)
        if not waiting:
            self._renewed = 0
        if hopeless:
            if self._renewed >= _RENEWALS:
                return "snapshots and new subscriptions do not repair its books"
            if self._subscriptions.renew(sub, now):
                self._renewed += 1
                self.renewals += 1
                self._tries.clear()
                self._asked.clear()
            return ""
        size = self._options.markets_a_command
        for at in range(0, len(due), size):
            some = due[at : at + size]
            if not self._subscriptions.snapshots(sub, some, now):
                self._next_check = now  # as soon as commands are allowed again
                break
            for ticker in some:
                self._note_relapse(ticker, now)
                self._asked[ticker] = now
                self._tries[ticker] = self._tries.get(ticker, 0) + 1
                self.repairs += 1
        return ""

    def _pause(self, ticker: str, now: float) -> float:
        """How long a book must wait that was right, and was so only for a moment each time."""
        asked, times = self._relapses.get(ticker, (now, 0))
        if times < _AT_ONCE:
            return 0.0
        options = self._options
        pause: float = min(options.backoff * 2 ** min(times - _AT_ONCE, 16), options.repair_timeout)
        return asked + pause - now

    def _note_relapse(self, ticker: str, now: float) -> None:
        asked, times = self._relapses.get(ticker, (now, -1))
        lately = now - asked < 2 * self._options.repair_timeout
        self._relapses[ticker] = (now, times + 1 if lately else 0)

    def _listen(self, sign: tuple[int, int], now: float) -> str:
        """What gives a new sign of life is alive; what neither does nor answers is not."""
        if sign != self._seen:
            self._seen, self._moved = sign, now
            self._silent = 0
            self._subscriptions.unanswered = False
        if self._subscriptions.unanswered:
            self._subscriptions.unanswered = False
            if now - self._moved >= self._options.command_timeout:
                self._silent += 1
                self._next_audit = 0.0
                if self._silent >= 2:
                    return "the exchange answers pings but no questions"
                self._session.suspend("a question got no answer")
        return ""

    @property
    def doubtful(self) -> bool:
        """Whether a question is unanswered, so that a ping is no proof."""
        return self._silent > 0

    def _audit(self, now: float) -> None:
        self._plan_audit(now)
        asked = self._subscriptions.waits  # a command that waits for its answer is a question too
        due = False
        for sub in self._subscriptions.channels():
            due |= sub.sid is not None
            if sub.sid is None or not sub.channel.numbered:
                continue
            if sub.channel.name == "books":
                some = self._next_markets(sub)
                if some and self._subscriptions.snapshots(sub, some, now):
                    self.audits += len(some)
                    asked = True
            elif 0 < len(sub.asked) <= _MOST_PROVED:
                self._subscriptions.prove(sub, now)
        if due and not asked and not self._subscriptions.probe(now):
            self._next_audit = now + self._options.repair_timeout / 2  # too many commands just now

    def _plan_audit(self, now: float) -> None:
        self._next_audit = now + self._options.audit_every * random.uniform(0.9, 1.0)  # noqa: S311

    def _next_markets(self, sub: ChannelSubscription) -> list[str]:
        """The markets whose turn it is: each one comes before any comes again."""
        known = set(self._turn)
        self._turn.extend(ticker for ticker in sub.asked if ticker not in known)
        some: list[str] = []
        for _ in range(len(self._turn)):
            ticker = self._turn.popleft()
            if ticker not in sub.asked:
                continue
            self._turn.append(ticker)
            some.append(ticker)
            if len(some) >= self._options.audit_markets:
                break
        return some
