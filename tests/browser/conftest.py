"""One JupyterLab and one browser for all tests of this folder."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from lab import FLAGS, Lab, browser_path


def _without(what: str) -> NoReturn:
    """Leave these tests out; on CI, where nothing may be left out, fail."""
    if os.environ.get("KALSHI_RESEARCH_CI") == "1":
        pytest.fail(f"{what}, and on CI nothing may be left out")
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = browser_path()
    if path is None:
        _without("there is no Chromium on this machine")
    if importlib.util.find_spec("playwright") is None:
        _without("playwright is not installed")
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"), browser)
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept: build artefacts, not committed."""
    folder = Path(__file__).resolve().parents[2] / "reports" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
