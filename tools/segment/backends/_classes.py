"""From an engine's class names to canonical structures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.errors import LabelsError, ToolError
from tools.ontology import load_ontology
from tools.segment.naming import canonical, is_background, name_labels


def canonical_classes(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Canonical id → the engine's names for it; names that the ontology doesn't know are left out.

    Raises:
        ToolError: there are too many names, or one is too long, as one clause.
    """
    given = tuple(dict.fromkeys(name for name in names if not is_background(name)))
    ontology = load_ontology()
    try:
        named = name_labels([((0, index), name) for index, name in enumerate(given, 1)], ())
    except LabelsError as error:
        raise ToolError("its class names are too many or too long") from error
    # `name_labels` knows that a "tumor" beside nothing but a liver is a liver's; it also keeps unknown names.
    whole = {ident: tuple(given[index - 1] for _, index in keys) for ident, keys in named.entries.items()}
    return {ident: called for ident, called in whole.items() if any(canonical(name, ontology) for name in called)}


def region_classes(regions: Mapping[str, tuple[int, ...]], names: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
    """Canonical id → names of all values of a region, for maps in which a value belongs to several regions.

    Args:
        regions: region → label values that it holds.
        names: label value → the name that the engine gives to it.
    """
    found = {}
    for ident, called in canonical_classes(regions).items():
        values = sorted({value for name in called for value in regions[name] if value in names})
        if values:
            found[ident] = tuple(dict.fromkeys(names[value] for value in values))
    return found
