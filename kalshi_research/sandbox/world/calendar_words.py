"""Days in the words of tickers and titles, the same under every locale."""

from __future__ import annotations

from datetime import date

__all__ = ["day_code", "month_code", "spoken_day", "spoken_month"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_code(day: date) -> str:
    """Year and month in a ticker.

    Examples
    --------
    >>> month_code(date(2026, 12, 9))
    '26DEC'
    """
    return f"{day.year % 100:02d}{_MONTHS[day.month - 1].upper()}"


def day_code(day: date) -> str:
    """A day in a ticker.

    Examples
    --------
    >>> day_code(date(2026, 11, 5))
    '26NOV05'
    """
    return f"{month_code(day)}{day.day:02d}"


def spoken_month(day: date) -> str:
    """A month in a title.

    Examples
    --------
    >>> spoken_month(date(2026, 12, 9))
    'Dec 2026'
    """
    return f"{_MONTHS[day.month - 1]} {day.year}"


def spoken_day(day: date, *, year: bool = True) -> str:
    """A day in a title.

    Examples
    --------
    >>> spoken_day(date(2026, 11, 5)), spoken_day(date(2026, 11, 5), year=False)
    ('Nov 5, 2026', 'Nov 5')
    """
    text = f"{_MONTHS[day.month - 1]} {day.day}"
    return f"{text}, {day.year}" if year else text
