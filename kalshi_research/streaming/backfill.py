"""What a stream cannot know by listening, asked for over REST, each row once.

That is what was missed in an outage, and what stood before it began: orders that rest, and
positions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from kalshi_research.errors import KalshiError, NotFoundError, printable
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.schemas import TRADES
from kalshi_research.schemas.stream import Trade
from kalshi_research.schemas.stream_rows import closed_position, key_of, market_of, rest_row
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


class Hub(Protocol):
    """Who gets the answers."""

    @property
    def lock(self) -> AbstractContextManager[object, None]:
        """Held while anything that others read changes."""

    def problem(self, text: str) -> None:
        """Something a person should know."""

    def publish(self, update: Update) -> None:
        """Something new for whoever listens."""


class Backfill:
    """Asks in a thread of its own.

    Attributes
    ----------
    failed : int
        Questions that got no answer.
    asked : int
        Questions.
    unsettled : int
        Questions about what stood at the beginning that are still under way.
    known : set
        Who has had an answer about which kind, since it last lost its connection.
    """

    _ROUTES: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "fills": ("/portfolio/fills", "fills", "fill"),
        "orders": ("/portfolio/orders", "orders", "user_order"),
        "positions": ("/portfolio/positions", "market_positions", "market_position"),
    }

    def __init__(self, client: Client, feeds: Feeds, hub: Hub, limit: int) -> None:
        self._client = client
        self._feeds = feeds
        self._lock = hub.lock
        self._problem = hub.problem
        self._publish = hub.publish
        self._limit = limit
        self._pool = ThreadPoolExecutor(1, "kalshi-backfill")
        self.failed = self.asked = self.unsettled = 0
        self.known: set[tuple[Hashable, str]] = set()

    @classmethod
    def covers(cls, channel: str) -> bool:
        """Whether what a channel missed can be asked for."""
        return channel == "trades" or channel in cls._ROUTES

    def ask(
        self,
        who: Hashable,
        channel: str,
        tickers: Sequence[str] | None,
        since: float,
        *,
        first: bool = False,
    ) -> None:
        """Ask in the other thread; what is heard after `since` [s] counts more than the answer.

        `first` is a question about what stood before anything was heard.
        """
        self.unsettled += first

        def answered(asking: Future[bool]) -> None:
            error = None if asking.cancelled() else asking.exception()
            with self._lock:
                self.unsettled -= first
                if error is None and not asking.cancelled() and asking.result():
                    self.known.add((who, channel))
            if error is not None:  # nothing that a question met with stays unsaid
                self._failed(channel, repr(error), first)

        asking = self._pool.submit(self.fetch, channel, tickers, since, first=first)
        asking.add_done_callback(answered)

    def forget(self, who: Hashable) -> None:
        """Its connection has ended: from now on what it knows may be old."""
        self.known = {each for each in self.known if each[0] != who}

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def fetch(
        self, channel: str, tickers: Sequence[str] | None, since: float = 0.0, *, first: bool = False
    ) -> bool:
        """Ask about one channel; False where there is no answer, which is told, not raised."""
        self.asked += 1
        try:
            if channel == "trades":
                self._trades(tickers)
            else:
                self._rows(channel, None if tickers is None else set(tickers), since, first=first)
        except KalshiError as error:
            self._failed(channel, str(error), first)
            return False
        return True

    def _failed(self, channel: str, said: str, first: bool) -> None:
        self.failed += 1
        what = "what there was at the beginning" if first else "what was missed"
        self._problem(f"{channel}: {what} could not be asked for: {printable(said, 160)}")

    def _since(self, kind: str) -> datetime | None:
        newest = self._feeds.newest.get(kind)
        return None if newest is None else datetime.fromtimestamp((newest - _MARGIN_MS) / 1000, UTC)

    def _trades(self, tickers: Sequence[str] | None) -> None:
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
            self._take(decoder.frame({}), wanted)

    def _take(self, frame: pd.DataFrame, wanted: set[str] | None) -> None:
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
                    self._publish(Update("trades", trade.ticker, trade))

    def _rows(self, kind: str, markets: set[str] | None, since: float, *, first: bool) -> None:
        _, _, frame = self._ROUTES[kind]
        bodies = [rest_row(kind, row) for row in self._listed(kind)]
        if kind == "orders":
            bodies += self._gone({body["order_id"] for body in bodies})
        elif kind == "positions":
            bodies += self._closed({market_of(body) for body in bodies})
        wanted = [body for body in bodies if markets is None or market_of(body) in markets]
        keyed = [(key_of(frame, body)[1] or (), body) for body in wanted]
        with self._lock:
            taken = self._feeds.add_late(kind, keyed, since)
            if not first:
                self._feeds.backfilled += len(taken)
            for body in taken:
                self._publish(Update(kind, market_of(body), body))

    def _listed(self, kind: str) -> Iterator[Mapping[str, Any]]:
        route, key, _ = self._ROUTES[kind]
        params: dict[str, Any] = {}
        since = self._since(kind)
        if kind == "fills" and since is not None:
            params["min_ts"] = int(since.timestamp())
        if kind == "orders":
            params["status"] = "resting"
        count = 0
        for page in self._client.pages(route, key, params=params, limit=1000):
            for row in page.json()[key]:
                yield row
                count += 1
                if count >= self._limit:
                    return

    def _closed(self, listed: set[str]) -> list[dict[str, Any]]:
        """Positions that were there when they were last heard of, and are listed no longer."""
        with self._lock:
            known = [*self._feeds.rows["positions"].values()]
        ended = (closed_position(body) for body in known if market_of(body) not in listed)
        return [body for body in ended if body is not None]

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
