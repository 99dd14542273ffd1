"""What the book panel knows: one book as it is now, or that it is not known."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import traitlets

from kalshi_research.errors import InputError, TransportError
from kalshi_research.market_data import get_trades
from kalshi_research.market_data.tiers import exchange_time
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, to_count, to_price
from kalshi_research.panels.jobs import Painter
from kalshi_research.panels.tape import Print, Tape, prints
from kalshi_research.panels.visibility import Watched
from kalshi_research.panels.words import NOTHING, contracts, decimal
from kalshi_research.portfolio import get_orders
from kalshi_research.streaming import Stream, stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.panels.jobs import Jobs
    from kalshi_research.schemas.stream import Delta
    from kalshi_research.streaming.view import Sight

__all__ = ["BookModel"]

_GLOW = 2.0
"""How long a level is marked after an order of this account has changed it [s]."""
_OWN_EVERY = 0.5
"""The orders of this account are asked for so often at most, however often they change [s]."""
_TRADES_EVERY = 0.25
"""The list of trades is drawn so often at most: nobody reads faster [s]."""
_TRADES = 20
_PAUSES: Final = (2.0, 60.0)
"""After a failure to connect it is tried again, first and at last after so long [s]."""
_UNFOLLOWED: Final = "This stream does not follow trades."
_ASKING: Final = "Asking for the last trades…"
_UNKNOWN: Final = "The last trades are not known."
_UNTRADED: Final = "No trade yet."
_NO_BOOK: dict[str, Any] = {"bids": [], "asks": [], "mid": "", "live": False}


class BookModel(Watched):
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
    untraded : str
        Why there are none.
    note : str
        What went wrong.
    views : int or None
        In how many places it can be seen; with 0 nothing is brought up to date by itself. None: not
        counted, as before it was shown for the first time.
    """

    ticker = traitlets.Unicode()
    book: traitlets.Dict[str, Any] = traitlets.Dict(_NO_BOOK)
    top = traitlets.Unicode()
    state = traitlets.Unicode("no market chosen")
    trades: traitlets.List[dict[str, Any]] = traitlets.List()
    untraded = traitlets.Unicode()
    note = traitlets.Unicode()

    def __init__(
        self, source: Client | Stream, jobs: Jobs, *, depth: int = 8, rate: float = 30.0
    ) -> None:
        super().__init__()
        self._jobs = jobs
        self._depth = depth
        self._own_stream = not isinstance(source, Stream)
        self._stream: Stream | None = source if isinstance(source, Stream) else None
        self._client: Client = source.client if isinstance(source, Stream) else source
        self._own: dict[tuple[str, int], int] = {}
        self._glow: dict[tuple[str, int], float] = {}
        self.tape = Tape(_TRADES)
        self._tape_of = ""
        self._missing_trades = _ASKING
        self._last_own: Delta | None = None
        self._own_changed = self._own_asked = self._trades_shown = 0.0
        self._pause = _PAUSES[0]
        self._retry_at = math.inf
        self._stops: list[Any] = []
        self._closed = threading.Event()
        self._lock = threading.RLock()
        self._painter = Painter(self._paint_for_somebody, rate=rate)
        self.observe(self._painter.soon, "views")
        self.observe(self._retitled, "ticker")
        self.observe(self._rested, "resting")
        if self._stream is not None:
            self._listen(self._stream)

    @property
    def client(self) -> Client:
        """Whose market it is."""
        return self._client

    # --- following --------------------------------------------------------------------------------

    def _retitled(self, change: Any) -> None:
        with self._lock:  # no price of another market is clicked
            self._own, self._glow, self._tape_of, self._missing_trades = {}, {}, "", _ASKING
            self.tape.clear()
            self.book, self.top, self.trades, self.untraded = _NO_BOOK, "", [], ""
        self._jobs.do(lambda: self._follow(change["new"]), None, self._failed)

    def _rested(self, change: Any) -> None:
        self._painter.rest_or_resume(change)
        self._jobs.do(lambda: self._follow(self.ticker), None, self._failed)

    def _rest(self) -> None:
        """Follow nothing; what was shown would soon not be so any more."""
        self._let_go()
        with self._lock:
            self._own, self._glow, self._tape_of = {}, {}, ""
            self.book, self.top, self.state = _NO_BOOK, "", "paused, because nobody looks"

    def _follow(self, ticker: str) -> None:
        if self._closed.is_set():
            return
        if self.resting:
            self._rest()
            return
        self.note, self._retry_at = "", math.inf
        if not ticker:
            self.state = "no market chosen"
            return
        live = self._stream
        if live is None:
            channels = ("books", "trades", "orders") if self._client.signed else ("books", "trades")
            live = stream(self._client, [ticker], channels)
            self._stream = live
            self._pause = _PAUSES[0]
            self._listen(live)
            if self._closed.is_set():  # while it connected
                self.close()
                return
        else:
            if not self._stops:
                self._listen(live)
            others = [name for name in live.markets if name != ticker] if self._own_stream else []
            if ticker not in live.markets:
                live.add([ticker])
            if others:
                live.drop(others)
        self._read_tape(live)
        self.refresh_own()
        self._painter.soon()

    def _listen(self, live: Stream) -> None:
        wanted = {
            "books": self._painter.soon,
            "trades": lambda update: self._traded(update.value),
            "orders": lambda _: self._ordered(),
        }
        for kind, function in wanted.items():
            if kind != "books" and kind not in live.channels:  # without books there is no panel
                continue
            stop = live.on(kind, function)
            with self._lock:
                if not self._closed.is_set():
                    self._stops.append(stop)
                    continue
            stop()  # it was closed meanwhile

    def _ordered(self) -> None:
        """An order of this account has changed; `paint` asks, because many may change at once."""
        self._own_changed = time.monotonic()
        self._painter.soon()

    def refresh_own(self) -> None:
        """Ask again which orders of this account rest here."""
        if self._client.signed and self.ticker:
            ticker = self.ticker
            self._own_asked = time.monotonic()
            self._jobs.do(
                lambda: get_orders(self._client, ticker, status="resting", progress=False),
                lambda orders: self._set_own(ticker, orders),
                self._failed,
            )

    def _set_own(self, ticker: str, orders: pd.DataFrame) -> None:
        own: dict[tuple[str, int], int] = {}
        for side, price, left in zip(
            orders["outcome_side"], orders["yes_price"], orders["remaining_count"], strict=True
        ):
            key = "bid" if side == "yes" else "ask", to_price(float(price))
            own[key] = own.get(key, 0) + to_count(float(left))
        with self._lock:
            if ticker == self.ticker:
                self._own = own
        self._painter.soon()

    def _traded(self, trade: Any) -> None:
        if trade.ticker == self.ticker:
            taker = str(trade.taker_side).upper()
            self.tape.keep([Print(trade.time_ms, trade.trade_id, taker, trade.yes_price, trade.count)])
            self._painter.soon()

    def _read_tape(self, live: Stream) -> None:
        """What a stream that was passed in has heard before this was listening."""
        if "trades" in live.channels:
            trades = live.trades()
            self.tape.keep(prints(trades[trades["ticker"] == self.ticker].tail(_TRADES)))

    def _ask_for_tape(self, live: Stream, ticker: str) -> None:
        """What was traded before the stream told of trades; asked once it does, so none is missed."""
        if self._tape_of == ticker or "trades" not in live.channels or not live.settled:
            return
        with self._lock:
            if ticker != self.ticker:
                return
            self._tape_of = ticker
        self._jobs.do(
            lambda: (
                get_trades(self._client, ticker, max_rows=_TRADES, progress=False),
                exchange_time(self._client).date(),
            ),
            lambda found: self._set_tape(ticker, *found),
            lambda error: self._no_tape(ticker, error),
        )

    def _no_tape(self, ticker: str, error: BaseException) -> None:
        with self._lock:
            if ticker == self.ticker:
                self._missing_trades = _UNKNOWN
        self._failed(error)

    def _set_tape(self, ticker: str, trades: pd.DataFrame, today: date) -> None:
        with self._lock:
            if ticker == self.ticker:
                self.tape.today = today
                self.tape.keep(prints(trades))
                self._missing_trades = _UNTRADED
        self._painter.soon()

    def _failed(self, error: BaseException) -> None:
        self.note = str(error)
        if self._stream is None:
            self.state = "not connected"
            if isinstance(error, TransportError):
                self.state = "not connected, trying again"
                self._retry_at = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, _PAUSES[1])

    def close(self) -> None:
        """Stop following; a stream that was passed in goes on."""
        self._closed.set()
        self._painter.close()
        self._let_go()
        self.state = "closed"

    def _let_go(self) -> None:
        with self._lock:
            stops, self._stops = self._stops, []
            live = self._stream if self._own_stream else None
            if live is not None:
                self._stream = None
        for stop in stops:
            stop()
        if live is not None:
            live.close()

    # --- what is shown ----------------------------------------------------------------------------

    def _paint_for_somebody(self) -> None:
        self.look_around()
        if self.is_watched:
            if time.monotonic() >= self._retry_at:
                self._retry_at = math.inf
                self._jobs.do(lambda: self._follow(self.ticker), None, self._failed)
            self.paint()

    def paint(self) -> None:
        """Bring the traits up to date. Integers only: this is done many times a second."""
        live, ticker = self._stream, self.ticker
        if live is None or not ticker:
            return
        try:
            sight = live.sight(ticker)
        except InputError:  # it is not followed yet, or another one is by now
            return
        now = time.monotonic()
        if self._own_changed > self._own_asked and now - self._own_asked >= _OWN_EVERY:
            self.refresh_own()
        self._ask_for_tape(live, ticker)
        with self._lock:
            if ticker != self.ticker or self.resting:
                return
            self._mark(live, now)
            bids, asks = sight.levels or ([], [])
            self.book = {
                "bids": self._levels(bids, "bid"),
                "asks": self._levels(asks, "ask"),
                "mid": _middle(bids, asks),
                "live": sight.is_readable,
            }
            self.top = _touch(bids, asks)
            self.state = _state(sight)
            if now - self._trades_shown >= _TRADES_EVERY:
                self._trades_shown = now
                self.trades = self.tape.rows()
                self.untraded = self._missing_trades if "trades" in live.channels else _UNFOLLOWED

    def _mark(self, live: Stream, now: float) -> None:
        """Remember the levels that orders of this account have just changed."""
        new = live.own_changes_after(self._last_own)
        if new:
            self._last_own = new[-1]
        for change in new:
            if change.ticker == self.ticker:
                key = ("ask", PRICE_SCALE - change.price) if change.side else ("bid", change.price)
                self._glow[key] = now + _GLOW
        self._glow = {key: until for key, until in self._glow.items() if until > now}

    def _levels(self, levels: Sequence[tuple[int, int]], side: str) -> list[list[Any]]:
        shown = []
        for price, count in levels[: self._depth]:
            own = self._own.get((side, price))
            shown.append(
                [_price(price), _count(count), _count(own) if own else "", (side, price) in self._glow]
            )
        return shown


