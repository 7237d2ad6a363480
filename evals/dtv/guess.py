"""The best-supported option where the harness's tools decide nothing; the benchmark has no way to abstain.

Nothing here reaches a report: the report of the run stays "not assessed", and the reason of each guess is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.interpret.option_values import base_value, interval, yes_or_no
from agent.query import Query, load_kinds
from agent.state import RunState, Target
from evals.dtv.prompt import Prompt
from tools.ontology import load_ontology
from tools.types import Evidence, State, content_hash

_CUE = "cue for "
_OUTLIER = 3.0
"""The benchmark calls the largest lesion an outlier from three times the volume of the second one on."""


@dataclass(frozen=True)
class Guess:
    """What is answered without being known.

    Attributes:
        text: the answer in the benchmark's form.
        reason: what supports it.
    """

    text: str
    reason: str


def guess(prompt: Prompt, state: RunState) -> Guess:
    """An answer for the first question of a run that its evidence does not decide."""
    query = next((one for one in state.queries if isinstance(one, Query)), None)
    target = state.targets[0] if state.targets else None
    decisive = state.lookup(target.decisive) if target is not None else None
    evidence = list(state.evidence.values())
    if prompt.options:
        return _option(prompt, decisive, evidence, target)
    form = load_kinds()[query.kind].answer.form if query is not None else None
    if prompt.form == "yesno" or form == "boolean":
        said = _outlier(evidence)
        if said is not None:
            return Guess("Yes" if said else "No", "the bounds of the second largest lesion decide it")
        return Guess("No", "the benchmark counts what nobody annotated as no")
    if prompt.form == "number" or form == "number":
        if decisive is not None and decisive.lower_bound is not None:
            return Guess(f"{decisive.lower_bound:g}", "a lower bound is all that is known")
        return Guess("0", "the benchmark counts what nobody annotated as nothing")
    likely = _likely(decisive, evidence)
    return Guess(likely or "none", "the likeliest category" if likely else "nothing supports any answer")


def _option(prompt: Prompt, decisive: Evidence | None, evidence: Sequence[Evidence], target: Target | None) -> Guess:
    left = list(range(len(prompt.options)))
    unit = decisive.unit if decisive is not None else None
    if decisive is not None and decisive.lower_bound is not None:
        bound, dimension = base_value(decisive.lower_bound, unit)
        spans = {n: interval(prompt.options[n], unit) for n in left}
        open_ = [n for n in left if (s := spans[n]) is None or s.dimension != dimension or s.high >= bound]
        if open_ and len(open_) < len(left):
            left = open_
            if len(left) == 1:
                return Guess(_letter(left[0]), "a lower bound excludes all other options")
    said = _outlier(evidence)
    truths = {n: yes_or_no(prompt.options[n]) for n in left}
    if None not in truths.values():
        wanted = said if said is not None else False
        fitting = [n for n in left if truths[n] is wanted]
        if len(fitting) == 1:
            why = "the bounds of the second largest lesion decide it" if said is not None else (
                "the benchmark counts what nobody annotated as no")  # fmt: skip
            return Guess(_letter(fitting[0]), why)
    likely = _likely(decisive, evidence)
    if likely is not None:
        fitting = [n for n in left if likely.lower() in prompt.options[n].lower()]
        if len(fitting) == 1:
            return Guess(_letter(fitting[0]), "the likeliest category of those that the evidence leaves open")
    numbers = [(span.low, n) for n in left if (span := interval(prompt.options[n], unit)) is not None and span.single]
    if len(numbers) == len(left) > 2:
        middle = sorted(numbers)[len(numbers) // 2][1]
        return Guess(_letter(middle), "the middle of the numbers, since distractors lie on both sides of the truth")
    # Not by position: a hash of the texts makes the choice the same whatever the order of the options is.
    chosen = min(left, key=lambda n: content_hash([prompt.question, prompt.options[n]]))
    return Guess(_letter(chosen), "nothing supports one option more than another")


def _likely(decisive: Evidence | None, evidence: Sequence[Evidence]) -> str | None:
    """A category that the evidence supports without deciding it: the least of a rule's possible ones, or a sign."""
    if decisive is not None and isinstance(decisive.value, str) and decisive.value.startswith(_CUE):
        return decisive.value.removeprefix(_CUE)
    found = [one for one in evidence if one.state is not State.MEASURED and one.details.get("possible")]
    for one in ([decisive] if decisive is not None else []) + found:
        possible = one.details.get("possible")
        least = one.details.get("at_least")
        if isinstance(least, str):
            return least
        if isinstance(possible, list) and possible and isinstance(possible[0], str):
            return possible[0]
    if decisive is not None and decisive.quantity == "attenuation":
        means = {one.target: one for one in evidence if one.quantity == "hu_mean" and one.state is State.MEASURED}
        lesions = [one for name, one in means.items() if load_ontology().get(name).kind == "lesion"]
        lesion = lesions[0] if lesions else None
        organ = means.get(load_ontology().get(lesion.target).organ or "") if lesion is not None else None
        if lesion is not None and organ is not None:
            return "hypo" if float(str(lesion.value)) < float(str(organ.value)) else "hyper"
    return None


def _outlier(evidence: Sequence[Evidence]) -> bool | None:
    """No, where the largest lesion cannot be three times the second one; a yes is decided without any guess."""
    asked = next((one for one in evidence if one.quantity == "largest_to_second_volume"), None)
    most = asked.details.get("at_most") if asked is not None else None
    return False if isinstance(most, int | float) and most < _OUTLIER else None


def _letter(index: int) -> str:
    return chr(ord("A") + index)
