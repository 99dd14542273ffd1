"""From fills and payouts to a ledger: what each entry locked in, in integers.

Money is in 1/1 000 000 dollar, prices in 1/10 000 dollar, counts in 1/100 contract; count × price
is money, without rounding. A position is one signed number, YES above 0. All trading is buying: who
sells YES at `p` buys NO at `1 − p`, and each pair of YES and NO pays a dollar at once.

Contracts leave a position at their average cost, rounded down to 1/1 000 000 dollar; what that cuts
off stays with the rest and is gone when the position is closed, so nothing is lost in sum.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Bools, Floats, Ints, legs, nearest, numbers, scaled
from kalshi_research.errors import FrameError, PartialDataWarning, printable, warn
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE

__all__ = ["Ledger", "amounts", "contracts", "need", "read_ledger"]

_FILLS = ("ticker", "outcome_side", "yes_price", "quantity", "fee_cost", "time")
_FILLS_MAKERS = "get_fills and read_fills make such frames"
_SETTLEMENTS = (
    "ticker", "event_ticker", "settled_time", "yes_count", "yes_total_cost", "no_count",
    "no_total_cost", "revenue", "fee_cost", "value",
)  # fmt: skip
_SETTLEMENTS_MAKERS = "get_settlements and read_settlements make such frames"
_CENT = MONEY_SCALE // 100


@dataclass
class Ledger:
    """Entries in the order of time, and what is left of each market after them.

    Attributes
    ----------
    ticker, time, is_fill, realized, fees, counts : list
        One item an entry: market; microseconds since 1970; fill or payout; locked in; fee, None
        where it is unknown; contracts traded, 0 for a payout.
    position, cost : dict
        By ticker: contracts held, and what they have cost.
    event : dict
        By ticker, where a settlement told it.
    """

    ticker: list[str] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    is_fill: list[bool] = field(default_factory=list)
    realized: list[int] = field(default_factory=list)
    fees: list[int | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    position: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    event: dict[str, str] = field(default_factory=dict)

    def add(
        self, ticker: str, time: int, realized: int, fee: int | None, *, count: int = 0, is_fill: bool
    ) -> None:
        """Write an entry."""
        self.ticker.append(ticker)
        self.time.append(time)
        self.is_fill.append(is_fill)
        self.realized.append(realized)
        self.fees.append(fee)
        self.counts.append(count)

    def entries(self) -> pd.DataFrame:
        """The entries as integers, in the order of time; fills of an instant come before payouts."""
        frame = pd.DataFrame(
            {
                "ticker": pd.Series(self.ticker, dtype="str"),
                "time": np.array(self.time, dtype=np.int64),
                "is_fill": np.array(self.is_fill, dtype=np.bool_),
                "realized": np.array(self.realized, dtype=np.int64),
                "fees": np.array([fee or 0 for fee in self.fees], dtype=np.int64),
                "unknown": np.array([fee is None for fee in self.fees], dtype=np.bool_),
                "counts": np.array(self.counts, dtype=np.int64),
            }
        )
        return frame.sort_values("time", kind="stable", ignore_index=True)


@dataclass
class _Holding:
    """One subaccount in one market."""

    position: int = 0
    cost: int = 0

    def buy(self, is_yes: bool, count: int, price: int) -> int:
        """Book a purchase of one leg; answers what it locks in."""
        held = -self.position if is_yes else self.position
        self.position += count if is_yes else -count
        self.cost += count * price
        if held <= 0:
            return 0
        pairs = min(held, count)
        before = self.cost - count * price
        removed = before * pairs // held + pairs * price
        self.cost -= removed
        return pairs * PRICE_SCALE - removed


@dataclass(frozen=True)
class _Payout:
    time: int
    yes: int
    no: int
    cost: int
    paid: int
    fee: int | None


def need(frame: Any, columns: tuple[str, ...], what: str, makers: str) -> pd.DataFrame:
    """The frame with its named index among its columns, if it has all of them.

    Raises
    ------
    FrameError
        Naming what is missing and which functions make such frames.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"{what} must be a DataFrame, not {type(frame).__name__}; {makers}")
    plain = frame.reset_index() if frame.index.name is not None else frame.reset_index(drop=True)
    missing = [name for name in columns if name not in plain.columns]
    if missing:
        raise FrameError(f"the frame of {what} lacks the column(s) {', '.join(missing)}; {makers}")
    return plain


