"""The life of a market: opening, halts, closing, results, payouts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from kalshi_research.errors import InputError
from kalshi_research.fees import BROKER_PRECISION, FeeTerms
from kalshi_research.money import PriceGrid
from kalshi_research.sandbox.engine import (
    SECOND,
    BookDelta,
    Engine,
    EngineOptions,
    ExchangeUpdate,
    FeeUpdate,
    Lifecycle,
    MarketSpec,
    OrderUpdate,
    PositionUpdate,
    Rejection,
    Settlement,
)

HOUR = 3600 * SECOND
TIMER = 60 * SECOND


def dollars(amount: float) -> int:
    return round(amount * 1_000_000)


def exchange(*, open_time: int = 0, can_close_early: bool = True, **options: Any) -> Engine:
    engine = Engine(now=0, options=EngineOptions(**options))
    engine.create_market(
        MarketSpec("M", "E", open_time, HOUR, settlement_timer=TIMER, can_close_early=can_close_early)
    )
    for user in "AB":
        engine.create_user(user, cash=dollars(100))
    engine.drain()
    return engine


def inactive(engine: Engine, call: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(Rejection) as caught:
        call(*args, **kwargs)
    assert (caught.value.status, caught.value.code) == (
        engine.options.inactive_status,
        "market_inactive",
    )


def story(engine: Engine) -> list[tuple[int, str, str]]:
    """(time, event on the wire, status) since the last drain."""
    return [(e.time, e.kind, e.status) for e in engine.drain() if isinstance(e, Lifecycle)]


def with_positions(**options: Any) -> Engine:
    """A holds three YES bought at 0.40, B three NO bought at 0.60."""
    engine = exchange(**options)
    engine.submit("A", "M", "bid", 4000, 300)
    engine.submit("B", "M", "ask", 4000, 300)
    return engine


def closed(engine: Engine) -> Engine:
    engine.advance(HOUR)
    engine.drain()
    return engine


# --- opening and closing ----------------------------------------------------------------------


def test_a_market_opens_and_closes_by_the_clock_without_announcement() -> None:
    engine = exchange(open_time=10 * SECOND)
    market = engine.market("M")
    assert market.status == "initialized"
    inactive(engine, engine.submit, "A", "M", "bid", 5000, 100)
    engine.advance(10 * SECOND)
    order = engine.submit("A", "M", "bid", 5000, 100).order
    engine.advance(HOUR - 1)
    assert market.status == "active"
    engine.advance(HOUR)
    assert (market.status, order.status, order.reason) == ("closed", "canceled", "CloseCancel")
    assert engine.book("M").yes == []
    assert story(engine) == [(10 * SECOND, "", "active"), (HOUR, "", "closed")]
    inactive(engine, engine.submit, "A", "M", "bid", 5000, 100)
    inactive(engine, engine.cancel, "A", order.order_id)


def test_creation_is_announced() -> None:
    engine = Engine(now=5)
    engine.create_market(MarketSpec("M", "E", 0, HOUR))
    engine.create_market(MarketSpec("N", "E", 10, HOUR))
    assert [(e.ticker, e.kind, e.status) for e in engine.drain() if isinstance(e, Lifecycle)] == [
        ("M", "created", "initialized"),
        ("M", "", "active"),
        ("N", "created", "initialized"),
    ]


def test_markets_made_late_open_or_are_closed_at_once() -> None:
    engine = Engine(now=HOUR)
    assert engine.create_market(MarketSpec("M", "E", 0, 2 * HOUR)).status == "active"
    assert engine.create_market(MarketSpec("N", "E", 0, HOUR)).status == "closed"


def test_the_status_of_the_refusal_is_an_option() -> None:
    engine = exchange(open_time=HOUR // 2, inactive_status=409)
    inactive(engine, engine.submit, "A", "M", "bid", 5000, 100)


def test_resting_orders_may_stay_for_a_moment_after_the_close() -> None:
    engine = exchange(close_cancel_delay=2 * SECOND)
    order = engine.submit("A", "M", "bid", 5000, 100).order
    engine.advance(HOUR + SECOND)
    assert order.status == "resting"
    inactive(engine, engine.cancel, "A", order.order_id)
    assert engine.cancel_all("A") == []
    engine.advance(HOUR + 2 * SECOND)
    assert (order.status, order.reason) == ("canceled", "CloseCancel")


def test_determination_does_not_wait_for_that_moment() -> None:
    engine = exchange(close_cancel_delay=HOUR)
    order = engine.submit("A", "M", "bid", 5000, 100).order
    engine.advance(HOUR)
    engine.determine("M", 0)
    assert order.status == "canceled"


def test_closing_early_and_reopening() -> None:
    engine = exchange()
    market = engine.market("M")
    engine.set_close_time("M", 10 * SECOND)
    engine.advance(10 * SECOND)
    assert market.status == "closed"
    engine.set_close_time("M", 20 * SECOND)
    assert market.status == "active"
    engine.advance(20 * SECOND)
    assert market.status == "closed"
    engine.advance(2 * HOUR)
    assert story(engine) == [
        (0, "close_date_updated", "active"),
        (10 * SECOND, "", "closed"),
        (10 * SECOND, "close_date_updated", "closed"),
        (10 * SECOND, "activated", "active"),
        (20 * SECOND, "", "closed"),
    ]


def test_closing_at_once() -> None:
    engine = exchange()
    order = engine.submit("A", "M", "bid", 5000, 100).order
    engine.set_close_time("M", engine.now)
    assert (engine.market("M").status, order.status) == ("closed", "canceled")


def test_a_later_close_replaces_the_earlier_one() -> None:
    engine = exchange(can_close_early=False)
    engine.set_close_time("M", 2 * HOUR)
    engine.advance(HOUR)
    assert engine.market("M").status == "active"
    with pytest.raises(InputError, match="cannot close early"):
        engine.set_close_time("M", 2 * HOUR - 1)


def test_halts() -> None:
    engine = exchange()
    order = engine.submit("A", "M", "bid", 5000, 100).order
    other = engine.submit("A", "M", "bid", 4900, 100).order
    engine.deactivate("M")
    inactive(engine, engine.submit, "A", "M", "bid", 5000, 100)
    change = {"ticker": "M", "side": "bid", "price": 5000, "count": 50}
    inactive(engine, engine.amend, "A", order.order_id, **change)
    assert engine.cancel("A", other.order_id).reduced_by == 100
    assert order.status == "resting"
    engine.activate("M")
    assert (order.status, order.reason) == ("canceled", "HaltCancel")
    assert [(kind, status) for _, kind, status in story(engine)] == [
        ("deactivated", "inactive"),
        ("activated", "active"),
    ]
    engine.submit("A", "M", "bid", 5000, 100)


def test_the_grid_changes_and_orders_stay() -> None:
    engine = exchange()
    order = engine.submit("A", "M", "bid", 5000, 100).order
    engine.set_grid("M", PriceGrid(((0, 10_000, 50),)))
    engine.submit("A", "M", "bid", 5050, 100)
    engine.set_grid("M", PriceGrid(((0, 10_000, 2500),)))
    with pytest.raises(Rejection, match="400 invalid_price"):
        engine.submit("A", "M", "bid", 5100, 100)
    assert order.status == "resting"
    assert engine.book("M").yes == [(5000, 100), (5050, 100)]
    assert [kind for _, kind, _ in story(engine)] == ["price_level_structure_updated"] * 2


def test_a_settlement_floor_cancels_what_lies_below() -> None:
    engine = exchange()
    orders = [
        engine.submit("A", "M", "bid", 3000, 100).order,
        engine.submit("A", "M", "bid", 3100, 100).order,
        engine.submit("B", "M", "ask", 5000, 100).order,
    ]
    engine.set_floor("M", 3000)
    assert [o.reason for o in orders] == ["SettlementBoundsCancel", "", ""]
    with pytest.raises(Rejection, match="400 invalid_price"):
        engine.submit("A", "M", "bid", 3000, 100)
    with pytest.raises(InputError, match="only rises"):
        engine.set_floor("M", 2000)
    closed(engine)
    with pytest.raises(InputError, match="settles between 3000"):
        engine.determine("M", 0)


# --- results ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "result", "a", "b"),
    [
        (10_000, "yes", 3.00, 0.00),
        (0, "no", 0.00, 3.00),
        (2500, "scalar", 0.75, 2.25),
        (3333, "scalar", 0.9999, 2.0001),
    ],
)
def test_payout(value: int, result: str, a: float, b: float) -> None:
    engine = with_positions()
    before = {user: engine.wallet(user).cash for user in "AB"}
    closed(engine)
    engine.determine("M", value)
    market = engine.market("M")
    assert (market.status, market.result, market.value) == ("determined", result, value)
    engine.advance(HOUR + TIMER - 1)
    assert engine.wallet("A").cash == before["A"]
    engine.advance(HOUR + TIMER)
    assert (market.status, market.open_interest) == ("finalized", 0)
    assert market.settled_time == HOUR + TIMER
    assert engine.wallet("A").cash - before["A"] == dollars(a)
    assert engine.wallet("B").cash - before["B"] == dollars(b)
    events = engine.drain()
    records = {e.user: e for e in events if isinstance(e, Settlement)}
    assert (records["A"].yes_count, records["A"].yes_cost) == (300, dollars(1.2))
    assert (records["B"].no_count, records["B"].no_cost) == (300, dollars(1.8))
    assert (records["A"].revenue, records["B"].revenue) == (dollars(a), dollars(b))
    assert records["A"].result == result
    flat = {e.user: e for e in events if isinstance(e, PositionUpdate)}
    assert [flat[user].position for user in "AB"] == [0, 0]
    assert flat["A"].realised == dollars(a) - dollars(1.2)
    assert story(engine) == []
    assert [e.kind for e in events if isinstance(e, Lifecycle)] == ["determined", "settled"]


def test_a_payout_is_rounded_down_to_the_members_precision() -> None:
    engine = Engine(now=0)
    engine.create_market(MarketSpec("M", "E", 0, HOUR, settlement_timer=0))
    engine.create_user("A", cash=dollars(10), precision=BROKER_PRECISION)
    engine.create_user("B", cash=dollars(10))
    engine.submit("A", "M", "bid", 4000, 101)
    engine.submit("B", "M", "ask", 4000, 101)
    before = {user: engine.wallet(user).cash for user in "AB"}
    income = engine.fee_income
    closed(engine)
    engine.determine("M", 3333)
    engine.advance(HOUR)
    # 1.01 × 0.3333 = 0.336633 and 1.01 × 0.6667 = 0.673367.
    assert engine.wallet("A").cash - before["A"] == dollars(0.33)
    assert engine.wallet("B").cash - before["B"] == dollars(0.6733)
    (record,) = engine.members["A"].settlements
    assert (record.revenue, record.rounding_fee) == (336_633, 6_633)
    assert engine.fee_income - income == 6_633 + 67


def test_only_what_is_held_is_settled() -> None:
    engine = with_positions()
    engine.submit("A", "M", "ask", 5000, 300)
    engine.submit("B", "M", "bid", 5000, 300)
    closed(engine)
    engine.determine("M", 10_000)
    engine.advance(HOUR + TIMER)
    assert engine.members["A"].settlements == engine.members["B"].settlements == []


def test_a_dispute_stops_the_timer_and_an_amendment_starts_it_again() -> None:
    engine = closed(with_positions())
    cash = engine.wallet("A").cash
    engine.determine("M", 0)
    engine.advance(HOUR + TIMER // 2)
    engine.dispute("M")
    engine.advance(2 * HOUR)
    market = engine.market("M")
    assert market.status == "disputed"
    engine.amend_result("M", 10_000)
    engine.advance(2 * HOUR + TIMER - 1)
    assert (market.status, market.result) == ("amended", "yes")
    engine.advance(2 * HOUR + TIMER)
    assert market.status == "finalized"
    assert engine.wallet("A").cash - cash == dollars(3)
    assert [(kind, status) for _, kind, status in story(engine)] == [
        ("determined", "determined"),
        ("", "disputed"),
        ("", "amended"),
        ("settled", "finalized"),
    ]


def test_a_timer_that_a_dispute_stopped_stays_stopped() -> None:
    engine = closed(with_positions())
    engine.determine("M", 0)
    engine.dispute("M")
    engine.advance(HOUR + TIMER // 2)
    engine.amend_result("M", 10_000)
    engine.advance(HOUR + TIMER)  # when the first timer would have rung
    assert engine.market("M").status == "amended"


@pytest.mark.parametrize(
    ("act", "arguments"),
    [
        ("determine", (10_000,)),
        ("dispute", ()),
        ("amend_result", (0,)),
        ("activate", ()),
    ],
)
def test_acts_out_of_order_are_refused(act: str, arguments: Any) -> None:
    engine = exchange()
    with pytest.raises(InputError, match="is active"):
        getattr(engine, act)("M", *arguments)


def test_acts_on_a_closed_market() -> None:
    engine = closed(exchange())
    with pytest.raises(InputError, match="is closed"):
        engine.deactivate("M")
    for value in (-1, 10_001):
        with pytest.raises(InputError, match="settles between"):
            engine.determine("M", value)
    engine.determine("M", 0)
    with pytest.raises(InputError, match="is determined"):
        engine.set_close_time("M", 2 * HOUR)


# --- time and pauses --------------------------------------------------------------------------


def test_time_does_not_run_backwards() -> None:
    engine = exchange()
    engine.advance(5)
    with pytest.raises(InputError, match="backwards"):
        engine.advance(4)


def test_events_carry_the_time_at_which_they_fell_due() -> None:
    engine = exchange(open_time=10 * SECOND)
    engine.advance(HOUR)
    assert [(time, status) for time, _, status in story(engine)] == [
        (10 * SECOND, "active"),
        (HOUR, "closed"),
    ]
    assert engine.now == HOUR


def test_the_clock_never_goes_down_and_is_shared_within_an_action() -> None:
    engine = with_positions()
    engine.submit("A", "M", "ask", 7000, 100)
    engine.submit("B", "M", "ask", 6900, 100)
    engine.submit("A", "M", "bid", 6900, 100)
    events = engine.drain()
    clocks = [event.clock for event in events]
    assert clocks == sorted(clocks)
    assert len(set(clocks)) == 5
    deltas = [e for e in events if isinstance(e, BookDelta)]
    assert engine.market("M").clock == engine.book("M").clock == deltas[-1].clock


def test_pauses_are_told() -> None:
    engine = exchange()
    engine.pause_trading()
    engine.pause_exchange()
    engine.resume_exchange()
    engine.resume_trading()
    seen = [
        (e.exchange_active, e.trading_active) for e in engine.drain() if isinstance(e, ExchangeUpdate)
    ]
    assert seen == [(True, False), (False, False), (True, False), (True, True)]
    assert (engine.exchange_active, engine.trading_active) == (True, True)


def test_orders_expire_in_a_pause() -> None:
    engine = exchange()
    order = engine.submit("A", "M", "bid", 5000, 100, expiration=10 * SECOND).order
    engine.pause_exchange()
    engine.drain()
    engine.advance(10 * SECOND)
    assert order.status == "canceled"
    assert [e.reason for e in engine.drain() if isinstance(e, OrderUpdate)] == ["ExpiryCancel"]


def test_what_is_counted_starts_at_nothing() -> None:
    engine = Engine(now=0)
    assert (engine.clock, engine.fee_income) == (0, 0)
    engine.create_market(MarketSpec("M", "E", 0, HOUR))
    assert engine.clock == 1
    engine.create_user("A", cash=10**9)
    engine.submit("A", "M", "bid", 5000, 100)
    engine.cancel_all("A")
    assert engine.clock == 3
    engine.advance(HOUR)
    assert engine.clock == 4
    market = engine.market("M")
    assert market.decisions == 0
    engine.determine("M", 10_000)
    engine.dispute("M")
    engine.amend_result("M", 0)
    assert (market.decisions, engine.clock) == (2, 7)


def test_a_market_of_the_usual_terms_pays_a_minute_after_its_result() -> None:
    engine = Engine(now=0)
    market = engine.create_market(MarketSpec("M", "E", 0, HOUR))
    engine.advance(HOUR)
    engine.determine("M", 10_000)
    engine.advance(HOUR + 60 * SECOND - 1)
    assert market.status == "determined"
    engine.advance(HOUR + 60 * SECOND)
    assert (market.status, market.settled_time) == ("finalized", HOUR + 60 * SECOND)


def test_only_a_pause_cancels_what_asks_for_it() -> None:
    for pause, resume in (("pause_exchange", "resume_exchange"), ("pause_trading", "resume_trading")):
        engine = exchange()
        stays = engine.submit("A", "M", "bid", 5000, 100).order
        for change in (resume, "resume_exchange", "resume_trading"):
            order = engine.submit("A", "M", "bid", 4000, 100, cancel_on_pause=True).order
            getattr(engine, change)()
            assert order.status == "resting"
        getattr(engine, pause)()
        assert (order.status, order.reason, stays.status) == ("canceled", "HaltCancel", "resting")


def test_what_pauses_after_another_pause_is_no_less_a_pause() -> None:
    engine = exchange()
    engine.pause_trading()
    engine.pause_exchange()
    engine.resume_trading()
    assert (engine.exchange_active, engine.trading_active) == (False, True)
    engine.resume_exchange()
    assert (engine.exchange_active, engine.trading_active) == (True, True)


def test_whether_a_market_was_ever_quoted_is_remembered() -> None:
    engine = exchange()
    market = engine.market("M")
    refusal = {"time_in_force": "immediate_or_cancel"}
    engine.submit("A", "M", "bid", 5000, 100, **refusal)
    assert not market.quoted
    engine.submit("A", "M", "bid", 5000, 100)
    engine.cancel_all("A")
    assert market.quoted


def test_a_settlement_tells_what_either_side_had_and_what_it_cost() -> None:
    engine = exchange()
    engine.submit("A", "M", "bid", 4000, 300)
    engine.submit("B", "M", "ask", 4000, 300)
    engine.advance(HOUR)
    engine.determine("M", 10_000)
    engine.advance(2 * HOUR)
    a, b = (engine.members[user].settlements[0] for user in "AB")
    assert (a.yes_count, a.yes_cost, a.no_count, a.no_cost) == (300, 1_200_000, 0, 0)
    assert (b.yes_count, b.yes_cost, b.no_count, b.no_cost) == (0, 0, 300, 1_800_000)
    assert (a.revenue, b.revenue) == (3_000_000, 0)


def test_new_fees_of_an_event_are_told_once() -> None:
    engine = exchange()
    engine.create_market(MarketSpec("N", "E", 0, HOUR))
    engine.drain()
    terms = FeeTerms("quadratic", Fraction(1, 2))
    engine.advance(5)
    engine.set_event_fees("E", terms)
    (told,) = engine.drain()
    assert isinstance(told, FeeUpdate)
    assert (told.event_ticker, told.terms, told.time) == ("E", terms, 5)
    assert {market.fees for market in engine.markets.values()} == {terms}
