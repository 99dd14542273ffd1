"""What answers about single orders say, as plain integers: for trading, where no frame is wanted.

Both dialects are read: today's texts, and the whole cents and contracts of 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kalshi_research.errors import DecodeError, InputError, printable, quoted
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, parse_fixed

__all__ = [
    "FillFacts",
    "OrderFacts",
    "Receipt",
    "fill_facts",
    "order_facts",
    "position_facts",
    "queue_facts",
    "receipt_of",
]

_CENT = PRICE_SCALE // 100


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order as the exchange shows it.

    Attributes
    ----------
    order_id, client_order_id, ticker : str
    status : str
        ``resting``, ``canceled`` or ``executed``; another word is kept.
    side : str
        ``bid`` or ``ask``, on the YES book.
    yes_price : int
        Limit on the YES leg [1/10 000 dollar].
    initial, filled, remaining : int
        [1/100 contract]
    expiration : str
        RFC 3339; empty for none.
    created : str
        RFC 3339; empty where it is not said.
    subaccount : int or None
    """

    order_id: str
    client_order_id: str
    ticker: str
    status: str
    side: str
    yes_price: int
    initial: int
    filled: int
    remaining: int
    expiration: str = ""
    created: str = ""
    subaccount: int | None = None

    @property
    def finished(self) -> bool:
        """Whether it can neither be filled nor changed any more."""
        return self.status in ("canceled", "executed")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the answer to a write says; None where it says nothing.

    Attributes
    ----------
    order_id, client_order_id : str
    filled, remaining, reduced : int or None
        [1/100 contract]
    average_price, average_fee : int or None
        [1/10 000 dollar]
    order : OrderFacts or None
        The whole order, where the answer holds it.
    """

    order_id: str
    client_order_id: str = ""
    filled: int | None = None
    remaining: int | None = None
    reduced: int | None = None
    average_price: int | None = None
    average_fee: int | None = None
    order: OrderFacts | None = None


@dataclass(frozen=True, slots=True)
class FillFacts:
    """One's own half of a trade: which order, which way, how much [1/100 contract]."""

    order_id: str
    ticker: str
    side: str
    count: int


def _text(row: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    value = row.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value):
        raise DecodeError(f"an order has no readable {name}; nothing of it was used", where=f"$.{name}")
    return value


def _fixed(row: Mapping[str, Any], name: str, scale: int) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        return parse_fixed(value, scale)
    except (InputError, TypeError):
        said = quoted(value, 40)
    raise DecodeError(f"{name} of an order is {said}; nothing of it was used", where=f"$.{name}")


def _whole(row: Mapping[str, Any], name: str, scale: int) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise DecodeError(f"{name} of an order is {quoted(value, 40)}", where=f"$.{name}")
    return value * scale


def _count(row: Mapping[str, Any], name: str) -> int | None:
    found = _fixed(row, f"{name}_fp", COUNT_SCALE)
    return _whole(row, name, COUNT_SCALE) if found is None else found


def _price(row: Mapping[str, Any], leg: str) -> int | None:
    found = _fixed(row, f"{leg}_price_dollars", PRICE_SCALE)
    return _whole(row, f"{leg}_price", _CENT) if found is None else found


def _side(row: Mapping[str, Any]) -> str:
    side = row.get("book_side") or {"yes": "bid", "no": "ask"}.get(str(row.get("outcome_side")))
    if side is None and row.get("action") in ("buy", "sell") and row.get("side") in ("yes", "no"):
        side = "bid" if (row["action"] == "buy") == (row["side"] == "yes") else "ask"
    if side not in ("bid", "ask"):
        raise DecodeError("an order does not say which side it is on; nothing of it was used")
    return str(side)


