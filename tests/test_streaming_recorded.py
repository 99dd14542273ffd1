"""Recorded sessions of the real exchange through a live link: frame by frame from a loopback server."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stream_faults import FAST, Faulty, until
from test_replay import UFC, T, frames_of
from test_streaming_live import _as_dict
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from kalshi_research.client import Client, connect
from kalshi_research.streaming import Stream, StreamOptions, read_recording, stream

PATIENT = StreamOptions(
    **{**_as_dict(FAST), "stale_after": 50, "dead_after": 100}
    | {"command_timeout": 60, "repair_timeout": 60, "audit_every": 3600}
)
"""The recording answers no questions, so the link must be content without an answer."""

OTHER = "THE-OTHER-FIGHTER"


class Playback:
    """Sends a recording once its channels are subscribed to, word for word, and then nothing."""

    def __init__(self, sids: dict[str, int], texts: Sequence[str]) -> None:
        self._sids = sids
        self._texts = texts
        self.commands: list[dict[str, Any]] = []

    def __call__(self, connection: ServerConnection) -> None:
        waiting = set(self._sids)
        try:
            while waiting:
                command = json.loads(connection.recv())
                (channel,) = command["params"]["channels"]
                body = {"channel": channel, "sid": self._sids[channel]}
                connection.send(json.dumps({"id": command["id"], "type": "subscribed", "msg": body}))
                waiting.remove(channel)
            for text in self._texts:
                connection.send(text)
            for command in connection:
                self.commands.append(json.loads(command))
        except ConnectionClosed:
            return


@contextmanager
def playing(sids: dict[str, int], frames: Sequence[dict[str, Any]]) -> Iterator[tuple[Client, Playback]]:
    """A client of an exchange that says these frames."""
    texts = [json.dumps(frame, separators=(",", ":")) for frame in frames]
    playback = Playback(sids, texts)
    with serve(playback, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port = server.socket.getsockname()[1]
            key = Ed25519PrivateKey.generate()
            yield connect(f"http://127.0.0.1:{port}", key_id="key", private_key=key), playback
        finally:
            server.shutdown()
            thread.join(10)


Legs = tuple[dict[int, int], dict[int, int]]


class Judge:
    """Keeps books in fractions, straight off the JSON, and compares what is live after each message."""

    def __init__(self) -> None:
        self.books: dict[str, Legs] = {}
        self.compared = 0
        self.wrong: list[str] = []
        self.seen: dict[str, list[str]] = {}

    def tap(self, live: Stream) -> Callable[[int, bytes, Any], None]:
        engine = live._engine

        def each(number: int, text: bytes, book: Any) -> None:
            del number, book
            frame = json.loads(text)
            msg = frame.get("msg") or {}
            ticker = msg.get("market_ticker")
            if frame["type"] == "orderbook_snapshot":
                self.books[ticker] = tuple(  # type: ignore[assignment]
                    {_whole(price, 10_000): _whole(size, 100) for price, size in msg.get(side, ())}
                    for side in ("yes_dollars_fp", "no_dollars_fp")
                )
            elif frame["type"] == "orderbook_delta":
                if ticker in self.books:
                    leg = self.books[ticker][msg["side"] == "no"]
                    price = _whole(msg["price_dollars"], 10_000)
                    leg[price] = leg.get(price, 0) + _whole(msg["delta_fp"], 100)
                    if not leg[price]:
                        del leg[price]
            else:
                return
            mine = engine.book(ticker)[0]
            states = self.seen.setdefault(ticker, [])
            if not states or states[-1] != mine.status:
                states.append(mine.status)
            if mine.status == "live":
                self.compared += 1
                if (mine.yes.counts, mine.no.counts) != self.books.get(ticker):
                    self.wrong.append(f"{ticker} after number {frame['seq']}")

        return each


def _whole(text: str, scale: int) -> int:
    exact = Fraction(text) * scale
    assert exact.denominator == 1
    return int(exact)


@contextmanager
def judged(client: Client, tickers: Sequence[str], channels: Sequence[str]) -> Iterator[Any]:
    """A stream whose every message is looked at, from the first one on."""
    live = Stream(client, list(tickers), tuple(channels), connections=1, options=PATIENT)
    judge = Judge()
    live._engine.tap(judge.tap(live), lambda number, reason: None)
    live._start()
    with live:
        yield live, judge


def as_frame(legs: Legs) -> dict[str, dict[float, float]]:
    """What a frame of this book says, in dollars and contracts of the YES leg."""
    yes, no = legs
    return {
        "bid": {
            float(Fraction(price, 10_000)): float(Fraction(size, 100)) for price, size in yes.items()
        },
        "ask": {
            float(1 - Fraction(price, 10_000)): float(Fraction(size, 100)) for price, size in no.items()
        },
    }


def said_of(live: Stream, ticker: str) -> dict[str, dict[float, float]]:
    book = live.book(ticker)
    return {
        side: dict(zip(book.price[book.side == side], book.quantity[book.side == side], strict=True))
        for side in ("bid", "ask")
    }


def with_the_other_fighter(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The numbers that are missing were those of the other fighter: made-up frames fill them."""
    found, due = [], {1: 1, 2: 1}
    for frame in frames:
        sid = frame["sid"]
        for seq in range(due[sid], frame["seq"]):
            if sid == 2:
                kind, body = "trade", {
                    "trade_id": f"made-up-{seq}", "market_ticker": OTHER, "yes_price_dollars": "0.5000",
                    "no_price_dollars": "0.5000", "count_fp": "1.00", "taker_side": "yes", "ts": 1,
                }  # fmt: skip
            elif seq == 2:
                kind = "orderbook_snapshot"
                body = {"market_ticker": OTHER, "yes_dollars_fp": [["0.5000", "7.00"]]}
            else:
                kind, body = "orderbook_delta", {
                    "market_ticker": OTHER, "side": "no", "price_dollars": "0.4000", "delta_fp": "0.25",
                }  # fmt: skip
            found.append({"type": kind, "sid": sid, "seq": seq, "msg": body})
        due[sid] = frame["seq"] + 1
        found.append(frame)
    return found


