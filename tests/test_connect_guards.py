"""What stands between a user's slip and a signed request: hosts, keys, closed clients."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stub_server import Answer, StubServer

import kalshi_research as kr
from kalshi_research import environments
from kalshi_research.environments import find_target
from kalshi_research.errors import ApiError, ConfigError, InputError, SecurityWarning
from kalshi_research.sandbox import Sandbox

KEY = Ed25519PrivateKey.generate()


def pem(form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> bytes:
    return KEY.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


# Where to


@pytest.mark.parametrize(
    ("environment", "host", "says"),
    [
        ("http://127.0.0.1:8765#x", None, "without user, query or fragment"),
        ("http://127.0.0.1:8765?x=1", None, "without user, query or fragment"),
        ("http://me@127.0.0.1:8765", None, "without user, query or fragment"),
        ("http://127.0.0.1:8765/elsewhere", None, "has the path /elsewhere"),
        ("http://", None, "is not an http URL"),
        ("http:///trade-api/v2", None, "is not an http URL"),
        ("ftp://127.0.0.1:8765", None, "is not an http URL"),
        ("http://127.0.0.1:notaport", None, "is not an http URL"),
        ("http://127.0.0.1:8765\\@evil", None, "is not an http URL"),
        ("https://external-api.kalshi.com", None, "names a host of prod: write connect"),
        ("https://demo-api.kalshi.co", None, "names a host of demo: write connect"),
        ("https://trading-api.kalshi.com", None, 'is a host of older documents; nothing was sent'),
        ("https://external-api.kalsi.com", None, r"neither loopback.*\n.*Did you mean"),
        ("https://192.168.0.7", None, "neither loopback nor a documented host"),
        ("prod", "trading-api.kalshi.com", "is a host of older documents; nothing was sent"),
        ("prod", "demo-api.kalshi.co", "demo"),
        ("prod", "evil.example", "is no host of prod; nothing was sent"),
        ("prod", "external-api.kalshi.com.evil.example", "is no host of prod"),
        ("prod", 5, "host"),
        ("sandbox", "external-api.kalshi.com", 'goes with "prod" and "demo" only'),
        ("trading-api.kalshi.com", None, "is a host of older documents"),
        ("production", None, "prod"),
        (5, None, "environment must be text"),
    ],
)  # fmt: skip
def test_a_place_that_is_not_documented_is_not_connected_to(
    environment: Any, host: Any, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        find_target(environment, host)
    assert len(str(error.value).splitlines()) <= 3


def test_a_sandbox_must_run_and_has_one_address() -> None:
    sandbox = Sandbox(days=1, crypto_hours=0)
    with pytest.raises(ConfigError, match="is not running; nothing was sent"):
        find_target(sandbox)
    with sandbox:
        assert find_target(sandbox).embedded is sandbox
        with pytest.raises(ConfigError, match="host= does not go with a sandbox"):
            find_target(sandbox, "127.0.0.1")
    with pytest.raises(ConfigError, match="is not running"):
        find_target(sandbox)


def test_a_name_is_looked_up_without_loading_the_simulated_exchange() -> None:
    code = (
        "import sys; from kalshi_research.environments import find_target, is_sandbox\n"
        "find_target('prod'); assert not is_sandbox('prod')\n"
        "print('kalshi_research.sandbox' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_two_threads_share_one_simulated_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    second: list[object] = []
    other = threading.Thread(target=lambda: second.append(environments.default_sandbox()))

    class Stand:
        def close(self) -> None:
            """Nothing was started."""

    def slow(**_: Any) -> Stand:
        made.append(Stand())
        if len(made) == 1:
            other.start()
            other.join(0.3)  # it waits, or makes another one meanwhile
        return made[-1]  # type: ignore[return-value]

    monkeypatch.setattr(environments, "_default", {})
    monkeypatch.setattr(environments, "start_sandbox", slow)
    first = environments.default_sandbox()
    other.join(10)
    assert (len(made), second) == (1, [first])


# With which key


def test_a_key_file_of_another_kind_is_told_by_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(serialization.PrivateFormat.OpenSSH))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"is an OpenSSH key; nothing was sent\.\n.*ssh-keygen"):
        kr.connect("demo", key_id="k", private_key=path)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are those of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_told(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem())
    path.chmod(mode)
    with pytest.warns(SecurityWarning, match=f"mode {mode:04o}.*chmod 600"):
        kr.connect("demo", key_id="k", private_key=path)
    path.chmod(0o600)
    assert kr.connect("demo", key_id="k", private_key=path).signed


# What is sent


def test_a_closed_client_sends_nothing() -> None:
    with StubServer([Answer(200, {})]) as server:
        client = kr.connect(server.url)
        client.request("GET", "/exchange/status")
        client.close()
        with pytest.raises(ConfigError, match="this client is closed; nothing was sent"):
            client.request("GET", "/exchange/status")
        with pytest.raises(ConfigError, match="this client is closed; nothing was sent"):
            client.get_bytes("/exchange/status")
        assert len(server.seen) == 1


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "5", None])
def test_a_deadline_that_nobody_can_meet(seconds: Any) -> None:
    with StubServer([Answer(200, {})]) as server:
        client = kr.connect(server.url)
        if seconds is not None:
            with pytest.raises(InputError, match="must be seconds above 0; nothing was sent"):
                client.request("GET", "/exchange/status", deadline=seconds)
        with pytest.raises(InputError, match="must be seconds above 0; nothing was sent"):
            kr.connect(server.url, deadline=seconds)
        assert server.seen == []


def test_an_answer_of_success_that_is_an_error_or_nothing() -> None:
    gone = Answer(200, {"error": {"code": "deprecated_v1_order_endpoint"}})
    with StubServer([gone, Answer(204, b"")]) as server:
        client = kr.connect(server.url)
        with pytest.raises(ApiError, match="deprecated_v1_order_endpoint"):
            client.request("GET", "/exchange/status")
        assert client.request("DELETE", "/portfolio/events/orders") is None


def test_a_real_exchange_is_told_by_its_address_and_a_simulated_one_is_not() -> None:
    assert kr.connect("demo").identity == kr.connect("demo").identity == "external-api.demo.kalshi.co"
    assert kr.connect("prod").identity == "external-api.kalshi.com"
    with StubServer([]) as server:
        one, other = kr.connect(server.url), kr.connect(server.url)
        assert one.host == other.host
        assert one.identity not in (other.identity, one.host)
    with Sandbox(days=1, crypto_hours=0) as sandbox:
        assert kr.connect(sandbox).identity == kr.connect(sandbox).identity == sandbox.identity


@pytest.mark.parametrize(
    "host",
    [
        "https://external-api.kalshi.com/trade-api/v2?x=1",
        "https://external-api.kalshi.com/trade-api/v2#x",
        "https://external-api.kalshi.com/elsewhere",
        "http://external-api.kalshi.com",
    ],
)
def test_a_host_with_more_than_a_host_is_none(host: str) -> None:
    with pytest.raises(ConfigError, match="is no host of prod; nothing was sent"):
        find_target("prod", host)


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("https://external-api.kalshi.com", 0),
        ("https://external-api.kalshi.com/trade-api/v2/", 0),
        ("wss://api.elections.kalshi.com/trade-api/ws/v2", 1),
        ("api.elections.kalshi.com", 1),
    ],
)
def test_a_host_may_be_written_as_its_address(host: str, root: int) -> None:
    assert find_target("prod", host).root == environments.PROD.rest[root]


@pytest.mark.parametrize(
    "host",
    [
        "external-api-ws.kalshi.com",
        "external-api-ws.demo.kalshi.co",
        "external-api-margin-ws.kalshi.com",
    ],
)
def test_a_host_of_streams_is_told_as_one(host: str) -> None:
    with pytest.raises(ConfigError, match="is a WebSocket host; host= takes the REST host"):
        find_target("prod", host)


def test_an_address_that_is_none_is_told_by_the_kind_of_mistake() -> None:
    for name, says in (
        ("demo-api.kalshi.co", r'is a host, not an environment: write connect\("demo", host='),
        ("api.kalshi.com", "is a host of older documents"),
        ("paper", 'Did you mean "demo"'),
        ("sandbx", 'Did you mean "sandbox"'),
    ):
        with pytest.raises(ConfigError, match=says):
            find_target(name)
    with pytest.raises(ConfigError) as error:
        find_target("xyzzy")
    assert "Did you mean" not in str(error.value)
    for url in ("http://localhost:8765", "http://127.3.2.1:1", "http://[::1]:8765", "https://127.0.0.1"):
        assert find_target(url).environment.name == "sandbox"
    for url in ("http://0.0.0.0:1", "http://localhost.evil.example", "http://10.0.0.1"):
        with pytest.raises(ConfigError, match="neither loopback nor a documented host"):
            find_target(url)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_client_that_never_traded_writes_nothing_to_the_real_exchange(method: str) -> None:
    client = kr.connect("prod")
    with pytest.raises(ConfigError, match="writes to prod; nothing was sent"):
        client.request(method, "/portfolio/events/orders", body={} if method != "DELETE" else None)
