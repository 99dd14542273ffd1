"""What the exchange shows of one's orders: the only thing that decides what became of one.

A read that fails is never evidence. Reads lag behind the exchange, so an order that is not
there proves nothing by itself; `reconcile` decides when it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from kalshi_research.client import Pages
from kalshi_research.errors import DecodeError, NotFoundError
from kalshi_research.schemas.order_facts import (
    FillFacts,
    OrderFacts,
    fill_facts,
    order_facts,
    position_facts,
)

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["Evidence", "read_order", "read_orders", "read_position", "strange_fills", "watermark"]

_PAGE: Final = {"2026": 1000, "2025": 100}


@dataclass
class Evidence:
    """Orders as they were shown, by both of their ids."""

    by_client_id: dict[str, OrderFacts] = field(default_factory=dict)
    by_order_id: dict[str, OrderFacts] = field(default_factory=dict)

    def add(self, order: OrderFacts) -> None:
        """Take one in; what is already there of the same order stays."""
        self.by_client_id.setdefault(order.client_order_id, order)
        self.by_order_id.setdefault(order.order_id, order)


def _rows(client: Client, path: str, key: str, params: dict[str, Any], seconds: float) -> Iterator[Any]:
    limit = _PAGE.get(client.dialect, 100)
    pages = Pages(
        lambda query: client.get_bytes(path, params=query, deadline=seconds),
        key,
        params=params,
        limit=limit,
    )
    for page in pages:
        yield from page.json()[key]


def read_orders(
    client: Client,
    ticker: str | None = None,
    *,
    status: str | None = None,
    since: float | None = None,
    historical: bool = False,
    seconds: float = 30.0,
) -> Evidence:
    """All of one's orders that the exchange shows.

    Parameters
    ----------
    client : Client
    ticker : str, optional
        Only of this market.
    status : str, optional
        Only in this state; by default in every one.
    since : float, optional
        None that were created before this are needed, by the exchange's clock [s since 1970].
    historical : bool
        Also those that were handed over to the archive.
    seconds : float
        For each request [s].

    Raises
    ------
    KalshiError
        If not everything could be read.
    """
    found = Evidence()
    query = {"ticker": ticker, "status": status, "min_ts": _whole(since)}
    for row in _rows(client, "/portfolio/orders", "orders", query, seconds):
        found.add(order_facts(row))
    if historical and client.dialect != "2025":
        query = {"ticker": ticker}
        for row in _rows(client, "/historical/orders", "orders", query, seconds):
            order = order_facts(row)
            if since is not None and _older(order, since):
                break  # newest first
            found.add(order)
    return found


def _whole(instant: float | None) -> int | None:
    return None if instant is None else max(0, int(instant))


def _older(order: OrderFacts, instant: float) -> bool:
    try:
        created = datetime.fromisoformat(order.created)
    except ValueError:
        return False
    return created.replace(tzinfo=created.tzinfo or UTC).timestamp() < instant


def read_order(client: Client, order_id: str, *, seconds: float = 30.0) -> OrderFacts | None:
    """One order by the exchange's id; None if the exchange shows none.

    Raises
    ------
    KalshiError
        If it could not be read.
    """
    try:
        answer = client.request("GET", f"/portfolio/orders/{order_id}", deadline=seconds)
    except NotFoundError:
        return None
    order = order_facts(answer.get("order"))
    if order.order_id != order_id:
        raise DecodeError(f"asked for order {order_id}, the answer is about another; nothing was used")
    return order


def strange_fills(
    client: Client,
    ticker: str | None,
    known: Iterable[str],
    *,
    since: float | None = None,
    seconds: float = 30.0,
) -> list[FillFacts]:
    """Fills of orders that are not among the known ids: an order that no list shows yet.

    Raises
    ------
    KalshiError
        If not everything could be read.
    """
    ids = set(known)
    query = {"ticker": ticker, "min_ts": _whole(since)}
    fills = (fill_facts(row) for row in _rows(client, "/portfolio/fills", "fills", query, seconds))
    return [fill for fill in fills if fill.order_id not in ids]


def watermark(client: Client, *, seconds: float = 30.0) -> tuple[float, float | None]:
    """The instant up to which the reads of one's account are complete, and the exchange's time of day.

    The time of day is that of the header ``Date``, in whole seconds; None where it says none. That
    of a simulated exchange is another clock than that of its reads, and is left out as well.

    Raises
    ------
    KalshiError
        If it could not be read.
    """
    answer, date = client.dated("/exchange/user_data_timestamp", deadline=seconds)
    said = answer.get("as_of_time")
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        moment = None
    if moment is None:
        raise DecodeError("the exchange does not say how fresh its answers are", where="$.as_of_time")
    as_of = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return as_of, None if client.simulated else _dated(date)


def _dated(header: str) -> float | None:
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def read_position(client: Client, ticker: str, *, seconds: float = 30.0) -> int:
    """What is held in a market, positive for YES [1/100 contract].

    Raises
    ------
    KalshiError
        If it could not be read.
    """
    rows = _rows(client, "/portfolio/positions", "market_positions", {"ticker": ticker}, seconds)
    return sum(position_facts(row) for row in rows if row.get("ticker") == ticker)
