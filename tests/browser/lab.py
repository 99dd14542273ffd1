"""JupyterLab with a real browser before it: write cells, run them, click, look.

What takes long is done once, or while something else is: one page of JupyterLab serves all tests,
which open their notebooks in it, and the kernel of a notebook starts, with the package imported,
while the notebook opens. No kernel outlives its test, because its panels would go on asking.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import kalshi_research

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox for the browser; nothing may be fetched in the background.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
START, CELLS = 60.0, 60_000
SLOWER = float(os.environ.get("KALSHI_RESEARCH_BROWSER_SLOWER", "1"))
"""So many times slower than this machine the browser is made, to find what holds only on a fast one."""
DONE = """count => {
  const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
  if (document.querySelector("[data-mime-type='application/vnd.jupyter.error']")) return true;
  return prompts.length >= count && prompts.every(each => /\\[\\d+\\]:/.test(each.textContent));
}"""
RUN_ALL = """() => {
  window.ran = false;
  window.jupyterapp.commands.execute('notebook:run-all-cells').finally(() => { window.ran = true; });
}"""
# The page tells its parts of a new size one after the other: nothing may move from one picture of the
# screen to the next.
LAID_OUT = """async width => {
  if (window.innerWidth !== width) return false;
  const places = () => JSON.stringify([...document.querySelectorAll('.jp-Notebook, .kr, .kr-panel')]
    .map(each => each.getBoundingClientRect()));
  const before = places();
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return before === places();
}"""
RUN = """at => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = at;
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""
RAN = """([at, before]) => {
  const prompt = document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[at].textContent;
  return prompt !== before && /\\d/.test(prompt);
}"""
READY = """async () => {
  const found = window.jupyterapp?.shell?.currentWidget;
  if (!found?.sessionContext) return false;
  // A default of `kalshi-research lab`, which is read after the page is there.
  if (window.jupyterapp.serviceManager.kernels.commsOverSubshells !== 'disabled') return false;
  await found.sessionContext.ready;
  const kernel = found.sessionContext.session?.kernel;
  await kernel?.info;
  const kind = 'application/vnd.jupyter.widget-view+json';
  const { rendermime } = found.content;
  if (kernel?.connectionStatus !== 'connected' || !rendermime.mimeTypes.includes(kind)) return false;
  // JupyterLab asks a new kernel for widgets; one that is made before the answer is made twice, and
  // hears of no change.
  const manager = await rendermime.createRenderer(kind)._manager.promise;
  return manager.restoredStatus && !manager._kernelRestoreInProgress;
}"""


OPEN = """async path => {
  await window.jupyterapp.commands.execute('docmanager:open', { path, factory: 'Notebook' });
}"""
CLOSE = """() => {
  const widgets = [...window.jupyterapp.shell.widgets('main')];
  for (const widget of widgets) {
    if (widget.context) widget.context.model.dirty = false; // else it asks whether to save
    widget.close();
  }
}"""
# While the page opens a notebook, its kernel gets ready for what tests begin with.
STARTUP = (
    "import kalshi_research\n[getattr(kalshi_research, name) for name in ('Desk', 'start_sandbox')]\n"
)


