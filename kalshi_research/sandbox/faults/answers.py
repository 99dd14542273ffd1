"""What a client is shown instead of the true answer: the same for accepted and for lost requests."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from kalshi_research.errors import InputError
from kalshi_research.money import COUNT_SCALE, fixed_text, parse_fixed
from kalshi_research.sandbox.faults.call import Answer, Outcome, json_answer
from kalshi_research.sandbox.refusals import refused
from kalshi_research.sandbox.seeding import derived_uuid

if TYPE_CHECKING:
    from kalshi_research.sandbox.dispatch import Send
    from kalshi_research.sandbox.faults.call import Call, Inner
    from kalshi_research.sandbox.faults.gate import FaultGate
    from kalshi_research.sandbox.faults.line import Line
    from kalshi_research.sandbox.faults.rules import Bite
    from kalshi_research.sandbox.faults.script import Faults

__all__ = ["accept", "invented", "rate_limit", "redirect", "refusal_answer", "reject", "shown"]

Json = dict[str, Any]

_CODES = {
    400: "bad_request",
    401: "authentication_error",
    403: "forbidden",
    404: "not_found",
    408: "request_timeout",
    409: "conflict",
    410: "gone",
    429: "too_many_requests",
    500: "internal_server_error",
    503: "service_unavailable",
}
_HTML = {
    502: b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
    504: b"<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n"
    b"<center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n",
}


def refusal_answer(status: int) -> Answer:
    """An answer of an error status, HTML where a gateway would have sent it.

    Examples
    --------
    >>> refusal_answer(502).body[:6]
    b'<html>'
    """
    if status in _HTML:
        return Answer(status, headers=((b"content-type", b"text/html"),)).with_body(_HTML[status])
    return json_answer(status, refused(status, _CODES[status]).body)


def shown(variant: str, answer: Answer, bite: Bite, faults: Faults) -> Outcome:
    """What one of `ANSWERS` looks like on the wire.

    Parameters
    ----------
    variant : str
    answer : Answer
        The true one, or `invented`.
    bite : Bite
    faults : Faults
    """
    if variant == "hang":
        seconds = faults.seconds(bite.rule.details["seconds"])

        async def hang(line: Line, _: Send, __: Answer) -> None:
            await line.hold(seconds)

        return Outcome(answer, hang)
    if variant in ("RST", "FIN"):
        return Outcome(answer, _reset if variant == "RST" else _close)
    if variant.isdigit():
        return Outcome(refusal_answer(int(variant)))
    if variant == "truncated":
        return Outcome(answer, _half)
    return Outcome(_disguised(variant, answer, bite))


async def _reset(line: Line, _: Send, __: Answer) -> None:
    await line.reset()


async def _close(line: Line, _: Send, __: Answer) -> None:
    await line.close()


async def _half(line: Line, _: Send, answer: Answer) -> None:
    """Half of the body, or of the head where there is no body."""
    raw = answer.raw()
    line.write(raw[: len(raw) - (len(answer.body) + 1) // 2 if answer.body else len(raw) // 2])
    await line.close()


def _disguised(variant: str, answer: Answer, bite: Bite) -> Answer:
    if variant == "empty":
        return answer.with_body(b"")
    if variant == "error":
        error = refused(410, "deprecated_v1_order_endpoint", "Please switch to the V2 endpoints").body
        return json_answer(answer.status, error)
    if variant == "schema":
        return json_answer(answer.status, {"order": {"id": "1", "state": "ok"}})
    return json_answer(answer.status, _of_another(answer.json(), bite))


def _of_another(found: Any, bite: Bite) -> Any:
    """The same answer about an order that is not the caller's."""
    if isinstance(found, list):
        return [_of_another(each, bite) for each in found]
    if not isinstance(found, dict):
        return found
    names = ("order_id", "client_order_id")
    return {
        name: derived_uuid(bite.rule.seed, "other", name, bite.call, value)
        if name in names
        else _of_another(value, bite)
        for name, value in found.items()
    }


# --- the kinds -----------------------------------------------------------------------------------


async def accept(gate: FaultGate, call: Call, bite: Bite, inner: Inner) -> Outcome:
    """Do what was asked for, all or a part of a batch, and show something."""
    rule, asked = bite.rule, call
    keep, fields = rule.details["items"], call.json()
    if keep >= 0 and isinstance(fields, dict) and isinstance(fields.get("orders"), list):
        asked = call.saying(fields | {"orders": fields["orders"][:keep]})
    outcome = await inner(asked)
    bite.status = outcome.answer.status
    return shown(rule.variant, outcome.answer, bite, gate.faults)


