"""A cell that is run again, a browser that dies, a page put aside: what nobody sees ends by itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, run_all, run_cell

import kalshi_research as kr

pytest_plugins = ["tests.open_streams"]

TICKER = "KXHIGHNY-26NOV21-B46.5"
MADE = """import kalshi_research as kr
client = kr.connect({url!r}, key_id={name!r}, private_key={key!r})"""
SHOWN = "desk = kr.Desk(client, {ticker!r})\ndesk"
THREADS = """import threading
names = [thread.name for thread in threading.enumerate() if thread.name.startswith("kalshi-")]
print("threads", len(names), sorted(names))"""
PRESENCE = Path(kr.__file__).parent / "panels" / "static" / "presence.js"
VIEW = """async source => {
  const home = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const { default: view } = await import(home);
  window.said = [];
  window.end = view.render({
    model: { send: ({ view, ...rest }) => window.said.push(rest) },
    el: document.querySelector('#view'),
  });
}"""


@pytest.fixture
def sandbox(streams: set[Any]) -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        yield running


def cells(sandbox: Any) -> list[str]:
    name, key = sandbox.credentials(0)[0], str(sandbox.key_file(0))
    given = {"url": sandbox.url, "name": name, "key": key, "ticker": TICKER}
    return [MADE.format(**given), SHOWN.format(**given), THREADS]


def until(page: Any, condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait, while the page goes on."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        page.wait_for_function("() => true")


def threads(page: Any) -> int:
    """How many threads the package has in the kernel."""
    found = re.search(r"threads (\d+)", run_cell(page, 2))
    assert found is not None
    return int(found[1])


def live(page: Any) -> None:
    page.locator(".kr-ladder button.price:visible").first.wait_for()


def test_a_cell_run_again_and_again_has_one_stream(lab: Lab, sandbox: Any, streams: set[Any]) -> None:
    lab.write("again", *cells(sandbox))
    with lab.page("again", width=1400, height=2400) as page:
        run_all(page, 3)
        live(page)
        until(page, lambda: len(streams) == 1)
        once = threads(page)
        for _ in range(4):
            run_cell(page, 1)
        live(page)
        until(page, lambda: len(streams) == 1)
        until(page, lambda: threads(page) <= once)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        page.locator(".kr-panel").first.wait_for(state="detached")
        until(page, lambda: not streams)
        until(page, lambda: threads(page) == 0)


def test_what_a_dead_browser_showed_asks_nothing_any_more(
    lab: Lab, sandbox: Any, streams: set[Any]
) -> None:
    """It says no goodbye; the silence, here a short one, is enough."""
    made, shown, _ = cells(sandbox)
    short = "from kalshi_research.panels import visibility\nvisibility._SILENCE = 5.0"
    lab.write("dead", f"{made}\n{short}", shown)
    with lab.page("dead", fresh=True, width=1400, height=2400) as page:
        run_all(page, 2)
        live(page)
        assert len(streams) == 1
        with pytest.raises(Exception, match="crash"):
            page.goto("chrome://crash")
        deadline = time.monotonic() + 60
        while streams:
            assert time.monotonic() < deadline, "its stream goes on"
            time.sleep(0.05)
        quiet(sandbox)


def quiet(sandbox: Any) -> None:
    """For longer than panels wait between two looks, nothing is asked."""
    last, asked = time.monotonic(), len(sandbox.truth.requests)
    deadline = last + 60
    while time.monotonic() - last < 11:
        assert time.monotonic() < deadline, "it goes on asking"
        if len(sandbox.truth.requests) != asked:
            last, asked = time.monotonic(), len(sandbox.truth.requests)
        time.sleep(0.05)


def test_what_a_view_says_of_itself(lab: Lab) -> None:
    """Once when that changes, twice a minute while it is seen, and a last word."""
    page = lab.browser.new_page()
    page.clock.install()
    page.set_content("<div class='kr-panel' id='panel'><div id='view'></div>panel</div>")
    page.evaluate(VIEW, PRESENCE.read_text("utf-8"))
    seen, hidden = {"seen": True}, {"seen": False}
    said = "() => window.said.length"
    assert page.evaluate("() => window.said") == [seen]
    page.clock.run_for(29_000)
    assert page.evaluate(said) == 1
    page.clock.run_for(61_500)
    assert page.evaluate("() => window.said") == [seen] * 4
    page.evaluate("() => { document.querySelector('#panel').style.display = 'none'; }")
    page.wait_for_function("() => window.said.length === 5")
    page.clock.run_for(600_000)
    assert page.evaluate("() => window.said.slice(4)") == [hidden], "who is hidden says nothing"
    page.evaluate("() => { document.querySelector('#panel').style.display = ''; }")
    page.wait_for_function("() => window.said.length === 6")
    page.evaluate("() => dispatchEvent(new Event('pagehide'))")
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(600_000)
    assert page.evaluate("() => window.said.slice(5)") == [seen, {"gone": True}]
    page.evaluate("() => dispatchEvent(new Event('pageshow'))")
    assert page.evaluate("() => window.said.slice(7)") == [seen]
    page.evaluate("() => window.end()")
    page.clock.run_for(600_000)
    assert page.evaluate("() => window.said.slice(7)") == [seen, {"gone": True}]
    page.close()
