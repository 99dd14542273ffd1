"""Lines of the journal that somebody wrote by hand, or another version: nothing is sent meanwhile."""

from __future__ import annotations

import json
import warnings
import zlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import JournalError, OrderUnknown
from kalshi_research.trading import changing
from kalshi_research.trading.intents import Intent
from kalshi_research.trading.journal import Journal
from kalshi_research.trading.lines import problem_of
from tests.order_calls import BUSY, LOST
from tests.order_venue import EPOCH, Venue

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["tests.order_fixtures"]

CREATE = "POST /portfolio/events/orders"
ORDER = {
    "ticker": "T", "action": "buy", "outcome": "yes", "price": 4200, "count": 500,
    "time_in_force": "good_till_canceled", "self_trade_prevention": "taker_at_cross", "expiration": 0,
    "post_only": False, "reduce_only": False, "cancel_on_pause": False, "order_group": "",
    "subaccount": None,
}  # fmt: skip
CHANGE = {
    "ticker": "T", "side": "bid", "client_order_id": "k", "action": "buy", "outcome": "yes",
    "price": 4200, "total": 500, "new_price": 4300, "new_total": 500, "expiration": None,
    "subaccount": None, "base_shown": True,
}  # fmt: skip
TERMS = {
    "create": ORDER, "amend": CHANGE, "decrease": CHANGE, "cancel": {"ticker": "T", "subaccount": None},
}  # fmt: skip


def line(**said: Any) -> bytes:
    """A line as the file holds it, made by nothing of the library."""
    text = json.dumps(said).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def said(act: str = "create", state: str = "UNKNOWN", **more: Any) -> dict[str, Any]:
    terms = TERMS.get(act, {})
    old = {"key": "k", "act": act, "state": state, "session": "gone", "terms": terms, "order_id": "o-1"}
    return old | {"sent_at": EPOCH - 600, "until": EPOCH - 590} | more


def write(venue: Venue, data: bytes) -> Path:
    path = Path(venue.desk.journal.path)
    with path.open("ab") as stream:
        stream.write(data)
    return path


def place(venue: Venue) -> kr.OrderReport:
    return kr.create_order(venue.client, "T", quantity=1, price="0.10")


DOORS: dict[str, Callable[[Venue], Any]] = {
    "create_order": place,
    "create_orders": lambda venue: kr.create_orders(
        venue.client, [{"ticker": "T", "quantity": 1, "price": "0.10"}]
    ),
    "amend_order": lambda venue: kr.amend_order(venue.client, "o-1", quantity=3),
    "decrease_order": lambda venue: kr.decrease_order(venue.client, "o-1", by=1),
    "cancel_order": lambda venue: kr.cancel_order(venue.client, "o-1"),
    "cancel_orders": lambda venue: kr.cancel_orders(venue.client, ["o-1"]),
    "get_open_orders": lambda venue: kr.get_open_orders(venue.client),
}


def refused(venue: Venue, says: str, door: str = "create_order") -> None:
    path = venue.desk.journal.path if door else None
    with pytest.raises(JournalError, match=says) as error:
        DOORS[door](venue)
    text = str(error.value)
    assert str(path) in text
    assert "line (1)" in text
    assert "nothing was sent" in text
    assert "rename that file" in text
    assert len(text.splitlines()) <= 3
    assert venue.writes == []


def without(terms: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in terms.items() if key != name}


@pytest.mark.parametrize("act", ["create", "amend", "decrease", "cancel"])
@pytest.mark.parametrize("state", ["UNKNOWN", "ACKED"])
@pytest.mark.filterwarnings("ignore::kalshi_research.errors.OpenOrdersWarning")
def test_what_is_understood_is_taken(venue: Venue, act: str, state: str) -> None:
    write(venue, line(**said(act, state)))
    assert place(venue).state == "resting"


def test_an_order_that_was_decreased_to_nothing_is_understood(venue: Venue) -> None:
    made = place(venue)
    assert kr.decrease_order(venue.client, made, by=1).state == "canceled"
    assert kr.get_open_orders(venue.client).empty
    venue.restart()
    assert place(venue).state == "resting"


@pytest.mark.parametrize("order_id", ["o:1", "../portfolio", "o 1", "ö", "x" * 300])
@pytest.mark.filterwarnings("ignore::kalshi_research.errors.OpenOrdersWarning")
def test_whatever_id_the_exchange_gives_is_understood(venue: Venue, order_id: str) -> None:
    """What this version writes it can read: an odd answer must not stop everything."""
    venue.answer(CREATE, lambda v, _m, _r, more: (201, v.take(more["body"]) | {"order_id": order_id}))
    assert place(venue).order_id == order_id
    write(venue, line(**said("amend", order_id=order_id, terms={**CHANGE, "ticker": "a/b:c"})))
    venue.restart()
    before = len(venue.seen)
    assert kr.create_order(venue.client, "T", quantity=1, price="0.11").state == "resting"
    assert not [route for _, route, _ in venue.seen[before:] if ".." in route]


