"""The ways in which the words of one sentence are read, one after the other, until one is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.interpret.beside import in_one_place, sides_behind, without_contrast, without_formula
from agent.interpret.everyday import rewordings
from agent.interpret.exclusions import without_exclusions
from agent.interpret.follow_up import Antecedent
from agent.interpret.grounds import with_nor, without_grounds
from agent.interpret.items import Item
from agent.interpret.lexicon import Phrase
from agent.interpret.numbered import Past, all_of, as_named, numbered, past_of, together
from agent.interpret.ordinals import counted, orders_lesions, ranked
from agent.interpret.reading import read
from agent.interpret.rephrase import of_the_pancreas, or_any_other, searched, subtracted, within_reach
from agent.interpret.scan_words import Token

_ALL_OF_THEM = frozenset({"lesion_list", "lesion_pair"})
STOPS = frozenset({"?", ".", "!", ";"})
"""Marks that end a sentence."""

_BEING = frozenset({"is", "are", "was", "were", "not", "out", "over", "up", "down"})
_MALIGNANT = re.compile(
    r"(?:so |and |but |then )*(?:is|are|could|can|might|may|would) (?:this|that|it|these|those|they)"
    r"(?: (?:be|really|likely|probably|possibly|a|an|some|kind of|sort of))*"
    r" (?:cancers?|cancerous|malignan\w+|metasta\w+)"
)


@dataclass(frozen=True)
class Attempt:
    """One way to read a sentence.

    Attributes:
        tokens: its words and the marks at its end, each with its place in the text.
        items: what they are.
        only: kinds of question that it may be then; empty for any.
        plain: whether the words are the user's own, as they stand.
    """

    tokens: list[Token]
    items: list[Item]
    only: frozenset[str] = frozenset()
    plain: bool = False


def parsed(tokens: Sequence[Token], names: Mapping[Phrase, str]) -> list[Item]:
    """The items of a sentence, with its set phrases put in plain order."""
    words = [token for token in tokens if token.text not in STOPS]
    items = in_one_place(sides_behind(_once(read(words, names))))
    items = of_the_pancreas(without_exclusions(without_contrast(without_formula(items))))
    items = searched(subtracted(within_reach(or_any_other(items))))
    return with_nor(without_grounds(items))


def _once(items: Sequence[Item]) -> list[Item]:
    """The items with the organ itself in "the kidney and the kidney cyst", of which both would be the cyst."""
    named = [item.structures for item in items if item.role == "structure"]
    return [as_named(item) if item.role == "structure" and named.count(item.structures) > 1 else item for item in items]


def attempts(
    tokens: Sequence[Token], before: Antecedent | None, names: Mapping[Phrase, str], classes: Sequence[str]
) -> Iterator[Attempt]:
    """The ways to read a sentence: as it stands first, then with numbered lesions, then put in plainer words.

    Args:
        tokens: its words and marks.
        before: the question before.
        names: names of structures that only this conversation has.
        classes: lesion classes of the scan.
    """
    past = past_of(before.queries) if before is not None else None
    end = [token for token in tokens if token.text in STOPS]
    words = [token for token in tokens if token.text not in STOPS]
    if before is not None and (inside := _in_there(words)) is not None:
        yield Attempt([*inside, *end], parsed(inside, names))
    plain = Attempt(list(tokens), parsed(tokens, names), plain=True)
    if past is not None:
        meant = together(words, past)
        every = all_of(parsed(meant, names), past)
        if every is not None:
            yield Attempt([*meant, *end], every, _ALL_OF_THEM)
    if _MALIGNANT.fullmatch(" ".join(token.text for token in words)):
        return  # whether "it" is a cancer is not whether there is one
    if not (ranked(words) or orders_lesions(plain.items) or _if_ok(words)):
        yield plain
    yield from _numbered(words, end, past, names, classes, frozenset())
    for one in rewordings(words):
        items = parsed(one.tokens, names)
        every = all_of(items, past)
        if every is not None:
            yield Attempt([*one.tokens, *end], every, _ALL_OF_THEM)
        if not (_if_ok(one.tokens) or orders_lesions(items)):
            yield Attempt([*one.tokens, *end], items, one.only)
        yield from _numbered(one.tokens, end, past, names, classes, one.only)


def _in_there(words: Sequence[Token]) -> list[Token] | None:
    """ "Any cysts there?" after an organ was spoken of: in it."""
    if len(words) < 3 or words[-1].text != "there" or words[-2].text in _BEING:
        return None
    there = words[-1]
    led = words[:-1] if words[-2].text == "in" else [*words[:-1], replace(there, text="in")]
    return [*led, replace(there, text="it")]


def _if_ok(words: Sequence[Token]) -> bool:
    """Whether "ok" is what is asked ("are the kidneys ok?"), and no courtesy ("the liver volume, ok?")."""
    texts = [token.text for token in words]
    return len(texts) > 2 and texts[0] in {"is", "are"} and texts[-1] in {"ok", "okay"} and texts[-2] != ","


def _numbered(
    words: Sequence[Token],
    end: Sequence[Token],
    past: Past | None,
    names: Mapping[Phrase, str],
    classes: Sequence[str],
    only: frozenset[str],
) -> Iterator[Attempt]:
    told = counted(words)
    found = numbered(parsed(told, names), past, classes)
    if found is not None:
        yield Attempt([*told, *end], found, only)
