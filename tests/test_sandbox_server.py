"""The sandbox as a thing one starts, looks at and stops."""

from __future__ import annotations

import pickle
import socket
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sandbox_calls import Caller

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.stream import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = (
    "/markets?limit=200",
    "/markets?status=settled&limit=50",
    "/events?with_nested_markets=true&limit=20",
    "/series?include_volume=true",
    "/markets/trades?limit=500",
    "/historical/trades?limit=100",
    "/markets/orderbooks?tickers=KXHIGHNY-26NOV21-B44.5&tickers=KXFEDDECISION-26DEC-H0",
    "/series/KXFEDDECISION/events/KXFEDDECISION-26DEC/candlesticks"
    "?start_ts=1795000000&end_ts=1795186800&period_interval=60",
)


def _bodies(sandbox: Sandbox, paths: tuple[str, ...]) -> dict[str, bytes]:
    with Caller(sandbox) as caller:
        return {path: caller.call("GET", path).content for path in paths}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def fresh() -> Iterator[Sandbox]:
    """For what ends it, spoils it or reads all of its log."""
    with Sandbox() as running:
        yield running


def test_same_seed_same_bytes_whatever_was_asked_before(sandbox: Sandbox) -> None:
    with Sandbox() as other:
        assert _bodies(sandbox, PATHS) == _bodies(other, PATHS[::-1])


def test_another_seed_is_another_world(sandbox: Sandbox) -> None:
    with Sandbox(seed=1) as other:
        ours, theirs = _bodies(sandbox, PATHS), _bodies(other, PATHS)
    assert all(ours[path] != theirs[path] for path in PATHS)


def test_a_later_present_keeps_the_past() -> None:
    path = "/markets/trades?ticker=KXFEDDECISION-26DEC-C25&limit=1000&max_ts=1795000000"
    with Sandbox() as early, Sandbox(now=datetime(2026, 11, 22, 3, tzinfo=UTC), cutoff_days=23) as late:
        assert _bodies(early, (path,)) == _bodies(late, (path,))


def test_keys_ids_come_from_the_seed_and_keys_do_not(sandbox: Sandbox) -> None:
    with Sandbox() as other:
        (ours, key), (theirs, foreign) = sandbox.credentials(), other.credentials()
    assert ours == theirs
    assert key.private_bytes_raw() != foreign.private_bytes_raw()  # type: ignore[union-attr]


def test_start_is_idempotent_and_close_frees_the_port() -> None:
    before = threading.active_count()
    sandbox = Sandbox().start()
    assert sandbox.start() is sandbox
    port = sandbox.port
    assert sandbox.url == f"http://127.0.0.1:{port}/trade-api/v2"
    assert sandbox.ws_url == f"ws://127.0.0.1:{port}/trade-api/ws/v2"
    sandbox.close()
    sandbox.close()
    assert not sandbox.running
    assert threading.active_count() == before
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with sandbox:
        assert sandbox.port == port
        assert _bodies(sandbox, ("/exchange/status",))


