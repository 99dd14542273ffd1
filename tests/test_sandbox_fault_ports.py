"""Ports that refuse, fill up, flap, or show a certificate that does not hold."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_exchange import ids, open_ticker, order_body
from hostile_ports import certificate, flapping, full, refusing, secured
from sandbox_calls import Caller

import kalshi_research as kr
from kalshi_research.errors import ConfigError, NotSentError, TransportError
from kalshi_research.sandbox import Sandbox

ORDERS = "/portfolio/events/orders"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(days=1, crypto_hours=0) as running:
        yield running


def client_at(sandbox: Sandbox, url: str) -> kr.Client:
    return kr.connect(url, key_id=sandbox.credentials()[0], private_key=sandbox.key_file())


def test_a_secured_port_shows_its_certificate_and_hands_on(sandbox: Sandbox, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(pem))
    with (
        secured(sandbox.port, pem) as front,
        socket.create_connection(("127.0.0.1", front.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        host = f"127.0.0.1:{sandbox.port}"
        request = (
            f"GET /trade-api/v2/exchange/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        secure.sendall(request.encode())
        assert secure.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    "case",
    [("localhost", 10, False), ("localhost", -1, True), ("other", 10, True)],
    ids=["self-signed", "expired", "wrong-name"],
)
def test_our_client_sends_nothing_past_a_bad_certificate(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, int, bool]
) -> None:
    name, days, trusted = case
    pem = certificate(tmp_path, name, days)
    if trusted:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    with secured(sandbox.port, pem) as front:
        with (
            client_at(sandbox, f"https://localhost:{front.port}") as client,
            pytest.raises(ConfigError, match="certificate of localhost"),
        ):
            client.request("GET", "/portfolio/balance", deadline=5)
        assert front.taken == 1
        assert front.received == []


@pytest.mark.parametrize("dead", [refusing, full], ids=["refusing", "full"])
def test_an_order_at_a_dead_port_was_certainly_not_sent(sandbox: Sandbox, dead) -> None:
    with dead() as port, client_at(sandbox, f"http://127.0.0.1:{port}") as client:
        started = time.monotonic()
        with pytest.raises(NotSentError, match="nothing was sent"):
            client.request("POST", ORDERS, body={}, deadline=0.6)
        assert time.monotonic() - started < 1.5


def test_reads_get_through_a_flapping_port_and_orders_are_not_repeated(sandbox: Sandbox) -> None:
    with Caller(sandbox) as caller:
        body = order_body(open_ticker(caller), "flapping")
    with flapping(sandbox.port, every=2) as front:
        url = f"http://127.0.0.1:{front.port}"
        with client_at(sandbox, url) as client:
            assert client.request("GET", "/exchange/status", deadline=5)["exchange_active"] is True
            assert front.taken == 2
        with client_at(sandbox, url) as client, pytest.raises(TransportError):
            client.request("POST", ORDERS, body=body, deadline=5)
        assert front.taken == 3
        assert "flapping" not in ids(sandbox)
        with client_at(sandbox, url) as client:
            client.request("POST", ORDERS, body=body, deadline=5)
        assert ids(sandbox).count("flapping") == 1
