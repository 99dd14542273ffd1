"""What the exchange sends and what becomes of it: the one place that knows response wire names."""

from __future__ import annotations

from kalshi_research.schemas.account import API_KEYS, BALANCE, DEPOSITS, LIMITS, WITHDRAWALS
from kalshi_research.schemas.candlestick import CANDLESTICKS
from kalshi_research.schemas.columns import Column
from kalshi_research.schemas.event import EVENTS
from kalshi_research.schemas.exchange import SCHEDULE, STATUS
from kalshi_research.schemas.fill import FILLS
from kalshi_research.schemas.history import HISTORY, HistorySchema
from kalshi_research.schemas.market import MARKETS
from kalshi_research.schemas.order import ORDER_STATUSES, ORDERS
from kalshi_research.schemas.orderbook import ORDERBOOKS, OrderbookDecoder, OrderbookSchema
from kalshi_research.schemas.position import EVENT_POSITIONS, POSITIONS
from kalshi_research.schemas.schema import Kind, Schema
from kalshi_research.schemas.series import SERIES
from kalshi_research.schemas.settlement import SETTLEMENTS
from kalshi_research.schemas.trade import TRADES
from kalshi_research.schemas.wire import Decoder

__all__ = [
    "API_KEYS",
    "BALANCE",
    "CANDLESTICKS",
    "DEPOSITS",
    "EVENTS",
    "EVENT_POSITIONS",
    "FILLS",
    "HISTORY",
    "LIMITS",
    "MARKETS",
    "ORDERBOOKS",
    "ORDERS",
    "ORDER_STATUSES",
    "POSITIONS",
    "SCHEDULE",
    "SCHEMAS",
    "SERIES",
    "SETTLEMENTS",
    "STATUS",
    "TRADES",
    "WITHDRAWALS",
    "Column",
    "Decoder",
    "HistorySchema",
    "Kind",
    "OrderbookDecoder",
    "OrderbookSchema",
    "Schema",
]

_KINDS: tuple[Kind, ...] = (
    API_KEYS, BALANCE, CANDLESTICKS, DEPOSITS, EVENTS, EVENT_POSITIONS, FILLS, HISTORY, LIMITS,
    MARKETS, ORDERBOOKS, ORDERS, POSITIONS, SCHEDULE, SERIES, SETTLEMENTS, STATUS, TRADES, WITHDRAWALS,
)  # fmt: skip

SCHEMAS: dict[str, Kind] = {schema.kind: schema for schema in _KINDS}
"""All kinds of frames by name."""
