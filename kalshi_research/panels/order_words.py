"""Orders in the words of a person: what one is, what became of it, what would become of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kalshi_research.book import quotes
from kalshi_research.panels.words import capital, contracts, dollars, money

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.panels.shared_reads import Account
    from kalshi_research.trading import OrderReport, OrderTicket

__all__ = ["blocked", "effect", "facts", "foretold", "order_rows", "sentence", "touch"]


def sentence(report: OrderReport) -> str:
    """What became of an order, in plain words.

    Parameters
    ----------
    report : OrderReport
    """
    what = (
        f"{report.action} {contracts(report.quantity)} {report.outcome.upper()} "
        f"at ${dollars(report.price)}"
    )
    filled = contracts(report.filled) if report.filled else "nothing"
    words = {
        "resting": f"Resting: {what}.",
        "partial": f"Filled {filled} of {contracts(report.quantity)}; the rest is resting ({what}).",
        "executed": f"Filled: {what}.",
        "canceled": f"Canceled: {what}; {filled} was filled.",
        "rejected": f"Refused: {what}.",
        "not placed": f"Not placed: {what}.",
        "unknown": f"Unknown: {what} may or may not be on the exchange.",
    }[report.state]
    if report.average_price is not None and report.filled:
        words += f" Average price {dollars(report.average_price)} (YES)."
    return f"{words} {report.note}".strip()


def blocked(ticket: OrderTicket) -> str:
    """What stands against an order, a line for each reason.

    Parameters
    ----------
    ticket : OrderTicket
    """
    return "\n".join(f"{capital(reason)}." for reason in ticket.blockers)


def facts(ticket: OrderTicket) -> list[tuple[str, str]]:
    """What an order would cost, as names and figures; empty where that is not known.

    Parameters
    ----------
    ticket : OrderTicket
    """
    if ticket.cost is None:
        return []
    return [
        ("Cost", money(ticket.cost)),
        ("Fee now", money(ticket.fee)),
        ("Most you can lose", money(ticket.worst_loss)),
        ("Break-even", dollars(ticket.break_even)),
    ]


def effect(ticket: OrderTicket) -> str:
    """What happens at once, as the book is; empty where that is not known.

    Parameters
    ----------
    ticket : OrderTicket
    """
    if ticket.cost is None or ticket.taken is None or not ticket.quantity:
        return ""
    if not ticket.taken:
        return "would rest: nothing in the book meets it"
    wanted = Decimal(ticket.quantity)
    if ticket.taken == wanted:
        return "the book fills all of it at once"
    return f"the book fills {contracts(ticket.taken)} of {contracts(wanted)} at once"


def foretold(ticket: OrderTicket) -> str:
    """What an order would cost and what the book does with it, in one line.

    Parameters
    ----------
    ticket : OrderTicket
    """
    words = {"Most you can lose": "most you can lose, fees included,", "Cost": "Cost"}
    parts = [f"{words.get(name, name.lower())} {figure}" for name, figure in facts(ticket)]
    return " · ".join([*parts, *filter(None, [effect(ticket)])])


def touch(ticker: str, book: pd.DataFrame, account: Account | None) -> str:
    """The best prices of a market, and what one has.

    Parameters
    ----------
    ticker : str
    book : DataFrame
        Of this market.
    account : Account or None
    """
    top = quotes(book).iloc[0]
    words = (
        f"YES {dollars(top['yes_bid'])} bid, {dollars(top['yes_ask'])} ask · "
        f"NO {dollars(top['no_bid'])} bid, {dollars(top['no_ask'])} ask"
    )
    if account is not None:
        held = account.held(ticker)
        holding = f"{contracts(abs(held))} {'YES' if held > 0 else 'NO'}" if held else "nothing"
        words += f" · you hold {holding} · {money(account.balance)} to spend"
    return words


def order_rows(orders: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a `Table`: the open orders of one market.

    Parameters
    ----------
    orders : DataFrame
        Of `get_open_orders`.
    """
    rows = []
    for order_id, order in orders.iterrows():
        known = isinstance(order_id, str) and order_id
        who = "" if order["placed_by"] == "this session" else f" ({order['placed_by']})"
        rows.append(
            {
                "key": order_id if known else f"unknown {order['client_order_id']}",
                "label": f"{order['action']} {order['outcome']} at {dollars(order['price'])}",
                "cells": [
                    f"{order['action']} {str(order['outcome']).upper()}",
                    dollars(order["price"]),
                    f"{contracts(order['filled'])} of {contracts(order['quantity'])}",
                    f"{order['state']}{who}",
                    "Cancel" if known else "",
                ],
            }
        )
    return rows
