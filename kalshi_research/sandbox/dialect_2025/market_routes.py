"""Reads that need no key: the exchange, series, events, markets, books, trades, candlesticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox import account_routes, candle_routes, event_routes
from kalshi_research.sandbox import market_routes as today
from kalshi_research.sandbox.dialect_2025.views import (
    candle_view,
    in_both_formats,
    market_view,
    orderbook_view,
    page_of,
    trade_view,
    without,
)
from kalshi_research.sandbox.queries import cut_page

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = [
    "candlesticks", "event", "events", "exchange_status", "market", "markets", "orderbook", "series",
    "series_list", "several_candlesticks", "trades",
]  # fmt: skip

Json = dict[str, Any]


def exchange_status(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /exchange/status."""
    body = account_routes.exchange_status(exchange, query, path)
    return {name: body[name] for name in ("exchange_active", "trading_active")}


def _series(view: Json) -> Json:
    return in_both_formats(without(view))


def series_list(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series, in pages."""
    limit = query.limit(100, 1, 100)
    rows = event_routes.series_list(exchange, query, path)["series"]
    placed = [(len(rows) - place, row) for place, row in enumerate(rows)]
    page = cut_page(placed, lambda item: (item[0], str(item[1]["ticker"])), query.text("cursor"), limit)
    return {"cursor": page.cursor or None, "series": [_series(row) for _, row in page.rows]}


def series(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series/{series_ticker}."""
    return {"series": _series(event_routes.series(exchange, query, path)["series"])}


def _event(exchange: Exchange, view: Json) -> Json:
    told = without(view)
    if "markets" in told:
        told["markets"] = [market_view(exchange, row) for row in told["markets"]]
    return told


def events(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /events."""
    body = event_routes.events(exchange, query, path)
    return page_of(body, "events", lambda row: _event(exchange, row))


def event(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /events/{event_ticker}."""
    body = event_routes.event(exchange, query, path)
    return {
        "event": _event(exchange, body["event"]),
        "markets": [market_view(exchange, row) for row in body["markets"]],
    }


def markets(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /markets."""
    body = today.markets(exchange, query, path)
    return page_of(body, "markets", lambda row: market_view(exchange, row))


def market(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /markets/{ticker}."""
    return {"market": market_view(exchange, today.market(exchange, query, path)["market"])}


def orderbook(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /markets/{ticker}/orderbook."""
    depth = query.integer("depth", low=0, high=100) or 0
    found = today.live_market(exchange, path["ticker"])
    return {"orderbook": orderbook_view(exchange.floor.book(found.ticker, depth))}


def trades(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /markets/trades."""
    return page_of(today.trades(exchange, query, path), "trades", trade_view)


def candlesticks(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /series/{series_ticker}/markets/{ticker}/candlesticks."""
    body = candle_routes.candlesticks(exchange, query, path)
    return body | {"candlesticks": [candle_view(row) for row in body["candlesticks"]]}


def several_candlesticks(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /markets/candlesticks."""
    body = candle_routes.batch_candlesticks(exchange, query, path)
    return {
        "markets": [
            market | {"candlesticks": [candle_view(row) for row in market["candlesticks"]]}
            for market in body["markets"]
        ]
    }
