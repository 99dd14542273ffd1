"""One WebSocket connection: bytes to messages, many at a time.

The handshake, pings, goodbyes and every unusual frame are handled by `websockets`, which
knows the protocol without doing any input or output. What comes by the hundred thousand, a
whole unmasked text frame, is cut out here. Compression is not offered, so a few bytes
cannot become gigabytes, and a redirect is never followed: it would take the signature
to another host.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from kalshi_research.errors import TransportError, printable

__all__ = ["RefusedError", "Wire", "open_wire"]

_SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001  of nobody's configuration
"""At DEBUG the library would log the signed headers."""
_LARGEST_HEAD = 65_536
_TEXT = 0x81
_BATCH = 512
"""Messages that are handed on at once: so long a reader of the books may have to wait."""


class RefusedError(TransportError):
    """The handshake was answered with something else than a WebSocket.

    Attributes
    ----------
    status : int
        HTTP status; 0 where the answer was no HTTP.
    headers : dict
        Names in lower case.
    """

    def __init__(self, status: int, headers: Mapping[str, str], said: str = "") -> None:
        self.status = status
        self.headers = dict(headers)
        super().__init__(said or f"the handshake was answered with HTTP {status}")


@dataclass
class Handlers:
    """Who is told what of a connection.

    Attributes
    ----------
    messages : callable
        Gets whole text messages, in order.
    alive : callable
        Called whenever anything arrives, a ping included, before `messages`.
    binary : callable
        Called for each binary message; the exchange sends none.
    """

    messages: Callable[[list[bytes]], None]
    alive: Callable[[], None]
    binary: Callable[[], None] = field(default=lambda: None)


class Wire(asyncio.Protocol):
    """A client's end of a WebSocket; made by `open_wire`.

    Attributes
    ----------
    opened : asyncio.Future
        Done when the handshake is.
    closed : asyncio.Future
        Its result says why the connection ended.
    received : int
        Bytes.
    """

    def __init__(self, url: str, headers: Mapping[str, str], handlers: Handlers, largest: int) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.received = 0
        self._headers = dict(headers)
        self._handlers = handlers
        self._largest = largest
        self._protocol = ClientProtocol(parse_uri(url), max_size=largest, logger=_SILENT)
        self._transport: asyncio.Transport | None = None
        self._rest: list[bytes] = []
        self._missing = 0
        self._parts: list[bytes] = []
        self._is_text = True
        self._reason = ""

    # --- what the loop calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  the loop makes no other for TCP
        self._transport = transport
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._headers = {}  # used once; nothing that prints this object shows a signature
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Cut out whole messages."""
        self.received += len(data)
        if self._rest:
            self._rest.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                self._handlers.alive()
                return
            data = b"".join(self._rest)
            self._rest = []
        if not self.opened.done():
            data = self._handshake(data)
        if data and self._protocol.state is not State.CONNECTING:
            self._handlers.alive()
            self._frames(data)

    def eof_received(self) -> bool:
        """The other end will say nothing more."""
        if self._protocol.state is not State.CONNECTING:
            self._protocol.receive_eof()
            self._flush()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Tell those who wait."""
        reason = self._reason or self._farewell(error)
        if not self.opened.done():
            self.opened.set_exception(
                RefusedError(0, {}, f"the connection ended in the handshake: {reason}")
            )
        if not self.closed.done():
            self.closed.set_result(reason)
        self._transport = None

    # --- what the owner calls -----------------------------------------------------------------

    def send(self, text: bytes) -> None:
        """Send one message; nothing happens on a connection that is ending."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text)
            self._flush()

    def ping(self) -> None:
        """Ask whether the other end is there."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"probe")
            self._flush()

    def close(self, reason: str) -> None:
        """Say goodbye; the other end has to answer, or `abort` follows."""
        self._reason = self._reason or reason
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
        else:
            self.abort(reason)

    def abort(self, reason: str) -> None:
        """Cut the connection."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    # --- inside -------------------------------------------------------------------------------

    def _handshake(self, data: bytes) -> bytes:
        """Read the answer to the request; what comes after it."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _LARGEST_HEAD:
                self._fail(RefusedError(0, {}, "the answer to the handshake is no HTTP"))
            else:
                self._keep(data, 0, 1)
            return b""
        head, rest = data[: end + 4], data[end + 4 :]
        status, headers = _head(head)
        if status != 101:
            self._fail(RefusedError(status, headers))
            return b""
        self._protocol.receive_data(head)
        wrong = self._protocol.handshake_exc
        if wrong is not None:
            said = printable(wrong, 120) if isinstance(wrong, InvalidHandshake) else "no WebSocket"
            self._fail(RefusedError(0, headers, f"the answer to the handshake is wrong: {said}"))
            return b""
        self._protocol.events_received()
        self.opened.set_result(None)
        return rest

    def _fail(self, refusal: RefusedError) -> None:
        self._reason = str(refusal)
        self.opened.set_exception(refusal)
        if self._transport is not None:
            self._transport.abort()

    def _frames(self, data: bytes) -> None:  # noqa: C901  the inner loop
        """Hand on every whole message in `data`, and keep the rest."""
        found: list[bytes] = []
        at, end, largest = 0, len(data), self._largest
        while at + 2 <= end:
            size = data[at + 1]
            begin = at + 2
            if size >= 126:
                if size & 0x80:  # masked: the protocol will object
                    self._hand_on(found)
                    self._unusual(data[at:])
                    return
                more = 2 if size == 126 else 8
                if begin + more > end:
                    break
                size = int.from_bytes(data[begin : begin + more])
                begin += more
                if size > largest:
                    self._hand_on(found)
                    self._too_long(size)
                    return
            stop = begin + size
            if stop > end:
                self._hand_on(found)
                self._keep(data, at, stop - end)
                return
            if data[at] == _TEXT and not self._parts:
                found.append(data[begin:stop])
                if len(found) == _BATCH:
                    self._hand_on(found)
                    found = []
            else:
                self._hand_on(found)
                found = []
                self._unusual(data[at:stop])
                if self._ending:
                    return
            at = stop
        self._hand_on(found)
        if at < end:
            self._keep(data, at, 1)

    def _keep(self, data: bytes, at: int, missing: int) -> None:
        """Keep the beginning of a message; so many bytes of it at least have not come."""
        self._rest = [data[at:] if at else data]
        self._missing = missing

    def _hand_on(self, found: list[bytes]) -> None:
        if found and self._protocol.state is State.OPEN:
            self._handlers.messages(found)

    def _too_long(self, size: int) -> None:
        self._reason = f"a message of {size:,} bytes is longer than largest_frame={self._largest:,}"
        self._protocol.fail(1009)
        self._finish()

    @property
    def _ending(self) -> bool:
        return self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None

    def _finish(self) -> None:
        """Write what is left and hang up."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _unusual(self, frame: bytes) -> None:
        """Control frames, parts of messages, binary messages and what is against the rules."""
        self._protocol.receive_data(frame)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                if event.opcode is not Opcode.CONT:
                    self._is_text = event.opcode is Opcode.TEXT
                self._parts.append(bytes(event.data))
                if event.fin:
                    whole, self._parts = b"".join(self._parts), []
                    if self._is_text:
                        self._hand_on([whole])
                    else:
                        self._handlers.binary()
        if self._ending:
            self._finish()
        else:
            self._flush()

    def _flush(self) -> None:
        """Write what the protocol has to say; nothing at all means that the end has come."""
        for data in self._protocol.data_to_send():
            if self._transport is None:
                return
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _farewell(self, error: Exception | None) -> str:
        said = self._protocol.close_rcvd
        if said is not None:
            why = f": {printable(said.reason, 80)}" if said.reason else ""
            return f"the exchange closed the connection with code {int(said.code)}{why}"
        if self._protocol.parser_exc is not None:
            return f"the connection broke the protocol: {printable(self._protocol.parser_exc, 80)}"
        if error is not None:
            return f"the connection broke: {printable(error, 80) or type(error).__name__}"
        return "the connection ended without a goodbye"


