"""What happened, in the order in which it happened.

Everything that a REST view or a WebSocket stream shows can be built from these, without
asking the engine again. `clock` counts actions: the events of one action share it, and it
never goes down. `time` is the engine's [µs since 1970]. Prices are in 1/10 000 dollar, counts
in 1/100 contract, money in 1/1 000 000 dollar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from kalshi_research.fees import FeeTerms
    from kalshi_research.money import PriceGrid
    from kalshi_research.sandbox.engine.orders import Order, Reason, Status

__all__ = [
    "BookDelta",
    "Event",
    "ExchangeUpdate",
    "FeeUpdate",
    "Fill",
    "GroupUpdate",
    "Lifecycle",
    "OrderUpdate",
    "PositionUpdate",
    "Settlement",
    "Trade",
]


class BookDelta(Struct):
    """The size of a level changed.

    The book shows bids only: an offer of YES at `p` is on the side ``no`` at ``1 − p``, and
    `price` is the price of that leg. `order` is the resting order whose size it was.
    """

    clock: int
    time: int
    ticker: str
    side: Literal["yes", "no"]
    price: int
    delta: int
    order: Order


class Trade(Struct):
    """Two orders met. `price` is the YES price, which was the resting order's."""

    clock: int
    time: int
    trade_id: str
    ticker: str
    price: int
    count: int
    taker_side: Literal["bid", "ask"]


class Fill(Struct):
    """One party's half of a trade; both halves carry the trade's id.

    `fee` is what was charged for it, rounding included; `position` the signed position after it.
    """

    clock: int
    time: int
    trade_id: str
    order: Order
    price: int
    count: int
    is_taker: bool
    fee: int
    position: int


class OrderUpdate(Struct):
    """The full state of an order after a change.

    What never changes (id, user, market, side, subaccount, group, …) is read from `order`.
    """

    clock: int
    time: int
    order: Order
    reason: Reason
    status: Status
    price: int
    initial: int
    filled: int
    remaining: int
    taker_cost: int
    maker_cost: int
    taker_fees: int
    maker_fees: int
    expiration: int
    client_order_id: str


class PositionUpdate(Struct):
    """The state of a position after a change; see `Holding` for the fields."""

    clock: int
    time: int
    user: str
    subaccount: int
    ticker: str
    position: int
    cost: int
    fee_cost: int
    realised: int
    fees: int
    volume: int


class Lifecycle(Struct):
    """A market changed its state, dates, grid or result.

    `kind` is the name of the event on the wire; it is empty for the changes that the exchange does
    not announce (opening, closing, dispute, amendment).
    """

    clock: int
    time: int
    ticker: str
    kind: Literal[
        "created",
        "activated",
        "deactivated",
        "close_date_updated",
        "determined",
        "settled",
        "price_level_structure_updated",
        "",
    ]
    status: str
    close_time: int
    result: str
    value: int | None
    grid: PriceGrid


class Settlement(Struct):
    """A position was paid out.

    `revenue` is what the position was worth, before `rounding_fee` was kept from it; `fees` is all
    that was charged on this market, including that.
    """

    clock: int
    time: int
    user: str
    subaccount: int
    ticker: str
    event_ticker: str
    result: str
    value: int
    yes_count: int
    yes_cost: int
    no_count: int
    no_cost: int
    revenue: int
    rounding_fee: int
    fees: int


class GroupUpdate(Struct):
    """An order group changed; `limit` is its limit of contracts after the change."""

    clock: int
    time: int
    user: str
    group_id: str
    kind: Literal["created", "triggered", "reset", "deleted", "limit_updated"]
    limit: int
    subaccount: int


class ExchangeUpdate(Struct):
    """Trading, or the whole exchange, was paused or resumed."""

    clock: int
    time: int
    exchange_active: bool
    trading_active: bool


class FeeUpdate(Struct):
    """The fees of all markets of an event changed."""

    clock: int
    time: int
    event_ticker: str
    terms: FeeTerms


Event = (
    BookDelta
    | Trade
    | Fill
    | OrderUpdate
    | PositionUpdate
    | Lifecycle
    | Settlement
    | GroupUpdate
    | ExchangeUpdate
    | FeeUpdate
)
"""Any of the above."""
