"""What the documents of late 2025 say about reads, limits and refusals, in our own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cents_calls import ORDERS, CentsCaller

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.traders import Traders

SMALL = {"days": 3, "crypto_hours": 1}
NAMED = ("KXHIGHNY-24JAN01-T60", "KXHARRIS24-LSV", "KXFUT24-LSV", "HOMEUSY-24-T4")
PRINTED = {
    "yes": [
        [1, 200], [15, 100], [20, 50], [25, 20], [30, 11], [31, 10], [32, 10], [33, 11], [34, 9],
        [35, 11], [41, 10], [42, 13],
    ],
    "no": [
        [1, 100], [16, 3], [25, 50], [28, 19], [36, 5], [37, 50], [38, 300], [44, 29], [45, 20],
        [56, 17],
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def calls() -> Iterator[CentsCaller]:
    with Sandbox(dialect="2025", users=2) as sandbox, CentsCaller(sandbox) as made:
        yield made


@pytest.fixture(scope="module")
def document(shared: Path) -> str:
    (found,) = (shared / "seeds").glob("000_*.txt")
    return found.read_text("utf-8")


def both_formats(view: Any) -> int:
    """Check that dollars and cents of a view say the same; answer how often."""
    seen = 0
    if isinstance(view, list):
        return sum(map(both_formats, view))
    if not isinstance(view, dict):
        return 0
    for name, value in view.items():
        assert not name.endswith("_fp"), name
        if name.endswith("_dollars"):
            cents = view[name.removesuffix("_dollars")]
            assert (cents is None) == (value is None), name
            if value is not None:
                assert type(cents) is int
                assert re.fullmatch(r"-?\d+\.\d{4}(\d\d)?", value), (name, value)
                whole, _, fraction = value.lstrip("-").partition(".")
                assert abs(cents) == int(whole) * 100 + int(fraction[:2]), (name, cents, value)
                seen += 1
        seen += both_formats(value)
    return seen


# --- markets and books --------------------------------------------------------------------------


@pytest.mark.parametrize("ticker", NAMED)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_markets_of_the_documents_are_open_and_have_a_book(ticker: str, seed: int) -> None:
    with Sandbox(dialect="2025", seed=seed, **SMALL) as sandbox, CentsCaller(sandbox) as calls:
        market = calls.get(f"/markets/{ticker}")["market"]
        book = calls.get(f"/markets/{ticker}/orderbook")["orderbook"]
        open_ones = [row["ticker"] for row in calls.walk("/markets", "markets", status="open")]
    assert market["status"] == "open"
    assert ticker in open_ones
    assert all(len(book[leg]) > 3 for leg in ("yes", "no"))
    assert market["yes_bid"] == book["yes"][-1][0]
    assert market["yes_ask"] == 100 - book["no"][-1][0]
    assert market["yes_bid"] < market["yes_ask"]


@pytest.mark.parametrize(
    "now", [datetime(2025, 11, 20, 15, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]
)
def test_they_are_there_whatever_the_date(now: datetime) -> None:
    with Sandbox(dialect="2025", now=now, **SMALL) as sandbox, CentsCaller(sandbox) as calls:
        asked = calls.get("/markets", tickers=",".join(NAMED), status="open")["markets"]
    assert {row["ticker"] for row in asked} == set(NAMED)


def test_the_printed_book_is_there(calls: CentsCaller) -> None:
    answer = calls.get("/markets/KXHIGHNY-24JAN01-T60/orderbook")
    assert answer == {"orderbook": PRINTED}
    assert 100 - answer["orderbook"]["no"][-1][0] - answer["orderbook"]["yes"][-1][0] == 2


def test_it_is_the_one_in_the_document(document: str) -> None:
    printed = next(part for part in document.split("```") if part.startswith('\n{\n  "orderbook": {'))
    assert json.loads(re.sub(r"//.*", "", printed)) == {"orderbook": PRINTED}


def test_depth_cuts_the_worst_levels_off(calls: CentsCaller) -> None:
    book = calls.get("/markets/KXHIGHNY-24JAN01-T60/orderbook", depth=2)["orderbook"]
    assert book == {"yes": [[41, 10], [42, 13]], "no": [[45, 20], [56, 17]]}


def test_books_are_ascending_cents_and_whole_contracts(calls: CentsCaller) -> None:
    tickers = [row["ticker"] for row in calls.walk("/markets", "markets", status="open")]
    levels = 0
    for ticker in tickers:
        book = calls.get(f"/markets/{ticker}/orderbook")["orderbook"]
        assert book.keys() == {"yes", "no"}
        for ladder in book.values():
            assert all(type(part) is int for level in ladder for part in level)
            prices = [price for price, _ in ladder]
            assert prices == sorted(set(prices))
            assert all(1 <= price <= 99 and count >= 1 for price, count in ladder)
            levels += len(ladder)
        if book["yes"] and book["no"]:
            assert book["yes"][-1][0] + book["no"][-1][0] < 100
    assert levels > 500


def test_every_amount_is_there_in_both_formats(calls: CentsCaller) -> None:
    markets = list(calls.walk("/markets", "markets"))
    assert both_formats(markets) > 10 * len(markets)
    trades = calls.get("/markets/trades")["trades"]
    assert both_formats(trades) == 3 * len(trades) == 300
    assert {"price", "price_dollars"} <= trades[0].keys() & markets[0].keys()


def test_a_market_has_the_prices_the_samples_read(calls: CentsCaller) -> None:
    for market in calls.walk("/markets", "markets", series_ticker="KXHIGHNY"):
        for name in ("yes_price", "yes_bid", "yes_ask", "no_bid", "no_ask", "last_price", "volume"):
            assert type(market[name]) is int, name
        if market["last_price"]:
            assert market["yes_price"] == market["last_price"]
        elif 0 < market["yes_ask"] < 100:
            assert market["yes_price"] == market["yes_ask"]
        assert market["no_price"] == 100 - market["yes_price"]
        assert market["yes_bid"] + market["no_ask"] == market["yes_ask"] + market["no_bid"] == 100
        assert market["tick_size"] == 1
        assert market["title"]
        assert market["event_ticker"].startswith("KXHIGHNY-")


def test_a_trade_is_of_whole_contracts_at_the_price_of_the_leg_taken(calls: CentsCaller) -> None:
    trades = calls.get("/markets/trades", limit=100)["trades"]
    for trade in trades:
        assert type(trade["count"]) is int
        assert trade["count"] >= 1
        assert trade["yes_price"] + trade["no_price"] == 100
        assert trade["price"] == trade[f"{trade['taker_side']}_price"]
    assert {trade["taker_side"] for trade in trades} == {"yes", "no"}


def test_statuses_are_the_words_of_the_filter(calls: CentsCaller) -> None:
    found = {row["status"] for row in calls.walk("/markets", "markets")}
    assert found == {"unopened", "open", "paused", "closed", "settled"}
    for status in found:
        rows = calls.get("/markets", status=status)["markets"]
        assert {row["status"] for row in rows} == {status}


def test_everything_is_live(calls: CentsCaller) -> None:
    oldest = "KXHIGHNY-26OCT06"
    (event,) = calls.get("/events", tickers=oldest)["events"]
    assert event["event_ticker"] == oldest
    ticker = calls.get("/markets", event_ticker=oldest)["markets"][0]["ticker"]
    assert calls.get("/markets/trades", ticker=ticker)["trades"]
    for path in ("/historical/cutoff", "/historical/markets", f"/historical/markets/{ticker}"):
        calls.refused(404, path)


def test_series_and_events_have_what_the_samples_print(calls: CentsCaller) -> None:
    series = calls.get("/series/KXHIGHNY")["series"]
    assert (series["category"], series["frequency"]) == ("Climate and Weather", "daily")
    answer = calls.get("/events/KXHIGHNY-24JAN01")
    assert (answer["event"]["title"], answer["event"]["category"]) == (
        "Highest temperature in NYC on Jan 1, 2024?",
        "Climate and Weather",
    )
    assert [row["ticker"] for row in answer["markets"]] == ["KXHIGHNY-24JAN01-T60"]
    nested = calls.get("/events/KXHIGHNY-24JAN01", with_nested_markets="true")
    assert nested["event"]["markets"] == answer["markets"]
    assert nested["markets"] == []


def test_candlesticks_are_in_both_formats(calls: CentsCaller) -> None:
    ticker, now = "KXHIGHNY-24JAN01-T60", 1795186800
    path = f"/series/KXHIGHNY/markets/{ticker}/candlesticks"
    window = {"start_ts": now - 86400, "end_ts": now, "period_interval": 60}
    candles = calls.get(path, **window)["candlesticks"]
    assert both_formats(candles) >= 8 * len(candles) > 80
    assert all(type(row["volume"]) is int for row in candles)
    idle = [row for row in candles if not row["volume"]]
    assert idle
    assert all(row["price"]["open"] is None for row in idle)
    assert (candles[-1]["yes_bid"]["close"], candles[-1]["yes_ask"]["close"]) == (42, 44)
    (batch,) = calls.get("/markets/candlesticks", market_tickers=ticker, **window)["markets"]
    assert batch["candlesticks"] == candles


def test_the_exchange_says_whether_it_is_open(calls: CentsCaller) -> None:
    assert calls.get("/exchange/status") == {"exchange_active": True, "trading_active": True}


KNOWN = {
    "markets": """can_close_early cap_strike category close_time created_time custom_strike
        early_close_condition event_ticker expected_expiration_time expiration_time expiration_value
        floor_strike last_price latest_expiration_time market_type no_ask no_bid no_price no_sub_title
        notional_value occurrence_datetime open_interest open_time previous_price previous_yes_ask
        previous_yes_bid price primary_participant_key response_price_units result rules_primary
        rules_secondary settlement_timer_seconds settlement_ts settlement_value status strike_type
        subtitle tick_size ticker title updated_time volume volume_24h yes_ask yes_bid yes_price
        yes_sub_title""",
    "events": """category collateral_return_type event_ticker last_updated_ts mutually_exclusive
        product_metadata series_ticker settlement_sources strike_date strike_period sub_title title""",
    "trades": "count created_time no_price price taker_side ticker trade_id yes_price",
    "orders": """action client_order_id created_time expiration_time fill_count initial_count
        last_update_time maker_fees maker_fill_cost no_price order_id price remaining_count
        self_trade_prevention_type side status taker_fees taker_fill_cost ticker type user_id
        yes_price""",
    "fills": """action count created_time fee_cost fill_id is_taker market_ticker no_price order_id
        price side ticker trade_id ts yes_price""",
    "market_positions": """fees_paid last_updated_ts market_exposure position realized_pnl
        resting_orders_count ticker total_traded""",
}


@pytest.mark.parametrize("kind", KNOWN)
def test_a_field_that_is_new_today_does_not_get_into_2025(calls: CentsCaller, kind: str) -> None:
    calls.order("KXFUT24-LSV", yes_price=99)
    path = next(path for path, key in LISTS.items() if key == kind)
    told = {name for row in calls.read(path)[kind] for name in row}
    assert {name.removesuffix("_dollars") for name in told} <= set(KNOWN[kind].split())


def test_nothing_of_today_is_told(calls: CentsCaller) -> None:
    later = {"outcome_side", "book_side", "exchange_index", "price_ranges", "price_level_structure"}
    later |= {"subaccount_number", "settlement_bounds_type", "taker_outcome_side", "yes_bid_size"}
    market = calls.get("/markets", limit=1)["markets"][0]
    trade = calls.get("/markets/trades", limit=1)["trades"][0]
    order = calls.order("KXFUT24-LSV")
    for view in (market, trade, order, calls.get("/events", limit=1)["events"][0]):
        assert not later & view.keys()
    for path in ("/portfolio/events/orders", "/portfolio/order_groups/create"):
        assert calls.send("POST", path, {}).status_code == 404
    calls.refused(404, "/markets/orderbooks", tickers="KXFUT24-LSV")


# --- pages --------------------------------------------------------------------------------------

LISTS = {
    "/markets": "markets",
    "/events": "events",
    "/series": "series",
    "/markets/trades": "trades",
    "/portfolio/history": "history",
    "/portfolio/fills": "fills",
    ORDERS: "orders",
    "/portfolio/positions": "market_positions",
    "/portfolio/settlements": "settlements",
}


def test_these_lists_have_pages_in_the_document(document: str) -> None:
    part = document.partition("The following endpoints support cursor-based pagination:\n")[2]
    named = re.findall(r"\\- `(/[a-z/]+)`", part.partition("##")[0])
    assert len(named) == 7
    assert set(named) <= LISTS.keys()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [0, 101, 1000, -1, "ten"])
def test_a_page_has_1_to_100_rows(calls: CentsCaller, path: str, limit: object) -> None:
    assert calls.send("GET", path, limit=limit).status_code == 400


@pytest.mark.parametrize("path", LISTS)
def test_the_last_page_ends_in_null(calls: CentsCaller, path: str) -> None:
    calls.order("KXFUT24-LSV", yes_price=99)
    calls.order("KXFUT24-LSV")
    pages, cursor = [], {}
    while True:
        page = calls.read(path, limit=100, **cursor)
        pages.append(page[LISTS[path]])
        if page["cursor"] is None:
            break
        assert isinstance(page["cursor"], str)
        assert page["cursor"]
        assert len(pages[-1]) == 100
        if path == "/markets/trades" and len(pages) == 3:
            return
        cursor = {"cursor": page["cursor"]}
    one = next(iter(pages[0]), None)
    if path in ("/markets", "/events"):
        assert len(pages) > 1
        keys = [row.get("ticker", row.get("event_ticker")) for page in pages for row in page]
        assert len(set(keys)) == len(keys)
    assert calls.read(path)[LISTS[path]][:1] == ([one] if one else [])


@pytest.mark.parametrize("path", ["/markets", "/events", "/markets/trades"])
def test_a_page_has_100_rows_where_nothing_is_asked(calls: CentsCaller, path: str) -> None:
    assert len(calls.get(path)[LISTS[path]]) == 100


def test_series_have_pages_too(calls: CentsCaller) -> None:
    everything = calls.get("/series")["series"]
    found, cursor = [], {}
    while True:
        page = calls.get("/series", limit=2, **cursor)
        found += page["series"]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert found == everything
    assert {"KXHIGHNY", "KXHARRIS", "KXFUT", "HOMEUSY"} <= {row["ticker"] for row in found}


# --- who may call -------------------------------------------------------------------------------


def test_a_refused_signature_is_an_authentication_error(calls: CentsCaller) -> None:
    good = calls.signed_headers("GET", "/portfolio/balance", key_type="rsa")
    stale = calls.signed_headers("GET", "/portfolio/balance", key_type="rsa", skew=-300)
    wrong = calls.signed_headers("GET", "/portfolio/orders", key_type="rsa")
    unknown = good | {"KALSHI-ACCESS-KEY": "a952bcbe-ec3b-4b5b-b8f9-11dae589608c"}
    details = []
    for headers in (None, stale, wrong, unknown):
        answer = calls.call("GET", "/portfolio/balance", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "authentication_error"
        details.append(answer.json()["error"]["details"])
    assert len(set(details)) == 4
    assert calls.call("GET", "/portfolio/balance", headers=good).status_code == 200


def test_the_query_is_not_signed(calls: CentsCaller) -> None:
    headers = calls.signed_headers("GET", ORDERS, key_type="rsa")
    assert calls.call("GET", ORDERS, headers=headers, limit=5).status_code == 200
    headers = calls.signed_headers("GET", f"{ORDERS}?limit=5", key_type="rsa")
    assert calls.call("GET", ORDERS, headers=headers, limit=5).status_code == 401


def test_keys_are_rsa() -> None:
    sandbox = Sandbox(dialect="2025", **SMALL)
    assert type(sandbox.credentials()[1]).__name__ == "RSAPrivateKey"
    with pytest.raises(ConfigError, match="rsa"):
        sandbox.credentials(key_type="ed25519")
    assert sandbox.key_file().read_text().startswith("-----BEGIN")
    sandbox.close()


# --- how often ----------------------------------------------------------------------------------

TIERS = {"Basic": (20, 10), "Advanced": (30, 30), "Premier": (100, 100), "Prime": (400, 400)}


def test_these_are_the_tiers_of_the_document(document: str) -> None:
    rows = re.findall(r"^\| (\w+) \| (\d+) per second \| (\d+) per second \|$", document, re.MULTILINE)
    assert {name: (int(read), int(write)) for name, read, write in rows} == TIERS


@pytest.mark.parametrize("name", TIERS)
def test_a_tier_is_named_as_in_the_documents(name: str) -> None:
    for spelling in (name, name.lower()):
        sandbox = Sandbox(dialect="2025", rate_limits=spelling, **SMALL)
        with sandbox, CentsCaller(sandbox) as calls:
            said = calls.read("/account/limits")
        assert (said["read_limit"], said["write_limit"]) == TIERS[name]


@pytest.mark.parametrize("name", ["expert", "prestige", "gold"])
def test_tiers_of_today_are_not_known(name: str) -> None:
    with pytest.raises(ConfigError, match="basic, advanced, premier, prime"):
        Sandbox(dialect="2025", rate_limits=name, **SMALL)


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[CentsCaller, Any]]:
    """A basic account (20 reads, 10 writes) whose buckets fill when the test says so."""
    sandbox = Sandbox(dialect="2025", rate_limits="basic", **SMALL)
    buckets = sandbox._exchange.buckets
    assert buckets is not None
    clock = {"now": 0.0}
    monkeypatch.setattr(buckets, "_clock", lambda: clock["now"])
    with sandbox, CentsCaller(sandbox) as calls:
        yield calls, clock


def until_refused(send: Any, most: int = 60) -> int:
    """How many requests are served before the first 429."""
    for number in range(most):
        status = send().status_code
        if status == 429:
            return number
        assert status < 500
    raise AssertionError("nothing was refused")


def test_twenty_reads_and_ten_writes(limited: tuple[CentsCaller, Any]) -> None:
    calls, clock = limited
    assert until_refused(lambda: calls.send("GET", "/portfolio/balance")) == 20
    assert until_refused(lambda: calls.place("KXFUT24-LSV")) == 10
    clock["now"] += 0.5
    assert until_refused(lambda: calls.send("GET", ORDERS)) == 10
    assert until_refused(lambda: calls.place("KXFUT24-LSV")) == 5
    clock["now"] += 100.0
    assert until_refused(lambda: calls.place("KXFUT24-LSV")) == 10


def test_exactly_six_calls_are_writes(limited: tuple[CentsCaller, Any]) -> None:
    calls, clock = limited
    order = calls.order("KXFUT24-LSV")["order_id"]
    writes = {
        "CreateOrder": lambda: calls.place("KXFUT24-LSV"),
        "CancelOrder": lambda: calls.send("DELETE", f"{ORDERS}/none"),
        "AmendOrder": lambda: calls.send("PUT", f"{ORDERS}/{order}", {"yes_price": 1, "count": 1}),
        "AmendOrder, posted": lambda: calls.send("POST", f"{ORDERS}/{order}/amend", {"count": 1}),
        "DecreaseOrder": lambda: calls.send("POST", f"{ORDERS}/none/decrease", {"reduce_to": 1}),
        "BatchCreateOrders": lambda: calls.send("POST", f"{ORDERS}/batched", {"orders": [{}]}),
    }
    for name, send in writes.items():
        clock["now"] += 100
        assert until_refused(send) == 10, name
        assert calls.send("GET", ORDERS).status_code == 200
    clock["now"] += 100
    assert until_refused(lambda: calls.send("DELETE", f"{ORDERS}/batched", {"ids": ["none"]})) == 50
    # What is refused for the one limit is still served under the other.
    for path in ("/portfolio/balance", "/markets", f"{ORDERS}/{order}", "/portfolio/history"):
        assert calls.send("GET", path).status_code == 200
    assert calls.place("KXFUT24-LSV").status_code == 429


def test_the_document_names_these_six(document: str) -> None:
    part = document.partition("Only the following APIs fall under the write limit")[2]
    named = re.findall(
        r"^- \[(\w+)\]", document[document.rindex("Only the following APIs") :], re.MULTILINE
    )
    assert sorted(named) == [
        "AmendOrder", "BatchCancelOrders", "BatchCreateOrders", "CancelOrder", "CreateOrder",
        "DecreaseOrder",
    ]  # fmt: skip
    assert "each cancel counts as 0.2 transactions" in part


def test_a_batch_counts_its_items(limited: tuple[CentsCaller, Any]) -> None:
    calls, clock = limited
    row = {"ticker": "KXFUT24-LSV", "action": "buy", "side": "yes", "count": 1, "type": "limit"}
    rows = [row | {"yes_price": 1 + place} for place in range(10)]
    assert calls.send("POST", f"{ORDERS}/batched", {"orders": [*rows, rows[0]]}).status_code == 429
    made = calls.send("POST", f"{ORDERS}/batched", {"orders": rows})
    assert made.status_code == 201
    assert calls.place("KXFUT24-LSV").status_code == 429
    clock["now"] += 0.2  # two writes: ten cancels
    ids = [answer["order"]["order_id"] for answer in made.json()["orders"]]
    assert calls.send("DELETE", f"{ORDERS}/batched", {"ids": [*ids, "none"]}).status_code == 429
    gone = calls.send("DELETE", f"{ORDERS}/batched", {"ids": ids})
    assert [answer["order"]["status"] for answer in gone.json()["orders"]] == ["canceled"] * 10
    assert calls.send("DELETE", f"{ORDERS}/batched", {"ids": ["none"]}).status_code == 429


def test_a_refusal_for_haste_leaves_no_order(limited: tuple[CentsCaller, Any]) -> None:
    calls, clock = limited
    served = until_refused(lambda: calls.place("KXFUT24-LSV"))
    answer = calls.place("KXFUT24-LSV")
    assert answer.json()["error"]["code"] == "too_many_requests"
    assert not {name for name in answer.headers if name.lower().startswith(("retry", "x-rate"))}
    clock["now"] += 1
    assert len(calls.read(ORDERS)["orders"]) == served


# --- the two dialects beside each other ---------------------------------------------------------


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'"2026".*"2025"'):
        Sandbox(dialect="2024")


def test_today_still_refuses_the_routes_of_2025() -> None:
    with Sandbox(**SMALL) as sandbox, CentsCaller(sandbox) as calls:
        ticker = calls.get("/markets", status="open")["markets"][0]["ticker"]
        for method, path in (
            ("POST", ORDERS),
            ("DELETE", f"{ORDERS}/x"),
            ("POST", f"{ORDERS}/x/amend"),
            ("POST", f"{ORDERS}/x/decrease"),
            ("POST", f"{ORDERS}/batched"),
            ("DELETE", f"{ORDERS}/batched"),
        ):
            answer = calls.send(method, path, {})
            assert answer.status_code == 410, path
            assert answer.json()["error"]["code"] == "deprecated_v1_order_endpoint"
        assert calls.send("PUT", f"{ORDERS}/x", {}).status_code == 404
        assert "orderbook_fp" in calls.get(f"/markets/{ticker}/orderbook")
        for named in NAMED:
            calls.refused(404, f"/markets/{named}")
        assert calls.get("/markets")["cursor"]


def test_both_worlds_agree_where_both_have_the_market() -> None:
    old, new = Sandbox(dialect="2025", **SMALL).truth, Sandbox(**SMALL).truth
    shared_ones = set(old.tickers) & set(new.tickers)
    assert set(old.tickers) - shared_ones == set(NAMED)
    combos = {ticker for ticker, row in new.world.markets.items() if row.event.series.combo}
    assert set(new.tickers) - shared_ones == combos
    assert combos
    for ticker in shared_ones:
        assert old.settlement(ticker) == new.settlement(ticker)
    # Where the grid was one cent and whole contracts already, nothing differs at all.
    for ticker in ("KXHIGHNY-26NOV20-B39.5", "KXHIGHCHI-26NOV21-B41.5"):
        assert old.world.ticks(ticker)[0] == new.world.ticks(ticker)[0]
        assert old.world.book(ticker) == new.world.book(ticker)


def test_identities_tell_the_dialects_apart() -> None:
    assert Sandbox(dialect="2025", **SMALL).identity != Sandbox(**SMALL).identity
    assert Sandbox(dialect="2025", **SMALL).identity == Sandbox(dialect="2025", **SMALL).identity


def test_the_same_seed_gives_the_same_bytes() -> None:
    bodies = []
    for _ in range(2):
        with Sandbox(dialect="2025", seed=5, **SMALL) as sandbox, CentsCaller(sandbox) as calls:
            bodies.append(
                [
                    calls.call("GET", path).content
                    for path in ("/markets", "/markets/trades", "/markets/KXFUT24-LSV/orderbook")
                ]
            )
    assert bodies[0] == bodies[1]


def test_time_may_pass() -> None:
    """Traders go on in whole cents and whole contracts, and so do the markets that are listed later."""
    sandbox = Sandbox(dialect="2025", traders=Traders(), days=2, crypto_hours=1)
    with sandbox, CentsCaller(sandbox) as calls:
        before = set(sandbox.truth.tickers)
        for ticker in NAMED:
            calls.order(ticker)
        sandbox.advance(3 * 3600)
        later = {row["ticker"]: row for row in calls.walk("/markets", "markets")}
        assert set(later) > before
        assert {later[ticker]["status"] for ticker in NAMED} == {"open"}
        ticks = [tick for ticker in NAMED for tick in sandbox.truth.world.ticks(ticker)]
        assert max(tick.time for tick in ticks) > 1795186800 * 1_000_000
        assert not [tick for tick in ticks if tick.price % 100 or tick.quantity % 100]
        assert both_formats(list(later.values())) > 1000
        assert calls.get("/markets/KXHIGHNY-24JAN01-T60/orderbook")["orderbook"] != PRINTED
        calls.refused(404, "/historical/cutoff")
