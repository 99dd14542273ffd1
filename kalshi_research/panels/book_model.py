"""What the book panel knows: one book as it is now, or that it is not known."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from kalshi_research.book import quotes
from kalshi_research.errors import KalshiError
from kalshi_research.panels.jobs import Outcome
from kalshi_research.panels.words import NOTHING, contracts, dollars
from kalshi_research.portfolio import get_orders
from kalshi_research.provenance import KEY
from kalshi_research.streaming import Stream, stream

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.panels.jobs import Jobs

__all__ = ["BookModel", "Painter"]

_READABLE = ("live", "sampled")
_GLOW = 2.0
"""How long a level is marked after an order of this account has changed it [s]."""
_NO_BOOK: dict[str, Any] = {"bids": [], "asks": [], "mid": "", "live": False}


class Painter:
    """Calls a method again and again in a thread of its own, at most so often.

    Parameters
    ----------
    paint : callable
        Held weakly if it is a method: the thread ends with its owner.
    rate : float
        Most calls [1/s].
    idle : float
        Seconds after which it is called though nothing is new [s].
    """

    def __init__(self, paint: Any, *, rate: float, idle: float = 1.0) -> None:
        self._new = threading.Event()
        self._stop = threading.Event()
        thread = threading.Thread(
            target=_paint,
            args=(weakref.WeakMethod(paint), self._new, self._stop, 1 / rate, idle),
            name="kalshi-painter",
            daemon=True,
        )
        thread.start()

    def soon(self, *_: Any) -> None:
        """Something is new."""
        self._new.set()

    def close(self) -> None:
        """Paint no more."""
        self._stop.set()
        self._new.set()


def _paint(
    owner: weakref.WeakMethod[Any],
    new: threading.Event,
    stop: threading.Event,
    least: float,
    idle: float,
) -> None:
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        new.wait(idle)
        new.clear()
        due = time.monotonic() + least
        paint = owner()
        if paint is None or stop.is_set():
            return
        with Outcome("a panel could not be drawn"):  # the next picture may be right again
            paint()
        del paint


class BookModel(traitlets.HasTraits):
    """One order book, as it moves.

    Parameters
    ----------
    source : Client or Stream
        A client with a key opens a stream of its own.
    jobs : Jobs
    depth : int
        Levels of each side.
    rate : float
        How often it changes at most [1/s].

    Attributes
    ----------
    ticker : str
    book : dict
        For a `Ladder`.
    top : str
        The touch in words.
    state : str
        ``live``, ``stale`` and so on, with the age and the reason.
    trades : list of dict
        Rows for a `Table`, newest first.
    note : str
        What went wrong.
    """

    ticker = traitlets.Unicode()
    book: traitlets.Dict[str, Any] = traitlets.Dict(_NO_BOOK)
    top = traitlets.Unicode()
    state = traitlets.Unicode("no market chosen")
    trades: traitlets.List[dict[str, Any]] = traitlets.List()
    note = traitlets.Unicode()

    def __init__(
        self, source: Client | Stream, jobs: Jobs, *, depth: int = 8, rate: float = 25.0
    ) -> None:
        super().__init__()
        self._jobs = jobs
        self._depth = depth
        self._own_stream = not isinstance(source, Stream)
        self._stream: Stream | None = source if isinstance(source, Stream) else None
        self._client: Client = source._client if isinstance(source, Stream) else source  # noqa: SLF001
        self._own: dict[tuple[str, float], float] = {}
        self._glow: dict[tuple[str, float], float] = {}
        self._seen_own = self._seen_trades = 0
        self._stops: list[Any] = []
        self._lock = threading.RLock()
        self._painter = Painter(self.paint, rate=rate)
        self.observe(self._retitled, "ticker")
        if self._stream is not None:
            self._listen(self._stream)

    @property
    def client(self) -> Client:
        """Whose market it is."""
        return self._client

    # --- following --------------------------------------------------------------------------------

    def _retitled(self, change: Any) -> None:
        self.book, self.top, self.trades = _NO_BOOK, "", []  # no price of another market is clicked
        self._jobs.do(lambda: self._follow(change["new"]), None, self._failed)

    def _follow(self, ticker: str) -> None:
        with self._lock:
            self._own, self._glow = {}, {}
            self._seen_own = self._seen_trades = 0
        self.note = ""
        if not ticker:
            self.book, self.top, self.state, self.trades = _NO_BOOK, "", "no market chosen", []
            return
        live = self._stream
        if live is None:
            channels = ("books", "trades", "orders") if self._client.signed else ("books", "trades")
            live = stream(self._client, [ticker], channels)
            self._stream = live
            self._listen(live)
        else:
            others = [name for name in live.markets if name != ticker] if self._own_stream else []
            if ticker not in live.markets:
                live.add([ticker])
            if others:
                live.drop(others)
        self.refresh_own()
        self._painter.soon()

    def _listen(self, live: Stream) -> None:
        self._stops.append(live.on(("books", "trades"), self._painter.soon))
        if "orders" in live.channels:
            self._stops.append(live.on("orders", lambda _: self.refresh_own()))

    def refresh_own(self) -> None:
        """Ask again which orders of this account rest here."""
        if self._client.signed and self.ticker:
            ticker = self.ticker
            self._jobs.do(
                lambda: get_orders(self._client, ticker, status="resting", progress=False),
                self._set_own,
                self._failed,
            )

    def _set_own(self, orders: pd.DataFrame) -> None:
        own: dict[tuple[str, float], float] = {}
        for side, price, left in zip(
            orders["outcome_side"], orders["yes_price"], orders["remaining_count"], strict=True
        ):
            key = ("bid" if side == "yes" else "ask", float(price))
            own[key] = own.get(key, 0.0) + float(left)
        with self._lock:
            self._own = own
        self._painter.soon()

    def _failed(self, error: BaseException) -> None:
        self.note = str(error)
        if self._stream is None:
            self.state = "not connected"

    def close(self) -> None:
        """Stop following; a stream that was passed in goes on."""
        for stop in self._stops:
            stop()
        self._stops.clear()
        self._painter.close()
        if self._own_stream and self._stream is not None:
            self._stream.close()
            self._stream = None
        self.state = "closed"

    # --- what is shown ----------------------------------------------------------------------------

    def paint(self) -> None:
        """Bring the traits up to date."""
        live, ticker = self._stream, self.ticker
        if live is None or not ticker or ticker not in live.markets:
            return
        try:
            book = live.book(ticker)
        except KalshiError as error:
            self.note = str(error)
            return
        source = book.attrs[KEY]
        is_live = source["status"] in _READABLE
        if self._client.signed:
            own_changes = live.own_changes()
            self._mark(own_changes[own_changes["ticker"] == ticker])
        sides = {side: self._levels(book, side) for side in ("bid", "ask")}
        top = quotes(book).iloc[0] if len(book) else None
        words = "" if top is None else f"mid {_mid(top)} · spread {dollars(top['spread'])}"
        self.book = {"bids": sides["bid"], "asks": sides["ask"], "mid": words, "live": is_live}
        self.top = _touch(top)
        self.state = _state(source)
        trades = live.trades()
        if len(trades):
            self._show_trades(trades[trades["ticker"] == ticker])

    def _mark(self, changes: pd.DataFrame) -> None:
        """Remember the levels that orders of this account have just changed."""
        now = time.monotonic()
        with self._lock:
            for side, price in zip(
                changes["side"][self._seen_own :], changes["price"][self._seen_own :], strict=True
            ):
                self._glow[str(side), round(float(price), 4)] = now + _GLOW
            self._seen_own = len(changes)
            self._glow = {key: until for key, until in self._glow.items() if until > now}

    def _levels(self, book: pd.DataFrame, side: str) -> list[list[Any]]:
        rows = book[book["side"] == side].head(self._depth)
        shown = []
        for price, quantity in zip(rows["price"], rows["quantity"], strict=True):
            key = side, round(float(price), 4)
            own = self._own.get(key)
            shown.append(
                [
                    dollars(price),
                    _plain(quantity),
                    "" if own is None else contracts(own),
                    key in self._glow,
                ]
            )
        return shown

    def _show_trades(self, trades: pd.DataFrame) -> None:
        last = trades.tail(20).iloc[::-1]
        self.trades = [
            {
                "key": str(row["trade_id"]),
                "cells": [
                    f"{moment:%H:%M:%S}",
                    f"takes {str(row['taker_side']).upper()}",
                    dollars(row["yes_price"]),
                    contracts(row["quantity"]),
                ],
            }
            for moment, row in last.iterrows()
        ]


def _plain(quantity: Any) -> str:
    return contracts(quantity).replace(",", "")


def _mid(top: Any) -> str:
    return NOTHING if pd.isna(top["mid"]) else f"{top['mid']:.4f}".rstrip("0").ljust(4, "0")


def _touch(top: Any) -> str:
    if top is None:
        return ""
    return (
        f"YES {dollars(top['yes_bid'])} / {dollars(top['yes_ask'])}   "
        f"NO {dollars(top['no_bid'])} / {dollars(top['no_ask'])}"
    )


def _state(source: dict[str, Any]) -> str:
    status, age, reason = source["status"], source.get("age"), source.get("reason", "")
    words = status if status in _READABLE else status.upper()
    if age is not None and not pd.isna(age):
        words += f", {age:.0f} s old" if age >= 1 else ""
    return f"{words}: {reason}" if reason else words
