"""Placing orders: the functions a notebook calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.errors import InputError, printable, quoted
from kalshi_research.trading.accounting import account
from kalshi_research.trading.batches import place_all
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.ids import check_key
from kalshi_research.trading.lists import items_of
from kalshi_research.trading.placing import place
from kalshi_research.trading.reading import read_terms
from kalshi_research.trading.terms import SELF_TRADE, TIMES_IN_FORCE, OrderTerms, check_ticker
from kalshi_research.trading.ticket import OrderTicket

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.report import OrderReport

__all__ = ["create_order", "create_orders"]

Number = str | Decimal | float


def create_order(
    client: Client,
    order: str | OrderTicket,
    *,
    action: str = "buy",
    outcome: str = "yes",
    quantity: Number | None = None,
    price: Number | None = None,
    time_in_force: str = "good_till_canceled",
    expires: datetime | int | None = None,
    post_only: bool = False,
    reduce_only: bool = False,
    cancel_on_pause: bool = False,
    self_trade_prevention: str = "taker_at_cross",
    order_group: str = "",
    subaccount: int | None = None,
    client_order_id: str | None = None,
) -> OrderReport:
    """Place one order, once.

    It is written into a journal before it is sent. If the answer is lost, the exchange is asked
    what became of it; it is never sent a second time. The journal lies in the data folder of the
    user, that of a sandbox among the temporary files; ``KALSHI_RESEARCH_JOURNAL`` names another
    folder.

    Parameters
    ----------
    client : Client
        With a key. ``"sandbox"`` and ``"demo"`` trade freely, ``"prod"`` after `arm`.
    order : str or OrderTicket
        A ticker, or a ticket that was confirmed; then the rest is on the ticket. It is sent to the
        environment its market was looked up in, and to no other.
    action : {"buy", "sell"}
    outcome : {"yes", "no"}
    quantity : str, Decimal or number
        [contracts]
    price : str, Decimal or number
        Limit on the outcome that is named [dollars], on the grid of the market. A float is taken
        if it is the double nearest to such a price.
    time_in_force : {"good_till_canceled", "immediate_or_cancel", "fill_or_kill"}
    expires : datetime or int, optional
        When it is cancelled by itself; aware, or seconds since 1970.
    post_only : bool
        Refuse it if it would trade at once.
    reduce_only : bool
        Only make a position smaller; with ``immediate_or_cancel``.
    cancel_on_pause : bool
        Cancel it when trading pauses.
    self_trade_prevention : {"taker_at_cross", "maker"}
        Which one goes when two of your own orders meet.
    order_group : str
        Id of an order group.
    subaccount : int, optional
    client_order_id : str, optional
        Your own id for it; by default a new UUID. Calling again with the same id and the same
        terms places nothing and answers with the first order; a call at the same moment, of another
        thread or kernel, waits for it.

    Returns
    -------
    OrderReport
        ``.state`` is ``resting``, ``partial``, ``executed`` or ``canceled``.

    Raises
    ------
    InputError
        Something is wrong with the order, or a limit forbids it; nothing was sent.
    OrderRejected
        The exchange refused it; nothing was placed.
    OrderNotPlaced
        It provably never arrived.
    OrderUnknown
        It is not known whether it arrived. Ask its ``resolve()``; an equal order is blocked.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> report = kr.create_order(client, "KXHIGHNY-26NOV21-B44.5", quantity=3, price="0.01")
    >>> report.state, report.filled
    ('resting', Decimal('0.00'))
    """
    desk = desk_of(client)
    fields = {
        "ticker": order,
        "action": action,
        "outcome": outcome,
        "quantity": quantity,
        "price": price,
        "time_in_force": time_in_force,
        "expires": expires,
        "post_only": post_only,
        "reduce_only": reduce_only,
        "cancel_on_pause": cancel_on_pause,
        "self_trade_prevention": self_trade_prevention,
        "order_group": order_group,
        "subaccount": subaccount,
    }
    if isinstance(order, OrderTicket):
        _refuse_more({**fields, "client_order_id": client_order_id})
        _refuse_elsewhere(order, client.environment.name)
        account(desk)
        terms, key = order.take()
        return place(desk, terms, key, fresh=True)
    check_key(client_order_id)
    return place(desk, _checked(desk, fields), client_order_id)


def create_orders(client: Client, orders: Iterable[Mapping[str, Any]]) -> list[OrderReport]:
    """Place several orders with one request; each is accounted for by itself.

    Parameters
    ----------
    client : Client
        With a key.
    orders : iterable of mapping
        The arguments of `create_order` by name, with ``ticker`` for the market.

    Returns
    -------
    list of OrderReport
        In the order given. What was refused has the state ``rejected``, what never arrived
        ``not placed``, what is not accounted for ``unknown``; ``.error`` says why.

    Raises
    ------
    InputError
        Something is wrong with one of them, or a limit forbids it; none was sent.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> one = {"ticker": "KXHIGHNY-26NOV21-B42.5", "quantity": 1}
    >>> both = [one | {"price": "0.01"}, one | {"price": "0.02"}]
    >>> [report.state for report in kr.create_orders(client, both)]
    ['resting', 'resting']
    """
    desk = desk_of(client)
    refusal = "orders must be a list of at least one mapping; nothing was sent."
    if hasattr(orders, "to_dict"):
        refusal += ' Of a frame: frame.to_dict("records").'
    rows = items_of(orders, refusal)
    if not rows:
        raise InputError(refusal)
    checked: list[tuple[OrderTerms, str | None]] = []
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            hint = " A ticket is sent by create_order." if isinstance(row, OrderTicket) else ""
            raise InputError(f"order {number} is no mapping; none was sent.{hint}")
        fields = dict(row)
        key = fields.pop("client_order_id", None)
        unknown = fields.keys() - _FIELDS
        if unknown:
            raise InputError(
                f"order {number} has no {printable(min(unknown, key=printable), 40)}; none was sent.\n"
                f"It may have {', '.join(sorted(_FIELDS))}."
            )
        check_key(key)
        given = {"action": "buy", "outcome": "yes"} | fields
        checked.append((_checked(desk, given, f"order {number}: "), key))
    return place_all(desk, checked)


_FIELDS = frozenset(
    {
        "ticker", "action", "outcome", "quantity", "price", "time_in_force", "expires", "post_only",
        "reduce_only", "cancel_on_pause", "self_trade_prevention", "order_group", "subaccount",
    }
)  # fmt: skip


_UNSAID: Final[Mapping[str, Any]] = {
    "action": "buy",
    "outcome": "yes",
    "time_in_force": TIMES_IN_FORCE[0],
    "self_trade_prevention": SELF_TRADE[0],
    "post_only": False,
    "reduce_only": False,
    "cancel_on_pause": False,
    "order_group": "",
}
"""What an argument is that was left out, if not None."""


def _refuse_more(fields: Mapping[str, Any]) -> None:
    """Refuse words beside a ticket: they would not count, and whoever wrote them thinks they do."""
    for name, value in fields.items():
        left_out = _UNSAID.get(name)
        if name != "ticker" and not (type(value) is type(left_out) and value == left_out):
            raise InputError(
                f"a ticket says everything itself, {name} as well; nothing was sent.\n"
                f"Leave it out, or set it on the ticket and confirm that."
            )


def _refuse_elsewhere(ticket: OrderTicket, here: str) -> None:
    """Refuse a ticket whose market was looked up on another exchange: its prices are those of there."""
    there = ticket.environment
    if there and there != here:
        raise InputError(
            f"this ticket was written for {printable(there, 40)}, and this client is one of {here}; "
            f"nothing was sent.\nWrite one for {here}: prepare_order(client, "
            f"{quoted(ticket.ticker, 80)}, ...), or send this one through a client of {there}."
        )


def _checked(desk: Desk, fields: Mapping[str, Any], which: str = "") -> OrderTerms:
    """The terms of an order, checked against its market.

    Raises
    ------
    InputError
        That says all that is wrong, and what would be right.
    """
    ticker = check_ticker(fields.get("ticker"))
    # What is wrong in any market is said without asking for this one.
    now = desk.present(fresh=fields.get("expires") is not None)
    _, early = read_terms({**fields, "expires": None}, rules=None, now=now)
    if early:
        rules = desk.rules_if_known(ticker)
        _, reasons = read_terms({**fields, "expires": None}, rules=rules, now=now)
        _refuse(which, reasons or early)
    rules = desk.rules(ticker)
    terms, reasons = read_terms(fields, rules=rules, now=now)
    if terms is None:
        desk.forget(ticker)  # another look next time: grids and closes move
        _refuse(which, reasons)
    assert terms is not None  # noqa: S101 - refused above
    return terms


def _refuse(which: str, reasons: list[str]) -> None:
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    raise InputError(f"{which}{reasons[0]}{more}; nothing was sent.")
