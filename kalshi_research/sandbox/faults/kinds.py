"""The kinds of faults there are: their names, variants, details, and where they can bite."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kalshi_research.errors import ConfigError, quoted

__all__ = ["ANSWERS", "DEFINITE", "Kind", "Plane", "checked_details", "find_kind", "kinds", "register"]

Plane = Literal["rest", "stream", "standing"]
"""Where a kind bites: on requests, on frames, or all the time that its rule stands."""

ANSWERS = (
    "hang", "RST", "FIN", "408", "500", "502", "503", "504",
    "truncated", "schema", "empty", "other", "error",
)  # fmt: skip
"""What a client may be shown instead of the true answer.

``hang`` is silence, ``RST`` and ``FIN`` end the connection without an answer, a number is an
answer of that status (502 and 504 in HTML, as gateways do). The rest comes with the status of
success: ``truncated`` breaks off half-way, ``schema`` has other names, ``empty`` has no body,
``other`` is about another order, ``error`` holds an error.
"""

DEFINITE = ("400", "401", "403", "404", "409", "410", "429")
"""Refusals that the exchange promises to mean what they say: only shown where it did refuse."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes
    ----------
    name : str
    plane : {"rest", "stream", "standing"}
    variants : tuple of str
        What may follow the colon; empty for a kind without variants.
    details : dict
        Names of what may be set further, each with its default, whose type is asked for (a float
        takes an int).
    """

    name: str
    plane: Plane
    variants: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a kind of fault to those that rules may name.

    Parameters
    ----------
    kind : Kind

    Raises
    ------
    ConfigError
        If another kind has that name.

    Examples
    --------
    >>> register(Kind("example", "stream", ("a", "b"), {"seconds": 1.0}))
    >>> find_kind("example:a")[1]
    'a'
    >>> del _KINDS["example"]
    """
    if _KINDS.setdefault(kind.name, kind) != kind:
        raise ConfigError(f"there already is a kind of fault {kind.name}.")


def kinds() -> dict[str, Kind]:
    """All kinds by name.

    Examples
    --------
    >>> "hang" in kinds()["accept_then"].variants
    True
    """
    return dict(_KINDS)


def find_kind(text: str) -> tuple[Kind, str]:
    """A kind and its variant, from ``kind:variant``.

    Raises
    ------
    ConfigError
        That lists what there is.

    Examples
    --------
    >>> kind, variant = find_kind("accept_then:hang")
    >>> kind.name, kind.plane, variant
    ('accept_then', 'rest', 'hang')
    """
    name, _, variant = str(text).partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, _KINDS, n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise ConfigError(
            f"there is no fault {quoted(name, 40)}; no rule was added.{hint}\n"
            f"There are: {', '.join(sorted(_KINDS))}."
        )
    if variant not in (kind.variants or ("",)):
        said = f"the fault {name} has no variant {quoted(variant, 40)}"
        choices = ", ".join(f"{name}:{each}" for each in kind.variants) or f"{name} alone"
        raise ConfigError(f"{said}; no rule was added.\nUse one of: {choices}.")
    return kind, variant


def checked_details(kind: Kind, details: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a rule, with the defaults of its kind.

    Raises
    ------
    ConfigError
        For a name that the kind does not know, or a value of the wrong type.
    """
    found = dict(kind.details)
    for name, value in details.items():
        if name not in kind.details:
            choices = ", ".join(kind.details) or "none"
            raise ConfigError(
                f"the fault {kind.name} has no detail {quoted(name, 40)}; no rule was added.\n"
                f"Its details: {choices}."
            )
        found[name] = _typed(kind, name, value, type(kind.details[name]))
    return found


def _typed(kind: Kind, name: str, value: Any, wanted: type) -> Any:
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ConfigError(
            f"{name}= of the fault {kind.name} is {wanted.__name__}, "
            f"not {quoted(value, 40)}; no rule was added."
        )
    return value
