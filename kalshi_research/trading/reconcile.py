"""What became of an order whose answer was lost: decided by evidence, never by guessing.

====================================================  =======================================
what is seen                                          what follows
====================================================  =======================================
the order, under its client order id, in any state    it was placed
nothing, in live and historical orders and fills,     it was not placed
twice, some time apart, in reads that are complete
up to the margin after anybody could have sent it
anything else, a failed read above all                nothing: it stays unknown
====================================================  =======================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.errors import KalshiError
from kalshi_research.trading.evidence import Evidence, read_order, read_orders, strange_fills
from kalshi_research.trading.proof import absent_twice, as_found, window
from kalshi_research.trading.terms import OrderTerms
from kalshi_research.trading.waiting import Wait

if TYPE_CHECKING:
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent

__all__ = ["Search", "settle"]

_TICKERS: Final = 5  # with more, one walk over all orders is cheaper


class Search:
    """Looks for orders whose answer was lost, again and again.

    Parameters
    ----------
    desk : Desk
    keys : iterable of str
        Client order ids of new orders.
    """

    def __init__(self, desk: Desk, keys: Iterable[str]) -> None:
        self.desk = desk
        self.pending = list(keys)

    def look(self) -> None:
        """One look; what is decided leaves `pending`."""
        desk = self.desk
        # What another thread or kernel found out counts as well.
        intents = [intent for intent in desk.journal.some(self.pending) if intent.open]
        self.pending = [intent.key for intent in intents]
        now = desk.pace.now()
        unsent = [i for i in intents if i.state == "PREPARED" and not desk.journal.is_busy(i, now)]
        self._settle({intent.key: _absent("it was never sent") for intent in unsent}, unsent)
        never = {intent.key for intent in unsent}
        intents = [intent for intent in intents if intent.key not in never]
        if not intents:
            return
        try:
            seen = desk.observe()  # before the orders are read, so that these are at least as fresh
            shown = self._read(intents)
        except KalshiError:
            return
        found, absent = {}, []
        for intent in intents:
            order = shown.by_client_id.get(intent.key)
            if order is not None:
                found[intent.key] = as_found(intent, order)
            elif absent_twice(desk, intent, seen):
                absent.append(intent)
        self._settle(found, intents)
        self._decide(absent, shown)

    def _settle(self, changes: dict[str, dict[str, Any]], seen: list[Intent]) -> None:
        """Write down what the evidence says of intents as they were when it was gathered."""
        now = self.desk.journal.settle(changes, seen=seen)
        self.pending = [key for key in self.pending if key not in now or now[key].open]

    def _read(self, intents: list[Intent]) -> Evidence:
        found, seconds = Evidence(), self.desk.read_seconds
        for ticker, some in _by_market(intents):
            shown = read_orders(self.desk.client, ticker, since=window(some), seconds=seconds)
            for order in shown.by_order_id.values():
                found.add(order)
        return found

    def _decide(self, absent: list[Intent], shown: Evidence) -> None:
        """Look for orders absent twice where lists do not reach; not there means not placed."""
        for ticker, some in _by_market(absent):
            try:
                found = self._elsewhere(ticker, some, shown)
            except KalshiError:
                continue
            changes = {}
            for intent in some:
                order = found.by_client_id.get(intent.key)
                changes[intent.key] = (
                    _absent("the exchange shows no such order")
                    if order is None
                    else as_found(intent, order)
                )
            self._settle(changes, some)

    def _elsewhere(self, ticker: str | None, intents: list[Intent], shown: Evidence) -> Evidence:
        """The orders of a market with the archive, and those behind strange fills."""
        desk, seconds = self.desk, self.desk.read_seconds
        since = window(intents)
        found = read_orders(desk.client, ticker, since=since, historical=True, seconds=seconds)
        known = {*shown.by_order_id, *found.by_order_id}
        wanted = {(str(i.terms["ticker"]), OrderTerms.restored(i.terms).side) for i in intents}
        strange = strange_fills(desk.client, ticker, known, since=since, seconds=seconds)
        for order_id in {fill.order_id for fill in strange if (fill.ticker, fill.side) in wanted}:
            if desk.journal.order(order_id) is not None:
                continue  # one that is accounted for
            order = read_order(desk.client, order_id, seconds=seconds)
            if order is None:
                raise KalshiError("a fill belongs to an order that the exchange does not show yet")
            found.add(order)
        return found


def _by_market(intents: list[Intent]) -> list[tuple[str | None, list[Intent]]]:
    """Intents by the market to be asked for; all together where they are in many."""
    tickers = sorted({str(intent.terms["ticker"]) for intent in intents})
    if len(tickers) > _TICKERS:
        return [(None, intents)]
    return [(name, [i for i in intents if i.terms["ticker"] == name]) for name in tickers]


def _absent(note: str) -> dict[str, Any]:
    return {"state": "NOT_PLACED", "note": note}


def _named(keys: list[str]) -> str:
    return f"order {keys[0]}" if len(keys) == 1 else f"{len(keys)} orders"


def settle(
    desk: Desk, keys: Iterable[str], patience: float, search: Search | None = None
) -> dict[str, Intent]:
    """Find out what became of new orders, for as long as `patience` lasts.

    Parameters
    ----------
    desk : Desk
    keys : iterable of str
        Client order ids.
    patience : float
        [s]; 0 looks once.
    search : Search, optional
        One that has begun.

    Returns
    -------
    dict
        The intents as they are then; those that are still open are unknown.
    """
    wanted, pace = list(keys), desk.pace
    search = search or Search(desk, wanted)
    with Wait(pace, patience, f"what became of {_named(wanted)}") as wait:
        search.look()
        while search.pending and wait.rest():
            search.look()
    now, lost = pace.now(), {}
    left = desk.journal.some(search.pending)
    for intent in left:
        if intent.state == "SENT" and not desk.journal.is_busy(intent, now):
            lost[intent.key] = {"state": "UNKNOWN", "note": intent.note or "no answer came"}
    desk.journal.settle(lost, seen=left)
    return {intent.key: intent for intent in desk.journal.some(wanted)}
