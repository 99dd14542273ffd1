"""The protocol of late 2025, on the same engine: integer cents beside dollars, pages of 100.

What differs from today is here and nowhere else: the world's whole cents (`world`, `listings`),
the words (`views`, `orders`), the routes, and the limits in requests a second (`limits`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.fees import BROKER_PRECISION
from kalshi_research.money import COUNT_SCALE
from kalshi_research.sandbox.dialect_2025 import limits
from kalshi_research.sandbox.dialect_2025.world import World2025
from kalshi_research.sandbox.dialects import Dialect
from kalshi_research.sandbox.exchange import Cutoff
from kalshi_research.sandbox.queries import Query
from kalshi_research.sandbox.refusals import unauthorized

if TYPE_CHECKING:
    from kalshi_research.sandbox.refusals import Refusal

__all__ = ["DIALECT", "LARGEST_PAGE"]

LARGEST_PAGE = 100
"""Rows of the largest page, and of one whose size is not asked for."""


class _Query(Query):
    """A query whose pages hold 1-100 rows, everywhere."""

    __slots__ = ()

    def limit(self, default: int, low: int, high: int) -> int:  # noqa: ARG002 - those of today
        """The page size."""
        return super().limit(LARGEST_PAGE, 1, LARGEST_PAGE)


def _retold(refusal: Refusal) -> dict[str, Any]:
    """A refusal; every failure of a signature is an ``authentication_error``, its details say which."""
    if refusal.status != 401:
        return refusal.body
    error = refusal.body["error"]
    if error["code"] == "authentication_error":
        return refusal.body
    return unauthorized("authentication_error", error.get("details") or error["code"]).body


def _everything_live(now: int, days: int) -> Cutoff:  # noqa: ARG001 - there is no historical tier
    return Cutoff(0, 0, 0, 0)


DIALECT = Dialect(
    name="2025",
    world=World2025,
    tier=limits.tier_named,
    top_tier="prime",
    strangers=limits.TIERS["basic"],
    cutoff=_everything_live,
    # Fees come in whole cents, orders in whole contracts.
    precision=BROKER_PRECISION,
    lot=COUNT_SCALE,
    key_types=("rsa",),
    query=_Query,
    cost=limits.cost_of,
    retold=_retold,
)
"""The protocol of late 2025."""
