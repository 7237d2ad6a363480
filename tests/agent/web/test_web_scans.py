"""Scans: opening, closing when memory runs short, opening again, forgetting, and remembering after a restart."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from agent.cases import CaseFiles, open_case
from agent.web import scans as module
from agent.web.faults import Refused
from tests.agent.loop_make import AFFINE, arrays
from tests.agent.web.web_make import Json, Server, refusal, serving, until, write_case
from tests.dicom_make import write_ct_series
from tests.scan_make import body_hu, write_nifti


def states(server: Server) -> dict[str, str]:
    """State by id."""
    return {one["id"]: one["state"] for one in server.get("/api/scans")["scans"]}


def test_what_an_open_scan_tells(scan: Json) -> None:
    assert (scan["state"], scan["error"], scan["progress"]) == ("ready", None, None)
    assert (scan["shape"], scan["spacing"]) == ([44, 36, 26], [7.0, 7.0, 5.0])
    assert (scan["has_labels"], scan["synthetic"], scan["phase"], scan["preview"]) == (True, False, None, 0)
    assert scan["levels"] == [{"level": 0, "factor": [1, 1, 1], "shape": [44, 36, 26], "bytes": 2 * 44 * 36 * 26}]


def test_the_same_again_is_the_same_scan(served: Server, scan: Json) -> None:
    assert served.open()["id"] == scan["id"]
    others = [served.open(phase="portal"), served.open(labelled=False), served.open(patient="age=63,sex=F")]
    assert others[2]["patient"] == "age=63,sex=F"
    idents = [one["id"] for one in (scan, *others)]
    assert len(set(idents)) == 4
    listed = [one["id"] for one in served.get("/api/scans")["scans"]]
    assert len(set(listed)) == len(listed)
    assert set(idents) <= set(listed)


@pytest.mark.parametrize(
    "declared",
    [
        {"phase": "no phase"}, {"patient": "shoe size=43"}, {"patient": "x" * 501},
        {"series": "1.2; rm"}, {"labels": "labels"}, {"labels": ["src-00000000"] * 17}, {"more": 1},
        {"prior_labels": ["src-00000000"]}, {"source": None},
    ],
)  # fmt: skip
def test_declarations_that_make_no_sense(served: Server, declared: Json) -> None:
    answer = served.client.post("/api/scans", json={"source": served.source("ct.nii.gz")["id"], **declared})
    assert answer.status_code in {404, 422}
    assert "--" not in refusal(answer, answer.status_code)


def test_events_until_it_is_ready(own: Server) -> None:
    source = own.source("ct.nii.gz")
    scan = own.post("/api/scans", {"source": source["id"]})
    text = own.client.get(f"/api/scans/{scan['id']}/events").text
    assert text.count("event: scan") >= 1
    assert '"state":"ready"' in text.split("event: scan")[-1]


def test_a_scan_that_cannot_be_opened(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    write_nifti(root / "photo.nii", np.random.default_rng(1).integers(0, 9000, (9, 8, 7)).astype(np.int32))
    labels = write_nifti(root / "labels.nii", np.ones((9, 8, 6), np.uint8))
    write_nifti(root / "ct.nii", arrays()[0], AFFINE)
    with serving(tmp_path / "server", root) as server:
        failed = server.open("photo.nii")
        assert failed["state"] == "failed"
        assert set(failed["error"]) == {"code", "message"}
        refusal(server.client.get(f"/api/scans/{failed['id']}/volume"), 409, "not_ready")
        assert '"failed"' in server.client.get(f"/api/scans/{failed['id']}/events").text
        run = server.ask(failed["id"], "How large is the liver?")
        assert (run["state"], run["error"]["code"]) == ("failed", "not_ready")
        body = {"source": server.source("ct.nii")["id"], "labels": [server.source(labels.name)["id"]]}
        unfit = server.settled(server.post("/api/scans", body)["id"])
        assert unfit["state"] == "failed"
        assert "do not overlap" in unfit["error"]["message"]
        # Tried once more, it fails once more.
        assert server.settled(server.post(f"/api/scans/{failed['id']}/open")["id"])["state"] == "failed"


@pytest.mark.slow
def test_a_choice_of_series(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    values = arrays()[0]
    for uid in ("1.2.3", "1.2.4"):
        write_ct_series(root / "study" / uid, values[:, :, : 20 + int(uid[-1])], series_uid=uid)
    for path in list((root / "study").rglob("im*")):
        path.rename(root / "study" / f"{path.parent.name}-{path.name}")
    with serving(tmp_path / "server", root) as server:
        source = server.source("study")
        failed = server.settled(server.post("/api/scans", {"source": source["id"]})["id"])
        assert (failed["state"], failed["error"]["code"]) == ("failed", "series_choice")
        assert set(failed["error"]["series"]) == {"1.2.3", "1.2.4"}
        assert "Secret" not in str(failed)
        chosen = server.settled(server.post("/api/scans", {"source": source["id"], "series": "1.2.4"})["id"])
        assert (chosen["state"], chosen["shape"][2]) == ("ready", 24)
        none = server.settled(server.post("/api/scans", {"source": source["id"], "series": "9.9"})["id"])
        assert none["state"] == "failed"


def test_memory_runs_short(tmp_path: Path, case_folder: Path) -> None:
    room = 44 * 36 * 26 * 2 * 2 + 60_000  # two scans without labels
    with serving(tmp_path, case_folder, memory_bytes=room) as server:
        scans = server.parts.scans
        first, second = (server.open(labelled=False, phase=phase)["id"] for phase in ("native", "portal"))
        assert states(server) == {first: "ready", second: "ready"}
        with scans.lease(first):
            third = server.open(labelled=False, phase="delayed")["id"]
            assert states(server) == {first: "ready", second: "closed", third: "ready"}
            refusal(server.client.get(f"/api/scans/{second}/volume"), 409, "not_ready")
            assert server.settled(server.post(f"/api/scans/{second}/open")["id"])["state"] == "ready"
            assert states(server) == {first: "ready", second: "ready", third: "closed"}
            with scans.lease(second):
                server.settled(server.post(f"/api/scans/{third}/open")["id"])
                # Whatever is at work stays, even beyond the limit.
                assert set(states(server).values()) == {"ready"}
        assert sorted(states(server).values()) == ["closed", "ready", "ready"]


@pytest.mark.slow
def test_a_closed_scan_is_opened_for_a_question(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder, memory_bytes=1) as server:
        first, second = (server.open(phase=phase)["id"] for phase in ("native", "portal"))
        assert states(server) == {first: "closed", second: "ready"}
        assert server.ask(first, "How many liver lesions are there?")["state"] == "done"
        assert states(server) == {first: "ready", second: "closed"}


def test_leases_without_end_under_threads(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder, memory_bytes=1) as server:
        idents = [server.open(labelled=False, phase=phase)["id"] for phase in ("native", "portal", "delayed")]

        def work(number: int) -> int:
            with server.parts.scans.opened(idents[number % 3], threading.Event(), 30) as lease:
                return int(lease.case.scan.hu[0, 0, 0])

        with ThreadPoolExecutor(6) as pool:
            seen = set(pool.map(work, range(18)))
        assert len(seen) == 1
        assert sorted(states(server).values()) == ["closed", "closed", "ready"]


def test_two_that_open_the_same_read_it_once(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def counted(files: CaseFiles, **more: object) -> object:
        reads.append(files.scan)
        return open_case(files)

    monkeypatch.setattr(module, "open_case", counted)
    source = own.source("ct.nii.gz")
    gate = threading.Barrier(4)

    def open_it(_: int) -> str:
        gate.wait()
        return str(own.post("/api/scans", {"source": source["id"]})["id"])

    with ThreadPoolExecutor(4) as pool:
        idents = set(pool.map(open_it, range(4)))
    (ident,) = idents
    assert own.settled(ident)["state"] == "ready"
    assert len(reads) == 1


def test_an_unexpected_fault_fails_the_scan_alone(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(files: CaseFiles, **more: object) -> object:
        raise KeyError("/secret Jane Doe")

    monkeypatch.setattr(module, "open_case", boom)
    failed = own.open()
    assert (failed["state"], failed["error"]["code"]) == ("failed", "unexpected")
    assert "Jane" not in str(failed)
    monkeypatch.undo()
    assert own.open()["state"] == "ready"


@pytest.mark.slow
def test_forgetting(own: Server) -> None:
    scan = own.open()
    talk = own.post("/api/conversations", {"scan": scan["id"]})
    run = own.ask(scan["id"], "How many liver lesions are there?", conversation=talk["id"])
    with own.parts.scans.lease(scan["id"]):
        refusal(own.client.delete(f"/api/scans/{scan['id']}"), 409, "busy")
    assert own.client.delete(f"/api/scans/{scan['id']}").status_code == 204
    refusal(own.client.delete(f"/api/scans/{scan['id']}"), 404, "not_found")
    told = own.get(f"/api/conversations/{talk['id']}")
    assert (told["scan_name"], [one["id"] for one in told["turns"]]) == ("a scan that was removed", [run["id"]])
    assert own.get(f"/api/runs/{run['id']}")["report"]["answers"]
    refusal(own.client.get(f"/api/runs/{run['id']}/masks"), 404, "not_found")
    refusal(own.client.post("/api/runs", json={"scan": scan["id"]}), 404, "not_found")
    evidence = next(iter(own.get(f"/api/runs/{run['id']}")["report"]["evidence"]))
    assert own.client.get(f"/api/runs/{run['id']}/evidence/{evidence}").status_code < 500
    assert own.open()["id"] == scan["id"]
    assert own.get(f"/api/runs/{run['id']}/masks")["structures"]


def test_files_that_were_changed(tmp_path: Path) -> None:
    root = write_case(tmp_path / "scans")
    with serving(tmp_path / "server", root, memory_bytes=1) as server:
        scan = server.open()
        server.open(phase="portal")
        write_nifti(root / "ct.nii.gz", (arrays()[0] + 1).astype(np.int16), AFFINE)
        refusal(server.client.post(f"/api/scans/{scan['id']}/open"), 409, "changed")
        run = server.ask(scan["id"], "How many liver lesions are there?")
        assert (run["state"], run["error"]["code"]) == ("failed", "changed")
        assert server.open()["id"] != scan["id"]
        (root / "ct.nii.gz").unlink()
        refusal(server.client.post(f"/api/scans/{scan['id']}/open"), 404, "not_found")


def test_remembered_after_a_restart(tmp_path: Path, case_folder: Path) -> None:
    with serving(tmp_path, case_folder) as server:
        scan = server.open(phase="portal", patient="age=63")
    with serving(tmp_path, case_folder) as server:
        (again,) = server.get("/api/scans")["scans"]
        expected = {"id": scan["id"], "state": "closed", "phase": "portal", "patient": "age=63", "has_labels": True}
        assert {name: again[name] for name in expected} == expected
        assert again["created"] == scan["created"]
        assert server.settled(server.post(f"/api/scans/{scan['id']}/open")["id"])["state"] == "ready"
    with serving(tmp_path) as server:
        # Started without that folder, it knows of the scan, and may not open it.
        refusal(server.client.post(f"/api/scans/{scan['id']}/open"), 404, "not_found")


@pytest.mark.slow
@pytest.mark.parametrize(
    "record",
    [
        "{}",
        '{"ask": {}, "name": "x"}',
        "[]",
        "torn {",
        "null",
        '{"ask": {"source": "src-00000000", "new": 1}, "name": "x"}',
    ],
)
def test_records_of_another_version(tmp_path: Path, case_folder: Path, record: str) -> None:
    with serving(tmp_path, case_folder) as server:
        scan = server.open()
    with closing(sqlite3.connect(tmp_path / "state" / "server.sqlite")) as link:
        link.execute("UPDATE scans SET record = ?", (record,))
        link.commit()
    with serving(tmp_path, case_folder) as server:
        assert server.get("/api/scans")["scans"] == []
        refusal(server.client.get(f"/api/scans/{scan['id']}"), 404, "not_found")
        assert server.open()["id"] == scan["id"]


def test_a_lease_of_what_is_not_open(own: Server) -> None:
    with pytest.raises(Refused), own.parts.scans.lease("scan-00000000"):
        pass
    source = own.source("ct.nii.gz")
    scan = own.post("/api/scans", {"source": source["id"]})
    until(lambda: own.get(f"/api/scans/{scan['id']}"), lambda one: one["state"] == "ready")
    with own.parts.scans.lease(scan["id"]) as lease:
        assert lease.path.name == "ct.nii.gz"
        assert lease.case.scan.hu.shape == (44, 36, 26)


def test_a_volume_that_is_no_ct(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    write_nifti(root / "labels only.nii", (body_hu() > 0).astype(np.uint8))
    with serving(tmp_path / "server", root) as server:
        failed = server.open("labels only.nii", labelled=False)
        assert failed["state"] == "failed"
        assert "labels only.nii" in failed["error"]["message"]
