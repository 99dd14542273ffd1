"""Panels that nobody sees any more end by themselves, and come back when somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import until

import kalshi_research as kr
from kalshi_research.panels import visibility
from kalshi_research.panels.kernel_time import FREE_TIME, FreeTime, follow_cells
from kalshi_research.panels.visibility import Watched

pytest_plugins = ["tests.open_streams"]

TICKER = "KXHIGHNY-26NOV21-B46.5"
OTHER = "KXHIGHNY-26NOV21-B44.5"
SEEN = {"view": "a", "seen": True}
HIDDEN = {"view": "a", "seen": False}
GONE = {"view": "a", "gone": True}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> Watched:
    return Watched(now=clock)


@pytest.fixture
def sandbox(streams: set[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path / "journal"))
    with kr.start_sandbox(users=2) as running:
        yield running


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    """The clock of all panels that are made from now on."""
    monkeypatch.setattr(Watched.__init__, "__kwdefaults__", {"now": clock})
    return clock


def tell(panel: Any, message: dict[str, Any]) -> None:
    """What a view of it says."""
    presence = next(part for part in panel.children if type(part).__name__ == "Presence")
    presence._handle_custom_msg(message, [])


@pytest.fixture
def threads() -> Callable[[], list[str]]:
    """Those of panels and their streams that this test has begun."""
    ours = ("kalshi-stream", "kalshi-painter", "kalshi-book", "kalshi-orders", "kalshi-portfolio")
    before = set(threading.enumerate())
    return lambda: [
        thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith(ours)
    ]


def test_who_looks_says_so_again_and_nothing_is_woken_by_it(watched: Watched, clock: Clock) -> None:
    watched.attend(SEEN)
    told: list[Any] = []
    watched.observe(told.append)
    for _ in range(100):
        clock.now += 30
        watched.attend(SEEN)
        watched.look_around()
    assert (told, watched.views, watched.resting) == ([], 1, False)


def test_a_view_that_falls_silent_is_lost_until_it_speaks(watched: Watched, clock: Clock) -> None:
    watched.attend(SEEN)
    watched.attend({"view": "b", "seen": True})
    clock.now += 89
    watched.attend(SEEN)
    watched.look_around()
    assert watched.views == 2
    clock.now += 2
    watched.look_around()
    assert (watched.views, watched.resting) == (1, False)
    clock.now += 89
    watched.look_around()
    assert (watched.views, watched.resting) == (0, False)
    clock.now += 6
    watched.look_around()
    assert watched.resting
    watched.attend(SEEN)
    assert (watched.views, watched.resting) == (1, False)


@pytest.mark.parametrize(
    ("message", "patience"), [(GONE, 5), (HIDDEN, 60)], ids=["taken away", "put aside"]
)
def test_what_stands_nowhere_rests_sooner_than_what_is_hidden(
    watched: Watched, clock: Clock, message: dict[str, Any], patience: float
) -> None:
    watched.attend(SEEN)
    clock.now += 60
    watched.attend(message)
    assert watched.views == 0
    clock.now += patience - 0.1
    watched.look_around()
    assert not watched.resting
    clock.now += 0.2
    watched.look_around()
    assert watched.resting
    clock.now += 3600
    watched.look_around()
    assert watched.resting
    watched.attend(SEEN)
    assert not watched.resting


def test_what_is_moved_does_not_rest(watched: Watched, clock: Clock) -> None:
    watched.attend(SEEN)
    watched.attend(GONE)
    clock.now += 4
    watched.attend({"view": "b", "seen": True})
    clock.now += 60
    watched.look_around()
    assert (watched.views, watched.resting) == (1, False)


def test_what_waits_in_a_busy_kernel_was_said_in_time(clock: Clock) -> None:
    """Nobody is taken for lost because a cell runs long, nor because many short ones do."""
    kernel = FreeTime(clock)
    watched = Watched(now=kernel)
    watched.attend(SEEN)
    kernel.busy()
    for _ in range(100):
        clock.now += 10
        watched.look_around()
    assert watched.views == 1
    for _ in range(100):  # what runs next waits before what views have said meanwhile
        kernel.free()
        watched.look_around()
        clock.now += 0.01
        kernel.busy()
        clock.now += 30
    assert watched.views == 1
    kernel.free()
    kernel.free()
    watched.look_around()
    assert watched.views == 1
    clock.now += 91
    watched.look_around()
    assert watched.views == 0


def test_the_clock_of_a_kernel_stands_still_in_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from kalshi_research.panels import kernel_time

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    follow_cells()
    assert not kernel_time._following.is_set(), "without a kernel there are no cells"
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(kernel_time, "_following", threading.Event())
    monkeypatch.setattr(kernel_time, "FREE_TIME", clock := FreeTime())
    shell.user_ns["follow"], shell.user_ns["clock"] = follow_cells, clock
    shell.run_cell("follow(); follow(); a = clock(); b = clock()")
    assert shell.user_ns["a"] == shell.user_ns["b"], "the cell that makes the first panel"
    after = clock()
    assert clock() > after
    shell.run_cell("a = clock(); 1 / 0")
    shell.run_cell("b = clock(); c = clock()")
    assert after < shell.user_ns["a"] < shell.user_ns["b"] == shell.user_ns["c"]


def test_a_panel_that_a_click_makes_stops_no_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cell runs then, whose end would let it go on."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from kalshi_research.panels import kernel_time

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.parent_header = {"msg_type": "comm_msg"}
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(kernel_time, "_following", threading.Event())
    monkeypatch.setattr(kernel_time, "FREE_TIME", clock := FreeTime())
    follow_cells()
    before = clock()
    assert clock() > before


def test_panels_live_by_the_time_of_the_kernel(sandbox: Any) -> None:
    panel = kr.PortfolioPanel(kr.connect(sandbox))
    assert panel.model._passed is FREE_TIME
    panel.close()


def test_a_book_that_nobody_sees_any_more_has_no_stream_and_no_thread(
    sandbox: Any, streams: set[Any], clocked: Clock, threads: Callable[[], list[str]]
) -> None:
    panel = kr.BookPanel(kr.connect(sandbox), TICKER)
    model = panel.model
    until(lambda: model.book["live"])
    tell(panel, SEEN)
    assert len(streams) == 1
    tell(panel, HIDDEN)
    model.look_around()
    assert panel.jobs.wait(10)
    assert len(streams) == 1, "somebody may come back soon"
    tell(panel, GONE)
    clocked.now += 6
    model.look_around()
    until(lambda: not streams)
    until(lambda: threads() == [])
    assert (model.book["live"], model.book["bids"], model.top) == (False, [], "")
    assert model.state == "paused, because nobody looks"
    panel.ticker = OTHER
    assert panel.jobs.wait(10)
    assert (streams, model.state) == (set(), "paused, because nobody looks")
    tell(panel, SEEN)
    until(lambda: model.book["live"])
    assert len(streams) == 1
    book = kr.get_orderbook(kr.connect(sandbox), OTHER)
    assert [float(level[0]) for level in model.book["bids"]] == list(
        book.loc[book["side"] == "bid", "price"].head(8)
    )
    known = kr.get_trades(kr.connect(sandbox), OTHER, max_rows=20)
    until(lambda: {row["key"] for row in model.trades} == set(known["trade_id"]))
    panel.close()
    until(lambda: not streams)


def test_a_stream_that_was_passed_goes_on_while_its_panel_rests(
    sandbox: Any, streams: set[Any], clocked: Clock, threads: Callable[[], list[str]]
) -> None:
    with kr.stream(kr.connect(sandbox), [TICKER]) as live:
        alone = len(threads())
        panel = kr.BookPanel(live, TICKER)
        until(lambda: panel.model.book["live"])
        tell(panel, SEEN)
        tell(panel, GONE)
        clocked.now += 6
        panel.model.look_around()
        until(lambda: len(threads()) == alone)
        assert live.wait().best(TICKER).status == "live"
        tell(panel, SEEN)
        until(lambda: panel.model.book["live"])
        until(lambda: len(threads()) > alone)
        panel.close()
        until(lambda: len(threads()) == alone)


@pytest.mark.parametrize("make", [kr.OrderPanel, kr.PortfolioPanel], ids=["order", "portfolio"])
def test_a_form_that_nobody_sees_has_no_thread(
    sandbox: Any, clocked: Clock, threads: Callable[[], list[str]], make: Any
) -> None:
    panel = make(kr.connect(sandbox))
    panel.ticker = TICKER
    until(lambda: threads() == [])
    tell(panel, SEEN)
    assert "kalshi-painter" in threads()
    tell(panel, GONE)
    clocked.now += 6
    panel.model.look_around()
    until(lambda: threads() == [])
    before = len(sandbox.truth.requests)
    clocked.now += 60
    tell(panel, SEEN)
    until(lambda: len(sandbox.truth.requests) > before)
    panel.close()


def test_what_was_replaced_before_it_was_drawn_rests_too(
    sandbox: Any, streams: set[Any], clocked: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs a cell five times in a second never sees the first four."""
    monkeypatch.setattr(visibility, "_front_end", threading.Event())
    client = kr.connect(sandbox)
    desk = kr.Desk(client, TICKER)
    hidden = kr.BookPanel(client, TICKER)  # never shown: for cells that read its model
    until(lambda: desk.book.model.book["live"] and hidden.model.book["live"])
    desk._repr_mimebundle_()
    clocked.now += 600
    for model in (desk.book.model, hidden.model):
        model.look_around()
        assert not model.resting, "where there is no screen, as in a report, all goes on"
    other = kr.OrderPanel(client)
    tell(other, SEEN)
    for model in (desk.book.model, hidden.model):
        model.look_around()
    assert (desk.book.model.resting, hidden.model.resting) == (True, False)
    until(lambda: len(streams) == 1)
    tell(desk.book, SEEN)
    until(lambda: desk.book.model.book["live"])
    for panel in (desk, hidden, other):
        panel.close()


def test_what_is_closed_while_it_comes_back_listens_no_more(
    sandbox: Any, clocked: Clock, threads: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with kr.stream(kr.connect(sandbox), [TICKER]) as live:
        alone = len(threads())
        panel = kr.BookPanel(live, TICKER)
        tell(panel, SEEN)
        tell(panel, GONE)
        clocked.now += 6
        panel.model.look_around()
        until(lambda: len(threads()) == alone)
        on = live.on

        def slow(*arguments: Any) -> Any:
            panel.close()
            return on(*arguments)

        monkeypatch.setattr(live, "on", slow)
        tell(panel, SEEN)
        assert panel.jobs.wait(10)
        until(lambda: len(threads()) == alone)
