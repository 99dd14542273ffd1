"""Money on shards: moved from one to another, and how it is to be spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import MONEY_SCALE, fixed_text
from kalshi_research.sandbox.acting import act, user_of
from kalshi_research.sandbox.bodies import Body
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.queries import Query, cut_page
from kalshi_research.sandbox.refusals import bad_combination, not_found, refused
from kalshi_research.sandbox.seeding import derived_uuid

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Engine
    from kalshi_research.sandbox.exchange import Exchange

__all__ = ["SHARDS", "allocation", "move", "moved", "moves", "set_allocation"]

Json = dict[str, Any]

SHARDS = 4
_CENTICENT = MONEY_SCALE // 10_000
_RESERVATIONS = ("none", "max", "sum")


def move(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/intra_exchange_instance_transfer: done at once, between shards only."""
    body, user = Body("IntraExchangeInstanceTransferRequest", fields), user_of(exchange, path)
    names = {name: body.text(name, required=True) for name in ("source", "destination")}
    amount = body.integer("amount", required=True) or 0
    source, destination = (body.integer(f"{name}_exchange_shard") or 0 for name in names)
    giver, taker = (body.integer(f"{name}_subaccount") or 0 for name in names)
    client_id = body.text("client_transfer_id")
    if set(names.values()) != {"event_contract"}:
        raise bad_combination(
            "source and destination are event_contract: there are no margined accounts"
        )
    if not (0 <= source < SHARDS and 0 <= destination < SHARDS) or amount <= 0:
        raise bad_combination("two shards and a positive amount are needed")
    if client_id and (giver or taker):
        raise bad_combination("client_transfer_id goes with primary accounts only")
    known = exchange.moves.setdefault(user, [])
    if client_id and any(
        (row.get("client_transfer_id"), row["source_exchange_shard"]) == (client_id, source)
        for row in known
    ):
        raise refused(409, "transfer_already_applied")
    transfer_id = derived_uuid(exchange.world.seed, "transfer", user, len(known))
    money = amount * _CENTICENT

    def act_in(engine: Engine) -> None:
        # Between shards the money goes by way of the primary account where subaccounts differ.
        if giver != taker:
            engine.transfer(user, giver, taker, money, transfer_id, shard=source)
        if source != destination:
            engine.move(user, taker, source, destination, money)
        elif giver == taker:
            raise bad_combination("source and destination are the same")

    act(exchange, act_in)
    row: Json = {
        "amount": fixed_text(money // 100, 10_000),
        "created_ts": exchange.floor.now() // SECOND,
        "destination": "event_contract",
        "destination_exchange_shard": destination,
        "source": "event_contract",
        "source_exchange_shard": source,
        "status": "complete",
        "transfer_id": transfer_id,
    }
    if client_id:
        row["client_transfer_id"] = client_id
    known.append(row)
    return {"transfer_id": transfer_id}


def moves(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/intra_exchange_instance_transfers, newest first."""
    limit, rows = query.limit(100, 1, 500), exchange.moves.get(user_of(exchange, path), [])
    placed = [*enumerate(rows)][::-1]
    page = cut_page(placed, lambda item: (item[0], item[1]["transfer_id"]), query.text("cursor"), limit)
    answer: Json = {"transfers": [row for _, row in page.rows]}
    return ({"cursor": page.cursor} if page.cursor else {}) | answer


def moved(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/intra_exchange_instance_transfers/{transfer_id}."""
    for row in exchange.moves.get(user_of(exchange, path), []):
        if row["transfer_id"] == path["transfer_id"]:
            return {"transfer": row}
    raise not_found()


def allocation(exchange: Exchange, _: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/target_balance_allocation."""
    nothing: Json = {"allocations": [], "resting_margin_reservation": "sum"}
    return exchange.allocations.get(user_of(exchange, path), nothing)


def set_allocation(exchange: Exchange, _: Query, path: dict[str, str], fields: Json) -> Json:
    """POST /portfolio/target_balance_allocation: spread once, when it is set, what no order reserves."""
    body, user = Body("SetTargetBalanceAllocationRequest", fields), user_of(exchange, path)
    rows = [Body("TargetBalanceAllocationInput", row) for row in body.rows("allocations")]
    reservation = body.text("resting_margin_reservation") or "sum"
    shares = [
        (row.integer("exchange_index", required=True) or 0, row.integer("percent", required=True) or 0)
        for row in rows
    ]
    shards = [shard for shard, _ in shares]
    if (
        reservation not in _RESERVATIONS
        or len(set(shards)) < len(shards)
        or not all(0 <= shard < SHARDS and 0 <= percent <= 100 for shard, percent in shares)
        or (shares and sum(percent for _, percent in shares) != 100)
    ):
        raise bad_combination("percentages of different shards total 100")
    act(exchange, lambda engine: _spread(engine, user, dict(shares)))
    exchange.allocations[user] = {
        "allocations": [{"exchange_index": shard, "percent": percent} for shard, percent in shares],
        "resting_margin_reservation": reservation,
    }
    return {}


def _spread(engine: Engine, user: str, shares: dict[int, int]) -> None:
    """Bring what is available to the shards in these percentages, as far as whole centicents go."""
    if not shares or engine.options.money == "pooled":
        return
    wallet = engine.wallet(user)
    free = {shard: max(wallet.member.purse(0, shard).available, 0) for shard in range(SHARDS)}
    total = sum(free.values()) // _CENTICENT
    missing = {
        shard: total * shares.get(shard, 0) // 100 * _CENTICENT - money for shard, money in free.items()
    }
    givers = [(shard, -money) for shard, money in missing.items() if money < 0]
    takers = [(shard, money) for shard, money in missing.items() if money > 0]
    while givers and takers:
        (giver, spare), (taker, wanted) = givers.pop(), takers.pop()
        amount = min(spare, wanted)
        engine.move(user, 0, giver, taker, amount)
        if spare > amount:
            givers.append((giver, spare - amount))
        if wanted > amount:
            takers.append((taker, wanted - amount))
