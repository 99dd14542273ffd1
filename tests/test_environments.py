"""Where one may connect to, and what is refused before anything is signed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kalshi_research import environments
from kalshi_research.environments import DEMO, ENVIRONMENTS, PROD, find_target, start_sandbox
from kalshi_research.errors import ConfigError


def test_every_documented_host_can_be_chosen() -> None:
    roots = {
        ("prod", "external-api.kalshi.com"): "https://external-api.kalshi.com/trade-api/v2",
        ("prod", "api.elections.kalshi.com"): "https://api.elections.kalshi.com/trade-api/v2",
        ("demo", "external-api.demo.kalshi.co"): "https://external-api.demo.kalshi.co/trade-api/v2",
        ("demo", "demo-api.kalshi.co"): "https://demo-api.kalshi.co/trade-api/v2",
    }
    assert {key: find_target(*key).root for key in roots} == roots


def test_the_specification_names_no_server_that_is_missing(shared: Path) -> None:
    spec = yaml.safe_load((shared / "spec" / "openapi.yaml").read_text())
    known = {root for environment in ENVIRONMENTS.values() for root in environment.rest}
    assert {server["url"].rstrip("/") for server in spec["servers"]} <= known


def test_the_stream_specification_names_no_server_that_is_missing(shared: Path) -> None:
    spec = yaml.safe_load((shared / "spec" / "asyncapi.yaml").read_text())
    known = {url.split("/")[2] for environment in ENVIRONMENTS.values() for url in environment.websocket}
    assert {server["host"] for server in spec["servers"].values()} <= known


def test_the_recommended_host_comes_first() -> None:
    assert find_target("prod").root.startswith("https://external-api.kalshi.com/")
    assert find_target("demo").root.startswith("https://external-api.demo.kalshi.co/")


@pytest.mark.parametrize(
    ("environment", "host", "stream"),
    [
        (PROD, "external-api.kalshi.com", "wss://external-api-ws.kalshi.com/trade-api/ws/v2"),
        (PROD, "api.elections.kalshi.com", "wss://api.elections.kalshi.com/trade-api/ws/v2"),
        (DEMO, "external-api.demo.kalshi.co", "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2"),
        (DEMO, "demo-api.kalshi.co", "wss://demo-api.kalshi.co/trade-api/ws/v2"),
    ],
)
def test_the_stream_follows_from_the_rest_host(environment, host, stream) -> None:
    assert environment.websocket_beside(find_target(environment.name, host).root) == stream


def test_a_host_may_be_written_as_url() -> None:
    target = find_target("demo", "https://demo-api.kalshi.co/trade-api/v2/")
    assert target.root == "https://demo-api.kalshi.co/trade-api/v2"


@pytest.mark.parametrize(
    ("environment", "host", "said"),
    [
        ("prod", "trading-api.kalshi.com", "external-api.kalshi.com"),
        ("prod", "api.kalshi.com", "external-api.kalshi.com"),
        ("prod", "external-api.kalsi.com", 'Did you mean "external-api.kalshi.com"'),
        ("demo", "demo-api.kalshi.com", 'Did you mean "demo-api.kalshi.co"'),
        ("prod", "demo-api.kalshi.co", "belongs to demo"),
        ("demo", "api.elections.kalshi.com", "belongs to prod"),
        ("prod", "external-api-ws.kalshi.com", "WebSocket"),
        ("prod", "evil.example", "no host of prod"),
        ("prod", "http://external-api.kalshi.com", "no host of prod"),
        ("prod", "external-api.kalshi.com:8443", "no host of prod"),
        ("prod", "me@external-api.kalshi.com", "no host of prod"),
        ("prod", "external-api.kalshi.com.evil.example", "no host of prod"),
        ("prod", "127.0.0.1:80", "no host of prod"),
        ("prod", "", "no host of prod"),
        ("sandbox", "127.0.0.1:80", "URL alone"),
        ("http://127.0.0.1:80", "external-api.kalshi.com", "URL alone"),
    ],
)
def test_a_wrong_host_is_refused_with_the_way_out(environment, host, said) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        find_target(environment, host)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("prdo", '"prod"'),
        ("production", '"prod"'),
        ("live", '"prod"'),
        ("Demo ", '"demo"'),
        ("paper", '"demo"'),
        ("sand-box", '"sandbox"'),
        ("nowhere", "choose"),
        ("", "choose"),
        ("demo-api.kalshi.co", 'connect("demo", host="demo-api.kalshi.co")'),
        ("api.kalshi.com", "external-api.kalshi.com"),
    ],
)
def test_an_unknown_environment_names_the_likely_one(name, said) -> None:
    with pytest.raises(ConfigError) as caught:
        find_target(name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://external-api.kalshi.com",
        "https://external-api.kalshi.com/trade-api/v2",
        "https://trading-api.kalshi.com",
        "http://192.168.1.5:8000",
        "http://0.0.0.0:8000",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example#@127.0.0.1",
        "http://me:pw@127.0.0.1:8000",
        "http://127.0.0.1:8000/other",
        "http://127.0.0.1:8000/trade-api/v2?x=1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:8000\\@evil.example",
        "http://127.0.0.1:80\r\n",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http://0x7f.1",
    ],
)
def test_only_plain_loopback_urls_are_taken(url) -> None:
    with pytest.raises(ConfigError):
        find_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8765",
        "http://127.0.0.1:8765/",
        "http://127.0.0.1:8765/trade-api/v2",
        "http://127.0.0.1:8765/trade-api/v2/",
    ],
)
def test_a_loopback_url_is_a_sandbox(url) -> None:
    target = find_target(url)
    assert target.environment.name == "sandbox"
    assert target.environment.simulated
    assert target.root == "http://127.0.0.1:8765/trade-api/v2"
    assert target.environment.websocket == ("ws://127.0.0.1:8765/trade-api/ws/v2",)


def test_ipv6_loopback_and_localhost_are_taken() -> None:
    assert find_target("http://[::1]:8765").root == "http://[::1]:8765/trade-api/v2"
    assert find_target("http://localhost:8765").root == "http://localhost:8765/trade-api/v2"


def test_no_environment_is_mistaken_for_another() -> None:
    banners = [PROD.banner, DEMO.banner, find_target("http://127.0.0.1:1").environment.banner]
    assert len(set(banners)) == 3
    assert "SIMULATED" in banners[2]
    assert "real money" in banners[0]
    assert not PROD.simulated
    assert not DEMO.simulated


def test_the_variable_may_point_to_another_sandbox(monkeypatch) -> None:
    monkeypatch.setenv("KALSHI_RESEARCH_SANDBOX_URL", "http://127.0.0.1:4321")
    target = find_target("sandbox")
    assert target.root == "http://127.0.0.1:4321/trade-api/v2"
    assert target.embedded is None


def test_the_variable_may_not_point_off_this_machine(monkeypatch) -> None:
    monkeypatch.setenv("KALSHI_RESEARCH_SANDBOX_URL", "http://evil.example")
    with pytest.raises(ConfigError, match="KALSHI_RESEARCH_SANDBOX_URL"):
        find_target("sandbox")


class _FakeSandbox:
    made: list[_FakeSandbox] = []  # noqa: RUF012

    def __init__(self, **options: object) -> None:
        self.options = options
        self.url = "http://127.0.0.1:5555/trade-api/v2"
        self.closed = 0
        _FakeSandbox.made.append(self)

    def start(self) -> _FakeSandbox:
        return self

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def fake_sandbox(monkeypatch):
    monkeypatch.delenv("KALSHI_RESEARCH_SANDBOX_URL", raising=False)
    monkeypatch.setitem(sys.modules, "kalshi_research.sandbox", SimpleNamespace(Sandbox=_FakeSandbox))
    monkeypatch.setattr(environments, "_default", {})
    at_exit: list = []
    monkeypatch.setattr(environments.atexit, "register", at_exit.append)
    _FakeSandbox.made = []
    return SimpleNamespace(made=_FakeSandbox.made, at_exit=at_exit)


def test_the_process_shares_one_sandbox_however_many_ask(fake_sandbox) -> None:
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        find_target("sandbox")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake_sandbox.made) == 1
    assert len(fake_sandbox.at_exit) == 1
    fake_sandbox.at_exit[0]()
    assert fake_sandbox.made[0].closed == 1


def test_start_sandbox_starts_a_new_one_each_time(fake_sandbox) -> None:
    first, second = start_sandbox(seed=3), start_sandbox(seed=4, users=2)
    assert (first.options, second.options) == (
        {"seed": 3, "speed": 0},
        {"seed": 4, "speed": 0, "users": 2},
    )
