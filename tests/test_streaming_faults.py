"""Live streams where everything goes wrong: a book is right, or it says that it is not."""

from __future__ import annotations

import gc
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from stream_faults import FAST, Faulty, Frame, refusal, until
from test_streaming_live import _as_dict, same_books

from kalshi_research.errors import AuthError, TransportError
from kalshi_research.streaming import Stream, StreamOptions, stream

NAMES = [f"M{number}" for number in range(6)]


@pytest.fixture
def venue() -> Iterator[Faulty]:
    with Faulty(NAMES) as made:
        yield made


def options(**more: float) -> StreamOptions:
    return StreamOptions(**{**_as_dict(FAST), **more})


def follow(venue: Faulty, names: Any = tuple(NAMES), channels: Any = "books", **more: float) -> Stream:
    live = stream(venue.client(), list(names), channels, options=options(**more))
    live.wait()
    return live


class Once:
    """Does something to the n-th frame of a type, and remembers it."""

    def __init__(self, kind: str, number: int, act: Any) -> None:
        self.kind, self.number, self.act = kind, number, act
        self.done: list[Frame] = []
        self._seen = 0

    def __call__(self, frame: Frame) -> list[Any]:
        if frame["type"] == self.kind:
            self._seen += 1
            if self._seen == self.number:
                self.done.append(frame)
                found: list[Any] = self.act(frame)
                return found
        return [frame]


# Lost, repeated and damaged frames


def test_one_lost_frame_makes_every_book_doubtful_until_it_is_repaired(venue: Faulty) -> None:
    with follow(venue, repair_timeout=5) as live:
        seen: list[tuple[int, int]] = []
        answering = threading.Event()
        venue.obey = lambda socket, command: None if answering.is_set() else []
        venue.mangle = Once("orderbook_delta", 10, lambda frame: [])
        venue.churn(50)
        until(lambda: live.health.gaps == 1)
        seen.append((live.health.live, live.health.lost))
        assert seen == [(0, 1)]
        assert live.quotes()["mid"].isna().all()
        until(lambda: venue.commands[-1]["params"].get("action") == "get_snapshot")
        asked = venue.commands[-1]["params"]
        assert sorted(asked["market_tickers"]) == NAMES
        answering.set()
        venue.do(lambda: [venue.snapshot(venue.sockets[0], 1, name) for name in NAMES])
        until(lambda: live.health.live == len(NAMES))
        assert same_books(live, venue, *NAMES)
        assert live.health.renewals == 0


def test_a_book_that_is_never_right_for_long_is_not_asked_for_without_end(venue: Faulty) -> None:
    """Each snapshot is followed by a change at its very clock: nobody can tell whether it has it."""
    changed = threading.Event()

    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        if command["params"].get("action") != "get_snapshot" or changed.is_set():
            return None
        for name in command["params"]["market_tickers"]:
            venue.snapshot(socket, 1, name, id=command["id"])
            again(socket, name)
        return []

    def again(socket: Any, name: str) -> None:
        price, count = next(iter(venue.books[name][0].items()))
        venue.send(socket, 1, "orderbook_delta", {
            "market_ticker": name, "clock": venue.clocks[name], "side": "yes", "ts_ms": 1,
            "price_dollars": f"0.{price:04d}", "delta_fp": f"{count / 100:.2f}",
        })  # fmt: skip

    with follow(venue, ["M0"], audit_every=60, repair_timeout=0.4, backoff=0.1) as live:
        wrong: list[Any] = []

        def check(number: int, text: bytes, book: Any) -> None:
            if book is not None and book.status == "live" and book.levels() != venue.levels("M0"):
                wrong.append(text)

        live._engine.tap(check, lambda number, reason: None)
        venue.obey = obey
        before = len(venue.commands)
        venue.do(lambda: again(venue.sockets[0], "M0"))
        until(lambda: len(venue.commands) >= before + 4)
        begin, count = time.monotonic(), len(venue.commands)
        until(lambda: time.monotonic() - begin > 2.0)
        assert 3 <= len(venue.commands) - count <= 9, "pauses grow up to 0.4 s"
        assert not wrong
        changed.set()
        until(lambda: live.health.live == 1 and same_books(live, venue, "M0"))
        assert live.health.reconnects == live.health.renewals == 0


@pytest.mark.parametrize("silence", [0, 30])
def test_a_lost_last_frame_is_found_by_the_audit(venue: Faulty, silence: int) -> None:
    """Nothing comes after it, so only a question can show that it is missing."""
    with follow(venue, ["M0", "M1"]) as live:
        venue.mangle = Once("orderbook_delta", 1, lambda frame: [])
        venue.do(lambda: venue.change("M0"))
        begin = time.monotonic()
        assert live.health.live == 2, "nobody can know yet"
        until(lambda: live.health.gaps == 1)
        assert time.monotonic() - begin < 4 * FAST.audit_every
        until(lambda: live.health.live == 2 and same_books(live, venue, "M0", "M1"))


def test_a_frame_lost_before_it_was_numbered_is_found_by_comparing(venue: Faulty) -> None:
    with follow(venue, ["M0", "M1"]) as live:

        def forget() -> None:
            venue.clock += 1
            venue.clocks["M0"] = venue.clock
            venue.books["M0"][0][100] = 12_300

        venue.do(forget)
        until(lambda: live.health.mismatches == 1)
        until(lambda: same_books(live, venue, "M0", "M1"))
        assert live.health.gaps == 0


