"""The world at one instant: the handful of questions an exchange is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, repeat, takewhile
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.sandbox.instants import DAY
from kalshi_research.sandbox.world.catalogue import build_catalogue, new_events
from kalshi_research.sandbox.world.depth import Levels, resting_book
from kalshi_research.sandbox.world.flow import script, simulate
from kalshi_research.sandbox.world.ticks import NewestFirst, Tick

if TYPE_CHECKING:
    from kalshi_research.sandbox.traders.options import Traders
    from kalshi_research.sandbox.world.history import MarketHistory
    from kalshi_research.sandbox.world.script import Script
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


_Told = tuple[NewestFirst, dict[str, int]]
"""Trades in a list, and how many of each market are in it."""


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
    traders : Traders, optional
        Other manners of all makers and takers; their bias is used where `bias` is 0.

    Notes
    -----
    Histories are drawn when first asked for. Each has a generator of its own,
    so what was asked before makes no difference.
    """

    def __init__(
        self,
        now: int,
        seed: int = 0,
        *,
        days: int = 45,
        crypto_hours: int = 48,
        bias: float = 0.0,
        traders: Traders | None = None,
    ) -> None:
        self.now = now
        self.seed = seed
        self.traders = traders
        self.bias = bias or (0.0 if traders is None else traders.bias)
        self._requotes = 1.0 if traders is None else traders.requotes
        self._listed_until = now
        self._listed = build_catalogue(now, seed, days=days, crypto_hours=crypto_hours)
        self._behave(self._listed.markets.values())
        self._histories: dict[str, MarketHistory] = {}
        self._states: dict[str, MarketState] = {}
        self._books: dict[str, tuple[tuple[int, int, int, int], tuple[Levels, Levels]]] = {}
        self._ticks: dict[str, _Told] = {}
        self._all_ticks: _Told = (NewestFirst(), {})
        self._open: list[str] = []
        self._lock = threading.RLock()

    def _behave(self, markets: Iterable[MarketSpec]) -> None:
        """Give markets the manners of the traders."""
        if self.traders is not None:
            news = self.traders.news
            for market in markets:
                market.flow = self.traders.flow_of(market.flow)
                # A combination of markets has the news of its parts.
                market.event.news = None if market.event.series.combo else news

    def grow(self) -> list[str]:
        """List what has been created since, as time went by; answers the new markets."""
        with self._lock:
            found = new_events(self._listed_until, self.now, self.seed)
            self._listed_until = self.now
            fresh = [market for event in found for market in event.markets]
            self._behave(fresh)
            for event in found:
                self._listed.add(event)
            self._open += [market.ticker for market in fresh]
            return [market.ticker for market in fresh]

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
                found = simulate(self.markets[ticker], self.seed, self.bias, self._requotes)
                self._histories[ticker] = found
            return found

    def script(self, ticker: str) -> Script:
        """What makers and takers of a market intend, from its opening to its close."""
        return script(self.markets[ticker], self.seed, self.bias, self._requotes)

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
        touch = state.bid, state.ask, state.bid_size, state.ask_size
        known = self._books.get(ticker)
        if known is None or known[0] != touch:
            known = self._books[ticker] = touch, resting_book(market, touch, self.seed)
        return known[1]

    def ticks(self, ticker: str) -> NewestFirst:
        """The trades of a market until now, newest first; trades of one instant in no special order."""
        with self._lock:
            told = self._ticks.get(ticker)
            if told is None:
                told = self._ticks[ticker] = (NewestFirst(), {})
            rows, counts = told
            rows.add(self._fresh(ticker, counts))
            return rows

    def all_ticks(self) -> NewestFirst:
        """The trades of all markets until now, newest first."""
        with self._lock:
            rows, counts = self._all_ticks
            asked = self.markets if not counts else self._open
            fresh = [tick for ticker in asked for tick in self._fresh(ticker, counts)]
            rows.add(sorted(fresh))
            self._open = [ticker for ticker in asked if self.markets[ticker].settled > self.now]
            return rows

    def ticks_since(self, instant: int) -> NewestFirst:
        """The trades of all markets from now back to an instant, or farther, newest first.

        Only what could trade since then is asked, until all trades have been asked for once.
        """
        with self._lock:
            if self._all_ticks[1]:
                return self.all_ticks()
            asked = [ticker for ticker, market in self.markets.items() if market.closes >= instant]
            rows = (takewhile(lambda tick: tick.time >= instant, self.ticks(name)) for name in asked)
            return NewestFirst(chain.from_iterable(rows))

    def _fresh(self, ticker: str, counts: dict[str, int]) -> list[Tick]:
        """The trades of a market that have happened since they were counted last, oldest first."""
        history = self.history(ticker)
        start, stop = counts.get(ticker, 0), history.trades_until(self.now)
        if start == stop:
            return []
        counts[ticker] = stop
        fresh, tape = slice(start, stop), history.tape
        rows = zip(
            tape.times[fresh].tolist(),
            map(tape.trade_id, range(start, stop)),
            repeat(ticker, stop - start),
            tape.price[fresh].tolist(),
            tape.count[fresh].tolist(),
            tape.taker_yes[fresh].tolist(),
            tape.block[fresh].tolist(),
            strict=True,
        )
        return sorted(map(Tick._make, rows))

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
