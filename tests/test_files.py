"""Files: recorded answers and tables in, our own Parquet out and back, nothing half-read."""

from __future__ import annotations

import gzip
import json
import os
import random
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wire_pages

import kalshi_research as kr
from kalshi_research import files
from kalshi_research.errors import (
    ArchiveError,
    DecodeError,
    DriftWarning,
    FrameError,
    InputError,
    KalshiError,
)
from kalshi_research.parts import write_part
from kalshi_research.provenance import KEY, is_simulated
from kalshi_research.schemas import CANDLESTICKS, MARKETS, ORDERBOOKS, TRADES

READERS = {
    "trades": (kr.read_trades, kr.write_trades),
    "markets": (kr.read_markets, kr.write_markets),
    "events": (kr.read_events, kr.write_events),
    "series": (kr.read_series, kr.write_series),
    "candlesticks": (kr.read_candlesticks, kr.write_candlesticks),
    "orderbooks": (kr.read_orderbooks, kr.write_orderbooks),
}
RECORDED = {
    "trades": "wire_examples/trades.json",
    "markets": "real/rest_demo_2026_06/markets__status_open.json",
    "events": "wire_examples/events_page_trimmed.json",
    "series": "wire_examples/series_list_trimmed.json",
    "candlesticks": "wire_examples/candlesticks_live.json",
    "orderbooks": "wire_examples/orderbooks_batch_trimmed.json",
}


def made_trades(count: int = 20) -> list[dict[str, Any]]:
    rng = random.Random(3)
    return [wire_pages.trade(rng, number) for number in range(count)]


def made_page(count: int = 20) -> dict[str, Any]:
    return {"cursor": "", "trades": made_trades(count)}


def recorded(shared: Path, kind: str) -> Any:
    return json.loads((shared / RECORDED[kind]).read_bytes())


