"""Read a notebook, give it parameters, execute it in a fresh kernel."""

from __future__ import annotations

import ast
import asyncio
import atexit
import json
import os
import re
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from kalshi_research.errors import InputError, ReportError, printable, quoted
from kalshi_research.report.sources import MIME, PROBE

__all__ = ["Run", "add_parameters", "execute", "load", "typed_parameters"]

_KERNEL_CONFIG = """\
c = get_config()
c.InlineBackend.figure_formats = {"svg", "retina"}
"""
_CELL_LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
_MISSING = object()
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
# nbformat looks into the document before it validates it, and stumbles as it happens.
_NOT_A_NOTEBOOK = (
    nbformat.reader.NotJSONError,
    nbformat.ValidationError,
    AttributeError,
    KeyError,
    TypeError,
)


@dataclass(frozen=True)
class Run:
    """An executed notebook.

    Attributes
    ----------
    notebook : NotebookNode
        With its outputs.
    sources : dict
        What `sources.found_sources` found in the kernel.
    finished : datetime
        When it was executed, UTC.
    seconds : float
        How long that took.
    """

    notebook: NotebookNode
    sources: dict[str, Any]
    finished: datetime
    seconds: float


def load(path: Path) -> NotebookNode:
    """Read a notebook of any format version as version 4."""
    name = printable(path.name, 80)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ReportError(f"there is no notebook {printable(path)}; nothing was executed.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{name} cannot be read as text; nothing was executed.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old notebooks lack cell ids; that is no news here
            notebook: NotebookNode = nbformat.reads(text, as_version=4)
            nbformat.validate(notebook)
    except _NOT_A_NOTEBOOK as error:
        raise ReportError(f"{name} is not a Jupyter notebook; nothing was executed.") from error
    spoken = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if spoken != "python":
        raise ReportError(
            f"{name} is written in {printable(spoken, 30)}, not Python; nothing was executed."
        )
    return notebook


def typed_parameters(path: Path, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Values typed on a command line, each read as the kind of value that the notebook assigns.

    Where the notebook assigns text the value stays text, whatever it looks like.
    """
    defaults = _assigned(_parameters_cell(load(path)))
    return {name: _from_text(name, text, defaults.get(name, _MISSING)) for name, text in pairs}


def _from_text(name: str, text: str, default: object) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = {"true": True, "false": False, "null": None}.get(text.lower(), text)
    if isinstance(default, bool | int | float):
        fits = isinstance(value, bool) if isinstance(default, bool) else isinstance(value, int | float)
        if not fits:
            raise InputError(
                f"parameter {printable(name, 60)} takes a value like {default!r}, "
                f"not {quoted(text, 60)}; nothing was executed."
            )
    return value


def add_parameters(notebook: NotebookNode, parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Put a cell with the parameters behind the one tagged ``parameters``.

    Returns
    -------
    dict
        All parameters of the notebook: those given, and the defaults of the others.
    """
    cell = _parameters_cell(notebook)
    defaults = _assigned(cell)
    unknown = [given for given in parameters if given not in defaults]
    if unknown:
        known = ", ".join(defaults) or 'none, because no cell is tagged "parameters"'
        raise InputError(
            f"{printable(name, 80)} has no parameter {printable(', '.join(map(str, unknown)), 80)}; "
            f"nothing was executed.\nIt has: {printable(known)}"
        )
    lines = [f"{key} = {_literal(key, value)}" for key, value in parameters.items()]
    if lines and cell is not None:
        injected = _new_cell("\n".join(lines), "injected-parameters")
        notebook.cells.insert(notebook.cells.index(cell) + 1, injected)
    shown = {key: value for key, value in defaults.items() if value is not _MISSING}
    return {**shown, **parameters}


def _new_cell(source: str, tag: str) -> NotebookNode:
    cell: NotebookNode = nbformat.v4.new_code_cell(source, metadata={"tags": [tag]})
    return cell


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _parameters_cell(notebook: NotebookNode) -> NotebookNode | None:
    tagged = (c for c in notebook.cells if c.cell_type == "code" and "parameters" in _tags(c))
    return next(tagged, None)


def _assigned(cell: NotebookNode | None) -> dict[str, Any]:
    """The names that a cell assigns at its top level, with the values that are plain literals."""
    if cell is None:
        return {}
    source = "\n".join(line for line in cell.source.splitlines() if line[:1] not in ("%", "!"))
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ReportError(
            f"the cell tagged parameters is not valid Python: {printable(error)}"
        ) from error
    found: dict[str, Any] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                found[target.id] = _value_of(value)
    return found


def _value_of(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _MISSING


def _literal(name: str, value: Any) -> str:
    try:
        text = repr(value)
        same = bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise InputError(
            f"parameter {printable(name, 60)} is a {type(value).__name__}; nothing was executed.\n"
            "Parameters are text, numbers, booleans, None, and lists or dicts of them."
        )
    return text


def execute(notebook: NotebookNode, *, folder: Path, name: str, timeout: float) -> Run:
    """Execute all cells in a fresh kernel of this environment.

    It works inside a running event loop too, and Ctrl-C ends the kernel with the call.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kalshi-report-", ignore_cleanup_errors=True) as scratch:
        loop = _Loop()
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(loop.run, notebook, folder, name, timeout, Path(scratch))
            try:
                sources = future.result()
            except KeyboardInterrupt:
                loop.cancel()
                raise
    return Run(notebook, sources, datetime.now(UTC), time.monotonic() - began)


class _Loop:
    """The event loop of one execution, in its own thread."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[dict[str, Any]] | None = None

    def run(
        self, notebook: NotebookNode, folder: Path, name: str, timeout: float, scratch: Path
    ) -> dict[str, Any]:
        async def main() -> dict[str, Any]:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            self._started.set()
            return await _execute(notebook, folder, name, timeout, scratch)

        return asyncio.run(main())

    def cancel(self) -> None:
        if self._started.wait(5) and self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)


class _ThisEnvironment(KernelSpecManager):
    """Offers the Python that runs now, whatever kernels the user has registered under its name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def _kernel_environment(scratch: Path) -> dict[str, str]:
    profile = scratch / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(_KERNEL_CONFIG, encoding="utf-8")
    # A backend set for scripts would take the figures away from the notebook.
    inherited = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    return {**inherited, "IPYTHONDIR": str(scratch / "ipython"), "KALSHI_RESEARCH_PROGRESS": "0"}


async def _execute(
    notebook: NotebookNode, folder: Path, name: str, seconds: float, scratch: Path
) -> dict[str, Any]:
    manager = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=_ThisEnvironment(),
        connection_file=str(scratch / "kernel.json"),
        # Sockets in our own folder: no port that somebody else on this machine could talk to.
        transport="tcp" if os.name == "nt" else "ipc",
    )
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=max(1, round(seconds)),
        resources={"metadata": {"path": str(folder)}},
    )
    client.reset_execution_trackers()
    environment = _kernel_environment(scratch)
    log = scratch / "kernel.log"
    with log.open("wb") as stream:
        try:
            async with client.async_setup_kernel(cleanup_kc=True, env=environment, stderr=stream):
                return await _execute_cells(client, notebook, printable(name, 80))
        except RuntimeError as error:
            # nbclient would stop, at the end of the process, a kernel that never ran.
            atexit.unregister(client._cleanup_kernel)  # noqa: SLF001
            raise _not_started(error, log) from error


async def _execute_cells(client: NotebookClient, notebook: NotebookNode, name: str) -> dict[str, Any]:
    number = 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            number += "injected-parameters" not in _tags(cell)
            await _execute_cell(client, cell, index, f"{name}: code cell {number}")
    sources = await _probe(client, notebook)
    client.set_widgets_metadata()
    _bring_up_to_date(notebook, sources.pop("widgets"))
    return sources


def _not_started(error: RuntimeError, log: Path) -> ReportError:
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return ReportError(
        f"no kernel could be started: {printable(said[-1] if said else error)}\n"
        "No report was written. Is ipykernel whole in this environment?"
    )


async def _execute_cell(client: NotebookClient, cell: NotebookNode, index: int, place: str) -> None:
    try:
        await client.async_execute_cell(cell, index)
    except CellExecutionError as error:
        said = f"{error.ename}: {printable(error.evalue)}"
        raise _failed(f"{place} failed with {said}", _failing_line(cell)) from None
    except CellTimeoutError:
        first = cell.source.strip().splitlines()[0]
        raise _failed(f"{place} ran longer than {client.timeout} s", first) from None
    except DeadKernelError:
        first = cell.source.strip().splitlines()[0]
        raise _failed(f"the kernel died in {place}", first) from None


def _failed(what: str, line: str) -> ReportError:
    return ReportError(f"{what}\n  {printable(line.strip(), 100)}\nNo report was written.")


def _failing_line(cell: NotebookNode) -> str:
    lines: list[str] = cell.source.splitlines()
    for output in cell.outputs:
        if output.output_type == "error":
            at = _CELL_LINE.search(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback)))
            if at and int(at.group(1)) <= len(lines):
                return lines[int(at.group(1)) - 1]
    return next(line for line in lines if line.strip())


def _bring_up_to_date(notebook: NotebookNode, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Give the widgets of a notebook the state that they have in the kernel."""
    widgets = notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})
    for key, model in widgets.items():
        model["state"].update(states.get(key, {}))


async def _probe(client: NotebookClient, notebook: NotebookNode) -> dict[str, Any]:
    """Ask the kernel for its sources in a cell that is not kept."""
    cell = _new_cell(PROBE, "raises-exception")
    notebook.cells.append(cell)
    try:
        await client.async_execute_cell(cell, len(notebook.cells) - 1, store_history=False)
    finally:
        notebook.cells.pop()
    for output in cell.outputs:
        if MIME in output.get("data", {}):
            found: dict[str, Any] = json.loads(json.dumps(output.data[MIME]))
            return found
    raise ReportError(
        "the kernel could not say where its data came from; no report was written.\n"
        "Does the notebook change what kalshi_research is, or leave the kernel's Python?"
    )
