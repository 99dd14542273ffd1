"""Order books out of a stream of frames: integers only, no input or output, no pandas.

A `Session` is what one connection (or one recording) says. It is fed frame by frame and
keeps a `Book` for each market. A book is proven current or says that it is not:

===========  =====================================================================
status       meaning
===========  =====================================================================
``live``     a snapshot came, and every frame since; the numbers may be used
``syncing``  no snapshot yet, or frames were lost: a new snapshot is needed
``stale``    nothing was lost, but nobody knows whether the other end is still there
``invalid``  the frames contradict each other: a new snapshot is needed
===========  =====================================================================

Only a ``live`` book gives numbers. The exchange numbers the frames of one subscription
(``sid``) in one row, over all its markets and including its replies; so a missing number
puts every book of that subscription out of step, and so does one that has been passed. Of
these only number 1 begins a new count, the others are not used. A snapshot repairs the one
book it is of. A frame that is repeated word for word changes nothing.

The exchange's clock tells what a snapshot has in it. A change at the very clock of a snapshot may
be in it, or be the rest of an action that was half done when it was taken; and where a book and
a snapshot of the same clock differ, one of them is wrong. Nothing tells which, so both put the
book out of step.

Prices are in 1/10 000 dollar, counts in 1/100 contract. Both ladders are bids, the NO
one in prices of the NO leg; `Book.best` and `Book.levels` turn it into YES asks.

Whoever feeds a session reads `Session.transitions` (what changed its status, and why)
and empties it, and asks `Session.awaiting` which markets need a snapshot. A market that
snapshots do not repair needs a new subscription.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kalshi_research.money import PRICE_SCALE
from kalshi_research.streaming.books import Best, Book, Ladder, Levels, Status, Transition
from kalshi_research.streaming.counting import WINDOW, Counters, Hole, Subscription

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Event

__all__ = [
    "NO",
    "YES",
    "Best",
    "Book",
    "Counters",
    "Hole",
    "Ladder",
    "Levels",
    "Session",
    "Status",
    "Transition",
]

YES, NO = 0, 1

_UNKNOWN = -1
_SKEW = 1000
"""Milliseconds by which the clocks of the exchange's own machines may differ."""
_TERMINAL = frozenset({10, 25})
"""Error codes after which the exchange sends nothing more for a subscription."""


