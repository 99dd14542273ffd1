"""One's own account as frames: money, orders, fills, positions, payouts, limits, keys.

Every function here asks the exchange and needs a key that may read. What the exchange has moved
to its historical tier comes with the same call.
"""

from __future__ import annotations

from kalshi_research.portfolio.account import (
    get_account_limits,
    get_api_keys,
    get_balance,
    get_deposits,
    get_withdrawals,
)
from kalshi_research.portfolio.bookings import get_portfolio_history, get_settlements
from kalshi_research.portfolio.executions import get_fills
from kalshi_research.portfolio.holdings import get_event_positions, get_positions
from kalshi_research.portfolio.orders import get_order, get_orders

__all__ = [
    "get_account_limits",
    "get_api_keys",
    "get_balance",
    "get_deposits",
    "get_event_positions",
    "get_fills",
    "get_order",
    "get_orders",
    "get_portfolio_history",
    "get_positions",
    "get_settlements",
    "get_withdrawals",
]
