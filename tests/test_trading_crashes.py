"""Whatever ends a client in the middle of an order, nothing is doubled and nothing is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from soak.kills import FAULTS, POINTS, Nursery, Site, interrupt, kill_at_instants, kill_at_point

import kalshi_research as kr
from kalshi_research.errors import KalshiError
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading.desk import desk_of

TICKER = "KXHIGHNY-26NOV21-B44.5"
USERS = 40


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(days=2, crypto_hours=1, users=USERS) as made:
        yield made


@pytest.fixture(scope="module")
def nursery(tmp_path_factory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("told")) as made:
        yield made


@pytest.fixture(scope="module")
def users() -> Iterator[int]:
    return iter(range(USERS))


@pytest.fixture
def site(sandbox: Sandbox, users: Iterator[int], tmp_path: Path, monkeypatch) -> Iterator[Site]:
    """Of a user for whom nothing has happened yet."""
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    yield Site(sandbox, next(users), tmp_path)
    sandbox.faults.clear()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point(site: Site, nursery: Nursery, point: str, fault: str) -> None:
    kill_at_point(site, nursery, point, fault)


def test_killed_at_random_instants(site: Site, nursery: Nursery) -> None:
    told = kill_at_instants(site, nursery, 12, random.Random(11))
    assert told
    assert told <= set(site.truth())
    site.account()


def test_two_processes_on_one_journal(site: Site, nursery: Nursery, tmp_path: Path) -> None:
    with Nursery(tmp_path) as another:
        running = [each.start(*site.args(number=n)) for n, each in enumerate((nursery, another), 1)]
        ends = time.monotonic() + 40
        while len(site.truth()) < 40:
            assert time.monotonic() < ends
        for client in running:
            client.kill()
            client.wait()
    assert set().union(*(client.placed() for client in running)) <= set(site.truth())
    site.account()


@pytest.mark.timeout(120, method="thread")  # the alarm is in use here
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets left half made
def test_interrupted_at_two_hundred_instants_of_one_submit(site: Site) -> None:
    """Ctrl-C anywhere: it is raised again, the journal is right, and the kernel goes on."""
    found = interrupt(site, 200)
    assert found["interrupted"] >= 100, found
    assert set(found["left in the journal"]) >= {"nothing", "SENT"}, found


def test_an_interrupted_order_is_shown_as_unknown_and_resolves(site: Site, monkeypatch) -> None:
    client = site.client()
    kr.create_order(client, TICKER, quantity=1, price="0.01")
    real = client.request

    def interrupted(method: str, path: str, **more: Any) -> Any:
        answer = real(method, path, **more)
        if method == "POST":
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(client, "request", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kr.create_order(client, TICKER, quantity=2, price="0.02")
    (left,) = desk_of(client).journal.open_intents()
    assert left.state == "SENT"
    with pytest.raises(KalshiError, match="was placed after all"):
        kr.create_order(client, TICKER, quantity=2, price="0.02")
    assert desk_of(client).journal.open_intents() == []
    assert len(site.truth()) == 2
