"""Budgets: what a request costs, who waits how long, and that nobody is starved."""

from __future__ import annotations

import json
import math
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from kalshi_research.client import connect
from kalshi_research.client.rate_limits import (
    ANONYMOUS,
    OLD_TIERS,
    TIERS,
    UNLIMITED,
    Bucket,
    RateLimiter,
    find_tier,
    price,
)
from kalshi_research.client.timing import Timing
from kalshi_research.errors import ConfigError, DeadlineError, InputError, ServerError

BASIC = TIERS["basic"]


class FakeTime:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.t = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.t += seconds

    def timing(self) -> Timing:
        start = datetime(2026, 11, 20, 15, tzinfo=UTC)
        return Timing(
            now=lambda: start + timedelta(seconds=self.t - 1000.0),
            monotonic=lambda: self.t,
            sleep=self.sleep,
            uniform=lambda low, high: high,
        )


class ServerBucket:
    """The exchange's side, as its documentation describes it: enough tokens or 429."""

    def __init__(self, rate: float, capacity: float, time: FakeTime) -> None:
        self.rate, self.capacity, self.time = rate, capacity, time
        self.tokens, self.at = capacity, time.t
        self.served = self.refused = 0

    def ask(self, cost: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (self.time.t - self.at) * self.rate)
        self.at = self.time.t
        if self.tokens < cost - 1e-6:
            self.refused += 1
            return False
        self.tokens -= cost
        self.served += 1
        return True


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


def test_todays_tiers_are_the_documented_ones() -> None:
    assert {name: (tier.read, tier.write) for name, tier in TIERS.items()} == {
        "basic": (200, 100),
        "advanced": (300, 300),
        "expert": (600, 600),
        "premier": (1200, 1200),
        "paragon": (2400, 2400),
        "prime": (4800, 4800),
        "prestige": (12000, 9600),
    }
    assert {tier.balance for name, tier in TIERS.items() if name in ("basic", "advanced")} == {1}
    assert {tier.balance for name, tier in TIERS.items() if name not in ("basic", "advanced")} == {5}


def test_the_old_tiers_are_ten_tokens_for_each_request_a_second() -> None:
    requests_a_second = {
        "basic": (20, 10),
        "advanced": (30, 30),
        "premier": (100, 100),
        "prime": (400, 400),
    }
    assert {name: (tier.read, tier.write) for name, tier in OLD_TIERS.items()} == {
        f"2025:{name}": (10 * read, 10 * write) for name, (read, write) in requests_a_second.items()
    }


def test_an_unknown_tier_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"basic, advanced.*2025:prime"):
        find_tier("gold")


def test_every_recorded_cost_of_a_route_that_still_exists_is_in_the_table(shared: Path) -> None:
    recorded = json.loads((shared / "real/rest_demo_2026_06/account__endpoint_costs.json").read_text())
    checked = 0
    for entry in recorded["endpoint_costs"]:
        route = entry["path"].removeprefix("/trade-api/v2").replace("*", ":")
        if route.startswith("/portfolio/orders") and entry["method"] != "GET":
            continue  # the removed order routes
        parts = ["some-id" if part.startswith(":") else part for part in route.split("/")]
        assert price(entry["method"], "/".join(parts))[1] == entry["cost"], entry
        checked += 1
    assert checked >= 10


def test_every_cost_the_specification_states_is_in_the_table(shared: Path) -> None:
    spec = yaml.safe_load((shared / "spec/openapi.yaml").read_text())
    stated = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            text = json.dumps(operation)
            _, found, rest = text.partition("**Rate limit:** ")
            if found and rest.split()[1] == "tokens":
                stated[method.upper(), path] = int(rest.split()[0])
    assert len(stated) >= 8
    for (method, path), tokens in stated.items():
        route = "/".join("some-id" if part.startswith("{") else part for part in path.split("/"))
        assert price(method, route)[1] == tokens, (method, path)


def test_a_cancel_in_a_batch_costs_a_fifth_of_a_create() -> None:
    for route in ("/portfolio/events/orders/batched", "/portfolio/orders/batched"):
        create, cancel = price("POST", route, 7)[1], price("DELETE", route, 7)[1]
        assert cancel / create == 0.2
    assert price("POST", "/portfolio/events/orders/batched", 7) == ("write", 70)


@pytest.mark.parametrize(
    ("method", "route", "bucket", "cost"),
    [
        ("GET", "/markets", "read", 10),
        ("GET", "/portfolio/orders", "read", 10),
        ("GET", "/portfolio/orders/abc", "read", 2),
        ("GET", "/portfolio/balance", "balance", 1),
        ("GET", "/margin/balance", "read", 5),
        ("POST", "/portfolio/events/orders", "write", 10),
        ("DELETE", "/portfolio/events/orders", "write", 2),
        ("DELETE", "/portfolio/events/orders/abc", "write", 2),
        ("POST", "/portfolio/events/orders/abc/amend", "write", 10),
        ("POST", "/account/api_usage_level/upgrade", "write", 30),
    ],
)
def test_prices(method, route, bucket, cost) -> None:
    assert price(method, route) == (bucket, cost)


