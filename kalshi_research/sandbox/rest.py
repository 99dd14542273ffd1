"""The routes, and what every request passes before it gets to one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox import (
    account_routes,
    candle_routes,
    collection_routes,
    event_routes,
    forecast_routes,
    group_routes,
    key_routes,
    market_routes,
    order_routes,
    portfolio_routes,
    shard_routes,
)
from kalshi_research.sandbox.app import Answering, App
from kalshi_research.sandbox.auth import not_signed
from kalshi_research.sandbox.bodies import read_body
from kalshi_research.sandbox.dialect_2025 import routes as routes_2025
from kalshi_research.sandbox.dispatch import PREFIX, Asked, Receive, Said, Scope, Send, Table, told
from kalshi_research.sandbox.exchange import Exchange
from kalshi_research.sandbox.queries import Query
from kalshi_research.sandbox.rate_limits import lanes
from kalshi_research.sandbox.refusals import gone
from kalshi_research.sandbox.scopes import keep_to_subaccount, permit

if TYPE_CHECKING:
    from kalshi_research.sandbox.auth import RegisteredKey

__all__ = ["build_app"]

Handler = Callable[[Exchange, Query, dict[str, str]], dict[str, Any]]
Read = tuple[str, Handler, str, bool]
WriteHandler = Callable[[Exchange, Query, dict[str, str], dict[str, Any]], dict[str, Any] | None]
Write = tuple[str, str, WriteHandler, str, int]

# path, handler, operation as the specification calls it, whether a signature is needed
_ROUTES: tuple[Read, ...] = (
    ("/exchange/status", account_routes.exchange_status, "GetExchangeStatus", False),
    ("/exchange/schedule", account_routes.exchange_schedule, "GetExchangeSchedule", False),
    ("/exchange/user_data_timestamp", account_routes.user_data_timestamp, "GetUserDataTimestamp", False),
    ("/series", event_routes.series_list, "GetSeriesList", False),
    ("/series/fee_changes", event_routes.series_fee_changes, "GetSeriesFeeChanges", False),
    ("/series/{series_ticker}", event_routes.series, "GetSeries", False),
    (
        "/series/{series_ticker}/markets/{ticker}/candlesticks",
        candle_routes.candlesticks,
        "GetMarketCandlesticks",
        False,
    ),
    (
        "/series/{series_ticker}/events/{ticker}/candlesticks",
        candle_routes.event_candlesticks,
        "GetMarketCandlesticksByEvent",
        False,
    ),
    (
        "/series/{series_ticker}/events/{ticker}/forecast_percentile_history",
        forecast_routes.forecast_percentiles,
        "GetEventForecastPercentilesHistory",
        True,
    ),
    ("/events", event_routes.events, "GetEvents", False),
    ("/events/multivariate", event_routes.multivariate_events, "GetMultivariateEvents", False),
    ("/events/fee_changes", event_routes.event_fee_changes, "GetEventFeeChanges", False),
    ("/events/{event_ticker}", event_routes.event, "GetEvent", False),
    ("/events/{event_ticker}/metadata", event_routes.event_metadata, "GetEventMetadata", False),
    ("/markets", market_routes.markets, "GetMarkets", False),
    ("/markets/orderbooks", market_routes.batch_orderbooks, "GetMarketOrderbooks", False),
    ("/markets/trades", market_routes.trades, "GetTrades", False),
    ("/markets/candlesticks", candle_routes.batch_candlesticks, "BatchGetMarketCandlesticks", False),
    ("/markets/{ticker}", market_routes.market, "GetMarket", False),
    ("/markets/{ticker}/orderbook", market_routes.orderbook, "GetMarketOrderbook", False),
    ("/historical/cutoff", account_routes.historical_cutoff, "GetHistoricalCutoff", False),
    ("/historical/markets", market_routes.historical_markets, "GetHistoricalMarkets", False),
    ("/historical/markets/{ticker}", market_routes.historical_market, "GetHistoricalMarket", False),
    (
        "/historical/markets/{ticker}/candlesticks",
        candle_routes.historical_candlesticks,
        "GetMarketCandlesticksHistorical",
        False,
    ),
    ("/historical/trades", market_routes.historical_trades, "GetTradesHistorical", False),
    ("/historical/fills", portfolio_routes.historical_fills, "GetFillsHistorical", True),
    ("/historical/orders", order_routes.historical_orders, "GetHistoricalOrders", True),
    ("/historical/positions", portfolio_routes.historical_positions, "GetHistoricalPositions", True),
    ("/search/tags_by_categories", event_routes.tags_by_categories, "GetTagsForSeriesCategories", False),
    ("/search/filters_by_sport", collection_routes.filters_by_sport, "GetFiltersForSports", False),
    ("/structured_targets", collection_routes.targets, "GetStructuredTargets", False),
    (
        "/structured_targets/{structured_target_id}",
        collection_routes.target,
        "GetStructuredTarget",
        False,
    ),
    (
        "/multivariate_event_collections",
        collection_routes.collections,
        "GetMultivariateEventCollections",
        False,
    ),
    (
        "/multivariate_event_collections/{collection_ticker}",
        collection_routes.collection,
        "GetMultivariateEventCollection",
        False,
    ),
    ("/account/endpoint_costs", account_routes.endpoint_costs, "GetAccountEndpointCosts", False),
    ("/account/limits", account_routes.account_limits, "GetAccountApiLimits", True),
    (
        "/account/api_usage_level/volume_progress",
        account_routes.volume_progress,
        "GetAccountApiUsageLevelVolumeProgress",
        True,
    ),
    ("/api_keys", key_routes.api_keys, "GetApiKeys", True),
    ("/portfolio/balance", portfolio_routes.balance, "GetBalance", True),
    ("/portfolio/positions", portfolio_routes.positions, "GetPositions", True),
    ("/portfolio/fills", portfolio_routes.fills, "GetFills", True),
    ("/portfolio/orders", order_routes.orders, "GetOrders", True),
    ("/portfolio/settlements", portfolio_routes.settlements, "GetSettlements", True),
    ("/portfolio/deposits", portfolio_routes.deposits, "GetDeposits", True),
    ("/portfolio/withdrawals", portfolio_routes.withdrawals, "GetWithdrawals", True),
    ("/portfolio/orders/queue_positions", order_routes.queue_positions, "GetOrderQueuePositions", True),
    ("/portfolio/orders/{order_id}", order_routes.order, "GetOrder", True),
    (
        "/portfolio/orders/{order_id}/queue_position",
        order_routes.queue_position,
        "GetOrderQueuePosition",
        True,
    ),
    (
        "/portfolio/summary/total_resting_order_value",
        order_routes.resting_value,
        "GetPortfolioRestingOrderTotalValue",
        True,
    ),
    ("/portfolio/order_groups", group_routes.groups, "GetOrderGroups", True),
    ("/portfolio/order_groups/{order_group_id}", group_routes.group, "GetOrderGroup", True),
    ("/portfolio/subaccounts/balances", group_routes.subaccount_balances, "GetSubaccountBalances", True),
    ("/portfolio/subaccounts/transfers", group_routes.transfers, "GetSubaccountTransfers", True),
    ("/portfolio/subaccounts/netting", group_routes.netting, "GetSubaccountNetting", True),
    (
        "/portfolio/intra_exchange_instance_transfers",
        shard_routes.moves,
        "GetIntraExchangeInstanceTransfers",
        True,
    ),
    (
        "/portfolio/intra_exchange_instance_transfers/{transfer_id}",
        shard_routes.moved,
        "GetIntraExchangeInstanceTransfer",
        True,
    ),
    (
        "/portfolio/target_balance_allocation",
        shard_routes.allocation,
        "GetTargetBalanceAllocation",
        True,
    ),
)
_ORDERS = "/portfolio/events/orders"
_GROUPS = "/portfolio/order_groups"
_SUBACCOUNTS = "/portfolio/subaccounts"
# method, path, handler, operation, status of success
_WRITES: tuple[Write, ...] = (
    ("POST", _ORDERS, order_routes.create_order, "CreateOrderV2", 201),
    ("DELETE", _ORDERS, order_routes.cancel_all, "CancelAllOrders", 204),
    ("POST", f"{_ORDERS}/batched", order_routes.create_orders, "BatchCreateOrdersV2", 201),
    ("DELETE", f"{_ORDERS}/batched", order_routes.cancel_orders, "BatchCancelOrdersV2", 200),
    ("DELETE", f"{_ORDERS}/{{order_id}}", order_routes.cancel_order, "CancelOrderV2", 200),
    ("POST", f"{_ORDERS}/{{order_id}}/amend", order_routes.amend_order, "AmendOrderV2", 200),
    ("POST", f"{_ORDERS}/{{order_id}}/decrease", order_routes.decrease_order, "DecreaseOrderV2", 200),
    ("POST", f"{_GROUPS}/create", group_routes.create_group, "CreateOrderGroup", 201),
    ("DELETE", f"{_GROUPS}/{{order_group_id}}", group_routes.delete_group, "DeleteOrderGroup", 200),
    ("PUT", f"{_GROUPS}/{{order_group_id}}/reset", group_routes.reset_group, "ResetOrderGroup", 200),
    (
        "PUT",
        f"{_GROUPS}/{{order_group_id}}/trigger",
        group_routes.trigger_group,
        "TriggerOrderGroup",
        200,
    ),
    (
        "PUT",
        f"{_GROUPS}/{{order_group_id}}/limit",
        group_routes.limit_group,
        "UpdateOrderGroupLimit",
        200,
    ),
    ("POST", _SUBACCOUNTS, group_routes.create_subaccount, "CreateSubaccount", 201),
    ("POST", f"{_SUBACCOUNTS}/transfer", group_routes.transfer, "ApplySubaccountTransfer", 200),
    ("PUT", f"{_SUBACCOUNTS}/netting", group_routes.set_netting, "UpdateSubaccountNetting", 200),
    (
        "POST",
        "/portfolio/intra_exchange_instance_transfer",
        shard_routes.move,
        "IntraExchangeInstanceTransfer",
        200,
    ),
    (
        "POST",
        "/portfolio/target_balance_allocation",
        shard_routes.set_allocation,
        "SetTargetBalanceAllocation",
        200,
    ),
    (
        "POST",
        "/multivariate_event_collections/{collection_ticker}",
        collection_routes.create_combo,
        "CreateMarketInMultivariateEventCollection",
        200,
    ),
    (
        "POST",
        "/account/api_usage_level/upgrade",
        account_routes.upgrade,
        "UpgradeAccountApiUsageLevel",
        201,
    ),
    ("POST", "/api_keys", key_routes.create_key, "CreateApiKey", 201),
    ("POST", "/api_keys/generate", key_routes.generate_key, "GenerateApiKey", 201),
    ("DELETE", "/api_keys/{api_key}", key_routes.delete_key, "DeleteApiKey", 204),
)
_LEGACY = (
    ("/portfolio/orders", "POST"),
    ("/portfolio/orders/batched", "POST"),
    ("/portfolio/orders/batched", "DELETE"),
    ("/portfolio/orders/{order_id}", "DELETE"),
    ("/portfolio/orders/{order_id}/amend", "POST"),
    ("/portfolio/orders/{order_id}/decrease", "POST"),
)
# What is said by the path alone: a body is not even looked at.
_WITHOUT_BODY = {
    "CancelAllOrders", "CancelOrderV2", "DeleteApiKey", "DeleteOrderGroup", "ResetOrderGroup",
    "TriggerOrderGroup", "UpgradeAccountApiUsageLevel",
}  # fmt: skip
# What each dialect serves: reads, writes, and what it knows to be gone.
_TABLES: dict[str, tuple[tuple[Read, ...], tuple[Write, ...], tuple[tuple[str, str], ...]]] = {
    "2026": (_ROUTES, _WRITES, _LEGACY),
    "2025": (routes_2025.READS, routes_2025.WRITES, ()),
}


def build_app(
    exchange: Exchange, hosts: Callable[[], frozenset[str]]
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application.

    Parameters
    ----------
    exchange : Exchange
    hosts : callable
        The values of ``Host`` that are ours.
    """
    reads, writes, gone_by_now = _TABLES[exchange.dialect.name]
    table = Table[Answering]()
    for path, handler, operation, private in reads:
        table.add("GET", PREFIX + path, _endpoint(exchange, path, handler, operation, private))
    for write in writes:
        table.add(write[0], PREFIX + write[1], _writing(exchange, write))
    for path, method in gone_by_now:
        table.add(method, PREFIX + path, _gone(exchange))
    return App(exchange, hosts, table)


