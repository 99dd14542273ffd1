"""The desk: all panels on one market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kalshi_research.errors import InputError
from kalshi_research.panels.book_panel import BookPanel
from kalshi_research.panels.frame import Panel, line
from kalshi_research.panels.market_browser import MarketBrowser
from kalshi_research.panels.order_panel import OrderPanel
from kalshi_research.panels.portfolio_panel import PortfolioPanel
from kalshi_research.panels.views import Plain

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["Desk"]


class Desk(Panel):
    """Find a market, watch its book, write an order, see what became of it.

    A market chosen in the list, or a position clicked, is the market of all panels. A click on a
    price of the book writes it into the order; nothing is sent before *Preview* and *Confirm*.

    Parameters
    ----------
    client : Client
        With a key; without one it shows markets and books only.
    ticker : str
        May be chosen later.

    Attributes
    ----------
    ticker : str
        The market that all panels show.
    browser : MarketBrowser
    book : BookPanel
    order : OrderPanel
    portfolio : PortfolioPanel

    Examples
    --------
    >>> import kalshi_research as kr
    >>> desk = kr.Desk(kr.connect("sandbox"))
    >>> desk.ticker = "KXHIGHNY-26NOV21-B46.5"
    >>> desk.order.ticker, desk.book.ticker
    ('KXHIGHNY-26NOV21-B46.5', 'KXHIGHNY-26NOV21-B46.5')
    >>> desk.close()
    """

    def __init__(self, client: Client, ticker: str = "") -> None:
        super().__init__(client)
        self.browser = MarketBrowser(client, height="230px")
        self.book = BookPanel(client)
        self.book.trades.height = "170px"
        self.order = OrderPanel(client)
        self.portfolio = PortfolioPanel(client)
        for panel in (self.browser, self.book, self.portfolio):
            panel.badge.layout.display = "none"  # the desk has one, and the order another
            widgets.link((self, "ticker"), (panel, "ticker"))
        widgets.link((self, "ticker"), (self.order, "ticker"))
        self.book.observe(self._pick, "picked")
        self.order.model.observe(lambda _: self._ordered(), "result")
        self.portfolio.model.observe(lambda _: self.order.model.look(), "result")
        sides = widgets.HBox(
            [_pane(self.book, 3, "360px"), _pane(self.order, 3, "360px")],
            layout=widgets.Layout(flex_flow="row wrap", grid_gap="16px", width="100%"),
        )
        hint = "Choose a market; a click on a price of its book writes it into the order."
        self.children = (
            line(self.badge, Plain(hint, role="quiet hint")),
            self.browser,
            sides,
            self.portfolio,
        )
        self.layout.grid_gap = "14px"
        self.ticker = ticker

    def _shown(self) -> None:
        for panel in (self.book, self.order, self.portfolio):
            panel._shown()  # noqa: SLF001 - its own kind

    def _pick(self, change: Any) -> None:
        picked = change["new"]
        if not picked:
            return
        try:
            self.order.model.pick(picked["price"])
        except InputError as error:
            self.order.model.note = str(error)

    def _ordered(self) -> None:
        if self.order.model.result:
            self.portfolio.model.refresh()
            self.book.model.refresh_own()

    def close(self) -> None:
        """Stop everything and take the desk away."""
        for panel in (self.browser, self.book, self.order, self.portfolio):
            panel.close()
        super().close()


def _pane(panel: widgets.Widget, grow: int, least: str) -> widgets.Box:
    """A place beside others, which has a line of its own where there is no room."""
    return widgets.Box([panel], layout=widgets.Layout(flex=f"{grow} 1 {least}", min_width="0"))
