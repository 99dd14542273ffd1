"""The progress bar: off when asked, harmless when off, counting when on."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from kalshi_research.progress import progress


def test_a_silent_bar_counts_and_shows_nothing(capsys) -> None:
    with progress(10, "rows", enabled=False) as bar:
        bar.update(3)
        bar.update(4, pages=2)
    assert bar.done == 7
    bar.close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("switch", ["0", "false", "off", "No"])
def test_the_variable_turns_it_off_even_in_a_terminal(monkeypatch, capsys, switch) -> None:
    monkeypatch.setenv("KALSHI_RESEARCH_PROGRESS", switch)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress(10, "rows") as bar:
        bar.update(10)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_there_is_no_bar(monkeypatch) -> None:
    monkeypatch.delenv("KALSHI_RESEARCH_PROGRESS", raising=False)
    script = (
        "import sys; from kalshi_research.progress import progress\n"
        "with progress(5, 'rows') as bar: bar.update(5)\n"
        "print('tqdm' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("False\n", "")


@pytest.mark.parametrize("total", [100, None])
def test_a_bar_names_rows_pages_and_rate(monkeypatch, total) -> None:
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # no monitor thread in a test
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress(total, "rows", enabled=True) as bar:
        assert bar._bar is not None
        bar._bar.delay = 0
        bar.update(50, pages=3)
        bar._bar.refresh()
    text = screen.getvalue()
    assert "50" in text
    assert "rows/s" in text
    assert "pages=3" in text
    assert ("100" in text) is (total is not None)
