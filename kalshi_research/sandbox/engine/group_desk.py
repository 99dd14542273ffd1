"""The requests of users about order groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_research.sandbox.engine.events import GroupUpdate
from kalshi_research.sandbox.engine.groups import LARGEST_LIMIT, SMALLEST_LIMIT, OrderGroup
from kalshi_research.sandbox.engine.matching import cancel, trigger
from kalshi_research.sandbox.engine.rejections import refuse

if TYPE_CHECKING:
    from kalshi_research.sandbox.engine.venue import Venue

__all__ = ["GroupDesk"]


class GroupDesk:
    """The requests of users about order groups; part of `Engine`."""

    _venue: Venue

    def create_group(self, user: str, limit: int, *, subaccount: int = 0, shard: int = 0) -> OrderGroup:
        """Add an order group with a limit of contracts [1/100 contract]."""
        venue = self._venue
        venue.begin()
        wallet = venue.purse(venue.wallet(user, subaccount), shard)
        _check_limit(limit)
        group = OrderGroup(venue.identifier(), wallet, limit, shard)
        wallet.member.groups[group.group_id] = group
        self._tell_group(group, "created")
        return group

    def group(self, user: str, group_id: str) -> OrderGroup:
        """An order group of a user."""
        group = self._venue.wallet(user, 0).member.groups.get(group_id)
        if group is None:
            raise refuse("ORDER_GROUP_NOT_FOUND", "order group not found")
        return group

    def trigger_group(self, user: str, group_id: str) -> None:
        """Cancel the group's orders and take no more until it is reset."""
        group = self.group(user, group_id)
        self._venue.begin()
        trigger(self._venue, group)

    def reset_group(self, user: str, group_id: str) -> None:
        """Set the group's counter to zero and take orders again."""
        group = self.group(user, group_id)
        self._venue.begin()
        group.clear()
        self._tell_group(group, "reset")

    def set_group_limit(self, user: str, group_id: str, limit: int) -> None:
        """Change the limit; below what was matched within the window it triggers the group."""
        group = self.group(user, group_id)
        _check_limit(limit)
        venue = self._venue
        venue.begin()
        group.limit = limit
        self._tell_group(group, "limit_updated")
        if not group.triggered and group.matched(venue.now, venue.options.group_window) > limit:
            trigger(venue, group)

    def delete_group(self, user: str, group_id: str) -> None:
        """Remove the group and cancel its orders."""
        group = self.group(user, group_id)
        self._venue.begin()
        for order in list(group.resting.values()):
            cancel(self._venue, order, "")
        del group.wallet.member.groups[group_id]
        self._tell_group(group, "deleted")

    def _tell_group(self, group: OrderGroup, kind: str) -> None:
        venue = self._venue
        wallet = group.wallet
        venue.outbox.append(
            GroupUpdate(
                venue.clock,
                venue.now,
                wallet.member.user,
                group.group_id,
                kind,  # type: ignore[arg-type]
                group.limit,
                wallet.number,
            )
        )


def _check_limit(limit: int) -> None:
    if not SMALLEST_LIMIT <= limit <= LARGEST_LIMIT:
        raise refuse("INVALID_PARAMETERS", "contracts_limit lies between 1 and 1000000")
