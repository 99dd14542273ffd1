"""The page around the content: title, warnings, provenance, typography, security policy."""

from __future__ import annotations

import html
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import printable
from kalshi_research.report.cells import Content, content_of

if TYPE_CHECKING:
    from kalshi_research.report.notebook import Run

__all__ = ["render"]

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_PACKAGES = ("kalshi-research", "pandas", "numpy", "pyarrow", "matplotlib", "requests")
_MARK = "SIMULATED"
_SIMULATED = "Simulated data. The numbers come from a simulated exchange, not from Kalshi."
_PARTLY = "Partly simulated data. Some numbers come from the simulated exchange, not from Kalshi."
_DEMO = "Demo data. The numbers come from Kalshi's test system, where nobody trades real money."


def render(run: Run, *, name: str, stem: str, parameters: Mapping[str, Any], folder: Path) -> str:
    """The whole page as text.

    Parameters
    ----------
    run : Run
        The executed notebook.
    name, stem : str
        The file name of the notebook, with and without suffix.
    parameters : mapping
        All parameters it ran with.
    folder : path
        Where it lies.

    Returns
    -------
    str
        HTML without script and without an address that a browser would fetch.
    """
    content = content_of(run.notebook, folder)
    title = content.title or stem.replace("_", " ")
    environments = _environments(run, parameters)
    banner = _banner(run, content, environments)
    mark = f"{_MARK} · " if banner in (_SIMULATED, _PARTLY) else ""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    executed = f"{run.finished:%Y-%m-%d %H:%M} UTC"
    about = " · ".join([executed, *(f"environment {name}" for name in environments)])
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{html.escape(mark + title)}</title>",
            f"<style>{style}\n@page {{ @bottom-left {{ content: {_css_text(mark + title)} }} }}</style>",
            "</head>",
            "<body>",
            f'<p class="banner">{html.escape(banner)}</p>' if banner else "",
            f"<header><h1>{html.escape(title)}</h1><p>{html.escape(about)}</p></header>",
            f"<main>{content.body}</main>",
            "<footer>",
            "<h2>Provenance</h2>",
            *_provenance(run, name, executed, parameters),
            "</footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _environments(run: Run, parameters: Mapping[str, Any]) -> list[str]:
    """Every environment known to have taken part."""
    known = {str(row["environment"]) for row in run.sources["frames"]} | set(run.sources["clients"])
    if not known and isinstance(parameters.get("ENVIRONMENT"), str):
        known = {str(parameters["ENVIRONMENT"])}
    return sorted(printable(name, 30) for name in known)


def _banner(run: Run, content: Content, environments: list[str]) -> str:
    simulated = run.sources["simulated"] or "sandbox" in environments or _MARK in content.body
    if simulated and any(name in ("prod", "demo") for name in environments):
        return _PARTLY
    if simulated:
        return _SIMULATED
    return _DEMO if "demo" in environments else ""


def _css_text(text: str) -> str:
    r"""Text as a CSS string; what could end the string or the element is written as a number."""
    safe = (c if c.isalnum() or c in " .,:;-–·()%/" else f"\\{ord(c):x} " for c in printable(text, 90))
    return f'"{"".join(safe)}"'


def _provenance(run: Run, name: str, executed: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    facts = {
        "Notebook": name,
        "Executed": f"{executed}, in {run.seconds:.1f} s, in a fresh kernel",
        "Parameters": ", ".join(f"{key} = {value!r}" for key, value in parameters.items()) or "none",
        "Packages": ", ".join(_versions()),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    }
    yield "<dl>"
    for term, fact in facts.items():
        yield f"<dt>{term}</dt><dd>{html.escape(fact)}</dd>"
    yield "</dl>"
    rows = run.sources["frames"]
    if not rows:
        yield "<p>Data: source unknown. No frame of the notebook says where it came from.</p>"
        return
    yield '<div class="table sources"><table><thead><tr>'
    yield "<th>Data from</th><th>Route</th><th>Fetched (UTC)</th><th>Rows</th><th>Complete</th>"
    yield "</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(_source_cells(row))}</tr>"
    yield "</tbody></table></div>"


def _source_cells(row: Mapping[str, Any]) -> Iterator[str]:
    environment = printable(row["environment"] or "unknown", 30)
    yield f"<td>{html.escape(environment)}{' (simulated)' if row['simulated'] else ''}</td>"
    yield f"<td><code>{html.escape(printable(row['endpoint'] or '', 100))}</code></td>"
    yield f"<td>{html.escape(printable(row['fetched_at'] or 'unknown', 40).removesuffix('+00:00'))}</td>"
    rows = row["rows"]
    yield f'<td class="number">{f"{rows:,}" if isinstance(rows, int) else "unknown"}</td>'
    yield f"<td>{'yes' if row['complete'] else 'no'}</td>"


def _versions() -> Iterator[str]:
    for package in _PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
