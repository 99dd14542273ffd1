"""One socket to the exchange that is there again when it breaks, and its books.

All of it happens in the thread of the stream. What readers in other threads see, the books,
is changed under a lock that is held for a batch of messages.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import AuthError, TransportError
from kalshi_research.streaming import moments
from kalshi_research.streaming.dispatch import Dispatcher
from kalshi_research.streaming.state import Session
from kalshi_research.streaming.subscriptions import Subscriptions
from kalshi_research.streaming.upkeep import Upkeep
from kalshi_research.streaming.wire import Handlers, RefusedError, Wire, open_wire

if TYPE_CHECKING:
    from kalshi_research.schemas.channels import Channel
    from kalshi_research.streaming.hub import Hub

__all__ = ["Link"]

_LONGEST_RETRY_AFTER = 30.0
_NAP = 5.0
"""A busy machine may keep a thread waiting so long; then a connection is as good as before [s]."""


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
    dispatcher : Dispatcher
        What its messages bring.
    connections : int
        Counted since the beginning.
    """

    def __init__(self, hub: Hub, url: str, headers: Callable[[], dict[str, str]]) -> None:
        self._hub = hub
        self._options = hub.options
        self._url = url
        self._headers = headers
        self._wire: Wire | None = None
        self._stopping = asyncio.Event()
        self._suspended = False
        self._complete: set[str] = set()
        self._attempts = 0
        self.session = Session()
        self.subscriptions = Subscriptions(hub.options, self)
        self.upkeep = Upkeep(hub.options, self.session, self.subscriptions)
        self.number = 0
        self.state = "connecting"
        self.reason = "not connected yet"
        self.opened = self.heard = 0.0
        self._looked = moments.now()
        self._slept = ""
        self.connections = 0
        self.dispatcher = Dispatcher(hub, self)

    @property
    def messages(self) -> int:
        """Received since the beginning."""
        return self.dispatcher.messages

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
                self.dispatcher.changed()
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
        handlers = Handlers(self._take, self._alive, self.dispatcher.binary)
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
        self._looked, self._slept = moments.now(), ""
        self.opened = self.heard = loop.time()
        self.dispatcher.connected()
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
        if self._has_slept():
            return self._slept
        if silence >= options.dead_after:
            return f"silence for {silence:.0f} s"
        if silence >= options.stale_after and not self._suspended:
            self._suspended = True
            self.session.suspend(f"silence for {silence:.0f} s")
            if self._wire is not None:
                self._wire.ping()
        self.subscriptions.step(now)
        self._hub.look_after(self, now)
        wrong = self.upkeep.step(now, self.messages) or self.subscriptions.broken
        self.dispatcher.changed()
        return wrong

    @property
    def idle(self) -> float:
        """Seconds for which nobody has looked after an open connection, as when the machine sleeps."""
        return moments.since(self._looked) if self.state == "open" else 0.0

    @property
    def asleep(self) -> bool:
        """Whether that is so long that what was known before is worth nothing."""
        return self.idle >= max(self._options.stale_after, _NAP)

    def _has_slept(self) -> bool:
        """Look after the connection; whether it is to be given up, because nobody did for long.

        What comes first then was sent before, and the other end may be gone without a word.
        """
        if self.asleep:
            self._slept = f"the machine slept for {timedelta(seconds=round(self.idle))}"
            with self._hub.lock:
                self.session.suspend(self._slept)
                self.dispatcher.changed()
        self._looked = moments.now()
        return bool(self._slept)

    def stop(self) -> None:
        """Close, and do not connect again."""
        self._stopping.set()

    def kick(self) -> None:
        """Something else is wanted: see to it before the next tick."""
        if self._wire is not None:
            with self._hub.lock:
                self.subscriptions.step(asyncio.get_running_loop().time())

    # --- what the wire calls --------------------------------------------------------------------

    def _take(self, texts: list[bytes]) -> None:
        if not self._slept:
            self.dispatcher.take(texts)

    def _alive(self) -> None:
        self.heard = asyncio.get_running_loop().time()
        if self._has_slept():
            return
        if self._suspended and not self.upkeep.doubtful:
            self._suspended = False
            with self._hub.lock:
                self.session.resume()
                self.dispatcher.changed()

    # --- what the subscriptions tell ------------------------------------------------------------

    def problem(self, text: str) -> None:
        """Something a person should know."""
        self._hub.problem(text)

    def elsewhere(self, channel: Channel, tickers: list[str]) -> None:
        """Markets that have no room on this connection."""
        self._hub.elsewhere(self, channel, tickers)

    def begun(self, channel: Channel) -> None:
        """The first part of a channel is subscribed to: it is heard from now on."""
        self.dispatcher.begun(channel.name)

    def interrupted(self, channel: Channel) -> None:
        """What was heard of a channel, and is wanted still, is heard no longer."""
        self.dispatcher.interrupted(channel.name)
        self._hub.interrupted(self, channel.name)

    def complete(self, channel: Channel) -> None:
        """All that is wanted of a channel is subscribed to."""
        first = channel.name not in self._complete
        if first:
            self._complete.add(channel.name)
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
