"""What panels ask of the exchange: once for all panels of a client, and nothing where nobody looks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kalshi_research as kr
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.order_model import OrderModel
from kalshi_research.panels.portfolio_model import PortfolioModel
from kalshi_research.panels.shared_reads import SharedReads, reads_of
from kalshi_research.panels.visibility import Watched

TICKER = "KXHIGHNY-26NOV21-B46.5"
BALANCE = "/trade-api/v2/portfolio/balance"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path / "journal"))
    with kr.start_sandbox(users=2) as running:
        yield running


@pytest.fixture
def client(sandbox: Any) -> Any:
    return kr.connect(sandbox)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reads(client: Any, clock: Clock) -> SharedReads:
    return SharedReads(client, now=clock)


def asked(sandbox: Any) -> Counter[str]:
    return Counter(request.path for request in sandbox.truth.requests)


def test_an_answer_serves_all_who_ask_soon_after(reads: SharedReads, clock: Clock) -> None:
    answers = iter("abc")
    assert reads.ask("it", lambda: next(answers), within=3) == "a"
    clock.now += 3
    assert reads.ask("it", lambda: next(answers), within=3) == "a"
    clock.now += 0.1
    assert reads.ask("it", lambda: next(answers), within=3) == "b"
    clock.now += 0.1
    assert reads.ask("it", lambda: next(answers), within=0) == "c"
    assert reads.ask("another", lambda: "x", within=3) == "x"


def test_an_error_is_everybodys_own(reads: SharedReads) -> None:
    with pytest.raises(ZeroDivisionError):
        reads.ask("it", lambda: 1 // 0, within=60)
    assert reads.ask("it", lambda: "now it answers", within=60) == "now it answers"


def test_who_asks_while_the_question_is_on_its_way_waits_for_its_answer(client: Any) -> None:
    reads, going, free = SharedReads(client), threading.Event(), threading.Event()
    calls: list[int] = []
    found: list[str] = []

    def slow() -> str:
        calls.append(1)
        going.set()
        assert free.wait(10)
        return "answer"

    def ask() -> None:
        found.append(reads.ask("it", slow, within=60))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    threads[0].start()
    assert going.wait(10)
    for thread in threads[1:]:
        thread.start()
    free.set()
    for thread in threads:
        thread.join(10)
    assert (found, len(calls)) == (["answer"] * 5, 1)


def test_what_nobody_asks_for_any_more_is_forgotten(reads: SharedReads, clock: Clock) -> None:
    for ticker in range(50):
        reads.ask(("market", ticker), lambda: "a frame", within=1)
    clock.now += 3600
    reads.ask("it", lambda: "", within=1)
    assert len(reads._answers) == 1


def test_the_balance_is_asked_for_once_a_second_at_most(
    sandbox: Any, reads: SharedReads, clock: Clock
) -> None:
    clock.now += 10
    for _ in range(5):
        reads.account(within=0)
        clock.now += 0.1
    assert asked(sandbox)[BALANCE] == 1
    assert asked(sandbox)["/trade-api/v2/portfolio/positions"] == 5
    clock.now += 1
    reads.account(within=0)
    assert asked(sandbox)[BALANCE] == 2


def test_what_was_sent_makes_all_of_the_account_old(
    sandbox: Any, client: Any, reads: SharedReads, clock: Clock
) -> None:
    clock.now += 10
    before = reads.account(within=60)
    kr.create_order(client, TICKER, quantity=3, price="0.05")
    clock.now += 0.01
    assert reads.account(within=60) == before
    reads.changed()
    clock.now += 0.01
    after = reads.account(within=60)
    assert after.balance == round(before.balance - 0.15, 6)
    assert list(after.orders["quantity"]) == [3.0]
    assert (after.held(TICKER), after.held("NOT-HELD")) == (0.0, 0.0)


def test_ten_panels_ask_no_more_than_one(sandbox: Any, client: Any) -> None:
    models: list[Any] = []
    for at in range(5):
        order = OrderModel(client, Jobs(f"order {at}"))
        order.ticker = TICKER
        models += [order, PortfolioModel(client, Jobs(f"portfolio {at}"))]
    for model in models:
        assert model._jobs.wait(60)
    before = asked(sandbox)
    for model in models:
        model._look_again()
    for model in models:
        assert model._jobs.wait(60)
    now = asked(sandbox) - before
    for model in models:
        model.close()
    for path in ("balance", "positions", "orders"):
        assert now[f"/trade-api/v2/portfolio/{path}"] <= 1, path
    assert now[f"/trade-api/v2/markets/{TICKER}"] <= 1
    assert now[f"/trade-api/v2/markets/{TICKER}/orderbook"] <= 1


def test_each_client_has_its_own_and_a_panel_does_not_keep_it(sandbox: Any, client: Any) -> None:
    other = kr.connect(sandbox)
    assert reads_of(client) is reads_of(client)
    assert reads_of(client) is not reads_of(other)
    reads = reads_of(other)
    reads._client = lambda: None  # type: ignore[assignment,method-assign]
    with pytest.raises(ReferenceError):
        reads.account(within=0)


def test_views_are_counted_once_each_whatever_they_send() -> None:
    watched = Watched()
    assert watched.is_watched, "without a panel nobody counts"
    for message in (
        {"view": "a", "seen": True},
        {"view": "a", "seen": True},
        {"view": "b", "seen": True},
        {"view": 7, "seen": True},
        {"seen": True},
        "seen",
        None,
    ):
        watched.attend(message)
    assert watched.views == 2
    watched.attend({"view": "a", "seen": False})
    watched.attend({"view": "a", "seen": False})
    watched.attend({"view": "never seen", "seen": False})
    assert watched.views == 1
    watched.attend({"view": "b"})
    assert (watched.views, watched.is_watched) == (0, False)


@pytest.mark.parametrize("make", [kr.OrderPanel, kr.PortfolioPanel], ids=["order", "portfolio"])
def test_a_panel_asks_again_when_it_comes_into_sight(sandbox: Any, client: Any, make: Any) -> None:
    panel = make(client)
    panel.ticker = TICKER
    assert panel.jobs.wait(60)
    assert not panel.model.is_watched
    before = len(sandbox.truth.requests)
    panel.model._look_again()
    assert panel.jobs.wait(60)
    assert len(sandbox.truth.requests) == before
    presence = next(child for child in panel.children if type(child).__name__ == "Presence")
    reads_of(client).changed()
    presence._handle_custom_msg({"view": "a", "seen": True}, [])
    panel.model._look_again()
    assert panel.jobs.wait(60)
    assert len(sandbox.truth.requests) > before
    panel.close()
