"""What earlier sessions left, and what two threads do at the same moment.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    KalshiError,
    OpenOrdersWarning,
    OrderNotPlaced,
    OrderUnknown,
)
from kalshi_research.trading import desk as desks
from kalshi_research.trading.accounting import account
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.journal import Intent, Journal
from kalshi_research.trading.terms import OrderTerms
from tests.order_calls import (
    AMEND,
    BUSY,
    CANCEL,
    CREATE,
    DECREASE,
    LOST,
    both_at_once,
    confirmed_ticket,
    impatient,
    left_open,
    place,
    rows,
)
from tests.order_venue import EPOCH, Venue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["tests.order_fixtures"]


DOORS: dict[str, Callable[[Venue, str], Any]] = {
    "create_order": lambda venue, _: place(venue, "0.10"),
    "ticket": lambda venue, _: kr.create_order(venue.client, confirmed_ticket(venue)),
    "create_orders": lambda venue, _: kr.create_orders(venue.client, rows("0.10")),
    "amend_order": lambda venue, order: kr.amend_order(venue.client, order, quantity=4),
    "decrease_order": lambda venue, order: kr.decrease_order(venue.client, order, by=1),
    "get_open_orders": lambda venue, _: kr.get_open_orders(venue.client),
}


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
    ticket = confirmed_ticket(venue)
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
    venue.desk.pace = impatient(venue)
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
        venue.desk.pace = impatient(venue)
        return kr.decrease_order(client, made, by=1)

    found = both_at_once(first, lambda: kr.decrease_order(client, made, by=1))
    assert len(venue.sent(DECREASE)) == 1, found
    assert all(isinstance(each, OrderUnknown) for each in found)


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
        venue.desk.pace = impatient(venue)
        return place(venue)

    both_at_once(first, lambda: kr.create_order(client, "T", quantity=5, price="0.42"))
    assert len(venue.sent(CREATE)) == 2  # 0.10, and one of the two
