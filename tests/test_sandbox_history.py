"""What happens to what was traded as time passes: candlesticks, archives, disputes, shards, seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest
from sandbox_member import ORDERS, OTHER, TICKER, Member, terms

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.engine import EngineOptions

NOW = 1795186800
DAY = 86_400
IOC = {"time_in_force": "immediate_or_cancel"}


@pytest.fixture
def member() -> Iterator[Member]:
    with Sandbox(users=2, days=2, crypto_hours=1) as sandbox, Member(sandbox) as made:
        yield made


def candles(member: Member, start: int, end: int, minutes: int = 1) -> list[dict[str, Any]]:
    path = f"/series/KXHIGHNY/markets/{TICKER}/candlesticks"
    rows: list[dict[str, Any]] = member.get(path, start_ts=start, end_ts=end, period_interval=minutes)[
        "candlesticks"
    ]
    return rows


# --- candlesticks over what was drawn and what was traded --------------------------------------------


def test_candlesticks_show_what_was_traded_after_time_has_passed(member: Member) -> None:
    before = candles(member, NOW - DAY, NOW, 60)
    interest = Fraction(member.get(f"/markets/{TICKER}")["market"]["open_interest_fp"])
    member.clear()
    prices = [("0.40", "1"), ("0.46", "2.5"), ("0.44", "1")]
    for price, count in prices:
        member.order("ask", price, count, user=1)
        member.order("bid", price, count, **IOC)
    member.sandbox.advance(90)
    member.order("ask", "0.50", "1", user=1)
    member.order("bid", "0.50", "1", **IOC)
    member.sandbox.advance(3600)
    after = {row["end_period_ts"]: row for row in candles(member, NOW - 60, NOW + 3600)}
    # The first trades are of the instant at which a period ends, which belongs to it.
    first, second = after[NOW], after[NOW + 120]
    traded = {key: first["price"][f"{key}_dollars"] for key in ("open", "high", "low", "close")}
    assert traded["close"] == "0.4400"
    assert (traded["high"] >= "0.4600", traded["low"] <= "0.4000") == (True, True)
    assert second["price"]["open_dollars"] == second["price"]["close_dollars"] == "0.5000"
    assert second["price"]["previous_dollars"] == "0.4400"
    assert second["volume_fp"] == "1.00"
    # Every contract was bought by one and sold by another who had none.
    assert Fraction(second["open_interest_fp"]) == interest + Fraction("5.5")
    assert after[NOW + 3600]["volume_fp"] == "0.00" if NOW + 3600 in after else True
    # Nobody bids any more, and what was before has not changed.
    assert second["yes_bid"]["close_dollars"] == "0.0000"
    hours = candles(member, NOW - DAY, NOW - 3600, 60)
    assert hours == [row for row in before if row["end_period_ts"] <= NOW - 3600]
    total = sum(Fraction(row["volume_fp"]) for row in candles(member, NOW - 2 * DAY, NOW + 3600, 1440))
    assert total >= Fraction("5.5")


def test_the_volume_of_candlesticks_is_that_of_the_tape(member: Member) -> None:
    member.clear()
    for count in ("1", "2.25", "0.01"):
        member.order("ask", "0.45", count, user=1)
        member.order("bid", "0.45", count, **IOC)
        member.sandbox.advance(61)
    rows = candles(member, NOW, NOW + 300)
    trades = member.get("/markets/trades", ticker=TICKER, min_ts=NOW - 59)["trades"]
    assert sum(Fraction(row["volume_fp"]) for row in rows) == sum(
        Fraction(row["count_fp"]) for row in trades
    )


# --- the historical tier ------------------------------------------------------------------------------


def test_own_rows_are_handed_over_to_the_historical_tier() -> None:
    with Sandbox(users=2, days=2, cutoff_days=3, crypto_hours=0) as sandbox, Member(sandbox) as member:
        member.clear(TICKER, OTHER)
        member.order("ask", "0.40", "2", user=1)
        filled = member.order("bid", "0.40", "2")["order_id"]
        cancelled = member.order("bid", "0.01", "1")["order_id"]
        member.done(200, "DELETE", f"{ORDERS}/{cancelled}")
        page = member.get("/markets", series_ticker="KXFEDDECISION", status="open")["markets"]
        fed = next(row["ticker"] for row in page if float(row["yes_ask_dollars"]) > 0.1)
        resting = member.order("bid", "0.01", "1", ticker=fed)["order_id"]

        def listed(path: str, rows: str, name: str) -> list[str]:
            return [row[name] for row in member.done(200, "GET", path)[rows]]

        def everywhere() -> dict[str, list[str]]:
            settled = "/portfolio/positions"
            return {
                "orders": listed("/portfolio/orders", "orders", "order_id"),
                "old orders": listed("/historical/orders", "orders", "order_id"),
                "fills": listed("/portfolio/fills", "fills", "order_id"),
                "old fills": listed("/historical/fills", "fills", "order_id"),
                "positions": [
                    row["ticker"]
                    for row in member.done(200, "GET", settled, query="?settlement_status=all")[
                        "market_positions"
                    ]
                ],
                "old positions": listed("/historical/positions", "market_positions", "ticker"),
                "settlements": listed("/portfolio/settlements", "settlements", "ticker"),
            }

        sandbox.settle(TICKER, "yes")
        cutoff = member.get("/historical/cutoff")
        assert everywhere() == {
            "orders": [resting, cancelled, filled], "old orders": [],
            "fills": [filled], "old fills": [],
            "positions": [TICKER], "old positions": [], "settlements": [TICKER],
        }  # fmt: skip
        # Orders leave after two days here, fills and positions after three; what rests stays.
        sandbox.advance(3 * DAY)
        later = everywhere()
        assert (later["orders"], later["old orders"]) == ([resting], [cancelled, filled])
        assert (later["fills"], later["old fills"]) == ([filled], [])
        assert member.get("/historical/cutoff") != cutoff
        sandbox.advance(2 * DAY)
        assert everywhere() == {
            "orders": [resting], "old orders": [cancelled, filled],
            "fills": [], "old fills": [filled],
            "positions": [], "old positions": [TICKER], "settlements": [TICKER],
        }  # fmt: skip
        # The order itself is found by its id for ever, and the market by the historical tier.
        member.done(200, "GET", f"/portfolio/orders/{filled}")
        member.done(404, "GET", f"/markets/{TICKER}")
        assert member.get(f"/historical/markets/{TICKER}")["market"]["result"] == "yes"
        for query in ("?limit=1", f"?ticker={TICKER}", f"?min_ts={NOW}", f"?max_ts={NOW}"):
            assert member.done(200, "GET", "/historical/orders", query=query)["orders"]
            assert member.done(200, "GET", "/historical/fills", query=query)["fills"]
        for query in ("?ticker=NONE", f"?min_ts={NOW + 60}", f"?max_ts={NOW - 1}"):
            assert member.done(200, "GET", "/historical/orders", query=query)["orders"] == []
            assert member.done(200, "GET", "/historical/fills", query=query)["fills"] == []


# --- results in doubt ---------------------------------------------------------------------------------


def test_a_disputed_result_waits_and_may_change(member: Member) -> None:
    member.clear()
    member.order("ask", "0.40", "2", user=1)
    member.order("bid", "0.40", "2")
    floor = member.sandbox.floor

    def market() -> dict[str, Any]:
        found: dict[str, Any] = member.get(f"/markets/{TICKER}")["market"]
        return found

    def listed(status: str) -> bool:
        page = member.get("/markets", status=status, tickers=TICKER)["markets"]
        return bool(page)

    floor.determine(TICKER, PRICE_SCALE)
    assert (market()["status"], market()["result"]) == ("determined", "yes")
    floor.call(lambda engine: engine.dispute(TICKER))
    assert (market()["status"], market()["result"]) == ("disputed", "yes")
    assert (listed("closed"), listed("settled"), listed("open")) == (True, False, False)
    member.sandbox.advance(3 * DAY)
    assert market()["status"] == "disputed"
    assert "settlement_ts" not in market()
    assert member.done(200, "GET", "/portfolio/settlements")["settlements"] == []
    error = member.order("bid", "0.40", "1", status=400)["error"]
    assert error["code"] == "market_inactive"
    floor.call(lambda engine: engine.amend_result(TICKER, 0))
    assert (market()["status"], market()["result"], market()["settlement_value_dollars"]) == (
        "amended", "no", "0.0000",
    )  # fmt: skip
    assert (listed("closed"), listed("settled")) == (True, False)
    member.sandbox.advance(3600)
    assert (market()["status"], listed("settled")) == ("finalized", True)
    (paid,) = member.done(200, "GET", "/portfolio/settlements")["settlements"]
    assert (paid["market_result"], paid["revenue"]) == ("no", 0)
    (paid,) = member.done(200, "GET", "/portfolio/settlements", user=1)["settlements"]
    assert paid["revenue"] == 200


# --- money on shards ----------------------------------------------------------------------------------


def test_collateral_has_to_be_moved_to_its_shard_where_that_is_asked_for() -> None:
    by_shard = EngineOptions(money="by_shard")
    with Sandbox(days=1, crypto_hours=0, engine=by_shard) as sandbox, Member(sandbox) as member:
        ticker = member.get("/markets", series_ticker="KXHARBORMATCH", status="open")["markets"][0][
            "ticker"
        ]
        order = terms("bid", "0.50", "10") | {"ticker": ticker}
        assert member.done(400, "POST", ORDERS, order)["error"]["code"] == "insufficient_balance"
        path = "/portfolio/intra_exchange_instance_transfer"
        move = {
            "source": "event_contract", "destination": "event_contract", "amount": 62_500,
            "destination_exchange_shard": 3,
            "client_transfer_id": "00000000-0000-4000-8000-000000000003",
        }  # fmt: skip
        made = member.done(200, "POST", path, move)["transfer_id"]
        error = member.done(409, "POST", path, move)["error"]
        assert error["code"] == "transfer_already_applied"
        row = member.done(200, "GET", f"{path}s/{made}")["transfer"]
        assert (row["amount"], row["status"], row["destination_exchange_shard"]) == (
            "6.2500",
            "complete",
            3,
        )
        assert member.done(200, "GET", f"{path}s")["transfers"] == [row]
        member.done(404, "GET", f"{path}s/none")
        member.done(201, "POST", ORDERS, order | {"price": "0.01"})

        def balance(query: str = "") -> dict[str, Any]:
            found: dict[str, Any] = member.done(200, "GET", "/portfolio/balance", query=query)
            return found

        # 6.25 dollars were moved; the order reserves ten cents of them and its fee, a tenth of a cent.
        everything = balance()
        assert everything["balance_dollars"] == "9999.8990"
        assert everything["balance_breakdown"] == [
            {"balance": "9993.7500", "exchange_index": 0},
            {"balance": "6.1490", "exchange_index": 3},
        ]
        assert balance("?exchange_index=3")["balance_dollars"] == "6.1490"
        assert balance("?exchange_index=1")["balance_dollars"] == "0.0000"
        assert balance("?exchange_index=-1")["balance_dollars"] == "9999.8990"
        rows = member.done(200, "GET", "/portfolio/subaccounts/balances")["subaccount_balances"]
        assert [(row["exchange_index"], row["balance"]) for row in rows] == [
            (0, "9993.7500"), (3, "6.1490"),
        ]  # fmt: skip
        for fields in (
            {"amount": 0}, {"amount": -1}, {"amount": 10**12}, {"destination": "margined"},
            {"destination_exchange_shard": 0}, {"destination_exchange_shard": 9}, {"source": None},
        ):  # fmt: skip
            bad = move | {"client_transfer_id": None} | fields
            member.done(400, "POST", path, bad)
        assert balance() == everything


def test_a_target_allocation_spreads_what_is_available() -> None:
    by_shard = EngineOptions(money="by_shard")
    path = "/portfolio/target_balance_allocation"
    with Sandbox(days=1, crypto_hours=0, engine=by_shard) as sandbox, Member(sandbox) as member:
        assert member.done(200, "GET", path) == {"allocations": [], "resting_margin_reservation": "sum"}
        shares = [
            {"exchange_index": place, "percent": share} for place, share in ((0, 50), (2, 30), (3, 20))
        ]
        member.order("bid", "0.10", "1000")
        assert member.done(200, "POST", path, {"allocations": shares}) == {}
        found = member.done(200, "GET", path)
        assert found == {"allocations": shares, "resting_margin_reservation": "sum"}
        parts = member.done(200, "GET", "/portfolio/balance")["balance_breakdown"]
        # Of the 9900 dollars that the order does not reserve.
        assert [(row["exchange_index"], row["balance"]) for row in parts] == [
            (0, "4950.0000"), (1, "0.0000"), (2, "2970.0000"), (3, "1980.0000"),
        ]  # fmt: skip
        back = [{"exchange_index": 0, "percent": 100}]
        more = {"resting_margin_reservation": "max"}
        assert member.done(200, "POST", path, {"allocations": back} | more) == {}
        assert member.done(200, "GET", path) == {"allocations": back} | more
        parts = member.done(200, "GET", "/portfolio/balance")["balance_breakdown"]
        assert [row["balance"] for row in parts] == ["9900.0000", "0.0000", "0.0000", "0.0000"]
        for bad in (
            {"allocations": shares[:2]},
            {"allocations": [*shares, shares[0]]},
            {"allocations": [{"exchange_index": 9, "percent": 100}]},
            {
                "allocations": [
                    {"exchange_index": 0, "percent": 101},
                    {"exchange_index": 1, "percent": -1},
                ]
            },
            {"allocations": [{"exchange_index": 0}]},
            {"allocations": None},
            {"allocations": shares, "resting_margin_reservation": "all"},
        ):
            member.done(400, "POST", path, bad)
        assert member.done(200, "POST", path, {"allocations": []}) == {}
        assert member.done(200, "GET", path)["allocations"] == []


def test_moves_between_shards_at_their_edges() -> None:
    by_shard = EngineOptions(money="by_shard")
    path = "/portfolio/intra_exchange_instance_transfer"
    with Sandbox(users=2, days=1, crypto_hours=0, engine=by_shard) as sandbox, Member(sandbox) as member:
        plain = {"source": "event_contract", "destination": "event_contract", "amount": 1}

        def moved(status: int = 200, **fields: Any) -> Any:
            return member.done(status, "POST", path, plain | fields)

        def parts() -> dict[tuple[int, int], str]:
            rows = member.done(200, "GET", "/portfolio/subaccounts/balances")["subaccount_balances"]
            return {(row["subaccount_number"], row["exchange_index"]): row["balance"] for row in rows}

        member.done(201, "POST", "/portfolio/subaccounts", {})
        ends = ("source_exchange_shard", "destination_exchange_shard")
        for shard in (1, 2, 3):  # the least that can be moved, to every shard and back
            moved(**{ends[1]: shard})
            assert parts()[0, shard] == "0.0001"
            moved(**{ends[0]: shard})
        assert parts()[0, 0] == "10000.0000"
        for name in ends:
            for shard in (-1, 4):
                moved(400, **{name: shard})
        moved(400)
        moved(400, **{ends[0]: 2, ends[1]: 2})
        for name in ("source", "destination", "amount"):
            missing = moved(400, **{name: None}, destination_exchange_shard=1)
            assert "required" in missing["error"]["details"]
            assert moved(400, **{name: []}, destination_exchange_shard=1)["code"] == "bad_request"
        moved(400, source="margined", destination_exchange_shard=1)
        moved(400, source="margined", destination="margined", destination_exchange_shard=1)
        # A client's id goes with the primary account and is taken once for each shard it comes from.
        named = {"client_transfer_id": "00000000-0000-4000-8000-000000000007"}
        for one in ("source", "destination"):
            moved(400, **named, **{f"{one}_subaccount": 1, ends[1]: 1})
        first = moved(**named, **{ends[1]: 1})["transfer_id"]
        moved(409, **named, **{ends[1]: 2})
        second = moved(**named, **{ends[0]: 1})["transfer_id"]
        other = named | {"client_transfer_id": "00000000-0000-4000-8000-000000000008"}
        moved(**other, **{ends[1]: 1})
        moved(409, **other, **{ends[1]: 1})
        rows = member.done(200, "GET", f"{path}s")["transfers"]
        assert (rows[1]["transfer_id"], rows[2]["transfer_id"]) == (second, first)
        assert rows[2] == named | {
            "amount": "0.0001", "created_ts": 1795186800, "destination": "event_contract",
            "destination_exchange_shard": 1, "source": "event_contract", "source_exchange_shard": 0,
            "status": "complete", "transfer_id": first,
        }  # fmt: skip
        assert "client_transfer_id" not in rows[3]
        assert len({row["transfer_id"] for row in rows}) == len(rows) == 9
        assert member.done(200, "GET", f"{path}s/{second}")["transfer"] == rows[1]
        member.done(404, "GET", f"{path}s/{second}", user=1)
        assert member.done(200, "GET", f"{path}s", user=1) == {"transfers": []}
        # Between subaccounts of a shard, and between those of two.
        moved(destination_subaccount=1, amount=50_000)
        moved(source_subaccount=1, destination_exchange_shard=2, amount=20_000)
        moved(destination_subaccount=1, destination_exchange_shard=3, amount=10_000)
        found = parts()
        assert (found[1, 0], found[0, 2], found[1, 3]) == ("3.0000", "2.0000", "1.0000")
        page = member.done(200, "GET", f"{path}s", query="?limit=5")
        assert len(page["transfers"]) == 5
        rest = member.done(200, "GET", f"{path}s", query=f"?limit=500&cursor={page['cursor']}")
        assert len(rest["transfers"]) == 7
        assert "cursor" not in rest
        for limit in ("0", "501", "-1"):
            member.done(400, "GET", f"{path}s", query=f"?limit={limit}")
        assert len(member.done(200, "GET", f"{path}s", query="?limit=1")["transfers"]) == 1


def test_transfers_come_by_the_hundred() -> None:
    path = "/portfolio/intra_exchange_instance_transfer"
    with Sandbox(days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        move = {"source": "event_contract", "destination": "event_contract", "amount": 1}
        for _ in range(101):
            member.done(200, "POST", path, move | {"destination_exchange_shard": 1})
        assert len(member.done(200, "GET", f"{path}s")["transfers"]) == 100


def test_a_target_allocation_at_its_edges() -> None:
    by_shard = EngineOptions(money="by_shard")
    path = "/portfolio/target_balance_allocation"
    with Sandbox(days=1, crypto_hours=0, engine=by_shard) as sandbox, Member(sandbox) as member:

        def spread(*shares: tuple[Any, Any], status: int = 200, **more: Any) -> list[str]:
            rows = [{"exchange_index": shard, "percent": percent} for shard, percent in shares]
            member.done(status, "POST", path, {"allocations": rows} | more)
            parts = member.done(200, "GET", "/portfolio/balance")["balance_breakdown"]
            return [row["balance"] for row in parts]

        for reservation in ("none", "max", "sum"):
            spread((0, 100), resting_margin_reservation=reservation)
            assert member.done(200, "GET", path)["resting_margin_reservation"] == reservation
        assert spread((3, 100), (0, 0)) == ["0.0000", "0.0000", "0.0000", "10000.0000"]
        assert member.done(200, "GET", path)["resting_margin_reservation"] == "sum"
        # Of two that have too much each gives what it has.
        assert spread((1, 50), (2, 50)) == ["0.0000", "5000.0000", "5000.0000", "0.0000"]
        assert spread((0, 70), (3, 30)) == ["7000.0000", "0.0000", "0.0000", "3000.0000"]
        assert spread((0, 30), (3, 70)) == ["3000.0000", "0.0000", "0.0000", "7000.0000"]
        before = spread((0, 33), (1, 33), (2, 34))
        assert before == ["3300.0000", "3300.0000", "3400.0000", "0.0000"]
        for bad in (
            [(0, 99)], [(0, 101)], [(0, 100), (0, 0)], [(4, 100)], [(-1, 100)], [(0, 150), (1, -50)],
            [(None, 100)], [(0, None)], [("0", 100)], [(0, "100")], [(0, 100), (4, 0)],
        ):  # fmt: skip
            assert spread(*bad, status=400) == before
        assert spread((0, 100), resting_margin_reservation="all", status=400) == before
        # None at all is an end of it, and moves nothing.
        assert spread() == before
        user = sandbox._exchange.accounts[0].user_id
        # What orders reserve stays where it is, and no part of a centicent is moved.
        sandbox.floor.call(lambda engine: engine.deposit(user, 199))
        member.order("bid", "0.10", "1000")
        assert spread((1, 100)) == ["0.0000", "9900.0001", "0.0000", "0.0000"]
        assert sandbox.floor.call(lambda engine: engine.wallet(user).available) == 99


def test_where_money_is_pooled_an_allocation_moves_none() -> None:
    path = "/portfolio/target_balance_allocation"
    with Sandbox(days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        shares = [{"exchange_index": 2, "percent": 100}]
        member.done(200, "POST", path, {"allocations": shares})
        assert member.done(200, "GET", path)["allocations"] == shares
        member.clear()
        member.order("bid", "0.99", "10000")
        assert member.done(200, "GET", "/portfolio/balance")["balance_dollars"] == "100.0000"


# --- smaller things -----------------------------------------------------------------------------------


def test_netting_is_remembered_by_subaccount(member: Member) -> None:
    path = "/portfolio/subaccounts/netting"
    member.done(201, "POST", "/portfolio/subaccounts", {})

    def shown() -> list[tuple[int, bool]]:
        rows = member.done(200, "GET", path)["netting_configs"]
        return [(row["subaccount_number"], row["enabled"]) for row in rows]

    assert shown() == [(0, False), (1, False)]
    assert member.done(200, "PUT", path, {"subaccount_number": 1, "enabled": True}) == {}
    assert shown() == [(0, False), (1, True)]
    member.done(200, "PUT", path, {"subaccount_number": 0, "enabled": True})
    member.done(200, "PUT", path, {"subaccount_number": 1, "enabled": False})
    member.done(200, "PUT", path, {"subaccount_number": 1, "enabled": False})
    assert shown() == [(0, True), (1, False)]
    for body in (
        {"subaccount_number": 2, "enabled": True}, {"enabled": True}, {"subaccount_number": 0},
        {"subaccount_number": 0, "enabled": 1}, {"subaccount_number": "0", "enabled": True},
    ):  # fmt: skip
        member.done(400, "PUT", path, body)
    assert member.done(200, "GET", path, user=1)["netting_configs"][0]["enabled"] is False


def _session(seed: int) -> list[Any]:
    """Everything that gets an id, and what was answered."""
    with Sandbox(seed=seed, users=2, days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
        ticker = member.get("/markets", event_ticker="KXHIGHNY-26NOV21", limit=1)["markets"][0]["ticker"]
        member.clear(ticker)
        made = [
            member.order("ask", "0.40", "2", user=1, ticker=ticker),
            member.order("bid", "0.40", "1", ticker=ticker),
        ]
        group = member.done(201, "POST", "/portfolio/order_groups/create", {"contracts_limit": 3})
        move = {"source": "event_contract", "destination": "event_contract", "amount": 1}
        path = "/portfolio/intra_exchange_instance_transfer"
        moved = member.done(200, "POST", path, move | {"destination_exchange_shard": 1})
        return [
            made, group, moved, member.generate().key_id, sandbox.credentials(1)[0],
            member.done(200, "GET", "/portfolio/fills"), member.done(200, "GET", "/portfolio/orders"),
            member.get("/markets/trades", ticker=ticker, limit=3),
        ]  # fmt: skip


def test_the_same_seed_gives_the_same_ids_and_another_one_others() -> None:
    one, again, other = _session(1), _session(1), _session(2)
    assert one == again
    assert one[0][0]["order_id"] != other[0][0]["order_id"]
    for mine, theirs in zip(one[1:5], other[1:5], strict=True):
        assert mine != theirs


# --- combos, targets, forecasts -----------------------------------------------------------------------


def test_a_combo_is_made_once_and_can_be_traded(member: Member) -> None:
    (view,) = member.get("/multivariate_event_collections")["multivariate_contracts"]
    path = f"/multivariate_event_collections/{view['collection_ticker']}"
    assert member.get(path) == {"multivariate_contract": view}
    legs = [
        {
            "event_ticker": "KXFEDDECISION-26DEC",
            "market_ticker": "KXFEDDECISION-26DEC-H0",
            "side": "yes",
        },
        {"event_ticker": "KXHIGHNY-26NOV21", "market_ticker": TICKER, "side": "no"},
    ]
    made = member.done(200, "POST", path, {"selected_markets": legs, "with_market_payload": True})
    again = member.done(200, "POST", path, {"selected_markets": legs[::-1]})
    assert again == {name: made[name] for name in ("event_ticker", "market_ticker")}
    other = [legs[0], legs[1] | {"side": "yes"}]
    assert member.done(200, "POST", path, {"selected_markets": other}) != again
    ticker = made["market_ticker"]
    assert member.get(f"/markets/{ticker}")["market"] == made["market"]
    assert made["market"]["mve_selected_legs"] == legs
    assert (made["market"]["status"], made["market"]["exchange_index"]) == (
        "active",
        view["exchange_index"],
    )
    assert ticker in [row["ticker"] for row in member.walk("/markets", "markets", mve_filter="only")]
    assert member.order("bid", "0.01", "1", ticker=ticker)["remaining_count"] == "1.00"
    assert member.get(f"/markets/{ticker}/orderbook")["orderbook_fp"]["yes_dollars"][0] == [
        "0.0100",
        "1.00",
    ]
    settled = member.get("/markets", status="settled", limit=1)["markets"][0]
    over = {"event_ticker": settled["event_ticker"], "market_ticker": settled["ticker"], "side": "yes"}
    combo = {"event_ticker": made["event_ticker"], "market_ticker": ticker, "side": "yes"}
    for bad in (
        [], legs[:1], [legs[0], legs[0]], [legs[0], over], [legs[0], combo],
        [legs[0], legs[1] | {"side": "maybe"}], [legs[0], legs[1] | {"event_ticker": "X"}],
        [legs[0], {"side": "yes"}],
    ):  # fmt: skip
        member.done(400, "POST", path, {"selected_markets": bad})
    member.done(400, "POST", "/multivariate_event_collections/NONE", {"selected_markets": legs})
    member.refused(404, "/multivariate_event_collections/NONE")
    for query, found in (
        ({"status": "open"}, 1), ({"status": "closed"}, 0), ({"series_ticker": "X"}, 0),
        ({"associated_event_ticker": "KXHIGHNY-26NOV21"}, 1), ({"associated_event_ticker": "X"}, 0),
    ):  # fmt: skip
        page = member.get("/multivariate_event_collections", **query)
        assert len(page["multivariate_contracts"]) == found


def test_targets_are_what_strikes_name(member: Member) -> None:
    market = member.get("/markets", series_ticker="KXHARBORMATCH", limit=1)["markets"][0]
    club = market["custom_strike"]["club"]
    found = member.get(f"/structured_targets/{club}")["structured_target"]
    assert (found["name"], found["type"]) == (market["yes_sub_title"], "club")
    assert found["details"] == {"competition": "Harbor League"}
    whole = member.get("/structured_targets", page_size=2000)["structured_targets"]
    pages = []
    cursor = ""
    for _ in range(100):
        page = member.get("/structured_targets", page_size=4, cursor=cursor)
        pages += page["structured_targets"]
        cursor = page["cursor"]
        if not cursor:
            break
    assert pages == whole
    assert len({row["id"] for row in whole}) == len(whole) > 18
    assert member.get("/structured_targets", ids=[club, "x"])["structured_targets"] == [found]
    clubs = member.get("/structured_targets", type="club", competition="Harbor League")
    assert len(clubs["structured_targets"]) == 18
    assert member.get("/structured_targets", competition="Other")["structured_targets"] == []
    member.refused(404, "/structured_targets/none")
    assert member.get("/search/filters_by_sport") == {
        "filters_by_sports": {
            "Harbor League": {
                "competitions": {"Harbor League": {"scopes": ["Game"]}},
                "scopes": ["Game"],
            }
        },
        "sport_ordering": ["Harbor League"],
    }


def test_forecasts_are_the_percentiles_of_the_prices_of_a_ladder(member: Member) -> None:
    path = "/series/KXHIGHNY/events/KXHIGHNY-26NOV21/forecast_percentile_history"
    query = (
        f"?percentiles=1000&percentiles=5000,9000&start_ts={NOW - 7200}&end_ts={NOW}&period_interval=60"
    )
    rows = member.done(200, "GET", path, query=query)["forecast_history"]
    assert [row["end_period_ts"] for row in rows] == [NOW - 7200, NOW - 3600, NOW]
    points = rows[-1]["percentile_points"]
    assert [point["percentile"] for point in points] == [1000, 5000, 9000]
    values = [point["raw_numerical_forecast"] for point in points]
    assert values == sorted(values)
    # By hand: the share of the ladder below the median is a half.
    markets = member.get("/markets", event_ticker="KXHIGHNY-26NOV21")["markets"]
    middle = {
        row["ticker"]: (Fraction(row["yes_bid_dollars"]) + Fraction(row["yes_ask_dollars"])) / 2
        for row in markets
    }
    # The figure is whole; an open end counts as wide as a step, two degrees.
    ends: dict[str, Callable[[dict[str, Any]], tuple[float, float]]] = {
        "less": lambda row: (row["cap_strike"] - 2.5, row["cap_strike"] - 0.5),
        "between": lambda row: (row["floor_strike"] - 0.5, row["cap_strike"] + 0.5),
        "greater": lambda row: (row["floor_strike"] + 0.5, row["floor_strike"] + 2.5),
    }
    below = Fraction(0)
    for row in markets:
        low, high = ends[row["strike_type"]](row)
        share = min(max((values[1] - low) / (high - low), 0), 1)
        below += middle[row["ticker"]] * Fraction(share)
    assert float(below / sum(middle.values())) == pytest.approx(0.5, abs=1e-9)
    assert points[1]["formatted_forecast"] == f"{values[1]:.1f}"
    other = "/series/KXFEDDECISION/events/KXFEDDECISION-26DEC/forecast_percentile_history"
    assert member.done(200, "GET", other, query=query) == {"forecast_history": []}
    for wrong in (
        query.replace("period_interval=60", "period_interval=5"),
        query.replace("percentiles=1000&percentiles=5000,9000&", ""),
        query.replace("1000", "10000"), query.replace("1000", "-1"),
        query.replace(str(NOW - 7200), str(NOW + 1)),
        query.replace("percentiles=1000", "percentiles=" + ",".join("1" * 11)),
        query.replace(str(NOW - 7200), "1").replace("period_interval=60", "period_interval=0"),
    ):  # fmt: skip
        member.done(400, "GET", path, query=wrong)
    member.done(400, "GET", path.replace("26NOV21", "NONE"), query=query)
    assert member.call("GET", path + query).status_code == 401


def test_what_is_settled_is_dated_in_the_settlement(member: Member) -> None:
    member.clear()
    member.order("ask", "0.40", "2", user=1)
    member.order("bid", "0.40", "2")
    member.sandbox.settle(TICKER, "0.25")
    (paid,) = member.done(200, "GET", "/portfolio/settlements")["settlements"]
    assert (paid["market_result"], paid["value"], paid["revenue"]) == ("scalar", 25, 50)
    settled = datetime.fromisoformat(paid["settled_time"]).timestamp()
    for query, found in (
        (f"?min_ts={int(settled)}", 1), (f"?min_ts={int(settled) + 1}", 0),
        (f"?max_ts={int(settled) + 1}", 1), (f"?max_ts={int(settled) - 1}", 0),
        (f"?ticker={TICKER}", 1), ("?ticker=X", 0), ("?event_ticker=X", 0), ("?subaccount=1", 0),
    ):  # fmt: skip
        rows = member.done(200, "GET", "/portfolio/settlements", query=query)["settlements"]
        assert len(rows) == found, query
