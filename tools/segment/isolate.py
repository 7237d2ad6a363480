"""Runs an engine in a child process, one at a time: whatever happens to it, the run that asked goes on."""

from __future__ import annotations

import fcntl
import json
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

from agent.errors import ToolError, UsageError
from tools.segment.child import FAILED, LABELS, NAMES, REFUSED, STEPS
from tools.segment.engine import EngineSettings, Job, Offer, Segmented, Tell, offline_environment
from tools.volume import Scan

POLL_SECONDS = 0.05
MAX_TOLD = 200
MAX_CLASSES = 10_000
_WORK = "segment-"
_CODE_OF_LIBRARIES = 65_536
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/'\":,;]+/)+")


def run_isolated(
    offer: Offer, scan: Scan, structures: tuple[str, ...], settings: EngineSettings, tell: Tell, *, wider: bool = False
) -> Segmented:
    """Let an engine look at a scan.

    Args:
        offer: the engine's task.
        scan: the scan.
        structures: canonical ids that are wanted.
        settings: time, memory, device, folders.
        tell: told of the engine's progress.
        wider: with a larger region of interest.

    Returns:
        Its labels on the scan's grid.

    Raises:
        ToolError: it failed, was killed, took too long, or gave what cannot be used; with the reason as one clause.
        UsageError: the work folder cannot be written.
    """
    try:
        work = settings.cache / "work"
        work.mkdir(parents=True, exist_ok=True)
        waiting = f"waiting for another segmentation before {offer.title}"
        with one_at_a_time(settings.cache, lambda: tell(waiting, 0, 0)):
            # Only one engine runs: what lies here belongs to a run that was killed, and holds a patient's scan.
            for left in work.glob(f"{_WORK}*"):
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=work, prefix=_WORK) as folder:
                return _run(offer, scan, structures, settings, tell, wider, Path(folder))
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
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", "tools.segment.child", str(folder / "job.json")],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, cwd=folder,
            env=offline_environment(folder, settings.cache / "work" / "libraries"),
        )  # fmt: skip
    try:
        code = _wait(process, folder / STEPS, settings.seconds, tell, offer)
    finally:
        # Workers that an engine started end with it, also where this run is interrupted.
        _end(process)
    if code != 0:
        raise ToolError(f"{offer.title} {_why(code, folder)}")
    return _read(folder, scan, offer)


def _wait(process: subprocess.Popen[bytes], steps: Path, seconds: float, tell: Tell, offer: Offer) -> int:
    begin, read = time.monotonic(), 0
    while (code := process.poll()) is None:
        if time.monotonic() - begin > seconds:
            raise ToolError(f"{offer.title} took longer than allowed and was ended")
        read = _tell_steps(steps, read, tell, offer)
        time.sleep(POLL_SECONDS)
    _tell_steps(steps, read, tell, offer)
    return code


def _tell_steps(steps: Path, read: int, tell: Tell, offer: Offer) -> int:
    """Pass on what the engine said since; an unfinished line waits for its end."""
    try:
        with steps.open("rb") as file:
            file.seek(read)
            new = file.read()
    except FileNotFoundError:
        return read
    whole = new[: new.rfind(b"\n") + 1]
    for line in whole.splitlines():
        what, finished, planned = json.loads(line)
        tell(f"{offer.title}: {str(what)[:MAX_TOLD]}", int(finished), int(planned))
    return read + len(whole)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(code: int, folder: Path) -> str:
    if code == REFUSED and (folder / FAILED).exists():
        reason = str(json.loads((folder / FAILED).read_bytes())["reason"])
        # A report goes further than this machine: of a path only the last name is told.
        return f"could not do it: {_FOLDERS.sub('', reason)[:MAX_TOLD]}"
    if code < 0:
        name = signal.Signals(-code).name if -code in {one.value for one in signal.Signals} else "a signal"
        memory = ", most often for want of memory" if -code == signal.SIGKILL else ""
        return f"was ended from outside by {name}{memory}"
    return f"broke off ({_last_line(folder / 'said.txt')})"


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
        labels = np.load(folder / LABELS, mmap_mode="r", allow_pickle=False)
        names = {int(value): str(name) for value, name in json.loads((folder / NAMES).read_bytes()).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ToolError(f"{offer.title} left no result that can be read") from error
    if labels.shape != scan.grid.shape or labels.dtype.kind != "u":
        raise ToolError(f"{offer.title} gave labels on another grid than the scan's")
    if len(names) > MAX_CLASSES:
        raise ToolError(f"{offer.title} gave more classes than are allowed")
    return Segmented(labels=np.ascontiguousarray(labels), names=names)


@contextmanager
def one_at_a_time(cache: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Only one heavy engine runs at a time, whichever process of this user asks for it."""
    with (cache / "segment.lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
