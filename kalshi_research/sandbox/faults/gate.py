"""The gate before the routes: it meets the script and does what the script says."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.exchange import RequestRecord
from kalshi_research.sandbox.faults.answers import invented, shown
from kalshi_research.sandbox.faults.call import Answer, Call, Inner, Outcome
from kalshi_research.sandbox.faults.line import Line

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.faults.line import Message, Receive, Scope, Send
    from kalshi_research.sandbox.faults.script import Bite

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what does not come over HTTP/1.1, without faults."""
        await self._app(scope, receive, send)

    def on(self, transport: asyncio.Transport) -> App:
        """The application for the requests of one connection."""
        return functools.partial(self._serve, transport)

    async def _serve(
        self, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http" or not self.faults.on("rest"):
            await self._app(scope, receive, send)
            return
        call = await Call.read(scope, receive)
        bites = self.faults.meet("rest", call.place, call.text)
        if not bites:
            await self._app(scope, call.replay(), send)
            return
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

        return await _LAYERS[bite.rule.name](self, call, bite, inner)

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
            call.scope["method"], call.scope["path"], call.query, 0, None, time.time(), fault=kind
        )
        self.exchange.requests.append(record)

    def invent(self, call: Call, bite: Bite) -> Answer:
        """What a lost request would have been answered."""
        return invented(call, bite, self.exchange.floor.now() // 1000)

    def later(self, work: Awaitable[None]) -> None:
        """Go on with something after the answer."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def release(self) -> None:
        """Let go of every connection that is held. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        for line in self._lines:
            line.cut()
        for task in self._tasks:
            task.cancel()


async def _accept(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    rule, asked = bite.rule, call
    keep, fields = rule.details["items"], call.json()
    if keep >= 0 and isinstance(fields, dict) and isinstance(fields.get("orders"), list):
        asked = call.saying(fields | {"orders": fields["orders"][:keep]})
    outcome = await inner(asked)
    bite.status = outcome.answer.status
    return shown(rule.variant, outcome.answer, bite, gate.faults)


async def _reject(gate: FaultGate, call: Call, bite: Bite, _: Inner) -> Outcome:
    gate.lost(call, bite.kind)
    return shown(bite.rule.variant, gate.invent(call, bite), bite, gate.faults)


_LAYERS: dict[str, Layer] = {"accept_then": _accept, "reject_then": _reject}
