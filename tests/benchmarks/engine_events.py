"""Requests a second through the public calls of the matching engine.

Twenty accounts trade fifty markets around a moving price: 55 % of the requests create an order,
35 % cancel one, 5 % amend and 5 % decrease one; accepted or refused, each counts as one. Collateral,
fees, self-trade prevention, client order ids, history and events are on, and the events are drained
after every request, as a server does.

The requests are drawn before the clock runs, and do not depend on the engine's answers except
that a cancel names an order that the same account created earlier.

    python tests/benchmarks/engine_events.py [--requests N] [--seed S] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import multiprocessing
import platform
import pstats
import random
import statistics
import time
from collections import Counter, defaultdict

from kalshi_research.sandbox.engine import Engine, MarketSpec, Rejection

ACCOUNTS = 20
MARKETS = 50
CASH = 20_000 * 1_000_000

Request = tuple[str, str, str, str, int, int, str, float]


def requests(count: int, seed: int) -> list[Request]:
    """(action, user, ticker, side, price, count, time in force, which of the earlier orders)."""
    rng = random.Random(seed)
    users = [f"user-{n}" for n in range(ACCOUNTS)]
    tickers = [f"BENCH-{n}" for n in range(MARKETS)]
    middle = dict.fromkeys(tickers, 50)
    drawn = []
    for _ in range(count):
        ticker = rng.choice(tickers)
        if rng.random() < 0.02:
            middle[ticker] = min(90, max(10, middle[ticker] + rng.choice((-1, 1))))
        side = rng.choice(("bid", "ask"))
        # Half a dozen cents around the middle; about one in five is priced to trade.
        away = int(rng.expovariate(0.35)) + 1 - (3 if rng.random() < 0.2 else 0)
        cents = middle[ticker] - away if side == "bid" else middle[ticker] + away
        price = min(99, max(1, cents)) * 100
        size = rng.choice((100, 500, 1_000, 2_500, 10_000, rng.randrange(1, 5_000)))
        roll = rng.random()
        action = (
            "create"
            if roll < 0.55
            else "cancel"
            if roll < 0.90
            else "amend"
            if roll < 0.95
            else "decrease"
        )
        tif = "immediate_or_cancel" if rng.random() < 0.1 else "good_till_canceled"
        drawn.append((action, rng.choice(users), ticker, side, price, size, tif, rng.random()))
    return drawn


def run(drawn: list[Request]) -> tuple[float, Counter[str], Engine]:
    """Seconds, outcomes, and the engine after it."""
    gc.collect()
    gc.freeze()  # the drawn requests are no part of the engine
    engine = Engine(now=0, seed=1)
    for number in range(MARKETS):
        engine.create_market(MarketSpec(f"BENCH-{number}", "BENCH", 0, 10**15))
    for number in range(ACCOUNTS):
        engine.create_user(f"user-{number}", cash=CASH)
    mine: dict[str, list[tuple[str, str, str]]] = {f"user-{n}": [] for n in range(ACCOUNTS)}
    refused: dict[tuple[str, str], int] = defaultdict(int)
    events = 0
    ids = [f"client-{n}" for n in range(len(drawn))]
    submit, cancel, amend, decrease = engine.submit, engine.cancel, engine.amend, engine.decrease
    drain = engine.drain
    started = time.perf_counter()
    for (action, user, ticker, side, price, size, tif, which), name in zip(drawn, ids, strict=True):
        orders = mine[user]
        try:
            if action == "create" or not orders:
                receipt = submit(
                    user, ticker, side, price, size, time_in_force=tif, client_order_id=name
                )
                order_id = receipt.order.order_id
                if receipt.remaining:
                    orders.append((order_id, ticker, side))
            elif action == "cancel":
                # Swapping with the last keeps the removal from costing more than the request.
                at = int(which * len(orders))
                orders[at], orders[-1] = orders[-1], orders[at]
                cancel(user, orders.pop()[0])
            else:
                order_id, where, kind = orders[int(which * len(orders))]
                if action == "amend":
                    amend(user, order_id, ticker=where, side=kind, price=price, count=size)
                else:
                    decrease(user, order_id, reduce_by=100)
        except Rejection as rejection:
            refused[action, rejection.code] += 1
        events += len(drain())
    seconds = time.perf_counter() - started
    outcome = Counter({f"{action} refused, {code}": n for (action, code), n in refused.items()})
    outcome["events told"] = events
    return seconds, outcome, engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    drawn = requests(arguments.requests, arguments.seed)
    if arguments.profile:
        with cProfile.Profile() as profile:
            run(drawn)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    mix = Counter(request[0] for request in drawn)
    print(f"Python {platform.python_version()}, {ACCOUNTS} accounts, {MARKETS} markets")
    print("mix: " + ", ".join(f"{name} {n / len(drawn):.1%}" for name, n in mix.most_common()))
    # Each run has a process of its own: what an earlier one left in memory slows the next.
    context = multiprocessing.get_context("fork")
    times = []
    for _ in range(arguments.repeat):
        with context.Pool(1) as pool:
            seconds, outcome, trades, resting = pool.apply(measured, (drawn,))
        times.append(seconds)
        each = 1e6 * seconds / len(drawn)
        print(f"{len(drawn) / seconds:>10,.0f} requests/s   ({each:.2f} µs each)")
    print(f"median {len(drawn) / statistics.median(times):,.0f}, best {len(drawn) / min(times):,.0f}")
    print(f"trades {trades:,}, orders resting at the end {resting:,}")
    for name, number in outcome.most_common():
        print(f"  {name}: {number:,}")


def measured(drawn: list[Request]) -> tuple[float, Counter[str], int, int]:
    """`run`, with what can be handed to another process."""
    seconds, outcome, engine = run(drawn)
    trades = sum(len(market.trades) for market in engine.markets.values())
    resting = sum(len(w.resting) for m in engine.members.values() for w in m.wallets.values())
    return seconds, outcome, trades, resting


if __name__ == "__main__":
    main()
