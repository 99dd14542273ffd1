"""The engine against a slow and obvious exchange written for this test.

It keeps orders in a plain list, looks for the best counterparty by scanning it, counts money in
fractions of a dollar, and finds the collateral of a user by playing all of the user's orders through.
Whatever is asked of both, they must do the same: the same answer, the same trades in the same order,
the same fees, cash and positions to the last digit.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalshi_research.fees import FeeTerms
from kalshi_research.sandbox.engine import Engine, Fill, MarketSpec, Rejection, Trade

USERS = ("A", "B", "C")
CASH = {"A": Fraction(90), "B": Fraction(40), "C": Fraction(6)}
TAKER, MAKER = Fraction(7, 100), Fraction(7, 400)
GRID, FINEST = Fraction(1, 10_000), Fraction(1, 1_000_000)


class No(Exception):  # noqa: N818
    """The naive exchange refuses."""


def ceil_to(value: Fraction, step: Fraction) -> Fraction:
    return math.ceil(value / step) * step


def floor_to(value: Fraction, step: Fraction) -> Fraction:
    return math.floor(value / step) * step


@dataclass(eq=False)
class NaiveOrder:
    number: int
    user: str
    side: str
    price: Fraction
    remaining: Fraction
    stp: str = "taker_at_cross"
    post_only: bool = False
    arrived: int = 0
    filled: Fraction = Fraction(0)
    carried: Fraction = Fraction(0)
    alive: bool = True

    @property
    def leg(self) -> Fraction:
        return self.price if self.side == "bid" else 1 - self.price

    def meets(self, other: NaiveOrder) -> bool:
        if self.side == other.side:
            return False
        bid, ask = (self, other) if self.side == "bid" else (other, self)
        return bid.price >= ask.price


@dataclass
class NaiveExchange:
    cash: dict[str, Fraction] = field(default_factory=lambda: dict(CASH))
    position: dict[str, Fraction] = field(default_factory=lambda: dict.fromkeys(USERS, Fraction(0)))
    orders: list[NaiveOrder] = field(default_factory=list)
    resting: list[NaiveOrder] = field(default_factory=list)
    trades: list[tuple[int, int, Fraction, Fraction, Fraction, Fraction]] = field(default_factory=list)
    moments: int = 0

    # --- money ---

    def fee(self, order: NaiveOrder, price: Fraction, count: Fraction, rate: Fraction) -> Fraction:
        """The documented steps of a fill's fee; the order carries the rounding."""
        leg = price if order.side == "bid" else 1 - price
        trade_fee = ceil_to(rate * count * leg * (1 - leg), FINEST)
        change = -count * leg - trade_fee
        aligned = floor_to(change, GRID)
        order.carried += change - aligned
        net = -count * leg - aligned
        rebate = min(floor_to(order.carried, GRID), floor_to(net, GRID))
        order.carried -= rebate
        return net - rebate

    def needed(self, user: str, extra: NaiveOrder | None, extra_fee: Fraction = Fraction(0)) -> Fraction:
        """The deepest hole that the user's orders of either side can dig, if all are filled."""
        total = Fraction(0)
        for side in ("bid", "ask"):
            held = self.position[user] * (-1 if side == "bid" else 1)
            cash = low = Fraction(0)
            for order in [*self.resting, *([extra] if extra else [])]:
                if order.user != user or order.side != side:
                    continue
                pairs = min(order.remaining, max(held, Fraction(0)))
                held -= order.remaining
                cash += pairs * (1 - order.leg)
                low = min(low, cash)
                cash -= (order.remaining - pairs) * order.leg
                cash -= extra_fee if order is extra else self.allowance(order)
                low = min(low, cash)
            total -= low
        return total

    def allowance(self, order: NaiveOrder) -> Fraction:
        """What is set aside for the maker's fee."""
        return ceil_to(MAKER * order.remaining * order.price * (1 - order.price), FINEST) + GRID

    # --- orders ---

    def candidates(self, order: NaiveOrder) -> list[NaiveOrder]:
        """Everything it meets, best price first, then oldest."""
        better = 1 if order.side == "bid" else -1
        found = [other for other in self.resting if order.meets(other)]
        return sorted(found, key=lambda other: (better * other.price, other.arrived))

    def check_money(self, order: NaiveOrder, without: NaiveOrder | None = None) -> Fraction:
        reach = sum((other.remaining for other in self.candidates(order)), Fraction(0))
        taken = min(reach, order.remaining)
        fee = Fraction(0)
        if taken:
            model = ceil_to(TAKER * taken * order.price * (1 - order.price), FINEST)
            fee = ceil_to(taken * order.leg + model, GRID) - taken * order.leg
        if taken < order.remaining or (not taken and not order.remaining):
            left = order.remaining - taken
            fee += ceil_to(MAKER * left * order.price * (1 - order.price), FINEST) + GRID
        kept = self.resting
        if without:
            self.resting = [other for other in kept if other is not without]
        before = self.needed(order.user, None)
        after = self.needed(order.user, order, fee)
        self.resting = kept
        if after > self.cash[order.user] and after > before:
            raise No("insufficient_balance")
        return taken

    def create(
        self, user: str, side: str, price: Fraction, count: Fraction, tif: str, **flags: Any
    ) -> NaiveOrder:
        order = NaiveOrder(len(self.orders), user, side, price, count, flags["stp"], flags["post_only"])
        if flags["post_only"] and tif != "good_till_canceled":
            raise No("invalid_order")
        if flags["reduce_only"] and tif != "immediate_or_cancel":
            raise No("invalid_order")
        if flags["post_only"] and self.candidates(order):
            raise No("invalid_order")
        if flags["reduce_only"]:
            held = self.position[user] * (-1 if side == "bid" else 1)
            order.remaining = min(count, max(held, Fraction(0)))
        taken = self.check_money(order)
        if tif == "fill_or_kill" and taken < count:
            raise No("fill_or_kill_insufficient_resting_volume")
        self.orders.append(order)
        self.enter(order, rests=tif == "good_till_canceled")
        return order

    def enter(self, order: NaiveOrder, *, rests: bool) -> None:
        self.moments += 1
        while order.remaining and (found := self.candidates(order)):
            other = found[0]
            if other.user == order.user and order.stp == "maker":
                self.finish(other)
                continue
            if other.user == order.user:
                order.alive = False
                return
            self.trade(other, order)
        if order.remaining and rests:
            order.arrived = self.moments
            self.resting.append(order)
        else:
            order.alive = False

    def trade(self, maker: NaiveOrder, taker: NaiveOrder) -> None:
        count = min(maker.remaining, taker.remaining)
        fees = []
        for order, rate in ((maker, MAKER), (taker, TAKER)):
            fee = self.fee(order, maker.price, count, rate)
            leg = maker.price if order.side == "bid" else 1 - maker.price
            before = abs(self.position[order.user])
            self.position[order.user] += count if order.side == "bid" else -count
            # Every contract more on either leg is half of a pair bought, every one less half sold.
            pairs = (count + before - abs(self.position[order.user])) / 2
            self.cash[order.user] += pairs - count * leg - fee
            order.remaining -= count
            order.filled += count
            fees.append(fee)
        self.trades.append((maker.number, taker.number, maker.price, count, *fees))
        if not maker.remaining:
            self.finish(maker)

    def finish(self, order: NaiveOrder) -> None:
        order.alive = False
        self.resting.remove(order)

    def cancel(self, order: NaiveOrder) -> None:
        if not order.alive:
            raise No("not_found")
        self.finish(order)

    def decrease(self, order: NaiveOrder, by: Fraction) -> None:
        if not order.alive:
            raise No("not_found")
        if by > order.remaining:
            raise No("invalid_order_size")
        order.remaining -= by
        if not order.remaining:
            self.finish(order)

    def amend(self, order: NaiveOrder, price: Fraction, count: Fraction) -> None:
        if not order.alive:
            raise No("not_found")
        wanted = count - order.filled
        if wanted <= 0:
            raise No("invalid_order_size")
        if price == order.price and wanted <= order.remaining:
            order.remaining = wanted
            return
        changed = NaiveOrder(-1, order.user, order.side, price, wanted)
        if order.post_only and self.candidates(changed):
            raise No("invalid_order")
        self.check_money(changed, without=order)
        self.resting.remove(order)
        order.price, order.remaining = price, wanted
        self.enter(order, rests=True)

    def book(self, side: str) -> list[tuple[Fraction, Fraction]]:
        found: dict[Fraction, Fraction] = {}
        for order in self.resting:
            if order.side == side:
                found[order.leg] = found.get(order.leg, Fraction(0)) + order.remaining
        return sorted(found.items())


