"""Runs an engine in a child process, one at a time: whatever happens to it, the run that asked goes on."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from pydantic import TypeAdapter, ValidationError

from agent.errors import ToolError, UsageError
from tools.segment.child import FAILED, LABELS, NAMES, REFUSED, STEPS
from tools.segment.engine import MAX_VALUE, EngineSettings, Job, Offer, Segmented, Tell, offline_environment
from tools.volume import Scan

POLL_SECONDS = 0.05
MAX_TOLD = 200
MAX_CLASSES = 10_000
MAX_SAID_BYTES = 256 << 20
"""An engine that prints more than this is ended before it fills the disk."""
MAX_JSON_BYTES = 4 << 20
_CHUNK = 1 << 20
SAID = "said.txt"
Check = Callable[[], None]
_WORK = "segment-"
_CODE_OF_LIBRARIES = 65_536
_STEP = TypeAdapter(tuple[str, int, int])
_WORDS = TypeAdapter(dict[str, str])
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/'\":,;]+/)+")


def go_on() -> None:
    """Nobody asks an engine to stop."""


def run_isolated(
    offer: Offer,
    scan: Scan,
    structures: tuple[str, ...],
    settings: EngineSettings,
    tell: Tell,
    *,
    wider: bool = False,
    check: Check = go_on,
) -> Segmented:
    """Let an engine look at a scan, once its turn has come (`turn`).

    Args:
        offer: the engine's task.
        scan: the scan.
        structures: canonical ids that are wanted.
        settings: time, memory, device, folders.
        tell: told of the engine's progress.
        wider: with a larger region of interest.
        check: called again and again while the engine runs; what it raises ends the engine.

    Returns:
        Its labels on the scan's grid.

    Raises:
        ToolError: it failed, was killed, took too long, or gave what cannot be used; with the reason as one clause.
    """
    with tempfile.TemporaryDirectory(dir=settings.cache / "work", prefix=_WORK) as folder:
        return _run(offer, scan, structures, settings, tell, wider, Path(folder), check)


@contextmanager
def turn(settings: EngineSettings, offer: Offer, tell: Tell, check: Check = go_on) -> Iterator[None]:
    """The time in which only one engine runs, whichever process with this cache asks for it.

    `check` is called again and again while it has not come; what it raises ends the waiting.

    Raises:
        UsageError: the work folder cannot be written.
    """
    try:
        work = settings.cache / "work"
        work.mkdir(parents=True, exist_ok=True)
        waiting = f"waiting for another segmentation before {offer.title}"
        with one_at_a_time(settings.cache, lambda: tell(waiting, 0, 0), check):
            # Only one engine runs: what lies here belongs to a run that was killed, and holds a patient's scan.
            for left in work.glob(f"{_WORK}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except OSError as error:
        raise UsageError(
            f"The cache {settings.cache} cannot be written ({error.strerror or error}); choose another with "
            "TUMORTRACE_CACHE."
        ) from error


def _run(
    offer: Offer,
    scan: Scan,
    structures: tuple[str, ...],
    settings: EngineSettings,
    tell: Tell,
    wider: bool,
    folder: Path,
    check: Check,
) -> Segmented:
    image: Any = nib.Nifti1Image  # its constructor carries no types
    written = image(scan.hu, scan.grid.affine)
    written.header.set_xyzt_units("mm")
    nib.save(written, folder / "scan.nii")
    job = Job(
        backend=offer.backend, task=offer.task, options=dict(offer.options), scan=folder / "scan.nii",
        structures=structures, names=tuple(name for one in structures for name in offer.classes[one]),
        device=settings.device, wider=wider, out=folder, memory_gib=settings.memory_gib,
    )  # fmt: skip
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    with (folder / SAID).open("wb") as said:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", "tools.segment.child", str(folder / "job.json"), str(os.getpid())],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd=folder,
            env=offline_environment(folder, settings.cache / "work" / "libraries"),
        )  # fmt: skip
    try:
        code = _wait(process, folder, settings.seconds, tell, offer, check)
    finally:
        # Workers that an engine started end with it, also where this run is interrupted.
        _end(process)
    if code != 0:
        raise ToolError(f"{offer.title} {_why(code, folder, offer)}")
    return _read(folder, scan, offer)


def _wait(
    process: subprocess.Popen[bytes], folder: Path, seconds: float, tell: Tell, offer: Offer, check: Check
) -> int:
    begin, read, steps = time.monotonic(), 0, folder / STEPS
    while (code := process.poll()) is None:
        if time.monotonic() - begin > seconds:
            raise ToolError(f"{offer.title} took longer than allowed and was ended")
        if any(_size(one) > MAX_SAID_BYTES for one in (folder / SAID, steps)):
            raise ToolError(f"{offer.title} wrote messages without end and was ended")
        read = _tell_steps(steps, read, tell, offer)
        check()
        time.sleep(POLL_SECONDS)
    _tell_steps(steps, read, tell, offer)
    return code


def _tell_steps(steps: Path, read: int, tell: Tell, offer: Offer) -> int:
    """Pass on what the engine said since; an unfinished line waits for its end, one that is no step is left out."""
    try:
        with steps.open("rb") as file:
            file.seek(read)
            new = file.read(_CHUNK)
    except FileNotFoundError:
        return read
    whole = new[: new.rfind(b"\n") + 1]
    for line in whole.splitlines():
        try:
            what, finished, planned = _STEP.validate_json(line)
        except ValidationError:
            continue
        tell(f"{offer.title}: {what[:MAX_TOLD]}", finished, planned)
    return read + (len(whole) or (_CHUNK if len(new) == _CHUNK else 0))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(code: int, folder: Path, offer: Offer) -> str:
    reason = (_words(folder / FAILED) or {}).get("reason")
    if code == REFUSED and reason is not None:
        # A report goes further than this machine: of a path only the last name is told. Those that may hold spaces are
        # known; of others the folders are taken off as far as they can be told from words.
        for known in (str(folder), *(str(one) for one in offer.options.values())):
            reason = reason.replace(known, Path(known).name) if known.startswith("/") else reason
        return f"could not do it: {' '.join(_FOLDERS.sub('', reason).split())[:MAX_TOLD]}"
    if code < 0:
        name = signal.Signals(-code).name if -code in {one.value for one in signal.Signals} else "a signal"
        memory = ", most often for want of memory" if -code == signal.SIGKILL else ""
        return f"was ended from outside by {name}{memory}"
    return f"broke off ({_last_line(folder / SAID)})"


def _last_line(path: Path) -> str:
    """The type of the error that ended the engine; its message may quote anything, so it stays here."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _CODE_OF_LIBRARIES))
        lines = file.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        name = line.split(":", 1)[0].rsplit(".", 1)[-1]
        if line and not line.startswith(" ") and name.isidentifier() and name.endswith(("Error", "Exit", "Exception")):
            return name
    return "no reason given"


