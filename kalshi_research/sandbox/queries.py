"""Query parameters, checked the way the exchange checks them: refused, never clamped."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kalshi_research.sandbox.refusals import bad_format, bad_value, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Page", "Query", "cursor_key", "cursor_text", "cut_page", "first_below"]

Row = TypeVar("Row")
Rank = TypeVar("Rank", int, tuple[int, str])
Key = tuple[int, str]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_FLAGS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


@dataclass(frozen=True, slots=True)
class Query:
    """The query of one call of an operation."""

    operation: str
    items: Sequence[tuple[str, str]]

    def _last(self, name: str) -> str | None:
        return next((value for key, value in reversed(self.items) if key == name), None)

    def integer(
        self, name: str, *, low: int | None = None, high: int | None = None, required: bool = False
    ) -> int | None:
        """An integer in [low, high]; None where it is absent."""
        text = self._last(name)
        if text is None or (text == "" and not required):
            if required:
                raise missing(name)
            return None
        if not _INTEGER.fullmatch(text):
            raise bad_format(name)
        value = int(text)
        if low is not None and value < low:
            raise bad_value(self.operation, name, "gte")
        if high is not None and value > high:
            raise bad_value(self.operation, name, "lte")
        return value

    def needed(self, name: str) -> int:
        """An integer that has to be there."""
        value = self.integer(name, required=True)
        if value is None:
            raise missing(name)
        return value

    def limit(self, default: int, low: int, high: int) -> int:
        """The page size; 0 (where it is allowed) means the default."""
        value = self.integer("limit", low=low, high=high)
        return default if value is None or value == 0 else value

    def text(self, name: str) -> str:
        """A text, empty where it is absent."""
        return self._last(name) or ""

    def flag(self, name: str) -> bool | None:
        """A boolean; None where it is absent."""
        text = self._last(name)
        if text is None or text == "":
            return None
        if text.lower() not in _FLAGS:
            raise bad_format(name)
        return _FLAGS[text.lower()]

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of a few words, empty where it is absent."""
        text = self.text(name)
        if text and text not in allowed:
            raise bad_value(self.operation, name, "oneof")
        return text

    def names(self, name: str) -> list[str]:
        """A comma-separated list, each name once."""
        return list(dict.fromkeys(part for part in self.text(name).split(",") if part))

    def repeated(self, name: str) -> list[str]:
        """A parameter that is given several times."""
        return [value for key, value in self.items if key == name and value]


def cursor_text(key: Key) -> str:
    """The opaque text of a place in a list.

    Examples
    --------
    >>> cursor_key(cursor_text((5, "KXHIGHNY-26NOV21-T42")))
    (5, 'KXHIGHNY-26NOV21-T42')
    """
    return base64.urlsafe_b64encode(f"{key[0]:x}.{key[1]}".encode()).rstrip(b"=").decode()


def cursor_key(text: str) -> Key | None:
    """The place a cursor stands for, or None for anything that is no cursor of ours."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        number, dot, name = raw.partition(".")
        return (int(number, 16), name) if dot and name else None
    except (binascii.Error, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer and the cursor of the next, empty at the end."""

    rows: Sequence[Any]
    cursor: str


def cut_page(rows: Sequence[Row], key: Callable[[Row], Key], cursor: str, limit: int) -> Page:
    """The page after `cursor` of rows that are sorted by `key`, largest first.

    A cursor that is not one starts again at the first page, as the exchange does.
    """
    after = cursor_key(cursor) if cursor else None
    start = 0 if after is None else first_below(rows, key, after)
    page = rows[start : start + limit]
    more = start + limit < len(rows)
    return Page(page, cursor_text(key(page[-1])) if more and page else "")


def first_below(rows: Sequence[Row], key: Callable[[Row], Rank], bound: Rank) -> int:
    """The place of the first row whose key is below `bound`; rows are sorted by it, largest first.

    Examples
    --------
    >>> first_below([9, 7, 7, 4], lambda row: row, 7)
    3
    """
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if key(rows[middle]) < bound:
            high = middle
        else:
            low = middle + 1
    return low
