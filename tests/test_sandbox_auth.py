"""Who may call the sandbox, and how often."""

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


def recorded(shared: Path, name: str) -> Any:
    return json.loads((shared / "wire_examples" / f"error_{name}.json").read_text())


BALANCE = "/portfolio/balance"


@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
@pytest.mark.parametrize("skew", [0, -5, 5, -14, 14])
def test_good_signatures(caller: Caller, key_type: str, skew: int) -> None:
    headers = caller.signed_headers("GET", BALANCE, key_type=key_type, skew=skew)
    answer = caller.call("GET", BALANCE, headers=headers, subaccount=0)
    assert answer.status_code == 200, answer.text
    assert answer.json()["balance_dollars"] == "10000.0000"


def refused_auth(caller: Caller, headers: dict[str, str], path: str = BALANCE) -> dict[str, str]:
    answer = caller.call("GET", path, headers=headers)
    assert answer.status_code == 401
    error: dict[str, str] = answer.json()["error"]
    return error


@pytest.mark.parametrize("skew", [-30, -300, 300, 16])
@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
def test_stale_timestamps(caller: Caller, shared: Path, skew: int, key_type: str) -> None:
    headers = caller.signed_headers("GET", BALANCE, key_type=key_type, skew=skew)
    assert {"error": refused_auth(caller, headers)} == recorded(shared, "auth__skew_minus30s")


@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
@pytest.mark.parametrize(
    "text",
    [
        "over something else",
        "",
        f"GET/trade-api/v2{BALANCE}",
        f"POST/trade-api/v2{BALANCE}",
    ],
)
def test_bad_signatures(caller: Caller, shared: Path, key_type: str, text: str) -> None:
    headers = caller.signed_headers("GET", BALANCE, key_type=key_type, text=text)
    assert {"error": refused_auth(caller, headers)} == recorded(shared, "auth__bad_signature")


def test_signatures_of_another_method_query_key_or_prefix(caller: Caller) -> None:
    bad = [
        caller.signed_headers("POST", BALANCE),
        caller.signed_headers("GET", f"{BALANCE}?subaccount=0"),
        caller.signed_headers("GET", BALANCE.removeprefix("/portfolio")),
        caller.signed_headers("GET", BALANCE) | {"KALSHI-ACCESS-KEY": caller.sandbox.credentials(1)[0]},
        caller.signed_headers("GET", BALANCE) | {"KALSHI-ACCESS-SIGNATURE": "not base64!"},
    ]
    for headers in bad:
        assert refused_auth(caller, headers)["details"] == "INCORRECT_API_KEY_SIGNATURE"


def test_missing_and_unknown(caller: Caller, shared: Path) -> None:
    assert refused_auth(caller, {})["code"] == "token_authentication_failure"
    whole = caller.signed_headers("GET", BALANCE)
    without = dict(whole)
    del without["KALSHI-ACCESS-SIGNATURE"]
    assert {"error": refused_auth(caller, without)} == recorded(shared, "auth__missing_signature_header")
    unknown = whole | {"KALSHI-ACCESS-KEY": "00000000-0000-0000-0000-000000000000"}
    assert {"error": refused_auth(caller, unknown)} == recorded(shared, "auth__unknown_key_id")
    malformed = whole | {"KALSHI-ACCESS-KEY": "my key"}
    assert refused_auth(caller, malformed)["details"] == "INVALID_PARAMETER"
    seconds = whole | {"KALSHI-ACCESS-TIMESTAMP": whole["KALSHI-ACCESS-TIMESTAMP"][:-3]}
    assert refused_auth(caller, seconds)["code"] == "header_timestamp_expired"
    keyless = dict(whole)
    del keyless["KALSHI-ACCESS-KEY"]
    assert refused_auth(caller, keyless)["code"] == "token_authentication_failure"


def test_bad_headers_fail_on_public_paths_too(caller: Caller) -> None:
    headers = caller.signed_headers("GET", "/markets", text="wrong")
    assert refused_auth(caller, headers, "/markets")["details"] == "INCORRECT_API_KEY_SIGNATURE"
    good = caller.signed_headers("GET", "/markets")
    assert caller.call("GET", "/markets", headers=good, limit=1).status_code == 200


def test_private_paths_need_a_signature(caller: Caller) -> None:
    for path in (
        "/portfolio/balance", "/portfolio/positions", "/portfolio/fills", "/portfolio/orders",
        "/portfolio/settlements", "/account/limits", "/api_keys", "/historical/fills",
        "/historical/orders",
    ):  # fmt: skip
        assert refused_auth(caller, {}, path)["code"] == "token_authentication_failure"
        caller.signed(path)


def test_keys_of_the_caller_only(caller: Caller) -> None:
    mine, other = caller.sandbox.credentials(0)[0], caller.sandbox.credentials(1)[0]
    listed = {row["api_key_id"] for row in caller.signed("/api_keys")["api_keys"]}
    assert mine in listed
    assert other not in listed


def test_without_limits_nobody_is_slowed_down(caller: Caller) -> None:
    limits = caller.signed("/account/limits")
    assert limits["usage_tier"] == "prestige"
    for _ in range(30):
        caller.get("/exchange/status")


def test_token_buckets(shared: Path) -> None:
    with Sandbox(rate_limits=True) as sandbox, Caller(sandbox) as caller:
        limits = caller.signed("/account/limits")
        assert limits == {
            "grants": [],
            "read": {"bucket_capacity": 600, "refill_rate": 200},
            "usage_tier": "basic",
            "write": {"bucket_capacity": 100, "refill_rate": 100},
        }
        statuses = []
        for _ in range(200):
            headers = caller.signed_headers("GET", "/exchange/status")
            answer = caller.call("GET", "/exchange/status", headers=headers)
            statuses.append(answer.status_code)
            if answer.status_code == 429:
                break
        # 600 tokens saved, 10 a call: the first calls pass, and then it refuses.
        assert statuses[:50] == [200] * 50
        assert statuses[-1] == 429
        assert answer.json() == recorded(shared, "429_prod")
        assert not {"retry-after", "x-ratelimit-remaining"} & {name.lower() for name in answer.headers}
        first, second = (
            caller.call("GET", BALANCE, headers=caller.signed_headers("GET", BALANCE)).status_code
            for _ in range(2)
        )
        assert (first, second) == (200, 429)
        strangers = [caller.call("GET", "/exchange/status").status_code for _ in range(12)]
        assert strangers[:6] == [200] * 6
        assert 429 in strangers
