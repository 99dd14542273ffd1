"""What every request passes before it gets to the handler of its route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox import routes
from kalshi_research.sandbox.app import Answering, App
from kalshi_research.sandbox.auth import not_signed
from kalshi_research.sandbox.bodies import read_body
from kalshi_research.sandbox.dialect_2025 import routes as routes_2025
from kalshi_research.sandbox.dispatch import PREFIX, Asked, Receive, Said, Scope, Send, Table, told
from kalshi_research.sandbox.rate_limits import lanes
from kalshi_research.sandbox.refusals import gone
from kalshi_research.sandbox.scopes import keep_to_subaccount, permit

if TYPE_CHECKING:
    from kalshi_research.sandbox.auth import RegisteredKey
    from kalshi_research.sandbox.exchange import Exchange
    from kalshi_research.sandbox.routes import Handler, Read, Write

__all__ = ["build_app", "served_places"]

# What is said by the path alone: a body is not even looked at.
_WITHOUT_BODY = {
    "CancelAllOrders", "CancelOrderV2", "DeleteApiKey", "DeleteOrderGroup", "ResetOrderGroup",
    "TriggerOrderGroup", "UpgradeAccountApiUsageLevel",
}  # fmt: skip
# What each dialect serves: reads, writes, and what it knows to be gone.
_TABLES: dict[str, tuple[tuple[Read, ...], tuple[Write, ...], tuple[tuple[str, str], ...]]] = {
    "2026": (routes.READS, routes.WRITES, routes.GONE),
    "2025": (routes_2025.READS, routes_2025.WRITES, ()),
}


def build_app(
    exchange: Exchange, hosts: Callable[[], frozenset[str]]
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application.

    Parameters
    ----------
    exchange : Exchange
    hosts : callable
        The values of ``Host`` that are ours.
    """
    reads, writes, gone_by_now = _TABLES[exchange.dialect.name]
    table = Table[Answering]()
    for path, handler, operation, private in reads:
        table.add("GET", PREFIX + path, _endpoint(exchange, path, handler, operation, private))
    for write in writes:
        table.add(write[0], PREFIX + write[1], _writing(exchange, write))
    for method, path in gone_by_now:
        table.add(method, PREFIX + path, _gone(exchange))
    return App(exchange, hosts, table)


def served_places(dialect: str) -> list[str]:
    """What is served, each as a word and a path.

    Parameters
    ----------
    dialect : {"2026", "2025"}

    Examples
    --------
    >>> "GET /markets/{ticker}" in served_places("2026")
    True
    """
    reads, writes, gone_by_now = _TABLES[dialect]
    places = [("GET", read[0]) for read in reads] + [write[:2] for write in writes] + [*gone_by_now]
    return [f"{method} {path}" for method, path in places]


def _endpoint(
    exchange: Exchange, path: str, handler: Handler, operation: str, private: bool
) -> Answering:
    bucket, cost = exchange.dialect.cost("GET", path)

    async def endpoint(request: Asked, names: dict[str, str]) -> Said:
        key = _caller(exchange, request)
        if private:
            if key is None:
                raise not_signed()
            permit(key, operation, write=False)
        if exchange.buckets is not None:
            exchange.buckets.charge(None if key is None else key.user, bucket, cost)
        exchange.age()
        items = request.items()
        if private and key is not None:
            items = keep_to_subaccount(key, items, {})
            names |= key.path_values
        query = exchange.dialect.query(operation, items)
        with exchange.floor.held():  # all of an answer is about one moment
            return told(200, handler(exchange, query, names))

    return endpoint


def _writing(exchange: Exchange, write: Write) -> Answering:
    method, path, handler, operation, status = write
    bucket, cost = exchange.dialect.cost(method, path)

    async def endpoint(request: Asked, names: dict[str, str]) -> Said:
        key = _caller(exchange, request)
        if key is None:
            raise not_signed()
        permit(key, operation, write=True)
        raw = b"" if operation in _WITHOUT_BODY else await request.body()
        fields, items = read_body(raw, request.headers.get("content-type", "")), request.items()
        if exchange.buckets is not None:
            cost_of_all = cost * _how_many(path, fields)
            exchange.buckets.charge(key.user, bucket, cost_of_all, lanes(operation, items, fields))
        exchange.age()
        items = keep_to_subaccount(key, items, fields)
        query = exchange.dialect.query(operation, items)
        with exchange.floor.held():
            body = handler(exchange, query, names | key.path_values, fields)
            return (204, None) if body is None else told(status, body)

    return endpoint


def _how_many(path: str, fields: dict[str, Any]) -> int:
    """How many orders a request is about; each is charged for."""
    rows = fields.get("orders", fields.get("ids")) if path.endswith("/batched") else None
    return max(len(rows), 1) if isinstance(rows, list) else 1


def _gone(exchange: Exchange) -> Answering:
    async def endpoint(request: Asked, _: dict[str, str]) -> Said:
        _caller(exchange, request)
        raise gone()

    return endpoint


def _caller(exchange: Exchange, request: Asked) -> RegisteredKey | None:
    """The key that signed the request; None for a stranger."""
    # What a fault carries out later was signed when it arrived.
    now = request.scope.get("kalshi_arrived_ms") or exchange.wall_ms()
    key = exchange.keys.check(request.method, request.raw_path, request.headers, now, exchange.skew_ms())
    request.scope["kalshi_user"] = None if key is None else key.user
    return key