@pytest.mark.parametrize("door", DOORS)
def test_an_order_without_a_ticker_stops_everything(venue: Venue, door: str) -> None:
    write(venue, line(**said(terms=without(ORDER, "ticker"))))
    for _ in range(2):
        refused(venue, "its order .id k. cannot be used: Object missing required field `ticker`", door)


@pytest.mark.parametrize(
    ("act", "terms", "says"),
    [
        ("create", {**ORDER, "iceberg": 5}, "has 'iceberg', which this version does not know"),
        ("create", {**ORDER, "price": "0.42"}, r"Expected `int`, got `str` - at `\$\.price`"),
        ("create", {**ORDER, "price": None}, r"Expected `int`, got `null` - at `\$\.price`"),
        ("create", {**ORDER, "price": -1}, "its price is -1, in 1/10000 dollar"),
        ("create", {**ORDER, "price": 10_001}, "its price is 10001"),
        ("create", {**ORDER, "price": 2**63}, "its price is 9223372036854775808"),
        ("create", {**ORDER, "count": -5}, "its count is -5"),
        ("create", {**ORDER, "outcome": "maybe"}, "its outcome is 'maybe'"),
        ("create", {**ORDER, "action": "short"}, "its action is 'short'"),
        ("create", {**ORDER, "ticker": "../x"}, "its ticker is '../x'"),
        ("create", {**ORDER, "subaccount": 99}, "the subaccount 99 must be"),
        ("create", {**ORDER, "post_only": "no"}, r"at `\$\.post_only`"),
        ("create", {}, "missing required field"),
        ("amend", {**CHANGE, "newer": 1}, "its amend .id k. cannot be used: it has 'newer'"),
        ("amend", without(CHANGE, "ticker"), "missing required field `ticker`"),
        ("amend", {**CHANGE, "total": "5"}, r"at `\$\.total`"),
        ("decrease", {**CHANGE, "side": "buy"}, "its decrease .id k. cannot be used: its side is 'buy'"),
        ("decrease", {**CHANGE, "new_price": None}, r"at `\$\.new_price`"),
        ("decrease", {**CHANGE, "subaccount": "1"}, r"at `\$\.subaccount`"),
        ("cancel", {}, "its cancel .id k. cannot be used: its ticker is None"),
        ("cancel", {"ticker": 5}, "its ticker is 5"),
        ("cancel", {"ticker": "T", "subaccount": "1"}, "its subaccount is '1'"),
        ("replace", {"ticker": "T"}, "its act is 'replace', which this version does not know"),
        ("a\nb", {}, "its act is 'a.nb', which is none"),
    ],
)
def test_what_is_open_and_not_understood_stops_everything(
    venue: Venue, act: str, terms: dict[str, Any], says: str
) -> None:
    path = write(venue, line(**said(act, terms=terms)))
    refused(venue, says)
    path.rename(path.with_suffix(".old"))
    assert place(venue).state == "resting", "as the message says, a new one is begun"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"state": "LOST"}, "its state is 'LOST', which is none of this version"),
        ({"session": "../../x"}, "its session is '../../x', which is none"),
        ({"session": "a\x00"}, "its session is 'a.x00'"),
        ({"key": ""}, "its key is ''"),
        ({"key": "a\nb"}, "its key is 'a.nb'"),
        ({"filled": "1.00"}, r"damaged line \(1\): .*key"),
        ({"terms": 5}, r"damaged line \(1\)"),
        ({"key": 5}, r"damaged line \(1\)"),
        ({"until": "soon"}, r"damaged line \(1\)"),
    ],
)
def test_a_line_whose_own_values_are_none(venue: Venue, more: dict[str, Any], says: str) -> None:
    write(venue, line(**said(**more)))
    refused(venue, says)


@pytest.mark.parametrize(
    "data",
    [b'{"key": "k", "act": "create"}\n', b"hello\n", b"00000000 {}\n", line(a=1), b"\xff\xfe\n", b"\n"],
)
def test_what_is_no_line_is_shown(venue: Venue, data: bytes) -> None:
    write(venue, data)
    refused(venue, r"damaged line \(1\): '")


