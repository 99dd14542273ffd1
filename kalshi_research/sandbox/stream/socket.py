"""The socket under a session: uvicorn's, with whole batches of frames and pings of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from kalshi_research.sandbox.faults.line import cut_off

if TYPE_CHECKING:
    from websockets.http11 import Request

__all__ = ["EXTENSION", "Socket"]

EXTENSION = "kalshi.socket"
"""Under this name the application finds the socket in its scope."""

_HEARTBEAT = b"heartbeat"


class Socket(WebSocketsSansIOProtocol):
    """A server's end of a WebSocket.

    The application sends one text at a time and awaits each; a busy stream needs to hand over a
    few hundred frames at once, and to ping with a payload of its choice.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._when_writable: Callable[[], None] | None = None
        self._silent = self._deaf = False

    def handle_connect(self, event: Request) -> None:
        """Put the socket into the scope of the application."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = {"socket": self}

    async def send(self, message: Any) -> None:
        """Send; a handshake that was refused in full is over as well."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # else the server logs it as a defect of the application

    def shutdown(self) -> None:
        """End, unless that has been done."""
        if not self.transport.is_closing():
            super().shutdown()

    def open(self, when_writable: Callable[[], None], heartbeat: float) -> None:
        """Begin to ping, and tell when a reader that was behind has caught up."""
        self._when_writable = when_writable
        if heartbeat > 0:
            self.loop.call_later(heartbeat, self._ping, heartbeat)

    def _ping(self, interval: float) -> None:
        """Ping, and again later, as long as the connection is open."""
        if not self._writing():
            return
        if not self._deaf:
            self.conn.send_ping(_HEARTBEAT)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.loop.call_later(interval, self._ping, interval)

    def _writing(self) -> bool:
        return self.conn.state is State.OPEN and not self.transport.is_closing()

    @property
    def paused(self) -> bool:
        """Whether the reader is behind."""
        return not self.writable.is_set()

    def write(self, frames: bytes) -> None:
        """Send complete frames."""
        if self._writing() and not self._silent:
            self.transport.write(frames)

    # --- for faults -----------------------------------------------------------------------------

    def silence(self, *, pings: bool) -> None:
        """Send no frame any more; without `pings` not even those, and hear nothing either."""
        self._silent = True
        self._deaf = not pings

    def data_received(self, data: bytes) -> None:
        """Hear the other end, unless the connection plays dead."""
        if not self._deaf:
            super().data_received(data)

    def end(self, code: int) -> None:
        """Close with a code."""
        if self._writing():
            self.conn.send_close(code, "")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def cut(self, *, reset: bool) -> None:
        """End the connection without a word, at once or after what was written."""
        self.handshake_complete = True
        if reset:
            cut_off(self.transport)
        else:
            self.transport.close()

    # ---------------------------------------------------------------------------------------------

    def resume_writing(self) -> None:
        """The reader has caught up."""
        super().resume_writing()
        if self._when_writable is not None:
            self._when_writable()
