"""HTTP on loopback with as few calls of the system as possible: an answer is sent at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Gathering", "GatheringProtocol"]


class Gathering:
    """A transport that writes what it gets in one turn of the loop in one piece.

    Head and body of an answer are given to it one after the other. To send them apart takes twice
    as long, and on some systems that is most of the time that an answer takes.

    Parameters
    ----------
    transport : asyncio.Transport
    loop : asyncio.AbstractEventLoop
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.whole = transport
        self._soon: Callable[[Callable[[], None]], object] = loop.call_soon
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def write(self, data: bytes) -> None:
        """Send, at the end of this turn at the latest."""
        if data:
            if not self._held:
                self._soon(self.flush)
            self._held.append(data)

    def flush(self) -> None:
        """Send what was given so far."""
        if self._held:
            held, self._held = self._held, []
            self.whole.write(b"".join(held))

    def get_write_buffer_size(self) -> int:
        """How many bytes wait."""
        return sum(map(len, self._held)) + self.whole.get_write_buffer_size()

    def close(self) -> None:
        """End the connection after what was given so far."""
        self.flush()
        self.whole.close()

    def abort(self) -> None:
        """End the connection now."""
        self._held.clear()
        self.whole.abort()


class GatheringProtocol(HttpToolsProtocol):
    """A server's end of an HTTP connection, over a `Gathering` transport."""

    transport: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection."""
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]

    def on_response_complete(self) -> None:
        """Send the answer; nothing more belongs to it."""
        self.transport.flush()
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over as it is: a WebSocket gathers its frames by itself."""
        self.transport = self.transport.whole
        super().handle_websocket_upgrade()
