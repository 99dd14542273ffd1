"""One market, played: what its makers and takers intend, done in the book that there really is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.traders.makers import MAKER, Makers
from kalshi_research.sandbox.world.script import on_ladder

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Engine
    from kalshi_research.sandbox.traders.options import Traders
    from kalshi_research.sandbox.world.depth import Levels
    from kalshi_research.sandbox.world.script import Script
    from kalshi_research.sandbox.world.specs import MarketSpec

__all__ = ["SENDERS_OF", "Player"]

SENDERS_OF = {
    MAKER: "maker",
    **{f"noise {number}": "noise" for number in range(12)},
    **{f"informed {number}": "informed" for number in range(4)},
}
"""The accounts of the simulated traders, and what they are."""

_CROWDS = {
    kind: [name for name, sender in SENDERS_OF.items() if sender == kind]
    for kind in ("noise", "informed")
}
_WALK = 5
"""Places of the ladder that a taker goes beyond what makers quote."""

_FULL = 10
"""An inventory of so many touches is a large one."""

NEVER = 1 << 62


class Player:
    """The makers and takers of one market.

    Parameters
    ----------
    engine : Engine
        In which the market is listed.
    spec : MarketSpec
    script : Script
    traders : Traders
    seed : int
        Of the world.
    """

    def __init__(
        self, engine: Engine, spec: MarketSpec, script: Script, traders: Traders, seed: int
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._script = script
        self._traders = traders
        self._rng = generator(seed, spec.ticker, "play")
        self._ladder: list[int] = script.ladder.tolist()
        self._makers = Makers(engine, spec, seed, self._rng, self._ladder)
        self._next_quote = int(np.searchsorted(script.quote_times, engine.now, side="right"))
        self._next_taker = int(np.searchsorted(script.taker_times, engine.now, side="right"))
        self._asked_again = NEVER
        self._pressure = 0.0
        self._felt = engine.now
        self._seen = 0
        self._quoted = (0, len(self._ladder) - 1)

    def open(self, bids: Levels, asks: Levels) -> None:
        """Put up the book as it is drawn at this moment."""
        self._makers.open(bids, asks)
        low = self._ladder.index(bids[0][0]) if bids else 0
        high = self._ladder.index(asks[0][0]) if asks else len(self._ladder) - 1
        self._quoted = (low, high)

    @property
    def due(self) -> int:
        """When something happens next [µs]."""
        script = self._script
        moment = self._asked_again
        if self._next_quote < script.quote_times.size:
            moment = min(moment, int(script.quote_times[self._next_quote]))
        if self._next_taker < script.taker_times.size:
            moment = min(moment, int(script.taker_times[self._next_taker]))
        return moment

    def notice(self) -> None:
        """Have the makers look again soon: somebody from outside has traded."""
        delay = int(self._rng.integers(1, self._spec.flow.pause + 1))
        self._asked_again = min(self._asked_again, self._engine.now + delay)

    def act(self) -> None:
        """Do what is due now."""
        now, script = self._engine.now, self._script
        quotes = False
        while self._next_quote < script.quote_times.size:
            if script.quote_times[self._next_quote] > now:
                break
            self._next_quote, quotes = self._next_quote + 1, True
        if self._asked_again <= now:
            self._asked_again, quotes = NEVER, True
        trading = self._trading()
        if quotes and trading:
            self._quote(now)
        while self._next_taker < script.taker_times.size:
            if script.taker_times[self._next_taker] > now:
                break
            if trading:
                self._take(self._next_taker)
            self._next_taker += 1

    def _trading(self) -> bool:
        engine = self._engine
        active = engine.market(self._spec.ticker).status == "active"
        return active and engine.trading_active and engine.exchange_active

    # --- makers --------------------------------------------------------------------------------

    def _quote(self, now: int) -> None:
        place = self._next_quote - 1
        if place < 0:
            return
        edges = self._script.edges[place : place + 1] + self._lean(now)
        lows, highs = on_ladder(self._script.ladder, edges)
        low, high = int(lows[0]), int(highs[0])
        gone = self._spec.withdrawal
        if gone is not None and now >= gone.since:
            low = 0 if "bid" in gone.sides else low
            high = len(self._ladder) - 1 if "ask" in gone.sides else high
        bid_size, ask_size = self._script.touch[place].tolist()
        self._quoted = (low, high)
        self._makers.quote(low, high, (bid_size, ask_size))
        self._seen = len(self._engine.market(self._spec.ticker).trades)

    def _lean(self, now: int) -> float:
        """By how much the quotes are moved [1/10 000 dollar]: takers' impact and own inventory."""
        market, flow, traders = self._engine.market(self._spec.ticker), self._spec.flow, self._traders
        half, touch = flow.half_spread * 10_000, flow.touch * 100
        taken = sum(
            trade.count if trade.taker_side == "bid" else -trade.count
            for trade in market.trades[self._seen :]
        )
        self._pressure *= 0.5 ** ((now - self._felt) / (traders.memory * SECOND))
        self._pressure += traders.impact * half * taken / touch
        self._felt = now
        holding = self._engine.holding(MAKER, self._spec.ticker)
        stock = 0 if holding is None else holding.position
        against = math.tanh(stock / (_FULL * touch)) / math.tanh(1.0)
        return self._pressure - traders.skew * half * against

    # --- takers --------------------------------------------------------------------------------

    def _take(self, place: int) -> None:
        """Send one taker; who finds nobody to trade with goes away."""
        market, script = self._engine.market(self._spec.ticker), self._script
        bid, ask = market.bids.best(), market.asks.best()
        buys, informed = bool(script.buys[place]), False
        if script.knows[place]:
            soon = float(script.soon[place])
            up, down = ask is not None and soon > ask.price, bid is not None and soon < bid.price
            informed = up or down
            buys = up if informed else buys
        kind = "informed" if informed else "noise"
        crowd = _CROWDS[kind]
        name = crowd[int(self._rng.integers(0, len(crowd)))]
        limit = self._limit(buys=buys)
        level = ask if buys else bid
        if (
            level is None
            or not 0 < limit < 10_000
            or (level.price > limit if buys else level.price < limit)
        ):
            return
        self._engine.submit(
            name,
            self._spec.ticker,
            "bid" if buys else "ask",
            limit,
            int(script.size[place]),
            time_in_force="immediate_or_cancel",
        )

    def _limit(self, *, buys: bool) -> int:
        """The worst price that a taker pays: some places beyond what makers ask [1/10 000 dollar]."""
        low, high = self._quoted
        last = len(self._ladder) - 2
        if buys:
            return self._ladder[min(high + _WALK, last)] if high <= last else 0
        return self._ladder[max(low - _WALK, 1)] if low >= 1 else 0
