"""When it means something that an order, or a change of one, is not shown.

Nothing is concluded from one look. Two count, some time apart, whose reads are complete up to the
margin after the last instant at which the request can have been on its way. That instant is taken on
the clock of the exchange: the first answer that was asked for afterwards says what time it is there.
All times of a look are those before its reads, so a machine that is slow in between shortens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.trading.report import status_word
from kalshi_research.trading.terms import OrderTerms

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent
    from kalshi_research.trading.pace import Sighting

__all__ = ["absent_twice", "as_found", "is_old_enough", "window"]

_SLACK: Final = 60.0
"""How much earlier than its sending an order is looked for, if a clock was set right meanwhile [s]."""


def window(intents: Iterable[Intent]) -> float | None:
    """The exchange's clock before all of these orders were created [s since 1970]; None: not known.

    Examples
    --------
    >>> from kalshi_research.trading.journal import Intent
    >>> window([Intent("a", "create", "SENT", "s", since=1000.0)])
    940.0
    >>> window([])
    """
    known = [intent.since for intent in intents]
    return min(known) - _SLACK if known and all(known) else None


def is_old_enough(desk: Desk, intent: Intent, seen: Sighting) -> bool:
    """Whether reads that followed a sighting would show it, however late it was taken.

    Parameters
    ----------
    desk : Desk
    intent : Intent
        Whose answer was lost.
    seen : Sighting
        From before the reads.
    """
    pace = desk.pace
    if desk.journal.is_busy(intent, pace.now()):
        return False
    gave_up = desk.gave_up.get(intent.key)
    if gave_up is None:
        # Another session sent it. Two clocks say when at the latest: whichever is later counts.
        waited = seen.local - intent.until
        over = max(desk.clock.there(intent.until), intent.since + intent.until - intent.sent_at)
    else:
        waited = seen.asked - gave_up
        if seen.date is not None and waited >= 0:
            over = desk.over_at.setdefault(intent.key, seen.date + 1.0)
        else:
            over = desk.clock.there(seen.local - waited)
    return waited >= pace.margin and desk.clock.covers(seen, over + pace.margin)


def as_found(intent: Intent, order: OrderFacts, note: str = "found on the exchange") -> dict[str, Any]:
    """What the journal is to say of an intent under whose id the exchange shows an order."""
    terms = OrderTerms.restored(intent.terms)
    same = (order.ticker, order.side) == (terms.ticker, terms.side) and (
        order.yes_price == terms.yes_price or order.initial == terms.count
    )
    if not same:
        return {"state": "REJECTED", "note": f"its id belongs to another order, {order.order_id}"}
    return {
        "state": "ACKED",
        "order_id": order.order_id,
        "status": status_word(order.status, order.filled),
        "filled": order.filled,
        "remaining": order.remaining,
        "note": note,
    }


def absent_twice(desk: Desk, intent: Intent, seen: Sighting) -> bool:
    """Whether what reads after a sighting did not show has now been absent twice in reads that count."""
    if not is_old_enough(desk, intent, seen):
        return False
    before = desk.absent_at.setdefault(intent.key, seen.asked)
    if before < desk.gave_up.get(intent.key, before):
        # A slow look of before it was sent once more: it counts for nothing.
        before = desk.absent_at[intent.key] = seen.asked
    return seen.asked > before and seen.asked - before >= desk.pace.seconds(desk.pace.looks_apart)
