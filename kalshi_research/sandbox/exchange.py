"""One running exchange: the world it shows, its accounts, keys, limits and clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalshi_research.money import MONEY_SCALE
from kalshi_research.sandbox.instants import DAY
from kalshi_research.sandbox.stream.options import StreamOptions

if TYPE_CHECKING:
    from kalshi_research.sandbox.auth import KeyRing
    from kalshi_research.sandbox.floor import Floor
    from kalshi_research.sandbox.rate_limits import Buckets, Tier
    from kalshi_research.sandbox.world import MarketSpec, World

__all__ = ["Account", "Cutoff", "Exchange", "RequestRecord"]

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
    """One request that arrived: for tests, without headers or signatures."""

    method: str
    path: str
    query: str
    status: int
    user: int | None
    received: float


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
    stream : StreamOptions
    """

    world: World
    keys: KeyRing
    accounts: list[Account]
    cutoff: Cutoff
    tier: Tier
    buckets: Buckets | None
    floor: Floor
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=20_000))
    lock: threading.Lock = field(default_factory=threading.Lock)
    stream: StreamOptions = field(default_factory=StreamOptions)

    transfers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    netting: set[tuple[str, int]] = field(default_factory=set)
    keys_made: int = 0

    def wall_ms(self) -> int:
        """The real time [ms], against which signatures are checked."""
        return time.time_ns() // 1_000_000

    def live(self, market: MarketSpec) -> bool:
        """Whether the live tier serves a market."""
        return market.settled >= self.cutoff.markets

    def historical(self, market: MarketSpec) -> bool:
        """Whether the historical tier serves a market."""
        return market.settled <= self.world.now and market.settled < self.cutoff.markets + OVERLAP
