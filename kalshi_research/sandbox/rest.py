"""The routes, and what every request passes before it gets to one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router

from kalshi_research.sandbox import account_routes, candle_routes, event_routes, market_routes
from kalshi_research.sandbox.auth import not_signed
from kalshi_research.sandbox.exchange import Exchange, RequestRecord
from kalshi_research.sandbox.queries import Query
from kalshi_research.sandbox.rate_limits import COSTS, DEFAULT_COST
from kalshi_research.sandbox.refusals import Refusal, gone, not_found, refused
from kalshi_research.sandbox.stream.endpoint import stream_route

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["PREFIX", "build_app"]

PREFIX = "/trade-api/v2"

Handler = Callable[[Exchange, Query, dict[str, str]], dict[str, Any]]

# path, handler, operation as the specification calls it, whether a signature is needed
_ROUTES: tuple[tuple[str, Handler, str, bool], ...] = (
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
    ("/historical/fills", account_routes.no_fills, "GetFillsHistorical", True),
    ("/historical/orders", account_routes.no_orders, "GetHistoricalOrders", True),
    ("/historical/positions", account_routes.no_positions, "GetHistoricalPositions", True),
    ("/search/tags_by_categories", event_routes.tags_by_categories, "GetTagsForSeriesCategories", False),
    ("/account/endpoint_costs", account_routes.endpoint_costs, "GetAccountEndpointCosts", False),
    ("/account/limits", account_routes.account_limits, "GetAccountApiLimits", True),
    ("/api_keys", account_routes.api_keys, "GetApiKeys", True),
    ("/portfolio/balance", account_routes.balance, "GetBalance", True),
    ("/portfolio/positions", account_routes.no_positions, "GetPositions", True),
    ("/portfolio/fills", account_routes.no_fills, "GetFills", True),
    ("/portfolio/orders", account_routes.no_orders, "GetOrders", True),
    ("/portfolio/settlements", account_routes.no_settlements, "GetSettlements", True),
)
_LEGACY = (
    ("/portfolio/orders", "POST"),
    ("/portfolio/orders/batched", "POST"),
    ("/portfolio/orders/batched", "DELETE"),
    ("/portfolio/orders/{order_id}", "DELETE"),
    ("/portfolio/orders/{order_id}/amend", "POST"),
    ("/portfolio/orders/{order_id}/decrease", "POST"),
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_encode = msgspec.json.Encoder().encode


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(_encode(body), status, media_type="application/json")


def build_app(exchange: Exchange, hosts: Callable[[], frozenset[str]]) -> Starlette:
    """The application.

    Parameters
    ----------
    exchange : Exchange
    hosts : callable
        The values of ``Host`` that are ours. A page in a browser can reach
        loopback too; it cannot forge this header or `Origin`.
    """
    routes: list[BaseRoute] = [
        Route(PREFIX + path, _endpoint(exchange, path, handler, operation, private), methods=["GET"])
        for path, handler, operation, private in _ROUTES
    ]
    routes += [Route(PREFIX + path, _gone(exchange), methods=[method]) for path, method in _LEGACY]
    routes += [stream_route(exchange, hosts)]
    app = Starlette(exception_handlers={Refusal: _refuse, 404: _unknown, 405: _unknown, 500: _broken})
    app.router = Router(routes, redirect_slashes=False)
    app.add_middleware(_Gate, exchange=exchange, hosts=hosts)
    return app


def _endpoint(
    exchange: Exchange, path: str, handler: Handler, operation: str, private: bool
) -> Callable[[Request], Awaitable[Response]]:
    bucket = "balance" if operation == "GetBalance" else "read"
    cost = 1 if bucket == "balance" else COSTS.get(("GET", path), DEFAULT_COST)

    async def endpoint(request: Request) -> Response:
        user = _caller(exchange, request)
        if private and user is None:
            raise not_signed()
        if exchange.buckets is not None:
            exchange.buckets.charge(user, bucket, cost)
        items = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        path_values = dict(request.path_params)
        if private:
            path_values["user"] = str(user)
        return _answer(200, handler(exchange, Query(operation, items), path_values))

    return endpoint


def _gone(exchange: Exchange) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        _caller(exchange, request)
        raise gone()

    return endpoint


def _caller(exchange: Exchange, request: Request) -> int | None:
    """The user who signed the request; None for a stranger."""
    path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
    key = exchange.keys.check(request.method, path, request.headers, exchange.wall_ms())
    user = None if key is None else key.user
    request.scope["kalshi_user"] = user
    return user


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return _answer(error.status, error.body)


async def _unknown(request: Request, _: Exception) -> Response:
    """Reading what is not there, or writing what this exchange cannot take."""
    if request.method == "GET":
        return _answer(404, not_found().body)
    path = request.url.path.removeprefix(PREFIX)
    return _answer(404, not_found(f"{request.method} {path} is not available here").body)


async def _broken(_: Request, __: Exception) -> Response:
    return _answer(500, refused(500, "internal_server_error").body)


class _Gate:
    """Lets through what was addressed to this server, and keeps the log."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        exchange: Exchange,
        hosts: Callable[[], frozenset[str]],
    ) -> None:
        self._app = app
        self._exchange = exchange
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # What a handler that breaks is answered with, outside of this.
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        received = time.time()
        try:
            if self._ours(dict(scope["headers"])):
                await self._app(scope, receive, watched)
            else:
                body = refused(403, "forbidden", details="Host or Origin is not this exchange").body
                await _answer(403, body)(scope, receive, watched)
        finally:
            self._record(scope, status, received)

    def _record(self, scope: Scope, status: int, received: float) -> None:
        query = scope["query_string"].decode("latin-1")
        user = scope.get("kalshi_user")
        self._exchange.requests.append(
            RequestRecord(scope["method"], scope["path"], query, status, user, received)
        )

    def _ours(self, headers: dict[bytes, bytes]) -> bool:
        hosts = self._hosts()
        origin = headers.get(b"origin")
        return headers.get(b"host", b"").decode("latin-1") in hosts and (
            origin is None or origin.decode("latin-1").partition("://")[2] in hosts
        )
