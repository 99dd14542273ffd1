"""Candlesticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from kalshi_research.schemas.columns import Column, contracts, dollars, moment
from kalshi_research.schemas.market import offered
from kalshi_research.schemas.schema import Schema

__all__ = ["CANDLESTICKS"]


@dataclass(frozen=True)
class _CandlePage:
    """The forms in which candlesticks come: of one market, of several, of all markets of an event."""

    keys = frozenset({"candlesticks", "markets", "market_tickers"})

    def page_type(self, row: type) -> Any:
        rows = list[row] | None  # type: ignore[valid-type]
        market = msgspec.defstruct(
            "MarketCandles", [("market_ticker", str), ("candlesticks", rows, None)], gc=False
        )
        return msgspec.defstruct(
            "Page",
            [
                ("ticker", str | None, None),
                ("candlesticks", rows | msgspec.UnsetType, msgspec.UNSET),
                ("markets", list[market] | None | msgspec.UnsetType, msgspec.UNSET),  # type: ignore[valid-type]
                ("market_tickers", list[str] | None | msgspec.UnsetType, msgspec.UNSET),
                ("market_candlesticks", list[rows] | None, None),
            ],
            gc=False,
        )

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]] | None:
        parts: list[tuple[str | None, Sequence[Any] | None]] = []
        if page.candlesticks is not msgspec.UNSET:
            parts.append((page.ticker, page.candlesticks))
        if page.markets is not msgspec.UNSET:
            parts += [(market.market_ticker, market.candlesticks) for market in page.markets or []]
        if page.market_tickers is not msgspec.UNSET:
            names, lists = page.market_tickers or [], page.market_candlesticks or []
            if len(names) != len(lists):
                return None
            parts += zip(names, lists, strict=True)
        elif page.candlesticks is msgspec.UNSET and page.markets is msgspec.UNSET:
            return None
        rows = [row for _, part in parts for row in part or ()]
        return rows, {"ticker": [name for name, part in parts for _ in part or ()]}


def _finish(table: pa.Table, context: Mapping[str, Any]) -> pa.Table:
    """Prices of empty sides become missing; the start of the period appears."""
    none = pa.scalar(None, pa.float64())
    for place, name in enumerate(table.column_names):
        if name.startswith(("yes_bid_", "yes_ask_")) or name in _TRADED:
            values = table[name]
            real = pc.greater(values, 0.0) if name in _TRADED else offered(values)
            table = table.set_column(place, name, pc.if_else(real, values, none))
    if context.get("ticker"):
        table = _fill(table, "ticker", pc.fill_null(table["ticker"], context["ticker"]))
    if context.get("period_interval"):
        length = pa.scalar(int(context["period_interval"]) * 60_000_000, pa.duration("us"))
        start = pc.coalesce(table["period_start"], pc.subtract(table["time"], length))
        table = _fill(table, "period_start", start)
    return table


def _fill(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


_TRADED = ("open", "high", "low", "close", "mean", "previous")
_WHAT = {"open": "at the start", "high": "highest", "low": "lowest", "close": "at the end"}

CANDLESTICKS = Schema(
    kind="candlesticks",
    version=1,
    items="candlesticks",
    index="time",
    key=("ticker", "time"),
    by_time=True,
    page=_CandlePage(),
    finish=_finish,
    columns=(
        moment("time", "end of the period, inclusive", "required", wire="end_period_ts"),
        Column("ticker", "text", "market"),
        Column("period_start", "time", "start of the period"),
        dollars("open", "first traded price of YES", group="price"),
        dollars("high", "highest traded price of YES", group="price"),
        dollars("low", "lowest traded price of YES", group="price"),
        dollars("close", "last traded price of YES", group="price"),
        dollars("mean", "mean traded price of YES, weighted by quantity", group="price"),
        dollars("previous", "last traded price before the period", group="price"),
        contracts("volume", "traded in the period", "required"),
        contracts("open_interest", "outstanding at the end", "promised"),
        *(
            dollars(f"{side}_{name}", f"best {side[4:]} for YES, {what}", group=side, wire=name)
            for side in ("yes_bid", "yes_ask")
            for name, what in _WHAT.items()
        ),
    ),
    ignored={
        "price.min_dollars": "extreme over the markets of an event; each market has its own rows",
        "price.max_dollars": "extreme over the markets of an event; each market has its own rows",
    },
    ignored_old={
        "price.min": "extreme over the markets of an event; each market has its own rows",
        "price.max": "extreme over the markets of an event; each market has its own rows",
    },
)
