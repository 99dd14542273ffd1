"""Markets: the contracts one can trade, with their quotes and outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import InputError, NotFoundError, quoted
from kalshi_research.market_data.arguments import (
    MARKET_STATUSES,
    TICKERS_A_REQUEST,
    Tickers,
    Time,
    check_client,
    check_ticker,
    choice,
    chunks,
    resume_cursor,
    row_cap,
    ticker_list,
    time_window,
    timestamp,
    unix_ceil,
    unix_floor,
)
from kalshi_research.market_data.cache import cached
from kalshi_research.market_data.news import Known, known_items
from kalshi_research.market_data.tiers import cutoff, has_history
from kalshi_research.market_data.walks import Collection, Row, Test, Walk
from kalshi_research.provenance import note
from kalshi_research.schemas import MARKETS

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client

__all__ = ["get_market", "get_markets", "search_markets"]

_WINDOWS = {
    # Kalshi's name of the window: (status filters it goes with, column it is about)
    "created": ((None, "unopened", "open"), "created_time"),
    "close": ((None, "closed"), "close_time"),
    "settled": ((None, "settled"), "settlement_time"),
    "updated": ((None,), "updated_time"),
}
_SEARCHED = ("ticker", "event_ticker", "title", "subtitle", "yes_sub_title", "no_sub_title")


def get_markets(
    client: Client,
    tickers: Tickers | None = None,
    *,
    event_ticker: Tickers | None = None,
    series_ticker: Tickers | None = None,
    status: str | None = None,
    min_created_ts: Time | None = None,
    max_created_ts: Time | None = None,
    min_close_ts: Time | None = None,
    max_close_ts: Time | None = None,
    min_settled_ts: Time | None = None,
    max_settled_ts: Time | None = None,
    min_updated_ts: Time | None = None,
    max_updated_ts: Time | None = None,
    mve_filter: str | None = "exclude",
    historical: bool | None = None,
    newer_than: str | Time | pd.DataFrame | None = None,
    max_rows: int | None = None,
    cursor: str = "",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Markets with their quotes, from both the live and the historical tier.

    Parameters
    ----------
    client : Client
    tickers : str, iterable of str or frame, optional
        These markets, in whatever state they are.
    event_ticker, series_ticker : str, iterable of str or frame, optional
        All markets of these events, or of these series. Give one of the three at most.
    status : {"unopened", "open", "paused", "closed", "settled"}, optional
        The exchange's filter. (Answers use other words: `active`, `finalized`, ...)
    min_created_ts, max_created_ts : time, optional
        Window of the creation, lower end inclusive, upper end exclusive, as in all windows
        here. Only one window at a time; this one goes with ``unopened``, ``open`` or no status.
    min_close_ts, max_close_ts : time, optional
        Window of the close; goes with ``closed`` or no status.
    min_settled_ts, max_settled_ts : time, optional
        Window of the settlement; goes with ``settled`` or no status.
    min_updated_ts, max_updated_ts : time, optional
        Window of the last change; goes with no status.
    mve_filter : {"exclude", "only"} or None
        Combo markets (``KXMVE...``) are left out unless asked for; they outnumber all others.
    historical : bool, optional
        Whether to ask the tier of settled markets older than the cutoff. By default it is
        asked where the question reaches there: for tickers the live tier does not know, for
        events and series, for ``status="settled"``, and for a window of creation, close or
        settlement that begins before the cutoff. The list of all markets is that of the
        live tier, unless this is True.
    newer_than : ticker, time or frame of markets, optional
        Return only markets created after it.
    max_rows : int, optional
        At most this many rows, newest first. ``attrs["kalshi"]["complete"]`` says whether it cut.
    cursor : str
        Of a `PaginationError`: go on where that call broke off.
    progress : bool, optional
        Show a progress bar on work of several pages.

    Returns
    -------
    pandas.DataFrame
        Indexed by ticker, in the exchange's order (newest first). A side of the book
        that is empty has no price (NaN), whatever sentinel the wire sends.

        ==========================  ===================  ===============================================
        column                      dtype                meaning
        ==========================  ===================  ===============================================
        ticker                      str                  index: market
        event_ticker                str                  event it belongs to
        title                       str                  question; deprecated by the exchange
        yes_sub_title               str                  what YES stands for
        no_sub_title                str                  what NO stands for
        status                      str                  state of its life
        yes_bid                     float64              best bid for YES, `yes_bid_dollars` [dollars]
        yes_ask                     float64              best ask for YES, `yes_ask_dollars` [dollars]
        last_price                  float64              last traded price of YES, `last_price_dollars`
                                                         [dollars]
        volume                      float64              traded so far, `volume_fp` [contracts]
        open_interest               float64              outstanding, `open_interest_fp` [contracts]
        yes_bid_size                float64              at the best bid for YES, `yes_bid_size_fp`
                                                         [contracts]
        yes_ask_size                float64              at the best ask for YES, `yes_ask_size_fp`
                                                         [contracts]
        no_bid                      float64              best bid for NO, `no_bid_dollars` [dollars]
        no_ask                      float64              best ask for NO, `no_ask_dollars` [dollars]
        previous_yes_bid            float64              best bid for YES 24 hours before,
                                                         `previous_yes_bid_dollars` [dollars]
        previous_yes_ask            float64              best ask for YES 24 hours before,
                                                         `previous_yes_ask_dollars` [dollars]
        previous_price              float64              last price of YES 24 hours before,
                                                         `previous_price_dollars` [dollars]
        volume_24h                  float64              traded in the last 24 hours, `volume_24h_fp`
                                                         [contracts]
        created_time                datetime64[us, UTC]  creation [UTC]
        updated_time                datetime64[us, UTC]  last change that was no trade [UTC]
        open_time                   datetime64[us, UTC]  start of trading [UTC]
        close_time                  datetime64[us, UTC]  end of trading, unless closed early [UTC]
        expected_expiration_time    datetime64[us, UTC]  when the outcome is expected [UTC]
        latest_expiration_time      datetime64[us, UTC]  when the outcome is known at the latest [UTC]
        expiration_time             datetime64[us, UTC]  deprecated by the exchange [UTC]
        occurrence_time             datetime64[us, UTC]  when the event happened or happens,
                                                         `occurrence_datetime` [UTC]
        settlement_time             datetime64[us, UTC]  payout, `settlement_ts` [UTC]
        fee_waiver_expiration_time  datetime64[us, UTC]  end of a fee waiver [UTC]
        result                      str                  yes, no or scalar; empty until determined
        settlement_value            float64              paid for one YES contract,
                                                         `settlement_value_dollars` [dollars]
        settlement_floor            float64              the least a YES contract pays,
                                                         `settlement_floor_dollars` [dollars]
        expiration_value            str                  the observation that decided; empty until known
        strike_type                 str                  how the strikes are meant
        floor_strike                float64              lower strike, in units of the observation
        cap_strike                  float64              upper strike, in units of the observation
        functional_strike           str                  payout as a function of the observation
        custom_strike               str                  strike of another kind
        market_type                 str                  binary or scalar
        subtitle                    str                  deprecated by the exchange
        price_level_structure       str                  label of the price grid
        price_ranges                str                  price grid: bands with start, end, step
        notional_value              float64              what a winning contract pays,
                                                         `notional_value_dollars` [dollars]
        settlement_bounds_type      str                  bounds of the payout
        settlement_timer_seconds    Int64                from determination to payout [s]
        can_close_early             boolean              may close before close_time
        early_close_condition       str                  what closes it early
        is_provisional              boolean              removed if nothing happens in it
        primary_participant_key     str                  key of the participant it is about
        mve_collection_ticker       str                  collection of a combo market
        mve_selected_legs           str                  legs of a combo market
        exchange_index              Int64                shard it lives on
        rules_primary               str                  terms
        rules_secondary             str                  further terms
        ==========================  ===================  ===============================================

    Raises
    ------
    InputError
        For filters that do not go together; nothing is sent.
    PaginationError
        If the walk broke off; carries the rows so far and the cursor to go on from.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> client = kr.connect("sandbox")
    >>> markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")
    >>> two_sided = markets.dropna(subset=["yes_bid", "yes_ask"])
    >>> bool((two_sided["yes_bid"] < two_sided["yes_ask"]).all())
    True
    """
    check_client(client)
    resume_cursor(cursor)
    target, names = _target(tickers, event_ticker, series_ticker)
    choice(status, MARKET_STATUSES, "status")
    _check_historical(historical, status)
    choice(mve_filter, ("exclude", "only"), "mve_filter")
    window = _window(
        {
            "created": (min_created_ts, max_created_ts),
            "close": (min_close_ts, max_close_ts),
            "settled": (min_settled_ts, max_settled_ts),
            "updated": (min_updated_ts, max_updated_ts),
        },
        status,
    )
    if window and window[0] == "updated":
        _check_updated(target, mve_filter)
    known = None
    if newer_than is not None:
        known = known_items(newer_than, MARKETS, id_field="ticker")
        _check_news(target, status, known)
    question: dict[str, Any] = {
        "target": target,
        "names": names,
        "status": status,
        "window": window,
        "mve_filter": None if target == "tickers" else mve_filter,
        "historical": historical,
        "max_rows": row_cap(max_rows),
    }
    settled = target == "tickers" or (
        status == "settled" and window is not None and window[2] is not None
    )
    return cached(
        client,
        MARKETS,
        question,
        cacheable=settled and known is None and not cursor,
        is_final=lambda frame: bool((frame["status"] == "finalized").all()),
        fetch=lambda: _fetch(client, question, known=known, cursor=cursor, show_progress=progress),
    )


