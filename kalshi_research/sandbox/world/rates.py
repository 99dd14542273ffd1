"""Two slow markets: a central-bank decision and an election."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kalshi_research.money import PRICE_SCALE
from kalshi_research.sandbox.instants import DAY, HOUR, MINUTE, SECOND, day_start
from kalshi_research.sandbox.seeding import generator
from kalshi_research.sandbox.world.beliefs import interval_beliefs, random_walk
from kalshi_research.sandbox.world.calendar_words import month_code, spoken_day, spoken_month
from kalshi_research.sandbox.world.specs import (
    LINEAR_CENT,
    BeliefPath,
    EventSpec,
    Flow,
    MarketSpec,
    SeriesSpec,
)

__all__ = ["ELECTION", "FED", "NewsProcess", "decision_days", "decision_event", "election_event"]

FED = SeriesSpec(
    "KXFEDDECISION",
    "Fed decision",
    "Economics",
    ("Fed", "Interest rates"),
    "custom",
    (("Simulated central bank", "https://example.invalid/rates"),),
    fee_type="quadratic_with_maker_fees",
)
ELECTION = SeriesSpec(
    "KXMAYORPORTVELA",
    "Mayor of Port Vela",
    "Elections",
    ("Local elections",),
    "custom",
    (("Simulated electoral office of Port Vela", "https://example.invalid/vote"),),
    product_metadata={"scope": "Local"},
)
_DECISION_FLOW = Flow(
    parents=1_500, half_spread=0.008, touch=900, parent=220, lead=2 * HOUR, pause=3 * SECOND
)
_VOTE_FLOW = Flow(
    parents=2_600, half_spread=0.010, touch=350, parent=90, lead=6 * HOUR, pause=5 * SECOND
)
_MEETING_MONTHS = (1, 3, 4, 6, 7, 9, 10, 12)
_OUTCOMES = (
    ("C26", "Cut by more than 25 bps", ">25 bps cut"),
    ("C25", "Cut by 25 bps", "25 bps cut"),
    ("H0", "Rates unchanged", "0 bps"),
    ("H25", "Hike by 25 bps", "25 bps hike"),
    ("H26", "Hike by more than 25 bps", ">25 bps hike"),
)
# Hours of the UTC day, New York trading hours on top of a quiet floor.
_BY_HOUR = np.array(
    [3, 3, 2, 2, 1, 1, 1, 1, 2, 2, 3, 5, 8, 14, 16, 16, 15, 13, 13, 14, 12, 8, 6, 4], dtype=np.float64
)


@dataclass(frozen=True, slots=True)
class NewsProcess:
    """A forecast that drifts with every hour and jumps at scheduled or sudden news.

    Attributes
    ----------
    name : tuple of str
        Whose randomness it is.
    opens, ends : int
        From the first quote to the answer [µs].
    start, scale : float
        The first forecast, and how much is unknown then.
    cuts : tuple of float
        Boundaries between the outcomes.
    news : tuple of int
        Instants at which news is due; they hold `share` of all uncertainty.
    sudden : int
        How many more pieces of news come unannounced.
    labels : tuple of str
        What the outcomes are called.
    """

    name: tuple[str, ...]
    opens: int
    ends: int
    start: float
    scale: float
    cuts: tuple[float, ...]
    news: tuple[int, ...]
    share: float
    sudden: int
    labels: tuple[str, ...]
    step: int = 30 * MINUTE

    def path(self, seed: int) -> BeliefPath:
        """Draw the forecast and where it ends."""
        rng = generator(seed, *self.name, "news")
        times = np.arange(self.opens, self.ends, self.step, dtype=np.int64)
        times = np.append(times, self.ends)
        weights = np.diff(times).astype(np.float64)
        weights *= (1.0 - self.share) / weights.sum()
        surprises = rng.integers(self.opens, self.ends, self.sudden)
        jumps = np.searchsorted(times, np.concatenate((np.array(self.news, np.int64), surprises))) - 1
        jumps = np.clip(jumps, 0, weights.size - 1)
        sizes = rng.exponential(1.0, jumps.size)
        np.add.at(weights, jumps, self.share * sizes / sizes.sum())
        remaining = np.concatenate(([1.0], 1.0 - np.cumsum(weights)))
        remaining[-1] = 0.0
        variance = np.maximum(remaining, 0.0) * self.scale**2
        latent = random_walk(rng, self.start, variance)
        place = int(np.searchsorted(self.cuts, float(latent[-1])))
        activity = _BY_HOUR[(times % DAY) // HOUR] * np.linspace(0.5, 1.6, times.size)
        for jump in jumps:
            activity[jump : jump + 6] *= 4.0
        return BeliefPath(
            times,
            interval_beliefs(latent, variance, self.cuts),
            activity,
            tuple(PRICE_SCALE if k == place else 0 for k in range(len(self.cuts) + 1)),
            self.labels[place],
            latent,
        )


def _third_wednesday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(2 - first.weekday()) % 7 + 14)


def decision_days(start: date, stop: date) -> list[date]:
    """Days of decision between two dates: eight a year, the third Wednesday of their month.

    Examples
    --------
    >>> decision_days(date(2026, 11, 20), date(2027, 2, 1))
    [datetime.date(2026, 12, 16), datetime.date(2027, 1, 20)]
    """
    days = (
        _third_wednesday(year, month)
        for year in range(start.year, stop.year + 1)
        for month in _MEETING_MONTHS
    )
    return [day for day in days if start <= day < stop]


def _releases(opens: int, ends: int) -> tuple[int, ...]:
    """Inflation and jobs figures, 13:30 UTC on the 4th and the 12th of each month."""
    found = []
    for offset in range((ends - opens) // DAY + 2):
        midnight = (opens // DAY + offset) * DAY
        day = date(1970, 1, 1) + timedelta(days=midnight // DAY)
        instant = midnight + 13 * HOUR + 30 * MINUTE
        if day.day in {4, 12} and opens < instant < ends:
            found.append(instant)
    return tuple(found)


def decision_event(day: date, seed: int) -> EventSpec:
    """One decision: five outcomes, one of them YES.

    Examples
    --------
    >>> event = decision_event(date(2026, 12, 16), seed=0)
    >>> event.ticker, [market.ticker[-3:] for market in event.markets]
    ('KXFEDDECISION-26DEC', ['C26', 'C25', '-H0', 'H25', 'H26'])
    """
    ticker = f"{FED.ticker}-{month_code(day)}"
    answer = day_start(day) + 19 * HOUR
    opens = day_start(day - timedelta(days=130)) + 15 * HOUR
    first = float(generator(seed, ticker, "first").normal(-0.35, 0.5))
    process = NewsProcess(
        (ticker,), opens, answer, first, 0.75, (-1.5, -0.5, 0.5, 1.5),
        _releases(opens, answer), 0.55, 4, tuple(label for _, _, label in _OUTCOMES),
    )  # fmt: skip
    spoken = spoken_month(day)
    event = EventSpec(
        ticker, FED, f"Fed decision in {spoken}?", spoken, process, seed,
        mutually_exclusive=True, strike_date=answer,
    )  # fmt: skip
    for column, (suffix, label, short) in enumerate(_OUTCOMES):
        event.markets.append(
            _slow_market(
                event,
                process,
                ticker=f"{ticker}-{suffix}",
                column=column,
                title=f"Will the outcome be: {label} in {spoken}?",
                label=label,
                flow=_DECISION_FLOW,
                strike_type="custom",
                strike={"Decision": short},
                rule=f"Simulated. If the decision of {spoken_day(day)} is: {label}, it resolves to Yes.",
            )
        )
    return event


def election_event(year: int, seed: int) -> EventSpec:
    """An election of a made-up town: one market, Yes or No."""
    ticker = f"{ELECTION.ticker}-{year % 100}"
    polls = day_start(date(year, 5, 4)) + 23 * HOUR
    opens = day_start(date(year - 1, 6, 1)) + 14 * HOUR
    first = float(generator(seed, ticker, "first").normal(0.1, 0.35))
    debates = tuple(polls - weeks * 7 * DAY for weeks in (2, 5, 9, 26, 31))
    process = NewsProcess(
        (ticker,), opens, polls, first, 1.0, (0.0,), debates, 0.4, 7, ("Ostrom", "Alder"), step=HOUR
    )
    event = EventSpec(
        ticker, ELECTION, f"Who will win the {year} election for mayor of Port Vela?", str(year),
        process, seed, mutually_exclusive=False, strike_date=polls, fee_multiplier_override=0.5,
    )  # fmt: skip
    event.markets.append(
        _slow_market(
            event,
            process,
            ticker=f"{ticker}-ALDER",
            column=1,
            title=f"Will Alder win the {year} election for mayor of Port Vela?",
            label="Alder",
            flow=_VOTE_FLOW,
            strike_type="structured",
            strike={"Candidate": "Alder"},
            rule=f"Simulated. If Alder is elected mayor of Port Vela in {year}, it resolves to Yes.",
        )
    )
    return event


def _slow_market(
    event: EventSpec,
    process: NewsProcess,
    *,
    ticker: str,
    column: int,
    title: str,
    label: str,
    flow: Flow,
    strike_type: str,
    strike: dict[str, str],
    rule: str,
) -> MarketSpec:
    jitter = generator(event.seed, event.ticker, "clerk").integers(0, SECOND, 2)
    determined = process.ends + 7 * MINUTE + int(jitter[0])
    return MarketSpec(
        ticker,
        event,
        column,
        title,
        label,
        LINEAR_CENT,
        flow,
        created=process.opens - 2 * HOUR + int(jitter[1]),
        opens=process.opens,
        closes=process.ends - MINUTE,
        determined=determined,
        settled=determined + 1800 * SECOND,
        expected_expiration=process.ends + HOUR,
        latest_expiration=process.ends + 14 * DAY,
        rules_primary=rule,
        rules_secondary="",
        timer=1800,
        strike_type=strike_type,
        custom_strike=strike,
        participant="candidate" if strike_type == "structured" else "",
        early_close_condition="This market closes early if the outcome is known before.",
        occurrence=process.ends,
    )
