"""Live streams where nothing goes wrong: books, trades, rows, and how they are read."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stream_faults import FAST, Faulty, until

import kalshi_research as kr
from kalshi_research.client import connect
from kalshi_research.errors import ConfigError, InputError, TransportError
from kalshi_research.streaming import StreamOptions, stream

TICKER = "KXHIGHNY-26NOV21-B46.5"


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(["M", "N", "O"]) as made:
        yield made


def same_books(live: Any, venue: Faulty, *names: str) -> bool:
    """Whether the books read through the public frames are the true ones."""
    for name in names:
        frame = live.book(name)
        mine = tuple(
            [
                (round(row.price * 10_000), round(row.quantity * 100))
                for row in frame[frame["side"] == side].itertuples()
            ]
            for side in ("bid", "ask")
        )
        if mine != venue.levels(name):
            return False
    return True


# Books


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_books_follow_the_exchange(venue: Faulty, separators: tuple[str, str]) -> None:
    venue.separators = separators
    with stream(venue.client(), ["M", "N"], options=FAST) as live:
        live.wait()
        venue.churn(1_000)
        until(lambda: same_books(live, venue, "M", "N"))
        assert live.status["status"].tolist() == ["live", "live"]
        assert live.health.gaps == 0


def test_a_book_is_a_frame_like_any_other(venue: Faulty) -> None:
    with stream(venue.client(), ["M"], options=FAST) as live:
        live.wait()
        book = live.book("M")
        reference = kr.get_orderbook(kr.connect("sandbox"), TICKER)
        assert list(book.columns) == list(reference.columns)
        assert book.dtypes.astype(str).tolist() == reference.dtypes.astype(str).tolist()
        bids, asks = venue.levels("M")
        top = kr.quotes(book).loc["M"]
        assert top["yes_bid"] == bids[0][0] / 10_000
        assert top["yes_ask"] == asks[0][0] / 10_000
        assert live.quotes().loc["M", "spread"] == top["spread"]
        assert live.best("M")[:5] == (
            "live", bids[0][0] / 1e4, bids[0][1] / 100, asks[0][0] / 1e4, asks[0][1] / 100,
        )  # fmt: skip
        source = book.attrs["kalshi"]
        assert source["simulated"] is True
        assert source["status"] == "live"
        assert 0 <= source["age"] < 5


def test_a_book_that_is_not_live_has_no_numbers(venue: Faulty) -> None:
    with stream(venue.client(), ["M"], options=FAST) as live:
        live.wait()
        venue.refuse = lambda request: None if len(venue.handshakes) < 2 else _busy()
        venue.hang_up()
        until(lambda: live.best("M").status != "live")
        assert live.book("M").empty
        assert live.book("M").attrs["kalshi"]["status"] == "syncing"
        assert kr.quotes(live.book("M"))["yes_bid"].isna().all()
        assert live.quotes()[["yes_bid", "yes_ask", "mid"]].isna().all(axis=None)
        assert np.isnan(live.best("M").bid)


def _busy() -> Any:
    from stream_faults import refusal

    return refusal(503)


def test_markets_are_added_and_dropped_while_it_runs(venue: Faulty) -> None:
    with stream(venue.client(), "M", options=FAST) as live:
        live.wait()
        live.add(["N", "M"])
        live.wait()
        until(lambda: venue.held() == {"M": 1, "N": 1})
        live.add(["N", "O"])
        live.drop(["M", "UNHEARD"])
        live.wait()
        until(lambda: venue.held() == {"N": 1, "O": 1})
        assert live.markets == ["N", "O"]
        with pytest.raises(InputError, match="not followed"):
            live.book("M")
        live.drop(["N", "O"])
        until(lambda: venue.subscriptions() == 0)
        live.add("M")
        live.wait()
        assert venue.held() == {"M": 1}


def test_connections_share_the_markets_behind_one_view() -> None:
    names = [f"M{number}" for number in range(10)]
    with Faulty(names) as venue, stream(venue.client(), names, connections=3, options=FAST) as live:
        live.wait()
        assert len(venue.sockets) == 3
        shares = [len(markets or ()) for each in venue.sockets for markets in each.markets.values()]
        assert sorted(shares) == [3, 3, 3, 3, 4, 4]  # books and trades of each
        assert set(venue.held().values()) == {1}
        venue.churn(500)
        until(lambda: same_books(live, venue, *names))


def test_private_and_all_market_channels_are_asked_for_once(venue: Faulty) -> None:
    with stream(
        venue.client(), None, channels=("trades", "fills", "lifecycle"), connections=2, options=FAST
    ) as live:
        live.wait()
        subscribed = [each["params"] for each in venue.commands if each["cmd"] == "subscribe"]
        assert [params["channels"] for params in subscribed] == [
            ["trade"], ["fill"], ["market_lifecycle_v2"],
        ]  # fmt: skip
        assert not any("market_tickers" in params for params in subscribed)
        venue.do(lambda: venue.trade("O", "one"))
        until(lambda: live.trades()["trade_id"].tolist() == ["one"])


# Trades


def test_a_trade_is_joined_to_the_quote_before_it(venue: Faulty) -> None:
    """The changes that a trade makes in the book come first, at its own instant."""
    with stream(venue.client(), "M", options=FAST) as live:
        live.wait()
        stamp = time.time_ns() // 1_000_000 + 1_000
        bids, asks = venue.levels("M")

        def trade() -> None:
            no = 10_000 - asks[0][0]
            for time_ms, change in ((stamp - 5, 700), (stamp, -asks[0][1] - 700)):
                venue.clock += 1
                venue.clocks["M"] = venue.clock
                venue.tell("orderbook_delta", "orderbook_delta", "M", {
                    "market_ticker": "M", "clock": venue.clock, "side": "no", "ts_ms": time_ms,
                    "price_dollars": f"0.{no:04d}", "delta_fp": f"{change / 100:.2f}",
                })  # fmt: skip
            del venue.books["M"][1][no]
            venue.trade("M", "T1", stamp)
            venue.trade("M", "T1", stamp)

        venue.do(trade)
        until(lambda: len(live.trades()))
        found = live.trades().iloc[0]
        assert found["yes_ask"] == asks[0][0] / 1e4, "not the quote after the trade"
        assert found["yes_ask_size"] == (asks[0][1] + 700) / 100
        assert found["yes_bid"] == bids[0][0] / 1e4
        assert found["quote_time"] == pd.Timestamp(stamp - 5, unit="ms", tz="UTC")
        assert len(live.trades()) == 1
        assert live.health.repeated == 1
        assert same_books(live, venue, "M")


def test_trades_without_books_have_no_quotes(venue: Faulty) -> None:
    with stream(venue.client(), "M", channels="trades", options=FAST) as live:
        live.wait()
        venue.do(lambda: venue.trade("M", "T1"))
        until(lambda: len(live.trades()))
        assert live.trades()[["yes_bid", "yes_ask", "quote_time"]].isna().all(axis=None)


def test_own_changes_keep_the_name_of_the_order(venue: Faulty) -> None:
    with stream(venue.client(), "M", options=FAST) as live:
        live.wait()
        venue.do(lambda: venue.tell("orderbook_delta", "orderbook_delta", "M", {
            "market_ticker": "M", "clock": venue.clock + 1, "side": "no", "ts_ms": 1_781_159_489_957,
            "price_dollars": "0.0100", "delta_fp": "2.00", "client_order_id": "mine",
        }))  # fmt: skip
        until(lambda: len(live.own_changes()))
        row = live.own_changes().iloc[0]
        assert row["client_order_id"] == "mine"
        assert (row["side"], row["price"], row["change"]) == ("ask", 0.99, 2.0)


def test_what_is_drawn_often_is_read_in_integers(venue: Faulty) -> None:
    """The same book and the same changes as in the frames, and they say when there are none."""
    client = venue.client()
    with stream(client, "M", options=FAST) as live:
        live.wait()
        assert live.client is client
        sight = live.sight("M")
        assert (sight.status, sight.is_readable) == ("live", True)
        assert sight.levels == venue.levels("M")
        assert live.own_changes_after() == []
        body = {
            "market_ticker": "M", "side": "no", "ts_ms": 1_781_159_489_957, "price_dollars": "0.0100",
            "delta_fp": "2.00", "client_order_id": "mine",
        }  # fmt: skip
        for clock in (1, 2, 3):
            frame = {**body, "clock": venue.clock + clock}
            venue.do(lambda frame=frame: venue.tell("orderbook_delta", "orderbook_delta", "M", frame))
        until(lambda: len(live.own_changes()) == 3)
        changes = live.own_changes_after()
        assert [(each.ticker, each.side, each.price, each.change) for each in changes] == [
            ("M", 1, 100, 200)
        ] * 3
        assert changes == sorted(changes, key=lambda each: each.clock)
        assert live.own_changes_after(changes[0]) == changes[1:]
        assert live.own_changes_after(changes[-1]) == []
        with pytest.raises(InputError, match="not followed"):
            live.sight("N")
        venue.do(venue.fall_silent)
        until(lambda: not live.sight("M").is_readable)
        assert live.sight("M").levels is None


# The sandbox, over its own server


def test_every_channel_of_the_sandbox() -> None:
    client = kr.connect("sandbox")
    channels = ("books", "trades", "tickers", "fills", "orders", "positions", "lifecycle")
    with stream(client, [TICKER], channels=channels) as live:
        live.wait()
        rest = kr.get_orderbook(client, TICKER)
        pd.testing.assert_frame_equal(live.book(TICKER), rest, check_exact=True)
        until(lambda: len(live.tickers()))
        row = live.tickers().loc[TICKER]
        top = kr.quotes(rest).loc[TICKER]
        assert row["yes_bid"] == top["yes_bid"]
        assert row["yes_ask"] == top["yes_ask"]
        for frame in (live.fills(), live.orders(), live.positions(), live.lifecycle(), live.trades()):
            assert frame.attrs["kalshi"]["simulated"] is True
        assert "SIMULATED" in repr(live)
        assert live.health.live == 1


# What is new


def test_iterating_gives_what_is_new(venue: Faulty) -> None:
    with stream(venue.client(), "M", options=FAST) as live:
        live.wait()
        seen = []
        for update in live.updates(timeout=5):
            if not seen:
                venue.do(lambda: venue.trade("M", "T1"))
            seen.append(update)
            if {each.kind for each in seen} == {"books", "trades"}:
                break
        (book,) = [each for each in seen if each.kind == "books"]
        assert book.value.bid == venue.levels("M")[0][0][0] / 1e4
        assert [each.value.trade_id for each in seen if each.kind == "trades"] == ["T1"]
        assert list(live.updates("trades", timeout=0.01)) == []


def test_iterating_in_a_running_loop(venue: Faulty) -> None:
    async def first_trade(live: Any) -> str:
        async for update in live:
            if update.kind == "trades":
                return str(update.value.trade_id)
        return ""

    async def both() -> str:
        with stream(venue.client(), "M", options=FAST) as live:
            live.wait()
            waiting = asyncio.ensure_future(first_trade(live))
            await asyncio.sleep(0)
            venue.do(lambda: venue.trade("M", "T1"))
            return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(both()) == "T1"


def test_closing_ends_all_who_wait(venue: Faulty) -> None:
    live = stream(venue.client(), "M", options=FAST)
    ended = threading.Event()

    def listen() -> None:
        for _ in live:
            pass
        ended.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    live.wait()
    live.close()
    live.close()
    assert ended.wait(5)
    listener.join(5)
    with pytest.raises(TransportError, match="closed"):
        live.add("N")
    assert live.best("M").status == "syncing"


def test_a_slow_callback_gets_the_newest_book_and_one_that_raises_is_called_again(venue: Faulty) -> None:
    options = StreamOptions(**{**_as_dict(FAST), "waiting": 10})
    with stream(venue.client(), "M", options=options) as live:
        live.wait()
        gate, seen = threading.Event(), []

        def slow(update: Any) -> None:
            gate.wait(10)
            seen.append(update)
            if len(seen) == 1:
                raise ValueError("mine")

        stop = live.on(("books", "trades"), slow)
        until(lambda: len(live._engine.audience) == 1)
        venue.churn(300)
        venue.do(lambda: [venue.trade("M", f"T{number}") for number in range(50)])
        until(lambda: same_books(live, venue, "M") and len(live.trades()) == 50)
        gate.set()
        until(lambda: sum(each.kind == "trades" for each in seen) >= 10)
        assert sum(each.kind == "books" for each in seen) <= 3, "many changes of a book are one update"
        assert live.health.dropped == 40
        assert live.health.callback_errors == 1
        assert "mine" in str(live.health)
        stop()
        until(lambda: len(live._engine.audience) == 0)
        assert live.health.dropped == 40, "who has left was too slow all the same"
        assert live.best("M").status == "live"


def _as_dict(options: StreamOptions) -> dict[str, float]:
    return {name: getattr(options, name) for name in StreamOptions.__slots__}


# Arguments


def test_wrong_arguments_send_nothing(venue: Faulty) -> None:
    client = venue.client()
    with pytest.raises(InputError, match="books need tickers"):
        stream(client, None)
    with pytest.raises(InputError, match="choose among books, trades"):
        stream(client, "M", channels="candles")
    with pytest.raises(InputError, match="connections"):
        stream(client, "M", connections=0)
    with pytest.raises(InputError, match="stale_after"):
        StreamOptions(stale_after=60)
    with pytest.raises(InputError, match="above 0"):
        StreamOptions(tick=float("nan"))
    with pytest.raises(ConfigError, match="poll"):
        stream(connect(f"http://127.0.0.1:{venue.port}"), "M")
    assert not venue.handshakes


def test_every_connection_is_signed_anew(venue: Faulty) -> None:
    with stream(venue.client(), "M", options=FAST) as live:
        live.wait()
        venue.hang_up()
        until(lambda: live.health.reconnects == 1)
    stamps = [each["kalshi-access-timestamp"] for each in venue.handshakes]
    signatures = {each["kalshi-access-signature"] for each in venue.handshakes}
    assert len(signatures) == len(venue.handshakes) >= 2
    assert stamps == sorted(stamps)
    assert "sec-websocket-extensions" not in venue.handshakes[0], "compression is not offered"


# In a notebook


KERNEL = f"""
import threading
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")

