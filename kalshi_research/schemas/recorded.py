"""Recorded answers, in the shapes people keep them in, to pages for a decoder.

Besides whole answers there are lists of answers, bare lists of rows, and objects that
map a ticker to its rows or its book. The text of a row is never parsed and written anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kalshi_research.errors import DecodeError, printable, quoted

if TYPE_CHECKING:
    from kalshi_research.schemas.schema import Schema

__all__ = ["book_answers", "has_more", "pages"]

_BOOK_KEYS = ("orderbook_fp", "orderbook", "orderbooks")


def _parts(body: bytes) -> list[msgspec.Raw] | dict[str, msgspec.Raw]:
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[msgspec.Raw])
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"this is no JSON object or list: {printable(error, 120)}") from None


def _is_object(raw: msgspec.Raw) -> bool:
    return bytes(raw).lstrip()[:1] == b"{"


def _are_lists(parts: dict[str, msgspec.Raw]) -> bool:
    """Whether all values are lists or objects, and not all of them empty."""
    texts = [bytes(value).strip() for value in parts.values()]
    return all(text[:1] in (b"[", b"{") for text in texts) and any(text[1:-1].strip() for text in texts)


def pages(body: bytes, schema: Schema) -> Iterator[bytes]:
    """The pages in recorded JSON text.

    Examples
    --------
    >>> from kalshi_research.schemas import TRADES
    >>> list(pages(b'[{"trade_id": "a"}]', TRADES))
    [b'{"trades":[{"trade_id": "a"}]}']
    """
    parts = _parts(body)
    if isinstance(parts, dict):
        if not parts.keys().isdisjoint(schema.page.keys):
            yield body
        elif _is_row(parts, schema):
            yield _page([msgspec.Raw(body)], schema)
        elif _are_lists(parts):
            for value in parts.values():
                yield from pages(bytes(value), schema)
        else:
            yield body  # the decoder says what is wrong with it
        return
    if not all(map(_is_object, parts)):
        raise DecodeError(f"a list of {schema.kind} must hold objects only")
    if not parts or _is_row(_parts(bytes(parts[0])), schema):
        yield _page(parts, schema)
        return
    for part in parts:
        yield from pages(bytes(part), schema)


def _is_row(parts: object, schema: Schema) -> bool:
    """Whether an object is a row: it has one of the fields that a row must have, and no page key."""
    if not isinstance(parts, dict) or not parts.keys().isdisjoint(schema.page.keys):
        return False
    needed = [
        name for column in schema.columns if column.required for name in (*column.wire, *column.old)
    ]
    return not parts.keys().isdisjoint(needed)


def _page(rows: list[msgspec.Raw], schema: Schema) -> bytes:
    return b'{"%s":[%s]}' % (schema.items.encode(), b",".join(map(bytes, rows)))


def has_more(body: bytes) -> bool:
    """Whether an answer carries a cursor that leads on."""
    parts = _parts(body)
    cursor = bytes(parts["cursor"]) if isinstance(parts, dict) and "cursor" in parts else b""
    return cursor not in (b"", b'""', b"null")


def book_answers(body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """The order books in recorded JSON text: the market where it stands beside it, and the answer.

    Examples
    --------
    >>> list(book_answers(b'{"A": {"orderbook_fp": {}}}'))
    [('A', b'{"orderbook_fp": {}}')]
    """
    parts = _parts(body)
    if isinstance(parts, list):
        for part in parts:
            yield from book_answers(bytes(part))
    elif not parts.keys().isdisjoint(_BOOK_KEYS):
        yield _name(parts), body
    elif _name(parts) is not None and "response" in parts:
        yield _name(parts), bytes(parts["response"])
    elif parts and all(map(_is_object, parts.values())):
        for ticker, part in parts.items():
            inner = _parts(bytes(part))
            if inner and isinstance(inner, dict) and inner.keys().isdisjoint(_BOOK_KEYS):
                raise DecodeError(f"what stands under {quoted(ticker, 60)} is not an order book")
            yield ticker, bytes(part)
    else:
        raise DecodeError("this has no `orderbook_fp`: it is not an order book")


def _name(parts: dict[str, msgspec.Raw]) -> str | None:
    name = msgspec.json.decode(parts["ticker"]) if "ticker" in parts else None
    return name if isinstance(name, str) else None
