"""The order ticket: what it sends, what it says against it, what it costs. No screen, no network."""

from __future__ import annotations

import decimal
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_research.errors import DecodeError, FrameError, InputError, KalshiError
from kalshi_research.fees import FeeTerms
from kalshi_research.trading import MarketRules, OrderTicket

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
CENT = [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
TAPERED = [
    {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
    {"start": "0.1000", "end": "0.9000", "step": "0.0100"},
    {"start": "0.9000", "end": "1.0000", "step": "0.0010"},
]
BOOK = pd.DataFrame(
    {
        "ticker": "T",
        "side": ["bid", "bid", "ask", "ask"],
        "level": [0, 1, 0, 1],
        "price": [0.42, 0.41, 0.44, 0.47],
        "quantity": [13.0, 10.0, 17.0, 5.0],
    }
)


def market(ranges: Any = CENT, **more: Any) -> dict[str, Any]:
    return {
        "ticker": "T",
        "status": "active",
        "close_time": NOW + timedelta(hours=9),
        "price_ranges": json.dumps(ranges),
        **more,
    }


def ticket(ranges: Any = CENT, *, known: dict[str, Any] | None = None, **fields: Any) -> OrderTicket:
    made = OrderTicket("T", now=lambda: NOW, **{"quantity": 10, "price": "0.42", **fields})
    made.load(market(ranges), **(known or {}))
    return made


# What is sent


@pytest.mark.parametrize(
    "name", ["create_v2_maker", "create_v2_taker_ioc", "stp_self_cross", "stp_setup"]
)
def test_the_body_is_the_one_the_exchange_took(shared: Path, name: str) -> None:
    folder = shared / "real/rest_demo_2026_06"
    sent = json.loads((folder / f"orders__{name}.meta.json").read_text())["request_body"]
    made = OrderTicket(
        sent["ticker"],
        now=lambda: NOW,
        action="buy" if sent["side"] == "bid" else "sell",
        quantity=sent["count"],
        price=sent["price"],
        time_in_force=sent["time_in_force"],
        post_only=sent.get("post_only", False),
    )
    made.load(market(ticker=sent["ticker"]))
    body = made.to_request()
    del sent["client_order_id"]  # drawn when it is confirmed
    if not sent.get("post_only"):
        sent.pop("post_only", None)
    assert body == sent


def test_the_body_of_2025_is_that_of_the_documents(shared: Path) -> None:
    text = (shared / "seeds/001_71dd60dcecb83d4d.txt").read_text()
    sent = json.loads(re.search(r"const body = (\{.*\});", text)[1])  # type: ignore[index]
    made = OrderTicket(sent["ticker"], now=lambda: NOW, quantity=3, price=0.30)
    made.load(market(ticker=sent["ticker"]))
    made.confirm()
    body = made.to_request(dialect="2025")
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", body["client_order_id"]
    )
    assert body | {"client_order_id": sent["client_order_id"]} == sent


@pytest.mark.parametrize(
    ("action", "outcome", "price", "side", "yes"),
    [
        ("buy", "yes", "0.42", "bid", "0.4200"),
        ("sell", "yes", "0.42", "ask", "0.4200"),
        ("buy", "no", "0.42", "ask", "0.5800"),
        ("sell", "no", "0.42", "bid", "0.5800"),
    ],
)
def test_buying_no_is_selling_yes_at_the_complement(action, outcome, price, side, yes) -> None:
    made = ticket(action=action, outcome=outcome, price=price)
    body = made.to_request()
    assert (body["side"], body["price"], body["count"]) == (side, yes, "10.00")
    old = made.to_request(dialect="2025")
    assert (old["action"], old["side"], old[f"{outcome}_price"], old["count"]) == (
        action,
        outcome,
        42,
        10,
    )


def test_every_condition_gets_its_wire_name() -> None:
    made = ticket(
        expires=NOW + timedelta(minutes=5),
        post_only=True,
        cancel_on_pause=True,
        order_group="g-1",
        subaccount=3,
        self_trade_prevention="maker",
    )
    body = made.to_request()
    assert body["expiration_time"] == int(NOW.timestamp()) + 300
    assert {
        name: body[name]
        for name in ("post_only", "cancel_order_on_pause", "order_group_id", "subaccount")
    } == {
        "post_only": True,
        "cancel_order_on_pause": True,
        "order_group_id": "g-1",
        "subaccount": 3,
    }
    assert body["self_trade_prevention_type"] == "maker"
    assert (
        ticket(reduce_only=True, time_in_force="immediate_or_cancel").to_request()["reduce_only"] is True
    )


@pytest.mark.parametrize("nothing", [None, 0, 0.0])
def test_no_expiry_is_none(nothing: object) -> None:
    assert "expiration_time" not in ticket(expires=nothing).to_request()


def test_every_body_satisfies_the_published_schema(shared: Path) -> None:
    yaml, jsonschema = pytest.importorskip("yaml"), pytest.importorskip("jsonschema")
    spec = yaml.load(
        (shared / "spec/openapi.yaml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    schema = {"$ref": "#/components/schemas/CreateOrderV2Request", "components": spec["components"]}
    known = set(spec["components"]["schemas"]["CreateOrderV2Request"]["properties"])
    for fields in (
        {},
        {"outcome": "no", "action": "sell", "quantity": "1.50"},
        {"time_in_force": "fill_or_kill", "subaccount": 63},
        {
            "expires": NOW + timedelta(days=1),
            "post_only": True,
            "order_group": "g",
            "cancel_on_pause": True,
        },
        {"time_in_force": "immediate_or_cancel", "reduce_only": True, "self_trade_prevention": "maker"},
    ):
        made = ticket(**fields)
        made.confirm()
        body = made.to_request()
        jsonschema.validate(body, schema)
        assert set(body) <= known


def test_what_2025_cannot_say_is_refused() -> None:
    with pytest.raises(InputError, match=r"0\.05 and 0\.06"):
        ticket(TAPERED, price="0.055").to_request(dialect="2025")
    with pytest.raises(InputError, match=r"nearest valid quantity is 2"):
        ticket(quantity="1.50").to_request(dialect="2025")
    with pytest.raises(InputError, match="Choose 2026 or 2025"):
        ticket().to_request(dialect="2024")


# What comes in


@given(st.integers(1, 9_999), st.sampled_from(["yes", "no"]))
def test_every_tick_is_taken_as_text_decimal_and_double(tick: int, outcome: str) -> None:
    exact = Fraction(tick, 10_000)
    yes = exact if outcome == "yes" else 1 - exact
    for price in (f"0.{tick:04d}", Decimal(tick).scaleb(-4), tick / 10_000):
        made = ticket(
            [{"start": "0.0000", "end": "1.0000", "step": "0.0001"}], price=price, outcome=outcome
        )
        assert made.blockers == []
        assert Fraction(made.to_request()["price"]) == yes


def test_a_double_is_kept_as_a_person_writes_it() -> None:
    made = ticket()
    for given_price, text in ((0.42, "0.42"), (0.5, "0.50"), (0.0125, "0.0125"), (0.123456, "0.123456")):
        made.price = given_price
        assert made.price == text
    for given_count, text in ((10.0, "10"), (1.5, "1.50"), (0.005, "0.005"), (Decimal(2), "2")):
        made.quantity = given_count
        assert made.quantity == text


@pytest.mark.parametrize("huge", [1e15, 2e15, 1e20, 1e40, -1e20, Decimal("1e30"), 10**25])
def test_what_is_far_too_large_is_a_number_all_the_same(huge: Any) -> None:
    says = "more than 100,000,000 contracts" if huge > 0 else "is not above 0"
    (said,) = ticket(quantity=huge).blockers
    assert says in said
    (said,) = ticket(price=huge).blockers
    assert "does not lie between 0 and 1 dollar" in said
    with pytest.raises(InputError, match="balance"):
        ticket().load(balance=Decimal("1e40"))


def test_prices_of_a_quote_can_be_used_as_they_are() -> None:
    import kalshi_research as kr

    found = kr.quotes(BOOK.assign(cumulative=0.0)).iloc[0]
    assert ticket(price=found.yes_ask).to_request()["price"] == "0.4400"
    assert ticket(price=found.no_ask, outcome="no").to_request()["price"] == "0.4200"


def nearest(ranges: list[dict[str, str]], price: Fraction) -> set[Fraction]:
    """The valid prices on both sides of a price, counted out in fractions."""
    grid = set()
    for band in ranges:
        start, end, step = (Fraction(band[key]) for key in ("start", "end", "step"))
        grid |= {start + step * k for k in range(int((end - start) / step) + 1)}
    inside = sorted(p for p in grid if 0 < p < 1)
    below, above = [p for p in inside if p <= price][-1:], [p for p in inside if p >= price][:1]
    return {*below, *above}


BAD_PRICES = [
    "0.425",
    0.425,
    0.1 + 0.2,
    "0",
    0,
    "1",
    1,
    "1.5",
    "-0.42",
    -1,
    "1e-1",
    "4.2e1",
    "0.05555",
    "0.999",
    10**12,
]


@pytest.mark.parametrize("ranges", [CENT, TAPERED])
@pytest.mark.parametrize("outcome", ["yes", "no"])
@pytest.mark.parametrize("price", BAD_PRICES)
def test_a_wrong_price_is_answered_with_the_nearest_valid_ones(ranges, outcome, price) -> None:
    made = ticket(ranges, price=price, outcome=outcome)
    if not made.blockers:  # on the finer grid some are right
        assert nearest(ranges, Fraction(str(price))) == {Fraction(str(price))}
        return
    (said,) = made.blockers
    exact = Fraction(str(price)) if not isinstance(price, float) else Fraction(repr(price))
    mirrored = (
        ranges
        if outcome == "yes"
        else [
            {
                "start": str(1 - Fraction(b["end"])),
                "end": str(1 - Fraction(b["start"])),
                "step": b["step"],
            }
            for b in ranges
        ]
    )
    named = {Fraction(word) for word in re.findall(r"0\.\d+", said.split("nearest valid price is")[1])}
    assert named == nearest(mirrored, exact)
    with pytest.raises(InputError, match="nothing was sent"):
        made.to_request()


@pytest.mark.parametrize(
    "price",
    ["NaN", float("nan"), float("inf"), "-inf", "x", "0,42", "٠.٤", "1_0", Decimal("NaN"), "0.4\n2"],
)
def test_what_is_no_number_is_answered_with_the_range(price) -> None:
    (said,) = ticket(price=price).blockers
    assert "no number" in said
    assert "run from 0.01 to 0.99" in said


@pytest.mark.parametrize(
    ("quantity", "says"),
    [
        ("0", "nearest valid quantity is 0.01"),
        (-3, "nearest valid quantity is 0.01"),
        ("0.005", "nearest valid quantity is 0.01"),
        (1.237, "nearest valid quantity is 1.24"),
        (10**12, "100,000,000"),
        ("1e3", "nearest valid quantity is 1000"),
        ("1e99", "100,000,000"),
        ("many", "no number"),
        ("", "no quantity"),
    ],
)
def test_a_wrong_quantity_is_answered_with_the_nearest_valid_one(quantity, says) -> None:
    (said,) = ticket(quantity=quantity).blockers
    assert says in said


@pytest.mark.parametrize(
    "field", ["price", "quantity", "ticker", "post_only", "action", "time_in_force", "order_group"]
)
@pytest.mark.parametrize("value", [True, None, object(), [1], b"1"])
def test_a_value_of_the_wrong_kind_is_an_input_error_or_a_blocker(field, value) -> None:
    made = ticket()
    if (field == "post_only" and value is True) or (field in ("price", "quantity") and value is None):
        return
    with pytest.raises(InputError):
        setattr(made, field, value)
    assert made.to_request()["price"] == "0.4200", "the ticket stays as it was"


@pytest.mark.parametrize("field", ["action", "outcome", "time_in_force", "self_trade_prevention"])
@pytest.mark.parametrize("value", ["", "BUY", "short", "yes ", "day"])
def test_a_word_that_is_unknown_does_not_get_into_a_ticket(field: str, value: str) -> None:
    made = ticket()
    before = getattr(made, field)
    with pytest.raises(InputError, match=f"{field}='.*' is unknown; choose {before}"):
        setattr(made, field, value)
    assert getattr(made, field) == before


@given(
    st.one_of(
        st.text(), st.floats(), st.integers(), st.decimals(), st.booleans(), st.none(), st.binary()
    )
)
def test_whatever_is_typed_the_ticket_says_something_or_sends_a_valid_price(value: Any) -> None:
    made = ticket()
    for field in ("price", "quantity"):
        try:
            setattr(made, field, value)
        except KalshiError:
            continue
    if made.blockers:
        with pytest.raises(InputError):
            made.to_request()
    else:
        body = made.to_request()
        assert Fraction(body["price"]) * 100 in range(1, 100)
        assert Fraction(body["count"]) > 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"expires": NOW - timedelta(seconds=1)}, "earliest valid one is 2026-11-20T15:00:01"),
        ({"expires": datetime(2026, 11, 21)}, "no time zone"),  # noqa: DTZ001
        ({"expires": int(NOW.timestamp() * 1000)}, "not milliseconds"),
        ({"expires": "tomorrow"}, "aware datetime"),
        (
            {"expires": NOW + timedelta(hours=1), "time_in_force": "immediate_or_cancel"},
            "takes no expiry",
        ),
        ({"expires": NOW + timedelta(hours=1), "time_in_force": "fill_or_kill"}, "takes no expiry"),
        ({"reduce_only": True}, "immediate_or_cancel only"),
        ({"reduce_only": True, "time_in_force": "fill_or_kill"}, "immediate_or_cancel only"),
        ({"post_only": True, "time_in_force": "immediate_or_cancel"}, "good_till_canceled"),
        ({"subaccount": 64}, "0 to 63"),
        ({"order_group": "a/b"}, "no id"),
    ],
)
def test_conditions_that_exclude_each_other_are_said(fields, says) -> None:
    (said,) = ticket(**fields).blockers
    assert says in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "closed"}, "its status is closed"),
        ({"status": "inactive"}, "its status is inactive"),
        ({"close_time": NOW}, "closed at 2026-11-20 15:00 UTC"),
    ],
)
def test_a_market_that_does_not_trade_blocks(change, says) -> None:
    made = ticket()
    made.load(market(**change))
    assert says in made.blockers[0]


