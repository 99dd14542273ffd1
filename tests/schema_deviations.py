"""Where the sandbox deviates from the exchange's specification on purpose, and why."""

from __future__ import annotations

from typing import Any

# operation (* for all), status, code of the error (msg for the shape that has nothing else), reason
DEVIATIONS: tuple[tuple[str, int, str, str], ...] = (
    (
        "*", 400, "msg",
        "a parameter that is malformed or out of range is refused everywhere, as recorded at /markets; "
        "the specification names no 400 where it names no error of its own",
    ),
    (
        "POST /portfolio/events/orders", 404, "not_found",
        "an unknown market or order group; the specification leaves 404 out, the exchange does not",
    ),
    ("GET /series/{series_ticker}", 404, "not_found", "an unknown series, as for markets and events"),
    (
        "GET /series/{series_ticker}/events/{ticker}/candlesticks", 404, "not_found",
        "an unknown event, as for the candlesticks of an unknown market",
    ),
    (
        "POST /portfolio/events/orders/{order_id}/amend", 409, "order_already_exists",
        "a client order id that is taken is a conflict, as at creation",
    ),
    (
        "POST /portfolio/subaccounts/transfer", 409, "transfer_already_applied",
        "a transfer id that is taken is a conflict, as the documentation of transfers says",
    ),
    (
        "GET /portfolio/balance", 400, "invalid_parameters",
        "a subaccount that is not there; the specification names no error for it",
    ),
    (
        "DELETE /portfolio/events/orders/{order_id}", 400, "invalid_parameters",
        "a shard or subaccount that is not there; the specification names no error for it",
    ),
    (
        "DELETE /portfolio/events/orders", 400, "invalid_parameters",
        "a subaccount that is not there; the specification names no error for it",
    ),
)  # fmt: skip


def reason(row: dict[str, Any]) -> str:
    """Why a finding is meant, or nothing; only statuses are ever meant, bodies never."""
    if row["check"] != "UndefinedStatusCode":
        return ""
    for operation, status, code, why in DEVIATIONS:
        if operation in ("*", row["operation"]) and (status, code) == (row["status"], row["code"]):
            return why
    return ""


def unexpected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings that nobody meant."""
    return [row for row in rows if not reason(row)]


def unsuccessful(asked: list[str], statuses: dict[str, int]) -> list[str]:
    """Operations that no request got right, so that their answers were not judged."""
    return [
        name for name in asked if not any(f"{name} {status}" in statuses for status in (200, 201, 204))
    ]
