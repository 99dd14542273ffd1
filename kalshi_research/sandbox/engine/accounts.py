"""Users, their subaccounts, and what each holds and reserves in each market.

A position is one signed number: positive is YES, negative is NO. Buying the leg one does not
hold destroys pairs, each of which is worth a dollar, whatever happens. So all trading is
buying: a bid buys YES at `p`, an ask buys NO at `1 − p`, and every pair that this completes
pays a dollar back.

Money is in 1/1 000 000 dollar, counts in 1/100 contract, prices in 1/10 000 dollar; count ×
price is money, without rounding.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from kalshi_research.fees import DIRECT_PRECISION
from kalshi_research.money import PRICE_SCALE

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.events import Fill, Settlement
    from kalshi_research.sandbox.engine.groups import OrderGroup
    from kalshi_research.sandbox.engine.markets import Market
    from kalshi_research.sandbox.engine.orders import Order

__all__ = ["Holding", "Member", "Wallet"]

# A pair of legs is worth a dollar: count × PAIR is money.
PAIR = PRICE_SCALE


class Member:
    """A user.

    Attributes
    ----------
    user : str
    lot : int
        All fills are multiples of it [1/100 contract].
    wallets : dict of int to Wallet
        By subaccount number; 0 is the primary one.
    purses : dict of (int, int) to Wallet
        What lies on other shards than 0, by subaccount number and shard; empty where money is pooled.
    orders, fills, settlements : list
        Everything that was, oldest first.
    client_ids : dict of str to Order
        The latest order of each client order id.
    groups : dict of str to OrderGroup
    transfers : set of str
        Ids of the transfers between subaccounts that were made.
    """

    __slots__ = (
        "client_ids",
        "fills",
        "groups",
        "lot",
        "orders",
        "purses",
        "settlements",
        "transfers",
        "user",
        "wallets",
    )

    def __init__(self, user: str, precision: int = DIRECT_PRECISION, lot: int = 1) -> None:
        self.user = user
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        self.settlements: list[Settlement] = []
        self.client_ids: dict[str, Order] = {}
        self.groups: dict[str, OrderGroup] = {}
        self.transfers: set[str] = set()
        self.lot = lot
        self.wallets: dict[int, Wallet] = {0: Wallet(self, 0, precision)}
        self.purses: dict[tuple[int, int], Wallet] = {}

    def purse(self, number: int, shard: int) -> Wallet:
        """The money of a subaccount on one shard, made when it is first needed."""
        wallet = self.wallets[number]
        if not shard:
            return wallet
        found = self.purses.get((number, shard))
        if found is None:
            found = self.purses[number, shard] = Wallet(self, number, wallet.precision, shard)
        return found

    def everything(self, number: int | None = None) -> list[Wallet]:
        """The wallets on all shards, of one subaccount or of all, by number and shard."""
        found = [*self.wallets.values(), *self.purses.values()]
        found.sort(key=lambda wallet: (wallet.number, wallet.shard))
        return [wallet for wallet in found if number in (None, wallet.number)]


class Wallet:
    """The money and the positions of one subaccount, where money is kept by shard on one shard.

    Attributes
    ----------
    cash : int
        What is owned, reserved or not.
    reserved : int
        Collateral of resting orders: the most that any sequence of their fills can take from `cash`.
    precision : int
        Grid to which fees align the balance.
    step : int
        Fills at multiples of this price leave the balance on its grid, whatever their size.
    resting : dict of int to Order
        By ticket.
    holdings : dict of Market to Holding
    """

    __slots__ = (
        "cash",
        "holdings",
        "member",
        "number",
        "precision",
        "reserved",
        "resting",
        "shard",
        "step",
    )

    def __init__(self, member: Member, number: int, precision: int, shard: int = 0) -> None:
        self.member = member
        self.number = number
        self.shard = shard
        self.precision = precision
        self.step = precision // gcd(precision, member.lot)
        self.cash = 0
        self.reserved = 0
        self.resting: dict[int, Order] = {}
        self.holdings: dict[Market, Holding] = {}

    @property
    def available(self) -> int:
        """What new orders may use."""
        return self.cash - self.reserved


class Holding:
    """One wallet in one market.

    Attributes
    ----------
    position : int
        Signed.
    cost, fee_cost : int
        What the contracts held were bought for, and the fees of that, at average cost.
    realised : int
        Profit and loss locked in, without fees.
    fees : int
        All fees paid.
    traded : int
        What was spent on either leg in all.
    volume : int
        Contracts traded in all.
    bid_lock, ask_lock : int
        Collateral of the resting orders, before netting with the position.
    reserved : int
        Their collateral after netting; part of ``wallet.reserved``.
    updated : int
        Time of the last change of the position [µs].
    """

    __slots__ = (
        "ask_lock",
        "bid_lock",
        "cost",
        "fee_cost",
        "fees",
        "market",
        "position",
        "realised",
        "reserved",
        "traded",
        "updated",
        "volume",
        "wallet",
    )

    def __init__(self, wallet: Wallet, market: Market) -> None:
        self.wallet = wallet
        self.market = market
        self.position = self.cost = self.fee_cost = self.realised = self.fees = 0
        self.traded = self.volume = self.updated = 0
        self.bid_lock = self.ask_lock = self.reserved = 0

    def affords(self, is_bid: bool, lock: int) -> bool:
        """Whether one more order fits into what the wallet has."""
        wallet = self.wallet
        spare = wallet.cash - wallet.reserved
        if lock <= spare:
            return True
        if self.position == 0:
            return False
        if is_bid:
            after = _requirement(self.position, self.bid_lock + lock, self.ask_lock)
        else:
            after = _requirement(self.position, self.bid_lock, self.ask_lock + lock)
        return after <= self.reserved or after - self.reserved <= spare

    def reserve(self) -> None:
        """Bring the reservation in line with orders and position."""
        needed = self.bid_lock + self.ask_lock
        if needed and self.position:
            needed = _requirement(self.position, self.bid_lock, self.ask_lock)
        change = needed - self.reserved
        if change:
            self.wallet.reserved += change
            self.reserved = needed

    def fill(self, is_bid: bool, count: int, price: int, fee: int) -> int:
        """Book a fill; answer the change of open interest, counted on the YES side."""
        before = self.position
        if is_bid:
            spent = count * price
            self.position = after = before + count
            closing = -before
        else:
            spent = count * (PRICE_SCALE - price)
            self.position = after = before - count
            closing = before
        self.fees += fee
        self.traded += spent
        self.volume += count
        if closing <= 0:
            self.cost += spent
            self.fee_cost += fee
            self.wallet.cash -= spent + fee
        else:
            self._close(closing, count, spent, fee)
        return max(0, after) - max(0, before)

    def _close(self, held: int, count: int, spent: int, fee: int) -> None:
        pairs = min(held, count)
        # The part of the purchase that completes pairs; exact, because spent is a multiple of count.
        closed = spent // count * pairs
        removed = self.cost * pairs // held
        self.realised += pairs * PAIR - closed - removed
        self.cost += spent - closed - removed
        opened = fee * (count - pairs) // count
        self.fee_cost += opened - self.fee_cost * pairs // held
        self.wallet.cash += pairs * PAIR - spent - fee


def _requirement(position: int, bid_lock: int, ask_lock: int) -> int:
    """The most that fills of the resting orders can take from the cash.

    Fills that complete pairs come first and pay in at least what they cost; those that open a
    position come after them. So the low point of the cash is before the first fill or after the
    last. No contract costs more than the pair it completes, so the size of the orders is not needed:
    where they are smaller than the position, nothing is.
    """
    if position > 0:
        return bid_lock + max(0, ask_lock - PAIR * position)
    return ask_lock + max(0, bid_lock + PAIR * position)
