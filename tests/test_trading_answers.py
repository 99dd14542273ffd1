"""Answers to orders: one that does not fit is not believed, and what was not sent changes nothing.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    NotSentError,
    OrderNotPlaced,
    OrderRejected,
)
from tests.order_calls import AMEND, BUSY, CANCEL, CREATE, DECREASE, UNSENT, changed, place, rows

if TYPE_CHECKING:
    from tests.order_venue import Venue

pytest_plugins = ["tests.order_fixtures"]


# An answer that does not fit is not believed


def lies(**more: Any) -> Any:
    """An order is taken, and its receipt is spoiled."""

    def answer(venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        return 201, venue.take(asked["body"]) | more

    return answer


@pytest.mark.parametrize(
    "spoiled",
    [
        {"client_order_id": "other"},
        {"client_order_id": None},
        {"fill_count": None},
        {"remaining_count": None},
        {"fill_count": "-1.00"},
        {"fill_count": "-1.00", "remaining_count": "6.00"},
        {"fill_count": "6.00", "remaining_count": "-1.00"},
        {"fill_count": "9.00", "remaining_count": "0.00"},
        {"remaining_count": "3.00"},
        {"remaining_count": "6.00"},
        {"order_id": ""},
        {"order_id": 5},
    ],
)
def test_a_receipt_that_does_not_fit_is_looked_up(venue: Venue, spoiled: dict[str, Any]) -> None:
    venue.answer(CREATE, lies(**spoiled))
    made = place(venue)
    (row,) = venue.orders.values()
    assert (made.state, made.order_id, made.client_order_id) == (
        "resting",
        row["order_id"],
        row["client_order_id"],
    )
    assert (made.filled, made.remaining) == (0, 5)
    assert made.note == "found on the exchange"
    assert venue.sent("GET /historical/*") == [], "what is in one list is not looked for in others"
    assert venue.writes == [CREATE]


def test_what_never_rests_cannot_have_something_left(venue: Venue) -> None:
    venue.answer(CREATE, lies())
    made = place(venue, time_in_force="immediate_or_cancel")
    assert made.note == "found on the exchange"
    row = next(iter(venue.orders.values()))
    row |= {"status": "canceled", "remaining_count_fp": "0.00"}
    venue.answer(CREATE, lambda v, _m, _r, asked: (201, v.take(asked["body"], filled="5.00")))
    assert place(venue, "0.43", time_in_force="immediate_or_cancel").note == ""


@pytest.mark.parametrize(
    "spoiled", [{"ticker": "U"}, {"book_side": "ask"}, {"yes_price_dollars": "0.4100"}]
)
def test_an_order_in_the_answer_must_be_the_one_that_was_sent(
    venue: Venue, spoiled: dict[str, Any]
) -> None:
    def answer(venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        venue.take(asked["body"])
        return 201, {"order": dict(venue.orders[f"o-{asked['body']['client_order_id']}"]) | spoiled}

    venue.answer(CREATE, answer)
    assert place(venue).note == "found on the exchange"
    venue.answer(CREATE, lambda v, m, r, a: (201, {"order": dict(answer(v, m, r, a)[1]["order"])}))


def test_an_id_that_turns_out_to_belong_to_another_order_is_no_success(venue: Venue) -> None:
    def answer(venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> Any:
        venue.put(asked["body"]["client_order_id"], ticker="T", book_side="ask")
        return BUSY

    venue.answer(CREATE, answer)
    with pytest.raises(OrderRejected):
        place(venue)
    assert venue.states == ["REJECTED"]
    (intent,) = venue.desk.journal.intents().values()
    assert "its id belongs to another order" in intent.note


@pytest.mark.parametrize("said", [5, [], None, {"orders": 5}, {"orders": []}, {"orders": [{}]}])
def test_an_answer_to_a_batch_that_leaves_orders_out(venue: Venue, said: Any) -> None:
    def answer(venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        venue.take(asked["body"]["orders"][0])
        return 200, said if isinstance(said, dict) else {"orders": said}

    venue.answer(f"{CREATE}/batched", answer)
    first, second = kr.create_orders(venue.client, rows("0.41", "0.42"))
    assert (first.state, second.state) == ("resting", "not placed")
    assert isinstance(second.error, OrderNotPlaced)
    assert venue.writes == [f"{CREATE}/batched"]


@pytest.mark.parametrize(
    "spoiled",
    [
        {},
        5,
        {"error": {"code": "invalid_order"}, "client_order_id": "other"},
        {"order_id": "o", "client_order_id": "other", "fill_count": "0.00", "remaining_count": "5.00"},
        {"error": "no object"},
    ],
)
def test_a_row_of_a_batch_that_does_not_fit_is_looked_up(venue: Venue, spoiled: Any) -> None:
    def answer(venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        receipts = [venue.take(row) for row in asked["body"]["orders"]]
        return 200, {"orders": [spoiled, *receipts[1:]]}

    venue.answer(f"{CREATE}/batched", answer)
    first, second = kr.create_orders(venue.client, rows("0.41", "0.42"))
    assert (first.state, first.note, second.state, second.note) == (
        "resting",
        "found on the exchange",
        "resting",
        "",
    )


def test_a_row_of_a_batch_that_is_refused_is_told_as_its_error(venue: Venue) -> None:
    def answer(venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        first, second, _ = asked["body"]["orders"]
        no = {"code": "invalid_order", "message": "no", "details": "post only cross"}
        return 200, {
            "orders": [
                venue.take(first),
                {"client_order_id": second["client_order_id"], "error": no},
                {"error": {"code": "insufficient_balance"}},
            ]
        }

    venue.answer(f"{CREATE}/batched", answer)
    reports = kr.create_orders(venue.client, rows("0.40", "0.41", "0.42"))
    assert [report.state for report in reports] == ["resting", "rejected", "rejected"]
    assert "must rest" in str(reports[1].error)
    assert "Make it smaller" in str(reports[2].error)


@pytest.mark.parametrize(
    "receipt",
    [
        {"order_id": "o-other", "fill_count": "0.00", "remaining_count": "4.00"},
        {"client_order_id": "other", "fill_count": "0.00", "remaining_count": "4.00"},
        {"fill_count": "0.00", "remaining_count": "5.00"},
        {"fill_count": "0.00", "remaining_count": "9.00"},
        {"order_id": None},
    ],
)
def test_an_answer_to_an_amend_that_does_not_fit_is_not_believed(venue: Venue, receipt: Any) -> None:
    made = place(venue)
    venue.answer(AMEND, changed(receipt))
    with pytest.raises(OrderNotPlaced, match="the order is as it was"):
        kr.amend_order(venue.client, made, quantity=4)
    assert len(venue.sent(AMEND)) == 1


def test_an_answer_to_an_amend_that_shows_another_price_is_not_believed(venue: Venue) -> None:
    made = place(venue)
    venue.answer(AMEND, lambda v, _m, _r, _a: (200, {"order": v.orders[made.order_id]}))
    with pytest.raises(OrderNotPlaced, match="the order is as it was"):
        kr.amend_order(venue.client, made, price="0.43")


@pytest.mark.parametrize(
    "receipt",
    [
        {"order_id": "o-other", "remaining_count": "4.00"},
        {"client_order_id": "other", "remaining_count": "4.00"},
        {"remaining_count": "5.00"},
        {"remaining_count": None},
    ],
)
def test_an_answer_to_a_decrease_that_does_not_fit_is_not_believed(venue: Venue, receipt: Any) -> None:
    made = place(venue)
    venue.answer(DECREASE, changed(receipt))
    with pytest.raises(OrderNotPlaced, match="the order is as it was"):
        kr.decrease_order(venue.client, made, by=1)
    assert len(venue.sent(DECREASE)) == 1


@pytest.mark.parametrize(
    "receipt", [{"order_id": "o-other", "reduced_by": "5.00"}, {"reduced_by": None}, {"order_id": ""}]
)
def test_an_answer_to_a_cancel_that_does_not_fit_is_not_believed(venue: Venue, receipt: Any) -> None:
    made = place(venue)
    venue.answer(CANCEL, changed(receipt))
    assert kr.cancel_order(venue.client, made).state == "canceled"
    assert venue.orders[made.order_id]["status"] == "canceled"
    assert len(venue.sent(CANCEL)) == 2, "a cancel may be sent again"


@pytest.mark.parametrize(
    "said",
    [
        {"orders": 5},
        {"orders": []},
        {"orders": [{"order_id": "o-other", "reduced_by": "5.00"}, {"order_id": "o-x"}]},
        {"orders": [{}, 5]},
        {"orders": [{"error": {"code": "x"}, "order_id": "o-1", "reduced_by": "5.00"}] * 2},
        {"orders": [{"error": {"code": "x"}, "order_id": "o"}, {"order_id": None}]},
    ],
)
def test_an_answer_to_several_cancels_that_does_not_fit_is_not_believed(venue: Venue, said: Any) -> None:
    made = [place(venue, "0.41", client_order_id="1"), place(venue, "0.42")]
    venue.answer("DELETE */batched", (200, said))
    gone = kr.cancel_orders(venue.client, made)
    assert [report.state for report in gone] == ["canceled", "canceled"]
    assert {row["status"] for row in venue.orders.values()} == {"canceled"}
    assert len(venue.writes) == 5


def test_what_a_batch_of_cancels_confirms_is_not_cancelled_again(venue: Venue) -> None:
    made = [place(venue, "0.41"), place(venue, "0.42")]
    venue.answer(
        "DELETE */batched",
        lambda v, _m, _r, _a: (200, {"orders": [{}, v.cancel(made[1].order_id)[1]]}),
    )
    gone = kr.cancel_orders(venue.client, made)
    assert [report.state for report in gone] == ["canceled", "canceled"]
    assert venue.writes[3:] == [f"DELETE /portfolio/events/orders/{made[0].order_id}"]


def test_what_a_confirmed_amend_says_is_reported(venue: Venue) -> None:
    made, other, third = place(venue), place(venue, "0.41"), place(venue, "0.40")

    def whole(venue: Venue, *_: Any) -> tuple[int, Any]:
        row = venue.orders[made.order_id]
        row |= {"fill_count_fp": "1.00", "remaining_count_fp": "2.00"}  # one met an order of ours
        return 200, {"order": row}

    venue.answer(AMEND, whole)
    after = kr.amend_order(venue.client, made, quantity=4)
    assert (after.state, after.filled, after.remaining) == ("partial", 1, 2)
    name = {"order_id": other.order_id, "client_order_id": other.client_order_id}
    venue.answer(AMEND, (200, name | {"remaining_count": "3.00"}))
    after = kr.amend_order(venue.client, other, quantity=4)
    assert (after.state, after.filled, after.remaining) == ("partial", 1, 3)
    name = {"order_id": third.order_id, "client_order_id": third.client_order_id}
    venue.answer(AMEND, (200, name | {"fill_count": "4.00", "remaining_count": "0.00"}))
    after = kr.amend_order(venue.client, third, quantity=4, price="0.43")
    assert (after.state, after.filled, after.remaining) == ("executed", 4, 0)
    assert venue.seen[-1][0] == "POST", "what is said need not be looked up"


def test_an_amend_that_was_made_and_not_answered_is_looked_up(venue: Venue) -> None:
    made = place(venue)
    venue.answer(AMEND, lambda v, _m, _r, asked: v.change(made.order_id, asked["body"]) and BUSY)
    after = kr.amend_order(venue.client, made, quantity=4)
    assert (after.remaining, after.note) == (4, "seen on the exchange")
    assert len(venue.sent(AMEND)) == 1
    assert venue.sent("GET /portfolio/orders") == [], "one order is asked for by its id"
    assert venue.elapsed < 5, "once it is seen nothing is waited for"


# What provably was not sent


def test_nothing_left_so_nothing_is_placed_and_nothing_is_blocked(venue: Venue) -> None:
    for _ in range(2):
        venue.answer(CREATE, UNSENT)
        with pytest.raises(NotSentError, match="nothing was sent"):
            place(venue)
        venue.answer(f"{CREATE}/batched", UNSENT)
        with pytest.raises(NotSentError, match="nothing was sent"):
            kr.create_orders(venue.client, rows("0.41", "0.42"))
    assert venue.states == ["NOT_PLACED"] * 6
    assert venue.elapsed == 0
    assert [r.state for r in kr.create_orders(venue.client, rows("0.41", "0.42"))] == ["resting"] * 2


def test_a_change_that_did_not_leave_changes_nothing_and_blocks_nothing(venue: Venue) -> None:
    made, client = place(venue), venue.client
    for pattern, call in (
        (AMEND, lambda: kr.amend_order(client, made, quantity=4)),
        (DECREASE, lambda: kr.decrease_order(client, made, by=1)),
        (CANCEL, lambda: kr.cancel_order(client, made)),
        ("DELETE */batched", lambda: kr.cancel_orders(client, [made])),
        ("DELETE */orders", lambda: kr.cancel_all_orders(client)),
    ):
        venue.answer(pattern, UNSENT)
        with pytest.raises(NotSentError, match="nothing was sent"):
            call()
    assert venue.elapsed == 0
    assert venue.states == ["ACKED", *["NOT_PLACED"] * 4]
    assert kr.amend_order(client, made, quantity=4).remaining == 4
