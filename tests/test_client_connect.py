"""`connect`, what the client says about itself, and what it refuses to do."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stub_server import Answer, StubServer

from kalshi_research import environments
from kalshi_research.client import Client, connect
from kalshi_research.client.transport import Reply, Transport
from kalshi_research.errors import ConfigError, KalshiError

KEY = Ed25519PrivateKey.generate()
KEY_ID = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c"


@pytest.fixture(autouse=True)
def no_keys_of_this_machine(monkeypatch) -> None:
    for environment in ("PROD", "DEMO", "SANDBOX"):
        monkeypatch.delenv(f"KALSHI_{environment}_KEY_ID", raising=False)
        monkeypatch.delenv(f"KALSHI_{environment}_PRIVATE_KEY_PATH", raising=False)
    monkeypatch.delenv("KALSHI_RESEARCH_SANDBOX_URL", raising=False)


@pytest.fixture
def wire(monkeypatch) -> list[str]:
    """What would have gone to the exchange; nothing does."""
    sent: list[str] = []

    def exchange(self: Transport, request, seconds: float) -> Reply:
        sent.append(f"{request.method} {request.url}")
        return Reply(200, b'{"ok": true}')

    monkeypatch.setattr(Transport, "exchange", exchange)
    return sent


@pytest.mark.parametrize("environment", ["prod", "demo"])
def test_public_data_needs_no_key(environment, wire) -> None:
    with connect(environment) as client:
        assert client.environment.name == environment
        assert not client.signed
        assert not client.simulated
        assert client.request("GET", "/markets") == {"ok": True}
    assert wire == [f"GET {client.environment.rest[0]}/markets"]


def test_the_chosen_host_is_the_one_asked(wire) -> None:
    with connect("demo", host="demo-api.kalshi.co") as client:
        client.get_bytes("/exchange/status")
    assert wire == ["GET https://demo-api.kalshi.co/trade-api/v2/exchange/status"]
    assert client.host == "demo-api.kalshi.co"
    assert client.websocket == "wss://demo-api.kalshi.co/trade-api/ws/v2"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "post"])
def test_prod_is_read_only_without_a_grant(wire, method) -> None:
    client = connect("prod", key_id=KEY_ID, private_key=KEY)
    with pytest.raises(ConfigError, match=r"nothing was sent[\s\S]*grant"):
        client.request(method, "/portfolio/events/orders/abc")
    client._write_grant = lambda method, route: False
    with pytest.raises(ConfigError, match="grant"):
        client.request(method, "/portfolio/events/orders/abc")
    assert wire == []


def test_a_live_grant_is_asked_for_every_write(wire) -> None:
    asked = []
    client = connect("prod", key_id=KEY_ID, private_key=KEY)
    client._write_grant = lambda method, route: not asked.append((method, route))
    client.request("DELETE", "/portfolio/events/orders/abc")
    assert asked == [("DELETE", "/portfolio/events/orders/abc")]
    assert len(wire) == 1


def test_demo_and_sandbox_take_writes(wire) -> None:
    for client in (connect("demo"), connect("http://127.0.0.1:9")):
        client.request("POST", "/portfolio/events/orders", body={})
    assert len(wire) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"tier": "gold"},
        {"deadline": 0},
        {"deadline": "30"},
        {"deadline": float("nan")},
        {"proxies": "yes"},
        {"cache": ""},
        {"cache": 7},
        {"cache": __file__},
        {"host": "evil.example"},
        {"host": 7},
        {"key_id": KEY_ID},
    ],
)
def test_a_wrong_option_is_refused(options, wire) -> None:
    with pytest.raises(KalshiError):
        connect("prod", **options)
    assert wire == []


def test_the_environment_must_be_text() -> None:
    with pytest.raises(ConfigError, match="must be text"):
        connect(None)  # type: ignore[arg-type]


def test_a_cache_folder_need_not_exist_yet(tmp_path) -> None:
    assert connect("prod").cache is None
    assert connect("prod", cache=str(tmp_path / "new")).cache == tmp_path / "new"
    assert not (tmp_path / "new").exists()


def test_the_clock_is_aware_utc() -> None:
    assert connect("prod").clock().utcoffset() == timedelta(0)


def test_the_default_is_the_sandbox_of_this_process_with_its_own_key(monkeypatch) -> None:
    with StubServer([Answer(body={"ok": True})]) as server:
        fake = SimpleNamespace(
            url=f"{server.url}/trade-api/v2",
            credentials=lambda i: (f"user-{i}", KEY),
            close=lambda: None,
        )
        monkeypatch.setattr(environments, "default_sandbox", lambda _: fake)
        with connect() as client:
            assert client.request("GET", "/portfolio/balance") == {"ok": True}
        assert (client.environment.name, client.simulated, client.signed) == ("sandbox", True, True)
        assert client.host == server.host
        assert server.seen[0].headers["kalshi-access-key"] == "user-0"
        with connect("sandbox", key_id="user-7", private_key=KEY) as other:
            other.request("GET", "/portfolio/balance")
        assert server.seen[1].headers["kalshi-access-key"] == "user-7"
        with connect(server.url) as stranger:
            assert not stranger.signed


def test_a_client_introduces_itself_in_one_line() -> None:
    prod, demo, sandbox = connect("prod"), connect("demo"), connect("http://127.0.0.1:9")
    assert "real money" in repr(prod)
    assert "mock money" in repr(demo)
    assert "SIMULATED" in repr(sandbox)
    for client in (prod, demo, sandbox):
        assert "\n" not in repr(client)
        assert len(repr(client)) < 150
        page = client._repr_html_()
        assert "&lt;Client" in page
        assert "<Client" not in page
    sandbox.close()
    assert "closed" in repr(sandbox)


def test_importing_the_client_loads_nothing_heavy() -> None:
    script = """
import sys
import kalshi_research.client
net = {"requests", "urllib3"}
heavy = {*net, "cryptography", "pandas", "numpy", "pyarrow", "tqdm", "matplotlib", "uvicorn"}
print(sorted(heavy & set(sys.modules)))
kalshi_research.client.connect("prod")
print(sorted((heavy - net) & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["[]", "[]"]


_FORK_PROBE = """
import multiprocessing, sys
from kalshi_research.client import connect
client = connect(sys.argv[1])
client.request("GET", "/before")
def child(queue):
    queue.put(client.request("GET", "/child"))
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=(queue,))
process.start()
print(queue.get(timeout=10))
process.join()
print(client.request("GET", "/after"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_opens_its_own_connection() -> None:
    peers: dict[str, set[int]] = {}

    with StubServer([Answer(body={"ok": True})]) as server:
        run = subprocess.run(
            [sys.executable, "-c", _FORK_PROBE, server.url], capture_output=True, text=True, check=True
        )
        for seen in server.seen:
            peers.setdefault(seen.path.rsplit("/", 1)[1], set()).add(seen.peer)
    assert run.stdout.splitlines() == ["{'ok': True}"] * 2
    assert peers["before"] == peers["after"]
    assert peers["child"].isdisjoint(peers["before"])


def test_the_client_is_made_by_connect_alone_in_public() -> None:
    import kalshi_research.client as package

    assert package.__all__ == ["Client", "Outline", "Page", "Pages", "connect"]
    assert isinstance(connect("prod"), Client)
    assert isinstance(connect("prod", cache=Path("x")).cache, Path)
