"""From walks over pages to one frame, losing nothing on the way.

A question such as "all trades of these two markets" may need several walks: one for
each market and for each tier (live and historical). A `Collection` runs them one after
the other into one decoder. When a walk breaks off, the error carries the frame of
everything that had arrived and a cursor that resumes the *whole* question.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Collection as Collection_
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from kalshi_research.client import Outline
from kalshi_research.errors import (
    DecodeError,
    InputError,
    KalshiError,
    NotFoundError,
    PaginationError,
    PartialDataWarning,
    WalkInterrupted,
    printable,
    warn,
)
from kalshi_research.progress import progress
from kalshi_research.provenance import note, provenance, query_hash
from kalshi_research.schemas import Decoder, OrderbookDecoder

if TYPE_CHECKING:
    import pandas as pd

    from kalshi_research.client import Client, Page, Pages
    from kalshi_research.schemas import HistorySchema, OrderbookSchema, Schema

__all__ = ["Collection", "Row", "Test", "Walk"]

Row = Mapping[str, Any]
"""One row as it came over the wire."""

Test = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk over the pages of a route.

    Attributes
    ----------
    name : str
        ``tier:what``; tells it apart from the other walks of the same question, so that a
        cursor can say where to resume.
    path, items_key, params, limit
        The request.
    keep : callable, optional
        Which rows are wanted; all where it is None.
    stop : callable, optional
        Holds for the first row that is not news: the walk ends before it.
    """

    name: str
    path: str
    items_key: str
    params: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = 1000
    keep: Test | None = None
    stop: Test | None = None


