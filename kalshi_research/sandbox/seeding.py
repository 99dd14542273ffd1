"""Randomness that depends on the seed and on a name, never on the order of requests."""

from __future__ import annotations

import hashlib
import uuid

import numpy as np

__all__ = ["derived_uuid", "generator"]


def _digest(seed: int, names: tuple[object, ...]) -> bytes:
    text = "\x1f".join([str(seed), *map(str, names)])
    return hashlib.sha256(text.encode()).digest()


def generator(seed: int, *names: object) -> np.random.Generator:
    """A random generator of its own for one named thing.

    Examples
    --------
    >>> float(generator(0, "a").random()) == float(generator(0, "a").random())
    True
    >>> float(generator(0, "a").random()) == float(generator(0, "b").random())
    False
    """
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, names)[:16], "big")))


def derived_uuid(seed: int, *names: object) -> str:
    """A UUID text that is always the same for the same seed and name.

    Examples
    --------
    >>> derived_uuid(0, "market", "M") == derived_uuid(0, "market", "M")
    True
    """
    return str(uuid.UUID(bytes=_digest(seed, names)[16:32]))
