"""Every figure of the package, drawn from a few frozen frames of the sandbox.

``python tests/picture_cases.py frames`` fetches the frames anew, ``... pictures`` draws the pictures
and the numbers that tests/test_plotting_pictures.py compares with. Look at what changed.

A picture holds no letters, and its axes stand at a fixed place: letters differ by a pixel from one
version of FreeType to the next, and everything that is laid out around them moves with them. What the
letters say and whether they fit is tested elsewhere.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

import kalshi_research as kr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE = Path(__file__).parent / "baseline_images"
NUMBERS = HERE / "drawn.json"
FRAMES = ("trades", "quotes", "books", "candles", "markets")


def frame(name: str) -> pd.DataFrame:
    """One of the frozen frames."""
    found = pd.read_parquet(HERE / f"{name}.parquet")
    found.attrs["kalshi"] = {
        "environment": "sandbox",
        "simulated": True,
        "complete": True,
        "rows": len(found),
    }
    return found


def joined() -> pd.DataFrame:
    return kr.join_quotes(frame("trades"), frame("quotes"))


def one_book() -> pd.DataFrame:
    books = frame("books")
    return books[books["time"] == books["time"].max()]


def near_touch() -> pd.DataFrame:
    book = kr.load_dataset("sample_orderbook")
    return book[book["level"] < 3]


def impacts(**more: Any) -> pd.DataFrame:
    return kr.impact_curve(joined(), frame("quotes"), **more)


def fees() -> pd.DataFrame:
    rows = [
        {"price": cents / 100, "role": role, "fee": float(kr.trading_fee(f"0.{cents:02}", 1, role=role))}
        for role in ("taker", "maker")
        for cents in range(1, 100)
    ]
    return pd.DataFrame(rows)


def spreads() -> pd.DataFrame:
    found = kr.trade_spreads(joined())
    return found.assign(quoted_spread=found["yes_ask"] - found["yes_bid"])


def profit() -> pd.DataFrame:
    """Ten fills that gain a little each, and the payout."""
    time = frame("trades").index[-11:]
    realised = np.array([0.0, 3.0, -2.0, 4.0, 1.0, 0.0, -1.0, 5.0, 2.0, 0.0, 12.0])
    entries = ["fill"] * 10 + ["settlement"]
    columns = {"entry": entries, "realized_pnl": realised, "equity": np.cumsum(realised - 0.7)}
    return pd.DataFrame(columns, index=time)


def costs() -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kr.errors.PartialDataWarning)  # the last one is too large
        return kr.fill_cost(one_book(), "yes", [1, 100, 500, 2_000, 90_000], fees=kr.FeeTerms())


PICTURES: dict[str, Callable[[Axes], Axes]] = {
    "candlesticks": lambda ax: kr.plot_candlesticks(frame("candles"), ax=ax),
    "depth": lambda ax: kr.plot_depth(kr.depth_curve(near_touch()), ax=ax),
    "depth_history": lambda ax: kr.plot_depth_history(frame("books"), ax=ax),
    "fee_curve": lambda ax: kr.plot_fee_curve(fees(), ax=ax),
    "impact_curve": lambda ax: kr.plot_impact_curve(
        impacts(horizons=["1min", "10min", "30min", "2h"], sizes=[50]), ax=ax
    ),
    "impact_curve_by_size": lambda ax: kr.plot_impact_curve(
        impacts(horizons="30min", sizes=[25, 100]), ax=ax
    ),
    "ladder": lambda ax: kr.plot_ladder(frame("markets"), ax=ax),
    "pnl": lambda ax: kr.plot_pnl(profit(), ax=ax),
    "price": lambda ax: kr.plot_price(frame("trades").tail(60), quotes=frame("quotes").tail(100), ax=ax),
    "slippage": lambda ax: kr.plot_slippage(costs(), ax=ax),
    "spreads": lambda ax: kr.plot_spreads(spreads(), ax=ax),
    "tape": lambda ax: kr.plot_tape(kr.tape_order(frame("trades")).tail(60), ax=ax),
    "volatility_signature": lambda ax: kr.plot_volatility_signature(
        kr.volatility_signature(frame("quotes"), intervals=["1min", "5min", "15min", "1h"]), ax=ax
    ),
}


@contextmanager
def plain_settings() -> Iterator[None]:
    """The settings of matplotlib itself, whatever file of its own this machine has."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["font.family"] = "DejaVu Sans"
        yield


