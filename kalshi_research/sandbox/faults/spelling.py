"""Rules in a line of text, as the command line takes them."""

from __future__ import annotations

import re
from typing import Any

from kalshi_research.errors import ConfigError, quoted
from kalshi_research.sandbox.faults.kinds import find_kind

__all__ = ["parse_fault"]

_NTH = re.compile(r"#([0-9]{1,9})", re.ASCII)
_TIMES = re.compile(r"x([0-9]{1,9}|\*)", re.ASCII)
_NAMED = re.compile(r"([a-z_]+)=(.*)", re.ASCII | re.DOTALL)
_METHODS = ("GET", "POST", "PUT", "DELETE", "WS", "*")
_SHAPE = (
    "Write KIND:VARIANT [METHOD PATH] [#NTH] [xTIMES] [NAME=VALUE ...], such as "
    '"accept_then:hang POST /portfolio/events/orders #1".'
)


def parse_fault(text: str) -> dict[str, Any]:
    """The arguments of `Faults.add` that a line of text stands for.

    Parameters
    ----------
    text : str
        ``KIND:VARIANT [METHOD PATH] [#NTH] [xTIMES] [NAME=VALUE ...]``. ``x*`` is all calls from
        there on. Names are ``share``, ``seed``, ``where`` and the details of the kind.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        For a text that is not of this form.

    Examples
    --------
    >>> parse_fault("accept_then:hang GET /markets #2 x3 seconds=5")
    {'kind': 'accept_then:hang', 'route': 'GET /markets', 'nth': 2, 'times': 3, 'seconds': 5.0}
    """
    words = text.split()
    if not words:
        raise ConfigError(f"a fault needs a name.\n{_SHAPE}")
    kind, _ = find_kind(words[0])
    found: dict[str, Any] = {"kind": words[0]}
    rest = words[1:]
    if rest and rest[0] in _METHODS:
        if len(rest) < 2:
            raise ConfigError(f"{quoted(text, 80)} names a method and no path.\n{_SHAPE}")
        found["route"] = f"{rest[0]} {rest[1]}"
        rest = rest[2:]
    for word in rest:
        if match := _NTH.fullmatch(word):
            found["nth"] = int(match[1])
        elif match := _TIMES.fullmatch(word):
            found["times"] = None if match[1] == "*" else int(match[1])
        elif match := _NAMED.fullmatch(word):
            found[match[1]] = _value(match[1], match[2], kind.details.get(match[1]))
        else:
            raise ConfigError(f"{quoted(word, 40)} says nothing about a fault.\n{_SHAPE}")
    return found


def _value(name: str, text: str, default: object) -> Any:
    """A value of the type that is asked for."""
    wanted: type = {"share": float, "seed": int, "where": str}.get(name, type(default))
    try:
        return wanted(text) if wanted in (int, float) else text
    except ValueError:
        raise ConfigError(
            f"{name}={quoted(text, 40)} should be {wanted.__name__}; no rule was added."
        ) from None
