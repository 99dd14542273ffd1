"""The errors a command can get."""

from __future__ import annotations

__all__ = ["MESSAGES", "CommandError"]

MESSAGES = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    18: "Command timeout",
    19: "shard_factor must be > 0",
    20: "shard_factor is required when shard_key is set",
    21: "shard_key must be >= 0 and < shard_factor",
    22: "shard_factor must be <= 100",
    23: "Match IDs required",
    24: "Index IDs required",
    25: "Subscription buffer overflow",
    26: "Subscription market limit exceeded",
    27: "Too many requests",
    28: "Underlying tickers required",
}
"""The numbers and their texts; 6, 16 and 17 are retired."""


class CommandError(Exception):
    """A command that is refused.

    Attributes
    ----------
    code : int
    market_ticker : str
        Of the market it is about, else empty.
    """

    def __init__(self, code: int, market_ticker: str = "") -> None:
        super().__init__(MESSAGES[code])
        self.code = code
        self.market_ticker = market_ticker
