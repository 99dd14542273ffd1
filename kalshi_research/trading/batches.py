"""Several orders with one request: written down together, accounted for one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import (
    ApiError,
    AuthError,
    ConfigError,
    DecodeError,
    InputError,
    KalshiError,
    NotSentError,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
    printable,
)
from kalshi_research.schemas.order_facts import Receipt, receipt_of
from kalshi_research.trading.accounting import account
from kalshi_research.trading.afterwards import forgotten, once_sent
from kalshi_research.trading.ids import check_key, refuse_used
from kalshi_research.trading.placing import (
    echo_problem,
    judge,
    mark_sent,
    prepare,
    report_for,
)
from kalshi_research.trading.reconcile import settle
from kalshi_research.trading.report import OrderReport, report_of
from kalshi_research.trading.requests import creates_request

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent
    from kalshi_research.trading.requests import Request
    from kalshi_research.trading.terms import OrderTerms

__all__ = ["place_all"]

_UNSENT: Final = (InputError, ConfigError, NotSentError)


def place_all(desk: Desk, orders: Sequence[tuple[OrderTerms, str | None]]) -> list[OrderReport]:
    """Place several orders; one report each, in their order.

    Parameters
    ----------
    desk : Desk
    orders : sequence of (OrderTerms, str or None)
        With the client order ids that the caller made.
    """
    rows = [(terms, check_key(key)) for terms, key in orders]
    keys = [key for _, key in rows]
    if len(set(keys)) != len(keys):
        raise InputError("two of the orders have the same client_order_id; none was sent.")
    request = creates_request(rows, dialect=desk.dialect)
    found = account(desk)
    for (terms, key), (_, given) in zip(rows, orders, strict=True):
        if given is not None:
            if desk.journal.get(key) is not None:
                raise InputError(f"id {key} was used before; none was sent. Leave client_order_id out.")
            refuse_used(desk, terms, key)
    journal = desk.journal
    try:
        prepare(desk, rows, found)
        mark_sent(desk, keys)
        return _send(desk, rows, request)
    finally:
        journal.ended(*keys)


def _send(desk: Desk, rows: Sequence[tuple[OrderTerms, str]], request: Request) -> list[OrderReport]:
    """Send a batch that is written down, and account for each of its orders."""
    answers: list[Receipt | KalshiError]
    try:
        answers = _answers(desk.send(request), rows)
    except _UNSENT as error:
        for _, key in rows:
            desk.journal.note(key, state="NOT_PLACED", note="nothing was sent")
        raise error from None
    except KalshiError as error:
        answers = [error for _ in rows]
    return _account_for(desk, rows, answers)


def _answers(answer: object, rows: Sequence[tuple[OrderTerms, str]]) -> list[Receipt | KalshiError]:
    """What the answer says of each order; an error where it says nothing that can be used."""
    said = answer.get("orders") if isinstance(answer, Mapping) else None
    if not isinstance(said, list) or len(said) != len(rows):
        raise DecodeError("the answer to a batch does not speak of every order; nothing of it was used")
    return [_answer(one, terms, key) for one, (terms, key) in zip(said, rows, strict=True)]


def _answer(one: object, terms: OrderTerms, key: str) -> Receipt | KalshiError:
    error = one.get("error") if isinstance(one, Mapping) else None
    if isinstance(one, Mapping) and isinstance(error, Mapping):
        if one.get("client_order_id") not in (key, None):
            return DecodeError("the answer is about another order; nothing of it was used")
        return ApiError(
            400,
            code=printable(error.get("code") or ""),
            message=printable(error.get("message") or ""),
            details=printable(error.get("details") or ""),
            method="POST",
            path="order",
        )
    try:
        receipt = receipt_of(one)
    except DecodeError as problem:
        return problem
    wrong = echo_problem(receipt, terms, key)
    return DecodeError(f"the answer is about another order ({wrong})") if wrong else receipt


def _account_for(
    desk: Desk, rows: Sequence[tuple[OrderTerms, str]], answers: Sequence[Receipt | KalshiError]
) -> list[OrderReport]:
    judged = {}
    with once_sent(f"the batch of {len(rows)} orders", lambda _: _look_again(desk, rows)):
        for (terms, key), answer in zip(rows, answers, strict=True):
            judged[key] = judge(desk, terms, key, *_sides(answer))
        left = [key for key, intent in judged.items() if intent.open]
        judged |= settle(desk, left, desk.pace.seconds(desk.pace.patience))
    return _reports(desk, rows, judged, answers)


def _sides(answer: Receipt | KalshiError | None) -> tuple[Receipt | None, KalshiError | None]:
    return (
        answer if isinstance(answer, Receipt) else None,
        answer if isinstance(answer, KalshiError) else None,
    )


def _look_again(desk: Desk, rows: Sequence[tuple[OrderTerms, str]]) -> list[OrderReport]:
    """What became of a batch, when nothing but the journal and the exchange says it."""
    keys = [key for _, key in rows]
    judged = settle(desk, keys, desk.pace.seconds(desk.pace.patience))
    lost = [key for key in keys if key not in judged]
    if lost:
        names = ", ".join(printable(key, 60) for key in lost[:2])
        what = (
            f"{len(lost)} orders of a batch of {len(keys)} (id {names}{', …' if len(lost) > 2 else ''})"
        )
        raise forgotten(what, lambda _: _look_again(desk, rows))
    return _reports(desk, rows, judged, [None] * len(rows))


def _reports(
    desk: Desk,
    rows: Sequence[tuple[OrderTerms, str]],
    judged: Mapping[str, Intent],
    answers: Sequence[Receipt | KalshiError | None],
) -> list[OrderReport]:
    reports = []
    for (terms, key), answer in zip(rows, answers, strict=True):
        try:
            report = report_for(desk, judged[key], terms, *_sides(answer))
        except (OrderRejected, OrderNotPlaced, OrderUnknown, AuthError) as error:
            report = report_of(desk.client, judged[key], terms, error=error)
        reports.append(report)
    return reports