def assert_identical(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_every_form_of_a_recorded_answer_is_the_same_frame(tmp_path: Path) -> None:
    page = made_page()
    body = json.dumps(page)
    (tmp_path / "page.json").write_text(body, encoding="utf-8")
    (tmp_path / "page.json.gz").write_bytes(gzip.compress(body.encode()))
    (tmp_path / "pretty.json").write_text(json.dumps(page, indent=4), encoding="utf-8")
    (tmp_path / "misnamed.csv").write_text("\n\n  " + body, encoding="utf-8")
    rows = page["trades"]
    expected = kr.read_trades(page)
    assert len(expected) == 20
    sources = [
        body,
        body.encode(),
        tmp_path / "page.json",
        str(tmp_path / "page.json"),
        tmp_path / "page.json.gz",
        tmp_path / "pretty.json",
        tmp_path / "misnamed.csv",
        [page],
        [{"trades": rows[:7], "cursor": "x"}, {"trades": rows[7:], "cursor": ""}],
        rows,
        json.dumps(rows),
        {"first": rows[:7], "second": rows[7:]},
    ]
    for source in sources:
        assert_identical(kr.read_trades(source), expected)


def test_one_row_alone_is_a_frame_of_one_row() -> None:
    row = made_trades(1)[0]
    assert kr.read_trades(row)["trade_id"].tolist() == [row["trade_id"]]


def test_provenance_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_text(json.dumps(made_page(3) | {"cursor": "more"}), encoding="utf-8")
    attrs = kr.read_trades(path).attrs[KEY]
    assert attrs["environment"] == "file"
    assert attrs["host"] == str(path)
    assert attrs["rows"] == 3
    assert attrs["schema"] == TRADES.tag
    assert attrs["complete"] is False  # its cursor leads on
    assert kr.read_trades(made_page()).attrs[KEY]["complete"] is True


@pytest.mark.parametrize("kind", RECORDED)
def test_what_is_written_is_read_back_with_everything(shared: Path, tmp_path: Path, kind: str) -> None:
    read, write = READERS[kind]
    frame = read(recorded(shared, kind))
    assert len(frame)
    frame.attrs[KEY] |= {"environment": "sandbox", "simulated": True}
    frame.attrs["note"] = "mine"
    path = tmp_path / f"{kind}.parquet"
    write(frame, path)
    back = read(path)
    assert_identical(back, frame)
    assert back.attrs == frame.attrs
    assert is_simulated(back)
    write(frame.iloc[:0], path)
    assert read(path).dtypes.equals(frame.iloc[:0].dtypes)


@pytest.mark.parametrize("kind", RECORDED)
def test_a_frame_and_tables_made_of_it_are_read_as_what_they_are(
    shared: Path, tmp_path: Path, kind: str
) -> None:
    read, _ = READERS[kind]
    frame = read(recorded(shared, kind))
    again = read(frame)
    assert_identical(again, frame)
    assert again.attrs == frame.attrs
    frame.to_parquet(tmp_path / "plain.parquet")
    assert_identical(read(tmp_path / "plain.parquet"), frame)


def test_a_csv_of_a_frame_is_read_as_that_frame(tmp_path: Path) -> None:
    frame = kr.read_trades(made_page())
    frame.to_csv(tmp_path / "trades.csv")
    assert_identical(kr.read_trades(tmp_path / "trades.csv"), frame)
    book = kr.read_orderbooks(
        {"orderbooks": [wire_pages.orderbook(random.Random(1), n) for n in range(3)]}
    )
    book.to_csv(tmp_path / "book.csv", index=False)
    assert_identical(kr.read_orderbooks(tmp_path / "book.csv"), book)


def test_a_written_file_is_a_parquet_file_that_others_read(tmp_path: Path) -> None:
    frame = kr.read_trades(made_page())
    kr.write_trades(frame, tmp_path / "trades.parquet")
    assert_identical(pd.read_parquet(tmp_path / "trades.parquet"), frame)


def test_an_empty_book_keeps_its_name_on_disk(tmp_path: Path) -> None:
    books = kr.read_orderbooks(
        {"B": {"orderbook": {"yes": None, "no": None}}, "A": {"orderbook": {"yes": [[4, 1]]}}}
    )
    kr.write_orderbooks(books, tmp_path / "books.parquet")
    assert kr.read_orderbooks(tmp_path / "books.parquet")["ticker"].cat.categories.tolist() == ["B", "A"]


@pytest.mark.parametrize("packed", [False, True])
def test_tables_in_wire_columns_of_both_dialects(tmp_path: Path, packed: bool) -> None:
    today = pd.DataFrame(made_trades())
    expected = kr.read_trades(made_page())
    cents = pd.DataFrame(
        {
            "trade_id": ["a", "b"],
            "ticker": pd.Categorical(["X", "Y"]),
            "count": np.array([93, 7], dtype="int32"),
            "yes_price": [29, 57],
            "no_price": [71.0, 43.0],
            "taker_side": ["yes", "no"],
            "created_time": pd.to_datetime(["2024-11-14T03:24:19.355Z", "2024-11-14T03:24:20.5Z"]),
        }
    )
    name = "t.csv.gz" if packed else "t.csv"
    for frame, wanted in ((today, expected), (cents, None)):
        frame.to_csv(tmp_path / name, index=False)
        frame.to_parquet(tmp_path / "t.parquet")
        found = [kr.read_trades(source) for source in (frame, tmp_path / name, tmp_path / "t.parquet")]
        assert_identical(found[0], found[1])
        assert_identical(found[0], found[2])
        if wanted is not None:
            assert_identical(found[0], wanted)
        else:
            assert found[0]["yes_price"].tolist() == [0.29, 0.57]
            assert found[0]["no_price"].tolist() == [0.71, 0.43]


def test_fractions_in_a_column_of_cents_are_refused() -> None:
    """They are dollars under the old name: taken for cents they would be wrong by a factor of 100."""
    table = pd.DataFrame(
        {
            "trade_id": ["a"],
            "ticker": ["X"],
            "count": [1],
            "yes_price": [0.29],
            "no_price": [0.71],
            "created_time": ["2024-11-14T03:24:19Z"],
        }
    )
    with pytest.raises(DecodeError, match="yes_price"):
        kr.read_trades(table)


def test_columns_that_are_no_wire_fields_are_named_in_the_attrs() -> None:
    table = pd.DataFrame(made_trades()).assign(my_note="x")
    frame = kr.read_trades(table)
    assert "my_note" not in frame.columns
    assert frame.attrs[KEY]["left_out"] == "my_note"


def test_the_recorded_tape_and_its_raw_answers_are_the_same_trades(shared: Path) -> None:
    folder = shared / "real" / "weather_trades"
    tape = kr.read_trades(folder / "trades.parquet")
    raw = pd.concat(
        [kr.read_trades(path) for path in sorted((folder / "raw_sample").glob("trades_*.json.gz"))]
    )
    order = ["time", "trade_id"]
    expected = raw.reset_index().sort_values(order, ignore_index=True)
    found = tape[tape["trade_id"].isin(set(raw["trade_id"]))].reset_index()
    assert_identical(found.sort_values(order, ignore_index=True), expected)
    assert len(tape) == 645_322
    assert tape.index.is_monotonic_increasing


def test_the_recorded_market_table_and_its_raw_answers_are_the_same_markets(shared: Path) -> None:
    folder = shared / "real" / "weather_trades"
    table = kr.read_markets(folder / "markets.parquet")
    for path in sorted((folder / "raw_sample").glob("event_*.json")):
        raw = kr.read_markets(path)
        same = [name for name in raw.columns if table[name].notna().any() and name != "settlement_value"]
        assert {"yes_bid", "no_ask", "last_price", "volume", "close_time", "cap_strike"} <= set(same)
        assert_identical(table.loc[raw.index, same], raw[same])
    quoted = table[["yes_bid", "yes_ask", "no_bid", "no_ask", "last_price"]]
    assert quoted.min(axis=None) == 0.01
    assert quoted.max(axis=None) == 0.99


def test_a_recorded_csv_in_both_dialects_at_once(shared: Path) -> None:
    path = shared / "real" / "settled" / "nfl_settled_2025_page1_only_100.csv"
    frame = kr.read_markets(path)
    plain = pd.read_csv(path).set_index("ticker")
    assert frame.index.tolist() == plain.index.tolist()
    assert frame["volume"].tolist() == plain["volume"].tolist()
    assert frame["last_price"].fillna(0).tolist() == plain["last_price_dollars"].tolist()
    assert frame["settlement_value"].tolist() == plain["settlement_value_dollars"].tolist()
    legs = [json.loads(text) for text in frame["mve_selected_legs"]]
    assert all(
        {"event_ticker", "market_ticker", "side"} <= set(leg) for market in legs for leg in market
    )
    assert frame.attrs[KEY]["left_out"] == "year"


def test_recorded_books_by_ticker_and_as_a_list(shared: Path) -> None:
    books = json.loads((shared / "real/orderbooks/cents_format_100.json").read_bytes())["books"]
    frame = kr.read_orderbooks(books)
    assert_identical(frame, kr.read_orderbooks({book["ticker"]: book["response"] for book in books}))
    assert frame["ticker"].cat.categories.size == 100
    assert frame["ticker"].nunique() == 38
    one = kr.read_orderbook(books[0]["response"], ticker=books[0]["ticker"])
    same = frame[frame["ticker"] == books[0]["ticker"]]
    assert one["price"].tolist() == same["price"].tolist()
    assert kr.read_orderbook(books[0]["response"])["ticker"].unique().tolist() == ["unknown"]
    with pytest.raises(FrameError, match="read_orderbooks"):
        kr.read_orderbook(books)


def test_a_bare_candlestick_takes_its_market_from_the_call(shared: Path) -> None:
    path = shared / "real/candles/candle_historical_tier_shape.json"
    frame = kr.read_candlesticks(path, ticker="A", period_interval=60)
    assert frame["ticker"].tolist() == ["A"]
    assert frame["close"].tolist() == [0.35]
    assert frame["period_start"].tolist() == [frame.index[0] - pd.Timedelta(hours=1)]
    assert kr.read_candlesticks(path)["period_start"].isna().all()
    with pytest.raises(InputError):
        kr.read_candlesticks(path, period_interval=0)


@pytest.mark.parametrize("drop", ["ticker", "yes_price", "quantity"])
def test_a_frame_that_lacks_a_column_is_not_written(tmp_path: Path, drop: str) -> None:
    frame = kr.read_trades(made_page()).drop(columns=drop)
    with pytest.raises(FrameError, match=drop):
        kr.write_trades(frame, tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_kind_index_or_dtype_are_not_written(tmp_path: Path) -> None:
    trades = kr.read_trades(made_page())
    path = tmp_path / "x.parquet"
    with pytest.raises(FrameError, match="index"):
        kr.write_markets(trades, path)
    with pytest.raises(FrameError, match="index"):
        kr.write_trades(trades.reset_index(), path)
    with pytest.raises(FrameError, match="yes_price"):
        kr.write_trades(trades.assign(yes_price="0.42"), path)
    with pytest.raises(FrameError):
        kr.write_trades(made_page(), path)  # type: ignore[arg-type]
    assert not path.exists()


@pytest.mark.parametrize("name", ["trades.csv", "trades.JSON", "trades.xlsx"])
def test_parquet_is_not_written_under_the_name_of_another_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"Name it trades\.parquet"):
        kr.write_trades(kr.read_trades({"trades": []}), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    kr.write_trades(kr.read_trades(made_page()), path)
    with pytest.raises(ArchiveError, match="trades/1"):
        kr.read_markets(path)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "absent", "folder", "gzip"])
