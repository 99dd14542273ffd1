"""Sessions of the stream without a socket: every command, what is budgeted, and who hears what."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stream_venue import ANNA, BERT, FAR, NOW, Venue, Wire

from kalshi_research.fees import FeeTerms
from kalshi_research.sandbox.engine import MarketSpec
from kalshi_research.sandbox.stream import StreamOptions
from kalshi_research.sandbox.stream.codes import CommandError
from kalshi_research.sandbox.stream.commands import Command, Params
from kalshi_research.sandbox.stream.hub import Hub
from kalshi_research.sandbox.stream.session import Session

BOOK, TICKER, TRADE = "orderbook_delta", "ticker", "trade"


class Line(Wire):
    """A session and what it has written, read as RFC 6455 has it."""

    def __init__(self, venue: Venue, user: str = ANNA, hub: Hub | None = None, **more: Any) -> None:
        chosen = StreamOptions(**more.pop("options", {}))
        super().__init__()
        self.venue = venue
        self.hub = Hub(venue, chosen) if hub is None else hub
        self.session = Session(self.hub, self, user, self.hub.options, **more)
        self._number = 0

    def texts(self) -> list[bytes]:
        """The frames so far, none of them masked, broken up or with a longer header than needed."""
        found, raw = [], self.written
        self.written = b""
        while raw:
            assert raw[0] == 0x81
            size, start = raw[1], 2
            if size == 126:
                (size,), start = struct.unpack(">H", raw[2:4]), 4
                assert size >= 126
            elif size == 127:
                (size,), start = struct.unpack(">Q", raw[2:10]), 10
                assert size >= 1 << 16
            found.append(raw[start : start + size])
            raw = raw[start + size :]
        return found

    def frames(self) -> list[dict[str, Any]]:
        """What came since, once everything that happened is worked off."""
        self.hub.catch_up()
        return [json.loads(text) for text in self.texts()]

    def ask(self, cmd: str, **params: Any) -> list[dict[str, Any]]:
        self._number += 1
        self.session.receive(json.dumps({"id": self._number, "cmd": cmd, "params": params}))
        return self.frames()

    def subscribe(self, *channels: str, **params: Any) -> list[dict[str, Any]]:
        return self.ask("subscribe", channels=list(channels), **params)

    def update(self, action: str, sid: int = 1, **params: Any) -> list[dict[str, Any]]:
        return self.ask("update_subscription", sid=sid, action=action, **params)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


Open = Callable[..., Line]


@pytest.fixture
def connect(loop: asyncio.AbstractEventLoop) -> Open:
    """Opens a line as a server does, whose loop goes on only where a test lets it."""

    def made(venue: Venue, *arguments: Any, **more: Any) -> Line:
        line = Line(venue, *arguments, **more)

        async def join() -> None:
            line.hub.join(line.session)

        loop.run_until_complete(join())
        return line

    return made


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


def codes(frames: list[dict[str, Any]]) -> list[int | None]:
    return [frame["msg"]["code"] if frame["type"] == "error" else None for frame in frames]


# --- commands, read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 1), ("x", 1), ("1", 1), ("null", 1), ("[]", 1), ('"x"', 1), (b"\xff", 1),
        ('{"id":"1","cmd":"x"}', 1), ('{"id":1.5,"cmd":"x"}', 1), ('{"id":true,"cmd":"x"}', 1),
        ('{"id":null,"cmd":"x"}', 1), ('{"id":-1,"cmd":"x"}', 1), ('{"id":1,"cmd":5}', 1),
        ('{"id":1,"cmd":null}', 1),
    ],
)  # fmt: skip
def test_what_is_no_command(text: str | bytes, code: int) -> None:
    with pytest.raises(CommandError) as refused:
        Command.parse(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", (0, "", None)),
        ('{"cmd":"x"}', (0, "x", None)),
        ('{"id":0,"cmd":"x","params":null}', (0, "x", None)),
        (b'{"id":1,"cmd":"x","params":{"a":1}}', (1, "x", {"a": 1})),
        ('{"id":9007199254740993,"cmd":"","params":[]}', (2**53 + 1, "", [])),
    ],
)
def test_what_a_command_says(text: str | bytes, expected: tuple[int, str, Any]) -> None:
    command = Command.parse(text)
    assert (command.number, command.name, command.given) == expected


@pytest.mark.parametrize(
    ("given", "code"), [("null", 2), ("[]", 1), ('"x"', 1), ("0", 1), ("false", 1), ("{}", None)]
)
def test_parameters_have_to_be_there(given: str, code: int | None) -> None:
    command = Command.parse(f'{{"cmd":"x","params":{given}}}')
    if code is None:
        assert command.params() == Params({})
        return
    with pytest.raises(CommandError) as refused:
        command.params()
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        ("flag", None, False), ("flag", True, True), ("flag", False, False),
        ("text", None, ""), ("text", "", ""), ("text", "M", "M"),
        ("integer", None, None), ("integer", 0, 0), ("integer", -7, -7),
        ("texts", None, []), ("texts", [], []), ("texts", ["b", "a", "b"], ["b", "a"]),
    ],
)  # fmt: skip
def test_a_field_that_is_well(read: str, value: Any, expected: Any) -> None:
    assert getattr(Params({"name": value}), read)("name") == expected
    if value is None:
        assert getattr(Params({}), read)("name") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("flag", 1), ("flag", 0), ("flag", "true"), ("flag", []),
        ("text", 1), ("text", True), ("text", ["M"]),
        ("integer", "1"), ("integer", True), ("integer", False), ("integer", 1.0), ("integer", []),
        ("texts", "M"), ("texts", {"M": 1}), ("texts", [1]), ("texts", ["M", 1]), ("texts", [1, "M"]),
        ("texts", 0), ("texts", [None]),
    ],
)  # fmt: skip
def test_a_field_of_a_wrong_type(read: str, value: Any) -> None:
    with pytest.raises(CommandError) as refused:
        getattr(Params({"name": value}), read)("name")
    assert refused.value.code == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []), ({"sids": None}, []), ({"sids": []}, []), ({"sids": [2, 1, 2]}, [2, 1, 2]),
        ({"sids": 1}, 1), ({"sids": "1"}, 1), ({"sids": ["1"]}, 1), ({"sids": [1, "2"]}, 1),
        ({"sids": [True]}, 1), ({"sids": [1.0]}, 1), ({"sids": [1, None]}, 1), ({"sids": {"1": 1}}, 1),
    ],
)  # fmt: skip
def test_the_numbers_of_subscriptions(fields: dict[str, Any], expected: Any) -> None:
    if isinstance(expected, list):
        assert Params(fields).sids() == expected
        return
    with pytest.raises(CommandError) as refused:
        Params(fields).sids()
    assert refused.value.code == expected


@pytest.mark.parametrize(
    ("fields", "code", "expected"),
    [
        ({"sid": 4}, None, 4), ({"sids": [5]}, None, 5), ({"sid": 4, "sids": []}, None, 4),
        ({"sid": 0}, None, 0), ({"sid": None, "sids": [5]}, None, 5),
        ({}, 12, 0), ({"sids": []}, 12, 0), ({"sids": [4, 5]}, 12, 0),
        ({"sid": 4, "sids": [4]}, 12, 0), ({"sid": 4, "sids": [4, 5]}, 12, 0), ({"sid": "4"}, 1, 0),
    ],
)  # fmt: skip
def test_an_update_is_about_one_subscription(
    fields: dict[str, Any], code: int | None, expected: int
) -> None:
    if code is None:
        assert Params(fields).one_sid() == expected
        return
    with pytest.raises(CommandError) as refused:
        Params(fields).one_sid()
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, None), ({"shard_factor": 1}, None), ({"shard_factor": 100}, None),
        ({"shard_factor": 1, "shard_key": 0}, None), ({"shard_factor": 100, "shard_key": 99}, None),
        ({"shard_key": 0}, 20), ({"shard_factor": 0}, 19), ({"shard_factor": -1}, 19),
        ({"shard_factor": 101}, 22), ({"shard_factor": 101, "shard_key": 0}, 22),
        ({"shard_factor": 2, "shard_key": 2}, 21), ({"shard_factor": 2, "shard_key": -1}, 21),
        ({"shard_factor": 1, "shard_key": 1}, 21), ({"shard_factor": "1"}, 1),
        ({"shard_factor": 1, "shard_key": "0"}, 1),
    ],
)  # fmt: skip
def test_the_division_of_a_channel(connect: Open, fields: dict[str, Any], code: int | None) -> None:
    """On the one channel that can be divided; on others nobody looks at it."""
    line = connect(Venue())
    assert codes(line.subscribe("communications", **fields)) == [code]
    assert codes(line.subscribe(TRADE, **fields)) == [None]


def test_markets_are_named_one_way() -> None:
    name = "0A63C2D6-1F5C-4B2E-9C39-6A7B5F0E1D11"
    assert Params({"market_ticker": "M"}).tickers() == ["M"]
    assert Params({"market_tickers": ["M", "N", "M"]}).tickers() == ["M", "N"]
    assert Params({"market_ticker": "", "market_tickers": ["N"]}).tickers() == ["N"]
    assert Params({"market_ticker": "M", "market_tickers": []}).tickers() == ["M"]
    assert Params({}).tickers() == []
    assert Params({"market_id": name}).market_ids() == [name.lower()]
    assert Params({"market_ids": [name.lower()]}).market_ids() == [name.lower()]
    for read, fields in (
        ("tickers", {"market_ticker": "M", "market_tickers": ["N"]}),
        ("market_ids", {"market_id": name, "market_ids": [name]}),
        ("market_ids", {"market_id": "M"}),
        ("market_ids", {"market_ids": [name, "M"]}),
    ):
        with pytest.raises(CommandError) as refused:
            getattr(Params(fields), read)()
        assert refused.value.code == 11


# --- commands, answered ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"id":-4,"cmd":"x"}', '{"id":"4","cmd":"x"}'])
def test_what_cannot_be_read_is_answered_without_a_number(connect: Open, text: str) -> None:
    line = connect(Venue())
    line.session.receive(text)
    (frame,) = line.frames()
    assert frame == {
        "type": "error", "sending_ts_ms": NOW // 1000,
        "msg": {"code": 1, "msg": "Unable to process message"},
    }  # fmt: skip


def test_a_command_that_nobody_knows(connect: Open) -> None:
    line = connect(Venue())
    assert codes(line.ask("resubscribe")) == [5]
    line.session.receive('{"id":2}')
    assert codes(line.frames()) == [5]
    # What is listed needs no parameters.
    line.session.receive('{"id":3,"cmd":"list_subscriptions","params":7}')
    assert line.frames() == [{"type": "ok", "id": 3, "sending_ts_ms": NOW // 1000, "msg": []}]


def test_the_budget_of_commands_is_refilled_by_the_second(connect: Open) -> None:
    now = 100.0
    line = connect(Venue(), options={"command_rate": 4}, clock=lambda: now)

    def passes() -> int:
        taken = 0
        while codes(line.ask("list_subscriptions")) != [27]:
            taken += 1
        return taken

    assert passes() == 4
    now += 0.25
    assert passes() == 1
    now += 0.5
    assert passes() == 2
    now += 0.125
    assert passes() == 0
    now += 0.125
    assert passes() == 1
    # No more is saved up than for a second.
    now += 3600
    assert passes() == 4
    # What cannot be read costs nothing.
    now += 0.25
    line.session.receive("nonsense")
    assert codes(line.frames()) == [1]
    assert passes() == 1


@pytest.mark.parametrize("edge", [126, 2048, 65_536])
def test_frames_of_every_size_have_the_header_of_that_size(connect: Open, edge: int) -> None:
    line = connect(Venue(), options={"unknown_ticker": "error"})

    def refused(ticker: str) -> bytes:
        command = {"cmd": "subscribe", "params": {"channels": [BOOK], "market_ticker": ticker}}
        line.session.receive(json.dumps(command))
        (text,) = line.texts()
        assert json.loads(text)["msg"]["market_ticker"] == ticker
        assert text.endswith(b"}\n")
        return text

    bare = len(refused("Q"))
    for size in range(edge - 2, edge + 3):
        assert len(refused("Q" * (size - bare + 1))) == size


def test_subscriptions_are_numbered_one_by_one(connect: Open) -> None:
    line = connect(Venue())
    first = line.subscribe(TRADE, "no_such_channel", TICKER, "fill")
    assert codes(first) == [None, 8, None, None]
    assert [frame["msg"].get("sid") for frame in first] == [1, None, 2, 3]
    assert {frame["id"] for frame in first} == {1}
    assert codes(line.subscribe()) == [3]
    line.ask("unsubscribe", sids=[2])
    assert line.subscribe(TICKER)[0]["msg"] == {"channel": TICKER, "sid": 4}
    assert line.ask("list_subscriptions")[0]["msg"] == [
        {"channel": TRADE, "sid": 1}, {"channel": "fill", "sid": 3}, {"channel": TICKER, "sid": 4},
    ]  # fmt: skip


def test_numbers_that_are_free_may_come_again(connect: Open) -> None:
    line = connect(Venue(), options={"reuse_sids": True})
    line.subscribe(TRADE, TICKER, "fill")
    line.ask("unsubscribe", sids=[2])
    assert line.subscribe("user_orders")[0]["msg"]["sid"] == 2
    assert line.subscribe(TICKER)[0]["msg"]["sid"] == 4
    line.ask("unsubscribe", sids=[1])
    assert line.subscribe(TRADE)[0]["msg"]["sid"] == 1


def test_unsubscribing_is_answered_one_by_one(connect: Open) -> None:
    line = connect(Venue())
    line.subscribe(BOOK, TICKER, market_ticker="M")
    answers = line.ask("unsubscribe", sids=[9, 2, 1, 1])
    assert codes(answers) == [7, None, None, 7]
    assert [frame.get("sid") for frame in answers] == [None, 2, 1, None]
    # After a snapshot with number 1 comes 2; a channel without numbers begins with 1.
    assert [frame.get("seq") for frame in answers] == [None, 1, 2, None]
    assert {frame["id"] for frame in answers} == {2}
    assert answers[1] == {
        "type": "unsubscribed", "id": 2, "sid": 2, "seq": 1, "sending_ts_ms": NOW // 1000,
    }  # fmt: skip
    line.subscribe(TICKER)
    line.session.receive('{"cmd":"unsubscribe","params":{"sids":[3]}}')
    assert "id" not in line.frames()[0]
    assert codes(line.ask("unsubscribe")) == [4]
    assert line.ask("list_subscriptions")[0]["msg"] == []


def test_what_an_update_may_be_about(connect: Open) -> None:
    line = connect(Venue())
    line.subscribe(BOOK, TICKER, "market_lifecycle_v2", market_ticker="M")
    market = {"market_ticker": "N"}
    for sid, action, params, code in (
        (1, "", market, 15), (1, "get_snapshots", market, 13), (1, "add_markets", {}, 14),
        (1, "delete_markets", {}, 14), (1, "get_snapshot", {}, 14), (2, "get_snapshot", market, 13),
        (3, "add_markets", market, 13), (3, "delete_markets", market, 13), (4, "add_markets", market, 7),
        (2, "add_markets", {"market_id": "N"}, 11),
    ):  # fmt: skip
        (answer,) = line.update(action, sid, **params)
        assert (answer["type"], answer["msg"]["code"]) == ("error", code), (sid, action)
        assert answer.get("sid") == (None if sid == 4 else sid)
    # An id where markets are named by their ticker is not looked at.
    assert codes(line.update("add_markets", 1, market_id="N")) == [14]
    answers = line.update("get_snapshot", market_ticker="M")
    assert [(frame["type"], frame["id"], frame["sid"]) for frame in answers] == [
        ("orderbook_snapshot", 13, 1)
    ]


def test_the_dialect_of_2025_has_no_snapshots_on_demand(connect: Open) -> None:
    line = connect(Venue(), options={"dialect": "2025"})
    line.subscribe("orderbook", market_ticker="M")
    assert codes(line.update("get_snapshot", market_ticker="M")) == [13]
    assert codes(line.update("delete_markets", market_ticker="M")) == [None]
    assert codes(line.update("add_markets", market_ticker="M"))[0] is None
    (unknown,) = line.update("add_markets", market_ticker="NONE")
    assert unknown["msg"] == unknown["data"]
    assert unknown["msg"] == {"code": 16, "msg": "Market not found", "market_ticker": "NONE"}
    assert "sending_ts_ms" not in unknown
    line.session.receive('{"id":9,"cmd":"subscribe"}')
    assert codes(line.frames()) == [2]
    six = connect(Venue(), options={"dialect": "2025", "missing_params": 6})
    six.session.receive('{"id":9,"cmd":"subscribe"}')
    assert codes(six.frames()) == [6]


@pytest.mark.parametrize("given", [{}, {"skip_ticker_ack": True}, {"skip_ticker_ack": False}])
def test_an_acknowledgement_names_all_markets(connect: Open, given: dict[str, Any]) -> None:
    line = connect(Venue())
    line.subscribe(TRADE, market_tickers=["N"], **given)
    quiet = given.get("skip_ticker_ack", False)

    def said(names: list[str]) -> dict[str, Any]:
        return {} if quiet else {"market_tickers": names}

    (added,) = line.update("add_markets", market_tickers=["M", "N"])
    assert (added["type"], added["id"], added["sid"], added["seq"]) == ("ok", 2, 1, 1)
    assert added["msg"] == said(["M", "N"])
    (less,) = line.update("delete_markets", market_tickers=["N", "NONE"])
    assert (less["seq"], less["msg"]) == (2, said(["M"]))
    (again,) = line.subscribe(TRADE, market_ticker="X")
    assert (again["type"], again["msg"]) == ("ok", said(["M", "X"]))


def test_a_subscription_to_all_stays_one(connect: Open) -> None:
    line = connect(venue := Venue())
    line.subscribe(TRADE)
    for answers in (
        line.update("add_markets", market_ticker="M"),
        line.update("delete_markets", market_ticker="M"),
        line.subscribe(TRADE, market_ticker="N"),
        line.subscribe(TRADE),
    ):
        assert [(frame["type"], frame["msg"]) for frame in answers] == [("ok", {})]
    trade(venue, "M")
    assert kinds(line.frames()) == ["trade"]


def test_a_subscription_is_widened_to_all(connect: Open) -> None:
    line = connect(venue := Venue())
    line.subscribe(TRADE, market_ticker="M")
    assert line.subscribe(TRADE)[0]["msg"] == {}
    for ticker in "MN":
        trade(venue, ticker)
        assert kinds(line.frames()) == ["trade"]


def test_markets_are_counted_against_the_limit(connect: Open) -> None:
    line = connect(Venue(), options={"market_limit": 2})
    assert codes(line.subscribe(TRADE, market_tickers=["A", "B", "C"])) == [26]
    assert codes(line.subscribe(TRADE, market_tickers=["A"])) == [None]
    assert codes(line.update("add_markets", market_tickers=["B", "C"])) == [26]
    assert codes(line.update("add_markets", market_tickers=["A", "B"])) == [None]
    assert codes(line.update("add_markets", market_tickers=["B"])) == [None]
    assert codes(line.subscribe(TRADE, market_tickers=["C"])) == [26]
    # Of one subscription, not of all.
    assert codes(line.subscribe("fill", market_tickers=["C", "D"])) == [None]


def test_books_that_are_not_there_may_be_refused(connect: Open) -> None:
    line = connect(Venue(), options={"unknown_ticker": "error"})
    (refused,) = line.subscribe(BOOK, market_tickers=["M", "NONE"])
    assert refused["msg"] == {"code": 11, "msg": "Invalid parameter", "market_ticker": "NONE"}
    assert line.ask("list_subscriptions")[0]["msg"] == []
    # Where markets can be left out, nobody asks whether they are there.
    assert codes(line.subscribe(TRADE, market_ticker="NONE")) == [None]
    assert kinds(line.subscribe(BOOK, market_ticker="M")) == ["subscribed", "orderbook_snapshot"]
    assert codes(line.update("add_markets", 2, market_ticker="NONE")) == [11]


def test_what_a_subscription_starts_with(connect: Open) -> None:
    line = connect(venue := Venue())
    venue.submit(BERT, "M", "bid", 4000, 100)
    assert kinds(line.subscribe(TICKER, market_ticker="M")) == ["subscribed"]
    line.ask("unsubscribe", sids=[1])
    first = line.subscribe(TICKER, market_tickers=["M", "NONE"], send_initial_snapshot=True)
    assert kinds(first) == ["subscribed", "ticker"]
    assert (first[1]["sid"], first[1]["msg"]["yes_bid_dollars"]) == (2, "0.4000")
    assert kinds(line.update("add_markets", 2, market_ticker="N")) == ["ok"]
    more = line.subscribe(TICKER, market_ticker="X", send_initial_snapshot=True)
    assert kinds(more) == ["ok"]
    # Only the book channel and the ticker begin with something.
    assert kinds(line.subscribe(TRADE, market_ticker="M", send_initial_snapshot=True)) == ["subscribed"]


def test_flags_are_checked_before_anything_is_made(connect: Open) -> None:
    line = connect(Venue())
    for flag in ("use_yes_price", "skip_ticker_ack", "send_initial_snapshot"):
        assert codes(line.subscribe(TICKER, market_ticker="M", **{flag: "yes"}))[-1] == 1


# --- who hears what -------------------------------------------------------------------------------


def trade(venue: Venue, ticker: str = "M", count: int = 100, price: int = 4700) -> None:
    venue.submit(BERT, ticker, "ask", price, count)
    venue.submit(ANNA, ticker, "bid", price, count)


def test_all_and_some_are_both_told(connect: Open) -> None:
    venue = Venue()
    one = connect(venue)
    two = connect(venue, BERT, one.hub)
    one.subscribe(TRADE)
    two.subscribe(TRADE, market_ticker="M")
    trade(venue, "M")
    trade(venue, "N")
    assert [kinds(line.frames()) for line in (one, two)] == [["trade", "trade"], ["trade"]]
    two.update("delete_markets", market_ticker="M")
    trade(venue, "M")
    assert [kinds(line.frames()) for line in (one, two)] == [["trade"], []]


def test_private_frames_are_for_their_owner_and_subaccount(connect: Open) -> None:
    venue = Venue()
    venue.create_subaccount(ANNA)
    venue.transfer(ANNA, 0, 1, 10**9, "t")
    channels = ("fill", "user_orders", "market_positions", "order_group_updates")
    free = connect(venue)
    lines = [free, *(connect(venue, ANNA, free.hub, lock=number) for number in (0, 1))]
    lines.append(connect(venue, BERT, free.hub))
    for line in lines:
        line.subscribe(*channels)
    venue.submit(ANNA, "M", "bid", 4700, 100, subaccount=1)
    venue.create_group(ANNA, 1000, subaccount=1)
    told = [kinds(line.frames()) for line in lines]
    assert told == [["user_order", "order_group_updates"], [], ["user_order", "order_group_updates"], []]
    venue.submit(BERT, "M", "ask", 4700, 100)
    told = [sorted(kinds(line.frames())) for line in lines]
    trio = ["fill", "market_position", "user_order"]
    assert told == [trio, [], trio, trio]
    venue.submit(ANNA, "M", "bid", 4700, 100)
    assert [kinds(line.frames()) for line in lines] == [["user_order"], ["user_order"], [], []]


def test_private_frames_are_of_the_markets_named(connect: Open) -> None:
    line = connect(venue := Venue())
    line.subscribe("fill", "user_orders", "market_positions", market_ticker="N")
    line.subscribe("order_group_updates", market_ticker="N")
    trade(venue, "M")
    assert line.frames() == []
    venue.create_group(ANNA, 1000)  # of no market at all
    assert kinds(line.frames()) == ["order_group_updates"]
    trade(venue, "N")
    assert sorted(kinds(line.frames())) == ["fill", "market_position", "user_order"]
    line.update("add_markets", 1, market_ticker="M")
    trade(venue, "M")
    assert kinds(line.frames()) == ["fill"]


def test_a_reader_of_yes_prices_sees_them_in_his_own_orders_too(connect: Open) -> None:
    venue = Venue()
    plain = connect(venue)
    yes = connect(venue, ANNA, plain.hub)
    plain.subscribe(BOOK, market_ticker="M")
    yes.subscribe(BOOK, market_ticker="M", use_yes_price=True)
    for user in (ANNA, BERT):
        venue.submit(user, "M", "ask", 5200, 100, client_order_id="a")
        told = [
            [(frame["msg"]["price_dollars"], frame["msg"].get("client_order_id")) for frame in frames]
            for frames in (plain.frames(), yes.frames())
        ]
        name = "a" if user == ANNA else None
        assert told == [[("0.4800", name)], [("0.5200", name)]]


@pytest.mark.parametrize("dialect", ["2026", "2025"])
def test_frames_of_today_tell_when_they_were_sent(connect: Open, dialect: str) -> None:
    line = connect(venue := Venue(), options={"dialect": dialect})
    answers = line.subscribe(BOOK, TICKER, TRADE, "fill", "market_lifecycle_v2", market_ticker="M")
    venue.advance(NOW + 7_000)
    trade(venue)
    venue.set_event_fees("E", FeeTerms("quadratic", 0))
    frames = line.frames()
    assert {frame["type"] for frame in frames} >= {"ticker", "trade", "fill", "event_fee_update"}
    sent = [{frame.get("sending_ts_ms") for frame in group} for group in (answers, frames)]
    assert sent == ([{NOW // 1000}, {NOW // 1000 + 7}] if dialect == "2026" else [{None}, {None}])


def test_the_fees_of_an_event_are_told_with_the_life_of_markets(connect: Open) -> None:
    venue = Venue()
    line = connect(venue)
    other = connect(venue, BERT, line.hub)
    line.subscribe("market_lifecycle_v2")
    other.subscribe("multivariate_market_lifecycle", TRADE)
    venue.set_event_fees("E", FeeTerms("quadratic", 0))
    (frame,) = line.frames()
    assert (frame["type"], frame["seq"], frame["msg"]["event_ticker"]) == ("event_fee_update", 1, "E")
    assert other.frames() == []


def test_who_is_behind_a_change_is_told_to_those_who_may_know(connect: Open) -> None:
    venue = Venue()
    venue.create_subaccount(ANNA)
    venue.transfer(ANNA, 0, 1, 10**9, "t")
    free = connect(venue)
    lines = [free, *(connect(venue, ANNA, free.hub, lock=number) for number in (0, 1))]
    lines.append(connect(venue, BERT, free.hub))
    for line in lines:
        line.subscribe(BOOK, market_ticker="M")

    def named() -> list[list[tuple[Any, Any]]]:
        return [
            [(frame["msg"].get("client_order_id"), frame["msg"].get("subaccount")) for frame in frames]
            for frames in (line.frames() for line in lines)
        ]

    venue.submit(ANNA, "M", "bid", 4700, 300, subaccount=1, client_order_id="a")
    assert named() == [[("a", 1)], [(None, None)], [("a", 1)], [(None, None)]]
    # Who comes is behind the change of what rests.
    venue.submit(BERT, "M", "ask", 4700, 100, client_order_id="b")
    assert named() == [[(None, None)], [(None, None)], [(None, None)], [("b", None)]]
    # What rests is behind its own end.
    venue.cancel_all(ANNA, subaccount=1)
    assert named() == [[("a", 1)], [(None, None)], [("a", 1)], [(None, None)]]


def test_a_market_that_comes_later_begins_with_its_book(connect: Open) -> None:
    line = connect(venue := Venue())
    line.subscribe(BOOK, TICKER, market_tickers=["M", "NEW"])
    venue.create_market(MarketSpec("NEW", "E", open_time=0, close_time=FAR))
    venue.submit(BERT, "NEW", "bid", 4700, 100)
    frames = line.frames()
    assert kinds(frames) == ["orderbook_snapshot", "ticker"]
    assert frames[0]["msg"]["yes_dollars_fp"] == [["0.4700", "1.00"]]
    assert frames[1]["msg"]["yes_bid_dollars"] == "0.4700"
    venue.submit(BERT, "NEW", "bid", 4700, 100)
    assert kinds(line.frames()) == ["orderbook_delta", "ticker"]


def test_a_ticker_comes_when_a_figure_has_changed_and_once_an_action(connect: Open) -> None:
    line = connect(venue := Venue())
    line.subscribe(TICKER, market_tickers=["M"])
    venue.submit(BERT, "M", "bid", 4700, 100)
    assert kinds(line.frames()) == ["ticker"]
    venue.submit(BERT, "M", "bid", 4600, 100)
    venue.submit(BERT, "N", "bid", 4700, 100)
    assert line.frames() == []
    venue.submit(ANNA, "M", "ask", 4600, 200)
    (frame,) = line.frames()
    said = frame["msg"]
    assert (said["price_dollars"], said["volume_fp"]) == ("0.4600", "2.00")
    assert (said["open_interest_fp"], said["last_trade_size_fp"]) == ("2.00", "1.00")
    assert said["yes_bid_size_fp"] == "0.00"
    venue.cancel_all(ANNA)
    assert line.frames() == []


def test_a_settled_market_has_no_open_interest(connect: Open) -> None:
    venue = Venue()
    venue.create_market(MarketSpec("W", "E", 0, venue.now() + 10**6, settlement_timer=10**6))
    trade(venue, "W")
    line = connect(venue)
    line.subscribe(TICKER, "market_lifecycle_v2", market_ticker="W", send_initial_snapshot=True)
    venue.advance(venue.now() + 10**6)
    venue.determine("W", 10_000)
    line.frames()
    venue.advance(venue.now() + 10**6)
    frames = line.frames()
    assert sorted(kinds(frames)) == ["market_lifecycle_v2", "ticker"]
    told = {frame["type"]: frame["msg"] for frame in frames}
    assert told["ticker"]["open_interest_fp"] == "0.00"
    assert told["market_lifecycle_v2"]["event_type"] == "settled"


def test_who_comes_after_everybody_has_left_sees_the_market_as_it_is(connect: Open) -> None:
    line = connect(venue := Venue())
    line.subscribe(BOOK, TRADE, TICKER, market_ticker="M")
    trade(venue)  # not even told
    line.hub.leave(line.session)
    assert line.texts() == []
    venue.submit(BERT, "M", "bid", 4000, 700)
    assert venue._callbacks == []
    later = connect(venue, BERT, line.hub)
    assert len(venue._callbacks) == 1
    first = later.subscribe(BOOK, TRADE, TICKER, market_ticker="M", send_initial_snapshot=True)
    assert kinds(first) == ["subscribed", "orderbook_snapshot", "subscribed", "subscribed", "ticker"]
    assert first[1]["msg"]["yes_dollars_fp"] == [["0.4000", "7.00"]]
    assert (first[4]["msg"]["volume_fp"], first[4]["msg"]["open_interest_fp"]) == ("1.00", "1.00")
    venue.submit(ANNA, "M", "ask", 4000, 100)
    assert sorted(kinds(later.frames())) == ["orderbook_delta", "ticker", "trade"]


def test_who_leaves_takes_nobody_with_him(connect: Open) -> None:
    venue = Venue()
    one = connect(venue)
    two = connect(venue, BERT, one.hub)
    for line in (one, two):
        line.subscribe(BOOK, TRADE, market_ticker="M")
    one.hub.leave(one.session)
    assert len(venue._callbacks) == 1
    trade(venue)
    assert (one.frames(), kinds(two.frames())) == ([], ["orderbook_delta", "orderbook_delta", "trade"])


# --- turns ----------------------------------------------------------------------------------------


def test_a_long_queue_leaves_the_sockets_their_turns(
    connect: Open, loop: asyncio.AbstractEventLoop
) -> None:
    line = connect(venue := Venue())
    line.subscribe(BOOK, market_ticker="M")
    for _ in range(600):  # a change of the book and the state of the order: two events each
        venue.submit(BERT, "M", "bid", 4000, 100)
    turns = []

    async def turn() -> None:
        for _ in range(6):
            turns.append(len(line.texts()))
            await asyncio.sleep(0)

    loop.run_until_complete(turn())
    assert [count for count in turns if count] == [256, 256, 88]


def test_a_burst_wakes_the_server_once(
    connect: Open, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = connect(venue := Venue())
    line.subscribe(BOOK, market_ticker="M")
    woken: list[Any] = []
    soon: list[Any] = []
    monkeypatch.setattr(loop, "call_soon_threadsafe", woken.append)
    monkeypatch.setattr(loop, "call_soon", soon.append)
    for _ in range(600):
        venue.submit(BERT, "M", "bid", 4000, 100)
    assert len(woken) == 1
    woken[0]()
    assert (len(line.texts()), len(soon)) == (256, 1)
    # The turn that is to come sees this too.
    venue.submit(BERT, "M", "bid", 4000, 100)
    assert len(woken) == 1
    soon[0]()
    soon[1]()
    assert (len(line.texts()), len(soon), len(woken)) == (345, 2, 1)
    venue.submit(BERT, "M", "bid", 4000, 100)
    assert len(woken) == 2


def test_a_reader_that_is_behind_is_written_to_when_it_has_caught_up(connect: Open) -> None:
    line = connect(venue := Venue(), options={"buffer_frames": 3})
    line.subscribe(BOOK, TICKER, market_ticker="M")
    line.paused = True
    for _ in range(3):
        venue.submit(BERT, "M", "bid", 4000, 100)
    assert line.frames() == []
    line.paused = False
    assert kinds(line.frames()) == ["orderbook_delta", "ticker"] * 3
    line.paused = True
    for cents in (30, 31, 32):  # below the best: no figure changes
        venue.submit(BERT, "M", "bid", cents * 100, 100)
    line.frames()
    venue.submit(BERT, "M", "bid", 2900, 100)
    assert line.frames() == []
    line.paused = False
    frames = line.frames()
    # One more than may wait ends the book, and the book alone.
    assert kinds(frames) == ["orderbook_delta"] * 4 + ["error"]
    assert (frames[-1]["msg"]["code"], frames[-1]["sid"]) == (25, 1)
    assert "id" not in frames[-1]
    assert [frame["seq"] for frame in frames] == list(range(frames[0]["seq"], frames[0]["seq"] + 5))
    assert line.ask("list_subscriptions")[0]["msg"] == [{"channel": TICKER, "sid": 2}]
