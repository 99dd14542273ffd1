"""The portfolio panel: money, positions, orders, fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kalshi_research.panels.frame import Panel, button, line
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.portfolio_model import PortfolioModel
from kalshi_research.panels.views import Plain, Table

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["PortfolioPanel"]


def _columns(*labels: str) -> list[dict[str, str]]:
    """Columns: ``#`` is for numbers, ``=`` for one line, ``!`` for a button, ``<`` for needing room."""
    kinds, needs = {"#": "number", "=": "short", "!": "action"}, {1: "medium", 2: "wide"}
    made = []
    for label in labels:
        name = label.rstrip("<")
        column = {"label": name.lstrip("#=!"), "kind": kinds.get(name[:1], "text")}
        if name != label:
            column["from"] = needs[len(label) - len(name)]
        made.append(column)
    return made


_POSITIONS = _columns(
    "Market", "Yes means<", "#Held", "#Cost<", "#Bid", "#Mid<<",
    "#Sold now<<", "#Gain if sold", "#Gain at mid<<"
)  # fmt: skip
_ORDERS = _columns("Market", "=Order", "#Price", "#Filled<", "State<", "Placed by<", "!")
_FILLS = _columns("Time<", "Market", "Bought", "#Price", "#Contracts", "#Fee<", "As<<")
_LOST = _columns("Not accounted for", "Sent<", "Own id<<", "!")


class PortfolioPanel(Panel):
    """The account: money, positions at what they would bring now, resting orders, fills.

    Orders of earlier sessions are among those that rest; what is not known to have been placed is
    named and can be looked for.

    Parameters
    ----------
    client : Client
        With a key.

    Attributes
    ----------
    ticker : str
        The market of the position or order last clicked.
    model : PortfolioModel

    Examples
    --------
    >>> import kalshi_research as kr
    >>> panel = kr.PortfolioPanel(kr.connect("sandbox"))
    >>> panel.jobs.wait(60)
    True
    >>> panel.model.note
    ''
    >>> panel.close()
    """

    def __init__(self, client: Client) -> None:
        self.jobs = Jobs("portfolio")
        self.model = model = PortfolioModel(client, self.jobs)
        model.put_aside()
        super().__init__(client)
        again = button("Refresh", model.refresh, tip="Ask again")
        widgets.dlink((model, "busy"), (again, "disabled"))
        positions = self._table("positions", _POSITIONS, "Positions", "Nothing is held.")
        orders = self._table("orders", _ORDERS, "Resting orders", "No order rests.")
        fills = self._table("fills", _FILLS, "Fills", "Nothing was filled yet.")
        lost = self._table("lost", _LOST, "Orders not accounted for", "")
        orders.on_msg(lambda _, message, __: model.cancel(_key(message)))
        lost.on_msg(lambda _, message, __: model.seek(_key(message)))
        widgets.dlink((model, "lost"), (lost.layout, "display"), lambda rows: "" if rows else "none")
        for table, rows in ((positions, "positions"), (orders, "orders")):
            table.observe(lambda change, rows=rows: self._choose(rows, change["new"]), "selected")
        result = self._text("result")
        widgets.dlink((model, "result_kind"), (result, "role"), lambda kind: f"result {kind}")
        self.children = (
            line(self.badge, Plain("Portfolio", role="title"), self._text("state", "quiet"), again),
            self._text("summary", "number"),
            result,
            self._text("note", "warn"),
            lost,
            Plain("Positions", role="head"),
            positions,
            Plain("Resting orders", role="head"),
            orders,
            Plain("Fills", role="head"),
            fills,
            self._watch(model),
        )
        model.refresh()

    def _text(self, name: str, role: str = "") -> Plain:
        shown = Plain(role=role, live=name in ("note", "result"))
        widgets.dlink((self.model, name), (shown, "value"))
        return shown

    def _table(self, name: str, columns: list[dict[str, str]], label: str, empty: str) -> Table:
        table = Table(columns=columns, label=label, empty=empty, height="220px")
        widgets.dlink((self.model, name), (table, "rows"))
        table.add_class(f"kr-{name}")
        return table

    def _choose(self, rows: str, key: str) -> None:
        for row in getattr(self.model, rows):
            if row["key"] == key:
                self.ticker = row["cells"][0]

    def close(self) -> None:
        """Stop looking at the account and take the panel away."""
        self.model.close()
        super().close()


def _key(message: Any) -> str:
    return str(message.get("act", "")) if isinstance(message, dict) else ""
