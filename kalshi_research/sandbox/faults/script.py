"""The script of faults: its rules, how often each was met, and what bit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import ConfigError
from kalshi_research.sandbox.faults.kinds import checked_details, find_kind
from kalshi_research.sandbox.faults.rules import (
    STREAM_PLACES,
    Bite,
    Rule,
    check_place,
    check_times,
    place_pattern,
)
from kalshi_research.sandbox.faults.spelling import parse_fault

if TYPE_CHECKING:
    from kalshi_research.sandbox.faults.kinds import Plane

__all__ = ["Faults"]

_KEPT = 100_000


@dataclass
class Faults:
    """The faults of one sandbox. Threads may add and remove rules while it serves.

    Attributes
    ----------
    scale : float
        What all times of faults are multiplied by: 1 is real time, 1/30 makes a soak quick.
    served : callable, optional
        Answers the places of REST that there are; without it a route may be any.

    Examples
    --------
    >>> faults = Faults()
    >>> rule = faults.add("accept_then:hang", "POST /portfolio/events/orders", nth=2)
    >>> [len(faults.meet("rest", "POST /portfolio/events/orders")) for _ in range(3)]
    [0, 1, 0]
    >>> faults.fired
    [<Bite accept_then:hang POST /portfolio/events/orders call=2 status=None>]
    """

    scale: float = 1.0
    served: Callable[[], Sequence[str]] | None = None
    _rules: tuple[Rule, ...] = ()
    _planes: frozenset[str] = frozenset()
    _fired: deque[Bite] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _pending: int = 0
    _late: threading.Condition = field(default_factory=threading.Condition)
    _standing: dict[str, Callable[[], None]] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        route: str = "* /**",
        *,
        nth: int = 1,
        times: int | None = 1,
        share: float | None = None,
        seed: int = 0,
        where: str = "",
        **details: Any,
    ) -> Rule:
        """Add a rule.

        Parameters
        ----------
        kind : str
            What happens, such as ``accept_then:hang``; `kinds` lists all.
        route : str
            Where, such as ``POST /portfolio/events/orders`` or ``GET /markets/{ticker}``; see `Rule`.
        nth : int
            The first matching call that is bitten, from 1.
        times : int or None
            How many matching calls from there on; None for all.
        share : float, optional
            Of those calls, the share that is bitten. Then `times` has no bound unless it is given
            as more than 1.
        seed : int
            Of what is drawn.
        where : str
            Only calls with this text in their query or body, such as a client order id.
        **details
            Of the kind.

        Returns
        -------
        Rule

        Raises
        ------
        ConfigError
            For an unknown kind, variant or detail, a place where nothing is served, or a value that
            makes no sense; no rule is added.

        Examples
        --------
        >>> Faults().add("reject_then:503", "POST /portfolio/**", share=0.5, seed=7)
        <Rule reject_then:503 POST /portfolio/** #1 x* seconds=60.0: bit 0 of 0>
        """
        found, variant = find_kind(kind)
        if found.plane == "standing":
            _check_standing(found.name, usual=(nth, times, share, where) == (1, 1, None, ""))
        if share is not None and times == 1:
            times = None
        check_times(nth, times, share)
        pattern = place_pattern(route)
        if self.served is not None:
            check_place(route, STREAM_PLACES if found.plane == "stream" else self.served())
        rule = Rule(
            f"{found.name}:{variant}" if variant else found.name,
            found.name,
            variant,
            found.plane,
            route,
            nth,
            times,
            share,
            seed,
            where,
            checked_details(found, details),
            pattern,
        )
        with self._lock:
            self._keep((*self._rules, rule))
            self._tell(rule.name)
        return rule

    def add_text(self, text: str) -> Rule:
        """Add a rule that is written in a line, as the command line takes it; see `parse_fault`.

        Examples
        --------
        >>> Faults().add_text("rate_limit:3600 GET /markets #2")
        <Rule rate_limit:3600 GET /markets #2: bit 0 of 0>
        """
        return self.add(**parse_fault(text))

    def remove(self, rule: Rule) -> None:
        """Take a rule away; one that is not there any more is no error."""
        with self._lock:
            if rule in self._rules:
                self._keep(tuple(each for each in self._rules if each is not rule))
                self._tell(rule.name)

    def clear(self) -> None:
        """Take all rules away, and forget what bit."""
        with self._lock:
            for rule in self._rules:
                self.remove(rule)
            self._fired.clear()

    @property
    def rules(self) -> list[Rule]:
        """The rules that stand, oldest first."""
        return list(self._rules)

    @property
    def fired(self) -> list[Bite]:
        """What bit, oldest first (the last 100 000)."""
        with self._lock:
            return list(self._fired)

    @property
    def pending(self) -> int:
        """How many requests are still to be carried out after they were answered."""
        return self._pending

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is pending [s]; answers whether that came to be."""
        with self._late:
            return self._late.wait_for(lambda: not self._pending, timeout)

    def seconds(self, seconds: float) -> float:
        """A time of a fault as it is waited [s]."""
        return seconds * self.scale

    # --- for the places that are bitten ----------------------------------------------------------

    def on(self, plane: Plane) -> bool:
        """Whether any rule stands for a plane. Cheap: to be asked on every call."""
        return plane in self._planes

    def meet(self, plane: Plane, place: str, text: str = "") -> list[Bite]:
        """Count a call at a place, and answer what bites it, in the order of the rules.

        Parameters
        ----------
        plane : {"rest", "stream"}
        place : str
            A word and a path: ``GET /markets``, ``WS /orderbook_delta``.
        text : str
            What `Rule.where` is looked for in.
        """
        found = []
        with self._lock:
            for rule in self._rules:
                if rule.plane != plane or rule.where not in text or not rule.pattern.fullmatch(place):
                    continue
                rule.calls += 1
                if rule.due(rule.calls):
                    rule.bites += 1
                    found.append(Bite(rule, place, rule.calls, time.time(), text))
            self._fired.extend(found)
        return found

    def standing(self, name: str, place: str = "") -> Rule | None:
        """The latest rule of a kind that holds all the time, at a place if one is given."""
        for rule in reversed(self._rules):
            if rule.name == name and (not place or rule.pattern.fullmatch(place)):
                return rule
        return None

    def attend(self, name: str, changed: Callable[[], None]) -> None:
        """Be told when a rule of a kind begins or ceases to stand."""
        self._standing[name] = changed

    def begin_late(self) -> None:
        """Something is going to be done after its answer."""
        with self._late:
            self._pending += 1

    def end_late(self) -> None:
        """It has been done, or never will be."""
        with self._late:
            self._pending -= 1
            self._late.notify_all()

    def _tell(self, name: str) -> None:
        """Tell who attends to a kind."""
        hook = self._standing.get(name)
        if hook is not None:
            hook()

    def _keep(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._planes = frozenset(rule.plane for rule in rules)

    def __repr__(self) -> str:
        return f"<Faults {len(self._rules)} rules, {len(self._fired)} bites, scale={self.scale:g}>"


def _check_standing(name: str, *, usual: bool) -> None:
    if not usual:
        raise ConfigError(
            f"the fault {name} holds until it is removed: nth=, times=, share= and where= "
            "mean nothing to it; no rule was added."
        )
