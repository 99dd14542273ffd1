"""What the parts of a stream need of it, and tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kalshi_research.schemas.channels import Channel
    from kalshi_research.schemas.stream import Event, Reply, Trade
    from kalshi_research.streaming.books import Book
    from kalshi_research.streaming.link import Link
    from kalshi_research.streaming.options import StreamOptions
    from kalshi_research.streaming.prevailing import TopOfBook
    from kalshi_research.streaming.updates import Update

__all__ = ["Hub", "Tap"]

Tap = Callable[[int, bytes, "Book | None"], None]
"""Is given every message: the number of the connection, the message, and the book it changed."""


class Hub(Protocol):
    """The stream that links and questions belong to."""

    options: StreamOptions
    taps: tuple[Tap, ...]

    @property
    def watched(self) -> bool:
        """Whether anybody is told of books."""

    @property
    def simulated(self) -> bool:
        """Whether the exchange is a simulated one."""

    @property
    def lock(self) -> AbstractContextManager[object, None]:
        """Held while anything that others read changes."""

    def problem(self, text: str) -> None:
        """Something a person should know."""

    def publish(self, update: Update) -> None:
        """Something new for whoever listens."""

    def look_after(self, link: Link, now: float) -> None:
        """A connection stands: see what else is due."""

    def elsewhere(self, link: Link, channel: Channel, tickers: list[str]) -> None:
        """Markets that a connection has no room for."""

    def books_changed(self, tickers: Mapping[str, None]) -> None:
        """Books that have other contents or another status."""

    def trade(self, trade: Trade, top: TopOfBook | None) -> None:
        """A trade, and the quote that it met."""

    def own_change(self, delta: Event) -> None:
        """An order of our own changed a book."""

    def row(self, reply: Reply) -> None:
        """A frame of another channel."""

    def holed(self, link: Link, channel: str) -> None:
        """Frames of a channel were lost."""

    def interrupted(self, link: Link, channel: str) -> None:
        """A channel that was heard is heard no longer."""

    def complete(self, link: Link, channel: str, *, first: bool) -> None:
        """A channel is subscribed to, for the first time or again."""

    def grown(self, link: Link, channel: str, tickers: Sequence[str]) -> None:
        """A channel has more markets than before."""

    def disconnected(self, link: Link, reason: str) -> None:
        """A connection has ended."""

    def failed(self, error: Exception) -> None:
        """There is no point in trying again."""

    def next_connection(self) -> int:
        """A number that no other connection of the stream has had."""
