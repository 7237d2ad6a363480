"""Asking back: the complete questions that an unclear one may stand for, one for each way to read it.

A question is offered only if the interpreter, asked it alone, reads it in just that way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.interpret.items import Item
from agent.interpret.match import Misfit
from agent.interpret.meaning import is_plural_pronoun
from agent.interpret.nearest import filled
from agent.interpret.other_side import OTHER, other_of, sides_of
from agent.interpret.scan_words import tokenise
from agent.query import NotUnderstood, Query, load_kinds
from tools.ontology import Structure, is_pair, load_ontology

MOST = 6
"""Most questions that are offered."""
Ask = Callable[[str, Sequence[Query]], Sequence[Query | NotUnderstood]]
"""The interpreter: a text, and what was asked before."""

_OPENERS = frozenset({
    "is", "are", "do", "does", "can", "could", "has", "have", "was", "were", "did", "what", "which", "how", "where",
    "in", "at", "on", "should", "give", "tell", "show", "list",
})  # fmt: skip
_LEAD = re.compile(r"(?:and|what about|how about)\s+", re.IGNORECASE)
_GENERAL = frozenset({"organ", "organs", "structure", "structures"})
_DETERMINERS = frozenset({"the", "this", "that"})
_SIDE = re.compile(r"\b(?:the\s+)?(?:left|right)(?:\s+(?:one|side))?\b", re.IGNORECASE)
_SPOKEN_OF = ("lesion", "user", "organ")


@dataclass(frozen=True)
class Unclear:
    """A question that may be read in several ways.

    Attributes:
        text: its words.
        items: what they are.
        spans: first character, and one past the last, of each item in `text`.
        past: the question before, as queries.
    """

    text: str
    items: Sequence[Item]
    spans: Mapping[int, tuple[int, int]]
    past: tuple[Query, ...]


def choices(asked: Unclear, found: Misfit, available: Collection[str], ask: Ask, ask_back: Ask) -> tuple[str, ...]:
    """The questions that one which was not understood may stand for, at most six.

    Args:
        asked: the question.
        found: why it was not understood.
        available: identifiers of the structures labelled in the scan: what is meant may be one of them where nothing
            was spoken of before.
        ask: the interpreter without asking back.
        ask_back: the interpreter with it, for what is unclear in two places.
    """
    if _GENERAL & set(asked.text.lower().rstrip("?.!").split()):
        return ()  # "which organ has the tumour?"
    made: Iterable[str | None] = ()
    if found.readings:
        made = (_rendered(asked, "", [one], ask) for one in found.readings)
    elif found.unknown:
        made = _of_the_other(asked, ask) if set(found.unknown) <= OTHER | {"one", "side"} else ()
    elif found.meant is None:
        made = _located(asked, available, ask)
    elif found.meant:
        made = (_rendered(asked, ident, _as_if_before(asked, ident, ask), ask) for ident in found.meant)
    else:
        made = _of_the_scan(asked, spoken_of(available, asked.past), ask)
    return told_once(made, ask_back)


def _of_the_scan(asked: Unclear, idents: Sequence[str], ask: Ask) -> Iterator[str | None]:
    """The question asked of what the scan shows; what is asked of lesions is asked of organs only if it has none."""
    ontology = load_ontology()
    lesions_asked = False
    for ident in idents:
        reading = _as_if_before(asked, ident, ask)
        said = _rendered(asked, ident, reading, ask)
        if said is None or not isinstance(reading[0], Query):
            continue
        lesion = ontology.get(ident).kind == "lesion"
        lesions_asked = lesions_asked or lesion
        if lesion or not (lesions_asked and _of_lesions(reading[0].kind)):
            yield said


def _of_lesions(kind: str) -> bool:
    """Whether a kind asks about lesions, as its example does."""
    words = [token.text for token in tokenise(load_kinds()[kind].example)]
    ontology = load_ontology()
    return any(ontology.get(one.structure).kind == "lesion" for one in ontology.mentions(words))


def _located(asked: Unclear, available: Collection[str], ask: Ask) -> Iterator[str | None]:
    """The question with each lesion of the scan in place of "the lesion", where only the place was missing."""
    for _, item, meant in _unlocated(asked, available):
        for ident in meant:
            said = put(asked, item, load_ontology().get(ident).name)
            yield _rendered(Unclear(said, (), {}, ()), ident, ask(said, ()), ask)


def unlocated(
    asked: Unclear, queries: Sequence[Query], available: Collection[str], ask: Ask, ask_back: Ask
) -> tuple[str, tuple[str, ...]] | None:
    """What "the lesion" may stand for, where the scan has several classes that it names.

    "Any lesion", "the largest lesion" and "the lesions" speak of all of them, and are answered so.

    Returns:
        the reason and the questions; None where nothing is unclear.
    """
    ontology = load_ontology()
    for words, item, meant in _unlocated(asked, available):
        general = item.structures[0]
        if len(meant) < 2 or not all(general in query.structures for query in queries):
            continue
        made: list[str | None] = []
        for ident in meant:
            said = put(asked, item, ontology.get(ident).name)
            reading = [_instead(query, general, ident) for query in queries]
            made.append(_rendered(Unclear(said, (), {}, ()), ident, reading, ask))
        offered = told_once(made, ask_back)
        if len(offered) > 1:
            names = " or ".join(ontology.get(i).name for i in meant[:MOST])
            return f'"{words}" may stand for {names}', offered
    return None


def _unlocated(asked: Unclear, available: Collection[str]) -> Iterator[tuple[str, Item, list[str]]]:
    """Lesions that a question names by an article and without their organ, and the scan's classes of that type."""
    ontology = load_ontology()
    past = {i for query in asked.past for i in query.structures}
    for before, item in zip(asked.items, asked.items[1:], strict=False):
        if item.role != "structure" or item.plural or len(item.structures) != 1 or before.text not in _DETERMINERS:
            continue
        one = ontology.get(item.structures[0])
        total = "volume" in item.text.split()  # "the gross tumour volume" is that of all
        if one.kind == "lesion" and one.organ is None and one.id not in available and not total:
            meant = [i for i in lesions(available) if one.lesion_type in ontology.ancestors(_type(ontology.get(i)))]
            yield f"{before.text} {item.text}", item, sorted(meant, key=lambda ident: ident not in past)


