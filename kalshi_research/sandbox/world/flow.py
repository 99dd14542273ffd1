"""Quotes and trades of one market over its whole life, drawn around the belief.

Makers quote the belief (through the bias, if one is set) with a spread and react
to news with a delay; takers arrive at random, more of them when the market is
active; an order larger than the touch walks up the book, and the makers requote
a moment later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.history import MarketHistory, Parents, Quotes, Tape
from kalshi_research.sandbox.world.script import Script, on_ladder, price_ladder

if TYPE_CHECKING:
    from kalshi_research.sandbox.world.specs import MarketSpec

__all__ = ["script", "simulate"]

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

_DEEPEST = 6
_ACCOUNTS = 48
_BLOCKS = 0.003


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


@dataclass(frozen=True, slots=True)
class _QuoteRows:
    """Quotes at instants: places of the ladder, and the sizes of bid and ask.

    `edges` are what the makers would quote if there were no ladder [1/10 000 dollar].
    """

    times: Ints
    low: Ints
    high: Ints
    touch: Ints
    edges: Floats


def simulate(spec: MarketSpec, seed: int, bias: float = 0.0, requotes: float = 1.0) -> MarketHistory:
    """Draw everything that ever happens in a market.

    Parameters
    ----------
    spec : MarketSpec
    seed : int
    bias : float
        Favourite-longshot bias of the makers: they shrink the log-odds of the
        belief by this share. 0 quotes the belief itself.
    requotes : float
        How often makers quote anew, 1 being the market's own pace; not less.

    Returns
    -------
    MarketHistory
    """
    scene, quotes, takers = _draw(spec, seed, bias, requotes)
    tape, parents, after = _walk(scene, takers)
    return MarketHistory(_merge(scene, after, quotes), tape, parents)


def script(spec: MarketSpec, seed: int, bias: float = 0.0, requotes: float = 1.0) -> Script:
    """What makers and takers of a market are about to do, before it meets anybody else's orders.

    The same draw as that of `simulate`, with the same parameters.
    """
    scene, quotes, takers = _draw(spec, seed, bias, requotes)
    seen = takers.only(~takers.block)
    soon = scene.at(seen.times + spec.flow.lead, scene.belief) * PRICE_SCALE
    return Script(
        scene.ladder, quotes.times, quotes.edges, quotes.touch,
        seen.times, seen.buys, seen.knows, seen.size, soon,
    )  # fmt: skip


def _draw(
    spec: MarketSpec, seed: int, bias: float, requotes: float
) -> tuple[_Scene, _QuoteRows, _Takers]:
    path = spec.event.path
    belief = path.beliefs[:, spec.column]
    rng = generator(seed, spec.ticker, "flow")
    scene = _Scene(spec, rng, price_ladder(spec), path.times, belief, _biased(belief, bias))
    arrivals = _arrivals(scene, path.activity)
    more = _more_requotes(spec, seed, path.times.size * (requotes - 1.0))
    quotes = _requotes(scene, arrivals, path.activity, more)
    # Every taker finds the latest quote before it; nobody is served before the first.
    place = np.searchsorted(quotes.times, arrivals) - 1
    arrivals, place = arrivals[place >= 0], place[place >= 0]
    takers = _takers(scene, arrivals, quotes.low[place], quotes.high[place], quotes.touch[place])
    return scene, quotes, takers


def _biased(belief: Floats, bias: float) -> Floats:
    if bias == 0.0:
        return belief
    safe = np.clip(belief, 1e-9, 1 - 1e-9)
    return 1.0 / (1.0 + (safe / (1.0 - safe)) ** -(1.0 - bias))


def _arrivals(scene: _Scene, activity: Floats) -> Ints:
    """Instants at which takers arrive, at least two requotes apart."""
    spec, rng, times = scene.spec, scene.rng, scene.times
    interest = 0.12 + 4.0 * scene.belief * (1.0 - scene.belief)
    weight = activity * interest
    mass = np.concatenate(([0.0], np.cumsum(weight[:-1] * np.diff(times))))
    plain = float((activity[:-1] * np.diff(times)).sum())
    expected = spec.flow.parents * mass[-1] / plain if plain else 0.0
    count = int(rng.poisson(expected))
    if count == 0:
        return np.empty(0, np.int64)
    drawn = np.sort(rng.random(count)) * mass[-1]
    found: Ints = np.interp(drawn, mass, times).astype(np.int64)
    first, last = spec.opens + 5 * SECOND, spec.closes - SECOND
    found = found[(found >= first) & (found <= last)]
    apart: Flags = np.diff(found, prepend=-(1 << 62)) > 1000
    return np.compress(apart, found)


def _more_requotes(spec: MarketSpec, seed: int, expected: float) -> Ints:
    """Instants at which makers quote anew for no reason of their own."""
    if expected <= 0:
        return np.empty(0, np.int64)
    rng = generator(seed, spec.ticker, "requotes")
    return rng.integers(spec.opens, spec.closes, int(rng.poisson(expected)))


def _requotes(scene: _Scene, arrivals: Ints, activity: Floats, more: Ints) -> _QuoteRows:
    """When makers quote anew, and at which prices and sizes."""
    spec, rng, times = scene.spec, scene.rng, scene.times
    step = np.diff(times, append=times[-1] + SECOND)
    awake = rng.random(times.size) < np.clip(0.15 + activity / (2.0 * activity.mean()), 0.0, 0.9)
    news = (times + (0.05 + 0.45 * rng.random(times.size)) * step).astype(np.int64)[awake]
    gap = np.diff(arrivals, append=spec.closes)
    again = arrivals + np.maximum(
        np.minimum(rng.integers(1, spec.flow.pause + 1, arrivals.size), gap // 2), 1
    )
    instants = np.concatenate(([spec.opens + 2 * SECOND], news, again, more))
    instants = np.unique(instants[(instants > spec.opens) & (instants < spec.closes)])
    fair = scene.at(instants, scene.fair)
    half = spec.flow.half_spread * (0.25 + 3.0 * fair * (1.0 - fair))
    half *= np.exp(0.35 * rng.standard_normal(instants.size))
    middle = fair + 0.3 * half * rng.standard_normal(instants.size)
    edges = np.stack(((middle - half) * PRICE_SCALE, (middle + half) * PRICE_SCALE), axis=1)
    low, high = on_ladder(scene.ladder, edges)
    touch = scene.sizes(spec.flow.touch, (instants.size, 2), 0.9)
    return _QuoteRows(instants, low, high, touch, edges)


@dataclass(frozen=True, slots=True)
class _Takers:
    """Taker orders and the touch each of them finds (places of the ladder, sizes of both sides)."""

    times: Ints
    buys: Flags
    informed: Flags
    knows: Flags
    block: Flags
    size: Ints
    start: Ints
    low: Ints
    high: Ints
    touch: Ints

    def only(self, kept: Flags) -> _Takers:
        """Some of them."""
        return _Takers(*(getattr(self, name)[kept] for name in self.__slots__))


def _takers(scene: _Scene, arrivals: Ints, low: Ints, high: Ints, touch: Ints) -> _Takers:
    """Who wants what; those who find nobody on the other side go away."""
    spec, rng = scene.spec, scene.rng
    buys, informed, knows = _sides(scene, arrivals, low, high)
    block = rng.random(arrivals.size) < _BLOCKS
    size = scene.sizes(spec.flow.parent, (arrivals.size,), 1.25)
    size[block] *= 20
    start = np.where(block, (low + high) // 2, np.where(buys, high, low))
    served = (start > 0) & (start < scene.ladder.size - 1) & _offered(spec, arrivals, buys)
    drawn = _Takers(arrivals, buys, informed, knows, block, size, start, low, high, touch)
    return drawn.only(served)


def _offered(spec: MarketSpec, arrivals: Ints, buys: Flags) -> Flags:
    if spec.withdrawal is None:
        return np.ones(arrivals.size, bool)
    late = arrivals >= spec.withdrawal.since
    gone_ask, gone_bid = ("ask" in spec.withdrawal.sides), ("bid" in spec.withdrawal.sides)
    return ~(late & ((buys & gone_ask) | (~buys & gone_bid)))


def _sides(scene: _Scene, arrivals: Ints, low: Ints, high: Ints) -> tuple[Flags, Flags, Flags]:
    """Noise takers toss a coin; informed ones act only on what will be believed soon."""
    rng, flow = scene.rng, scene.spec.flow
    soon = scene.at(arrivals + flow.lead, scene.belief) * PRICE_SCALE
    knows = rng.random(arrivals.size) < flow.informed
    up, down = soon > scene.ladder[high], soon < scene.ladder[low]
    informed = knows & (up | down)
    return np.where(informed, up, rng.random(arrivals.size) < 0.5), informed, knows


def _walk(scene: _Scene, takers: _Takers) -> tuple[Tape, Parents, _QuoteRows]:
    """Let each taker walk the book it finds; also the touch that is left behind."""
    rows, top, touch = np.arange(takers.times.size), scene.ladder.size - 1, scene.spec.flow.touch
    way: Ints = np.where(takers.buys, 1, -1).astype(np.int64)
    places: Ints = takers.start[:, None] + way[:, None] * np.arange(_DEEPEST, dtype=np.int64)
    depth = scene.sizes(touch * 1.4, (rows.size, _DEEPEST), 0.8)
    found = np.where(takers.buys, takers.touch[:, 1], takers.touch[:, 0])
    depth[:, 0] = np.where(takers.block, takers.size, found)
    depth[(places <= 0) | (places >= top)] = 0
    depth[takers.block, 1:] = 0
    taken = np.clip(takers.size[:, None] - (np.cumsum(depth, axis=1) - depth), 0, depth)
    tape = _tape(scene, takers, places, taken)
    last = np.maximum((taken > 0).sum(axis=1) - 1, 0)
    left = (depth - taken)[rows, last]
    # A block trade is agreed elsewhere and leaves the book alone.
    edge = places[rows, last] + np.where(left == 0, way, 0)
    rest = np.where(left == 0, scene.sizes(touch, (rows.size,), 0.9), left)
    rest = np.where(takers.block, found, rest)
    parents = Parents(
        takers.times,
        takers.buys,
        takers.size,
        taken.sum(axis=1),
        scene.ladder[takers.start],
        takers.informed,
        takers.block,
        np.bincount(tape.parent, minlength=rows.size),
        takers.informed.astype(np.int64),
    )
    after = _QuoteRows(
        takers.times,
        np.where(~takers.buys & ~takers.block, edge, takers.low),
        np.where(takers.buys & ~takers.block, edge, takers.high),
        np.stack(
            (
                np.where(takers.buys, takers.touch[:, 0], rest),
                np.where(takers.buys, rest, takers.touch[:, 1]),
            ),
            axis=1,
        ),
        np.empty((0, 2)),
    )
    return tape, parents, after


def _tape(scene: _Scene, takers: _Takers, places: Ints, taken: Ints) -> Tape:
    """One trade for each maker met: levels in the taker's direction, some held by two makers."""
    rng = scene.rng
    owner, level = np.nonzero(taken)
    size = taken[owner, level]
    lot = 100 if scene.spec.flow.whole else 1
    shared = (rng.random(owner.size) < 0.2) & (size >= 2 * lot) & ~takers.block[owner]
    part = (size * rng.random(owner.size)).astype(np.int64) // lot * lot
    first = np.where(shared, np.maximum(part, lot), size)
    copies = np.where(shared, 2, 1)
    quantity = np.repeat(first, copies)
    quantity[np.cumsum(copies)[shared] - 1] = (size - first)[shared]
    owner, level = np.repeat(owner, copies), np.repeat(level, copies)
    buys = takers.buys[owner]
    return Tape(
        takers.times[owner],
        scene.ladder[places[owner, level]],
        quantity,
        buys,
        takers.block[owner],
        owner,
        _open_interest(rng, quantity, buys),
        rng.bytes(16 * owner.size).hex(),
    )


