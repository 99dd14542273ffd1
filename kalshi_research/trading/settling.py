"""What became of a change of an order whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.errors import KalshiError
from kalshi_research.trading.evidence import read_order, read_orders
from kalshi_research.trading.proof import absent_twice, is_old_enough, window
from kalshi_research.trading.report import status_word
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent
    from kalshi_research.trading.pace import Sighting

__all__ = ["Change", "find_order", "settle_changes", "took_effect"]

_SINGLY: Final = 5  # with more, one walk over all orders is cheaper


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an order, as it stands in the journal.

    Attributes
    ----------
    ticker, side : str
    client_order_id : str
        Of the order, as it was before.
    action, outcome : str
        The words its owner uses.
    price, total : int
        As it was: YES limit [1/10 000 dollar], and filled plus remaining [1/100 contract].
    new_price, new_total : int
        As it is to be.
    expiration : int or None
        As it is to be; None keeps it.
    subaccount : int or None
    base_shown : bool
        Whether reads showed the order as it was, or the journal alone knew: then an older state of it
        may still come into sight.
    """

    ticker: str
    side: str
    client_order_id: str
    action: str
    outcome: str
    price: int
    total: int
    new_price: int
    new_total: int
    expiration: int | None = None
    subaccount: int | None = None
    base_shown: bool = True

    def stored(self) -> dict[str, Any]:
        """Plain values, for the journal."""
        return asdict(self)


def find_order(desk: Desk, order_id: str, ticker: str | None) -> OrderFacts | None:
    """An order by the exchange's id, in the archive too; None if it is not shown.

    Raises
    ------
    KalshiError
        If it could not be read.
    """
    order = read_order(desk.client, order_id, seconds=desk.read_seconds)
    if order is not None or ticker is None:
        return order
    mine = desk.journal.order(order_id)
    since = window([mine]) if mine is not None else None
    shown = read_orders(desk.client, ticker, since=since, historical=True, seconds=desk.read_seconds)
    return shown.by_order_id.get(order_id)


def took_effect(intent: Intent, order: OrderFacts) -> bool | None:
    """Whether an order shows a change; None if that cannot be seen, or not any more.

    Fills leave the price and the total as they are, so these tell changes apart.
    """
    if intent.act == "cancel":
        return order.finished
    change = Change(**intent.terms)
    if order.status == "canceled":
        # How large it was is not shown any more; the price is.
        moved = change.new_price != change.price
        return order.yes_price == change.new_price if moved else None
    shown = (order.yes_price, order.filled + order.remaining)
    if shown == (change.new_price, change.new_total):
        return True
    return False if shown == (change.price, change.total) else None


def settle_changes(desk: Desk, keys: Iterable[str], patience: float) -> dict[str, Intent]:
    """Find out what became of changes, for as long as `patience` lasts.

    Parameters
    ----------
    desk : Desk
    keys : iterable of str
        Of changes in the journal.
    patience : float
        [s]; 0 looks once.

    Returns
    -------
    dict
        The intents as they are then; those that are still open are unknown.
    """
    wanted, pace = list(keys), desk.pace
    with Wait(pace, patience, f"what became of {len(wanted)} changes of orders") as wait:
        while pending := [intent for intent in desk.journal.some(wanted) if intent.open]:
            _look(desk, pending)
            if not any(intent.open for intent in desk.journal.some(wanted)) or not wait.rest():
                break
    return {intent.key: intent for intent in desk.journal.some(wanted)}


def _look(desk: Desk, pending: list[Intent]) -> None:
    """One look at the orders that changes are about."""
    now = desk.pace.now()
    unsent = {i.key for i in pending if i.state == "PREPARED" and not desk.journal.is_busy(i, now)}
    known: dict[str, dict[str, Any]] = {
        key: {"state": "NOT_PLACED", "note": "it was never sent"} for key in unsent
    }
    sent = [intent for intent in pending if intent.key not in unsent]
    try:
        seen = desk.observe()  # before the orders are read, so that these are at least as fresh
        orders = _orders(desk, sent)
    except KalshiError:
        sent = []
    for intent in sent:
        order = orders.get(intent.order_id)
        found = _concluded(desk, intent, order, seen) if order is not None else None
        if found is not None:
            known[intent.key] = found
    desk.journal.settle(known, seen=pending)


def _concluded(desk: Desk, intent: Intent, order: OrderFacts, seen: Sighting) -> dict[str, Any] | None:
    """What the journal is to say of a change whose order is shown; None while nothing follows."""
    effect = took_effect(intent, order)
    if effect and (intent.terms.get("base_shown", True) or is_old_enough(desk, intent, seen)):
        return _as_shown("ACKED", order, "seen on the exchange")
    if order.finished:
        if effect is False:
            return _as_shown("NOT_PLACED", order, f"the order was {order.status} before")
        return _as_shown("ACKED", order, "the order ended; the change cannot be seen any more")
    if effect or not absent_twice(desk, intent, seen):
        return None
    if effect is False:
        return _as_shown("NOT_PLACED", order, "the exchange shows the order unchanged")
    now = {"new_price": order.yes_price, "new_total": order.filled + order.remaining}
    note = "another change came after it; whether it took effect cannot be seen any more"
    return _as_shown("ACKED", order, note) | {"terms": dict(intent.terms) | now}


def _orders(desk: Desk, intents: list[Intent]) -> dict[str, OrderFacts | None]:
    """The orders that changes are about, as far as they are shown."""
    found: dict[str, OrderFacts | None] = {}
    if len(intents) > _SINGLY:
        made = [desk.journal.order(intent.order_id) for intent in intents]
        since = window([one for one in made if one is not None]) if all(made) else None
        tickers = {intent.terms.get("ticker") for intent in intents}
        one = tickers.pop() if len(tickers) == 1 else None
        found.update(read_orders(desk.client, one, since=since, seconds=desk.read_seconds).by_order_id)
    for intent in intents:
        if intent.order_id in found:
            continue
        with suppress(KalshiError):
            found[intent.order_id] = find_order(desk, intent.order_id, intent.terms.get("ticker"))
    return found


def _as_shown(state: str, order: OrderFacts, note: str) -> dict[str, Any]:
    return {
        "state": state,
        "status": status_word(order.status, order.filled),
        "filled": order.filled,
        "remaining": order.remaining,
        "note": note,
    }
