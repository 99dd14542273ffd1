"""Markdown with formulas, as HTML with MathML, which browsers draw without a script."""

from __future__ import annotations

import html
import re
from re import Match
from typing import TYPE_CHECKING

import mistune
from latex2mathml import exceptions
from latex2mathml.converter import convert
from mistune.renderers.html import HTMLRenderer

if TYPE_CHECKING:
    from mistune.block_parser import BlockParser
    from mistune.core import BlockState, InlineState
    from mistune.inline_parser import InlineParser
    from mistune.markdown import Markdown

__all__ = ["formulas_in", "markdown"]

_BAD_FORMULA: tuple[type[Exception], ...] = (
    *(kind for kind in vars(exceptions).values() if isinstance(kind, type)),
    *(IndexError, KeyError, StopIteration, ValueError),
)
_BLOCK = r"^ {0,3}\$\$(?P<block_formula>[\s\S]+?)\$\$[ \t]*(?:\n|$)"
# An opening dollar has no space behind it, a closing one none before it and no digit behind it:
# "from $0.42 to $0.58" is prose.
_DISPLAYED = r"(?<!\\)\$\$(?P<displayed_text>[^$]+?)\$\$"
_INLINE = r"(?<!\\)\$(?![\s$])(?P<formula_text>(?:[^$\\\n]|\\.)*?(?:[^$\\\s]|\\[^\s]))\$(?![\d$])"
_ANY = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)


def markdown(source: str) -> str:
    """Markdown as HTML, which is not clean yet.

    Examples
    --------
    >>> markdown("from $0.42 to $0.58").strip()
    '<p>from $0.42 to $0.58</p>'
    >>> "<mi>p</mi>" in markdown("the price $p$")
    True
    """
    result = _render(source)
    return result if isinstance(result, str) else ""


def formulas_in(text: str) -> str:
    r"""The formulas of a LaTeX output, such as ``$x$`` or ``$\displaystyle x$``."""
    parts = [
        _mathml(match.group(1) or match.group(2), block=match.group(1) is not None)
        for match in _ANY.finditer(text)
    ]
    return "".join(parts) or f"<pre>{html.escape(text)}</pre>"


def _mathml(formula: str, *, block: bool) -> str:
    try:
        drawn = str(convert(formula.strip(), display="block" if block else "inline"))
    except _BAD_FORMULA:
        return f"<code>{html.escape(formula)}</code>"
    return re.sub(r' xmlns="[^"]*"', "", drawn)


def _parse_block(_block: BlockParser, match: Match[str], state: BlockState) -> int:
    state.append_token({"type": "formula_block", "raw": match.group("block_formula")})
    return match.end()


def _parse_displayed(_inline: InlineParser, match: Match[str], state: InlineState) -> int:
    state.append_token({"type": "displayed_formula", "raw": match.group("displayed_text")})
    return match.end()


def _parse_inline(_inline: InlineParser, match: Match[str], state: InlineState) -> int:
    state.append_token({"type": "formula", "raw": match.group("formula_text")})
    return match.end()


def _show_block(_renderer: object, formula: str) -> str:
    return f"<div>{_mathml(formula, block=True)}</div>\n"


def _show_displayed(_renderer: object, formula: str) -> str:
    return _mathml(formula, block=True)


def _show_inline(_renderer: object, formula: str) -> str:
    return _mathml(formula, block=False)


def _formulas(md: Markdown) -> None:
    md.block.register("formula_block", _BLOCK, _parse_block, before="list")
    md.inline.register("formula", _INLINE, _parse_inline, before="codespan")
    md.inline.register("displayed_formula", _DISPLAYED, _parse_displayed, before="formula")
    renderer = md.renderer
    if isinstance(renderer, HTMLRenderer):
        renderer.register("formula_block", _show_block)
        renderer.register("displayed_formula", _show_displayed)
        renderer.register("formula", _show_inline)


_render = mistune.create_markdown(
    escape=False,
    plugins=["table", "strikethrough", "footnotes", "def_list", "task_lists", _formulas],
)
