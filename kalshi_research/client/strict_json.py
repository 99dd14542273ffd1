"""JSON read the way a bank would: one meaning or none.

Python's own reader takes NaN and Infinity, lets the last of two equal keys win, turns
``1e999`` into infinity, and stops with errors of several kinds. This one answers with
plain data or with `DecodeError`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import accumulate
from typing import Any

from kalshi_research.errors import DecodeError, printable

__all__ = ["MAINTENANCE", "MAX_DEPTH", "BrokenBodyError", "check_object", "parse_object"]

MAX_DEPTH = 64
_MAX_DIGITS = 40
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
MAINTENANCE = "The exchange may be in maintenance (Thursdays 03:00–05:00 US Eastern)"


class BrokenBodyError(DecodeError):
    """The answer broke off or did not have the length it promised; a read may be repeated."""


class _Bad:
    """Stands where a value was refused, until its place has been found."""

    def __init__(self, reason: str) -> None:
        self.reason = f"the answer holds {reason}; nothing was used"


class _Rules:
    """What Python's reader asks at every number, word and object."""

    def __init__(self) -> None:
        self.bad: list[_Bad] = []

    def constant(self, word: str) -> Any:
        return self._refuse(word)

    def real(self, digits: str) -> Any:
        value = float(digits)
        return value if math.isfinite(value) else self._refuse("a number out of range")

    def whole(self, digits: str) -> Any:
        if len(digits) > _MAX_DIGITS:
            return self._refuse(f"a number of {len(digits):,} digits")
        return int(digits)

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            names = Counter(name for name, _ in items)
            found[names.most_common(1)[0][0]] = self._refuse("a key twice")
        return found

    def _refuse(self, reason: str) -> _Bad:
        self.bad.append(_Bad(reason))
        return self.bad[-1]


def check_object(body: bytes, content_type: str = "") -> None:
    """Refuse what cannot be a complete JSON object, at the cost of looking at both ends.

    Examples
    --------
    >>> check_object(b'{"markets": []}')
    >>> check_object(b"<html>", "text/html")
    Traceback (most recent call last):
    ...
    kalshi_research.errors.DecodeError: the answer is an HTML page instead of JSON; nothing was used.
    The exchange may be in maintenance (Thursdays 03:00–05:00 US Eastern); try again later.
    """
    head, tail = body[:64].lstrip(), body[-64:].rstrip()
    if head.startswith(b"{") and tail.endswith(b"}"):
        return
    if head.startswith(b"<") or (content_type.startswith("text/html") and not head.startswith(b"{")):
        raise DecodeError(
            "the answer is an HTML page instead of JSON; nothing was used.\n"
            f"{MAINTENANCE}; try again later."
        )
    if not head:
        raise BrokenBodyError("the answer is empty where a JSON object was promised; nothing was used.")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise DecodeError(
            "the answer starts with a byte-order mark, which JSON forbids; nothing was used."
        )
    if head.startswith(b"{"):
        raise BrokenBodyError(
            f"the answer ends in mid-object after {len(body):,} bytes; nothing was used. Try again."
        )
    start = printable(head[:20].decode("utf-8", "replace"), 20)
    raise DecodeError(f"the answer is not a JSON object (it starts with {start}); nothing was used.")


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Parameters
    ----------
    body : bytes
        UTF-8 text.

    Returns
    -------
    dict

    Raises
    ------
    DecodeError
        For anything else, naming the place where it is known.

    Examples
    --------
    >>> parse_object(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse_object(b'{"a": [1, NaN]}')
    Traceback (most recent call last):
    ...
    kalshi_research.errors.DecodeError: the answer holds NaN; nothing was used (at $.a[1])
    """
    check_object(body)
    _check_depth(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"the answer is not UTF-8 at byte {error.start:,}; nothing was used."
    else:
        return _parse(text, escapes=_SURROGATE.search(body) is not None)
    raise DecodeError(problem)


def _check_depth(body: bytes) -> None:
    brackets = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    deepest = max(accumulate(map(_STEP.__getitem__, brackets)), default=0)
    if deepest > MAX_DEPTH:
        raise DecodeError(f"the answer is nested {deepest:,} levels deep; nothing was used.")


def _parse(text: str, *, escapes: bool) -> dict[str, Any]:
    rules = _Rules()
    try:
        value = json.loads(
            text,
            parse_constant=rules.constant,
            parse_float=rules.real,
            parse_int=rules.whole,
            object_pairs_hook=rules.pairs,
        )
    except json.JSONDecodeError as error:
        problem = f"the answer is not JSON: {error.msg} at character {error.pos:,}; nothing was used."
    else:
        if rules.bad:
            raise DecodeError(rules.bad[0].reason, where=_place(value, rules.bad[0]) or "")
        if not isinstance(value, dict):
            raise DecodeError("the answer is not a JSON object; nothing was used.")
        if escapes:
            _check_text(value)
        return value
    raise DecodeError(problem)


def _place(value: Any, wanted: _Bad, here: str = "$") -> str | None:
    if value is wanted:
        return here
    if isinstance(value, dict):
        children = [(f"{here}.{printable(name, 40)}", child) for name, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{here}[{index}]", child) for index, child in enumerate(value)]
    else:
        return None
    return next((found for name, child in children if (found := _place(child, wanted, name))), None)


def _check_text(value: dict[str, Any]) -> None:
    # Half a surrogate pair passes every check up to the day the frame is written to disk.
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        pass
    else:
        return
    raise DecodeError("the answer holds half a character (a lone surrogate); nothing was used.")
