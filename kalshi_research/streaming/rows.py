"""Messages of a stream as rows of a table: the raw text, and what it says in columns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kalshi_research.errors import DecodeError
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.schemas.stream import StreamDecoder

if TYPE_CHECKING:
    import pyarrow as pa

    from kalshi_research.schemas.stream import Event

__all__ = ["COLUMNS", "HAPPENINGS", "Rows", "schema"]

HAPPENINGS = ("begin", "break", "hole", "end")
"""Kinds of rows that no message stands behind."""

COLUMNS = (
    ("run", "label", "the recording"),
    ("arrival", "int64", "place in the recording, from 0"),
    ("received", "time", "receipt"),
    ("connection", "int64", "number of the connection, from 1; 0 where it is about none"),
    ("kind", "label", "delta, snapshot, trade, the type of another message; begin, break, hole, end"),
    ("sid", "int64", "subscription"),
    ("seq", "int64", "number in the subscription"),
    ("ticker", "label", "market"),
    ("side", "label", "bid or ask, of the YES leg; for a trade what the taker bought"),
    ("price", "float64", "of the YES leg [dollars]"),
    ("quantity", "float64", "change of a level, or size of a trade [contracts]"),
    ("clock", "int64", "the exchange's clock"),
    ("time", "time", "of the exchange"),
    ("note", "text", "what happened; how much is missing"),
    ("frame", "bytes", "the message as it came"),
)
"""Of a part: name, kind, meaning."""

_WINDOW = 1024
_SUBSCRIPTIONS = 256
"""So many are looked after at once; one of a connection that has ended is not."""


class Item(Protocol):
    """What a recorder took down."""

    @property
    def connection(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def text(self) -> bytes: ...
    @property
    def kind(self) -> str: ...
    @property
    def note(self) -> str: ...


class _Said(NamedTuple):
    """The columns that depend on the kind of a message."""

    kind: str
    sid: int | None = None
    seq: int | None = None
    ticker: str | None = None
    side: str | None = None
    price: float | None = None
    quantity: float | None = None
    clock: int | None = None
    time: int | None = None


@cache
def schema() -> pa.Schema:
    """The columns of a part."""
    import pyarrow as pa

    kinds = {
        "label": pa.dictionary(pa.int32(), pa.string()),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "time": pa.timestamp("us", tz="UTC"),
        "text": pa.string(),
        "bytes": pa.binary(),
    }
    return pa.schema([(name, kinds[kind]) for name, kind, _ in COLUMNS])


class Rows:
    """Rows that are not written yet.

    Attributes
    ----------
    first : int
        Place of the first of them in the recording.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._decode = StreamDecoder().event
        self._columns: list[list[Any]] = [[] for _ in COLUMNS]
        self._due: dict[tuple[int, int], int] = {}
        self._recent: dict[tuple[int, int], dict[int, bytes]] = {}
        self.first = 0

    @property
    def count(self) -> int:
        """Rows so far, written ones included."""
        return self.first + len(self._columns[0])

    @property
    def waiting(self) -> int:
        """Rows that are not written."""
        return len(self._columns[0])

    def add(self, item: Item) -> None:
        """Add one message, after a row for what is missing before it; a repeated one is left out."""
        said = _Said(item.kind) if item.kind else self._read(item.text)
        if item.kind == "break":
            self._forget([key for key in self._recent if key[0] == item.connection])
        if said.sid is not None and said.seq is not None and not item.kind:
            key = (item.connection, said.sid)
            recent = self._recent.get(key)
            if recent is None:
                recent = self._recent[key] = {}
                self._forget(list(self._recent)[:-_SUBSCRIPTIONS])
            if recent.get(said.seq) == item.text:
                return
            if len(recent) >= _WINDOW:
                del recent[next(iter(recent))]
            recent[said.seq] = item.text
            due = self._due.get(key)
            self._due[key] = said.seq + 1
            if due is not None and said.seq != due:
                what = f"{said.seq - due:,} messages" if said.seq > due else "the count went back"
                hole = _Said("hole", said.sid, due)
                self._put(item, hole, f"{what} before number {said.seq}", b"")
        self._put(item, said, item.note, item.text)

    def _forget(self, keys: list[tuple[int, int]]) -> None:
        for key in keys:
            self._recent.pop(key, None)
            self._due.pop(key, None)

    def _read(self, text: bytes) -> _Said:
        try:
            return _said(self._decode(text))
        except DecodeError:
            return _Said("unreadable")

    def _put(self, item: Item, said: _Said, note: str, text: bytes) -> None:
        values = (
            self._run, self.count, item.received, item.connection, *said, note or None, text or None,
        )  # fmt: skip
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def table(self) -> pa.Table:
        """The rows as a table."""
        import pyarrow as pa

        arrays = []
        for column, field in zip(self._columns, schema(), strict=True):
            if pa.types.is_dictionary(field.type):
                arrays.append(pa.array(column, pa.string()).dictionary_encode())
            else:
                arrays.append(pa.array(column, field.type))
        return pa.Table.from_arrays(arrays, schema=schema())

    def written(self) -> None:
        """The rows are on the disk: begin new ones."""
        self.first = self.count
        self._columns = [[] for _ in COLUMNS]


def _said(event: Event) -> _Said:
    if event.kind == "delta":
        price = PRICE_SCALE - event.price if event.side else event.price
        return _Said(
            "delta", event.sid, event.seq, event.ticker, ("bid", "ask")[event.side],
            price / PRICE_SCALE, event.change / COUNT_SCALE, _known(event.clock), _micros(event.time_ms),
        )  # fmt: skip
    if event.kind == "snapshot":
        return _Said("snapshot", event.sid, event.seq, event.ticker, clock=_known(event.clock))
    if event.kind == "trade":
        return _Said(
            "trade", event.sid, event.seq, event.ticker, event.taker_side, event.yes_price / PRICE_SCALE,
            event.count / COUNT_SCALE, None, _micros(event.time_ms),
        )  # fmt: skip
    if event.kind == "reply":
        named = event.tickers[0] if event.tickers and len(event.tickers) == 1 else None
        return _Said(event.name, event.sid, event.seq, named)
    return _Said(event.kind, event.sid)


def _known(value: int) -> int | None:
    return value if value >= 0 else None


def _micros(millis: int) -> int | None:
    return millis * 1000 if millis >= 0 else None
