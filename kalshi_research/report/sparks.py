"""Small lines that stand in the cell of a table, drawn from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from kalshi_research.report.markup import svg_image

__all__ = ["points", "spark"]

_LEAST: Final = 0.02
"""What moves less than this is drawn as small as it is [dollars]."""
_COLOUR: Final = "#14507d"


def points(values: Sequence[object]) -> list[tuple[float, float]]:
    """Where the line goes, in a field of 100 by 22 with its origin at the upper left.

    Parameters
    ----------
    values : sequence of float or None
        At equal distances; what is no finite number is left out.

    Returns
    -------
    list of (float, float)
        Empty where fewer than two are known.

    Examples
    --------
    >>> points([0.25, None, 0.75])
    [(0.0, 20.0), (100.0, 2.0)]
    """
    known = _known(values)
    if len(known) < 2:
        return []
    low = min(value for _, value in known)
    span = max(max(value for _, value in known) - low, _LEAST)
    last = len(values) - 1
    return [(round(100 * at / last, 1), round(20 - 18 * (value - low) / span, 1)) for at, value in known]


def spark(values: object) -> str:
    """A line as an image that says in words from where to where it goes.

    Parameters
    ----------
    values : sequence of float or None
        Prices [dollars]. Anything else is drawn as nothing.

    Returns
    -------
    str
        HTML, empty where there is no line. It holds numbers and our own words only.

    Examples
    --------
    >>> spark([0.2, None, 0.35])[:52]
    '<img alt="from 0.20 to 0.35, lowest 0.20, highest 0.'
    >>> spark(["<b>", None]), spark("text")
    ('', '')
    """
    if not isinstance(values, list | tuple) or not (line := points(values)):
        return ""
    known = [value for _, value in _known(values)]
    words = f"from {known[0]:.2f} to {known[-1]:.2f}, lowest {min(known):.2f}, highest {max(known):.2f}"
    path = " ".join(f"{x:g},{y:g}" for x, y in line)
    drawing = (
        '<svg width="100" height="22" viewBox="0 0 100 22" preserveAspectRatio="none">'
        f'<polyline points="{path}" fill="none" stroke="{_COLOUR}" stroke-width="1.5"/></svg>'
    )
    return svg_image(drawing, words)


def _known(values: Sequence[object]) -> list[tuple[int, float]]:
    return [
        (at, float(value))
        for at, value in enumerate(values)
        if isinstance(value, int | float) and math.isfinite(value)
    ]
