"""How fast the analysis of a tape is: 645,322 trades in 3,148 markets.

Run ``python tests/benchmarks/tape.py [trades.parquet]``. Without a file it makes up trades of
that number and shape. It prints the best of three runs of each function and, for taker orders
and hourly bars, the same by ``groupby().apply`` (on a twentieth of the markets, scaled), after
checking that both agree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd

from kalshi_research import analysis as ka
from kalshi_research.files import read_trades

TRADES, MARKETS, SHARE = 645_322, 3_148, 20


def made_up_trades() -> pd.DataFrame:
    """Orders of one to a dozen fills that walk up or down by cents, listed in no order."""
    rng = np.random.default_rng(7)
    fills = np.minimum(rng.geometric(1 / 1.577, TRADES), 12)
    order = np.repeat(np.arange(fills.size), fills)[:TRADES]
    nth = np.arange(TRADES) - np.searchsorted(order, order)
    buys_yes = rng.random(fills.size) < 0.55
    touch = rng.integers(15, 85, fills.size)
    cents = touch[order] + np.where(buys_yes[order], 1, -1) * (nth * rng.random(TRADES)).astype(int)
    begin = pd.Timestamp("2024-08-15T14:00Z").value // 1000
    micros = begin + np.sort(rng.integers(0, 260 * 86_400_000_000, fills.size))
    # A dozen strikes a day, some of them much busier than others.
    market = np.arange(fills.size) * (MARKETS // 12) // fills.size * 12 + rng.zipf(1.3, fills.size) % 12
    names = pd.Series([f"KXBENCH-{at:04d}" for at in range(MARKETS)])
    ids = rng.permutation(TRADES)
    frame = pd.DataFrame(
        {
            "trade_id": pd.Series([f"{at:032x}" for at in ids], dtype="str"),
            "ticker": names.take(market[order]).array,
            "yes_price": np.clip(cents, 1, 99) / 100,
            "no_price": (100 - np.clip(cents, 1, 99)) / 100,
            "quantity": rng.integers(1, 300, TRADES).astype(float),
            "taker_side": np.where(buys_yes[order], "yes", "no"),
        },
        index=pd.DatetimeIndex(micros[order].view("M8[us]"), name="time").tz_localize("UTC"),
    )
    return frame.iloc[np.lexsort((ids, frame.index.asi8))]


def made_up_quotes(trades: pd.DataFrame) -> pd.DataFrame:
    """A quote a moment before each trade."""
    price = trades["yes_price"].to_numpy()
    quotes = pd.DataFrame(
        {"ticker": trades["ticker"].array, "yes_bid": price - 0.01, "yes_ask": price},
        index=trades.index - pd.Timedelta(milliseconds=5),
    )
    return quotes.round(2)


def one_order(fills: pd.DataFrame) -> pd.Series:
    """What a notebook does with the fills of one order."""
    ordered = fills.sort_values("yes_price", ascending=fills["taker_side"].iloc[0] == "yes")
    price, quantity = ordered["yes_price"], ordered["quantity"]
    return pd.Series(
        {
            "fills": len(ordered),
            "levels": price.nunique(),
            "quantity": quantity.sum(),
            "vwap": (price * quantity).sum() / quantity.sum(),
            "first_price": price.iloc[0],
            "last_price": price.iloc[-1],
        }
    )


def one_bar(fills: pd.DataFrame) -> pd.Series:
    """What a notebook does with the trades of one hour, once they are in the order of the tape."""
    price, quantity = fills["yes_price"], fills["quantity"]
    return pd.Series(
        {
            "open": price.iloc[0],
            "high": price.max(),
            "low": price.min(),
            "close": price.iloc[-1],
            "vwap": (price * quantity).sum() / quantity.sum(),
            "volume": quantity.sum(),
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


def compared(
    name: str, some: pd.DataFrame, slow: Callable[[], pd.DataFrame], fast: Callable[[], pd.DataFrame]
) -> None:
    """Both ways on a part of the trades: that they agree, and how much faster one is."""
    begin = perf_counter()
    loop = slow()
    spent = perf_counter() - begin
    ours = fast()[loop.columns]
    assert np.allclose(loop.to_numpy(), ours.to_numpy(), rtol=0, atol=1e-9)
    quick = seconds(fast)
    print(
        f"  {name:<32} {spent * 1000:9.0f} ms  by groupby-apply, {quick * 1000:7.1f} ms here: "
        f"{spent / quick:,.0f} × ({len(some):,} trades)"
    )


def main() -> None:
    """Print the table."""
    trades = read_trades(sys.argv[1]) if len(sys.argv) > 1 else made_up_trades()
    quotes = made_up_quotes(trades)
    print(f"{len(trades):,} trades in {trades['ticker'].nunique():,} markets")
    jobs: dict[str, Callable[[], pd.DataFrame]] = {
        "tape_order": lambda: ka.tape_order(trades),
        "parent_orders": lambda: ka.parent_orders(trades),
        "time_bars 1h": lambda: ka.time_bars(trades, "1h"),
        "time_bars 1min, without empty": lambda: ka.time_bars(trades, "1min", empty=False),
        "volume_bars 1,000 contracts": lambda: ka.volume_bars(trades, 1000),
        "trade_bars 100": lambda: ka.trade_bars(trades, 100),
        "tick_rule": lambda: ka.tick_rule(trades),
        "join_quotes, a quote a trade": lambda: ka.join_quotes(trades, quotes),
        "quote_rule": lambda: ka.quote_rule(trades, quotes),
        "trading_fees": lambda: ka.trading_fees(trades),
        "trading_fees by parent order": lambda: ka.trading_fees(trades, order="parent"),
    }
    for name, job in jobs.items():
        print(f"  {name:<32} {seconds(job) * 1000:9.1f} ms  {len(job()):>9,} rows")
    chosen = pd.Index(sorted(trades["ticker"].unique())[::SHARE])
    some = ka.tape_order(trades[trades["ticker"].isin(chosen)])
    by_order = [some.index, "ticker", "taker_side"]
    compared(
        "parent_orders",
        some,
        lambda: some.groupby(by_order)[["yes_price", "quantity", "taker_side"]].apply(one_order),
        lambda: ka.parent_orders(some),
    )
    hour = pd.Series(some.index.ceil("h"), index=some.index)
    compared(
        "time_bars 1h",
        some,
        lambda: some.groupby([hour, "ticker"])[["yes_price", "quantity"]].apply(one_bar),
        lambda: ka.time_bars(some, "1h", empty=False),
    )


if __name__ == "__main__":
    main()
