"""What a stream has missed, asked for over REST and put beside what it brought, each row once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from kalshi_research.errors import KalshiError, NotFoundError, printable
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.schemas import TRADES
from kalshi_research.schemas.stream import Trade
from kalshi_research.schemas.stream_rows import key_of, market_of, rest_row
from kalshi_research.streaming.updates import Update

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from kalshi_research.client import Client
    from kalshi_research.streaming.feeds import Feeds

__all__ = ["Backfill"]

_MARGIN_MS = 2_000
"""So much before the newest row is asked for again: rows are known by their ids."""
_ONE_BY_ONE = 10
"""For more markets than this the tape of all is asked for: it has fewer pages."""
_SINGLE = 100
"""Orders looked up one by one, because the list of resting ones no longer has them."""


class Backfill:
    """Asks in a thread of its own.

    Attributes
    ----------
    failed : int
        Questions that got no answer.
    asked : int
        Questions.
    """

    _ROUTES: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "fills": ("/portfolio/fills", "fills", "fill"),
        "orders": ("/portfolio/orders", "orders", "user_order"),
        "positions": ("/portfolio/positions", "market_positions", "market_position"),
    }

    def __init__(
        self,
        client: Client,
        feeds: Feeds,
        lock: AbstractContextManager[object, None],
        problem: Callable[[str], None],
        limit: int,
    ) -> None:
        self._client = client
        self._feeds = feeds
        self._lock = lock
        self._problem = problem
        self._limit = limit
        self.failed = self.asked = 0

    @classmethod
    def covers(cls, channel: str) -> bool:
        """Whether what a channel missed can be asked for."""
        return channel == "trades" or channel in cls._ROUTES

    def fetch(
        self, channel: str, tickers: Sequence[str] | None, publish: Callable[[Update], None]
    ) -> None:
        """Ask for what one channel has missed; a failure is told, not raised."""
        self.asked += 1
        try:
            if channel == "trades":
                self._trades(tickers, publish)
            else:
                self._rows(channel, None if tickers is None else set(tickers), publish)
        except KalshiError as error:
            self.failed += 1
            self._problem(f"{channel}: what was missed could not be asked for: {printable(error, 160)}")

    def _since(self, kind: str) -> datetime | None:
        newest = self._feeds.newest.get(kind)
        return None if newest is None else datetime.fromtimestamp((newest - _MARGIN_MS) / 1000, UTC)

    def _trades(self, tickers: Sequence[str] | None, publish: Callable[[Update], None]) -> None:
        since = self._since("trades")
        if since is None:
            return  # nothing was seen before, so nothing was missed
        single = tickers is not None and len(tickers) <= _ONE_BY_ONE
        wanted = None if tickers is None else set(tickers)
        for ticker in tickers or () if single else (None,):
            decoder = TRADES.decoder()
            params = {"min_ts": int(since.timestamp()), "ticker": ticker}
            for page in self._client.pages("/markets/trades", "trades", params=params):
                decoder.add(page.body)
                if decoder.rows >= self._limit:
                    break
            self._take(decoder.frame({}), wanted, publish)

    def _take(
        self, frame: pd.DataFrame, wanted: set[str] | None, publish: Callable[[Update], None]
    ) -> None:
        for stamp, row in zip(frame.index, frame.to_dict("records"), strict=True):
            if wanted is not None and row["ticker"] not in wanted:
                continue
            trade = Trade(
                None, None, row["trade_id"], row["ticker"],
                round(row["yes_price"] * PRICE_SCALE), round(row["no_price"] * PRICE_SCALE),
                round(row["quantity"] * COUNT_SCALE), row["taker_side"],
                bool(row["is_block_trade"]), int(stamp.value // 1_000_000), -1,
            )  # fmt: skip
            with self._lock:
                if trade.trade_id not in self._feeds.trades and self._feeds.add_trade(
                    trade, None, is_late=True
                ):
                    publish(Update("trades", trade.ticker, trade))

    def _rows(self, kind: str, markets: set[str] | None, publish: Callable[[Update], None]) -> None:
        _, _, frame = self._ROUTES[kind]
        bodies = [rest_row(kind, row) for row in self._listed(kind)]
        if kind == "orders":
            bodies += self._gone({body["order_id"] for body in bodies})
        wanted = [body for body in bodies if markets is None or market_of(body) in markets]
        with self._lock:
            before = dict(self._feeds.rows[kind])
            self._feeds.add_late(kind, [(key_of(frame, body)[1] or (), body) for body in wanted])
        for body in wanted:
            if before.get(key_of(frame, body)[1]) is None:
                publish(Update(kind, market_of(body), body))

    def _listed(self, kind: str) -> Iterator[Mapping[str, Any]]:
        route, key, _ = self._ROUTES[kind]
        params: dict[str, Any] = {}
        since = self._since(kind)
        if kind == "fills" and since is not None:
            params["min_ts"] = int(since.timestamp())
        if kind == "orders":
            params["status"] = "resting"
        count = 0
        for page in self._client.pages(route, key, params=params, limit=100):
            for row in page.json()[key]:
                yield row
                count += 1
                if count >= self._limit:
                    return

    def _gone(self, resting: set[str]) -> list[dict[str, Any]]:
        """Orders that rested when they were last heard of, and do so no longer."""
        with self._lock:
            known = [
                body["order_id"]
                for body in self._feeds.rows["orders"].values()
                if body.get("status") == "resting" and body["order_id"] not in resting
            ]
        found = []
        for order_id in known[:_SINGLE]:
            try:
                answer = self._client.request("GET", f"/portfolio/orders/{order_id}")
            except NotFoundError:
                continue
            found.append(rest_row("orders", answer["order"]))
        return found
