"""One's own orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, quoted
from kalshi_research.market_data.arguments import Tickers, Time, check_client, choice
from kalshi_research.market_data.walks import Collection
from kalshi_research.portfolio.walking import Question, Source, ask, known_rows, subaccount_of
from kalshi_research.schemas import ORDER_STATUSES, ORDERS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["get_order", "get_orders"]

# Whether the exchange filters orders by creation or by their last change it does not say. What was
# created after an instant was also changed after it; before, that does not follow.
_SOURCE = Source(
    ORDERS,
    "/portfolio/orders",
    "orders",
    time="created_time",
    wire_time="created_time",
    old_path="/historical/orders",
    boundary="orders_updated_ts",
    ends=False,
)


def get_orders(
    client: Client,
    tickers: Tickers | None = None,
    *,
    status: str | None = None,
    start: Time | None = None,
    end: Time | None = None,
    subaccount: int | None = None,
    newer_than: str | Time | pd.DataFrame | None = None,
    max_rows: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """One's own orders, from both the live and the historical tier.

    What the exchange answers lags what it does by a moment: an order cancelled just now may
    still say `resting` here.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is all of them.
    status : {"resting", "canceled", "executed"}, optional
    start, end : time, optional
        Creation, `start` inclusive, `end` exclusive; see `get_trades`.
    subaccount : int, optional
        0 for the primary one; None is all.
    newer_than : order id, time or frame of orders, optional
        Return only orders created after it. Changes of older ones are not news in this sense.
    max_rows : int, optional
        At most this many rows, the newest (market by market).
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Newest first, indexed by order_id. The prices are limits; what was paid is in the fills
        and in the two costs.

        ==========================  ===================  ================================================
        column                      dtype                meaning
        ==========================  ===================  ================================================
        order_id                    str                  index: identifier
        client_order_id             str                  identifier of one's own
        ticker                      str                  market
        status                      str                  resting, canceled or executed
        outcome_side                str                  the leg it buys: yes or no; selling YES is
                                                         buying NO
        yes_price                   float64              limit on the YES leg [dollars]
        no_price                    float64              limit on the NO leg [dollars]
        initial_count               float64              ordered at first [contracts]
        fill_count                  float64              filled so far [contracts]
        remaining_count             float64              still resting; 0 once it is finished [contracts]
        taker_fill_cost             float64              paid for what it took, without fees [dollars]
        maker_fill_cost             float64              paid for what it made, without fees [dollars]
        taker_fees                  float64              fees of what it took [dollars]
        maker_fees                  float64              fees of what it made [dollars]
        created_time                datetime64[us, UTC]  acceptance [UTC]
        last_update_time            datetime64[us, UTC]  last fill, amendment or cancellation [UTC]
        expiration_time             datetime64[us, UTC]  when it is cancelled by itself [UTC]
        self_trade_prevention_type  str                  which order goes when it meets one of its owner:
                                                         taker_at_cross or maker
        order_group_id              str                  order group it is in
        cancel_order_on_pause       boolean              a pause cancels it
        subaccount_number           Int64                0 is the primary one
        exchange_index              Int64                shard the market lives on
        type                        str                  limit or market
        side                        str                  leg of the old wording; deprecated by the
                                                         exchange
        action                      str                  buy or sell that leg; deprecated by the exchange
        ==========================  ===================  ================================================

    Raises
    ------
    InputError
        For arguments that make no sense; nothing is sent.
    NotFoundError
        If there is no market of any of the names.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> orders = kr.get_orders(kr.connect("sandbox"), status="resting")
    >>> orders.index.name, bool((orders["remaining_count"] > 0).all())
    ('order_id', True)
    """
    wanted = choice(status, ORDER_STATUSES, "status")
    question = Question.of(
        client,
        tickers,
        start,
        end,
        known_rows(newer_than, ORDERS, id_field="order_id", time="created_time"),
        max_rows=max_rows,
        cursor=cursor,
        params={"status": wanted, "subaccount": subaccount_of(subaccount)},
        keep=None if wanted is None else lambda row: row.get("status") == wanted,
        reaches_back=wanted != "resting",
    )
    return ask(client, _SOURCE, question, cursor=cursor, show_progress=progress)


def get_order(client: Client, order_id: str) -> pd.DataFrame:
    """One order as it is now, as long as it is in the live tier.

    Parameters
    ----------
    client : Client
    order_id : str
        As the exchange gave it when the order was created.

    Returns
    -------
    pandas.DataFrame
        One row, as `get_orders`.

    Raises
    ------
    NotFoundError
        If the live tier has no such order; `get_orders` asks the historical one too.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.get_order(kr.connect("sandbox"), "no-such-order")
    Traceback (most recent call last):
    ...
    kalshi_research.errors.NotFoundError: ...
    """
    check_client(client)
    if not isinstance(order_id, str) or not order_id.strip():
        raise InputError(f"order_id must be the id of an order, not {quoted(order_id, 60)}")
    rows = Collection(
        client, ORDERS, endpoint="/portfolio/orders/{order_id}", question={"order_id": order_id}
    )
    rows.add_one(f"/portfolio/orders/{order_id}", "order", "orders", "live")
    return rows.frame()
