"""An order and the answer to a request about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.accounts import Holding, Wallet
    from kalshi_research.sandbox.engine.groups import OrderGroup
    from kalshi_research.sandbox.engine.markets import Market

__all__ = ["Matched", "Order", "Reason", "Receipt", "SelfTrade", "Side", "Status", "TimeInForce"]

Side = Literal["bid", "ask"]
Status = Literal["resting", "canceled", "executed"]
TimeInForce = Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]
SelfTrade = Literal["taker_at_cross", "maker"]
Reason = Literal[
    "",
    "Decrease",
    "Amend",
    "MarginCancel",
    "SelfTradeCancel",
    "ExpiryCancel",
    "CloseCancel",
    "HaltCancel",
    "Trade",
    "PostOnlyCrossCancel",
    "ReduceOnlyCancel",
    "SettlementBoundsCancel",
]


class Order(Struct, eq=False):
    """One order, from its acceptance on. To be read, not changed, from outside the engine.

    Attributes
    ----------
    order_id, client_order_id : str
    wallet : Wallet
        Whose it is; ``wallet.member.user`` and ``wallet.number`` name user and subaccount.
    holding : Holding
        The wallet's position in this market.
    market : Market
    is_bid : bool
    price : int
        Limit, on the YES leg [1/10 000 dollar].
    initial, filled, remaining : int
        [1/100 contract]; `remaining` is 0 once the order is finished.
    status : {"resting", "canceled", "executed"}
    reason : str
        Why it was last changed.
    self_trade, post_only, cancel_on_pause
        As asked for.
    expiration : int
        [µs], 0 for none.
    group : OrderGroup or None
    created, updated : int
        [µs]
    taker_cost, maker_cost : int
        Price of the leg bought × count, over all fills [1/1 000 000 dollar].
    taker_fees, maker_fees : int
        [1/1 000 000 dollar]
    carried : int
        Rounding that its fills have paid too much and not been given back; see `fees.align`.
    lock : int
        What it reserves while it rests, before netting with the position.
    ticket : int
        Place in time among all orders that came to rest; a new one when it loses its place.
    ahead, behind : Order or None
        Its neighbours in the queue at its price.
    """

    holding: Holding
    wallet: Wallet
    market: Market
    client_order_id: str
    is_bid: bool
    price: int
    initial: int
    remaining: int
    self_trade: SelfTrade
    post_only: bool
    cancel_on_pause: bool
    expiration: int
    group: OrderGroup | None
    created: int
    updated: int
    order_id: str = ""
    filled: int = 0
    status: Status = "resting"
    reason: Reason = ""
    taker_cost: int = 0
    maker_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    carried: int = 0
    lock: int = 0
    ticket: int = 0
    ahead: Order | None = None
    behind: Order | None = None

    @property
    def side(self) -> Side:
        """``bid`` or ``ask``."""
        return "bid" if self.is_bid else "ask"

    def __repr__(self) -> str:
        return (
            f"<Order {self.order_id} {self.market.ticker} {self.side} {self.price} "
            f"{self.filled}+{self.remaining}/{self.initial} {self.status}>"
        )


class Matched(Struct):
    """What an incoming order got.

    Attributes
    ----------
    filled, value, fees : int
        Contracts, YES price × contracts, and fees.
    stopped : str
        Why matching ended although there was more to match: ``SelfTradeCancel``, ``group`` or empty.
    """

    filled: int = 0
    value: int = 0
    fees: int = 0
    stopped: str = ""


class Receipt(Struct):
    """What a request about an order brought.

    Attributes
    ----------
    order : Order
    filled : int
        Contracts matched by this request [1/100 contract].
    value : int
        YES price × count over those fills [1/1 000 000 dollar].
    fees : int
        Charged for those fills [1/1 000 000 dollar].
    remaining : int
        What rests after it [1/100 contract].
    reduced_by : int
        What was taken off the resting size [1/100 contract].
    changed : bool
        False for an amendment without fills that left the resting size as it was, and for an answer
        about an earlier order.
    clock, time : int
    """

    order: Order
    filled: int
    value: int
    fees: int
    remaining: int
    reduced_by: int
    changed: bool
    clock: int
    time: int

    @property
    def average_price(self) -> int | None:
        """Mean YES price of the fills, to the nearest 1/10 000 dollar; None without fills."""
        return (2 * self.value + self.filled) // (2 * self.filled) if self.filled else None

    @property
    def average_fee(self) -> int | None:
        """Mean fee a contract, to the nearest 1/10 000 dollar; None without fills."""
        return (2 * self.fees + self.filled) // (2 * self.filled) if self.filled else None
