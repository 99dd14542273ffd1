"""Profit and loss against exact fractions, recorded payouts, and the books of the simulated exchange."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import kalshi_research as kr
from kalshi_research.errors import FrameError, InputError, PartialDataWarning
from kalshi_research.fees import FeeTerms
from tests.test_house import column_tables

START = pd.Timestamp("2026-11-20T15:00Z")
CENT = Fraction(1, 100)


def exact(value: float, digits: int = 6) -> Fraction:
    """The decimal that a float of a frame stands for."""
    return Fraction(Decimal(f"{value:.{digits}f}"))


def as_float(value: Fraction) -> float:
    return value.numerator / value.denominator


def fills_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame of fills as the exchange lists them: newest first."""
    base = {"ticker": "T", "fee_cost": 0.0, "is_taker": True, "subaccount_number": 0}
    made = [
        base | {"time": START + pd.Timedelta(minutes=place), "fill_id": f"f{place}"} | row
        for place, row in enumerate(rows)
    ]
    frame = pd.DataFrame(made[::-1]).set_index("fill_id")
    return frame.astype({"outcome_side": "str", "is_taker": "boolean"})


def paid_out(ticker: str = "T", **more: Any) -> dict[str, Any]:
    return {
        "ticker": ticker, "event_ticker": "E", "settled_time": START + pd.Timedelta(days=1),
        "yes_count": 0.0, "yes_total_cost": 0.0, "no_count": 0.0, "no_total_cost": 0.0,
        "revenue": 0.0, "fee_cost": 0.0, "value": 1.0,
    } | more  # fmt: skip


def settlements_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).set_index("ticker")


def random_fills(seed: int, tickers: int = 3, count: int = 120) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "ticker": f"T{rng.randrange(tickers)}",
            "outcome_side": rng.choice(["yes", "no"]),
            "yes_price": rng.randrange(1, 10_000) / 10_000,
            "quantity": rng.randrange(1, 5_000) / 100,
            "fee_cost": rng.randrange(0, 200_000) / 1_000_000,
            "is_taker": rng.random() < 0.6,
        }
        for _ in range(count)
    ]


def leg_price(row: dict[str, Any]) -> Fraction:
    price = exact(row["yes_price"], 4)
    return price if row["outcome_side"] == "yes" else 1 - price


def both_legs(rows: list[dict[str, Any]]) -> dict[str, Fraction]:
    """How many contracts of each leg were bought."""
    bought = {"yes": Fraction(0), "no": Fraction(0)}
    for row in rows:
        bought[row["outcome_side"]] += exact(row["quantity"], 2)
    return bought


