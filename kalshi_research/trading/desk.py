"""The desk: what trading knows of one client. Its journal, its clocks, its limits.

A desk is opened by the first call that trades. Before anything is sent it accounts for what
earlier sessions left open.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.errors import ConfigError, InputError, KalshiError, NotFoundError, printable, quoted
from kalshi_research.market_data.arguments import check_client
from kalshi_research.trading.evidence import watermark
from kalshi_research.trading.journal import Intent, Journal
from kalshi_research.trading.lines import problem_of
from kalshi_research.trading.pace import ExchangeClock, Pace, Sighting
from kalshi_research.trading.places import JOURNAL_VARIABLE, journal_path
from kalshi_research.trading.proof import as_found
from kalshi_research.trading.rules import MarketRules
from kalshi_research.trading.terms import OrderTerms, check_ticker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kalshi_research.client import Client
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.limits import Limits
    from kalshi_research.trading.requests import Request

__all__ = ["Desk", "desk_of", "journal_at"]

_READ_LEAST: Final = 4.0
"""For a read, however quick the pace: a thousand rows on a busy machine take that long [s]."""
_RULES_LAST: Final = 30.0
"""How long the rules of a market are taken for current [s]."""


class Desk:
    """What trading knows of one client.

    Parameters
    ----------
    client : Client
        With a key.

    Attributes
    ----------
    client : Client
    pace : Pace
        How long is waited for what; may be replaced.
    limits : Limits or None
        What `arm` allowed.
    clock : ExchangeClock
    accounted : bool
        Whether what earlier sessions left open has been looked at.
    gave_up : dict
        When the wait for an answer ended, by key [monotonic s].
    absent_at : dict
        When a look first counted that did not show an order or a change, by key [monotonic s].
    over_at : dict
        An instant on the exchange's clock after the wait for an answer, by key [s since 1970].
    deleted_groups : set of str
        Order groups that this client deleted.
    """

    def __init__(self, client: Client) -> None:
        self._client = weakref.ref(client)
        self.pace = Pace()
        self.limits: Limits | None = None
        self.clock = ExchangeClock(simulated=client.simulated)
        self.accounted = False
        self.accounting = threading.Lock()
        self.gave_up: dict[str, float] = {}
        self.absent_at: dict[str, float] = {}
        self.over_at: dict[str, float] = {}
        self.deleted_groups: set[str] = set()
        self._rules: dict[str, tuple[float, MarketRules]] = {}
        self._writing = threading.local()
        self._place: tuple[str | None, Path] | None = None

    @property
    def client(self) -> Client:
        """The client, as long as somebody uses it."""
        client = self._client()
        if client is None:
            raise ConfigError("the client of this order is gone; call connect() again.")
        return client

    @property
    def journal(self) -> Journal:
        """The journal of this exchange and key, shared by the clients of this process."""
        chosen = os.environ.get(JOURNAL_VARIABLE)
        if self._place is None or self._place[0] != chosen:
            self._place = (chosen, journal_path(self.client))
        return journal_at(self._place[1])

    @property
    def dialect(self) -> str:
        """The protocol that is spoken."""
        return self.client.dialect

    # Sending

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let this thread write to the exchange, as far as the limits go."""
        self._writing.now = True
        try:
            yield
        finally:
            self._writing.now = False

    def may_write(self, _method: str, _route: str) -> bool:
        """Whether a write to the real exchange is allowed now; asked by the client for each."""
        return getattr(self._writing, "now", False) and self.limits is not None and self.limits.live

    def send(self, request: Request) -> Any:
        """Send one write, once."""
        with self.writing():
            return self.client.request(
                request.method,
                request.path,
                params=request.params,
                body=request.body,
                deadline=self.pace.seconds(self.pace.deadline),
            )

    # What is known

    def observe(self) -> Sighting:
        """Learn how fresh the reads are that follow."""
        asked, local = self.pace.monotonic(), self.pace.now()
        instant, date = watermark(self.client, seconds=self.read_seconds)
        seen = Sighting(instant, local, date, self.pace.monotonic(), asked)
        self.clock.observe(seen)
        return seen

    def instant(self) -> float:
        """The exchange's clock now, or somewhat before, for the journal; 0 where it is not known."""
        return self.clock.at_least(self.pace.monotonic()) or 0.0

    @property
    def read_seconds(self) -> float:
        """Time for one read [s]."""
        return max(_READ_LEAST, self.pace.seconds(self.pace.deadline))

    def present(self, *, fresh: bool = True) -> datetime:
        """The present of the exchange; a simulated one has its own, which may be asked `fresh`."""
        if self.client.simulated:
            if fresh or self.clock.last is None:
                with suppress(KalshiError):
                    self.observe()
            if self.clock.last is not None:
                return datetime.fromtimestamp(self.clock.last, UTC)
        return self.client.clock()

    def rules(self, ticker: str) -> MarketRules:
        """What a market allows.

        Raises
        ------
        NotFoundError
            If there is no such market.
        """
        from kalshi_research.market_data import get_market

        check_ticker(ticker)
        known = self._rules.get(ticker)
        if known is not None and self.pace.monotonic() - known[0] < _RULES_LAST:
            return known[1]
        try:
            rules = MarketRules.of(get_market(self.client, ticker))
        except NotFoundError as error:
            raise NotFoundError(
                404,
                code="not_found",
                message=f"there is no market {printable(ticker, 80)}; no order was sent",
                method=error.method,
                path=error.path,
                hint="search_markets and get_markets(series_ticker=...) find tickers.",
            ) from None
        self._rules[ticker] = (self.pace.monotonic(), rules)
        return rules

    def shard(self, ticker: str) -> int | None:
        """On which shard of the exchange a market lives; None if that is not said."""
        return self.rules(ticker).shard

    def look_again(self) -> None:
        """Have one look at everything that is not accounted for."""
        from kalshi_research.trading.reconcile import settle
        from kalshi_research.trading.settling import settle_changes

        now = self.pace.now()
        left = [i for i in self.journal.open_intents() if not self.journal.is_busy(i, now)]
        creates = [intent.key for intent in left if intent.act == "create"]
        settle(self, creates, 0.0)
        settle_changes(self, [intent.key for intent in left if intent.act != "create"], 0.0)

    def require_permission(self) -> None:
        """Refuse to change anything in ``prod`` unless it is armed.

        Raises
        ------
        LimitError
            If it is not.
        """
        from kalshi_research.trading.limits import check_limits

        check_limits(self, [])

    def rules_if_known(self, ticker: str) -> MarketRules | None:
        """The rules of a market, for better advice; None where they cannot be had."""
        try:
            return self.rules(ticker)
        except KalshiError:
            return None

    def check_change(self, before: OrderTerms, after: OrderTerms) -> None:
        """Check a change against the limits, by what it adds.

        Raises
        ------
        LimitError
            If a limit would be exceeded.
        """
        from kalshi_research.trading.limits import check_limits

        check_limits(self, [after])
        more = after.count - before.count
        if more > 0:
            check_limits(self, [replace(after, count=more)]).check_again()

    def forget(self, ticker: str) -> None:
        """Ask for the rules of a market again next time."""
        self._rules.pop(ticker, None)

    # What is open

    def open_creates(self) -> list[Intent]:
        """New orders that something has still to become of."""
        return [intent for intent in self.journal.open_intents() if intent.act == "create"]

    def take_in(self, shown: Iterable[OrderFacts]) -> list[Intent]:
        """Have the journal know of orders that are shown what it did not know.

        Returns
        -------
        list of Intent
            Those of which it had been said that they were not placed.
        """
        changes, late, seen, now = {}, set(), [], self.pace.now()
        for order in shown:
            intent = self.journal.get(order.client_order_id) if order.client_order_id else None
            if intent is None or intent.act != "create" or self.journal.is_busy(intent, now):
                continue
            seen.append(intent)
            if intent.state == "NOT_PLACED":
                late.add(intent.key)
                changes[intent.key] = as_found(intent, order, "it came to light late")
            elif intent.open:
                changes[intent.key] = as_found(intent, order)
        found = self.journal.settle(changes, seen=seen, reopen=True) if changes else {}
        return [intent for key, intent in found.items() if key in late]

    def equal_open(self, terms: OrderTerms, but: str = "") -> Intent | None:
        """An order that would do the same and is not accounted for."""
        for intent in self.open_creates():
            if intent.key != but and OrderTerms.restored(intent.terms).equals(terms):
                return intent
        return None

    def open_change(self, order_id: str) -> Intent | None:
        """A change of an order that is not accounted for; a cancel may always be sent again."""
        for intent in self.journal.open_intents():
            if intent.act in ("amend", "decrease") and intent.order_id == order_id:
                return intent
        return None

    def account_once(self, work: Callable[[], tuple[list[Intent], str]]) -> tuple[list[Intent], str]:
        """Do the accounting, unless another thread has done it meanwhile."""
        if self.accounted:
            return [], ""
        found = work()
        self.accounted = True
        return found

    def __repr__(self) -> str:
        return f"<Desk of {self.client!r}>"


