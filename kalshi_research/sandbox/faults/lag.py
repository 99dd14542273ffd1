"""Reads of the own account as they were some time ago.

While a rule of the kind ``read_lag`` stands, every change of an order, a fill, a position and a
balance is kept with the moment it happened, and the reads that the rule names show those that are
old enough. ``/exchange/user_data_timestamp`` says the instant up to which everything is shown: or that
instant `ahead` seconds later, or up to `lie` seconds off either way, as drawn from the seed.
"""

from __future__ import annotations

import copy
import threading
import time
from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.engine import Fill, OrderUpdate, PositionUpdate
from kalshi_research.sandbox.instants import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kalshi_research.sandbox.engine import Engine, Event, Holding, Member, Order
    from kalshi_research.sandbox.faults.rules import Rule
    from kalshi_research.sandbox.faults.script import Faults
    from kalshi_research.sandbox.floor import Floor

__all__ = ["Lag"]


class _History:
    """The versions of one thing, each with the real time of its making [s]."""

    __slots__ = ("moments", "versions")

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.versions: list[Any] = []

    def add(self, moment: float, version: object) -> None:
        self.moments.append(moment)
        self.versions.append(version)

    def at(self, moment: float) -> Any:
        """The version that held at a moment; None before the first."""
        place = bisect_right(self.moments, moment)
        return self.versions[place - 1] if place else None


class Lag:
    """What reads of the own account show, a while after it happened.

    Parameters
    ----------
    floor : Floor
    faults : Faults
    clock : callable
        Monotonic [s].
    """

    def __init__(
        self, floor: Floor, faults: Faults, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._lock = threading.Lock()
        self._orders: dict[str, dict[str, _History]] = {}
        self._fills: dict[str, _History] = {}
        self._holdings: dict[tuple[str, int], dict[str, _History]] = {}
        self._money: dict[tuple[str, int], _History] = {}
        self._instants = _History()
        self._calls = 0
        self._stop = floor.call(partial(self._begin, floor))

    def end(self) -> None:
        """Listen no more."""
        self._stop()

    # --- what happens ----------------------------------------------------------------------------

    def _begin(self, floor: Floor, engine: Engine) -> Callable[[], None]:
        """What is there before is shown at once."""
        with self._lock:
            self._engine = engine
            self._instants.add(float("-inf"), engine.now)
            for user, member in engine.members.items():
                for order in member.orders:
                    self._keep_order(float("-inf"), order)
                self._fills.setdefault(user, _History()).add(float("-inf"), len(member.fills))
                self._keep_money(float("-inf"), member)
            for market in engine.markets.values():
                for holding in market.holdings.values():
                    self._keep_holding(float("-inf"), holding)
        return floor.listen(self._hear)

    def _hear(self, events: Sequence[Event]) -> None:
        engine, now = self._engine, self._clock()
        with self._lock:
            self._instants.add(now, engine.now)
            for event in events:
                if isinstance(event, OrderUpdate | Fill):
                    self._keep_order(now, event.order)
                    self._keep_holding(now, event.order.holding)
                    member = event.order.wallet.member
                    self._fills.setdefault(member.user, _History()).add(now, len(member.fills))
                    self._keep_money(now, member)
                elif isinstance(event, PositionUpdate):
                    self._keep_money(now, engine.members[event.user])
                    for wallet, holding in engine.market(event.ticker).holdings.items():
                        if (wallet.member.user, wallet.number) == (event.user, event.subaccount):
                            self._keep_holding(now, holding)

    def _keep_order(self, now: float, order: Order) -> None:
        histories = self._orders.setdefault(order.wallet.member.user, {})
        histories.setdefault(order.order_id, _History()).add(now, copy.copy(order))

    def _keep_holding(self, now: float, holding: Holding) -> None:
        wallet = holding.wallet
        histories = self._holdings.setdefault((wallet.member.user, wallet.number), {})
        histories.setdefault(holding.market.ticker, _History()).add(now, copy.copy(holding))

    def _keep_money(self, now: float, member: Member) -> None:
        for number in member.wallets:
            parts = self._engine.balances(member.user, number)
            self._money.setdefault((member.user, number), _History()).add(now, parts)

    # --- what is shown ---------------------------------------------------------------------------

    def orders(self, place: str, user: str, now: list[Order]) -> list[Order]:
        """The orders of a user, oldest first, given those that there are now."""
        rule = self._faults.standing("read_lag", place)
        if rule is None:
            return now
        with self._lock:
            moment, histories = self._moment(rule), self._orders.get(user, {})
            shown = (history.at(moment) for history in histories.values())
            return [order for order in shown if order is not None]

    def fills(self, place: str, user: str, now: list[Fill]) -> list[Fill]:
        """The fills of a user, oldest first."""
        rule = self._faults.standing("read_lag", place)
        if rule is None:
            return now
        with self._lock:
            history = self._fills.get(user)
            return now[: (history.at(self._moment(rule)) or 0) if history else 0]

    def holdings(self, place: str, user: str, number: int, now: list[Holding]) -> list[Holding]:
        """The positions of a subaccount."""
        rule = self._faults.standing("read_lag", place)
        if rule is None:
            return now
        with self._lock:
            moment, histories = self._moment(rule), self._holdings.get((user, number), {})
            shown = (history.at(moment) for history in histories.values())
            return [holding for holding in shown if holding is not None and holding.volume]

    def balances(self, place: str, user: str, number: int, now: dict[int, int]) -> dict[int, int]:
        """The balance of a subaccount by shard."""
        rule = self._faults.standing("read_lag", place)
        if rule is None:
            return now
        with self._lock:
            history = self._money.setdefault((user, number), _History())
            if not history.versions or history.versions[-1] != now:
                # Money was paid in or moved, of which no event tells: it is late from here on.
                history.add(self._clock(), now)
            shown: dict[int, int] = history.at(self._moment(rule)) or dict.fromkeys(now, 0)
            return shown

    def as_of(self, now: int) -> int:
        """The instant up to which reads are said to show everything [µs]."""
        rules = [rule for rule in self._faults.rules if rule.name == "read_lag"]
        if not rules:
            return now
        with self._lock:
            self._instants.add(self._clock(), now)
            slowest = max(rules, key=lambda rule: float(rule.details["seconds"]))
            moment = self._moment(slowest)
            shown: int = self._instants.at(moment)
            hidden = bisect_right(self._instants.moments, moment)
            if self._hides(moment):
                # Where the time of the exchange stands still, what is hidden has the same time.
                shown = min(shown, self._instants.versions[hidden] - 1)
            self._calls += 1
            details = slowest.details
            drawn = slowest.random(self._calls, "lie").uniform(-details["lie"], details["lie"])
            off: float = (drawn + details["ahead"]) * self._faults.scale
            return shown + round(off * SECOND)

    def _moment(self, rule: Rule) -> float:
        return self._clock() - self._faults.seconds(rule.details["seconds"])

    def _hides(self, moment: float) -> bool:
        """Whether anything of anybody happened after a moment."""
        histories = [history for mine in self._orders.values() for history in mine.values()]
        histories += self._fills.values()
        return any(history.moments[-1] > moment for history in histories)
