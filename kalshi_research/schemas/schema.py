"""A kind of frame: its columns, and the wire fields that are left out on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalshi_research.schemas.frames import empty_frame
from kalshi_research.schemas.wire import Decoder

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.schemas.columns import Column
    from kalshi_research.schemas.plan import PageForm

__all__ = ["Kind", "Schema"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The columns of one kind of frame.

    Attributes
    ----------
    kind, version : str, int
        Name it in files and in ``frame.attrs``.
    columns : tuple of Column
        In order; the index is the first, where there is one.
    index : str
        The name of the column that is the index; empty for a running number.

    Examples
    --------
    >>> from kalshi_research.schemas import TRADES
    >>> TRADES.names[:4], TRADES.index, TRADES.tag
    (('time', 'trade_id', 'ticker', 'yes_price'), 'time', 'trades/1')
    """

    kind: str
    version: int
    columns: tuple[Column, ...]
    index: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, the index included."""
        return tuple(column.name for column in self.columns)

    @property
    def tag(self) -> str:
        """Kind and version, as ``frame.attrs`` has it."""
        return f"{self.kind}/{self.version}"

    def column(self, name: str) -> Column:
        """The column called `name`."""
        return next(column for column in self.columns if column.name == name)

    def empty(self) -> pd.DataFrame:
        """A frame of no rows with the columns, dtypes and index of a full one."""
        return empty_frame(self)


@dataclass(frozen=True, kw_only=True)
class Schema(Kind):
    """A kind of frame with one row for each object on the wire.

    Attributes
    ----------
    items : str
        The key that holds the rows of a page.
    key : tuple of str
        The columns that identify a row.
    ignored, ignored_old : mapping
        Wire fields of today's and of the integer dialect that are left out, with the reason.
    page : PageForm
        Where the rows of a page are.
    by_time : bool
        Rows are put in the order of time.
    finish : callable
        Makes sentinels missing and computes columns, once all pages are there.
    """

    items: str
    page: PageForm
    key: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict, hash=False)
    ignored_old: Mapping[str, str] = field(default_factory=dict, hash=False)
    by_time: bool = False
    finish: Callable[[Any, Mapping[str, Any]], Any] | None = None

    def decoder(self, **context: Any) -> Decoder:
        """A new decoder for pages of this kind; see `Decoder` for the arguments."""
        return Decoder(self, **context)
