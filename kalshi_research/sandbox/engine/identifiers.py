"""Identifiers that depend on a seed and on nothing else."""

from __future__ import annotations

from random import Random

__all__ = ["Identifiers"]

_ODD = 0x9E3779B1
_BLOCK = 0xFFFFFFFF


class Identifiers:
    """A source of distinct identifiers in the form of version-4 UUIDs.

    The first group is a counter times an odd number, which permutes it: no identifier comes twice,
    none needs a lookup, and neighbours look different. The rest is drawn from the seed.

    Examples
    --------
    >>> source = Identifiers(0)
    >>> source() != source(), Identifiers(0)() == Identifiers(0)()
    (True, True)
    """

    __slots__ = ("_count", "_draw", "_offset", "_tail")

    def __init__(self, seed: int) -> None:
        self._draw = Random(seed).getrandbits  # noqa: S311 - reproducible on purpose
        self._count = 0
        self._offset = self._draw(32)
        self._tail = self._next_tail()

    def __call__(self) -> str:
        """The next identifier."""
        self._count = count = self._count + 1
        if not count & _BLOCK:
            self._tail = self._next_tail()
        return "%08x" % (self._offset + count * _ODD & _BLOCK) + self._tail

    def _next_tail(self) -> str:
        draw = self._draw
        return f"-{draw(16):04x}-4{draw(12):03x}-{draw(14) | 0x8000:04x}-{draw(48):012x}"
