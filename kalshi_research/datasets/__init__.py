"""Small data sets that come with the package, made by the simulated exchange.

Everything here is SIMULATED: it has the form of real answers, and no number in it is real,
not even in the sample order book, which is the example of Kalshi's documentation of 2025.
``datasets/README.md`` says how each set was made; the same command makes the same bytes.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalshi_research.datasets.kinds import QUOTES
from kalshi_research.errors import ArchiveError, InputError, quoted
from kalshi_research.files import read_frame
from kalshi_research.schemas import SCHEMAS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dataset_names", "load_dataset"]

_KINDS = SCHEMAS | {QUOTES.kind: QUOTES}


def dataset_names() -> list[str]:
    """The names that `load_dataset` knows.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> "sample_orderbook" in dataset_names()
    True
    """
    return sorted(_manifest()[1])


def load_dataset(name: str) -> pd.DataFrame:
    """Read a data set that comes with the package.

    Parameters
    ----------
    name : str
        One of `dataset_names`.

    Returns
    -------
    pandas.DataFrame
        With the columns of the function that its name ends with: a set of trades is what
        `get_trades` returns, and so on; a set of quotes is what `quotes` makes of a book history.
        ``attrs`` say that it is simulated.

    Raises
    ------
    InputError
        If there is no such set.
    ArchiveError
        If its file is damaged.

    Examples
    --------
    >>> import kalshi_research as kr
    >>> book = load_dataset("sample_orderbook")
    >>> kr.quotes(book)[["yes_bid", "yes_ask", "spread"]].to_numpy().tolist()
    [[0.42, 0.44, 0.02]]
    """
    folder, sets = _manifest()
    if not isinstance(name, str) or name not in sets:
        raise InputError(f"there is no data set {quoted(name, 60)}; there are {sorted(sets)}")
    entry = sets[name]
    return read_frame(folder / entry["file"], _KINDS[entry["kind"]])


@cache
def _manifest() -> tuple[Path, dict[str, dict[str, Any]]]:
    here = Path(__file__).resolve()
    # In a wheel the files lie beside this module, in a checkout at the top level.
    for folder in (here.parent, here.parents[2] / "datasets"):
        manifest = folder / "manifest.json"
        if manifest.is_file():
            return folder, json.loads(manifest.read_text("utf-8"))["sets"]
    raise ArchiveError("the data sets are not installed: there is no manifest.json beside the package")
