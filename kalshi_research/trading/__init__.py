"""Orders, placed once: the ticket, the journal, and what changes something on the exchange.

The parts are loaded when they are first used: the ticket and the journal need no frames.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from kalshi_research.trading.preparing import prepare_order
    from kalshi_research.trading.report import OrderReport
    from kalshi_research.trading.rules import MarketRules
    from kalshi_research.trading.terms import OrderTerms
    from kalshi_research.trading.ticket import OrderTicket

_HOME = {
    "arming": ("arm", "disarm"),
    "changes": ("amend_order", "cancel_order", "decrease_order"),
    "groups": (
        "create_order_group",
        "delete_order_group",
        "limit_order_group",
        "reset_order_group",
        "trigger_order_group",
    ),
    "listing": ("get_open_orders", "get_queue_positions"),
    "mass": ("cancel_all_orders", "cancel_orders"),
    "orders": ("create_order", "create_orders"),
    "pace": ("Pace",),
    "preparing": ("prepare_order",),
    "report": ("OrderReport",),
    "rules": ("MarketRules",),
    "terms": ("OrderTerms",),
    "ticket": ("OrderTicket",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

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
    "prepare_order",
    "reset_order_group",
    "trigger_order_group",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kalshi_research.trading' has no attribute {name!r}")
    value = getattr(import_module(f"kalshi_research.trading.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
