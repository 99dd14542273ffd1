"""A few markets and trades behind Kalshi's public routes, with every request on record.

It knows nothing of the package: lists, offsets as cursors, and the tiers as the
documentation describes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.stub_server import Answer, Seen

ROOT = "/trade-api/v2"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def trade(number: int, ticker: str, at: datetime, cents: int = 42) -> dict[str, Any]:
    """A trade in today's dialect."""
    return {
        "trade_id": str(UUID(int=number)),
        "ticker": ticker,
        "count_fp": f"{number % 7 + 1}.00",
        "yes_price_dollars": f"0.{cents:02d}00",
        "no_price_dollars": f"0.{100 - cents:02d}00",
        "taker_outcome_side": "yes",
        "taker_book_side": "bid",
        "created_time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "is_block_trade": False,
    }


def market(
    ticker: str, *, status: str = "active", created: datetime = NOON, **more: Any
) -> dict[str, Any]:
    """A market in today's dialect."""
    stamp = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "ticker": ticker,
        "event_ticker": ticker.rsplit("-", 1)[0],
        "market_type": "binary",
        "title": f"Will {ticker} happen?",
        "yes_sub_title": "Yes",
        "no_sub_title": "No",
        "created_time": stamp,
        "updated_time": stamp,
        "open_time": stamp,
        "close_time": stamp,
        "latest_expiration_time": stamp,
        "settlement_timer_seconds": 60,
        "status": status,
        "yes_bid_dollars": "0.4200",
        "yes_bid_size_fp": "13.00",
        "yes_ask_dollars": "0.4400",
        "yes_ask_size_fp": "17.00",
        "no_bid_dollars": "0.5600",
        "no_ask_dollars": "0.5800",
        "last_price_dollars": "0.4300",
        "volume_fp": "10.00",
        "volume_24h_fp": "1.00",
        "result": "",
        "can_close_early": True,
        "open_interest_fp": "5.00",
        "notional_value_dollars": "1.0000",
        "previous_yes_bid_dollars": "0.4100",
        "previous_yes_ask_dollars": "0.4300",
        "previous_price_dollars": "0.4200",
        "settlement_bounds_type": "default",
        "expiration_value": "",
        "rules_primary": "",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        **more,
    }


class FakeExchange:
    """Callable as the handler of a `StubServer`.

    Attributes
    ----------
    live, archive : dict
        Trades by ticker, newest first.
    markets, old_markets : list
        Newest first.
    fault : callable, optional
        Sees each request and its number (from 1); an `Answer` from it is sent instead.
    """

    def __init__(self) -> None:
        self.live: dict[str, list[dict[str, Any]]] = {}
        self.archive: dict[str, list[dict[str, Any]]] = {}
        self.markets: list[dict[str, Any]] = []
        self.old_markets: list[dict[str, Any]] = []
        self.cutoff = NOON - timedelta(days=60)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.fault: Callable[[str, int], Answer | None] = lambda path, number: None
        self.routes: dict[str, Callable[[dict[str, str], Seen], Any]] = {
            "/markets/trades": lambda query, _: self._trades(self.live, query),
            "/historical/trades": lambda query, _: self._trades(self.archive, query),
            "/markets": lambda query, _: self._markets(self.markets, query),
            "/historical/markets": lambda query, _: self._markets(self.old_markets, query),
            "/historical/cutoff": lambda *_: self._cutoff(),
        }

    def __call__(self, seen: Seen) -> Answer:
        path, query = seen.path.removeprefix(ROOT), dict(seen.query)
        self.asked.append((path, query))
        answer = self.fault(path, len(self.asked))
        if answer is not None:
            return answer
        if path not in self.routes:
            return Answer(404, {"error": {"code": "not_found", "message": "not found"}})
        result = self.routes[path](query, seen)
        return result if isinstance(result, Answer) else Answer(200, result)

    def paths(self) -> list[str]:
        """The routes asked so far."""
        return [path for path, _ in self.asked]

    def _cutoff(self) -> dict[str, str]:
        stamp = self.cutoff.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"market_settled_ts": stamp, "trades_created_ts": stamp, "orders_updated_ts": stamp}

    def _trades(self, tape: dict[str, list[dict[str, Any]]], query: dict[str, str]) -> dict[str, Any]:
        ticker = query.get("ticker")
        rows = [row for name, part in tape.items() if ticker in (None, name) for row in part]
        if "min_ts" in query:
            rows = [row for row in rows if _seconds(row) >= int(query["min_ts"])]
        if "max_ts" in query:
            rows = [row for row in rows if _seconds(row) <= int(query["max_ts"])]
        return _page(rows, "trades", query)

    def _markets(self, rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        if "tickers" in query:
            rows = [row for row in rows if row["ticker"] in query["tickers"].split(",")]
        if "event_ticker" in query:
            rows = [row for row in rows if row["event_ticker"] == query["event_ticker"]]
        if "series_ticker" in query:
            rows = [row for row in rows if row["ticker"].startswith(query["series_ticker"])]
        words = {"open": "active", "settled": "finalized"}
        if "status" in query:
            rows = [row for row in rows if row["status"] == words[query["status"]]]
        return _page(rows, "markets", query)


def _seconds(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["created_time"]).timestamp()


def _page(rows: list[dict[str, Any]], key: str, query: dict[str, str]) -> dict[str, Any]:
    start = int(query.get("cursor") or 0)
    end = start + int(query.get("limit", 100))
    return json.loads(json.dumps({key: rows[start:end], "cursor": str(end) if end < len(rows) else ""}))
