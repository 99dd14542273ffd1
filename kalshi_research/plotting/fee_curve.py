"""Fees against the price, for takers and makers and for the types of fees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kalshi_research.errors import FrameError, quoted
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, require
from kalshi_research.plotting.lettering import drawable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_fee_curve"]

_MAKERS = "make one with trading_fee, a row for each price: columns price, fee, and role or fee_type"
_KINDS = ("role", "fee_type", "multiplier")
_LOOKS: tuple[tuple[str, Any], ...] = (
    (house.YES, "-"),
    (house.NO, house.DASHED),
    (house.INK, ":"),
    ("#009E73", (0.0, (8.0, 2.0, 1.5, 2.0))),
    ("#CC79A7", (0.0, (1.0, 1.0))),
    (house.QUIET, "-"),
)
_MOST = len(_LOOKS)


def plot_fee_curve(
    fees: pd.DataFrame,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the fee of a contract against its price, one line for each kind of fee.

    Parameters
    ----------
    fees : DataFrame
        One row per price: price [dollars], fee [dollars]; and where they differ role, fee_type,
        multiplier, of which each combination is a line. With a column quantity [contracts], fee
        is that of the whole order and is divided by it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    title : str, optional
        Instead of a general one.

    Returns
    -------
    matplotlib.axes.Axes
        x the price [dollars], y the fee [dollars a contract].

    Raises
    ------
    FrameError
        If a column is missing, a row lacks a number, or there are more than six kinds.

    Examples
    --------
    >>> import pandas as pd
    >>> from kalshi_research.fees import trading_fee
    >>> from matplotlib.figure import Figure
    >>> fees = pd.DataFrame([{"price": p, "quantity": 100.0, "role": "taker",
    ...     "fee": float(trading_fee(p, 100))} for p in (0.25, 0.5, 0.75)])
    >>> plot_fee_curve(fees, ax=Figure().subplots()).lines[0].get_ydata().tolist()
    [0.013125, 0.0175, 0.013125]
    """
    require(fees, ["price", "fee"], what="fees", makers=_MAKERS)
    price, fee = (numbers(fees, name, what="fees") for name in ("price", "fee"))
    if "quantity" in fees.columns:
        quantity = numbers(fees, "quantity", what="fees")
        if not (quantity > 0).all():
            raise FrameError(f"a row of fees has no positive quantity; {_MAKERS}")
        fee = fee / quantity
    if not np.isfinite(price).all() or not np.isfinite(fee).all():
        raise FrameError(f"a row of fees lacks its price or its fee; {_MAKERS}")
    kinds = _kinds(fees)
    ax = house.canvas(ax)
    handles = []
    for (name, mine), (colour, style) in zip(kinds.items(), _LOOKS, strict=False):
        rows = mine[np.argsort(price[mine], kind="stable")]
        (line,) = ax.plot(
            price[rows],
            fee[rows],
            color=colour,
            linestyle=style,
            linewidth=1.8,
            marker="o" if rows.size == 1 else "",
            label=name,
        )
        handles.append(line)
    house.price_ticks(ax.xaxis, "contract")
    house.price_ticks(ax.yaxis)
    ax.set_ylabel("fee [$ a contract]", fontsize=house.NORMAL, color=house.INK, parse_math=False)
    if fees.empty:
        house.say_empty(ax, "no fees")
    else:
        ax.set_xlim(0, 1)
        top = max(1.08 * float(fee.max()), 0.001)
        ax.set_ylim(-0.03 * top, top)  # a fee of nothing is a line too
    above = house.key_row(ax, handles)
    heading = title if title is not None else "Fee of a contract by its price"
    return house.finish(ax, fees, title=heading, above=above)


def _kinds(fees: pd.DataFrame) -> dict[str, Any]:
    """The rows of each line, by its name."""
    names = [name for name in _KINDS if name in fees.columns]
    if not names or fees.empty:
        return {"fee": np.arange(len(fees))} if len(fees) else {}
    text = fees[names].astype("str")
    if "multiplier" in names:
        text["multiplier"] = "× " + text["multiplier"]
    label = text.agg(", ".join, axis=1).to_numpy()
    found = list(dict.fromkeys(label))
    if len(found) > _MOST:
        raise FrameError(
            f"the frame of fees holds {len(found)} kinds, but a figure shows at most {_MOST}\n"
            f"Choose some: fees[fees[{quoted(names[0], 40)}] == ...]"
        )
    return {drawable(name.replace("_", " "), 60): np.flatnonzero(label == name) for name in found}
