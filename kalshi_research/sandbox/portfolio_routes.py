"""What a member owns: money, positions, fills, settlements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_research.money import MONEY_SCALE, PRICE_SCALE, fixed_text
from kalshi_research.sandbox.acting import act, subaccount_of, user_of
from kalshi_research.sandbox.instants import SECOND
from kalshi_research.sandbox.portfolio_views import (
    event_position_view,
    fill_view,
    position_view,
    settlement_view,
)
from kalshi_research.sandbox.queries import Query, cut_page
from kalshi_research.sandbox.refusals import bad_combination
from kalshi_research.sandbox.scopes import lock_of

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Fill, Holding
    from kalshi_research.sandbox.exchange import Exchange

__all__ = [
    "balance", "deposits", "fills", "historical_fills", "historical_positions", "positions",
    "settlements", "withdrawals",
]  # fmt: skip

Json = dict[str, Any]
_CENT = MONEY_SCALE // 100
_BALANCE, _POSITIONS = "GET /portfolio/balance", "GET /portfolio/positions"


def balance(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/balance."""
    user, subaccount = user_of(exchange, path), subaccount_of(query) or 0
    shard = query.integer("exchange_index", low=-1, high=3)
    parts = act(exchange, lambda engine: engine.balances(user, subaccount))
    if exchange.lag is not None:
        parts = exchange.lag.balances(_BALANCE, user, subaccount, parts)
    cash = sum(money for place, money in parts.items() if shard in (None, -1, place))
    view: Json = {
        "balance": cash // _CENT,
        "balance_dollars": _dollars(cash),
        "portfolio_value": _worth(exchange, user, subaccount, shard) // _CENT,
        "updated_ts": exchange.floor.now() // SECOND,
    }
    if lock_of(path) is None:
        view["balance_breakdown"] = [
            {"balance": _dollars(money), "exchange_index": place} for place, money in parts.items()
        ]
    return dict(sorted(view.items()))


