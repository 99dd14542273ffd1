"""The client against a server that breaks every rule: one total deadline, no leak, no surprise."""

from __future__ import annotations

import _thread
import base64
import gzip
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_server import Answer, Seen, StubServer

from kalshi_research.client import connect
from kalshi_research.client.session import Client
from kalshi_research.client.timing import Timing
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.environments import find_target
from kalshi_research.errors import (
    ApiError,
    AuthError,
    ConfigError,
    DeadlineError,
    DecodeError,
    InputError,
    KalshiError,
    NotSentError,
    RateLimitError,
    ServerError,
    TransportError,
)

KEY_ID = "canary-key-id-0123456789"
KEY = Ed25519PrivateKey.generate()


class Held:
    """A client's time: real deadlines, but waits are only written down."""

    def __init__(self, draw: float = 1.0) -> None:
        self.waits: list[float] = []
        self.offset = timedelta()
        self.skipped = 0.0
        self._draw = draw

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.skipped += seconds

    def timing(self) -> Timing:
        return Timing(
            now=lambda: datetime.now(UTC) + self.offset + timedelta(seconds=self.skipped),
            monotonic=lambda: time.monotonic() + self.skipped,
            sleep=self._sleep,
            uniform=lambda low, high: low + self._draw * (high - low),
        )


@pytest.fixture
def held() -> Held:
    return Held()


def client_of(server: StubServer, held: Held, *, signed: bool = False, **options: object) -> Client:
    signer = find_signer("sandbox", KEY_ID, Sealed(KEY)) if signed else None
    return Client(find_target(server.url), signer=signer, timing=held.timing(), **options)


OK = Answer(body={"ok": True})


# What arrives on the wire


def test_the_signed_path_is_the_path_on_the_wire(held) -> None:
    tickers = ["KXHIGHNY-26NOV21-B50.5", "A", "a_b~c.d-e", "KX..X", "-", "0"]
    with StubServer([OK]) as server, client_of(server, held, signed=True) as client:
        for ticker in tickers:
            client.request("GET", f"/markets/{ticker}", params={"depth": 5, "x": "a b&c=d/é?#%"})
        client.request(
            "DELETE", "/trade-api/v2/portfolio/events/orders/abc", params={"market_ticker": "T"}
        )
    assert [seen.path for seen in server.seen] == [
        *(f"/trade-api/v2/markets/{ticker}" for ticker in tickers),
        "/trade-api/v2/portfolio/events/orders/abc",
    ]
    for seen in server.seen:
        text = seen.headers["kalshi-access-timestamp"] + seen.method + seen.path
        signature = seen.headers["kalshi-access-signature"]
        KEY.public_key().verify(base64.b64decode(signature), text.encode())
        assert seen.headers["kalshi-access-key"] == KEY_ID
    assert dict(server.seen[0].query) == {"depth": "5", "x": "a b&c=d/é?#%"}


def test_no_text_in_a_path_is_sent_as_something_else_than_was_signed(held) -> None:
    with StubServer([OK]) as server, client_of(server, held, signed=True) as client:

        @settings(max_examples=200)
        @given(st.text(max_size=12) | st.text("./%?#\\ A-_~:;,+@\r\n\0", max_size=8))
        def ask(segment: str) -> None:
            count = len(server.seen)
            try:
                client.request("GET", f"/markets/{segment}")
            except InputError:
                assert len(server.seen) == count
                return
            seen = server.seen[-1]
            assert seen.target == f"/trade-api/v2/markets/{segment}"
            text = seen.headers["kalshi-access-timestamp"] + "GET" + seen.target
            KEY.public_key().verify(
                base64.b64decode(seen.headers["kalshi-access-signature"]), text.encode()
            )

        ask()


def test_unsigned_requests_carry_no_trace_of_a_key(held) -> None:
    with StubServer([OK]) as server, client_of(server, held) as client:
        client.request("GET", "/markets")
    assert not [name for name in server.seen[0].headers if name.startswith("kalshi")]
    assert "cookie" not in server.seen[0].headers


