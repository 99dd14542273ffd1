"""WebSocket frames of both dialects to events in integers: no pandas, one frame at a time.

The payload of a frame is under ``msg``, or where there is none under ``data``; a change of a
book may call itself ``orderbook_update`` there. Where a frame carries both dialects, today's is
read. A price is a text of dollars today and a number of cents in the integer dialect, a
count a text of contracts today and a number of contracts there; ``"0.45"``, ``"0.4500"``
and ``".45"`` are one price. An empty side of a snapshot is left out by the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeGuard

import msgspec

from kalshi_research.errors import DecodeError, InputError, printable
from kalshi_research.money import COUNT_SCALE, PRICE_SCALE, parse_fixed

__all__ = ["Delta", "End", "Event", "Reply", "Snapshot", "StreamDecoder", "Trade"]

Number: TypeAlias = str | int | float
Pairs: TypeAlias = list[tuple[Number, Number]]
_Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
_Millis = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
_Leg = Literal["yes", "no"]

_UNKNOWN = -1
_LARGEST = 10**9 * COUNT_SCALE
"""A change or level of more than a billion contracts is no order book."""
_SPELLINGS = 100_000


class Delta(msgspec.Struct, gc=False):
    """A signed change of one level; `side` is 0 for the YES ladder and 1 for the NO ladder.

    Price in 1/10 000 dollar, change in 1/100 contract. `time` is the exchange's text with
    microseconds, `time_ms` its milliseconds; ``""`` and -1 where a frame has none.
    """

    kind: ClassVar[Literal["delta"]] = "delta"
    sid: int
    seq: int
    ticker: str
    side: int
    price: int
    change: int
    clock: int
    time_ms: int
    time: str
    sent_ms: int
    client_order_id: str | None


class Snapshot(msgspec.Struct):
    """A whole book, as (price, count) for each leg."""

    kind: ClassVar[Literal["snapshot"]] = "snapshot"
    sid: int
    seq: int
    ticker: str
    yes: list[tuple[int, int]]
    no: list[tuple[int, int]]
    clock: int
    sent_ms: int


class Trade(msgspec.Struct, gc=False):
    """A public trade; its number on the tape is `seq`, None where the frame has none."""

    kind: ClassVar[Literal["trade"]] = "trade"
    sid: int | None
    seq: int | None
    trade_id: str
    ticker: str
    yes_price: int
    no_price: int
    count: int
    taker_side: str | None
    is_block_trade: bool | None
    time_ms: int
    sent_ms: int


class Reply(msgspec.Struct):
    """A frame without a book or trade: a reply to a command, or of a channel not read here.

    `name` is the ``type`` of the frame, `number` that of the command it answers, `body` its
    payload as it came.
    """

    kind: ClassVar[Literal["reply"]] = "reply"
    name: str
    sid: int | None
    seq: int | None
    tickers: list[str] | None
    code: int | None
    sent_ms: int
    number: int | None = None
    channel: str | None = None
    said: str = ""
    body: Mapping[str, Any] | None = None


class End(msgspec.Struct):
    """A subscription has ended, because its connection has; recordings tell it, no frame does."""

    kind: ClassVar[Literal["end"]] = "end"
    sid: int
    reason: str
    seq: None = None
    sent_ms: int = -1


Event: TypeAlias = Delta | Snapshot | Trade | Reply | End


class _Frame(msgspec.Struct, tag_field="type", gc=False):
    pass


class _DeltaBody(msgspec.Struct, gc=False):
    market_ticker: str
    side: _Leg
    price_dollars: Number | None = None
    delta_fp: Number | None = None
    price: Number | None = None
    delta: Number | None = None
    clock: _Whole | None = None
    ts: str | int | None = None
    ts_ms: _Millis | None = None
    client_order_id: str | None = None


class _DeltaFrame(_Frame, tag="orderbook_delta", gc=False):
    sid: _Whole
    seq: _Whole
    msg: _DeltaBody
    sending_ts_ms: _Millis | None = None


class _SnapshotBody(msgspec.Struct):
    market_ticker: str
    yes_dollars_fp: Pairs | None = None
    no_dollars_fp: Pairs | None = None
    yes_dollars: Pairs | None = None
    no_dollars: Pairs | None = None
    yes: Pairs | None = None
    no: Pairs | None = None
    clock: _Whole | None = None


class _SnapshotFrame(_Frame, tag="orderbook_snapshot"):
    sid: _Whole
    seq: _Whole
    msg: _SnapshotBody
    sending_ts_ms: _Millis | None = None


class _TradeBody(msgspec.Struct, gc=False):
    trade_id: str
    market_ticker: str
    yes_price_dollars: Number | None = None
    no_price_dollars: Number | None = None
    count_fp: Number | None = None
    yes_price: Number | None = None
    no_price: Number | None = None
    count: Number | None = None
    taker_outcome_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool | None = None
    ts: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)] | None = None
    ts_ms: _Millis | None = None


class _TradeFrame(_Frame, tag="trade", gc=False):
    msg: _TradeBody
    sid: _Whole | None = None
    seq: _Whole | None = None
    sending_ts_ms: _Millis | None = None


class _Other(msgspec.Struct):
    type: str
    id: int | None = None
    sid: _Whole | None = None
    seq: _Whole | None = None
    msg: Any = None
    sending_ts_ms: _Millis | None = None
    data: Any = None

    @property
    def is_old(self) -> bool:
        """Whether only the integer dialect writes such a frame."""
        return self.type == _UPDATE or (self.msg is None and isinstance(self.data, Mapping))

    def today(self) -> dict[str, Any]:
        """The same as today's frames are laid out."""
        return {
            "type": "orderbook_delta" if self.type == _UPDATE else self.type,
            "id": self.id,
            "sid": self.sid,
            "seq": self.seq,
            "msg": self.data if self.msg is None else self.msg,
            "sending_ts_ms": self.sending_ts_ms,
        }


