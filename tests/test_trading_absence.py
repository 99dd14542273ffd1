"""What decides that an order was never placed.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    DecodeError,
    InputError,
    OpenOrdersWarning,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
)
from kalshi_research.trading.accounting import account
from tests.order_calls import BUSY, CREATE, LOST, both_at_once, impatient, left_open, place
from tests.order_venue import EPOCH, Venue

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["tests.order_fixtures"]


def test_strange_fills_keep_an_absence_from_being_proven(venue: Venue) -> None:
    venue.answer(CREATE, LOST)
    venue.fills.append({"order_id": "o-x", "ticker": "T", "book_side": "bid", "count_fp": "5.00"})
    with pytest.raises(OrderUnknown) as error:
        place(venue)
    venue.fills[0]["book_side"] = "ask"  # of the other side: no fill of ours
    with pytest.raises(OrderNotPlaced):
        error.value.resolve()


def test_an_order_is_found_where_the_lists_do_not_reach(venue: Venue) -> None:
    def archived(venue: Venue, _m: str, _r: str, asked: dict[str, Any]) -> Any:
        venue.take(asked["body"], filled="5.00")
        venue.archive.append(venue.orders.popitem()[1])
        return BUSY

    venue.answer(CREATE, archived)
    assert place(venue).state == "executed"

    def fill_only(venue: Venue, _m: str, _r: str, asked: dict[str, Any]) -> Any:
        receipt = venue.take(asked["body"], filled="5.00")
        row = venue.orders.pop(receipt["order_id"])
        venue.fills.append(
            {"order_id": row["order_id"], "ticker": "T", "book_side": "bid", "count_fp": "5.00"}
        )
        venue.answer("GET /portfolio/orders/o-*", (200, {"order": row}))
        return BUSY

    venue.answer(CREATE, fill_only)
    assert place(venue, "0.43").state == "executed"


def test_a_fill_of_an_order_that_is_accounted_for_is_not_strange(venue: Venue) -> None:
    venue.answer(CREATE, lambda v, _m, _r, asked: (201, v.take(asked["body"], filled="5.00")))
    made = place(venue)
    venue.orders.clear()
    venue.fills.append(
        {"order_id": made.order_id, "ticker": "T", "book_side": "bid", "count_fp": "5.00"}
    )
    venue.answer(CREATE, LOST)
    with pytest.raises(OrderNotPlaced):
        place(venue, "0.41")


def test_many_markets_are_looked_at_in_one_walk(venue: Venue) -> None:
    from tests.fake_exchange import market

    closes = venue.markets["T"]["close_time"]
    names = [f"T{number}" for number in range(7)]
    venue.markets |= {name: market(name, close_time=closes) for name in names}
    venue.answer(f"{CREATE}/batched", BUSY)
    asked: list[str | None] = []
    note = lambda _v, _m, _r, more: asked.append(more["query"].get("ticker"))  # noqa: E731
    venue.answer("GET /portfolio/orders", *[note] * 99)
    orders = [{"ticker": name, "quantity": 1, "price": "0.10"} for name in names]
    assert {report.state for report in kr.create_orders(venue.client, orders)} == {"not placed"}
    assert set(asked) == {None}


def test_a_simulated_clock_that_stands_still_leaves_the_time_that_passes(simulated: Venue) -> None:
    simulated.mark = EPOCH
    simulated.answer(CREATE, LOST)
    with pytest.raises(OrderNotPlaced):
        place(simulated)
    assert 10 <= simulated.elapsed < 25


def test_two_looks_at_the_same_moment_are_one(venue: Venue) -> None:

    left_open(venue)
    venue.restart()
    venue.desk.pace = replace(venue.desk.pace, looks_apart=0.0)
    with pytest.warns(OpenOrdersWarning, match="1 not accounted for yet"):
        (found,) = account(venue.desk)
    assert (found.state, venue.elapsed) == ("UNKNOWN", 0)


def test_two_looks_that_follow_at_once_are_too_few(venue: Venue) -> None:
    from kalshi_research.trading.placing import resolve

    left_open(venue)
    venue.desk.accounted = True
    venue.desk.pace = impatient(venue)
    for wait in (0.0, 0.5):
        venue.sleep(wait)
        with pytest.raises(OrderUnknown):
            resolve(venue.desk, "k")
    venue.sleep(0.6)
    with pytest.raises(OrderNotPlaced):
        resolve(venue.desk, "k")


def test_while_somebody_may_be_sending_it_nobody_else_decides(venue: Venue) -> None:
    from kalshi_research.trading.placing import resolve

    venue.desk.accounted = True
    journal, done = venue.desk.journal, threading.Event()
    worker = threading.Thread(target=done.wait, daemon=True)
    worker.start()
    left_open(venue)
    journal.workers["k"] = worker
    journal.note("k", session=journal.session)
    with pytest.raises(OrderUnknown):
        resolve(venue.desk, "k")
    assert venue.states == ["SENT"], "it is not called unknown while it is on its way"
    assert venue.elapsed >= 30
    done.set()
    worker.join()
    with pytest.raises(OrderNotPlaced):
        resolve(venue.desk, "k")


def test_what_an_exchange_removed_is_told_as_a_refusal(venue: Venue) -> None:
    venue.answer(CREATE, (200, {"error": {"code": "deprecated_v1_order_endpoint"}}))
    with pytest.raises(OrderRejected, match="update this package"):
        place(venue)
    assert venue.states == ["NOT_PLACED"], "by evidence"


def test_looking_in_vain_writes_nothing_down(venue: Venue) -> None:
    venue.desk.pace = impatient(venue)
    venue.answer(CREATE, LOST)
    with pytest.raises(OrderUnknown) as error:
        place(venue)
    before = venue.desk.journal.path.read_bytes()
    for _ in range(2):
        with pytest.raises(OrderUnknown):
            error.value.resolve()
    assert venue.desk.journal.path.read_bytes() == before


def test_what_is_known_of_an_unknown_order_is_the_reason(venue: Venue) -> None:
    venue.desk.pace = impatient(venue)
    for said, known in ((BUSY, "HTTP 503 service_unavailable"), (LOST, "the connection broke")):
        venue.answer(CREATE, said)
        with pytest.raises(OrderUnknown) as error:
            place(venue, f"0.{40 + len(venue.writes)}")
        assert error.value.known == known


def test_what_another_process_closes_while_it_is_written_down_stays_closed_or_comes_later(
    venue: Venue, monkeypatch
) -> None:
    place(venue, "0.10")
    journal = venue.desk.journal
    real = type(journal).get

    def first(middle: Callable[[], None]) -> Any:
        def slow(journal: Any, key: str) -> Any:
            found = real(journal, key)
            if key == "one" and found is not None and found.state == "PREPARED":
                middle()
            return found

        monkeypatch.setattr(type(journal), "get", slow)
        return place(venue, client_order_id="one")

    def close() -> None:
        with journal.locked():
            if real(journal, "one").state == "PREPARED":  # type: ignore[union-attr]
                journal.note("one", state="NOT_PLACED", note="closed by another call")

    both_at_once(first, close)
    text = journal.path.read_text()
    closed = text.find('"NOT_PLACED"')
    assert closed < 0 or '"SENT"' not in text[closed:]
    # Whoever came first, the end is one of the two, and the exchange knows it.
    end = real(journal, "one").state  # type: ignore[union-attr]
    assert end == ("NOT_PLACED" if closed >= 0 else "ACKED")


def test_only_what_was_written_down_is_marked_as_sent(venue: Venue) -> None:
    from kalshi_research.trading.placing import mark_sent

    with pytest.raises(InputError, match="was closed by another call; nothing was sent"):
        mark_sent(venue.desk, ["unheard-of"])


def test_a_fill_whose_order_cannot_be_read_decides_nothing(venue: Venue) -> None:
    venue.answer(CREATE, LOST)
    venue.answer("GET /portfolio/fills", *[BUSY] * 100)
    with pytest.raises(OrderUnknown):
        place(venue)
    venue._scripts.clear()
    venue.fills.append({"order_id": "o-x", "ticker": "T", "book_side": "bid", "count_fp": "1.00"})
    venue.answer("GET /portfolio/orders/o-x", *[(200, {"order": venue.put("y")})] * 100)
    venue.orders.clear()
    with pytest.raises(OrderUnknown):  # another order than the one that was asked for
        kr.create_order(venue.client, "T", quantity=5, price="0.42")


@pytest.mark.parametrize("said", [{}, {"as_of_time": None}, {"as_of_time": "soon"}, {"as_of_time": 5}])
def test_an_exchange_that_does_not_say_how_fresh_it_is_proves_nothing(venue: Venue, said: Any) -> None:
    place(venue, "0.10")
    venue.answer(CREATE, LOST)
    venue.answer("GET /exchange/user_data_timestamp", *[(200, said)] * 500)
    with pytest.raises(OrderUnknown):
        place(venue)
    assert venue.writes == [CREATE] * 2


def test_only_recent_orders_are_read_and_of_an_archive_no_more_than_needed(venue: Venue) -> None:
    asked: list[dict[str, Any]] = []

    def note(_venue: Venue, _m: str, _r: str, more: dict[str, Any]) -> None:
        asked.append(more["query"])

    old = venue.put("old", created_time="2020-01-01T00:00:00Z")
    strange = venue.put("strange", created_time="when?")
    venue.archive += [strange, old, {"order_id": "unreadable"}]
    venue.orders.clear()
    venue.answer("GET /portfolio/orders", *[note] * 99)
    venue.answer(CREATE, LOST)
    with pytest.raises(OrderNotPlaced):  # the walk ended at the old one: the unreadable is older
        place(venue)
    (since,) = {int(query["min_ts"]) for query in asked if "min_ts" in query}
    assert EPOCH - 3600 < since < EPOCH - venue.lag


def test_a_simulated_exchange_may_show_another_year(simulated: Venue) -> None:
    asked: list[dict[str, Any]] = []
    simulated.lag = 10 * 366 * 86_400.0
    simulated.answer("GET /portfolio/orders", *[lambda _v, _m, _r, a: asked.append(a["query"])] * 99)
    old = simulated.put("old", created_time="2010-01-01T00:00:00Z")
    simulated.orders.clear()
    simulated.answer(
        CREATE, lambda v, _m, _r, asked: v.archive.extend([_taken(v, asked["body"]), old]) or BUSY
    )
    assert place(simulated).state == "resting"
    assert asked
    assert all(int(query.get("min_ts", 0)) <= EPOCH - simulated.lag for query in asked)
    assert simulated.desk.present().timestamp() == pytest.approx(
        EPOCH + simulated.elapsed - simulated.lag
    )
    with pytest.raises(InputError, match="in the past"):
        place(simulated, expires=int(EPOCH - simulated.lag) - 5)
    soon = int(EPOCH + simulated.elapsed - simulated.lag) + 3600
    assert place(simulated, "0.41", expires=soon).state == "resting"


def test_a_simulated_exchange_is_asked_for_its_clock_where_it_matters(simulated: Venue) -> None:
    place(simulated)
    simulated.seen.clear()
    place(simulated, "0.41")
    assert simulated.writes == [f"{method} {route}" for method, route, _ in simulated.seen]
    simulated.sleep(1000)
    past = int(EPOCH + simulated.elapsed) - 500
    with pytest.raises(InputError, match="in the past"):
        place(simulated, "0.40", expires=past)
    simulated.answer("GET /exchange/user_data_timestamp", BUSY)
    with pytest.raises(InputError, match="in the past"):  # what was seen last has to do
        place(simulated, "0.40", expires=past)


def test_the_protocol_of_2025_has_no_archive_to_ask(old: Venue) -> None:
    old.answer("POST /portfolio/orders", LOST)
    with pytest.raises(OrderNotPlaced):
        place(old)
    assert old.sent("GET /historical/*") == []
    assert old.sent("GET /portfolio/fills") != []


def _taken(venue: Venue, body: dict[str, Any]) -> dict[str, Any]:
    venue.take(body)
    return venue.orders.popitem()[1]


def test_a_real_exchange_is_asked_for_no_clock_to_know_the_present(venue: Venue) -> None:
    assert venue.desk.present() == venue.now()
    assert venue.seen == []


def test_what_is_open_says_who_placed_it(venue: Venue) -> None:
    mine, theirs = place(venue, "0.10"), venue.put("theirs")
    venue.answer(CREATE, LOST)
    venue.desk.pace = impatient(venue)
    with pytest.raises(OrderUnknown) as error:
        place(venue)
    listed = kr.get_open_orders(venue.client)
    assert listed.loc[mine.order_id, "placed_by"] == "this session"
    assert listed.loc[theirs["order_id"], "placed_by"] == "elsewhere"
    assert set(listed["state"]) == {"resting", "unknown"}
    assert error.value.client_order_id in set(listed["client_order_id"])


@pytest.mark.parametrize("said", [{"queue_positions": 5}, {"queue_positions": {}}])
def test_queue_positions_that_are_no_list(venue: Venue, said: Any) -> None:
    path = "GET /portfolio/orders/queue_positions"
    venue.answer(path, (200, said), (200, {"queue_positions": None}), (200, {}))
    with pytest.raises(DecodeError, match="no list"):
        kr.get_queue_positions(venue.client)
    assert len(kr.get_queue_positions(venue.client)) == 0
    assert len(kr.get_queue_positions(venue.client)) == 0


def test_a_look_of_before_it_was_sent_once_more_is_not_one_of_the_two(venue: Venue) -> None:
    from kalshi_research.trading.proof import absent_twice, is_old_enough

    left_open(venue)
    desk, (intent,) = venue.desk, venue.desk.journal.some(["k"])
    desk.absent_at["k"] = 5.0  # of a look that was slow
    desk.gave_up["k"] = 10.0
    venue.sleep(10)
    while not is_old_enough(desk, intent, desk.observe()):
        venue.sleep(1)
        assert venue.elapsed < 100
    assert not absent_twice(desk, intent, desk.observe())
    venue.sleep(desk.pace.looks_apart)
    assert absent_twice(desk, intent, desk.observe())