def test_a_market_must_be_known_and_be_the_one_named() -> None:
    made = OrderTicket("T", now=lambda: NOW, quantity=1, price="0.5")
    assert made.blockers == ["T has not been looked up yet"]
    made.load(market())
    assert made.blockers == []
    made.ticker = "U"
    assert made.blockers == ["the rules are those of T, not of U"]


def test_rules_come_from_frames_rows_and_mappings() -> None:
    frame = pd.DataFrame([market(TAPERED)]).set_index("ticker")
    for given_market in (frame, frame.loc["T"], market(TAPERED), market() | {"price_ranges": TAPERED}):
        rules = MarketRules.of(given_market)
        assert (rules.ticker, rules.grid.contains(55), rules.grid.contains(5550)) == ("T", False, False)
        assert rules.grid.contains(550)
    assert MarketRules.of(frame.assign(close_time=pd.NaT)).closes is None
    for wrong in (pd.concat([frame, frame]), 5, {"status": "active"}):
        with pytest.raises((FrameError, DecodeError)):
            MarketRules.of(wrong)


@pytest.mark.parametrize(
    "wrong", [5, "T", ["T"], ("T",), Path("T"), None, pd.DataFrame(), {}, {"ticker": ""}, {"ticker": 5}]
)
def test_what_is_no_row_of_a_market_is_said(wrong: Any) -> None:
    if isinstance(wrong, dict):
        wrong = {**market(), "ticker": None, **wrong}
    says = "names no market" if isinstance(wrong, dict) else "must be a row|rules of one market"
    with pytest.raises(FrameError, match=says):
        MarketRules.of(wrong)


