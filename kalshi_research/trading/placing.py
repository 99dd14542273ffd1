"""Placing an order: written down, sent once, and accounted for whatever comes back."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

from kalshi_research.errors import (
    ApiError,
    AuthError,
    ConfigError,
    ConflictError,
    DecodeError,
    InputError,
    KalshiError,
    NotSentError,
    OrderNotPlaced,
    OrderUnknown,
    printable,
)
from kalshi_research.schemas.order_facts import Receipt, receipt_of
from kalshi_research.trading.accounting import account
from kalshi_research.trading.afterwards import forgotten, once_sent
from kalshi_research.trading.ids import check_key, refuse_used
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.limits import check_limits
from kalshi_research.trading.reconcile import settle
from kalshi_research.trading.refusing import refused_order, used_before
from kalshi_research.trading.report import OrderReport, price_of, report_of
from kalshi_research.trading.requests import create_request
from kalshi_research.trading.terms import OrderTerms
from kalshi_research.trading.together import together
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk

__all__ = [
    "DEFINITE",
    "echo_problem",
    "judge",
    "place",
    "prepare",
    "raise_for",
    "report_for",
    "sent_order",
]

DEFINITE: Final = frozenset({400, 401, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 429, 431})
"""Answers that mean that nothing changed. All others leave the outcome of a write open."""

_UNSENT: Final = (InputError, ConfigError, NotSentError)


def place(
    desk: Desk, terms: OrderTerms, client_order_id: object = None, *, fresh: bool = False
) -> OrderReport:
    """Place one order.

    Parameters
    ----------
    desk : Desk
    terms : OrderTerms
    client_order_id : str, optional
    fresh : bool
        Whether the id was drawn just now, so that nobody can have used it.

    Raises
    ------
    OrderRejected
        The exchange refused it.
    OrderNotPlaced
        It provably never arrived.
    OrderUnknown
        It is not known whether it arrived.
    """
    key = check_key(client_order_id)
    create_request(terms, key, dialect=desk.dialect)  # what the dialect cannot say is refused here
    if client_order_id is None or fresh:
        return _place(desk, terms, key)
    pace = desk.pace
    return together(
        (desk.journal.path, key),
        terms,
        pace.seconds(2 * pace.deadline + pace.patience),
        lambda: _place(desk, terms, key, given=True),
        lambda resubmit: resolve(desk, key, resubmit=resubmit),
    )


def _place(desk: Desk, terms: OrderTerms, key: str, *, given: bool = False) -> OrderReport:
    """Place an order whose id was drawn just now, or `given` by the caller."""
    found = account(desk)
    known = desk.journal.get(key)
    quicker = known is None and given and _refuse_used(desk, terms, key)
    if quicker:
        known = desk.journal.get(key)
    if known is not None:
        earlier = _again(desk, known, terms, joined=quicker)
        if earlier is not None:
            return earlier
    try:
        prepare(desk, [(terms, key)], found)
    except OrderUnknown as error:
        known = desk.journal.get(key) if error.client_order_id == key else None
        if known is None:
            raise
        # Another kernel has written it down at this moment: it is the same order.
        earlier = _again(desk, known, terms, joined=True)
        if earlier is None:
            raise
        return earlier
    return _send_now(desk, terms, key)


def _refuse_used(desk: Desk, terms: OrderTerms, key: str) -> bool:
    """Refuse an id that was used elsewhere; whether another kernel has placed the order meanwhile."""
    try:
        refuse_used(desk, terms, key)
    except ConflictError:
        if desk.journal.get(key) is None:
            raise
        return True
    return False


def prepare(desk: Desk, orders: list[tuple[OrderTerms, str]], found: list[Intent]) -> None:
    """Write new orders down, if nothing stands against them.

    Parameters
    ----------
    desk : Desk
    orders : list of (OrderTerms, str)
        With their client order ids.
    found : list of Intent
        What earlier sessions left open and was accounted for just now.
    """
    journal, pace = desk.journal, desk.pace
    exposure = check_limits(desk, [terms for terms, _ in orders])
    found = [*found, *_look_for_equals(desk, orders)]
    here = threading.current_thread()
    with journal.locked():
        for terms, key in orders:
            intent = journal.get(key)
            if intent is not None and intent.state not in ("REJECTED", "NOT_PLACED"):
                raise _on_its_way(desk, intent, "this order")
            other = desk.equal_open(terms, but=key)
            if other is not None:
                raise _on_its_way(desk, other, "an equal order")
            _refuse_found(terms, found)
        exposure.check_again()
        rows = []
        for terms, key in orders:
            earlier = journal.get(key)
            sends = earlier.sends if earlier is not None else 0
            until = pace.now() + pace.seconds(pace.deadline)
            row = Intent(
                key, "create", "PREPARED", journal.session, terms.stored(), until=until, sends=sends
            )
            rows.append(row)
            journal.workers[key] = here
        try:
            journal.write(*rows, durable=False)
        except BaseException:
            journal.ended(*(key for _, key in orders))
            raise


def _look_for_equals(desk: Desk, orders: list[tuple[OrderTerms, str]]) -> list[Intent]:
    """Have one look at equal orders that are not accounted for; what was found out."""
    others = {}
    for terms, key in orders:
        other = desk.equal_open(terms, but=key)
        if other is not None and not desk.journal.is_busy(other, desk.pace.now()):
            others[other.key] = other
    return list(settle(desk, others, 0.0).values()) if others else []


def _refuse_found(terms: OrderTerms, found: list[Intent]) -> None:
    """Refuse an order whose equal was just found to be placed: it may be meant again."""
    for intent in found:
        if intent.act != "create" or intent.state != "ACKED":
            continue
        if OrderTerms.restored(intent.terms).equals(terms):
            raise InputError(
                f"an equal order of before was placed after all: it is {intent.status} "
                f"(id {intent.key}); nothing was sent now.\n"
                f"If you want another one as well, call again. Order: {terms.sentence}."
            )


def _on_its_way(desk: Desk, intent: Intent, which: str) -> OrderUnknown:
    terms = OrderTerms.restored(intent.terms)
    busy = desk.journal.is_busy(intent, desk.pace.now())
    state = "is on its way" if busy else "is not accounted for"
    return OrderUnknown(
        f"{which} {state}: {terms.sentence} (id {intent.key}); nothing was sent now.\n"
        "Wait for it, or call resolve() on this error to find out what became of it.",
        client_order_id=intent.key,
        known=intent.note or state,
        resolver=lambda resubmit: resolve(desk, intent.key, resubmit=resubmit),
    )


def _again(desk: Desk, known: Intent, terms: OrderTerms, *, joined: bool = False) -> OrderReport | None:
    """The result of another call with this id; None if it may be sent (again).

    While the other call lasts it is waited for, and its outcome is that of this one too, a refusal
    as well: that was `joined`.
    """
    before = OrderTerms.restored(known.terms) if known.act == "create" else None
    if before != terms:
        what = before.sentence if before is not None else f"a change ({known.act})"
        raise used_before(known.key, what, terms)
    pace = desk.pace
    with Wait(pace, 2 * pace.seconds(pace.deadline), f"the call that places order {known.key}") as wait:
        while desk.journal.is_busy(known, pace.now()) and wait.rest():
            known, joined = desk.journal.get(known.key) or known, True
    if joined and known.state in ("REJECTED", "NOT_PLACED"):
        raise_for(desk, known, terms, None)
    if known.open or known.state == "NOT_PLACED":
        was_open = known.open
        if not was_open:  # it is about to be sent once more: look once more
            known = _in_doubt(desk, known)
            if known.state != "UNKNOWN":  # another kernel was quicker
                return _again(desk, known, terms, joined=True)
        known = settle(desk, [known.key], pace.seconds(pace.patience))[known.key]
        if known.open:
            raise_for(desk, known, terms, None)
        if known.state == "NOT_PLACED" and was_open:
            raise_for(desk, known, terms, None)
    if known.state == "ACKED":
        return report_of(
            desk.client, known, terms, note="placed by an earlier call; nothing was sent now"
        )
    return None


def _in_doubt(desk: Desk, known: Intent) -> Intent:
    """An order that was not placed is in doubt again, unless somebody else is at it: as it is now."""
    with desk.journal.locked():
        known = desk.journal.get(known.key) or known
        return desk.journal.note(known.key, state="UNKNOWN") if known.state == "NOT_PLACED" else known


def _send_now(desk: Desk, terms: OrderTerms, key: str) -> OrderReport:
    """Send an order; whatever ends this, an interrupt too, nobody is sending it afterwards."""
    try:
        return _send(desk, terms, key)
    finally:
        desk.journal.ended(key)


def _send(desk: Desk, terms: OrderTerms, key: str) -> OrderReport:
    request = create_request(terms, key, dialect=desk.dialect)
    mark_sent(desk, [key])
    receipt, cause = None, None
    try:
        receipt = _receipt(desk.send(request), terms, key)
    except _UNSENT as error:
        desk.journal.note(key, state="NOT_PLACED", note="nothing was sent")
        raise error from None
    except KalshiError as error:
        cause = error
    with sent_order(desk, terms, key):
        judge(desk, terms, key, receipt, cause)
        intent = settle(desk, [key], desk.pace.seconds(desk.pace.patience))[key]
    return report_for(desk, intent, terms, receipt, cause)


def sent_order(desk: Desk, terms: OrderTerms, key: str) -> AbstractContextManager[None]:
    """In which an order has left, whatever the journal says of it."""

    def look_again(resubmit: bool) -> OrderReport:
        return resolve(desk, key, resubmit=resubmit)

    return once_sent(f"the order to {terms.sentence} (id {key})", look_again, client_order_id=key)


def mark_sent(desk: Desk, keys: list[str]) -> None:
    """Write down, and wait for the disk, that orders are being sent from now on."""
    journal, pace = desk.journal, desk.pace
    with journal.locked():
        rows = []
        now = pace.now()
        until, since = now + pace.seconds(pace.deadline), desk.instant()
        for key in keys:
            intent = journal.get(key)
            if intent is None or intent.state != "PREPARED" or intent.session != journal.session:
                raise InputError(
                    f"order {key} was closed by another call; nothing was sent. Call again."
                )
            sent = replace(intent, state="SENT", sent_at=now, until=until, sends=intent.sends + 1)
            # An order that is sent once more may be there from the first time.
            rows.append(replace(sent, since=min(since, intent.since or since)))
            for known in (desk.gave_up, desk.absent_at, desk.over_at):
                known.pop(key, None)
        journal.write(*rows)


def _receipt(answer: object, terms: OrderTerms, key: str) -> Receipt:
    receipt = receipt_of(answer)
    problem = echo_problem(receipt, terms, key)
    if problem:
        raise DecodeError(f"the answer is about another order ({problem}); nothing of it was used")
    return receipt


def echo_problem(receipt: Receipt, terms: OrderTerms, key: str) -> str:
    """What in an answer does not fit the order that was sent; empty if all fits."""
    if receipt.client_order_id != key:
        return "its client order id differs"
    if receipt.filled is None or receipt.remaining is None:
        return "it does not say what is filled"
    if receipt.filled < 0 or receipt.remaining < 0 or receipt.filled + receipt.remaining > terms.count:
        return "its size differs"
    whole = receipt.filled + receipt.remaining == terms.count
    if receipt.remaining and (not whole or terms.time_in_force != "good_till_canceled"):
        return "its remaining count differs"
    order = receipt.order
    if order is not None and (order.ticker, order.side, order.yes_price) != (
        terms.ticker,
        terms.side,
        terms.yes_price,
    ):
        return "its terms differ"
    return ""


def judge(
    desk: Desk, terms: OrderTerms, key: str, receipt: Receipt | None, cause: KalshiError | None
) -> Intent:
    """Write down what the answer to a new order says."""
    journal = desk.journal
    if receipt is not None and receipt.filled is not None and receipt.remaining is not None:
        done = "executed" if receipt.filled == terms.count else "canceled"
        status = done if not receipt.remaining else "partial" if receipt.filled else "resting"
        return journal.note(
            key,
            state="ACKED",
            order_id=receipt.order_id,
            status=status,
            filled=receipt.filled,
            remaining=receipt.remaining,
            note="",
        )
    desk.gave_up[key] = desk.pace.monotonic()
    if isinstance(cause, ApiError) and cause.status in DEFINITE and cause.code != "order_already_exists":
        return journal.note(key, state="REJECTED", note=_reason(cause))
    return journal.note(key, state="UNKNOWN", note=_why(cause))


def _reason(cause: ApiError) -> str:
    said = cause.details or cause.message or cause.code or f"HTTP {cause.status}"
    return printable(said, 120)


def _why(cause: KalshiError | None) -> str:
    if isinstance(cause, ApiError):
        return f"HTTP {cause.status} {printable(cause.code, 60)}".strip()
    if cause is None:
        return "no answer came"
    return printable(str(cause).splitlines()[0].rstrip("."), 120)


def report_for(
    desk: Desk,
    intent: Intent,
    terms: OrderTerms,
    receipt: Receipt | None,
    cause: KalshiError | None,
) -> OrderReport:
    """The report of an order that was placed, or the error of one that was not."""
    if intent.state != "ACKED":
        raise_for(desk, intent, terms, cause)
    average = price_of(receipt.average_price) if receipt is not None else None
    return report_of(desk.client, intent, terms, average_price=average)


def raise_for(desk: Desk, intent: Intent, terms: OrderTerms, cause: KalshiError | None) -> NoReturn:
    """Raise what an intent that did not become an order stands for."""
    key = intent.key
    if intent.state == "REJECTED":
        if isinstance(cause, AuthError):
            raise cause
        raise refused_order(terms, key, cause, intent.note) from cause
    if intent.state == "NOT_PLACED":
        if isinstance(cause, ApiError) and 200 <= cause.status < 300:
            raise refused_order(terms, key, cause, intent.note) from cause
        raise OrderNotPlaced(
            f"this order was not placed: {terms.sentence} ({intent.note}; id {key}).\n"
            f"Nothing rests and nothing was filled. First came: {_why(cause)}.\n"
            "You may place it again.",
            client_order_id=key,
        ) from cause
    raise OrderUnknown(
        f"it is not known whether this order was placed: {terms.sentence} (id {key}).\n"
        f"Known: {intent.note or 'no answer came'}; the exchange does not show it yet. "
        "An equal order is blocked meanwhile.\n"
        "Call resolve() on this error, or get_open_orders(client); do not place it anew.",
        client_order_id=key,
        known=intent.note,
        resolver=lambda resubmit: resolve(desk, key, resubmit=resubmit),
    ) from cause


def resolve(desk: Desk, key: str, *, resubmit: bool = False) -> OrderReport:
    """Look again for an order that was not accounted for; see `OrderUnknown.resolve`."""
    intent = desk.journal.get(key)
    if intent is None:
        raise forgotten(
            f"order {printable(key, 60)}",
            lambda resubmit: resolve(desk, key, resubmit=resubmit),
            client_order_id=key,
        )
    terms = OrderTerms.restored(intent.terms)
    intent = settle(desk, [key], desk.pace.seconds(desk.pace.patience))[key]
    if intent.state == "NOT_PLACED" and resubmit:
        # Proven absent and wanted: the same order under the same id.
        prepare(desk, [(terms, key)], [])
        return _send_now(desk, terms, key)
    return report_for(desk, intent, terms, None, None)
