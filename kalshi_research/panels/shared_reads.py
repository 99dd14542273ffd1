"""What panels ask of the exchange: each thing once for all panels of a client."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from kalshi_research.market_data import get_market, get_orderbook
from kalshi_research.market_data.tiers import exchange_time
from kalshi_research.portfolio import get_balance, get_positions
from kalshi_research.trading import get_open_orders
from kalshi_research.trading.preparing import fees_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.fees import FeeTerms

__all__ = ["Account", "MarketSnapshot", "SharedReads", "reads_of"]

_BALANCE: Final = 1.0
"""The exchange tells the balance once a second to most accounts [s]."""
_FEES: Final = 600.0
"""How long what a market charges is taken for known [s]."""
_KEPT: Final = 900.0
"""How long an answer is kept that nobody asks for [s]."""

T = TypeVar("T")


class MarketSnapshot(NamedTuple):
    """One market at one moment.

    Attributes
    ----------
    market, book : DataFrame
        Of `get_market` and `get_orderbook`.
    fees : FeeTerms
        What it charges.
    time : datetime
        By the clock of the exchange.
    """

    market: pd.DataFrame
    book: pd.DataFrame
    fees: FeeTerms
    time: datetime


class Account(NamedTuple):
    """One account at one moment.

    Attributes
    ----------
    balance : float
        What can be spent [dollars].
    positions, orders : DataFrame
        Of `get_positions` and `get_open_orders`.
    """

    balance: float
    positions: pd.DataFrame
    orders: pd.DataFrame

    def held(self, ticker: str) -> float:
        """Contracts of a market, negative for NO."""
        return float(self.positions["position"].get(ticker, 0.0))


class _Answer(NamedTuple):
    asked: float
    value: Any


class SharedReads:
    """What the panels of one client ask, so that two panels do not ask the same.

    Parameters
    ----------
    client : Client
    now : callable
        Seconds of any clock that only goes forward.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client, asked = kr.connect("sandbox"), []
    >>> reads = SharedReads(client)
    >>> [reads.ask("a", lambda: asked.append(1), within=60) for _ in range(3)]
    [None, None, None]
    >>> len(asked)
    1
    """

    def __init__(self, client: Client, *, now: Callable[[], float] = time.monotonic) -> None:
        self._client = weakref.ref(client)
        self._now = now
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._answers: dict[Hashable, _Answer] = {}
        self._changed = now()

    def ask(self, what: Hashable, fetch: Callable[[], T], *, within: float) -> T:
        """The answer of `fetch`, or one that another panel got so short a time ago.

        Parameters
        ----------
        what : hashable
            Names the question.
        fetch : callable
            Asks it. What it raises is raised, and not kept.
        within : float
            How long ago it may have been asked [s]. With 0 it is asked now, unless another panel
            has done so since this call began.
        """
        oldest = self._now() - within
        with self._lock:
            lock = self._locks.setdefault(what, threading.Lock())
        with lock:
            known = self._answers.get(what)
            if known is not None and known.asked >= oldest:
                found: T = known.value
                return found
            asked = self._now()
            found = fetch()
            with self._lock:
                self._answers[what] = _Answer(asked, found)
                self._drop(asked - _KEPT)
        return found

    def _drop(self, before: float) -> None:
        for what in [what for what, answer in self._answers.items() if answer.asked < before]:
            del self._answers[what]

    def market(self, ticker: str, *, within: float) -> MarketSnapshot:
        """A market and its book.

        Parameters
        ----------
        ticker : str
        within : float
            How old it may be [s].
        """
        client = self._asker()

        def fetch() -> MarketSnapshot:
            market = get_market(client, ticker)
            now = exchange_time(client).to_pydatetime()
            fees = self.ask(("fees", ticker), lambda: fees_of(client, market, now), within=_FEES)
            return MarketSnapshot(market, get_orderbook(client, ticker), fees, now)

        return self.ask(("market", ticker), fetch, within=within)

    def account(self, *, within: float) -> Account:
        """Money, positions and open orders.

        Parameters
        ----------
        within : float
            How old they may be [s]; the balance a second, which is as often as it is told.
        """
        client = self._asker()
        since = self._now() - self._changed
        within = min(within, since)
        balance = self.ask(
            "balance",
            lambda: float(get_balance(client)["balance"].iloc[0]),
            within=min(max(within, _BALANCE), since),
        )
        positions = self.ask("positions", lambda: get_positions(client, progress=False), within=within)
        return Account(
            balance, positions, self.ask("orders", lambda: get_open_orders(client), within=within)
        )

    def changed(self) -> None:
        """Something was sent: what is known of the account is not so any more."""
        self._changed = self._now()

    def _asker(self) -> Client:
        client = self._client()
        if client is None:
            raise ReferenceError("a panel outlived its client")
        return client


_READS: weakref.WeakKeyDictionary[Client, SharedReads] = weakref.WeakKeyDictionary()
_MAKING = threading.Lock()


def reads_of(client: Client) -> SharedReads:
    """The reads of a client; the same for all its panels.

    Parameters
    ----------
    client : Client

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> reads_of(client) is reads_of(client)
    True
    """
    with _MAKING:
        found = _READS.get(client)
        if found is None:
            found = _READS[client] = SharedReads(client)
        return found
