"""Windows in which a CT is looked at: centre and width in HU, as radiology workstations name them.

Values as listed by Radiopaedia, "Windowing (CT)" (Murphy A et al.): they are customs, and each may be changed.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Window(BaseModel):
    """One preset; `level` is its centre."""

    model_config = ConfigDict(frozen=True)

    name: str
    level: int
    width: int


WINDOWS = (
    Window(name="Abdomen", level=50, width=400),
    Window(name="Liver", level=30, width=150),
    Window(name="Lung", level=-600, width=1500),
    Window(name="Mediastinum", level=50, width=350),
    Window(name="Bone", level=400, width=1800),
    Window(name="Brain", level=40, width=80),
    Window(name="Angiography", level=300, width=600),
)
