"""What orders, fills, positions and settlements look like on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE, fixed_text
from kalshi_research.sandbox.instants import SECOND, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kalshi_research.sandbox.engine import Fill, Holding, Order, Settlement

__all__ = [
    "count",
    "event_position_view",
    "fill_view",
    "money",
    "order_view",
    "position_view",
    "settlement_view",
]

Json = dict[str, Any]


def count(value: int) -> str:
    """Contracts with two decimals, signed where they are a position.

    Examples
    --------
    >>> count(-150)
    '-1.50'
    """
    return fixed_text(value, COUNT_SCALE)


def money(value: int) -> str:
    """Dollars with six decimals.

    Examples
    --------
    >>> money(17500)
    '0.017500'
    """
    return fixed_text(value, MONEY_SCALE)


def _price(value: int) -> str:
    return fixed_text(value, PRICE_SCALE)


def _direction(is_bid: bool) -> Json:
    """The new words and the old ones: an ask reads as a sale of YES."""
    return {
        "action": "buy" if is_bid else "sell",
        "book_side": "bid" if is_bid else "ask",
        "outcome_side": "yes" if is_bid else "no",
        "side": "yes",
    }


def order_view(order: Order) -> Json:
    """An order as it is now."""
    view = _direction(order.is_bid) | {
        "client_order_id": order.client_order_id,
        "created_time": iso(order.created),
        "exchange_index": order.market.shard,
        "fill_count_fp": count(order.filled),
        "initial_count_fp": count(order.initial),
        "last_update_time": iso(order.updated),
        "maker_fees_dollars": money(order.maker_fees),
        "maker_fill_cost_dollars": money(order.maker_cost),
        "no_price_dollars": _price(PRICE_SCALE - order.price),
        "order_id": order.order_id,
        "remaining_count_fp": count(order.remaining),
        "self_trade_prevention_type": order.self_trade,
        "status": order.status,
        "subaccount_number": order.wallet.number,
        "taker_fees_dollars": money(order.taker_fees),
        "taker_fill_cost_dollars": money(order.taker_cost),
        "ticker": order.market.ticker,
        "type": "limit",
        "user_id": order.wallet.member.user,
        "yes_price_dollars": _price(order.price),
    }
    if order.expiration:
        view["expiration_time"] = iso(order.expiration)
    if order.group is not None:
        view["order_group_id"] = order.group.group_id
    if order.cancel_on_pause:
        view["cancel_order_on_pause"] = True
    return dict(sorted(view.items()))


def fill_view(fill: Fill) -> Json:
    """One's own half of a trade."""
    order = fill.order
    view = _direction(order.is_bid) | {
        "count_fp": count(fill.count),
        "created_time": iso(fill.time),
        "exchange_index": order.market.shard,
        "fee_cost": money(fill.fee),
        "fill_id": fill.trade_id,
        "is_taker": fill.is_taker,
        "market_ticker": order.market.ticker,
        "no_price_dollars": _price(PRICE_SCALE - fill.price),
        "order_id": order.order_id,
        "subaccount_number": order.wallet.number,
        "ticker": order.market.ticker,
        "trade_id": fill.trade_id,
        "ts": fill.time // SECOND,
        "yes_price_dollars": _price(fill.price),
    }
    return dict(sorted(view.items()))


def position_view(holding: Holding) -> Json:
    """A position in one market."""
    return {
        "exchange_index": holding.market.shard,
        "fees_paid_dollars": money(holding.fees),
        "last_updated_ts": iso(holding.updated),
        "market_exposure_dollars": money(holding.cost),
        "position_fp": count(holding.position),
        "realized_pnl_dollars": money(holding.realised),
        "ticker": holding.market.ticker,
        "total_traded_dollars": money(holding.traded),
    }


def event_position_view(ticker: str, holdings: Sequence[Holding]) -> Json:
    """The positions in the markets of one event, in sum."""
    return {
        "event_exposure_dollars": money(sum(row.cost for row in holdings)),
        "event_ticker": ticker,
        "fees_paid_dollars": money(sum(row.fees for row in holdings)),
        "realized_pnl_dollars": money(sum(row.realised for row in holdings)),
        "total_cost_dollars": money(sum(row.traded for row in holdings)),
        "total_cost_shares_fp": count(sum(row.volume for row in holdings)),
    }


def settlement_view(row: Settlement, shard: int) -> Json:
    """A payout; revenue and value are cents."""
    return {
        "event_ticker": row.event_ticker,
        "exchange_index": shard,
        "fee_cost": money(row.fees),
        "market_result": row.result,
        "no_count_fp": count(row.no_count),
        "no_total_cost_dollars": money(row.no_cost),
        "revenue": row.revenue // (MONEY_SCALE // 100),
        "settled_time": iso(row.time),
        "ticker": row.ticker,
        "value": row.value // (PRICE_SCALE // 100),
        "yes_count_fp": count(row.yes_count),
        "yes_total_cost_dollars": money(row.yes_cost),
    }
