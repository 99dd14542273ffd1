"""Bad input, at every door through which orders go: an error in words before a byte is sent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import ConflictError, InputError, KalshiError, NotFoundError
from tests.order_venue import EPOCH, Venue, opened

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["tests.order_fixtures"]

GOOD: dict[str, Any] = {"quantity": 5, "price": "0.42"}
CREATE = "POST /portfolio/events/orders"


def place(venue: Venue, **more: Any) -> kr.OrderReport:
    return kr.create_order(venue.client, "T", **{**GOOD, **more})


def _by_ticket(venue: Venue, fields: dict[str, Any]) -> None:
    ticket = kr.OrderTicket("T", now=venue.now)
    ticket.load(kr.get_market(venue.client, "T"))
    ticket.edit(**fields)
    ticket.confirm()
    kr.create_order(venue.client, ticket)


NEW: dict[str, Callable[[Venue, dict[str, Any]], Any]] = {
    "ticket": _by_ticket,
    "create_order": lambda venue, fields: kr.create_order(venue.client, "T", **fields),
    "create_orders": lambda venue, fields: kr.create_orders(
        venue.client, [{"ticker": "T", "quantity": 1, "price": "0.01"}, {"ticker": "T", **fields}]
    ),
}
PRICES = (
    ("0.425", r"not on the price grid of this market; the nearest valid price is 0\.42 or 0\.43"),
    ("0.42501", r"nearest valid price is 0\.42 or 0\.43"),
    (0.1 + 0.2, r"nearest valid price is 0\.30 or 0\.31"),
    ("0", r"not lie between 0 and 1 dollar; the nearest valid price is 0\.01"),
    (0, r"not lie between 0 and 1 dollar; the nearest valid price is 0\.01"),
    ("1", r"not lie between 0 and 1 dollar; the nearest valid price is 0\.99"),
    (1.0, r"not lie between 0 and 1 dollar; the nearest valid price is 0\.99"),
    (-0.3, r"not lie between 0 and 1 dollar; the nearest valid price is 0\.01"),
    (10**12, r"not lie between 0 and 1 dollar; the nearest valid price is 0\.99"),
    ("1e-1", r"not plain decimal notation; the nearest valid price is 0\.10"),
    ("NaN", r"no number; prices of this market run from 0\.01 to 0\.99"),
    (float("nan"), r"no number; prices of this market run from 0\.01 to 0\.99"),
    (Decimal("-Infinity"), r"no number; prices of this market run from 0\.01 to 0\.99"),
    ("half", r"no number; prices of this market run from 0\.01 to 0\.99"),
    (True, "is no number"),
    (b"0.42", "a number is needed, not bytes"),
)
QUANTITIES = (
    (0, r"not above 0; the nearest valid quantity is 0\.01"),
    (-1, r"nearest valid quantity is 0\.01"),
    ("0.005", r"finer than 0\.01 contract; the nearest valid quantity is 0\.01"),
    (1.237, r"nearest valid quantity is 1\.24"),
    ("1e-1", r"not plain decimal notation; the nearest valid quantity is 0\.10"),
    (10**12, "100,000,000 contracts, the most"),
    (10**30, "100,000,000 contracts, the most"),
    (float("nan"), "no number; write one such as"),
    ("NaN", "no number; write one such as"),
    (True, "is no number"),
    ([1], "a number is needed, not list"),
)
SOON = int(EPOCH) + 3600
CONDITIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"expires": 5}, "in the past; the earliest valid one is"),
    ({"expires": int(EPOCH)}, "in the past; the earliest valid one is"),
    ({"expires": SOON * 1000}, "not milliseconds"),
    ({"expires": True}, "aware datetime"),
    ({"expires": SOON, "time_in_force": "immediate_or_cancel"}, "takes no expiry"),
    ({"expires": SOON, "time_in_force": "fill_or_kill"}, "takes no expiry"),
    ({"reduce_only": True}, "reduce_only goes with immediate_or_cancel only"),
    ({"reduce_only": True, "time_in_force": "fill_or_kill"}, "immediate_or_cancel only"),
    ({"post_only": True, "time_in_force": "immediate_or_cancel"}, "use good_till_canceled"),
    ({"post_only": 1}, "post_only must be True or False"),
    ({"action": "short"}, "choose buy, sell"),
    ({"outcome": "maybe"}, "choose yes, no"),
    ({"time_in_force": "day"}, "choose good_till_canceled"),
    ({"self_trade_prevention": "both"}, "choose taker_at_cross, maker"),
    ({"subaccount": 64}, "from 0 to 63"),
    ({"subaccount": True}, "from 0 to 63"),
    ({"order_group": "a/b"}, "the order group is no id"),
    ({"expires": 10**400}, "not milliseconds"),
    ({"expires": -(10**400)}, "in the past"),
)
BAD = [
    *(({"price": value}, says) for value, says in PRICES),
    *(({"quantity": value}, says) for value, says in QUANTITIES),
    ({"price": None}, "no price is given"),
    ({"quantity": None}, "no quantity is given"),
    *CONDITIONS,
]


def refused(venue: Venue, call: Callable[[], Any], says: str, kind: type = InputError) -> str:
    """It is an error in words, and no byte has left that would change anything."""
    with pytest.raises(kind, match=says) as caught:
        call()
    assert isinstance(caught.value, KalshiError)
    assert venue.writes == []
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


@pytest.mark.parametrize("door", NEW)
@pytest.mark.parametrize(("fields", "says"), BAD)
def test_a_new_order_that_is_wrong(venue: Venue, door: str, fields: dict[str, Any], says: str) -> None:
    said = refused(venue, lambda: NEW[door](venue, GOOD | fields), says)
    if door != "ticket":
        assert "nothing was sent" in said
    if door == "create_orders":
        assert said.startswith("order 1: ")
    NEW[door](venue, GOOD)  # and what is right goes through
    assert len(venue.writes) == 1


@pytest.mark.parametrize("door", NEW)
@pytest.mark.parametrize(("fields", "says"), BAD)
def test_in_the_protocol_of_2025_too(old: Venue, door: str, fields: dict[str, Any], says: str) -> None:
    refused(old, lambda: NEW[door](old, GOOD | fields), says)


@pytest.mark.parametrize("door", NEW)
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"quantity": "1.50"}, "whole contracts.*\n.*nearest valid quantity is 2"),
        ({"quantity": "0.01"}, "whole contracts.*\n.*nearest valid quantity is 1"),
        ({"price": "0.425"}, r"0\.42 (or|and) 0\.43"),
    ],
)
def test_what_only_the_protocol_of_2025_cannot_say(
    old: Venue, door: str, fields: dict[str, Any], says: str
) -> None:
    if "price" in fields:  # a market with a finer grid than that protocol has
        old.markets["T"]["price_ranges"] = [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]
        says = r"whole cents.*\n.*nearest valid prices are 0\.42 and 0\.43"
    refused(old, lambda: NEW[door](old, GOOD | fields), says)


AMENDS: list[tuple[dict[str, Any], str]] = [
    *(({"price": value}, says) for value, says in PRICES),
    *(({"quantity": value}, says) for value, says in QUANTITIES),
    ({"expires": 5}, "in the past; the earliest valid one is"),
    ({"expires": SOON * 1000}, "not milliseconds"),
    ({"expires": "soon"}, "aware datetime"),
    ({"quantity": 2}, r"smallest valid quantity is 2\.01"),
    ({"quantity": "1.99"}, r"smallest valid quantity is 2\.01"),
    ({"quantity": 9, "action": "sell"}, "has the action buy, not sell"),
    ({"quantity": 9, "outcome": "no"}, "has the outcome yes, not no"),
    ({"quantity": 9, "ticker": "U"}, "has the ticker T, not U"),
    ({"updated_client_order_id": "a/b"}, "is no id"),
    ({}, "needs a price, a quantity or an expiry"),
]


@pytest.mark.parametrize("dialect", ["2026", "2025"])
@pytest.mark.parametrize(("fields", "says"), AMENDS)
def test_an_amend_that_is_wrong(tmp_path, monkeypatch, dialect, fields, says) -> None:
    with opened(tmp_path, monkeypatch, dialect=dialect) as venue:
        row = venue.put(fill_count_fp="2.00", remaining_count_fp="3.00")
        said = refused(venue, lambda: kr.amend_order(venue.client, row["order_id"], **fields), says)
        assert "nothing was sent" in said


@pytest.mark.parametrize("dialect", ["2026", "2025"])
@pytest.mark.parametrize(
    ("size", "says"),
    [
        *((value, says) for value, says in QUANTITIES if value != 0),
        (4, "3 remain of order .*cannot be decreased"),
        (10**8, "3 remain of order .*cannot be decreased"),
    ],
)
def test_a_decrease_that_is_wrong(tmp_path, monkeypatch, dialect, size, says) -> None:
    with opened(tmp_path, monkeypatch, dialect=dialect) as venue:
        order = venue.put(fill_count_fp="2.00", remaining_count_fp="3.00")["order_id"]
        for sizes in ({"by": size}, {"to": size}):
            said = refused(
                venue, lambda sizes=sizes: kr.decrease_order(venue.client, order, **sizes), says
            )
            assert "nothing was sent" in said


def test_a_decrease_to_what_remains_by_nothing_or_by_both(venue: Venue) -> None:
    order = venue.put()["order_id"]
    for sizes, says in (
        ({"to": 5}, "5 remain of order .*to 5"),
        ({"by": 0}, "nearest valid quantity is 0.01"),
        ({}, "by= or to=, one of them"),
        ({"by": 1, "to": 1}, "by= or to=, one of them"),
    ):
        refused(venue, lambda sizes=sizes: kr.decrease_order(venue.client, order, **sizes), says)
    assert kr.decrease_order(venue.client, order, by=5).remaining == 0
    order = venue.put()["order_id"]
    assert kr.decrease_order(venue.client, order, to="0").remaining == 0


def test_numbers_of_other_kinds_are_taken_for_what_they_are(venue: Venue) -> None:
    import numpy as np

    for quantity, price in ((np.int64(5), np.float64(0.42)), (Decimal("5.0"), Decimal("0.420"))):
        made = kr.create_order(venue.client, "T", quantity=quantity, price=price, action="buy")
        assert (made.quantity, made.price) == (5, Decimal("0.42"))
    for wrong in ({"quantity": np.True_}, {"price": np.bool_(0)}, {"price": np.float64("nan")}):
        before = len(venue.writes)
        with pytest.raises(InputError, match="nothing was sent"):
            kr.create_order(venue.client, "T", **{"quantity": 5, "price": "0.42", **wrong})
        assert len(venue.writes) == before


@pytest.mark.parametrize("door", NEW)
def test_what_numpy_and_pandas_have_for_nothing_or_for_many_is_refused(venue: Venue, door: str) -> None:
    import numpy as np
    import pandas as pd

    strange = (pd.NA, pd.NaT, np.nan, np.array([1, 2]), pd.Series(["buy", "buy"]), Decimal("sNaN"), [])
    words = ("action", "outcome", "time_in_force", "self_trade_prevention", "order_group", "expires")
    says = "choose|number|True or False|no id|expiry|must be text|is given"
    for name in (*words, "quantity", "price", "subaccount", "post_only"):
        for value in strange:
            fields = {**GOOD, name: value}
            refused(venue, lambda fields=fields: NEW[door](venue, fields), says)


def test_an_array_is_no_number_and_no_fraction_is_cut_off(venue: Venue) -> None:
    import numpy as np

    for value in (np.array(1.7), np.array(0.42), np.array([5])):
        refused(venue, lambda value=value: place(venue, quantity=value), "a number is needed, not")
        refused(venue, lambda value=value: place(venue, price=value), "a number is needed, not")


@pytest.mark.parametrize("wrong", [True, "0", 1.5, -1, 64, [0]])
def test_only_of_a_subaccount_that_there_can_be_is_everything_cancelled(
    venue: Venue, wrong: Any
) -> None:
    refused(
        venue, lambda: kr.cancel_all_orders(venue.client, subaccount=wrong), "whole number from 0 to 63"
    )


@pytest.mark.parametrize("status", ["canceled", "executed"])
def test_what_is_finished_is_not_changed(venue: Venue, status: str) -> None:
    order = venue.put(status=status)["order_id"]
    refused(venue, lambda: kr.amend_order(venue.client, order, quantity=3), f"is {status}")
    refused(venue, lambda: kr.decrease_order(venue.client, order, by=1), f"is {status}")


@pytest.mark.parametrize("door", NEW)
def test_a_market_that_is_closed_or_unknown(venue: Venue, door: str) -> None:
    venue.markets["T"]["status"] = "closed"
    refused(venue, lambda: NEW[door](venue, GOOD), "does not trade: its status is closed")
    del venue.markets["T"]
    venue.desk.forget("T")
    said = "no market T; no order was sent" if door != "ticket" else "answered HTTP 404"
    refused(venue, lambda: NEW[door](venue, GOOD), said, NotFoundError)


def test_what_is_wrong_in_any_market_is_said_even_of_one_that_is_unknown(venue: Venue) -> None:
    del venue.markets["T"]
    fields = GOOD | {"quantity": 0}
    refused(venue, lambda: kr.create_order(venue.client, "T", **fields), "nearest valid quantity")


def test_another_look_is_taken_after_a_refusal_because_markets_move(venue: Venue) -> None:
    venue.markets["T"]["status"] = "inactive"
    refused(venue, lambda: place(venue), "status is inactive")
    venue.markets["T"]["status"] = "active"
    assert place(venue).state == "resting"


def test_rules_of_a_market_are_asked_for_once_in_half_a_minute(venue: Venue) -> None:
    place(venue)
    place(venue, price="0.41")
    assert len(venue.sent("GET /markets/T")) == 1
    venue.sleep(31)
    place(venue, price="0.40")
    assert len(venue.sent("GET /markets/T")) == 2


def test_too_little_on_the_account_is_said_where_it_is_known(venue: Venue) -> None:
    ticket = kr.OrderTicket("T", now=venue.now, quantity=10, price="0.42")
    ticket.load(kr.get_market(venue.client, "T"), balance="4.20")
    refused(venue, ticket.confirm, r"this needs \$4\.3.* with its fee, and \$4\.20.* can be spent")
    refused(venue, lambda: kr.create_order(venue.client, ticket), "can be spent")
    ticket.load(balance=5)
    ticket.confirm()
    assert kr.create_order(venue.client, ticket).state == "resting"


def test_an_unconfirmed_ticket_and_one_with_more_words(venue: Venue) -> None:
    ticket = kr.OrderTicket("T", now=venue.now, **GOOD)
    ticket.load(kr.get_market(venue.client, "T"))
    refused(venue, lambda: kr.create_order(venue.client, ticket), "not confirmed")
    ticket.confirm()
    for more in (
        {"quantity": 1}, {"price": "0.1"}, {"client_order_id": "x"}, {"action": "sell"},
        {"outcome": "no"}, {"time_in_force": "fill_or_kill"}, {"expires": SOON}, {"post_only": True},
        {"order_group": "g"}, {"subaccount": 0}, {"self_trade_prevention": "maker"},
    ):  # fmt: skip
        refused(
            venue,
            lambda more=more: kr.create_order(venue.client, ticket, **more),
            "a ticket says everything itself",
        )
    assert kr.create_order(venue.client, ticket).state == "resting"


@pytest.mark.parametrize("wrong", ["", "a/b", "x" * 65, 5, True, b"x"])
def test_an_id_of_ones_own_that_is_none(venue: Venue, wrong: Any) -> None:
    row = {"ticker": "T", **GOOD, "client_order_id": wrong}
    refused(venue, lambda: place(venue, client_order_id=wrong), "is no id")
    refused(venue, lambda: kr.create_orders(venue.client, [row]), "is no id")
    assert venue.seen == []


def test_an_id_that_was_used_here(venue: Venue) -> None:
    first = place(venue, client_order_id="mine")
    assert place(venue, client_order_id="mine").order_id == first.order_id
    row = {"ticker": "T", **GOOD, "client_order_id": "mine"}
    for call in (
        lambda: place(venue, client_order_id="mine", price="0.41"),
        lambda: kr.create_orders(venue.client, [row]),
        lambda: kr.create_orders(venue.client, [row | {"price": "0.41"}]),
    ):
        with pytest.raises(InputError, match="was used before"):
            call()
    with pytest.raises(InputError, match="have the same client_order_id"):
        kr.create_orders(venue.client, [row | {"client_order_id": "x"}] * 2)
    assert venue.writes == [CREATE]


def test_an_id_that_was_used_elsewhere(venue: Venue) -> None:
    venue.put("theirs", yes_price_dollars="0.1000")
    row = {"ticker": "T", **GOOD, "client_order_id": "theirs"}
    for call in (
        lambda: place(venue, client_order_id="theirs"),
        lambda: kr.create_orders(venue.client, [row]),
    ):
        with pytest.raises(ConflictError, match=r"belongs to order o-theirs: bid 5 of T at \$0.10"):
            call()
    assert venue.writes == []


@pytest.mark.parametrize("wrong", ["../portfolio", "", ".", "a b", None, 5, "T\n", "x" * 201])
def test_what_is_no_ticker_never_gets_into_a_path(venue: Venue, wrong: Any) -> None:
    client = venue.client
    none = "names no order of the exchange" if wrong in ("", None, 5) else "is no ticker"
    for call in (
        lambda: kr.cancel_order(client, wrong),
        lambda: kr.cancel_orders(client, [wrong]),
        lambda: kr.amend_order(client, wrong, quantity=1),
        lambda: kr.decrease_order(client, wrong, by=1),
    ):
        with pytest.raises(InputError, match=f"{none}.*; nothing was sent"):
            call()
    for call in (
        lambda: kr.create_order(client, wrong, **GOOD),
        lambda: kr.create_orders(client, [{"ticker": wrong, **GOOD}]),
        lambda: kr.reset_order_group(client, wrong),
        lambda: kr.trigger_order_group(client, wrong),
        lambda: kr.limit_order_group(client, wrong, 5),
        lambda: kr.delete_order_group(client, wrong),
    ):
        with pytest.raises(InputError, match="is no ticker; nothing was sent"):
            call()
    if wrong is not None:
        for call in (
            lambda: kr.create_order_group(client, 5, ticker=wrong),
            lambda: kr.cancel_order(client, "o", ticker=wrong) if wrong else kr.cancel_order(client, ""),
        ):
            with pytest.raises(InputError, match="nothing was sent"):
                call()
    assert venue.seen == []


def test_a_list_of_orders_must_be_one(venue: Venue) -> None:
    row = {"ticker": "T", **GOOD}
    for rows, says in (
        (row, "must be a list"),
        ("T", "must be a list"),
        (5, "must be a list"),
        ([], "at least one"),
        ([row, 5], "order 1 is no mapping"),
        ([row, row | {"colour": "red"}], "order 1 has no colour"),
    ):
        refused(venue, lambda rows=rows: kr.create_orders(venue.client, rows), says)
    report = kr.OrderReport("resting", "c", "o", "T", "buy", "yes", Decimal(1), Decimal(1))
    for orders in ("o", report, {"order_id": "o"}, 5):
        refused(
            venue,
            lambda orders=orders: kr.cancel_orders(venue.client, orders),
            "must be a list of orders",
        )
    assert kr.cancel_orders(venue.client, []) == []
    assert venue.writes == []


def test_an_order_that_another_version_wrote_down_is_said_to_be_one(venue: Venue) -> None:
    from kalshi_research.trading.intents import line_of
    from kalshi_research.trading.journal import Intent
    from kalshi_research.trading.terms import OrderTerms

    newer = {**OrderTerms("T", "buy", "yes", 4200, 500).stored(), "iceberg": 5}
    with Path(venue.desk.journal.path).open("ab") as stream:
        stream.write(line_of(Intent("k", "create", "UNKNOWN", "s", newer)))
    refused(venue, lambda: place(venue), "line .1. that this version cannot read", kr.KalshiError)
    refused(venue, lambda: kr.get_open_orders(venue.client), "version cannot read", kr.KalshiError)
    with pytest.raises(kr.KalshiError, match="this version cannot read"):
        OrderTerms.restored(newer)
