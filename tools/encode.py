"""Embeddings of regions: crop, encode, and keep by content.

State and evidence hold the key of an embedding, never the vector.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from agent.errors import ToolError, UsageError
from tools.array_store import ArrayStore
from tools.crop import crop_roi, tightened
from tools.encoders.protocol import Encoder
from tools.encoders.registry import backends
from tools.types import content_hash
from tools.volume import Region, Scan

CONFIG_NAME = "encoder.json"
MAX_CONFIG_BYTES = 1 << 20
_LAYOUT = 1
"""Raised whenever cropping changes, so that older entries are not taken."""


def load_encoder(name_or_config: str | Path) -> Encoder:
    """An encoder by the name of a built-in one, or from a configuration file or the folder that holds one.

    Args:
        name_or_config: "descriptor", "astra", …, or the path of a JSON file, or of a folder with `encoder.json`.

    Raises:
        UsageError: there is no such encoder, its configuration or weights are unusable, or a package is missing.
    """
    known = backends()
    backend = known.get(str(name_or_config))
    if backend is not None and backend.built_in:
        return backend.load(None)
    path = Path(name_or_config)
    path = path / CONFIG_NAME if path.is_dir() else path
    if not path.is_file():
        names = ", ".join(sorted(name for name, one in known.items() if one.built_in))
        raise UsageError(
            f"There is no encoder {str(name_or_config)!r}; give one of {names}, or a folder with {CONFIG_NAME}."
        )
    kind = _backend_of(path)
    if kind not in known:
        raise UsageError(f'{path} names no backend; set "backend" to one of {", ".join(sorted(known))}.')
    return known[kind].load(path)


def embedding_key(scan: Scan, region: Region, encoder: Encoder, context: Region | None = None) -> str:
    """Content address of an embedding: the scan's voxels, the region's, the context's, the encoder and its crop.

    Raises:
        ToolError: the region is empty.
    """
    crop = encoder.crop
    return content_hash(
        {
            "kind": "embedding",
            "layout": _LAYOUT,
            "scan": scan.digest,
            "padding": scan.padding,
            "region": region_digest(region),
            "context": None if context is None else region_digest(context, empty_ok=True),
            "encoder": [encoder.name, encoder.version, encoder.dimension],
            "crop": [crop.margin_mm, crop.spacing_mm, list(crop.size) if crop.size else None],
        }
    )


def region_digest(region: Region, *, empty_ok: bool = False) -> str:
    """SHA-256 of a region's place and voxels within its scan, however loosely its box lies around it.

    Raises:
        ToolError: the region is empty, unless that is allowed.
    """
    tight = tightened(region)
    if tight is None:
        if not empty_ok:
            raise ToolError("there is nothing to encode: the mask is empty")
        return "empty"
    places = [[part.start, part.stop] for part in tight.box]
    digest = hashlib.sha256(repr(places).encode())
    digest.update(np.packbits(tight.mask).data)
    return digest.hexdigest()


def embed(
    scan: Scan,
    region: Region,
    encoder: Encoder,
    store: ArrayStore | None = None,
    context: Region | None = None,
) -> NDArray[np.float32]:
    """The vector of a region, from the store where it was made before.

    Args:
        scan: the scan.
        region: what to encode, on the scan's grid.
        encoder: made by `load_encoder`.
        store: where vectors are kept by content; None to make it anew.
        context: the organ around, for encoders that look at it.

    Returns:
        float32, shape (encoder.dimension,), all finite.

    Raises:
        ToolError: the region is empty or too large, or the encoder failed on it.
    """
    key = embedding_key(scan, region, encoder, context)
    held = store.get(key) if store is not None else None
    if held is not None:
        vector = held.arrays.get("vector")
        if vector is not None and vector.shape == (encoder.dimension,) and vector.dtype == np.float32:
            return vector
    arguments = encoder.crop
    crop = crop_roi(
        scan,
        region,
        margin_mm=arguments.margin_mm,
        spacing_mm=arguments.spacing_mm,
        size=arguments.size,
        context=context,
    )
    vector = np.asarray(encoder.encode(crop), dtype=np.float32)
    if vector.shape != (encoder.dimension,) or not np.isfinite(vector).all():
        raise ToolError(f"the encoder {encoder.name} gave no finite vector of {encoder.dimension} values")
    if store is not None:
        told: dict[str, JsonValue] = {
            "encoder": encoder.name,
            "version": encoder.version,
            "truncated": crop.truncated,
            "outside": crop.outside,
            "left_out": crop.left_out,
            "notes": list(crop.notes),
        }
        store.put(key, {"vector": vector}, told)
    return vector


def _backend_of(path: Path) -> str:
    """What a configuration calls its backend, empty where it says nothing."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise UsageError(f"{path} is too large for the configuration of an encoder; give its JSON file.")
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as the JSON configuration of an encoder; mend the file.") from error
    return str(told.get("backend", "")) if isinstance(told, dict) else ""
