"""The thread behind a stream: its loop, its links, and all that they bring.

Everything runs in one thread of its own, so a notebook's loop is not needed and a busy or
interrupted cell does not stop it. Other threads read under `Engine.lock`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from kalshi_research.errors import ArchiveError, ConfigError, TransportError, quoted
from kalshi_research.schemas.channels import CHANNELS
from kalshi_research.schemas.stream_rows import key_of, market_of
from kalshi_research.streaming.backfill import Backfill
from kalshi_research.streaming.books import Book
from kalshi_research.streaming.feeds import ONLY_HEARD, STATES, Feeds
from kalshi_research.streaming.link import Link
from kalshi_research.streaming.updates import Audience, Mailbox, Update
from kalshi_research.streaming.view import Sight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kalshi_research.client import Client
    from kalshi_research.schemas.channels import Channel
    from kalshi_research.schemas.stream import Event, Reply, Trade
    from kalshi_research.streaming.hub import Tap
    from kalshi_research.streaming.options import StreamOptions
    from kalshi_research.streaming.prevailing import TopOfBook
    from kalshi_research.streaming.recorder import Recorder

__all__ = ["Engine"]

_PROBLEMS = 50


class Engine:
    """Links, feeds and consumers of one stream.

    Attributes
    ----------
    lock : threading.RLock
        Held while anything that others read changes.
    links : list of Link
    feeds : Feeds
    problems : deque of str
        What a person should know, the newest last.
    error : Exception or None
        Why the stream has stopped for good.
    """

    def __init__(
        self,
        client: Client,
        tickers: Sequence[str] | None,
        channels: Sequence[str],
        connections: int,
        options: StreamOptions,
    ) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.client = client
        self.channels = tuple(channels)
        self.everything = tickers is None
        self.markets: dict[str, None] = dict.fromkeys(tickers or ())
        self.links: list[Link] = []
        self.feeds = Feeds(int(options.rows))
        self.problems: deque[str] = deque(maxlen=_PROBLEMS)
        self.error: Exception | None = None
        self.taps: tuple[Tap, ...] = ()
        self.disconnections = 0
        self.audience = Audience(int(options.waiting))
        self._connections = 0
        self._width = connections
        self._home: dict[str, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self.stopped = threading.Event()
        self.callback_errors = 0
        self.recorders: list[Recorder] = []
        self.recording_error: ArchiveError | None = None
        self._closed = False
        self._at_the_end: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self.backfill = Backfill(client, self.feeds, self)
        self._on_break: tuple[Callable[[int, str], None], ...] = ()
        self._thread = threading.Thread(target=self._run, name="kalshi-stream", daemon=True)

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, and the links in it."""
        for _ in range(self._width):
            self._new_link()
        self._spread(self.markets)
        first = self.links[0]
        for name in self.channels:
            if self.everything or CHANNELS[name].markets == "none":
                first.subscriptions.want(name, None)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        for link in self.links:
            self._launch(link)
        self._loop.call_soon(self._ready.set)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _launch(self, link: Link) -> None:
        task = self._loop.create_task(link.run())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error if isinstance(error, Exception) else ConfigError("the stream was ended"))

    def close(self, timeout: float = 10.0) -> None:
        """Say goodbye to the exchange and end the thread; a second time does nothing."""
        with self.lock:
            if self._closed:
                return
            # What was heard to the end stays whole; a state may change as soon as nobody listens.
            self._at_the_end = {
                kind for kind in self.channels if kind not in STATES and self.knows(kind)
            }
            self._closed = True
        for recorder in tuple(self.recorders):  # each takes itself off when it has ended
            try:
                recorder.close()
            except ArchiveError as error:
                self.recording_error = error
                self.problem(str(error))
        self.stopped.set()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join(timeout)
        self.backfill.close()
        self.audience.close()

    def _stop(self) -> None:
        for link in self.links:
            link.stop()
        gathered = asyncio.gather(*self._tasks, return_exceptions=True)
        gathered.add_done_callback(lambda _: self._loop.call_soon(self._loop.stop))

    @property
    def simulated(self) -> bool:
        """Whether the exchange is a simulated one."""
        return self.client.simulated

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has stopped for good."""
        return self._closed or self.error is not None

    def _new_link(self) -> Link:
        link = Link(self, self.client.websocket, self._headers)
        if "trades" in self.channels and "books" in self.channels:
            link.dispatcher.keep_quotes()
        self.links.append(link)
        return link

    def _headers(self) -> dict[str, str]:
        signer = self.client._signer  # noqa: SLF001  the stream is the client's other door
        if signer is None:  # checked before; a client does not lose its key
            raise TransportError("this client has no key")
        path = "/" + self.client.websocket.split("/", 3)[3]
        return signer.headers("GET", path, int(self.client.clock().timestamp() * 1000))

    # --- markets ------------------------------------------------------------------------------

    def _spread(self, tickers: Iterable[str]) -> None:
        """Give new markets to the links that have the fewest."""
        fresh = [ticker for ticker in tickers if ticker not in self._home]
        load = dict.fromkeys(self.links, 0)
        for link in self._home.values():
            load[link] = load.get(link, 0) + 1
        shares: dict[Link, list[str]] = {}
        for ticker in fresh:
            link = min(load, key=lambda each: load[each])
            load[link] += 1
            self._home[ticker] = link
            shares.setdefault(link, []).append(ticker)
        for link, share in shares.items():
            for name in self.channels:
                if not self.everything and CHANNELS[name].markets != "none":
                    link.subscriptions.want(name, share)

    def add(self, tickers: Sequence[str]) -> None:
        """Markets to have too."""
        with self.lock:
            self.markets.update(dict.fromkeys(tickers))
            if not self.everything:
                self._spread(tickers)
        self._kick()

    def drop(self, tickers: Sequence[str]) -> None:
        """Markets to have no longer."""
        with self.lock:
            for ticker in tickers:
                self.markets.pop(ticker, None)
                home = self._home.pop(ticker, None)
                for link in self.links if home is not None else ():
                    for name in self.channels:
                        link.subscriptions.leave(name, [ticker])
                    link.session.forget(ticker)
            self.feeds.forget(tickers)
        self._kick()

    def _kick(self) -> None:
        if not self.closed:
            self._loop.call_soon_threadsafe(self._kick_all)

    def _kick_all(self) -> None:
        for link in self.links:
            link.kick()

    def book(self, ticker: str) -> tuple[Book, Link | None]:
        """The book of a market, and the link that keeps it."""
        link = self._home.get(ticker)
        return (Book(ticker), None) if link is None else (link.session.book(ticker), link)

    def sights(self, tickers: Sequence[str], *, whole: bool) -> list[Sight]:
        """Some books, or the tops of them, at one moment."""
        found = []
        with self.lock:
            for ticker in tickers:
                book, link = self.book(ticker)
                if link is not None and book.status == "live" and link.asleep:
                    # The machine has woken, and this thread before that of the stream.
                    reason = "the machine slept, or was too busy to look after the stream"
                    found.append(Sight("stale", reason, self.age(link), None, book.seq, book.clock))
                    continue
                levels = book.levels() if whole else book.top()
                found.append(
                    Sight(book.status, book.reason, self.age(link), levels, book.seq, book.clock)
                )
        return found

    def refusal(self, ticker: str) -> str:
        """Why the exchange does not send the book of a market; empty where it does."""
        for link in self.links:
            sub = link.subscriptions.channel("books")
            if sub is not None and (reason := sub.refused.get(ticker) or sub.refused.get("")):
                return reason
        return ""

    def callback_failed(self, error: Exception) -> None:
        """A function of the user raised."""
        self.callback_errors += 1
        self.problem(f"a callback raised {quoted(error, 160)}")

    def age(self, link: Link | None) -> float:
        """Seconds since a link proved that it is alive."""
        if link is None or not link.heard:
            return float("inf")
        return max(0.0, self._loop.time() - link.heard, link.idle)

    # --- what links tell ----------------------------------------------------------------------

    def problem(self, text: str) -> None:
        """Something a person should know; each text once in a row."""
        if not self.problems or self.problems[-1] != text:
            self.problems.append(text)

    def elsewhere(self, link: Link, channel: Channel, tickers: list[str]) -> None:
        """Markets that a connection has no room for go to another one, new if need be."""
        for other in self.links:
            sub = other.subscriptions.channel(channel.name)
            if other is not link and (sub is None or not sub.full):
                target = other
                break
        else:
            if len(self.links) >= self.options.most_connections:
                self.problem(
                    f"{channel.name}: no room for {len(tickers):,} markets on "
                    f"{len(self.links)} connections; they are left out"
                )
                return
            target = self._new_link()
            self._launch(target)
            self.problem(f"{channel.name}: too many markets for one connection; opened another one")
        target.subscriptions.want(channel.name, tickers)
        if channel.name == "books":
            self._home.update(dict.fromkeys(tickers, target))

    def books_changed(self, tickers: Mapping[str, None]) -> None:
        """Pass on to consumers."""
        self.audience.put_books(tickers)

    def trade(self, trade: Trade, top: TopOfBook | None) -> None:
        """Keep a trade and pass it on."""
        if self.feeds.add_trade(trade, top):
            self.publish(Update("trades", trade.ticker, trade))

    def own_change(self, delta: Event) -> None:
        """Keep a change that an order of our own made."""
        if delta.kind == "delta":
            self.feeds.add_own(delta)

    def row(self, reply: Reply) -> None:
        """Keep a row and pass it on."""
        if reply.body is None:
            return
        body = reply.body
        kind, key = key_of(reply.name, body)
        if kind == "lifecycle":
            body = {"type": reply.name, "received_ms": time.time_ns() // 1_000_000, **body}
        if self.feeds.add_row(kind, key, body):
            self.publish(Update(kind, market_of(body), body))

    def look_after(self, link: Link, now: float) -> None:
        """Ask once more what had no answer."""
        if not self.closed:
            self.backfill.again(link, now)

    def holed(self, link: Link, channel: str) -> None:
        """Ask for what a channel has lost."""
        self._ask(link, channel)

    def interrupted(self, link: Link, channel: str) -> None:
        """A channel that was heard is heard no longer: what comes meanwhile is missed."""
        with self.lock:
            if self.closed:
                return
            if channel in ONLY_HEARD:
                self.feeds.missed.add(channel)
            self.backfill.interrupted(link, channel, link.dispatcher.newest.get(channel))

    def complete(self, link: Link, channel: str, *, first: bool) -> None:
        """A channel is subscribed to: what it missed, or what stood before, is asked for."""
        if channel in STATES or not first:
            self._ask(link, channel, first=first)
        elif not self.backfill.nothing_missed(link, channel):  # it broke off half-way
            self._ask(link, channel)

    def grown(self, link: Link, channel: str, tickers: Sequence[str]) -> None:
        """A channel has more markets than before: what stands in these is asked for."""
        if channel in STATES:
            self._ask(link, channel, tickers, first=True)

    def knows(self, kind: str) -> bool:
        """Whether all rows of a kind are there: subscribed to, and nothing missed since then."""
        if self.feeds.dropped[kind] or kind in self.feeds.missed:
            return False
        if kind in self._at_the_end:
            return True
        for link in self.links:
            sub = link.subscriptions.channel(kind)
            if sub is not None and (sub.everything or sub.wanted):
                asked = not Backfill.covers(kind) or (link, kind) in self.backfill.known
                if not sub.complete or not asked:
                    return False
        return True

    def disconnected(self, link: Link, reason: str) -> None:
        """A link has ended."""
        self.disconnections += 1
        with self.lock:
            self.backfill.forget(link)
        for told in self._on_break:
            told(link.number, reason)
        if not self._closed:
            self.problem(f"connection {link.number}: {reason}")

    def _ask(
        self, link: Link, channel: str, tickers: Sequence[str] | None = None, *, first: bool = False
    ) -> None:
        with self.lock:
            if channel in ONLY_HEARD:
                self.feeds.missed.add(channel)
            sub = link.subscriptions.channel(channel)
            if not Backfill.covers(channel) or self.closed or sub is None:
                return
            asked = None if sub.everything else list(tickers or sub.wanted)
            if asked is None or asked:
                newest = link.dispatcher.newest.get(channel)
                self.backfill.ask(link, channel, asked, link.opened, newest=newest, first=first)

    def failed(self, error: Exception) -> None:
        """There is no point in trying again."""
        self.error = error
        self.stopped.set()
        self.problem(str(error))
        for link in self.links:
            link.stop()
        self.audience.close()

    def next_connection(self) -> int:
        """A number that no other connection of the stream has had."""
        self._connections += 1
        return self._connections

    # --- consumers ------------------------------------------------------------------------------

    @property
    def watched(self) -> bool:
        """Whether anybody is told of books."""
        return len(self.audience) > 0

    def publish(self, update: Update) -> None:
        """Pass something new on to consumers."""
        self.audience.put(update)

    def subscribe(self, kinds: Iterable[str]) -> Mailbox:
        """A new consumer."""
        with self.lock:
            return self.audience.join(kinds, [t for link in self.links for t in link.session.books])

    def unsubscribe(self, mailbox: Mailbox) -> None:
        """A consumer that has enough."""
        self.audience.leave(mailbox)

    def tap(self, tap: Tap, on_break: Callable[[int, str], None]) -> Callable[[], None]:
        """Give every message to `tap`, in the thread of the stream; what ends that."""
        with self.lock:
            self.taps = (*self.taps, tap)
            self._on_break = (*self._on_break, on_break)

        def untap() -> None:
            with self.lock:
                self.taps = tuple(each for each in self.taps if each is not tap)
                self._on_break = tuple(each for each in self._on_break if each is not on_break)

        return untap
