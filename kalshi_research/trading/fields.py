"""The fields of a ticket: each takes what fits and refuses the rest with a sentence."""

from __future__ import annotations

from typing import Any

import traitlets

from kalshi_research.errors import InputError, quoted
from kalshi_research.trading.terms import as_text

__all__ = ["Figure", "Flag", "Sentences", "Text", "Word"]


class Word(traitlets.TraitType[str, str]):
    """One of a few words; anything else is refused with the list."""

    def __init__(self, words: tuple[str, ...], **options: Any) -> None:
        super().__init__(words[0], **options)
        self.words = words

    def validate(self, obj: Any, value: Any) -> str:
        """The word, or `InputError`."""
        del obj
        if not isinstance(value, str) or value not in self.words:
            raise InputError(
                f"{self.name}={quoted(value, 40)} is unknown; choose {', '.join(self.words)}."
            )
        return str(value)


class Text(traitlets.TraitType[str, Any]):
    """Text; nothing else is one."""

    default_value = ""

    def validate(self, obj: Any, value: Any) -> str:
        """The text, or `InputError`."""
        del obj
        if not isinstance(value, str):
            raise InputError(f"{self.name} must be text, not {quoted(value, 40)}.")
        return value


class Sentences(traitlets.List[str]):
    """A list of text; nothing else is one."""

    def validate(self, obj: Any, value: Any) -> list[str]:
        """The list, or `InputError`."""
        del obj
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            raise InputError(f"{self.name} must be a list of text, not {quoted(value, 40)}.")
        return list(value)


class Figure(traitlets.TraitType[str, Any]):
    """A number as the text a person writes; a double becomes the decimal it stands for."""

    default_value = ""

    def __init__(self, scale: int, **options: Any) -> None:
        super().__init__("", **options)
        self.scale = scale

    def validate(self, obj: Any, value: Any) -> str:
        """The text; whether it is a price on the grid is for the blockers to say."""
        del obj
        return "" if value is None else as_text(value, self.scale)


class Flag(traitlets.TraitType[bool, bool]):
    """True or False; nothing that only looks like one."""

    default_value = False

    def validate(self, obj: Any, value: Any) -> bool:
        """True or False, or `InputError`."""
        del obj
        if not isinstance(value, bool):
            raise InputError(f"{self.name} must be True or False, not {quoted(value, 40)}.")
        return value
