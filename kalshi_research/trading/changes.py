"""Changing and cancelling orders: the functions a notebook calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, printable
from kalshi_research.money import COUNT_SCALE
from kalshi_research.trading.accounting import account
from kalshi_research.trading.cancelling import cancel
from kalshi_research.trading.changing import amend, decrease
from kalshi_research.trading.desk import desk_of, order_id_of
from kalshi_research.trading.ids import check_key
from kalshi_research.trading.reading import read_expiration, read_price, read_quantity
from kalshi_research.trading.standing import known_order, terms_of
from kalshi_research.trading.terms import as_text, check_ticker, quantity_text

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.report import OrderReport
    from kalshi_research.trading.terms import OrderTerms

__all__ = ["amend_order", "cancel_order", "decrease_order"]

Number = str | Decimal | float


def amend_order(
    client: Client,
    order: str | OrderReport,
    *,
    price: Number | None = None,
    quantity: Number | None = None,
    expires: datetime | int | None = None,
    action: str | None = None,
    outcome: str | None = None,
    ticker: str | None = None,
    updated_client_order_id: str | None = None,
) -> OrderReport:
    """Give a resting order another price, size or expiry.

    A smaller size or another expiry keeps its place in the queue; another price or a larger size
    does not, and may trade at once.

    Parameters
    ----------
    client : Client
        With a key.
    order : str or OrderReport
        The exchange's order id, or a report.
    price : str, Decimal or number, optional
        On the outcome that the order names [dollars].
    quantity : str, Decimal or number, optional
        In all: what is filled plus what is to remain [contracts].
    expires : datetime or int, optional
        Aware, or seconds since 1970; 0 takes the expiry away.
    action, outcome, ticker : str, optional
        What the order is taken to be; if it is another, nothing is sent.
    updated_client_order_id : str, optional
        Another id of your own for it.

    Returns
    -------
    OrderReport
        The order as it is then.

    Raises
    ------
    InputError
        Something is wrong with the change; nothing was sent.
    OrderRejected
        The exchange refused it; the order is as it was.
    OrderNotPlaced
        It provably did not take effect.
    OrderUnknown
        It is not known whether it took effect. Ask its ``resolve()``.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> report = kr.create_order(client, "KXHIGHNY-26NOV21-T42", quantity=3, price="0.01")
    >>> str(kr.amend_order(client, report, quantity=2).remaining)
    '2.00'
    """
    desk = desk_of(client)
    desk.require_permission()
    order_id = order_id_of(order)
    if price is None and quantity is None and expires is None and updated_client_order_id is None:
        raise InputError("amend_order needs a price, a quantity or an expiry; nothing was sent.")
    named = _market_of(order, ticker)
    updated = "" if updated_client_order_id is None else check_key(updated_client_order_id)
    account(desk)
    facts, mine = known_order(desk, order_id, named)
    before = terms_of(facts, mine)
    _require(order_id, before, ticker=ticker, action=action, outcome=outcome)
    _require_resting(facts)
    after = _target(desk, before, price, quantity, facts.filled)
    expiration = None
    if expires is not None:
        expiration, problem = read_expiration(expires, desk.present())
        if problem:
            raise InputError(f"{problem}; nothing was sent.")
    desk.check_change(before, after)
    return amend(desk, facts, mine, after, expiration=expiration, updated_client_order_id=updated)


def _market_of(order: object, ticker: str | None) -> str | None:
    """The market that a caller names, or a report; None where nobody does."""
    if ticker is not None:
        return check_ticker(ticker)
    named = getattr(order, "ticker", None)
    return named if isinstance(named, str) and named else None


def _require(order_id: str, before: OrderTerms, **given: str | None) -> None:
    """Refuse to change another order than the one that is meant."""
    for name, value in given.items():
        meant = isinstance(value, str) and value == getattr(before, name)
        if value is not None and not meant:
            raise InputError(
                f"order {order_id} has the {name} {getattr(before, name)}, not "
                f"{printable(value, 60)}; nothing was sent."
            )


def _require_resting(facts: OrderFacts) -> None:
    if facts.finished:
        done = quantity_text(facts.filled)
        raise InputError(f"order {facts.order_id} is {facts.status} ({done} filled); nothing was sent.")


def _target(
    desk: Desk, before: OrderTerms, price: Number | None, quantity: Number | None, filled: int
) -> OrderTerms:
    """The order as it is to be, checked against its market."""
    rules = desk.rules(before.ticker)
    new_price, problem = (
        (before.price, "") if price is None else read_price(price, before.outcome, rules)
    )
    if problem:
        raise InputError(f"{problem}; nothing was sent.")
    total, problem = (before.count, "") if quantity is None else read_quantity(quantity)
    if problem:
        raise InputError(f"{problem}; nothing was sent.")
    if total <= filled:
        raise InputError(
            f"the quantity {quantity_text(total)} is the total, and {quantity_text(filled)} is filled "
            f"already; nothing was sent.\nThe smallest valid quantity is {quantity_text(filled + 1)}."
        )
    return replace(before, price=new_price, count=total)


def decrease_order(
    client: Client,
    order: str | OrderReport,
    *,
    by: Number | None = None,
    to: Number | None = None,
) -> OrderReport:
    """Make a resting order smaller; it keeps its place in the queue.

    Parameters
    ----------
    client : Client
        With a key.
    order : str or OrderReport
        The exchange's order id, or a report.
    by : str, Decimal or number, optional
        How much less is to remain [contracts].
    to : str, Decimal or number, optional
        How much is to remain [contracts]; give this or `by`.

    Returns
    -------
    OrderReport
        The order as it is then.

    Raises
    ------
    InputError
        Something is wrong with the change; nothing was sent.
    OrderRejected
        The exchange refused it; the order is as it was.
    OrderNotPlaced
        It provably did not take effect.
    OrderUnknown
        It is not known whether it took effect. Ask its ``resolve()``.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> report = kr.create_order(client, "KXHIGHNY-26NOV21-T42", quantity=4, price="0.01")
    >>> str(kr.decrease_order(client, report, to=1).remaining)
    '1.00'
    """
    desk = desk_of(client)
    desk.require_permission()
    order_id = order_id_of(order)
    if (by is None) == (to is None):
        raise InputError("decrease_order needs by= or to=, one of them; nothing was sent.")
    size, problem = read_quantity(by if to is None else to)
    if problem and not (to is not None and as_text(to, COUNT_SCALE) in ("0", "0.0", "0.00")):
        raise InputError(f"{problem}; nothing was sent.")
    account(desk)
    facts, mine = known_order(desk, order_id, getattr(order, "ticker", None))
    _require_resting(facts)
    if size > facts.remaining or (to is not None and size == facts.remaining):
        raise InputError(
            f"{quantity_text(facts.remaining)} remain of order {order_id}, so it cannot be decreased "
            f"{'by' if to is None else 'to'} {quantity_text(size)}; nothing was sent."
        )
    if to is None:
        return decrease(desk, facts, mine, reduce_by=size)
    return decrease(desk, facts, mine, reduce_to=size)


def cancel_order(client: Client, order: str | OrderReport, *, ticker: str | None = None) -> OrderReport:
    """Cancel an order, and say what it ended as.

    Parameters
    ----------
    client : Client
        With a key.
    order : str or OrderReport
        The exchange's order id, or a report.
    ticker : str, optional
        Its market, if neither the report nor the journal knows it.

    Returns
    -------
    OrderReport
        ``.state`` is ``canceled``, or ``executed`` if it was filled before the cancel came.
        ``.filled`` says how much was filled.

    Raises
    ------
    NotFoundError
        There is no such order.
    OrderRejected
        The exchange refuses cancels now; the order is as it was.
    OrderUnknown
        It is not known what it ended as. Cancelling again is harmless.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> report = kr.create_order(client, "KXHIGHNY-26NOV21-T42", quantity=5, price="0.01")
    >>> kr.cancel_order(client, report).state
    'canceled'
    """
    desk = desk_of(client)
    desk.require_permission()
    order_id = order_id_of(order)
    mine = desk.journal.order(order_id)
    known = _market_of(order, ticker)
    if known is None and mine is not None:
        known = mine.terms["ticker"]
    subaccount = mine.terms.get("subaccount") if mine is not None else None
    if known is None:
        facts, _ = known_order(desk, order_id)
        known, subaccount = facts.ticker, facts.subaccount or None
    return cancel(desk, order_id, check_ticker(known), subaccount)