def test_audits_cost_little(venue: Faulty) -> None:
    with follow(venue, audit_markets=2) as live:
        before = len(venue.commands)
        begin = time.monotonic()
        until(lambda: live.health.audits >= 8)
        rounds = (time.monotonic() - begin) / (FAST.audit_every * 0.9)
        asked = venue.commands[before:]
        assert len(asked) <= rounds + 2
        assert {len(each["params"]["market_tickers"]) for each in asked} == {2}
        audited = [name for each in asked for name in each["params"]["market_tickers"]]
        assert len(set(audited[:6])) == 6, "each market has its turn"


@pytest.mark.parametrize(
    ("act", "gaps"),
    [
        pytest.param(lambda frame: [frame, frame], 0, id="repeated"),
        pytest.param(lambda frame: [{**frame, "seq": frame["seq"] + 3}], 1, id="misnumbered"),
        pytest.param(lambda frame: [{**frame, "seq": 1}], 1, id="numbered anew"),
        pytest.param(lambda frame: [{**frame, "msg": {}}], None, id="empty"),
        pytest.param(lambda frame: ["{" + json.dumps(frame)], None, id="no JSON"),
        pytest.param(lambda frame: [b"\x00\xff"], None, id="binary"),
        pytest.param(
            lambda frame: [{**frame, "msg": {**frame["msg"], "delta_fp": "-9999999.00"}}],
            None,
            id="negative",
        ),
        pytest.param(
            lambda frame: [{**frame, "msg": {**frame["msg"], "market_ticker": "STRANGER"}}],
            None,
            id="unknown",
        ),
        pytest.param(
            lambda frame: [{**frame, "msg": {**frame["msg"], "clock": 1}}], None, id="clock goes back"
        ),
        pytest.param(
            lambda frame: [{"type": "weather", "sid": 77, "msg": {}}, frame], 0, id="unknown type"
        ),
    ],
)  # fmt: skip
def test_a_damaged_frame_is_noticed_and_repaired(venue: Faulty, act: Any, gaps: int | None) -> None:
    with follow(venue) as live:
        venue.mangle = once = Once("orderbook_delta", 20, act)
        venue.churn(100)
        assert once.done
        until(lambda: live.health.live == 6 and same_books(live, venue, *NAMES))
        if gaps is not None:
            assert (live.health.gaps > 0) == (gaps > 0)
        assert list(live.quotes().index) == NAMES, "no phantom book"


def test_damage_is_counted_and_told(venue: Faulty) -> None:
    with follow(venue) as live:
        venue.mangle = Once("orderbook_delta", 1, lambda frame: ["nonsense", {"type": "weather"}])
        venue.churn(10)
        until(lambda: live.health.unreadable == 1 and live.health.unknown == 1)
        until(lambda: live.health.live == 6)


def test_reordered_frames_are_not_put_together(venue: Faulty) -> None:
    held: list[Frame] = []

    def swap(frame: Frame) -> list[Frame]:
        if frame["type"] != "orderbook_delta":
            return [frame]
        held.append(frame)
        if len(held) == 10:
            return []
        return [frame, held[9]] if len(held) == 11 else [frame]

    with follow(venue) as live:
        venue.mangle = swap
        venue.churn(50)
        until(lambda: live.health.gaps >= 1)
        until(lambda: live.health.live == 6 and same_books(live, venue, *NAMES))


# Links that break


def test_silence_makes_books_stale_and_then_a_new_connection(venue: Faulty) -> None:
    with follow(venue, stale_after=0.4, dead_after=1.2, audit_every=60) as live:
        begin = time.monotonic()
        venue.do(venue.fall_silent)
        until(lambda: live.best("M0").status == "stale")
        assert 0.2 < time.monotonic() - begin < 1.0
        assert live.book("M0").empty
        assert live.best("M0").age > 0.2
        until(lambda: live.health.reconnects == 1 and live.health.live == 6)
        assert time.monotonic() - begin < 3
        assert same_books(live, venue, *NAMES)


def test_a_probe_that_is_answered_brings_stale_books_back(venue: Faulty) -> None:
    venue.ping_every = 60
    with follow(venue, stale_after=0.3, dead_after=30, audit_every=60) as live:
        states = set()
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            states.add(live.best("M0").status)
        assert states <= {"live", "stale"}
        assert live.health.reconnects == 0


def test_a_link_that_pings_but_answers_nothing_is_given_up(venue: Faulty) -> None:
    with follow(venue) as live:
        deaf = venue.sockets[0]
        venue.obey = lambda socket, command: [] if socket is deaf else None
        until(lambda: live.best("M0").status == "stale", what="the unanswered question is not noticed")
        until(lambda: live.health.reconnects == 1 and live.health.live == 6)
        assert any("answers pings but no questions" in text for text in live.health.problems)