def test_the_end_of_trading_counts_where_the_present_is_known() -> None:
    over = {"close_time": datetime(2020, 1, 1, tzinfo=UTC)}
    fields = {"quantity": 1, "price": "0.42"}
    real, invented = (pd.DataFrame([market(**over)]).set_index("ticker") for _ in range(2))
    invented.attrs["kalshi"] = {"simulated": True}
    for known, now in ((market(**over), None), (real, None), (invented, lambda: NOW)):
        made = OrderTicket("T", now=now, **fields)
        made.load(known)
        (said,) = made.blockers
        assert said == "T closed at 2020-01-01 00:00 UTC"
    made = OrderTicket("T", **fields)
    made.load(invented)
    assert made.blockers == []


def test_what_is_known_of_a_market_stays_until_another_comes() -> None:
    made = ticket(known={"book": BOOK, "position": 10}, action="sell")
    made.load(market(title="another look"))
    assert (made.cost, made.taken) == (0, 10)
    made.load(fees=FeeTerms(multiplier=Fraction(0)))
    assert made.fee == 0
    made = OrderTicket("T", now=lambda: NOW, quantity=1, price="0.42")
    made.load(book=BOOK, fees=FeeTerms())
    assert made.blockers == ["T has not been looked up yet"]
    made.load(market())
    assert (made.blockers, made.taken) == ([], 0)


def test_a_ticket_without_a_market_asks_for_its_name_alone() -> None:
    assert OrderTicket(quantity=1, price="0.42").blockers == ["no valid ticker is given"]


def test_a_row_is_named_by_its_column_or_by_its_place() -> None:
    frame = pd.DataFrame([market()])
    assert MarketRules.of(frame).ticker == "T"
    assert MarketRules.of(frame.iloc[0]).ticker == "T"
    assert MarketRules.of(frame.drop(columns="ticker").rename({0: "U"}).loc["U"]).ticker == "U"
    with pytest.raises(FrameError, match="names no market"):
        MarketRules.of(frame.drop(columns="ticker"))
    only = pd.Series(market(), name="V").drop("ticker")
    assert MarketRules.of(only).ticker == "V"
    with pytest.raises(FrameError, match="names no market"):
        MarketRules.of(only.rename(""))


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NaT, pd.NA])
def test_what_a_row_does_not_say_is_not_made_up(nothing: Any) -> None:
    names = ("status", "close_time", "exchange_index", "yes_sub_title", "title")
    rules = MarketRules.of({**market(), **dict.fromkeys(names, nothing)})
    assert (rules.status, rules.closes, rules.shard, rules.title) == ("", None, None, "")
    assert MarketRules.of({**market(), "yes_sub_title": nothing, "title": "Rain?"}).title == "Rain?"
    assert MarketRules.of({**market(), "exchange_index": 0}).shard == 0
    made = ticket()
    made.load({**market(), "status": nothing})
    assert made.blockers == ["T does not trade: its status is unknown"]


