"""What earlier sessions left open: accounted for before anything new is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kalshi_research.errors import OpenOrdersWarning, warn
from kalshi_research.trading.evidence import read_orders
from kalshi_research.trading.reconcile import Search, settle
from kalshi_research.trading.settling import settle_changes
from kalshi_research.trading.terms import OrderTerms

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent

__all__ = ["account", "announce_late"]

_RECENT: Final = 2 * 86_400.0
"""For so long settled orders stay in the journal at least [s]."""


def account(desk: Desk) -> list[Intent]:
    """Account for every open intent, once in the life of a desk.

    Returns
    -------
    list of Intent
        What was open before, as it is now.

    Raises
    ------
    KalshiError
        If the exchange cannot be asked, or the journal not read; nothing was sent.
    """
    if desk.accounted:
        return []
    with desk.accounting:
        found, news = desk.account_once(lambda: _account(desk))
    if news:
        # Afterwards, so that a warning that was made an error is one once.
        warn(news, OpenOrdersWarning)
    return found


def _account(desk: Desk) -> tuple[list[Intent], str]:
    journal, pace = desk.journal, desk.pace
    desk.observe()
    left = [intent for intent in journal.open_intents() if not journal.is_busy(intent, pace.now())]
    creates = [intent.key for intent in left if intent.act == "create"]
    changes = [intent.key for intent in left if intent.act != "create"]
    search = Search(desk, creates)
    found = settle(desk, creates, 0.0, search) | settle_changes(desk, changes, 0.0)
    if any(intent.open and key in desk.absent_at for key, intent in found.items()):
        # A second look decides something.
        pace.sleep(pace.seconds(pace.looks_apart))
        found |= settle(desk, creates, 0.0, search) | settle_changes(desk, changes, 0.0)
    everything = journal.intents()
    resting = _resting(desk, everything)
    announce_late(desk.take_in(resting))
    _fold(desk, resting)
    return list(found.values()), _news(desk, found, _earlier(desk, resting, everything))


def _resting(desk: Desk, intents: dict[str, Intent]) -> list[OrderFacts]:
    """What rests on the exchange; nothing is asked where no other session wrote into the journal."""
    here = desk.journal.session
    if all(intent.session == here for intent in intents.values()):
        return []
    shown = read_orders(desk.client, status="resting", seconds=desk.read_seconds)
    return list(shown.by_order_id.values())


def _earlier(desk: Desk, resting: list[OrderFacts], intents: dict[str, Intent]) -> list[OrderFacts]:
    """Resting orders that another session wrote into the journal."""
    here = desk.journal.session
    return [
        order
        for order in resting
        if (mine := intents.get(order.client_order_id)) is not None
        and mine.act == "create"
        and mine.session != here
    ]


def _fold(desk: Desk, resting: list[OrderFacts]) -> None:
    """Have the journal forget, if it is long, what is settled and neither rests nor is recent.

    Days of limits are counted from the orders of two days; the clock of an order, where that is
    later than this machine's, is believed, so that a clock that jumps forgets nothing.
    """
    names = {order.client_order_id for order in resting} | {order.order_id for order in resting}
    latest = max((intent.sent_at for intent in desk.journal.intents().values()), default=0.0)
    recent = min(desk.pace.now(), latest) - _RECENT

    def matters(intent: Intent) -> bool:
        if max(intent.sent_at, intent.until) >= recent:
            return True
        return intent.act == "create" and bool(names & {intent.key, intent.order_id})

    desk.journal.fold(matters)


def announce_late(late: list[Intent]) -> None:
    """Say that orders rest, or have rested, that were said not to be placed."""
    if late:
        first = OrderTerms.restored(late[0].terms).sentence
        warn(
            f"{len(late)} came to light that was said not to be placed ({first}: {late[0].status}).\n"
            "It was taken later than settle_margin allows for; was it placed again since?\n"
            "get_open_orders(client) lists all orders, cancel_order(client, order_id) takes one back.",
            OpenOrdersWarning,
        )


def _news(desk: Desk, found: dict[str, Intent], resting: list[OrderFacts]) -> str:
    """What is left of earlier sessions, in words; empty for nothing."""
    lines = []
    unknown = [intent for intent in found.values() if intent.open]
    if unknown:
        names = ", ".join(intent.key for intent in unknown[:2])
        lines.append(
            f"{len(unknown)} not accounted for yet (id {names}{', …' if len(unknown) > 2 else ''})"
        )
    late = [i for i in found.values() if i.state == "ACKED" and i.act == "create"]
    if late:
        first = OrderTerms.restored(late[0].terms).sentence
        lines.append(f"{len(late)} found to be placed whose answer was lost ({first}: {late[0].status})")
    if resting:
        lines.append(f"{len(resting)} resting, such as one in {resting[0].ticker}")
    if not lines:
        return ""
    name = desk.client.environment.name
    return (
        f"orders of earlier sessions in {name}: {'; '.join(lines)}.\n"
        "get_open_orders(client) lists them all, cancel_order(client, order_id) takes one back."
    )
