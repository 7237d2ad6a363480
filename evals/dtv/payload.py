"""What the harness's tools return: numbers and masks out of JSON whose keys are only partly known."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from pydantic import JsonValue

MAX_TEXT = 1_000_000
_VALUE_KEYS = ("value", "result", "measurement_value", "measured_value")


def parse(content: JsonValue) -> JsonValue:
    """The payload of a tool message: JSON where its text is JSON, else the text itself."""
    if not isinstance(content, str):
        return content
    try:
        return json.loads(content[:MAX_TEXT])  # type: ignore[no-any-return]  # JSON is what it is by definition
    except ValueError:
        return content


def error(payload: JsonValue) -> str | None:
    """Why a call failed, None where it did not; a text that is no number is an error text."""
    if isinstance(payload, dict) and payload.get("error"):
        return str(payload["error"])[:200]
    if isinstance(payload, str) and number(payload, "") is None:
        return payload[:200] or "an empty result"
    return "an empty result" if payload is None or payload == {} else None


def number(payload: JsonValue, measurement: str) -> float | None:
    """The number of a measurement: the payload itself, or the entry of its name, or its only number."""
    if isinstance(payload, bool) or payload is None:
        return None
    if isinstance(payload, int | float):
        return float(payload) if math.isfinite(payload) else None
    if isinstance(payload, str):
        try:
            return number(float(payload), measurement)
        except ValueError:
            return None
    if isinstance(payload, dict):
        for key in (measurement, *_VALUE_KEYS):
            if key in payload and (found := number(payload[key], measurement)) is not None:
                return found
        found_all = [one for value in payload.values() if (one := number(value, measurement)) is not None]
        return found_all[0] if len(found_all) == 1 else None
    return None


def mask_found(payload: JsonValue) -> bool | None:
    """Whether a segmentation found a mask; None where the payload does not say."""
    if not isinstance(payload, dict):
        return None
    if isinstance(payload.get("mask_found"), bool):
        return bool(payload["mask_found"])
    voxels = number(payload.get("voxel_count"), "voxel_count")
    return voxels > 0 if voxels is not None else None


def available(payload: JsonValue) -> Iterator[str]:
    """Names of the targets that there are, which a failed call tells."""
    named = payload.get("available_targets") if isinstance(payload, dict) else None
    if isinstance(named, list):
        yield from (str(one) for one in named[:500])
