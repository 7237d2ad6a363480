"""Several questions in one sentence: where it divides, and what its parts leave to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from agent.interpret.analysis import analyse
from agent.interpret.follow_up import Antecedent, understand
from agent.interpret.grounds import GROUNDS
from agent.interpret.items import Item
from agent.interpret.match import Fit, Misfit, match
from agent.interpret.meaning import Meaning
from agent.query import Query, load_kinds

_OPENING_WORDS = frozenset({"is", "are", "do", "does", "can", "could", "has", "have", "was", "were", "did"})
_NO_QUESTION = frozenset({"THAN", "WHICH"})
_MOST_JOINTS = 6
_EXTREMES = frozenset({"LARGEST", "SMALLEST"})
_WITHIN = frozenset({"in", "within", "inside", "for"})
_LOOKING = frozenset({"look at", "looking at", "have a look at", "take a look at", "look through", "having a look at"})
_ASIDE = frozenset({"PERCENT", "FROM_FIRST", *GROUNDS})
_FRONTING = frozenset({
    "averaged over", "averaged across", "summed over", "summed across", "by number of", "by the number of", "ranked by",
    "comparing", "summing up", "compared with", "compared to", "in comparison with", "relative to", "out of", "adding",
    "expressed as", "given as", "reported as", "stated as", "written as", "in terms of",
})  # fmt: skip
TextOf = Callable[[Sequence[Item]], str]


@dataclass(frozen=True)
class Piece:
    """A part of a sentence that is a question of its own: its words, and its queries or why it has none."""

    items: tuple[Item, ...]
    found: Fit | Misfit
    said: Meaning | None = None


def sentence(
    items: Sequence[Item], before: Antecedent | None, text_of: TextOf, choices: Sequence[str] = ()
) -> list[Piece]:
    """The questions of one sentence.

    A question that is not understood takes the whole sentence with it where its odd words may say something
    about all of it: in front of the first question, or behind the last.
    """
    parts = list(_questions(items))
    pieces: list[Piece] = []
    for n, part in enumerate(parts):
        found = _part(part, before, text_of, choices, continued=n > 0)
        pieces += found
        last = found[-1]
        before = Antecedent(last.found.queries, last.said) if isinstance(last.found, Fit) else None
    pieces = _without_echo(pieces)
    if len(pieces) > 1 and len({_against_earlier(piece) for piece in pieces}) > 1:
        reason = "It is unclear which of its questions compare with the earlier scan"
        return [Piece(tuple(items), Misfit(reason))]
    first_bad = next((piece for piece in pieces if isinstance(piece.found, Misfit)), None)
    if first_bad is not None and len(parts) > 1:
        leads = first_bad is pieces[0] and not _opens(first_bad.items)
        appended = any(item.text == "," and item.end == first_bad.items[0].start for item in items)
        if leads or (first_bad is pieces[-1] and (appended or _trails(first_bad))):
            return [Piece(tuple(items), first_bad.found)]
    return pieces


def _without_echo(pieces: Sequence[Piece]) -> list[Piece]:
    """Questions of which none repeats the one before it ("add up the volumes and report the sum in ml")."""
    kept: list[Piece] = []
    for piece in pieces:
        asked = [query.model_copy(update={"unit": None, "text": ""}) for query in _queries([piece])]
        earlier = [query.model_copy(update={"unit": None, "text": ""}) for query in _queries(kept[-1:])]
        units = {query.unit for query in _queries(kept[-1:])}
        if asked and asked == earlier and units == {None}:
            kept.pop()
        kept.append(piece)
    return kept


def _against_earlier(piece: Piece) -> bool:
    """Whether a question names the earlier scan, which may be meant for its neighbours as well."""
    return any(item.group is not None and "PRIOR" in item.group.concepts for item in piece.items)


def _questions(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Divide where a joint is followed by the beginning of another question ("… and is the spleen …")."""
    start = 0
    for n, item in enumerate(items):
        if not _is_joint(item) or n <= start or not _opens(items[n + 1 :]):
            continue
        left = items[start:n]
        if item.text == "," and (_ends_aside(left) or _fronted(left)):
            continue
        told = {c for i in left if i.group for c in i.group.concepts} - _NO_QUESTION
        if told and (told <= GROUNDS or _both_alike(items[n + 1 :])):
            continue
        if told or (item.text != "," and any(_opens([i]) for i in left)):
            yield list(left)
            start = n + 1
    yield list(items[start:])


