"""A loopback HTTP server whose every answer, fault and pause is written down in the test.

Small on purpose: it must be able to break the rules of HTTP, which a server library
would prevent.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Seen:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: int = 0

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


@dataclass
class Answer:
    """What to send back.

    `pieces` are sent one by one with `pause` seconds between them; `declared` replaces the
    true Content-Length; `then` is ``keep``, ``close`` or ``reset``.
    """

    status: int = 200
    body: bytes | str | dict[str, Any] | list[Any] = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    declared: int | None = None
    chunked: bool = False
    head_pause: float = 0.0
    pieces: Iterable[bytes] | None = None
    pause: float = 0.0
    then: str = "keep"
    silent: bool = False

    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


Handler = Callable[[Seen], Answer]


class StubServer:
    """Answers each request with what `handler` returns, or with a list of answers in turn."""

    def __init__(self, handler: Handler | list[Answer], *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.seen: list[Seen] = []
        self._handler = handler
        self._script = list(handler) if isinstance(handler, list) else None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Closing alone would not wake the accepting thread.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still = list(self._open)
        for connection in still:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def wait_until_closed(self) -> None:
        """Return when no connection is open any more."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._open, timeout=5)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        stream = connection.makefile("rb")
        try:
            while not self._stopping.is_set():
                seen = _read_request(stream)
                if seen is not None:
                    seen.peer = connection.getpeername()[1]
                if seen is None or not self._answer(connection, seen):
                    return
        except OSError:
            return
        finally:
            stream.close()
            connection.close()
            with self._changed:
                self._open.discard(connection)
                self._changed.notify_all()

    def _answer(self, connection: socket.socket, seen: Seen) -> bool:
        with self._lock:
            self.seen.append(seen)
            if self._script is not None:
                answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if self._script is None:
            answer = self._handler(seen)  # type: ignore[operator]
        if answer.silent:
            self._stopping.wait(30)
            return False
        if answer.then == "reset-at-once":
            _reset(connection)
            return False
        for piece in _wire(answer):
            connection.sendall(piece)
            if answer.pause and self._stopping.wait(answer.pause):
                return False
        if answer.then == "reset":
            _reset(connection)
        return answer.then == "keep"


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(stream: Any) -> Seen | None:
    start = stream.readline()
    if not start.strip():
        return None
    method, target, _ = start.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body)


def _wire(answer: Answer) -> Iterator[bytes]:
    payload = answer.payload()
    headers = {"Content-Type": "application/json", **answer.headers}
    if answer.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.then == "keep" or answer.declared is not None:
        headers["Content-Length"] = str(len(payload) if answer.declared is None else answer.declared)
    head = f"HTTP/1.1 {answer.status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    yield head.encode("latin-1") + b"\r\n"
    for piece in answer.pieces if answer.pieces is not None else (payload,):
        if answer.chunked:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        elif piece:
            yield piece
    if answer.chunked and answer.then == "keep":
        yield b"0\r\n\r\n"
