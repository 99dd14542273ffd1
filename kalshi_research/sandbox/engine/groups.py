"""Order groups: a limit on the contracts matched within a rolling window."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.accounts import Wallet
    from kalshi_research.sandbox.engine.orders import Order

__all__ = ["LARGEST_LIMIT", "SMALLEST_LIMIT", "OrderGroup"]

SMALLEST_LIMIT = 100
"""One contract [1/100 contract]."""

LARGEST_LIMIT = 100_000_000
"""A million contracts [1/100 contract]."""


class OrderGroup:
    """Orders that are cancelled together when too much of them is matched too fast.

    Attributes
    ----------
    group_id : str
    wallet : Wallet
    limit : int
        [1/100 contract]
    shard : int
    triggered : bool
        Then new orders are refused until a reset.
    resting : dict of int to Order
        By ticket.
    """

    __slots__ = ("_matched", "_total", "group_id", "limit", "resting", "shard", "triggered", "wallet")

    def __init__(self, group_id: str, wallet: Wallet, limit: int, shard: int) -> None:
        self.group_id = group_id
        self.wallet = wallet
        self.limit = limit
        self.shard = shard
        self.triggered = False
        self.resting: dict[int, Order] = {}
        self._matched: deque[tuple[int, int]] = deque()
        self._total = 0

    def matched(self, now: int, window: int) -> int:
        """Contracts matched within the window that ends now [1/100 contract]."""
        matched = self._matched
        while matched and matched[0][0] <= now - window:
            self._total -= matched.popleft()[1]
        return self._total

    def add(self, now: int, count: int) -> None:
        """Count a fill."""
        self._matched.append((now, count))
        self._total += count

    def clear(self) -> None:
        """Forget what was matched, and accept orders again."""
        self._matched.clear()
        self._total = 0
        self.triggered = False