def _read(folder: Path, scan: Scan, offer: Offer) -> Segmented:
    try:
        labels = np.lib.format.open_memmap(folder / LABELS, mode="r")
        told = _words(folder / NAMES)
        names = {int(value): name for value, name in (told or {}).items()}
    except (OSError, ValueError, EOFError) as error:
        raise ToolError(f"{offer.title} left no result that can be read") from error
    if told is None:
        raise ToolError(f"{offer.title} left no result that can be read")
    if labels.shape != scan.grid.shape or labels.dtype.kind != "u":
        raise ToolError(f"{offer.title} gave labels on another grid than the scan's")
    if len(names) > MAX_CLASSES:
        raise ToolError(f"{offer.title} gave more classes than are allowed")
    # The background is nobody's mask, and a larger value would be another class in the type of the labels.
    if not all(1 <= value <= MAX_VALUE for value in names):
        raise ToolError(f"{offer.title} gave names to values that no class can have")
    return Segmented(labels=np.ascontiguousarray(labels), names=names)


def _words(path: Path) -> dict[str, str] | None:
    """Texts by name from a file of limited size; None where it is not there or holds something else."""
    try:
        with path.open("rb") as file:
            return _WORDS.validate_json(file.read(MAX_JSON_BYTES))
    except (OSError, ValidationError):
        return None


@contextmanager
def one_at_a_time(cache: Path, waiting: Callable[[], None], check: Check) -> Iterator[None]:
    """Only one heavy engine runs at a time, whichever process with this cache asks for it."""
    with (cache / "segment.lock").open("a", encoding="utf-8") as lock:
        told = False
        while not _taken(lock.fileno()):
            if not told:
                waiting()
            told = True
            check()
            time.sleep(POLL_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
