"""The account: money, limits, keys, deposits and withdrawals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kalshi_research.schemas.columns import Column, moment
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["API_KEYS", "BALANCE", "DEPOSITS", "LIMITS", "WITHDRAWALS"]


@dataclass(frozen=True)
class _WholeBody:
    """The answer is the one row."""

    keys: frozenset[str]

    def page_type(self, row: type) -> Any:
        return row

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]]:
        return [page], {}


@dataclass(frozen=True)
class _KeysPage:
    """Keys, and beside them until when they may be used from where their owner is."""

    keys = frozenset({"api_keys"})

    def page_type(self, row: type) -> Any:
        fields = [
            ("api_keys", list[row] | None | msgspec.UnsetType, msgspec.UNSET),  # type: ignore[valid-type]
            ("api_key_region_expiration_ts", int | None, None),
        ]
        return msgspec.defstruct("Page", fields)

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]] | None:
        if page.api_keys is msgspec.UNSET:
            return None
        keys = page.api_keys or []
        return keys, {"region_expiration_time": [page.api_key_region_expiration_ts] * len(keys)}


BALANCE = Schema(
    kind="balance",
    version=1,
    items="balance",
    page=_WholeBody(frozenset({"balance", "balance_dollars", "portfolio_value"})),
    columns=(
        Column(
            "balance", "amount", "money at hand", ("balance_dollars",), ("balance",), need="required"
        ),
        Column(
            "portfolio_value",
            "cents",
            "what the positions are worth to the exchange, to the cent",
            ("portfolio_value",),
        ),
        moment("updated_time", "last change", wire="updated_ts"),
        Column("balance_breakdown", "json", "by shard: exchange_index, balance", ("balance_breakdown",)),
    ),
    ignored={"balance": "balance_dollars cut to cents; read only where that is missing"},
    ignored_old={"portfolio_value_dollars": "repeats portfolio_value"},
)


def _rate(lane: str) -> tuple[Column, Column]:
    rate, capacity = f"{lane}.refill_rate", f"{lane}.bucket_capacity"
    return (
        Column(
            f"{lane}_refill_rate",
            "integer",
            f"tokens a second for {lane}s; in 2025 requests a second",
            (rate,),
            (f"{lane}_limit",),
        ),
        Column(f"{lane}_bucket_capacity", "integer", f"tokens saved up for {lane}s", (capacity,)),
    )


LIMITS = Schema(
    kind="account_limits",
    version=1,
    items="read",
    page=_WholeBody(frozenset({"usage_tier"})),
    columns=(
        Column("usage_tier", "text", "basic, advanced, expert …", ("usage_tier",), need="required"),
        *_rate("read"),
        *_rate("write"),
        Column("grants", "json", "tiers granted: level, source, expires_ts", ("grants",)),
    ),
)

API_KEYS = Schema(
    kind="api_keys",
    version=1,
    items="api_keys",
    page=_KeysPage(),
    index="api_key_id",
    key=("api_key_id",),
    columns=(
        Column("api_key_id", "text", "the id that connect takes", ("api_key_id",), need="required"),
        Column("name", "text", "given by its owner", ("name",), need="promised"),
        Column("scopes", "json", "what it may do, such as read and write", ("scopes",)),
        Column("subaccount", "integer", "the only subaccount it may use", ("subaccount",)),
        Column("region_expiration_time", "time", "until when the owner's place is attested"),
        Column("fcm_subtrader_id", "text", "brokers only", ("fcm_subtrader_id",)),
    ),
)

_TRANSFER_STATUSES = ("pending", "applied", "failed", "returned")


def _transfers(kind: str, what: str) -> Schema:
    return Schema(
        kind=kind,
        version=1,
        items=kind,
        page=ListOf(kind),
        index="id",
        key=("id",),
        columns=(
            Column("id", "text", "identifier", ("id",), need="required"),
            moment("created_time", "request", "required", wire="created_ts"),
            Column("status", "text", "state", ("status",), need="required", known=_TRANSFER_STATUSES),
            Column(
                "type",
                "text",
                "way of payment",
                ("type",),
                need="promised",
                known=("ach", "wire", "crypto", "debit", "apm"),
            ),
            Column("amount", "cents", what, ("amount_cents",), need="required"),
            Column("fee", "cents", "fee of the payment", ("fee_cents",), need="promised"),
            moment("finalized_time", "end of it, good or bad", wire="finalized_ts"),
        ),
    )


DEPOSITS = _transfers("deposits", "paid in")
WITHDRAWALS = _transfers("withdrawals", "paid out")
