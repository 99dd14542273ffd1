"""Estimators put to markets with planted parameters: what they find, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import planted_markets as planted
from planted_markets import CENT, FINE, Planted

from kalshi_research.analysis import join_quotes
from kalshi_research.analysis import microstructure as ms

Found = dict[str, tuple[float, float, float]]
"""Estimate and bounds of its 95 % interval, by parameter."""


@dataclass(frozen=True)
class Case:
    """An estimator, the market it is put to, and on which price grids."""

    name: str
    market: Callable[[int, float], Planted]
    estimate: Callable[[Planted], Found]
    steps: tuple[float, ...] = (CENT, FINE)


def rows(frame: pd.DataFrame, *, label: Callable[[pd.Series], str] | None = None) -> Found:
    """A table of estimates by parameter, or by what `label` makes of a row."""
    found = {}
    for _, row in frame.iterrows():
        name = str(row["parameter"]) if label is None else label(row)
        found[name] = (float(row["estimate"]), float(row["low"]), float(row["high"]))
    return found


def by_horizon(row: pd.Series) -> str:
    horizon = row["horizon"] if "horizon" in row else row["interval"]
    return f"{row['parameter']} {round(horizon.total_seconds())}s"


def decomposition(market: Planted) -> Found:
    joined = join_quotes(market.trades, market.quotes)
    several = ms.spread_decomposition(joined, market.quotes, horizons=["10s", "60s"])
    return rows(several, label=by_horizon) | rows(ms.effective_spread(joined))


def curve(market: Planted) -> Found:
    joined = join_quotes(market.trades, market.quotes)
    found = ms.impact_curve(joined, market.quotes, horizons="5s", sizes=[50])
    return rows(found, label=lambda row: f"impact {row['size_from']:.0f}")


def last_vpin(frame: pd.DataFrame) -> Found:
    value, se = frame[["vpin", "se"]].iloc[-1]
    return {"vpin": (value, value - 1.96 * se, value + 1.96 * se)}


CASES = [
    Case("roll_spread", planted.bouncing, lambda m: rows(ms.roll_spread(m.trades))),
    Case("glosten_harris", planted.informed, lambda m: rows(ms.glosten_harris(m.trades))),
    Case("spread_decomposition", planted.decaying, decomposition),
    Case(
        "effective_spread contracts",
        planted.sized,
        lambda m: rows(ms.effective_spread(m.trades, weight="contracts")),
    ),
    Case(
        "effective_spread pooled",
        planted.many_events,
        lambda m: rows(ms.effective_spread(m.trades, by=None)),
    ),
    Case(
        "kyle_lambda",
        planted.moved_by_flow,
        lambda m: rows(ms.kyle_lambda(m.trades, m.quotes, interval="1min")),
    ),
    Case(
        "kyle_lambda pooled",
        planted.strikes_of_events,
        lambda m: rows(ms.kyle_lambda(m.trades, m.quotes, interval="1min", by=None)),
    ),
    Case("impact_curve", planted.moved_by_flow, curve),
    Case("ofi_regression", planted.queues, lambda m: rows(ms.ofi_regression(m.quotes, interval="1min"))),
    Case(
        "volatility_signature",
        planted.noisy,
        lambda m: rows(
            ms.volatility_signature(m.quotes, intervals=["1s", "30s", "5min"]), label=by_horizon
        ),
    ),
    Case("vpin", planted.one_sided, lambda m: last_vpin(ms.vpin(m.trades, 500, window=300))),
    Case(
        "vpin in bulk",
        planted.unsigned,
        lambda m: last_vpin(ms.vpin(m.trades, 50, window=100, sides="bulk", bar="1min")),
        (FINE,),
    ),
    Case(
        "depth_resilience",
        planted.refilling,
        lambda m: rows(
            ms.depth_resilience(m.trades, m.quotes, horizons=["5s", "20s"]), label=by_horizon
        ),
    ),
]


def recovery(case: Case, step: float, seeds: Iterable[int]) -> pd.DataFrame:
    """For each planted parameter: its mean estimate, bias, spread, and how often it is covered.

    A truth that differs from seed to seed is compared with the estimate of its own seed.
    """
    records = []
    for seed in seeds:
        market = case.market(seed, step)
        found = case.estimate(market)
        for name, truth in market.truth.items():
            if name in found:
                value, low, high = found[name]
                records.append((name, truth, value, low <= truth <= high))
    every = pd.DataFrame(records, columns=["parameter", "truth", "estimate", "covered"])
    error = (every["estimate"] - every["truth"]) / every["truth"].abs()
    grouped = every.assign(error=error).groupby("parameter", sort=False)
    return pd.DataFrame(
        {
            "truth": grouped["truth"].mean(),
            "estimate": grouped["estimate"].mean(),
            "bias": grouped["error"].mean(),
            "bias_se": grouped["error"].std() / np.sqrt(grouped.size()),
            "coverage": grouped["covered"].mean(),
            "seeds": grouped.size(),
        }
    )
