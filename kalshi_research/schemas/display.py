"""Frames in a notebook: what the exchange says stays text, and two dollar signs no formula."""

from __future__ import annotations

import sys

import pandas as pd

from kalshi_research.provenance import KEY

__all__ = ["as_text", "keep_as_text"]


def as_text(frame: pd.DataFrame) -> str | None:
    """A frame as HTML. MathJax leaves frames of the exchange alone; others are as pandas has them.

    Parameters
    ----------
    frame : DataFrame

    Examples
    --------
    >>> frame = pd.DataFrame({"title": ["costs $5 or $6"]})
    >>> "mathjax_ignore" in as_text(frame)
    False
    >>> frame.attrs["kalshi"] = {}
    >>> "mathjax_ignore" in as_text(frame)
    True
    """
    if KEY not in frame.attrs:
        return _html(frame)
    with pd.option_context("display.html.use_mathjax", False):
        return _html(frame)


def _html(frame: pd.DataFrame) -> str | None:
    made: str | None = frame._repr_html_()  # type: ignore[operator]
    return made


def keep_as_text() -> None:
    """Have the notebook that runs this, if any does, show frames by `as_text`.

    A formatter that somebody has chosen for frames stays.
    """
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    if pd.DataFrame not in formatter.type_printers:
        formatter.for_type(pd.DataFrame, as_text)
