"""The WebSocket of the simulated exchange.

A connection is a `session`; all sessions share one `hub`, which turns what the engine reports
into frames, each encoded once however many are listening. `source` is all it asks of the rest.
"""

from __future__ import annotations

from kalshi_research.sandbox.stream.options import StreamOptions

__all__ = ["StreamOptions"]
