"""One connection: its subscriptions, its commands and the frames that wait to be written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from kalshi_research.sandbox.faults.frames import Bender, Link
from kalshi_research.sandbox.stream.channels import Channel, Subscription
from kalshi_research.sandbox.stream.codes import CommandError
from kalshi_research.sandbox.stream.commands import Command, Params

if TYPE_CHECKING:
    from kalshi_research.sandbox.faults import Faults
    from kalshi_research.sandbox.stream.hub import Hub
    from kalshi_research.sandbox.stream.options import StreamOptions

__all__ = ["Session", "Wire"]

_encode = msgspec.json.Encoder().encode


def _header(size: int) -> bytes:
    """The WebSocket header of an unfragmented text frame from a server (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    if size < 1 << 16:
        return bytes((0x81, 126, size >> 8, size & 0xFF))
    return b"\x81\x7f" + size.to_bytes(8, "big")


_HEADERS = [_header(size) for size in range(2048)]


class Wire(Link, Protocol):
    """What a session writes to."""

    @property
    def paused(self) -> bool:
        """Whether the reader is behind."""
        ...

    def write(self, frames: bytes) -> None:
        """Send complete WebSocket frames."""
        ...


class Session:
    """A connection of a user; `clock` is monotonic [s] and refills its budget of commands.

    All of it happens in the thread of the server.

    Attributes
    ----------
    user : str
        The engine's name of the user.
    lock : int or None
        The only subaccount whose private frames come, where the key is locked to one.
    """

    def __init__(
        self,
        hub: Hub,
        wire: Wire,
        user: str,
        options: StreamOptions,
        faults: Faults | None = None,
        *,
        lock: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.user = user
        self.lock = lock
        self._hub = hub
        self._wire = wire
        self._options = options
        self._outbox: list[bytes] = []
        self._subscriptions: dict[int, Subscription] = {}
        self._last_sid = 0
        self._tokens = float(options.command_rate)
        self._clock = clock
        self._counted = clock()
        self._bender = None if faults is None else Bender(faults, wire, self)
        self._handlers = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "update_subscription": self._update,
        }

    # --- writing ------------------------------------------------------------------------------

    def push(self, subscription: Subscription, head: bytes, payload: bytes) -> None:
        """Queue a frame of a subscription: `head` ends before the sid, `payload` is the rest."""
        if subscription.channel.sequenced:
            subscription.seq += 1
            frame = b'%b%d,"seq":%d%b%b' % (
                head,
                subscription.sid,
                subscription.seq,
                self._hub.stamp,
                payload,
            )
        else:
            frame = b"%b%d%b%b" % (head, subscription.sid, self._hub.stamp, payload)
        subscription.waiting += 1
        self._queue(frame, subscription)

    def _queue(self, frame: bytes, subscription: Subscription | None = None) -> None:
        """Let a frame wait to be written, or what the faults make of it."""
        if self._bender is not None and self._bender.on:
            for bent in self._bender.bend(frame, subscription):
                self._outbox += bent if isinstance(bent, tuple) else (_header(len(bent)), bent)
            self._bender.finish()
            return
        size = len(frame)
        self._outbox.append(_HEADERS[size] if size < len(_HEADERS) else _header(size))
        self._outbox.append(frame)

    def _reply(
        self,
        kind: str,
        number: int,
        message: Any = None,
        subscription: Subscription | None = None,
    ) -> None:
        frame: dict[str, Any] = {"type": kind}
        if number:
            frame["id"] = number
        if subscription is not None:
            frame["sid"] = subscription.sid
            if subscription.channel.sequenced:
                subscription.seq += 1
                frame["seq"] = subscription.seq
        self._queue(self._encoded(frame, message), subscription)

    def _encoded(self, frame: dict[str, Any], message: Any = None) -> bytes:
        """A frame that is no event, with its time and what it says."""
        if self._hub.dialect.stamped:
            frame["sending_ts_ms"] = self._hub.now_ms()
        if message is not None:
            frame |= self._hub.dialect.message(message)
        return _encode(frame) + b"\n"

    def _error(self, number: int, error: CommandError, subscription: Subscription | None = None) -> None:
        message = self._hub.dialect.error(error.code)
        if error.market_ticker:
            message["market_ticker"] = error.market_ticker
        self._reply("error", number, message, subscription)

    def flush(self) -> None:
        """Write what is queued, unless the reader is behind: then end what has piled up too high."""
        if self._wire.paused:
            limit = self._options.buffer_frames
            for subscription in list(self._subscriptions.values()):
                if subscription.waiting > limit:
                    self._drop(subscription)
                    self._error(0, CommandError(25), subscription)
            return
        if self._outbox:
            frames, self._outbox = self._outbox, []
            for subscription in self._subscriptions.values():
                subscription.waiting = 0
            self._wire.write(b"".join(frames))

    def close(self) -> None:
        """End all subscriptions."""
        for subscription in list(self._subscriptions.values()):
            self._drop(subscription)
        self._outbox.clear()

    def _drop(self, subscription: Subscription) -> None:
        del self._subscriptions[subscription.sid]
        self._hub.remove(subscription)

    # --- commands -----------------------------------------------------------------------------

    def receive(self, text: str | bytes) -> None:
        """Obey one command and queue the answers."""
        self._hub.catch_up()
        number = 0
        try:
            command = Command.parse(text)
            number = command.number
            self._spend()
            self._obey(command)
        except CommandError as error:
            self._error(number, error)
        self.flush()

    def _spend(self) -> None:
        now = self._clock()
        rate = self._options.command_rate
        self._tokens = min(float(rate), self._tokens + (now - self._counted) * rate)
        self._counted = now
        if self._tokens < 1:
            raise CommandError(27)
        self._tokens -= 1

    def _obey(self, command: Command) -> None:
        if command.name == "list_subscriptions":
            held = [
                {"channel": held.channel.name, "sid": held.sid} for held in self._subscriptions.values()
            ]
            self._reply("ok", command.number, held)
            return
        handler = self._handlers.get(command.name)
        if handler is None:
            raise CommandError(5)
        handler(command.number, command.params())

    def _subscribe(self, number: int, params: Params) -> None:
        for name in params.channels():
            try:
                self._subscribe_one(number, name, params)
            except CommandError as error:
                self._error(number, error)

    def _subscribe_one(self, number: int, name: str, params: Params) -> None:
        channel = self._hub.dialect.channels.get(name)
        if channel is None:
            raise CommandError(8)
        if channel.name == "communications":
            params.check_shards()
        tickers, by_id = self._markets(channel, params)
        if channel.markets == "required" and not tickers:
            raise CommandError(14)
        flags = params.flag("use_yes_price"), params.flag("skip_ticker_ack")
        held = next((held for held in self._subscriptions.values() if held.channel is channel), None)
        if held is not None:
            self._add(number, held, tickers if tickers or by_id else None, params)
            return
        self._check_unknown(channel, tickers)
        self._check_limit(len(tickers))
        self._last_sid = self._free_sid()
        # UUIDs of no market are still no wish for all of them.
        named = (tickers or by_id) and channel.markets != "none"
        wanted = set(tickers) if named else None
        made = Subscription(
            self._last_sid, channel, self, wanted, yes_price=flags[0], silent_ack=flags[1], by_id=by_id
        )
        self._subscriptions[made.sid] = made
        self._hub.add(made, wanted)
        self._reply("subscribed", number, {"channel": name, "sid": made.sid})
        self._greet(made, tickers, params)

    def _free_sid(self) -> int:
        """The number of a new subscription: one more than the last, or the lowest that is free."""
        if not self._options.reuse_sids:
            return self._last_sid + 1
        return next(sid for sid in itertools.count(1) if sid not in self._subscriptions)

    def _markets(self, channel: Channel, params: Params) -> tuple[list[str], bool]:
        """The markets named, and whether by their UUIDs, which only the ticker channel takes."""
        tickers = params.tickers()
        if channel.name != "ticker":
            return tickers, False
        ids = params.market_ids()
        if ids and tickers:
            raise CommandError(11)
        return (self._hub.tickers_of(ids), True) if ids else (tickers, False)

    def _check_unknown(self, channel: Channel, tickers: list[str]) -> None:
        code = self._hub.dialect.unknown_market
        if channel.markets == "required" and code is not None:
            for ticker in tickers:
                if not self._hub.mirror(ticker).known:
                    raise CommandError(code, ticker)

    def _check_limit(self, markets: int) -> None:
        if markets > self._options.market_limit:
            raise CommandError(26)

    def _greet(self, subscription: Subscription, tickers: list[str], params: Params) -> None:
        """Send what a subscription starts with."""
        if subscription.channel.name == "orderbook_delta":
            for ticker in tickers:
                self._hub.send_snapshot(subscription, ticker)
        elif subscription.channel.name == "ticker" and params.flag("send_initial_snapshot"):
            for ticker in tickers:
                self._hub.send_ticker(subscription, ticker)

    def _add(self, number: int, held: Subscription, tickers: list[str] | None, params: Params) -> None:
        """Add markets, or all with None; to a subscription that has all, nothing can be added."""
        fresh: list[str] = []
        if held.tickers is not None:
            if tickers is None:
                self._hub.widen(held)
            else:
                fresh = [ticker for ticker in tickers if ticker not in held.tickers]
                self._check_unknown(held.channel, fresh)
                self._check_limit(len(held.tickers) + len(fresh))
                held.tickers.update(fresh)
                self._hub.add(held, set(fresh))
        self._acknowledge(number, held)
        self._greet(held, fresh, params)

    def _acknowledge(self, number: int, held: Subscription) -> None:
        """Say ok, with all markets of the subscription."""
        message: dict[str, Any] = {}
        if held.tickers is not None and not held.silent_ack:
            names = sorted(held.tickers)
            if held.by_id:
                message["market_ids"] = [self._hub.mirror(name).market_id for name in names]
            else:
                message["market_tickers"] = names
        self._reply("ok", number, message, held)

    def _unsubscribe(self, number: int, params: Params) -> None:
        sids = params.sids()
        if not sids:
            raise CommandError(4)
        for sid in sids:
            held = self._subscriptions.get(sid)
            if held is None:
                self._error(number, CommandError(7))
                continue
            self._drop(held)
            # The number is one more on every channel: a field that this frame must have.
            held.seq += 1
            frame: dict[str, Any] = {"type": "unsubscribed"}
            if number:
                frame["id"] = number
            self._queue(self._encoded(frame | {"sid": held.sid, "seq": held.seq}), held)

    # --- for faults -----------------------------------------------------------------------------

    def snapshot(self, subscription: Subscription, ticker: str, *, empty: bool) -> None:
        """Send a snapshot that nobody asked for."""
        self._hub.send_snapshot(subscription, ticker, empty=empty)

    def error(self, subscription: Subscription, code: int) -> None:
        """Send an error of a subscription; 10 and 25 end it."""
        if code in (10, 25) and subscription.sid in self._subscriptions:
            self._drop(subscription)
        text = self._hub.dialect.messages.get(code, "An error of another day")
        self._reply("error", 0, {"code": code, "msg": text}, subscription)

    def _update(self, number: int, params: Params) -> None:
        held = self._subscriptions.get(params.one_sid())
        if held is None:
            raise CommandError(7)
        try:
            self._update_one(number, held, params)
        except CommandError as error:
            self._error(number, error, held)

    def _update_one(self, number: int, held: Subscription, params: Params) -> None:
        action = params.text("action")
        if not action:
            raise CommandError(15)
        book = held.channel.name == "orderbook_delta"
        known = ("add_markets", "delete_markets", "get_snapshot")
        if action not in known[: 3 if self._hub.dialect.repairs else 2]:
            raise CommandError(13)
        if held.channel.markets == "none" or (action == "get_snapshot" and not book):
            raise CommandError(13)
        tickers, by_id = self._markets(held.channel, params)
        if not tickers and not by_id:
            raise CommandError(14)
        if action == "get_snapshot":
            for ticker in tickers:
                self._hub.send_snapshot(held, ticker, number)
        elif action == "add_markets":
            self._add(number, held, tickers, params)
        else:
            if held.tickers is not None:
                gone = held.tickers.intersection(tickers)
                held.tickers -= gone
                self._hub.forget(held, gone)
            self._acknowledge(number, held)
