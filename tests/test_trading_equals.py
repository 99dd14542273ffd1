"""Equal orders, and the same one again by its id.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    InputError,
    KalshiError,
    NotSentError,
    OpenOrdersWarning,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
)
from kalshi_research.trading.journal import Intent
from tests.order_calls import (
    BUSY,
    CREATE,
    LOST,
    UNSENT,
    both_at_once,
    confirmed_ticket,
    impatient,
    left_open,
    place,
    rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.order_venue import Venue

pytest_plugins = ["tests.order_fixtures"]


def test_an_equal_order_that_is_not_accounted_for_blocks(venue: Venue) -> None:
    venue.answer(CREATE, *[LOST] * 3)
    venue.desk.pace = impatient(venue)
    with pytest.raises(OrderUnknown):
        place(venue)
    for call in (lambda: place(venue), lambda: kr.create_orders(venue.client, rows("0.40", "0.42"))):
        with pytest.raises(OrderUnknown, match="an equal order is not accounted for"):
            call()
    assert venue.writes == [CREATE]
    venue._scripts.clear()
    for other in ({"price": "0.43"}, {"quantity": 6}, {"action": "sell"}):
        assert place(venue, **other).state == "resting"


def test_an_equal_that_is_found_meanwhile_is_told_once(venue: Venue) -> None:
    venue.answer(CREATE, lambda v, _m, _r, asked: v.take(asked["body"]) and BUSY)
    venue.answer("GET /portfolio/orders", *[BUSY] * 1)
    venue.desk.pace = impatient(venue)
    with pytest.raises(OrderUnknown):
        place(venue)
    with pytest.raises(InputError, match="was placed after all: it is resting"):
        place(venue)
    assert venue.writes == [CREATE]
    assert place(venue).state == "resting"


def test_what_is_found_of_other_orders_blocks_nothing(venue: Venue) -> None:
    """Only an equal order that was placed is a reason to ask the person again."""
    left_open(venue, "absent")
    left_open(venue, "other")
    venue.put("other", yes_price_dollars="0.4200", initial_count_fp="5.00")
    venue.restart()
    with pytest.warns(OpenOrdersWarning), pytest.raises(InputError, match=r"id other\)"):
        place(venue)
    venue.restart()
    left_open(venue, "absent2")
    with pytest.warns(OpenOrdersWarning, match="resting"):
        assert place(venue, "0.42").state == "resting"


def test_an_order_under_the_id_of_a_change_says_nothing_of_that_change(venue: Venue) -> None:
    made = place(venue)
    venue.desk.journal.write(
        Intent("k", "cancel", "NOT_PLACED", "s", {"ticker": "T"}, order_id=made.order_id)
    )
    venue.put("k")
    assert {made.order_id, "o-k"} == {*kr.get_open_orders(venue.client).index}
    kept = venue.desk.journal.get("k")
    assert kept is not None
    assert (kept.state, kept.order_id) == ("NOT_PLACED", made.order_id)


def test_an_id_that_stands_for_a_change_is_no_id_for_an_order(venue: Venue) -> None:
    made = place(venue)
    kr.amend_order(venue.client, made, quantity=4)
    change = next(i for i in venue.desk.journal.intents().values() if i.act == "amend")
    with pytest.raises(InputError, match=r"was used before, for: a change \(amend\)"):
        place(venue, client_order_id=change.key)


def test_the_same_order_again_by_its_id(venue: Venue) -> None:
    key = "mine"
    venue.answer(CREATE, lambda v, _m, _r, asked: v.take(asked["body"]) and BUSY)
    venue.answer("GET /portfolio/orders", None, BUSY)
    venue.desk.pace = impatient(venue)
    with pytest.raises(OrderUnknown):
        place(venue, client_order_id=key)
    again = place(venue, client_order_id=key)
    assert (again.state, again.note) == ("resting", "placed by an earlier call; nothing was sent now")
    assert venue.writes == [CREATE]


def test_what_is_known_of_an_id_is_not_asked_again(venue: Venue) -> None:
    place(venue, client_order_id="mine")
    venue.answer(CREATE, (400, {"error": {"code": "no"}}))
    with pytest.raises(OrderRejected):
        place(venue, "0.41", client_order_id="refused")
    venue.seen.clear()
    assert place(venue, client_order_id="mine").state == "resting"
    assert venue.seen == []
    assert place(venue, "0.41", client_order_id="refused").state == "resting"
    assert [f"{method} {route}" for method, route, _ in venue.seen] == [CREATE]
    ticket = confirmed_ticket(venue)
    venue.seen.clear()
    kr.create_order(venue.client, ticket)  # its id is new: nobody can have used it
    assert [f"{method} {route}" for method, route, _ in venue.seen] == [CREATE]


def test_an_id_may_be_a_uuid(venue: Venue) -> None:
    made = place(venue, client_order_id=uuid.UUID(int=5))
    assert made.client_order_id == "00000000-0000-0000-0000-000000000005"


def test_an_order_that_was_interrupted_before_it_left_was_never_sent(venue: Venue, monkeypatch) -> None:
    from kalshi_research.trading import placing

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(placing, "mark_sent", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place(venue, client_order_id="mine")
    with pytest.raises(OrderNotPlaced, match="it was never sent"):
        place(venue, client_order_id="mine")
    assert venue.elapsed == 0
    assert place(venue).state == "resting"
    assert venue.writes == [CREATE]


def test_two_threads_that_see_the_clock_of_the_exchange_forget_nothing() -> None:
    from kalshi_research.trading.pace import ExchangeClock, Sighting

    clock = ExchangeClock(simulated=False)

    def first(middle: Callable[[], None]) -> None:
        class Slow(float):
            def __sub__(self, other: float) -> float:
                middle()
                return float(self) - other

        clock.observe(Sighting(Slow(105.0), 100.0))

    both_at_once(first, lambda: clock.observe(Sighting(190.0, 100.0)))
    assert clock.there(200.0) >= 290.0


def test_an_order_that_was_never_placed_may_be_sent_again_by_its_id_but_is_looked_for(
    venue: Venue,
) -> None:
    venue.answer(CREATE, UNSENT)
    with pytest.raises(NotSentError):
        place(venue, client_order_id="mine")
    venue.sleep(60)
    assert place(venue, client_order_id="mine").state == "resting"
    assert venue.writes == [CREATE] * 2
    venue.answer(CREATE, LOST)
    with pytest.raises(OrderNotPlaced):
        place(venue, "0.41", client_order_id="lost")
    assert place(venue, "0.41", client_order_id="lost").state == "resting"
    venue.answer(CREATE, LOST)
    venue.desk.pace = impatient(venue)
    with pytest.raises(OrderUnknown):
        place(venue, "0.40", client_order_id="open")
    venue.sleep(30)
    venue.desk.pace = type(venue.desk.pace)(**{**vars(venue.desk.pace), "patience": 30.0})
    with pytest.raises(OrderNotPlaced):  # it is told what became of it before it is sent anew
        place(venue, "0.40", client_order_id="open")


def test_an_error_asks_again_only_for_the_order_that_is_proven_absent(venue: Venue) -> None:
    venue.answer(CREATE, LOST)
    venue.desk.pace = impatient(venue)
    with pytest.raises(OrderUnknown) as error:
        place(venue)
    with pytest.raises(OrderUnknown):
        error.value.resolve(resubmit=True)
    assert venue.writes == [CREATE]
    venue.sleep(30)
    with pytest.raises((OrderUnknown, OrderNotPlaced)):
        error.value.resolve()
    venue.sleep(30)
    with pytest.raises(OrderNotPlaced, match="You may place it again"):
        error.value.resolve()
    assert error.value.resolve(resubmit=True).state == "resting"
    assert venue.writes == [CREATE] * 2
    venue.desk.journal._intents.clear()
    with pytest.raises(KalshiError):
        error.value.resolve()


def test_an_order_closed_by_another_call_before_it_left_is_not_sent(venue: Venue, monkeypatch) -> None:
    place(venue, "0.10")
    from kalshi_research.trading import batches, placing

    for module, call in (
        (placing, lambda: place(venue)),
        (batches, lambda: kr.create_orders(venue.client, rows("0.42"))),
    ):
        for change in ({"state": "NOT_PLACED"}, {"session": "another"}):
            real = placing.mark_sent

            def closed(desk: Any, keys: list[str], change: Any = change, real: Any = real) -> None:
                desk.journal.note(keys[0], **change)
                real(desk, keys)

            with monkeypatch.context() as patch:
                patch.setattr(module, "mark_sent", closed)
                with pytest.raises(InputError, match="was closed by another call; nothing was sent"):
                    call()
            for intent in venue.desk.open_creates():
                venue.desk.journal.note(intent.key, state="NOT_PLACED")
    assert venue.writes == [CREATE]
