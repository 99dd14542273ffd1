"""Money: collateral, netting, fees, profit and loss, subaccounts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from kalshi_research.errors import InputError
from kalshi_research.fees import BROKER_PRECISION, FeeTerms
from kalshi_research.money import PriceGrid
from kalshi_research.sandbox.engine import (
    SECOND,
    Engine,
    EngineOptions,
    Holding,
    MarketSpec,
    OrderUpdate,
    Rejection,
)

HOUR = 3600 * SECOND
FREE = FeeTerms("quadratic", Fraction(0))
IOC = {"time_in_force": "immediate_or_cancel"}


def dollars(amount: float) -> int:
    return round(amount * 1_000_000)


def exchange(*, fees: FeeTerms = FREE, grid: Any = None, **cash: float) -> Engine:
    """A market M without fees, and users with the money given."""
    engine = Engine(now=0)
    more = {} if grid is None else {"grid": grid}
    engine.create_market(MarketSpec("M", "E", 0, 24 * HOUR, fees=fees, **more))
    for user, amount in cash.items():
        engine.create_user(user, cash=dollars(amount))
    return engine


def cannot_pay(engine: Engine, *args: Any, **kwargs: Any) -> None:
    before = engine.book(args[1])
    with pytest.raises(Rejection) as caught:
        engine.submit(*args, **kwargs)
    assert (caught.value.status, caught.value.code) == (400, "insufficient_balance")
    assert engine.book(args[1]) == before


def position(engine: Engine, user: str) -> Holding:
    holding = engine.holding(user, "M")
    assert holding is not None
    return holding


# --- collateral -------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "leg"), [("bid", 4700), ("ask", 5300)])
def test_an_order_needs_the_price_of_the_leg_it_buys(side: Any, leg: int) -> None:
    engine = exchange(A=10)
    count = dollars(10) // leg
    engine.submit("A", "M", side, 4700, count)
    assert engine.balance("A") == dollars(10) - count * leg
    cannot_pay(engine, "A", "M", side, 4700, 1)


def test_fees_must_be_affordable_too() -> None:
    engine = exchange(fees=FeeTerms(), A=100, B=0.4874)
    engine.submit("A", "M", "ask", 4700, 100)
    cannot_pay(engine, "B", "M", "bid", 4700, 100)  # 0.47 and a fee of 0.0175
    engine.deposit("B", 100)
    engine.submit("B", "M", "bid", 4700, 100)
    assert engine.wallet("B").cash == 0


def test_what_aligning_the_balance_takes_must_be_affordable() -> None:
    engine = exchange(fees=FeeTerms(), A=100, B=0.0313)
    engine.submit("A", "M", "ask", 4300, 7)
    cannot_pay(engine, "B", "M", "bid", 4300, 7)  # 0.0301 and a fee of 0.001201, aligned to 0.0314
    engine.deposit("B", 100)
    engine.submit("B", "M", "bid", 4300, 7)
    assert engine.wallet("B").cash == 0


def test_a_resting_order_of_whole_cents_needs_no_room_for_taker_fees() -> None:
    engine = exchange(fees=FeeTerms(), A=0.47)
    assert engine.submit("A", "M", "bid", 4700, 100).remaining == 100
    assert engine.balance("A") == 0


def test_selling_what_one_holds_needs_nothing() -> None:
    engine = exchange(A=0.5, B=100)
    engine.submit("B", "M", "ask", 5000, 100)
    engine.submit("A", "M", "bid", 5000, 100)
    assert engine.wallet("A").cash == 0
    engine.submit("A", "M", "ask", 100, 60)
    engine.submit("A", "M", "ask", 200, 40)
    assert engine.balance("A") == 0
    # Beyond the position only what the sales bring in, 0.014, can back an order.
    cannot_pay(engine, "A", "M", "ask", 100, 2)
    assert engine.submit("A", "M", "ask", 100, 1).remaining == 1


def test_a_short_position_covers_bids_the_same_way() -> None:
    engine = exchange(A=0.5, B=100)
    engine.submit("B", "M", "bid", 5000, 100)
    engine.submit("A", "M", "ask", 5000, 100)
    engine.submit("A", "M", "bid", 9900, 100)
    assert engine.balance("A") == 0
    cannot_pay(engine, "A", "M", "bid", 9900, 2)


def test_proceeds_of_covered_sales_back_the_rest() -> None:
    engine = exchange(A=0.5, B=100)
    engine.submit("B", "M", "ask", 5000, 100)
    engine.submit("A", "M", "bid", 5000, 100)
    # 1.20 sold at 0.80: the one held brings in 0.80, the rest costs 0.2 × 0.20.
    receipt = engine.submit("A", "M", "ask", 8000, 120)
    assert receipt.remaining == 120
    engine.submit("B", "M", "bid", 8000, 120)
    assert position(engine, "A").position == -20
    assert engine.wallet("A").cash == dollars(0.80 - 0.04)


def test_losing_cover_raises_the_reservation_before_it_happens() -> None:
    engine = exchange(A=0.5, B=100)
    engine.submit("B", "M", "ask", 5000, 100)
    engine.submit("A", "M", "bid", 5000, 100)
    engine.submit("A", "M", "ask", 9000, 100)  # covered by the position
    # Selling the position at once would leave the resting offer uncovered: 0.10 against 0.40.
    engine.submit("B", "M", "bid", 4000, 100)
    receipt = engine.submit("A", "M", "ask", 4000, 100, **IOC)
    assert receipt.filled == 100
    wallet = engine.wallet("A")
    assert (wallet.cash, wallet.reserved) == (dollars(0.40), dollars(0.10))


def test_balance_may_be_reported_before_reservations() -> None:
    engine = Engine(now=0, options=EngineOptions(balance_net_of_orders=False))
    engine.create_market(MarketSpec("M", "E", 0, HOUR))
    engine.create_user("A", cash=dollars(10))
    engine.submit("A", "M", "bid", 5000, 1000)
    assert engine.balance("A") == dollars(10)


def test_rounding_that_no_collateral_foresaw_cancels_orders() -> None:
    # Each fill of a hundredth at $0.0150 takes a whole $0.0002 from the balance.
    grid = PriceGrid(((0, 10_000, 10),))
    engine = exchange(grid=grid, A=0.0160, B=100)
    engine.submit("A", "M", "bid", 150, 100)
    newest = engine.submit("A", "M", "bid", 100, 1)
    engine.drain()
    for _ in range(20):
        engine.submit("B", "M", "ask", 100, 1, **IOC)
    wallet = engine.wallet("A")
    assert wallet.cash >= wallet.reserved
    assert newest.order.reason == "MarginCancel"
    reasons = [e.reason for e in engine.drain() if isinstance(e, OrderUpdate)]
    assert "MarginCancel" in reasons


# --- positions --------------------------------------------------------------------------------


def test_pairs_are_minted_transferred_and_destroyed() -> None:
    engine = exchange(A=100, B=100, C=100)
    market = engine.market("M")

    def trade(buyer: str, seller: str, price: int, count: int) -> int:
        engine.submit(buyer, "M", "bid", price, count)
        assert engine.submit(seller, "M", "ask", price, count).filled == count
        return market.open_interest

    assert trade("A", "B", 4000, 300) == 300  # both open
    assert trade("C", "A", 5000, 100) == 300  # A hands over
    assert trade("B", "C", 6000, 100) == 200  # both close
    assert trade("B", "A", 7000, 250) == 50  # A through zero, B through zero
    positions = {user: position(engine, user).position for user in "ABC"}
    assert positions == {"A": -50, "B": 50, "C": 0}
    cash = {user: engine.wallet(user).cash - dollars(100) for user in "ABC"}
    assert cash == {
        "A": dollars(-1.20 + 0.50 + 2.00 * 0.70 - 0.50 * 0.30),
        "B": dollars(-1.80 + 0.40 + 2.00 * 0.30 - 0.50 * 0.70),
        "C": dollars(-0.50 + 0.60),
    }
    assert sum(cash.values()) == -50 * 10_000  # the pairs that are out


def test_realised_profit_is_at_average_cost() -> None:
    engine = exchange(A=100, B=100)
    for price, count in ((4000, 100), (6000, 100)):
        engine.submit("B", "M", "ask", price, count)
        engine.submit("A", "M", "bid", price, count)
    engine.submit("B", "M", "bid", 7000, 50)
    engine.submit("A", "M", "ask", 7000, 50)
    holding = position(engine, "A")
    assert (holding.position, holding.cost, holding.realised) == (150, dollars(0.75), dollars(0.10))
    assert (holding.volume, holding.traded) == (250, dollars(1.00 + 0.5 * 0.30))


def test_fees_of_a_position_follow_its_size() -> None:
    engine = exchange(fees=FeeTerms(), A=100, B=100)
    engine.submit("B", "M", "ask", 5000, 200)
    engine.submit("A", "M", "bid", 5000, 200)
    holding = position(engine, "A")
    assert (holding.fees, holding.fee_cost) == (35_000, 35_000)
    engine.submit("B", "M", "bid", 5000, 300)
    engine.submit("A", "M", "ask", 5000, 100)
    assert (holding.fees, holding.fee_cost) == (52_500, 17_500)
    engine.submit("A", "M", "ask", 5000, 200)  # through zero: half of its fee opens
    assert (holding.position, holding.fees, holding.fee_cost) == (-100, 87_500, 17_500)


# --- fees -------------------------------------------------------------------------------------


def test_makers_pay_where_the_series_says_so() -> None:
    engine = exchange(fees=FeeTerms("quadratic_with_maker_fees"), A=100, B=100)
    resting = engine.submit("A", "M", "bid", 5000, 10_000).order
    engine.submit("B", "M", "ask", 5000, 10_000)
    assert (resting.maker_fees, resting.taker_fees) == (dollars(0.4375), 0)
    assert engine.fee_income == dollars(0.4375 + 1.75)


def test_the_multiplier_and_the_event_override() -> None:
    engine = exchange(fees=FeeTerms("quadratic", Fraction(1, 2)), A=200, B=200)
    engine.submit("A", "M", "bid", 5000, 20_000)
    assert engine.submit("B", "M", "ask", 5000, 10_000).fees == dollars(0.875)
    engine.set_event_fees("E", FeeTerms("quadratic", Fraction(1)))
    assert engine.submit("B", "M", "ask", 5000, 10_000).fees == dollars(1.75)


def test_a_waiver_ends() -> None:
    engine = Engine(now=0)
    engine.create_market(MarketSpec("M", "E", 0, HOUR, fee_waiver_until=10 * SECOND))
    for user in "AB":
        engine.create_user(user, cash=dollars(200))
    engine.submit("A", "M", "bid", 5000, 30_000)
    assert engine.submit("B", "M", "ask", 5000, 10_000).fees == 0
    engine.set_event_fees("E", FeeTerms("quadratic", Fraction(1, 2)))
    assert engine.submit("B", "M", "ask", 5000, 10_000).fees == 0
    engine.advance(10 * SECOND)
    assert engine.submit("B", "M", "ask", 5000, 10_000).fees == dollars(0.875)


def test_a_member_behind_a_broker_has_whole_cents() -> None:
    engine = Engine(now=0)
    engine.create_market(MarketSpec("M", "E", 0, HOUR))
    engine.create_user("A", cash=dollars(10))
    engine.create_user("B", cash=dollars(10), precision=BROKER_PRECISION)
    engine.submit("A", "M", "ask", 4700, 250)
    for count in (100, 33, 117):
        engine.submit("B", "M", "bid", 4700, count)
        assert engine.wallet("B").cash % BROKER_PRECISION == 0


# --- subaccounts and transfers ----------------------------------------------------------------


def test_subaccounts_keep_their_money_apart() -> None:
    engine = exchange(A=10, B=10)
    assert [engine.create_subaccount("A") for _ in range(2)] == [1, 2]
    engine.transfer("A", 0, 1, dollars(4), "one")
    assert [engine.balance("A", n) for n in range(3)] == [dollars(6), dollars(4), 0]
    cannot_pay(engine, "A", "M", "bid", 5000, 100, subaccount=2)
    engine.submit("A", "M", "bid", 5000, 100, subaccount=1)
    engine.submit("B", "M", "ask", 5000, 100)
    held = engine.holding("A", "M", 1)
    assert held is not None
    assert held.position == 100
    assert engine.holding("A", "M") is None
    with pytest.raises(Rejection, match="409 transfer_already_applied"):
        engine.transfer("A", 0, 2, dollars(1), "one")
    with pytest.raises(Rejection, match="400 insufficient_balance"):
        engine.transfer("A", 0, 2, dollars(7), "two")
    for source, destination, amount in ((0, 0, dollars(1)), (0, 1, 0), (0, 1, -1)):
        with pytest.raises(Rejection, match="400 invalid_parameters"):
            engine.transfer("A", source, destination, amount, "three")
    engine.transfer("A", 0, 1, dollars(6), "three")
    assert engine.balance("A") == 0


def test_collateral_has_to_lie_on_the_shard_of_its_market() -> None:
    engine = Engine(now=0, options=EngineOptions(money="by_shard"))
    for ticker, shard in (("M", 0), ("S", 2)):
        engine.create_market(MarketSpec(ticker, "E", 0, 24 * HOUR, fees=FREE, shard=shard))
    for user in "AB":
        engine.create_user(user, cash=dollars(10))
    engine.submit("A", "M", "bid", 5000, 100)
    cannot_pay(engine, "A", "S", "bid", 5000, 100)
    with pytest.raises(Rejection, match="insufficient_balance"):
        engine.move("A", 0, 0, 2, dollars(9.51))
    engine.move("A", 0, 0, 2, dollars(4))
    engine.move("B", 0, 0, 2, dollars(4))
    engine.deposit("B", dollars(1), shard=2)
    order = engine.submit("A", "S", "bid", 5000, 300).order
    cannot_pay(engine, "A", "S", "bid", 5000, 501)
    engine.submit("B", "S", "ask", 5000, 100)
    assert [engine.balance("A", shard=shard) for shard in (0, 1, 2)] == [
        dollars(5.5),
        0,
        dollars(2.5),
    ]
    assert engine.balance("A") == dollars(8)
    assert engine.balance("B", shard=2) == dollars(4.5)
    held = engine.holding("A", "S")
    assert held is not None
    assert engine.holdings("A") == [engine.holding("A", "M"), held]
    assert held.position == 100
    group = engine.create_group("A", 1000, shard=2)
    assert engine.submit("A", "S", "bid", 100, 100, group_id=group.group_id).order.group is group
    engine.create_subaccount("A")
    engine.transfer("A", 0, 1, dollars(1), "t", shard=2)
    assert [row.cash for row in engine.members["A"].everything(1)] == [0, dollars(1)]
    assert engine.balance("A", 1) == dollars(1)
    for arguments in (("A", 0, 1, 1, 5), ("A", 0, 0, 1, 0)):
        with pytest.raises(Rejection, match="invalid_parameters"):
            engine.move(*arguments)
    engine.submit("A", "S", "bid", 100, 100, cancel_on_pause=True)
    engine.pause_trading()
    assert len(engine.wallet("A").member.purse(0, 2).resting) == 2
    engine.resume_trading()
    assert {row.market.ticker for row in engine.cancel_all("A")} == {"M", "S"}
    assert order.status == "canceled"
    engine.set_close_time("S", 0)
    engine.determine("S", 10_000)
    engine.advance(engine.now + HOUR)
    assert engine.balance("A", shard=2) == dollars(3.5)


def test_there_are_sixty_three_subaccounts() -> None:
    engine = exchange(A=1)
    assert [engine.create_subaccount("A") for _ in range(63)] == list(range(1, 64))
    with pytest.raises(Rejection, match="400 invalid_parameters"):
        engine.create_subaccount("A")


def test_money_on_reserve_cannot_be_taken_away() -> None:
    engine = exchange(A=10)
    engine.submit("A", "M", "bid", 5000, 1000)
    engine.deposit("A", -dollars(5))
    with pytest.raises(Rejection, match="400 insufficient_balance"):
        engine.deposit("A", -1)


def test_users_and_markets_are_distinct() -> None:
    engine = exchange(A=1)
    with pytest.raises(InputError, match="already is a user"):
        engine.create_user("A")
    with pytest.raises(InputError, match="already is a market"):
        engine.create_market(MarketSpec("M", "E", 0, HOUR))
    with pytest.raises(InputError, match="close before it opens"):
        engine.create_market(MarketSpec("N", "E", HOUR, HOUR))


def test_who_is_forgotten_keeps_money_positions_and_what_rests() -> None:
    engine = exchange(A=10, B=10)
    rests = engine.submit("A", "M", "bid", 4000, 300)
    engine.submit("B", "M", "ask", 4000, 100)
    done = engine.submit("A", "M", "bid", 4100, 100, **IOC)
    before = position(engine, "A").position, engine.book("M")
    engine.forget("A")
    assert (position(engine, "A").position, engine.book("M")) == before
    assert engine.order("A", rests.order.order_id).remaining == 200
    with pytest.raises(Rejection):
        engine.order("A", done.order.order_id)
    engine.submit("B", "M", "ask", 4000, 200)
    assert position(engine, "A").position == 300
    assert len(engine.members["A"].fills) == 1
    assert len(engine.members["B"].fills) == 2
    engine.set_close_time("M", engine.now)
    engine.determine("M", 10_000)
    engine.advance(engine.now + HOUR)
    assert len(engine.members["A"].settlements) == 1
    engine.forget("A")
    member = engine.members["A"]
    assert (member.orders, member.fills, member.settlements) == ([], [], [])
    assert engine.balance("A") > 0


def test_the_least_amount_of_money_moves() -> None:
    engine = Engine(now=0, options=EngineOptions(money="by_shard"))
    engine.create_user("A", cash=2)
    engine.create_subaccount("A")
    engine.move("A", 0, 0, 1, 1)
    engine.move("A", 0, 0, 1, 1)
    engine.transfer("A", 0, 1, 1, "t", shard=1)
    assert [engine.balance("A", shard=shard) for shard in (0, 1)] == [0, 1]
    engine.move("A", 1, 1, 0, 1)
    engine.deposit("A", -1, 1)
    engine.deposit("A", 0, 1)
    assert engine.balance("A", 1) == 0
    for taken in (lambda: engine.deposit("A", -1, 1), lambda: engine.move("A", 0, 1, 0, 2)):
        with pytest.raises(Rejection, match="insufficient_balance"):
            taken()
