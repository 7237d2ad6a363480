"""Whatever happens to an engine, the run that asked goes on and knows why nothing was seen."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.errors import ToolError
from tests.engine_make import NAME, install
from tests.label_make import scan_of
from tools.array_store import ArrayStore
from tools.segment.backends import load_backends
from tools.segment.catalogue import all_offers
from tools.segment.child import FAILED, LABELS, NAMES, REFUSED
from tools.segment.engine import EngineSettings, Offer, Segmented, Tell
from tools.segment.isolate import run_isolated, turn
from tools.segment.workshop import Workshop, label_set
from tools.volume import Scan

pytestmark = pytest.mark.slow

Steps = list[tuple[str, int, int]]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    load_backends.cache_clear()


def _scan() -> Scan:
    hu = np.zeros((12, 10, 8), np.int16)
    hu[2:5, 2:5, 2:5], hu[6:8, 2:5, 2:5] = 100, 200
    return scan_of(hu)


def _offer(settings: EngineSettings) -> Offer:
    return next(one for one in all_offers(settings) if one.backend == NAME)


def _in_turn(offer: Offer, wanted: tuple[str, ...], settings: EngineSettings, tell: Tell) -> Segmented:
    with turn(settings, offer, tell):
        return run_isolated(offer, _scan(), wanted, settings, tell)


def _both(ran: Path, one: threading.Thread, other: threading.Thread) -> None:
    """Start the other once the engine of the one runs, and wait for both."""
    one.start()
    # The file is there a moment before its line is.
    while not (ran.exists() and ran.stat().st_size):
        time.sleep(0.02)
    other.start()
    one.join()
    other.join()


def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, **more: float) -> tuple[Segmented, Steps]:
    install(tmp_path, monkeypatch, task)
    settings = EngineSettings(cache=tmp_path / "cache", **more)  # type: ignore[arg-type]
    offer = _offer(settings)
    steps: Steps = []
    made = _in_turn(offer, ("liver", "spleen"), settings, lambda *step: steps.append(step))
    return made, steps


def test_labels_come_back_on_the_scan_s_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, steps = _run(tmp_path, monkeypatch, "good")
    np.testing.assert_array_equal(made.labels, (_scan().hu > 50).astype(int) + (_scan().hu > 150))
    assert made.names == {1: "Liver", 2: "Spleen", 3: "Lesion"}
    assert ("the pretended engine (good): looking", 1, 2) in steps
    assert not list((tmp_path / "cache" / "work").glob("segment-*")), "work files stay behind"


def test_what_a_killed_run_left_behind_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "cache" / "work" / "segment-old"
    left.mkdir(parents=True)
    (left / "scan.nii").write_bytes(b"a patient's scan")
    _run(tmp_path, monkeypatch, "good")
    assert not left.exists()


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("kill", "was ended from outside by SIGKILL, most often for want of memory"),
        ("crash", r"broke off \(RuntimeError\)"),
        ("leave", r"broke off \(no reason given\)"),
        ("refuse", "could not do it: its weights are broken"),
        ("shape", "gave labels on another grid"),
        ("float", "gave labels on another grid"),
        ("network", r"broke off \(URLError\)"),
        ("lookup", r"broke off \(OSError\)"),
        ("datagram", r"broke off \(OSError\)"),
        ("torch", "could not do it: it ran out of memory"),
        ("noise", "wrote messages without end"),
    ],
)
def test_a_failure_is_told_in_one_clause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, reason: str
) -> None:
    monkeypatch.setattr("tools.segment.isolate.MAX_SAID_BYTES", 100_000)
    with pytest.raises(ToolError, match=reason) as caught:
        _run(tmp_path, monkeypatch, task)
    told = str(caught.value)
    assert told.startswith("the pretended engine") and "\n" not in told
    assert "Jane" not in told and "/secret" not in told
    assert not any(letter.isdigit() for letter in told), "a number in a reason would need evidence"
    assert not list((tmp_path / "cache" / "work").glob("segment-*"))


def test_what_is_no_step_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, steps = _run(tmp_path, monkeypatch, "garbage")
    assert [what for what, _, _ in steps] == ["the pretended engine (garbage): looking"]
    assert made.names[1] == "Liver"


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (b"", b"{}"),
        (b"\x93NUMPY\x01\x00garbage", b"{}"),
        (b"PK\x03\x04", b"{}"),
        (None, b"not json"),
        (None, b'{"one": "Liver"}'),
        (None, b'{"0": "Liver"}'),
        (None, b'{"-1": "Liver"}'),
        (None, b'{"70000": "Liver"}'),
        (None, b"[" * 100_000),
    ],
)
def test_a_result_that_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: bytes | None, names: bytes
) -> None:
    class Ended:
        pid, returncode = 2**22 + 1, 0

        def __init__(self, *_: object, cwd: Path, **__: object) -> None:
            np.save(cwd / LABELS, np.zeros(_scan().grid.shape, np.uint8))
            if labels is not None:
                (cwd / LABELS).write_bytes(labels)
            (cwd / NAMES).write_bytes(names)

        def poll(self) -> int:
            return 0

        wait = poll

    monkeypatch.setattr("tools.segment.isolate.subprocess.Popen", Ended)
    offer = Offer("pretend", "good", {"liver": ("Liver",)}, "none", "v", "the pretended engine")
    settings = EngineSettings(cache=tmp_path)
    with pytest.raises(ToolError, match=r"left no result that can be read|names to values that no class can have"):
        _in_turn(offer, ("liver",), settings, lambda *_: None)


def test_folders_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        pid, returncode = 2**22 + 1, REFUSED

        def __init__(self, *_: object, cwd: Path, **__: object) -> None:
            said = f"/home/Jane Doe/liver model/fold/a.pth in {cwd} and /secret/b.pth are broken\nfor good"
            (cwd / FAILED).write_text(json.dumps({"reason": said}), encoding="utf-8")

        def poll(self) -> int:
            return self.returncode

        wait = poll

    monkeypatch.setattr("tools.segment.isolate.subprocess.Popen", Refused)
    offer = Offer(
        "pretend", "good", {"liver": ("Liver",)}, "none", "v", "the engine",
        options={"folder": "/home/Jane Doe/liver model", "pickles": False},
    )  # fmt: skip
    with pytest.raises(ToolError) as caught:
        _in_turn(offer, ("liver",), EngineSettings(cache=tmp_path), lambda *_: None)
    told = str(caught.value)
    assert "liver model/fold/a.pth" in told and "b.pth are broken for good" in told
    assert not any(one in told for one in ("Jane", "/home", "secret", str(tmp_path)))


def test_a_class_that_an_engine_does_not_name_was_not_looked_for() -> None:
    offer = Offer("pretend", "few", {"liver": ("Liver",), "spleen": ("Spleen",)}, "none", "v", "the pretended engine")
    seen = np.zeros(_scan().grid.shape, np.uint8)
    seen[:2], seen[3:5] = 1, 2
    made = label_set(Segmented(seen, {1: "Liver"}), offer, ("liver", "spleen"), _scan())
    assert made.entries == {"liver": ((0, 1),)}
    assert made.unseen == {"spleen": "the pretended engine did not look for it"}


def test_masks_of_weights_that_were_changed_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "good")
    settings = EngineSettings(cache=tmp_path / "cache")
    workshop = Workshop(settings, ArrayStore(settings.cache), engines=(NAME,))
    looked_up = replace(workshop.offer(NAME, "good"), version="of weights that lay there before")
    with pytest.raises(ToolError, match="were changed since they were looked up"):
        workshop.masks(_scan(), looked_up, ("liver",))
    assert not (settings.cache / "arrays").exists()


def test_two_runs_that_want_the_same_masks_look_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = install(tmp_path, monkeypatch, "waits")
    settings = EngineSettings(cache=tmp_path / "cache")

    def tell(what: str, finished: int, planned: int) -> None:
        del finished, planned
        if what.startswith("waiting for another"):
            (tmp_path / "go").touch()

    found: list[str] = []

    def look() -> None:
        workshop = Workshop(settings, ArrayStore(settings.cache), tell, (NAME,))
        found.append(workshop.masks(_scan(), workshop.offer(NAME, "waits"), ("liver",))[0])

    threads = [threading.Thread(target=look) for _ in range(2)]
    _both(ran, *threads)
    assert len(found) == 2 and len(set(found)) == 1
    assert ran.read_text(encoding="utf-8").split() == ["waits"]


def test_memory_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="ran out of memory"):
        _run(tmp_path, monkeypatch, "memory", memory_gib=8)


def test_time_is_limited_and_nothing_goes_on_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="took longer than allowed"):
        _run(tmp_path, monkeypatch, "sleep", seconds=3)
    assert not _children("tools.segment.child")


def test_an_engine_killed_by_hand_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill() -> None:
        while not (tmp_path / "ran.txt").exists():
            time.sleep(0.02)
        for process in _children("tools.segment.child"):
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ToolError, match="SIGKILL"):
        _run(tmp_path, monkeypatch, "sleep")
    killer.join()


def test_only_one_engine_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = install(tmp_path, monkeypatch, "waits")
    settings = EngineSettings(cache=tmp_path / "cache")
    offer, told = _offer(settings), []

    def tell(what: str, finished: int, planned: int) -> None:
        del finished, planned
        if what.startswith("waiting for another"):
            told.append(len(ran.read_text(encoding="utf-8").split()))
            (tmp_path / "go").touch()

    threads = [threading.Thread(target=_in_turn, args=(offer, ("liver",), settings, tell)) for _ in range(2)]
    _both(ran, *threads)
    assert told == [1], "the second engine began although the first one ran"
    assert len(ran.read_text(encoding="utf-8").split()) == 2


def _children(module: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                told = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if module in told and parent == os.getpid():
                found.append(int(entry.name))
    return found
