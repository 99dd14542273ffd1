"""Quotes and trades of one market over its whole life, drawn around the belief.

Makers quote the belief (through the bias, if one is set) with a spread and react
to news with a delay; takers arrive at random, more of them when the market is
active; an order larger than the touch walks up the book, and the makers requote
a moment later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.history import MarketHistory, Parents, Quotes, Tape
from kalshi_research.sandbox.world.specs import MarketSpec

__all__ = ["price_ladder", "simulate"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_DEEPEST = 6
_ACCOUNTS = 48


def price_ladder(spec: MarketSpec) -> Ints:
    """Every price of the grid with both ends, ascending [1/10 000 dollar]."""
    return np.array([0, *spec.structure.grid.prices(), PRICE_SCALE], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the steps of one simulation share."""

    spec: MarketSpec
    rng: np.random.Generator
    ladder: Ints
    times: Ints
    belief: Floats
    fair: Floats

    def at(self, instants: Ints, series: Floats) -> Floats:
        """The value in force at each instant."""
        place = np.searchsorted(self.times, instants, side="right") - 1
        return series[np.clip(place, 0, series.size - 1)]

    def sizes(self, median: float, shape: tuple[int, ...], spread: float) -> Ints:
        """Random order sizes [1/100 contract]."""
        contracts = median * np.exp(spread * self.rng.standard_normal(shape))
        if self.spec.flow.whole:
            return np.maximum(np.rint(contracts), 1).astype(np.int64) * 100
        return np.maximum(np.rint(contracts * 100), 1).astype(np.int64)


def simulate(spec: MarketSpec, seed: int, bias: float = 0.0) -> MarketHistory:
    """Draw everything that ever happens in a market.

    Parameters
    ----------
    spec : MarketSpec
    seed : int
    bias : float
        Favourite-longshot bias of the makers: they shrink the log-odds of the
        belief by this share. 0 quotes the belief itself.

    Returns
    -------
    MarketHistory
    """
    path = spec.event.path
    belief = path.beliefs[:, spec.column]
    rng = generator(seed, spec.ticker, "flow")
    scene = _Scene(spec, rng, price_ladder(spec), path.times, belief, _biased(belief, bias))
    arrivals, activity = _arrivals(scene, path.activity)
    quotes, low, high, touch = _requotes(scene, arrivals, activity)
    before = np.searchsorted(quotes, arrivals) - 1
    keep = before >= 0
    arrivals, before = arrivals[keep], before[keep]
    tape, parents, after_low, after_high, after_size = _trades(
        scene, arrivals, low[before], high[before], touch[before]
    )
    book = _merge(scene, (quotes, low, high, touch), (parents.times, after_low, after_high, after_size))
    return MarketHistory(book, tape, parents)


def _biased(belief: Floats, bias: float) -> Floats:
    if bias == 0.0:
        return belief
    safe = np.clip(belief, 1e-9, 1 - 1e-9)
    return 1.0 / (1.0 + (safe / (1.0 - safe)) ** -(1.0 - bias))


def _arrivals(scene: _Scene, activity: Floats) -> tuple[Ints, Floats]:
    """Instants at which takers arrive, at least two requotes apart."""
    spec, rng, times = scene.spec, scene.rng, scene.times
    interest = 0.12 + 4.0 * scene.belief * (1.0 - scene.belief)
    weight = activity * interest
    mass = np.concatenate(([0.0], np.cumsum(weight[:-1] * np.diff(times))))
    plain = float((activity[:-1] * np.diff(times)).sum())
    expected = spec.flow.parents * mass[-1] / plain if plain else 0.0
    count = int(rng.poisson(expected))
    if count == 0:
        return np.empty(0, np.int64), activity
    drawn = np.sort(rng.random(count)) * mass[-1]
    found = np.interp(drawn, mass, times).astype(np.int64)
    first, last = spec.opens + 5 * SECOND, spec.closes - SECOND
    found = found[(found >= first) & (found <= last)]
    return found[np.diff(found, prepend=-(1 << 62)) > 1000], activity


