"""Demands put as the questions that they stand for: "name the kidney with …", "subtract A from B"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.interpret.items import Item
from agent.interpret.lexicon import load_lexicon
from tools.ontology import is_pair, load_ontology

_NAMING = frozenset({"name", "identify", "indicate", "specify", "state", "determine", "report", "give", "find"})
_NAMED = frozenset({"organ", "one", "structure", "side", "segment", "part", "lobe", "region", "portion"})
_RELATIVE = {"with": "has", "whose": "the", "where": "the"}
_SEARCHING = frozenset({
    "check", "screen", "search", "examine", "inspect", "scan", "evaluate", "assess", "review", "look through",
})  # fmt: skip
_BEFORE_WHICH = frozenset({"to", "in", "on", "at"})
_COMPARATIVES = frozenset({
    "larger", "bigger", "greater", "smaller", "denser", "higher", "lower", "more", "fewer", "less",
})  # fmt: skip
_ADENOCARCINOMA = frozenset({"adenocarcinoma", "ductal adenocarcinoma"})
_OTHER = frozenset({"other", "any other", "another", "some other", "any other kind of", "any other type of"})
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
    return _which_at_the_end(texts)


def _which_at_the_end(texts: list[str]) -> list[str]:
    """Words in which "the larger kidney is the …" is "the larger kidney is which …"."""
    said = [n for n, text in enumerate(texts) if text not in {":", ","}]
    if len(said) < 4 or [texts[n] for n in said[-2:]] != ["is", "the"] or texts[said[0]] != "the":
        return texts
    if any(_nameable(texts[n]) for n in said[1:3]) and _COMPARATIVES & set(texts):
        texts[said[0]] = "which"
        texts[said[2]] = {**_RELATIVE, "that": "the"}.get(texts[said[2]], texts[said[2]])
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


def searched(items: Sequence[Item]) -> list[Item]:
    """Items in which "check the kidneys for cysts" is "are there cysts in the kidneys"."""
    told = [n for n, item in enumerate(items) if not (item.is_filler("polite", "joint", "mark") and item.group is None)]
    first = told[0] if told else len(items)
    after = next((n for n in range(first + 1, len(items)) if items[n].text == "for"), None)
    if after is None or items[first].text not in _SEARCHING or after + 1 >= len(items):
        return list(items)
    places = [item for item in items[first + 1 : after] if not item.is_filler("article", "preposition", "joint")]
    sought = next((item for item in items[after + 1 :] if not item.is_filler("article")), None)
    ontology = load_ontology()
    looked = bool(places) and all(item.role in {"structure", "side"} for item in places)
    lesion = sought is not None and sought.role == "structure" and ontology.get(sought.structures[0]).kind == "lesion"
    if not (looked and lesion):
        return list(items)
    exists = replace(items[first], role="concept", group=load_lexicon().groups_of[("present",)], fillers=())
    return [*items[:first], exists, *items[first + 1 :]]


def within_reach(items: Sequence[Item]) -> list[Item]:
    """Items in which "within 5 mm of the aorta" is "at most 5 mm from it", not in it."""
    found = list(items)
    lexicon = load_lexicon()
    for at in range(len(found) - 2):
        here, number, of = found[at : at + 3]
        length = number.role == "number" and lexicon.dimension(number.unit) == "length"
        if here.text == "within" and length and of.text in {"of", "from"}:
            found[at] = replace(here, role="concept", group=lexicon.groups_of[("at", "most")], fillers=())
            filler = lexicon.fillers_of[("of",)]
            found[at + 2] = replace(of, role="filler", group=None, fillers=filler)
    return found


def or_any_other(items: Sequence[Item]) -> list[Item]:
    """Items in which "a metastasis or any other tumour of the liver" is "any tumour of the liver"."""
    ontology = load_ontology()
    for at, item in enumerate(items):
        if item.role != "structure" or at + 2 >= len(items) or items[at + 1].text != "or":
            continue
        after = next((n for n in range(at + 2, len(items)) if items[n].role == "structure"), at)
        words = " ".join(one.text for one in items[at + 2 : after])
        if words not in _OTHER or len(item.structures) != 1 or len(items[after].structures) != 1:
            continue
        special, general = ontology.get(item.structures[0]), ontology.get(items[after].structures[0])
        wider = special.kind == general.kind == "lesion" and general.lesion_type in ontology.ancestors(
            special.lesion_type or special.id
        )
        if wider and special.organ in {None, general.organ}:
            text = " ".join(one.text for one in items[at : after + 1])
            return [*items[:at], replace(items[after], start=item.start, text=text), *items[after + 1 :]]
    return list(items)


def of_the_pancreas(items: Sequence[Item]) -> list[Item]:
    """Items in which an adenocarcinoma beside the pancreas, and no other organ, is the one of its ducts."""
    ontology = load_ontology()
    named = [ontology.get(i) for item in items for i in item.structures if item.role == "structure"]
    hosts = {host for one in named if (host := one.organ if one.kind == "lesion" else one.id) is not None}
    if not hosts or any(not host.startswith("pancreas") for host in hosts):
        return list(items)
    found: list[Item] = []
    at = 0
    while at < len(items):
        item, end, place = items[at], at + 1, "pancreas"
        if item.text in _ADENOCARCINOMA:
            after = next((n for n in range(end, len(items)) if not items[n].is_filler("article", "preposition")), end)
            beside = items[after] if end < after < len(items) else None
            if beside is not None and beside.role == "structure" and ontology.get(beside.structures[0]).kind == "organ":
                end, place = after + 1, beside.structures[0]
            text = " ".join(one.text for one in items[at:end])
            item = replace(
                item, role="structure", structures=(ontology.lesion_id("pdac", place),), group=None, fillers=(),
                end=items[end - 1].end, text=text,
            )  # fmt: skip
        found.append(item)
        at = end
    return found


def _nameable(word: str) -> bool:
    """Whether one of several is meant by "the …": a part, an organ, one of a pair."""
    found = load_ontology().mentions([word])
    return word in _NAMED or any(not one.plural and not one.side_only and is_pair(one.structure) for one in found)
