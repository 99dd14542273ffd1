"""The WebSocket of the sandbox, as a client sees it."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stream_venue import (
    ANNA,
    BERT,
    CARL,
    FAR,
    Peer,
    Reader,
    Server,
    Venue,
    peer,
    signed,
)
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kalshi_research.fees import FeeTerms
from kalshi_research.money import PriceGrid
from kalshi_research.sandbox.auth import RegisteredKey
from kalshi_research.sandbox.engine import MarketSpec, Rejection
from kalshi_research.sandbox.stream import StreamOptions

ED25519 = Ed25519PrivateKey.generate()


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def server(venue: Venue, request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(venue, StreamOptions(**getattr(request, "param", {}))) as running:
        yield running


@pytest.fixture
def anna(server: Server) -> Iterator[Peer]:
    with peer(server) as connection:
        yield connection


def with_options(**options: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [options], indirect=True, ids=str)


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


def change_of(delta: dict[str, Any]) -> tuple[str, str, str]:
    return delta["side"], delta["price_dollars"], delta["delta_fp"]


# --- the handshake ------------------------------------------------------------------------------


@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
def test_both_kinds_of_keys_open_a_connection(server: Server, key_type: str) -> None:
    with peer(server, key_type=key_type) as connection:
        assert connection.ask("list_subscriptions")["msg"] == []


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        (lambda headers: {}, "token_authentication_failure", None),
        (
            lambda headers: headers | {"KALSHI-ACCESS-SIGNATURE": ""},
            "signature_is_missing_from_headers",
            None,
        ),
        (
            lambda headers: headers | {"KALSHI-ACCESS-SIGNATURE": "AAAA"},
            "authentication_error",
            "INCORRECT_API_KEY_SIGNATURE",
        ),
        (
            lambda headers: headers | {"KALSHI-ACCESS-KEY": "00000000-0000-0000-0000-000000000000"},
            "authentication_error",
            "NOT_FOUND",
        ),
        (
            lambda headers: headers | {"KALSHI-ACCESS-KEY": "mine"},
            "authentication_error",
            "INVALID_PARAMETER",
        ),
    ],
)
def test_a_bad_signature_is_refused_as_on_rest(
    server: Server, change: Any, code: str, details: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(server.url, additional_headers=change(server.headers()), proxy=None)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["content-type"] == "application/json"
    error = json.loads(refused.value.response.body)["error"]
    assert (error["code"], error.get("details")) == (code, details)


def test_a_stale_timestamp_and_a_signed_query_are_refused(server: Server) -> None:
    for headers, code in (
        (signed(*server.private[0, "ed25519"], skew_ms=-30_000), "header_timestamp_expired"),
        (signed(*server.private[0, "ed25519"], path="/trade-api/ws/v2?a=1"), "authentication_error"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url + "?a=1", additional_headers=headers, proxy=None)
        assert json.loads(refused.value.response.body)["error"]["code"] == code


def test_a_page_of_another_origin_is_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(
            server.url, additional_headers=server.headers(), origin="https://example.com", proxy=None
        )
    assert refused.value.response.status_code == 403


def test_a_refused_handshake_is_no_defect_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with pytest.raises(InvalidStatus):
            connect(server.url, proxy=None)
    with peer(server) as connection:  # the server answers one after the other
        assert connection.ask("list_subscriptions")["msg"] == []
    assert [record.getMessage() for record in caplog.records] == []


def test_every_handshake_is_written_down(server: Server) -> None:
    requests = server.exchange.requests
    with connect(f"{server.url}?a=1", additional_headers=server.headers(1), proxy=None) as connection:
        connection.send(b'{"id":3,"cmd":"list_subscriptions"}')
        assert json.loads(connection.recv(5))["id"] == 3
    foreign = server.headers() | {"Origin": "https://example.com"}
    blind = RegisteredKey(
        "00000000-0000-4000-8000-0000000000aa", 2, "k", ED25519.public_key(), ("write",)
    )
    server.keys.add(blind)
    for headers, status, code in (
        ({}, 401, "token_authentication_failure"),
        (foreign, 403, "forbidden"),
        (signed(blind.key_id, ED25519), 403, "forbidden"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url, additional_headers=headers, proxy=None)
        answer = refused.value.response
        assert (answer.status_code, json.loads(answer.body)["error"]["code"]) == (status, code)
        assert int(answer.headers["content-length"]) == len(answer.body)
    server.exchange.faults.add("upgrade:503", "WS /connect")
    with pytest.raises(InvalidStatus):
        connect(server.url, additional_headers=server.headers(), proxy=None)
    path = "/trade-api/ws/v2"
    assert [(row.method, row.path, row.query, row.status, row.user) for row in requests] == [
        ("GET", path, "a=1", 101, 1), ("GET", path, "", 401, None), ("GET", path, "", 403, None),
        ("GET", path, "", 403, None), ("GET", path, "", 503, None),
    ]  # fmt: skip


def test_a_fault_of_frames_leaves_the_handshake_alone(server: Server) -> None:
    server.exchange.faults.add("frame:drop", "WS /trade")
    server.exchange.faults.add("upgrade:503", "WS /connect", nth=2)
    with peer(server) as connection:
        assert connection.ask("list_subscriptions")["msg"] == []
    with pytest.raises(InvalidStatus), peer(server):
        pass


@with_options(heartbeat=0.05)
def test_it_pings_with_heartbeat_and_answers_pings(server: Server) -> None:
    seen: list[bytes] = []
    with peer(server) as connection:
        receive = connection.connection.protocol.recv_frame

        def watch(frame: Any) -> None:
            if frame.opcode == 9:
                seen.append(bytes(frame.data))
            receive(frame)

        connection.connection.protocol.recv_frame = watch
        assert connection.connection.ping("mine").wait(5)
        done = threading.Event()
        done.wait(0.3)
    assert len(seen) >= 3
    assert set(seen) == {b"heartbeat"}


# --- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("nonsense", 1),
        ("[]", 1),
        pytest.param("[" * 100_000, 1, id="nested"),
        pytest.param(b'{"id":1,"cmd":"\xff"}', 1, id="latin-1"),
        ('{"id":-1,"cmd":"subscribe"}', 1),
        ('{"id":1,"cmd":"subscribe"}', 2),
        ('{"id":1,"cmd":"subscribe","params":[]}', 1),
        ('{"id":1,"cmd":"subscribe","params":{}}', 3),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["trade"],"market_ticker":1}}', 1),
        ('{"id":1,"cmd":"update_subscription","params":{"sid":"1","action":"add_markets"}}', 1),
        ('{"id":1,"cmd":"subscribe","params":{"channels":[]}}', 3),
        ('{"id":1,"cmd":"subscribe","params":{"channels":"ticker"}}', 1),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook"]}}', 8),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["trades"]}}', 8),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["ticker_v2"]}}', 8),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}', 14),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"market_tickers":[]}}', 14),
        (
            '{"id":1,"cmd":"subscribe","params":{"channels":["trade"],"market_ticker":"M",'
            '"market_tickers":["N"]}}',
            11,
        ),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["ticker"],"market_id":"M"}}', 11),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":0}}', 19),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["communications"],"shard_key":0}}', 20),
        (
            '{"id":1,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":2,'
            '"shard_key":2}}',
            21,
        ),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["communications"],"shard_factor":101}}', 22),
        ('{"id":1,"cmd":"unsubscribe","params":{}}', 4),
        ('{"id":1,"cmd":"unsubscribe","params":{"sids":[9]}}', 7),
        ('{"id":1,"cmd":"unsubscribe","params":{"sids":["1"]}}', 1),
        ('{"id":1,"cmd":"unsubscribe_all","params":{}}', 5),
        ('{"id":1,"cmd":"update_subscription","params":{"action":"add_markets"}}', 12),
        ('{"id":1,"cmd":"update_subscription","params":{"sid":1,"sids":[1],"action":"x"}}', 12),
        ('{"id":1,"cmd":"update_subscription","params":{"sids":[1,2],"action":"x"}}', 12),
        ('{"id":1,"cmd":"update_subscription","params":{"sid":9,"action":"add_markets"}}', 7),
    ],
)
def test_a_wrong_command_gets_its_error(anna: Peer, command: str | bytes, code: int) -> None:
    anna.connection.send(command)
    answer = anna.next()
    assert answer["type"] == "error"
    assert answer["msg"]["code"] == code
    assert "sid" not in answer
    assert "seq" not in answer


def test_errors_of_a_subscription_name_it_and_take_a_number(anna: Peer) -> None:
    anna.subscribe("orderbook_delta", market_ticker="M")
    for params, code in (
        ({"market_ticker": "N"}, 15),
        ({"action": "subscribe_indices"}, 13),
        ({"action": "get_snapshot"}, 14),
        ({"action": "add_markets", "market_tickers": []}, 14),
    ):
        error = anna.ask("update_subscription", {"sid": 1} | params)
        assert (error["sid"], error["msg"]["code"]) == (1, code)
    assert [frame["seq"] for frame in anna.frames if "seq" in frame] == [1, 2, 3, 4, 5]


def test_a_channel_without_numbers_has_none_in_its_errors(anna: Peer) -> None:
    anna.subscribe("ticker")
    error = anna.ask("update_subscription", {"sid": 1, "action": "get_snapshot", "market_ticker": "M"})
    assert (error["sid"], error["msg"]["code"]) == (1, 13)
    assert "seq" not in error


def test_commands_without_a_number_are_answered_without_one(anna: Peer) -> None:
    anna.connection.send('{"cmd":"list_subscriptions"}')
    assert "id" not in anna.next()
    anna.connection.send('{"id":0,"cmd":"list_subscriptions"}')
    assert "id" not in anna.next()


def test_each_channel_gets_a_sid_and_one_bad_channel_spoils_no_other(anna: Peer) -> None:
    answers = anna.subscribe("ticker", "nothing", "trade", "user_orders")
    assert kinds(answers) == ["subscribed", "error", "subscribed", "subscribed"]
    assert [answer["msg"] for answer in answers if answer["type"] == "subscribed"] == [
        {"channel": "ticker", "sid": 1},
        {"channel": "trade", "sid": 2},
        {"channel": "user_orders", "sid": 3},
    ]
    assert {answer["id"] for answer in answers} == {1}


def test_subscribing_again_adds_markets_and_answers_ok(anna: Peer) -> None:
    first = anna.subscribe("orderbook_delta", market_ticker="N")
    assert kinds(first) == ["subscribed", "orderbook_snapshot"]
    again = anna.subscribe("orderbook_delta", market_tickers=["N", "M"])
    assert kinds(again) == ["ok", "orderbook_snapshot"]
    assert again[0] | {"sending_ts_ms": 0} == {
        "type": "ok",
        "id": 3,
        "sid": 1,
        "seq": 2,
        "sending_ts_ms": 0,
        "msg": {"market_tickers": ["M", "N"]},
    }
    assert (again[1]["seq"], again[1]["msg"]["market_ticker"]) == (3, "M")


def test_markets_come_and_go(venue: Venue, anna: Peer) -> None:
    anna.subscribe("orderbook_delta", market_ticker="M")
    added = anna.ask("update_subscription", {"sids": [1], "action": "add_markets", "market_ticker": "N"})
    assert added["msg"] == {"market_tickers": ["M", "N"]}
    assert anna.next()["msg"]["market_ticker"] == "N"
    left = anna.ask(
        "update_subscription", {"sid": 1, "action": "delete_markets", "market_tickers": ["M", "X"]}
    )
    assert left["msg"] == {"market_tickers": ["N"]}
    venue.submit(ANNA, "M", "bid", 4700, 100)
    venue.submit(ANNA, "N", "bid", 4600, 100)
    deltas = anna.settled()
    assert [frame["msg"]["market_ticker"] for frame in deltas] == ["N"]
    assert deltas[0]["seq"] == 5


def test_a_snapshot_on_demand_carries_the_number_of_its_command(venue: Venue, anna: Peer) -> None:
    anna.subscribe("orderbook_delta", market_ticker="M")
    venue.submit(ANNA, "M", "bid", 4700, 100)
    delta = anna.next()
    number = anna.send(
        "update_subscription", {"sid": 1, "action": "get_snapshot", "market_tickers": ["M"]}
    )
    answer = anna.next()
    assert (answer["type"], answer["id"], answer["seq"]) == ("orderbook_snapshot", number, 3)
    assert answer["msg"]["yes_dollars_fp"] == [["0.4700", "1.00"]]
    assert answer["msg"]["clock"] == delta["msg"]["clock"]


def test_nothing_comes_after_unsubscribing(venue: Venue, anna: Peer) -> None:
    anna.subscribe("orderbook_delta", "trade", "ticker", market_ticker="M")
    answers = [anna.ask("unsubscribe", {"sids": [1, 3]}), anna.next()]
    assert kinds(answers) == ["unsubscribed", "unsubscribed"]
    assert [(answer["sid"], answer["seq"]) for answer in answers] == [(1, 2), (3, 1)]
    venue.submit(ANNA, "M", "bid", 4700, 100)
    venue.submit(BERT, "M", "ask", 4700, 100)
    assert kinds(anna.settled()) == ["trade"]
    assert anna.ask("list_subscriptions")["msg"] == [{"channel": "trade", "sid": 2}]


def test_a_sid_is_never_used_again(anna: Peer) -> None:
    anna.subscribe("trade")
    anna.ask("unsubscribe", {"sids": [1]})
    assert anna.subscribe("trade")[0]["msg"]["sid"] == 2


def test_an_acknowledgement_without_lists(anna: Peer) -> None:
    anna.subscribe("trade", market_ticker="M", skip_ticker_ack=True)
    answer = anna.ask("update_subscription", {"sid": 1, "action": "add_markets", "market_ticker": "N"})
    assert answer["msg"] == {}


def test_a_ticker_can_be_named_by_its_uuid(venue: Venue, anna: Peer) -> None:
    listing = venue.listing("M")
    assert listing is not None
    anna.subscribe("ticker", market_id=listing.market_id)
    venue.submit(ANNA, "N", "bid", 4700, 100)
    venue.submit(ANNA, "M", "bid", 4800, 100)
    assert [frame["msg"]["market_id"] for frame in anna.settled()] == [listing.market_id]
    answer = anna.ask(
        "update_subscription", {"sid": 1, "action": "add_markets", "market_id": listing.market_id}
    )
    assert answer["msg"] == {"market_ids": [listing.market_id]}


def test_a_uuid_of_no_market_does_not_stand_for_all(venue: Venue, anna: Peer) -> None:
    anna.subscribe("ticker", market_id="00000000-0000-0000-0000-000000000000")
    venue.submit(ANNA, "M", "bid", 4700, 100)
    assert anna.settled() == []
    anna.subscribe("ticker")
    venue.submit(ANNA, "M", "bid", 4800, 100)
    assert kinds(anna.settled()) == ["ticker"]


@with_options(market_limit=1)
def test_too_many_markets_are_refused(anna: Peer) -> None:
    assert anna.subscribe("trade", market_tickers=["M", "N"])[0]["msg"]["code"] == 26
    anna.subscribe("trade", market_ticker="M")
    error = anna.ask("update_subscription", {"sid": 1, "action": "add_markets", "market_ticker": "N"})
    assert (error["sid"], error["msg"]["code"]) == (1, 26)


@with_options(command_rate=3)
def test_too_many_commands_are_refused(anna: Peer) -> None:
    answers = [anna.ask("list_subscriptions") for _ in range(8)]
    assert answers[0]["type"] == "ok"
    assert {answer["msg"]["code"] for answer in answers if answer["type"] == "error"} == {27}


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({"unknown_ticker": "ignore"}, ["subscribed"]),
        ({"unknown_ticker": "empty"}, ["subscribed", "orderbook_snapshot"]),
        ({"unknown_ticker": "error"}, ["error"]),
    ],
    indirect=["server"],
)
def test_an_unknown_market(server: Server, venue: Venue, expected: list[str]) -> None:
    with peer(server) as connection:
        answers = connection.subscribe("orderbook_delta", market_ticker="NEW")
        assert kinds(answers) == expected
        if expected[-1] == "orderbook_snapshot":
            assert answers[-1]["msg"]["clock"] == 0
            assert set(answers[-1]["msg"]) == {"market_ticker", "market_id", "clock"}
        if expected == ["error"]:
            assert answers[0]["msg"] == {
                "code": 11,
                "msg": "Invalid parameter",
                "market_ticker": "NEW",
            }
            return
        venue.create_market(MarketSpec("NEW", "E", open_time=0, close_time=FAR))
        venue.submit(ANNA, "NEW", "bid", 4700, 100)
        first = connection.next()
        assert (first["type"], first["msg"]["yes_dollars_fp"]) == (
            "orderbook_snapshot",
            [["0.4700", "1.00"]],
        )
        venue.submit(ANNA, "NEW", "bid", 4600, 100)
        assert connection.next()["msg"]["delta_fp"] == "1.00"


# --- what is sent ---------------------------------------------------------------------------------


def test_the_worked_example(venue: Venue, server: Server) -> None:
    """A rests bid 3 @ 0.47; B sends ask 1 @ 0.40 immediate-or-cancel; A cancels; YES wins."""
    venue.create_market(
        MarketSpec("W", "E", open_time=0, close_time=venue.now() + 10**6, settlement_timer=10**6)
    )
    channels = ("orderbook_delta", "ticker", "trade", "fill", "user_orders", "market_positions")
    with peer(server, 0) as anna, peer(server, 1) as bert, peer(server, 2) as carl:
        for connection in (anna, bert, carl):
            connection.subscribe(*channels, market_ticker="W")
            connection.subscribe("market_lifecycle_v2")

        def shown(connection: Peer) -> dict[str, list[dict[str, Any]]]:
            found: dict[str, list[dict[str, Any]]] = {}
            for frame in connection.settled():
                found.setdefault(frame["type"], []).append(frame["msg"])
            return found

        order = venue.submit(ANNA, "W", "bid", 4700, 300, client_order_id="cA").order
        for connection in (anna, bert, carl):
            frames = shown(connection)
            delta = frames["orderbook_delta"][0]
            assert (delta["side"], delta["price_dollars"], delta["delta_fp"]) == (
                "yes",
                "0.4700",
                "3.00",
            )
            assert delta.get("client_order_id") == ("cA" if connection is anna else None)
            ticker = frames["ticker"][0]
            assert (ticker["yes_bid_dollars"], ticker["yes_bid_size_fp"]) == ("0.4700", "3.00")
            assert ("user_order" in frames) == (connection is anna)
            if connection is anna:
                told = frames["user_order"][0]
                assert (told["status"], told["remaining_count_fp"]) == ("resting", "3.00")

        venue.submit(
            BERT, "W", "ask", 4000, 100, client_order_id="cB", time_in_force="immediate_or_cancel"
        )
        trade_ids = set()
        for connection in (anna, bert, carl):
            frames = shown(connection)
            delta = frames["orderbook_delta"][0]
            assert (delta["side"], delta["price_dollars"], delta["delta_fp"]) == (
                "yes",
                "0.4700",
                "-1.00",
            )
            assert delta.get("client_order_id") == ("cB" if connection is bert else None)
            trade = frames["trade"][0]
            trade_ids.add(trade["trade_id"])
            assert (trade["yes_price_dollars"], trade["no_price_dollars"]) == ("0.4700", "0.5300")
            assert (trade["taker_outcome_side"], trade["taker_book_side"]) == ("no", "ask")
            assert trade["count_fp"] == "1.00"
            ticker = frames["ticker"][0]
            assert (ticker["price_dollars"], ticker["volume_fp"]) == ("0.4700", "1.00")
            assert ticker["open_interest_fp"] == "1.00"
            if connection is carl:
                assert set(frames) == {"orderbook_delta", "trade", "ticker"}
                continue
            fill, told, held = (frames[kind][0] for kind in ("fill", "user_order", "market_position"))
            trade_ids.add(fill["trade_id"])
            got = (fill["is_taker"], fill["outcome_side"], fill["post_position_fp"], fill["fee_cost"])
            if connection is anna:
                assert got == (False, "yes", "1.00", "0.000000")
                assert (told["remaining_count_fp"], told["fill_count_fp"]) == ("2.00", "1.00")
                assert told["last_update_reason"] == "Trade"
                assert held["position_fp"] == "1.00"
            else:
                assert got == (True, "no", "-1.00", "0.017500")
                assert fill["yes_price_dollars"] == "0.4700"
                assert told["status"] == "executed"
                assert held["position_fp"] == "-1.00"
        assert len(trade_ids) == 1

        venue.cancel(ANNA, order.order_id)
        frames = shown(anna)
        assert frames["orderbook_delta"][0]["delta_fp"] == "-2.00"
        told = frames["user_order"][0]
        assert (told["status"], told["fill_count_fp"], told["remaining_count_fp"]) == (
            "canceled",
            "1.00",
            "0.00",
        )

        venue.advance(venue.now() + 10**6)
        venue.determine("W", 10_000)
        venue.advance(venue.now() + 10**6)
        frames = shown(anna)
        life = frames["market_lifecycle_v2"]
        assert [message["event_type"] for message in life] == ["determined", "settled"]
        assert (life[0]["result"], life[0]["settlement_value"]) == ("yes", "1.0000")
        assert frames["market_position"][-1]["position_fp"] == "0.00"
        assert frames["ticker"][-1]["open_interest_fp"] == "0.00"


def test_no_prices_turn_into_yes_prices_on_demand(venue: Venue, server: Server) -> None:
    venue.submit(ANNA, "M", "ask", 5200, 200)
    with peer(server) as plain, peer(server) as yes:
        first = plain.subscribe("orderbook_delta", market_ticker="M")[1]["msg"]
        second = yes.subscribe("orderbook_delta", market_ticker="M", use_yes_price=True)[1]["msg"]
        assert (first["no_dollars_fp"], second["no_dollars_fp"]) == (
            [["0.4800", "2.00"]],
            [["0.5200", "2.00"]],
        )
        assert "yes_dollars_fp" not in first
        venue.submit(BERT, "M", "ask", 5300, 100)
        venue.submit(BERT, "M", "bid", 1000, 100)
        told = [plain.take(2), yes.take(2)]
        assert [[frame["msg"]["price_dollars"] for frame in frames] for frames in told] == [
            ["0.4700", "0.1000"],
            ["0.5300", "0.1000"],
        ]
        again = yes.ask(
            "update_subscription", {"sid": 1, "action": "get_snapshot", "market_ticker": "M"}
        )
        assert again["msg"]["no_dollars_fp"] == [["0.5200", "2.00"], ["0.5300", "1.00"]]


def test_only_the_owner_of_several_subaccounts_sees_which_one(venue: Venue, server: Server) -> None:
    venue.create_subaccount(BERT)
    venue.transfer(BERT, 0, 1, 10_000_000, "t")
    with peer(server, 0) as anna, peer(server, 1) as bert:
        for connection in (anna, bert):
            connection.subscribe("orderbook_delta", "fill", market_ticker="M")
        venue.submit(BERT, "M", "bid", 4700, 100, subaccount=1, client_order_id="cB")
        assert not {"client_order_id", "subaccount"} & anna.next()["msg"].keys()
        mine = bert.next()["msg"]
        assert (mine["client_order_id"], mine["subaccount"]) == ("cB", 1)
        venue.submit(ANNA, "M", "ask", 4700, 100)
        assert [frame["msg"].get("subaccount") for frame in bert.take(2)] == [None, 1]


def test_private_channels_are_filtered_by_market_and_by_user(venue: Venue, anna: Peer) -> None:
    anna.subscribe("user_orders", "fill", market_tickers=["N"])
    venue.submit(ANNA, "M", "bid", 4700, 100)
    venue.submit(BERT, "N", "bid", 4700, 100)
    venue.submit(ANNA, "N", "ask", 4700, 100)
    frames = anna.settled()
    assert kinds(frames) == ["fill", "user_order"]
    assert frames[1]["msg"]["ticker"] == "N"


def test_a_ticker_starts_with_a_snapshot_on_demand(venue: Venue, anna: Peer) -> None:
    venue.submit(ANNA, "M", "bid", 4700, 100)
    assert kinds(anna.subscribe("ticker", market_ticker="M", send_initial_snapshot=True)) == [
        "subscribed",
        "ticker",
    ]
    assert anna.frames[-1]["msg"]["yes_bid_dollars"] == "0.4700"
    venue.submit(ANNA, "M", "bid", 4600, 100)
    assert anna.settled() == []  # a level below the best changes no figure


def test_the_life_of_markets_and_their_fees(venue: Venue, anna: Peer) -> None:
    anna.subscribe("market_lifecycle_v2", "multivariate_market_lifecycle", market_ticker="M")
    opened = venue.now()
    venue.create_market(MarketSpec("NEW", "E", open_time=0, close_time=opened + 10**9))
    venue.create_market(MarketSpec("COMBO", "E", open_time=0, close_time=opened + 10**9))
    venue.deactivate("NEW")
    venue.activate("NEW")
    venue.set_grid("NEW", PriceGrid(((0, 10_000, 10),)))
    venue.set_close_time("NEW", opened + 10**6)
    venue.set_event_fees("E", FeeTerms("quadratic", 0))
    frames = anna.settled()
    assert [(frame["sid"], frame["seq"]) for frame in frames] == [
        (1, 1),
        (2, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (1, 5),
        (1, 6),
    ]
    created, combo, stopped, resumed, grid, close, fees = (frame["msg"] for frame in frames)
    assert kinds(frames)[1] == "multivariate_market_lifecycle"
    assert combo["market_ticker"] == "COMBO"
    assert created["additional_metadata"]["event_ticker"] == "E"
    assert created["close_ts"] == (opened + 10**9) // 10**6
    assert (stopped["is_deactivated"], resumed["is_deactivated"]) == (True, False)
    assert grid["price_level_structure"] == "deci_cent"
    assert grid["price_ranges"] == [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]
    assert close["close_ts"] == (opened + 10**6) // 10**6
    assert fees == {"event_ticker": "E", "fee_type_override": "quadratic", "fee_multiplier_override": 0}


def test_combos_keep_the_grids_they_change_to_themselves(venue: Venue, anna: Peer) -> None:
    venue.create_market(MarketSpec("COMBO", "E", open_time=0, close_time=FAR))
    anna.subscribe("market_lifecycle_v2", "multivariate_market_lifecycle")
    venue.set_grid("COMBO", PriceGrid(((0, 10_000, 10),)))
    assert anna.settled() == []


def test_an_order_names_its_group(venue: Venue, anna: Peer) -> None:
    group = venue.create_group(ANNA, 1000)
    name = getattr(group, "group_id", group)
    anna.subscribe("user_orders")
    venue.submit(ANNA, "M", "bid", 4000, 100, group_id=name)
    venue.submit(ANNA, "M", "bid", 4100, 100)
    inside, outside = (frame["msg"] for frame in anna.settled())
    assert inside["order_group_id"] == name
    assert "order_group_id" not in outside


def test_order_groups_tell_their_owner(venue: Venue, server: Server) -> None:
    with peer(server, 0) as anna, peer(server, 1) as bert:
        for connection in (anna, bert):
            connection.subscribe("order_group_updates")
        group = venue.create_group(ANNA, 1000)
        name = getattr(group, "group_id", group)
        venue.reset_group(ANNA, name)
        frames = anna.settled()
        assert [frame["msg"]["event_type"] for frame in frames] == ["created", "reset"]
        assert frames[0]["msg"]["contracts_limit_fp"] == "10.00"
        assert "contracts_limit_fp" not in frames[1]["msg"]
        assert bert.settled() == []


def trade_at_random(venue: Venue, chance: random.Random, steps: int) -> None:
    orders: list[tuple[str, str]] = []
    for _ in range(steps):
        user = chance.choice((ANNA, BERT, CARL))
        try:
            if orders and chance.random() < 0.3:
                owner, order_id = orders.pop(chance.randrange(len(orders)))
                venue.cancel(owner, order_id)
            elif orders and chance.random() < 0.1:
                owner, order_id = chance.choice(orders)
                order = venue.engine.order(owner, order_id)
                venue.amend(
                    owner,
                    order_id,
                    ticker=order.market.ticker,
                    side=order.side,
                    price=chance.randrange(44, 57) * 100,
                    count=order.filled + chance.randrange(1, 900),
                )
            else:
                receipt = venue.submit(
                    user,
                    chance.choice("MN"),
                    chance.choice(("bid", "ask")),
                    chance.randrange(44, 57) * 100,
                    chance.randrange(1, 900),
                    self_trade=chance.choice(("maker", "taker_at_cross")),
                )
                orders.append((user, receipt.order.order_id))
        except Rejection:
            continue


@pytest.mark.parametrize("yes_price", [False, True])
def test_a_reader_of_the_stream_ends_with_our_book(
    venue: Venue, server: Server, yes_price: bool
) -> None:
    chance = random.Random(11)
    trade_at_random(venue, chance, 60)
    with peer(server, 2) as connection:
        reader = Reader(yes_price=yes_price)
        busy = threading.Thread(target=trade_at_random, args=(venue, chance, 1500))
        busy.start()
        connection.subscribe("orderbook_delta", market_ticker="M", use_yes_price=yes_price)
        connection.send(
            "update_subscription", {"sid": 1, "action": "add_markets", "market_tickers": ["N"]}
        )
        busy.join()
        connection.settled()
        for frame in connection.frames:
            if frame["type"] != "subscribed":
                reader.read(frame)
        for ticker in "MN":
            book = venue.engine.book(ticker)
            assert reader.book(ticker) == (book.yes, book.no)
            assert reader.clocks[ticker] == book.clock


def test_figures_add_up_to_those_of_the_engine(venue: Venue, server: Server) -> None:
    with peer(server) as connection:
        connection.subscribe("ticker", market_ticker="M", send_initial_snapshot=True)
        trade_at_random(venue, random.Random(5), 600)
        connection.settled()
        last = connection.frames[-1]["msg"]
        market = venue.engine.markets["M"]
        book = venue.engine.book("M")
        assert last["volume_fp"] == f"{market.volume / 100:.2f}"
        assert last["open_interest_fp"] == f"{market.open_interest / 100:.2f}"
        assert last["dollar_volume"] == market.dollar_volume // 1_000_000
        assert last["price_dollars"] == f"{market.last_price / 10_000:.4f}"
        assert last["yes_bid_dollars"] == f"{book.yes[-1][0] / 10_000 if book.yes else 0:.4f}"
        assert last["yes_ask_size_fp"] == f"{book.no[-1][1] / 100 if book.no else 0:.2f}"


def test_all_connections_see_the_same_changes_in_the_same_order(venue: Venue, server: Server) -> None:
    with peer(server, 0) as one, peer(server, 1) as two:
        for connection in (one, two):
            connection.subscribe("orderbook_delta", market_tickers=["M", "N"])
        trade_at_random(venue, random.Random(3), 300)
        seen = [
            [
                (
                    message["market_ticker"],
                    message["clock"],
                    message["price_dollars"],
                    message["delta_fp"],
                )
                for frame in connection.settled()
                for message in (frame["msg"],)
            ]
            for connection in (one, two)
        ]
        assert seen[0] == seen[1]
        assert len(seen[0]) > 200


@with_options(buffer_frames=2000)
def test_a_slow_reader_loses_the_subscription_and_can_subscribe_again(
    venue: Venue, server: Server
) -> None:
    with peer(server, max_queue=1) as connection:
        connection.subscribe("orderbook_delta", market_ticker="M")
        for _ in range(30_000):
            order = venue.submit(ANNA, "M", "bid", 4700, 100).order
            venue.cancel(ANNA, order.order_id)
        frames = []
        while not frames or frames[-1]["type"] != "error":
            frames.append(connection.next())
        assert [frame["seq"] for frame in frames] == list(range(2, len(frames) + 2))
        assert frames[-1]["msg"] == {"code": 25, "msg": "Subscription buffer overflow"}
        assert frames[-1]["sid"] == 1
        assert connection.ask("list_subscriptions")["msg"] == []
        again = connection.subscribe("orderbook_delta", market_ticker="M")
        assert (again[0]["msg"]["sid"], again[1]["seq"]) == (2, 1)


def test_the_server_forgets_who_has_left(venue: Venue, server: Server) -> None:
    with peer(server) as connection:
        connection.subscribe("ticker")
        assert venue._callbacks
    deadline = threading.Event()
    for _ in range(100):
        if not venue._callbacks:
            break
        deadline.wait(0.02)
    assert not venue._callbacks
    venue.submit(ANNA, "M", "bid", 4700, 100)
    with peer(server) as connection:
        snapshot = connection.subscribe("orderbook_delta", market_ticker="M")[1]
        assert snapshot["msg"]["yes_dollars_fp"] == [["0.4700", "1.00"]]
