"""Orders: created, changed, cancelled and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import PRICE_SCALE, fixed_text
from kalshi_research.sandbox.acting import act, subaccount_of, user_of
from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.portfolio_views import count, order_view
from kalshi_research.sandbox.queries import Query, cut_page
from kalshi_research.sandbox.refusals import Refusal, bad_combination, not_found
from kalshi_research.sandbox.scopes import lock_of
from kalshi_research.sandbox.shard_routes import SHARDS

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Order, Receipt
    from kalshi_research.sandbox.exchange import Exchange

__all__ = [
    "amend_order", "as_shown", "cancel_all", "cancel_order", "cancel_orders", "create_order",
    "create_orders", "decrease_order", "historical_orders", "order", "orders", "orders_page",
    "queue_position", "queue_positions", "resting_value",
]  # fmt: skip

Json = dict[str, Any]


def _milliseconds(receipt: Receipt) -> int:
    return receipt.time // 1000


def _receipt(receipt: Receipt) -> Json:
    view: Json = {"order_id": receipt.order.order_id, "ts_ms": _milliseconds(receipt)}
    if receipt.order.client_order_id:
        view["client_order_id"] = receipt.order.client_order_id
    return view


def _matched(receipt: Receipt) -> Json:
    view: Json = {
        "fill_count": count(receipt.filled),
        "remaining_count": count(receipt.remaining),
    }
    if receipt.average_price is not None and receipt.average_fee is not None:
        view["average_fill_price"] = fixed_text(receipt.average_price, PRICE_SCALE)
        # Both are in money over count, that is in 1/10 000 dollar.
        view["average_fee_paid"] = fixed_text(receipt.average_fee, PRICE_SCALE)
    return view


def _create(exchange: Exchange, user: str, fields: Json) -> Json:
    body = Body("CreateOrderV2Request", fields)
    ticker, side = body.text("ticker", required=True), body.text("side", required=True)
    amount, price = body.count("count") or 0, body.price("price")
    force = body.text("time_in_force", required=True)
    prevention = body.text("self_trade_prevention_type", required=True)
    index = body.integer("exchange_index")
    expiration, subaccount = body.instant("expiration_time"), body.integer("subaccount") or 0
    options: Json = {
        "time_in_force": force,
        "self_trade": prevention,
        "client_order_id": body.text("client_order_id"),
        "expiration": expiration or 0,
        "post_only": body.flag("post_only"),
        "reduce_only": body.flag("reduce_only"),
        "cancel_on_pause": body.flag("cancel_order_on_pause"),
        "subaccount": subaccount,
        "group_id": body.text("order_group_id"),
    }
    market = exchange.world.markets.get(ticker)
    if market is None or not exchange.live(market):
        raise not_found()
    if market.event.series.shard != _shard(exchange, index, ticker):
        raise not_found("the market is on another exchange_index")
    receipt = act(
        exchange,
        lambda engine: engine.submit(user, ticker, side, price, amount, **options),  # type: ignore[arg-type]
        ticker,
    )
    return dict(sorted((_receipt(receipt) | _matched(receipt)).items()))


def create_order(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/events/orders."""
    return _create(exchange, user_of(exchange, path), fields)


