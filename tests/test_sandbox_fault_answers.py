"""Pages and bodies that the sandbox breaks by a script, and what our client makes of them."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from faulty_exchange import on_the_wire
from sandbox_calls import Caller

import kalshi_research as kr
from kalshi_research.errors import DecodeError, PaginationError, TransportError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.faults import kinds

WALK = "/markets/trades"
ROUTE = f"GET {WALK}"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(days=3) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.faults.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox) as made:
        yield made


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[kr.Client]:
    with kr.connect(f"http://127.0.0.1:{sandbox.port}") as made:
        yield made


def ticker_with(caller: Caller, rows: int) -> str:
    """A market with a few hundred trades."""
    for market in caller.walk("/markets", "markets", limit=1000):
        found = caller.get(WALK, ticker=market["ticker"], limit=1000)
        if rows <= len(found["trades"]) < 1000:
            return str(market["ticker"])
    raise AssertionError("no market trades that often")


@pytest.fixture(scope="module")
def ticker(running: Sandbox) -> str:
    running.faults.clear()
    with Caller(running) as caller:
        return ticker_with(caller, 60)


def pages(caller: Caller, ticker: str, most: int = 30) -> list[dict[str, Any]]:
    """The pages of a walk of ten rows a page."""
    found, cursor = [], ""
    for _ in range(most):
        more = {"cursor": cursor} if cursor else {}
        found.append(caller.get(WALK, ticker=ticker, limit=10, **more))
        cursor = found[-1]["cursor"]
        if not cursor:
            break
    return found


def rows(found: list[dict[str, Any]]) -> list[str]:
    return [row["trade_id"] for page in found for row in page["trades"]]


# Pages


def test_the_same_cursor_comes_again(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    sandbox.faults.add("page:repeat", ROUTE, nth=2, times=None)
    found = pages(caller, ticker, most=6)
    assert len(found) == 6
    assert len({page["cursor"] for page in found}) == 1


def test_cursors_go_in_a_circle(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    sandbox.faults.add("page:cycle", ROUTE, times=None)
    cursors = [page["cursor"] for page in pages(caller, ticker, most=8)]
    assert cursors[0] != cursors[1]
    assert cursors == [cursors[0], cursors[1]] * 4


def test_empty_pages_lose_nothing(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    whole = rows(pages(caller, ticker, most=100))
    sandbox.faults.add("page:empty", ROUTE, nth=2, times=5)
    found = pages(caller, ticker, most=100)
    assert [len(page["trades"]) for page in found[1:6]] == [0] * 5
    assert len({page["cursor"] for page in found[:6]}) == 6
    assert rows(found) == whole
    # What was handed out stays good when the rule is gone.
    again = caller.get(WALK, ticker=ticker, limit=10, cursor=found[1]["cursor"])
    sandbox.faults.clear()
    assert caller.get(WALK, ticker=ticker, limit=10, cursor=found[1]["cursor"]) == again


@pytest.mark.parametrize("variant", ["duplicate", "insert"])
def test_rows_come_twice_and_none_is_lost(
    sandbox: Sandbox, caller: Caller, ticker: str, variant: str
) -> None:
    whole = rows(pages(caller, ticker, most=100))
    sandbox.faults.add(f"page:{variant}", ROUTE, times=None, rows=3)
    found = pages(caller, ticker, most=100)
    assert max(len(page["trades"]) for page in found) == 10
    assert list(dict.fromkeys(rows(found))) == whole
    assert len(rows(found)) >= len(whole) + 3 * (len(found) - 1)


def test_rows_are_dropped(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    whole = rows(pages(caller, ticker, most=100))
    sandbox.faults.add("page:drop", ROUTE, nth=2, rows=4)
    found = rows(pages(caller, ticker, most=100))
    assert [row for row in whole if row in set(found)] == found
    assert len(found) == len(whole) - 4


def test_a_walk_ends_early(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    sandbox.faults.add("page:end", ROUTE, nth=2)
    assert [len(page["trades"]) for page in pages(caller, ticker)] == [10, 10]


def test_a_cursor_expires(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    first = pages(caller, ticker, most=1)[0]
    sandbox.faults.add("page:expired", ROUTE)
    refused = caller.refused(400, WALK, ticker=ticker, limit=10, cursor=first["cursor"])
    assert "expired" in refused["error"]["details"]


def test_a_page_is_larger_than_asked(sandbox: Sandbox, caller: Caller, ticker: str) -> None:
    whole = rows(pages(caller, ticker, most=100))
    sandbox.faults.add("page:oversize", ROUTE, nth=2)
    found = pages(caller, ticker, most=100)
    assert [len(page["trades"]) for page in found[:3]] == [10, 20, 10]
    assert rows(found) == whole


def client_walk(client: kr.Client, ticker: str) -> list[str]:
    walk = client.pages(WALK, "trades", params={"ticker": ticker}, limit=10)
    return [row["trade_id"] for page in walk for row in page.json()["trades"]]


@pytest.mark.parametrize("variant", ["repeat", "cycle"])
def test_our_client_stops_in_circles_and_keeps_its_rows(
    sandbox: Sandbox, client: kr.Client, ticker: str, variant: str
) -> None:
    sandbox.faults.add(f"page:{variant}", ROUTE, nth=2, times=None)
    before = len(sandbox.truth.requests)
    with pytest.raises(PaginationError):
        client_walk(client, ticker)
    assert len(sandbox.truth.requests) - before <= 4


def test_our_client_goes_on_past_empty_pages_up_to_a_cap(
    sandbox: Sandbox, caller: Caller, client: kr.Client, ticker: str
) -> None:
    whole = rows(pages(caller, ticker, most=100))
    sandbox.faults.add("page:empty", ROUTE, nth=2, times=5)
    assert client_walk(client, ticker) == whole
    sandbox.faults.clear()
    sandbox.faults.add("page:empty", ROUTE, nth=2, times=None)
    with pytest.raises(PaginationError):
        client_walk(client, ticker)


def test_our_client_repeats_a_page_that_failed(
    sandbox: Sandbox, caller: Caller, client: kr.Client, ticker: str
) -> None:
    whole = rows(pages(caller, ticker, most=100))
    sandbox.faults.add("reject_then:500", ROUTE, nth=3)
    sandbox.faults.add("body:cut", ROUTE, nth=5)
    sandbox.faults.add("accept_then:RST", ROUTE, nth=8)
    assert client_walk(client, ticker) == whole
    assert [bite.kind for bite in sandbox.faults.fired] == [
        "reject_then:500", "body:cut", "accept_then:RST",
    ]  # fmt: skip


# Bodies


def changed(sandbox: Sandbox, caller: Caller, variant: str, **details: Any) -> bytes:
    """The body as it came, its transfer taken off."""
    sandbox.faults.clear()
    sandbox.faults.add(f"body:{variant}", "GET /exchange/status", **details)
    return caller.call("GET", "/exchange/status").content


@pytest.mark.parametrize(
    ("variant", "holds"),
    [
        ("nan", b":NaN"), ("infinity", b":Infinity"), ("null", b":null"), ("surrogate", b'"\\ud800"'),
        ("nul", b'"a\\u0000b"'), ("enum", b'"something_new"'), ("deep", b"[" * 200_000),
        ("long_integer", b"7" * 5000), ("latin1", b"caf\xe9"), ("extra", b'"something_new":{'),
    ],
)  # fmt: skip
def test_a_value_is_changed(sandbox: Sandbox, caller: Caller, variant: str, holds: bytes) -> None:
    plain = caller.call("GET", "/exchange/status").content
    assert holds not in plain
    assert holds in changed(sandbox, caller, variant)


def test_a_path_names_what_is_changed(sandbox: Sandbox, caller: Caller) -> None:
    path = "exchange_index_statuses.*.description"
    found = json.loads(changed(sandbox, caller, "enum", path=path, to="odd"))
    assert {row["description"] for row in found["exchange_index_statuses"]} == {"odd"}
    found = json.loads(changed(sandbox, caller, "missing", path="trading_active"))
    assert "trading_active" not in found
    found = json.loads(changed(sandbox, caller, "renamed", path="trading_active", to="trading"))
    assert found["trading"] is True
    found = json.loads(changed(sandbox, caller, "swap", path="exchange_active"))
    assert found["exchange_active"] == [True]
    changed(sandbox, caller, "missing", path="no.such.value")
    assert sandbox.faults.fired[-1].note == "no such value"


def test_a_key_comes_twice(sandbox: Sandbox, caller: Caller) -> None:
    body = changed(sandbox, caller, "duplicate_key", path="trading_active", to="no")
    assert body.count(b'"trading_active"') == 2 + 4
    pairs = json.loads(body, object_pairs_hook=list)
    assert [value for name, value in pairs if name == "trading_active"] == ["no", True]


def test_the_text_is_changed(sandbox: Sandbox, caller: Caller) -> None:
    plain = caller.call("GET", "/exchange/status").content
    assert changed(sandbox, caller, "truncate", at=7) == plain[:7]
    assert changed(sandbox, caller, "bom") == b"\xef\xbb\xbf" + plain
    assert changed(sandbox, caller, "replace", old="true", to="1") == plain.replace(b"true", b"1")
    flipped = changed(sandbox, caller, "bitflip", seed=5)
    differing = [(a ^ b).bit_count() for a, b in zip(plain, flipped, strict=True) if a != b]
    assert differing == [1]
    assert changed(sandbox, caller, "bitflip", seed=5) == flipped
    assert changed(sandbox, caller, "list") == b"[]"
    assert changed(sandbox, caller, "top_null") == b"null"
    assert b"<html" in changed(sandbox, caller, "html")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_unpacks_to_what_was_asked(sandbox: Sandbox, caller: Caller, coding: str) -> None:
    sandbox.faults.add(f"body:{coding}_bomb", "GET /exchange/status", size=20 * 2**20)
    raw, _ = on_the_wire(caller, "GET", "/exchange/status", timeout=1)
    head, _, packed = raw.partition(b"\r\n\r\n")
    assert b"content-encoding: " + coding.encode() in head.lower()
    plain = gzip.decompress(packed) if coding == "gzip" else zlib.decompress(packed)
    assert len(plain) == 20 * 2**20 + 8
    assert len(packed) < len(plain) / 500
    assert json.loads(plain)["a"][:3] == "000"


def test_lengths_and_chunks_are_wrong(sandbox: Sandbox, caller: Caller) -> None:
    plain = caller.call("GET", "/exchange/status").content
    for variant, sent, declared in (
        ("cut", len(plain) // 2, len(plain)),
        ("long_length", len(plain), len(plain) + 10),
        ("short_length", len(plain), len(plain) - 10),
    ):
        sandbox.faults.clear()
        sandbox.faults.add(f"body:{variant}", "GET /exchange/status")
        raw, end = on_the_wire(caller, "GET", "/exchange/status")
        head, _, body = raw.partition(b"\r\n\r\n")
        assert (len(body), end) == (sent, "FIN")
        assert b"content-length: %d\r\n" % declared in head + b"\r\n"
    sandbox.faults.add("body:bad_chunk", "GET /exchange/status")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.call("GET", "/exchange/status")


HARMLESS = {"null", "missing", "renamed", "extra", "swap", "enum", "nul", "replace"}
"""What an answer in plain data may come to: whether a value is right is for those who ask for it."""


@pytest.mark.parametrize("variant", kinds()["body"].variants)
def test_our_client_takes_no_broken_body_for_an_answer(
    sandbox: Sandbox, client: kr.Client, variant: str
) -> None:
    details: dict[str, Any] = {"at": 0} if variant == "bitflip" else {}
    sandbox.faults.add(f"body:{variant}", "GET /exchange/status", times=None, **details)
    if variant in HARMLESS:
        assert isinstance(client.request("GET", "/exchange/status", deadline=5), dict)
    else:
        with pytest.raises((DecodeError, TransportError)) as caught:
            client.request("GET", "/exchange/status", deadline=5)
        assert len(str(caught.value).splitlines()) <= 3
    assert sandbox.faults.fired
