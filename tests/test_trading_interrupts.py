"""Calls that an interrupt ends: nobody is sending afterwards, and what was sent is accounted for.

The exchange is `order_venue.Venue`, in this process and on a clock of its own. The thread that was
interrupted lives on, as that of a kernel does.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import kalshi_research as kr
from kalshi_research.errors import JournalError
from kalshi_research.trading.journal import Journal
from tests.order_calls import place, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.order_venue import Venue

pytest_plugins = ["tests.order_fixtures"]

DOORS: dict[str, Callable[[Venue, kr.OrderReport], Any]] = {
    "create_order": lambda venue, _: place(venue, "0.20"),
    "create_orders": lambda venue, _: kr.create_orders(venue.client, rows("0.20", "0.21")),
    "amend_order": lambda venue, made: kr.amend_order(venue.client, made, price="0.43"),
    "decrease_order": lambda venue, made: kr.decrease_order(venue.client, made, by=1),
    "cancel_order": lambda venue, made: kr.cancel_order(venue.client, made),
    "cancel_orders": lambda venue, made: kr.cancel_orders(venue.client, [made]),
}
WRITES = ("POST *", "DELETE *")


@pytest.mark.parametrize("door", DOORS)
def test_what_an_interrupt_left_another_thread_accounts_for(venue: Venue, door: str) -> None:
    """As the threads of panels do."""
    made = place(venue)
    for pattern in WRITES:
        venue.answer(pattern, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        DOORS[door](venue, made)
    journal = venue.desk.journal
    left = journal.open_intents()
    assert {intent.state for intent in left} == {"SENT"}
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            venue.sleep(60)
            pool.submit(venue.desk.look_again).result(10)
    assert {intent.state for intent in journal.some(one.key for one in left)} == {"NOT_PLACED"}
    assert journal.workers == {}


@pytest.mark.parametrize("door", DOORS)
def test_of_calls_that_have_ended_no_worker_is_kept(venue: Venue, door: str) -> None:
    DOORS[door](venue, place(venue))
    assert venue.desk.journal.workers == {}


@pytest.mark.parametrize("door", DOORS)
def test_nor_of_those_that_could_not_be_written_down(
    venue: Venue, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = place(venue)

    def full(*_: Any, **__: Any) -> None:
        raise JournalError("there is no room; nothing was sent.")

    monkeypatch.setattr(Journal, "write", full)
    with pytest.raises(JournalError):
        DOORS[door](venue, made)
    assert venue.desk.journal.workers == {}
    assert len(venue.writes) == 1
