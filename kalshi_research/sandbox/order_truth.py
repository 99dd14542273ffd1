"""What really became of orders, whatever was answered: the part of the truth that faults hide."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import ConfigError, printable
from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.engine import BookDelta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kalshi_research.sandbox.engine import Engine, Event, Order
    from kalshi_research.sandbox.exchange import Exchange

__all__ = ["BookLog", "OrderTruth", "TrueFill", "TrueOrder"]

Levels = dict[int, int]


@dataclass(frozen=True, slots=True)
class TrueFill:
    """One half of a trade.

    Attributes
    ----------
    trade_id : str
    price : int
        On the YES leg [1/10 000 dollar].
    count : int
        [1/100 contract]
    is_taker : bool
    fee : int
        [1/1 000 000 dollar]
    time : int
        [µs since 1970]
    """

    trade_id: str
    price: int
    count: int
    is_taker: bool
    fee: int
    time: int


@dataclass(frozen=True, slots=True)
class TrueOrder:
    """An order as it really is.

    Attributes
    ----------
    order_id, client_order_id, ticker : str
    user : int
        Number of the account.
    side : {"bid", "ask"}
    price : int
        [1/10 000 dollar]
    initial, filled, remaining : int
        [1/100 contract]
    status : {"resting", "canceled", "executed"}
    fills : tuple of TrueFill
    created : int
        [µs since 1970]
    """

    order_id: str
    client_order_id: str
    ticker: str
    user: int
    side: str
    price: int
    initial: int
    filled: int
    remaining: int
    status: str
    fills: tuple[TrueFill, ...]
    created: int


class OrderTruth:
    """The orders of all accounts, behind what reads and answers say; part of `Truth`."""

    _exchange: Exchange

    def orders(self, user: int | None = None) -> list[TrueOrder]:
        """Every order that was ever accepted, oldest first for each user.

        Parameters
        ----------
        user : int, optional
            By default of all accounts.
        """
        accounts = self._exchange.accounts
        numbers = range(len(accounts)) if user is None else [user]
        return self._exchange.floor.call(
            lambda engine: [
                found
                for number in numbers
                for found in _orders(engine, accounts[number].user_id, number)
            ]
        )

    def accepted(self, client_order_id: str, user: int | None = None) -> list[TrueOrder]:
        """The orders that were accepted under a client order id: none, one, or duplicates.

        An id that was given to an order by an amendment counts for that order.
        """
        return [row for row in self.orders(user) if row.client_order_id == client_order_id]

    def acceptances(self, user: int | None = None) -> dict[str, int]:
        """How many orders were accepted under each client order id."""
        return dict(Counter(row.client_order_id for row in self.orders(user) if row.client_order_id))

    def duplicates(self, user: int | None = None) -> dict[str, int]:
        """The client order ids under which more than one order was accepted."""
        return {name: times for name, times in self.acceptances(user).items() if times > 1}

    def resting(self, user: int | None = None) -> list[TrueOrder]:
        """The orders that rest now."""
        return [row for row in self.orders(user) if row.status == "resting"]

    def positions(self, user: int = 0) -> dict[str, int]:
        """What a user holds by market, signed: positive is YES [1/100 contract]."""
        name = self._exchange.accounts[user].user_id

        def held(engine: Engine) -> dict[str, int]:
            found: Counter[str] = Counter()
            for market in engine.markets.values():
                for wallet, holding in market.holdings.items():
                    if wallet.member.user == name and holding.position:
                        found[market.ticker] += holding.position
            return dict(found)

        return self._exchange.floor.call(held)

    def book(self, ticker: str, clock: int | None = None) -> tuple[Levels, Levels]:
        """Bids and asks of a market: size [1/100 contract] by YES price [1/10 000 dollar].

        Parameters
        ----------
        ticker : str
        clock : int, optional
            As after this action of the exchange, which `watch` must have seen; by default now.

        Returns
        -------
        tuple of dict
            Bids, asks.
        """
        if clock is not None:
            return self._log().at(ticker, clock)
        view = self._exchange.floor.book(ticker)
        return dict(view.yes), {PRICE_SCALE - price: count for price, count in view.no}

    def watch(self, *tickers: str) -> None:
        """Keep every change of these books from now on, for `book` at a clock."""
        self._log().watch(tickers)

    def _log(self) -> BookLog:
        if self._exchange.books is None:
            self._exchange.books = BookLog(self._exchange)
        return self._exchange.books


def _orders(engine: Engine, user: str, number: int) -> list[TrueOrder]:
    member = engine.members[user]
    fills: dict[str, list[TrueFill]] = {}
    for row in member.fills:
        fills.setdefault(row.order.order_id, []).append(
            TrueFill(row.trade_id, row.price, row.count, row.is_taker, row.fee, row.time)
        )
    return [_told(order, number, tuple(fills.get(order.order_id, ()))) for order in member.orders]


def _told(order: Order, user: int, fills: tuple[TrueFill, ...]) -> TrueOrder:
    return TrueOrder(
        order.order_id,
        order.client_order_id,
        order.market.ticker,
        user,
        order.side,
        order.price,
        order.initial,
        order.filled,
        order.remaining,
        order.status,
        fills,
        order.created,
    )


class BookLog:
    """The books of some markets at every clock since it began to watch them."""

    def __init__(self, exchange: Exchange) -> None:
        self._floor = exchange.floor
        self._begun: dict[str, tuple[int, Levels, Levels]] = {}
        self._changes: dict[str, list[tuple[int, bool, int, int]]] = {}
        self._floor.listen(self._hear)

    def watch(self, tickers: Sequence[str]) -> None:
        """Begin with the books as they are."""

        def begin(engine: Engine) -> None:
            for ticker in tickers:
                view = engine.book(ticker)
                asks = {PRICE_SCALE - price: count for price, count in view.no}
                self._begun.setdefault(ticker, (engine.clock, dict(view.yes), asks))
                self._changes.setdefault(ticker, [])

        self._floor.call(begin, *tickers)

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, BookDelta) and event.ticker in self._changes:
                bid = event.side == "yes"
                price = event.price if bid else PRICE_SCALE - event.price
                self._changes[event.ticker].append((event.clock, bid, price, event.delta))

    def at(self, ticker: str, clock: int) -> tuple[Levels, Levels]:
        """Bids and asks after an action of the exchange."""
        if ticker not in self._begun or clock < self._begun[ticker][0]:
            raise ConfigError(
                f"the book of {printable(ticker, 60)} was not watched at clock {clock}.\n"
                "Call watch() before what is to be looked at."
            )
        _, bids, asks = self._begun[ticker]
        sides = (dict(asks), dict(bids))
        for moment, bid, price, delta in self._changes[ticker]:
            if moment > clock:
                break
            left = sides[bid].pop(price, 0) + delta
            if left:
                sides[bid][price] = left
        return sides[True], sides[False]


def as_plain(found: Any) -> Any:
    """The same in dicts and lists, for JSON."""
    if isinstance(found, dict):
        return {str(key): as_plain(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [as_plain(value) for value in found]
    if hasattr(found, "__slots__") and hasattr(found, "__dataclass_fields__"):
        return {name: as_plain(getattr(found, name)) for name in found.__dataclass_fields__}
    return found
