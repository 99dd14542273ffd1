"""What the exchange sends and what becomes of it: the one place that knows response wire names."""

from __future__ import annotations

from kalshi_research.schemas.candlestick import CANDLESTICKS
from kalshi_research.schemas.columns import Column
from kalshi_research.schemas.event import EVENTS
from kalshi_research.schemas.exchange import SCHEDULE, STATUS
from kalshi_research.schemas.market import MARKETS
from kalshi_research.schemas.orderbook import ORDERBOOKS, OrderbookDecoder, OrderbookSchema
from kalshi_research.schemas.schema import Kind, Schema
from kalshi_research.schemas.series import SERIES
from kalshi_research.schemas.trade import TRADES
from kalshi_research.schemas.wire import Decoder

__all__ = [
    "CANDLESTICKS",
    "EVENTS",
    "MARKETS",
    "ORDERBOOKS",
    "SCHEDULE",
    "SCHEMAS",
    "SERIES",
    "STATUS",
    "TRADES",
    "Column",
    "Decoder",
    "Kind",
    "OrderbookDecoder",
    "OrderbookSchema",
    "Schema",
]

SCHEMAS: dict[str, Kind] = {
    schema.kind: schema
    for schema in (CANDLESTICKS, EVENTS, MARKETS, ORDERBOOKS, SCHEDULE, SERIES, STATUS, TRADES)
}
"""All kinds of frames by name."""
