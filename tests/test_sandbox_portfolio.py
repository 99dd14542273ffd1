"""Bodies of a member who has traded, against the exchange's own specification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator
from sandbox_calls import Caller
from test_sandbox_spec import Spec, formats

from kalshi_research.sandbox import Sandbox, routes
from kalshi_research.sandbox.unserved import UNSERVED

TICKER = "KXHIGHNY-26NOV21-B44.5"
OTHER = "KXHIGHNY-26NOV21-B46.5"
GROUPS = "/portfolio/order_groups"


class Member(Caller):
    def send(self, method: str, path: str, body: Any = None) -> Any:
        headers = self.signed_headers(method, path)
        url = f"{self.sandbox.url}{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=30)

    def done(self, status: int, method: str, path: str, body: Any = None) -> Any:
        answer = self.send(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


def _order(side: str, price: str, ticker: str = TICKER) -> dict[str, Any]:
    return {
        "ticker": ticker, "side": side, "price": price, "count": "1.50",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
    }  # fmt: skip


@pytest.fixture(scope="module")
def member() -> Iterator[Member]:
    with Sandbox(days=2, crypto_hours=1) as sandbox, Member(sandbox) as made:
        group = made.done(201, "POST", f"{GROUPS}/create", {"contracts_limit": 100})["order_group_id"]
        orders = "/portfolio/events/orders"
        assert made.done(201, "POST", orders, _order("bid", "0.99"))["fill_count"] == "1.50"
        made.done(201, "POST", orders, _order("bid", "0.01") | {"order_group_id": group})
        made.done(201, "POST", orders, _order("ask", "0.01", OTHER))
        sandbox.settle(OTHER, "no")
        assert made.done(201, "POST", "/portfolio/subaccounts", {}) == {"subaccount_number": 1}
        move = {"client_transfer_id": "t", "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 99}
        made.done(200, "POST", "/portfolio/subaccounts/transfer", move)
        assert made.send("POST", "/portfolio/subaccounts/transfer", move).status_code == 409
        yield made


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/portfolio/orders", "orders"),
        ("/portfolio/fills", "fills"),
        ("/portfolio/positions", "market_positions"),
        ("/portfolio/settlements", "settlements"),
        ("/portfolio/balance", "balance_breakdown"),
        ("/portfolio/orders/queue_positions", "queue_positions"),
        ("/portfolio/summary/total_resting_order_value", "resting_order_value_breakdown"),
        (GROUPS, "order_groups"),
        ("/portfolio/subaccounts/balances", "subaccount_balances"),
        ("/portfolio/subaccounts/transfers", "transfers"),
        ("/portfolio/subaccounts/netting", "netting_configs"),
        ("/api_keys", "api_keys"),
    ],
)
def test_bodies_follow_the_specification(member: Member, shared: Path, path: str, rows: str) -> None:
    body = member.signed(path)
    assert body[rows]
    schema = Spec(shared / "spec" / "openapi.yaml").answer(path)
    problems = Draft202012Validator(schema, format_checker=formats).iter_errors(body)
    assert [f"{problem.json_path}: {problem.message[:200]}" for problem in problems] == []


def test_what_is_written_is_specified_and_the_rest_has_a_reason(shared: Path) -> None:
    paths = yaml.safe_load((shared / "spec" / "openapi.yaml").read_text())["paths"]
    served = {("GET", path): name for path, _, name, _ in routes.READS}
    for method, path, _, name, status in routes.WRITES:
        operation = paths[path][method.lower()]
        assert (operation["operationId"], str(status) in operation["responses"]) == (name, True)
        served[method, path] = name
    missing = {
        path
        for path, verbs in paths.items()
        for method in verbs
        if method in {"get", "put", "post", "delete"} and (method.upper(), path) not in served
    }
    assert {path for path in missing if not path.startswith(tuple(UNSERVED))} == set()
    assert [start for start in UNSERVED if not any(path.startswith(start) for path in missing)] == []


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_is_shown_once_and_deleted(member: Member, kind: str) -> None:
    made = member.done(201, "POST", "/api_keys/generate", {"name": "mine", "key_type": kind})
    assert made["private_key"].startswith("-----BEGIN")
    ids = [row["api_key_id"] for row in member.signed("/api_keys")["api_keys"]]
    assert made["api_key_id"] in ids
    member.done(204, "DELETE", f"/api_keys/{made['api_key_id']}")
    member.done(404, "DELETE", f"/api_keys/{made['api_key_id']}")


def test_a_triggered_group_takes_nothing_until_it_is_reset(member: Member) -> None:
    group = member.done(201, "POST", f"{GROUPS}/create", {"contracts_limit_fp": "5.00"})
    path = f"{GROUPS}/{group['order_group_id']}"
    order = _order("bid", "0.02") | {"order_group_id": group["order_group_id"]}
    kept = member.done(201, "POST", "/portfolio/events/orders", order)["order_id"]
    assert member.signed(path)["orders"] == [kept]
    assert member.done(200, "PUT", f"{path}/trigger") == {}
    assert member.signed(path)["orders"] == []
    refused = member.done(409, "POST", "/portfolio/events/orders", order)
    assert refused["error"]["code"] == "exceeded_order_group_risk_limit"
    assert member.done(200, "PUT", f"{path}/reset") == {}
    member.done(201, "POST", "/portfolio/events/orders", order)
    assert member.done(200, "DELETE", path) == {}
    member.done(404, "GET", path)
