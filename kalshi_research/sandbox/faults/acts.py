"""Faults of the market: what happens on the exchange around the arrival of a request.

``fill`` lets others trade with the order that a request is about, in amounts of `counts` (comma
separated; all that is left where it is empty): before the request is carried out, after it but
before its answer, or the first amount before and the others after (``between``).

``operate`` halts, closes or settles, before the request is carried out or `seconds` after; a
pause ends by itself when `lasts` is set.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from kalshi_research.errors import InputError
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, parse_fixed
from kalshi_research.sandbox.engine import Rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from kalshi_research.sandbox.engine import Engine, Order
    from kalshi_research.sandbox.faults.call import Call, Inner, Outcome
    from kalshi_research.sandbox.faults.gate import FaultGate
    from kalshi_research.sandbox.faults.rules import Bite
    from kalshi_research.sandbox.floor import Floor

__all__ = ["COUNTERPARTY", "fill", "fill_order", "operate"]

COUNTERPARTY = "the other side of scripted fills"
"""The user who trades where a script says so."""

_DEEP_POCKETS = 10**15


# --- fills -----------------------------------------------------------------------------------------


async def fill(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Let others trade with the order of a request, around its arrival."""
    amounts: list[int | None] = [
        parse_fixed(text.strip(), COUNT_SCALE) for text in bite.rule.details["counts"].split(",") if text
    ] or [None]
    first = {"before": len(amounts), "after": 0}.get(bite.rule.variant, 1)
    order_id = _named_order(call)
    _fill_all(gate, bite, order_id, amounts[:first])
    outcome = await inner(call)
    bite.status = outcome.answer.status
    if amounts[first:]:
        found = outcome.answer.json()
        made = found.get("order_id", "") if isinstance(found, dict) else ""
        _fill_all(gate, bite, order_id or made, amounts[first:])
    return outcome


def _named_order(call: Call) -> str:
    parts = call.path.split("/")
    at = parts.index("orders") + 1 if "orders" in parts else len(parts)
    return parts[at] if at < len(parts) and parts[at] != "batched" else ""


def _fill_all(gate: FaultGate, bite: Bite, order_id: str, amounts: list[int | None]) -> None:
    for amount in amounts:
        try:
            gate.exchange.floor.call(partial(fill_order, order_id=order_id, count=amount))
        except (InputError, Rejection) as error:
            bite.note = str(error)


def fill_order(engine: Engine, order_id: str, count: int | None = None) -> int:
    """Have somebody else trade with a resting order, and with all that is before it in the queue.

    Parameters
    ----------
    engine : Engine
    order_id : str
    count : int, optional
        [1/100 contract]; by default all that is left.

    Returns
    -------
    int
        What was traded with the order [1/100 contract].

    Raises
    ------
    InputError
        When no such order rests.
    """
    order = find_order(engine, order_id)
    if order is None or order.status != "resting":
        raise InputError("there is no such resting order to fill")
    if COUNTERPARTY not in engine.members:
        engine.create_user(COUNTERPARTY, cash=_DEEP_POCKETS)
    side = order.market.bids if order.is_bid else order.market.asks
    before = order.filled
    wanted = order.remaining if count is None else min(count, order.remaining)
    engine.submit(
        COUNTERPARTY,
        order.market.ticker,
        "ask" if order.is_bid else "bid",
        order.price,
        side.ahead_of(order) + wanted,
        time_in_force="immediate_or_cancel",
    )
    return order.filled - before


def find_order(engine: Engine, order_id: str) -> Order | None:
    """An order of whatever user; None where there is none."""
    for member in engine.members.values():
        for order in reversed(member.orders):
            if order.order_id == order_id:
                return order
    return None


# --- the operator ----------------------------------------------------------------------------------


async def operate(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Halt, close or settle, now or later."""
    details, act = bite.rule.details, bite.rule.variant
    ticker = details["ticker"] or _named_market(gate.exchange.floor, call)
    work = partial(_act, gate.exchange.floor, act, ticker, bite)
    if details["seconds"] > 0:
        gate.faults.begin_late()
        gate.later(_after(gate.faults.seconds(details["seconds"]), work))
    else:
        work()
    if act.startswith("pause_") and details["lasts"] > 0:
        end = partial(_act, gate.exchange.floor, act.replace("pause", "resume"), ticker, bite)
        gate.faults.begin_late()
        gate.later(_after(gate.faults.seconds(details["seconds"] + details["lasts"]), end))
    outcome = await inner(call)
    bite.status = outcome.answer.status
    return outcome


async def _after(seconds: float, work: Callable[[], None]) -> None:
    await asyncio.sleep(seconds)
    work()


def _named_market(floor: Floor, call: Call) -> str:
    """The market that a request is about; empty for none."""
    fields = call.json()
    asked: dict[str, Any] = fields if isinstance(fields, dict) else {}
    query = dict(parse_qsl(call.query))
    found = asked.get("ticker") or asked.get("market_ticker") or query.get("market_ticker")
    if isinstance(found, str) and found:
        return found
    order = floor.call(partial(find_order, order_id=_named_order(call)))
    return order.market.ticker if order is not None else ""


def _act(floor: Floor, act: str, ticker: str, bite: Bite) -> None:
    try:
        if act in _OF_THE_EXCHANGE:
            floor.call(_OF_THE_EXCHANGE[act])
        elif act == "close":
            floor.close(ticker)
        elif act.startswith("settle"):
            floor.settle(ticker, PRICE_SCALE if act == "settle_yes" else 0)
        else:
            floor.call(lambda engine: getattr(engine, act)(ticker), ticker)
    except (InputError, Rejection) as error:
        bite.note = str(error)


_OF_THE_EXCHANGE: dict[str, Callable[[Engine], None]] = {
    "pause_trading": lambda engine: engine.pause_trading(),
    "resume_trading": lambda engine: engine.resume_trading(),
    "pause_exchange": lambda engine: engine.pause_exchange(),
    "resume_exchange": lambda engine: engine.resume_exchange(),
}