@pytest.mark.parametrize(
    ("names", "channel"), [(["M0"], "trades"), (None, "trades"), (["M0"], "fills"), (None, "lifecycle")]
)
def test_a_link_without_books_that_pings_but_answers_nothing_is_given_up(
    venue: Faulty, names: Any, channel: str
) -> None:
    with stream(venue.client(), names, channel, options=FAST).wait() as live:
        deaf = venue.sockets[0]
        begin = time.monotonic()
        venue.obey = lambda socket, command: [] if socket is deaf else None
        until(lambda: live.health.reconnects == 1)
        assert time.monotonic() - begin < 4 * (FAST.audit_every + 2 * FAST.command_timeout)
        assert any("answers pings but no questions" in text for text in live.health.problems)


def test_a_quiet_link_is_asked_now_and_then_and_left_alone(venue: Faulty) -> None:
    with follow(venue, ["M0"], "fills") as live:
        before, begin = len(venue.commands), time.monotonic()
        until(lambda: len(venue.commands) >= before + 4)
        rounds = (time.monotonic() - begin) / (FAST.audit_every * 0.9)
        assert len(venue.commands) - before <= rounds + 1
        assert {each["cmd"] for each in venue.commands[before:]} == {"list_subscriptions"}
        assert live.health.reconnects == live.health.unreadable == live.health.unknown == 0
        assert not [text for text in live.health.problems if "answers" in text]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1009, 1011, 1012, 1013])
def test_a_closed_connection_is_made_again(venue: Faulty, code: int) -> None:
    with follow(venue) as live:
        venue.hang_up(code)
        until(lambda: live.health.reconnects == 1 and live.health.live == 6)
        venue.churn(100)
        until(lambda: same_books(live, venue, *NAMES))
        assert set(venue.held().values()) == {1}
        told = "without a goodbye" if code == 1006 else f"code {code}"
        assert any(told in text or "broke" in text for text in live.health.problems)


def test_pauses_grow_and_are_never_the_same(venue: Faulty) -> None:
    with follow(venue, backoff=0.04, most_backoff=0.16, stable_after=60) as live:
        stamps: list[float] = []

        def refuse(request: Any) -> Any:
            stamps.append(time.monotonic())
            return refusal(503) if len(stamps) < 8 else None

        venue.refuse = refuse
        venue.hang_up()
        until(lambda: live.health.reconnects == 1)
        pauses = [later - earlier for earlier, later in pairwise(stamps)]
        assert max(pauses) < 0.4
        assert pauses[0] < 0.15
        assert sum(pauses[-3:]) > 0.08 * 3 * 0.9
        assert len({round(pause, 4) for pause in pauses}) > 3


def test_the_exchange_is_waited_for_when_it_says_how_long(venue: Faulty) -> None:
    with follow(venue) as live:
        stamps: list[float] = []

        def refuse(request: Any) -> Any:
            stamps.append(time.monotonic())
            return refusal(429, Retry_After="1") if len(stamps) == 1 else None

        venue.refuse = refuse
        venue.hang_up()
        until(lambda: live.health.reconnects == 1)
        assert stamps[1] - stamps[0] >= 1


# Refusals


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_an_error_at_once(venue: Faulty, status: int) -> None:
    venue.refuse = lambda request: refusal(status, Date="Thu, 01 Jan 2026 00:00:00 GMT")
    with pytest.raises(AuthError, match=r"clock is [\d,]+ s ahead") as caught:
        stream(venue.client(), "M0", options=FAST)
    assert caught.value.status == status
    assert len(venue.handshakes) == 1
    assert "KALSHI-ACCESS" not in str(caught.value)


def test_a_key_that_is_taken_away_stops_the_stream_for_good(venue: Faulty) -> None:
    with follow(venue) as live:
        venue.refuse = lambda request: refusal(401)
        venue.hang_up()
        with pytest.raises(AuthError):
            list(live)
        count = len(venue.handshakes)
        until(lambda: live.health.state == "closed")
        assert live.best("M0").status == "syncing"
        with pytest.raises(AuthError):
            live.wait()
        with pytest.raises(AuthError):
            live.add("M9")
        thread = live._engine._thread
    until(lambda: not thread.is_alive())
    assert len(venue.handshakes) == count


def test_an_unreachable_exchange_is_an_error(venue: Faulty) -> None:
    client = venue.client()
    venue.refuse = lambda request: refusal(503)
    with pytest.raises(TransportError, match="HTTP 503"):
        stream(client, "M0", options=options(connect_timeout=0.3))


def test_a_redirect_is_not_followed(venue: Faulty) -> None:
    with Faulty(["M0"]) as other:
        there = f"ws://127.0.0.1:{other.port}/trade-api/ws/v2"
        venue.refuse = lambda request: refusal(307, Location=there)
        with pytest.raises(TransportError, match="HTTP 307"):
            stream(venue.client(), "M0", options=options(connect_timeout=0.3))
        assert not other.handshakes


