"""The connection to the exchange: signing, limits, retries, pages. Bytes and JSON, no frames."""

from __future__ import annotations

from kalshi_research.client.connecting import connect
from kalshi_research.client.pages import Outline, Page, Pages
from kalshi_research.client.session import Client

__all__ = ["Client", "Outline", "Page", "Pages", "connect"]
