"""The exchange's own clients read the sandbox, in an environment of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_calls import Caller

from kalshi_research.sandbox import Sandbox

JUDGES = Path(__file__).parent / "judges"
NOW = 1795186800
HOURS = {"start_ts": NOW - 86400, "end_ts": NOW, "period_interval": 60}
OPEN = "KXHIGHNY-26NOV21-B44.5"
IMPORTS = "import kalshi_python_sync, kalshi_python_async, kalshi, schemathesis"
CAN_BE_RED = os.environ.get("KALSHI_RESEARCH_CI") == "1"


def _run(*command: str | Path, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=seconds, check=False
    )


def _no_judge(reason: str) -> None:
    if CAN_BE_RED:
        pytest.fail(reason)
    pytest.skip(reason)


def _python_3_13() -> Path | None:
    found = shutil.which("python3.13")
    # A pyenv shim is on the path also where its version is not switched on.
    candidates = [
        *([Path(found)] if found else []),
        *Path.home().glob(".pyenv/versions/3.13.*/bin/python"),
    ]
    return next((path for path in candidates if _run(path, "-c", "").returncode == 0), None)


@pytest.fixture(scope="session")
def judge() -> Path:
    """A Python 3.13 that has the clients of others; made when it is not there."""
    folder = Path(
        os.environ.get("KALSHI_RESEARCH_JUDGES") or Path.home() / ".cache" / "kalshi-research-judges"
    )
    python = folder / "bin" / "python"
    if python.exists() and _run(python, "-c", IMPORTS).returncode == 0:
        return python
    base = _python_3_13()
    if base is None:
        _no_judge("the exchange's own client needs Python 3.13, which is not on this machine")
    assert base is not None
    made = _run(base, "-m", "venv", folder)
    if made.returncode == 0:
        made = _run(python, "-m", "pip", "install", "-q", "-r", JUDGES / "requirements.txt")
    if made.returncode != 0:
        _no_judge(f"the exchange's own client cannot be installed: {made.stderr.strip()[-300:]}")
    shutil.copy(JUDGES / "requirements.txt", folder / ".installed")
    return python


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Sandbox() as sandbox, Caller(sandbox) as calls:
        yield calls


@pytest.fixture(scope="module", params=[("sync", "ed25519"), ("sync", "rsa"), ("async", "ed25519")])
def reading(request: pytest.FixtureRequest, judge: Path, caller: Caller) -> dict[str, Any]:
    """What the client understood."""
    flavour, key_type = request.param
    key_id, _ = caller.sandbox.credentials(key_type=key_type)
    who = (flavour, caller.sandbox.url, key_id, caller.sandbox.key_file(key_type=key_type))
    done = _run(judge, "-W", "error", JUDGES / "sdk_reads.py", *who)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def plain(value: Any) -> Any:
    """Nulls left out and times as times, for the client writes times in its own way."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", value):
        return datetime.fromisoformat(value)
    return value


def test_the_official_clients_read_what_was_sent(caller: Caller, reading: dict[str, Any]) -> None:
    decision = "KXFEDDECISION-26DEC"
    old = caller.get("/historical/markets", limit=1, series_ticker="KXHIGHNY")["markets"][0]
    end = int(datetime.fromisoformat(old["close_time"]).timestamp())
    old_hours = {"start_ts": end - 86400, "end_ts": end, "period_interval": 60}
    sent = {
        "/markets": list(caller.walk("/markets", "markets", limit=1000)),
        "one": caller.get(f"/markets/{OPEN}"),
        "book": caller.get(f"/markets/{OPEN}/orderbook"),
        "books": caller.get("/markets/orderbooks", tickers=[OPEN, f"{decision}-H0"]),
        "trades": caller.get("/markets/trades", ticker=OPEN, limit=1000),
        "candlesticks": caller.get(f"/series/KXHIGHNY/markets/{OPEN}/candlesticks", **HOURS),
        "batch": caller.get("/markets/candlesticks", market_tickers=OPEN, **HOURS),
        "series": caller.get("/series", include_volume="true"),
        "one series": caller.get("/series/KXBTC15M"),
        "events": caller.get("/events", limit=200, with_nested_markets="true"),
        "event": caller.get(f"/events/{decision}"),
        "metadata": caller.get(f"/events/{decision}/metadata"),
        "combos": caller.get("/events/multivariate"),
        "collections": caller.get("/multivariate_event_collections"),
        "targets": caller.get("/structured_targets", page_size=5),
        "sports": caller.get("/search/filters_by_sport"),
        "event candlesticks": caller.get(
            f"/series/KXFEDDECISION/events/{decision}/candlesticks", **HOURS
        ),
        "cutoff": caller.get("/historical/cutoff"),
        "old markets": caller.get("/historical/markets", limit=200),
        "old market": caller.get(f"/historical/markets/{old['ticker']}"),
        "old trades": caller.get("/historical/trades", ticker=old["ticker"], limit=200),
        "old candlesticks": caller.get(f"/historical/markets/{old['ticker']}/candlesticks", **old_hours),
        "balance": caller.signed("/portfolio/balance"),
        "positions": caller.signed("/portfolio/positions"),
        "fills": caller.signed("/portfolio/fills"),
        "settlements": caller.signed("/portfolio/settlements"),
        "limits": caller.signed("/account/limits"),
        "progress": caller.signed("/account/api_usage_level/volume_progress"),
        "forecast": caller.signed(
            "/series/KXHIGHNY/events/KXHIGHNY-26NOV21/forecast_percentile_history",
            percentiles=[1000, 5000],
            **HOURS,
        ),
        "keys": caller.signed("/api_keys"),
        "status": caller.get("/exchange/status"),
        "schedule": caller.get("/exchange/schedule"),
        "tags": caller.get("/search/tags_by_categories"),
    }
    assert reading.keys() == sent.keys()
    for name, body in sent.items():
        assert plain(reading[name]) == plain(body), name
