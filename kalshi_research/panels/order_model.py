"""What the order panel knows and does: a ticket, what became of it, and the orders that rest."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pandas as pd
import traitlets

from kalshi_research.errors import InputError, OrderUnknown
from kalshi_research.money import PRICE_SCALE, complement, to_price
from kalshi_research.panels.jobs import Painter
from kalshi_research.panels.order_words import (
    blocked,
    effect,
    facts,
    foretold,
    order_rows,
    sentence,
    touch,
)
from kalshi_research.panels.shared_reads import Account, MarketSnapshot, reads_of
from kalshi_research.panels.visibility import Watched
from kalshi_research.panels.words import capital, contracts, decimal
from kalshi_research.trading import OrderReport, OrderTicket, amend_order, cancel_order, create_order
from kalshi_research.trading.desk import desk_of

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.panels.jobs import Jobs

__all__ = ["EXPIRIES", "OrderModel"]

EXPIRIES: Final = {"10 minutes": 600, "1 hour": 3600, "1 day": 86_400, "never (until canceled)": 0}
"""How long an order rests [s]; an hour unless another is chosen."""

_EVERY = 3.0
"""Seconds after which the market is looked at again [s]."""

T = TypeVar("T")


class OrderModel(Watched):
    """One form for orders.

    Parameters
    ----------
    client : Client
    jobs : Jobs
        All requests are sent from there, one after the other.

    Attributes
    ----------
    ticker : str
    ticket : OrderTicket
        The order being written.
    expiry : str
        One of `EXPIRIES`.
    stage : {"editing", "confirming", "sending"}
        An order is sent only out of ``confirming``, once.
    touch, title, preview, effect, blockers, result, note, locked : str
        What a person reads; `preview` is `facts` and `effect` in one line.
    facts : list of (str, str)
        What the order would cost.
    result_kind : {"", "good", "warn"}
    unknown : bool
        Whether an order has to be looked for.
    orders : list of dict
        Rows of the orders that rest in this market.
    chosen : str
        The resting order chosen, by its id.
    busy : bool
    views : int or None
        In how many places it can be seen; with 0 nothing is asked for. None: not counted.
    """

    ticker = traitlets.Unicode()
    expiry = traitlets.Enum(tuple(EXPIRIES), "1 hour")
    stage = traitlets.Enum(("editing", "confirming", "sending"), "editing")
    touch = traitlets.Unicode()
    title = traitlets.Unicode()
    preview = traitlets.Unicode()
    effect = traitlets.Unicode()
    facts: traitlets.List[tuple[str, str]] = traitlets.List()
    blockers = traitlets.Unicode()
    result = traitlets.Unicode()
    result_kind = traitlets.Enum(("", "good", "warn"), "")
    note = traitlets.Unicode()
    locked = traitlets.Unicode()
    unknown = traitlets.Bool(False)
    orders: traitlets.List[dict[str, Any]] = traitlets.List()
    chosen = traitlets.Unicode()
    busy = traitlets.Bool(False)

    def __init__(self, client: Client, jobs: Jobs) -> None:
        super().__init__()
        self.client = client
        self._jobs = jobs
        self._time = datetime.now(UTC)
        self._lost: OrderUnknown | None = None
        self._resting = pd.DataFrame()
        self.ticket = OrderTicket(now=lambda: self._time)
        self.ticket.observe(lambda _: self._changed())
        # Checking sets it anew; one left over would stand against an order that never rests.
        self.ticket.observe(lambda _: self.ticket.set_trait("expires", None), "time_in_force")
        self.observe(self._retitled, "ticker")
        self.observe(lambda _: self.ticket.set_trait("confirmed", False), "expiry")
        self._painter = Painter(self._look_again, rate=1 / _EVERY, idle=_EVERY)
        self.observe(self._painter.soon, "views")
        self.observe(self._painter.rest_or_resume, "resting")
        self._check_lock()

    def close(self) -> None:
        """Look at the market no more."""
        self._painter.close()

    # --- the market -------------------------------------------------------------------------------

    def _retitled(self, change: Any) -> None:
        self.touch = self.title = self.result = self.note = self.chosen = ""
        self.result_kind, self.orders, self.stage = "", [], "editing"
        self.ticket.edit(ticker=change["new"], price="")
        if change["new"]:
            self.look()

    def look(self) -> None:
        """Ask for the market, its book and what of it is held and rests."""
        ticker = self.ticker
        self._do(lambda: self._fetch(ticker), self._loaded)

    def _look_again(self) -> None:
        self.look_around()
        self._check_lock()
        if self.ticker and self.is_watched and not self._jobs.busy and self.stage == "editing":
            ticker = self.ticker
            self._jobs.do(lambda: self._fetch(ticker, _EVERY / 2), self._loaded, self._failed)

    def _fetch(self, ticker: str, within: float = 0.0) -> tuple[str, MarketSnapshot, Account | None]:
        reads = reads_of(self.client)
        market = reads.market(ticker, within=within)
        return ticker, market, reads.account(within=within) if self.client.signed else None

    def _loaded(self, found: tuple[str, MarketSnapshot, Account | None]) -> None:
        ticker, snapshot, account = found
        if ticker != self.ticker:
            return
        self._time = snapshot.time
        self.ticket.load(
            snapshot.market,
            book=snapshot.book,
            position=account and account.held(ticker),
            balance=account and account.balance,
            fees=snapshot.fees,
        )
        self.title = str(snapshot.market["yes_sub_title"].iloc[0] or snapshot.market["title"].iloc[0])
        self.touch = touch(ticker, snapshot.book, account)
        if account is not None:
            self._resting = account.orders[account.orders["ticker"] == ticker]
            self.orders = order_rows(self._resting)
            if self.chosen not in self._resting.index:
                self.chosen = ""
        self._check_lock()

    def _check_lock(self) -> None:
        self.locked = ""
        if not self.client.signed:
            self.locked = "This client has no key, so it cannot trade."
        elif self.client.environment.name == "prod":
            limits = desk_of(self.client).limits
            if limits is None or not limits.live:
                self.locked = (
                    "Locked: this is real money. Allow it in a cell of this kernel first: "
                    "kr.arm(client, max_order_cost=..., max_position=..., minutes=...)."
                )

    # --- writing an order -------------------------------------------------------------------------

    def _changed(self) -> None:
        self.blockers = blocked(self.ticket) if self.ticker else ""
        self.preview = foretold(self.ticket)
        self.facts, self.effect = facts(self.ticket), capital(effect(self.ticket))
        if self.stage == "confirming" and not self.ticket.confirmed:
            self.stage = "editing"

    def step(self, ticks: int) -> None:
        """Move the price to the next one of the market's grid, up or down."""
        rules = self.ticket.rules
        if rules is None:
            return
        ladder = rules.grid.prices()
        if self.ticket.outcome == "no":
            ladder = sorted(complement(price) for price in ladder)
        try:
            price = to_price(self.ticket.price)
        except InputError:
            at = len(ladder) // 2
        else:
            at = bisect_left(ladder, price) + (-1 if ticks < 0 else price in ladder)
        chosen = ladder[min(max(at, 0), len(ladder) - 1)]
        self.ticket.price = decimal(chosen, PRICE_SCALE)

    def pick(self, price: str) -> None:
        """Take over a YES price, seen from the outcome that is being written."""
        ticks = to_price(price)
        if self.ticket.outcome == "no":
            ticks = complement(ticks)
        self.ticket.price = decimal(ticks, PRICE_SCALE)

    def check(self) -> None:
        """Look at the market again and show what exactly would be sent."""
        if self.stage != "editing" or self.busy:
            return
        ticker = self.ticker
        self.note = self.result = ""

        def loaded(found: tuple[str, MarketSnapshot, Account | None]) -> None:
            self._loaded(found)
            seconds = EXPIRIES[self.expiry]
            rests = self.ticket.time_in_force == "good_till_canceled"
            self.ticket.expires = self._time + timedelta(seconds=seconds) if seconds and rests else None
            if self.ticket.blockers or self.locked:
                return
            self.ticket.confirm()
            self.stage = "confirming"

        self._do(lambda: self._fetch(ticker), loaded)

    def back(self) -> None:
        """Go on writing."""
        self.ticket.confirmed = False
        if self.stage == "confirming":
            self.stage = "editing"

    def send(self) -> None:
        """Send the order that was checked: once, however often this is called."""
        if self.stage != "confirming" or self.locked:
            return
        self.stage = "sending"
        ticker = self.ticker

        def work() -> OrderReport | str:
            found = self._fetch(ticker)
            self._loaded(found)
            if not self.ticket.confirmed:
                return (
                    "The market has moved since you looked: nothing was sent. Look again, then confirm."
                )
            return self._write(lambda: create_order(self.client, self.ticket))

        self._do(work, self._sent, self._not_sent)

    def _sent(self, outcome: OrderReport | str) -> None:
        self.stage = "editing"
        if isinstance(outcome, str):
            self._say(outcome, "warn")
            return
        self._say(sentence(outcome), "good")
        self.look()

    def _not_sent(self, error: BaseException) -> None:
        self.stage = "editing"
        self.ticket.confirmed = False
        if isinstance(error, OrderUnknown):
            self._lost, self.unknown = error, True
        self._say(str(error), "warn")

    def resolve(self) -> None:
        """Look for an order of which it is not known whether it is on the exchange."""
        lost = self._lost
        if lost is None:
            return

        def resolved(report: OrderReport) -> None:
            self._lost, self.unknown = None, False
            self._say(sentence(report), "good")
            self.look()

        self._do(lost.resolve, resolved, self._still_lost)

    def _still_lost(self, error: BaseException) -> None:
        if not isinstance(error, OrderUnknown):
            self._lost, self.unknown = None, False
        self._say(str(error), "warn")

    # --- orders that rest -------------------------------------------------------------------------

    def cancel(self, order_id: str) -> None:
        """Cancel a resting order, and say what it ended as."""
        if order_id not in self._resting.index:
            return
        ticker = self.ticker
        self._do(
            lambda: self._write(lambda: cancel_order(self.client, order_id, ticker=ticker)),
            self._settled,
            self._not_sent,
        )

    def amend(self, price: str, quantity: str) -> None:
        """Give the chosen order another price or size."""
        order_id = self.chosen
        if order_id not in self._resting.index:
            self._say("Choose one of your resting orders first.", "warn")
            return
        order = self._resting.loc[order_id]
        changes: dict[str, Any] = {}
        if price and not _is_price(price, order["price"]):
            changes["price"] = price
        if quantity and quantity != contracts(order["quantity"]):
            changes["quantity"] = quantity
        if not changes:
            self._say("This order has that price and size already.", "warn")
            return
        self._do(
            lambda: self._write(lambda: amend_order(self.client, order_id, **changes)),
            self._settled,
            self._not_sent,
        )

    def _settled(self, report: OrderReport) -> None:
        self._say(sentence(report), "good")
        self.look()

    # --- work -------------------------------------------------------------------------------------

    def _write(self, act: Callable[[], T]) -> T:
        """Send something; whatever becomes of it, the account is looked at anew."""
        try:
            return act()
        finally:
            reads_of(self.client).changed()

    def _say(self, text: str, kind: str) -> None:
        self.result_kind, self.result = kind, text

    def _do(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        fail: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.busy = True

        def done(answer: Any) -> None:
            self.busy = False
            then(answer)

        def failed(error: BaseException) -> None:
            self.busy = False
            (fail or self._failed)(error)

        self._jobs.do(work, done, failed)

    def _failed(self, error: BaseException) -> None:
        self.note = str(error)


def _is_price(typed: str, price: Any) -> bool:
    """Whether somebody has typed this price, however it is spelled."""
    try:
        return to_price(typed) == to_price(float(price))
    except InputError:
        return False
