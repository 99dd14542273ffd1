"""Fees against recorded fills, the published schedule, and exact fractions."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_research.errors import InputError
from kalshi_research.fees import (
    BROKER_PRECISION,
    FeeAccumulator,
    FeeTerms,
    break_even_price,
    break_even_probability,
    fee_terms,
    round_trip_cost,
    rounding_on,
    trading_fee,
)
from kalshi_research.money import PriceGrid

# Price of a contract in cents -> fee for one and for a hundred contracts in cents, as the
# exchange's general table of 7 July 2026 has them.
SCHEDULE = {
    1: (1, 7),
    5: (1, 34),
    10: (1, 63),
    15: (1, 90),
    20: (2, 112),
    25: (2, 132),
    30: (2, 147),
    35: (2, 160),
    40: (2, 168),
    45: (2, 174),
    50: (2, 175),
    55: (2, 174),
    60: (2, 168),
    65: (2, 160),
    70: (2, 147),
    75: (2, 132),
    80: (2, 112),
    85: (1, 90),
    90: (1, 63),
    95: (1, 34),
    99: (1, 7),
}


def ceil_to(value: Fraction, step: Fraction) -> Fraction:
    return math.ceil(value / step) * step


def expected_fee(price: Fraction, contracts: Fraction, rate: Fraction) -> Fraction:
    """The schedule's own words: fee plus position cost is rounded up to a centicent."""
    cost = contracts * price
    return ceil_to(cost + rate * cost * (1 - price), Fraction(1, 10_000)) - cost


