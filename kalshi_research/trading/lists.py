"""Lists as users have them at hand: of order ids, of reports, of what is to be placed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kalshi_research.errors import InputError

__all__ = ["items_of", "orders_of"]


def items_of(value: object, refusal: str) -> list[Any]:
    """What an iterable holds: a list, a tuple, a generator, an array, a Series, an Index.

    Text is no list: it would be gone through letter by letter. Nor is a frame, which would be gone
    through by the names of its columns.

    Raises
    ------
    InputError
        With these words, if it is none.

    Examples
    --------
    >>> items_of(("a", "b"), "must be a list")
    ['a', 'b']
    """
    single = isinstance(value, (str, bytes, bytearray, memoryview, Mapping))
    if single or not isinstance(value, Iterable) or getattr(value, "ndim", 1) != 1:
        raise InputError(refusal)
    return list(value)


def orders_of(value: Any, refusal: str) -> list[Any]:
    """Orders as `cancel_orders` takes them: any list of them, or a frame that has their ids.

    Raises
    ------
    InputError
        With these words, if it is no list.

    Examples
    --------
    >>> import pandas as pd
    >>> orders_of(pd.DataFrame({"order_id": ["a", "b"]}), "must be a list")
    ['a', 'b']
    """
    if hasattr(value, "columns") and hasattr(value, "index"):
        if value.index.name == "order_id":
            return list(value.index)
        if "order_id" in value.columns:
            value = value["order_id"]
    return items_of(value, refusal)
