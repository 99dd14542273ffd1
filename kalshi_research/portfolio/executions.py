"""One's own fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.errors import InputError, quoted
from kalshi_research.portfolio.walking import Question, Source, ask, known_rows, subaccount_of
from kalshi_research.schemas import FILLS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.market_data.arguments import Tickers, Time

__all__ = ["FILLS_SOURCE", "get_fills"]

FILLS_SOURCE = Source(
    FILLS,
    "/portfolio/fills",
    "fills",
    time="time",
    wire_time="created_time",
    old_path="/historical/fills",
    boundary="trades_created_ts",
)


def get_fills(
    client: Client,
    tickers: Tickers | None = None,
    *,
    order_id: str | None = None,
    start: Time | None = None,
    end: Time | None = None,
    subaccount: int | None = None,
    newer_than: str | Time | pd.DataFrame | None = None,
    max_rows: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """One's own fills, from both the live and the historical tier.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        Markets; a markets frame serves. None is all of them.
    order_id : str, optional
        The fills of one order.
    start, end : time, optional
        Execution time, `start` inclusive, `end` exclusive; see `get_trades`.
    subaccount : int, optional
        0 for the primary one; None is all.
    newer_than : fill id, time or frame of fills, optional
        Return only what came after it.
    max_rows : int, optional
        At most this many rows, the newest (market by market).
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Newest first, indexed by fill_id. An order may have several fills. A fill has no
        client_order_id: join `get_orders` on order_id.

        =================  ===================  ====================================================
        column             dtype                meaning
        =================  ===================  ====================================================
        fill_id            str                  index: identifier; the public trade carries the same
        time               datetime64[us, UTC]  execution, `created_time` [UTC]
        ticker             str                  market
        order_id           str                  order it belongs to
        outcome_side       str                  the leg it buys: yes or no; selling YES is buying NO
        yes_price          float64              price of the YES leg [dollars]
        no_price           float64              price of the NO leg [dollars]
        quantity           float64              traded; fractions allowed, `count_fp` [contracts]
        fee_cost           float64              fee paid [dollars]
        is_taker           boolean              took liquidity off the book
        subaccount_number  Int64                0 is the primary one
        exchange_index     Int64                shard the market lives on
        side               str                  leg of the old wording; deprecated by the exchange
        action             str                  buy or sell that leg; deprecated by the exchange
        =================  ===================  ====================================================

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
    >>> fills = kr.get_fills(kr.connect("sandbox"), start="2026-11-20")
    >>> fills.index.name, bool(fills["fee_cost"].sum() >= 0)
    ('fill_id', True)
    """
    if order_id is not None and (not isinstance(order_id, str) or not order_id.strip()):
        raise InputError(f"order_id must be the id of an order, not {quoted(order_id, 60)}")
    question = Question.of(
        client,
        tickers,
        start,
        end,
        known_rows(newer_than, FILLS, id_field="fill_id", time="time"),
        max_rows=max_rows,
        cursor=cursor,
        params={"order_id": order_id, "subaccount": subaccount_of(subaccount)},
        keep=None if order_id is None else lambda row: row.get("order_id") == order_id,
    )
    return ask(client, FILLS_SOURCE, question, cursor=cursor, show_progress=progress)
