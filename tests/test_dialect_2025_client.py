"""The client on an exchange that speaks as in late 2025."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cents_calls import ORDERS

import kalshi_research as kr
from kalshi_research import environments
from kalshi_research.client.rate_limits import find_tier
from kalshi_research.client.timing import Timing
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.errors import (
    AuthError,
    BadRequestError,
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    PartialDataWarning,
    RateLimitError,
)
from kalshi_research.money import PriceGrid

PRINTED = "KXHIGHNY-24JAN01-T60"
TICKER = "KXFUT24-LSV"
SMALL = {"days": 40, "crypto_hours": 2}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(dialect="2025", users=2, **SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def today() -> Iterator[Any]:
    with kr.start_sandbox(**SMALL) as running, kr.connect(running) as client:
        yield client


@pytest.fixture
def client(sandbox: Any) -> Iterator[kr.Client]:
    with kr.connect(sandbox) as connected:
        yield connected


def asked(sandbox: Any, path: str) -> list[dict[str, str]]:
    """The queries of the requests of a route that was answered with success."""
    return [
        dict(part.split("=", 1) for part in record.query.split("&") if part)
        for record in sandbox.truth.requests
        if record.path == f"/trade-api/v2{path}"
    ]


@pytest.fixture(autouse=True)
def _nothing_is_new() -> Iterator[None]:
    """No answer may hold what the decoder does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- connecting ---------------------------------------------------------------------------------


def test_a_sandbox_says_its_dialect(sandbox: Any, today: kr.Client) -> None:
    with kr.connect(sandbox) as client:
        assert (client.dialect, client.signed, client.simulated) == ("2025", True, True)
        assert client.identity == sandbox.identity
    assert today.dialect == "2026"
    with kr.connect(sandbox.url, dialect="2025") as client:
        assert (client.dialect, client.signed) == ("2025", False)
    key_id, key = sandbox.credentials(1)
    with kr.connect(sandbox, key_id=key_id, private_key=key) as client:
        other = client.request("GET", "/portfolio/orders")["orders"]
        assert other == []


@pytest.mark.parametrize("environment", ["prod", "demo"])
def test_the_exchange_itself_speaks_todays(environment: str) -> None:
    with pytest.raises(ConfigError, match="sandbox only"):
        kr.connect(environment, dialect="2025")
    assert kr.connect(environment, dialect="2026").dialect == "2026"


@pytest.mark.parametrize(
    "url", ["https://demo-api.kalshi.co", "https://example.org/trade-api/v2", "http://10.0.0.1:80"]
)
def test_only_loopback(url: str) -> None:
    with pytest.raises(ConfigError):
        kr.connect(url, dialect="2025")


@pytest.mark.parametrize("dialect", ["2024", "", 2025, ["2025"]])
def test_an_unknown_dialect(sandbox: Any, dialect: Any) -> None:
    with pytest.raises(ConfigError, match="2025"):
        kr.connect(sandbox.url, dialect=dialect)


def test_a_sandbox_is_not_contradicted(sandbox: Any) -> None:
    with pytest.raises(ConfigError, match="speaks the dialect of 2025"):
        kr.connect(sandbox, dialect="2026")
    with pytest.raises(ConfigError, match="one address"):
        kr.connect(sandbox, host="demo-api.kalshi.co")
    stopped = kr.start_sandbox(dialect="2025", days=1, crypto_hours=0)
    stopped.close()
    with pytest.raises(ConfigError, match="not running"):
        kr.connect(stopped)


def test_the_shared_sandbox_has_both_dialects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environments.SANDBOX_URL_VARIABLE, raising=False)
    with kr.connect("sandbox", dialect="2025") as old, kr.connect("sandbox") as new:
        assert (old.dialect, new.dialect) == ("2025", "2026")
        assert old.host != new.host
        assert len(kr.get_orderbook(old, PRINTED)) == 22
    with kr.connect("sandbox", dialect="2025") as again:
        assert again.host == old.host


def test_the_address_in_the_environment_may_speak_it(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environments.SANDBOX_URL_VARIABLE, sandbox.url)
    with kr.connect("sandbox", dialect="2025") as client:
        assert client.dialect == "2025"
        assert kr.get_markets(client, PRINTED).index.tolist() == [PRINTED]


# --- frames -------------------------------------------------------------------------------------


