"""The contestants of ``bulk_frames.py``, each run in a process and an environment of its own.

``python contestants.py NAME TASK URL REPEATS KEY`` prints one line of JSON: seconds of the
best run, peak memory of the first one over what the imports took, and checksums of the
frame, which must be the same for everybody. Every contestant ends with a frame of float64
prices and counts and datetime64 times; what a client leaves as text is converted here, as
its user would have to.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

PATHS = {"trades": "/markets/trades", "markets": "/markets"}
PRICES = {"trades": "yes_price", "markets": "yes_bid"}
COUNTS = {"trades": "quantity", "markets": "volume"}
TIMES = {"trades": "time", "markets": "close_time"}


def converted(frame: Any) -> Any:
    """Text to numbers and times by the names of the fields."""
    import pandas as pd

    for name in frame.columns:
        if name.endswith(("_dollars", "_fp")):
            frame[name] = pd.to_numeric(frame[name])
        elif name.endswith(("_time", "_datetime")) and frame[name].dtype.kind != "M":
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    return frame


def ours(task: str, url: str, key: str) -> Callable[[], Any]:
    """This package, through its public functions."""
    import kalshi_research as kr

    client = kr.connect(url)
    if task == "books":
        from loopback_exchange import book_batches

        from kalshi_research.schemas import ORDERBOOKS

        bodies = list(book_batches())

        def books() -> Any:
            decoder = ORDERBOOKS.decoder()
            for body in bodies:
                decoder.add(body)
            return decoder.frame({})

        return books
    get = kr.get_trades if task == "trades" else kr.get_markets
    get(client, max_rows=1_000)  # loads what is loaded lazily
    return lambda: get(client, progress=False)


def plain(task: str, url: str, key: str) -> Callable[[], Any]:
    """What a notebook does: requests, a list of dicts, one frame."""
    import pandas as pd
    import requests

    session = requests.Session()

    def run() -> Any:
        rows: list[Any] = []
        cursor = ""
        while True:
            params = {"limit": 1000, "cursor": cursor}
            body = session.get(url + PATHS[task], params=params, timeout=30).json()
            rows += body[task]
            cursor = body["cursor"]
            if not cursor:
                return converted(pd.DataFrame(rows))

    return run


TRADE_FIELDS = {
    "trade_id": str,
    "ticker": str,
    "count_fp": float,
    "yes_price_dollars": float,
    "no_price_dollars": float,
    "taker_outcome_side": str,
    "created_time": str,
    "is_block_trade": bool,
}
MARKET_FLOATS = (
    "yes_bid_dollars yes_bid_size_fp yes_ask_dollars yes_ask_size_fp no_bid_dollars no_ask_dollars "
    "last_price_dollars volume_fp volume_24h_fp open_interest_fp notional_value_dollars "
    "previous_yes_bid_dollars previous_yes_ask_dollars previous_price_dollars floor_strike cap_strike"
)
MARKET_TEXTS = (
    "ticker event_ticker market_type title subtitle yes_sub_title no_sub_title created_time "
    "updated_time open_time close_time expected_expiration_time expiration_time "
    "latest_expiration_time occurrence_datetime status result early_close_condition "
    "settlement_bounds_type expiration_value strike_type price_level_structure rules_primary "
    "rules_secondary"
)


def bare(task: str, url: str, key: str) -> Callable[[], Any]:
    """The limit to measure against: requests, msgspec typed decode, Arrow casts, no checks."""
    from operator import attrgetter

    import msgspec
    import pyarrow as pa
    import requests

    fields: dict[str, Any] = TRADE_FIELDS
    if task == "markets":
        fields = dict.fromkeys(MARKET_TEXTS.split(), str) | dict.fromkeys(MARKET_FLOATS.split(), float)
        fields |= {"price_ranges": msgspec.Raw, "can_close_early": bool}
        fields |= {"settlement_timer_seconds": int, "exchange_index": int}
    kinds = {str: pa.string(), float: pa.float64(), bool: pa.bool_(), int: pa.int64()}
    definitions = [(n, t) if t is msgspec.Raw else (n, t | None) for n, t in fields.items()]
    row = msgspec.defstruct("Row", [(name, kind, None) for name, kind in definitions], gc=False)
    page = msgspec.defstruct("Page", [(task, list[row]), ("cursor", str, "")], gc=False)
    decode = msgspec.json.Decoder(page, strict=False).decode
    getter = attrgetter(*fields)
    session = requests.Session()

    def run() -> Any:
        tables: list[Any] = []
        cursor = ""
        while True:
            params = {"limit": 1000, "cursor": cursor}
            found = decode(session.get(url + PATHS[task], params=params, timeout=30).content)
            columns = {}
            for name, values in zip(
                fields, zip(*map(getter, getattr(found, task)), strict=True), strict=True
            ):
                if fields[name] is msgspec.Raw:
                    columns[name] = pa.array([bytes(value).decode() for value in values], pa.string())
                    continue
                columns[name] = pa.array(values, kinds[fields[name]])
                if name.endswith(("_time", "_datetime")):
                    columns[name] = columns[name].cast(pa.timestamp("us", "UTC"))
            tables.append(pa.table(columns))
            cursor = found.cursor
            if not cursor:
                return pa.concat_tables(tables).to_pandas()

    return run


def pykalshi(task: str, url: str, key: str) -> Callable[[], Any]:
    """pykalshi 2.0."""
    if task == "books":
        import pandas as pd
        from loopback_exchange import book_batches
        from pykalshi.models import OrderbookResponse

        entries = [book for body in book_batches() for book in json.loads(body)["orderbooks"]]
        bodies = [
            (book["ticker"], json.dumps({"orderbook_fp": book["orderbook_fp"]})) for book in entries
        ]

        def books() -> Any:
            frames = []
            for ticker, body in bodies:
                frame = OrderbookResponse.model_validate(json.loads(body)).to_dataframe()
                frames.append(frame.assign(ticker=ticker))
            return pd.concat(frames, ignore_index=True)

        return books
    from pykalshi import KalshiClient

    client = KalshiClient(api_key_id="key", private_key_path=key, api_base=url)
    get = client.get_trades if task == "trades" else client.get_markets
    get(limit=1000)
    return lambda: converted(get(limit=1000, fetch_all=True).to_dataframe())


def kalshi_pandas(task: str, url: str, key: str) -> Callable[[], Any]:
    """kalshi-pandas 0.1; its users page by hand."""
    import pandas as pd
    from kalshi_pandas import KalshiPandas

    client = KalshiPandas(base_url=url + "/")
    get = client.get_trades if task == "trades" else client.get_markets

    def run() -> Any:
        frames = []
        cursor = None
        while True:
            page = get(limit=1000, cursor=cursor)
            frames.append(page["data"])
            cursor = page["next_cursor"]
            if not cursor:
                frame = pd.concat(frames, ignore_index=True)
                frame.columns = [re.sub("([A-Z])", r"_\1", name).lower() for name in frame.columns]
                return converted(frame)

    return run


def official(task: str, url: str, key: str) -> Callable[[], Any]:
    """kalshi-python-sync; its users page by hand and make the frame."""
    import pandas as pd
    from kalshi_python_sync import ApiClient, Configuration, MarketApi

    api = MarketApi(ApiClient(Configuration(host=url)))
    get = api.get_trades if task == "trades" else api.get_markets

    def run() -> Any:
        rows: list[Any] = []
        cursor = None
        while True:
            page = get(limit=1000, cursor=cursor)
            rows += [one.model_dump(mode="json") for one in getattr(page, task)]
            cursor = page.cursor
            if not cursor:
                return converted(pd.DataFrame(rows))

    return run


CONTESTANTS = {
    "ours": ours,
    "plain loop": plain,
    "bare loop": bare,
    "pykalshi": pykalshi,
    "kalshi-pandas": kalshi_pandas,
    "official SDK": official,
}


def checksums(task: str, frame: Any) -> list[float]:
    """Numbers that are equal for every contestant that decoded everything."""
    if task == "books":
        count = frame["quantity"] if "quantity" in frame else frame["quantity_fp"].astype(float)
        return [len(frame), round(float(count.sum()), 2)]
    frame = frame.reset_index()
    sums = []
    for ours_name, wire in (
        (PRICES[task], f"{PRICES[task]}_dollars"),
        (COUNTS[task], "count_fp" if task == "trades" else "volume_fp"),
    ):
        column = frame[ours_name if ours_name in frame else wire]
        assert column.dtype == "float64", (ours_name, column.dtype)
        sums.append(round(float(column.sum()), 2))
    times = frame[TIMES[task] if TIMES[task] in frame else "created_time"]
    assert str(times.dtype) == "datetime64[us, UTC]", times.dtype
    return [len(frame), *sums, int(times.astype("int64").sum() % 10**15)]


def memory(line: str) -> float:
    """A line of the kernel's account of this process [MB]; 0 where there is none."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return (
        next(int(row.split()[1]) for row in status.read_text().splitlines() if row.startswith(line))
        / 1024
    )


def main() -> None:
    """Run one contestant and print what it took."""
    name, task, url, repeats, key = sys.argv[1:6]
    run = CONTESTANTS[name](task, url, key)
    gc.collect()
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    best, peak, sums = float("inf"), 0.0, []
    for number in range(int(repeats)):
        started = perf_counter()
        frame = run()
        best = min(best, perf_counter() - started)
        if number == 0:
            peak = memory("VmHWM") - before
            sums = checksums(task, frame)
        del frame
        gc.collect()
    print(json.dumps({"seconds": best, "peak": peak, "checksums": sums}))


if __name__ == "__main__":
    main()
