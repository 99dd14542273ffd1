"""The handshake, and the loop that reads commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from kalshi_research.sandbox.auth import not_signed
from kalshi_research.sandbox.dispatch import is_ours
from kalshi_research.sandbox.exchange import RequestRecord
from kalshi_research.sandbox.refusals import Refusal, refused

if TYPE_CHECKING:
    from kalshi_research.sandbox.auth import RegisteredKey
    from kalshi_research.sandbox.dispatch import Receive, Scope, Send
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.stream.hub import Hub
    from kalshi_research.sandbox.stream.socket import Socket

__all__ = ["PATH", "StreamEndpoint", "open_socket"]

PATH = "/trade-api/ws/v2"


def open_socket(*arguments: Any, **named: Any) -> Any:
    """Make the server's end of a WebSocket; what it needs is loaded with the first one."""
    from kalshi_research.sandbox.stream.socket import Socket

    return Socket(*arguments, **named)


def _hub_of(exchange: Exchange) -> Callable[[], Hub]:
    """The hub of a sandbox, made with the first connection."""

    @cache
    def made() -> Hub:
        from kalshi_research.sandbox.stream.hub import Hub
        from kalshi_research.sandbox.stream.world_source import WorldSource

        return Hub(WorldSource(exchange), exchange.stream)

    return made


class StreamEndpoint:
    """What answers on `PATH`.

    Parameters
    ----------
    exchange : Exchange
    hosts : callable
        The values of ``Host`` that are ours.
    hub : callable, optional
        Answers the hub of the exchange; called with each connection.
    """

    def __init__(
        self,
        exchange: Exchange,
        hosts: Callable[[], frozenset[str]],
        hub: Callable[[], Hub] | None = None,
    ) -> None:
        self._exchange = exchange
        self._hosts = hosts
        self._hub = hub or _hub_of(exchange)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await receive()
        received = time.time()
        if await self._bitten(scope, receive, send):
            return
        try:
            key = self._check(scope)
        except Refusal as refusal:
            self._record(scope, refusal.status, None, received)
            await _refuse(send, refusal)
            return
        self._record(scope, 101, key.user, received)
        await self._serve(scope, receive, send, key)

    async def _bitten(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether a fault has answered the handshake."""
        faults = self._exchange.faults
        bites = faults.meet("stream", "WS /connect") if faults.on("stream") else []
        upgrades = [bite.rule for bite in bites if bite.rule.name == "upgrade"]
        if not upgrades:
            return False
        rule = upgrades[0]
        if rule.variant.isdigit():
            status = int(rule.variant)
            self._record(scope, status, None, time.time())
            await _refuse(send, refused(status, "fault", details="the handshake is refused"))
        elif rule.variant == "redirect":
            headers = [(b"location", rule.details["location"].encode()), (b"content-length", b"0")]
            await send({"type": "websocket.http.response.start", "status": 302, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b""})
        else:
            if rule.variant == "hang":  # as long as anybody waits; nobody does when the server stops
                with suppress(TimeoutError):
                    await asyncio.wait_for(receive(), faults.seconds(rule.details["seconds"]))
            _socket_of(scope).cut(reset=True)
        return True

    def _check(self, scope: Scope) -> RegisteredKey:
        """The key of the user who asks for the connection."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not is_ours(headers, self._hosts()):
            raise refused(403, "forbidden", details="Host or Origin is not this exchange")
        exchange = self._exchange
        now, skew = exchange.wall_ms(), exchange.skew_ms()
        key = exchange.keys.check("GET", scope["path"], headers, now, skew)
        if key is None:
            raise not_signed()
        if "read" not in key.scopes:
            raise refused(403, "forbidden", details="this key has no scope to read")
        return key

    def _record(self, scope: Scope, status: int, user: int | None, received: float) -> None:
        query = scope["query_string"].decode("latin-1")
        self._exchange.requests.append(
            RequestRecord("GET", scope["path"], query, status, user, received)
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send, key: RegisteredKey) -> None:
        from kalshi_research.sandbox.stream.session import Session

        socket = _socket_of(scope)
        hub = self._hub()
        user, faults = self._exchange.accounts[key.user].user_id, self._exchange.faults
        session = Session(hub, socket, user, hub.options, faults, lock=key.subaccount)
        await send({"type": "websocket.accept"})
        hub.join(session)
        socket.open(session.flush, hub.options.heartbeat)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                session.receive(message["bytes"] if text is None else text)
        finally:
            hub.leave(session)


def _socket_of(scope: Scope) -> Socket:
    from kalshi_research.sandbox.stream.socket import EXTENSION

    found: Socket = scope["extensions"][EXTENSION]["socket"]
    return found


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = msgspec.json.encode(refusal.body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
