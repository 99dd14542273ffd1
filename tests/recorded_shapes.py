"""The shape of a body, and where shapes of recordings and ours may differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["DIFFERENCES", "differences", "shapes"]

_FORMS = (
    ("two decimals", r"-?\d+\.\d\d"),
    ("four decimals", r"-?\d+\.\d{4}"),
    ("six decimals", r"-?\d+\.\d{6}"),
    ("UUID", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"),
)

# Path of the key with [] for the elements of lists and * for any object, and why.
DIFFERENCES: dict[str, str] = {
    r".*\.(liquidity_dollars|fractional_trading_enabled|response_price_units)": "left in 2026",
    r".*\.market_positions\[\]\.resting_orders_count": "left on 2026-07-09",
    r".*\.error\.service": "left on 2026-08-06",
    r".*\.settlement_bounds_type": "came on 2026-10-01",
    r".*\.exchange_index": "came after the recordings of June",
    r".*\.(exchange_index_statuses(\[\].*)?|intra_exchange_transfers_active)": "came after June",
    r"series_list_trimmed\.series\[\]\.categories": "came after the recording",
    # What a market has or has not by its nature: strikes, results, legs.
    r".*\.(cap_strike|custom_strike|floor_strike|functional_strike|strike_type|subtitle)": "by nature",
    r".*\.custom_strike\..*": "the names of strikes are those of other sports",
    r".*\.product_metadata\..*": "the words of other series",
    r".*\.(is_provisional|mve_collection_ticker|mve_selected_legs(\[\].*)?)": "by nature",
    r".*\.(early_close_condition|occurrence_datetime|primary_participant_key)": "by nature",
    r".*\.(settlement_ts|settlement_value_dollars|expiration_value)": "by nature",
    r".*\.(strike_date|strike_period|sub_title|product_metadata)": "an event has a date or a period",
    r".*\.(settlement_sources|tags|additional_prohibitions)(\[\].*)?": "null where there are none",
    r"(markets__\w+|market\w*|event\w*)(\.market|\.event)?(s\[\])?.*\.price_ranges\[\]\..*": "bands",
    r"trades__public_recorded\.trades\[\]\..*": "an empty list where this market did not trade",
}


def shapes(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every key with the kind of its value; texts by their form, lists by their elements."""
    if isinstance(value, dict):
        yield path, "object"
        for name, part in value.items():
            yield from shapes(part, f"{path}.{name}")
    elif isinstance(value, list):
        yield path, "list"
        for part in value:
            yield from shapes(part, f"{path}[]")
    elif isinstance(value, bool) or value is None:
        yield path, type(value).__name__
    elif isinstance(value, int | float):
        yield path, "number"
    else:
        yield path, next((form for form, text in _FORMS if re.fullmatch(text, value)), "text")


def _collected(value: Any, name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, kind in shapes(value, name):
        found.setdefault(path, set()).add(kind)
    return found


def differences(name: str, recorded: Any, ours: Any) -> list[str]:
    """What is in one and not in the other, or of another kind, and has no reason above.

    Elements of a list are compared as far as both lists have any.
    """
    theirs, mine = _collected(recorded, name), _collected(ours, name)
    found = []
    for path in sorted(theirs.keys() | mine.keys()):
        if any(re.fullmatch(pattern, path) for pattern in DIFFERENCES):
            continue
        holder = path.rpartition("[]")[0]
        if holder and not (f"{holder}[]" in theirs and f"{holder}[]" in mine):
            continue
        if path not in mine or path not in theirs:
            if any(re.fullmatch(pattern, path.rpartition(".")[0]) for pattern in DIFFERENCES):
                continue
            found.append(f"{path}: only {'recorded' if path in theirs else 'ours'}")
        elif not mine[path] & theirs[path]:
            found.append(f"{path}: {mine[path]}, recorded {theirs[path]}")
    return found
