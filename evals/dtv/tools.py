"""The harness's tools as ours: tasks become its calls, and its answers become typed evidence.

What the harness cannot say (a side, a segment, a distance, a standard deviation) stays "not assessed" here; choosing
an option all the same is the business of `evals.dtv.guess`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from agent.outside import Turn
from agent.state import FAILURE, RunState, Task
from evals.dtv import payload as read
from evals.dtv.prompt import Prompt
from evals.dtv.targets import KNOWN, targets_of
from tools.base import Maker
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.types import Evidence, State

MAX_TURNS = 3
"""Turns in which tools are called: the harness offers four, the last one is for the answer."""
VERSION = "deeptumorvqa"
_WHOLE = "the benchmark leaves out sizes of organs that the scan cuts off"
_NO_TOOL = "the benchmark has no tool for this"


def _segment(target: str) -> dict[str, JsonValue]:
    return {"name": "segment_organ", "arguments": {"target": target}}


def _measure(target: str, what: str) -> dict[str, JsonValue]:
    return {"name": "measure", "arguments": {"target": target, "measurement_type": what}}


def call_key(call: JsonValue) -> str:
    """One text per call."""
    return json.dumps(call, sort_keys=True)


WANTED: Mapping[str, tuple[str, ...]] = {
    "measure_structure": ("volume_cm3", "mean_hu"),
    "measure_axes": ("max_diameter_mm",),
    "presence": ("", "lesion_count"),
    "lesion_components": ("lesion_count", "largest_lesion_volume_cm3", "largest_lesion_diameter_cm"),
    "largest_lesion": ("lesion_count", "mean_hu", "volume_cm3", "largest_lesion_volume_cm3"),
}
"""Measurements that each of our tools asks for; the empty one is a segmentation."""


@dataclass(frozen=True)
class _Answers:
    """Answers by call, and the targets that the harness turned out to know."""

    given: dict[str, JsonValue] = field(default_factory=dict)
    known: tuple[str, ...] = KNOWN

    def number(self, target: str, what: str) -> float | None:
        return read.number(self.given.get(call_key(_measure(target, what))), what)

    def total(self, structure: str, what: str) -> float | None:
        """Sum over the targets of a structure; None unless each has a number."""
        targets = targets_of(structure, self.known)
        found = [self.number(target, what) for target in targets]
        return sum(one for one in found if one is not None) if found and None not in found else None

    def problem(self, structure: str, what: str) -> str:
        """Why there is no number, in words of our own: texts of the harness are data."""
        if not targets_of(structure, self.known):
            return "no tool of the benchmark looks for it"
        return "the benchmark's tool gave no result" if what else "the benchmark's tool found no mask"

    def seen(self, structure: str) -> bool | None:
        """Whether a mask or a count shows it; None where nothing says."""
        found = []
        for target in targets_of(structure, self.known):
            count = self.number(target, "lesion_count")
            mask = self.given.get(call_key(_segment(target)))
            # A missing mask comes with an error: nobody annotated it, which is not absence.
            told = read.mask_found(mask) if read.error(mask) is None else None
            found.append(count > 0 if count is not None else told)
        if True in found:
            return True
        return False if found and None not in found else None


def _answers(turns: Sequence[Turn]) -> _Answers:
    given: dict[str, JsonValue] = {}
    known = list(KNOWN)
    for calls, answers in turns:
        for call, answer in zip(calls, answers, strict=False):
            given[call_key(call)] = read.parse(answer)
            known += [name for name in read.available(given[call_key(call)]) if name not in known]
    return _Answers(given, tuple(known))


class HarnessTools:
    """Turns tasks into the harness's calls, and its answers into evidence.

    Args:
        prompt: the question, for what it says of the scan.
    """

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt

    def calls(self, state: RunState, turns: Sequence[Turn]) -> list[JsonValue]:
        """All calls that are wanted and not answered yet, in one turn."""
        if len(turns) >= MAX_TURNS:
            return []
        answers = _answers(turns)
        wanted: dict[str, JsonValue] = {}
        for task in _open(state):
            structure = str(task.args.get("structure", ""))
            for what in WANTED.get(task.tool, ()):
                for target in targets_of(structure, answers.known):
                    call = _measure(target, what) if what else _segment(target)
                    wanted.setdefault(call_key(call), call)
        return [call for key, call in wanted.items() if key not in answers.given]

    def evidence(self, state: RunState, turns: Sequence[Turn]) -> dict[str, list[Evidence]]:
        """Evidence of every open task that reads the scan."""
        answers = _answers(turns)
        return {task.id: self._made(task, answers) for task in _open(state)}

    def _made(self, task: Task, answers: _Answers) -> list[Evidence]:
        make = Maker(task.tool, VERSION, dict(task.args))
        structure = str(task.args.get("structure", "scan"))
        if task.tool == "label_checks":
            return [_labels(make, answers)]
        if task.tool == "contrast_phase":
            return _phase(make, self._prompt.phase)
        if task.tool == "scan_checks":
            return [make("hu_plausible", "scan", state=State.NOT_ASSESSED, method=VERSION, reason=_NO_TOOL)]
        maker = _MAKERS.get(task.tool)
        if maker is not None:
            return maker(make, structure, answers)
        return [make(FAILURE, structure, state=State.NOT_ASSESSED, reason=_NO_TOOL, method="the tool call failed")]


def _open(state: RunState) -> list[Task]:
    tools = load_tools()
    return [task for ident, task in state.tasks.items() if ident not in state.done and not tools[task.tool].derives]


def _labels(make: Maker, answers: _Answers) -> Evidence:
    ontology = load_ontology()
    looked = sorted({ident for name in answers.known if (ident := ontology.normalise(name)) is not None})
    method = "masks behind the benchmark's tools"
    return make("labels", "scan", state=State.MEASURED, value=method, method=method, details={"declared": looked})


def _phase(make: Maker, phase: str | None) -> list[Evidence]:
    method = "patient line of the question"
    if phase is None:
        reason = "the question does not name the contrast phase"
        return [make(q, "scan", state=State.NOT_ASSESSED, reason=reason, method=method)
                for q in ("phase", "contrast_enhanced")]  # fmt: skip
    reason = "named by the question"
    return [
        make("phase", "scan", state=State.MEASURED, value=phase, reason=reason, method=method),
        make("contrast_enhanced", "scan", state=State.MEASURED, value=phase != "native", reason=reason, method=method),
    ]


def _one(make: Maker, quantity: str, structure: str, value: float | int | None, unit: str, why: str) -> Evidence:
    method = "the benchmark's measuring tool"
    if value is None:
        return make(quantity, structure, unit=unit, state=State.NOT_ASSESSED, reason=why, method=method)
    return make(quantity, structure, unit=unit, state=State.MEASURED, value=value, method=method)


def _structure(make: Maker, structure: str, answers: _Answers) -> list[Evidence]:
    volume = answers.total(structure, "volume_cm3")
    targets = targets_of(structure, answers.known)
    # The mean of a pair is that of all its voxels, weighted by volume.
    pairs = [(answers.number(one, "mean_hu"), answers.number(one, "volume_cm3")) for one in targets]
    known = [(mean, size) for mean, size in pairs if mean is not None and (size is not None or len(pairs) == 1)]
    weight = sum(size or 1.0 for _, size in known)
    mean = sum(hu * (size or 1.0) for hu, size in known) / weight if known and len(known) == len(pairs) else None
    why = answers.problem(structure, "volume_cm3")
    made = [_one(make, "volume", structure, volume, "cm3", why), _one(make, "hu_mean", structure, mean, "HU", why)]
    made += [_one(make, quantity, structure, None, "HU", _NO_TOOL) for quantity in ("hu_sd", "hu_median")]
    if volume is None:
        return [*made, make("complete", structure, state=State.NOT_ASSESSED, reason=why, method=_WHOLE)]
    return [*made, make("complete", structure, state=State.MEASURED, value=True, method=_WHOLE)]


def _axes(make: Maker, structure: str, answers: _Answers) -> list[Evidence]:
    targets = targets_of(structure, answers.known)
    length = answers.number(targets[0], "max_diameter_mm") if len(targets) == 1 else None
    why = answers.problem(structure, "max_diameter_mm")
    return [
        _one(make, "long_axis", structure, length, "mm", why),
        _one(make, "short_axis", structure, None, "mm", _NO_TOOL),
    ]


def _presence(make: Maker, structure: str, answers: _Answers) -> list[Evidence]:
    seen = answers.seen(structure)
    method = "masks and counts of the benchmark's tools"
    if seen is None:
        why = answers.problem(structure, "")
        return [make("exists", structure, state=State.NOT_ASSESSED, reason=why, method=method)]
    state = State.MEASURED if seen else State.ABSENT
    reason = None if seen else "the benchmark's tools looked for it and found none"
    return [make("exists", structure, state=state, value=seen, reason=reason, method=method)]


def _components(make: Maker, structure: str, answers: _Answers) -> list[Evidence]:
    count = answers.total(structure, "lesion_count")
    targets = targets_of(structure, answers.known)
    sizes = {one: answers.number(one, "largest_lesion_volume_cm3") for one in targets}
    # A target without lesions has no largest one.
    filled = [one for one in targets if answers.number(one, "lesion_count") != 0]
    known = [(sizes[one] or 0.0, one) for one in filled if sizes[one] is not None]
    largest = max(known)[1] if known and len(known) == len(filled) else None
    why = answers.problem(structure, "lesion_count")
    volume = sizes[largest] if largest else None
    cm = answers.number(largest, "largest_lesion_diameter_cm") if largest else None
    length = round(10 * cm, 6) if cm is not None else None
    if count == 0:
        reason = "the benchmark's tools counted none"
        rows = (("lesion_count", "1", 0), ("largest_lesion_volume", "cm3", None),
                ("largest_lesion_long_axis", "mm", None), ("longest_lesion_axis", "mm", None))  # fmt: skip
        return [make(q, structure, unit=u, state=State.ABSENT, value=v, reason=reason, method=reason)
                for q, u, v in rows]  # fmt: skip
    return [
        _one(make, "lesion_count", structure, round(count) if count is not None else None, "1", why),
        _one(make, "largest_lesion_volume", structure, volume, "cm3", why),
        _one(make, "largest_lesion_long_axis", structure, length, "mm", why),
        _one(make, "longest_lesion_axis", structure, length, "mm", why),
        _one(make, "largest_lesion_short_axis", structure, None, "mm", _NO_TOOL),
    ]


def _largest(make: Maker, structure: str, answers: _Answers) -> list[Evidence]:
    """Of a single lesion the class's mean is the lesion's; of several the tools give only a mean over all."""
    count = answers.total(structure, "lesion_count")
    targets = targets_of(structure, answers.known)
    mean = answers.number(targets[0], "mean_hu") if len(targets) == 1 and count == 1 else None
    why = "the benchmark's tools give one mean over all lesions" if count and count > 1 else _NO_TOOL
    unit_of = {"largest_lesion_sphericity": "1", "largest_lesion_margin": "HU/mm", "largest_lesion_feret": "mm",
               "largest_lesion_slice": "1", "largest_lesion_depth": "%"}  # fmt: skip
    made = [_one(make, "largest_lesion_hu_mean", structure, mean, "HU", why),
            _one(make, "largest_lesion_hu_sd", structure, None, "HU", _NO_TOOL)]  # fmt: skip
    made.append(_against_second(make, structure, answers, count))
    return made + [_one(make, q, structure, None, unit, _NO_TOOL) for q, unit in unit_of.items()]


def _against_second(make: Maker, structure: str, answers: _Answers, count: float | None) -> Evidence:
    """Largest against second volume: of two lesions exact, of more at least the largest against all the others."""
    quantity, method = "largest_to_second_volume", "total and largest volume by the benchmark's tools"
    targets = targets_of(structure, answers.known)
    total = answers.total(structure, "volume_cm3")
    first = answers.number(targets[0], "largest_lesion_volume_cm3") if len(targets) == 1 else None
    if count is None or total is None or first is None or count < 2 or total <= first:
        return _one(make, quantity, structure, None, "1", _NO_TOOL)
    least = round(first / (total - first), 6)
    if count == 2:
        return make(quantity, structure, unit="1", state=State.MEASURED, value=least, method=method)
    reason = "the benchmark's tools tell the largest volume and the total, not the second largest"
    # The second one has at least its even share of what the largest leaves over.
    most = {"at_most": round(least * (count - 1), 6)}
    return make(
        quantity, structure, unit="1", state=State.NOT_MEASURABLE, lower_bound=least, reason=reason, method=method,
        details=most,
    )  # fmt: skip


_MAKERS: Mapping[str, Callable[[Maker, str, _Answers], list[Evidence]]] = {
    "measure_structure": _structure,
    "measure_axes": _axes,
    "presence": _presence,
    "lesion_components": _components,
    "largest_lesion": _largest,
}
