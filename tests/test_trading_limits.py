"""Real money needs a person: who may write to prod, for how long, and how much."""

from __future__ import annotations

import builtins
import inspect
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import kalshi_research as kr
from kalshi_research.client.transport import Reply
from kalshi_research.errors import ConfigError, InputError, KalshiError, LimitError
from kalshi_research.sandbox import Sandbox
from kalshi_research.trading import Pace
from kalshi_research.trading.desk import desk_of

if TYPE_CHECKING:
    from kalshi_research.client import Client

TICKER = "KXHIGHNY-26NOV21-B44.5"
KEY = Ed25519PrivateKey.generate()


class Wire:
    """Stands for the network: what leaves is kept, and answered with a sandbox's words."""

    def __init__(self, market: bytes) -> None:
        self.sent: list[tuple[str, str]] = []
        self.market = market

    def call(self, call: Any, _: float) -> Reply:
        self.sent.append((call.method, call.route))
        lists = (
            b'{"orders":[],"fills":[],"market_positions":[],"cursor":"",'
            b'"as_of_time":"2026-11-20T15:00:00Z"}'
        )
        return Reply(200, self.market if call.route == "/markets/T" else lists, "application/json")


@pytest.fixture(scope="module")
def market() -> bytes:
    """A market as it stands on the wire."""
    with (
        Sandbox(days=1, crypto_hours=0) as sandbox,
        kr.connect(sandbox.url.removesuffix("/trade-api/v2")) as client,
    ):
        found = client.get_bytes(f"/markets/{TICKER}")
    return found.replace(TICKER.encode(), b"T")


@pytest.fixture
def prod(tmp_path: Path, monkeypatch, market: bytes) -> Iterator[tuple[Client, Wire]]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    client, wire = kr.connect("prod", key_id="k", private_key=KEY), Wire(market)
    monkeypatch.setattr(client._caller, "call", wire.call)
    monkeypatch.setattr(client, "clock", lambda: datetime(2026, 11, 20, 15, tzinfo=UTC))
    monkeypatch.setattr(builtins, "input", lambda prompt: pytest.fail(f"asked: {prompt}"))
    yield client, wire
    client.close()


def writes(wire: Wire) -> list[tuple[str, str]]:
    return [sent for sent in wire.sent if sent[0] != "GET"]


DOORS: dict[str, Any] = {
    "create_order": lambda c: kr.create_order(c, "T", quantity=1, price="0.5"),
    "create_orders": lambda c: kr.create_orders(c, [{"ticker": "T", "quantity": 1, "price": "0.5"}]),
    "amend_order": lambda c: kr.amend_order(c, "o", quantity=1),
    "decrease_order": lambda c: kr.decrease_order(c, "o", by=1),
    "cancel_order": lambda c: kr.cancel_order(c, "o", ticker="T"),
    "cancel_orders": lambda c: kr.cancel_orders(c, [_report()]),
    "cancel_all_orders": kr.cancel_all_orders,
    "create_order_group": lambda c: kr.create_order_group(c, 5),
    "reset_order_group": lambda c: kr.reset_order_group(c, "g"),
    "trigger_order_group": lambda c: kr.trigger_order_group(c, "g"),
    "limit_order_group": lambda c: kr.limit_order_group(c, "g", 5),
    "delete_order_group": lambda c: kr.delete_order_group(c, "g"),
    "Client.request POST": lambda c: c.request("POST", "/portfolio/events/orders", body={}),
    "Client.request PUT": lambda c: c.request("PUT", "/portfolio/order_groups/g/reset"),
    "Client.request DELETE": lambda c: c.request("DELETE", "/portfolio/events/orders"),
    "Client.request post": lambda c: c.request("post", "/api_keys/generate", body={}),
}


def _report() -> kr.OrderReport:
    from decimal import Decimal

    return kr.OrderReport("resting", "c", "o", "T", "buy", "yes", Decimal("0.5"), Decimal(1))


