"""How what is new reaches a program: a loop, a running loop, or a function that is called."""

from __future__ import annotations

import math
import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from kalshi_research.errors import InputError, TransportError, quoted
from kalshi_research.schemas.channels import CHANNELS
from kalshi_research.streaming.view import BookView, Sight, quote

if TYPE_CHECKING:
    from types import TracebackType

    from kalshi_research.streaming.updates import Mailbox, Update

__all__ = ["Consumed", "Source", "kinds_of", "patience"]


class Source(Protocol):
    """Where updates come from."""

    error: Exception | None

    @property
    def channels(self) -> tuple[str, ...]:
        """What it has."""

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""

    def subscribe(self, kinds: Iterable[str]) -> Mailbox:
        """A new consumer."""

    def unsubscribe(self, mailbox: Mailbox) -> None:
        """A consumer that has enough."""

    def callback_failed(self, error: Exception) -> None:
        """A function of the user raised."""

    def sights(self, tickers: Sequence[str], *, whole: bool) -> list[Sight]:
        """Some books, or the tops of them, at one moment."""


def kinds_of(channels: str | Sequence[str]) -> tuple[str, ...]:
    """The channels asked for, by our names; the exchange's own are understood."""
    wires = {channel.wire: name for name, channel in CHANNELS.items()}
    if not isinstance(channels, str | Iterable):
        raise InputError(
            f"channels must be names such as 'books', not {type(channels).__name__}; nothing was sent"
        )
    asked = (channels,) if isinstance(channels, str) else tuple(channels)
    found = []
    for name in asked:
        kind = wires.get(name, name) if isinstance(name, str) else ""
        if kind not in CHANNELS:
            raise InputError(f"{quoted(name, 40)} is no channel; choose among {', '.join(CHANNELS)}")
        found.append(kind)
    if not found:
        raise InputError(f"no channel at all; choose among {', '.join(CHANNELS)}")
    return tuple(dict.fromkeys(found))


def patience(timeout: object) -> float:
    """How long somebody waits [s]."""
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or math.isnan(timeout):  # type: ignore[arg-type]
        raise InputError(f"timeout={quoted(timeout, 40)} must be a number of seconds")
    return float(timeout)  # type: ignore[arg-type]


class Consumed(BookView):
    """Books that are looked at, and news of them."""

    @property
    @abstractmethod
    def _source_of_news(self) -> Source: ...

    @property
    def channels(self) -> tuple[str, ...]:
        """What is followed."""
        return self._source_of_news.channels

    def _sights(self, tickers: Sequence[str], *, whole: bool = True) -> list[Sight]:
        return self._source_of_news.sights(tickers, whole=whole)

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
        longest = None if timeout is None else min(patience(timeout), threading.TIMEOUT_MAX)
        mailbox = self._mailbox(kinds)
        try:
            while (update := mailbox.get(longest)) is not None:
                yield valued(self._source_of_news, update)
            if self._source_of_news.error is not None:
                raise self._source_of_news.error
        finally:
            self._source_of_news.unsubscribe(mailbox)

    def __iter__(self) -> Iterator[Update]:
        return self.updates()

    async def _updates(self) -> AsyncIterator[Update]:
        mailbox = self._mailbox(None)
        try:
            while (update := await mailbox.get_soon()) is not None:
                yield valued(self._source_of_news, update)
            if self._source_of_news.error is not None:
                raise self._source_of_news.error
        finally:
            self._source_of_news.unsubscribe(mailbox)

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
        made = _Callback(self._source_of_news, self._mailbox(kinds), callback)
        made.start()
        return made.stop

    def _mailbox(self, kinds: str | Sequence[str] | None) -> Mailbox:
        wanted = self.channels if kinds is None else kinds_of(kinds)
        strange = [kind for kind in wanted if kind not in self.channels]
        if strange:
            raise InputError(f"{strange[0]} is not followed here, only {', '.join(self.channels)}")
        return self._source_of_news.subscribe(wanted)

    def _check_open(self) -> None:
        source = self._source_of_news
        if source.error is not None:
            raise source.error
        if source.closed:
            raise TransportError("this is closed; make a new one")


def valued(source: Source, update: Update) -> Update:
    """An update of a book with its top as it is now."""
    if update.kind != "books":
        return update
    return update._replace(value=quote(source.sights([update.ticker], whole=False)[0]))


class _Callback:
    """A function that is called with updates, in a thread of its own."""

    def __init__(self, source: Source, mailbox: Mailbox, function: Callable[[Update], object]) -> None:
        self._source = source
        self._mailbox = mailbox
        self._function = function
        self._thread = threading.Thread(target=self._run, name="kalshi-stream-callback", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._source.unsubscribe(self._mailbox)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _run(self) -> None:
        while (update := self._mailbox.get(None)) is not None:
            with _Told(self._source):
                self._function(valued(self._source, update))


class _Told:
    """Makes a problem of the stream of what a callback raises, so that the next update comes."""

    def __init__(self, source: Source) -> None:
        self._source = source

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
        self._source.callback_failed(error)
        return True
