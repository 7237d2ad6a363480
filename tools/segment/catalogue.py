"""Who can see what: the tasks of all engines, and which of them are to look for what is wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.ontology import Ontology, Structure, load_ontology
from tools.segment.backends import load_backends
from tools.segment.engine import EngineSettings, Offer
from tools.structure_parts import parts_of, region_host
from tools.volume import Scan

NOT_READY = "cannot run here yet ('tumortrace doctor' says what it lacks and how to get it)"
"""What an offer lacks names folders of this machine, and numbers: it is told by the doctor, not in a report."""


@dataclass(frozen=True)
class Choice:
    """Which tasks run, and why nothing looks for the rest.

    Attributes:
        picked: task → canonical ids of the classes that are wanted of it.
        unseen: wanted structure → why nothing can look for it, as a clause without digits.
    """

    picked: tuple[tuple[Offer, tuple[str, ...]], ...]
    unseen: Mapping[str, str]


def all_offers(settings: EngineSettings, engines: Collection[str] | None = None) -> tuple[Offer, ...]:
    """The tasks of all engines, the preferred ones first.

    Args:
        settings: where weights and models are.
        engines: names of the engines that may be used; all where None.
    """
    chosen = [one for name, one in load_backends().items() if engines is None or name in engines]
    found = [offer for backend in chosen for offer in backend.offers(settings)]
    return tuple(sorted(found, key=lambda offer: (offer.rank, offer.id)))


def unfit(offer: Offer, scan: Scan, phase: str | None) -> str | None:
    """Why a task is not valid for a scan, as a clause without digits; None where it is.

    Args:
        offer: the task.
        scan: the scan.
        phase: contrast phase, None where it is not known.
    """
    if offer.synthetic_only and not scan.header.synthetic:
        return "is valid for synthetic scans only"
    if scan.header.modality not in {None, "CT"}:
        return f"is valid for CT only, not for {scan.header.modality}"
    if offer.phases and phase is not None and phase not in offer.phases:
        return f"is not valid for the {phase} phase"
    # Slices may lie in any plane: the coarsest axis is theirs.
    if offer.max_slice_mm is not None and max(scan.grid.spacing) > offer.max_slice_mm:
        return "needs thinner slices than those of this scan"
    return None


def classes_for(structure: str, classes: Iterable[str], ontology: Ontology) -> frozenset[str]:
    """Classes that have to be looked at for a structure: itself, its parts and regions, what it is a part of.

    For a lesion: the lesion classes of its organ that are of its type or of a more general or special one.
    """
    asked = ontology.get(structure)
    if asked.kind == "lesion":
        return frozenset(one for one in classes if _same_lesions(asked, ontology.get(one), ontology))
    inside = parts_of(structure, ontology) | set(asked.regions)
    return frozenset(one for one in classes if one in inside or structure in parts_of(one, ontology))


def _same_lesions(asked: Structure, other: Structure, ontology: Ontology) -> bool:
    if other.kind != "lesion" or asked.lesion_type is None or other.lesion_type is None:
        return False
    related = asked.lesion_type in ontology.ancestors(other.lesion_type)
    related = related or other.lesion_type in ontology.ancestors(asked.lesion_type)
    if not related or asked.organ is None or other.organ is None:
        return related
    one, two = ontology.get(asked.organ), ontology.get(other.organ)
    return one.base == two.base or asked.organ in parts_of(other.organ, ontology)


def with_hosts(structures: Iterable[str], ontology: Ontology) -> tuple[str, ...]:
    """Structures with the organs that they lie in."""
    found: dict[str, None] = {}
    for structure in structures:
        asked = ontology.get(structure)
        hosts = [structure, asked.organ, region_host(structure, ontology)]
        hosts.append(region_host(asked.organ, ontology) if asked.organ is not None else None)
        found |= dict.fromkeys(one for one in hosts if one is not None)
    return tuple(found)


def neighbours(structures: Iterable[str], ontology: Ontology) -> tuple[str, ...]:
    """Neighbours that show whether a structure that is not seen would be in the scan, and where its mask belongs."""
    return tuple(
        dict.fromkeys(
            near for one in structures for part in parts_of(one, ontology) for near in ontology.get(part).near
        )
    )


def choose(
    wanted: Sequence[str],
    offers: Sequence[Offer],
    scan: Scan,
    phase: str | None,
    *,
    known: Collection[str] = (),
    around: Collection[str] = (),
) -> Choice:
    """Pick the tasks that are to look for what is wanted: for each class the preferred one that can.

    Args:
        wanted: canonical ids, those that a plan names first.
        offers: all tasks, the preferred ones first.
        scan: the scan.
        phase: its contrast phase, where known.
        known: classes that the user's own labels have: nothing looks for them again.
        around: structures that are looked for as well by the tasks that run anyway.
    """
    ontology = load_ontology()
    able = [one for one in offers if one.missing is None and unfit(one, scan, phase) is None]
    owner: dict[str, Offer] = {}
    for offer in able:
        for one in offer.classes:
            owner.setdefault(one, offer)
    picked: dict[str, tuple[Offer, dict[str, None]]] = {}
    unseen: dict[str, str] = {}
    for structure in wanted:
        if classes_for(structure, known, ontology):
            continue
        found = classes_for(structure, owner, ontology)
        if not found and ontology.get(structure).kind != "user":
            unseen[structure] = _why_not(structure, offers, scan, phase, ontology)
        for one in sorted(found - set(known)):
            picked.setdefault(owner[one].id, (owner[one], {}))[1][one] = None
    for structure in around:
        for offer, classes in picked.values():
            found = classes_for(structure, offer.classes, ontology) - set(known)
            classes.update(dict.fromkeys(one for one in sorted(found) if owner[one].id == offer.id))
    return Choice(tuple((offer, tuple(classes)) for offer, classes in picked.values()), unseen)


def _why_not(structure: str, offers: Sequence[Offer], scan: Scan, phase: str | None, ontology: Ontology) -> str:
    name = ontology.get(structure).name
    could: list[str] = []
    for offer in offers:
        if not classes_for(structure, offer.classes, ontology):
            continue
        why = NOT_READY if offer.missing is not None else unfit(offer, scan, phase)
        could.append(f"{offer.title} {why}")
    if not could:
        return f"no segmenter that is known here can see the {name}"
    return f"no segmenter could look for the {name}: {'; '.join(dict.fromkeys(could[:3]))}"
