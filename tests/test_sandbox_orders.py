"""Orders over HTTP: what is answered, booked and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox

TICKER = "KXHIGHNY-26NOV21-B44.5"
ORDERS = "/portfolio/events/orders"


class Trader(Caller):
    def send(self, method: str, path: str, body: Any = None, *, user: int = 0, query: str = "") -> Any:
        headers = self.signed_headers(method, path, user=user)
        return requests.request(
            method, f"{self.sandbox.url}{path}{query}", json=body, headers=headers, timeout=30
        )

    def order(self, side: str, price: str, count: str, *, user: int = 0, **more: Any) -> Any:
        terms = {
            "ticker": TICKER, "side": side, "price": price, "count": count,
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        }  # fmt: skip
        return self.send("POST", ORDERS, terms | more, user=user)

    def read(self, path: str, *, user: int = 0, query: str = "") -> Any:
        answer = self.send("GET", path, user=user, query=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def clear(self) -> None:
        """Take the makers' quotes of the market away, so that only the users are there."""
        self.order("bid", "0.0100", "1.00")
        self.send("DELETE", ORDERS)
        floor = self.sandbox.floor
        floor.call(lambda engine: [
            engine.cancel("the makers of the world", row.order_id)
            for row in list(engine.wallet("the makers of the world").resting.values())
        ])  # fmt: skip


@pytest.fixture
def trader() -> Iterator[Trader]:
    with Sandbox(users=2, days=2, crypto_hours=1) as sandbox, Trader(sandbox) as made:
        yield made


def test_the_worked_example_to_the_last_digit(trader: Trader) -> None:
    trader.clear()
    before = trader.get(f"/markets/{TICKER}")["market"]
    made = trader.order("bid", "0.47", "3", client_order_id="cA")
    assert made.status_code == 201
    mine = made.json()
    assert (mine["client_order_id"], mine["fill_count"], mine["remaining_count"]) == (
        "cA",
        "0.00",
        "3.00",
    )
    assert trader.get(f"/markets/{TICKER}/orderbook")["orderbook_fp"] == {
        "no_dollars": [],
        "yes_dollars": [["0.4700", "3.00"]],
    }
    taken = trader.order("ask", "0.40", "1", user=1, time_in_force="immediate_or_cancel").json()
    assert {name: taken[name] for name in taken if name not in ("order_id", "ts_ms")} == {
        "average_fee_paid": "0.0175",
        "average_fill_price": "0.4700",
        "fill_count": "1.00",
        "remaining_count": "0.00",
    }
    (theirs,) = trader.read("/portfolio/fills", user=1)["fills"]
    (ours,) = trader.read("/portfolio/fills")["fills"]
    assert (theirs["fee_cost"], ours["fee_cost"]) == ("0.017500", "0.000000")
    assert theirs["trade_id"] == ours["trade_id"]
    assert (theirs["outcome_side"], ours["outcome_side"]) == ("no", "yes")
    assert trader.read("/portfolio/balance", user=1)["balance_dollars"] == "9999.4525"
    # 0.47 was spent and 2 × 0.47 are reserved.
    assert trader.read("/portfolio/balance")["balance_dollars"] == "9998.5900"
    after = trader.get(f"/markets/{TICKER}")["market"]
    assert after["last_price_dollars"] == "0.4700"
    assert float(after["volume_fp"]) == float(before["volume_fp"]) + 1
    assert float(after["open_interest_fp"]) == float(before["open_interest_fp"]) + 1
    newest = trader.get("/markets/trades", ticker=TICKER)["trades"]
    assert theirs["trade_id"] in [row["trade_id"] for row in newest]
    gone = trader.send("DELETE", f"{ORDERS}/{mine['order_id']}", query=f"?market_ticker={TICKER}")
    assert (gone.status_code, gone.json()["reduced_by"]) == (200, "2.00")
    trader.sandbox.settle(TICKER, "yes")
    assert trader.read("/portfolio/balance")["balance_dollars"] == "10000.5300"
    assert trader.read("/portfolio/balance", user=1)["balance_dollars"] == "9999.4525"
    (paid,) = trader.read("/portfolio/settlements")["settlements"]
    assert (paid["revenue"], paid["value"], paid["market_result"]) == (100, 100, "yes")
    assert trader.get(f"/markets/{TICKER}")["market"]["status"] == "finalized"


