"""What keys may do: scopes, subaccounts they are locked to, and how they are made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sandbox_member import ORDERS, TICKER, Key, Member, terms
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from kalshi_research.sandbox import Sandbox, routes
from kalshi_research.sandbox.scopes import SCOPES

GROUPS = "/portfolio/order_groups"
TRANSFER = "/portfolio/subaccounts/transfer"


@pytest.fixture
def member() -> Iterator[Member]:
    with Sandbox(users=2, days=1, crypto_hours=1) as sandbox, Member(sandbox) as made:
        yield made


def outcome(member: Member, key: Key, method: str, path: str, body: Any = None) -> int:
    return member.send(method, path, body, key=key).status_code


def test_scopes_are_those_of_the_specification(shared: Path) -> None:
    schemas = yaml.safe_load((shared / "spec/openapi.yaml").read_text())["components"]["schemas"]
    assert set(SCOPES) == set(schemas["ApiKeyScope"]["enum"])


# scopes of the key, and what of this it may do: read orders, read the balance, order, transfer,
# make keys. Each child is enough for its own group and nothing else.
ACTS = ("orders", "balance", "trade", "transfer", "manage")
MAY = [
    (["read", "write"], ACTS),
    (["read"], ("orders", "balance")),
    (["read::portfolio_balance"], ("balance",)),
    (["read::block_trade_accept"], ()),
    (["write::trade"], ("trade",)),
    (["write::transfer"], ("transfer",)),
    (["write::fcm_risk"], ()),
    (["write::block_trade_accept"], ()),
    (["read", "write::trade"], ("orders", "balance", "trade")),
    (["read::portfolio_balance", "write::trade", "write::transfer"], ("balance", "trade", "transfer")),
]


@pytest.mark.parametrize(("scopes", "allowed"), MAY, ids=lambda value: "+".join(value) or "nothing")
def test_a_scope_is_good_for_its_group_and_no_more(
    member: Member, scopes: list[str], allowed: tuple[str, ...]
) -> None:
    member.done(201, "POST", "/portfolio/subaccounts", {})
    key = member.generate(scopes=scopes)
    move = {
        "client_transfer_id": "00000000-0000-4000-8000-000000000001",
        "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 1,
    }  # fmt: skip
    new_key = {"name": "another", "key_type": "ed25519"}
    found = {
        "orders": outcome(member, key, "GET", "/portfolio/orders"),
        "balance": outcome(member, key, "GET", "/portfolio/balance"),
        "trade": outcome(member, key, "POST", ORDERS, terms("bid", "0.01", "1")),
        "transfer": outcome(member, key, "POST", TRANSFER, move),
        "manage": outcome(member, key, "POST", "/api_keys/generate", new_key),
    }
    good = {"orders": 200, "balance": 200, "trade": 201, "transfer": 200, "manage": 201}
    assert found == {name: good[name] if name in allowed else 403 for name in ACTS}
    refusal = member.send("DELETE", "/api_keys/none", key=key)
    assert refusal.status_code == (404 if "manage" in allowed else 403)
    if "manage" not in allowed:
        assert refusal.json()["error"]["code"] == "forbidden"
    # What is public is public for every key.
    assert outcome(member, key, "GET", "/markets") == 200


def test_the_trading_scope_covers_all_orders_and_groups(member: Member) -> None:
    key = member.generate(scopes=["write::trade"])
    group = member.done(201, "POST", f"{GROUPS}/create", {"contracts_limit": 5}, key=key)
    path = f"{GROUPS}/{group['order_group_id']}"
    made = member.done(201, "POST", ORDERS, terms("bid", "0.01", "3"), key=key)["order_id"]
    smaller = terms("bid", "0.01", "2")
    member.done(200, "POST", f"{ORDERS}/{made}/amend", smaller, key=key)
    member.done(200, "POST", f"{ORDERS}/{made}/decrease", {"reduce_by": "1"}, key=key)
    member.done(200, "DELETE", f"{ORDERS}/{made}", key=key)
    member.done(201, "POST", f"{ORDERS}/batched", {"orders": [terms("bid", "0.01", "1")]}, key=key)
    member.done(200, "DELETE", f"{ORDERS}/batched", {"orders": []}, key=key)
    member.done(204, "DELETE", ORDERS, key=key)
    for verb in ("trigger", "reset"):
        member.done(200, "PUT", f"{path}/{verb}", key=key)
    member.done(200, "PUT", f"{path}/limit", {"contracts_limit": 6}, key=key)
    member.done(200, "DELETE", path, key=key)
    for path, method in (("/portfolio/subaccounts", "POST"), ("/portfolio/subaccounts/netting", "PUT")):
        member.done(403, method, path, {}, key=key)


def test_a_locked_key_stays_in_its_subaccount(member: Member) -> None:
    for _ in range(2):
        member.done(201, "POST", "/portfolio/subaccounts", {})
    move = {
        "client_transfer_id": "00000000-0000-4000-8000-000000000002",
        "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 5_000,
    }  # fmt: skip
    member.done(200, "POST", TRANSFER, move)
    key = member.generate(subaccount=1)
    theirs = member.order("bid", "0.01", "7")["order_id"]
    own = member.order("bid", "0.01", "1", key=key)["order_id"]
    assert member.done(200, "GET", "/portfolio/orders", key=key)["orders"][0]["subaccount_number"] == 1
    assert len(member.done(200, "GET", "/portfolio/orders", key=key)["orders"]) == 1
    assert len(member.done(200, "GET", "/portfolio/orders")["orders"]) == 2
    assert member.done(200, "GET", f"/portfolio/orders/{own}", key=key)["order"]["order_id"] == own
    for path in (f"/portfolio/orders/{theirs}", f"/portfolio/orders/{theirs}/queue_position"):
        member.done(404, "GET", path, key=key)
        member.done(200, "GET", path)
    member.done(404, "DELETE", f"{ORDERS}/{theirs}", key=key)
    member.done(404, "POST", f"{ORDERS}/{theirs}/decrease", {"reduce_by": "1"}, key=key)
    queue = member.done(200, "GET", "/portfolio/orders/queue_positions", key=key)["queue_positions"]
    assert [row["order_id"] for row in queue] == [own]
    value = member.done(200, "GET", "/portfolio/summary/total_resting_order_value", key=key)
    assert value["total_resting_order_value"] == 1
    # What it names must be its own subaccount.
    for path in ("/portfolio/orders", "/portfolio/fills", "/portfolio/balance", "/portfolio/positions"):
        member.done(200, "GET", path, key=key, query="?subaccount=1")
        refusal = member.send("GET", path, key=key, query="?subaccount=0")
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (403, "forbidden")
    member.order("bid", "0.01", "1", key=key, subaccount=2, status=403)
    member.order("bid", "0.01", "1", key=key, subaccount=1)
    rows = {"orders": [terms("bid", "0.01", "1") | {"subaccount": 0}]}
    member.done(403, "POST", f"{ORDERS}/batched", rows, key=key)
    rows = {"orders": [{"order_id": theirs}, {"order_id": own}]}
    gone = member.done(200, "DELETE", f"{ORDERS}/batched", rows, key=key)["orders"]
    assert ["error" in row for row in gone] == [True, False]
    # Nor does it act across subaccounts.
    for method, path, body in (
        ("POST", TRANSFER, move),
        ("GET", "/portfolio/subaccounts/transfers", None),
        ("POST", "/portfolio/subaccounts", {}),
        ("PUT", "/portfolio/subaccounts/netting", {"subaccount_number": 1, "enabled": True}),
        ("POST", "/api_keys/generate", {"name": "free"}),
        ("POST", "/api_keys", {"name": "free"}),
        ("DELETE", f"/api_keys/{key.key_id}", None),
        ("POST", "/portfolio/target_balance_allocation", {"allocations": []}),
        ("GET", "/portfolio/target_balance_allocation", None),
        ("GET", "/portfolio/intra_exchange_instance_transfers", None),
    ):
        assert outcome(member, key, method, path, body) == 403, path
    balance = member.done(200, "GET", "/portfolio/balance", key=key)
    assert "balance_breakdown" not in balance
    # 50 dollars, and one order is left that reserves a cent.
    assert balance["balance_dollars"] == "49.9900"
    rows = member.done(200, "GET", "/portfolio/subaccounts/balances", key=key)["subaccount_balances"]
    assert [row["subaccount_number"] for row in rows] == [1]
    rows = member.done(200, "GET", "/portfolio/subaccounts/netting", key=key)["netting_configs"]
    assert [row["subaccount_number"] for row in rows] == [1]
    (shown,) = member.done(200, "GET", "/api_keys", key=key)["api_keys"]
    assert (shown["api_key_id"], shown["subaccount"]) == (key.key_id, 1)
    member.done(204, "DELETE", ORDERS, key=key)
    assert member.done(200, "GET", f"/portfolio/orders/{theirs}")["order"]["status"] == "resting"


def test_a_locked_key_sees_groups_of_its_subaccount_only(member: Member) -> None:
    member.done(201, "POST", "/portfolio/subaccounts", {})
    key = member.generate(subaccount=1)
    theirs = member.done(201, "POST", f"{GROUPS}/create", {"contracts_limit": 5})
    own = member.done(201, "POST", f"{GROUPS}/create", {"contracts_limit": 5}, key=key)
    assert own["subaccount"] == 1
    (shown,) = member.done(200, "GET", GROUPS, key=key)["order_groups"]
    assert shown["id"] == own["order_group_id"]
    path = f"{GROUPS}/{theirs['order_group_id']}"
    for method, end, body in (
        ("GET", "", None), ("PUT", "/reset", None), ("PUT", "/trigger", None),
        ("PUT", "/limit", {"contracts_limit": 9}), ("DELETE", "", None),
    ):  # fmt: skip
        member.done(404, method, path + end, body, key=key)
    member.done(200, "GET", path)
    member.done(200, "DELETE", f"{GROUPS}/{own['order_group_id']}", key=key)


@contextmanager
def listen(member: Member, key: Key) -> Iterator[ClientConnection]:
    headers = key.headers("GET", "/trade-api/ws/v2", prefix="")
    with connect(member.sandbox.ws_url, additional_headers=headers, proxy=None) as connection:
        yield connection


def test_the_stream_is_for_keys_that_read(member: Member) -> None:
    deaf = member.generate(scopes=["write::trade", "read::portfolio_balance"])
    with pytest.raises(InvalidStatus) as caught, listen(member, deaf):
        pass
    assert caught.value.response.status_code == 403
    with listen(member, member.generate(scopes=["read"])) as connection:
        connection.send(json.dumps({"id": 1, "cmd": "list_subscriptions"}))
        assert json.loads(connection.recv(timeout=10))["id"] == 1


def test_a_locked_key_hears_of_its_subaccount_only(member: Member) -> None:
    member.done(201, "POST", "/portfolio/subaccounts", {})
    move = {
        "client_transfer_id": "00000000-0000-4000-8000-000000000003",
        "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 5_000,
    }  # fmt: skip
    member.done(200, "POST", TRANSFER, move)
    member.clear()
    channels = ["fill", "user_orders", "market_positions", "order_group_updates", "orderbook_delta"]
    heard: dict[str, list[dict[str, Any]]] = {}
    locked, free = member.generate(subaccount=1), member.generate()
    with listen(member, locked) as one, listen(member, free) as other:
        for connection in (one, other):
            params = {"channels": channels, "market_tickers": [TICKER]}
            connection.send(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
            # One answer a channel, and the snapshot.
            for _ in range(len(channels) + 1):
                connection.recv(timeout=10)
        for number in (0, 1):
            limit = {"contracts_limit": 5, "subaccount": number}
            member.done(201, "POST", f"{GROUPS}/create", limit)
            member.order("bid", "0.40", "1", subaccount=number, client_order_id=f"own-{number}")
        member.order("ask", "0.40", "2", user=1, time_in_force="immediate_or_cancel")
        for name, connection in (("locked", one), ("free", other)):
            connection.send(json.dumps({"id": 9, "cmd": "list_subscriptions"}))
            frames = heard[name] = []
            while not frames or frames[-1].get("id") != 9:
                frames.append(json.loads(connection.recv(timeout=10)))

    def of(name: str, kind: str) -> list[dict[str, Any]]:
        return [frame["msg"] for frame in heard[name] if frame["type"] == kind]

    assert {row.get("subaccount", 0) for row in of("locked", "fill")} == {1}
    assert {row.get("subaccount", 0) for row in of("free", "fill")} == {0, 1}
    assert {row["subaccount_number"] for row in of("locked", "user_order")} == {1}
    assert {row["subaccount_number"] for row in of("free", "user_order")} == {0, 1}
    assert [row["subaccount"] for row in of("locked", "market_position")] == [1]
    assert len(of("free", "market_position")) == 2
    assert (len(of("locked", "order_group_updates")), len(of("free", "order_group_updates"))) == (1, 2)
    # The book is everybody's, and who made a change is told to those who may know.
    deltas = {name: of(name, "orderbook_delta") for name in ("locked", "free")}
    assert [row["delta_fp"] for row in deltas["locked"]] == [row["delta_fp"] for row in deltas["free"]]
    tags = {
        name: {row["client_order_id"] for row in rows if "client_order_id" in row}
        for name, rows in deltas.items()
    }
    assert tags == {"locked": {"own-1"}, "free": {"own-0", "own-1"}}


def test_one_can_register_a_key_of_ones_own(member: Member) -> None:
    private = Ed25519PrivateKey.generate()
    spki = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pem = private.public_key().public_bytes(*spki).decode()
    made = member.done(201, "POST", "/api_keys", {"name": "own", "public_key": pem, "scopes": ["read"]})
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = Key(made | {"private_key": secret})
    member.done(200, "GET", "/portfolio/balance", key=key)
    member.order("bid", "0.01", "1", key=key, status=403)
    rows = {row["api_key_id"]: row for row in member.done(200, "GET", "/api_keys")["api_keys"]}
    assert rows[key.key_id] == {"api_key_id": key.key_id, "name": "own", "scopes": ["read"]}
    assert member.done(200, "GET", "/api_keys", user=1)["api_keys"] != list(rows.values())
    rsa = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    member.done(
        201, "POST", "/api_keys", {"name": "RSA", "public_key": rsa.public_bytes(*spki).decode()}
    )
    member.done(204, "DELETE", f"/api_keys/{key.key_id}")
    assert outcome(member, key, "GET", "/portfolio/balance") == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"public_key": "no key"}, 400),
        ({"public_key": ""}, 400),
        ({"name": ""}, 400),
        ({"name": None}, 400),
        ({"scopes": ["write"]}, 400),
        ({"scopes": ["all"]}, 400),
        ({"scopes": []}, 400),
        ({"scopes": "read"}, 400),
        ({"subaccount": 5}, 400),
        ({"subaccount": "0"}, 400),
        ({"fcm_subtrader_id": "me_1"}, 403),
        ({}, 201),
        ({"subaccount": 0}, 201),
        ({"scopes": ["write::trade"]}, 201),
    ],
)
def test_what_a_key_is_made_from(member: Member, fields: dict[str, Any], status: int) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    before = member.done(200, "GET", "/api_keys")
    member.done(status, "POST", "/api_keys", {"name": "x", "public_key": pem} | fields)
    if "public_key" not in fields:
        made = {"name": "x", "key_type": "ed25519"} | fields
        member.done(status, "POST", "/api_keys/generate", made)
    if status != 201:
        assert member.done(200, "GET", "/api_keys") == before
    member.done(400, "POST", "/api_keys/generate", {"name": "x", "key_type": "dsa"})


def test_own_keys_and_subaccounts_are_for_higher_tiers() -> None:
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    answers = {}
    for tier in ("basic", "advanced", "expert", "premier"):
        with Sandbox(rate_limits=tier, days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
            key = member.send("POST", "/api_keys", {"name": "x", "public_key": pem}).status_code
            answers[tier] = (key, member.send("POST", "/portfolio/subaccounts", {}).status_code)
    assert answers == {
        "basic": (403, 400), "advanced": (403, 201), "expert": (403, 201), "premier": (201, 201),
    }  # fmt: skip


def test_every_operation_with_a_scope_is_served() -> None:
    served = {name for _, _, name, _ in routes.READS} | {name for _, _, _, name, _ in routes.WRITES}
    from kalshi_research.sandbox import scopes

    assert served >= set(scopes._CHILD) | scopes._UNLOCKED_ONLY