def test_a_body_is_sent_as_json_and_a_path_is_never_doubled(held) -> None:
    with StubServer([OK]) as server, client_of(server, held) as client:
        client.request(
            "post", "/trade-api/v2/portfolio/events/orders", body={"count": "1.00", "side": "bid"}
        )
        client.request("GET", "trade-api/v2/markets")
        client.request("GET", "markets")
    first = server.seen[0]
    assert first.body == b'{"count":"1.00","side":"bid"}'
    assert first.headers["content-type"] == "application/json"
    assert [seen.path for seen in server.seen[1:]] == ["/trade-api/v2/markets"] * 2


def test_parameters_repeat_are_left_out_and_spelled_like_the_exchange_does(held) -> None:
    with StubServer([OK]) as server, client_of(server, held) as client:
        params = {"tickers": ["A", "B"], "none": None, "yes": True, "no": False, "n": 3, "empty": []}
        client.get_bytes("/markets/orderbooks", params=params)
    assert server.seen[0].query == [
        ("tickers", "A"), ("tickers", "B"), ("yes", "true"), ("no", "false"), ("n", "3"),
    ]  # fmt: skip


def test_connections_are_reused(held) -> None:
    ports: set[str] = set()
    with StubServer([OK]) as server, client_of(server, held) as client:
        accepted = server._open
        for _ in range(10):
            client.get_bytes("/markets")
            ports |= {str(connection.getpeername()) for connection in accepted}
    assert len(ports) == 1


def test_many_threads_share_a_client(held) -> None:
    def echo(seen: Seen) -> Answer:
        return Answer(body={"n": dict(seen.query)["n"]})

    wrong: list[object] = []
    with StubServer(echo) as server, client_of(server, held, signed=True) as client:

        def work(start: int) -> None:
            for n in range(start, start + 25):
                answer = client.request("GET", "/markets", params={"n": n})
                if answer != {"n": str(n)}:
                    wrong.append(answer)

        threads = [threading.Thread(target=work, args=(100 * k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(server.seen) == 200
    assert client.usage()[0]["calls"] == 200


# Bad input: nothing is sent


@pytest.mark.parametrize(
    "path",
    [
        "/markets/../portfolio/orders",
        "/markets/..",
        "/markets/.",
        "/markets/A?limit=1",
        "/markets/A#x",
        "/markets/A%2e%2e",
        "/markets/A\r\nX: y",
        "/markets/A\x00",
        "/markets/A B",
        "/markets//A",
        "/markets/",
        "/markets/\u202eA",
        "/markets/A\\B",
        "https://evil.example/markets",
        "//evil.example/markets",
        "/markets/" + "A" * 201,
        "",
        "/",
        None,
        7,
    ],
)
def test_a_path_that_is_not_plain_is_refused_unsent(held, path) -> None:
    with StubServer([OK]) as server, client_of(server, held, signed=True) as client:
        for call in (
            lambda: client.request("GET", path),
            lambda: client.get_bytes(path),
            lambda: client.pages(path, "markets"),
        ):
            with pytest.raises(KalshiError, match="nothing was sent"):
                call()
    assert server.seen == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "TRACE"},
        {"method": "GET /x"},
        {"method": None},
        {"params": {"a b": 1}},
        {"params": {"a": object()}},
        {"params": {"a": float("nan")}},
        {"params": {"a": "x\ny"}},
        {"params": {"a": "\ud800"}},
        {"params": {"a": b"x"}},
        {"params": {"a": [["nested"]]}},
        {"params": "a=b"},
        {"body": {"a": 1}},
        {"method": "POST", "body": {"a": float("nan")}},
        {"method": "POST", "body": {"a": object()}},
        {"method": "POST", "body": [1]},
        {"deadline": 0},
        {"deadline": -1},
        {"deadline": float("inf")},
        {"deadline": "soon"},
        {"deadline": True},
    ],
)
def test_a_wrong_argument_is_refused_unsent(held, wrong) -> None:
    arguments = {"method": "GET", "path": "/markets", **wrong}
    with StubServer([OK]) as server, client_of(server, held) as client, pytest.raises(KalshiError):
        client.request(**arguments)
    assert server.seen == []


def test_a_closed_client_says_so(held) -> None:
    with StubServer([OK]) as server:
        with client_of(server, held) as client:
            client.request("GET", "/markets")
        with pytest.raises(ConfigError, match="closed"):
            client.request("GET", "/markets")
    assert len(server.seen) == 1


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_refused_and_the_other_host_sees_nothing(held, status, method) -> None:
    with StubServer([OK]) as capture:
        location = {"Location": f"{capture.url}/trade-api/v2/markets"}
        answer = Answer(status=status, headers=location, body=b"moved")
        with StubServer([answer]) as server, client_of(server, held, signed=True) as client:
            with pytest.raises(ApiError, match="not followed") as caught:
                client.request(method, "/markets", body={} if method == "POST" else None)
            assert len(server.seen) == 1
        assert capture.seen == []
    assert caught.value.status == status