@pytest.mark.parametrize("door", DOORS)
def test_no_door_writes_to_prod_unarmed(prod: tuple[Client, Wire], door: str) -> None:
    client, wire = prod
    with pytest.raises(KalshiError) as caught:
        DOORS[door](client)
    assert writes(wire) == []
    assert (
        "nothing was sent" in str(caught.value).lower()
        or "nothing was changed" in str(caught.value).lower()
    )


def test_every_public_function_that_changes_something_is_among_the_doors() -> None:
    asking = {
        name
        for name in kr.__all__
        if inspect.isfunction(getattr(kr, name))
        and "client" in inspect.signature(getattr(kr, name)).parameters
    }
    reading = {name for name in asking if name.startswith(("get_", "search_", "prepare_"))}
    watching = {"poll", "stream"}  # the stream only listens
    assert asking - reading - watching - {"arm", "disarm"} <= set(DOORS)


def test_raw_writes_stay_forbidden_when_armed(prod: tuple[Client, Wire], monkeypatch) -> None:
    client, wire = prod
    monkeypatch.setattr(builtins, "input", lambda _: "prod")
    kr.arm(client, max_order_cost=5, max_position=10, minutes=5)
    with pytest.raises(ConfigError, match="grant"):
        client.request("DELETE", "/portfolio/events/orders")
    assert writes(wire) == []


@pytest.mark.parametrize("typed", ["", "yes", "PROD", "demo", "prod!"])
def test_another_word_does_not_arm(prod: tuple[Client, Wire], monkeypatch, typed: str) -> None:
    client, wire = prod
    monkeypatch.setattr(builtins, "input", lambda _: typed)
    with pytest.raises(ConfigError, match="stays forbidden"):
        kr.arm(client, max_order_cost=5, max_position=10, minutes=5)
    with pytest.raises(LimitError, match="not armed"):
        DOORS["create_order"](client)
    assert writes(wire) == []


def test_arming_asks_lasts_and_ends(prod: tuple[Client, Wire], monkeypatch) -> None:
    client, wire = prod
    asked: list[str] = []
    monkeypatch.setattr(builtins, "input", lambda prompt: asked.append(prompt) or "prod")
    clock = [1000.0]
    desk = desk_of(client)
    desk.pace = Pace(
        scale=1e-3, monotonic=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + s)
    )
    kr.arm(client, max_order_cost=5, max_position=10, minutes=5)
    assert "real money" in asked[0]
    with pytest.raises(KalshiError):  # the wire stands for no exchange, but the order was let through
        DOORS["create_order"](client)
    assert writes(wire) == [("POST", "/portfolio/events/orders")]
    clock[0] += 301
    with pytest.raises(LimitError, match="has run out"):
        kr.create_order(client, "T", quantity=1, price="0.4")
    with pytest.raises(LimitError, match="has run out"):
        kr.cancel_order(client, "o", ticker="T")
    assert len(writes(wire)) == 1
    kr.disarm(client)
    with pytest.raises(LimitError, match="not armed"):
        kr.create_order(client, "T", quantity=1, price="0.4")
    assert len(asked) == 1


def test_permission_is_of_one_client_and_kept_nowhere(prod, monkeypatch, tmp_path) -> None:
    client, first = prod
    monkeypatch.setattr(builtins, "input", lambda _: "prod")
    kr.arm(client, max_order_cost=5, max_position=10, minutes=5)
    other = kr.connect("prod", key_id="k", private_key=KEY)
    wire = Wire(first.market)
    monkeypatch.setattr(other._caller, "call", wire.call)
    monkeypatch.setattr(other, "clock", client.clock)
    with pytest.raises(LimitError, match="not armed"):
        DOORS["create_order"](other)
    assert writes(wire) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"arm" in path.read_bytes()]


