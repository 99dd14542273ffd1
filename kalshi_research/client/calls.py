"""One call: wait for the budget, sign, send, judge the answer, perhaps ask again.

Signing happens inside the loop. A retry below it would send a timestamp that is old by
the time it arrives.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalshi_research.client.counting import MARGINS, PRICES
from kalshi_research.client.rate_limits import ANONYMOUS, TIERS, UNLIMITED, Bucket, RateLimiter, Tier
from kalshi_research.client.retries import MAX_ATTEMPTS, RETRIED, RetryQuota, backoff, retry_after
from kalshi_research.client.strict_json import BrokenBodyError, check_object, parse_object
from kalshi_research.environments import REST_PATH, Target
from kalshi_research.errors import (
    ApiError,
    DeadlineError,
    DecodeError,
    KalshiError,
    TransportError,
    UnsentDeadlineError,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from kalshi_research.client.timing import Timing
    from kalshi_research.client.transport import Reply
    from kalshi_research.credentials import Signer

__all__ = ["Call", "Caller"]

_log = logging.getLogger(__name__)
_HEADERS = {
    "Accept": "application/json",
    # Nothing else is asked for, because this is what is inflated under a limit.
    "Accept-Encoding": "gzip",
    "User-Agent": "kalshi-research",
}


@dataclass(frozen=True)
class Call:
    """A checked request: what the user asked for, ready for the wire."""

    method: str
    route: str
    query: str = ""
    payload: bytes | None = None
    items: int = 1

    @property
    def path(self) -> str:
        """What is signed."""
        return f"{REST_PATH}{self.route}"


@dataclass(frozen=True)
class _Failure:
    error: KalshiError
    again: bool
    wait: float | None = None


class Caller:
    """Sends calls for one client, from any thread."""

    def __init__(
        self, target: Target, *, signer: Signer | None, tier: Tier | None, proxies: bool, timing: Timing
    ) -> None:
        from kalshi_research.client.transport import Transport

        self._environment = target.environment
        self._signer = signer
        self._timing = timing
        self._transport = Transport(target.root, proxies=proxies and not target.environment.simulated)
        self._quota = RetryQuota()
        if tier is None:
            known = TIERS["basic"] if signer is not None else ANONYMOUS
            tier = UNLIMITED if self._environment.simulated else known
        learn = self._ask_limits if signer is not None else None
        self.limits = RateLimiter(
            tier,
            timing=timing,
            learn=learn,
            price_of=PRICES[target.dialect],
            margin=MARGINS[target.dialect],
        )

    @property
    def proxied(self) -> bool:
        """Whether a proxy of the environment is in use."""
        return self._transport.proxied

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def call(self, call: Call, seconds: float) -> Reply:
        """Send and return the answer, if it is one of success, within `seconds`."""
        ends = self._timing.monotonic() + seconds
        attempt = 0
        while True:
            attempt += 1
            bucket = self.limits.acquire(call.method, call.route, call.items, ends)
            outcome = self._attempt(call, ends, bucket)
            if not isinstance(outcome, _Failure):
                self._quota.refund()
                return outcome
            wait = self._pause(call, outcome, attempt, ends)
            if wait is None:
                raise outcome.error
            self._timing.sleep(wait)

    def _pause(self, call: Call, failure: _Failure, attempt: int, ends: float) -> float | None:
        """How long to wait before asking again [s]; None to give up."""
        if call.method != "GET" or not failure.again or attempt >= MAX_ATTEMPTS:
            return None
        wait = failure.wait if failure.wait is not None else backoff(attempt, self._timing)
        if self._timing.monotonic() + wait >= ends or not self._quota.take():
            return None
        reason = str(failure.error).splitlines()[0]
        _log.info(
            "asking again in %.1f s (attempt %d of %d): %s", wait, attempt + 1, MAX_ATTEMPTS, reason
        )
        return wait

    def _attempt(self, call: Call, ends: float, bucket: Bucket) -> Reply | _Failure:
        left = ends - self._timing.monotonic()
        if left <= 0:
            return _Failure(
                UnsentDeadlineError(
                    f"the deadline of {call.method} {printable(call.route, 80)} has passed; "
                    "nothing was sent.\nPass a longer deadline=."
                ),
                again=False,
            )
        try:
            reply = self._transport.exchange(self._prepared(call), left)
            if 200 <= reply.status < 300:
                if reply.status != 204 or call.method == "GET":
                    check_object(reply.body, reply.content_type)
                return reply
        except (TransportError, DecodeError) as error:
            again = isinstance(error, (TransportError, BrokenBodyError)) and not isinstance(
                error, DeadlineError
            )
            return _Failure(error, again)
        if reply.status == 429:
            bucket.note_refusal()
            self.limits.learn_once(ends)
        wait = retry_after(reply.retry_after, self._timing.now())
        return _Failure(self.refused(call, reply), reply.status in RETRIED, wait)

    def refused(self, call: Call, reply: Reply) -> ApiError:
        """The error an answer stands for."""
        from kalshi_research.client.refusals import Asked, refusal

        signed = self._signer is not None
        asked = Asked(call.method, call.path, self._environment.name, signed, self._timing.now())
        return refusal(reply, asked)

    def _prepared(self, call: Call) -> requests.PreparedRequest:
        headers = dict(_HEADERS)
        if call.payload is not None:
            headers["Content-Type"] = "application/json"
        if self._signer is not None:
            now_ms = int(self._timing.now().timestamp() * 1000)
            headers.update(self._signer.headers(call.method, call.path, now_ms))
        target = f"{call.path}?{call.query}" if call.query else call.path
        return self._transport.prepare(call.method, target, headers, call.payload)

    def _ask_limits(self, ends: float) -> Mapping[str, Any]:
        call = Call("GET", "/account/limits")
        soon = self._timing.monotonic() + 5.0
        outcome = self._attempt(call, min(ends, soon), self.limits.bucket("read"))
        if isinstance(outcome, _Failure):
            raise outcome.error
        return parse_object(outcome.body)
