"""Public market data as frames: every function here asks the exchange."""

from __future__ import annotations

from kalshi_research.market_data.candlesticks import get_candlesticks
from kalshi_research.market_data.events import get_event, get_events, get_series
from kalshi_research.market_data.exchange import get_exchange_schedule, get_exchange_status
from kalshi_research.market_data.markets import get_market, get_markets, search_markets
from kalshi_research.market_data.orderbooks import get_orderbook, get_orderbooks
from kalshi_research.market_data.trades import get_trades

__all__ = [
    "get_candlesticks",
    "get_event",
    "get_events",
    "get_exchange_schedule",
    "get_exchange_status",
    "get_market",
    "get_markets",
    "get_orderbook",
    "get_orderbooks",
    "get_series",
    "get_trades",
    "search_markets",
]
