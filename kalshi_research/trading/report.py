"""What a user is told of an order: its state in one word, and in a sentence."""

from __future__ import annotations

import html
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import printable
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, fixed_text
from kalshi_research.trading.terms import OrderTerms, price_text, quantity_text

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.trading.journal import Intent

__all__ = ["OrderReport", "report_of", "status_word"]

_WORDS = {
    "resting": "is resting",
    "partial": "is partly filled and rests",
    "executed": "is executed",
    "canceled": "is canceled",
    "rejected": "was refused",
    "not placed": "was not placed",
    "unknown": "is NOT ACCOUNTED FOR",
}


@dataclass(frozen=True)
class OrderReport:
    """What is known of one order, at the moment it was made.

    Attributes
    ----------
    state : str
        ``resting``, ``partial`` (filled in part, the rest rests), ``executed``, ``canceled`` (look at
        `filled`), ``rejected``, ``not placed`` or ``unknown``.
    client_order_id : str
        One's own id.
    order_id : str
        The exchange's; empty if it has none.
    ticker, action, outcome : str
    price : Decimal
        Limit on the outcome that is named [dollars].
    quantity : Decimal
        In all, what is filled included [contracts].
    filled, remaining : Decimal or None
        [contracts]; None while it is not known.
    average_price : Decimal or None
        Of what was filled at once, on the YES leg [dollars].
    note : str
        Why, in words.
    environment : str
    error : Exception or None
        Of an order of a batch: what `create_order` would have raised.
    """

    state: str
    client_order_id: str
    order_id: str
    ticker: str
    action: str
    outcome: str
    price: Decimal
    quantity: Decimal
    filled: Decimal | None = None
    remaining: Decimal | None = None
    average_price: Decimal | None = None
    note: str = ""
    environment: str = ""
    error: Exception | None = None

    @property
    def open(self) -> bool:
        """Whether it can still be filled, as far as was known."""
        return self.state in ("resting", "partial", "unknown")

    def __str__(self) -> str:
        amount, price = _plain(self.quantity), _plain(self.price)
        order = (
            f"{self.action} {amount} {self.outcome.upper()} of {printable(self.ticker, 80)} at ${price}"
        )
        filled = ""
        if self.filled is not None:
            filled = f", {_plain(self.filled)} of {_plain(self.quantity)} filled"
            if self.average_price is not None:
                filled += f" at ${_plain(self.average_price)} (YES)"
        mark = "SIMULATED · " if self.environment == "sandbox" else f"{self.environment} · "
        note = f" ({self.note})" if self.note else ""
        state = _WORDS.get(self.state, self.state)
        return f"{mark}{order} {state}{filled}{note} [id {self.client_order_id}]"

    def __repr__(self) -> str:
        return f"<OrderReport {self}>"

    def _repr_html_(self) -> str:
        # A dollar sign in a span of its own is not taken for mathematics.
        text = html.escape(str(self)).replace("$", "<span>$</span>")
        return f'<code class="tex2jax_ignore mathjax_ignore">{text}</code>'


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def status_word(status: str, filled: int | None) -> str:
    """The state of an acknowledged order in one word.

    Examples
    --------
    >>> status_word("resting", 100), status_word("executed", 100)
    ('partial', 'executed')
    """
    return "partial" if status == "resting" and filled else status


def _count(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(fixed_text(value, COUNT_SCALE))


def report_of(client: Client, intent: Intent, terms: OrderTerms, **more: Any) -> OrderReport:
    """The report of an intent of the journal.

    Parameters
    ----------
    client : Client
    intent : Intent
    terms : OrderTerms
        Of the order as it is meant to be.
    **more
        Further fields of `OrderReport`, or others for some of these.
    """
    state = {
        "ACKED": intent.status,
        "REJECTED": "rejected",
        "NOT_PLACED": "not placed",
    }.get(intent.state, "unknown")
    said: dict[str, Any] = {
        "state": state,
        "client_order_id": intent.key,
        "order_id": intent.order_id,
        "ticker": terms.ticker,
        "action": terms.action,
        "outcome": terms.outcome,
        "price": Decimal(price_text(terms.price)),
        "quantity": Decimal(quantity_text(terms.count)),
        "filled": _count(intent.filled),
        "remaining": _count(intent.remaining),
        "environment": client.environment.name,
        "note": intent.note,
    }
    return OrderReport(**(said | more))


def price_of(value: int | None) -> Decimal | None:
    """An integer price as dollars."""
    return None if value is None else Decimal(fixed_text(value, PRICE_SCALE))
