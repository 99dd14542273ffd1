"""Answers that say no, in the four shapes the exchange uses."""

from __future__ import annotations

from typing import Any

__all__ = [
    "Refusal",
    "bad_combination",
    "bad_format",
    "bad_value",
    "gone",
    "missing",
    "not_found",
    "refused",
    "unauthorized",
]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An error answer on its way out.

    Attributes
    ----------
    status : int
    body : dict
    """

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body

    @property
    def inside(self) -> dict[str, Any]:
        """The flat form that errors have inside of batches."""
        found: dict[str, Any] = self.body.get("error", self.body)
        return found


def refused(status: int, code: str, message: str = "", details: str = "") -> Refusal:
    """The common shape: ``{"error": {"code", "message", "details"?}}``.

    Examples
    --------
    >>> refused(404, "not_found").body
    {'error': {'code': 'not_found', 'message': 'not found'}}
    """
    error = {"code": code, "message": message or code.replace("_", " ")}
    if details:
        error["details"] = details
    return Refusal(status, {"error": error})


def not_found(details: str = "") -> Refusal:
    """404."""
    return refused(404, "not_found", details=details)


def gone() -> Refusal:
    """410 of the order routes that were removed in 2026."""
    return refused(
        410,
        "deprecated_v1_order_endpoint",
        "Please switch to the V2 endpoints",
        "https://docs.kalshi.com/api-reference/orders/create-order-v2",
    )


def unauthorized(code: str, details: str = "") -> Refusal:
    """401; a failed check of the key repeats its code as the message."""
    return refused(401, code, code if code == "authentication_error" else "", details)


def bad_combination(details: str) -> Refusal:
    """400 for parameters that are fine one by one."""
    return refused(400, "invalid_parameters", details=details)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def bad_value(operation: str, name: str, tag: str) -> Refusal:
    """400 for a parameter outside its range.

    Examples
    --------
    >>> bad_value("GetMarkets", "limit", "lte").body["msg"][:44]
    'Parameter validation failed for GetMarkets: '
    """
    field = _camel(name)
    return Refusal(
        400,
        {
            "msg": f"Parameter validation failed for {operation}: Key: '{operation}Params.{field}' "
            f"Error:Field validation for '{field}' failed on the '{tag}' tag"
        },
    )


def bad_format(name: str) -> Refusal:
    """400 for a parameter of the wrong type."""
    return Refusal(400, {"msg": f"Invalid format for parameter {name}: error binding string parameter"})


def missing(name: str) -> Refusal:
    """400 for a required parameter that is not there."""
    return Refusal(400, {"msg": f"Query argument {name} is required, but not found"})
