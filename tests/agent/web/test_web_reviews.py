"""Reviews: approvals, other opinions and corrected masks, and that none of them costs the report."""

from __future__ import annotations

import gc
import gzip
import threading
import weakref
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from agent.engine import Engine
from agent.errors import UsageError
from agent.web.corrections import Corrections
from agent.web.faults import Refused
from tests.agent.web.web_make import Json, Server, refusal
from tools.correct_model import Edit

LESIONS = "How many liver lesions are there?"


@pytest.fixture
def counted(own: Server) -> Json:
    """A run that counted lesions."""
    scan = own.open()
    run = own.ask(scan["id"], LESIONS)
    assert run["state"] == "done"
    return run


def reviewed(server: Server, run: str, **decision: object) -> Json:
    """A run after a decision on it."""
    server.post(f"/api/runs/{run}/reviews", {"reviewer": "Dr. R", **decision})
    return server.ended(run)


def edit(server: Server, run: str, kind: str = "remove", number: int = 1) -> Json:
    """An edit of a liver lesion."""
    masks = server.get(f"/api/runs/{run}/masks")
    lesion = next(one for one in masks["lesions"] if one["id"] == f"liver_lesion#{number}")
    return {"kind": kind, "structure": "liver_lesion", "point": lesion["centre_mm"]}


@pytest.mark.slow
def test_an_approval(own: Server, counted: Json) -> None:
    claim = counted["claims"][0]["id"]
    ended = reviewed(own, counted["id"], kind="approve", about=claim)
    assert (ended["state"], ended["status"], ended["answer"]) == ("done", "consistent", counted["answer"])
    (review,) = ended["report"]["reviews"]
    assert (review["reviewer"], review["kind"], review["about"]) == ("Dr. R", "approve", claim)
    assert own.get(f"/api/runs/{counted['id']}/reviews")["reviews"] == [review]
    kinds = [one["data"]["kind"] for one in own.events(counted["id"]) if one["event"] == "step"]
    assert "review" in kinds
    assert own.get(f"/api/runs/{counted['id']}/trace/check")["ok"]


@pytest.mark.slow
def test_another_opinion_stands_beside_it(own: Server, counted: Json) -> None:
    ended = reviewed(own, counted["id"], kind="override", reason="I see three.", says="There are three lesions.")
    assert (ended["state"], ended["answer"]) == ("done", counted["answer"])
    (review,) = ended["report"]["reviews"]
    assert (review["says"], review["reason"]) == ("There are three lesions.", "I see three.")
    assert counted["answer"] in review["machine"]


@pytest.mark.slow
def test_a_correction_concludes_anew(own: Server, counted: Json) -> None:
    run = counted["id"]
    change = edit(own, run)
    before = own.get(f"/api/runs/{run}/masks")
    preview = own.post(f"/api/runs/{run}/corrections", {"edits": [change]})
    (told,) = preview["changes"]
    assert (told["structure"], told["before"]["lesions"], told["after"]["lesions"]) == ("liver_lesion", 2, 1)
    assert own.get(f"/api/runs/{run}/masks") == before
    answer = own.client.get(f"/api/runs/{run}/corrections/{preview['id']}")
    shown = np.asanyarray(nib.Nifti1Image.from_bytes(gzip.decompress(answer.content)).dataobj)
    assert {value: int((shown == value).sum()) for value in np.unique(shown) if value} == {1: 8, 2: 48}
    assert shown.shape == (44, 36, 26)
    part = own.client.get(f"/api/runs/{run}/corrections/{preview['id']}", params={"box": "30,34,14,18,12,15"})
    assert np.all(np.asanyarray(nib.Nifti1Image.from_bytes(gzip.decompress(part.content)).dataobj) == 2)
    ended = reviewed(own, run, kind="correct", reason="It is a vessel.", edits=[change])
    assert (ended["state"], ended["answer"]) == ("done", "The number of liver lesions is 1.")
    after = own.get(f"/api/runs/{run}/masks")
    assert [one["id"] for one in after["lesions"] if one["structure"] == "liver_lesion"] == ["liver_lesion#1"]
    assert {one["id"]: one["by"] for one in after["structures"]}["liver_lesion"] == "reviewer"
    # The labels that came with the scan are as they were.
    lesions = own.get(f"/api/scans/{counted['scan']}/masks")["lesions"]
    assert len([one for one in lesions if one["structure"] == "liver_lesion"]) == 2
    assert own.get(f"/api/runs/{run}/trace/check")["ok"]