class Collection:
    """Rows of one question, gathered from any number of walks.

    Parameters
    ----------
    client : Client
    schema : Schema, OrderbookSchema or HistorySchema
        What the rows are.
    endpoint : str
        The route, for the provenance.
    question : mapping
        The arguments as checked; their hash goes into the provenance.
    max_rows : int, optional
        Cap on the rows of all walks together.
    cursor : str
        Of a `PaginationError`: resume there.
    show_progress : bool, optional
        Show a bar from the second page on; None means as the environment says.
    context : mapping, optional
        What the pages do not say themselves, for the decoder.
    """

    def __init__(
        self,
        client: Client,
        schema: Schema | OrderbookSchema | HistorySchema,
        *,
        endpoint: str,
        question: Mapping[str, Any],
        max_rows: int | None = None,
        cursor: str = "",
        show_progress: bool | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._schema = schema
        self.decoder = schema.decoder(**context or {})
        self._endpoint = endpoint
        self._query = query_hash(question)
        self._max_rows = max_rows
        self._resume_name, _, self._resume_cursor = cursor.partition("|")
        self._resumed = bool(cursor)
        self._show_progress = show_progress
        self._fetched_at = client.clock()
        self._tiers: list[str] = []
        self._at = ""  # the cursor that fetches the page after the last one added
        self._last = ""  # the walk begun last
        self.rows = 0
        self.pages = 0
        self.capped = False
        self.met = False

    @property
    def missing(self) -> list[str]:
        """Books asked for that did not come; only order books tell an empty answer from none."""
        return self.decoder.missing if isinstance(self.decoder, OrderbookDecoder) else []

    @property
    def full(self) -> bool:
        """Whether the cap on rows is reached."""
        return self._max_rows is not None and self.rows >= self._max_rows

    def walk(self, walk: Walk) -> None:
        """Add all pages of `walk`; does nothing where a resumed question is already past it."""
        cursor = ""
        self._last = walk.name
        if self._resume_name:
            if self._resume_name == f"after {walk.name}":
                self._resume_name = ""
                return
            if walk.name != self._resume_name:
                return
            cursor, self._resume_name, self._resume_cursor = self._resume_cursor, "", ""
        if self.full:
            self.capped = True
            return
        tier = walk.name.partition(":")[0]
        # Where every row is wanted, the page is decoded while the walk looks at it: once, not twice.
        whole = walk.keep is None and walk.stop is None and self._max_rows is None
        reader = _reader(self.decoder) if whole and isinstance(self.decoder, Decoder) else None
        pages = self._client.pages(
            walk.path,
            walk.items_key,
            params=walk.params,
            cursor=cursor,
            limit=walk.limit,
            max_rows=self._room() if walk.keep is None else None,
            outline=reader,
        )
        self._at = cursor
        try:
            self._add_all(pages, walk, tier, decoded=reader is not None)
        except KeyboardInterrupt as interrupt:
            raise self._interrupted(walk) from interrupt
        except KalshiError as error:
            if self.pages == 0:
                raise
            cursor = error.cursor if isinstance(error, PaginationError) else self._at
            raise self._broken(f"{walk.name}|{cursor}", error) from error
        if self._at and self._room() == 0:
            self.capped = True

    def _add_all(self, pages: Pages, walk: Walk, tier: str, *, decoded: bool) -> None:
        with ExitStack() as stack:
            bar = None
            for page in pages:
                met = False if decoded else self._add(page, walk)
                self._count(tier, page.n_rows if decoded else self.decoder.rows - self.rows)
                if bar is None and page.cursor:
                    bar = stack.enter_context(
                        progress(None, self._schema.kind, enabled=self._show_progress)
                    )
                if bar is not None:
                    bar.update(page.n_rows)
                self._at = page.cursor
                if met or self.full:
                    return

    def add_one(
        self,
        path: str,
        key: str,
        items_key: str,
        tier: str,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Add the single object that `path` answers with under `key`."""
        answer = self._client.request("GET", path, params=params)
        if not isinstance(answer.get(key), dict):
            raise DecodeError("the answer lacks the object asked for", where=f"$.{key}")
        self.add_body(json.dumps({items_key: [answer[key]]}).encode(), tier)

    def add_body(self, body: bytes, tier: str, **about: str) -> None:
        """Add an answer that needs no walk; `about` is what the decoder cannot read off it."""
        self._count(tier, self.decoder.add(body, **about))

    def _count(self, tier: str, rows: int) -> None:
        if tier not in self._tiers:
            self._tiers.append(tier)
        self.rows += rows
        self.pages += 1

    def _room(self) -> int | None:
        return None if self._max_rows is None else self._max_rows - self.rows

    def _add(self, page: Page, walk: Walk) -> bool:
        """Add a page; says whether it met a row that is not news."""
        met = False
        body = page.body
        room = self._room()
        if walk.stop is not None or walk.keep is not None or (room is not None and page.n_rows > room):
            items: list[Row] = page.json()[walk.items_key] or []
            stop = walk.stop
            if stop is not None:
                news = list(takewhile(lambda row: not stop(row), items))
                met = len(news) < len(items)
                items = news
            if walk.keep is not None:
                items = [row for row in items if walk.keep(row)]
            if room is not None and len(items) > room:
                items, met, self.capped = items[:room], False, True
            body = json.dumps({walk.items_key: items}).encode()
        self.decoder.add(body)
        self.met = self.met or met
        return met

    @contextmanager
    def between(self) -> Iterator[None]:
        """Ask something beside the walks: where that fails, no row of theirs is lost."""
        try:
            yield
        except NotFoundError:
            raise
        except KalshiError as error:
            if self.pages == 0:
                raise
            raise self._broken(f"after {self._last}|", error) from error

    def _broken(self, cursor: str, error: KalshiError) -> PaginationError:
        reason = error.cause if isinstance(error, PaginationError) and error.cause else error
        return PaginationError(
            f"{printable(self._endpoint)} broke off after {self.rows:,} rows in {self.pages} pages: "
            f"{str(reason).splitlines()[0]}\n"
            "The rows so far are in .frame (do not take them for complete).\n"
            "Go on with the same call and cursor=error.cursor.",
            cursor=cursor,
            rows=self.rows,
            pages=self.pages,
            cause=reason,
            frame=self.so_far(),
        )

    def _interrupted(self, walk: Walk) -> WalkInterrupted:
        return WalkInterrupted(
            f"interrupted after {self.rows:,} rows; they are in .frame, "
            "and cursor=error.cursor goes on with the same call",
            cursor=f"{walk.name}|{self._at}",
            rows=self.rows,
            frame=self.so_far(),
        )

    def so_far(self) -> pd.DataFrame:
        """The rows that have arrived, marked as incomplete."""
        return self.decoder.frame(self._provenance(complete=False))

    def _provenance(self, *, complete: bool, **more: str | int) -> dict[str, Any]:
        return provenance(
            environment=self._client.environment.name,
            host=self._client.host,
            endpoint=self._endpoint,
            fetched_at=self._fetched_at,
            rows=self.rows,
            pages=self.pages,
            complete=complete,
            schema=self._schema.tag,
            query=self._query,
            simulated=self._client.simulated,
            **more,
        )

    def frame(
        self, *, asked: Collection_[str] | None = None, all_expected: bool = False
    ) -> pd.DataFrame:
        """The rows as a frame, with their provenance.

        Parameters
        ----------
        asked : collection of str, optional
            The tickers asked for. A row of another one is an error, because then the
            exchange answered another question.
        all_expected : bool
            Warn where some of `asked` did not come back.
        """
        if self._resume_name:
            raise InputError(
                "this cursor belongs to another question; "
                "pass it with the arguments of the call that failed"
            )
        cap = {} if self._max_rows is None else {"max_rows": self._max_rows}
        frame = self.decoder.frame(
            self._provenance(complete=not self.capped, tier="+".join(self._tiers), **cap)
        )
        if asked is None:
            return frame
        names = frame["ticker"] if "ticker" in frame.columns else frame.index
        came = set(names.unique())
        strangers = came.difference(asked)
        if strangers:
            raise DecodeError(
                f"the exchange answered for {printable(min(strangers), 60)}, which was not asked for; "
                "nothing of it is used"
            )
        missing = [name for name in asked if name not in came]
        if all_expected and missing and not self.capped and not self._resumed:
            warn(
                f"{len(missing)} of {len(asked)} tickers did not come back, such as "
                f"{printable(missing[0], 60)}: unknown to the exchange, or filtered out",
                PartialDataWarning,
            )
            note(frame, complete=False)
        return frame


def _reader(decoder: Decoder) -> Callable[[bytes], Outline]:
    """What decodes a page and says what the walk must know of it."""

    def read(body: bytes) -> Outline:
        n_rows = decoder.add(body)
        first = "" if decoder.first is None else str(decoder.first)
        return Outline(decoder.cursor, n_rows, first.encode())

    return read
