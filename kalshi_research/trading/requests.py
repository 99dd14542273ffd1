"""The one place that builds bodies and routes of orders.

Two dialects: that of today (V2), in which an order is a bid or an ask on the YES price, and
that of the documents of 2025, in which it buys or sells an outcome for whole cents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.errors import InputError, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, fixed_text

if TYPE_CHECKING:
    from kalshi_research.trading.terms import OrderTerms

__all__ = [
    "DIALECTS",
    "Request",
    "amend_request",
    "cancel_all_request",
    "cancel_request",
    "cancels_request",
    "create_body",
    "create_request",
    "creates_request",
    "decrease_request",
    "group_request",
]

DIALECTS: Final = ("2026", "2025")
_CENT: Final = PRICE_SCALE // 100
_ORDERS: Final = {"2026": "/portfolio/events/orders", "2025": "/portfolio/orders"}
_GROUPS: Final = "/portfolio/order_groups"


@dataclass(frozen=True)
class Request:
    """What to send: the arguments of `Client.request`."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def _route(dialect: str) -> str:
    if dialect not in _ORDERS:
        raise InputError(
            f"dialect={quoted(dialect, 40)} is unknown; nothing was sent. "
            f"Choose {' or '.join(DIALECTS)}."
        )
    return _ORDERS[dialect]


def _count(count: int) -> str:
    return fixed_text(count, COUNT_SCALE)


def _price(price: int) -> str:
    return fixed_text(price, PRICE_SCALE)


def _whole(count: int) -> int:
    if count % COUNT_SCALE:
        raise InputError(
            f"the exchange of 2025 takes whole contracts, not {_count(count)}; nothing was sent.\n"
            f"The nearest valid quantity is {max(1, (count + COUNT_SCALE // 2) // COUNT_SCALE)}."
        )
    return count // COUNT_SCALE


def _cents(price: int) -> int:
    if price % _CENT:
        below = price // _CENT
        raise InputError(
            f"the exchange of 2025 takes whole cents, not ${_price(price)}; nothing was sent.\n"
            f"The nearest valid prices are 0.{below:02d} and 0.{below + 1:02d}."
        )
    return price // _CENT


def create_body(
    terms: OrderTerms, client_order_id: str = "", *, dialect: str = "2026"
) -> dict[str, Any]:
    """The body that creates an order.

    Parameters
    ----------
    terms : OrderTerms
    client_order_id : str
        Left out when empty.
    dialect : {"2026", "2025"}

    Examples
    --------
    >>> from kalshi_research.trading.terms import OrderTerms
    >>> create_body(OrderTerms("T", "buy", "no", 4400, 100))["price"]
    '0.5600'
    >>> create_body(OrderTerms("T", "buy", "no", 4400, 100), dialect="2025")["no_price"]
    44
    """
    _route(dialect)
    body = _body_2026(terms) if dialect == "2026" else _body_2025(terms)
    if client_order_id:
        body["client_order_id"] = client_order_id
    options = {
        "post_only": terms.post_only,
        "reduce_only": terms.reduce_only,
        "cancel_order_on_pause": terms.cancel_on_pause,
        "order_group_id": terms.order_group,
    }
    body |= {name: value for name, value in options.items() if value}
    if terms.subaccount is not None:
        body["subaccount"] = terms.subaccount
    return body


def _body_2026(terms: OrderTerms) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ticker": terms.ticker,
        "side": terms.side,
        "count": _count(terms.count),
        "price": _price(terms.yes_price),
        "time_in_force": terms.time_in_force,
        "self_trade_prevention_type": terms.self_trade_prevention,
    }
    if terms.expiration:
        body["expiration_time"] = terms.expiration
    return body


def _body_2025(terms: OrderTerms) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ticker": terms.ticker,
        "action": terms.action,
        "side": terms.outcome,
        "count": _whole(terms.count),
        "type": "limit",
        f"{terms.outcome}_price": _cents(terms.price),
    }
    if terms.time_in_force != "good_till_canceled":
        body["time_in_force"] = terms.time_in_force
    if terms.expiration:
        body["expiration_ts"] = terms.expiration
    if terms.self_trade_prevention != "taker_at_cross":
        body["self_trade_prevention_type"] = terms.self_trade_prevention
    return body


def create_request(terms: OrderTerms, client_order_id: str, *, dialect: str = "2026") -> Request:
    """The request that creates one order."""
    return Request("POST", _route(dialect), create_body(terms, client_order_id, dialect=dialect))


def creates_request(orders: Sequence[tuple[OrderTerms, str]], *, dialect: str = "2026") -> Request:
    """The request that creates several orders, each given with its client order id."""
    bodies = [create_body(terms, name, dialect=dialect) for terms, name in orders]
    return Request("POST", f"{_route(dialect)}/batched", {"orders": bodies})


