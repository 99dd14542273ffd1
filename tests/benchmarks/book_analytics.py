"""How fast the order-book analytics are: 10,000 books of 50 levels.

Run ``python tests/benchmarks/book_analytics.py``. It prints the best of three runs of
each function and, for `quotes`, the same numbers by a plain per-book pandas loop
(``groupby().apply`` on a tenth of the books, scaled), after checking that both agree.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd

from kalshi_research import book as kb

BOOKS, LEVELS, TARGET = 10_000, 50, 0.5


def made_up_books(books: int) -> pd.DataFrame:
    """Two-sided books with one tick between neighbours, in the frame's own layout."""
    rng = np.random.default_rng(7)
    half = LEVELS // 2
    rows = books * LEVELS
    side = np.tile(np.repeat([0, 1], half), books)
    level = np.tile(np.arange(half), 2 * books)
    best_bid = np.repeat(rng.integers(2600, 7300, books), LEVELS)
    ticks = np.where(side == 0, best_bid - 100 * level, best_bid + 200 + 100 * level)
    names = [f"KXBENCH-{at:05d}" for at in range(books)]
    return kb.cumulative(
        pd.DataFrame(
            {
                "ticker": pd.Categorical.from_codes(np.repeat(np.arange(books), LEVELS), names),
                "side": pd.Categorical.from_codes(side, ["bid", "ask"]),
                "price": ticks / 10_000,
                "quantity": rng.integers(1, 1_000_000, rows) / 100,
            }
        )
    )


def one_book(levels: pd.DataFrame) -> pd.Series:
    """What a notebook does with one book."""
    bids, asks = levels[levels["side"] == "bid"], levels[levels["side"] == "ask"]
    bid, ask = bids.loc[bids["price"].idxmax()], asks.loc[asks["price"].idxmin()]
    return pd.Series(
        {
            "yes_bid": bid["price"],
            "yes_bid_size": bid["quantity"],
            "yes_ask": ask["price"],
            "yes_ask_size": ask["quantity"],
            "spread": ask["price"] - bid["price"],
            "mid": (ask["price"] + bid["price"]) / 2,
        }
    )


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
    books = made_up_books(BOOKS)
    print(f"{BOOKS:,} books × {LEVELS} levels = {len(books):,} rows")
    shuffled = books.sample(frac=1, random_state=1)
    jobs: dict[str, Callable[[], object]] = {
        "quotes": lambda: kb.quotes(books),
        "quotes, rows shuffled": lambda: kb.quotes(shuffled),
        "spread": lambda: kb.spread(books),
        "no_view": lambda: kb.no_view(books),
        "cumulative": lambda: kb.cumulative(books),
        "depth_curve": lambda: kb.depth_curve(books),
        "depth_within": lambda: kb.depth_within(books, dollars=0.05),
        "imbalance": lambda: kb.imbalance(books, levels=5),
        "book_notional": lambda: kb.book_notional(books),
        "fill_cost": lambda: kb.fill_cost(books, "yes", 10),
    }
    for name, job in jobs.items():
        print(f"  {name:<24} {seconds(job) * 1000:8.1f} ms")
    some = books[books["ticker"].cat.codes < BOOKS // 10].copy()
    some["ticker"] = some["ticker"].cat.remove_unused_categories()
    loop = some.groupby("ticker", observed=True)[["side", "price", "quantity"]].apply(one_book)
    ours = kb.quotes(some)[loop.columns]
    assert np.allclose(loop.to_numpy(), ours.to_numpy(), rtol=0, atol=1e-12)
    grouped = some.groupby("ticker", observed=True)[["side", "price", "quantity"]]
    slow = seconds(lambda: grouped.apply(one_book), repeats=1) * 10
    fast = seconds(jobs["quotes"])
    print(f"  per-book pandas          {slow * 1000:8.0f} ms  = {slow / fast:,.0f} × quotes")
    print(f"quotes in {fast:.3f} s: target {TARGET} s {'met' if fast < TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
