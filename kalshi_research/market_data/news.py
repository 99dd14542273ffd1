"""What a caller knows already, so that only what is new need be fetched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalshi_research.errors import FrameError, InputError, PartialDataWarning, printable, warn
from kalshi_research.market_data.arguments import Time, timestamp

if TYPE_CHECKING:
    from kalshi_research.schemas import Kind

__all__ = ["Known", "known_items"]

_LOOKS_LIKE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Known:
    """Items that need not be fetched again.

    Attributes
    ----------
    ids : frozenset of str
        Their identifiers.
    since : pandas.Timestamp or None
        Everything at or before this instant is known.
    newest : pandas.Timestamp or None
        The latest instant in an earlier frame of a time series; more may have come at it.
    marker : str
        How to name the item in a message; empty where its absence means nothing.
    id_field : str
        Where a row on the wire has its identifier.
    """

    ids: frozenset[str]
    since: pd.Timestamp | None
    newest: pd.Timestamp | None
    marker: str
    id_field: str

    def stop(self, row: Mapping[str, Any]) -> bool:
        """Whether `row`, as it came over the wire, is known (then so is all after it)."""
        if row.get(self.id_field) in self.ids:
            return True
        if self.since is None or "created_time" not in row:
            return False
        return timestamp(row["created_time"], "created_time") <= self.since

    def warn_unless(self, accounted: bool, rows: int) -> None:
        """Warn that the marker did not turn up, so that all rows were taken for news."""
        if self.marker and not accounted:
            warn(
                f"{self.marker} did not turn up before the end of the list: "
                f"all {rows:,} rows are returned",
                PartialDataWarning,
            )


def known_items(value: str | Time | pd.DataFrame, schema: Kind, *, id_field: str) -> Known:
    """Read a ``newer_than`` argument: an identifier, an instant, or an earlier frame."""
    if isinstance(value, pd.DataFrame):
        return _of_frame(value, schema, id_field)
    if isinstance(value, str) and not _LOOKS_LIKE_TIME.fullmatch(value.strip()):
        if not value.strip():
            raise InputError(f"newer_than is empty; pass a {id_field}, a time, or an earlier frame")
        return Known(frozenset([value]), None, None, f"{id_field} {printable(value, 60)}", id_field)
    return Known(frozenset(), timestamp(value, "newer_than"), None, "", id_field)


def _of_frame(frame: pd.DataFrame, schema: Kind, id_field: str) -> Known:
    if id_field in frame.columns:
        ids = frame[id_field]
    elif frame.index.name in (id_field, schema.index):
        ids = frame.index.to_series()
    else:
        raise FrameError(
            f"newer_than: this frame has no {id_field}; pass an earlier frame of {schema.kind}, "
            f"an identifier or a time"
        )
    newest = frame.index.max() if schema.index == "time" and len(frame) else None
    marker = "the frame in newer_than" if len(ids) and newest is None else ""
    return Known(frozenset(ids.astype(str)), None, newest, marker, id_field)
