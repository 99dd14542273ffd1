"""The recorded session of the demo exchange, asked again, and every recorded body beside ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from recorded_shapes import DIFFERENCES, differences
from sandbox_member import ORDERS, OTHER, PREFIX, TICKER, Member

from kalshi_research.sandbox import Sandbox

SESSION = "real/rest_demo_2026_06"
RECORDED_TICKER = "KXWTACHALLENGERMATCH-26JUN11JIMLEP-LEP"
RECORDED_CASH = 98_018_600
SKEWS = {"minus5s": -5, "plus5s": 5, "minus30s": -30, "minus5min": -300, "plus5min": 300}

# Where the answer is another one on purpose.
OTHERWISE = {
    "orders__legacy_create": (410, "these routes were removed in June 2026, after the recording"),
    "orders__legacy_cancel": (410, "these routes were removed in June 2026, after the recording"),
}
# What has no request in it.
NO_REQUEST = {
    "markets__high_temp": "a body without its request",
    "session__manifest": "the list of the others",
    "ws__orderbook_trade_noleg": "frames, judged with the stream",
    "ws__orderbook_trade_yes": "frames, judged with the stream",
}
# Whose figures are determined by the book, the money and the fee rule, and so must be the same.
SAME_FIGURES = {
    "auth__balance_ok": ("balance", "balance_dollars", "balance_breakdown"),
    "account__limits": ("grants", "usage_tier"),
    "orderbook__base": ("orderbook_fp",),
    "orders__create_v2_maker": ("client_order_id", "fill_count", "remaining_count"),
    "orders__cancel_v2": ("reduced_by",),
    "orders__create_v2_taker_ioc": (
        "average_fee_paid", "average_fill_price", "client_order_id", "fill_count", "remaining_count",
    ),
    "orders__stp_setup": ("client_order_id", "fill_count", "remaining_count"),
    "orders__stp_self_cross": ("client_order_id", "fill_count", "remaining_count"),
    "orders__settlement_seed": (
        "average_fee_paid", "average_fill_price", "client_order_id", "fill_count", "remaining_count",
    ),
    "cleanup__stp_resting": ("reduced_by",),
}  # fmt: skip


@dataclass
class Replay:
    """The session, asked of a sandbox in the order in which it was recorded."""

    folder: Path
    member: Member
    names: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)

    def stages(self) -> list[tuple[str, dict[str, Any], Any]]:
        found = []
        for meta in self.folder.glob("*.meta.json"):
            name = meta.name.removesuffix(".meta.json")
            body = self.folder / f"{name}.json"
            if name not in NO_REQUEST and body.exists():
                found.append((name, json.loads(meta.read_text()), json.loads(body.read_text())))
        return sorted(found, key=lambda row: row[1].get("recorded_at_epoch_ms", 0))

    def headers(self, name: str, auth: str, method: str, path: str) -> dict[str, str]:
        if auth.startswith(("NONE", "unauthenticated")):
            return {}
        skew = SKEWS.get(name.removeprefix("auth__skew_"), 0)
        text = "another message" if auth == "bad-signature" else None
        headers = self.member.signed_headers(method, path, skew=skew, text=text)
        if auth == "missing-signature-header":
            del headers["KALSHI-ACCESS-SIGNATURE"]
        if auth == "unknown-key-id":
            headers["KALSHI-ACCESS-KEY"] = "00000000-0000-0000-0000-000000000000"
        return headers

    def translated(self, text: str) -> str:
        for theirs, ours in {RECORDED_TICKER: TICKER, **self.names, **self.cursors}.items():
            text = text.replace(theirs, ours)
        return text

    def ask(self, name: str, meta: dict[str, Any], recorded: Any) -> tuple[int, Any]:
        """Send the same request about our market and our orders; remember what ours are called."""
        path, _, query = self.translated(meta["path"].removeprefix(PREFIX)).partition("?")
        body = meta.get("request_body")
        if body is not None:
            body = json.loads(self.translated(json.dumps(body)))
        method = meta["method"]
        answer = self.member._session.request(
            method,
            f"{self.member.sandbox.url}{path}{'?' if query else ''}{query}",
            json=body,
            headers=self.headers(name, meta["auth"], method, path),
            timeout=30,
        )
        ours = answer.json()
        if answer.status_code == meta["status"] == 201:
            self.names[recorded["order_id"]] = ours["order_id"]
        if recorded.get("cursor") and ours.get("cursor"):
            self.cursors[recorded["cursor"]] = ours["cursor"]
        return answer.status_code, ours


@pytest.fixture(scope="module")
def replayed(shared: Path) -> Iterator[dict[str, tuple[dict[str, Any], Any, int, Any]]]:
    """What was recorded and what was answered, by the name of the recording."""
    with Sandbox(users=2, rate_limits=False) as sandbox, Member(sandbox) as member:
        member.clear()
        member.order("bid", "0.47", "3", user=1)
        member.order("ask", "0.52", "3", user=1)
        user = sandbox._exchange.accounts[0].user_id
        surplus = sandbox.floor.call(lambda engine: engine.balance(user)) - RECORDED_CASH
        sandbox.floor.call(lambda engine: engine.deposit(user, -surplus))
        book = member.get(f"/markets/{TICKER}/orderbook")["orderbook_fp"]
        assert book == {"no_dollars": [["0.4800", "3.00"]], "yes_dollars": [["0.4700", "3.00"]]}
        replay = Replay(shared / SESSION, member)
        yield {
            name: (meta, recorded, *replay.ask(name, meta, recorded))
            for name, meta, recorded in replay.stages()
        }


def code(body: Any) -> str:
    inside = body.get("error", body)
    return str(inside.get("code", "msg" if "msg" in body else ""))


def test_every_recorded_request_is_replayed(replayed: dict[str, Any], shared: Path) -> None:
    recorded = {path.name.split(".")[0] for path in (shared / SESSION).glob("*__*")}
    assert recorded == replayed.keys() | NO_REQUEST.keys()
    assert len(replayed) > 50


def test_the_same_statuses_and_codes(replayed: dict[str, Any]) -> None:
    wrong = {}
    for name, (meta, recorded, status, ours) in replayed.items():
        expected = OTHERWISE.get(name, (meta["status"], ""))[0]
        same = expected != meta["status"] or status < 400 or code(ours) == code(recorded)
        if status != expected or not same:
            wrong[name] = (meta["status"], recorded, status, ours)
    assert wrong == {}


def test_the_same_errors_to_the_letter(replayed: dict[str, Any]) -> None:
    for name, (meta, recorded, _, ours) in replayed.items():
        if meta["status"] >= 400:
            recorded.get("error", {}).pop("service", None)
            assert (name, ours) == (name, recorded)


def test_the_same_shapes(replayed: dict[str, Any]) -> None:
    found = [
        difference
        for name, (_, recorded, _, ours) in replayed.items()
        if name not in OTHERWISE
        for difference in differences(name, recorded, ours)
    ]
    assert found == []


def test_the_same_figures(replayed: dict[str, Any]) -> None:
    for name, keys in SAME_FIGURES.items():
        _, recorded, _, ours = replayed[name]
        if name == "account__limits":  # the demo account was of the basic tier, and nobody limits ours
            recorded = recorded | {"usage_tier": "prestige"}
        assert {key: ours.get(key) for key in keys} == {key: recorded.get(key) for key in keys}, name
    _, recorded, _, ours = replayed["fills__after_taker"]
    named = (
        "fee_cost",
        "count_fp",
        "yes_price_dollars",
        "no_price_dollars",
        "is_taker",
        "side",
        "action",
    )
    assert [ours["fills"][0][key] for key in named] == [recorded["fills"][0][key] for key in named]
    for name in ("orders__get_after_create", "orders__stp_resting_after"):
        _, recorded, _, ours = replayed[name]
        own = ("order_id", "ticker", "user_id", "exchange_index")
        theirs = {key: value for key, value in recorded["order"].items() if key not in own}
        mine = {key: value for key, value in ours["order"].items() if key not in own}
        assert {key for key, value in theirs.items() if mine[key] != value} <= {
            "created_time",
            "last_update_time",
        }
    cancelled = replayed["orders__get_after_cancel"]
    # Read back at once the recorded exchange did not know yet what it had just said.
    assert (cancelled[1]["order"]["status"], cancelled[3]["order"]["status"]) == ("resting", "canceled")


def test_pages_follow_each_other(replayed: dict[str, Any]) -> None:
    pages = [replayed[f"markets__page{number}"][3] for number in (1, 2, 3)]
    tickers = [row["ticker"] for page in pages for row in page["markets"]]
    assert len(set(tickers)) == 15
    assert replayed["markets__garbage_cursor"][3] == pages[0]
    assert replayed["markets__single_filter_lastpage"][3]["cursor"] == ""


# --- every recorded body ----------------------------------------------------------------------------


IDS = [f"{number}" * 8 + "-0000-4000-8000-000000000000" for number in range(1, 5)]


@dataclass
class Scene:
    """A sandbox in which everything has happened that a recorded body is about."""

    member: Member
    orders: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        member = self.member
        member.clear()
        member.order("bid", "0.47", "3", user=1)
        member.order("ask", "0.52", "3", user=1)
        ioc = {"time_in_force": "immediate_or_cancel"}
        self.orders["resting"] = member.order("bid", "0.01", "1", client_order_id=IDS[0])
        self.orders["filled"] = member.order("bid", "0.99", "1", client_order_id=IDS[1], **ioc)
        self.orders["own"] = member.order("bid", "0.48", "1", client_order_id=IDS[2])
        self.orders["killed"] = member.order("ask", "0.48", "1", client_order_id=IDS[3], **ioc)
        self.order = member.done(200, "GET", f"/portfolio/orders/{self.orders['resting']['order_id']}")
        self.cancelled = member.done(200, "DELETE", f"{ORDERS}/{self.orders['own']['order_id']}")

    def refusals(self, name: str) -> Any:
        member = self.member
        more = {
            "duplicate_client_order_id": {"client_order_id": IDS[0]},
            "post_only_cross": {"post_only": True, "price": "0.60"},
            "insufficient_balance": {"count": "1000000"},
            "invalid_price_structure": {"price": "0.105"},
            "numeric_field_types": {"count": 1},
        }
        if name == "cancel_unknown_id":
            return member.send("DELETE", f"{ORDERS}/none").json()
        terms = {
            "ticker": TICKER, "side": "bid", "price": "0.01", "count": "1",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
        }  # fmt: skip
        return member.send("POST", ORDERS, terms | more[name]).json()

    def unauthorised(self, name: str) -> Any:
        path = "/portfolio/balance"
        headers = self.member.signed_headers(
            "GET", path, skew=-30 if "skew" in name else 0, text="x" if "bad" in name else None
        )
        if "missing" in name:
            del headers["KALSHI-ACCESS-SIGNATURE"]
        if "unknown" in name:
            headers["KALSHI-ACCESS-KEY"] = "00000000-0000-0000-0000-000000000000"
        return self.member.call("GET", path, headers=headers).json()

    def body(self, name: str) -> Any:
        """Ours beside a recorded one."""
        if name.startswith("error_auth__"):
            return self.unauthorised(name)
        if name.startswith("error_orders__"):
            return self.refusals(name.removeprefix("error_orders__"))
        if name in ("error_410_legacy_order", "error_429_prod"):
            return (
                self.limited() if "429" in name else self.member.send("POST", "/portfolio/orders").json()
            )
        made = {
            "order_cancel_v2": self.cancelled,
            "order_create_v2_ioc_filled": self.orders["filled"],
            "order_create_v2_ioc_stp_killed": self.orders["killed"],
            "order_create_v2_resting": self.orders["resting"],
            "order_get": self.order,
        }
        return made[name] if name in made else self.read(name)

    def limited(self) -> Any:
        with Sandbox(rate_limits=True, days=1, crypto_hours=0) as sandbox, Member(sandbox) as member:
            answers = [member.call("GET", "/exchange/status") for _ in range(20)]
        return next(answer.json() for answer in answers if answer.status_code == 429)

    def read(self, name: str) -> Any:
        now = 1795186800
        hours = f"start_ts={now - 86400}&end_ts={now}&period_interval=60"
        (old,) = self.member.get("/historical/markets", limit=1, series_ticker="KXHIGHNY")["markets"]
        archived = f"/historical/markets/{old['ticker']}/candlesticks"
        path, _, query = {
            "account_endpoint_costs_2026-06": "/account/endpoint_costs",
            "account_limits_basic": "/account/limits",
            "balance": "/portfolio/balance",
            "candlesticks_historical": f"{archived}?{self._last(old)}",
            "candlesticks_live": f"/series/KXHIGHNY/markets/{TICKER}/candlesticks?{hours}",
            "error_markets__limit_over_max": "/markets?limit=1001",
            "event_single_nested": "/events/KXHARBORMATCH-26NOV18OFFPIE?with_nested_markets=true",
            "events_page_trimmed": "/events?with_nested_markets=true",
            "exchange_status_2026-06": "/exchange/status",
            "exchange_status_2026-09": "/exchange/status",
            "fills_list": "/portfolio/fills",
            "historical_cutoff_2026-09": "/historical/cutoff",
            "market_finalized_prod": "/markets?status=settled&limit=1",
            "market_single": f"/markets/{TICKER}",
            "markets_page": "/markets?limit=5",
            "markets_settled": "/markets?status=settled&limit=5",
            "orderbook": f"/markets/{OTHER}/orderbook",
            "orderbooks_batch_trimmed": f"/markets/orderbooks?tickers={OTHER}",
            "orders_list": "/portfolio/orders",
            "positions": "/portfolio/positions",
            "series_list_trimmed": "/series",
            "trade_prod_2026-09": "/markets/trades?limit=1",
            "trades": "/markets/trades?limit=12",
        }[name].partition("?")
        body = self.member.send("GET", path, query=f"?{query}").json()
        only = {"market_finalized_prod": "markets", "trade_prod_2026-09": "trades"}.get(name)
        return body[only][0] if only else body

    def _last(self, market: dict[str, Any]) -> str:
        trades = self.member.get("/historical/trades", ticker=market["ticker"], limit=1)["trades"]
        end = int(datetime.fromisoformat(trades[0]["created_time"]).timestamp()) // 3600 * 3600 + 3600
        return f"start_ts={end - 1}&end_ts={end}&period_interval=60"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Sandbox(users=2) as sandbox, Member(sandbox) as member:
        yield Scene(member)


def test_every_recorded_body_has_the_keys_and_kinds_of_ours(scene: Scene, shared: Path) -> None:
    found, seen = [], 0
    for file in sorted((shared / "wire_examples").glob("*.json")):
        name = file.name.removesuffix(".json")
        recorded = json.loads(file.read_text())
        found += differences(name, recorded, scene.body(name))
        seen += 1
    assert found == []
    assert seen > 35


def test_the_comparison_would_notice() -> None:
    good = {"a": "1.00", "rows": [{"id": 1, "t": "2026-01-01T00:00:00Z"}]}
    assert differences("x", good, good) == []
    assert differences("x", good, {"a": "1.00", "rows": []}) == []
    for bad in (
        {"a": "1.0000", "rows": good["rows"]},
        {"a": 1, "rows": good["rows"]},
        {"rows": good["rows"]},
        {**good, "b": 1},
        {"a": "1.00", "rows": [{"id": 1}]},
        {"a": "1.00", "rows": [{"id": 1, "t": "yesterday"}]},
        {"a": "1.00", "rows": {}},
    ):
        assert differences("x", good, bad), bad


def test_every_difference_has_its_reason() -> None:
    assert all(re.compile(pattern) and reason for pattern, reason in DIFFERENCES.items())