def test_signatures_are_not_logged(venue: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with follow(venue) as live:
        venue.hang_up()
        until(lambda: live.health.reconnects == 1)
        said = repr(live) + repr(vars(live._engine.links[0])) + str(live.health)
    mine = [each.getMessage() for each in caplog.records if "server" not in each.name]
    for shaken in venue.handshakes:
        assert shaken["kalshi-access-signature"] not in "\n".join(mine) + said


# Errors of commands


def failing(
    venue: Faulty, code: int, *, times: int = 1, action: str = "", text: str = "no"
) -> list[Frame]:
    """From now on some commands are answered with an error; which ones, is returned."""
    failed: list[Frame] = []

    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        name = command["params"].get("action", command["cmd"])
        if len(failed) >= times or (action and name != action):
            return None
        failed.append(command)
        return [{"id": command["id"], "type": "error", "msg": {"code": code, "msg": text}}]

    venue.obey = obey
    return failed


@pytest.mark.parametrize("code", [10, 25])
def test_a_subscription_that_the_exchange_ends_is_made_anew(venue: Faulty, code: int) -> None:
    with follow(venue) as live:

        def end() -> None:
            socket = venue.sockets[0]
            venue.send(socket, 1, "error", {"code": code, "msg": "Channel error"})
            venue.forget(socket, 1)

        venue.do(end)
        until(lambda: venue.held() == dict.fromkeys(NAMES, 1) and live.health.live == 6)
        venue.churn(100)
        until(lambda: same_books(live, venue, *NAMES))
        assert live.health.reconnects == 0
        assert len(venue.handshakes) == 1


def test_a_subscription_that_is_gone_without_a_word_is_made_anew(venue: Faulty) -> None:
    """The next question about it gets error 7."""
    with follow(venue) as live:
        venue.do(lambda: venue.forget(venue.sockets[0], 1))
        venue.churn(20)
        until(lambda: venue.held() == dict.fromkeys(NAMES, 1) and live.health.live == 6)
        assert same_books(live, venue, *NAMES)


@pytest.mark.parametrize("code", [17, 18, 99])
def test_an_error_that_passes_is_asked_again(venue: Faulty, code: int) -> None:
    failed = failing(venue, code, times=2)
    with follow(venue) as live:
        assert len(failed) == 2
        assert live.health.live == 6
        told = [text for text in live.health.problems if "error 99" in text]
        assert len(told) == (code == 99), "an unknown code is told once"


@pytest.mark.parametrize("code", [11, 16])
def test_a_refused_market_is_found_and_left_out(venue: Faulty, code: int) -> None:
    """One bad name among many must not cost the others."""

    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        if "M3" in command["params"].get("market_tickers", ()):
            return [
                {"id": command["id"], "type": "error", "msg": {"code": code, "msg": "Market not found"}}
            ]
        return None

    venue.obey = obey
    with stream(venue.client(), NAMES, "books", options=FAST) as live:
        until(lambda: live.health.live == 5)
        live.wait([name for name in NAMES if name != "M3"])
        with pytest.raises(TransportError, match=f"M3: error {code}: Market not found"):
            live.wait(timeout=0.1)
        assert any("M3 refused" in text for text in live.health.problems)


def test_a_named_market_is_left_out_at_once(venue: Faulty) -> None:
    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        if "M3" in command["params"].get("market_tickers", ()):
            message = {"code": 11, "msg": "Invalid parameter", "market_ticker": "M3"}
            return [{"id": command["id"], "type": "error", "msg": message}]
        return None

    venue.obey = obey
    with stream(venue.client(), NAMES, "books", options=FAST) as live:
        until(lambda: live.health.live == 5)
        assert sum(each["cmd"] == "subscribe" for each in venue.commands) == 2


def test_a_channel_that_is_not_allowed_leaves_the_others(venue: Faulty) -> None:
    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        if command["params"].get("channels") == ["fill"]:
            message = {"code": 9, "msg": "Authentication required"}
            return [{"id": command["id"], "type": "error", "msg": message}]
        return None

    venue.obey = obey
    with follow(venue, channels=("books", "fills")) as live:
        assert live.health.live == 6
        assert sum("fills" in text for text in live.health.problems) == 1
        assert sum(each["params"].get("channels") == ["fill"] for each in venue.commands) == 1


def test_too_many_markets_are_split_over_connections(venue: Faulty) -> None:
    def obey(socket: Any, command: Frame) -> list[Frame] | None:
        names = command["params"].get("market_tickers", [])
        held = [name for each in socket.markets.values() for name in each or []]
        adding = command["params"].get("action", "subscribe") in ("subscribe", "add_markets")
        if adding and len(set(held) | set(names)) > 4:
            message = {"code": 26, "msg": "Subscription market limit exceeded"}
            return [{"id": command["id"], "type": "error", "msg": message}]
        return None

    venue.obey = obey
    with stream(venue.client(), NAMES, "books", options=FAST) as live:
        live.wait()
        assert len(venue.sockets) == 2
        assert sorted(len(each.markets[1] or []) for each in venue.sockets) == [2, 4]
        assert set(venue.held().values()) == {1}
        venue.churn(100)
        until(lambda: same_books(live, venue, *NAMES))


def test_too_many_commands_are_slowed_down(venue: Faulty) -> None:
    failed = failing(venue, 27, times=3)
    with follow(venue, command_rate=1_000) as live:
        assert len(failed) == 3
        assert live.health.live == 6
        assert live._engine.links[0].subscriptions._rate == 125


def test_slowed_down_again_and_again_it_still_gets_there(venue: Faulty) -> None:
    """Less than one command a second is some command, and a new connection begins anew."""
    failed = failing(venue, 27, times=3)
    with follow(venue, ["M0"], command_rate=2, repair_timeout=5, audit_every=60) as live:
        assert len(failed) == 3
        assert live._engine.links[0].subscriptions._rate == 0.5
        venue.hang_up()
        until(lambda: live.health.reconnects == 1 and live.health.live == 1)
        assert live._engine.links[0].subscriptions._rate == 2


def test_commands_keep_to_their_rate(venue: Faulty) -> None:
    with follow(venue, command_rate=20, markets_a_command=1, audit_every=60) as live:
        stamps: list[float] = []
        venue.obey = lambda socket, command: stamps.append(time.monotonic())
        live.add([f"N{number}" for number in range(40)])
        until(lambda: len(stamps) >= 40)
        assert len(stamps) <= 20 + 20 * (stamps[-1] - stamps[0]) + 2, (
            "one second's worth at once, at most"
        )
        assert live.health.live == 6


def test_a_lost_answer_and_a_repeated_one_make_no_second_subscription(venue: Faulty) -> None:
    venue.mangle = Once("subscribed", 1, lambda frame: [])
    with follow(venue) as live:
        assert venue.held() == dict.fromkeys(NAMES, 1)
        venue.mangle = Once("subscribed", 1, lambda frame: [frame, frame])
        venue.hang_up()
        until(lambda: live.health.reconnects == 1 and live.health.live == 6)
        venue.churn(100)
        until(lambda: same_books(live, venue, *NAMES))
        assert venue.held() == dict.fromkeys(NAMES, 1)
        assert live.health.gaps == 0


def test_a_late_answer_makes_no_second_subscription(venue: Faulty) -> None:
    late: list[Frame] = []

    def hold(frame: Frame) -> list[Frame]:
        if frame["type"] == "subscribed" and not late:
            late.append(frame)
            return []
        return [frame]

    venue.mangle = hold
    with follow(venue) as live:
        venue.do(lambda: venue.raw(venue.sockets[0], late[0]))
        venue.churn(50)
        until(lambda: live.health.live == 6 and same_books(live, venue, *NAMES))
        assert venue.held() == dict.fromkeys(NAMES, 1)
        assert live.health.reconnects == 0


def test_snapshots_that_never_come_end_in_a_new_subscription(venue: Faulty) -> None:
    with follow(venue, repairs=2) as live:
        deaf = threading.Event()
        deaf.set()

        def mangle(frame: Frame) -> list[Frame]:
            return (
                []
                if deaf.is_set() and frame["type"] == "orderbook_snapshot" and "id" in frame
                else [frame]
            )

        venue.mangle = mangle
        venue.churn(20)
        until(lambda: live.health.renewals >= 1 or live.health.reconnects >= 1)
        deaf.clear()
        until(lambda: live.health.live == 6 and same_books(live, venue, *NAMES))


def test_a_market_of_which_no_book_comes_does_not_disturb_the_others(venue: Faulty) -> None:
    with stream(venue.client(), [*NAMES, "NOBODY"], "books", options=FAST) as live:
        live.wait(NAMES)
        before = live.health
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            assert live.health.live == 6
        assert live.status.loc["NOBODY", "status"] == "syncing"
        assert live.health.reconnects == before.reconnects
        assert live.health.renewals == 0


# Large and odd messages


def test_a_snapshot_of_several_megabytes_is_taken_and_a_larger_one_than_allowed_is_not() -> None:
    with Faulty(["M0"]) as venue:
        prices = range(1, 9_999)
        venue.books["M0"] = ({price: 100 for price in prices if price < 5_000}, {})
        padding = {"market_id": "x" * (3 << 20)}

        def pad(frame: Frame) -> list[Frame]:
            return (
                [{**frame, "msg": {**frame["msg"], **padding}}]
                if "snapshot" in frame["type"]
                else [frame]
            )

        venue.mangle = pad
        with follow(venue, ["M0"], audit_every=60) as live:
            assert same_books(live, venue, "M0")
        with stream(venue.client(), "M0", "books", options=options(largest_frame=1 << 20)) as live:
            until(lambda: any("longer than largest_frame" in text for text in live.health.problems))
            venue.mangle = lambda frame: [frame]
            live.wait()


def test_messages_in_parts_and_in_single_bytes(venue: Faulty) -> None:
    """However the bytes are cut, the same messages come out."""

    def cut(socket: Any, text: bytes) -> None:
        protocol, transport = socket.connection.protocol, socket.connection.transport
        protocol.send_text(text[:9], fin=False)
        protocol.send_ping(b"between")
        protocol.send_continuation(text[9:20], fin=False)
        protocol.send_continuation(text[20:], fin=True)
        for data in protocol.data_to_send():
            for at in range(len(data)):
                transport.write(data[at : at + 1])

    with follow(venue) as live:
        sent: list[bytes] = []
        venue.mangle = lambda frame: sent.append(json.dumps(frame).encode()) or []  # type: ignore[func-returns-value]
        venue.churn(50)
        venue.do(lambda: [cut(venue.sockets[0], text) for text in sent])
        venue.mangle = lambda frame: [frame]
        until(lambda: same_books(live, venue, *NAMES))
        assert live.health.gaps == 0


@pytest.mark.parametrize(
    "header", [b"\xc1\x05hello", b"\x81\x85abcdhello", b"\x83\x00", b"\x80\x05hello"],
    ids=["compressed", "masked", "unknown opcode", "end without a beginning"],
)  # fmt: skip
def test_what_breaks_the_protocol_ends_the_connection(venue: Faulty, header: bytes) -> None:
    with follow(venue) as live:
        venue.do(lambda: venue.sockets[0].connection.transport.write(header))
        until(lambda: live.health.reconnects == 1 and live.health.live == 6)
        assert any("broke the protocol" in text for text in live.health.problems)


# What was missed


def trade_row(number: int, stamp: float, name: str = "M0") -> Frame:
    return {
        "trade_id": f"T{number}", "ticker": name, "yes_price_dollars": "0.5000",
        "no_price_dollars": "0.5000", "count_fp": "2.00", "taker_side": "yes",
        "taker_outcome_side": "yes",
        "taker_book_side": "bid", "is_block_trade": False,
        "created_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp)),
    }  # fmt: skip


def serving(venue: Faulty, **lists: list[Frame]) -> None:
    """Answer REST questions from these lists."""

    def rest(path: str, query: Any) -> Any:
        for name, route in (
            ("trades", "/markets/trades"), ("fills", "/portfolio/fills"),
            ("orders", "/portfolio/orders"), ("market_positions", "/portfolio/positions"),
        ):  # fmt: skip
            if path == route:
                return {name: lists.get(name, []), "cursor": ""}
        if path.startswith("/portfolio/orders/"):
            (found,) = [each for each in lists["gone"] if path.endswith(each["order_id"])]
            return {"order": found}
        return None

    venue.rest = rest


def test_trades_of_an_outage_are_asked_for_and_each_is_there_once(venue: Faulty) -> None:
    with follow(venue, channels=("books", "trades")) as live:
        now = time.time()
        for number in range(5):
            venue.do(lambda number=number: venue.trade("M0", f"T{number}", int(now * 1000)))
        until(lambda: len(live.trades()) == 5)
        serving(venue, trades=[trade_row(number, now) for number in range(9)])
        venue.hang_up()
        until(lambda: live.health.backfilled == 4)
        venue.do(lambda: venue.trade("M0", "T7"))
        venue.do(lambda: venue.trade("M0", "T9"))
        until(lambda: len(live.trades()) == 10)
        trades = live.trades()
        assert sorted(trades["trade_id"]) == [f"T{number}" for number in range(10)]
        assert set(trades.loc[trades["is_late"], "trade_id"]) == {"T5", "T6", "T7", "T8"}


def test_an_outage_before_any_trade_was_seen_is_asked_for(venue: Faulty) -> None:
    """And only once the new subscription stands, so that nothing falls between the two."""
    with follow(venue, channels=("books", "trades")) as live:
        until(lambda: "trades" in live._engine.links[0].dispatcher.newest)
        held: list[bool] = []

        def rest(path: str, query: Any) -> Any:
            held.append(any("trade" in socket.channels.values() for socket in venue.sockets))
            return {"trades": [trade_row(0, time.time())], "cursor": ""}

        venue.rest = rest
        venue.hang_up()
        until(lambda: live.trades()["trade_id"].tolist() == ["T0"])
        assert held
        assert all(held)


def test_a_hole_in_the_trades_is_asked_for_too(venue: Faulty) -> None:
    with follow(venue, channels=("books", "trades")) as live:
        now = time.time()
        venue.do(lambda: venue.trade("M0", "T0", int(now * 1000)))
        until(lambda: len(live.trades()) == 1)
        serving(venue, trades=[trade_row(number, now) for number in range(3)])
        venue.mangle = Once("trade", 1, lambda frame: [])
        venue.do(lambda: [venue.trade("M0", f"T{number}") for number in (1, 2)])
        until(lambda: sorted(live.trades()["trade_id"]) == ["T0", "T1", "T2"])
        assert live.health.gaps == 1
        assert live.health.live == 6, "the books have numbers of their own"


def since(rows: list[Frame]) -> Any:
    """Answer questions for trades as the exchange does, without those before `min_ts`."""

    def rest(path: str, query: Any) -> Any:
        if path != "/markets/trades":
            return None
        (begin,) = map(int, query["min_ts"])
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin))
        found = [row for row in rows if row["created_time"] >= text]
        names = query.get("ticker")
        return {"trades": [r for r in found if not names or r["ticker"] in names], "cursor": ""}

    return rest


