"""The routes of 2025."""

from __future__ import annotations

from kalshi_research.sandbox import account_routes
from kalshi_research.sandbox.dialect_2025 import market_routes, order_routes, portfolio_routes

__all__ = ["READS", "WRITES"]

_ORDERS = "/portfolio/orders"

READS = (
    ("/exchange/status", market_routes.exchange_status, "GetExchangeStatus", False),
    ("/exchange/schedule", account_routes.exchange_schedule, "GetExchangeSchedule", False),
    ("/exchange/user_data_timestamp", account_routes.user_data_timestamp, "GetUserDataTimestamp", False),
    ("/series", market_routes.series_list, "GetSeriesList", False),
    ("/series/{series_ticker}", market_routes.series, "GetSeries", False),
    (
        "/series/{series_ticker}/markets/{ticker}/candlesticks",
        market_routes.candlesticks,
        "GetMarketCandlesticks",
        False,
    ),
    ("/events", market_routes.events, "GetEvents", False),
    ("/events/{event_ticker}", market_routes.event, "GetEvent", False),
    ("/markets", market_routes.markets, "GetMarkets", False),
    ("/markets/trades", market_routes.trades, "GetTrades", False),
    ("/markets/candlesticks", market_routes.several_candlesticks, "BatchGetMarketCandlesticks", False),
    ("/markets/{ticker}", market_routes.market, "GetMarket", False),
    ("/markets/{ticker}/orderbook", market_routes.orderbook, "GetMarketOrderbook", False),
    ("/account/limits", portfolio_routes.account_limits, "GetAccountApiLimits", True),
    ("/portfolio/balance", portfolio_routes.balance, "GetBalance", True),
    ("/portfolio/positions", portfolio_routes.positions, "GetPositions", True),
    ("/portfolio/fills", portfolio_routes.fills, "GetFills", True),
    ("/portfolio/history", portfolio_routes.history, "GetPortfolioHistory", True),
    ("/portfolio/settlements", portfolio_routes.settlements, "GetSettlements", True),
    (_ORDERS, order_routes.orders, "GetOrders", True),
    (f"{_ORDERS}/{{order_id}}", order_routes.order, "GetOrder", True),
)
"""Path, handler, operation, whether a signature is needed."""

WRITES = (
    ("POST", _ORDERS, order_routes.create_order, "CreateOrder", 201),
    ("POST", f"{_ORDERS}/batched", order_routes.create_orders, "BatchCreateOrders", 201),
    ("DELETE", f"{_ORDERS}/batched", order_routes.cancel_orders, "BatchCancelOrders", 200),
    ("DELETE", f"{_ORDERS}/{{order_id}}", order_routes.cancel_order, "CancelOrder", 200),
    ("PUT", f"{_ORDERS}/{{order_id}}", order_routes.amend_order, "AmendOrder", 200),
    ("POST", f"{_ORDERS}/{{order_id}}/amend", order_routes.amend_order, "AmendOrder", 200),
    ("POST", f"{_ORDERS}/{{order_id}}/decrease", order_routes.decrease_order, "DecreaseOrder", 200),
)
"""Method, path, handler, operation, status of success."""