def dollars(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


# --- recorded fills --------------------------------------------------------------------------


def fills_with_multipliers(shared: Path) -> list[tuple[dict[str, Any], Fraction]]:
    fills = json.loads((shared / "real/fills/portfolio_fills_redacted.json").read_text())
    series = json.loads((shared / "real/fills/series_fee_fields.json").read_text())["payloads"]
    listed = {ticker: Fraction(str(body["series"]["fee_multiplier"])) for ticker, body in series.items()}
    # Each recorded baseball series has the multiplier 0.5; KXMLBKS (strikeouts) is another one of
    # that sport, of which only a fill was recorded.
    listed["KXMLBKS"] = listed["KXMLBGAME"]
    found = fills["payload"]["fills"]
    return [(fill, listed.get(fill["ticker"].split("-")[0], Fraction(1))) for fill in found]


def fee_of_fill(fill: dict[str, Any], multiplier: Fraction, **rule: Any) -> Decimal:
    leg = "yes_price_dollars" if fill["outcome_side"] == "yes" else "no_price_dollars"
    role = "taker" if fill["is_taker"] else "maker"
    return trading_fee(fill[leg], fill["count_fp"], role=role, multiplier=multiplier, **rule)


def test_todays_rule_gives_the_fees_of_32_of_33_recorded_fills(shared: Path) -> None:
    fills = fills_with_multipliers(shared)
    assert len(fills) == 33
    off = [
        (fill["count_fp"], fill["yes_price_dollars"], Decimal(fill["fee_cost"]) - ours)
        for fill, multiplier in fills
        if (ours := fee_of_fill(fill, multiplier)) != Decimal(fill["fee_cost"])
    ]
    assert off == [("71.94", "0.0130", Decimal("0.000100"))]


def test_the_rule_of_the_day_gives_the_fees_of_all_recorded_fills(shared: Path) -> None:
    # They are from before September 2026, when the fee itself was rounded up to $0.0001 first.
    for fill, multiplier in fills_with_multipliers(shared):
        assert fee_of_fill(fill, multiplier, on=fill["created_time"]) == Decimal(fill["fee_cost"])


@pytest.mark.parametrize("rule", [{"multiplier": Fraction(1)}, {"rounding": "cent"}])
def test_ignoring_the_multiplier_or_rounding_to_the_cent_does_not(
    shared: Path, rule: dict[str, Any]
) -> None:
    matches = sum(
        fee_of_fill(fill, **{"multiplier": multiplier, **rule}) == Decimal(fill["fee_cost"])
        for fill, multiplier in fills_with_multipliers(shared)
    )
    assert matches == (22 if "multiplier" in rule else 0)


# --- published figures -----------------------------------------------------------------------


@pytest.mark.parametrize(("cents", "fees"), SCHEDULE.items())
def test_published_table(cents: int, fees: tuple[int, int]) -> None:
    price = Decimal(cents) / 100
    for contracts, fee in zip((1, 100), fees, strict=True):
        assert trading_fee(price, contracts, rounding="cent") * 100 == fee
        # The table shows whole cents; what is charged today rounds up to them.
        assert math.ceil(trading_fee(price, contracts) * 100) == fee


def test_published_table_is_the_one_of_the_document(shared: Path) -> None:
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    text = subprocess.run(
        [reader, "-layout", shared / "real/fills/kalshi-fee-schedule-20260707.pdf", "-"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.replace("$", "").split() for line in text.splitlines() if line.count("$") == 4]
    read = {round(float(row[0]) * 100): [round(float(cell) * 100) for cell in row] for row in rows}
    assert {price: (row[1], row[3]) for price, row in read.items()} == SCHEDULE
    assert all(row[2] == price * 100 for price, row in read.items())


def test_documented_example_of_a_broker_account() -> None:
    # Revenue −$0.055 and a model fee of $0.00363825: 0.07 × C × P × (1 − P) with P = 0.055, C = 1.
    order = FeeAccumulator(FeeTerms(), precision=BROKER_PRECISION)
    assert order.charge(550, 100) == 5000
    assert order.carried == 1361


def test_documented_table_of_an_accumulator() -> None:
    # 100 contracts at $0.50 with a model fee of $0.016: alignment to the cent takes $0.004 each time.
    terms = FeeTerms("quadratic", Fraction(16, 1000) / (Fraction(7, 100) * 25))
    order = FeeAccumulator(terms, precision=BROKER_PRECISION)
    seen = [(order.charge(5000, 10_000), order.carried) for _ in range(3)]
    assert seen == [(20_000, 4_000), (20_000, 8_000), (10_000, 2_000)]


@pytest.mark.parametrize(
    ("fee_type", "role", "at_half"),
    [
        ("quadratic", "taker", "1.750000"),
        ("quadratic", "maker", "0.000000"),
        ("quadratic_with_maker_fees", "taker", "1.750000"),
        ("quadratic_with_maker_fees", "maker", "0.437500"),
        ("quadratic_with_combo_maker_fees", "taker", "1.750000"),
        ("quadratic_with_combo_maker_fees", "maker", "0.875000"),
        ("flat", "taker", "0.875000"),
        ("flat", "maker", "0.000000"),
    ],
)
def test_fee_types(fee_type: str, role: Any, at_half: str) -> None:
    fee = trading_fee("0.50", 100, role=role, fee_type=fee_type)
    assert str(fee) == at_half


# --- properties ------------------------------------------------------------------------------

RATES = {
    ("quadratic", "taker"): Fraction(7, 100),
    ("quadratic_with_maker_fees", "maker"): Fraction(7, 400),
    ("quadratic_with_combo_maker_fees", "maker"): Fraction(7, 200),
}


@pytest.mark.parametrize("multiplier", [Fraction(1, 2), Fraction(1)])
@pytest.mark.parametrize(("fee_type", "role"), RATES)
def test_every_price_against_fractions(fee_type: str, role: Any, multiplier: Fraction) -> None:
    rng = random.Random(f"{fee_type}{role}{multiplier}")
    terms = FeeTerms(fee_type, multiplier)
    for price in range(1, 10_000):
        for count in (1, int(10 ** rng.uniform(0, 8)), 10**8):
            paid = FeeAccumulator(terms).charge(price, count, role)
            expected = expected_fee(
                Fraction(price, 10_000), Fraction(count, 100), RATES[fee_type, role] * multiplier
            )
            assert Fraction(paid, 10**6) == expected, (price, count)


@given(st.integers(1, 9_999), st.integers(1, 10**8))
def test_public_form_is_the_integer_form(price: int, count: int) -> None:
    p, c = Fraction(price, 10_000), Fraction(count, 100)
    paid = trading_fee(Decimal(price) / 10_000, Decimal(count) / 100)
    assert paid == dollars(expected_fee(p, c, Fraction(7, 100)))
    assert paid.as_tuple().exponent == -6
    assert trading_fee(price / 10_000, count / 100) == paid


@given(
    st.lists(
        st.tuples(st.integers(1, 9_999), st.integers(1, 10**6), st.sampled_from(["taker", "maker"])),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([100, 10_000]),
)
def test_accumulator_against_the_documented_steps(
    fills: list[tuple[int, int, Any]], precision: int
) -> None:
    order = FeeAccumulator(FeeTerms("quadratic_with_maker_fees"), precision=precision)
    grid, carried, balance = Fraction(precision, 10**6), Fraction(0), Fraction(0)
    for price, count, role in fills:
        p, c = Fraction(price, 10_000), Fraction(count, 100)
        model = (Fraction(7, 100) if role == "taker" else Fraction(7, 400)) * c * p * (1 - p)
        trade = ceil_to(model, Fraction(1, 10**6))
        change = -c * p - trade
        aligned = math.floor(change / grid) * grid
        carried += change - aligned
        rebate = min(math.floor(carried / grid) * grid, math.floor((-c * p - aligned) / grid) * grid)
        carried -= rebate
        balance += aligned + rebate
        net = Fraction(order.charge(price, count, role), 10**6)
        assert net == -c * p - (aligned + rebate)
        assert net >= 0
        assert Fraction(order.carried, 10**6) == carried
        assert (balance / grid).denominator == 1


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20), st.integers(1, 99))
def test_fills_of_one_order_at_whole_cents_cost_what_one_fill_would(
    contracts: list[int], cents: int
) -> None:
    order = FeeAccumulator(FeeTerms())
    paid = sum(order.charge(cents * 100, count * 100) for count in contracts)
    at_once = FeeAccumulator(FeeTerms()).charge(cents * 100, sum(contracts) * 100)
    # Each fill's own fee is rounded up to $0.000001 before that.
    assert at_once <= paid <= at_once + 100 + len(contracts)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=10), st.integers(1, 99))
