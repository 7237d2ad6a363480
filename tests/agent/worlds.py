"""Finished runs to lie about: cut into runs on one query each, with evidence forged and what follows made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from agent.critic import judge
from agent.errors import ToolError, UsageError
from agent.gates.model import View, load_gates
from agent.query import Query
from agent.state import Conclusion, Request, RunState
from tests.agent.loop_make import Asks
from tools.base import CaseSettings, Facts
from tools.registry import load_tools
from tools.types import Evidence


@dataclass(frozen=True)
class World:
    """A finished run on many queries.

    Attributes:
        state: its state.
        declared: settings of its case.
    """

    state: RunState
    declared: CaseSettings = field(default_factory=CaseSettings)

    def alone(self, *indexes: int, options: tuple[str, ...] = ()) -> RunState:
        """The state as if only these questions had been asked."""
        targets = [self.state.targets[at].model_copy(update={"query": new}) for new, at in enumerate(indexes)]
        request = Request(question="A question in words?", options=options)
        queries = [self.state.queries[at] for at in indexes]
        return self.state.model_copy(update={"request": request, "queries": queries, "targets": targets})

    def asked(self, kind: str, *structures: str) -> int:
        """Number of the query of this kind on these structures."""
        for at, query in enumerate(self.state.queries):
            if isinstance(query, Query) and (query.kind, query.structures) == (kind, structures):
                return at
        raise KeyError((kind, structures))

    def only(self, kind: str, *structures: str) -> RunState:
        """The state as if this had been the one question."""
        return self.alone(self.asked(kind, *structures))


def truth(state: RunState) -> Conclusion:
    """What an honest model concludes from a state."""
    return Asks([]).conclude(state)


def failing(state: RunState, conclusion: Conclusion, declared: CaseSettings | None = None) -> set[str]:
    """Names of all gates that object."""
    found = judge(View(state, conclusion, declared or CaseSettings()))
    return {gate.name for gate, finding in found if finding.outcome == "fail"}


def refused(state: RunState, conclusion: Conclusion, declared: CaseSettings | None = None) -> str | None:
    """Name of the first gate that objects."""
    view = View(state, conclusion, declared or CaseSettings())
    return next((gate.name for gate in load_gates() if gate.check(view).outcome == "fail"), None)


def altered(state: RunState, ident: str, /, **changes: Any) -> RunState:
    """The state with one piece of evidence changed and left under its old id."""
    one = state.evidence[ident].model_copy(update=changes)
    return state.model_copy(update={"evidence": {**state.evidence, ident: one}})


def forged(state: RunState, ident: str, /, **changes: Any) -> tuple[RunState, Evidence]:
    """The state with one piece of evidence replaced by another with an id of its own, wherever it was made."""
    fields = state.evidence[ident].model_dump(exclude={"id"})
    one = Evidence.make(**{**fields, **changes})
    done = {task: tuple(one.id if made == ident else made for made in ids) for task, ids in state.done.items()}
    return state.model_copy(update={"evidence": {**state.evidence, one.id: one}, "done": done}), one


def followed(state: RunState, old: str, declared: CaseSettings) -> RunState:
    """The state with all that rested on a forged piece of evidence made again, truly, from the forgery."""
    stale = {old}
    for ident, task in state.tasks.items():
        tool = load_tools()[task.tool]
        before = [state.evidence[made] for made in state.done[ident]]
        if not tool.derives or not any(stale & set(one.inputs) for one in before):
            continue
        arguments: dict[str, Any] = dict(task.args)
        for name, ref in task.refs.items():
            found = state.lookup(ref)
            assert found is not None
            arguments[name] = found.id
        for name, refs in task.ref_lists.items():
            arguments[name] = [found.id for found in state.lookup_all(refs) if found is not None]
        try:
            made = tool.call(Facts(evidence=state.evidence, settings=declared), arguments)
        except (ToolError, KeyError):
            continue  # the forgery is no input that it takes; what it made before stays
        stale |= {one.id for one in before}
        state = state.model_copy(
            update={
                "done": {**state.done, ident: tuple(one.id for one in made)},
                "evidence": {**state.evidence, **{one.id: one for one in made}},
            }
        )
    left = {ident: one for ident, one in state.evidence.items() if ident not in stale}
    return state.model_copy(update={"evidence": left})


def behind(state: RunState) -> Iterator[Evidence]:
    """All evidence that the answers rest on."""
    queue = [ident for claim in truth(state).claims if claim.level == "answer" for ident in claim.evidence]
    for ident in queue:
        queue += [source for source in state.evidence[ident].inputs if source not in queue]
        yield state.evidence[ident]


def lied(
    world: World, run_state: RunState, one: Evidence, /, **changes: Any
) -> tuple[RunState, Conclusion, CaseSettings]:
    """A state in which a piece of evidence is forged and everything after it follows truly, and what is said of it."""
    false, new = forged(run_state, one.id, **changes)
    assert new.id != one.id
    false = followed(false, one.id, world.declared)
    try:
        said = truth(false)
    except (KeyError, IndexError, ToolError, UsageError):
        said = truth(run_state)  # nothing can be said of such evidence; the old words are said of it
    return false, said, world.declared


def lie(world: World, run_state: RunState, one: Evidence, /, **changes: Any) -> set[str]:
    """Gates that object to a forgery."""
    return failing(*lied(world, run_state, one, **changes))


def tampered(value: JsonValue) -> JsonValue:
    """Another value of the same sort."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        # A rule must still be one that exists, for a sentence to be made of it.
        rules = ("pancreas-n-ajcc8", "colon-n-ajcc8")
        return rules[value == rules[0]] if value.endswith("ajcc8") else f"{value}x"
    if isinstance(value, list):
        return value[1:] if value else ["T4"]
    if isinstance(value, dict):
        return {name: tampered(part) for name, part in value.items()} or {"x": 1}
    return "x"
