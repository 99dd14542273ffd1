"""Slippage, fees, spreads and depth through time: what is drawn is what the frame says."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

import kalshi_research as kr
from kalshi_research.errors import FrameError, InputError


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


def shown(ax) -> list[Text]:
    """Every text that is drawn, without the tick labels that lie out of view."""
    ax.get_figure().draw_without_rendering()
    hidden = set()
    for one in (ax, *ax.child_axes):
        for axis in (one.xaxis, one.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    found = [text for text in ax.findobj(Text) if text.get_visible() and text not in hidden]
    return [text for text in found if text.get_text().strip() and text.get_gid() != "simulated"]


def sample_costs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "side": "no",
            "quantity": [1000.0, 10.0, 500.0],
            "filled": [480.0, 10.0, 480.0],
            "unfilled": [520.0, 0.0, 20.0],
            "touch": 0.58,
            "average_price": [0.7, 0.58, 0.7],
        },
        index=pd.Index(["KXA-1"] * 3, name="ticker"),
    )


def sample_fees() -> pd.DataFrame:
    return pd.DataFrame({"price": [0.25, 0.5, 0.75], "fee": [1.3125, 1.75, 1.3125], "quantity": 100.0})


def sample_spreads() -> pd.DataFrame:
    time = pd.date_range("2026-11-20T10:00Z", periods=4, freq="h", name="time")
    return pd.DataFrame(
        {
            "ticker": "KXA-1",
            "spread": [0.02, np.nan, 0.03, 0.01],
            "effective_spread": [0.01, 0.03, -0.02, np.nan],
            "yes_bid_size": [10.0, 20.0, 30.0, 5.0],
            "yes_ask_size": [7.0, np.nan, 40.0, 8.0],
        },
        index=time,
    )


def sample_trades() -> pd.DataFrame:
    time = pd.to_datetime(["2026-11-20T10:02:30Z", "2026-11-20T10:00:10Z", "2026-11-20T10:01:10Z"])
    return pd.DataFrame(
        {
            "yes_price": [0.44, 0.42, 0.44],
            "quantity": [9.0, 1.0, 4.0],
            "taker_side": ["yes", "no", "yes"],
        },
        index=time.rename("time"),
    )


def sample_tape() -> pd.DataFrame:
    """Three orders in seven fills; the second walks down two prices, the third is a single print."""
    rows = [
        ("15:00:00", 0.42, 10.0, "yes"),
        ("15:00:00", 0.43, 5.0, "yes"),
        ("15:00:00", 0.43, 2.5, "yes"),
        ("15:07:30", 0.41, 100.0, "no"),
        ("15:07:30", 0.39, 40.0, "no"),
        ("15:07:30", 0.38, 1.0, "no"),
        ("16:30:00", 0.44, 7.0, "yes"),
    ]
    time, price, quantity, side = zip(*rows, strict=True)
    index = pd.DatetimeIndex([f"2026-11-20T{one}Z" for one in time], name="time")
    columns = {
        "ticker": "KXFED-26DEC-T3.75",
        "yes_price": price,
        "quantity": quantity,
        "taker_side": side,
    }
    return kr.tape_order(pd.DataFrame(columns, index=index).sample(frac=1, random_state=1))


def sample_impacts() -> pd.DataFrame:
    """Two horizons, three classes of sizes; one estimate is missing, one has no interval."""
    sizes = [(0.0, 50.0), (50.0, 200.0), (200.0, np.inf)]
    rows = [
        (horizon, low, high, value, value - width, value + width)
        for horizon, values in (("10s", (0.001, 0.004, 0.006)), ("5min", (0.002, np.nan, 0.009)))
        for (low, high), value, width in zip(sizes, values, (0.001, 0.002, np.nan), strict=True)
    ]
    columns = ["horizon", "size_from", "size_to", "estimate", "low", "high"]
    index = pd.Index(["all"] * len(rows), name="pool")
    frame = pd.DataFrame(rows, columns=columns, index=index).astype({"horizon": "timedelta64[us]"})
    frame.attrs["kalshi"] = {"environment": "sandbox", "simulated": True, "complete": True, "rows": 6}
    return frame


def sample_signature() -> pd.DataFrame:
    value = np.array([0.09, 0.04, 0.021, 0.02])
    interval = pd.to_timedelta(["1s", "15s", "5min", "1h"])
    columns = {"interval": interval, "estimate": value, "low": value * 0.9, "high": value * 1.1}
    return pd.DataFrame(columns, index=pd.Index(["KXFED-26DEC-T3.75"] * 4, name="ticker"))


PLOTS = {
    "slippage": lambda **kw: kr.plot_slippage(sample_costs(), **kw),
    "fees": lambda **kw: kr.plot_fee_curve(sample_fees(), **kw),
    "spreads": lambda **kw: kr.plot_spreads(sample_spreads(), tz="America/New_York", **kw),
    "depth": lambda **kw: kr.plot_depth_history(history(), sample_trades(), **kw),
    "tape": lambda **kw: kr.plot_tape(sample_tape(), tz="America/New_York", **kw),
    "impact": lambda **kw: kr.plot_impact_curve(sample_impacts(), **kw),
    "impact by size": lambda **kw: kr.plot_impact_curve(sample_impacts().iloc[:3], **kw),
    "signature": lambda **kw: kr.plot_volatility_signature(sample_signature(), **kw),
}
every_plot = pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)


def test_what_the_book_cannot_fill_is_marked_from_where_the_book_ends():
    ax = kr.plot_slippage(sample_costs())
    (area,) = (patch for patch in ax.patches if patch.get_gid() == "unfilled")
    assert area.get_x() == 480
    assert area.get_x() + area.get_width() >= 1000
    assert "480" in area.get_label()
    hollow = line(ax, "_filled in part")
    assert list(hollow.get_xdata()) == [500, 1000]
    assert hollow.get_markerfacecolor() == "white"
    assert list(line(ax, "average price").get_xdata()) == [10, 500, 1000]
    assert "NO price" in ax.get_ylabel()


def test_the_line_with_the_fee_is_the_price_and_the_fee_a_contract(costs):
    ax = kr.plot_slippage(costs)
    expected = costs["average_price"] + costs["fee"] / costs["filled"]
    assert np.allclose(line(ax, "with fee").get_ydata(), expected)


def test_a_book_with_nobody_in_it_is_said_in_words():
    nobody = sample_costs().assign(filled=0.0, unfilled=10.0, touch=np.nan, average_price=np.nan)
    assert "nobody is there to trade with" in texts(kr.plot_slippage(nobody))
    assert "no orders" in texts(kr.plot_slippage(sample_costs().iloc[:0]))
    assert "no fees" in texts(kr.plot_fee_curve(sample_fees().iloc[:0]))
    assert "no spreads" in texts(kr.plot_spreads(sample_spreads().iloc[:0]))
    assert "no books" in texts(kr.plot_depth_history(history().iloc[:0]))


def test_the_fee_of_an_order_becomes_that_of_a_contract():
    (curve,) = kr.plot_fee_curve(sample_fees()).lines
    assert np.allclose(curve.get_ydata(), [0.013125, 0.0175, 0.013125])


def test_spreads_leave_a_gap_where_a_side_is_empty_and_the_depth_is_below():
    ax = kr.plot_spreads(sample_spreads())
    assert np.array_equal(line(ax, "quoted").get_ydata(), sample_spreads()["spread"], equal_nan=True)
    effective = line(ax, "effective")
    assert effective.get_linestyle() == "None"
    assert ax.get_ylim()[0] < -0.02
    (depth,) = ax.child_axes
    assert list(line(depth, "bids").get_ydata()) == [10, 20, 30, 5]
    assert np.nanmax(line(depth, "asks").get_ydata()) == 40
    found = kr.drawn(ax).set_index("label")
    assert found.loc["bids at the touch", "y_max"] == 30


def test_a_missing_book_is_a_gap_and_not_the_book_before():
    books = history()
    minute = pd.Timedelta(minutes=1)
    later = books.assign(time=books["time"] + 10 * minute)
    ax = kr.plot_depth_history(pd.concat([books, later], ignore_index=True))
    ends = sorted(
        {
            round(float(path.vertices[:, 0].max()) * 1440)
            for c in ax.collections
            for path in c.get_paths()
        }
    )
    starts = sorted(
        {
            round(float(path.vertices[:, 0].min()) * 1440)
            for c in ax.collections
            for path in c.get_paths()
        }
    )
    assert ends[2] == starts[2] + 1
    assert starts[3] - ends[2] == 7
    assert np.isnan(np.asarray(line(ax, "best bid").get_ydata(), dtype=float)).sum() == 1


def test_boxes_stand_on_their_price_and_neighbours_do_not_overlap():
    ax = kr.plot_depth_history(history())
    bids = next(c for c in ax.collections if c.get_gid() == "resting bids")
    spans = sorted({(p.vertices[:, 1].min(), p.vertices[:, 1].max()) for p in bids.get_paths()})
    assert np.allclose(spans, [(0.405, 0.415), (0.415, 0.425)])


def test_trades_stand_on_the_map_at_their_time_and_price():
    ax = kr.plot_depth_history(history(), sample_trades())
    found = kr.drawn(ax).set_index("label")
    assert found.loc["taker buys YES", "count"] == 2
    assert found.loc["taker buys NO", "x_min"] == pd.Timestamp("2026-11-20T10:00:10Z")
    area = next(c for c in ax.collections if c.get_gid() == "taker buys YES").get_sizes()
    assert area[1] / area[0] == pytest.approx(9 / 4)


def test_more_depth_is_darker_also_in_grey():
    ax = kr.plot_depth_history(history())
    for boxes in ax.collections:
        boxes.update_scalarmappable()
        grey = boxes.get_facecolor()[:, :3] @ [0.299, 0.587, 0.114]
        order = np.argsort(boxes.get_array(), kind="stable")
        assert (np.diff(grey[order]) <= 1e-9).all()


@every_plot
@pytest.mark.parametrize("size", [None, (3.4, 3.2), (5.0, 3.5), (12.0, 4.0)])
@pytest.mark.parametrize("title", [None, "Will $5 or {anything} else $happen$ in the Committee? " * 3])
def test_no_text_leaves_the_figure(plot, size, title):
    ax = plot(
        ax=None if size is None else Figure(figsize=size, layout="constrained").subplots(), title=title
    )
    page = ax.get_figure().bbox.padded(0.51)
    for text in shown(ax):
        box = text.get_window_extent()
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text
        assert "$" not in text.get_text() or not text.get_parse_math(), text


@every_plot
def test_it_fits_into_plain_subplots_without_a_layout_engine(plot):
    ax = plot(ax=Figure().subplots())
    page = ax.get_figure().bbox.padded(0.51)
    for text in shown(ax):
        box = text.get_window_extent()
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text


@every_plot
def test_the_frame_stays_as_it_is_and_the_axes_is_the_one_given(plot):
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    assert plot(ax=ax) is ax
    assert figure.axes == [ax]
    assert plt.get_fignums() == []
    with pytest.raises(InputError, match="one matplotlib Axes"):
        plot(ax=figure)


@pytest.mark.parametrize(
    ("plot", "said"),
    [
        (lambda: kr.plot_slippage(sample_costs().assign(side=["yes", "no", "no"])), "one leg"),
        (
            lambda: kr.plot_slippage(sample_costs().set_axis(list("aab")).rename_axis("ticker")),
            "2 tickers",
        ),
        (lambda: kr.plot_slippage(sample_costs().assign(quantity=np.nan)), "positive quantity"),
        (lambda: kr.plot_fee_curve(sample_fees().assign(fee=np.nan)), "lacks its price or its fee"),
        (
            lambda: kr.plot_fee_curve(
                pd.DataFrame({"price": 0.5, "fee": 0.01, "multiplier": range(1, 9)})
            ),
            "8 kinds",
        ),
        (lambda: kr.plot_spreads(sample_spreads().tz_localize(None)), "no time zone"),
        (lambda: kr.plot_spreads(sample_spreads().iloc[::-1]), "not in order"),
        (lambda: kr.plot_spreads(sample_spreads().assign(ticker=list("aabb"))), "2 tickers"),
        (lambda: kr.plot_depth_history(history().drop(columns="level")), r"level.*replay_book"),
        (lambda: kr.plot_depth_history(history().assign(quantity=0.0)), "its quantity"),
        (
            lambda: kr.plot_tape(sample_tape().drop(columns="parent")),
            r"parent; tape_order\(trades\) makes",
        ),
        (lambda: kr.plot_tape(sample_tape().iloc[::-1]), "not in order"),
        (lambda: kr.plot_tape(sample_tape().iloc[[0, 2, 1]]), "order of the tape"),
        (lambda: kr.plot_tape(sample_tape().assign(ticker=list("aabbccc"))), "3 tickers"),
        (lambda: kr.plot_tape(sample_tape().tz_localize(None)), "no time zone"),
        (lambda: kr.plot_impact_curve(sample_impacts().drop(columns="low")), r"low; impact_curve\("),
        (
            lambda: kr.plot_impact_curve(sample_impacts().set_axis(list("aabbcc"))),
            r"(?s)3 values of .*by=None",
        ),
        (lambda: kr.plot_impact_curve(sample_impacts().assign(horizon=1.0)), "lengths of time"),
        (lambda: kr.plot_impact_curve(sample_impacts().assign(horizon=pd.Timedelta(0))), "not positive"),
        (lambda: kr.plot_impact_curve(sample_impacts().assign(estimate="x")), "must hold numbers"),
        (
            lambda: kr.plot_impact_curve(
                pd.concat([sample_impacts().iloc[:1].assign(size_to=float(at)) for at in range(1, 9)])
            ),
            "8 classes",
        ),
        (lambda: kr.plot_volatility_signature(sample_signature().drop(columns="interval")), "interval"),
        (lambda: kr.plot_volatility_signature(sample_signature().set_axis(list("aabb"))), "2 values of"),
    ],
)
def test_bad_frames_say_what_is_wrong_and_leave_no_figure(plot, said):
    with pytest.raises(FrameError, match=said) as caught:
        plot()
    assert len(str(caught.value).splitlines()) <= 3
    assert plt.get_fignums() == []


def test_the_tape_stands_print_by_print_with_its_orders_joined():
    ax = kr.plot_tape(sample_tape())
    bought, sold = (
        next(marks for marks in ax.collections if marks.get_gid() == f"taker buys {leg}")
        for leg in ("YES", "NO")
    )
    assert bought.get_offsets().tolist() == [[0, 0.42], [1, 0.43], [2, 0.43], [6, 0.44]]
    assert sold.get_offsets().tolist() == [[3, 0.41], [4, 0.39], [5, 0.38]]
    assert sold.get_sizes()[0] == pytest.approx(10 * bought.get_sizes()[0])
    assert not len(sold.get_facecolor()), "hollow"
    joined = [marks.get_segments() for marks in ax.collections if "several" in str(marks.get_gid())]
    assert [[len(order) for order in side] for side in joined] == [[3], [3]]
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert (labels[0], labels[-1]) == ("15:00:00", "16:30:00")
    days = sample_tape().set_axis(sample_tape().index + pd.to_timedelta([0, 0, 0, 1, 1, 1, 2], unit="D"))
    far = kr.plot_tape(days, tz="America/New_York")
    assert far.get_xticklabels()[0].get_text() == "Nov 20 10:00"


def test_an_empty_tape_is_said_in_words():
    ax = kr.plot_tape(sample_tape().iloc[:0])
    assert "no trades" in texts(ax)
    assert kr.drawn(ax).empty


def test_impact_has_a_line_a_class_and_a_bar_an_interval():
    ax = kr.plot_impact_curve(sample_impacts())
    small, large = line(ax, "below 50 contracts"), line(ax, "200 or more")
    assert small.get_ydata().tolist() == [0.001, 0.002]
    assert small.get_xdata() == pytest.approx([10, 300], rel=0.04)
    bars = {bars.get_gid(): bars.get_segments() for bars in ax.collections}
    assert [one[:, 1].tolist() for one in bars["95 % interval: below 50 contracts"]] == [
        pytest.approx([0.0, 0.002]),
        pytest.approx([0.001, 0.003]),
    ]
    assert "95 % interval: 200 or more" not in bars
    hollow = [one for one in ax.get_lines() if one.get_gid() == "without an interval"]
    assert [one.get_ydata().tolist() for one in hollow] == [[0.006, 0.009]]
    assert large.get_ydata().tolist() == [0.006, 0.009]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["10 s", "5 min"]
    assert "all markets" in ax.get_title(loc="left")


def test_impact_at_one_horizon_stands_by_size():
    ax = kr.plot_impact_curve(sample_impacts().iloc[:3])
    assert line(ax, "impact").get_xydata().tolist() == [[0, 0.001], [1, 0.004], [2, 0.006]]
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == ["below 50", "50 to below 200", "200 or more"]
    assert "after 10 s" in ax.get_title(loc="left")
    assert "too few orders" in texts(kr.plot_impact_curve(sample_impacts().assign(estimate=np.nan)))


def test_the_signature_starts_at_nothing():
    ax = kr.plot_volatility_signature(sample_signature())
    assert line(ax, "realised variance").get_xydata().tolist() == [
        [1.0, 0.09],
        [15.0, 0.04],
        [300.0, 0.021],
        [3600.0, 0.02],
    ]
    assert ax.get_ylim()[0] == 0
    assert "[$²/hour]" in ax.get_ylabel()
    assert "too few prices" in texts(kr.plot_volatility_signature(sample_signature().iloc[:0]))


def test_a_recorded_session_is_drawn_level_by_level(shared):
    books, _, trades, _ = kr.replay_book(
        shared / "real/ws/KXUFCFIGHT-26MAR07TOBNUR-NUR.ndjson.gz", seq="sparse"
    )
    found = kr.drawn(kr.plot_depth_history(books, trades)).set_index("label")
    assert found.loc[["resting bids", "resting asks"], "count"].sum() == len(books)
    assert found.loc[["taker buys YES", "taker buys NO"], "count"].sum() == 4136
