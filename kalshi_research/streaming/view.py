"""What a stream and a poll have in common: books, quotes and their status as frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from kalshi_research.book import quotes as quotes_of
from kalshi_research.errors import InputError, printable
from kalshi_research.market_data.arguments import Tickers, ticker_list
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE
from kalshi_research.provenance import KEY, provenance
from kalshi_research.streaming import frames

if TYPE_CHECKING:
    from kalshi_research.client import Client
    from kalshi_research.streaming.books import Levels

__all__ = ["BookView", "Quote", "Sight", "quote"]

_NAN = float("nan")
_READABLE = frozenset({"live", "sampled"})


class Quote(NamedTuple):
    """The top of a book now, of the YES leg; NaN where a side is empty or the book is not live.

    Attributes
    ----------
    status : str
    bid, bid_size, ask, ask_size : float
        [dollars], [contracts].
    age : float
        Since the book was last known to be right [s].
    """

    status: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    age: float

    @property
    def mid(self) -> float:
        """Half way between bid and ask [dollars]."""
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> float:
        """Ask less bid [dollars]."""
        return round(self.ask - self.bid, 4)


class Sight(NamedTuple):
    """One book at one moment, in integers: what a reader may know of it.

    Attributes
    ----------
    status, reason : str
        As in `BookView.status`.
    age : float
        Since the book was last known to be right [s].
    levels : Levels or None
        ``bids`` and ``asks`` of the YES leg, best first, each a price [1/10 000 $] and a count
        [1/100 contracts], as in `kalshi_research.money`; None where the book has no numbers.
    seq, clock : int
        Of the exchange; -1 where unknown.
    """

    status: str
    reason: str
    age: float
    levels: Levels | None
    seq: int = -1
    clock: int = -1

    @property
    def is_readable(self) -> bool:
        """Whether its levels are what the market is, or was when it was sampled."""
        return self.status in _READABLE


class BookView(ABC):
    """Books that are looked at: the part that streams and polls share."""

    _client: Client
    _endpoint: str

    @property
    @abstractmethod
    def markets(self) -> list[str]:
        """The markets that are followed, in order; empty where all are."""

    @abstractmethod
    def _sights(self, tickers: Sequence[str], *, whole: bool = True) -> list[Sight]:
        """The books of these markets, or only the tops of them, all at one moment."""

    def _followed(self, tickers: Tickers | None) -> list[str]:
        mine = self.markets
        if tickers is None:
            return mine
        names, known = ticker_list(tickers), set(mine)
        strange = [name for name in names if name not in known]
        if strange:
            raise InputError(
                f"{printable(strange[0], 60)} is not followed here; add it with add([...]), "
                f"or choose among {printable(', '.join(mine[:5]), 160)}"
                f"{' …' if len(mine) > 5 else ''}"
            )
        return names

    @property
    def client(self) -> Client:
        """Whose markets they are."""
        return self._client

    def sight(self, ticker: str) -> Sight:
        """One book as integers, without a frame: for what is drawn many times a second.

        Parameters
        ----------
        ticker : str
            One of the markets that are followed.

        Returns
        -------
        Sight
            What `book` makes a frame of.
        """
        return self._sights(self._followed([ticker]))[0]

    def book(self, ticker: str) -> pd.DataFrame:
        """One order book, with the columns of `get_orderbook`.

        Parameters
        ----------
        ticker : str
            One of the markets that are followed.

        Returns
        -------
        pandas.DataFrame
            Without rows where the book is not live, so that `quotes` and everything else
            computed from it is NaN. ``attrs["kalshi"]`` has `status`, `reason`, `age` [s],
            `seq` and `clock`.
        """
        return self.books([ticker])

    def books(self, tickers: Tickers | None = None) -> pd.DataFrame:
        """Several order books of the same moment, with the columns of `get_orderbooks`.

        Parameters
        ----------
        tickers : str, iterable of str or frame, optional
            By default all that are followed.

        Returns
        -------
        pandas.DataFrame
            ``attrs["kalshi"]`` has `live`, how many of them are, and the worst `status`.
        """
        names = self._followed(tickers)
        sights = self._sights(names)
        frame = frames.book_levels(names, [sight.levels for sight in sights])
        worst = max(sights, key=_badness, default=Sight("syncing", "no markets", _NAN, None))
        frame.attrs[KEY] = self._source(
            "orderbooks/1",
            len(frame),
            complete=all(sight.is_readable for sight in sights),
            status=worst.status,
            reason=worst.reason,
            age=round(max((sight.age for sight in sights), default=_NAN), 3),
            live=sum(sight.is_readable for sight in sights),
            **({"seq": worst.seq, "clock": worst.clock} if len(sights) == 1 else {}),
        )
        return frame

    def quotes(self, tickers: Tickers | None = None) -> pd.DataFrame:
        """The top of several books at one moment.

        Parameters
        ----------
        tickers : str, iterable of str or frame, optional
            By default all that are followed.

        Returns
        -------
        pandas.DataFrame
            Indexed by ticker: the columns of `quotes`, NaN where a book is not live, then
            `status`, `reason` and `age` [s].
        """
        names = self._followed(tickers)
        sights = self._sights(names, whole=False)
        frame = frames.book_levels(names, [sight.levels for sight in sights])
        frame.attrs[KEY] = self._source(
            "quotes/1", len(names), complete=all(sight.is_readable for sight in sights)
        )
        found = quotes_of(frame)
        found["status"] = pd.array([sight.status for sight in sights], dtype="str")
        found["reason"] = pd.array([sight.reason for sight in sights], dtype="str")
        found["age"] = np.array([sight.age for sight in sights], dtype="float64").round(3)
        return found

    def best(self, ticker: str) -> Quote:
        """The top of one book now.

        Parameters
        ----------
        ticker : str
        """
        return quote(self._sights(self._followed([ticker]), whole=False)[0])

    @property
    def status(self) -> pd.DataFrame:
        """Which books are live, indexed by ticker: `status`, `reason`, `age` [s], `seq`, `clock`."""
        names = self.markets
        sights = self._sights(names, whole=False)
        return pd.DataFrame(
            {
                "status": pd.array([sight.status for sight in sights], dtype="str"),
                "reason": pd.array([sight.reason for sight in sights], dtype="str"),
                "age": np.array([sight.age for sight in sights], dtype="float64").round(3),
                "seq": _optional([sight.seq for sight in sights]),
                "clock": _optional([sight.clock for sight in sights]),
            },
            index=pd.Index(names, dtype="str", name="ticker"),
        )

    def _source(self, schema: str, rows: int, *, complete: bool, **more: Any) -> dict[str, Any]:
        client = self._client
        return provenance(
            environment=client.environment.name,
            host=client.host,
            endpoint=self._endpoint,
            fetched_at=datetime.now(UTC),
            rows=rows,
            pages=1,
            complete=complete,
            schema=schema,
            simulated=client.simulated,
            **more,
        )


_ORDER = ("live", "sampled", "stale", "syncing", "invalid")


def _badness(sight: Sight) -> int:
    return _ORDER.index(sight.status)


def quote(sight: Sight) -> Quote:
    """The top of a book as a reader gets it."""
    if sight.levels is None:
        return Quote(sight.status, _NAN, _NAN, _NAN, _NAN, sight.age)
    (bid, bid_size), (ask, ask_size) = (_first(side) for side in sight.levels)
    return Quote(sight.status, bid, bid_size, ask, ask_size, sight.age)


def _first(side: Sequence[tuple[int, int]]) -> tuple[float, float]:
    if not side:
        return _NAN, _NAN
    price, count = side[0]
    return price / PRICE_SCALE, count / COUNT_SCALE


def _optional(values: Iterable[int]) -> pd.api.extensions.ExtensionArray:
    return pd.array([value if value >= 0 else None for value in values], dtype="Int64")
