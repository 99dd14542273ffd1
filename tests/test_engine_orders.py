"""Orders: the worked example, every way an order can end, and the queue."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_research.fees import FeeTerms
from kalshi_research.money import PriceGrid
from kalshi_research.sandbox.engine import (
    SECOND,
    BookDelta,
    Engine,
    EngineOptions,
    Fill,
    Lifecycle,
    MarketSpec,
    OrderUpdate,
    PositionUpdate,
    Receipt,
    Rejection,
    Trade,
)

HOUR = 3600 * SECOND
IOC = {"time_in_force": "immediate_or_cancel"}
FOK = {"time_in_force": "fill_or_kill"}


def dollars(amount: float) -> int:
    return round(amount * 1_000_000)


def exchange(cash: float = 1000, **options: Any) -> Engine:
    """A market M that trades, and users A, B and C with money."""
    engine = Engine(now=0, options=EngineOptions(**options))
    engine.create_market(MarketSpec("M", "E", open_time=0, close_time=24 * HOUR))
    for user in "ABC":
        engine.create_user(user, cash=dollars(cash))
    engine.drain()
    return engine


@pytest.fixture
def engine() -> Engine:
    return exchange()


def refused(status: int, code: str, call: Any, *args: Any, **kwargs: Any) -> Rejection:
    with pytest.raises(Rejection) as caught:
        call(*args, **kwargs)
    assert (caught.value.status, caught.value.code) == (status, code)
    return caught.value


def order_id(receipt: Receipt) -> str:
    return receipt.order.order_id


def reasons(engine: Engine) -> list[tuple[str, str, str]]:
    """(user, status, reason) of the order updates since the last drain."""
    return [
        (event.order.wallet.member.user, event.status, event.reason)
        for event in engine.drain()
        if isinstance(event, OrderUpdate)
    ]


# --- the worked example of the protocol reference ---------------------------------------------


def test_worked_example_to_the_last_digit() -> None:
    engine = exchange()
    start = dollars(1000)

    a = engine.submit("A", "M", "bid", 4700, 300, client_order_id="cA")
    assert (a.filled, a.remaining, a.average_price, a.average_fee) == (0, 300, None, None)
    assert engine.book("M").yes == [(4700, 300)]
    assert engine.book("M").no == []
    delta, update = engine.drain()
    assert isinstance(delta, BookDelta)
    assert (delta.side, delta.price, delta.delta) == ("yes", 4700, 300)
    assert delta.order.client_order_id == "cA"
    assert isinstance(update, OrderUpdate)
    assert (update.status, update.remaining, update.reason) == ("resting", 300, "")
    assert engine.balance("A") == start - dollars(1.41)

    b = engine.submit("B", "M", "ask", 4000, 100, client_order_id="cB", **IOC)
    assert (b.filled, b.remaining, b.average_price, b.average_fee) == (100, 0, 4700, 175)
    events = engine.drain()
    kinds = [type(event) for event in events]
    assert kinds.index(BookDelta) < kinds.index(Trade) < kinds.index(Fill)
    (delta,) = (event for event in events if isinstance(event, BookDelta))
    assert (delta.side, delta.price, delta.delta) == ("yes", 4700, -100)
    (trade,) = (event for event in events if isinstance(event, Trade))
    assert (trade.price, trade.count, trade.taker_side) == (4700, 100, "ask")
    maker, taker = (event for event in events if isinstance(event, Fill))
    assert {maker.trade_id, taker.trade_id} == {trade.trade_id}
    assert (maker.order.side, maker.is_taker, maker.fee, maker.position) == ("bid", False, 0, 100)
    assert (taker.order.side, taker.is_taker, taker.fee, taker.position) == ("ask", True, 17_500, -100)
    updates = {e.order.side: e for e in events if isinstance(e, OrderUpdate)}
    assert (updates["bid"].status, updates["bid"].filled, updates["bid"].remaining) == (
        "resting",
        100,
        200,
    )
    assert (updates["bid"].reason, updates["bid"].maker_cost) == ("Trade", dollars(0.47))
    assert (updates["ask"].status, updates["ask"].filled, updates["ask"].remaining) == (
        "executed",
        100,
        0,
    )
    assert (updates["ask"].taker_cost, updates["ask"].taker_fees) == (dollars(0.53), 17_500)
    positions = {e.user: e.position for e in events if isinstance(e, PositionUpdate)}
    assert positions == {"A": 100, "B": -100}
    assert engine.wallet("A").cash == start - dollars(0.47)
    assert engine.wallet("B").cash == start - dollars(0.5475)
    market = engine.market("M")
    assert (market.volume, market.open_interest, market.last_price) == (100, 100, 4700)

    cancelled = engine.cancel("A", order_id(a))
    assert cancelled.reduced_by == 200
    delta, update = engine.drain()
    assert isinstance(delta, BookDelta)
    assert delta.delta == -200
    assert isinstance(update, OrderUpdate)
    assert (update.status, update.filled, update.remaining) == ("canceled", 100, 0)

    engine.set_close_time("M", engine.now)
    engine.determine("M", 10_000)
    engine.advance(engine.now + HOUR)
    assert engine.wallet("A").cash == start + dollars(0.53)
    assert engine.wallet("B").cash == start - dollars(0.5475)
    named = [e.kind for e in engine.drain() if isinstance(e, Lifecycle) and e.kind]
    assert named == ["close_date_updated", "determined", "settled"]
    (record,) = engine.members["A"].settlements
    assert (record.revenue, record.value, record.yes_count) == (dollars(1), 10_000, 100)
    assert (record.yes_cost, record.no_count, record.fees) == (dollars(0.47), 0, 0)
    (record,) = engine.members["B"].settlements
    assert (record.revenue, record.no_count, record.no_cost, record.fees) == (
        0,
        100,
        dollars(0.53),
        17_500,
    )


# --- creation, row by row ---------------------------------------------------------------------


def test_good_till_canceled_rests_without_a_cross(engine: Engine) -> None:
    receipt = engine.submit("A", "M", "ask", 5300, 150)
    assert (receipt.filled, receipt.remaining, receipt.order.status) == (0, 150, "resting")
    assert engine.book("M").no == [(4700, 150)]


def test_good_till_canceled_rests_what_a_partial_cross_leaves(engine: Engine) -> None:
    engine.submit("A", "M", "ask", 5300, 150)
    receipt = engine.submit("B", "M", "bid", 5500, 400)
    assert (receipt.filled, receipt.remaining, receipt.average_price) == (150, 250, 5300)
    assert engine.book("M").yes == [(5500, 250)]
    engine.submit("C", "M", "ask", 5500, 250)
    order = receipt.order
    assert (order.status, order.filled) == ("executed", 400)
    assert (order.taker_cost, order.maker_cost) == (150 * 5300, 250 * 5500)


def test_taker_and_maker_fills_of_an_order_share_one_accumulator() -> None:
    engine = Engine(now=0)
    fees = FeeTerms("quadratic_with_maker_fees")
    engine.create_market(MarketSpec("M", "E", 0, HOUR, fees=fees))
    for user in "AB":
        engine.create_user(user, cash=dollars(10))
    engine.submit("A", "M", "ask", 4700, 100)
    order = engine.submit("B", "M", "bid", 4700, 200).order
    # 0.017437 is aligned up by 0.000063 for the taker's part.
    assert (order.taker_fees, order.carried) == (17_500, 63)
    engine.submit("A", "M", "ask", 4700, 100, **IOC)
    # 0.00435925, up to 0.004360, aligned by 0.000040: 0.000103 is carried, and 0.0001 comes back.
    assert (order.maker_fees, order.carried) == (4_300, 3)


@pytest.mark.parametrize("resting", [0, 60])
def test_immediate_or_cancel_never_rests_and_is_no_error(engine: Engine, resting: int) -> None:
    if resting:
        engine.submit("A", "M", "ask", 5000, resting)
    receipt = engine.submit("B", "M", "bid", 5000, 100, **IOC)
    assert (receipt.filled, receipt.remaining) == (resting, 0)
    assert (receipt.order.status, receipt.order.remaining) == ("canceled", 0)
    assert engine.book("M").yes == []


def test_fill_or_kill_is_all_or_nothing(engine: Engine) -> None:
    engine.submit("A", "M", "ask", 5000, 60)
    engine.submit("A", "M", "ask", 5100, 40)
    before = engine.book("M")
    refused(
        409,
        "fill_or_kill_insufficient_resting_volume",
        engine.submit,
        "B",
        "M",
        "bid",
        5000,
        61,
        client_order_id="x",
        **FOK,
    )
    assert engine.book("M") == before
    assert engine.members["B"].orders == []
    # The id was not used up, and the same order at a price that reaches both levels is filled.
    receipt = engine.submit("B", "M", "bid", 5100, 100, client_order_id="x", **FOK)
    assert (receipt.filled, receipt.value, receipt.order.status) == (
        100,
        60 * 5000 + 40 * 5100,
        "executed",
    )


def test_post_only_is_refused_when_it_would_cross(engine: Engine) -> None:
    engine.submit("A", "M", "ask", 5000, 100)
    rejection = refused(400, "invalid_order", engine.submit, "B", "M", "bid", 5000, 100, post_only=True)
    assert rejection.details == "post only cross"
    assert engine.submit("B", "M", "bid", 4900, 100, post_only=True).remaining == 100


def test_post_only_can_be_accepted_and_cancelled_instead() -> None:
    engine = exchange(post_only_cross="cancel")
    engine.submit("A", "M", "ask", 5000, 100)
    engine.drain()
    receipt = engine.submit("B", "M", "bid", 5000, 100, post_only=True)
    assert (receipt.filled, receipt.remaining) == (0, 0)
    assert reasons(engine) == [("B", "canceled", "PostOnlyCrossCancel")]


@pytest.mark.parametrize("kind", [{}, FOK])
def test_reduce_only_needs_immediate_or_cancel(engine: Engine, kind: Any) -> None:
    refused(400, "invalid_order", engine.submit, "A", "M", "bid", 5000, 100, reduce_only=True, **kind)


def test_reduce_only_is_capped_to_the_position(engine: Engine) -> None:
    engine.submit("A", "M", "bid", 5000, 300)
    engine.submit("B", "M", "ask", 5000, 120, **IOC)
    engine.drain()
    receipt = engine.submit("B", "M", "bid", 6000, 500, reduce_only=True, **IOC)
    assert receipt.filled == 0  # nobody offers
    engine.submit("A", "M", "ask", 6000, 500)
    engine.drain()
    receipt = engine.submit("B", "M", "bid", 6000, 500, reduce_only=True, **IOC)
    assert (receipt.filled, receipt.remaining) == (120, 0)
    assert engine.holding("B", "M").position == 0
    assert ("B", "canceled", "ReduceOnlyCancel") in reasons(engine)
    # Nothing is left to reduce: accepted, then cancelled.
    receipt = engine.submit("B", "M", "bid", 6000, 500, reduce_only=True, **IOC)
    assert (receipt.filled, receipt.remaining) == (0, 0)
    assert reasons(engine) == [("B", "canceled", "ReduceOnlyCancel")]


def test_reduce_only_below_the_position_is_an_ordinary_order(engine: Engine) -> None:
    engine.submit("A", "M", "bid", 5000, 300)
    engine.submit("B", "M", "ask", 5000, 200, **IOC)
    engine.submit("C", "M", "ask", 6000, 100)
    receipt = engine.submit("B", "M", "bid", 6000, 100, reduce_only=True, **IOC)
    assert (receipt.filled, receipt.order.status, receipt.order.reason) == (100, "executed", "Trade")


def test_reduce_only_that_was_not_capped_ends_like_any_other(engine: Engine) -> None:
    engine.submit("A", "M", "bid", 5000, 300)
    engine.submit("B", "M", "ask", 5000, 200, **IOC)
    engine.submit("C", "M", "ask", 6000, 30)
    receipt = engine.submit("B", "M", "bid", 6000, 100, reduce_only=True, **IOC)
    assert (receipt.filled, receipt.order.status, receipt.order.reason) == (30, "canceled", "Trade")


@pytest.mark.parametrize("price", [0, 10_000, -100, 12_000, 4750, 4701])
def test_price_off_the_grid_is_refused(engine: Engine, price: int) -> None:
    refused(400, "invalid_price", engine.submit, "A", "M", "bid", price, 100)


def test_bands_of_a_tapered_grid() -> None:
    engine = exchange()
    grid = PriceGrid(((0, 1000, 10), (1000, 9000, 100), (9000, 10_000, 10)))
    engine.create_market(MarketSpec("T", "E", 0, HOUR, grid=grid))
    for price in (10, 990, 1000, 1100, 9000, 9010):
        engine.submit("A", "T", "bid" if price < 5000 else "ask", price, 100)
    for price in (5, 1010, 8990, 9005):
        refused(400, "invalid_price", engine.submit, "A", "T", "bid", price, 100)


@pytest.mark.parametrize("count", [0, -100, 10**12])
def test_impossible_size_is_refused(engine: Engine, count: int) -> None:
    refused(400, "invalid_order_size", engine.submit, "A", "M", "bid", 5000, count)


def test_a_hundredth_of_a_contract_trades(engine: Engine) -> None:
    engine.submit("A", "M", "ask", 5000, 1)
    receipt = engine.submit("B", "M", "bid", 5000, 1)
    # 0.005 and a fee of 0.000175, which the balance's grid makes 0.0002.
    assert (receipt.filled, receipt.fees) == (1, 200)


@pytest.mark.parametrize(
    ("arguments", "details"),
    [
        ({"expiration": SECOND}, "Expiration timestamp must be in the future"),
        ({"expiration": HOUR, **IOC}, "Cannot specify both immediate_or_cancel and expiration_ts"),
        ({"expiration": HOUR, **FOK}, "Cannot specify both fill_or_kill and expiration_ts"),
        ({"time_in_force": "gtt"}, "time_in_force"),
        ({"self_trade": "both"}, "self_trade_prevention_type"),
    ],
)
def test_contradictory_conditions(engine: Engine, arguments: Any, details: str) -> None:
    engine.advance(SECOND)
    rejection = refused(
        400, "invalid_parameters", engine.submit, "A", "M", "bid", 5000, 100, **arguments
    )
    assert details in rejection.details


def test_post_only_that_may_not_rest_is_refused(engine: Engine) -> None:
    refused(400, "invalid_order", engine.submit, "A", "M", "bid", 5000, 100, post_only=True, **IOC)


def test_unknown_names(engine: Engine) -> None:
    refused(404, "not_found", engine.submit, "A", "X", "bid", 5000, 100)
    refused(404, "not_found", engine.submit, "X", "M", "bid", 5000, 100)
    refused(400, "invalid_parameters", engine.submit, "A", "M", "bid", 5000, 100, subaccount=7)
    refused(404, "not_found", engine.submit, "A", "M", "bid", 5000, 100, group_id="x")
    refused(400, "invalid_parameters", engine.submit, "A", "M", "buy", 5000, 100)
    refused(404, "not_found", engine.book, "X")
    refused(404, "not_found", engine.order, "A", "x")


def test_pauses(engine: Engine) -> None:
    resting = engine.submit("A", "M", "bid", 5000, 100)
    leaving = engine.submit("A", "M", "bid", 4900, 100, cancel_on_pause=True)
    engine.pause_trading()
    assert (resting.order.status, leaving.order.status) == ("resting", "canceled")
    assert leaving.order.reason == "HaltCancel"
    change = {"ticker": "M", "side": "bid", "price": 5000, "count": 50}
    refused(409, "trading_is_paused", engine.submit, "A", "M", "bid", 5000, 100)
    refused(409, "trading_is_paused", engine.amend, "A", order_id(resting), **change)
    assert engine.decrease("A", order_id(resting), reduce_by=10).remaining == 90
    engine.pause_exchange()
    refused(409, "exchange_is_paused", engine.submit, "A", "M", "bid", 5000, 100)
    refused(409, "exchange_is_paused", engine.cancel, "A", order_id(resting))
    refused(409, "exchange_is_paused", engine.decrease, "A", order_id(resting), reduce_by=10)
    refused(409, "exchange_is_paused", engine.cancel_all, "A")
    engine.resume_exchange()
    refused(409, "trading_is_paused", engine.submit, "A", "M", "bid", 5000, 100)
    assert engine.cancel("A", order_id(resting)).reduced_by == 90
    engine.resume_trading()
    assert engine.submit("A", "M", "bid", 5000, 100).remaining == 100


# --- client order ids -------------------------------------------------------------------------


def submit_named(engine: Engine, name: str = "x", price: int = 5000) -> Receipt:
    return engine.submit("A", "M", "bid", price, 100, client_order_id=name)


def test_client_order_ids_never_come_free(engine: Engine) -> None:
    first = submit_named(engine)
    refused(409, "order_already_exists", submit_named, engine)
    engine.cancel("A", order_id(first))
    refused(409, "order_already_exists", submit_named, engine)
    # They are the account's, not the exchange's.
    assert engine.submit("B", "M", "bid", 5000, 100, client_order_id="x").remaining == 100


def test_client_order_ids_of_open_orders_only() -> None:
    engine = exchange(client_ids="open-only")
    first = submit_named(engine)
    refused(409, "order_already_exists", submit_named, engine)
    engine.cancel("A", order_id(first))
    assert submit_named(engine).remaining == 100


def test_client_order_ids_of_the_last_seconds() -> None:
    engine = exchange(client_ids="recent", recent_window=10 * SECOND)
    submit_named(engine)
    engine.advance(9 * SECOND)
    refused(409, "order_already_exists", submit_named, engine)
    engine.advance(10 * SECOND)
    assert submit_named(engine).remaining == 100


def test_client_order_ids_that_are_not_looked_at() -> None:
    engine = exchange(client_ids="none")
    assert order_id(submit_named(engine)) != order_id(submit_named(engine))


def test_client_order_ids_that_answer_with_the_original() -> None:
    engine = exchange(client_ids="return-original")
    engine.submit("B", "M", "ask", 4900, 30)
    first = submit_named(engine)
    again = submit_named(engine, price=4000)
    assert order_id(again) == order_id(first)
    assert (again.filled, again.remaining, again.changed) == (30, 70, False)
    assert (again.average_price, again.fees) == (first.average_price, first.fees)
    assert len(engine.members["A"].orders) == 1


def test_the_original_is_answered_with_all_its_fills() -> None:
    engine = exchange(client_ids="return-original")
    engine.submit("B", "M", "bid", 6000, 30)
    ask = {"user": "A", "ticker": "M", "side": "ask", "price": 5000, "count": 100}
    engine.submit(**ask, client_order_id="x")
    engine.submit("C", "M", "bid", 5000, 50)
    again = engine.submit(**ask, client_order_id="x")
    assert (again.filled, again.value, again.remaining) == (80, 30 * 6000 + 50 * 5000, 20)
    assert again.fees == again.order.taker_fees + again.order.maker_fees == 5_100


# --- priority ---------------------------------------------------------------------------------


def makers(engine: Engine) -> list[tuple[str, int, int]]:
    """(user, price, count) of the maker fills since the last drain."""
    return [
        (event.order.wallet.member.user, event.price, event.count)
        for event in engine.drain()
        if isinstance(event, Fill) and not event.is_taker
    ]


def test_what_a_partial_fill_leaves_stays_in_the_book(engine: Engine) -> None:
    first = engine.submit("A", "M", "bid", 5000, 300)
    behind = engine.submit("A", "M", "bid", 5000, 50)
    engine.submit("B", "M", "ask", 5000, 100, **IOC)
    assert engine.book("M").yes == [(5000, 250)]
    assert engine.queue_position("A", order_id(behind)) == 200
    engine.cancel("A", order_id(first))
    assert engine.book("M").yes == [(5000, 50)]


def test_price_first_then_time(engine: Engine) -> None:
    engine.submit("A", "M", "bid", 4800, 100)
    engine.submit("B", "M", "bid", 4900, 50)
    engine.submit("A", "M", "bid", 4900, 50)
    engine.drain()
    receipt = engine.submit("C", "M", "ask", 4700, 180)
    assert makers(engine) == [("B", 4900, 50), ("A", 4900, 50), ("A", 4800, 80)]
    assert (receipt.filled, receipt.remaining, receipt.value) == (180, 0, 100 * 4900 + 80 * 4800)


def test_queue_position_counts_what_is_ahead(engine: Engine) -> None:
    first = engine.submit("A", "M", "ask", 5000, 100)
    second = engine.submit("B", "M", "ask", 5000, 70)
    third = engine.submit("C", "M", "ask", 5000, 30)
    behind = engine.submit("C", "M", "ask", 5100, 10)
    ahead = [
        engine.queue_position(r.order.wallet.member.user, order_id(r))
        for r in (first, second, third, behind)
    ]
    assert ahead == [0, 100, 170, 200]
    engine.cancel("A", order_id(first))
    assert engine.queue_position("C", order_id(third)) == 70
    refused(404, "not_found", engine.queue_position, "A", order_id(first))
    refused(404, "not_found", engine.queue_position, "A", order_id(third))


def queue(engine: Engine) -> list[str]:
    return [order.wallet.member.user for order in engine.market("M").bids.orders()]


def change(engine: Engine, receipt: Receipt, price: int, count: int, **more: Any) -> Receipt:
    user = receipt.order.wallet.member.user
    return engine.amend(
        user, order_id(receipt), ticker="M", side=receipt.order.side, price=price, count=count, **more
    )


@pytest.fixture
def queued(engine: Engine) -> tuple[Engine, Receipt]:
    receipt = engine.submit("A", "M", "bid", 5000, 100)
    engine.submit("B", "M", "bid", 5000, 100)
    engine.drain()
    return engine, receipt


def test_amend_to_a_smaller_size_keeps_the_place(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    answer = change(engine, receipt, 5000, 60)
    assert (answer.remaining, answer.filled, answer.reduced_by, answer.changed) == (60, 0, 40, True)
    assert queue(engine) == ["A", "B"]
    (delta, update) = engine.drain()
    assert isinstance(delta, BookDelta)
    assert delta.delta == -40
    assert isinstance(update, OrderUpdate)
    assert (update.reason, update.initial, update.remaining) == ("Amend", 60, 60)


def test_amend_of_the_expiry_alone_keeps_the_place(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    answer = change(engine, receipt, 5000, 100, expiration=HOUR)
    assert not answer.changed
    assert queue(engine) == ["A", "B"]
    assert reasons(engine) == [("A", "resting", "Amend")]
    assert not change(engine, receipt, 5000, 100, expiration=0).changed
    engine.advance(2 * HOUR)
    assert receipt.order.status == "resting"


def test_amend_of_nothing_changes_nothing(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    assert not change(engine, receipt, 5000, 100).changed
    assert engine.drain() == []


def test_amend_to_a_larger_size_goes_to_the_back(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    answer = change(engine, receipt, 5000, 150)
    assert (answer.remaining, answer.changed) == (150, True)
    assert queue(engine) == ["B", "A"]
    deltas = [event.delta for event in engine.drain() if isinstance(event, BookDelta)]
    assert deltas == [-100, 150]


def test_amend_to_another_price_and_back_loses_the_place(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    change(engine, receipt, 5100, 100)
    assert queue(engine) == ["A", "B"]
    change(engine, receipt, 5000, 100)
    assert queue(engine) == ["B", "A"]
    assert engine.book("M").yes == [(5000, 200)]


def test_amend_counts_what_is_filled(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    engine.submit("C", "M", "ask", 5000, 40)
    answer = change(engine, receipt, 5000, 70)
    assert (answer.remaining, answer.order.filled, answer.order.initial) == (30, 40, 70)
    for count in (40, 39):
        refused(400, "invalid_order_size", change, engine, receipt, 5000, count)
    engine.submit("C", "M", "ask", 5000, 30)
    assert receipt.order.status == "executed"
    refused(404, "not_found", change, engine, receipt, 5000, 200)


def test_amend_that_crosses_takes(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    engine.submit("C", "M", "ask", 5200, 30)
    answer = change(engine, receipt, 5300, 100)
    assert (answer.filled, answer.average_price, answer.remaining) == (30, 5200, 70)
    assert answer.fees == receipt.order.taker_fees > 0
    assert engine.book("M").yes == [(5000, 100), (5300, 70)]


def test_amend_that_crosses_is_refused_for_post_only(engine: Engine) -> None:
    receipt = engine.submit("A", "M", "bid", 5000, 100, post_only=True)
    engine.submit("C", "M", "ask", 5200, 30)
    refused(400, "invalid_order", change, engine, receipt, 5300, 100)
    assert engine.book("M").yes == [(5000, 100)]


def test_amend_must_describe_the_order(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    engine.create_market(MarketSpec("N", "E", 0, HOUR))
    good = {"ticker": "M", "side": "bid", "price": 5000, "count": 100}
    amend, number = engine.amend, order_id(receipt)
    refused(400, "order_ticker_mismatch", amend, "A", number, **{**good, "ticker": "N"})
    refused(400, "order_side_mismatch", amend, "A", number, **{**good, "side": "ask"})
    refused(
        400, "order_id_and_client_order_id_mismatch", amend, "A", number, **good, client_order_id="y"
    )
    refused(400, "invalid_price", amend, "A", number, **{**good, "price": 5050})
    refused(400, "invalid_parameters", amend, "A", number, **good, expiration=-1 * SECOND)
    refused(404, "not_found", amend, "B", number, **good)
    refused(404, "not_found", amend, "A", number, **good, subaccount=1)


def test_amend_renames(engine: Engine) -> None:
    receipt = submit_named(engine, "x")
    submit_named(engine, "y")
    refused(
        409,
        "order_already_exists",
        change,
        engine,
        receipt,
        5000,
        100,
        updated_client_order_id="y",
    )
    engine.drain()
    change(engine, receipt, 5000, 100, client_order_id="x", updated_client_order_id="z")
    (update,) = engine.drain()
    assert isinstance(update, OrderUpdate)
    assert update.client_order_id == receipt.order.client_order_id == "z"
    refused(409, "order_already_exists", submit_named, engine, "x")
    refused(409, "order_already_exists", submit_named, engine, "z")


def test_amend_may_use_what_the_order_itself_reserves() -> None:
    engine = exchange(cash=10)
    receipt = engine.submit("A", "M", "bid", 5000, 2000)  # all of the ten dollars
    refused(400, "insufficient_balance", change, engine, receipt, 5000, 2001)
    refused(400, "insufficient_balance", change, engine, receipt, 5100, 2000)
    assert engine.balance("A") == 0
    assert change(engine, receipt, 1000, 10_000).remaining == 10_000
    assert engine.balance("A") == 0


def test_decrease_keeps_the_place(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    answer = engine.decrease("A", order_id(receipt), reduce_by=30)
    assert (answer.remaining, answer.reduced_by) == (70, 30)
    assert queue(engine) == ["A", "B"]
    assert reasons(engine) == [("A", "resting", "Decrease")]
    assert engine.decrease("A", order_id(receipt), reduce_to=20).remaining == 20
    assert not engine.decrease("A", order_id(receipt), reduce_to=20).changed
    engine.drain()
    assert engine.decrease("A", order_id(receipt), reduce_to=0).remaining == 0
    assert reasons(engine) == [("A", "canceled", "Decrease")]
    assert queue(engine) == ["B"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "invalid_parameters"),
        ({"reduce_by": 10, "reduce_to": 10}, "invalid_parameters"),
        ({"reduce_by": 101}, "invalid_order_size"),
        ({"reduce_by": 0}, "invalid_order_size"),
        ({"reduce_by": -5}, "invalid_order_size"),
        ({"reduce_to": 101}, "invalid_order_size"),
        ({"reduce_to": -1}, "invalid_order_size"),
    ],
)
def test_impossible_decreases(queued: tuple[Engine, Receipt], arguments: Any, code: str) -> None:
    engine, receipt = queued
    refused(400, code, engine.decrease, "A", order_id(receipt), **arguments)
    assert engine.book("M").yes == [(5000, 200)]


# --- cancelling -------------------------------------------------------------------------------


def test_second_cancel_looks_like_an_unknown_order(queued: tuple[Engine, Receipt]) -> None:
    engine, receipt = queued
    executed = engine.submit("C", "M", "bid", 4000, 100)
    engine.submit("B", "M", "ask", 4000, 300)
    engine.cancel("B", order_id(engine.submit("B", "M", "bid", 1000, 100)))
    answers = {
        str(refused(404, "not_found", engine.cancel, "A", number))
        for number in (order_id(receipt), order_id(executed), "unknown")
    }
    assert len(answers) == 1


def test_cancel_all(engine: Engine) -> None:
    engine.create_market(MarketSpec("N", "E", 0, HOUR))
    assert engine.create_subaccount("A") == 1
    engine.transfer("A", 0, 1, dollars(10), "t")
    for ticker, subaccount in (("M", 0), ("N", 0), ("M", 1)):
        engine.submit("A", ticker, "bid", 5000, 100, subaccount=subaccount)
    other = engine.submit("B", "M", "bid", 5000, 100)
    assert len(engine.cancel_all("A", subaccount=1)) == 1
    assert len(engine.cancel_all("A")) == 2
    assert engine.cancel_all("A") == []
    assert other.order.status == "resting"
    assert engine.wallet("A").reserved == engine.wallet("A", 1).reserved == 0


def test_orders_expire(engine: Engine) -> None:
    early = engine.submit("A", "M", "bid", 5000, 100, expiration=10 * SECOND)
    late = engine.submit("A", "M", "bid", 5100, 100, expiration=20 * SECOND)
    change(engine, late, 5100, 100, expiration=5 * SECOND)
    engine.drain()
    engine.advance(10 * SECOND - 1)
    assert (early.order.status, late.order.status) == ("resting", "canceled")
    engine.advance(10 * SECOND)
    assert reasons(engine) == [("A", "canceled", "ExpiryCancel")] * 2
    assert (late.order.updated, early.order.updated) == (5 * SECOND, 10 * SECOND)


REQUESTS: dict[str, Any] = {
    "submit": lambda e, o, g: e.submit("A", "M", "bid", 5000, 100),
    "amend": lambda e, o, g: change(e, o, 4000, 100),
    "decrease": lambda e, o, g: e.decrease("A", order_id(o), reduce_by=1),
    "cancel": lambda e, o, g: e.cancel("A", order_id(o)),
    "cancel_all": lambda e, o, g: e.cancel_all("A"),
    "create_group": lambda e, o, g: e.create_group("A", 100),
    "trigger_group": lambda e, o, g: e.trigger_group("A", g),
    "reset_group": lambda e, o, g: e.reset_group("A", g),
    "set_group_limit": lambda e, o, g: e.set_group_limit("A", g, 200),
    "delete_group": lambda e, o, g: e.delete_group("A", g),
    "create_market": lambda e, o, g: e.create_market(MarketSpec("N", "E", 0, HOUR)),
    "deactivate": lambda e, o, g: e.deactivate("M"),
    "set_close_time": lambda e, o, g: e.set_close_time("M", HOUR // 2),
    "set_grid": lambda e, o, g: e.set_grid("M", e.market("M").grid),
    "set_event_fees": lambda e, o, g: e.set_event_fees("E", FeeTerms()),
    "set_floor": lambda e, o, g: e.set_floor("M", 100),
    "pause_trading": lambda e, o, g: e.pause_trading(),
    "determine": lambda e, o, g: e.determine("OVER", 0),
    "activate": lambda e, o, g: e.activate("HALTED"),
    "dispute": lambda e, o, g: e.dispute("DECIDED"),
    "amend_result": lambda e, o, g: e.amend_result("DISPUTED", 0),
}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_every_request_is_an_action_at_the_time_of_the_clock(request_name: str) -> None:
    instant = 0
    engine = Engine(now=0, clock=lambda: instant)
    engine.create_market(MarketSpec("M", "E", 0, HOUR))
    for ticker in ("OVER", "HALTED", "DECIDED", "DISPUTED"):
        engine.create_market(MarketSpec(ticker, "X", 0, HOUR, settlement_timer=HOUR))
    engine.deactivate("HALTED")
    for ticker in ("OVER", "DECIDED", "DISPUTED"):
        engine.set_close_time(ticker, 0)
    for ticker in ("DECIDED", "DISPUTED"):
        engine.determine(ticker, 0)
    engine.dispute("DISPUTED")
    engine.create_user("A", cash=dollars(10))
    expiring = engine.submit("A", "M", "bid", 4900, 100, expiration=10 * SECOND)
    order = engine.submit("A", "M", "bid", 5000, 100)
    group = engine.create_group("A", 100).group_id
    engine.drain()
    clock, instant = engine.clock, 20 * SECOND
    REQUESTS[request_name](engine, order, group)
    events = engine.drain()
    assert engine.now == instant
    assert expiring.order.reason == "ExpiryCancel"
    # The expiry was one action, at its time; the request is the next one.
    assert (events[0].clock, events[0].time) == (clock + 1, 10 * SECOND)
    assert (events[-1].clock, events[-1].time) in (
        (clock + 2, instant),
        (clock + 1, 10 * SECOND),  # of a request that changes nothing that is told
    )
    assert engine.clock == clock + 2


# --- meeting oneself --------------------------------------------------------------------------


def test_taker_at_cross_cancels_the_incoming_order(engine: Engine) -> None:
    own = engine.submit("A", "M", "ask", 5000, 100)
    receipt = engine.submit("A", "M", "bid", 5000, 100, **IOC)
    assert (receipt.filled, receipt.remaining) == (0, 0)
    assert (receipt.order.status, receipt.order.reason) == ("canceled", "SelfTradeCancel")
    assert own.order.status == "resting"


def test_taker_at_cross_keeps_the_fills_made_before(engine: Engine) -> None:
    engine.submit("B", "M", "ask", 4900, 30)
    engine.submit("A", "M", "ask", 5000, 100)
    engine.submit("B", "M", "ask", 5100, 30)
    receipt = engine.submit("A", "M", "bid", 5200, 100)
    assert (receipt.filled, receipt.order.status) == (30, "canceled")
    assert engine.book("M").no == [(4900, 30), (5000, 100)]


def test_maker_cancels_the_resting_order_and_goes_on(engine: Engine) -> None:
    own = engine.submit("A", "M", "ask", 5000, 100)
    engine.submit("B", "M", "ask", 5000, 30)
    engine.drain()
    receipt = engine.submit("A", "M", "bid", 5000, 100, self_trade="maker")
    assert (receipt.filled, receipt.remaining) == (30, 70)
    assert (own.order.status, own.order.reason) == ("canceled", "SelfTradeCancel")
    assert engine.book("M").yes == [(5000, 70)]


def test_fill_or_kill_that_meets_itself_keeps_its_fills(engine: Engine) -> None:
    engine.submit("B", "M", "ask", 4900, 30)
    engine.submit("A", "M", "ask", 5000, 100)
    receipt = engine.submit("A", "M", "bid", 5000, 100, **FOK)
    assert (receipt.filled, receipt.order.status) == (30, "canceled")


def test_subaccounts_are_one_user_unless_told_otherwise() -> None:
    for scope, filled in (("user", 0), ("subaccount", 100)):
        engine = exchange(self_trade_scope=scope)
        engine.create_subaccount("A")
        engine.transfer("A", 0, 1, dollars(100), "t")
        engine.submit("A", "M", "ask", 5000, 100)
        receipt = engine.submit("A", "M", "bid", 5000, 100, subaccount=1)
        assert receipt.filled == filled


def test_amend_that_meets_itself(engine: Engine) -> None:
    engine.submit("A", "M", "ask", 5200, 50)
    receipt = engine.submit("A", "M", "bid", 5000, 100)
    answer = change(engine, receipt, 5300, 100)
    assert (answer.filled, receipt.order.status) == (0, "canceled")
    assert receipt.order.reason == "SelfTradeCancel"
    assert engine.wallet("A").reserved == 50 * 4800


# --- determinism ------------------------------------------------------------------------------


def test_same_seed_same_identifiers() -> None:
    def ids(seed: int) -> list[str]:
        engine = Engine(now=0, seed=seed)
        engine.create_market(MarketSpec("M", "E", 0, HOUR))
        engine.create_user("A", cash=dollars(100))
        return [order_id(engine.submit("A", "M", "bid", 5000, 100)) for _ in range(5)]

    assert ids(1) == ids(1)
    assert not set(ids(1)) & set(ids(2))
    assert len(set(ids(3))) == 5


# --- small amounts ----------------------------------------------------------------------------


def test_reduce_only_without_a_position_takes_nothing_at_all(engine: Engine) -> None:
    engine.submit("A", "M", "ask", 5000, 100)
    receipt = engine.submit("B", "M", "bid", 5000, 100, reduce_only=True, **IOC)
    assert (receipt.filled, receipt.order.reason) == (0, "ReduceOnlyCancel")
    assert engine.market("M").volume == 0


def test_a_new_order_reduces_nothing() -> None:
    engine = exchange(client_ids="return-original")
    named: dict[str, Any] = {"client_order_id": "x"}
    for receipt in (
        engine.submit("A", "M", "bid", 5000, 100, **named),
        engine.submit("A", "M", "bid", 5000, 100, **named),
        engine.submit("B", "M", "ask", 5000, 50),
    ):
        assert receipt.reduced_by == 0
    order = receipt.order
    assert (order.filled, order.remaining) == (50, 0)


def test_an_order_is_reduced_by_a_hundredth_of_a_contract_and_by_nothing(engine: Engine) -> None:
    name = order_id(engine.submit("A", "M", "bid", 5000, 100))
    least = engine.decrease("A", name, reduce_by=1)
    assert (least.remaining, least.reduced_by, least.changed) == (99, 1, True)
    same = engine.decrease("A", name, reduce_to=99)
    assert (same.remaining, same.reduced_by, same.changed) == (99, 0, False)
    refused(400, "invalid_order_size", engine.decrease, "A", name, reduce_by=0)
    assert engine.decrease("A", name, reduce_to=1).remaining == 1
    assert engine.decrease("A", name, reduce_by=1).remaining == 0
    assert engine.book("M").yes == []


def test_what_is_over_reserves_nothing(engine: Engine) -> None:
    ended = [
        engine.submit("A", "M", "bid", 4000, 100).order,
        engine.submit("A", "M", "bid", 3000, 100).order,
        engine.submit("A", "M", "bid", 2000, 100).order,
    ]
    assert [order.lock for order in ended] == [400_000, 300_000, 200_000]
    engine.submit("B", "M", "ask", 4000, 100)
    engine.cancel("A", ended[1].order_id)
    engine.decrease("A", ended[2].order_id, reduce_to=0)
    assert [order.lock for order in ended] == [0, 0, 0]


def test_the_original_is_answered_with_fees_of_both_kinds() -> None:
    engine = Engine(now=0, options=EngineOptions(client_ids="return-original"))
    terms = FeeTerms("quadratic_with_maker_fees", 1)
    engine.create_market(MarketSpec("M", "E", 0, 24 * HOUR, fees=terms))
    for user in "ABC":
        engine.create_user(user, cash=dollars(1000))
    engine.submit("B", "M", "bid", 6000, 3000)
    ask = {"user": "A", "ticker": "M", "side": "ask", "price": 5000, "count": 10_000}
    first = engine.submit(**ask, client_order_id="x")
    engine.submit("C", "M", "bid", 5000, 5000)
    again = engine.submit(**ask, client_order_id="x")
    # 0.07 × 30 × 0.6 × 0.4 taken, 0.0175 × 50 × 0.5 × 0.5 made.
    assert (first.fees, again.fees) == (504_000, 504_000 + 218_800)


def test_the_best_levels_of_a_book(engine: Engine) -> None:
    for price in (1000, 2000, 3000):
        engine.submit("A", "M", "bid", price, price // 10)
        engine.submit("A", "M", "ask", 10_000 - price, price // 5)
    for depth, count in ((1, 1), (2, 2), (3, 3), (9, 3), (0, 3)):
        book = engine.book("M", depth)
        assert book.yes == [(1000, 100), (2000, 200), (3000, 300)][-count:]
        assert book.no == [(1000, 200), (2000, 400), (3000, 600)][-count:]


def test_volume_is_counted_as_far_as_it_is_wanted(engine: Engine) -> None:
    for price in (5000, 5100, 5200):
        engine.submit("A", "M", "ask", price, 100)
    within = engine.market("M").asks.volume_within
    assert [within(-5200, wanted) for wanted in (1, 100, 101, 200, 201, 999)] == [
        100, 100, 200, 200, 300, 300,
    ]  # fmt: skip
    assert [within(-limit, 999) for limit in (4999, 5000, 5099, 5100, 5200)] == [
        0, 100, 100, 200, 300,
    ]  # fmt: skip


def test_an_amendment_does_not_take_the_name_of_another_order() -> None:
    engine = exchange(client_ids="return-original")
    engine.submit("A", "M", "bid", 4000, 100, client_order_id="taken")
    order = engine.submit("A", "M", "bid", 4100, 100, client_order_id="mine").order
    terms: dict[str, Any] = {"ticker": "M", "side": "bid", "price": 4100, "count": 100}
    refused(
        409, "order_already_exists", engine.amend, "A", order.order_id,
        **terms, updated_client_order_id="taken",
    )  # fmt: skip
    assert order.client_order_id == "mine"
    engine.amend("A", order.order_id, **terms, updated_client_order_id="other")
    assert order.client_order_id == "other"


def test_choices_can_be_changed_while_it_runs(engine: Engine) -> None:
    engine.submit("A", "M", "bid", 5000, 100)
    assert engine.balance("A") == dollars(999.5)
    engine.options = EngineOptions(balance_net_of_orders=False)
    assert engine.options.balance_net_of_orders is False
    assert engine.balance("A") == dollars(1000)


def test_what_rests_is_numbered_in_the_order_of_time(engine: Engine) -> None:
    first = engine.submit("A", "M", "bid", 4000, 100).order
    second = engine.submit("B", "M", "bid", 4000, 100).order
    engine.submit("C", "M", "ask", 4000, 50, **IOC)
    assert (first.ticket, second.ticket) == (1, 2)
    terms: dict[str, Any] = {"ticker": "M", "side": "bid", "price": 4000}
    engine.amend("A", first.order_id, **terms, count=90)
    assert first.ticket == 1
    engine.amend("A", first.order_id, **terms, count=200)
    assert (first.ticket, second.ticket) == (3, 2)


def test_an_order_that_moves_leaves_nothing_of_itself_behind(engine: Engine) -> None:
    """Alone at its new price it has neighbours no more, in front or behind."""
    orders = [engine.submit("A", "M", "bid", 5000, 100).order for _ in range(3)]
    for order, price in zip(orders, (4900, 4800, 4700), strict=True):
        engine.amend("A", order.order_id, ticker="M", side="bid", price=price, count=100)
    assert engine.book("M").yes == [(4700, 100), (4800, 100), (4900, 100)]
    for order in orders:
        engine.cancel("A", order.order_id)
    assert engine.book("M").yes == []
    orders = [engine.submit("A", "M", "bid", 5000, 100).order for _ in range(3)]
    engine.amend("A", orders[1].order_id, ticker="M", side="bid", price=4900, count=100)
    engine.amend("A", orders[1].order_id, ticker="M", side="bid", price=5000, count=100)
    engine.cancel("A", orders[2].order_id)
    engine.drain()
    engine.submit("B", "M", "ask", 5000, 150)
    assert [(event.order.order_id, event.count) for event in engine.drain()
            if isinstance(event, Fill) and not event.is_taker] == [
        (orders[0].order_id, 100), (orders[1].order_id, 50),
    ]  # fmt: skip


@pytest.mark.parametrize(("side", "leg"), [("bid", 4000), ("ask", 6000)])
def test_a_decrease_frees_what_it_takes_off(engine: Engine, side: Any, leg: int) -> None:
    name = order_id(engine.submit("A", "M", side, 4000, 300))
    for left in (200, 50):
        engine.decrease("A", name, reduce_to=left)
        assert engine.balance("A") == dollars(1000) - leg * left
    engine.amend("A", name, ticker="M", side=side, price=4000, count=20)
    assert engine.balance("A") == dollars(1000) - leg * 20


def test_an_amendment_leaves_at_least_a_hundredth_of_a_contract(engine: Engine) -> None:
    name = order_id(engine.submit("A", "M", "bid", 5000, 300))
    engine.submit("B", "M", "ask", 5000, 100)
    terms: dict[str, Any] = {"ticker": "M", "side": "bid", "price": 5000}
    refused(400, "invalid_order_size", engine.amend, "A", name, **terms, count=100)
    assert engine.amend("A", name, **terms, count=101).remaining == 1