def _open_interest(rng: np.random.Generator, quantity: Ints, taker_yes: Flags) -> Ints:
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
    held_long: Ints = np.abs(held).sum(axis=1) // 2
    return held_long


def _merge(scene: _Scene, after: _QuoteRows, quotes: _QuoteRows) -> Quotes:
    """Quotes and what trades left of them, in time; only those that changed a price, and the close."""
    spec = scene.spec
    times = np.concatenate((after.times, quotes.times))
    order = np.argsort(times, kind="stable")
    times = times[order]
    bid = scene.ladder[np.concatenate((after.low, quotes.low))[order]]
    ask = scene.ladder[np.concatenate((after.high, quotes.high))[order]]
    touch = np.concatenate((after.touch, quotes.touch))[order]
    if spec.withdrawal is not None:
        late = times >= spec.withdrawal.since
        bid = np.where(late & ("bid" in spec.withdrawal.sides), 0, bid)
        ask = np.where(late & ("ask" in spec.withdrawal.sides), PRICE_SCALE, ask)
    changed = np.ones(times.size, bool)
    changed[1:] = (np.diff(bid) != 0) | (np.diff(ask) != 0)
    times, bid, ask, touch = times[changed], bid[changed], ask[changed], touch[changed]
    return Quotes(
        np.append(times, spec.closes),
        np.append(bid, 0),
        np.append(ask, PRICE_SCALE),
        np.append(np.where(bid > 0, touch[:, 0], 0), 0),
        np.append(np.where(ask < PRICE_SCALE, touch[:, 1], 0), 0),
    )
