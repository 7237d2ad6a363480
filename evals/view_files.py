"""The label maps of a view as files, made from those of a phantom."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nibabel as nib
import numpy as np

from agent.errors import UsageError
from evals.phantom_io import label_table
from evals.views import View


def read_label_table(path: Path) -> dict[str, int]:
    """Class name → label value, from the table in a label map's header.

    Raises:
        UsageError: it has none.
    """
    header: Any = nib.load(path).header
    for extension in header.extensions:
        text = extension.get_content().rstrip(b" \0")
        if text.startswith((b"<?xml", b"<CaretExtension")):
            root = ElementTree.fromstring(text)  # noqa: S314  (written by ourselves)
            return {str(label.text): int(label.attrib["Key"]) for label in root.iter("Label")}
    raise UsageError(f"{path} has no table of class names in its header")


def write_view(view: View, folder: Path, out: Path) -> tuple[Path, ...]:
    """Write the label maps of a view, unless they are there; unchanged ones are the phantom's own files.

    Args:
        view: what to hand over.
        folder: folder of the phantom.
        out: folder of the new label maps.
    """
    sources = {"labels": folder / "labels.nii.gz", "parts": folder / "parts.nii.gz"}
    tables = {name: read_label_table(path) for name, path in sources.items() if path.exists()}
    paths = []
    for layer in view.layers(tables["labels"]):
        if layer.source not in tables:
            continue
        table = tables[layer.source]
        handed = layer.handed(table, view.dropped)
        if view.style != "blank" and handed == {name: name for name in table}:
            paths.append(sources[layer.source])
            continue
        path = out / f"{view.name}.{layer.name}.nii.gz"
        if not path.exists():
            out.mkdir(parents=True, exist_ok=True)
            _write(sources[layer.source], path, table, handed, empty=view.style == "blank")
        paths.append(path)
    return tuple(paths)


def _write(source: Path, path: Path, table: Mapping[str, int], handed: Mapping[str, str], *, empty: bool) -> None:
    image: Any = nib.load(source)
    numbers: dict[str, int] = {}
    for name in sorted(handed, key=lambda one: table[one]):
        numbers.setdefault(handed[name], table[name])
    change = np.zeros(max(table.values()) + 1, np.uint8)
    for name, to in handed.items():
        change[table[name]] = 0 if empty else numbers[to]
    data = change[np.asarray(image.dataobj)]
    maker: Any = nib.Nifti1Image
    made = maker(data, image.affine)
    made.header.set_xyzt_units("mm")
    made.set_sform(image.affine, code="scanner")
    made.set_qform(image.affine, code="scanner")
    made.header.extensions.append(nib.nifti1.Nifti1Extension(0, label_table(numbers)))
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    nib.save(made, temporary)
    temporary.replace(path)
