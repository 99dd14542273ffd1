"""The state that all parts of the engine work on, and its clock."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError
from kalshi_research.sandbox.engine.accounts import Holding, Member, Wallet
from kalshi_research.sandbox.engine.rejections import refuse

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.events import Event
    from kalshi_research.sandbox.engine.groups import OrderGroup
    from kalshi_research.sandbox.engine.markets import Market
    from kalshi_research.sandbox.engine.options import EngineOptions
    from kalshi_research.sandbox.engine.orders import Order

__all__ = ["Venue"]


class Venue:
    """Everything the engine knows.

    Attributes
    ----------
    now : int
        [µs since 1970]
    clock : int
        Number of actions so far; the events of one action share it.
    outbox : list of Event
        What happened and has not been drained.
    ticket : int
        Number of times that an order came to rest.
    fee_income, rounding_income : int
        What the exchange kept: fees of fills, and what payouts were rounded down by.
    """

    __slots__ = (
        "_set",
        "_timers",
        "clock",
        "exchange_active",
        "fee_income",
        "groups",
        "identifier",
        "markets",
        "members",
        "now",
        "options",
        "orders",
        "outbox",
        "rounding_income",
        "source",
        "ticket",
        "trading_active",
    )

    def __init__(
        self,
        options: EngineOptions,
        identifier: Callable[[], str],
        now: int,
        source: Callable[[], int] | None,
    ) -> None:
        self.options = options
        self.identifier = identifier
        self.now = now
        self.source = source
        self.clock = self.ticket = 0
        self.outbox: list[Event] = []
        self.members: dict[str, Member] = {}
        self.markets: dict[str, Market] = {}
        self.orders: dict[str, Order] = {}
        self.groups: dict[str, OrderGroup] = {}
        self.exchange_active = self.trading_active = True
        self.fee_income = self.rounding_income = 0
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._set = count()

    def begin(self) -> int:
        """Start an action: read the clock, let pass what is due, and number the action."""
        if self.source is not None:
            moment = self.source()
            if moment > self.now:
                self.advance(moment)
        self.clock += 1
        return self.clock

    def at(self, moment: int, action: Callable[[], None]) -> None:
        """Do something once the time has come."""
        heappush(self._timers, (moment, next(self._set), action))

    def advance(self, to: int) -> None:
        """Let time pass, doing what falls due in its order."""
        if to < self.now:
            raise InputError(f"time does not run backwards: it is {self.now} µs, asked for {to}")
        timers = self._timers
        while timers and timers[0][0] <= to:
            moment, _, action = heappop(timers)
            self.now = max(self.now, moment)
            self.clock += 1
            action()
        self.now = to

    def wallet(self, user: str, subaccount: int) -> Wallet:
        """The wallet of a subaccount; refused when there is none."""
        member = self.members.get(user)
        if member is None:
            raise refuse("NOT_FOUND")
        wallet = member.wallets.get(subaccount)
        if wallet is None:
            raise refuse("SUBACCOUNT_NOT_FOUND", f"no subaccount {subaccount} of this user")
        return wallet

    def purse(self, wallet: Wallet, shard: int) -> Wallet:
        """Where the money for the markets of a shard lies."""
        if self.options.money == "pooled":
            return wallet
        return wallet.member.purse(wallet.number, shard)

    def market(self, ticker: str) -> Market:
        """A market by its ticker; refused when there is none."""
        market = self.markets.get(ticker)
        if market is None:
            raise refuse("MARKET_NOT_FOUND")
        return market

    def holding(self, wallet: Wallet, market: Market) -> Holding:
        """The wallet's position in a market, made when it is first needed."""
        holding = wallet.holdings.get(market)
        if holding is None:
            holding = wallet.holdings[market] = market.holdings[wallet] = Holding(wallet, market)
        return holding
