"""What a stream cannot know by listening, asked for over REST, each row once.

That is what was missed in an outage, and what stood before it began: orders that rest, and
positions.
"""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

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
    from kalshi_research.streaming.hub import Hub

__all__ = ["Backfill"]

_MARGIN_MS = 2_000
"""So much before the newest row is asked for again: rows are known by their ids."""
_ORDERS_MARGIN = timedelta(seconds=60)
"""So much before the last look orders are asked for again: lists lag behind what was taken."""
_ONE_BY_ONE = 10
"""For more markets than this the tape of all is asked for: it has fewer pages."""
_SINGLE = 100
"""Orders looked up one by one, because the list of resting ones no longer has them."""


@dataclass(slots=True)
class _Question:
    """What somebody wants to know of one channel.

    `tickers` are the markets, None for all; what is heard after `since` [s] counts more than the
    answer; rows from `newest` on [ms] are asked for; `first` if it is only about what stood
    before anything was heard; `awaited` if somebody waits for that; `outage` is the number of
    the connection's last one, for an answer to a question from before it proves nothing.
    """

    tickers: dict[str, None] | None
    since: float
    newest: int | None
    first: bool
    awaited: bool
    outage: int

    def joined(self, later: _Question) -> _Question:
        """One question instead of two: no row that either asks for is left out."""
        everything = self.tickers is None or later.tickers is None
        return _Question(
            None if everything else {**(self.tickers or {}), **(later.tickers or {})},
            max(self.since, later.since),
            self._beginning(later),
            self.first and later.first,
            self.awaited or later.awaited,
            later.outage,
        )

    def _beginning(self, later: _Question) -> int | None:
        """Of two outages the first; None, a time that nobody knows, is before all others."""
        if self.first or later.first:
            return later.newest if self.first else self.newest
        return None if self.newest is None or later.newest is None else min(self.newest, later.newest)


def _from(newest: int | None) -> datetime | None:
    return None if newest is None else datetime.fromtimestamp((newest - _MARGIN_MS) / 1000, UTC)