def test_a_lost_trade_is_asked_for_from_the_one_before_it(venue: Faulty) -> None:
    """In a quiet market the trade that shows the hole may be an hour younger."""
    with follow(venue, channels=("books", "trades")) as live:
        now = time.time()
        venue.rest = since([trade_row(number, now - 1800 * (2 - number)) for number in range(3)])
        venue.mangle = Once("trade", 2, lambda frame: [])
        for number in range(3):
            at = int((now - 1800 * (2 - number)) * 1000)
            venue.do(lambda number=number, at=at: venue.trade("M0", f"T{number}", at))
        until(lambda: len(live.trades()) == 3)
        assert live.health.gaps == 1


def test_what_one_connection_missed_is_not_measured_by_another(venue: Faulty) -> None:
    """While one is away, newer trades come on the other."""
    with stream(venue.client(), NAMES, ("books", "trades"), connections=2, options=options()) as live:
        live.wait()
        began = time.time() - 3600
        near, far = (
            next(name for name, home in live._engine._home.items() if home is link)
            for link in live._engine.links
        )
        for number, name in enumerate((near, far)):
            at = int(began * 1000)
            venue.do(lambda number=number, name=name, at=at: venue.trade(name, f"T{number}", at))
        until(lambda: len(live.trades()) == 2)
        venue.rest = since([trade_row(2, began + 60, near)])
        away = next(
            socket for socket in venue.sockets if any(near in (m or ()) for m in socket.markets.values())
        )
        venue.refuse = lambda request: refusal(503)
        venue.do(away.connection.transport.abort)
        until(lambda: live.health.connections == 1)
        venue.do(lambda: venue.trade(far, "T3"))
        until(lambda: len(live.trades()) == 3)
        venue.refuse = lambda request: None
        until(lambda: sorted(live.trades()["trade_id"]) == ["T0", "T1", "T2", "T3"])


