"""The errors a command can get."""

from __future__ import annotations

__all__ = ["CODES_2025", "MESSAGES", "MESSAGES_2025", "CommandError"]

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

MESSAGES_2025 = {code: text for code, text in MESSAGES.items() if code <= 15} | {
    6: "Params required",
    12: "Exactly one subscription ID required",
    14: "Market ticker required",
    16: "Market not found",
    17: "Internal error",
}
"""Those of the guide of late 2025. Its table has no 6, but its example of an error does."""

CODES_2025 = {18: 17, 19: 11, 20: 11, 21: 11, 22: 11, 23: 11, 24: 11, 25: 10, 26: 11, 27: 1, 28: 11}
"""What stood for the errors that came later."""


class CommandError(Exception):
    """A command that is refused.

    Attributes
    ----------
    code : int
    market_ticker : str
        Of the market it is about, else empty.
    """

    def __init__(self, code: int, market_ticker: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.market_ticker = market_ticker
