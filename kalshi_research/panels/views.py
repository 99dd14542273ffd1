"""What panels are drawn with: text, figures, choices, a table, a ladder. All that comes in is text.

`ipywidgets.HTML` and its relatives make markup of a market's title, and a label makes
mathematics of two dollar signs. These make neither: they write text nodes only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["Choice", "Facts", "Ladder", "Link", "Plain", "Presence", "Table"]

_STATIC = Path(__file__).parent / "static"
_CSS = _STATIC / "panel.css"


class Plain(anywidget.AnyWidget):
    """Text.

    Attributes
    ----------
    value : str
    role : str
        How it looks: words of ``title``, ``head``, ``quiet``, ``number``, ``warn``, ``good``,
        ``result``, ``badge`` and, with the last, the name of an environment.
    live : bool
        Whether a screen reader tells of changes.

    Examples
    --------
    >>> Plain("cost $5 or $6", role="quiet").value
    'cost $5 or $6'
    """

    _esm = _STATIC / "plain.js"
    _css = _CSS
    value = traitlets.Unicode().tag(sync=True)
    role = traitlets.Unicode().tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)

    def __init__(self, value: str = "", *, role: str = "", live: bool = False, **more: Any) -> None:
        super().__init__(value=value, role=role, live=live, **more)


class Link(anywidget.AnyWidget):
    """A link to a page of kalshi.com; any other address is not shown.

    Attributes
    ----------
    href, text : str

    Examples
    --------
    >>> Link(href="https://kalshi.com/markets/kxhighny", text="Page").text
    'Page'
    """

    _esm = _STATIC / "link.js"
    _css = _CSS
    href = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)


class Facts(anywidget.AnyWidget):
    """Figures with their names.

    Attributes
    ----------
    pairs : list of (str, str)
        Name and figure.

    Examples
    --------
    >>> Facts(pairs=[("Cost", "$1.00")]).pairs
    [('Cost', '$1.00')]
    """

    _esm = _STATIC / "facts.js"
    _css = _CSS
    pairs: traitlets.List[Any] = traitlets.List().tag(sync=True)


class Choice(anywidget.AnyWidget):
    """A few choices side by side, one of which holds.

    Attributes
    ----------
    options : list of (str, str)
        Text and value.
    value : str
        Of the one that holds.
    label : str
        For screen readers.
    disabled : bool

    Examples
    --------
    >>> Choice(options=[("Buy", "buy"), ("Sell", "sell")], value="buy", label="Buy or sell").value
    'buy'
    """

    _esm = _STATIC / "choice.js"
    _css = _CSS
    options: traitlets.List[Any] = traitlets.List().tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


class Presence(anywidget.AnyWidget):
    """Knows whether a person can see the panel that it stands in.

    Notes
    -----
    It sends ``{"view": ..., "seen": ...}`` to what was given to `on_msg` whenever that changes: the
    panel was scrolled out of sight, its page or browser was put aside, or closed.

    Examples
    --------
    >>> heard = []
    >>> Presence().on_msg(lambda _, message, __: heard.append(message))
    """

    _esm = _STATIC / "presence.js"
    _css = _CSS


class Table(anywidget.AnyWidget):
    """Rows that can be sorted and chosen.

    Attributes
    ----------
    columns : list of dict
        ``label`` and ``kind``: ``text``, ``short`` (text that stays on one line), ``number``,
        ``spark`` (a list of numbers) or ``action``;
        ``from`` says that it needs room: shown in a ``medium`` or only in a ``wide`` table.
    rows : list of dict
        ``key``, ``cells`` (what is shown) and, where that sorts differently, ``order``.
    selected : str
        Key of the row that is chosen.
    empty : str
        What is said where there are no rows.
    label : str
        For screen readers.
    height : str
        Of CSS; more rows scroll.

    Notes
    -----
    A click on an action sends ``{"act": key}`` to what was given to `on_msg`.

    Examples
    --------
    >>> table = Table(columns=[{"label": "Market", "kind": "text"}], label="Markets")
    >>> table.rows = [{"key": "T", "cells": ["<b>T</b>"]}]
    >>> table.selected
    ''
    """

    _esm = _STATIC / "table.js"
    _css = _CSS
    columns: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    rows: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode("Nothing here.").tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    height = traitlets.Unicode("320px").tag(sync=True)


class Ladder(anywidget.AnyWidget):
    """Both sides of a book around its mid.

    Attributes
    ----------
    book : dict
        ``bids`` and ``asks``, best first, as (price, size, own size, changed); ``mid``, a text;
        ``live``, whether it is current.
    heads : list of str
        What stands above the sizes of bids, the prices and the sizes of asks.
    label : str
        For screen readers.
    height : str
        Of CSS.

    Notes
    -----
    A click on a price sends ``{"price": ..., "side": ...}`` to what was given to `on_msg`. However
    often `book` changes, it is drawn once for each picture of the screen.

    Examples
    --------
    >>> Ladder(book={"bids": [["0.42", "13", "", False]], "asks": [], "mid": "", "live": True}).heads
    ['Bids', 'Price', 'Implied asks']
    """

    _esm = _STATIC / "ladder.js"
    _css = _CSS
    book: traitlets.Dict[str, Any] = traitlets.Dict(
        {"bids": [], "asks": [], "mid": "", "live": False}
    ).tag(sync=True)
    heads: traitlets.List[str] = traitlets.List(["Bids", "Price", "Implied asks"]).tag(sync=True)
    label = traitlets.Unicode("Order book").tag(sync=True)
    height = traitlets.Unicode("460px").tag(sync=True)