def test_a_taken_port_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigError, match="cannot be bound"):
        Sandbox(port=sandbox.port).start()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"now": datetime(2026, 11, 20, 15, tzinfo=UTC).replace(tzinfo=None)}, "no time zone"),
        ({"now": datetime(1999, 1, 1, tzinfo=UTC)}, "2021"),
        ({"users": 0}, "users="),
        ({"days": 0}, "days="),
        ({"bias": 1.0}, "bias="),
        ({"rate_limits": "gold"}, "basic, advanced"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Sandbox(**options)  # type: ignore[arg-type]


def test_loopback_only(sandbox: Sandbox) -> None:
    with socket.socket(socket.AF_INET) as probe:
        assert probe.connect_ex(("127.0.0.2", sandbox.port)) != 0


def test_how_it_shows_itself(sandbox: Sandbox) -> None:
    assert repr(sandbox) == (f"<Sandbox SIMULATED {sandbox.url} seed=0 now=2026-11-20T15:00:00Z>")
    assert sandbox._repr_html_().startswith("<code>&lt;Sandbox SIMULATED")
    with pytest.raises(ConfigError, match="cannot be pickled"):
        pickle.dumps(sandbox)


def test_key_file_is_private_and_goes_away(fresh: Sandbox) -> None:
    path = fresh.key_file(key_type="rsa")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in path.read_bytes()
    fresh.close()
    assert not path.exists()
    assert not path.parent.exists()


def test_users_have_their_own_keys() -> None:
    sandbox = Sandbox(users=3)
    ids = {
        sandbox.credentials(user, key_type=kind)[0] for user in range(3) for kind in ("ed25519", "rsa")
    }
    assert len(ids) == 6
    with pytest.raises(ConfigError, match="no user 3"):
        sandbox.credentials(3)
    with pytest.raises(ConfigError, match="no key type"):
        sandbox.credentials(0, key_type="dsa")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_foreign_host_or_origin_is_turned_away(sandbox: Sandbox, headers: dict[str, str]) -> None:
    with Caller(sandbox) as caller:
        answer = caller.call("GET", "/exchange/status", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"
        own = {"Origin": f"http://localhost:{sandbox.port}", "Host": f"localhost:{sandbox.port}"}
        answer = caller.call("GET", "/exchange/status", headers=own)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_request_log_says_who_asked_what(fresh: Sandbox) -> None:
    with Caller(fresh) as caller:
        caller.get("/markets", limit=3)
        caller.signed("/portfolio/balance")
        caller.refused(404, "/markets/NO-SUCH")
    log = [
        (entry.method, entry.path[13:], entry.query, entry.status, entry.user)
        for entry in fresh.truth.requests
    ]
    assert log == [
        ("GET", "/markets", "limit=3", 200, None),
        ("GET", "/portfolio/balance", "", 200, 0),
        ("GET", "/markets/NO-SUCH", "", 404, None),
    ]
    secret = fresh.credentials()[1].private_bytes_raw().hex()  # type: ignore[union-attr]
    assert secret not in repr(fresh.truth.requests)


def test_a_defect_is_a_500_that_is_heard(fresh: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    del fresh._exchange.world._states
    with Caller(fresh) as caller:
        assert caller.refused(500, "/markets")["error"]["code"] == "internal_server_error"
    with Caller(fresh) as caller:
        caller.get("/exchange/status")
    fresh.close()
    assert [entry.status for entry in fresh.truth.requests] == [500, 200]
    assert "AttributeError" in caplog.text


def test_runs_inside_a_running_event_loop_and_exits_cleanly() -> None:
    code = (
        "import asyncio, signal, urllib.request\n"
        "from kalshi_research.sandbox import Sandbox\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "async def cell():\n"
        "    sandbox = Sandbox().start()\n"
        "    url = sandbox.url + '/exchange/status'\n"
        "    body = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())\n"
        "    assert b'exchange_active' in body\n"
        "    return sandbox\n"
        "left_running = asyncio.run(cell())\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_layers_and_cheap_import() -> None:
    code = (
        "import sys; import kalshi_research.sandbox.world, kalshi_research.sandbox.server\n"
        "print(sorted({'pandas', 'pyarrow', 'matplotlib', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_stream_speaks_as_its_sandbox_does() -> None:
    for dialect in ("2026", "2025"):
        for stream in (None, StreamOptions(), StreamOptions(dialect=dialect)):  # type: ignore[arg-type]
            sandbox = Sandbox(days=1, crypto_hours=0, dialect=dialect, stream=stream)
            assert sandbox._exchange.stream.dialect == dialect
    for dialect, other in (("2026", "2025"), ("2025", "2026")):
        with pytest.raises(ConfigError, match=f'dialect "{other}", the sandbox "{dialect}"'):
            Sandbox(days=1, crypto_hours=0, dialect=dialect, stream=StreamOptions(dialect=other))  # type: ignore[arg-type]
