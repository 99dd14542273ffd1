"""The gate before the routes: it meets the script and does what the script says."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.exchange import RequestRecord, redacted
from kalshi_research.sandbox.faults.call import Answer, Call, Inner, Outcome
from kalshi_research.sandbox.faults.line import Line

if TYPE_CHECKING:
    from kalshi_research.sandbox.dispatch import Message, Receive, Scope, Send
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.faults.rules import Bite

__all__ = ["FaultGate", "Layer"]

App = Callable[["Scope", "Receive", "Send"], Awaitable[None]]
Layer = Callable[["FaultGate", Call, "Bite", Inner], Awaitable[Outcome]]
"""What a kind does around the answer of all that is inside of it."""


class FaultGate:
    """An application around the exchange's.

    Parameters
    ----------
    app : callable
        What answers.
    exchange : Exchange
    """

    def __init__(self, app: App, exchange: Exchange) -> None:
        self._app = app
        self.exchange = exchange
        self.faults = exchange.faults
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cursors: dict[str, str] = {}
        self._over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what does not come over HTTP/1.1, without faults."""
        await self._app(scope, receive, send)

    def on(self, transport: asyncio.Transport) -> App:
        """The application for the requests of one connection."""
        return functools.partial(self._serve, transport)

    async def _serve(
        self, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http" or not (self.faults.on("rest") or self._cursors):
            await self._app(scope, receive, send)
            return
        call = await Call.read(scope, receive)
        if self._cursors:
            from kalshi_research.sandbox.faults.pages import translated

            call = translated(call, self._cursors)
        bites = [] if self._over else self.faults.meet("rest", call.place, call.text)
        if not bites:
            await self._app(call.scope, call.replay(), send)
            return
        scope["kalshi_arrived_ms"] = self.exchange.wall_ms()
        self._loop = asyncio.get_running_loop()
        line = Line(transport, receive)
        self._lines.add(line)
        try:
            outcome = await self._inside(call, bites)
            await outcome.deliver(line, send, outcome.answer)
        finally:
            self._lines.discard(line)

    async def _inside(self, call: Call, bites: list[Bite]) -> Outcome:
        """What the first bite makes of what the others make of the true answer."""
        if not bites:
            return Outcome(await self.ask(call))
        bite, *rest = bites

        async def inner(asked: Call) -> Outcome:
            asked.scope.setdefault("kalshi_faults", []).append(bite.kind)
            return await self._inside(asked, rest)

        return await _layers()[bite.rule.name](self, call, bite, inner)

    async def ask(self, call: Call) -> Answer:
        """The true answer; by it, what was asked for is done."""
        parts: list[bytes] = []
        start: dict[str, Any] = {}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(call.scope, call.replay(), keep)
        return Answer(start["status"], b"".join(parts), tuple(start["headers"]))

    def lost(self, call: Call, kind: str) -> None:
        """Write down a request that never reached the exchange."""
        record = RequestRecord(
            call.scope["method"], call.scope["path"], call.query, 0, None, time.time(),
            kind, redacted(call.scope),
        )  # fmt: skip
        self.exchange.requests.append(record)

    def invent(self, call: Call, bite: Bite) -> Answer:
        """What a lost request would have been answered."""
        from kalshi_research.sandbox.faults.answers import invented

        return invented(call, bite, self.exchange.floor.now() // 1000)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on with something after the answer; `Faults.begin_late` was called for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self.faults.end_late()

        task.add_done_callback(done)

    def alias(self, cursor: str) -> str:
        """Another cursor for the place that one stands for."""
        made = f"again.{len(self._cursors)}"
        self._cursors[made] = self._cursors.get(cursor, cursor)
        return made

    def release(self) -> None:
        """Let go of every connection that is held, and hold none again. Any thread may call this."""
        self._over = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        for line in self._lines:
            line.cut()
        for task in self._tasks:
            task.cancel()


def _layers() -> Mapping[str, Layer]:
    """What each kind does; loaded with the first bite, so that a start does not wait for it."""
    from kalshi_research.sandbox.faults.layers import LAYERS

    return LAYERS