def _requotes(scene: _Scene, arrivals: Ints, activity: Floats) -> tuple[Ints, Ints, Ints, Ints]:
    """When makers quote anew, and at which places of the ladder; last column the touch sizes."""
    spec, rng, times = scene.spec, scene.rng, scene.times
    step = np.diff(times, append=times[-1] + SECOND)
    awake = rng.random(times.size) < np.clip(0.15 + activity / (2.0 * activity.mean()), 0.0, 0.9)
    news = (times + (0.05 + 0.45 * rng.random(times.size)) * step).astype(np.int64)[awake]
    gap = np.diff(arrivals, append=spec.closes)
    again = arrivals + np.maximum(
        np.minimum(rng.integers(1, spec.flow.pause + 1, arrivals.size), gap // 2), 1
    )
    instants = np.concatenate(([spec.opens + 2 * SECOND], news, again))
    instants = np.unique(instants[(instants > spec.opens) & (instants < spec.closes)])
    fair = scene.at(instants, scene.fair)
    half = spec.flow.half_spread * (0.25 + 3.0 * fair * (1.0 - fair))
    half *= np.exp(0.35 * rng.standard_normal(instants.size))
    middle = fair + 0.3 * half * rng.standard_normal(instants.size)
    low = np.searchsorted(scene.ladder, np.floor((middle - half) * PRICE_SCALE), side="right") - 1
    high = np.searchsorted(scene.ladder, np.ceil((middle + half) * PRICE_SCALE), side="left")
    low = np.clip(low, 0, scene.ladder.size - 2)
    high = np.clip(np.maximum(high, low + 1), 1, scene.ladder.size - 1)
    touch = scene.sizes(spec.flow.touch, (instants.size, 2), 0.9)
    return instants, low, high, touch


def _trades(
    scene: _Scene, arrivals: Ints, low: Ints, high: Ints, touch: Ints
) -> tuple[Tape, Parents, Ints, Ints, Ints]:
    """Let each taker walk the book it finds; also the touch that is left behind."""
    spec, rng, top = scene.spec, scene.rng, scene.ladder.size - 1
    count = arrivals.size
    buys, informed = _sides(scene, arrivals, low, high)
    block = rng.random(count) < 0.003
    sizes = scene.sizes(spec.flow.parent, (count,), 1.25)
    sizes[block] *= 20
    start = np.where(block, (low + high) // 2, np.where(buys, high, low))
    open_side = (start > 0) & (start < top) & _offered(scene.spec, arrivals, buys)
    arrivals, buys, informed, block, sizes, start, low, high, touch = (
        column[open_side] for column in (arrivals, buys, informed, block, sizes, start, low, high, touch)
    )
    count = arrivals.size
    way = np.where(buys, 1, -1)
    places = start[:, None] + way[:, None] * np.arange(_DEEPEST)
    depth = scene.sizes(spec.flow.touch * 1.4, (count, _DEEPEST), 0.8)
    depth[:, 0] = np.where(block, sizes, np.where(buys, touch[:, 1], touch[:, 0]))
    depth[(places <= 0) | (places >= top)] = 0
    depth[block, 1:] = 0
    before = np.cumsum(depth, axis=1) - depth
    taken = np.clip(sizes[:, None] - before, 0, depth)
    tape, owners = _tape(scene, arrivals, buys, block, places, taken)
    levels = (taken > 0).sum(axis=1)
    last = places[np.arange(count), np.maximum(levels - 1, 0)]
    left = (depth - taken)[np.arange(count), np.maximum(levels - 1, 0)]
    spent = left == 0
    edge = np.where(spent, last + way, last)
    rest = np.where(spent, scene.sizes(spec.flow.touch, (count,), 0.9), left)
    moved_low = np.where(~buys & ~block, edge, low)
    moved_high = np.where(buys & ~block, edge, high)
    rest = np.where(block, np.where(buys, touch[:, 1], touch[:, 0]), rest)
    remaining = np.stack((np.where(buys, touch[:, 0], rest), np.where(buys, rest, touch[:, 1])), axis=1)
    parents = Parents(
        arrivals, buys, sizes, taken.sum(axis=1), scene.ladder[start], informed, block,
        np.bincount(owners, minlength=count),
    )  # fmt: skip
    return tape, parents, moved_low, moved_high, remaining


def _offered(spec: MarketSpec, arrivals: Ints, buys: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if spec.withdrawal is None:
        return np.ones(arrivals.size, bool)
    late = arrivals >= spec.withdrawal.since
    gone_ask, gone_bid = ("ask" in spec.withdrawal.sides), ("bid" in spec.withdrawal.sides)
    return ~(late & ((buys & gone_ask) | (~buys & gone_bid)))


def _sides(
    scene: _Scene, arrivals: Ints, low: Ints, high: Ints
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Noise takers toss a coin; informed ones act only on what will be believed soon."""
    rng, flow = scene.rng, scene.spec.flow
    soon = scene.at(arrivals + flow.lead, scene.belief) * PRICE_SCALE
    knows = rng.random(arrivals.size) < flow.informed
    up, down = soon > scene.ladder[high], soon < scene.ladder[low]
    informed = knows & (up | down)
    return np.where(informed, up, rng.random(arrivals.size) < 0.5), informed


def _tape(
    scene: _Scene,
    arrivals: Ints,
    buys: NDArray[np.bool_],
    block: NDArray[np.bool_],
    places: Ints,
    taken: Ints,
) -> tuple[Tape, Ints]:
    """One trade for each maker met: levels in the taker's direction, some levels held by two makers."""
    rng = scene.rng
    owner, level = np.nonzero(taken)
    size = taken[owner, level]
    lot = 100 if scene.spec.flow.whole else 1
    shared = (rng.random(owner.size) < 0.2) & (size >= 2 * lot) & ~block[owner]
    first = np.where(
        shared, np.maximum((size * rng.random(owner.size)).astype(np.int64) // lot, 1) * lot, size
    )
    copies = np.where(shared, 2, 1)
    owner, level = np.repeat(owner, copies), np.repeat(level, copies)
    quantity = np.repeat(first, copies)
    second = np.cumsum(copies)[shared] - 1
    quantity[second] = (size - first)[shared]
    price = scene.ladder[places[owner, level]]
    taker_yes = buys[owner]
    ids = np.frombuffer(rng.bytes(16 * owner.size), dtype="S1").reshape(-1, 16)
    return (
        Tape(
            arrivals[owner], price, quantity, taker_yes, block[owner], owner,
            _open_interest(rng, quantity, taker_yes), ids.tobytes().hex(),
        ),
        owner,
    )  # fmt: skip


def _open_interest(rng: np.random.Generator, quantity: Ints, taker_yes: NDArray[np.bool_]) -> Ints:
    """Open interest after each trade: the long positions of a crowd of accounts trading at random."""
    count = quantity.size
    taker = rng.integers(0, _ACCOUNTS, count)
    maker = (taker + rng.integers(1, _ACCOUNTS, count)) % _ACCOUNTS
    signed = np.where(taker_yes, quantity, -quantity)
    change = np.zeros((count, _ACCOUNTS), dtype=np.int64)
    rows = np.arange(count)
    change[rows, taker] = signed
    change[rows, maker] = -signed
    held = np.cumsum(change, axis=0)
    return np.abs(held).sum(axis=1) // 2


def _merge(
    scene: _Scene, quotes: tuple[Ints, Ints, Ints, Ints], after: tuple[Ints, Ints, Ints, Ints]
) -> Quotes:
    """Quotes and what trades left of them, in time; only those that changed a price, and the close."""
    spec = scene.spec
    times, low, high, sizes = (np.concatenate(pair) for pair in zip(after, quotes, strict=True))
    order = np.argsort(times, kind="stable")
    times, sizes = times[order], sizes[order]
    bid, ask = scene.ladder[low[order]], scene.ladder[high[order]]
    if spec.withdrawal is not None:
        late = times >= spec.withdrawal.since
        bid = np.where(late & ("bid" in spec.withdrawal.sides), 0, bid)
        ask = np.where(late & ("ask" in spec.withdrawal.sides), PRICE_SCALE, ask)
    changed = np.ones(times.size, bool)
    changed[1:] = (np.diff(bid) != 0) | (np.diff(ask) != 0)
    times, bid, ask, sizes = times[changed], bid[changed], ask[changed], sizes[changed]
    return Quotes(
        np.append(times, spec.closes),
        np.append(bid, 0),
        np.append(ask, PRICE_SCALE),
        np.append(np.where(bid > 0, sizes[:, 0], 0), 0),
        np.append(np.where(ask < PRICE_SCALE, sizes[:, 1], 0), 0),
    )
