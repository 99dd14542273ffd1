"""Profit and loss of one's own trading, exact to the last digit of the exchange's own numbers.

Realised profit is what closing trades and payouts brought above the average cost of the contracts,
before fees; fees stand beside it, and `net_pnl` is the difference. Everything is computed in
integers and converted once.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Ints, at_instants
from kalshi_research.analysis.performance_ledger import Ledger, amounts, contracts, need, read_ledger
from kalshi_research.errors import FrameError, InputError, printable, quoted
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE
from kalshi_research.provenance import KEY, combined

__all__ = ["equity_curve", "pnl", "reconcile_pnl"]

_BY = ("market", "event", "series", "day")
_POSITIONS_MAKERS = 'get_positions(settlement_status="all") makes such frames'


def pnl(
    fills: pd.DataFrame | None = None,
    settlements: pd.DataFrame | None = None,
    *,
    by: str = "market",
    markets: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    tz: str = "UTC",
) -> pd.DataFrame:
    """Realised profit and loss, fees, and what is still open.

    Parameters
    ----------
    fills : DataFrame, optional
        Of `get_fills`: all since the positions were opened. Contracts leave a position at their
        average cost.
    settlements : DataFrame, optional
        Of `get_settlements`. A market whose payout is not that of the position its fills make up
        is counted by the payout alone, with a warning. Without fills all are.
    by : {"market", "event", "series", "day"}
        A row for each.
    markets : DataFrame, optional
        Of `get_markets`: says which event a market belongs to, and pays out settled markets whose
        settlement record the exchange no longer keeps.
    events : DataFrame, optional
        Of `get_events`: says which series an event belongs to.
    tz : str
        Time zone in which days begin.

    Returns
    -------
    DataFrame
        Indexed by ticker, event_ticker, series_ticker or day.

        ============  =======  ====================================================================
        column        dtype    meaning
        ============  =======  ====================================================================
        fills         int64    how many
        quantity      float64  traded, of either leg [contracts]
        realized_pnl  float64  locked in by closing trades and payouts, before fees [dollars]
        fees          float64  paid; missing where a fill does not tell its fee [dollars]
        net_pnl       float64  realized_pnl − fees [dollars]
        position      float64  by market only: still held, above 0 YES, below 0 NO [contracts]
        cost_basis    float64  by market only: what that has cost, without fees [dollars]
        ============  =======  ====================================================================

    Raises
    ------
    InputError
        If `by` or `tz` is unknown, or neither fills nor settlements are given.
    FrameError
        If a frame lacks a column, or does not tell the event or series of a market.

    Examples
    --------
    >>> import pandas as pd
    >>> fills = pd.DataFrame({"time": pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T16:00Z"]),
    ...     "ticker": "T", "outcome_side": ["yes", "no"], "yes_price": [0.40, 0.46],
    ...     "quantity": [10.0, 4.0], "fee_cost": [0.168, 0.0696]})
    >>> pnl(fills)[["realized_pnl", "fees", "net_pnl", "position", "cost_basis"]].to_dict("index")
    {'T': {'realized_pnl': 0.24, 'fees': 0.2376, 'net_pnl': 0.0024, 'position': 6.0, 'cost_basis': 2.4}}
    """
    if by not in _BY:
        raise InputError(f"by must be one of {list(_BY)}, not {quoted(by, 40)}")
    ledger, sources = _read(fills, settlements, markets)
    entries = ledger.entries()
    keys = _grouped(entries, by, tz, _events(ledger, markets), events)
    sums = entries.groupby(keys, sort=True).agg(
        fills=("is_fill", "sum"),
        counts=("counts", "sum"),
        realized=("realized", "sum"),
        fees=("fees", "sum"),
        unknown=("unknown", "any"),
    )
    table = pd.DataFrame(
        {
            "fills": sums["fills"].astype("int64"),
            "quantity": sums["counts"] / COUNT_SCALE,
            **_money(sums["realized"], sums["fees"], sums["unknown"]),
        }
    )
    if by == "market":
        table["position"] = [ledger.position[name] / COUNT_SCALE for name in table.index]
        table["cost_basis"] = [ledger.cost[name] / MONEY_SCALE for name in table.index]
        table = table.astype({"position": "float64", "cost_basis": "float64"})
    return _told(table, sources)


def equity_curve(
    fills: pd.DataFrame | None = None,
    settlements: pd.DataFrame | None = None,
    *,
    markets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Realised profit after fees through time, entry by entry.

    What is still open counts with its fees only, until it is closed or settled.

    Parameters
    ----------
    fills, settlements, markets : DataFrame, optional
        As for `pnl`.

    Returns
    -------
    DataFrame
        Indexed by time, oldest first.

        ============  ===================  =======================================================
        column        dtype                meaning
        ============  ===================  =======================================================
        time          datetime64[us, UTC]  index: execution or payout
        ticker        str                  market
        entry         str                  fill or settlement
        realized_pnl  float64              locked in by this entry, before fees [dollars]
        fees          float64              of this entry [dollars]
        net_pnl       float64              realized_pnl − fees [dollars]
        equity        float64              sum of net_pnl so far; missing from the first unknown
                                           fee on [dollars]
        ============  ===================  =======================================================

    Raises
    ------
    InputError, FrameError
        As for `pnl`.

    Examples
    --------
    >>> import pandas as pd
    >>> fills = pd.DataFrame({"time": pd.to_datetime(["2026-11-20T15:00Z", "2026-11-20T16:00Z"]),
    ...     "ticker": "T", "outcome_side": ["yes", "no"], "yes_price": [0.40, 0.46],
    ...     "quantity": [10.0, 4.0], "fee_cost": [0.168, 0.0696]})
    >>> equity_curve(fills)["equity"].tolist()
    [-0.168, 0.0024]
    """
    ledger, sources = _read(fills, settlements, markets)
    entries = ledger.entries()
    net = (entries["realized"] - entries["fees"]).cumsum()
    table = pd.DataFrame(
        {
            "ticker": entries["ticker"],
            "entry": pd.Series(np.where(entries["is_fill"], "fill", "settlement"), dtype="str"),
            **_money(entries["realized"], entries["fees"], entries["unknown"]),
            "equity": (net / MONEY_SCALE).mask(entries["unknown"].cummax()),
        }
    ).set_axis(at_instants(entries["time"].to_numpy()))
    return _told(table, sources)


