"""Cancelling an order: sent until it is known what the order ended as."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import (
    ApiError,
    AuthError,
    ConfigError,
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    NotSentError,
    OrderUnknown,
    printable,
)
from kalshi_research.schemas.order_facts import OrderFacts, Receipt, receipt_of
from kalshi_research.trading.afterwards import once_sent
from kalshi_research.trading.changing import begin_change
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.placing import DEFINITE
from kalshi_research.trading.refusing import refused_change
from kalshi_research.trading.report import OrderReport, report_of
from kalshi_research.trading.requests import Request, cancel_request
from kalshi_research.trading.settling import find_order
from kalshi_research.trading.standing import terms_of
from kalshi_research.trading.terms import OrderTerms
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.pace import Sighting

__all__ = ["cancel", "cancelled"]

_UNSENT: Final = (InputError, ConfigError, NotSentError)


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
    request = cancel_request(order_id, ticker, subaccount=subaccount, dialect=desk.dialect)
    absence = Absence(desk, order_id, ticker)
    key = begin_change(desk, "cancel", order_id, {"ticker": ticker, "subaccount": subaccount})
    journal, again = desk.journal, lambda _: cancel(desk, order_id, ticker, subaccount)
    try:
        with once_sent(f"the cancel of order {order_id}", again):
            return _follow(desk, key, request, absence)
    finally:
        journal.ended(key)


def _follow(desk: Desk, key: str, request: Request, absence: Absence) -> OrderReport:
    """Send a cancel, again where that may help, until it is known what its order ended as."""
    pace, order_id, missing, again_at = desk.pace, absence.order_id, False, 0.0
    cause: KalshiError | None = None
    with Wait(pace, pace.seconds(pace.patience), f"the end of order {order_id}") as wait:
        while True:
            if not missing or pace.monotonic() >= again_at:
                receipt, cause = _try_cancel(desk, key, request)
                if receipt is not None:
                    return cancelled(desk, key, order_id, receipt)
                missing = isinstance(cause, NotFoundError)
                # It is finished, and reads lag; if they still do not say so then, something is wrong.
                again_at = pace.monotonic() + pace.margin
            order = absence.look(wanted=missing)
            if order is not None and order.finished:
                return _ended(desk, key, order, cause)
            if missing and order is not None and order.ticker != absence.ticker:
                hint = f"It is an order of {printable(order.ticker, 80)}: leave ticker= out."
                raise _no_order(desk, key, absence, hint) from cause
            if (missing and absence.proven) or not wait.rest():
                break
    if missing and absence.proven:
        raise _no_order(desk, key, absence, "get_orders(client) lists your orders.") from cause
    intent = desk.journal.note(key, state="UNKNOWN", note="the exchange does not show its end yet")
    raise _unknown_cancel(desk, intent) from cause


def _no_order(desk: Desk, key: str, absence: Absence, hint: str) -> NotFoundError:
    """Close a cancel of what is not there, and earlier ones of it; the error that says so."""
    refused = {"state": "REJECTED", "note": "not found"}
    desk.journal.note(key, **refused)
    _settle_cancels(desk, absence.order_id, refused, ticker=absence.ticker)
    return NotFoundError(
        404,
        code="not_found",
        message=f"{absence.ticker} has no order {printable(absence.order_id, 60)} of yours",
        method="DELETE",
        path=f"/portfolio/orders/{absence.order_id}",
        hint=f"Nothing was cancelled. {hint}",
    )


class Absence:
    """Looks for an order, and whether it means something that it is not there.

    An order that this journal placed is there, whatever reads show; they lag. One that it does not
    know cannot be an order of ours that was taken late: whoever names its id has seen it before. So
    it would be shown by reads that are complete up to the beginning of the call, and one that
    these do not show, in live and historical orders, does not exist.

    Attributes
    ----------
    proven : bool
        Whether it is known not to exist.
    """

    def __init__(self, desk: Desk, order_id: str, ticker: str) -> None:
        self.order_id, self.ticker, self.proven = order_id, ticker, False
        self._desk, self._began = desk, desk.pace.now()
        self._ours = desk.journal.order(order_id) is not None
        self._missed_at: float | None = None

    def look(self, *, wanted: bool) -> OrderFacts | None:
        """The order as it is shown, or None; whether that proves something is asked if `wanted`."""
        desk, seen = self._desk, None
        if wanted and not self._ours:
            with suppress(KalshiError):
                seen = desk.observe()  # before the order is read
        try:
            order = find_order(desk, self.order_id, self.ticker)
        except KalshiError:
            return None
        if order is None and seen is not None:
            self._judge(seen)
        return order

    def _judge(self, seen: Sighting) -> None:
        desk = self._desk
        if not desk.clock.covers(seen, desk.clock.there(self._began)):
            return
        # A simulated clock may stand still; where it does, time has to pass instead.
        self._missed_at = seen.asked if self._missed_at is None else self._missed_at
        apart = desk.pace.seconds(desk.pace.looks_apart) if desk.client.simulated else 0.0
        self.proven = seen.asked - self._missed_at >= apart


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
            hint = "The order was not cancelled."
            raise refused_change(error, "DELETE", f"order {order_id}", hint) from error
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
    mine = desk.journal.order(order_id)
    filled = None
    if receipt.order is not None:
        filled = receipt.order.filled
    elif mine is not None and receipt.reduced is not None:
        filled = max(0, OrderTerms.restored(mine.terms).count - receipt.reduced)
    desk.journal.note(key, state="ACKED", status="canceled", filled=filled, remaining=0, note="")
    _settle_cancels(desk, order_id, _has_ended("canceled"))
    if mine is not None:
        mine = desk.journal.note(mine.key, status="canceled", filled=filled, remaining=0)
        return report_of(desk.client, mine, OrderTerms.restored(mine.terms))
    order = _shown(
        desk, order_id, str((desk.journal.get(key) or Intent("", "", "", "")).terms["ticker"])
    )
    if order is None:
        raise DecodeError(f"order {order_id} was cancelled, but the exchange does not show it any more")
    # Reads lag, so how much is filled follows from what the cancel took away.
    filled = order.initial - (receipt.reduced or 0)
    ended = Intent(
        order.client_order_id, "create", "ACKED", "", {}, 0.0, order_id, "canceled", filled, 0
    )
    return report_of(desk.client, ended, replace(terms_of(order, None), count=order.initial))


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
    _settle_cancels(desk, order.order_id, _has_ended(order.status))
    mine = desk.journal.order(order.order_id)
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


def _has_ended(status: str) -> dict[str, str]:
    return {"state": "ACKED", "status": status, "note": "the order has ended"}


def _settle_cancels(desk: Desk, order_id: str, end: Mapping[str, str], *, ticker: str = "") -> None:
    """Earlier cancels of an order that has ended, or does not exist, are accounted for as well.

    Those that name another market than `ticker` were sent to another place.
    """
    now = desk.pace.now()
    left = [
        intent
        for intent in desk.journal.open_intents()
        if (intent.act, intent.order_id) == ("cancel", order_id)
        and ticker in ("", intent.terms["ticker"])
        and not desk.journal.is_busy(intent, now)
    ]
    desk.journal.settle({intent.key: end for intent in left}, seen=left)


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