def _endpoint(
    exchange: Exchange, path: str, handler: Handler, operation: str, private: bool
) -> Answering:
    bucket, cost = exchange.dialect.price("GET", path)

    async def endpoint(request: Asked, names: dict[str, str]) -> Said:
        key = _caller(exchange, request)
        if private:
            if key is None:
                raise not_signed()
            permit(key, operation, write=False)
        if exchange.buckets is not None:
            exchange.buckets.charge(None if key is None else key.user, bucket, cost)
        exchange.age()
        items = request.items()
        if private and key is not None:
            items = keep_to_subaccount(key, items, {})
            names |= key.path_values
        query = exchange.dialect.query(operation, items)
        with exchange.floor.held():  # all of an answer is about one moment
            return told(200, handler(exchange, query, names))

    return endpoint


def _writing(exchange: Exchange, write: Write) -> Answering:
    method, path, handler, operation, status = write
    bucket, cost = exchange.dialect.price(method, path)

    async def endpoint(request: Asked, names: dict[str, str]) -> Said:
        key = _caller(exchange, request)
        if key is None:
            raise not_signed()
        permit(key, operation, write=True)
        raw = b"" if operation in _WITHOUT_BODY else await request.body()
        fields, items = read_body(raw, request.headers.get("content-type", "")), request.items()
        if exchange.buckets is not None:
            cost_of_all = cost * _how_many(path, fields)
            exchange.buckets.charge(key.user, bucket, cost_of_all, lanes(operation, items, fields))
        exchange.age()
        items = keep_to_subaccount(key, items, fields)
        query = exchange.dialect.query(operation, items)
        with exchange.floor.held():
            body = handler(exchange, query, names | key.path_values, fields)
            return (204, None) if body is None else told(status, body)

    return endpoint


def _how_many(path: str, fields: dict[str, Any]) -> int:
    """How many orders a request is about; each is charged for."""
    rows = fields.get("orders", fields.get("ids")) if path.endswith("/batched") else None
    return max(len(rows), 1) if isinstance(rows, list) else 1


def _gone(exchange: Exchange) -> Answering:
    async def endpoint(request: Asked, _: dict[str, str]) -> Said:
        _caller(exchange, request)
        raise gone()

    return endpoint


def _caller(exchange: Exchange, request: Asked) -> RegisteredKey | None:
    """The key that signed the request; None for a stranger."""
    # What a fault carries out later was signed when it arrived.
    now = request.scope.get("kalshi_arrived_ms") or exchange.wall_ms()
    key = exchange.keys.check(request.method, request.raw_path, request.headers, now, exchange.skew_ms())
    request.scope["kalshi_user"] = None if key is None else key.user
    return key
