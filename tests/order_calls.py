"""Calls and answers that tests of the order side share; the exchange is `order_venue.Venue`."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kalshi_research as kr
from kalshi_research.errors import (
    KalshiError,
    NotSentError,
    TransportError,
)
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.terms import OrderTerms
from tests.order_venue import EPOCH, Venue

if TYPE_CHECKING:
    from collections.abc import Callable

CREATE = "POST /portfolio/events/orders"
ONE = "/portfolio/events/orders/o-*"
AMEND, DECREASE, CANCEL = f"POST {ONE}/amend", f"POST {ONE}/decrease", f"DELETE {ONE}"
LOST = TransportError("the connection broke")
UNSENT = NotSentError("no connection; nothing was sent")
BUSY = (503, {"error": {"code": "service_unavailable"}})
FORBIDDEN = (401, {"error": {"code": "unauthorized"}})


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


def confirmed_ticket(venue: Venue, price: str = "0.10") -> kr.OrderTicket:
    ticket = kr.OrderTicket("T", now=venue.now, quantity=5, price=price)
    ticket.load(kr.get_market(venue.client, "T"))
    ticket.confirm()
    return ticket


def impatient(venue: Venue) -> kr.Pace:
    return replace(venue.desk.pace, patience=0.0)
