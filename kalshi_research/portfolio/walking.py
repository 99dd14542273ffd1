"""Walks over one's own rows: by market, by time, over both tiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalshi_research.errors import (
    FrameError,
    InputError,
    NotFoundError,
    PaginationError,
    quoted,
)
from kalshi_research.market_data.arguments import (
    Tickers,
    Time,
    check_client,
    resume_cursor,
    row_cap,
    ticker_list,
    time_window,
    timestamp,
    unix_ceil,
    unix_floor,
    whole_number,
)
from kalshi_research.market_data.news import Known, known_items
from kalshi_research.market_data.tiers import cutoff, is_unknown, require_known
from kalshi_research.market_data.walks import Collection, Row, Test, Walk
from kalshi_research.provenance import note

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.schemas import Kind, Schema

__all__ = ["Question", "Source", "ask", "both", "cut_to_window", "known_rows", "subaccount_of"]

_FEW = 10
"""For more markets than this all of one's rows are fetched, and those of the others left out."""


@dataclass(frozen=True)
class Source:
    """Where rows of one kind come from.

    Attributes
    ----------
    schema : Schema
    path, items : str
        The live route, and the key of its rows.
    time : str
        The column by which a window is cut.
    wire_time : str
        The same on the wire.
    old_path, boundary : str
        The historical route, and the name of its cutoff; empty where there is none.
    ends : bool
        Whether the exchange may be asked for rows before an instant.
    """

    schema: Schema
    path: str
    items: str
    time: str
    wire_time: str
    old_path: str = ""
    boundary: str = ""
    ends: bool = True


@dataclass(frozen=True)
class Question:
    """The arguments of a call, checked."""

    names: list[str] | None
    low: pd.Timestamp | None
    high: pd.Timestamp | None
    known: Known | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    keep: Test | None = None
    """What the historical tier does not sort out by itself."""
    reaches_back: bool = True
    max_rows: int | None = None

    @classmethod
    def of(
        cls,
        client: Client,
        tickers: Tickers | None,
        start: Time | None,
        end: Time | None,
        known: Known | None,
        *,
        max_rows: int | None,
        cursor: str,
        **more: Any,
    ) -> Question:
        """The question that the arguments of a public function ask."""
        check_client(client)
        resume_cursor(cursor)
        names = None if tickers is None else ticker_list(tickers)
        low, high = time_window(start, end)
        if known is not None and start is not None:
            raise InputError("newer_than and start both say where to begin: give one of them")
        if known is not None:
            low = known.since or known.newest
        return cls(names, low, high, known, max_rows=row_cap(max_rows), **more)

    @property
    def told(self) -> dict[str, Any]:
        """What is hashed into the provenance."""
        ends = {"tickers": self.names, "start": self.low, "end": self.high, "max_rows": self.max_rows}
        return {**ends, **self.params}


def subaccount_of(value: int | None) -> int | None:
    """A subaccount, checked: 0 to 63, or None."""
    number = None if value is None else whole_number(value)
    if value is not None and (number is None or not 0 <= number <= 63):
        said = quoted(value, 40)
        raise InputError(f"subaccount must be a whole number from 0 to 63, or None, not {said}")
    return number


def known_rows(
    value: str | Time | pd.DataFrame | None, schema: Kind, *, id_field: str, time: str
) -> Known | None:
    """Read a ``newer_than`` argument; of a frame, its latest instant counts."""
    if value is None:
        return None
    if not isinstance(value, pd.DataFrame):
        return known_items(value, schema, id_field=id_field)
    frame = value.reset_index() if value.index.name is not None else value
    missing = [name for name in (id_field, time) if name not in frame.columns]
    if missing:
        raise FrameError(
            f"newer_than: this frame has no {' and no '.join(missing)}; "
            f"pass an earlier frame of get_{schema.kind}, or a time"
        )
    times = pd.to_datetime(frame[time], utc=True)
    newest = None if times.isna().all() else timestamp(times.max(), time)
    return Known(frozenset(frame[id_field].dropna().astype(str)), None, newest, "", id_field)


