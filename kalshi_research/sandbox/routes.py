"""The routes of today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from kalshi_research.sandbox.exchange import Exchange
from kalshi_research.sandbox.queries import Query

__all__ = ["GONE", "READS", "WRITES", "Handler", "Read", "Write", "WriteHandler"]

Handler = Callable[[Exchange, Query, dict[str, str]], dict[str, Any]]
Read = tuple[str, Handler, str, bool]
WriteHandler = Callable[[Exchange, Query, dict[str, str], dict[str, Any]], dict[str, Any] | None]
Write = tuple[str, str, WriteHandler, str, int]

READS: tuple[Read, ...] = (
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
"""Path, handler, operation as the specification calls it, whether a signature is needed."""

_ORDERS = "/portfolio/events/orders"
_GROUPS = "/portfolio/order_groups"
_SUBACCOUNTS = "/portfolio/subaccounts"

WRITES: tuple[Write, ...] = (
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
"""Method, path, handler, operation, status of success."""

GONE = (
    ("POST", "/portfolio/orders"),
    ("POST", "/portfolio/orders/batched"),
    ("DELETE", "/portfolio/orders/batched"),
    ("DELETE", "/portfolio/orders/{order_id}"),
    ("POST", "/portfolio/orders/{order_id}/amend"),
    ("POST", "/portfolio/orders/{order_id}/decrease"),
)
"""Method and path of what was served once."""
