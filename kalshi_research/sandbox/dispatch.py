"""From a path to its handler: a table that is looked up, not a list of patterns that is tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

__all__ = [
    "PREFIX", "Asked", "Message", "Receive", "Said", "Scope", "Send", "Table", "is_ours", "say", "told",
]  # fmt: skip

T = TypeVar("T")

PREFIX = "/trade-api/v2"
"""What the path of every request begins with."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_encode = msgspec.json.Encoder().encode


def is_ours(headers: Mapping[str, str], hosts: Collection[str]) -> bool:
    """Whether a request was addressed to this server, by its ``Host`` and ``Origin``.

    A page in a browser can reach loopback too; it cannot forge these headers.

    Parameters
    ----------
    headers : mapping of str to str
        By lower-case name.
    hosts : collection of str
        The values of ``Host`` that are ours.

    Examples
    --------
    >>> is_ours({"host": "localhost:8765", "origin": "https://example.org"}, {"localhost:8765"})
    False
    """
    origin = headers.get("origin")
    return headers.get("host", "") in hosts and (origin is None or origin.partition("://")[2] in hosts)


class Asked:
    """One request over HTTP.

    Attributes
    ----------
    scope : dict
    method : str
    headers : dict of str to str
        By lower-case name; of a repeated one, the first.
    """

    __slots__ = ("_receive", "headers", "method", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self._receive = receive
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])
        }

    @property
    def raw_path(self) -> str:
        """The path as on the wire, without the query: what a signature covers."""
        raw: bytes = self.scope["raw_path"]
        return raw.decode("latin-1").partition("?")[0]

    def items(self) -> list[tuple[str, str]]:
        """The query."""
        query: bytes = self.scope["query_string"]
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else []

    async def body(self) -> bytes:
        """All of it."""
        parts = []
        while True:
            message = await self._receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)


Said = tuple[int, bytes | None]
"""An answer: its status, and its body where it has one."""


def told(status: int, body: dict[str, Any]) -> Said:
    """An answer in JSON.

    Examples
    --------
    >>> told(200, {"cursor": ""})
    (200, b'{"cursor":""}')
    """
    return status, _encode(body)


async def say(said: Said, send: Send) -> None:
    """Send an answer."""
    status, body = said
    headers = (
        []
        if body is None
        else [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    )
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})


class Table(Generic[T]):
    """Paths and what answers them; a part in braces stands for any one part.

    A path without such parts comes before those with them; these are tried in their order.

    Examples
    --------
    >>> table = Table[str]()
    >>> table.add("GET", "/markets/{ticker}", "one")
    >>> table.add("GET", "/markets/trades", "trades")
    >>> table.find("GET", "/markets/trades"), table.find("GET", "/markets/M")
    (('trades', {}), ('one', {'ticker': 'M'}))
    >>> table.find("POST", "/markets/M") is None
    True
    """

    def __init__(self) -> None:
        self._plain: dict[tuple[str, str], T] = {}
        self._open: dict[tuple[str, int], list[tuple[list[str], T]]] = {}

    def add(self, method: str, path: str, answer: T) -> None:
        """Put a path in."""
        if "{" not in path:
            self._plain.setdefault((method, path), answer)
            return
        parts = path.split("/")
        self._open.setdefault((method, len(parts)), []).append((parts, answer))

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """What answers a path, and the parts that stand in for names."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain, {}
        parts = path.split("/")
        for pattern, answer in self._open.get((method, len(parts)), ()):
            names = _match(pattern, parts)
            if names is not None:
                return answer, names
        return None


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    names: dict[str, str] = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected[:1] == "{":
            if not part:
                return None
            names[expected[1:-1]] = part
        elif expected != part:
            return None
    return names
