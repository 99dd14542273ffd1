"""Trades and the quotes before them, judged by a recorded session of the WebSocket."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_research.analysis import (
    classification_accuracy,
    join_quotes,
    quote_rule,
    stream_times,
    tape_order,
)
from kalshi_research.book import quotes as book_quotes
from kalshi_research.errors import FrameError, InputError, PartialDataWarning

TICKER = "KXUFCFIGHT-26MAR07TOBNUR-NUR"


# --- a recorded session, read here without the toolkit ---------------------------------------


@dataclass(frozen=True)
class Session:
    """What a recording holds: changes, the touch after each, trades, and the touch when each arrived."""

    changes: pd.DataFrame
    quotes: pd.DataFrame
    trades: pd.DataFrame
    on_arrival: pd.DataFrame


def touch(book: dict[str, dict[Fraction, Fraction]]) -> tuple[float, float]:
    bid = float(max(book["yes"])) if book["yes"] else np.nan
    ask = float(1 - max(book["no"])) if book["no"] else np.nan
    return bid, ask


def by_time(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601").dt.as_unit("us")
    return frame.set_index("time")


@pytest.fixture(scope="module")
def session(shared: Path) -> Session:
    book: dict[str, dict[Fraction, Fraction]] = {"yes": {}, "no": {}}
    changes, quotes, trades, on_arrival = [], [], [], []
    with gzip.open(shared / f"real/ws/{TICKER}.ndjson.gz", "rt") as lines:
        messages = [json.loads(line) for line in lines if line.strip()]
    for arrival, message in enumerate(messages):
        body = message["msg"]
        if message["type"] == "orderbook_snapshot":
            for side in book:
                levels = body[f"{side}_dollars_fp"]
                book[side] = {Fraction(price): Fraction(size) for price, size in levels}
        elif message["type"] == "orderbook_delta":
            side, price = body["side"], Fraction(body["price_dollars"])
            left = book[side].pop(price, Fraction(0)) + Fraction(body["delta_fp"])
            assert left >= 0
            if left:
                book[side][price] = left
            changes.append(
                {
                    "time": body["ts"],
                    "ticker": TICKER,
                    "side": "bid" if side == "yes" else "ask",
                    "price": float(price if side == "yes" else 1 - price),
                    "change": float(body["delta_fp"]),
                    "arrival": arrival,
                }
            )
            bid, ask = touch(book)
            quotes.append({"time": body["ts"], "ticker": TICKER, "yes_bid": bid, "yes_ask": ask})
        elif message["type"] == "trade":
            when = pd.Timestamp(body["ts"], unit="s", tz="UTC").isoformat()
            trades.append(
                {
                    "time": when,
                    "trade_id": body["trade_id"],
                    "ticker": TICKER,
                    "yes_price": float(body["yes_price_dollars"]),
                    "quantity": float(body["count_fp"]),
                    "taker_side": body["taker_side"],
                    "arrival": arrival,
                }
            )
            bid, ask = touch(book)
            on_arrival.append({"time": when, "ticker": TICKER, "yes_bid": bid, "yes_ask": ask})
    return Session(*map(by_time, (changes, quotes, trades, on_arrival)))


def effective_spread(trades: pd.DataFrame) -> pd.Series:
    """Twice the distance from the mid, against the taker where positive [cents]."""
    sign = np.where(trades["taker_side"] == "yes", 1, -1)
    mid = (trades["yes_bid"] + trades["yes_ask"]) / 2
    return 200 * sign * (trades["yes_price"] - mid)


def test_the_recording_is_what_it_is_said_to_be(session: Session) -> None:
    assert (len(session.changes), len(session.trades)) == (43_278, 4_136)
    assert session.changes.index.is_monotonic_increasing
    assert (session.trades.index == session.trades.index.floor("s")).all()


def test_trades_of_a_stream_find_the_change_they_made(session: Session) -> None:
    timed = stream_times(session.trades, session.changes)
    assert int(timed["matched"].sum()) == 4_133
    assert timed["arrival"].is_monotonic_increasing
    assert timed.index.is_monotonic_increasing, "what arrived in order was executed in order"
    late = timed.index - session.trades.index
    assert (late >= pd.Timedelta(0)).all()
    assert (late < pd.Timedelta(seconds=1)).all()
    pd.testing.assert_frame_equal(
        timed.drop(columns="matched").reset_index(drop=True), session.trades.reset_index(drop=True)
    )


def test_messages_arrive_in_the_order_of_the_tape(session: Session) -> None:
    """In every step of the price inside one instant of the exchange it moves with the taker."""
    timed = stream_times(session.trades, session.changes)
    steps = timed["yes_price"].diff()[1:].to_numpy()
    together = timed.index[1:] == timed.index[:-1]
    moved = together & (np.abs(steps) > 1e-9)
    buys = (timed["taker_side"] == "yes").to_numpy()[1:]
    assert int(moved.sum()) == 483
    assert ((steps > 0) == buys)[moved].all()
    tape = tape_order(timed.sample(frac=1, random_state=4))
    assert tape["yes_price"].tolist() == timed["yes_price"].tolist()


def test_the_quote_before_the_trade_is_never_on_the_wrong_side_of_it(session: Session) -> None:
    timed = stream_times(session.trades, session.changes)
    joined = join_quotes(timed, session.quotes)
    spread = effective_spread(joined).dropna()
    assert len(spread) == 3_955
    assert (spread > 0).all()
    assert round(spread.mean(), 2) == 2.77
    accuracy = classification_accuracy(quote_rule(timed, session.quotes)).loc["all"]
    assert accuracy["classified"] == accuracy["correct"] == 4_136


def test_the_quote_at_arrival_halves_the_spread_and_turns_some_negative(session: Session) -> None:
    naive = session.trades.assign(
        yes_bid=session.on_arrival["yes_bid"], yes_ask=session.on_arrival["yes_ask"]
    )
    spread = effective_spread(naive).dropna()
    assert round(spread.mean(), 2) == 1.34
    assert (spread < 0).mean() > 0.1
    inclusive = join_quotes(
        session.trades.drop(columns="arrival"), session.quotes.tz_convert("America/New_York")
    )
    assert (effective_spread(inclusive) < -1e-9).sum() == 70, "whole seconds are not good enough"


def test_the_toolkits_own_book_history_serves(session: Session) -> None:
    """quotes(book_history), with the levels of some instants written out, joins as it is."""
    some = session.quotes.dropna().iloc[1000:1400]
    some = some[~some.index.duplicated(keep="last")]
    levels = pd.concat(
        [
            pd.DataFrame({"time": some.index, "ticker": TICKER, "side": side, "price": some[name]})
            for side, name in (("bid", "yes_bid"), ("ask", "yes_ask"))
        ],
        ignore_index=True,
    ).assign(quantity=1.0)
    history = book_quotes(levels)
    timed = stream_times(session.trades, session.changes)
    mine = timed[(timed.index > some.index[0]) & (timed.index <= some.index[-1])]
    ours, theirs = join_quotes(mine, history), join_quotes(mine, some)
    assert len(mine) > 10
    names = ["quote_time", "yes_bid", "yes_ask"]
    pd.testing.assert_frame_equal(ours[names], theirs[names])


# --- by hand ---------------------------------------------------------------------------------

T0 = pd.Timestamp("2026-11-20T15:00Z")


def at(*seconds: float) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex([T0 + pd.Timedelta(microseconds=round(s * 1e6)) for s in seconds])
    return index.as_unit("us").rename("time")


def trades_at(*seconds: float, price: float = 0.42, ticker: str = "T") -> pd.DataFrame:
    return pd.DataFrame(
        {"ticker": ticker, "yes_price": price, "quantity": 1.0, "taker_side": "yes"}, index=at(*seconds)
    )


def quotes_at(*seconds: float, ticker: str = "T") -> pd.DataFrame:
    """Quotes whose bid tells which row it is: 0.01 for the first."""
    bid = (np.arange(len(seconds)) + 1) / 100
    return pd.DataFrame({"ticker": ticker, "yes_bid": bid, "yes_ask": bid + 0.5}, index=at(*seconds))


def test_a_quote_of_the_very_instant_is_the_trades_own_doing() -> None:
    joined = join_quotes(trades_at(0, 1, 1.000001, 5), quotes_at(0, 1))
    assert joined["yes_bid"].fillna(0).tolist() == [0, 0.01, 0.02, 0.02]
    assert joined["quote_time"].tolist()[1:] == list(at(0, 1, 1))
    assert pd.isna(joined["quote_time"].iloc[0])
    assert str(joined["quote_time"].dtype) == "datetime64[us, UTC]"


def test_of_several_quotes_at_one_time_the_last_one_holds() -> None:
    joined = join_quotes(trades_at(2), quotes_at(1, 1, 1))
    assert joined["yes_bid"].tolist() == [0.03]


def test_unsorted_quotes_are_put_in_order() -> None:
    quotes = quotes_at(0, 1, 2, 3)
    joined = join_quotes(trades_at(2.5, 0.5), quotes.iloc[[2, 0, 3, 1]])
    assert joined["yes_bid"].tolist() == [0.01, 0.03]


def test_all_fills_of_an_order_get_the_quote_the_order_met() -> None:
    walk = trades_at(1, 1, 1).assign(yes_price=[0.44, 0.42, 0.43])
    joined = join_quotes(walk, quotes_at(0, 1, 1, 1))
    assert joined["yes_bid"].tolist() == [0.01] * 3
    assert joined["yes_price"].tolist() == [0.42, 0.43, 0.44]
    assert joined["parent"].tolist() == [0, 0, 0]


def test_markets_do_not_lend_each_other_quotes() -> None:
    quotes = pd.concat([quotes_at(0, 4, ticker="A"), quotes_at(1, 2, 3, ticker="B")])
    quotes["ticker"] = quotes["ticker"].astype("category")
    trades = pd.concat([trades_at(3.5, ticker=name) for name in ("A", "B", "C")])
    joined = join_quotes(trades, quotes).set_index("ticker")["yes_bid"]
    assert joined[["A", "B"]].tolist() == [0.01, 0.03]
    assert np.isnan(joined["C"])


def test_a_quote_may_be_too_old() -> None:
    trades = trades_at(10, 10.000001)
    joined = join_quotes(trades, quotes_at(0), tolerance="10s")
    assert joined["yes_bid"].fillna(0).tolist() == [0.01, 0]
    assert joined["quote_time"].isna().tolist() == [False, True]
    for bad in (10, "soon", "-1s"):
        with pytest.raises(InputError, match="tolerance"):
            join_quotes(trades, quotes_at(0), tolerance=bad)  # type: ignore[arg-type]


def test_an_empty_side_stays_empty_and_is_not_an_old_price() -> None:
    quotes = quotes_at(0, 1).assign(yes_ask=[0.5, np.nan])
    joined = join_quotes(trades_at(2), quotes)
    assert np.isnan(joined["yes_ask"].iloc[0])
    assert joined["quote_time"].iloc[0] == at(1)[0]


def test_further_columns_come_along_and_clashes_are_refused() -> None:
    quotes = quotes_at(0, 1).assign(queue=[3, 4], phase=pd.Categorical(["open", "auction"]))
    joined = join_quotes(trades_at(0.5, 1.5), quotes)
    assert joined["queue"].tolist() == [3, 4]
    assert joined["phase"].tolist() == ["open", "auction"]
    with pytest.raises(FrameError, match=r"both fill the column\(s\) quantity, sequence"):
        join_quotes(trades_at(0.5), quotes.assign(quantity=1.0, sequence=2))
    with pytest.raises(FrameError, match="quote_time, yes_ask, yes_bid"):
        join_quotes(join_quotes(trades_at(0.5), quotes_at(0)), quotes_at(0))


def test_no_quotes_and_no_trades() -> None:
    none = join_quotes(trades_at(1), quotes_at(0).iloc[:0])
    assert np.isnan(none["yes_bid"].iloc[0])
    assert len(join_quotes(trades_at(1).iloc[:0], quotes_at(0))) == 0


def test_frames_of_another_kind_are_refused() -> None:
    with pytest.raises(FrameError, match=r"yes_bid, yes_ask; quotes\(book_history\)"):
        join_quotes(trades_at(1), quotes_at(0)[["ticker"]])
    with pytest.raises(FrameError, match="quotes must be indexed by time"):
        join_quotes(trades_at(1), quotes_at(0).reset_index(drop=True))
    with pytest.raises(FrameError, match="times of quotes have no time zone"):
        join_quotes(trades_at(1), quotes_at(0).tz_localize(None))


def test_the_source_of_both_is_told() -> None:
    trades, quotes = trades_at(1), quotes_at(0)
    trades.attrs["kalshi"] = {"environment": "prod", "simulated": False, "complete": True, "rows": 1}
    quotes.attrs["kalshi"] = {"environment": "sandbox", "simulated": True, "complete": True, "rows": 1}
    for found in (join_quotes(trades, quotes), quote_rule(trades, quotes)):
        assert found.attrs["kalshi"]["simulated"] is True
        assert found.attrs["kalshi"]["environment"] == "mixed"
    assert join_quotes(trades_at(1), quotes_at(0)).attrs == {}


moments = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("AB")), min_size=1, max_size=30)


@given(moments, moments, st.one_of(st.none(), st.integers(1, 20)))
def test_the_join_equals_a_search_by_hand(
    traded: list[tuple[int, str]], quoted: list[tuple[int, str]], reach: int | None
) -> None:
    trades = trades_at(*(s for s, _ in traded)).assign(ticker=[t for _, t in traded])
    quotes = quotes_at(*(s for s, _ in quoted)).assign(ticker=[t for _, t in quoted])
    joined = join_quotes(trades, quotes, tolerance=None if reach is None else f"{reach}s")
    for time, row in zip(joined.index, joined.itertuples(index=False), strict=True):
        second = int((time - T0).total_seconds())
        before = [
            (s, place)
            for place, (s, ticker) in enumerate(quoted)
            if ticker == row.ticker and s < second and (reach is None or second - s <= reach)
        ]
        expected = (max(before)[1] + 1) / 100 if before else np.nan
        np.testing.assert_equal(row.yes_bid, expected)


# --- the quote rule --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "bid", "ask", "side"),
    [
        (0.43, 0.40, 0.44, "yes"),
        (0.41, 0.40, 0.44, "no"),
        (0.42, 0.40, 0.44, None),
        (0.30, 0.10, 0.50, None),
        (0.4201, 0.40, 0.44, "yes"),
        (0.44, np.nan, 0.44, "yes"),
        (0.43, np.nan, 0.44, None),
        (0.40, 0.40, np.nan, "no"),
        (0.41, 0.40, np.nan, None),
        (0.41, np.nan, np.nan, None),
        (0.43, 0.44, 0.40, "yes"),
    ],
)
def test_quote_rule_by_hand(price: float, bid: float, ask: float, side: str | None) -> None:
    quotes = quotes_at(0).assign(yes_bid=bid, yes_ask=ask)
    (found,) = quote_rule(trades_at(1, price=price), quotes)["inferred_side"]
    assert found == side or (side is None and pd.isna(found))
    (again,) = quote_rule(join_quotes(trades_at(1, price=price), quotes))["inferred_side"]
    assert again == found or (pd.isna(again) and pd.isna(found))


def test_quote_rule_checks_what_it_gets() -> None:
    joined = join_quotes(trades_at(1), quotes_at(0))
    with pytest.raises(FrameError, match="give quotes=, or trades that join_quotes returned"):
        quote_rule(trades_at(1))
    with pytest.raises(InputError, match="joined before"):
        quote_rule(joined, tolerance="1s")
    with pytest.raises(FrameError, match="a yes_bid of trades with quotes is no multiple"):
        quote_rule(joined.assign(yes_bid=0.400001))
    twice = pd.concat([trades_at(1), trades_at(1)]).assign(trade_id="a")
    with pytest.warns(PartialDataWarning, match="1 of 2") as caught:
        quote_rule(twice, quotes_at(0))
    assert [warning.filename for warning in caught] == [__file__]


# --- times of a stream -----------------------------------------------------------------------


def change(second: float, arrival: int, **more: Any) -> dict[str, Any]:
    told = {"time": at(second)[0], "ticker": "T", "side": "ask", "price": 0.42, "change": -1.0}
    return {**told, "arrival": arrival, **more}


def changes_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).set_index("time")


def arriving(trades: pd.DataFrame, *arrival: int) -> pd.DataFrame:
    return trades.assign(arrival=list(arrival))


def seconds(frame: pd.DataFrame) -> list[float]:
    return [(time - T0).total_seconds() for time in frame.index]


def test_a_cancelled_order_of_the_same_size_is_not_taken_for_the_trade() -> None:
    changes = changes_of(change(0.1, 0), change(0.7, 1), change(0.9, 3))
    timed = stream_times(arriving(trades_at(0), 2), changes)
    assert seconds(timed) == [0.7]


def test_equal_trades_keep_their_order() -> None:
    changes = changes_of(change(0.1, 0), change(0.5, 1), change(0.6, 2), change(0.8, 5))
    timed = stream_times(arriving(trades_at(0, 0, 0), 3, 4, 6), changes)
    assert seconds(timed) == [0.5, 0.6, 0.8]
    burst = stream_times(arriving(trades_at(0, 0), 3, 4), changes)
    assert seconds(burst) == [0.5, 0.6]


@pytest.mark.parametrize(
    "other",
    [
        {"price": 0.43},
        {"change": -2.0},
        {"change": 1.0},
        {"side": "bid"},
        {"ticker": "U"},
        {"arrival": 9},
        {"time": at(1.5)[0]},
    ],
)
def test_what_is_not_its_change_leaves_the_trade_as_it_was(other: dict[str, Any]) -> None:
    timed = stream_times(arriving(trades_at(0), 2), changes_of(change(0.5, 1) | other))
    assert seconds(timed) == [0]
    assert timed["matched"].tolist() == [False]


def test_a_taker_of_no_meets_the_bids() -> None:
    sale = trades_at(0).assign(taker_side="no")
    timed = stream_times(arriving(sale, 2), changes_of(change(0.5, 1, side="bid")))
    assert seconds(timed) == [0.5]


def test_finer_times_narrow_the_search() -> None:
    changes = changes_of(change(0.1234, 0), change(0.7, 1))
    trade = arriving(trades_at(0.123), 2)
    assert seconds(stream_times(trade, changes, resolution="1ms")) == [0.1234]


def test_streams_without_trades_or_changes() -> None:
    trade = arriving(trades_at(0), 2)
    some = changes_of(change(0.1, 0))
    assert stream_times(trade, some.iloc[:0])["matched"].tolist() == [False]
    assert len(stream_times(trade.iloc[:0], some)) == 0


def brute_force(traded: list[int], changed: list[int]) -> list[int | None]:
    """From the last trade back, each takes the latest change before it and before the next one's."""
    found: list[int | None] = []
    limit = np.inf
    for arrival in reversed(traded):
        before = [c for c in changed if c < arrival and c < limit]
        if not before:
            limit = -1
        found.append(max(before) if before else None)
        limit = min(limit, max(before, default=-1))
    return found[::-1]


