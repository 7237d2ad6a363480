"""Bundles in MONAI's format: configs/metadata.json, configs/inference.json (or .yaml), models.

Cardoso et al. 2022, arXiv:2211.02701. A bundle's configuration is code: bundles are trusted folders. What a bundle has
to have is told in docs/engines.md.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import LabelsError, ToolError
from tools.segment.backends._classes import canonical_classes
from tools.segment.backends._declared import DECLARED, Declared, read_declared
from tools.segment.backends._device import torch_device
from tools.segment.backends._naming_folders import task_names, title
from tools.segment.backends._weights import digest, installed, not_installed, read_json, version_of
from tools.segment.engine import MAX_VALUE, EngineSettings, Job, Offer, Segmented, Tell, no_memory
from tools.segment.geometry import bring_onto
from tools.segment.naming import is_background
from tools.volume import Grid

EXTRA = "monai"
UNSTATED = "not stated"
RANK = 45
MAX_LICENCE_BYTES = 4096
_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")


class MonaiBundle:
    """The engine; see the module."""

    name = "monai_bundle"

    def offers(self, settings: EngineSettings) -> Sequence[Offer]:
        """One task per bundle of the settings."""
        there = installed("monai", "ignite", "torch")
        names = task_names(settings.bundles)
        return [
            self._offer(folder, name, settings.cache, there)
            for folder, name in zip(settings.bundles, names, strict=True)
        ]

    def _offer(self, folder: Path, task: str, cache: Path, there: bool) -> Offer:
        missing, declared, version, licence = None, Declared(), "", UNSTATED
        names: Mapping[int, str] = {}
        classes: Mapping[str, tuple[str, ...]] = {}
        try:
            if not folder.is_dir():
                raise ToolError(f"there is no folder {folder}")
            declared = read_declared(folder)
            metadata = read_json(folder / "configs" / "metadata.json")
            licence = _licence(metadata, folder)
            names = read_channels(metadata)
            learned = [name for name in names.values() if declared.classes is None or name in declared.classes]
            classes = canonical_classes(learned)
            _config(folder)
            if not there:
                raise ToolError(not_installed(EXTRA))
            version = f"{version_of('monai')}, bundle {_digest(folder, cache)}"
        except ToolError as error:
            missing = str(error)
        return Offer(
            backend=self.name,
            task=task,
            classes=classes,
            licence=declared.licence or licence,
            version=version,
            title=declared.title or title("the MONAI bundle", task),
            phases=declared.phases,
            max_slice_mm=declared.max_slice_mm,
            synthetic_only=declared.synthetic_only,
            rank=RANK if declared.rank is None else declared.rank,
            missing=missing,
            options={"folder": str(folder), "names": {str(value): name for value, name in names.items()}},
        )

    def run(self, job: Job, tell: Tell) -> Segmented:
        """See `Backend.run`."""
        import nibabel as nib  # noqa: PLC0415

        tell("loading MONAI", 0, 0)
        folder, out = Path(str(job.options["folder"])), job.out / "bundle"
        out.mkdir()
        tempfile.tempdir = str(job.out)
        os.environ["MONAI_DATA_DIRECTORY"] = str(job.out)
        try:
            _run(folder, job, out, tell)
        except (ToolError, MemoryError):
            raise
        except Exception as error:  # The configuration is code of others, and may raise anything.
            if no_memory(error):
                raise MemoryError from error
            raise ToolError(f"the configuration of the bundle broke off with {_innermost(error)}") from error
        found = sorted([*out.rglob("*.nii"), *out.rglob("*.nii.gz")])
        if len(found) != 1:
            raise ToolError(f"the bundle wrote {len(found)} NIfTI files into its output_dir, and not one")
        scan: Any = nib.load(job.scan)
        given: Any = job.options["names"]
        names = {int(value): str(name) for value, name in given.items()}
        return Segmented(labels=_on_grid(nib.load(found[0]), scan, names), names=names)


def read_channels(metadata: Mapping[str, object]) -> dict[int, str]:
    """Label value → name from a bundle's metadata.

    Raises:
        ToolError: the bundle does not take one CT or names no classes, as one clause.
    """
    data: Any = metadata.get("network_data_format")
    try:
        image, channels = data["inputs"]["image"], data["outputs"]["pred"]["channel_def"]
        names = {int(value): str(name) for value, name in channels.items()}
        modality, count = str(image.get("modality", "")), int(image.get("num_channels", 1))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ToolError("its metadata.json names no inputs.image or outputs.pred.channel_def") from error
    if len(names) != len(channels) or not all(0 <= value <= MAX_VALUE for value in names):
        raise ToolError("the channel_def in its metadata.json names values twice, or values that no label can have")
    if modality.upper() != "CT" or count != 1:
        raise ToolError(
            f"it does not take one CT as its only input (modality {modality or 'unknown'}, {count} channels)"
        )
    return {value: name for value, name in names.items() if value and not is_background(name)}


def _run(folder: Path, job: Job, out: Path, tell: Tell) -> None:
    from monai.bundle import ConfigWorkflow  # noqa: PLC0415

    workflow = ConfigWorkflow(
        config_file=str(_config(folder)), meta_file=str(folder / "configs" / "metadata.json"), logging_file=False,
        workflow_type="inference",
    )  # fmt: skip
    device = torch_device(job.device).type
    parser = workflow.parser
    for needed in ("dataset", "evaluator"):
        if needed not in parser:
            raise ToolError(f"the configuration of the bundle has no '{needed}'")
    wanted: dict[str, Any] = {
        "bundle_root": str(folder),
        "output_dir": str(out),
        "output_ext": ".nii",
        "device": f"$torch.device('{device}')",
        "dataset_dir": str(job.scan.parent),
        "datalist": [str(job.scan)],
        "dataset#data": [{"image": str(job.scan)}],
    }
    if "imports" not in parser:
        wanted["imports"] = []
    if "dataloader" in parser:
        wanted["dataloader#num_workers"] = 0
    parser.update(wanted)
    parser["imports"] = [*parser["imports"], "$import torch"]
    workflow.initialize()
    _follow(workflow, tell)
    workflow.run()
    workflow.finalize()


def _follow(workflow: Any, tell: Tell) -> None:
    """Tell of every patch that the network looks at."""
    from monai.inferers import utils  # noqa: PLC0415

    planned = [0, 0]
    original = utils.dense_patch_slices

    def slices(*given: Any, **named: Any) -> Any:
        made = original(*given, **named)
        planned[1] += len(made)
        return made

    def looked(module: Any, inputs: Any, output: Any) -> None:
        planned[0] += int(inputs[0].shape[0])
        tell("patches", planned[0], max(planned))

    utils.dense_patch_slices = slices
    network = getattr(workflow.evaluator, "network", None)
    if network is not None:
        network.register_forward_hook(looked)


def _on_grid(made: Any, scan: Any, names: Mapping[int, str]) -> Any:
    """A bundle's result on the scan's grid, by world positions."""
    values = np.asarray(made.dataobj)
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    highest = max(names, default=0)
    if values.ndim != 3:
        raise ToolError(f"the bundle wrote an image of {values.ndim} dimensions; it has to write one volume of labels")
    whole = np.rint(values)
    if not np.array_equal(whole, values) or whole.min(initial=0) < 0 or whole.max(initial=0) > highest:
        raise ToolError(f"the bundle wrote values that are not labels from 0 to {highest}")
    labels = whole.astype(np.uint8 if highest < 256 else np.uint16)
    try:
        placed, _ = bring_onto(labels, made.affine, Grid(tuple(scan.shape), scan.affine))
    except LabelsError as error:
        raise ToolError("the bundle's result does not lie where the scan lies") from error
    return placed


def _config(folder: Path) -> Path:
    for name in _CONFIGS:
        if (folder / "configs" / name).is_file():
            return folder / "configs" / name
    raise ToolError(f"{folder / 'configs' / _CONFIGS[0]} is missing")


def _licence(metadata: Mapping[str, object], folder: Path) -> str:
    """As the metadata states it, else the first line of its LICENSE."""
    stated = metadata.get("license", metadata.get("licence"))
    if isinstance(stated, str) and stated.strip():
        return stated.strip()[:200]
    try:
        with (folder / "LICENSE").open("rb") as file:
            lines = file.read(MAX_LICENCE_BYTES).decode(errors="replace").split("\n")
    except OSError:
        return UNSTATED
    return next((line.strip()[:200] for line in lines if line.strip()), UNSTATED)


def _digest(folder: Path, cache: Path) -> str:
    parts = [path for part in ("configs", "models", "scripts") for path in (folder / part).rglob("*")]
    files = [path for path in parts if path.is_file() and "__pycache__" not in path.parts]
    return digest([*files, *(one for one in (folder / DECLARED,) if one.is_file())], folder, cache)


def _innermost(error: BaseException) -> str:
    """The type of the error that caused the others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__


BACKEND = MonaiBundle()