def test_nobody_there_to_type_means_no_trading() -> None:
    """As when a notebook is executed by a program, or a script from a pipe."""
    code = (
        "import kalshi_research as kr\n"
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey\n"
        "client = kr.connect('prod', key_id='k', private_key=Ed25519PrivateKey.generate())\n"
        "kr.arm(client, max_order_cost=5, max_position=5, minutes=5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "stays forbidden" in done.stderr


HOSTILE = (
    "import kalshi_research as kr",
    "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey",
    "client = kr.connect('prod', key_id='k', private_key=Ed25519PrivateKey.generate())\n"
    "sent = []\n"
    "client._caller.call = lambda call, _: sent.append(call.method) or 1/0",
    "kr.arm(client, max_order_cost=5, max_position=5, minutes=5)",
    "kr.create_order(client, 'T', quantity=1, price='0.5')",
    "client.request('POST', '/portfolio/events/orders', body={'ticker': 'T'})",
    "client.environment = kr.connect('demo').environment",
    "client.request('DELETE', '/portfolio/events/orders')",
    "print('writes:', [method for method in sent if method != 'GET'])",
)


def test_executing_a_notebook_never_trades_in_prod() -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in HOSTILE])
    nbclient.NotebookClient(book, timeout=60, allow_errors=True, kernel_name="python3").execute()
    last = book.cells[-1].outputs
    assert [out.get("text") for out in last] == ["writes: []\n"]
    errors = [out.ename for cell in book.cells for out in cell.outputs if out.output_type == "error"]
    assert len(errors) == 5, errors


# Limits


class Venue:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.client = self.connect()

    def connect(self) -> kr.Client:
        from kalshi_research.trading import desk

        for journal in desk._journals.values():
            journal.close()
        desk._journals.clear()
        key_id, key = self.sandbox.credentials(0)
        client = kr.connect(
            self.sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key
        )
        desk_of(client).pace = Pace(scale=1 / 20)
        return client

    def posts(self) -> int:
        return sum(row.method == "POST" for row in self.sandbox.truth.requests)


@pytest.fixture
def venue(tmp_path: Path, monkeypatch) -> Iterator[Venue]:
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path))
    with Sandbox(days=2, crypto_hours=1) as sandbox:
        yield Venue(sandbox)


def test_the_limit_of_one_order(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost="1.00", max_position=1000, minutes=5)
    with pytest.raises(LimitError, match=r"costs \$1\.02.*limit for one order is \$1; nothing was sent"):
        kr.create_order(venue.client, TICKER, quantity=51, price="0.02")
    with pytest.raises(LimitError, match=r"costs \$1\.96"):
        kr.create_order(venue.client, TICKER, action="sell", quantity=2, price="0.02")  # buys NO at 0.98
    made = kr.create_order(venue.client, TICKER, quantity=50, price="0.02")
    with pytest.raises(LimitError, match="limit for one order"):
        kr.amend_order(venue.client, made, quantity=51)
    assert venue.posts() <= 2


def test_the_limit_of_a_position_counts_what_rests_and_what_is_held(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost=100, max_position=10, minutes=5)
    kr.create_order(venue.client, TICKER, quantity=4, price="0.99", time_in_force="immediate_or_cancel")
    kr.create_order(venue.client, TICKER, quantity=4, price="0.02")
    with pytest.raises(LimitError, match="could come to 11 YES"):
        kr.create_order(venue.client, TICKER, quantity=3, price="0.01")
    with pytest.raises(LimitError, match=r"could come to 10\.01 NO"):
        kr.create_order(venue.client, TICKER, action="sell", quantity="14.01", price="0.99")
    kr.create_order(venue.client, TICKER, quantity=2, price="0.01")
    kr.create_order(venue.client, TICKER, action="sell", quantity=14, price="0.99")
    assert venue.posts() == 4


