"""An engine for tests, installed as another distribution would be: what it does is the name of its task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.segment.backends import load_backends

NAME = "pretend"
_CODE = '''
"""A pretended engine."""
import json, os, signal, sys, time
import nibabel as nib
import numpy as np
from agent.errors import ToolError
from tools.segment.engine import Offer, Segmented

CLASSES = {"liver": ("Liver",), "spleen": ("Spleen",), "liver_lesion": ("Lesion",)}


class Pretend:
    name = "pretend"

    def offers(self, settings):
        folder = os.environ["PRETEND"]
        with open(os.path.join(folder, "tasks.txt")) as file:
            tasks = file.read().split()
        made = []
        for rank, line in enumerate(tasks):
            task, _, names = line.partition(":")
            own = task.startswith("give")
            classes = {one: (one,) if own else CLASSES[one] for one in (names.split(",") if names else CLASSES)}
            made.append(Offer(backend="pretend", task=task, classes=classes, licence="none", version="v",
                              title=f"the pretended engine ({task})", rank=rank,
                              missing="install it" if task.startswith("absent") else None,
                              synthetic_only=task.startswith("synthetic"), whole="_part" not in task))
        return made

    def run(self, job, tell):
        with open(os.path.join(os.environ["PRETEND"], "ran.txt"), "a") as file:
            file.write(job.task + "\\n")
        tell("looking", 1, 2)
        image = nib.load(job.scan)
        hu = np.asanyarray(image.dataobj)
        kind = job.task.split("_")[0]
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "crash":
            raise RuntimeError("patient Jane Doe at /secret/path")
        if kind == "refuse":
            raise ToolError("its weights are broken")
        if kind == "garbage":
            with open(os.path.join(job.out, "steps.jsonl"), "a") as file:
                file.write("no step\\n[1, 2]\\n" + "[" * 100000 + "\\n")
        if kind == "noise":
            while True:
                print("again and again" * 1000)
        if kind == "torch":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        if kind == "lookup":
            import socket
            socket.getaddrinfo("example.org", 80)
        if kind == "datagram":
            import socket
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hu", ("192.0.2.1", 53))
        if kind == "memory":
            hold = [np.ones(1 << 27) for _ in range(64)]
        if kind == "leave":
            sys.exit(1)
        if kind == "network":
            import urllib.request
            urllib.request.urlopen("http://192.0.2.1/", timeout=2)
        if kind in {"sleep", "waits"}:
            go = os.path.join(os.environ["PRETEND"], "go")
            end = time.time() + 60
            while time.time() < end and not (kind == "waits" and os.path.exists(go)):
                time.sleep(0.02)
        if kind == "give":
            with open(os.path.join(os.environ["PRETEND"], job.task + ".json")) as file:
                names = {int(value): name for value, name in json.load(file).items()}
            return Segmented(labels=np.load(os.path.join(os.environ["PRETEND"], job.task + ".npy")), names=names)
        labels = np.zeros(hu.shape, np.uint8)
        if kind != "empty":
            labels[hu > 50] = 1
            labels[hu > 150] = 2
            labels[hu > 250] = 3
        if kind == "shape":
            labels = labels[1:]
        if kind == "float":
            labels = labels.astype(np.float32)
        if kind == "few":
            return Segmented(labels=labels, names={1: "Liver"})
        return Segmented(labels=labels, names={1: "Liver", 2: "Spleen", 3: "Lesion"})


PRETEND = Pretend()
'''


def give(folder: Path, task: str, labels: NDArray[np.uint8], numbers: Mapping[str, int]) -> str:
    """Masks that a task named ``give_…`` answers with; gives the line of the task for `install`."""
    np.save(folder / f"{task}.npy", labels)
    names = {str(value): name for name, value in numbers.items()}
    (folder / f"{task}.json").write_text(json.dumps(names), encoding="utf-8")
    return f"{task}:{','.join(numbers)}"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *tasks: str) -> Path:
    """Put the engine where this process and the children that it starts find it.

    Args:
        folder: an empty folder.
        monkeypatch: undoes it.
        tasks: names of its tasks in order of preference; "name:liver,spleen" says which classes one has.

    Returns:
        The file that lists the tasks that ran.
    """
    place = folder / "site"
    about = place / "pretend-0.dist-info"
    about.mkdir(parents=True)
    (place / "pretend_engine.py").write_text(_CODE, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pretend\nVersion: 0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(
        f"[tumortrace.engines]\n{NAME} = pretend_engine:PRETEND\n", encoding="utf-8"
    )
    (folder / "tasks.txt").write_text("\n".join(tasks), encoding="utf-8")
    monkeypatch.setenv("PRETEND", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.syspath_prepend(str(place))
    load_backends.cache_clear()
    return folder / "ran.txt"
