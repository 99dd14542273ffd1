"""What the account tells, against the books inside of the simulated exchange."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import test_sandbox_judges as judges

import kalshi_research as kr
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE

ORDERS = "/portfolio/events/orders"

judge = judges.judge


def open_tickers(client: kr.Client, count: int) -> list[str]:
    return sorted(kr.get_markets(client, series_ticker="KXHIGHNY", status="open").index)[-count:]


def engine_of(sandbox: Any, read: Any) -> Any:
    return sandbox.truth._exchange.floor.call(read)


def member_of(sandbox: Any) -> Any:
    user = sandbox.truth._exchange.accounts[0].user_id
    return engine_of(sandbox, lambda engine: engine.members[user])


def order(ticker: str, side: str, price: int, count: int, **more: Any) -> dict[str, Any]:
    return {
        "ticker": ticker, "side": side, "price": f"0.{price:02d}", "count": f"{count}.50",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
    } | more  # fmt: skip


def play(sandbox: Any, client: kr.Client, seed: int) -> None:
    """Take and make in several markets, let some of it rest, settle some."""
    rng = random.Random(seed)
    tickers = open_tickers(client, 5)
    key_id, key = sandbox.credentials(1)
    with kr.connect(sandbox.url, key_id=key_id, private_key=key) as somebody:
        for result in ("yes", "no", ""):
            for ticker in tickers * 6:
                side, against = rng.choice([("bid", "ask"), ("ask", "bid")])
                touch = kr.quotes(kr.get_orderbook(client, ticker))[f"yes_{side}"].item()
                takes = pd.isna(touch) or rng.random() < 0.5
                price = {"bid": 99, "ask": 1}[side] if takes else round(touch * 100)
                client.request("POST", ORDERS, body=order(ticker, side, price, rng.randrange(1, 30)))
                if not takes and rng.random() < 0.7:  # somebody meets it
                    more = {"time_in_force": "immediate_or_cancel"}
                    somebody.request("POST", ORDERS, body=order(ticker, against, price, 500, **more))
            sandbox.advance(3600)
            if result:
                sandbox.settle(tickers.pop(), result)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(seed=5, days=2, crypto_hours=1, users=2) as running:
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Any) -> Iterator[kr.Client]:
    with kr.connect(sandbox) as client:
        play(sandbox, client, 3)
        yield client


def test_there_is_something_to_tell(client: kr.Client) -> None:
    fills = kr.get_fills(client)
    assert len(fills) > 40
    assert set(fills["outcome_side"]) == {"yes", "no"}
    assert set(fills["is_taker"]) == {True, False}
    assert len(kr.get_settlements(client)) == 2
    assert len(kr.get_orders(client, status="resting")) > 0


def test_fills_are_those_of_the_engine(client: kr.Client, sandbox: Any) -> None:
    fills = kr.get_fills(client)
    inside = member_of(sandbox).fills[::-1]
    assert fills.index.tolist() == [fill.trade_id for fill in inside]
    for fill, row in zip(inside, fills.itertuples(), strict=True):
        assert row.yes_price == fill.price / PRICE_SCALE
        assert row.no_price == (PRICE_SCALE - fill.price) / PRICE_SCALE
        assert row.quantity == fill.count / COUNT_SCALE
        assert row.fee_cost == fill.fee / MONEY_SCALE
        assert row.outcome_side == ("yes" if fill.order.is_bid else "no")
        assert row.is_taker == fill.is_taker
        assert row.time == pd.Timestamp(fill.time, unit="us", tz="UTC")
        assert row.order_id == fill.order.order_id


def test_orders_and_their_fills_say_the_same(client: kr.Client, sandbox: Any) -> None:
    orders, fills = kr.get_orders(client), kr.get_fills(client)
    assert orders.index.tolist() == [one.order_id for one in member_of(sandbox).orders[::-1]]
    filled = fills.groupby("order_id")["quantity"].sum().reindex(orders.index, fill_value=0.0)
    assert filled.tolist() == orders["fill_count"].tolist()
    resting = orders[orders["status"] == "resting"]
    assert (resting["remaining_count"] > 0).all()
    pd.testing.assert_frame_equal(kr.get_orders(client, status="resting"), resting, check_names=False)
    one = orders.index[0]
    pd.testing.assert_frame_equal(kr.get_order(client, one), orders.loc[[one]])
    assert set(kr.get_fills(client, order_id=fills["order_id"].iloc[0])["order_id"]) == {
        fills["order_id"].iloc[0]
    }


def test_positions_are_those_of_the_engine(client: kr.Client, sandbox: Any) -> None:
    positions = kr.get_positions(client, settlement_status="all")
    holdings = {h.market.ticker: h for h in member_of(sandbox).wallets[0].holdings.values() if h.volume}
    assert set(positions.index) == set(holdings)
    for ticker, row in positions.iterrows():
        holding = holdings[ticker]
        assert row["position"] == holding.position / COUNT_SCALE
        assert row["market_exposure"] == holding.cost / MONEY_SCALE
        assert row["realized_pnl"] == holding.realised / MONEY_SCALE
        assert row["fees_paid"] == holding.fees / MONEY_SCALE
    open_ = kr.get_positions(client)
    assert set(open_.index) == {name for name, h in holdings.items() if h.market.status != "finalized"}
    events = kr.get_event_positions(client)
    assert events["realized_pnl"].map(lambda value: round(value * MONEY_SCALE)).sum() == sum(
        holdings[name].realised for name in open_.index
    )


def test_money_is_that_of_the_engine(client: kr.Client, sandbox: Any) -> None:
    wallet = member_of(sandbox).wallets[0]
    shown = kr.get_balance(client)["balance"].item()
    assert shown in (wallet.cash / MONEY_SCALE, wallet.available / MONEY_SCALE)


def test_own_books_agree_with_the_exchange_to_the_last_digit(client: kr.Client, sandbox: Any) -> None:
    fills, settlements = kr.get_fills(client), kr.get_settlements(client)
    table = kr.pnl(fills, settlements)
    positions = kr.get_positions(client, settlement_status="all")
    checked = kr.reconcile_pnl(table, positions)
    assert checked["agrees"].all(), checked
    assert (checked["realized_pnl"] != 0).sum() >= 4
    # Cash began at the same for everybody: what is gone is fees, losses and what is held.
    wallet = member_of(sandbox).wallets[0]
    held = sum(h.cost for h in wallet.holdings.values())
    lost = Fraction(10_000) - Fraction(wallet.cash + held, MONEY_SCALE)
    booked = sum(round(value * MONEY_SCALE) for value in table["net_pnl"])
    assert booked == -lost * MONEY_SCALE
    curve = kr.equity_curve(fills, settlements)
    assert round(curve["equity"].iloc[-1] * MONEY_SCALE) == booked


def test_roles_share_the_profit_of_settled_markets(client: kr.Client) -> None:
    fills, settlements = kr.get_fills(client), kr.get_settlements(client)
    roles = kr.maker_taker(fills, settlements)
    table = kr.pnl(fills, settlements).loc[settlements.index]
    whole = sum(round(value * MONEY_SCALE) for value in table["realized_pnl"])
    parts = [round(roles.loc[role, "gross_pnl"] * MONEY_SCALE) for role in ("maker", "taker")]
    assert sum(parts) == whole
    assert roles.loc["maker", "fills"] > 0


def test_open_positions_are_worth_what_the_book_pays(client: kr.Client) -> None:
    positions = kr.get_positions(client)
    positions = positions[positions["position"] != 0]
    quotes = kr.quotes(kr.get_orderbooks(client, positions.index))
    marks = kr.mark_positions(positions, quotes)
    for ticker, row in marks.iterrows():
        leg = "yes" if row["position"] > 0 else "no"
        bid = quotes.loc[ticker, f"{leg}_bid"]
        assert row["bid"] == bid or pd.isna(bid)
        assert row["value_bid"] == pytest.approx(abs(row["position"]) * bid, abs=1e-9, nan_ok=True)
    assert marks["cost"].equals(positions["market_exposure"].rename("cost"))


def test_the_history_is_fills_and_settlements(client: kr.Client) -> None:
    history = kr.get_portfolio_history(client)
    assert history["entry"].value_counts().to_dict() == {
        "fill": len(kr.get_fills(client)), "settlement": len(kr.get_settlements(client)),
    }  # fmt: skip
    assert "SIMULATED" in kr.source_line(history)


def test_the_official_client_reads_the_same(client: kr.Client, sandbox: Any, judge: Path) -> None:
    """Kalshi's own SDK, in another process, decodes the same account with its own models."""
    key_id, _ = sandbox.credentials()
    script = judges.JUDGES / "sdk_account.py"
    command = [judge, "-W", "error", script, "sync", sandbox.url, key_id, sandbox.key_file()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
    theirs = json.loads(done.stdout)
    balance = float(Decimal(theirs["balance"]["balance_dollars"]))
    assert kr.get_balance(client)["balance"].item() == balance
    lists = (
        (kr.get_fills(client), theirs["fills"], "fill_id"),
        (kr.get_orders(client), theirs["orders"], "order_id"),
        (kr.get_settlements(client), theirs["settlements"], "ticker"),
        (
            kr.get_positions(client, settlement_status="all"),
            theirs["positions"]["market_positions"],
            "ticker",
        ),
    )
    for frame, rows, key in lists:
        assert frame.index.tolist() == [row[key] for row in rows]
        compared = 0
        for name in frame.columns:
            for field in (name, f"{name}_dollars", f"{name}_fp"):
                if isinstance(rows[0].get(field), str) and frame[name].dtype == "float64":
                    told = [float(Decimal(row[field])) for row in rows]
                    assert frame[name].tolist() == told, name
                    compared += 1
        assert compared >= 3
    cents = [row["revenue"] / 100 for row in theirs["settlements"]]
    assert kr.get_settlements(client)["revenue"].tolist() == cents


def test_limits_and_keys(client: kr.Client, sandbox: Any) -> None:
    assert kr.get_account_limits(client)["usage_tier"].item()
    assert sandbox.credentials()[0] in kr.get_api_keys(client).index


@pytest.fixture(scope="module")
def old() -> Iterator[Any]:
    with kr.start_sandbox(seed=5, days=2, crypto_hours=1, dialect="2025") as running:
        yield running


def old_order(ticker: str, side: str, action: str, price: int) -> dict[str, Any]:
    return {
        "ticker": ticker, "type": "limit", "count": 3, "side": side, "action": action,
        f"{side}_price": price, "client_order_id": f"{ticker}-{side}-{action}",
    }  # fmt: skip


@pytest.fixture(scope="module")
def old_client(old: Any) -> Iterator[kr.Client]:
    with kr.connect(old) as client:
        traded, held = open_tickers(client, 2)
        for words in (("yes", "buy", 99), ("no", "buy", 99), ("yes", "sell", 1), ("no", "sell", 1)):
            client.request("POST", "/portfolio/orders", body=old_order(traded, *words))
        client.request("POST", "/portfolio/orders", body=old_order(held, "yes", "buy", 99))
        old.settle(held, "yes")
        yield client


def test_the_dialect_of_2025_tells_the_same(old: Any, old_client: kr.Client) -> None:
    """Cents beside dollars, and the old words for the direction."""
    assert old_client.dialect == "2025"
    fills, inside = kr.get_fills(old_client), member_of(old).fills[::-1]
    assert len(fills) == len(inside) >= 3
    assert fills["quantity"].tolist() == [fill.count / COUNT_SCALE for fill in inside]
    assert fills["yes_price"].tolist() == [fill.price / PRICE_SCALE for fill in inside]
    assert fills["outcome_side"].tolist() == ["yes" if fill.order.is_bid else "no" for fill in inside]
    assert len(kr.get_orders(old_client)) == 5
    settlements = kr.get_settlements(old_client)
    assert settlements["revenue"].tolist() == [3.0]
    positions = kr.get_positions(old_client, settlement_status="all")
    checked = kr.reconcile_pnl(kr.pnl(fills, settlements), positions)
    assert checked["difference"].tolist() == [0.0, 0.0]
    assert checked["position"].equals(checked["exchange_position"].rename("position"))
    assert kr.get_balance(old_client)["balance"].item() > 9_000
    assert kr.get_account_limits(old_client)["read_refill_rate"].item() > 0


def test_the_documents_of_2025_have_a_route_for_the_history(old_client: kr.Client) -> None:
    history = kr.get_portfolio_history(old_client)
    assert history.attrs["kalshi"]["endpoint"] == "/portfolio/history"
    fills = kr.get_fills(old_client)
    assert history["entry"].value_counts().to_dict() == {"fill": len(fills), "settlement": 1}
    assert set(history.loc[history["entry"] == "fill", "entry_id"]) == set(fills.index)
    empty = kr.get_portfolio_history(old_client, end="2026-01-01")
    assert (len(empty), empty.dtypes.to_dict()) == (0, history.dtypes.to_dict())
