"""How fast microstructure is estimated: 500,000 trades and a million quotes in 1,000 markets.

Run ``python tests/benchmarks/microstructure.py``. It prints the best of three runs of each
function, and for the effective spread the same by ``merge_asof`` and ``groupby`` (which has no
standard errors), after checking that both agree.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd

from kalshi_research.analysis import join_quotes
from kalshi_research.analysis import microstructure as ms

TRADES, QUOTES, MARKETS = 500_000, 1_000_000, 1_000
DAY = 86_400_000_000


def made_up(seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A day of markets, some of them much busier than others."""
    rng = np.random.default_rng(seed)
    names = np.array([f"KXBENCH-{at:04d}" for at in range(MARKETS)])
    begin = pd.Timestamp("2026-11-20T00:00Z").value // 1000

    def drawn(n: int) -> tuple[pd.DatetimeIndex, np.ndarray]:
        micros = begin + np.sort(rng.integers(0, DAY, n))
        index = pd.DatetimeIndex(micros.view("M8[us]"), name="time").tz_localize("UTC")
        return index, names[(MARKETS * rng.random(n) ** 2).astype(int)]

    index, ticker = drawn(QUOTES)
    bid = rng.integers(20, 70, QUOTES)
    wide = rng.integers(1, 6, QUOTES)
    sizes = {f"yes_{side}_size": rng.integers(1, 500, QUOTES).astype(float) for side in ("bid", "ask")}
    prices = {"yes_bid": bid / 100, "yes_ask": (bid + wide) / 100}
    quotes = pd.DataFrame({"ticker": ticker, **prices, **sizes}, index=index)
    index, ticker = drawn(TRADES)
    trades = pd.DataFrame(
        {
            "ticker": ticker,
            "yes_price": rng.integers(20, 75, TRADES) / 100,
            "quantity": rng.integers(1, 300, TRADES).astype(float),
            "taker_side": rng.choice(["yes", "no"], TRADES),
        },
        index=index,
    )
    return trades, quotes.astype({"ticker": "category"})


def by_hand(trades: pd.DataFrame, quotes: pd.DataFrame) -> pd.Series:
    """The mean effective spread of each market, as a notebook computes it."""
    left = trades.reset_index().astype({"ticker": "str"})
    right = quotes.reset_index().astype({"ticker": "str"})
    joined = pd.merge_asof(left, right, on="time", by="ticker", allow_exact_matches=False)
    sign = np.where(joined["taker_side"] == "yes", 2, -2)
    joined["paid"] = sign * (joined["yes_price"] - (joined["yes_bid"] + joined["yes_ask"]) / 2)
    return joined.groupby("ticker")["paid"].mean()


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The best of a few runs."""
    times = []
    for _ in range(repeats):
        begin = perf_counter()
        work()
        times.append(perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print the table."""
    trades, quotes = made_up()
    joined = join_quotes(trades, quotes)
    print(f"{len(trades):,} trades and {len(quotes):,} quotes in {MARKETS:,} markets")
    jobs: dict[str, Callable[[], pd.DataFrame]] = {
        "join_quotes": lambda: join_quotes(trades, quotes),
        "quoted_spread": lambda: ms.quoted_spread(quotes),
        "trade_spreads": lambda: ms.trade_spreads(joined, quotes),
        "effective_spread": lambda: ms.effective_spread(joined),
        "effective_spread, pooled": lambda: ms.effective_spread(joined, by=None),
        "spread_decomposition": lambda: ms.spread_decomposition(joined, quotes),
        "impact_curve, 4 sizes": lambda: ms.impact_curve(joined, quotes, sizes=[10, 50, 200]),
        "roll_spread": lambda: ms.roll_spread(trades),
        "glosten_harris": lambda: ms.glosten_harris(trades),
        "kyle_lambda 5min": lambda: ms.kyle_lambda(trades, quotes),
        "order_flow_imbalance": lambda: ms.order_flow_imbalance(quotes),
        "ofi_regression 1min": lambda: ms.ofi_regression(quotes, interval="1min"),
        "volatility_signature 1, 5 min": lambda: ms.volatility_signature(
            quotes, intervals=["1min", "5min"]
        ),
        "vpin 1,000 contracts": lambda: ms.vpin(trades, 1000),
        "vpin in bulk": lambda: ms.vpin(trades, 1000, sides="bulk"),
        "depth_resilience": lambda: ms.depth_resilience(trades, quotes),
    }
    for name, job in jobs.items():
        print(f"  {name:<32} {seconds(job) * 1000:9.1f} ms  {len(job()):>9,} rows")
    plain = by_hand(trades, quotes)
    ours = ms.effective_spread(joined)["estimate"]
    assert np.allclose(plain, ours, rtol=0, atol=1e-12, equal_nan=True)
    spent = seconds(lambda: by_hand(trades, quotes))
    quick = seconds(lambda: ms.effective_spread(join_quotes(trades, quotes)))
    print(
        f"  effective spread by merge_asof and groupby {spent * 1000:.0f} ms, here {quick * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
