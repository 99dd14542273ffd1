"""What can go wrong with requests: every kind, its variants and its details.

``accept_then`` and ``reject_then`` show the same (see `ANSWERS`), after the exchange has done what
was asked for, or without its having heard of it; `items` of ``accept_then`` lets only so many
orders of a batch through. ``late_commit`` shows the same too, and does it `after` seconds later.

==============  ==================================================================================
kind            what it does
==============  ==================================================================================
accept_then     done, but shown something else; silence lasts `seconds`
reject_then     lost, and shown something
late_commit     shown something, and done `after` seconds from when the client had that
delay           waits `seconds` and up to `jitter` more: before it is done, after it, or mid-body
trickle         the body comes `size` bytes at a time, with a `pause` between
then_close      answered in full, then the kept connection is ended
rate_limit      429, with the form of ``Retry-After`` that the variant names
redirect        to `location`, or to itself
body            the body is changed; see `bodies`
page            the page of a list is changed; see `pages`
fill            an order is filled around its amendment or cancel; see `acts`
operate         trading, the exchange or a market is halted, closed, settled; see `acts`
read_lag        reads of the own account show what was `seconds` ago; see `lag`
dedupe          how long a client order id blocks another order with the same
wall_clock      the clock that signatures are checked by, and ``Date``, are off by `offset`
tolerance       how far a timestamp may be off
date            the ``Date`` header
==============  ==================================================================================

All times are in seconds and multiplied by `Faults.scale`, except those of ``wall_clock``, ``tolerance``,
``dedupe`` and of ``Retry-After``, which are what the exchange says.
"""

from __future__ import annotations

from kalshi_research.sandbox.faults.kinds import ANSWERS, DEFINITE, Kind, register

__all__: list[str] = []

_BODIES = (
    "truncate", "cut", "bitflip", "nan", "infinity", "duplicate_key", "null", "missing", "renamed",
    "extra", "swap", "enum", "deep", "long_integer", "surrogate", "nul", "bom", "latin1", "replace",
    "html", "list", "top_null", "top_number", "top_string", "gzip_bomb", "deflate_bomb",
    "long_length", "short_length", "bad_chunk",
)  # fmt: skip
_PAGES = ("repeat", "cycle", "empty", "duplicate", "insert", "drop", "end", "expired", "oversize")
_ACTS = (
    "pause_trading", "resume_trading", "pause_exchange", "resume_exchange",
    "close", "deactivate", "activate", "settle_yes", "settle_no",
)  # fmt: skip
_RETRY_AFTER = ("absent", "0", "2.5", "date", "3600", "-1", "nan", "junk")
_DEDUPE = ("forever", "open-only", "recent", "none", "return-original")

for _kind in (
    Kind("accept_then", "rest", ANSWERS, {"seconds": 60.0, "items": -1}),
    Kind("reject_then", "rest", (*ANSWERS, *DEFINITE), {"seconds": 60.0}),
    Kind("late_commit", "rest", ANSWERS, {"seconds": 60.0, "after": 5.0}),
    Kind("delay", "rest", ("before", "after", "body"), {"seconds": 1.0, "jitter": 0.0}),
    Kind("trickle", "rest", (), {"size": 1, "pause": 0.7}),
    Kind("then_close", "rest", ("FIN", "RST")),
    Kind("rate_limit", "rest", _RETRY_AFTER),
    Kind("redirect", "rest", ("301", "302", "303", "307", "308"), {"location": ""}),
    Kind("body", "rest", _BODIES, {"path": "", "to": "", "old": "", "at": -1, "size": 400_000_000}),
    Kind("page", "rest", _PAGES, {"rows": 1}),
    Kind("fill", "rest", ("before", "after", "between"), {"counts": ""}),
    Kind("operate", "rest", _ACTS, {"ticker": "", "seconds": 0.0, "lasts": 0.0}),
    Kind("read_lag", "standing", (), {"seconds": 3.0, "lie": 0.0, "ahead": 0.0}),
    Kind("dedupe", "standing", _DEDUPE, {"seconds": 60.0}),
    Kind("wall_clock", "standing", (), {"offset": 0.0}),
    Kind("tolerance", "standing", (), {"seconds": 15.0}),
    Kind("date", "standing", ("off", "junk")),
):
    register(_kind)
