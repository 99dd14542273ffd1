"""Commands as they arrive, checked."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import msgspec

from kalshi_research.sandbox.stream.codes import CommandError

__all__ = ["Command", "Params"]

_LARGEST_SHARD = 100


@dataclass(frozen=True, slots=True)
class Params:
    """The ``params`` of a command, read field by field; a wrong type is error 1."""

    fields: dict[str, Any]

    def flag(self, name: str) -> bool:
        """A boolean, False where it is absent."""
        value = self.fields.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise CommandError(1)
        return value

    def text(self, name: str) -> str:
        """A text, empty where it is absent."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise CommandError(1)
        return value

    def integer(self, name: str) -> int | None:
        """An integer, None where it is absent."""
        value = self.fields.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise CommandError(1)
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts, each once; empty where it is absent."""
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CommandError(1)
        return list(dict.fromkeys(value))

    def sids(self) -> list[int]:
        """The subscriptions of ``sids``."""
        value = self.fields.get("sids")
        if value is None:
            return []
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            raise CommandError(1)
        return list(value)

    def one_sid(self) -> int:
        """The one subscription that an update is about, from ``sid`` or ``sids``."""
        single = self.integer("sid")
        several = self.sids()
        if single is not None and not several:
            return single
        if single is None and len(several) == 1:
            return several[0]
        raise CommandError(12)

    def tickers(self) -> list[str]:
        """The markets of ``market_ticker`` or ``market_tickers``, not both."""
        return self._one_or_many("market_ticker", "market_tickers")

    def market_ids(self) -> list[str]:
        """The markets of ``market_id`` or ``market_ids``, checked to be UUIDs."""
        found = self._one_or_many("market_id", "market_ids")
        for text in found:
            try:
                uuid.UUID(text)
            except ValueError:
                raise CommandError(11) from None
        return [text.lower() for text in found]

    def _one_or_many(self, one: str, many: str) -> list[str]:
        single, several = self.text(one), self.texts(many)
        if single and several:
            raise CommandError(11)
        return [single] if single else several

    def check_shards(self) -> None:
        """The division of a busy channel among connections."""
        factor, key = self.integer("shard_factor"), self.integer("shard_key")
        if factor is None:
            if key is not None:
                raise CommandError(20)
            return
        if factor <= 0:
            raise CommandError(19)
        if factor > _LARGEST_SHARD:
            raise CommandError(22)
        if key is not None and not 0 <= key < factor:
            raise CommandError(21)

    def channels(self) -> list[str]:
        """The channels asked for, each once."""
        found = self.texts("channels")
        if not found:
            raise CommandError(3)
        return found


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its number; 0 stands for none."""

    number: int
    name: str
    given: Any

    @classmethod
    def parse(cls, text: str | bytes) -> Command:
        """Read a frame.

        Raises
        ------
        CommandError
            1, for what is not a command.

        Examples
        --------
        >>> Command.parse('{"id":4,"cmd":"list_subscriptions"}').name
        'list_subscriptions'
        """
        try:
            frame = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise CommandError(1) from None
        if not isinstance(frame, dict):
            raise CommandError(1)
        number, name = frame.get("id", 0), frame.get("cmd", "")
        if type(number) is not int or number < 0 or not isinstance(name, str):
            raise CommandError(1)
        return cls(number, name, frame.get("params"))

    def params(self) -> Params:
        """Its parameters, which have to be there."""
        if self.given is None:
            raise CommandError(2)
        if not isinstance(self.given, dict):
            raise CommandError(1)
        return Params(self.given)
