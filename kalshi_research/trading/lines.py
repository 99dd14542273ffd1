"""Whether this version can act on what a line of the journal says.

A line may be whole and still say what nobody here understands: somebody wrote it by hand, or
another version of this package did. What matters is what might be got wrong:

=============================  ====================================================================
a line about                   it must be understood, because
=============================  ====================================================================
a new order, whatever became   limits count it, its id may be used again, and an equal order waits
of it                          for it
a change or a cancel that is   what became of it is yet to be found out; its numbers may be any,
still open                     because the exchange said them
a change or a cancel that is   nothing asks for its terms any more: it is passed over, and stays in
settled                        the file for the version that wrote it
=============================  ====================================================================

Keys of a line beside those of `Intent` are passed over; what must not be passed over belongs into
its terms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from kalshi_research.errors import printable, quoted
from kalshi_research.money import PRICE_SCALE
from kalshi_research.trading.intents import OPEN, SETTLED, Intent
from kalshi_research.trading.reading import bad_subaccount
from kalshi_research.trading.settling import Change
from kalshi_research.trading.terms import (
    ACTIONS,
    OUTCOMES,
    SELF_TRADE,
    TIMES_IN_FORCE,
    OrderTerms,
    is_name,
)

__all__ = ["problem_of"]

_NAME: Final = re.compile(r"[A-Za-z0-9._:~ -]{1,200}")
_ACT: Final = re.compile(r"[a-z_]{1,40}")


def problem_of(intent: Intent) -> str:
    """What this version cannot act on, in words; empty if there is nothing.

    Parameters
    ----------
    intent : Intent
        As a line of the journal says it.

    Examples
    --------
    >>> problem_of(Intent("k", "create", "SENT", "s", {"ticker": "T"}))
    'its order (id k) cannot be used: Object missing required field `action`'
    >>> problem_of(Intent("k", "amend", "ACKED", "s", {"something": "newer"}))
    ''
    """
    for name, value in (("key", intent.key), ("session", intent.session)):
        if not _NAME.fullmatch(value):
            return f"its {name} is {quoted(value, 40)}, which is none"
    if intent.state not in (*OPEN, *SETTLED):
        return f"its state is {quoted(intent.state, 40)}, which is none of this version"
    if not _ACT.fullmatch(intent.act):
        return f"its act is {quoted(intent.act, 40)}, which is none"
    if intent.act != "create" and not intent.open:
        return ""
    look = _LOOKS.get(intent.act)
    if look is None:
        return f"its act is {intent.act!r}, which this version does not know"
    problem = look(intent.terms)
    what = "order" if intent.act == "create" else intent.act
    return f"its {what} (id {intent.key}) cannot be used: {problem}" if problem else ""


def _shape(terms: Mapping[str, Any], kind: type, names: frozenset[str]) -> str:
    """Whether a mapping has the keys of a class, with values of their kinds."""
    if not terms.keys() <= names:
        return f"it has {quoted(min(terms.keys() - names), 40)}, which this version does not know"
    try:
        msgspec.convert(terms, kind)
    except msgspec.ValidationError as error:
        return printable(error, 120)
    return ""


def _words(terms: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]]) -> str:
    for name, words in choices.items():
        if terms.get(name, words[0]) not in words:
            return f"its {name} is {quoted(terms[name], 40)}"
    return ""


def _place(terms: Mapping[str, Any]) -> str:
    """What is wrong with where an order is, which the exchange may have said: the kinds alone."""
    ticker, subaccount = terms.get("ticker"), terms.get("subaccount")
    if not isinstance(ticker, str) or not ticker:
        return f"its ticker is {quoted(ticker, 40)}"
    if subaccount is not None and not isinstance(subaccount, int):
        return f"its subaccount is {quoted(subaccount, 40)}"
    return ""


def _numbers(terms: Mapping[str, Any]) -> str:
    """What is wrong with the numbers of an order; one of which all was taken away is one of 0."""
    if not 0 <= terms["price"] <= PRICE_SCALE:
        return f"its price is {quoted(terms['price'], 40)}, in 1/{PRICE_SCALE} dollar"
    return f"its count is {quoted(terms['count'], 40)}" if terms["count"] < 0 else ""


_OF_ORDER: Final = frozenset(OrderTerms.__dataclass_fields__)
_OF_CHANGE: Final = frozenset(Change.__dataclass_fields__)
_WORDS: Final = {"action": ACTIONS, "outcome": OUTCOMES}
_WORDS_OF_ORDER: Final = _WORDS | {
    "time_in_force": TIMES_IN_FORCE,
    "self_trade_prevention": SELF_TRADE,
}
_WORDS_OF_CHANGE: Final = _WORDS | {"side": ("bid", "ask")}


def _order(terms: Mapping[str, Any]) -> str:
    return (
        _shape(terms, OrderTerms, _OF_ORDER)
        or _words(terms, _WORDS_OF_ORDER)
        or ("" if is_name(terms["ticker"]) else f"its ticker is {quoted(terms['ticker'], 40)}")
        or bad_subaccount(terms.get("subaccount"))
        or _numbers(terms)
    )


def _change(terms: Mapping[str, Any]) -> str:
    return _shape(terms, Change, _OF_CHANGE) or _words(terms, _WORDS_OF_CHANGE) or _place(terms)


_LOOKS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "create": _order,
    "amend": _change,
    "decrease": _change,
    "cancel": _place,
}
