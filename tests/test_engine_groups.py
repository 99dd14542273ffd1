"""Order groups: the rolling window, what triggers it, and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_research.sandbox.engine import (
    SECOND,
    Engine,
    EngineOptions,
    GroupUpdate,
    MarketSpec,
    Order,
    OrderGroup,
    Rejection,
)

HOUR = 3600 * SECOND


def exchange(**options: Any) -> Engine:
    engine = Engine(now=0, options=EngineOptions(**options))
    engine.create_market(MarketSpec("M", "E", 0, HOUR))
    for user in "AB":
        engine.create_user(user, cash=10**9)
    return engine


@pytest.fixture
def engine() -> Engine:
    return exchange()


def grouped(engine: Engine, group: OrderGroup, price: int, count: int, **more: Any) -> Order:
    return engine.submit("A", "M", "bid", price, count, group_id=group.group_id, **more).order


def sell(engine: Engine, count: int, price: int = 100) -> None:
    engine.submit("B", "M", "ask", price, count, time_in_force="immediate_or_cancel")


def told(engine: Engine) -> list[tuple[str, int]]:
    return [(e.kind, e.limit) for e in engine.drain() if isinstance(e, GroupUpdate)]


def test_more_than_the_limit_triggers(engine: Engine) -> None:
    group = engine.create_group("A", 300)
    hit = grouped(engine, group, 5000, 500)
    other = grouped(engine, group, 4000, 100)
    alone = engine.submit("A", "M", "bid", 3000, 100).order
    sell(engine, 300)
    assert not group.triggered
    sell(engine, 1)
    assert group.triggered
    # The fill that crosses the limit stays; the rest of the order goes.
    assert (hit.filled, hit.status, other.status, alone.status) == (
        301,
        "canceled",
        "canceled",
        "resting",
    )
    assert told(engine) == [("created", 300), ("triggered", 300)]
    with pytest.raises(Rejection) as caught:
        grouped(engine, group, 5000, 100)
    assert caught.value.reason == "EXCEEDED_ORDER_GROUP_RISK_LIMIT"


def test_reaching_the_limit_may_be_enough() -> None:
    engine = exchange(group_trigger="reaches")
    group = engine.create_group("A", 300)
    grouped(engine, group, 5000, 500)
    sell(engine, 299)
    assert not group.triggered
    sell(engine, 1)
    assert group.triggered


def test_the_window_rolls(engine: Engine) -> None:
    group = engine.create_group("A", 300)
    grouped(engine, group, 5000, 10_000)
    sell(engine, 200)
    engine.advance(10 * SECOND)
    sell(engine, 100)
    engine.advance(15 * SECOND)  # the first 200 are fifteen seconds old
    sell(engine, 200)
    assert not group.triggered
    engine.advance(25 * SECOND - 1)
    sell(engine, 1)
    assert group.triggered


def test_taking_counts_and_stops_the_taker(engine: Engine) -> None:
    group = engine.create_group("A", 100)
    for price in (5000, 5100, 5200):
        engine.submit("B", "M", "ask", price, 80)
    order = grouped(engine, group, 5200, 240)
    assert (order.filled, order.status, group.triggered) == (160, "canceled", True)
    assert engine.book("M").no == [(4800, 80)]


def test_reset_takes_orders_again_and_forgets(engine: Engine) -> None:
    group = engine.create_group("A", 300)
    grouped(engine, group, 5000, 1000)
    sell(engine, 301)
    engine.reset_group("A", group.group_id)
    grouped(engine, group, 5000, 1000)
    sell(engine, 300)
    assert not group.triggered
    assert [kind for kind, _ in told(engine)] == ["created", "triggered", "reset"]


def test_what_a_reset_forgot_does_not_come_off_again_when_its_window_ends(engine: Engine) -> None:
    group = engine.create_group("A", 1000)
    engine.submit("B", "M", "ask", 5000, 2000)
    grouped(engine, group, 5000, 900)
    engine.advance(engine.now + 10 * SECOND)
    engine.reset_group("A", group.group_id)
    grouped(engine, group, 5000, 900)
    engine.advance(engine.now + 6 * SECOND)
    assert group.matched(engine.now, 15 * SECOND) == 900
    assert engine.submit("B", "M", "ask", 5000, 2000).order.status == "resting"
    grouped(engine, group, 5000, 101)
    assert group.triggered


def test_trigger_by_hand_and_by_a_lower_limit(engine: Engine) -> None:
    group = engine.create_group("A", 1000)
    order = grouped(engine, group, 5000, 1000)
    engine.trigger_group("A", group.group_id)
    assert order.status == "canceled"
    engine.reset_group("A", group.group_id)
    order = grouped(engine, group, 5000, 1000)
    sell(engine, 400)
    engine.set_group_limit("A", group.group_id, 400)
    assert order.status == "resting"
    engine.set_group_limit("A", group.group_id, 399)
    assert (order.status, group.triggered) == ("canceled", True)
    assert told(engine)[-2:] == [("limit_updated", 399), ("triggered", 399)]


def test_deleting_cancels(engine: Engine) -> None:
    group = engine.create_group("A", 1000)
    order = grouped(engine, group, 5000, 100)
    engine.delete_group("A", group.group_id)
    assert order.status == "canceled"
    assert told(engine)[-1] == ("deleted", 1000)
    with pytest.raises(Rejection, match="404 not_found"):
        grouped(engine, group, 5000, 100)
    with pytest.raises(Rejection, match="404 not_found"):
        engine.reset_group("A", group.group_id)


@pytest.mark.parametrize("limit", [0, 99, 100_000_001])
def test_limits_lie_between_one_and_a_million_contracts(engine: Engine, limit: int) -> None:
    with pytest.raises(Rejection, match="400 invalid_parameters"):
        engine.create_group("A", limit)
    group = engine.create_group("A", 100)
    with pytest.raises(Rejection, match="400 invalid_parameters"):
        engine.set_group_limit("A", group.group_id, limit)


def test_groups_belong_to_a_user_a_subaccount_and_a_shard(engine: Engine) -> None:
    engine.create_subaccount("A")
    engine.transfer("A", 0, 1, 10**8, "t")
    group = engine.create_group("A", 1000, subaccount=1)
    elsewhere = engine.create_group("A", 1000, shard=2)
    with pytest.raises(Rejection, match="404 not_found"):
        grouped(engine, group, 5000, 100)
    with pytest.raises(Rejection, match="404 not_found"):
        grouped(engine, elsewhere, 5000, 100)
    with pytest.raises(Rejection, match="404 not_found"):
        engine.submit("B", "M", "bid", 5000, 100, group_id=group.group_id)
    with pytest.raises(Rejection, match="404 not_found"):
        engine.group("B", group.group_id)
    assert grouped(engine, group, 5000, 100, subaccount=1).group is group


def test_an_amended_order_stays_in_its_group(engine: Engine) -> None:
    group = engine.create_group("A", 1000)
    order = grouped(engine, group, 5000, 100)
    engine.amend("A", order.order_id, ticker="M", side="bid", price=5100, count=200)
    assert list(group.resting.values()) == [order]
    engine.trigger_group("A", group.group_id)
    assert engine.book("M").yes == []
