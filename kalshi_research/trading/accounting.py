"""What earlier sessions left open: accounted for before anything new is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.errors import OpenOrdersWarning, warn
from kalshi_research.trading.evidence import read_orders
from kalshi_research.trading.reconcile import Search, settle
from kalshi_research.trading.settling import settle_changes
from kalshi_research.trading.terms import OrderTerms

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent

__all__ = ["account", "earlier_resting"]


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
    everything = journal.intents()
    left = [i for i in everything.values() if i.open and not journal.is_busy(i, pace.now())]
    creates = [intent.key for intent in left if intent.act == "create"]
    changes = [intent.key for intent in left if intent.act != "create"]
    found: dict[str, Intent] = {}
    if creates:
        search = Search(desk, creates)
        search.look()
        if search.half_proven:
            pace.sleep(pace.seconds(pace.looks_apart))
        found |= settle(desk, creates, 0.0, search)
    if changes:
        found |= settle_changes(desk, changes, 0.0)
    return list(found.values()), _news(desk, found, everything)


def earlier_resting(desk: Desk, intents: dict[str, Intent]) -> list[OrderFacts]:
    """Resting orders that another session wrote into the journal."""
    earlier = {
        i.key for i in intents.values() if i.act == "create" and i.session != desk.journal.session
    }
    if not earlier:
        return []
    shown = read_orders(desk.client, status="resting", seconds=desk.read_seconds)
    return [order for order in shown.by_order_id.values() if order.client_order_id in earlier]


def _news(desk: Desk, found: dict[str, Intent], everything: dict[str, Intent]) -> str:
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
    resting = earlier_resting(desk, everything)
    if resting:
        lines.append(f"{len(resting)} resting, such as one in {resting[0].ticker}")
    if not lines:
        return ""
    name = desk.client.environment.name
    return (
        f"orders of earlier sessions in {name}: {'; '.join(lines)}.\n"
        "get_open_orders(client) lists them all, cancel_order(client, order_id) takes one back."
    )
