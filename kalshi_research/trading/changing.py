"""Changing an order: written down, sent once, and accounted for."""

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
    NotSentError,
    OrderNotPlaced,
    OrderUnknown,
    printable,
)
from kalshi_research.schemas.order_facts import OrderFacts, Receipt, receipt_of
from kalshi_research.trading.afterwards import forgotten, once_sent
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.placing import DEFINITE
from kalshi_research.trading.refusing import refused_change
from kalshi_research.trading.report import OrderReport, report_of, status_word
from kalshi_research.trading.requests import Request, amend_request, decrease_request
from kalshi_research.trading.settling import Change, find_order, settle_changes
from kalshi_research.trading.standing import terms_of
from kalshi_research.trading.terms import OrderTerms, price_text, quantity_text

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk

__all__ = [
    "amend",
    "begin_change",
    "decrease",
    "resolve_change",
]

_UNSENT: Final = (InputError, ConfigError, NotSentError)


def _change(order: OrderFacts, before: OrderTerms, after: OrderTerms, expiration: int | None) -> Change:
    return Change(
        order.ticker, order.side, order.client_order_id, before.action, before.outcome,
        order.yes_price, order.filled + order.remaining, after.yes_price, after.count,
        expiration, order.subaccount or None, bool(order.created),
    )  # fmt: skip


def begin_change(desk: Desk, act: str, order_id: str, stored: dict[str, Any]) -> str:
    """Write down, and wait for the disk, that a change is being sent; its key.

    Whoever sends it tells the journal when that has ended.

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
        try:
            journal.write(row)
        except BaseException:
            journal.ended(key)
            raise
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
    journal = desk.journal
    try:
        return _send(desk, key, request, after, fits, filled=filled)
    finally:
        journal.ended(key)


def _send(
    desk: Desk,
    key: str,
    request: Request,
    after: OrderTerms,
    fits: Callable[[Receipt], bool],
    *,
    filled: int | None,
) -> OrderReport:
    intent = desk.journal.get(key)
    order_id = intent.order_id if intent is not None else ""
    receipt, cause = None, None
    try:
        receipt = receipt_of(desk.send(request))
        if receipt.order_id != order_id or not fits(receipt):
            raise DecodeError("the answer is about another order; nothing of it was used")
    except _UNSENT as error:
        desk.journal.note(key, state="NOT_PLACED", note="nothing was sent")
        raise error from None
    except KalshiError as error:
        cause = error
    with once_sent(f"the change of order {order_id}", lambda _: resolve_change(desk, key, order_id)):
        said = None if receipt is None or cause else _said(desk, receipt, after, filled)
        if said is not None:
            return _report(desk, desk.journal.note(key, state="ACKED", note="", **said))
        return _outcome(desk, _look_up(desk, key, order_id, after, cause), cause)


def _look_up(
    desk: Desk, key: str, order_id: str, after: OrderTerms, cause: KalshiError | None
) -> Intent:
    """What became of a change whose answer does not say it."""
    desk.gave_up[key] = desk.pace.monotonic()
    if isinstance(cause, ApiError) and cause.status in DEFINITE:
        desk.journal.note(key, state="REJECTED", note=printable(cause.code or str(cause.status), 60))
        _refused(desk, order_id, after, cause)
    why = (
        "nothing of the order rests any more"
        if cause is None
        else str(cause).splitlines()[0].rstrip(".")
    )
    desk.journal.note(key, state="UNKNOWN", note=printable(why, 120))
    return settle_changes(desk, [key], desk.pace.seconds(desk.pace.patience))[key]


def _said(desk: Desk, receipt: Receipt, after: OrderTerms, before: int | None) -> dict[str, Any] | None:
    """What a confirmed change made of its order; None where the confirmation leaves that open."""
    order, left = receipt.order, receipt.remaining
    if order is not None:
        filled, left, status = order.filled, order.remaining, order.status
        return {"status": status_word(status, filled), "filled": filled, "remaining": left}
    if left is None:  # it says so only if the size has changed
        shown = desk.journal.order(receipt.order_id)
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
    mine = desk.journal.order(intent.order_id)
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
        resolver=lambda _: resolve_change(desk, intent.key, intent.order_id),
    )


def resolve_change(desk: Desk, key: str, order_id: str) -> OrderReport:
    """Look again for a change that was not accounted for."""
    found = settle_changes(desk, [key], desk.pace.seconds(desk.pace.patience))
    if key not in found:
        what = f"the change of order {printable(order_id, 60)}"
        raise forgotten(what, lambda _: resolve_change(desk, key, order_id))
    return _outcome(desk, found[key], None)


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
    path = f"change to {quantity_text(after.count)} at ${price_text(after.price)}"
    raise refused_change(cause, "POST", path, f"The order was not changed.{now}") from cause
