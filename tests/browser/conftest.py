"""One JupyterLab and one browser for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import FLAGS, Lab, browser_path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    path = browser_path()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=list(FLAGS))
        running = Lab(tmp_path_factory.mktemp("lab"), browser)
        try:
            yield running
        finally:
            running.close()
            browser.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept: build artefacts, not committed."""
    folder = Path(__file__).resolve().parents[2] / "reports" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
