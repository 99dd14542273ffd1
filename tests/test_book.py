"""Order-book analytics against an oracle that knows only the wire and exact fractions."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_research.book import (
    book_notional,
    cumulative,
    depth_curve,
    depth_within,
    fill_cost,
    imbalance,
    microprice,
    no_view,
    quotes,
    spread,
)
from kalshi_research.errors import FrameError, InputError, PartialDataWarning
from kalshi_research.fees import FeeTerms, trading_fee

FRAME_TO_FRAME = [quotes, spread, microprice, cumulative, no_view]
FRAME_TO_FRAME += [depth_curve, depth_within, imbalance, book_notional]

Levels = list[tuple[Fraction, Fraction]]


@dataclass(frozen=True)
class Book:
    """Bids of both legs, best first, as exact numbers."""

    ticker: str
    yes: Levels
    no: Levels

    @property
    def asks(self) -> Levels:
        return [(1 - price, size) for price, size in self.no]


def book_of(ticker: str, yes: list, no: list, per_dollar: int = 1) -> Book:
    def best_first(pairs: list) -> Levels:
        exact = [(Fraction(str(p)) / per_dollar, Fraction(str(q))) for p, q in pairs]
        return sorted(exact, reverse=True)

    return Book(ticker, best_first(yes), best_first(no))


def frame_of(*books: Book) -> pd.DataFrame:
    """The level frame of the contract, written out level by level."""
    rows = []
    for book in books:
        for side, levels in (("bid", book.yes), ("ask", book.asks)):
            running = Fraction(0)
            for level, (price, size) in enumerate(levels):
                running += size
                rows.append((book.ticker, side, level, float(price), float(size), float(running)))
    frame = pd.DataFrame(
        rows, columns=["ticker", "side", "level", "price", "quantity", "cumulative"]
    ).astype({"level": "int64", "price": "float64", "quantity": "float64", "cumulative": "float64"})
    frame["ticker"] = pd.Categorical(frame["ticker"], categories=[b.ticker for b in books])
    frame["side"] = pd.Categorical(frame["side"], categories=["bid", "ask"])
    return frame


YES = [(1, 200), (15, 100), (20, 50), (25, 20), (30, 11), (31, 10), (32, 10), (33, 11), (34, 9)]
YES += [(35, 11), (41, 10), (42, 13)]
NO = [(1, 100), (16, 3), (25, 50), (28, 19), (36, 5), (37, 50), (38, 300), (44, 29), (45, 20), (56, 17)]
SAMPLE = book_of("SAMPLE", YES, NO, per_dollar=100)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[Book]:
    """All 240 recorded books, read here without the toolkit."""
    books = []
    for entry in json.loads((shared / "real/orderbooks/production_140.json").read_text())["books"]:
        sides = entry["response"]["orderbook_fp"]
        books.append(book_of(entry["ticker"], sides["yes_dollars"], sides["no_dollars"]))
    for at, entry in enumerate(
        json.loads((shared / "real/orderbooks/cents_format_100.json").read_text())["books"]
    ):
        sides = entry["response"]["orderbook"]
        name = f"{at}/{entry['ticker']}"
        books.append(book_of(name, sides["yes"] or [], sides["no"] or [], per_dollar=100))
    return books


def nearest(value: Fraction | None) -> float:
    return math.nan if value is None else float(value)


def oracle_quotes(book: Book) -> dict[str, float]:
    bid, bid_size = book.yes[0] if book.yes else (None, None)
    no_bid, no_size = book.no[0] if book.no else (None, None)
    ask = None if no_bid is None else 1 - no_bid
    both = bid is not None and ask is not None
    return {
        "yes_bid": nearest(bid),
        "yes_bid_size": nearest(bid_size),
        "yes_ask": nearest(ask),
        "yes_ask_size": nearest(no_size),
        "no_bid": nearest(no_bid),
        "no_bid_size": nearest(no_size),
        "no_ask": nearest(None if bid is None else 1 - bid),
        "no_ask_size": nearest(bid_size),
        "spread": nearest(ask - bid if both else None),
        "mid": nearest((ask + bid) / 2 if both else None),
        "microprice": nearest((bid * no_size + ask * bid_size) / (bid_size + no_size) if both else None),
    }


def identical(found: pd.Series, expected: list[float]) -> None:
    """Bit for bit, with NaN where NaN is due."""
    np.testing.assert_array_equal(found.to_numpy(), np.array(expected))


# --- recorded books ---------------------------------------------------------------------


def test_recorded_books_are_what_they_are_said_to_be(recorded: list[Book]) -> None:
    assert len(recorded) == 240
    assert sum(not b.yes and not b.no for b in recorded) == 62


def test_quotes_equal_the_oracle_on_every_recorded_book(recorded: list[Book]) -> None:
    found = quotes(frame_of(*recorded))
    assert found.index.tolist() == [b.ticker for b in recorded]
    expected = pd.DataFrame([oracle_quotes(b) for b in recorded])
    assert found.columns.tolist() == expected.columns.tolist()
    for name in expected:
        identical(found[name], expected[name].tolist())


def test_spreads_of_both_legs_equal_the_oracle(recorded: list[Book]) -> None:
    found = spread(frame_of(*recorded))
    both = [b.yes and b.no for b in recorded]
    exact = [1 - b.no[0][0] - b.yes[0][0] if ok else None for b, ok in zip(recorded, both, strict=True)]
    identical(found["yes_spread"], [nearest(x) for x in exact])
    identical(found["no_spread"], [nearest(x) for x in exact])


@pytest.mark.parametrize("cents", [0, 1, 5, 30, 100])
def test_depth_within_equals_the_oracle(recorded: list[Book], cents: int) -> None:
    found = depth_within(frame_of(*recorded), dollars=cents / 100)
    for leg in ("yes", "no"):
        ladders = [getattr(b, leg) for b in recorded]
        expected = [
            float(sum((q for p, q in one if one[0][0] - p <= Fraction(cents, 100)), Fraction(0)))
            for one in ladders
        ]
        identical(found[f"{leg}_depth"], expected)


@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_imbalance_and_microprice_by_levels_equal_the_oracle(recorded: list[Book], levels: int) -> None:
    frame = frame_of(*recorded)
    found, price = imbalance(frame, levels=levels), microprice(frame, levels=levels)
    for at, book in enumerate(recorded):
        bid = sum((q for _, q in book.yes[:levels]), Fraction(0))
        ask = sum((q for _, q in book.no[:levels]), Fraction(0))
        exact = None if bid + ask == 0 else (bid - ask) / (bid + ask)
        identical(found["imbalance"].iloc[[at]], [nearest(exact)])
        identical(found["bid_quantity"].iloc[[at]], [float(bid)])
        tilted = None
        if book.yes and book.no:
            tilted = (book.yes[0][0] * ask + (1 - book.no[0][0]) * bid) / (bid + ask)
        identical(price["microprice"].iloc[[at]], [nearest(tilted)])


def test_imbalance_within_a_distance_equals_the_oracle(recorded: list[Book]) -> None:
    found = imbalance(frame_of(*recorded), within="0.03")
    for at, book in enumerate(recorded):
        bid, ask = (
            sum((q for p, q in side if side[0][0] - p <= Fraction(3, 100)), Fraction(0))
            for side in (book.yes, book.no)
        )
        exact = None if bid + ask == 0 else (bid - ask) / (bid + ask)
        identical(found["imbalance"].iloc[[at]], [nearest(exact)])


def test_notional_equals_the_oracle(recorded: list[Book]) -> None:
    found = book_notional(frame_of(*recorded))
    for leg in ("yes", "no"):
        identical(
            found[f"{leg}_notional"],
            [float(sum((p * q for p, q in getattr(b, leg)), Fraction(0))) for b in recorded],
        )
    exact = [sum((p * q for p, q in b.yes + b.no), Fraction(0)) for b in recorded]
    identical(found["notional"], [float(x) for x in exact])


def test_depth_curve_equals_the_oracle(recorded: list[Book]) -> None:
    found = depth_curve(frame_of(*recorded))
    rows = []
    for book in recorded:
        for side, levels in (("bid", book.yes), ("ask", book.asks)):
            for at, (price, size) in enumerate(levels):
                away, above = abs(price - levels[0][0]), sum(q for _, q in levels[: at + 1])
                rows.append((book.ticker, side, float(price), float(away), float(size), float(above)))
    assert list(found.itertuples(index=False, name=None)) == rows
    assert found.columns.tolist() == ["ticker", "side", "price", "distance", "quantity", "cumulative"]


def oracle_fill(book: Book, side: str, wanted: Fraction) -> dict[str, float]:
    """Buy from the offers of the leg, cheapest first."""
    offers = [(1 - p, q) for p, q in (book.no if side == "yes" else book.yes)]
    left, cost, levels, worst = wanted, Fraction(0), 0, None
    for price, size in offers:
        if left == 0:
            break
        take = min(left, size)
        left, cost, levels, worst = left - take, cost + take * price, levels + 1, price
    filled = wanted - left
    average = cost / filled if filled else None
    mid = None
    if book.yes and book.no:
        mid = (book.yes[0][0] + 1 - book.no[0][0]) / 2
        mid = mid if side == "yes" else 1 - mid
    return {
        "quantity": float(wanted),
        "filled": float(filled),
        "unfilled": float(left),
        "levels": levels,
        "touch": nearest(offers[0][0] if offers else None),
        "worst_price": nearest(worst),
        "average_price": nearest(average),
        "cost": float(cost),
        "slippage_touch": nearest(average - offers[0][0] if average is not None else None),
        "slippage_mid": nearest(average - mid if average is not None and mid is not None else None),
    }


@pytest.mark.filterwarnings("ignore::kalshi_research.errors.PartialDataWarning")
@pytest.mark.parametrize("side", ["yes", "no"])
@pytest.mark.parametrize("quantity", ["0.01", "1", "250.5", "100000"])
def test_fill_cost_equals_the_oracle(recorded: list[Book], side: str, quantity: str) -> None:
    found = fill_cost(frame_of(*recorded), side, quantity)
    assert (found["side"] == side).all()
    expected = pd.DataFrame([oracle_fill(b, side, Fraction(quantity)) for b in recorded])
    for name in expected:
        identical(found[name], expected[name].tolist())


def test_no_view_of_every_recorded_book(recorded: list[Book]) -> None:
    frame = frame_of(*recorded)
    mirrored = [Book(b.ticker, b.no, b.yes) for b in recorded]
    pd.testing.assert_frame_equal(no_view(frame), frame_of(*mirrored))
    pd.testing.assert_frame_equal(no_view(no_view(frame)), frame)


# --- the documents' worked example --------------------------------------------------------


def test_documents_sample_book() -> None:
    row = quotes(frame_of(SAMPLE)).loc["SAMPLE"]
    assert (row["yes_bid"], row["yes_ask"], row["spread"]) == (0.42, 0.44, 0.02)
    assert (row["no_bid"], row["no_ask"]) == (0.56, 0.58)
    legs = spread(frame_of(SAMPLE)).loc["SAMPLE"]
    assert legs["yes_spread"] == legs["no_spread"] == 0.02
    depth = depth_within(frame_of(SAMPLE), dollars=0.05).loc["SAMPLE"]
    assert (depth["yes_depth"], depth["no_depth"]) == (23.0, 17.0)


def test_boundary_of_depth_is_inclusive_where_floats_would_miss_it() -> None:
    book = frame_of(book_of("T", [("0.42", 13), ("0.37", 10), ("0.3699", 1)], []))
    assert 0.42 - 0.37 != 0.05
    assert depth_within(book, dollars=0.05)["yes_depth"].item() == 23.0
    assert imbalance(book, within=0.05)["bid_quantity"].item() == 23.0


def test_complement_is_the_nearest_double_for_every_tick() -> None:
    books = [book_of(str(t), [], [(Fraction(t, 10_000), 1)]) for t in range(1, 10_000)]
    found = quotes(frame_of(*books))["yes_ask"]
    assert found.tolist() == [(10_000 - t) / 10_000 for t in range(1, 10_000)]
    assert found["5600"] == 0.44 != 1 - 0.56


def test_fill_cost_walks_the_sample_book() -> None:
    # 17 at 0.44 and 3 of the 20 at 0.55
    row = fill_cost(frame_of(SAMPLE), "yes", 20).loc["SAMPLE"]
    assert (row["levels"], row["cost"], row["unfilled"]) == (2, 9.13, 0.0)
    assert (row["average_price"], row["worst_price"]) == (0.4565, 0.55)
    assert (row["slippage_touch"], row["slippage_mid"]) == (0.0165, 0.0265)
    # to sell 20 YES: 13 at 0.42 and 7 at 0.41
    sold = fill_cost(frame_of(SAMPLE), "no", 20).loc["SAMPLE"]
    assert sold["filled"] - sold["cost"] == pytest.approx(13 * 0.42 + 7 * 0.41)


def test_a_partial_fill_is_never_silent() -> None:
    with pytest.warns(PartialDataWarning, match="1 of 1 orders cannot be filled") as caught:
        row = fill_cost(frame_of(SAMPLE), "yes", 1000).iloc[0]
    assert caught[0].filename == __file__
    assert (row["quantity"], row["filled"], row["unfilled"]) == (1000.0, 593.0, 407.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fill_cost(frame_of(SAMPLE), "yes", 593)["unfilled"].item() == 0.0


def test_several_quantities_give_a_curve_per_book() -> None:
    books = frame_of(SAMPLE, book_of("B", [("0.30", 100)], [("0.60", 100)]))
    found = fill_cost(books, "no", [1, "50", 60.5])
    assert found.index.tolist() == ["SAMPLE"] * 3 + ["B"] * 3
    assert found["quantity"].tolist() == [1.0, 50.0, 60.5] * 2
    assert found["cost"].tolist()[3:] == [0.7, 35.0, 42.35]


def test_fees_are_charged_level_by_level_where_terms_are_given() -> None:
    frame = frame_of(SAMPLE, book_of("B", [("0.30", 100)], [("0.53", 100)]))
    assert "fee" not in fill_cost(frame, "yes", 20)
    found = fill_cost(frame, "yes", 20, fees=FeeTerms())
    # one price: 0.07 × 20 × 0.47 × 0.53 = 0.348740, cost + fee up to the next $0.0001
    assert found.loc["B", "fee"] == 0.3488
    assert found.loc["B", "fee"] == float(trading_fee("0.47", 20))
    # two prices: never below the model, never more than one rounding step above
    taken = [(17, Fraction("0.44")), (3, Fraction("0.55"))]
    model = sum(Fraction("0.07") * count * price * (1 - price) for count, price in taken)
    assert 0 <= Fraction(str(found.loc["SAMPLE", "fee"])) - model < Fraction("0.0002")
    half = fill_cost(frame, "yes", 20, fees=FeeTerms(multiplier=Fraction(1, 2)), on=date(2025, 6, 1))
    assert half.loc["B", "fee"] == 0.18
    assert fill_cost(frame, "yes", 20, fees=FeeTerms(waived=True))["fee"].tolist() == [0.0, 0.0]


# --- what unusual books mean ---------------------------------------------------------------


def test_empty_book_keeps_its_name_and_has_no_numbers() -> None:
    frame = frame_of(book_of("EMPTY", [], []), SAMPLE, book_of("LAST", [], []))
    found = quotes(frame)
    assert found.index.tolist() == ["EMPTY", "SAMPLE", "LAST"]
    assert found.loc[["EMPTY", "LAST"]].isna().all(axis=None)
    assert depth_within(frame).loc["EMPTY"].tolist() == [0.0, 0.0]
    assert book_notional(frame).loc["EMPTY"].tolist() == [0.0, 0.0, 0.0]
    assert math.isnan(imbalance(frame).loc["EMPTY", "imbalance"])
    with pytest.warns(PartialDataWarning):
        cost = fill_cost(frame, "yes", 1).loc["EMPTY"]
    assert (cost["filled"], cost["unfilled"], cost["cost"], cost["levels"]) == (0.0, 1.0, 0.0, 0)
    assert cost[["touch", "average_price", "slippage_touch", "slippage_mid"]].isna().all()


def test_one_sided_book_has_no_spread_and_no_invented_price() -> None:
    frame = frame_of(book_of("T", [("0.42", 10)], []))
    row = quotes(frame).loc["T"]
    assert (row["yes_bid"], row["no_ask"], row["yes_bid_size"]) == (0.42, 0.58, 10.0)
    missing = ["yes_ask", "yes_ask_size", "no_bid", "no_bid_size", "spread", "mid", "microprice"]
    assert row[missing].isna().all()
    assert imbalance(frame)["imbalance"].item() == 1.0
    cost = fill_cost(frame, "no", 4).loc["T"]
    assert cost["average_price"] == 0.58
    assert math.isnan(cost["slippage_mid"])


def test_crossed_and_locked_books_are_shown_as_they_are() -> None:
    frame = frame_of(
        book_of("CROSSED", [("0.60", 5)], [("0.45", 5)]), book_of("LOCKED", [("0.55", 5)], [("0.45", 5)])
    )
    found = quotes(frame)
    assert found["spread"].tolist() == [-0.05, 0.0]
    assert found.loc["CROSSED", ["yes_bid", "yes_ask", "mid"]].tolist() == [0.6, 0.55, 0.575]
    assert fill_cost(frame, "yes", 5)["slippage_mid"].tolist() == [-0.025, 0.0]


@pytest.mark.parametrize("size", [0.0, math.nan])
@pytest.mark.parametrize(("bid", "ask"), [(0.0, 1.0), (0.0, 0.0), (1.0, 1.0)])
def test_a_sentinel_without_size_is_an_empty_side(bid: float, ask: float, size: float) -> None:
    frame = pd.DataFrame(
        {"ticker": "T", "side": ["bid", "ask"], "price": [bid, ask], "quantity": [size, size]}
    )
    frame["ticker"] = frame["ticker"].astype("category")
    assert quotes(frame).loc["T"].isna().all()
    assert len(depth_curve(frame)) == len(cumulative(frame)) == len(no_view(frame)) == 0


def test_level_and_cumulative_follow_the_rows_that_are_there() -> None:
    frame = frame_of(SAMPLE)
    deeper = frame[frame["level"] >= 2]
    assert cumulative(deeper)["level"].tolist() == list(range(10)) + list(range(8))
    assert quotes(deeper)["yes_bid"].item() == 0.35
    shuffled = frame.sample(frac=1, random_state=1).drop(columns=["level", "cumulative"])
    pd.testing.assert_frame_equal(cumulative(shuffled), frame)


def test_plain_text_tickers_are_taken_in_order_of_appearance() -> None:
    frame = frame_of(SAMPLE, book_of("A", [("0.1", 1)], []))
    plain = frame.astype({"ticker": "str", "side": "str"})
    pd.testing.assert_frame_equal(quotes(plain), quotes(frame))


# --- history ---------------------------------------------------------------------------------


def history() -> pd.DataFrame:
    early, late = pd.Timestamp("2026-11-20 15:00", tz="UTC"), pd.Timestamp("2026-11-20 15:01", tz="UTC")
    first = frame_of(SAMPLE, book_of("B", [("0.30", 5)], [("0.60", 7)]))
    second = frame_of(book_of("SAMPLE", [("0.43", 1)], []), book_of("B", [("0.31", 5)], [("0.60", 7)]))
    return pd.concat([second.assign(time=late), first.assign(time=early)], ignore_index=True)


def test_history_gives_one_row_per_time_and_ticker() -> None:
    found = quotes(history())
    assert found.index.name == "time"
    assert str(found.index.dtype.tz) == "UTC"
    assert found.index.is_monotonic_increasing
    assert found["ticker"].tolist() == ["SAMPLE", "B", "SAMPLE", "B"]
    assert found["yes_bid"].tolist() == [0.42, 0.30, 0.43, 0.31]
    assert depth_within(history())["yes_depth"].tolist() == [23.0, 5.0, 1.0, 5.0]
    assert microprice(history()).columns.tolist() == ["ticker", "mid", "microprice"]
    assert spread(history())["ticker"].tolist() == found["ticker"].tolist()
    with pytest.warns(PartialDataWarning, match="1 of 4"):
        cost = fill_cost(history(), "yes", 2)
    assert cost["filled"].tolist() == [2.0, 2.0, 0.0, 2.0]
    assert depth_curve(history()).columns.tolist()[:2] == ["time", "ticker"]
    pd.testing.assert_frame_equal(no_view(no_view(history())), cumulative(history()))


def test_each_instant_of_a_history_equals_that_book_alone() -> None:
    whole = quotes(history())
    for time, part in history().groupby("time"):
        alone = quotes(part.drop(columns="time"))
        np.testing.assert_array_equal(whole.loc[time, alone.columns], alone)


def test_an_instant_without_levels_survives_when_times_are_categorical() -> None:
    frame = history()
    times = [*sorted(frame["time"].unique()), pd.Timestamp("2026-11-20 15:02", tz="UTC")]
    frame["time"] = pd.Categorical(frame["time"], categories=pd.DatetimeIndex(times))
    found = quotes(frame)
    assert len(found) == 6
    assert found["yes_bid"].tail(2).isna().all()
    assert found.index[-1] == times[-1]


# --- provenance --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        quotes,
        spread,
        microprice,
        cumulative,
        no_view,
        depth_curve,
        depth_within,
        imbalance,
        book_notional,
    ],
)
def test_results_say_where_the_book_came_from(function) -> None:
    frame = frame_of(SAMPLE)
    before = frame.copy(deep=True)
    frame.attrs["kalshi"] = {"environment": "prod", "complete": True}
    assert function(frame).attrs["kalshi"] == {"environment": "prod", "complete": True}
    assert fill_cost(frame, "no", 1).attrs["kalshi"] == {"environment": "prod", "complete": True}
    function(frame).attrs["kalshi"]["complete"] = False
    assert frame.attrs["kalshi"]["complete"] is True
    pd.testing.assert_frame_equal(frame, before)


def test_quotes_of_the_no_view_name_each_leg_rightly(recorded: list[Book]) -> None:
    frame = frame_of(*recorded)
    mine, seen = quotes(frame), quotes(no_view(frame))
    legs = [name for name in mine if name.startswith(("yes_", "no_"))]
    assert len(legs) == 8
    pd.testing.assert_frame_equal(seen[legs], mine[legs])
    pd.testing.assert_series_equal(seen["spread"], mine["spread"])
    np.testing.assert_allclose(seen["mid"], 1 - mine["mid"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(seen["microprice"], 1 - mine["microprice"], rtol=0, atol=1e-12)


def test_no_view_says_which_leg_it_shows() -> None:
    other = no_view(frame_of(SAMPLE))
    assert other.attrs["leg"] == "no"
    assert depth_curve(other).attrs["leg"] == "no"
    assert "leg" not in no_view(other).attrs


# --- dtypes, also of nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("books", [[SAMPLE], [book_of("E", [], [])], []])
def test_columns_and_dtypes_do_not_depend_on_the_rows(books: list[Book]) -> None:
    frame = frame_of(*books)
    for function in (quotes, spread, microprice, depth_within, book_notional, imbalance):
        found = function(frame)
        assert (found.dtypes == "float64").all()
        assert (found.index.name, len(found), found.index.dtype) == ("ticker", len(books), "str")
    assert cumulative(frame).dtypes.astype(str).tolist() == [
        "category", "category", "int64", "float64", "float64", "float64",
    ]  # fmt: skip
    assert depth_curve(frame).dtypes.astype(str).tolist() == ["category"] * 2 + ["float64"] * 4


# --- bad input ------------------------------------------------------------------------------------

EVERY = [
    quotes,
    spread,
    microprice,
    cumulative,
    no_view,
    depth_curve,
    depth_within,
    imbalance,
    book_notional,
]
EVERY += [lambda frame: fill_cost(frame, "yes", 1)]


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("column", ["ticker", "side", "price", "quantity"])
def test_a_missing_column_is_named_with_who_makes_such_frames(function, column: str) -> None:
    with pytest.raises(FrameError, match=rf"(?s)lacks.*{column}.*get_orderbook"):
        function(frame_of(SAMPLE).drop(columns=column))


@pytest.mark.parametrize("thing", [None, [], {"orderbook": {}}, pd.Series([1.0])])
def test_something_else_than_a_frame(thing: object) -> None:
    with pytest.raises(FrameError, match="must be a DataFrame"):
        quotes(thing)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("price", math.nan, "is not a number"),
        ("price", math.inf, "is not a number"),
        ("price", 42.0, "not between 0 and 1"),
        ("price", -0.42, "not between 0 and 1"),
        ("price", 0.0, "not between 0 and 1"),
        ("price", 1.0, "not between 0 and 1"),
        ("price", 0.42005, "finer than 1/10000"),
        ("quantity", 0.0, "not positive"),
        ("quantity", -3.0, "not positive"),
        ("quantity", math.nan, "is not a number"),
        ("quantity", 1.005, "finer than 1/100"),
    ],
)
def test_impossible_levels_are_refused(column: str, value: float, said: str) -> None:
    frame = frame_of(SAMPLE)
    frame.loc[3, column] = value
    with pytest.raises(FrameError, match=said) as caught:
        quotes(frame)
    assert "row 3" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_text_where_numbers_belong() -> None:
    with pytest.raises(FrameError, match=r"price .* must hold numbers"):
        quotes(frame_of(SAMPLE).astype({"price": "str"}))


def test_an_unknown_side() -> None:
    with pytest.raises(FrameError, match=r"'bid' or 'ask'.*'yes'"):
        quotes(frame_of(SAMPLE).astype({"side": "str"}).replace({"side": {"ask": "yes"}}))


def test_a_row_without_ticker() -> None:
    frame = frame_of(SAMPLE)
    frame.loc[2, "ticker"] = None
    with pytest.raises(FrameError, match="no ticker: row 2"):
        quotes(frame)


def test_two_books_of_one_ticker_without_time_are_not_added_up() -> None:
    with pytest.raises(FrameError, match=r"(?s)two levels at one price.*SAMPLE.*`time`"):
        quotes(pd.concat([frame_of(SAMPLE), frame_of(SAMPLE)]))


@pytest.mark.parametrize("time", [pd.Timestamp("2026-11-20"), "2026-11-20T15:00Z", 1])
def test_history_times_need_a_zone(time: object) -> None:
    with pytest.raises(FrameError, match="time zone"):
        quotes(frame_of(SAMPLE).assign(time=time))


def test_a_row_without_time() -> None:
    frame = history()
    frame.loc[1, "time"] = pd.NaT
    with pytest.raises(FrameError, match="no time: row 1"):
        quotes(frame)


def test_hostile_ticker_is_made_printable() -> None:
    frame = frame_of(book_of("A\x1b[2J\u202e", [("0.42", 1)], []))
    frame["price"] = 2.0
    with pytest.raises(FrameError) as caught:
        quotes(frame)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


@pytest.mark.parametrize("dollars", [-0.01, "x", None, True, math.nan, 0.00005, [0.05]])
def test_impossible_distances(dollars: object) -> None:
    with pytest.raises(InputError):
        depth_within(frame_of(SAMPLE), dollars=dollars)
    if dollars is not None:
        with pytest.raises(InputError):
            imbalance(frame_of(SAMPLE), within=dollars)


@pytest.mark.parametrize("levels", [0, -1, 1.5, "2", True])
def test_impossible_numbers_of_levels(levels: object) -> None:
    with pytest.raises(InputError, match="levels"):
        imbalance(frame_of(SAMPLE), levels=levels)
    with pytest.raises(InputError, match="levels"):
        microprice(frame_of(SAMPLE), levels=levels)


def test_levels_and_distance_exclude_each_other() -> None:
    with pytest.raises(InputError, match="either"):
        imbalance(frame_of(SAMPLE), levels=2, within=0.05)


@pytest.mark.parametrize(
    "quantity", [0, -1, "0", math.nan, math.inf, 0.001, "1e3", None, True, [], [1, 0], 1e300]
)
def test_impossible_quantities(quantity: object) -> None:
    with pytest.raises(InputError):
        fill_cost(frame_of(SAMPLE), "yes", quantity)


def test_fee_terms_are_not_a_bare_number() -> None:
    with pytest.raises(InputError, match="FeeTerms"):
        fill_cost(frame_of(SAMPLE), "yes", 1, fees=0.07)


@pytest.mark.parametrize("side", ["buy", "YES", "", None, "bid"])
def test_unknown_side_of_an_order_lists_the_choices(side: object) -> None:
    with pytest.raises(InputError, match=r"\['yes', 'no'\]"):
        fill_cost(frame_of(SAMPLE), side, 1)


# --- properties --------------------------------------------------------------------------------------

prices = st.integers(1, 9_999)
counts = st.integers(1, 10_000_000)
ladder = st.dictionaries(prices, counts, max_size=12)


@st.composite
def books(draw: st.DrawFn) -> Book:
    yes, no = draw(ladder), draw(ladder)
    return book_of(
        draw(st.sampled_from(["A", "KXHIGHNY-26NOV21-B50.5", "ü"])),
        [(Fraction(p, 10_000), Fraction(q, 100)) for p, q in yes.items()],
        [(Fraction(p, 10_000), Fraction(q, 100)) for p, q in no.items()],
    )


@settings(max_examples=60)
@given(books())
def test_no_view_is_an_involution_and_swaps_the_legs(book: Book) -> None:
    frame = frame_of(book)
    pd.testing.assert_frame_equal(no_view(no_view(frame)), frame)
    flipped = no_view(frame)
    one, other = quotes(frame).iloc[0], quotes(flipped).iloc[0]
    for side in ("bid", "ask"):
        best = flipped[(flipped["side"] == side) & (flipped["level"] == 0)]
        seen = best[["price", "quantity"]].iloc[0] if len(best) else (np.nan, np.nan)
        np.testing.assert_array_equal(one[[f"no_{side}", f"no_{side}_size"]].to_numpy(), [*seen])
        np.testing.assert_array_equal(other[[f"yes_{side}"]].to_numpy(), one[[f"yes_{side}"]].to_numpy())
    assert one["spread"] == other["spread"] or np.isnan(one["spread"])


@settings(max_examples=60)
@given(books())
def test_any_book_gives_the_exact_quotes(book: Book) -> None:
    expected = oracle_quotes(book)
    found = quotes(frame_of(book)).iloc[0]
    np.testing.assert_array_equal(found[list(expected)].to_numpy(), list(expected.values()))


@settings(max_examples=60)
@given(books())
def test_curves_rise_with_distance(book: Book) -> None:
    curve = depth_curve(frame_of(book))
    for _, side in curve.groupby("side", observed=True):
        assert side["cumulative"].is_monotonic_increasing
        assert side["distance"].is_monotonic_increasing
        assert side["distance"].iloc[0] == 0.0
        assert side["cumulative"].iloc[-1] == pytest.approx(side["quantity"].sum())


@settings(max_examples=60)
@given(books(), st.sampled_from(["yes", "no"]), counts)
def test_any_order_gives_the_exact_cost(book: Book, side: str, count: int) -> None:
    wanted = Fraction(count, 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialDataWarning)
        found = fill_cost(frame_of(book), side, str(count / 100)).iloc[0]
    expected = oracle_fill(book, side, wanted)
    np.testing.assert_array_equal(found[list(expected)].to_numpy(dtype=float), list(expected.values()))
