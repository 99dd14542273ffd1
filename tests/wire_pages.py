"""Made-up objects with exactly the fields that the exchange documents (OpenAPI 3.34)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

_START = datetime(2025, 10, 1, 12, tzinfo=UTC)
_ADJECTIVES = ("northern", "quiet", "amber", "seventh", "coastal", "level", "open", "late")
_NOUNS = ("harbour", "index", "valley", "league", "station", "tally", "bridge", "season")


def stamp(moment: datetime) -> str:
    """RFC 3339 as Go writes it: without trailing zeros of the fraction."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def price(ticks: int) -> str:
    """A price of `ticks` tenths of a cent."""
    return f"{ticks / 1000:.4f}"


def uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(_ADJECTIVES if n % 2 else _NOUNS) for n in range(count))


def trade(rng: random.Random, number: int) -> Row:
    """A trade; higher numbers are older."""
    ticks = rng.randrange(1, 1000)
    yes = rng.random() < 0.55
    return {
        "trade_id": uuid(rng),
        "ticker": f"KXMADEUP-25OCT01-B{rng.randrange(40)}.5",
        "count_fp": f"{rng.randrange(1, 90_000) / 100:.2f}",
        "yes_price_dollars": price(ticks),
        "no_price_dollars": price(1000 - ticks),
        "taker_side": "yes" if yes else "no",
        "taker_outcome_side": "yes" if yes else "no",
        "taker_book_side": "bid" if yes else "ask",
        "created_time": stamp(
            _START - timedelta(microseconds=number * 731_000 + rng.randrange(700_000))
        ),
        "is_block_trade": rng.random() < 0.01,
    }


def market(rng: random.Random, number: int) -> Row:
    """A market with every field that today's exchange sends for a daily ladder."""
    bid = rng.randrange(10, 900)
    ask = bid + rng.randrange(1, 60)
    event = f"KXMADEUP-25OCT{number // 6:05d}"
    opened = _START + timedelta(minutes=number)
    return {
        "ticker": f"{event}-B{number % 6}.5",
        "event_ticker": event,
        "market_type": "binary",
        "title": f"Will the {words(rng, 4)} be {number % 6} to {number % 6 + 1}?",
        "subtitle": f"{number % 6} to {number % 6 + 1}",
        "yes_sub_title": f"{number % 6} to {number % 6 + 1}",
        "no_sub_title": f"{number % 6} to {number % 6 + 1}",
        "created_time": stamp(opened - timedelta(hours=5, microseconds=rng.randrange(10**6))),
        "updated_time": stamp(opened + timedelta(microseconds=rng.randrange(10**6))),
        "open_time": stamp(opened),
        "close_time": stamp(opened + timedelta(hours=14)),
        "expected_expiration_time": stamp(opened + timedelta(hours=24)),
        "expiration_time": stamp(opened + timedelta(days=7)),
        "latest_expiration_time": stamp(opened + timedelta(days=7)),
        "occurrence_datetime": stamp(opened + timedelta(hours=24)),
        "settlement_timer_seconds": 3600,
        "status": "active",
        "yes_bid_dollars": price(bid),
        "yes_bid_size_fp": f"{rng.randrange(1, 90_000) / 100:.2f}",
        "yes_ask_dollars": price(ask),
        "yes_ask_size_fp": f"{rng.randrange(1, 90_000) / 100:.2f}",
        "no_bid_dollars": price(1000 - ask),
        "no_ask_dollars": price(1000 - bid),
        "last_price_dollars": price(rng.randrange(bid, ask + 1)),
        "volume_fp": f"{rng.randrange(10**7) / 100:.2f}",
        "volume_24h_fp": f"{rng.randrange(10**6) / 100:.2f}",
        "open_interest_fp": f"{rng.randrange(10**7) / 100:.2f}",
        "notional_value_dollars": "1.0000",
        "previous_yes_bid_dollars": price(max(bid - 5, 1)),
        "previous_yes_ask_dollars": price(ask + 5),
        "previous_price_dollars": price(bid),
        "result": "",
        "can_close_early": True,
        "early_close_condition": f"This market closes early once the {words(rng, 6)} is known.",
        "settlement_bounds_type": "default",
        "expiration_value": "",
        "strike_type": "between",
        "floor_strike": number % 6,
        "cap_strike": number % 6 + 1,
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "exchange_index": 0,
        "rules_primary": f"If the {words(rng, 24)} is between two numbers, the market resolves to Yes.",
        "rules_secondary": f"The source is the {words(rng, 60)}.",
    }


def ladder(rng: random.Random, levels: int) -> list[list[str]]:
    """One side of a book, ascending, below 0.48 dollars so that no book is crossed."""
    ticks = sorted(rng.sample(range(1, 480), levels))
    return [[price(tick), f"{rng.randrange(1, 10**6) / 100:.2f}"] for tick in ticks]


def orderbook(rng: random.Random, number: int, levels: int = 29) -> Row:
    """One entry of the answer for several books."""
    return {
        "ticker": f"KXMADEUP-25OCT01-T{number}",
        "orderbook_fp": {"yes_dollars": ladder(rng, levels), "no_dollars": ladder(rng, levels)},
    }


def page(items: str, rows: list[Row], cursor: str = "") -> bytes:
    """The body of a page, without spaces, as the exchange sends it."""
    return json.dumps({"cursor": cursor, items: rows}, separators=(",", ":")).encode()


def pages(
    items: str, make: Callable[[random.Random, int], Row], rows: int, size: int
) -> Iterator[bytes]:
    """The bodies of a whole walk."""
    rng = random.Random(20261120)
    for start in range(0, rows, size):
        end = min(start + size, rows)
        yield page(
            items, [make(rng, number) for number in range(start, end)], f"c{end}" if end < rows else ""
        )