async def open_wire(
    url: str, headers: Mapping[str, str], handlers: Handlers, *, largest: int, patience: float
) -> Wire:
    """Connect and shake hands.

    Raises
    ------
    RefusedError
        If the answer is no WebSocket.
    TransportError
        If there is no connection.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    port = parts.port or (443 if secure else 80)
    loop = asyncio.get_running_loop()
    made: list[Wire] = []

    def make() -> Wire:
        made.append(Wire(url, headers, handlers, largest))
        return made[-1]

    try:
        async with asyncio.timeout(patience):
            _, wire = await loop.create_connection(
                make, parts.hostname or "", port, ssl=_tls_context() if secure else None
            )
            await wire.opened
    except TimeoutError:
        raise TransportError(f"no WebSocket within {patience:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise TransportError(
            f"the certificate was refused ({printable(error.verify_message)})"
        ) from None
    except OSError as error:
        raise TransportError(f"cannot connect: {printable(error, 120)}") from None
    finally:
        if made and not (made[-1].opened.done() and made[-1].opened.exception() is None):
            made[-1].opened.cancel()
            made[-1].abort("the handshake failed")
    return wire


def _tls_context() -> ssl.SSLContext:
    # create_default_context() would honour SSLKEYLOGFILE, which writes session keys to disk.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    return context


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of an HTTP answer; status 0 where it is none."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    known = len(words) > 1 and words[0].startswith("HTTP/1.") and words[1].isdecimal()
    status = int(words[1]) if known and len(words[1]) == 3 else 0
    pairs = (line.partition(":") for line in lines[1:] if line)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}
