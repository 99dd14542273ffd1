"""The terms of an order as a person writes them: each read, or what is wrong with it in a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final

from kalshi_research.errors import InputError, printable, quoted
from kalshi_research.money import (
    COUNT_SCALE,
    PRICE_SCALE,
    complement,
    parse_fixed,
)
from kalshi_research.trading.rules import ANY_CENTICENT, MarketRules
from kalshi_research.trading.terms import (
    ACTIONS,
    MAX_CONTRACTS,
    OUTCOMES,
    SELF_TRADE,
    TIMES_IN_FORCE,
    OrderTerms,
    as_text,
    is_name,
    price_text,
    quantity_text,
)

__all__ = ["bad_subaccount", "read_expiration", "read_price", "read_quantity", "read_terms"]

_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?", re.ASCII)
_LOOSE = re.compile(
    r"([-+]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400}))(?:[eE]([-+]?[0-9]{1,400}))?", re.ASCII
)
_BEYOND: Final = 100
"""Powers of ten from here on are as good as infinite, or as nothing."""
_FAR: Final = 20 * 366 * 86_400
"""An expiry further away was meant in milliseconds [s]."""
_NEVER: Final = 10**15
"""More seconds than these cannot be counted with."""


def read_price(value: object, outcome: str, rules: MarketRules | None) -> tuple[int, str]:
    """A price of an outcome [1/10 000 dollar], and what is wrong with it (empty if nothing).

    Examples
    --------
    >>> read_price("0.1", "yes", None)
    (1000, '')
    >>> read_price("1e-1", "yes", None)[1]
    "the price '1e-1' is not plain decimal notation; the nearest valid price is 0.10"
    """
    text, grid = as_text(value, PRICE_SCALE), (rules.grid if rules is not None else ANY_CENTICENT)
    if not text:
        return 0, "no price is given"
    with suppress(InputError):
        price = parse_fixed(text, PRICE_SCALE)
        if grid.contains(price if outcome == "yes" else complement(price)):
            return price, ""
    shown = quoted(text, 60)
    ladder = grid.prices() if outcome == "yes" else [complement(p) for p in reversed(grid.prices())]
    inside = f"prices of this market run from {price_text(ladder[0])} to {price_text(ladder[-1])}"
    number = _number(text)
    if number is None:
        return 0, f"the price {shown} is no number; {inside}"
    exact = number * PRICE_SCALE
    near = _nearest(ladder, exact)
    said = "the nearest valid price is " + " or ".join(price_text(p) for p in near)
    if not 0 < exact < PRICE_SCALE:
        return 0, f"the price {shown} does not lie between 0 and 1 dollar; {said}"
    if not _PLAIN.fullmatch(text):
        return 0, f"the price {shown} is not plain decimal notation; {said}"
    return 0, f"the price {shown} is not on the price grid of this market; {said}"


def _number(text: str) -> Fraction | None:
    """The number that a text stands for, whatever its notation; None for none.

    Nobody means one of hundreds of digits: it is cut to a size that can be counted with.
    """
    found = _LOOSE.fullmatch(text)
    if found is None:
        return None
    mantissa, power = Fraction(found[1]), int(found[2] or 0)
    return mantissa * Fraction(10) ** max(-_BEYOND, min(power, _BEYOND))


def _nearest(ladder: list[int], exact: Fraction) -> list[int]:
    below = [p for p in ladder if p <= exact][-1:]
    above = [p for p in ladder if p >= exact][:1]
    return sorted({*below, *above})


def read_quantity(value: object) -> tuple[int, str]:
    """A quantity [1/100 contract], and what is wrong with it (empty if nothing).

    Examples
    --------
    >>> read_quantity("1.5"), read_quantity(0.005)[1]
    ((150, ''), "the quantity '0.005' is finer than 0.01 contract; the nearest valid quantity is 0.01")
    """
    text = as_text(value, COUNT_SCALE)
    if not text:
        return 0, "no quantity is given"
    shown = quoted(text, 60)
    number = _number(text)
    if number is None:
        return 0, f"the quantity {shown} is no number; write one such as 10 or 1.50"
    exact = number * COUNT_SCALE
    if exact <= 0:
        return 0, f"the quantity {shown} is not above 0; the nearest valid quantity is 0.01"
    if exact > MAX_CONTRACTS * COUNT_SCALE:
        return (
            0,
            f"the quantity {shown} is more than {MAX_CONTRACTS:,} contracts, the most that is taken",
        )
    near = quantity_text(max(1, math.floor(exact + Fraction(1, 2))))
    if exact.denominator != 1:
        return (
            0,
            f"the quantity {shown} is finer than 0.01 contract; the nearest valid quantity is {near}",
        )
    if not _PLAIN.fullmatch(text):
        return (
            0,
            f"the quantity {shown} is not plain decimal notation; the nearest valid quantity is {near}",
        )
    return int(exact), ""


def _among(value: object, choices: tuple[str, ...]) -> bool:
    """Whether it is one of some words; what compares in its own way is none."""
    return isinstance(value, str) and value in choices


def _choice(value: object, choices: tuple[str, ...], what: str) -> str:
    if _among(value, choices):
        return ""
    return f"{what} {quoted(value, 40)} is unknown; choose {', '.join(choices)}"


def _flag(value: object, what: str) -> str:
    return "" if isinstance(value, bool) else f"{what} must be True or False, not {quoted(value, 40)}"


def read_expiration(value: object, now: datetime) -> tuple[int, str]:
    """An expiry [seconds since 1970; 0 for none], and what is wrong with it (empty if nothing)."""
    if value is None or (isinstance(value, (int, float)) and value == 0 and not isinstance(value, bool)):
        return 0, ""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return 0, "the expiry has no time zone; pass a time such as one with tzinfo=UTC"
        seconds = math.ceil(value.timestamp())
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = max(-_NEVER, min(value, _NEVER))
    else:
        return (
            0,
            f"the expiry {quoted(value, 60)} must be an aware datetime or seconds since 1970",
        )
    ahead = seconds - now.timestamp()
    earliest = datetime.fromtimestamp(math.floor(now.timestamp()) + 1, UTC).isoformat()
    if ahead <= 0:
        return 0, f"the expiry lies in the past; the earliest valid one is {earliest}"
    if ahead > _FAR:
        return 0, f"the expiry {seconds} is decades away; give seconds since 1970, not milliseconds"
    return seconds, ""


def read_terms(
    fields: Mapping[str, Any], *, rules: MarketRules | None, now: datetime
) -> tuple[OrderTerms | None, list[str]]:
    """The terms of an order, or the reasons why it cannot be sent.

    Parameters
    ----------
    fields : mapping
        ``ticker``, ``action``, ``outcome``, ``quantity``, ``price``, and any of
        ``time_in_force``, ``self_trade_prevention``, ``expires``, ``post_only``,
        ``reduce_only``, ``cancel_on_pause``, ``order_group``, ``subaccount``.
    rules : MarketRules or None
        None knows no grid but the finest.
    now : datetime
        The present of the exchange.

    Returns
    -------
    tuple
        Terms and reasons; one of them is empty.

    Examples
    --------
    >>> moment = datetime(2026, 11, 20, 15, tzinfo=UTC)
    >>> fields = {"ticker": "T", "action": "buy", "outcome": "yes", "quantity": 2, "price": "0.42"}
    >>> read_terms(fields, rules=None, now=moment)[0].sentence
    'buy 2 YES of T at $0.42'
    >>> read_terms(fields | {"price": "0"}, rules=None, now=moment)[1]
    ["the price '0' does not lie between 0 and 1 dollar; the nearest valid price is 0.0001"]
    """
    get = fields.get
    tif = get("time_in_force", TIMES_IN_FORCE[0])
    outcome, group, subaccount = get("outcome"), get("order_group"), get("subaccount")
    group = "" if group is None else group
    price, bad_price = _told(
        read_price, get("price"), outcome if _among(outcome, OUTCOMES) else "yes", rules
    )
    count, bad_count = _told(read_quantity, get("quantity"))
    expiration, bad_expiry = read_expiration(get("expires"), now)
    flags = {name: get(name, False) for name in ("post_only", "reduce_only", "cancel_on_pause")}
    reasons = [
        "" if is_name(get("ticker")) else "no valid ticker is given",
        _closed(rules, get("ticker"), now),
        _choice(get("action"), ACTIONS, "the action"),
        _choice(outcome, OUTCOMES, "the outcome"),
        bad_count,
        bad_price,
        _choice(tif, TIMES_IN_FORCE, "the time in force"),
        _choice(get("self_trade_prevention", SELF_TRADE[0]), SELF_TRADE, "the self-trade prevention"),
        bad_expiry,
        *(_flag(value, name) for name, value in flags.items()),
        "" if isinstance(group, str) and (not group or is_name(group)) else "the order group is no id",
        bad_subaccount(subaccount),
        *_conflicts(tif, expiration=expiration, **flags),
    ]
    reasons = [reason for reason in reasons if reason]
    if reasons:
        return None, reasons
    terms = OrderTerms(
        ticker=fields["ticker"],
        action=fields["action"],
        outcome=fields["outcome"],
        price=price,
        count=count,
        time_in_force=tif,
        self_trade_prevention=get("self_trade_prevention", SELF_TRADE[0]),
        expiration=expiration,
        order_group=group,
        subaccount=subaccount,
        **flags,
    )
    return terms, []


def _told(read: Any, value: object, *more: Any) -> tuple[int, str]:
    """What a reader says, a refusal of the kind of value included."""
    try:
        found: tuple[int, str] = read("" if value is None else value, *more)
    except InputError as error:
        return 0, str(error).split("; nothing was sent")[0]
    return found


def _closed(rules: MarketRules | None, ticker: object, now: datetime) -> str:
    if rules is None:
        return ""
    name = printable(rules.ticker, 80)
    if ticker != rules.ticker:
        return f"the rules are those of {name}, not of {printable(ticker, 80)}"
    if rules.status != "active":
        return f"{name} does not trade: its status is {printable(rules.status or 'unknown', 40)}"
    if rules.closes is not None and rules.closes <= now:
        return f"{name} closed at {rules.closes:%Y-%m-%d %H:%M} UTC"
    return ""


def bad_subaccount(value: object) -> str:
    """What is wrong with a subaccount; empty if nothing."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 63):
        return ""
    return f"the subaccount {quoted(value, 40)} must be a whole number from 0 to 63"


def _conflicts(
    tif: object, *, expiration: int, post_only: object, reduce_only: object, **_: object
) -> list[str]:
    """Conditions that are fine one by one."""
    found = []
    if _among(tif, TIMES_IN_FORCE[1:]):
        if expiration:
            found.append(f"an order that is {tif} never rests, so it takes no expiry")
        if post_only is True:
            found.append(f"post_only orders rest, so they cannot be {tif}; use good_till_canceled")
    if reduce_only is True and not _among(tif, ("immediate_or_cancel",)):
        found.append("reduce_only goes with immediate_or_cancel only")
    return found
