"""Every fault of the stream, as it looks on the wire."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from stream_venue import ANNA, BERT, Peer, Reader, Server, Venue, peer
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox.faults import Faults, kinds
from kalshi_research.sandbox.stream import StreamOptions

DELTA = "WS /orderbook_delta"


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def server(venue: Venue, request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(venue, StreamOptions(**getattr(request, "param", {}))) as running:
        yield running


@pytest.fixture
def faults(server: Server) -> Faults:
    found: Faults = server.exchange.faults
    return found


@pytest.fixture
def anna(server: Server) -> Iterator[Peer]:
    with peer(server) as connection:
        yield connection


def bid(venue: Venue, cents: int, contracts: int = 1, market: str = "M") -> None:
    venue.submit(BERT, market, "bid", cents * 100, contracts * 100)


def four_changes(venue: Venue, anna: Peer) -> list[dict[str, Any]]:
    """Frames of four changes of a book, with what comes besides."""
    for cents in (41, 42, 43, 44):
        bid(venue, cents)
    return anna.settled()


def prices(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["msg"]["price_dollars"] for frame in frames if frame["type"] == "orderbook_delta"]


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["seq"] for frame in frames]


FOUR = ["0.4100", "0.4200", "0.4300", "0.4400"]


def test_without_a_script_nothing_is_changed(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    frames = four_changes(venue, anna)
    assert (prices(frames), seqs(frames)) == (FOUR, [2, 3, 4, 5])
    assert faults.fired == []


@pytest.mark.parametrize(
    ("variant", "shown"),
    [
        ("drop", [("0.4100", 2), ("0.4300", 4), ("0.4400", 5)]),
        ("lose", [("0.4100", 2), ("0.4300", 3), ("0.4400", 4)]),
        ("duplicate", [("0.4100", 2), ("0.4200", 3), ("0.4200", 3), ("0.4300", 4), ("0.4400", 5)]),
        ("hold", [("0.4100", 2), ("0.4300", 4), ("0.4200", 3), ("0.4400", 5)]),
    ],
)
def test_frames_are_lost_doubled_and_delayed(
    venue: Venue, anna: Peer, faults: Faults, variant: str, shown: list[tuple[str, int]]
) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add(f"frame:{variant}", DELTA, nth=2)
    frames = four_changes(venue, anna)
    assert list(zip(prices(frames), seqs(frames), strict=True)) == shown
    assert [bite.call for bite in faults.fired] == [2]


def test_a_frame_may_be_held_for_longer(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("frame:hold", DELTA, nth=1, frames=3)
    assert prices(four_changes(venue, anna)) == [*FOUR[1:], FOUR[0]]


@pytest.mark.parametrize("variant", ["truncated", "garbage"])
def test_texts_that_are_no_frames(venue: Venue, anna: Peer, faults: Faults, variant: str) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add(f"frame:{variant}", DELTA)
    bid(venue, 41)
    with pytest.raises(json.JSONDecodeError):
        json.loads(anna.connection.recv(5))


def test_a_binary_frame_between(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("frame:binary", DELTA)
    bid(venue, 41)
    assert anna.connection.recv(5) == b"\x00\xff\x00\xff"
    assert anna.next()["seq"] == 2


def test_a_frame_of_megabytes(venue: Venue, server: Server, faults: Faults) -> None:
    with peer(server, max_size=None) as anna:
        anna.subscribe("orderbook_delta", market_tickers=["M"])
        faults.add("frame:huge", DELTA, bytes=3_000_000)
        bid(venue, 41)
        assert len(anna.next()["msg"]) == 3_000_000
        assert anna.next()["type"] == "orderbook_delta"


@pytest.mark.parametrize(
    ("variant", "numbers"), [("reset", [2, 1, 2, 3]), ("skip", [2, 6, 7, 8]), ("repeat", [2, 2, 3, 4])]
)
def test_numbers_go_astray(
    venue: Venue, anna: Peer, faults: Faults, variant: str, numbers: list[int]
) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add(f"seq:{variant}", DELTA)
    assert seqs(four_changes(venue, anna)) == numbers


def one_bent(venue: Venue, anna: Peer, faults: Faults, kind: str) -> dict[str, Any]:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    bid(venue, 40)
    anna.settled()
    faults.add(kind, DELTA)
    bid(venue, 41)
    (frame,) = anna.settled()
    return frame


def test_a_frame_of_another_subscription(venue: Venue, anna: Peer, faults: Faults) -> None:
    assert one_bent(venue, anna, faults, "sid:other")["sid"] == 2


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("negative", {"delta_fp": "-9000000.00"}),
        ("unknown_market", {"market_ticker": "NO-SUCH-MARKET"}),
        ("side", {"side": "no"}),
    ],
)
def test_levels_that_cannot_be(
    venue: Venue, anna: Peer, faults: Faults, variant: str, said: dict[str, str]
) -> None:
    assert said.items() <= one_bent(venue, anna, faults, f"level:{variant}")["msg"].items()


def test_another_spelling_of_the_same_numbers(venue: Venue, anna: Peer, faults: Faults) -> None:
    said = one_bent(venue, anna, faults, "level:spelling")["msg"]
    assert (said["price_dollars"], said["delta_fp"]) == (".41", "1")


def test_a_clock_that_goes_back_or_is_missing(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("clock:back", DELTA, nth=2, by=3)
    faults.add("clock:none", DELTA, nth=3)
    clocks = [frame["msg"].get("clock") for frame in four_changes(venue, anna)]
    first, second, missing, last = clocks
    assert missing is None
    assert first is not None
    assert second == max(first + (last - first) // 3 - 3, 0)


def test_a_snapshot_that_nobody_asked_for(venue: Venue, anna: Peer, faults: Faults) -> None:
    reader = Reader()
    for frame in anna.subscribe("orderbook_delta", market_tickers=["M"])[1:]:
        reader.read(frame)
    faults.add("snapshot:again", DELTA, nth=2)
    frames = four_changes(venue, anna)
    assert [frame["type"] for frame in frames].index("orderbook_snapshot") == 2
    for frame in frames:
        reader.read(frame)
    assert reader.book("M")[0] == venue.engine.book("M").yes


def test_an_empty_snapshot_in_between(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("snapshot:empty", DELTA, nth=2)
    snapshot = four_changes(venue, anna)[2]
    assert snapshot["type"] == "orderbook_snapshot"
    assert snapshot["msg"].keys() == {"market_ticker", "market_id", "clock"}


def test_changes_that_the_snapshot_has_already_seen(venue: Venue, anna: Peer, faults: Faults) -> None:
    faults.add("snapshot:race", "WS /orderbook_snapshot", nth=2, frames=2)
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    four_changes(venue, anna)
    params = {"sids": [1], "action": "get_snapshot", "market_tickers": ["M"]}
    anna.send("update_subscription", params)
    snapshot, *late = anna.settled()
    assert prices(late) == FOUR[2:]
    assert seqs([snapshot, *late]) == [6, 7, 8]
    assert all(frame["msg"]["clock"] <= snapshot["msg"]["clock"] for frame in late)


def test_changes_before_the_snapshot(venue: Venue, anna: Peer, faults: Faults) -> None:
    faults.add("frame:hold", "WS /orderbook_snapshot", frames=2)
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    kinds_seen = [frame["type"] for frame in four_changes(venue, anna)]
    assert "orderbook_snapshot" not in kinds_seen[:1]
    assert "orderbook_snapshot" in kinds_seen


@pytest.mark.parametrize("code", ["10", "17", "18", "25", "26", "27", "99"])
def test_errors_of_a_subscription(venue: Venue, anna: Peer, faults: Faults, code: str) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add(f"stream_error:{code}", DELTA)
    frames = four_changes(venue, anna)
    error = frames[1]
    assert (error["type"], error["msg"]["code"], error["sid"]) == ("error", int(code), 1)
    terminal = code in ("10", "25")
    assert prices(frames) == (FOUR[:1] if terminal else FOUR)


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013])
def test_the_connection_is_closed_with_a_code(
    venue: Venue, anna: Peer, faults: Faults, code: int
) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("link:close", DELTA, code=code)
    bid(venue, 41)
    with pytest.raises(ConnectionClosed) as closed:
        anna.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_connection_that_is_closed_does_not_wait_for_the_other_end(
    venue: Venue, server: Server, faults: Faults
) -> None:
    """This client says nothing any more, not even goodbye."""
    faults.add("link:close", "WS /subscribed", code=1008)
    headers = server.headers() | {
        "Host": f"127.0.0.1:{server.port}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in headers.items()]
    command = b'{"id":1,"cmd":"subscribe","params":{"channels":["trade"]}}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as bare:
        bare.sendall("\r\n".join(["GET /trade-api/ws/v2 HTTP/1.1", *lines, "", ""]).encode())
        heard = bare.recv(4096)
        bare.sendall(bytes((0x81, 0x80 | len(command), 0, 0, 0, 0)) + command)
        while part := bare.recv(4096):  # ends with the end of the connection
            heard += part
    assert heard.startswith(b"HTTP/1.1 101 ")
    assert heard.endswith(b"\x88\x02\x03\xf0")


@pytest.mark.parametrize("variant", ["FIN", "RST"])
def test_the_connection_ends_without_a_word(
    venue: Venue, anna: Peer, faults: Faults, variant: str
) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add(f"link:{variant}", DELTA)
    bid(venue, 41)
    with pytest.raises(ConnectionClosed) as closed:
        anna.next()
    assert closed.value.rcvd is None
    assert isinstance(closed.value.__cause__, ConnectionResetError) == (variant == "RST")


@pytest.mark.parametrize("server", [{"heartbeat": 0.05}], indirect=True)
def test_a_silent_connection_still_answers_pings(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("link:silent", DELTA)
    bid(venue, 41)
    assert anna.connection.ping().wait(5)
    bid(venue, 42)  # nor is anything told that happens later
    assert anna.connection.ping().wait(5)
    with pytest.raises(TimeoutError):
        anna.next(timeout=0.3)


@pytest.mark.parametrize("server", [{"heartbeat": 0.05}], indirect=True)
def test_a_deaf_connection_answers_nothing(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M"])
    faults.add("link:deaf", DELTA)
    bid(venue, 41)
    assert not anna.connection.ping().wait(0.3)


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_the_handshake_is_refused_once(server: Server, faults: Faults, status: int) -> None:
    faults.add(f"upgrade:{status}", "WS /connect")
    with pytest.raises(InvalidStatus) as refused, peer(server):
        pass
    assert refused.value.response.status_code == status
    with peer(server) as anna:
        assert anna.ask("list_subscriptions")["type"] == "ok"


def test_the_handshake_is_sent_elsewhere(server: Server, faults: Faults) -> None:
    faults.add("upgrade:redirect", "WS /connect", location="ws://127.0.0.2:1/elsewhere")
    # The client of the tests follows: that nothing listens there shows that it was told where.
    with pytest.raises(OSError, match="refused"), peer(server):
        pass


@pytest.mark.parametrize("variant", ["RST", "hang"])
def test_the_handshake_gets_no_answer(server: Server, faults: Faults, variant: str) -> None:
    faults.scale = 1 / 300
    faults.add(f"upgrade:{variant}", "WS /connect")
    with pytest.raises(InvalidMessage, match="did not receive a valid HTTP response") as broken:
        peer(server).__enter__()
    assert isinstance(broken.value.__cause__, EOFError)
    with peer(server) as anna:
        assert anna.ask("list_subscriptions")["type"] == "ok"


def test_acknowledgements_are_lost_late_and_doubled(anna: Peer, faults: Faults) -> None:
    faults.add("frame:drop", "WS /subscribed")
    assert [frame["type"] for frame in anna.subscribe("trade", market_tickers=["M"])] == []
    faults.add("frame:duplicate", "WS /ok")
    doubled = anna.subscribe("trade", market_tickers=["N"])
    assert [frame["type"] for frame in doubled] == ["ok", "ok"]
    faults.add("frame:hold", "WS /ok")
    anna.send("subscribe", {"channels": ["trade"], "market_tickers": ["M"]})
    anna.send("list_subscriptions")
    assert [anna.next()["id"] for _ in range(2)] == [6, 5]


@pytest.mark.parametrize(("variant", "count"), [("duplicate", 2), ("lose", 0)])
def test_fills_are_lost_and_doubled(
    venue: Venue, anna: Peer, faults: Faults, variant: str, count: int
) -> None:
    anna.subscribe("fill")
    faults.add(f"frame:{variant}", "WS /fill")
    venue.submit(BERT, "M", "ask", 4400, 500)
    venue.submit(ANNA, "M", "bid", 4400, 200)
    assert [frame["type"] for frame in anna.settled()] == ["fill"] * count


@pytest.mark.parametrize("server", [{"reuse_sids": True}], indirect=True)
def test_numbers_of_subscriptions_come_again(anna: Peer) -> None:
    anna.subscribe("trade", "ticker")
    anna.ask("unsubscribe", {"sids": [1]})
    (made,) = anna.subscribe("fill")
    assert made["msg"]["sid"] == 1


def test_a_rule_may_look_for_a_market(venue: Venue, anna: Peer, faults: Faults) -> None:
    anna.subscribe("orderbook_delta", market_tickers=["M", "N"])
    faults.add("frame:drop", DELTA, where='"market_ticker":"N"')
    bid(venue, 41)
    bid(venue, 41, market="N")
    (frame,) = anna.settled()
    assert frame["msg"]["market_ticker"] == "M"


def test_a_share_of_frames_is_the_same_for_the_same_seed(venue: Venue, server: Server) -> None:
    found = []
    for _ in range(2):
        faults = server.exchange.faults
        faults.clear()
        with peer(server) as anna:
            anna.subscribe("orderbook_delta", market_tickers=["M"])
            faults.add("frame:drop", DELTA, share=0.5, seed=3)
            for cents in range(2, 40):
                bid(venue, cents)
            found.append(prices(anna.settled()))
    assert found[0] == found[1]
    assert 8 < len(found[0]) < 30


def test_every_kind_of_the_stream_is_documented_by_a_test() -> None:
    stream = {name for name, kind in kinds().items() if kind.plane == "stream"}
    assert stream == {
        "clock", "frame", "level", "link", "seq", "sid", "snapshot", "stream_error", "upgrade",
    }  # fmt: skip


def test_an_unknown_variant_is_refused(faults: Faults) -> None:
    with pytest.raises(ConfigError, match="frame:drop"):
        faults.add("frame:vanish", DELTA)
