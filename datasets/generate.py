"""Make the data sets of this folder anew: ``python datasets/generate.py``.

They come from the simulated exchange with a fixed seed, so the same code makes the same
bytes. ``python datasets/generate.py --check`` compares instead of writing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import kalshi_research as kr
from kalshi_research.datasets.kinds import QUOTES
from kalshi_research.files import write_frame
from kalshi_research.money import PRICE_SCALE
from kalshi_research.provenance import KEY
from kalshi_research.schemas import CANDLESTICKS, EVENTS, MARKETS, ORDERBOOKS, TRADES, Kind

HERE = Path(__file__).resolve().parent
SEED = 0
MONTH = ("2026-10-15", "2026-11-15")
QUOTED_FROM = "2026-11-10"

# The order book that Kalshi's documentation of 2025 explains depth and spreads with.
SAMPLE_YES = ((1, 200), (15, 100), (20, 50), (25, 20), (30, 11), (31, 10), (32, 10), (33, 11), (34, 9))
SAMPLE_YES += ((35, 11), (41, 10), (42, 13))
SAMPLE_NO = ((1, 100), (16, 3), (25, 50), (28, 19), (36, 5), (37, 50), (38, 300), (44, 29), (45, 20))
SAMPLE_NO += ((56, 17),)


def frames() -> dict[str, tuple[Kind, pd.DataFrame, str]]:
    """Every data set: its kind, its rows, and what it is."""
    with kr.start_sandbox(seed=SEED) as sandbox, kr.connect(sandbox.url) as client:
        start, end = MONTH
        markets = kr.get_markets(client, series_ticker="KXHIGHNY")
        closes = markets["close_time"]
        month = markets[
            (closes >= pd.Timestamp(start, tz="UTC")) & (closes < pd.Timestamp(end, tz="UTC"))
        ]
        month.attrs = dict(markets.attrs)
        events = kr.get_events(client, sorted(month["event_ticker"].unique()))
        open_markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")
        first = month["open_time"].min()
        return {
            "kxhighny_events": (
                EVENTS,
                events,
                "a month of settled daily temperature ladders: the events",
            ),
            "kxhighny_markets": (
                MARKETS,
                month,
                "the six markets of each of those events, with outcomes",
            ),
            "kxhighny_trades": (
                TRADES,
                kr.get_trades(client, month, end=end, progress=False),
                "every trade in those markets",
            ),
            "kxhighny_candlesticks": (
                CANDLESTICKS,
                kr.get_candlesticks(client, month, start=first, end=end, progress=False),
                "hourly candlesticks of those markets",
            ),
            "kxhighny_quotes": (
                QUOTES,
                touches(sandbox, month[month["close_time"] >= pd.Timestamp(QUOTED_FROM, tz="UTC")]),
                "every move of the touch in the last five ladders of them, from opening to close",
            ),
            "kxhighny_orderbooks": (
                ORDERBOOKS,
                kr.get_orderbooks(client, open_markets),
                "order books of the ladders that are open at the end of it",
            ),
            "sample_orderbook": (
                ORDERBOOKS,
                kr.read_orderbook(
                    {"orderbook": {"yes": SAMPLE_YES, "no": SAMPLE_NO}}, ticker="KXHIGHNY-24JAN01-T60"
                ),
                "the order book that the documentation of 2025 explains spreads and depth with",
            ),
        }


def touches(sandbox: Any, markets: pd.DataFrame) -> pd.DataFrame:
    """Best bid and ask of markets, with a row whenever one of them moved."""
    found = []
    for ticker in sorted(markets.index):
        moved = sandbox.truth.quotes(ticker)
        # Of several moves at one instant the last one stands.
        last = np.append(np.diff(moved.times) > 0, True)
        for side, price, size in (
            ("bid", moved.bid, moved.bid_size),
            ("ask", moved.ask, moved.ask_size),
        ):
            there = last & (price > 0) & (price < PRICE_SCALE)
            found.append(
                pd.DataFrame(
                    {
                        "time": pd.to_datetime(moved.times[there], unit="us", utc=True),
                        "ticker": ticker,
                        "side": side,
                        "price": price[there] / PRICE_SCALE,
                        "quantity": size[there] / 100,
                    }
                )
            )
    frame = kr.quotes(pd.concat(found)).sort_index(kind="stable")
    frame.index = frame.index.as_unit("us")
    frame["ticker"] = frame["ticker"].astype("str")
    kept = ("environment", "complete", "simulated")
    about = {name: markets.attrs[KEY][name] for name in kept}
    about |= {"endpoint": "record of the exchange", "schema": QUOTES.tag, "rows": len(frame)}
    frame.attrs = {KEY: about}
    return frame


def build(folder: Path) -> None:
    """Write all data sets, the manifest and the data sheet to `folder`."""
    sets = {}
    for name, (kind, frame, what) in frames().items():
        # The address and the hour of the fetch are not part of the data.
        recorded = frame.attrs[KEY]["environment"] == "file"
        about = {
            **frame.attrs[KEY],
            "host": "Kalshi documentation" if recorded else "simulated exchange",
        }
        about |= {"environment": "file" if recorded else "sandbox", "simulated": True, "dataset": name}
        about |= {"fetched_at": "2026-11-20T15:00:00+00:00"}
        frame.attrs = {KEY: about}
        path = folder / f"{name}.parquet"
        write_frame(path, frame, kind)
        sets[name] = {
            "file": path.name,
            "kind": kind.kind,
            "rows": len(frame),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "about": what,
        }
    manifest = {"simulated": True, "seed": SEED, "sets": sets}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")
    (folder / "README.md").write_text(_sheet(sets), "utf-8")


def _sheet(sets: dict[str, dict[str, object]]) -> str:
    rows = "\n".join(
        f"| `{name}` | {found['kind']} | {found['rows']:,} | {found['about']} |"
        for name, found in sets.items()
    )
    return f"""# Data sets

**SIMULATED.** Made by the simulated exchange of this package (seed {SEED}), not recorded from Kalshi:
the form is that of real answers, the numbers are invented. The sample order book is the invented
example that Kalshi's documentation of 2025 computes with.

```python
import kalshi_research as kr

kr.load_dataset("kxhighny_trades")
```

| name | columns of | rows | what |
|---|---|---|---|
{rows}

Quotes have a row for each move of a price, with the sizes of that moment. A row that a taker
left behind has the time of its trades; the quote that the taker met is the last one before.

Outcomes are drawn from the same beliefs that move the prices, so the prices are calibrated.
Parquet, zstd, with page checksums; `manifest.json` holds the SHA-256 of each file.
`python datasets/generate.py` makes the same bytes again (with the versions in `constraints.txt`).
"""


def main() -> int:
    """Write the data sets, or compare them with what would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        build(HERE)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        names = sorted(path.name for path in Path(folder).iterdir())
        differ = [n for n in names if (HERE / n).read_bytes() != (Path(folder) / n).read_bytes()]
    sys.stdout.write("differ: " + ", ".join(differ) + "\n" if differ else "the same\n")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
