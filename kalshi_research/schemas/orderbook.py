"""Order books: ladders of bids to a frame of levels, seen from the YES leg.

The exchange sends two ladders of bids, one for YES and one for NO. A bid for NO at
``q`` is an offer of YES at ``1 - q``, so the NO ladder becomes the asks. The complement
is taken on integers and divided once, which gives the double nearest to the exact price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from kalshi_research.errors import DecodeError, DriftWarning, InputError, printable, quoted, warn
from kalshi_research.money import MONEY_SCALE
from kalshi_research.provenance import KEY
from kalshi_research.schemas.columns import Column
from kalshi_research.schemas.plan import ABSENT, read_objection
from kalshi_research.schemas.schema import Kind
from kalshi_research.schemas.values import UnreadableError, read

__all__ = ["ORDERBOOKS", "OrderbookDecoder", "OrderbookSchema"]

Ints: TypeAlias = npt.NDArray[np.int64]
Pairs: TypeAlias = Sequence[Sequence[Any]]

_SIDES = pd.Index(["bid", "ask"], dtype="str")
_LARGEST = 1e9
"""More contracts than this at one price are no order book."""


class _Levels(NamedTuple):
    """Levels of a few books as arrays; `book` is the place of the ticker in the decoder."""

    book: Ints
    is_ask: Ints
    price: Ints
    quantity: Ints


@cache
def _page_decoder(*, numbers: bool, tolerant: bool) -> Any:
    """Decodes an answer with one book or several.

    `numbers` takes JSON numbers in today's ladders, `tolerant` takes unknown fields.
    """
    mixed = list[tuple[float | str, float | str]]
    options: dict[str, Any] = {"gc": False, "forbid_unknown_fields": not tolerant}
    today: Any = mixed if numbers else list[tuple[str, str]]

    def ladders(name: str, kinds: Mapping[str, Any]) -> Any:
        fields = [(key, kind | None | msgspec.UnsetType, ABSENT) for key, kind in kinds.items()]
        return msgspec.defstruct(name, fields, **options) | None

    book = ladders("Today", {"yes_dollars": today, "no_dollars": today})
    old = ladders("Old", {"yes": mixed, "no": mixed, "yes_dollars": mixed, "no_dollars": mixed})
    fields = [("orderbook_fp", book, None), ("orderbook", old, None)]
    entry = msgspec.defstruct("Entry", [("ticker", str), *fields], **options)
    several = list[entry] | None | msgspec.UnsetType  # type: ignore[valid-type]
    page = msgspec.defstruct("Page", [*fields, ("orderbooks", several, ABSENT)], gc=False)
    return msgspec.json.Decoder(page).decode


class OrderbookDecoder:
    """Gathers answers of the order-book routes into one frame of levels.

    Parameters
    ----------
    tickers : iterable of str, optional
        The markets asked for, in this order; then an answer for another one is refused.

    Attributes
    ----------
    rows : int
        Levels added so far.
    missing : list of str
        Tickers asked for that no answer has come for.
    duplicates : int
        Books left out because one of the same market had come before.

    Examples
    --------
    >>> from kalshi_research.schemas import ORDERBOOKS
    >>> decoder = ORDERBOOKS.decoder(tickers=["A"])
    >>> yes, no = '[["0.4200", "3.00"]]', '[["0.5600", "5.00"]]'
    >>> decoder.add(f'{{"orderbook_fp": {{"yes_dollars": {yes}, "no_dollars": {no}}}}}'.encode())
    2
    >>> decoder.frame({})[["side", "price", "quantity"]]
      side  price  quantity
    0  bid   0.42       3.0
    1  ask   0.44       5.0
    """

    def __init__(self, tickers: Iterable[str] | None = None) -> None:
        asked = list(dict.fromkeys(tickers)) if tickers is not None else []
        self._closed = tickers is not None
        self._places = {ticker: place for place, ticker in enumerate(asked)}
        self._came: set[str] = set()
        self._parts: list[_Levels] = []
        self._notes: dict[str, str] = {}
        self._numbers = False
        self._told = 0
        self.rows = 0
        self.duplicates = 0

    @property
    def drift(self) -> list[str]:
        """What the exchange sent that this version does not know."""
        return list(self._notes.values())

    @property
    def missing(self) -> list[str]:
        """Tickers asked for that no answer has come for."""
        return [ticker for ticker in self._places if ticker not in self._came]

    def add(self, body: bytes, *, ticker: str | None = None) -> int:
        """Add one answer; `ticker` is the market of an answer that does not name it.

        Returns
        -------
        int
            The number of levels in it.

        Raises
        ------
        DecodeError
            If the answer is not what the protocol promises; then the decoder is as before.
        """
        notes = dict(self._notes)
        page = self._parse(body, notes)
        named = [
            (entry.ticker, entry)
            for entry in ([] if page.orderbooks is ABSENT else page.orderbooks) or []
        ]
        if page.orderbook_fp is not None or page.orderbook is not None:
            named.append((self._name(ticker), page))
        elif page.orderbooks is ABSENT:
            raise DecodeError("the answer has no `orderbook_fp`: this is not an order book", where="$")
        places, came, ladders, duplicates = dict(self._places), set(self._came), [], 0
        for name, entry in named:
            if name in came:
                duplicates += 1
                continue
            if name not in places and self._closed:
                raise DecodeError(
                    f"the exchange answered for {printable(name, 60)}, which was not asked for; "
                    "nothing of it is used"
                )
            came.add(name)
            place = places.setdefault(name, len(places))
            ladders += [(place, side, pairs, cents) for side, pairs, cents in _sides(entry, name, notes)]
        part = _levels(ladders)
        self._places, self._came, self._notes = places, came, notes
        self._parts.append(part)
        self.duplicates += duplicates
        self.rows += part.book.size
        return int(part.book.size)

    def _name(self, ticker: str | None) -> str:
        if ticker is not None:
            return ticker
        if self._closed and len(self._places) == 1:
            return next(iter(self._places))
        raise InputError("this order book does not name its market: pass ticker=")

    def _parse(self, body: bytes, notes: dict[str, str]) -> Any:
        tolerant = False
        while True:
            try:
                return _page_decoder(numbers=self._numbers, tolerant=tolerant)(body)
            except msgspec.ValidationError as error:
                found = read_objection(str(error), {})
                if found and found.kind == "unknown" and not tolerant:
                    tolerant = True
                    notes[found.name] = f"new field `{printable(found.name, 64)}`"
                elif (
                    found
                    and found.got in ("int", "float")
                    and "_dollars" in found.where
                    and not self._numbers
                ):
                    self._numbers = True
                    notes["numbers"] = "prices or quantities of `orderbook_fp` come as numbers"
                else:
                    raise DecodeError(
                        f"an order book has another form: {printable(error, 160)}"
                    ) from None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise DecodeError(f"the answer is not JSON: {printable(error, 120)}") from None

    def frame(self, provenance: Mapping[str, Any]) -> pd.DataFrame:
        """All levels added so far; warns once of what has drifted."""
        parts = [np.concatenate(arrays) for arrays in zip(_NONE, *self._parts, strict=True)]
        frame = _arrange(_Levels(*parts), list(self._places))
        frame.attrs[KEY] = dict(provenance)
        fresh = self.drift[self._told :]
        self._told = len(self._notes)
        if fresh:
            warn(
                "order books: the exchange sent what this version does not know: "
                f"{'; '.join(fresh[:8])}",
                DriftWarning,
            )
        return frame


def _sides(entry: Any, name: str, notes: dict[str, str]) -> list[tuple[int, Pairs, bool]]:
    """The ladders of a book, dollars before cents: is it the NO one, its pairs, are they cents."""
    book = entry.orderbook_fp if entry.orderbook_fp is not None else entry.orderbook
    if book is None:
        raise DecodeError(
            f"the book of {printable(name, 60)} has no `orderbook_fp`", where="$.orderbooks"
        )
    sides: list[tuple[int, Pairs, bool]] = []
    absent = 0
    for is_no, leg in enumerate(("yes", "no")):
        dollars = getattr(book, f"{leg}_dollars")
        cents = getattr(book, leg, ABSENT)
        absent += dollars is ABSENT and cents is ABSENT
        if dollars is not ABSENT and dollars is not None:
            sides.append((is_no, dollars, False))
            if cents is not ABSENT and not _agree(dollars, cents or []):
                notes[leg] = f"`{leg}_dollars` and `{leg}` disagree (the first is used)"
        elif cents is not ABSENT and cents is not None:
            sides.append((is_no, cents, True))
    if absent == 2 and notes:
        raise DecodeError(
            f"required fields `yes_dollars` and `no_dollars` of the book of {printable(name, 60)} are "
            "missing, perhaps renamed by the exchange"
        )
    return sides


def _agree(dollars: Pairs, cents: Pairs) -> bool:
    """Whether both ladders say the same, but for what cents and whole contracts cut off."""
    if len(dollars) != len(cents):
        return False
    exact, rough = np.asarray(dollars, dtype=float), np.asarray(cents, dtype=float)
    if not exact.size:
        return True
    return bool(np.all(np.abs(exact * [100, 1] - rough) < 1 - 1e-9))


def _levels(ladders: Sequence[tuple[int, int, Pairs, bool]]) -> _Levels:
    """The levels of ladders as integers, each ladder turned round: the exchange sends the best last."""
    lengths = np.array([len(pairs) for _, _, pairs, _ in ladders], dtype=np.int64)
    ends = np.cumsum(lengths)
    turned = np.repeat(2 * ends - lengths - 1, lengths) - np.arange(lengths.sum())
    price, quantity = _whole(ladders, lengths)[:, turned]
    book = np.repeat(np.array([place for place, *_ in ladders], dtype=np.int64), lengths)
    is_no = np.repeat(np.array([side for _, side, *_ in ladders], dtype=np.int64), lengths)
    levels = _Levels(book, is_no, np.where(is_no == 1, MONEY_SCALE - price, price), quantity)
    return levels if quantity.all() else _Levels(*(array[quantity > 0] for array in levels))


def _whole(ladders: Sequence[tuple[int, int, Pairs, bool]], lengths: Ints) -> Ints:
    """Prices and quantities of all ladders, in millionths."""
    flat = list(chain.from_iterable(chain.from_iterable(pairs for _, _, pairs, _ in ladders)))
    try:
        price, quantity = read("count", flat).to_numpy(zero_copy_only=False).reshape(-1, 2).T
    except UnreadableError as error:
        raise DecodeError(
            f"an order book holds {quoted(error.value, 60)} where a number belongs"
        ) from None
    if any(cents for *_, cents in ladders):
        in_cents = np.repeat(np.array([cents for *_, cents in ladders], dtype=bool), lengths)
        in_cents &= np.fromiter((not isinstance(value, str) for value in flat[::2]), bool, price.size)
        price = np.where(in_cents, price / 100, price)
    exact = np.stack((price, quantity)) * MONEY_SCALE
    # Not "if any is bad": a missing number compares as False.
    if not ((exact >= 0).all() and (price <= 1).all() and (quantity <= _LARGEST).all()):
        raise DecodeError("an order book holds an impossible price or quantity; nothing of it is used")
    whole = np.rint(exact)
    if (np.abs(exact - whole) > 1e-3 + 1e-15 * exact).any():
        raise DecodeError("an order book holds a price or quantity finer than a millionth")
    result: Ints = whole.astype(np.int64)
    return result


_NOTHING: Ints = np.empty(0, dtype=np.int64)
_NONE = _Levels(_NOTHING, _NOTHING, _NOTHING, _NOTHING)


def _arrange(levels: _Levels, tickers: list[str]) -> pd.DataFrame:
    """Order the levels, best first in each side, and count them up."""
    depth = np.where(levels.is_ask == 1, levels.price, MONEY_SCALE - levels.price)
    place = (2 * levels.book + levels.is_ask) * (2 * MONEY_SCALE) + depth
    if (np.diff(place) < 0).any():  # the answers came in another order than asked
        order = np.argsort(place, kind="stable")
        levels = _Levels(*(array[order] for array in levels))
    book, is_ask, price, quantity = levels
    segment = 2 * book + is_ask
    first = np.flatnonzero(np.diff(segment, prepend=-1))
    length = np.diff(first, append=segment.size)
    running = np.cumsum(quantity)
    before = np.repeat((running - quantity)[first], length)
    return pd.DataFrame(
        {
            "ticker": pd.Categorical.from_codes(book, pd.Index(tickers, dtype="str")),
            "side": pd.Categorical.from_codes(is_ask, _SIDES),
            "level": np.arange(segment.size, dtype=np.int64) - np.repeat(first, length),
            "price": price / MONEY_SCALE,
            "quantity": quantity / MONEY_SCALE,
            "cumulative": (running - before) / MONEY_SCALE,
        }
    )


@dataclass(frozen=True, kw_only=True)
class OrderbookSchema(Kind):
    """The columns of a frame of levels: several rows for each object on the wire."""

    def decoder(self, tickers: Iterable[str] | None = None) -> OrderbookDecoder:
        """A new decoder; see `OrderbookDecoder`."""
        return OrderbookDecoder(tickers)

    def empty(self) -> pd.DataFrame:
        """A frame of no levels with the dtypes of a full one."""
        return _arrange(_NONE, [])


ORDERBOOKS = OrderbookSchema(
    kind="orderbooks",
    version=1,
    columns=(
        Column("ticker", "label", "market; the categories are all markets asked for", ("ticker",)),
        Column("side", "label", "bid or ask, of the YES leg", known=("bid", "ask")),
        Column("level", "rank", "place in its side, 0 for the best"),
        Column(
            "price",
            "dollars",
            "of the YES leg",
            ("orderbook_fp.yes_dollars", "orderbook_fp.no_dollars"),
            ("orderbook.yes", "orderbook.no"),
        ),
        Column(
            "quantity",
            "count",
            "at this price",
            ("orderbook_fp.yes_dollars", "orderbook_fp.no_dollars"),
            ("orderbook.yes", "orderbook.no"),
        ),
        Column("cumulative", "count", "from the best price to this one"),
    ),
)