@given(st.lists(st.sampled_from("tcuvw"), min_size=1, max_size=60))
def test_changes_are_dealt_out_as_by_hand(word: list[str]) -> None:
    """`t` and `c` are trades and changes at one price, `u` and `v` at another, `w` is something else."""
    place = {kind: [at_ for at_, letter in enumerate(word) if letter == kind] for kind in "tcuvw"}
    rows = [change(0.000001 * a, a) for a in place["c"]]
    rows += [change(0.000001 * a, a, price=0.43) for a in place["v"]]
    rows += [change(0.5, a, change=5.0) for a in place["w"]]
    trades = [arriving(trades_at(0, price=0.42), a) for a in place["t"]]
    trades += [arriving(trades_at(0, price=0.43), a) for a in place["u"]]
    if not rows or not trades:
        return
    timed = stream_times(pd.concat(trades), changes_of(*rows))
    for price, mine, theirs in ((0.42, "t", "c"), (0.43, "u", "v")):
        found = timed[timed["yes_price"] == price]
        given_to = [
            round(s * 1e6) if ok else None
            for s, ok in zip(seconds(found), found["matched"], strict=True)
        ]
        assert given_to == brute_force(place[mine], place[theirs])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            changes_of(change(0, 0)).drop(columns="side"),
            r"lacks the column\(s\) side; replay_book makes",
        ),
        (changes_of(change(0, 0, side="yes")), "must be 'bid' or 'ask', but row 0 says 'yes'"),
        (changes_of(change(0, 0, price=np.nan)), "price of changes of the book is not a number"),
        (changes_of(change(0, 0, change=0.001)), "is no multiple of 1/100 contract"),
        (changes_of(change(0, 0, change=np.nan)), "is no multiple of 1/100 contract"),
        (changes_of(change(0, 0) | {"arrival": np.nan}), "has no arrival: row 0"),
        (changes_of(change(0, 0)).tz_localize(None), "have no time zone"),
    ],
)
def test_changes_that_are_none_are_refused(changes: pd.DataFrame, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        stream_times(arriving(trades_at(0), 2), changes)


def test_trades_that_did_not_arrive_are_refused() -> None:
    with pytest.raises(FrameError, match="lacks the column arrival"):
        stream_times(trades_at(0), changes_of(change(0, 0)))
