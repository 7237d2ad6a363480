"""Sentences of evidence in tests: what is said, and that every number in it is bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.wording import describe
from tools.types import Evidence


def said(one: Evidence, *more: Evidence) -> str:
    """The sentence for a piece of evidence, after checking that no number stands outside of its bindings.

    Args:
        one: the evidence.
        more: evidence that it was derived from.
    """
    return _checked(one, {each.id: each for each in (one, *more)})


def say_all(made: Iterable[Evidence]) -> list[str]:
    """Sentences for all evidence of one call."""
    known = {one.id: one for one in made}
    return [_checked(one, known) for one in known.values()]


def _checked(one: Evidence, known: Mapping[str, Evidence]) -> str:
    sentence = describe(one, known)
    free = list(sentence.text)
    for binding in sentence.bindings:
        free[binding.start : binding.end] = " " * (binding.end - binding.start)
    assert not any(character.isdecimal() for character in free), sentence.text
    assert sentence.text.endswith("."), sentence.text
    assert ".." not in sentence.text, sentence.text
    return sentence.text
