"""Analysis of trades: the tape, the orders behind it, bars, quotes, fees; and of one's own trading.

Most functions take a frame of trades as `get_trades` and `read_trades` make it, of one market
or of many, in any order, and work on prices and quantities as integers. Trades come back in
the order of execution (see `tape_order`), and every result keeps the ``attrs`` of its trades.
`pnl` and its kin take the frames of one's own fills and settlements in the same way.
"""

from __future__ import annotations

from kalshi_research.analysis.bars import time_bars, trade_bars, volume_bars
from kalshi_research.analysis.classification import classification_accuracy, quote_rule, tick_rule
from kalshi_research.analysis.fee_terms import market_fee_terms
from kalshi_research.analysis.fees import trading_fees
from kalshi_research.analysis.performance import equity_curve, pnl, reconcile_pnl
from kalshi_research.analysis.performance_marks import mark_positions
from kalshi_research.analysis.performance_roles import maker_taker
from kalshi_research.analysis.tape import parent_orders, tape_order
from kalshi_research.analysis.trade_quotes import join_quotes, stream_times

__all__ = [
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
]
