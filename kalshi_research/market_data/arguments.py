"""Arguments as users write them, checked and turned into what the exchange expects.

Everything here raises `InputError` before a byte is sent, and says what would be right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from math import ceil, floor
from numbers import Integral, Real
from typing import TypeAlias

import pandas as pd

from kalshi_research.errors import FrameError, InputError, printable, quoted

__all__ = [
    "EVENT_STATUSES",
    "MARKET_STATUSES",
    "TICKERS_A_REQUEST",
    "Interval",
    "Tickers",
    "Time",
    "check_client",
    "check_ticker",
    "choice",
    "chunks",
    "interval_minutes",
    "resume_cursor",
    "row_cap",
    "ticker_list",
    "time_window",
    "timestamp",
    "unix_ceil",
    "unix_floor",
    "whole_number",
]

Tickers: TypeAlias = "str | Iterable[str] | pd.DataFrame | pd.Series | pd.Index"
"""One ticker, several, or a frame that has them as its index or as a column."""

Time: TypeAlias = "str | date | datetime | pd.Timestamp"
"""Anything pandas can read as an instant; it must say its time zone, or be a plain date (UTC)."""

Interval: TypeAlias = "int | str"
"""Length of a candlestick: ``"1min"``, ``"1h"``, ``"1d"``, or 1, 60, 1440 minutes."""

MARKET_STATUSES = ("unopened", "open", "paused", "closed", "settled")
"""Values of the status filter of markets (the status *in* an answer has other words)."""

EVENT_STATUSES = ("unopened", "open", "closed", "settled")
"""Values of the status filter of events."""

TICKERS_A_REQUEST = 100
"""The most tickers that a list route takes at once."""

_MOST_ROWS = 10**12
_TICKER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", re.ASCII)
_DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INTERVALS = {"1min": 1, "1m": 1, "1h": 60, "60min": 60, "1d": 1440, "1440min": 1440}


def check_client(value: object) -> None:
    """Refuse what is no client, such as the name of an environment."""
    if not callable(getattr(value, "get_bytes", None)):
        raise InputError(
            f"the first argument must be a client, not {quoted(value, 40)}\n"
            'Make one with client = kr.connect("sandbox"), or "demo", or "prod".'
        )


def check_ticker(value: object, what: str = "ticker") -> str:
    """One ticker, checked: letters, digits, ``.``, ``-`` and ``_``.

    Examples
    --------
    >>> check_ticker("KXHIGHNY-24JAN01-T60.5")
    'KXHIGHNY-24JAN01-T60.5'
    """
    if not isinstance(value, str):
        raise InputError(f"{what} must be text, not {type(value).__name__}")
    if not _TICKER.fullmatch(value) or ".." in value:
        raise InputError(
            f"{quoted(value, 80)} is no {what}: letters, digits, '.', '-' and '_' are allowed"
        )
    return value


def ticker_list(value: Tickers, what: str = "ticker", columns: Sequence[str] = ("ticker",)) -> list[str]:
    """Tickers out of whatever a user has at hand, in order, each once.

    Parameters
    ----------
    value : str, iterable of str, Index, Series or DataFrame
        A frame is read from its index if that is named like one of `columns`, else from
        the column of that name.
    what : str
        Word for messages.
    columns : sequence of str
        Names under which a frame may hold them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> ticker_list(["B", "A", "B"])
    ['B', 'A']
    """
    if isinstance(value, str):
        return [check_ticker(value, what)]
    if isinstance(value, pd.DataFrame):
        value = _out_of_frame(value, what, columns)
    elif isinstance(value, Mapping | bytes) or not _has_items(value):
        raise InputError(f"{what}s must be text, a list of text or a frame, not {type(value).__name__}")
    found = list(dict.fromkeys(check_ticker(item, what) for item in value))
    if not found:
        raise InputError(f"no {what} given: the list is empty")
    return found


def _has_items(value: object) -> bool:
    """Whether it can be gone through; an array of no dimension only looks like it."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _out_of_frame(frame: pd.DataFrame, what: str, columns: Sequence[str]) -> Iterable[str]:
    for name in columns:
        if frame.index.name == name:
            return frame.index
        if name in frame.columns:
            return frame[name]
    raise FrameError(
        f"this frame has no {what}s: neither its index nor a column is named {' or '.join(columns)}\n"
        f"get_markets and get_events make frames that have"
    )


def chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a list into pieces of at most `size`.

    Examples
    --------
    >>> chunks(["A", "B", "C"], 2)
    [['A', 'B'], ['C']]
    """
    return [items[i : i + size] for i in range(0, len(items), size)]


def choice(value: str | None, choices: Sequence[str], what: str) -> str | None:
    """`value` if it is one of `choices` or None; else an error that lists them."""
    word = value if isinstance(value, str) else ""  # arrays compare in their own way
    if value is None or word in choices:
        return value
    near = difflib.get_close_matches(word[:100], choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if word in ("active", "finalized") and "open" in choices:
        meant = {"active": "open", "finalized": "settled"}[word]
        hint = f": {word!r} is a word of the answers; the filter says {meant!r}"
    raise InputError(f"{what} must be one of {list(choices)}, not {quoted(value, 40)}{hint}")


def timestamp(value: object, what: str) -> pd.Timestamp:
    """An instant in UTC.

    A plain date means midnight UTC. A naive time of day is refused, because
    "14:00" is a different instant in New York and in London.

    Examples
    --------
    >>> timestamp("2026-11-20", "start")
    Timestamp('2026-11-20 00:00:00+0000', tz='UTC')
    >>> timestamp("2026-11-20 09:30-05:00", "start")
    Timestamp('2026-11-20 14:30:00+0000', tz='UTC')
    """
    if isinstance(value, Real):
        raise InputError(
            f"{what}={printable(value, 40)}: a bare number is ambiguous; "
            f"pass pd.Timestamp({printable(value, 40)}, unit='s', tz='UTC')"
        )
    plain_date = (isinstance(value, str) and _DATE_ONLY.fullmatch(value.strip()) is not None) or (
        isinstance(value, date) and not isinstance(value, datetime)
    )
    try:
        instant = pd.Timestamp(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{what}={quoted(value, 60)} cannot be read as a time") from None
    if pd.isna(instant):
        raise InputError(f"{what} is not a time: {quoted(value, 60)}")
    if instant.tzinfo is None:
        if not plain_date:
            raise InputError(
                f"{what}={printable(str(value), 60)!r} has no time zone; "
                "write it with an offset ('…Z', '…-05:00') or as pd.Timestamp(…, tz='America/New_York')"
            )
        instant = instant.tz_localize("UTC")
    return instant.tz_convert("UTC").as_unit("us")


def time_window(
    start: Time | None, end: Time | None, names: tuple[str, str] = ("start", "end")
) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Both ends of a window in UTC; `start` must lie before `end`."""
    low = None if start is None else timestamp(start, names[0])
    high = None if end is None else timestamp(end, names[1])
    if low is not None and high is not None and low >= high:
        raise InputError(f"{names[0]} ({low}) must lie before {names[1]} ({high})")
    return low, high


def unix_floor(instant: pd.Timestamp | None) -> int | None:
    """Unix seconds at or before the instant."""
    return None if instant is None else floor(instant.timestamp())


def unix_ceil(instant: pd.Timestamp | None) -> int | None:
    """Unix seconds at or after the instant."""
    return None if instant is None else ceil(instant.timestamp())


def whole_number(value: object) -> int | None:
    """The whole number, of numpy too, or None where it is none (True is none either).

    Examples
    --------
    >>> whole_number(60), whole_number(60.0), whole_number(True)
    (60, None, None)
    """
    return None if isinstance(value, bool) or not isinstance(value, Integral) else int(value)


def interval_minutes(value: Interval) -> int:
    """Length of a candlestick [minutes]: 1, 60 or 1440, the three the exchange keeps.

    Examples
    --------
    >>> interval_minutes("1h"), interval_minutes(1440)
    (60, 1440)
    """
    minutes = _INTERVALS.get(value.lower()) if isinstance(value, str) else whole_number(value)
    if minutes not in (1, 60, 1440):
        raise InputError(
            f"interval must be '1min', '1h' or '1d' (or 1, 60, 1440 minutes), not {quoted(value, 40)}"
        )
    return minutes


def row_cap(value: int | None) -> int | None:
    """A cap on rows: a positive whole number, or None."""
    if value is None:
        return None
    cap = whole_number(value)
    if cap is None or not 1 <= cap <= _MOST_ROWS:
        said = quoted(value, 40)
        raise InputError(f"max_rows must be a whole number of at least 1, or None, not {said}")
    return cap


def resume_cursor(value: object) -> str:
    """The cursor of a `PaginationError`, or empty text to begin at the beginning."""
    if not isinstance(value, str):
        raise InputError(
            f"cursor must be the text in .cursor of a PaginationError, not {type(value).__name__}"
        )
    return value
