"""What requests are charged, counted with a clock of our own and against the documented figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox_member import ORDERS, TICKER, Member, terms

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.rate_limits import (
    COSTS,
    DEFAULT_COST,
    TIERS,
    Buckets,
    Tier,
    lanes,
    tier_named,
)
from kalshi_research.sandbox.refusals import Refusal
from kalshi_research.sandbox.server import DEFAULT_NOW

SMALL = Tier("small", 20, 10, 40, 30, 1)
# The documented table: read and write budget a second, the calls of the balance a second.
DOCUMENTED = {
    "basic": (200, 100, 1), "advanced": (300, 300, 1), "expert": (600, 600, 5),
    "premier": (1_200, 1_200, 5), "paragon": (2_400, 2_400, 5), "prime": (4_800, 4_800, 5),
    "prestige": (12_000, 9_600, 5),
}  # fmt: skip


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spend(buckets: Buckets, kind: str, cost: float, user: int | None = 0, **how: Any) -> int:
    """How many calls pass before one is refused, at one instant."""
    passed = 0

    def until_refused() -> None:
        nonlocal passed
        for _ in range(1000):
            buckets.charge(user, kind, cost, **how)
            passed += 1

    with pytest.raises(Refusal) as caught:
        until_refused()
    error = {"code": "too_many_requests", "message": "too many requests"}
    assert (caught.value.status, caught.value.body) == (429, {"error": error})
    return passed


def test_tiers_are_the_documented_ones() -> None:
    assert {name: (tier.read, tier.write, tier.balance) for name, tier in TIERS.items()} == DOCUMENTED
    for name, tier in TIERS.items():
        assert tier.name == name
        assert tier.read_capacity == tier.read * (3 if name in ("basic", "advanced") else 1)
        assert tier.write_capacity == tier.write * (1 if name == "basic" else 3)
        assert tier_named(name) is tier
    with pytest.raises(ConfigError, match="gold"):
        tier_named("gold")


def test_costs_are_those_of_the_specification(shared: Path) -> None:
    spec = yaml.safe_load((shared / "spec/openapi.yaml").read_text())
    stated = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            _, found, rest = str(operation).partition("**Rate limit:** ")
            if found and rest.split()[1] == "tokens":
                key = path.replace("{", ":").replace("}", "")
                stated[method.upper(), key] = int(rest.split()[0])
    assert len(stated) >= 8
    assert {key: COSTS.get(key, DEFAULT_COST) for key in stated} == stated


def test_a_bucket_empties_and_fills_again(clock: Clock) -> None:
    buckets = Buckets(SMALL, clock)
    assert spend(buckets, "read", 10) == 4
    # A refused call takes nothing.
    clock.now += 0.25
    assert spend(buckets, "read", 5) == 1
    clock.now += 0.2
    assert spend(buckets, "read", 5) == 0
    clock.now += 0.05
    assert spend(buckets, "read", 5) == 1
    # It fills up to its capacity, not beyond.
    clock.now += 3600
    assert spend(buckets, "read", 1) == 40


def test_kinds_and_users_have_buckets_of_their_own(clock: Clock) -> None:
    buckets = Buckets(SMALL, clock, Tier("strangers", 2, 1, 3, 1, 1))
    assert spend(buckets, "read", 1) == 40
    assert spend(buckets, "write", 1) == 30
    assert spend(buckets, "balance", 1) == 1
    assert spend(buckets, "read", 1, user=1) == 40
    assert spend(buckets, "read", 1, user=None) == 3
    clock.now += 1
    assert spend(buckets, "read", 1) == 20
    assert spend(buckets, "write", 1) == 10
    assert spend(buckets, "balance", 1) == 1
    assert spend(buckets, "read", 1, user=None) == 2


def test_a_batch_fits_whole_or_not_at_all(clock: Clock) -> None:
    buckets = Buckets(SMALL, clock)
    with pytest.raises(Refusal):
        buckets.charge(0, "write", 10 * 4)
    assert spend(buckets, "write", 10 * 3) == 1


def test_every_shard_has_a_write_bucket(clock: Clock) -> None:
    buckets = Buckets(SMALL, clock)
    assert spend(buckets, "write", 10, shards=(2,)) == 3
    assert spend(buckets, "write", 10) == 3
    assert spend(buckets, "write", 10, shards=(1,)) == 3
    # One empty bucket refuses what is charged to all, and the others keep theirs.
    clock.now += 10
    assert spend(buckets, "write", 10, shards=(2,)) == 3
    assert spend(buckets, "write", 10, shards=(0, 1, 2, 3)) == 0
    assert spend(buckets, "write", 10, shards=(1,)) == 3


def test_a_promoted_user_has_the_budget_of_the_other_tier(clock: Clock) -> None:
    buckets = Buckets(SMALL, clock)
    assert spend(buckets, "read", 1) == 40
    assert spend(buckets, "read", 1, user=1) == 40
    buckets.promote(0, TIERS["basic"])
    assert spend(buckets, "read", 1) == 600
    assert spend(buckets, "write", 1) == 100
    assert spend(buckets, "read", 1, user=1) == 0


@pytest.mark.parametrize(
    ("operation", "items", "fields", "charged"),
    [
        ("CreateOrderV2", [], {}, (0, 1, 2, 3)),
        ("CreateOrderV2", [], {"exchange_index": -1}, (0, 1, 2, 3)),
        ("CreateOrderV2", [], {"exchange_index": None}, (0, 1, 2, 3)),
        ("CreateOrderV2", [], {"exchange_index": 0}, (0,)),
        ("CreateOrderV2", [], {"exchange_index": 3}, (3,)),
        ("CreateOrderV2", [], {"exchange_index": 9}, (0,)),
        ("CreateOrderV2", [], {"exchange_index": []}, (0,)),
        ("CancelOrderV2", [("exchange_index", "2")], {}, (2,)),
        ("CancelOrderV2", [("exchange_index", "-1")], {}, (0, 1, 2, 3)),
        ("CancelOrderV2", [("market_ticker", "M")], {}, (0, 1, 2, 3)),
        ("AmendOrderV2", [], {"exchange_index": 1}, (1,)),
        ("DecreaseOrderV2", [], {"exchange_index": 1}, (1,)),
        ("BatchCreateOrdersV2", [], {"exchange_index": 1}, (0,)),
        ("CreateOrderGroup", [], {"exchange_index": 1}, (0,)),
    ],
)
def test_which_shards_are_charged(
    operation: str, items: Any, fields: dict[str, Any], charged: tuple[int, ...]
) -> None:
    assert lanes(operation, items, fields) == charged


# --- over HTTP ---------------------------------------------------------------------------------------


class Meter:
    """What requests cost, read off the bucket of a sandbox whose clock stands still."""

    def __init__(self, member: Member, clock: Clock) -> None:
        self.member = member
        self.buckets = Buckets(TIERS["prestige"], clock)
        member.sandbox._exchange.buckets = self.buckets

    def cost(self, kind: str, method: str, path: str, body: Any = None, *, query: str = "") -> Any:
        before = self._left(kind)
        answer = self.member.send(method, path, body, query=query)
        assert answer.status_code < 300, answer.text
        self.answer = answer.json() if answer.content else None
        return before - self._left(kind)

    def _left(self, kind: str) -> Fraction:
        self.buckets.charge(0, kind, 0)
        return Fraction(self.buckets._buckets[0, kind, 0].tokens)


@pytest.fixture
def meter(clock: Clock) -> Iterator[Meter]:
    with Sandbox(days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        yield Meter(member, clock)


def test_what_writes_cost(meter: Meter) -> None:
    one = terms("bid", "0.01", "9")
    assert meter.cost("write", "POST", ORDERS, one) == 10
    made = meter.answer["order_id"]
    assert meter.cost("write", "POST", f"{ORDERS}/{made}/amend", terms("bid", "0.01", "8")) == 10
    assert meter.cost("write", "POST", f"{ORDERS}/{made}/decrease", {"reduce_by": "1"}) == 10
    assert meter.cost("write", "DELETE", f"{ORDERS}/{made}") == 2
    assert meter.cost("write", "POST", f"{ORDERS}/batched", {"orders": [one] * 7}) == 70
    ids = [{"order_id": row["order_id"]} for row in meter.answer["orders"]]
    assert meter.cost("write", "DELETE", f"{ORDERS}/batched", {"orders": ids[:3]}) == 6
    # An empty batch is a request as well.
    assert meter.cost("write", "POST", f"{ORDERS}/batched", {"orders": []}) == 10
    assert meter.cost("write", "DELETE", ORDERS) == 2
    assert meter.cost("write", "POST", "/portfolio/order_groups/create", {"contracts_limit": 1}) == 10
    assert meter.cost("write", "POST", "/account/api_usage_level/upgrade") == 30
    rows = meter.member.get("/markets", series_ticker="KXHARBORMATCH", status="open")["markets"]
    on_another = one | {"ticker": rows[0]["ticker"], "exchange_index": rows[0]["exchange_index"]}
    assert on_another["exchange_index"] > 0
    assert meter.cost("write", "POST", ORDERS, on_another) == 0
    assert meter.cost("write", "POST", ORDERS, one | {"exchange_index": 0}) == 10


def test_what_reads_cost(meter: Meter) -> None:
    made = meter.member.order("bid", "0.01", "1")["order_id"]
    assert meter.cost("read", "GET", "/portfolio/orders") == 10
    assert meter.cost("read", "GET", f"/portfolio/orders/{made}") == 2
    assert meter.cost("read", "GET", f"/markets/{TICKER}") == 10
    assert meter.cost("read", "GET", "/portfolio/balance") == 0
    assert meter.cost("balance", "GET", "/portfolio/balance") == 1
    assert meter.cost("write", "GET", "/portfolio/orders") == 0


def test_a_batch_beyond_the_bucket_is_refused_whole() -> None:
    with Sandbox(rate_limits=True, days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        one = terms("bid", "0.01", "1")
        rows = {"orders": [one] * 11}
        error = member.done(429, "POST", f"{ORDERS}/batched", rows)["error"]
        assert error["code"] == "too_many_requests"
        assert member.done(200, "GET", "/portfolio/orders")["orders"] == []
        rows = {"orders": [one] * 10}
        assert len(member.done(201, "POST", f"{ORDERS}/batched", rows)["orders"]) == 10


def test_the_upgrade_needs_an_order_and_lasts() -> None:
    upgrade = "/account/api_usage_level/upgrade"
    with Sandbox(rate_limits=True, days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        clock = Clock()
        sandbox._exchange.buckets = Buckets(TIERS["basic"], clock)
        assert member.done(403, "POST", upgrade)["error"]["code"] == "forbidden"
        member.order("bid", "0.01", "1")
        member.done(201, "POST", upgrade)
        limits = member.done(200, "GET", "/account/limits")
        assert limits == {
            "grants": [{"exchange_instance": "event_contract", "level": "advanced", "source": "manual"}],
            "read": {"bucket_capacity": 900, "refill_rate": 300},
            "usage_tier": "advanced",
            "write": {"bucket_capacity": 900, "refill_rate": 300},
        }
        member.done(201, "POST", "/portfolio/subaccounts", {})
        rows = {"orders": [terms("bid", "0.01", "1")] * 40}
        assert len(member.done(201, "POST", f"{ORDERS}/batched", rows)["orders"]) == 40


def test_an_upgrade_does_not_lower_a_tier() -> None:
    with Sandbox(days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        member.order("bid", "0.01", "1")
        member.done(201, "POST", "/account/api_usage_level/upgrade")
        assert member.done(200, "GET", "/account/limits")["usage_tier"] == "prestige"


def test_progress_counts_own_fills_and_the_documented_shares() -> None:
    shares = {  # percent of all volume: to earn a level, to keep it
        "expert": ("0.075", "0.05"), "premier": ("0.125", "0.10"), "paragon": ("0.25", "0.20"),
        "prime": ("0.5", "0.4"), "prestige": ("1", "0.8"),
    }  # fmt: skip
    with Sandbox(users=2, days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        member.clear()
        member.order("bid", "0.50", "3", user=1)
        member.order("ask", "0.50", "2.5")
        path = "/account/api_usage_level/volume_progress"
        (row,) = member.done(200, "GET", path)["volume_progress"]
        traded = {
            trade["trade_id"]: Fraction(trade["count_fp"])
            for tier in ("/markets/trades", "/historical/trades")
            for trade in member.walk(tier, "trades", limit=1000)
            if datetime.fromisoformat(trade["created_time"]) >= DEFAULT_NOW - timedelta(days=30)
        }
        everything = sum(traded.values())
        assert row["trailing_30d_volume_fp"] == "2.50"
        assert row["computed_ts"] == 1795186800
        assert [goal["level"] for goal in row["goals"]] == list(shares)
        for goal in row["goals"]:
            for name, share in zip(("earn", "keep"), shares[goal["level"]], strict=True):
                exact = everything * Fraction(share) / 100
                assert 0 <= exact - Fraction(goal[f"{name}_volume_goal_fp"]) < Fraction(1, 100)
