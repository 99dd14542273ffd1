"""Where the world meets the matching engine: one engine, filled market by market."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from kalshi_research.fees import DIRECT_PRECISION, fee_terms
from kalshi_research.money import MONEY_SCALE, PRICE_SCALE
from kalshi_research.sandbox.engine import BookDelta, BookView, Engine, Lifecycle, MarketSpec, Trade
from kalshi_research.sandbox.engine.rejections import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kalshi_research.sandbox.engine import EngineOptions, Event
    from kalshi_research.sandbox.engine.markets import Market
    from kalshi_research.sandbox.traded import TradedWorld
    from kalshi_research.sandbox.world import MarketSpec as WorldMarket

__all__ = ["MAKER", "Floor"]

T = TypeVar("T")

MAKER = "the makers of the world"
"""The user whose orders stand for the quotes of the world."""

_DEEP_POCKETS = 10**15 * MONEY_SCALE
_UNDECIDED = ("initialized", "active", "inactive", "closed")


class Floor:
    """One engine over a world.

    A market is listed in the engine when an order or a subscription first touches it: its book
    is filled with the world's, as orders of `MAKER`, and from then on the engine alone decides
    about it. What it does is recorded in the world, so that every read of the world shows it.

    Parameters
    ----------
    world : TradedWorld
    cash : dict of str to int
        Users and their money [1/1 000 000 dollar].
    options : EngineOptions, optional
    precision : int
        Grid of their balances [1/1 000 000 dollar].

    Examples
    --------
    >>> from kalshi_research.sandbox.traded import TradedWorld
    >>> floor = Floor(TradedWorld(1795186800000000, days=1, crypto_hours=0), {"A": 1_000_000})
    >>> floor.now()
    1795186800000000
    """

    def __init__(
        self,
        world: TradedWorld,
        cash: dict[str, int],
        *,
        options: EngineOptions | None = None,
        precision: int = DIRECT_PRECISION,
    ) -> None:
        self._world = world
        self._engine = Engine(now=world.now, seed=world.seed, options=options)
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Sequence[Event]], None]] = []
        self._news: deque[list[Event]] = deque()
        self._telling = False
        self._engine.create_user(MAKER, cash=_DEEP_POCKETS)
        for user, amount in cash.items():
            self._engine.create_user(user, cash=amount, precision=precision)
        self._engine.drain()

    # --- the engine ----------------------------------------------------------------------------

    @property
    def clock(self) -> int:
        """Number of the engine's actions so far."""
        return self._engine.clock

    def now(self) -> int:
        """The time of the exchange [µs since 1970]; it stands still but for `advance`."""
        return self._engine.now

    def call(self, action: Callable[[Engine], T], *tickers: str) -> T:
        """Do something with the engine, alone, and tell what came of it.

        Parameters
        ----------
        action : callable
            Given the engine.
        *tickers : str
            Markets that have to be listed in it before.
        """
        with self._lock:
            for ticker in tickers:
                self._list(ticker)
            try:
                return action(self._engine)
            finally:
                self._publish()

    def listen(self, callback: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        """Call back with the events of every call, in order, in the thread of the call.

        The floor stays locked meanwhile, so a callback that asks it sees it as of these events.

        Returns
        -------
        callable
            Ends it.
        """
        with self._lock:
            self._listeners.append(callback)

        def stop() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return stop

    def _publish(self) -> None:
        events = self._engine.drain()
        if not events:
            return
        self._record(events)
        self._news.append(events)
        if self._telling:
            return
        self._telling = True
        try:
            while self._news:
                told = self._news.popleft()
                for listener in tuple(self._listeners):
                    listener(told)
        finally:
            self._telling = False

    def _record(self, events: Sequence[Event]) -> None:
        """Show the world what happened."""
        trades: dict[str, list[Trade]] = {}
        for event in events:
            if isinstance(event, Trade):
                trades.setdefault(event.ticker, []).append(event)
            elif isinstance(event, BookDelta):
                trades.setdefault(event.ticker, [])
            elif isinstance(event, Lifecycle):
                self._follow(self._engine.market(event.ticker))
        for ticker, found in trades.items():
            market = self._engine.market(ticker)
            self._world.record(ticker, found, market.open_interest, _touch(market), self._engine.now)

    def _follow(self, market: Market) -> None:
        """Bring the dates and the result of the world's market in line with the engine's."""
        known = self._world.markets[market.ticker]
        known.closes = market.close_time
        known.paused = market.status == "inactive"
        if market.value is not None:
            known.ruling = market.value
            known.determined = market.determined_time
            known.settled = market.settled_time or market.determined_time + market.spec.settlement_timer
        self._world.move(self._world.now)

    # --- markets -------------------------------------------------------------------------------

    def _list(self, ticker: str) -> None:
        """Have a market in the engine; refused when there is none or it is decided."""
        if ticker in self._engine.markets:
            return
        known = self._world.markets.get(ticker)
        if known is None:
            raise refuse("MARKET_NOT_FOUND")
        status = known.status(self._world.now)
        if status not in _UNDECIDED:
            raise refuse("MARKET_INACTIVE", status=self._engine.options.inactive_status)
        self._publish()
        bids, asks = self._world.book(ticker)
        self._world.branch(ticker)
        engine = self._engine
        engine.create_market(_terms(known))
        for price, count in bids:
            engine.submit(MAKER, ticker, "bid", price, count)
        for price, count in asks:
            engine.submit(MAKER, ticker, "ask", price, count)
        if status == "inactive":
            engine.deactivate(ticker)
        # What was there before is history, not news.
        engine.drain()

    def listed(self, ticker: str) -> bool:
        """Whether the engine has taken a market over."""
        return ticker in self._engine.markets

    def attend(self, ticker: str) -> bool:
        """Have a market in the engine if it can be there, for those who want to hear of it."""
        with self._lock:
            known = self._world.markets.get(ticker)
            if known is None or known.status(self._world.now) not in _UNDECIDED:
                return False
            self._list(ticker)
            return True

    def market(self, ticker: str) -> Market | None:
        """The engine's market, or None for one that it has not taken over."""
        return self._engine.markets.get(ticker)

    def book(self, ticker: str, depth: int = 0) -> BookView:
        """The book of a market: the engine's, or the world's as long as nobody touched it."""
        with self._lock:
            if ticker in self._engine.markets:
                return self._engine.book(ticker, depth)
            bids, asks = self._world.book(ticker)
            keep = depth or None
            return BookView(
                0,
                list(reversed(bids[:keep])),
                [(PRICE_SCALE - price, count) for price, count in reversed(asks[:keep])],
            )

    # --- time and outcomes ---------------------------------------------------------------------

    def advance(self, to: int) -> None:
        """Let time pass until `to` [µs]: markets open, close, are determined and pay out."""
        with self._lock:
            while True:
                due = min(
                    (
                        (known.determined, known.ticker)
                        for known in map(self._world.markets.__getitem__, self._engine.markets)
                        if known.ruling is None and known.determined <= to
                    ),
                    default=None,
                )
                if due is None:
                    break
                moment, ticker = due
                self._go(max(moment, self._engine.now))
                self._decide(ticker, self._world.markets[ticker].value)
            self._go(to)

    def _go(self, to: int) -> None:
        self._engine.advance(to)
        self._world.move(to)
        self._publish()

    def _decide(self, ticker: str, value: int) -> None:
        if self._engine.market(ticker).status != "closed":
            self._engine.set_close_time(ticker, self._engine.now)
        self._engine.determine(ticker, value)
        self._publish()

    def close(self, ticker: str) -> None:
        """Close a market now."""
        self.call(lambda engine: engine.set_close_time(ticker, engine.now), ticker)

    def determine(self, ticker: str, value: int) -> None:
        """Close a market if need be, and set what one YES pays [1/10 000 dollar]."""
        with self._lock:
            self._list(ticker)
            self._decide(ticker, value)

    def settle(self, ticker: str, value: int) -> None:
        """`determine`, and let the time pass until the payout."""
        with self._lock:
            self.determine(ticker, value)
            self.advance(self._engine.now + self._engine.market(ticker).spec.settlement_timer)


def _touch(market: Market) -> tuple[int, int, int, int]:
    bid, ask = market.bids.best(), market.asks.best()
    return (
        bid.price if bid else 0,
        ask.price if ask else PRICE_SCALE,
        bid.total if bid else 0,
        ask.total if ask else 0,
    )


def _terms(known: WorldMarket) -> MarketSpec:
    series = known.event.series
    return MarketSpec(
        known.ticker,
        known.event.ticker,
        known.opens,
        known.closes,
        known.structure.grid,
        fee_terms(
            series.fee_type,
            series.fee_multiplier,
            multiplier_override=known.event.fee_multiplier_override,
        ),
        settlement_timer=max(known.settled - known.determined, 0),
        shard=series.shard,
    )