def test_markets_come_in_pages_of_100(sandbox: Any, client: kr.Client) -> None:
    before = len(asked(sandbox, "/markets"))
    markets = kr.get_markets(client)
    world = sandbox.truth.world
    assert set(markets.index) == set(world.markets)
    pages = asked(sandbox, "/markets")[before:]
    assert len(pages) == -(-len(markets) // 100) > 2
    assert {page["limit"] for page in pages} == {"100"}
    assert markets.attrs["kalshi"]["complete"]
    assert markets.attrs["kalshi"]["pages"] == len(pages)


def test_a_cap_asks_for_no_more_than_it_needs(sandbox: Any, client: kr.Client) -> None:
    before = len(asked(sandbox, "/markets"))
    assert len(kr.get_markets(client, max_rows=130)) == 130
    assert [page["limit"] for page in asked(sandbox, "/markets")[before:]] == ["100", "30"]


def test_both_dialects_give_the_same_frame(client: kr.Client, today: kr.Client) -> None:
    """Markets in whole cents and contracts look the same through either."""
    old, new = (
        kr.get_markets(one, series_ticker=["KXHIGHNY", "KXHIGHCHI"], status=status)
        for status in ("settled",)
        for one in (client, today)
    )
    old = old.drop(index=PRINTED, errors="ignore").sort_index()
    new = new.sort_index()
    later = [
        "exchange_index", "price_level_structure", "price_ranges", "settlement_bounds_type",
        "yes_ask_size", "yes_bid_size", "is_provisional",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(
        old.drop(columns=later), new.drop(columns=later), check_column_type=False
    )
    assert len(old) > 100
    assert old["result"].isin(["yes", "no"]).all()


@pytest.mark.parametrize("status", ["unopened", "open", "paused", "closed", "settled"])
def test_statuses_are_told_in_todays_words(client: kr.Client, today: kr.Client, status: str) -> None:
    old, new = (set(kr.get_markets(one, status=status)["status"]) for one in (client, today))
    assert old
    # A market that is closed now is in 2025 no more than that.
    assert old == (new if status != "closed" else {"closed"})


def test_prices_are_the_dollars_of_the_cents(client: kr.Client) -> None:
    markets = kr.get_markets(client, event_ticker="KXHIGHNY-24JAN01")
    assert markets.loc[PRINTED].equals(kr.get_market(client, PRINTED).loc[PRINTED])
    market = markets.loc[PRINTED]
    grid = PriceGrid.from_ranges(json.loads(market["price_ranges"]))
    assert grid.prices() == list(range(100, 10_000, 100))
    assert (market["yes_bid"], market["yes_ask"], market["no_bid"]) == (0.42, 0.44, 0.56)
    assert market["notional_value"] == 1.0
    raw = client.request("GET", f"/markets/{PRINTED}")["market"]
    assert (raw["yes_bid"], raw["yes_ask"]) == (42, 44)
    assert market["last_price"] == raw["last_price"] / 100


def test_the_printed_book_as_a_frame(client: kr.Client) -> None:
    book = kr.get_orderbook(client, PRINTED)
    best = kr.quotes(book).loc[PRINTED]
    assert (best["yes_bid"], best["yes_ask"], best["spread"]) == (0.42, 0.44, 0.02)
    near = book[(book["side"] == "bid") & (book["price"] >= 0.37)]
    assert near["quantity"].sum() == 23
    assert kr.get_orderbook(client, PRINTED, depth=3)["level"].max() == 2


def test_many_books_one_by_one(sandbox: Any, client: kr.Client) -> None:
    names = [TICKER, PRINTED, "HOMEUSY-24-T4"]
    books = kr.get_orderbooks(client, names, depth=2)
    assert books["ticker"].cat.categories.tolist() == names
    for name in names:
        alone = kr.get_orderbook(client, name, depth=2)
        mine = books[books["ticker"] == name].reset_index(drop=True)
        assert mine["price"].tolist() == alone["price"].tolist()
        assert mine["cumulative"].tolist() == alone["cumulative"].tolist()
    assert books.attrs["kalshi"]["complete"]
    assert not asked(sandbox, "/markets/orderbooks")


def test_a_book_that_is_not_there_is_named(client: kr.Client) -> None:
    with pytest.warns(PartialDataWarning, match="KXNONE-1"):
        books = kr.get_orderbooks(client, [TICKER, "KXNONE-1"])
    assert books["ticker"].cat.categories.tolist() == [TICKER]
    assert not books.attrs["kalshi"]["complete"]
    with pytest.raises(NotFoundError):
        kr.get_orderbook(client, "KXNONE-1")


def test_trades_are_the_tape_of_the_world(sandbox: Any, client: kr.Client) -> None:
    trades = kr.get_trades(client, TICKER)
    ticks = sandbox.truth.world.ticks(TICKER)
    assert len(trades) == len(ticks) > 100
    by_id = trades.set_index("trade_id")
    for tick in list(ticks)[:50]:
        row = by_id.loc[tick.trade_id]
        assert round(row["yes_price"] * 10_000) == tick.price
        assert row["quantity"] * 100 == tick.quantity
        assert row["taker_side"] == ("yes" if tick.taker_yes else "no")
    assert (trades["yes_price"] + trades["no_price"]).round(10).eq(1).all()
    assert trades.index.is_monotonic_increasing


def test_old_trades_are_still_there(sandbox: Any, client: kr.Client) -> None:
    oldest = min(
        (row for row in sandbox.truth.world.markets.values() if row.event.series.ticker == "KXHIGHNY"
         and row.ticker != PRINTED),
        key=lambda row: row.closes,
    ).ticker  # fmt: skip
    assert len(kr.get_trades(client, oldest)) == len(sandbox.truth.world.ticks(oldest))
    assert not [row for row in sandbox.truth.requests if "/historical" in row.path]


def test_what_does_not_exist_is_said(sandbox: Any, client: kr.Client) -> None:
    with pytest.raises(NotFoundError):
        kr.get_trades(client, "KXNONE-1")
    with pytest.raises(NotFoundError):
        kr.get_market(client, "KXNONE-1")
    with pytest.warns(PartialDataWarning, match="KXNONE-1"):
        assert len(kr.get_markets(client, [PRINTED, "KXNONE-1"])) == 1
    assert not [row for row in sandbox.truth.requests if "/historical" in row.path]


def test_events_and_series(client: kr.Client) -> None:
    events = kr.get_events(client)
    series = kr.get_series(client)
    assert {"KXHIGHNY-24JAN01", "KXHARRIS24", "KXFUT24", "HOMEUSY-24"} <= set(events.index)
    assert set(events["series_ticker"]) <= set(series.index)
    assert kr.get_event(client, "KXHARRIS24")["series_ticker"].tolist() == ["KXHARRIS"]
    assert kr.get_series(client, "KXHIGHNY")["frequency"].tolist() == ["daily"]
    assert kr.get_series(client, "KXHIGHNY", include_volume=True)["volume"].iloc[0] > 1000
    # Whole pages and what comes after them.
    assert kr.get_events(client, max_rows=101).attrs["kalshi"]["pages"] == 2


def test_candlesticks_add_up_to_the_tape(client: kr.Client) -> None:
    candles = kr.get_candlesticks(client, [TICKER, PRINTED], start="2026-11-10", interval="1d")
    trades = kr.get_trades(client, [TICKER, PRINTED], start="2026-11-10")
    for name in (TICKER, PRINTED):
        mine, tape = candles[candles["ticker"] == name], trades[trades["ticker"] == name]
        assert mine["volume"].sum() == tape["quantity"].sum() > 0
        assert mine["low"].min() == tape["yes_price"].min()
        assert mine["high"].max() == tape["yes_price"].max()
    assert np.nanmax(candles["yes_bid_close"]) < 1
    assert not candles["period_start"].isna().any()


def test_status_and_schedule(client: kr.Client) -> None:
    status = kr.get_exchange_status(client)
    assert len(status) == 1
    assert bool(status["trading_active"].iloc[0])
    assert "trading" in set(kr.get_exchange_schedule(client)["entry"])


def test_a_search_looks_through_all_pages(client: kr.Client) -> None:
    found = kr.search_markets(client, "home prices", status=None)
    assert found.index.tolist() == ["HOMEUSY-24-T4"]


def test_historical_may_be_asked_for_in_vain(sandbox: Any, client: kr.Client) -> None:
    for historical in (True, False, None):
        markets = kr.get_markets(client, event_ticker="KXHIGHNY-24JAN01", historical=historical)
        assert markets.index.tolist() == [PRINTED]
    assert kr.get_markets(client, PRINTED, historical=True).index.tolist() == [PRINTED]
    assert not [row for row in sandbox.truth.requests if "/historical" in row.path]


# --- orders and the account ---------------------------------------------------------------------


def place(client: kr.Client, **terms: Any) -> dict[str, Any]:
    body = {
        "ticker": TICKER, "action": "buy", "side": "yes", "count": 1, "type": "limit", "yes_price": 1,
    }  # fmt: skip
    order: dict[str, Any] = client.request("POST", ORDERS, body=body | terms)["order"]
    return order


def test_an_order_through_the_client() -> None:
    with (
        kr.start_sandbox(dialect="2025", days=1, crypto_hours=0) as sandbox,
        kr.connect(sandbox) as client,
    ):
        order = place(client, client_order_id="mine")
        assert order["status"] == "resting"
        with pytest.raises(ConflictError):
            place(client, client_order_id="mine")
        with pytest.raises(BadRequestError, match="1-99 cents"):
            place(client, yes_price=100)
        path = f"{ORDERS}/{order['order_id']}"
        amended = client.request("PUT", path, body={"yes_price": 2, "count": 5})["order"]
        assert (amended["yes_price"], amended["remaining_count"]) == (2, 5)
        decreased = client.request("POST", f"{path}/decrease", body={"reduce_to": 2})["order"]
        assert decreased["remaining_count"] == 2
        assert client.request("DELETE", path)["reduced_by"] == 2
        with pytest.raises(NotFoundError):
            client.request("DELETE", path)
        assert client.request("GET", path)["order"]["status"] == "canceled"


def test_the_trading_functions_speak_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        kr.start_sandbox(dialect="2025", days=1, crypto_hours=0) as sandbox,
        kr.connect(sandbox) as client,
    ):
        placed = kr.create_order(client, PRINTED, action="buy", outcome="no", quantity=4, price=0.50)
        assert kr.get_order(client, placed.order_id)["no_price"].tolist() == [0.5]
        kr.amend_order(client, placed.order_id, price=0.51)
        kr.decrease_order(client, placed.order_id, by=1)
        book = kr.get_orderbook(client, PRINTED)
        mine = book[(book["side"] == "ask") & (book["price"] == 0.49)]
        assert mine["quantity"].tolist() == [3.0]
        kr.cancel_order(client, placed.order_id)
        assert kr.get_order(client, placed.order_id)["status"].tolist() == ["canceled"]
        kr.create_order(client, PRINTED, action="buy", quantity=2, price=0.44)
        assert kr.get_positions(client).loc[PRINTED, "position"] == 2
        with pytest.raises(InputError, match=r"0\.44 or 0\.45"):
            kr.create_order(client, PRINTED, quantity=1, price=0.445)
        with pytest.raises(InputError, match="whole"):
            kr.create_order(client, PRINTED, quantity=1.5, price=0.44)
        rows = [{"ticker": TICKER, "quantity": 1, "price": cents / 100} for cents in (1, 2, 3)]
        several = kr.create_orders(client, rows)
        assert [report.state for report in kr.cancel_orders(client, several)] == ["canceled"] * 3
        kr.create_order(client, TICKER, quantity=1, price=0.01)
        assert [report.state for report in kr.cancel_all_orders(client)] == ["canceled"]
        written = {
            (record.method, record.path.split("/")[-1]): record.status
            for record in sandbox.truth.requests
            if record.method != "GET"
        }
        assert set(written.values()) == {200, 201}
        assert ("PUT", placed.order_id) in written
        assert {("POST", name) for name in ("orders", "decrease", "batched")} < written.keys()
        assert ("DELETE", "batched") in written


def test_the_own_account_as_frames() -> None:
    with (
        kr.start_sandbox(dialect="2025", days=1, crypto_hours=0) as sandbox,
        kr.connect(sandbox) as client,
    ):
        place(client, ticker=PRINTED, side="no", yes_price=42, count=3)
        place(client)
        orders = kr.get_orders(client).set_index("ticker")
        assert orders.loc[PRINTED, ["status", "outcome_side"]].tolist() == ["executed", "no"]
        assert orders.loc[PRINTED, ["yes_price", "no_price"]].tolist() == [0.42, 0.58]
        (fill,) = kr.get_fills(client).to_dict("records")
        assert (fill["outcome_side"], fill["no_price"], fill["quantity"]) == ("no", 0.58, 3.0)
        fee = -(-7 * 3 * 42 * 58 // 10_000) / 100  # rounded up to the cent
        assert fill["fee_cost"] == fee
        position = kr.get_positions(client).loc[PRINTED]
        assert (position["position"], position["market_exposure"]) == (-3.0, 1.74)
        balance = kr.get_balance(client).iloc[0]
        assert balance["balance"] == round(10_000 - 1.74 - fee - 0.01, 2)
        history = kr.get_portfolio_history(client)
        assert history["entry"].tolist() == ["fill"]
        sandbox.settle(PRINTED, "no")
        assert kr.get_portfolio_history(client)["entry"].tolist() == ["fill", "settlement"]
        assert kr.get_settlements(client)["revenue"].tolist() == [3.0]


def test_without_a_key_the_account_is_closed(sandbox: Any) -> None:
    with kr.connect(sandbox.url, dialect="2025") as client:
        assert len(kr.get_orderbook(client, PRINTED)) == 22
        with pytest.raises(AuthError, match="authentication_error"):
            client.request("GET", "/portfolio/balance")


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "read", "write"),
    [("basic", 20, 10), ("Advanced", 30, 30), ("premier", 100, 100), ("2025:prime", 400, 400)],
)
def test_a_tier_is_named_as_in_the_documents(sandbox: Any, name: str, read: int, write: int) -> None:
    with kr.connect(sandbox, tier=name) as client:
        rates = {row["bucket"]: row["refill_rate"] for row in client.usage()}
    assert (rates["read"], rates["write"]) == (10 * read, 10 * write)
    with pytest.raises(ConfigError, match="expert"):
        kr.connect(sandbox, tier="expert")
    assert find_tier("basic").name == "basic"


