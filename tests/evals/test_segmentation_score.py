"""Scores of masks on hand-made arrays: what is found, missed and invented, whatever the order of the axes."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rich.console import Console

from agent.report_model import Answer, EvidenceOut, Report
from evals.marking import Given, Outcome
from evals.metrics import Marked
from evals.questions_model import Expected, Question
from evals.segmentation.ask import pick, rests_on
from evals.segmentation.lesions import Piece, match, predicted_pieces, size_class
from evals.segmentation.masks import class_scores, flagged, with_lesions
from evals.segmentation.model import Asked, Flagged, LesionResult, PhantomResult
from evals.segmentation.predict import Looked
from evals.segmentation.report import markdown, show
from evals.segmentation.score import common, dice, region_of, same, surface, volume_error
from evals.segmentation.summary import summarise
from tools.ontology import load_ontology
from tools.types import State
from tools.volume import Grid, LabelSet, Region

SHAPE = (12, 14, 16)
Mask = NDArray[np.bool_]
TURNS = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]


def box(i: tuple[int, int], j: tuple[int, int], k: tuple[int, int]) -> Mask:
    mask = np.zeros(SHAPE, np.bool_)
    mask[slice(*i), slice(*j), slice(*k)] = True
    return mask


def region(*masks: Mask) -> Region:
    found = region_of(np.logical_or.reduce(masks))
    assert found is not None
    return found


def piece(*masks: Mask, organ: str = "liver", type_: str = "cyst") -> Piece:
    return Piece(organ, type_, region(*masks))


def turned(mask: Mask, order: tuple[int, ...], flips: tuple[bool, ...]) -> Mask:
    return np.ascontiguousarray(np.flip(mask.transpose(order), tuple(axis for axis in range(3) if flips[axis])))


def grid(steps: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    return Grid(SHAPE, np.diag([*steps, 1.0]))


def label_set(**classes: Mask) -> LabelSet:
    """Labels with the classes in one layer, painted in their order; an empty one is declared."""
    layer = np.zeros(SHAPE, np.uint8)
    for value, mask in enumerate(classes.values(), start=1):
        layer[mask] = value
    entries: dict[str, tuple[tuple[int, int], ...]] = {
        name: ((0, value),) for value, name in enumerate(classes, start=1)
    }
    return LabelSet(grid=grid(), layers=(layer,), entries=entries)


ONE = box((1, 5), (1, 5), (1, 5))
NEXT = box((5, 9), (1, 5), (1, 5))  # touches ONE with a face
FAR = box((1, 5), (9, 13), (9, 13))
NONE = np.zeros(SHAPE, np.bool_)


def test_empty_masks() -> None:
    assert region_of(NONE) is None
    assert dice(None, None) is None
    assert dice(region(ONE), None) == dice(None, region(ONE)) == 0.0
    assert volume_error(None, region(ONE)) is None
    assert volume_error(region(ONE), None) == -100.0
    assert surface(None, region(ONE), grid()) is None
    assert same(None, None)
    assert not same(region(ONE), None)
    assert common(None, region(ONE)) == 0


def test_equal_apart_and_touching_masks() -> None:
    assert dice(region(ONE), region(ONE)) == 1.0
    assert same(region(ONE), region(ONE))
    assert dice(region(ONE), region(FAR)) == 0.0
    assert dice(region(ONE), region(NEXT)) == 0.0
    assert dice(region(ONE), region(ONE, NEXT)) == pytest.approx(2 / 3)
    assert volume_error(region(ONE), region(ONE, NEXT)) == 100.0
    near = surface(region(ONE), region(ONE), grid())
    assert near is not None
    assert (near.mean, near.p95) == (0.0, 0.0)


def test_surfaces_are_measured_in_world_mm_on_oblique_grids() -> None:
    # Rotated and anisotropic: moved by two steps of 3 mm along one axis.
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.0, 1.0, 3.0])
    affine[:3, 3] = (100.0, -50.0, 7.0)
    one, other = box((2, 10), (2, 12), (4, 5)), box((2, 10), (2, 12), (6, 7))
    found = surface(region(one), region(other), Grid(SHAPE, affine))
    assert found is not None
    assert found.mean == pytest.approx(6.0)
    assert found.p95 == pytest.approx(6.0)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_scores_agree_with_whole_arrays(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.random((4, 5, 6)) < share * rng.random() for _ in range(2))
    one, other = region_of(a), region_of(b)
    assert common(one, other) == np.count_nonzero(a & b)
    total = np.count_nonzero(a) + np.count_nonzero(b)
    assert dice(one, other) == (2 * np.count_nonzero(a & b) / total if total else None)
    assert dice(one, other) == dice(other, one)


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_no_score_depends_on_the_order_of_the_axes(order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    part = box((2, 7), (1, 4), (1, 5))
    steps = np.array([0.7, 1.1, 2.5])
    a, b = (region(turned(mask, order, flips)) for mask in (ONE, part))
    assert dice(a, b) == dice(region(ONE), region(part))
    moved = Grid(tuple(np.array(SHAPE)[list(order)]), np.diag([*steps[list(order)], 1.0]))
    there, here = surface(a, b, moved), surface(region(ONE), region(part), grid((0.7, 1.1, 2.5)))
    assert there is not None
    assert here is not None
    assert (there.mean, there.p95) == pytest.approx((here.mean, here.p95))
    pieces = [Piece("liver", "cyst", one) for one in (a, region(turned(FAR, order, flips)))]
    found = match(pieces, [Piece("liver", "hcc", b)])
    assert found == match([piece(ONE), piece(FAR)], [piece(part, type_="hcc")])


def test_nothing_to_find_and_nothing_found() -> None:
    assert match([], []).fates == ()
    missed = match([piece(ONE)], [])
    assert [(one.found, one.covered, one.seen_as) for one in missed.fates] == [(False, 0.0, None)]
    invented = match([], [piece(ONE), piece(FAR)])
    assert invented.false == (0, 1)


def test_a_tenth_is_enough_and_less_is_not() -> None:
    true = piece(box((0, 10), (0, 1), (0, 1)))
    enough = match([true], [piece(box((9, 10), (0, 14), (0, 16)))])
    assert enough.fates[0].found
    assert enough.fates[0].covered == pytest.approx(0.1)
    assert enough.false == ()
    thin = piece(box((0, 11), (0, 1), (0, 1)))
    less = match([thin], [piece(box((10, 11), (0, 14), (0, 16)))])
    assert not less.fates[0].found
    assert less.fates[0].seen_as is None
    assert less.false == (0,)


def test_two_lesions_merged_into_one_are_both_found() -> None:
    whole = piece(box((1, 5), (1, 13), (1, 13)), type_="hcc")
    found = match([piece(ONE), piece(FAR, type_="hcc")], [whole])
    assert [one.found for one in found.fates] == [True, True]
    assert [one.seen_as for one in found.fates] == ["hcc", "hcc"]
    assert (found.false, found.merged, found.split) == ((), 1, 0)


def test_a_lesion_split_into_two_is_found_once() -> None:
    first, second = box((1, 2), (1, 5), (1, 5)), box((3, 5), (1, 5), (1, 5))
    found = match([piece(ONE)], [piece(first, type_="hcc"), piece(second)])
    assert [one.found for one in found.fates] == [True]
    assert found.fates[0].covered == pytest.approx(0.75)
    assert found.fates[0].seen_as == "cyst"  # of the larger piece
    assert (found.false, found.merged, found.split) == ((), 0, 1)


def test_touching_is_not_finding_and_other_organs_do_not_count() -> None:
    beside = match([piece(ONE)], [piece(NEXT)])
    assert not beside.fates[0].found
    assert beside.false == (0,)
    other = match([piece(ONE)], [piece(ONE, organ="pancreas")])
    assert not other.fates[0].found
    assert other.false == (0,)


@given(st.integers(0, 2**32 - 1))
def test_matching_counts_every_piece_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random((3, 3, 3)) < 0.3 for _ in range(4)]
    regions = [one for one in map(region_of, masks) if one is not None]
    true = [Piece("liver", "cyst", one) for one in regions[:1]]
    seen = [Piece("liver", "cyst", one) for one in regions[1:2]]
    found = match(true, seen)
    assert len(found.fates) == len(true)
    assert set(found.false) <= set(range(len(seen)))
    # What was found was found by something that is not false.
    assert any(one.found for one in found.fates) <= (len(found.false) < len(seen))
    assert all(0 <= one.covered <= 1 for one in found.fates)


def test_size_classes() -> None:
    names = [size_class(one) for one in (4.0, 9.99, 10.0, 20.0, 29.9, 30.0, 400.0)]
    assert names == ["0 to 10 mm", "0 to 10 mm", "10 to 20 mm", "20 to 30 mm", "20 to 30 mm", *["30 mm and more"] * 2]


def test_predicted_pieces_join_types_of_one_organ() -> None:
    labels = label_set(
        liver=box((0, 12), (0, 6), (0, 6)), liver_cyst=ONE, liver_hcc=box((5, 6), (1, 5), (1, 5)), pancreas_pdac=FAR,
        liver_lesion=NONE,
    )  # fmt: skip
    found = predicted_pieces(labels, load_ontology())
    assert [(one.organ, one.type, one.region.voxels) for one in found] == [
        ("liver", "cyst", 80),
        ("pancreas", "pdac", 64),
    ]


def test_an_organ_counts_with_its_lesions() -> None:
    organ = box((0, 9), (0, 6), (0, 6))
    carved, plain = label_set(liver=organ, liver_cyst=ONE), label_set(liver=organ)
    ontology = load_ontology()
    assert same(with_lesions(carved, "liver", ontology), with_lesions(plain, "liver", ontology))
    assert with_lesions(label_set(spleen=ONE), "liver", ontology) is None


def looked_at(labels: LabelSet | None, unseen: tuple[str, ...] = (), **made: LabelSet) -> Looked:
    """What was used, with the reasons for what was not, and what each engine made."""
    held = replace(labels, unseen=dict.fromkeys(unseen, "why")) if labels is not None else None
    return Looked(held, made, frozenset(name for one in made.values() for name in one.entries))


def test_class_scores_tell_what_became_of_each_mask() -> None:
    truth = label_set(liver=ONE, spleen=FAR, pancreas=NEXT, stomach=NONE)
    made = label_set(liver=ONE, stomach=FAR, spleen=NEXT, heart=NONE)
    looked = looked_at(label_set(liver=ONE, stomach=FAR), ("spleen", "pancreas"), a=made)
    looked = replace(looked, sees=looked.sees | {"pancreas"})
    scores = {one.structure: one for one in class_scores(truth, looked)}
    assert {name: one.fate for name, one in scores.items()} == {
        "liver": "used", "spleen": "refused", "pancreas": "failed", "stomach": "used",
    }  # fmt: skip
    assert looked.refused == {"spleen", "pancreas"}
    assert (scores["liver"].dice, scores["liver"].volume_error, scores["liver"].surface_mm) == (1.0, 0.0, 0.0)
    assert scores["liver"].engine == "a"
    assert scores["spleen"].dice is None
    assert (scores["stomach"].dice, scores["stomach"].volume_error) == (0.0, None)
    nothing = looked_at(None, a=made)
    assert {one.fate for one in class_scores(truth, nothing)} == {"not looked for"}
    assert nothing.refused == frozenset()


def test_refused_and_mended_masks_are_held_against_the_truth() -> None:
    truth = label_set(liver=ONE, spleen=FAR, pancreas=NONE, stomach=NEXT)
    first = label_set(liver=NEXT, spleen=FAR | box((0, 1), (0, 1), (0, 1)), pancreas=NONE, stomach=NONE)
    looked = looked_at(
        label_set(liver=ONE, spleen=FAR), ("pancreas", "stomach"), a=first, b=label_set(liver=ONE, spleen=NEXT)
    )
    found = {(one.structure, one.engine): one for one in flagged(truth, looked)}
    assert {key: (one.outcome, one.shown, one.why) for key, one in found.items()} == {
        ("liver", "a"): ("refused", True, None),  # the other engine's is used
        ("spleen", "a"): ("mended", True, None),
        ("pancreas", "a"): ("refused", False, "why"),
        ("stomach", "a"): ("refused", True, "why"),
    }
    assert [found[key, "a"].dice for key in ("liver", "pancreas", "stomach")] == [0.0, 1.0, 0.0]
    mended = found["spleen", "a"]
    assert mended.after == 1.0
    assert mended.dice == pytest.approx(2 * 64 / 129)


def question(number: int, subtype: str = "organ volume measurement", phantom: str = "7") -> Question:
    return Question(
        qid=f"{number:016x}", phantom=phantom, view="own", subtype=subtype, stage="measurement", wording="w",
        split="train", layout="free", text=f"What | is {number}?",
        expected=Expected(form="number", value=1.0, unit="cm3"),
    )  # fmt: skip


def test_questions_are_picked_over_all_kinds() -> None:
    every = [question(n, kind) for n, kind in enumerate(["organ volume measurement"] * 20 + ["organ HU ratio"] * 2)]
    chosen = pick(every, 6, seed=3)
    assert chosen == pick(every, 6, seed=3)
    assert sorted(one.subtype for one in chosen) == ["organ HU ratio"] * 2 + ["organ volume measurement"] * 4
    assert len(pick(every, 100, seed=3)) == len({one.qid for one in pick(every, 100, seed=3)}) == 22
    assert pick([], 5, seed=3) == []


def evidence(target: str, state: State, *inputs: str) -> EvidenceOut:
    return EvidenceOut(tool="t", arguments={}, quantity="q", target=target, value=None, unit=None, state=state,
                       uncertainty=None, lower_bound=None, reason=None, method="m", version="1", slice=None,
                       artifact=None, inputs=list(inputs))  # fmt: skip


def test_what_an_answer_rests_on_is_followed_to_its_inputs() -> None:
    answer = Answer(text="x", state=State.MEASURED, evidence=["a"])
    report = Report(
        run_id="r", question="q", status="consistent", rounds=1, answer=answer, trace="t",
        evidence={
            "a": evidence("liver", State.MEASURED, "b", "c", "a"), "b": evidence("spleen", State.ABSENT),
            "c": evidence("pancreas", State.NOT_ASSESSED), "d": evidence("heart", State.MEASURED),
        },
    )  # fmt: skip
    assert rests_on(report) == {"liver", "spleen"}
    assert rests_on(report.model_copy(update={"answer": None})) == frozenset()


def marked(outcome: Outcome, number: int = 1) -> Marked:
    return Marked(
        question=question(number), given=Given(state="measured", text="one | line\nand more"), outcome=outcome
    )


def result(name: str, *asked: Asked, dices: tuple[float | None, ...] = (0.9, None)) -> PhantomResult:
    truth = label_set(liver=ONE, spleen=FAR)
    looked = looked_at(label_set(liver=ONE), ("spleen",), a=label_set(liver=ONE, spleen=NONE))
    scores = class_scores(truth, looked)
    return PhantomResult(
        name=name, seed=int(name),
        classes=[one.model_copy(update={"dice": value}) for one, value in zip(scores, dices, strict=True)],
        flagged=[Flagged(structure="spleen", engine="e/a", outcome="refused", dice=0.8),
                 Flagged(structure="liver", engine="e/a", outcome="mended", dice=0.8, after=0.9)],
        lesions=[LesionResult(id="a#1", organ="kidney_left", type="cyst", long_axis_mm=12.0, covered=0.5, found=True,
                              seen_as="rcc"),
                 LesionResult(id="a#2", organ="kidney_right", type="cyst", long_axis_mm=8.0, covered=0.0, found=False,
                              seen_as=None)],
        false=[], merged=0, split=0, status="consistent", asked=list(asked), seconds={"masks": 2.0},
    )  # fmt: skip


def test_summary_counts_what_the_results_say() -> None:
    lost = Asked(truth=marked("right"), predicted=marked("wrong"), noted=("liver",))
    never = Asked(truth=marked("named"), predicted=marked("overreached"), refused=("spleen",))
    silent = Asked(truth=marked("wrong"), predicted=marked("abstained"))
    found = summarise([result("7", lost, never, silent), result("8", dices=(0.7, None))], "e")
    assert found.dice_by_kind == {"organ": pytest.approx(0.8)}
    assert [(one.structure, one.phantoms, one.used, one.refused, one.empty) for one in found.classes] == [
        ("liver", 2, 2, 0, 0), ("spleen", 2, 0, 2, 0),
    ]  # fmt: skip
    assert {name: (one.hits, one.of) for name, one in found.found_by_size.items()} == {
        "0 to 10 mm": (0, 2), "10 to 20 mm": (2, 2),
    }  # fmt: skip
    assert list(found.found_by_type) == ["kidney cyst"]
    assert (found.typed.hits, found.typed.of) == (0, 2)
    assert (found.refused_bad.hits, found.refused_bad.of, len(found.refused_good)) == (0, 2, 2)
    assert (found.mended_better.hits, found.mended_better.of) == (2, 2)
    questions = found.questions
    assert questions is not None
    assert (questions.wrong, questions.lost, questions.refused, questions.noted) == (2, 2, 1, 1)
    truth, predicted = questions.overall.truth, questions.overall.predicted
    assert (truth.right, truth.wrong, truth.silent, truth.failed) == (2, 1, 0, 0)
    assert (predicted.right, predicted.wrong, predicted.silent, predicted.failed) == (0, 2, 1, 0)


def test_report_is_for_reading_and_lists_what_went_wrong() -> None:
    results = [result("7", Asked(truth=marked("right"), predicted=marked("wrong"), noted=("liver",)))]
    summary = summarise(results, "e")
    text = markdown(summary, results)
    assert "What / is 1?" in text
    assert "one / line and more" in text
    assert "rests on masks with a note: liver" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    assert all(line.endswith("|") for line in rows)
    console = Console(width=200, record=True, file=StringIO())
    show(summary, console)
    assert "right type, of those found" in console.export_text()
    without = summarise([result("8")], "e")
    assert without.questions is None
    assert "Answers" not in markdown(without, [result("8")])
