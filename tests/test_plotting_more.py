"""Slippage, fees, spreads and depth through time: what is drawn is what the frame says."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

import kalshi_research as kr
from kalshi_research.errors import FrameError


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def costs() -> pd.DataFrame:
    book = kr.load_dataset("sample_orderbook")
    with pytest.warns(kr.errors.PartialDataWarning):
        return kr.fill_cost(book, "yes", [10, 17, 30, 100, 600, 5000], fees=kr.FeeTerms())


def line(ax, label: str):
    return next(drawn for drawn in ax.get_lines() if label in str(drawn.get_label()))


def texts(ax) -> str:
    found = ax.figure.findobj(mpl.text.Text)
    return " ".join(text.get_text() for text in found)


def inside(ax) -> bool:
    """Whether title, axis labels, legend and source line lie inside the figure."""
    figure = ax.figure
    figure.canvas.draw()
    page = figure.bbox.padded(1)
    found = [text for text in figure.findobj(mpl.text.Text) if text.get_gid() == "source"]
    found += [ax.xaxis.label, ax.yaxis.label]
    found += ax.get_legend().get_texts() if ax.get_legend() else []
    boxes = [text.get_window_extent() for text in found if text.get_text().strip()]
    return len(boxes) >= 3 and all(
        page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        for box in boxes
    )


def test_slippage_draws_the_average_price_of_each_size(costs):
    ax = kr.plot_slippage(costs)
    prices = [drawn for drawn in ax.get_lines() if len(drawn.get_xdata()) >= len(costs)]
    assert any(
        np.allclose(np.asarray(drawn.get_ydata(), dtype=float)[: len(costs)], costs["average_price"])
        and np.allclose(np.asarray(drawn.get_xdata(), dtype=float)[: len(costs)], costs["quantity"])
        for drawn in prices
    )
    assert "SIMULATED" in texts(ax)
    assert inside(ax)


def test_slippage_wants_costs():
    with pytest.raises(FrameError, match="fill_cost"):
        kr.plot_slippage(pd.DataFrame({"quantity": [1.0]}))


def test_a_fee_curve_has_a_line_a_kind_with_its_fees():
    rows = [
        {
            "price": p / 100,
            "role": role,
            "fee_type": "quadratic",
            "fee": float(kr.trading_fee(f"0.{p:02d}", 1, role=role)),
        }
        for role in ("taker", "maker")
        for p in range(1, 100)
    ]
    fees = pd.DataFrame(rows)
    ax = kr.plot_fee_curve(fees)
    taker = line(ax, "taker")
    assert np.allclose(taker.get_ydata(), fees.loc[fees["role"] == "taker", "fee"])
    assert float(np.max(taker.get_ydata())) == pytest.approx(0.0175)
    assert np.allclose(line(ax, "maker").get_ydata(), 0)
    assert "source unknown" in texts(ax)
    assert inside(ax)


def test_a_fee_curve_wants_prices_and_fees():
    with pytest.raises(FrameError):
        kr.plot_fee_curve(pd.DataFrame({"price": [0.5]}))


def test_spreads_are_drawn_through_time_on_the_axes_given():
    index = pd.date_range("2026-11-20T10:00Z", periods=6, freq="h", name="time", unit="us")
    frame = pd.DataFrame(
        {
            "quoted_spread": [0.02, 0.03, np.nan, 0.02, 0.04, 0.02],
            "effective_spread": [0.01, 0.02, 0.03, 0.02, 0.03, 0.01],
        },
        index=index,
    )
    figure, (first, second) = plt.subplots(2, layout="constrained")
    before = len(second.get_children())
    assert kr.plot_spreads(frame, ax=first, tz="America/New_York") is first
    assert len(second.get_children()) == before
    drawn = np.asarray(line(first, "quoted").get_ydata(), dtype=float)
    for value in frame["quoted_spread"].dropna():
        assert np.isclose(drawn[~np.isnan(drawn)], value).any()
    assert np.nanmax(drawn) == pytest.approx(0.04)
    assert figure is first.figure


def test_spreads_want_a_spread():
    with pytest.raises(FrameError):
        kr.plot_spreads(
            pd.DataFrame({"x": [1.0]}, index=pd.DatetimeIndex(["2026-11-20T10:00Z"], name="time"))
        )


def history() -> pd.DataFrame:
    parts = []
    for minute, size in enumerate([10.0, 20.0, 40.0]):
        book = kr.read_orderbook(
            {"orderbook": {"yes": [[41, 5], [42, int(size)]], "no": [[55, 5], [56, 30]]}}, ticker="KXA-1"
        )
        parts.append(book.assign(time=pd.Timestamp("2026-11-20T10:00Z") + pd.Timedelta(minutes=minute)))
    return pd.concat(parts, ignore_index=True)


def test_the_depth_of_a_book_through_time_maps_every_quantity():
    books = history()
    ax = kr.plot_depth_history(books)
    drawn = np.concatenate(
        [
            np.ma.filled(np.ma.asarray(artist.get_array(), dtype=float), np.nan).ravel()
            for artist in (*ax.collections, *ax.images)
            if artist.get_array() is not None
        ]
    )
    found = set(np.abs(drawn[~np.isnan(drawn)]).round(6))
    assert set(books["quantity"]) <= found
    assert inside(ax)


def test_the_depth_map_wants_a_history_of_one_market():
    with pytest.raises(FrameError):
        kr.plot_depth_history(kr.load_dataset("sample_orderbook"))
    other = history()
    other["ticker"] = "KXB-1"
    with pytest.raises(FrameError):
        kr.plot_depth_history(pd.concat([history(), other], ignore_index=True))


def test_no_global_state_is_changed(costs):
    before = dict(mpl.rcParams)
    kr.plot_slippage(costs)
    kr.plot_depth_history(history())
    assert dict(mpl.rcParams) == before
