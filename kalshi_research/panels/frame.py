"""The small parts that every panel is put together from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import traitlets

from kalshi_research.errors import printable
from kalshi_research.panels.kernel_time import follow_cells
from kalshi_research.panels.views import Choice, Link, Plain, Presence

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.panels.visibility import Watched

__all__ = ["Panel", "badge", "button", "line"]

_log = logging.getLogger(__name__)


class Panel(widgets.VBox):
    """A box that says what it is where no kernel brings it to life.

    Attributes
    ----------
    ticker : str
        The market that is shown.
    """

    ticker = traitlets.Unicode()

    def __init__(self, client: Client) -> None:
        self._exchange = client.environment.name
        self._watched: Watched | None = None
        super().__init__()
        follow_cells()
        self.badge = badge(client)
        self.layout = widgets.Layout(width="100%", min_width="0", grid_gap="8px")
        self.add_class("kr-panel")

    def _watch(self, model: Watched) -> Presence:
        """Tell a model whether anybody can see this; the part returned must stand in the panel."""
        self._watched = model
        presence = Presence(layout=widgets.Layout(height="0", margin="0"))
        presence.on_msg(lambda _, message, __: model.attend(message))
        return presence

    def _shown(self) -> None:
        """A cell shows this."""
        if self._watched is not None:
            self._watched.shown()

    def __repr__(self) -> str:
        market = f" {printable(self.ticker, 40)}" if self.ticker else ""
        return f"<{type(self).__name__} {self._exchange}{market}>"

    def _repr_mimebundle_(self, **more: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super()._repr_mimebundle_(**more)
        self._shown()
        # What a saved notebook shows before it is run.
        shown["text/plain"] = (
            f"{type(self).__name__} ({self._exchange}): not connected. "
            "Run this cell to bring it to life; that sends nothing."
        )
        return shown


def badge(client: Client) -> Plain:
    """Which exchange this is, always to be seen."""
    environment = client.environment
    return Plain(environment.banner, role=f"badge {environment.name}")


def button(text: str, act: Callable[[], Any], *, tip: str = "", style: str = "") -> widgets.Button:
    """A button as wide as its text. What `act` raises goes to the log: panels show it before."""
    made = widgets.Button(
        description=text,
        tooltip=tip or text,
        button_style=style,
        layout=widgets.Layout(width="auto", flex="0 0 auto"),
    )

    def clicked(_: Any) -> None:
        try:
            act()
        except Exception:
            _log.exception("the button %r failed", text)
            raise

    made.on_click(clicked)
    return made


def line(*parts: widgets.Widget) -> widgets.HBox:
    """Parts beside each other, on more lines where there is no room."""
    for part in parts:
        if isinstance(part, Choice | Link | Plain):
            part.layout.width = "auto"
    return widgets.HBox(
        parts, layout=widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="6px 8px")
    )
