"""The panels before real money: locked, until a person has armed this client in this kernel."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import kalshi_research as kr
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.order_model import OrderModel

TICKER = "KXHIGHNY-26NOV21-B46.5"


@pytest.fixture
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox() as running:
        yield running


@pytest.fixture
def prod(sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of ``prod`` whose wire leads to a simulated exchange."""
    monkeypatch.setenv("KALSHI_RESEARCH_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setattr(builtins, "input", lambda prompt: pytest.fail(f"asked: {prompt}"))
    client = kr.connect("prod", key_id="k", private_key=Ed25519PrivateKey.generate())
    behind = kr.connect(sandbox)
    monkeypatch.setattr(client._caller, "call", behind._caller.call)
    monkeypatch.setattr(client, "clock", lambda: sandbox.now)
    return client


@pytest.fixture
def model(prod: Any) -> Iterator[OrderModel]:
    made = OrderModel(prod, Jobs("test"))
    made.ticker = TICKER
    yield settled(made)
    made.close()


def settled(model: OrderModel) -> OrderModel:
    assert model._jobs.wait(60)
    return model


def writes(sandbox: Any) -> list[str]:
    return [request.method for request in sandbox.truth.requests if request.method != "GET"]


def attempt(model: OrderModel, price: str = "0.05") -> None:
    model.ticket.edit(quantity="2", price=price)
    model.check()
    settled(model)
    model.send()
    settled(model)


def test_nothing_is_sent_before_somebody_has_armed(sandbox: Any, model: OrderModel) -> None:
    assert model.locked.startswith("Locked: this is real money.")
    assert "kr.arm(" in model.locked
    attempt(model)
    assert model.stage == "editing"
    model.stage = "confirming"  # however it came there
    model.send()
    settled(model)
    assert writes(sandbox) == []


def test_armed_it_sends_one_order_and_locks_again(
    sandbox: Any, prod: Any, model: OrderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtins, "input", lambda _: "prod")
    kr.arm(prod, max_order_cost=1, max_position=10, minutes=5)
    model.look()
    assert settled(model).locked == ""
    attempt(model)
    assert model.result == "Resting: buy 2 YES at $0.05."
    assert writes(sandbox) == ["POST"]
    attempt(model, "0.60")  # more than was allowed
    assert "nothing was sent" in model.result
    assert writes(sandbox) == ["POST"]
    kr.disarm(prod)
    model.look()
    assert settled(model).locked.startswith("Locked")
    attempt(model, "0.04")
    assert writes(sandbox) == ["POST"]


def test_the_panel_says_that_it_is_the_real_exchange(prod: Any) -> None:
    panel = kr.OrderPanel(prod)
    assert panel.badge.value == prod.environment.banner
    assert panel.badge.role == "badge prod"
    assert "prod" in repr(panel)
    assert "not connected" in panel._repr_mimebundle_()["text/plain"]
    panel.close()