# Confirming


EDITS: dict[str, Any] = {
    "ticker": "U",
    "action": "sell",
    "outcome": "no",
    "quantity": 11,
    "price": "0.43",
    "time_in_force": "immediate_or_cancel",
    "post_only": True,
    "reduce_only": True,
    "cancel_on_pause": True,
    "expires": NOW + timedelta(hours=1),
    "self_trade_prevention": "maker",
    "order_group": "g",
    "subaccount": 1,
    "warnings": ["a limit"],
}


@pytest.mark.parametrize("field", EDITS)
def test_any_edit_takes_back_the_confirmation(field: str) -> None:
    made = ticket()
    made.confirm()
    assert made.confirmed
    token = made.client_order_id
    setattr(made, field, EDITS[field])
    assert not made.confirmed
    with pytest.raises(InputError):
        made.take()
    setattr(made, field, getattr(ticket(), field))
    made.confirm()
    assert made.client_order_id != token, "another confirmation is another order"


def test_news_that_change_what_was_shown_take_it_back_and_others_do_not() -> None:
    made = ticket(known={"book": BOOK}, price="0.45")
    made.confirm()
    made.load(book=BOOK.assign(quantity=[99.0, 10, 17, 5]))  # nothing this order meets
    assert made.confirmed
    made.load(book=BOOK.assign(price=[0.42, 0.41, 0.45, 0.47]))
    assert not made.confirmed


def test_time_takes_it_back_when_the_market_closes() -> None:
    clock = [NOW]
    made = OrderTicket("T", now=lambda: clock[0], quantity=1, price="0.42")
    made.load(market())
    made.confirm()
    clock[0] = NOW + timedelta(hours=10)
    with pytest.raises(InputError, match="closed at"):
        made.take()
    assert not made.confirmed


def test_a_confirmed_ticket_can_be_taken_once() -> None:
    made = ticket()
    with pytest.raises(InputError, match="not confirmed"):
        made.take()
    made.confirm()
    terms, token = made.take()
    assert (terms.yes_price, terms.count, len(token)) == (4200, 1000, 36)
    with pytest.raises(InputError, match="sent already"):
        made.take()


