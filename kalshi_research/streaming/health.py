"""How a stream is doing, in numbers."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from kalshi_research.errors import printable

if TYPE_CHECKING:
    from kalshi_research.streaming.engine import Engine
    from kalshi_research.streaming.link import Link

__all__ = ["Health", "health_of"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """What came, what was lost and repaired, and what went wrong, since the beginning.

    Attributes
    ----------
    state : str
        ``open`` where every connection is, else that of the worst one.
    books, live : int
        Books that are followed, and how many of them are live.
    messages : int
        Received.
    gaps, lost : int
        Holes in the numbers, and messages known to be missing in them.
    repairs, renewals, audits, mismatches : int
        Snapshots asked for, subscriptions made anew, books compared with a fresh snapshot,
        and those that differed from it.
    connections, reconnects : int
        Open now, and made again.
    backfilled : int
        Rows that were asked for after an outage.
    repeated : int
        Rows and messages that came twice and counted once.
    dropped : int
        Rows that were dropped: from full buffers, and for slow consumers.
    unreadable, unknown : int
        Messages that could not be read, and those of an unknown type.
    callback_errors : int
        Raised by functions given to `Stream.on`.
    lag : float
        How much longer the newest message was on its way than the fastest one of the connection
        [s], of the slowest connection; missing where that cannot be known, as of a simulated
        exchange whose clock does not run as ours.
    lag_reason : str
        Why the lag is missing; empty where it is not.
    problems : tuple of str
        The newest last.
    """

    state: str
    books: int
    live: int
    messages: int
    gaps: int
    lost: int
    repairs: int
    renewals: int
    audits: int
    mismatches: int
    connections: int
    reconnects: int
    backfilled: int
    repeated: int
    dropped: int
    unreadable: int
    unknown: int
    callback_errors: int
    lag: float
    lag_reason: str
    problems: tuple[str, ...]

    def __str__(self) -> str:
        told = [field.name for field in fields(self) if field.name not in ("lag_reason", "problems")]
        lines = [f"{name:<16}{_said(getattr(self, name))}" for name in told]
        if self.lag_reason:
            lines[-1] = f"{'lag':<16}unknown: {self.lag_reason}"
        return "\n".join([*lines, *(f"! {printable(text)}" for text in self.problems)])

    def _repr_html_(self) -> str:
        return f'<pre class="tex2jax_ignore mathjax_ignore">{html.escape(str(self))}</pre>'


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _lag(links: Sequence[Link]) -> tuple[float, str]:
    """The longest lag that is known, or why none is."""
    delays = [link.dispatcher.delay for link in links if link.state == "open"]
    known = [delay.lag for delay in delays if not delay.reason]
    if known:
        return max(known), ""
    return float("nan"), delays[0].reason if delays else "there is no connection"


_WORST = ("closed", "waiting", "connecting", "open")


def health_of(engine: Engine) -> Health:
    """The state of an engine."""
    with engine.lock:
        links, feeds = list(engine.links), engine.feeds
        books = (
            [engine.book(ticker)[0] for ticker in engine.markets] if "books" in engine.channels else []
        )
        lag, lag_reason = _lag(links)
        return Health(
            state=min((link.state for link in links), key=_WORST.index),
            books=len(books),
            live=sum(book.status == "live" for book in books),
            messages=sum(link.messages for link in links),
            gaps=sum(link.dispatcher.gaps for link in links),
            lost=sum(link.dispatcher.lost_frames for link in links),
            repairs=sum(link.upkeep.repairs for link in links),
            renewals=sum(link.upkeep.renewals for link in links),
            audits=sum(link.upkeep.audits for link in links),
            mismatches=sum(link.upkeep.mismatches for link in links),
            connections=sum(link.state == "open" for link in links),
            reconnects=sum(max(link.connections - 1, 0) for link in links),
            backfilled=feeds.backfilled,
            repeated=feeds.repeated + sum(link.session.counters.repeated for link in links),
            dropped=sum(feeds.dropped.values()) + engine.audience.dropped,
            unreadable=sum(link.dispatcher.unreadable for link in links),
            unknown=sum(link.dispatcher.unknown for link in links),
            callback_errors=engine.callback_errors,
            lag=lag,
            lag_reason=lag_reason,
            problems=tuple(engine.problems),
        )
