"""Orders, placed once: the ticket, the journal, and what changes something on the exchange."""

from __future__ import annotations

from kalshi_research.trading.rules import MarketRules
from kalshi_research.trading.terms import OrderTerms
from kalshi_research.trading.ticket import OrderTicket

__all__ = ["MarketRules", "OrderTerms", "OrderTicket"]
