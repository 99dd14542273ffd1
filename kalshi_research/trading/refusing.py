"""What a refusal of an order means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import ApiError, InputError, OrderRejected

if TYPE_CHECKING:
    from kalshi_research.errors import KalshiError
    from kalshi_research.trading.terms import OrderTerms

__all__ = ["refused_change", "refused_order", "used_before"]


def used_before(key: str, what: str, terms: OrderTerms) -> InputError:
    """The error of an id that stands for something else."""
    return InputError(
        f"id {key} was used before, for: {what}; nothing was sent.\n"
        f"Leave client_order_id out for another order: {terms.sentence}."
    )


def refused_order(terms: OrderTerms, key: str, cause: KalshiError | None, note: str) -> OrderRejected:
    """The error of a refused order, in words."""
    status = cause.status if isinstance(cause, ApiError) else 400
    code = cause.code if isinstance(cause, ApiError) else ""
    details = cause.details if isinstance(cause, ApiError) else ""
    return OrderRejected(
        status,
        code=code or note,
        message=(cause.message if isinstance(cause, ApiError) and cause.message != code else "") or "",
        details=details,
        method="POST",
        path=f"order to {terms.sentence}",
        hint=_advice(terms, status, code, details),
        client_order_id=key,
    )


def refused_change(cause: ApiError, method: str, path: str, hint: str) -> OrderRejected:
    """The error of a refused change or cancel, in words."""
    return OrderRejected(
        cause.status,
        code=cause.code,
        message=cause.message if cause.message != cause.code else "",
        details=cause.details,
        method=method,
        path=path,
        hint=hint,
    )


_ADVICE: Final[Mapping[str, str]] = {
    "insufficient_balance": "The account does not hold what this order needs. Make it smaller.",
    "available_balance_too_low": "The account does not hold what this order needs. Make it smaller.",
    "invalid_price": "The price is off the grid of this market; get_market shows its price_ranges.",
    "market_inactive": "The market does not take orders now; get_market shows its status.",
    "trading_is_paused": "Trading is paused (often Thursdays 03:00–05:00 US Eastern); cancels work.",
    "exchange_is_paused": "The exchange is paused; get_exchange_status may say until when.",
    "fill_or_kill_insufficient_resting_volume": "The book cannot fill all of it.",
    "exceeded_order_group_risk_limit": "The order group is triggered; reset_order_group lets it go on.",
    "order_already_exists": "The id belongs to another order. Leave client_order_id out.",
    "not_found": "There is no such market or order group.",
    "too_many_requests": "The rate limit was met; it was not sent again. Wait, then place it anew.",
    "deprecated_v1_order_endpoint": "The exchange has removed this route; update this package.",
}


def _advice(terms: OrderTerms, status: int, code: str, details: str) -> str:
    if details == "post only cross":
        return (
            "Nothing was placed: a post_only order must rest, and this price would have traded at once."
        )
    said = _ADVICE.get("too_many_requests" if status == 429 else code)
    return f"Nothing was placed. {said or f'Look at the reason, then at: {terms.sentence}.'}"
