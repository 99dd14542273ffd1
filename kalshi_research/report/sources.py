"""What only the kernel of a notebook knows: where its data came from, how its widgets stand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kalshi_research.provenance import KEY

__all__ = ["MIME", "PROBE", "found_sources", "publish_sources"]

MIME = "application/vnd.kalshi-research.sources+json"

PROBE = (
    '__import__("kalshi_research.report.sources", fromlist=["publish_sources"])'
    ".publish_sources(globals())"
)
"""The statement executed after the last cell. It needs no name that the notebook could have changed."""

_MOST = 200
_CODE = ("_esm", "_css")
_CAPTURED = "OutputModel"
"""What an Output widget has captured is known to who executes the notebook, not to the kernel."""
_COLUMNS = ("environment", "endpoint", "fetched_at", "rows", "complete", "simulated")


def found_sources(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Look for frames of known provenance and for clients among the names of a notebook.

    Parameters
    ----------
    namespace : mapping
        Names and their values; what was displayed is found through ``Out``.

    Returns
    -------
    dict
        ``frames``: one dict per distinct provenance; ``clients``: the environments connected
        to; ``simulated``: whether anything of it came from a simulated exchange.

    Examples
    --------
    >>> found_sources({"x": 1})
    {'frames': [], 'clients': [], 'simulated': False}
    """
    values = list(_reachable(namespace))
    frames = {
        tuple(str(known.get(name)) for name in _COLUMNS): {name: known.get(name) for name in _COLUMNS}
        for known in filter(None, map(_provenance, values))
    }
    clients = [value for value in values if _is_client(value)]
    ordered = sorted(frames.values(), key=lambda row: (str(row["fetched_at"]), str(row["endpoint"])))
    return {
        "frames": ordered[:_MOST],
        "clients": sorted({str(client.environment.name) for client in clients}),
        "simulated": any(bool(row["simulated"]) for row in ordered)
        or any(bool(client.simulated) for client in clients),
    }


def publish_sources(namespace: Mapping[str, Any]) -> None:
    """Send `found_sources` and `widget_states` to whoever executes the notebook."""
    from IPython.display import display

    display({MIME: found_sources(namespace) | {"widgets": widget_states()}}, raw=True)


def widget_states() -> dict[str, dict[str, Any]]:
    """The widgets as they stand, by the id of their models.

    Who executes a notebook hears of changes only while the cell that made them runs; a panel is
    brought up to date by threads.

    Returns
    -------
    dict
        Empty where the notebook has no widgets.
    """
    ipywidgets = sys.modules.get("ipywidgets")
    if ipywidgets is None:
        return {}
    states = ipywidgets.Widget.get_manager_state()["state"]
    return {
        key: {name: value for name, value in model["state"].items() if name not in _CODE}
        for key, model in states.items()
        if model["model_name"] != _CAPTURED
    }


def _reachable(namespace: Mapping[str, Any]) -> Iterator[Any]:
    """Every value, those displayed, and what lies directly in a list, tuple or dict; each once."""
    seen: set[int] = set()
    shown = namespace.get("Out")
    groups: list[Iterable[Any]] = [list(namespace.values())]
    if isinstance(shown, dict):
        groups.append(list(shown.values()))
    for value in [value for group in groups for value in group]:
        for inner in (value, *_inside(value)):
            if id(inner) not in seen:
                seen.add(id(inner))
                yield inner


def _inside(value: Any) -> list[Any]:
    if type(value) is dict:
        return list(value.values())
    return list(value) if type(value) in (list, tuple) else []


def _provenance(value: Any) -> dict[str, Any] | None:
    if type(value).__module__.partition(".")[0] != "pandas":
        return None
    attrs = getattr(value, "attrs", None)
    known = attrs.get(KEY) if isinstance(attrs, Mapping) else None
    return dict(known) if isinstance(known, Mapping) else None


def _is_client(value: Any) -> bool:
    kind = type(value)
    return kind.__name__ == "Client" and kind.__module__.startswith("kalshi_research.")
