"""The matching engine of the simulated exchange: pure, on integers, without input or output.

One book a market, on the YES leg, with price-time priority; accounts with collateral, netting
and fees; the life of a market up to its payout. Everything that changes is told by an event, so
a REST view and a stream can be built on top without asking twice.
"""

from __future__ import annotations

from kalshi_research.sandbox.engine.accounts import Holding, Member, Wallet
from kalshi_research.sandbox.engine.engine import BookView, Engine
from kalshi_research.sandbox.engine.events import (
    BookDelta,
    Event,
    ExchangeUpdate,
    FeeUpdate,
    Fill,
    GroupUpdate,
    Lifecycle,
    OrderUpdate,
    PositionUpdate,
    Settlement,
    Trade,
)
from kalshi_research.sandbox.engine.groups import OrderGroup
from kalshi_research.sandbox.engine.identifiers import Identifiers
from kalshi_research.sandbox.engine.markets import LINEAR_CENT, Market, MarketSpec
from kalshi_research.sandbox.engine.options import SECOND, EngineOptions
from kalshi_research.sandbox.engine.orders import Order, Receipt
from kalshi_research.sandbox.engine.rejections import Rejection

__all__ = [
    "LINEAR_CENT",
    "SECOND",
    "BookDelta",
    "BookView",
    "Engine",
    "EngineOptions",
    "Event",
    "ExchangeUpdate",
    "FeeUpdate",
    "Fill",
    "GroupUpdate",
    "Holding",
    "Identifiers",
    "Lifecycle",
    "Market",
    "MarketSpec",
    "Member",
    "Order",
    "OrderGroup",
    "OrderUpdate",
    "PositionUpdate",
    "Receipt",
    "Rejection",
    "Settlement",
    "Trade",
    "Wallet",
]