def reconcile_pnl(table: pd.DataFrame, positions: pd.DataFrame) -> pd.DataFrame:
    """Compare one's own books with the exchange's, market by market.

    Parameters
    ----------
    table : DataFrame
        Of `pnl` by market.
    positions : DataFrame
        Of ``get_positions(settlement_status="all")``.

    Returns
    -------
    DataFrame
        Indexed by ticker. Where one side does not know a market, its numbers are missing.

        =====================  =======  ==========================================================
        column                 dtype    meaning
        =====================  =======  ==========================================================
        position               float64  from the fills [contracts]
        exchange_position      float64  of the exchange [contracts]
        realized_pnl           float64  from fills and payouts [dollars]
        exchange_realized_pnl  float64  of the exchange [dollars]
        fees                   float64  from fills and payouts [dollars]
        exchange_fees          float64  of the exchange [dollars]
        difference             float64  realized_pnl − exchange_realized_pnl [dollars]
        agrees                 bool     position, profit and fees are the same to the last digit
        =====================  =======  ==========================================================

    Raises
    ------
    FrameError
        If a frame lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> columns = {"position": [6.0], "realized_pnl": [0.24], "fees": [0.2376]}
    >>> table = pd.DataFrame(columns, index=pd.Index(["T"], name="ticker"))
    >>> bool(reconcile_pnl(table, table.rename(columns={"fees": "fees_paid"}))["agrees"].item())
    True
    """
    mine = _integers(table, "profit and loss", "fees", "pnl makes such frames")
    theirs = _integers(positions, "positions", "fees_paid", _POSITIONS_MAKERS)
    names = mine.index.union(theirs.index).rename("ticker")
    mine, theirs = mine.reindex(names), theirs.reindex(names)
    told = {}
    for part, scale in _SCALES.items():
        told[part] = mine[part] / scale
        told[f"exchange_{part}"] = theirs[part] / scale
    told["difference"] = (mine["realized_pnl"] - theirs["realized_pnl"]) / MONEY_SCALE
    found = pd.DataFrame(told).astype("float64")
    found["agrees"] = (mine == theirs).all(axis=1).to_numpy(dtype=bool)
    return _told(found, [table, positions])


