"""What a member owns and did: balance, positions, fills, settlements, history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import PRICE_SCALE, fixed_text
from kalshi_research.sandbox import portfolio_routes as today
from kalshi_research.sandbox.acting import act, user_of
from kalshi_research.sandbox.dialect_2025.views import (
    fill_view,
    in_both_formats,
    page_of,
    position_view,
    without,
)
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.portfolio_views import fill_view as fill_of_today
from kalshi_research.sandbox.portfolio_views import settlement_view
from kalshi_research.sandbox.queries import cut_page

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Engine, Order
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = ["account_limits", "balance", "fills", "history", "positions", "settlements"]

Json = dict[str, Any]


def balance(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/balance; cents."""
    body = today.balance(exchange, query, path)
    worth = body["portfolio_value"]
    return {
        "balance": body["balance"],
        "balance_dollars": body["balance_dollars"],
        "portfolio_value": worth,
        "portfolio_value_dollars": fixed_text(worth * (PRICE_SCALE // 100), PRICE_SCALE),
        "updated_ts": body["updated_ts"],
    }


def positions(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/positions."""
    user = user_of(exchange, path)
    body = today.positions(exchange, query, path)
    resting: list[Order] = act(
        exchange, lambda engine: [row for row in engine.members[user].orders if row.status == "resting"]
    )
    return {
        "cursor": body["cursor"] or None,
        "event_positions": [in_both_formats(row) for row in body["event_positions"]],
        "market_positions": [position_view(row, resting) for row in body["market_positions"]],
    }


def fills(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/fills, newest first."""
    return page_of(today.fills(exchange, query, path), "fills", lambda row: fill_view(exchange, row))


def _settlement(view: Json) -> Json:
    return in_both_formats(without(view))


def settlements(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/settlements, newest first."""
    return page_of(today.settlements(exchange, query, path), "settlements", _settlement)


def history(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/history: fills and settlements in one list, newest first.

    The documents name the route and say that it has pages, not what is in them.
    """
    limit, user, tickers = query.limit(100, 1, 100), user_of(exchange, path), query.names("ticker")
    low, high = query.integer("min_ts"), query.integer("max_ts")
    found = [
        (when, kind, row)
        for when, kind, row in act(exchange, lambda engine: _past(exchange, engine, user))
        if (not tickers or row["ticker"] in tickers)
        and (low is None or when >= low * SECOND)
        and (high is None or when <= high * SECOND)
    ]
    found.sort(key=lambda item: item[0])
    placed = list(enumerate(found))[::-1]
    page = cut_page(placed, lambda item: (item[0], item[1][2]["ticker"]), query.text("cursor"), limit)
    rows = [row | {"ts": when // SECOND, "type": kind} for _, (when, kind, row) in page.rows]
    return {"cursor": page.cursor or None, "history": rows}


def _past(exchange: Exchange, engine: Engine, user: str) -> list[tuple[int, str, Json]]:
    member = engine.members[user]
    done = [(row.time, "fill", fill_view(exchange, fill_of_today(row))) for row in member.fills]
    paid = [(row.time, "settlement", _settlement(settlement_view(row, 0))) for row in member.settlements]
    return done + paid


def account_limits(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /account/limits; requests a second."""
    tier = exchange.tier
    return {"read_limit": tier.read, "usage_tier": tier.name, "write_limit": tier.write}
