"""The order panel: write an order, look at it, confirm it once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kalshi_research.panels.frame import Panel, button, line
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.order_model import EXPIRIES, OrderModel
from kalshi_research.panels.views import Plain, Table

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["OrderPanel"]

_ORDERS = [
    {"label": "Order", "kind": "text"},
    {"label": "Price", "kind": "number"},
    {"label": "Filled", "kind": "number"},
    {"label": "State", "kind": "text"},
    {"label": "", "kind": "action"},
]
_FORCES = {
    "rest until filled": "good_till_canceled",
    "fill now, cancel the rest": "immediate_or_cancel",
    "fill all now or nothing": "fill_or_kill",
}


class OrderPanel(Panel):
    """Place an order in two steps: *Preview* shows what would be sent, *Confirm* sends it once.

    Any edit, and any move of the market that changes what you saw, takes the preview back.
    ``prod`` stays locked until `arm` was called in this kernel.

    Parameters
    ----------
    client : Client
        With a key.
    ticker : str
        May be set later: link it to a `MarketBrowser`.

    Attributes
    ----------
    ticker : str
    model : OrderModel
        Its `ticket` is the order being written.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> panel = kr.OrderPanel(kr.connect("sandbox"))
    >>> panel.model.stage
    'editing'
    """

    def __init__(self, client: Client, ticker: str = "") -> None:
        self.jobs = Jobs("orders")
        self.model = OrderModel(client, self.jobs)
        super().__init__(client)
        self.children = (
            line(self.badge, self._text("ticker", "title"), self._text("title")),
            self._text("touch", "number quiet"),
            self._text("locked", "warn"),
            self._form(),
            self._text("preview", "number"),
            self._text("blockers", "quiet"),
            self._buttons(),
            self._result(),
            self._text("note", "warn"),
            self._resting(),
        )
        self._view_count = 0
        widgets.dlink((self, "_view_count"), (self.model, "views"))
        widgets.link((self, "ticker"), (self.model, "ticker"))
        self.ticker = ticker

    def close(self) -> None:
        """Stop looking at the market and take the panel away."""
        self.model.close()
        super().close()

    def _text(self, name: str, role: str = "") -> Plain:
        shown = Plain(role=role, live="warn" in role)
        widgets.dlink((self.model, name), (shown, "value"))
        return shown

    def _form(self) -> widgets.Widget:
        ticket = self.model.ticket
        action = widgets.ToggleButtons(options=("buy", "sell"), style={"button_width": "58px"})
        outcome = widgets.ToggleButtons(
            options=(("YES", "yes"), ("NO", "no")), style={"button_width": "58px"}
        )
        quantity = _field("Contracts")
        price = _field("Price $")
        force = widgets.Dropdown(options=tuple(_FORCES.items()), layout=widgets.Layout(width="190px"))
        expiry = widgets.Dropdown(
            options=tuple(EXPIRIES),
            description="for",
            style={"description_width": "24px"},
            layout=widgets.Layout(width="200px"),
        )
        post_only = _check("only if it rests (post only)")
        reduce_only = _check("only to reduce a position")
        for name, part in (
            ("action", action),
            ("outcome", outcome),
            ("quantity", quantity),
            ("price", price),
            ("time_in_force", force),
            ("post_only", post_only),
            ("reduce_only", reduce_only),
        ):
            widgets.link((ticket, name), (part, "value"))
        widgets.link((self.model, "expiry"), (expiry, "value"))
        widgets.dlink(
            (ticket, "time_in_force"), (expiry, "disabled"), lambda value: value != "good_till_canceled"
        )
        parts = [action, outcome, quantity, price, force, expiry, post_only, reduce_only]
        lower = button("−", lambda: self.model.step(-1), tip="One tick lower")
        higher = button("+", lambda: self.model.step(1), tip="One tick higher")
        for part in (*parts, lower, higher):
            widgets.dlink((self.model, "stage"), (part, "disabled"), lambda stage: stage == "sending")
        return widgets.VBox(
            [
                line(action, outcome, quantity, line(price, lower, higher)),
                line(force, expiry),
                line(post_only, reduce_only),
            ]
        )

    def _buttons(self) -> widgets.Widget:
        model = self.model
        look = button("Preview", model.check, tip="Show exactly what would be sent", style="primary")
        sure = button("Confirm", model.send, tip="Send it, once", style="warning")
        back = button("Back", model.back, tip="Go on writing")
        said = Plain(role="title")

        def shown(_: Any = None) -> None:
            confirming = model.stage == "confirming"
            look.layout.display = "none" if confirming else ""
            sure.layout.display = back.layout.display = "" if confirming else "none"
            look.disabled = bool(
                model.stage == "sending" or model.busy or model.locked or model.ticket.blockers
            )
            sentence = model.ticket.sentence
            said.value = {
                "editing": "",
                "confirming": f"{sentence[:1].upper()}{sentence[1:]}?",
                "sending": "Sending…",
            }[model.stage]

        model.observe(shown, ["stage", "busy", "locked", "blockers"])
        shown()
        for name, part in (("preview", look), ("confirm", sure), ("back", back)):
            part.add_class(f"kr-{name}")
        return line(look, sure, back, said)

    def _result(self) -> widgets.Widget:
        result = Plain(live=True)
        again = button("Look for it again", self.model.resolve)
        widgets.dlink((self.model, "result"), (result, "value"))
        widgets.dlink((self.model, "result_kind"), (result, "role"))
        widgets.dlink(
            (self.model, "unknown"), (again.layout, "display"), lambda unknown: "" if unknown else "none"
        )
        result.add_class("kr-result")
        return line(result, again)

    def _resting(self) -> widgets.Widget:
        model = self.model
        table = Table(
            columns=_ORDERS,
            label="Your resting orders",
            empty="No order of yours rests in this market.",
            height="200px",
        )
        price, quantity = _field("New price $"), _field("New size")
        amend = button("Amend", lambda: model.amend(price.value.strip(), quantity.value.strip()))
        widgets.dlink((model, "orders"), (table, "rows"))
        widgets.link((model, "chosen"), (table, "selected"))
        widgets.dlink((model, "chosen"), (amend, "disabled"), lambda chosen: not chosen)
        table.on_msg(lambda _, message, __: model.cancel(str(message.get("act", ""))))
        return widgets.VBox([table, line(price, quantity, amend)])


def _field(label: str) -> widgets.Text:
    return widgets.Text(
        description=label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout=widgets.Layout(width="180px"),
    )


def _check(label: str) -> widgets.Checkbox:
    return widgets.Checkbox(
        description=label, indent=False, layout=widgets.Layout(width="auto", min_width="200px")
    )
