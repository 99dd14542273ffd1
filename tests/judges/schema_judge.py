"""Ask a sandbox everything its specification allows, and much it does not, and print what is wrong.

Runs in an environment of its own. Arguments: a file of JSON with the keys of `Task`. The requests are
made by schemathesis from the specification; the names in them are replaced by ones that exist most of
the time, else hardly a request would get past the first check. The answers are judged by schemathesis
against the schemas, in which objects have no other keys than those that are named.
"""

from __future__ import annotations

import base64
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import requests
import schemathesis
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import FailureGroup

PREFIX = "/trade-api/v2"
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
FORMS = {"FixedPointDollars": r"^-?\d+\.\d{4,6}$", "FixedPointCount": r"^-?\d+\.\d{2}$"}
# Operations whose every call is slow: a private key is made.
SLOW = {"POST /api_keys/generate": 0.2}
ORDERS = f"{PREFIX}/portfolio/events/orders"


@dataclass
class Task:
    """What to do: where, as whom, which operations, for how long, and names that exist."""

    specification: str
    url: str
    key_id: str
    key_path: str
    operations: list[str]
    seconds: float
    seed: int
    names: dict[str, list[Any]]


class Signature(requests.auth.AuthBase):
    """Signs what is about to be sent, whatever it has become on the way."""

    def __init__(self, key_id: str, key_path: str) -> None:
        self._key_id = key_id
        self._key: Any = load_pem_private_key(Path(key_path).read_bytes(), None)

    def __call__(self, request: Any) -> Any:
        now = str(time.time_ns() // 1_000_000)
        text = f"{now}{request.method}{urlsplit(request.url).path}"
        request.headers["KALSHI-ACCESS-KEY"] = self._key_id
        request.headers["KALSHI-ACCESS-TIMESTAMP"] = now
        request.headers["KALSHI-ACCESS-SIGNATURE"] = base64.b64encode(
            self._key.sign(text.encode())
        ).decode()
        return request


def follow(part: Any, schemas: dict[str, Any], found: set[str]) -> None:
    """Add the names of all schemas that a part of the specification refers to."""
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name in schemas and name not in found:
            found.add(name)
            follow(schemas[name], schemas, found)
        for inside in part.values():
            follow(inside, schemas, found)
    elif isinstance(part, list):
        for inside in part:
            follow(inside, schemas, found)


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The specification with objects of answers that have no unnamed keys, and numbers in their form."""
    schemas = document["components"]["schemas"]
    asked: set[str] = set()
    told: set[str] = set()
    operations = [
        operation
        for verbs in document["paths"].values()
        for operation in verbs.values()
        if isinstance(operation, dict) and "responses" in operation
    ]
    for operation in operations:
        follow(operation.get("requestBody"), schemas, asked)
        follow(operation["responses"], schemas, told)
    for name in told - asked:
        # Errors come in four shapes, of which the specification knows one.
        if "properties" in schemas[name] and name != "ErrorResponse":
            schemas[name]["additionalProperties"] = False
    for name, form in FORMS.items():
        schemas[name]["pattern"] = form
    return document


@dataclass
class Findings:
    """What the answers were."""

    wrong: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    def note(self, label: str, answer: Any, failure: Any, case: Any) -> None:
        code = error_code(answer)
        what = re.sub(r"\s+", " ", str(failure))[:300]
        key = f"{label} {answer.status_code} {code} {type(failure).__name__}"
        self.wrong.setdefault(
            key,
            {
                "operation": label,
                "status": answer.status_code,
                "code": code,
                "check": type(failure).__name__,
                "message": what,
                "request": f"{answer.request.method} {answer.request.url} {case.body!r}"[:600],
                "answer": answer.text[:400],
            },
        )


def error_code(answer: Any) -> str:
    """What an error calls itself, in whichever of the four shapes; ``shape`` for something else."""
    if answer.status_code < 400:
        return ""
    try:
        body = answer.json()
    except ValueError:
        return "shape"
    if not isinstance(body, dict):
        return "shape"
    inside = body.get("error", body)
    if isinstance(inside, dict) and set(inside) <= {"code", "message", "details"} and "code" in inside:
        return str(inside["code"])
    return "msg" if set(body) == {"msg"} else "shape"


class Judge:
    """One run."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.findings = Findings()
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = Signature(task.key_id, task.key_path)
        self.root = task.url.removesuffix(PREFIX)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, self.root + path, json=body, timeout=30)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def behind(self, operations: list[Any]) -> list[Any]:
        """The operations of which nothing has succeeded yet."""
        told = {key.rpartition(" ")[0] for key in self.findings.statuses if key[-3] == "2"}
        return [operation for operation in operations if operation.label not in told]

    # --- things that exist -----------------------------------------------------------------

    def order_id(self, chance: random.Random) -> str:
        """A resting order, made for this request."""
        ticker = chance.choice(self.task.names["open ticker"])
        body = {
            "ticker": ticker, "side": "bid", "price": "0.0100", "count": "3.00",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
        }  # fmt: skip
        self.task.names["ticker"][0] = ticker
        return str(self.send("POST", ORDERS, body)["order_id"])

    def group_id(self) -> str:
        path = f"{PREFIX}/portfolio/order_groups/create"
        return str(self.send("POST", path, {"contracts_limit": 10})["order_group_id"])

    def known(self, name: str, chance: random.Random) -> Any:
        """A value of a field that exists, or None where any will do."""
        if name == "order_id":
            return self.order_id(chance)
        if name == "order_group_id":
            return self.group_id()
        if name == "api_key":
            made = {"name": "short-lived", "key_type": "ed25519"}
            return self.send("POST", f"{PREFIX}/api_keys/generate", made)["api_key_id"]
        if name in ("count", "reduce_by", "reduce_to", "contracts_limit_fp"):
            return f"{chance.randint(1, 400) / 100:.2f}"
        if name == "price":
            return f"{chance.randint(1, 99) / 100:.4f}"
        if name in self.task.names:
            return chance.choice(self.task.names[name])
        return None

    def coherent(self, case: Any) -> None:
        """Have what was put together fit together: an order and its market, one of two limits."""
        path, body = case.path_parameters, case.body
        if "/events/{ticker}" in case.path:
            path["ticker"], path["series_ticker"] = "KXHIGHNY-26NOV21", "KXHIGHNY"
        if not isinstance(body, dict):
            return
        if "order_id" in path:
            body.pop("client_order_id", None)
            ours = {"ticker": self.task.names["open ticker"][0], "side": "bid"}
            body.update({name: value for name, value in ours.items() if name in body})
        if case.operation.label.endswith("/amend"):
            body["price"] = "0.0200"
        for first, second in (("reduce_by", "reduce_to"), ("contracts_limit_fp", "contracts_limit")):
            if first in body:
                body.pop(second, None)
        body.pop("fcm_subtrader_id", None)
        if body.get("time_in_force", "good_till_canceled") != "good_till_canceled":
            body.pop("expiration_time", None)
            body.pop("post_only", None)
        elif body.get("time_in_force"):
            body.pop("reduce_only", None)

    def season(self, part: Any, chance: random.Random, odds: float) -> Any:
        """The same with names that exist, mostly."""
        if isinstance(part, dict):
            made = {}
            for name, value in part.items():
                found = self.known(name, chance) if chance.random() < odds else None
                if isinstance(value, dict | list) and not isinstance(found, dict | list):
                    found = None
                made[name] = self.season(value, chance, odds) if found is None else found
            return made
        if isinstance(part, list):
            return [self.season(inside, chance, odds) for inside in part]
        return part

    # --- one operation ---------------------------------------------------------------------

    def operation(self, operation: Any, mode: GenerationMode, examples: int, seed: int) -> None:
        """Ask one operation many times."""
        positive = mode is GenerationMode.POSITIVE
        try:
            requests_of = operation.as_strategy(generation_mode=mode)
        except hypothesis.errors.InvalidArgument:
            return

        @hypothesis.seed(seed)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests_of, strategies.integers(0, 2**32))
        def ask(case: Any, number: int) -> None:
            chance = random.Random(number)
            case.path_parameters = self.season(case.path_parameters, chance, 0.9)
            if positive:
                case.query = self.season(case.query, chance, 0.9)
                if isinstance(case.body, dict):
                    case.body = self.season(case.body, chance, 0.95)
                if chance.random() < 0.8:
                    self.coherent(case)
            self.judge(operation.label, case)

        try:
            ask()
        except hypothesis.errors.Unsatisfiable:
            # There is nothing that its schema does not allow.
            return

    def judge(self, label: str, case: Any) -> None:
        try:
            answer = case.call(base_url=self.task.url, session=self.session)
        except (requests.exceptions.InvalidHeader, UnicodeError):
            return
        self.findings.statuses[f"{label} {answer.status_code}"] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.findings.note(label, answer, failure, case)
        if error_code(answer) == "shape":
            self.findings.note(label, answer, ValueError("an error in no known shape"), case)


def main(path: str) -> None:
    """Go round all operations until the time is over; print the findings."""
    task = Task(**json.loads(Path(path).read_text(encoding="utf-8")))
    document = yaml.load(Path(task.specification).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    schema = schemathesis.openapi.from_dict(closed(document))
    wanted = set(task.operations)
    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [operation for operation in operations if operation.label in wanted]
    judge, ends, rounds = Judge(task), time.monotonic() + task.seconds, 0
    asked: Counter[str] = Counter()
    while time.monotonic() < ends or (rounds < 8 and judge.behind(operations)):
        for operation in operations if time.monotonic() < ends else judge.behind(operations):
            slow = SLOW.get(operation.label, 1.0)
            for mode in GenerationMode:
                if time.monotonic() < ends or rounds == 0 or mode is GenerationMode.POSITIVE:
                    examples = max(int((6 if rounds == 0 else 12) * slow), 2)
                    judge.operation(operation, mode, examples, task.seed + 1000 * rounds)
                    asked[operation.label] += 1
        rounds += 1
    json.dump(
        {
            "asked": asked,
            "rounds": rounds,
            "requests": sum(judge.findings.statuses.values()),
            "statuses": judge.findings.statuses,
            "wrong": list(judge.findings.wrong.values()),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
