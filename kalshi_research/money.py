"""Prices, contracts and money as integers.

Kalshi quotes prices in steps of down to $0.0001 and contracts in steps of 0.01.
Binary floating point cannot hold those steps: ``1 - 0.56`` is
``0.43999999999999995``. So whatever must be exact is done on integers:

========  =====================  ======================
quantity  unit of the integer    on the wire
========  =====================  ======================
price     1/10 000 dollar        ``"0.5600"``
count     1/100 contract         ``"10.00"``
money     1/1 000 000 dollar     ``"0.017500"``
========  =====================  ======================

A number is turned into a float once, at the end, by a single division, which
IEEE 754 rounds to the double nearest to the exact decimal.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from numbers import Real

from kalshi_research.errors import DecodeError, InputError, printable, quoted

__all__ = [
    "COUNT_SCALE",
    "MONEY_SCALE",
    "PRICE_SCALE",
    "PriceGrid",
    "complement",
    "fixed_text",
    "parse_fixed",
    "to_count",
    "to_price",
]

PRICE_SCALE = 10_000
"""Price integers a dollar."""

COUNT_SCALE = 100
"""Count integers a contract."""

MONEY_SCALE = 1_000_000
"""Money integers a dollar."""

_FAR = 10**18
"""A whole number from here on is a slip of the hand, whatever it counts."""

_FIXED = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,12}))?", re.ASCII)


def parse_fixed(text: str, scale: int) -> int:
    """Read a fixed-point decimal as an integer number of ``1/scale``.

    Parameters
    ----------
    text : str
        Plain decimal notation: digits, at most one point, an optional minus.
    scale : int
        A power of ten.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If the text is no plain decimal, or finer than ``1/scale``.

    Examples
    --------
    >>> parse_fixed("0.56", PRICE_SCALE)
    5600
    >>> parse_fixed("0.450000", PRICE_SCALE)
    4500
    """
    match = _FIXED.fullmatch(text)
    if match is None:
        raise InputError(f"{quoted(text, 60)} is not a plain decimal number such as '0.56'")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    digits = len(str(scale)) - 1
    if fraction[digits:].strip("0"):
        raise InputError(f"{text!r} is finer than 1/{scale}")
    value = int(whole) * scale + int(fraction[:digits].ljust(digits, "0") or "0")
    return -value if sign else value


def fixed_text(value: int, scale: int) -> str:
    """Write an integer number of ``1/scale`` as the wire does.

    Examples
    --------
    >>> fixed_text(5600, PRICE_SCALE), fixed_text(-150, COUNT_SCALE)
    ('0.5600', '-1.50')
    """
    digits = len(str(scale)) - 1
    whole, fraction = divmod(abs(value), scale)
    return f"{'-' if value < 0 else ''}{whole}.{fraction:0{digits}d}"


def _exact(value: object, scale: int, what: str) -> int:
    if isinstance(value, str):
        return parse_fixed(value, scale)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InputError(f"{what} must be finite, not {value}")
        if not value:
            return 0
        if not -40 < value.adjusted() < 18:  # written out it could fill the memory
            raise InputError(f"{what} {quoted(value, 40)} is no number that can be meant")
        return parse_fixed(format(value, "f"), scale)
    if isinstance(value, int) and not isinstance(value, bool):
        _check_near(value, what)
        return int(value) * scale
    if isinstance(value, bool) or not isinstance(value, Real):
        said = quoted(value, 40)
        raise InputError(f"{what} must be a number or its decimal text, not {said}")
    _check_near(value, what)
    number = float(value)
    if not math.isfinite(number):
        raise InputError(f"{what} must be finite, not {number}")
    nearest = round(number * scale)
    if nearest / scale != number:
        raise InputError(
            f"{what} {number!r} is not the double nearest to a multiple of 1/{scale}; "
            f"pass text such as {fixed_text(nearest, scale)!r}"
        )
    return nearest


def _check_near(value: Real | int, what: str) -> None:
    """Refuse what lies so far away that it cannot be counted with; infinities are told as such."""
    far = value >= _FAR or value <= -_FAR  # type: ignore[operator]
    if far and value not in (math.inf, -math.inf):
        raise InputError(f"{what} {quoted(value, 40)} is no number that can be meant")


def to_price(value: str | Decimal | float) -> int:
    """A price [dollars] as an integer number of 1/10 000 dollar.

    A float is taken when it is the double nearest to such a number, so prices
    out of a frame can be used as they are.

    Raises
    ------
    InputError
        For NaN, infinities, bool, exponent notation, and anything finer than $0.0001.

    Examples
    --------
    >>> to_price("0.56"), to_price(0.29)
    (5600, 2900)
    """
    return _exact(value, PRICE_SCALE, "price")


def to_count(value: str | Decimal | float) -> int:
    """A number of contracts as an integer number of 1/100 contract.

    Examples
    --------
    >>> to_count("1.5"), to_count(10)
    (150, 1000)
    """
    return _exact(value, COUNT_SCALE, "quantity")


def complement(price: int) -> int:
    """The price of the other leg, both in 1/10 000 dollar: YES and NO sum to one dollar.

    Examples
    --------
    >>> complement(5600)
    4400
    """
    return PRICE_SCALE - price


@dataclass(frozen=True, slots=True)
class PriceGrid:
    """The prices at which a market may be quoted.

    Read it from the ``price_ranges`` of the market. The label in
    ``price_level_structure`` is not enough, because new ones appear.

    Attributes
    ----------
    bands : tuple of (start, end, step)
        In 1/10 000 dollar, ascending and without holes. An edge belongs to both
        neighbours.

    Examples
    --------
    >>> grid = PriceGrid.from_ranges([{"start": "0.0000", "end": "1.0000", "step": "0.0100"}])
    >>> grid.contains(5600), grid.contains(5650), grid.nearest(5650)
    (True, False, (5600, 5700))
    """

    bands: tuple[tuple[int, int, int], ...]

    @classmethod
    def from_ranges(cls, ranges: Iterable[Mapping[str, str]]) -> PriceGrid:
        """Build a grid from the wire form of ``price_ranges``.

        Raises
        ------
        DecodeError
            If a band is malformed, or the bands overlap or leave a hole.
        """
        try:
            bands = tuple(
                sorted(
                    (
                        parse_fixed(band["start"], PRICE_SCALE),
                        parse_fixed(band["end"], PRICE_SCALE),
                        parse_fixed(band["step"], PRICE_SCALE),
                    )
                    for band in ranges
                )
            )
        except (KeyError, TypeError, InputError) as error:
            raise DecodeError(f"price_ranges holds a malformed band: {printable(error)}") from None
        if not bands:
            raise DecodeError("price_ranges is empty: this market has no price grid")
        for start, end, step in bands:
            if step <= 0 or end <= start or (end - start) % step:
                raise DecodeError(f"price_ranges holds an impossible band {(start, end, step)}")
        if any(left[1] != right[0] for left, right in pairwise(bands)):
            raise DecodeError(f"price_ranges overlap or leave a hole: {bands}")
        return cls(bands)

    def contains(self, price: int) -> bool:
        """Whether an order at `price` [1/10 000 dollar] is on the grid and strictly inside 0–1."""
        return 0 < price < PRICE_SCALE and any(
            start <= price <= end and (price - start) % step == 0 for start, end, step in self.bands
        )

    def prices(self) -> list[int]:
        """Every tradable price [1/10 000 dollar], ascending."""
        found = {p for start, end, step in self.bands for p in range(start, end + 1, step)}
        return sorted(found - {0, PRICE_SCALE})

    def nearest(self, price: int) -> tuple[int, ...]:
        """The tradable prices around `price` [1/10 000 dollar]: itself, or the one or two next to it."""
        if self.contains(price):
            return (price,)
        ladder = self.prices()
        at = bisect_right(ladder, price)
        return tuple(ladder[max(at - 1, 0) : at + 1])
