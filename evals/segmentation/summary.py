"""What the results of all phantoms come to. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from evals.marking import Outcome
from evals.questions_model import SUBTYPES
from evals.segmentation.ask import WRONG
from evals.segmentation.lesions import SIZES, size_class
from evals.segmentation.model import (
    Answers,
    Asked,
    ClassScore,
    ClassSummary,
    LesionResult,
    Pair,
    PhantomResult,
    QuestionSummary,
    Share,
    Summary,
)

BAD = 0.5
"""Dice below which a mask is bad."""
WORSE = 0.005
"""Dice that a mended mask may lose by rounding."""


def summarise(results: Sequence[PhantomResult], engine: str) -> Summary:
    """The summary of a run.

    Args:
        results: one per phantom, at least one.
        engine: what was evaluated.
    """
    lesions = [one for result in results for one in result.lesions]
    flags = [one for result in results for one in result.flagged]
    refused = [one for one in flags if one.outcome == "refused"]
    mended = [one for one in flags if one.outcome == "mended"]
    asked = [one for result in results for one in result.asked]
    parts = dict.fromkeys(part for result in results for part in result.seconds)
    return Summary(
        phantoms=len(results), engine=engine, dice_by_kind=_by_kind(results), classes=_classes(results),
        found=_found(lesions), found_by_size=_by_size(lesions),
        found_by_type={kind: _found(some) for kind, some in _grouped(lesions, _typed).items()},
        typed=Share(hits=sum(one.seen_as == one.type for one in lesions), of=sum(one.found for one in lesions)),
        false_per_scan=sum(len(result.false) for result in results) / len(results),
        merged=sum(result.merged for result in results), split=sum(result.split for result in results),
        refused_bad=Share(hits=sum(one.dice < BAD for one in refused), of=len(refused)),
        refused_good=[
            f"{result.name}: {one.structure} ({one.engine}, Dice {one.dice:.2f}{'' if one.shown else ', not there'})"
            for result in results for one in result.flagged if one.outcome == "refused" and one.dice >= BAD
        ],
        mended_better=Share(hits=sum((one.after or 0.0) >= one.dice - WORSE for one in mended), of=len(mended)),
        questions=_questions(asked) if asked else None,
        seconds={part: _mean(result.seconds.get(part, 0.0) for result in results) or 0.0 for part in parts},
    )  # fmt: skip


def _by_kind(results: Sequence[PhantomResult]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for result in results:
        groups: dict[str, list[float]] = defaultdict(list)
        for one in result.classes:
            if one.truth_cm3 > 0 and one.dice is not None:
                groups[one.kind].append(one.dice)
        for kind, values in groups.items():
            found[kind].append(sum(values) / len(values))
    return {kind: sum(values) / len(values) for kind, values in sorted(found.items())}


def _classes(results: Sequence[PhantomResult]) -> list[ClassSummary]:
    groups: dict[tuple[str, str], list[ClassScore]] = defaultdict(list)
    for result in results:
        for one in result.classes:
            groups[one.kind, one.structure].append(one)
    made = []
    for (kind, structure), scores in groups.items():
        there = [one for one in scores if one.truth_cm3 > 0]
        used = [one for one in there if one.fate == "used"]
        made.append(
            ClassSummary(
                structure=structure, kind=kind, phantoms=len(there), used=len(used),
                refused=sum(one.fate in {"refused", "failed"} for one in there),
                empty=sum(not one.predicted_cm3 for one in used),
                invented=sum(one.truth_cm3 == 0 and bool(one.predicted_cm3) for one in scores),
                dice=_mean(one.dice for one in used),
                volume_error=_mean(abs(one.volume_error) for one in used if one.volume_error is not None),
                surface_mm=_mean(one.surface_mm for one in used),
                surface95_mm=_mean(one.surface95_mm for one in used),
            )
        )  # fmt: skip
    order = {"organ": 0, "vessel": 1, "lesion": 2}
    return sorted(made, key=lambda one: (order.get(one.kind, 3), one.kind, one.structure))


def _mean(values: Iterable[float | None]) -> float | None:
    held = [one for one in values if one is not None]
    return sum(held) / len(held) if held else None


def _typed(one: LesionResult) -> str:
    return f"{one.organ.removesuffix('_left').removesuffix('_right')} {one.type}"


def _by_size(lesions: Sequence[LesionResult]) -> dict[str, Share]:
    groups = _grouped(lesions, lambda one: size_class(one.long_axis_mm))
    names = [size_class(low) for low in SIZES[:-1]]
    return {name: _found(groups[name]) for name in names if name in groups}


def _grouped(lesions: Iterable[LesionResult], key: Callable[[LesionResult], str]) -> dict[str, list[LesionResult]]:
    groups: dict[str, list[LesionResult]] = defaultdict(list)
    for one in lesions:
        groups[key(one)].append(one)
    return dict(sorted(groups.items()))


def _found(lesions: Sequence[LesionResult]) -> Share:
    return Share(hits=sum(one.found for one in lesions), of=len(lesions))


def _questions(asked: Sequence[Asked]) -> QuestionSummary:
    wrong = [one for one in asked if one.predicted.outcome in WRONG]
    return QuestionSummary(
        overall=_pair(asked),
        by_stage=_pairs(asked, lambda one: one.truth.question.stage, list(SUBTYPES)),
        by_subtype=_pairs(
            asked, lambda one: one.truth.question.subtype, [kind for kinds in SUBTYPES.values() for kind in kinds]
        ),
        wrong=len(wrong),
        lost=sum(one.truth.outcome not in WRONG | {"failed"} for one in wrong),
        refused=sum(bool(one.refused) for one in asked),
        noted=sum(bool(one.noted) for one in wrong),
    )


def _pairs(asked: Sequence[Asked], key: Callable[[Asked], str], order: Sequence[str]) -> dict[str, Pair]:
    groups: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[key(one)].append(one)
    return {name: _pair(groups[name]) for name in order if name in groups}


def _pair(asked: Sequence[Asked]) -> Pair:
    return Pair(
        truth=_answers(one.truth.outcome for one in asked), predicted=_answers(one.predicted.outcome for one in asked)
    )


def _answers(outcomes: Iterable[Outcome]) -> Answers:
    """An undecidable question that is named as such is right, one that is answered is wrong."""
    held = list(outcomes)
    return Answers(
        right=sum(one in {"right", "named"} for one in held), wrong=sum(one in WRONG for one in held),
        silent=held.count("abstained"), failed=held.count("failed"),
    )  # fmt: skip
