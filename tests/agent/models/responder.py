"""A client that answers without a server: from the documents of the prompt, truthfully or as a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.models.client import Prompt, Sample
from agent.models.endpoint import Endpoint
from agent.models.schema_check import misfit
from agent.models.usage import Call, Ledger
from prompts import documents

Respond = Callable[[str, dict[str, Any], Mapping[str, Any], int], dict[str, Any] | None]
"""From purpose, documents, schema and number of the sample to the answer; None for one that cannot be used."""


def truthful(purpose: str, docs: dict[str, Any], schema: Mapping[str, Any], number: int = 0) -> dict[str, Any]:
    """What a model that copies its evidence faithfully fills in."""
    assert purpose == "conclude"
    rows = [dict(zip(docs["evidence"]["columns"], row, strict=True)) for row in docs["evidence"]["rows"]]
    fields = schema["properties"]
    said: dict[str, Any] = {}
    if "answers" in fields:
        said["answers"] = [
            _asked_for(
                {"q": one["q"], **one["row"], **({"option": "none"} if one.get("options") else {})}, fields["answers"]
            )
            for one in docs["questions"]
        ]
    if "findings" in fields:
        said["findings"] = [row["id"] for row in rows if row["as"] == "finding"]
    if "impression" in fields:
        said["impression"] = [
            _asked_for(_restated(row), fields["impression"]) for row in rows if row["as"] == "impression"
        ]
    if "t" in fields:
        decided = {row["what"]: row["value"] for row in rows if row["state"] == "measured"}
        said |= {
            name: decided.get(f"category_{name}", f"{name.upper()}X") for name in ("t", "n", "m")
        } | {"stage": decided.get("stage", ""), "diagnosis": "none"}  # fmt: skip
        if "differential" in fields:
            said["differential"] = []
    return said


def _asked_for(said: dict[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name in form["items"]["properties"]}


def _restated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"evidence": row["id"], "value": row["value"], "unit": row["unit"], "state": row["state"]}


class FakeClient:
    """Answers by a function, and keeps what it was asked."""

    name = "fake"
    context_tokens: int | None = None

    def __init__(self, respond: Respond = truthful, *, check: bool = True, sees: bool = False, **settings: Any) -> None:
        self.endpoint = Endpoint(url="http://127.0.0.1:1/v1", name="fake", **settings)
        self.prompts: list[Prompt] = []
        self.schemas: list[Mapping[str, Any]] = []
        self.images: list[int] = []
        self._respond, self._check, self._sees = respond, check, sees

    def sees(self) -> bool:
        return self._sees

    def ask(
        self, prompt: Prompt, schema: Mapping[str, Any], ledger: Ledger, *, samples: int | None = None,
        images: Sequence[bytes] = (), temperature: float | None = None, progress: Callable[[int], None] | None = None,
    ) -> list[Sample]:  # fmt: skip
        self.prompts.append(prompt)
        self.schemas.append(schema)
        self.images.append(len(images))
        count = samples or self.endpoint.samples
        found = [self._respond(prompt.purpose, documents(prompt.user), schema, number) for number in range(count)]
        if self._check:
            assert [misfit(one, schema) for one in found if one is not None] == [None] * sum(
                x is not None for x in found
            )
        ledger.add(Call(model="fake", purpose=prompt.purpose, seconds=0.0, samples=count, result=list(found)))
        return [Sample(one, None if one is not None else "malformed") for one in found]
