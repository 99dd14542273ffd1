"""The documents' own samples, run against the dialect of 2025.

Only addresses, key ids and key paths are replaced (`seed_samples.Place`). What else a sample
needs and does not have is given by the harness of its section, and said there.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import types
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import websockets
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from seed_samples import Place, Samples, read_samples
from websockets.exceptions import InvalidStatus

import kalshi_research as kr

SECTIONS = {
    "market data": (1, 2, 3),
    "pagination": (4, 5, 6),
    "authenticated requests": (7, 8, 9),
    "first order": (10, 11, 12),
    "API keys": (13, 14, 15),
    "order book": (16, 17, 18, 19),
    "connecting": (20,),
    "subscribing and processing": (21, 22),
    "channels": (23, 24),
    "complete example": (25,),
    "second document": (26, 27, 28),
}
BOOK_MARKET = "KXHARRIS24-LSV"
PATIENCE = 20.0


class Exchange:
    """A sandbox that speaks the dialect, and a key of one user."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.key_id, self.private = sandbox.credentials(0, key_type="rsa")
        root = sandbox.url.removesuffix("/trade-api/v2")
        self.place = Place(
            root,
            sandbox.ws_url.removesuffix("/trade-api/ws/v2"),
            self.key_id,
            sandbox.key_file(0, key_type="rsa"),
        )

    def headers(self, method: str, path: str) -> dict[str, str]:
        timestamp = str(time.time_ns() // 1_000_000)
        signature = self.private.sign(
            f"{timestamp}{method}{path}".encode(),
            PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH),
            hashes.SHA256(),
        )
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": timestamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
        }

    def send(self, method: str, path: str, body: Any = None) -> Any:
        path = f"/trade-api/v2{path}"
        answer = requests.request(
            method, self.place.root + path, json=body, headers=self.headers(method, path), timeout=10
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def balance(self) -> str:
        return f"${self.send('GET', '/portfolio/balance')['balance'] / 100:.2f}"

    def rest(self, ticker: str, cents: int) -> str:
        """Leave an order in a book and answer its client id."""
        client_order_id = str(uuid.uuid4())
        body = {
            "ticker": ticker,
            "action": "buy",
            "side": "yes",
            "count": 1,
            "type": "limit",
            "yes_price": cents,
            "client_order_id": client_order_id,
        }
        assert self.send("POST", "/portfolio/orders", body)["order"]["status"] == "resting"
        return client_order_id


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def samples(shared: Path) -> Samples:
    return read_samples(shared / "seeds")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with kr.start_sandbox(dialect="2025") as sandbox:
        yield Exchange(sandbox)


class Cell:
    """Runs samples one after the other in one namespace, as cells of a notebook."""

    def __init__(self, samples: Samples, place: Place, **given: Any) -> None:
        self.samples = samples
        self.place = place
        self.names: dict[str, Any] = {"__name__": "__main__", **given}

    def code(self, number: int) -> str:
        return self.place.put_into(self.samples.python[number - 1])

    def run(self, number: int) -> str:
        """Run a sample and answer what it printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(self.code(number), f"sample {number}", "exec"), self.names)  # noqa: S102
        return printed.getvalue()

    def section(self, name: str) -> list[str]:
        return [self.run(number) for number in SECTIONS[name]]

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


def test_there_are_28_and_every_one_is_run(samples: Samples) -> None:
    run = [number for numbers in SECTIONS.values() for number in numbers]
    assert run == list(range(1, len(samples.python) + 1))
    assert len(samples.python) == 28
    assert len(samples.javascript) == 4


def test_market_data(samples: Samples, exchange: Exchange) -> None:
    cell = Cell(samples, exchange.place)
    series, markets, book = cell.section("market data")
    assert "Category: Climate and Weather" in series
    told = cell["markets_data"]["markets"]
    assert told
    assert all(f"- {market['ticker']}: {market['title']}" in markets for market in told)
    assert f"Yes Price: {told[0]['yes_price']}¢ | Volume: {told[0]['volume']}" in markets
    ladder = cell["orderbook_data"]["orderbook"]
    for leg in ("yes", "no"):
        for price, quantity in ladder[leg][:5]:
            assert f"  Price: {price}¢, Quantity: {quantity}" in book


def test_pagination(samples: Samples, exchange: Exchange) -> None:
    cell = Cell(samples, exchange.place)
    # The fragments go on in the middle of the function before them.
    complete, recent, filtered = SECTIONS["pagination"]
    printed = cell.run(complete)
    found = {market["ticker"] for market in cell["markets"]}
    assert len(found) == len(cell["markets"]) > 200
    assert f"Total markets found: {len(found)}" in printed
    world = exchange.sandbox.truth.world
    assert found == {
        ticker for ticker, market in world.markets.items() if market.event.series.ticker == "KXHIGHNY"
    }
    cell.run(recent)
    assert len(requests.get(cell["url"], timeout=10).json()["markets"]) == 10
    root = f"{exchange.place.root}/trade-api/v2/markets"
    cursor = requests.get(f"{root}?limit=1&status=open&series_ticker=KXHIGHNY", timeout=10).json()[
        "cursor"
    ]
    cell.names.update(base_url=root, ticker="KXHIGHNY", cursor=cursor)
    cell.run(filtered)
    page = requests.get(cell["url"], timeout=10).json()
    assert page["cursor"] is None
    assert {market["status"] for market in page["markets"]} == {"open"}


def test_authenticated_requests(samples: Samples, exchange: Exchange) -> None:
    # The key that the second fragment takes for loaded.
    cell = Cell(samples, exchange.place, private_key=exchange.private)
    _, fragment, complete = cell.section("authenticated requests")
    assert fragment == complete == f"Your balance: {exchange.balance()}\n"


def test_the_first_order(samples: Samples, exchange: Exchange) -> None:
    # "This guide assumes you have the authentication code from our authentication guide."
    cell = Cell(samples, exchange.place)
    cell.run(SECTIONS["authenticated requests"][-1])
    found, placed, complete = cell.section("first order")
    assert f"Selected market: {cell['market']['ticker']}" in found
    for printed in (placed, complete):
        assert "Order placed successfully!" in printed
        assert "Status: resting" in printed
    orders = exchange.send("GET", "/portfolio/orders")["orders"]
    assert len(orders) == 2
    for order, printed in zip(orders, (complete, placed), strict=True):
        assert f"Order ID: {order['order_id']}" in printed
        assert f"Client Order ID: {order['client_order_id']}" in printed
        assert (order["yes_price"], order["remaining_count"]) == (1, 1)


def test_a_repeated_client_order_id_is_a_conflict(samples: Samples, exchange: Exchange) -> None:
    cell = Cell(samples, exchange.place)
    cell.run(SECTIONS["authenticated requests"][-1])
    cell.run(SECTIONS["first order"][-1])
    post, key = cell["post"], cell["private_key"]
    again = post(key, cell["API_KEY_ID"], "/trade-api/v2/portfolio/orders", cell["order_data"])
    assert again.status_code == 409
    assert len(exchange.send("GET", "/portfolio/orders")["orders"]) == 1


@pytest.mark.parametrize("section", ["API keys", "second document"])
def test_a_signed_request(samples: Samples, exchange: Exchange, section: str) -> None:
    cell = Cell(samples, exchange.place)
    *_, printed = cell.section(section)
    cents = int(exchange.send("GET", "/portfolio/balance")["balance"])
    body = printed.removeprefix("Status Code: 200\nResponse Body: ")
    assert json.loads(body)["balance"] == cents
    assert ("Status Code: 200" in printed) == (section == "second document")


def test_the_order_book(samples: Samples, exchange: Exchange) -> None:
    cell = Cell(samples, exchange.place)
    cell.section("order book")
    live = cell["orderbook_data"]
    assert (cell["best_yes_ask"], cell["spread"]) == (44, 2)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        cell["display_best_prices"](json.loads(samples.book))
        cell["display_best_prices"](live)
    assert printed.getvalue().startswith(
        "Best YES Bid: 42¢\nBest YES Ask: 44¢ (implied from NO bid)\n\n"
        "Best NO Bid: 56¢\nBest NO Ask: 58¢ (implied from YES bid)\n"
    )
    assert cell["calculate_depth"](json.loads(samples.book)) == {"yes_depth": 23, "no_depth": 17}
    assert min(cell["calculate_depth"](live).values()) > 0
    for leg in ("yes", "no"):
        prices = [price for price, _ in live["orderbook"][leg]]
        assert prices == sorted(prices)


# --- the socket --------------------------------------------------------------------------------


def test_a_placeholder_for_a_signature_is_refused(samples: Samples, exchange: Exchange) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Cell(samples, exchange.place).section("connecting")
    assert refused.value.response.status_code == 401


async def _connected(exchange: Exchange) -> Any:
    return await websockets.connect(
        f"{exchange.place.socket}/trade-api/ws/v2",
        additional_headers=exchange.headers("GET", "/trade-api/ws/v2"),
        proxy=None,
    )


async def _frames_until(connection: Any, *kinds: str) -> list[dict[str, Any]]:
    """All frames until one of each kind has come."""
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while not set(kinds) <= {frame["type"] for frame in frames}:
            frames.append(json.loads(await connection.recv()))
    return frames


@pytest.mark.parametrize("book_change", ["orderbook_delta", "orderbook_update"])
def test_subscribing_and_processing(samples: Samples, book_change: Any) -> None:
    """The functions of the samples on a connection that is open, and on the frames it brings."""
    from kalshi_research.sandbox.stream import StreamOptions

    with kr.start_sandbox(dialect="2025", stream=StreamOptions(book_change=book_change)) as sandbox:
        exchange = Exchange(sandbox)
        cell = Cell(samples, exchange.place)
        cell.section("subscribing and processing")

        async def session() -> tuple[list[dict[str, Any]], str]:
            connection = await _connected(exchange)
            await cell["subscribe_to_ticker"](connection)
            await cell["subscribe_to_orderbook"](connection, [BOOK_MARKET])
            frames = await _frames_until(connection, "orderbook_snapshot")
            mine = await asyncio.to_thread(exchange.rest, BOOK_MARKET, 1)
            frames += await _frames_until(connection, book_change)
            # A better bid than all changes the ticker as well.
            best = max(price for price, _ in frames_book(frames)["yes"])
            await asyncio.to_thread(exchange.rest, BOOK_MARKET, best + 1)
            frames += await _frames_until(connection, "ticker")
            await connection.send('{"id": 9, "cmd": "subscribe"}')
            frames += await _frames_until(connection, "error")
            await connection.close()
            return frames, mine

        frames, mine = asyncio.run(session())
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            for frame in frames:
                asyncio.run(cell["process_message"](json.dumps(frame)))
    text = printed.getvalue()
    assert f"Orderbook snapshot for {BOOK_MARKET}\n" in text
    assert "Error 2: Params required\n" in text
    ticker = next(frame for frame in frames if frame["type"] == "ticker")["data"]
    assert f"{ticker['market_ticker']}: Bid ${ticker['bid']}, Ask ${ticker['ask']}\n" in text
    # The sample looks for one of the two names of a change only.
    own = f"Orderbook update for {BOOK_MARKET}\n  Your order {mine} caused this change\n"
    assert (own in text) == (book_change == "orderbook_update")


def frames_book(frames: list[dict[str, Any]]) -> dict[str, list[list[int]]]:
    return next(frame for frame in frames if frame["type"] == "orderbook_snapshot")["data"]


def test_channels(samples: Samples, exchange: Exchange) -> None:
    """Methods of an object with `ws` and `message_id`; the second sample calls its own unbound."""

    async def session() -> tuple[list[dict[str, Any]], int]:
        owner = types.SimpleNamespace(ws=await _connected(exchange), message_id=1)
        cell = Cell(samples, exchange.place)
        cell.names["json"] = json
        first, second = SECTIONS["channels"]
        cell.run(first)
        await cell["subscribe_to_tickers"](owner)
        frames = await _frames_until(owner.ws, "subscribed")
        tree = ast.parse(cell.code(second))
        exec(compile(ast.Module(tree.body[:1], []), "sample", "exec"), cell.names)  # noqa: S102
        method = types.MethodType(cell["subscribe_to_markets"], owner)
        cell.names["subscribe_to_markets"] = method
        rest = compile(
            ast.Module(tree.body[1:], []), "sample", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        await eval(rest, cell.names)  # noqa: S307 - a cell that awaits
        async with asyncio.timeout(PATIENCE):
            while sum(frame["type"] == "subscribed" for frame in frames) < 3:
                frames.append(json.loads(await owner.ws.recv()))
        await owner.ws.close()
        return frames, owner.message_id

    frames, message_id = asyncio.run(session())
    assert message_id == 4
    assert [frame["id"] for frame in frames if frame["type"] == "subscribed"] == [1, 2, 3]
    assert not [frame for frame in frames if frame["type"] == "error"]
    shown = [frame["data"]["market_ticker"] for frame in frames if frame["type"] == "orderbook_snapshot"]
    assert shown == ["KXFUT24-LSV", BOOK_MARKET]


def test_the_complete_example(samples: Samples, exchange: Exchange, tmp_path: Path) -> None:
    script = tmp_path / "complete_example.py"
    script.write_text(Cell(samples, exchange.place).code(*SECTIONS["complete example"]), "utf-8")
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    printed, mine = [], None
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
    ) as process:
        stop = threading.Timer(PATIENCE, process.kill)
        stop.start()
        for line in process.stdout or ():
            printed.append(line)
            if line.startswith("Orderbook snapshot"):
                mine = exchange.rest(BOOK_MARKET, 1)
            if line.startswith("Orderbook update"):
                break
        stop.cancel()
        process.kill()
    text = "".join(printed)
    assert text.startswith(f"Connected! Subscribing to orderbook for {BOOK_MARKET}\nSubscribed: "), text
    assert f"Orderbook update (your order {mine}): " in text, text


# --- JavaScript --------------------------------------------------------------------------------


def node(code: str, tmp_path: Path) -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node is not installed")
    modules = tmp_path / "node_modules" / "axios"
    modules.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("axios_stand_in.js"), modules / "index.js")
    (tmp_path / "sample.js").write_text(code, "utf-8")
    done = subprocess.run(
        [program, "sample.js"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_javascript_of_the_first_document(samples: Samples, exchange: Exchange, tmp_path: Path) -> None:
    """The third fragment has a constant of the first one's name: it goes into a block of its own."""
    load, sign, send = map(exchange.place.put_into, samples.javascript[:3])
    printed = node(f"{load}{sign}{{\n{send}}}\n", tmp_path)
    cents = exchange.send("GET", "/portfolio/balance")["balance"]
    assert f"balance: {cents}" in printed


def test_javascript_of_the_second_document(samples: Samples, exchange: Exchange, tmp_path: Path) -> None:
    printed = node(exchange.place.put_into(samples.javascript[3]), tmp_path)
    assert "Status Code: 201" in printed
    (order,) = exchange.send("GET", "/portfolio/orders")["orders"]
    assert order["ticker"] == "HOMEUSY-24-T4"
    assert order["client_order_id"] == "1fa1be86-3f8e-49be-8c1e-1e46ea490d59"
    assert (order["yes_price"], order["initial_count"]) == (30, 3)