# Time


def test_a_silent_server_costs_the_deadline_and_no_more(held) -> None:
    with StubServer([Answer(silent=True)]) as server, client_of(server, held) as client:
        started = time.monotonic()
        with pytest.raises(DeadlineError, match=r"0\.5 s"):
            client.request("GET", "/markets", deadline=0.5)
        took = time.monotonic() - started
    assert 0.45 <= took <= 1.0
    assert len(server.seen) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_trickled_body_meets_the_same_deadline(held, chunked) -> None:
    body = b'{"a": "' + b"x" * 100 + b'"}'
    trickle = Answer(
        body=body, pieces=[body[i : i + 1] for i in range(len(body))], pause=0.1, chunked=chunked
    )
    with StubServer([trickle]) as server, client_of(server, held) as client:
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            client.request("GET", "/markets", deadline=0.6)
        took = time.monotonic() - started
    assert 0.5 <= took <= 1.1


def test_a_trickled_head_meets_the_same_deadline(held) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                try:
                    connection.send(bytes([byte]))
                except OSError:
                    return
                if stop.wait(0.05):
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    client = Client(find_target(f"http://127.0.0.1:{listener.getsockname()[1]}"), timing=held.timing())
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        client.request("GET", "/markets", deadline=0.5)
    took = time.monotonic() - started
    stop.set()
    thread.join()
    listener.close()
    assert 0.4 <= took <= 1.0


