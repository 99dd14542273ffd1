"""The engine's terms of a market of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.fees import fee_terms
from kalshi_research.sandbox.engine import MarketSpec

if TYPE_CHECKING:
    from kalshi_research.sandbox.world import MarketSpec as WorldMarket

__all__ = ["terms_of"]


def terms_of(known: WorldMarket) -> MarketSpec:
    """What the engine has to know of a market before anybody trades in it."""
    series = known.event.series
    return MarketSpec(
        known.ticker,
        known.event.ticker,
        known.opens,
        known.closes,
        known.structure.grid,
        fee_terms(
            series.fee_type,
            series.fee_multiplier,
            multiplier_override=known.event.fee_multiplier_override,
        ),
        settlement_timer=max(known.settled - known.determined, 0),
        shard=series.shard,
    )
