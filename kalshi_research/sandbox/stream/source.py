"""What the stream asks of the exchange behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Event

__all__ = ["Listing", "Source"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A market at one moment: its book and the figures of its ticker.

    Attributes
    ----------
    ticker, market_id : str, str
        The id is a UUID.
    clock : int
        Events with a clock up to this one are included.
    changed : int
        Clock of the newest change of the book, 0 when it never changed.
    yes, no : list of (price, count)
        Bids of both legs at the prices of the leg [1/10 000 dollar, 1/100 contract].
    volume, open_interest, last_price, last_size : int
    dollar_volume : int
        YES price × count over all trades [1/1 000 000 dollar].
    quoted : bool
        Whether an order ever rested in it.
    """

    ticker: str
    market_id: str
    clock: int = 0
    changed: int = 0
    yes: Sequence[tuple[int, int]] = field(default_factory=list)
    no: Sequence[tuple[int, int]] = field(default_factory=list)
    volume: int = 0
    open_interest: int = 0
    dollar_volume: int = 0
    last_price: int = 0
    last_size: int = 0
    quoted: bool = False


class Source(Protocol):
    """An exchange that can be listened to, from any thread."""

    def listen(self, callback: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        """Call back with the events of every action, in order; the answer ends it."""
        ...

    def listing(self, ticker: str) -> Listing | None:
        """A market as it is now; None for one that is not there."""
        ...

    def ticker_of(self, market_id: str) -> str | None:
        """The market of a UUID."""
        ...

    def now(self) -> int:
        """The time of the exchange [µs since 1970]."""
        ...

    def user_id(self, user: str) -> str:
        """The UUID of a user of the engine."""
        ...

    def is_combo(self, ticker: str) -> bool:
        """Whether a market is a combination of others."""
        ...

    def structure(self, ticker: str, bands: tuple[tuple[int, int, int], ...]) -> str:
        """The name of a price grid, empty for one that has none."""
        ...

    def announcement(self, ticker: str) -> dict[str, Any] | None:
        """What is said when a market is created; None when that was before anybody could listen."""
        ...