def test_a_damaged_file_is_an_archive_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "trades.parquet"
    kr.write_trades(kr.read_trades(made_page(500)), path)
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flip":
        middle = len(whole) // 3
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_bytes(b"PAR1 but not really")
    elif damage == "absent":
        path.unlink()
    elif damage == "folder":
        path = tmp_path
    else:
        path.write_bytes(gzip.compress(whole)[:-20])
    with pytest.raises(ArchiveError) as caught:
        kr.read_trades(path)
    assert path.name in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize(
    "source",
    [
        {"markets": []},
        [1, 2],
        [[{"trade_id": "a"}]],
        {"a": 1},
        "{",
        "[",
        b"\xff",
        '{"trades": "\ud800"}',
        {1: object()},
        17,
        None,
        pd.DataFrame({"x": [1]}),
        pd.DataFrame({"trade_id": [[1], {"a": 2}]}),
    ],
)
def test_what_holds_no_trades_is_refused_with_an_error_of_ours(source: Any) -> None:
    with pytest.raises(KalshiError):
        kr.read_trades(source)


def test_a_table_that_is_no_order_book_is_refused(tmp_path: Path) -> None:
    for source in (pd.DataFrame({"price": [0.5]}), {"orderbooks": 5}, {"A": {"trades": []}}, [3], {}):
        with pytest.raises(KalshiError):
            kr.read_orderbooks(source)


