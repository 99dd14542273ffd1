"""Live streams: order books, trades and one's own orders as they happen."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from kalshi_research.errors import (
    InputError,
    TransportError,
    printable,
)
from kalshi_research.market_data.arguments import Tickers, check_client, ticker_list
from kalshi_research.provenance import KEY
from kalshi_research.schemas.channels import CHANNELS
from kalshi_research.schemas.stream_rows import row_frame
from kalshi_research.streaming import frames
from kalshi_research.streaming.books import Levels
from kalshi_research.streaming.engine import Engine, check_key, closing
from kalshi_research.streaming.health import Health, health_of
from kalshi_research.streaming.options import StreamOptions
from kalshi_research.streaming.view import BookView, Sight, quote

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.streaming.updates import Mailbox, Update

__all__ = ["Stream", "stream"]


def stream(
    client: Client,
    tickers: Tickers | None,
    channels: str | Sequence[str] = ("books", "trades"),
    *,
    connections: int = 1,
    options: StreamOptions | None = None,
) -> Stream:
    """Follow markets as they move.

    The stream runs in a thread of its own: use it from any cell or script, in a ``with``
    block or until `Stream.close`. It connects again by itself, and says of each book whether
    it can be trusted: what is not proven to be current has no numbers.

    Parameters
    ----------
    client : Client
        With a key; without one see `poll`.
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is all markets, which `books` cannot have.
    channels : sequence of str
        ``books``, ``trades``, ``tickers``, ``lifecycle``, and of one's own account ``fills``,
        ``orders``, ``positions``.
    connections : int
        Sockets over which the markets are spread.
    options : StreamOptions, optional
        Intervals and limits.

    Returns
    -------
    Stream
        Connected.

    Raises
    ------
    ConfigError
        If the client has no key.
    AuthError
        If the exchange refuses the key.
    TransportError
        If the exchange cannot be reached.
    InputError
        If an argument is wrong; nothing was sent.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> with kr.stream(client, ["KXHIGHNY-26NOV21-B46.5"]) as live:
    ...     live.wait()
    ...     live.best("KXHIGHNY-26NOV21-B46.5").status
    'live'
    """
    check_client(client)
    names = None if tickers is None else ticker_list(tickers)
    kinds = _kinds(channels)
    if names is None and "books" in kinds:
        raise InputError(
            "books need tickers: the exchange sends order books of named markets only.\n"
            "Name them, or leave books out: stream(client, None, channels=('trades',))."
        )
    if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= 64:
        raise InputError(f"connections={printable(repr(connections), 40)} must be from 1 to 64")
    options = options or StreamOptions()
    if not isinstance(options, StreamOptions):
        raise InputError("options must be StreamOptions(...)")
    check_key(client)
    made = Stream(client, names, kinds, connections=connections, options=options)
    made._start()  # noqa: SLF001
    return made


def _kinds(channels: str | Sequence[str]) -> tuple[str, ...]:
    """The channels asked for, by our names; the exchange's own are understood."""
    wires = {channel.wire: name for name, channel in CHANNELS.items()}
    asked = (channels,) if isinstance(channels, str) else tuple(channels)
    found = []
    for name in asked:
        kind = wires.get(name, name) if isinstance(name, str) else ""
        if kind not in CHANNELS:
            raise InputError(
                f"{printable(repr(name), 40)} is no channel; choose among {', '.join(CHANNELS)}"
            )
        found.append(kind)
    if not found:
        raise InputError(f"no channel at all; choose among {', '.join(CHANNELS)}")
    return tuple(dict.fromkeys(found))