def test_requests_are_counted_as_in_the_documents(sandbox: Any) -> None:
    with kr.connect(sandbox, tier="basic") as client:
        rows = {row["bucket"]: row["calls"] for row in client.usage()}
        order = place(client)["order_id"]
        client.request("PUT", f"{ORDERS}/{order}", body={"count": 2})
        client.request("GET", "/portfolio/balance")
        client.request("GET", f"{ORDERS}/{order}")
        client.request("DELETE", f"{ORDERS}/batched", body={"ids": [order]})
        after = {row["bucket"]: row for row in client.usage()}
    assert {name: after[name]["calls"] - rows[name] for name in rows} == {
        "read": 2,
        "write": 3,
        "balance": 0,
    }


def test_a_batch_that_is_too_large_is_not_sent() -> None:
    with (
        kr.start_sandbox(dialect="2025", rate_limits="basic", days=1, crypto_hours=0) as sandbox,
        kr.connect(sandbox, tier="basic") as client,
    ):
        client._caller.limits.learn_once(client._caller._timing.monotonic() + 10)
        with pytest.raises(InputError, match="at most 50 at once"):
            client.request("DELETE", f"{ORDERS}/batched", body={"ids": ["x"] * 51})
        answer = client.request("DELETE", f"{ORDERS}/batched", body={"ids": ["x"] * 50})
        assert len(answer["orders"]) == 50


