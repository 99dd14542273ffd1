"""A market: its terms, its state and its book."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from kalshi_research.fees import FeeTerms
from kalshi_research.money import PRICE_SCALE, PriceGrid
from kalshi_research.sandbox.engine.book import BookSide

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.accounts import Holding, Wallet
    from kalshi_research.sandbox.engine.events import Trade

__all__ = ["LINEAR_CENT", "Market", "MarketSpec", "MarketStatus", "Result"]

MarketStatus = Literal[
    "initialized", "inactive", "active", "closed", "determined", "disputed", "amended", "finalized"
]
Result = Literal["", "yes", "no", "scalar"]

LINEAR_CENT = PriceGrid(((0, PRICE_SCALE, PRICE_SCALE // 100),))
"""Whole cents."""

_NOTHING = (0, 1)


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """The terms of a market.

    Attributes
    ----------
    ticker, event_ticker : str
    open_time, close_time : int
        [µs since 1970]
    grid : PriceGrid
    fees : FeeTerms
    fee_waiver_until : int
        [µs], 0 for none.
    settlement_timer : int
        From determination to payout [µs].
    can_close_early : bool
    shard : int
    """

    ticker: str
    event_ticker: str
    open_time: int
    close_time: int
    grid: PriceGrid = LINEAR_CENT
    fees: FeeTerms = field(default_factory=FeeTerms)
    fee_waiver_until: int = 0
    settlement_timer: int = 60_000_000
    can_close_early: bool = True
    shard: int = 0


class Market:
    """One market. To be read, not changed, from outside the engine.

    Attributes
    ----------
    ticker, event_ticker, shard : str, str, int
    spec : MarketSpec
        As it was created; `grid`, `close_time` and `fees` may have changed since.
    status : str
    result : {"", "yes", "no", "scalar"}
    value : int or None
        Payout of one YES [1/10 000 dollar], once determined.
    bids, asks : BookSide
    volume, open_interest : int
        [1/100 contract]
    dollar_volume : int
        YES price × count over all trades [1/1 000 000 dollar].
    last_price : int
        [1/10 000 dollar]; 0 until the first trade.
    last_size : int
        Of the last trade [1/100 contract].
    quoted : bool
        Whether an order ever rested in it.
    clock : int
        Of the last change of its book; 0 until the first.
    trades : list of Trade
        Oldest first.
    floor : int
        Lowest value at which YES can settle [1/10 000 dollar].
    determined_time, settled_time : int
        [µs], 0 until then.
    decisions : int
        How often a result was set.
    holdings : dict of Wallet to Holding
    """

    __slots__ = (
        "allowed",
        "asks",
        "bids",
        "clock",
        "close_time",
        "decisions",
        "determined_time",
        "dollar_volume",
        "event_ticker",
        "fees",
        "floor",
        "grid",
        "holdings",
        "last_price",
        "last_size",
        "maker_ratio",
        "open_interest",
        "quoted",
        "result",
        "settled_time",
        "shard",
        "spec",
        "status",
        "taker_ratio",
        "ticker",
        "trades",
        "value",
        "volume",
    )

    def __init__(self, spec: MarketSpec) -> None:
        self.spec = spec
        self.ticker = spec.ticker
        self.event_ticker = spec.event_ticker
        self.shard = spec.shard
        self.close_time = spec.close_time
        self.status: MarketStatus = "initialized"
        self.result: Result = ""
        self.value: int | None = None
        self.bids = BookSide(1)
        self.asks = BookSide(-1)
        self.holdings: dict[Wallet, Holding] = {}
        self.trades: list[Trade] = []
        self.volume = self.open_interest = self.dollar_volume = 0
        self.last_price = self.last_size = self.clock = self.floor = 0
        self.determined_time = self.settled_time = self.decisions = 0
        self.quoted = False
        self.set_grid(spec.grid)
        self.set_fees(spec.fees)

    def set_grid(self, grid: PriceGrid) -> None:
        """Change the prices at which orders are taken; resting orders stay."""
        self.grid = grid
        self.allowed = _prices(grid)

    def set_fees(self, terms: FeeTerms, *, waived: bool = False) -> None:
        """Change what fills are charged from now on."""
        self.fees = terms
        self.taker_ratio = _NOTHING if waived else terms.ratio("taker")
        self.maker_ratio = _NOTHING if waived else terms.ratio("maker")


@lru_cache(maxsize=64)
def _prices(grid: PriceGrid) -> frozenset[int]:
    return frozenset(grid.prices())
