"""What must hold after every request, whatever the requests were."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from kalshi_research.errors import InputError
from kalshi_research.fees import BROKER_PRECISION, DIRECT_PRECISION, FeeTerms
from kalshi_research.money import PriceGrid
from kalshi_research.sandbox.engine import (
    SECOND,
    BookDelta,
    Engine,
    EngineOptions,
    Fill,
    Lifecycle,
    MarketSpec,
    Order,
    OrderUpdate,
    PositionUpdate,
    Rejection,
    Settlement,
    Trade,
)

HOUR = 3600 * SECOND
USERS = {
    "A": (200, DIRECT_PRECISION),
    "B": (40, DIRECT_PRECISION),
    "C": (5, DIRECT_PRECISION),
    "D": (60, BROKER_PRECISION),
}
TAPERED = PriceGrid(((0, 1000, 10), (1000, 9000, 100), (9000, 10_000, 10)))
MARKETS = {
    "CENT": MarketSpec("CENT", "E", 0, 20 * HOUR, settlement_timer=60 * SECOND),
    "FINE": MarketSpec(
        "FINE",
        "E",
        0,
        30 * HOUR,
        grid=TAPERED,
        fees=FeeTerms("quadratic_with_maker_fees", Fraction(1, 2)),
        settlement_timer=60 * SECOND,
    ),
}
PRICES = {"CENT": [*range(4600, 5500, 100)], "FINE": [20, 30, 150, 990, 1000, 1100, 9000, 9010, 9980]}


class Auditor:
    """Rebuilds the exchange from its events alone and compares."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.books: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: {"yes": {}, "no": {}})
        self.clock = 0
        self.halves: dict[str, list[Fill]] = defaultdict(list)
        self.trades: dict[str, Trade] = {}
        self.latest: dict[str, OrderUpdate] = {}
        self.positions: dict[tuple[str, int, str], PositionUpdate] = {}
        self.status: dict[str, str] = {}
        self.paid = 0
        self.kinds: Counter[str] = Counter()

    def read(self) -> None:
        for event in self.engine.drain():
            assert event.clock >= self.clock
            self.clock = event.clock
            self.kinds[type(event).__name__] += 1
            if isinstance(event, BookDelta):
                ladder = self.books[event.ticker][event.side]
                size = ladder.pop(event.price, 0) + event.delta
                assert size >= 0
                assert event.delta
                if size:
                    ladder[event.price] = size
            elif isinstance(event, Trade):
                assert event.trade_id not in self.trades
                self.trades[event.trade_id] = event
            elif isinstance(event, Fill):
                self.halves[event.trade_id].append(event)
            elif isinstance(event, OrderUpdate):
                assert event.filled + event.remaining <= event.initial
                self.latest[event.order.order_id] = event
                self.kinds[event.reason] += 1
            elif isinstance(event, PositionUpdate):
                self.positions[event.user, event.subaccount, event.ticker] = event
            elif isinstance(event, Lifecycle):
                self.status[event.ticker] = event.status
            elif isinstance(event, Settlement):
                self.paid += event.revenue

    def check_books(self) -> None:
        for ticker, market in self.engine.markets.items():
            book = self.engine.book(ticker)
            assert dict(book.yes) == self.books[ticker]["yes"]
            assert dict(book.no) == self.books[ticker]["no"]
            for side in (market.bids, market.asks):
                for level in side.levels.values():
                    tickets = [order.ticket for order in level]
                    assert tickets == sorted(set(tickets)), "the queue is out of time order"
            assert book.yes == sorted(book.yes)
            assert book.no == sorted(book.no)
            if book.yes and book.no:
                assert book.yes[-1][0] + book.no[-1][0] < 10_000, "crossed at rest"
            resting: dict[str, Counter[int]] = {"yes": Counter(), "no": Counter()}
            for wallet in self.wallets():
                for order in wallet.resting.values():
                    if order.market is market:
                        leg = order.price if order.is_bid else 10_000 - order.price
                        resting["yes" if order.is_bid else "no"][leg] += order.remaining
            assert dict(book.yes) == resting["yes"]
            assert dict(book.no) == resting["no"]
            assert market.status == self.status[ticker]
            if market.status not in ("active", "inactive"):
                assert not book.yes
                assert not book.no

    def wallets(self) -> list[Any]:
        return [w for member in self.engine.members.values() for w in member.wallets.values()]

    def check_orders(self) -> None:
        for member in self.engine.members.values():
            for order in member.orders:
                update = self.latest[order.order_id]
                assert (update.status, update.filled, update.remaining, update.initial) == (
                    order.status,
                    order.filled,
                    order.remaining,
                    order.initial,
                )
                assert order.filled + order.remaining <= order.initial
                assert (order.status == "resting") == (order.remaining > 0)
                assert (order.ticket in order.wallet.resting) == (order.status == "resting")
                if order.status == "executed":
                    assert order.filled > 0  # of what a decrease has left of it

    def check_trades(self) -> None:
        assert set(self.halves) == set(self.trades)
        filled: Counter[str] = Counter()
        fees: Counter[str] = Counter()
        for trade_id, halves in self.halves.items():
            maker, taker = sorted(halves, key=lambda half: half.is_taker)
            trade = self.trades[trade_id]
            assert (maker.is_taker, taker.is_taker) == (False, True)
            assert maker.order.is_bid != taker.order.is_bid
            assert taker.order.side == trade.taker_side
            assert {maker.price, taker.price} == {trade.price}
            assert {maker.count, taker.count} == {trade.count}
            assert maker.order.wallet.member is not taker.order.wallet.member
            for half in halves:
                assert half.fee >= 0
                filled[half.order.order_id] += half.count
                fees[half.order.order_id] += half.fee
        for order_id, update in self.latest.items():
            assert filled[order_id] == update.filled
            assert fees[order_id] == update.taker_fees + update.maker_fees
        income = sum(fees.values())
        assert self.engine.fee_income - income >= 0
        for ticker, market in self.engine.markets.items():
            mine = [trade for trade in self.trades.values() if trade.ticker == ticker]
            assert market.volume == sum(trade.count for trade in mine)
            assert market.dollar_volume == sum(trade.count * trade.price for trade in mine)

    def check_money(self) -> None:
        deposits = sum(cash * 10**6 for cash, _ in USERS.values())
        pairs = 0
        for ticker, market in self.engine.markets.items():
            held = [holding.position for holding in market.holdings.values()]
            assert sum(held) == 0
            assert market.open_interest == sum(position for position in held if position > 0)
            pairs += market.open_interest * 10_000
            for wallet, holding in market.holdings.items():
                told = self.positions.get((wallet.member.user, wallet.number, ticker))
                assert holding.position == (told.position if told else 0)
                assert holding.cost >= 0
                assert (holding.position == 0) <= (holding.cost == holding.fee_cost == 0)
        cash = sum(wallet.cash for wallet in self.wallets())
        assert cash + pairs + self.engine.fee_income == deposits
        for user, member in self.engine.members.items():
            owned = sum(wallet.cash for wallet in member.wallets.values())
            explained = USERS[user][0] * 10**6 + sum(
                holding.realised - holding.cost - holding.fees
                for wallet in member.wallets.values()
                for holding in wallet.holdings.values()
            )
            assert owned == explained
            for wallet in member.wallets.values():
                assert wallet.cash % wallet.precision == 0
                assert wallet.reserved == sum(h.reserved for h in wallet.holdings.values())
                assert wallet.reserved <= wallet.cash or not wallet.resting
                # Only the rounding of fills can overdraw, by less than its grid for each of them.
                assert wallet.cash >= -wallet.precision * len(member.fills)


