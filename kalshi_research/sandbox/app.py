"""The application: what happens to a request before and after its handler."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kalshi_research.sandbox.dispatch import PREFIX, Asked, Said, is_ours, say, told
from kalshi_research.sandbox.exchange import RequestRecord, redacted
from kalshi_research.sandbox.refusals import Refusal, not_found, refused
from kalshi_research.sandbox.stream.endpoint import PATH, StreamEndpoint

if TYPE_CHECKING:
    from kalshi_research.sandbox.dispatch import Receive, Scope, Send, Table
    from kalshi_research.sandbox.exchange import Exchange

__all__ = ["Answering", "App"]

Answering = Callable[[Asked, dict[str, str]], Awaitable[Said]]
"""Answers a request, given the parts of its path that stand for names."""


class App:
    """Answers what was addressed to this server, and keeps the log.

    Parameters
    ----------
    exchange : Exchange
    hosts : callable
        The values of ``Host`` that are ours.
    table : Table
        What answers which path.
    """

    def __init__(
        self, exchange: Exchange, hosts: Callable[[], frozenset[str]], table: Table[Answering]
    ) -> None:
        self._exchange = exchange
        self._hosts = hosts
        self._table = table
        self._stream = StreamEndpoint(exchange, hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one WebSocket."""
        if scope["type"] == "websocket":
            if scope["path"] == PATH:
                await self._stream(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1000})
            return
        received = time.time()
        asked = Asked(scope, receive)
        try:
            said = await self._answer(asked)
        except Refusal as refusal:
            said = told(refusal.status, self._exchange.dialect.retold(refusal))
        except Exception:
            await self._finish(
                told(500, refused(500, "internal_server_error").body), asked, received, send
            )
            raise
        await self._finish(said, asked, received, send)

    async def _answer(self, asked: Asked) -> Said:
        if not is_ours(asked.headers, self._hosts()):
            return told(
                403, refused(403, "forbidden", details="Host or Origin is not this exchange").body
            )
        method, path = asked.method, asked.scope["path"]
        found = self._table.find("GET" if method == "HEAD" else method, path)
        if found is not None:
            answering, names = found
            return await answering(asked, names)
        # Reading what is not there, or writing what this exchange cannot take.
        if method == "GET":
            return told(404, not_found().body)
        path = path.removeprefix(PREFIX)
        return told(404, not_found(f"{method} {path} is not available here").body)

    async def _finish(self, said: Said, asked: Asked, received: float, send: Send) -> None:
        """Write it down, then send it: who has the answer finds it in the log."""
        scope = asked.scope
        query = scope["query_string"].decode("latin-1")
        fault = " ".join(scope.get("kalshi_faults", ()))
        user = scope.get("kalshi_user")
        self._exchange.requests.append(
            RequestRecord(
                asked.method, scope["path"], query, said[0], user, received, fault, redacted(scope)
            )
        )
        await say(said, send)
