"""The script of faults: its rules, how often each was met, and what bit."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import ConfigError, printable
from kalshi_research.sandbox.faults.kinds import checked_details, find_kind

if TYPE_CHECKING:
    from kalshi_research.sandbox.faults.kinds import Plane

__all__ = ["Bite", "Faults", "Rule"]

_PREFIX = "/trade-api/v2"
_ROUTE = re.compile(r"(\*|[A-Z]+) (\S+)", re.ASCII)
_KEPT = 100_000


@dataclass(eq=False, slots=True)
class Rule:
    """One line of a script. Made by `Faults.add`.

    Attributes
    ----------
    kind : str
        ``name:variant``, such as ``accept_then:hang``.
    name, variant : str
        Its two parts.
    route : str
        Which places it looks at: a word and a path, such as ``POST /portfolio/events/orders``. ``*``
        stands for any word, and in a path for one part; ``{order_id}`` too; a last ``**`` for the rest.
    nth : int
        The first of the matching calls that is bitten, from 1.
    times : int or None
        How many matching calls from there on; None for all.
    share : float or None
        Of those calls, the share that is bitten, drawn from `seed` and the number of the call.
    seed : int
    where : str
        Only calls that contain this text in their query or body.
    details : dict
        What the kind knows further.
    calls, bites : int
        How many calls matched, and how many were bitten.
    """

    kind: str
    name: str
    variant: str
    plane: Plane
    route: str
    nth: int
    times: int | None
    share: float | None
    seed: int
    where: str
    details: dict[str, Any]
    pattern: re.Pattern[str]
    calls: int = 0
    bites: int = 0

    def random(self, call: int) -> Random:
        """What is drawn for one call: always the same for the same seed and number."""
        return Random(f"{self.seed}/{self.kind}/{self.route}/{call}")  # noqa: S311 -- has to repeat

    def due(self, call: int) -> bool:
        """Whether the call of this number is bitten."""
        if call < self.nth or (self.times is not None and call >= self.nth + self.times):
            return False
        return self.share is None or self.random(call).random() < self.share

    def __repr__(self) -> str:
        times = "" if self.times == 1 else f" x{'*' if self.times is None else self.times}"
        more = "".join(f" {name}={value}" for name, value in self.details.items())
        return (
            f"<Rule {self.kind} {self.route} #{self.nth}{times}{more}: bit {self.bites} of {self.calls}>"
        )


@dataclass(eq=False, slots=True)
class Bite:
    """One call that was bitten.

    Attributes
    ----------
    rule : Rule
    place : str
        Such as ``POST /portfolio/events/orders``.
    call : int
        The how-manieth matching call of its rule, from 1.
    at : float
        When [s since 1970].
    text : str
        The query and the body of the call, or the frame.
    status : int or None
        What the exchange really answered; None where it never saw the call, or has not yet.
    """

    rule: Rule
    place: str
    call: int
    at: float
    text: str
    status: int | None = None

    @property
    def kind(self) -> str:
        """The kind of its rule."""
        return self.rule.kind

    def __repr__(self) -> str:
        return f"<Bite {self.kind} {self.place} call={self.call} status={self.status}>"


@dataclass(slots=True)
class _Standing:
    began: Callable[[Rule], None]
    ended: Callable[[Rule], None]


@dataclass
class Faults:
    """The faults of one sandbox. Threads may add and remove rules while it serves.

    Attributes
    ----------
    scale : float
        What all times of faults are multiplied by: 1 is real time, 1/30 makes a soak quick.

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
    _rules: tuple[Rule, ...] = ()
    _planes: frozenset[str] = frozenset()
    _fired: deque[Bite] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _standing: dict[str, _Standing] = field(default_factory=dict)

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
            For an unknown kind, variant or detail, or a value that makes no sense; no rule is
            added.

        Examples
        --------
        >>> Faults().add("reject_then:503", "POST /portfolio/**", share=0.5, seed=7)
        <Rule reject_then:503 POST /portfolio/** #1 x* seconds=60.0: bit 0 of 0>
        """
        found, variant = find_kind(kind)
        if share is not None and times == 1:
            times = None
        _check(nth, times, share)
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
            _pattern(route),
        )
        with self._lock:
            hook = self._standing.get(rule.name)
            if hook is not None:
                hook.began(rule)
            self._keep((*self._rules, rule))
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule away; one that is not there any more is no error."""
        with self._lock:
            if rule in self._rules:
                self._keep(tuple(each for each in self._rules if each is not rule))
                hook = self._standing.get(rule.name)
                if hook is not None:
                    hook.ended(rule)

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

    def attend(self, name: str, began: Callable[[Rule], None], ended: Callable[[Rule], None]) -> None:
        """Be told when a rule of a kind begins and ends to stand."""
        self._standing[name] = _Standing(began, ended)

    def _keep(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._planes = frozenset(rule.plane for rule in rules)

    def __repr__(self) -> str:
        return f"<Faults {len(self._rules)} rules, {len(self._fired)} bites, scale={self.scale:g}>"


def _check(nth: int, times: int | None, share: float | None) -> None:
    if type(nth) is not int or nth < 1:
        raise ConfigError(f"nth={printable(repr(nth), 40)} is the number of a call, from 1.")
    if times is not None and (type(times) is not int or times < 1):
        raise ConfigError(f"times={printable(repr(times), 40)} is a number of calls, or None for all.")
    if share is not None and not 0 < share <= 1:
        raise ConfigError(f"share={printable(repr(share), 40)} lies in (0, 1].")


def _pattern(route: str) -> re.Pattern[str]:
    """What the places of a route look like."""
    found = _ROUTE.fullmatch(route)
    if found is None or not found[2].startswith("/"):
        raise ConfigError(
            f"{printable(repr(route), 60)} is no place; no rule was added.\n"
            'Write a word and a path, such as "POST /portfolio/events/orders" or "* /**".'
        )
    word = "[A-Z]+" if found[1] == "*" else found[1]
    path = found[2].removeprefix(_PREFIX)
    if path in ("/**", "/*"):
        return re.compile(f"{word} /.*" if path == "/**" else f"{word} /[^/]+")
    tail = ".*" if path.endswith("/**") else ""
    parts = path.removesuffix("/**").split("/")[1:]
    inner = "".join(
        "/[^/]+" if part == "*" or (part[:1] == "{" and part[-1:] == "}") else "/" + re.escape(part)
        for part in parts
    )
    return re.compile(f"{word} {inner}{tail}")
