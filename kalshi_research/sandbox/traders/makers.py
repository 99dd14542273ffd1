"""The makers of one market: their quotes as real orders, changed as little as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.sandbox.world.depth import level_sizes, resting_book

if TYPE_CHECKING:
    import numpy as np

    from kalshi_research.sandbox.engine import Engine, Order
    from kalshi_research.sandbox.engine.orders import Side
    from kalshi_research.sandbox.world.depth import Levels
    from kalshi_research.sandbox.world.specs import MarketSpec

__all__ = ["MAKER", "Makers"]

MAKER = "the makers of the world"
"""The user whose orders stand for the quotes of the world."""

_NEAR = 4
"""Levels behind the touch that are always there."""

_SLACK = 2
"""By how many levels a side may differ from its usual depth."""


class Makers:
    """All makers of one market.

    Parameters
    ----------
    engine : Engine
        In which the market is listed.
    spec : MarketSpec
    seed : int
        Of the world.
    rng : numpy.random.Generator
        Draws the sizes behind the touch.
    ladder : list of int
        The prices of the market, see `world.script.price_ladder`.
    """

    def __init__(
        self, engine: Engine, spec: MarketSpec, seed: int, rng: np.random.Generator, ladder: list[int]
    ) -> None:
        self._spec = spec
        self._seed = seed
        self._ladder = ladder
        self._bids = _Ladder(engine, spec, "bid", rng, ladder)
        self._asks = _Ladder(engine, spec, "ask", rng, ladder)

    def open(self, bids: Levels, asks: Levels) -> None:
        """Take over a book that is there already, best first."""
        self._bids.fill(bids)
        self._asks.fill(asks)

    def quote(self, low: int, high: int, sizes: tuple[int, int]) -> None:
        """Bid and ask at these places of the ladder; its ends stand for no quote.

        Parameters
        ----------
        low, high : int
        sizes : tuple of int
            At the touch [1/100 contract].
        """
        empty = self._bids.prune(), self._asks.prune()
        touch = (self._ladder[low], self._ladder[high], *sizes)
        books = resting_book(self._spec, touch, self._seed) if any(empty) else ([], [])
        moves = [
            (self._bids, low, sizes[0], books[0] if empty[0] else []),
            (self._asks, high, sizes[1], books[1] if empty[1] else []),
        ]
        # Who retreats goes first, so that the makers never meet each other.
        if self._asks.retreats(high):
            moves.reverse()
        for side, place, size, anew in moves:
            if anew:
                side.fill(anew)
            else:
                side.move(place, size)


class _Ladder:
    """The makers' orders on one side, one a level."""

    def __init__(
        self, engine: Engine, spec: MarketSpec, side: Side, rng: np.random.Generator, ladder: list[int]
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._side = side
        self._rng = rng
        self._prices = ladder
        self._places = {price: place for place, price in enumerate(ladder)}
        self._way = 1 if side == "bid" else -1
        self._last = 1 if side == "bid" else len(ladder) - 2
        self._orders: dict[int, Order] = {}
        self._depth = 0

    def fill(self, levels: Levels) -> None:
        """Put up a whole side."""
        self._depth = len(levels)
        for price, count in levels:
            self._place(self._places[price], count)

    def retreats(self, place: int) -> bool:
        """Whether there are orders better than this place."""
        return any((held - place) * self._way > 0 for held in self._orders)

    def prune(self) -> bool:
        """Forget orders that are finished; answers whether none are left."""
        finished = [held for held, order in self._orders.items() if order.status != "resting"]
        for held in finished:
            del self._orders[held]
        return not self._orders

    def move(self, place: int, size: int) -> None:
        """Have the best at this place; at the end of the ladder, have none."""
        if place == self._last + (-1 if self._way > 0 else 1):
            for held in list(self._orders):
                self._cancel(held)
            return
        wanted = self._missing(place, size)
        freed = self._unwanted(place, len(wanted))
        self._extend(wanted, len(freed))
        for target, count in wanted.items():
            if freed:
                self._shift(freed.pop(), target, count)
            else:
                self._place(target, count)
        for held in freed:
            self._cancel(held)

    def _missing(self, place: int, size: int) -> dict[int, int]:
        """Levels at and near the touch that are not there; a touch that is there gets its size."""
        wanted: dict[int, int] = {}
        if place in self._orders:
            self._shift(place, place, size)
        else:
            wanted[place] = size
        near = [place - self._way * step for step in range(1, _NEAR + 1)]
        gaps = [at for at in near if at not in self._orders and (at - self._last) * self._way > 0]
        counts = level_sizes(self._spec, self._rng, [abs(place - at) for at in gaps]) if gaps else []
        return wanted | dict(zip(gaps, counts, strict=True))

    def _unwanted(self, place: int, coming: int) -> list[int]:
        """Levels better than the touch, and the farthest of a side that gets too deep."""
        freed = [held for held in self._orders if (held - place) * self._way > 0]
        behind = sorted(
            (held for held in self._orders if (place - held) * self._way > _NEAR and held != self._last),
            key=lambda held: (place - held) * self._way,
        )
        excess = len(self._orders) - len(freed) + coming - self._depth - _SLACK
        return freed + behind[len(behind) - excess :] if excess > 0 else freed

    def _extend(self, wanted: dict[int, int], leaving: int) -> None:
        """Add a level at the far end of a side that gets too thin."""
        if len(self._orders) - leaving + len(wanted) >= self._depth - _SLACK:
            return
        held = [at for at in (*self._orders, *wanted) if at != self._last]
        far = min(held, key=lambda at: at * self._way, default=self._last) - self._way
        if (far - self._last) * self._way > 0:
            wanted[far] = level_sizes(self._spec, self._rng, [self._depth])[0]

    def _place(self, place: int, count: int) -> None:
        price = self._prices[place]
        receipt = self._engine.submit(MAKER, self._spec.ticker, self._side, price, count)
        self._keep(place, receipt.order)

    def _shift(self, source: int, place: int, count: int) -> None:
        order = self._orders[source]
        if source == place and order.remaining == count:
            return
        del self._orders[source]
        self._engine.amend(
            MAKER,
            order.order_id,
            ticker=self._spec.ticker,
            side=self._side,
            price=self._prices[place],
            count=order.filled + count,
        )
        self._keep(place, order)

    def _keep(self, place: int, order: Order) -> None:
        if order.status == "resting":
            self._orders[place] = order

    def _cancel(self, place: int) -> None:
        self._engine.cancel(MAKER, self._orders.pop(place).order_id)
