"""The quick way to read a change of a book gives what the careful way gives, or nothing."""

from __future__ import annotations

import json
from fractions import Fraction

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kalshi_research.errors import DecodeError
from kalshi_research.schemas.quick import QUICK, Prices, exact_count, quick_delta
from kalshi_research.schemas.stream import Delta, StreamDecoder


def test_every_price_there_is() -> None:
    prices = Prices()
    for whole in range(1, 10_000):
        text = f"0.{whole:04d}"
        assert prices[float(text)] == whole == Fraction(text) * 10_000


@given(st.integers(-(10**11), 10**11))
@example(29)
@example(-684_478)
@example(10**11)
def test_every_count_there_is(hundredths: int) -> None:
    text = f"{'-' if hundredths < 0 else ''}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"
    count = float(text) * 100
    assert (int(count) if int(count) == count else exact_count(count)) == hundredths


@pytest.mark.parametrize("price", [0.0, 1.0, -0.5, 0.00005, 0.52005, float("nan"), float("inf"), 2.0])
def test_what_is_no_price_is_refused(price: float) -> None:
    with pytest.raises(DecodeError):
        _ = Prices()[price]


@pytest.mark.parametrize("count", [0.5, 1e12, -1e300, float("nan"), float("inf"), 100.001])
def test_what_is_no_count_is_refused(count: float) -> None:
    with pytest.raises(DecodeError):
        exact_count(count)


@given(
    price=st.sampled_from(["0.4500", "0.45", ".45", "0.0001", "1", "45", "nan", "0.45005", "4_5"]),
    change=st.sampled_from(["-3.00", "1", "0.5", "1e3", "1e-3", "NaN", "0x10", " 1.00", "100000000000"]),
    extra=st.dictionaries(
        st.sampled_from(["clock", "ts_ms", "client_order_id", "ts", "price", "delta", "side", "other"]),
        st.one_of(st.none(), st.integers(-5, 10**18), st.text(max_size=4), st.booleans()),
        max_size=3,
    ),
)
def test_the_quick_way_never_says_something_else(
    price: str, change: str, extra: dict[str, object]
) -> None:
    msg = {"market_ticker": "T", "price_dollars": price, "delta_fp": change, "side": "no", **extra}
    frame = {"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": msg}
    text = json.dumps(frame, separators=(",", ":")).encode()
    assert text.startswith(QUICK)
    try:
        quick = quick_delta(text)
        count = quick.msg.change * 100
        found = (
            quick.sid, quick.seq, quick.msg.ticker, int(quick.msg.side == "no"),
            Prices()[quick.msg.price],
            int(count) if int(count) == count else exact_count(count),
        )  # fmt: skip
    except (msgspec.DecodeError, DecodeError, ValueError, OverflowError):
        return  # the careful way decides
    try:
        careful = StreamDecoder().event(text)
    except DecodeError:
        # Only spellings that no exchange uses are read by one and not by the other.
        assert {price, change} & {"1e3", "1e-3", "0x10", " 1.00", "100000000000"} or extra
        return
    assert isinstance(careful, Delta)
    assert found == (
        careful.sid, careful.seq, careful.ticker, careful.side, careful.price, careful.change,
    )  # fmt: skip
