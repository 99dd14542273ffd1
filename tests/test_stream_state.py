"""A book is right, or it says that it is not: frames of a made-up exchange, under every fault."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kalshi_research.errors import DecodeError
from kalshi_research.schemas.stream import Reply, StreamDecoder, Trade
from kalshi_research.streaming.state import NO, YES, Session

T = "KXHIGHNY-26NOV21-B50.5"


def filled(session: Session | None = None, **more: Any) -> Session:
    session = session or Session(**more)
    session.snapshot(1, 1, T, yes=[(4200, 1300), (4100, 1000)], no=[(5600, 1700)])
    return session


# What a book says


def test_a_book_is_seen_from_the_yes_leg() -> None:
    book = filled().book(T)
    assert book.status == "live"
    assert book.best() == (4200, 1300, 4400, 1700)
    assert book.levels() == ([(4200, 1300), (4100, 1000)], [(4400, 1700)])


def test_a_delta_changes_one_level_and_a_level_at_zero_is_gone() -> None:
    session = filled()
    assert session.delta(1, 2, T, YES, 4200, -1300) is session.book(T)
    assert session.book(T).best() == (4100, 1000, 4400, 1700)
    session.delta(1, 3, T, NO, 5700, 250)
    assert session.book(T).best() == (4100, 1000, 4300, 250)
    session.delta(1, 4, T, NO, 5700, -250)
    session.delta(1, 5, T, NO, 5600, -1700)
    assert session.book(T).best() == (4100, 1000, None, 0)
    session.delta(1, 6, T, YES, 4100, -1000)
    assert session.book(T).best() == (None, 0, None, 0)
    assert session.book(T).status == "live", "an empty book is a book"


def test_what_touches_the_top_is_told_from_what_does_not() -> None:
    session = filled()
    for price, change, touches in (
        (4100, 50, False), (4200, 50, True), (4300, 10, True), (4300, -10, True), (4000, 1, False),
    ):  # fmt: skip
        seq = session.book(T).seq + 1
        book = session.delta(1, seq, T, YES, price, change)
        assert book is not None
        assert book.touched is touches


def test_use_yes_price_gives_the_same_book() -> None:
    session = Session(use_yes_price=True)
    session.snapshot(1, 1, T, yes=[(4200, 1300), (4100, 1000)], no=[(4400, 1700)])
    assert session.book(T).levels() == filled().book(T).levels()
    session.delta(1, 2, T, NO, 4300, 250)
    assert session.book(T).best() == (4200, 1300, 4300, 250)


def test_a_market_nobody_spoke_of_has_no_book() -> None:
    session = filled()
    book = session.book("OTHER")
    assert (book.status, book.best(), book.levels()) == ("syncing", None, None)
    assert list(session.books) == [T]


# Numbers of frames


def test_a_lost_frame_puts_every_book_of_the_subscription_out_of_step() -> None:
    session = Session()
    for seq, name in enumerate("ABC", 1):
        session.snapshot(1, seq, name, yes=[(4000, 100)], no=[])
    session.snapshot(2, 1, "D", yes=[(4000, 100)], no=[])
    session.transitions.clear()
    assert session.delta(1, 5, "A", YES, 4000, 100) is None
    assert {name: session.book(name).status for name in "ABCD"} == {
        "A": "syncing", "B": "syncing", "C": "syncing", "D": "live",
    }  # fmt: skip
    assert [hole.lost for hole in session.holes] == [1]
    assert [each.ticker for each in session.transitions] == ["A", "B", "C"]
    assert session.awaiting() == {1: ["A", "B", "C"]}
    session.snapshot(1, 6, "B", yes=[(4100, 100)], no=[])
    assert session.book("B").best() == (4100, 100, None, 0)
    assert session.awaiting() == {1: ["A", "C"]}
    assert session.delta(1, 7, "A", YES, 4000, 100) is None
    assert session.counters.withheld == 2


@pytest.mark.parametrize("kind", ["ok", "error", "trade", "unheard_of"])
def test_replies_and_trades_take_numbers_too(kind: str) -> None:
    session = filled()
    session.reply(1, 2, kind)
    assert session.delta(1, 3, T, YES, 4200, 100) is not None
    session.delta(1, 5, T, YES, 4200, 100)
    assert session.book(T).status == "syncing"


def test_a_frame_that_comes_again_changes_nothing() -> None:
    session = filled()
    session.delta(1, 2, T, YES, 4300, 100)
    session.delta(1, 3, T, YES, 4300, 100)
    for _ in range(5):
        session.delta(1, 2, T, YES, 4300, 100)
        session.delta(1, 3, T, YES, 4300, 100)
    assert session.book(T).best() == (4300, 200, 4400, 1700)
    assert session.counters.repeated == 10
    assert session.delta(1, 4, T, YES, 4300, -200) is not None


def test_frames_out_of_order_are_not_put_together() -> None:
    session = filled()
    session.delta(1, 3, T, YES, 4300, 100)
    session.delta(1, 2, T, YES, 4300, 100)
    session.delta(1, 4, T, YES, 4300, 100)
    assert session.book(T).best() is None


def test_a_count_that_begins_anew_is_noticed_at_its_first_frame() -> None:
    session = filled()
    for seq in range(2, 50):
        session.delta(1, seq, T, YES, 4000, seq)
    session.delta(1, 1, T, YES, 4000, 1)
    assert session.book(T).status == "syncing"
    assert "after number 49" in session.book(T).reason
    session.snapshot(1, 2, T, yes=[(3000, 100)], no=[])
    assert session.delta(1, 3, T, YES, 3000, 5) is not None
    assert session.book(T).best() == (3000, 105, None, 0)


def test_a_snapshot_that_looks_like_an_earlier_one_is_not_trusted_without_a_clock() -> None:
    """It may be that one again, or the first of a new count after frames that nobody saw."""
    session = filled()
    session.delta(1, 2, T, YES, 4300, 100)
    filled(session)
    assert session.book(T).status == "syncing"
    untouched = filled()
    filled(untouched)
    assert untouched.book(T).status == "live", "here both readings mean the same book"


def test_a_subscription_counts_from_one() -> None:
    session = filled()
    session.subscribed(1)
    assert session.book(T).status == "syncing"
    session.snapshot(1, 2, T, yes=[], no=[])
    assert [hole.lost for hole in session.holes] == [1]
    assert session.book(T).status == "live", "a snapshot needs nothing that was before"


@pytest.mark.parametrize("code", [10, 25])
def test_an_error_that_ends_a_subscription_ends_its_books(code: int) -> None:
    session = filled()
    session.reply(1, 2, "error", code=14)
    assert session.book(T).status == "live"
    session.reply(1, 3, "error", code=code)
    assert (session.book(T).status, session.book(T).reason) == ("syncing", f"ended by error {code}")
    session.snapshot(1, 4, T, yes=[(1, 1)], no=[])
    assert session.book(T).status == "syncing", "a subscription that has ended says nothing more"
    assert session.counters.late == 1


def test_a_market_taken_out_is_not_current_any_more() -> None:
    session = filled()
    session.snapshot(1, 2, "B", yes=[(4000, 100)], no=[])
    session.reply(1, 3, "ok", tickers=[T])
    assert (session.book(T).status, session.book("B").status) == ("live", "syncing")
    session.reply(1, 4, "unsubscribed")
    assert session.book(T).status == "syncing"


def test_a_lost_connection_loses_every_book() -> None:
    session = filled()
    session.disconnected("closed by the other end (1001)")
    assert session.book(T).status == "syncing"
    assert session.book(T).reason == "closed by the other end (1001)"
    session.subscribed(1)
    filled(session)
    assert session.book(T).status == "live"


def test_silence_makes_a_book_stale_and_a_sign_of_life_makes_it_live() -> None:
    session = filled()
    session.suspend("no frame for 15 s")
    assert (session.book(T).status, session.book(T).best()) == ("stale", None)
    session.delta(1, 2, T, YES, 4300, 100)
    session.resume()
    assert session.book(T).best() == (4300, 100, 4400, 1700)
    session.suspend("no frame for 15 s")
    session.delta(1, 4, T, YES, 4300, 100)
    session.resume()
    assert session.book(T).status == "syncing"


def test_a_sparse_recording_may_skip_numbers_but_not_go_back() -> None:
    session = filled(contiguous=False)
    assert session.delta(1, 90, T, YES, 4300, 100) is not None
    assert session.delta(1, 90, T, YES, 4300, 100) is None
    assert session.book(T).best() == (4300, 100, 4400, 1700)
    session.delta(1, 89, T, YES, 4300, 100)
    assert session.book(T).status == "syncing"


# Frames that cannot be


def test_a_change_before_a_snapshot_makes_no_book() -> None:
    session = Session()
    assert session.delta(1, 7, T, YES, 4300, 100) is None
    assert session.delta(1, 8, T, YES, 4300, 100) is None
    assert (session.book(T).status, session.book(T).reason) == ("syncing", "no snapshot yet")
    assert session.counters.early == 2
    assert session.awaiting() == {1: [T]}


@pytest.mark.parametrize(
    ("side", "price", "change"),
    [
        (YES, 4200, -1301), (YES, 4300, -1), (YES, 0, 5), (YES, 10_000, 5), (YES, -100, 5),
        (YES, 4401, 1), (NO, 5801, 1),
    ],
)  # fmt: skip
def test_an_impossible_change_makes_the_book_invalid(side: int, price: int, change: int) -> None:
    session = filled()
    assert session.delta(1, 2, T, side, price, change) is None
    book = session.book(T)
    assert (book.status, book.best(), book.levels()) == ("invalid", None, None)
    assert session.delta(1, 3, T, YES, 4200, 5) is None
    assert book.status == "invalid", "only a snapshot repairs it"
    session.snapshot(1, 4, T, yes=[(4200, 5)], no=[])
    assert book.best() == (4200, 5, None, 0)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ([(4200, 5)], [(5801, 5)]),
        ([(4200, 5), (4200, 6)], []),
        ([(4200, -5)], []),
        ([(10_000, 5)], []),
    ],
)
def test_an_impossible_snapshot_makes_the_book_invalid(yes: Any, no: Any) -> None:
    session = filled()
    assert session.snapshot(1, 2, T, yes=yes, no=no) is None
    assert session.book(T).status == "invalid"


def test_an_empty_snapshot_is_an_empty_book() -> None:
    session = filled()
    assert session.snapshot(1, 2, T, yes=[], no=[]) is not None
    assert session.book(T).best() == (None, 0, None, 0)


# The exchange's clock


def test_a_snapshot_has_the_changes_up_to_its_clock_in_it() -> None:
    session = Session()
    session.snapshot(1, 1, T, yes=[(4200, 100)], no=[], clock=500)
    for seq in (2, 3):
        assert session.delta(1, seq, T, YES, 4200, 100, clock=499) is None
    assert session.book(T).best() == (4200, 100, None, 0)
    assert session.counters.contained == 2
    for seq in (4, 5):  # several changes may share one tick of the clock
        assert session.delta(1, seq, T, YES, 4200, 100, clock=501) is not None
    assert session.book(T).best() == (4200, 300, None, 0)


def test_a_snapshot_in_the_middle_of_an_action_is_doubted() -> None:
    """Of two changes at one clock the first came before it: nobody can say whether it has the other."""
    session = Session()
    session.snapshot(1, 1, T, yes=[(4200, 300)], no=[], clock=500)
    session.delta(1, 2, T, YES, 4200, -100, clock=501)
    session.snapshot(1, 3, T, yes=[(4200, 200)], no=[], clock=501)
    assert session.book(T).status == "live"
    assert session.delta(1, 4, T, YES, 4200, -200, clock=501) is None
    assert session.book(T).status == "syncing"
    assert "501" in session.book(T).reason
    session.snapshot(1, 5, T, yes=[], no=[], clock=501)
    assert session.book(T).best() == (None, 0, None, 0)


@pytest.mark.parametrize("before", ["nothing", "a subscription", "another connection", "early changes"])
def test_a_first_snapshot_in_the_middle_of_an_action_is_doubted(before: str) -> None:
    """A change at its very clock may be in it or not: nothing tells, whatever came before it."""
    session = Session()
    if before == "another connection":
        session.subscribed(1)
        session.snapshot(1, 1, T, yes=[(4200, 300)], no=[], clock=499)
        session.disconnected("closed")
    first = 1
    if before in ("a subscription", "another connection"):
        session.subscribed(1)
    elif before == "early changes":
        session.delta(1, 1, T, YES, 4200, -100, clock=501)
        first = 2
    session.snapshot(1, first, T, yes=[(4200, 200)], no=[], clock=501)
    assert session.book(T).status == "live"
    assert session.delta(1, first + 1, T, YES, 4200, -200, clock=501) is None
    assert session.book(T).status == "syncing"
    assert session.awaiting() == {1: [T]}
    session.snapshot(1, first + 2, T, yes=[], no=[], clock=501)
    assert session.delta(1, first + 3, T, YES, 4100, 100, clock=502) is not None
    assert session.book(T).best() == (4100, 100, None, 0)


def test_a_snapshot_of_another_book_at_the_same_clock_needs_a_second_one() -> None:
    """Either a change was lost that nobody has numbered, or the snapshot is older than its clock."""
    session = Session()
    session.snapshot(1, 1, T, yes=[(4200, 300)], no=[], clock=500)
    session.delta(1, 2, T, YES, 4200, -100, clock=501)
    session.delta(1, 3, T, YES, 4300, 500, clock=501)
    assert session.snapshot(1, 4, T, yes=[(4200, 200)], no=[], clock=501) is None
    assert session.book(T).status == "syncing"
    assert session.awaiting() == {1: [T]}
    session.snapshot(1, 5, T, yes=[(4200, 200), (4300, 500)], no=[], clock=501)
    assert session.book(T).best() == (4300, 500, None, 0)
    assert session.snapshot(1, 6, T, yes=[(4200, 200), (4300, 500)], no=[], clock=501) is not None
    session.snapshot(1, 7, T, yes=[(4100, 200)], no=[], clock=502)
    assert session.book(T).best() == (4100, 200, None, 0), "something happened meanwhile"


@pytest.mark.parametrize("before", ["nothing", "another connection", "another subscription"])
def test_a_first_snapshot_behind_the_changes_before_it_is_not_taken(before: str) -> None:
    session = Session()
    if before != "nothing":
        session.subscribed(1)
        session.snapshot(1, 1, T, yes=[(4200, 300)], no=[], clock=499)
    if before == "another connection":
        session.disconnected("closed")
    session.subscribed(2)
    session.delta(2, 1, T, YES, 4200, -100, clock=501)
    assert session.snapshot(2, 2, T, yes=[(4200, 300)], no=[], clock=500) is None
    assert session.book(T).sid != 2 or session.book(T).status == "syncing"
    session.snapshot(2, 3, T, yes=[(4200, 200)], no=[], clock=501)
    assert session.book(T).best() == (4200, 200, None, 0)


def test_a_market_that_never_changed_has_a_clock_of_zero() -> None:
    session = Session()
    session.snapshot(1, 1, T, yes=[], no=[], clock=0)
    assert session.delta(1, 2, T, YES, 4200, 100, clock=3) is not None


def test_a_clock_that_goes_back_is_not_followed() -> None:
    session = Session()
    session.snapshot(1, 1, T, yes=[(4200, 100)], no=[], clock=500)
    session.delta(1, 2, T, YES, 4200, 100, clock=510)
    session.delta(1, 3, T, YES, 4200, 100, clock=505)
    assert session.book(T).status == "syncing"
    assert "clock went back" in session.book(T).reason
    session.snapshot(1, 4, T, yes=[(4200, 7)], no=[], clock=505)
    assert session.book(T).best() == (4200, 7, None, 0)


def test_a_change_long_after_the_snapshot_is_not_in_it_whatever_its_clock_says() -> None:
    session = Session()
    session.snapshot(1, 1, T, yes=[(4200, 100)], no=[], clock=500, sent_ms=1_760_000_000_000)
    session.delta(1, 2, T, YES, 4200, 100, clock=3, time_ms=1_760_000_600_000)
    assert session.book(T).status == "syncing"


def test_a_snapshot_behind_the_changes_before_it_is_not_taken() -> None:
    session = Session()
    session.snapshot(1, 1, T, yes=[(4200, 100)], no=[], clock=500)
    session.delta(1, 2, T, YES, 4200, 100, clock=510)
    assert session.snapshot(1, 3, T, yes=[(4200, 100)], no=[], clock=505) is None
    assert session.book(T).status == "syncing"


def test_a_new_subscription_takes_the_book_over_from_the_old_one() -> None:
    session = Session()
    session.subscribed(1)
    session.snapshot(1, 1, T, yes=[(4200, 100)], no=[], clock=500)
    session.delta(1, 2, T, YES, 4200, 100, clock=510)
    session.subscribed(2)
    session.snapshot(2, 1, T, yes=[(4200, 100)], no=[], clock=505)
    assert session.delta(1, 3, T, YES, 4200, 50, clock=512) is None
    assert session.delta(2, 2, T, YES, 4200, 100, clock=510) is not None
    assert session.book(T).best() == (4200, 200, None, 0)


# The wire


@pytest.mark.parametrize("price", ["0.45", "0.4500", ".45", "0.450000", 0.45])
def test_all_spellings_of_a_price_are_one_level(price: Any) -> None:
    decoder, session = StreamDecoder(), Session()
    snapshot = {"market_ticker": T, "yes_dollars_fp": [["0.4500", "3.00"]]}
    session.apply(decoder.event({"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": snapshot}))
    delta = {"market_ticker": T, "side": "yes", "price_dollars": price, "delta_fp": "1.25"}
    session.apply(decoder.event({"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": delta}))
    assert session.book(T).levels() == ([(4500, 425)], [])


def test_both_dialects_are_one_book() -> None:
    decoder = StreamDecoder()
    frames = [
        ({"yes": [[45, 3]], "no": None}, {"price": 46, "delta": -2}),
        ({"yes_dollars": [["0.4500", 3]]}, {"price_dollars": "0.46", "delta": -2}),
        ({"yes_dollars_fp": [["0.4500", "3.00"]]}, {"price_dollars": "0.4600", "delta_fp": "-2.00"}),
    ]
    for book, change in frames:
        session = Session()
        body = {"market_ticker": T, **book}
        session.apply(decoder.event({"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": body}))
        body = {"market_ticker": T, "side": "no", **change}
        plus = {key: 5 if key == "delta" else "5.00" if key == "delta_fp" else value
                for key, value in body.items()}  # fmt: skip
        for seq, msg in ((2, plus), (3, body)):
            frame = {"type": "orderbook_delta", "sid": 1, "seq": seq, "msg": msg}
            session.apply(decoder.event(frame))
        assert session.book(T).levels() == ([(4500, 300)], [(5400, 300)])


CENTS = {"market_ticker": T, "side": "yes", "price": 45, "delta": 3}


@pytest.mark.parametrize("kind", ["orderbook_delta", "orderbook_update"])
@pytest.mark.parametrize("where", [("data",), ("msg",), ("msg", "data")])
def test_a_change_is_read_under_both_of_its_names_and_places(kind: str, where: tuple[str, ...]) -> None:
    frame = {"type": kind, "sid": 1, "seq": 2, **dict.fromkeys(where, CENTS)}
    for said in (frame, json.dumps(frame), json.dumps(frame, separators=(",", ":")).encode()):
        event = StreamDecoder().event(said)
        assert event.kind == "delta"
        assert (event.sid, event.seq, event.ticker, event.price, event.change) == (1, 2, T, 4500, 300)


def test_everything_may_be_under_data() -> None:
    decoder = StreamDecoder()
    book = {"market_ticker": T, "yes": [[45, 3]], "no": []}
    event = decoder.event({"type": "orderbook_snapshot", "sid": 1, "seq": 1, "data": book})
    assert event.kind == "snapshot"
    assert event.yes == [(4500, 300)]
    event = decoder.event({"id": 1, "type": "subscribed", "data": {"channel": "orderbook", "sid": 4}})
    assert event.kind == "reply"
    assert (event.sid, event.channel, event.number) == (4, "orderbook", 1)


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "orderbook_update"},
        {"type": "orderbook_update", "sid": 1, "seq": 2, "msg": {}},
        {"type": "orderbook_update", "sid": 1, "data": CENTS},
        {"type": "orderbook_update", "sid": 1, "seq": 2, "data": [CENTS]},
        {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "data": {"yes": []}},
    ],
)
def test_an_old_frame_without_what_it_must_have_is_none(frame: dict[str, Any]) -> None:
    with pytest.raises(DecodeError, match="orderbook_"):
        StreamDecoder().event(frame)


def test_a_million_fractions_of_a_contract_leave_nothing() -> None:
    session = Session()
    session.snapshot(1, 1, T, yes=[], no=[])
    counts = StreamDecoder()._counts
    for seq in range(2, 200_002):
        session.delta(1, seq, T, YES, 4500, counts["0.01" if seq % 2 else "0.07"])
    left = session.book(T).best()
    assert left is not None
    assert Fraction(left.bid_size, 100) == 100_000 * (Fraction(1, 100) + Fraction(7, 100))


def test_replies_and_trades_are_events_too() -> None:
    decoder = StreamDecoder()
    event = decoder.event(b'{"id":1,"type":"subscribed","msg":{"channel":"orderbook_delta","sid":4}}')
    assert isinstance(event, Reply)
    assert (event.name, event.sid, event.seq) == ("subscribed", 4, None)
    event = decoder.event('{"id":4,"type":"ok","msg":[{"channel":"orderbook_delta","sid":1}]}')
    assert isinstance(event, Reply)
    assert (event.sid, event.tickers) == (None, None)
    session = filled()
    assert session.apply(event) is None
    event = decoder.event({"type": "error", "sid": 4, "seq": 4, "msg": {"code": 25, "msg": "…"}})
    assert isinstance(event, Reply)
    assert event.code == 25
    event = decoder.event(
        {"type": "trade", "sid": 2, "seq": 9, "msg": {
            "trade_id": "t", "market_ticker": T, "yes_price": 36, "no_price": 64, "count": 136,
            "taker_side": "no", "ts": 1_760_000_000}}
    )  # fmt: skip
    assert isinstance(event, Trade)
    assert (event.yes_price, event.no_price, event.count) == (3600, 6400, 13_600)
    assert event.time_ms == 1_760_000_000_000


DELTA: dict[str, Any] = {
    "market_ticker": T,
    "side": "yes",
    "price_dollars": "0.4500",
    "delta_fp": "1.00",
}


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"null", b"[]", b"17", b'"x"', b"{", b"\xff\xfe", b"{}", b'{"type": 3}', "\ud800",
        b"[" * 100_000,
        b'{"type": "orderbook_delta"}',
        b'{"type": "orderbook_delta", "sid": 1, "seq": 1, "msg": null}',
        *(
            {"type": "orderbook_delta", "sid": 1, "seq": 1, "msg": {**DELTA, **wrong}}
            for wrong in (
                {"price_dollars": None}, {"price_dollars": "1.5"}, {"price_dollars": "0"},
                {"price_dollars": "-0.4"}, {"price_dollars": "0.45001"}, {"price_dollars": "4e-1"},
                {"price_dollars": "NaN"}, {"price_dollars": True}, {"price_dollars": []},
                {"price_dollars": None, "price": 145}, {"delta_fp": None}, {"delta_fp": "0.001"},
                {"delta_fp": "9" * 15}, {"delta_fp": "∞"}, {"side": "both"}, {"market_ticker": 5},
                {"clock": -1}, {"clock": 1 << 70}, {"ts_ms": "soon"}, {"ts_ms": 10**17},
            )
        ),
        {"type": "orderbook_delta", "sid": 1, "msg": DELTA},
        {"type": "orderbook_delta", "sid": -1, "seq": 1, "msg": DELTA},
        {"type": "orderbook_delta", "sid": 1, "seq": 1.5, "msg": DELTA},
        {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": {"market_ticker": T, "yes": [[45]]}},
        {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": {"market_ticker": T, "yes": {}}},
        {"type": "trade", "sid": 1, "seq": 1, "msg": {"trade_id": "t", "market_ticker": T}},
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused(frame: Any) -> None:
    with pytest.raises(DecodeError):
        StreamDecoder().event(frame)


@given(st.binary(max_size=200) | st.text(max_size=200) | st.dictionaries(st.text(max_size=8), st.none()))
def test_no_input_raises_anything_else(frame: Any) -> None:
    with suppress(DecodeError):
        StreamDecoder().event(frame)


def test_unknown_fields_and_kinds_are_let_through() -> None:
    decoder = StreamDecoder()
    event = decoder.event(
        {"type": "orderbook_delta", "sid": 1, "seq": 2, "mood": 3, "msg": {**DELTA, "new": {"a": [1]}}}
    )
    assert event.kind == "delta"
    event = decoder.event(b'{"type": "weather", "sid": 3, "seq": 7, "msg": ["x"]}')
    assert isinstance(event, Reply)
    assert (event.name, event.sid, event.seq) == ("weather", 3, 7)


def test_the_state_machine_needs_neither_pandas_nor_numpy() -> None:
    code = (
        "import sys, kalshi_research.streaming.state as s; s.Session().book('T').best(); "
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Truth under faults

Levels = dict[tuple[int, int], Fraction]
"""(leg, price) to contracts: the book as a schoolchild would keep it."""


@dataclass
class Sent:
    """A frame, and what a reader who has every frame so far must know."""

    method: str
    args: tuple[Any, ...]
    order: int
    truth: dict[str, Levels] = field(repr=False)


class Exchange:
    """Markets of one subscription, counted and clocked like the real ones."""

    def __init__(self, seed: int, markets: int, *, clocks: bool, races: bool = True) -> None:
        self.rng = random.Random(seed)
        self.names = [f"M{at}" for at in range(markets)]
        self.levels: dict[str, Levels] = {name: {} for name in self.names}
        self.known: dict[str, Levels] = {name: {} for name in self.names}
        self.clocks = clocks
        self.races = races
        self.clock = 100
        self.clock_of = dict.fromkeys(self.names, 0)
        self.ms = 1_790_000_000_000
        self.sid, self.seq, self.order, self.highest = 1, 0, 0, 0
        self.underway: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.contained: set[tuple[str, tuple[Any, ...]]] = set()

    def _sent(self, method: str, *args: Any) -> Sent:
        self.order += 1
        return Sent(method, args, self.order, {name: dict(book) for name, book in self.known.items()})

    def _next(self) -> int:
        self.seq += 1
        self.highest = max(self.highest, self.seq)
        return self.seq

    def _matched(self, name: str) -> tuple[Any, ...]:
        """One more change of a random level that keeps the book possible."""
        book, rng = self.levels[name], self.rng
        leg = rng.randrange(2)
        other = max((price for at, price in book if at != leg), default=0)
        here = [price for at, price in book if at == leg]
        if here and rng.random() < 0.5:
            price = rng.choice(here)
            size = book[leg, price]
            change = -size if rng.random() < 0.6 else -size / 4
            change = Fraction(int(change * 100), 100) or -size
        else:
            price = rng.randrange(1, max((10_000 - other) // 100, 1) + 1) * 100 - rng.choice((0, 1))
            price = min(max(price, 1), 10_000 - other, 9_999)
            change = Fraction(rng.randrange(1, 100_000), 100)
        book[leg, price] = book.get((leg, price), Fraction(0)) + change
        if not book[leg, price]:
            del book[leg, price]
        self.clock += rng.randrange(3)  # several changes may share one tick
        self.clock_of[name] = self.clock
        self.ms += rng.randrange(50)
        clock = self.clock if self.clocks else -1
        return (name, leg, price, int(change * 100), clock, self.ms)

    def delta(self, name: str) -> list[Sent]:
        self.underway[name].append(self._matched(name))
        return self.flush(name)

    def flush(self, name: str) -> list[Sent]:
        """Send what has been matched, and only then let it be known."""
        found = []
        for change in self.underway.pop(name, []):
            _, leg, price, size, *_ = change
            if (name, change) not in self.contained:
                book = self.known[name]
                book[leg, price] = book.get((leg, price), Fraction(0)) + Fraction(size, 100)
                if not book[leg, price]:
                    del book[leg, price]
            found.append(self._sent("delta", self.sid, self._next(), *change))
        self.contained.clear()
        return found

    def race(self, name: str) -> list[Sent]:
        """A snapshot that already has changes in it which are sent after it."""
        if not self.clocks:
            return self.snapshot(name)
        self.clock += 1
        for _ in range(3):
            self.underway[name].append(self._matched(name))
        self.contained = {(name, change) for change in self.underway[name]}
        return [*self.snapshot(name), *self.flush(name)]

    def snapshot(self, name: str) -> list[Sent]:
        self.known[name] = dict(self.levels[name])
        legs: tuple[list[tuple[int, int]], ...] = ([], [])
        for (leg, price), size in sorted(self.levels[name].items()):
            legs[leg].append((price, int(size * 100)))
        clock = self.clock_of[name] if self.clocks else -1
        if not self.races:  # else the action that it shows may go on at its clock
            self.clock += 1
        return [self._sent("snapshot", self.sid, self._next(), name, *legs, clock, self.ms)]

    def subscribe(self) -> list[Sent]:
        """A new connection: the same sid, counted from 1 again."""
        self.seq = self.highest = 0
        found = [self._sent("subscribed", self.sid)]
        for name in self.names:
            found += self.snapshot(name)
        return found

    def reply(self) -> list[Sent]:
        return [self._sent("reply", self.sid, self._next(), self.rng.choice(("ok", "error", "trade")))]

    def step(self) -> list[Sent]:
        kind, name = self.rng.random(), self.rng.choice(self.names)
        if kind < 0.85:
            return self.delta(name)
        if kind < 0.92:
            return self.reply()
        return self.race(name) if self.races and kind < 0.96 else self.snapshot(name)


def content(session: Session, name: str) -> Levels:
    levels = session.book(name).levels()
    assert levels is not None
    found = {(YES, price): Fraction(count, 100) for price, count in levels.bids}
    return found | {(NO, 10_000 - price): Fraction(count, 100) for price, count in levels.asks}


class Reader:
    """Feeds a session and compares every live book with the truth after every frame.

    The truth is what the newest frame that was delivered implies, all frames before it
    included, also those that got lost.
    """

    def __init__(self) -> None:
        self.session = Session()
        self.newest: Sent | None = None
        self.compared = 0

    def take(self, sent: Sent) -> None:
        getattr(self.session, sent.method)(*sent.args)
        if self.newest is None or sent.order > self.newest.order:
            self.newest = sent
        for name, book in self.session.books.items():
            if book.status == "live":
                self.compared += 1
                assert content(self.session, name) == self.newest.truth[name], (name, sent)
                best = book.best()
                assert best is not None
                bids, asks = book.levels() or ([], [])
                assert (best.bid, best.bid_size) == (bids[0] if bids else (None, 0))
                assert (best.ask, best.ask_size) == (asks[0] if asks else (None, 0))

    def repair(self, exchange: Exchange) -> None:
        """Ask for snapshots until nothing waits for one; a count has to catch up before that."""
        while exchange.seq < exchange.highest:
            for sent in exchange.reply():
                self.take(sent)
        for _ in range(4):
            for _, names in sorted(self.session.awaiting().items()):
                for name in names:
                    for sent in exchange.snapshot(name):
                        self.take(sent)
        assert not self.session.awaiting()


FAULTS = (
    "drop",
    "duplicate",
    "swap",
    "replay",
    "renumber",
    "reconnect",
    "clock back",
    "repair",
    "negative",
)
Script = list[tuple[str, int]]


def run(  # noqa: C901
    seed: int,
    script: Script,
    *,
    clocks: bool,
    steps: int = 12,
    markets: int = 4,
    races: bool = True,
) -> Reader:
    exchange, reader = Exchange(seed, markets, clocks=clocks, races=races), Reader()
    past: list[Sent] = []

    def deliver(frames: list[Sent]) -> None:
        for sent in frames:
            reader.take(sent)
            past.append(sent)

    deliver(exchange.subscribe())
    for fault, amount in script:
        for _ in range(steps):
            deliver(exchange.step())
        if fault == "drop":
            for _ in range(amount):
                exchange.step()
        elif fault == "duplicate":
            for sent in past[-amount:]:
                for _ in range(2):
                    reader.take(sent)
        elif fault == "swap":
            frames = [sent for _ in range(amount) for sent in exchange.step()]
            exchange.rng.shuffle(frames)
            deliver(frames)
        elif fault == "replay" and (clocks or all(sent.method != "snapshot" for sent in past[-50:])):
            start = exchange.rng.randrange(len(past))
            for sent in past[start : start + amount]:
                if sent.method != "subscribed":
                    reader.take(sent)
        elif fault == "renumber":
            exchange.seq = exchange.rng.choice((0, max(exchange.seq - amount, 0)))
            past.clear()
            deliver(exchange.step())
        elif fault == "reconnect":
            past.clear()
            reader.session.disconnected("closed")
            deliver(exchange.subscribe())
        elif fault == "clock back" and clocks:
            exchange.clock = amount
            exchange.clock_of = dict.fromkeys(exchange.names, amount)
            exchange.ms += 60_000
            past.clear()
        elif fault == "repair":
            reader.repair(exchange)
        elif fault == "negative":
            name = exchange.names[0]
            reader.session.delta(exchange.sid, exchange._next(), name, YES, 17, -1, -1, exchange.ms)
            assert reader.session.book(name).status != "live"
    for _ in range(2):
        deliver(exchange.reply())
        for name in exchange.names:
            deliver(exchange.delta(name))
        reader.repair(exchange)
    exchange.clock += 1
    deliver(exchange.delta(exchange.names[0]))
    assert all(reader.session.book(name).status == "live" for name in exchange.names)
    return reader


SCRIPTS = st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(1, 12)), max_size=10)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), script=SCRIPTS)
@example(seed=1, script=[(fault, 3) for fault in FAULTS])
def test_a_live_book_is_the_true_book_under_every_fault(seed: int, script: Script) -> None:
    assert run(seed, script, clocks=True).compared > 0


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    script=st.lists(
        st.tuples(st.sampled_from(("drop", "duplicate", "swap", "reconnect", "repair", "negative")),
                  st.integers(1, 6)),
        max_size=8,
    ),
)  # fmt: skip
def test_a_live_book_is_the_true_book_without_clocks_too(seed: int, script: Script) -> None:
    assert run(seed, script, clocks=False).compared > 0


def test_a_snapshot_ahead_of_its_changes_costs_another_one() -> None:
    reader = run(7, [("none", 0)] * 20, clocks=True, steps=50)
    assert not reader.session.holes
    assert reader.session.counters.contained > 0
    doubted = [each for each in reader.session.transitions if "may have half" in each.reason]
    assert len(doubted) > 5
    assert {each.status for each in reader.session.transitions} == {"live", "syncing"}


def test_without_faults_every_book_is_live_all_the_time() -> None:
    reader = run(7, [("none", 0)] * 20, clocks=True, steps=50, races=False)
    assert not reader.session.holes
    assert reader.session.counters.withheld == reader.session.counters.early == 0
    assert {each.status for each in reader.session.transitions} == {"live"}
