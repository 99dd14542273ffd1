"""Client order ids: made here, or brought by a caller who may have used them elsewhere."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from kalshi_research.errors import ConflictError, InputError, quoted
from kalshi_research.trading.evidence import read_orders
from kalshi_research.trading.terms import OrderTerms, price_text, quantity_text

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk

__all__ = ["check_key", "refuse_used"]

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def check_key(client_order_id: object) -> str:
    """A client order id that a caller made, or a new one."""
    if client_order_id is None:
        return str(uuid.uuid4())
    if isinstance(client_order_id, uuid.UUID):
        return str(client_order_id)
    if not isinstance(client_order_id, str) or not _KEY.fullmatch(client_order_id):
        raise InputError(
            f"client_order_id={quoted(client_order_id, 60)} is no id; nothing was sent.\n"
            "Leave it out, or pass str(uuid.uuid4())."
        )
    return client_order_id


def refuse_used(desk: Desk, terms: OrderTerms, key: str) -> None:
    """An id that a caller brings may have been used elsewhere, and not every exchange would mind."""
    shown = read_orders(desk.client, terms.ticker, historical=True, seconds=desk.read_seconds)
    order = shown.by_client_id.get(key)
    if order is not None:
        raise _used(key, terms, order)


def _used(key: str, terms: OrderTerms, order: OrderFacts) -> ConflictError:
    size, price = quantity_text(order.initial), price_text(order.yes_price)
    other = f"{order.side} {size} of {order.ticker} at ${price} (YES)"
    return ConflictError(
        409,
        code="client_order_id_used",
        message=f"id {key} belongs to order {order.order_id}: {other}, {order.status}",
        details=f"now: {terms.sentence}",
        method="POST",
        path="order",
        hint="Nothing was placed now. Leave client_order_id out, or use a new one for a new order.",
    )
