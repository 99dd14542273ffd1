"""Simulated markets with planted parameters, as frames: what estimators must find again.

Nothing here comes from the toolkit. Each maker takes a seed and the step of the price grid
[dollars], draws a market from the model of a paper, rounds what an exchange rounds, and returns
the frames together with the parameters it was made with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb

import numpy as np
import pandas as pd

BEGIN = pd.Timestamp("2026-11-20T15:00Z").value // 1000
CENT, FINE = 0.01, 0.0001


@dataclass(frozen=True)
class Planted:
    """Frames of a simulated market, and the truth about it."""

    truth: dict[str, float]
    trades: pd.DataFrame = field(default_factory=pd.DataFrame)
    quotes: pd.DataFrame = field(default_factory=pd.DataFrame)


def times(seconds: np.ndarray) -> pd.DatetimeIndex:
    micros = BEGIN + np.rint(np.asarray(seconds) * 1e6).astype(np.int64)
    return pd.DatetimeIndex(micros.view("M8[us]"), name="time").tz_localize("UTC")


def on_grid(price: np.ndarray, step: float) -> np.ndarray:
    """To the nearest price of the grid inside 0–1, as the double nearest to its decimal."""
    inside = np.clip(np.rint(price / step), 1, round(1 / step) - 1)
    return np.round(inside * step, 4)


def trades_of(
    seconds: np.ndarray,
    price: np.ndarray,
    sign: np.ndarray,
    quantity: np.ndarray | float = 1.0,
    ticker: object = "T",
) -> pd.DataFrame:
    side = np.where(sign > 0, "yes", "no")
    columns = {"ticker": ticker, "yes_price": price, "quantity": quantity, "taker_side": side}
    return pd.DataFrame(columns, index=times(seconds))


def quotes_of(
    seconds: np.ndarray, mid: np.ndarray, width: np.ndarray | float, step: float, ticker: object = "T"
) -> pd.DataFrame:
    """Quotes around a mid: the bid is rounded, the ask keeps its distance."""
    bid = on_grid(mid - np.asarray(width) / 2, step)
    ask = np.round(bid + on_grid(np.asarray(width), step), 4)
    return pd.DataFrame({"ticker": ticker, "yes_bid": bid, "yes_ask": ask}, index=times(seconds))


def coins(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n)


# What orders cost


def bouncing(seed: int, step: float, n: int = 1500, spread: float = 0.034) -> Planted:
    """Roll: a random walk, and trades that fall on bid or ask as a coin does."""
    rng = np.random.default_rng([1, seed])
    value = 0.5 + np.cumsum(rng.normal(0, 0.003, n))
    sign = coins(rng, n)
    trades = trades_of(np.arange(n) * 7.0, on_grid(value + sign * spread / 2, step), sign)
    return Planted({"roll_spread": spread}, trades)


def informed(seed: int, step: float, n: int = 2500) -> Planted:
    """Glosten and Harris: part of what an order pays stays in the price, by its size."""
    rng = np.random.default_rng([2, seed])
    z0, z1, c0, c1 = 0.001, 0.000_01, 0.008, 0.000_04
    size = rng.choice([20.0, 100.0, 300.0], n, p=[0.5, 0.3, 0.2])
    sign = coins(rng, n)
    value = 0.5 + np.cumsum((z0 + z1 * size) * sign + rng.normal(0, 0.001, n))
    price = value + (c0 + c1 * size) * sign
    trades = trades_of(np.arange(n) * 7.0, on_grid(price, step), sign, size)
    mean = 0.5 * 20 + 0.3 * 100 + 0.2 * 300
    share = (z0 + z1 * mean) / (z0 + z1 * mean + c0 + c1 * mean)
    return Planted({"z0": z0, "z1": z1, "c0": c0, "c1": c1, "adverse_share": share}, trades)


def decaying(seed: int, step: float, seconds: int = 14_400) -> Planted:
    """Quotes every second; what a trade moves them by half stays, half fades.

    The spread has two states that last; the trades come at half seconds and see the quote
    before. They move the quotes from the next full second on.
    """
    rng = np.random.default_rng([3, seed])
    stays, fades, keep = 0.003, 0.006, np.exp(-1 / 40)
    wide, change = (0.02, 0.06), 1 / 30
    state = (np.cumsum(rng.random(seconds) < change) + rng.integers(2)) % 2
    width = np.array(wide)[state]
    at = np.flatnonzero(rng.random(seconds - 1) < 1 / 12)
    sign = coins(rng, at.size)
    push = np.zeros(seconds)
    push[at + 1] = sign
    fading = np.empty(seconds)
    left = 0.0
    for second, hit in enumerate(push.tolist()):
        left = left * keep + hit * fades
        fading[second] = left
    mid = 0.5 + stays * np.cumsum(push) + fading + np.cumsum(rng.normal(0, 1e-4, seconds))
    quotes = quotes_of(np.arange(seconds), mid, width, step)
    price = np.where(sign > 0, quotes["yes_ask"].to_numpy()[at], quotes["yes_bid"].to_numpy()[at])
    trades = trades_of(at + 0.5, price, sign)
    truth = {"effective_spread": sum(wide) / 2}
    for horizon in (10, 60):
        impact = 2 * (stays + fades * keep ** (horizon - 1))
        truth[f"price_impact {horizon}s"] = impact
        truth[f"realised_spread {horizon}s"] = sum(wide) / 2 - impact
    return Planted(truth, trades, quotes)


def many_events(seed: int, step: float, events: int = 40, strikes: int = 3, n: int = 30) -> Planted:
    """Events whose strikes share how wide they are quoted."""
    rng = np.random.default_rng([4, seed])
    width = 0.03 + rng.uniform(-0.02, 0.02, events)
    event = np.repeat(np.arange(events), strikes * n)
    strike = np.tile(np.repeat(np.arange(strikes), n), events)
    mid = rng.uniform(0.3, 0.7, event.size)
    sign = coins(rng, event.size)
    trades = trades_of(np.tile(np.arange(n) * 60.0, events * strikes), np.zeros(event.size), sign)
    half = width[event] / 2 + rng.normal(0, 0.002, event.size)
    bid, ask = on_grid(mid - half, step), on_grid(mid + half, step)
    trades["ticker"] = [f"E{e:02}-{s}" for e, s in zip(event, strike, strict=True)]
    trades["event_ticker"] = [f"E{e:02}" for e in event]
    trades["yes_bid"], trades["yes_ask"] = bid, ask
    trades["yes_price"] = np.where(sign > 0, ask, bid)
    return Planted({"effective_spread": 0.03}, trades)


def sized(seed: int, step: float, n: int = 1500) -> Planted:
    """Orders that are larger where the spread is narrow, each filled in one to three parts."""
    rng = np.random.default_rng([12, seed])
    narrow, sign, fills = rng.random(n) < 0.5, coins(rng, n), rng.integers(1, 4, n)
    width = np.where(narrow, 0.02, 0.06)
    size = np.where(narrow, 240.0, 120.0) * rng.choice([0.5, 1.5], n)
    bid = on_grid(rng.uniform(0.3, 0.7, n), step)
    ask = np.round(bid + width, 4)
    order = np.repeat(np.arange(n), fills)
    price = np.where(sign > 0, ask, bid)[order]
    trades = trades_of(order * 7.0, price, sign[order], (size / fills)[order])
    trades["yes_bid"], trades["yes_ask"] = bid[order], ask[order]
    return Planted({"effective_spread": (0.02 * 240 + 0.06 * 120) / (240 + 120)}, trades)


# What orders do to prices


def moved_by_flow(seed: int, step: float, minutes: int = 600) -> Planted:
    """Kyle: every contract bought on balance moves the mid by λ; news moves it too."""
    rng = np.random.default_rng([5, seed])
    slope, small, large = 0.000_05, 20.0, 100.0
    n = 3 * minutes
    when = np.sort(rng.choice(np.arange(1, minutes * 60 - 1), n, replace=False)) + 0.5
    size = np.where(rng.random(n) < 0.7, small, large)
    sign = coins(rng, n)
    news_at = np.arange(minutes * 60)
    news = rng.normal(0, 0.0003, news_at.size)
    quoted_at = np.concatenate((news_at, when))
    move = np.concatenate((news, slope * size * sign))
    order = np.argsort(quoted_at, kind="stable")
    mid = 0.5 + np.cumsum(move[order])
    quotes = quotes_of(quoted_at[order], mid, 0.02, step)
    before = np.flatnonzero(order >= news_at.size) - 1
    price = np.where(
        sign > 0, quotes["yes_ask"].to_numpy()[before], quotes["yes_bid"].to_numpy()[before]
    )
    truth = {"lambda": slope, "impact 0": slope * small, "impact 50": slope * large}
    return Planted(truth, trades_of(when, price, sign, size), quotes)


def strikes_of_events(seed: int, step: float, events: int = 40, strikes: int = 3) -> Planted:
    """The same for many short markets; the strikes of an event have their flow and news together."""
    rng = np.random.default_rng([6, seed])
    slope, minutes = 0.000_05, 25
    trades, quotes = [], []
    for event in range(events):
        flow, news = rng.normal(0, 80, minutes), rng.normal(0, 0.004, minutes)
        for strike in range(strikes):
            ticker = f"E{event:02}-{strike}"
            mine = np.rint(flow + rng.normal(0, 20, minutes))
            mine[mine == 0] = 1
            move = slope * mine + news + rng.normal(0, 0.001, minutes)
            mid = 0.5 + np.append(0.0, np.cumsum(move))
            start = np.arange(minutes) * 60.0
            quotes.append(quotes_of(np.append(0.0, start + 31), mid, 0.02, step, ticker))
            price = on_grid(mid[:-1] + 0.01 * np.sign(mine), step)
            trades.append(trades_of(start + 30, price, np.sign(mine), np.abs(mine), ticker))
            quotes[-1].loc[times(np.array([minutes * 60.0]))[0]] = quotes[-1].iloc[-1]
    together = pd.concat(trades)
    together["event_ticker"] = together["ticker"].str.split("-").str[0]
    return Planted({"lambda": slope}, together, pd.concat(quotes))


def queues(seed: int, step: float, n: int = 20_000, depth: int = 200, lot: int = 20) -> Planted:
    """A book with the same depth at every price: orders fill and empty the queues at the touch.

    Liquidity on each side is a length in contracts. Whole depths of it are prices, the rest is the
    queue at the best one; a price is left when its queue is empty, and bettered when it is full. So
    a contract of flow is worth half a step over the depth.
    """
    rng = np.random.default_rng([7, seed])
    least, most = 2 * depth, 5 * depth
    middle = round(0.5 / step) * depth
    bid, ask = middle - depth - depth // 2, middle + depth + depth // 2
    bids, asks = np.empty(n), np.empty(n)
    hits, ups = (rng.random(n) < 0.5).tolist(), (rng.random(n) < 0.5).tolist()
    for event, (is_bid, up) in enumerate(zip(hits, ups, strict=True)):
        move = lot if up else -lot
        wide = ask - bid + (-move if is_bid else move)
        if is_bid:
            bid += move if least <= wide <= most else -move
        else:
            ask += move if least <= wide <= most else -move
        bids[event], asks[event] = bid, ask
    bid_level, ask_level = np.ceil(bids / depth) - 1, np.floor(asks / depth) + 1
    quotes = pd.DataFrame(
        {
            "ticker": "T",
            "yes_bid": np.round(bid_level * step, 4),
            "yes_bid_size": bids - bid_level * depth,
            "yes_ask": np.round(ask_level * step, 4),
            "yes_ask_size": ask_level * depth - asks,
        },
        index=times(np.arange(n) * 0.5),
    )
    return Planted({"slope": step / (2 * depth)}, quotes=quotes)


def noisy(seed: int, step: float, seconds: int = 14_400) -> Planted:
    """A random walk seen through noise that does not last; rounding is noise of a known size."""
    rng = np.random.default_rng([8, seed])
    walk, noise = 0.0008, 0.006
    mid = 0.5 + np.cumsum(rng.normal(0, walk, seconds)) + rng.normal(0, noise, seconds)
    quotes = quotes_of(np.arange(seconds), mid, 0.02, step)
    lasting, passing = 3600 * walk**2, 2 * 3600 * (noise**2 + step**2 / 12)
    truth = {f"realised_variance {d}s": lasting + passing / d for d in (1, 30, 300)}
    return Planted(truth, quotes=quotes)


def one_sided(seed: int, step: float, buckets: int = 300, orders: int = 10) -> Planted:
    """Orders of one size, more of them for YES; a bucket takes a fixed number of them."""
    rng = np.random.default_rng([9, seed])
    share, n = 0.7, buckets * orders
    sign = np.where(rng.random(n) < share, 1.0, -1.0)
    price = on_grid(rng.uniform(0.3, 0.7, n), step)
    chances = [comb(orders, k) * share**k * (1 - share) ** (orders - k) for k in range(orders + 1)]
    truth = sum(chance * abs(2 * k - orders) / orders for k, chance in enumerate(chances))
    return Planted({"vpin": truth}, trades_of(np.arange(n) * 20.0, price, sign, 50.0))


def unsigned(seed: int, step: float, n: int = 1000) -> Planted:
    """One trade a minute at normal price changes: in bulk, the share of YES is uniform on 0–1."""
    rng = np.random.default_rng([10, seed])
    move = rng.normal(0, 0.005, n)
    price = 0.5 + np.cumsum(move)
    trades = trades_of(np.arange(n) * 60.0 + 30, on_grid(price, step), coins(rng, n), 50.0)
    return Planted({"vpin": 0.5}, trades)


def refilling(seed: int, step: float, orders: int = 150) -> Planted:
    """Depth that returns to its mean at a rate κ, with noise, and large orders far apart."""
    rng = np.random.default_rng([11, seed])
    rate, mean = 0.06, 3000.0
    gaps = rng.integers(150, 250, orders)
    at = np.cumsum(gaps)
    seconds = int(at[-1]) + 200
    size = np.rint(rng.uniform(600, 1800, orders))
    sign = coins(rng, orders)
    depth = np.full((2, seconds), mean)
    taken = np.zeros((2, seconds))
    taken[(sign > 0).astype(int), at] = size
    shocks = rng.normal(0, 40, (2, seconds))
    for side in (0, 1):
        level = mean
        for second, (less, shock) in enumerate(
            zip(taken[side].tolist(), shocks[side].tolist(), strict=True)
        ):
            level = mean + (level - mean) * np.exp(-rate) + shock - less
            depth[side, second] = level
    quotes = pd.DataFrame(
        {"ticker": "T", "yes_depth": np.round(depth[0], 2), "no_depth": np.round(depth[1], 2)},
        index=times(np.arange(seconds)),
    )
    small_at = rng.choice(np.setdiff1d(np.arange(seconds), at), 9 * orders, replace=False)
    when = np.concatenate((at, small_at))
    quantity = np.concatenate((size, rng.integers(1, 50, small_at.size)))
    signs = np.concatenate((sign, coins(rng, small_at.size)))
    trades = trades_of(when, on_grid(np.full(when.size, 0.5), step), signs, quantity).sort_index()
    truth = {
        "shortfall 5s": float(np.exp(-rate * 5)),
        "shortfall 20s": float(np.exp(-rate * 20)),
        "speed 20s": rate,
    }
    return Planted(truth, trades, quotes)