_SCALES = {"position": COUNT_SCALE, "realized_pnl": MONEY_SCALE, "fees": MONEY_SCALE}


def _integers(frame: pd.DataFrame, what: str, fees: str, makers: str) -> pd.DataFrame:
    """Position, profit and fees as integers, by ticker; NaN where there is nothing."""
    plain = need(frame, ("ticker", "position", "realized_pnl", fees), what, makers)
    if plain["ticker"].duplicated().any():
        raise FrameError(f"the frame of {what} has a market twice; {makers}")
    held = contracts(plain, "position", what)
    profit, paid = (amounts(plain, name, what) for name in ("realized_pnl", fees))
    columns = {"position": held, "realized_pnl": profit, "fees": paid}
    index = pd.Index(plain["ticker"], name="ticker", dtype="str")
    return pd.DataFrame(columns, index=index, dtype="float64")


def _read(
    fills: pd.DataFrame | None, settlements: pd.DataFrame | None, markets: pd.DataFrame | None
) -> tuple[Ledger, list[pd.DataFrame]]:
    if fills is None and settlements is None:
        raise InputError("give fills, settlements, or both: get_fills and get_settlements fetch them")
    sources = [frame for frame in (fills, settlements) if frame is not None]
    return read_ledger(fills, settlements, markets), sources


def _money(realized: pd.Series, fees: pd.Series, unknown: pd.Series) -> dict[str, pd.Series]:
    return {
        "realized_pnl": realized / MONEY_SCALE,
        "fees": (fees / MONEY_SCALE).mask(unknown),
        "net_pnl": ((realized - fees) / MONEY_SCALE).mask(unknown),
    }


def _told(table: pd.DataFrame, sources: list[pd.DataFrame]) -> pd.DataFrame:
    """The table with the provenance of what it was made of."""
    routes = [str(found["endpoint"]) for frame in sources if "endpoint" in (found := _source(frame))]
    source = combined(*sources)
    if source is not None and routes:
        source["endpoint"] = " + ".join(dict.fromkeys(routes))
    table.attrs = {} if source is None else {KEY: source}
    return table


def _source(frame: pd.DataFrame) -> dict[str, object]:
    found = frame.attrs.get(KEY)
    return found if isinstance(found, dict) else {}


def _events(ledger: Ledger, markets: pd.DataFrame | None) -> dict[str, str]:
    """The event of each market, as far as anything tells it."""
    found = dict(ledger.event)
    if markets is not None:
        plain = need(markets, ("ticker", "event_ticker"), "markets", "get_markets makes such frames")
        found |= dict(zip(plain["ticker"], plain["event_ticker"], strict=True))
    return found


def _grouped(
    entries: pd.DataFrame, by: str, tz: str, event_of: dict[str, str], events: pd.DataFrame | None
) -> pd.Series:
    """What each entry is grouped by."""
    if by == "market":
        return entries["ticker"]
    if by == "day":
        return _days(entries["time"].to_numpy(), tz)
    found = _looked_up(entries["ticker"], event_of, "event", "markets=get_markets(client, tickers)")
    if by == "event":
        return found.rename("event_ticker")
    series_of: dict[str, str] = {}
    if events is not None:
        plain = need(events, ("event_ticker", "series_ticker"), "events", "get_events makes such frames")
        series_of = dict(zip(plain["event_ticker"], plain["series_ticker"], strict=True))
    found = _looked_up(found, series_of, "series", "events=get_events(client, ...)")
    return found.rename("series_ticker")


def _looked_up(names: pd.Series, of: dict[str, str], what: str, remedy: str) -> pd.Series:
    unknown = [name for name in names.unique() if not isinstance(of.get(name), str)]
    if unknown:
        raise FrameError(
            f"nothing tells the {what} of {printable(unknown[0], 60)}"
            + (f" and {len(unknown) - 1} more" if len(unknown) > 1 else "")
            + f"; pass {remedy}"
        )
    return names.map(of).astype("str")


def _days(time: Ints, tz: str) -> pd.Series:
    try:
        local = at_instants(time).tz_convert(tz)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InputError(
            f"{quoted(tz, 60)} is no time zone; use a name such as 'America/New_York'"
        ) from None
    return pd.Series(local.normalize(), name="day")