def create_orders(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/events/orders/batched: each order for itself, in their order."""
    user, answers = user_of(exchange, path), []
    for row in Body("BatchCreateOrdersV2Request", fields).rows("orders"):
        try:
            answers.append(_create(exchange, user, row))
        except Refusal as refusal:
            answer: Json = {"error": refusal.inside}
            if isinstance(row.get("client_order_id"), str):
                answer["client_order_id"] = row["client_order_id"]
            answers.append(answer)
    return {"orders": answers}


def _shard(exchange: Exchange, index: int | None, ticker: str) -> int:
    """The shard that a request goes to: the one it names, else the one of its market, else 0."""
    if index is None or index == -1:
        if index == -1 and not ticker:
            raise bad_combination("exchange_index -1 needs a market ticker")
        market = exchange.world.markets.get(ticker)
        return market.event.series.shard if market else 0
    if not 0 <= index < SHARDS:
        raise bad_combination("there is no such exchange_index")
    return index


def _routed(exchange: Exchange, user: str, order_id: str, index: int | None, ticker: str) -> None:
    """404 where the request goes to another shard than the order's."""
    shard = _shard(exchange, index, ticker)
    if act(exchange, lambda engine: engine.order(user, order_id)).market.shard != shard:
        raise not_found()


def _cancel(exchange: Exchange, user: str, order_id: str, subaccount: int) -> Json:
    receipt = act(exchange, lambda engine: engine.cancel(user, order_id, subaccount=subaccount))
    # Recorded without the client order id, which the specification allows.
    return {
        "order_id": order_id,
        "reduced_by": count(receipt.reduced_by),
        "ts_ms": _milliseconds(receipt),
    }


def cancel_order(exchange: Exchange, query: Query, path: dict[str, str], _: Json) -> Json:
    """DELETE /portfolio/events/orders/{order_id}."""
    index, ticker = query.integer("exchange_index"), query.text("market_ticker")
    user, subaccount = user_of(exchange, path), subaccount_of(query) or 0
    _routed(exchange, user, path["order_id"], index, ticker)
    return _cancel(exchange, user, path["order_id"], subaccount)


def cancel_orders(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """DELETE /portfolio/events/orders/batched."""
    user, answers = user_of(exchange, path), []
    for fields_of_one in Body("BatchCancelOrdersV2Request", fields).rows("orders"):
        row = Body("BatchCancelOrdersV2RequestOrder", fields_of_one)
        order_id, index = row.text("order_id", required=True), row.integer("exchange_index")
        ticker, subaccount = row.text("market_ticker"), row.integer("subaccount") or 0
        try:
            _routed(exchange, user, order_id, index, ticker)
            answers.append(_cancel(exchange, user, order_id, subaccount))
        except Refusal as refusal:
            answers.append({"error": refusal.inside, "order_id": order_id, "reduced_by": "0.00"})
    return {"orders": answers}


def cancel_all(exchange: Exchange, query: Query, path: dict[str, str], _: Json) -> None:
    """DELETE /portfolio/events/orders."""
    user, subaccount = user_of(exchange, path), subaccount_of(query)
    act(exchange, lambda engine: engine.cancel_all(user, subaccount=subaccount))


def amend_order(exchange: Exchange, query: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/events/orders/{order_id}/amend."""
    body, user = Body("AmendOrderV2Request", fields), user_of(exchange, path)
    ticker, side = body.text("ticker", required=True), body.text("side", required=True)
    price, total = body.price("price"), body.count("count") or 0
    expiration, subaccount = body.instant("expiration_time"), subaccount_of(query) or 0
    earlier, later = body.text("client_order_id"), body.text("updated_client_order_id")
    _routed(exchange, user, path["order_id"], body.integer("exchange_index"), ticker)
    receipt = act(
        exchange,
        lambda engine: engine.amend(
            user,
            path["order_id"],
            ticker=ticker,
            side=side,  # type: ignore[arg-type]
            price=price,
            count=total,
            client_order_id=earlier,
            updated_client_order_id=later,
            expiration=expiration,
            subaccount=subaccount,
        ),
    )
    view = _receipt(receipt) | (_matched(receipt) if receipt.changed else {})
    return dict(sorted(view.items()))


def decrease_order(exchange: Exchange, query: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/events/orders/{order_id}/decrease."""
    body, user, order_id = (
        Body("DecreaseOrderV2Request", fields),
        user_of(exchange, path),
        path["order_id"],
    )
    ticker, index = body.text("market_ticker"), body.integer("exchange_index")
    by, to = body.count("reduce_by", required=False), body.count("reduce_to", required=False)
    subaccount = subaccount_of(query) or 0
    _routed(exchange, user, order_id, index, ticker)
    receipt = act(
        exchange,
        lambda engine: engine.decrease(
            user, order_id, reduce_by=by, reduce_to=to, subaccount=subaccount
        ),
    )
    view = _receipt(receipt) | {"remaining_count": count(receipt.remaining)}
    return dict(sorted(view.items()))


def _own(exchange: Exchange, user: str) -> list[Order]:
    return exchange.floor.call(lambda engine: list(engine.members[user].orders))


def _own_as_shown(exchange: Exchange, user: str, place: str) -> list[Order]:
    """The orders of a user as reads show them, oldest first."""
    found = _own(exchange, user)
    return found if exchange.lag is None else exchange.lag.orders(place, user, found)


def as_shown(exchange: Exchange, found: Order) -> Order:
    """An order as reads show it; 404 where they do not yet."""
    if exchange.lag is None:
        return found
    place, user = f"GET /portfolio/orders/{found.order_id}", found.wallet.member.user
    for row in exchange.lag.orders(place, user, [found]):
        if row.order_id == found.order_id:
            return row
    raise not_found()


def orders_page(
    exchange: Exchange, query: Query, path: dict[str, str], *, old: bool = False
) -> tuple[list[Order], str]:
    """The orders that a query is about, newest first, and the cursor of the next page."""
    limit = query.limit(100, 1, 1000)
    tickers, events = query.names("ticker"), query.names("event_ticker")
    if len(events) > 100:
        raise bad_combination("event_ticker takes at most 100 tickers")
    status = query.choice("status", ("resting", "canceled", "executed"))
    low, high, subaccount = query.integer("min_ts"), query.integer("max_ts"), subaccount_of(query)
    edge = exchange.cutoff.orders
    place = "GET /historical/orders" if old else "GET /portfolio/orders"
    found = [
        (number, row)
        for number, row in enumerate(_own_as_shown(exchange, user_of(exchange, path), place))
        if (not tickers or row.market.ticker in tickers)
        and (not events or row.market.event_ticker in events)
        and (not status or row.status == status)
        and (low is None or row.created >= low * SECOND)
        and (high is None or row.created <= high * SECOND)
        and (subaccount is None or row.wallet.number == subaccount)
        and (row.status != "resting" and row.updated < edge) == old
    ]
    found.reverse()
    page = cut_page(found, lambda item: (item[0], item[1].order_id), query.text("cursor"), limit)
    return [row for _, row in page.rows], page.cursor


def orders(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/orders, newest first."""
    rows, cursor = orders_page(exchange, query, path)
    return {"cursor": cursor, "orders": [order_view(row) for row in rows]}


def historical_orders(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /historical/orders: finished ones from before the cutoff."""
    rows, cursor = orders_page(exchange, query, path, old=True)
    return {"cursor": cursor, "orders": [order_view(row) for row in rows]}


def order(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/orders/{order_id}."""
    return {"order": order_view(as_shown(exchange, _visible(exchange, path)))}


def _visible(exchange: Exchange, path: dict[str, str]) -> Order:
    """An order of the caller; 404 also where the key is locked to another subaccount."""
    user, lock = user_of(exchange, path), lock_of(path)
    found = act(exchange, lambda engine: engine.order(user, path["order_id"]))
    if lock not in (None, found.wallet.number):
        raise not_found()
    return found


def queue_position(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/orders/{order_id}/queue_position."""
    user = user_of(exchange, path)
    _visible(exchange, path)
    ahead = act(exchange, lambda engine: engine.queue_position(user, path["order_id"]))
    return {"queue_position_fp": count(ahead)}


def queue_positions(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/orders/queue_positions."""
    user, tickers = user_of(exchange, path), query.names("market_tickers")
    event, subaccount = query.text("event_ticker"), subaccount_of(query) or 0
    rows = [
        row
        for row in _own(exchange, user)
        if row.status == "resting"
        and row.wallet.number == subaccount
        and (not tickers or row.market.ticker in tickers)
        and (not event or row.market.event_ticker == event)
    ]
    return {
        "queue_positions": [
            {
                "market_ticker": row.market.ticker,
                "order_id": row.order_id,
                "queue_position_fp": count(
                    act(exchange, lambda engine, row=row: engine.queue_position(user, row.order_id))  # type: ignore[misc]
                ),
            }
            for row in rows
        ]
    }


def resting_value(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/summary/total_resting_order_value."""
    shards: dict[int, int] = {}
    lock = lock_of(path)
    for row in _own(exchange, user_of(exchange, path)):
        if row.status == "resting" and lock in (None, row.wallet.number):
            price = row.price if row.is_bid else PRICE_SCALE - row.price
            shards[row.market.shard] = shards.get(row.market.shard, 0) + price * row.remaining
    return {
        "resting_order_value_breakdown": [
            {"balance": fixed_text(value // 100, PRICE_SCALE), "exchange_index": shard}
            for shard, value in sorted(shards.items())
        ],
        "total_resting_order_value": sum(shards.values()) // 10_000,
    }
