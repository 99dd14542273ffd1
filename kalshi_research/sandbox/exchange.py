"""One running exchange: the world it shows, its accounts, keys, limits and clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalshi_research.money import MONEY_SCALE
from kalshi_research.sandbox.auth import SKEW_MS
from kalshi_research.sandbox.faults.script import Faults
from kalshi_research.sandbox.faults.standing import install
from kalshi_research.sandbox.instants import DAY
from kalshi_research.sandbox.stream.options import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kalshi_research.sandbox.auth import KeyRing
    from kalshi_research.sandbox.dialects import Dialect
    from kalshi_research.sandbox.faults.lag import Lag
    from kalshi_research.sandbox.floor import Floor
    from kalshi_research.sandbox.order_truth import BookLog
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
    grants : dict
        Usage levels that users were granted, by user.
    cutoff_days : int
        How old the cutoff is; it moves on with the days of the world.
    words : dict
        Side and action of orders as they were written, by id: the dialect of 2025 has both.
    stream : StreamOptions
    faults : Faults
        What goes wrong on purpose.
    lag : Lag or None
        What reads of the own account show instead, as long as a fault says so.
    books : BookLog or None
        The books that the truth keeps.
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
    lag: Lag | None = None
    books: BookLog | None = None

    transfers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    netting: set[tuple[str, int]] = field(default_factory=set)
    keys_made: int = 0
    words: dict[str, tuple[str, str]] = field(default_factory=dict)
    moves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    allocations: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[int, tuple[str, ...]] = field(default_factory=dict)
    cutoff_days: int = 21
    day: int = -1

    def __post_init__(self) -> None:
        install(self)

    def wall_ms(self) -> int:
        """The real time [ms], against which signatures are checked, as this exchange sees it."""
        rule = self.faults.standing("wall_clock") if self.faults.on("standing") else None
        offset = 0 if rule is None else round(rule.details["offset"] * 1000)
        return time.time_ns() // 1_000_000 + offset

    def skew_ms(self) -> int:
        """How far the timestamp of a request may be off [ms]."""
        rule = self.faults.standing("tolerance") if self.faults.on("standing") else None
        return SKEW_MS if rule is None else round(rule.details["seconds"] * 1000)

    def as_of(self) -> int:
        """The instant up to which reads of the own account are complete, as it is said [µs]."""
        return self.world.now if self.lag is None else self.lag.as_of(self.world.now)

    def tier_of(self, user: int) -> Tier:
        """The tier of a user: everybody's, or a better one that was granted."""
        if self.tier.name == "basic" and self.grants.get(user):
            return self.dialect.tier("advanced")
        return self.tier

    def age(self) -> None:
        """Hand over to the historical tier what got old, once a day of the world."""
        day = self.world.now // DAY
        if self.day != day:
            if self.day >= 0:
                self.cutoff = self.dialect.cutoff(self.world.now, self.cutoff_days)
            self.day = day

    def live(self, market: MarketSpec) -> bool:
        """Whether the live tier serves a market."""
        return market.settled >= self.cutoff.markets

    def historical(self, market: MarketSpec) -> bool:
        """Whether the historical tier serves a market."""
        return market.settled <= self.world.now and market.settled < self.cutoff.markets + OVERLAP
