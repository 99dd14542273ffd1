"""The stream of a whole sandbox: its world, its floor and its REST beside it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_calls import Caller
from stream_venue import Peer, Reader, signed
from websockets.sync.client import connect

from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.engine import Rejection

TICKERS = ("KXHIGHNY-26NOV21-B44.5", "KXFEDDECISION-26DEC-H0")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=2) as running:
        yield running


@pytest.fixture
def rest(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox) as caller:
        yield caller


@pytest.fixture
def stream(sandbox: Sandbox) -> Iterator[Peer]:
    headers = signed(*sandbox.credentials())
    with connect(sandbox.ws_url, additional_headers=headers, proxy=None) as connection:
        yield Peer(connection)


def ladders(book: dict[str, Any]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    found = book["orderbook_fp"]
    yes, no = (
        [(round(float(price) * 10_000), round(float(count) * 100)) for price, count in found[side]]
        for side in ("yes_dollars", "no_dollars")
    )
    return yes, no


def trade_at_random(sandbox: Sandbox, steps: int) -> None:
    chance = random.Random(4)
    users = [account.user_id for account in sandbox._exchange.accounts]
    resting: list[tuple[str, str]] = []
    for _ in range(steps):
        user, ticker = chance.choice(users), chance.choice(TICKERS)
        try:
            if resting and chance.random() < 0.3:
                owner, order_id = resting.pop()
                sandbox.floor.call(lambda engine: engine.cancel(owner, order_id))  # noqa: B023
            else:
                side, price = chance.choice(("bid", "ask")), chance.randrange(5, 95) * 100
                receipt = sandbox.floor.call(
                    lambda engine: engine.submit(user, ticker, side, price, 100),  # noqa: B023
                    ticker,
                )
                resting.append((user, receipt.order.order_id))
        except Rejection:
            continue


def test_books_of_the_stream_are_those_of_rest(sandbox: Sandbox, rest: Caller, stream: Peer) -> None:
    busy = threading.Thread(target=trade_at_random, args=(sandbox, 150))
    busy.start()
    stream.subscribe("orderbook_delta", market_tickers=list(TICKERS))
    busy.join()
    stream.settled()
    reader = Reader()
    for frame in stream.frames:
        if frame["type"] != "subscribed":
            reader.read(frame)
    for ticker in TICKERS:
        assert reader.book(ticker) == ladders(rest.get(f"/markets/{ticker}/orderbook"))


def test_a_ticker_says_what_the_market_says(sandbox: Sandbox, rest: Caller, stream: Peer) -> None:
    stream.subscribe("ticker", market_tickers=list(TICKERS), send_initial_snapshot=True)
    trade_at_random(sandbox, 60)
    stream.settled()
    last = {frame["msg"]["market_ticker"]: frame["msg"] for frame in stream.frames if "id" not in frame}
    for ticker in TICKERS:
        market = rest.get(f"/markets/{ticker}")["market"]
        told = last[ticker]
        assert told["price_dollars"] == market["last_price_dollars"]
        for name in (
            "yes_bid_dollars",
            "yes_ask_dollars",
            "yes_bid_size_fp",
            "yes_ask_size_fp",
            "volume_fp",
            "open_interest_fp",
        ):
            assert told[name] == market[name], (ticker, name)


def test_trades_of_the_stream_are_those_of_rest(sandbox: Sandbox, rest: Caller, stream: Peer) -> None:
    stream.subscribe("trade", "fill")
    trade_at_random(sandbox, 60)
    told = [frame for frame in stream.settled() if frame["type"] == "trade"]
    assert told
    rows = {row["trade_id"]: row for row in rest.get("/markets/trades", limit=1000)["trades"]}
    for frame in told:
        row = rows[frame["msg"]["trade_id"]]
        for name in ("yes_price_dollars", "no_price_dollars", "count_fp", "taker_book_side"):
            assert frame["msg"][name] == row[name]


def test_a_market_of_the_archive_is_unknown(sandbox: Sandbox, rest: Caller, stream: Peer) -> None:
    old = rest.get("/historical/markets", limit=1000)["markets"][-1]["ticker"]
    answers = stream.subscribe("orderbook_delta", market_tickers=[old, "NOTHING"])
    assert [answer["type"] for answer in answers] == ["subscribed"]


def test_the_end_of_a_market_is_told(sandbox: Sandbox, stream: Peer) -> None:
    stream.subscribe("market_lifecycle_v2")
    stream.subscribe("ticker", market_ticker=TICKERS[1])
    sandbox.settle(TICKERS[1], "yes")
    frames = stream.settled()
    kinds = [frame["msg"]["event_type"] for frame in frames if frame["type"] == "market_lifecycle_v2"]
    assert kinds[-2:] == ["determined", "settled"]
    assert [frame for frame in frames if frame["type"] == "ticker"][-1]["msg"][
        "yes_bid_dollars"
    ] == "0.0000"


def test_a_hello_without_a_signature_is_answered_as_on_rest(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="401"):
        connect(sandbox.ws_url, proxy=None)
    assert sandbox.truth.requests[-1].status == 401
