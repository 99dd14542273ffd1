"""Numbers and times as the stream writes them, quickly."""

from __future__ import annotations

from kalshi_research.money import PRICE_SCALE, fixed_text
from kalshi_research.sandbox.instants import iso

__all__ = ["PRICES", "count_text", "iso_ms", "money_text"]

PRICES = [fixed_text(price, PRICE_SCALE) for price in range(PRICE_SCALE + 1)]
"""All prices, four decimals."""

_last: tuple[int, str] = (0, iso(0))


def count_text(count: int) -> str:
    """Contracts with two decimals, negative ones too.

    Examples
    --------
    >>> count_text(-150), count_text(5)
    ('-1.50', '0.05')
    """
    if count < 0:
        return f"-{-count // 100}.{-count % 100:02d}"
    return f"{count // 100}.{count % 100:02d}"


def money_text(money: int) -> str:
    """Dollars with six decimals.

    Examples
    --------
    >>> money_text(-17500)
    '-0.017500'
    """
    whole, fraction = divmod(abs(money), 1_000_000)
    return f"{'-' if money < 0 else ''}{whole}.{fraction:06d}"


def iso_ms(instant: int) -> str:
    """RFC 3339, cut to milliseconds; neighbours mostly share theirs.

    Examples
    --------
    >>> iso_ms(1_781_159_489_957_081)
    '2026-06-11T06:31:29.957Z'
    """
    global _last  # noqa: PLW0603 - one pair, replaced as a whole
    milliseconds = instant // 1000
    known, text = _last
    if known != milliseconds:
        text = iso(milliseconds * 1000)
        _last = (milliseconds, text)
    return text