@pytest.mark.parametrize("state", ["ACKED", "REJECTED", "NOT_PLACED"])
@pytest.mark.parametrize(
    ("act", "terms"), [("amend", {**CHANGE, "newer": 1}), ("cancel", {}), ("replace", {"x": [1]})]
)
def test_what_is_settled_and_no_order_does_no_harm(
    venue: Venue, state: str, act: str, terms: Any
) -> None:
    write(venue, line(**said(act, state, terms=terms)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert place(venue).state == "resting"
        assert len(kr.get_open_orders(venue.client)) == 1


def test_keys_beside_those_of_a_line_are_passed_over(venue: Venue) -> None:
    write(venue, line(**said("create", "REJECTED"), weather="fine"))
    assert place(venue).state == "resting"


def spoiling(venue: Venue) -> Callable[..., tuple[int, Any]]:
    """The exchange takes an order, and another version writes into the journal at that moment."""

    def answer(_venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        body = asked["body"]
        write(venue, line(**said("replace", key="theirs")))
        if "orders" in body:
            return 200, {"orders": [venue.take(row) for row in body["orders"]]}
        return 201, venue.take(body)

    return answer


def mended(venue: Venue) -> None:
    path = Path(venue.desk.journal.path)
    kept = [one for one in path.read_bytes().splitlines(keepends=True) if b"theirs" not in one]
    path.write_bytes(b"".join(kept))


def test_of_an_order_that_has_left_it_is_not_said_that_nothing_was_sent(venue: Venue) -> None:
    venue.answer(CREATE, spoiling(venue))
    with pytest.raises(OrderUnknown, match=r"the order to buy 1 YES of T at .* was sent") as error:
        place(venue)
    assert "nothing was sent" not in str(error.value)
    assert len(str(error.value).splitlines()) == 3
    assert isinstance(error.value.__cause__, JournalError)
    mended(venue)
    assert error.value.resolve().state == "resting"
    assert venue.writes == [CREATE]


def test_of_a_batch_that_has_left_it_is_not_said_either(venue: Venue) -> None:
    venue.answer(f"{CREATE}/batched", spoiling(venue))
    rows = [{"ticker": "T", "quantity": 1, "price": price} for price in ("0.10", "0.11")]
    with pytest.raises(OrderUnknown, match="the batch of 2 orders was sent") as error:
        kr.create_orders(venue.client, rows)
    mended(venue)
    assert [report.state for report in error.value.resolve()] == ["resting", "resting"]


def test_of_a_change_and_of_cancels_it_is_not_said_either(venue: Venue) -> None:
    made = [place(venue), kr.create_order(venue.client, "T", quantity=5, price="0.11")]

    def spoiled(pattern: str, act: Callable[[], Any], says: str) -> OrderUnknown:
        def answer(*_: Any) -> None:
            write(venue, line(**said("replace", key="theirs")))

        venue.answer(pattern, answer)
        with pytest.raises(OrderUnknown, match=says) as error:
            act()
        mended(venue)
        return error.value

    change = spoiled(
        "POST */amend",
        lambda: kr.amend_order(venue.client, made[1], quantity=4),
        "the change of order .* was sent",
    )
    assert change.resolve().quantity == 4
    cancel = spoiled(
        "DELETE */o-*",
        lambda: kr.cancel_order(venue.client, made[1]),
        "the cancel of order .* was sent",
    )
    assert cancel.resolve().state == "canceled"
    cancels = spoiled(
        "DELETE */batched",
        lambda: kr.cancel_orders(venue.client, made[:1]),
        "the cancel of 1 orders was sent",
    )
    assert [report.state for report in cancels.resolve()] == ["canceled"]


STRANGE = {"subaccount_number": 64, "yes_price_dollars": "1.2000"}
DIRECT: dict[str, Callable[[Venue, str], Any]] = {
    "cancel_all_orders": lambda venue, _: kr.cancel_all_orders(venue.client),
    "cancel_orders": lambda venue, order: kr.cancel_orders(venue.client, [order]),
    "cancel_order": lambda venue, order: kr.cancel_order(venue.client, order),
    "decrease_order": lambda venue, order: kr.decrease_order(venue.client, order, by=1),
    "amend_order": lambda venue, order: kr.amend_order(venue.client, order, price="0.43"),
}


@pytest.mark.parametrize("door", DIRECT)
@pytest.mark.filterwarnings("ignore::kalshi_research.errors.OpenOrdersWarning")
def test_numbers_that_the_exchange_says_are_written_and_read_back(venue: Venue, door: str) -> None:
    """Of an order that somebody placed elsewhere, in a place that this version does not know."""
    order = venue.put("theirs", **STRANGE)["order_id"]
    DIRECT[door](venue, order)
    assert venue.writes
    assert place(venue).state == "resting"
    venue.restart()
    assert kr.create_order(venue.client, "T", quantity=1, price="0.11").state == "resting"


@pytest.mark.parametrize("act", ["amend", "decrease", "cancel"])
@pytest.mark.filterwarnings("ignore::kalshi_research.errors.OpenOrdersWarning")
def test_an_open_change_with_strange_numbers_of_the_exchange_is_understood(
    venue: Venue, act: str
) -> None:
    numbers = {"price": 12_000, "new_price": -1, "total": -5, "new_total": 2**63}
    terms = TERMS[act] | {"subaccount": 64} | (numbers if act != "cancel" else {})
    write(venue, line(**said(act, terms=terms)))
    assert place(venue).state == "resting"


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl", check=problem_of)
    good = Intent("good", "create", "SENT", "s", ORDER)
    journal.write(good)
    before = journal.path.read_bytes()
    for bad in (
        Intent("bad", "create", "SENT", "s", ORDER | {"price": 10_001}),
        Intent("bad", "replace", "SENT", "s", {}),
        Intent("bad", "create", "SENT", "s", ORDER, note="\ud800"),
    ):
        with pytest.raises(JournalError, match="kept out of the order journal") as error:
            journal.write(good, bad)
        assert len(str(error.value).splitlines()) == 3
        assert journal.path.read_bytes() == before
    assert journal.note("good", state="ACKED").state == "ACKED"
    assert set(journal.intents()) == {"good"}
    journal.close()


def test_of_the_cancel_of_everything_it_is_not_said_either(venue: Venue) -> None:
    place(venue)
    seen = []

    def answer(*_: Any) -> None:
        seen.append(write(venue, line(**said("replace", key="theirs"))))

    venue.answer("DELETE /portfolio/events/orders", answer)
    with pytest.raises(OrderUnknown, match="the cancel of everything was sent") as error:
        kr.cancel_all_orders(venue.client)
    assert seen
    mended(venue)
    assert [report.state for report in error.value.resolve()] == ["canceled"]


def test_of_a_change_that_was_looked_for_it_is_not_said_either(venue: Venue, monkeypatch: Any) -> None:
    """The journal is spoiled after the look, while the order itself is brought up to date."""
    made, real = place(venue), changing.settle_changes

    def lost(_venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> Any:
        venue.change(made.order_id, asked["body"])
        return BUSY

    def spoiled(*asked: Any) -> Any:
        found = real(*asked)
        write(venue, line(**said("replace", key="theirs")))
        return found

    venue.answer("POST */decrease", lost)
    with monkeypatch.context() as patch:
        patch.setattr(changing, "settle_changes", spoiled)
        with pytest.raises(OrderUnknown, match=r"the change of order .* was sent") as error:
            kr.decrease_order(venue.client, made, by="0.50")
    assert "nothing was sent" not in str(error.value)
    mended(venue)
    assert error.value.resolve().remaining == Decimal("0.50")


def renamed(venue: Venue) -> None:
    """As the message advises where a line is damaged."""
    path = write(venue, b"hello\n")
    with pytest.raises(JournalError, match="rename that file"):
        venue.desk.journal.intents()
    path.rename(path.with_suffix(".old"))


LOSING: dict[str, tuple[Callable[[Venue], Any], str]] = {
    "create_order": (place, "order .* may have been sent"),
    "create_orders": (
        lambda venue: kr.create_orders(
            venue.client, [{"ticker": "T", "quantity": 1, "price": price} for price in ("0.10", "0.11")]
        ),
        "2 orders of a batch of 2 .* may have been sent",
    ),
    "amend_order": (
        lambda venue: kr.amend_order(venue.client, venue.put("k")["order_id"], price="0.43"),
        "the change of order o-k may have been sent",
    ),
}


@pytest.mark.parametrize("door", LOSING)
def test_what_a_journal_knew_that_was_renamed_since_is_not_said_to_be_unsent(
    venue: Venue, door: str
) -> None:
    call, says = LOSING[door]
    venue.answer("POST *", spoiling(venue) if door == "create_orders" else LOST)
    venue.desk.pace = replace(venue.desk.pace, patience=0.0)
    with pytest.raises(OrderUnknown) as error:
        call(venue)
    if door == "create_orders":
        mended(venue)
    renamed(venue)
    for _ in range(2):
        with pytest.raises(OrderUnknown, match=says) as again:
            error.value.resolve()
        assert "get_orders(client)" in str(again.value)
        assert "nothing was sent" not in str(again.value)
        error = again
    assert len(venue.writes) == 1


def test_a_journal_that_is_renamed_while_an_order_is_on_its_way(venue: Venue) -> None:
    def answer(_venue: Venue, _method: str, _route: str, asked: dict[str, Any]) -> tuple[int, Any]:
        renamed(venue)
        return 201, venue.take(asked["body"])

    venue.answer(CREATE, answer)
    with pytest.raises(OrderUnknown, match=r"was sent, but its outcome is not known here: .* not know"):
        place(venue)
