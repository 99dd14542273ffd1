"""Widgets standing still: what they showed when the notebook ended, as text and tables."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from kalshi_research.report.views import fields, view

__all__ = ["WIDGET_VIEW", "still"]

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_REFERENCE = "IPY_MODEL_"
_DEEPEST = 12
_PANEL = "kr-panel"
_MARKUP = ("HTMLModel", "HTMLMathModel")


def still(
    model_id: str,
    states: Mapping[str, Any],
    output: Callable[[NotebookNode], str],
    depth: int = 0,
    *,
    panel: bool = False,
) -> str:
    """Render one widget and what it contains.

    Parameters
    ----------
    model_id : str
        Which one.
    states : mapping
        The state of each model, as a notebook stores it.
    output : callable
        Renders an output that an Output widget captured.
    depth : int
        How deep this one lies; a widget may contain itself.
    panel : bool
        Whether it is a part of one of our panels: paper has no buttons, and of a form what was
        written in it.

    Returns
    -------
    str
        HTML, not clean yet; empty where there is nothing to show.
    """
    model = states.get(model_id, {})
    state: Mapping[str, Any] = model.get("state", {})
    name = str(model.get("model_name", ""))
    if depth > _DEEPEST or _is_hidden(state, states):
        return ""
    panel = panel or _PANEL in state.get("_dom_classes", ())
    if panel and name == "GridBoxModel":
        return fields(_written(model_id, states, depth))
    inner = [still(child, states, output, depth + 1, panel=panel) for child in _children(state)]
    if inner:
        kind = "widget-row" if name == "HBoxModel" else "widget-box"
        return f'<div class="{kind}">{"".join(inner)}</div>' if any(inner) else ""
    if name == "OutputModel":
        captured = [NotebookNode(inner) for inner in state.get("outputs", [])]
        return "".join(map(output, captured))
    if panel and (name == "ButtonModel" or _is_empty(state)):
        return ""
    return _leaf(name, state)


def _children(state: Mapping[str, Any]) -> list[str]:
    return [str(child).removeprefix(_REFERENCE) for child in state.get("children", [])]


def _is_empty(state: Mapping[str, Any]) -> bool:
    """Whether it is a field in which nothing was written."""
    return state.get("value") in ("", False) and view(state) is None


def _written(model_id: str, states: Mapping[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    """What was written in a form, by the names of its fields."""
    state: Mapping[str, Any] = states.get(model_id, {}).get("state", {})
    if depth > _DEEPEST or _is_hidden(state, states):
        return
    for child in _children(state):
        yield from _written(child, states, depth + 1)
    choices = {value: text for text, value in state.get("options", ())}
    if choices:
        yield str(state.get("label", "")), str(choices.get(state.get("value"), ""))
    elif state.get("description") and "children" not in state:
        value = _value(state)
        if value is not None and not _is_empty(state):
            yield str(state["description"]), value


def _is_hidden(state: Mapping[str, Any], states: Mapping[str, Any]) -> bool:
    layout = states.get(str(state.get("layout")).removeprefix(_REFERENCE), {})
    return bool(layout.get("state", {}).get("display") == "none")


def _leaf(name: str, state: Mapping[str, Any]) -> str:
    shown = view(state)
    if shown is not None:
        return shown
    description = html.escape(str(state.get("description") or ""))
    if name == "ButtonModel":
        return f'<span class="widget-button">{description}</span>' if description else ""
    value = _value(state)
    if value is None:
        return ""
    text = value if name in _MARKUP else html.escape(value)
    label = f'<span class="widget-label">{description}</span> ' if description else ""
    return f'<div class="widget">{label}{text}</div>' if label or text.strip() else ""


def _value(state: Mapping[str, Any]) -> str | None:
    labels = state.get("_options_labels")
    if labels is not None:
        index = state.get("index")
        chosen = index if isinstance(index, list) else [index]
        return ", ".join(str(labels[i]) for i in chosen if isinstance(i, int) and i < len(labels))
    value = state.get("value")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " – ".join(map(str, value))
    return None if value is None else str(value)
