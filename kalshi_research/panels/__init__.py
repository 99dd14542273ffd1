"""Panels for JupyterLab. Views only: what they know and decide stands in models without a screen."""

from __future__ import annotations

from kalshi_research.panels.book_panel import BookPanel
from kalshi_research.panels.market_browser import MarketBrowser

__all__ = ["BookPanel", "MarketBrowser"]
