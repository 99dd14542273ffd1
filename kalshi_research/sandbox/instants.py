"""Instants as integers: microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "day_start",
    "from_datetime",
    "iso",
    "iso_many",
    "to_datetime",
]

SECOND = 1_000_000
"""Microseconds a second."""

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_datetime(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime.

    Examples
    --------
    >>> from_datetime(datetime(2026, 11, 20, 15, tzinfo=UTC))
    1795186800000000
    """
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: int) -> datetime:
    """The aware UTC datetime of an instant.

    Examples
    --------
    >>> to_datetime(1795186800000000).isoformat()
    '2026-11-20T15:00:00+00:00'
    """
    return _EPOCH + timedelta(microseconds=instant)


def day_start(day: date) -> int:
    """Midnight UTC of a calendar day.

    Examples
    --------
    >>> day_start(date(1970, 1, 2)) == DAY
    True
    """
    return (day - _EPOCH.date()).days * DAY


@lru_cache(maxsize=1 << 15)
def iso(instant: int) -> str:
    """RFC 3339 as Kalshi writes it: UTC, no trailing zeros in the fraction.

    Examples
    --------
    >>> iso(1795186800000000), iso(1795186800120000)
    ('2026-11-20T15:00:00Z', '2026-11-20T15:00:00.12Z')
    """
    whole, fraction = divmod(instant, SECOND)
    text = to_datetime(whole * SECOND).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def iso_many(instants: list[int]) -> list[str]:
    """`iso` of many instants, quick when neighbours share their second.

    Examples
    --------
    >>> iso_many([0, 1])
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000001Z']
    """
    known: dict[int, str] = {}
    found = []
    for instant in instants:
        whole, fraction = divmod(instant, SECOND)
        text = known.get(whole)
        if text is None:
            text = known[whole] = iso(whole * SECOND)[:-1]
        found.append(f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else f"{text}Z")
    return found