def both(first: Test | None, second: Test | None) -> Test | None:
    """A test that holds where both do."""
    if first is None or second is None:
        return first or second
    return lambda row: first(row) and second(row)


def _before(wire: str, end: pd.Timestamp | None) -> Test | None:
    if end is None:
        return None

    def keep(row: Row) -> bool:
        when = row.get(wire)
        return not isinstance(when, str) or timestamp(when, wire) < end

    return keep


def _among(names: list[str]) -> Test:
    wanted = frozenset(names)
    return lambda row: row.get("ticker") in wanted


def walks(client: Client, rows: Collection, source: Source, question: Question) -> Iterator[Walk]:
    """One walk for each market and tier."""
    low, known = question.low, question.known
    stop = known.stop if known is not None and low is None else None
    few = question.names is not None and len(question.names) <= _FEW
    keep = _before(source.wire_time, question.high)
    if question.names is not None and not few:
        keep = both(_among(question.names), keep)
    boundary: pd.Timestamp | None = None
    asked = not source.old_path
    for name in (question.names or []) if few else [""]:
        params = {
            "ticker": name or None,
            "min_ts": unix_floor(low),
            "max_ts": unix_ceil(question.high) if source.ends else None,
        }
        place = f"{source.items}:{name or '*'}"
        more = question.params
        yield Walk(f"live:{place}", source.path, source.items, {**params, **more}, keep=keep, stop=stop)
        if rows.full or rows.met or not question.reaches_back:
            continue
        if not asked:
            with rows.between():
                boundary, asked = cutoff(client, source.boundary), True
        if boundary is not None and (low is None or low < boundary):
            old = {key: value for key, value in more.items() if key == "subaccount"}
            yield Walk(
                f"historical:{place}",
                source.old_path,
                source.items,
                {**params, **old},
                keep=both(keep, question.keep),
                stop=stop,
            )


def ask(
    client: Client, source: Source, question: Question, *, cursor: str, show_progress: bool | None
) -> pd.DataFrame:
    """All rows of one kind that the question asks for."""
    rows = Collection(
        client,
        source.schema,
        endpoint=source.path,
        question=question.told,
        max_rows=question.max_rows,
        cursor=cursor,
        show_progress=show_progress,
    )
    for walk in walks(client, rows, source, question):
        _walk(rows, walk, question.names)
    frame = rows.frame(asked=question.names)
    if not frame[source.time].is_monotonic_decreasing:  # several markets, one after the other
        frame = frame.sort_values(source.time, ascending=False, kind="stable")
    _require_markets(client, rows, frame, question.names, cursor)
    known = question.known
    if known is not None:
        known.warn_unless(rows.met or rows.capped, len(frame))
    return cut_to_window(frame, source.time, question)


def _walk(rows: Collection, walk: Walk, names: list[str] | None) -> None:
    try:
        rows.walk(walk)
    except (NotFoundError, PaginationError) as error:
        if names is None or not is_unknown(error):
            raise


def _require_markets(
    client: Client, rows: Collection, frame: pd.DataFrame, names: list[str] | None, cursor: str
) -> None:
    """Tell a market in which one has nothing from one that does not exist."""
    if names is None or rows.capped or cursor or len(names) > _FEW:
        return
    came = set(frame["ticker"] if "ticker" in frame.columns else frame.index)
    silent = [name for name in names if name not in came]
    with rows.between():
        if silent and not require_known(client, silent, of=len(names)):
            note(frame, complete=False)


def cut_to_window(frame: pd.DataFrame, time: str, question: Question) -> pd.DataFrame:
    """Cut to the exact window: the exchange counts whole seconds, and what is known is no news."""
    plain = frame.reset_index()
    times, inside = plain[time], pd.Series(True, index=plain.index)
    low, high, known = question.low, question.high, question.known
    if low is not None:
        after = known is not None and known.since is not None
        inside &= (times > low) if after else (times >= low)
    if high is not None:
        inside &= times < high
    if known is not None and known.ids:
        inside &= ~plain[known.id_field].isin(known.ids)
    if not inside.all():
        frame = frame[inside.to_numpy(dtype=bool)]
        note(frame, rows=len(frame))
    return frame