def test_the_limit_of_a_day_holds_across_restarts(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost=1, max_position=1000, max_day_cost="1.50", minutes=5)
    made = kr.create_order(venue.client, TICKER, quantity=50, price="0.02")
    kr.cancel_order(venue.client, made)
    again = venue.connect()
    kr.arm(again, max_order_cost=1, max_position=1000, max_day_cost="1.50", minutes=5)
    with pytest.raises(
        LimitError, match=r"cost \$1 so far; \$0\.52 more would exceed your limit of \$1\.5"
    ):
        kr.create_order(again, TICKER, quantity=26, price="0.02")
    kr.create_order(again, TICKER, quantity=25, price="0.02")
    assert venue.posts() == 2


def test_refused_and_unplaced_orders_do_not_count(venue: Venue) -> None:
    kr.arm(venue.client, max_order_cost=1, max_position=1000, max_day_cost=1, minutes=5)
    venue.sandbox.faults.add("rate_limit:absent", "POST /portfolio/events/orders", times=3)
    for _ in range(3):
        with pytest.raises(KalshiError):
            kr.create_order(venue.client, TICKER, quantity=50, price="0.02")
    kr.create_order(venue.client, TICKER, quantity=50, price="0.02")


def test_twenty_threads_do_not_exceed_a_limit_together(venue: Venue) -> None:
    from concurrent.futures import ThreadPoolExecutor

    kr.arm(venue.client, max_order_cost=1, max_position=10, max_day_cost="0.10", minutes=5)

    def one(number: int) -> bool:
        try:
            kr.create_order(venue.client, TICKER, quantity=f"1.{number:02d}", price="0.02")
        except LimitError:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        placed = sum(pool.map(one, range(20)))
    assert placed == 4, "four of some two cents and a bit fit into ten cents"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"max_order_cost": value} for value in (0, -1, True, "x", float("nan"))),
        *({"max_position": value} for value in (0, "1e3")),
        *({"minutes": value} for value in (0, 721, float("inf"), True, "5")),
        {"max_day_cost": 0},
    ],
)
def test_limits_that_make_no_sense_change_nothing(venue: Venue, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="nothing changed"):
        kr.arm(venue.client, **{"max_order_cost": 5, "max_position": 10, "minutes": 5, **wrong})
    assert desk_of(venue.client).limits is None


# Where the journal lies


def test_the_journal_folder_is_private_or_refused(venue: Venue, tmp_path: Path, monkeypatch) -> None:
    shared = tmp_path / "open"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(shared))
    with pytest.raises(KalshiError, match="others may write into it"):
        kr.create_order(venue.connect(), TICKER, quantity=1, price="0.01")
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(file))
    with pytest.raises(KalshiError, match="cannot be used"):
        kr.create_order(venue.connect(), TICKER, quantity=1, price="0.01")
    assert venue.posts() == 0


def test_one_journal_for_each_exchange_and_key(tmp_path: Path, monkeypatch) -> None:
    from kalshi_research.trading.places import journal_path

    monkeypatch.delenv("KALSHI_RESEARCH_JOURNAL", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = Ed25519PrivateKey.generate()
    with Sandbox(days=1, crypto_hours=0) as sandbox:
        key_id, key = sandbox.credentials(0)
        clients = [
            kr.connect("prod", key_id="k", private_key=KEY),
            kr.connect("demo", key_id="k", private_key=KEY),
            kr.connect("prod", key_id="k", private_key=other),
            kr.connect(sandbox.url.removesuffix("/trade-api/v2"), key_id=key_id, private_key=key),
        ]
        paths = [journal_path(client) for client in clients]
    assert len(set(paths)) == 4
    assert [path.name.split("-")[0] for path in paths] == ["prod", "demo", "prod", "sandbox"]
    if sys.platform == "linux":
        assert paths[3].parent.parent == tmp_path, "a key of a sandbox is worth nothing after it"
        assert {path.parent for path in paths[:3]} == {tmp_path / "data/kalshi-research/journal"}
        assert paths[0].parent.stat().st_mode & 0o777 == 0o700
