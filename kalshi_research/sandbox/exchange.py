"""One running exchange: the world it shows, its accounts, keys, limits and clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalshi_research.money import MONEY_SCALE
from kalshi_research.sandbox.faults.script import Faults
from kalshi_research.sandbox.instants import DAY
from kalshi_research.sandbox.stream.options import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kalshi_research.sandbox.auth import KeyRing
    from kalshi_research.sandbox.dialects import Dialect
    from kalshi_research.sandbox.floor import Floor
    from kalshi_research.sandbox.rate_limits import Buckets, Tier
    from kalshi_research.sandbox.world import MarketSpec, World

__all__ = ["Account", "Cutoff", "Exchange", "RequestRecord", "redacted"]

OVERLAP = DAY
"""How long both tiers serve the same rows after they were handed over [µs]."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """What is older than this is served by the historical tier only [µs]."""

    markets: int
    trades: int
    orders: int
    positions: int

    @classmethod
    def before(cls, now: int, days: int) -> Cutoff:
        """Midnight UTC some days ago; orders stay a third of the time."""
        midnight = now // DAY * DAY
        old = midnight - days * DAY
        return cls(old, old, midnight - max(days * 2 // 3, 1) * DAY, old)


@dataclass(slots=True)
class Account:
    """One member: cash in 1/1 000 000 dollar. Nothing is real."""

    user_id: str
    cash: int = 10_000 * MONEY_SCALE


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that arrived, for tests.

    Attributes
    ----------
    method, path, query : str
    status : int
        What was really answered; 0 where the request was lost before the exchange.
    user : int or None
    received : float
        [s since 1970]
    fault : str
        The kind of fault that bit, empty for none.
    headers : tuple of (str, str)
        Lower-case names; what is secret is replaced by its length.
    """

    method: str
    path: str
    query: str
    status: int
    user: int | None
    received: float
    fault: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


_SECRET = ("authorization", "cookie", "kalshi-access-key", "kalshi-access-signature")


def redacted(scope: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers of a request without its secrets.

    Examples
    --------
    >>> redacted({"headers": [(b"Cookie", b"abc"), (b"host", b"127.0.0.1")]})
    (('cookie', '<3 bytes>'), ('host', '127.0.0.1'))
    """
    return tuple(
        (name, f"<{len(value)} bytes>" if name in _SECRET else value.decode("latin-1"))
        for name, value in ((raw.decode("latin-1").lower(), value) for raw, value in scope["headers"])
    )


@dataclass
class Exchange:
    """What the protocol layer needs to answer.

    Attributes
    ----------
    world : World
    keys : KeyRing
    accounts : list of Account
        One a user.
    cutoff : Cutoff
    tier : Tier
        What ``/account/limits`` reports.
    buckets : Buckets or None
        None leaves the limits unenforced.
    floor : Floor
        Where orders are taken.
    dialect : Dialect
        How it speaks.
    words : dict
        Side and action of orders as they were written, by id: the dialect of 2025 has both.
    stream : StreamOptions
    faults : Faults
        What goes wrong on purpose.
    """

    world: World
    keys: KeyRing
    accounts: list[Account]
    cutoff: Cutoff
    tier: Tier
    buckets: Buckets | None
    floor: Floor
    dialect: Dialect
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=20_000))
    lock: threading.Lock = field(default_factory=threading.Lock)
    stream: StreamOptions = field(default_factory=StreamOptions)
    faults: Faults = field(default_factory=Faults)

    transfers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    netting: set[tuple[str, int]] = field(default_factory=set)
    keys_made: int = 0
    words: dict[str, tuple[str, str]] = field(default_factory=dict)

    def wall_ms(self) -> int:
        """The real time [ms], against which signatures are checked."""
        return time.time_ns() // 1_000_000

    def live(self, market: MarketSpec) -> bool:
        """Whether the live tier serves a market."""
        return market.settled >= self.cutoff.markets

    def historical(self, market: MarketSpec) -> bool:
        """Whether the historical tier serves a market."""
        return market.settled <= self.world.now and market.settled < self.cutoff.markets + OVERLAP
