"""What happens when the exchange changes: everything stays typed, one warning names what changed."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import wire_pages

from kalshi_research.errors import DecodeError, DriftWarning
from kalshi_research.schemas import CANDLESTICKS, EVENTS, MARKETS, ORDERBOOKS, POSITIONS, SERIES, TRADES

MAKERS = {"markets": wire_pages.market, "trades": wire_pages.trade}
SCHEMAS = {"markets": MARKETS, "trades": TRADES}
PRICE = {"markets": "yes_bid_dollars", "trades": "yes_price_dollars"}
PRICE_COLUMN = {"markets": "yes_bid", "trades": "yes_price"}
N_ROWS = 50


def rows(kind: str) -> list[dict[str, Any]]:
    rng = random.Random(7)
    return [MAKERS[kind](rng, number) for number in range(N_ROWS)]


def decode(kind: str, found: list[dict[str, Any]]) -> tuple[pd.DataFrame, list[str]]:
    """The frame and the texts of the warnings."""
    decoder = SCHEMAS[kind].decoder()
    decoder.add(json.dumps({kind: found, "cursor": ""}).encode())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = decoder.frame({})
    assert all(issubclass(warning.category, DriftWarning) for warning in caught)
    return frame, [str(warning.message) for warning in caught]


def assert_typed(kind: str, frame: pd.DataFrame) -> None:
    empty = SCHEMAS[kind].empty()
    assert frame.index.dtype == empty.index.dtype
    for name in empty.columns:
        assert frame[name].dtype == empty[name].dtype, name
    assert len(frame) == N_ROWS


def as_documented(found: list[dict[str, Any]], kind: str) -> str:
    return ""


def with_removed_fields(found: list[dict[str, Any]], kind: str) -> str:
    """Fields that older documents had and the exchange has removed: known, left out."""
    for row in found:
        if kind == "markets":
            row |= {"liquidity_dollars": "0.0000", "response_price_units": "usd_cent"}
        else:
            row |= {"price": 0.42}
    return ""


def new_field(found: list[dict[str, Any]], kind: str) -> str:
    found[-1]["halting_rules"] = {"kind": "gap", "limits": [1, 2]}
    return "halting_rules"


def new_enum(found: list[dict[str, Any]], kind: str) -> str:
    found[3]["status" if kind == "markets" else "taker_outcome_side"] = "suspended"
    return "suspended"


def six_decimals(found: list[dict[str, Any]], kind: str) -> str:
    for row in found:
        row[PRICE[kind]] += "00"
    return ""


def null_price(found: list[dict[str, Any]], kind: str) -> str:
    found[5][PRICE[kind]] = None
    return PRICE[kind]


def missing_optional(found: list[dict[str, Any]], kind: str) -> str:
    for row in found:
        for name in ("title", "subtitle", "occurrence_datetime", "floor_strike", "taker_side"):
            row.pop(name, None)
    return ""


def whole_seconds(found: list[dict[str, Any]], kind: str) -> str:
    for row in found:
        name = "created_time"
        row[name] = row[name].split(".")[0].rstrip("Z") + "Z"
    return ""


PROBES = (
    as_documented,
    with_removed_fields,
    new_field,
    new_enum,
    six_decimals,
    null_price,
    missing_optional,
    whole_seconds,
)


@pytest.mark.parametrize("kind", ["markets", "trades"])
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_a_changed_page_is_typed_and_one_warning_names_the_change(
    kind: str, probe: Callable[[list[dict[str, Any]], str], str]
) -> None:
    found = rows(kind)
    changed = probe(found, kind)
    frame, said = decode(kind, found)
    assert_typed(kind, frame)
    if changed:
        assert len(said) == 1
        assert changed in said[0]
    else:
        assert said == []


@pytest.mark.parametrize("kind", ["markets", "trades"])
def test_more_decimals_and_whole_seconds_change_no_value(kind: str) -> None:
    plain, _ = decode(kind, rows(kind))
    longer = rows(kind)
    six_decimals(longer, kind)
    frame, _ = decode(kind, longer)
    pd.testing.assert_frame_equal(plain, frame, check_exact=True)


@pytest.mark.parametrize(
    ("name", "value", "column", "dtype"),
    [
        ("reserve_price_dollars", "0.4200", "reserve_price", "float64"),
        ("blocked_fp", "12.50", "blocked", "float64"),
        ("halted_ts", "2026-10-01T12:00:00.5Z", "halted_time", "datetime64[us, UTC]"),
        ("halted_ts", 1_790_000_000, "halted_time", "datetime64[us, UTC]"),
        ("review_datetime", "2026-10-01T12:00:00Z", "review_time", "datetime64[us, UTC]"),
        ("mood", "calm", "mood", "str"),
        ("weight", 2, "weight", "float64"),
        ("is_featured", True, "is_featured", "boolean"),
        ("details", {"a": [1, "x"]}, "details", "str"),
    ],
)
def test_a_new_field_becomes_a_column_typed_by_its_name_or_its_values(
    name: str, value: object, column: str, dtype: str
) -> None:
    found = rows("trades")
    found[10][name] = value
    frame, said = decode("trades", found)
    assert str(frame[column].dtype) == dtype
    assert frame[column].notna().sum() == 1
    assert name in said[0]


def test_new_fields_on_different_pages_end_in_one_warning_and_one_frame() -> None:
    decoder = TRADES.decoder()
    for number, extra in enumerate(({}, {"mood": "calm"}, {"weight": 1.5}, {})):
        page = [row | extra for row in rows("trades")]
        for row in page:
            row["trade_id"] += str(number)
        decoder.add(wire_pages.page("trades", page))
    with pytest.warns(DriftWarning) as caught:
        frame = decoder.frame({})
    assert len(caught) == 1
    assert "mood" in str(caught[0].message)
    assert "weight" in str(caught[0].message)
    assert len(frame) == 4 * N_ROWS
    assert frame["mood"].notna().sum() == N_ROWS
    assert frame["weight"].sum() == 1.5 * N_ROWS


def test_a_warning_is_given_once_and_points_at_the_caller() -> None:
    decoder = TRADES.decoder()
    decoder.add(wire_pages.page("trades", [row | {"mood": "calm"} for row in rows("trades")]))
    with pytest.warns(DriftWarning) as caught:
        decoder.frame({})
    assert caught[0].filename == __file__
    decoder.frame({})


def test_a_new_field_does_not_take_the_name_of_a_column() -> None:
    found = rows("trades")
    found[0]["quantity_fp"] = "7.00"
    frame, said = decode("trades", found)
    assert frame["quantity"].notna().all()
    assert frame["quantity_fp"].dropna().tolist() == [7.0]
    assert len(said) == 1


def test_a_price_that_comes_as_a_number_is_dollars_and_named() -> None:
    found = rows("markets")
    for row in found:
        row["yes_bid_dollars"] = float(row["yes_bid_dollars"])
        row["volume_fp"] = int(float(row["volume_fp"]))
    frame, said = decode("markets", found)
    assert frame["yes_bid"].tolist() == [row["yes_bid_dollars"] for row in found]
    assert "yes_bid_dollars" in said[0]
    assert "volume_fp" in said[0]


def test_a_strike_that_comes_as_text_is_a_number_and_named() -> None:
    found = rows("markets")
    found[2]["floor_strike"] = "41.5"
    frame, said = decode("markets", found)
    assert frame["floor_strike"].iloc[2] == 41.5
    assert "floor_strike" in said[0]


@pytest.mark.parametrize(
    "field", ["trade_id", "ticker", "created_time", "count_fp", "yes_price_dollars"]
)
def test_a_renamed_required_field_is_an_error_that_names_it(field: str) -> None:
    found = rows("trades")
    for row in found:
        row["new_" + field] = row.pop(field)
    with pytest.raises(DecodeError, match=field):
        decode("trades", found)


@pytest.mark.parametrize("field", ["yes_price_dollars", "count_fp", "trade_id"])
def test_a_required_field_missing_in_one_row_is_an_error_that_names_field_and_row(field: str) -> None:
    found = rows("trades")
    del found[17][field]
    with pytest.raises(DecodeError, match=field) as caught:
        decode("trades", found)
    assert "[17]" in caught.value.where


def test_a_field_the_exchange_promised_and_no_longer_sends_is_named() -> None:
    found = rows("markets")
    for row in found:
        del row["close_time"]
    frame, said = decode("markets", found)
    assert frame["close_time"].isna().all()
    assert "close_time" in said[0]


@pytest.mark.parametrize("field", ["ticker", "trade_id", "taker_outcome_side"])
@pytest.mark.parametrize("value", [17, 1.5, True, {"a": 1}, ["x"]])
def test_another_type_where_text_belongs_is_an_error_that_names_the_place(
    field: str, value: object
) -> None:
    found = rows("trades")
    found[4][field] = value
    with pytest.raises(DecodeError) as caught:
        decode("trades", found)
    assert caught.value.where == f"$.trades[4].{field}"


@pytest.mark.parametrize(
    "value", ["nan", "NaN", "inf", "-Infinity", "", " ", "0.5.0", "1e400", "half", "0x1p-1"]
)
@pytest.mark.parametrize("field", ["yes_price_dollars", "count_fp"])
def test_text_that_is_no_number_is_an_error_that_names_the_place(field: str, value: str) -> None:
    found = rows("trades")
    found[9][field] = value
    with pytest.raises(DecodeError, match=field) as caught:
        decode("trades", found)
    assert caught.value.where == "$.trades[9]"


@pytest.mark.parametrize("value", ["yesterday", "2026-10-01T12:00:00", "2026-13-01T00:00:00Z", True])
def test_a_time_that_is_none_is_an_error(value: object) -> None:
    found = rows("trades")
    found[0]["created_time"] = value
    with pytest.raises(DecodeError, match="created_time"):
        decode("trades", found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"17",
        b"<html><body>maintenance</body></html>",
        b'{"trades": [',
        b'{"trades": {}}',
        b'{"trades": [null]}',
        b'{"trades": [1]}',
        b'{"cursor": ""}',
        b'{"error": {"code": "x"}}',
        b'{"trades": [], "cursor": NaN, ',
        b'{"trades": [{"trade_id": "\xff"}]}',
        b'{"trades": [{"trade_id": "\\ud800"}]}',
        b'{"trades": ' + b"[" * 10_000,
    ],
)
def test_a_body_that_is_no_page_is_an_error_and_adds_nothing(body: bytes) -> None:
    decoder = TRADES.decoder()
    decoder.add(wire_pages.page("trades", rows("trades")))
    before = decoder.frame({})
    with pytest.raises(DecodeError):
        decoder.add(body)
    assert decoder.rows == N_ROWS
    assert decoder.drift == []
    pd.testing.assert_frame_equal(decoder.frame({}), before)


def test_a_refused_page_leaves_no_trace_of_its_new_fields() -> None:
    decoder = TRADES.decoder()
    bad = [row | {"mood": "calm"} for row in rows("trades")]
    bad[-1]["count_fp"] = "nan"
    with pytest.raises(DecodeError):
        decoder.add(wire_pages.page("trades", bad))
    decoder.add(wire_pages.page("trades", rows("trades")))
    assert decoder.drift == []
    assert "mood" not in decoder.frame({}).columns


@pytest.mark.parametrize("schema", [TRADES, MARKETS, EVENTS, SERIES])
def test_null_instead_of_a_list_is_an_empty_page(schema: Any) -> None:
    decoder = schema.decoder()
    assert decoder.add(json.dumps({schema.items: None, "cursor": None}).encode()) == 0
    pd.testing.assert_frame_equal(decoder.frame({}), schema.empty())


def test_hundreds_of_new_fields_are_another_protocol() -> None:
    found = rows("trades")
    found[0] |= {f"field_{number}": number for number in range(500)}
    with pytest.raises(DecodeError):
        decode("trades", found)


def test_odd_characters_survive_the_way_to_parquet(tmp_path: Any) -> None:
    found = rows("trades")
    found[0]["ticker"] = 'A\x00B\u202e"<b>`|\U0001f3b2'
    found[1]["we`ird\tname \U0001f3b2"] = "x"
    frame, said = decode("trades", found)
    frame.to_parquet(tmp_path / "odd.parquet")
    back = pd.read_parquet(tmp_path / "odd.parquet")
    assert found[0]["ticker"] in back["ticker"].tolist()
    assert "\t" not in said[0]


def test_prices_outside_a_dollar_are_named() -> None:
    found = rows("trades")
    found[0]["yes_price_dollars"] = "45.0000"
    _, said = decode("trades", found)
    assert "yes_price_dollars" in said[0]


@pytest.mark.parametrize("off", ["0.0100", "0.5000"])
def test_legs_that_are_not_a_dollar_together_are_named(off: str) -> None:
    found = rows("trades")
    assert decode("trades", found)[1] == []
    found[7] |= {"yes_price_dollars": "0.4000", "no_price_dollars": f"{0.6 + float(off):.4f}"}
    _, said = decode("trades", found)
    assert "`yes_price` and `no_price` do not add up to 1 dollar" in said[0]


@pytest.mark.parametrize(("kind", "field"), [("trades", "count_fp"), ("markets", "open_interest_fp")])
def test_counts_below_nothing_are_named(kind: str, field: str) -> None:
    found = rows(kind)
    found[7][field] = "-3.00"
    frame, said = decode(kind, found)
    assert f"`{field}` is below 0" in said[0]
    assert_typed(kind, frame)


def test_a_short_position_is_no_drift() -> None:
    decoder = POSITIONS.decoder()
    row = {"ticker": "T", "position_fp": "-3.00"} | {
        f"{name}_dollars": "1.0000"
        for name in ("market_exposure", "realized_pnl", "total_traded", "fees_paid")
    }
    decoder.add(json.dumps({"market_positions": [row], "cursor": ""}).encode())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert decoder.frame({})["position"].tolist() == [-3.0]
    assert not [each for each in caught if "below" in str(each.message)]


def test_candlesticks_name_new_and_renamed_fields() -> None:
    side = {
        "open_dollars": "0.4000",
        "low_dollars": "0.3900",
        "high_dollars": "0.4400",
        "close_dollars": "0.4300",
    }
    candle = {
        "end_period_ts": 1_790_000_000,
        "yes_bid": side,
        "yes_ask": side,
        "price": {**side, "median_dollars": "0.4100"},
        "volume_fp": "1.00",
        "open_interest_fp": "5.00",
    }
    decoder = CANDLESTICKS.decoder(ticker="A", period_interval=60)
    decoder.add(json.dumps({"ticker": "A", "candlesticks": [candle]}).encode())
    with pytest.warns(DriftWarning, match="median_dollars"):
        frame = decoder.frame({})
    assert frame["price_median"].tolist() == [0.41]
    del candle["volume_fp"]
    with pytest.raises(DecodeError, match="volume_fp"):
        decoder.add(json.dumps({"candlesticks": [candle]}).encode())


def test_an_order_book_with_renamed_ladders_is_an_error_not_an_empty_book() -> None:
    body = b'{"orderbook_fp": {"yes_usd": [["0.4000", "1.00"]], "no_usd": []}}'
    with pytest.raises(DecodeError, match="yes_dollars"):
        ORDERBOOKS.decoder(["A"]).add(body)


def test_an_order_book_with_a_new_field_is_read_and_named() -> None:
    body = b'{"orderbook_fp": {"yes_dollars": [["0.4000", "1.00"]], "no_dollars": [], "as_of": 5}}'
    decoder = ORDERBOOKS.decoder(["A"])
    decoder.add(body)
    with pytest.warns(DriftWarning, match="as_of"):
        assert len(decoder.frame({})) == 1


def test_an_order_book_of_numbers_is_dollars_and_named() -> None:
    body = b'{"orderbook_fp": {"yes_dollars": [[0.4, 1]], "no_dollars": [[0.56, 2.5]]}}'
    decoder = ORDERBOOKS.decoder(["A"])
    decoder.add(body)
    with pytest.warns(DriftWarning, match="numbers"):
        assert decoder.frame({})["price"].tolist() == [0.4, 0.44]


@pytest.mark.parametrize(
    "levels",
    [
        '[["nan", "1.00"]]',
        '[["1.5000", "1.00"]]',
        '[["0.4000", "-1.00"]]',
        '[["0.4000"]]',
        "[[null, null]]",
        '[["0.40000001", "1.00"]]',
        '[["0.4000", "1.00", "9"]]',
        '["0.4000", "1.00"]',
        '"0.4000"',
        "{}",
    ],
)
def test_an_impossible_order_book_is_an_error_and_adds_nothing(levels: str) -> None:
    decoder = ORDERBOOKS.decoder(["A"])
    with pytest.raises(DecodeError):
        decoder.add(f'{{"orderbook_fp": {{"yes_dollars": {levels}, "no_dollars": []}}}}'.encode())
    assert decoder.rows == 0
    assert decoder.missing == ["A"]
    assert decoder.drift == []
