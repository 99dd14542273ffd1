"""Order books sampled over REST, for those who have no key."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from kalshi_research.errors import InputError, KalshiError, TransportError, printable, quoted
from kalshi_research.market_data.arguments import (
    TICKERS_A_REQUEST,
    Tickers,
    check_client,
    chunks,
    ticker_list,
)
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.schemas import ORDERBOOKS
from kalshi_research.streaming import moments
from kalshi_research.streaming.books import Levels
from kalshi_research.streaming.consumers import Consumed, patience
from kalshi_research.streaming.recorder import seconds
from kalshi_research.streaming.updates import Audience, Mailbox
from kalshi_research.streaming.view import Sight

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["Poll", "Polled", "poll"]

_WAITING = 10_000
_LATE = 2.5
"""A sample older than so many intervals is stale: questions fail or take too long."""
_SHARE = 0.5
"""Of the time, at most so much is spent asking, so that other work has a budget too."""


class Polled(NamedTuple):
    """How a poll is doing.

    Attributes
    ----------
    markets, sampled : int
        Followed, and those with a sample that is not too old.
    samples, failures : int
        Times asked, and times without an answer.
    seconds_each : float
        What one round of questions takes [s].
    problem : str
        The last failure; empty where the last question was answered.
    """

    markets: int
    sampled: int
    samples: int
    failures: int
    seconds_each: float
    problem: str


def poll(client: Client, tickers: Tickers, every: str | pd.Timedelta = "2s") -> Poll:
    """Sample order books over REST, again and again.

    This needs no key. Between two samples nobody knows what happens, so its books are never
    ``live``: they are ``sampled``, with their `age`, and without numbers once that is too great.
    Trades and everything in between are missed: with a key use `stream`.

    Parameters
    ----------
    client : Client
        With or without a key.
    tickers : str, iterable of str or frame
        Markets; a hundred of them are one question.
    every : str or Timedelta, default "2s"
        How often. When the questions take more than half of that, they come less often, so that
        the rate limits leave room for other work.

    Returns
    -------
    Poll
        To be read like a `Stream`: `book`, `books`, `quotes`, `best`, `status`, iteration, `on`.

    Raises
    ------
    InputError
        If an argument is wrong; nothing was sent.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> with kr.poll(client, ["KXHIGHNY-26NOV21-B46.5"]) as sampled:
    ...     sampled.wait().best("KXHIGHNY-26NOV21-B46.5").status
    'sampled'
    """
    check_client(client)
    names = ticker_list(tickers)
    interval = seconds(every)
    if interval < 0.05:
        raise InputError("every must be 0.05 s or more; for faster news use stream(client, tickers)")
    return Poll(client, names, interval)


class _Sample(NamedTuple):
    levels: Levels
    taken: moments.Moment


class _Sampler:
    """The thread that asks."""

    def __init__(self, client: Client, tickers: Sequence[str], every: float) -> None:
        self.client = client
        self.error: Exception | None = None
        self.channels: tuple[str, ...] = ("books",)
        self.markets: dict[str, None] = dict.fromkeys(tickers)
        self.every = every
        self.samples = self.failures = 0
        self.problem = ""
        self.seconds_each = 0.0
        self.callback_errors = 0
        self.lock = threading.Lock()
        self._held: dict[str, _Sample] = {}
        self._unknown: set[str] = set()
        self._audience = Audience(_WAITING)
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kalshi-poll", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self.stopped.is_set()

    def _run(self) -> None:
        due = time.monotonic()
        while not self.stopped.is_set():
            began = time.monotonic()
            self._sample()
            took = time.monotonic() - began
            self.seconds_each = took
            due = max(due + self.every, began + took / _SHARE)
            self.stopped.wait(max(due - time.monotonic(), 0.0))

    def _sample(self) -> None:
        names = list(self.markets)
        if not names:
            return
        decoder = ORDERBOOKS.decoder(tickers=names)
        taken = moments.now()  # the answer may be as old as the question, were there a sleep between
        try:
            for some in chunks(names, TICKERS_A_REQUEST):
                decoder.add(self.client.get_bytes("/markets/orderbooks", params={"tickers": some}))
        except KalshiError as error:
            self.failures += 1
            self.problem = printable(error, 200)
            return
        missing = set(decoder.missing)
        found = {name: book for name, book in _levels(decoder.frame({})).items() if name not in missing}
        with self.lock:
            changed = {
                name: None
                for name, levels in found.items()
                if name not in self._held or self._held[name].levels != levels
            }
            for name, levels in found.items():
                if name in self.markets:  # it may have been dropped meanwhile
                    self._held[name] = _Sample(levels, taken)
            self._unknown = missing
            self.samples += 1
            self.problem = ""
        if changed:
            self._audience.put_books(changed)

    def sights(self, tickers: Sequence[str], *, whole: bool) -> list[Sight]:
        """Some books, or the tops of them, as they were sampled."""
        with self.lock:
            return [self._sight(self._held.get(ticker), ticker, whole=whole) for ticker in tickers]

    def _sight(self, sample: _Sample | None, ticker: str, *, whole: bool) -> Sight:
        if sample is None:
            reason = "the exchange has no such book" if ticker in self._unknown else "no sample yet"
            return Sight("syncing", self.problem or reason, float("inf"), None)
        age = moments.since(sample.taken)
        if age > _LATE * max(self.every, self.seconds_each / _SHARE) or self.closed:
            reason = self.problem or ("closed" if self.closed else "questions take too long")
            return Sight("stale", reason, age, None)
        levels = sample.levels if whole else Levels(sample.levels.bids[:1], sample.levels.asks[:1])
        return Sight("sampled", "", age, levels)

    def forget(self, tickers: Iterable[str]) -> None:
        """Markets that are followed no longer."""
        with self.lock:
            for ticker in tickers:
                self.markets = {name: None for name in self.markets if name != ticker}
                self._held.pop(ticker, None)

    def subscribe(self, kinds: Iterable[str]) -> Mailbox:
        """A new consumer."""
        with self.lock:
            return self._audience.join(kinds, list(self._held))

    def unsubscribe(self, mailbox: Mailbox) -> None:
        """A consumer that has enough."""
        self._audience.leave(mailbox)

    def callback_failed(self, error: Exception) -> None:
        """A function of the user raised."""
        self.callback_errors += 1
        self.problem = f"a callback raised {quoted(error, 160)}"

    def close(self) -> None:
        """End the thread."""
        self.stopped.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(self.client.deadline + 5)
        self._audience.close()


class Poll(Consumed):
    """Sampled order books; made by `poll`."""

    _endpoint = "/markets/orderbooks, sampled"

    def __init__(self, client: Client, tickers: Sequence[str], every: float) -> None:
        self._client = client
        self._sampler = _Sampler(client, tickers, every)
        weakref.finalize(self, self._sampler.stopped.set)

    @property
    def _source_of_news(self) -> _Sampler:
        return self._sampler

    @property
    def markets(self) -> list[str]:
        """The markets that are followed, in order."""
        return list(self._sampler.markets)

    def add(self, tickers: Tickers) -> None:
        """Follow more markets, from the next sample on.

        Parameters
        ----------
        tickers : str, iterable of str or frame
        """
        self._check_open()
        names = ticker_list(tickers)
        with self._sampler.lock:
            self._sampler.markets = {**self._sampler.markets, **dict.fromkeys(names)}

    def drop(self, tickers: Tickers) -> None:
        """Follow some markets no longer.

        Parameters
        ----------
        tickers : str, iterable of str or frame
        """
        self._check_open()
        self._sampler.forget(ticker_list(tickers))

    def wait(self, tickers: Tickers | None = None, *, timeout: float = 30.0) -> Self:
        """Wait until there is a sample of each book.

        Parameters
        ----------
        tickers : str, iterable of str or frame, optional
            By default all that are followed.
        timeout : float
            How long [s].

        Returns
        -------
        Poll
            This one.

        Raises
        ------
        TransportError
            If that takes too long.
        """
        names = self._followed(tickers)
        deadline = time.monotonic() + patience(timeout)
        while True:
            self._check_open()
            sights = self._sights(names, whole=False)
            missing = [
                (name, sight) for name, sight in zip(names, sights, strict=True)
                if sight.status != "sampled"
            ]  # fmt: skip
            if not missing:
                return self
            left = deadline - time.monotonic()
            if left <= 0:
                name, sight = missing[0]
                raise TransportError(
                    f"no sample of {len(missing):,} books in time, such as {printable(name, 60)}: "
                    f"{sight.reason}"
                )
            self._sampler.stopped.wait(min(left, 0.01))

    @property
    def health(self) -> Polled:
        """How often it asked, and with what success."""
        sampler = self._sampler
        sights = self._sights(self.markets, whole=False)
        return Polled(
            len(sights),
            sum(sight.status == "sampled" for sight in sights),
            sampler.samples,
            sampler.failures,
            round(sampler.seconds_each, 4),
            sampler.problem,
        )

    def close(self) -> None:
        """Ask no more; a second time does nothing."""
        self._sampler.close()

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
        state = "closed" if self._sampler.closed else f"a sample every {self._sampler.every:g} s"
        return (
            f"<Poll {self._client.environment.name}, {len(self.markets):,} markets, {state}, "
            f"never live: {self._client.environment.banner}>"
        )


def _levels(frame: pd.DataFrame) -> dict[str, Levels]:
    """The books of a frame in integers, best first."""
    found = {name: Levels([], []) for name in frame["ticker"].cat.categories}
    rows: Callable[..., Iterable[tuple[str, str, float, float]]] = zip
    for ticker, side, price, quantity in rows(
        frame["ticker"], frame["side"], frame["price"], frame["quantity"]
    ):
        book = found[ticker]
        level = (round(price * PRICE_SCALE), round(quantity * COUNT_SCALE))
        (book.bids if side == "bid" else book.asks).append(level)
    return found
