"""Market microstructure: what trading costs, how prices answer, how books recover.

=========================  ===================================  ===================================
function                   estimates                            after
=========================  ===================================  ===================================
`quoted_spread`            ask − bid over time                  —
`effective_spread`         2 q (p − m)                          Huang and Stoll (1996)
`spread_decomposition`     realised spread and price impact     Huang and Stoll (1996)
`trade_spreads`            the same, trade by trade             Huang and Stoll (1996)
`roll_spread`              2 √(−autocovariance)                 Roll (1984)
`glosten_harris`           z₀, z₁, c₀, c₁                       Glosten and Harris (1988)
`kyle_lambda`              Δm on signed volume                  Kyle (1985)
`order_flow_imbalance`     e of each change of the touch        Cont, Kukanov and Stoikov (2014)
`ofi_regression`           Δm on Σ e                            Cont, Kukanov and Stoikov (2014)
`impact_curve`             q (m′ − m) by size and horizon       Bouchaud et al. (2004)
`volatility_signature`     realised variance by interval        Andersen et al. (2000)
`vpin`                     one-sidedness of volume              Easley et al. (2012)
`depth_resilience`         depth missing after large orders     Degryse et al. (2005)
=========================  ===================================  ===================================

Prices are dollars of the YES leg; seen from the NO leg every spread, λ and speed is the same. The
tables all have the columns that `effective_spread` describes, so that they can be put together
with ``pd.concat``.
"""

from __future__ import annotations

from kalshi_research.analysis.impact import (
    impact_curve,
    kyle_lambda,
    ofi_regression,
    order_flow_imbalance,
)
from kalshi_research.analysis.price_models import glosten_harris, roll_spread
from kalshi_research.analysis.resilience import depth_resilience
from kalshi_research.analysis.spreads import (
    effective_spread,
    quoted_spread,
    spread_decomposition,
    trade_spreads,
)
from kalshi_research.analysis.toxicity import vpin
from kalshi_research.analysis.volatility import volatility_signature

__all__ = [
    "depth_resilience",
    "effective_spread",
    "glosten_harris",
    "impact_curve",
    "kyle_lambda",
    "ofi_regression",
    "order_flow_imbalance",
    "quoted_spread",
    "roll_spread",
    "spread_decomposition",
    "trade_spreads",
    "volatility_signature",
    "vpin",
]
