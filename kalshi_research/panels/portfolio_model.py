"""What the portfolio panel knows: money, positions, orders, fills, and what is not accounted for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import traitlets

from kalshi_research.analysis import mark_positions, market_fee_terms
from kalshi_research.market_data import get_event, get_markets, get_series
from kalshi_research.market_data.tiers import exchange_time
from kalshi_research.panels.jobs import Painter
from kalshi_research.panels.order_words import sentence
from kalshi_research.panels.shared_reads import reads_of
from kalshi_research.panels.visibility import Watched
from kalshi_research.panels.words import NOTHING, capital, contracts, dollars, moment, money
from kalshi_research.portfolio import get_fills
from kalshi_research.trading import OrderTerms, cancel_order
from kalshi_research.trading.desk import desk_of
from kalshi_research.trading.placing import resolve
from kalshi_research.trading.settling import settle_changes

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.panels.jobs import Jobs
    from kalshi_research.trading import OrderReport
    from kalshi_research.trading.journal import Intent

__all__ = ["PortfolioModel"]

_EVERY = 10.0
"""Seconds after which the account is looked at again [s]."""
_FILLS: Final = 50
_SEEN: Final = {
    "ACKED": "It is on the exchange",
    "REJECTED": "The exchange refused it",
    "NOT_PLACED": "It had no effect",
}


class PortfolioModel(Watched):
    """One account as it is now.

    Parameters
    ----------
    client : Client
    jobs : Jobs
        All requests are sent from there, one after the other.

    Attributes
    ----------
    summary : str
        Money at hand and what the positions are worth.
    state : str
        As of when all of this is, by the clock of the exchange.
    positions, orders, fills, lost : list of dict
        Rows of a `Table`; `lost` is what the journal cannot account for.
    result, note : str
        What became of what was clicked, and what went wrong.
    result_kind : {"", "good", "warn"}
    busy : bool
    views : int or None
        In how many places it can be seen; with 0 nothing is asked for. None: not counted.
    """

    summary = traitlets.Unicode()
    state = traitlets.Unicode()
    positions: traitlets.List[dict[str, Any]] = traitlets.List()
    orders: traitlets.List[dict[str, Any]] = traitlets.List()
    fills: traitlets.List[dict[str, Any]] = traitlets.List()
    lost: traitlets.List[dict[str, Any]] = traitlets.List()
    result = traitlets.Unicode()
    result_kind = traitlets.Enum(("", "good", "warn"), "")
    note = traitlets.Unicode()
    busy = traitlets.Bool(False)

    def __init__(self, client: Client, jobs: Jobs) -> None:
        super().__init__()
        self.client = client
        self._jobs = jobs
        self._now = datetime.now(UTC)
        self._resting: dict[str, str] = {}
        self._houses: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
        self._painter: Painter | None = None
        if client.signed:
            self._painter = Painter(self._look_again, rate=1 / _EVERY, idle=_EVERY)
            self.observe(self._painter.soon, "views")
            self.observe(self._painter.rest_or_resume, "resting")
        else:
            self.note = "This client has no key, so it has no portfolio."

    def close(self) -> None:
        """Look at the account no more."""
        if self._painter is not None:
            self._painter.close()

    # --- looking ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for everything again."""
        self._ask(0.0)

    def _look_again(self) -> None:
        self.look_around()
        if self.is_watched and not self._jobs.busy:
            self._ask(_EVERY / 4)

    def _ask(self, within: float) -> None:
        if self.client.signed:
            self.busy = True
            self._jobs.do(lambda: self._fetch(within), self._loaded, self._failed)

    def _fetch(self, within: float = 0.0) -> dict[str, Any]:
        client = self.client
        desk = desk_of(client)
        account = reads_of(client).account(within=within)  # looks for what is not accounted for
        held = account.positions[account.positions["position"] != 0]
        markets = get_markets(client, list(held.index), progress=False) if len(held) else None
        return {
            "balance": account.balance,
            "positions": account.positions,
            "marks": None
            if markets is None
            else mark_positions(held, markets, terms=self._terms(markets)),
            "markets": markets,
            "orders": account.orders,
            "lost": [
                intent
                for intent in desk.journal.open_intents()
                if not desk.journal.is_busy(intent, desk.pace.now())
            ],
            "fills": get_fills(client, max_rows=_FILLS, progress=False),
            "time": exchange_time(client).to_pydatetime(),
        }

    def _terms(self, markets: pd.DataFrame) -> pd.DataFrame:
        """What selling each market would cost."""
        for ticker in markets["event_ticker"].unique():
            if ticker not in self._houses:
                event = get_event(self.client, ticker)
                self._houses[ticker] = event, get_series(self.client, event["series_ticker"].iloc[0])
        events, series = zip(*(self._houses[name] for name in markets["event_ticker"]), strict=True)
        return market_fee_terms(markets, _together(events), _together(series))

    def _loaded(self, found: dict[str, Any]) -> None:
        self._now = found["time"]
        with self.hold_trait_notifications():
            self.busy, self.note = False, ""
            self.state = f"as of {self._now:%d %b %H:%M:%S} UTC".lstrip("0")
            self.summary = _summary(found)
            self.positions = [] if found["marks"] is None else _positions(found)
            self._list(found["orders"])
            self.fills = [_fill(key, row, self._now) for key, row in found["fills"].iterrows()]
            self.lost = [_lost(intent) for intent in found["lost"]]

    def _list(self, orders: pd.DataFrame) -> None:
        known = orders[orders["state"] != "unknown"]
        self._resting = {str(key): str(ticker) for key, ticker in known["ticker"].items()}
        self.orders = [
            {
                "key": key,
                "label": f"{row['action']} {row['outcome']} at {dollars(row['price'])}, {row['ticker']}",
                "cells": [
                    row["ticker"],
                    f"{row['action']} {str(row['outcome']).upper()}",
                    dollars(row["price"]),
                    f"{contracts(row['filled'])} of {contracts(row['quantity'])}",
                    row["state"],
                    row["placed_by"],
                    "Cancel",
                ],
            }
            for key, row in known.iterrows()
        ]

    # --- doing ------------------------------------------------------------------------------------

    def cancel(self, order_id: str) -> None:
        """Cancel a resting order, and say what it ended as.

        Parameters
        ----------
        order_id : str
            Of a row of `orders`.
        """
        ticker = self._resting.get(order_id)
        if ticker is None:
            return
        self.busy = True
        self._jobs.do(
            lambda: cancel_order(self.client, order_id, ticker=ticker), self._settled, self._refused
        )

    def seek(self, key: str) -> None:
        """Look again for something of which nothing is known.

        Parameters
        ----------
        key : str
            Of a row of `lost`.
        """
        if key not in [row["key"] for row in self.lost]:
            return
        self.busy = True
        self._jobs.do(lambda: self._sought(key), self._settled, self._refused)

    def _sought(self, key: str) -> OrderReport | str:
        desk = desk_of(self.client)
        intent = desk.journal.get(key)
        if intent is None or intent.act == "create":
            return resolve(desk, key)
        found = settle_changes(desk, [key], desk.pace.seconds(desk.pace.patience))[key]
        words = _SEEN.get(found.state, "It is still not known whether it had an effect")
        return f"{capital(_meant(intent))}: {words}{f' ({found.note})' if found.note else ''}."

    def _settled(self, outcome: OrderReport | str) -> None:
        reads_of(self.client).changed()
        self._say(outcome if isinstance(outcome, str) else sentence(outcome), "good")
        self.refresh()

    def _refused(self, error: BaseException) -> None:
        reads_of(self.client).changed()
        self._say(str(error), "warn")
        self.refresh()

    def _say(self, text: str, kind: str) -> None:
        self.busy = False
        with self.hold_trait_notifications():
            self.result_kind, self.result = kind, text

    def _failed(self, error: BaseException) -> None:
        self.busy = False
        self.note = str(error)
        if self.state and "not current" not in self.state:
            self.state += " · not current"


