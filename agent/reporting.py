"""The last node: from state to a report, its pictures, and the files on disk."""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from agent.claims import answer_id
from agent.errors import ModelUnavailable
from agent.files import atomic_write
from agent.model_calls import asked, requests_of
from agent.models.usage import Usage
from agent.pictures import evidence_out, make_pictures
from agent.query import NotUnderstood, Query
from agent.report import render_html, render_markdown
from agent.report_gaps import limitations, not_assessed
from agent.report_model import Answer, Pathology, Report, Sentence
from agent.review_report import earlier_report, kept, name_pictures
from agent.runs import RunFolder
from agent.services import Services
from agent.state import CRITIQUE, Claim, RunState
from agent.telling import telling
from agent.trace import read_events
from agent.trace_schema import Kind
from tools.types import State

_GROUNDING = "grounding"
_UNUSABLE = "confidence"
"""Gate that objects where a model's answers could not be used."""


def report(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Write the report of a finished run; running it again writes the same files again."""
    services = runtime.context
    folder = RunFolder(id=state.run_id, folder=services.trace.path.parent)
    said = earlier_report(state, folder)
    if said is not None:
        made, images = said
    else:
        made = _told(build_report(state, folder), state, services)
        with services.profile.part("pictures"):
            images = name_pictures(made, make_pictures(made, state, services.case), state)
    with services.profile.part("report"):
        files: dict[str, bytes | str] = {f"images/{name}": data for name, data in images.items()}
        files["report.json"] = report_json(made) + "\n"
        files["report.md"] = render_markdown(made)
        files["report.html"] = render_html(made, {f"images/{name}": data for name, data in images.items()})
        if images:
            folder.images.mkdir(exist_ok=True)
        hashes = {name: atomic_write(folder.folder / name, data) for name, data in files.items()}
        hashes = kept(state, folder) | hashes
    text = made.answer.text if made.answer else None
    services.trace.append(Kind.REPORT, {"status": made.status, "answer": text})
    services.trace.finish(made.status, hashes, state.stop_reason)
    return {}


def _told(made: Report, state: RunState, services: Services) -> Report:
    """The report with the order in which a conversation tells its answers, and with what all requests took."""
    asked_for = state.usage.calls
    if state.request.spoken and len(made.answers) > 1:
        try:
            with asked(services, "reply", state.round, state.usage) as use:
                first = services.model.reply([one.text for one in made.answers], state.request.question or "")
                use.result = list(first)
            asked_for = use.usage.calls
        except ModelUnavailable:
            first = []
        every = range(len(made.answers))
        # The model says what comes first; it can keep nothing back, and repeat nothing.
        order = dict.fromkeys([*(number for number in first if number in every), *every])
        made = made.model_copy(update={"said": list(order)})
    if not asked_for:
        return made  # no server, no requests: the trace need not be read for them
    # By the trace, which has the requests of an attempt that was killed before its state was kept as well.
    usage = Usage()
    for _, call in requests_of(read_events(services.trace.path)):
        usage = usage.plus(call)
    return made.model_copy(update={"usage": usage if usage.calls else None})


def report_json(made: Report) -> str:
    """A report as one JSON object."""
    return json.dumps(made.model_dump(mode="json", by_alias=True), ensure_ascii=False, allow_nan=False, indent=1)


def build_report(state: RunState, folder: RunFolder) -> Report:
    """Everything that the run concluded; of an unresolved one, only the claims that no gate refused."""
    assert state.status is not None
    standing = _standing(state)
    refused = _refused(state)
    answers = _answers(state, standing)
    pathology = state.conclusion.pathology if state.conclusion and "pathology" not in refused else None
    return Report(
        run_id=state.run_id,
        question=state.request.question,
        status=state.status,
        rounds=state.round,
        open=_open(state),
        answer=_combined(answers, state.request.question),
        answers=answers,
        findings=[_sentence(claim) for claim in standing if claim.level == "finding"],
        impression=[_sentence(claim) for claim in standing if claim.level == "impression"],
        pathology=Pathology(**pathology.model_dump()) if pathology else None,
        evidence={ident: evidence_out(one) for ident, one in state.evidence.items()},
        verdicts=state.verdicts,
        not_assessed=not_assessed(state),
        limitations=limitations(state),
        reviews=state.reviews,
        # What a server hands out names no folder of its machine, and is yet what the trace has the hash of.
        trace=folder.trace.name if state.request.attended else str(folder.trace),
    )


def _refused(state: RunState) -> set[str | None]:
    """Ids of what a gate refused. What a model objects to passed every gate: it stands, in a run that is unresolved."""
    if state.status == "consistent":
        return set()
    return {one.claim for one in state.objections if one.gate != CRITIQUE}


def _standing(state: RunState) -> list[Claim]:
    """What is told: the claims that no gate refused, and in a report on everything all that they leave out.

    What a model keeps back would make what it tells misleading, so the evidence tells it in its place.
    """
    refused = _refused(state)
    claims = state.conclusion.claims if state.conclusion else ()
    standing = {claim.id: claim for claim in claims if claim.id not in refused}
    if state.request.question is None:
        # What is false in the model's words is true in the evidence's; what another gate refuses is told by neither.
        other = {one.claim for one in state.objections if one.gate not in {CRITIQUE, _GROUNDING}}
        told = {claim.text for claim in standing.values()}
        for claim in telling(state):
            if claim.text not in told and claim.id not in other:
                standing[claim.id] = claim
    return list(standing.values())


def _sentence(claim: Claim) -> Sentence:
    return Sentence(id=claim.id, text=claim.text, evidence=list(claim.evidence), bindings=list(claim.bindings))


def _answers(state: RunState, standing: list[Claim]) -> list[Answer]:
    by_query = {claim.query: claim for claim in standing if claim.level == "answer"}
    answers = []
    for index, query in enumerate(state.queries):
        if isinstance(query, NotUnderstood):
            answers.append(_not_understood(query))
        elif index in by_query:
            answers.append(_answer(by_query[index], query, state))
        else:
            why = _why(state, index)
            answers.append(
                Answer(
                    question=query.text, state=State.NOT_ASSESSED, reason=why,
                    text=f"This is unresolved: no answer passed the critic ({why}).",
                )
            )  # fmt: skip
    return answers


def _why(state: RunState, index: int) -> str | None:
    """Why a question has no answer that passed: the objection to it, to the whole conclusion, or the end of the run."""
    decisive = next((state.lookup(target.decisive) for target in state.targets if target.query == index), None)
    to_it = [one for one in state.objections if one.claim == answer_id(index)]
    missing = [one for one in state.objections if one.claim is None and decisive and one.evidence == decisive.id]
    unusable = [one for one in state.objections if one.gate == _UNUSABLE]
    return next((one.expected for one in (*to_it, *unusable, *missing)), state.stop_reason)


def _open(state: RunState) -> list[str]:
    """What remained open in an unresolved run, one sentence each."""
    if state.status == "consistent":
        return []
    reasons = dict.fromkeys([state.stop_reason or "", *(one.expected for one in state.objections)])
    return [f"{one[:1].upper()}{one[1:]}{'' if one.endswith(('.', '?', '!')) else '.'}" for one in reasons if one]


def _answer(claim: Claim, query: Query, state: RunState) -> Answer:
    decisive = state.evidence[claim.evidence[0]]
    return Answer(
        question=query.text, read_as=query.read_as, text=claim.text, value=claim.value, unit=claim.unit,
        option=claim.option, state=claim.state, lower_bound=claim.lower_bound, uncertainty=decisive.uncertainty,
        reason=decisive.reason, evidence=list(claim.evidence), bindings=list(claim.bindings),
    )  # fmt: skip


def _not_understood(query: NotUnderstood) -> Answer:
    # An example with a number would stand in the report like a number that was found.
    plain = [said for said in (query.choices or query.nearest) if not any(letter.isdigit() for letter in said)]
    text = f"This is unclear: {query.reason}" if query.choices else f"This was not understood: {query.reason}"
    if plain:
        text += " Which do you mean: " if query.choices else " What can be answered, for example: "
        text += " ".join(plain)
    return Answer(
        question=query.text, text=text, state=State.NOT_ASSESSED, reason=query.reason, choices=list(query.choices),
        understood=False,
    )  # fmt: skip


def _combined(answers: list[Answer], question: str | None) -> Answer | None:
    """One answer for the request; with several questions its text holds all, and its value none."""
    if not answers:
        return None
    if len(answers) == 1:
        return answers[0].model_copy(update={"question": question or answers[0].question})
    parts, bindings = [], []
    at = 0
    for one in answers:
        parts.append(one.text)
        bindings += [b.model_copy(update={"start": b.start + at, "end": b.end + at}) for b in one.bindings]
        at += len(one.text) + 1
    states = [one.state for one in answers]
    # What is least certain speaks for the whole.
    order = (State.NOT_ASSESSED, State.NOT_MEASURABLE, State.ABSENT, State.MEASURED)
    worst = next(state for state in order if state in states)
    return Answer(
        question=question or "", text=" ".join(parts), state=worst, bindings=bindings,
        reason=next((one.reason for one in answers if one.state is worst), None),
        evidence=list(dict.fromkeys(ident for one in answers for ident in one.evidence)),
        choices=list(dict.fromkeys(said for one in answers for said in one.choices)),
        understood=all(one.understood for one in answers),
    )  # fmt: skip
