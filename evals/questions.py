"""Questions of all 42 kinds about a phantom, answered from its truth file alone.

    truth.json + what is handed over (views) → items (questions_recognition … questions_medical: what is true)
        → words (wordings.toml) and options (questions_options) → questions

Nothing of the program under test is used: thresholds stand in truth_rules, names of structures in these files.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from evals.questions_lesions import lesions
from evals.questions_measurement import measurement
from evals.questions_medical import medical
from evals.questions_model import Expected, Item, Layout, Question, stage_of
from evals.questions_options import options_of
from evals.questions_recognition import recognition
from evals.questions_truth import Seen
from evals.questions_visual import organs
from evals.questions_wordings import Wording, wordings_of

_NONE_RIGHT = 0.12
"""Share of the multiple choices with numbers in which no number is right."""
_SHARP = ("organ volume measurement", "organ aggregation", "organ HU measurement")
"""Kinds whose numbers the resolution leaves so little open that no wrong one can pass for right."""
_APART = 0.10
"""How far numbers of two patients lie apart, relative to the larger, to count as different."""
_TYPICAL = {"cm3": 150.0, "mm": 30.0, "HU": 90.0, "%": 12.0, "1": 3}


def items_of(seen: Seen) -> Iterator[Item]:
    """Everything that can be asked about a case, before it has words."""
    yield from recognition(seen)
    yield from measurement(seen)
    yield from lesions(seen)
    yield from organs(seen)
    yield from medical(seen)


def make_questions(
    seen: Seen, seed: int, *, undecidable_only: bool = False, other: Seen | None = None
) -> list[Question]:
    """Questions about a case: every item once with a train and once with a held-out wording, one of them a choice.

    Args:
        seen: the phantom through a view.
        seed: draws wordings, layouts, options and their order.
        undecidable_only: only items that the view makes undecidable (for views that take something away).
        other: another patient, on whose scan they will be asked: only items of which another thing is true there.
    """
    made: list[Question] = []
    elsewhere = {_subject(item): item.expected for item in items_of(other)} if other is not None else None
    for number, item in enumerate(items_of(seen)):
        if undecidable_only and item.expected.decidable:
            continue
        if elsewhere is not None and not _differs(item.expected, elsewhere.get(_subject(item))):
            continue
        rng = random.Random(f"{seed} {seen.truth.name} {seen.view.name} {number} {item.subtype}")  # noqa: S311
        wordings = wordings_of(item)
        train = rng.choice([one for one in wordings if one.split == "train"])
        held_out = rng.choice([one for one in wordings if one.split == "held-out"])
        layouts: list[Layout] = ["free", "choice" if item.choice else "free"]
        rng.shuffle(layouts)
        for wording, layout in zip((train, held_out), layouts, strict=True):
            made.append(_question(seen, item, wording, layout, rng))
    return list({one.qid: one for one in made}.values())


def _subject(item: Item) -> tuple[str, str | None, tuple[tuple[str, str], ...]]:
    """What an item asks, whatever the answer."""
    return item.subtype, item.group, tuple(sorted(item.slots.items()))


def _differs(here: Expected, there: Expected | None) -> bool:
    """Whether two decidable truths clearly differ."""
    if there is None or not (here.decidable and there.decidable):
        return False
    a, b = here.value, there.value
    if here.form == "number" and isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) > _APART * max(abs(a), abs(b))
    return a != b and not set(there.accepted) & {str(a), *here.accepted}


def _question(seen: Seen, item: Item, wording: Wording, layout: Layout, rng: random.Random) -> Question:
    options: tuple[str, ...] = ()
    correct: int | None = None
    if layout == "choice":
        expected = item.expected
        none_right = item.subtype in _SHARP and rng.random() < _NONE_RIGHT
        options, correct = options_of(
            item, rng, none_right=none_right, say_undecidable=rng.random() < 0.5, scale=_TYPICAL[expected.unit or "1"]
        )
    content = "\n".join([seen.truth.name, seen.view.name, item.subtype, wording.text, *options])
    return Question(
        qid=hashlib.sha256(content.encode()).hexdigest()[:16], phantom=seen.truth.name, view=seen.view.name,
        subtype=item.subtype, stage=stage_of(item.subtype), wording=wording.ident, split=wording.split, layout=layout,
        text=wording.text, options=options, correct=correct, expected=item.expected,
    )  # fmt: skip