async def reject(gate: FaultGate, call: Call, bite: Bite, _: Inner) -> Outcome:
    """Lose what was asked for, and show something."""
    gate.lost(call, bite.kind)
    return shown(bite.rule.variant, gate.invent(call, bite), bite, gate.faults)


async def rate_limit(gate: FaultGate, call: Call, bite: Bite, _: Inner) -> Outcome:
    """Refuse with 429, with a ``Retry-After`` of some form."""
    gate.lost(call, bite.kind)
    answer = refusal_answer(429)
    form = bite.rule.variant
    if form != "absent":
        soon = formatdate(gate.exchange.wall_ms() / 1000 + 30, usegmt=True)
        text = {"date": soon, "nan": "NaN", "junk": "in a while"}.get(form, form)
        answer = replace(answer, headers=(*answer.headers, (b"retry-after", text.encode())))
    return Outcome(answer)


async def redirect(gate: FaultGate, call: Call, bite: Bite, _: Inner) -> Outcome:
    """Send the client to another place, or to the same again."""
    gate.lost(call, bite.kind)
    place = bite.rule.details["location"] or call.scope["path"]
    location = place.encode("latin-1", "replace")
    return Outcome(Answer(int(bite.rule.variant), headers=((b"location", location),)).with_body(b""))


# --- for requests that never reached the exchange ------------------------------------------------


def invented(call: Call, bite: Bite, now_ms: int) -> Answer:
    """The answer that a request would have got, had it been accepted and rested.

    Parameters
    ----------
    call : Call
    bite : Bite
    now_ms : int
        Time of the exchange [ms since 1970].
    """
    method, path = call.place.split(" ", 1)
    fields = call.json() if isinstance(call.json(), dict) else {}
    if method == "GET":
        return json_answer(200, {})
    if path == "/portfolio/events/orders":
        if method == "DELETE":
            return Answer(204)
        return json_answer(201, _created(fields, bite, now_ms))
    if path == "/portfolio/events/orders/batched":
        rows = [row for row in fields.get("orders", ()) if isinstance(row, dict)]
        if method == "DELETE":
            return json_answer(
                200, {"orders": [_canceled(row.get("order_id", ""), now_ms) for row in rows]}
            )
        orders = [_created(row, bite, now_ms, place) for place, row in enumerate(rows)]
        return json_answer(201, {"orders": orders})
    if call.place == "POST /portfolio/orders":
        return json_answer(201, {"order": _created_2025(fields, bite)})
    if path.startswith("/portfolio/events/orders/"):
        return json_answer(200, _changed(path, fields, now_ms))
    return json_answer(200, {})


def _contracts(text: object) -> str:
    try:
        return fixed_text(parse_fixed(str(text), COUNT_SCALE), COUNT_SCALE)
    except InputError:
        return "0.00"


def _created(fields: Json, bite: Bite, now_ms: int, place: int = 0) -> Json:
    view: Json = {
        "fill_count": "0.00",
        "order_id": derived_uuid(bite.rule.seed, "invented", bite.call, place),
        "remaining_count": _contracts(fields.get("count")),
        "ts_ms": now_ms,
    }
    if fields.get("client_order_id"):
        view["client_order_id"] = fields["client_order_id"]
    return dict(sorted(view.items()))


def _created_2025(fields: Json, bite: Bite) -> Json:
    kept = ("action", "client_order_id", "side", "ticker", "type", "yes_price", "no_price")
    view = {name: fields[name] for name in kept if name in fields} | {
        "fill_count": 0,
        "initial_count": fields.get("count", 0),
        "order_id": derived_uuid(bite.rule.seed, "invented", bite.call),
        "remaining_count": fields.get("count", 0),
        "status": "resting",
    }
    return dict(sorted(view.items()))


def _canceled(order_id: str, now_ms: int) -> Json:
    return {"order_id": order_id, "reduced_by": "1.00", "ts_ms": now_ms}


def _changed(path: str, fields: Json, now_ms: int) -> Json:
    order_id, _, act = path.removeprefix("/portfolio/events/orders/").partition("/")
    if not act:
        return _canceled(order_id, now_ms)
    view: Json = {"order_id": order_id, "ts_ms": now_ms}
    if act == "decrease":
        view["remaining_count"] = _contracts(fields.get("reduce_to"))
    elif fields.get("updated_client_order_id") or fields.get("client_order_id"):
        view["client_order_id"] = fields.get("updated_client_order_id") or fields["client_order_id"]
    return dict(sorted(view.items()))
