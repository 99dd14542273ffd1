"""Synthetic makers and takers: they play what the world has drawn against real order books."""

from __future__ import annotations

from kalshi_research.sandbox.traders.options import Traders

__all__ = ["Traders"]