KINDS = ["create"] * 6 + ["cancel", "amend", "amend", "decrease"]
TIMES = ["good_till_canceled"] * 6 + ["immediate_or_cancel", "fill_or_kill"]
RARELY = [False] * 5 + [True]

actions = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from(USERS),
    st.sampled_from(["bid", "ask"]),
    st.integers(40, 60).map(lambda cents: Fraction(cents, 100)),
    st.integers(1, 900).map(lambda hundredths: Fraction(hundredths, 100)),
    st.sampled_from(TIMES),
    st.fixed_dictionaries(
        {
            "stp": st.sampled_from(["taker_at_cross", "maker"]),
            "post_only": st.sampled_from(RARELY),
            "reduce_only": st.sampled_from(RARELY),
        }
    ),
    st.integers(0, 10**6),
)


def random_action(rng: random.Random, latest: int) -> Any:
    flags = {
        "stp": rng.choice(["taker_at_cross", "maker"]),
        "post_only": rng.random() < 0.1,
        "reduce_only": rng.random() < 0.1,
    }
    tif = "immediate_or_cancel" if flags["reduce_only"] else rng.choice(TIMES)
    side = rng.choice(["bid", "ask"])
    cents = min(99, max(1, round(rng.gauss(49 if side == "bid" else 51, 3))))
    # Mostly the orders of late, which still rest.
    which = max(0, latest - int(rng.expovariate(0.2)))
    price, count = Fraction(cents, 100), Fraction(rng.choice([1, 50, 100, 250, 400, 900]), 100)
    return rng.choice(KINDS), rng.choice(USERS), side, price, count, tif, flags, which


