"""The order ticket: everything a form for orders must know, without a screen and without a network.

Set its traits, read its traits: what is wrong stands in `OrderTicket.blockers`, what it
would cost beside it. Any edit takes back the confirmation, and so does news of the market
that changes what was confirmed.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import traitlets

from kalshi_research.errors import InputError, printable, quoted
from kalshi_research.fees import FeeTerms
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE, fixed_text, parse_fixed
from kalshi_research.provenance import environment_of, is_simulated
from kalshi_research.trading.estimate import Estimate, Ladder, estimate, ladder_of, money
from kalshi_research.trading.fields import Figure, Flag, Sentences, Text, Word
from kalshi_research.trading.reading import read_terms
from kalshi_research.trading.requests import create_body
from kalshi_research.trading.rules import MarketRules
from kalshi_research.trading.terms import (
    ACTIONS,
    OUTCOMES,
    SELF_TRADE,
    TIMES_IN_FORCE,
    OrderTerms,
    as_text,
    price_text,
    quantity_text,
)

__all__ = ["OrderTicket"]

_EDITED: Final = (
    "ticker",
    "action",
    "outcome",
    "quantity",
    "price",
    "time_in_force",
    "post_only",
    "reduce_only",
    "cancel_on_pause",
    "expires",
    "self_trade_prevention",
    "order_group",
    "subaccount",
    "warnings",
)


def _now() -> datetime:
    return datetime.now(UTC)


class OrderTicket(traitlets.HasTraits):
    """An order being written.

    Parameters
    ----------
    ticker : str
        Market; see also `load`.
    now : callable, optional
        The present of the exchange, as an aware datetime; by default that of this machine, and none
        at all for a market of a simulated exchange, whose present is another.
    **fields
        Any of the traits below.

    Attributes
    ----------
    ticker : str
    action : {"buy", "sell"}
    outcome : {"yes", "no"}
    quantity : str
        [contracts]; text, `Decimal`, or a number is taken.
    price : str
        Limit on the outcome that is named [dollars]; text, `Decimal`, or the double nearest to a
        price is taken.
    time_in_force : {"good_till_canceled", "immediate_or_cancel", "fill_or_kill"}
    post_only, reduce_only, cancel_on_pause : bool
    expires : datetime, int or None
        Aware, or seconds since 1970.
    self_trade_prevention : {"taker_at_cross", "maker"}
    order_group : str
    subaccount : int or None
    warnings : list of str
        Reasons of others why this may not be sent, such as a limit; they block too.
    confirmed : bool
        Whether a person has agreed to exactly this. Every edit makes it False.
    blockers : list of str
        Why it cannot be sent, in sentences; empty if it can. Read only, as are those below.
    cost : Decimal or None
        What must be on the account, without fees [dollars].
    worst_loss : Decimal or None
        What is lost at most, fees included [dollars].
    fee : Decimal or None
        Against the book as it stands, or at the limit where there is no book [dollars].
    break_even : Decimal or None
        The settlement value of the named outcome at which nothing is gained or lost [dollars].
    taken : Decimal or None
        What the book would fill at once [contracts]; None without a book.

    Examples
    --------
    >>> ticket = OrderTicket("T", quantity=10, price=0.42)
    >>> ticket.load({"ticker": "T", "status": "active",
    ...     "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]})
    >>> ticket.blockers, ticket.cost, ticket.fee
    ([], Decimal('4.200000'), Decimal('0.170600'))
    >>> ticket.confirm()
    >>> ticket.price = "1.2"
    >>> ticket.confirmed, ticket.blockers
    (False, ["the price '1.2' does not lie between 0 and 1 dollar; the nearest valid price is 0.99"])
    """

    ticker = Text("")
    action = Word(ACTIONS)
    outcome = Word(OUTCOMES)
    quantity = Figure(COUNT_SCALE)
    price = Figure(PRICE_SCALE)
    time_in_force = Word(TIMES_IN_FORCE)
    post_only = Flag()
    reduce_only = Flag()
    cancel_on_pause = Flag()
    expires: traitlets.Any = traitlets.Any(None, allow_none=True)
    self_trade_prevention = Word(SELF_TRADE)
    order_group = Text("")
    subaccount: traitlets.Any = traitlets.Any(None, allow_none=True)
    warnings: traitlets.List[str] = Sentences()
    confirmed = Flag()

    blockers: traitlets.List[str] = traitlets.List(traitlets.Unicode(), read_only=True)
    cost: traitlets.Any = traitlets.Any(None, read_only=True)
    worst_loss: traitlets.Any = traitlets.Any(None, read_only=True)
    fee: traitlets.Any = traitlets.Any(None, read_only=True)
    break_even: traitlets.Any = traitlets.Any(None, read_only=True)
    taken: traitlets.Any = traitlets.Any(None, read_only=True)

    def __init__(
        self, ticker: str = "", *, now: Callable[[], datetime] | None = None, **fields: Any
    ) -> None:
        unknown = [name for name in fields if name not in _EDITED]
        if unknown:
            raise InputError(
                f"a ticket has no {printable(unknown[0], 40)}; it has {', '.join(_EDITED[1:])}."
            )
        self._now = now or _now
        self._lock = threading.RLock()
        self._rules: MarketRules | None = None
        self._environment = ""
        self._book: Ladder | None = None
        self._position: int | None = None
        self._balance: int | None = None
        self._terms: OrderTerms | None = None
        self._token = ""
        self._quiet = 0
        super().__init__()
        with self._at_once():
            self.ticker = ticker
            for name, value in fields.items():
                setattr(self, name, value)
        self.observe(self._edited, list(_EDITED))
        self.observe(self._agreed, "confirmed")

    # What is known of the market

    def load(
        self,
        market: Any = None,
        *,
        book: Any = None,
        position: object = None,
        balance: object = None,
        fees: FeeTerms | None = None,
    ) -> None:
        """Tell the ticket what is known; what is left out stays as it was.

        Parameters
        ----------
        market : DataFrame, Series or mapping, optional
            One row of `get_markets`. Another market than before forgets book and position.
        book : DataFrame, optional
            From `get_orderbook`.
        position : str, Decimal or float, optional
            Contracts held, negative for NO.
        balance : str, Decimal or float, optional
            What can be spent [dollars].
        fees : FeeTerms, optional
            What the market charges.
        """
        if fees is not None and not isinstance(fees, FeeTerms):
            raise InputError(f"fees={quoted(fees, 40)} must be FeeTerms, as of fee_terms; leave it out.")
        with self._lock:
            if market is not None:
                rules = market if isinstance(market, MarketRules) else MarketRules.of(market, fees=fees)
                if self._now is _now and hasattr(market, "attrs") and is_simulated(market):
                    # It has a present of its own, which nobody told; the status still counts.
                    rules = replace(rules, closes=None)
                if self._rules is not None and self._rules.ticker != rules.ticker:
                    self._book = self._position = None
                self._rules, self._environment = rules, environment_of(market)
                self.ticker = rules.ticker
            elif fees is not None and self._rules is not None:
                self._rules = replace(self._rules, fees=fees)
            if book is not None:
                self._book = ladder_of(book)
            if position is not None:
                self._position = _signed(position, COUNT_SCALE, "position")
            if balance is not None:
                self._balance = _signed(balance, MONEY_SCALE, "balance")
            self.refresh()

    @property
    def rules(self) -> MarketRules | None:
        """What is known of the market."""
        return self._rules

    @property
    def environment(self) -> str:
        """Where the market was looked up; empty where its frame does not say so.

        `create_order` sends a ticket through a client of that environment only.
        """
        return self._environment

    # What follows from it

    def refresh(self) -> None:
        """Compute everything again, because time has passed; called by every edit and `load`.

        The confirmation holds only if nothing that was confirmed has changed.
        """
        with self._lock:
            before = self._shown()
            fields = {name: getattr(self, name) for name in _EDITED}
            terms, reasons = read_terms(fields, rules=self._rules, now=self._now())
            if self._rules is None and self.ticker:
                reasons.append(f"{printable(self.ticker, 80)} has not been looked up yet")
            found = None
            if terms is not None:
                fees = self._rules.fees if self._rules is not None else FeeTerms()
                found = estimate(terms, fees, book=self._book, position=self._position)
                reasons += self._obstacles(terms, found)
            self._terms = terms if terms is not None and not reasons else None
            self._publish(found, [*reasons, *self.warnings])
            if self._shown() != before:
                self.confirmed = False

    def _obstacles(self, terms: OrderTerms, found: Estimate) -> Iterator[str]:
        """What stands against an order that is well formed, as far as is known."""
        book, held = self._book, self._position
        if book is not None:
            opposite = book.best("ask" if terms.side == "bid" else "bid")
            if terms.post_only and opposite is not None and _meets(terms, opposite):
                shown = price_text(opposite if terms.outcome == "yes" else PRICE_SCALE - opposite)
                yield f"a post_only order must not trade at once, and this one meets an order at {shown}"
            if terms.time_in_force == "fill_or_kill" and found.taken < terms.count:
                yield (
                    f"the book fills {quantity_text(found.taken)} of {quantity_text(terms.count)} "
                    "contracts at this price, and fill_or_kill takes all or nothing"
                )
        if (
            terms.reduce_only
            and held is not None
            and not (held < 0 if terms.side == "bid" else held > 0)
        ):
            yield "reduce_only needs a position that this order makes smaller"
        # An order that closes pays its fee from what it receives.
        if self._balance is not None and found.cost and found.cost + found.fee > self._balance:
            cent = MONEY_SCALE // 100
            needed, there = -(-(found.cost + found.fee) // cent), self._balance // cent
            yield (f"this needs ${needed / 100:,.2f} with its fee, and ${there / 100:,.2f} can be spent")

    def _publish(self, found: Estimate | None, reasons: list[str]) -> None:
        values: dict[str, Any] = dict.fromkeys(("cost", "worst_loss", "fee", "break_even", "taken"))
        if found is not None:
            values = {name: money(getattr(found, name)) for name in ("cost", "worst_loss", "fee")}
            values["break_even"] = Decimal(fixed_text(found.break_even, PRICE_SCALE))
            known = self._book is not None
            values["taken"] = Decimal(fixed_text(found.taken, COUNT_SCALE)) if known else None
        for name, value in values.items():
            self.set_trait(name, value)
        self.set_trait("blockers", reasons)

    def _shown(self) -> tuple[Any, ...]:
        return (tuple(self.blockers), self.cost, self.worst_loss, self.fee, self.break_even, self.taken)

    # Confirming and sending

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Several edits as one."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1
            self.refresh()

    def edit(self, **fields: Any) -> None:
        """Set several traits as one edit.

        Parameters
        ----------
        **fields
            Traits and their values.
        """
        for name in fields:
            if name not in _EDITED:
                raise InputError(f"a ticket has no {printable(name, 40)}; it has {', '.join(_EDITED)}.")
        with self._at_once():
            for name, value in fields.items():
                setattr(self, name, value)
        self.confirmed = False

    def _edited(self, _: Any) -> None:
        self.confirmed = False
        if not self._quiet:
            self.refresh()

    @traitlets.validate("confirmed")
    def _may_be_confirmed(self, proposal: Any) -> bool:
        return bool(proposal["value"]) and not self.blockers

    def _agreed(self, change: Any) -> None:
        # One confirmation is one order: its id is drawn here, before anything is sent.
        self._token = str(uuid.uuid4()) if change["new"] else ""

    def confirm(self) -> None:
        """Agree to exactly this order.

        Raises
        ------
        InputError
            If something stands against it.
        """
        self.refresh()
        if self.blockers:
            reason = printable(self.blockers[0], 400)
            raise InputError(f"this order cannot be confirmed: {reason}; nothing was sent.")
        self.confirmed = True

    @property
    def client_order_id(self) -> str:
        """The id the confirmed order will have; empty before."""
        return self._token

    @property
    def sentence(self) -> str:
        """The order in words; empty while something is wrong with it."""
        return self._terms.sentence if self._terms is not None else ""

    def terms(self) -> OrderTerms:
        """The order as integers.

        Raises
        ------
        InputError
            If something stands against it.
        """
        self.refresh()
        if self.blockers:
            raise InputError(f"{printable(self.blockers[0], 400)}; nothing was sent.")
        assert self._terms is not None  # noqa: S101 - without terms there are blockers
        return self._terms

    def take(self) -> tuple[OrderTerms, str]:
        """The confirmed order and its id, once: a second click finds nothing to send.

        Raises
        ------
        InputError
            If it is not confirmed, or was taken already.
        """
        with self._lock:
            terms, token = self.terms(), self._token
            if not self.confirmed or not token:
                raise InputError(
                    "this ticket is not confirmed, or was sent already; nothing was sent now.\n"
                    "Look at it again and call confirm()."
                )
            self.confirmed = False
        return terms, token

    def to_request(self, dialect: str = "2026") -> dict[str, Any]:
        """The body of the request that would place this order.

        Parameters
        ----------
        dialect : {"2026", "2025"}
            Today's protocol, or that of the documents of 2025.

        Raises
        ------
        InputError
            If something stands against it.
        """
        return create_body(self.terms(), self._token, dialect=dialect)

    def __repr__(self) -> str:
        state = (
            "confirmed"
            if self.confirmed
            else f"{len(self.blockers)} blockers"
            if self.blockers
            else "ready"
        )
        return f"<OrderTicket {self.sentence or printable(self.ticker, 80)}: {state}>"


def _meets(terms: OrderTerms, opposite: int) -> bool:
    """Whether an order would trade with one at this price [1/10 000 dollar]."""
    return opposite <= terms.yes_price if terms.side == "bid" else opposite >= terms.yes_price


def _signed(value: object, scale: int, what: str) -> int:
    try:
        return parse_fixed(as_text(value, scale), scale)
    except InputError as error:
        problem = str(error)
    raise InputError(f"{what}: {problem}.")