class Session:
    """The books of one connection or recording.

    Parameters
    ----------
    contiguous : bool, default True
        The frames are all frames of their subscriptions, so a missing number is a lost
        frame. False for a recording from which the frames of other markets were taken
        out: there a lost frame cannot be told from one that was left out.
    use_yes_price : bool, default False
        The NO ladder comes in prices of the YES leg, as it was subscribed to.

    Attributes
    ----------
    books : mapping
        Every market a book frame came for.
    transitions : list of Transition
        Changes of status since the caller last emptied it.
    holes : list of Hole
    counters : Counters

    Examples
    --------
    >>> session = Session()
    >>> session.snapshot(1, 1, "T", yes=[(4200, 1300)], no=[(5600, 1700)])
    <Book T: live>
    >>> session.delta(1, 2, "T", YES, 4300, 500).best()
    Best(bid=4300, bid_size=500, ask=4400, ask_size=1700)
    >>> session.delta(1, 4, "T", YES, 4300, 500)
    >>> session.book("T").status, session.book("T").best(), session.transitions[-1].reason
    ('syncing', None, '1 frame lost before number 4 of subscription 1')
    >>> session.awaiting()
    {1: ['T']}
    """

    def __init__(self, *, contiguous: bool = True, use_yes_price: bool = False) -> None:
        self._contiguous = contiguous
        self._yes_leg = use_yes_price
        self._subscriptions: dict[int, Subscription] = {}
        self._ended: set[int] = set()
        self._books: dict[str, Book] = {}
        self.books: Mapping[str, Book] = MappingProxyType(self._books)
        self.transitions: list[Transition] = []
        self.holes: list[Hole] = []
        self.counters = Counters()

    def book(self, ticker: str) -> Book:
        """The book of a market; one that is ``syncing`` where nothing has come for it."""
        return self._books.get(ticker) or Book(ticker)

    def awaiting(self) -> dict[int, list[str]]:
        """By subscription, the markets that only a new snapshot can repair."""
        found = {
            sid: [book.ticker for book in each.books.values() if book.status in ("syncing", "invalid")]
            for sid, each in self._subscriptions.items()
        }
        return {sid: tickers for sid, tickers in found.items() if tickers}

    def apply(self, event: Event) -> Book | None:
        """Take a decoded frame of any kind; the book whose content it changed, if any."""
        if event.kind == "delta":
            return self.delta(
                event.sid, event.seq, event.ticker, event.side, event.price, event.change,
                event.clock, event.time_ms,
            )  # fmt: skip
        if event.kind == "snapshot":
            return self.snapshot(
                event.sid, event.seq, event.ticker, event.yes, event.no, event.clock, event.sent_ms
            )
        if event.sid is None:
            return None
        if event.kind == "end":
            self.ended(event.sid, event.reason)
        elif event.kind == "trade":
            self.reply(event.sid, event.seq, event.kind)
        elif event.name == "subscribed":
            self.subscribed(event.sid)
        else:
            self.reply(event.sid, event.seq, event.name, event.tickers, event.code)
        return None

    def delta(  # noqa: C901, PLR0917  the inner loop: frames come by the million
        self,
        sid: int,
        seq: int,
        ticker: str,
        side: int,
        price: int,
        change: int,
        clock: int = _UNKNOWN,
        time_ms: int = _UNKNOWN,
    ) -> Book | None:
        """Take a signed change of one level; the book, where it was applied.

        Parameters
        ----------
        sid, seq : int
            Subscription and number of the frame.
        ticker : str
        side : {YES, NO}
            The ladder.
        price, change : int
            In 1/10 000 dollar and 1/100 contract.
        clock, time_ms : int
            The exchange's clock, and its time [ms]; -1 where the frame has none.
        """
        subscription = self._subscriptions.get(sid) or self._subscription(sid)
        if subscription is None:
            return None
        frame = (seq, ticker, side, price, change, clock, time_ms)
        if seq == subscription.next:
            subscription.next = seq + 1
        elif not self._in_step(subscription, frame):
            return None
        subscription.recent[seq % WINDOW] = frame
        book = subscription.books.get(ticker)
        if book is None:
            self._early(subscription, ticker, clock)
            return None
        status = book.status
        if status != "live" and status != "stale":  # noqa: PLR1714  a set takes longer
            self._withhold(book, clock)
            return None
        # What is usual is done here: a call for each step would take longer than the step.
        if clock > book.floor and clock >= book.clock:
            book.clock = clock
        elif clock >= 0 and not self._is_after(book, clock, time_ms):
            return None
        if side:
            ladder, other = book.no, book.yes
            if self._yes_leg:
                price = PRICE_SCALE - price
        else:
            ladder, other = book.yes, book.no
        best = ladder.best
        counts = ladder.counts
        count = counts.get(price, 0) + change
        if count > 0 and count != change:
            counts[price] = count
        elif not ladder.change(price, change):
            self._drop(
                book, "invalid", f"{count - change} at the price {price} cannot change by {change}"
            )
            return None
        elif ladder.best > best and ladder.best + other.best > PRICE_SCALE:
            self._drop(book, "invalid", f"crossed by a bid at {price} of leg {('yes', 'no')[side]}")
            return None
        book.seq = seq
        book.touched = price >= best
        return book

    def snapshot(  # noqa: PLR0917
        self,
        sid: int,
        seq: int,
        ticker: str,
        yes: Sequence[tuple[int, int]],
        no: Sequence[tuple[int, int]],
        clock: int = _UNKNOWN,
        sent_ms: int = _UNKNOWN,
    ) -> Book | None:
        """Take a whole book, of (price, count) for each leg; the book, unless it is impossible."""
        subscription = self._subscriptions.get(sid) or self._subscription(sid)
        if subscription is None:
            return None
        if self._yes_leg:
            no = [(PRICE_SCALE - price, count) for price, count in no]
        frame = (seq, ticker, yes, no, clock)
        book = self._books.get(ticker) or Book(ticker)
        if seq == subscription.next:
            subscription.next = seq + 1
        elif not self._in_step(subscription, frame, clock >= 0 or book.holds(yes, no)):
            return None
        subscription.recent[seq % WINDOW] = frame
        early = subscription.early.pop(ticker, _UNKNOWN)
        # What another subscription said later may not be in the first snapshot of this one.
        before = early if book.sid != sid and subscription.is_announced else max(book.clock, early)
        if 0 <= clock < before:
            if book.sid in (sid, _UNKNOWN):
                # Behind the changes it was sent after, or the clock has restarted: the next will tell.
                self._drop(book, "syncing", f"the exchange's clock went back to {clock}")
                book.clock = clock
            return None
        if (
            book.status == "live"
            and book.sid == sid
            and 0 <= clock == before
            and not book.holds(yes, no)
        ):
            # One of the two is wrong, or the snapshot has half of an action: another one will tell.
            self._drop(book, "syncing", f"a snapshot shows another book at clock {clock}")
            return None
        heard = before if book.sid == sid else early
        self._hand_over(book, subscription)
        book.seq, book.clock, book.touched = seq, clock, True
        book.floor, book.sent = clock, sent_ms
        book.heard = heard if heard <= clock else _UNKNOWN
        wrong = book.yes.fill(yes) or book.no.fill(no)
        if not wrong and book.yes.best + book.no.best > PRICE_SCALE:
            wrong = "a snapshot is crossed"
        if wrong:
            self._drop(book, "invalid", wrong)
            return None
        self._become(book, "live", "")
        return book

    def subscribed(self, sid: int) -> None:
        """A subscription begins; its frames are counted from 1."""
        self.ended(sid, "subscribed anew")
        self._ended.discard(sid)
        self._subscriptions[sid] = Subscription(sid, 1 if self._contiguous else None, is_announced=True)

    def reply(
        self,
        sid: int,
        seq: int | None,
        kind: str,
        tickers: Sequence[str] | None = None,
        code: int | None = None,
    ) -> None:
        """Take any other frame of a subscription: replies and trades are counted like deltas.

        Parameters
        ----------
        sid, seq : int
            Subscription and number; None where the frame has no number.
        kind : str
            ``ok``, ``error``, ``unsubscribed``, ``trade`` …
        tickers : sequence of str, optional
            With ``ok``: all markets that the subscription now has.
        code : int, optional
            With ``error``: 10 and 25 end the subscription.
        """
        if seq is not None:
            subscription = self._subscriptions.get(sid) or self._subscription(sid)
            if subscription is None:
                return
            frame = (seq, kind)
            if seq == subscription.next:
                subscription.next = seq + 1
            elif not self._in_step(subscription, frame):
                return
            subscription.recent[seq % WINDOW] = frame
        if kind == "unsubscribed" or (kind == "error" and code in _TERMINAL):
            self.ended(sid, "unsubscribed" if code is None else f"ended by error {code}")
        elif kind == "ok" and tickers and sid in self._subscriptions:
            kept = set(tickers)
            books = self._subscriptions[sid].books
            for book in [book for ticker, book in books.items() if ticker not in kept]:
                self._drop(book, "syncing", "taken out of the subscription")
                del books[book.ticker]
                book.sid = _UNKNOWN

    def ended(self, sid: int, reason: str) -> None:
        """A subscription has ended: its books are out of step until another one has them."""
        subscription = self._subscriptions.pop(sid, None)
        self._ended.add(sid)
        for book in subscription.books.values() if subscription else ():
            self._drop(book, "syncing", reason)
            book.sid = _UNKNOWN

    def disconnected(self, reason: str) -> None:
        """The connection has ended, and all its subscriptions with it."""
        for sid in list(self._subscriptions):
            self.ended(sid, reason)
        self._ended.clear()

    def doubt(self, reason: str) -> None:
        """A frame came that nobody can read: it may have been of any book."""
        for book in self._books.values():
            if book.status in ("live", "stale"):
                self._drop(book, "syncing", reason)

    def position(self, sid: int) -> int:
        """The number of the next frame of a subscription; -1 where it is not known."""
        found = self._subscriptions.get(sid)
        return _UNKNOWN if found is None or found.next is None else found.next

    def has_ended(self, sid: int) -> bool:
        """Whether a subscription has ended, so that what still comes for it is late."""
        return sid in self._ended

    def forget(self, ticker: str) -> None:
        """Nobody wants a market any more."""
        book = self._books.pop(ticker, None)
        if book is not None and book.sid in self._subscriptions:
            self._subscriptions[book.sid].books.pop(ticker, None)

    def suspend(self, reason: str) -> None:
        """It is doubtful whether the other end is there: live books become stale."""
        for book in self._books.values():
            if book.status == "live":
                self._become(book, "stale", reason)

    def resume(self) -> None:
        """The other end is there, and nothing was lost meanwhile: stale books are live again."""
        for book in self._books.values():
            if book.status == "stale":
                self._become(book, "live", "")

    def _subscription(self, sid: int) -> Subscription | None:
        """A subscription whose beginning was not seen; None for one that has ended."""
        if sid in self._ended:
            self.counters.late += 1
            return None
        found = self._subscriptions[sid] = Subscription(sid, None, is_announced=False)
        return found

    def _in_step(
        self, subscription: Subscription, frame: tuple[Any, ...], holds: bool | None = None
    ) -> bool:
        """Whether a frame with another number than the next one counts; puts the books out of step."""
        seq, due = frame[0], subscription.next
        place = subscription.place(frame, contiguous=self._contiguous, holds=holds)
        if due is None or place == "next":
            return True
        if place == "repeated":
            self.counters.repeated += 1
            return False
        self.holes.append(Hole(subscription.sid, due - 1, seq))
        where = f"number {seq} of subscription {subscription.sid}"
        if seq > due:
            lost = seq - due
            reason = f"{lost:,} frame{'s' if lost > 1 else ''} lost before {where}"
        else:
            reason = f"{where} came after number {due - 1}"
        for book in subscription.books.values():
            if book.status in ("live", "stale"):
                self._drop(book, "syncing", reason)
        self.counters.late += place == "late"
        return place == "ahead"

    def _hand_over(self, book: Book, subscription: Subscription) -> None:
        """From now on this subscription feeds the book, and no other one."""
        if book.sid != subscription.sid:
            owner = self._subscriptions.get(book.sid)
            if owner is not None:
                owner.books.pop(book.ticker, None)
            book.sid = subscription.sid
        subscription.books[book.ticker] = self._books[book.ticker] = book

    def _early(self, subscription: Subscription, ticker: str, clock: int) -> None:
        """A delta of a market of which this subscription has sent no snapshot."""
        self.counters.early += 1
        subscription.early[ticker] = max(clock, subscription.early.get(ticker, _UNKNOWN))
        if ticker not in self._books:
            book = subscription.books[ticker] = self._books[ticker] = Book(ticker)
            book.sid = subscription.sid
            self.transitions.append(Transition(ticker, book.status, book.reason))

    def _withhold(self, book: Book, clock: int) -> None:
        """A delta of a book that is out of step: a snapshot from before it will be too old."""
        if book.seq < 0:
            self.counters.early += 1
        else:
            self.counters.withheld += 1
        book.clock = max(book.clock, clock)

    def _is_after(self, book: Book, clock: int, time_ms: int) -> bool:
        """Whether a delta came after what the book has in it, by the exchange's clock."""
        if clock > book.floor:
            if clock >= book.clock:
                book.clock = clock
                return True
        elif clock == book.floor:
            # It may be in the snapshot, or the rest of an action that was half done when that was
            # taken: several changes share a clock, and no frame tells how many.
            self._drop(book, "syncing", f"a snapshot may have half of what happened at clock {clock}")
            return False
        elif clock >= book.heard and not 0 <= book.sent < time_ms - _SKEW:
            book.heard = clock
            self.counters.contained += 1
            return False
        self._drop(book, "syncing", f"the exchange's clock went back to {clock}")
        book.clock = clock
        return False

    def _drop(self, book: Book, status: Status, reason: str) -> None:
        book.yes.clear()
        book.no.clear()
        self._become(book, status, reason)

    def _become(self, book: Book, status: Status, reason: str) -> None:
        if (book.status, book.reason) != (status, reason):
            book.status, book.reason = status, reason
            self.transitions.append(Transition(book.ticker, status, reason))
