"""Order groups and subaccounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE, fixed_text
from kalshi_research.sandbox.acting import act, subaccount_of, user_of
from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.portfolio_views import count
from kalshi_research.sandbox.refusals import bad_combination, not_found
from kalshi_research.sandbox.scopes import lock_of
from kalshi_research.sandbox.shard_routes import SHARDS

if TYPE_CHECKING:
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.queries import Query

__all__ = [
    "create_group", "create_subaccount", "delete_group", "group", "groups", "limit_group", "netting",
    "reset_group", "set_netting", "subaccount_balances", "transfer", "transfers", "trigger_group",
]  # fmt: skip

Json = dict[str, Any]


def _limit(body: Body) -> int:
    whole, exact = body.integer("contracts_limit"), body.count("contracts_limit_fp", required=False)
    if whole is None and exact is None:
        raise bad_combination("contracts_limit or contracts_limit_fp is needed")
    if None not in (whole, exact) and exact != (whole or 0) * COUNT_SCALE:
        raise bad_combination("contracts_limit and contracts_limit_fp differ")
    return exact if exact is not None else (whole or 0) * COUNT_SCALE


def groups(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/order_groups."""
    user, subaccount = user_of(exchange, path), subaccount_of(query)
    found = act(exchange, lambda engine: list(engine.members[user].groups.values()))
    return {
        "order_groups": [
            {
                "contracts_limit_fp": count(row.limit),
                "exchange_index": row.shard,
                "id": row.group_id,
                "is_auto_cancel_enabled": True,
            }
            for row in found
            if subaccount is None or row.wallet.number == subaccount
        ]
    }


def group(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/order_groups/{order_group_id}."""
    user = user_of(exchange, path)
    _check_lock(exchange, path)
    found = act(exchange, lambda engine: engine.group(user, path["order_group_id"]))
    return {
        "contracts_limit_fp": count(found.limit),
        "exchange_index": found.shard,
        "is_auto_cancel_enabled": True,
        "orders": [row.order_id for row in found.resting.values()],
    }


def _check_lock(exchange: Exchange, path: dict[str, str]) -> None:
    """404 where the caller's key is locked to another subaccount than the group's."""
    user, lock = user_of(exchange, path), lock_of(path)
    found = act(exchange, lambda engine: engine.group(user, path["order_group_id"]))
    if lock not in (None, found.wallet.number):
        raise not_found("order group not found")


def create_group(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/order_groups/create."""
    body, user = Body("CreateOrderGroupRequest", fields), user_of(exchange, path)
    subaccount, shard = body.integer("subaccount") or 0, max(body.integer("exchange_index") or 0, 0)
    limit = _limit(body)
    made = act(
        exchange, lambda engine: engine.create_group(user, limit, subaccount=subaccount, shard=shard)
    )
    return {"exchange_index": shard, "order_group_id": made.group_id, "subaccount": subaccount}


def reset_group(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> Json:
    """PUT /portfolio/order_groups/{order_group_id}/reset."""
    user = user_of(exchange, path)
    _check_lock(exchange, path)
    act(exchange, lambda engine: engine.reset_group(user, path["order_group_id"]))
    return {}


def trigger_group(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> Json:
    """PUT /portfolio/order_groups/{order_group_id}/trigger."""
    user = user_of(exchange, path)
    _check_lock(exchange, path)
    act(exchange, lambda engine: engine.trigger_group(user, path["order_group_id"]))
    return {}


def limit_group(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """PUT /portfolio/order_groups/{order_group_id}/limit."""
    user, limit = user_of(exchange, path), _limit(Body("UpdateOrderGroupLimitRequest", fields))
    _check_lock(exchange, path)
    act(exchange, lambda engine: engine.set_group_limit(user, path["order_group_id"], limit))
    return {}


def delete_group(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> Json:
    """DELETE /portfolio/order_groups/{order_group_id}."""
    user = user_of(exchange, path)
    _check_lock(exchange, path)
    act(exchange, lambda engine: engine.delete_group(user, path["order_group_id"]))
    return {}


def create_subaccount(exchange: Exchange, _: Query, path: dict[str, str], __: Json) -> Json:
    """POST /portfolio/subaccounts."""
    user = user_of(exchange, path)
    if exchange.tier_of(int(path["user"])).name == "basic":
        raise bad_combination("subaccounts are for the advanced tier and above")
    return {"subaccount_number": act(exchange, lambda engine: engine.create_subaccount(user))}


def subaccount_balances(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/subaccounts/balances."""
    user, lock = user_of(exchange, path), lock_of(path)
    found = act(
        exchange,
        lambda engine: [
            (row.number, row.shard, engine.balance(user, row.number, row.shard))
            for row in engine.members[user].everything(lock)
        ],
    )
    return {
        "subaccount_balances": [
            {
                "balance": fixed_text(cash // (MONEY_SCALE // PRICE_SCALE), PRICE_SCALE),
                "exchange_index": shard,
                "subaccount_number": number,
                "updated_ts": exchange.floor.now() // SECOND,
            }
            for number, shard, cash in found
        ]
    }


def transfer(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/subaccounts/transfer."""
    body, user = Body("ApplySubaccountTransferRequest", fields), user_of(exchange, path)
    name = body.text("client_transfer_id", required=True)
    giver, taker = (
        body.integer("from_subaccount", required=True),
        body.integer("to_subaccount", required=True),
    )
    cents, shard = body.integer("amount_cents", required=True) or 0, body.integer("exchange_index") or 0
    if not 0 <= shard < SHARDS:
        raise bad_combination("there is no such exchange_index")
    money = cents * (MONEY_SCALE // 100)
    act(
        exchange,
        lambda engine: engine.transfer(user, giver or 0, taker or 0, money, name, shard=shard),
    )
    exchange.transfers.setdefault(user, []).append(
        {
            "amount_cents": cents,
            "created_ts": exchange.floor.now() // SECOND,
            "exchange_index": shard,
            "from_subaccount": giver or 0,
            "to_subaccount": taker or 0,
            "transfer_id": name,
        }
    )
    return {}


def transfers(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/subaccounts/transfers, newest first."""
    limit, cursor = query.limit(100, 1, 1000), query.text("cursor")
    rows = exchange.transfers.get(user_of(exchange, path), [])[::-1]
    start = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 9 else 0
    more = start + limit < len(rows)
    return {"cursor": str(start + limit) if more else "", "transfers": rows[start : start + limit]}


def netting(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/subaccounts/netting."""
    user, lock = user_of(exchange, path), lock_of(path)
    numbers = act(exchange, lambda engine: list(engine.members[user].wallets))
    return {
        "netting_configs": [
            {
                "enabled": (user, number) in exchange.netting,
                "exchange_index": 0,
                "subaccount_number": number,
            }
            for number in numbers
            if lock in (None, number)
        ]
    }


def set_netting(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """PUT /portfolio/subaccounts/netting: remembered; its formula is not public and not applied."""
    body, user = Body("UpdateSubaccountNettingRequest", fields), user_of(exchange, path)
    number, enabled = body.integer("subaccount_number", required=True) or 0, body.flag("enabled")
    if fields.get("enabled") is None:
        raise bad_combination("enabled is needed")
    act(exchange, lambda engine: engine.wallet(user, number))
    if enabled:
        exchange.netting.add((user, number))
    else:
        exchange.netting.discard((user, number))
    return {}
