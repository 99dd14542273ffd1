"""Choices of the stream, most of them where no source says what the exchange does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["StreamOptions"]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How the stream behaves.

    Attributes
    ----------
    heartbeat : float
        Seconds between pings [s]; 0 sends none.
    buffer_frames : int
        Frames of one subscription that may wait for a slow reader. One more ends the subscription
        with error 25.
    market_limit : int
        Markets of one subscription; more are refused with error 26.
    command_rate : int
        Commands that a connection may send [1/s]; more are refused with error 27.
    unknown_ticker : {"ignore", "empty", "error"}
        What an order-book subscription gets for a market that is not there: nothing but its name in
        the list, an empty snapshot, or error 11. In the dialect of 2025 always error 16.
    reuse_sids : bool
        Whether a new subscription gets the lowest number that is free instead of the next one.
    dialect : {"2026", "2025"}, optional
        The protocol; None is that of the sandbox, and the one of today without a sandbox.
    book_change : {"orderbook_delta", "orderbook_update"}
        What a change of a book calls itself in the dialect of 2025, whose documents have both.
    missing_params : {2, 6}
        The number of the error for missing parameters there; the documents have both.

    Examples
    --------
    >>> StreamOptions(heartbeat=1.0).unknown_ticker
    'ignore'
    """

    heartbeat: float = 10.0
    buffer_frames: int = 65_536
    market_limit: int = 500_000
    command_rate: int = 10_000
    unknown_ticker: Literal["ignore", "empty", "error"] = "ignore"
    reuse_sids: bool = False
    dialect: Literal["2026", "2025"] | None = None
    book_change: Literal["orderbook_delta", "orderbook_update"] = "orderbook_delta"
    missing_params: Literal[2, 6] = 2