def _ends_aside(left: Sequence[Item]) -> bool:
    """Whether words before a comma end with a unit between commas: "at which depth, in percent, does it lie?"."""
    if not left or not (left[-1].unit or (left[-1].group and _ASIDE & set(left[-1].group.concepts))):
        return False
    before = left[:-1]
    while before and before[-1].is_filler("preposition") and not _is_joint(before[-1]):
        before = before[:-1]
    return bool(before) and before[-1].text == ","


def _fronted(left: Sequence[Item]) -> bool:
    """Whether words before a comma only lead into what follows: "averaged over the liver, what is its HU?"."""
    leads = left[0].text in _FRONTING or (left[0].group is None and left[0].text in {"of", "for", "in", "within"})
    return leads and not any(item.is_filler("aux", "what", "request") or _is_joint(item) for item in left[1:])


def _is_joint(item: Item) -> bool:
    return item.group is None and item.is_filler("joint")


def _opens(items: Sequence[Item]) -> bool:
    """Whether words begin like a question."""
    for item in items:
        if item.is_filler("polite", "joint") and item.group is None:
            continue
        if item.group is not None and not item.is_filler("about"):
            return item.group.asks is not None or item.text.split()[0] in _OPENING_WORDS or item.text[:4] == "how "
        return item.is_filler("aux", "what", "request", "about")
    return False


def _both_alike(items: Sequence[Item]) -> bool:
    """Whether words only offer one more answer: "which is larger, or are they about the same?"."""
    concepts = {c for item in items if item.group for c in item.group.concepts}
    rest = [item for item in items if item.group is None]
    return concepts == {"SAME"} and all(
        item.is_filler("aux", "pronoun", "article", "joint") or item.role == "side" for item in rest
    )


def _trails(piece: Piece) -> bool:
    """Whether the unknown words come after a complete question, so that they may qualify all of the sentence."""
    unknown = piece.found.unknown if isinstance(piece.found, Misfit) else ()
    at = next((n for n, item in enumerate(piece.items) if item.text in unknown), 0)
    return at > 0 and isinstance(match(analyse(piece.items[:at]), (), ""), Fit)


def _part(
    items: Sequence[Item], before: Antecedent | None, text_of: TextOf, choices: Sequence[str] = (), *, continued: bool
) -> list[Piece]:
    """One question, or several that share words ("volume and mean HU of the liver")."""
    text, meaning = text_of(items), analyse(items)
    if continued:
        meaning = replace(meaning, led=True)
    whole = understand(meaning, before, text, choices)
    if isinstance(whole, Fit) or meaning.unknown:
        return [Piece(tuple(items), whole, meaning)]
    joints = [n for n, item in enumerate(items) if _is_joint(item) and 0 < n < len(items) - 1]
    for count in range(1, len(joints) + 1) if len(joints) <= _MOST_JOINTS else (len(joints),):
        readings: list[list[Piece]] = []
        for cut in combinations(joints, count):
            pieces = _shared(items, cut, before, text)
            if pieces and _queries(pieces) not in map(_queries, readings):
                readings.append(pieces)
        if len(readings) > 1:
            concepts, ids = meaning.concepts(), tuple(i for s in meaning.slots for i in s.ids)
            return [Piece(tuple(items), Misfit("It can be divided in more than one way", (), concepts, ids))]
        if readings:
            return readings[0]
    return [Piece(tuple(items), whole, meaning)]


