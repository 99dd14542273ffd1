"""A made-up sports league whose markets show every odd state, and combos of other markets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import DAY, HOUR, MINUTE, SECOND, to_datetime
from kalshi_research.sandbox.seeding import derived_uuid, generator
from kalshi_research.sandbox.world.beliefs import interval_beliefs, random_walk
from kalshi_research.sandbox.world.calendar_words import day_code, spoken_day
from kalshi_research.sandbox.world.specs import (
    CENTER_DECI,
    LINEAR_CENT,
    BeliefPath,
    EventSpec,
    Flow,
    MarketSpec,
    SeriesSpec,
    Withdrawal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMBOS", "MATCHES", "ComboProcess", "MatchProcess", "combo_event", "odd_matches"]

MATCHES = SeriesSpec(
    "KXHARBORMATCH",
    "Harbor League match winner",
    "Sports",
    ("Harbor League",),
    "custom",
    (("Simulated Harbor League", "https://example.invalid/harbor"),),
    fee_type="quadratic_with_maker_fees",
    fee_multiplier=0.5,
    shard=3,
    product_metadata={"competition": "Harbor League", "competition_scope": "Game"},
)
COMBOS = SeriesSpec(
    "KXMVECROSSCATEGORY",
    "Combinations of markets",
    "Exotics",
    (),
    "custom",
    (),
    fee_type="quadratic_with_combo_maker_fees",
    shard=1,
    combo=True,
)
_MATCH_FLOW = Flow(parents=160, half_spread=0.011, touch=150, parent=60, lead=3 * MINUTE)
_SILENT = Flow(parents=0, half_spread=0.03, touch=60, parent=20)
_COMBO_FLOW = Flow(parents=25, half_spread=0.02, touch=40, parent=12)
# How much of an abandoned match is never played.
_MISSING = 150 * MINUTE
_CLUBS = (
    ("Anchor", "ANC"), ("Beacon", "BEA"), ("Compass", "COM"), ("Dockside", "DOC"), ("Estuary", "EST"),
    ("Foghorn", "FOG"), ("Gangway", "GAN"), ("Halyard", "HAL"), ("Isthmus", "IST"), ("Jetty", "JET"),
    ("Keel", "KEE"), ("Lagoon", "LAG"), ("Mooring", "MOO"), ("Narrows", "NAR"), ("Offing", "OFF"),
    ("Pier", "PIE"), ("Quay", "QUA"), ("Rigging", "RIG"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MatchProcess:
    """The score difference to come: slow before the start, fast during the match.

    `abandoned` matches never finish: their markets pay what was last believed.
    """

    name: str
    opens: int
    starts: int
    ends: int
    abandoned: bool = False

    def path(self, seed: int) -> BeliefPath:
        """Draw the match."""
        rng = generator(seed, self.name, "match")
        before = np.arange(self.opens, self.starts, 20 * MINUTE, dtype=np.int64)
        during = np.arange(self.starts, self.ends, MINUTE, dtype=np.int64)
        times = np.concatenate((before, during, [self.ends]))
        spent = np.interp(times, [self.opens, self.starts, self.ends], [0.0, 0.15, 1.0])
        variance = 1.0 - spent
        latent = random_walk(rng, float(rng.normal(0, 0.5)), variance)
        if self.abandoned:
            kept = int(np.searchsorted(times, self.ends - _MISSING, side="right"))
            times, variance, latent = times[:kept], variance[:kept], latent[:kept]
        beliefs = interval_beliefs(latent, variance, (0.0,))
        home = round(float(beliefs[-1, 1]) * 100) * (PRICE_SCALE // 100)
        activity = np.where(times < self.starts, 1.0, 6.0)
        outcome = "abandoned" if self.abandoned else ("home" if home else "away")
        return BeliefPath(times, beliefs, activity, (PRICE_SCALE - home, home), outcome, latent)


@dataclass(frozen=True, slots=True)
class ComboProcess:
    """All legs at once: independent events, so beliefs multiply."""

    legs: tuple[tuple[MarketSpec, str], ...]
    opens: int
    ends: int

    def path(self, seed: int) -> BeliefPath:  # noqa: ARG002 - all chance is in the legs
        """Multiply the beliefs of the legs."""
        times = np.arange(self.opens, self.ends + 1, 5 * MINUTE, dtype=np.int64)
        joint = np.ones(times.size)
        value = 1
        for market, side in self.legs:
            path = market.event.path
            at = np.clip(np.searchsorted(path.times, times, side="right") - 1, 0, None)
            belief = path.beliefs[at, market.column]
            joint *= belief if side == "yes" else 1.0 - belief
            value *= (market.value == PRICE_SCALE) == (side == "yes")
        return BeliefPath(
            times, joint[:, None], np.ones(times.size), (PRICE_SCALE * int(value),), "", joint
        )


def _match_event(
    pair: int, hours: tuple[float, float], today: int, seed: int, flow: Flow = _MATCH_FLOW,
    *, abandoned: bool = False, paused: bool = False, slow_result: bool = False,
    withdrawn: Sequence[str] = (), since: int = 0,
) -> EventSpec:  # fmt: skip
    """One match; `hours` say when it starts and ends, from 15:00 UTC of `today`."""
    noon = today + 15 * HOUR
    starts, ends = (noon + int(hour * HOUR) for hour in hours)
    (home, home_code), (away, away_code) = _CLUBS[2 * pair], _CLUBS[2 * pair + 1]
    day = to_datetime(starts).date()
    label = f"{home_code} vs {away_code} ({spoken_day(day, year=False)})"
    ticker = f"{MATCHES.ticker}-{day_code(day)}{home_code}{away_code}"
    opens = starts - 3 * DAY
    process = MatchProcess(ticker, opens, starts, ends, abandoned=abandoned)
    event = EventSpec(
        ticker, MATCHES, f"{home} vs {away}", label, process,
        seed, mutually_exclusive=True, strike_date=None, strike_period="",
    )  # fmt: skip
    jitter = generator(seed, ticker, "clerk").integers(0, SECOND, 2)
    closes = ends - (_MISSING if abandoned else 0)
    determined = ends + (12 * HOUR if slow_result else 5 * MINUTE) + int(jitter[0])
    for column, (club, code) in ((1, (home, home_code)), (0, (away, away_code))):
        event.markets.append(
            MarketSpec(
                f"{ticker}-{code}",
                event,
                column,
                f"Will {club} win the {home} vs {away} match?",
                club,
                LINEAR_CENT,
                flow,
                created=opens - 5 * HOUR + int(jitter[1]),
                opens=opens,
                closes=closes,
                determined=determined,
                settled=determined + MINUTE,
                expected_expiration=ends,
                latest_expiration=ends + 14 * DAY,
                rules_primary=f"Simulated. If {club} wins, the market resolves to Yes.",
                rules_secondary="A match that is abandoned resolves to the last fair price.",
                timer=60,
                strike_type="structured",
                custom_strike={"club": derived_uuid(seed, "club", code)},
                participant="club",
                early_close_condition="This market closes when a winner is declared.",
                occurrence=starts,
                paused=paused,
                withdrawal=Withdrawal(since, frozenset(withdrawn)) if withdrawn else None,
            )
        )
    return event


def odd_matches(now: int, seed: int) -> list[EventSpec]:
    """Matches around `now` that show the states a client must survive.

    In this order: still without a result after its end; paused; nobody offers;
    nobody bids; an empty book that was quoted before; abandoned and paid at a
    fair price; settled without a trade; settled in the ordinary way; running in
    the ordinary way.
    """
    today = now // DAY * DAY
    hour = now // HOUR * HOUR - (today + 15 * HOUR)
    offset = hour / HOUR
    gone = now - 2 * HOUR
    return [
        _match_event(0, (offset - 4, offset - 1), today, seed, slow_result=True),
        _match_event(1, (offset + 28, offset + 31), today, seed, paused=True),
        _match_event(2, (offset + 30, offset + 33), today, seed, withdrawn=("ask",), since=gone),
        _match_event(3, (offset + 32, offset + 35), today, seed, withdrawn=("bid",), since=gone),
        _match_event(4, (offset + 34, offset + 37), today, seed, withdrawn=("bid", "ask"), since=gone),
        _match_event(5, (-64, -61), today, seed, abandoned=True),
        _match_event(6, (-62, -59), today, seed, _SILENT),
        _match_event(7, (-40, -37), today, seed),
        _match_event(8, (offset + 9, offset + 12), today, seed),
    ]


def combo_event(
    legs: Sequence[tuple[MarketSpec, str]], now: int, seed: int, *, variant: str = ""
) -> EventSpec:
    """One combination, YES when every leg ends on its side; a variant has other tickers."""
    opens = max(now - 9 * HOUR, *(market.opens for market, _ in legs))
    ends = min(market.closes for market, _ in legs)
    names = [market.ticker for market, _ in legs] + ([variant] if variant else [])
    code = derived_uuid(seed, "combo", *names).replace("-", "").upper()
    ticker = f"{COMBOS.ticker}-S2026{code[:11]}"
    label = ",".join(f"{side} {market.yes_sub_title}" for market, side in legs)
    event = EventSpec(
        ticker, COMBOS, "Combo", label, ComboProcess(tuple(legs), opens, ends), seed,
        mutually_exclusive=False, collection=f"{COMBOS.ticker}-R",
    )  # fmt: skip
    event.markets.append(
        MarketSpec(
            f"{ticker}-{code[11:22]}",
            event,
            0,
            label,
            label,
            CENTER_DECI,
            _COMBO_FLOW,
            created=opens - SECOND + int(code[:5], 16) % SECOND,
            opens=opens,
            closes=ends,
            determined=max(market.determined for market, _ in legs) + 10 * SECOND,
            settled=max(market.settled for market, _ in legs) + 15 * SECOND,
            expected_expiration=max(market.expected_expiration for market, _ in legs),
            latest_expiration=max(market.latest_expiration for market, _ in legs),
            rules_primary="",
            rules_secondary="Simulated. Resolves to Yes when every leg ends on its side.",
            timer=5,
            strike_type="custom",
            custom_strike={
                "Associated Events": ",".join(market.event.ticker for market, _ in legs),
                "Associated Market Sides": ",".join(side for _, side in legs),
                "Associated Markets": ",".join(market.ticker for market, _ in legs),
                "Multivariate Event Ticker": ticker,
            },
            provisional=True,
            legs=tuple((market.event.ticker, market.ticker, side) for market, side in legs),
        )
    )
    return event
