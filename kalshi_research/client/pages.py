"""Walking over pages: in order, once each, complete or saying that it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kalshi_research.client.strict_json import parse_object
from kalshi_research.errors import (
    DecodeError,
    InputError,
    KalshiError,
    PaginationError,
    printable,
    quoted,
)

if TYPE_CHECKING:
    import msgspec

__all__ = ["Outline", "Page", "Pages"]

MAX_EMPTY_PAGES = 20
"""Empty pages in a row before the walk gives up."""

# What tells rows apart whose other fields may change between two requests.
_IDENTITY = {
    "markets": "ticker",
    "events": "event_ticker",
    "trades": "trade_id",
    "fills": "fill_id",
    "orders": "order_id",
}


class Outline(NamedTuple):
    """What a walk must know of a page.

    Attributes
    ----------
    cursor : str
        What fetches the next page; empty on the last one.
    n_rows : int
        Rows in it.
    first : bytes
        The identity of its first row; empty where there is none.
    """

    cursor: str
    n_rows: int
    first: bytes


@dataclass(frozen=True)
class Page:
    """One answer of a walk.

    Attributes
    ----------
    body : bytes
        The answer as it came.
    cursor : str
        What fetches the next page; empty on the last one.
    n_rows : int
        Rows in it.
    number : int
        1 for the first page of this walk.
    """

    body: bytes = field(repr=False)
    cursor: str
    n_rows: int
    number: int

    def json(self) -> dict[str, Any]:
        """The body, strictly parsed."""
        return parse_object(self.body)


class Pages(Iterator[Page]):
    """An iterator over the pages of one question.

    After an error that may pass, ``next`` asks for the same page again; `cursor` names it.

    Attributes
    ----------
    rows, pages : int
        What has arrived.
    cursor : str
        What fetches the next page.
    complete : bool
        Whether the last page has arrived.
    capped : bool
        Whether the walk stopped at `max_rows` with more to come.
    """

    def __init__(
        self,
        fetch: Callable[[Mapping[str, Any]], bytes],
        items_key: str,
        *,
        params: Mapping[str, Any] | None = None,
        cursor: str = "",
        limit: int | None = 1000,
        max_rows: int | None = None,
        outline: Callable[[bytes], Outline] | None = None,
    ) -> None:
        _check_count("limit", limit, 10_000)
        _check_count("max_rows", max_rows, None)
        if not isinstance(cursor, str):
            raise InputError(f"cursor must be text, not {type(cursor).__name__}; nothing was sent.")
        given = dict(params or {})
        for taken in ("cursor", "limit"):
            if taken in given:
                raise InputError(f"pass {taken}= itself, not inside params; nothing was sent.")
        self.rows = 0
        self.pages = 0
        self.cursor = cursor
        self.complete = False
        self.capped = False
        self._fetch = fetch
        self._key = items_key
        self._params = given
        self._limit = limit
        self._max_rows = max_rows
        self._outline = outline or (lambda body: _outline(body, items_key))
        self._empty = 0
        self._used = {cursor}
        self._first_rows: set[bytes] = set()
        self._dead_end = ""

    def __iter__(self) -> Pages:
        return self

    def __repr__(self) -> str:
        state = "complete" if self.complete else "capped" if self.capped else "not complete"
        return f"<Pages of {self._key}: {self.rows:,} rows in {self.pages:,} pages, {state}>"

    def __next__(self) -> Page:
        if self.complete or self.capped:
            raise StopIteration
        if self._dead_end:
            raise self._stopped(self._dead_end, cursor="")
        failure: KalshiError
        try:
            body = self._fetch({**self._params, "limit": self._size(), "cursor": self.cursor or None})
            outline = self._outline(body)
        except KalshiError as error:
            failure = error
        else:
            return self._accept(body, *outline)
        if self.pages == 0:
            raise failure
        raise self._stopped(f"page {self.pages + 1:,} failed", cursor=self.cursor, cause=failure)

    def _accept(self, body: bytes, cursor: str, n_rows: int, first: bytes) -> Page:
        if first and first in self._first_rows:
            self._dead_end = f"page {self.pages + 1:,} starts with the row of an earlier page"
            raise self._stopped(self._dead_end, cursor="")
        self._empty = 0 if n_rows else self._empty + 1
        if self._empty > MAX_EMPTY_PAGES:
            raise self._stopped(f"{MAX_EMPTY_PAGES} empty pages came in a row", cursor=self.cursor)
        if first:
            self._first_rows.add(first)
        if cursor and cursor in self._used:
            self._dead_end = f"page {self.pages + 1:,} points back to an earlier page"
        self._used.add(cursor)
        self.rows += n_rows
        self.pages += 1
        self.cursor = cursor
        self.complete = not cursor
        self.capped = bool(cursor) and self._max_rows is not None and self.rows >= self._max_rows
        return Page(body, cursor, n_rows, self.pages)

    def _size(self) -> int | None:
        if self._limit is None or self._max_rows is None:
            return self._limit
        return min(self._limit, self._max_rows - self.rows)

    def _stopped(self, what: str, *, cursor: str, cause: KalshiError | None = None) -> PaginationError:
        kept = f"{self.rows:,} rows of {self.pages:,} pages are kept"
        reason = f": {str(cause).splitlines()[0]}" if cause is not None else ""
        next_step = (
            f'go on with cursor="{printable(cursor, 120)}"'
            if cursor
            else "the walk cannot be resumed; start again"
        )
        return PaginationError(
            f"the walk over {self._key} stopped: {what}{reason}\n{kept}; {next_step}.",
            cursor=cursor,
            rows=self.rows,
            pages=self.pages,
            cause=cause,
        )


def _check_count(name: str, value: int | None, most: int | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most and value > most):
        bounds = f"between 1 and {most:,}" if most else "of 1 or more"
        raise InputError(
            f"{name}={quoted(value, 40)} must be a whole number {bounds}; nothing was sent."
        )


@lru_cache(maxsize=64)
def _outline_decoder(key: str) -> msgspec.json.Decoder[Any]:
    """Reads the cursor and finds the rows without building them."""
    import msgspec

    text = str | None
    rows = list[msgspec.Raw] | None
    outline = msgspec.defstruct(
        "Outline",
        [("rows", rows), ("cursor", text, None), ("next_cursor", text, None)],
        rename={"rows": key},
    )
    return msgspec.json.Decoder(outline)


def _outline(body: bytes, key: str) -> Outline:
    """Cursor, number of rows and the identity of the first one."""
    import msgspec

    try:
        outline = _outline_decoder(key).decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        problem = (
            printable(error) if isinstance(error, msgspec.DecodeError) else "it is nested too deeply"
        )
    else:
        rows = outline.rows or []
        first = _identity(bytes(rows[0]), key) if rows else b""
        return Outline(outline.cursor or outline.next_cursor or "", len(rows), first)
    raise DecodeError(
        f"the page of {key} is not what the protocol promises: {problem}; nothing of it was used."
    )


def _identity(row: bytes, key: str) -> bytes:
    """What the first row of a page is recognised by on a later one."""
    import msgspec

    name = _IDENTITY.get(key)
    if name is not None:
        try:
            found = msgspec.json.decode(row, type=dict[str, msgspec.Raw]).get(name)
        except (msgspec.DecodeError, RecursionError):
            found = None
        if found is not None:
            return bytes(found)
    return hashlib.sha256(row).digest()
