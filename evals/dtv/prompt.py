"""What a DeepTumorVQA prompt says: the question, its options, the answer's form, and what is known of the scan.

A prompt has lines: a sentence on the modality, ``Patient: sex=…, age=…, scanner=…, contrast=…``, for numeric kinds
spacing and shape, the question (with inline options "A: x B: y" for multiple choice), and an instruction on the
form of the answer. Whatever cannot be read is left out, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tools.readers.phase_words import phase_of

Form = Literal["letter", "number", "yesno", "phrase"]
MAX_PROMPT = 20_000
_PATIENT = re.compile(r"^\s*patient\s*:\s*(.+)$", re.IGNORECASE)
_FACT = re.compile(r"(\w+)\s*=\s*([^,;]+)")
_GRID = re.compile(r"\b(spacing|shape)\b[^\d\n]*([\d.]+)[^\d.\n]+([\d.]+)[^\d.\n]+([\d.]+)", re.IGNORECASE)
_OPTION = re.compile(r"(?<![\w'])\(?([A-Z])\s*[:.)]\s+")
_LABEL = re.compile(r"^\s*(?:question|q)\s*:\s*", re.IGNORECASE)
_CHOICES = re.compile(r"\s*(?:options|choices|answer choices|candidates)\s*:?\s*$", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"\b(answer|respond|reply|output|provide|return|give|choose|select)\b.*\b(only|single|letter|number|numeric|numerical|"
    r"yes|phrase|word|words|option|concise|short|value)\b",
    re.IGNORECASE,
)
_SHOWN = re.compile(
    r"\b(you are|given|shown|provided|attached|this is|below)\b.*\b(ct|image|images|slice|scan|volume)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Prompt:
    """A prompt, read.

    Attributes:
        question: the question without its options.
        options: texts of the options in the order of their letters; empty for free-form answers.
        form: how the answer must look.
        facts: what the patient line says, lower-case names.
        phase: contrast phase that the patient line names, None where it names none.
        spacing, shape: of the scan, where the prompt gives them.
    """

    question: str
    options: tuple[str, ...] = ()
    form: Form = "phrase"
    facts: tuple[tuple[str, str], ...] = ()
    phase: str | None = None
    spacing: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None


def read_prompt(text: str) -> Prompt:
    """Take a prompt apart; see the module's text for its form."""
    facts: tuple[tuple[str, str], ...] = ()
    grids: dict[str, tuple[float, float, float]] = {}
    asked: list[str] = []
    instructions: list[str] = []
    for line in (one.strip() for one in text[:MAX_PROMPT].splitlines()):
        grid = _GRID.findall(line)
        if (found := _PATIENT.match(line)) is not None:
            facts = tuple(sorted((name.lower(), value.strip()) for name, value in _FACT.findall(found.group(1))))
        elif grid and "?" not in line:
            grids |= {name.lower(): (float(a), float(b), float(c)) for name, a, b, c in grid if _numbers(a, b, c)}
        elif line and "?" not in line and not _OPTION.match(line) and _INSTRUCTION.search(line):
            instructions.append(line)
        elif line and not ("?" not in line and _SHOWN.search(line) and not asked):
            asked.append(line)
    question, options, rest = _options(" ".join(asked))
    question, after = _sentence(question)
    instructions += [rest, after]
    shape = grids.get("shape")
    return Prompt(
        question=_CHOICES.sub("", _LABEL.sub("", question)).strip(),
        options=options,
        form="letter" if options else _form(" ".join(instructions).lower()),
        facts=facts,
        phase=phase_of([dict(facts).get("contrast", "")]),
        spacing=grids.get("spacing"),
        shape=(int(shape[0]), int(shape[1]), int(shape[2])) if shape else None,
    )


def _numbers(*texts: str) -> bool:
    return all(re.fullmatch(r"\d+(\.\d+)?", text.rstrip(".")) for text in texts)


def _options(text: str) -> tuple[str, tuple[str, ...], str]:
    """Question, options, and an instruction that stands behind the last option; letters must run from A."""
    marks = list(_OPTION.finditer(text))
    for start, first in enumerate(marks):
        run = [first]
        for mark in marks[start + 1 :]:
            if ord(mark.group(1)) == ord(run[-1].group(1)) + 1:
                run.append(mark)
        if first.group(1) == "A" and len(run) > 1:
            ends = [*(mark.start() for mark in run[1:]), len(text)]
            options = [text[mark.end() : end].strip(" ,;|\n") for mark, end in zip(run, ends, strict=True)]
            rest = ""
            if (found := _INSTRUCTION.search(options[-1])) is not None:
                options[-1], rest = options[-1][: found.start()].strip(" .,;"), options[-1][found.start() :]
            return text[: first.start()].strip(), tuple(options), rest
    return text.strip(), (), ""


def _sentence(text: str) -> tuple[str, str]:
    """The sentences that end in a question mark, and what stands behind them; all of it where there is none."""
    if "?" not in text:
        return text, ""
    body, _, after = text.rpartition("?")
    asked = [one for one in re.split(r"(?<=[.?!])\s+", body + "?") if one.endswith("?")]
    return " ".join(asked), after.strip()


def _form(instruction: str) -> Form:
    if re.search(r"\byes\b.*\bno\b", instruction):
        return "yesno"
    return "number" if re.search(r"\b(number|numeric|numerical|numeral)\b", instruction) else "phrase"