def spoken_of(available: Collection[str], past: Sequence[Query] = ()) -> list[str]:
    """What a word without a name may stand for: what was spoken of, the lesions of a scan, and then its organs."""
    ontology = load_ontology()
    order = list(ontology.structures)
    before = [i for query in past for i in query.structures]
    found = [i for i in available if ontology.get(i).kind in _SPOKEN_OF and ontology.get(i).kind != "lesion"]
    found = as_pairs(sorted(found, key=lambda i: order.index(i) if i in order else -1))
    return list(dict.fromkeys([*before, *lesions(available), *found]))


def lesions(available: Collection[str]) -> list[str]:
    """The lesion classes of a scan: of those that hold each other the most general, of pairs both sides as one."""
    ontology = load_ontology()
    every = [one for i in sorted(available) if (one := ontology.get(i)).kind == "lesion" and "#" not in i]

    def within(one: Structure, other: Structure) -> bool:
        return one.organ == other.organ and _type(other) in ontology.ancestors(_type(one))

    return as_pairs([one.id for one in every if not any(within(one, other) for other in every if other.id != one.id)])


def as_pairs(idents: Sequence[str]) -> list[str]:
    """Both sides of a pair as the pair, in the place of the first."""
    ontology = load_ontology()
    found: list[str] = []
    for ident in idents:
        one = ontology.get(ident)
        if one.kind == "lesion" and one.organ is not None:
            pair = ontology.lesion_id(_type(one), ontology.get(one.organ).base)
        else:
            pair = one.base or ident
        whole = is_pair(ontology.get(pair).organ or pair) and set(sides_of(pair)) <= set(idents)
        found.append(pair if whole else ident)
    return list(dict.fromkeys(found))


def _type(one: Structure) -> str:
    return one.lesion_type or "lesion"


def _instead(query: Query, old: str, new: str) -> Query:
    return query.model_copy(update={"structures": tuple(new if i == old else i for i in query.structures)})


def _as_if_before(asked: Unclear, ident: str, ask: Ask) -> Sequence[Query | NotUnderstood]:
    """The question as it would be read if only one structure had been spoken of before."""
    kind = asked.past[0].kind if asked.past else next(iter(load_kinds()))
    return ask(asked.text, (Query(kind=kind, structures=(ident,)),))


