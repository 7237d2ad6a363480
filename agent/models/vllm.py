"""A reasoning model behind a server with the OpenAI chat API (vLLM first), kept to small typed forms.

It is asked as little as possible: one request concludes. What it says is read by `judged`, and the gates decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import pydantic

from agent.interpret.for_options import for_options
from agent.models import schemas
from agent.models.canonical import Canonical, canonical
from agent.models.client import Prompt, Sample
from agent.models.embedded import EmbeddedReasoner
from agent.models.endpoint import Endpoint
from agent.models.judged import Judged, judged, lesion_types, vote
from agent.models.protocol import Heard, Images
from agent.models.readings import two_readings
from agent.models.table import MOST_CHARACTERS, Table, build_table
from agent.models.usage import Call, Ledger, Problem, Purpose, Usage
from agent.pathology import pathology
from agent.query import NotUnderstood, Query, load_kinds
from agent.state import Claim, Conclusion, Objection, Request, RunState, Task
from prompts import load

PLANNABLE = {
    "measure_structure": "volume and attenuation of a structure",
    "measure_axes": "diameters of a structure",
    "presence": "whether a structure or lesion is there",
    "lesion_components": "number of lesions of a class",
    "lesion_table": "size and place of each lesion of a class",
}
"""Tools that a model may wish for: each takes one structure."""
_MOST_READINGS = 4
_MOST_STRUCTURES = 60
_FIXED_TOKENS = 900
"""Of a context, for the instructions and the questions."""
_CHARACTERS_PER_TOKEN = 2
"""Fewest that a table's text has."""

Form = TypeVar("Form", bound=pydantic.BaseModel)


class Asks(Protocol):
    """What is needed of a client."""

    endpoint: Endpoint

    @property
    def name(self) -> str:
        """The served model's name."""
        ...

    @property
    def context_tokens(self) -> int | None:
        """What the model can read and write together."""
        ...

    def sees(self) -> bool:
        """Whether it takes pictures."""
        ...

    def ask(
        self,
        prompt: Prompt,
        schema: Mapping[str, Any],
        ledger: Ledger,
        *,
        samples: int | None = None,
        images: Sequence[bytes] = (),
        temperature: float | None = None,
        progress: Heard | None = None,
    ) -> list[Sample]:
        """Ask for JSON of a given form."""
        ...  # fmt: skip