def test_a_burst_is_free_and_then_the_refill_sets_the_pace(clock) -> None:
    limiter = RateLimiter(BASIC, timing=clock.timing())
    for _ in range(20):
        limiter.acquire("GET", "/markets", 1, math.inf)
    assert clock.slept == []
    for _ in range(40):
        limiter.acquire("GET", "/markets", 1, math.inf)
    assert sum(clock.slept) == pytest.approx(2.0)  # 400 tokens at 200 a second


def test_writes_do_not_wait_for_a_bulk_of_reads(clock) -> None:
    limiter = RateLimiter(BASIC, timing=clock.timing())
    bucket = limiter.bucket("read")
    for _ in range(500):
        assert bucket.reserve(10, math.inf) is not None
    limiter.acquire("POST", "/portfolio/events/orders", 1, math.inf)
    limiter.acquire("GET", "/portfolio/balance", 1, math.inf)
    assert clock.slept == []
    rows = {row["bucket"]: row for row in limiter.rows()}
    assert rows["read"]["tokens_left"] == 0
    assert rows["write"]["tokens_left"] == 90
    assert rows["write"]["calls"] == rows["balance"]["calls"] == 1


def test_the_balance_is_read_once_a_second_beside_the_other_reads(clock) -> None:
    limiter = RateLimiter(BASIC, timing=clock.timing())
    for _ in range(4):
        limiter.acquire("GET", "/portfolio/balance", 1, math.inf)
    assert clock.slept == [1.0, 1.0, 1.0]
    assert {row["bucket"]: row["tokens_left"] for row in limiter.rows()}["read"] == 200


def test_those_who_wait_are_served_in_the_order_they_came(clock) -> None:
    bucket = Bucket("read", "basic", 100, 10, clock.timing())
    assert [bucket.reserve(10, math.inf) for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_wait_longer_than_the_deadline_fails_at_once_and_takes_nothing(clock) -> None:
    limiter = RateLimiter(ANONYMOUS, timing=clock.timing())
    for _ in range(3):
        limiter.acquire("GET", "/markets", 1, clock.t + 1)
    for _ in range(2):
        with pytest.raises(DeadlineError, match="nothing was sent"):
            limiter.acquire("GET", "/markets", 1, clock.t + 0.2)
    assert clock.slept == []
    limiter.acquire("GET", "/markets", 1, clock.t + 0.4)
    assert clock.slept == [pytest.approx(1 / 3)]


def test_without_a_key_three_requests_a_second_are_planned(clock) -> None:
    limiter = RateLimiter(ANONYMOUS, timing=clock.timing())
    for _ in range(33):
        limiter.acquire("GET", "/markets", 1, math.inf)
    assert sum(clock.slept) == pytest.approx(10.0)


def test_a_costly_read_does_not_block_for_ever_where_the_bucket_is_small(clock) -> None:
    limiter = RateLimiter(ANONYMOUS, timing=clock.timing())
    limiter.acquire("GET", "/cfbenchmarks", 1, math.inf)
    limiter.acquire("GET", "/markets", 1, math.inf)
    assert sum(clock.slept) == pytest.approx((150 - 30 + 10) / 30)


def limits(read=(300, 900), write=(300, 900), tier="advanced") -> dict:
    return {
        "usage_tier": tier,
        "read": {"refill_rate": read[0], "bucket_capacity": read[1]},
        "write": {"refill_rate": write[0], "bucket_capacity": write[1]},
        "grants": [],
    }


def test_the_real_budget_is_asked_once_and_only_when_it_matters(clock) -> None:
    asked = []

    def learn(ends: float) -> dict:
        asked.append(ends)
        return limits()

    limiter = RateLimiter(BASIC, timing=clock.timing(), learn=learn)
    for _ in range(20):
        limiter.acquire("GET", "/markets", 1, math.inf)
    assert asked == []
    for _ in range(70):
        limiter.acquire("GET", "/markets", 1, math.inf)
    assert len(asked) == 1
    assert clock.slept == []
    read = limiter.rows()[0]
    assert (read["tier"], read["refill_rate"], read["capacity"]) == ("advanced", 300, 900)
    assert read["tokens_left"] == 0


def test_the_recorded_answer_is_understood(clock, shared: Path) -> None:
    recorded = json.loads((shared / "real/rest_demo_2026_06/account__limits.json").read_text())
    limiter = RateLimiter(UNLIMITED, timing=clock.timing(), learn=lambda ends: recorded)
    limiter.learn_once(math.inf)
    assert [(row["tier"], row["refill_rate"], row["capacity"]) for row in limiter.rows()] == [
        ("basic", 200, 200),
        ("basic", 100, 100),
        ("basic", 1, 1),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"read": None, "write": 7, "usage_tier": None},
        {"read": {"refill_rate": -1, "bucket_capacity": 0}},
        {"read": {"refill_rate": "many"}},
        {"read": {"refill_rate": True, "bucket_capacity": True}},
    ],
)
def test_a_useless_answer_leaves_the_assumed_budget(clock, answer) -> None:
    limiter = RateLimiter(BASIC, timing=clock.timing(), learn=lambda ends: answer)
    limiter.learn_once(math.inf)
    assert [row["refill_rate"] for row in limiter.rows()] == [200, 100, 1]


