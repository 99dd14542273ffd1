"""How the engine says no: an HTTP status, a code, and the engine's own name for the reason."""

from __future__ import annotations

__all__ = ["REASONS", "Rejection", "refuse"]

REASONS: dict[str, tuple[int, str, str]] = {
    "EXCHANGE_PAUSED": (409, "exchange_is_paused", "exchange is paused"),
    "EXCEEDED_ORDER_GROUP_RISK_LIMIT": (
        409,
        "exceeded_order_group_risk_limit",
        "order group is triggered",
    ),
    "FOK_INSUFFICIENT_VOLUME": (
        409,
        "fill_or_kill_insufficient_resting_volume",
        "fill or kill insufficient resting volume",
    ),
    "INSUFFICIENT_BALANCE": (400, "insufficient_balance", "insufficient balance"),
    "INVALID_ORDER": (400, "invalid_order", "invalid order"),
    "INVALID_PARAMETERS": (400, "invalid_parameters", "invalid parameters"),
    "INVALID_PRICE": (400, "invalid_price", "invalid price"),
    "INVALID_SIZE": (400, "invalid_order_size", "invalid order size"),
    "INVALID_AMEND_QTY_FOR_ORDER": (400, "invalid_order_size", "invalid order size"),
    "MARKET_INACTIVE": (400, "market_inactive", "market is inactive"),
    "MARKET_NOT_FOUND": (404, "not_found", "not found"),
    "NOT_FOUND": (404, "not_found", "not found"),
    "ORDER_ALREADY_EXISTS": (409, "order_already_exists", "order already exists"),
    "ORDER_GROUP_NOT_FOUND": (404, "not_found", "not found"),
    "ORDER_ID_MISMATCH": (
        400,
        "order_id_and_client_order_id_mismatch",
        "order id and client order id mismatch",
    ),
    "ORDER_SIDE_MISMATCH": (400, "order_side_mismatch", "order side mismatch"),
    "ORDER_TICKER_MISMATCH": (400, "order_ticker_mismatch", "order ticker mismatch"),
    "POST_ONLY_CROSS": (400, "invalid_order", "invalid order"),
    "SUBACCOUNT_NOT_FOUND": (400, "invalid_parameters", "invalid parameters"),
    "TRADING_PAUSED": (409, "trading_is_paused", "trading is paused"),
    "TRANSFER_ALREADY_APPLIED": (409, "transfer_already_applied", "transfer already applied"),
}
"""HTTP status, code and message by reason."""


class Rejection(Exception):  # noqa: N818 - a refusal is an answer of the exchange, not a fault
    """A request was refused and nothing changed.

    Attributes
    ----------
    reason : str
        The engine's name, a key of `REASONS`.
    status : int
        HTTP status.
    code, message, details : str
        Body of the answer.
    """

    def __init__(self, reason: str, status: int, code: str, message: str, details: str) -> None:
        self.reason = reason
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        super().__init__(reason, status, code, message, details)

    def __str__(self) -> str:
        return f"{self.status} {self.code}" + (f": {self.details}" if self.details else "")

    def __repr__(self) -> str:
        return f"Rejection({str(self)!r})"


def refuse(reason: str, details: str = "", *, status: int | None = None) -> Rejection:
    """The rejection for a reason, ready to be raised.

    Examples
    --------
    >>> refuse("POST_ONLY_CROSS", "post only cross")
    Rejection('400 invalid_order: post only cross')
    """
    known, code, message = REASONS[reason]
    return Rejection(reason, status or known, code, message, details)
