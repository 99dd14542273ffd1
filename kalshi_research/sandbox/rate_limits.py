"""Token buckets: a read and a write bucket a user, one a second for the balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kalshi_research.errors import ConfigError, printable
from kalshi_research.sandbox.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ANONYMOUS", "COSTS", "DEFAULT_COST", "TIERS", "Buckets", "Tier", "tier_named"]

DEFAULT_COST = 10
COSTS: dict[tuple[str, str], int] = {
    ("POST", "/account/api_usage_level/upgrade"): 30,
    ("POST", "/communications/quotes"): 2,
    ("GET", "/communications/quotes"): 2,
    ("DELETE", "/communications/quotes/:quote_id"): 2,
    ("GET", "/margin/balance"): 5,
    ("DELETE", "/portfolio/events/orders"): 2,
    ("DELETE", "/portfolio/events/orders/:order_id"): 2,
    ("DELETE", "/portfolio/events/orders/batched"): 2,
    ("GET", "/portfolio/orders/:order_id"): 2,
}
"""Tokens of the operations that do not cost the default."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What an account may spend [tokens a second] and save up [tokens]."""

    name: str
    read: int
    write: int
    read_capacity: int
    write_capacity: int
    balance: int


def _tier(name: str, read: int, write: int) -> Tier:
    small = name in {"basic", "advanced"}
    return Tier(
        name, read, write,
        read * 3 if small else read,
        write if name == "basic" else write * 3,
        1 if small else 5,
    )  # fmt: skip


TIERS = {
    name: _tier(name, read, write)
    for name, read, write in (
        ("basic", 200, 100),
        ("advanced", 300, 300),
        ("expert", 600, 600),
        ("premier", 1_200, 1_200),
        ("paragon", 2_400, 2_400),
        ("prime", 4_800, 4_800),
        ("prestige", 12_000, 9_600),
    )
}
ANONYMOUS = Tier("anonymous", 30, 10, 60, 10, 1)


def tier_named(name: str) -> Tier:
    """A tier by its name.

    Examples
    --------
    >>> tier_named("basic").read_capacity
    600
    """
    if name not in TIERS:
        raise ConfigError(
            f"there is no usage tier {printable(repr(name), 40)}; the sandbox was not started. "
            f"Use one of {', '.join(TIERS)}."
        )
    return TIERS[name]


class _Bucket:
    __slots__ = ("capacity", "refill", "tokens", "when")

    def __init__(self, refill: float, capacity: float, now: float) -> None:
        self.refill, self.capacity, self.tokens, self.when = refill, capacity, capacity, now

    def take(self, cost: float, now: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.when) * self.refill)
        self.when = now
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Buckets:
    """The buckets of all users; `clock` is monotonic [s], `strangers` what callers without a key get."""

    def __init__(self, tier: Tier, clock: Callable[[], float], strangers: Tier = ANONYMOUS) -> None:
        self.tier = tier
        self._strangers = strangers
        self._clock = clock
        self._buckets: dict[tuple[int | None, str], _Bucket] = {}

    def charge(self, user: int | None, kind: str, cost: float) -> None:
        """Take tokens from a bucket: ``read``, ``write`` or ``balance``; `user` None is a stranger.

        Raises
        ------
        Refusal
            429, when there are not enough.
        """
        now = self._clock()
        bucket = self._buckets.get((user, kind))
        if bucket is None:
            bucket = self._buckets[user, kind] = self._new(user, kind, now)
        if not bucket.take(cost, now):
            raise refused(429, "too_many_requests")

    def _new(self, user: int | None, kind: str, now: float) -> _Bucket:
        tier = self._strangers if user is None else self.tier
        if kind == "balance":
            return _Bucket(tier.balance, tier.balance, now)
        if kind == "write":
            return _Bucket(tier.write, tier.write_capacity, now)
        return _Bucket(tier.read, tier.read_capacity, now)