def pictures(server: Server, run: str, report: Json) -> dict[str, bytes]:
    """A report's pictures by path."""
    names = [one["path"].rpartition("/")[2] for one in report["pictures"]]
    answers = {name: server.client.get(f"/api/runs/{run}/images/{name}") for name in names}
    assert all(answer.status_code == 200 for answer in answers.values())
    return {name: answer.content for name, answer in answers.items()}


def test_the_report_before_a_correction_stays_whole(own: Server, counted: Json) -> None:
    run, first = counted["id"], counted["report"]
    was = pictures(own, run, first)
    texts = {kind: own.client.get(f"/api/runs/{run}/report?format={kind}").text for kind in ("json", "html", "md")}
    ended = reviewed(own, run, kind="correct", reason="It is a vessel.", edits=[edit(own, run, number=2)])
    reviewed(own, run, kind="approve")
    assert was and pictures(own, run, first) == was
    assert not set(was) & set(pictures(own, run, ended["report"]))
    for kind, text in texts.items():
        kept = own.client.get(f"/api/runs/{run}/reviews/1/report?format={kind}&download=true")
        assert (kept.status_code, kept.text) == (200, text)
        assert kept.headers["content-disposition"].endswith(f'-before-review-1.{kind}"')
        assert kept.headers["content-security-policy"].startswith("default-src 'none'")
    second = own.get(f"/api/runs/{run}/reviews/2/report")
    assert [one["number"] for one in second["reviews"]] == [1]
    assert {one["path"].rpartition("/")[2] for one in second["pictures"]} == set(pictures(own, run, ended["report"]))
    assert own.get(f"/api/runs/{run}/trace/check")["ok"]
    (own.run_folder(run) / "images" / next(iter(was))).write_bytes(b"another picture")
    assert not own.get(f"/api/runs/{run}/trace/check")["ok"]


def test_the_earlier_report_of_a_run_that_kept_the_data_only(own: Server, counted: Json) -> None:
    run = counted["id"]
    reviewed(own, run, kind="correct", reason="It is a vessel.", edits=[edit(own, run, number=2)])
    for kind in ("html", "md"):
        (own.run_folder(run) / f"report.0.{kind}").unlink()  # as earlier versions left it
        kept = own.client.get(f"/api/runs/{run}/reviews/1/report?format={kind}&download=true")
        assert kept.status_code == 200
        assert counted["question"] in kept.text and run in kept.text
        # The picture of that name may be another one by now.
        assert "data:image" not in kept.text


@pytest.mark.parametrize(("number", "status"), [("1", 404), ("0", 422), ("-1", 422), ("x", 422), ("9" * 30, 422)])
def test_earlier_reports_that_are_none(served: Server, run: Json, number: str, status: int) -> None:
    refusal(served.client.get(f"/api/runs/{run['id']}/reviews/{number}/report"), status)
    refusal(served.client.get(f"/api/runs/no-such-run/reviews/{number}/report"), status)


