"""Who may call the sandbox, and how often."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.auth import KeyRing, RegisteredKey
from kalshi_research.sandbox.refusals import Refusal

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


# --- the ring of keys, with a clock of our own ---------------------------------------------------------


AT, PATH = 1_800_000_000_000, "/trade-api/v2/portfolio/balance"


def ring(*users: int) -> tuple[KeyRing, dict[int, Ed25519PrivateKey]]:
    keys, private = KeyRing(), {}
    for user in users:
        private[user] = Ed25519PrivateKey.generate()
        keys.add(RegisteredKey(name_of(user), user, "a key", private[user].public_key()))
    return keys, private


def name_of(user: int) -> str:
    return f"00000000-0000-4000-8000-00000000000{user}"


def headers_of(private: Ed25519PrivateKey, user: int, at: int, text: str = "") -> dict[str, str]:
    raw = private.sign((text or f"{at}GET{PATH}").encode())
    return {
        "kalshi-access-key": name_of(user), "kalshi-access-timestamp": str(at),
        "kalshi-access-signature": base64.b64encode(raw).decode(),
    }  # fmt: skip


def outcome(keys: KeyRing, headers: dict[str, str], **more: Any) -> Any:
    try:
        found = keys.check("GET", PATH, headers, AT, **more)
    except Refusal as refusal:
        error = refusal.body["error"]
        return refusal.status, error.get("details") or error["code"]
    return None if found is None else found.user


@pytest.mark.parametrize(
    ("skew", "allowed", "good"),
    [(0, None, True), (15_000, None, True), (-15_000, None, True), (15_001, None, False),
     (-15_001, None, False), (40, 40, True), (41, 40, False), (-41, 40, False)],
)  # fmt: skip
def test_a_timestamp_may_be_off_by_the_window_and_no_more(
    skew: int, allowed: int | None, good: bool
) -> None:
    keys, private = ring(1)
    more = {} if allowed is None else {"skew_ms": allowed}
    found = outcome(keys, headers_of(private[1], 1, AT + skew), **more)
    assert found == (1 if good else (401, "header_timestamp_expired"))


def test_each_part_of_a_signature_is_needed() -> None:
    keys, private = ring(1)
    good = headers_of(private[1], 1, AT)
    assert outcome(keys, {}) is None
    assert outcome(keys, {"accept": "*/*"}) is None
    for name, found in (
        ("key", "token_authentication_failure"), ("signature", "signature_is_missing_from_headers"),
        ("timestamp", "timestamp_is_missing_from_headers"),
    ):  # fmt: skip
        header = f"kalshi-access-{name}"
        assert outcome(keys, good | {header: ""}) == (401, found)
        assert outcome(keys, {key: good[key] for key in good if key != header}) == (401, found)
        # One alone is a signature that lacks the others.
        assert outcome(keys, {header: good[header]})[0] == 401
    for stamp in ("now", "1.5", "-5", "1" * 16, " 5", "٣"):
        found = outcome(keys, good | {"kalshi-access-timestamp": stamp})
        assert found == (401, "timestamp_is_missing_from_headers")
    for name in ("me", name_of(1)[:-1], f"{name_of(1)}0", name_of(1).replace("-", "")):
        assert outcome(keys, good | {"kalshi-access-key": name}) == (401, "INVALID_PARAMETER")
    assert outcome(keys, good | {"kalshi-access-key": name_of(2)}) == (401, "NOT_FOUND")
    assert outcome(keys, good | {"kalshi-access-key": name_of(1).upper()}) == 1


def test_a_signature_is_good_for_its_text_and_key_only() -> None:
    keys, private = ring(1, 2)
    bad = (401, "INCORRECT_API_KEY_SIGNATURE")
    assert outcome(keys, headers_of(private[2], 2, AT)) == 2
    assert outcome(keys, headers_of(private[2], 1, AT)) == bad
    for text in (f"{AT}GET{PATH}?a=1", f"{AT}POST{PATH}", f"{AT + 1}GET{PATH}", f"{AT}GET/portfolio"):
        assert outcome(keys, headers_of(private[1], 1, AT, text)) == bad
    good = headers_of(private[1], 1, AT)
    signature = good["kalshi-access-signature"]
    for other in ("AAAA", f"{signature}\n", signature[:-2], f"*{signature[1:]}", "é"):
        assert outcome(keys, good | {"kalshi-access-signature": other}) == bad


def test_keys_are_forgotten_by_their_owner_only() -> None:
    keys, private = ring(1, 2)
    assert [key.key_id for key in keys.of_user(1)] == [name_of(1)]
    assert not keys.remove(name_of(1), 2)
    assert not keys.remove(name_of(3), 1)
    assert keys.remove(name_of(1), 1)
    assert not keys.remove(name_of(1), 1)
    assert keys.of_user(1) == []
    assert outcome(keys, headers_of(private[1], 1, AT)) == (401, "NOT_FOUND")
    assert outcome(keys, headers_of(private[2], 2, AT)) == 2


def test_a_key_says_who_calls() -> None:
    public = Ed25519PrivateKey.generate().public_key()
    assert RegisteredKey("k", 3, "n", public).path_values == {"user": "3"}
    for number in (0, 7):
        locked = RegisteredKey("k", 3, "n", public, subaccount=number)
        assert locked.path_values == {"user": "3", "lock": str(number)}
