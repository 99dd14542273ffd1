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
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import KalshiError
from kalshi_research.trading.evidence import read_order, read_orders, strange_fills
from kalshi_research.trading.report import status_word
from kalshi_research.trading.terms import OrderTerms

if TYPE_CHECKING:
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.evidence import Evidence
    from kalshi_research.trading.journal import Intent

__all__ = ["Search", "acknowledge", "settle"]

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_TICKERS: Final = 5  # with more, one walk over all orders is cheaper


def acknowledge(desk: Desk, key: str, order: OrderFacts, note: str = "") -> Intent:
    """Write down that an order was found."""
    return desk.journal.note(
        key,
        state="ACKED",
        order_id=order.order_id,
        status=status_word(order.status, order.filled),
        filled=order.filled,
        remaining=order.remaining,
        note=note,
    )


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
        intents = [intent for key in self.pending if (intent := desk.journal.get(key)) is not None]
        # What another thread or kernel found out counts as well.
        self.pending = [intent.key for intent in intents if intent.open]
        for intent in intents:
            if intent.state == "PREPARED" and not desk.journal.is_busy(intent, desk.pace.now()):
                self._close(intent, "it was never sent")
        intents = [intent for intent in intents if intent.key in self.pending]
        try:
            desk.observe()  # before the orders are read, so that these are at least as fresh
            shown = self._read(intents)
        except KalshiError:
            return
        absent = []
        for intent in intents:
            order = shown.by_client_id.get(intent.key)
            if order is not None:
                self._found(intent, order)
            elif self._seen_absent(intent):
                absent.append(intent)
        self._decide(absent, shown)

    def _found(self, intent: Intent, order: OrderFacts) -> None:
        terms = OrderTerms.restored(intent.terms)
        same = (order.ticker, order.side) == (terms.ticker, terms.side) and (
            order.yes_price == terms.yes_price or order.initial == terms.count
        )
        if same:
            acknowledge(self.desk, intent.key, order, "found on the exchange")
        else:
            note = f"its id belongs to another order, {order.order_id}"
            self.desk.journal.note(intent.key, state="REJECTED", note=note)
        self.pending.remove(intent.key)

    def _read(self, intents: list[Intent]) -> Evidence:
        tickers = {str(intent.terms["ticker"]) for intent in intents}
        since = min((intent.sent_at for intent in intents), default=None)
        chosen = sorted(tickers) if len(tickers) <= _TICKERS else [None]
        found = None
        for ticker in chosen:
            more = read_orders(
                self.desk.client, ticker, sent_at=since or None, seconds=self.desk.read_seconds
            )
            if found is None:
                found = more
            else:
                for order in more.by_order_id.values():
                    found.add(order)
        if found is None:
            raise KalshiError("there is nothing to look for")
        return found

    def _seen_absent(self, intent: Intent) -> bool:
        """Whether an order that is not shown has now been absent twice in reads that count."""
        pace = self.desk.pace
        if not self.is_old_enough(intent):
            return False
        now = pace.monotonic()
        before = self.desk.absent_at.setdefault(intent.key, now)
        return now - before >= pace.seconds(pace.looks_apart) and now > before

    @property
    def half_proven(self) -> bool:
        """Whether a second look, some time after the first, would decide something."""
        return any(key in self.desk.absent_at for key in self.pending)

    def _decide(self, absent: list[Intent], shown: Evidence) -> None:
        """Look for orders absent twice where lists do not reach; not there means not placed."""
        for ticker in {str(intent.terms["ticker"]) for intent in absent}:
            some = [intent for intent in absent if intent.terms["ticker"] == ticker]
            try:
                found = self._elsewhere(ticker, some, shown)
            except KalshiError:
                continue
            for intent in some:
                order = found.by_client_id.get(intent.key)
                if order is not None:
                    self._found(intent, order)
                else:
                    self._close(intent, "the exchange shows no such order")

    def is_old_enough(self, intent: Intent) -> bool:
        """Whether reads of now would show it, however late it was taken."""
        desk, pace = self.desk, self.desk.pace
        gave_up = desk.gave_up.get(intent.key)
        waited = pace.now() - intent.until if gave_up is None else pace.monotonic() - gave_up
        if desk.journal.is_busy(intent, pace.now()) or waited < pace.margin:
            return False
        last = intent.until if gave_up is None else pace.now() - waited
        return desk.clock.covers(last, pace.margin)

    def _elsewhere(self, ticker: str, intents: list[Intent], shown: Evidence) -> Evidence:
        """The orders of a market with the archive, and those behind strange fills."""
        desk, seconds = self.desk, self.desk.read_seconds
        since = min(intent.sent_at for intent in intents)
        found = read_orders(desk.client, ticker, sent_at=since, historical=True, seconds=seconds)
        known = {*shown.by_order_id, *found.by_order_id}
        sides = {OrderTerms.restored(intent.terms).side for intent in intents}
        strange = strange_fills(desk.client, ticker, known, sent_at=since, seconds=seconds)
        for order_id in {fill.order_id for fill in strange if fill.side in sides}:
            order = read_order(desk.client, order_id, seconds=seconds)
            if order is None:
                raise KalshiError("a fill belongs to an order that the exchange does not show yet")
            found.add(order)
        return found

    def _close(self, intent: Intent, note: str) -> None:
        self.desk.journal.note(intent.key, state="NOT_PLACED", note=note)
        self.pending.remove(intent.key)


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
    ends, pause = pace.monotonic() + patience, _FIRST_PAUSE
    while True:
        search.look()
        left = ends - pace.monotonic()
        if not search.pending or left <= 0:
            break
        pace.sleep(min(pace.seconds(pause), left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    for key in search.pending:
        intent = desk.journal.get(key)
        if (
            intent is not None
            and intent.state == "SENT"
            and not desk.journal.is_busy(intent, pace.now())
        ):
            desk.journal.note(key, state="UNKNOWN", note=intent.note or "no answer came")
    return _now(desk, wanted)


def _now(desk: Desk, keys: list[str]) -> dict[str, Intent]:
    return {key: found for key in keys if (found := desk.journal.get(key)) is not None}
