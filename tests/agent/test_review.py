"""A person's word on a finished run: recorded beside what the run said, or measured anew; whole, or not at all."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.checkpoints import checkpoints, run_config
from agent.engine import Engine
from agent.errors import Cancelled, IntegrityError, UsageError
from agent.graph import build_graph
from agent.report_model import Report
from agent.report_reviews import marks
from agent.review_model import Decision, claims_of, said_of
from agent.runs import RunFolder, Runs
from agent.trace import TraceWriter, read_events, verify
from agent.trace_schema import Event
from agent.trace_view import summary
from tests.agent.loop_make import AFFINE, Asks, Says, ask, make_case, settings_in
from tests.agent.test_gate_conflict import dense
from tools.array_store import ArrayStore
from tools.base import Case
from tools.correct import correct
from tools.correct_model import Edit
from tools.kept_labels import keep_labels
from tools.volume import LabelSet

QUERIES = [ask("volume", "liver"), ask("lesion_count", "liver_lesion"), ask("slice_thickness")]
LARGE, SMALL = (31, 15, 13), (36, 20, 18)


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def engine(folder: Path, **more: Any) -> Engine:
    return Engine(settings_in(folder), Asks(QUERIES), **more)


def asked(case: Case, folder: Path, *, attended: bool = True) -> Path:
    engine(folder).ask(case, "Some questions?", attended=attended, out=folder / "run")
    return folder / "run"


def events(run: Path) -> list[Event]:
    return [event for event in read_events(run / "trace.jsonl") if isinstance(event, Event)]


def at(index: tuple[int, int, int]) -> tuple[float, float, float]:
    x, y, z = AFFINE[:3, :3] @ index + AFFINE[:3, 3]
    return float(x), float(y), float(z)


def edit(kind: str, index: tuple[int, int, int], structure: str = "liver_lesion", **more: float) -> Edit:
    return Edit.model_validate({"kind": kind, "structure": structure, "point": at(index), **more})


def correction(*edits: Edit) -> Decision:
    return Decision(reviewer="Dr. Roe", kind="correct", reason="an artefact", edits=edits)


OVERRIDE = Decision(
    reviewer="Dr. Roe", kind="override", about="answer-1", says="It is 700 cm³.", reason="the dome is cut off"
)
APPROVE = Decision(reviewer="Dr. Poe", kind="approve")


@pytest.mark.parametrize("attended", [True, False])
def test_an_override_stands_beside_what_the_run_said(case: Case, tmp_path: Path, attended: bool) -> None:
    run = asked(case, tmp_path, attended=attended)
    first = (run / "report.json").read_bytes()
    before = Report.model_validate_json(first)
    made, state = engine(tmp_path).review(case, run, OVERRIDE)
    assert made.model_copy(update={"reviews": []}) == before
    (review,) = made.reviews
    assert (review.number, review.reviewer, review.about) == (1, "Dr. Roe", "answer-1")
    assert review.machine == before.answers[0].text and review.says == "It is 700 cm³."
    assert state.reviews == made.reviews
    assert (run / "report.0.json").read_bytes() == first
    event = next(one for one in events(run) if one.kind == "review")
    assert event.data["decision"] == "override" and event.data["labels"] is None
    assert summary(event) == "review 1: Dr. Roe overrode answer-1: It is 700 cm³. (the dome is cut off)"
    again, _ = engine(tmp_path).review(case, run, APPROVE)
    assert [one.kind for one in again.reviews] == ["override", "approve"]
    kinds = [one.kind for one in events(run)]
    assert kinds.count("review") == 2 and kinds.count("run.end") == 3 and kinds.count("tool.end") > 0
    assert "report.1.json" in events(run)[-1].data["artifacts"]  # type: ignore[operator]
    assert verify(run / "trace.jsonl").ok


def test_a_reviewed_run_is_shown_again_as_it_is(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    made, _ = engine(tmp_path).review(case, run, OVERRIDE)
    before = (run / "trace.jsonl").read_bytes()
    again, _ = engine(tmp_path).ask(case, "Some questions?", resume=str(run))
    assert again == made and (run / "trace.jsonl").read_bytes() == before


def test_corrected_masks_are_measured_anew(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    old = Report.model_validate_json((run / "report.json").read_bytes())
    made, state = engine(tmp_path).review(case, run, correction(edit("remove", LARGE), edit("keep", SMALL)))
    assert [one.value for one in old.answers[:2]] == [pytest.approx(768.32), 2]
    # The liver counts with its lesions, so that it has the same volume without this one.
    assert [one.value for one in made.answers[:2]] == [pytest.approx(768.32), 1]
    assert "The mask of liver lesions was corrected by Dr. Roe: 1 component removed, 1 component approved." in (
        made.limitations
    )
    (change,) = made.reviews[0].changes
    assert (change.before.lesions, change.after.lesions, change.removed, change.kept) == (2, 1, 1, 1)
    event = next(one for one in events(run) if one.kind == "review")
    assert event.data["before"] == case.labels.digest and event.data["before"] != event.data["after"]  # type: ignore[union-attr]
    seen = engine(tmp_path).case_of(case, run).labels
    assert isinstance(seen, LabelSet)
    assert seen.digest == event.data["after"] and seen.reviewed == {"liver_lesion"}
    # What does not rest on the masks is not measured again.
    later = events(run)[event.seq + 1 :]
    assert "scan_checks" in [one.data["tool"] for one in later if one.kind == "tool.reused"]
    assert "lesion_components" in [one.data["tool"] for one in later if one.kind == "tool.end"]
    assert state.round == 1 and verify(run / "trace.jsonl").ok
    labels = next(one for one in made.evidence.values() if one.quantity == "labels")
    assert labels.value == "a label map; corrected by a person"
    # A second correction begins where the first one ended.
    made, _ = engine(tmp_path).review(case, run, correction(edit("remove", SMALL)))
    assert made.answers[1].value == 0 or made.answers[1].state == "absent"
    assert made.reviews[1].changes[0].before.lesions == 1


def test_pictures_of_every_report_stay(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    held: dict[str, bytes] = {}
    for decision in (correction(edit("remove", LARGE)), APPROVE, correction(edit("remove", SMALL))):
        before = Report.model_validate_json((run / "report.json").read_bytes())
        held |= {one.path: (run / one.path).read_bytes() for one in before.pictures}
        made, _ = engine(tmp_path).review(case, run, decision)
        assert {path: (run / path).read_bytes() for path in held} == held
        named = {one.path for one in made.pictures}
        assert {one.artifact for one in made.evidence.values()} - {None} <= named
        told = events(run)[-1].data["artifacts"]
        assert isinstance(told, dict) and set(held) | named <= set(told)
        assert verify(run / "trace.jsonl").ok
    assert sorted(one.name for one in run.glob("report.?.*")) == [
        f"report.{number}.{kind}" for number in range(3) for kind in ("html", "json", "md")
    ]


def test_a_lesion_that_was_missed_is_added_and_counts_as_looked_for(tmp_path: Path) -> None:
    case = make_case(without=("liver_lesion",))
    queries = [ask("lesion_count", "liver_lesion")]
    loop = Engine(settings_in(tmp_path), Asks(queries))
    made, _ = loop.ask(case, "How many?", attended=True, out=tmp_path / "run")
    assert made.answers[0].state == "not_assessed"
    with pytest.raises(UsageError, match="outside of the mask of the liver"):
        loop.review(case, tmp_path / "run", correction(edit("add", (20, 10, 10))))
    # The organ's mask has a hole where nobody labelled the lesion.
    made, _ = loop.review(case, tmp_path / "run", correction(edit("add", LARGE, radius_mm=40)))
    assert made.answers[0].value == 1
    (change,) = made.reviews[0].changes
    assert change.added == 1 and change.after.volume_cm3 == pytest.approx(11.76, rel=0.1)


def test_a_preview_changes_nothing(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    made = correct(engine(tmp_path).case_of(case, run), [edit("remove", LARGE)])
    assert made.changes[0].after.lesions == 1
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


@pytest.mark.slow
def test_where_sources_disagree_a_person_has_to_decide(tmp_path: Path) -> None:
    loop = Engine(settings_in(tmp_path), Asks([]))
    plain, _ = loop.ask(dense(), None, out=tmp_path / "plain")
    assert plain.status == "unresolved"
    made, _ = loop.ask(dense(), None, attended=True, out=tmp_path / "run")
    assert made.status == "needs_review"
    assert made.model_dump(exclude={"status", "run_id", "trace"}) == plain.model_dump(
        exclude={"status", "run_id", "trace"}
    )
    assert Runs(tmp_path / "home").latest(1)[0].status == "needs_review"
    assert verify(tmp_path / "run" / "trace.jsonl").ok
    # It waits: the same command shows it again.
    again, _ = loop.ask(dense(), None, resume=str(tmp_path / "run"))
    assert again == made
    made, _ = loop.review(dense(), tmp_path / "run", APPROVE)
    assert made.status == "unresolved" and made.open == plain.open
    html = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Approved by Dr. Poe" in html and "Overridden" not in html


def test_a_run_that_changes_its_mind_needs_no_review(case: Case, tmp_path: Path) -> None:
    queries = [ask("volume", "kidney")]
    model = Says(queries, [lambda state, truth: truth.model_copy(update={"claims": truth.claims[state.round % 2 :]})])
    loop = Engine(settings_in(tmp_path, max_rounds=5), model)
    made, state = loop.ask(case, "A question?", attended=True)
    failed = {one.gate for one in state.verdicts if one.round == state.round and one.outcome == "fail"}
    assert made.status == ("needs_review" if failed & {"conflict", "confidence", "critique"} else "unresolved")


@pytest.mark.parametrize("about", ["answer-9", "finding-nothing", "pathology", ""])
def test_what_the_report_does_not_claim_cannot_be_spoken_of(case: Case, tmp_path: Path, about: str) -> None:
    run = asked(case, tmp_path)
    before = (run / "trace.jsonl").read_bytes()
    with pytest.raises(UsageError, match=r"^There is no claim .*; choose one of answer-1, .*\.$"):
        engine(tmp_path).review(case, run, APPROVE.model_copy(update={"about": about}))
    assert (run / "trace.jsonl").read_bytes() == before


def test_a_pathology_that_the_run_did_not_conclude_can_be_concluded_by_a_person(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    decision = Decision.model_validate(
        {"reviewer": "Dr. Roe", "kind": "override", "about": "pathology", "reason": "biopsy", "pathology": {"ct": "T2"}}
    )
    made, _ = engine(tmp_path).review(case, run, decision)
    assert made.pathology is None and made.reviews[0].machine == "no pathology conclusion"
    text = (run / "report.md").read_text(encoding="utf-8")
    assert "**Overridden by Dr. Roe:** cT T2 (biopsy)" in text


@pytest.mark.slow
def test_every_claim_can_be_approved(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    made = Report.model_validate_json((run / "report.json").read_bytes())
    claims = claims_of(made)
    assert [one.id for one in claims[:3]] == ["answer-1", "answer-2", "answer-3"] and len(claims) > 3
    for number, claim in enumerate(claims[:5], start=1):
        made, _ = engine(tmp_path).review(case, run, APPROVE.model_copy(update={"about": claim.id}))
        assert made.reviews[-1].machine == claim.text and made.reviews[-1].number == number
    assert verify(run / "trace.jsonl").ok


@pytest.mark.parametrize("name", ["report.json", "report.html", "trace.jsonl"])
def test_a_run_that_was_changed_is_not_reviewed(case: Case, tmp_path: Path, name: str) -> None:
    run = asked(case, tmp_path)
    path = run / name
    path.write_bytes(path.read_bytes().replace(b"768.3", b"700.0"))
    with pytest.raises(IntegrityError):
        engine(tmp_path).review(case, run, APPROVE)


def test_an_earlier_report_that_was_changed_is_found(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    engine(tmp_path).review(case, run, OVERRIDE)
    (run / "report.0.json").write_text("{}", encoding="utf-8")
    assert [problem.kind_of for problem in verify(run / "trace.jsonl").problems] == ["artifact"]
    with pytest.raises(IntegrityError, match=r"report\.0\.json"):
        engine(tmp_path).review(case, run, APPROVE)


def test_another_case_or_model_cannot_take_a_review_in(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    with pytest.raises(UsageError, match="another scan"):
        engine(tmp_path).review(make_case({"liver": 60}), run, APPROVE)

    class Other(Asks):
        name = "other/1"

    other = Engine(settings_in(tmp_path), Other(QUERIES))
    with pytest.raises(UsageError, match=r"concluded by the model .* instead of other/1\.$"):
        other.review(case, run, correction(edit("remove", LARGE)))
    assert other.review(case, run, APPROVE)[0].reviews


def test_one_review_at_a_time(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    with (
        TraceWriter.open(run / "trace.jsonl", events(run)[0].data["run_id"], resume=True, reviewing=True),  # type: ignore[arg-type]
        pytest.raises(UsageError, match="Another process is writing"),
    ):
        engine(tmp_path).review(case, run, APPROVE)
    assert engine(tmp_path).review(case, run, APPROVE)[0].reviews


def test_an_unfinished_run_has_nothing_to_review(case: Case, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        engine(tmp_path, stop=stop).ask(case, "Some questions?", out=tmp_path / "run")
    with pytest.raises(UsageError, match=r"^Run .* (has no report yet; resume it first|has no state .*)\.$"):
        engine(tmp_path).review(case, tmp_path / "run", APPROVE)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ask", "review"])
def test_a_cancelled_review_goes_on(case: Case, tmp_path: Path, how: str) -> None:
    run, stop = asked(case, tmp_path), threading.Event()
    decision = correction(edit("remove", LARGE))

    def watch(event: Event) -> None:
        if event.kind == "tool.end":
            stop.set()

    with pytest.raises(Cancelled):
        engine(tmp_path, stop=stop, watch=watch).review(case, run, decision)
    with pytest.raises(UsageError, match=r"has not taken in the review of Dr\. Roe yet; resume it first\.$"):
        engine(tmp_path).review(case, run, APPROVE)
    if how == "ask":
        made, _ = engine(tmp_path).ask(case, "Some questions?", attended=True, resume=str(run))
    else:
        made, _ = engine(tmp_path).review(case, run, decision)
    assert made.answers[1].value == 1 and len(made.reviews) == 1
    assert [one.kind for one in events(run)].count("review") == 1
    assert verify(run / "trace.jsonl").ok


def test_masks_that_are_gone_from_the_cache_are_told(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    engine(tmp_path).review(case, run, correction(edit("remove", LARGE)))
    for path in (tmp_path / "cache" / "arrays").rglob("*.npz"):
        path.unlink()
    with pytest.raises(UsageError, match="not in the cache any more"):
        engine(tmp_path).case_of(case, run)


def test_masks_that_were_exchanged_in_the_cache_are_not_taken_in(case: Case, tmp_path: Path) -> None:
    run, stop, begun = asked(case, tmp_path), threading.Event(), []

    def watch(event: Event) -> None:
        if event.kind == "review":
            begun.append(str(event.data["labels"]))
            stop.set()

    decision = correction(edit("remove", LARGE))
    with pytest.raises(Cancelled):
        engine(tmp_path, stop=stop, watch=watch).review(case, run, decision)
    assert case.labels is not None
    keep_labels(ArrayStore(tmp_path / "cache"), begun[0], case.labels)
    with pytest.raises(IntegrityError, match="masks in the cache are not those"):
        engine(tmp_path).review(case, run, decision)


def test_a_run_without_its_checkpoint_says_so(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    (run / "checkpoint.sqlite").unlink()
    with pytest.raises(UsageError, match="start it anew"):
        engine(tmp_path).review(case, run, APPROVE)
    assert not (run / "checkpoint.sqlite").exists()


def test_an_unattended_run_says_nothing_of_persons(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path, attended=False)
    assert "attended" not in events(run)[0].data
    data = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert data["reviews"] == []
    other = asked(replace(case), tmp_path / "other")
    assert events(other)[0].data["attended"] is True
    assert events(other)[0].data["identity"] == events(run)[0].data["identity"]
    kinds = [
        [(one.kind, one.data.get("tool")) for one in events(each) if "tool" not in one.kind] for each in (run, other)
    ]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("last", ["report", "run.end"])
def test_a_wish_to_stop_that_comes_after_the_report_does_not_cancel_it(case: Case, tmp_path: Path, last: str) -> None:
    run, stop = asked(case, tmp_path), threading.Event()

    def watch(event: Event) -> None:
        if event.kind == last:
            stop.set()

    made, _ = engine(tmp_path, stop=stop, watch=watch).review(case, run, APPROVE)
    assert len(made.reviews) == 1 and Runs(tmp_path / "home").latest(1)[0].status == made.status
    assert [one.kind for one in events(run)].count("review") == 1


def test_a_review_that_is_cancelled_at_once_goes_on(case: Case, tmp_path: Path) -> None:
    run, stop = asked(case, tmp_path), threading.Event()

    def watch(event: Event) -> None:
        if event.kind == "review":
            stop.set()

    with pytest.raises(Cancelled):
        engine(tmp_path, stop=stop, watch=watch).review(case, run, OVERRIDE)
    kept = run / "report.0.json"
    was = kept.read_bytes()
    kept.write_bytes(was.replace(b"768.3", b"700.0"))
    with pytest.raises(IntegrityError, match=r"^The file report\.0\.json of run .* is not what was written; .*\."):
        engine(tmp_path).review(case, run, OVERRIDE)
    kept.write_bytes(was)
    made, _ = engine(tmp_path).review(case, run, OVERRIDE)
    assert len(made.reviews) == 1 and verify(run / "trace.jsonl").ok


@pytest.mark.parametrize("decision", [APPROVE, correction(edit("remove", LARGE))])
def test_reviews_that_only_the_checkpoint_knows_are_refused(case: Case, tmp_path: Path, decision: Decision) -> None:
    run = asked(case, tmp_path)
    made, _ = engine(tmp_path).review(case, run, OVERRIDE)
    forged = [one.model_copy(update={"says": "It is 9 cm³."}) for one in made.reviews]
    with closing(sqlite3.connect(run / "checkpoint.sqlite", check_same_thread=False)) as connection:
        config = run_config(RunFolder(id=made.run_id, folder=run), settings_in(tmp_path))
        build_graph(checkpoints(connection)).update_state(config, {"reviews": forged}, as_node="report")
    with pytest.raises(IntegrityError, match="holds other reviews than its record"):
        engine(tmp_path).review(case, run, decision)


def test_a_corrected_report_is_not_the_one_that_was_approved(case: Case, tmp_path: Path) -> None:
    run = asked(case, tmp_path)
    made, _ = engine(tmp_path).review(case, run, APPROVE)
    assert [one.lead for one in marks(made)[None]] == ["Approved by Dr. Poe"]
    # All that the report says as a whole is still the same: the kidney was not asked about.
    made, _ = engine(tmp_path).review(case, run, correction(edit("keep", SMALL)))
    assert None not in marks(made) and said_of(made, None) == made.reviews[0].machine
    made, _ = engine(tmp_path).review(case, run, APPROVE)
    assert len(marks(made)[None]) == 1
