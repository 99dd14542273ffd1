"""What became of a change of an order whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.errors import KalshiError
from kalshi_research.trading.evidence import read_order, read_orders
from kalshi_research.trading.report import status_word

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent

__all__ = ["Change", "find_order", "settle_changes", "took_effect"]

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


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
    shown = read_orders(desk.client, ticker, historical=True, seconds=desk.read_seconds)
    return shown.by_order_id.get(order_id)


def took_effect(intent: Intent, order: OrderFacts) -> bool | None:
    """Whether an order shows a change; None if it can be seen any more in neither way."""
    if intent.act == "cancel":
        return order.finished
    change = Change(**intent.terms)
    total = order.initial if order.status == "executed" else order.filled + order.remaining
    wanted = (order.yes_price, total) == (change.new_price, change.new_total)
    if wanted and order.status != "canceled":
        return True
    if order.status == "canceled":
        # How large it was is not shown any more; the price is.
        moved = change.new_price != change.price
        return order.yes_price == change.new_price if moved else None
    return None if order.finished else False


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
    ends, pause = pace.monotonic() + patience, _FIRST_PAUSE
    while True:
        pending = [i for key in wanted if (i := desk.journal.get(key)) is not None and i.open]
        for intent in pending:
            _look(desk, intent)
        left = ends - pace.monotonic()
        if left <= 0 or not any(i.open for key in wanted if (i := desk.journal.get(key)) is not None):
            break
        pace.sleep(min(pace.seconds(pause), left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    return {key: found for key in wanted if (found := desk.journal.get(key)) is not None}


def _look(desk: Desk, intent: Intent) -> None:
    pace, journal = desk.pace, desk.journal
    if intent.state == "PREPARED" and not journal.is_busy(intent, pace.now()):
        journal.note(intent.key, state="NOT_PLACED", note="it was never sent")
        return
    try:
        desk.observe()
        order = find_order(desk, intent.order_id, intent.terms.get("ticker"))
    except KalshiError:
        return
    if order is None:
        return
    effect = took_effect(intent, order)
    if effect is not False:
        note = (
            "seen on the exchange" if effect else "the order ended; the change cannot be seen any more"
        )
        _acknowledge(desk, intent, order, note)
        return
    if not _is_old_enough(desk, intent):
        return
    now = pace.monotonic()
    before = desk.absent_at.setdefault(intent.key, now)
    if now > before and now - before >= pace.seconds(pace.looks_apart):
        _not_done(desk, intent, order)


def _acknowledge(desk: Desk, intent: Intent, order: OrderFacts, note: str) -> None:
    desk.journal.note(
        intent.key,
        state="ACKED",
        status=status_word(order.status, order.filled),
        filled=order.filled,
        remaining=order.remaining,
        note=note,
    )


def _not_done(desk: Desk, intent: Intent, order: OrderFacts) -> None:
    desk.journal.note(
        intent.key,
        state="NOT_PLACED",
        status=status_word(order.status, order.filled),
        filled=order.filled,
        remaining=order.remaining,
        note="the exchange shows the order unchanged",
    )


def _is_old_enough(desk: Desk, intent: Intent) -> bool:
    pace = desk.pace
    gave_up = desk.gave_up.get(intent.key)
    waited = pace.now() - intent.until if gave_up is None else pace.monotonic() - gave_up
    if desk.journal.is_busy(intent, pace.now()) or waited < pace.margin:
        return False
    last = intent.until if gave_up is None else pace.now() - waited
    return desk.clock.covers(last, pace.margin)
