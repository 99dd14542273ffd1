"""The cells of an executed notebook as HTML: text, tables and figures, never code."""

from __future__ import annotations

import html
import json
import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup

from kalshi_research.report.formulas import formulas_in, markdown
from kalshi_research.report.markup import cleaned, data_uri, svg_image
from kalshi_research.report.tables import fit_tables
from kalshi_research.report.widgets import WIDGET_VIEW, still

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Content", "content_of"]

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ATTACHMENT = re.compile(r"attachment:([^\s)\"'>]+)")
# A warning without the place in the code, which the report does not show.
_WARNING = re.compile(r"^\S[^\n]*?:\d+: (\w*Warning: [^\n]*)\n(?:  [^\n]*\n?)?", re.MULTILINE)
_LARGEST_SVG = 2_000_000


@dataclass(frozen=True)
class Content:
    """What a report shows of a notebook.

    Attributes
    ----------
    title : str
        Its first heading of the first level; empty when it has none.
    body : str
        Clean HTML of all that follows.
    """

    title: str
    body: str


def content_of(notebook: NotebookNode, folder: Path) -> Content:
    """Render all cells; images beside the notebook in `folder` are taken into the page."""
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    states: Mapping[str, Any] = widgets.get("state", {})
    soup = BeautifulSoup("\n".join(_cells(notebook, folder, states)), "html.parser")
    title = ""
    heading = soup.find("h1")
    if heading is not None:
        title = heading.get_text(" ", strip=True)
        heading.decompose()
    fit_tables(soup)
    return Content(title, str(soup))


def _cells(notebook: NotebookNode, folder: Path, states: Mapping[str, Any]) -> Iterator[str]:
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "remove-cell" in tags:
            continue
        if cell.cell_type == "markdown":
            yield f'<section class="text">{cleaned(markdown(_with_images(cell, folder)))}</section>'
        elif cell.cell_type == "code" and "remove-output" not in tags:
            shown = "".join(str(cleaned(_output(output, states))) for output in cell.outputs)
            if shown and "hide-output" in tags:
                shown = f"<details><summary>Details</summary>{shown}</details>"
            if shown:
                yield f'<section class="result">{shown}</section>'


def _with_images(cell: NotebookNode, folder: Path) -> str:
    """The source of a text cell with its attached and neighbouring images as data."""
    attached = cell.get("attachments", {})

    def from_cell(match: re.Match[str]) -> str:
        for kind, content in attached.get(match.group(1), {}).items():
            if kind.startswith("image/"):
                return f"data:{kind};base64,{''.join(content.split())}"
        return match.group()

    def from_folder(match: re.Match[str]) -> str:
        kind = mimetypes.guess_type(match.group(2))[0] or ""
        file = folder / match.group(2)
        if not kind.startswith("image/") or not file.is_file():
            return match.group()
        return f"{match.group(1)}{data_uri(kind, file.read_bytes())}"

    source = _ATTACHMENT.sub(from_cell, str(cell.source))
    return re.sub(r"(!\[[^\]]*\]\()(?!data:|https?:)([^)\s]+)", from_folder, source)


def _output(output: NotebookNode, states: Mapping[str, Any]) -> str:
    if output.output_type == "stream":
        name = "stderr" if output.name == "stderr" else "stdout"
        said = _joined(output.text)
        text = _plain(_WARNING.sub(r"\1\n", said) if name == "stderr" else said)
        return f'<pre class="{name}">{text}</pre>' if text.strip() else ""
    if output.output_type == "error":
        return f'<pre class="stderr">{_plain(f"{output.ename}: {output.evalue}")}</pre>'
    data: Mapping[str, Any] = output.get("data", {})
    if WIDGET_VIEW in data:
        return still(data[WIDGET_VIEW].get("model_id", ""), states, lambda inner: _output(inner, states))
    for kind, show in _SHOWN.items():
        if kind in data:
            shown = show(data[kind])
            if shown:
                return shown
    return ""


def _joined(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(value: object) -> str:
    return html.escape(_ANSI.sub("", _joined(value)))


def _html(value: object) -> str:
    soup = cleaned(_joined(value))
    visible = soup.get_text(strip=True) or soup.find("img") is not None
    return str(soup) if visible else ""


def _svg(value: object) -> str:
    drawing = _joined(value)
    if "<svg" not in drawing or len(drawing) > _LARGEST_SVG:
        return ""
    return f"<figure>{svg_image(drawing)}</figure>"


def _picture(kind: str) -> Callable[[object], str]:
    def show(value: object) -> str:
        content = "".join(_joined(value).split())
        return f'<figure><img class="raster" alt="figure" src="data:{kind};base64,{content}"></figure>'

    return show


def _text(value: object) -> str:
    return f"<pre>{_plain(value)}</pre>"


def _json(value: object) -> str:
    return f"<pre>{html.escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _latex(value: object) -> str:
    return f"<div>{formulas_in(_joined(value))}</div>"


# The first kind that an output offers, in this order, is the one shown.
_SHOWN: dict[str, Callable[[Any], str]] = {
    "text/html": _html,
    "text/markdown": lambda value: markdown(_joined(value)),
    "image/svg+xml": _svg,
    "image/png": _picture("image/png"),
    "image/jpeg": _picture("image/jpeg"),
    "text/latex": _latex,
    "application/json": _json,
    "text/plain": _text,
}