def _price(ticks: int | None) -> str:
    return NOTHING if ticks is None else decimal(ticks, PRICE_SCALE)


def _count(count: int) -> str:
    return contracts(count / COUNT_SCALE).replace(",", "")


def _best(levels: Sequence[tuple[int, int]]) -> int | None:
    return levels[0][0] if levels else None


def _middle(bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]]) -> str:
    bid, ask = _best(bids), _best(asks)
    if bid is None and ask is None:
        return ""
    if bid is None or ask is None:
        return f"mid {NOTHING} · spread {NOTHING}"
    middle = decimal((bid + ask) * 5, 10 * PRICE_SCALE)
    return f"mid {middle} · spread {_price(ask - bid)}"


def _touch(bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]]) -> str:
    bid, ask = _best(bids), _best(asks)
    if bid is None and ask is None:
        return ""
    no_bid, no_ask = (None if price is None else PRICE_SCALE - price for price in (ask, bid))
    return f"YES {_price(bid)} / {_price(ask)}   NO {_price(no_bid)} / {_price(no_ask)}"


def _state(sight: Sight) -> str:
    words = sight.status if sight.is_readable else sight.status.upper()
    if 1 <= sight.age < math.inf:
        words += f", {sight.age:.0f} s old"
    return f"{words}: {sight.reason}" if sight.reason else words