_lock = threading.Lock()
_desks: weakref.WeakKeyDictionary[Client, Desk] = weakref.WeakKeyDictionary()
_journals: dict[tuple[int, Path], Journal] = {}


def desk_of(client: Client) -> Desk:
    """The desk of a client, the same each time.

    Raises
    ------
    ConfigError
        If the client has no key.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> desk_of(client) is desk_of(client)
    True
    """
    check_client(client)
    if not client.signed:
        name = client.environment.name
        raise ConfigError(
            f"trading needs a key, and this client of {name} has none; nothing was sent.\n"
            f'connect("{name}", key_id=..., private_key="path/to/key.pem").'
        )
    with _lock:
        desk = _desks.get(client)
        if desk is None:
            desk = _desks[client] = Desk(client)
            client._write_grant = desk.may_write  # noqa: SLF001 - the place made for this layer
        return desk


def journal_at(path: Path) -> Journal:
    """The journal in a file, one for all threads of this process."""
    with _lock:
        key = (os.getpid(), path)
        journal = _journals.get(key)
        if journal is None:
            journal = _journals[key] = Journal(path, check=problem_of)
        return journal


def order_id_of(order: object) -> str:
    """The exchange's id of what a user names an order by: a report, a row, or the id."""
    found = getattr(order, "order_id", order)
    if not isinstance(found, str) or not found:
        raise InputError(
            f"order={quoted(order, 60)} names no order of the exchange; nothing was sent.\n"
            "Pass its order_id, or the report that create_order gave."
        )
    return check_ticker(found)
