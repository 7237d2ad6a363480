"""The `@tool` decorator: a typed function becomes a tool with a schema, a version, and wording for its results.

A tool is a function ``(case, *, …) -> list[Evidence]``. Its keyword arguments, with their annotations, are its
schema; what it reads decides its cache key; ``says`` holds the sentences that its evidence may be put into, so that
a new tool needs no edit anywhere else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, JsonValue, create_model

from tools.estimated import REASON as UNSURE
from tools.estimated import rests_on
from tools.library import Library
from tools.segment.workshop import Workshop
from tools.types import Evidence, Scalar, State, content_hash
from tools.volume import LabelSet, Scan

Reads = Literal["scan", "labels", "label_source", "settings", "evidence", "prior", "library"]
EvidenceId = Annotated[str, "evidence"]
"""An argument that names evidence; the executor fills it with the id that an earlier task made."""


@cache
def knowledge_digest() -> str:
    """Hash over the data files that every tool may rest on: the ontology, the rules, the margins, the priors."""
    rules = files("tools").joinpath("rules")
    knowledge = files("retrieval").joinpath("knowledge")
    folders = (knowledge, knowledge.joinpath("guidelines"), rules.joinpath("data"), rules.joinpath("margins"))
    rows = [[entry.name, entry.read_text(encoding="utf-8")] for one in folders for entry in one.iterdir()
            if entry.name.endswith((".toml", ".yaml"))]  # fmt: skip
    return content_hash(sorted(rows))


@dataclass(frozen=True)
class CaseSettings:
    """What the user declared about the case, and which of conflicting sources is chosen.

    Attributes:
        phase: contrast phase that the user declared, None if not.
        patient: declared facts such as age and sex.
        prefer: sources in order of preference, for rules that conflict.
        min_lesion_mm3: smallest connected component that counts as a lesion. 50 mm³ is the limit that RadGPT
            applies to pre-marked lesion masks (a sphere of 4.6 mm).
    """

    phase: str | None = None
    patient: tuple[tuple[str, str], ...] = ()
    prefer: tuple[str, ...] = ()
    min_lesion_mm3: float = 50.0

    @property
    def digest(self) -> str:
        """Hash over all of it."""
        return content_hash([self.phase, [list(row) for row in self.patient], list(self.prefer), self.min_lesion_mm3])


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a tool that derives values may look at: evidence by id, and the settings."""

    settings: CaseSettings = field(default_factory=CaseSettings)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


def _scan_content(scan: Scan) -> dict[str, Any]:
    return {
        "scan": scan.digest, "padding": scan.padding, "header": repr(scan.header),
        "orientation": scan.orientation.transform.tolist(),
    }  # fmt: skip


def _content(case: Case) -> list[Any]:
    """What makes up a scan with its labels, whatever was declared about it."""
    labels = case.labels
    named = [labels.digest, labels.source, list(labels.notes)] if labels is not None else None
    return [_scan_content(case.scan), named]


@dataclass(frozen=True, kw_only=True)
class Case(Facts):
    """Everything that a tool may look at: the arrays as well.

    Attributes:
        scan: the scan.
        labels: what is labelled in it.
        prior: an earlier scan of the same patient with its own labels, None where none was given.
        same_patient: whether the files of both scans show that they are of the same patient.
        workshop: segmentation engines that may look at the scan, None where none may.
        library: earlier cases that lesions may be compared with, None where there are none.
    """

    scan: Scan
    labels: LabelSet | None = None
    prior: Case | None = None
    same_patient: bool = False
    workshop: Workshop | None = field(default=None, repr=False, compare=False)
    library: Library | None = field(default=None, repr=False, compare=False)

    @property
    def told_phase(self) -> str | None:
        """Contrast phase as it was declared, or else as the header names it; None where nothing tells."""
        return self.settings.phase or self.scan.header.phase_text