def order_facts(row: object) -> OrderFacts:
    """Read one order.

    Raises
    ------
    DecodeError
        If a field that decides is missing or cannot be read.

    Examples
    --------
    >>> order_facts({"order_id": "o", "client_order_id": "c", "ticker": "T", "status": "resting",
    ...     "side": "no", "action": "buy", "yes_price": 56, "initial_count": 2, "fill_count": 0,
    ...     "remaining_count": 2}).side
    'ask'
    """
    if not isinstance(row, Mapping):
        raise DecodeError(f"an order is {printable(type(row).__name__, 40)} instead of an object")
    price = _price(row, "yes")
    if price is None:
        other = _price(row, "no")
        price = None if other is None else PRICE_SCALE - other
    filled, remaining = _count(row, "fill_count"), _count(row, "remaining_count")
    status = _text(row, "status", needed=True)
    if price is None or remaining is None:
        raise DecodeError("an order has no price or no remaining count; nothing of it was used")
    initial = _count(row, "initial_count")
    if filled is None:
        if initial is None or status == "canceled":
            raise DecodeError("an order does not say how much of it is filled; nothing of it was used")
        filled = initial - remaining
    subaccount = row.get("subaccount_number")
    return OrderFacts(
        order_id=_text(row, "order_id", needed=True),
        client_order_id=_text(row, "client_order_id"),
        ticker=_text(row, "ticker", needed=True),
        status=status,
        side=_side(row),
        yes_price=price,
        initial=filled + remaining if initial is None else initial,
        filled=filled,
        remaining=remaining,
        expiration=_text(row, "expiration_time"),
        created=_text(row, "created_time"),
        subaccount=subaccount if isinstance(subaccount, int) else None,
    )


def receipt_of(answer: object) -> Receipt:
    """Read the answer to a write about one order.

    Raises
    ------
    DecodeError
        If it names no order.

    Examples
    --------
    >>> receipt_of({"order_id": "o", "fill_count": "0.00", "remaining_count": "1.00"}).remaining
    100
    """
    if not isinstance(answer, Mapping):
        raise DecodeError("the answer to a write is no object; nothing of it was used")
    inner = answer.get("order")
    if isinstance(inner, Mapping):
        order = order_facts(inner)
        return Receipt(
            order.order_id,
            order.client_order_id,
            order.filled,
            order.remaining,
            _whole(answer, "reduced_by", COUNT_SCALE),
            order=order,
        )
    return Receipt(
        _text(answer, "order_id", needed=True),
        _text(answer, "client_order_id"),
        _fixed(answer, "fill_count", COUNT_SCALE),
        _fixed(answer, "remaining_count", COUNT_SCALE),
        _fixed(answer, "reduced_by", COUNT_SCALE),
        _fixed(answer, "average_fill_price", PRICE_SCALE),
        _fixed(answer, "average_fee_paid", PRICE_SCALE),
    )


def fill_facts(row: object) -> FillFacts:
    """Read one fill.

    Raises
    ------
    DecodeError
        If it names no order or no count.
    """
    if not isinstance(row, Mapping):
        raise DecodeError("a fill is no object; nothing of it was used")
    count = _count(row, "count")
    if count is None:
        raise DecodeError("a fill has no count; nothing of it was used")
    ticker = row.get("ticker") or row.get("market_ticker") or ""
    return FillFacts(_text(row, "order_id", needed=True), str(ticker), _side(row), count)


def position_facts(row: object) -> int:
    """The contracts of a position, positive for YES [1/100 contract].

    Raises
    ------
    DecodeError
        If it does not say how many.

    Examples
    --------
    >>> position_facts({"ticker": "T", "position": -3})
    -300
    """
    count = _count(row, "position") if isinstance(row, Mapping) else None
    if count is None:
        raise DecodeError("a position does not say how many contracts it has; nothing of it was used")
    return count


def queue_facts(row: object) -> tuple[str, str, int]:
    """The place of an order in its queue: order id, ticker, contracts ahead [1/100].

    Raises
    ------
    DecodeError
        If one of them is missing.
    """
    ahead = _count(row, "queue_position") if isinstance(row, Mapping) else None
    if ahead is None or not isinstance(row, Mapping):
        raise DecodeError("a queue position has no number; nothing of it was used")
    return _text(row, "order_id", needed=True), _text(row, "market_ticker"), ahead