def test_while_news_are_held_back_nothing_is_taken_that_is_not_confirmed() -> None:
    made = ticket()
    made.confirm()
    with made.hold_trait_notifications():
        made.confirmed = False
        with pytest.raises(InputError, match="not confirmed"):
            made.take()
    with made.hold_trait_notifications():
        made.confirmed = True  # no id is drawn yet
        with pytest.raises(InputError, match="not confirmed"):
            made.take()
    assert len(made.take()[1]) == 36


def test_twenty_threads_take_one_order() -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = ticket()
    made.confirm()

    def click(_: int) -> str:
        try:
            return made.take()[1]
        except InputError:
            return ""

    with ThreadPoolExecutor(20) as pool:
        tokens = [token for token in pool.map(click, range(20)) if token]
    assert len(tokens) == 1


def beside(call: Any) -> Any:
    """Begin a call in another thread the first time this is asked, and give it a moment."""
    thread = threading.Thread(target=call)

    def middle() -> threading.Thread:
        if not thread.ident:
            thread.start()
            thread.join(0.3)  # it is done at once, unless something makes it wait
        return thread

    return middle


def test_a_second_click_in_the_middle_of_the_first_finds_nothing() -> None:
    made, taken = ticket(), []

    def click() -> None:
        try:
            taken.append(made.take())
        except InputError:
            taken.append(None)

    made.confirm()
    middle = beside(click)
    made._now = lambda: middle() and NOW
    click()
    middle().join(10)
    assert len(taken) == 2
    assert taken.count(None) == 1


def test_a_second_click_at_the_last_moment_of_the_first_finds_nothing() -> None:
    class Slow(OrderTicket):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            if name == "confirmed" and found and clicked:
                middle()
            return found

    taken: list[Any] = []
    clicked: list[bool] = []
    made = Slow("T", now=lambda: NOW, quantity=10, price="0.42")
    made.load(market())
    made.confirm()

    def click() -> None:
        clicked.append(True)
        try:
            taken.append(made.take())
        except InputError:
            taken.append(None)

    middle = beside(click)
    click()
    middle().join(10)
    assert len(taken) == 2
    assert taken.count(None) == 1


def test_an_edit_in_the_middle_of_a_look_is_not_forgotten() -> None:
    made = ticket()
    middle = beside(lambda: made.edit(price="0.43"))
    made._now = lambda: middle() and NOW
    made.refresh()
    middle().join(10)
    assert made.cost == Decimal("4.300000")
    assert made.sentence == "buy 10 YES of T at $0.43"


