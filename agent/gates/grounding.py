"""Grounding: every claim is what its evidence says, to the letter.

The evidence, and all that it was derived from, must exist, carry its content's id, and have been made by a tool call
of this run; the typed fields and the sentence are derived from it again and compared. A changed number, side, organ,
unit, negation, option or evidence id therefore fails, whoever wrote it.
"""

from __future__ import annotations

from agent.claims import answer_for, statement
from agent.gates.model import PATHOLOGY, Finding, Gate, View, judged
from agent.state import Claim, Objection, PathologyClaim, Ref, RunState, Task
from tools.ontology import load_ontology
from tools.types import Evidence

_EMPTY = "a claim must cite evidence"
_MISSING = "it rests on evidence that does not exist"
_ALTERED = "it rests on evidence that is not what its id was made from"
_FOLLOWING = ("text", "bindings")
"""Fields that are made from the others."""
_UNMADE = "it rests on evidence that no tool call of this run made"


def check(view: View) -> Finding:
    """Derive every claim again from its evidence and compare."""
    sound = _Sound(view.state)
    objections: list[Objection] = []
    for claim in view.conclusion.claims:
        problem, right = sound.problem(claim.evidence), _decisive(claim, view.state)
        if problem is None:
            problem, right = _difference(claim, view.state)
        if problem is not None:
            objections.append(Objection(gate="grounding", claim=claim.id, evidence=right, expected=problem))
    if view.conclusion.pathology is not None:
        problem = _pathology_problem(view.conclusion.pathology, view.state, sound)
        if problem is not None:
            objections.append(Objection(gate="grounding", claim="pathology", expected=problem))
    return judged(objections, "every claim says what its evidence says")


class _Sound:
    """Whether evidence, with all that it was derived from, is what the tools of this run made."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._made_by: dict[str, list[Task]] = {}
        for task, made in state.done.items():
            for ident in made:
                if task in state.tasks:
                    self._made_by.setdefault(ident, []).append(state.tasks[task])
        self._known: dict[str, str | None] = {}

    def problem(self, ids: tuple[str, ...]) -> str | None:
        """What is wrong with evidence of these ids; None where nothing is."""
        if not ids:
            return _EMPTY
        queue, seen = list(ids), set()
        while queue:
            ident = queue.pop()
            if ident in seen:
                continue
            seen.add(ident)
            if ident not in self._known:
                self._known[ident] = self._look(ident)
            if self._known[ident] is not None:
                return self._known[ident]
            queue += self._state.evidence[ident].inputs
        return None

    def _look(self, ident: str) -> str | None:
        one = self._state.evidence.get(ident)
        if one is None:
            return _MISSING
        if one.id != ident or one.expected_id() != ident:
            return _ALTERED
        makers = self._made_by.get(ident, [])
        return None if any(self._fits(one, task) for task in makers) else _UNMADE

    def _fits(self, one: Evidence, task: Task) -> bool:
        if one.tool != task.tool:
            return False
        given = dict(task.args)
        for name, ref in task.refs.items():
            given[name] = self._id(ref)
        for name, refs in task.ref_lists.items():
            given[name] = [found.id if found else None for found in self._state.lookup_all(refs)]
        # A call that failed has no more arguments than could be filled in.
        return all(one.arguments.get(name) == value for name, value in given.items() if name in one.arguments)

    def _id(self, ref: Ref) -> str | None:
        found = self._state.lookup(ref)
        return found.id if found else None


def _difference(claim: Claim, state: RunState) -> tuple[str | None, str | None]:
    """What of a claim is not what its evidence says, and which evidence that is."""
    expected = _derived(claim, state)
    if expected is None:
        return "it answers no question of this run from the evidence that decides it", None
    decisive = expected.evidence[0]
    if claim.evidence[0] != decisive:
        return "it has to rest first on the evidence that decides it", decisive
    wrong = [
        name
        for name in Claim.model_fields
        # True == 1 in Python; a count is no truth value.
        if getattr(claim, name) != getattr(expected, name)
        or type(getattr(claim, name)) is not type(getattr(expected, name))
    ]
    if not wrong:
        return None, None
    # What follows from a wrong value is not objected to as well.
    named = [name for name in wrong if name not in _FOLLOWING] or wrong[:1]
    words = " and its ".join(name.replace("_", " ") for name in named)
    # What was claimed is not repeated: verdicts are shown, and a false number must not travel in one.
    return f"its {words} {'is' if len(named) == 1 else 'are'} not what its evidence says", decisive


def _decisive(claim: Claim, state: RunState) -> str | None:
    """The evidence that decides the question that a claim is to answer."""
    target = next((one for one in state.targets if one.query == claim.query), None) if claim.level == "answer" else None
    found = state.lookup(target.decisive) if target is not None else None
    return found.id if found is not None else None


def _derived(claim: Claim, state: RunState) -> Claim | None:
    if claim.level != "answer":
        return statement(claim.level, state.evidence[claim.evidence[0]], state.evidence)
    target = next((one for one in state.targets if one.query == claim.query), None)
    return answer_for(state, target) if target is not None else None


def _pathology_problem(pathology: PathologyClaim, state: RunState, sound: _Sound) -> str | None:
    problem = sound.problem(pathology.evidence)
    if problem is not None:
        return problem
    if len(set(pathology.evidence)) < len(pathology.evidence):
        return "it cites the same evidence twice"
    ontology = load_ontology()
    for ident in pathology.evidence:
        one = state.evidence[ident]
        lesion = one.quantity == "exists" and one.value is True and ontology.get(one.target).kind == "lesion"
        if not lesion and one.quantity not in PATHOLOGY:
            return "it rests on evidence that says nothing of a lesion"
    return None


GATE = Gate("grounding", 10, check)
