"""When an absence proves something: by the exchange's own clock, not by time that has passed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stub_server import Answer, Seen, StubServer

from kalshi_research.client.rate_limits import UNLIMITED
from kalshi_research.client.session import Client
from kalshi_research.credentials import Sealed, find_signer
from kalshi_research.environments import Environment, Target
from kalshi_research.errors import (
    DeadlineError,
    KalshiError,
    NotSentError,
    OrderNotPlaced,
    OrderUnknown,
)
from kalshi_research.schemas.order_facts import order_facts, receipt_of
from kalshi_research.trading import OrderReport, Pace
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.pace import ExchangeClock
from kalshi_research.trading.placing import place
from kalshi_research.trading.terms import OrderTerms

TERMS = OrderTerms("T", "buy", "yes", 200, 500)
EPOCH = 1_795_000_000.0


class Exchange:
    """A real exchange as far as a client can tell: its clock runs, its reads lag, POSTs are lost."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.mark: Callable[[], float] = lambda: self.now - 1.0
        self.orders: list[dict[str, Any]] = []
        self.archive: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.single: dict[str, dict[str, Any]] = {}
        self.seen: list[str] = []

    def __call__(self, request: Seen) -> Answer:
        path = request.path.removeprefix("/trade-api/v2")
        self.seen.append(f"{request.method} {path}")
        if request.method == "POST":
            return Answer(503, {"error": {"code": "service_unavailable"}})
        if path == "/exchange/user_data_timestamp":
            from datetime import UTC, datetime

            return Answer(200, {"as_of_time": datetime.fromtimestamp(self.mark(), UTC).isoformat()})
        lists = {
            "/portfolio/orders": ("orders", self.orders),
            "/historical/orders": ("orders", self.archive),
            "/portfolio/fills": ("fills", self.fills),
        }
        if path in lists:
            key, rows = lists[path]
            return Answer(200, {key: rows, "cursor": ""})
        found = self.single.get(path.rsplit("/", 1)[-1])
        return Answer(200, {"order": found}) if found else Answer(404, {"error": {"code": "not_found"}})


def row(key: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": f"o-{key}", "client_order_id": key, "ticker": "T", "status": "resting",
        "book_side": "bid",
        "yes_price_dollars": "0.0200", "initial_count_fp": "5.00", "fill_count_fp": "0.00",
        "remaining_count_fp": "5.00", "created_time": "2026-11-18T12:30:00Z", **more,
    }  # fmt: skip


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def client(exchange: Exchange, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    key = Ed25519PrivateKey.generate()
    with StubServer(exchange) as server:
        root = f"{server.url}/trade-api/v2"
        environment = Environment("demo", (root,), (root,), "DEMO · mock money")
        signer = find_signer("demo", "k", Sealed(key))  # type: ignore[arg-type]
        made = Client(Target(environment, root), signer=signer, tier=UNLIMITED)  # no waits for its limits
        mono = [0.0]

        def sleep(seconds: float) -> None:
            mono[0] += seconds
            exchange.now += seconds

        desk_of(made).pace = Pace(sleep=sleep, monotonic=lambda: mono[0], now=lambda: EPOCH + mono[0])
        yield made
        made.close()


def test_absence_proves_nothing_while_the_mark_stands_still(client: Client, exchange: Exchange) -> None:
    """Minutes pass on every clock; the reads are as old as before."""
    exchange.mark = lambda: EPOCH + 5.0
    desk_of(client).pace = Pace(**{**vars(desk_of(client).pace), "patience": 600.0})
    with pytest.raises(OrderUnknown) as caught:
        place(desk_of(client), TERMS)
    assert exchange.now - EPOCH >= 600
    exchange.mark = lambda: exchange.now
    with pytest.raises(OrderNotPlaced):
        caught.value.resolve()


def test_absence_proves_something_when_the_mark_is_past_the_margin(
    client: Client, exchange: Exchange
) -> None:
    with pytest.raises(OrderNotPlaced):
        place(desk_of(client), TERMS)
    waited = exchange.now - EPOCH
    assert 10.0 <= waited <= 25.0
    assert exchange.seen.count("GET /historical/orders") >= 1
    assert exchange.seen.count("GET /portfolio/fills") >= 1
    assert exchange.seen.count("POST /portfolio/events/orders") == 1


def test_a_wrong_clock_of_this_machine_does_not_shorten_the_margin(
    client: Client, exchange: Exchange
) -> None:
    """The exchange is eight seconds ahead; its mark passes our instant plus the margin too early."""
    exchange.now += 8.0
    exchange.mark = lambda: exchange.now
    with pytest.raises(OrderNotPlaced):
        place(desk_of(client), TERMS)
    assert exchange.now - 8.0 - EPOCH >= 10.0


@pytest.mark.parametrize("where", ["orders", "archive"])
def test_it_is_found_in_either_tier_whatever_its_state(client, exchange, where) -> None:
    key = "11111111-1111-4111-8111-111111111111"
    done = row(key, status="executed", fill_count_fp="5.00", remaining_count_fp="0.00")
    getattr(exchange, where).append(done)
    if where == "orders":
        found = place(desk_of(client), TERMS, key, fresh=True)
        assert (found.state, found.filled) == ("executed", 5)
        return
    found = place(desk_of(client), TERMS, key, fresh=True)
    assert found.order_id == f"o-{key}"


def test_a_fill_of_an_order_that_no_list_shows_keeps_it_unknown(
    client: Client, exchange: Exchange
) -> None:
    key = "11111111-1111-4111-8111-111111111111"
    exchange.fills.append(
        {"order_id": f"o-{key}", "ticker": "T", "book_side": "bid", "count_fp": "5.00"}
    )
    with pytest.raises(OrderUnknown) as caught:
        place(desk_of(client), TERMS, key, fresh=True)
    exchange.single[f"o-{key}"] = row(
        key, status="executed", fill_count_fp="5.00", remaining_count_fp="0.00"
    )
    found = caught.value.resolve()
    assert isinstance(found, OrderReport)
    assert found.state == "executed"


def test_a_fill_of_another_known_order_does_not(client: Client, exchange: Exchange) -> None:
    exchange.fills.append({"order_id": "o-x", "ticker": "T", "book_side": "bid", "count_fp": "5.00"})
    exchange.single["o-x"] = row("x", order_id="o-x")
    with pytest.raises(OrderNotPlaced):
        place(desk_of(client), TERMS)


def test_every_row_must_be_readable_before_an_absence_counts(client: Client, exchange: Exchange) -> None:
    exchange.orders.append({"order_id": "o", "client_order_id": "c", "ticker": "T", "status": "resting"})
    with pytest.raises(OrderUnknown):
        place(desk_of(client), TERMS)


def test_the_clock_of_the_exchange() -> None:
    real = ExchangeClock(simulated=False)
    assert not real.covers(0.0, 10.0)
    real.observe(100.0, 101.0)
    assert not real.covers(101.0, 10.0)
    real.observe(110.0, 111.0)
    assert real.covers(101.0, 10.0)
    assert not real.covers(101.1, 10.0)
    stands = ExchangeClock(simulated=True)
    for local in (0.0, 20.0):
        stands.observe(5.0, local)
    assert stands.covers(19.0, 10.0), "where time stands still only our own can be waited for"
    runs = ExchangeClock(simulated=True)
    for local in (0.0, 20.0):
        runs.observe(5.0 + local, local)
    assert not runs.covers(19.0, 10.0)
    assert runs.covers(9.0, 10.0)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"order_id": None}, {"order_id": ""}, {"ticker": 5}, {"status": None}, {"book_side": "x"},
        {"yes_price_dollars": 0.02}, {"yes_price_dollars": None}, {"remaining_count_fp": "x"},
        {"remaining_count_fp": None}, {"fill_count_fp": "NaN"}, {"client_order_id": 5},
    ],
)  # fmt: skip
def test_a_row_that_does_not_say_what_decides_is_an_error(spoiled: dict[str, Any]) -> None:
    with pytest.raises(KalshiError):
        order_facts(row("k") | spoiled)
    for nothing in (None, [], "x", 5):
        with pytest.raises(KalshiError):
            order_facts(nothing)
        with pytest.raises(KalshiError):
            receipt_of(nothing)


def test_recorded_orders_and_receipts_are_read_exactly(shared: Path) -> None:
    import json

    folder = shared / "real/rest_demo_2026_06"
    made = receipt_of(json.loads((folder / "orders__create_v2_taker_ioc.json").read_text()))
    assert (made.filled, made.remaining, made.average_price, made.average_fee) == (100, 0, 5200, 175)
    gone = receipt_of(json.loads((folder / "orders__cancel_v2.json").read_text()))
    assert (gone.reduced, gone.remaining) == (100, None)
    order = order_facts(json.loads((folder / "orders__get_after_create.json").read_text())["order"])
    assert (order.side, order.yes_price, order.initial, order.filled, order.status) == (
        "bid",
        100,
        100,
        0,
        "resting",
    )


def test_waiting_in_vain_for_the_rate_limit_is_provably_not_placed(
    client: Client, exchange: Exchange
) -> None:
    desk = desk_of(client)
    bucket = client._caller.limits.bucket("write")
    bucket.resize("small", 0.001, 10.0)
    bucket.reserve(10.0, 0.0)
    with pytest.raises(NotSentError, match="nothing was sent") as caught:
        place(desk, TERMS)
    assert isinstance(caught.value, DeadlineError)
    assert [intent.state for intent in desk.journal.intents().values()] == ["NOT_PLACED"]
    assert not [line for line in exchange.seen if line.startswith("POST")]
