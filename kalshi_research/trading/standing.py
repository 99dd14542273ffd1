"""An order as it stands before it is changed: reads lag behind what is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kalshi_research.errors import NotFoundError, printable
from kalshi_research.schemas.order_facts import OrderFacts
from kalshi_research.trading.settling import find_order
from kalshi_research.trading.terms import OrderTerms
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent

__all__ = ["known_order", "terms_of"]


def known_order(
    desk: Desk, order_id: str, ticker: str | None = None
) -> tuple[OrderFacts, Intent | None]:
    """An order as the exchange shows it, or as the journal knows it while no read shows it.

    Reads lag: until one shows what is known to have been changed, the next is waited for. Where none
    does, somebody else has changed it since.

    Raises
    ------
    NotFoundError
        If neither knows it.
    """
    mine = desk.journal.order(order_id)
    asked = ticker or (str(mine.terms["ticker"]) if mine is not None else None)
    order = _fresh_order(desk, order_id, asked, mine)
    if order is not None:
        return order, mine
    if mine is None or mine.remaining is None:
        raise NotFoundError(
            404,
            code="not_found",
            message=f"there is no order {printable(order_id, 60)}, or no read shows it yet",
            method="GET",
            path=f"/portfolio/orders/{order_id}",
            hint="Nothing was changed. get_orders(client) lists your orders.",
        )
    terms, filled = OrderTerms.restored(mine.terms), mine.filled or 0
    status = "resting" if mine.status == "partial" else mine.status
    order = OrderFacts(
        order_id, mine.key, terms.ticker, status, terms.side, terms.yes_price, terms.count, filled,
        mine.remaining, subaccount=terms.subaccount,
    )  # fmt: skip
    return order, mine


def _fresh_order(
    desk: Desk, order_id: str, ticker: str | None, mine: Intent | None
) -> OrderFacts | None:
    with Wait(desk.pace, desk.pace.margin, f"order {order_id} as it was changed last") as wait:
        while True:
            order = find_order(desk, order_id, ticker)
            if order is None or mine is None or _is_fresh(order, mine) or not wait.rest():
                return order


def _is_fresh(order: OrderFacts, mine: Intent) -> bool:
    """Whether an order is shown as it is known to be, or has ended since."""
    if order.finished:
        return True
    terms = OrderTerms.restored(mine.terms)
    shown = (order.yes_price, order.filled + order.remaining)
    return shown == (terms.yes_price, terms.count) and order.filled >= (mine.filled or 0)


def terms_of(order: OrderFacts, mine: Intent | None) -> OrderTerms:
    """The terms of an order in the words of its owner; bids buy YES and asks sell it otherwise."""
    if mine is not None:
        kept = OrderTerms.restored(mine.terms)
        price = order.yes_price if kept.outcome == "yes" else 10_000 - order.yes_price
        return replace(kept, price=price, count=order.filled + order.remaining)
    action = "buy" if order.side == "bid" else "sell"
    return OrderTerms(
        order.ticker,
        action,
        "yes",
        order.yes_price,
        order.filled + order.remaining,
        subaccount=order.subaccount or None,
    )
