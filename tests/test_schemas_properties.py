"""Whatever the numbers on a page: they arrive exactly, in both dialects, and books add up."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_research.errors import DecodeError, DriftWarning
from kalshi_research.schemas import MARKETS, ORDERBOOKS, TRADES, Decoder
from kalshi_research.schemas.columns import form_of, plain_name
from kalshi_research.schemas.values import read

prices = st.integers(1, 9_999)
counts = st.integers(1, 10**9)
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def price_text(ticks: int) -> str:
    return f"{ticks // 10_000}.{ticks % 10_000:04d}"


def count_text(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def nearest(value: Fraction) -> float:
    return value.numerator / value.denominator


def quietly(decoder: Decoder) -> pd.DataFrame:
    """The frame without the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DriftWarning)
        return decoder.frame({})


trades = st.lists(
    st.fixed_dictionaries(
        {
            "price": prices,
            "count": counts,
            "micros": st.integers(0, 5),
            "ticker": text,
            "side": st.sampled_from(["yes", "no"]),
        }
    ),
    max_size=30,
)


def wire_trade(number: int, trade: dict[str, Any]) -> dict[str, Any]:
    return {
        "trade_id": f"t{number}",
        "ticker": trade["ticker"],
        "created_time": f"2026-10-01T12:00:00.00000{trade['micros']}Z",
        "yes_price_dollars": price_text(trade["price"]),
        "no_price_dollars": price_text(10_000 - trade["price"]),
        "count_fp": count_text(trade["count"]),
        "taker_outcome_side": trade["side"],
        "taker_side": trade["side"],
        "taker_book_side": "bid" if trade["side"] == "yes" else "ask",
        "is_block_trade": False,
    }


@given(trades, st.integers(1, 7))
def test_trades_arrive_exactly_in_the_order_of_time(made: list[dict[str, Any]], size: int) -> None:
    wire = [wire_trade(number, trade) for number, trade in enumerate(made)]
    decoder = TRADES.decoder()
    for start in range(0, len(wire), size):
        decoder.add(json.dumps({"trades": wire[start : start + size]}).encode())
    frame = decoder.frame({})
    assert frame.index.is_monotonic_increasing
    assert frame.dtypes.equals(TRADES.empty().dtypes)
    by_id = frame.set_index("trade_id")
    for number, trade in enumerate(made):
        row = by_id.loc[f"t{number}"]
        assert row["yes_price"] == nearest(Fraction(trade["price"], 10_000))
        assert row["no_price"] == nearest(1 - Fraction(trade["price"], 10_000))
        assert row["quantity"] == nearest(Fraction(trade["count"], 100))
        assert row["ticker"] == trade["ticker"]


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 10**6)), min_size=1, max_size=20))
def test_both_dialects_are_the_same_frame(made: list[tuple[int, int]]) -> None:
    new, old = [], []
    for number, (cents, count) in enumerate(made):
        trade = {"price": cents * 100, "count": count * 100, "micros": 1, "ticker": "A", "side": "yes"}
        new.append(wire_trade(number, trade))
        old.append(
            {
                "trade_id": f"t{number}",
                "ticker": "A",
                "created_time": new[-1]["created_time"],
                "yes_price": cents,
                "no_price": 100 - cents,
                "count": count,
                "taker_side": "yes",
                "is_block_trade": False,
            }
        )
    frames = []
    for wire in (new, old):
        decoder = TRADES.decoder()
        decoder.add(json.dumps({"trades": wire}).encode())
        frames.append(decoder.frame({}))
    pd.testing.assert_frame_equal(*frames, check_exact=True)


ladders = st.dictionaries(st.integers(1, 4_900), counts, max_size=25)