def test_a_lost_last_trade_is_found(venue: Faulty) -> None:
    with follow(venue, channels=("books", "trades")) as live:
        now = time.time()
        venue.do(lambda: venue.trade("M0", "T0", int(now * 1000)))
        until(lambda: len(live.trades()) == 1)
        serving(venue, trades=[trade_row(number, now) for number in range(2)])
        venue.mangle = Once("trade", 1, lambda frame: [])
        venue.do(lambda: venue.trade("M0", "T1"))
        until(lambda: len(live.trades()) == 2)


FILL = {
    "trade_id": "F0", "order_id": "A", "market_ticker": "M0", "is_taker": True, "side": "yes",
    "yes_price_dollars": "0.7500", "count_fp": "278.00", "fee_cost": "0.010000", "action": "buy",
    "ts": 1_760_000_000, "ts_ms": 1_760_000_000_123, "post_position_fp": "500.00",
    "client_order_id": "mine",
    "purchased_side": "yes", "outcome_side": "yes", "book_side": "bid", "exchange_index": 0,
}  # fmt: skip
ORDER = {
    "order_id": "A", "user_id": "u", "ticker": "M0", "exchange_index": 0, "status": "resting",
    "side": "yes",
    "is_yes": True, "outcome_side": "yes", "book_side": "bid", "yes_price_dollars": "0.3500",
    "fill_count_fp": "0.00", "remaining_count_fp": "10.00", "initial_count_fp": "10.00",
    "taker_fill_cost_dollars": "0.000000", "maker_fill_cost_dollars": "0.000000",
    "taker_fees_dollars": "0.000000", "maker_fees_dollars": "0.000000", "client_order_id": "mine",
    "self_trade_prevention_type": "taker_at_cross", "created_ts_ms": 1_733_047_200_000,
    "subaccount_number": 0,
}  # fmt: skip
POSITION = {
    "user_id": "u", "market_ticker": "M0", "position_fp": "-100.00", "position_cost_dollars": "50.0000",
    "realized_pnl_dollars": "10.0000", "fees_paid_dollars": "1.0000",
    "position_fee_cost_dollars": "0.5000",
    "volume_fp": "15.00",
}  # fmt: skip


