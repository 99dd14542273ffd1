"""Panels for JupyterLab. Views only: what they know and decide stands in models without a screen."""

from __future__ import annotations

from kalshi_research.panels.book_panel import BookPanel
from kalshi_research.panels.desk import Desk
from kalshi_research.panels.market_browser import MarketBrowser
from kalshi_research.panels.order_panel import OrderPanel
from kalshi_research.panels.portfolio_panel import PortfolioPanel

__all__ = ["BookPanel", "Desk", "MarketBrowser", "OrderPanel", "PortfolioPanel"]
