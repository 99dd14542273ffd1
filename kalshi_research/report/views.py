"""The parts of the panels as they stood: lines, figures, tables, ladders. All their text is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from kalshi_research.report.sparks import spark

__all__ = ["fields", "view"]

_HOME = "kalshi_research.panels.views."
_NUMBER = re.compile(r"\D{0,2}[\d,]+(?:\.(\d{1,6}))?")
_ROWS = 12
"""So many rows of a table are shown; on the screen it scrolls."""


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
    if not value.strip() or "hint" in role.split():  # how to use what paper has not
        return ""
    return f'<div class="{html.escape(f"widget panel {role}".strip())}">{html.escape(value)}</div>'


def _link(state: Mapping[str, Any]) -> str:
    href, text = str(state.get("href", "")), str(state.get("text", ""))
    return f'<a href="{html.escape(href)}">{html.escape(text)}</a>' if href else ""


def _choice(state: Mapping[str, Any]) -> str:
    names = {value: text for text, value in state.get("options", [])}
    chosen = str(names.get(state.get("value"), ""))
    return f'<div class="widget panel">{html.escape(chosen)}</div>' if chosen else ""


def _facts(state: Mapping[str, Any]) -> str:
    return fields(state.get("pairs", []))


def fields(pairs: Iterable[Sequence[object]]) -> str:
    """Draw names and figures as a table of one row; nothing where there are none.

    Parameters
    ----------
    pairs : iterable of (name, figure)

    Examples
    --------
    >>> fields([]), "<th>Cost</th>" in fields([("Cost", "$1.00")])
    ('', True)
    """
    names, figures = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
    return _drawn([(str(name), False) for name in names], [figures]) if names else ""


def _table(state: Mapping[str, Any]) -> str:
    columns: Sequence[Mapping[str, Any]] = state.get("columns", [])
    rows: Sequence[Mapping[str, Any]] = state.get("rows", [])
    if not rows:
        return f'<div class="widget panel quiet">{html.escape(str(state.get("empty", "")))}</div>'
    kinds = [column.get("kind") for column in columns]
    kept = [at for at, kind in enumerate(kinds) if kind != "action"]
    heads = [(str(columns[at].get("label", "")), kinds[at] == "number") for at in kept]
    lines = [
        [_Drawing(spark(row["cells"][at])) if kinds[at] == "spark" else row["cells"][at] for at in kept]
        for row in rows[:_ROWS]
    ]
    more = len(rows) - _ROWS
    rest = f'<div class="widget panel quiet">and {more:,} more</div>' if more > 0 else ""
    return f"{_drawn(heads, _aligned(heads, lines))}{rest}"


def _ladder(state: Mapping[str, Any]) -> str:
    book: Mapping[str, Any] = state.get("book", {})
    if not book.get("live"):
        return '<div class="widget panel quiet">The book was not current.</div>'
    asks = [["", "", price, size, own] for price, size, own, _ in reversed(book.get("asks", []))]
    bids = [[own, size, price, "", ""] for price, size, own, _ in book.get("bids", [])]
    names = list(map(str, state.get("heads", []))) or ["", "", ""]
    heads = [(name, True) for name in ("Mine", *names, "Mine")]
    if not any(line[0] for line in bids) and not any(line[-1] for line in asks):
        heads = heads[1:-1]
        asks, bids = [line[1:-1] for line in asks], [line[1:-1] for line in bids]
    levels = _aligned(heads, [*asks, *bids])
    asks, bids = levels[: len(asks)], levels[len(asks) :]
    middle = (
        f'<tr><td colspan="{len(heads)}" class="mid">{html.escape(str(book.get("mid", "")))}</td></tr>'
    )
    body = "".join([*_lines(heads, asks), middle, *_lines(heads, bids)])
    return _framed(heads, body)


class _Drawing(str):
    """Markup of our own."""

    __slots__ = ()


_Heads: TypeAlias = Sequence[tuple[str, bool]]
"""Names of columns, and whether they are of numbers."""


def _aligned(heads: _Heads, lines: Sequence[Sequence[object]]) -> list[list[object]]:
    """Numbers with spaces behind them, so that the points of a column stand above each other."""
    most = [
        max((_digits(line[at]) for line in lines), default=0) if number else 0
        for at, (_, number) in enumerate(heads)
    ]
    return [
        [
            f"{cell}{_spaces(_digits(cell), so)}" if so else cell
            for cell, so in zip(line, most, strict=True)
        ]
        for line in lines
    ]


def _digits(cell: object) -> int:
    """Digits behind the point; -1 for what is no number."""
    found = _NUMBER.fullmatch(str(cell))
    return -1 if found is None else len(found[1] or "")


def _spaces(own: int, most: int) -> str:
    """As wide as the digits that are missing, and the point."""
    if own < 0:
        return ""
    return ("" if own or not most else "\u2008") + "\u2007" * (most - own)


def _drawn(heads: _Heads, lines: Iterable[Sequence[object]]) -> str:
    return _framed(heads, "".join(_lines(heads, lines)))


def _framed(heads: _Heads, body: str) -> str:
    shown = "".join(f"<th{_of(number)}>{html.escape(name)}</th>" for name, number in heads)
    return f'<table class="panel"><thead><tr>{shown}</tr></thead><tbody>{body}</tbody></table>'


def _lines(heads: _Heads, lines: Iterable[Sequence[object]]) -> Iterator[str]:
    for cells in lines:
        shown = "".join(
            f"<td{_of(number)}>{cell if isinstance(cell, _Drawing) else html.escape(str(cell))}</td>"
            for cell, (_, number) in zip(cells, heads, strict=True)
        )
        yield f"<tr>{shown}</tr>"


def _of(number: bool) -> str:
    return ' class="number"' if number else ""


_SHOWN: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "Choice": _choice,
    "Facts": _facts,
    "Ladder": _ladder,
    "Link": _link,
    "Plain": _plain,
    "Presence": lambda _: "",
    "Table": _table,
}
