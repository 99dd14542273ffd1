"""The simulated traders: what they do to books, and the parameters planted in them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox import Sandbox
from kalshi_research.sandbox.engine import BookDelta, Engine, Event, Trade
from kalshi_research.sandbox.floor import Floor
from kalshi_research.sandbox.traded import TradedWorld
from kalshi_research.sandbox.traders import Traders
from kalshi_research.sandbox.traders.makers import MAKER
from kalshi_research.sandbox.world import World

NOW = 1_795_186_800_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
CASH = 10**12
LADDER = "KXHIGHNY-26NOV21"
BUSY = "KXHIGHNY-26NOV21-B44.5"
DEPOSITS = 10**21
"""What each simulated trader owns [1/1 000 000 dollar]."""


def opened(traders: Traders | None = None, seed: int = 0, **choices: Any) -> tuple[TradedWorld, Floor]:
    world = TradedWorld(NOW, seed, days=1, crypto_hours=1, traders=traders or Traders(), **choices)
    floor = Floor(world, {"ANNA": CASH, "BERT": CASH})
    floor.populate()
    return world, floor


def engine_of(floor: Floor) -> Engine:
    return floor.call(lambda engine: engine)


def mid(floor: Floor, ticker: str) -> float:
    book = floor.book(ticker)
    return (book.yes[-1][0] + 10_000 - book.no[-1][0]) / 2


def told(floor: Floor) -> list[Any]:
    """What is told from now on, without the objects that tell nothing by themselves."""
    found: list[Any] = []

    def note(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, BookDelta):
                found.append((event.time, event.ticker, event.side, event.price, event.delta))
            elif isinstance(event, Trade):
                found.append((event.time, event.trade_id, event.price, event.count, event.taker_side))

    floor.listen(note)
    return found


# What the defaults are


def test_the_default_traders_have_the_manners_of_the_plain_world() -> None:
    plain = World(NOW, days=1, crypto_hours=1)
    same = World(NOW, days=1, crypto_hours=1, traders=Traders())
    for ticker in plain.markets:
        for ours, theirs in zip(
            (plain.history(ticker).quotes, plain.history(ticker).tape),
            (same.history(ticker).quotes, same.history(ticker).tape),
            strict=True,
        ):
            for name in ours.__slots__:
                assert np.array_equal(getattr(ours, name), getattr(theirs, name)), (ticker, name)


def test_without_traders_a_listed_market_stands_still() -> None:
    floor = Floor(TradedWorld(NOW, days=1, crypto_hours=0), {"ANNA": CASH})
    assert floor.attend(BUSY)
    before = floor.book(BUSY)
    floor.advance(NOW + HOUR)
    assert floor.book(BUSY) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": -1.0}, {"informed": 1.0}, {"bias": -0.1}, {"requotes": 0.5}, {"impact": math.inf},
        {"memory": 0.0}, {"half_spread": math.nan}, {"quiet": -5.0},
    ],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name}="):
        Traders(**wrong)


def test_two_biases_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="bias"):
        Sandbox(bias=0.1, traders=Traders(bias=0.2))
    assert Sandbox(traders=Traders(bias=0.2), days=1, crypto_hours=0).truth.bias == 0.2


# Books that are played


def test_the_same_seed_and_the_same_acts_make_the_same_market_in_any_steps() -> None:
    logs = []
    for step in (7 * MINUTE, HOUR):
        _, floor = opened()
        log = told(floor)
        at = NOW
        for number in range(2):
            while at < NOW + (number + 1) * HOUR:
                at = min(at + step, NOW + (number + 1) * HOUR)
                floor.advance(at)
            floor.call(lambda engine: engine.submit("ANNA", BUSY, "bid", 9_900, 5_000), BUSY)
        floor.advance(NOW + 3 * HOUR)
        logs.append(log)
    assert len(logs[0]) > 2_000
    assert logs[0] == logs[1]


def test_another_seed_is_another_market() -> None:
    logs = []
    for seed in (0, 1):
        _, floor = opened(seed=seed)
        logs.append(told(floor))
        floor.advance(NOW + HOUR)
    assert logs[0]
    assert not set(logs[0]) & set(logs[1])


def test_makers_show_what_was_drawn_where_nobody_interferes() -> None:
    world = TradedWorld(NOW, days=1, crypto_hours=1, traders=Traders())
    tickers = [ticker for ticker in world.markets if ticker.startswith((LADDER, "KXFED"))]
    checked = 0
    for ticker in tickers:
        script = world.script(ticker)
        place = int(np.searchsorted(script.quote_times, NOW, side="right"))
        if place >= script.quote_times.size or world.markets[ticker].status(NOW) != "active":
            continue
        _, alone = opened(Traders(impact=0.0, skew=0.0))
        alone.advance(int(script.quote_times[place]))
        bid, ask = script.edges[place]
        grid = world.markets[ticker].structure.grid.prices()
        book = alone.book(ticker)
        expected_bid = max((price for price in grid if price <= math.floor(bid)), default=0)
        expected_ask = min((price for price in grid if price >= math.ceil(ask)), default=10_000)
        if book.yes and book.no:
            assert (book.yes[-1][0], 10_000 - book.no[-1][0]) == (expected_bid, expected_ask)
            assert [book.yes[-1][1], book.no[-1][1]] == script.touch[place].tolist()
            checked += 1
        if checked == 4:
            break
    assert checked == 4


@pytest.fixture(scope="module")
def day() -> tuple[TradedWorld, Floor, list[Any]]:
    """Six hours in which a user quotes and takes in one market, after every ten minutes."""
    world, floor = opened(Traders(rate=6.0, informed=0.3, requotes=2.0))
    log = told(floor)
    rng = np.random.default_rng(5)
    for step in range(36):
        floor.advance(NOW + (step + 1) * 10 * MINUTE)
        book = floor.book(BUSY)
        if not book.yes or not book.no:
            continue
        bid, ask = book.yes[-1][0], 10_000 - book.no[-1][0]
        side = "bid" if rng.random() < 0.5 else "ask"
        price = {0: bid if side == "bid" else ask, 1: ask if side == "bid" else bid}[step % 2]
        floor.call(lambda engine: engine.submit("ANNA", BUSY, side, price, 1_500), BUSY)  # noqa: B023
        for market in engine_of(floor).markets.values():
            best_bid, best_ask = market.bids.best(), market.asks.best()
            assert best_bid is None or best_ask is None or best_bid.price < best_ask.price
    return world, floor, log


def test_nothing_is_lost_and_nothing_comes_from_nowhere(day: tuple[TradedWorld, Floor, Any]) -> None:
    _, floor, _ = day
    engine = engine_of(floor)
    wallets = [wallet for member in engine.members.values() for wallet in member.wallets.values()]
    simulated = len(engine.members) - 2
    held = sum(market.open_interest for market in engine.markets.values())
    for market in engine.markets.values():
        positions = [holding.position for holding in market.holdings.values()]
        assert sum(positions) == 0
        assert sum(place for place in positions if place > 0) == market.open_interest
    # A contract held is a dollar paid in: count [1/100] × 10 000 is money [1/1 000 000 dollar].
    assert sum(wallet.cash for wallet in wallets) + engine.fee_income + held * 10_000 == (
        simulated * DEPOSITS + 2 * CASH
    )
    assert all(wallet.available > 0 for wallet in wallets)


def test_makers_always_quote(day: tuple[TradedWorld, Floor, Any]) -> None:
    _, floor, _ = day
    engine = engine_of(floor)
    makers = engine.members[MAKER]
    assert all(wallet.available > DEPOSITS // 2 for wallet in makers.wallets.values())
    book = floor.book(BUSY)
    assert len(book.yes) >= 2
    assert len(book.no) >= 2


def test_orders_of_users_rest_in_a_moving_market_and_are_filled_by_it(
    day: tuple[TradedWorld, Floor, Any],
) -> None:
    _, floor, _ = day
    fills = engine_of(floor).members["ANNA"].fills
    assert any(not fill.is_taker for fill in fills)
    assert any(fill.is_taker for fill in fills)


def test_the_tape_and_the_senders_account_for_every_trade(day: tuple[TradedWorld, Floor, Any]) -> None:
    world, floor, log = day
    history, trades = world.history(BUSY), engine_of(floor).market(BUSY).trades
    tape, parents = history.tape, history.parents
    assert tape.times.size - len(trades) == world.history(BUSY).trades_until(NOW)
    played = slice(tape.times.size - len(trades), None)
    assert tape.price[played].tolist() == [trade.price for trade in trades]
    assert tape.count[played].tolist() == [trade.count for trade in trades]
    filled = np.bincount(tape.parent, weights=tape.count, minlength=parents.times.size)
    assert filled.astype(np.int64).tolist() == parents.filled.tolist()
    assert (parents.filled <= parents.size).all()
    senders = Counter(parents.sender[parents.times > NOW].tolist())
    assert senders[0] > 20
    assert senders[1] > 0
    assert senders[3] > 0
    ids = {trade.trade_id for trade in trades}
    assert sum(1 for event in log if event[1] in ids) == len(trades)


def test_those_who_know_buy_below_what_will_be_believed(day: tuple[TradedWorld, Floor, Any]) -> None:
    world, _, _ = day
    gains: dict[str, list[float]] = {"noise": [], "informed": []}
    for ticker in (name for name in world.markets if name.startswith("KXHIGH")):
        market, parents = world.markets[ticker], world.history(ticker).parents
        path = market.event.path
        late = np.searchsorted(path.times, parents.times + market.flow.lead, side="right") - 1
        soon = path.beliefs[late, market.column] * 10_000
        gain = np.where(parents.buys_yes, soon - parents.first_price, parents.first_price - soon)
        plain = ~parents.block & (parents.sender < 2)
        for sender, name in enumerate(gains):
            gains[name] += gain[plain & (parents.sender == sender)].tolist()
    assert min(gains["informed"]) > 0
    # Who knows nothing pays the spread: a cent or so, the error of the mean being far below that.
    mean, error = np.mean(gains["noise"]), np.std(gains["noise"]) / math.sqrt(len(gains["noise"]))
    assert mean + 3 * error < 0


def test_what_nobody_asks_for_is_forgotten(day: tuple[TradedWorld, Floor, Any]) -> None:
    """Orders of the simulated traders do not pile up; those of users are kept."""
    _, floor, _ = day
    engine = engine_of(floor)
    finished = [order for order in engine.members[MAKER].orders if order.status != "resting"]
    placed = sum(len(market.trades) for market in engine.markets.values())
    assert len(finished) < placed / 2
    assert len(engine.members["ANNA"].orders) >= 30
    for order in engine.members["ANNA"].orders:
        assert engine.order("ANNA", order.order_id) is order


# Impact and inventory


def twins(traders: Traders, contracts: int) -> tuple[TradedWorld, Floor, Floor]:
    """Two floors of one world; on the first, a user buys."""
    world, touched = opened(traders)
    _, alone = opened(traders)
    touched.call(
        lambda engine: engine.submit(
            "ANNA", BUSY, "bid", 9_900, contracts * 100, time_in_force="immediate_or_cancel"
        ),
        BUSY,
    )
    for floor in (touched, alone):
        floor.advance(NOW + 3_000_000)  # makers take two seconds at most
    return world, touched, alone


def test_what_a_user_buys_moves_the_price_by_the_planted_impact_and_it_fades() -> None:
    traders = Traders(impact=4.0, memory=3600.0, skew=0.0, rate=0.0)
    world, touched, alone = twins(traders, 200)
    flow = world.markets[BUSY].flow
    bought = sum(fill.count for fill in engine_of(touched).members["ANNA"].fills) / 100
    assert bought == 200
    expected = 10_000 * traders.impact * flow.half_spread * bought / flow.touch
    assert expected > 400
    # Quotes lie on whole cents, so a shift shows to a cent.
    assert mid(touched, BUSY) - mid(alone, BUSY) == pytest.approx(expected, abs=101)
    for floor in (touched, alone):
        floor.advance(NOW + HOUR)
    assert mid(touched, BUSY) - mid(alone, BUSY) == pytest.approx(expected / 2, abs=120)


def test_without_impact_only_the_book_is_eaten() -> None:
    _, touched, alone = twins(Traders(impact=0.0, skew=0.0, rate=0.0), 200)
    for floor in (touched, alone):
        floor.advance(NOW + 20 * MINUTE)
    assert mid(touched, BUSY) == mid(alone, BUSY)


def test_makers_quote_against_their_inventory() -> None:
    traders = Traders(impact=0.0, skew=5.0, rate=0.0)
    world, touched, alone = twins(traders, 900)
    flow = world.markets[BUSY].flow
    stock = engine_of(touched).holding(MAKER, BUSY)
    assert stock is not None
    assert stock.position == -90_000
    full = 5.0 * flow.half_spread * 10_000
    expected = full * math.tanh(900 / (10 * flow.touch)) / math.tanh(1)
    assert mid(touched, BUSY) - mid(alone, BUSY) == pytest.approx(expected, abs=101)


# Parameters that can be counted


def parents_in(world: World) -> int:
    return sum(
        world.history(ticker).parents.times.size for ticker in world.markets if "KXHIGH" in ticker
    )


def test_the_rate_is_the_number_of_takers() -> None:
    own, more = (
        parents_in(World(NOW, days=4, crypto_hours=0, traders=Traders(rate=rate))) for rate in (1.0, 5.0)
    )
    # Both counts are of the Poisson kind; a few takers find nobody, at either rate.
    assert more / own == pytest.approx(5.0, abs=5 * 4 / math.sqrt(own))


@pytest.mark.parametrize("share", [0.0, 0.15, 0.6])
def test_the_informed_share_is_that_of_takers_who_know(share: float) -> None:
    world = World(NOW, days=4, crypto_hours=0, traders=Traders(informed=share))
    tickers = [ticker for ticker in world.markets if "KXHIGH" in ticker]
    knows = np.concatenate([world.script(ticker).knows for ticker in tickers])
    error = math.sqrt(share * (1 - share) / knows.size)
    assert knows.mean() == pytest.approx(share, abs=4 * error + 1e-12)
    acted = sum(int((world.history(ticker).parents.sender == 1).sum()) for ticker in tickers)
    assert (acted > 0) == (share > 0)
    assert acted <= knows.sum() + 0.02 * knows.size


@pytest.mark.parametrize("times", [1.0, 2.5])
def test_the_half_spread_is_the_one_planted(times: float) -> None:
    world = World(NOW, days=3, crypto_hours=0, traders=Traders(half_spread=times))
    found = []
    for ticker in (name for name in world.markets if "KXHIGH" in name):
        market, script = world.markets[ticker], world.script(ticker)
        path = market.event.path
        place = np.searchsorted(path.times, script.quote_times, side="right") - 1
        fair = path.beliefs[place, market.column]
        half = (script.edges[:, 1] - script.edges[:, 0]) / 2
        found.append(half / (0.25 + 3 * fair * (1 - fair)))
    # Half spreads are log-normal around the planted one.
    assert np.median(np.concatenate(found)) == pytest.approx(120 * times, rel=0.01)


def test_the_bias_is_the_same_by_either_name() -> None:
    ticker = f"{LADDER}-B44.5"
    by_name = World(NOW, days=1, crypto_hours=0, bias=0.3).history(ticker)
    by_traders = World(NOW, days=1, crypto_hours=0, traders=Traders(bias=0.3)).history(ticker)
    plain = World(NOW, days=1, crypto_hours=0).history(ticker)
    assert np.array_equal(by_name.quotes.bid, by_traders.quotes.bid)
    assert not np.array_equal(plain.quotes.bid, by_traders.quotes.bid)


def test_more_requotes_are_more_quotes() -> None:
    plain, busy = (
        World(NOW, days=1, crypto_hours=0, traders=Traders(requotes=times)).script(BUSY)
        for times in (1.0, 6.0)
    )
    grid = World(NOW, days=1, crypto_hours=0).events[LADDER].path.times.size
    added = busy.quote_times.size - plain.quote_times.size
    assert added == pytest.approx(5 * grid, abs=5 * math.sqrt(5 * grid))


# News


def test_news_comes_at_the_planted_moments_and_nothing_is_believed_before() -> None:
    traders = Traders(jumps=8.0, quiet=2400.0)
    world = World(NOW, days=6, crypto_hours=0, traders=traders)
    plain = World(NOW, days=6, crypto_hours=0)
    moments, spans, moved = 0, 0.0, 0
    for name, event in world.events.items():
        if not name.startswith("KXHIGH"):
            continue
        path, own = event.path, plain.events[name].path
        assert path.values == own.values
        assert np.allclose(path.beliefs.sum(axis=1), 1)
        spans += (own.times[-1] - own.times[0]) / (24 * HOUR)
        moments += event.jumps.size
        for moment in event.jumps.tolist():
            before = (path.times >= moment - 2400 * 1_000_000) & (path.times < moment)
            assert before.any()
            assert np.ptp(path.latent[before]) == 0
            after = int(np.searchsorted(path.times, moment, side="right")) - 1
            moved += path.latent[after] != path.latent[before][0]
        # Apart from the times before news, nothing is different.
        calm = np.ones(own.times.size, bool)
        for moment in event.jumps.tolist():
            calm &= (own.times < moment - 2400 * 1_000_000) | (own.times >= moment)
        same = np.searchsorted(path.times, own.times[calm])
        assert np.array_equal(path.latent[same], own.latent[calm])
    # News that would come within 40 minutes of other news is left out.
    assert moments == pytest.approx(8 * spans / (1 + 8 * 2400 / 86_400), rel=0.25)
    assert moved == moments


def test_the_truth_tells_what_was_planted() -> None:
    traders = Traders(rate=3.0, informed=0.4, impact=0.5, jumps=4.0)
    sandbox = Sandbox(traders=traders, days=1, crypto_hours=0)
    truth = sandbox.truth
    planted = truth.planted(BUSY)
    assert truth.traders == traders
    assert (planted.informed, planted.half_spread, planted.touch) == (0.4, 0.012, 90)
    assert planted.orders == 3 * 145
    assert planted.impact == pytest.approx(0.5 * 0.012 / 90)
    assert truth.jumps(LADDER).size > 0
    sandbox.floor.call(lambda engine: engine.submit(sandbox_user(sandbox), BUSY, "bid", 9_900, 100))
    assert truth.senders(BUSY)[-1] == "user"
    assert Sandbox(days=1, crypto_hours=0).truth.planted(BUSY).impact == 0


def sandbox_user(sandbox: Sandbox) -> str:
    return sandbox._exchange.accounts[0].user_id
