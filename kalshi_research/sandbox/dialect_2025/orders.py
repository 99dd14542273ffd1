"""What an order of 2025 says: action and side, whole contracts, whole cents of either leg."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import InputError
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, parse_fixed
from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.dialect_2025.world import CENT
from kalshi_research.sandbox.refusals import Refusal, bad_combination, refused

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Order

__all__ = ["Amendment", "NewOrder", "read_amendment", "read_count", "read_order"]

Json = dict[str, Any]

_SIDES = ("yes", "no")
_ACTIONS = ("buy", "sell")
_PRICES = ("yes_price", "no_price", "yes_price_dollars", "no_price_dollars")
_FORCES = {
    "": "good_till_canceled",
    "good_till_canceled": "good_till_canceled",
    "immediate_or_cancel": "immediate_or_cancel",
    "fill_or_kill": "fill_or_kill",
}


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A new order, in the integers of the engine; `price` is on the YES leg."""

    ticker: str
    side: str
    action: str
    price: int
    count: int
    options: Json

    @property
    def is_bid(self) -> bool:
        """Whether it buys YES or, which is the same, sells NO."""
        return is_bid(self.side, self.action)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to become of an order; `count` is the total, what is filled included."""

    ticker: str
    side: str
    action: str
    price: int
    count: int
    client_order_id: str
    new_client_order_id: str


def is_bid(side: str, action: str) -> bool:
    """Whether side and action come down to buying YES.

    Examples
    --------
    >>> is_bid("yes", "buy"), is_bid("no", "sell"), is_bid("no", "buy")
    (True, True, False)
    """
    return (action == "buy") == (side == "yes")


def _word(body: Body, field: str, allowed: tuple[str, ...], default: str = "") -> str:
    said = body.text(field, required=not default) or default
    if said not in allowed:
        raise bad_combination(f"{field} is {' or '.join(allowed)}")
    return said


def _invalid_price(details: str) -> Refusal:
    return refused(400, "invalid_price", details=details)


def _price(body: Body) -> int | None:
    """The limit on the YES leg; None where none is given."""
    given = [name for name in _PRICES if body.fields.get(name) is not None]
    if len(given) > 1:
        raise bad_combination(f"{' and '.join(given)} exclude each other")
    if not given:
        return None
    name = given[0]
    price = _dollars(body, name) if name.endswith("_dollars") else (body.integer(name) or 0) * CENT
    if not CENT <= price <= PRICE_SCALE - CENT:
        raise _invalid_price("price must be 1-99 cents")
    return price if name.startswith("yes") else PRICE_SCALE - price


def _dollars(body: Body, name: str) -> int:
    try:
        price = parse_fixed(body.text(name), PRICE_SCALE)
    except InputError:
        raise _invalid_price(f"{name} is no decimal of the needed form") from None
    if price % CENT:
        raise _invalid_price("the tick size is 1 cent")
    return price


def read_count(body: Body, field: str = "count", *, low: int = 1) -> int | None:
    """Whole contracts in the integers of the engine; None where they are not given."""
    count = body.integer(field)
    if count is not None and count < low:
        raise refused(400, "invalid_order_size", details=f"{field} is below {low}")
    return None if count is None else count * COUNT_SCALE


def read_order(fields: Json) -> NewOrder:
    """Take the body of a new order apart.

    Raises
    ------
    Refusal
        400

    Examples
    --------
    >>> order = read_order(
    ...     {"ticker": "M", "action": "buy", "side": "no", "count": 2, "type": "limit", "no_price": 30}
    ... )
    >>> order.is_bid, order.price, order.count
    (False, 7000, 200)
    """
    body = Body("CreateOrderRequest", fields)
    ticker = body.text("ticker", required=True)
    side, action = _word(body, "side", _SIDES), _word(body, "action", _ACTIONS)
    kind = _word(body, "type", ("limit", "market"), "limit")
    body.integer("count", required=True)
    count, price = read_count(body) or 0, _price(body)
    force = _force(body, kind)
    _refuse_unknown(body)
    if kind == "market":
        if price is not None:
            raise bad_combination("a market order has no price")
        price = PRICE_SCALE - CENT if is_bid(side, action) else CENT
    if price is None:
        raise _invalid_price("a limit order needs yes_price or no_price, 1-99 cents")
    options = {
        "time_in_force": force,
        "self_trade": body.text("self_trade_prevention_type") or "taker_at_cross",
        "client_order_id": body.text("client_order_id"),
        "expiration": body.instant("expiration_ts") or 0,
        "post_only": body.flag("post_only"),
        "reduce_only": body.flag("reduce_only"),
        "cancel_on_pause": body.flag("cancel_order_on_pause"),
    }
    return NewOrder(ticker, side, action, price, count, options)


def _refuse_unknown(body: Body) -> None:
    """What would limit an order and is not known here must not be passed over."""
    said = [
        name
        for name in ("buy_max_cost", "order_group_id", "sell_position_floor")
        if body.fields.get(name)
    ]
    said += ["subaccount"] if body.integer("subaccount") else []
    if said:
        raise bad_combination(f"{said[0]} is not in the documents; nothing was ordered")


def _force(body: Body, kind: str) -> str:
    force = _FORCES.get(body.text("time_in_force"))
    if force is None:
        raise bad_combination("time_in_force is not known")
    # A market order takes what there is.
    return "immediate_or_cancel" if kind == "market" and force == "good_till_canceled" else force


def read_amendment(fields: Json, order: Order, words: tuple[str, str]) -> Amendment:
    """Take the body of an amendment apart; what it does not say stays as it is.

    Parameters
    ----------
    fields : dict
    order : Order
        As it is.
    words : tuple of str
        Its side and action.

    Raises
    ------
    Refusal
        400
    """
    body = Body("AmendOrderRequest", fields)
    price, count = _price(body), read_count(body)
    if price is None and count is None:
        raise bad_combination("a price or a count is needed")
    return Amendment(
        body.text("ticker") or order.market.ticker,
        _word(body, "side", _SIDES, words[0]),
        _word(body, "action", _ACTIONS, words[1]),
        order.price if price is None else price,
        order.initial if count is None else count,
        body.text("client_order_id"),
        body.text("updated_client_order_id"),
    )
