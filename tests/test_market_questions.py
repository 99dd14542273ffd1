"""Questions that reach behind the cutoff, contradict themselves, or name what does not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kalshi_research as kr
from kalshi_research.errors import ArchiveError, InputError, NotFoundError, PartialDataWarning
from tests.fake_exchange import NOON, FakeExchange, market, trade
from tests.stub_server import Answer, StubServer

TICKER = "KXHIGHNY-26NOV20-B50.5"
OTHER = "KXHIGHNY-26NOV20-B52.5"


def _settled(ticker: str, days_ago: int, **more: Any) -> dict[str, Any]:
    when = NOON - timedelta(days=days_ago)
    stamp = (when + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return market(ticker, status="finalized", created=when, settlement_ts=stamp, result="yes", **more)


@pytest.fixture
def exchange() -> FakeExchange:
    fake = FakeExchange()
    fake.live[TICKER] = [trade(100 - i, TICKER, NOON - timedelta(seconds=i)) for i in range(20)]
    fake.live[OTHER] = [trade(900 - i, OTHER, NOON - timedelta(seconds=i)) for i in range(10)]
    fake.markets = [market(TICKER), market(OTHER)]
    fake.old_markets = [_settled(f"KXHIGHNY-OLD-{n}", 70 + n) for n in range(30)]
    return fake


@pytest.fixture
def client(exchange: FakeExchange) -> Iterator[kr.Client]:
    with StubServer(exchange) as server, kr.connect(server.url, deadline=5) as client:
        yield client


def _days_ago(days: int) -> pd.Timestamp:
    return pd.Timestamp(NOON - timedelta(days=days))


class TestWindowsBehindTheCutoff:
    @pytest.mark.parametrize("kind", ["created", "close", "settled"])
    def test_old_markets_of_a_window_come_without_being_asked_for(self, client, kind):
        window = {f"min_{kind}_ts": _days_ago(80), f"max_{kind}_ts": _days_ago(75)}
        assert list(kr.get_markets(client, **window).index) == [
            f"KXHIGHNY-OLD-{n}" for n in range(6, 11)
        ]

    @pytest.mark.parametrize("kind", ["created", "close", "settled"])
    def test_a_window_after_the_cutoff_leaves_the_archive_alone(self, client, exchange, kind):
        kr.get_markets(client, **{f"min_{kind}_ts": _days_ago(30)})
        assert "/historical/markets" not in exchange.paths()

    def test_the_cap_counts_rows_inside_the_window_only(self, client, exchange):
        exchange.markets = []
        found = kr.get_markets(client, series_ticker="KXHIGHNY", max_close_ts=_days_ago(90), max_rows=5)
        assert list(found.index) == [f"KXHIGHNY-OLD-{n}" for n in range(21, 26)]
        assert found.attrs["kalshi"]["complete"] is False

    def test_a_cap_on_trades_does_not_count_what_lies_behind_the_end(self, client):
        end = NOON - timedelta(milliseconds=500)
        trades = kr.get_trades(client, TICKER, end=end, max_rows=5)
        assert len(trades) == 5
        assert trades.index[-1] == pd.Timestamp(NOON - timedelta(seconds=1))


class TestContradictions:
    @pytest.mark.parametrize("status", ["unopened", "open", "paused", "closed"])
    def test_the_archive_holds_settled_markets_only(self, client, exchange, status):
        with pytest.raises(InputError, match="settled markets only"):
            kr.get_markets(client, status=status, historical=True)
        assert exchange.paths() == []

    def test_combos_only_means_only_combos_in_the_archive_too(self, client, exchange):
        exchange.markets = []
        exchange.old_markets.append(_settled("KXHIGHNY-MVE", 120, mve_collection_ticker="KXMVE"))
        found = kr.get_markets(client, series_ticker="KXHIGHNY", mve_filter="only")
        assert list(found.index) == ["KXHIGHNY-MVE"]

    def test_a_search_among_settled_markets_reaches_the_archive(self, client):
        assert len(kr.search_markets(client, "old", status="settled")) == 30


class TestNamesThatDoNotExist:
    """The exchange may answer 404 to an unknown name where it could answer an empty list."""

    @pytest.fixture(autouse=True)
    def _the_archive_answers_404(self, exchange):
        archive = exchange.routes["/historical/trades"]

        def strict(query, seen):
            known = {row["ticker"] for row in exchange.markets + exchange.old_markets}
            return archive(query, seen) if query["ticker"] in known else Answer(404, {"error": {}})

        exchange.routes["/historical/trades"] = strict

    def test_one_name(self, client):
        with pytest.raises(NotFoundError, match="no market is called NOPE"):
            kr.get_trades(client, "NOPE")

    def test_one_name_among_others_costs_the_others_nothing(self, client):
        with pytest.warns(PartialDataWarning, match="1 of 3 tickers are unknown.*NOPE"):
            trades = kr.get_trades(client, [TICKER, "NOPE", OTHER])
        assert trades["ticker"].value_counts().to_dict() == {TICKER: 20, OTHER: 10}
        assert trades.attrs["kalshi"]["complete"] is False


def _everything(client: Any) -> list[Callable[[], object]]:
    return [
        lambda: kr.get_series(client),
        lambda: kr.get_events(client),
        lambda: kr.get_event(client, "KXHIGHNY-26NOV20"),
        lambda: kr.get_markets(client),
        lambda: kr.get_market(client, TICKER),
        lambda: kr.search_markets(client, "high"),
        lambda: kr.get_trades(client, TICKER),
        lambda: kr.get_candlesticks(client, TICKER, start="2026-11-20"),
        lambda: kr.get_orderbook(client, TICKER),
        lambda: kr.get_orderbooks(client, [TICKER]),
        lambda: kr.get_exchange_status(client),
        lambda: kr.get_exchange_schedule(client),
    ]


class TestWrongTypes:
    @pytest.mark.parametrize("which", range(12))
    def test_the_name_of_an_environment_is_no_client(self, which):
        with pytest.raises(InputError, match=r"must be a client, not 'sandbox'\nMake one with client ="):
            _everything("sandbox")[which]()

    @pytest.mark.parametrize("get", [kr.get_trades, kr.get_markets, kr.get_events])
    @pytest.mark.parametrize("cursor", [None, 5])
    def test_a_cursor_is_text(self, client, exchange, get, cursor):
        with pytest.raises(
            InputError, match=r"cursor must be the text in \.cursor of a PaginationError"
        ):
            get(client, cursor=cursor)
        assert exchange.paths() == []

    def test_candlesticks_need_a_beginning(self, client, exchange):
        with pytest.raises(InputError, match="start is missing"):
            kr.get_candlesticks(client, TICKER, start=None)
        assert exchange.paths() == []

    @pytest.mark.parametrize("interval", [60.0, 1.0, float("nan"), True])
    def test_an_interval_is_a_whole_number(self, client, exchange, interval):
        with pytest.raises(InputError, match="interval must be"):
            kr.get_candlesticks(client, TICKER, start="2026-11-20", interval=interval)
        assert exchange.paths() == []

    def test_whole_numbers_of_numpy_serve(self, client):
        assert len(kr.get_trades(client, TICKER, max_rows=np.int64(3))) == 3

    def test_a_bare_number_of_numpy_is_ambiguous_too(self, client):
        with pytest.raises(InputError, match=r"start=1700000000: a bare number is ambiguous"):
            kr.get_trades(client, TICKER, start=np.int64(1_700_000_000))

    def test_historical_is_true_or_false(self, client):
        with pytest.raises(InputError, match="historical must be True, False or None, not 'yes'"):
            kr.get_markets(client, historical="yes")


def test_a_cache_folder_that_cannot_be_made_is_said(exchange, tmp_path):
    (tmp_path / "file").write_text("")
    with StubServer(exchange) as server, kr.connect(server.url, cache=tmp_path / "file" / "x") as client:
        with pytest.raises(ArchiveError, match=r"cannot be made: .*nothing was sent"):
            kr.get_trades(client, TICKER, end="2026-11-01")
        assert exchange.paths() == []


class TestCandlesticksOfNeighbouringDays:
    """In the hour to 04:00 UTC, midnight in New York, nothing is traded in this market."""

    TICKER = "KXHIGHNY-26NOV01-B51.5"
    MIDNIGHT = pd.Timestamp("2026-11-01", tz="America/New_York")

    def test_a_period_without_trades_before_the_start_is_left_out(self):
        client = kr.connect("sandbox")
        day = kr.get_candlesticks(client, self.TICKER, start=self.MIDNIGHT, end="2026-11-01T12:00Z")
        assert day["period_start"].min() == self.MIDNIGHT

    def test_neighbouring_windows_share_no_period(self):
        client = kr.connect("sandbox")
        before = kr.get_candlesticks(
            client, self.TICKER, start=self.MIDNIGHT - pd.Timedelta(hours=12), end=self.MIDNIGHT
        )
        after = kr.get_candlesticks(client, self.TICKER, start=self.MIDNIGHT, end="2026-11-01T12:00Z")
        assert not before.index.intersection(after.index).size

    def test_the_latest_before_the_start_comes_where_it_is_asked_for(self):
        client = kr.connect("sandbox")
        day = kr.get_candlesticks(
            client,
            self.TICKER,
            start=self.MIDNIGHT,
            end="2026-11-01T12:00Z",
            include_latest_before_start=True,
        )
        assert day["period_start"].iloc[0] < self.MIDNIGHT
        assert day["previous"].iloc[0] == 0.24
