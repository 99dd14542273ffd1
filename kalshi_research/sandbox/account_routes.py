"""The exchange itself, and what a signed caller may ask about the own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import COUNT_SCALE, fixed_text
from kalshi_research.sandbox.dispatch import PREFIX
from kalshi_research.sandbox.instants import DAY, SECOND, iso
from kalshi_research.sandbox.rate_limits import COSTS, DEFAULT_COST
from kalshi_research.sandbox.refusals import refused

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = [
    "account_limits",
    "endpoint_costs",
    "exchange_schedule",
    "exchange_status",
    "historical_cutoff",
    "upgrade",
    "user_data_timestamp",
    "volume_progress",
]

Json = dict[str, Any]

_SHARDS = ("Default", "Combos", "Crypto & Commodities", "Tennis, Baseball, Basketball")
_UPGRADED = "advanced"
# What share of all volume of 30 days earns a level and keeps it [1/100 000].
_GOALS = (
    ("expert", 75, 50),
    ("premier", 125, 100),
    ("paragon", 250, 200),
    ("prime", 500, 400),
    ("prestige", 1_000, 800),
)
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
    return {"as_of_time": iso(exchange.as_of())}


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
            {"cost": cost, "method": method, "path": PREFIX + path}
            for (method, path), cost in sorted(COSTS.items(), key=lambda item: item[0][::-1])
        ],
    }


def account_limits(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /account/limits."""
    tier = exchange.tier_of(int(path["user"]))
    return {
        "grants": [
            {"exchange_instance": "event_contract", "level": level, "source": "manual"}
            for level in exchange.grants.get(int(path["user"]), ())
        ],
        "read": {"bucket_capacity": tier.read_capacity, "refill_rate": tier.read},
        "usage_tier": tier.name,
        "write": {"bucket_capacity": tier.write_capacity, "refill_rate": tier.write},
    }


def upgrade(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> Json:
    """POST /account/api_usage_level/upgrade: the advanced tier, for those who have sent an order."""
    user = int(path["user"])
    name = exchange.accounts[user].user_id
    if not exchange.floor.call(lambda engine: bool(engine.members[name].orders)):
        raise refused(403, "forbidden", details="none of the last 100 orders was created by the API")
    before = exchange.tier_of(user)
    exchange.grants[user] = (_UPGRADED,)
    if exchange.buckets is not None and exchange.tier_of(user) is not before:
        exchange.buckets.promote(user, exchange.tier_of(user))
    return {}


def volume_progress(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /account/api_usage_level/volume_progress: goals are shares of what the exchange traded."""
    name = exchange.accounts[int(path["user"])].user_id
    now = exchange.floor.now()
    since = now - 30 * DAY
    own = exchange.floor.call(
        lambda engine: sum(row.count for row in engine.members[name].fills if row.time >= since)
    )
    everything = sum(tick.quantity for tick in exchange.world.all_ticks() if tick.time >= since)
    return {
        "volume_progress": [
            {
                "computed_ts": now // SECOND,
                "goals": [
                    {
                        "earn_volume_goal_fp": fixed_text(everything * earn // 100_000, COUNT_SCALE),
                        "keep_volume_goal_fp": fixed_text(everything * keep // 100_000, COUNT_SCALE),
                        "level": level,
                    }
                    for level, earn, keep in _GOALS
                ],
                "trailing_30d_volume_fp": fixed_text(own, COUNT_SCALE),
            }
        ]
    }