def test_writing_replaces_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trades.parquet"
    first = kr.read_trades(made_page(5))
    kr.write_trades(first, path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArchiveError, match="No space left"):
        kr.write_trades(kr.read_trades(made_page(9)), path)
    monkeypatch.undo()
    assert [found.name for found in tmp_path.iterdir()] == ["trades.parquet"]
    assert_identical(kr.read_trades(path), first)


def test_a_folder_that_does_not_exist_is_an_archive_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="nowhere"):
        kr.write_trades(kr.read_trades(made_page()), tmp_path / "nowhere" / "t.parquet")


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_private_parts_are_for_the_owner_only(tmp_path: Path) -> None:
    table = pa.table({"x": [1]})
    write_part(tmp_path / "private", table, private=True)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600
    write_part(tmp_path / "public", table)
    assert stat.S_IMODE((tmp_path / "public").stat().st_mode) & 0o600 == 0o600


def test_pages_of_a_part_carry_checksums(tmp_path: Path) -> None:
    kr.write_trades(kr.read_trades(made_page()), tmp_path / "t.parquet")
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        assert b"kalshi_research" in file.schema_arrow.metadata


def test_read_frame_takes_only_files_of_this_package(tmp_path: Path) -> None:
    frame = kr.read_trades(made_page())
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ArchiveError, match="not written by"):
        files.read_frame(tmp_path / "t.parquet", TRADES)
    files.write_frame(tmp_path / "t.parquet", frame, TRADES)
    assert_identical(files.read_frame(tmp_path / "t.parquet", TRADES), frame)
    damaged = pq.read_table(tmp_path / "t.parquet").replace_schema_metadata({b"kalshi_research": b"{"})
    write_part(tmp_path / "d.parquet", damaged)
    with pytest.raises(ArchiveError, match="metadata"):
        files.read_frame(tmp_path / "d.parquet", TRADES)


@pytest.mark.parametrize("schema", [TRADES, MARKETS, CANDLESTICKS, ORDERBOOKS])
def test_empty_frames_go_to_disk_and_back(tmp_path: Path, schema: Any) -> None:
    files.write_frame(tmp_path / "e.parquet", schema.empty(), schema)
    back = files.read_frame(tmp_path / "e.parquet", schema)
    assert_identical(back, schema.empty())


def test_a_new_field_is_kept_on_disk(tmp_path: Path) -> None:
    page = made_page(2)
    page["trades"][0]["reserve_price_dollars"] = "0.2500"
    with pytest.warns(DriftWarning, match="reserve_price"):
        frame = kr.read_trades(page)
    kr.write_trades(frame, tmp_path / "t.parquet")
    assert_identical(kr.read_trades(tmp_path / "t.parquet"), frame)


@pytest.mark.parametrize("path", ["", None, 5])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(InputError, match="is not the path of a file"):
        kr.write_trades(kr.load_dataset("kxhighny_trades").head(2), path)  # type: ignore[arg-type]


def test_a_path_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    trades = kr.load_dataset("kxhighny_trades").head(2)
    kr.write_trades(trades, "~/trades.parquet")
    assert (tmp_path / "trades.parquet").is_file()
    pd.testing.assert_frame_equal(kr.read_trades("~/trades.parquet"), trades)
