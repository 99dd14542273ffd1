"""A request that is about to be bitten, and what is to be said to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from kalshi_research.sandbox.dispatch import PREFIX
from kalshi_research.sandbox.faults.line import head

if TYPE_CHECKING:
    from kalshi_research.sandbox.dispatch import Message, Receive, Scope, Send
    from kalshi_research.sandbox.faults.line import Line

__all__ = ["Answer", "Call", "Deliver", "Inner", "Outcome", "json_answer", "plainly"]

Deliver = Callable[["Line", "Send", "Answer"], Awaitable[None]]
Inner = Callable[["Call"], Awaitable["Outcome"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a whole."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def raw(self) -> bytes:
        """Head and body, the length as declared by its headers."""
        return head(self.status, self.headers) + self.body

    def with_body(self, body: bytes) -> Answer:
        """Another body with its true length."""
        kept = tuple(header for header in self.headers if header[0].lower() != b"content-length")
        return replace(self, body=body, headers=((b"content-length", b"%d" % len(body)), *kept))

    def json(self) -> Any:
        """The body decoded, or None where it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None


def json_answer(status: int, body: object) -> Answer:
    """An answer with a JSON body.

    Examples
    --------
    >>> json_answer(200, {}).raw()[-2:]
    b'{}'
    """
    return Answer(status, headers=((b"content-type", b"application/json"),)).with_body(
        msgspec.json.encode(body)
    )


async def plainly(_: Line, send: Send, answer: Answer) -> None:
    """Send an answer as any other; the connection is kept."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer and the way in which it is said."""

    answer: Answer
    deliver: Deliver = plainly


@dataclass(slots=True)
class Call:
    """One request, read as a whole.

    Attributes
    ----------
    scope : dict
    body : bytes
    place : str
        Word and path, the way that rules name it.
    """

    scope: Scope
    body: bytes
    place: str
    fields: Any = field(default=None)

    @classmethod
    async def read(cls, scope: Scope, receive: Receive) -> Call:
        """Take the whole request in."""
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"].removeprefix(PREFIX)
        return cls(scope, body, f"{scope['method']} {path}")

    @property
    def path(self) -> str:
        """Without the prefix."""
        return self.place.partition(" ")[2]

    @property
    def query(self) -> str:
        """As on the wire."""
        found: bytes = self.scope["query_string"]
        return found.decode("latin-1")

    @property
    def text(self) -> str:
        """Query and body, for `Rule.where`."""
        return f"{self.query} {self.body.decode('utf-8', 'replace')}"

    def json(self) -> Any:
        """The body decoded; an empty object where there is none to decode."""
        if self.fields is None:
            try:
                self.fields = msgspec.json.decode(self.body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.fields = {}
        return self.fields

    def asking(self, query: str) -> Call:
        """The same with another query."""
        return Call(dict(self.scope) | {"query_string": query.encode("latin-1")}, self.body, self.place)

    def saying(self, fields: object) -> Call:
        """The same with another JSON body."""
        return Call(self.scope, msgspec.json.encode(fields), self.place)

    def replay(self) -> Receive:
        """The request once more, for an application."""
        waiting: list[Message] = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        return receive
