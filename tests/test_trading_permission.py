"""Clients, desks, permission and limits, and where nothing can be written down.

The exchange is `order_venue.Venue`, in this process and on a clock of its own.
"""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import (
    ConfigError,
    InputError,
    JournalError,
    LimitError,
    NotSentError,
    OrderRejected,
)
from kalshi_research.trading.desk import desk_of
from tests.order_calls import CREATE, UNSENT, both_at_once, place, rows
from tests.order_venue import Venue, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["tests.order_fixtures"]


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