def _queries(pieces: Sequence[Piece]) -> list[Query]:
    return [query for piece in pieces if isinstance(piece.found, Fit) for query in piece.found.queries]


def _shared(items: Sequence[Item], cut: Sequence[int], before: Antecedent | None, text: str) -> list[Piece] | None:
    """The questions between the cuts, each completed from its neighbours, or None where one stays incomplete."""
    edges = [-1, *cut, len(items)]
    runs = [items[a + 1 : b] for a, b in pairwise(edges)]
    if any(not run for run in runs) or any(item.text in _LOOKING for item in items):
        return None
    if any(items[n].text == "," and _fronted(items[:n]) and _opens(items[n + 1 :]) for n in cut):
        return None  # "in the liver, is there a cyst in the kidney?"
    meanings = [analyse(run) for run in runs]
    meanings[1:] = [replace(meaning, led=True) for meaning in meanings[1:]]
    found: list[Fit | None] = [_fit(match(meaning, (), text)) for meaning in meanings]
    complete = [n for n, fit in enumerate(found) if fit]
    first = complete[0] if complete else 0
    for n in range(first - 1, -1, -1):
        right = found[n + 1]
        meanings[n] = _of_the_largest(meanings[n], meanings[n + 1])
        found[n] = _fit(understand(meanings[n], Antecedent(right.queries, meanings[n + 1]), text)) if right else None
    if not complete:
        found[0] = _fit(understand(meanings[0], before, text))
    for n in range(1, len(runs)):
        left, right = found[n - 1], next((found[k] for k in range(n + 1, len(runs)) if k in complete), None)
        if found[n] is None and left:
            if not meanings[n].slots and right and _structures(right) != _structures(left):
                return None
            found[n] = _fit(understand(meanings[n], Antecedent(left.queries, meanings[n - 1]), text))
            if found[n] and _takes_an_organ_for_its_lesion(meanings[n], found[n]):
                return None
    fits = [fit for fit in found if fit]
    if len(fits) < len(runs) or _scopes_clash(fits, meanings):
        return None
    return [Piece(tuple(run), fit, meaning) for run, fit, meaning in zip(runs, fits, meanings, strict=True)]


def _of_the_largest(meaning: Meaning, right: Meaning) -> Meaning:
    """In "the volume and the diameter of the largest lesion" both are asked of the largest one."""
    told = [item for item in right.items if not item.is_filler("article", "preposition") or item.group]
    largest = next(
        (
            item.group for item, then in pairwise(told)
            if item.group and set(item.group.concepts) <= _EXTREMES and then.role in {"structure", "side"}
        ),
        None,
    )  # fmt: skip
    said = any(_EXTREMES & set(group.concepts) for group in meaning.groups)
    return meaning if largest is None or said or meaning.slots else replace(meaning, groups=(*meaning.groups, largest))


def _takes_an_organ_for_its_lesion(meaning: Meaning, found: Fit | None) -> bool:
    """In "the volume of the largest liver lesion and of the spleen" the spleen itself is meant, or may be."""
    named = {i for slot in meaning.slots if slot.role == "structure" for i in slot.ids}
    placed = any(item.text in _WITHIN for item in meaning.items)
    return found is not None and bool(named) and not placed and not named & _structures(found) and not meaning.groups


def _fit(found: Fit | Misfit) -> Fit | None:
    return found if isinstance(found, Fit) else None


def _structures(fit: Fit) -> set[str]:
    return {i for query in fit.queries for i in query.structures}


def _scopes_clash(fits: Sequence[Fit], meanings: Sequence[Meaning]) -> bool:
    """In "liver HU and spleen HU below 40" the second part may say something about the first as well."""
    kinds = load_kinds()
    own = [
        kinds[fit.queries[0].kind].answer.form == "boolean"
        for fit, meaning in zip(fits, meanings, strict=True) if meaning.slots
    ]  # fmt: skip
    return any(own) and not all(own)
