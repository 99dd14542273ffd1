"""One socket to the exchange that is there again when it breaks, and its books.

All of it happens in the thread of the stream. What readers in other threads see, the books,
is changed under a lock that is held for a batch of messages.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from kalshi_research.errors import AuthError, DecodeError, TransportError, printable
from kalshi_research.money import COUNT_SCALE
from kalshi_research.schemas.quick import QUICK, SENT, Prices, exact_count, quick_delta
from kalshi_research.schemas.stream import Delta, StreamDecoder
from kalshi_research.streaming.delay import Delay
from kalshi_research.streaming.state import Session
from kalshi_research.streaming.subscriptions import Subscriptions
from kalshi_research.streaming.upkeep import Upkeep
from kalshi_research.streaming.wire import Handlers, RefusedError, Wire, open_wire

if TYPE_CHECKING:
    from kalshi_research.schemas.channels import Channel
    from kalshi_research.schemas.stream import Event, Reply, Snapshot, Trade
    from kalshi_research.streaming.books import Book
    from kalshi_research.streaming.options import StreamOptions

__all__ = ["Link", "Tap", "Top"]

Tap = Callable[[int, bytes, "Book | None"], None]
"""Is given every message: the number of the connection, the message, and the book it changed."""

_TOPS = 64
"""So many earlier quotes of a market are kept, to find the one that a trade met."""
_LONGEST_RETRY_AFTER = 30.0
_CONTROL = frozenset({"subscribed", "ok", "error", "unsubscribed"})


class Top:
    """The best prices after one change; `time_ms` is that of the exchange."""

    __slots__ = ("ask", "ask_size", "bid", "bid_size", "time_ms")

    def __init__(self, time_ms: int, book: Book) -> None:
        self.time_ms = time_ms
        self.bid, self.bid_size = book.yes.best, book.yes.size
        self.ask, self.ask_size = book.no.best, book.no.size


class Hub(Protocol):
    """The stream that a link belongs to."""

    options: StreamOptions
    taps: tuple[Tap, ...]
    watched: bool

    @property
    def simulated(self) -> bool:
        """Whether the exchange is a simulated one."""

    @property
    def lock(self) -> AbstractContextManager[object, None]:
        """Held while anything that others read changes."""

    def problem(self, text: str) -> None:
        """Something a person should know."""

    def elsewhere(self, link: Link, channel: Channel, tickers: list[str]) -> None:
        """Markets that a connection has no room for."""

    def books_changed(self, tickers: Mapping[str, None]) -> None:
        """Books that have other contents or another status."""

    def trade(self, trade: Trade, top: Top | None) -> None:
        """A trade, and the quote that it met."""

    def own_change(self, delta: Event) -> None:
        """An order of our own changed a book."""

    def row(self, reply: Reply) -> None:
        """A frame of another channel."""

    def holed(self, link: Link, channel: str) -> None:
        """Frames of a channel were lost."""

    def complete(self, link: Link, channel: str, *, first: bool) -> None:
        """A channel is subscribed to, for the first time or again."""

    def grown(self, link: Link, channel: str, tickers: Sequence[str]) -> None:
        """A channel has more markets than before."""

    def began(self, channels: Iterable[str], time_ms: int) -> None:
        """Channels are subscribed to since this time of the exchange."""

    def disconnected(self, link: Link, reason: str) -> None:
        """A connection has ended."""

    def failed(self, error: Exception) -> None:
        """There is no point in trying again."""

    def next_connection(self) -> int:
        """A number that no other connection of the stream has had."""


class Link:
    """A socket, again and again.

    Attributes
    ----------
    session : Session
        The books, kept from one connection to the next.
    subscriptions : Subscriptions
    number : int
        Of the connection; every new one gets the next.
    state : {"connecting", "open", "waiting", "closed"}
    reason : str
        Why it is not open.
    opened, heard : float
        When it was opened and when anything came last, by the clock of the loop [s].
    delay : Delay
        How long its messages are on their way.
    messages, connections, unreadable, unknown, gaps, lost : int
        Counted since the beginning.
    """

    def __init__(self, hub: Hub, url: str, headers: Callable[[], dict[str, str]]) -> None:
        self._hub = hub
        self._options = hub.options
        self._url = url
        self._headers = headers
        self._decoder = StreamDecoder()
        self._prices = Prices()
        self._wire: Wire | None = None
        self._stopping = asyncio.Event()
        self._suspended = False
        self._complete: set[str] = set()
        self._fresh: list[str] = []
        self._tops: dict[str, deque[Top]] | None = None
        self._attempts = 0
        self.session = Session()
        self.subscriptions = Subscriptions(hub.options, self)
        self.upkeep = Upkeep(hub.options, self.session, self.subscriptions)
        self.number = 0
        self.state = "connecting"
        self.reason = "not connected yet"
        self.opened = self.heard = 0.0
        self.delay = Delay(simulated=hub.simulated)
        self.messages = self.connections = self.unreadable = self.unknown = 0
        self.gaps = self.lost_frames = 0
        self.samples: deque[str] = deque(maxlen=5)

    # --- the life of a connection ---------------------------------------------------------------

    async def run(self) -> None:
        """Connect, listen, and begin again, until told to stop."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            pause = 0.0
            try:
                reason = await self._once()
            except RefusedError as refusal:
                if refusal.status in (401, 403):
                    self._hub.failed(_not_allowed(refusal))
                    reason = str(refusal)
                    self._stopping.set()
                else:
                    reason, pause = str(refusal), _retry_after(refusal.headers)
            except TransportError as error:
                reason = str(error)
            with self._hub.lock:
                self.session.disconnected(reason)
                self.subscriptions.disconnected()
                self._changed()
            self.state, self.reason = "waiting", reason
            self._hub.disconnected(self, reason)
            if loop.time() - began >= self._options.stable_after:
                self._attempts = 0
            await self._rest(pause)
        self.state = "closed"

    async def _rest(self, pause: float) -> None:
        """Wait before the next attempt: longer each time, and never in step with others."""
        longest = min(self._options.backoff * 2 ** min(self._attempts, 16), self._options.most_backoff)
        self._attempts += 1
        pause = max(pause, longest * random.uniform(0.5, 1.0))  # noqa: S311
        try:
            await asyncio.wait_for(self._stopping.wait(), pause)
        except TimeoutError:
            return

    async def _once(self) -> str:
        """One connection; why it ended."""
        self.state = "connecting"
        options = self._options
        handlers = Handlers(self._messages, self._alive, self._binary)
        wire = await open_wire(
            self._url,
            self._headers(),
            handlers,
            largest=options.largest_frame,
            patience=options.connect_timeout,
        )
        self._wire = wire
        loop = asyncio.get_running_loop()
        self.number = self._hub.next_connection()
        self.connections += 1
        self._suspended = False
        self.opened = self.heard = loop.time()
        self.delay.begin()
        self.state, self.reason = "open", ""
        self.subscriptions.connected(wire.send, loop.time())
        self.upkeep.connected(loop.time())
        stop: asyncio.Future[object] = asyncio.ensure_future(self._stopping.wait())
        ends: set[asyncio.Future[Any]] = {wire.closed, stop}
        try:
            while not wire.closed.done():
                if self._stopping.is_set():
                    wire.close("closed by us")
                    await asyncio.wait({wire.closed}, timeout=options.close_timeout)
                    wire.abort("closed by us")
                    return "closed by us"
                with self._hub.lock:
                    broken = self._step(loop.time())
                if broken:
                    wire.abort(broken)
                    return broken
                await asyncio.wait(ends, timeout=options.tick, return_when=asyncio.FIRST_COMPLETED)
            return wire.closed.result()
        finally:
            self._wire = None
            stop.cancel()
            wire.abort("left")

    def _step(self, now: float) -> str:
        """Look after the connection; why it should be given up, if it should."""
        options, silence = self._options, now - self.heard
        if silence >= options.dead_after:
            return f"silence for {silence:.0f} s"
        if silence >= options.stale_after and not self._suspended:
            self._suspended = True
            self.session.suspend(f"silence for {silence:.0f} s")
            if self._wire is not None:
                self._wire.ping()
        self.subscriptions.step(now)
        wrong = self.upkeep.step(now) or self.subscriptions.broken
        self._changed()
        return wrong

    def stop(self) -> None:
        """Close, and do not connect again."""
        self._stopping.set()

    def kick(self) -> None:
        """Something else is wanted: see to it before the next tick."""
        if self._wire is not None:
            with self._hub.lock:
                self.subscriptions.step(asyncio.get_running_loop().time())

    def keep_tops(self) -> None:
        """Remember earlier quotes, for trades."""
        if self._tops is None:
            self._tops = {}

    # --- what the wire calls --------------------------------------------------------------------

    def _alive(self) -> None:
        self.heard = asyncio.get_running_loop().time()
        if self._suspended and not self.upkeep.doubtful:
            self._suspended = False
            with self._hub.lock:
                self.session.resume()
                self._changed()

    def _binary(self) -> None:
        self._bad(b"", DecodeError("a binary message"))

    def _messages(self, texts: list[bytes]) -> None:  # noqa: C901  the inner loop
        """Take a batch of messages."""
        hub = self._hub
        changed: dict[str, None] = {}
        delta, prices, tops = self.session.delta, self._prices, self._tops
        taps, number, watched = hub.taps, self.number, hub.watched
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
                        if tops is not None and book is not None and book.touched:
                            self._note_top(tops, book, msg.time_ms)
                except (DecodeError, msgspec.DecodeError, ValueError, OverflowError):
                    book = self._slow(text)
                if watched and book is not None:
                    changed[book.ticker] = None
                if taps:
                    for tap in taps:
                        tap(number, text, book)
            self.messages += len(texts)
            self._note_time(texts[-1])
            if self.session.holes:
                self._holes()
            self._changed(changed)

    def _slow(self, text: bytes) -> Book | None:
        """Any message, read with care; the book that it is about, where it was applied."""
        try:
            event = self._decoder.event(text)
        except DecodeError as error:
            self._bad(text, error)
            return None
        if type(event) is not Delta:
            return self._other(event)
        book = self.session.apply(event)
        if event.client_order_id is not None:
            self._hub.own_change(event)
        if book is not None and book.touched and self._tops is not None:
            self._note_top(self._tops, book, event.time_ms)
        return book

    def _note_time(self, text: bytes) -> None:
        """When the newest message was sent."""
        at = text.find(SENT)
        digits = text[at + len(SENT) : at + len(SENT) + 14].strip(b" ,}")[:13] if at >= 0 else b""
        if digits.isdigit():
            sent_ms = int(digits)
            self.delay.note(sent_ms, time.monotonic())
            if self._fresh:
                self._hub.began(self._fresh, sent_ms)
                self._fresh = []

    def _note_top(self, tops: dict[str, deque[Top]], book: Book, time_ms: int) -> None:
        ring = tops.get(book.ticker)
        if ring is None:
            ring = tops[book.ticker] = deque(maxlen=_TOPS)
        ring.append(Top(time_ms, book))

    def _changed(self, changed: dict[str, None] | None = None) -> None:
        """Tell of books with other contents or another status."""
        transitions = self.session.transitions
        if transitions:
            changed = {} if changed is None else changed
            for ticker, status, _ in transitions:
                changed[ticker] = None
                if status != "live" and self._tops:
                    self._tops.pop(ticker, None)
            transitions.clear()
            self.upkeep.look()
        if changed and self._hub.watched:
            self._hub.books_changed(changed)

    def _holes(self) -> None:
        """Lost frames: those of books are repaired here, those of other channels elsewhere."""
        for hole in self.session.holes:
            self.gaps += 1
            self.lost_frames += hole.lost
            held = self.subscriptions.holder(hole.sid)
            if held is not None and held.channel.name != "books":
                self._hub.holed(self, held.channel.name)
        self.session.holes.clear()
        self.upkeep.look()

    def _bad(self, text: bytes, error: DecodeError) -> None:
        """A message that nobody can read may have been of any book."""
        self.unreadable += 1
        self.samples.append(f"{printable(error, 120)}: {printable(text[:80])}")
        self.session.doubt("a message came that cannot be read")
        self.upkeep.hurry()

    def _other(self, event: Event) -> Book | None:
        """Anything but a change of a book."""
        if event.kind == "snapshot":
            return self._snapshot(event)
        if event.kind == "trade":
            self.session.apply(event)
            self._hub.trade(event, self._top_before(event))
            return None
        assert event.kind == "reply"  # noqa: S101  a wire brings no other
        if event.name in _CONTROL:
            now = asyncio.get_running_loop().time()
            if self.subscriptions.answered(event, now):
                self.session.apply(event)
                self.subscriptions.step(now)
            return None
        self.session.apply(event)
        if self.subscriptions.is_known(event.name):
            self._hub.row(event)
        else:
            self.unknown += 1
            self.samples.append(f"unknown type {printable(event.name, 40)}")
        return None

    def _snapshot(self, event: Snapshot) -> Book | None:
        session = self.session
        before = session.books.get(event.ticker)
        is_live = before is not None and before.status == "live"
        is_same = is_live and before is not None and before.holds(event.yes, event.no)
        in_step = before is not None and before.sid == event.sid
        in_step = in_step and session.position(event.sid) == event.seq
        if not session.has_ended(event.sid):
            self.subscriptions.snapshot_came(event.sid, event.ticker)
        book = session.apply(event)
        if book is not None:
            self.upkeep.came(book)
            if is_live and in_step and not is_same:
                self.upkeep.mismatches += 1
            if self._tops is not None:
                self._note_top(self._tops, book, event.sent_ms)
        return None if is_same else book

    def _top_before(self, trade: Trade) -> Top | None:
        """The quote that stood before a trade; its own changes of the book may have come first."""
        for top in reversed((self._tops or {}).get(trade.ticker, ())):
            if 0 <= top.time_ms < trade.time_ms:
                return top
        return None

    # --- what the subscriptions tell ------------------------------------------------------------

    def problem(self, text: str) -> None:
        """Something a person should know."""
        self._hub.problem(text)

    def elsewhere(self, channel: Channel, tickers: list[str]) -> None:
        """Markets that have no room on this connection."""
        self._hub.elsewhere(self, channel, tickers)

    def complete(self, channel: Channel) -> None:
        """All that is wanted of a channel is subscribed to."""
        first = channel.name not in self._complete
        if first:
            self._complete.add(channel.name)
            self._fresh.append(channel.name)
        self._hub.complete(self, channel.name, first=first)

    def grown(self, channel: Channel, tickers: list[str]) -> None:
        """More markets of a channel are subscribed to."""
        self._hub.grown(self, channel.name, tickers)

    def lost(self, sid: int, reason: str) -> None:
        """A subscription that the exchange no longer knows."""
        self.session.ended(sid, reason)


def _retry_after(headers: Mapping[str, str]) -> float:
    said = headers.get("retry-after", "")
    return min(float(said), _LONGEST_RETRY_AFTER) if said.isdecimal() and said.isascii() else 0.0


def _not_allowed(refusal: RefusedError) -> AuthError:
    """A handshake that was refused for its key; a wrong clock is the usual reason."""
    hint = "The stream has stopped. Check the key id, the key file and the environment."
    try:
        there = parsedate_to_datetime(refusal.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        there = time.time()
    behind = there - time.time()
    if abs(behind) > 5:
        where = "behind" if behind > 0 else "ahead"
        hint = f"Your clock is {abs(behind):,.0f} s {where} of the exchange's: set it, then start again."
    return AuthError(
        refusal.status,
        method="GET",
        path="/trade-api/ws/v2",
        message="the handshake was refused",
        hint=hint,
    )
