"""The data sets that come with the package."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.errors import InputError

FOLDER = Path(__file__).parents[1] / "datasets"


def test_every_set_loads_and_says_that_it_is_simulated():
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert kr.dataset_names() == sorted(manifest["sets"])
    for name, entry in manifest["sets"].items():
        frame = kr.load_dataset(name)
        assert len(frame) == entry["rows"]
        assert frame.attrs["kalshi"]["simulated"] is True
        assert kr.source_line(frame).startswith("SIMULATED")


def test_the_files_are_those_of_the_manifest_and_small_enough_to_clone():
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    for entry in manifest["sets"].values():
        assert hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10_000_000


def test_the_same_seed_makes_the_same_bytes():
    run = subprocess.run(
        [sys.executable, FOLDER / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "the same\n"), run.stderr


def test_each_day_of_a_ladder_has_one_yes():
    markets = kr.load_dataset("kxhighny_markets")
    assert (markets["result"].eq("yes").groupby(markets["event_ticker"]).sum() == 1).all()
    assert set(markets["event_ticker"]) == set(kr.load_dataset("kxhighny_events").index)


def test_candlesticks_and_markets_agree_with_the_trades_to_the_contract():
    trades = kr.load_dataset("kxhighny_trades")
    candles = kr.load_dataset("kxhighny_candlesticks")
    markets = kr.load_dataset("kxhighny_markets")
    hundredths = lambda column: (column * 100).round().astype("int64")  # noqa: E731
    traded = hundredths(trades["quantity"]).groupby(trades["ticker"]).sum()
    assert traded.sum() > 0
    assert hundredths(markets["volume"]).reindex(traded.index).equals(traded)
    in_candles = hundredths(candles["volume"]).groupby(candles["ticker"]).sum()
    assert in_candles.reindex(traded.index).equals(traded)


def test_quotes_are_those_of_the_candlesticks():
    quotes = kr.load_dataset("kxhighny_quotes")
    candles = kr.load_dataset("kxhighny_candlesticks")
    checked = 0
    for ticker, rows in quotes.groupby("ticker"):
        hours = candles[candles["ticker"] == ticker]
        ends = hours.index[(hours.index > rows.index[0]) & (hours.index <= rows.index[-1])]
        for side in ("yes_bid", "yes_ask"):
            known = rows[side].groupby(level=0).last().reindex(ends, method="ffill")
            shown = hours.loc[ends, f"{side}_close"]
            both = known.notna() & shown.notna()
            assert (known[both] == shown[both]).all(), (ticker, side)
            checked += int(both.sum())
    assert checked > 1_000


def test_takers_begin_at_the_quote_that_they_met():
    quotes = kr.load_dataset("kxhighny_quotes")
    trades = kr.load_dataset("kxhighny_trades")
    trades = trades[trades["ticker"].isin(quotes["ticker"].unique()) & ~trades["is_block_trade"]]
    first = kr.join_quotes(trades, quotes).reset_index().groupby(["ticker", "time"]).first()
    met = first["yes_ask"].where(first["taker_side"] == "yes", first["yes_bid"])
    assert len(first) > 1_500
    assert (first["yes_price"] == met).all()


def test_the_documents_book():
    quotes = kr.quotes(kr.load_dataset("sample_orderbook")).iloc[0]
    assert quotes[["yes_bid", "yes_ask", "no_bid", "no_ask", "spread"]].tolist() == [
        0.42,
        0.44,
        0.56,
        0.58,
        0.02,
    ]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="kxhighny_trades"):
        kr.load_dataset("kxhighny")


def test_a_loaded_set_is_a_fresh_frame():
    first = kr.load_dataset("kxhighny_events")
    first["title"] = ""
    assert not kr.load_dataset("kxhighny_events").equals(first)
    assert isinstance(first, pd.DataFrame)