def browser_path() -> str | None:
    """A Chromium on this machine."""
    names = (os.environ.get("CHROMIUM", ""), *BROWSERS)
    return next((path for name in names if name and (path := shutil.which(name))), None)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Lab:
    """A JupyterLab of its own, with private settings, in a folder."""

    def __init__(
        self,
        folder: Path,
        browser: Browser,
        *,
        start: Sequence[str] = ("jupyterlab",),
        warm: bool = True,
        **variables: str,
    ) -> None:
        self.folder = folder
        self.browser = browser
        self.context = browser.new_context()
        self._page: Page | None = None
        self.token = secrets.token_hex(16)
        (folder / "work").mkdir(parents=True, exist_ok=True)
        self._variables = dict(
            os.environ,
            PYTHONUNBUFFERED="1",
            KALSHI_RESEARCH_PROGRESS="0",
            JUPYTER_CONFIG_PATH=str(Path(kalshi_research.__file__).parent),  # as `kalshi-research lab`
            **variables,
        )
        for name in (
            "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
            "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR",
        ):  # fmt: skip
            self._variables[name] = str(folder / name.lower())
        settings = folder / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True, exist_ok=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), "utf-8")
        if warm:
            startup = folder / "ipythondir" / "profile_default" / "startup"
            startup.mkdir(parents=True, exist_ok=True)
            (startup / "panels.py").write_text(STARTUP, "utf-8")
        for _ in range(3):  # somebody else may take the port before the server does
            self._start(start)
            if self._is_up():
                return
            said = (folder / "lab.log").read_text("utf-8", "replace")
            self.close()
            if "already in use" not in said:
                break
        raise RuntimeError(said[-2000:])

    def _start(self, start: Sequence[str]) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (self.folder / "lab.log").open("wb")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", *start, "--no-browser", "--allow-root",
                "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}",
                "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
            ],
            stdout=self._log, stderr=subprocess.STDOUT, env=self._variables, cwd=self.folder / "work",
        )  # fmt: skip

    def _is_up(self) -> bool:
        deadline = time.monotonic() + START
        status = f"{self.url}/api/status?token={self.token}"
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(status, timeout=2).close()  # noqa: S310 - http, our own
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        """Stop the server and its kernels."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def write(self, name: str, *cells: str) -> Path:
        """A notebook of code cells; one that begins with ``#%%`` is text."""
        made = [
            new_markdown_cell(cell.removeprefix("#%%"))
            if cell.startswith("#%%")
            else new_code_cell(cell)
            for cell in cells
        ]
        path = self.folder / "work" / f"{name}.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(new_notebook(cells=made, metadata={"kernelspec": kernel}), path)
        return path

    def _ask(self, method: str, route: str, **body: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310 - http, our own
            f"{self.url}/api/{route}",
            json.dumps(body).encode() if body else None,
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def stop_kernels(self) -> None:
        """End what runs."""
        for session in self._ask("GET", "sessions"):
            self._ask("DELETE", f"sessions/{session['id']}")

    @contextlib.contextmanager
    def page(
        self,
        name: str,
        *,
        dark: bool = False,
        width: int = 1200,
        height: int = 1000,
        fresh: bool = False,
    ) -> Iterator[Page]:
        """A notebook, its kernel ready, nothing run yet.

        It opens in the page of the test before, or with `fresh` in a new one, without a kernel that
        was started for it.
        """
        if not fresh:
            path = f"{name}.ipynb"
            kernel = {"name": "python3"}
            self._ask("POST", "sessions", path=path, name=path, type="notebook", kernel=kernel)
        page = self._load(name) if fresh or self._page is None else self._page
        try:
            with pictured(page, self.folder / f"{name}-failed.png"):
                page.set_viewport_size({"width": width, "height": height})
                if page is self._page:
                    page.evaluate(OPEN, f"{name}.ipynb")
                    page.wait_for_function(READY, timeout=CELLS)
                repaint(page, dark=dark)
                yield page
        except BaseException:
            self._page = None  # whatever is wrong with it
            page.close()
            raise
        else:
            if fresh:
                page.close()
            else:
                page.evaluate(CLOSE)
                page.wait_for_function("() => !document.querySelector('.jp-NotebookPanel')")
                self._page = page
        finally:
            self.stop_kernels()

    def _load(self, name: str) -> Page:
        page = slowed(self.context.new_page())
        page.goto(f"{self.url}/doc/tree/{name}.ipynb?token={self.token}&reset")
        page.wait_for_selector(".jp-Notebook", timeout=CELLS)
        page.wait_for_function(READY, timeout=CELLS)
        return page


def slowed(page: Page) -> Page:
    """A page as on a slow machine, where that is asked for."""
    if SLOWER > 1:
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return page


@contextlib.contextmanager
def pictured(page: Page, path: Path) -> Iterator[None]:
    """What was to be seen when something went wrong."""
    try:
        yield
    except BaseException as error:
        page.screenshot(path=path)
        error.add_note(f"picture: {path}")
        log = path.with_name("lab.log")
        if log.is_file():
            lines = log.read_text("utf-8", "replace").splitlines()
            error.add_note("\n".join(line for line in lines[-40:] if "ServerApp" not in line))
        raise


def repaint(page: Page, *, dark: bool) -> None:
    """Another theme for a page that is open."""
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        f"JupyterLab {'Dark' if dark else 'Light'}",
    )
    page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg="false" if dark else "true"
    )
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def resize(page: Page, width: int, height: int) -> None:
    """Another size for a page that is open, and all of it in its new place."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(LAID_OUT, arg=width)


def run_all(page: Page, cells: int) -> None:
    """Run the whole notebook and wait until every cell has a number, or one fails.

    Cells that were run before have one already: so it waits for the end of this run first.
    """
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ran", timeout=CELLS)
    page.wait_for_function(DONE, arg=cells, timeout=CELLS)
    failures = texts(page, "[data-mime-type='application/vnd.jupyter.error']")
    assert not failures, failures[0]


def run_cell(page: Page, at: int) -> str:
    """Run a cell until it has another number; what it shows then."""
    cell = page.locator(".jp-CodeCell").nth(at)
    before = cell.locator(".jp-InputPrompt").inner_text()
    page.evaluate(RUN, at)
    page.wait_for_function(RAN, arg=[at, before], timeout=CELLS)
    return " ".join(cell.locator(".jp-OutputArea-output").all_inner_texts())


def texts(page: Page, selector: str) -> list[str]:
    """The visible texts of all that match."""
    found: list[Any] = page.locator(selector).all_inner_texts()
    return [str(text) for text in found]
