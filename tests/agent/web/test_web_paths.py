"""No path, name or id of a request leads anywhere but where it may, and no error tells where things lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.agent.web.web_make import Json, Server, refusal, serving
from tests.scan_make import write_nifti

UPWARDS = [
    "..", "../..", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252fetc%252fpasswd", "....//....//etc/passwd", "..%5c..%5cetc", "..%00/etc/passwd", "/etc/passwd",
    "%2fetc%2fpasswd", "..;/etc/passwd", "~root/.ssh", "file:%2f%2f%2fetc%2fpasswd", "a%00.png", "%0d%0aSet-Cookie:a=b",
    "a" * 3000, "%ff%fe", "con.png", ".png", "report.png/../../trace.jsonl",
]  # fmt: skip
PATHS = [
    "/static/{}", "/api/scans/{}", "/api/scans/{}/volume", "/api/scans/{}/events", "/api/runs/{}",
    "/api/runs/{}/report", "/api/runs/{}/trace", "/api/conversations/{}", "/api/runs/RUN/images/{}",
    "/api/runs/RUN/evidence/{}", "/api/runs/RUN/masks/{}", "/api/runs/RUN/corrections/{}",
    "/api/scans/SCAN/masks/{}", "/api/runs/RUN/report?format={}", "/api/scans/SCAN/volume?box={}",
    "/api/scans/SCAN/volume?level={}", "/api/runs?scan={}", "/api/runs?conversation={}",
]  # fmt: skip
NO_IDS = [
    "short", "a" * 65, "UPPERCASE", "src-0123 456", "src_01234567", "../../../../",
    "src-" + "\u0663" * 5, "src-" + "\0" * 6, "aaaaaaaa\n",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_leads_upwards(served: Server, scan: Json, run: Json, path: str) -> None:
    place = str(served.root.parent)
    for upwards in UPWARDS:
        address = path.format(upwards).replace("RUN", run["id"]).replace("SCAN", scan["id"])
        answer = served.client.get(address)
        # A list, a page or the object above it may be what such a path comes to.
        assert answer.status_code in {200, 400, 404, 405, 422}, (address, answer.text)
        assert "root:" not in answer.text
        assert place not in answer.text
        assert "set-cookie" not in answer.headers
        if answer.status_code >= 400:
            refusal(answer, answer.status_code)


@pytest.mark.parametrize("ident", NO_IDS)
def test_ids_in_bodies(served: Server, ident: str) -> None:
    for path, body in (
        ("/api/scans", {"source": ident}),
        ("/api/scans", {"source": "src-01234567", "labels": [ident]}),
        ("/api/scans", {"source": "src-01234567", "prior": ident}),
        ("/api/runs", {"scan": ident}),
        ("/api/runs", {"scan": "scan-01234567", "conversation": ident}),
        ("/api/conversations", {"scan": ident}),
    ):
        refusal(served.client.post(path, json=body), 422, "bad_input")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../../../etc/passwd", "no such map", "", "totalsegmentator/../x", "a\0b"]
)
def test_class_maps_are_names(served: Server, name: str) -> None:
    source = served.source("ct.nii.gz")
    body = {"source": source["id"], "labels": [source["labels"][0]["id"]], "class_map": name}
    told = refusal(served.client.post("/api/scans", json=body), 422, "bad_input")
    assert "passwd" not in told


def test_unknown_ids_are_missing(served: Server, scan: Json, run: Json) -> None:
    for method, path in (
        ("GET", "/api/scans/scan-00000000"), ("POST", "/api/scans/scan-00000000/open"),
        ("DELETE", "/api/scans/scan-00000000"), ("GET", "/api/scans/scan-00000000/volume"),
        ("GET", "/api/scans/scan-00000000/masks"), ("GET", "/api/scans/scan-00000000/events"),
        ("GET", "/api/runs/run-00000000"), ("POST", "/api/runs/run-00000000/cancel"),
        ("POST", "/api/runs/run-00000000/resume"), ("GET", "/api/runs/run-00000000/events"),
        ("GET", "/api/runs/run-00000000/trace/check"), ("GET", "/api/conversations/talk-00000000"),
        ("DELETE", "/api/conversations/talk-00000000"), ("DELETE", "/api/sources/src-00000000"),
        ("DELETE", "/api/uploads/src-00000000"), ("GET", f"/api/runs/{run['id']}/corrections/mask-00000000"),
        ("GET", f"/api/runs/{run['id']}/evidence/ev-none"), ("GET", f"/api/runs/{run['id']}/images/none.png"),
        ("GET", f"/api/runs/{run['id']}/masks/99"), ("GET", f"/api/runs/{run['id']}/masks/-1"),
        ("GET", f"/api/scans/{scan['id']}/volume?level=7"),
    ):  # fmt: skip
        refusal(served.client.request(method, path), 404, "not_found")


@pytest.mark.slow
def test_a_run_whose_folder_is_gone_tells_no_path(own: Server, tmp_path: Path) -> None:
    scan = own.open()
    run = own.ask(scan["id"], "What is the volume of the spleen?")
    folder = next((tmp_path / "home" / "runs").iterdir())
    folder.rename(tmp_path / "elsewhere")
    for path in ("", "/report", "/trace", "/trace/check", "/masks", "/images/a.png", "/events"):
        answer = own.client.get(f"/api/runs/{run['id']}{path}")
        assert answer.status_code < 500, path
        assert str(tmp_path) not in answer.text, path
    answer = own.client.post(f"/api/runs/{run['id']}/reviews", json={"reviewer": "R", "kind": "approve"})
    assert answer.status_code in {202, 404, 409}
    assert str(tmp_path) not in own.client.get(f"/api/runs/{run['id']}").text


def test_a_broken_scan_tells_no_path(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    write_nifti(root / "ct.nii", np.full((9, 8, 7), 40, np.int16))
    with serving(tmp_path / "server", root) as server:
        source = server.source("ct.nii")
        (root / "ct.nii").write_bytes((root / "ct.nii").read_bytes()[:400])
        scan = server.post("/api/scans", {"source": source["id"]})
        failed = server.settled(scan["id"])
        assert failed["state"] == "failed"
        assert str(tmp_path) not in str(failed)
        assert failed["error"]["message"].endswith(".")
