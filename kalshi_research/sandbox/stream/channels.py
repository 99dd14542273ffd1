"""The channels there are, and what a subscription to one keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kalshi_research.sandbox.stream.session import Session

__all__ = ["CHANNELS", "CHANNELS_2025", "Channel", "Subscription"]


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel.

    Attributes
    ----------
    name : str
    sequenced : bool
        Whether its frames are numbered.
    markets : {"required", "optional", "none"}
        Whether it is subscribed to market by market.
    private : bool
        Whether everybody gets their own.
    """

    name: str
    sequenced: bool
    markets: Literal["required", "optional", "none"]
    private: bool = False


CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("orderbook_delta", True, "required"),
        Channel("ticker", False, "optional"),
        Channel("trade", True, "optional"),
        Channel("fill", False, "optional", private=True),
        Channel("user_orders", False, "optional", private=True),
        Channel("market_positions", False, "optional", private=True),
        Channel("market_lifecycle_v2", True, "none"),
        Channel("multivariate_market_lifecycle", True, "none"),
        Channel("order_group_updates", True, "none", private=True),
        # Nobody asks for quotes in this exchange: it is silent.
        Channel("communications", True, "none", private=True),
    )
}
"""By the name they are subscribed to."""

CHANNELS_2025 = {
    name: CHANNELS[known]
    for name, known in {
        "orderbook_delta": "orderbook_delta",
        "orderbook": "orderbook_delta",
        "ticker": "ticker",
        "trade": "trade",
        "trades": "trade",
        "fill": "fill",
        "market_positions": "market_positions",
        "market_lifecycle_v2": "market_lifecycle_v2",
    }.items()
}
"""Those of the guide of late 2025, two of them under two names."""


class Subscription:
    """One channel on one connection.

    Attributes
    ----------
    sid : int
    channel : Channel
    session : Session
    user : str
        The engine's name of the user.
    tickers : set of str or None
        None takes every market.
    yes_price : bool
        Whether the NO ladder is sent at YES prices.
    silent_ack : bool
        Whether its ``ok`` frames leave the list out.
    by_id : bool
        Whether its markets were named by their UUID.
    seq : int
        Number of the last frame.
    waiting : int
        Frames that are not yet written.
    """

    __slots__ = (
        "by_id",
        "channel",
        "seq",
        "session",
        "sid",
        "silent_ack",
        "tickers",
        "user",
        "waiting",
        "yes_price",
    )

    def __init__(
        self,
        sid: int,
        channel: Channel,
        session: Session,
        tickers: set[str] | None,
        *,
        yes_price: bool,
        silent_ack: bool,
        by_id: bool,
    ) -> None:
        self.sid = sid
        self.channel = channel
        self.session = session
        self.user = session.user
        self.tickers = tickers
        self.yes_price = yes_price
        self.silent_ack = silent_ack
        self.by_id = by_id
        self.seq = self.waiting = 0

    def wants(self, ticker: str) -> bool:
        """Whether a market is one of its own."""
        return self.tickers is None or ticker in self.tickers
