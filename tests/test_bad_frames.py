"""What cannot be analysed is refused in words: which column, which row, and who makes such frames.

Every function of `book`, of `analysis` and the fees of trades is handed every damage that fits what
it takes. No other exception than a `KalshiError` may come out, and nothing may be computed.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research import analysis, book
from kalshi_research.analysis import microstructure
from kalshi_research.errors import FrameError, InputError, PartialDataWarning

Take = Callable[..., Any]
Damage = Callable[[pd.DataFrame], Any]

T0 = pd.Timestamp("2026-11-20T15:00Z")
N = 60


def frames() -> dict[str, pd.DataFrame]:
    """Good frames of each kind, by the name of the argument that takes them."""
    rng = np.random.default_rng(3)
    at = pd.DatetimeIndex(T0 + pd.to_timedelta(np.arange(N) * 30, unit="s"), name="time").as_unit("us")
    bid = rng.integers(30, 60, N) / 100
    quotes = pd.DataFrame(
        {
            "ticker": np.where(np.arange(N) % 2, "KXA-1", "KXA-2"),
            "yes_bid": bid,
            "yes_bid_size": rng.integers(1, 90, N) * 1.0,
            "yes_ask": np.round(bid + rng.integers(1, 4, N) / 100, 2),
            "yes_ask_size": rng.integers(1, 90, N) * 1.0,
        },
        index=at,
    )
    trades = pd.DataFrame(
        {
            "trade_id": [f"{place:032x}" for place in range(N)],
            "ticker": quotes["ticker"].to_numpy(),
            "yes_price": quotes["yes_ask"].to_numpy(),
            "quantity": rng.integers(1, 50, N) * 1.0,
            "taker_side": rng.choice(["yes", "no"], N),
        },
        index=at + pd.Timedelta("61s"),
    )
    changes = pd.DataFrame(
        {"ticker": "KXA-1", "side": "ask", "price": 0.42, "change": -5.0, "arrival": np.arange(N)},
        index=at,
    )
    levels = pd.DataFrame(
        {
            "ticker": "KXA-1",
            "side": ["bid", "bid", "ask", "ask"],
            "price": [0.42, 0.41, 0.44, 0.45],
            "quantity": [10.0, 20.0, 30.0, 40.0],
        }
    )
    joined = kr.join_quotes(trades, quotes).drop(columns=["sequence", "parent"])
    classified = kr.tick_rule(trades).drop(columns=["sequence", "parent"])
    return {
        "quotes": quotes,
        "trades": trades,
        "joined": joined,
        "classified": classified,
        "streamed": trades.assign(arrival=np.arange(N) + N),
        "changes": changes,
        "levels": levels,
    }


GOOD = frames()

TAKES_BOOK: dict[str, Take] = {
    **{name: getattr(kr, name) for name in sorted({*book.__all__} - {"fill_cost"})},
    "fill_cost": lambda b: kr.fill_cost(b, "yes", 5),
}
TAKES_TRADES: dict[str, Take] = {
    "tape_order": kr.tape_order,
    "parent_orders": kr.parent_orders,
    "time_bars": lambda t: kr.time_bars(t, "5min"),
    "volume_bars": lambda t: kr.volume_bars(t, 100),
    "trade_bars": lambda t: kr.trade_bars(t, 7),
    "tick_rule": kr.tick_rule,
    "trading_fees": kr.trading_fees,
    "join_quotes": lambda t: kr.join_quotes(t, GOOD["quotes"]),
    "quote_rule": lambda t: kr.quote_rule(t, GOOD["quotes"]),
    "roll_spread": kr.roll_spread,
    "glosten_harris": kr.glosten_harris,
    "kyle_lambda": lambda t: kr.kyle_lambda(t, GOOD["quotes"]),
    "vpin": lambda t: kr.vpin(t, 100, window=2),
    "depth_resilience": lambda t: kr.depth_resilience(t, GOOD["quotes"]),
    "volatility_signature": lambda t: kr.volatility_signature(t, price="yes_price"),
}
TAKES_JOINED: dict[str, Take] = {
    "effective_spread": kr.effective_spread,
    "trade_spreads": kr.trade_spreads,
    "spread_decomposition": lambda t: kr.spread_decomposition(t, GOOD["quotes"]),
    "impact_curve": lambda t: kr.impact_curve(t, GOOD["quotes"]),
    "quote_rule of joined trades": kr.quote_rule,
}
TAKES_QUOTES: dict[str, Take] = {
    "join_quotes": lambda q: kr.join_quotes(GOOD["trades"], q),
    "quote_rule": lambda q: kr.quote_rule(GOOD["trades"], q),
    "quoted_spread": kr.quoted_spread,
    "trade_spreads": lambda q: kr.trade_spreads(GOOD["joined"], q),
    "spread_decomposition": lambda q: kr.spread_decomposition(GOOD["joined"], q),
    "impact_curve": lambda q: kr.impact_curve(GOOD["joined"], q),
    "kyle_lambda": lambda q: kr.kyle_lambda(GOOD["trades"], q),
    "volatility_signature": kr.volatility_signature,
}
TAKES_SIZES: dict[str, Take] = {
    "order_flow_imbalance": kr.order_flow_imbalance,
    "ofi_regression": kr.ofi_regression,
    "depth_resilience": lambda q: kr.depth_resilience(GOOD["trades"], q),
}
TAKES_OTHERS: dict[str, tuple[str, Take]] = {
    "classification_accuracy": ("classified", kr.classification_accuracy),
    "stream_times of trades": ("streamed", lambda t: kr.stream_times(t, GOOD["changes"])),
    "stream_times of changes": ("changes", lambda c: kr.stream_times(GOOD["streamed"], c)),
}

KINDS: dict[str, tuple[str, dict[str, Take], tuple[str, ...]]] = {
    "book": ("levels", TAKES_BOOK, ("ticker", "side", "price", "quantity")),
    "trades": ("trades", TAKES_TRADES, ("ticker", "yes_price", "quantity", "taker_side")),
    "joined": (
        "joined",
        TAKES_JOINED,
        ("ticker", "yes_price", "quantity", "taker_side", "yes_bid", "yes_ask"),
    ),
    "quotes": ("quotes", TAKES_QUOTES, ("ticker", "yes_bid", "yes_ask")),
    "sizes": (
        "quotes",
        TAKES_SIZES,
        ("ticker", "yes_bid_size", "yes_ask_size"),
    ),
    "classified": (
        "classified",
        {"classification_accuracy": kr.classification_accuracy},
        ("ticker", "yes_price", "quantity", "taker_side", "inferred_side"),
    ),
    "streamed": (
        "streamed",
        {"stream_times": TAKES_OTHERS["stream_times of trades"][1]},
        ("ticker", "yes_price", "quantity", "taker_side", "arrival"),
    ),
    "changes": (
        "changes",
        {"stream_times": TAKES_OTHERS["stream_times of changes"][1]},
        ("ticker", "side", "price", "change", "arrival"),
    ),
}
EVERY = [
    pytest.param(GOOD[frame], take, id=f"{name}, {kind}")
    for kind, (frame, functions, _) in KINDS.items()
    for name, take in functions.items()
]
TIMED = [
    pytest.param(GOOD[frame], take, id=f"{name}, {kind}")
    for kind, (frame, functions, _) in KINDS.items()
    if kind != "book"
    for name, take in functions.items()
]


def refused(take: Take, frame: Any, *said: str) -> str:
    """The message with which a frame is refused; it must hold the words, in at most three lines."""
    with pytest.raises(FrameError) as caught:
        take(frame)
    message = str(caught.value)
    assert message.count("\n") < 3
    for words in said:
        assert words in message, message
    return message


def in_row(frame: pd.DataFrame, name: str, value: object, row: int = 2) -> pd.DataFrame:
    """The frame with another value in one row."""
    column = frame[name].astype(object) if not isinstance(value, float) else frame[name].copy()
    column.iloc[row] = value
    return frame.assign(**{name: column})


# Which functions there are


def test_every_function_that_takes_such_a_frame_is_tried() -> None:
    """A new function for books, trades or quotes has to be entered above."""
    known = {name.split(" ")[0] for _, functions, _ in KINDS.values() for name in functions}
    ours = {"book", "trades", "quotes", "prices", "classified"}
    offered = {
        name
        for name in {*book.__all__, *analysis.__all__, *microstructure.__all__}
        if next(iter(signature(getattr(kr, name)).parameters)) in ours
    }
    assert offered <= known
    assert len(offered) > 30


@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_good_frames_are_taken(frame: pd.DataFrame, take: Take) -> None:
    before = frame.copy(deep=True)
    assert isinstance(take(frame), pd.DataFrame)
    pd.testing.assert_frame_equal(frame, before)


# Frames of another kind


@pytest.mark.parametrize("thing", [None, [], {"ticker": ["T"]}, "trades", pd.Series([1.0]), np.ones(3)])
@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_what_is_no_frame(frame: pd.DataFrame, take: Take, thing: object) -> None:
    if thing is None and take is TAKES_QUOTES["trade_spreads"]:
        assert "later_mid" not in take(thing)  # quotes may be left out there
        return
    message = refused(take, thing)
    assert type(thing).__name__ in message or "column" in message


@pytest.mark.parametrize(
    ("frame", "take", "column"),
    [
        pytest.param(GOOD[frame], take, column, id=f"{name}, {kind} without {column}")
        for kind, (frame, functions, columns) in KINDS.items()
        for name, take in functions.items()
        for column in columns
    ],
)
def test_a_missing_column_is_named_with_who_makes_such_frames(
    frame: pd.DataFrame, take: Take, column: str
) -> None:
    message = refused(take, frame.drop(columns=column), column)
    makers = ("get_", "read_", "quotes(", "replay_book", "join_quotes", "tick_rule", "depth_within")
    assert any(maker in message for maker in makers), message


@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_a_column_that_is_there_twice(frame: pd.DataFrame, take: Take) -> None:
    refused(take, pd.concat([frame, frame[["ticker"]]], axis=1), "ticker", "twice")


@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_columns_of_several_levels(frame: pd.DataFrame, take: Take) -> None:
    refused(take, pd.concat({"day": frame}, axis=1), "column")


# Times


@pytest.mark.parametrize(("frame", "take"), TIMED)
def test_times_without_a_zone(frame: pd.DataFrame, take: Take) -> None:
    refused(take, frame.tz_localize(None), "no time zone", "tz_localize")


@pytest.mark.parametrize(("frame", "take"), TIMED)
def test_an_index_without_times(frame: pd.DataFrame, take: Take) -> None:
    refused(take, frame.reset_index(drop=True), "indexed by time")
    refused(take, frame.rename_axis("time").reset_index(), "set_index('time')")


@pytest.mark.parametrize(("frame", "take"), TIMED)
def test_a_row_without_a_time(frame: pd.DataFrame, take: Take) -> None:
    at = frame.index.to_series().reset_index(drop=True)
    at.iloc[2] = pd.NaT
    refused(take, frame.set_axis(pd.DatetimeIndex(at, name="time")), "no time", "row 2")


@pytest.mark.parametrize("name", TAKES_BOOK)
def test_the_times_of_a_book_history(name: str) -> None:
    levels, take = GOOD["levels"], TAKES_BOOK[name]
    refused(take, levels.assign(time=pd.Timestamp("2026-11-20")), "time zone")
    refused(take, levels.assign(time="2026-11-20"), "time zone")
    late = levels.assign(time=pd.Series([T0, T0, T0, pd.NaT]).dt.tz_convert("UTC"))
    refused(take, late, "no time", "row 3")


# Prices and quantities

PRICES = [
    (float("nan"), "not a number"),
    (float("inf"), ""),
    (-0.01, ""),
    (1.2, ""),
    (0.42005, "1/10000"),
    (56.0, ""),
]
QUANTITIES = [
    (float("nan"), "not a number"),
    (float("inf"), ""),
    (0.0, "not positive"),
    (-5.0, "not positive"),
    (0.005, "1/100"),
]
COLUMNS = [
    ("trades", "yes_price", PRICES),
    ("trades", "quantity", QUANTITIES),
    ("joined", "yes_price", PRICES),
    ("joined", "quantity", QUANTITIES),
    ("book", "price", PRICES),
    ("book", "quantity", QUANTITIES),
    ("classified", "yes_price", PRICES),
    ("classified", "quantity", QUANTITIES),
    ("streamed", "yes_price", PRICES),
    ("streamed", "quantity", QUANTITIES),
    ("changes", "price", PRICES),
]


@pytest.mark.parametrize(
    ("frame", "take", "column", "value", "words"),
    [
        pytest.param(GOOD[KINDS[kind][0]], take, column, value, words, id=f"{name}, {column} {value}")
        for kind, column, values in COLUMNS
        for name, take in KINDS[kind][1].items()
        for value, words in values
    ],
)
def test_an_impossible_number_is_told_with_its_row(
    frame: pd.DataFrame, take: Take, column: str, value: float, words: str
) -> None:
    message = refused(take, in_row(frame, column, value), column, "row 2", words)
    assert str(value) in message


QUOTED = [(-0.01, "outside"), (1.2, "outside"), (56.0, "outside"), (0.42005, "1/10000")]


@pytest.mark.parametrize(
    ("frame", "take", "value", "words"),
    [
        pytest.param(GOOD[KINDS[kind][0]], take, value, words, id=f"{name}, {kind} {value}")
        for kind in ("quotes", "joined")
        for name, take in KINDS[kind][1].items()
        for value, words in QUOTED
    ],
)
@pytest.mark.parametrize("column", ["yes_bid", "yes_ask"])
def test_an_impossible_quote_is_told_with_its_row(
    frame: pd.DataFrame, take: Take, value: float, words: str, column: str
) -> None:
    refused(take, in_row(frame, column, value), f"a {column}", words, str(value), "row 2")


@pytest.mark.parametrize(
    ("frame", "take", "column"),
    [
        pytest.param(GOOD[KINDS[kind][0]], take, column, id=f"{name}, {column}")
        for kind, column, _ in [*COLUMNS, ("quotes", "yes_bid", None), ("joined", "yes_ask", None)]
        for name, take in KINDS[kind][1].items()
    ],
)
@pytest.mark.parametrize("text", ["0.42", Decimal("0.42"), True, [0.42]], ids=str)
def test_prices_that_are_no_floats(frame: pd.DataFrame, take: Take, column: str, text: object) -> None:
    refused(take, frame.assign(**{column: pd.Series([text] * len(frame), index=frame.index)}), column)


@pytest.mark.parametrize("name", TAKES_SIZES)
@pytest.mark.parametrize("value", [-1.0, float("inf")])
def test_an_impossible_size_of_a_quote(name: str, value: float) -> None:
    refused(TAKES_SIZES[name], in_row(GOOD["quotes"], "yes_bid_size", value), "yes_bid_size")


# Words


@pytest.mark.parametrize(
    ("frame", "take", "column"),
    [
        pytest.param(GOOD[KINDS[kind][0]], take, column, id=f"{name}, {kind} {column}")
        for kind, column in (
            ("book", "side"),
            ("trades", "taker_side"),
            ("joined", "taker_side"),
            ("classified", "taker_side"),
            ("streamed", "taker_side"),
            ("changes", "side"),
        )
        for name, take in KINDS[kind][1].items()
    ],
)
@pytest.mark.parametrize("word", ["YES", "buy", "", None, 1])
def test_a_side_that_is_none(frame: pd.DataFrame, take: Take, column: str, word: object) -> None:
    refused(take, in_row(frame, column, word), column, "row 2")


@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_a_row_without_a_ticker(frame: pd.DataFrame, take: Take) -> None:
    refused(take, in_row(frame, "ticker", None), "no ticker", "row 2")


@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_a_ticker_that_is_no_word(frame: pd.DataFrame, take: Take) -> None:
    values = pd.Series([["KXA-1"]] * len(frame), index=frame.index)
    refused(take, frame.assign(ticker=values), "ticker")


# Order and repeats


@pytest.mark.parametrize(("frame", "take"), EVERY)
def test_the_order_of_the_rows_does_not_matter(frame: pd.DataFrame, take: Take) -> None:
    shuffled = frame.sample(frac=1.0, random_state=5)
    expected, found = take(frame), take(shuffled)
    if "matched" in found:  # ordered by arrival, where it is told
        expected, found = expected.sort_index(kind="stable"), found.sort_index(kind="stable")
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("frame", "take"),
    [
        pytest.param(GOOD[KINDS[kind][0]], take, id=f"{name}, {kind}")
        for kind in ("trades", "joined", "classified", "streamed")
        for name, take in KINDS[kind][1].items()
    ],
)
def test_trades_that_came_twice_are_counted_and_dropped(frame: pd.DataFrame, take: Take) -> None:
    with pytest.warns(PartialDataWarning, match=r"7 of 67 trades came more than once \(same trade_id\)"):
        found = take(pd.concat([frame, frame.iloc[:7]]))
    pd.testing.assert_frame_equal(found, take(frame))


@pytest.mark.parametrize("name", TAKES_BOOK)
def test_a_level_that_is_there_twice(name: str) -> None:
    levels = GOOD["levels"]
    refused(TAKES_BOOK[name], pd.concat([levels, levels.iloc[:1]]), "two levels at one price", "KXA-1")


# Markets, events and series


def entities() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    markets = pd.DataFrame({"event_ticker": ["E"]}, index=pd.Index(["E-1"], name="ticker"))
    events = pd.DataFrame({"series_ticker": ["S"]}, index=pd.Index(["E"], name="event_ticker"))
    fees = {"fee_type": ["quadratic"], "fee_multiplier": [1.0]}
    return markets, events, pd.DataFrame(fees, index=pd.Index(["S"], name="series_ticker"))


@pytest.mark.parametrize("place", range(3), ids=["markets", "events", "series"])
def test_fee_terms_of_incomplete_tables(place: int) -> None:
    name = ("markets", "events", "series")[place]
    tables = list(entities())
    assert len(kr.market_fee_terms(*tables)) == 1

    def take(table: Any) -> Any:
        return kr.market_fee_terms(*(table if at == place else one for at, one in enumerate(tables)))

    for column in tables[place].columns:
        refused(take, tables[place].drop(columns=column), column, f"get_{name}", f"read_{name}")
    refused(take, None, name, "DataFrame")
    if place:
        refused(take, tables[place].iloc[:0], name, "lacks")
        refused(take, pd.concat([tables[place]] * 2), name, "more than once")


def test_fees_of_trades_without_their_terms() -> None:
    def take(terms: Any) -> Any:
        return kr.trading_fees(GOOD["trades"], terms=terms)

    refused(take, kr.market_fee_terms(*entities()), "fee terms", "KXA-1")
    both = pd.DataFrame({"fee_type": "quadratic", "fee_multiplier": 1.0}, index=["KXA-1", "KXA-2"])
    assert len(take(both)) == N
    for bad in (float("nan"), -1.0, float("inf")):
        refused(take, in_row(both, "fee_multiplier", bad, 1), "KXA-2")
    refused(take, in_row(both, "fee_type", "free", 1), "KXA-2")
    refused(take, both.drop(columns="fee_type"), "fee_type", "market_fee_terms makes")


IMPOSSIBLE = [
    ("nan", 1), ("0.42005", 1), (1.2, 1), (-0.1, 1), (0, 1), (1, 1), ("x", 1), (None, 1), (True, 1),
    ("0.42", 0), ("0.42", -1), ("0.42", "0.005"), ("0.42", float("nan")), ("0.42", None), ("0.42", [1]),
]  # fmt: skip


@pytest.mark.parametrize(("price", "quantity"), IMPOSSIBLE)
@pytest.mark.parametrize(
    "ask",
    [
        kr.trading_fee,
        kr.break_even_price,
        lambda price, quantity: kr.round_trip_cost("0.5", price, quantity),
    ],
    ids=["trading_fee", "break_even_price", "round_trip_cost"],
)
def test_fees_of_impossible_orders(ask: Take, price: Any, quantity: Any) -> None:
    with pytest.raises(InputError):
        ask(price, quantity)
