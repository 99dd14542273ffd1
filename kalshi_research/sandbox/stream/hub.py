"""From what the engine reports to frames for all who listen.

Events arrive in the thread that called the engine and are worked off in the thread of the server,
a few at a time so that sockets get their turn. Each event is encoded once for each distinct form
of it; what differs from one subscription to the next is put in front.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kalshi_research.sandbox.engine import (
    BookDelta,
    FeeUpdate,
    Fill,
    GroupUpdate,
    Lifecycle,
    OrderUpdate,
    PositionUpdate,
    Trade,
)
from kalshi_research.sandbox.stream import payloads
from kalshi_research.sandbox.stream.dialect import dialect_of
from kalshi_research.sandbox.stream.mirror import Mirror
from kalshi_research.sandbox.stream.source import Listing

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import Event, Order
    from kalshi_research.sandbox.stream.channels import Subscription
    from kalshi_research.sandbox.stream.options import StreamOptions
    from kalshi_research.sandbox.stream.session import Session
    from kalshi_research.sandbox.stream.source import Source

__all__ = ["Hub"]

_SLICE = 512
"""Events that are worked off before the sockets get their turn."""

_SNAPSHOT = b'{"type":"orderbook_snapshot","sid":'
_TICKER = b'{"type":"ticker","sid":'
_TRADE = b'{"type":"trade","sid":'
_FILL = b'{"type":"fill","sid":'
_ORDER = b'{"type":"user_order","sid":'
_POSITION = b'{"type":"market_position","sid":'
_GROUP = b'{"type":"order_group_updates","sid":'
_FEES = b'{"type":"event_fee_update","sid":'


class Hub:
    """All sessions of an exchange.

    Parameters
    ----------
    source : Source
    options : StreamOptions
    """

    def __init__(self, source: Source, options: StreamOptions) -> None:
        self.options = options
        self.dialect = dialect_of(options)
        self.stamp = b""
        self._say = self.dialect.payloads
        self._delta_head = f'{{"type":"{self.dialect.book_change}","sid":'.encode()
        self._source = source
        self._sessions: set[Session] = set()
        self._stop_listening: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox: deque[Sequence[Event]] = deque()
        self._scheduled = False
        self._mirrors: dict[str, Mirror] = {}
        self._all: dict[str, list[Subscription]] = defaultdict(list)
        self._some: dict[str, dict[str, list[Subscription]]] = defaultdict(dict)
        self._dirty: dict[str, int] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            Fill: self._fill,
            FeeUpdate: self._fees,
            GroupUpdate: self._group,
            Lifecycle: self._lifecycle,
            OrderUpdate: self._order,
            PositionUpdate: self._position,
            Trade: self._trade,
        }

    # --- sessions and subscriptions ---------------------------------------------------------

    def join(self, session: Session) -> None:
        """Take a connection in; the first one starts the listening."""
        self._sessions.add(session)
        if self._stop_listening is None:
            self._loop = asyncio.get_running_loop()
            self._stop_listening = self._source.listen(self._receive)

    def leave(self, session: Session) -> None:
        """Let a connection go; after the last one nothing is kept up."""
        session.close()
        self._sessions.discard(session)
        if not self._sessions and self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
            self._mirrors.clear()

    def add(self, subscription: Subscription, tickers: Iterable[str] | None) -> None:
        """List a subscription under its markets, or under all of them."""
        name = subscription.channel.name
        if tickers is None or subscription.channel.private:
            if subscription not in self._all[name]:
                self._all[name].append(subscription)
            return
        for ticker in tickers:
            self._some[name].setdefault(ticker, []).append(subscription)
            if name == "ticker":  # so that a change can be told from none
                mirror = self.mirror(ticker)
                mirror.said = self._say.ticker(mirror)

    def forget(self, subscription: Subscription, tickers: Iterable[str]) -> None:
        """Take a subscription off some of its markets."""
        listed = self._some[subscription.channel.name]
        for ticker in tickers:
            there = listed.get(ticker, [])
            if subscription in there:
                there.remove(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription off."""
        everywhere = self._all[subscription.channel.name]
        if subscription in everywhere:
            everywhere.remove(subscription)
        self.forget(subscription, subscription.tickers or ())

    def widen(self, subscription: Subscription) -> None:
        """Give a subscription all markets."""
        self.remove(subscription)
        subscription.tickers = None
        self.add(subscription, None)

    # --- markets ------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The time of the exchange [ms], which is also that of its events."""
        sending = self._source.now() // 1000
        if self.dialect.stamped:
            self.stamp = b',"sending_ts_ms":%d' % sending
        return sending

    def tickers_of(self, market_ids: list[str]) -> list[str]:
        """The markets of UUIDs; those of none are left out."""
        found = (self._source.ticker_of(market_id) for market_id in market_ids)
        return [ticker for ticker in found if ticker is not None]

    def mirror(self, ticker: str) -> Mirror:
        """A market as the events so far left it; an empty one where there is no such market."""
        mirror = self._mirrors.get(ticker)
        if mirror is not None:
            return mirror
        listing = self._source.listing(ticker)
        if listing is None:
            nameless = str(uuid.uuid5(uuid.NAMESPACE_OID, ticker))
            return Mirror(Listing(ticker, nameless), known=False)
        mirror = self._mirrors[ticker] = Mirror(listing)
        return mirror

    def send_snapshot(
        self, subscription: Subscription, ticker: str, number: int = 0, *, empty: bool = False
    ) -> None:
        """Send a whole book, in answer to command `number` if it is not 0; `empty` is a fault."""
        mirror = self.mirror(ticker)
        if not mirror.known and self.options.unknown_ticker != "empty":
            return
        head = b'{"type":"orderbook_snapshot","id":%d,"sid":' % number if number else _SNAPSHOT
        if empty:
            mirror = Mirror(Listing(ticker, mirror.market_id, mirror.clock, mirror.clock))
        body = self._say.snapshot(mirror, yes_price=subscription.yes_price)
        subscription.session.push(subscription, head, body)

    def send_ticker(self, subscription: Subscription, ticker: str) -> None:
        """Send the figures of a market as they are."""
        mirror = self.mirror(ticker)
        if mirror.known:
            payload = self._say.timed_ticker(self._say.ticker(mirror), self._source.now())
            subscription.session.push(subscription, _TICKER, payload)

    # --- events -------------------------------------------------------------------------------

    def _receive(self, events: Sequence[Event]) -> None:
        """Called in the thread that called the engine."""
        loop = self._loop
        self._inbox.append(events)
        if not self._scheduled and loop is not None:
            self._scheduled = True
            try:
                loop.call_soon_threadsafe(self._work)
            except RuntimeError:  # the server has stopped, and nobody listens any more
                self._inbox.clear()

    def _work(self) -> None:
        """Work off a slice, then let the sockets have their turn."""
        # Cleared first: what is appended from here on schedules again, at worst for nothing.
        self._scheduled = False
        self._dispatch(_SLICE)
        if self._inbox and self._loop is not None and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def catch_up(self) -> None:
        """Work off all that has arrived, so that what comes next is about the same moment."""
        self._dispatch(None)

    def _dispatch(self, most: int | None) -> None:
        self.now_ms()
        done = 0
        inbox = self._inbox
        while inbox and (most is None or done < most):
            events = inbox.popleft()
            for place, event in enumerate(events):
                if type(event) is BookDelta:
                    self._delta(event, events, place)
                else:
                    handler = self._handlers.get(type(event))
                    if handler is not None:
                        handler(event)
            if self._dirty:
                self._tickers()
            done += len(events)
        for session in list(self._sessions):
            session.flush()

    def _listeners(self, channel: str, ticker: str) -> list[Subscription]:
        everywhere = self._all.get(channel)
        here = self._some[channel].get(ticker)
        if everywhere and here:
            return everywhere + here
        return everywhere or here or []

    def _push(self, listeners: list[Subscription], head: bytes, payload: bytes) -> None:
        for subscription in listeners:
            subscription.session.push(subscription, head, payload)

    def _delta(self, event: BookDelta, events: Sequence[Event], place: int) -> None:
        ticker = event.ticker
        here = self._some["orderbook_delta"].get(ticker)
        mirror = self._mirrors.get(ticker)
        if mirror is None:
            if here:  # a market that was not there when it was subscribed to
                for subscription in here:
                    self.send_snapshot(subscription, ticker)
            self._touch(ticker, event.time)
            return
        if event.clock <= mirror.since:
            return
        mirror.change(event)
        self._touch(ticker, event.time)
        if here:
            self._send_delta(event, _cause(event, events, place), mirror, here)

    def _send_delta(
        self, event: BookDelta, cause: Order, mirror: Mirror, here: list[Subscription]
    ) -> None:
        owner = cause.wallet.member.user
        forms: dict[tuple[bool, bool], bytes | None] = {}
        for subscription in here:
            own = subscription.user == owner and subscription.session.lock in (
                None,
                cause.wallet.number,
            )
            form = subscription.yes_price, own
            if form not in forms:
                forms[form] = self._say.delta(
                    event, mirror, yes_price=form[0], cause=cause if own else None
                )
            payload = forms[form]
            if payload is not None:
                subscription.session.push(subscription, self._delta_head, payload)

    def _touch(self, ticker: str, time: int) -> None:
        if self._listeners("ticker", ticker):
            self._dirty[ticker] = time

    def _tickers(self) -> None:
        """Send the figures that have changed, once an action."""
        for ticker, time in self._dirty.items():
            mirror = self.mirror(ticker)
            said = self._say.ticker(mirror)
            if said != mirror.said:
                mirror.said = said
                payload = self._say.timed_ticker(said, time)
                self._push(self._listeners("ticker", ticker), _TICKER, payload)
        self._dirty.clear()

    def _trade(self, event: Trade) -> None:
        mirror = self._mirrors.get(event.ticker)
        if mirror is not None and event.clock > mirror.since:
            mirror.trade(event)
        self._touch(event.ticker, event.time)
        listeners = self._listeners("trade", event.ticker)
        payload = self._say.trade(event) if listeners else None
        if payload is not None:
            self._push(listeners, _TRADE, payload)

    def _private(
        self, channel: str, user: str, subaccount: int, ticker: str | None
    ) -> list[Subscription]:
        return [
            subscription
            for subscription in self._all.get(channel, ())
            if subscription.user == user
            and subscription.session.lock in (None, subaccount)
            and (ticker is None or subscription.wants(ticker))
        ]

    def _fill(self, event: Fill) -> None:
        order = event.order
        ticker = order.market.ticker
        mirror = self._mirrors.get(ticker)
        if mirror is not None and event.clock > mirror.since:
            mirror.fill(event)
        wallet = order.wallet
        listeners = self._private("fill", wallet.member.user, wallet.number, ticker)
        if listeners:
            self._push(listeners, _FILL, self._say.fill(event))

    def _order(self, event: OrderUpdate) -> None:
        wallet, ticker = event.order.wallet, event.order.market.ticker
        user = wallet.member.user
        listeners = self._private("user_orders", user, wallet.number, ticker)
        if listeners:
            self._push(listeners, _ORDER, payloads.user_order(event, self._source.user_id(user)))

    def _position(self, event: PositionUpdate) -> None:
        listeners = self._private("market_positions", event.user, event.subaccount, event.ticker)
        if listeners:
            payload = self._say.market_position(event, self._source.user_id(event.user))
            self._push(listeners, _POSITION, payload)

    def _group(self, event: GroupUpdate) -> None:
        listeners = self._private("order_group_updates", event.user, event.subaccount, None)
        if listeners:
            self._push(listeners, _GROUP, payloads.group_update(event))

    def _lifecycle(self, event: Lifecycle) -> None:
        if event.kind == "settled":
            mirror = self._mirrors.get(event.ticker)
            if mirror is not None and event.clock > mirror.since:
                mirror.open_interest = 0
            self._touch(event.ticker, event.time)
        combo = self._source.is_combo(event.ticker)
        channel = "multivariate_market_lifecycle" if combo else "market_lifecycle_v2"
        listeners = self._all.get(channel)
        payload = self._say.lifecycle(event, self._source) if listeners else None
        if listeners and payload is not None:
            self._push(listeners, f'{{"type":"{channel}","sid":'.encode(), payload)

    def _fees(self, event: FeeUpdate) -> None:
        listeners = self._all.get("market_lifecycle_v2")
        if listeners:
            self._push(listeners, _FEES, self._say.fee_update(event))


def _cause(event: BookDelta, events: Sequence[Event], place: int) -> Order:
    """The order behind a change: the one that came, where a resting one was hit by it.

    A match tells the change of the level, the trade, and then its two fills, the taker's last.
    """
    match events[place + 1 : place + 4]:
        case [Trade(), Fill(), Fill() as taken]:
            return taken.order
    return event.order
