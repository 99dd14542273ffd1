"""The books and figures as the events so far left them, which is what a snapshot has to show.

The engine may be ahead: it is called from other threads than the one that sends. A snapshot
taken from it could include changes whose deltas are still to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.money import PRICE_SCALE

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine import BookDelta, Fill, Trade
    from kalshi_research.sandbox.stream.source import Listing

__all__ = ["Mirror"]


class Mirror:
    """One market.

    Attributes
    ----------
    known : bool
        Whether there is such a market.
    since : int
        Events with a clock up to this one were included from the start.
    clock : int
        Of the newest change of the book.
    yes, no : dict of int to int
        Count by price of the leg.
    said : bytes
        What the last ticker said, apart from its time.
    """

    __slots__ = (
        "clock",
        "dollar_volume",
        "known",
        "last_price",
        "last_size",
        "market_id",
        "no",
        "open_interest",
        "quoted",
        "said",
        "since",
        "ticker",
        "volume",
        "yes",
    )

    def __init__(self, listing: Listing, *, known: bool = True) -> None:
        self.known = known
        self.ticker = listing.ticker
        self.market_id = listing.market_id
        self.since = listing.clock
        self.clock = listing.changed
        self.yes = dict(listing.yes)
        self.no = dict(listing.no)
        self.volume = listing.volume
        self.open_interest = listing.open_interest
        self.dollar_volume = listing.dollar_volume
        self.last_price = listing.last_price
        self.last_size = listing.last_size
        self.quoted = listing.quoted
        self.said = b""

    def change(self, event: BookDelta) -> None:
        """Change a level."""
        side = self.yes if event.side == "yes" else self.no
        count = side.get(event.price, 0) + event.delta
        if count:
            side[event.price] = count
        else:
            side.pop(event.price, None)
        self.clock = event.clock
        self.quoted = True

    def trade(self, event: Trade) -> None:
        """Count a trade."""
        self.volume += event.count
        self.dollar_volume += event.price * event.count
        self.last_price = event.price
        self.last_size = event.count

    def fill(self, event: Fill) -> None:
        """Open interest is the sum of all positions above zero: this is what one party adds to it."""
        before = event.position - event.count if event.order.is_bid else event.position + event.count
        self.open_interest += max(event.position, 0) - max(before, 0)

    def touch(self) -> tuple[int, int, int, int]:
        """Best bid and ask of YES with their sizes; 0 and a dollar where there is none."""
        yes, no = self.yes, self.no
        bid = max(yes, default=0)
        best_no = max(no, default=0)
        ask = PRICE_SCALE - best_no if self.quoted else 0
        return bid, ask, yes.get(bid, 0), no.get(best_no, 0)
