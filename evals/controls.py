"""Control runs: answers that do not look at the scan, and scans that do not show what is asked.

A suite that a constant answer, another patient's scan or an empty one could pass would measure nothing. Each control
must fall to chance on the multiple choices, or abstain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.marking import Given
from evals.metrics import Marked, clustered_interval
from evals.questions_model import UNDECIDABLE_OPTION, Question, Value
from evals.vqa_options import Control

CONSTANT: Mapping[str, Value] = {"boolean": True, "number": 100.0, "name": "liver", "category": "normal"}
AIR_HU, AIR_NOISE_HU = -1000.0, 8.0
NOISE_HU = 300.0


class Verdict(BaseModel):
    """Whether a control fell as it must.

    Attributes:
        chosen: decidable multiple choices for which it chose an option.
        share: share of them that are right; None without any.
        low: lower end of its interval, clustered by patient (by question where there is one patient).
        chance: share that drawing at random would have.
        silent: share of all questions for which it chose or said nothing.
        fell: it is at chance (its interval reaches down to 1.15 times chance), or silent for nine of ten.
    """

    model_config = ConfigDict(extra="forbid")

    chosen: int
    share: float | None
    low: float | None
    chance: float | None
    silent: float
    fell: bool


def constant_answer(question: Question) -> Given:
    """The first option, or the same value for every question of a form."""
    if question.layout == "choice":
        return Given(option="A", state="measured")
    expected = question.expected
    return Given(value=CONSTANT[expected.form], unit=expected.unit, state="measured")


def shuffled_plan(names: Sequence[str]) -> dict[str, str]:
    """Phantom whose questions are asked → phantom on whose scan they are asked: each the next one's.

    Raises:
        ValueError: fewer than two phantoms.
    """
    if len(names) < 2:
        raise ValueError("shuffling scans needs two phantoms")
    return dict(zip(names, [*names[1:], names[0]], strict=True))


def write_control_scan(control: Control, scan: Path, out: Path, seed: int) -> Path:
    """A scan of the same grid that shows nothing (air, as noisy as air is) or noise alone, unless it is there.

    Args:
        control: "blank" or "noise".
        scan: the phantom's scan.
        out: file to write.
        seed: of the noise.
    """
    if out.exists():
        return out
    image: Any = nib.load(scan)
    mean, spread = (AIR_HU, AIR_NOISE_HU) if control == "blank" else (0.0, NOISE_HU)
    drawn = np.random.default_rng(seed).normal(mean, spread, image.shape)
    hu = np.clip(np.rint(drawn), -1024, 3071).astype(np.int16)
    maker: Any = nib.Nifti1Image
    made = maker(hu, image.affine)
    made.header.set_xyzt_units("mm")
    made.set_sform(image.affine, code="scanner")
    made.set_qform(image.affine, code="scanner")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".partial.{out.name}")
    nib.save(made, temporary)
    temporary.replace(out)
    return out


def judge(marked: Sequence[Marked], seed: int = 0) -> Verdict:
    """Whether a control run fell to chance or to silence."""
    choices = [one for one in marked if one.question.layout == "choice" and one.question.expected.decidable]
    chosen = [one for one in choices if one.given.option is not None]
    silent = sum(not _speaks(one) for one in marked) / len(marked) if marked else 1.0
    if not chosen:
        return Verdict(chosen=0, share=None, low=None, chance=None, silent=silent, fell=silent >= 0.9)
    share = sum(one.outcome == "right" for one in chosen) / len(chosen)
    chance = sum(1 / len(one.question.options) for one in chosen) / len(chosen)
    ends = clustered_interval([(one.question.phantom, one.outcome == "right") for one in chosen], seed=seed)
    # One patient has no clusters to draw from: twice the standard error of a share at chance stands in.
    low = ends[0] if ends else share - 2 * math.sqrt(chance * (1 - chance) / len(chosen))
    at_chance = low <= 1.15 * chance
    return Verdict(chosen=len(chosen), share=share, low=low, chance=chance, silent=silent,
                   fell=at_chance or silent >= 0.9)  # fmt: skip


def _speaks(one: Marked) -> bool:
    """Whether something was answered: an option, or a value that is not a confession of ignorance."""
    if one.question.layout == "choice":
        chosen = one.given.option
        return chosen is not None and one.question.options[ord(chosen) - ord("A")] != UNDECIDABLE_OPTION
    return one.given.state not in {"not_measurable", "not_assessed"}
