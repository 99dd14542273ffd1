"""The world at one instant: the handful of questions an exchange is asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kalshi_research.sandbox.instants import DAY
from kalshi_research.sandbox.world.catalogue import build_catalogue
from kalshi_research.sandbox.world.depth import Levels, resting_book
from kalshi_research.sandbox.world.flow import simulate

if TYPE_CHECKING:
    from kalshi_research.sandbox.world.history import MarketHistory
    from kalshi_research.sandbox.world.specs import EventSpec, MarketSpec, SeriesSpec

__all__ = ["MarketState", "Tick", "World"]


@dataclass(frozen=True, slots=True)
class MarketState:
    """What can be seen of a market: prices [1/10 000 dollar], counts [1/100 contract].

    `bid` 0 and `ask` 10 000 mean that a side is empty; `quoted` is False as long
    as nobody has ever quoted.
    """

    status: str
    quoted: bool
    bid: int
    ask: int
    bid_size: int
    ask_size: int
    last_price: int
    volume: int
    volume_24h: int
    open_interest: int
    previous_bid: int
    previous_ask: int
    previous_price: int


class Tick(NamedTuple):
    """One trade as the public sees it."""

    time: int
    trade_id: str
    ticker: str
    price: int
    quantity: int
    taker_yes: bool
    block: bool


class World:
    """A seeded world, seen at one instant.

    Parameters
    ----------
    now : int
        The instant [µs].
    seed : int
    days : int
        Days of settled temperature ladders.
    crypto_hours : int
        Hours of settled 15-minute windows.
    bias : float
        Favourite-longshot bias of all makers (see `flow.simulate`).

    Notes
    -----
    Histories are drawn when first asked for. Each has a generator of its own,
    so what was asked before makes no difference.
    """

    def __init__(
        self, now: int, seed: int = 0, *, days: int = 45, crypto_hours: int = 48, bias: float = 0.0
    ) -> None:
        self.now = now
        self.seed = seed
        self.bias = bias
        self._listed = build_catalogue(now, seed, days=days, crypto_hours=crypto_hours)
        self._histories: dict[str, MarketHistory] = {}
        self._states: dict[str, MarketState] = {}
        self._ticks: dict[str, list[Tick]] = {}
        self._all_ticks: list[Tick] | None = None
        self._lock = threading.RLock()

    @property
    def series(self) -> dict[str, SeriesSpec]:
        """All series by ticker."""
        return self._listed.series

    @property
    def events(self) -> dict[str, EventSpec]:
        """All events by ticker."""
        return self._listed.events

    @property
    def markets(self) -> dict[str, MarketSpec]:
        """All markets by ticker."""
        return self._listed.markets

    def history(self, ticker: str) -> MarketHistory:
        """The life of a market, its future included."""
        with self._lock:
            found = self._histories.get(ticker)
            if found is None:
                found = simulate(self.markets[ticker], self.seed, self.bias)
                self._histories[ticker] = found
            return found

    def state(self, ticker: str) -> MarketState:
        """What can be seen of a market now."""
        with self._lock:
            found = self._states.get(ticker)
            if found is None:
                found = self._states[ticker] = self._state(self.markets[ticker])
            return found

    def _state(self, market: MarketSpec) -> MarketState:
        now, history = self.now, self.history(market.ticker)
        status = market.status(now)
        quote = history.quote_at(now)
        bid, ask, bid_size, ask_size = quote or (0, 0, 0, 0)
        before = min(now - DAY, market.closes - 1)
        previous = history.quote_at(before)
        return MarketState(
            status,
            quote is not None,
            bid,
            ask,
            bid_size,
            ask_size,
            history.last_price(now),
            history.volume(now),
            history.volume(now, now - DAY),
            history.open_interest(now),
            previous[0] if previous else 0,
            previous[1] if previous else 0,
            history.last_price(before),
        )

    def book(self, ticker: str) -> tuple[Levels, Levels]:
        """Resting bids and asks on the YES leg, best first; empty unless trading."""
        market, state = self.markets[ticker], self.state(ticker)
        if state.status not in {"active", "inactive"} or not state.quoted:
            return [], []
        return resting_book(market, (state.bid, state.ask, state.bid_size, state.ask_size), self.seed)

    def ticks(self, ticker: str) -> list[Tick]:
        """The trades of a market until now, newest first; trades of one instant in no special order."""
        with self._lock:
            found = self._ticks.get(ticker)
            if found is None:
                found = self._ticks[ticker] = self._market_ticks(ticker)
            return found

    def _market_ticks(self, ticker: str) -> list[Tick]:
        history = self.history(ticker)
        tape, count = history.tape, history.trades_until(self.now)
        rows = zip(
            tape.times[:count].tolist(),
            (tape.trade_id(place) for place in range(count)),
            (ticker for _ in range(count)),
            tape.price[:count].tolist(),
            tape.count[:count].tolist(),
            tape.taker_yes[:count].tolist(),
            tape.block[:count].tolist(),
            strict=True,
        )
        return sorted(map(Tick._make, rows), reverse=True)

    def all_ticks(self) -> list[Tick]:
        """The trades of all markets until now, newest first."""
        with self._lock:
            if self._all_ticks is None:
                everything = [tick for ticker in self.markets for tick in self.ticks(ticker)]
                self._all_ticks = sorted(everything, reverse=True)
            return self._all_ticks

    def belief(self, ticker: str, instant: int | None = None) -> float:
        """The true probability of YES, given all that is known at an instant (now, if none is given)."""
        market = self.markets[ticker]
        path = market.event.path
        at = self.now if instant is None else instant
        place = int(np.searchsorted(path.times, at, side="right")) - 1
        return float(path.beliefs[max(place, 0), market.column])

    def settled_value(self, ticker: str) -> int | None:
        """What one YES contract pays [1/10 000 dollar]; None until it is determined."""
        market = self.markets[ticker]
        return market.value if self.now >= market.determined else None
