"""What the figures show, read from what was drawn, and how they behave as guests on an Axes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from kalshi_research.book import cumulative, depth_curve, no_view, quotes
from kalshi_research.errors import FrameError, InputError
from kalshi_research.plotting import drawn, plot_candlesticks, plot_depth, plot_ladder, plot_price

PROD = {
    "environment": "prod",
    "endpoint": "/series/KXFED/markets/KXFED-26DEC-T3.75/candlesticks",
    "rows": 1290,
    "complete": True,
    "simulated": False,
    "fetched_at": "2026-11-20T15:00:00+00:00",
}
SANDBOX = PROD | {"environment": "sandbox", "simulated": True}
LONG = (
    "Will the upper bound of the federal funds rate be above $3.75 or $4.00 following the Fed's "
    "December 2026 meeting, and will {anything} else $happen$ in the "
    "Supercalifragilisticexpialidocious-Committee?"
)


@pytest.fixture(autouse=True)
def _agg() -> Iterator[None]:
    """Figures of pyplot are closed, and nothing may have changed the settings."""
    plt.switch_backend("agg")
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


def sample_book() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "ticker": "KXFED-26DEC-T3.75",
            "side": ["bid"] * 3 + ["ask"] * 4,
            "price": [0.42, 0.41, 0.35, 0.44, 0.55, 0.56, 0.625],
            "quantity": [13.0, 10.0, 11.5, 17.0, 20.0, 29.0, 300.0],
        }
    )
    frame.attrs["kalshi"] = dict(SANDBOX)
    return frame


def sample_trades() -> pd.DataFrame:
    time = pd.date_range("2026-11-20 15:00", periods=6, freq="7min", tz="UTC", name="time")
    frame = pd.DataFrame(
        {
            "ticker": "KXFED-26DEC-T3.75",
            "yes_price": [0.42, 0.44, 0.43, 0.40, 0.41, 0.45],
            "quantity": [10.0, 250.0, 1.5, 40.0, 5.0, 90.0],
            "taker_side": ["no", "yes", "yes", "no", "no", "yes"],
        },
        index=time,
    )
    frame.attrs["kalshi"] = PROD | {"complete": False, "max_rows": 6, "endpoint": "/markets/trades"}
    return frame


def sample_quotes() -> pd.DataFrame:
    time = pd.date_range("2026-11-20 14:58", periods=9, freq="5min", tz="UTC", name="time")
    bid = np.array([0.41, 0.42, 0.42, np.nan, 0.40, 0.39, 0.40, 0.42, 0.44])
    frame = pd.DataFrame(
        {"ticker": "KXFED-26DEC-T3.75", "yes_bid": bid, "yes_ask": bid + 0.02}, index=time
    )
    frame.attrs["kalshi"] = dict(SANDBOX)
    return frame


def sample_candles() -> pd.DataFrame:
    end = pd.date_range("2026-11-20 15:00", periods=8, freq="h", tz="UTC", name="time")
    nothing = np.nan
    frame = pd.DataFrame(
        {
            "ticker": "KXFED-26DEC-T3.75",
            "period_start": end - pd.Timedelta(hours=1),
            "open": [0.42, 0.44, nothing, 0.43, 0.40, 0.40, 0.40, 0.45],
            "high": [0.45, 0.44, nothing, 0.43, 0.42, 0.41, 0.46, 0.47],
            "low": [0.41, 0.40, nothing, 0.39, 0.39, 0.40, 0.40, 0.45],
            "close": [0.44, 0.43, nothing, 0.40, 0.40, 0.40, 0.45, 0.46],
            "volume": [10.0, 25.5, 0.0, 1200.0, 8.0, 1.0, 30.0, 2.0],
            "yes_bid_close": [0.43, 0.42, 0.42, 0.39, nothing, 0.39, 0.44, 0.45],
            "yes_ask_close": [0.45, 0.44, 0.44, 0.41, 0.41, 0.41, 0.46, 0.47],
        },
        index=end,
    ).drop(index=end[5])
    frame.attrs["kalshi"] = dict(SANDBOX)
    return frame


def sample_markets() -> pd.DataFrame:
    nothing = np.nan
    frame = pd.DataFrame(
        {
            "event_ticker": "KXHIGHNY-26NOV21",
            "yes_sub_title": ["68° to 69°", "65° or below", "72° or above", "66° to 67°", "70° to 71°"],
            "yes_bid": [0.35, 0.02, nothing, 0.10, nothing],
            "yes_ask": [0.38, 0.04, 0.03, 0.13, nothing],
            "last_price": [0.36, 0.03, 0.01, nothing, nothing],
            "floor_strike": [68.0, nothing, 71.0, 66.0, 70.0],
            "cap_strike": [69.0, 66.0, nothing, 67.0, 71.0],
        },
        index=pd.Index([f"KXHIGHNY-26NOV21-{n}" for n in "CAEBD"], name="ticker"),
    )
    frame.attrs["kalshi"] = dict(PROD)
    return frame


PLOTS = {
    "depth": lambda **kw: plot_depth(depth_curve(sample_book()), **kw),
    "price": lambda **kw: plot_price(sample_trades(), **kw),
    "price and quotes": lambda **kw: plot_price(sample_trades(), quotes=sample_quotes(), **kw),
    "candlesticks": lambda **kw: plot_candlesticks(sample_candles(), quotes=True, **kw),
    "ladder": lambda **kw: plot_ladder(sample_markets(), **kw),
}
every_plot = pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS.keys())


def texts(ax: Axes) -> list[Text]:
    """Every text on the Axes and the panels in it that is drawn."""
    ax.figure.draw_without_rendering()
    found = []
    for one in (ax, *ax.child_axes):
        hidden = set()
        for axis in (one.xaxis, one.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
        found += [t for t in one.findobj(Text) if t.get_visible() and t not in hidden]
    shown = [t for t in dict.fromkeys(found) if t.get_text().strip()]
    return [t for t in shown if t.get_gid() != "simulated"]


def source(ax: Axes) -> str:
    ax.figure.draw_without_rendering()
    (found,) = (t for t in ax.findobj(Text) if t.get_gid() == "source")
    return " ".join(found.get_text().split())


# --- the numbers drawn ---------------------------------------------------------------------


def test_depth_draws_each_side_from_its_best_price() -> None:
    curve = depth_curve(sample_book())
    ax = plot_depth(curve)
    for line, side in zip(ax.lines, ("bid", "ask"), strict=True):
        mine = curve[curve["side"] == side]
        assert line.get_xdata().tolist() == mine["price"].tolist()
        assert line.get_ydata().tolist() == mine["cumulative"].tolist()
        # The contracts up to a price hold until the next level outwards.
        assert line.get_drawstyle() == "steps-post"
    assert ax.lines[0].get_ydata().tolist() == [13.0, 23.0, 34.5]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "YES bids, best 0.42",
        "YES asks, best 0.44",
    ]
    assert ax.get_xlabel() == "YES price [$]"
    assert ax.get_ylabel() == "cumulative quantity [contracts]"
    assert ax.get_ylim()[0] == 0


def test_depth_of_the_other_leg_says_so() -> None:
    ax = plot_depth(depth_curve(no_view(sample_book())))
    assert ax.get_xlabel() == "NO price [$]"
    assert ax.lines[0].get_xdata().tolist() == [0.56, 0.45, 0.44, 0.375]


def test_price_draws_every_trade_at_its_price_with_its_size() -> None:
    trades = sample_trades()
    ax = plot_price(trades)
    line = ax.lines[0]
    assert line.get_ydata().tolist() == trades["yes_price"].tolist()
    assert (pd.DatetimeIndex(line.get_xdata(orig=True), tz="UTC") == trades.index).all()
    for points, side in zip(ax.collections, ("yes", "no"), strict=True):
        mine = trades[trades["taker_side"] == side]
        assert points.get_offsets()[:, 1].tolist() == mine["yes_price"].tolist()
        area = points.get_sizes()
        big = mine["quantity"].to_numpy() >= 5
        ratio = area[big] / mine["quantity"].to_numpy()[big]
        assert ratio == pytest.approx(np.full(big.sum(), ratio[0]))
    assert ax.get_ylabel() == "YES price [$]"


def test_a_series_is_drawn_with_its_gaps() -> None:
    price = sample_trades()["yes_price"].mask([False, False, True, False, False, False])
    line = plot_price(price).lines[0]
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True, False, False, False]


def test_quotes_become_a_band_with_its_gaps() -> None:
    book = sample_quotes()
    ax = plot_price(sample_trades(), quotes=book)
    bid, ask = ax.lines[1:]
    np.testing.assert_array_equal(bid.get_ydata(), book["yes_bid"])
    np.testing.assert_array_equal(ask.get_ydata(), book["yes_ask"])
    band = drawn(ax).set_index("label").loc["bid–ask band"]
    assert band["count"] == 2
    assert (band["y_min"], band["y_max"]) == (0.39, 0.46)


def test_candlesticks_draw_the_periods_that_traded() -> None:
    candles = sample_candles()
    ax = plot_candlesticks(candles)
    found = drawn(ax).set_index("label")
    traded = candles.dropna(subset="open")
    rose = traded["close"] >= traded["open"]
    for label, mine in (("close ≥ open", traded[rose]), ("close < open", traded[~rose])):
        assert found.loc[f"wicks, {label}", "count"] == len(mine)
        assert found.loc[f"wicks, {label}", "y_min"] == mine["low"].min()
        assert found.loc[f"wicks, {label}", "y_max"] == mine["high"].max()
        bodies = mine[["open", "close"]]
        assert found.loc[f"bodies, {label}", "y_min"] == bodies.min(axis=None)
        assert found.loc[f"bodies, {label}", "y_max"] == bodies.max(axis=None)
        # A body lies inside its own period.
        assert found.loc[f"bodies, {label}", "x_min"] > mine["period_start"].min()
        assert found.loc[f"bodies, {label}", "x_max"] < mine.index.max()
    assert found.loc["volume", "y_max"] == 1200.0
    assert found.loc["volume", "count"] == len(candles)
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["close ≥ open", "close < open", "2 periods without trades"]


def test_candlesticks_leave_the_volume_and_the_price_apart() -> None:
    ax = plot_candlesticks(sample_candles())
    ax.figure.draw_without_rendering()
    (panel,) = ax.child_axes
    lowest = ax.transData.transform((0, 0.39))[1]
    assert panel.get_window_extent().y1 < lowest
    assert min(ax.get_yticks()) > ax.transData.inverted().transform((0, panel.get_window_extent().y1))[1]
    assert plot_candlesticks(sample_candles(), volume=False).child_axes == []


def test_closing_quotes_hold_for_their_own_period() -> None:
    candles = sample_candles()
    found = drawn(plot_candlesticks(candles, quotes=True)).set_index("label")
    assert found.loc["bid at close", "count"] == 6
    assert found.loc["ask at close", "count"] == 7
    assert found.loc["bid at close", "x_min"] == candles["period_start"].iloc[0]
    assert found.loc["bid at close", "x_max"] == candles.index[-1]


def test_ladder_is_ordered_by_strike_from_the_bottom() -> None:
    markets = sample_markets()
    ax = plot_ladder(markets)
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "65° or below", "66° to 67°", "68° to 69°", "70° to 71°", "72° or above",
    ]  # fmt: skip
    points = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert points["bid"] == [[0.02, 0], [0.10, 1], [0.35, 2]]
    assert points["ask"] == [[0.04, 0], [0.13, 1], [0.38, 2], [0.03, 4]]
    assert points["last price"] == [[0.03, 0], [0.36, 2], [0.01, 4]]
    assert [t.get_text() for t in ax.texts if t.get_text().startswith("no ")] == ["no quotes"]


def test_ladder_without_strikes_keeps_the_order_of_the_frame() -> None:
    markets = sample_markets().drop(columns=["floor_strike", "cap_strike", "yes_sub_title"])
    ax = plot_ladder(markets)
    assert [t.get_text() for t in ax.get_yticklabels()][::-1] == markets.index.tolist()


def test_ladder_takes_the_quotes_of_many_books() -> None:
    other = sample_book().assign(ticker="B")
    found = quotes(pd.concat([sample_book(), other]))
    ax = plot_ladder(found, title="two books")
    assert len(ax.get_yticklabels()) == 2


def test_drawn_reads_the_artists_and_not_the_data() -> None:
    ax = plot_depth(depth_curve(sample_book()))
    before = drawn(ax)
    ax.lines[0].set_ydata(ax.lines[0].get_ydata() * 2)
    after = drawn(ax)
    assert before["y_max"].iloc[0] == 34.5
    assert after["y_max"].iloc[0] == 69.0
    assert before.columns.tolist() == ["what", "label", "count", "x_min", "x_max", "y_min", "y_max"]
    assert drawn(Figure().subplots()).empty


@pytest.mark.parametrize("thing", [None, Figure(), np.array([1])])
def test_drawn_looks_at_one_axes(thing: object) -> None:
    with pytest.raises(InputError, match="ax must be one matplotlib Axes"):
        drawn(thing)  # type: ignore[arg-type]


def test_trades_of_one_instant_do_not_stand_on_an_axis_of_years() -> None:
    ax = plot_price(sample_trades().iloc[:1])
    first, last = ax.get_xlim()
    assert last - first == pytest.approx(1 / 24)  # an hour, in days


@pytest.mark.parametrize("column", ["price", "cumulative"])
def test_a_level_without_a_number_is_not_drawn_around(column: str) -> None:
    curve = depth_curve(sample_book())
    curve.loc[0, column] = np.nan
    with pytest.raises(FrameError, match="lacks its price or its contracts"):
        plot_depth(curve)


def test_drawn_tells_times_in_utc() -> None:
    ax = plot_price(sample_trades(), tz="America/New_York")
    row = drawn(ax).iloc[0]
    assert row["x_min"] == pd.Timestamp("2026-11-20 15:00", tz="UTC")
    assert row["x_max"] == pd.Timestamp("2026-11-20 15:35", tz="UTC")


# --- a good guest ---------------------------------------------------------------------------------


def state_of(ax: Axes) -> list[object]:
    children = [(id(child), child.get_visible(), child.get_alpha()) for child in ax.get_children()]
    return [*children, ax.get_xlim(), ax.get_ylim(), ax.get_title(), ax.get_xlabel(), ax.get_legend()]


@every_plot
def test_draws_on_the_given_axes_and_returns_it(plot) -> None:
    fig, (first, second) = plt.subplots(1, 2, figsize=(14, 5), layout="constrained")
    plt.sca(second)
    untouched = [
        (type(child), child.get_visible(), child.get_alpha(), child.zorder)
        for child in second.get_children()
    ]
    settings = (second.get_xlim(), second.get_ylim(), second.get_title(), second.get_xlabel())
    assert plot(ax=first) is first
    assert fig.axes == [first, second]
    assert plt.gca() is second
    assert untouched == [
        (type(child), child.get_visible(), child.get_alpha(), child.zorder)
        for child in second.get_children()
    ]
    assert settings == (second.get_xlim(), second.get_ylim(), second.get_title(), second.get_xlabel())
    assert second.get_legend() is None
    assert second.spines["top"].get_visible()


@every_plot
def test_makes_one_figure_for_a_notebook_to_show(plot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("a library does not show"))
    ax = plot()
    assert isinstance(ax, Axes)
    assert [plt.figure(n) for n in plt.get_fignums()] == [ax.figure]


@every_plot
def test_works_without_pyplot(plot) -> None:
    ax = Figure(layout="constrained").subplots()
    plot(ax=ax)
    assert plt.get_fignums() == []


@every_plot
@pytest.mark.parametrize("wrong", [Figure(), "ax", np.array([1])])
def test_refuses_what_is_no_axes(plot, wrong: object) -> None:
    with pytest.raises(InputError, match="one matplotlib Axes"):
        plot(ax=wrong)


@every_plot
def test_leaves_the_frame_alone(plot, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [sample_book(), sample_trades(), sample_quotes(), sample_candles(), sample_markets()]
    names = ["sample_book", "sample_trades", "sample_quotes", "sample_candles", "sample_markets"]
    for name, frame in zip(names, frames, strict=True):
        monkeypatch.setitem(globals(), name, lambda frame=frame: frame)
    copies = [frame.copy() for frame in frames]
    plot()
    for frame, copy in zip(frames, copies, strict=True):
        pd.testing.assert_frame_equal(frame, copy)
        assert frame.attrs == copy.attrs


def test_importing_the_package_does_not_load_matplotlib() -> None:
    code = (
        "import sys, kalshi_research, kalshi_research.book\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import kalshi_research.plotting\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- source and simulation ------------------------------------------------------------------------


@every_plot
def test_says_where_the_data_came_from(plot) -> None:
    line = source(plot())
    assert "Kalshi" in line
    assert "2026-11-20T15:00:00+00:00" in line


def test_missing_provenance_is_said_and_not_hidden() -> None:
    frame = sample_trades()
    frame.attrs = {}
    assert source(plot_price(frame)) == "source unknown"


def test_an_incomplete_frame_says_so() -> None:
    assert "INCOMPLETE, capped at 6 rows" in source(plot_price(sample_trades()))
    frame = sample_trades()
    frame.attrs["kalshi"] = PROD | {"complete": False}
    assert "INCOMPLETE" in source(plot_price(frame))


def test_two_frames_give_two_sources_and_the_mark_of_either() -> None:
    ax = plot_price(sample_trades(), quotes=sample_quotes())
    assert "Kalshi prod" in source(ax)
    assert "SIMULATED · Kalshi sandbox" in source(ax)
    assert [t.get_text() for t in ax.texts if t.get_gid() == "simulated"] == ["SIMULATED"]


def test_simulated_data_are_marked_and_real_ones_are_not() -> None:
    assert "SIMULATED" in [t.get_text() for t in plot_depth(depth_curve(sample_book())).texts]
    assert "SIMULATED" not in [t.get_text() for t in plot_ladder(sample_markets()).texts]


def test_drawing_twice_on_an_axes_repeats_neither_source_nor_mark() -> None:
    ax = plot_candlesticks(sample_candles())
    plot_price(sample_candles()["close"], ax=ax)
    assert source(ax).count("SIMULATED") == 1
    assert [t.get_gid() for t in ax.texts].count("simulated") == 1


def test_narrow_figures_keep_the_words_that_matter() -> None:
    trades = sample_trades()
    trades.attrs["kalshi"] = SANDBOX | {"complete": False, "endpoint": "/markets/" + "x" * 60}
    ax = Figure(figsize=(2.6, 3), layout="constrained").subplots()
    line = source(plot_price(trades, ax=ax))
    assert "SIMULATED" in line
    assert "INCOMPLETE" in line


# --- text ---------------------------------------------------------------------------------------------


@every_plot
@pytest.mark.parametrize("title", ["$5 or $6?", "Fed ^ $x^{$", "$\\badcmd$ {", "50%_{a}$$"])
def test_dollar_signs_are_text_and_not_formulas(plot, title: str, tmp_path: Path) -> None:
    ax = plot(title=title)
    ax.figure.savefig(tmp_path / "figure.svg")
    assert ax.get_title(loc="left") == title
    assert not any(t.get_parse_math() for t in texts(ax) if "$" in t.get_text())


def test_labels_of_strikes_are_text_and_not_formulas(tmp_path: Path) -> None:
    markets = sample_markets()
    markets["yes_sub_title"] = ["$95,000 to $96,000", "$x^{$", "\\frac{$", "a\u202eb\x1b[31m", "🏈 漢字"]
    ax = plot_ladder(markets)
    ax.figure.savefig(tmp_path / "figure.pdf")
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert "$95,000 to $96,000" in labels
    assert "a\\u202eb\\x1b[31m" in labels
    assert not any("\u202e" in label or "\x1b" in label for label in labels)


SIZES = [None, (3.4, 3.2), (5.0, 3.5), (12.0, 4.0)]


@every_plot
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("title", [None, LONG], ids=["own title", "long title"])
def test_no_text_leaves_the_figure_or_covers_the_tick_labels(plot, size, title) -> None:
    ax = None if size is None else Figure(figsize=size, layout="constrained").subplots()
    ax = plot(ax=ax, title=title)
    shown = texts(ax)
    page = ax.figure.bbox.padded(0.51)
    for text in shown:
        box = text.get_window_extent()
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text
    (foot,) = (t for t in shown if t.get_gid() == "source")
    below = foot.get_window_extent()
    for label in [*ax.get_xticklabels(), ax.xaxis.label, ax.xaxis.get_offset_text()]:
        if label.get_text():
            assert label.get_window_extent().y0 >= below.y1 - 0.5, label
    if ax.get_legend() is not None:
        assert ax.get_legend().get_window_extent().y1 <= heading(ax).y0 + 0.5
    assert ax.get_window_extent().height > 0.15 * ax.figure.bbox.height


def heading(ax: Axes):
    return next(
        t for t in ax.findobj(Text) if t.get_text() == ax.get_title(loc="left")
    ).get_window_extent()


@every_plot
def test_fits_into_plain_subplots_without_a_layout_engine(plot) -> None:
    ax = plt.subplots()[1]
    plot(ax=ax, title=LONG)
    page = ax.figure.bbox.padded(0.51)
    for text in texts(ax):
        box = text.get_window_extent()
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text


def test_prices_on_one_axis_have_the_same_number_of_decimals() -> None:
    curve = depth_curve(sample_book())
    ax = plot_depth(curve[curve["distance"] <= 0.01])
    ax.figure.draw_without_rendering()
    decimals = {len(t.get_text().partition(".")[2]) for t in ax.get_xticklabels() if t.get_text()}
    assert len(decimals) == 1
    assert decimals.pop() >= 2


# --- time zones ------------------------------------------------------------------------------


def test_the_zone_changes_the_axis_only() -> None:
    utc, local = plot_price(sample_trades()), plot_price(sample_trades(), tz="America/New_York")
    assert (utc.get_xlabel(), local.get_xlabel()) == ("time [UTC]", "time [America/New_York]")
    assert (utc.lines[0].get_xdata(orig=True) == local.lines[0].get_xdata(orig=True)).all()
    for ax in (utc, local):
        ax.figure.draw_without_rendering()
    assert "15:00" in [t.get_text() for t in utc.get_xticklabels()]
    assert "10:00" in [t.get_text() for t in local.get_xticklabels()]


def test_a_frame_in_local_time_is_drawn_at_the_same_instants() -> None:
    local = sample_trades().tz_convert("America/New_York")
    assert drawn(plot_price(local))["x_min"].iloc[0] == pd.Timestamp("2026-11-20 15:00", tz="UTC")


@pytest.mark.parametrize("tz", ["Mars/Base", "", "../etc/passwd", 5, "New York"])
def test_an_unknown_zone(tz: object) -> None:
    with pytest.raises(InputError, match="time zone"):
        plot_price(sample_trades(), tz=tz)
    assert plt.get_fignums() == []


# --- empty and unusual ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plot", "words"),
    [
        (lambda: plot_depth(depth_curve(sample_book()).iloc[:0]), "nobody bids on either side"),
        (lambda: plot_price(sample_trades().iloc[:0]), "no trades"),
        (lambda: plot_price(sample_trades()["yes_price"] * np.nan), "no trades"),
        (lambda: plot_candlesticks(sample_candles().iloc[:0], quotes=True), "no candlesticks"),
        (lambda: plot_candlesticks(sample_candles().iloc[2:3]), "no trades in these periods"),
        (lambda: plot_ladder(sample_markets().iloc[:0]), "no markets"),
    ],
)
def test_nothing_to_draw_is_said_in_words(plot, words: str, tmp_path: Path) -> None:
    ax = plot()
    ax.figure.savefig(tmp_path / "figure.png")
    assert words in [t.get_text() for t in ax.texts]
    assert "Kalshi" in source(ax)


def test_one_sided_and_single_level_books_are_drawn() -> None:
    ax = plot_depth(depth_curve(sample_book().iloc[:1]))
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["YES bids, best 0.42", "YES asks, none"]


@pytest.mark.parametrize(
    ("plot", "said"),
    [
        (lambda: plot_depth(sample_book()), r"(?s)lacks.*cumulative.*depth_curve"),
        (lambda: plot_depth([1]), "must be a DataFrame"),
        (lambda: plot_depth(pd.concat([cumulative(sample_book().assign(ticker=t)) for t in "AB"])),
         r"(?s)2 tickers.*'A'"),
        (lambda: plot_depth(pd.concat([depth_curve(sample_book()).assign(time=t) for t in (1, 2)])),
         "2 instants"),
        (lambda: plot_price(sample_trades().drop(columns="yes_price")), r"yes_price.*get_trades"),
        (lambda: plot_price(sample_trades().assign(ticker=list("AAABBB"))), "2 tickers"),
        (lambda: plot_price(sample_trades().tz_localize(None)), "no time zone"),
        (lambda: plot_price(sample_trades().reset_index()), "indexed by time"),
        (lambda: plot_price(sample_trades().iloc[::-1]), "not in order"),
        (lambda: plot_price(sample_trades().astype({"yes_price": "str"})), "must hold numbers"),
        (lambda: plot_price(sample_trades(), quotes=sample_quotes().drop(columns="yes_ask")), "yes_ask"),
        (lambda: plot_price(sample_trades(), quotes=sample_quotes().tz_localize(None)), "no time zone"),
        (lambda: plot_candlesticks(sample_candles().drop(columns=["open", "volume"])), "open, volume"),
        (lambda: plot_candlesticks(sample_candles().assign(period_start=0)), "period_start"),
        (lambda: plot_candlesticks(sample_candles().assign(period_start=sample_candles().index)),
         "ends before"),
        (lambda: plot_ladder(sample_markets().drop(columns="yes_ask")), r"yes_ask.*get_markets"),
        (lambda: plot_ladder(sample_markets().assign(event_ticker=list("AABBB"))), "2 events"),
        (lambda: plot_ladder(pd.concat([sample_quotes()] * 1)), "several instants"),
    ],
)  # fmt: skip
def test_bad_frames_say_what_is_wrong_and_leave_no_figure(plot, said: str) -> None:
    with pytest.raises(FrameError, match=said) as caught:
        plot()
    assert len(str(caught.value).splitlines()) <= 3
    assert plt.get_fignums() == []


# --- recorded markets ------------------------------------------------------------------------


def test_recorded_book(shared: Path) -> None:
    recorded = json.loads((shared / "real/orderbooks/production_140.json").read_text())["books"][0]
    sides = recorded["response"]["orderbook_fp"]
    yes, no = (np.array(sides[f"{leg}_dollars"], dtype=float) for leg in ("yes", "no"))
    frame = pd.DataFrame(
        {
            "ticker": recorded["ticker"],
            "side": ["bid"] * len(yes) + ["ask"] * len(no),
            "price": np.concatenate([yes[:, 0], (1 - no[:, 0]).round(4)]),
            "quantity": np.concatenate([yes[:, 1], no[:, 1]]),
        }
    )
    ax = plot_depth(depth_curve(frame))
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(yes[:, 1].sum())
    assert ax.lines[1].get_ydata()[-1] == pytest.approx(no[:, 1].sum())
    assert recorded["ticker"] in ax.get_title(loc="left")


def test_recorded_tape(shared: Path) -> None:
    tape = pd.read_parquet(
        shared / "real/weather_trades/trades.parquet",
        filters=[("ticker", "==", "KXHIGHNY-24NOV13-B48.5")],
    )
    trades = pd.DataFrame(
        {
            "yes_price": tape["yes_price"].to_numpy() / 100,
            "quantity": tape["count"].to_numpy(dtype=float),
            "taker_side": tape["taker_side"].to_numpy(),
        },
        index=pd.DatetimeIndex(tape["created_time"], name="time"),
    )
    found = drawn(plot_price(trades)).set_index("what")
    assert found.loc["line", "count"] == len(tape) == 2682
    assert found.loc["points", "count"].sum() == 2682
