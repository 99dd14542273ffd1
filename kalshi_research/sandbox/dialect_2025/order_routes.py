"""Orders on ``/portfolio/orders``: created, amended, decreased, cancelled and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import COUNT_SCALE
from kalshi_research.sandbox.acting import act, user_of
from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.dialect_2025.orders import (
    NewOrder,
    is_bid,
    read_amendment,
    read_count,
    read_order,
)
from kalshi_research.sandbox.dialect_2025.views import order_view
from kalshi_research.sandbox.market_routes import live_market
from kalshi_research.sandbox.order_routes import as_shown, orders_page
from kalshi_research.sandbox.refusals import Refusal, bad_combination

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Engine, Order
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = [
    "amend_order", "cancel_order", "cancel_orders", "create_order", "create_orders", "decrease_order",
    "order", "orders",
]  # fmt: skip

Json = dict[str, Any]


def _create(exchange: Exchange, user: str, fields: Json) -> Json:
    said = read_order(fields)
    live_market(exchange, said.ticker)
    return act(exchange, lambda engine: _submit(exchange, engine, user, said), said.ticker)


def _submit(exchange: Exchange, engine: Engine, user: str, said: NewOrder) -> Json:
    side = "bid" if said.is_bid else "ask"
    receipt = engine.submit(user, said.ticker, side, said.price, said.count, **said.options)  # type: ignore[arg-type]
    # Before anybody is told of the order.
    exchange.words[receipt.order.order_id] = said.side, said.action
    return {"order": order_view(exchange, receipt.order)}


def create_order(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/orders."""
    return _create(exchange, user_of(exchange, path), fields)


def create_orders(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/orders/batched: each order for itself, in their order."""
    user, answers = user_of(exchange, path), []
    for row in Body("BatchCreateOrdersRequest", fields).rows("orders"):
        answer: Json = {"client_order_id": row.get("client_order_id"), "error": None, "order": None}
        try:
            answer |= _create(exchange, user, row)
        except Refusal as refusal:
            answer["error"] = refusal.inside
        answers.append(answer)
    return {"orders": answers}


def _cancel(exchange: Exchange, user: str, order_id: str) -> Json:
    def cancelled(engine: Engine) -> Json:
        receipt = engine.cancel(user, order_id)
        return {
            "order": order_view(exchange, receipt.order),
            "reduced_by": receipt.reduced_by // COUNT_SCALE,
        }

    return act(exchange, cancelled)


def cancel_order(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> Json:
    """DELETE /portfolio/orders/{order_id}."""
    return _cancel(exchange, user_of(exchange, path), path["order_id"])


def cancel_orders(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """DELETE /portfolio/orders/batched."""
    user, answers = user_of(exchange, path), []
    for order_id in _ids(fields):
        answer: Json = {"error": None, "order": None, "order_id": order_id, "reduced_by": 0}
        try:
            answer |= _cancel(exchange, user, order_id)
        except Refusal as refusal:
            answer["error"] = refusal.inside
        answers.append(answer)
    return {"orders": answers}


def _ids(fields: Json) -> list[str]:
    """The orders to cancel: a list of ids, or of objects that have one."""
    ids = fields.get("ids")
    if ids is None:
        rows = Body("BatchCancelOrdersRequest", fields).rows("orders")
        return [
            Body("BatchCancelOrdersRequestOrder", row).text("order_id", required=True) for row in rows
        ]
    if not isinstance(ids, list) or not all(isinstance(one, str) and one for one in ids):
        raise bad_combination("ids is a list of order ids")
    return ids


def _words(exchange: Exchange, found: Order) -> tuple[str, str]:
    """Side and action of an order as it was written; those of one that came otherwise are on YES."""
    return exchange.words.get(found.order_id, ("yes", "buy" if found.is_bid else "sell"))


def amend_order(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """PUT /portfolio/orders/{order_id}, and POST .../amend."""
    user, order_id = user_of(exchange, path), path["order_id"]

    def amended(engine: Engine) -> Json:
        found = engine.order(user, order_id)
        said = read_amendment(fields, found, _words(exchange, found))
        before = order_view(exchange, found)
        engine.amend(
            user,
            order_id,
            ticker=said.ticker,
            side="bid" if is_bid(said.side, said.action) else "ask",
            price=said.price,
            count=said.count,
            client_order_id=said.client_order_id,
            updated_client_order_id=said.new_client_order_id,
        )
        exchange.words[order_id] = said.side, said.action
        return {"old_order": before, "order": order_view(exchange, found)}

    return act(exchange, amended)


def decrease_order(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/orders/{order_id}/decrease."""
    body, user = Body("DecreaseOrderRequest", fields), user_of(exchange, path)
    by, to = read_count(body, "reduce_by"), read_count(body, "reduce_to", low=0)

    def decreased(engine: Engine) -> Json:
        receipt = engine.decrease(user, path["order_id"], reduce_by=by, reduce_to=to)
        return {"order": order_view(exchange, receipt.order)}

    return act(exchange, decreased)


def orders(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/orders, newest first."""
    rows, cursor = orders_page(exchange, query, path)
    return {"cursor": cursor or None, "orders": [order_view(exchange, row) for row in rows]}


def order(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/orders/{order_id}."""
    user = user_of(exchange, path)
    found = act(exchange, lambda engine: engine.order(user, path["order_id"]))
    return {"order": order_view(exchange, as_shown(exchange, found))}
