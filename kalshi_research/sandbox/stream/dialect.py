"""What the two protocols of the stream do not have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kalshi_research.sandbox.stream import payloads, payloads_2025
from kalshi_research.sandbox.stream.channels import CHANNELS, CHANNELS_2025, Channel
from kalshi_research.sandbox.stream.codes import CODES_2025, MESSAGES, MESSAGES_2025

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import (
        BookDelta,
        FeeUpdate,
        Fill,
        Lifecycle,
        Order,
        PositionUpdate,
        Trade,
    )
    from kalshi_research.sandbox.stream.mirror import Mirror
    from kalshi_research.sandbox.stream.options import StreamOptions
    from kalshi_research.sandbox.stream.source import Source

__all__ = ["Payloads", "StreamDialect", "dialect_of"]


class Payloads(Protocol):
    """Writes the end of a frame, for the channels that both have: `payloads`, `payloads_2025`.

    None stands for a frame that the dialect does not have.
    """

    def snapshot(self, market: Mirror, *, yes_price: bool) -> bytes:
        """The whole book of a market."""
        ...

    def delta(
        self, event: BookDelta, market: Mirror, *, yes_price: bool, cause: Order | None
    ) -> bytes | None:
        """A change of one level; `cause` is the order behind it, for its owner."""
        ...

    def ticker(self, market: Mirror) -> bytes:
        """The figures of a market, without the time."""
        ...

    def timed_ticker(self, said: bytes, time: int) -> bytes:
        """A ticker with its time."""
        ...

    def trade(self, event: Trade) -> bytes | None:
        """A trade, for everybody."""
        ...

    def fill(self, event: Fill) -> bytes:
        """One party's half of a trade."""
        ...

    def market_position(self, event: PositionUpdate, user_id: str) -> bytes:
        """The state of a position."""
        ...

    def lifecycle(self, event: Lifecycle, source: Source) -> bytes | None:
        """What the life of a market brought."""
        ...

    def fee_update(self, event: FeeUpdate) -> bytes:
        """The fees of an event changed."""
        ...


@dataclass(frozen=True, slots=True)
class StreamDialect:
    """One protocol of the stream.

    Attributes
    ----------
    payloads : Payloads
    channels : mapping of str to Channel
        By every name they are subscribed to.
    messages : mapping of int to str
        Numbers and texts of the errors.
    codes : mapping of int to int
        Today's number of an error to that of the dialect, where they differ.
    unknown_market : int or None
        The error of a book that is not there; None where its subscription is taken.
    book_change : str
        What a change of a book calls itself.
    twice : bool
        Whether a message is under ``data`` as well as under ``msg``.
    stamped : bool
        Whether frames tell when they were sent.
    repairs : bool
        Whether a snapshot can be asked for.
    """

    payloads: Payloads
    channels: Mapping[str, Channel]
    messages: Mapping[int, str]
    codes: Mapping[int, int]
    unknown_market: int | None
    book_change: str = "orderbook_delta"
    twice: bool = False
    stamped: bool = True
    repairs: bool = True

    def error(self, code: int) -> dict[str, Any]:
        """An error by its number of today."""
        code = self.codes.get(code, code)
        return {"code": code, "msg": self.messages[code]}

    def message(self, said: Any) -> dict[str, Any]:
        """What a frame says, under the names it has."""
        return {"msg": said, "data": said} if self.twice else {"msg": said}


def dialect_of(options: StreamOptions) -> StreamDialect:
    """The protocol that the options ask for.

    Parameters
    ----------
    options : StreamOptions

    Examples
    --------
    >>> from kalshi_research.sandbox.stream.options import StreamOptions
    >>> dialect_of(StreamOptions(dialect="2025")).error(16)["msg"]
    'Market not found'
    """
    if options.dialect != "2025":
        strict = options.unknown_ticker == "error"
        return StreamDialect(payloads, CHANNELS, MESSAGES, {}, unknown_market=11 if strict else None)
    return StreamDialect(
        payloads_2025,
        CHANNELS_2025,
        MESSAGES_2025,
        CODES_2025 | {2: options.missing_params},
        unknown_market=16,
        book_change=options.book_change,
        twice=True,
        stamped=False,
        repairs=False,
    )
