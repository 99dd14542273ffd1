"""Daily high-temperature ladders: six strikes a day, exactly one of them YES."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import DAY, HOUR, MINUTE, SECOND, day_start
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.beliefs import interval_beliefs, random_walk, remaining_variance
from kalshi_research.sandbox.world.calendar_words import day_code, spoken_day
from kalshi_research.sandbox.world.specs import (
    LINEAR_CENT,
    BeliefPath,
    EventSpec,
    Flow,
    MarketSpec,
    SeriesSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["CITIES", "City", "TemperatureProcess", "temperature_event"]

# Hours of local standard time from the start of the day -> what is still unknown [degrees F].
_UNKNOWN = ((-40.0, 3.8), (0.0, 2.3), (8.0, 1.6), (12.0, 0.95), (14.5, 0.45), (17.0, 0.12), (24.0, 0.0))
# The share of the day's orders by local hour: quiet nights, a morning rush, a long afternoon.
_BY_HOUR = np.array(
    [2, 1, 1, 1, 2, 4, 8, 12, 15, 17, 18, 18, 17, 17, 16, 14, 12, 9, 7, 6, 5, 4, 4, 3], dtype=np.float64
)
_FLOW = Flow(parents=145, half_spread=0.012, touch=90, parent=35, lead=20 * MINUTE, pause=2 * SECOND)
_CALENDAR_START = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class City:
    """Where the temperature is measured, and its climate [degrees F]."""

    series: SeriesSpec
    name: str
    station: str
    short: str
    utc_offset: int
    mean: float
    swing: float


def _series(ticker: str, city: str, station: str, code: str) -> SeriesSpec:
    return SeriesSpec(
        ticker,
        f"Highest temperature in {city}",
        "Climate and Weather",
        ("Daily temperature", city),
        "daily",
        ((f"Simulated climate report, {station}", f"https://example.invalid/climate/{code}"),),
    )


CITIES = (
    City(
        _series("KXHIGHNY", "NYC", "Central Park", "NYC"),
        "NYC",
        "Central Park, New York",
        "NY",
        -5,
        62,
        23,
    ),
    City(
        _series("KXHIGHCHI", "Chicago", "Midway", "MDW"), "Chicago", "Chicago Midway", "CHI", -6, 59, 26
    ),
)


@lru_cache(maxsize=8)
def _weather_noise(seed: int, ticker: str) -> NDArray[np.float64]:
    """Day-to-day departures from the climate, one a day since 2020, persistent over a few days."""
    shocks = generator(seed, ticker, "weather").standard_normal(366 * 31)
    departures = np.empty_like(shocks)
    level = 0.0
    for day, shock in enumerate(shocks):
        level = 0.65 * level + shock
        departures[day] = level
    return departures * 5.0


def first_forecast(city: City, day: date, seed: int) -> float:
    """What is forecast for the day when its markets open [degrees F]."""
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 205) / 365.25)
    departure = _weather_noise(seed, city.series.ticker)[(day - _CALENDAR_START).days]
    return city.mean + city.swing * season + float(departure)


@dataclass(frozen=True, slots=True)
class TemperatureProcess:
    """The forecast of one day's high, from opening to the last minute of the day."""

    city: City
    day: date

    @property
    def midnight(self) -> int:
        """Start of the local (standard time) day."""
        return day_start(self.day) - self.city.utc_offset * HOUR

    @property
    def opens(self) -> int:
        """Late morning, local time, two days before."""
        return day_start(self.day) - 2 * DAY + 16 * HOUR

    @property
    def closes(self) -> int:
        """One minute before the local day ends."""
        return self.midnight + DAY - MINUTE

    def lowest_strike(self, seed: int) -> int:
        """The ladder is laid around the forecast at opening."""
        return math.floor(first_forecast(self.city, self.day, seed) - 3.0)

    def path(self, seed: int) -> BeliefPath:
        """Draw the forecast and where it ends."""
        times = np.arange(self.opens, self.closes + 1, 2 * MINUTE, dtype=np.int64)
        times = np.append(times, self.closes) if times[-1] < self.closes else times
        hours = (times - self.midnight) / HOUR
        variance = remaining_variance(hours, (*_UNKNOWN[:-1], (hours[-1], 0.0)))
        rng = generator(seed, self.city.series.ticker, self.day.isoformat(), "forecast")
        latent = random_walk(rng, first_forecast(self.city, self.day, seed), variance)
        low = self.lowest_strike(seed)
        cuts = [low - 0.5 + 2 * step for step in range(5)]
        high = math.floor(float(latent[-1]) + 0.5)
        place = min(max((high - low) // 2 + 1, 0), 5)
        activity = _BY_HOUR[(hours % 24).astype(np.int64)] * np.where(hours < 0, 0.45, 1.0)
        return BeliefPath(
            times,
            interval_beliefs(latent, variance, cuts),
            np.where(hours > 18, activity * 0.3, activity),
            tuple(PRICE_SCALE if column == place else 0 for column in range(6)),
            f"{high}.00",
            latent,
        )


def _ladder(low: int) -> Iterator[tuple[str, str, float | None, float | None, str, str, str]]:
    """Suffix, strike type, floor, cap, label, sign in the title, words of the rule; lowest first."""
    yield f"T{low}", "less", None, low, f"{low - 1}° or below", f"<{low}°", f"less than {low}°"
    for step in range(4):
        floor = low + 2 * step
        cap = floor + 1
        yield (
            f"B{floor}.5", "between", floor, cap,
            f"{floor}° to {cap}°", f"{floor}-{cap}°", f"between {floor}° and {cap}°",
        )  # fmt: skip
    top = low + 7
    yield f"T{top}", "greater", top, None, f"{top + 1}° or above", f">{top}°", f"greater than {top}°"


def temperature_event(city: City, day: date, seed: int) -> EventSpec:
    """One day's ladder in one city.

    Examples
    --------
    >>> event = temperature_event(CITIES[0], date(2026, 11, 21), seed=0)
    >>> event.ticker, len(event.markets), sum(market.value for market in event.markets)
    ('KXHIGHNY-26NOV21', 6, 10000)
    """
    process = TemperatureProcess(city, day)
    spoken = spoken_day(day)
    event = EventSpec(
        f"{city.series.ticker}-{day_code(day)}",
        city.series,
        f"Highest temperature in {city.name} on {spoken}?",
        f"On {spoken}",
        process,
        seed,
        mutually_exclusive=True,
        strike_date=process.closes,
    )
    rng = generator(seed, event.ticker, "clerk")
    jitter = rng.integers(0, SECOND, 3)
    created = process.opens - 6 * HOUR - 30 * MINUTE + int(jitter[0]) + 29 * SECOND
    settled = day_start(day + timedelta(days=1)) + 12 * HOUR + 59 * SECOND + int(jitter[1])
    for column, (suffix, kind, floor, cap, label, sign, words) in enumerate(
        _ladder(process.lowest_strike(seed))
    ):
        event.markets.append(
            MarketSpec(
                f"{event.ticker}-{suffix}",
                event,
                column,
                f"Will the **high temp in {city.name}** be {sign} on {spoken}?",
                label,
                LINEAR_CENT,
                _FLOW,
                created=created,
                opens=process.opens,
                closes=process.closes,
                determined=settled - HOUR,
                settled=settled,
                expected_expiration=day_start(day) + DAY + 15 * HOUR,
                latest_expiration=day_start(day) + 7 * DAY + 15 * HOUR,
                rules_primary=(
                    f"Simulated. If the highest temperature at {city.station} on {spoken} is {words}, "
                    "the market resolves to Yes."
                ),
                rules_secondary="A simulated forecast decides: its end, rounded to a whole degree.",
                timer=3600,
                strike_type=kind,
                floor_strike=floor,
                cap_strike=cap,
                subtitle=label,
                early_close_condition=(
                    f"Trading ends at 11:59 PM local standard time on {spoken} in any case."
                ),
                occurrence=process.midnight + 9 * HOUR,
            )
        )
    return event
