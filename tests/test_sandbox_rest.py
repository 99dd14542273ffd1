"""The REST protocol of the sandbox: pages, filters, refusals."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1795186800
DAY = 86400
OPEN = "KXHIGHNY-26NOV21-B44.5"


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Sandbox(users=2) as sandbox, Caller(sandbox) as calls:
        yield calls


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("path", "key", "identity", "params"),
    [
        ("/markets", "markets", "ticker", {}),
        ("/markets", "markets", "ticker", {"status": "closed"}),
        ("/markets", "markets", "ticker", {"status": "settled", "series_ticker": "KXHIGHNY"}),
        ("/events", "events", "event_ticker", {}),
        ("/events/multivariate", "events", "event_ticker", {}),
        ("/historical/markets", "markets", "ticker", {}),
        ("/markets/trades", "trades", "trade_id", {"ticker": "KXFEDDECISION-26DEC-C25"}),
        ("/historical/trades", "trades", "trade_id", {"ticker": "KXFEDDECISION-26OCT-H0"}),
        ("/markets/trades", "trades", "trade_id", {"min_ts": NOW - 7200}),
    ],
)
def test_walks_are_complete_and_disjoint(
    caller: Caller, path: str, key: str, identity: str, params: dict[str, Any]
) -> None:
    most = 200 if path.startswith("/events") else 1000
    whole = [row[identity] for row in caller.walk(path, key, limit=most, **params)]
    assert whole
    assert len(set(whole)) == len(whole)
    for limit in (1, 7, 100):
        if len(whole) <= 40 * limit:
            assert [row[identity] for row in caller.walk(path, key, limit=limit, **params)] == whole


def test_the_last_page_ends_with_an_empty_cursor(caller: Caller) -> None:
    exactly = len(caller.get("/markets", event_ticker="KXHIGHNY-26NOV21")["markets"])
    page = caller.get("/markets", event_ticker="KXHIGHNY-26NOV21", limit=exactly)
    assert (len(page["markets"]), page["cursor"]) == (6, "")
    assert caller.get("/markets", series_ticker="NONE") == {"cursor": "", "markets": []}


def test_default_page_sizes(caller: Caller) -> None:
    assert len(caller.get("/markets")["markets"]) == 100
    assert len(caller.get("/markets", limit=0)["markets"]) == 100
    assert len(caller.get("/markets/trades")["trades"]) == 100
    assert len(caller.get("/events")["events"]) == 200


@pytest.mark.parametrize("cursor", ["garbage-cursor-fixture", "%%%", "AAAA", "é", "x" * 500])
def test_a_garbage_cursor_is_page_one(caller: Caller, cursor: str) -> None:
    assert caller.get("/markets", limit=5, cursor=cursor) == caller.get("/markets", limit=5)


def test_lists_are_newest_first(caller: Caller) -> None:
    created = [at(row["created_time"]) for row in caller.walk("/markets", "markets", limit=1000)]
    assert created == sorted(created, reverse=True)
    closed = [at(row["close_time"]) for row in caller.walk("/markets", "markets", status="closed")]
    assert closed == sorted(closed, reverse=True)
    settled = [
        at(row["settlement_ts"]) for row in caller.walk("/historical/markets", "markets", limit=1000)
    ]
    assert settled == sorted(settled, reverse=True)


@pytest.mark.parametrize(
    ("word", "statuses"),
    [
        ("unopened", {"initialized"}),
        ("open", {"active"}),
        ("paused", {"inactive"}),
        ("closed", {"closed"}),
        ("settled", {"finalized"}),
    ],
)
def test_status_filters(caller: Caller, word: str, statuses: set[str]) -> None:
    rows = list(caller.walk("/markets", "markets", status=word, limit=1000))
    assert {row["status"] for row in rows} == statuses
    everything = [row["ticker"] for row in caller.walk("/markets", "markets", limit=1000)]
    assert {row["ticker"] for row in rows} < set(everything)


def test_statuses_partition_the_markets(caller: Caller) -> None:
    words = ("unopened", "open", "paused", "closed", "settled")
    parts = [
        sum(1 for _ in caller.walk("/markets", "markets", status=word, limit=1000)) for word in words
    ]
    assert sum(parts) == sum(1 for _ in caller.walk("/markets", "markets", limit=1000))


def test_ticker_filters(caller: Caller) -> None:
    rows = caller.get("/markets", tickers=f"{OPEN},NO-SUCH,KXFEDDECISION-26DEC-H0")["markets"]
    assert {row["ticker"] for row in rows} == {OPEN, "KXFEDDECISION-26DEC-H0"}
    rows = caller.get("/markets", event_ticker="KXFEDDECISION-26DEC")["markets"]
    assert len(rows) == 5
    rows = list(caller.walk("/markets", "markets", series_ticker="KXBTC15M", limit=1000))
    assert all(row["ticker"].startswith("KXBTC15M-") for row in rows)
    combos = caller.get("/markets", mve_filter="only")["markets"]
    assert combos
    assert all("mve_collection_ticker" in row for row in combos)
    plain = caller.walk("/markets", "markets", mve_filter="exclude", limit=1000)
    assert not any("mve_collection_ticker" in row for row in plain)


@pytest.mark.parametrize(
    ("family", "column", "status"),
    [
        ("created", "created_time", "open"),
        ("close", "close_time", ""),
        ("settled", "settlement_ts", "settled"),
    ],
)
def test_time_filters_are_inclusive(caller: Caller, family: str, column: str, status: str) -> None:
    extra = {"status": status} if status else {}
    rows = [row for row in caller.walk("/markets", "markets", limit=1000, **extra) if column in row]
    low, high = NOW - 3 * DAY, NOW - DAY // 2
    found = caller.walk(
        "/markets", "markets", limit=1000, **extra, **{f"min_{family}_ts": low, f"max_{family}_ts": high}
    )
    assert [row["ticker"] for row in found] == [
        row["ticker"] for row in rows if low <= at(row[column]) <= high
    ]


def test_updated_filter(caller: Caller) -> None:
    rows = list(caller.walk("/markets", "markets", min_updated_ts=NOW - 3600, limit=1000))
    assert rows
    assert all(at(row["updated_time"]) >= NOW - 3600 for row in rows)
    assert caller.get(
        "/markets", min_updated_ts=NOW - 3600, series_ticker="KXBTC15M", mve_filter="exclude"
    )["markets"]


@pytest.mark.parametrize(
    "params",
    [
        {"min_created_ts": 1, "min_close_ts": 1},
        {"min_created_ts": 1, "status": "settled"},
        {"max_close_ts": 1, "status": "open"},
        {"min_settled_ts": 1, "status": "closed"},
        {"min_updated_ts": 1, "status": "open"},
        {"min_updated_ts": 1, "event_ticker": "X"},
        {"min_updated_ts": 1, "series_ticker": "X"},
        {"min_updated_ts": 1, "mve_filter": "only"},
        {"event_ticker": "A,B"},
    ],
)
def test_impossible_combinations_are_refused(caller: Caller, params: dict[str, Any]) -> None:
    body = caller.refused(400, "/markets", **params)
    assert body["error"]["code"] == "invalid_parameters"
    assert body["error"]["details"]


def test_trade_filters(caller: Caller) -> None:
    ticker = "KXHIGHNY-26NOV20-B39.5"
    rows = list(caller.walk("/markets/trades", "trades", ticker=ticker, limit=1000))
    assert {row["ticker"] for row in rows} == {ticker}
    low, high = NOW - 20 * 3600, NOW - 2 * 3600
    found = caller.walk("/markets/trades", "trades", ticker=ticker, min_ts=low, max_ts=high, limit=50)
    assert [row["trade_id"] for row in found] == [
        row["trade_id"] for row in rows if low <= at(row["created_time"]) <= high
    ]
    blocks = list(caller.walk("/markets/trades", "trades", is_block_trade="true", limit=1000))
    assert blocks
    assert all(row["is_block_trade"] for row in blocks)
    plain = caller.get("/markets/trades", is_block_trade="false", limit=1000)["trades"]
    assert not any(row["is_block_trade"] for row in plain)
    assert caller.get("/markets/trades", ticker="NO-SUCH") == {"cursor": "", "trades": []}


def test_event_filters(caller: Caller) -> None:
    fed = caller.get("/events", series_ticker="KXFEDDECISION")["events"]
    assert {row["series_ticker"] for row in fed} == {"KXFEDDECISION"}
    assert all("markets" not in row for row in fed)
    two = caller.get(
        "/events", tickers="KXFEDDECISION-26DEC,KXHIGHNY-26NOV21", with_nested_markets="true"
    )
    assert sorted(len(row["markets"]) for row in two["events"]) == [5, 6]
    for word, statuses in (("open", {"active"}), ("unopened", {"initialized"}), ("closed", {"closed"})):
        rows = list(caller.walk("/events", "events", status=word, with_nested_markets="true"))
        assert rows
        assert all(statuses & {market["status"] for market in row["markets"]} for row in rows)
    assert not any(row["series_ticker"].startswith("KXMVE") for row in caller.walk("/events", "events"))
    late = caller.get("/events", min_close_ts=NOW + 30 * DAY)["events"]
    assert {row["series_ticker"] for row in late} == {"KXFEDDECISION", "KXMAYORPORTVELA"}
    assert caller.get("/events", with_milestones="true", limit=1)["milestones"] == []


def test_one_event(caller: Caller) -> None:
    path = "/events/KXFEDDECISION-26DEC"
    flat = caller.get(path)
    assert len(flat["markets"]) == 5
    assert "markets" not in flat["event"]
    nested = caller.get(path, with_nested_markets="true")
    assert nested["markets"] == []
    assert nested["event"]["markets"] == flat["markets"]
    assert caller.get(path, exclude_markets="true")["markets"] == []
    caller.refused(400, path, with_nested_markets="true", exclude_markets="true")
    details = caller.get(f"{path}/metadata")["market_details"]
    assert [row["market_ticker"] for row in details] == [row["ticker"] for row in flat["markets"]]


def test_series_filters(caller: Caller) -> None:
    weather = caller.get("/series", category="Climate and Weather")["series"]
    assert {row["ticker"] for row in weather} == {"KXHIGHNY", "KXHIGHCHI"}
    assert caller.get("/series", category="climate and weather")["series"] == []
    assert [row["ticker"] for row in caller.get("/series", tags="BTC,Nothing")["series"]] == ["KXBTC15M"]
    assert "volume_fp" not in caller.get("/series/KXHIGHNY")["series"]
    volume = caller.get("/series/KXHIGHNY", include_volume="true")["series"]["volume_fp"]
    assert float(volume) > 100_000
    assert caller.get("/series/fee_changes")["series_fee_change_arr"] == []
    assert caller.get("/series/fee_changes", show_historical="true")["series_fee_change_arr"]
    tags = caller.get("/search/tags_by_categories")["tags_by_categories"]
    assert "BTC" in tags["Crypto"]


def test_batch_books_take_a_repeated_parameter(caller: Caller) -> None:
    two = caller.get("/markets/orderbooks", tickers=[OPEN, "KXFEDDECISION-26DEC-H0", "NO-SUCH"])
    assert [row["ticker"] for row in two["orderbooks"]] == [OPEN, "KXFEDDECISION-26DEC-H0"]
    assert (
        two["orderbooks"][0]["orderbook_fp"] == caller.get(f"/markets/{OPEN}/orderbook")["orderbook_fp"]
    )
    comma = caller.get("/markets/orderbooks", tickers=f"{OPEN},KXFEDDECISION-26DEC-H0")
    assert len(comma["orderbooks"]) == 1
    caller.refused(400, "/markets/orderbooks")
    caller.refused(400, "/markets/orderbooks", tickers=[f"T{n}" for n in range(101)])


def recorded(shared: Path, name: str) -> Any:
    return json.loads((shared / "wire_examples" / f"error_{name}.json").read_text())


def test_recorded_refusals(caller: Caller, shared: Path) -> None:
    assert caller.refused(400, "/markets", limit=1001) == recorded(shared, "markets__limit_over_max")
    answer = caller.call("POST", "/portfolio/orders")
    assert (answer.status_code, answer.json()) == (410, recorded(shared, "410_legacy_order"))
    unknown = recorded(shared, "orders__cancel_unknown_id")
    unknown["error"].pop("service")  # gone from the wire since August 2026
    assert caller.refused(404, "/markets/NO-SUCH") == unknown


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/markets", {"limit": 1001}, "Limit"),
        ("/markets", {"limit": -1}, "Limit"),
        ("/markets", {"status": "active"}, "Status"),
        ("/markets", {"mve_filter": "all"}, "MveFilter"),
        ("/markets/trades", {"limit": 1001}, "Limit"),
        ("/events", {"limit": 201}, "Limit"),
        ("/events", {"limit": 0}, "Limit"),
        ("/events", {"status": "paused"}, "Status"),
        ("/events/multivariate", {"limit": 201}, "Limit"),
        (f"/markets/{OPEN}/orderbook", {"depth": 101}, "Depth"),
        ("/historical/markets", {"limit": 1001}, "Limit"),
        ("/events/fee_changes", {"limit": 1001}, "Limit"),
    ],
)
def test_values_out_of_range(caller: Caller, path: str, params: dict[str, Any], field: str) -> None:
    message = caller.refused(400, path, **params)["msg"]
    assert message.startswith("Parameter validation failed for Get")
    assert f"Error:Field validation for '{field}' failed on the '" in message


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/markets", {"limit": "ten"}),
        ("/markets", {"limit": "1.5"}),
        ("/markets", {"min_close_ts": "yesterday"}),
        ("/markets/trades", {"is_block_trade": "maybe"}),
        ("/events", {"with_nested_markets": "2"}),
    ],
)
def test_values_of_the_wrong_type(caller: Caller, path: str, params: dict[str, Any]) -> None:
    (name,) = params
    assert caller.refused(400, path, **params) == {
        "msg": f"Invalid format for parameter {name}: error binding string parameter"
    }


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/markets/NO-SUCH",
        "/markets/NO-SUCH/orderbook",
        "/events/NO-SUCH",
        "/events/NO-SUCH/metadata",
        "/series/NO-SUCH",
        "/historical/markets/NO-SUCH",
        "/exchange/announcements",
        "/markets/",
        "/portfolio/history",
    ],
)
def test_what_is_not_there(caller: Caller, path: str) -> None:
    assert caller.refused(404, path) == {"error": {"code": "not_found", "message": "not found"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/portfolio/orders"),
        ("POST", "/portfolio/orders/batched"),
        ("DELETE", "/portfolio/orders/batched"),
        ("DELETE", "/portfolio/orders/abc"),
        ("POST", "/portfolio/orders/abc/amend"),
        ("POST", "/portfolio/orders/abc/decrease"),
    ],
)
def test_legacy_order_routes_are_gone(caller: Caller, method: str, path: str) -> None:
    headers = caller.signed_headers(method, path)
    for answer in (caller.call(method, path), caller.call(method, path, headers=headers)):
        assert answer.status_code == 410
        assert answer.json()["error"]["code"] == "deprecated_v1_order_endpoint"


def test_other_writes_say_that_they_are_not_available(caller: Caller) -> None:
    path = "/portfolio/events/batches/none"
    answer = caller.call("POST", path, headers=caller.signed_headers("POST", path))
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("not_found", f"POST {path} is not available here")


def test_a_page_of_trades_costs_as_much_as_it_shows() -> None:
    """And pages of a fresh exchange are those of one that has looked at everything before."""
    with Sandbox() as fresh, Sandbox() as known, Caller(fresh) as one, Caller(known) as other:
        other.get("/markets/trades", is_block_trade="true")
        world = fresh._exchange.world
        assert one.get("/markets/trades") == other.get("/markets/trades")
        assert len(world._histories) < len(world.markets) / 3
        cursor = ""
        for _ in range(4):
            pages = [
                caller.get("/markets/trades", limit=900, **({"cursor": cursor} if cursor else {}))
                for caller in (one, other)
            ]
            assert pages[0] == pages[1]
            cursor = pages[0]["cursor"]
        assert len(world._histories) < len(world.markets) / 2
        for query in ({"max_ts": NOW - 9 * DAY}, {"min_ts": NOW - 600}, {"max_ts": NOW - 40 * DAY},
                      {"min_ts": NOW - 3 * DAY, "max_ts": NOW - DAY, "limit": 1000}):  # fmt: skip
            assert one.get("/markets/trades", **query) == other.get("/markets/trades", **query)
