"""An exchange of a few rules inside this process, with a clock of its own: for the order side.

Nothing goes over a wire, so a test takes milliseconds and says exactly which requests were made.
It is no `kalshi_research.sandbox`: it keeps orders in plain rows as the protocol shows them, and
answers what a test writes down where that is told.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_research.client.rate_limits import UNLIMITED
from kalshi_research.client.session import Client
from kalshi_research.client.timing import Timing
from kalshi_research.client.transport import Reply
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.environments import Environment, Target
from kalshi_research.trading import Pace
from kalshi_research.trading.desk import Desk, desk_of
from tests.fake_exchange import market

EPOCH = 1_795_000_000.0
"""The present when a test begins [s since 1970]."""
KEY = Ed25519PrivateKey.generate()
Answer = tuple[int, Any]
Script = Answer | BaseException | Callable[["Venue", str, str, dict[str, Any]], Answer | None] | None


class Venue:
    """The exchange, and a client of it.

    Attributes
    ----------
    lag, mark : float
        How old reads are [s], or up to which instant they are complete whatever time it is.
    orders : dict
        Rows by order id, as ``GET /portfolio/orders`` shows them.
    seen : list
        Every request: method, route, body.
    """

    def __init__(self, *, environment: str = "demo", dialect: str = "2026") -> None:
        self.elapsed = 0.0
        self.lag = 1.0
        self.mark: float | None = None
        self.dialect = dialect
        self.orders: dict[str, dict[str, Any]] = {}
        self.archive: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        closes = datetime.fromtimestamp(EPOCH + 86_400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.markets = {"T": market("T", close_time=closes), "U": market("U", close_time=closes)}
        self.seen: list[tuple[str, str, Any]] = []
        self._scripts: list[tuple[str, list[Script]]] = []
        self._environment = environment
        self.client = self.connect()

    def connect(self) -> Client:
        """Another client with the same key: another desk, as after a restart of the kernel."""
        root = f"https://{self._environment}.invalid/trade-api/v2"
        place = Environment(self._environment, (root,), (root,), f"{self._environment} · a test")
        timing = Timing(now=self.now, monotonic=lambda: self.elapsed, sleep=self.sleep)
        made = Client(
            Target(place, root, None, self.dialect),
            signer=find_signer(self._environment, "k", Sealed(KEY)),
            tier=UNLIMITED,
            timing=timing,
        )

        def call(call: Any, _: float) -> Reply:
            return self._reply(made, call)

        made._caller.call = call  # type: ignore[method-assign]
        desk_of(made).pace = Pace(
            sleep=self.sleep, monotonic=lambda: self.elapsed, now=lambda: EPOCH + self.elapsed
        )
        self.client = made
        return made

    def restart(self) -> Client:
        """What is left when a kernel has died: the journal on the disk, nothing in memory."""
        from kalshi_research.trading import desk

        for journal in desk._journals.values():
            journal.close()
        desk._journals.clear()
        return self.connect()

    @property
    def desk(self) -> Desk:
        return desk_of(self.client)

    def now(self) -> datetime:
        return datetime.fromtimestamp(EPOCH + self.elapsed, UTC)

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds

    # What a test asks and says

    def answer(self, pattern: str, *scripts: Script) -> None:
        """What the next requests that fit get; None is the usual, an error is raised in the client."""
        self._scripts.append((pattern, list(scripts)))

    @property
    def writes(self) -> list[str]:
        """Everything that was sent to change something."""
        return [f"{method} {route}" for method, route, _ in self.seen if method != "GET"]

    def sent(self, pattern: str) -> list[Any]:
        """The bodies of the requests that fit."""
        return [body for method, route, body in self.seen if fnmatchcase(f"{method} {route}", pattern)]

    @property
    def states(self) -> list[str]:
        return [intent.state for intent in self.desk.journal.intents().values()]

    def put(self, key: str = "", **more: Any) -> dict[str, Any]:
        """An order that is there, whoever placed it."""
        key = key or str(uuid.uuid4())
        row = {
            "order_id": f"o-{key}", "client_order_id": key, "ticker": "T", "status": "resting",
            "book_side": "bid", "yes_price_dollars": "0.4200", "initial_count_fp": "5.00",
            "fill_count_fp": "0.00", "remaining_count_fp": "5.00",
            "created_time": self.now().isoformat(), **more,
        }  # fmt: skip
        self.orders[row["order_id"]] = row
        return row

    # The exchange

    def _reply(self, client: Client, call: Any) -> Reply:
        body = json.loads(call.payload) if call.payload else None
        self.seen.append((call.method, call.route, body))
        query = dict(parse_qsl(call.query))
        found = self._scripted(call.method, call.route, {"body": body, "query": query})
        status, answer = found or self._usual(call.method, call.route, query, body)
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        reply = Reply(status, raw, "application/json")
        if status >= 300:
            raise client._caller.refused(call, reply)
        return reply

    def _scripted(self, method: str, route: str, more: dict[str, Any]) -> Answer | None:
        for pattern, scripts in self._scripts:
            if scripts and fnmatchcase(f"{method} {route}", pattern):
                script = scripts.pop(0)
                if isinstance(script, BaseException):
                    raise type(script)(*script.args)  # another one each time
                return script(self, method, route, more) if callable(script) else script
        return None

    def _usual(self, method: str, route: str, query: dict[str, str], body: Any) -> Answer:
        if method == "GET":
            return self._read(route, query)
        parts = route.strip("/").split("/")
        if "order_groups" in parts:
            return 200, {"order_group_id": "g-1"} if parts[-1] == "create" else {}
        place = parts[parts.index("orders") + 1 :]
        if not place:
            return (204, {}) if method == "DELETE" else (201, self.take(body))
        if place == ["batched"]:
            act = self.take if method == "POST" else lambda row: self.cancel(row["order_id"])[1]
            rows = body["orders"] if "orders" in body else [{"order_id": name} for name in body["ids"]]
            return 200, {"orders": [act(row) for row in rows]}
        if method == "DELETE":
            return self.cancel(place[0])
        return self.change(place[0], body)

    def _read(self, route: str, query: dict[str, str]) -> Answer:
        if route == "/exchange/user_data_timestamp":
            mark = EPOCH + self.elapsed - self.lag if self.mark is None else self.mark
            stamp = datetime.fromtimestamp(mark, UTC)
            return 200, {"as_of_time": stamp.isoformat()}
        last = route.rsplit("/", 1)[-1]
        if route.startswith("/markets/"):
            return (200, {"market": self.markets[last]}) if last in self.markets else _gone()
        lists = {
            "/portfolio/orders": ("orders", list(self.orders.values())),
            "/historical/orders": ("orders", self.archive),
            "/portfolio/fills": ("fills", self.fills),
            "/portfolio/positions": ("market_positions", self.positions),
        }
        if route in lists:
            key, rows = lists[route]
            rows = [
                row
                for row in rows
                if query.get("ticker") in (None, row.get("ticker", query.get("ticker")))
                and query.get("status") in (None, row.get("status"))
            ]
            return 200, {key: rows, "cursor": ""}
        return (200, {"order": self.orders[last]}) if last in self.orders else _gone()

    def take(self, body: dict[str, Any], *, filled: str = "0.00") -> dict[str, Any]:
        """Accept a new order; its receipt."""
        left = f"{Decimal(body['count']) - Decimal(filled):.2f}"
        row = self.put(
            body["client_order_id"],
            ticker=body["ticker"],
            book_side=body["side"],
            yes_price_dollars=body["price"],
            initial_count_fp=body["count"],
            fill_count_fp=filled,
            remaining_count_fp=left,
            status="resting" if Decimal(left) else "executed",
        )
        return {
            "order_id": row["order_id"],
            "client_order_id": row["client_order_id"],
            "fill_count": filled,
            "remaining_count": left,
        }

    def cancel(self, order_id: str) -> Answer:
        row = self.orders.get(order_id)
        if row is None or row["status"] != "resting":
            return _gone()
        left = row["remaining_count_fp"]
        row |= {"status": "canceled", "remaining_count_fp": "0.00"}
        receipt = {"order_id": order_id, "client_order_id": row["client_order_id"], "reduced_by": left}
        return 200, receipt

    def change(self, order_id: str, body: dict[str, Any]) -> Answer:
        row = self.orders.get(order_id)
        if row is None or row["status"] != "resting":
            return _gone()
        filled, left = Decimal(row["fill_count_fp"]), Decimal(row["remaining_count_fp"])
        if "reduce_by" in body or "reduce_to" in body:
            left = Decimal(body.get("reduce_to", left - Decimal(body.get("reduce_by", 0))))
        else:
            left = Decimal(body["count"]) - filled
            row["yes_price_dollars"] = body["price"]
            row["client_order_id"] = body.get("updated_client_order_id", row["client_order_id"])
        row["remaining_count_fp"] = f"{left:.2f}"
        row["status"] = "resting" if left else "canceled"
        receipt = {name: row[name] for name in ("order_id", "client_order_id")}
        return 200, receipt | {"fill_count": f"{filled:.2f}", "remaining_count": f"{left:.2f}"}


def _gone() -> Answer:
    return 404, {"error": {"code": "not_found", "message": "not found"}}


@contextmanager
def opened(folder: Path, monkeypatch: Any, **options: Any) -> Iterator[Venue]:
    """A venue whose journal lies in a folder, and is let go of afterwards."""
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(folder))
    made = Venue(**options)
    try:
        yield made
    finally:
        from kalshi_research.trading import desk

        for path, journal in list(desk._journals.items()):
            if path[1].parent == folder:
                journal.close()
                del desk._journals[path]
