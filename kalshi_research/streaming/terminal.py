"""Recording from a terminal: until told to stop, with a line that says how it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, printable
from kalshi_research.streaming.live import stream

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.streaming.live import Stream
    from kalshi_research.streaming.options import StreamOptions
    from kalshi_research.streaming.recorder import Recorder

__all__ = ["record_until"]

_PATIENCE = 5.0
"""So long a first book may take before one is told that it has not come [s]."""


def record_until(
    stop: threading.Event,
    client: Client,
    tickers: Sequence[str],
    folder: Path,
    *,
    channels: Sequence[str] = ("books", "trades"),
    every: str = "5s",
    duration: float | None = None,
    begun: Callable[[], object] | None = None,
    report: Callable[[str], object] | None = None,
    tell: Callable[[str], object] | None = None,
    options: StreamOptions | None = None,
) -> str:
    """Record markets into a folder until `stop` is set; a line about it all.

    Parameters
    ----------
    stop : threading.Event
        Ends it, with everything written.
    client : Client
    tickers, channels : sequence of str
        As for `stream`.
    folder : Path
        As for `Stream.record`.
    every : str
        How often what has come is written.
    duration : float, optional
        End by itself after so long [s].
    begun : callable
        Called when the recording is under way, so that from then on `stop` must end it.
    report : callable
        Called about once a second with a line that says how it goes.
    tell : callable
        Called with each problem, once.
    options : StreamOptions, optional
        As for `stream`.

    Raises
    ------
    InputError
        If an argument is wrong; nothing was recorded.
    AuthError
        If the exchange takes the key away.
    ArchiveError
        If the end cannot be written.
    """
    if duration is not None and not duration > 0:  # no number at all is not above 0 either
        raise InputError(f"duration={duration} must be above 0 seconds; nothing was recorded")
    begin = time.monotonic()
    with stream(client, tickers, channels, options=options) as live:
        recorder = live.record(folder, every=every)
        if begun is not None:
            begun()
        known: set[str] = set()
        while not stop.is_set() and live._engine.error is None:  # noqa: SLF001  one package
            elapsed = time.monotonic() - begin
            if duration is not None and elapsed >= duration:
                break
            for problem in (*live.health.problems, *_silent(live, elapsed)):
                if tell is not None and problem not in known:
                    tell(problem)
                    known.add(problem)
            if report is not None:
                report(_line(live, recorder, elapsed))
            stop.wait(1.0 if duration is None else min(1.0, max(duration - elapsed, 0.0)))
        recorder.close()
        if live._engine.error is not None:  # noqa: SLF001
            raise live._engine.error  # noqa: SLF001
        return _line(live, recorder, time.monotonic() - begin)


def _silent(live: Stream, elapsed: float) -> list[str]:
    """What a person who has mistyped a market should know."""
    engine = live._engine  # noqa: SLF001  one package
    if elapsed < _PATIENCE or "books" not in engine.channels:
        return []
    with engine.lock:
        books = [engine.book(ticker)[0] for ticker in engine.markets]
    return [
        f"no book of {printable(book.ticker, 60)} has come; is that its ticker?"
        for book in books if book.seq < 0
    ]  # fmt: skip


def _line(live: Stream, recorder: Recorder, elapsed: float) -> str:
    health = live.health
    hours, rest = divmod(int(elapsed), 3600)
    parts = [
        f"{hours}:{rest // 60:02d}:{rest % 60:02d}",
        f"{health.live} of {health.books} books live" if health.books else "",
        f"{health.messages:,} messages",
        f"{recorder.acknowledged:,} rows written",
        f"{health.gaps:,} gaps" if health.gaps else "",
        f"{health.reconnects:,} reconnects" if health.reconnects else "",
        f"NOT WRITING: {recorder.trouble.splitlines()[0]}" if recorder.trouble else "",
    ]
    return " · ".join(part for part in parts if part)
