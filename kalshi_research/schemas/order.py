"""One's own orders."""

from __future__ import annotations

from kalshi_research.schemas.columns import Column, amount, contracts, dollars, moment
from kalshi_research.schemas.direction import ACTION, OUTCOME_SIDE, SIDE, with_outcome_side
from kalshi_research.schemas.plan import ListOf
from kalshi_research.schemas.schema import Schema

__all__ = ["ORDERS", "ORDER_STATUSES"]

ORDER_STATUSES = ("resting", "canceled", "executed")
"""The states of an order, in the spelling of the exchange."""

ORDERS = Schema(
    kind="orders",
    version=1,
    items="orders",
    page=ListOf("orders", single="order"),
    index="order_id",
    key=("order_id",),
    finish=with_outcome_side,
    columns=(
        Column("order_id", "text", "identifier", ("order_id",), need="required"),
        Column(
            "client_order_id", "text", "identifier of one's own", ("client_order_id",), need="promised"
        ),
        Column("ticker", "text", "market", ("ticker",), need="required"),
        Column(
            "status",
            "text",
            "resting, canceled or executed",
            ("status",),
            need="required",
            known=ORDER_STATUSES,
        ),
        OUTCOME_SIDE,
        dollars("yes_price", "limit on the YES leg", "required"),
        dollars("no_price", "limit on the NO leg", "required"),
        contracts("initial_count", "ordered at first", "promised"),
        contracts("fill_count", "filled so far", "promised"),
        contracts("remaining_count", "still resting; 0 once it is finished", "required"),
        amount("taker_fill_cost", "paid for what it took, without fees", "promised"),
        amount("maker_fill_cost", "paid for what it made, without fees", "promised"),
        amount("taker_fees", "fees of what it took", "promised"),
        amount("maker_fees", "fees of what it made", "promised"),
        moment("created_time", "acceptance"),
        moment("last_update_time", "last fill, amendment or cancellation"),
        moment("expiration_time", "when it is cancelled by itself"),
        Column(
            "self_trade_prevention_type",
            "text",
            "which order goes when it meets one of its owner: taker_at_cross or maker",
            ("self_trade_prevention_type",),
            known=("taker_at_cross", "maker"),
        ),
        Column("order_group_id", "text", "order group it is in", ("order_group_id",)),
        Column(
            "cancel_order_on_pause",
            "flag",
            "a pause cancels it",
            ("cancel_order_on_pause",),
        ),
        Column("subaccount_number", "integer", "0 is the primary one", ("subaccount_number",)),
        Column("exchange_index", "integer", "shard the market lives on", ("exchange_index",)),
        Column("type", "text", "limit or market", ("type",), need="promised", known=("limit", "market")),
        SIDE,
        ACTION,
    ),
    ignored={
        "user_id": "the owner of the key that asked; left out of what is kept and shared",
        "book_side": "says the same as outcome_side: bid is yes, ask is no",
    },
    ignored_old={
        "price": "repeats the price of one leg",
        "price_dollars": "repeats the price of one leg",
        "count": "size as sent; initial_count says the same",
        "place_count": "contracts placed at first: initial_count",
        "maker_fill_count": "part of fill_count",
        "taker_fill_count": "part of fill_count",
        "queue_position": "always zero for long, then removed",
        "decrease_count": "kept by the exchange of that time only",
        "amend_count": "kept by the exchange of that time only",
        "amend_taker_fill_count": "kept by the exchange of that time only",
        "fcc_cancel_count": "kept by the exchange of that time only",
        "close_cancel_count": "kept by the exchange of that time only",
        "taker_self_trade_cancel_count": "kept by the exchange of that time only",
    },
)
