"""Token buckets: what a request costs, how much there is, and how long to wait.

The exchange gives every user a read and a write bucket. A request takes its cost in
tokens; what the bucket cannot cover is answered with 429. The client keeps the same
account, so that it waits instead of being refused. Reading the balance has a bucket of
its own.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from kalshi_research.errors import (
    ConfigError,
    InputError,
    KalshiError,
    UnsentDeadlineError,
    printable,
    quoted,
)

if TYPE_CHECKING:
    from kalshi_research.client.timing import Timing

__all__ = [
    "DEFAULT_COST",
    "OLD_TIERS",
    "TIERS",
    "Bucket",
    "RateLimiter",
    "Tier",
    "find_tier",
    "fits",
    "price",
]

DEFAULT_COST = 10
"""What a request costs unless the table below says otherwise [tokens]."""


@dataclass(frozen=True)
class Tier:
    """The budget of an account.

    Attributes
    ----------
    name : str
        As ``GET /account/limits`` says it.
    read, write : float
        Refill of the two buckets [tokens/s].
    balance : float
        Calls of ``/portfolio/balance`` [1/s].
    """

    name: str
    read: float
    write: float
    balance: float


# Token model. Premier and above were raised by a fifth on 2026-09-24.
TIERS = {
    tier.name: tier
    for tier in (
        Tier("basic", 200, 100, 1),
        Tier("advanced", 300, 300, 1),
        Tier("expert", 600, 600, 5),
        Tier("premier", 1_200, 1_200, 5),
        Tier("paragon", 2_400, 2_400, 5),
        Tier("prime", 4_800, 4_800, 5),
        Tier("prestige", 12_000, 9_600, 5),
    )
}

# The model of the documents of 2025, which counted requests: 20/10, 30/30, 100/100 and
# 400/400 a second. A request is ten tokens; a cancel inside a batch counted 0.2.
OLD_TIERS = {
    tier.name: tier
    for tier in (
        Tier("2025:basic", 200, 100, 1),
        Tier("2025:advanced", 300, 300, 1),
        Tier("2025:premier", 1_000, 1_000, 5),
        Tier("2025:prime", 4_000, 4_000, 5),
    )
}

# The limit per address without a key is not documented; about one in twenty requests was
# refused at four to five a second.
ANONYMOUS = Tier("no key", 30, 30, 1)
UNLIMITED = Tier("unlimited", math.inf, math.inf, math.inf)

# Cost by route [tokens]; * stands for one part of the path. Batches cost per item.
_COSTS: dict[tuple[str, str], float] = {
    ("GET", "/portfolio/orders/*"): 2,
    ("DELETE", "/portfolio/events/orders"): 2,
    ("DELETE", "/portfolio/events/orders/*"): 2,
    ("DELETE", "/portfolio/events/orders/batched"): 2,
    ("DELETE", "/portfolio/orders/batched"): 2,
    ("POST", "/communications/quotes"): 2,
    ("GET", "/communications/quotes/*"): 2,
    ("DELETE", "/communications/quotes/*"): 2,
    ("GET", "/communications/rfqs/*/quotes/*"): 2,
    ("DELETE", "/communications/rfqs/*/quotes/*"): 2,
    ("PUT", "/multivariate_event_collections/*/lookup"): 2,
    ("POST", "/account/api_usage_level/upgrade"): 30,
    ("GET", "/margin/balance"): 5,
    ("GET", "/cfbenchmarks"): 150,
    ("GET", "/cfbenchmarks/*"): 150,
}
_BALANCE = "/portfolio/balance"


def find_tier(name: str, dialect: str = "2026") -> Tier:
    """The tier of that name, of today's table or (``"2025:..."``) of the old one.

    In the dialect of 2025 the names of its documents are enough.

    Examples
    --------
    >>> find_tier("basic").read
    200
    >>> find_tier("2025:prime").read
    4000
    >>> find_tier("basic", "2025").write
    100
    """
    known = {**TIERS, **OLD_TIERS}
    if dialect == "2025" and isinstance(name, str):
        known = OLD_TIERS
        name = f"2025:{name.lower().removeprefix('2025:')}"
    if name not in known:
        raise ConfigError(
            f"tier={quoted(name, 60)} is unknown; nothing was sent.\nChoose {', '.join(known)}."
        )
    return known[name]


def price(method: str, route: str, items: int = 1) -> tuple[str, float]:
    """Which bucket pays for a request, and how much [tokens].

    Examples
    --------
    >>> price("GET", "/markets")
    ('read', 10)
    >>> price("POST", "/portfolio/events/orders/batched", items=5)
    ('write', 50)
    >>> price("DELETE", "/portfolio/events/orders/batched", items=5)
    ('write', 10)
    """
    if method == "GET" and route == _BALANCE:
        return "balance", 1
    cost = _COSTS.get((method, route))
    if cost is None:
        cost = next(
            (value for (verb, form), value in _COSTS.items() if verb == method and fits(route, form)),
            DEFAULT_COST,
        )
    return "read" if method == "GET" else "write", cost * max(items, 1)


def fits(route: str, form: str) -> bool:
    """Whether a route has a form, in which * stands for one part."""
    parts, wanted = route.split("/"), form.split("/")
    if len(parts) != len(wanted):
        return False
    return all(want in ("*", part) for part, want in zip(parts, wanted, strict=True))


class Bucket:
    """One budget, shared by every thread of a client.

    Waiting callers have already taken their tokens, so the account may be negative: they
    are served in the order they came. After a 429 the bucket counts as empty and refills
    more slowly for a while, because another program is spending from the same account.
    """

    _SLOWER = 0.7
    _RECOVERY = 0.005  # of the full rate, per second

    def __init__(
        self,
        name: str,
        tier: str,
        rate: float,
        capacity: float,
        timing: Timing,
        *,
        margin: float = 0.0,
    ) -> None:
        self.name = name
        self.tier = tier
        self.rate = rate
        self.capacity = capacity
        self.calls = 0
        self.waited = 0.0
        self.refused = 0
        self._timing = timing
        self._margin = margin
        self._tokens = capacity
        self._share = 1.0
        self._filled_at = timing.monotonic()
        self._slowed_at = -math.inf
        self._lock = threading.Lock()

    def reserve(self, cost: float, longest: float) -> float | None:
        """Take `cost` tokens and say how long to wait for them [s]; None when longer than `longest`."""
        with self._lock:
            wait = self._wait(cost)
            if wait > longest:
                return None
            self.calls += 1
            self.waited += wait
            if math.isfinite(self.rate):
                self._tokens -= cost
            return wait

    def pinches(self, cost: float) -> bool:
        """Whether a request of this cost would have to wait."""
        with self._lock:
            return self._wait(cost) > 0

    def note_refusal(self) -> None:
        """The exchange answered 429."""
        with self._lock:
            self._fill()
            self.refused += 1
            if not math.isfinite(self.rate):
                return
            self._tokens = min(self._tokens, 0.0)
            now = self._timing.monotonic()
            if now - self._slowed_at >= 1.0:  # one burst of refusals is one piece of news
                self._share = max(0.1, self._share * self._SLOWER)
                self._slowed_at = now

    def resize(self, tier: str, rate: float, capacity: float) -> None:
        """Go on with another budget; what is spent stays spent."""
        with self._lock:
            self._fill()
            spent = self.capacity - self._tokens if math.isfinite(self.capacity) else 0.0
            self.tier, self.rate, self.capacity = tier, rate, capacity
            self._tokens = capacity - spent

    def row(self) -> dict[str, Any]:
        """One row of `Client.usage`."""
        with self._lock:
            self._fill()
            return {
                "bucket": self.name,
                "tier": self.tier,
                "refill_rate": self.rate,
                "capacity": self.capacity,
                "tokens_left": max(0.0, round(self._tokens, 1)),
                "calls": self.calls,
                "waited_seconds": round(self.waited, 3),
                "status_429": self.refused,
            }

    def _wait(self, cost: float) -> float:
        if not math.isfinite(self.rate):
            return 0.0
        self._fill()
        short = min(cost, self.capacity) - self._tokens
        return short / (self.rate * self._share) + self._margin if short > 0 else 0.0

    def _fill(self) -> None:
        now = self._timing.monotonic()
        elapsed = max(0.0, now - self._filled_at)
        self._filled_at = now
        if math.isfinite(self.rate):
            self._tokens = min(self.capacity, self._tokens + elapsed * self.rate * self._share)
        self._share = min(1.0, self._share + elapsed * self._RECOVERY)


class RateLimiter:
    """The three buckets of one client.

    Parameters
    ----------
    tier : Tier
        What to assume until the exchange says otherwise.
    learn : callable, optional
        Asks ``/account/limits`` before the given moment. It is called once, when the assumed
        budget first makes a request wait or a 429 arrives: a short session costs no extra
        request.
    price_of : callable
        Which bucket pays for a request, and how much.
    margin : float
        How much longer than needed to wait [s].
    """

    def __init__(
        self,
        tier: Tier,
        *,
        timing: Timing,
        learn: Callable[[float], Mapping[str, Any]] | None = None,
        price_of: Callable[[str, str, int], tuple[str, float]] = price,
        margin: float = 0.0,
    ) -> None:
        self._timing = timing
        self._learn = learn
        self._price_of = price_of
        self._known = tier not in (ANONYMOUS, UNLIMITED) and learn is None
        self._lock = threading.Lock()
        self._buckets = {
            name: Bucket(name, tier.name, rate, rate, timing, margin=margin)
            for name, rate in (("read", tier.read), ("write", tier.write), ("balance", tier.balance))
        }

    def acquire(self, method: str, route: str, items: int, ends: float) -> Bucket:
        """Wait until the request may be sent; `ends` is the deadline on the monotonic clock [s]."""
        name, cost = self._price_of(method, route, items)
        bucket = self._buckets[name]
        if bucket.pinches(cost):
            self.learn_once(ends)
        if items > 1 and self._known and cost > bucket.capacity:
            most = int(bucket.capacity // (cost / items))
            raise InputError(
                f"a batch of {items} costs {cost:g} tokens, the {name} bucket holds "
                f"{bucket.capacity:g}; nothing was sent.\nSend at most {most} at once."
            )
        wait = bucket.reserve(cost, ends - self._timing.monotonic())
        if wait is None:
            raise UnsentDeadlineError(
                f"{method} {printable(route, 80)} would wait for the rate limit of the {name} bucket "
                "longer than its deadline; nothing was sent.\n"
                "Pass a longer deadline=, or see client.usage()."
            )
        if wait > 0:
            self._timing.sleep(wait)
        return bucket

    def learn_once(self, ends: float) -> None:
        """Ask the exchange for the real budget; what goes wrong leaves the assumed one."""
        with self._lock:
            learn, self._learn = self._learn, None
        if learn is None:
            return
        try:
            self._apply(learn(ends))
        except KalshiError:
            return

    def _apply(self, limits: Mapping[str, Any]) -> None:
        tier = printable(limits.get("usage_tier") or "unnamed", 30)
        for name in ("read", "write"):
            said = limits.get(name) or _requests(limits.get(f"{name}_limit"))
            if not isinstance(said, Mapping):
                continue
            rate, capacity = said.get("refill_rate"), said.get("bucket_capacity")
            if _positive(rate) and _positive(capacity):
                self._buckets[name].resize(tier, rate, capacity)
                self._known = True
        calls = TIERS[tier].balance if tier in TIERS else 1
        self._buckets["balance"].resize(tier, calls, calls)

    def bucket(self, name: str) -> Bucket:
        """One of ``read``, ``write``, ``balance``."""
        return self._buckets[name]

    def rows(self) -> list[dict[str, Any]]:
        """One row per bucket."""
        return [bucket.row() for bucket in self._buckets.values()]


def _requests(limit: object) -> dict[str, float] | None:
    """A budget that is said in requests a second, as in 2025."""
    if not _positive(limit):
        return None
    return {"refill_rate": limit * DEFAULT_COST, "bucket_capacity": limit * DEFAULT_COST}


def _positive(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9