class Exchange(RuleBasedStateMachine):
    orders = Bundle("orders")
    groups = Bundle("groups")

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(now=0, seed=7, options=EngineOptions(close_cancel_delay=0))
        for spec in MARKETS.values():
            self.engine.create_market(spec)
        for user, (cash, precision) in USERS.items():
            self.engine.create_user(user, cash=cash * 10**6, precision=precision)
        self.engine.create_subaccount("A")
        self.engine.transfer("A", 0, 1, 50 * 10**6, "start")
        self.auditor = Auditor(self.engine)

    def attempt(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        """The answer, or None when it was refused; then nothing may have been told."""
        self.auditor.read()
        try:
            return call(*args, **kwargs)
        except (Rejection, InputError):
            assert self.engine.drain() == []
            return None

    @rule(
        target=orders,
        user=st.sampled_from(list(USERS)),
        ticker=st.sampled_from(list(MARKETS)),
        side=st.sampled_from(["bid", "ask"]),
        level=st.integers(0, 8),
        count=st.one_of(st.integers(1, 2000), st.sampled_from([100, 500, 1000])),
        tif=st.sampled_from(["good_till_canceled"] * 4 + ["immediate_or_cancel", "fill_or_kill"]),
        stp=st.sampled_from(["taker_at_cross", "maker"]),
        flags=st.sampled_from([{}] * 4 + [{"post_only": True}, {"cancel_on_pause": True}]),
        reduce_only=st.sampled_from([False, False, False, True]),
        lasts=st.sampled_from([0, 0, 0, 10 * SECOND]),
        subaccount=st.sampled_from([0, 0, 0, 1]),
    )
    def submit(self, level: int, ticker: str, lasts: int, tif: str, **order: Any) -> Order | None:
        if tif == "good_till_canceled" and lasts:
            order["expiration"] = self.engine.now + lasts
        receipt = self.attempt(
            self.engine.submit,
            order.pop("user"),
            ticker,
            order.pop("side"),
            PRICES[ticker][level],
            order.pop("count"),
            time_in_force=tif,
            self_trade=order.pop("stp"),
            **order.pop("flags"),
            **order,
        )
        return receipt.order if receipt else None

    @rule(
        target=orders,
        group=groups,
        ticker=st.sampled_from(list(MARKETS)),
        side=st.sampled_from(["bid", "ask"]),
        level=st.integers(0, 8),
        count=st.integers(100, 1000),
    )
    def submit_to_group(self, group: Any, ticker: str, side: str, level: int, count: int) -> Any:
        receipt = self.attempt(
            self.engine.submit,
            group.wallet.member.user,
            ticker,
            side,
            PRICES[ticker][level],
            count,
            group_id=group.group_id,
        )
        return receipt.order if receipt else None

    @rule(order=consumes(orders))
    def cancel(self, order: Order | None) -> None:
        if order is not None:
            self.attempt(self.engine.cancel, order.wallet.member.user, order.order_id)

    @rule(order=orders, level=st.integers(0, 8), count=st.integers(1, 2500))
    def amend(self, order: Order | None, level: int, count: int) -> None:
        if order is not None:
            ticker = order.market.ticker
            self.attempt(
                self.engine.amend,
                order.wallet.member.user,
                order.order_id,
                ticker=ticker,
                side=order.side,
                price=PRICES[ticker][level],
                count=count,
            )

    @rule(order=orders, by=st.integers(1, 300))
    def decrease(self, order: Order | None, by: int) -> None:
        if order is not None:
            user = order.wallet.member.user
            self.attempt(self.engine.decrease, user, order.order_id, reduce_by=by)

    @rule(user=st.sampled_from(list(USERS)))
    def cancel_all(self, user: str) -> None:
        self.attempt(self.engine.cancel_all, user)

    @rule(target=groups, user=st.sampled_from(list(USERS)), limit=st.integers(100, 800))
    def create_group(self, user: str, limit: int) -> Any:
        return self.engine.create_group(user, limit)

    @rule(group=groups, act=st.sampled_from(["trigger_group", "reset_group"]))
    def move_group(self, group: Any, act: str) -> None:
        getattr(self.engine, act)(group.wallet.member.user, group.group_id)

    @rule(seconds=st.sampled_from([1, 5, 20]))
    def wait(self, seconds: int) -> None:
        self.engine.advance(self.engine.now + seconds * SECOND)

    @rule(on=st.booleans(), exchange=st.booleans())
    def pause(self, on: bool, exchange: bool) -> None:
        # A pause is short, so that the machine does not spend its life in one.
        what = "exchange" if exchange else "trading"
        getattr(self.engine, f"pause_{what}")()
        if on:
            self.attempt(self.engine.submit, "A", "CENT", "bid", 5000, 100)
        getattr(self.engine, f"resume_{what}")()

    @rule(ticker=st.sampled_from(list(MARKETS)))
    def halt(self, ticker: str) -> None:
        if self.engine.market(ticker).status == "active":
            self.engine.deactivate(ticker)
            self.attempt(self.engine.submit, "A", ticker, "bid", 5000, 100)
            self.engine.activate(ticker)

    @rule(
        ticker=st.sampled_from(list(MARKETS)),
        value=st.sampled_from([0, 10_000, 2500, 3333]),
        really=st.integers(0, 9),
    )
    def settle(self, ticker: str, value: int, really: int) -> None:
        if really == 0 and self.engine.market(ticker).status == "active":
            self.engine.set_close_time(ticker, self.engine.now)
            self.engine.determine(ticker, value)
            self.engine.advance(self.engine.now + 60 * SECOND)

    @invariant()
    def everything_adds_up(self) -> None:
        self.auditor.read()
        self.auditor.check_books()
        self.auditor.check_orders()
        self.auditor.check_trades()
        self.auditor.check_money()


TestExchange = Exchange.TestCase
TestExchange.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_day_adds_up(seed: int) -> None:
    """Thousands of requests through the same checks, with every kind of end in them."""
    rng = random.Random(seed)
    machine = Exchange()
    orders: list[Order] = []
    for step in range(2500):
        ticker = rng.choice(list(MARKETS))
        roll = rng.random()
        if roll < 0.6 or not orders:
            order = machine.submit(
                user=rng.choice(list(USERS)),
                ticker=ticker,
                side=rng.choice(["bid", "ask"]),
                level=rng.randrange(9),
                count=rng.choice([1, 33, 100, 250, 700]),
                tif=rng.choice(["good_till_canceled"] * 4 + ["immediate_or_cancel", "fill_or_kill"]),
                stp=rng.choice(["taker_at_cross", "maker"]),
                flags=rng.choice([{}, {}, {"post_only": True}, {"cancel_on_pause": True}]),
                reduce_only=rng.random() < 0.2,
                lasts=rng.choice([0, 0, 10 * SECOND]),
                subaccount=rng.choice([0, 0, 1]),
            )
            orders += [order] if order else []
        elif roll < 0.7:
            machine.cancel(orders.pop(max(0, len(orders) - 1 - int(rng.expovariate(0.2)))))
        elif roll < 0.85:
            machine.amend(rng.choice(orders[-15:]), rng.randrange(9), rng.choice([50, 200, 900]))
        elif roll < 0.95:
            machine.decrease(rng.choice(orders[-15:]), rng.choice([1, 50]))
        else:
            machine.wait(1)
        if step % 10 == 0:
            machine.everything_adds_up()
    for ticker, value in zip(MARKETS, (10_000, 3333), strict=True):
        machine.settle(ticker, value, 0)
    machine.everything_adds_up()
    assert all(market.open_interest == 0 for market in machine.engine.markets.values())
    seen = machine.auditor.kinds
    assert seen["Trade"] > 200
    assert min(seen[reason] for reason in ("Amend", "Decrease", "ExpiryCancel", "SelfTradeCancel")) > 0
    assert min(seen[reason] for reason in ("CloseCancel", "ReduceOnlyCancel", "Settlement")) > 0