def run(code):
    out = []
    client.execute_interactive(code, timeout=30, output_hook=lambda message: out.append(
        message["content"].get("text", "") or message["content"].get("ename", "")))
    return "".join(out)

try:
    print(repr(run('''
import kalshi_research as kr
from kalshi_research.streaming import stream
live = stream(kr.connect("sandbox"), ["{TICKER}"]).wait()
print(live.best("{TICKER}").status)''')))
    print(repr(run("async for update in live:\\n    print(update.kind)\\n    break")))
    interrupting = threading.Timer(1.0, manager.interrupt_kernel)
    interrupting.start()
    print(run("for _ in live.updates('trades'): pass"))
    interrupting.join()
    print(repr(run("print(live.best('{TICKER}').status, live.health.connections)")))
    print(repr(run("live.close(); print(live.health.state)")))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""


def test_in_a_real_kernel() -> None:
    """A kernel has a running loop; cells use the stream plainly, and an interrupt does not hurt it."""
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.stdout.splitlines() == [
        r"'live\n'", r"'books\n'", "KeyboardInterrupt", r"'live 1\n'", r"'closed\n'",
    ], done.stderr  # fmt: skip


def test_a_stream_that_nobody_closed_ends_with_the_process_and_with_its_name(venue: Faulty) -> None:
    live = stream(venue.client(), "M", options=FAST)
    live.wait()
    thread = live._engine._thread
    del live
    until(lambda: not thread.is_alive(), what="the thread outlives the stream")
    source = f"""
import kalshi_research as kr
from kalshi_research.streaming import stream
live = stream(kr.connect("sandbox"), ["{TICKER}"]).wait()
"""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begin < 40
