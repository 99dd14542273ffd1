"""Recordings of the real exchange and of made-up ones, against a book kept in fractions."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kalshi_research.book as kb
from kalshi_research.analysis import join_quotes, stream_times
from kalshi_research.errors import ArchiveError, DecodeError, InputError, PartialDataWarning
from kalshi_research.provenance import KEY
from kalshi_research.schemas import ORDERBOOKS, TRADES
from kalshi_research.streaming import replay_book

UFC = "KXUFCFIGHT-26MAR07TOBNUR-NUR.ndjson.gz"
T = "KXUFCFIGHT-26MAR07TOBNUR-NUR"


# The oracle: a book of fractions, read straight off the JSON

Ladder = dict[Fraction, Fraction]


def frames_of(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    if path.suffix == ".json":
        return [each["frame"] for each in json.loads(text)["frames"]]
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def exact_books(frames: list[dict[str, Any]]) -> Iterator[tuple[int, str, Ladder, Ladder]]:
    """After every frame of a book: its place, the market, YES bids and YES asks."""
    books: dict[str, tuple[Ladder, Ladder]] = {}
    for place, frame in enumerate(frames):
        msg = frame.get("msg")
        if frame["type"] == "orderbook_snapshot":
            bids, asks = books[msg["market_ticker"]] = ({}, {})
            for price, size in msg.get("yes_dollars_fp", ()):
                bids[Fraction(price)] = Fraction(size)
            for price, size in msg.get("no_dollars_fp", ()):
                asks[1 - Fraction(price)] = Fraction(size)
        elif frame["type"] == "orderbook_delta":
            bids, asks = books[msg["market_ticker"]]
            price, change = Fraction(msg["price_dollars"]), Fraction(msg["delta_fp"])
            side, price = (bids, price) if msg["side"] == "yes" else (asks, 1 - price)
            side[price] = side.get(price, Fraction(0)) + change
            if side[price] == 0:
                del side[price]
        else:
            continue
        yield place, msg["market_ticker"], bids, asks


def top(side: Ladder, best: Any) -> tuple[float, float]:
    return (float(best(side)), float(side[best(side)])) if side else (np.nan, np.nan)


def check_against_fractions(path: Path, **options: Any) -> int:
    """Every top of every book, and the books at the end; the number of frames compared."""
    replay = replay_book(path, every=None, **options)
    rows = replay.quotes.reset_index().set_index(["ticker", "quote_arrival"])
    columns = ["yes_bid", "yes_bid_size", "yes_ask", "yes_ask_size"]
    noted = dict(zip(rows.index, rows[columns].itertuples(index=False, name=None), strict=True))
    current: dict[str, tuple[float, ...]] = {}
    last: dict[str, tuple[Ladder, Ladder]] = {}
    compared = 0
    for place, ticker, bids, asks in exact_books(frames_of(path)):
        assert all(size > 0 for size in (*bids.values(), *asks.values()))
        assert not (bids and asks) or max(bids) < min(asks), "neither crossed nor locked"
        expected = (*top(bids, max), *top(asks, min))
        found = current[ticker] = noted.get((ticker, place), current.get(ticker, ()))
        np.testing.assert_array_equal(found, expected)
        last[ticker] = (bids, asks)
        compared += 1
    for ticker, (bids, asks) in last.items():
        book = replay.books[replay.books["ticker"] == ticker]
        for side, ladder in (("bid", bids), ("ask", asks)):
            mine = book[book["side"] == side]
            assert dict(zip(mine["price"], mine["quantity"], strict=True)) == {
                float(price): float(size) for price, size in ladder.items()
            }
    return compared


# Recordings


def test_the_whole_session_of_a_fight_is_the_book_in_fractions(shared: Path) -> None:
    assert check_against_fractions(shared / "real" / "ws" / UFC, seq="sparse") == 43_279


def test_a_stream_of_todays_dialect_is_the_book_in_fractions(shared: Path) -> None:
    path = shared / "real" / "ws" / "ws_orderbook_stream.json"
    assert check_against_fractions(path) == 12 + 245
    replay = replay_book(path)
    assert replay.quotes["status"].eq("live").all()
    assert replay.quotes["ticker"].nunique() == 12
    assert len(replay.changes) == 245
    assert replay.quotes.attrs[KEY]["complete"] is True
    assert replay.quotes.index.is_monotonic_increasing


def test_a_fight_as_recorded(shared: Path) -> None:
    replay = replay_book(shared / "real" / "ws" / UFC, seq="sparse")
    assert len(replay.changes) == 43_278
    assert len(replay.trades) == 4_136
    assert replay.quotes["status"].eq("live").all()
    assert replay.quotes["spread"].dropna().gt(0).all()
    assert replay.changes["quantity"].ge(0).all()
    assert replay.quotes.index.is_monotonic_increasing
    source = replay.quotes.attrs[KEY]
    assert (source["seq"], source["complete"], source["holes"]) == ("sparse", False, 0)
    # 24 whole minutes and the end, each a frame as get_orderbooks gives it
    instants = replay.books["time"].unique()
    assert len(instants) == 25
    at = replay.books[replay.books["time"] == instants[7]].drop(columns="time").reset_index(drop=True)
    assert list(at.columns) == list(ORDERBOOKS.names)
    pd.testing.assert_frame_equal(kb.cumulative(at)[at.columns], at, check_categorical=False)
    # the top of a full book is the row of quotes that holds then
    tops = kb.quotes(replay.books)
    held = replay.quotes.groupby("ticker", observed=True).get_group(T)
    row = held.index.searchsorted(tops.index, side="right") - 1
    for column in ("yes_bid", "yes_bid_size", "yes_ask", "yes_ask_size", "spread", "mid", "microprice"):
        np.testing.assert_array_equal(tops[column].to_numpy(), held[column].to_numpy()[row])


def test_the_quote_before_a_trade_is_found_in_a_recording(shared: Path) -> None:
    """No trade inside the spread that its taker met, though the changes come before the trades."""
    replay = replay_book(shared / "real" / "ws" / UFC, seq="sparse")
    trades = stream_times(replay.trades, replay.changes)
    assert (~trades["matched"]).sum() == 3
    joined = join_quotes(trades, replay.quotes)
    met = joined["yes_ask"].where(joined["taker_side"] == "yes", joined["yes_bid"])
    beyond = (joined["yes_price"] - met) * np.where(joined["taker_side"] == "yes", 1, -1)
    assert (beyond[joined["matched"]].dropna() > -1e-9).all()
    away = 2 * (joined["yes_price"] - joined["mid"]).abs()
    assert away.mean() == pytest.approx(0.0277, abs=5e-5)


def test_trades_come_as_get_trades_gives_them(shared: Path) -> None:
    trades = replay_book(shared / "real" / "ws" / UFC, seq="sparse").trades
    recorded = [f for f in frames_of(shared / "real" / "ws" / UFC) if f["type"] == "trade"]
    assert list(trades.columns) == [*TRADES.names[1:], "arrival"]
    for column in TRADES.columns[1:]:
        assert str(trades[column.name].dtype) == column.dtype
    assert str(trades.index.dtype) == "datetime64[us, UTC]"
    assert trades["trade_id"].tolist() == [f["msg"]["trade_id"] for f in recorded]
    assert trades["yes_price"].tolist() == [float(f["msg"]["yes_price_dollars"]) for f in recorded]
    assert trades["quantity"].tolist() == [float(f["msg"]["count_fp"]) for f in recorded]
    assert (trades.index.astype("int64") // 10**6).tolist() == [f["msg"]["ts"] for f in recorded]
    assert trades["arrival"].is_monotonic_increasing


def test_one_market_out_of_many_is_full_of_holes_and_says_so(shared: Path) -> None:
    with pytest.warns(PartialDataWarning, match=r"18,773 holes.*\n.*seq='sparse'"):
        replay = replay_book(shared / "real" / "ws" / UFC)
    assert replay.quotes["status"].tolist() == ["live", "syncing"]
    assert "frame" in replay.quotes["reason"].iloc[1]
    assert replay.quotes["yes_bid"].isna().tolist() == [False, True]
    assert len(replay.changes) == 43_278
    assert replay.changes["quantity"].iloc[5:].isna().all()


def test_a_recording_that_starts_with_changes_is_refused_or_flagged(shared: Path) -> None:
    path = shared / "real" / "ws" / "broken_starts_with_deltas.ndjson.gz"
    with pytest.raises(DecodeError, match="before any snapshot") as caught:
        replay_book(path)
    assert str(caught.value).count("\n") <= 2
    with pytest.warns(PartialDataWarning, match="387 changes before a snapshot"):
        replay = replay_book(path, seq="sparse", before_snapshot="flag")
    assert replay.quotes["status"].tolist() == ["syncing", "live"]
    assert replay.quotes["reason"].tolist()[0] == "no snapshot yet"
    assert replay.books.empty, "the only snapshot is an empty one, at the very end"
    assert len(replay.trades) == 91


def test_both_legs_of_one_market_are_one_book(shared: Path) -> None:
    """The same market, two minutes apart, subscribed to with prices of either leg."""
    folder = shared / "wire_examples"
    before = replay_book(folder / "ws__orderbook_trade_yes.jsonl", use_yes_price=True)
    after = replay_book(folder / "ws__orderbook_trade_noleg.jsonl")
    columns = ["yes_bid", "yes_bid_size", "yes_ask", "yes_ask_size", "no_bid", "mid"]
    assert before.quotes[columns].iloc[-1].equals(after.quotes[columns].iloc[0])
    assert after.quotes[columns].iloc[0].tolist() == [0.47, 3.0, 0.52, 2.0, 0.48, 0.495]


def test_pinned_frames_of_several_channels(shared: Path) -> None:
    path = shared / "wire_examples" / "ws__ticker_snapshot_delta_error_2026-08.jsonl"
    with pytest.warns(PartialDataWarning):
        broken = replay_book(path, use_yes_price=True)
    assert broken.quotes["status"].tolist()[:2] == ["live", "syncing"]
    replay = replay_book(path, seq="sparse", use_yes_price=True)
    assert replay.quotes["yes_ask_size"].tolist()[:2] == [5.0, 206.0]
    assert replay.quotes["status"].eq("live").all()


# Forms of a recording

STAMP = "2026-11-20T15:00:{:02d}.{:06d}Z"


def snapshot(seq: int, ticker: str = "A", **more: Any) -> dict[str, Any]:
    msg = {"market_ticker": ticker, "yes_dollars_fp": [["0.4200", "13.00"]],
           "no_dollars_fp": [["0.5600", "17.00"]]}  # fmt: skip
    return {"type": "orderbook_snapshot", "sid": 1, "seq": seq, "msg": msg} | more


def delta(seq: int, price: str, change: str, ticker: str = "A", side: str = "yes") -> dict[str, Any]:
    msg = {"market_ticker": ticker, "side": side, "price_dollars": price, "delta_fp": change,
           "ts": STAMP.format(seq % 60, seq)}  # fmt: skip
    return {"type": "orderbook_delta", "sid": 1, "seq": seq, "msg": msg}


SMALL = [snapshot(1), delta(2, "0.4300", "5.00"), delta(3, "0.5700", "2.50", side="no")]


def lines(frames: list[dict[str, Any]]) -> bytes:
    return b"\n\n".join(json.dumps(frame).encode() for frame in frames) + b"\n"


def test_every_form_of_a_recording_is_the_same(tmp_path: Path) -> None:
    forms: dict[str, Any] = {
        "dicts": SMALL,
        "generator": (frame for frame in SMALL),
        "bytes": [json.dumps(frame).encode() for frame in SMALL],
        "texts": [json.dumps(frame) + "\n" for frame in SMALL],
        "text": lines(SMALL).decode(),
        "document": {"frames": SMALL},
        "envelopes": [{"received_ms": 1_795_186_900_000, "frame": frame} for frame in SMALL],
    }
    files = {
        "plain.ndjson": lines(SMALL),
        "blank.ndjson": b"\n\r\n  \n" + lines(SMALL) + b"\n\n",
        "zipped.jsonl": gzip.compress(lines(SMALL)),
        "list.json": json.dumps(SMALL, indent=1).encode(),
        "object.json": json.dumps({"note": "x", "frames": SMALL}).encode(),
        "envelopes.ndjson": b"\n".join(
            json.dumps({"received_ms": 1795186900000.25, "frame": frame}).encode() for frame in SMALL
        ),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        forms[name] = tmp_path / name
    forms["str path"] = str(tmp_path / "plain.ndjson")
    expected = replay_book(SMALL)
    assert expected.quotes["microprice"].tolist()[0] == pytest.approx((42 * 17 + 44 * 13) / 3000)
    for name, form in forms.items():
        found = replay_book(form)
        for mine, theirs in zip(found, expected, strict=True):
            mine.attrs, theirs.attrs = {}, {}
            pd.testing.assert_frame_equal(mine, theirs, obj=name)


def test_the_parts_of_a_split_connection_are_put_together(tmp_path: Path) -> None:
    """Each part alone has holes; together they are whole, whatever the order of the paths."""
    whole: list[dict[str, Any]] = [snapshot(1, "A"), snapshot(2, "B"), snapshot(3, "C")]
    whole += [delta(seq, "0.4300", "1.00", "ABC"[seq * 7 % 5 % 3]) for seq in range(4, 400)]
    parts = {name: [frame for frame in whole if frame["msg"]["market_ticker"] == name] for name in "ABC"}
    assert all(parts.values())
    paths = [tmp_path / f"{name}.ndjson" for name in "CAB"]
    for path in paths:
        path.write_bytes(lines(parts[path.stem]))
    expected = replay_book(whole)
    found = replay_book(paths)
    assert found.quotes["status"].eq("live").all()
    pd.testing.assert_frame_equal(found.changes, expected.changes)
    pd.testing.assert_frame_equal(found.quotes, expected.quotes)
    with pytest.warns(PartialDataWarning):
        assert "syncing" in set(replay_book(paths[0]).quotes["status"])


def test_a_recorder_that_was_killed_leaves_a_usable_file(tmp_path: Path) -> None:
    torn = tmp_path / "torn.ndjson"
    torn.write_bytes(lines(SMALL)[:-30])
    with pytest.warns(PartialDataWarning, match="breaks off"):
        assert len(replay_book(torn).changes) == 1
    rng = np.random.default_rng(0)
    many = [
        snapshot(1),
        *(delta(seq, "0.4300", f"{rng.integers(1, 10**6)}.00") for seq in range(2, 3000)),
    ]
    torn.write_bytes(gzip.compress(lines(many))[:-2000])
    with pytest.warns(PartialDataWarning, match="breaks off"):
        assert 1000 < len(replay_book(torn).changes) < 2998


def test_a_bad_frame_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_bytes(lines(SMALL) + b'{"type": "orderbook_delta", "sid": 1}\n' + lines(SMALL))
    with pytest.raises(DecodeError, match=r"bad\.ndjson, line 6: .*seq"):
        replay_book(path)
    path.write_bytes(lines(SMALL) + b"oops\n" + lines(SMALL))
    with pytest.raises(DecodeError, match=r"bad\.ndjson, line 6"):
        replay_book(path)
    with pytest.raises(DecodeError, match="frame 4"):
        replay_book([*SMALL, {"type": "orderbook_snapshot"}])


@pytest.mark.parametrize(
    ("recording", "error"),
    [
        ([], DecodeError),
        (b"", DecodeError),
        ("no/such/file.ndjson", ArchiveError),
        (Path("no/such/file.ndjson"), ArchiveError),
        (17, InputError),
        ([17], InputError),
        ([None], InputError),
        ([Path("a"), {"type": "ok"}], InputError),
        (["{"], DecodeError),
        ("[1, 2]", DecodeError),
        ({"hello": "world"}, DecodeError),
        ({"frames": 5}, InputError),
        ([{"frame": 5}], InputError),
        ([delta(1, "0.4", "1") | {"msg": {"ts": "soon"}}], DecodeError),
    ],
)
def test_what_is_no_recording_is_refused(recording: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        replay_book(recording)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"hello", b"PAR1\x00\x01", b"\x1f\x8bnot gzip", b"[1]", b"{}"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises((DecodeError, ArchiveError)):
        replay_book(path)
    with pytest.raises(ArchiveError):
        replay_book(tmp_path)


def test_an_unreadable_time_is_refused() -> None:
    frame = delta(2, "0.4300", "1.00")
    frame["msg"]["ts"] = "yesterday"
    with pytest.raises(DecodeError, match="yesterday"):
        replay_book([snapshot(1), frame])


@pytest.mark.parametrize(
    "options",
    [
        {"every": "0s"}, {"every": "-1s"}, {"every": "soon"}, {"every": "NaT"}, {"every": object()},
        {"at": "2026-11-20 15:00"}, {"at": 17}, {"at": ["soon"]}, {"seq": "loose"},
        {"before_snapshot": "ignore"}, {"every": "1us"},
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replay_book(SMALL, **options)


# Instants, holes, trades


def test_full_books_are_given_when_they_are_asked_for() -> None:
    frames = [snapshot(1), *(delta(seq, "0.4300", "1.00") for seq in range(2, 11))]
    at = [f"2026-11-20T15:00:0{second}Z" for second in (1, 3, 5)] + ["2026-11-20T16:00:00Z"]
    found = replay_book(frames, at=at).books
    best = found[(found["level"] == 0) & (found["side"] == "bid")]
    # second n has the changes with the numbers below it: those of its own come microseconds later
    assert best["time"].dt.second.tolist() == [3, 5]
    assert best["quantity"].tolist() == [1.0, 3.0]
    found = replay_book(frames, every="4s").books
    best = found[(found["level"] == 0) & (found["side"] == "bid")]
    assert best["time"].dt.second.tolist() == [4, 8, 10]
    assert best["quantity"].tolist() == [2.0, 6.0, 9.0]
    assert replay_book(frames, every=None).books["time"].dt.second.tolist() == [10] * 3


def test_a_hole_is_a_row_and_a_snapshot_ends_it() -> None:
    frames = [snapshot(1), snapshot(2, "B"), delta(3, "0.4300", "1.00"), delta(6, "0.4300", "1.00"),
              snapshot(7, "B"), delta(8, "0.4400", "1.00"), snapshot(9)]  # fmt: skip
    with pytest.warns(PartialDataWarning, match=r"1 holes \(2 frames lost\)"):
        replay = replay_book(frames, every=None)
    rows = replay.quotes[["ticker", "status", "seq"]].to_dict("split")["data"]
    assert rows == [
        ["A", "live", 1], ["B", "live", 2], ["A", "live", 3], ["A", "syncing", 3],
        ["B", "syncing", 2], ["B", "live", 7], ["A", "live", 9],
    ]  # fmt: skip
    out = replay.quotes[replay.quotes["status"] != "live"]
    assert out.loc[:, "yes_bid":"microprice"].isna().all(axis=None)
    assert out["reason"].tolist() == ["2 frames lost before number 6 of subscription 1"] * 2
    source = replay.books.attrs[KEY]
    assert (source["complete"], source["lost"], source["withheld"]) == (False, 2, 2)


def test_an_impossible_book_is_shown_as_such() -> None:
    frames = [snapshot(1), delta(2, "0.4200", "-14.00"), delta(3, "0.4200", "1.00")]
    with pytest.warns(PartialDataWarning):
        replay = replay_book(frames)
    assert replay.quotes["status"].tolist() == ["live", "invalid"]
    assert "cannot change" in replay.quotes["reason"].iloc[1]
    assert replay.books.empty


def test_an_empty_snapshot_in_the_middle_is_an_empty_book() -> None:
    empty = {"type": "orderbook_snapshot", "sid": 1, "seq": 3, "msg": {"market_ticker": "A"}}
    replay = replay_book([snapshot(1), delta(2, "0.4300", "1.00"), empty, delta(4, "0.1", "2.00")])
    assert replay.quotes["status"].eq("live").all()
    assert replay.quotes["yes_bid"].tolist() == pytest.approx([0.42, 0.43, np.nan, 0.1], nan_ok=True)
    assert replay.books[["price", "quantity"]].to_numpy().tolist() == [[0.1, 2.0]]


def test_repeated_frames_and_trades_count_once() -> None:
    trade = {"type": "trade", "sid": 2, "seq": 1, "msg": {
        "trade_id": "t1", "market_ticker": "A", "yes_price_dollars": "0.4300",
        "no_price_dollars": "0.5700", "count_fp": "1.00", "taker_outcome_side": "no",
        "taker_book_side": "ask", "is_block_trade": False, "ts_ms": 1_795_186_802_500}}  # fmt: skip
    frames = [snapshot(1), delta(2, "0.4300", "1.00"), delta(2, "0.4300", "1.00"), trade, trade]
    replay = replay_book(frames)
    assert replay.quotes["yes_bid_size"].tolist() == [13.0, 1.0]
    assert len(replay.changes) == len(replay.trades) == 1
    assert replay.trades["is_block_trade"].tolist() == [False]
    assert replay.trades.index[0].isoformat() == "2026-11-20T15:00:02.500000+00:00"
    assert replay.quotes.attrs[KEY]["repeated"] == 3


def test_a_snapshot_takes_the_time_it_was_sent_or_received_between_its_neighbours() -> None:
    sent = 1_795_186_802_000  # 15:00:02
    frames = [snapshot(1), delta(2, "0.4300", "1.00"), snapshot(3, sending_ts_ms=sent + 500),
              delta(4, "0.4300", "1.00")]  # fmt: skip
    times = replay_book(frames).quotes.index
    assert [time.isoformat()[17:26] for time in times] == [
        "02.000002",
        "02.000002",
        "02.500000",
        "04.000004",
    ]
    received = [{"received_ms": sent + 60_000, "frame": frame} for frame in SMALL]
    assert replay_book(received).quotes.index.second.tolist() == [2, 2, 3], "a clock that is ahead"
    untimed = replay_book([snapshot(1)])
    assert untimed.quotes.index.isna().all()
    assert len(untimed.books) == 2


def test_recordings_in_any_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [snapshot(1), *(delta(seq, "0.4300", "1.00") for seq in range(2, 60))]
    whole = replay_book(frames, every="7s")
    monkeypatch.setattr("kalshi_research.streaming.replay._CHUNK", 3)
    for mine, theirs in zip(replay_book(frames, every="7s"), whole, strict=True):
        mine.attrs = theirs.attrs = {}
        pd.testing.assert_frame_equal(mine, theirs)


def test_the_frames_of_nothing_have_the_same_types(shared: Path) -> None:
    full = replay_book(shared / "real" / "ws" / UFC, seq="sparse")
    empty = replay_book(
        [{"type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": 1}}]
    )
    for mine, theirs in zip(empty, full, strict=True):
        assert len(mine) == 0
        assert list(mine.columns) == list(theirs.columns)
        categories = ["ticker", "side", "status"]
        plain = [name for name in mine if name not in categories]
        assert mine[plain].dtypes.equals(theirs[plain].dtypes)
        assert mine.index.dtype == theirs.index.dtype


def test_hostile_names_stay_names() -> None:
    evil = "=cmd|'/c'!A\n<script>\x1b[31m"
    with pytest.raises(DecodeError) as caught:
        replay_book([delta(1, "0.4300", "1.00", evil)])
    assert "\x1b" not in str(caught.value)
    assert replay_book([snapshot(1, evil)]).quotes["ticker"].tolist() == [evil]


def test_the_benchmark_runs() -> None:
    script = Path(__file__).parent / "benchmarks" / "replay.py"
    done = subprocess.run(
        [sys.executable, script, "--deltas", "3000", "--repeats", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "agree" in done.stdout
