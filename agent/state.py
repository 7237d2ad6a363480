"""State of the loop: typed, small, serialisable. Arrays never enter it; scans and labels are held by content hash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agent.models.usage import Usage
from agent.query import NotUnderstood, Query
from agent.report_model import Binding, Review, Verdict
from tools.types import Evidence, Scalar, State, content_hash

FAILURE = "failure"
"""Quantity of the evidence that a tool call failed."""

CRITIQUE: Literal["critique"] = "critique"
"""Name, among the gates, of a model's own objections."""
BUDGET_SPENT = "the run's budget of tool calls is spent"
"""Reason of the evidence that a tool was not called any more."""

Level = Literal["answer", "finding", "impression"]


class _Frozen(BaseModel):
    # JSON has no NaN; what a model wrote has to fit into checkpoints and the trace.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Ref(_Frozen):
    """Stands for the evidence of one quantity that a task makes.

    Attributes:
        task: id of the task.
        quantity: the quantity; ``#n`` for the n-th piece that the task makes; in a list, ``*`` for all of them.
    """

    task: str
    quantity: str


class Task(_Frozen):
    """One tool call to be made.

    Attributes:
        id: hash of tool and arguments, so that the same call planned twice is one task.
        tool: name of the tool.
        args: plain arguments.
        refs: arguments that are evidence of other tasks.
        ref_lists: arguments that are lists of evidence of other tasks.
        reason: why it was planned.
    """

    id: str
    tool: str
    args: dict[str, JsonValue] = Field(default_factory=dict)
    refs: dict[str, Ref] = Field(default_factory=dict)
    ref_lists: dict[str, tuple[Ref, ...]] = Field(default_factory=dict)
    reason: str = ""

    @classmethod
    def make(
        cls,
        tool: str,
        args: dict[str, JsonValue] | None = None,
        refs: dict[str, Ref] | None = None,
        ref_lists: dict[str, tuple[Ref, ...]] | None = None,
        reason: str = "",
    ) -> Task:
        """Build a task and derive its id."""
        draft = cls(id="", tool=tool, args=args or {}, refs=refs or {}, ref_lists=ref_lists or {}, reason=reason)
        content = draft.model_dump(mode="json", exclude={"id", "reason"})
        return draft.model_copy(update={"id": f"{tool}-{content_hash(content)[:10]}"})

    def needs(self) -> set[str]:
        """Ids of the tasks whose evidence it takes."""
        return {ref.task for ref in self.refs.values()} | {r.task for refs in self.ref_lists.values() for r in refs}


class Taken(_Frozen):
    """A hop that was taken: a finding opened a check of another structure.

    Attributes:
        key: what is done once: the check and the structure.
        edge: edge of the organ knowledge graph.
        source: structure of the finding that opened it.
        trigger: id of the evidence that opened it.
        structure: what is checked.
        check: how.
        why: the reason, as a clause.
        depth: number of hops from what was asked.
        step: number of the step in which it was taken, from 1.
        tasks: ids of its tasks; none where they were done already.
    """

    key: str
    edge: str
    source: str
    trigger: str
    structure: str
    check: str
    why: str
    depth: int
    step: int
    tasks: tuple[str, ...] = ()


class Target(_Frozen):
    """Which evidence answers a question.

    Attributes:
        query: index of the question.
        decisive: the evidence that is the answer.
        also: evidence that the answer tells as well (the sides of a pair).
        chain: ids of every task that the answer needs.
    """

    query: int
    decisive: Ref
    also: tuple[Ref, ...] = ()
    chain: tuple[str, ...] = ()


class Claim(_Frozen):
    """One statement of the model, typed; its text is the sentence of the evidence that it rests on.

    Attributes:
        id: identifier within the conclusion.
        level: answer, finding or impression.
        query: index of the question that it answers; None for findings and impressions.
        evidence: ids; the first is the decisive one, the others are told as well or cited by the text.
        target: canonical structure.
        quantity: what is claimed of it.
        value: the value; for an answer in the sense of the question (negated questions turn it).
        unit: its unit.
        state: one of the four states.
        lower_bound: what is certain without being measurable.
        option: letter of the option chosen.
        text: the sentence.
        bindings: where its numbers and names come from.
    """

    id: str
    level: Level
    query: int | None = None
    evidence: tuple[str, ...]
    target: str
    quantity: str
    value: Scalar = None
    unit: str | None = None
    state: State
    lower_bound: float | None = None
    option: str | None = None
    text: str
    bindings: tuple[Binding, ...] = ()


class PathologyClaim(_Frozen):
    """The pathology conclusion: diagnosis and clinical categories, X where nothing was assessed."""

    diagnosis: str | None = None
    ct: str | None = None
    cn: str | None = None
    cm: str | None = None
    stage: str | None = None
    differential: tuple[str, ...] = ()
    confidence: float | None = None
    evidence: tuple[str, ...] = ()


