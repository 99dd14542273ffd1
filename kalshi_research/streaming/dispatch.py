"""What the messages of one connection change: books, rows, and what is known of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from kalshi_research.errors import DecodeError, printable
from kalshi_research.money import COUNT_SCALE
from kalshi_research.schemas.quick import QUICK, SENT, Prices, exact_count, quick_delta
from kalshi_research.schemas.stream import Delta, StreamDecoder
from kalshi_research.schemas.stream_rows import numbered_time
from kalshi_research.streaming.delay import Delay
from kalshi_research.streaming.prevailing import PrevailingQuotes

if TYPE_CHECKING:
    from kalshi_research.schemas.stream import Event, Snapshot
    from kalshi_research.streaming.books import Book
    from kalshi_research.streaming.hub import Hub
    from kalshi_research.streaming.link import Link

__all__ = ["Dispatcher"]

_CONTROL = frozenset({"subscribed", "ok", "error", "unsubscribed"})


class Dispatcher:
    """Takes messages, in order and many at a time, under the lock of the stream.

    Attributes
    ----------
    messages, unreadable, unknown, gaps, lost_frames : int
        Counted since the beginning.
    samples : deque of str
        Some of those that could not be read.
    delay : Delay
        How long they are on their way.
    newest : dict
        By channel, the time of the newest row that said one, or else that of the exchange when
        it was first subscribed to [ms]: what is lost from now on is not older.
    """

    def __init__(self, hub: Hub, link: Link) -> None:
        self._hub = hub
        self._link = link
        self._session, self._subscriptions, self._upkeep = link.session, link.subscriptions, link.upkeep
        self._decoder = StreamDecoder()
        self._prices = Prices()
        self._quotes: PrevailingQuotes | None = None
        self.messages = self.unreadable = self.unknown = self.gaps = self.lost_frames = 0
        self.samples: deque[str] = deque(maxlen=5)
        self.delay = Delay(simulated=hub.simulated)
        self._sent_ms: int | None = None
        self._fresh: set[str] = set()
        self._without_rows: set[str] = set()
        self.newest: dict[str, int] = {}

    def connected(self) -> None:
        """A new connection: what the last one said of the time is old."""
        self.delay.begin()
        self._sent_ms = None

    def begun(self, channel: str) -> None:
        """A channel is heard from now on: it is the time of the last message, or else of the next."""
        if channel not in self.newest:
            if self._sent_ms is None:
                self._fresh.add(channel)
            else:
                self._begun_at(channel, self._sent_ms)

    def _begun_at(self, channel: str, sent_ms: int) -> None:
        """What a row says is better: it may have been told late."""
        if channel not in self.newest:
            self.newest[channel] = sent_ms
            self._without_rows.add(channel)

    def interrupted(self, channel: str) -> None:
        """A channel is heard no longer: the time of the next message says nothing about it."""
        self._fresh.discard(channel)

    def keep_quotes(self) -> None:
        """Remember earlier quotes, for trades."""
        if self._quotes is None:
            self._quotes = PrevailingQuotes()

    def binary(self) -> None:
        """Take a binary message; the exchange sends none."""
        with self._hub.lock:
            self._bad(b"", DecodeError("a binary message"))
            self.changed()

    def take(self, texts: list[bytes]) -> None:  # noqa: C901  the inner loop
        """Take a batch of messages."""
        hub = self._hub
        changed: dict[str, None] = {}
        delta, prices, quotes = self._session.delta, self._prices, self._quotes
        taps, number, watched = hub.taps, self._link.number, hub.watched
        with hub.lock:
            for text in texts:
                try:
                    if not text.startswith(QUICK):
                        book = self._slow(text)
                    else:
                        event = quick_delta(text)
                        msg = event.msg
                        count = msg.change * COUNT_SCALE
                        change = int(count)
                        if change != count:
                            change = exact_count(count)
                        book = delta(
                            event.sid, event.seq, msg.ticker, 1 if msg.side == "no" else 0,
                            prices[msg.price], change, msg.clock, msg.time_ms,
                        )  # fmt: skip
                        if msg.client_order_id is not None:
                            hub.own_change(self._decoder.event(text))
                        if quotes is not None and book is not None and book.touched:
                            quotes.note(book, msg.time_ms)
                except (DecodeError, msgspec.DecodeError, ValueError, OverflowError):
                    book = self._slow(text)
                if watched and book is not None:
                    changed[book.ticker] = None
                if taps:
                    for tap in taps:
                        tap(number, text, book)
            self.messages += len(texts)
            self._note_time(texts[-1])
            if self._session.holes:
                self._holes()
            self.changed(changed)

    def _slow(self, text: bytes) -> Book | None:
        """Any message, read with care; the book that it is about, where it was applied."""
        try:
            event = self._decoder.event(text)
        except DecodeError as error:
            self._bad(text, error)
            return None
        if type(event) is not Delta:
            return self._other(event)
        book = self._session.apply(event)
        if event.client_order_id is not None:
            self._hub.own_change(event)
        if book is not None and book.touched and self._quotes is not None:
            self._quotes.note(book, event.time_ms)
        return book

    def _note_time(self, text: bytes) -> None:
        """When the newest message was sent."""
        at = text.find(SENT)
        digits = text[at + len(SENT) : at + len(SENT) + 14].strip(b" ,}")[:13] if at >= 0 else b""
        if digits.isdigit():
            sent_ms = int(digits)
            self.delay.note(sent_ms, time.monotonic())
            self._sent_ms = sent_ms
            for name in self._fresh:
                self._begun_at(name, sent_ms)
            self._fresh.clear()

    def changed(self, changed: dict[str, None] | None = None) -> None:
        """Tell of books with other contents or another status."""
        transitions = self._session.transitions
        if transitions:
            changed = {} if changed is None else changed
            for ticker, status, _ in transitions:
                changed[ticker] = None
                if status != "live" and self._quotes is not None:
                    self._quotes.forget(ticker)
            transitions.clear()
            self._upkeep.look()
        if changed and self._hub.watched:
            self._hub.books_changed(changed)

    def _holes(self) -> None:
        """Lost frames: those of books are repaired here, those of other channels elsewhere."""
        for hole in self._session.holes:
            self.gaps += 1
            self.lost_frames += hole.lost
            sub = self._subscriptions.holder(hole.sid)
            if sub is not None:
                self._hub.holed(self._link, sub.channel.name)
        self._session.holes.clear()
        self._upkeep.look()

    def _bad(self, text: bytes, error: DecodeError) -> None:
        """A message that nobody can read may have been of any book."""
        self.unreadable += 1
        self.samples.append(f"{printable(error, 120)}: {printable(text[:80])}")
        self._session.doubt("a message came that cannot be read")
        self._upkeep.hurry()

    def _other(self, event: Event) -> Book | None:
        """Anything but a change of a book."""
        if event.kind == "snapshot":
            return self._snapshot(event)
        if event.kind == "trade":
            self._session.apply(event)
            self._mark("trades", event.time_ms)
            self._hub.trade(event, None if self._quotes is None else self._quotes.before(event))
            return None
        assert event.kind == "reply"  # noqa: S101  a wire brings no other
        if event.name in _CONTROL:
            now = asyncio.get_running_loop().time()
            if self._subscriptions.answered(event, now):
                self._session.apply(event)
                self._subscriptions.step(now)
            return None
        self._session.apply(event)
        if self._subscriptions.is_known(event.name):
            sub = self._subscriptions.holder(event.sid)
            if sub is not None and event.body is not None:
                self._mark(sub.channel.name, numbered_time(event.body))
            self._hub.row(event)
        else:
            self.unknown += 1
            self.samples.append(f"unknown type {printable(event.name, 40)}")
        return None

    def _mark(self, channel: str, time_ms: int) -> None:
        """A row has come; what was lost before it is asked for from the one before."""
        if self._session.holes:
            self._holes()
        if channel in self._without_rows and time_ms >= 0:
            self._without_rows.discard(channel)
            self.newest[channel] = time_ms
        elif time_ms > self.newest.get(channel, -1):
            self.newest[channel] = time_ms

    def _snapshot(self, event: Snapshot) -> Book | None:
        session = self._session
        before = session.books.get(event.ticker)
        is_live = before is not None and before.status == "live"
        is_same = is_live and before is not None and before.holds(event.yes, event.no)
        in_step = before is not None and before.sid == event.sid and event.clock >= before.clock
        in_step = in_step and session.position(event.sid) == event.seq
        if not session.has_ended(event.sid):
            self._subscriptions.snapshot_came(event.sid, event.ticker)
        book = session.apply(event)
        if is_live and in_step and not is_same:
            self._upkeep.mismatches += 1
        if book is not None:
            self._upkeep.came(book)
            if self._quotes is not None:
                self._quotes.note(book, event.sent_ms)
        return None if is_same else book
