"""Asking for public data: what is sent, what comes back, and what is never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.client.timing import Timing
from kalshi_research.environments import find_target
from kalshi_research.errors import (
    DecodeError,
    FrameError,
    InputError,
    NotFoundError,
    PaginationError,
    PartialDataWarning,
    ServerError,
    WalkInterrupted,
)
from tests.fake_exchange import NOON, FakeExchange, market, trade
from tests.stub_server import Answer, StubServer

TICKER = "KXHIGHNY-26NOV20-B50.5"
OTHER = "KXHIGHNY-26NOV20-B52.5"


@pytest.fixture
def exchange() -> FakeExchange:
    fake = FakeExchange()
    fake.live[TICKER] = [trade(2500 - i, TICKER, NOON - timedelta(minutes=i)) for i in range(2500)]
    fake.live[OTHER] = [trade(9000 - i, OTHER, NOON - timedelta(minutes=i)) for i in range(10)]
    old = NOON - timedelta(days=70)
    fake.archive[TICKER] = [trade(100_500 - i, TICKER, old - timedelta(minutes=i)) for i in range(500)]
    fake.markets = [
        market(f"KXHIGHNY-26NOV20-B{n}.5", created=NOON - timedelta(hours=n)) for n in range(40, 60)
    ]
    fake.old_markets = [market("KXHIGHNY-25JAN01-B40.5", status="finalized", result="yes")]
    return fake


@pytest.fixture
def client(exchange: FakeExchange) -> Iterator[kr.Client]:
    impatient = Timing(uniform=min)  # a retry waits for the least time there is: none
    with (
        StubServer(exchange) as server,
        kr.Client(find_target(server.url), deadline=5, timing=impatient) as client,
    ):
        yield client


class TestTrades:
    def test_every_row_of_both_tiers_arrives_once_and_in_order(self, client, exchange):
        # the boundary is served by both tiers
        exchange.archive[TICKER] = exchange.live[TICKER][-5:] + exchange.archive[TICKER]
        trades = kr.get_trades(client, TICKER)
        expected = {row["trade_id"] for row in exchange.live[TICKER] + exchange.archive[TICKER]}
        assert len(trades) == 3000
        assert set(trades["trade_id"]) == expected
        assert trades.index.is_monotonic_increasing
        assert trades.attrs["kalshi"]["complete"] is True
        assert trades.attrs["kalshi"]["rows"] == 3000
        assert trades.attrs["kalshi"]["tier"] == "live+historical"
        assert trades.attrs["kalshi"]["simulated"] is True

    def test_what_is_sent(self, client, exchange):
        kr.get_trades(client, TICKER, start="2026-11-20T11:00:00.5Z", end="2026-11-20T11:30:00.5Z")
        path, query = exchange.asked[0]
        assert path == "/markets/trades"
        start = int(pd.Timestamp("2026-11-20T11:00:00Z").timestamp())
        end = int(pd.Timestamp("2026-11-20T11:30:01Z").timestamp())
        assert query == {"ticker": TICKER, "min_ts": str(start), "max_ts": str(end), "limit": "1000"}

    def test_a_window_is_exact_start_inclusive_end_exclusive(self, client):
        trades = kr.get_trades(client, TICKER, start="2026-11-20T11:00Z", end="2026-11-20T11:30Z")
        assert trades.index[0] == pd.Timestamp("2026-11-20T11:00Z")
        assert trades.index[-1] == pd.Timestamp("2026-11-20T11:29Z")
        assert len(trades) == 30

    def test_local_times_are_understood(self, client):
        trades = kr.get_trades(
            client, TICKER, start=pd.Timestamp("2026-11-20 06:59", tz="America/New_York")
        )
        assert len(trades) == 2

    def test_a_window_after_the_cutoff_leaves_the_archive_alone(self, client, exchange):
        kr.get_trades(client, TICKER, start="2026-11-20T11:00Z")
        assert "/historical/trades" not in exchange.paths()

    def test_max_rows_is_one_request_for_so_many_rows(self, client, exchange):
        trades = kr.get_trades(client, TICKER, max_rows=10)
        assert [query["limit"] for _, query in exchange.asked] == ["10"]
        assert len(trades) == 10
        assert trades.index[-1] == pd.Timestamp(NOON)
        assert trades.attrs["kalshi"]["complete"] is False
        assert trades.attrs["kalshi"]["max_rows"] == 10

    def test_a_page_larger_than_asked_for_is_cut_to_the_newest(self, client, exchange):
        exchange.routes["/markets/trades"] = lambda *_: {
            "trades": exchange.live[TICKER][:50],
            "cursor": "",
        }
        trades = kr.get_trades(client, TICKER, max_rows=10)
        assert len(trades) == 10
        assert trades.index[-1] == pd.Timestamp(NOON)
        assert trades.attrs["kalshi"]["complete"] is False

    def test_several_tickers_make_one_frame(self, client):
        trades = kr.get_trades(client, [TICKER, OTHER], start="2026-11-20")
        assert trades["ticker"].value_counts().to_dict() == {TICKER: 721, OTHER: 10}
        assert trades.index.is_monotonic_increasing

    def test_a_markets_frame_serves_as_tickers(self, client):
        markets = kr.get_markets(client, [TICKER, OTHER])
        assert set(kr.get_trades(client, markets, start="2026-11-20")["ticker"]) == {TICKER, OTHER}

    def test_the_whole_tape(self, client, exchange):
        trades = kr.get_trades(client, start="2026-11-20T11:58Z")
        assert set(trades["ticker"]) == {TICKER, OTHER}
        assert "ticker" not in exchange.asked[0][1]

    def test_an_answer_for_another_ticker_is_refused(self, client, exchange):
        exchange.routes["/markets/trades"] = lambda *_: {"trades": exchange.live[OTHER], "cursor": ""}
        with pytest.raises(DecodeError, match=OTHER):
            kr.get_trades(client, TICKER, start="2026-11-20")

    def test_an_unknown_ticker_is_not_an_empty_tape(self, client):
        with pytest.raises(NotFoundError, match="KXNO-SUCH"):
            kr.get_trades(client, "KXNO-SUCH")

    def test_a_known_market_without_trades_is_an_empty_tape(self, client):
        trades = kr.get_trades(client, "KXHIGHNY-26NOV20-B41.5")
        assert len(trades) == 0
        assert str(trades.index.dtype) == "datetime64[us, UTC]"

    def test_an_unknown_ticker_among_others_is_named(self, client):
        with pytest.warns(PartialDataWarning, match="KXNO-SUCH"):
            kr.get_trades(client, [TICKER, "KXNO-SUCH"], start="2026-11-20")


class TestNothingIsLost:
    def test_a_failure_in_mid_walk_carries_the_rows_and_the_way_on(self, client, exchange):
        exchange.fault = lambda path, number: Answer(500, {}) if 3 <= number <= 5 else None
        with pytest.raises(PaginationError) as caught:
            kr.get_trades(client, TICKER)
        error = caught.value
        assert isinstance(error.cause, ServerError)
        assert len(error.frame) == error.rows == 2000
        assert error.frame.dtypes.equals(kr.get_trades(client, OTHER).dtypes)
        assert error.frame.attrs["kalshi"]["complete"] is False
        exchange.fault = lambda path, number: None
        rest = kr.get_trades(client, TICKER, cursor=error.cursor)
        whole = kr.get_trades(client, TICKER)
        assert sorted([*error.frame["trade_id"], *rest["trade_id"]]) == sorted(whole["trade_id"])

    def test_a_page_that_cannot_be_read_breaks_off_at_that_page(self, client, exchange):
        def fault(path: str, number: int) -> Answer | None:
            bad = {"trades": [{**exchange.live[TICKER][1000], "ticker": 7}], "cursor": "x"}
            return Answer(200, bad) if number == 2 else None

        exchange.fault = fault
        with pytest.raises(PaginationError, match="ticker") as caught:
            kr.get_trades(client, TICKER)
        assert len(caught.value.frame) == 1000
        exchange.fault = lambda path, number: None
        rest = kr.get_trades(client, TICKER, cursor=caught.value.cursor)
        assert len(rest) == 2000

    def test_a_failure_in_the_second_of_two_walks_resumes_there(self, client, exchange):
        exchange.fault = lambda path, number: (
            Answer(503, {}) if path == "/historical/trades" and number < 8 else None
        )
        with pytest.raises(PaginationError) as caught:
            kr.get_trades(client, TICKER)
        assert len(caught.value.frame) == 2500
        exchange.fault = lambda path, number: None
        exchange.asked.clear()
        rest = kr.get_trades(client, TICKER, cursor=caught.value.cursor)
        assert len(rest) == 500
        assert "/markets/trades" not in exchange.paths()

    @pytest.mark.parametrize("start", [None, "2026-01-01"])
    def test_a_failure_between_two_walks_loses_nothing(self, client, exchange, start):
        exchange.fault = lambda path, number: Answer(400, {}) if path == "/historical/cutoff" else None
        with pytest.raises(PaginationError) as caught:
            kr.get_trades(client, TICKER, start=start)
        assert len(caught.value.frame) == 2500
        exchange.fault = lambda path, number: None
        exchange.asked.clear()
        rest = kr.get_trades(client, TICKER, start=start, cursor=caught.value.cursor)
        assert len(rest) == 500
        assert "/markets/trades" not in exchange.paths()

    def test_resuming_after_the_last_walk_brings_nothing_twice(self, client, exchange):
        exchange.cutoff = NOON - timedelta(days=80)
        exchange.fault = lambda path, number: Answer(400, {}) if path == "/historical/cutoff" else None
        with pytest.raises(PaginationError) as caught:
            kr.get_trades(client, TICKER, start="2026-11-01")
        exchange.fault = lambda path, number: None
        rest = kr.get_trades(client, TICKER, start="2026-11-01", cursor=caught.value.cursor)
        assert len(caught.value.frame) == 2500
        assert len(rest) == 0

    def test_a_failure_while_looking_for_unknown_tickers_loses_nothing(self, client, exchange):
        exchange.fault = lambda path, number: Answer(400, {}) if path == "/markets" else None
        with pytest.raises(PaginationError) as caught:
            kr.get_trades(client, [OTHER, "KXNO-SUCH"], start="2026-11-20")
        assert len(caught.value.frame) == 10

    def test_a_cursor_of_another_question_is_refused(self, client):
        with pytest.raises(InputError, match="another question"):
            kr.get_trades(client, OTHER, cursor="live:KXSOMETHING|1000")

    def test_a_failure_of_the_first_request_is_raised_as_it_is(self, client, exchange):
        exchange.fault = lambda path, number: Answer(400, {"msg": "no"})
        with pytest.raises(kr.errors.BadRequestError):
            kr.get_trades(client, TICKER)

    def test_an_interrupt_keeps_what_has_arrived(self, client, exchange):
        def fault(path: str, number: int) -> Answer | None:
            if number == 3:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                return Answer(silent=True)
            return None

        exchange.fault = fault
        with pytest.raises(WalkInterrupted) as caught:
            kr.get_trades(client, TICKER)
        assert len(caught.value.frame) == 2000
        exchange.fault = lambda path, number: None
        assert len(kr.get_trades(client, TICKER, cursor=caught.value.cursor)) == 1000

    def test_a_cursor_that_repeats_ends_the_walk(self, client, exchange):
        exchange.routes["/markets/trades"] = lambda query, _: {
            "trades": exchange.live[TICKER][int(query.get("cursor", 0)) :][:5],
            "cursor": "5",
        }
        with pytest.raises(PaginationError) as caught:
            kr.get_trades(client, TICKER)
        assert len(caught.value.frame) == 10
        assert len(exchange.asked) <= 3


class TestNews:
    def test_newer_than_an_id(self, client, exchange):
        marker = exchange.live[TICKER][3]["trade_id"]
        trades = kr.get_trades(client, TICKER, newer_than=marker)
        assert trades["trade_id"].tolist() == [
            row["trade_id"] for row in exchange.live[TICKER][:3][::-1]
        ]
        assert exchange.paths() == ["/markets/trades"]

    def test_newer_than_a_time_excludes_it(self, client):
        trades = kr.get_trades(client, TICKER, newer_than="2026-11-20T11:58Z")
        assert len(trades) == 2

    def test_newer_than_an_earlier_frame(self, client, exchange):
        before = kr.get_trades(client, TICKER, start="2026-11-20T11:00Z")
        late = trade(50_000, TICKER, NOON)  # shares the instant of the newest known one
        exchange.live[TICKER] = [
            trade(50_001, TICKER, NOON + timedelta(minutes=1)),
            *exchange.live[TICKER][:1],
            late,
            *exchange.live[TICKER][1:],
        ]
        trades = kr.get_trades(client, TICKER, newer_than=before)
        assert set(trades["trade_id"]) == {late["trade_id"], exchange.live[TICKER][0]["trade_id"]}

    def test_nothing_new_is_an_empty_frame(self, client):
        before = kr.get_trades(client, TICKER, start="2026-11-20T11:00Z")
        assert len(kr.get_trades(client, TICKER, newer_than=before)) == 0

    def test_a_marker_that_does_not_turn_up_is_said(self, client):
        with pytest.warns(PartialDataWarning, match="did not turn up"):
            kr.get_trades(client, OTHER, newer_than="no-such-trade")

    def test_newer_markets(self, client, exchange):
        newest = kr.get_markets(
            client, series_ticker="KXHIGHNY", status="open", newer_than="KXHIGHNY-26NOV20-B43.5"
        )
        assert newest.index.tolist() == [f"KXHIGHNY-26NOV20-B{n}.5" for n in (40, 41, 42)]
        by_time = kr.get_markets(client, newer_than=NOON - timedelta(hours=43))
        assert by_time.index.equals(newest.index)

    def test_newer_than_and_start_exclude_each_other(self, client, exchange):
        with pytest.raises(InputError, match="newer_than and start"):
            kr.get_trades(client, TICKER, newer_than="x", start="2026-11-20")
        assert not exchange.asked


class TestMarkets:
    def test_combos_are_left_out_unless_asked_for(self, client, exchange):
        kr.get_markets(client, status="open")
        kr.get_markets(client, status="open", mve_filter=None)
        assert [query.get("mve_filter") for _, query in exchange.asked] == ["exclude", None]

    def test_old_markets_come_through_the_same_call(self, client):
        markets = kr.get_markets(client, series_ticker="KXHIGHNY")
        assert len(markets) == 21
        assert markets.loc["KXHIGHNY-25JAN01-B40.5", "result"] == "yes"

    def test_by_name_only_the_missing_are_looked_for_in_the_archive(self, client, exchange):
        markets = kr.get_markets(client, [TICKER, "KXHIGHNY-25JAN01-B40.5"])
        assert set(markets.index) == {TICKER, "KXHIGHNY-25JAN01-B40.5"}
        assert exchange.asked[-1] == (
            "/historical/markets",
            {"tickers": "KXHIGHNY-25JAN01-B40.5", "limit": "1000"},
        )

    def test_many_names_are_cut_into_requests_of_a_hundred(self, client, exchange):
        exchange.markets = [market(f"KXMANY-26-{n}") for n in range(250)]
        markets = kr.get_markets(client, [row["ticker"] for row in exchange.markets])
        assert len(markets) == 250
        assert len(exchange.asked) == 3

    def test_one_market_wherever_it_is(self, client, exchange):
        exchange.routes[f"/markets/{TICKER}"] = lambda *_: {"market": market(TICKER)}
        exchange.routes["/historical/markets/KXHIGHNY-25JAN01-B40.5"] = lambda *_: {
            "market": exchange.old_markets[0]
        }
        assert kr.get_market(client, TICKER).index.tolist() == [TICKER]
        assert kr.get_market(client, "KXHIGHNY-25JAN01-B40.5")["status"].tolist() == ["finalized"]
        with pytest.raises(NotFoundError):
            kr.get_market(client, "KXNO-SUCH")

    def test_search_finds_all_words_in_any_case(self, client):
        found = kr.search_markets(client, "HAPPEN b41.5")
        assert found.index.tolist() == ["KXHIGHNY-26NOV20-B41.5"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"status": "active"}, "the filter says 'open'"),
            ({"status": "opne"}, "did you mean 'open'"),
            ({"status": "open", "min_close_ts": "2026-01-01"}, "close times goes with"),
            ({"min_close_ts": "2026-01-01", "min_settled_ts": "2026-01-01"}, "exclude each other"),
            ({"tickers": "A", "event_ticker": "B"}, "exclude each other"),
            ({"min_close_ts": "2026-01-02", "max_close_ts": "2026-01-01"}, "must lie before"),
            ({"min_close_ts": "2026-01-02 10:00"}, "no time zone"),
            ({"min_close_ts": 1_700_000_000}, "bare number"),
            ({"min_close_ts": "soon"}, "cannot be read as a time"),
            ({"min_updated_ts": "2026-01-01", "event_ticker": "B"}, "do not go with event_ticker"),
            ({"min_updated_ts": "2026-01-01", "mve_filter": None}, "mve_filter='exclude'"),
            ({"mve_filter": "none"}, "mve_filter must be one of"),
            ({"max_rows": 0}, "at least 1"),
            ({"max_rows": True}, "at least 1"),
            ({"tickers": ""}, "is no ticker"),
            ({"tickers": []}, "the list is empty"),
            ({"tickers": "A/../B"}, "is no ticker"),
            ({"tickers": "A?x=1"}, "is no ticker"),
            ({"tickers": "A\r\nX: y"}, "is no ticker"),
            ({"tickers": "A..B"}, "is no ticker"),
            ({"tickers": 7}, "must be text"),
            ({"tickers": ["A", 7]}, "must be text"),
            ({"tickers": b"A"}, "must be text"),
            ({"newer_than": "2026-01-01", "status": "settled"}, "not listed by creation"),
        ],
    )
    def test_bad_arguments_are_refused_before_a_byte_is_sent(self, client, exchange, arguments, message):
        with pytest.raises(InputError, match=message):
            kr.get_markets(client, **arguments)
        assert not exchange.asked

    def test_a_frame_without_tickers_says_what_makes_one_with_them(self, client):
        with pytest.raises(FrameError, match="get_markets"):
            kr.get_trades(client, pd.DataFrame({"x": [1]}))


class TestOrderbooks:
    @pytest.fixture(autouse=True)
    def books(self, exchange: FakeExchange) -> None:
        def batch(query, seen):
            names = [value for key, value in seen.query if key == "tickers"]
            return {"orderbooks": [self.book(name) for name in names if name != "KXGONE"]}

        exchange.routes["/markets/orderbooks"] = batch
        exchange.routes[f"/markets/{TICKER}/orderbook"] = lambda *_: {
            "orderbook_fp": self.book(TICKER)["orderbook_fp"]
        }

    @staticmethod
    def book(ticker: str) -> dict:
        empty = ticker.startswith("KXEMPTY")
        yes = [] if empty else [["0.0100", "200.00"], ["0.4100", "10.00"], ["0.4200", "13.00"]]
        no = [] if empty else [["0.4500", "20.00"], ["0.5600", "17.00"]]
        return {"ticker": ticker, "orderbook_fp": {"yes_dollars": yes, "no_dollars": no}}

    def test_one_book_has_its_asks_implied_and_the_best_first(self, client):
        book = kr.get_orderbook(client, TICKER)
        assert book[["side", "level", "price", "quantity", "cumulative"]].to_numpy().tolist() == [
            ["bid", 0, 0.42, 13.0, 13.0],
            ["bid", 1, 0.41, 10.0, 23.0],
            ["bid", 2, 0.01, 200.0, 223.0],
            ["ask", 0, 0.44, 17.0, 17.0],
            ["ask", 1, 0.55, 20.0, 37.0],
        ]

    def test_depth_goes_to_the_exchange_and_holds_for_many(self, client, exchange):
        kr.get_orderbook(client, TICKER, depth=1)
        assert exchange.asked[-1][1] == {"depth": "1"}
        books = kr.get_orderbooks(client, [TICKER, OTHER], depth=1)
        assert len(books) == 4
        assert books.index.tolist() == [0, 1, 2, 3]

    def test_many_books_go_a_hundred_a_request(self, client, exchange):
        names = [f"KXB-{n}" for n in range(250)]
        books = kr.get_orderbooks(client, names)
        assert [path for path, _ in exchange.asked] == ["/markets/orderbooks"] * 3
        assert books["ticker"].cat.categories.tolist() == names

    def test_an_empty_book_keeps_its_name(self, client):
        books = kr.get_orderbooks(client, [TICKER, "KXEMPTY"])
        quotes = kr.quotes(books)
        assert quotes.index.tolist() == [TICKER, "KXEMPTY"]
        assert (
            quotes.loc["KXEMPTY"]
            .drop(["yes_bid_size", "yes_ask_size", "no_bid_size", "no_ask_size"])
            .isna()
            .all()
        )

    def test_a_book_that_does_not_come_back_is_said(self, client):
        with pytest.warns(PartialDataWarning, match="KXGONE"):
            books = kr.get_orderbooks(client, [TICKER, "KXGONE"])
        assert books["ticker"].cat.categories.tolist() == [TICKER]
        assert books.attrs["kalshi"]["complete"] is False

    @pytest.mark.parametrize("depth", [-1, 101, 1.5, True])
    def test_bad_depth(self, client, exchange, depth):
        with pytest.raises(InputError, match="depth"):
            kr.get_orderbook(client, TICKER, depth=depth)
        assert not exchange.asked


class TestCandlesticks:
    @staticmethod
    def candle(end: int) -> dict:
        ohlc = dict.fromkeys(("open_dollars", "high_dollars", "low_dollars", "close_dollars"), "0.4200")
        return {
            "end_period_ts": end,
            "price": {**ohlc, "mean_dollars": "0.4200", "previous_dollars": "0.4100"},
            "yes_bid": ohlc,
            "yes_ask": {**dict.fromkeys(ohlc, "0.4400")},
            "volume_fp": "3.00",
            "open_interest_fp": "9.00",
        }

    @pytest.fixture(autouse=True)
    def candles(self, exchange: FakeExchange) -> None:
        def batch(query, _):
            start, end, step = (int(query[k]) for k in ("start_ts", "end_ts", "period_interval"))
            names = query["market_tickers"].split(",")
            ends = range(-(-start // (60 * step)) * 60 * step, end + 1, 60 * step)
            if len(ends) > 5000 or len(ends) * len(names) > 10_000:
                return Answer(
                    400, {"error": {"code": "bad_request", "message": "too many candlesticks"}}
                )
            return {
                "markets": [
                    {"market_ticker": name, "candlesticks": [self.candle(e) for e in ends]}
                    for name in names
                    if not name.startswith("KXHIGHNY-25")
                ]
            }

        exchange.routes["/markets/candlesticks"] = batch
        exchange.routes["/historical/markets/KXHIGHNY-25JAN01-B40.5/candlesticks"] = lambda query, _: {
            "ticker": "KXHIGHNY-25JAN01-B40.5",
            "candlesticks": [
                {
                    "end_period_ts": 1_735_700_400,
                    "price": {
                        "open": "0.1000",
                        "high": "0.2000",
                        "low": "0.1000",
                        "close": "0.2000",
                        "mean": "0.1500",
                        "previous": None,
                    },
                    "yes_bid": {"open": "0.0900", "high": "0.1900", "low": "0.0900", "close": "0.1900"},
                    "yes_ask": {"open": "0.1100", "high": "0.2100", "low": "0.1100", "close": "0.2100"},
                    "volume": "4.00",
                    "open_interest": "4.00",
                }
            ],
        }

    def test_a_day_has_its_24_hours(self, client):
        candles = kr.get_candlesticks(
            client, TICKER, start="2026-11-19", end="2026-11-20", interval="1h"
        )
        assert len(candles) == 24
        assert candles["period_start"].iloc[0] == pd.Timestamp("2026-11-19T00:00Z")
        assert candles.index[-1] == pd.Timestamp("2026-11-20T00:00Z")

    def test_a_long_window_is_cut_to_what_the_exchange_gives(self, client):
        candles = kr.get_candlesticks(
            client, [TICKER, OTHER, "KXB-1"], start="2026-11-10", end="2026-11-15", interval="1min"
        )
        assert candles.groupby("ticker").size().to_dict() == {TICKER: 7200, OTHER: 7200, "KXB-1": 7200}
        assert not candles.set_index("ticker", append=True).index.duplicated().any()

    def test_the_archive_speaks_another_dialect(self, client):
        candles = kr.get_candlesticks(
            client, "KXHIGHNY-25JAN01-B40.5", start="2025-01-01", end="2025-01-02"
        )
        assert candles[["open", "high", "close", "volume", "yes_ask_close"]].to_numpy().tolist() == [
            [0.1, 0.2, 0.2, 4.0, 0.21]
        ]
        assert candles.attrs["kalshi"]["tier"] == "live+historical"

    def test_without_an_end_it_is_the_present_of_the_exchange(self, client, exchange):
        exchange.routes["/exchange/user_data_timestamp"] = lambda *_: {
            "as_of_time": "2026-11-20T12:10:00Z"
        }
        candles = kr.get_candlesticks(client, TICKER, start="2026-11-20T10:00Z", interval="1h")
        assert candles.index[-1] == pd.Timestamp("2026-11-20T13:00Z")
        assert len(candles) == 3

    @pytest.mark.parametrize("interval", ["5min", 5, "H", True, None])
    def test_only_three_intervals(self, client, exchange, interval):
        with pytest.raises(InputError, match="interval"):
            kr.get_candlesticks(client, TICKER, start="2026-11-19", interval=interval)
        assert not exchange.asked


class TestCache:
    @pytest.fixture
    def kept(self, exchange: FakeExchange, tmp_path) -> Iterator[kr.Client]:
        with StubServer(exchange) as server, kr.connect(server.url, cache=tmp_path / "cache") as client:
            yield client

    def test_the_same_question_again_costs_no_request(self, kept, exchange):
        window = {"start": "2026-11-19", "end": "2026-11-20"}
        first = kr.get_trades(kept, TICKER, **window)
        exchange.asked.clear()
        again = kr.get_trades(kept, TICKER, **window)
        assert not exchange.asked
        pd.testing.assert_frame_equal(first, again)
        assert (first.attrs["kalshi"]["cache"], again.attrs["kalshi"]["cache"]) == ("stored", "hit")

    def test_a_window_that_is_not_over_is_asked_again(self, kept, exchange):
        end = pd.Timestamp.now("UTC") + pd.Timedelta("1h")
        kr.get_trades(kept, TICKER, start="2026-11-19", end=end)
        exchange.asked.clear()
        kr.get_trades(kept, TICKER, start="2026-11-19", end=end)
        assert exchange.asked

    def test_only_finalized_markets_are_kept(self, kept, exchange):
        for _ in range(2):
            kr.get_markets(kept, "KXHIGHNY-25JAN01-B40.5")
        finalized = len(exchange.asked)
        for _ in range(2):
            kr.get_markets(kept, TICKER)
        assert finalized == 2
        assert len(exchange.asked) == finalized + 2

    def test_a_damaged_file_is_fetched_anew(self, kept, exchange, tmp_path):
        window = {"start": "2026-11-19", "end": "2026-11-20"}
        first = kr.get_trades(kept, TICKER, **window)
        (file,) = (tmp_path / "cache").iterdir()
        body = bytearray(file.read_bytes())
        body[len(body) // 2] ^= 1
        file.write_bytes(body)
        again = kr.get_trades(kept, TICKER, **window)
        pd.testing.assert_frame_equal(first, again)
        assert again.attrs["kalshi"]["cache"] == "stored"

    def test_an_answer_of_one_exchange_is_never_given_for_another(self, kept, exchange, tmp_path):
        window = {"start": "2026-11-19", "end": "2026-11-20"}
        kr.get_trades(kept, TICKER, **window)
        other = FakeExchange()
        other.live[TICKER] = exchange.live[TICKER][:1]
        other.markets = exchange.markets
        with StubServer(other) as server, kr.connect(server.url, cache=tmp_path / "cache") as client:
            assert len(kr.get_trades(client, TICKER, **window)) == 0

    def test_an_incomplete_answer_is_not_kept(self, kept, exchange):
        window = {"start": "2026-11-19", "end": "2026-11-20", "max_rows": 5}
        kr.get_trades(kept, TICKER, **window)
        exchange.asked.clear()
        kr.get_trades(kept, TICKER, **window)
        assert exchange.asked

    def test_nothing_is_written_without_a_folder(self, client, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert (
            "cache"
            not in kr.get_trades(client, TICKER, start="2026-11-19", end="2026-11-20").attrs["kalshi"]
        )
        assert not list(tmp_path.iterdir())
