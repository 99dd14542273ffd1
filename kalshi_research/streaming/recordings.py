"""Recordings read back: as rows, as holes, and through the code that a live stream runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalshi_research.errors import (
    ArchiveError,
    DecodeError,
    PartialDataWarning,
    printable,
    warn,
)
from kalshi_research.provenance import KEY, provenance
from kalshi_research.schemas.stream import End, StreamDecoder
from kalshi_research.streaming.rows import HAPPENINGS, schema
from kalshi_research.streaming.runs import (
    Part,
    folder_of,
    found_parts,
    found_runs,
    is_recording,
    read_rows,
)

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.schemas.stream import Event
    from kalshi_research.streaming.replay import Replay

__all__ = ["Recording", "read_recording"]

_TORN = "the recording has no end: it goes on, or what came after this is lost"
_CONNECTION = 1 << 20
"""Subscriptions of different connections have the same numbers; this tells them apart."""


def read_recording(path: str | PathLike[str], *, skip_damaged: bool = False) -> Recording:
    """Read what `Stream.record` or ``kalshi-research record`` wrote.

    Parameters
    ----------
    path : path
        The folder.
    skip_damaged : bool, default False
        Leave damaged parts out, with a warning and a hole in their place.

    Returns
    -------
    Recording
        `replay` gives books, quotes, trades and changes; `frame` has every message, and `holes`
        what is missing, with these columns:

        ==========  ===================  ======================================================
        column      dtype                meaning
        ==========  ===================  ======================================================
        run         category             the recording; a folder may hold several
        arrival     int64                place in the recording, from 0
        received    datetime64[us, UTC]  receipt
        connection  int64                number of the connection, from 1; 0 for none
        kind        category             delta, snapshot, trade, the type of another message,
                                         or begin, break, hole, end
        sid, seq    Int64                subscription, and number in it
        ticker      category             market
        side        category             bid or ask of the YES leg; what the taker bought
        price       float64              of the YES leg [dollars]
        quantity    float64              change of a level, or size of a trade [contracts]
        clock       Int64                the exchange's clock
        time        datetime64[us, UTC]  of the exchange
        note        str                  what happened; how much is missing
        frame       object               the message as it came (bytes)
        ==========  ===================  ======================================================

    Raises
    ------
    ArchiveError
        If there is no recording, or a part is damaged; names the part.

    Examples
    --------
    >>> import tempfile
    >>> import kalshi_research as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with kr.stream(kr.connect("sandbox"), ["KXHIGHNY-26NOV21-B46.5"]) as live:
    ...         with live.wait().record(folder) as recorder:
    ...             recorder.flush()
    ...     recording = kr.read_recording(folder)
    ...     happened = recording.holes["kind"].tolist()
    ...     quotes = recording.replay().quotes
    >>> happened, quotes["status"].iloc[0]
    (['begin', 'end'], 'live')
    """
    folder = folder_of(path)
    if not folder.is_dir():
        what = "is a file; give the folder that it is in" if folder.is_file() else "does not exist"
        raise ArchiveError(f"{printable(folder)} {what}. Nothing was read.")
    if not is_recording(folder):
        raise ArchiveError(
            f"{printable(folder)} holds no recording.\nRecord one with stream.record(folder)."
        )
    return Recording(folder, skip_damaged=bool(skip_damaged))


class Recording:
    """A folder of recorded messages; made by `read_recording`.

    Attributes
    ----------
    folder : Path
    runs : list of dict
        What each recording in the folder says of itself: `run`, `began`, `ended` (None where it goes
        on or was killed), `environment`, `host`, `simulated`, `channels` and `markets`.
    origin : dict
        The ``environment`` that was recorded, and whether any of it was ``simulated``.
    """

    def __init__(self, folder: Path, *, skip_damaged: bool = False) -> None:
        self.folder = folder
        self.runs = found_runs(folder)
        self._skip = skip_damaged

    def _tables(self) -> Iterator[pa.Table]:
        """The parts one after the other; what is missing between them is a row."""
        parts: dict[str, list[Part]] = {about["run"]: [] for about in self.runs}
        for part in found_parts(self.folder):
            parts.setdefault(part.run, []).append(part)
        ended = {about["run"] for about in self.runs if about.get("ended")}
        for run in sorted(parts):
            yield from self._run(run, parts[run], has_ended=run in ended)

    def _run(self, run: str, parts: list[Part], *, has_ended: bool) -> Iterator[pa.Table]:
        """One of the recordings."""
        due = 0
        while parts:
            part = parts.pop(0)
            if part.last < due:
                continue
            try:
                table = self._table(part)
            except FileNotFoundError:  # put together with others meanwhile
                parts = [each for each in found_parts(self.folder) if each.run == run]
                if part in parts:
                    raise ArchiveError(f"cannot read {printable(part.path)}") from None
                continue
            if part.first > due:
                yield _hole(run, due, _lost(part.first - due))
                due = part.first
            if table is None:
                yield _hole(run, due, _lost(part.last - due + 1))
            else:
                yield table.slice(due - part.first)
                has_ended |= table["kind"][-1].as_py() == "end"
            due = part.last + 1
        if not has_ended:
            yield _hole(run, due, _TORN)

    def _table(self, part: Part) -> pa.Table | None:
        try:
            table = read_rows(part)
        except ArchiveError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise error.__cause__ from None
            if not self._skip:
                raise ArchiveError(
                    f"{error}\nread_recording(path, skip_damaged=True) reads the rest."
                ) from error
            warn(f"{printable(error, 200)}; its rows are left out", PartialDataWarning)
            return None
        return table

    @property
    def origin(self) -> dict[str, Any]:
        """Which `environment` was recorded, and whether any of it was `simulated`."""
        return {
            "environment": str(self.runs[0].get("environment", "file")) if self.runs else "file",
            "simulated": any(run.get("simulated") for run in self.runs),
        }

    @property
    def frame(self) -> pd.DataFrame:
        """Every message and everything that happened, in order; see `read_recording`."""
        return self._frame([*self._tables()])

    @property
    def holes(self) -> pd.DataFrame:
        """Where something is missing or may be: beginnings, broken connections, holes, ends."""
        import pyarrow.compute as pc

        wanted = pa.array(HAPPENINGS)
        return self._frame(
            [
                table.filter(pc.is_in(table["kind"].cast(pa.string()), value_set=wanted))
                for table in self._tables()
            ]
        )

    def _frame(self, tables: list[pa.Table]) -> pd.DataFrame:
        table = pa.concat_tables([schema().empty_table(), *tables]).unify_dictionaries()
        frame: pd.DataFrame = table.to_pandas().astype(
            {"sid": "Int64", "seq": "Int64", "clock": "Int64", "note": "str"}
        )
        frame.attrs[KEY] = provenance(
            **self.origin,
            host=printable(self.folder.name, 80),
            endpoint="recording",
            fetched_at=datetime.now(UTC),
            rows=len(frame),
            pages=len(tables),
            complete=not frame["kind"].isin(["break", "hole"]).any(),
            schema="recording/1",
        )
        return frame

    def __iter__(self) -> Iterator[bytes]:
        """The messages as they came."""
        for table in self._tables():
            yield from (text for text in table["frame"].to_pylist() if text is not None)

    def arrivals(self) -> Iterator[tuple[Event, int]]:
        """What the messages say, with the time of receipt [ms]; broken connections are told."""
        decode = StreamDecoder().event
        serials: dict[tuple[str, int], int] = {}
        alive: dict[int, set[int]] = {}
        for table in self._tables():
            columns = [
                table[name].to_pylist() for name in ("run", "connection", "kind", "note", "frame")
            ]
            received = table["received"].cast(pa.int64()).to_pylist()
            for run, connection, kind, note, text, micros in zip(*columns, received, strict=True):
                millis = -1 if micros is None else micros // 1000
                if kind in ("begin", "break"):
                    ended = [serials.get((run, connection), -1)] if kind == "break" else list(alive)
                    for serial in ended:
                        for sid in sorted(alive.pop(serial, ())):
                            yield End(sid, note or kind), millis
                    continue
                if text is None:
                    continue
                serial = serials.setdefault((run, connection), len(serials))
                event = _decoded(decode, text)
                if event is None:
                    continue
                if event.sid is not None:
                    event.sid += serial * _CONNECTION
                    alive.setdefault(serial, set()).add(event.sid)
                yield event, millis

    def replay(self, **options: Any) -> Replay:
        """The recording through `replay_book`, which says what comes out.

        Parameters
        ----------
        **options
            Of `replay_book`. Changes of a book before its first snapshot are flagged, unless
            ``before_snapshot="refuse"`` is given.
        """
        from kalshi_research.streaming.replay import replay_book

        return replay_book(self, **{"before_snapshot": "flag", **options})

    def __repr__(self) -> str:
        count = len(self.runs)
        return f"<Recording {printable(self.folder, 80)}: {count} {'run' if count == 1 else 'runs'}>"


def _decoded(decode: Any, text: bytes) -> Event | None:
    """What a message says; nothing where it could not be read when it came either."""
    try:
        event: Event = decode(text)
    except DecodeError:
        return None
    return event


def _lost(count: int) -> str:
    return f"{count:,} rows of the recording are missing or damaged"


def _hole(run: str, first: int, note: str) -> pa.Table:
    values: dict[str, Any] = {
        "run": run,
        "arrival": first,
        "connection": 0,
        "kind": "hole",
        "note": note,
    }
    arrays = []
    for field in schema():
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        array = pa.array([values.get(field.name)], kind)
        arrays.append(array.dictionary_encode() if pa.types.is_dictionary(field.type) else array)
    return pa.Table.from_arrays(arrays, schema=schema())
