"""A stream on its way to the disk: every message as it came, and what it says, in parts.

A part appears whole or not at all, its pages carry checksums, and once it is there its rows
are acknowledged: a process that is killed loses at most what came since the last part. What
is missing is a row too: the beginning and the end of a recording, a broken connection, a hole
in the numbers, and messages for which the disk was too slow.

A part is named after the run, the rows in it and its own digest. Small parts are
put together now and then; one that lies inside another's range is left out by the reader, so
dying half-way through that costs nothing.

One thread writes, whoever asks for it: an interrupted cell cannot tear a row out of its hands.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec

from kalshi_research.errors import ArchiveError, InputError, printable
from kalshi_research.parts import replaced, sweep
from kalshi_research.schemas.channels import snapshot_frame
from kalshi_research.streaming.rows import Rows
from kalshi_research.streaming.runs import Part, found_parts, found_runs, read_rows, write_rows

if TYPE_CHECKING:
    from types import TracebackType

    from kalshi_research.streaming.books import Book
    from kalshi_research.streaming.engine import Engine

__all__ = ["Recorder"]

_MOST_WAITING = 500_000
_MOST_BYTES = 256 << 20
"""So much waits while the disk cannot be written to; what comes then is counted and dropped."""
_ENOUGH = 50_000
"""With so many messages a part is written before its time."""
_PUBLIC = frozenset({"books", "trades", "tickers", "lifecycle"})
"""Channels that say nothing of an account; files with others are for their owner only."""
_SMALL_PARTS = 40
_SMALL = 100_000
"""So many small parts are put together into one, unless that would have more rows than this."""


class _Item(NamedTuple):
    """Something that came: a message, or with `note` something that happened."""

    connection: int
    received: int
    text: bytes
    kind: str = ""
    note: str = ""


class Recorder:
    """Writes what a stream brings; made by `Stream.record`.

    Attributes
    ----------
    folder : Path
    run : str
        Names this recording among others in the folder.
    rows : int
        Came so far.
    acknowledged : int
        Are on the disk.
    dropped : int
        Messages that were given up because the disk could not be written to.
    trouble : str
        Why the disk cannot be written to; empty where it can.
    """

    def __init__(self, engine: Engine, folder: Path, *, every: float, about: dict[str, Any]) -> None:
        self.folder = folder
        self.run = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}-{secrets.token_hex(3)}"
        self.rows = self.acknowledged = self.dropped = 0
        self.trouble = ""
        self._engine = engine
        self._every = every
        self._private = not _PUBLIC.issuperset(about["channels"])
        self._about = {**about, "run": self.run, "began": datetime.now(UTC).isoformat(), "ended": None}
        self._waiting: list[_Item] = []
        self._bytes = 0
        self._lately_dropped = 0
        self._rows = Rows(self.run)
        self._small: list[Part] = []
        self._news = threading.Condition()
        self._asked = self._answered = 0
        self._failure: ArchiveError | None = None
        self._is_full = self._is_closing = self._has_end = self._closed = False
        self._untap: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._write_on, name="kalshi-recorder", daemon=True)

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, with the books as they stand."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ArchiveError(
                f"{printable(self.folder)} is a file, and a recording is a folder: choose another name"
            ) from error
        except OSError as error:
            raise ArchiveError(
                f"cannot make the folder {printable(self.folder)}: {printable(error)}"
            ) from error
        sweep(self.folder)
        self._waiting.append(self._happened("begin", 0, self._earlier()))
        self._save_run()
        with self._engine.lock:
            self._untap = self._engine.tap(self._tap, self._broke)
            for item in self._standing():
                self._waiting.append(item)
        self._thread.start()

    def _earlier(self) -> str:
        """What the folder says of the recordings before this one."""
        torn = [run["run"] for run in found_runs(self.folder) if not run.get("ended")]
        parts = found_parts(self.folder)
        killed = [name for name in torn if any(part.run == name for part in parts)]
        if not killed:
            return "the recording begins"
        return f"the recording begins; {killed[-1]} ended without a goodbye"

    def _standing(self) -> Iterator[_Item]:
        """The live books as snapshots, numbered so that what comes next continues them."""
        now = time.time_ns() // 1000
        for link in self._engine.links:
            sub = link.subscriptions.channel("books")
            if sub is None or sub.sid is None:
                continue
            books = [
                book for book in link.session.books.values()
                if book.sid == sub.sid and book.status in ("live", "stale")
            ]  # fmt: skip
            due = link.session.position(sub.sid)
            for number, book in enumerate(books, max(due - len(books), 0)):
                yes, no = sorted(book.yes.counts.items()), sorted(book.no.counts.items())
                # Without a clock: it has all that came before its number and nothing that comes
                # after it, even where that is the rest of an action and shares the clock.
                text = snapshot_frame(sub.sid, number, book.ticker, -1, yes, no)
                yield _Item(link.number, now, text, note="as it stood")

    def flush(self) -> None:
        """Write what has come; then it is acknowledged.

        Raises
        ------
        ArchiveError
            If it cannot be written; then it is kept and tried again.
        """
        self._ask()

    def close(self) -> None:
        """Write the rest and end; once that is done, a second time does nothing.

        Raises
        ------
        ArchiveError
            If the rest cannot be written; then it is kept and tried again until it can be, or
            the process ends. Make room and close again.
        """
        self._untap()
        with self._news:
            self._is_closing = True
        self._ask()

    def _ask(self) -> None:
        """Have the thread write, and wait for it."""
        with self._news:
            self._asked += 1
            mine = self._asked
            self._news.notify_all()
            while self._answered < mine and not self._closed and self._thread.is_alive():
                self._news.wait(1.0)
            if self._answered < mine and not self._closed:
                raise ArchiveError(f"the recorder has died; {self.acknowledged:,} rows are on the disk")
            failure = None if self._closed else self._failure
        if failure is not None:
            raise failure

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
        state = "ended" if self._closed else "running"
        trouble = f", NOT WRITING: {self.trouble}" if self.trouble else ""
        return (
            f"<Recorder {printable(self.folder, 80)}, {state}: {self.rows:,} rows, "
            f"{self.acknowledged:,} on the disk{trouble}>"
        )

    # --- what the stream calls ------------------------------------------------------------------

    def _tap(self, connection: int, text: bytes, book: Book | None) -> None:  # noqa: ARG002
        waiting = self._waiting
        if len(waiting) >= _MOST_WAITING or self._bytes >= _MOST_BYTES:
            self._lately_dropped += 1
            return
        waiting.append(_Item(connection, time.time_ns() // 1000, text))
        self._bytes += len(text)
        if not len(waiting) % _ENOUGH:
            with self._news:
                self._is_full = True
                self._news.notify_all()

    def _broke(self, connection: int, reason: str) -> None:
        if connection:
            self._waiting.append(self._happened("break", connection, reason))

    def _happened(self, kind: str, connection: int, note: str) -> _Item:
        return _Item(connection, time.time_ns() // 1000, b"", kind, note)

    # --- writing --------------------------------------------------------------------------------

    def _write_on(self) -> None:
        while not self._closed:
            with self._news:
                self._news.wait_for(
                    lambda: self._asked > self._answered or self._is_full, timeout=self._every
                )
                asked, closing = self._asked, self._is_closing
                self._is_full = False
            failure = self._written(closing=closing)
            with self._news:
                self._answered, self._failure = asked, failure
                self._closed = closing and failure is None
                self._news.notify_all()
        self._rows = Rows(self.run)
        with self._engine.lock:
            if self in self._engine.recorders:
                self._engine.recorders.remove(self)

    def _written(self, *, closing: bool) -> ArchiveError | None:
        """Write what has come, at last with the end; why it cannot be written, if it cannot."""
        try:
            if closing and not self._has_end:
                self._has_end = True
                with self._engine.lock:
                    self._waiting.append(self._happened("end", 0, "the recording ends"))
            self._write()
            if closing:
                self._merge()
                self._about["ended"] = datetime.now(UTC).isoformat()
                self._save_run()
        except ArchiveError as error:
            self.trouble = str(error)
            self._engine.problem(f"the recording cannot be written: {printable(error, 160)}")
            return error
        return None

    def _take(self) -> None:
        """Turn what waits into rows; they stay until they are written."""
        if self._rows.waiting >= _MOST_WAITING:
            return
        with self._engine.lock:
            waiting, self._waiting, self._bytes = self._waiting, [], 0
            dropped, self._lately_dropped = self._lately_dropped, 0
            self.dropped += dropped
        for item in waiting:
            self._rows.add(item)
        if dropped:
            note = f"{dropped:,} messages came while the disk could not be written to"
            self._rows.add(self._happened("hole", 0, note))
        self.rows = self._rows.count

    def _write(self) -> None:
        self._take()
        table = self._rows.table()
        if not table.num_rows:
            self.trouble = ""
            return
        part = write_rows(self.folder, self.run, self._rows.first, table, private=self._private)
        self.trouble = ""
        self._rows.written()
        self.acknowledged = self._rows.first
        if len(self._small) >= _SMALL_PARTS or _count([*self._small, part]) > _SMALL:
            self._merge()
        self._small.append(part)

    def _merge(self) -> None:
        """Put small parts together. Until the last moment each row is in one whole part."""
        small, self._small = self._small, []
        if len(small) < 2:
            return
        import pyarrow as pa

        try:
            table = pa.concat_tables([read_rows(part) for part in small])
            write_rows(self.folder, self.run, small[0].first, table, private=self._private)
            for part in small:
                part.path.unlink(missing_ok=True)
        except (ArchiveError, OSError) as error:  # nothing is lost: they stay as they are
            self._engine.problem(f"small parts of the recording stay: {printable(error, 160)}")
        pa.default_memory_pool().release_unused()

    def _save_run(self) -> None:
        try:
            with replaced(self.folder / f"{self.run}.json") as file:
                file.write(msgspec.json.encode(self._about))
        except OSError as error:
            raise ArchiveError(
                f"cannot write to {printable(self.folder)}: {printable(error)}"
            ) from error


def _count(parts: list[Part]) -> int:
    return sum(part.last - part.first + 1 for part in parts)


def seconds(every: object) -> float:
    """A length of time in seconds."""
    from kalshi_research.streaming.instants import step

    found = step(every) / 1e6
    if not found:
        raise InputError("every must be a length of time such as '5s'")
    return found
