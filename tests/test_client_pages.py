"""Walks over pages: every row once, complete or saying that it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from stub_server import Answer, Seen, StubServer

from kalshi_research.client import Page, connect
from kalshi_research.client.pages import Pages
from kalshi_research.errors import (
    AuthError,
    DecodeError,
    InputError,
    PaginationError,
    ServerError,
)

Fetch = Callable[[dict], bytes]


def tape(rows: int, *, most: int = 1000) -> Fetch:
    """An exchange with that many trades, whose cursor is the number of the next one."""

    def fetch(query: dict) -> bytes:
        start = int(query["cursor"] or 0)
        stop = min(start + min(query.get("limit") or most, most), rows)
        trades = [{"trade_id": f"t{n}", "count_fp": "1.00"} for n in range(start, stop)]
        return json.dumps({"trades": trades, "cursor": str(stop) if stop < rows else ""}).encode()

    return fetch


def script(*pages: object) -> Fetch:
    """Answers in turn: ``(rows, cursor)``, raw bytes, or an error to raise."""
    left = list(pages)

    def fetch(query: dict) -> bytes:
        fetch.asked.append(query["cursor"])
        item = left.pop(0)
        if isinstance(item, Exception):
            raise item
        if isinstance(item, bytes):
            return item
        rows, cursor = item
        return json.dumps({"trades": [{"trade_id": row} for row in rows], "cursor": cursor}).encode()

    fetch.asked = []
    return fetch


def ids(pages: Pages | list[Page]) -> list[str]:
    return [row["trade_id"] for page in pages for row in page.json()["trades"]]


def test_every_row_comes_once_and_in_order() -> None:
    walk = Pages(tape(2500), "trades")
    found = list(walk)
    assert ids(found) == [f"t{n}" for n in range(2500)]
    assert [(page.number, page.n_rows) for page in found] == [(1, 1000), (2, 1000), (3, 500)]
    assert (walk.complete, walk.capped, walk.rows, walk.pages, walk.cursor) == (True, False, 2500, 3, "")
    assert list(walk) == []


@pytest.mark.parametrize("end", [b'"cursor": ""', b'"cursor": null', b'"other": 1'])
def test_the_last_page_is_known_by_an_empty_null_or_missing_cursor(end) -> None:
    walk = Pages(script(b'{"trades": [{"trade_id": "a"}], ' + end + b"}"), "trades")
    assert ids(walk) == ["a"]
    assert walk.complete


def test_next_cursor_is_a_cursor_too() -> None:
    first, last = (
        b'{"incentive_programs": [{"id": 1}], "next_cursor": "A"}',
        b'{"incentive_programs": []}',
    )
    fetch = script(first, last)
    walk = Pages(fetch, "incentive_programs")
    assert [page.n_rows for page in walk] == [1, 0]
    assert fetch.asked == [None, "A"]


def test_recorded_pages_are_walked(shared: Path) -> None:
    folder = shared / "real/rest_demo_2026_06"
    bodies = [(folder / f"markets__page{n}.json").read_bytes() for n in (1, 2, 3)]
    ends = json.dumps({"markets": [], "cursor": ""}).encode()
    walk = Pages(script(*bodies, ends), "markets")
    tickers = [market["ticker"] for page in walk for market in page.json()["markets"]]
    assert tickers == [market["ticker"] for body in bodies for market in json.loads(body)["markets"]]
    assert walk.complete


def test_the_recorded_restart_after_a_bad_cursor_is_noticed(shared: Path) -> None:
    """A garbage cursor silently brings the first page again, whose prices may have moved."""
    page = json.loads((shared / "real/rest_demo_2026_06/markets__page1.json").read_text())
    again = json.loads(json.dumps(page))
    for market in again["markets"]:
        market["volume_fp"] = "123.00"
    again["cursor"] = "another"
    walk = Pages(script(json.dumps(page).encode(), json.dumps(again).encode()), "markets")
    next(walk)
    with pytest.raises(PaginationError, match="row of an earlier page") as caught:
        next(walk)
    assert caught.value.rows == len(page["markets"])
    assert not walk.complete


@pytest.mark.parametrize(
    ("cursors", "kept"),
    [(["A", "A"], 2), (["A", "B", "A"], 3), (["A", "B", "C", "B"], 4)],
)
def test_a_circle_of_cursors_ends_without_another_request(cursors, kept) -> None:
    fetch = script(*[([f"r{n}"], cursor) for n, cursor in enumerate(cursors)])
    walk = Pages(fetch, "trades")
    found = [next(walk) for _ in range(kept)]
    with pytest.raises(PaginationError) as caught:
        next(walk)
    assert len(ids(found)) == kept
    assert (caught.value.rows, caught.value.pages, caught.value.cursor) == (kept, kept, "")
    assert len(fetch.asked) == len(cursors)
    assert not walk.complete
    with pytest.raises(PaginationError):
        next(walk)


def test_the_same_page_for_ever_is_noticed_after_one_request_too_many() -> None:
    fetch = script((["a", "b"], "A"), (["a", "b"], "B"), (["a", "b"], "C"))
    walk = Pages(fetch, "trades")
    assert ids([next(walk)]) == ["a", "b"]
    with pytest.raises(PaginationError):
        next(walk)
    assert len(fetch.asked) == 2


def test_empty_pages_are_passed_over_but_not_for_ever() -> None:
    some = Pages(script(*[([], f"c{n}") for n in range(20)], (["a"], "")), "trades")
    assert ids(some) == ["a"]
    assert some.complete
    fetch = script(*[([], f"c{n}") for n in range(50)])
    walk = Pages(fetch, "trades")
    with pytest.raises(PaginationError, match="20 empty pages") as caught:
        list(walk)
    assert len(fetch.asked) == 21
    assert caught.value.cursor == "c19"


def test_an_empty_answer_is_a_complete_one() -> None:
    walk = Pages(script(([], "")), "trades")
    assert [page.n_rows for page in walk] == [0]
    assert (walk.complete, walk.rows, walk.pages) == (True, 0, 1)


def test_a_failure_keeps_what_arrived_and_says_where_to_go_on() -> None:
    fetch = script((["a"], "A"), (["b"], "B"), ServerError(503, method="GET", path="/x"), (["c"], ""))
    walk = Pages(fetch, "trades")
    assert ids([next(walk), next(walk)]) == ["a", "b"]
    with pytest.raises(PaginationError, match='go on with cursor="B"') as caught:
        next(walk)
    error = caught.value
    assert (error.cursor, error.rows, error.pages) == ("B", 2, 2)
    assert isinstance(error.cause, ServerError)
    assert error.__context__ is None
    assert (walk.complete, walk.cursor) == (False, "B")
    assert ids(walk) == ["c"]
    assert walk.complete


def test_a_new_walk_goes_on_where_the_old_one_stopped() -> None:
    fetch = tape(2500)
    first = Pages(fetch, "trades")
    rows = ids([next(first)])
    rest = Pages(fetch, "trades", cursor=first.cursor)
    assert rows + ids(rest) == [f"t{n}" for n in range(2500)]


def test_a_failure_of_the_first_page_is_raised_as_it_is() -> None:
    with pytest.raises(AuthError):
        next(Pages(script(AuthError(401)), "trades"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"cursor": ""}',
        b'{"trade_list": []}',
        b'{"trades": {"a": 1}}',
        b'{"trades": [], "cursor": 7}',
        b'{"trades": [NaN]}',
        b'{"trades": [',
        b'{"trades": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"trades": [], "cursor": "\xff"}',
        b"[]",
    ],
)
def test_a_page_that_is_not_one_is_refused(body) -> None:
    with pytest.raises(DecodeError, match="trades"):
        next(Pages(script(body), "trades"))
    walk = Pages(script((["a"], "A"), body), "trades")
    next(walk)
    with pytest.raises(PaginationError) as caught:
        next(walk)
    assert isinstance(caught.value.cause, DecodeError)
    assert caught.value.cursor == "A"


def test_a_missing_list_is_named() -> None:
    with pytest.raises(DecodeError, match="trades"):
        next(Pages(script(b'{"cursor": ""}'), "trades"))


def test_null_for_a_list_means_no_rows() -> None:
    assert [page.n_rows for page in Pages(script(b'{"trades": null, "cursor": null}'), "trades")] == [0]


def test_a_small_number_of_rows_takes_exactly_one_request() -> None:
    def serve(seen: Seen) -> Answer:
        return Answer(body=tape(5000)({"cursor": "", "limit": int(dict(seen.query)["limit"])}))

    with StubServer(serve) as server, connect(server.url) as client:
        walk = client.pages("/markets/trades", "trades", params={"ticker": "KX"}, max_rows=10)
        found = list(walk)
    assert len(ids(found)) == 10
    assert [seen.query for seen in server.seen] == [[("ticker", "KX"), ("limit", "10")]]
    assert (walk.capped, walk.complete, walk.cursor) == (True, False, "10")
    assert "capped" in repr(walk)


def test_a_cap_over_several_pages_asks_for_no_row_too_many() -> None:
    asked = []

    def fetch(query: dict) -> bytes:
        asked.append(query["limit"])
        return tape(5000)(query)

    walk = Pages(fetch, "trades", max_rows=2300)
    assert len(ids(walk)) == 2300
    assert asked == [1000, 1000, 300]


@pytest.mark.parametrize(("rows", "capped"), [(10, False), (11, True), (9, False)])
def test_a_cap_that_was_not_reached_is_no_cap(rows, capped) -> None:
    walk = Pages(tape(rows), "trades", max_rows=10)
    assert len(ids(walk)) == min(rows, 10)
    assert (walk.capped, walk.complete) == (capped, not capped)


def test_no_limit_sends_none() -> None:
    with StubServer([Answer(body=b'{"series": []}')]) as server, connect(server.url) as client:
        list(client.pages("/series", "series", limit=None))
    assert server.seen[0].query == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": 10_001},
        {"limit": 2.5},
        {"limit": True},
        {"limit": "100"},
        {"max_rows": 0},
        {"max_rows": 1.5},
        {"cursor": None},
        {"params": {"limit": 5}},
        {"params": {"cursor": "x"}},
    ],
)
def test_games_with_limits_are_refused_unsent(wrong) -> None:
    with StubServer([Answer()]) as server, connect(server.url) as client:
        with pytest.raises(InputError):
            client.pages("/markets", "markets", **wrong)
        assert server.seen == []