Wording = Mapping[str, Mapping[str, str]]
"""quantity → state (or "true"/"false" for boolean values) → sentence template; see `agent.wording`."""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Tool:
    """A registered tool.

    Attributes:
        name: the function's name.
        version: raised whenever the result for the same input may change.
        reads: parts of the case that the result depends on besides the arguments.
        function: the implementation.
        arguments: pydantic model of the keyword arguments.
        says: sentence templates for the evidence it makes.
        also: structures that it looks at besides those that its arguments name, by the organ these are or lie in; "" is
            for any.
    """

    name: str
    version: str
    reads: tuple[Reads, ...]
    function: Callable[..., list[Evidence]]
    arguments: type[BaseModel]
    says: Wording
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, as tool-calling APIs want it."""
        return self.arguments.model_json_schema()

    @property
    def derives(self) -> bool:
        """Whether it works on evidence alone, so that anyone can make its result again."""
        return set(self.reads) <= {"evidence", "settings"}

    def call(self, case: Facts, arguments: Mapping[str, JsonValue]) -> list[Evidence]:
        """Validate the arguments and run.

        Args:
            case: the case; `Facts` are enough for a tool that derives.
            arguments: keyword arguments as JSON values.

        Raises:
            pydantic.ValidationError: for arguments that don't fit (a programming error of the planner).
            ToolError: where the tool can't do its work.
        """
        checked = self.arguments.model_validate(dict(arguments))
        return self.function(case, **{name: getattr(checked, name) for name in type(checked).model_fields})

    def key(self, case: Case, arguments: Mapping[str, JsonValue]) -> str:
        """Content address of the result: tool, version, full arguments, and the content of all it reads."""
        parts: dict[str, Any] = {"tool": self.name, "version": self.version, "arguments": dict(arguments)}
        parts["knowledge"] = knowledge_digest()
        if "prior" in self.reads:
            before = case.prior
            parts["prior"] = (
                [_content(before), before.settings.digest, case.same_patient] if before is not None else None
            )
            parts["prior_tool"] = _version_of(arguments.get("tool"))
        if "scan" in self.reads:
            parts |= _scan_content(case.scan)
        if "labels" in self.reads:
            parts["labels"] = case.labels.digest if case.labels is not None else None
        if "label_source" in self.reads and case.labels is not None:
            parts["label_source"] = [case.labels.source, list(case.labels.notes)]
        if "settings" in self.reads:
            parts["settings"] = case.settings.digest
        if "library" in self.reads:
            parts["library"] = case.library.key if case.library is not None else None
        if (named := self.arguments.model_fields.get("classifier")) is not None:
            parts["classifier"] = _classifier(arguments.get("classifier", named.default))
        return content_hash(parts)


def _version_of(tool: JsonValue) -> str | None:
    """Version of the tool that an argument names, since its result is part of the caller's."""
    from tools.registry import load_tools  # noqa: PLC0415  (the registry imports this module)

    found = load_tools().get(tool) if isinstance(tool, str) else None
    return found.version if found is not None else None


def _classifier(name: JsonValue) -> str:
    """Content of the classifier that an argument names, which the user may change under the same name."""
    from tools.classifiers.registry import classifier_digest  # noqa: PLC0415  (it imports this module)

    return classifier_digest(str(name))


@dataclass(frozen=True)
class Maker:
    """Makes evidence of one tool call, so that tool, version and arguments are written once.

    Attributes:
        tool, version, arguments: of the call.
        estimated: structures whose masks an engine drew: of these there are no bounds.
    """

    tool: str
    version: str
    arguments: Mapping[str, JsonValue]
    estimated: frozenset[str] = frozenset()

    def __call__(
        self, quantity: str, target: str, *, state: State, method: str, value: Scalar = None, **more: Any
    ) -> Evidence:
        """Make one piece of evidence; further fields of `Evidence` may be given by name."""
        if state is State.NOT_MEASURABLE and self.estimated and rests_on(target, self.estimated):
            details = more.get("details") or {}
            if more.get("lower_bound") is not None or "upper_bound" in details:
                more["lower_bound"] = None
                more["details"] = {name: value for name, value in details.items() if name != "upper_bound"}
                more["reason"] = f"{more.get('reason') or 'only a bound was found'}; {UNSURE}"
        return Evidence.make(
            tool=self.tool, version=self.version, arguments=dict(self.arguments), quantity=quantity,
            target=target, state=state, method=method, value=value, **more,
        )  # fmt: skip


def tool(
    *,
    version: str,
    reads: tuple[Reads, ...],
    says: Wording | None = None,
    also: Mapping[str, tuple[str, ...]] | None = None,
) -> Callable[[Callable[..., list[Evidence]]], Tool]:
    """Turn ``(case, make, *, …) -> list[Evidence]`` into a `Tool`.

    Args:
        version: version of the method.
        reads: what the result depends on besides the arguments.
        says: sentence templates by quantity and state.
        also: structures that it looks at besides those that its arguments name, by the organ these are or lie in (""
            for any): engines look for them too.

    Returns:
        The decorator. ``make`` is a `Maker` already bound to the call.
    """

    def decorate(function: Callable[..., list[Evidence]]) -> Tool:
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                default = ... if parameter.default is inspect.Parameter.empty else parameter.default
                fields[parameter.name] = (hints[parameter.name], default)
        model = create_model(f"{function.__name__}_arguments", __base__=_Arguments, **fields)

        def run(case: Facts, **arguments: Any) -> list[Evidence]:
            plain: dict[str, JsonValue] = model(**arguments).model_dump(mode="json")
            labels = case.labels if isinstance(case, Case) else None
            estimated = labels.estimated if labels is not None else frozenset()
            return function(case, Maker(function.__name__, version, plain, estimated), **arguments)

        run.__doc__ = function.__doc__
        return Tool(
            name=function.__name__, version=version, reads=reads, function=run, arguments=model, says=says or {},
            also=also or {},
        )  # fmt: skip

    return decorate
