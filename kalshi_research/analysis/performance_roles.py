"""Taking against making: what each role traded, paid and earned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalshi_research.analysis.frames import Floats, Ints, legs, nearest, numbers, scaled
from kalshi_research.analysis.performance_ledger import amounts, need
from kalshi_research.errors import FrameError
from kalshi_research.money import COUNT_SCALE, MONEY_SCALE, PRICE_SCALE
from kalshi_research.provenance import KEY, combined

__all__ = ["maker_taker"]

_FILLS = ("ticker", "outcome_side", "yes_price", "quantity", "fee_cost", "is_taker")
_MAKERS = "get_fills and read_fills make such frames"
_ROLES = ("maker", "taker", "all")


def maker_taker(
    fills: pd.DataFrame,
    settlements: pd.DataFrame | None = None,
    *,
    markets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Fills by role: how much was made and taken, at which price, for which fees and what profit.

    A fill buys a leg at a price and in the end that leg pays; a purchase that closes a position
    pays with the leg it had. So profit adds up over fills, and the roles share it exactly, whatever
    was bought and sold in between. It counts for settled markets only.

    Parameters
    ----------
    fills : DataFrame
        Of `get_fills`.
    settlements : DataFrame, optional
        Of `get_settlements`: what YES paid.
    markets : DataFrame, optional
        Of `get_markets`: the same for markets without a record.

    Returns
    -------
    DataFrame
        Indexed by role: maker, taker, all.

        ================  =======  ================================================================
        column            dtype    meaning
        ================  =======  ================================================================
        fills             int64    how many
        quantity          float64  traded [contracts]
        cost              float64  paid for the legs bought, without fees [dollars]
        price             float64  mean price of a leg, by contract [dollars]
        fees              float64  paid; missing where a fill does not tell its fee [dollars]
        fee_per_contract  float64  [dollars]
        settled           float64  of `quantity`, in settled markets [contracts]
        gross_pnl         float64  of those: what the legs paid − their cost [dollars]
        net_pnl           float64  gross_pnl − their fees [dollars]
        ================  =======  ================================================================

    Raises
    ------
    FrameError
        If a frame lacks a column, or a fill does not say whether it took.

    Examples
    --------
    >>> import pandas as pd
    >>> fills = pd.DataFrame({"ticker": "T", "outcome_side": ["yes", "no"], "yes_price": [0.40, 0.46],
    ...     "quantity": [10.0, 4.0], "fee_cost": [0.168, 0.0], "is_taker": [True, False]})
    >>> maker_taker(fills)[["quantity", "price", "fees"]].to_dict("index")["maker"]
    {'quantity': 4.0, 'price': 0.54, 'fees': 0.0}
    """
    frame = need(fills, _FILLS, "fills", _MAKERS)
    if frame["is_taker"].isna().any():
        raise FrameError("a fill does not say whether it took: is_taker is missing there")
    is_yes = legs(frame, "outcome_side", what="fills")
    price = scaled(frame, "yes_price", PRICE_SCALE, what="fills", below=1.0)
    count = scaled(frame, "quantity", COUNT_SCALE, what="fills")
    cost = np.where(is_yes, price, PRICE_SCALE - price) * count
    fee = amounts(frame, "fee_cost", "fills")
    value = _values(frame["ticker"], settlements, markets)
    known = np.isfinite(value)
    per_yes, _ = nearest(np.where(known, value, 0.0), PRICE_SCALE)
    paid: Ints = np.where(is_yes, per_yes, PRICE_SCALE - per_yes) * count
    entries = pd.DataFrame(
        {
            "role": np.where(frame["is_taker"].to_numpy(dtype=bool), "taker", "maker"),
            "fills": 1,
            "counts": count,
            "cost": cost,
            "fees": [one or 0 for one in fee],
            "unknown": [one is None for one in fee],
            "settled": np.where(known, count, 0),
            "gross": np.where(known, paid - cost, 0),
            "settled_fees": np.where(known, [one or 0 for one in fee], 0),
            "settled_unknown": known & np.array([one is None for one in fee], dtype=bool),
        }
    )
    sums = entries.groupby("role").sum().reindex(_ROLES[:2], fill_value=0)
    sums.loc["all"] = sums.sum()
    table = _table(sums.rename_axis("role"), any_settled=bool(known.any()))
    source = combined(fills)
    table.attrs = {} if source is None else {KEY: source}
    return table


def _table(sums: pd.DataFrame, *, any_settled: bool) -> pd.DataFrame:
    traded = sums["counts"].where(sums["counts"] > 0)
    fees = (sums["fees"] / MONEY_SCALE).mask(sums["unknown"] > 0)
    gross, net = sums["gross"], sums["gross"] - sums["settled_fees"]
    told = pd.Series(any_settled, index=sums.index)
    return pd.DataFrame(
        {
            "fills": sums["fills"].astype("int64"),
            "quantity": sums["counts"] / COUNT_SCALE,
            "cost": sums["cost"] / MONEY_SCALE,
            "price": sums["cost"] / (traded * PRICE_SCALE),
            "fees": fees,
            "fee_per_contract": sums["fees"] * COUNT_SCALE / (traded * MONEY_SCALE) + 0 * fees,
            "settled": sums["settled"] / COUNT_SCALE,
            "gross_pnl": (gross / MONEY_SCALE).where(told),
            "net_pnl": (net / MONEY_SCALE).where(told & (sums["settled_unknown"] == 0)),
        }
    )


def _values(
    tickers: pd.Series, settlements: pd.DataFrame | None, markets: pd.DataFrame | None
) -> Floats:
    """What a YES of each market paid [dollars]; NaN where that is not known."""
    value: dict[str, float] = {}
    for frame, column, what, makers in (
        (markets, "settlement_value", "markets", "get_markets makes such frames"),
        (settlements, "value", "settlements", "get_settlements makes such frames"),
    ):
        if frame is not None:
            plain = need(frame, ("ticker", column), what, makers)
            plain = plain[plain[column].notna()]
            value |= dict(zip(plain["ticker"], numbers(plain, column, what=what), strict=True))
    return np.array([value.get(ticker, np.nan) for ticker in tickers], dtype=np.float64)
