"""Demands put as the questions that they stand for: "name the kidney with …", "subtract A from B"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.interpret.items import Item
from tools.ontology import is_pair, load_ontology

_NAMING = frozenset({"name", "identify", "indicate", "specify", "state", "determine", "report", "give", "find"})
_NAMED = frozenset({"organ", "one", "structure", "side", "segment", "part", "lobe", "region", "portion"})
_RELATIVE = {"with": "has", "whose": "the", "where": "the"}
_BEFORE_WHICH = frozenset({"to", "in", "on", "at"})
_LONGEST_OWNER = 3


def which_one(texts: list[str]) -> list[str]:
    """Words in which "name the kidney with the larger volume" is "which kidney has the larger volume".

    The number of words stays the same, so that they keep their places in the question.
    """
    for at in range(len(texts) - 3):
        if texts[at] not in _NAMING or texts[at + 1] != "the" or not _nameable(texts[at + 2]):
            continue
        after = at + 3
        if texts[after] == "of":
            rest = texts[after + 1 : after + 2 + _LONGEST_OWNER]
            after += 1 + next((n for n, word in enumerate(rest) if word in {*_RELATIVE, *_BEFORE_WHICH}), 0)
        relative = texts[after] if after < len(texts) else ""
        if relative in _RELATIVE:
            texts[after] = _RELATIVE[relative]
        elif relative in _BEFORE_WHICH and texts[after + 1 : after + 2] == ["which"]:
            texts[after : after + 2] = ["the", "the"]
        else:
            continue
        texts[at : at + 2] = ["please", "which"]
    return texts


def subtracted(items: Sequence[Item]) -> list[Item]:
    """Items in which "subtract A from B" is "B minus A"; of another form "subtract" has no known meaning."""
    at = next((n for n, item in enumerate(items) if item.text == "subtract"), None)
    if at is None:
        return list(items)
    minus, rest = items[at], items[at + 1 :]
    middle = [n for n, item in enumerate(rest) if item.text == "from"]
    plain = not any(item.is_filler("joint", "aux", "what") for item in rest)
    if len(middle) != 1 or not plain or not 0 < middle[0] < len(rest) - 1:
        return [*items[:at], replace(minus, role="unknown", group=None), *rest]
    turned = [*rest[middle[0] + 1 :], rest[middle[0]], minus, *rest[: middle[0]]]
    found, start = list(items[:at]), minus.start
    for item in turned:
        end = start + item.end - item.start
        found.append(replace(item, start=start, end=end))
        start = end
    return found


def _nameable(word: str) -> bool:
    """Whether one of several is meant by "the …": a part, an organ, one of a pair."""
    found = load_ontology().mentions([word])
    return word in _NAMED or any(not one.plural and not one.side_only and is_pair(one.structure) for one in found)
