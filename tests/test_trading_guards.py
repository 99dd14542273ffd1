"""What stands between a call and the exchange: each guard by the situation it is there for.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

import gc
import os
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    AuthError,
    ConfigError,
    DecodeError,
    InputError,
    JournalError,
    KalshiError,
    LimitError,
    NotFoundError,
    NotSentError,
    OpenOrdersWarning,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
    TransportError,
)
from kalshi_research.trading import desk as desks
from kalshi_research.trading.accounting import account
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.journal import Intent, Journal
from kalshi_research.trading.terms import OrderTerms
from tests.order_venue import EPOCH, Venue, opened

CREATE = "POST /portfolio/events/orders"
ONE = "/portfolio/events/orders/o-*"
AMEND, DECREASE, CANCEL = f"POST {ONE}/amend", f"POST {ONE}/decrease", f"DELETE {ONE}"
LOST = TransportError("the connection broke")
UNSENT = NotSentError("no connection; nothing was sent")
BUSY = (503, {"error": {"code": "service_unavailable"}})
FORBIDDEN = (401, {"error": {"code": "unauthorized"}})


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, dialect="2025") as made:
        yield made


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, environment="sandbox") as made:
        yield made


@pytest.fixture
def prod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with opened(tmp_path, monkeypatch, environment="prod") as made:
        yield made


def place(venue: Venue, price: str = "0.42", quantity: Any = 5, **more: Any) -> kr.OrderReport:
    return kr.create_order(venue.client, "T", quantity=quantity, price=price, **more)


def rows(*prices: str) -> list[dict[str, Any]]:
    return [{"ticker": "T", "quantity": 5, "price": price} for price in prices]


def left_open(venue: Venue, key: str = "k", state: str = "SENT", **more: Any) -> OrderTerms:
    """An order in the journal that an earlier session has not accounted for."""
    terms = OrderTerms("T", "buy", "yes", 4200, 500)
    fields = {"sent_at": EPOCH - 600, "until": EPOCH - 590, **more}
    venue.desk.journal.write(Intent(key, "create", state, "gone", terms.stored(), **fields))
    return terms


def both_at_once(first: Callable[[Callable[[], None]], Any], second: Callable[[], Any]) -> list[Any]:
    """Results of two calls, the second begun in another thread in the middle of the first."""
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(second=caught(second)))

    def middle() -> None:
        if not thread.ident:
            thread.start()
            thread.join(0.3)  # it ends at once, unless something makes it wait for the first

    found["first"] = caught(lambda: first(middle))
    thread.join(10)
    return [found["first"], found["second"]]


def caught(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except KalshiError as error:
        return error


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


def changed(receipt: dict[str, Any]) -> Any:
    """A change is not made, and its answer says something."""
    return lambda venue, _m, route, _a: (
        200,
        {
            "order_id": route.split("/")[4],
            "client_order_id": venue.orders[route.split("/")[4]]["client_order_id"],
        }
        | receipt,
    )


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


# Refusals, and what is none


def test_a_refused_key_is_told_as_such_at_every_door(venue: Venue) -> None:
    made, client = place(venue), venue.client
    for pattern, call in (
        (CREATE, lambda: place(venue, "0.43")),
        (AMEND, lambda: kr.amend_order(client, made, quantity=4)),
        (DECREASE, lambda: kr.decrease_order(client, made, by=1)),
        (CANCEL, lambda: kr.cancel_order(client, made)),
        ("DELETE */batched", lambda: kr.cancel_orders(client, [made])),
        ("DELETE */orders", lambda: kr.cancel_all_orders(client)),
        ("POST */create", lambda: kr.create_order_group(client, 5)),
        ("PUT */reset", lambda: kr.reset_order_group(client, "g")),
    ):
        venue.answer(pattern, FORBIDDEN)
        before = len(venue.writes)
        with pytest.raises(AuthError):
            call()
        assert len(venue.writes) == before + 1, "once"
    venue.answer("DELETE */batched", BUSY)
    venue.answer(CANCEL, FORBIDDEN)
    (report,) = kr.cancel_orders(client, [made])
    assert (report.state, type(report.error)) == ("rejected", AuthError)
    assert "SENT" not in venue.states
    assert "UNKNOWN" not in venue.states


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 429])
def test_a_definite_refusal_of_an_amend(venue: Venue, status: int) -> None:
    made = place(venue)
    venue.answer(AMEND, (status, {"error": {"code": "no"}}))
    kind = AuthError if status == 403 else OrderRejected
    with pytest.raises(kind) as error:
        kr.amend_order(venue.client, made, quantity=4)
    assert venue.elapsed == 0
    assert len(venue.sent(AMEND)) == 1
    if status == 404:
        assert "It is resting, 0 filled." in str(error.value)
    elif status != 403:
        assert str(error.value).endswith("The order was not changed.")
    assert venue.states == ["ACKED", "REJECTED"]


def test_a_refusal_stays_one_when_the_order_cannot_be_read(venue: Venue) -> None:
    made = place(venue)
    venue.answer(AMEND, (404, {"error": {"code": "not_found"}}))
    venue.answer("GET /portfolio/orders/o-*", None, BUSY)
    with pytest.raises(OrderRejected, match=r"The order was not changed\.$"):
        kr.amend_order(venue.client, made, quantity=4)
    venue.answer(
        AMEND, lambda v, _m, _r, _a: v.orders.clear() or (404, {"error": {"code": "not_found"}})
    )
    with pytest.raises(OrderRejected, match=r"The order was not changed\.$"):
        kr.amend_order(venue.client, made, quantity=4)


@pytest.mark.parametrize("status", [400, 409, 410])
def test_a_definite_refusal_of_a_cancel(venue: Venue, status: int) -> None:
    made = place(venue)
    venue.answer(CANCEL, (status, {"error": {"code": "no"}}))
    with pytest.raises(OrderRejected, match="The order was not cancelled"):
        kr.cancel_order(venue.client, made)
    assert len(venue.sent(CANCEL)) == 1
    venue.answer("DELETE */batched", (status, {"error": {"code": "no"}}))
    with pytest.raises(KalshiError) as error:
        kr.cancel_orders(venue.client, [made])
    assert error.value.status == status  # type: ignore[attr-defined]
    assert len(venue.sent(CANCEL)) == 1
    venue.answer("DELETE */orders", (status, {"error": {"code": "no"}}))
    with pytest.raises(KalshiError):
        kr.cancel_all_orders(venue.client)
    assert len(venue.sent("DELETE */orders")) == 1


@pytest.mark.parametrize("said", [(429, {"error": {"code": "too_many_requests"}}), BUSY, LOST])
def test_a_cancel_is_sent_again_until_it_is_known(venue: Venue, said: Any) -> None:
    made, client = place(venue), venue.client
    venue.answer(CANCEL, said, said)
    assert kr.cancel_order(client, made).state == "canceled"
    assert len(venue.sent(CANCEL)) == 3
    other = place(venue)
    venue.answer("DELETE */orders", said, said)
    assert [report.state for report in kr.cancel_all_orders(client)] == ["canceled"]
    assert venue.orders[other.order_id]["status"] == "canceled"
    venue.answer("PUT */reset", said, said)
    kr.reset_order_group(client, "g")
    assert len(venue.sent("PUT */reset")) == 3


def test_a_cancel_whose_reads_fail_meanwhile(venue: Venue) -> None:
    made = place(venue)
    venue.answer(CANCEL, BUSY)
    venue.answer("GET /portfolio/orders/o-*", BUSY)
    assert kr.cancel_order(venue.client, made).state == "canceled"


def test_a_cancel_that_nobody_confirms_ends_as_unknown(venue: Venue) -> None:
    made, other, client = place(venue), place(venue, "0.43"), venue.client
    venue.answer(CANCEL, *[BUSY] * 200)
    began = venue.elapsed
    with pytest.raises(OrderUnknown, match="Cancelling again is harmless") as error:
        kr.cancel_order(client, made)
    assert 30 <= venue.elapsed - began < 60
    venue.answer("DELETE */batched", BUSY)
    reports = kr.cancel_orders(client, [made, other])
    assert [report.state for report in reports] == ["unknown", "unknown"]
    assert [report.client_order_id for report in reports] == [
        made.client_order_id,
        other.client_order_id,
    ]
    venue.answer("DELETE */orders", *[BUSY] * 200)
    with pytest.raises(OrderUnknown, match="whether everything was cancelled"):
        kr.cancel_all_orders(client)
    venue._scripts.clear()
    assert error.value.resolve().state == "canceled"


def test_a_cancel_of_what_no_read_shows_is_not_sent_all_the_time(venue: Venue) -> None:
    made = place(venue)
    venue.orders.clear()
    with pytest.raises(OrderUnknown):
        kr.cancel_order(venue.client, made)
    assert 2 <= len(venue.sent(CANCEL)) <= 4


def test_an_unknown_change_blocks_the_next_but_not_a_cancel(venue: Venue) -> None:
    made = place(venue)
    venue.answer(AMEND, LOST)
    venue.desk.pace = _impatient(venue)
    with pytest.raises(OrderUnknown, match="whether this change"):
        kr.amend_order(venue.client, made, quantity=4)
    with pytest.raises(OrderUnknown, match="whether an earlier change"):
        kr.decrease_order(venue.client, made, by=1)
    assert venue.sent(DECREASE) == []
    assert kr.cancel_order(venue.client, made).state == "canceled"


def test_a_change_that_is_on_its_way_is_not_asked_about(venue: Venue) -> None:
    made, client = place(venue), venue.client
    looks = len(venue.sent("GET /exchange/user_data_timestamp"))

    def first(middle: Callable[[], None]) -> Any:
        venue.answer(DECREASE, lambda *_: middle())
        return kr.decrease_order(client, made, by=1)

    one, two = both_at_once(first, lambda: kr.decrease_order(client, made, by=1))
    assert (one.remaining, type(two)) == (4, OrderUnknown)
    assert len(venue.sent("GET /exchange/user_data_timestamp")) == looks


def test_a_cancelled_order_keeps_the_words_of_its_owner_and_its_subaccount(venue: Venue) -> None:
    made = place(venue, outcome="no", price="0.30", subaccount=3)
    before = len(venue.seen)
    gone = kr.cancel_orders(venue.client, [made.order_id])[0]
    assert (gone.state, gone.outcome, gone.price) == ("canceled", "no", Decimal("0.30"))
    ((_, _, body),) = venue.seen[before:]
    assert body["orders"][0]["subaccount"] == 3
    other = place(venue, outcome="no", price="0.31")
    gone = kr.cancel_order(venue.client, other.order_id)
    assert (gone.outcome, gone.price) == ("no", Decimal("0.31"))
    assert venue.desk.journal.order(other.order_id).status == "canceled"  # type: ignore[union-attr]


def test_everything_is_cancelled_one_by_one_where_there_is_no_route_for_it(old: Venue) -> None:
    old.put("a")
    old.put("b")
    assert [report.state for report in kr.cancel_all_orders(old.client)] == ["canceled", "canceled"]
    assert old.writes == ["DELETE /portfolio/orders/batched"]


def test_a_group_that_nobody_confirms_is_an_error_in_time(venue: Venue) -> None:
    venue.answer("PUT */reset", *[BUSY] * 200)
    began = venue.elapsed
    with pytest.raises(KalshiError, match="HTTP 503"):
        kr.reset_order_group(venue.client, "g")
    assert 30 <= venue.elapsed - began < 60
    venue.answer("PUT */trigger", (200, b"[]"), (200, b"{"))
    kr.trigger_order_group(venue.client, "g")
    assert len(venue.sent("PUT */trigger")) <= 3


def test_a_group_that_is_gone_when_asked_again_was_deleted_by_the_first(venue: Venue) -> None:
    gone = (404, {"error": {"code": "not_found"}})
    venue.answer("DELETE */order_groups/*", LOST, gone)
    kr.delete_order_group(venue.client, "g")
    for call, pattern in (
        (kr.delete_order_group, "DELETE */order_groups/*"),
        (kr.reset_order_group, "PUT */reset"),
    ):
        venue.answer(pattern, gone)
        with pytest.raises(NotFoundError):
            call(venue.client, "g")
    venue.answer("PUT */reset", LOST, gone)
    with pytest.raises(NotFoundError):
        kr.reset_order_group(venue.client, "g")


def test_a_group_that_is_not_there_is_told_by_what_is_known_of_it(venue: Venue) -> None:
    client, gone = venue.client, (404, {"error": {"code": "not_found"}})
    others = (
        lambda name: kr.reset_order_group(client, name),
        lambda name: kr.trigger_order_group(client, name),
        lambda name: kr.limit_order_group(client, name, 5),
    )
    kr.delete_order_group(client, "g")
    venue.answer("* /portfolio/order_groups/*", *[gone] * 8)
    for name, deleted, changed in (
        ("g", "This session deleted it before, .* nothing is left to do", "This session deleted it; "),
        (
            "h",
            "Nothing changed. It was deleted before, .* or this account never had",
            "It was deleted, or",
        ),
    ):
        with pytest.raises(NotFoundError, match=f"HTTP 404.*\n{deleted}") as error:
            kr.delete_order_group(client, name)
        assert len(str(error.value).splitlines()) == 2
        for call in others:
            with pytest.raises(NotFoundError, match=f"\nNothing changed. {changed}.*makes a new one"):
                call(name)


@pytest.mark.parametrize(
    "said", [{}, {"order_group_id": 5}, {"order_group_id": ""}, {"order_group_id": "a/b"}]
)
def test_a_group_without_a_name_is_not_passed_on(venue: Venue, said: Any) -> None:
    venue.answer("POST */order_groups/create", (200, said))
    with pytest.raises(DecodeError, match="may have been made"):
        kr.create_order_group(venue.client, 5)
    assert kr.create_order_group(venue.client, 5) == "g-1"


@pytest.mark.parametrize("limit", [0, -1, 1_000_001, True, "5", 5.0, None])
def test_a_group_of_no_sensible_limit(venue: Venue, limit: Any) -> None:
    for call in (
        lambda: kr.create_order_group(venue.client, limit),
        lambda: kr.limit_order_group(venue.client, "g", limit),
    ):
        with pytest.raises(InputError, match="whole contracts from 1 to 1,000,000; nothing was sent"):
            call()
    assert venue.seen == []


def test_several_of_which_one_is_unknown_to_the_exchange(venue: Venue) -> None:
    made = place(venue)
    reports = kr.cancel_orders(venue.client, [made, _strange(made, "o-none")])
    assert [report.state for report in reports] == ["canceled", "rejected"]
    assert isinstance(reports[1].error, NotFoundError)
    assert (reports[1].order_id, reports[1].ticker) == ("o-none", "T")
    venue.answer("DELETE */batched", (404, {"error": {"code": "not_found"}}))
    other = place(venue, "0.43")
    assert [report.state for report in kr.cancel_orders(venue.client, [other])] == ["canceled"]


def _strange(report: kr.OrderReport, order_id: str) -> kr.OrderReport:
    from dataclasses import replace

    return replace(report, order_id=order_id)


def test_an_order_that_neither_exchange_nor_journal_knows(venue: Venue) -> None:
    client = venue.client
    for call in (
        lambda: kr.amend_order(client, "o-none", quantity=3),
        lambda: kr.decrease_order(client, "o-none", by=1),
        lambda: kr.cancel_order(client, "o-none"),
        lambda: kr.cancel_orders(client, ["o-none"]),
    ):
        with pytest.raises(NotFoundError, match="Nothing was changed"):
            call()
    assert venue.writes == []
    assert venue.sent("GET /historical/orders") == [], "not everything is read for an id"
    with pytest.raises(NotFoundError, match="has no order o-none of yours"):
        kr.cancel_order(client, "o-none", ticker="T")
    terms = OrderTerms("T", "buy", "yes", 4200, 500)
    venue.desk.journal.write(
        Intent("k", "create", "ACKED", "s", terms.stored(), order_id="o-none", status="resting")
    )
    with pytest.raises(NotFoundError, match="Nothing was changed"):  # not said what remains of it
        kr.amend_order(client, "o-none", quantity=3)


def test_an_order_that_no_read_shows_yet_is_changed_by_what_the_journal_knows(venue: Venue) -> None:
    made = place(venue, outcome="no", price="0.58")
    hidden = {"order_id": made.order_id, "client_order_id": made.client_order_id}
    row = venue.orders.pop(made.order_id)
    venue.answer(AMEND, (200, hidden | {"fill_count": "0.00", "remaining_count": "4.00"}))
    after = kr.amend_order(venue.client, made, quantity=4)
    assert (after.outcome, after.price, after.remaining) == ("no", Decimal("0.58"), 4)
    (body,) = venue.sent(AMEND)
    assert (body["side"], body["price"], body["count"]) == ("ask", "0.4200", "4.00")
    venue.orders[made.order_id] = row


@pytest.mark.parametrize(
    "stale",
    [
        {"remaining_count_fp": "5.00", "fill_count_fp": "0.00"},
        {"remaining_count_fp": "4.00", "fill_count_fp": "0.00"},
        {"yes_price_dollars": "0.4100"},
    ],
)
def test_a_change_waits_for_reads_that_show_what_is_known_already(
    venue: Venue, stale: dict[str, str]
) -> None:
    venue.answer(CREATE, lambda v, _m, _r, asked: (201, v.take(asked["body"], filled="1.00")))
    made = place(venue)  # 5, of which 1 is filled at once
    kr.decrease_order(venue.client, made, by=1)
    assert venue.elapsed == 0
    late = venue.orders[made.order_id] | stale
    venue.answer("GET /portfolio/orders/o-*", *[(200, {"order": late})] * 3)
    assert kr.decrease_order(venue.client, made, by=1).remaining == 2
    assert venue.elapsed > 0
    assert venue.orders[made.order_id]["remaining_count_fp"] == "2.00"


def test_what_somebody_else_changed_is_believed_after_a_while(venue: Venue) -> None:
    made = place(venue)
    venue.orders[made.order_id]["yes_price_dollars"] = "0.3000"
    after = kr.amend_order(venue.client, made, quantity=4)
    assert (after.price, after.remaining) == (Decimal("0.30"), 4)
    assert 10 <= venue.elapsed < 15
    began = venue.elapsed
    venue.orders[made.order_id] |= {"status": "canceled", "remaining_count_fp": "0.00"}
    with pytest.raises(InputError, match="is canceled"):
        kr.amend_order(venue.client, made, quantity=3)
    assert venue.elapsed == began, "what has ended does not change any more"


def test_a_change_that_another_came_after_is_closed_and_told(venue: Venue) -> None:
    made = place(venue)
    venue.answer(AMEND, lambda v, *_: v.orders[made.order_id].update(yes_price_dollars="0.2500") or BUSY)
    after = kr.amend_order(venue.client, made, quantity=4)
    assert (after.price, after.remaining) == (Decimal("0.25"), 5)
    assert "another change came after it" in after.note
    assert venue.elapsed >= 10


def test_many_changes_are_looked_for_in_one_walk(venue: Venue) -> None:
    venue.desk.pace = _impatient(venue)
    made = [place(venue, f"0.{cents}") for cents in range(10, 18)]
    for one in made:
        venue.answer(
            DECREASE, lambda v, _m, route, asked: v.change(route.split("/")[4], asked["body"]) and BUSY
        )
        venue.answer("GET /exchange/user_data_timestamp", BUSY)
        with pytest.raises(OrderUnknown):
            kr.decrease_order(venue.client, one, by=1)
    venue._scripts.clear()
    venue.restart()
    venue.seen.clear()
    with pytest.warns(OpenOrdersWarning, match="8 resting"):
        assert {intent.state for intent in account(venue.desk)} == {"ACKED"}
    assert venue.sent("GET /portfolio/orders/o-*") == []


def test_an_order_is_not_taken_for_found_while_it_is_being_sent(venue: Venue) -> None:
    place(venue, "0.10")
    client = venue.client

    def first(middle: Callable[[], None]) -> Any:
        def answer(venue: Venue, _m: str, _r: str, asked: dict[str, Any]) -> tuple[int, Any]:
            receipt = venue.take(asked["body"])
            middle()
            return 201, receipt

        venue.answer(CREATE, answer)
        return place(venue, client_order_id="mine")

    one, _ = both_at_once(first, lambda: kr.get_open_orders(client))
    assert (one.state, one.note) == ("resting", "")
    text = venue.desk.journal.path.read_text().splitlines()
    assert [line.count('"key":"mine"') for line in text].count(1) == 3, "prepared, sent, acknowledged"


def test_a_cancelled_order_of_elsewhere_that_is_not_shown_any_more(venue: Venue) -> None:
    order = venue.put("theirs")["order_id"]

    def answer(venue: Venue, _method: str, _route: str, _asked: Any) -> tuple[int, Any]:
        venue.orders.clear()
        return 200, {"order_id": order, "client_order_id": "theirs", "reduced_by": "5.00"}

    venue.answer(CANCEL, answer)
    with pytest.raises(DecodeError, match="was cancelled, but the exchange does not show it"):
        kr.cancel_order(venue.client, order, ticker="T")


def test_an_order_that_ended_before_its_cancel_came(venue: Venue) -> None:
    made, other = place(venue), place(venue, "0.43")
    venue.orders[made.order_id] |= {
        "status": "executed", "fill_count_fp": "5.00", "remaining_count_fp": "0.00",
    }  # fmt: skip
    gone = kr.cancel_order(venue.client, made)
    assert (gone.state, gone.filled, gone.note) == ("executed", 5, "filled before the cancel")
    venue.orders[other.order_id] |= {"status": "canceled", "remaining_count_fp": "0.00"}
    assert kr.cancel_order(venue.client, other).note == "canceled already"
    venue.answer(CANCEL, BUSY)
    assert kr.cancel_order(venue.client, other).note == ""
    theirs = venue.put(
        status="executed", fill_count_fp="5.00", remaining_count_fp="0.00", yes_price_dollars="0.3000"
    )
    gone = kr.cancel_order(venue.client, theirs["order_id"])
    assert (gone.state, gone.filled, gone.price) == ("executed", 5, Decimal("0.30"))


# What earlier sessions left


DOORS: dict[str, Callable[[Venue, str], Any]] = {
    "create_order": lambda venue, _: place(venue, "0.10"),
    "ticket": lambda venue, _: kr.create_order(venue.client, _ticket(venue)),
    "create_orders": lambda venue, _: kr.create_orders(venue.client, rows("0.10")),
    "amend_order": lambda venue, order: kr.amend_order(venue.client, order, quantity=4),
    "decrease_order": lambda venue, order: kr.decrease_order(venue.client, order, by=1),
    "get_open_orders": lambda venue, _: kr.get_open_orders(venue.client),
}


def _ticket(venue: Venue, price: str = "0.10") -> kr.OrderTicket:
    ticket = kr.OrderTicket("T", now=venue.now, quantity=5, price=price)
    ticket.load(kr.get_market(venue.client, "T"))
    ticket.confirm()
    return ticket


@pytest.mark.parametrize("door", DOORS)
def test_what_rests_is_told_before_anything_is_done(venue: Venue, door: str) -> None:
    made = place(venue)
    venue.restart()
    before = len(venue.seen)
    with pytest.warns(OpenOrdersWarning, match="1 resting, such as one in T"):
        DOORS[door](venue, made.order_id)
    asked = [f"{method} {route}" for method, route, _ in venue.seen[before:]]
    wrote = [place for place, line in enumerate(asked) if not line.startswith("GET")]
    assert asked.index("GET /portfolio/orders") < min([*wrote, len(asked)])
    DOORS[door](venue, venue.put("next")["order_id"])  # and told once


@pytest.mark.parametrize("door", DOORS)
def test_what_was_lost_is_looked_for_before_anything_is_done(venue: Venue, door: str) -> None:
    left_open(venue)
    venue.put("k")
    venue.restart()
    with pytest.warns(
        OpenOrdersWarning, match=r"1 found to be placed whose answer was lost \(buy 5 YES"
    ):
        DOORS[door](venue, "o-k")
    assert venue.desk.journal.get("k").state == "ACKED"  # type: ignore[union-attr]
    assert venue.elapsed == 0, "what is found need not be waited for"


def test_the_first_order_of_all_asks_for_no_more_than_it_needs(venue: Venue) -> None:
    place(venue)
    assert [f"{method} {route}" for method, route, _ in venue.seen] == [
        "GET /markets/T",
        "GET /exchange/user_data_timestamp",
        CREATE,
    ]
    assert venue.elapsed == 0
    venue.seen.clear()
    kr.create_orders(venue.client, rows("0.41", "0.40"))
    assert [f"{method} {route}" for method, route, _ in venue.seen] == [f"{CREATE}/batched"]


def test_an_amend_changes_what_it_is_asked_to_and_no_more(venue: Venue) -> None:
    made = place(venue)
    kr.amend_order(venue.client, made, quantity=4)
    kr.amend_order(venue.client, made, price="0.43", expires=0, updated_client_order_id="new")
    first, second = venue.sent(AMEND)
    assert {"expiration_time", "updated_client_order_id"} & first.keys() == set()
    assert (second["expiration_time"], second["updated_client_order_id"]) == (0, "new")
    assert (first["price"], second["count"]) == ("0.4200", "4.00")


def test_an_exchange_that_cannot_be_asked_gets_no_order(venue: Venue) -> None:
    venue.answer("GET /exchange/user_data_timestamp", *[BUSY] * 2)
    ticket = _ticket(venue)
    for call in (lambda: place(venue), lambda: kr.create_order(venue.client, ticket)):
        with pytest.raises(KalshiError, match="HTTP 503"):
            call()
    assert venue.writes == []
    place(venue)
    kr.create_order(venue.client, ticket)  # its confirmation was not used up
    assert venue.writes == [CREATE] * 2


def test_what_is_not_accounted_for_is_named(venue: Venue) -> None:
    for number in range(3):
        left_open(venue, f"k{number}")
    venue.restart()
    looks = [lambda _v, _m, _r, asked: None if "status" in asked["query"] else BUSY] * 3
    venue.answer("GET /portfolio/orders", *looks)
    with pytest.warns(OpenOrdersWarning, match=r"3 not accounted for yet \(id k0, k1, …\)"):
        assert [intent.state for intent in account(venue.desk)] == ["UNKNOWN"] * 3


def test_an_absence_is_proven_by_two_looks_at_the_start(venue: Venue) -> None:
    left_open(venue)
    venue.restart()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = account(venue.desk)
    assert found.state == "NOT_PLACED"
    assert 1.0 <= venue.elapsed < 5.0
    assert account(venue.desk) == []


def test_a_change_of_an_earlier_session_is_looked_for_too(venue: Venue) -> None:
    made = place(venue)
    venue.answer(AMEND, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        kr.amend_order(venue.client, made, quantity=4)
    venue.orders[made.order_id]["remaining_count_fp"] = "4.00"
    venue.restart()
    with pytest.warns(OpenOrdersWarning, match="1 resting"):
        assert place(venue).state == "resting"
    (change,) = (i for i in venue.desk.journal.intents().values() if i.act == "amend")
    assert change.state == "ACKED"


def test_a_long_journal_forgets_what_is_old_and_settled_and_does_not_rest(
    venue: Venue, monkeypatch
) -> None:
    from kalshi_research.trading import journal as module

    monkeypatch.setattr(module, "_FEW_LINES", 5)
    terms, long_ago = OrderTerms("T", "buy", "yes", 4200, 500), EPOCH - 3 * 86_400

    def settled(key: str, act: str = "create", sent: float = long_ago, order_id: str = "") -> Intent:
        stored = terms.stored()
        return Intent(key, act, "ACKED", "gone", stored, sent, order_id, "resting", until=sent)

    venue.desk.journal.write(
        *(settled(f"old{number}") for number in range(20)),
        settled("rests"),
        settled("renamed", order_id="o-x"),
        settled("change", "cancel", order_id="o-x"),
        settled("recent", sent=EPOCH - 100),
    )
    venue.put("rests")
    venue.put("x")
    venue.restart()
    with pytest.warns(OpenOrdersWarning, match="resting"):
        account(venue.desk)
    assert set(venue.desk.journal.intents()) == {"rests", "renamed", "recent"}


@pytest.mark.parametrize("arrived", [True, False])
def test_a_cancel_of_an_earlier_session_is_looked_for_too(venue: Venue, arrived: bool) -> None:
    made = place(venue)
    venue.answer(CANCEL, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        kr.cancel_order(venue.client, made)
    if arrived:
        venue.cancel(made.order_id)
    venue.sleep(60)
    venue.restart()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        (found,) = account(venue.desk)
    assert (found.act, found.state) == ("cancel", "ACKED" if arrived else "NOT_PLACED")
    assert bool(told) == (not arrived), "what rests is told"


@pytest.mark.parametrize("moved", [True, False])
def test_whether_a_cancelled_order_had_been_amended_is_seen_by_its_price(
    venue: Venue, moved: bool
) -> None:
    made = place(venue)
    venue.answer(AMEND, LOST)
    venue.desk.pace = _impatient(venue)
    with pytest.raises(OrderUnknown) as error:
        kr.amend_order(venue.client, made, price="0.43")
    if moved:
        venue.orders[made.order_id]["yes_price_dollars"] = "0.4300"
    kr.cancel_order(venue.client, made)
    venue.sleep(30)
    if not moved:
        with pytest.raises(OrderNotPlaced, match="the order is as it was"):
            error.value.resolve()
    else:
        assert error.value.resolve().price == Decimal("0.43")


def test_what_another_kernel_is_sending_now_is_left_alone(venue: Venue, tmp_path: Path) -> None:
    other = Journal(next(tmp_path.glob("*.jsonl"), None) or venue.desk.journal.path)
    terms = OrderTerms("T", "buy", "yes", 4200, 500)
    for key, state in (("k", "SENT"), ("p", "PREPARED")):
        row = Intent(key, "create", state, other.session, terms.stored(), EPOCH, until=EPOCH + 10)
        other.write(row)
    assert account(venue.desk) == []
    for call in (
        lambda: place(venue),
        lambda: kr.create_orders(venue.client, rows("0.42")),
    ):
        with pytest.raises(OrderUnknown, match="an equal order is on its way"):
            call()
    with pytest.raises(OrderNotPlaced):  # its deadline goes by, and nothing arrives
        place(venue, client_order_id="k")
    assert venue.elapsed > 10
    assert venue.writes == []
    other.close()


def test_two_threads_account_once(venue: Venue) -> None:
    left_open(venue)
    venue.put("k")
    venue.restart()
    asked: list[int] = []
    desk = venue.desk
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")

        def first(middle: Callable[[], None]) -> Any:
            def answer(venue: Venue, *_: Any) -> None:
                asked.append(1)
                middle()

            venue.answer("GET /exchange/user_data_timestamp", answer, answer)
            return account(desk)

        found = both_at_once(first, lambda: account(desk))
    assert [len(each) for each in found] == [1, 0]
    assert len(told) == 1


def test_a_desk_that_is_opened_by_two_threads_is_one(venue: Venue, monkeypatch) -> None:
    client = venue.connect()
    desks._desks.pop(client)
    real = desks.Desk

    def first(middle: Callable[[], None]) -> Any:
        class Slow(real):  # type: ignore[misc, valid-type]
            def __init__(self, client: Any) -> None:
                super().__init__(client)
                middle()

        monkeypatch.setattr(desks, "Desk", Slow)
        return desk_of(client)

    one, two = both_at_once(first, lambda: desk_of(client))
    assert one is two
    path = venue.desk.journal.path.with_name("other.jsonl")

    def opened_by(middle: Callable[[], None]) -> Any:
        class Slow(Journal):
            def __init__(self, path: Path, **options: Any) -> None:
                super().__init__(path, **options)
                middle()

        monkeypatch.setattr(desks, "Journal", Slow)
        return desks.journal_at(path)

    one, two = both_at_once(opened_by, lambda: desks.journal_at(path))
    assert one is two


def test_two_changes_of_one_order_at_the_same_moment(venue: Venue, monkeypatch) -> None:
    made = place(venue)
    real, client = type(venue.desk).open_change, venue.client

    def first(middle: Callable[[], None]) -> Any:
        def slow(desk: Any, order_id: str) -> Any:
            found = real(desk, order_id)
            if desk.journal._held:
                middle()
            return found

        monkeypatch.setattr(type(venue.desk), "open_change", slow)
        venue.answer(DECREASE, *[LOST] * 2)
        venue.desk.pace = _impatient(venue)
        return kr.decrease_order(client, made, by=1)

    found = both_at_once(first, lambda: kr.decrease_order(client, made, by=1))
    assert len(venue.sent(DECREASE)) == 1, found
    assert all(isinstance(each, OrderUnknown) for each in found)


def _impatient(venue: Venue) -> kr.Pace:
    from dataclasses import replace

    return replace(venue.desk.pace, patience=0.0)


def test_two_equal_orders_at_the_same_moment(venue: Venue, monkeypatch) -> None:
    place(venue, "0.10")
    real, client = type(venue.desk).equal_open, venue.client

    def first(middle: Callable[[], None]) -> Any:
        def slow(desk: Any, terms: Any, but: str = "") -> Any:
            found = real(desk, terms, but)
            if desk.journal._held:
                middle()
            return found

        monkeypatch.setattr(type(venue.desk), "equal_open", slow)
        venue.answer(CREATE, *[LOST] * 2)
        venue.desk.pace = _impatient(venue)
        return place(venue)

    both_at_once(first, lambda: kr.create_order(client, "T", quantity=5, price="0.42"))
    assert len(venue.sent(CREATE)) == 2  # 0.10, and one of the two


# Equal orders, and the same one again


def test_an_equal_order_that_is_not_accounted_for_blocks(venue: Venue) -> None:
    venue.answer(CREATE, *[LOST] * 3)
    venue.desk.pace = _impatient(venue)
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
    venue.desk.pace = _impatient(venue)
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
    venue.desk.pace = _impatient(venue)
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
    ticket = _ticket(venue)
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
    venue.desk.pace = _impatient(venue)
    with pytest.raises(OrderUnknown):
        place(venue, "0.40", client_order_id="open")
    venue.sleep(30)
    venue.desk.pace = type(venue.desk.pace)(**{**vars(venue.desk.pace), "patience": 30.0})
    with pytest.raises(OrderNotPlaced):  # it is told what became of it before it is sent anew
        place(venue, "0.40", client_order_id="open")


def test_an_error_asks_again_only_for_the_order_that_is_proven_absent(venue: Venue) -> None:
    venue.answer(CREATE, LOST)
    venue.desk.pace = _impatient(venue)
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


# Clients, desks, permission


def test_trading_needs_a_client_with_a_key(venue: Venue) -> None:
    stranger = kr.connect("demo")
    for call in (place_with, kr.get_open_orders, kr.cancel_all_orders):
        with pytest.raises(ConfigError, match="trading needs a key"):
            call(stranger)
        with pytest.raises(InputError, match="first argument must be a client"):
            call("demo")


def place_with(client: Any) -> Any:
    return kr.create_order(client, "T", quantity=1, price="0.5")


def test_a_desk_outlives_no_client() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    client = kr.connect("demo", key_id="k", private_key=Ed25519PrivateKey.generate())
    desk = desk_of(client)
    assert desk.client is client
    del client
    gc.collect()
    with pytest.raises(ConfigError, match="is gone; call connect"):
        _ = desk.client


UNARMED: dict[str, Callable[[Any], Any]] = {
    "amend_order": lambda c: kr.amend_order(c, "o", quantity=1),
    "decrease_order": lambda c: kr.decrease_order(c, "o", by=1),
    "cancel_order": lambda c: kr.cancel_order(c, "o", ticker="T"),
    "cancel_orders": lambda c: kr.cancel_orders(c, ["o"]),
    "cancel_all_orders": kr.cancel_all_orders,
    "create_order_group": lambda c: kr.create_order_group(c, 5),
    "reset_order_group": lambda c: kr.reset_order_group(c, "g"),
    "trigger_order_group": lambda c: kr.trigger_order_group(c, "g"),
    "limit_order_group": lambda c: kr.limit_order_group(c, "g", 5),
    "delete_order_group": lambda c: kr.delete_order_group(c, "g"),
}


@pytest.mark.parametrize("door", UNARMED)
def test_prod_is_not_even_asked_for_a_change_that_nobody_allowed(prod: Venue, door: str) -> None:
    with pytest.raises(LimitError, match="prod is not armed; nothing was sent"):
        UNARMED[door](prod.client)
    assert prod.seen == []


def test_prod_gets_no_order_that_nobody_allowed(prod: Venue) -> None:
    for call in (lambda: place(prod), lambda: kr.create_orders(prod.client, rows("0.42"))):
        with pytest.raises(LimitError, match="prod is not armed; nothing was sent"):
            call()
    assert prod.writes == []
    assert prod.states == [], "what may not be sent is not written down as if it were"


def armed(prod: Venue, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "prod")
    wanted = {"max_order_cost": 5, "max_position": 100, "minutes": 5, **limits}
    kr.arm(prod.client, **wanted)


def test_the_grant_is_for_sending_within_trading_and_in_time(prod: Venue, monkeypatch) -> None:
    from kalshi_research.trading.requests import cancel_all_request

    request = cancel_all_request()
    with pytest.raises(ConfigError, match="needs a grant"):
        prod.desk.send(request)
    armed(prod, monkeypatch)
    assert place(prod).state == "resting"
    for method, path in (("POST", "/portfolio/events/orders"), ("DELETE", "/portfolio/events/orders")):
        with pytest.raises(ConfigError, match="needs a grant"):
            prod.client.request(method, path, body={} if method == "POST" else None)
    writes = list(prod.writes)
    prod.sleep(301)
    with pytest.raises(ConfigError, match="needs a grant"):
        prod.desk.send(request)
    with pytest.raises(LimitError, match="has run out; nothing was sent"):
        place(prod, "0.41")
    kr.disarm(prod.client)
    with pytest.raises(LimitError, match="not armed"):
        place(prod, "0.41")
    assert prod.writes == writes
    assert prod.client.request("GET", "/markets/T")["market"]["ticker"] == "T", "reads are free"


def test_a_write_by_one_thread_does_not_let_another_write(prod: Venue, monkeypatch) -> None:
    armed(prod, monkeypatch)

    def first(middle: Callable[[], None]) -> Any:
        prod.answer(CREATE, lambda *_: middle())
        return place(prod)

    one, two = both_at_once(first, lambda: prod.client.request("DELETE", "/portfolio/events/orders"))
    assert isinstance(one, kr.OrderReport)
    assert isinstance(two, ConfigError)


@pytest.mark.parametrize("error", [RuntimeError("no frontend"), EOFError(), OSError("no terminal")])
def test_nobody_is_there_to_type(prod: Venue, monkeypatch, error: Exception) -> None:
    def nobody(_: str) -> str:
        raise error

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(ConfigError, match="nobody is there to type prod"):
        kr.arm(prod.client, max_order_cost=5, max_position=5, minutes=5)
    assert prod.desk.limits is None


def test_demo_is_armed_without_a_question_and_its_limits_hold(venue: Venue, monkeypatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    kr.arm(venue.client, max_order_cost="2.10", max_position=8, minutes=5)
    made = place(venue)
    with pytest.raises(LimitError, match="limit for one order"):
        place(venue, "0.43")
    with pytest.raises(LimitError, match="limit for one order"):
        kr.amend_order(venue.client, made, price="0.43")
    with pytest.raises(LimitError, match="could come to 9 YES"):
        place(venue, "0.10", 4)
    with pytest.raises(LimitError, match="could come to 9 YES"):
        kr.amend_order(venue.client, made, price="0.10", quantity=9)
    assert kr.amend_order(venue.client, made, price="0.10", quantity=8).remaining == 8
    assert kr.amend_order(venue.client, made, quantity=7).remaining == 7
    kr.arm(venue.client, max_order_cost="2.10", max_position=2, max_day_cost=1, minutes=5)
    assert kr.amend_order(venue.client, made, quantity=6).remaining == 6, "less is always allowed"
    with pytest.raises(LimitError, match=r"could come to|of today"):
        kr.amend_order(venue.client, made, quantity=8)
    venue.sleep(301)
    with pytest.raises(LimitError, match="has run out"):
        place(venue, "0.01", 1)


def test_what_is_refused_or_was_not_placed_is_not_counted(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost=3, max_position=5, max_day_cost="2.10", minutes=60)
    venue.answer(CREATE, (400, {"error": {"code": "no"}}), UNSENT)
    with pytest.raises(OrderRejected):
        place(venue)
    with pytest.raises(NotSentError):
        place(venue)
    assert place(venue).state == "resting"
    with pytest.raises(LimitError, match=r"orders of today cost \$2\.1 so far"):
        place(venue, "0.01", 1)


def test_changes_and_cancels_are_no_orders_to_count(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost=3, max_position=6, max_day_cost=100, minutes=60)
    made = place(venue)
    kr.decrease_order(venue.client, made, by=1)
    kr.cancel_order(venue.client, made)
    assert place(venue, "0.41", 6).state == "resting"


def test_a_position_counts_either_way(venue: Venue) -> None:
    venue.positions.append({"ticker": "T", "position_fp": "3.00"})
    kr.arm(venue.client, max_order_cost=30, max_position=7, minutes=60)
    with pytest.raises(LimitError, match="could come to 8 YES"):
        place(venue)
    assert place(venue, action="sell", price="0.60", quantity=10).state == "resting"
    with pytest.raises(LimitError, match="NO"):
        place(venue, action="sell", price="0.61", quantity=1)


def test_a_position_that_is_too_large_may_be_made_smaller(venue: Venue) -> None:
    venue.positions.append({"ticker": "T", "position_fp": "10.00"})
    kr.arm(venue.client, max_order_cost=30, max_position=5, minutes=60)
    with pytest.raises(LimitError, match="could come to 15 YES"):
        place(venue)
    assert place(venue, action="sell", price="0.60").state == "resting"


def test_what_was_just_placed_counts_in_its_own_market_and_side(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost=30, max_position=5, minutes=60)
    place(venue)
    venue.orders.clear()  # reads lag
    with pytest.raises(LimitError, match="could come to 6 YES"):
        place(venue, quantity=1)
    assert place(venue, action="sell", price="0.60").state == "resting"
    other = kr.create_order(venue.client, "U", quantity=5, price="0.42")
    assert other.state == "resting"


def test_what_has_been_filled_long_ago_counts_once(venue: Venue) -> None:
    venue.answer(CREATE, lambda v, _m, _r, asked: (201, v.take(asked["body"], filled="5.00")))
    assert place(venue).state == "executed"
    venue.orders.clear()  # handed over to the archive
    venue.positions.append({"ticker": "T", "position_fp": "5.00"})
    venue.sleep(61)
    kr.arm(venue.client, max_order_cost=30, max_position=10, minutes=60)
    assert place(venue).state == "resting"
    venue.orders.clear()
    with pytest.raises(LimitError, match="could come to 11 YES"):  # no read may show the last one yet
        place(venue, "0.41", 1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"max_order_cost": value} for value in (0, -1, True, "x", float("nan"), 10**10, [1], None)),
        *({"max_position": value} for value in (0, -1, "1e3", True, 10**10, "x")),
        *({"minutes": value} for value in (0, -5, 721, float("inf"), float("nan"), True, "5", None)),
        *({"max_day_cost": value} for value in (0, "x", 10**10)),
    ],
)
def test_limits_that_make_no_sense(venue: Venue, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        kr.arm(venue.client, **({"max_order_cost": 5, "max_position": 10, "minutes": 5} | wrong))
    assert venue.desk.limits is None


# What decides that an order was never placed


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
    from dataclasses import replace

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
    venue.desk.pace = _impatient(venue)
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
    venue.desk.pace = _impatient(venue)
    venue.answer(CREATE, LOST)
    with pytest.raises(OrderUnknown) as error:
        place(venue)
    before = venue.desk.journal.path.read_bytes()
    for _ in range(2):
        with pytest.raises(OrderUnknown):
            error.value.resolve()
    assert venue.desk.journal.path.read_bytes() == before


def test_what_is_known_of_an_unknown_order_is_the_reason(venue: Venue) -> None:
    venue.desk.pace = _impatient(venue)
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
    venue.desk.pace = _impatient(venue)
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


# Where nothing can be written down


def test_a_folder_that_is_not_ones_own(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    target = tmp_path / "mine"
    target.mkdir()
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "file").touch()
    for place_, says in (
        (folder, "others may write into it"),
        (tmp_path / "link", "it is no folder"),
        (tmp_path / "file", "cannot be used"),
        (tmp_path / "file" / "below", "cannot be used"),
    ):
        with opened(tmp_path, monkeypatch) as venue:
            monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(place_))
            with pytest.raises(JournalError, match=says) as error:
                place(venue)
            assert "Nothing was sent" in str(error.value)
            assert venue.writes == []
    real = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    with opened(target, monkeypatch) as venue:
        with pytest.raises(JournalError, match="belongs to somebody else"):
            place(venue)
        assert venue.writes == []


def test_a_report_says_what_is_known_and_no_more() -> None:
    one = kr.OrderReport("unknown", "c", "", "T", "buy", "yes", Decimal("0.42"), Decimal(5))
    assert "buy 5 YES of T at $0.42" in str(one)
    assert "filled" not in str(one)
    assert "SIMULATED" not in str(one)
    some = replace(one, state="partial", filled=Decimal(2), remaining=Decimal(3))
    assert ", 2 of 5 filled" in str(some)
    assert "(YES)" not in str(some)
    paid = replace(some, average_price=Decimal("0.4150"), environment="sandbox")
    assert ", 2 of 5 filled at $0.415 (YES)" in str(paid)
    assert str(paid).startswith("SIMULATED · ")
    assert "<span>$</span>0.42" in paid._repr_html_()