def test_rows_of_the_account_come_once_and_in_their_newest_state(venue: Faulty) -> None:
    with follow(venue, channels=("fills", "orders", "positions")) as live:

        def tell(channel: str, kind: str, body: Frame) -> None:
            venue.do(lambda: venue.tell(channel, kind, "M0", body, numbered=False))

        tell("fill", "fill", FILL)
        tell("fill", "fill", FILL)
        tell("user_orders", "user_order", ORDER)
        tell("user_orders", "user_order", {**ORDER, "status": "executed", "remaining_count_fp": "0.00"})
        tell("market_positions", "market_position", POSITION)
        until(lambda: live.health.repeated == 1 and len(live.positions()))
        fill = live.fills().loc["F0"]
        assert (fill["quantity"], fill["yes_price"], fill["fee_cost"], fill["outcome_side"]) == (
            278.0,
            0.75,
            0.01,
            "yes",
        )
        assert (fill["client_order_id"], fill["position"]) == ("mine", 500.0)
        assert fill["time"].isoformat() == "2025-10-09T08:53:20.123000+00:00"
        order = live.orders().loc["A"]
        assert (order["status"], order["remaining_count"]) == ("executed", 0.0)
        assert order["created_time"].isoformat() == "2024-12-01T10:00:00+00:00"
        assert live.positions().loc["M0", "position"] == -100.0
        assert (len(live.fills()), len(live.orders())) == (1, 1)