class Books:
    """Average cost in fractions, without any rounding."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.position: dict[str, Fraction] = defaultdict(Fraction)
        self.cost: dict[str, Fraction] = defaultdict(Fraction)
        self.realized: dict[str, Fraction] = defaultdict(Fraction)
        for row in rows:
            self.book(
                row["ticker"], row["outcome_side"] == "yes", exact(row["quantity"], 2), leg_price(row)
            )

    def book(self, name: str, is_yes: bool, count: Fraction, price: Fraction) -> None:
        held = self.position[name] * (-1 if is_yes else 1)  # of the other leg
        if held > 0:
            closed = min(held, count)
            average = self.cost[name] / held
            self.realized[name] += closed * (1 - price - average)
            self.cost[name] -= closed * average
            self.cost[name] += (count - closed) * price
        else:
            self.cost[name] += count * price
        self.position[name] += count if is_yes else -count


# Recorded


def payload(shared: Path, kind: str) -> dict[str, Any]:
    return json.loads((shared / f"real/fills/portfolio_{kind}_redacted.json").read_bytes())["payload"]


def test_recorded_payouts_bring_what_they_brought(shared: Path) -> None:
    body = json.loads((shared / "real/fills/portfolio_settlements_redacted.json").read_bytes())[
        "payload"
    ]
    settlements = kr.read_settlements(body)
    table = kr.pnl(settlements=settlements)
    assert len(table) == 22
    total = Fraction(0)
    for wire in body["settlements"]:
        gross = (
            Fraction(wire["revenue"], 100)
            - Fraction(Decimal(wire["yes_total_cost_dollars"]))
            - Fraction(Decimal(wire["no_total_cost_dollars"]))
        )
        fee = Fraction(Decimal(wire["fee_cost"]))
        row = table.loc[wire["ticker"]]
        assert row["realized_pnl"] == as_float(gross)
        assert row["fees"] == as_float(fee)
        assert row["net_pnl"] == as_float(gross - fee)
        total += gross - fee
    assert total == Fraction(10_283, 10_000)
    curve = kr.equity_curve(settlements=settlements)
    assert curve["equity"].iloc[-1] == 1.0283
    assert curve.index.is_monotonic_increasing
    by_event = kr.pnl(settlements=settlements, by="event")
    assert by_event["net_pnl"].map(exact).sum() == total
    assert "KXUFCFIGHT-REDACTED009" in by_event.index


def test_recorded_fills_cost_what_they_cost(shared: Path) -> None:
    body = payload(shared, "fills")
    table = kr.pnl(kr.read_fills(body))
    spent, fees = defaultdict(Fraction), defaultdict(Fraction)
    for wire in body["fills"]:
        price = Fraction(Decimal(wire[f"{wire['outcome_side']}_price_dollars"]))
        spent[wire["ticker"]] += price * Fraction(Decimal(wire["count_fp"]))
        fees[wire["ticker"]] += Fraction(Decimal(wire["fee_cost"]))
    for ticker, row in table.iterrows():  # nothing was closed in them
        assert row["cost_basis"] == as_float(spent[ticker])
        assert row["net_pnl"] == as_float(-fees[ticker])


# Against fractions


@pytest.mark.parametrize("seed", range(5))
def test_money_is_neither_made_nor_lost(seed: int) -> None:
    """Cash spent, pairs redeemed for a dollar each, and what is left must balance, to the last digit."""
    rows = random_fills(seed)
    table = kr.pnl(fills_of(rows))
    books = Books(rows)
    for name, row in table.iterrows():
        mine = [one for one in rows if one["ticker"] == name]
        bought = {
            leg: sum(
                (exact(one["quantity"], 2) for one in mine if one["outcome_side"] == leg), Fraction(0)
            )
            for leg in ("yes", "no")
        }
        spent = sum((leg_price(one) * exact(one["quantity"], 2) for one in mine), Fraction(0))
        pairs = min(bought.values())
        assert exact(row["position"], 2) == bought["yes"] - bought["no"]
        assert exact(row["realized_pnl"]) - exact(row["cost_basis"]) == pairs - spent
        # Only the rounding of average costs may tell them apart, less than 1/1 000 000 dollar a fill.
        assert abs(exact(row["realized_pnl"]) - books.realized[name]) < Fraction(len(mine), 1_000_000)
        assert exact(row["fees"]) == sum((exact(one["fee_cost"]) for one in mine), Fraction(0))
        assert row["fills"] == len(mine)
        assert exact(row["quantity"], 2) == sum(bought.values())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("value", [Fraction(1), Fraction(0), Fraction(37, 100)])
def test_a_payout_closes_the_books(seed: int, value: Fraction) -> None:
    rows = random_fills(seed)
    books = Books(rows)
    payouts, expected = [], {}
    for name, position in books.position.items():
        paid = position * value if position > 0 else -position * (1 - value)
        mine = [one for one in rows if one["ticker"] == name]
        spent = sum((leg_price(one) * exact(one["quantity"], 2) for one in mine), Fraction(0))
        pairs = min(both_legs(mine).values())
        expected[name] = pairs + paid - spent
        fees = sum((exact(one["fee_cost"]) for one in mine), Fraction(0))
        payouts.append(
            paid_out(
                name, value=as_float(value), fee_cost=as_float(fees + CENT / 10),
                yes_count=max(as_float(position), 0.0), no_count=max(-as_float(position), 0.0),
                revenue=as_float(Fraction(int(paid * 100), 100)),
            )
        )  # fmt: skip
    fills, settlements = fills_of(rows), settlements_of(*payouts)
    table = kr.pnl(fills, settlements)
    for name, row in table.iterrows():
        assert exact(row["realized_pnl"]) == expected[name]
        # The record repeats the fees of the fills; only a tenth of a cent is new.
        mine = [one for one in rows if one["ticker"] == name]
        assert exact(row["fees"]) == sum((exact(one["fee_cost"]) for one in mine), CENT / 10)
        assert (row["position"], row["cost_basis"]) == (0.0, 0.0)
    roles = kr.maker_taker(fills, settlements)
    assert exact(roles.loc["all", "gross_pnl"]) == sum(expected.values())
    assert exact(roles.loc["maker", "gross_pnl"]) + exact(roles.loc["taker", "gross_pnl"]) == sum(
        expected.values()
    )
    for role, is_taker in (("maker", False), ("taker", True)):
        mine = [one for one in rows if one["is_taker"] == is_taker]
        won = sum(
            (
                exact(one["quantity"], 2)
                * ((value if one["outcome_side"] == "yes" else 1 - value) - leg_price(one))
                for one in mine
            ),
            Fraction(0),
        )
        assert exact(roles.loc[role, "gross_pnl"]) == won
        assert roles.loc[role, "fills"] == len(mine)


def test_every_way_of_grouping_has_the_same_sum() -> None:
    rows = random_fills(11)
    fills = fills_of(rows)
    markets = pd.DataFrame(
        {"event_ticker": ["E1", "E1", "E2"]}, index=pd.Index(["T0", "T1", "T2"], name="ticker")
    )
    events = pd.DataFrame(
        {"series_ticker": ["S", "S"]}, index=pd.Index(["E1", "E2"], name="event_ticker")
    )
    tables = {
        by: kr.pnl(fills, by=by, markets=markets, events=events)
        for by in ("market", "event", "series", "day")
    }
    for name in ("realized_pnl", "fees", "net_pnl"):
        assert len({table[name].map(exact).sum() for table in tables.values()}) == 1
    assert tables["event"].index.tolist() == ["E1", "E2"]
    assert tables["series"].index.tolist() == ["S"]
    assert exact(kr.equity_curve(fills)["equity"].iloc[-1]) == tables["day"]["net_pnl"].map(exact).sum()


def test_days_begin_where_one_says() -> None:
    fills = fills_of(
        [
            {"outcome_side": "yes", "yes_price": 0.4, "quantity": 1.0, "fee_cost": 0.01,
             "time": pd.Timestamp("2026-11-21T04:30Z")},
            {"outcome_side": "no", "yes_price": 0.5, "quantity": 1.0, "fee_cost": 0.02,
             "time": pd.Timestamp("2026-11-21T05:30Z")},
        ]
    )  # fmt: skip
    assert kr.pnl(fills, by="day").index.tolist() == [pd.Timestamp("2026-11-21", tz="UTC")]
    local = kr.pnl(fills, by="day", tz="America/New_York")
    assert local.index.strftime("%d").tolist() == ["20", "21"]
    assert local["net_pnl"].tolist() == [-0.01, 0.08]
    with pytest.raises(InputError, match="no time zone"):
        kr.pnl(fills, by="day", tz="New York")


def test_subaccounts_are_kept_apart() -> None:
    """One buys YES, the other NO: no pair is redeemed, and both are paid."""
    fills = fills_of(
        [
            {"outcome_side": "yes", "yes_price": 0.4, "quantity": 5.0, "subaccount_number": 0},
            {"outcome_side": "no", "yes_price": 0.6, "quantity": 5.0, "subaccount_number": 1},
        ]
    )
    open_ = kr.pnl(fills).loc["T"]
    assert open_[["realized_pnl", "position", "cost_basis"]].tolist() == [0.0, 0.0, 4.0]
    both = settlements_of(
        paid_out(yes_count=5.0, revenue=5.0, yes_total_cost=2.0),
        paid_out(no_count=5.0, revenue=0.0, no_total_cost=2.0),
    )
    assert kr.pnl(fills, both).loc["T", "realized_pnl"] == 1.0


def test_the_order_of_a_list_does_not_matter_within_its_sense() -> None:
    rows = random_fills(4, tickers=1, count=60)
    for row in rows:
        row["time"] = START  # an instant has many fills
    newest_first = fills_of(rows)
    newest_first["time"] = [START - pd.Timedelta(seconds=place // 20) for place in range(60)]
    oldest_first = newest_first[::-1]
    pd.testing.assert_frame_equal(kr.pnl(newest_first), kr.pnl(oldest_first))


def test_fills_of_a_single_instant_are_taken_as_the_exchange_lists_them() -> None:
    with kr.start_sandbox() as sandbox:
        client = kr.connect(sandbox)
        markets = kr.get_markets(client, status="open", max_rows=200).dropna(
            subset=["yes_bid", "yes_ask"]
        )
        ticker = markets["volume"].idxmax()
        for action, quantity, price in (("buy", 3000, "0.98"), ("sell", 4, "0.01"), ("buy", 6, "0.98")):
            kr.create_order(
                client, ticker, action=action, quantity=quantity, price=price,
                time_in_force="immediate_or_cancel",
            )  # fmt: skip
        fills = kr.get_fills(client, ticker)
        assert len(set(fills["time"])) == 1, "the simulated clock stands"
        assert fills["yes_price"].nunique() > 2, "the average cost depends on the order of the fills"
        theirs = kr.get_positions(client, ticker, settlement_status="all")
    assert kr.reconcile_pnl(kr.pnl(fills), theirs)["agrees"].all()


def test_a_payout_that_the_fills_do_not_cover_counts_alone_and_is_said() -> None:
    fills = fills_of([{"outcome_side": "yes", "yes_price": 0.4, "quantity": 4.0, "fee_cost": 0.07}])
    whole = settlements_of(
        paid_out(yes_count=10.0, yes_total_cost=4.5, revenue=10.0, fee_cost=0.2), paid_out("U")
    )
    with pytest.warns(PartialDataWarning, match="1 of 2 settled markets, such as T"):
        row = kr.pnl(fills, whole).loc["T"]
    assert row[["fills", "realized_pnl", "fees", "net_pnl"]].tolist() == [0, 5.5, 0.2, 5.3]


def test_a_market_whose_record_is_gone_is_paid_by_its_value() -> None:
    fills = fills_of([{"outcome_side": "no", "yes_price": 0.4, "quantity": 4.0, "fee_cost": 0.07}])
    markets = pd.DataFrame(
        {"settlement_value": [0.0], "settlement_time": [START], "event_ticker": ["E"]},
        index=pd.Index(["T"], name="ticker"),
    )
    assert kr.pnl(fills).loc["T", "position"] == -4.0
    row = kr.pnl(fills, markets=markets).loc["T"]
    assert row[["position", "realized_pnl", "net_pnl"]].tolist() == [0.0, 1.6, 1.53]


def test_an_unknown_fee_is_not_zero() -> None:
    fills = fills_of(
        [
            {"outcome_side": "yes", "yes_price": 0.4, "quantity": 4.0, "fee_cost": 0.07},
            {"outcome_side": "no", "yes_price": 0.5, "quantity": 4.0, "fee_cost": float("nan")},
        ]
    )
    row = kr.pnl(fills).loc["T"]
    assert row["realized_pnl"] == 0.4
    assert np.isnan(row["fees"])
    assert np.isnan(row["net_pnl"])
    assert kr.equity_curve(fills)["equity"].isna().tolist() == [False, True]
    assert np.isnan(kr.maker_taker(fills).loc["all", "fees"])


# Open positions


def test_open_positions_at_the_prices_of_the_book() -> None:
    tickers = pd.Index(["A", "B", "C", "D", "E"], name="ticker")
    positions = pd.DataFrame(
        {"position": [10.0, -7.53, 3.0, 0.0, 2.0], "market_exposure": [4.0, 4.11, 1.0, 0.0, 0.5]},
        index=tickers,
    )
    quotes = pd.DataFrame(
        {"yes_bid": [0.42, 0.40, np.nan, 0.5, 0.30], "yes_ask": [0.45, 0.4567, 0.10, 0.6, np.nan]},
        index=tickers,
    )
    marks = kr.mark_positions(positions, quotes)
    assert marks.index.tolist() == ["A", "B", "C", "E"]
    for name, leg, count, cost in (("A", "yes", 10, "4.0"), ("B", "no", "7.53", "4.11")):
        bid, ask = (Fraction(Decimal(str(quotes.loc[name, side]))) for side in ("yes_bid", "yes_ask"))
        if leg == "no":
            bid, ask = 1 - ask, 1 - bid
        # Selling a leg at p is buying the other at 1 − p.
        fee = Fraction(kr.trading_fee(Decimal(str(as_float(1 - bid))), str(count)))
        number, spent = Fraction(Decimal(str(count))), Fraction(Decimal(cost))
        row = marks.loc[name]
        assert row["bid"] == as_float(bid)
        assert row["mid"] == as_float((bid + ask) / 2)
        assert row["exit_fee"] == as_float(fee)
        assert row["value_bid"] == as_float(number * bid)
        assert row["unrealized_pnl"] == as_float(number * bid - spent - fee)
        assert row["unrealized_pnl_mid"] == as_float(number * (bid + ask) / 2 - spent)
    assert marks.loc["C", ["bid", "mid", "value_bid", "unrealized_pnl"]].isna().all()
    assert marks.loc["E", "bid"] == 0.30
    assert np.isnan(marks.loc["E", "mid"])
    waived = kr.mark_positions(positions, quotes, terms=FeeTerms(waived=True))
    assert waived.loc["A", "exit_fee"] == 0.0
    terms = pd.DataFrame({"fee_type": "quadratic", "fee_multiplier": [0.5] * 5}, index=tickers)
    assert kr.mark_positions(positions, quotes, terms=terms).loc["A", "exit_fee"] == as_float(
        Fraction(kr.trading_fee("0.58", 10, multiplier=Fraction(1, 2)))
    )


def test_books_are_compared_to_the_last_digit() -> None:
    rows = random_fills(2, tickers=2)
    table = kr.pnl(fills_of(rows))
    theirs = table.rename(columns={"fees": "fees_paid"})[
        ["position", "realized_pnl", "fees_paid"]
    ].copy()
    assert kr.reconcile_pnl(table, theirs)["agrees"].all()
    theirs.loc["T0", "realized_pnl"] += 0.000001
    theirs.loc["X"] = [1.0, 0.0, 0.0]
    found = kr.reconcile_pnl(table, theirs)
    assert found["agrees"].to_dict() == {"T0": False, "T1": True, "X": False}
    assert found.loc["T0", "difference"] == -0.000001
    assert np.isnan(found.loc["X", "position"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (kr.pnl, InputError, "give fills, settlements, or both"),
        (lambda: kr.pnl(fills_of(random_fills(1)), by="hour"), InputError, "by must be one of"),
        (lambda: kr.pnl(fills_of(random_fills(1)), by="event"), FrameError, "event of T"),
        (lambda: kr.pnl(pd.DataFrame({"x": [1]})), FrameError, "get_fills"),
        (lambda: kr.pnl([1]), FrameError, "must be a DataFrame"),
        (lambda: kr.pnl(fills_of([{"outcome_side": "buy", "yes_price": 0.4, "quantity": 1.0}])),
         FrameError, "'yes' or 'no'"),
        (lambda: kr.pnl(fills_of([{"outcome_side": "yes", "yes_price": 0.4, "quantity": 1.0,
                                   "time": pd.NaT}])), FrameError, "time"),
        (lambda: kr.mark_positions(pd.DataFrame(), pd.DataFrame()), FrameError, "get_positions"),
        (lambda: kr.maker_taker(fills_of([{"outcome_side": "yes", "yes_price": 0.4, "quantity": 1.0,
                                           "is_taker": None}])), FrameError, "whether it took"),
        (lambda: kr.plot_pnl(pd.DataFrame({"x": [1]})), FrameError, "equity_curve"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# Tables and figures


@pytest.mark.parametrize("empty", [False, True])
def test_the_documented_columns_are_those_computed(empty: bool) -> None:
    fills = fills_of(random_fills(3))[: 0 if empty else None]
    positions = pd.DataFrame(
        {"position": [1.0], "market_exposure": [0.4], "realized_pnl": [0.0], "fees_paid": [0.0]},
        index=pd.Index(["T0"], name="ticker"),
    )[: 0 if empty else None]
    quotes = pd.DataFrame({"yes_bid": [0.4], "yes_ask": [0.5]}, index=pd.Index(["T0"], name="ticker"))
    for name, frame in {
        "pnl": kr.pnl(fills),
        "equity_curve": kr.equity_curve(fills).reset_index(),
        "maker_taker": kr.maker_taker(fills),
        "mark_positions": kr.mark_positions(positions, quotes),
        "reconcile_pnl": kr.reconcile_pnl(kr.pnl(fills), positions),
    }.items():
        (table,) = column_tables(getattr(kr, name))
        assert {column: str(frame[column].dtype) for column in frame} == table, name
        assert (len(frame) == 0) == empty or name == "maker_taker"


def test_what_is_computed_says_where_it_comes_from() -> None:
    fills = fills_of(random_fills(3))
    fills.attrs["kalshi"] = {"environment": "sandbox", "simulated": True, "complete": True, "rows": 120}
    for frame in (kr.pnl(fills), kr.equity_curve(fills), kr.maker_taker(fills)):
        assert "SIMULATED" in kr.source_line(frame)
    settlements = settlements_of(paid_out("X"))
    fills.attrs["kalshi"]["endpoint"] = "/portfolio/fills"
    settlements.attrs["kalshi"] = {**fills.attrs["kalshi"], "endpoint": "/portfolio/settlements"}
    assert kr.pnl(fills, settlements).attrs["kalshi"]["endpoint"] == (
        "/portfolio/fills + /portfolio/settlements"
    )


def test_the_figure_shows_profit_before_and_after_fees() -> None:
    curve = kr.equity_curve(fills_of(random_fills(6)), None)
    ax = kr.plot_pnl(curve, ax=Figure().subplots(), tz="America/New_York")
    after, before = ax.lines[:2]
    assert after.get_ydata().tolist() == curve["equity"].tolist()
    assert before.get_ydata()[-1] == pytest.approx(curve["realized_pnl"].sum())
    assert ax.get_ylabel() == "profit and loss [$]"
    assert "America/New_York" in ax.get_xlabel()
    assert set(kr.drawn(ax)["label"]) >= {"fill", "fees", "zero"}


def test_figures_of_nothing_and_of_unknown_fees_say_so() -> None:
    rows = [{"outcome_side": "yes", "yes_price": 0.4, "quantity": 4.0, "fee_cost": float("nan")}]
    unknown = kr.plot_pnl(kr.equity_curve(fills_of(rows)), ax=Figure().subplots())
    assert len(unknown.lines) == 1  # before fees only
    empty = kr.plot_pnl(kr.equity_curve(fills_of(rows)[:0]), ax=Figure().subplots())
    assert [text.get_text() for text in empty.texts if text.get_gid() == "empty"] == [
        "no fills and no payouts"
    ]