def test_what_is_told_in_the_middle_of_something_else_is_not_forgotten() -> None:
    made = ticket(action="sell")
    middle = beside(lambda: made.load(position=10))

    class Slow(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            middle()
            return super().get(name, default)

    made.load(Slow(market(ticker="U")))
    middle().join(10)
    assert (made.ticker, made.cost) == ("U", 0), "ten are held, so selling ten needs nothing"


def test_what_is_blocked_cannot_be_confirmed() -> None:
    made = ticket(price="0.425")
    made.confirmed = True
    assert not made.confirmed
    with pytest.raises(InputError, match="cannot be confirmed"):
        made.confirm()


def test_what_others_warn_of_cannot_be_confirmed_either() -> None:
    made = ticket(warnings=["the limit of a day is reached"])
    made.confirmed = True
    assert (made.confirmed, made.client_order_id) == (False, "")
    made.warnings = []
    made.confirmed = True
    assert (made.confirmed, len(made.client_order_id)) == (True, 36)
    made.confirmed = False
    assert made.client_order_id == ""


def test_several_edits_are_one_and_unknown_fields_are_refused() -> None:
    made = ticket(known={"book": BOOK})
    seen: list[list[str]] = []
    made.observe(lambda change: seen.append(change["new"]), "blockers")
    made.edit(time_in_force="immediate_or_cancel", reduce_only=True)
    assert seen == []
    made.edit(price="0.43", reduce_only=False, time_in_force="good_till_canceled")
    made.edit(reduce_only=True, time_in_force="immediate_or_cancel")  # the first alone would be wrong
    assert seen == []
    with pytest.raises(InputError, match="no colour"):
        made.edit(colour="red")
    with pytest.raises(InputError, match="no colour"):
        OrderTicket("T", colour="red")


# Money


def fee_of(price: Fraction, count: Fraction, rate: Fraction = Fraction(7, 100)) -> Fraction:
    """The documented rule for one fill of a member with balances in $0.0001."""
    model = rate * count * price * (1 - price)
    trade_fee = Fraction(-(-model * 1_000_000 // 1), 1_000_000)
    change = -count * price - trade_fee
    aligned = Fraction((change * 10_000) // 1, 10_000)
    return -aligned - count * price


@given(
    st.integers(1, 99),
    st.integers(1, 10**6),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["yes", "no"]),
    st.booleans(),
)
def test_cost_fee_and_loss_are_exact(
    cents: int, hundredths: int, action: str, outcome: str, maker: bool
) -> None:
    price, count = Fraction(cents, 100), Fraction(hundredths, 100)
    with decimal.localcontext(decimal.Context(prec=6, rounding=decimal.ROUND_UP)):
        made = ticket(
            price=f"0.{cents:02d}",
            quantity=str(Decimal(hundredths).scaleb(-2)),
            action=action,
            outcome=outcome,
            post_only=maker,
        )
        assert made.blockers == []
        paid = price if action == "buy" else 1 - price
        # A maker pays no fee here, but the balance is aligned to $0.0001 all the same.
        fee = fee_of(paid, count, Fraction(0) if maker else Fraction(7, 100))
        assert Fraction(made.cost) == paid * count
        assert Fraction(made.fee) == fee
        assert Fraction(made.worst_loss) == paid * count + fee
        exact = price + fee / count if action == "buy" else price - fee / count
        slack = Fraction(made.break_even) - exact
        assert 0 <= (slack if action == "buy" else -slack) < Fraction(1, 10_000)


def test_the_fee_follows_the_book() -> None:
    made = ticket(known={"book": BOOK}, price="0.45", quantity=20)
    assert made.taken == 17  # 17 at 0.44; 3 rest at 0.45
    exact = fee_of(Fraction(44, 100), Fraction(17))
    assert abs(Fraction(made.fee) - exact) <= Fraction(1, 10_000)
    assert Fraction(made.worst_loss) == 20 * Fraction(45, 100) + fee_of(Fraction(45, 100), Fraction(20))
    made.load(fees=FeeTerms(multiplier=Fraction(1, 2)))
    assert Fraction(made.fee) < exact


@pytest.mark.parametrize(
    ("fields", "taken", "fee"),
    [
        # 17 meet an order at 0.44, and what is left rests at the limit or goes.
        ({}, 17, Fraction(7, 100) * 17 * 44 * 56 + Fraction(7, 400) * 3 * 45 * 55),
        ({"time_in_force": "immediate_or_cancel"}, 17, Fraction(7, 100) * 17 * 44 * 56),
        ({"quantity": 17}, 17, Fraction(7, 100) * 17 * 44 * 56),
        ({"price": "0.43", "post_only": True}, 0, Fraction(7, 400) * 20 * 43 * 57),
        ({"price": "0.45", "post_only": True}, 0, Fraction(7, 400) * 20 * 45 * 55),
    ],
)
def test_the_fee_of_what_rests_is_that_of_a_maker(fields, taken, fee) -> None:
    fees = FeeTerms("quadratic_with_maker_fees")
    made = ticket(known={"book": BOOK, "fees": fees}, **{"price": "0.45", "quantity": 20, **fields})
    assert made.taken == taken
    assert 0 <= Fraction(made.fee) - fee / 10_000 <= Fraction(2, 10_000)  # rounded up, once a fill


@pytest.mark.parametrize(
    "book",
    [
        5,
        {"side": ["bid"]},
        BOOK.drop(columns="side"),
        BOOK.assign(price=0.12345),
        BOOK.assign(price="x"),
        BOOK.assign(quantity=float("nan")),
        {"side": ["bid"], "price": [0.4, 0.3], "quantity": [1.0]},
    ],
)
def test_what_is_no_book_is_said(book: Any) -> None:
    made = ticket(known={"book": BOOK}, price="0.45")
    with pytest.raises(FrameError, match="book must be a frame of get_orderbook"):
        made.load(book=book)
    assert made.taken == 10, "what was known stays"


def test_a_ladder_of_integers_is_a_book_too() -> None:
    from kalshi_research.trading.estimate import Ladder

    made = ticket(known={"book": Ladder(asks=((4400, 300), (4500, 200)))}, price="0.45")
    assert made.taken == 5


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"price": "0.44", "post_only": True}, "meets an order at 0.44"),
        ({"price": "0.58", "outcome": "no", "post_only": True}, "meets an order at 0.58"),
        ({"price": "0.44", "quantity": 18, "time_in_force": "fill_or_kill"}, "fills 17 of 18"),
        (
            {"price": "0.42", "action": "sell", "quantity": 14, "time_in_force": "fill_or_kill"},
            "fills 13 of 14",
        ),
    ],
)
def test_what_the_book_forbids_is_said(fields, says) -> None:
    (said,) = ticket(known={"book": BOOK}, **fields).blockers
    assert says in said
    assert ticket(known={"book": BOOK}, price="0.43", post_only=True).blockers == []


