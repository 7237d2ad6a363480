"""A pathology conclusion as rows for reading: the run's own, or a reviewer's."""

from __future__ import annotations

from agent.lesion_types import type_name
from agent.report_model import Pathology, ReviewedPathology


def pathology_rows(found: Pathology | None) -> list[tuple[str, str]]:
    """Name and text of everything that the run concluded."""
    if found is None:
        return []
    rows = [
        *_stated(found),
        # Which of the types that the evidence leaves open are named is the model's judgement, and no finding.
        ("Left open by the evidence, named by the model", ", ".join(map(type_name, found.differential))),
        ("Agreement of the model's answers", "" if found.confidence is None else f"{100 * found.confidence:.0f} %"),
    ]
    return [(name, text) for name, text in rows if text]


def concluded(found: Pathology | ReviewedPathology | None) -> str:
    """What was concluded, in a few words; empty where nothing was."""
    if found is None:
        return ""
    return ", ".join(f"{name[:1].lower() + name[1:]} {text}" for name, text in _stated(found) if text)


def _stated(found: Pathology | ReviewedPathology) -> list[tuple[str, str]]:
    return [
        ("Diagnosis", type_name(found.diagnosis or "")),
        ("cT", found.ct or ""),
        ("cN", found.cn or ""),
        ("cM", found.cm or ""),
        ("Stage", found.stage or ""),
    ]