def test_dead_addresses_of_one_name_share_the_deadline(held, monkeypatch) -> None:
    """A full accept queue answers nothing, like an address that drops packets."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        port = dead.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        family = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [family] * 4)
        client = Client(find_target(f"http://localhost:{port}"), timing=held.timing())
        started = time.monotonic()
        with pytest.raises(NotSentError, match="nothing was sent"):
            client.request("POST", "/orders", body={}, deadline=0.6)
        took = time.monotonic() - started
        for filler in fillers:
            filler.close()
    assert 0.5 <= took <= 1.1


def test_a_dead_address_does_not_hide_a_living_one(held, monkeypatch) -> None:
    with StubServer([OK]) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: refused
        refused = (socket.AF_INET, socket.SOCK_STREAM, 6, "", closed.getsockname())
        alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [refused, alive])
        with client_of(server, held) as client:
            assert client.request("GET", "/markets") == {"ok": True}


def test_a_name_that_does_not_resolve_was_not_sent(held, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    client = Client(find_target("http://localhost:9"), timing=held.timing())
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(NotSentError, match="cannot be resolved"):
        client.request("GET", "/markets")
    assert len(held.waits) == 2


def test_a_refused_connection_was_not_sent(held) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = Client(find_target(f"http://127.0.0.1:{closed.getsockname()[1]}"), timing=held.timing())
        with pytest.raises(NotSentError, match="refused; nothing was sent"):
            client.request("POST", "/portfolio/events/orders", body={})
    assert held.waits == []


# Broken answers


@pytest.mark.parametrize(
    "broken",
    [
        Answer(body=b'{"a": 1}', declared=100, then="close"),
        Answer(body=b'{"a": 1', then="close"),
        Answer(body=b'{"a": 1', then="keep"),
        Answer(body=b'{"a": 1}', declared=5),
        Answer(body=b'{"a": 1}', chunked=True, then="close"),
        Answer(body=b"zz\r\n{}", headers={"Transfer-Encoding": "chunked"}, then="close"),
        Answer(body=gzip.compress(b'{"a": 1}')[:-9], headers={"Content-Encoding": "gzip"}),
        Answer(body=b'{"a": 1}', headers={"Content-Encoding": "gzip"}),
        Answer(body=b""),
        Answer(status=204, body=b""),
    ],
    ids=[
        "short",
        "cut-close",
        "cut-keep",
        "long",
        "chunks-end",
        "bad-chunk",
        "cut-gzip",
        "no-gzip",
        "empty",
        "204",
    ],
)
def test_a_broken_body_is_asked_for_again_and_then_refused(held, broken) -> None:
    with StubServer([broken, broken, OK]) as server, client_of(server, held) as client:
        assert client.request("GET", "/markets") == {"ok": True}
        assert len(server.seen) == 3
    with StubServer([broken]) as server, client_of(server, held) as client:
        with pytest.raises(DecodeError):
            client.get_bytes("/markets")
        assert len(server.seen) == 3


@pytest.mark.parametrize("then", ["reset", "reset-at-once", "close"])
def test_a_connection_fault_is_retried_for_reads_only(held, then) -> None:
    fault = Answer(body=b'{"a": ', declared=100, then=then)
    with StubServer([fault, fault, OK]) as server, client_of(server, held) as client:
        assert client.request("GET", "/markets") == {"ok": True}
    with StubServer([fault]) as server, client_of(server, held) as client:
        with pytest.raises((TransportError, DecodeError)):
            client.request("POST", "/portfolio/events/orders", body={})
        assert len(server.seen) == 1


def test_a_connection_closed_while_idle_is_replaced(held) -> None:
    closing = Answer(body={"ok": True}, headers={"Content-Length": "12"}, then="close")
    with StubServer([closing]) as server, client_of(server, held) as client:
        for _ in range(3):
            assert client.request("POST", "/orders", body={}) == {"ok": True}
            server.wait_until_closed()
    assert held.waits == []


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_a_maintenance_page_is_named_as_such(held, kind) -> None:
    page = Answer(body="<!DOCTYPE html><script>alert(1)</script>", headers={"Content-Type": kind})
    with StubServer([page]) as server, client_of(server, held) as client:
        with pytest.raises(DecodeError, match=r"maintenance \(Thursdays 03:00") as caught:
            client.request("GET", "/markets")
        assert len(server.seen) == 1
    assert "script" not in str(caught.value)


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
def test_a_packing_that_was_not_asked_for_is_refused(held, coding) -> None:
    odd = Answer(body=zlib.compress(b"{}"), headers={"Content-Encoding": coding})
    with StubServer([odd]) as server, client_of(server, held) as client:
        with pytest.raises(DecodeError, match="not asked for"):
            client.request("GET", "/markets")
        assert server.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("parts", [1, 3])
def test_packed_answers_are_read(held, parts) -> None:
    whole = b'{"a": "' + b"y" * 300_000 + b'"}'
    size = len(whole) // parts + 1
    body = b"".join(gzip.compress(whole[i : i + size]) for i in range(0, len(whole), size))
    packed = Answer(body=body, headers={"Content-Encoding": "gzip"})
    with StubServer([packed]) as server, client_of(server, held) as client:
        assert client.get_bytes("/markets") == whole


_BOMB_PROBE = """
import resource, sys
from kalshi_research.client import connect
from kalshi_research.errors import DecodeError
client = connect(sys.argv[1])
client.request("GET", "/exchange/status")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    client.get_bytes("/markets")
except DecodeError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_bomb_is_refused_while_it_inflates() -> None:
    """400 MB packed into 0.4 MB must cost less than 100 MB of memory."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(400)) + packer.flush()
    assert len(bomb) < 500_000

    def serve(seen: Seen) -> Answer:
        if seen.path.endswith("status"):
            return OK
        return Answer(body=bomb, headers={"Content-Encoding": "gzip"})

    with StubServer(serve) as server:
        probe = subprocess.run(
            [sys.executable, "-c", _BOMB_PROBE, server.url], capture_output=True, text=True, check=True
        )
        asked = len(server.seen)
    message, grown = probe.stdout.splitlines()
    assert "longer than 64 MB" in message
    assert int(grown) <= 100
    assert asked == 2


def test_an_endless_plain_body_is_refused_too(held, monkeypatch) -> None:
    monkeypatch.setattr("kalshi_research.client.transport.MAX_BODY_BYTES", 2**20)
    endless = Answer(pieces=(b"{" + b" " * 65_536 for _ in range(10_000)), chunked=True)
    with StubServer([endless]) as server, client_of(server, held) as client:
        with pytest.raises(DecodeError, match="longer than 1 MB"):
            client.get_bytes("/markets")
        assert len(server.seen) == 1


def test_a_write_may_be_answered_without_a_body(held) -> None:
    with StubServer([Answer(status=204, body=b"")]) as server, client_of(server, held) as client:
        assert client.request("DELETE", "/portfolio/events/orders") is None


def test_an_interrupted_walk_goes_on_with_the_same_page(held) -> None:
    served = []

    def serve(seen: Seen) -> Answer:
        cursor = dict(seen.query).get("cursor", "")
        served.append(cursor)
        if served == ["", "A"]:
            _thread.interrupt_main()
            return Answer(silent=True)
        following = {"": "A", "A": ""}[cursor]
        return Answer(body={"trades": [{"trade_id": cursor}], "cursor": following})

    with StubServer(serve) as server, client_of(server, held) as client:
        walk = client.pages("/markets/trades", "trades")
        next(walk)
        with pytest.raises(KeyboardInterrupt):
            next(walk)
        assert (walk.rows, walk.cursor, walk.complete) == (1, "A", False)
        assert next(walk).json()["trades"] == [{"trade_id": "A"}]
        assert walk.complete


# Asking again


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_read_is_repeated_twice_and_then_given_up(held, status) -> None:
    no = Answer(status=status, body={"error": {"code": "x"}})
    with StubServer([no, no, OK]) as server, client_of(server, held) as client:
        assert client.request("GET", "/markets") == {"ok": True}
    with StubServer([no]) as server, client_of(server, held) as client:
        with pytest.raises(ApiError) as caught:
            client.request("GET", "/markets")
        assert len(server.seen) == 3
    assert caught.value.status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501])
def test_a_definite_no_is_not_repeated(held, status) -> None:
    with StubServer([Answer(status=status)]) as server, client_of(server, held) as client:
        with pytest.raises(ApiError):
            client.request("GET", "/markets")
        assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_write_is_never_repeated(held, method, status) -> None:
    with StubServer([Answer(status=status)]) as server, client_of(server, held) as client:
        with pytest.raises(ApiError):
            client.request(method, "/portfolio/events/orders/abc")
        assert len(server.seen) == 1


def test_every_attempt_is_signed_anew(held) -> None:
    no = Answer(status=503)
    with StubServer([no, no, OK]) as server, client_of(server, held, signed=True) as client:
        client.request("GET", "/markets")
    stamps = [int(seen.headers["kalshi-access-timestamp"]) for seen in server.seen]
    for earlier, later, wait in zip(stamps[:-1], stamps[1:], held.waits, strict=True):
        assert later - earlier >= 1000 * wait
    assert len({seen.headers["kalshi-access-signature"] for seen in server.seen}) == 3


def test_waits_are_drawn_between_zero_and_a_growing_bound() -> None:
    bounds = []
    for draw in (0.0, 1.0):
        held = Held(draw)
        with (
            StubServer([Answer(status=503)]) as server,
            client_of(server, held) as client,
            pytest.raises(ServerError),
        ):
            client.request("GET", "/markets")
        bounds.append(held.waits)
    low, high = bounds
    assert low == [0.0, 0.0]
    assert 0 < high[0] < high[1] <= 8


@pytest.mark.parametrize(
    ("header", "waited"),
    [("0", 0.0), ("2", 2.0), ("2.5", 2.5), ("29", 29.0)],
)
def test_retry_after_is_honoured(held, header, waited) -> None:
    no = Answer(status=429, headers={"Retry-After": header})
    with StubServer([no, OK]) as server, client_of(server, held, deadline=60.0) as client:
        client.request("GET", "/markets")
    assert held.waits == [waited]


def test_retry_after_may_be_a_date(held) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    with (
        StubServer([Answer(status=503, headers={"Retry-After": moment}), OK]) as server,
        client_of(server, held) as client,
    ):
        client.request("GET", "/markets")
    assert 8 <= held.waits[0] <= 10


@pytest.mark.parametrize("header", ["-1", "NaN", "inf", "soon", "", "1e9", "٣", "Fri, 99 Foo 2026"])
def test_a_junk_retry_after_means_the_usual_wait(held, header) -> None:
    no = Answer(status=429, headers={"Retry-After": header.encode().decode("latin-1")})
    with StubServer([no, OK]) as server, client_of(server, held) as client:
        client.request("GET", "/markets")
    assert held.waits == [1.0]


def test_a_long_retry_after_is_capped_and_the_deadline_wins(held) -> None:
    no = Answer(status=429, headers={"Retry-After": "3600"})
    with StubServer([no, OK]) as server, client_of(server, held, deadline=60.0) as client:
        client.request("GET", "/markets")
        assert held.waits == [30.0]
    with StubServer([no]) as server, client_of(server, held, deadline=20.0) as client:
        with pytest.raises(RateLimitError):
            client.request("GET", "/markets")
        assert len(server.seen) == 1
    assert held.waits == [30.0]


def test_an_outage_is_not_answered_with_a_storm(held) -> None:
    with StubServer([Answer(status=503)]) as server, client_of(server, held) as client:

        def work() -> None:
            for _ in range(25):
                with pytest.raises(ServerError):
                    client.request("GET", "/markets")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 200 <= len(server.seen) <= 230


def test_a_refused_budget_is_counted_and_learnt(held) -> None:
    def serve(seen: Seen) -> Answer:
        if seen.path.endswith("/account/limits"):
            bucket = {"refill_rate": 300, "bucket_capacity": 900}
            return Answer(body={"usage_tier": "advanced", "read": bucket, "write": bucket})
        first = sum(not other.path.endswith("limits") for other in server.seen) == 1
        return Answer(status=429) if first else OK

    with StubServer(serve) as server, client_of(server, held, signed=True) as client:
        client.request("GET", "/markets")
        client.request("GET", "/markets")
    read = client.usage()[0]
    assert (read["tier"], read["refill_rate"], read["status_429"], read["calls"]) == (
        "advanced",
        300,
        1,
        3,
    )
    assert [seen.path.rsplit("/", 1)[1] for seen in server.seen].count("limits") == 1


# Nothing leaks


def _everything_reachable(error: BaseException) -> list[str]:
    """Texts of an error, its chain and the variables of our frames."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [str(frame.locals) for frame in report.stack if "kalshi_research" in frame.filename]
    return [str(error), repr(error), repr(vars(error)), *ours]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(then="reset-at-once"),
        Answer(body=b'{"a"', declared=100, then="close"),
        Answer(silent=True),
        Answer(status=401, body={"error": {"code": "authentication_error", "details": "NOT_FOUND"}}),
        Answer(status=500),
        Answer(body=b"[]"),
        Answer(status=302, headers={"Location": "http://evil.example/"}),
    ],
    ids=["reset", "cut", "silent", "401", "500", "list", "redirect"],
)
def test_no_error_leads_to_the_signature(held, answer, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with StubServer([answer]) as server, client_of(server, held, signed=True) as client:
        with pytest.raises(KalshiError) as caught:
            client.request("GET", "/portfolio/balance", deadline=0.5)
        signatures = [seen.headers["kalshi-access-signature"] for seen in server.seen]
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    texts = [*_everything_reachable(error), caplog.text]
    assert signatures
    for secret in (*signatures, KEY_ID):
        assert not [text for text in texts if secret in text]
    assert len(str(error).splitlines()) <= 3


def test_a_control_character_of_the_server_does_not_reach_the_screen(held) -> None:
    evil = Answer(
        status=400, body={"error": {"code": "\x1b[31mx\r\n", "message": "\u202eevil" + "y" * 5000}}
    )
    with (
        StubServer([evil]) as server,
        client_of(server, held) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.request("GET", "/markets")
    text = str(caught.value)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\u202e" not in text
    assert len(text) < 1000


# TLS and proxies


def _certificate(folder: Path, name: str, days: int) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.mark.parametrize(
    "case", [(False, "localhost", 10), (True, "localhost", -1), (True, "other", 10)], ids=str
)
def test_a_certificate_that_does_not_hold_stops_everything(held, tmp_path, monkeypatch, case) -> None:
    trusted, name, days = case
    pem = _certificate(tmp_path, name, days)
    if trusted:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    context = _tls_server(pem)
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(5)
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    received.append(secure.recv(1))
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        signer = find_signer("sandbox", KEY_ID, Sealed(KEY))
        url = f"https://localhost:{listener.getsockname()[1]}"
        client = Client(find_target(url), signer=signer, timing=held.timing())
        with pytest.raises(ConfigError, match="certificate of localhost"):
            client.request("GET", "/markets", deadline=5)
        thread.join()
    assert not any(received)
    assert held.waits == []


def _tls_server(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_a_trusted_certificate_is_enough_and_the_deadline_holds_there_too(
    held, tmp_path, monkeypatch
) -> None:
    pem = _certificate(tmp_path, "localhost", 10)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    trickle = Answer(pieces=[b" "] * 100, pause=0.1, chunked=True)
    with StubServer([OK, OK, trickle], tls=_tls_server(pem)) as server:
        client = Client(find_target(f"https://localhost:{server.port}"), timing=held.timing())
        for _ in range(2):
            assert client.request("GET", "/markets") == {"ok": True}
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            client.request("GET", "/markets", deadline=0.6)
        assert 0.5 <= time.monotonic() - started <= 1.1
        assert len({seen.peer for seen in server.seen}) == 1


@pytest.mark.parametrize("proxies", [False, True])
def test_a_proxy_of_the_environment_never_sees_loopback(held, monkeypatch, proxies) -> None:
    with StubServer([OK]) as proxy, StubServer([OK]) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with client_of(server, held, proxies=proxies) as client:
            client.request("GET", "/markets")
        assert (len(proxy.seen), len(server.seen)) == (0, 1)


def test_a_proxy_is_used_for_the_exchange_only_when_asked(monkeypatch) -> None:
    with StubServer([Answer(status=502)]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with connect("prod", proxies=True) as client:
            assert "through a proxy" in repr(client)
            with pytest.raises(NotSentError):
                client.request("GET", "/markets", deadline=0.5)
        assert {seen.method for seen in proxy.seen} == {"CONNECT"}
        assert all("kalshi" not in name for seen in proxy.seen for name in seen.headers)
        with connect("prod") as client:
            assert "proxy" not in repr(client)


def test_session_keys_are_not_written_to_a_file(held, tmp_path, monkeypatch) -> None:
    from kalshi_research.client.transport import _tls_context

    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    context = _tls_context()
    assert context.keylog_filename is None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


# Clock


@pytest.mark.parametrize(("offset", "said"), [(-7200, "7,200 s behind"), (300, "300 s ahead of")])
def test_a_wrong_clock_is_told_by_how_much(held, offset, said) -> None:
    held.offset = timedelta(seconds=offset)

    def serve(seen: Seen) -> Answer:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        body = {"error": {"code": "header_timestamp_expired", "message": "header timestamp expired"}}
        return Answer(status=401, headers={"Date": date}, body=body)

    with (
        StubServer(serve) as server,
        client_of(server, held, signed=True) as client,
        pytest.raises(AuthError) as caught,
    ):
        client.request("GET", "/portfolio/balance")
    seconds = said.split()[0]
    near = {f"{int(seconds.replace(',', '')) + shift:,}" for shift in (-1, 0, 1)}
    assert any(f"{value} s {said.split(' ', 2)[2]}" in str(caught.value) for value in near)


def test_an_interrupt_does_not_leave_the_connections_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between the taking and the giving back of a lock: the next request must not wait for it."""
    client = connect("sandbox")
    transport = client._caller._transport
    before = transport._adapter

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(before, "send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.request("GET", "/exchange/status")
    assert transport._adapter is not before
    assert client.request("GET", "/exchange/status")["exchange_active"] is True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets left half made
def test_an_interrupt_at_any_step_of_a_pool_leaves_nothing_to_wait_for() -> None:
    """Ctrl-C at each line and return of what holds connections, locks of the library's own included."""
    client = connect("sandbox")
    client.request("GET", "/exchange/status")
    watched = ("connectionpool.py", "poolmanager.py", "queue.py", "threading.py", "idle.py")

    def request(at: int) -> int:
        """Steps that were seen; at one of them Ctrl-C is pressed."""
        steps = 0

        def step(frame: Any, event: str, _: Any) -> Any:
            nonlocal steps
            if not frame.f_code.co_filename.endswith(watched):
                return None
            if event in ("line", "return"):
                steps += 1
                if steps == at:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return step

        sys.settrace(step)
        try:
            client.request("GET", "/exchange/status")
        finally:
            sys.settrace(None)
        return steps

    every = request(at=-1)
    assert every > 50
    interrupted = 0
    for at in range(1, every + 1):
        client.request("GET", "/exchange/status")  # a connection waits again
        try:
            request(at)
        except KeyboardInterrupt:
            interrupted += 1
    assert interrupted > every / 2, "the others fell into code that was told to go on"
    assert client.request("GET", "/exchange/status")["exchange_active"] is True
