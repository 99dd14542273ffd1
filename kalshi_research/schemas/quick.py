"""Changes of books read in one step: nine messages of ten are one.

What is the least bit unusual is refused here and left to `StreamDecoder`, which reads all
spellings and both dialects. Numbers come as the nearest double of the text and are taken to
integers exactly, or not at all.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kalshi_research.errors import DecodeError
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE

__all__ = ["QUICK", "SENT", "Prices", "QuickDelta", "exact_count", "quick_delta"]

QUICK = b'{"type":"orderbook_delta",'
"""What a message begins with that is worth a try."""

SENT = b'"sending_ts_ms":'
"""Before the time at which a message was sent."""

_Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
_LARGEST = 1e9 * COUNT_SCALE
_NOISE = 4e-16
"""How far multiplying a nearest double may carry it, relative to itself."""


class _Change(msgspec.Struct, gc=False):
    ticker: str = msgspec.field(name="market_ticker")
    side: Literal["yes", "no"]
    price: float = msgspec.field(name="price_dollars")
    change: float = msgspec.field(name="delta_fp")
    clock: _Whole = -1
    time_ms: _Whole = msgspec.field(name="ts_ms", default=-1)
    client_order_id: str | None = None


class QuickDelta(msgspec.Struct, gc=False):
    """A change of one level as it came; price in dollars and change in contracts, as doubles."""

    sid: _Whole
    seq: _Whole
    msg: _Change
    sent_ms: _Whole = msgspec.field(name="sending_ts_ms", default=-1)


quick_delta = msgspec.json.Decoder(QuickDelta, strict=False).decode
"""Reads a message; raises `msgspec.ValidationError` where it is not the usual one."""


class Prices(dict[float, int]):
    """Every price is taken to 1/10 000 dollar once; one that is none is an error.

    Examples
    --------
    >>> Prices()[0.57]
    5700
    """

    def __missing__(self, price: float) -> int:
        exact = price * PRICE_SCALE
        whole = round(exact) if 0 < exact < PRICE_SCALE else 0
        if not 0 < whole < PRICE_SCALE or abs(whole - exact) > _NOISE * exact:
            raise DecodeError(f"the price {price} is none")
        self[price] = whole
        return whole


def exact_count(hundredths: float) -> int:
    """A count that multiplying has not made whole.

    Examples
    --------
    >>> exact_count(0.29 * 100), exact_count(-6844.78 * 100)
    (29, -684478)
    """
    whole = round(hundredths) if abs(hundredths) <= _LARGEST else 0
    if not whole or abs(whole - hundredths) > _NOISE * abs(hundredths):
        raise DecodeError(f"a count of {hundredths / COUNT_SCALE} is none")
    return whole
