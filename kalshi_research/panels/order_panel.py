"""The order panel: write an order, look at it, confirm it once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kalshi_research.panels.frame import Panel, button, line
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.order_model import EXPIRIES, OrderModel
from kalshi_research.panels.views import Choice, Facts, Plain, Table

if TYPE_CHECKING:
    from kalshi_research.client import Client

__all__ = ["OrderPanel"]

_ORDERS = [
    {"label": "Order", "kind": "short"},
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
_LABEL = "72px"
_COLUMN = "230px"


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
        self.model.put_aside()
        super().__init__(client)
        self.children = (
            line(self.badge, self._text("ticker", "title"), self._text("title")),
            self._text("touch", "number quiet"),
            self._text("locked", "warn"),
            self._form(),
            self._facts(),
            self._text("effect"),
            self._text("blockers", "quiet"),
            self._buttons(),
            self._result(),
            self._text("note", "warn"),
            self._resting(),
            self._watch(self.model),
        )
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

    def _facts(self) -> Facts:
        facts = Facts()
        widgets.dlink((self.model, "facts"), (facts, "pairs"))
        return facts

    def _form(self) -> widgets.Widget:
        ticket = self.model.ticket
        action = Choice(options=[("buy", "buy"), ("sell", "sell")], value="buy", label="Buy or sell")
        outcome = Choice(options=[("YES", "yes"), ("NO", "no")], value="yes", label="Outcome")
        quantity, price = _field("Contracts"), _field("Price $")
        force = _list("Order", _FORCES.items())
        expiry = _list("Expires in", EXPIRIES)
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
        lower = button("−", lambda: self.model.step(-1), tip="One tick lower")
        higher = button("+", lambda: self.model.step(1), tip="One tick higher")
        for part in (action, outcome, quantity, price, force, post_only, reduce_only, lower, higher):
            widgets.dlink((self.model, "stage"), (part, "disabled"), lambda stage: stage == "sending")

        def lasting(_: Any = None) -> None:
            rests = ticket.time_in_force == "good_till_canceled"
            expiry.disabled = not rests or self.model.stage == "sending"

        ticket.observe(lasting, "time_in_force")
        self.model.observe(lasting, "stage")
        price.layout.flex, price.layout.min_width = "1 1 auto", "0"
        steps = widgets.HBox([price, lower, higher], layout=widgets.Layout(grid_gap="4px"))
        fields = widgets.GridBox(
            [quantity, steps, force, expiry, post_only, reduce_only],
            layout=widgets.Layout(
                grid_template_columns=f"repeat(auto-fill, minmax(min({_COLUMN}, 100%), 1fr))",
                grid_gap="8px 16px",
            ),
        )
        return widgets.GridBox(
            [line(action, outcome), fields], layout=widgets.Layout(grid_gap="8px", max_width="900px")
        )

    def _buttons(self) -> widgets.Widget:
        model = self.model
        look = button("Preview", model.check, tip="Show exactly what would be sent", style="primary")
        sure = button("Confirm", model.send, tip="Send it, once", style="warning")
        back = button("Back", model.back, tip="Go on writing")
        said = Plain(role="title")

        def shown(_: Any = None) -> None:
            confirming = model.stage == "confirming"
            # Preview stays where it is: the second click of a double one must not meet Confirm.
            sure.layout.display = back.layout.display = "" if confirming else "none"
            look.disabled = bool(
                model.stage != "editing" or model.busy or model.locked or model.ticket.blockers
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
        widgets.dlink((self.model, "result_kind"), (result, "role"), lambda kind: f"result {kind}")
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
        price, quantity = _field("New price"), _field("New size")
        amend = button("Amend", lambda: model.amend(price.value.strip(), quantity.value.strip()))
        widgets.dlink((model, "orders"), (table, "rows"))
        widgets.link((model, "chosen"), (table, "selected"))
        widgets.dlink((model, "chosen"), (amend, "disabled"), lambda chosen: not chosen)
        table.on_msg(lambda _, message, __: model.cancel(str(message.get("act", ""))))
        for part in (price, quantity):
            part.layout.flex = "0 1 210px"
        return widgets.VBox(
            [Plain("Your resting orders", role="head"), table, line(price, quantity, amend)],
            layout=widgets.Layout(grid_gap="6px"),
        )


def _field(label: str) -> widgets.Text:
    made = widgets.Text(
        description=label,
        continuous_update=False,
        style={"description_width": _LABEL},
        layout=widgets.Layout(width="auto"),
    )
    return made.add_class("kr-figure")


def _list(label: str, options: Iterable[Any]) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=label,
        options=tuple(options),
        style={"description_width": _LABEL},
        layout=widgets.Layout(width="auto"),
    )


def _check(label: str) -> widgets.Checkbox:
    return widgets.Checkbox(description=label, indent=False, layout=widgets.Layout(width="auto"))
