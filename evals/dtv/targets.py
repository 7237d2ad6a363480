"""Which of the harness's targets stand for a structure."""

from __future__ import annotations

from collections.abc import Collection

from tools.ontology import SIDES, load_ontology
from tools.structure_parts import parts_of

# Seen in the benchmark's tools; further ones are learnt from the names that a failed call lists.
KNOWN = (
    "liver", "spleen", "pancreas", "colon", "kidney_left", "kidney_right", "liver_tumor", "kidney_tumor",
    "kidney_cyst", "pancreas_tumor", "colon_tumor",
)  # fmt: skip


def targets_of(structure: str, known: Collection[str] = KNOWN) -> tuple[str, ...]:
    """Targets whose sum is the structure; empty where none shows it.

    A lesion target of a whole organ counts for that organ and for lesion types above its own; it says nothing of
    a side or of a more special type.
    """
    ontology = load_ontology()
    asked = ontology.get(structure)
    named = {target: ontology.normalise(target) for target in known}
    exact = [target for target, ident in named.items() if ident == structure]
    if exact:
        return (exact[0],)
    if asked.kind == "lesion":
        return tuple(
            target
            for target, ident in named.items()
            if ident is not None
            and (other := ontology.get(ident)).kind == "lesion"
            and other.organ is not None
            and asked.organ is not None
            and other.organ in parts_of(asked.organ, ontology)
            and asked.lesion_type in ontology.ancestors(other.lesion_type or "")
        )
    sides = tuple(
        target for part in asked.parts if ontology.get(part).side in SIDES for target in targets_of(part, known)
    )
    return sides if len(sides) == len(asked.parts) else ()