def _of_the_other(asked: Unclear, ask: Ask) -> Iterator[str | None]:
    """The question with each side that "the other one" may be."""
    tokens = tokenise(asked.text)
    told = other_of(tokens)
    if told is None:
        return
    before = tuple(dict.fromkeys(i for query in asked.past for i in query.structures))
    several = [side for i in before for side in sides_of(i) if side not in before or len(before) > 1]
    start, end = tokens[told.at].start, tokens[told.end - 1].end
    for ident in dict.fromkeys(sides_of(told.pair) if told.pair else several):
        one = load_ontology().get(ident)
        name = str(one.side) if told.pair else one.name
        said = asked.text[:start] + name + asked.text[end:]
        yield _rendered(Unclear(said, (), {}, asked.past), ident, ask(said, asked.past), ask)


def _rendered(asked: Unclear, ident: str, reading: Sequence[Query | NotUnderstood], ask: Ask) -> str | None:
    """A complete question that is read in just this way."""
    queries = [one for one in reading if isinstance(one, Query)]
    if not queries or len(queries) < len(reading) or (ident and not any(_about(one, ident) for one in queries)):
        return None
    kind = load_kinds()[queries[0].kind]
    examples = [filled(kind.example, (ident,) if len(queries) > 1 else queries[0].structures)]
    own, appended = _own_words(asked, ident, queries[0]) if ident else ([asked.text], [])
    first = asked.text.split()[0].lower()
    leads = first not in _OPENERS or _LEAD.match(asked.text) is not None
    bare = [_LEAD.sub("", said) for said in (*own, *appended)]
    asking = [f"{opening}{said}" for said in bare for opening in ("What is ", "What is the ")]
    tried = [*examples, *asking, *bare] if leads else [*own, *(appended if first == "what" else []), *examples]
    return next((told for said in tried if (told := verified(said, queries, ask)) is not None), None)


def _about(query: Query, ident: str) -> bool:
    """Whether a question asks about a structure, one of its sides, or a lesion in it."""
    ontology = load_ontology()
    same = {ident, *sides_of(ident)}
    return any(i in same or ontology.get(i).organ in same or ident in sides_of(i) for i in query.structures)


def _own_words(asked: Unclear, ident: str, read: Query) -> tuple[list[str], list[str]]:
    """The user's words with the structure's name in place of what stood for it, and with the name at the end."""
    name = load_ontology().get(ident).name
    pronoun = next((i for i in asked.items if i.is_filler("pronoun") and not is_plural_pronoun(i.text)), None)
    own = [asked.text]
    if pronoun is not None and pronoun.text == "its":
        own = [_ended(put(asked, pronoun, "the"), name), put(asked, pronoun, f"the {name}'s")]
    elif pronoun is not None:
        own = [put(asked, pronoun, f"the {name}")]
    elif (side := _SIDE.search(asked.text)) is not None:
        told = load_ontology().get(read.structures[0]).name
        own = [f"{asked.text[: side.start()]}the {told}{asked.text[side.end() :]}", asked.text]
    return own, [_ended(asked.text, name)]


def put(asked: Unclear, item: Item, name: str) -> str:
    """The user's words with a name in place of one item."""
    start, end = asked.spans[item.start]
    return f"{asked.text[:start]}{name}{asked.text[end:]}"


def _ended(text: str, name: str) -> str:
    body = text.rstrip("?.! ")
    return f"{body} of the {name}{text[len(body) :].strip() or '?'}"


def verified(said: str, reading: Sequence[Query], ask: Ask) -> str | None:
    """The words as a sentence, if they are read in just this way without anything before."""
    told = said[:1].upper() + said[1:]
    told = told if told.endswith(("?", ".", "!")) else f"{told}?"
    return told if _content(ask(told, ())) == _content(reading) else None


def _content(reading: Sequence[Query | NotUnderstood]) -> list[object]:
    return [
        one.model_dump(exclude={"text", "read_as"}) if isinstance(one, Query) else one.text for one in reading
    ]  # fmt: skip


def told_once(made: Iterable[str | None], ask_back: Ask) -> tuple[str, ...]:
    """The questions that were found, each once; what is still unclear in another place as the questions it may mean."""
    found: dict[str, None] = {}
    for one in made:
        answers = ask_back(one, ()) if one is not None else ()
        further = [said for answer in answers if isinstance(answer, NotUnderstood) for said in answer.choices]
        found |= dict.fromkeys(further or ([one] if one is not None else []))
        if len(found) >= MOST:
            break
    return tuple(found)[:MOST]
