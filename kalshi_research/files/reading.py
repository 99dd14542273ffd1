"""From a source to the frame it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalshi_research.files.sources import content, is_untyped
from kalshi_research.files.stored import is_stored, restored
from kalshi_research.provenance import KEY, note, provenance
from kalshi_research.schemas.recorded import has_more, pages
from kalshi_research.schemas.tables import is_own, numbered, own_frame

if TYPE_CHECKING:
    from kalshi_research.files.sources import Source
    from kalshi_research.schemas import Kind, Schema

__all__ = ["file_provenance", "read_rows", "with_provenance"]


def read_rows(source: Source, schema: Schema, **context: Any) -> pd.DataFrame:
    """The frame of this kind that a source holds; see `Decoder` for the context."""
    found, name = content(source)
    if isinstance(found, bytes):
        decoder = schema.decoder(**context)
        n_pages, complete = 0, True
        for page in pages(found, schema):
            decoder.add(page)
            n_pages += 1
            complete = not has_more(page)
        return decoder.frame(file_provenance(name, schema, decoder.rows, n_pages, complete=complete))
    if is_stored(found):
        return restored(found, schema, name)
    if is_own(found.column_names, schema):
        return with_provenance(own_frame(found, schema), source, name, schema)
    decoder = schema.decoder(**context)
    decoder.add_table(found if not is_untyped(found) else numbered(found, schema))
    frame = decoder.frame(file_provenance(name, schema, decoder.rows, 1))
    if decoder.left_out:
        note(frame, left_out=", ".join(decoder.left_out))
    return frame


def with_provenance(frame: pd.DataFrame, source: Source, name: str, schema: Kind) -> pd.DataFrame:
    """The frame, told where it comes from unless it knows."""
    if isinstance(source, pd.DataFrame):
        frame.attrs = dict(source.attrs)
    frame.attrs.setdefault(KEY, file_provenance(name, schema, len(frame), 1))
    return frame


def file_provenance(
    name: str, schema: Kind, rows: int, n_pages: int, *, complete: bool = True
) -> dict[str, Any]:
    """What a frame out of a file says of its origin."""
    return dict(
        provenance(
            environment="file",
            host=name,
            endpoint="",
            fetched_at=datetime.now(UTC),
            rows=rows,
            pages=n_pages,
            complete=complete,
            schema=schema.tag,
        )
    )
