"""Text that can be drawn: foreign characters, widths, line breaks, and the source line."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox, IdentityTransform

from kalshi_research.errors import printable

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

__all__ = ["POINTS_PER_INCH", "SourceLine", "drawable", "width_of", "wrapped"]

_SEPARATOR = " · "
_MUST_STAY = ("SIMULATED", "INCOMPLETE", "source unknown")
POINTS_PER_INCH = 72


@lru_cache(maxsize=4096)
def _has_glyph(character: str, families: tuple[str, ...]) -> bool:
    paths = (findfont(FontProperties(family=[family])) for family in families)
    return any(get_font(path).get_char_index(ord(character)) for path in paths)


def drawable(text: object, limit: int = 300) -> str:
    r"""Foreign text made safe to draw: nothing invisible, and only glyphs that the font has.

    Draw it with ``parse_math=False``; otherwise two dollar signs start a formula.

    Examples
    --------
    >>> print(drawable("$5 or $6?\x07"))
    $5 or $6?\x07
    """
    families = tuple(FontProperties().get_family())
    return "".join(
        character if _has_glyph(character, families) else "□" for character in printable(text, limit)
    )


@lru_cache(maxsize=2048)
def width_of(text: str, size: float) -> float:
    """How wide one line of text is [points]."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width)


def wrapped(text: str, width: float, size: float, max_lines: int) -> str:
    """Break text into lines of at most `width` [points]; what does not fit ends in ``…``.

    Words are broken only where one alone is too wide.

    Examples
    --------
    >>> print(wrapped("one two three", 50, 10, 2))
    one two
    three
    """
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < max_lines:
        line, rest = _first_line(rest, width, size)
        lines.append(line)
    if rest:
        last = lines[-1]
        while last and width_of(last + "…", size) > width:
            last = last[:-1]
        lines[-1] = last.rstrip() + "…"
    return "\n".join(lines)


def _first_line(text: str, width: float, size: float) -> tuple[str, str]:
    if width_of(text, size) <= width:
        return text, ""
    fitting = 1
    while fitting < len(text) and width_of(text[: fitting + 1], size) <= width:
        fitting += 1
    space = text.rfind(" ", 0, fitting + 1)
    at = space if space > 0 else fitting
    return text[:at], text[at:].lstrip()


class SourceLine(Text):
    """Where the data came from, under the axes, at whatever place and width there is.

    Its place depends on the tick labels and its line breaks on the width of the axes,
    and both are known only when the figure is drawn. So it finds them then, and tells
    the layout engine about it.
    """

    max_lines = 3

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            0, 0, "", va="top", ha="left", parse_math=False, transform=IdentityTransform(), **kwargs
        )
        self.set_gid("source")
        self.set_clip_on(False)
        self._sources: list[str] = []

    def add(self, line: str) -> None:
        """Add a source; one that is named already is not repeated."""
        if line not in self._sources:
            self._sources.append(line)
        self.set_text("\n".join(self._sources))

    def get_window_extent(self, renderer: RendererBase | None = None, dpi: float | None = None) -> Bbox:
        """The box in which the line will be drawn."""
        if renderer is not None:
            self._settle(renderer)
        return super().get_window_extent(renderer, dpi)

    def draw(self, renderer: RendererBase) -> None:
        """Find the place, then draw."""
        self._settle(renderer)
        super().draw(renderer)

    def _settle(self, renderer: RendererBase) -> None:
        axes, figure = self.axes, self.get_figure(root=True)
        if axes is None or figure is None:
            return
        below = axes.xaxis.get_tightbbox(renderer)
        beside = axes.yaxis.get_tightbbox(renderer)
        left = axes.bbox.x0 if beside is None else min(beside.x0, axes.bbox.x0)
        top = axes.bbox.y0 if below is None else min(below.y0, axes.bbox.y0)
        pixel = figure.dpi / POINTS_PER_INCH
        self.set_position((left, top - 3 * pixel))
        width = (axes.bbox.x1 - left) / pixel
        text = "\n".join(
            _fitted(one, width, self.get_fontsize(), self.max_lines) for one in self._sources
        )
        if text != self.get_text():
            self.set_text(text)


@lru_cache(maxsize=512)
def _fitted(line: str, width: float, size: float, max_lines: int) -> str:
    """Fill lines with the parts of a source line; the least telling parts go first."""
    parts = line.split(_SEPARATOR)
    while True:
        lines = _filled(parts, width, size)
        expendable = [part for part in parts if not part.startswith(_MUST_STAY)]
        fits = len(lines) <= max_lines and all(width_of(part, size) <= width for part in parts)
        if fits or len(expendable) < 2:
            return "\n".join(wrapped(one, width, size, 2) for one in lines)
        parts.remove(max(expendable, key=len))


def _filled(parts: Iterable[str], width: float, size: float) -> list[str]:
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{_SEPARATOR}{part}" if lines else part
        if lines and width_of(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines
