"""When an absence proves something: by the exchange's own clock, not by time that has passed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
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
    OpenOrdersWarning,
    OrderNotPlaced,
    OrderUnknown,
)
from kalshi_research.schemas.order_facts import order_facts, receipt_of
from kalshi_research.trading import OrderReport, Pace, get_open_orders, reconcile
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.journal import Intent
from kalshi_research.trading.pace import ExchangeClock, Sighting
from kalshi_research.trading.placing import place
from kalshi_research.trading.terms import OrderTerms

TERMS = OrderTerms("T", "buy", "yes", 200, 500)
EPOCH = 1_795_000_000.0


class Exchange:
    """A real exchange as far as a client can tell: its clock runs, its reads lag, POSTs are lost."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.mark: Callable[[], float] = lambda: self.now - 1.0
        self.dated = False
        self.orders: list[dict[str, Any]] = []
        self.archive: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.single: dict[str, dict[str, Any]] = {}
        self.seen: list[str] = []
        self.on_post: Callable[[dict[str, Any]], None] = lambda body: None

    def shows(self, row: dict[str, Any]) -> bool:
        """Reads show what was there at the mark."""
        return "created_time" not in row or _created(row) <= self.mark()

    def __call__(self, request: Seen) -> Answer:
        path = request.path.removeprefix("/trade-api/v2")
        self.seen.append(f"{request.method} {path}")
        if request.method == "POST":
            self.on_post(json.loads(request.body))
            return Answer(503, {"error": {"code": "service_unavailable"}})
        if path == "/exchange/user_data_timestamp":
            said = {"as_of_time": datetime.fromtimestamp(self.mark(), UTC).isoformat()}
            return Answer(200, said, {"Date": formatdate(self.now, usegmt=True)} if self.dated else {})
        lists = {
            "/portfolio/orders": ("orders", self.orders),
            "/historical/orders": ("orders", self.archive),
            "/portfolio/fills": ("fills", self.fills),
        }
        if path in lists:
            key, rows = lists[path]
            since = float(dict(request.query).get("min_ts", 0))
            rows = [row for row in rows if _created(row) >= since and self.shows(row)]
            return Answer(200, {key: rows, "cursor": ""})
        found = self.single.get(path.rsplit("/", 1)[-1])
        return Answer(200, {"order": found}) if found else Answer(404, {"error": {"code": "not_found"}})


def _created(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row.get("created_time", "2026-11-18T11:06:41Z")).timestamp()


