"""The market browser: from series over events to one market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kalshi_research.panels.browser_model import STATUSES, BrowserModel
from kalshi_research.panels.frame import Panel, button, line
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.views import Link, Plain, Table

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["MarketBrowser"]

_EMPTY = {
    "series": "No series has these words.",
    "events": "No event with this status has these words.",
    "markets": "No market has these words.",
}


class MarketBrowser(Panel):
    """Find a market: series, their events, their markets, or words of any market.

    Parameters
    ----------
    client : Client
    height : str
        Of the table, as CSS has it.

    Attributes
    ----------
    ticker : str
        The market chosen; empty before. Link it to other panels.
    model : BrowserModel

    Examples
    --------
    >>> import kalshi_research as kr
    >>> browser = kr.MarketBrowser(kr.connect("sandbox"))
    >>> browser.model.level
    'series'
    """

    def __init__(self, client: Client, *, height: str = "340px") -> None:
        self.jobs = Jobs("browser")
        self.model = model = BrowserModel(client, self.jobs)
        words = widgets.Text(
            description="Find",
            placeholder="Words of a title or ticker",
            continuous_update=True,
            style={"description_width": "initial"},
            layout=widgets.Layout(flex="1 1 220px", width="auto"),
        )
        status = widgets.Dropdown(
            description="Status",
            options=STATUSES,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="auto"),
        )
        table = Table(height=height, label="Markets")
        top = button("All series", lambda: model.go(()), tip="Back to the list of series")
        up = button("Up", lambda: model.go(model.place[:-1]), tip="One level up")
        again = button("Refresh", model.refresh, tip="Ask again")
        where, note, halted = (
            Plain(role="quiet"),
            Plain(role="warn", live=True),
            Plain(role="warn", live=True),
        )
        page = Link(text="Page on kalshi.com")
        widgets.link((model, "query"), (words, "value"))
        widgets.link((model, "status"), (status, "value"))
        widgets.dlink((model, "columns"), (table, "columns"))
        widgets.dlink((model, "rows"), (table, "rows"))
        widgets.dlink((model, "level"), (table, "empty"), _EMPTY.__getitem__)
        widgets.dlink((model, "note"), (note, "value"))
        widgets.dlink((model, "halted"), (halted, "value"))
        widgets.dlink((model, "place"), (up, "disabled"), lambda place: not place)
        widgets.dlink((model, "busy"), (again, "disabled"))
        everywhere = button(
            "Search all markets", model.search, tip="Look for these words in the markets of all series"
        )
        widgets.dlink((model, "query"), (everywhere, "disabled"), lambda query: not query.strip())

        def placed(_: Any = None) -> None:
            steps = " › ".join(("All series", *model.place))
            where.value = f"{steps} · asking the exchange…" if model.busy else steps
            page.href = model.page

        model.observe(placed, ["place", "busy", "ticker", "rows"])
        table.observe(lambda change: model.open(change["new"]) if change["new"] else None, "selected")
        model.observe(lambda _: table.set_trait("selected", model.ticker), ["level", "place"])
        super().__init__(client)
        widgets.link((model, "ticker"), (self, "ticker"))
        self.children = (
            line(self.badge, where, page),
            line(words, everywhere, status, top, up, again),
            halted,
            table,
            note,
        )
        placed()
        model.refresh()
