"""What is open: on the exchange, and in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.errors import DecodeError
from kalshi_research.market_data.arguments import ticker_list
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.provenance import KEY, provenance
from kalshi_research.schemas.order_facts import queue_facts
from kalshi_research.trading.accounting import account, announce_late
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.evidence import read_orders
from kalshi_research.trading.report import status_word
from kalshi_research.trading.standing import terms_of
from kalshi_research.trading.terms import OrderTerms

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.market_data.arguments import Tickers
    from kalshi_research.schemas.order_facts import OrderFacts
    from kalshi_research.trading.desk import Desk
    from kalshi_research.trading.journal import Intent

__all__ = ["get_open_orders", "get_queue_positions"]

_OPEN = {
    "order_id": "str",
    "client_order_id": "str",
    "ticker": "str",
    "state": "str",
    "action": "str",
    "outcome": "str",
    "price": "float64",
    "quantity": "float64",
    "filled": "float64",
    "remaining": "float64",
    "placed_by": "str",
}
_QUEUE = {"order_id": "str", "ticker": "str", "ahead": "float64"}


def get_open_orders(client: Client) -> pd.DataFrame:
    """Everything that rests, and every order that is not accounted for.

    What is not accounted for is looked for first.

    Parameters
    ----------
    client : Client
        With a key.

    Returns
    -------
    pandas.DataFrame
        Indexed by order_id, which is missing where an order is not accounted for.

        ===============  =======  ===================================================================
        column           dtype    meaning
        ===============  =======  ===================================================================
        order_id         str      index: the exchange's id
        client_order_id  str      one's own id
        ticker           str      market
        state            str      resting, partial, or unknown: not accounted for
        action           str      buy or sell
        outcome          str      yes or no
        price            float64  limit on the outcome that is named [dollars]
        quantity         float64  in all [contracts]
        filled           float64  so far [contracts]; missing while unknown
        remaining        float64  still resting [contracts]; missing while unknown
        placed_by        str      this session, earlier session (of this machine), or elsewhere
        ===============  =======  ===================================================================

    Raises
    ------
    KalshiError
        If not everything could be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> made = kr.create_order(client, "KXHIGHNY-26NOV21-B44.5", quantity=2, price="0.01")
    >>> kr.get_open_orders(client).loc[made.order_id, ["state", "placed_by"]].tolist()
    ['resting', 'this session']
    """
    desk = desk_of(client)
    account(desk)
    desk.look_again()
    shown = read_orders(client, status="resting", seconds=desk.read_seconds)
    announce_late(desk.take_in(shown.by_order_id.values()))
    rows = []
    for order in shown.by_order_id.values():
        mine = desk.journal.order(order.order_id) or _own(desk, order)
        terms = terms_of(order, mine)
        rows.append(
            _row(terms, order.order_id, order.client_order_id, _who(desk.journal.session, mine))
            | {
                "state": status_word(order.status, order.filled),
                "filled": order.filled / COUNT_SCALE,
                "remaining": order.remaining / COUNT_SCALE,
            }
        )
    known = shown.by_client_id
    for intent in [intent for intent in desk.open_creates() if intent.key not in known]:
        terms = OrderTerms.restored(intent.terms)
        who = _who(desk.journal.session, intent)
        rows.append(_row(terms, None, intent.key, who) | {"state": "unknown"})
    return _frame(client, rows, _OPEN, "/portfolio/orders")


def _own(desk: Desk, order: OrderFacts) -> Intent | None:
    """The intent of an order that is being sent, whose id of the exchange is not known here yet."""
    intent = desk.journal.get(order.client_order_id) if order.client_order_id else None
    return intent if intent is not None and intent.open and intent.act == "create" else None


def _who(session: str, mine: Intent | None) -> str:
    if mine is None:
        return "elsewhere"
    return "this session" if mine.session == session else "earlier session"


def _row(terms: OrderTerms, order_id: str | None, key: str, placed_by: str) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "client_order_id": key,
        "ticker": terms.ticker,
        "action": terms.action,
        "outcome": terms.outcome,
        "price": terms.price / PRICE_SCALE,
        "quantity": terms.count / COUNT_SCALE,
        "placed_by": placed_by,
    }


def _frame(
    client: Client, rows: list[dict[str, Any]], columns: dict[str, str], path: str
) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(
        {
            name: pd.Series([row.get(name) for row in rows], dtype=dtype)
            for name, dtype in columns.items()
        }
    )
    frame = frame.set_index("order_id")
    frame.attrs[KEY] = provenance(
        environment=client.environment.name,
        host=client.host,
        endpoint=path,
        fetched_at=client.clock(),
        rows=len(frame),
        pages=1,
        complete=True,
        simulated=client.simulated,
        schema="",
        query="",
    )
    return frame


def get_queue_positions(client: Client, tickers: Tickers | None = None) -> pd.DataFrame:
    """How much is before each of your resting orders.

    Parameters
    ----------
    client : Client
        With a key.
    tickers : str, iterable of str or frame, optional
        Markets; None is all of them.

    Returns
    -------
    pandas.DataFrame
        Indexed by order_id.

        ========  =======  =====================================================
        column    dtype    meaning
        ========  =======  =====================================================
        order_id  str      index: the exchange's id
        ticker    str      market
        ahead     float64  contracts that would be filled before it [contracts]
        ========  =======  =====================================================

    Raises
    ------
    KalshiError
        If they could not be read.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> made = kr.create_order(client, "KXHIGHNY-26NOV21-B44.5", quantity=2, price="0.01")
    >>> bool(kr.get_queue_positions(client, made.ticker).loc[made.order_id, "ahead"] >= 0)
    True
    """
    desk = desk_of(client)
    path = "/portfolio/orders/queue_positions"
    names = None if tickers is None else ",".join(ticker_list(tickers))
    answer = client.request("GET", path, params={"market_tickers": names}, deadline=desk.read_seconds)
    found = answer.get("queue_positions")
    if found is not None and not isinstance(found, list):
        raise DecodeError("the queue positions are no list; nothing was used", where="$.queue_positions")
    rows = [
        {"order_id": order_id, "ticker": ticker, "ahead": ahead / COUNT_SCALE}
        for order_id, ticker, ahead in map(queue_facts, found or [])
    ]
    return _frame(client, rows, _QUEUE, path)
