"""What is written about a phantom, and what all of them come to."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.metrics import Marked

Fate = Literal["used", "refused", "failed", "not looked for"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ClassScore(_Model):
    """One structure against the truth; an organ counts with its lesions.

    Attributes:
        structure, kind: canonical id, and what the ontology calls it.
        fate: what became of its mask.
        engine: the engine whose mask is used, else the last that was asked.
        truth_cm3, predicted_cm3: volumes; the latter None without a mask that is used.
        dice, volume_error: of the mask that is used; see `score`. Error in %.
        surface_mm, surface95_mm: distance of the surfaces, mean and 95th percentile.
    """

    structure: str
    kind: str
    fate: Fate
    engine: str | None
    truth_cm3: float
    predicted_cm3: float | None = None
    dice: float | None = None
    volume_error: float | None = None
    surface_mm: float | None = None
    surface95_mm: float | None = None


class Flagged(_Model):
    """A mask that was refused or mended.

    Attributes:
        dice: of the mask as the engine made it, 1 where it and the truth are empty.
        after: of the mended mask.
        shown: whether the phantom has the structure at all.
        why: as the run says it.
    """

    structure: str
    engine: str
    outcome: Literal["refused", "mended"]
    dice: float
    after: float | None = None
    shown: bool = True
    why: str | None = None


class LesionResult(_Model):
    """What became of a true lesion; see `lesions.Fate`. `why` says why its class was not looked for, if so."""

    id: str
    organ: str
    type: str
    long_axis_mm: float
    covered: float
    found: bool
    seen_as: str | None
    why: str | None = None


class FalseLesion(_Model):
    """A predicted lesion that is none."""

    organ: str
    type: str
    volume_cm3: float


class Asked(_Model):
    """One question, asked with the true labels and with predicted masks.

    Attributes:
        truth, predicted: how both were answered and marked.
        refused: structures whose mask was refused, and that evidence behind the answer still measures. Must be empty.
        noted: structures behind the answer whose mask was used and carried a note.
        status: how the run on predicted masks ended.
    """

    truth: Marked
    predicted: Marked
    refused: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    status: str | None = None


class PhantomResult(_Model):
    """Everything about one phantom.

    Attributes:
        merged, split: see `lesions.Matched`.
        notes: what the run says of the masks.
        status: how the report on everything ended.
        seconds: time by part.
    """

    name: str
    seed: int
    classes: list[ClassScore]
    flagged: list[Flagged]
    lesions: list[LesionResult]
    false: list[FalseLesion]
    merged: int
    split: int
    notes: list[str] = Field(default_factory=list)
    status: str
    asked: list[Asked] = Field(default_factory=list)
    seconds: dict[str, float] = Field(default_factory=dict)


class Share(_Model):
    """So many of so many."""

    hits: int = 0
    of: int = 0

    @property
    def share(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.hits / self.of if self.of else None


class ClassSummary(_Model):
    """One structure over all phantoms that have it.

    Attributes:
        phantoms: that have it.
        used, refused: how often its mask is used, and refused or failed.
        empty: how often the mask that is used is empty: the run takes the structure for absent.
        invented: phantoms without it in which a mask of it is used.
        dice, volume_error, surface_mm, surface95_mm: means over the masks used; of the volume error its size.
    """

    structure: str
    kind: str
    phantoms: int
    used: int
    refused: int
    empty: int
    invented: int
    dice: float | None
    volume_error: float | None
    surface_mm: float | None
    surface95_mm: float | None


class Answers(_Model):
    """Answers of one kind of question: `silent` are abstentions, `failed` were not understood or broke off."""

    right: int = 0
    wrong: int = 0
    silent: int = 0
    failed: int = 0


class Pair(_Model):
    """Answers with the true labels and with predicted masks."""

    truth: Answers
    predicted: Answers


class QuestionSummary(_Model):
    """Answers over all phantoms.

    Attributes:
        wrong: wrong with predicted masks.
        lost: of these, right with the true labels.
        refused: questions, right or wrong, for whose answer a refused mask was used; must be 0.
        noted: wrong ones that rest on a mask with a note.
    """

    overall: Pair
    by_stage: dict[str, Pair]
    by_subtype: dict[str, Pair]
    wrong: int
    lost: int
    refused: int
    noted: int


class Summary(_Model):
    """What all phantoms come to.

    Attributes:
        dice_by_kind: mean over phantoms of the mean Dice of the structures of a kind.
        found, found_by_size, found_by_type: true lesions that were found.
        typed: found lesions whose type is right.
        false_per_scan: predicted lesions that are none.
        refused_bad: refused masks that were bad indeed (Dice below 0.5); `refused_good` names the others.
        mended_better: mended masks that got no worse.
        seconds: mean by part.
    """

    phantoms: int
    engine: str
    dice_by_kind: dict[str, float]
    classes: list[ClassSummary]
    found: Share
    found_by_size: dict[str, Share]
    found_by_type: dict[str, Share]
    typed: Share
    false_per_scan: float
    merged: int
    split: int
    refused_bad: Share
    refused_good: list[str]
    mended_better: Share
    questions: QuestionSummary | None
    seconds: dict[str, float]