def draw(name: str) -> Axes:
    figure = Figure(figsize=(5.4, 3.0), dpi=80)
    FigureCanvasAgg(figure)
    return PICTURES[name](figure.subplots())


def save(ax: Axes, path: Path) -> None:
    """The picture without letters."""
    figure = ax.get_figure(root=True)
    for one in figure.findobj(Text):
        one.set_visible(False)
    for one in (ax, *ax.child_axes):
        if one.get_legend() is not None:
            one.get_legend().remove()
        one.tick_params(which="both", labelbottom=False, labelleft=False, labelright=False)
    figure.set_layout_engine("none")
    ax.set_position((0.08, 0.08, 0.82, 0.84))
    figure.savefig(path, metadata={"Software": None})


def numbers(ax: Axes) -> list[dict[str, Any]]:
    """What was drawn, as JSON holds it: times as text, numbers to nine digits."""
    found = kr.drawn(ax)
    for column in found.columns:
        if isinstance(found[column].dtype, pd.DatetimeTZDtype):
            found[column] = found[column].dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
        elif found[column].dtype == np.float64:
            found[column] = [float(f"{value:.9g}") for value in found[column]]
    return found.to_dict("records")


def fetch() -> None:
    """Freeze the latest trades of a busy market, what stood in its book, and a ladder of strikes."""
    client = kr.connect("sandbox")
    ladder = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")
    ladder = ladder[ladder["event_ticker"] == ladder["event_ticker"].iloc[0]]
    ticker = kr.get_markets(client, series_ticker="KXFEDDECISION", status="open")["volume"].idxmax()
    trades = kr.get_trades(client, ticker).tail(300)
    candles = kr.get_candlesticks(
        client, ticker, start=trades.index[-1] - pd.Timedelta("24h"), interval="1h"
    )
    quotes = kr.get_candlesticks(client, ticker, start=trades.index[0], interval="1min")
    quotes = quotes.rename(columns={"yes_bid_close": "yes_bid", "yes_ask_close": "yes_ask"})
    quotes = quotes[["ticker", "yes_bid", "yes_ask"]]
    place = np.arange(len(quotes))
    quotes = quotes.assign(yes_bid_size=20.0 + place % 7, yes_ask_size=30.0 - place % 5)
    books = kr.get_orderbook(client, ladder["volume"].idxmax())
    moments = []
    for place in range(6):
        moved = books.assign(time=trades.index[-1].floor("min") + pd.Timedelta(minutes=place))
        moments.append(moved.assign(quantity=moved["quantity"] * (1 + place * (moved["level"] % 3))))
    columns = [
        "event_ticker",
        "yes_sub_title",
        "yes_bid",
        "yes_ask",
        "last_price",
        "floor_strike",
        "cap_strike",
    ]
    kept = {"trades": trades, "quotes": quotes, "books": pd.concat(moments, ignore_index=True)}
    for name, one in {**kept, "candles": candles, "markets": ladder[columns]}.items():
        one.attrs = {}
        one.to_parquet(HERE / f"{name}.parquet", compression="zstd")


def main() -> None:
    if "frames" in sys.argv:
        fetch()
    if "pictures" in sys.argv:
        every = {}
        with plain_settings():
            for name in PICTURES:
                ax = draw(name)
                every[name] = numbers(ax)
                save(ax, HERE / f"{name}.png")
        NUMBERS.write_text(json.dumps(every, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