def _dollars(money: int) -> str:
    return fixed_text(money // (MONEY_SCALE // PRICE_SCALE), PRICE_SCALE)


def _worth(exchange: Exchange, user: str, subaccount: int, shard: int | None) -> int:
    """The positions at the middle of the touch, at the last price where a side is empty."""
    total = 0
    for holding in _holdings(exchange, user, subaccount, _BALANCE):
        if holding.position and shard in (None, -1, holding.market.shard):
            state = exchange.world.state(holding.market.ticker)
            both = state.bid_size and state.ask_size
            doubled = state.bid + state.ask if both else 2 * state.last_price
            if holding.position < 0:
                doubled = 2 * PRICE_SCALE - doubled
            total += abs(holding.position) * doubled // 2
    return total


def _holdings(exchange: Exchange, user: str, subaccount: int, place: str) -> list[Holding]:
    found = act(
        exchange,
        lambda engine: [row for row in engine.holdings(user, subaccount) if row.volume],
    )
    if exchange.lag is None:
        return found
    return exchange.lag.holdings(place, user, subaccount, found)


def _positions(exchange: Exchange, query: Query, path: dict[str, str], *, old: bool) -> Json:
    limit, ticker = query.limit(100, 1, 1000), query.text("ticker")
    event, wanted = query.text("event_ticker"), query.names("count_filter")
    if "," in event or not set(wanted) <= {"position", "total_traded"}:
        raise bad_combination("one event_ticker, and position or total_traded as count_filter")
    state = query.choice("settlement_status", ("all", "settled", "unsettled")) or "unsettled"
    found = [
        row
        for row in _holdings(exchange, user_of(exchange, path), subaccount_of(query) or 0, _POSITIONS)
        if (not ticker or row.market.ticker == ticker)
        and (not event or row.market.event_ticker == event)
        and ("position" not in wanted or row.position)
        and _shown(row, "settled" if old else state)
        and (row.market.status == "finalized" and row.updated < exchange.cutoff.positions) == old
    ]
    found.sort(key=lambda row: (row.updated, row.market.ticker), reverse=True)
    page = cut_page(found, lambda row: (row.updated, row.market.ticker), query.text("cursor"), limit)
    events: dict[str, list[Holding]] = {}
    for row in page.rows:
        events.setdefault(row.market.event_ticker, []).append(row)
    return {
        "cursor": page.cursor,
        "event_positions": [event_position_view(name, rows) for name, rows in events.items()],
        "market_positions": [position_view(row) for row in page.rows],
    }


def _shown(row: Holding, state: str) -> bool:
    return state == "all" or (row.market.status == "finalized") == (state == "settled")


def positions(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/positions."""
    return _positions(exchange, query, path, old=False)


def historical_positions(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /historical/positions."""
    return _positions(exchange, query, path, old=True)


def _own_fills(exchange: Exchange, user: str) -> list[Fill]:
    found = act(exchange, lambda engine: list(engine.members[user].fills))
    return found if exchange.lag is None else exchange.lag.fills("GET /portfolio/fills", user, found)


def _fills(exchange: Exchange, query: Query, path: dict[str, str], *, old: bool) -> Json:
    limit, user = query.limit(100, 1, 1000), user_of(exchange, path)
    tickers, order_id, subaccount = query.names("ticker"), query.text("order_id"), subaccount_of(query)
    low, high, edge = query.integer("min_ts"), query.integer("max_ts"), exchange.cutoff.trades
    found = [
        (place, row)
        for place, row in enumerate(_own_fills(exchange, user))
        if (not tickers or row.order.market.ticker in tickers)
        and (not order_id or row.order.order_id == order_id)
        and (subaccount is None or row.order.wallet.number == subaccount)
        and (low is None or row.time >= low * SECOND)
        and (high is None or row.time <= high * SECOND)
        and (row.time < edge) == old
    ]
    found.reverse()
    page = cut_page(found, lambda item: (item[0], item[1].trade_id), query.text("cursor"), limit)
    return {"cursor": page.cursor, "fills": [fill_view(row) for _, row in page.rows]}


def fills(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/fills, newest first."""
    return _fills(exchange, query, path, old=False)


def historical_fills(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /historical/fills."""
    return _fills(exchange, query, path, old=True)


def settlements(exchange: Exchange, query: Query, path: dict[str, str]) -> Json:
    """GET /portfolio/settlements, newest first."""
    limit, user, subaccount = query.limit(100, 1, 1000), user_of(exchange, path), subaccount_of(query)
    ticker, event = query.text("ticker"), query.text("event_ticker")
    low, high = query.integer("min_ts"), query.integer("max_ts")
    found = [
        (place, row)
        for place, row in enumerate(act(exchange, lambda engine: list(engine.members[user].settlements)))
        if (not ticker or row.ticker == ticker)
        and (not event or row.event_ticker == event)
        and (subaccount is None or row.subaccount == subaccount)
        and (low is None or row.time >= low * SECOND)
        and (high is None or row.time <= high * SECOND)
    ]
    found.reverse()
    page = cut_page(found, lambda item: (item[0], item[1].ticker), query.text("cursor"), limit)
    markets = exchange.world.markets
    return {
        "cursor": page.cursor,
        "settlements": [
            settlement_view(row, markets[row.ticker].event.series.shard) for _, row in page.rows
        ],
    }


def deposits(_: Exchange, query: Query, __: dict[str, str]) -> Json:
    """GET /portfolio/deposits: the money was there from the start."""
    query.limit(100, 1, 500)
    return {"cursor": "", "deposits": []}


def withdrawals(_: Exchange, query: Query, __: dict[str, str]) -> Json:
    """GET /portfolio/withdrawals: there is nowhere to withdraw to."""
    query.limit(100, 1, 500)
    return {"cursor": "", "withdrawals": []}