def test_the_client_learns_the_limits_from_the_first_refusal() -> None:
    with (
        kr.start_sandbox(dialect="2025", rate_limits="advanced", days=1, crypto_hours=0) as sandbox,
        kr.connect(sandbox) as client,
    ):
        # For the exchange it all happens in one moment.
        sandbox._exchange.buckets._clock = lambda: 0.0

        def hurry() -> None:
            for _ in range(31):
                place(client)

        with pytest.raises(RateLimitError, match="too_many_requests"):
            hurry()
        for row in client.usage():
            if row["bucket"] != "balance":
                assert (row["tier"], row["refill_rate"], row["capacity"]) == ("advanced", 300, 300)


@pytest.mark.parametrize("late", [0.0, 0.04])
def test_a_client_that_knows_its_tier_is_not_refused(late: float) -> None:
    """It waits instead, also when the first request was slower on its way than the others."""
    clock = {"now": 1000.0}

    def sleep(seconds: float) -> None:
        clock["now"] += seconds

    with kr.start_sandbox(dialect="2025", rate_limits="basic", days=1, crypto_hours=0) as sandbox:
        buckets = sandbox._exchange.buckets
        arrivals: set[tuple[int | None, str]] = set()
        charge = buckets.charge

        def delayed(user: int | None, kind: str, *more: Any) -> None:
            buckets._clock = lambda: clock["now"] + (0.0 if (user, kind) in arrivals else late)
            arrivals.add((user, kind))
            charge(user, kind, *more)

        buckets.charge = delayed
        target = environments.find_target(sandbox)
        signer = find_signer("sandbox", sandbox.credentials()[0], Sealed(sandbox.credentials()[1]))
        timing = Timing(monotonic=lambda: clock["now"], sleep=sleep)
        with kr.Client(
            target, signer=signer, tier=find_tier("basic", "2025"), deadline=60, timing=timing
        ) as client:
            began = clock["now"]
            for _ in range(35):
                place(client)
            for _ in range(50):
                client.request("GET", "/portfolio/balance")
            used = {row["bucket"]: row for row in client.usage()}
        # Ten at once and ten a second; twenty reads at once, which had time to be saved up.
        assert 2.5 <= clock["now"] - began <= 4.5
        assert used["write"]["waited_seconds"] > 0
        assert used["read"]["waited_seconds"] > 0
        assert {row.status for row in sandbox.truth.requests} == {200, 201}
