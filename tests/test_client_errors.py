"""Refusals of the exchange as one tree: class, code, message, details and the way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stub_server import Answer, StubServer

from kalshi_research.client import connect
from kalshi_research.client.refusals import Asked, refusal
from kalshi_research.client.timing import Timing
from kalshi_research.client.transport import Reply
from kalshi_research.errors import (
    ApiError,
    AuthError,
    BadRequestError,
    ConflictError,
    GoneError,
    NotFoundError,
    RateLimitError,
    ServerError,
)

CLASSES = {
    400: BadRequestError,
    401: AuthError,
    403: AuthError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: RateLimitError,
    500: ServerError,
    503: ServerError,
}


def error_of(status, body, *, method="GET", environment="demo", signed=True, **headers) -> ApiError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = Asked(method, "/trade-api/v2/markets", environment, signed, Timing().now())
    return refusal(Reply(status, content, **headers), asked)


def test_every_recorded_refusal_becomes_its_class(shared: Path) -> None:
    folder = shared / "real/rest_demo_2026_06"
    seen = set()
    for meta_path in sorted(folder.glob("*.meta.json")):
        meta = json.loads(meta_path.read_text())
        body_path = folder / meta_path.name.replace(".meta.json", ".json")
        if not isinstance(meta.get("status"), int) or meta["status"] < 400 or not body_path.exists():
            continue
        body = json.loads(body_path.read_text())
        error = error_of(meta["status"], body, method=meta["method"])
        assert type(error) is CLASSES[meta["status"]], meta_path.name
        said = body.get("error", body)
        assert error.code == said.get("code", "")
        assert error.message == said.get("message", said.get("msg", ""))
        assert error.details == said.get("details", "")
        assert error.status == meta["status"]
        for part in (error.code, error.message[:60], error.details):
            assert part in str(error)
        assert len(str(error).splitlines()) <= 3
        seen.add(meta["status"])
    assert seen >= {400, 401, 404, 409}


@pytest.mark.parametrize("name", ["error_410_legacy_order", "error_429_prod"])
def test_refusals_recorded_elsewhere(shared: Path, name) -> None:
    body = json.loads((shared / "wire_examples" / f"{name}.json").read_text())
    status = 410 if "410" in name else 429
    error = error_of(status, body)
    assert (type(error), error.code) == (CLASSES[status], body["error"]["code"])


@pytest.mark.parametrize(
    ("body", "code", "message", "details"),
    [
        ({"error": {"code": "c", "message": "m", "details": "d"}}, "c", "m", "d"),
        ({"error": {"code": "c", "message": "m", "service": "exchange"}}, "c", "m", ""),
        ({"code": "c", "message": "m", "details": "d"}, "c", "m", "d"),
        ({"msg": "Invalid format for parameter limit"}, "", "Invalid format for parameter limit", ""),
        ({"error": "too many requests"}, "", "too many requests", ""),
        ({"error": {"code": None, "details": ["x"]}}, "", "", "['x']"),
        ({"error": None}, "", "", ""),
        ({}, "", "", ""),
        (b"", "", "", ""),
        (b"<html>502</html>", "", "(an HTML page)", ""),
        (b"upstream connect error", "", "(no JSON)", ""),
        (b"[1]", "", "(no JSON)", ""),
        (b'{"code": NaN}', "", "(no JSON)", ""),
        ({"exchange_active": False, "exchange_estimated_resume_time": "2026-11-20T10:00:00Z"}, "", "",
         "estimated resume time 2026-11-20T10:00:00Z"),
    ],
)  # fmt: skip
def test_all_four_shapes_and_none_of_them(body, code, message, details) -> None:
    error = error_of(503, body)
    assert (error.code, error.message, error.details) == (code, message, details)


@pytest.mark.parametrize(
    ("error", "signed", "said"),
    [
        ({"code": "token_authentication_failure"}, False, "KALSHI_DEMO_KEY_ID"),
        ({"code": "token_authentication_failure"}, True, "revoked"),
        ({"code": "signature_is_missing_from_headers"}, True, "proxies strip headers"),
        (
            {"code": "authentication_error", "details": "INCORRECT_API_KEY_SIGNATURE"},
            True,
            "different pairs",
        ),
        ({"code": "authentication_error", "details": "NOT_FOUND"}, True, "belong to prod"),
        ({"code": "authentication_error", "details": "INVALID_PARAMETER"}, True, "malformed"),
        ({"code": "header_timestamp_expired"}, True, "clock"),
    ],
)
def test_every_401_names_its_remedy(error, signed, said) -> None:
    assert said in str(error_of(401, {"error": error}, signed=signed))


def test_an_unknown_key_of_prod_asks_about_demo() -> None:
    body = {"error": {"code": "authentication_error", "details": "NOT_FOUND"}}
    assert "belong to demo" in str(error_of(401, body, environment="prod"))


@pytest.mark.parametrize("date", ["", "junk", "Fri, 20 Nov 2026 15:00:00 -0000"])
def test_a_clock_error_without_a_usable_date_still_helps(date) -> None:
    body = {"error": {"code": "header_timestamp_expired"}}
    assert "clock" in str(error_of(401, body, date=date))


@pytest.mark.parametrize(
    ("status", "body", "method", "said"),
    [
        (403, {}, "GET", "scopes"),
        (404, {}, "GET", "demo"),
        (409, {"error": {"code": "exchange_is_paused"}}, "POST", "Thursdays"),
        (410, {}, "POST", "removed"),
        (429, {}, "GET", "client.usage()"),
        (503, {}, "GET", "Repeat"),
        (503, {}, "POST", "not known"),
    ],
)
def test_a_refusal_says_what_to_do_next(status, body, method, said) -> None:
    assert said in str(error_of(status, body, method=method))


def test_the_path_is_named_and_the_query_is_not() -> None:
    with (
        StubServer([Answer(status=404)]) as server,
        connect(server.url) as client,
        pytest.raises(NotFoundError) as caught,
    ):
        client.request("GET", "/markets/KXNONE", params={"q": "hidden"})
    error = caught.value
    assert (error.method, error.path) == ("GET", "/trade-api/v2/markets/KXNONE")
    assert "hidden" not in str(error)
    assert not any("header" in name for name in vars(error))


def test_an_error_is_an_error_whatever_its_status() -> None:
    said = {
        "error": {"code": "deprecated_v1_order_endpoint", "message": "Please switch to the V2 endpoints"}
    }
    with (
        StubServer([Answer(status=200, body=said)]) as server,
        connect(server.url) as client,
        pytest.raises(ApiError, match="deprecated_v1_order_endpoint") as caught,
    ):
        client.request("POST", "/portfolio/orders", body={})
    assert caught.value.status == 200


def test_a_refusal_counts_even_when_its_body_broke_off() -> None:
    cut = Answer(status=404, body=b'{"error"', declared=100, then="close")
    with StubServer([cut]) as server, connect(server.url) as client, pytest.raises(NotFoundError):
        client.request("DELETE", "/portfolio/events/orders/abc")