def row(key: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": f"o-{key}", "client_order_id": key, "ticker": "T", "status": "resting",
        "book_side": "bid",
        "yes_price_dollars": "0.0200", "initial_count_fp": "5.00", "fill_count_fp": "0.00",
        "remaining_count_fp": "5.00", "created_time": "2026-11-18T11:06:41Z", **more,
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
        made = Client(
            Target(environment, root), signer=signer, tier=UNLIMITED
        )  # no waits for its limits
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


def late(exchange: Exchange, after: float) -> None:
    """Have the next order taken `after` seconds after its answer was lost."""

    def commit(body: dict[str, Any]) -> None:
        created = datetime.fromtimestamp(exchange.now + after, UTC).isoformat()
        exchange.orders.append(row(body["client_order_id"], created_time=created))

    exchange.on_post = commit


@pytest.mark.parametrize(
    ("dated", "skew"), [(True, -7200.0), (True, -5.0), (True, 0.0), (True, 7200.0), (False, 0.0)]
)
@pytest.mark.parametrize("lag", [0.2, 3.0, 12.0, 45.0])
def test_an_order_taken_just_within_the_margin_is_found_however_old_reads_are(
    client: Client, exchange: Exchange, lag: float, skew: float, dated: bool
) -> None:
    """Reads that have always been old must not be taken for a clock that is behind."""
    exchange.now += skew
    exchange.dated = dated
    exchange.mark = lambda: exchange.now - lag
    late(exchange, 9.9)
    desk = desk_of(client)
    desk.pace = Pace(**{**vars(desk.pace), "patience": 120.0})
    made = place(desk, TERMS)
    assert made.state == "resting"
    assert exchange.seen.count("POST /portfolio/events/orders") == 1


@pytest.mark.parametrize("lag", [0.2, 12.0])
def test_an_order_taken_after_the_margin_comes_to_light_all_the_same(
    client: Client, exchange: Exchange, lag: float
) -> None:
    """How late an order may be taken is an assumption; where it is wrong, that is said."""
    exchange.dated = True
    exchange.mark = lambda: exchange.now - lag
    late(exchange, 40.0)
    desk = desk_of(client)
    with pytest.raises(OrderNotPlaced) as caught:
        place(desk, TERMS)
    exchange.now += 60
    with pytest.warns(OpenOrdersWarning, match="came to light"):
        listed = get_open_orders(client)
    assert listed["state"].tolist() == ["resting"]
    intent = desk.journal.get(caught.value.client_order_id)
    assert intent is not None
    assert (intent.state, intent.order_id) == ("ACKED", listed.index[0])


def test_a_slow_machine_between_a_read_and_its_judgement_shortens_nothing(
    client: Client, exchange: Exchange, monkeypatch
) -> None:
    """The reads of each look are as old as its beginning, whenever it is judged."""
    late(exchange, 9.0)
    exchange.mark = lambda: exchange.now
    desk, real = desk_of(client), reconcile.read_orders

    def slow(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        if "historical" not in more:
            desk.pace.sleep(8.0)
        return found

    monkeypatch.setattr(reconcile, "read_orders", slow)
    decided: list[float] = []
    proof = reconcile.absent_twice

    def judged(*args: Any) -> bool:
        decided.append(args[2].asked)
        return proof(*args)

    monkeypatch.setattr(reconcile, "absent_twice", judged)
    assert place(desk, TERMS).state == "resting"
    assert decided[0] < 9.0


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_an_order_of_a_dead_session_is_judged_by_both_clocks(
    client: Client, exchange: Exchange, skew: float, dated: bool
) -> None:
    """The clock of this machine was set right after its session died; reads are twelve seconds old."""
    exchange.dated = dated
    exchange.mark = lambda: exchange.now - 12.0
    desk = desk_of(client)
    sent = desk.pace.now()
    made = row("k", created_time=datetime.fromtimestamp(exchange.now + 9.0, UTC).isoformat())
    exchange.orders.append(made)
    until, since = sent + skew + 10.0, exchange.now - 1.0
    sending = Intent("k", "create", "SENT", "gone", TERMS.stored(), sent_at=sent + skew)
    desk.journal.write(replace(sending, until=until, since=since, sends=1))
    desk.pace.sleep(11.0)
    with pytest.warns(OpenOrdersWarning, match="not accounted for yet"):
        get_open_orders(client)
    early = desk.journal.get("k")
    assert early is not None
    assert early.state in ("SENT", "UNKNOWN"), "its reads are not new enough to say anything"
    desk.pace.sleep(30.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        get_open_orders(client)
    found = desk.journal.get("k")
    assert found is not None
    assert found.state == "ACKED"


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


def sight(clock: ExchangeClock, instant: float, local: float, date: float | None = None) -> Sighting:
    seen = Sighting(instant, local, date, monotonic=local, asked=local)
    clock.observe(seen)
    return seen


def test_the_clock_of_the_exchange() -> None:
    """Without a ``Date`` this machine's clock is believed, unless reads are of its future."""
    real = ExchangeClock(simulated=False)
    assert real.at_least(0.0) is None
    seen = sight(real, 100.0, 101.0)
    assert (real.there(101.0), real.at_least(103.0)) == (101.0, 102.0)
    assert real.covers(seen, 100.0)
    assert not real.covers(seen, 100.1)
    sight(real, 118.0, 110.0)
    assert real.there(101.0) == 109.0
    dated = ExchangeClock(simulated=False)
    sight(dated, 100.0, 50.0, date=130.0)
    assert (dated.there(50.0), dated.there(40.0), dated.at_least(51.0)) == (131.0, 121.0, 131.0)
    stands = ExchangeClock(simulated=True)
    for local in (0.0, 20.0):
        seen = sight(stands, 5.0, local)
    assert stands.covers(seen, 1e9), "where time stands still only our own can be waited for"
    assert stands.at_least(50.0) == 5.0
    runs = ExchangeClock(simulated=True)
    for local in (0.0, 20.0):
        seen = sight(runs, 5.0 + local, local)
    assert not runs.covers(seen, runs.there(19.0) + 10.0)
    assert runs.covers(seen, runs.there(9.0) + 10.0)


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


def test_what_comes_into_sight_while_a_list_is_read_is_in_it_once(
    client: Client, exchange: Exchange, monkeypatch
) -> None:
    """It was not shown to the look before; the list itself shows it."""
    desk = desk_of(client)
    desk.pace = Pace(**{**vars(desk.pace), "patience": 0.0})
    late(exchange, 1.0)
    with pytest.raises(OrderUnknown) as caught:
        place(desk, TERMS)
    exchange.now += 30.0
    monkeypatch.setattr(type(desk), "look_again", lambda self: None)
    listed = get_open_orders(client)
    assert listed["client_order_id"].tolist() == [caught.value.client_order_id]
    assert listed[["state", "placed_by"]].to_numpy().tolist() == [["resting", "this session"]]
    assert desk.journal.open_intents() == []
