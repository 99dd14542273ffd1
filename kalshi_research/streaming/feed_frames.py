"""The rows that a stream keeps, as frames: trades, what is one's own, figures, and life cycles."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from kalshi_research.provenance import KEY
from kalshi_research.schemas.stream_rows import row_frame
from kalshi_research.streaming import frames
from kalshi_research.streaming.consumers import Consumed

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.schemas.stream import Delta
    from kalshi_research.streaming.engine import Engine

__all__ = ["FeedFrames"]


class FeedFrames(Consumed):
    """A stream, as far as its rows are read."""

    _engine: Engine

    def trades(self) -> pd.DataFrame:
        """The newest trades, each once, oldest first.

        Trades of an outage are asked for over REST as soon as the stream stands again, and
        until there is an answer again and again, after pauses that grow.

        Returns
        -------
        pandas.DataFrame
            The columns of `get_trades`; then the quote that each trade met, the last one
            strictly before it: `yes_bid`, `yes_bid_size`, `yes_ask`, `yes_ask_size` (float64) and
            `quote_time`, missing where it is not known; then `received` (UTC) and `is_late`:
            the trade was asked for after an outage. ``attrs["kalshi"]["complete"]`` says whether
            every trade since the first subscription is there: not in an outage, nor after it
            until there is an answer, nor once old ones were dropped (`StreamOptions.rows`).
        """
        with self._engine.lock:
            rows, is_whole = list(self._engine.feeds.trades.values()), self._engine.knows("trades")
        frame = frames.taped(rows)
        frame.attrs[KEY] = self._source("trades/1", len(frame), complete=is_whole)
        return frame

    def own_changes(self) -> pd.DataFrame:
        """Changes of books that orders of this account made.

        Returns
        -------
        pandas.DataFrame
            Indexed by time: `ticker`, `side`, `price`, `change` and `client_order_id`. Those of an
            outage cannot be asked for: ``attrs["kalshi"]["complete"]`` is False from then on.
        """
        with self._engine.lock:
            rows, is_whole = list(self._engine.feeds.own), self._engine.knows("books")
        frame = frames.own_changes(rows)
        frame.attrs[KEY] = self._source("own_changes/1", len(frame), complete=is_whole)
        return frame

    def own_changes_after(self, change: Delta | None = None) -> list[Delta]:
        """Changes of books that orders of this account made, without a frame, oldest first.

        Parameters
        ----------
        change : Delta, optional
            The last one that is known: what came after it. By default all that are kept.

        Returns
        -------
        list of Delta
            What `own_changes` makes a frame of, in integers: `ticker`, `side` (1 for a bid of the
            NO leg), `price` of that leg [1/10 000 $] and `change` [1/100 contracts].
        """
        with self._engine.lock:
            newest = takewhile(lambda each: each is not change, reversed(self._engine.feeds.own))
            return list(newest)[::-1]

    def fills(self) -> pd.DataFrame:
        """The newest fills of this account, each once, indexed by trade id.

        As with `trades`, those of an outage are asked for until there is an answer.

        Returns
        -------
        pandas.DataFrame
            ``attrs["kalshi"]["complete"]`` says whether every fill since the first subscription is
            there: not in an outage, nor after it until there is an answer.
        """
        return self._row_frame("fills")

    def orders(self) -> pd.DataFrame:
        """The newest state of each order of this account, indexed by order id.

        Those that rest when the stream begins are asked for over REST, one row each, and are
        there after `wait`; from then on the stream changes them and adds new ones. After an
        outage they are asked for again. An order that has ended stays, with its last state.

        Returns
        -------
        pandas.DataFrame
            ``attrs["kalshi"]["complete"]`` is False while there is no answer, or an outage.
        """
        return self._row_frame("orders")

    def positions(self) -> pd.DataFrame:
        """The newest state of each position of this account, indexed by ticker.

        As with `orders`, those that `get_positions` gives when the stream begins are there
        after `wait`; REST tells fewer columns of them, the others are missing until a fill. A
        position that was closed in an outage is 0 afterwards.

        Returns
        -------
        pandas.DataFrame
            ``attrs["kalshi"]["complete"]`` is False while there is no answer, or an outage.
        """
        return self._row_frame("positions")

    def tickers(self) -> pd.DataFrame:
        """The newest figures of each market, indexed by ticker: prices, volume, open interest."""
        return self._row_frame("tickers")

    def lifecycle(self) -> pd.DataFrame:
        """What became of markets and events, indexed by the time of receipt.

        Returns
        -------
        pandas.DataFrame
            What happened in an outage cannot be asked for: ``attrs["kalshi"]["complete"]`` is False
            from then on.
        """
        return self._row_frame("lifecycle")

    def _row_frame(self, kind: str) -> pd.DataFrame:
        with self._engine.lock:
            bodies, is_whole = list(self._engine.feeds.rows[kind].values()), self._engine.knows(kind)
        frame = row_frame(kind, bodies, {})
        frame.attrs[KEY] = self._source(f"stream_{kind}/1", len(frame), complete=is_whole)
        return frame
