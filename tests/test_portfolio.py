"""One's own account: recorded answers read with Decimal once more, and walks that lose nothing."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.client.timing import Timing
from kalshi_research.environments import find_target
from kalshi_research.errors import (
    DecodeError,
    DriftWarning,
    FrameError,
    InputError,
    NotFoundError,
    PaginationError,
    PartialDataWarning,
)
from kalshi_research.schemas import (
    API_KEYS,
    BALANCE,
    DEPOSITS,
    EVENT_POSITIONS,
    FILLS,
    HISTORY,
    LIMITS,
    ORDERS,
    POSITIONS,
    SETTLEMENTS,
    WITHDRAWALS,
)
from tests.fake_exchange import NOON, FakeExchange, market
from tests.stub_server import Answer, StubServer

TICKER, OTHER = "KXHIGHNY-26NOV20-B50.5", "KXHIGHNY-26NOV20-B52.5"


def body_of(shared: Path, name: str) -> dict[str, Any]:
    body = json.loads((shared / name).read_bytes())
    return body.get("payload", body)


def decoded(schema: Any, body: Any) -> pd.DataFrame:
    """The frame; a field that nobody knows is an error."""
    decoder = schema.decoder()
    decoder.add(json.dumps(body).encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return decoder.frame({})


def nearest(value: Any, scale: int = 1) -> float:
    """The double nearest to an exact decimal."""
    if value is None:
        return float("nan")
    exact = Fraction(Decimal(value)) / scale
    return exact.numerator / exact.denominator


def same(found: Any, expected: Any) -> bool:
    return bool(found == expected or (pd.isna(found) and pd.isna(expected)))


def instant(text: str) -> pd.Timestamp:
    return pd.Timestamp(datetime.fromisoformat(text))


# What was recorded


@pytest.mark.parametrize(
    "name", ["wire_examples/fills_list.json", "real/fills/portfolio_fills_redacted.json"]
)
def test_recorded_fills(shared: Path, name: str) -> None:
    body = body_of(shared, name)
    frame = decoded(FILLS, body)
    assert len(frame) == len(body["fills"]) > 2
    for wire, (fill_id, row) in zip(body["fills"], frame.iterrows(), strict=True):
        assert fill_id == wire["fill_id"]
        assert row["time"] == instant(wire["created_time"])
        for column, field in (
            ("yes_price", "yes_price_dollars"),
            ("no_price", "no_price_dollars"),
            ("quantity", "count_fp"),
            ("fee_cost", "fee_cost"),
        ):
            assert row[column] == nearest(wire[field])
        for column in ("ticker", "order_id", "outcome_side", "is_taker", "side", "action"):
            assert row[column] == wire[column]


def test_recorded_orders(shared: Path) -> None:
    body = body_of(shared, "wire_examples/orders_list.json")
    single = body_of(shared, "wire_examples/order_get.json")
    frame = pd.concat([decoded(ORDERS, body), decoded(ORDERS, single)])
    assert set(frame["status"]) == {"resting", "canceled", "executed"}
    for wire, (order_id, row) in zip([*body["orders"], single["order"]], frame.iterrows(), strict=True):
        assert order_id == wire["order_id"]
        for name in ("yes_price", "no_price", "taker_fees", "maker_fees", "taker_fill_cost",
                     "maker_fill_cost"):  # fmt: skip
            assert row[name] == nearest(wire[f"{name}_dollars"])
        for name in ("initial_count", "fill_count", "remaining_count"):
            assert row[name] == nearest(wire[f"{name}_fp"])
        for name in ("client_order_id", "ticker", "outcome_side", "type"):
            assert row[name] == wire[name]
        assert row["last_update_time"] == instant(wire["last_update_time"])
        assert pd.isna(row["expiration_time"])
    assert "user_id" not in frame.columns


def test_recorded_positions_by_market_and_by_event(shared: Path) -> None:
    body = body_of(shared, "wire_examples/positions.json")
    (wire,) = body["market_positions"]
    row = decoded(POSITIONS, body).loc[wire["ticker"]]
    assert row["position"] == nearest(wire["position_fp"])
    for name in ("market_exposure", "realized_pnl", "fees_paid", "total_traded"):
        assert row[name] == nearest(wire[f"{name}_dollars"])
    assert row["last_updated_time"] == instant(wire["last_updated_ts"])
    (wire,) = body["event_positions"]
    row = decoded(EVENT_POSITIONS, body).loc[wire["event_ticker"]]
    for name in ("event_exposure", "realized_pnl", "fees_paid", "total_cost"):
        assert row[name] == nearest(wire[f"{name}_dollars"])
    assert row["total_cost_shares"] == nearest(wire["total_cost_shares_fp"])


def test_recorded_settlements_are_dollars(shared: Path) -> None:
    """The wire has revenue and value in cents beside costs in dollars."""
    body = body_of(shared, "real/fills/portfolio_settlements_redacted.json")
    frame = decoded(SETTLEMENTS, body)
    assert len(frame) == 22
    for wire, (ticker, row) in zip(body["settlements"], frame.iterrows(), strict=True):
        assert ticker == wire["ticker"]
        assert row["settled_time"] == instant(wire["settled_time"])
        for name in ("revenue", "value"):
            assert row[name] == nearest(wire[name], 100)
        for name in ("yes_total_cost", "no_total_cost"):
            assert row[name] == nearest(wire[f"{name}_dollars"])
        for name in ("yes_count", "no_count"):
            assert row[name] == nearest(wire[f"{name}_fp"])
        assert row["fee_cost"] == nearest(wire["fee_cost"])
        assert (row["market_result"], row["event_ticker"]) == (
            wire["market_result"], wire["event_ticker"],
        )  # fmt: skip
    assert frame["revenue"].max() == 20.0


def test_recorded_balance_and_limits(shared: Path) -> None:
    row = decoded(BALANCE, body_of(shared, "wire_examples/balance.json")).iloc[0]
    assert (row["balance"], row["portfolio_value"]) == (98.0186, 1.98)
    assert row["updated_time"] == pd.Timestamp(1781159348, unit="s", tz="UTC")
    assert json.loads(row["balance_breakdown"]) == [{"balance": "98.0186", "exchange_index": 0}]
    row = decoded(LIMITS, body_of(shared, "wire_examples/account_limits_basic.json")).iloc[0]
    assert row[["read_refill_rate", "write_bucket_capacity"]].tolist() == [200, 100]


# Both dialects


def old_fill(**more: Any) -> dict[str, Any]:
    return {
        "trade_id": "t", "ticker": TICKER, "order_id": "o", "side": "yes", "action": "buy", "count": 3,
        "yes_price": 29, "no_price": 71, "is_taker": False, "created_time": "2025-09-01T12:00:00Z",
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("side", "action", "bought"),
    [("yes", "buy", "yes"), ("yes", "sell", "no"), ("no", "buy", "no"), ("no", "sell", "yes")],
)
def test_the_old_wording_tells_which_leg_is_bought(side: str, action: str, bought: str) -> None:
    row = decoded(FILLS, {"fills": [old_fill(side=side, action=action)]}).loc["t"]
    assert row["outcome_side"] == bought
    assert (row["yes_price"], row["no_price"], row["quantity"]) == (0.29, 0.71, 3.0)
    assert np.isnan(row["fee_cost"])  # it was not told, which is not zero


def test_amounts_in_cents_are_dollars() -> None:
    position = {"ticker": TICKER, "position": -7, "market_exposure": 12_345, "realized_pnl": -678,
                "fees_paid": 90, "total_traded": 250_000, "resting_orders_count": 2}  # fmt: skip
    row = decoded(POSITIONS, {"market_positions": [position], "event_positions": []}).iloc[0]
    assert row[:5].tolist() == [-7.0, 123.45, -6.78, 0.9, 2500.0]
    assert decoded(BALANCE, {"balance": 9801})["balance"].item() == 98.01
    settlement = {"ticker": TICKER, "market_result": "no", "yes_count": 0, "yes_total_cost": 0,
                  "no_count": 15, "no_total_cost": 1_260, "revenue": 1_500,
                  "settled_time": "2025-09-01T12:00:00Z"}  # fmt: skip
    row = decoded(SETTLEMENTS, {"settlements": [settlement]}).iloc[0]
    assert (row["no_total_cost"], row["revenue"]) == (12.6, 15.0)


def test_money_beyond_a_dollar_is_no_drift_but_a_price_is() -> None:
    today = {
        "fill_id": "f", "ticker": TICKER, "order_id": "o", "outcome_side": "yes", "count_fp": "1000.00",
        "yes_price_dollars": "0.5000", "no_price_dollars": "0.5000", "is_taker": True,
        "created_time": "2026-09-01T12:00:00Z", "fee_cost": "17.500000",
    }  # fmt: skip
    assert decoded(FILLS, {"fills": [today]})["fee_cost"].item() == 17.5
    decoder = FILLS.decoder()
    decoder.add(json.dumps({"fills": [today | {"yes_price_dollars": "50.0000"}]}).encode())
    with pytest.warns(DriftWarning, match="outside 0–1"):
        decoder.frame({})


def test_a_new_field_of_an_answer_without_rows_is_named_and_kept() -> None:
    decoder = BALANCE.decoder()
    decoder.add(b'{"balance_dollars": "1.0000", "portfolio_value": 0, "held_dollars": "0.2500"}')
    with pytest.warns(DriftWarning, match="held_dollars"):
        assert decoder.frame({})["held"].tolist() == [0.25]


@pytest.mark.parametrize(
    "body",
    [
        b'{"history": 5}',
        b'{"history": [5]}',
        b'{"history": {"type": "fill"}}',
        b'{"history": [{"type": "gift"}]}',
        b'{"history": [{"type": "settlement", "ticker": 7}]}',
        b'{"fills": 5}',
        b'{"settlements": [{}]}',
        b'{"trades": []}',
        b"[]",
        b"{",
        b"\xff",
    ],
)
def test_a_history_that_cannot_be_read_leaves_no_trace(body: bytes) -> None:
    decoder = HISTORY.decoder()
    good = {"history": [old_fill(type="fill", ts=1)], "cursor": None}
    assert decoder.add(json.dumps(good).encode()) == 1
    bad = [old_fill(type="fill", trade_id="u"), {"type": "settlement"}]
    for page in (body, json.dumps({"history": bad}).encode()):
        with pytest.raises(DecodeError):
            decoder.add(page)
    assert len(decoder.frame({})) == decoder.rows == 1


# Files


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("fills", "wire_examples/fills_list.json"),
        ("settlements", "real/fills/portfolio_settlements_redacted.json"),
        ("orders", "wire_examples/orders_list.json"),
        ("positions", "wire_examples/positions.json"),
    ],
)
def test_what_is_written_is_read_back(shared: Path, tmp_path: Path, kind: str, name: str) -> None:
    read, write = getattr(kr, f"read_{kind}"), getattr(kr, f"write_{kind}")
    body = body_of(shared, name)
    frame = read(body)
    assert len(frame)
    write(frame, tmp_path / "own.parquet")
    pd.testing.assert_frame_equal(read(tmp_path / "own.parquet"), frame, check_exact=True)
    frame.to_csv(tmp_path / "own.csv")
    pd.testing.assert_frame_equal(read(tmp_path / "own.csv"), frame, check_exact=True)
    key = {"positions": "market_positions"}.get(kind, kind)
    rows = pd.DataFrame(body[key])
    for form in (rows, tmp_path / "wire.csv", tmp_path / "wire.parquet"):
        rows.to_csv(tmp_path / "wire.csv", index=False)
        rows.to_parquet(tmp_path / "wire.parquet")
        pd.testing.assert_frame_equal(read(form), frame, check_exact=True)


# Asking


def fill(number: int, ticker: str, at: datetime, order: int = 1) -> dict[str, Any]:
    name = str(UUID(int=number))
    return {
        "fill_id": name, "trade_id": name, "ticker": ticker, "market_ticker": ticker,
        "order_id": f"order-{order}", "outcome_side": "yes", "book_side": "bid", "side": "yes",
        "action": "buy", "count_fp": "2.00", "yes_price_dollars": "0.4200",
        "no_price_dollars": "0.5800", "is_taker": True, "fee_cost": "0.034200", "exchange_index": 0,
        "subaccount_number": 0, "created_time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "ts": int(at.timestamp()),
    }  # fmt: skip


def order(number: int, at: datetime, status: str = "executed", ticker: str = TICKER) -> dict[str, Any]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "order_id": f"order-{number}", "user_id": "me", "client_order_id": f"mine-{number}",
        "ticker": ticker, "outcome_side": "yes", "book_side": "bid", "type": "limit",
        "status": status, "yes_price_dollars": "0.4200", "no_price_dollars": "0.5800",
        "fill_count_fp": "1.00", "remaining_count_fp": "1.00", "initial_count_fp": "2.00",
        "taker_fill_cost_dollars": "0.420000", "maker_fill_cost_dollars": "0.000000",
        "taker_fees_dollars": "0.017100", "maker_fees_dollars": "0.000000",
        "created_time": stamp, "last_update_time": stamp, "exchange_index": 0,
    }  # fmt: skip


def settlement(ticker: str, at: datetime) -> dict[str, Any]:
    return {
        "ticker": ticker, "event_ticker": ticker.rpartition("-")[0], "market_result": "yes",
        "yes_count_fp": "2.00", "yes_total_cost_dollars": "0.840000", "no_count_fp": "0.00",
        "no_total_cost_dollars": "0.000000", "revenue": 200, "value": 100, "fee_cost": "0.034200",
        "exchange_index": 0, "settled_time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip


class FakeAccount(FakeExchange):
    """An account behind the routes: lists, newest first, offsets as cursors."""

    def __init__(self) -> None:
        super().__init__()
        old = NOON - timedelta(days=70)
        self.markets = [market(f"KXHIGHNY-26NOV20-B{n}.5") for n in range(40, 60)]
        self.rows: dict[str, list[dict[str, Any]]] = {
            "/portfolio/fills": [
                fill(2500 - i, (TICKER, OTHER)[i % 2], NOON - timedelta(minutes=i), i % 7)
                for i in range(2500)
            ],
            "/historical/fills": [
                fill(9500 - i, TICKER, old - timedelta(minutes=i), 8) for i in range(500)
            ],
            "/portfolio/orders": [
                order(1, NOON, "resting"),
                order(2, NOON - timedelta(hours=1)),
                order(3, NOON - timedelta(days=100), "resting"),
            ],
            "/historical/orders": [order(4, old), order(5, old, "canceled")],
            "/portfolio/settlements": [
                settlement(f"{TICKER}{n}", NOON - timedelta(hours=n)) for n in range(5)
            ],
        }
        for path in self.rows:
            self.routes[path] = lambda query, seen, path=path: self._list(path, query)

    def _list(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        key = path.rpartition("/")[2]
        wire = "settled_time" if key == "settlements" else "created_time"
        rows = [
            row
            for row in self.rows[path]
            if query.get("ticker") in (None, row["ticker"])
            and query.get("order_id") in (None, row.get("order_id"))
            and (
                "status" not in query or path != "/portfolio/orders" or row["status"] == query["status"]
            )
            and int(query.get("min_ts", 0)) <= instant(row[wire]).timestamp()
            and instant(row[wire]).timestamp() <= int(query.get("max_ts", 1 << 40))
        ]
        start = int(query.get("cursor") or 0)
        end = start + int(query.get("limit", 100))
        return {key: rows[start:end], "cursor": str(end) if end < len(rows) else ""}


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount()


@pytest.fixture
def client(account: FakeAccount) -> Iterator[kr.Client]:
    with (
        StubServer(account) as server,
        kr.Client(find_target(server.url), deadline=5, timing=Timing(uniform=min)) as client,
    ):
        yield client


def test_fills_of_both_tiers_arrive_once(client, account) -> None:
    # the boundary is served by both tiers
    account.rows["/historical/fills"][:0] = account.rows["/portfolio/fills"][-5:]
    fills = kr.get_fills(client)
    assert len(fills) == fills.index.nunique() == 3000
    assert fills.attrs["kalshi"]["tier"] == "live+historical"
    assert fills.attrs["kalshi"]["complete"] is True
    assert fills.attrs["kalshi"]["rows"] == 3000


def test_a_window_of_fills_is_exact_and_leaves_the_archive_alone(client, account) -> None:
    fills = kr.get_fills(client, start="2026-11-20T11:00Z", end="2026-11-20T11:30Z")
    assert (fills["time"].min(), fills["time"].max()) == (
        pd.Timestamp("2026-11-20T11:00Z"), pd.Timestamp("2026-11-20T11:29Z"),
    )  # fmt: skip
    assert account.paths() == ["/portfolio/fills", "/historical/cutoff"]


def test_fills_of_one_order_come_from_the_archive_too(client) -> None:
    assert set(kr.get_fills(client, order_id="order-8")["order_id"]) == {"order-8"}
    assert len(kr.get_fills(client, order_id="order-8")) == 500


def test_fills_of_a_market_of_several_and_of_many(client, account) -> None:
    assert set(kr.get_fills(client, TICKER)["ticker"]) == {TICKER}
    both = kr.get_fills(client, [OTHER, TICKER])
    assert set(both["ticker"]) == {TICKER, OTHER}
    assert both["time"].is_monotonic_decreasing
    account.asked.clear()
    many = kr.get_fills(client, kr.get_markets(client, series_ticker="KXHIGHNY", status="open"))
    assert len(many) == 3000
    walked = [query for path, query in account.asked if path == "/portfolio/fills"]
    assert not [query for query in walked if "ticker" in query]  # one walk, not one a market


def test_no_fills_are_an_empty_frame_and_an_unknown_market_is_not(client) -> None:
    assert len(kr.get_fills(client, "KXHIGHNY-26NOV20-B41.5")) == 0
    with pytest.raises(NotFoundError, match="KXNO-SUCH"):
        kr.get_fills(client, "KXNO-SUCH")


def test_the_newest_fills_only(client, account) -> None:
    newest = kr.get_fills(client, max_rows=10)
    assert newest["time"].max() == pd.Timestamp(NOON)
    assert newest.attrs["kalshi"]["complete"] is False
    assert [query["limit"] for _, query in account.asked] == ["10"]


@pytest.mark.parametrize("form", ["frame", "id", "time"])
def test_fills_since_the_last_time(client, account, form: str) -> None:
    known = kr.get_fills(client, start="2026-11-20")
    news = [fill(20_000 + n, TICKER, NOON + timedelta(minutes=n)) for n in range(3)]  # one at NOON
    account.rows["/portfolio/fills"][:0] = news[:0:-1]
    account.rows["/portfolio/fills"].insert(3, news[0])
    since = {"frame": known, "id": known.index[0], "time": NOON}[form]
    expected = news if form == "frame" else news[1:]
    assert set(kr.get_fills(client, newer_than=since).index) == {row["fill_id"] for row in expected}


def test_an_unknown_marker_is_said(client) -> None:
    with pytest.warns(PartialDataWarning, match="did not turn up"):
        kr.get_fills(client, newer_than="no-such-fill")


@pytest.mark.parametrize(
    "question",
    [
        ("get_fills", "/portfolio/fills", 1000, 3000),
        ("get_fills", "/historical/fills", 2500, 3000),
        ("get_fills", "/historical/cutoff", 2500, 3000),
        ("get_portfolio_history", "/portfolio/settlements", 3000, 3005),
    ],
)
def test_a_walk_that_breaks_off_keeps_its_rows_and_the_way_on(client, account, question) -> None:
    function, path, before, whole = question
    ask = getattr(kr, function)
    seen: list[str] = []

    def fault(asked: str, number: int) -> Answer | None:
        seen.append(asked)
        bad = asked == path and (path != "/portfolio/fills" or seen.count(path) > 1)
        return Answer(400, {"msg": "no"}) if bad else None

    account.fault = fault
    with pytest.raises(PaginationError) as caught:
        ask(client)
    assert len(caught.value.frame) == before
    assert caught.value.frame.attrs["kalshi"]["complete"] is False
    account.fault = lambda asked, number: None
    rest = ask(client, cursor=caught.value.cursor)
    assert len(rest) + before == whole
    assert caught.value.frame.dtypes.equals(rest.dtypes)


def test_resting_orders_are_never_in_the_archive(client, account) -> None:
    resting = kr.get_orders(client, status="resting")
    assert resting.index.tolist() == ["order-1", "order-3"]
    assert account.paths() == ["/portfolio/orders"]
    assert kr.get_orders(client).index.tolist() == [f"order-{n}" for n in (1, 2, 4, 5, 3)]
    assert kr.get_orders(client, status="canceled").index.tolist() == ["order-5"]


def test_orders_of_a_window_are_found_by_creation(client, account) -> None:
    """The exchange may mean the last change: so it is never asked to leave later ones out."""
    window = kr.get_orders(client, start="2026-11-20T10:30Z", end="2026-11-20T11:30Z")
    assert window.index.tolist() == ["order-2"]
    assert all("max_ts" not in query for _, query in account.asked)


def test_one_order(client, account) -> None:
    account.routes["/portfolio/orders/order-2"] = lambda *_: {"order": order(2, NOON)}
    assert kr.get_order(client, "order-2")["client_order_id"].tolist() == ["mine-2"]
    with pytest.raises(NotFoundError):
        kr.get_order(client, "order-9")


def test_settled_positions_come_from_both_tiers(client, account) -> None:
    def held(ticker: str, realized: str) -> dict[str, Any]:
        return {
            "ticker": ticker, "exchange_index": 0, "position_fp": "0.00",
            "market_exposure_dollars": "0.000000", "realized_pnl_dollars": realized,
            "fees_paid_dollars": "0.010000", "total_traded_dollars": "1.000000",
            "last_updated_ts": "2026-11-20T12:00:00Z",
        }  # fmt: skip

    live, old = (
        [held("A", "1.000000"), held("B", "2.000000")],
        [held("B", "2.000000"), held("C", "3.000000")],
    )
    for path, rows in (("/portfolio/positions", live), ("/historical/positions", old)):
        account.routes[path] = lambda query, _, rows=rows: {
            "market_positions": rows, "event_positions": [], "cursor": "",
        }  # fmt: skip
    assert kr.get_positions(client).index.tolist() == ["A", "B"]
    assert account.paths() == ["/portfolio/positions"]
    found = kr.get_positions(client, settlement_status="all")
    assert found["realized_pnl"].to_dict() == {"A": 1.0, "B": 2.0, "C": 3.0}
    assert kr.get_positions(client, ["B"]).index.tolist() == ["B"]
    assert len(kr.get_event_positions(client, settlement_status="settled")) == 0


def test_the_history_is_fills_and_payouts_in_order(client) -> None:
    history = kr.get_portfolio_history(client)
    assert history.index.is_monotonic_increasing
    assert history["entry"].value_counts().to_dict() == {"fill": 3000, "settlement": 5}
    bought = history[history["entry"] == "fill"].iloc[-1]
    assert (bought["cost"], bought["fee_cost"]) == (0.84, 0.0342)
    paid = history[history["entry"] == "settlement"].iloc[-1]
    assert paid[["quantity", "cost", "revenue", "yes_price"]].tolist() == [2.0, 0.84, 2.0, 1.0]
    assert np.isnan(paid["fee_cost"])  # it repeats those of the fills
    assert len(kr.get_portfolio_history(client, newer_than=history)) == 0
    at = history.index[-1]
    same_instant = history[history.index == at]["entry"].tolist()
    assert same_instant == ["fill", "settlement"]


def test_the_empty_history_has_the_columns_of_a_full_one(client, account) -> None:
    full = kr.get_portfolio_history(client)
    for rows in account.rows.values():
        rows.clear()
    empty = kr.get_portfolio_history(client)
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)
    assert empty.index.dtype == full.index.dtype
    assert empty.dtypes.equals(HISTORY.empty().dtypes)


def test_payouts_since_the_last_time(client, account) -> None:
    known = kr.get_settlements(client)
    account.rows["/portfolio/settlements"].insert(0, settlement(f"{TICKER}9", NOON))  # the same instant
    assert kr.get_settlements(client, newer_than=known).index.tolist() == [f"{TICKER}9"]
    assert kr.get_settlements(client, start="2026-11-20T11:00Z").shape[0] == 3


def test_money_paid_in_and_out(client, account) -> None:
    row = {"id": "d", "status": "applied", "type": "ach", "amount_cents": 12_345, "fee_cents": 200,
           "created_ts": 1_790_000_000, "finalized_ts": None}  # fmt: skip
    account.routes["/portfolio/deposits"] = lambda *_: {"deposits": [row], "cursor": ""}
    account.routes["/portfolio/withdrawals"] = lambda *_: {"withdrawals": [], "cursor": ""}
    deposit = kr.get_deposits(client).loc["d"]
    assert (deposit["amount"], deposit["fee"]) == (123.45, 2.0)
    assert deposit["created_time"] == pd.Timestamp(1_790_000_000, unit="s", tz="UTC")
    assert pd.isna(deposit["finalized_time"])
    assert kr.get_withdrawals(client).dtypes.equals(WITHDRAWALS.empty().dtypes)
    assert DEPOSITS.empty().dtypes.equals(WITHDRAWALS.empty().dtypes)


def test_keys_and_until_when_they_may_be_used(client, account) -> None:
    keys = [{"api_key_id": "k", "name": "reader", "scopes": ["read"], "subaccount": 3}]
    body = {"api_keys": keys, "api_key_region_expiration_ts": 1_790_000_000}
    account.routes["/api_keys"] = lambda *_: body
    row = kr.get_api_keys(client).loc["k"]
    assert (row["scopes"], row["subaccount"]) == ('["read"]', 3)
    assert row["region_expiration_time"] == pd.Timestamp(1_790_000_000, unit="s", tz="UTC")
    assert len(decoded(API_KEYS, {"api_keys": []})) == 0


@pytest.mark.parametrize(
    "question",
    [
        ("get_fills", {"newer_than": "x", "start": "2026-01-01"}, InputError, "newer_than and start"),
        ("get_fills", {"subaccount": 64}, InputError, "from 0 to 63"),
        ("get_fills", {"subaccount": True}, InputError, "from 0 to 63"),
        ("get_fills", {"order_id": " "}, InputError, "order_id must be"),
        ("get_fills", {"start": "2026-01-01 10:00"}, InputError, "no time zone"),
        ("get_fills", {"max_rows": 0}, InputError, "at least 1"),
        ("get_fills", {"newer_than": pd.DataFrame({"x": [1]})}, FrameError, "no fill_id"),
        ("get_orders", {"status": "open"}, InputError, "status must be one of"),
        ("get_orders", {"status": "cancelled"}, InputError, "did you mean 'canceled'"),
        ("get_order", {"order_id": ""}, InputError, "order_id must be"),
        ("get_positions", {"settlement_status": "open"}, InputError, "settlement_status must be"),
        ("get_positions", {"tickers": "A", "event_ticker": "B"}, InputError, "exclude each other"),
        ("get_settlements", {"tickers": "A", "event_ticker": "B"}, InputError, "exclude each other"),
        ("get_settlements", {"newer_than": "some-id"}, InputError, "no identifier"),
        ("get_balance", {"subaccount": -1}, InputError, "from 0 to 63"),
    ],
)
def test_bad_arguments_are_refused_before_a_byte_is_sent(client, account, question) -> None:
    function, arguments, error, message = question
    with pytest.raises(error, match=message):
        getattr(kr, function)(client, **arguments)
    assert not account.asked
