"""Slippage: what an order pays on average, the larger it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kalshi_research.errors import FrameError, quoted
from kalshi_research.plotting import house
from kalshi_research.plotting.frames import numbers, require
from kalshi_research.plotting.lettering import drawable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_slippage"]

_MAKERS = "fill_cost(book, side, [quantities]) makes such frames"
_NEEDED = ("quantity", "filled", "unfilled", "touch", "average_price")
_WIDE = 50.0
"""From this ratio of the largest to the smallest quantity on, the axis is logarithmic."""

Floats = npt.NDArray[np.float64]


def plot_slippage(
    costs: pd.DataFrame,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the average price of an order against its size; the area above the touch is the slippage.

    Parameters
    ----------
    costs : DataFrame
        Of one book and one leg, one row per quantity, from
        ``fill_cost(book, side, [quantities])``. Where it has a `fee`, the price with the fee
        is drawn too.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    title : str, optional
        Instead of the leg and the ticker.

    Returns
    -------
    matplotlib.axes.Axes
        x the contracts wanted (on a logarithmic scale where they differ much), y the price
        of the leg [dollars a contract]. Orders that the book cannot fill lie in a hatched area
        and have hollow marks: their price is that of the contracts that were filled.

    Raises
    ------
    FrameError
        If a column is missing, or the frame holds several books, instants or legs.

    Examples
    --------
    >>> import pandas as pd
    >>> from kalshi_research.book import fill_cost
    >>> from matplotlib.figure import Figure
    >>> book = pd.DataFrame({"ticker": "T", "side": ["bid", "ask", "ask"],
    ...                      "price": [0.42, 0.44, 0.55], "quantity": [13.0, 17.0, 20.0]})
    >>> ax = plot_slippage(fill_cost(book, "yes", [10, 20]), ax=Figure().subplots())
    >>> ax.lines[0].get_ydata().tolist()
    [0.44, 0.4565]
    """
    require(costs, _NEEDED, what="costs", makers=_MAKERS)
    ticker = _ticker(costs)
    leg = _leg(costs)
    values = {name: numbers(costs, name, what="costs") for name in _NEEDED}
    quantity = values["quantity"]
    if not (np.isfinite(quantity) & (quantity > 0)).all():
        raise FrameError(f"a row of costs has no positive quantity; {_MAKERS}")
    order = np.argsort(quantity, kind="stable")
    values = {name: value[order] for name, value in values.items()}
    fee = numbers(costs, "fee", what="costs")[order] if "fee" in costs.columns else None
    ax = house.canvas(ax)
    drawn = bool(np.isfinite(values["average_price"]).any())
    handles = _draw(ax, values, fee, leg) if drawn else []
    house.price_ticks(ax.yaxis, leg)
    _quantities(ax, values["quantity"])
    if drawn:
        handles += _mark_unfilled(ax, values)
    else:
        house.say_empty(ax, "no orders" if costs.empty else "nobody is there to trade with")
    above = house.key_row(ax, handles)
    heading = title if title is not None else f"Cost of buying {leg} at once · {ticker or 'no ticker'}"
    return house.finish(ax, costs, title=heading, above=above)


def _ticker(costs: pd.DataFrame) -> str:
    """The one market of the costs, which `fill_cost` has in the index."""
    held = costs.index.to_frame(index=False)
    for name in ("ticker", "time"):
        column = costs[name] if name in costs.columns else held.get(name, ())
        found = list(dict.fromkeys(column))
        if len(found) > 1:
            raise FrameError(
                f"the frame of costs holds {len(found)} {name}s, but a figure shows one book\n"
                f"Choose one: costs[costs.index.get_level_values({name!r}) == "
                f"{quoted(str(found[0]), 80)}]"
            )
        if name == "ticker":
            ticker = drawable(found[0], 80) if found else ""
    return ticker


def _leg(costs: pd.DataFrame) -> str:
    if "side" not in costs.columns or costs.empty:
        return "YES"
    legs = sorted(costs["side"].astype("str").unique())
    if len(legs) > 1 or legs[0] not in ("yes", "no"):
        raise FrameError(
            f"a figure shows the costs of one leg, yes or no, but side holds {len(legs)} values\n"
            "Choose one: costs[costs['side'] == 'yes']"
        )
    return str(legs[0]).upper()


def _draw(ax: Axes, values: dict[str, Floats], fee: Floats | None, leg: str) -> list[Any]:
    colour = house.YES if leg == "YES" else house.NO
    x, average, touch = values["quantity"], values["average_price"], values["touch"]
    (line,) = ax.plot(x, average, color=colour, linewidth=1.8, label="average price", zorder=3)
    handles = [line]
    ax.fill_between(x, touch, average, color=colour, alpha=0.16, linewidth=0, gid="slippage", zorder=1)
    (best,) = ax.plot(
        x,
        touch,
        color=house.QUIET,
        linestyle=":",
        linewidth=1.4,
        label=f"touch {house.price_text(float(touch[np.isfinite(touch)][0]))}",
        zorder=2,
    )
    handles.append(best)
    if fee is not None and values["filled"].any():
        filled = np.where(values["filled"] > 0, values["filled"], np.nan)
        (with_fee,) = ax.plot(
            x,
            average + fee / filled,
            color=house.INK,
            linestyle=house.DASHED,
            linewidth=1.2,
            label="with fee",
            zorder=3,
        )
        handles.append(with_fee)
    for mine, label, face in (
        (values["unfilled"] == 0, "_filled", colour),
        (values["unfilled"] > 0, "_filled in part", "white"),
    ):
        if mine.any():
            ax.plot(
                x[mine],
                average[mine],
                linestyle="",
                marker="o",
                markersize=4.5,
                markerfacecolor=face,
                markeredgecolor=colour,
                label=label,
                gid=label[1:],
                zorder=4,
            )
    return handles


def _quantities(ax: Axes, quantity: Floats) -> None:
    house.contracts_ticks(ax.xaxis, "order size")
    if quantity.size and quantity.max() >= _WIDE * quantity.min():
        ax.set_xscale("log")
        decades = np.log10(quantity.max() / quantity.min())
        subs = (1.0, 2.0, 5.0) if decades * 130 < house.points_wide(ax) else (1.0,)
        ax.xaxis.set_major_locator(LogLocator(subs=subs))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: house.contracts_text(value)))
        ax.xaxis.set_minor_formatter(NullFormatter())
    if quantity.size and quantity.min() == quantity.max():
        ax.set_xlim(0, 2 * quantity[0])


def _mark_unfilled(ax: Axes, values: dict[str, Floats]) -> list[Any]:
    """Shade the sizes beyond what the book can give."""
    missing = values["unfilled"] > 0
    if not missing.any():
        return []
    most = float(values["filled"][missing].max())
    right = ax.get_xlim()[1]
    area = ax.axvspan(
        most,
        max(right, float(values["quantity"].max())),
        facecolor="none",
        edgecolor="#B9B9B9",
        hatch="///",
        linewidth=0,
        zorder=0.8,
        label=f"more than the book's {house.contracts_text(most)}",
        gid="unfilled",
    )
    ax.set_xlim(right=right)
    return [area]
