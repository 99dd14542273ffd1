"""Refusals of orders, changes and cancels, and what is none.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    AuthError,
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    OpenOrdersWarning,
    OrderRejected,
    OrderUnknown,
)
from kalshi_research.trading.accounting import account
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.terms import OrderTerms
from tests.order_calls import (
    AMEND,
    BUSY,
    CANCEL,
    CREATE,
    DECREASE,
    FORBIDDEN,
    LOST,
    both_at_once,
    impatient,
    place,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.order_venue import Venue

pytest_plugins = ["tests.order_fixtures"]


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
    venue.desk.pace = impatient(venue)
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
    venue.desk.pace = impatient(venue)
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
