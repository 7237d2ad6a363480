"""What people type into a chat box: slips, shortened words, and sentences that stand for a plainer one.

Nothing of this is tried on a question that is understood as it stands; and what it makes of one that is not has to be
understood with every word of it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from agent.interpret.scan_words import Token

_ROUNDS = 3
_MOST = 24
_MARKS = frozenset({"?", ".", "!", ";"})


class Reworded(BaseModel):
    """A sentence that stands for another; the data file says what the fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str
    as_: str = Field(alias="as")
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rewording:
    """Another way to put a sentence.

    Attributes:
        tokens: its words, each with the characters of the user's text that it stands for.
        only: kinds of question that it may be; empty for any.
    """

    tokens: list[Token]
    only: frozenset[str]


@dataclass(frozen=True)
class _Table:
    typed: dict[str, str]
    reworded: tuple[tuple[re.Pattern[str], Reworded], ...]


def rewordings(tokens: Sequence[Token]) -> Iterator[Rewording]:
    """The ways to put a sentence, the nearest to the user's words first; the sentence itself is not among them.

    Args:
        tokens: the words of one sentence.
    """
    table = _load()
    words = [token for token in tokens if token.text not in _MARKS]
    plain = _typed(words, table)
    seen = {_text(words)}
    queue = [Rewording(plain, frozenset())]
    for _ in range(_ROUNDS):
        made: list[Rewording] = []
        for one in queue:
            said = _text(one.tokens)
            if said not in seen:
                seen.add(said)
                yield one
            made += [more for more in _reworded(one, table) if _text(more.tokens) not in seen]
        queue = made[:_MOST]
    yield from (one for one in queue if _text(one.tokens) not in seen)


def _text(tokens: Sequence[Token]) -> str:
    return " ".join(token.text for token in tokens)


def _typed(words: Sequence[Token], table: _Table) -> list[Token]:
    """The words that are meant; a word that stands for several becomes several of the same place."""
    return [replace(token, text=text) for token in words for text in table.typed.get(token.text, token.text).split()]


def _reworded(one: Rewording, table: _Table) -> Iterator[Rewording]:
    said = _text(one.tokens)
    if not said:
        return
    starts: dict[int, int] = {}
    at = 0
    for n, token in enumerate(one.tokens):
        starts[at] = n
        at += len(token.text) + 1
    for pattern, row in table.reworded:
        found = pattern.fullmatch(said)
        if found is None:
            continue
        only = frozenset(row.only)
        if one.only and only and not one.only & only:
            continue
        made: list[Token] = []
        for part in row.as_.split():
            if part.startswith("{"):
                group = int(part[1:-1])
                begin, end = starts[found.start(group)], len(said[: found.end(group)].split(" "))
                made += one.tokens[begin:end]
            else:
                # Words that are put in stand for the sentence as a whole.
                made.append(Token(part, one.tokens[0].start, one.tokens[-1].end))
        yield Rewording(_in_place(made, one.tokens), (one.only & only) if one.only and only else one.only | only)


def _in_place(made: Sequence[Token], old: Sequence[Token]) -> list[Token]:
    """The words with places that begin with the sentence's first character and end with its last."""
    first, last = old[0].start, old[-1].end
    return [
        replace(token, start=first if n == 0 else token.start, end=last if n == len(made) - 1 else token.end)
        for n, token in enumerate(made)
    ]


@cache
def _load() -> _Table:
    """The table of ``everyday.toml``, read once per process."""
    text = files("agent.interpret").joinpath("everyday.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    rows = [Reworded.model_validate(row) for row in data.get("reworded", [])]
    return _Table(dict(data.get("typed", {})), tuple((re.compile(row.says), row) for row in rows))