def _together(frames: tuple[pd.DataFrame, ...]) -> pd.DataFrame:
    whole = pd.concat(frames)
    return whole[~whole.index.duplicated()]


def _summary(found: dict[str, Any]) -> str:
    positions, marks = found["positions"], found["marks"]
    words = [f"{money(found['balance'])} to spend"]
    if marks is not None:
        words.append(_worth(marks))
    realized, fees = positions["realized_pnl"].sum(), positions["fees_paid"].sum()
    if len(positions):
        words.append(f"realised {_signed(realized)} before fees of {money(fees)}")
    return " · ".join(words)


def _worth(marks: pd.DataFrame) -> str:
    """What the positions are worth; what nobody bids for is named, not taken for nothing."""
    valued = marks["unrealized_pnl"].notna()
    words = (
        f"positions bring {money(marks['value_bid'].sum())} if sold now "
        f"({_signed(marks['unrealized_pnl'].sum())} after fees)"
    )
    if not valued.any():
        words = "nobody bids for the positions"
    elif not valued.all():
        words += f", {int((~valued).sum())} of {len(marks)} without a bid left out"
    return words


def _positions(found: dict[str, Any]) -> list[dict[str, Any]]:
    titles = found["markets"]["yes_sub_title"]
    rows = []
    for ticker, mark in found["marks"].iterrows():
        held = float(mark["position"])
        numbers = ["cost", "bid", "mid", "value_bid", "unrealized_pnl", "unrealized_pnl_mid"]
        values = [None if pd.isna(mark[name]) else float(mark[name]) for name in numbers]
        title = titles.get(ticker)
        means = title if isinstance(title, str) else NOTHING
        rows.append(
            {
                "key": ticker,
                "cells": [
                    ticker,
                    means,
                    f"{contracts(abs(held))} {'YES' if held > 0 else 'NO'}",
                    money(values[0]),
                    dollars(mark["bid"]),
                    dollars(mark["mid"]),
                    money(values[3]),
                    _signed(values[4]),
                    _signed(values[5]),
                ],
                "order": [ticker, means, held, *values],
            }
        )
    return rows


