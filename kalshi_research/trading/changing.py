"""Changing and cancelling an order: written down, sent, and accounted for."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kalshi_research.errors import (
    ApiError,
    AuthError,
    ConfigError,
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    NotSentError,
    OrderNotPlaced,
    OrderRejected,
    OrderUnknown,
    printable,
)
from kalshi_research.schemas.order_facts import OrderFacts, Receipt, receipt_of
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.placing import DEFINITE
from kalshi_research.trading.report import OrderReport, report_of, status_word
from kalshi_research.trading.requests import Request, amend_request, cancel_request, decrease_request
from kalshi_research.trading.settling import Change, find_order, settle_changes
from kalshi_research.trading.terms import OrderTerms, price_text, quantity_text

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk

__all__ = [
    "amend",
    "begin_change",
    "cancel",
    "cancelled",
    "decrease",
    "known_order",
    "resolve_change",
    "terms_of",
]

_UNSENT: Final = (InputError, ConfigError, NotSentError)


def known_order(
    desk: Desk, order_id: str, ticker: str | None = None
) -> tuple[OrderFacts, Intent | None]:
    """An order as the exchange shows it, or as the journal knows it while no read shows it.

    Reads lag: until one shows what is known to have been changed, the next is waited for. Where none
    does, somebody else has changed it since.

    Raises
    ------
    NotFoundError
        If neither knows it.
    """
    mine = _journalled(desk, order_id)
    asked = ticker or (str(mine.terms["ticker"]) if mine is not None else None)
    order = _fresh_order(desk, order_id, asked, mine)
    if order is not None:
        return order, mine
    if mine is None or mine.remaining is None:
        raise NotFoundError(
            404,
            code="not_found",
            message=f"there is no order {printable(order_id, 60)}, or no read shows it yet",
            method="GET",
            path=f"/portfolio/orders/{order_id}",
            hint="Nothing was changed. get_orders(client) lists your orders.",
        )
    terms, filled = OrderTerms.restored(mine.terms), mine.filled or 0
    status = "resting" if mine.status == "partial" else mine.status
    order = OrderFacts(
        order_id, mine.key, terms.ticker, status, terms.side, terms.yes_price, terms.count, filled,
        mine.remaining, subaccount=terms.subaccount,
    )  # fmt: skip
    return order, mine


def _fresh_order(
    desk: Desk, order_id: str, ticker: str | None, mine: Intent | None
) -> OrderFacts | None:
    pace = desk.pace
    ends, pause = pace.monotonic() + pace.margin, 0.1
    while True:
        order = find_order(desk, order_id, ticker)
        if order is None or mine is None or _is_fresh(order, mine) or pace.monotonic() >= ends:
            return order
        pace.sleep(pace.seconds(pause))
        pause = min(pause * 2, 2.0)


def _is_fresh(order: OrderFacts, mine: Intent) -> bool:
    """Whether an order is shown as it is known to be, or has ended since."""
    if order.finished:
        return True
    terms = OrderTerms.restored(mine.terms)
    shown = (order.yes_price, order.filled + order.remaining)
    return shown == (terms.yes_price, terms.count) and order.filled >= (mine.filled or 0)


def _journalled(desk: Desk, order_id: str) -> Intent | None:
    return desk.journal.order(order_id)


def terms_of(order: OrderFacts, mine: Intent | None) -> OrderTerms:
    """The terms of an order in the words of its owner; bids buy YES and asks sell it otherwise."""
    if mine is not None:
        kept = OrderTerms.restored(mine.terms)
        price = order.yes_price if kept.outcome == "yes" else 10_000 - order.yes_price
        return replace(kept, price=price, count=order.filled + order.remaining)
    action = "buy" if order.side == "bid" else "sell"
    return OrderTerms(
        order.ticker,
        action,
        "yes",
        order.yes_price,
        order.filled + order.remaining,
        subaccount=order.subaccount or None,
    )


def _change(order: OrderFacts, before: OrderTerms, after: OrderTerms, expiration: int | None) -> Change:
    return Change(
        order.ticker, order.side, order.client_order_id, before.action, before.outcome,
        order.yes_price, order.filled + order.remaining, after.yes_price, after.count,
        expiration, order.subaccount or None, bool(order.created),
    )  # fmt: skip


def begin_change(desk: Desk, act: str, order_id: str, stored: dict[str, Any]) -> str:
    """Write down, and wait for the disk, that a change is being sent; its key.

    Raises
    ------
    OrderUnknown
        If an earlier change of the order is not accounted for.
    """
    journal, pace = desk.journal, desk.pace
    key = str(uuid.uuid4())
    left = desk.open_change(order_id) if act != "cancel" else None
    if left is not None and not journal.is_busy(left, pace.now()):
        settle_changes(desk, [left.key], 0.0)
    now = pace.now()
    with journal.locked():
        if act != "cancel":
            earlier = desk.open_change(order_id)
            if earlier is not None:
                raise _unknown_change(desk, earlier, "an earlier change")
        until = now + pace.seconds(pace.deadline)
        row = Intent(
            key,
            act,
            "SENT",
            journal.session,
            stored,
            sent_at=now,
            order_id=order_id,
            until=until,
            sends=1,
            since=desk.instant(),
        )
        journal.workers[key] = threading.current_thread()
        journal.write(row)
    return key


def amend(
    desk: Desk,
    order: OrderFacts,
    mine: Intent | None,
    after: OrderTerms,
    *,
    expiration: int | None = None,
    updated_client_order_id: str = "",
) -> OrderReport:
    """Give an order another price, total size or expiry.

    Parameters
    ----------
    desk : Desk
    order : OrderFacts
        As it is.
    mine : Intent or None
        What the journal knows of it.
    after : OrderTerms
        As it is to be; the count is the total.
    expiration : int, optional
        None keeps it, 0 clears it, else seconds since 1970.
    updated_client_order_id : str
        Another one, or empty.
    """
    before = terms_of(order, mine)
    request = amend_request(
        order.order_id,
        after,
        client_order_id=order.client_order_id,
        updated_client_order_id=updated_client_order_id,
        expiration=expiration,
        dialect=desk.dialect,
    )
    key = begin_change(desk, "amend", order.order_id, _change(order, before, after, expiration).stored())
    names = {order.client_order_id, updated_client_order_id} - {""}

    def fits(receipt: Receipt) -> bool:
        # What it filled is what crossing the book has filled now; more may have been filled before.
        now, left = receipt.filled or 0, receipt.remaining or 0
        size = receipt.order is not None or order.filled + now + left <= after.count
        shown = receipt.order is None or receipt.order.yes_price == after.yes_price
        return size and shown and (not receipt.client_order_id or receipt.client_order_id in names)

    return _carry_out(desk, key, request, after, fits, filled=order.filled)


def decrease(
    desk: Desk,
    order: OrderFacts,
    mine: Intent | None,
    *,
    reduce_by: int | None = None,
    reduce_to: int | None = None,
) -> OrderReport:
    """Make an order smaller, by or to a count of what remains [1/100 contract]."""
    before = terms_of(order, mine)
    left = order.remaining - (reduce_by or 0) if reduce_to is None else reduce_to
    after = replace(before, count=order.filled + left)
    request = decrease_request(
        order.order_id,
        order.ticker,
        reduce_by=reduce_by,
        reduce_to=reduce_to,
        subaccount=order.subaccount or None,
        dialect=desk.dialect,
    )
    key = begin_change(desk, "decrease", order.order_id, _change(order, before, after, None).stored())

    def fits(receipt: Receipt) -> bool:
        names = {order.client_order_id, ""}
        small = receipt.remaining is not None and receipt.remaining <= left
        return small and receipt.client_order_id in names

    return _carry_out(desk, key, request, after, fits)


def _carry_out(
    desk: Desk,
    key: str,
    request: Request,
    after: OrderTerms,
    fits: Callable[[Receipt], bool],
    *,
    filled: int | None = None,
) -> OrderReport:
    """Send a change once, and account for it whatever comes back; `filled` was so before."""
    intent = desk.journal.get(key)
    order_id = intent.order_id if intent is not None else ""
    cause: KalshiError | None = None
    try:
        receipt = receipt_of(desk.send(request))
        if receipt.order_id != order_id or not fits(receipt):
            raise DecodeError("the answer is about another order; nothing of it was used")
    except _UNSENT as error:
        desk.journal.note(key, state="NOT_PLACED", note="nothing was sent")
        raise error from None
    except KalshiError as error:
        cause = error
    else:
        said = _said(desk, receipt, after, filled)
        if said is not None:
            return _report(desk, desk.journal.note(key, state="ACKED", note="", **said))
    desk.gave_up[key] = desk.pace.monotonic()
    if isinstance(cause, ApiError) and cause.status in DEFINITE:
        desk.journal.note(key, state="REJECTED", note=printable(cause.code or str(cause.status), 60))
        _refused(desk, order_id, after, cause)
    why = "nothing of the order rests any more" if cause is None else str(cause).splitlines()[0]
    desk.journal.note(key, state="UNKNOWN", note=printable(why, 120))
    intent = settle_changes(desk, [key], desk.pace.seconds(desk.pace.patience))[key]
    return _outcome(desk, intent, cause)


def _said(desk: Desk, receipt: Receipt, after: OrderTerms, before: int | None) -> dict[str, Any] | None:
    """What a confirmed change made of its order; None where the confirmation leaves that open."""
    order, left = receipt.order, receipt.remaining
    if order is not None:
        filled, left, status = order.filled, order.remaining, order.status
        return {"status": status_word(status, filled), "filled": filled, "remaining": left}
    if left is None:  # it says so only if the size has changed
        shown = _journalled(desk, receipt.order_id)
        filled = (shown.filled if shown is not None else None) or 0
        left = after.count - filled
    if left:
        filled = max(0, after.count - left)
        return {"status": status_word("resting", filled), "filled": filled, "remaining": left}
    if before is not None and before + (receipt.filled or 0) == after.count:
        return {"status": "executed", "filled": after.count, "remaining": 0}
    # It has ended, by fills that came in between or because the rest was taken away.
    return None


def _report(desk: Desk, intent: Intent) -> OrderReport:
    """The report of the order that was changed; the journal is brought up to date."""
    change = Change(**intent.terms)
    applied = intent.state == "ACKED"
    price, total = (change.new_price, change.new_total) if applied else (change.price, change.total)
    mine = _journalled(desk, intent.order_id)
    terms = OrderTerms(
        change.ticker,
        change.action,
        change.outcome,
        price if change.outcome == "yes" else 10_000 - price,
        total,
        subaccount=change.subaccount,
    )
    key = change.client_order_id
    if mine is not None:
        stored = dict(mine.terms) | {"price": terms.price, "count": terms.count}
        desk.journal.note(
            mine.key,
            terms=stored,
            status=intent.status,
            filled=intent.filled,
            remaining=intent.remaining,
        )
        key = mine.key
    shown = replace(intent, key=key, state="ACKED")
    return report_of(desk.client, shown, terms)


def _outcome(desk: Desk, intent: Intent, cause: KalshiError | None) -> OrderReport:
    if intent.state == "ACKED":
        return _report(desk, intent)
    if intent.state == "NOT_PLACED":
        now = _report(desk, intent)
        raise OrderNotPlaced(
            f"this {intent.act} did not take effect; the order is as it was: {now}.\nYou may try again.",
            client_order_id=now.client_order_id,
        ) from cause
    raise _unknown_change(desk, intent, "this change") from cause


def _unknown_change(desk: Desk, intent: Intent, which: str) -> OrderUnknown:
    return OrderUnknown(
        f"it is not known whether {which} ({intent.act}) of order {intent.order_id} took effect.\n"
        f"Known: {intent.note or 'no answer came'}. The order may be cancelled; other changes wait.\n"
        "Call resolve() on this error, or get_open_orders(client).",
        client_order_id=str(intent.terms.get("client_order_id", "")),
        known=intent.note,
        resolver=lambda _: resolve_change(desk, intent.key),
    )


def resolve_change(desk: Desk, key: str) -> OrderReport:
    """Look again for a change that was not accounted for."""
    intent = settle_changes(desk, [key], desk.pace.seconds(desk.pace.patience))[key]
    return _outcome(desk, intent, None)


def _refused(desk: Desk, order_id: str, after: OrderTerms, cause: ApiError) -> NoReturn:
    if isinstance(cause, AuthError):
        raise cause
    now = ""
    if cause.status == 404:
        try:
            order = find_order(desk, order_id, after.ticker)
        except KalshiError:
            order = None
        if order is not None:
            now = f" It is {order.status}, {quantity_text(order.filled)} filled."
    raise OrderRejected(
        cause.status,
        code=cause.code,
        message=cause.message if cause.message != cause.code else "",
        details=cause.details,
        method="POST",
        path=f"change to {quantity_text(after.count)} at ${price_text(after.price)}",
        hint=f"The order was not changed.{now}",
    ) from cause


# Cancelling


def cancel(desk: Desk, order_id: str, ticker: str, subaccount: int | None = None) -> OrderReport:
    """Cancel an order, and find out what it ended as.

    A cancel may be sent again, because a second one changes nothing.

    Raises
    ------
    NotFoundError
        If there is no such order.
    OrderUnknown
        If it is not known what it ended as.
    """
    pace = desk.pace
    request = cancel_request(order_id, ticker, subaccount=subaccount, dialect=desk.dialect)
    key = begin_change(desk, "cancel", order_id, {"ticker": ticker, "subaccount": subaccount})
    ends, pause, missing = pace.monotonic() + pace.seconds(pace.patience), 0.1, False
    again_at = float("inf")
    cause: KalshiError | None = None
    while True:
        if not missing or pace.monotonic() >= again_at:
            receipt, cause = _try_cancel(desk, key, request)
            if receipt is not None:
                return cancelled(desk, key, order_id, receipt)
            missing = isinstance(cause, NotFoundError)
            # It is finished, and reads lag; if they still do not say so then, something is wrong.
            again_at = pace.monotonic() + pace.margin
        order = _shown(desk, order_id, ticker)
        if order is not None and order.finished:
            return _ended(desk, key, order, cause)
        if pace.monotonic() >= ends:
            break
        pace.sleep(pace.seconds(pause))
        pause = min(pause * 2, 2.0)
    if missing and order is None and _journalled(desk, order_id) is None:
        desk.journal.note(key, state="REJECTED", note="not found")
        raise NotFoundError(
            404,
            code="not_found",
            message=f"{ticker} has no order {printable(order_id, 60)} of yours",
            method="DELETE",
            path=f"/portfolio/orders/{order_id}",
            hint="Nothing was cancelled. get_orders(client) lists your orders.",
        ) from cause
    intent = desk.journal.note(key, state="UNKNOWN", note="the exchange does not show its end yet")
    raise _unknown_cancel(desk, intent) from cause


def _try_cancel(desk: Desk, key: str, request: Request) -> tuple[Receipt | None, KalshiError | None]:
    """Send a cancel; its receipt, or why there is none."""
    order_id = request.path.rsplit("/", 1)[-1]
    try:
        receipt = receipt_of(desk.send(request))
    except _UNSENT as error:
        desk.journal.note(key, state="NOT_PLACED", note="nothing was sent")
        raise error from None
    except NotFoundError as error:
        return None, error
    except ApiError as error:
        if error.status in DEFINITE and error.status != 429:
            desk.journal.note(key, state="REJECTED", note=printable(error.code, 60))
            if isinstance(error, AuthError):
                raise
            raise OrderRejected(
                error.status,
                code=error.code,
                message=error.message if error.message != error.code else "",
                details=error.details,
                method="DELETE",
                path=f"order {order_id}",
                hint="The order was not cancelled.",
            ) from error
        return None, error
    except KalshiError as error:
        return None, error
    if receipt.order_id != order_id or receipt.reduced is None:
        return None, DecodeError("the answer is about another order; nothing of it was used")
    return receipt, None


def _shown(desk: Desk, order_id: str, ticker: str) -> OrderFacts | None:
    try:
        return find_order(desk, order_id, ticker)
    except KalshiError:
        return None


def cancelled(desk: Desk, key: str, order_id: str, receipt: Receipt) -> OrderReport:
    """Write down a cancel that the exchange confirmed; the report of its order."""
    mine = _journalled(desk, order_id)
    filled = None
    if receipt.order is not None:
        filled = receipt.order.filled
    elif mine is not None and receipt.reduced is not None:
        filled = max(0, OrderTerms.restored(mine.terms).count - receipt.reduced)
    desk.journal.note(key, state="ACKED", status="canceled", filled=filled, remaining=0, note="")
    _settle_cancels(desk, order_id, "canceled")
    if mine is not None:
        mine = desk.journal.note(mine.key, status="canceled", filled=filled, remaining=0)
        return report_of(desk.client, mine, OrderTerms.restored(mine.terms))
    order = _shown(
        desk, order_id, str((desk.journal.get(key) or Intent("", "", "", "")).terms["ticker"])
    )
    terms = terms_of(order, None) if order is not None else None
    if terms is None or order is None:
        raise DecodeError(f"order {order_id} was cancelled, but the exchange does not show it any more")
    # Reads lag, so how much is filled follows from what the cancel took away.
    filled = order.initial - (receipt.reduced or 0)
    ended = Intent(
        order.client_order_id, "create", "ACKED", "", {}, 0.0, order_id, "canceled", filled, 0
    )
    return report_of(desk.client, ended, replace(terms, count=order.initial))


def _ended(desk: Desk, key: str, order: OrderFacts, cause: KalshiError | None) -> OrderReport:
    """The report of an order that was finished when its cancel came, or by it."""
    crossed = "filled before the cancel" if order.status == "executed" else ""
    note = crossed or ("canceled already" if isinstance(cause, NotFoundError) else "")
    desk.journal.note(
        key,
        state="ACKED",
        status=order.status,
        filled=order.filled,
        remaining=order.remaining,
        note=note,
    )
    _settle_cancels(desk, order.order_id, order.status)
    mine = _journalled(desk, order.order_id)
    terms = terms_of(order, mine)
    terms = replace(
        terms, count=order.initial if mine is None else OrderTerms.restored(mine.terms).count
    )
    if mine is not None:
        desk.journal.note(mine.key, status=order.status, filled=order.filled, remaining=order.remaining)
    ended = Intent(
        order.client_order_id, "create", "ACKED", "", {}, 0.0, order.order_id, order.status,
        order.filled, order.remaining, note,
    )  # fmt: skip
    return report_of(desk.client, ended, terms)


def _settle_cancels(desk: Desk, order_id: str, status: str) -> None:
    """Earlier cancels of an order that has ended are accounted for as well."""
    now = desk.pace.now()
    left = [
        intent.key
        for intent in desk.journal.open_intents()
        if (intent.act, intent.order_id) == ("cancel", order_id)
        and not desk.journal.is_busy(intent, now)
    ]
    note = "the order has ended"
    if left:
        desk.journal.settle({key: {"state": "ACKED", "status": status, "note": note} for key in left})


def _unknown_cancel(desk: Desk, intent: Intent) -> OrderUnknown:
    ticker, subaccount = str(intent.terms["ticker"]), intent.terms.get("subaccount")
    return OrderUnknown(
        f"it is not known whether order {intent.order_id} is cancelled.\n"
        "It may still be filled. Cancelling again is harmless.\n"
        "Call cancel_order again, or resolve() on this error.",
        client_order_id="",
        known=intent.note,
        resolver=lambda _: cancel(desk, intent.order_id, ticker, subaccount),
    )
