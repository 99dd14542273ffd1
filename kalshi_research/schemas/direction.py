"""Which way an order or a fill goes, in both dialects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kalshi_research.schemas.columns import Column

__all__ = ["ACTION", "OUTCOME_SIDE", "SIDE", "with_outcome_side"]

OUTCOME_SIDE = Column(
    "outcome_side",
    "text",
    "the leg it buys: yes or no; selling YES is buying NO",
    ("outcome_side",),
    need="promised",
    known=("yes", "no"),
)
SIDE = Column(
    "side", "text", "leg of the old wording; deprecated by the exchange", ("side",), known=("yes", "no")
)
ACTION = Column(
    "action",
    "text",
    "buy or sell that leg; deprecated by the exchange",
    ("action",),
    known=("buy", "sell"),
)


def with_outcome_side(table: pa.Table, context: Mapping[str, Any]) -> pa.Table:
    """The leg that is bought, where only the old wording (side and action) tells it."""
    del context
    side, action = table["side"], table["action"]
    other = pc.if_else(pc.equal(side, "yes"), pa.scalar("no"), pa.scalar("yes"))
    bought = pc.case_when(pc.make_struct(pc.equal(action, "buy"), pc.equal(action, "sell")), side, other)
    place = table.column_names.index("outcome_side")
    found = pc.coalesce(table["outcome_side"], bought)
    return table.set_column(place, "outcome_side", found)
