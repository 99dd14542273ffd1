"""Numbers and times as a person reads them. Missing is a dash, never a nought."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from kalshi_research.money import MONEY_SCALE, fixed_text

__all__ = ["NOTHING", "capital", "contracts", "decimal", "dollars", "moment", "money", "text"]

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


def decimal(value: int, scale: int) -> str:
    """A number of dollars, with cents and then as many digits as it needs: how all prices are spelled.

    Parameters
    ----------
    value : int
        In units of ``1/scale`` dollar.
    scale : int
        A power of ten.

    Examples
    --------
    >>> decimal(4000, 10_000), decimal(4270, 10_000), decimal(42755, 100_000)
    ('0.40', '0.427', '0.42755')
    """
    text = fixed_text(value, scale)
    cents = text.index(".") + 3
    return text[:cents] + text[cents:].rstrip("0")


def dollars(price: Any) -> str:
    """A price, spelled like all others, to a millionth of a dollar.

    Examples
    --------
    >>> dollars(0.4), dollars(0.427), dollars(0.4275), dollars(float("nan"))
    ('0.40', '0.427', '0.4275', '–')
    """
    if price is None or pd.isna(price):
        return NOTHING
    return decimal(round(Decimal(str(price)) * MONEY_SCALE), MONEY_SCALE)


def money(amount: Any) -> str:
    """Dollars and cents with a sign.

    Examples
    --------
    >>> money(1234.5), money(-0.07), money(-0.004), money(None)
    ('$1,234.50', '-$0.07', '$0.00', '–')
    """
    if amount is None or pd.isna(amount):
        return NOTHING
    cents = round(float(amount), 2)  # nothing is not less than nothing
    return f"{'-' if cents < 0 else ''}${abs(cents):,.2f}"


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
