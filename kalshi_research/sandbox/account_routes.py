"""The exchange itself, and what a signed caller may ask about the own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.instants import DAY, iso
from kalshi_research.sandbox.rate_limits import COSTS, DEFAULT_COST

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = [
    "account_limits",
    "endpoint_costs",
    "exchange_schedule",
    "exchange_status",
    "historical_cutoff",
    "user_data_timestamp",
]

Json = dict[str, Any]

_SHARDS = ("Default", "Combos", "Crypto & Commodities", "Tennis, Baseball, Basketball")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def exchange_status(exchange: Exchange, _: Query, __: dict[str, str]) -> Json:
    """GET /exchange/status."""
    active, trading = exchange.floor.call(lambda engine: (engine.exchange_active, engine.trading_active))
    return {
        "exchange_active": active,
        "exchange_index_statuses": [
            {
                "description": name,
                "exchange_active": active,
                "exchange_index": place,
                "intra_exchange_transfers_active": True,
                "trading_active": trading,
            }
            for place, name in enumerate(_SHARDS)
        ],
        "intra_exchange_transfers_active": True,
        "trading_active": trading,
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
