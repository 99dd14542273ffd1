"""The resting orders behind a quote: levels away from the touch, at an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.script import price_ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kalshi_research.sandbox.world.specs import MarketSpec

__all__ = ["Levels", "level_sizes", "resting_book"]

Levels = list[tuple[int, int]]
"""(YES price [1/10 000 dollar], size [1/100 contract]), best first."""


def resting_book(spec: MarketSpec, quote: tuple[int, int, int, int], seed: int) -> tuple[Levels, Levels]:
    """Bids and asks behind a touch, best first.

    Sizes grow away from the touch, holes appear, and some people leave lottery
    tickets at the far end.
    """
    ladder = price_ladder(spec)
    bid, ask, bid_size, ask_size = quote
    bids = _side(spec, ladder, (bid, bid_size), -1, seed) if bid > 0 else []
    asks = _side(spec, ladder, (ask, ask_size), 1, seed) if ask < PRICE_SCALE else []
    return bids, asks


def _side(
    spec: MarketSpec, ladder: NDArray[np.int64], touch: tuple[int, int], way: int, seed: int
) -> Levels:
    rng = generator(seed, spec.ticker, "book", way)
    start = int(np.searchsorted(ladder, touch[0]))
    room = start - 1 if way < 0 else ladder.size - 2 - start
    wanted = min(int(rng.integers(5, 31)) - 1, room)
    near = min(4, wanted)
    steps = np.ones(wanted, dtype=np.int64)
    if wanted > near:
        spare = max(room - wanted, 0)
        steps[near:] += rng.integers(0, 2 + min(spare // max(wanted - near, 1), 4), wanted - near)
    offsets = np.cumsum(steps)
    offsets = np.unique(np.minimum(offsets, room))
    contracts = _contracts(spec, rng, np.arange(offsets.size))
    if offsets.size and rng.random() < 0.5:
        offsets[-1] = room
        contracts[-1] *= 12
    prices = ladder[start + way * offsets]
    return [touch, *zip(prices.tolist(), _lots(spec, contracts), strict=True)]


def level_sizes(spec: MarketSpec, rng: np.random.Generator, steps: Sequence[int]) -> list[int]:
    """Sizes of levels so many steps behind the touch [1/100 contract]."""
    return _lots(spec, _contracts(spec, rng, np.array(steps) - 1))


def _contracts(
    spec: MarketSpec, rng: np.random.Generator, steps: NDArray[np.int64]
) -> NDArray[np.float64]:
    growth = spec.flow.touch * (1.0 + 0.25 * steps)
    return np.asarray(growth * np.exp(0.9 * rng.standard_normal(steps.size)), dtype=np.float64)


def _lots(spec: MarketSpec, contracts: NDArray[np.float64]) -> list[int]:
    lot = 100 if spec.flow.whole else 1
    counts: list[int] = (np.maximum(np.rint(contracts * 100 / lot), 1).astype(np.int64) * lot).tolist()
    return counts
