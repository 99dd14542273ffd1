"""Token buckets: a read and a write bucket a user, one a second for the balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.sandbox.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["ANONYMOUS", "COSTS", "DEFAULT_COST", "TIERS", "Buckets", "Tier", "lanes", "tier_named"]

DEFAULT_COST = 10
COSTS: dict[tuple[str, str], int] = {
    ("POST", "/account/api_usage_level/upgrade"): 30,
    ("POST", "/communications/quotes"): 2,
    ("GET", "/communications/quotes"): 2,
    ("DELETE", "/communications/quotes/:quote_id"): 2,
    ("GET", "/communications/quotes/:quote_id"): 2,
    ("DELETE", "/communications/rfqs/:rfq_id/quotes/:quote_id"): 2,
    ("GET", "/communications/rfqs/:rfq_id/quotes/:quote_id"): 2,
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
            f"there is no usage tier {quoted(name, 40)}; the sandbox was not started. "
            f"Use one of {', '.join(TIERS)}."
        )
    return TIERS[name]


_UNSCOPED = (0,)
_SHARDS = (0, 1, 2, 3)
_ROUTED = ("CreateOrderV2", "CancelOrderV2", "AmendOrderV2", "DecreaseOrderV2")


def lanes(
    operation: str, items: Sequence[tuple[str, str]], fields: Mapping[str, Any]
) -> tuple[int, ...]:
    """The shards whose write buckets a request is charged to; 0 is the bucket of everything else.

    A single order that names its shard is charged there, one that leaves it to the exchange to
    find the shard on every shard.

    Examples
    --------
    >>> lanes("CreateOrderV2", [], {"exchange_index": 2}), lanes("CreateOrderV2", [], {})
    ((2,), (0, 1, 2, 3))
    """
    if operation not in _ROUTED:
        return _UNSCOPED
    named = fields.get("exchange_index", dict(items).get("exchange_index"))
    if named in (None, -1, "-1", ""):
        return _SHARDS
    return next(((shard,) for shard in _SHARDS if named in (shard, str(shard))), _UNSCOPED)


class _Bucket:
    __slots__ = ("capacity", "refill", "tokens", "when")

    def __init__(self, refill: float, capacity: float, now: float) -> None:
        self.refill, self.capacity, self.tokens, self.when = refill, capacity, capacity, now

    def fill_up(self, now: float) -> None:
        self.tokens = min(self.capacity, self.tokens + (now - self.when) * self.refill)
        self.when = now


class Buckets:
    """The buckets of all users; `clock` is monotonic [s], `strangers` what callers without a key get."""

    def __init__(self, tier: Tier, clock: Callable[[], float], strangers: Tier = ANONYMOUS) -> None:
        self.tier = tier
        self._strangers = strangers
        self._clock = clock
        self._buckets: dict[tuple[int | None, str, int], _Bucket] = {}
        self._promoted: dict[int, Tier] = {}

    def promote(self, user: int, tier: Tier) -> None:
        """Give a user the budget of another tier, from now on."""
        self._promoted[user] = tier
        for name in [name for name in self._buckets if name[0] == user]:
            del self._buckets[name]

    def charge(
        self, user: int | None, kind: str, cost: float, shards: tuple[int, ...] = _UNSCOPED
    ) -> None:
        """Take tokens from a bucket: ``read``, ``write`` or ``balance``; `user` None is a stranger.

        Each of `shards` has a write bucket of its own; all are charged, or none.

        Raises
        ------
        Refusal
            429, when there are not enough.
        """
        now = self._clock()
        charged = []
        for shard in shards:
            bucket = self._buckets.get((user, kind, shard))
            if bucket is None:
                bucket = self._buckets[user, kind, shard] = self._new(user, kind, now)
            bucket.fill_up(now)
            charged.append(bucket)
        if any(bucket.tokens < cost for bucket in charged):
            raise refused(429, "too_many_requests")
        for bucket in charged:
            bucket.tokens -= cost

    def _new(self, user: int | None, kind: str, now: float) -> _Bucket:
        tier = self._strangers if user is None else self._promoted.get(user, self.tier)
        if kind == "balance":
            return _Bucket(tier.balance, tier.balance, now)
        if kind == "write":
            return _Bucket(tier.write, tier.write_capacity, now)
        return _Bucket(tier.read, tier.read_capacity, now)
