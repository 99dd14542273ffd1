"""Live streams: order books, trades and one's own orders as they happen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Self

from kalshi_research.errors import (
    InputError,
    TransportError,
    printable,
    quoted,
)
from kalshi_research.market_data.arguments import Tickers, check_client, ticker_list
from kalshi_research.streaming.consumers import kinds_of, patience
from kalshi_research.streaming.engine import Engine
from kalshi_research.streaming.feed_frames import FeedFrames
from kalshi_research.streaming.health import Health, health_of
from kalshi_research.streaming.lifetime import check_key, closing
from kalshi_research.streaming.options import StreamOptions
from kalshi_research.streaming.recorder import Recorder, seconds
from kalshi_research.streaming.runs import folder_of

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

    from kalshi_research.client import Client

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
    ...     live.wait().best("KXHIGHNY-26NOV21-B46.5").status
    'live'
    """
    check_client(client)
    names = None if tickers is None else ticker_list(tickers)
    kinds = kinds_of(channels)
    if names is None and "books" in kinds:
        raise InputError(
            "books need tickers: the exchange sends order books of named markets only.\n"
            "Name them, or leave books out: stream(client, None, channels=('trades',))."
        )
    if isinstance(connections, bool) or not isinstance(connections, int) or not 1 <= connections <= 64:
        raise InputError(f"connections={quoted(connections, 40)} must be from 1 to 64")
    options = options or StreamOptions()
    if not isinstance(options, StreamOptions):
        raise InputError("options must be StreamOptions(...)")
    check_key(client)
    made = Stream(client, names, kinds, connections=connections, options=options)
    made._start()  # noqa: SLF001
    return made


class Stream(FeedFrames):
    """Markets as they move; made by `stream`.

    Books are read with `book`, `books`, `quotes`, `best` and `status`; rows with `trades`,
    `tickers`, `fills`, `orders`, `positions` and `lifecycle`; what is new by iterating, with
    ``for`` or ``async for``, or with `on`. What draws many times a second reads integers, with `sight`
    and `own_changes_after`. It closes itself when nothing refers to it any more.
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

    @property
    def _source_of_news(self) -> Engine:
        return self._engine

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

    @property
    def settled(self) -> bool:
        """Whether all is subscribed to, and what stood before is known."""
        engine = self._engine
        with engine.lock:
            held = all(link.subscriptions.settled for link in engine.links)
            return held and not engine.backfill.unsettled

    def wait(self, tickers: Tickers | None = None, *, timeout: float = 10.0) -> Self:
        """Wait until books are live and all is subscribed to, and what stood before is known.

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
        deadline = time.monotonic() + patience(timeout)
        while True:
            self._check_open()
            with engine.lock:
                missing = [
                    name for name in names if engine.book(name)[0].status != "live"
                ] if "books" in engine.channels else []  # fmt: skip
                if self.settled and not missing:
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
        never = self._engine.book(missing[0])[0].seq < 0 and not refused
        hint = "; is that its ticker?" if never else ""
        return (
            f"not live in time are {len(missing):,} of the books, such as {printable(missing[0], 60)}: "
            f"{refused or reason}{hint}"
        )

    # --- how it is recorded, how it is, and its end -------------------------------------------

    def record(self, path: str | PathLike[str], *, every: str | pd.Timedelta = "5s") -> Recorder:
        """Write every message to a folder, from now on.

        Parameters
        ----------
        path : path
            A folder, made if need be. Several recordings may lie in one.
        every : str or Timedelta, default "5s"
            How often what has come is written; a process that is killed loses no more.

        Returns
        -------
        Recorder
            Running, and a context manager; closing it, or the stream, writes the rest.
            `read_recording` reads it back.

        Raises
        ------
        ArchiveError
            If the folder cannot be written to.

        Examples
        --------
        >>> import tempfile
        >>> import kalshi_research as kr
        >>> folder, client = tempfile.TemporaryDirectory(), kr.connect("sandbox")
        >>> with kr.stream(client, ["KXHIGHNY-26NOV21-B46.5"]).wait() as live:
        ...     with live.record(folder.name) as recorder:
        ...         recorder.flush()  # or wait, or work with `live`
        >>> recorder.acknowledged == recorder.rows
        True
        >>> books, quotes, trades, changes = kr.read_recording(folder.name).replay()
        >>> quotes["status"].tolist()
        ['live']
        >>> folder.cleanup()
        """
        self._check_open()
        recorder = Recorder(
            self._engine, folder_of(path), every=seconds(every), about={
                "environment": self._client.environment.name, "host": self._client.host,
                "simulated": self._client.simulated, "channels": list(self.channels),
                "markets": self.markets, "version": 1,
            },
        )  # fmt: skip
        recorder.start()
        self._engine.recorders.append(recorder)
        return recorder

    @property
    def health(self) -> Health:
        """What came, what was lost and repaired, and what went wrong."""
        return health_of(self._engine)

    def close(self) -> None:
        """Close the connections, end recordings and the thread; a second time does nothing.

        Raises
        ------
        ArchiveError
            If the end of a recording cannot be written.
        """
        self._engine.close()
        if self._engine.recording_error is not None:
            raise self._engine.recording_error

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