class ServedModel:
    """A served model. Make one per process and `begin` it for each run.

    Args:
        client: shared by all runs.
        spent: what the run used before.
        heard: told of the characters written so far; given, answers are streamed.

    Raises:
        UsageError, ModelUnavailable: the server is asked for the model's name at once.
    """

    deterministic = False

    def __init__(self, client: Asks, spent: Usage | None = None, heard: Heard | None = None) -> None:
        self.name = f"vllm:{client.name}"
        self._client = client
        self._ledger = Ledger(spent)
        self._heard = heard
        self._embedded = EmbeddedReasoner()
        self._notes: list[str] = []

    def begin(self, spent: Usage, heard: Heard | None = None) -> ServedModel:
        """The same client with a count of its own."""
        return ServedModel(self._client, spent, heard)

    def calls(self) -> list[Call]:
        """Requests since the last time; those for readings say how the readings were weighed."""
        notes, self._notes = self._notes, []
        return [
            call.model_copy(update={"result": {"reading": call.result, "weighed": notes.pop(0)}})
            if call.purpose == "interpret" and notes
            else call
            for call in self._ledger.take()
        ]

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        """The embedded reading, and the model's.

        The model is asked where the embedded interpreter understood nothing; about what it did understand only where
        the endpoint asks for both readings, because that one covers every word and is preferred.
        """
        found = self._embedded.interpret(request, available)
        texts = Counter(one.text for one in found)
        asked = 0
        readings: list[Query | NotUnderstood] = []
        for one in found:
            needed = isinstance(one, NotUnderstood) or self._client.endpoint.readings == "both"
            # Where several readings are possible only who asked can say which is meant.
            ambiguous = isinstance(one, NotUnderstood) and bool(one.choices)
            if not needed or ambiguous or not one.text or texts[one.text] > 1 or asked >= _MOST_READINGS:
                readings.append(one)
                continue
            asked += 1
            reading = two_readings(one.text, one, self._read(one.text, request.options, available), available)
            self._notes.append(reading.note)
            query = reading.query
            chosen = isinstance(query, Query) and query is not one and bool(request.options)
            readings.append(for_options(query, request.options) if chosen and isinstance(query, Query) else query)
        return readings

    def plan(self, state: RunState) -> list[Task]:
        """Measurements that the model wishes, where objections are open and a question's evidence was not made."""
        lacking = [target for target in state.targets if state.lookup(target.decisive) is None]
        if not state.objections or not lacking or state.round < 2:
            return []
        structures = sorted(_structures(state))[:_MOST_STRUCTURES]
        if not structures:
            return []
        table = self._table(state)
        system = load("plan.system").render(tools=[{"name": name, "says": says} for name, says in PLANNABLE.items()])
        documents = {"evidence": table.document(), "round": table.round_document(state)}
        asked = [one.text for one in state.queries]
        form = self._one(
            "plan", system, {**documents, "questions": asked}, schemas.plan_schema(PLANNABLE, structures),
            schemas.PlanForm,
        )  # fmt: skip
        tasks = form.tasks[: schemas.MOST_TASKS] if form else []
        return [
            Task.make(task.tool, {"structure": task.structure}, reason="the model asks for it")
            for task in tasks
            if task.tool in PLANNABLE and task.structure in structures
        ]

    def conclude(self, state: RunState, images: Images) -> Conclusion:
        """The conclusion that most of several samples give."""
        table = self._table(state)
        staged = pathology(state) is not None
        if not table.rows or not (table.asked or state.request.question is None):
            # There is nothing to judge, so that all samples would say the same.
            return Conclusion(claims=table.untold(), samples=self._client.endpoint.samples)
        schema = schemas.conclude_schema(
            table, options=len(state.request.options), pathology=lesion_types(state) if staged else None
        )
        documents = {
            "evidence": table.document(), "questions": table.questions(state), "round": table.round_document(state),
        }  # fmt: skip
        pictures = list(images()) if self._client.sees() else []
        prompt = _prompt("conclude", load("conclude.system").render(), documents)
        samples = self._client.ask(prompt, schema, self._ledger, images=pictures, progress=self._heard)
        problems: list[Problem] = []
        usable: list[Judged] = []
        for sample in samples:
            form = _form(sample, schemas.ConcludeForm)
            if form is None:
                problems.append(sample.problem or "schema")
            else:
                usable.append(judged(form, table, state))
        if not usable:
            worst = Counter(problems).most_common(1)
            return Conclusion(samples=0, agreement=0.0, problem=worst[0][0] if worst else "empty")
        return vote(usable, max(len(samples), self._client.endpoint.samples))

    def critique(self, state: RunState) -> list[Objection]:
        """Objections of the model, where the endpoint wants them; in fixed words, to claims and evidence that exist."""
        conclusion = state.conclusion
        if not self._client.endpoint.critic or conclusion is None or not conclusion.claims:
            return []
        table = self._table(state)
        claims: dict[str, Claim] = {f"c{number}": claim for number, claim in enumerate(conclusion.claims[:40], start=1)}
        if not table.rows:
            return []
        statements = [
            {"id": name, "says": claim.text, "rests_on": _aliases(claim, table)} for name, claim in claims.items()
        ]
        schema = schemas.critique_schema(list(claims), list(table.by_alias))
        documents = {"evidence": table.document(), "statements": statements}
        form = self._one("critique", load("critique.system").render(), documents, schema, schemas.CritiqueForm)
        found = form.objections[: schemas.MOST_OBJECTIONS] if form else []
        return list(
            dict.fromkeys(
                Objection(
                    gate="critique", claim=claims[one.statement].id, evidence=table.by_alias[one.evidence].one.id,
                    expected=schemas.REASONS[one.why],
                )
                for one in found
                if one.statement in claims and one.evidence in table.by_alias
            )
        )  # fmt: skip

    def reply(self, sentences: Sequence[str], question: str) -> list[int]:
        """Sentences that answer a question; all of them where the model's choice cannot be used."""
        everything = list(range(len(sentences)))
        if not 1 < len(sentences) <= schemas.MOST_SENTENCES:
            return everything
        numbered = [{"n": number, "says": text} for number, text in enumerate(sentences, start=1)]
        schema = schemas.reply_schema(len(sentences))
        documents = {"sentences": numbered, "question": question}
        form = self._one("reply", load("reply.system").render(), documents, schema, schemas.ReplyForm)
        chosen = list(dict.fromkeys(form.sentences)) if form else []
        if not chosen or not all(1 <= number <= len(sentences) for number in chosen):
            return everything
        return [number - 1 for number in chosen]

    def _read(self, text: str, options: Sequence[str], available: Collection[str]) -> Canonical | None:
        """The model's reading of a question, in canonical words; None where it has none that can be answered."""
        system = load("interpret.system").render(kinds=list(load_kinds().values()))
        question = {"words": text, "options": list(options), "labelled": sorted(available)[:_MOST_STRUCTURES]}
        form = self._one("interpret", system, {"question": question}, schemas.reading_schema(), schemas.ReadingForm)
        return canonical(form, available) if form else None

    def _one(
        self, purpose: Purpose, system: str, documents: Mapping[str, Any], schema: schemas.Schema, form: type[Form]
    ) -> Form | None:
        """One sample, the likeliest, read; None where it cannot be used."""
        prompt = _prompt(purpose, system, documents)
        samples = self._client.ask(prompt, schema, self._ledger, samples=1, temperature=0.0, progress=self._heard)
        return next((read for sample in samples if (read := _form(sample, form)) is not None), None)

    def _table(self, state: RunState) -> Table:
        """The evidence, as much as the model's context takes."""
        most = MOST_CHARACTERS
        if (context := self._client.context_tokens) is not None:
            free = context - self._client.endpoint.max_tokens - _FIXED_TOKENS
            most = min(most, max(free, 0) * _CHARACTERS_PER_TOKEN)
        return build_table(state, most_characters=most)


def _prompt(purpose: Purpose, system: str, documents: Mapping[str, Any]) -> Prompt:
    """Fixed instructions, then the documents, those that never change within a run first."""
    user = load(f"{purpose}.user")
    identity = f"{load(f'{purpose}.system').identity} {user.identity}"
    return Prompt(purpose, system, user.render(**documents), identity)


def _form(sample: Sample, form: type[Form]) -> Form | None:
    if sample.data is None:
        return None
    try:
        return form.model_validate(sample.data)
    except pydantic.ValidationError:
        return None


def _aliases(claim: Claim, table: Table) -> list[str]:
    return [table.by_id[ident].alias for ident in claim.evidence if ident in table.by_id]


def _structures(state: RunState) -> set[str]:
    """Structures that a run is about."""
    asked = {name for query in state.queries if isinstance(query, Query) for name in query.structures}
    return asked | {one.target for one in state.evidence.values() if one.tool in PLANNABLE}
