"""Which series, events and markets exist around an instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from kalshi_research.sandbox.instants import DAY, HOUR, to_datetime
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.calendar_words import day_code
from kalshi_research.sandbox.world.crypto import BITCOIN, window_event, windows
from kalshi_research.sandbox.world.matches import COMBOS, MATCHES, combo_event, odd_matches
from kalshi_research.sandbox.world.rates import (
    ELECTION,
    FED,
    decision_days,
    decision_event,
    election_event,
)
from kalshi_research.sandbox.world.weather import CITIES, City, temperature_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kalshi_research.sandbox.world.specs import EventSpec, MarketSpec, SeriesSpec

__all__ = ["Catalogue", "build_catalogue", "new_events"]


@dataclass
class Catalogue:
    """Everything listed, each by its ticker."""

    series: dict[str, SeriesSpec] = field(default_factory=dict)
    events: dict[str, EventSpec] = field(default_factory=dict)
    markets: dict[str, MarketSpec] = field(default_factory=dict)

    def add(self, event: EventSpec) -> None:
        """List an event with its series and markets."""
        self.series.setdefault(event.series.ticker, event.series)
        self.events[event.ticker] = event
        for market in event.markets:
            self.markets[market.ticker] = market


def build_catalogue(now: int, seed: int, *, days: int, crypto_hours: int) -> Catalogue:
    """List what exists at `now`.

    Parameters
    ----------
    now : int
        Instant [µs].
    seed : int
    days : int
        How many days of settled temperature ladders [days].
    crypto_hours : int
        How many hours of settled 15-minute windows [hours].
    """
    catalogue = Catalogue(series={series.ticker: series for series in _series()})
    for event in _events(now, seed, days, crypto_hours):
        if all(market.created <= now for market in event.markets):
            catalogue.add(event)
    for event in _combos(catalogue, now, seed):
        catalogue.add(event)
    return catalogue


def _series() -> list[SeriesSpec]:
    return [*(city.series for city in CITIES), FED, ELECTION, BITCOIN, MATCHES, COMBOS]


def _events(now: int, seed: int, days: int, crypto_hours: int) -> Iterator[EventSpec]:
    today = to_datetime(now).date()
    for city in CITIES:
        for offset in range(-days, 3):
            yield temperature_event(city, today + timedelta(days=offset), seed)
    for day in decision_days(today - timedelta(days=100), today + timedelta(days=131)):
        yield decision_event(day, seed)
    for year in (today.year, today.year + 1):
        yield election_event(year, seed)
    for opens in windows(now - crypto_hours * HOUR, now + HOUR):
        yield window_event(opens, seed)
    yield from odd_matches(now, seed)


def new_events(since: int, until: int, seed: int) -> list[EventSpec]:
    """What is listed in (since, until] [µs]: the next ladders, windows and decisions, oldest first."""
    first, last = to_datetime(since).date(), to_datetime(until).date()
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 4)]
    found = [temperature_event(city, day, seed) for city in CITIES for day in days]
    found += [window_event(opens, seed) for opens in windows(since - HOUR, until + HOUR)]
    found += [decision_event(day, seed) for day in decision_days(first, last + timedelta(days=140))]
    fresh = [event for event in found if since < _listed_at(event) <= until]
    return sorted(fresh, key=lambda event: (_listed_at(event), event.ticker))


def _listed_at(event: EventSpec) -> int:
    return max(market.created for market in event.markets)


def _combos(catalogue: Catalogue, now: int, seed: int) -> Iterator[EventSpec]:
    """Two combinations of today's and tomorrow's temperatures in both cities."""
    for ahead in (0, 1):
        day = to_datetime(now).date() + timedelta(days=ahead)
        legs = [_leg(catalogue, city, day_code(day), now, seed) for city in CITIES]
        found = [leg for leg in legs if leg is not None]
        if len(found) == len(CITIES):
            event = combo_event(found, now, seed)
            if event.markets[0].closes - now > HOUR and now - event.markets[0].opens < 3 * DAY:
                yield event


def _leg(
    catalogue: Catalogue, city: City, code: str, now: int, seed: int
) -> tuple[MarketSpec, str] | None:
    event = catalogue.events.get(f"{city.series.ticker}-{code}")
    if event is None or event.markets[0].status(now) != "active":
        return None
    place = int(generator(seed, event.ticker, "leg").integers(1, 5))
    return event.markets[place], "yes" if place % 2 else "no"