def test_recorded_refusals_are_repeated(trader: Trader, shared: Path) -> None:
    trader.clear()
    assert trader.order("ask", "0.50", "5", user=1).status_code == 201
    assert trader.order("bid", "0.10", "1", client_order_id="one").status_code == 201
    answers = {
        "cancel_unknown_id": (404, trader.send("DELETE", f"{ORDERS}/none")),
        "duplicate_client_order_id": (409, trader.order("bid", "0.10", "1", client_order_id="one")),
        "insufficient_balance": (400, trader.order("bid", "0.49", "1000000")),
        "invalid_price_structure": (400, trader.order("bid", "0.105", "1")),
        "numeric_field_types": (400, trader.order("bid", "0.10", 1)),  # type: ignore[arg-type]
        "post_only_cross": (400, trader.order("bid", "0.60", "1", post_only=True)),
    }
    for name, (status, answer) in answers.items():
        recorded = json.loads((shared / f"wire_examples/error_orders__{name}.json").read_text())
        recorded.get("error", {}).pop("service", None)
        assert (name, answer.status_code, answer.json()) == (name, status, recorded)


@pytest.mark.parametrize("name", ["order_create_v2_resting", "order_create_v2_ioc_filled", "order_get"])
def test_answers_have_the_recorded_keys(trader: Trader, shared: Path, name: str) -> None:
    trader.clear()
    trader.order("ask", "0.50", "5", user=1)
    made = trader.order("bid", "0.10", "1", client_order_id="a").json()
    found = {
        "order_create_v2_resting": made,
        "order_create_v2_ioc_filled": trader.order("bid", "0.60", "1", client_order_id="b").json(),
        "order_get": trader.read(f"/portfolio/orders/{made['order_id']}")["order"],
    }[name]
    recorded = json.loads((shared / f"wire_examples/{name}.json").read_text())
    recorded = recorded.get("order", recorded)
    assert found.keys() - recorded.keys() <= {"exchange_index"}
    assert {key: type(value) for key, value in recorded.items()} == {
        key: type(found[key]) for key in recorded
    }


def test_amend_decrease_queue_and_batches(trader: Trader) -> None:
    trader.clear()
    first = trader.order("bid", "0.10", "5").json()["order_id"]
    second = trader.order("bid", "0.10", "5").json()["order_id"]
    path = f"/portfolio/orders/{second}/queue_position"
    assert trader.read(path) == {"queue_position_fp": "5.00"}
    smaller = trader.send("POST", f"{ORDERS}/{first}/decrease", {"reduce_by": "2.00"}).json()
    assert smaller["remaining_count"] == "3.00"
    assert trader.read(path) == {"queue_position_fp": "3.00"}
    terms = {"ticker": TICKER, "side": "bid", "price": "0.10", "count": "6.00"}
    assert trader.send("POST", f"{ORDERS}/{first}/amend", terms).json()["remaining_count"] == "6.00"
    assert trader.read(path) == {"queue_position_fp": "0.00"}
    one = terms | {
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker", "count": "1",
    }  # fmt: skip
    made = trader.send("POST", f"{ORDERS}/batched", {"orders": [one, one | {"price": "0.105"}]})
    assert made.status_code == 201
    assert made.json()["orders"][1]["error"]["code"] == "invalid_price"
    ids = [{"order_id": first, "market_ticker": TICKER}, {"order_id": "none"}]
    gone = trader.send("DELETE", f"{ORDERS}/batched", {"orders": ids}).json()["orders"]
    assert [row["reduced_by"] for row in gone] == ["6.00", "0.00"]
    assert trader.send("DELETE", ORDERS).status_code == 204
    assert trader.read("/portfolio/orders", query="?status=resting")["orders"] == []
    rows, cursor = [], ""
    for _ in range(10):
        page = trader.read("/portfolio/orders", query=f"?limit=2&cursor={cursor}")
        rows += [row["order_id"] for row in page["orders"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert len(rows) == len(set(rows)) == 4
    assert trader.send("POST", "/portfolio/orders", {}).status_code == 410
