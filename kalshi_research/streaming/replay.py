"""A recording run through the book state machine, and what it saw as frames."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kalshi_research.errors import DecodeError, InputError, PartialDataWarning, printable, quoted, warn
from kalshi_research.money import PRICE_SCALE
from kalshi_research.provenance import KEY, provenance
from kalshi_research.schemas.stream import Delta, Trade
from kalshi_research.streaming import frames
from kalshi_research.streaming.instants import UNTIMED, Instants, given_instants, step, times_of
from kalshi_research.streaming.sources import Recorded, arrivals, name_of, origin_of
from kalshi_research.streaming.state import Session

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.schemas.stream import Event
    from kalshi_research.streaming.books import Book
    from kalshi_research.streaming.instants import Instant
    from kalshi_research.streaming.sources import Arrival

__all__ = ["Replay", "replay_book"]

_CHUNK = 1 << 15


class Replay(NamedTuple):
    """What a recording shows; see `replay_book`."""

    books: pd.DataFrame
    quotes: pd.DataFrame
    trades: pd.DataFrame
    changes: pd.DataFrame


def replay_book(
    frames: Recorded,
    *,
    every: str | pd.Timedelta | None = "1min",
    at: Instant | Iterable[Instant] | None = None,
    seq: Literal["contiguous", "sparse"] = "contiguous",
    before_snapshot: Literal["refuse", "flag"] = "refuse",
    use_yes_price: bool = False,
) -> Replay:
    """Rebuild the order books of a recorded WebSocket stream.

    Parameters
    ----------
    frames : path, list of paths, or iterable of dict, bytes or str
        Recorded frames of either dialect, in the order of their arrival: a file of one JSON
        frame a line (gzipped or not), a JSON list of frames, the frames themselves, or what
        `read_recording` gives, or its folder.
        Several paths are the parts of one connection that was split by market; they are put
        together by the numbers of their frames.
    every : str or Timedelta, default "1min"
        How often `books` has the full book. None: at the end only.
    at : time or list of times, optional
        The instants of `books`, instead of `every`. Those outside the recording have no rows.
    seq : {"contiguous", "sparse"}
        The exchange numbers all frames of a subscription in one row over all its markets.
        ``contiguous`` takes a missing number for a lost frame, after which no book of that
        subscription is known until its next snapshot. ``sparse`` is for a recording out of
        which other markets have been taken: there a lost frame cannot be noticed, so that
        ``live`` means no more than "as recorded".
    before_snapshot : {"refuse", "flag"}
        What to do with changes of a book that has had no snapshot.
    use_yes_price : bool, default False
        The subscription asked for NO prices on the YES leg. A frame does not tell.

    Returns
    -------
    Replay
        Four frames, ``books, quotes, trades, changes = replay_book(...)``.

        `books`: full books at some instants, as `get_orderbooks` has them, with `time`. A
        book has rows where it is live and something rests in it.

        ==================================  ===================  =============================
        column                              dtype                meaning [unit]
        ==================================  ===================  =============================
        time                                datetime64[us, UTC]  the instant
        ticker, side                        category             market, bid or ask
        level                               int64                0 for the best
        price                               float64              of the YES leg [dollars]
        quantity, cumulative                float64              [contracts]
        ==================================  ===================  =============================

        `quotes`: the top of the books, complete. Indexed by `time`; a row holds until the
        next one of its market. There is one for each change of a best price or its size, for
        each snapshot, and for each change of status. While a book is not live its numbers
        are NaN.

        ==================================  ===================  =============================
        column                              dtype                meaning [unit]
        ==================================  ===================  =============================
        ticker                              category             market
        yes_bid … microprice                float64              the columns of `quotes`
        status                              category             live, syncing, invalid
        reason                              str                  why it is not live
        seq, clock                          Int64                number of the frame, and the
                                                                 exchange's clock
        quote_arrival                       int64                place in the recording
        ==================================  ===================  =============================

        `trades`: the columns of `get_trades` and `arrival` (int64), the place in the
        recording; in that order, each trade once. Recorded trades tell their time in whole
        milliseconds or seconds: ``stream_times(trades, changes)`` makes it exact.

        `changes`: every change of a level, indexed by `time`.

        ==================================  ===================  =============================
        column                              dtype                meaning [unit]
        ==================================  ===================  =============================
        ticker, side                        category             market, bid or ask
        price                               float64              of the YES leg [dollars]
        change                              float64              of the quantity [contracts]
        quantity                            float64              afterwards; NaN while the
                                                                 book is not live [contracts]
        arrival                             int64                place in the recording
        ==================================  ===================  =============================

    Raises
    ------
    DecodeError
        If a frame cannot be read, or a book changes before its first snapshot.
    ArchiveError
        If a file cannot be opened.
    InputError
        If an argument is wrong.

    Notes
    -----
    Times are the exchange's. A snapshot tells none: it gets the time it was sent or
    received, where that is recorded, but none outside its neighbours. No time lies before
    the one of an earlier frame.

    Holes are counted in ``attrs["kalshi"]`` (`holes`, `lost`, `early`, `withheld`,
    `repeated`), make `complete` false and are warned of.

    Examples
    --------
    >>> book = {"market_ticker": "T", "yes": [[42, 13]], "no": [[56, 17]]}
    >>> change = {"market_ticker": "T", "side": "yes", "price": 43, "delta": 5,
    ...           "ts": "2026-03-07T23:13:38.146076Z"}
    >>> replay = replay_book([
    ...     {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": book},
    ...     {"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": change}])
    >>> replay.quotes[["yes_bid", "yes_ask", "status"]].to_dict("list")
    {'yes_bid': [0.42, 0.43], 'yes_ask': [0.44, 0.44], 'status': ['live', 'live']}
    >>> replay.books[["side", "price", "quantity"]].to_dict("list")
    {'side': ['bid', 'bid', 'ask'], 'price': [0.43, 0.42, 0.44], 'quantity': [5.0, 13.0, 17.0]}
    """
    for value, choices, name in (
        (seq, ("contiguous", "sparse"), "seq"),
        (before_snapshot, ("refuse", "flag"), "before_snapshot"),
    ):
        if value not in choices:
            raise InputError(f"{name} must be one of {choices}, not {quoted(value, 40)}")
    run = _Run(
        Session(contiguous=seq == "contiguous", use_yes_price=bool(use_yes_price)),
        Instants(step(every) if at is None else None, () if at is None else given_instants(at)),
        is_yes_leg=bool(use_yes_price),
        refuses=before_snapshot == "refuse",
    )
    name = name_of(frames)
    stream = arrivals(frames)
    while chunk := list(islice(stream, _CHUNK)):
        run.take(chunk)
    return run.result(name, origin_of(frames), sparse=seq == "sparse")


class _Run:
    """One pass over a recording: what is noted of every frame, in flat rows of integers."""

    def __init__(self, session: Session, instants: Instants, *, is_yes_leg: bool, refuses: bool) -> None:
        self._session = session
        self._instants = instants
        self._is_yes_leg = is_yes_leg
        self._refuses = refuses
        self._codes: dict[str, int] = {}
        self._reasons: dict[str, int] = {}
        self._quotes, self._levels, self._changes = array("q"), array("q"), array("q")
        self._trades: dict[str, tuple[Trade, int, int]] = {}
        self._repeated_trades = 0
        self._arrival = 0
        self._time = UNTIMED

    def take(self, chunk: list[Arrival]) -> None:
        """Apply frames and note what they changed."""
        times = times_of(chunk, self._time)
        session, instants, codes = self._session, self._instants, self._codes
        delta, counters, transitions = session.delta, session.counters, session.transitions
        note_change, note_quote = self._changes.frombytes, self._quotes.frombytes
        pack_change, pack_quote = frames.pack_change, frames.pack_quote
        yes_leg, arrival = self._is_yes_leg, self._arrival
        for (event, _), time in zip(chunk, times, strict=True):
            if time > instants.due:
                self._advance(time)
            if type(event) is Delta:
                repeated = counters.repeated
                side, price = event.side, event.price
                book = delta(
                    event.sid, event.seq, event.ticker, side, price, event.change,
                    event.clock, event.time_ms,
                )  # fmt: skip
                ticker = event.ticker
                code = codes.get(ticker)
                if code is None:
                    code = codes[ticker] = len(codes)
                if side:
                    count = -1 if book is None else book.no.counts.get(
                        PRICE_SCALE - price if yes_leg else price, 0
                    )  # fmt: skip
                    price = price if yes_leg else PRICE_SCALE - price
                else:
                    count = -1 if book is None else book.yes.counts.get(price, 0)
                if book is not None or counters.repeated == repeated:
                    note_change(pack_change(time, code, side, price, event.change, count, arrival))
            else:
                book = self._other(event, time, arrival)
            if transitions:
                self._flag(time, arrival)
            if book is not None and book.touched:
                yes, no = book.yes, book.no
                note_quote(pack_quote(
                    time, codes[book.ticker], yes.best, yes.size, no.best, no.size, 0, 0,
                    book.seq, book.clock, arrival,
                ))  # fmt: skip
            arrival += 1
        self._arrival = arrival
        self._time = times[-1]

    def _advance(self, time: int) -> None:
        """Note the full books of the instants before `time`."""
        for instant in self._instants.passed(time):
            self._sample(instant)

    def _other(self, event: Event, time: int, arrival: int) -> Book | None:
        """A frame that is no delta."""
        book = self._session.apply(event)
        if type(event) is Trade:
            stamp = event.time_ms * 1000 if event.time_ms >= 0 else time
            if event.trade_id in self._trades:
                self._repeated_trades += 1
            else:
                self._trades[event.trade_id] = (event, stamp, arrival)
        elif event.kind == "snapshot":
            self._codes.setdefault(event.ticker, len(self._codes))
        return book

    def _flag(self, time: int, arrival: int) -> None:
        """Note which books are no longer live, and why."""
        for ticker, status, reason in self._session.transitions:
            if status == "live":
                continue
            book = self._session.books[ticker]
            if self._refuses and book.seq < 0:
                raise DecodeError(
                    f"the book of {printable(ticker, 60)} changes before any snapshot of it has come "
                    f"(frame {arrival + 1:,} of the recording), so it cannot be known.\n"
                    "Pass before_snapshot='flag' to keep what follows its first snapshot."
                )
            self._quotes.frombytes(frames.pack_quote(
                time, self._codes.setdefault(ticker, len(self._codes)), 0, 0, 0, 0,
                frames.STATUSES.index(status), self._reasons.setdefault(reason, len(self._reasons) + 1),
                book.seq, -1, arrival,
            ))  # fmt: skip
        self._session.transitions.clear()

    def _sample(self, instant: int) -> None:
        """Note all levels of all live books."""
        for ticker, book in self._session.books.items():
            levels = book.levels()
            code = self._codes[ticker]
            for is_ask, side in enumerate(levels or ()):
                running = accumulate(count for _, count in side)
                for level, ((price, count), total) in enumerate(zip(side, running, strict=True)):
                    self._levels.frombytes(
                        frames.pack_level(instant, code, is_ask, level, price, count, total)
                    )

    def result(self, name: str, origin: dict[str, Any], *, sparse: bool) -> Replay:
        """The frames of all that was noted."""
        if not self._arrival:
            raise DecodeError(f"{name} holds no frames")
        for instant in self._instants.last(self._time):
            self._sample(instant)
        session = self._session
        counters, holes = session.counters, session.holes
        found: dict[str, Any] = {
            "seq": "sparse" if sparse else "contiguous",
            "holes": len(holes),
            "lost": sum(hole.lost for hole in holes),
            "early": counters.early,
            "withheld": counters.withheld,
            "repeated": counters.repeated + self._repeated_trades,
        }
        names = list(self._codes)
        reasons = [None, *self._reasons]
        result = Replay(
            frames.levels(self._levels, names),
            frames.quotes(self._quotes, names, reasons),
            frames.trades(list(self._trades.values())),
            frames.changes(self._changes, names),
        )
        troubled = bool(holes or counters.early or counters.withheld)
        for frame, kind in zip(result, Replay._fields, strict=True):
            source = provenance(
                **origin,
                host=name,
                endpoint="websocket",
                fetched_at=datetime.now(UTC),
                rows=len(frame),
                pages=self._arrival,
                complete=not (sparse or troubled),
                schema="trades/1" if kind == "trades" else f"replay_{kind}/1",
            )
            frame.attrs[KEY] = {**source, **found}
        if troubled:
            _warn(name, found)
        return result


def _warn(name: str, found: dict[str, Any]) -> None:
    text = (
        f"{name}: {found['holes']:,} holes ({found['lost']:,} frames lost), {found['early']:,} changes "
        f"before a snapshot, {found['withheld']:,} withheld from books out of step; see quotes.status"
    )
    if found["holes"]:
        text += (
            "\nIf frames of other markets were taken out of it, give all parts together or seq='sparse'."
        )
    warn(text, PartialDataWarning)