def test_whole_cent_rule_charges_an_order_not_its_fills(contracts: list[int], cents: int) -> None:
    order = FeeAccumulator(FeeTerms(), rounding="cent")
    paid = sum(order.charge(cents * 100, count * 100) for count in contracts)
    p = Fraction(cents, 100)
    model = Fraction(7, 100) * sum(contracts) * p * (1 - p)
    assert Fraction(paid, 10**6) == ceil_to(model, Fraction(1, 100))


def test_the_two_legs_pay_the_same_when_whole_cents_are_traded() -> None:
    for cents in range(1, 100):
        price = Decimal(cents) / 100
        assert trading_fee(price, "3.50") == trading_fee(1 - price, "3.50")


# --- dates, overrides, waivers ---------------------------------------------------------------


def test_rule_follows_the_day() -> None:
    assert [rounding_on(date(*day)) for day in ((2025, 12, 31), (2026, 1, 1), (2026, 9, 1))] == [
        "cent",
        "centicent",
        "microdollar",
    ]
    assert trading_fee("0.50", 1, on="2024-03-01") == Decimal("0.02")
    assert trading_fee("0.50", 1, on=date(2026, 11, 20)) == Decimal("0.0175")
    assert trading_fee("0.50", 100, on=datetime(2021, 7, 31, tzinfo=UTC)) == Decimal("3.50")


