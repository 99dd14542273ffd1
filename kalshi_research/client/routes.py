"""Paths and queries as they go on the wire.

Every path segment must pass an allow-list, so the path that is signed is, byte for byte,
the path that is sent: nothing in it can be decoded, normalised or split on the way.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from kalshi_research.environments import REST_PATH
from kalshi_research.errors import InputError, printable, quoted

__all__ = ["METHODS", "clean_body", "clean_method", "clean_path", "clean_query"]

METHODS = ("GET", "POST", "PUT", "DELETE")
_SEGMENT = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,200}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")


def clean_method(method: str) -> str:
    """The method in capitals.

    Examples
    --------
    >>> clean_method("get")
    'GET'
    """
    upper = method.upper() if isinstance(method, str) else ""
    if upper not in METHODS:
        raise InputError(f"method {quoted(method, 40)} is not one of {', '.join(METHODS)}.")
    return upper


def clean_path(path: str) -> str:
    """The route without the ``/trade-api/v2`` in front, refused unless it is plain.

    Examples
    --------
    >>> clean_path("/trade-api/v2/markets/KXHIGHNY-26NOV21-B50.5")
    '/markets/KXHIGHNY-26NOV21-B50.5'
    >>> clean_path("markets")
    '/markets'
    """
    if not isinstance(path, str):
        raise InputError(f"path must be text, not {type(path).__name__}; nothing was sent.")
    route = path.removeprefix("/")
    prefix = REST_PATH.removeprefix("/")
    if route == prefix or route.startswith(f"{prefix}/"):
        route = route[len(prefix) :].removeprefix("/")
    for segment in route.split("/"):
        if not _SEGMENT.match(segment):
            what = f'"{printable(segment, 60)}"' if segment else "an empty part"
            raise InputError(
                f"the path {printable(path, 80)} contains {what}; nothing was sent.\n"
                "Tickers and ids hold letters, digits and . _ ~ - only; "
                "anything after a ? belongs into params=."
            )
    return f"/{route}"


def clean_query(params: Mapping[str, Any] | None) -> str:
    """The query text: None is left out, a sequence repeats its parameter.

    Examples
    --------
    >>> clean_query({"tickers": ["A", "B"], "limit": 10, "cursor": None, "with_nested_markets": True})
    'tickers=A&tickers=B&limit=10&with_nested_markets=true'
    """
    if params is None:
        return ""
    if not isinstance(params, Mapping):
        raise InputError(f"params must be a mapping, not {type(params).__name__}; nothing was sent.")
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if not isinstance(name, str) or not _NAME.match(name):
            raise InputError(f"{quoted(name, 60)} is no parameter name; nothing was sent.")
        if value is None:
            continue
        several = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        pairs.extend((name, _text(name, item)) for item in (value if several else (value,)))
    return urlencode(pairs, quote_via=quote, safe="~")


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() < 1_000:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        if any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in value):
            raise InputError(
                f"{name}={quoted(value, 80)} contains control characters; nothing was sent."
            )
        if any(0xD800 <= ord(character) < 0xE000 for character in value):
            raise InputError(f"{name}={printable(value, 80)} is no valid text; nothing was sent.")
        return value
    raise InputError(
        f"{name}={quoted(value, 80)} is of type {type(value).__name__}; nothing was sent.\n"
        "A parameter is text, a number, true/false, or a list of those."
    )


def clean_body(method: str, body: Mapping[str, Any] | None) -> bytes | None:
    """The body as JSON bytes.

    Examples
    --------
    >>> clean_body("POST", {"count": "1.00"})
    b'{"count":"1.00"}'
    """
    if body is None:
        return None
    if method == "GET":
        raise InputError("a GET has no body; nothing was sent. Use params= for filters.")
    if not isinstance(body, Mapping):
        raise InputError(f"body must be a mapping, not {type(body).__name__}; nothing was sent.")
    try:
        text = json.dumps(dict(body), allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        problem = printable(error)
    else:
        return text.encode("ascii")
    raise InputError(f"body cannot be written as JSON ({problem}); nothing was sent.")
