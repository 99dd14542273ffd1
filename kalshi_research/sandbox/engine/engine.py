"""The engine as a whole: its clock, its users, and reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, printable
from kalshi_research.fees import DIRECT_PRECISION
from kalshi_research.sandbox.engine.accounts import Holding, Member, Wallet
from kalshi_research.sandbox.engine.desk import OrderDesk
from kalshi_research.sandbox.engine.group_desk import GroupDesk
from kalshi_research.sandbox.engine.identifiers import Identifiers
from kalshi_research.sandbox.engine.operating import Operator
from kalshi_research.sandbox.engine.options import EngineOptions
from kalshi_research.sandbox.engine.rejections import refuse
from kalshi_research.sandbox.engine.venue import Venue

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.events import Event
    from kalshi_research.sandbox.engine.markets import Market
    from kalshi_research.sandbox.engine.orders import Order

__all__ = ["BookView", "Engine"]

_LAST_SUBACCOUNT = 63


@dataclass(frozen=True, slots=True)
class BookView:
    """A book as the wire shows it: bids of both legs, each ascending with the best last.

    Attributes
    ----------
    clock : int
        Of the newest change it includes; 0 when it never changed.
    yes, no : list of (price, count)
        [1/10 000 dollar], [1/100 contract]; the prices of the leg.
    """

    clock: int
    yes: list[tuple[int, int]]
    no: list[tuple[int, int]]


class Engine(OrderDesk, GroupDesk, Operator):
    """A matching engine with its accounts.

    It does no input or output, uses integers only, and does the same for the same seed and
    requests. Prices are in 1/10 000 dollar, counts in 1/100 contract, money in 1/1 000 000 dollar,
    times in microseconds since 1970. A request is either done or refused by a `Rejection`, which
    leaves everything as it was; an act of the operator that makes no sense raises `InputError`.
    Objects that it hands out are its own: read them, do not change them.

    Parameters
    ----------
    now : int
        Time to start at [µs since 1970].
    seed : int
        Of the identifiers.
    options : EngineOptions, optional
    clock : callable, optional
        Answers the time [µs since 1970]; read at every request. Without it, time passes only by
        `advance`.
    identifier : callable, optional
        Source of distinct identifiers, instead of the seeded one.

    Examples
    --------
    >>> from kalshi_research.sandbox.engine import MarketSpec
    >>> engine = Engine(now=0)
    >>> _ = engine.create_market(MarketSpec("M", "E", open_time=0, close_time=10**12))
    >>> for user in ("A", "B"):
    ...     _ = engine.create_user(user, cash=10_000_000)
    >>> _ = engine.submit("A", "M", "bid", 4700, 300)
    >>> receipt = engine.submit("B", "M", "ask", 4000, 100, time_in_force="immediate_or_cancel")
    >>> receipt.filled, receipt.average_price, receipt.fees
    (100, 4700, 17500)
    >>> engine.book("M").yes
    [(4700, 200)]
    """

    def __init__(
        self,
        *,
        now: int,
        seed: int = 0,
        options: EngineOptions | None = None,
        clock: Callable[[], int] | None = None,
        identifier: Callable[[], str] | None = None,
    ) -> None:
        self._venue = Venue(options or EngineOptions(), identifier or Identifiers(seed), now, clock)

    # --- time and events ---------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The engine's time [µs since 1970]."""
        return self._venue.now

    @property
    def clock(self) -> int:
        """The number of actions so far."""
        return self._venue.clock

    @property
    def options(self) -> EngineOptions:
        """The choices where the exchange's behaviour is not known."""
        return self._venue.options

    @options.setter
    def options(self, options: EngineOptions) -> None:
        self._venue.options = options

    def advance(self, to: int) -> None:
        """Let time pass until `to` [µs]: markets open, close and pay out, orders expire."""
        self._venue.advance(to)

    def drain(self) -> list[Event]:
        """What happened since the last call, in order."""
        found = self._venue.outbox
        self._venue.outbox = []
        return found

    # --- users -------------------------------------------------------------------------------

    def create_user(
        self, user: str, *, cash: int = 0, precision: int = DIRECT_PRECISION, lot: int = 1
    ) -> Member:
        """Add a user with money in the primary subaccount.

        Parameters
        ----------
        user : str
        cash : int
            [1/1 000 000 dollar]
        precision : int
            `fees.DIRECT_PRECISION` or `fees.BROKER_PRECISION`.
        lot : int
            All fills are multiples of it [1/100 contract].
        """
        if user in self._venue.members:
            raise InputError(f"there already is a user {printable(user, 60)}")
        member = self._venue.members[user] = Member(user, precision, lot)
        self.deposit(user, cash)
        return member

    def create_subaccount(self, user: str) -> int:
        """Add the user's next subaccount and answer its number, 1–63."""
        wallets = self._venue.wallet(user, 0).member.wallets
        number = len(wallets)
        if number > _LAST_SUBACCOUNT:
            raise refuse("INVALID_PARAMETERS", f"there are at most {_LAST_SUBACCOUNT} subaccounts")
        wallets[number] = Wallet(wallets[0].member, number, wallets[0].precision)
        return number

    def deposit(self, user: str, amount: int, subaccount: int = 0, shard: int = 0) -> None:
        """Add money, or take some that is available away when the amount is negative."""
        wallet = self._venue.purse(self._venue.wallet(user, subaccount), shard)
        if wallet.available + amount < 0:
            raise refuse("INSUFFICIENT_BALANCE")
        wallet.cash += amount

    def transfer(
        self,
        user: str,
        source: int,
        destination: int,
        amount: int,
        transfer_id: str,
        *,
        shard: int = 0,
    ) -> None:
        """Move money between subaccounts of a user, once for each id."""
        venue = self._venue
        giver, taker = (
            venue.purse(venue.wallet(user, number), shard) for number in (source, destination)
        )
        if transfer_id in giver.member.transfers:
            raise refuse("TRANSFER_ALREADY_APPLIED")
        if amount <= 0 or giver is taker:
            raise refuse("INVALID_PARAMETERS", "a transfer moves money between two subaccounts")
        if giver.available < amount:
            raise refuse("INSUFFICIENT_BALANCE")
        giver.member.transfers.add(transfer_id)
        giver.cash -= amount
        taker.cash += amount

    def move(self, user: str, subaccount: int, source: int, destination: int, amount: int) -> None:
        """Move money of a subaccount between shards; where money is pooled that changes nothing."""
        venue = self._venue
        wallet = venue.wallet(user, subaccount)
        giver, taker = (venue.purse(wallet, shard) for shard in (source, destination))
        if amount <= 0 or source == destination:
            raise refuse("INVALID_PARAMETERS", "money is moved between two shards")
        if giver.available < amount:
            raise refuse("INSUFFICIENT_BALANCE")
        giver.cash -= amount
        taker.cash += amount

    # --- reads -------------------------------------------------------------------------------

    @property
    def exchange_active(self) -> bool:
        """Whether anything is taken."""
        return self._venue.exchange_active

    @property
    def trading_active(self) -> bool:
        """Whether orders are taken."""
        return self._venue.trading_active

    @property
    def fee_income(self) -> int:
        """Fees of all fills, and what payouts were rounded down by [1/1 000 000 dollar]."""
        return self._venue.fee_income + self._venue.rounding_income

    @property
    def markets(self) -> dict[str, Market]:
        """All markets by ticker, in the order of their creation."""
        return self._venue.markets

    def market(self, ticker: str) -> Market:
        """A market; refused with 404 when there is none."""
        return self._venue.market(ticker)

    @property
    def members(self) -> dict[str, Member]:
        """All users; a member holds its orders, fills, settlements and wallets."""
        return self._venue.members

    def wallet(self, user: str, subaccount: int = 0) -> Wallet:
        """A subaccount: its cash, resting orders and holdings."""
        return self._venue.wallet(user, subaccount)

    def balance(self, user: str, subaccount: int = 0, shard: int | None = None) -> int:
        """The balance as it is reported, on one shard or on all [1/1 000 000 dollar]."""
        parts = self.balances(user, subaccount)
        return sum(parts.values()) if shard is None else parts.get(shard, 0)

    def balances(self, user: str, subaccount: int = 0) -> dict[int, int]:
        """The balance by shard, where there ever was any [1/1 000 000 dollar]."""
        net = self._venue.options.balance_net_of_orders
        return {
            wallet.shard: wallet.available if net else wallet.cash
            for wallet in self._venue.wallet(user, subaccount).member.everything(subaccount)
        }

    def holdings(self, user: str, subaccount: int = 0) -> list[Holding]:
        """All positions of a subaccount, closed ones included, by shard and in the order of time."""
        member = self._venue.wallet(user, subaccount).member
        return [row for wallet in member.everything(subaccount) for row in wallet.holdings.values()]

    def holding(self, user: str, ticker: str, subaccount: int = 0) -> Holding | None:
        """A position, or None when nothing was ever ordered there."""
        market, wallet = self.market(ticker), self._venue.wallet(user, subaccount)
        return self._venue.purse(wallet, market.shard).holdings.get(market)

    def order(self, user: str, order_id: str) -> Order:
        """An order of a user, finished or not; refused with 404 when there is none."""
        order = self._venue.orders.get(order_id)
        if order is None or order.wallet.member.user != user:
            raise refuse("NOT_FOUND")
        return order

    def book(self, ticker: str, depth: int = 0) -> BookView:
        """The book, or the best `depth` levels of each side."""
        market = self.market(ticker)
        return BookView(market.clock, market.bids.ladder()[-depth:], market.asks.ladder()[-depth:])

    def queue_position(self, user: str, order_id: str) -> int:
        """Contracts that must be matched before a resting order is [1/100 contract]."""
        order = self.order(user, order_id)
        if order.status != "resting":
            raise refuse("NOT_FOUND")
        side = order.market.bids if order.is_bid else order.market.asks
        return side.ahead_of(order)