def test_event_wins_over_series_and_a_waiver_over_both() -> None:
    assert fee_terms("quadratic", 0.5).multiplier == Fraction(1, 2)
    changed = fee_terms(
        "quadratic", 0.5, type_override="quadratic_with_maker_fees", multiplier_override="1"
    )
    assert (changed.rate("taker"), changed.rate("maker")) == (Fraction(7, 100), Fraction(7, 400))
    ends = datetime(2026, 11, 20, 15, tzinfo=UTC)
    before = fee_terms("quadratic", 1, waived_until=ends, at=datetime(2026, 11, 20, 14, tzinfo=UTC))
    assert FeeAccumulator(before).charge(5000, 100) == 0
    at_end = fee_terms("quadratic", 1, waived_until=ends, at=ends)
    assert FeeAccumulator(at_end).charge(5000, 100) == 17_500
    assert fee_terms("quadratic", 1, multiplier_override=0).rate("taker") == 0


def test_decimal_text_and_float_multipliers_mean_the_decimal() -> None:
    assert fee_terms("quadratic", 0.1).multiplier == fee_terms("quadratic", "0.1").multiplier
    assert fee_terms("quadratic", Decimal("0.1")).multiplier == Fraction(1, 10)


# --- what follows from fees ------------------------------------------------------------------


@given(st.integers(1, 99), st.integers(1, 1000))
def test_break_even_probability_is_the_fair_one(cents: int, contracts: int) -> None:
    price = Fraction(cents, 100)
    chance = break_even_probability(Decimal(cents) / 100, contracts)
    paid = contracts * price + expected_fee(price, Fraction(contracts), Fraction(7, 100))
    assert chance * contracts == paid


@given(st.integers(1, 99), st.integers(1, 1000))
def test_break_even_price_is_the_first_that_pays(cents: int, contracts: int) -> None:
    def gain(exit_cents: int) -> Decimal:
        moved = Decimal(exit_cents - cents) / 100 * contracts
        return moved - round_trip_cost(Decimal(cents) / 100, Decimal(exit_cents) / 100, contracts)

    found = break_even_price(Decimal(cents) / 100, contracts)
    paying = [exit_cents for exit_cents in range(1, 100) if gain(exit_cents) >= 0]
    assert (None if found is None else int(found * 100)) == (paying[0] if paying else None)


def test_break_even_price_on_a_finer_grid_and_for_makers() -> None:
    fine = PriceGrid(((0, 10_000, 1),))
    assert break_even_price("0.50", 100, grid=fine) == Decimal("0.5350")
    assert break_even_price("0.50", 100, role="maker") == Decimal("0.5000")
    assert break_even_price("0.99", 1, fee_type="quadratic") is None
    assert round_trip_cost("0.50", "0.50", 100, role="taker", exit_role="maker") == Decimal("1.75")


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"fee_type": "margin_market_maker_program_fees"}, "Known types: quadratic, "),
        ({"fee_type": "q\x1b[31m"}, r"\\x1b"),
        ({"role": "broker"}, "'taker' or 'maker'"),
        ({"rounding": "dollar"}, "microdollar"),
        ({"multiplier": -1}, "negative"),
        ({"multiplier": float("nan")}, "number"),
        ({"multiplier": "half"}, "number"),
        ({"price": "0"}, "strictly between"),
        ({"price": 1}, "strictly between"),
        ({"price": "0.00001"}, "finer"),
        ({"price": float("nan")}, "finite"),
        ({"quantity": 0}, "positive"),
        ({"quantity": "-1"}, "positive"),
        ({"quantity": "0.001"}, "finer"),
        ({"on": "yesterday"}, "2026-11-20"),
        ({"on": 20261120}, "2026-11-20"),
    ],
)
def test_refusals(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        trading_fee(**{"price": "0.50", "quantity": 1, **arguments})


def test_refusals_of_terms() -> None:
    with pytest.raises(InputError, match="negative"):
        FeeTerms("quadratic", Fraction(-1))
    with pytest.raises(InputError, match="time zone"):
        fee_terms("quadratic", waived_until=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(InputError, match="'taker' or 'maker'"):
        round_trip_cost("0.5", "0.6", exit_role="both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'taker' or 'maker'"):
        FeeTerms().rate("both")  # type: ignore[arg-type]


def test_importing_the_rule_is_cheap() -> None:
    code = (
        "import sys, kalshi_research.fees; print([m for m in ('pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
