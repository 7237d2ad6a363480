"""What the options of a multiple choice tell of the question: which structures, and which kind of answer."""

from __future__ import annotations

from collections.abc import Sequence

from agent.interpret.categories import category
from agent.interpret.option_values import interval, is_none_of_these, plain, silence, unlabelled, yes_or_no
from agent.interpret.short_names import short_names
from agent.query import Query, load_kinds
from tools.ontology import load_ontology
from tools.text import words

_SAME = "about the same"


def offered_structures(options: Sequence[str]) -> tuple[str, ...]:
    """Structures that the options name, if all of them do but those that say "the same", "none" or nothing."""
    ontology = load_ontology()
    told = [option for option in options if not _says_nothing(option) and category(unlabelled(option)) != _SAME]
    found = [ontology.normalise(unlabelled(option)) for option in told]
    named = tuple(dict.fromkeys(ident for ident in found if ident is not None))
    return named if len(named) == len(told) > 1 else ()


def for_options(query: Query, options: Sequence[str]) -> Query:
    """The question that the options answer: of kidneys that may be "about the same", a depth in percent, a class."""
    kinds = load_kinds()
    told = [option for option in options if not _says_nothing(option)]
    for sign, kind in kinds[query.kind].instead.items():
        if not told or not _shows(sign, query, told):
            continue
        need = kinds[kind].structures
        structures = query.structures
        if sign == "places":
            structures = _lesions_in(query, offered_structures(options) or _regions(query, told))
        if need.share:
            organ = load_ontology().get(structures[0]).organ
            structures = (structures[0], organ) if organ is not None else structures
        if need.min <= len(structures) <= need.max and (not need.only or structures in need.only):
            directed = any(value == "$comparator" for step in kinds[kind].chain for value in step.args.values())
            comparator = (query.comparator or kinds[kind].comparator or "gt") if directed else None
            return query.model_copy(update={"kind": kind, "structures": structures, "comparator": comparator})
    return query


def _says_nothing(option: str) -> bool:
    return silence(option) is not None or is_none_of_these(option)


def _shows(sign: str, query: Query, options: Sequence[str]) -> bool:
    if sign == "same":
        return any(category(unlabelled(option)) == _SAME for option in options)
    if sign == "percent":
        return all("%" in plain(option) or "percent" in plain(option) for option in options)
    if sign == "places":
        return len(offered_structures(options) or _regions(query, options)) > 1
    return not any(yes_or_no(option) is not None or interval(option, None) is not None for option in options)


def _regions(query: Query, options: Sequence[str]) -> tuple[str, ...]:
    """Regions of the organ asked about that all options name in short."""
    names = short_names(query.structures)
    found = [names.get(tuple(words(unlabelled(option)))) for option in options]
    return tuple(one for one in found if one) if all(found) else ()


def _lesions_in(query: Query, places: Sequence[str]) -> tuple[str, ...]:
    ontology = load_ontology()
    kind = ontology.get(query.structures[0]).lesion_type or "lesion"
    return tuple(ontology.lesion_id(kind, place) for place in places)
