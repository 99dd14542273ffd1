"""The exchange itself, and what a signed caller may ask about the own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import MONEY_SCALE
from kalshi_research.sandbox.instants import DAY, SECOND, iso
from kalshi_research.sandbox.rate_limits import COSTS, DEFAULT_COST

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = [
    "account_limits",
    "api_keys",
    "balance",
    "endpoint_costs",
    "exchange_schedule",
    "exchange_status",
    "historical_cutoff",
    "no_fills",
    "no_orders",
    "no_positions",
    "no_settlements",
    "user_data_timestamp",
]

Json = dict[str, Any]

_SHARDS = ("Default", "Combos", "Crypto & Commodities", "Tennis, Baseball, Basketball")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def exchange_status(_: Exchange, __: Query, ___: dict[str, str]) -> Json:
    """GET /exchange/status."""
    return {
        "exchange_active": True,
        "exchange_index_statuses": [
            {
                "description": name,
                "exchange_active": True,
                "exchange_index": place,
                "intra_exchange_transfers_active": True,
                "trading_active": True,
            }
            for place, name in enumerate(_SHARDS)
        ],
        "intra_exchange_transfers_active": True,
        "trading_active": True,
    }


def exchange_schedule(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /exchange/schedule: always open but for a pause early on Thursdays."""
    always = [{"close_time": "00:00", "open_time": "00:00"}]
    thursday = [
        {"close_time": "03:00", "open_time": "00:00"},
        {"close_time": "00:00", "open_time": "05:00"},
    ]
    midnight = exchange.world.now // DAY * DAY
    hours: Json = {day: (thursday if day == "thursday" else always) for day in _DAYS}
    hours["start_time"] = iso(midnight - 365 * DAY)
    hours["end_time"] = iso(midnight + 365 * DAY)
    return {"schedule": {"maintenance_windows": [], "standard_hours": [dict(sorted(hours.items()))]}}


def user_data_timestamp(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /exchange/user_data_timestamp."""
    return {"as_of_time": iso(exchange.world.now)}


def historical_cutoff(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /historical/cutoff."""
    cutoff = exchange.cutoff
    return {
        "market_positions_last_updated_ts": iso(cutoff.positions),
        "market_settled_ts": iso(cutoff.markets),
        "orders_updated_ts": iso(cutoff.orders),
        "trades_created_ts": iso(cutoff.trades),
    }


def endpoint_costs(_: Exchange, __: Query, ___: dict[str, str]) -> Json:
    """GET /account/endpoint_costs."""
    return {
        "default_cost": DEFAULT_COST,
        "endpoint_costs": [
            {"cost": cost, "method": method, "path": f"/trade-api/v2{path}"}
            for (method, path), cost in sorted(COSTS.items(), key=lambda item: item[0][::-1])
        ],
    }


def account_limits(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /account/limits."""
    tier = exchange.tier
    return {
        "grants": [],
        "read": {"bucket_capacity": tier.read_capacity, "refill_rate": tier.read},
        "usage_tier": tier.name,
        "write": {"bucket_capacity": tier.write_capacity, "refill_rate": tier.write},
    }


def api_keys(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /api_keys."""
    return {
        "api_keys": [
            {"api_key_id": key.key_id, "name": key.name, "scopes": list(key.scopes)}
            for key in exchange.keys.of_user(int(path["user"]))
        ]
    }


def balance(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/balance."""
    cash = exchange.accounts[int(path["user"])].cash
    text = f"{cash // MONEY_SCALE}.{cash % MONEY_SCALE // 100:04d}"
    return {
        "balance": cash // (MONEY_SCALE // 100),
        "balance_breakdown": [{"balance": text, "exchange_index": 0}],
        "balance_dollars": text,
        "portfolio_value": 0,
        "updated_ts": exchange.world.now // SECOND,
    }


def no_positions(_: Exchange, query: Query, __: dict[str, str]) -> Json:
    """GET /portfolio/positions of an account that has never traded."""
    query.limit(100, 1, 1000)
    return {"cursor": "", "event_positions": [], "market_positions": []}


def no_fills(_: Exchange, query: Query, __: dict[str, str]) -> Json:
    """GET /portfolio/fills and its historical form."""
    query.limit(100, 1, 1000)
    return {"cursor": "", "fills": []}


def no_orders(_: Exchange, query: Query, __: dict[str, str]) -> Json:
    """GET /portfolio/orders and its historical form."""
    query.limit(100, 1, 1000)
    return {"cursor": "", "orders": []}


def no_settlements(_: Exchange, query: Query, __: dict[str, str]) -> Json:
    """GET /portfolio/settlements."""
    query.limit(100, 1, 1000)
    return {"cursor": "", "settlements": []}
