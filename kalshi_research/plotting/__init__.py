"""Figures: a computed frame in, an Axes out.

Every ``plot_x(frame, *, ax=None, ...)`` draws on the given Axes and on nothing else, and
returns it; without one it makes a figure, which a notebook shows once. Units stand on
the axes, the source of the data stands under them, and what comes from a simulated
exchange is marked. YES and bids are blue and solid, NO and asks vermilion and dashed or
hollow, so the figures can be read in grey too. Times are labelled in UTC or in the zone
asked for (``tz=``); frames stay as they are. `drawn` lists what an Axes shows.
"""

from __future__ import annotations

from kalshi_research.plotting.candlesticks import plot_candlesticks
from kalshi_research.plotting.depth import plot_depth
from kalshi_research.plotting.depth_history import plot_depth_history
from kalshi_research.plotting.fee_curve import plot_fee_curve
from kalshi_research.plotting.impact import plot_impact_curve
from kalshi_research.plotting.ladder import plot_ladder
from kalshi_research.plotting.performance import plot_pnl
from kalshi_research.plotting.price import plot_price
from kalshi_research.plotting.slippage import plot_slippage
from kalshi_research.plotting.spreads import plot_spreads
from kalshi_research.plotting.summary import drawn
from kalshi_research.plotting.tape import plot_tape
from kalshi_research.plotting.volatility import plot_volatility_signature

__all__ = [
    "drawn",
    "plot_candlesticks",
    "plot_depth",
    "plot_depth_history",
    "plot_fee_curve",
    "plot_impact_curve",
    "plot_ladder",
    "plot_pnl",
    "plot_price",
    "plot_slippage",
    "plot_spreads",
    "plot_tape",
    "plot_volatility_signature",
]
