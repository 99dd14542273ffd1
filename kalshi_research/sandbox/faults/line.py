"""The connection itself: below HTTP, where it can be cut, held and broken."""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING

from kalshi_research.sandbox.gathering import GatheringProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kalshi_research.sandbox.dispatch import Receive

__all__ = ["Line", "LoopbackProtocol", "cut_off", "head"]


class LoopbackProtocol(GatheringProtocol):
    """The server's protocol, telling the application which connection it is called on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hand the connection to the application, if it wants it."""
        super().connection_made(transport)
        on = getattr(self.app, "on", None)
        if on is not None:
            self.app = on(self.transport)


class Line:
    """One connection while a request on it is answered.

    Parameters
    ----------
    transport : asyncio.Transport
    receive : callable
        Of the request; its body has been read.
    """

    def __init__(self, transport: asyncio.Transport, receive: Receive) -> None:
        self._transport = transport
        self._receive = receive

    @property
    def closing(self) -> bool:
        """Whether the connection is closed, or about to be."""
        return self._transport.is_closing()

    async def flushed(self) -> None:
        """Return when all that was written has been handed to the system."""
        while self._transport.get_write_buffer_size() and not self.closing:  # noqa: ASYNC110 -- no event
            await asyncio.sleep(0.001)

    def end(self) -> None:
        """End the connection in order, without waiting for that."""
        self._transport.close()

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._transport.write(data)

    async def gone(self) -> None:
        """Return when the connection is closed, by whomever."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def hold(self, seconds: float) -> None:
        """Say nothing until the client leaves or the time is over; then end the connection."""
        try:
            await asyncio.wait_for(self.gone(), seconds)
        except TimeoutError:
            await self.close()

    async def close(self) -> None:
        """End the connection in order (FIN), after what was written."""
        self._transport.close()
        await self.gone()

    async def reset(self) -> None:
        """End the connection at once (RST)."""
        self.cut()
        await self.gone()

    def cut(self) -> None:
        """Reset without waiting; may be called at any time."""
        cut_off(self._transport)


def cut_off(transport: asyncio.Transport) -> None:
    """Reset a connection (RST): nothing that was written waits to be sent."""
    found = transport.get_extra_info("socket")
    if found is not None and not transport.is_closing():
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    r"""The head of an answer, for those who send it by themselves.

    Examples
    --------
    >>> head(200, [(b"content-length", b"0")])
    b'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    """
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, HTTPStatus(status).phrase.encode(), lines)