class Backfill:
    """Asks in a thread of its own; of each channel of a connection at most one question waits.

    A question that comes meanwhile joins the one that waits. One that had no answer is asked
    again with the next, and by itself after pauses that grow, while its connection stands.

    Attributes
    ----------
    failed : int
        Questions that got no answer.
    asked : int
        Questions.
    unsettled : int
        Questions about what stood at the beginning that are still under way.
    known : set
        Who has missed nothing of which kind, or has asked for it with success, since its last
        outage.
    """

    _ROUTES: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "fills": ("/portfolio/fills", "fills", "fill"),
        "orders": ("/portfolio/orders", "orders", "user_order"),
        "positions": ("/portfolio/positions", "market_positions", "market_position"),
    }

    def __init__(self, client: Client, feeds: Feeds, hub: Hub) -> None:
        self._client = client
        self._feeds = feeds
        self._lock = hub.lock
        self._problem = hub.problem
        self._publish = hub.publish
        self._options = hub.options
        self._limit = int(hub.options.rows)
        self._pool = ThreadPoolExecutor(1, "kalshi-backfill")
        self.failed = self.asked = self.unsettled = 0
        self.known: set[tuple[Hashable, str]] = set()
        self._running: tuple[Hashable, str] | None = None
        self._waiting: dict[tuple[Hashable, str], _Question] = {}
        self._unanswered: dict[tuple[Hashable, str], _Question] = {}
        self._due: dict[tuple[Hashable, str], float] = {}
        self._tries: dict[tuple[Hashable, str], int] = {}
        self._nowhere: set[str] = set()
        self._outages: dict[Hashable, int] = {}
        self._heard_until: dict[tuple[Hashable, str], int | None] = {}
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
            is_broken = key in self._heard_until
            question = _Question(
                None if tickers is None else dict.fromkeys(tickers),
                since, self._heard_until.pop(key, newest), first and not is_broken, first,
                self._outages.get(who, 0),
            )  # fmt: skip
            unanswered = self._unanswered.pop(key, None)
            if unanswered is not None:
                question = unanswered.joined(question)
            waiting = self._waiting.get(key)
            self.known.discard(key)
            self._due.pop(key, None)
            self.unsettled += first and not (waiting is not None and waiting.awaited)
            if waiting is None:
                self._put(key, question)
            else:
                self._waiting[key] = waiting.joined(question)

    def again(self, who: Hashable, now: float) -> None:
        """Ask once more what had no answer, where its time has come; `who` is connected."""
        for key in [key for key, due in self._due.items() if key[0] == who and now >= due]:
            del self._due[key]
            self._put(key, self._unanswered.pop(key))

    def nothing_missed(self, who: Hashable, channel: str) -> bool:
        """All of a channel is heard; False if a part of it missed something before."""
        key = who, channel
        with self._lock:
            is_asked = key in self._waiting or key in self._unanswered or key == self._running
            if is_asked or key in self._heard_until:
                return False
            self.known.add(key)
            return True

    def _put(self, key: tuple[Hashable, str], question: _Question) -> None:
        self._waiting[key] = question
        asking = self._pool.submit(self._next, key)
        asking.add_done_callback(lambda asked: self._told(key, asked))

    def _next(self, key: tuple[Hashable, str]) -> None:
        """Ask what waits, in the other thread."""
        with self._lock:
            question = self._waiting.pop(key)
            self._running = key
        answered = False
        try:
            answered = self._fetch(key, question)
        finally:
            with self._lock:
                self._running = None
                self.unsettled -= question.awaited
                question.awaited = False
                waiting = self._waiting.get(key)
                lasting = self._outages.get(key[0], 0) == question.outage
                if not answered and waiting is not None:
                    self._waiting[key] = question.joined(waiting)
                elif not answered:
                    self._unanswered[key] = question
                    if lasting:  # after an outage it joins the question that follows
                        self._due[key] = time.monotonic() + self._pause(key)
                elif waiting is None and lasting:
                    self.known.add(key)
                    self._tries.pop(key, None)

    def _pause(self, key: tuple[Hashable, str]) -> float:
        """How long a question rests: longer each time that it failed, never in step [s]."""
        tries, options = self._tries.get(key, 0), self._options
        longest: float = min(options.backoff * 2 ** min(max(tries - 1, 0), 16), options.most_backoff)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311

    def _told(self, key: tuple[Hashable, str], asking: Future[None]) -> None:
        """Nothing that a question met with stays unsaid."""
        error = None if asking.cancelled() else asking.exception()
        if error is not None:
            self._failed(key, repr(error), first=False)

    def interrupted(self, who: Hashable, channel: str, newest: int | None) -> None:
        """A channel is heard no longer; all until `newest` was [ms], None if nobody knows the time."""
        if self.covers(channel):  # of two outages before a question the first counts
            self._heard_until.setdefault((who, channel), newest)

    def forget(self, who: Hashable) -> None:
        """Its connection has ended: what it knows may be old."""
        self.known = {each for each in self.known if each[0] != who}
        self._due = {key: due for key, due in self._due.items() if key[0] != who}
        self._outages[who] = self._outages.get(who, 0) + 1

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, key: tuple[Hashable, str], question: _Question) -> bool:
        """Ask about one channel; False where there is no answer, which is told, not raised."""
        who, channel = key
        self.asked += 1
        tickers, newest = question.tickers, question.newest
        try:
            if channel != "trades":
                return self._rows(who, channel, question)
            self._trades(None if tickers is None else list(tickers), _from(newest))
        except KalshiError as error:
            self._failed(key, str(error), first=question.first)
            return False
        return True

    def _failed(self, key: tuple[Hashable, str], said: str, *, first: bool) -> None:
        """Told unless it failed before: it may be asked for many times until there is an answer."""
        self.failed += 1
        with self._lock:
            tries = self._tries[key] = self._tries.get(key, 0) + 1
        if tries == 1:
            what = "what there was at the beginning" if first else "what was missed"
            self._problem(
                f"{key[1]}: {what} could not be asked for; it is asked for again: {printable(said, 160)}"
            )

    def _cut(self, channel: str) -> None:
        """More was missed than is kept of a kind: nobody will know the rest."""
        with self._lock:
            self._feeds.missed.add(channel)
        self._problem(f"{channel}: more than {self._limit:,} rows were missed; the oldest are left out")

    def _trades(self, tickers: Sequence[str] | None, since: datetime | None) -> None:
        if since is None:  # no message told its time: nobody knows since when to ask
            with self._lock:
                self._feeds.missed.add("trades")
            return
        single = tickers is not None and len(tickers) <= _ONE_BY_ONE
        wanted = None if tickers is None else set(tickers)
        for ticker in tickers or () if single else (None,):
            decoder = TRADES.decoder()
            params = {"min_ts": int(since.timestamp()), "ticker": ticker}
            for page in self._client.pages("/markets/trades", "trades", params=params):
                if decoder.rows >= self._limit:
                    self._cut("trades")
                    break
                decoder.add(page.body)
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

    def _rows(self, who: Hashable, kind: str, question: _Question) -> bool:
        """Ask for other rows than trades; False where some of it is left for another time."""
        _, _, frame = self._ROUTES[kind]
        since = _from(question.newest)
        if kind == "orders":
            now = exchange_time(self._client)
            with self._lock:
                is_heard = (who, kind) not in self._heard_until
                since = self._told_orders.get(who, since)
        listed, is_whole = self._listed(kind, since, ended=not question.first)
        bodies = [rest_row(kind, row) for row in listed]
        is_all = True
        if kind == "orders":
            gone, is_all = self._gone({body["order_id"] for body in bodies})
            bodies += gone
            is_all = is_all or not is_whole  # behind the cut they rest: one look has to do
            if is_heard or not question.first:  # else what ended in an outage was not asked for
                self._told_orders[who] = now.to_pydatetime() - _ORDERS_MARGIN
        elif kind == "positions" and is_whole:
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
        return is_all

    def _listed(
        self, kind: str, since: datetime | None, *, ended: bool
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Rows of a kind, and whether all that stands now is among them.

        With `ended` orders that came and ended meanwhile, which do not rest, are there too.
        """
        route, key, _ = self._ROUTES[kind]
        later: dict[str, Any] = {} if since is None else {"min_ts": int(since.timestamp())}
        lists = [later] if kind == "fills" else [{}]
        if kind == "orders":
            lists = [{"status": "resting"}, *([later] if ended else [])]
        rows: list[Mapping[str, Any]] = []
        for params in lists:
            for page in self._client.pages(route, key, params=params, limit=1000):
                for row in page.json()[key]:
                    if len(rows) >= self._limit:
                        self._cut(kind)
                        return rows, params is not lists[0]
                    rows.append(row)
        return rows, True

    def _closed(self, listed: set[str]) -> list[dict[str, Any]]:
        """Positions that were there when they were last heard of, and are listed no longer."""
        with self._lock:
            known = [*self._feeds.rows["positions"].values()]
        ended = (closed_position(body) for body in known if market_of(body) not in listed)
        return [body for body in ended if body is not None]

    def _gone(self, resting: set[str]) -> tuple[list[dict[str, Any]], bool]:
        """Orders that rested when they were last heard of, and do so no longer; whether all of them."""
        with self._lock:
            known = [
                body["order_id"]
                for body in self._feeds.rows["orders"].values()
                if body.get("status") == "resting"
                and body["order_id"] not in resting
                and body["order_id"] not in self._nowhere
            ]
        found = []
        for order_id in known[:_SINGLE]:
            try:
                answer = self._client.request("GET", f"/portfolio/orders/{order_id}")
            except NotFoundError:
                self._nowhere.add(order_id)
                with self._lock:
                    self._feeds.missed.add("orders")
                self._problem(f"orders: the exchange no longer knows {printable(order_id, 60)}")
                continue
            found.append(rest_row("orders", answer["order"]))
        return found, len(known) <= _SINGLE
