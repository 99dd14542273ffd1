"""What a stream cannot know by listening, asked for over REST, each row once.

That is what was missed in an outage, and what stood before it began: orders that rest, and
positions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from kalshi_research.errors import KalshiError, NotFoundError, printable
from kalshi_research.market_data.tiers import exchange_time
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
_ORDERS_MARGIN = timedelta(seconds=60)
"""So much before the last look orders are asked for again: lists lag behind what was taken."""
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


@dataclass(slots=True)
class _Question:
    """What somebody wants to know of one channel.

    `tickers` are the markets, None for all; what is heard after `since` [s] counts more than the
    answer; rows from `newest` on [ms] are asked for; `first` if it is only about what stood
    before anything was heard; `awaited` if somebody waits for that.
    """

    tickers: dict[str, None] | None
    since: float
    newest: int | None
    first: bool
    awaited: bool

    def joined(self, later: _Question) -> _Question:
        """One question instead of two: no row that either asks for is left out."""
        everything = self.tickers is None or later.tickers is None
        return _Question(
            None if everything else {**(self.tickers or {}), **(later.tickers or {})},
            max(self.since, later.since),
            _older(self.newest, later.newest),
            self.first and later.first,
            self.awaited or later.awaited,
        )


def _older(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _from(newest: int | None) -> datetime | None:
    return None if newest is None else datetime.fromtimestamp((newest - _MARGIN_MS) / 1000, UTC)


class Backfill:
    """Asks in a thread of its own; of each channel of a connection at most one question waits.

    A question that comes meanwhile joins the one that waits, and one that had no answer is
    asked again with the next.

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
        self._waiting: dict[tuple[Hashable, str], _Question] = {}
        self._unanswered: dict[tuple[Hashable, str], _Question] = {}
        self._outages: dict[Hashable, int] = {}
        self._newest: dict[tuple[Hashable, str], int] = {}
        self._told_orders: dict[Hashable, datetime] = {}

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
        newest: int | None = None,
        first: bool = False,
    ) -> None:
        """Ask in the other thread; what is heard after `since` [s] counts more than the answer.

        `newest` is the time of the newest row that was heard [ms]; `first` is a question about
        what stood before anything was heard.
        """
        key = who, channel
        with self._lock:
            question = _Question(
                None if tickers is None else dict.fromkeys(tickers),
                since, _older(newest, self._newest.pop(key, None)), first, first,
            )  # fmt: skip
            unanswered = self._unanswered.pop(key, None)
            if unanswered is not None:
                question = unanswered.joined(question)
            waiting = self._waiting.get(key)
            self._waiting[key] = question if waiting is None else waiting.joined(question)
            self.known.discard(key)
            self.unsettled += first and not (waiting is not None and waiting.awaited)
            if waiting is None:
                asking = self._pool.submit(self._next, key)
                asking.add_done_callback(lambda asked: self._told(channel, asked))

    def _next(self, key: tuple[Hashable, str]) -> None:
        """Ask what waits, in the other thread."""
        who, channel = key
        with self._lock:
            question = self._waiting.pop(key)
            outages = self._outages.get(who, 0)
        answered = False
        try:
            answered = self._fetch(who, channel, question)
        finally:
            with self._lock:
                self.unsettled -= question.awaited
                if not answered:
                    question.awaited = False
                    self._unanswered[key] = question
                elif key not in self._waiting and self._outages.get(who, 0) == outages:
                    self.known.add(key)

    def _told(self, channel: str, asking: Future[None]) -> None:
        """Nothing that a question met with stays unsaid."""
        error = None if asking.cancelled() else asking.exception()
        if error is not None:
            self._failed(channel, repr(error), first=False)

    def forget(self, who: Hashable, newest: Mapping[str, int]) -> None:
        """Its connection has ended: what it knows may be old; it heard all until `newest` [ms]."""
        self.known = {each for each in self.known if each[0] != who}
        self._outages[who] = self._outages.get(who, 0) + 1
        for channel, time_ms in newest.items():
            self._newest[who, channel] = min(time_ms, self._newest.get((who, channel), time_ms))

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, who: Hashable, channel: str, question: _Question) -> bool:
        """Ask about one channel; False where there is no answer, which is told, not raised."""
        self.asked += 1
        tickers, newest = question.tickers, question.newest
        try:
            if channel == "trades":
                self._trades(None if tickers is None else list(tickers), _from(newest))
            else:
                self._rows(who, channel, question)
        except KalshiError as error:
            self._failed(channel, str(error), first=question.first)
            return False
        return True

    def _failed(self, channel: str, said: str, *, first: bool) -> None:
        self.failed += 1
        what = "what there was at the beginning" if first else "what was missed"
        self._problem(f"{channel}: {what} could not be asked for: {printable(said, 160)}")

    def _trades(self, tickers: Sequence[str] | None, since: datetime | None) -> None:
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

    def _rows(self, who: Hashable, kind: str, question: _Question) -> None:
        _, _, frame = self._ROUTES[kind]
        since = _from(question.newest)
        if kind == "orders":
            now, since = exchange_time(self._client), self._told_orders.get(who)
        bodies = [rest_row(kind, row) for row in self._listed(kind, since)]
        if kind == "orders":
            bodies += self._gone({body["order_id"] for body in bodies})
            self._told_orders[who] = now.to_pydatetime() - _ORDERS_MARGIN
        elif kind == "positions":
            bodies += self._closed({market_of(body) for body in bodies})
        markets = question.tickers
        wanted = [body for body in bodies if markets is None or market_of(body) in markets]
        keyed = [(key_of(frame, body)[1] or (), body) for body in wanted]
        with self._lock:
            taken = self._feeds.add_late(kind, keyed, question.since)
            if not question.first:
                self._feeds.backfilled += len(taken)
            for body in taken:
                self._publish(Update(kind, market_of(body), body))

    def _listed(self, kind: str, since: datetime | None) -> Iterator[Mapping[str, Any]]:
        route, key, _ = self._ROUTES[kind]
        later: dict[str, Any] = {} if since is None else {"min_ts": int(since.timestamp())}
        lists = [later] if kind == "fills" else [{}]
        if kind == "orders":  # those that came and ended meanwhile do not rest
            lists = [{"status": "resting"}, *([later] if later else [])]
        count = 0
        for params in lists:
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
