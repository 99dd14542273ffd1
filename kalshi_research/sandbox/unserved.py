"""What the exchange's specification has and the sandbox has not, and why."""

from __future__ import annotations

__all__ = ["UNSERVED"]

UNSERVED: dict[str, str] = {
    "/communications": "requests for quotes and block trades are made off the book",
    "/fcm": "brokers only",
    "/incentive_programs": "no incentives are paid in a world without money",
    "/live_data": "the outside world has no live data",
    "/milestones": "as live data",
}
"""Beginnings of paths, and the reason."""
