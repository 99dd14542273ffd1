"""The book panel: a ladder that moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import traitlets

from kalshi_research.panels.book_model import BookModel
from kalshi_research.panels.frame import Panel, line
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.views import Ladder, Plain, Table

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.streaming import Stream

__all__ = ["BookPanel"]

_TRADES = [
    {"label": "Time (UTC)", "kind": "short"},
    {"label": "Taker", "kind": "short"},
    {"label": "YES price", "kind": "number"},
    {"label": "Contracts", "kind": "number"},
]


class BookPanel(Panel):
    """One order book as it moves, with your own orders in it and the last trades beside it.

    The bids are YES bids; the asks are implied by NO bids. What is not proven to be current is
    greyed, without numbers, and says why.

    Parameters
    ----------
    source : Client or Stream
        A client with a key opens a stream of its own; a stream is shared.
    ticker : str
        May be set later: link it to a `MarketBrowser`.
    depth : int
        Levels of each side.
    rate : float
        How often it is drawn at most [1/s].

    Attributes
    ----------
    ticker : str
    picked : dict
        The price last clicked: ``price`` (of the YES contract) and ``side`` of the level.
    model : BookModel
    trades : Table

    Examples
    --------
    >>> import kalshi_research as kr
    >>> panel = kr.BookPanel(kr.connect("sandbox"))
    >>> panel.model.state
    'no market chosen'
    """

    picked: traitlets.Dict[str, Any] = traitlets.Dict()

    def __init__(
        self, source: Client | Stream, ticker: str = "", *, depth: int = 8, rate: float = 30.0
    ) -> None:
        self.jobs = Jobs("book")
        self.model = model = BookModel(source, self.jobs, depth=depth, rate=rate)
        ladder = Ladder(heads=["YES bids", "Price", "YES asks (NO bids)"])
        self.trades = trades = Table(columns=_TRADES, label="Last trades", empty="", height="440px")
        market, top = Plain(role="title"), Plain(role="number")
        state, note = Plain(role="quiet"), Plain(role="warn", live=True)
        widgets.dlink((model, "book"), (ladder, "book"))
        widgets.dlink((model, "trades"), (trades, "rows"))
        widgets.dlink((model, "untraded"), (trades, "empty"))
        widgets.dlink((model, "ticker"), (market, "value"))
        widgets.dlink((model, "top"), (top, "value"))
        widgets.dlink((model, "state"), (state, "value"))
        # The age of a book that is live changes every second, and nobody wants to hear of that.
        widgets.dlink((model, "state"), (state, "live"), lambda words: not words.startswith("live"))
        widgets.dlink((model, "note"), (note, "value"))
        widgets.dlink((model, "ticker"), (ladder, "label"), lambda name: f"Order book of {name}")
        ladder.on_msg(self._pick)
        super().__init__(model.client)
        sides = widgets.HBox(
            [
                widgets.Box([ladder], layout=widgets.Layout(flex="3 1 320px", min_width="0")),
                widgets.Box([trades], layout=widgets.Layout(flex="2 1 330px", min_width="0")),
            ],
            layout=widgets.Layout(flex_flow="row wrap", grid_gap="8px", width="100%"),
        )
        self.children = (line(self.badge, market, top, state), sides, note, self._watch(model))
        widgets.link((self, "ticker"), (model, "ticker"))
        self.ticker = ticker

    def _pick(self, _: Any, message: Any, __: Any) -> None:
        if isinstance(message, dict) and message.get("side") in ("bid", "ask"):
            self.picked = {}
            self.picked = {"price": str(message.get("price", "")), "side": message["side"]}

    def close(self) -> None:
        """Stop following the market and take the panel away."""
        self.model.close()
        super().close()