_BOOKS: Any = _DeltaFrame | _SnapshotFrame | _TradeFrame
_UPDATE = "orderbook_update"
_READ = frozenset({"orderbook_delta", "orderbook_snapshot", "trade"})


class _Memo(dict[Number, int]):
    """Every spelling of a number is read once."""

    def __init__(self, read: Callable[[Number], int]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, said: Number) -> int:
        value = self._read(said)
        if len(self) >= _SPELLINGS:
            self.clear()
        self[said] = value
        return value


def _fixed(said: Number, scale: int) -> int:
    if isinstance(said, str):
        return parse_fixed(said.replace(".", "0.", 1) if said.startswith((".", "-.")) else said, scale)
    if isinstance(said, int):
        return said * scale
    return parse_fixed(format(said, ".12g"), scale)


def _price(said: Number) -> int:
    """A price in dollars."""
    price = _fixed(said, PRICE_SCALE)
    if not 0 < price < PRICE_SCALE:
        raise InputError(f"the price {printable(said, 40)} is not between 0 and 1 dollar")
    return price


def _cents(said: Number) -> int:
    """A price in cents, where it is a number; the integer dialect had texts of dollars too."""
    if isinstance(said, str):
        return _price(said)
    price = _fixed(said, PRICE_SCALE // 100)
    if not 0 < price < PRICE_SCALE:
        raise InputError(f"the price of {said} cents is not between 0 and 1 dollar")
    return price


def _count(said: Number) -> int:
    if isinstance(said, str) and said[-3:-2] == "." and len(said) < 18 and said.isascii():
        digits = said[:-3] + said[-2:]  # nearly always; sizes are too many to remember them all
        count = int(digits) if digits.removeprefix("-").isdigit() else _fixed(said, COUNT_SCALE)
    else:
        count = _fixed(said, COUNT_SCALE)
    if abs(count) > _LARGEST:
        raise InputError(f"a count of {printable(said, 40)} contracts is impossible")
    return count


class StreamDecoder:
    """Reads frames; keeps nothing but spellings, so one serves many connections.

    Examples
    --------
    >>> frame = b'{"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": {"market_ticker": "T", \
"price_dollars": "0.4500", "delta_fp": "-3.00", "side": "no"}}'
    >>> event = StreamDecoder().event(frame)
    >>> event.kind, event.ticker, event.side, event.price, event.change
    ('delta', 'T', 1, 4500, -300)
    """

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_BOOKS).decode
        self._other = msgspec.json.Decoder(_Other).decode
        self._prices = _Memo(_price)
        self._cents = _Memo(_cents)
        self._counts = _Memo(_count)

    def event(self, frame: bytes | str | Mapping[str, Any]) -> Event:
        """The event in one frame.

        Raises
        ------
        DecodeError
            If it is no frame of the exchange, or one without what it must have.
        """
        try:
            if isinstance(frame, bytes | str):
                try:
                    found = self._decode(frame)
                except msgspec.ValidationError as error:
                    return self._reply(self._other(frame), str(error))
            else:
                try:
                    found = msgspec.convert(frame, _BOOKS)
                except msgspec.ValidationError as error:
                    return self._reply(msgspec.convert(frame, _Other), str(error))
            if type(found) is _DeltaFrame:
                return self._delta(found)
            return self._trade(found) if type(found) is _TradeFrame else self._snapshot(found)
        except (msgspec.DecodeError, InputError) as error:
            raise DecodeError(f"this is no frame of the exchange: {printable(error, 160)}") from None
        except (UnicodeError, RecursionError) as error:
            raise DecodeError(f"this is no JSON: {printable(error, 120)}") from None

    def _delta(self, found: _DeltaFrame) -> Delta:
        msg = found.msg
        if msg.price_dollars is not None:
            price = self._prices[msg.price_dollars]
        else:
            price = self._cents[_given(msg.price, "price_dollars")]
        change, clock, time_ms, sent_ms = msg.delta_fp, msg.clock, msg.ts_ms, found.sending_ts_ms
        return Delta(
            found.sid,
            found.seq,
            msg.market_ticker,
            1 if msg.side == "no" else 0,
            price,
            self._counts[change if change is not None else _given(msg.delta, "delta_fp")],
            _UNKNOWN if clock is None else clock,
            _UNKNOWN if time_ms is None else time_ms,
            msg.ts if type(msg.ts) is str else "",
            _UNKNOWN if sent_ms is None else sent_ms,
            msg.client_order_id,
        )

    def _snapshot(self, found: _SnapshotFrame) -> Snapshot:
        msg = found.msg
        return Snapshot(
            found.sid,
            found.seq,
            msg.market_ticker,
            self._ladder(msg.yes_dollars_fp, msg.yes_dollars, msg.yes),
            self._ladder(msg.no_dollars_fp, msg.no_dollars, msg.no),
            _UNKNOWN if msg.clock is None else msg.clock,
            _UNKNOWN if found.sending_ts_ms is None else found.sending_ts_ms,
        )

    def _ladder(
        self, exact: Pairs | None, dollars: Pairs | None, cents: Pairs | None
    ) -> list[tuple[int, int]]:
        counts = self._counts
        pairs, prices = exact, self._prices
        if pairs is None:
            pairs = dollars
        if pairs is None:
            pairs, prices = cents or [], self._cents
        # A level of nobody may stand at a price that no order can have.
        return [(prices[price], counts[count]) for price, count in pairs if counts[count]]

    def _trade(self, found: _TradeFrame) -> Trade:
        msg = found.msg
        yes, no = (
            self._prices[dollars] if dollars is not None else self._cents[_given(cents, name)]
            for dollars, cents, name in (
                (msg.yes_price_dollars, msg.yes_price, "yes_price_dollars"),
                (msg.no_price_dollars, msg.no_price, "no_price_dollars"),
            )
        )
        time_ms = _UNKNOWN if msg.ts is None else msg.ts * 1000
        return Trade(
            found.sid,
            found.seq,
            msg.trade_id,
            msg.market_ticker,
            yes,
            no,
            self._counts[_first(msg.count_fp, msg.count, "count_fp")],
            msg.taker_outcome_side or msg.taker_side,
            msg.is_block_trade,
            time_ms if msg.ts_ms is None else msg.ts_ms,
            _UNKNOWN if found.sending_ts_ms is None else found.sending_ts_ms,
        )

    def _reply(self, found: _Other, objection: str) -> Event:
        if found.is_old:
            return self.event(found.today())
        if found.type in _READ:
            raise DecodeError(
                f"a frame `{found.type}` is not what the protocol promises: {printable(objection, 160)}"
            )
        msg = found.msg if isinstance(found.msg, Mapping) else {}
        tickers, code, channel, said = (
            msg.get(name) for name in ("market_tickers", "code", "channel", "msg")
        )
        if tickers is None and isinstance(msg.get("market_ticker"), str):
            tickers = [msg["market_ticker"]]
        return Reply(
            found.type,
            found.sid if found.sid is not None else _sid(msg),
            found.seq,
            tickers if _are_texts(tickers) else None,
            code if type(code) is int else None,
            _UNKNOWN if found.sending_ts_ms is None else found.sending_ts_ms,
            found.id,
            channel if isinstance(channel, str) else None,
            said if isinstance(said, str) else "",
            msg,
        )


def _sid(msg: Mapping[str, Any]) -> int | None:
    """A ``subscribed`` frame has its number inside."""
    sid = msg.get("sid")
    return sid if type(sid) is int else None


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _given(value: Number | None, name: str) -> Number:
    if value is None:
        raise InputError(f"`{name}` is missing")
    return value


def _first(today: Number | None, old: Number | None, name: str) -> Number:
    return today if today is not None else _given(old, name)
