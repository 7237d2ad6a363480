"""What takes long leaves threads to everything else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

from agent.web import bounded_folder, volumes
from agent.web.volumes import Volumes
from tests.agent.web.web_make import Server, listening
from tools.preview import reduced_scan

_MANY = 60


@pytest.mark.slow
def test_many_slow_volumes_hold_nobody_else_up(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = own.open()["id"]
    go, begun = threading.Event(), threading.Semaphore(0)

    def slow(volumes: Volumes, *_: object) -> bytes:
        begun.release()
        assert go.wait(60)
        return b"made"

    monkeypatch.setattr(Volumes, "scan", slow)
    with listening(own.app) as address, ThreadPoolExecutor(_MANY) as pool:
        asked = [pool.submit(httpx.get, f"{address}/api/scans/{scan}/volume", timeout=60) for _ in range(_MANY)]
        assert begun.acquire(timeout=60)
        for path in ("status", f"scans/{scan}", "runs", "conversations", f"scans/{scan}/voxel?x=0&y=0&z=0"):
            assert httpx.get(f"{address}/api/{path}", timeout=30).status_code == 200
        go.set()
        assert {one.result().content for one in asked} == {b"made"}


def test_what_many_ask_for_is_not_made_for_each(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(*args: Any) -> Any:
        made.append(1)
        return reduced_scan(*args)

    monkeypatch.setattr(volumes, "reduced_scan", counted)
    ident = own.open()["id"]
    with ThreadPoolExecutor(8) as pool:
        path = f"/api/scans/{ident}/volume"
        answers = list(pool.map(lambda _: own.client.get(path).content, range(8)))
    assert len(set(answers)) == 1
    assert 1 <= len(made) <= 2


def test_a_volume_that_cannot_be_kept_is_sent(
    own: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    scan = own.open()["id"]
    monkeypatch.setattr(bounded_folder, "atomic_write", full)
    assert own.client.get(f"/api/scans/{scan}/volume").status_code == 200
    assert "No space left" in caplog.text
