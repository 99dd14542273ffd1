"""Print a page with the Chromium, Chrome or Edge that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from kalshi_research.errors import ReportError, printable

__all__ = ["find_browser", "print_page"]

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
_APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_SECONDS = 120
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-pdf-header-footer",
)


def find_browser() -> str:
    """The browser that can print: ``$CHROMIUM``, else the first one installed."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise ReportError(
                f"CHROMIUM={printable(chosen)} is no program; nothing was executed.\n"
                "Correct or unset the variable, or make an HTML report."
            )
        return found
    for name in (*_NAMES, *_APPLICATIONS):
        found = shutil.which(name)
        if found is not None:
            return found
    raise ReportError(
        "a PDF is printed by Chromium, Chrome or Edge, and none is installed; nothing was executed.\n"
        "Install one, name it in the variable CHROMIUM, or make an HTML report and print that."
    )


def print_page(page: str, browser: str) -> bytes:
    """Print an HTML page to PDF, without a network."""
    with tempfile.TemporaryDirectory(prefix="kalshi-report-", ignore_cleanup_errors=True) as scratch:
        source = Path(scratch) / "report.html"
        target = Path(scratch) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        # Chromium's own sandbox refuses to work for root, the usual user of a container.
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [
            browser,
            *_FLAGS,
            *as_root,
            f"--user-data-dir={scratch}/profile",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        try:
            done = subprocess.run(  # noqa: S603 -- the user's own browser on a file written here
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _not_printed(browser, str(error)) from error
        content = target.read_bytes() if target.is_file() else b""
    if done.returncode != 0 or not content.startswith(b"%PDF-"):
        lines = done.stderr.strip().splitlines()
        raise _not_printed(browser, lines[-1] if lines else f"exit code {done.returncode}")
    return content


def _not_printed(browser: str, said: str) -> ReportError:
    return ReportError(
        f"{printable(browser, 80)} did not print the report: {printable(said, 160)}\n"
        "No report was written. Make an HTML report, or name another browser in CHROMIUM."
    )
