"""Words of the questions: the wordings of a kind, and the choice of some of them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from evals.questions_model import Item, Split


class Wordings(BaseModel):
    """Wordings of one kind (or of one group of it)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: tuple[str, ...]
    held_out: tuple[str, ...]


class Wording(NamedTuple):
    """One wording: its identifier, whether it was held out, and the words with the slots filled."""

    ident: str
    split: Split
    text: str


@cache
def load_wordings() -> dict[str, Wordings]:
    """All wordings by kind, or "KIND / GROUP"; read once per process."""
    data = tomllib.loads(files("evals").joinpath("wordings.toml").read_text(encoding="utf-8"))
    return {name: Wordings.model_validate(table) for name, table in data.items() if name != "version"}


def wordings_of(item: Item) -> list[Wording]:
    """Every wording of an item.

    Raises:
        KeyError: the kind has no wordings, or a wording needs a slot that the item does not fill.
    """
    name = f"{item.subtype} / {item.group}" if item.group else item.subtype
    own = load_wordings()[name]
    listed: list[Wording] = []
    pairs: tuple[tuple[Split, tuple[str, ...]], ...] = (("train", own.train), ("held-out", own.held_out))
    for split, texts in pairs:
        listed += [Wording(f"{name} {split} {n}", split, text.format(**item.slots)) for n, text in enumerate(texts, 1)]
    return listed
