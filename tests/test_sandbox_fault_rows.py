"""Our client against the faults of a sandbox: what it must do is a promise, fault by fault."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator

import pytest
from faulty_exchange import ORDERS, ids, open_ticker, order_body
from sandbox_calls import Caller
from stub_server import Answer, StubServer

import kalshi_research as kr
from kalshi_research.errors import (
    ApiError,
    AuthError,
    DeadlineError,
    DecodeError,
    KalshiError,
    RateLimitError,
    ServerError,
    TransportError,
)
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.faults.kinds import ANSWERS

STATUS = "GET /exchange/status"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(days=1, crypto_hours=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.faults.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[kr.Client]:
    url = f"http://127.0.0.1:{sandbox.port}"
    key_id, _ = sandbox.credentials()
    with kr.connect(url, key_id=key_id, private_key=sandbox.key_file()) as made:
        yield made


def asked(sandbox: Sandbox, path: str = "/exchange/status") -> int:
    return sum(row.path.endswith(path) for row in sandbox.truth.requests)


@pytest.mark.parametrize("fault", ["accept_then:hang", "trickle"])
def test_silence_and_trickle_cost_the_deadline_and_no_more(
    sandbox: Sandbox, client: kr.Client, fault: str
) -> None:
    sandbox.faults.add(fault, STATUS, times=None)
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        client.request("GET", "/exchange/status", deadline=0.8)
    assert 0.7 <= time.monotonic() - started <= 1.3


@pytest.mark.parametrize("status", ["500", "502", "503", "504"])
def test_a_read_is_repeated_when_a_server_fails_twice(
    sandbox: Sandbox, client: kr.Client, status: str
) -> None:
    before = asked(sandbox)
    sandbox.faults.add(f"reject_then:{status}", STATUS, times=2)
    assert client.request("GET", "/exchange/status")["exchange_active"] is True
    assert asked(sandbox) - before == 3


def test_a_read_fails_when_the_server_goes_on_failing(sandbox: Sandbox, client: kr.Client) -> None:
    sandbox.faults.add("reject_then:503", STATUS, times=None)
    before = asked(sandbox)
    with pytest.raises(ServerError):
        client.request("GET", "/exchange/status", deadline=10)
    assert asked(sandbox) - before <= 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(sandbox: Sandbox, client: kr.Client, status: int) -> None:
    with StubServer([Answer(body={"captured": True})]) as capture:
        for method, route, body in (
            ("GET", "/exchange/status", None),
            ("POST", ORDERS, {"a": "b"}),
            ("DELETE", f"{ORDERS}/x", None),
        ):
            sandbox.faults.add(f"redirect:{status}", f"{method} {route}", location=f"{capture.url}/x")
            with pytest.raises(ApiError, match="not followed"):
                client.request(method, route, body=body)
        assert capture.seen == []
    sandbox.faults.add(f"redirect:{status}", STATUS, times=None)
    with pytest.raises(ApiError, match="not followed"):
        client.request("GET", "/exchange/status")


@pytest.mark.parametrize("way", ["FIN", "RST"])
def test_a_read_gets_over_a_connection_that_was_closed_between(
    sandbox: Sandbox, client: kr.Client, way: str
) -> None:
    sandbox.faults.add(f"then_close:{way}", STATUS, times=3)
    for _ in range(5):
        assert client.request("GET", "/exchange/status")["exchange_active"] is True


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_key_that_is_refused_is_not_tried_again(
    sandbox: Sandbox, client: kr.Client, status: str
) -> None:
    sandbox.faults.add(f"reject_then:{status}", "GET /portfolio/balance", times=None)
    before = asked(sandbox, "/balance")
    with pytest.raises(AuthError):
        client.request("GET", "/portfolio/balance")
    assert asked(sandbox, "/balance") - before == 1


@pytest.mark.parametrize("form", ["absent", "0", "-1", "nan", "junk"])
def test_a_limited_read_is_repeated_whatever_the_header_says(
    sandbox: Sandbox, client: kr.Client, form: str
) -> None:
    sandbox.faults.add(f"rate_limit:{form}", STATUS)
    assert client.request("GET", "/exchange/status", deadline=10)["exchange_active"] is True


def test_a_wait_of_an_hour_is_not_waited(sandbox: Sandbox, client: kr.Client) -> None:
    sandbox.faults.add("rate_limit:3600", STATUS, times=None)
    started = time.monotonic()
    with pytest.raises((RateLimitError, DeadlineError)):
        client.request("GET", "/exchange/status", deadline=1)
    assert time.monotonic() - started < 1.3


@pytest.mark.parametrize("shown", ANSWERS)
def test_an_order_is_sent_once_whatever_is_shown(
    sandbox: Sandbox, client: kr.Client, shown: str
) -> None:
    """What it came to is for the trading layer to find out; the client must not repeat it."""
    with Caller(sandbox) as caller:
        ticker = open_ticker(caller)
    for kind in ("accept_then", "reject_then"):
        name = f"{kind}-{shown}"
        sandbox.faults.add(f"{kind}:{shown}", f"POST {ORDERS}", where=name)
        before = asked(sandbox, ORDERS)
        body = order_body(ticker, name)
        if shown in ("schema", "other"):
            assert isinstance(client.request("POST", ORDERS, body=body, deadline=0.7), dict)
        else:
            with pytest.raises(KalshiError):
                client.request("POST", ORDERS, body=body, deadline=0.7)
        assert asked(sandbox, ORDERS) - before == 1
        assert ids(sandbox).count(name) == (kind == "accept_then")
    assert sandbox.truth.duplicates() == {}


@pytest.mark.parametrize("shown", ["hang", "RST", "FIN", "truncated", "empty", "schema", "502"])
def test_twins_raise_the_same_error(sandbox: Sandbox, client: kr.Client, shown: str) -> None:
    """A client that could tell them apart would be guessing."""
    with Caller(sandbox) as caller:
        ticker = open_ticker(caller)
    found = []
    for kind in ("accept_then", "reject_then"):
        name = f"twin-{kind}-{shown}"
        sandbox.faults.add(f"{kind}:{shown}", f"POST {ORDERS}", where=name)
        try:
            found.append(
                str(client.request("POST", ORDERS, body=order_body(ticker, name), deadline=0.7))
            )
        except (TransportError, ApiError, DecodeError) as error:
            found.append(f"{type(error).__name__}: {error}")
    assert found[0] == found[1]


@pytest.mark.skipif(sys.platform != "linux", reason="the resident size is in another unit elsewhere")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_fills_the_memory(
    sandbox: Sandbox, client: kr.Client, coding: str
) -> None:
    sandbox.faults.add(f"body:{coding}_bomb", STATUS, times=None)
    client.request("GET", "/exchange/schedule")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DecodeError):
        client.request("GET", "/exchange/status", deadline=20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
