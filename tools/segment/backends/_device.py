"""Where a network computes."""

from __future__ import annotations

from typing import Any

from agent.errors import ToolError
from tools.segment.engine import Device


def torch_device(wanted: Device) -> Any:
    """The torch device for a wish; imports torch.

    Raises:
        ToolError: a graphics card is wanted and there is none.
    """
    import torch  # noqa: PLC0415

    there = bool(torch.cuda.is_available())
    if wanted == "gpu" and not there:
        raise ToolError("there is no graphics card that torch can use")
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")
