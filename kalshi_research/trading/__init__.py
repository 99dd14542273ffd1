"""Orders, placed once: the ticket, the journal, and what changes something on the exchange."""

from __future__ import annotations

from kalshi_research.trading.arming import arm, disarm
from kalshi_research.trading.changes import amend_order, cancel_order, decrease_order
from kalshi_research.trading.groups import (
    create_order_group,
    delete_order_group,
    limit_order_group,
    reset_order_group,
    trigger_order_group,
)
from kalshi_research.trading.listing import get_open_orders, get_queue_positions
from kalshi_research.trading.mass import cancel_all_orders, cancel_orders
from kalshi_research.trading.orders import create_order, create_orders
from kalshi_research.trading.pace import Pace
from kalshi_research.trading.report import OrderReport
from kalshi_research.trading.rules import MarketRules
from kalshi_research.trading.terms import OrderTerms
from kalshi_research.trading.ticket import OrderTicket

__all__ = [
    "MarketRules",
    "OrderReport",
    "OrderTerms",
    "OrderTicket",
    "Pace",
    "amend_order",
    "arm",
    "cancel_all_orders",
    "cancel_order",
    "cancel_orders",
    "create_order",
    "create_order_group",
    "create_orders",
    "decrease_order",
    "delete_order_group",
    "disarm",
    "get_open_orders",
    "get_queue_positions",
    "limit_order_group",
    "reset_order_group",
    "trigger_order_group",
]
