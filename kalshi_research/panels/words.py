"""Numbers and times as a person reads them. Missing is a dash, never a nought."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from kalshi_research.money import PRICE_SCALE, fixed_text, to_price

__all__ = ["NOTHING", "capital", "contracts", "dollars", "moment", "money", "text"]

NOTHING = "–"


def text(value: Any) -> str:
    """Text of the exchange, or a dash.

    Examples
    --------
    >>> text(float("nan")), text("Yes")
    ('–', 'Yes')
    """
    return value if isinstance(value, str) and value else NOTHING


def capital(words: str) -> str:
    """Words as they begin a sentence.

    Examples
    --------
    >>> capital("no price is given")
    'No price is given'
    """
    return f"{words[:1].upper()}{words[1:]}"


def dollars(price: Any) -> str:
    """A price with the cents and, where it has them, the fractions of a cent.

    Examples
    --------
    >>> dollars(0.4), dollars(0.4275), dollars(float("nan"))
    ('0.40', '0.4275', '–')
    """
    if pd.isna(price):
        return NOTHING
    return fixed_text(to_price(price), PRICE_SCALE).removesuffix("00")


def money(amount: Any) -> str:
    """Dollars and cents with a sign.

    Examples
    --------
    >>> money(1234.5), money(-0.07), money(None)
    ('$1,234.50', '-$0.07', '–')
    """
    if amount is None or pd.isna(amount):
        return NOTHING
    value = float(amount)
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def contracts(quantity: Any) -> str:
    """Contracts, with decimals only where there are any.

    Examples
    --------
    >>> contracts(1500.0), contracts(0.25), contracts(float("nan"))
    ('1,500', '0.25', '–')
    """
    if quantity is None or pd.isna(quantity):
        return NOTHING
    value = float(quantity)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def moment(time: Any, now: datetime) -> str:
    """A time in UTC: without the date if it is today's, without the year if it is this one's.

    Examples
    --------
    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    >>> moment(pd.Timestamp("2026-11-20 23:30Z"), now), moment(pd.Timestamp("2026-11-22 04:59Z"), now)
    ('23:30 UTC', '22 Nov 04:59 UTC')
    """
    if time is None or pd.isna(time):
        return NOTHING
    stamp = pd.Timestamp(time).tz_convert("UTC")
    if stamp.date() == now.date():
        return f"{stamp:%H:%M} UTC"
    day = f"{stamp.day} {stamp:%b}" if stamp.year == now.year else f"{stamp.day} {stamp:%b %Y}"
    return f"{day} {stamp:%H:%M} UTC"