def _place(ticker: str, subaccount: int | None, dialect: str) -> dict[str, Any]:
    """Where an order is to be looked for: an id alone does not say on which shard it is."""
    place: dict[str, Any] = {"market_ticker": ticker} if dialect == "2026" else {}
    if subaccount is not None:
        place["subaccount"] = subaccount
    return place


def cancel_request(
    order_id: str, ticker: str, *, subaccount: int | None = None, dialect: str = "2026"
) -> Request:
    """The request that cancels one order."""
    path = f"{_route(dialect)}/{order_id}"
    return Request("DELETE", path, params=_place(ticker, subaccount, dialect))


def cancels_request(orders: Sequence[tuple[str, str, int | None]], *, dialect: str = "2026") -> Request:
    """The request that cancels several orders, each given by id, ticker and subaccount."""
    path = f"{_route(dialect)}/batched"
    if dialect == "2025":
        return Request("DELETE", path, {"ids": [order_id for order_id, _, _ in orders]})
    rows = [{"order_id": order_id, **_place(ticker, sub, dialect)} for order_id, ticker, sub in orders]
    return Request("DELETE", path, {"orders": rows})


def cancel_all_request(*, subaccount: int | None = None) -> Request:
    """The request that cancels every resting order; the exchange of 2025 has none."""
    params = {} if subaccount is None else {"subaccount": subaccount}
    return Request("DELETE", _ORDERS["2026"], params=params)


def amend_request(
    order_id: str,
    terms: OrderTerms,
    *,
    client_order_id: str = "",
    updated_client_order_id: str = "",
    expiration: int | None = None,
    dialect: str = "2026",
) -> Request:
    """The request that gives an order another price, size or expiry.

    Parameters
    ----------
    order_id : str
    terms : OrderTerms
        As the order is to be; its count is the total, what is filled included.
    client_order_id, updated_client_order_id : str
        As it is, and as it is to be; left out when empty.
    expiration : int, optional
        None keeps it, 0 clears it, else seconds since 1970.
    dialect : {"2026", "2025"}
    """
    path = f"{_route(dialect)}/{order_id}"
    if dialect == "2025":
        body: dict[str, Any] = {
            "ticker": terms.ticker,
            "action": terms.action,
            "side": terms.outcome,
            "count": _whole(terms.count),
            f"{terms.outcome}_price": _cents(terms.price),
        }
    else:
        body = {
            "ticker": terms.ticker,
            "side": terms.side,
            "price": _price(terms.yes_price),
            "count": _count(terms.count),
        }
        if expiration is not None:
            body["expiration_time"] = expiration
    if client_order_id:
        body["client_order_id"] = client_order_id
    if updated_client_order_id:
        body["updated_client_order_id"] = updated_client_order_id
    if dialect == "2025":  # in its documents an order is amended by putting it
        return Request("PUT", path, body)
    params = {} if terms.subaccount is None else {"subaccount": terms.subaccount}
    return Request("POST", f"{path}/amend", body, params)


def decrease_request(
    order_id: str,
    ticker: str,
    *,
    reduce_by: int | None = None,
    reduce_to: int | None = None,
    subaccount: int | None = None,
    dialect: str = "2026",
) -> Request:
    """The request that makes an order smaller, by or to a count [1/100 contract]."""
    path = f"{_route(dialect)}/{order_id}/decrease"
    sizes = {"reduce_by": reduce_by, "reduce_to": reduce_to}
    body: dict[str, Any] = {
        name: _whole(size) if dialect == "2025" else _count(size)
        for name, size in sizes.items()
        if size is not None
    }
    if dialect == "2026":
        body["market_ticker"] = ticker
    params = {} if subaccount is None else {"subaccount": subaccount}
    return Request("POST", path, body, params)


def group_request(
    act: str,
    group_id: str = "",
    *,
    limit: int | None = None,
    shard: int | None = None,
) -> Request:
    """The request that makes or changes an order group.

    Parameters
    ----------
    act : {"create", "reset", "trigger", "limit", "delete"}
    group_id : str
        Empty for ``create``.
    limit : int, optional
        Whole contracts in fifteen seconds.
    shard : int, optional
        Where the markets of the group live; None is the first.

    Examples
    --------
    >>> group_request("reset", "g1").path
    '/portfolio/order_groups/g1/reset'
    """
    if act == "create":
        body: dict[str, Any] = {"contracts_limit": limit}
        if shard is not None:
            body["exchange_index"] = shard
        return Request("POST", f"{_GROUPS}/create", body)
    if act == "delete":
        return Request("DELETE", f"{_GROUPS}/{group_id}")
    changed = {"contracts_limit": limit} if act == "limit" else None
    return Request("PUT", f"{_GROUPS}/{group_id}/{act}", changed)