def _fill(key: Any, row: Any, now: datetime) -> dict[str, Any]:
    leg = str(row["outcome_side"])
    price = row["yes_price"] if leg == "yes" else row["no_price"]
    role = "taker" if row["is_taker"] else "maker"
    numbers = [_number(value) for value in (price, row["quantity"], row["fee_cost"])]
    return {
        "key": key,
        "cells": [
            moment(row["time"], now),
            row["ticker"],
            leg.upper(),
            dollars(price),
            contracts(row["quantity"]),
            f"${dollars(row['fee_cost'])}" if pd.notna(row["fee_cost"]) else NOTHING,
            role,
        ],
        "order": [row["time"].timestamp(), row["ticker"], leg, *numbers, role],
    }


def _lost(intent: Intent) -> dict[str, Any]:
    meant = _meant(intent)
    sent = (
        f"{datetime.fromtimestamp(intent.sent_at, UTC):%d %b %H:%M:%S} UTC".lstrip("0")
        if intent.sent_at
        else "never seen to leave"
    )
    return {"key": intent.key, "label": meant, "cells": [meant, sent, intent.key, "Look for it again"]}


def _meant(intent: Intent) -> str:
    """What somebody wanted, in words."""
    if intent.act == "create":
        return OrderTerms.restored(intent.terms).sentence
    ticker = intent.terms.get("ticker", "")
    return f"{intent.act} order {intent.order_id}{f' in {ticker}' if ticker else ''}"


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _signed(amount: Any) -> str:
    """Money with its sign, which a gain has too."""
    if amount is None or pd.isna(amount):
        return NOTHING
    return f"+{money(amount)}" if round(float(amount), 2) > 0 else money(amount)
