"""The WebSocket as the guide of late 2025 describes it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stream_venue import ANNA, BERT, Peer, Server, Venue, peer

from kalshi_research.sandbox.engine import Rejection
from kalshi_research.sandbox.stream import StreamOptions


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def server(venue: Venue, request: pytest.FixtureRequest) -> Iterator[Server]:
    options = {"dialect": "2025", **getattr(request, "param", {})}
    with Server(venue, StreamOptions(**options)) as running:
        yield running


@pytest.fixture
def anna(server: Server) -> Iterator[Peer]:
    with peer(server) as connection:
        yield connection


def with_options(**options: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [options], indirect=True, ids=str)


class CentBooks:
    """Books of cents and whole contracts, kept from frames alone."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[int, int]]] = {}
        self.seq = 0

    def read(self, frame: dict[str, Any]) -> None:
        assert frame["data"] == frame["msg"]
        assert frame["seq"] == self.seq + 1
        self.seq += 1
        said = frame["data"]
        if frame["type"] == "orderbook_snapshot":
            self.books[said["market_ticker"]] = {leg: dict(said[leg]) for leg in ("yes", "no")}
            for leg in ("yes", "no"):
                assert [(f"{cents / 100:.4f}", count) for cents, count in said[leg]] == [
                    tuple(row) for row in said[f"{leg}_dollars"]
                ]
            return
        assert frame["type"] in ("orderbook_delta", "orderbook_update")
        assert said["price_dollars"] == f"{said['price'] / 100:.4f}"
        level = self.books[said["market_ticker"]][said["side"]]
        level[said["price"]] = level.get(said["price"], 0) + said["delta"]
        assert level[said["price"]] >= 0
        if not level[said["price"]]:
            del level[said["price"]]


