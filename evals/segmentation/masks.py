"""The masks of one phantom against its truth: every structure, every lesion, every mask that was flagged."""

from __future__ import annotations

from evals.phantom_truth_model import PhantomTruth
from evals.segmentation.lesions import match, predicted_pieces
from evals.segmentation.model import ClassScore, FalseLesion, Fate, Flagged, LesionResult
from evals.segmentation.predict import Looked
from evals.segmentation.score import dice, same, surface, volume_error
from evals.segmentation.truth import true_lesions
from tools.ontology import Ontology, load_ontology
from tools.volume import LabelSet, Region


def with_lesions(labels: LabelSet, structure: str, ontology: Ontology) -> Region | None:
    """A structure's mask with the lesions that lie in it: label maps carve them out, or they don't."""
    names = [structure, *(one for one in labels.entries if ontology.get(one).organ == structure)]
    return labels.region(tuple(key for name in names for key in labels.entries.get(name, ())))


def class_scores(truth: LabelSet, looked: Looked) -> list[ClassScore]:
    """Agreement of every structure that the phantom labels and an engine can see.

    Args:
        truth: the phantom's own labels.
        looked: what was predicted.
    """
    ontology = load_ontology()
    unit = truth.grid.voxel_volume / 1000
    made = []
    for name in sorted(looked.sees & set(truth.entries)):
        true = with_lesions(truth, name, ontology)
        score = ClassScore(
            structure=name, kind=ontology.get(name).kind, fate=fate_of(name, looked), engine=looked.source(name),
            truth_cm3=true.voxels * unit if true else 0.0,
        )  # fmt: skip
        if score.fate == "used" and looked.labels is not None:
            mask = with_lesions(looked.labels, name, ontology)
            gap = surface(true, mask, truth.grid)
            score = score.model_copy(
                update={
                    "predicted_cm3": mask.voxels * unit if mask else 0.0, "dice": dice(true, mask),
                    "volume_error": volume_error(true, mask), "surface_mm": gap.mean if gap else None,
                    "surface95_mm": gap.p95 if gap else None,
                }
            )  # fmt: skip
        made.append(score)
    return made


def fate_of(structure: str, looked: Looked) -> Fate:
    """What became of the mask of a structure."""
    if looked.labels is not None and structure in looked.labels.entries:
        return "used"
    if structure in looked.refused:
        return "refused" if looked.passed_over(structure) else "failed"
    return "not looked for"


def flagged(truth: LabelSet, looked: Looked) -> list[Flagged]:
    """Every mask that an engine made and that was refused or mended.

    Args:
        truth: the phantom's own labels; structures that it does not label are left out.
        looked: what was used in the end, and what the engines made.
    """
    ontology = load_ontology()
    found = []
    for name in sorted(looked.sees & set(truth.entries)):
        true = with_lesions(truth, name, ontology)
        for engine in looked.passed_over(name):
            before = _agreement(true, with_lesions(looked.made[engine], name, ontology))
            why = looked.labels.unseen.get(name) if looked.labels is not None else None
            found.append(Flagged(structure=name, engine=engine, outcome="refused", dice=before,
                                 shown=true is not None, why=why))  # fmt: skip
        source = looked.source(name)
        if source is None or looked.labels is None:
            continue
        raw = looked.made[source]
        if not same(raw.region(raw.entries[name]), looked.labels.region(looked.labels.entries[name])):
            before, after = (_agreement(true, with_lesions(one, name, ontology)) for one in (raw, looked.labels))
            found.append(Flagged(structure=name, engine=source, outcome="mended", dice=before, after=after,
                                 shown=true is not None))  # fmt: skip
    return found


def _agreement(true: Region | None, mask: Region | None) -> float:
    """Dice, where two empty masks agree wholly."""
    found = dice(true, mask)
    return 1.0 if found is None else found


def lesion_results(
    labels: LabelSet, truth: PhantomTruth, looked: Looked
) -> tuple[list[LesionResult], list[FalseLesion], int, int]:
    """What became of every lesion; the predicted ones that are none; how many were merged, and split."""
    ontology = load_ontology()
    true = true_lesions(labels, truth)
    seen = predicted_pieces(looked.labels, ontology) if looked.labels is not None else []
    matched = match([piece for _, piece in true], seen)
    unseen = looked.labels.unseen if looked.labels is not None else {}
    results = [
        LesionResult(
            id=told.id, organ=piece.organ, type=piece.type, long_axis_mm=told.long_axis_mm or told.diameter_mm,
            covered=fate.covered, found=fate.found, seen_as=fate.seen_as, why=unseen.get(told.label),
        )
        for (told, piece), fate in zip(true, matched.fates, strict=True)
    ]  # fmt: skip
    unit = labels.grid.voxel_volume / 1000
    false = [
        FalseLesion(organ=seen[n].organ, type=seen[n].type, volume_cm3=seen[n].region.voxels * unit)
        for n in matched.false
    ]
    return results, false, matched.merged, matched.split
