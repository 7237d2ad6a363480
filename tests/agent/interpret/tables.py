"""Reading the tables of questions beside the tests."""

from __future__ import annotations

from pathlib import Path

from agent.query import NotUnderstood, Query

HERE = Path(__file__).parent
UNDERSTOOD = (
    "understood.txt",
    "understood_benchmark.txt",
    "understood_tumours.txt",
    "understood_paraphrases.txt",
    "understood_widened.txt",
    "understood_phrased.txt",
    "understood_everyday.txt",
)
AVAILABLE = ("GTV", "label_3", "my_structure")


def understood() -> list[tuple[str, tuple[str, ...]]]:
    """Question and the headings that say how it must be read."""
    rows: list[tuple[str, tuple[str, ...]]] = []
    heads: tuple[str, ...] = ()
    open_heads = False
    for line in [line for name in UNDERSTOOD for line in lines(name)]:
        if line.startswith("> "):
            heads = (*heads, line[2:]) if open_heads else (line[2:],)
            open_heads = True
        else:
            open_heads = False
            rows.append((line, heads))
    return rows


def refused() -> list[str]:
    """Questions that must not be understood."""
    return [
        *lines("refused.txt"),
        *lines("refused_widened.txt"),
        *lines("refused_phrased.txt"),
        *lines("refused_everyday.txt"),
    ]


def heading(entry: Query | NotUnderstood) -> str:
    """A query as the table writes it."""
    if isinstance(entry, NotUnderstood):
        return f"not understood: {entry.reason}"
    said = [entry.kind, ",".join(entry.structures) or "-"]
    said += [f"unit={entry.unit}"] if entry.unit else []
    said += [f"cmp={entry.comparator}"] if entry.comparator else []
    said += [f"num={entry.threshold:g}"] if entry.threshold is not None else []
    said += [f"num_unit={entry.threshold_unit}"] if entry.threshold_unit else []
    said += [f"upper={entry.upper:g}"] if entry.upper is not None else []
    said += [f"wanted={entry.wanted}"] if entry.wanted else []
    said += ["not"] if entry.negated else []
    said += ["explain"] if entry.explain else []
    return " ".join(said)


def lines(name: str) -> list[str]:
    """The lines of a table that are neither empty nor remarks."""
    told = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in told if line and not line.startswith("#")]