@pytest.mark.timeout(180)
def test_a_whole_fight_is_followed_live_and_ends_in_the_recorded_book(shared: Path) -> None:
    recorded = frames_of(shared / "real" / "ws" / UFC)
    frames = with_the_other_fighter(recorded)
    with (
        playing({"orderbook_delta": 1, "trade": 2}, frames) as (client, _),
        judged(client, [T, OTHER], ["books", "trades"]) as (live, judge),
    ):
        until(lambda: live.health.messages == len(frames) + 2, 150, str(live.health))
        assert not judge.wrong, judge.wrong[:5]
        assert judge.seen == {T: ["live"], OTHER: ["live"]}
        assert judge.compared == sum(frame["sid"] == 1 for frame in frames) > 91_000
        assert said_of(live, T) == as_frame(judge.books[T])
        assert len(said_of(live, T)["bid"]) > 10
        health = live.health
        assert (health.gaps, health.lost, health.unreadable, health.unknown) == (0, 0, 0, 0)
        trades = live.trades()
        mine = trades[trades["ticker"] == T]
        told = [frame["msg"]["trade_id"] for frame in recorded if frame["type"] == "trade"]
        assert mine["trade_id"].tolist() == told
        assert len(told) == 4_136


def test_one_fighter_without_the_other_is_never_live_after_the_first_hole(shared: Path) -> None:
    """The file as it is, with holes in its numbers: nobody may believe it."""
    frames = frames_of(shared / "real" / "ws" / UFC)[:5_000]
    with (
        playing({"orderbook_delta": 1, "trade": 2}, frames) as (client, _),
        judged(client, [T], ["books", "trades"]) as (live, judge),
    ):
        until(lambda: live.health.messages == len(frames) + 2, 30)
        assert judge.seen == {T: ["live", "syncing"]}
        assert judge.compared == 1
        assert not judge.wrong
        assert live.book(T).empty
        assert live.health.lost > 0
        assert live.status.loc[T, "reason"].endswith("of subscription 1")