class Conclusion(_Frozen):
    """Everything that the model concluded in one round.

    Attributes:
        claims: its statements.
        pathology: the pathology conclusion, if there is one.
        samples: how often the model was asked in parallel; 0 where none of its answers could be used.
        agreement: share of those samples that concluded this.
        problem: why there is nothing to conclude, where the model's answers could not be used.
    """

    claims: tuple[Claim, ...] = ()
    pathology: PathologyClaim | None = None
    samples: int = 1
    agreement: float = 1.0
    problem: str | None = None

    def fingerprint(self) -> str:
        """Hash of what is concluded, whatever the order of the claims and however sure the model is of it."""
        rows = sorted(
            content_hash(claim.model_dump(mode="json", exclude={"id", "text", "bindings"})) for claim in self.claims
        )
        pathology = self.pathology.model_dump(mode="json", exclude={"confidence"}) if self.pathology else None
        return content_hash([rows, pathology])


class Objection(_Frozen):
    """Why a claim was refused: which claim, which evidence, what was expected.

    Attributes:
        gate: the gate that refused it.
        claim: id of the claim; None where a claim is missing, "pathology" for the pathology conclusion.
        evidence: id of the evidence concerned, if any.
        expected: what would have passed.
    """

    gate: str
    claim: str | None
    evidence: str | None = None
    expected: str


class Request(_Frozen):
    """What the user asked.

    Attributes:
        question: the words; None for a report on everything.
        options: choices of a multiple-choice question.
        previous: questions of the conversation so far, for follow-ups.
        spoken: the answer is part of a conversation: the model chooses what of the report to say first.
        attended: a person looks at the report: the run waits for their word once it has it.
    """

    question: str | None = None
    options: tuple[str, ...] = ()
    previous: tuple[Query, ...] = ()
    spoken: bool = False
    attended: bool = False


T = TypeVar("T")


def grow(old: dict[str, T], new: dict[str, T]) -> dict[str, T]:
    """Reducer of what only grows: tasks, finished calls, evidence."""
    return {**old, **new}


class RunState(BaseModel):
    """State of one run of the loop.

    Attributes:
        run_id: id of the run.
        request: what was asked.
        round: number of the present round, from 1.
        queries: the questions as understood, in order.
        tasks: every task planned so far, by id.
        done: finished task → ids of the evidence that it made.
        evidence: all evidence by id.
        targets: which evidence answers which question.
        conclusion: what the model concluded in this round.
        verdicts: what the gates said, all rounds.
        objections: what the gates refused in this round.
        fingerprints: fingerprint of each round's conclusion.
        repairs: tasks that the gates ask for.
        seen: number of pieces of evidence at the end of each round.
        usage: what the model took so far.
        hops: checks that findings opened, in the order in which they were taken.
        steps: how often findings were followed.
        opened: ids of the tasks that the last step opened.
        labels: content address of the labels with what segmentation engines saw and what a person corrected; None
            where the labels are those of the case.
        reviews: what persons said of the run's reports, in order.
        status: how the run ends; None while it goes on.
        stop_reason: why it ended.
    """

    model_config = ConfigDict(extra="forbid")

    run_id: str
    request: Request
    round: int = 0
    queries: list[Query | NotUnderstood] = Field(default_factory=list)
    tasks: Annotated[dict[str, Task], grow] = Field(default_factory=dict)
    done: Annotated[dict[str, tuple[str, ...]], grow] = Field(default_factory=dict)
    evidence: Annotated[dict[str, Evidence], grow] = Field(default_factory=dict)
    targets: list[Target] = Field(default_factory=list)
    conclusion: Conclusion | None = None
    verdicts: list[Verdict] = Field(default_factory=list)
    objections: list[Objection] = Field(default_factory=list)
    fingerprints: list[str] = Field(default_factory=list)
    repairs: list[Task] = Field(default_factory=list)
    seen: list[int] = Field(default_factory=list)
    usage: Usage = Usage()
    hops: list[Taken] = Field(default_factory=list)
    steps: int = 0
    opened: list[str] = Field(default_factory=list)
    labels: str | None = None
    reviews: list[Review] = Field(default_factory=list)
    status: Literal["consistent", "unresolved", "needs_review"] | None = None
    stop_reason: str | None = None

    def lookup(self, ref: Ref) -> Evidence | None:
        """The evidence that a reference stands for, None where its task failed to make it."""
        made = [self.evidence.get(ident) for ident in self.done.get(ref.task, ())]
        if ref.quantity.startswith("#"):
            number = int(ref.quantity[1:])
            return made[number] if number < len(made) else None
        # A task that failed made one piece of evidence that says so; it stands for whatever was expected.
        return next((one for one in made if one is not None and one.quantity in {ref.quantity, FAILURE}), None)

    def lookup_all(self, refs: Iterable[Ref]) -> list[Evidence | None]:
        """The evidence that a list of references stands for; ``*`` leaves out what only says that a call failed."""
        found: list[Evidence | None] = []
        for ref in refs:
            if ref.quantity == "*":
                made = [self.evidence[ident] for ident in self.done.get(ref.task, ()) if ident in self.evidence]
                found += [one for one in made if one.quantity != FAILURE]
            else:
                found.append(self.lookup(ref))
        return found
