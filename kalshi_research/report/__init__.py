"""A notebook, executed afresh, as one file to send to somebody.

The file holds everything it shows: no script, no address to fetch from, no code. It says
where its data came from, with which parameters and versions it was made, and marks
simulated data on every page.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from kalshi_research.errors import InputError, ReportError, printable, quoted
from kalshi_research.parts import replaced

__all__ = ["typed_parameters", "write_report"]

_NEEDED = ("nbclient", "nbformat", "ipykernel", "mistune", "bs4", "latex2mathml")
_FORMATS = ("html", "pdf")


def write_report(
    notebook: str | os.PathLike[str],
    *,
    parameters: Mapping[str, Any] | None = None,
    to: Literal["html", "pdf"] | None = None,
    output: str | os.PathLike[str] | None = None,
    timeout: float = 600.0,
) -> Path:
    """Execute a notebook and export it as a self-contained report.

    The notebook runs in a fresh kernel of the current environment, in its own folder. The
    notebook file is not changed.

    A cell tagged ``remove-cell`` is left out, ``remove-output`` too, and the output of one
    tagged ``hide-output`` is folded away.

    Parameters
    ----------
    notebook : path
        The ``.ipynb`` file.
    parameters : mapping, optional
        Values for names that the cell tagged ``parameters`` assigns: text, numbers, booleans,
        None, and lists or dicts of them.
    to : {"html", "pdf"}, optional
        Kind of file; by default what the suffix of `output` says, else ``"html"``. A PDF is
        printed by an installed Chromium, Chrome or Edge; the environment variable ``CHROMIUM``
        may name it.
    output : path, optional
        File to write; by default ``reports/<name of the notebook>.<to>``.
    timeout : float, default 600
        Longest time for one cell [s].

    Returns
    -------
    pathlib.Path
        The file written, absolute.

    Raises
    ------
    InputError
        An argument is wrong, such as a parameter that the notebook does not have. Nothing ran.
    ReportError
        A cell failed, the result holds a private key, or there is nothing to print a PDF
        with. No file was written.

    Examples
    --------
    >>> write_report("notebooks/01_quickstart.ipynb", to="docx")
    Traceback (most recent call last):
    ...
    kalshi_research.errors.InputError: to must be "html" or "pdf", not 'docx'; nothing was executed.
    """
    path = Path(notebook)
    kind, target = _target(path, to, output)
    _check_installed()
    from kalshi_research.report import leaks, page, pdf
    from kalshi_research.report import notebook as executing

    browser = pdf.find_browser() if kind == "pdf" else None
    document = executing.load(path)
    given = executing.add_parameters(document, parameters or {}, path.name)
    folder = path.resolve().parent
    run = executing.execute(document, folder=folder, name=path.name, timeout=timeout)
    text = page.render(run, name=path.name, stem=path.stem, parameters=given, folder=folder)
    leaks.refuse_secrets(text, path.name)
    content = text.encode("utf-8") if browser is None else pdf.print_page(text, browser)
    return _write(target, content)


def typed_parameters(
    notebook: str | os.PathLike[str], pairs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Values typed as text, each read as the kind of value that the notebook assigns to its name.

    Where the notebook assigns text the value stays text, whatever it looks like.

    Parameters
    ----------
    notebook : path
        The ``.ipynb`` file.
    pairs : sequence of (str, str)
        Names and values.

    Returns
    -------
    dict
        For the argument `parameters` of `write_report`.

    Raises
    ------
    InputError
        A value does not fit. Unknown names are left to `write_report`.
    ReportError
        The notebook cannot be read.

    Examples
    --------
    >>> typed_parameters("notebooks/01_quickstart.ipynb", [])
    {}
    """
    if not pairs:
        return {}
    _check_installed()
    from kalshi_research.report import notebook as executing

    return executing.typed_parameters(Path(notebook), pairs)


def _target(path: Path, to: str | None, output: str | os.PathLike[str] | None) -> tuple[str, Path]:
    suffix = Path(output).suffix.lower().removeprefix(".") if output is not None else ""
    kind = to or suffix or "html"
    if kind not in _FORMATS:
        raise InputError(f'to must be "html" or "pdf", not {quoted(kind, 40)}; nothing was executed.')
    if output is None:
        return kind, (Path("reports") / f"{path.stem}.{kind}").resolve()
    if suffix != kind:
        raise InputError(
            f"output {printable(Path(output).name, 80)} does not end in .{kind}; nothing was executed."
        )
    return kind, Path(output).resolve()


def _check_installed() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ReportError(
            f"reports need {', '.join(missing)}; nothing was executed.\n"
            "Install with: pip install 'kalshi-research[report]'"
        )


def _write(target: Path, content: bytes) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replaced(target) as file:
            file.write(content)
    except OSError as error:
        raise ReportError(
            f"{printable(target)} cannot be written: {printable(error.strerror or error)}\n"
            "No report was written. Choose another place with output=."
        ) from error
    return target
