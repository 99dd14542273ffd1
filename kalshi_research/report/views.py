"""The parts of the panels as they stood: lines of text, tables, ladders. All their text is escaped."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["view"]

_HOME = "kalshi_research.panels.views."
_ROWS = 12
"""So many rows of a table are shown; on the screen it scrolls."""
_WITHOUT_TEXT = ("spark", "action")


def view(state: Mapping[str, Any]) -> str | None:
    """Draw one part of a panel.

    Parameters
    ----------
    state : mapping
        Of its model, as a notebook stores it.

    Returns
    -------
    str or None
        HTML; None where it is no part of a panel.

    Examples
    --------
    >>> view({"_anywidget_id": "kalshi_research.panels.views.Plain", "value": "a < b", "role": "quiet"})
    '<div class="widget panel quiet">a &lt; b</div>'
    >>> view({"value": "a"}) is None
    True
    """
    home, _, name = str(state.get("_anywidget_id", "")).rpartition(".")
    show = _SHOWN.get(name) if f"{home}." == _HOME else None
    return None if show is None else show(state)


def _plain(state: Mapping[str, Any]) -> str:
    value, role = str(state.get("value", "")), str(state.get("role", ""))
    if not value.strip():
        return ""
    return f'<div class="{html.escape(f"widget panel {role}".strip())}">{html.escape(value)}</div>'


def _link(state: Mapping[str, Any]) -> str:
    href, text = str(state.get("href", "")), str(state.get("text", ""))
    return f'<a href="{html.escape(href)}">{html.escape(text)}</a>' if href else ""


def _table(state: Mapping[str, Any]) -> str:
    columns: Sequence[Mapping[str, Any]] = state.get("columns", [])
    rows: Sequence[Mapping[str, Any]] = state.get("rows", [])
    if not rows:
        return f'<div class="widget panel quiet">{html.escape(str(state.get("empty", "")))}</div>'
    kept = [at for at, column in enumerate(columns) if column.get("kind") not in _WITHOUT_TEXT]
    heads = [str(columns[at].get("label", "")) for at in kept]
    lines = [[row["cells"][at] for at in kept] for row in rows[:_ROWS]]
    more = len(rows) - _ROWS
    rest = f'<div class="widget panel quiet">and {more:,} more</div>' if more > 0 else ""
    return f"{_drawn(heads, lines)}{rest}"


def _ladder(state: Mapping[str, Any]) -> str:
    book: Mapping[str, Any] = state.get("book", {})
    if not book.get("live"):
        return '<div class="widget panel quiet">The book was not current.</div>'
    lines = [["", price, _size(size, own)] for price, size, own, _ in reversed(book.get("asks", []))]
    lines.append(["", book.get("mid", ""), ""])
    lines += [[_size(size, own), price, ""] for price, size, own, _ in book.get("bids", [])]
    return _drawn(map(str, state.get("heads", [])), lines)


def _size(size: object, own: object) -> str:
    return f"{size} ({own} yours)" if own else str(size)


def _drawn(heads: Iterable[str], lines: Sequence[Sequence[object]]) -> str:
    return "".join(_rows(heads, lines))


def _rows(heads: Iterable[str], lines: Sequence[Sequence[object]]) -> Iterator[str]:
    yield '<table class="panel"><thead><tr>'
    yield from (f"<th>{html.escape(head)}</th>" for head in heads)
    yield "</tr></thead><tbody>"
    for cells in lines:
        shown = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        yield f"<tr>{shown}</tr>"
    yield "</tbody></table>"


_SHOWN: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "Ladder": _ladder,
    "Link": _link,
    "Plain": _plain,
    "Table": _table,
}
