"""Fifteen-minute up-or-down markets on a simulated Bitcoin price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import DAY, HOUR, MINUTE, SECOND, day_start, to_datetime
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.beliefs import interval_beliefs, random_walk
from kalshi_research.sandbox.world.calendar_words import day_code, spoken_day
from kalshi_research.sandbox.world.specs import (
    TAPERED,
    BeliefPath,
    EventSpec,
    Flow,
    MarketSpec,
    SeriesSpec,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BITCOIN", "WINDOW", "UpDownProcess", "window_event", "windows"]

WINDOW = 15 * MINUTE
BITCOIN = SeriesSpec(
    "KXBTC15M",
    "Bitcoin price up or down in 15 minutes",
    "Crypto",
    ("BTC", "15 min"),
    "fifteen_min",
    (("Simulated Bitcoin index", "https://example.invalid/btc"),),
    shard=2,
)
_FLOW = Flow(
    parents=90, half_spread=0.008, touch=240, parent=60, informed=0.3, lead=8 * SECOND,
    pause=SECOND // 5, whole=False,
)  # fmt: skip
_START = day_start(date(2020, 1, 1))
_START_PRICE = 97_000.0
_DEVIATION = 0.0022
# The clock of New York in winter; tickers name windows by it.
_LOCAL = -5 * HOUR


@lru_cache(maxsize=4)
def _moves(seed: int, days: int) -> NDArray[np.float64]:
    """Log moves of all windows since 2020; longer requests begin with the same numbers."""
    return generator(seed, "bitcoin").standard_normal(days * (DAY // WINDOW)) * _DEVIATION


@lru_cache(maxsize=4)
def _levels(seed: int, days: int) -> NDArray[np.float64]:
    # Pulled back a little toward the start, so that years of windows stay in a believable range.
    moves = _moves(seed, days)
    daily = moves.reshape(days, -1).sum(axis=1)
    drift = np.empty(days + 1)
    drift[0] = level = 0.0
    for day in range(days):
        level = 0.995 * level + daily[day]
        drift[day + 1] = level
    inside = np.cumsum(moves.reshape(days, -1), axis=1)
    opening = np.concatenate((np.zeros((days, 1)), inside[:, :-1]), axis=1) + drift[:-1, None]
    return opening.ravel()


@dataclass(frozen=True, slots=True)
class UpDownProcess:
    """The price inside one window, relative to its start."""

    opens: int

    def _index(self) -> tuple[int, int]:
        number = (self.opens - _START) // WINDOW
        # Whole years of days, so that neighbouring windows share one draw.
        return number, (number // (DAY // WINDOW) // 366 + 1) * 366

    def strike(self, seed: int) -> float:
        """The price at the start of the window [dollars]."""
        number, days = self._index()
        return round(float(_START_PRICE * np.exp(_levels(seed, days)[number])), 2)

    def path(self, seed: int) -> BeliefPath:
        """Draw the price inside the window."""
        number, days = self._index()
        move = float(_moves(seed, days)[number])
        times = np.arange(self.opens, self.opens + WINDOW + 1, 5 * SECOND, dtype=np.int64)
        variance = np.linspace(1.0, 0.0, times.size) * _DEVIATION**2
        latent = random_walk(generator(seed, "bitcoin", self.opens), 0.0, variance, end=move)
        final = self.strike(seed) * float(np.exp(move))
        up = move > 0
        return BeliefPath(
            times,
            interval_beliefs(latent, variance, (0.0,)),
            np.linspace(1.0, 2.0, times.size),
            (0 if up else PRICE_SCALE, PRICE_SCALE if up else 0),
            f"{final:.2f}",
            latent,
        )


def windows(start: int, stop: int) -> list[int]:
    """List the windows that begin in [start, stop) by their start."""
    first = -(-start // WINDOW) * WINDOW
    return list(range(first, stop, WINDOW))


def window_event(opens: int, seed: int) -> EventSpec:
    """One window, whose question is whether the price ends above where it began.

    Examples
    --------
    >>> event = window_event(day_start(date(2026, 11, 20)), seed=0)
    >>> event.ticker, event.markets[0].structure.label
    ('KXBTC15M-26NOV191915', 'tapered_deci_cent')
    """
    process = UpDownProcess(opens)
    local = to_datetime(opens + WINDOW + _LOCAL)
    ticker = f"{BITCOIN.ticker}-{day_code(local)}{local:%H%M}"
    spoken = _clock(local)
    event = EventSpec(
        ticker, BITCOIN, f"BTC price up in the 15 minutes to {spoken}?", spoken, process, seed,
        mutually_exclusive=False, strike_date=opens + WINDOW,
    )  # fmt: skip
    strike = process.strike(seed)
    jitter = generator(seed, ticker, "clerk").integers(0, SECOND, 2)
    closes = opens + WINDOW
    determined = closes + 15 * SECOND + int(jitter[0])
    event.markets.append(
        MarketSpec(
            f"{ticker}-{local:%M}",
            event,
            1,
            f"Bitcoin at or above ${strike:,.2f} at {spoken}?",
            f"Target price: ${strike:,.2f}",
            TAPERED,
            _FLOW,
            created=opens - 30 * MINUTE + int(jitter[1]),
            opens=opens,
            closes=closes,
            determined=determined,
            settled=determined + 5 * SECOND,
            expected_expiration=closes + 5 * MINUTE,
            latest_expiration=closes + 7 * DAY,
            rules_primary=(
                f"Simulated. If the index at {spoken} is at or above {strike:.2f}, it resolves to Yes."
            ),
            rules_secondary="",
            timer=5,
            strike_type="greater_or_equal",
            floor_strike=strike,
            early_close_condition="This market does not close early.",
            occurrence=closes,
        )
    )
    return event


def _clock(local: datetime) -> str:
    hour = local.hour % 12 or 12
    half = "AM" if local.hour < 12 else "PM"
    return f"{hour}:{local:%M} {half} EST, {spoken_day(local)}"