def get_market(client: Client, ticker: str) -> pd.DataFrame:
    """One market, wherever it lives by now.

    Parameters
    ----------
    client : Client
    ticker : str

    Returns
    -------
    pandas.DataFrame
        One row, with the columns of `get_markets`.

    Raises
    ------
    NotFoundError
        If neither tier knows the ticker.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> kr.get_market(kr.connect("sandbox"), "KXHIGHNY-26NOV20-B39.5").index.tolist()
    ['KXHIGHNY-26NOV20-B39.5']
    """
    check_client(client)
    name = check_ticker(ticker)
    rows = Collection(
        client,
        MARKETS,
        endpoint="/markets/{ticker}",
        question={"ticker": name},
        context={"dialect": client.dialect},
    )
    try:
        rows.add_one(f"/markets/{name}", "market", "markets", "live")
    except NotFoundError:
        if not has_history(client):
            raise
        rows.add_one(f"/historical/markets/{name}", "market", "markets", "historical")
    return rows.frame(asked={name})


def search_markets(
    client: Client,
    text: str,
    *,
    status: str | None = "open",
    event_ticker: Tickers | None = None,
    series_ticker: Tickers | None = None,
    mve_filter: str | None = "exclude",
    max_rows: int | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Markets whose ticker, title or outcome contains every word of `text`.

    The exchange has no such search, so all markets that pass the filters are read and
    looked through here: on the whole exchange that is more than a hundred pages. Narrow
    it down by series or event where you can. The tier of old settled markets is looked
    through where `get_markets` would ask it.

    Parameters
    ----------
    client : Client
    text : str
        Words; upper and lower case are the same.
    status, event_ticker, series_ticker, mve_filter, max_rows, progress
        As for `get_markets`.

    Returns
    -------
    pandas.DataFrame
        The columns of `get_markets`.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> found = kr.search_markets(kr.connect("sandbox"), "fed", status=None)
    >>> len(found) > 0
    True
    """
    check_client(client)
    if not isinstance(text, str) or not text.split():
        raise InputError("text must hold at least one word to look for")
    words = text.casefold().split()
    target, names = _target(None, event_ticker, series_ticker)
    question: dict[str, Any] = {
        "target": target,
        "names": names,
        "status": choice(status, MARKET_STATUSES, "status"),
        "window": None,
        "mve_filter": choice(mve_filter, ("exclude", "only"), "mve_filter"),
        "historical": None,
        "max_rows": row_cap(max_rows),
        "words": words,
    }

    def mentions(row: Row) -> bool:
        said = " ".join(str(row.get(name) or "") for name in _SEARCHED).casefold()
        return all(word in said for word in words)

    return _fetch(client, question, show_progress=progress, keep=mentions)


def _target(
    tickers: Tickers | None, event_ticker: Tickers | None, series_ticker: Tickers | None
) -> tuple[str, list[str]]:
    given = {
        "tickers": (tickers, "ticker", ("ticker",)),
        "event_ticker": (event_ticker, "event ticker", ("event_ticker",)),
        "series_ticker": (series_ticker, "series ticker", ("series_ticker",)),
    }
    chosen = [name for name, (value, *_) in given.items() if value is not None]
    if len(chosen) > 1:
        raise InputError(f"{' and '.join(chosen)} exclude each other: give one of them")
    if not chosen:
        return "", []
    return next(
        (name, ticker_list(value, what, columns))
        for name, (value, what, columns) in given.items()
        if value is not None
    )


Window = tuple[str, "pd.Timestamp | None", "pd.Timestamp | None"]


def _window(windows: dict[str, tuple[Time | None, Time | None]], status: str | None) -> Window | None:
    given = {kind: ends for kind, ends in windows.items() if ends != (None, None)}
    if not given:
        return None
    if len(given) > 1:
        raise InputError(
            f"the windows {' and '.join(given)} exclude each other: "
            "the exchange takes one kind at a time"
        )
    kind, ends = next(iter(given.items()))
    allowed = _WINDOWS[kind][0]
    if status not in allowed:
        words = " or ".join("no status" if s is None else f"status={s!r}" for s in allowed)
        raise InputError(f"a window of {kind} times goes with {words}, not with status={status!r}")
    return (kind, *time_window(*ends, (f"min_{kind}_ts", f"max_{kind}_ts")))


def _check_historical(historical: object, status: str | None) -> None:
    if historical is not None and not isinstance(historical, bool):
        raise InputError(f"historical must be True, False or None, not {quoted(historical, 40)}")
    if historical and status not in (None, "settled"):
        raise InputError(
            f"historical=True does not go with status={status!r}: "
            "the historical tier holds settled markets only"
        )


def _check_updated(target: str, mve_filter: str | None) -> None:
    if target not in ("", "series_ticker"):
        raise InputError(f"min_updated_ts and max_updated_ts do not go with {target}")
    if mve_filter != "exclude":
        raise InputError("min_updated_ts and max_updated_ts go with mve_filter='exclude' only")


def _check_news(target: str, status: str | None, known: Known) -> None:
    if target == "tickers":
        raise InputError("newer_than asks what is new in a list; it does not go with tickers")
    if known.since is not None and status not in (None, "unopened", "open"):
        raise InputError(
            f"status={status!r} is not listed by creation, "
            "so newer_than needs a ticker or an earlier frame"
        )


def _fetch(
    client: Client,
    question: dict[str, Any],
    *,
    known: Known | None = None,
    cursor: str = "",
    show_progress: bool | None = None,
    keep: Test | None = None,
) -> pd.DataFrame:
    rows = Collection(
        client,
        MARKETS,
        endpoint="/markets",
        question=question,
        max_rows=question["max_rows"],
        cursor=cursor,
        show_progress=show_progress,
        context={"dialect": client.dialect},
    )
    by_name = question["target"] == "tickers"
    walks = (
        _walks_by_name(client, rows, question)
        if by_name
        else _walks_by_filter(client, rows, question, known)
    )
    for walk in walks:
        rows.walk(replace(walk, keep=_both(walk.keep, keep)))
    frame = rows.frame(asked=question["names"] if by_name else None, all_expected=by_name)
    if known is not None:
        known.warn_unless(rows.met or rows.capped, len(frame))
    return _inside(frame, question["window"])


def _walks_by_name(client: Client, rows: Collection, question: dict[str, Any]) -> Iterator[Walk]:
    names: list[str] = question["names"]
    status = question["status"]
    for i, some in enumerate(chunks(names, TICKERS_A_REQUEST)):
        params = {"tickers": ",".join(some), "status": status, **_bounds(question["window"])}
        yield Walk(f"live:{i}", "/markets", "markets", params)
    wanted = question["historical"] is not False and has_history(client)
    if not wanted or status not in (None, "settled") or rows.full:
        return
    found = set(rows.so_far().index)
    missing = [name for name in names if name not in found]
    for i, some in enumerate(chunks(missing, TICKERS_A_REQUEST)):
        params = {"tickers": ",".join(some)}
        keep = _within(question["window"])
        yield Walk(f"historical:{i}", "/historical/markets", "markets", params, keep=keep)


def _walks_by_filter(
    client: Client, rows: Collection, question: dict[str, Any], known: Known | None
) -> Iterator[Walk]:
    target, status, window = question["target"], question["status"], question["window"]
    stop = None if known is None else known.stop
    dated = window is not None and window[0] != "updated"
    reaches_back = (
        known is None and status in (None, "settled") and (bool(target) or status == "settled" or dated)
    )
    if question["historical"] is not None:
        reaches_back = question["historical"]
    combos_only = _is_combo if question["mve_filter"] == "only" else None
    boundary: pd.Timestamp | None = None
    asked = False
    for name in question["names"] or ["*"]:
        where = {target: name} if target else {}
        params = {"status": status, "mve_filter": question["mve_filter"], **where, **_bounds(window)}
        yield Walk(f"live:{name}", "/markets", "markets", params, stop=stop)
        if rows.full or not reaches_back:
            continue
        if not asked:
            with rows.between():
                boundary, asked = cutoff(client, "market_settled_ts"), True
        # A market is created and closed before it is settled.
        if boundary is None or (dated and window[1] and window[1] >= boundary):
            continue
        params = {**where, "mve_filter": "exclude" if question["mve_filter"] == "exclude" else None}
        keep = _both(_within(window), combos_only)
        yield Walk(f"historical:{name}", "/historical/markets", "markets", params, keep=keep, stop=stop)


def _bounds(window: Window | None) -> dict[str, int | None]:
    if window is None:
        return {}
    kind, low, high = window
    return {f"min_{kind}_ts": unix_floor(low), f"max_{kind}_ts": unix_ceil(high)}


def _within(window: Window | None) -> Test | None:
    """Which rows lie in the window: the historical tier takes none, and a cap must not count others."""
    if window is None:
        return None
    kind, low, high = window
    wire = MARKETS.column(_WINDOWS[kind][1]).wire[0]

    def keep(row: Row) -> bool:
        when = row.get(wire)
        if not isinstance(when, str):
            return False
        instant = timestamp(when, wire)
        return (low is None or low <= instant) and (high is None or instant < high)

    return keep


def _is_combo(row: Row) -> bool:
    """The historical tier can leave combos out, but not the others."""
    return bool(row.get("mve_collection_ticker"))


def _both(first: Test | None, second: Test | None) -> Test | None:
    if first is None or second is None:
        return first or second
    return lambda row: first(row) and second(row)


def _inside(frame: pd.DataFrame, window: Window | None) -> pd.DataFrame:
    """Cut to the exact window: the exchange counts seconds, and the historical tier has no windows."""
    if window is None:
        return frame
    kind, low, high = window
    times = frame[_WINDOWS[kind][1]]
    inside = times.notna()
    if low is not None:
        inside &= times >= low
    if high is not None:
        inside &= times < high
    if inside.all():
        return frame
    cut: pd.DataFrame = frame[inside]
    note(cut, rows=len(cut))
    return cut
