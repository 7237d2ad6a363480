"""Windows: which HU are shown as black and as white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.errors import UsageError


@dataclass(frozen=True)
class Window:
    """A window in HU.

    Attributes:
        level: HU in the middle.
        width: HU from black to white.
    """

    level: float
    width: float

    @property
    def bounds(self) -> tuple[float, float]:
        """HU shown as black and as white."""
        return self.level - self.width / 2, self.level + self.width / 2


# Soft tissue is what our other pictures use. Liver, lung, bone, brain and mediastinum: Radiopaedia, "Windowing (CT)".
# Pancreas: intensities cut to -100 to 240 HU by Zhou et al., "A fixed-point model for pancreas segmentation in
# abdominal CT scans", MICCAI 2017.
WINDOWS = {
    "soft_tissue": Window(40, 400),
    "liver": Window(30, 150),
    "pancreas": Window(70, 340),
    "mediastinum": Window(50, 350),
    "lung": Window(-600, 1500),
    "bone": Window(400, 1800),
    "brain": Window(40, 80),
}


def window_named(name: str) -> Window:
    """A window by its name.

    Raises:
        UsageError: no window has this name.
    """
    if name not in WINDOWS:
        raise UsageError(f"There is no window {name!r}; choose one of {', '.join(WINDOWS)}.")
    return WINDOWS[name]


def window(hu: NDArray[np.float32], preset: str | Window) -> NDArray[np.float32]:
    """HU of any shape as float32 from 0 (black) to 1 (white)."""
    low, high = (window_named(preset) if isinstance(preset, str) else preset).bounds
    shown: NDArray[np.float32] = np.clip((hu - np.float32(low)) / np.float32(high - low), 0, 1)
    return shown
