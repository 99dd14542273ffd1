"""Values of every kind and size at every door: an error in words, at once, and nothing is sent."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.errors import InputError, KalshiError, printable, quoted
from kalshi_research.money import to_count, to_price

if TYPE_CHECKING:
    from tests.order_venue import Venue

pytest_plugins = ["tests.order_fixtures"]

GOOD: dict[str, Any] = {"quantity": 5, "price": "0.42"}


class Speechless:
    """What cannot be written."""

    def __repr__(self) -> str:
        raise LookupError

    __str__ = __repr__


def nested() -> list[Any]:
    found: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 2):
        found = [found]
    return found


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


HUGE = 10**4300  # one digit more than Python writes
STRANGE = {
    "1e300": 1e300, "huge": HUGE, "huge below 0": -HUGE, "huge Decimal": Decimal("1E+5000"),
    "tiny Decimal": Decimal("1E-999999"), "inf": float("inf"), "-inf": float("-inf"),
    "huge text": "9" * 5000, "far text": "1e" + "9" * 300, "Fraction": Fraction(HUGE),
    "nested": nested(), "endless": endless(), "list of huge": [HUGE], "dict": {HUGE: [HUGE]},
    "speechless": Speechless(), "array": np.array([1, 2]), "0-d array": np.array("T"),
    "numpy float": np.float64(1e300), "Series": pd.Series([1.0, 2.0]), "frame": pd.DataFrame({"a": [1]}),
    "bytes": b"x" * 10**7, "long list": [0] * 10**6, "complex": 1j, "type": int,
}  # fmt: skip


def doors(venue: Venue) -> dict[str, Callable[[Any], Any]]:
    """Every argument of every function that trades, each called with one value."""
    client, order = venue.client, venue.put()["order_id"]
    new = {
        name: lambda value, name=name: kr.create_order(client, "T", **{**GOOD, name: value})
        for name in (
            "quantity", "price", "action", "outcome", "time_in_force", "expires", "post_only",
            "reduce_only", "cancel_on_pause", "self_trade_prevention", "order_group", "subaccount",
            "client_order_id",
        )
    }  # fmt: skip
    several = {
        f"orders: {name}": lambda value, name=name: kr.create_orders(
            client, [{"ticker": "T", **GOOD, name: value}]
        )
        for name in ("ticker", "quantity", "price", "client_order_id", "expires", "subaccount")
    }
    amends = {
        f"amend: {name}": lambda value, name=name: kr.amend_order(
            client, order, **{"quantity": 3, name: value}
        )
        for name in (
            "quantity", "price", "expires", "action", "outcome", "ticker", "updated_client_order_id",
        )
    }  # fmt: skip
    limits = {
        f"arm: {name}": lambda value, name=name: kr.arm(
            client, **{"max_order_cost": 5, "max_position": 5, "minutes": 5, name: value}
        )
        for name in ("max_order_cost", "max_position", "minutes", "max_day_cost")
    }
    fields = {
        f"ticket: {name}": lambda value, name=name: confirmed(ready(venue), **{name: value})
        for name in (
            "ticker",
            "action",
            "outcome",
            "quantity",
            "price",
            "time_in_force",
            "post_only",
            "expires",
            "self_trade_prevention",
            "order_group",
            "subaccount",
            "warnings",
        )
    }
    return {
        **new, **several, **amends, **limits, **fields,
        "ticker": lambda value: kr.create_order(client, value, **GOOD),
        "name of a field": lambda value: kr.create_orders(client, [{"ticker": "T", **GOOD, value: 1}]),
        "orders": lambda value: kr.create_orders(client, value),
        "one of the orders": lambda value: kr.create_orders(client, [value]),
        "cancel": lambda value: kr.cancel_order(client, value),
        "cancel: ticker": lambda value: kr.cancel_order(client, order, ticker=value),
        "cancels": lambda value: kr.cancel_orders(client, value),
        "one of the cancels": lambda value: kr.cancel_orders(client, [order, value]),
        "all": lambda value: kr.cancel_all_orders(client, subaccount=value),
        "amend": lambda value: kr.amend_order(client, value, quantity=3),
        "decrease": lambda value: kr.decrease_order(client, value, by=1),
        "by": lambda value: kr.decrease_order(client, order, by=value),
        "to": lambda value: kr.decrease_order(client, order, to=value),
        "queue": lambda value: kr.get_queue_positions(client, value),
        "one of the queue": lambda value: kr.get_queue_positions(client, [value]),
        "group": lambda value: kr.create_order_group(client, value),
        "group: ticker": lambda value: kr.create_order_group(client, 5, ticker=value),
        "group: limit": lambda value: kr.limit_order_group(client, "g", value),
        "group: id": lambda value: kr.delete_order_group(client, value),
        "prepare": lambda value: kr.prepare_order(client, value),
        "load: market": lambda value: ready(venue).load(value),
        "load: book": lambda value: ready(venue).load(book=value),
        "load: position": lambda value: ready(venue).load(position=value),
        "load: balance": lambda value: ready(venue).load(balance=value),
        "load: fees": lambda value: ready(venue).load(fees=value),
        "to_price": to_price,
        "to_count": to_count,
    }  # fmt: skip


def ready(venue: Venue) -> kr.OrderTicket:
    ticket = kr.OrderTicket("T", now=venue.now, **GOOD)
    ticket.load(kr.get_market(venue.client, "T"))
    return ticket


TICKETS = ("ticket: quantity", "ticket: price")  # which say what is wrong in their blockers
HASHED = ("name of a field",)


def confirmed(ticket: kr.OrderTicket, **fields: Any) -> None:
    ticket.edit(**fields)
    ticket.confirm()


@pytest.mark.parametrize("kind", STRANGE)
def test_whatever_it_is_it_is_refused_in_words_and_at_once(venue: Venue, kind: str) -> None:
    value, wrong = STRANGE[kind], []
    for name, call in doors(venue).items():
        if name == "name of a field" and not isinstance(value, Hashable):
            continue
        began = time.process_time()
        try:
            call(value)
        except KalshiError as error:
            said = str(error)
            if len(said.splitlines()) > 3 or len(said) > 800:
                wrong.append(f"{name} says {len(said)} characters: {said[:200]}")
        except Exception as error:  # noqa: BLE001 - which one it is, is what is looked for
            wrong.append(f"{name} raises {type(error).__name__}: {str(error)[:200]}")
        else:
            wrong.append(f"{name} takes it")
        if time.process_time() - began > 0.5:
            wrong.append(f"{name} takes {time.process_time() - began:.1f} s")
    assert not wrong, "\n".join(wrong)
    assert venue.writes == []


@pytest.mark.parametrize(
    "several",
    [list, tuple, set, np.array, lambda ids: np.array(ids, dtype=object), pd.Series, pd.Index, iter,
     lambda ids: (one for one in ids), lambda ids: dict.fromkeys(ids).keys()],
)  # fmt: skip
def test_any_list_of_ids_will_do(venue: Venue, several: Callable[[list[str]], Iterable[str]]) -> None:
    ids = [venue.put()["order_id"] for _ in range(3)]
    reports = kr.cancel_orders(venue.client, several(ids))
    assert {(report.order_id, report.state) for report in reports} == {(one, "canceled") for one in ids}
    assert venue.writes == ["DELETE /portfolio/events/orders/batched"]


@pytest.mark.parametrize("several", [list, tuple, np.array, pd.Series, pd.Index, iter])
def test_any_list_of_tickers_will_do(venue: Venue, several: Callable[[list[str]], Any]) -> None:
    asked = []
    venue.answer(
        "GET */queue_positions", lambda _v, _m, _r, more: asked.append(more["query"]) or (200, {})
    )
    assert kr.get_queue_positions(venue.client, several(["T", "U"])).empty
    assert asked == [{"market_tickers": "T,U"}]


@pytest.mark.parametrize("several", [list, tuple, iter, lambda rows: np.array(rows, dtype=object)])
def test_any_list_of_orders_will_do(venue: Venue, several: Callable[[list[Any]], Any]) -> None:
    rows = [{"ticker": "T", "quantity": 5, "price": price} for price in ("0.41", "0.42")]
    reports = kr.create_orders(venue.client, several(rows))
    assert [report.state for report in reports] == ["resting", "resting"]


def test_a_frame_of_open_orders_names_what_is_to_be_cancelled(venue: Venue) -> None:
    ids = {venue.put()["order_id"] for _ in range(2)}
    shown = kr.get_open_orders(venue.client)
    assert {report.order_id for report in kr.cancel_orders(venue.client, shown)} == ids
    other = venue.put()["order_id"]
    by_column = kr.get_open_orders(venue.client).reset_index()
    assert [report.order_id for report in kr.cancel_orders(venue.client, by_column)] == [other]
    assert kr.cancel_orders(venue.client, kr.get_open_orders(venue.client)) == []


def test_a_row_without_an_id_cancels_nothing(venue: Venue) -> None:
    frame = pd.DataFrame({"order_id": pd.Series([venue.put()["order_id"], None], dtype="str")})
    with pytest.raises(InputError, match="order=nan names no order of the exchange; nothing was sent"):
        kr.cancel_orders(venue.client, frame)
    assert venue.writes == []


@pytest.mark.parametrize("orders", ["o-1", b"o-1", pd.DataFrame({"id": ["o-1"]}), np.array("o-1"), {}])
def test_what_only_looks_like_a_list_is_none(venue: Venue, orders: Any) -> None:
    with pytest.raises(InputError, match="must be a list of orders; nothing was sent"):
        kr.cancel_orders(venue.client, orders)
    with pytest.raises(InputError, match="must be a list of at least one mapping; nothing was sent"):
        kr.create_orders(venue.client, orders)


def test_a_frame_of_orders_and_a_ticket_among_them_are_told_where_to_go(venue: Venue) -> None:
    frame = pd.DataFrame([{"ticker": "T", **GOOD}])
    with pytest.raises(InputError, match=r'frame\.to_dict\("records"\)'):
        kr.create_orders(venue.client, frame)
    assert kr.create_orders(venue.client, frame.to_dict("records"))[0].state == "resting"
    with pytest.raises(InputError, match=r"order 0 is no mapping.*A ticket is sent by create_order"):
        kr.create_orders(venue.client, [ready(venue)])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\nb", r"'a\nb'"),
        ([1, "b", None, (2,), {3}, {"k": [0.5]}, (), set(), {}], None),
        (True, "True"),
        (np.int64(5), None),
        (10**300, None),
        (HUGE, "<int of about 4,300 digits>"),
        (-(10**100_000), "<int of about 100,000 digits>"),
        ([HUGE], "[<int of about 4,300 digits>]"),
        (Decimal("1E+5000"), "Decimal('1E+5000')"),
    ],
    ids=range(9),
)
def test_a_value_is_shown_as_python_writes_it_or_by_its_kind(value: Any, said: str | None) -> None:
    assert quoted(value, 400) == (repr(value) if said is None else said)


def test_what_cannot_be_written_is_named_by_its_kind() -> None:
    assert quoted(Speechless()).startswith("<Speechless instance")
    assert printable(Speechless()).startswith("<Speechless instance")


@pytest.mark.parametrize("kind", STRANGE)
def test_nothing_is_shown_at_length(kind: str) -> None:
    began = time.process_time()
    for show in (quoted, printable):
        assert len(show(STRANGE[kind], 40)) <= 40
    assert time.process_time() - began < 1.0


# Every public function

APART = {"connect", "start_sandbox", "stream", "poll", "write_report"}  # which begin something
FUNCTIONS = [
    name
    for name in kr.__all__
    if name not in APART and callable(getattr(kr, name)) and not inspect.isclass(getattr(kr, name))
]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["huge", "list of huge", "huge Decimal", "inf", "1e300"])
@pytest.mark.filterwarnings("ignore")
def test_no_public_function_stumbles_over_a_number(venue: Venue, name: str, kind: str) -> None:
    function = getattr(kr, name)
    given = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    trades = kr.load_dataset("kxhighny_trades").iloc[:50]
    usual = {"client": venue.client, "book": kr.load_dataset("sample_orderbook"), "side": "yes"}
    for chosen in given:
        if chosen.name in ("client", "progress"):
            continue
        values = {
            one.name: STRANGE[kind] if one is chosen else usual.get(one.name, trades)
            for one in given
            if one is chosen or one.default is one.empty
        }
        first = [values.pop(one.name) for one in given if one.kind is one.POSITIONAL_ONLY]
        with suppress(KalshiError):
            function(*first, **values)
