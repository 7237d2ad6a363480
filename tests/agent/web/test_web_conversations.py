"""Conversations: what was asked before is context there, and nowhere else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.agent.loop_make import AFFINE, VALUES, arrays
from tests.agent.web.web_make import NAMES, Json, Server, refusal, serving, write_case
from tests.label_make import save

LESIONS = "How many liver lesions are there?"


def talk_about(server: Server, scan: str) -> str:
    """A new conversation."""
    return str(server.post("/api/conversations", {"scan": scan})["id"])


@pytest.mark.slow
def test_a_follow_up_has_its_context(served: Server, scan: Json) -> None:
    talk = talk_about(served, scan["id"])
    size = served.ask(scan["id"], "What is the volume of the spleen?", conversation=talk)
    follow = served.ask(scan["id"], "And of the liver?", conversation=talk)
    assert (size["state"], follow["state"]) == ("done", "done")
    assert follow["answer"].startswith("The volume of the liver")
    alone = served.ask(scan["id"], "And of the liver?")
    assert not alone["answer"].startswith("The volume of the liver")
    other = served.ask(scan["id"], "And of the liver?", conversation=talk_about(served, scan["id"]))
    assert not other["answer"].startswith("The volume of the liver")
    told = served.get(f"/api/conversations/{talk}")
    assert [one["id"] for one in told["turns"]] == [size["id"], follow["id"]]
    assert (told["title"], told["scan_name"]) == ("What is the volume of the spleen?", "ct.nii.gz")


@pytest.mark.slow
def test_listed_by_last_use(own: Server) -> None:
    scan = own.open()["id"]
    first, second = talk_about(own, scan), talk_about(own, scan)
    own.ask(scan, LESIONS, conversation=first)
    listed = own.get("/api/conversations")["conversations"]
    assert [(one["id"], one["turns"]) for one in listed] == [(first, 1), (second, 0)]
    assert own.client.delete(f"/api/conversations/{first}").status_code == 204
    assert [one["id"] for one in own.get("/api/conversations")["conversations"]] == [second]
    refusal(own.client.get(f"/api/conversations/{first}"), 404, "not_found")
    (run,) = own.get("/api/runs", params={"scan": scan})["runs"]
    assert (run["conversation"], run["state"]) == (None, "done")
    assert own.get("/api/runs", params={"conversation": first})["runs"] == []


def test_a_conversation_is_about_its_scan(served: Server, scan: Json) -> None:
    other = served.open(phase="delayed")["id"]
    talk = talk_about(served, scan["id"])
    body = {"scan": other, "question": LESIONS, "conversation": talk}
    refusal(served.client.post("/api/runs", json=body), 409, "other_scan")
    refusal(served.client.post("/api/runs", json={**body, "conversation": "talk-00000000"}), 404, "not_found")
    refusal(served.client.post("/api/conversations", json={"scan": "scan-00000000"}), 404, "not_found")
    refusal(served.client.post("/api/conversations", json={}), 422, "bad_input")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two scans: the second one has a single lesion in the liver, and a larger spleen."""
    root = write_case(tmp_path / "scans")
    values, labels = arrays()
    lesion = labels == VALUES["liver_lesion"]
    labels[lesion & (np.indices(labels.shape)[0] > 34)] = VALUES["liver"]
    labels[6:12, 8:16, 8:20] = VALUES["spleen"]
    (root / "second").mkdir()
    save(root / "second" / "other.nii.gz", values, AFFINE)
    save(root / "second" / "labels.nii.gz", labels, AFFINE, NAMES)
    return root


@pytest.mark.slow
def test_fifty_sessions_at_once_stay_apart(tmp_path: Path, two: Path) -> None:
    answers = {0: "The number of liver lesions is 2.", 1: "The number of liver lesions is 1."}
    with serving(tmp_path / "server", two, runs=4) as server:
        scans = [server.open("ct.nii.gz")["id"], server.open("second/other.nii.gz")["id"]]
        spleens = [server.ask(scan, "What is the volume of the spleen?")["answer"] for scan in scans]
        assert spleens[0] != spleens[1]

        def session(number: int) -> Json:
            which = number % 2
            talk = talk_about(server, scans[which])
            words = (LESIONS, "What is the volume of the spleen?")[number // 2 % 2]
            run = server.ask(scans[which], words, conversation=talk)
            assert [one["id"] for one in server.get(f"/api/conversations/{talk}")["turns"]] == [run["id"]]
            return run

        with ThreadPoolExecutor(50) as pool:
            every = list(pool.map(session, range(50)))
        for number, run in enumerate(every):
            assert run["answer"] == (answers, spleens)[number // 2 % 2][number % 2]
            assert run["scan"] == scans[number % 2]
            assert server.events(run["id"])[0]["data"]["detail"] == run["question"]


@pytest.mark.slow
def test_two_conversations_at_once_stay_apart(tmp_path: Path, two: Path) -> None:
    with serving(tmp_path / "server", two, runs=2) as server:
        scans = [server.open("ct.nii.gz")["id"], server.open("second/other.nii.gz")["id"]]
        talks = [talk_about(server, one) for one in scans]

        def speak(number: int) -> list[Json]:
            words = [LESIONS, "And the volume of the spleen?", LESIONS]
            order = words if number == 0 else words[::-1]
            return [server.ask(scans[number], one, conversation=talks[number]) for one in order]

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(speak, range(2))
        assert [one["answer"] for one in (first[0], first[2])] == ["The number of liver lesions is 2."] * 2
        assert [one["answer"] for one in (second[0], second[2])] == ["The number of liver lesions is 1."] * 2
        assert first[1]["answer"] != second[1]["answer"]
        for runs, scan, talk in ((first, scans[0], talks[0]), (second, scans[1], talks[1])):
            told = server.get(f"/api/conversations/{talk}")
            assert [one["id"] for one in told["turns"]] == [one["id"] for one in runs]
            for run in runs:
                assert (run["scan"], run["conversation"]) == (scan, talk)
                begun = server.events(run["id"])[0]["data"]
                assert begun["detail"] == run["question"]
                assert server.get(f"/api/runs/{run['id']}/trace/check")["ok"]
        seen = [{name for run in runs for name in run["report"]["evidence"]} for runs in (first, second)]
        numbers = [str(run["report"]["evidence"]) for run in (first[1], second[1])]
        assert seen[0]
        assert numbers[0] != numbers[1]


@pytest.mark.slow
def test_a_conversation_survives_a_restart(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder) as server:
        scan = server.open()["id"]
        talk = talk_about(server, scan)
        run = server.ask(scan, "What is the volume of the spleen?", conversation=talk)
    with serving(tmp_path, case_folder) as server:
        assert server.get(f"/api/conversations/{talk}")["turns"][0]["answer"] == run["answer"]
        assert server.get(f"/api/runs/{run['id']}")["report"] == run["report"]
        refusal(server.client.get(f"/api/runs/{run['id']}/masks"), 409, "not_ready")
        follow = server.ask(scan, "And of the liver?", conversation=talk)
        assert follow["answer"].startswith("The volume of the liver")
        assert server.get(f"/api/runs/{run['id']}/masks")["structures"]
