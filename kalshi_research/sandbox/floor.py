"""Where the world meets the matching engine: one engine, filled market by market."""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from kalshi_research.fees import DIRECT_PRECISION
from kalshi_research.money import MONEY_SCALE, PRICE_SCALE
from kalshi_research.sandbox.agenda import Agenda
from kalshi_research.sandbox.engine import (
    BookDelta,
    BookView,
    Engine,
    Fill,
    Lifecycle,
    Trade,
)
from kalshi_research.sandbox.engine.rejections import refuse
from kalshi_research.sandbox.instants import MINUTE
from kalshi_research.sandbox.terms import terms_of
from kalshi_research.sandbox.traded import Deal
from kalshi_research.sandbox.traders.makers import MAKER
from kalshi_research.sandbox.traders.player import NEVER, SENDERS_OF, Player

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from kalshi_research.sandbox.engine import EngineOptions, Event
    from kalshi_research.sandbox.engine.markets import Market
    from kalshi_research.sandbox.traded import TradedWorld
    from kalshi_research.sandbox.world import MarketSpec as WorldMarket

__all__ = ["MAKER", "Floor"]

T = TypeVar("T")

_DEEP_POCKETS = 10**15 * MONEY_SCALE
_UNDECIDED = ("initialized", "active", "inactive", "closed")
_NEW_LISTINGS = 5 * MINUTE
"""How often the world is asked for markets that have been created since."""


class Floor:
    """One engine over a world.

    A market is listed in the engine when an order or a subscription first touches it: its book
    is filled with the world's, as orders of `MAKER`, and from then on the engine alone decides
    about it. What it does is recorded in the world, so that every read of the world shows it.

    In a world with `Traders`, the simulated makers and takers go on in that market as time passes;
    without, its book stands still but for the orders of users.

    Parameters
    ----------
    world : TradedWorld
    cash : dict of str to int
        Users and their money [1/1 000 000 dollar].
    options : EngineOptions, optional
    precision : int
        Grid of their balances [1/1 000 000 dollar].
    lot : int
        All trades are multiples of it [1/100 contract].

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
        lot: int = 1,
    ) -> None:
        self._world = world
        self._engine = Engine(now=world.now, seed=world.seed, options=options)
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Sequence[Event]], None]] = []
        self._news: deque[list[Event]] = deque()
        self._telling = False
        self._agenda = Agenda()
        self._players: dict[str, Player] = {}
        self._engine.create_user(MAKER, cash=_DEEP_POCKETS)
        if self._engine.options.money == "by_shard":
            for shard in {series.shard for series in world.series.values()} - {0}:
                self._engine.deposit(MAKER, _DEEP_POCKETS, shard=shard)
        if world.traders is not None:
            for name in SENDERS_OF.keys() - {MAKER}:
                self._engine.create_user(name, cash=_DEEP_POCKETS)
            self._agenda.at(world.now + _NEW_LISTINGS, self._grow)
        for user, amount in cash.items():
            self._engine.create_user(user, cash=amount, precision=precision, lot=lot)
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

    def held(self) -> AbstractContextManager[object]:
        """A context in which nothing happens that others do, and no time passes."""
        return self._lock

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
        deals: dict[str, list[Deal]] = {}
        moments: dict[str, int] = {}
        trade: Trade | None = None
        for event in events:
            if isinstance(event, Trade):
                trade = event
            elif isinstance(event, BookDelta):
                moments[event.ticker] = event.time
            elif isinstance(event, Fill):
                # A trade is followed by its two fills.
                if event.is_taker and trade is not None:
                    order = event.order
                    sender = SENDERS_OF.get(order.wallet.member.user, "user")
                    deal = Deal(trade, order.order_id, order.initial, sender)
                    deals.setdefault(trade.ticker, []).append(deal)
            elif isinstance(event, Lifecycle):
                self._follow(self._engine.market(event.ticker))
        for ticker, moment in moments.items():
            market, found = self._engine.market(ticker), deals.get(ticker, [])
            self._world.record(ticker, found, market.open_interest, _touch(market), moment)
            player = self._players.get(ticker)
            if player is not None and any(deal.sender == "user" for deal in found):
                player.notice()
                self._schedule(ticker, player)

    def _follow(self, market: Market) -> None:
        """Bring the dates and the result of the world's market in line with the engine's."""
        known = self._world.markets[market.ticker]
        known.closes = market.close_time
        known.paused = market.status == "inactive"
        if market.value is not None:
            known.ruling = market.value
            known.determined = market.determined_time
            known.held = market.status if market.status in ("disputed", "amended") else ""
            # A dispute stops the timer.
            timer = 1 << 62 if known.held == "disputed" else market.spec.settlement_timer
            known.settled = market.settled_time or market.determined_time + timer
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
        self._open(known, status)
        # What was there before is history, not news.
        self._engine.drain()

    def _open(self, known: WorldMarket, status: str) -> None:
        """Create a market in the engine, with the book that the world shows."""
        world, engine, ticker = self._world, self._engine, known.ticker
        bids, asks = world.book(ticker)
        world.branch(ticker)
        engine.create_market(terms_of(known))
        if world.traders is None:
            for price, count in bids:
                engine.submit(MAKER, ticker, "bid", price, count)
            for price, count in asks:
                engine.submit(MAKER, ticker, "ask", price, count)
        else:
            player = Player(engine, known, world.script(ticker), world.traders, world.seed)
            player.open(bids, asks)
            self._players[ticker] = player
            self._schedule(ticker, player)
        if status == "inactive":
            engine.deactivate(ticker)
        self._agenda.at(known.determined, partial(self._fall_due, ticker))

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
        """Let time pass until `to` [µs]: markets open, trade, close, are determined and pay out."""
        with self._lock:
            while self._do_next(to):
                pass
            self._go(to)

    def catch_up(self, to: int, patience: float) -> bool:
        """`advance`, but stop after a while [s of real time]; answers whether it was enough.

        A time that has passed already is no mistake: others may move the floor as well.
        """
        started = time.monotonic()
        with self._lock:
            while self._do_next(to):
                if time.monotonic() - started > patience:
                    return False
            self._go(max(to, self._engine.now))
        return True

    def _do_next(self, until: int) -> bool:
        """Go to the next moment at which something is due, and do it; False where nothing is."""
        found = self._agenda.next(until)
        if found is None:
            return False
        moment, act = found
        self._go(max(moment, self._engine.now))
        act()
        self._publish()
        return True

    def _schedule(self, ticker: str, player: Player) -> None:
        if player.due < NEVER:
            self._agenda.at(player.due, partial(self._play, ticker, player))

    def _play(self, ticker: str, player: Player) -> None:
        """Let the traders of a market act, and come back for what they do next."""
        if player.due > self._engine.now:  # they have been called earlier
            return
        player.act()
        self._schedule(ticker, player)

    def _fall_due(self, ticker: str) -> None:
        known = self._world.markets[ticker]
        if known.ruling is None and known.determined <= self._engine.now:
            self._decide(ticker, known.value)

    def _grow(self) -> None:
        """List the markets that were created since, and tell of them; forget what nobody asks for."""
        for name in SENDERS_OF:
            self._engine.forget(name)
        for ticker in self._world.grow():
            self._publish()
            known = self._world.markets[ticker]
            self._open(known, known.status(self._world.now))
        self._publish()
        self._agenda.at(self._engine.now + _NEW_LISTINGS, self._grow)

    def populate(self) -> None:
        """List every market that can be: where traders go on, they go on everywhere."""
        for ticker in list(self._world.markets):
            self.attend(ticker)

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
