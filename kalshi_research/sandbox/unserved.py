"""What the exchange's specification has and the sandbox has not, and why."""

from __future__ import annotations

__all__ = ["UNSERVED"]

UNSERVED: dict[str, str] = {
    "/account/api_usage_level": "one tier a sandbox, chosen when it starts",
    "/communications": "requests for quotes and block trades are made off the book",
    "/fcm": "brokers only",
    "/incentive_programs": "no incentives are paid in a world without money",
    "/live_data": "the outside world has no live data",
    "/milestones": "as live data",
    "/multivariate_event_collections": "the combos of a world are there from the start",
    "/portfolio/intra_exchange_instance_transfer": "there is one exchange instance",
    "/portfolio/target_balance_allocation": "collateral is not kept by shard",
    "/search/filters_by_sport": "the world has one sport",
    "/series/{series_ticker}/events/{ticker}/forecast_percentile_history": "no forecasts are published",
    "/structured_targets": "as live data",
}
"""Beginnings of paths, and the reason."""