def _grid(frame: pd.DataFrame, name: str, scale: int, what: str) -> tuple[Ints, Bools]:
    """A column as integers of ``1/scale``, and where it has something."""
    value: Floats = numbers(frame, name, what=what)
    there = np.isfinite(value)
    whole, good = nearest(np.where(there, value, 0.0), scale)
    if not good.all():
        at = int(np.argmin(good))
        raise FrameError(f"a {name} of {what} is no multiple of 1/{scale}: {value[at]} in row {at}")
    return whole, there


def amounts(frame: pd.DataFrame, name: str, what: str) -> list[int | None]:
    """Money as integers, None where there is none."""
    whole, there = _grid(frame, name, MONEY_SCALE, what)
    return [int(value) if known else None for value, known in zip(whole, there, strict=True)]


def contracts(frame: pd.DataFrame, name: str, what: str) -> list[int]:
    """Contracts of any sign as integers.

    Raises
    ------
    FrameError
        If a row has none.
    """
    whole, there = _grid(frame, name, COUNT_SCALE, what)
    if not there.all():
        raise FrameError(f"a row of {what} has no {name}: row {int(np.argmin(there))}")
    return [int(value) for value in whole]


def _microseconds(frame: pd.DataFrame, name: str, what: str) -> Ints:
    column = frame[name]
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        raise FrameError(f"the column {name} of {what} must hold times with a time zone")
    if column.isna().any():
        at = int(np.argmax(column.isna().to_numpy()))
        raise FrameError(f"a row of {what} has no {name}: row {at}; drop or complete such rows")
    found: Ints = pd.DatetimeIndex(column).as_unit("us").asi8
    return found


def _names(frame: pd.DataFrame, what: str) -> list[str]:
    found = frame["ticker"].tolist()
    if not all(isinstance(name, str) for name in found):
        raise FrameError(f"a row of {what} has no ticker, or one that is no text")
    return found


def _in_order(time: Ints) -> Ints:
    """Places from the oldest on; a list of newest first is turned round within an instant too.

    So is one of a single instant, because the exchange and `get_fills` give the newest first: a
    simulated day may have one instant only.
    """
    steps = np.diff(time)
    if np.count_nonzero(steps < 0) >= np.count_nonzero(steps > 0):
        return time.size - 1 - np.argsort(time[::-1], kind="stable")
    return np.argsort(time, kind="stable")


def read_ledger(
    fills: pd.DataFrame | None, settlements: pd.DataFrame | None, markets: pd.DataFrame | None = None
) -> Ledger:
    """Book fills and payouts, market by market.

    A market whose payout is not covered by its fills is booked from the payout alone.
    """
    ledger = Ledger()
    payouts = _payouts(settlements, ledger) if settlements is not None else {}
    trades = _trades(fills) if fills is not None else {}
    _settle_by_value(payouts, trades, markets)
    uncovered = [
        ticker
        for ticker in dict.fromkeys([*trades, *payouts])
        if not _book(ledger, ticker, trades.get(ticker, []), payouts.get(ticker, []))
    ]
    if uncovered and fills is not None:
        warn(
            f"{len(uncovered)} of {len(payouts)} settled markets, such as "
            f"{printable(uncovered[0], 60)}, paid out another position than the fills make up: "
            "those are counted by their payout alone.\n"
            "Pass all fills since the positions were opened.",
            PartialDataWarning,
        )
    return ledger


_Trade = tuple[int, int, bool, int, int, "int | None"]
"""Time, subaccount, whether YES was bought, contracts, price of that leg, fee."""


def _trades(fills: pd.DataFrame) -> dict[str, list[_Trade]]:
    frame = need(fills, _FILLS, "fills", _FILLS_MAKERS)
    time = _microseconds(frame, "time", "fills")
    is_yes = legs(frame, "outcome_side", what="fills")
    price = scaled(frame, "yes_price", PRICE_SCALE, what="fills", below=1.0)
    count = scaled(frame, "quantity", COUNT_SCALE, what="fills")
    fee, names = amounts(frame, "fee_cost", "fills"), _names(frame, "fills")
    if "subaccount_number" in frame:
        account = frame["subaccount_number"].fillna(0).to_numpy(dtype=np.int64)
    else:
        account = np.zeros(len(frame), dtype=np.int64)
    found: dict[str, list[_Trade]] = {}
    for at in _in_order(time):
        leg = int(price[at]) if is_yes[at] else PRICE_SCALE - int(price[at])
        row = (int(time[at]), int(account[at]), bool(is_yes[at]), int(count[at]), leg, fee[at])
        found.setdefault(names[at], []).append(row)
    return found