def test_a_stream_of_todays_dialect_is_followed_without_a_complaint(shared: Path) -> None:
    frames = frames_of(shared / "real" / "ws" / "ws_orderbook_stream.json")
    subscribed, *frames = frames
    assert subscribed["type"] == "subscribed"
    tickers = sorted({each["msg"]["market_ticker"] for each in frames if each["type"] != "ok"})
    with (
        warnings.catch_warnings(),
        playing({"orderbook_delta": 1}, frames) as (client, playback),
        judged(client, tickers, ["books"]) as (live, judge),
    ):
        warnings.simplefilter("error")
        until(lambda: live.health.messages == len(frames) + 1, 30)
        assert len(tickers) == 12
        assert not judge.wrong
        assert judge.compared == 12 + 245
        assert judge.seen == {ticker: ["live"] for ticker in tickers}
        for ticker in tickers:
            assert said_of(live, ticker) == as_frame(judge.books[ticker])
        health = live.health
        assert (health.live, health.gaps, health.unreadable, health.unknown) == (12, 0, 0, 0)
        assert health.problems == ()
        assert not playback.commands, "nothing had to be asked for"


def test_a_recording_that_starts_with_changes_is_not_live_before_its_snapshot(shared: Path) -> None:
    frames = frames_of(shared / "real" / "ws" / "broken_starts_with_deltas.ndjson.gz")
    ticker = frames[0]["msg"]["market_ticker"]
    assert [frame["type"] for frame in frames].count("orderbook_snapshot") == 1
    assert frames[-1]["type"] == "orderbook_snapshot", "and it is the last frame"
    with (
        playing({"orderbook_delta": 1, "trade": 2}, frames) as (client, _),
        judged(client, [ticker], ["books", "trades"]) as (live, judge),
    ):
        until(lambda: live.health.messages == len(frames) + 2, 30)
        assert judge.seen == {ticker: ["syncing", "live"]}
        assert judge.compared == 1, "the empty book at the very end"
        assert not judge.wrong
        assert live.book(ticker).empty
        assert live.health.lost > 0


def test_rows_of_todays_dialect_are_tables_without_a_complaint(shared: Path) -> None:
    lines = (shared / "wire_examples" / "ws__ticker_snapshot_delta_error_2026-08.jsonl").read_text()
    frames = [json.loads(line) for line in lines.splitlines() if line.strip()]
    told = frames[0]["msg"]
    ticker = told["market_ticker"]
    sids = {"orderbook_delta": 4, "ticker": 1}
    with (
        warnings.catch_warnings(),
        playing(sids, frames) as (client, _),
        stream(client, [ticker], ("books", "tickers"), options=PATIENT) as live,
    ):
        warnings.simplefilter("error")
        until(lambda: live.health.messages == len(frames) + 2, 30)
        row = live.tickers().loc[ticker]
        for column, name in (
            ("yes_bid", "yes_bid_dollars"), ("yes_ask", "yes_ask_dollars"),
            ("last_price", "price_dollars"),
            ("yes_ask_size", "yes_ask_size_fp"), ("volume", "volume_fp"),
            ("open_interest", "open_interest_fp"),
        ):  # fmt: skip
            assert row[column] == float(Fraction(told[name])), column
        assert (live.health.unreadable, live.health.unknown) == (0, 0)
        assert live.best(ticker).status == "syncing", "numbers of other markets are missing in it"


def test_a_recording_that_begins_in_the_middle_of_an_action_has_the_rest_of_it(tmp_path: Path) -> None:
    """Two changes share a clock, and the recording begins between them."""
    quiet = StreamOptions(**{**_as_dict(FAST), "audit_every": 3600})
    with Faulty(["M"]) as venue, stream(venue.client(), ["M"], "books", options=quiet) as live:
        live.wait()

        def change(price: int, clock: int) -> None:
            venue.books["M"][0][price] = 100
            venue.clock = venue.clocks["M"] = clock
            venue.tell("orderbook_delta", "orderbook_delta", "M", {
                "market_ticker": "M", "clock": clock, "side": "yes", "delta_fp": "1.00",
                "price_dollars": f"0.{price:04d}", "ts_ms": 1_790_000_000_000 + clock,
            })  # fmt: skip

        heard = live.health.messages
        venue.do(lambda: change(300, 900))
        until(lambda: live.health.messages == heard + 1)
        with live.record(tmp_path / "recording"):
            venue.do(lambda: [change(400, 900), change(500, 901)])
            until(lambda: live.health.messages == heard + 3)
        truth = {price / 10_000: size / 100 for price, size in venue.levels("M")[0]}
    replay = read_recording(tmp_path / "recording").replay()
    assert set(replay.quotes["status"]) == {"live"}
    last = replay.books[(replay.books["time"] == replay.books["time"].max())]
    bids = last[last["side"] == "bid"]
    assert dict(zip(bids["price"], bids["quantity"], strict=True)) == truth