def test_a_failure_to_learn_is_no_failure(clock) -> None:
    def learn(ends: float) -> dict:
        raise ServerError(503)

    limiter = RateLimiter(BASIC, timing=clock.timing(), learn=learn)
    for _ in range(40):
        limiter.acquire("GET", "/markets", 1, math.inf)
    assert sum(clock.slept) == pytest.approx(1.0)


def test_a_batch_that_can_never_fit_is_refused_before_it_is_sent(clock) -> None:
    limiter = RateLimiter(BASIC, timing=clock.timing())
    with pytest.raises(InputError, match="at most 10 at once"):
        limiter.acquire("POST", "/portfolio/events/orders/batched", 11, math.inf)
    limiter.acquire("POST", "/portfolio/events/orders/batched", 10, math.inf)
    with pytest.raises(InputError, match="at most 50 at once"):
        limiter.acquire("DELETE", "/portfolio/events/orders/batched", 51, math.inf)


def test_the_simulated_exchange_is_not_throttled(clock) -> None:
    limiter = RateLimiter(UNLIMITED, timing=clock.timing())
    for _ in range(1000):
        limiter.acquire("GET", "/markets", 1, clock.t + 0.001)
    limiter.bucket("read").note_refusal()
    limiter.acquire("GET", "/markets", 1, clock.t + 0.001)
    assert clock.slept == []
    assert limiter.rows()[0]["status_429"] == 1
    assert limiter.rows()[0]["calls"] == 1001


def test_after_a_refusal_the_bucket_is_empty_and_slower(clock) -> None:
    bucket = Bucket("read", "basic", 100, 100, clock.timing())
    for _ in range(5):
        bucket.note_refusal()  # one burst
    assert bucket.reserve(10, math.inf) == pytest.approx(10 / 70)
    assert bucket.row()["status_429"] == 5
    clock.t += 60
    assert bucket.reserve(100, math.inf) == 0
    assert bucket.reserve(10, math.inf) == pytest.approx(10 / 100)  # recovered


def test_two_programs_with_one_key_share_with_few_refusals(clock) -> None:
    """Eight callers in two kernels, five minutes: at most one in a hundred is refused."""
    server = ServerBucket(200, 200, clock)
    limiters = [RateLimiter(BASIC, timing=clock.timing()) for _ in range(2)]
    end = clock.t + 300
    events = [(clock.t, who, "turn") for who in (0, 1) for _ in range(4)]
    while events:
        events.sort()
        clock.t, who, what = events.pop(0)
        bucket = limiters[who].bucket("read")
        if what == "turn" and clock.t < end:
            events.append((clock.t + bucket.reserve(10, math.inf), who, "arrival"))
        elif what == "arrival":
            if not server.ask(10):
                bucket.note_refusal()
            events.append((clock.t + 0.02, who, "turn"))
    assert server.served > 0.85 * 20 * 300
    assert server.refused / (server.served + server.refused) <= 0.01


def test_threads_never_take_the_same_tokens() -> None:
    time = FakeTime()
    bucket = Bucket("read", "basic", 10, 1000, time.timing())
    waits: list[float] = []

    def spend() -> None:
        waits.extend(bucket.reserve(10, math.inf) for _ in range(50))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait == 0 for wait in waits) == 100
    assert max(waits) == pytest.approx(100.0)


def test_usage_has_one_row_per_bucket() -> None:
    rows = connect("prod", tier="premier").usage()
    assert [row["bucket"] for row in rows] == ["read", "write", "balance"]
    assert {row["tier"] for row in rows} == {"premier"}
    assert set(rows[0]) == {
        "bucket", "tier", "refill_rate", "capacity", "tokens_left",
        "calls", "waited_seconds", "status_429",
    }  # fmt: skip
    assert [row["refill_rate"] for row in connect("prod").usage()[:2]] == [30, 30]
