"""Choices where the exchange's behaviour is not known, with the suggested answers as defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SECOND", "EngineOptions"]

SECOND = 1_000_000
"""Engine time is counted in microseconds since 1970-01-01T00:00:00Z."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the engine does where no source settles it.

    Attributes
    ----------
    client_ids : {"forever", "open-only", "recent", "none", "return-original"}
        How long a client order id blocks another order with the same id. Recorded on the wire:
        forever, also after the first order was cancelled.
    recent_window : int
        For ``client_ids="recent"`` [µs].
    self_trade_scope : {"user", "subaccount"}
        Whose orders may not meet.
    post_only_cross : {"reject", "cancel"}
        A post-only order that would cross is refused, or accepted and cancelled at once.
    group_trigger : {"exceeds", "reaches"}
        When the matched contracts of an order group cancel its orders. The fill that does it stays.
    group_window : int
        Length of the rolling window of order groups [µs].
    inactive_status : int
        HTTP status of ``market_inactive``.
    balance_net_of_orders : bool
        Whether the reported balance has the collateral of resting orders taken off.
    close_cancel_delay : int
        How long after its close a market still shows its resting orders [µs].
    money : {"pooled", "by_shard"}
        Whether collateral has to lie on the shard of its market. On the exchange it has to; pooled
        spares those who do not study that.
    """

    client_ids: Literal["forever", "open-only", "recent", "none", "return-original"] = "forever"
    recent_window: int = 60 * SECOND
    self_trade_scope: Literal["user", "subaccount"] = "user"
    post_only_cross: Literal["reject", "cancel"] = "reject"
    group_trigger: Literal["exceeds", "reaches"] = "exceeds"
    group_window: int = 15 * SECOND
    inactive_status: int = 400
    balance_net_of_orders: bool = True
    close_cancel_delay: int = 0
    money: Literal["pooled", "by_shard"] = "pooled"
