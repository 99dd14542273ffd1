"""What a key may do: its scopes, and the subaccount it may be locked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.refusals import Refusal, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kalshi_research.sandbox.auth import RegisteredKey

__all__ = ["SCOPES", "keep_to_subaccount", "lock_of", "permit"]

SCOPES = (
    "read", "write", "read::block_trade_accept", "read::portfolio_balance", "write::trade",
    "write::transfer", "write::fcm_risk", "write::block_trade_accept",
)  # fmt: skip
"""All scopes there are; a parent holds all of its children."""

_TRADE = (
    "CreateOrderV2", "CancelAllOrders", "BatchCreateOrdersV2", "BatchCancelOrdersV2", "CancelOrderV2",
    "AmendOrderV2", "DecreaseOrderV2", "CreateOrderGroup", "DeleteOrderGroup", "ResetOrderGroup",
    "TriggerOrderGroup", "UpdateOrderGroupLimit",
)  # fmt: skip
_TRANSFER = ("ApplySubaccountTransfer", "IntraExchangeInstanceTransfer", "SetTargetBalanceAllocation")
# What a child scope is enough for.
_CHILD: dict[str, str] = {
    "GetBalance": "read::portfolio_balance",
    **dict.fromkeys(_TRADE, "write::trade"),
    **dict.fromkeys(_TRANSFER, "write::transfer"),
}
# What concerns more than one subaccount. A locked key that made keys would unlock itself.
_UNLOCKED_ONLY = {
    "ApplySubaccountTransfer", "CreateSubaccount", "UpdateSubaccountNetting", "GetSubaccountTransfers",
    "SetTargetBalanceAllocation", "GetTargetBalanceAllocation", "CreateApiKey", "GenerateApiKey",
    "DeleteApiKey", "GetIntraExchangeInstanceTransfers", "GetIntraExchangeInstanceTransfer",
}  # fmt: skip


def _forbidden(details: str) -> Refusal:
    return refused(403, "forbidden", details=details)


def permit(key: RegisteredKey, operation: str, *, write: bool) -> None:
    """Refuse what the scopes or the lock of a key do not allow.

    Parameters
    ----------
    key : RegisteredKey
    operation : str
        As the specification calls it.
    write : bool
        Whether it changes something.

    Raises
    ------
    Refusal
        403.
    """
    parent = "write" if write else "read"
    if parent not in key.scopes and _CHILD.get(operation) not in key.scopes:
        raise _forbidden(f"this key has no scope to {parent}")
    if key.subaccount is not None and operation in _UNLOCKED_ONLY:
        raise _forbidden("this key is restricted to a subaccount")


def keep_to_subaccount(
    key: RegisteredKey, items: Sequence[tuple[str, str]], fields: dict[str, Any]
) -> list[tuple[str, str]]:
    """Have a locked key ask about its own subaccount, also where it names none.

    Parameters
    ----------
    key : RegisteredKey
    items : sequence of (str, str)
        The query.
    fields : dict
        The body, which gets the subaccount, as does each order of a batch.

    Returns
    -------
    list of (str, str)
        The query with the subaccount.

    Raises
    ------
    Refusal
        403, where another subaccount is named.
    """
    lock = key.subaccount
    if lock is None:
        return list(items)
    if any(name == "subaccount" and value not in ("", str(lock)) for name, value in items):
        raise _other_subaccount()
    rows = fields.get("orders")
    for part in [fields, *(rows if isinstance(rows, list) else [])]:
        if isinstance(part, dict):
            for name in ("subaccount", "source_subaccount", "destination_subaccount"):
                if part.get(name) not in (None, lock):
                    raise _other_subaccount()
                part[name] = lock
    return [*(item for item in items if item[0] != "subaccount"), ("subaccount", str(lock))]


def _other_subaccount() -> Refusal:
    return _forbidden("this key is restricted to another subaccount")


def lock_of(path: dict[str, str]) -> int | None:
    """The subaccount that the caller's key is locked to; None for a free one."""
    text = path.get("lock", "")
    return int(text) if text else None
