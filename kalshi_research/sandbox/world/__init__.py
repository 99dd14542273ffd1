"""The made-up world a simulated exchange shows: what exists, what happened, what is true.

Nothing here knows how an exchange speaks. Prices are integers of 1/10 000
dollar, counts of 1/100 contract, instants of one microsecond.
"""

from __future__ import annotations

from kalshi_research.sandbox.world.history import Candle, MarketHistory
from kalshi_research.sandbox.world.specs import EventSpec, MarketSpec, SeriesSpec
from kalshi_research.sandbox.world.ticks import NewestFirst, Tick
from kalshi_research.sandbox.world.world import MarketState, World

__all__ = [
    "Candle",
    "EventSpec",
    "MarketHistory",
    "MarketSpec",
    "MarketState",
    "NewestFirst",
    "SeriesSpec",
    "Tick",
    "World",
]
