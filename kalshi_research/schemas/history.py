"""What happened to an account: fills and settlements in one list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from kalshi_research.errors import DecodeError, printable, quoted
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE
from kalshi_research.provenance import KEY
from kalshi_research.schemas.columns import Column
from kalshi_research.schemas.fill import FILLS
from kalshi_research.schemas.schema import Kind
from kalshi_research.schemas.settlement import SETTLEMENTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HISTORY", "HistoryDecoder", "HistorySchema"]


_KINDS = {"fills": FILLS, "settlements": SETTLEMENTS}


class HistorySchema(Kind):
    """The kind of frame that a `HistoryDecoder` makes."""

    def decoder(self) -> HistoryDecoder:
        """A new decoder."""
        return HistoryDecoder()


class HistoryDecoder:
    """Gathers pages of fills, of settlements, and of the list of 2025 that has both.

    Attributes
    ----------
    rows : int
        Added so far.

    Examples
    --------
    >>> decoder = HISTORY.decoder()
    >>> decoder.add(b'{"fills": [], "cursor": ""}')
    0
    """

    def __init__(self) -> None:
        self._parts = {kind: schema.decoder() for kind, schema in _KINDS.items()}
        self.rows = 0

    def add(self, body: bytes) -> int:
        """Add the rows of one page.

        Raises
        ------
        DecodeError
            If the page is not what the protocol promises; then the decoder is as before.
        """
        try:
            page = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"the answer is no JSON object: {printable(error, 120)}") from None
        added = 0
        if "history" in page:
            split = {
                kind: json.dumps({kind: rows}).encode()
                for kind, rows in _by_type(bytes(page["history"])).items()
            }
            for kind, schema in _KINDS.items():
                schema.decoder().add(split[kind])  # raises before any part is added
            for kind, rows in split.items():
                added += self._parts[kind].add(rows)
        else:
            kind = "settlements" if "settlements" in page else "fills"
            added = self._parts[kind].add(body)
        self.rows += added
        return added

    def frame(self, provenance: Mapping[str, Any]) -> pd.DataFrame:
        """All rows added so far, oldest first; warns once of what has drifted."""
        fills, settlements = (self._parts[kind].frame({}) for kind in ("fills", "settlements"))
        frame = _joined(fills, settlements)
        duplicates = sum(part.duplicates for part in self._parts.values())
        more = {"rows": len(frame)} if duplicates else {}
        frame.attrs = {KEY: {**provenance, **more}}
        return frame


def _by_type(body: bytes) -> dict[str, list[dict[str, Any]]]:
    """Rows of the list of 2025, each of which says what it is."""
    found: dict[str, list[dict[str, Any]]] = {"fills": [], "settlements": []}
    rows = msgspec.json.decode(body) or []
    if not isinstance(rows, list):
        raise DecodeError("`history` is no list; nothing of this page is used", where="$.history")
    for place, row in enumerate(rows):
        kind = f"{row.get('type')}s" if isinstance(row, dict) else ""
        if kind not in found:
            raise DecodeError(
                f"`type` is {quoted(kind.removesuffix('s'), 40)}, neither fill nor settlement; "
                "nothing of this page is used",
                where=f"$.history[{place}]",
            )
        found[kind].append({name: value for name, value in row.items() if name not in ("type", "ts")})
    return found


def _whole(values: pd.Series, scale: int) -> Any:
    return np.rint(values.to_numpy(dtype=np.float64) * scale)


def _joined(fills: pd.DataFrame, settlements: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    is_yes = (fills["outcome_side"] == "yes").to_numpy()
    yes_price, no_price = (_whole(fills[f"{leg}_price"], PRICE_SCALE) for leg in ("yes", "no"))
    spent = np.where(is_yes, yes_price, no_price) * _whole(fills["quantity"], COUNT_SCALE)
    bought = fills.rename_axis("entry_id").reset_index().assign(entry="fill", cost=spent / MONEY_SCALE)
    yes, no = (_whole(settlements[f"{leg}_count"], COUNT_SCALE) for leg in ("yes", "no"))
    costs = sum(_whole(settlements[f"{leg}_total_cost"], MONEY_SCALE) for leg in ("yes", "no"))
    paid = settlements.reset_index()[
        ["settled_time", "ticker", "event_ticker", "revenue", "market_result"]
    ].assign(
        entry="settlement",
        outcome_side=np.where(yes >= no, "yes", "no"),
        quantity=(yes + no) / COUNT_SCALE,
        yes_price=settlements["value"].to_numpy(),
        entry_id=settlements.index,
        cost=costs / MONEY_SCALE,
    )
    # At one instant a fill comes before a settlement; both lists come newest first.
    parts = [part.iloc[::-1] for part in (bought, paid.rename(columns={"settled_time": "time"}))]
    empty = HISTORY.empty().reset_index()
    rows = pd.concat([part.reindex(columns=empty.columns) for part in parts if len(part)] or [empty])
    return rows.astype(empty.dtypes.to_dict()).sort_values("time", kind="stable").set_index("time")


HISTORY = HistorySchema(
    kind="portfolio_history",
    version=1,
    index="time",
    columns=(
        Column("time", "time", "execution or payout"),
        Column("entry", "text", "fill or settlement"),
        Column("ticker", "text", "market"),
        Column("event_ticker", "text", "of a settlement: event the market belongs to"),
        Column("outcome_side", "text", "the leg bought; of a settlement: the leg held"),
        Column("quantity", "count", "traded; of a settlement: held"),
        Column("yes_price", "dollars", "price of YES; of a settlement: what one YES paid, to the cent"),
        Column("cost", "amount", "price of the leg × quantity; of a settlement: what was held has cost"),
        Column("revenue", "amount", "of a settlement: paid out, to the cent"),
        Column("fee_cost", "amount", "fee of a fill; a settlement repeats those, so it has none here"),
        Column("is_taker", "flag", "of a fill: took liquidity off the book"),
        Column("market_result", "text", "of a settlement: yes, no or scalar"),
        Column("entry_id", "text", "fill_id; of a settlement: its ticker"),
        Column("order_id", "text", "of a fill"),
    ),
)
