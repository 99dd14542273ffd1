"""What the makers and takers of one market intend, and the prices that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kalshi_research.money import PRICE_SCALE

if TYPE_CHECKING:
    from kalshi_research.sandbox.world.specs import MarketSpec

__all__ = ["Script", "on_ladder", "price_ladder"]

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


def price_ladder(spec: MarketSpec) -> Ints:
    """Every price of the grid with both ends, ascending [1/10 000 dollar]."""
    return np.array([0, *spec.structure.grid.prices(), PRICE_SCALE], dtype=np.int64)


def on_ladder(ladder: Ints, edges: Floats) -> tuple[Ints, Ints]:
    """Places of the ladder for what makers would bid and ask: never better than that, never equal.

    Parameters
    ----------
    ladder : int64 array
        See `price_ladder`.
    edges : float64 array, rows by 2
        [1/10 000 dollar]

    Examples
    --------
    >>> low, high = on_ladder(np.arange(0, 10_001, 100), np.array([[4650.0, 4810.0]]))
    >>> low.tolist(), high.tolist()
    ([46], [49])
    """
    low = np.searchsorted(ladder, np.floor(edges[:, 0]), side="right") - 1
    high = np.searchsorted(ladder, np.ceil(edges[:, 1]), side="left")
    low = np.clip(low, 0, ladder.size - 2)
    high = np.clip(np.maximum(high, low + 1), 1, ladder.size - 1)
    return low, high


@dataclass(frozen=True, slots=True)
class Script:
    """Intentions, in time: what they come to depends on the orders that are there by then.

    Attributes
    ----------
    ladder : int64 array
        Prices [1/10 000 dollar].
    quote_times : int64 array
        When makers quote anew [µs].
    edges : float64 array, rows by 2
        Their bid and ask before they are put on the ladder [1/10 000 dollar].
    touch : int64 array, rows by 2
        Their sizes at the touch [1/100 contract].
    taker_times : int64 array
        When takers come [µs].
    buys : bool array
        Which side those choose who know nothing.
    knows : bool array
        Whether they know what will be believed soon.
    size : int64 array
        What they want [1/100 contract].
    soon : float64 array
        What will be believed soon [1/10 000 dollar].
    """

    ladder: Ints
    quote_times: Ints
    edges: Floats
    touch: Ints
    taker_times: Ints
    buys: Flags
    knows: Flags
    size: Ints
    soon: Floats
