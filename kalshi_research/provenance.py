"""Where a frame came from: the small dict in ``frame.attrs["kalshi"]``.

It holds JSON scalars only, because pandas copies it through slicing, grouping and
Parquet. pandas drops it on merge and on concat of unequal ones, so a function that
joins frames calls `combined`.

==============  ======================================================================
key             meaning
==============  ======================================================================
environment     ``prod``, ``demo``, ``sandbox``, ``file`` or ``mixed``
host            the REST host asked, or the file read
endpoint        the route, such as ``/markets/trades``
fetched_at      ISO 8601 UTC
rows, pages     what arrived
complete        whether that is everything the question covers
simulated       true when any part came from a simulated exchange
schema          kind and version of the columns, such as ``trades/1``
query           short hash of the parameters
==============  ======================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import printable, quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KEY",
    "combined",
    "environment_of",
    "is_simulated",
    "note",
    "provenance",
    "query_hash",
    "source_line",
]

KEY = "kalshi"
"""The key in ``frame.attrs``."""

Provenance = dict[str, str | float | bool | None]


def query_hash(params: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that identify a set of parameters.

    Examples
    --------
    >>> query_hash({"a": 1, "b": 2}) == query_hash({"b": 2, "a": 1})
    True
    """
    try:
        text = json.dumps(params, sort_keys=True, default=str, separators=(",", ":"))
    except (TypeError, ValueError):  # what cannot be written is refused where it is sent
        text = quoted(dict(params), 10_000)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def provenance(
    *,
    environment: str,
    host: str,
    endpoint: str,
    fetched_at: datetime,
    rows: int,
    pages: int,
    complete: bool,
    schema: str,
    query: str = "",
    simulated: bool | None = None,
    **more: str | float | bool | None,
) -> Provenance:
    """Build the dict for ``frame.attrs["kalshi"]``; `fetched_at` must be aware."""
    return {
        "environment": environment,
        "host": host,
        "endpoint": endpoint,
        "fetched_at": fetched_at.isoformat(timespec="seconds"),
        "rows": rows,
        "pages": pages,
        "complete": complete,
        "simulated": environment == "sandbox" if simulated is None else simulated,
        "schema": schema,
        "query": query,
        **more,
    }


def note(frame: pd.DataFrame, **more: str | float | bool) -> None:
    """Add to what a frame says of its origin; frames that share the dict with it keep theirs.

    Examples
    --------
    >>> import pandas as pd
    >>> whole = pd.DataFrame({"x": [1, 2]})
    >>> whole.attrs[KEY] = {"rows": 2}
    >>> part = whole[:1]
    >>> note(part, rows=1)
    >>> whole.attrs[KEY]["rows"], part.attrs[KEY]["rows"]
    (2, 1)
    """
    frame.attrs[KEY] = {**frame.attrs[KEY], **more}


def _of(frame: pd.DataFrame | pd.Series) -> Provenance | None:
    attrs = getattr(frame, "attrs", None)  # whatever is drawn may ask
    found = attrs.get(KEY) if isinstance(attrs, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else None


def is_simulated(frame: pd.DataFrame | pd.Series) -> bool:
    """Whether any part of the frame is known to come from a simulated exchange."""
    return bool((_of(frame) or {}).get("simulated", False))


def environment_of(found: object) -> str:
    """The one exchange that a frame or a row came from; empty for none, several or an unknown one.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"x": [1]})
    >>> environment_of(frame)
    ''
    >>> frame.attrs[KEY] = {"environment": "demo"}
    >>> environment_of(frame), environment_of(frame.iloc[0])
    ('demo', 'demo')
    """
    attrs = getattr(found, "attrs", None)
    said = attrs.get(KEY) if isinstance(attrs, Mapping) else None
    name = said.get("environment") if isinstance(said, Mapping) else None
    return name if isinstance(name, str) and name not in ("file", "mixed") else ""


def combined(*frames: pd.DataFrame | pd.Series, **more: str | float | bool) -> Provenance | None:
    """The provenance of something computed from several frames; None where all are unknown.

    What the parts agree on is kept, what they differ in becomes ``mixed``. One
    simulated part makes the whole simulated, one incomplete part makes it incomplete.
    """
    known = [found for found in map(_of, frames) if found is not None]
    if not known:
        return None
    keys = dict.fromkeys(key for found in known for key in found)
    result: Provenance = {}
    for key in keys:
        values = {found.get(key) for found in known}
        result[key] = values.pop() if len(values) == 1 else "mixed"
    result["simulated"] = any(bool(found.get("simulated")) for found in known)
    result["complete"] = len(known) == len(frames) and all(
        bool(found.get("complete")) for found in known
    )
    result["fetched_at"] = max(str(found.get("fetched_at", "")) for found in known)
    for key in ("rows", "pages"):
        result[key] = sum(int(found.get(key) or 0) for found in known)
    result.update(more)
    return result


def source_line(frame: pd.DataFrame | pd.Series) -> str:
    """One line for the foot of a figure or report.

    Parameters
    ----------
    frame : pandas.DataFrame or pandas.Series
        Of any origin.

    Returns
    -------
    str
        Environment, route, rows and time of fetch; ``source unknown`` where nothing is known.

    Examples
    --------
    >>> import pandas as pd
    >>> source_line(pd.DataFrame())
    'source unknown'
    """
    found = _of(frame)
    if found is None:
        return "source unknown"
    parts = [
        "SIMULATED" if found.get("simulated") else "",
        f"Kalshi {printable(found.get('environment', '?'), 40)}",
        printable(found.get("endpoint", ""), 80),
        f"{int(found.get('rows') or 0):,} rows fetched",
        "" if found.get("complete") else "INCOMPLETE",
        printable(found.get("fetched_at", ""), 40),
    ]
    return " · ".join(part for part in parts if part)
