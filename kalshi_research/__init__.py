"""Kalshi event-contract markets as pandas DataFrames: books, trades, plots, and a simulated exchange.

>>> import kalshi_research as kr
>>> client = kr.connect("sandbox")                     # or "demo", "prod"
>>> markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")
>>> book = kr.get_orderbook(client, markets.index[0])
>>> list(kr.quotes(book)[["yes_bid", "yes_ask", "spread"]])
['yes_bid', 'yes_ask', 'spread']

The verb tells the cost: ``get_x`` asks the exchange, ``read_x`` and ``write_x`` use the
disk, a noun is pure, ``plot_x`` draws. Importing the package touches no network and no
disk beyond its own files; the heavy parts are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalshi_research import errors
    from kalshi_research.analysis import (
        classification_accuracy,
        equity_curve,
        join_quotes,
        maker_taker,
        mark_positions,
        market_fee_terms,
        parent_orders,
        pnl,
        quote_rule,
        reconcile_pnl,
        stream_times,
        tape_order,
        tick_rule,
        time_bars,
        trade_bars,
        trading_fees,
        volume_bars,
    )
    from kalshi_research.analysis.microstructure import (
        depth_resilience,
        effective_spread,
        glosten_harris,
        impact_curve,
        kyle_lambda,
        ofi_regression,
        order_flow_imbalance,
        quoted_spread,
        roll_spread,
        spread_decomposition,
        trade_spreads,
        volatility_signature,
        vpin,
    )
    from kalshi_research.book import (
        book_notional,
        cumulative,
        depth_curve,
        depth_within,
        fill_cost,
        imbalance,
        microprice,
        no_view,
        quotes,
        spread,
    )
    from kalshi_research.client import Client, connect
    from kalshi_research.datasets import dataset_names, load_dataset
    from kalshi_research.environments import start_sandbox
    from kalshi_research.errors import KalshiError
    from kalshi_research.fees import (
        FeeTerms,
        break_even_price,
        round_trip_cost,
        trading_fee,
    )
    from kalshi_research.files import (
        read_candlesticks,
        read_events,
        read_markets,
        read_orderbook,
        read_orderbooks,
        read_series,
        read_trades,
        write_candlesticks,
        write_events,
        write_markets,
        write_orderbooks,
        write_series,
        write_trades,
    )
    from kalshi_research.market_data import (
        get_candlesticks,
        get_event,
        get_events,
        get_exchange_schedule,
        get_exchange_status,
        get_market,
        get_markets,
        get_orderbook,
        get_orderbooks,
        get_series,
        get_trades,
        search_markets,
    )
    from kalshi_research.plotting import (
        drawn,
        plot_candlesticks,
        plot_depth,
        plot_depth_history,
        plot_fee_curve,
        plot_ladder,
        plot_pnl,
        plot_price,
        plot_slippage,
        plot_spreads,
    )
    from kalshi_research.portfolio import (
        get_account_limits,
        get_api_keys,
        get_balance,
        get_deposits,
        get_event_positions,
        get_fills,
        get_order,
        get_orders,
        get_portfolio_history,
        get_positions,
        get_settlements,
        get_withdrawals,
    )
    from kalshi_research.provenance import source_line
    from kalshi_research.report import write_report
    from kalshi_research.streaming import (
        replay_book,
    )
    from kalshi_research.trading import OrderTicket

__version__ = "0.1.0"

_HOME = {
    "analysis": (
        "classification_accuracy",
        "equity_curve",
        "join_quotes",
        "maker_taker",
        "mark_positions",
        "market_fee_terms",
        "parent_orders",
        "pnl",
        "quote_rule",
        "reconcile_pnl",
        "stream_times",
        "tape_order",
        "tick_rule",
        "time_bars",
        "trade_bars",
        "trading_fees",
        "volume_bars",
    ),
    "analysis.microstructure": (
        "depth_resilience",
        "effective_spread",
        "glosten_harris",
        "impact_curve",
        "kyle_lambda",
        "ofi_regression",
        "order_flow_imbalance",
        "quoted_spread",
        "roll_spread",
        "spread_decomposition",
        "trade_spreads",
        "volatility_signature",
        "vpin",
    ),
    "fees": (
        "FeeTerms",
        "break_even_price",
        "round_trip_cost",
        "trading_fee",
    ),
    "streaming": ("replay_book",),
    "book": (
        "book_notional",
        "cumulative",
        "depth_curve",
        "depth_within",
        "fill_cost",
        "imbalance",
        "microprice",
        "no_view",
        "quotes",
        "spread",
    ),
    "client": ("Client", "connect"),
    "datasets": ("dataset_names", "load_dataset"),
    "environments": ("start_sandbox",),
    "errors": ("KalshiError",),
    "files": (
        "read_candlesticks",
        "read_events",
        "read_markets",
        "read_orderbook",
        "read_orderbooks",
        "read_series",
        "read_trades",
        "write_candlesticks",
        "write_events",
        "write_markets",
        "write_orderbooks",
        "write_series",
        "write_trades",
    ),
    "market_data": (
        "get_candlesticks",
        "get_event",
        "get_events",
        "get_exchange_schedule",
        "get_exchange_status",
        "get_market",
        "get_markets",
        "get_orderbook",
        "get_orderbooks",
        "get_series",
        "get_trades",
        "search_markets",
    ),
    "plotting": (
        "drawn",
        "plot_candlesticks",
        "plot_depth",
        "plot_depth_history",
        "plot_fee_curve",
        "plot_ladder",
        "plot_pnl",
        "plot_price",
        "plot_slippage",
        "plot_spreads",
    ),
    "portfolio": (
        "get_account_limits",
        "get_api_keys",
        "get_balance",
        "get_deposits",
        "get_event_positions",
        "get_fills",
        "get_order",
        "get_orders",
        "get_portfolio_history",
        "get_positions",
        "get_settlements",
        "get_withdrawals",
    ),
    "provenance": ("source_line",),
    "report": ("write_report",),
    "trading": ("OrderTicket",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Client",
    "FeeTerms",
    "KalshiError",
    "OrderTicket",
    "book_notional",
    "break_even_price",
    "classification_accuracy",
    "connect",
    "cumulative",
    "dataset_names",
    "depth_curve",
    "depth_resilience",
    "depth_within",
    "drawn",
    "effective_spread",
    "equity_curve",
    "errors",
    "fill_cost",
    "get_account_limits",
    "get_api_keys",
    "get_balance",
    "get_candlesticks",
    "get_deposits",
    "get_event",
    "get_event_positions",
    "get_events",
    "get_exchange_schedule",
    "get_exchange_status",
    "get_fills",
    "get_market",
    "get_markets",
    "get_order",
    "get_orderbook",
    "get_orderbooks",
    "get_orders",
    "get_portfolio_history",
    "get_positions",
    "get_series",
    "get_settlements",
    "get_trades",
    "get_withdrawals",
    "glosten_harris",
    "imbalance",
    "impact_curve",
    "join_quotes",
    "kyle_lambda",
    "load_dataset",
    "maker_taker",
    "mark_positions",
    "market_fee_terms",
    "microprice",
    "no_view",
    "ofi_regression",
    "order_flow_imbalance",
    "parent_orders",
    "plot_candlesticks",
    "plot_depth",
    "plot_depth_history",
    "plot_fee_curve",
    "plot_ladder",
    "plot_pnl",
    "plot_price",
    "plot_slippage",
    "plot_spreads",
    "pnl",
    "quote_rule",
    "quoted_spread",
    "quotes",
    "read_candlesticks",
    "read_events",
    "read_markets",
    "read_orderbook",
    "read_orderbooks",
    "read_series",
    "read_trades",
    "reconcile_pnl",
    "replay_book",
    "roll_spread",
    "round_trip_cost",
    "search_markets",
    "source_line",
    "spread",
    "spread_decomposition",
    "start_sandbox",
    "stream_times",
    "tape_order",
    "tick_rule",
    "time_bars",
    "trade_bars",
    "trade_spreads",
    "trading_fee",
    "trading_fees",
    "volatility_signature",
    "volume_bars",
    "vpin",
    "write_candlesticks",
    "write_events",
    "write_markets",
    "write_orderbooks",
    "write_report",
    "write_series",
    "write_trades",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name == "errors":
        return import_module("kalshi_research.errors")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kalshi_research' has no attribute {name!r}")
    value = getattr(import_module(f"kalshi_research.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
