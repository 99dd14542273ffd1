"""Polling: samples that say that they are samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from stream_faults import Faulty, count_text, price_text, until

import kalshi_research as kr
from kalshi_research.client import connect
from kalshi_research.errors import InputError, TransportError
from kalshi_research.streaming import poll

TICKER = "KXHIGHNY-26NOV21-B46.5"


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(["M0", "M1"]) as made:
        made.rest = lambda path, query: books(made, query["tickers"])
        yield made


def books(venue: Faulty, names: list[str]) -> Any:
    """The answer of the order-book route."""

    def ladder(leg: dict[int, int]) -> list[list[str]]:
        return [[price_text(price), count_text(count)] for price, count in sorted(leg.items())]

    asked = [name for each in names for name in each.split(",")]
    return {
        "orderbooks": [
            {
                "ticker": name,
                "orderbook_fp": {
                    "yes_dollars": ladder(venue.books[name][0]),
                    "no_dollars": ladder(venue.books[name][1]),
                },
            }
            for name in asked
            if name in venue.books
        ]
    }  # fmt: skip


def keyless(venue: Faulty) -> Any:
    return connect(f"http://127.0.0.1:{venue.port}")


def test_samples_follow_the_books_and_never_claim_to_be_live(venue: Faulty) -> None:
    with poll(keyless(venue), ["M0", "M1"], every="50ms") as sampled:
        sampled.wait()
        for _ in range(3):
            venue.do(lambda: [venue.change(name) for name in ("M0", "M1") for _ in range(20)])
            bids, asks = venue.levels("M0")
            expected = (bids[0][0] / 1e4, asks[0][0] / 1e4)
            until(lambda expected=expected: (sampled.best("M0").bid, sampled.best("M0").ask) == expected)
        assert set(sampled.status["status"]) == {"sampled"}
        assert "never live" in repr(sampled)
        assert sampled.book("M0").attrs["kalshi"]["status"] == "sampled"
        assert "sampled" in sampled.book("M0").attrs["kalshi"]["endpoint"]
        assert sampled.health.sampled == 2
        frame = sampled.book("M0")
        pd_reference = kr.get_orderbook(kr.connect("sandbox"), TICKER)
        assert frame.dtypes.astype(str).tolist() == pd_reference.dtypes.astype(str).tolist()


def test_without_answers_the_numbers_go_away(venue: Faulty) -> None:
    with poll(keyless(venue), "M0", every="50ms") as sampled:
        sampled.wait()
        venue.rest = lambda path, query: None
        until(lambda: sampled.best("M0").status == "stale")
        assert sampled.book("M0").empty
        assert sampled.quotes()["mid"].isna().all()
        assert sampled.health.failures > 0
        assert "404" in sampled.health.problem
        venue.rest = lambda path, query: books(venue, query["tickers"])
        sampled.wait()
        assert sampled.health.problem == ""


def test_it_keeps_its_interval_and_leaves_room_for_others(venue: Faulty) -> None:
    with poll(keyless(venue), "M0", every="100ms") as sampled:
        until(lambda: sampled.health.samples >= 8)
        count = len(venue.questions)
        begin = time.monotonic()
        until(lambda: len(venue.questions) >= count + 5)
        assert time.monotonic() - begin > 0.35
    slow = 0.2

    def answer_slowly(path: str, query: Any) -> Any:
        time.sleep(slow)  # the exchange is slow: that is what is tested
        return books(venue, query["tickers"])

    venue.rest = answer_slowly
    count = len(venue.questions)
    with poll(keyless(venue), "M0", every="50ms") as sampled:
        begin = time.monotonic()
        until(lambda: len(venue.questions) >= count + 5)
        assert time.monotonic() - begin > 4 * 2 * slow * 0.9, "half of the time belongs to others"


def test_markets_come_and_go_and_what_is_new_is_told(venue: Faulty) -> None:
    with poll(keyless(venue), "M0", every="50ms") as sampled:
        sampled.wait()
        seen: list[str] = []
        sampled.on("books", lambda update: seen.append(update.ticker))
        sampled.add("M1")
        sampled.wait()
        until(lambda: {"M0", "M1"} <= set(seen))
        sampled.drop("M0")
        assert sampled.markets == ["M1"]
        with pytest.raises(InputError, match="not followed"):
            sampled.best("M0")
        venue.do(lambda: venue.change("M1"))
        assert next(sampled.updates(timeout=5)).ticker == "M1"


def test_closing_ends_the_thread(venue: Faulty) -> None:
    sampled = poll(keyless(venue), "M0", every="50ms")
    sampled.wait()
    sampled.close()
    sampled.close()
    assert not any(thread.name == "kalshi-poll" for thread in threading.enumerate())
    assert sampled.best("M0").status == "stale"
    with pytest.raises(TransportError, match="closed"):
        sampled.wait()


def test_arguments_are_checked(venue: Faulty) -> None:
    with pytest.raises(InputError, match=r"0\.05 s or more"):
        poll(keyless(venue), "M0", every="1ms")
    with pytest.raises(InputError, match="every"):
        poll(keyless(venue), "M0", every="soon")
    assert not venue.questions
    with poll(keyless(venue), ["M0", "NOBODY"], every="50ms") as sampled:
        sampled.wait("M0")
        with pytest.raises(TransportError, match="1 books in time, such as NOBODY"):
            sampled.wait(timeout=0.2)
