"""Whether two scans are of one patient, without anybody learning who that is.

What identifies a person is turned at once into digests under a key that is drawn anew in every process and written
nowhere: two scans that are open at once can be compared, and nothing else can be done with them.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

Relation = Literal["same", "different", "unknown"]


@dataclass(frozen=True)
class Person:
    """Digests of what a file says about the patient; None where it says nothing.

    Attributes:
        number: the patient's number.
        issuer: who gave that number.
        born: birth date.
        sex: M or F.
    """

    number: bytes | None = field(default=None, repr=False)
    issuer: bytes | None = field(default=None, repr=False)
    born: bytes | None = field(default=None, repr=False)
    sex: bytes | None = field(default=None, repr=False)


def relation(one: Person, other: Person) -> Relation:
    """Whether two files name one patient.

    One entry that differs tells them apart; only an equal number shows that they are the same. Numbers that two
    issuers gave cannot be compared.
    """
    comparable = one.issuer is None or other.issuer is None or one.issuer == other.issuer
    pairs = [(one.born, other.born), (one.sex, other.sex), *([(one.number, other.number)] if comparable else [])]
    if any(a is not None and b is not None and a != b for a, b in pairs):
        return "different"
    return "same" if comparable and one.number is not None and one.number == other.number else "unknown"


def digest(text: str) -> bytes | None:
    """Digest of a text, different in every process; None for no text."""
    return hashlib.blake2b(text.encode(), key=_key()).digest() if text else None


@cache
def _key() -> bytes:
    return secrets.token_bytes(32)
