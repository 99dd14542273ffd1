"""Cancelling several orders, and all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import (
    ApiError,
    AuthError,
    ConfigError,
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    NotSentError,
    OrderRejected,
    OrderUnknown,
)
from kalshi_research.schemas.order_facts import receipt_of
from kalshi_research.trading.afterwards import once_sent
from kalshi_research.trading.cancelling import cancel, cancelled
from kalshi_research.trading.changing import begin_change
from kalshi_research.trading.desk import desk_of, order_id_of
from kalshi_research.trading.evidence import read_orders
from kalshi_research.trading.lists import orders_of
from kalshi_research.trading.placing import DEFINITE
from kalshi_research.trading.reading import bad_subaccount
from kalshi_research.trading.report import OrderReport
from kalshi_research.trading.requests import cancel_all_request, cancels_request
from kalshi_research.trading.standing import known_order
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.schemas.order_facts import OrderFacts, Receipt
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.requests import Request

__all__ = ["cancel_all_orders", "cancel_orders"]

_Place = tuple[str, str, int | None]


def cancel_orders(
    client: Client, orders: Iterable[str | OrderReport] | pd.DataFrame
) -> list[OrderReport]:
    """Cancel several orders with one request; each is accounted for by itself.

    Parameters
    ----------
    client : Client
        With a key.
    orders : iterable of str or OrderReport, or DataFrame
        Order ids of the exchange, or reports: a list, an array, a Series, an Index; or a frame that
        has the ids as its index or in a column, as those of `get_open_orders` and `get_orders`.

    Returns
    -------
    list of OrderReport
        What each ended as, in the order given. Where that is not known the state is ``unknown``, where
        there is no such order ``rejected``; ``.error`` says why.

    Raises
    ------
    InputError
        One of them names no order; nothing was sent.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> made = kr.create_order(client, "KXHIGHNY-26NOV21-B48.5", quantity=1, price="0.01")
    >>> [report.state for report in kr.cancel_orders(client, [made])]
    ['canceled']
    """
    desk = desk_of(client)
    desk.require_permission()
    rows = orders_of(
        orders, "orders must be a list of orders; nothing was sent. For one use cancel_order."
    )
    if not rows:
        return []
    places = [_place(desk, row) for row in rows]
    return _cancel_places(desk, places)


def _place(desk: Desk, order: str | OrderReport) -> _Place:
    order_id = order_id_of(order)
    mine = desk.journal.order(order_id)
    if mine is not None:
        return order_id, str(mine.terms["ticker"]), mine.terms.get("subaccount")
    ticker = getattr(order, "ticker", None)
    if isinstance(ticker, str):
        return order_id, ticker, None
    facts, _ = known_order(desk, order_id)
    return order_id, facts.ticker, facts.subaccount or None


def _cancel_places(desk: Desk, places: list[_Place]) -> list[OrderReport]:
    request = cancels_request(places, dialect=desk.dialect)
    journal, keys = desk.journal, list[str]()
    try:
        for order_id, ticker, subaccount in places:
            stored = {"ticker": ticker, "subaccount": subaccount}
            keys.append(begin_change(desk, "cancel", order_id, stored))
        return _send_cancels(desk, places, keys, request)
    finally:
        journal.ended(*keys)


def _send_cancels(
    desk: Desk, places: list[_Place], keys: list[str], request: Request
) -> list[OrderReport]:
    """Send cancels that are written down, and find out what each order ended as."""
    receipts: list[Receipt | None] = [None] * len(places)
    try:
        receipts = _receipts(desk.send(request), places)
    except (InputError, ConfigError, NotSentError) as error:
        for key in keys:
            desk.journal.note(key, state="NOT_PLACED", note="nothing was sent")
        raise error from None
    except ApiError as error:
        if error.status in DEFINITE and not isinstance(error, NotFoundError):
            for key in keys:
                desk.journal.note(key, state="REJECTED", note=error.code)
            raise
    except KalshiError:
        # A cancel may be sent again; what is left goes one by one.
        receipts = [None] * len(places)
    reports = []
    what = f"the cancel of {len(places)} orders"
    with once_sent(what, lambda _: _cancel_places(desk, places)):
        for (order_id, ticker, subaccount), key, receipt in zip(places, keys, receipts, strict=True):
            if receipt is not None:
                reports.append(cancelled(desk, key, order_id, receipt))
            else:
                reports.append(_singly(desk, key, order_id, ticker, subaccount))
    return reports


def _receipts(answer: object, places: list[_Place]) -> list[Receipt | None]:
    said = answer.get("orders") if isinstance(answer, Mapping) else None
    if not isinstance(said, list) or len(said) != len(places):
        raise DecodeError("the answer to a batch does not speak of every order; nothing of it was used")
    found: list[Receipt | None] = []
    for row, (order_id, _, _) in zip(said, places, strict=True):
        receipt = None
        if isinstance(row, Mapping) and not row.get("error"):
            try:
                receipt = receipt_of(row)
            except DecodeError:
                receipt = None
        fits = receipt is not None and receipt.order_id == order_id and receipt.reduced is not None
        found.append(receipt if fits else None)
    return found


def _singly(desk: Desk, key: str, order_id: str, ticker: str, subaccount: int | None) -> OrderReport:
    """Cancel one whose cancel in a batch brought nothing that can be used."""
    error: Any = None
    try:
        report = cancel(desk, order_id, ticker, subaccount)
    except OrderUnknown as problem:
        desk.journal.note(key, state="UNKNOWN", note=problem.known)
        error = problem
    except (NotFoundError, OrderRejected, AuthError) as problem:
        desk.journal.note(key, state="REJECTED", note=problem.code)
        error = problem
    else:
        desk.journal.note(key, state="ACKED", note="cancelled by itself")
        return report
    return _failed(desk, order_id, ticker, error)


def _failed(desk: Desk, order_id: str, ticker: str, error: KalshiError) -> OrderReport:
    from decimal import Decimal

    from kalshi_research.trading.report import report_of
    from kalshi_research.trading.terms import OrderTerms

    mine = desk.journal.order(order_id)
    state = "unknown" if isinstance(error, OrderUnknown) else "rejected"
    if mine is not None:
        terms = OrderTerms.restored(mine.terms)
        return report_of(desk.client, mine, terms, state=state, error=error)
    nothing = Decimal(0)
    where = desk.client.environment.name
    return OrderReport(
        state, "", order_id, ticker, "", "", nothing, nothing, environment=where, error=error
    )


def cancel_all_orders(client: Client, *, subaccount: int | None = None) -> list[OrderReport]:
    """Cancel everything that rests, whoever placed it with this account.

    Orders placed within the next minute may be cancelled too.

    Parameters
    ----------
    client : Client
        With a key.
    subaccount : int, optional
        Only of this one; None is all.

    Returns
    -------
    list of OrderReport
        What each of the orders that rested ended as.

    Raises
    ------
    OrderUnknown
        Some may still rest. Calling again is harmless.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> made = kr.create_order(client, "KXHIGHNY-26NOV21-B48.5", quantity=1, price="0.01")
    >>> made.order_id in [report.order_id for report in kr.cancel_all_orders(client)]
    True
    """
    desk = desk_of(client)
    desk.require_permission()
    problem = bad_subaccount(subaccount)
    if problem:
        raise InputError(f"{problem}; nothing was sent.")
    resting = _resting(desk, subaccount)
    places = [(o.order_id, o.ticker, o.subaccount or None) for o in resting]
    if desk.dialect == "2025":
        return _cancel_places(desk, places) if places else []
    _send_cancel_all(desk, subaccount)
    with once_sent(
        "the cancel of everything", lambda _: cancel_all_orders(desk.client, subaccount=subaccount)
    ):
        return _cancel_places(desk, places) if places else []


def _resting(desk: Desk, subaccount: int | None) -> list[OrderFacts]:
    shown = read_orders(desk.client, status="resting", seconds=desk.read_seconds)
    found = {order.order_id: order for order in shown.by_order_id.values()}
    return [
        order for order in found.values() if subaccount is None or (order.subaccount or 0) == subaccount
    ]


def _send_cancel_all(desk: Desk, subaccount: int | None) -> None:
    """Send it until it is confirmed: a second one changes nothing."""
    pace = desk.pace
    with Wait(pace, pace.seconds(pace.patience), "the cancel of everything") as wait:
        while True:
            try:
                answer = desk.send(cancel_all_request(subaccount=subaccount))
            except (InputError, ConfigError, NotSentError, AuthError):
                raise
            except KalshiError as error:
                if isinstance(error, ApiError) and error.status in DEFINITE and error.status != 429:
                    raise
                problem = error
            else:
                if answer is None:  # 204: there is nothing to be said
                    return
                problem = DecodeError("the answer to cancelling everything is not the promised one")
            if not wait.rest():
                break
    raise OrderUnknown(
        "it is not known whether everything was cancelled.\n"
        "Orders may still rest. Calling again is harmless.",
        known=str(problem).splitlines()[0],
        resolver=lambda _: _send_cancel_all(desk, subaccount),
    ) from problem
