"""The questions closest to one that was not understood, made of the examples of the kinds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache

from rapidfuzz import fuzz, process, utils

from agent.interpret.analysis import analyse
from agent.interpret.lexicon import Phrase, load_lexicon
from agent.interpret.match import Fit, match
from agent.interpret.reading import read
from agent.interpret.scan_words import Token, tokenise
from agent.query import Kind, load_kinds
from tools.ontology import Mention, load_ontology
from tools.text import words

_MANY = 3
_LIKELY_TYPO = 84.0


def nearest_questions(
    text: str,
    concepts: Collection[str],
    structures: Sequence[str],
    available: Collection[str],
    names: Mapping[Phrase, str],
) -> tuple[str, ...]:
    """Up to three questions that can be answered, closest first.

    They are ranked by shared concepts, by structures that the kind takes, and by likeness of the words, and
    speak of the structures of the question, or else of labelled ones.
    """
    ranked: list[tuple[float, str, str]] = []
    for kind in load_kinds().values():
        fitting = _fitting(kind, structures)
        example = filled(kind.example, fitting or _substitutes(kind, available))
        own = {c for alt in kind.requires for c in alt}
        shared = len(own & set(concepts)) / max(1, min(map(len, filter(None, kind.requires)), default=1))
        likeness = fuzz.token_set_ratio(text, example, processor=utils.default_process) / 100
        takes = 1.0 if fitting else -0.5 if structures else 0.0
        ranked.append((min(shared, 1.5) + likeness + takes, example, kind.id))
    found: list[str] = []
    for _, example, kind_id in sorted(ranked, key=lambda row: (-row[0], row[2])):
        if len(found) == _MANY:
            break
        if example not in found and _asks(example, kind_id, frozenset(names.items())):
            found.append(example)
    return tuple(found)


def likely_typo(word: str) -> str | None:
    """The known word that an unknown one most resembles, if it does so closely."""
    if len(word) < 4 or word in _vocabulary():
        return None
    best = process.extractOne(word, _vocabulary(), scorer=fuzz.ratio, score_cutoff=_LIKELY_TYPO)
    return str(best[0]) if best else None


@cache
def _vocabulary() -> tuple[str, ...]:
    lexicon, ontology = load_lexicon(), load_ontology()
    known = {word for phrase in (*lexicon.groups_of, *lexicon.unit_of) for word in phrase}
    known |= {word for one in ontology.structures.values() for word in words(f"{one.name} {one.names}")}
    known |= {word for lesion in ontology.lesion_types.values() for word in words(lesion.name)}
    return tuple(sorted(word for word in known if len(word) >= 4))


def _fitting(kind: Kind, structures: Sequence[str]) -> tuple[str, ...]:
    """Those of the structures that the kind takes, at most as many as it takes."""
    need, ontology = kind.structures, load_ontology()
    allowed = tuple(i for i in structures if not need.kinds or ontology.get(i).kind in need.kinds)[: need.max]
    if need.only:
        return next((one for one in need.only if set(allowed) and set(allowed) <= set(one)), ())
    return allowed


def _substitutes(kind: Kind, available: Collection[str]) -> tuple[str, ...]:
    """Labelled structures for an example whose own are not labelled."""
    if not available or kind.structures.max == 0:
        return ()
    _, mentions = _example(kind.example)
    if all(mention.structure in available for mention in mentions):
        return ()
    return _fitting(kind, sorted(available))[:1]


@lru_cache(maxsize=1024)
def _example(text: str) -> tuple[tuple[Token, ...], tuple[Mention, ...]]:
    tokens = tokenise(text)
    mentions = load_ontology().mentions([token.text for token in tokens])
    return tuple(tokens), tuple(mention for mention in mentions if not mention.side_only)


def filled(example: str, structures: Sequence[str], places: Sequence[int] | None = None) -> str:
    """An example with other structures in place of its own, or in place of those of these numbers."""
    tokens, mentions = _example(example)
    if places is not None:
        mentions = tuple(mentions[place] for place in places if place < len(mentions))
    ontology = load_ontology()
    for mention, ident in reversed(list(zip(mentions, structures, strict=False))):
        one = ontology.get(ident)
        name = one.names if mention.plural else one.name
        start, end = tokens[mention.start].start, tokens[mention.end - 1].end
        example = example[:start] + name + example[end:]
    return example


@lru_cache(maxsize=4096)
def _asks(example: str, kind_id: str, names: frozenset[tuple[Phrase, str]]) -> bool:
    """Whether the filled example is a question of its kind; nothing is offered that would not be understood."""
    tokens = [token for token in tokenise(example) if token.text != "?"]
    fit = match(analyse(read(tokens, dict(names))), (), example)
    return isinstance(fit, Fit) and all(query.kind == kind_id for query in fit.queries)