class Stream(BookView):
    """Markets as they move; made by `stream`.

    Books are read with `book`, `books`, `quotes`, `best` and `status`; rows with `trades`,
    `tickers`, `fills`, `orders`, `positions` and `lifecycle`; what is new by iterating, with
    ``for`` or ``async for``, or with `on`. It closes itself when nothing refers to it any more.
    """

    _endpoint = "websocket"

    def __init__(
        self,
        client: Client,
        tickers: Sequence[str] | None,
        channels: Sequence[str],
        *,
        connections: int,
        options: StreamOptions,
    ) -> None:
        self._client = client
        self._options = options
        self._engine = Engine(client, tickers, channels, connections, options)
        self._callbacks: list[_Callback] = []

    def _start(self) -> None:
        engine = self._engine
        engine.start()
        closing(self, engine)
        try:
            self._wait_for_a_connection()
        except BaseException:
            engine.close()
            raise

    def _wait_for_a_connection(self) -> None:
        engine = self._engine
        deadline = time.monotonic() + self._options.connect_timeout
        while not any(link.connections for link in engine.links):
            if engine.error is not None:
                raise engine.error
            if time.monotonic() >= deadline:
                last = engine.problems[-1] if engine.problems else "no answer"
                raise TransportError(
                    f"no stream from {printable(self._client.websocket, 80)}: {printable(last, 160)}"
                )
            engine.stopped.wait(0.005)

    # --- markets ------------------------------------------------------------------------------

    @property
    def markets(self) -> list[str]:
        """The markets that are followed, in order; empty where all are."""
        return list(self._engine.markets)

    @property
    def channels(self) -> tuple[str, ...]:
        """What is followed of them."""
        return self._engine.channels

    def add(self, tickers: Tickers) -> None:
        """Follow more markets; those that are followed stay as they are.

        Parameters
        ----------
        tickers : str, iterable of str or frame
        """
        self._check_open()
        self._engine.add(ticker_list(tickers))

    def drop(self, tickers: Tickers) -> None:
        """Follow some markets no longer.

        Parameters
        ----------
        tickers : str, iterable of str or frame
            Those that are not followed are passed over.
        """
        self._check_open()
        self._engine.drop(ticker_list(tickers))

    def wait(self, tickers: Tickers | None = None, *, timeout: float = 10.0) -> Self:
        """Wait until books are live, or without books, until everything is subscribed to.

        Parameters
        ----------
        tickers : str, iterable of str or frame, optional
            By default all that are followed.
        timeout : float
            How long [s].

        Returns
        -------
        Stream
            This one.

        Raises
        ------
        TransportError
            If that takes too long; says which book is not live, and why.
        """
        names = self._followed(tickers)
        engine = self._engine
        deadline = time.monotonic() + timeout
        while True:
            self._check_open()
            with engine.lock:
                settled = all(link.subscriptions.settled for link in engine.links)
                missing = [
                    name for name in names if engine.book(name)[0].status != "live"
                ] if "books" in engine.channels else []  # fmt: skip
            if settled and not missing:
                return self
            left = deadline - time.monotonic()
            if left <= 0:
                raise TransportError(self._why_not(missing))
            engine.stopped.wait(min(left, 0.01))

    def _why_not(self, missing: Sequence[str]) -> str:
        if not missing:
            return "the exchange has not confirmed the subscription in time; see .health"
        reason = self._engine.book(missing[0])[0].reason
        refused = self._engine.refusal(missing[0])
        return (
            f"{len(missing):,} books are not live in time, such as {printable(missing[0], 60)}: "
            f"{refused or reason}"
        )

    # --- books --------------------------------------------------------------------------------

    def _sights(self, tickers: Sequence[str], *, whole: bool = True) -> list[Sight]:
        return sights(self._engine, tickers, whole=whole)

    # --- rows ---------------------------------------------------------------------------------

    def trades(self) -> pd.DataFrame:
        """The newest trades, each once, oldest first.

        Returns
        -------
        pandas.DataFrame
            The columns of `get_trades`; then the quote that each trade met, the last one
            strictly before it: `yes_bid`, `yes_bid_size`, `yes_ask`, `yes_ask_size` (float64) and
            `quote_time`, missing where it is not known; then `received` (UTC) and `is_late`:
            the trade was asked for after an outage.
        """
        with self._engine.lock:
            rows = list(self._engine.feeds.trades.values())
        frame = frames.taped(rows)
        frame.attrs[KEY] = self._rows_source("trades", "trades/1", len(frame))
        return frame

    def own_changes(self) -> pd.DataFrame:
        """Changes of books that orders of this account made.

        Returns
        -------
        pandas.DataFrame
            Indexed by time: `ticker`, `side`, `price`, `change` and `client_order_id`.
        """
        with self._engine.lock:
            rows = list(self._engine.feeds.own)
        frame = frames.own_changes(rows)
        frame.attrs[KEY] = self._rows_source("books", "own_changes/1", len(frame))
        return frame

    def fills(self) -> pd.DataFrame:
        """The newest fills of this account, each once, indexed by trade id."""
        return self._row_frame("fills")

    def orders(self) -> pd.DataFrame:
        """The newest state of each order of this account, indexed by order id."""
        return self._row_frame("orders")

    def positions(self) -> pd.DataFrame:
        """The newest state of each position of this account, indexed by ticker."""
        return self._row_frame("positions")

    def tickers(self) -> pd.DataFrame:
        """The newest figures of each market, indexed by ticker: prices, volume, open interest."""
        return self._row_frame("tickers")

    def lifecycle(self) -> pd.DataFrame:
        """What became of markets and events, indexed by the time of receipt."""
        return self._row_frame("lifecycle")

    def _row_frame(self, kind: str) -> pd.DataFrame:
        with self._engine.lock:
            bodies = list(self._engine.feeds.rows[kind].values())
        frame = row_frame(kind, bodies, {})
        frame.attrs[KEY] = self._rows_source(kind, f"stream_{kind}/1", len(frame))
        return frame

    def _rows_source(self, kind: str, schema: str, rows: int) -> dict[str, Any]:
        return self._source(schema, rows, complete=not self._engine.feeds.dropped[kind])

    # --- what is new --------------------------------------------------------------------------

    def updates(
        self, kinds: str | Sequence[str] | None = None, *, timeout: float | None = None
    ) -> Iterator[Update]:
        """What is new, as it comes; many changes of one book are one update.

        Parameters
        ----------
        kinds : str or sequence of str, optional
            By default all channels.
        timeout : float, optional
            End after so long without anything new [s]; by default never.

        Yields
        ------
        Update
            ``kind``, ``ticker`` and ``value``; of a book the value is its `Quote`.

        Raises
        ------
        AuthError
            If the stream has stopped for good.
        """
        mailbox = self._mailbox(kinds)
        try:
            while (update := mailbox.get(timeout)) is not None:
                yield valued(self._engine, update)
            if self._engine.error is not None:
                raise self._engine.error
        finally:
            self._engine.unsubscribe(mailbox)

    def __iter__(self) -> Iterator[Update]:
        return self.updates()

    async def _updates(self) -> AsyncIterator[Update]:
        mailbox = self._mailbox(None)
        try:
            while (update := await mailbox.get_soon()) is not None:
                yield valued(self._engine, update)
            if self._engine.error is not None:
                raise self._engine.error
        finally:
            self._engine.unsubscribe(mailbox)

    def __aiter__(self) -> AsyncIterator[Update]:
        return self._updates()

    def on(self, kinds: str | Sequence[str], callback: Callable[[Update], object]) -> Callable[[], None]:
        """Call a function with what is new, in a thread of its own.

        A slow one gets fewer updates: of a book only the newest state, of rows the newest
        ones, and `health` counts the others. One that raises is told of and called again.

        Parameters
        ----------
        kinds : str or sequence of str
            Channels.
        callback : callable
            Called with an `Update`.

        Returns
        -------
        callable
            Ends it.
        """
        self._check_open()
        if not callable(callback):
            raise InputError("callback must be a function of one update")
        made = _Callback(self._engine, self._mailbox(kinds), callback)
        self._callbacks.append(made)
        made.start()
        return made.stop

    def _mailbox(self, kinds: str | Sequence[str] | None) -> Mailbox:
        wanted = self._engine.channels if kinds is None else _kinds(kinds)
        strange = [kind for kind in wanted if kind not in self._engine.channels]
        if strange:
            raise InputError(
                f"{strange[0]} is not followed by this stream, only {', '.join(self._engine.channels)}"
            )
        return self._engine.subscribe(wanted)

    # --- how it is, and its end ---------------------------------------------------------------

    @property
    def health(self) -> Health:
        """What came, what was lost and repaired, and what went wrong."""
        return health_of(self._engine)

    def close(self) -> None:
        """Close the connections and end the thread; a second time does nothing."""
        for callback in self._callbacks:
            callback.stop()
        self._engine.close()

    def _check_open(self) -> None:
        if self._engine.error is not None:
            raise self._engine.error
        if self._engine.closed:
            raise TransportError("this stream is closed; make a new one with kr.stream(...)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        engine = self._engine
        what = f"{len(engine.markets):,} markets" if engine.markets else "all markets"
        health = self.health
        state = "stopped" if engine.error else "closed" if engine.closed else "running"
        return (
            f"<Stream {self._client.environment.name}, {what}, {', '.join(engine.channels)}, {state}: "
            f"{health.live} of {health.books} books live: {self._client.environment.banner}>"
        )


def sights(engine: Engine, tickers: Sequence[str], *, whole: bool) -> list[Sight]:
    """Some books of an engine, or the tops of them, at one moment."""
    found = []
    with engine.lock:
        for ticker in tickers:
            book, link = engine.book(ticker)
            levels = None
            if whole:
                levels = book.levels()
            elif (best := book.best()) is not None:
                levels = Levels(
                    [] if best.bid is None else [(best.bid, best.bid_size)],
                    [] if best.ask is None else [(best.ask, best.ask_size)],
                )
            found.append(Sight(book.status, book.reason, engine.age(link), levels, book.seq, book.clock))
    return found


def valued(engine: Engine, update: Update) -> Update:
    """An update of a book with its top as it is now."""
    if update.kind != "books":
        return update
    return update._replace(value=quote(sights(engine, [update.ticker], whole=False)[0]))


class _Callback:
    """A function that is called with updates, in a thread of its own."""

    def __init__(self, engine: Engine, mailbox: Mailbox, function: Callable[[Update], object]) -> None:
        self._engine = engine
        self._mailbox = mailbox
        self._function = function
        self._thread = threading.Thread(target=self._run, name="kalshi-stream-callback", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._engine.unsubscribe(self._mailbox)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _run(self) -> None:
        while (update := self._mailbox.get(None)) is not None:
            with _Told(self._engine):
                self._function(valued(self._engine, update))


class _Told:
    """Makes a problem of the stream of what a callback raises, so that the next update comes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._engine.callback_failed(error)
        return True
