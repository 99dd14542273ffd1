"""Print how the exchange's OpenAPI file differs from what the schemas know.

``python tests/spec_drift.py openapi.yaml`` lists, for each object that becomes rows of a
frame, the fields that are columns, those left out on purpose, and those nobody has looked
at; the same for the values of enumerations. The exit status is 1 where there are any of
the last.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kalshi_research.schemas import (
    API_KEYS,
    BALANCE,
    CANDLESTICKS,
    DEPOSITS,
    EVENT_POSITIONS,
    EVENTS,
    FILLS,
    LIMITS,
    MARKETS,
    ORDERBOOKS,
    ORDERS,
    POSITIONS,
    SCHEDULE,
    SERIES,
    SETTLEMENTS,
    STATUS,
    TRADES,
    WITHDRAWALS,
    Kind,
)

# Objects whose fields are not fields of a row, because the page is unfolded on reading:
# spec field -> column it ends in, or the reason why it is none.
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNFOLDED: Mapping[str, tuple[Kind, Mapping[str, str]]] = {
    "OrderbookCountFp": (ORDERBOOKS, {"yes_dollars": "price", "no_dollars": "price"}),
    "MarketOrderbookFp": (ORDERBOOKS, {"ticker": "ticker", "orderbook_fp": "price"}),
    "GetMarketOrderbookResponse": (ORDERBOOKS, {"orderbook_fp": "price"}),
    "Schedule": (SCHEDULE, {"standard_hours": "entry", "maintenance_windows": "entry"}),
    "WeeklySchedule": (
        SCHEDULE,
        {"start_time": "start_time", "end_time": "end_time", **dict.fromkeys(_DAYS, "weekday")},
    ),
    "DailySchedule": (SCHEDULE, {"open_time": "opens", "close_time": "closes"}),
    "MaintenanceWindow": (SCHEDULE, {"start_datetime": "start_time", "end_datetime": "end_time"}),
    "GetApiKeysResponse": (
        API_KEYS,
        {"api_keys": "api_key_id", "api_key_region_expiration_ts": "region_expiration_time"},
    ),
}

# Objects whose fields are those of a row, or of an object nested in one.
ROWS: Mapping[str, tuple[Kind, str]] = {
    "Market": (MARKETS, ""),
    "Trade": (TRADES, ""),
    "EventData": (EVENTS, ""),
    "Series": (SERIES, ""),
    "MarketCandlestick": (CANDLESTICKS, ""),
    "BidAskDistribution": (CANDLESTICKS, "yes_bid."),
    "PriceDistribution": (CANDLESTICKS, "price."),
    "MarketCandlestickHistorical": (CANDLESTICKS, ""),
    "BidAskDistributionHistorical": (CANDLESTICKS, "yes_ask."),
    "PriceDistributionHistorical": (CANDLESTICKS, "price."),
    "ExchangeStatus": (STATUS, ""),
    "ExchangeIndexStatus": (STATUS, ""),
    "Order": (ORDERS, ""),
    "Fill": (FILLS, ""),
    "MarketPosition": (POSITIONS, ""),
    "EventPosition": (EVENT_POSITIONS, ""),
    "Settlement": (SETTLEMENTS, ""),
    "GetBalanceResponse": (BALANCE, ""),
    "GetAccountApiLimitsResponse": (LIMITS, ""),
    "BucketLimit": (LIMITS, "read."),
    "ApiKey": (API_KEYS, ""),
    "Deposit": (DEPOSITS, ""),
    "Withdrawal": (WITHDRAWALS, ""),
}

# Fields that hold the rows or a nested object, so they are no column themselves.
HOLDERS = {
    ("candlesticks", "price"),
    ("candlesticks", "yes_bid"),
    ("candlesticks", "yes_ask"),
    ("exchange_status", "exchange_index_statuses"),
    ("account_limits", "read"),
    ("account_limits", "write"),
}


@dataclass
class Coverage:
    """What the schemas make of one object of the spec."""

    name: str
    columns: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    new_values: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.columns) + len(self.ignored) + len(self.holders) + len(self.unknown)


def _resolved(node: Any, schemas: Mapping[str, Any]) -> Any:
    """A schema with its reference followed and its ``allOf`` of one taken apart."""
    while True:
        if "$ref" in node:
            node = schemas[node["$ref"].rpartition("/")[2]]
        elif len(node.get("allOf", ())) == 1:
            node = node["allOf"][0]
        else:
            return node


def _properties(name: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _resolved(value, schemas) for key, value in schemas[name].get("properties", {}).items()}


def coverage(spec: Mapping[str, Any]) -> Iterator[Coverage]:
    """What the schemas make of each object in `spec`."""
    schemas = spec["components"]["schemas"]
    for name, (kind, prefix) in ROWS.items():
        result = Coverage(name)
        sources = {wire: column for column in kind.columns for wire in (*column.wire, *column.old)}
        ignored = {**kind.ignored, **kind.ignored_old}
        for field_name, shape in _properties(name, schemas).items():
            wire = prefix + field_name
            if wire in sources:
                result.columns.append(field_name)
                column = sources[wire]
                if column.known:
                    new = set(shape.get("enum", ())).difference(column.known)
                    result.new_values += [f"{field_name}={value!r}" for value in sorted(new)]
            elif ignored.get(wire):
                result.ignored.append(field_name)
            elif (kind.kind, field_name) in HOLDERS:
                result.holders.append(field_name)
            else:
                result.unknown.append(field_name)
        yield result
    for name, (kind, places) in UNFOLDED.items():
        result = Coverage(name)
        for field_name in _properties(name, schemas):
            known = places.get(field_name) in kind.names
            (result.columns if known else result.unknown).append(field_name)
        yield result


def load(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506


def report(spec: Mapping[str, Any]) -> tuple[str, bool]:
    """The report as text, and whether anything is unknown."""
    lines = [f"OpenAPI {spec['info']['version']}"]
    drifted = False
    for found in coverage(spec):
        lines.append(
            f"{found.name:30} {found.total:3} fields: {len(found.columns):3} in columns, "
            f"{len(found.ignored)} left out on purpose, {len(found.holders)} nested, "
            f"{len(found.unknown)} unknown"
        )
        unknown = [*found.unknown, *found.new_values]
        lines += [f"    unknown: {what}" for what in unknown]
        drifted = drifted or bool(unknown)
    return "\n".join(lines) + "\n", drifted


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    text, drifted = report(load(Path(arguments[0])))
    sys.stdout.write(text)
    return int(drifted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
