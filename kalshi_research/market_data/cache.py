"""Answers that cannot change any more, kept as Parquet.

Off unless the client was made with ``cache=folder``. Only complete answers to questions
about the past are kept: a window of trades that is over, markets that are finalized. The
key holds the environment, the host, the kind and version of the columns, and the
question, so an answer of one exchange is never given for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import ArchiveError, printable
from kalshi_research.files import read_frame, write_frame
from kalshi_research.provenance import KEY, note, query_hash

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.schemas import Schema

__all__ = ["SETTLE_SECONDS", "cached", "is_over"]

SETTLE_SECONDS = 300
"""How long a window must be over before its answer is taken for final: reads lag behind the exchange."""


def cached(
    client: Client,
    schema: Schema,
    question: Mapping[str, Any],
    *,
    cacheable: bool,
    is_final: Callable[[pd.DataFrame], bool],
    fetch: Callable[[], pd.DataFrame],
) -> pd.DataFrame:
    """The kept answer to `question`, or the one that `fetch` brings (then kept if it is final).

    Parameters
    ----------
    client : Client
    schema : Schema
    question : mapping
        The arguments as checked.
    cacheable : bool
        Whether the question is of a kind whose answer can be final.
    is_final : callable
        Whether this answer is.
    fetch : callable
        Asks the exchange.
    """
    if client.cache is None or not cacheable:
        return fetch()
    try:
        client.cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"the cache folder {printable(client.cache)} cannot be made: {error.strerror}; "
            "nothing was sent.\n"
            "Connect with another cache=folder, or without."
        ) from None
    path = client.cache / _name(client, schema, question)
    if path.exists():
        try:
            frame = read_frame(path, schema)
        except ArchiveError:
            path.unlink(missing_ok=True)
        else:
            note(frame, cache="hit")
            return frame
    frame = fetch()
    final = bool(frame.attrs[KEY]["complete"]) and is_final(frame)
    note(frame, cache="stored" if final else "not final")
    if final:
        write_frame(path, frame, schema)
    return frame


def is_over(client: Client, end: pd.Timestamp) -> bool:
    """Whether a window that ends at `end` is over for good."""
    return bool((client.clock() - end.to_pydatetime()).total_seconds() >= SETTLE_SECONDS)


def _name(client: Client, schema: Schema, question: Mapping[str, Any]) -> str:
    key = query_hash(
        {
            "environment": client.environment.name,
            "exchange": client.identity,
            "kind": schema.kind,
            "version": schema.version,
            "question": question,
        }
    )
    return f"{schema.kind}-{key}.parquet"