def _payouts(settlements: pd.DataFrame, ledger: Ledger) -> dict[str, list[_Payout]]:
    frame = need(settlements, _SETTLEMENTS, "settlements", _SETTLEMENTS_MAKERS)
    what = "settlements"
    time, names = _microseconds(frame, "settled_time", what), _names(frame, what)
    yes, no = (contracts(frame, f"{leg}_count", what) for leg in ("yes", "no"))
    costs = [amounts(frame, f"{leg}_total_cost", what) for leg in ("yes", "no")]
    revenue, fee, value = (amounts(frame, name, what) for name in ("revenue", "fee_cost", "value"))
    found: dict[str, list[_Payout]] = {}
    for at, (ticker, event) in enumerate(zip(names, frame["event_ticker"], strict=True)):
        paid = _paid(yes[at], no[at], revenue[at], value[at], at)
        cost = sum(leg[at] or 0 for leg in costs)
        found.setdefault(ticker, []).append(_Payout(int(time[at]), yes[at], no[at], cost, paid, fee[at]))
        if isinstance(event, str):
            ledger.event[ticker] = event
    return found


def _paid(yes: int, no: int, revenue: int | None, value: int | None, at: int) -> int:
    """What was paid out: the exchange says it to the cent, contracts times value is finer."""
    if revenue is None:
        raise FrameError(f"a row of settlements has no revenue: row {at}")
    if value is None:
        return revenue
    per_yes = value * PRICE_SCALE // MONEY_SCALE
    exact = yes * per_yes + no * (PRICE_SCALE - per_yes)
    return exact if abs(exact - revenue) < _CENT else revenue


def _settle_by_value(
    payouts: dict[str, list[_Payout]], trades: dict[str, list[_Trade]], markets: pd.DataFrame | None
) -> None:
    """Pay out what is still held in markets that are settled but whose record is gone."""
    if markets is None:
        return
    frame = need(markets, ("ticker",), "markets", "get_markets makes such frames")
    if not {"settlement_value", "settlement_time"} <= set(frame.columns):
        return
    known = frame[frame["settlement_value"].notna() & frame["settlement_time"].notna()]
    values = amounts(known, "settlement_value", "markets")
    times = _microseconds(known, "settlement_time", "markets")
    for ticker, value, time in zip(_names(known, "markets"), values, times, strict=True):
        if ticker in payouts or ticker not in trades or value is None:
            continue
        per_yes = value * PRICE_SCALE // MONEY_SCALE
        yes, no = _held(trades[ticker])
        paid = yes * per_yes + no * (PRICE_SCALE - per_yes)
        if yes or no:
            payouts[ticker] = [_Payout(int(time), yes, no, 0, paid, 0)]


def _held(rows: list[_Trade]) -> tuple[int, int]:
    """Contracts of YES and of NO that the subaccounts hold after their fills."""
    position: dict[int, int] = defaultdict(int)
    for _, account, is_yes, count, _, _ in rows:
        position[account] += count if is_yes else -count
    return (
        sum(held for held in position.values() if held > 0),
        -sum(held for held in position.values() if held < 0),
    )


def _book(ledger: Ledger, ticker: str, trades: list[_Trade], payouts: list[_Payout]) -> bool:
    """Enter one market; says whether its payouts are covered by its fills."""
    if payouts:
        paid_out = sum(row.yes for row in payouts), sum(row.no for row in payouts)
        if _held(trades) != paid_out:
            for row in payouts:
                ledger.add(ticker, row.time, row.paid - row.cost, row.fee, is_fill=False)
            ledger.position[ticker] = ledger.cost[ticker] = 0
            return False
    holdings: dict[int, _Holding] = defaultdict(_Holding)
    charged: int | None = 0
    for time, account, is_yes, count, price, fee in trades:
        realized = holdings[account].buy(is_yes, count, price)
        ledger.add(ticker, time, realized, fee, count=count, is_fill=True)
        charged = None if fee is None or charged is None else charged + fee
    cost = sum(holding.cost for holding in holdings.values())
    if payouts:
        # The record repeats the fees of the fills; what it has beyond them is the payout's own.
        total = sum(row.fee or 0 for row in payouts)
        own = 0 if charged is None else max(0, total - charged)
        paid = sum(row.paid for row in payouts)
        ledger.add(ticker, payouts[-1].time, paid - cost, own, is_fill=False)
        ledger.position[ticker] = ledger.cost[ticker] = 0
    else:
        ledger.position[ticker] = sum(holding.position for holding in holdings.values())
        ledger.cost[ticker] = cost
    return True
