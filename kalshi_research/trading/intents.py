"""What somebody meant to do with an order, and one line of the journal that says so."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

__all__ = ["OPEN", "SETTLED", "Intent", "line_of", "parsed_line"]

PREPARED: Final = "PREPARED"
OPEN: Final = ("PREPARED", "SENT", "UNKNOWN")
"""States that something has still to become of."""
SETTLED: Final = ("ACKED", "REJECTED", "NOT_PLACED")
"""States that are final for the journal; what an acknowledged order does later the exchange knows."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody meant to do, and what is known to have become of it.

    Attributes
    ----------
    key : str
        Of a new order its client order id; of a change an id of its own.
    act : str
        ``create``, ``amend``, ``decrease``, ``cancel``.
    state : str
        One of `OPEN` and `SETTLED`.
    session : str
        The process that owns it.
    terms : mapping
        Plain values: the terms of the order, or what is to be changed.
    sent_at : float
        When it was sent, by the clock of this machine [s since 1970]; 0 before.
    order_id : str
        The exchange's; empty while it is not known.
    status : str
        Of an acknowledged order: ``resting``, ``partial``, ``executed``, ``canceled``.
    filled, remaining : int or None
        As last told [1/100 contract].
    note : str
        Why, in words.
    until : float
        After this nobody is still sending it [s since 1970].
    sends : int
        How often it was sent.
    since : float
        The clock of the exchange when it was sent, or somewhat before [s since 1970]; 0 where that is
        not known.
    """

    key: str
    act: str
    state: str
    session: str
    terms: Mapping[str, Any] = field(default_factory=dict)
    sent_at: float = 0.0
    order_id: str = ""
    status: str = ""
    filled: int | None = None
    remaining: int | None = None
    note: str = ""
    until: float = 0.0
    sends: int = 0
    since: float = 0.0

    @property
    def open(self) -> bool:
        """Whether something has still to become of it."""
        return self.state in OPEN

    @property
    def sending(self) -> tuple[int, float]:
        """Which of its sendings it is about: what was seen of one says nothing of the next."""
        return self.sends, self.until


_FIELDS: Final = tuple(Intent.__dataclass_fields__)
_decoded: Final = msgspec.json.Decoder(Intent).decode


def line_of(intent: Intent) -> bytes:
    """The line of an intent, with its checksum before it."""
    stored = {name: getattr(intent, name) for name in _FIELDS}
    stored["terms"] = dict(intent.terms)
    text = json.dumps(stored, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def parsed_line(line: bytes) -> Intent | None:
    """The intent of a line; None if a bit of it is not as it was written."""
    mark, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if int(mark, 16) != zlib.crc32(text):
            return None
        return _decoded(text)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