def correction(kind: str, structure: str, point: list[float], **more: object) -> Json:
    """A decision with one edit."""
    return {
        "kind": "correct", "reason": "x", "edits": [{"kind": kind, "structure": structure, "point": point, **more}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "decision",
    [
        {"kind": "maybe"}, {"kind": "override"}, {"kind": "correct", "reason": "x"}, {"kind": "approve", "says": "x"},
        {"kind": "approve", "about": "no such claim"}, {"kind": "approve", "reviewer": ""},
        {"kind": "approve", "reviewer": None},
        {"kind": "approve", "more": 1}, {"kind": "override", "reason": "x" * 100_000, "says": "y"},
        {"kind": "approve", "edits": [{"kind": "remove", "structure": "liver_lesion", "point": [0, 0, 0]}]},
        correction("remove", "../x", [0, 0, 0]),
        correction("add", "liver_lesion", [0, 0, 0], radius_mm=1e9),
        correction("remove", "liver_lesion", [0, 0]),
        correction("remove", "liver_lesion", [-9e4, 0, 0]),
        correction("remove", "no_such_structure", [0, 0, 0]),
        {"kind": "correct", "reason": "x", "edits": []},
    ],
)  # fmt: skip
def test_decisions_that_make_no_sense(served: Server, run: Json, decision: Json) -> None:
    answer = served.client.post(f"/api/runs/{run['id']}/reviews", json={"reviewer": "Dr. R", **decision})
    refusal(answer, 422, "bad_input")
    assert served.get(f"/api/runs/{run['id']}") == run


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_points_that_are_no_numbers(served: Server, run: Json, number: str) -> None:
    body = '{"edits": [{"kind": "remove", "structure": "liver_lesion", "point": [%s, 0, 0]}]}' % number  # noqa: UP031
    answer = served.client.post(
        f"/api/runs/{run['id']}/corrections", content=body, headers={"content-type": "application/json"}
    )
    refusal(answer, 422, "bad_input")


@pytest.mark.slow
def test_previews_belong_to_their_run(own: Server, counted: Json) -> None:
    preview = own.post(f"/api/runs/{counted['id']}/corrections", {"edits": [edit(own, counted["id"])]})
    other = own.ask(counted["scan"], LESIONS)
    refusal(own.client.get(f"/api/runs/{other['id']}/corrections/{preview['id']}"), 404, "not_found")
    for _ in range(9):
        own.post(f"/api/runs/{counted['id']}/corrections", {"edits": [edit(own, counted["id"], "keep")]})
    refusal(own.client.get(f"/api/runs/{counted['id']}/corrections/{preview['id']}"), 404, "not_found")
    refusal(own.client.post(f"/api/runs/{counted['id']}/corrections", json={"edits": []}), 422, "bad_input")
    many = [edit(own, counted["id"])] * 51
    refusal(own.client.post(f"/api/runs/{counted['id']}/corrections", json={"edits": many}), 422, "bad_input")


@pytest.mark.slow
def test_a_review_that_comes_to_nothing_costs_no_report(
    own: Server, counted: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UsageError("This cannot be taken in.")

    monkeypatch.setattr(Engine, "review", refuse)
    ended = reviewed(own, counted["id"], kind="approve")
    assert (ended["state"], ended["answer"], ended["report"]) == ("done", counted["answer"], counted["report"])
    assert ended["error"]["message"] == "This cannot be taken in."
    monkeypatch.undo()
    again = reviewed(own, counted["id"], kind="approve")
    assert (again["state"], again["error"], len(again["report"]["reviews"])) == ("done", None, 1)


@pytest.mark.slow
def test_a_review_that_is_cancelled_costs_no_report(
    own: Server, counted: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    original = Engine.review

    def slow(engine: Engine, *args: Any) -> Any:
        begun.set()
        assert go.wait(60)
        return original(engine, *args)

    monkeypatch.setattr(Engine, "review", slow)
    other = own.ask(counted["scan"], LESIONS)
    third = own.ask(counted["scan"], LESIONS)
    decision = {"reviewer": "Dr. R", "kind": "approve"}
    for run in (other, third):
        own.post(f"/api/runs/{run['id']}/reviews", decision)
    assert begun.wait(60)
    refusal(own.client.post(f"/api/runs/{other['id']}/reviews", json=decision), 409, "not_ready")
    queued = own.post(f"/api/runs/{counted['id']}/reviews", decision)
    assert queued["state"] == "queued"
    assert own.post(f"/api/runs/{counted['id']}/cancel")["state"] == "done"
    assert own.get(f"/api/runs/{counted['id']}")["report"] == counted["report"]
    go.set()
    assert [own.ended(run["id"])["state"] for run in (other, third)] == ["done", "done"]


def test_only_a_report_can_be_reviewed(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UsageError("No.")

    scan = own.open()
    monkeypatch.setattr(Engine, "ask", fail)
    run = own.ask(scan["id"], LESIONS)["id"]
    refusal(own.client.post(f"/api/runs/{run}/reviews", json={"reviewer": "R", "kind": "approve"}), 409, "not_ready")
    edits = correction("keep", "liver", [0, 0, 0])["edits"]
    refusal(own.client.post(f"/api/runs/{run}/corrections", json={"edits": edits}), 409, "not_ready")
    assert own.get(f"/api/runs/{run}/reviews") == {"reviews": []}


def test_masks_of_runs_and_previews_take_no_more_than_their_room(own: Server, counted: Json) -> None:
    run = counted["id"]
    previews = Corrections(room=1)
    with own.parts.views.case(run) as case:
        edits = (Edit.model_validate(edit(own, run)),)
        first, second = (previews.preview(run, case, edits).id for _ in range(2))
        assert case.scan.hu is not None
    with pytest.raises(Refused):
        previews.get(run, first)
    assert previews.get(run, second).run == run


@pytest.mark.slow
def test_who_looked_at_masks_does_not_hold_a_closed_scan(own: Server, counted: Json) -> None:
    own.get(f"/api/runs/{counted['id']}/masks")
    with own.parts.scans.lease(counted["scan"]) as lease:
        voxels = weakref.ref(lease.case.scan)
    del lease
    own.client.delete(f"/api/scans/{counted['scan']}")
    gc.collect()
    assert voxels() is None