def test_position_and_balance() -> None:
    made = ticket(known={"balance": "4.37"})
    assert "can be spent" in made.blockers[0]  # 4.20 and a fee of 0.1706
    made.load(balance="4.3706")
    assert made.blockers == []
    made = ticket(action="sell", known={"position": 4, "balance": "3.49"})
    assert made.cost == Decimal("3.480000"), "6 of 10 open a position in NO at 0.58"
    assert "can be spent" in made.blockers[0]
    made = ticket(
        action="sell", time_in_force="immediate_or_cancel", reduce_only=True, known={"position": -4}
    )
    assert "position that this order makes smaller" in made.blockers[0]
    made.load(position=4.0)
    assert made.blockers == []


@pytest.mark.parametrize(("action", "held"), [("buy", 4), ("buy", 0), ("sell", -4), ("sell", 0)])
def test_a_position_may_grow_unless_it_must_not(action: str, held: int) -> None:
    fields = {"action": action, "time_in_force": "immediate_or_cancel"}
    assert ticket(known={"position": held}, **fields).blockers == []
    (said,) = ticket(known={"position": held}, reduce_only=True, **fields).blockers
    assert "position that this order makes smaller" in said
    assert ticket(reduce_only=True, **fields).blockers == [], "what is held is not known"


def test_what_only_closes_needs_no_money() -> None:
    made = ticket(action="sell", known={"position": 10, "balance": 0})
    assert (made.cost, made.blockers) == (0, [])
    assert made.fee > 0


def test_what_is_no_cross_is_no_obstacle() -> None:
    for known in ({"book": BOOK[BOOK.side == "bid"]}, {"book": BOOK[BOOK.side == "ask"]}):
        for fields in ({"price": "0.01", "action": "buy"}, {"price": "0.99", "action": "sell"}):
            assert ticket(known=known, post_only=True, **fields).blockers == []
    assert ticket(known={"book": BOOK}, price="0.44").blockers == [], "it may trade at once"
    assert ticket(known={"book": BOOK}, price="0.44", quantity=18).blockers == []
    made = ticket(known={"book": BOOK}, price="0.44", quantity=17, time_in_force="fill_or_kill")
    assert made.blockers == []


@pytest.mark.parametrize("ranges", [None, "x", "{}", "5", 5, {}, "null"])
def test_a_market_whose_grid_cannot_be_read_is_said_by_its_name(ranges: Any) -> None:
    with pytest.raises(DecodeError, match="the price grid of T cannot be read"):
        MarketRules.of(market() | {"price_ranges": ranges})


def test_what_is_no_position_or_balance_is_said_by_its_name() -> None:
    for wrong in ("x", "1e3", "0.0000001", True, [4]):
        for name in ("position", "balance"):
            with pytest.raises(InputError, match=f"^{name}: "):
                ticket().load(**{name: wrong})
    for held in (-4, "-4.00", -4.0, Decimal(-4)):
        made = ticket(known={"position": held})
        assert made.cost == Decimal("2.520000"), "4 of 10 close a position in NO"


def test_another_market_forgets_book_and_position() -> None:
    made = ticket(known={"book": BOOK, "position": 10}, action="sell")
    assert (made.cost, made.taken) == (0, 10)
    made.load(market(ticker="U"))
    assert (made.cost, made.taken, made.ticker) == (Decimal("5.800000"), None, "U")


def test_the_ticket_knows_no_screen() -> None:
    import subprocess
    import sys

    code = "import sys, kalshi_research.trading; print({'ipywidgets', 'requests'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
