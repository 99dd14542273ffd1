"""Tables that fit: on the screen they scroll, on paper they shrink or lie on their side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import Tag

__all__ = ["fit_tables"]

_NUMBER = re.compile(r"[-+−]?[$]?[\d,]*\.?\d+(?:e[-+]?\d+)?[%¢]?|[-+]?inf", re.IGNORECASE)
_MISSING = frozenset(("NaN", "NaT", "None", "<NA>", "nan"))
_WIDEST_CELL = 34
_GAP = 2.4
_PORTRAIT_CHARACTERS = 112
_LANDSCAPE_CHARACTERS = 210


def fit_tables(soup: BeautifulSoup) -> None:
    """Wrap each table in a box that knows its width in characters, and mark its numbers."""
    for table in soup.find_all("table"):
        if table.find_parent("table") is None:
            _mark_cells(table)
            width = _width(table)
            box = soup.new_tag("div", attrs={"class": _box_class(width), "style": f"--chars: {width}"})
            table.wrap(box)


def _box_class(width: int) -> str:
    if width <= _PORTRAIT_CHARACTERS:
        return "table"
    return "table wide" if width <= _LANDSCAPE_CHARACTERS else "table wide wrap"


def _mark_cells(table: Tag) -> None:
    for cell in table.find_all("td"):
        text = cell.get_text(strip=True)
        mark = "missing" if text in _MISSING else "number" if _NUMBER.fullmatch(text) else ""
        if mark:
            cell["class"] = " ".join([*filter(None, cell.get_attribute_list("class")), mark])


def _width(table: Tag) -> int:
    """Width of the table in characters, long texts counted as wrapped."""
    widest: dict[int, float] = {}
    for row in table.find_all("tr"):
        for position, cell in enumerate(row.find_all(["td", "th"])):
            if cell.get("colspan"):
                continue
            needed = min(len(cell.get_text(strip=True)), _WIDEST_CELL) + _GAP
            widest[position] = max(widest.get(position, 0), needed)
    return round(sum(widest.values()))