class Both:
    """The two exchanges side by side."""

    def __init__(self) -> None:
        self.naive = NaiveExchange()
        self.engine = Engine(now=0)
        fees = FeeTerms("quadratic_with_maker_fees")
        self.engine.create_market(MarketSpec("M", "E", 0, 10**12, fees=fees))
        for user, cash in CASH.items():
            self.engine.create_user(user, cash=int(cash * 10**6))
        self.answers: Counter[str] = Counter()
        self.ids: list[str] = []
        self.trades: list[tuple[int, int, Fraction, Fraction, Fraction, Fraction]] = []

    def do(self, action: Any) -> None:
        answers = []
        for act in (self.naively, self.engine_does):
            try:
                act(*action)
            except No as no:
                answers.append(str(no))
            except Rejection as rejection:
                answers.append(rejection.code)
            else:
                answers.append("done")
        assert answers[0] == answers[1], action
        self.answers[answers[0]] += 1
        self.compare()

    def naively(self, kind: str, user: str, *details: Any) -> None:
        side, price, count, tif, flags, which = details
        naive = self.naive
        if kind == "create" or not self.ids:
            naive.create(user, side, price, count, tif, **flags)
            return
        order = naive.orders[which % len(naive.orders)]
        if kind == "cancel":
            naive.cancel(order)
        elif kind == "decrease":
            naive.decrease(order, count)
        else:
            naive.amend(order, price, count)

    def engine_does(self, kind: str, user: str, *details: Any) -> None:
        side, price, count, tif, flags, which = details
        ticks, size = int(price * 10_000), int(count * 100)
        if kind == "create" or not self.ids:
            receipt = self.engine.submit(
                user,
                "M",
                side,
                ticks,
                size,
                time_in_force=tif,
                self_trade=flags["stp"],
                post_only=flags["post_only"],
                reduce_only=flags["reduce_only"],
            )
            self.ids.append(receipt.order.order_id)
            return
        number = self.ids[which % len(self.ids)]
        order = self.engine._venue.orders[number]
        owner = order.wallet.member.user
        if kind == "cancel":
            self.engine.cancel(owner, number)
        elif kind == "decrease":
            self.engine.decrease(owner, number, reduce_by=size)
        else:
            self.engine.amend(owner, number, ticker="M", side=order.side, price=ticks, count=size)

    def compare(self) -> None:
        numbers = {number: position for position, number in enumerate(self.ids)}
        events = self.engine.drain()
        halves: dict[str, list[Fill]] = {}
        for event in events:
            if isinstance(event, Fill):
                halves.setdefault(event.trade_id, []).append(event)
        for event in events:
            if isinstance(event, Trade):
                maker, taker = sorted(halves[event.trade_id], key=lambda half: half.is_taker)
                self.trades.append(
                    (
                        numbers[maker.order.order_id],
                        numbers[taker.order.order_id],
                        Fraction(event.price, 10_000),
                        Fraction(event.count, 100),
                        Fraction(maker.fee, 10**6),
                        Fraction(taker.fee, 10**6),
                    )
                )
        assert self.trades == self.naive.trades
        book = self.engine.book("M")
        for ladder, side in ((book.yes, "bid"), (book.no, "ask")):
            shown = [(Fraction(price, 10_000), Fraction(count, 100)) for price, count in ladder]
            assert shown == self.naive.book(side)
        for user in USERS:
            wallet = self.engine.wallet(user)
            assert Fraction(wallet.cash, 10**6) == self.naive.cash[user]
            assert Fraction(wallet.reserved, 10**6) == self.naive.needed(user, None)
            holding = self.engine.holding(user, "M")
            held = holding.position if holding else 0
            assert Fraction(held, 100) == self.naive.position[user]
        for number, order in zip(self.ids, self.naive.orders, strict=True):
            ours = self.engine._venue.orders[number]
            assert (ours.status == "resting") == order.alive
            assert Fraction(ours.filled, 100) == order.filled


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(actions, min_size=1, max_size=40))
def test_the_engine_does_what_the_naive_exchange_does(steps: list[Any]) -> None:
    both = Both()
    for step in steps:
        both.do(step)


@pytest.mark.parametrize("seed", range(6))
def test_they_stay_together_for_long(seed: int) -> None:
    rng, both = random.Random(seed), Both()
    for _ in range(500):
        both.do(random_action(rng, len(both.ids) - 1))
    # The run is worth something only if it went everywhere.
    assert len(both.trades) > 60
    assert set(both.answers) == {
        "done",
        "fill_or_kill_insufficient_resting_volume",
        "insufficient_balance",
        "invalid_order",
        "invalid_order_size",
        "not_found",
    }
