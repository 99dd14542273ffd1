"""One rule of a script, what it looks at, and what it bit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.sandbox.dispatch import PREFIX

if TYPE_CHECKING:
    from kalshi_research.sandbox.faults.kinds import Plane

__all__ = ["STREAM_PLACES", "Bite", "Rule", "check_place", "check_times", "place_pattern"]

STREAM_PLACES = tuple(
    f"WS /{name}"
    for name in (
        "connect", "error", "event_fee_update", "fill", "market_lifecycle_v2",
        "market_position", "multivariate_market_lifecycle", "ok", "order_group_updates",
        "orderbook_delta", "orderbook_snapshot", "orderbook_update", "subscribed", "ticker", "trade",
        "unsubscribed", "user_order",
    )
)  # fmt: skip
"""The handshake, and every type of frame that is sent."""

_ROUTE = re.compile(r"(\*|[A-Z]+) (\S+)", re.ASCII)


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
    memory : dict
        What its kind keeps between calls.
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
    memory: dict[str, Any] = field(default_factory=dict)

    def random(self, call: int, what: str = "") -> Random:
        """What is drawn for one call: always the same for the same seed, number and purpose."""
        return Random(f"{self.seed}/{self.kind}/{self.route}/{call}/{what}")  # noqa: S311 -- has to repeat

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
    note : str
        Why nothing came of it, where nothing did.
    """

    rule: Rule
    place: str
    call: int
    at: float
    text: str
    status: int | None = None
    note: str = ""

    @property
    def kind(self) -> str:
        """The kind of its rule."""
        return self.rule.kind

    def __repr__(self) -> str:
        return f"<Bite {self.kind} {self.place} call={self.call} status={self.status}>"


def check_times(nth: int, times: int | None, share: float | None) -> None:
    """Refuse numbers of calls that make no sense."""
    if type(nth) is not int or nth < 1:
        raise ConfigError(f"nth={quoted(nth, 40)} is the number of a call, from 1.")
    if times is not None and (type(times) is not int or times < 1):
        raise ConfigError(f"times={quoted(times, 40)} is a number of calls, or None for all.")
    if share is not None and not 0 < share <= 1:
        raise ConfigError(f"share={quoted(share, 40)} lies in (0, 1].")


def place_pattern(route: str) -> re.Pattern[str]:
    """What the places of a route look like.

    Examples
    --------
    >>> bool(place_pattern("GET /markets/{ticker}").fullmatch("GET /markets/A"))
    True
    >>> bool(place_pattern("GET /markets").fullmatch("GET /markets/A"))
    False
    """
    found = _ROUTE.fullmatch(route)
    if found is None or not found[2].startswith("/"):
        raise ConfigError(
            f"{quoted(route, 60)} is no place; no rule was added.\n"
            'Write a word and a path, such as "POST /portfolio/events/orders" or "* /**".'
        )
    word = "[A-Z]+" if found[1] == "*" else found[1]
    path = found[2].removeprefix(PREFIX)
    if path in ("/**", "/*"):
        return re.compile(f"{word} /.*" if path == "/**" else f"{word} /[^/]+")
    tail = ".*" if path.endswith("/**") else ""
    parts = path.removesuffix("/**").split("/")[1:]
    inner = "".join(
        "/[^/]+" if part == "*" or (part[:1] == "{" and part[-1:] == "}") else "/" + re.escape(part)
        for part in parts
    )
    return re.compile(f"{word} {inner}{tail}")


def check_place(route: str, places: Sequence[str]) -> None:
    """Refuse a route that none of the served places fits: its rule would never bite.

    Parameters
    ----------
    route : str
    places : sequence of str
        With names in braces where any text may stand.

    Raises
    ------
    ConfigError
        That names the nearest places.

    Examples
    --------
    >>> check_place("GET /markets/A", ["GET /markets/{ticker}"])
    >>> check_place("* /portfolio/**", ["GET /portfolio/orders"])
    """
    if any(_fits(route, place) for place in places):
        return
    near = difflib.get_close_matches(route, places, n=3, cutoff=0.0)
    raise ConfigError(
        f"nothing is served at {quoted(route, 60)}; no rule was added.\nNearest: {', '.join(near)}."
    )


def _fits(route: str, place: str) -> bool:
    """Whether a call of a served place can be one of a route."""
    (word, path), (served_word, served) = route.split(" "), place.split(" ")
    parts, known = path.removeprefix(PREFIX).split("/"), served.split("/")
    if parts[-1] == "**":
        parts.pop()
        known = known[: len(parts)]
    return (
        word in ("*", served_word)
        and len(parts) == len(known)
        and all(
            part in ("*", there) or part.startswith("{") or there.startswith("{")
            for part, there in zip(parts, known, strict=True)
        )
    )
