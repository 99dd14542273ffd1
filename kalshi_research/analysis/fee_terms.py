"""Which fee terms hold for which market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Ints, with_attrs
from kalshi_research.errors import FrameError, InputError, printable
from kalshi_research.fees import FeeTerms, fee_terms
from kalshi_research.provenance import KEY, combined

if TYPE_CHECKING:
    from kalshi_research.analysis.tape import Tape

__all__ = ["market_fee_terms", "terms_of_trades"]

_COLUMNS = ("fee_type", "fee_multiplier")
_WAIVER = "fee_waiver_expiration_time"


def market_fee_terms(markets: pd.DataFrame, events: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """What each market charges: the terms of its series, unless its event overrides them.

    Parameters
    ----------
    markets, events, series : DataFrame
        From `get_markets`, `get_events` and `get_series`, or their ``read_`` forms. The events
        and series of all markets must be among them.

    Returns
    -------
    DataFrame
        Indexed by ticker.

        ==========================  ===================  ======================================
        column                      dtype                meaning
        ==========================  ===================  ======================================
        fee_type                    str                  of the event, else of the series
        fee_multiplier              float64              of the event, else of the series
        fee_waiver_expiration_time  datetime64[us, UTC]  no fee before; missing without waiver
        ==========================  ===================  ======================================

    Raises
    ------
    FrameError
        If a column, an event or a series is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> markets = pd.DataFrame({"event_ticker": ["E"]}, index=pd.Index(["E-1"], name="ticker"))
    >>> events = pd.DataFrame({"series_ticker": ["S"], "fee_multiplier_override": [1.0]}, index=["E"])
    >>> series = pd.DataFrame({"fee_type": ["quadratic"], "fee_multiplier": [0.5]}, index=["S"])
    >>> market_fee_terms(markets, events, series)[["fee_type", "fee_multiplier"]].to_dict("index")
    {'E-1': {'fee_type': 'quadratic', 'fee_multiplier': 1.0}}
    """
    for frame, name, columns in (
        (markets, "markets", ("event_ticker",)),
        (events, "events", ("series_ticker",)),
        (series, "series", _COLUMNS),
    ):
        _need(frame, columns, name, f"get_{name} and read_{name} make such frames")
    event = _rows_of(events, markets["event_ticker"], "event", "events")
    house = _rows_of(series, event["series_ticker"], "series", "series")
    found = {name: _overridden(house[name], event.get(f"{name}_override")) for name in _COLUMNS}
    no_waiver = pd.Series(pd.NaT, index=markets.index, dtype="datetime64[us, UTC]")
    found[_WAIVER] = markets.get(_WAIVER, no_waiver)
    values = {name: column.array for name, column in found.items()}
    frame = with_attrs(pd.DataFrame(values, index=markets.index.rename("ticker")), markets)
    source = combined(markets, events, series)
    frame.attrs = {**frame.attrs, **({} if source is None else {KEY: source})}
    return frame


def terms_of_trades(tape: Tape, terms: FeeTerms | pd.DataFrame | None) -> tuple[list[FeeTerms], Ints]:
    """The different terms, and for each trade of the tape which of them hold."""
    if terms is None or isinstance(terms, FeeTerms):
        return [terms or FeeTerms()], np.zeros(tape.rows.size, dtype=np.int64)
    makers = "market_fee_terms makes such frames"
    _need(terms, _COLUMNS, "fee terms", f"{makers}; or give one FeeTerms for all markets")
    mine = _rows_of(terms, pd.Series(tape.names), "market", "fee terms")
    distinct: dict[FeeTerms, int] = {}
    code = np.empty(tape.names.size, dtype=np.int64)
    waived_code = np.empty(tape.names.size, dtype=np.int64)
    for at, (fee_type, multiplier) in enumerate(zip(*(mine[name] for name in _COLUMNS), strict=True)):
        general = _terms(tape.names[at], fee_type, multiplier)
        waived = FeeTerms(general.fee_type, general.multiplier, waived=True)
        code[at] = distinct.setdefault(general, len(distinct))
        waived_code[at] = distinct.setdefault(waived, len(distinct))
    until = np.zeros(tape.names.size, dtype=np.int64)
    if _WAIVER in mine:
        until = _until(mine[_WAIVER])
    is_waived = tape.time < until[tape.market]
    return list(distinct), np.where(is_waived, waived_code[tape.market], code[tape.market])


def _terms(ticker: str, fee_type: Any, multiplier: Any) -> FeeTerms:
    try:
        return fee_terms(str(fee_type), float(multiplier))
    except InputError as error:
        raise FrameError(f"the fee terms of {printable(ticker, 60)} cannot be used: {error}") from None


def _until(column: pd.Series) -> Ints:
    """The end of each waiver in microseconds since 1970, long ago where there is none."""
    if not isinstance(column.dtype, pd.DatetimeTZDtype) and column.notna().any():
        raise FrameError(f"the column {_WAIVER} of fee terms must hold times with a time zone")
    times = pd.DatetimeIndex(column.astype("datetime64[us, UTC]"))
    return np.where(times.isna(), np.iinfo(np.int64).min, times.as_unit("us").asi8)


def _overridden(own: pd.Series, override: pd.Series | None) -> pd.Series:
    """What the event says, where it says something."""
    if override is None or not override.notna().any():
        return own
    return own.where(override.isna().to_numpy(), override.array)


def _need(frame: Any, columns: tuple[str, ...], what: str, makers: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"{what} must be a DataFrame, not {type(frame).__name__}; {makers}")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise FrameError(f"the frame of {what} lacks the column(s) {', '.join(missing)}; {makers}")


def _rows_of(frame: pd.DataFrame, names: pd.Series, what: str, frame_name: str) -> pd.DataFrame:
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()][0]
        raise FrameError(f"the frame of {frame_name} has {printable(twice, 60)} more than once")
    at = frame.index.get_indexer(pd.Index(names))
    if (at < 0).any():
        absent = pd.Index(names)[at < 0].unique()
        raise FrameError(
            f"the frame of {frame_name} lacks the {what} {printable(absent[0], 60)}"
            + (f" and {absent.size - 1:,} more" if absent.size > 1 else "")
        )
    return frame.take(at)
