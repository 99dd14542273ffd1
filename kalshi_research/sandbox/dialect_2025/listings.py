"""The markets that the documents of 2025 name, so that their samples find them open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import DAY, HOUR
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.beliefs import interval_beliefs, random_walk, remaining_variance
from kalshi_research.sandbox.world.specs import (
    LINEAR_CENT,
    BeliefPath,
    EventSpec,
    Flow,
    MarketSpec,
    SeriesSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EXAMPLE", "EXAMPLE_NO", "EXAMPLE_YES", "documented_events"]

EXAMPLE = "KXHIGHNY-24JAN01-T60"
"""The market whose book the documents print."""

EXAMPLE_YES = (
    (1, 200), (15, 100), (20, 50), (25, 20), (30, 11), (31, 10), (32, 10), (33, 11), (34, 9), (35, 11),
    (41, 10), (42, 13),
)  # fmt: skip
"""Its bids for YES: cents and contracts, best last."""

EXAMPLE_NO = (
    (1, 100), (16, 3), (25, 50), (28, 19), (36, 5), (37, 50), (38, 300), (44, 29), (45, 20), (56, 17),
)  # fmt: skip
"""Its bids for NO."""

_FLOW = Flow(parents=400, half_spread=0.012, touch=90, parent=35)
_PAST, _AHEAD = 30 * DAY, 60 * DAY
# What is still unknown: nearly everything until the last day.
_UNKNOWN = ((-_PAST / DAY, 1.0), (_AHEAD / DAY - 1, 0.999), (_AHEAD / DAY, 0.0))


@dataclass(frozen=True, slots=True)
class _Listing:
    """One documented market: its tickers, what it says, and where its price is about."""

    series: str
    event: str
    market: str
    question: str
    outcome: str
    belief: float
    strike: float | None = None


_LISTINGS = (
    _Listing(
        "KXHIGHNY",
        "KXHIGHNY-24JAN01",
        EXAMPLE,
        "Highest temperature in NYC on Jan 1, 2024?",
        "61° or above",
        0.43,
        60,
    ),
    _Listing("KXHARRIS", "KXHARRIS24", "KXHARRIS24-LSV", "Simulated KXHARRIS24?", "LSV", 0.36),
    _Listing("KXFUT", "KXFUT24", "KXFUT24-LSV", "Simulated KXFUT24?", "LSV", 0.57),
    _Listing(
        "HOMEUSY",
        "HOMEUSY-24",
        "HOMEUSY-24-T4",
        "Will home prices in the US grow by more than 4%?",
        "Above 4%",
        0.31,
        4,
    ),
)
_SERIES = {
    "KXHARRIS": ("Simulated KXHARRIS", "Politics"),
    "KXFUT": ("Simulated KXFUT", "Politics"),
    "HOMEUSY": ("Home prices in the US, year over year", "Economics"),
}


@dataclass(frozen=True, slots=True)
class SteadyProcess:
    """A question on which hardly anything is learned before its last day."""

    name: str
    opens: int
    closes: int
    belief: float

    def path(self, seed: int) -> BeliefPath:
        """Draw it."""
        times = np.arange(self.opens, self.closes + 1, HOUR, dtype=np.int64)
        days = (times - (self.opens + _PAST)) / DAY
        variance = remaining_variance(days, _UNKNOWN)
        latent = random_walk(generator(seed, self.name, "steady"), 0.0, variance)
        cut = -_quantile(self.belief)
        yes = latent[-1] >= cut
        return BeliefPath(
            times,
            interval_beliefs(latent, variance, (cut,))[:, 1:],
            np.ones(times.size),
            (PRICE_SCALE if yes else 0,),
            "yes" if yes else "no",
            latent,
        )


def _quantile(probability: float) -> float:
    """Quantile of the standard normal distribution, near enough for a price (Tukey's lambda)."""
    return 4.91 * float(probability**0.14 - (1 - probability) ** 0.14)


def documented_events(now: int, seed: int, known: Mapping[str, SeriesSpec]) -> Iterator[EventSpec]:
    """One event for each documented market.

    Parameters
    ----------
    now : int
        Instant at which all of them are open [µs].
    seed : int
    known : mapping
        The series there are, by ticker; what is missing is made.

    Examples
    --------
    >>> [event.markets[0].ticker for event in documented_events(10**15, 0, {})][1:]
    ['KXHARRIS24-LSV', 'KXFUT24-LSV', 'HOMEUSY-24-T4']
    """
    midnight = now // DAY * DAY
    for listing in _LISTINGS:
        series = known.get(listing.series) or _series(listing.series)
        yield _event(listing, series, midnight - _PAST, midnight + _AHEAD, seed)


def _series(ticker: str) -> SeriesSpec:
    title, category = _SERIES.get(ticker, (ticker, "Climate and Weather"))
    source = (("Simulated", f"https://example.invalid/{ticker.lower()}"),)
    return SeriesSpec(ticker, title, category, (), "custom", source)


def _event(listing: _Listing, series: SeriesSpec, opens: int, closes: int, seed: int) -> EventSpec:
    event = EventSpec(
        listing.event,
        series,
        listing.question,
        "As in the documents of 2025",
        SteadyProcess(listing.event, opens, closes, listing.belief),
        seed,
        mutually_exclusive=False,
        strike_date=closes,
    )
    event.markets.append(
        MarketSpec(
            listing.market,
            event,
            0,
            listing.question,
            listing.outcome,
            LINEAR_CENT,
            _FLOW,
            created=opens - HOUR,
            opens=opens,
            closes=closes,
            determined=closes + HOUR,
            settled=closes + 2 * HOUR,
            expected_expiration=closes + HOUR,
            latest_expiration=closes + 7 * DAY,
            rules_primary="Simulated. A draw from the seed decides.",
            rules_secondary="It is open whatever its ticker says, for the samples that name it.",
            timer=3600,
            strike_type="custom" if listing.strike is None else "greater",
            floor_strike=listing.strike,
            custom_strike={"outcome": listing.outcome} if listing.strike is None else None,
            subtitle=listing.outcome,
        )
    )
    return event