def test_rows_of_the_account_are_asked_for_after_an_outage(venue: Faulty) -> None:
    with follow(venue, channels=("fills", "orders", "positions")) as live:
        venue.do(lambda: venue.tell("fill", "fill", "M0", FILL, numbered=False))
        venue.do(lambda: venue.tell("user_orders", "user_order", "M0", ORDER, numbered=False))
        until(lambda: len(live.orders()) == 1 and len(live.fills()) == 1)
        missed = {**FILL, "trade_id": "F1", "ticker": "M0", "created_time": "2026-01-01T00:00:00Z"}
        fresh = {**ORDER, "order_id": "B", "created_time": "2026-01-01T00:00:00Z"}
        serving(
            venue, fills=[{**FILL, "ticker": "M0"}, missed], orders=[fresh],
            gone=[{**ORDER, "status": "canceled"}],
            market_positions=[{"ticker": "M0", "position_fp": "3.00", "realized_pnl_dollars": "0.5000"}],
        )  # fmt: skip
        venue.hang_up()
        until(lambda: len(live.fills()) == 2 and len(live.orders()) == 2 and len(live.positions()) == 1)
        assert live.orders()["status"].to_dict() == {"A": "canceled", "B": "resting"}
        assert live.positions().loc["M0", "position"] == 3.0


def test_what_cannot_be_asked_for_is_told(venue: Faulty) -> None:
    with follow(venue, channels=("books", "trades")) as live:
        venue.do(lambda: venue.trade("M0", "T0"))
        until(lambda: len(live.trades()) == 1)
        venue.hang_up()
        until(lambda: any("could not be asked for" in text for text in live.health.problems))
        assert live.health.reconnects == 1


# Everything at once


def resident() -> int:
    """Bytes of memory of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_two_hundred_disconnects_leave_nothing_behind() -> None:
    """During handshakes, during subscribing, during pauses: one subscription a market, no leak."""
    rng = random.Random(5)
    with Faulty(NAMES) as venue:
        with follow(venue, backoff=0.001, most_backoff=0.004) as live:
            threads, files = threading.active_count(), handles()

            def refuse(request: Any) -> Any:
                lot = rng.random()
                return refusal(503) if lot < 0.1 else None

            def obey(socket: Any, command: Frame) -> list[Frame] | None:
                if rng.random() < 0.3:
                    socket.connection.transport.abort()
                    return []
                return None

            venue.refuse, venue.obey = refuse, obey
            memory = 0
            while live.health.reconnects < 200:
                before = live.health.reconnects
                venue.hang_up(rng.choice([1006, 1006, 1012]))
                until(lambda before=before: live.health.reconnects > before)
                if live.health.reconnects >= 50 and not memory:
                    memory = resident()
            grown = resident() - memory
            venue.refuse, venue.obey = (lambda request: None), (lambda socket, command: None)
            until(lambda: live.health.live == 6, 20)
            until(lambda: len(venue.sockets) == 1)
            assert venue.held() == dict.fromkeys(NAMES, 1)
            assert threading.active_count() <= threads
            until(lambda: handles() <= files + 1)
            assert len(live._engine._tasks) == 1
            assert grown < 10 << 20
            venue.churn(100)
            until(lambda: same_books(live, venue, *NAMES))
        gc.collect()


class Lottery:
    """Loses, repeats, delays, cuts and misnumbers about one frame of a book in eighty."""

    def __init__(self, seed: int, venue: Faulty) -> None:
        self._rng = random.Random(seed)
        self._venue = venue
        self._held: list[Frame] = []

    def __call__(self, frame: Frame) -> list[Any]:
        lot = self._rng.random()
        if frame["type"] not in ("orderbook_delta", "orderbook_snapshot") or lot > 0.012:
            late, self._held = self._held, []
            return [frame, *late]
        if lot < 0.004:
            return []
        if lot < 0.006:
            return [frame, frame]
        if lot < 0.008:
            self._held.append(frame)
            return []
        if lot < 0.009:
            return [json.dumps(frame)[:-9]]
        if lot < 0.010:
            return [{**frame, "seq": self._rng.randrange(1, frame["seq"] + 5)}]
        if lot < 0.0105:
            for socket in self._venue.sockets:
                socket.connection.transport.abort()
            return []
        return [{**frame, "seq": frame["seq"] + 1}]


@pytest.mark.parametrize("seed", range(10))
def test_whenever_a_book_is_live_it_is_the_true_one(seed: int) -> None:
    """Random faults; after every message each live book is compared with the truth at its clock."""
    names = [f"M{number}" for number in range(20)]
    with Faulty(names, seed=seed) as venue:
        truth = venue.truth = {(name, venue.clocks[name]): venue.levels(name) for name in names}
        wrong: list[str] = []
        recoveries: list[float] = []
        checked = 0
        with follow(venue, names, stale_after=5, dead_after=10) as live:

            def check(number: int, text: bytes, book: Any) -> None:
                nonlocal checked
                if book is not None and book.status == "live":
                    checked += 1
                    if book.levels() != truth.get((book.ticker, book.clock)):
                        wrong.append(f"{book.ticker} at {book.clock}")

            untap = live._engine.tap(check, lambda number, reason: None)
            venue.mangle = Lottery(seed, venue)
            for _ in range(20):
                venue.churn(50)
                begin = time.monotonic()
                until(lambda: live.health.live == 20)
                recoveries.append(time.monotonic() - begin)
            venue.mangle = lambda frame: [frame]
            until(lambda: live.health.live == 20 and same_books(live, venue, *names))
            untap()
        assert not wrong
        assert checked > 300
        assert sorted(recoveries)[-2] < 1.0
