"""Tables that fit: on the screen they scroll, on paper they shrink or lie on their side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import Tag

__all__ = ["fit_tables"]

_NUMBER = re.compile(r"[-+−]?[$]?[\d,]*\.?\d+(?:e[-+]?\d+)?[%¢]?|[-+−]?inf", re.IGNORECASE)
_MISSING = frozenset(("NaN", "NaT", "None", "<NA>", "nan", "", "–", "—", "-"))
_LONG = 34
_GAP = 2.4
_DRAWING = 14
_PORTRAIT = 150
_LANDSCAPE = 230
_HEADINGS = ("h2", "h3", "h4", "h5", "h6")


def fit_tables(soup: BeautifulSoup) -> None:
    """Wrap each table in a box that knows its width in characters, and align its columns."""
    for table in soup.find_all("table"):
        if table.find_parent("table") is None:
            rows = [row.find_all(["td", "th"]) for row in table.find_all("tr")]
            _mark_cells(rows)
            width = _width(rows)
            table.wrap(soup.new_tag("div", attrs={"class": _kind(width), "style": f"--chars: {width}"}))
            if width > _PORTRAIT:
                _turn(table)


def _kind(width: int) -> str:
    if width <= _PORTRAIT:
        return "table"
    return "table wide" if width <= _LANDSCAPE else "table wide full"


def _mark_cells(rows: Sequence[Sequence[Tag]]) -> None:
    kinds: dict[int, set[str]] = {}
    for row in rows:
        for position, cell in enumerate(row):
            text = cell.get_text(strip=True)
            if len(text) > _LONG:
                _add_class(cell, "long")
            if cell.name == "td":
                kind = "words" if cell.find("img") else _kind_of_cell(text)
                _add_class(cell, kind)
                kinds.setdefault(position, set()).add(kind)
    for row in rows:
        if not any(cell.name == "td" for cell in row):
            for position, cell in enumerate(row):
                if "words" not in kinds.get(position, {"words"}):
                    _add_class(cell, "number")


def _kind_of_cell(text: str) -> str:
    if text in _MISSING:
        return "missing"
    return "number" if _NUMBER.fullmatch(text) else "words"


def _add_class(cell: Tag, name: str) -> None:
    if name != "words":
        cell["class"] = " ".join([*filter(None, cell.get_attribute_list("class")), name])


def _width(rows: Sequence[Sequence[Tag]]) -> int:
    """Width of the table in characters, long texts counted as wrapped."""
    widest: dict[int, float] = {}
    for row in rows:
        for position, cell in enumerate(row):
            if not cell.get("colspan"):
                drawn = _DRAWING if cell.find("img") else 0
                needed = max(min(len(cell.get_text(strip=True)), _LONG), drawn) + _GAP
                widest[position] = max(widest.get(position, 0), needed)
    return round(sum(widest.values()))


def _turn(table: Tag) -> None:
    """Put the section of a very wide table on a page of its own, with the heading above it."""
    section = table.find_parent("section")
    if section is None:
        return
    section["class"] = "result sideways"
    before = section.find_previous_sibling("section")
    last = before.find_all(True, recursive=False)[-1:] if before is not None else []
    if last and last[0].name in _HEADINGS:
        section.insert(0, last[0].extract())