@given(st.lists(st.tuples(ladders, ladders), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_books_are_complete_ordered_and_add_up(
    books: list[tuple[dict[int, int], dict[int, int]]], rng: Any
) -> None:
    tickers = [f"M{number}" for number in range(len(books))]
    entries = []
    for ticker, (yes, no) in zip(tickers, books, strict=True):
        sides = {}
        for leg, ladder in (("yes", yes), ("no", no)):
            levels = [[price_text(p), count_text(q)] for p, q in ladder.items()]
            rng.shuffle(levels)
            sides[f"{leg}_dollars"] = levels
        entries.append({"ticker": ticker, "orderbook_fp": sides})
    rng.shuffle(entries)
    decoder = ORDERBOOKS.decoder(tickers=tickers)
    decoder.add(json.dumps({"orderbooks": entries}).encode())
    frame = decoder.frame({})
    assert frame["ticker"].cat.categories.tolist() == tickers
    expected = []
    for ticker, (yes, no) in zip(tickers, books, strict=True):
        for side, levels in (
            ("bid", sorted(yes.items(), reverse=True)),
            ("ask", [(10_000 - p, q) for p, q in sorted(no.items(), reverse=True)]),
        ):
            total = 0
            for level, (price, count) in enumerate(levels):
                total += count
                exact = (Fraction(price, 10_000), Fraction(count, 100), Fraction(total, 100))
                expected.append((ticker, side, level, *map(nearest, exact)))
    assert list(frame.itertuples(index=False, name=None)) == expected


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3)), min_size=1, max_size=20))
def test_the_size_decides_whether_a_quote_is_one(quotes: list[tuple[int, int]]) -> None:
    wire = [
        {
            "ticker": f"M{number}",
            "event_ticker": "E",
            "status": "active",
            "yes_bid_dollars": price_text(price),
            "yes_bid_size_fp": count_text(size),
            "yes_ask_dollars": "1.0000",
            "last_price_dollars": price_text(price),
            "volume_fp": "0.00",
        }
        for number, (price, size) in enumerate(quotes)
    ]
    decoder = MARKETS.decoder()
    decoder.add(json.dumps({"markets": wire}).encode())
    frame = quietly(decoder)  # most promised fields are absent here
    for (price, size), row in zip(quotes, frame.itertuples(), strict=True):
        assert np.isnan(row.yes_bid) == (size == 0)
        assert np.isnan(row.yes_ask)
        assert np.isnan(row.last_price) == (price == 0)


@given(st.from_regex(r"-?[0-9]{1,9}\.[0-9]{2,6}", fullmatch=True))
def test_a_decimal_text_is_the_nearest_double(number: str) -> None:
    assert read("dollars", [number]).to_pylist() == [nearest(Fraction(number))]


@given(st.binary(max_size=60))
def test_no_bytes_escape_as_another_error(body: bytes) -> None:
    for decoder in (TRADES.decoder(), ORDERBOOKS.decoder(["A"])):
        try:
            decoder.add(body)
        except DecodeError:
            assert decoder.rows == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(
        ["trade_id", "ticker", "created_time", "count_fp", "yes_price_dollars", "is_block_trade"]
    ),
    json_values,
)
@settings(max_examples=200)
def test_any_value_of_a_field_is_typed_or_refused(field: str, value: Any) -> None:
    trade = wire_trade(1, {"price": 4_200, "count": 100, "micros": 1, "ticker": "A", "side": "yes"})
    decoder = TRADES.decoder()
    where = "nowhere"
    try:
        decoder.add(json.dumps({"trades": [trade | {field: value}]}).encode())
    except DecodeError as error:
        where = error.where
    assert where
    assert decoder.rows == (where == "nowhere")
    assert quietly(decoder).dtypes.equals(TRADES.empty().dtypes)


known = ("count", "yes_price", "no_price", "price", "price_dollars")


@given(text.filter(lambda name: name not in known), json_values)
@settings(max_examples=200)
def test_any_new_field_is_kept_or_named(field: str, value: Any) -> None:
    trade = wire_trade(1, {"price": 4_200, "count": 100, "micros": 1, "ticker": "A", "side": "yes"})
    decoder = TRADES.decoder()
    decoder.add(json.dumps({"trades": [{field: value} | trade]}).encode())
    if field not in trade:
        assert len(decoder.drift) == 1
    assert len(quietly(decoder)) == 1


@given(text)
def test_the_suffix_decides_whatever_comes_before(name: str) -> None:
    assert form_of(f"{name}_dollars") == "dollars"
    assert plain_name(f"{name}_fp") == name
