"""The exchange itself: whether it is open, and when it will be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kalshi_research.schemas.columns import Column
from kalshi_research.schemas.schema import Schema

__all__ = ["SCHEDULE", "STATUS"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class _StatusPage:
    """The whole exchange, followed by its shards."""

    keys = frozenset({"exchange_active"})

    def page_type(self, row: type) -> Any:
        shards = ("exchange_index_statuses", list[row] | None, None)  # type: ignore[valid-type]
        return msgspec.defstruct("Page", [shards], bases=(row,), forbid_unknown_fields=True, gc=False)

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]]:
        return [page, *(page.exchange_index_statuses or [])], {}


STATUS = Schema(
    kind="exchange_status",
    version=1,
    items="exchange_index_statuses",
    page=_StatusPage(),
    columns=(
        Column(
            "exchange_index",
            "integer",
            "shard; missing for the exchange as a whole",
            ("exchange_index",),
        ),
        Column("description", "text", "what trades there", ("description",)),
        Column(
            "exchange_active", "flag", "takes any change at all", ("exchange_active",), need="required"
        ),
        Column("trading_active", "flag", "takes orders", ("trading_active",), need="required"),
        Column(
            "intra_exchange_transfers_active",
            "flag",
            "takes transfers between shards",
            ("intra_exchange_transfers_active",),
        ),
        Column(
            "estimated_resume_time",
            "time",
            "end of an outage, not guaranteed",
            ("exchange_estimated_resume_time",),
        ),
    ),
)


class _Hours(msgspec.Struct):
    open_time: str
    close_time: str


_Week = msgspec.defstruct(
    "_Week",
    [("start_time", str), ("end_time", str), *((day, list[_Hours] | None, None) for day in WEEKDAYS)],
)


class _Maintenance(msgspec.Struct):
    start_datetime: str
    end_datetime: str


@dataclass(frozen=True)
class _SchedulePage:
    """Weekly hours and maintenance windows, one after the other."""

    keys = frozenset({"schedule"})

    def page_type(self, row: type) -> Any:
        del row
        schedule = msgspec.defstruct(
            "Schedule",
            [
                ("standard_hours", list[_Week] | None),  # type: ignore[valid-type]
                ("maintenance_windows", list[_Maintenance] | None),
            ],
        )
        return msgspec.defstruct("Page", [("schedule", schedule)])

    def rows(self, page: Any) -> tuple[Sequence[Any], Mapping[str, list[Any]]]:
        rows = list(self._rows(page.schedule))
        names = ("entry", "start_time", "end_time", "weekday", "opens", "closes")
        return rows, {name: [row[place] for row in rows] for place, name in enumerate(names)}

    def _rows(self, schedule: Any) -> Iterator[tuple[str | None, ...]]:
        for week in schedule.standard_hours or []:
            for day in WEEKDAYS:
                for hours in getattr(week, day) or []:
                    yield (
                        "trading",
                        week.start_time,
                        week.end_time,
                        day,
                        hours.open_time,
                        hours.close_time,
                    )
        for window in schedule.maintenance_windows or []:
            yield "maintenance", window.start_datetime, window.end_datetime, None, None, None


SCHEDULE = Schema(
    kind="exchange_schedule",
    version=1,
    items="schedule",
    page=_SchedulePage(),
    columns=(
        Column("entry", "text", "trading or maintenance"),
        Column("start_time", "time", "from when the entry holds"),
        Column("end_time", "time", "until when the entry holds"),
        Column("weekday", "text", "day of trading hours"),
        Column("opens", "text", "start of trading, HH:MM in New York"),
        Column("closes", "text", "end of trading, HH:MM in New York"),
    ),
)