def in_cents(venue: Venue, ticker: str) -> dict[str, dict[int, int]]:
    """The engine's book in whole contracts."""
    book = venue.engine.book(ticker)
    return {
        leg: {price // 100: count // 100 for price, count in levels if count >= 100}
        for leg, levels in (("yes", book.yes), ("no", book.no))
    }


def trade_at_random(venue: Venue, seed: int, *, whole: bool) -> None:
    rng = random.Random(seed)
    resting: list[tuple[str, str]] = []
    for _ in range(400):
        user = rng.choice((ANNA, BERT))
        if resting and rng.random() < 0.3:
            try:
                venue.cancel(*resting.pop(rng.randrange(len(resting))))
            except Rejection:
                continue
        else:
            count = rng.randint(1, 9) * 100 if whole else rng.randint(1, 900)
            side = rng.choice(("bid", "ask"))
            price = rng.randint(35, 65) * 100
            placed = venue.submit(user, "M", side, price, count, self_trade="maker")
            resting.append((user, placed.order.order_id))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("channel", ["orderbook_delta", "orderbook"])
def test_a_book_of_cents_is_the_engines(venue: Venue, anna: Peer, channel: str, whole: bool) -> None:
    trade_at_random(venue, 1, whole=whole)
    frames = anna.subscribe(channel, market_tickers=["M"])
    assert frames[0]["msg"]["channel"] == channel
    trade_at_random(venue, 2, whole=whole)
    frames += anna.settled()
    books = CentBooks()
    for frame in frames[1:]:
        books.read(frame)
    assert len(frames) > 100
    assert books.books["M"] == in_cents(venue, "M")


def test_changes_and_trades_carry_the_second_they_were_made(venue: Venue, anna: Peer) -> None:
    anna.subscribe("orderbook_delta", "trade", "fill", "ticker", market_tickers=["M"])
    venue.submit(BERT, "M", "ask", 4400, 500)
    venue.submit(ANNA, "M", "bid", 4400, 200)
    times = {frame["type"]: frame["data"]["ts"] for frame in anna.settled()}
    assert times == dict.fromkeys(
        ("orderbook_delta", "trade", "fill", "ticker"), venue.now() // 1_000_000
    )


def test_one_market_may_be_named_alone(venue: Venue, anna: Peer) -> None:
    frames = anna.subscribe("orderbook_delta", market_ticker="M")
    assert [frame["type"] for frame in frames] == ["subscribed", "orderbook_snapshot"]
    assert frames[1]["data"] == {
        "market_ticker": "M",
        "yes": [],
        "yes_dollars": [],
        "no": [],
        "no_dollars": [],
    }


@with_options(book_change="orderbook_update")
def test_a_change_may_have_its_other_name(venue: Venue, anna: Peer) -> None:
    anna.subscribe("orderbook", market_tickers=["M"])
    venue.submit(BERT, "M", "bid", 4200, 300)
    (change,) = anna.settled()
    assert change["type"] == "orderbook_update"
    assert change["data"]["price"] == 42


def test_only_the_one_behind_a_change_sees_whose_it_was(venue: Venue, server: Server) -> None:
    with peer(server) as anna, peer(server, 1) as bert:
        for each in (anna, bert):
            each.subscribe("orderbook", market_tickers=["M"])
        venue.submit(ANNA, "M", "bid", 4200, 300, client_order_id="mine")
        (own,), (other,) = anna.settled(), bert.settled()
    assert own["data"]["client_order_id"] == "mine"
    assert "client_order_id" not in other["data"]


@pytest.mark.parametrize("channel", ["trade", "trades"])
def test_a_trade_in_cents(venue: Venue, anna: Peer, channel: str) -> None:
    venue.submit(BERT, "M", "ask", 4400, 500)
    anna.subscribe(channel, market_tickers=["M"])
    venue.submit(ANNA, "M", "bid", 4400, 200)
    (frame,) = anna.settled()
    assert frame["type"] == "trade"
    said = frame["data"]
    assert (said["yes_price"], said["no_price"], said["count"]) == (44, 56, 2)
    assert (said["yes_price_dollars"], said["no_price_dollars"]) == ("0.4400", "0.5600")
    assert said["taker_side"] == "yes"


def test_a_ticker_has_the_fields_the_guide_reads(venue: Venue, anna: Peer) -> None:
    anna.subscribe("ticker")
    venue.submit(BERT, "M", "ask", 4400, 500)
    venue.submit(ANNA, "M", "bid", 4200, 500)
    said = anna.settled()[-1]["data"]
    assert (said["market_ticker"], said["bid"], said["ask"]) == ("M", "0.4200", "0.4400")
    assert (said["yes_bid"], said["yes_ask"]) == (42, 44)


def test_fills_and_positions_are_in_whole_numbers(venue: Venue, anna: Peer) -> None:
    venue.submit(BERT, "M", "ask", 4400, 500)
    anna.subscribe("fill", "market_positions")
    venue.submit(ANNA, "M", "bid", 4400, 200, client_order_id="mine")
    frames = {frame["type"]: frame["data"] for frame in anna.settled()}
    fill, position = frames["fill"], frames["market_position"]
    assert (fill["client_order_id"], fill["count"], fill["yes_price"]) == ("mine", 2, 44)
    assert fill["is_taker"] is True
    assert (position["position"], position["position_cost"]) == (2, 88)
    assert position["position_cost_dollars"] == "0.880000"


@pytest.mark.parametrize(
    ("command", "params", "code"),
    [
        ("subscribe", None, 2),
        ("subscribe", {}, 3),
        ("unsubscribe", {}, 4),
        ("dance", {"sids": [1]}, 5),
        ("unsubscribe", {"sids": [9]}, 7),
        ("subscribe", {"channels": ["user_orders"]}, 8),
        ("subscribe", {"channels": ["prices"]}, 8),
        ("subscribe", {"channels": ["orderbook"]}, 14),
        ("subscribe", {"channels": ["orderbook"], "market_tickers": ["NONE"]}, 16),
        ("subscribe", {"channels": "orderbook"}, 1),
        ("subscribe", {"channels": ["ticker"], "market_ids": ["x"]}, 11),
    ],
)
def test_the_errors_have_the_numbers_of_the_guide(
    anna: Peer, command: str, params: Any, code: int
) -> None:
    answer = anna.ask(command, params)
    assert (answer["type"], answer["msg"]["code"], answer["data"]["code"]) == ("error", code, code)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"sids": [1, 2], "action": "add_markets"}, 12),
        ({"sids": [1], "action": "get_snapshot", "market_tickers": ["M"]}, 13),
        ({"sids": [1], "action": "add_markets"}, 14),
        ({"sids": [1], "market_tickers": ["N"]}, 15),
        ({"sids": [1], "action": "add_markets", "market_tickers": ["NONE"]}, 16),
    ],
)
def test_the_errors_of_an_update(anna: Peer, params: Any, code: int) -> None:
    anna.subscribe("orderbook", market_tickers=["M"])
    assert anna.ask("update_subscription", params)["msg"]["code"] == code


@with_options(missing_params=6)
def test_missing_parameters_may_be_number_6_as_in_the_example(anna: Peer) -> None:
    assert anna.ask("subscribe")["msg"] == {"code": 6, "msg": "Params required"}


def test_the_texts_are_those_of_the_documents(shared: Path, server: Server) -> None:
    guide = next((shared / "seeds").glob("000_*.txt")).read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| [^|]+ \|$", guide, re.MULTILINE)
    told = {int(code): text.strip() for code, text in rows}
    assert len(told) == 16
    assert {code: server.hub.dialect.messages[code] for code in told} == told
    assert set(server.hub.dialect.messages) == set(told) | {6}
