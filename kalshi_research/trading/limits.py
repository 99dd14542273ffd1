"""Permission to trade real money, and limits that hold across restarts.

`arm` gives permission to one client in one kernel, for some minutes, after a person typed the
name of the environment. It is kept nowhere. What has been spent today is counted from the
journal, so restarting a kernel does not begin a new day.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from kalshi_research.errors import ConfigError, InputError, LimitError, printable, quoted
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, fixed_text, parse_fixed
from kalshi_research.trading.evidence import read_orders, read_position
from kalshi_research.trading.terms import OrderTerms, as_text, quantity_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk

__all__ = ["Exposure", "Limits", "check_limits", "disarmed", "read_limits"]

_LONGEST: Final = 12 * 60.0
_MOST: Final = 10**9 * MONEY_SCALE


@dataclass(frozen=True)
class Limits:
    """What may be traded until when.

    Attributes
    ----------
    order_cost : int
        Of one order, fees left out [1/1 000 000 dollar].
    position : int
        Contracts held in one market, either way, if everything that rests is filled [1/100].
    day_cost : int
        Of all orders of one day (UTC), cancelled ones too [1/1 000 000 dollar].
    ends : float
        [monotonic s]
    monotonic : callable
    """

    order_cost: int
    position: int
    day_cost: int
    ends: float
    monotonic: Callable[[], float] = field(repr=False)

    @property
    def live(self) -> bool:
        """Whether the time has not run out."""
        return self.monotonic() < self.ends


def _money(value: object, what: str) -> int:
    try:
        amount = parse_fixed(as_text(value, MONEY_SCALE), MONEY_SCALE)
    except InputError:
        amount = 0
    if not 0 < amount <= _MOST:
        raise InputError(
            f"{what}={quoted(value, 40)} must be dollars above 0, such as 25; nothing changed."
        )
    return amount


def read_limits(
    desk: Desk,
    *,
    max_order_cost: object,
    max_position: object,
    max_day_cost: object,
    minutes: object,
) -> Limits:
    """The limits as a person wrote them.

    Raises
    ------
    InputError
        If one of them makes no sense.
    """
    order_cost = _money(max_order_cost, "max_order_cost")
    day_cost = 10 * order_cost if max_day_cost is None else _money(max_day_cost, "max_day_cost")
    try:
        position = parse_fixed(as_text(max_position, COUNT_SCALE), COUNT_SCALE)
    except InputError:
        position = 0
    if not 0 < position <= 10**11:
        raise InputError(f"max_position={quoted(max_position, 40)} must be above 0; nothing changed.")
    number = isinstance(minutes, (int, float)) and not isinstance(minutes, bool)
    if not number or not 0 < minutes <= _LONGEST:  # type: ignore[operator]
        raise InputError(
            f"minutes={quoted(minutes, 40)} must lie within 0–{_LONGEST:.0f}; nothing changed."
        )
    ends = desk.pace.monotonic() + 60.0 * float(minutes)  # type: ignore[arg-type]
    return Limits(order_cost, position, day_cost, ends, desk.pace.monotonic)


def ask_person(desk: Desk, minutes: float) -> None:
    """Have somebody type the name of the environment.

    Raises
    ------
    ConfigError
        If nobody is there to type it, or it was another word.
    """
    name = desk.client.environment.name
    banner = desk.client.environment.banner
    prompt = f"Type {name} to allow trading there ({banner}) for {minutes:g} minutes: "
    try:
        # In a notebook without a person in front of it this fails, so executing one never arms.
        typed = builtins.input(prompt)
    except (RuntimeError, EOFError, OSError) as error:
        kind = type(error).__name__
        raise ConfigError(
            f"nobody is there to type {name} ({printable(kind, 40)}); trading stays forbidden.\n"
            "kr.arm() works where a person sits in front of the kernel only."
        ) from None
    if typed.strip() != name:
        raise ConfigError(f"that was not {name}; trading stays forbidden. Call kr.arm() again.")


def disarmed(desk: Desk) -> LimitError:
    """The error of a trade that nobody allowed."""
    name = desk.client.environment.name
    ran_out = desk.limits is not None
    state = f"the permission to trade in {name} has run out" if ran_out else f"{name} is not armed"
    return LimitError(
        f"{state}; nothing was sent.\n"
        "kr.arm(client, max_order_cost=..., max_position=..., minutes=...) allows it for a while."
    )


@dataclass
class Exposure:
    """What new orders are measured against: what is held and rests, and what the journal knows."""

    desk: Desk
    orders: Sequence[OrderTerms]
    positions: dict[str, int] = field(default_factory=dict)
    shown: dict[str, OrderFacts] = field(default_factory=dict)

    def check_again(self) -> None:
        """Check everything that others may have changed since; to be called alone with the journal.

        Raises
        ------
        LimitError
            If a limit would be exceeded.
        """
        limits = self.desk.limits
        if limits is None:
            return
        spent, wanted = self._spent_today(), sum(terms.most for terms in self.orders)
        if spent + wanted > limits.day_cost:
            raise LimitError(
                f"orders of today cost {_dollars(spent)} so far; {_dollars(wanted)} more would exceed "
                f"your limit of {_dollars(limits.day_cost)} a day; nothing was sent.\n"
                "kr.arm(..., max_day_cost=...) sets another one."
            )
        for ticker in {terms.ticker for terms in self.orders}:
            for side, sign in (("bid", 1), ("ask", -1)):
                self._check_position(limits, ticker, side, sign)

    def _check_position(self, limits: Limits, ticker: str, side: str, sign: int) -> None:
        adds = sum(t.count for t in self.orders if (t.ticker, t.side) == (ticker, side))
        if not adds:
            return
        rests = sum(
            o.remaining
            for o in self.shown.values()
            if o.status == "resting" and (o.ticker, o.side) == (ticker, side)
        )
        worst = sign * self.positions.get(ticker, 0) + rests + self._unseen(ticker, side) + adds
        if worst > limits.position:
            what = "YES" if sign > 0 else "NO"
            raise LimitError(
                f"{ticker} could come to {quantity_text(worst)} {what} with this order and what rests; "
                f"your limit is {quantity_text(limits.position)}; nothing was sent.\n"
                "kr.arm(..., max_position=...) sets another one."
            )

    def _unseen(self, ticker: str, side: str) -> int:
        """Orders of the last minute that no read may show yet [1/100 contract]."""
        now, total = self.desk.pace.now(), 0
        for intent in self.desk.journal.intents().values():
            if intent.act != "create" or (not intent.open and now - intent.sent_at >= 60):
                continue
            terms = OrderTerms.restored(intent.terms)
            if (terms.ticker, terms.side) == (ticker, side) and intent.key not in self.shown:
                total += terms.count if intent.open else (intent.filled or 0) + (intent.remaining or 0)
        return total

    def _spent_today(self) -> int:
        now = datetime.fromtimestamp(self.desk.pace.now(), UTC)
        begin = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        return sum(
            OrderTerms.restored(intent.terms).most
            for intent in self.desk.journal.intents().values()
            if intent.act == "create"
            and intent.state not in ("REJECTED", "NOT_PLACED")
            and begin <= (intent.sent_at or intent.until) < begin + 86_400
        )


def check_limits(desk: Desk, orders: Sequence[OrderTerms]) -> Exposure:
    """Check what can be checked before anything is written down.

    Raises
    ------
    LimitError
        If trading is not allowed, or a limit would be exceeded.
    """
    exposure, limits = Exposure(desk, orders), desk.limits
    if desk.client.environment.name == "prod" and (limits is None or not limits.live):
        raise disarmed(desk)
    if limits is None:
        return exposure
    if not limits.live:
        raise disarmed(desk)
    for terms in orders:
        if terms.most > limits.order_cost:
            raise LimitError(
                f"{terms.sentence} costs {_dollars(terms.most)}; your limit for one order is "
                f"{_dollars(limits.order_cost)}; nothing was sent.\n"
                "kr.arm(..., max_order_cost=...) sets another one."
            )
    for ticker in {terms.ticker for terms in orders}:
        seconds = desk.read_seconds
        exposure.positions[ticker] = read_position(desk.client, ticker, seconds=seconds)
        for status, since in (("resting", None), (None, _hour_ago(desk))):
            shown = read_orders(desk.client, ticker, status=status, since=since, seconds=seconds)
            for order in shown.by_order_id.values():
                exposure.shown[order.client_order_id or order.order_id] = order
    return exposure


def _hour_ago(desk: Desk) -> float | None:
    """By the exchange's clock; None where that may run fast or stand still."""
    now = desk.instant()
    return now - 3600 if now and not desk.client.simulated else None


def _dollars(value: int) -> str:
    return f"${Decimal(fixed_text(value, MONEY_SCALE)).normalize():f}"
