"""What the market browser knows: where it is, what is listed there, what is chosen."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from kalshi_research.market_data import (
    get_candlesticks,
    get_events,
    get_exchange_status,
    get_markets,
    get_series,
    search_markets,
)
from kalshi_research.market_data.tiers import exchange_time
from kalshi_research.panels.words import contracts, dollars, moment, text

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.panels.jobs import Jobs

__all__ = ["STATUSES", "BrowserModel"]

STATUSES = ("open", "unopened", "closed", "settled")
_SPARKS = 30
_MOST = 500
_WEEK = timedelta(days=7)
_TICKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)

_COLUMNS: dict[str, list[dict[str, str]]] = {
    "series": [
        {"label": "Series", "kind": "text"},
        {"label": "Title", "kind": "text"},
        {"label": "Category", "kind": "text", "from": "medium"},
        {"label": "Frequency", "kind": "text", "from": "medium"},
    ],
    "events": [
        {"label": "Event", "kind": "text"},
        {"label": "Title", "kind": "text"},
        {"label": "Decided", "kind": "text"},
    ],
    "markets": [
        {"label": "Market", "kind": "text"},
        {"label": "Yes means", "kind": "text"},
        {"label": "Bid", "kind": "number"},
        {"label": "Ask", "kind": "number"},
        {"label": "Last", "kind": "number", "from": "medium"},
        {"label": "Week", "kind": "spark", "from": "wide"},
        {"label": "Volume", "kind": "number", "from": "medium"},
        {"label": "Status", "kind": "text", "from": "wide"},
        {"label": "Closes", "kind": "text", "from": "wide"},
    ],
}
_WORDS = {"active": "open", "inactive": "paused", "initialized": "not open yet", "finalized": "settled"}


class BrowserModel(traitlets.HasTraits):
    """Series, their events, their markets, and one market that is chosen.

    Parameters
    ----------
    client : Client
    jobs : Jobs
        Where requests are sent from.

    Attributes
    ----------
    query : str
        Words that a row must have; at the top, words that markets of all series are searched for.
    status : {"open", "unopened", "closed", "settled"}
        Of the events and markets listed.
    place : tuple of str
        Empty at the top, else series, or series and event.
    level : {"series", "events", "markets"}
        What is listed.
    columns, rows : list of dict
        Of a `Table`.
    ticker : str
        The market chosen; empty before.
    note : str
        What went wrong or is missing, in words.
    halted : str
        Why nobody can trade now; empty if they can.
    busy : bool
    """

    query = traitlets.Unicode()
    status = traitlets.Enum(STATUSES, "open")
    place: Any = traitlets.Tuple()
    level = traitlets.Enum(("series", "events", "markets"), "series")
    columns: traitlets.List[dict[str, str]] = traitlets.List()
    rows: traitlets.List[dict[str, Any]] = traitlets.List()
    ticker = traitlets.Unicode()
    note = traitlets.Unicode()
    halted = traitlets.Unicode()
    busy = traitlets.Bool(False)

    def __init__(self, client: Client, jobs: Jobs) -> None:
        super().__init__()
        self._client = client
        self._jobs = jobs
        self._frame = pd.DataFrame()
        self._sparks: dict[str, list[float | None]] = {}
        self._asked = 0
        self._lock = threading.RLock()  # answers come in another thread than clicks and words
        self._now = pd.Timestamp(0, tz="UTC")
        self.observe(lambda _: self._show(), "query")
        self.observe(lambda _: self.refresh(), "status")

    # --- where to ---------------------------------------------------------------------------------

    def open(self, key: str) -> None:
        """Go into a series or an event, or choose a market."""
        if self.level == "markets":
            self.ticker = key
            return
        self.go((*self.place, key))

    def go(self, place: tuple[str, ...]) -> None:
        """List what is at a place."""
        with self._lock, self.hold_trait_notifications():
            self.query = ""
            self.place = place
        self.refresh()

    def search(self) -> None:
        """Look for markets of all series that have the words of the query."""
        words = self.query.strip()
        if not words:
            self.refresh()
            return
        status = self.status
        self._ask(
            lambda: search_markets(self._client, words, status=status, max_rows=_MOST, progress=False),
            "markets",
        )

    def refresh(self) -> None:
        """Ask for the present place again."""
        client, place, status = self._client, self.place, self.status
        if not place:
            self._ask(lambda: get_series(client), "series")
        elif len(place) == 1:
            self._ask(
                lambda: get_events(
                    client, series_ticker=place[0], status=status, max_rows=_MOST, progress=False
                ),
                "events",
            )
        else:
            self._ask(lambda: get_markets(client, event_ticker=place[1], progress=False), "markets")

    def _ask(self, fetch: Callable[[], pd.DataFrame], level: str) -> None:
        self._asked += 1
        number = self._asked
        self.busy = True

        def arrived(answer: tuple[pd.DataFrame, str, pd.Timestamp]) -> None:
            frame, halted, now = answer
            with self._lock, self.hold_trait_notifications():
                if number != self._asked:  # somebody has gone elsewhere meanwhile
                    return
                self._now = now
                self.level = level
                self.columns = _COLUMNS[level]
                self._frame = frame
                self.halted = halted
                self.note = "" if len(frame) < _MOST else f"Only the first {_MOST} are listed."
                self.busy = False
                self._show()
            if level == "markets":
                self._add_sparks(number)

        def failed(error: BaseException) -> None:
            if number == self._asked:
                self.note = str(error)
                self.busy = False

        client = self._client
        self._jobs.do(lambda: (fetch(), _halted(client), exchange_time(client)), arrived, failed)

    # --- what is shown ----------------------------------------------------------------------------

    def _show(self) -> None:
        with self._lock:
            words = self.query.casefold().split()
            rows = [_ROWS[self.level](self, key, row) for key, row in self._frame.iterrows()]
            self.rows = [
                row
                for row in rows
                if all(word in " ".join(map(str, row["find"])).casefold() for word in words)
            ]

    def _series(self, key: Any, row: Any) -> dict[str, Any]:
        cells = [key, text(row["title"]), text(row["category"]), text(row["frequency"])]
        return {"key": key, "cells": cells, "find": cells}

    def _event(self, key: Any, row: Any) -> dict[str, Any]:
        cells = [key, text(row["title"]), moment(row["strike_date"], self._now)]
        order = [key, cells[1], _number(row["strike_date"])]
        return {"key": key, "cells": cells, "order": order, "find": cells}

    def _market(self, key: Any, row: Any) -> dict[str, Any]:
        status = _WORDS.get(row["status"], text(row["status"]))
        means = text(row["yes_sub_title"])
        cells = [
            key,
            means,
            dollars(row["yes_bid"]),
            dollars(row["yes_ask"]),
            dollars(row["last_price"]),
            self._sparks.get(key, []),
            contracts(row["volume"]),
            status,
            moment(row["close_time"], self._now),
        ]
        numbers = [
            _number(row[name]) for name in ("yes_bid", "yes_ask", "last_price", "volume", "close_time")
        ]
        order = [key, means, *numbers[:3], None, numbers[3], status, numbers[4]]
        return {"key": key, "cells": cells, "order": order, "find": [key, means, status, row["title"]]}

    def _add_sparks(self, number: int) -> None:
        """The week of the markets listed, once they are there."""
        tickers = [key for key in self._frame.index[:_SPARKS] if key not in self._sparks]
        if not tickers:
            return
        client = self._client

        def fetch() -> pd.DataFrame:
            now = exchange_time(client)
            return get_candlesticks(
                client, tickers, start=now - _WEEK, end=now, interval="1h", progress=False
            )

        def arrived(candles: pd.DataFrame) -> None:
            for ticker in tickers:
                closes = candles.loc[candles["ticker"] == ticker, "close"].ffill()
                self._sparks[ticker] = [None if pd.isna(close) else float(close) for close in closes]
            if number == self._asked:
                self._show()

        def failed(error: BaseException) -> None:
            self.note = f"The weeks could not be drawn: {error}"

        self._jobs.do(fetch, arrived, failed)

    @property
    def page(self) -> str:
        """Address of the series on kalshi.com; empty where none is chosen."""
        series = self.place[0] if self.place else ""
        if not series and self.ticker in self._frame.index:
            series = self.ticker.partition("-")[0]
        if not _TICKER.fullmatch(series):
            return ""
        return f"https://kalshi.com/markets/{series.lower()}"


_ROWS: dict[str, Callable[[BrowserModel, Any, Any], dict[str, Any]]] = {
    "series": BrowserModel._series,  # noqa: SLF001 - its own
    "events": BrowserModel._event,  # noqa: SLF001
    "markets": BrowserModel._market,  # noqa: SLF001
}


def _number(value: Any) -> float | None:
    if value is None or pd.isna(value):
        return None
    return value.timestamp() if isinstance(value, pd.Timestamp) else float(value)


def _halted(client: Client) -> str:
    """Why nobody can trade now."""
    whole = get_exchange_status(client).iloc[0]
    if not whole["exchange_active"]:
        return "The exchange is closed for maintenance."
    return "" if whole["trading_active"] else "Trading is paused on the whole exchange."
