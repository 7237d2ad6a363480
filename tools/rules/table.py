"""Rules that are decision tables: rows of conditions on several inputs, the first row that holds decides.

For staging, resectability and scores, where a verdict rests on many facts, some of which nobody may have looked at.
`tools.rules.decide` evaluates them; a file under ``tools/rules/data/`` with ``[[rows]]`` is one of these.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from tools.ontology import load_ontology

Verdict = bool | str
ANY_ORGAN = "*"
"""As the structure of a rule: it holds for lesions of any organ, and for both sides of a pair together."""
Compare = Literal["gt", "ge", "lt", "le", "is", "in", "known"]


class _Frozen(BaseModel):
    # TOML knows no tuples but is strict on everything else: a number is no text, a yes is no number.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Implied(_Frozen):
    """What the verdicts of a rule mean for the question that rules on another topic decide.

    Rules of the same finding are rarely of one form: one says yes or no, another grades. This lets a grade take part
    where the yes or no is asked for, so that sources that conflict are heard together.

    Attributes:
        topic: what the other rules decide.
        verdicts: verdict of this rule, as a key of its `text`, → verdict on that topic; those that say nothing on it
            are left out.
    """

    topic: str
    verdicts: dict[str, Verdict] = Field(min_length=1)


class Condition(_Frozen):
    """One comparison of an input; exactly one of the comparisons is set.

    Attributes:
        input: name of the input.
        gt, ge, lt, le: limit of a number, in the unit of the input.
        equals: ``is`` in the file: the value itself (a yes or no, a word, a number).
        among: ``in`` in the file: any of these values.
        known: whether anything is known of the input, whatever its value. Never in doubt itself: it lets a row rest
            on evidence that is there, and leaves the question to another input where it is not.
    """

    input: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    equals: bool | int | float | str | None = Field(default=None, alias="is")
    among: tuple[bool | int | float | str, ...] = Field(default=(), alias="in")
    known: bool | None = None

    @model_validator(mode="after")
    def _one(self) -> Condition:
        given = [self.gt, self.ge, self.lt, self.le, self.equals, self.among or None, self.known]
        if sum(one is not None for one in given) != 1:
            raise ValueError(f"a condition on {self.input} needs exactly one of gt, ge, lt, le, is, in, known")
        return self

    @property
    def operator(self) -> Compare:
        """Which comparison it is."""
        for name in ("gt", "ge", "lt", "le"):
            if getattr(self, name) is not None:
                return name
        if self.known is not None:
            return "known"
        return "in" if self.among else "is"

    @property
    def operands(self) -> tuple[bool | int | float | str, ...]:
        """What it compares with; several for "in"."""
        if self.among:
            return self.among
        return tuple(one for one in (self.gt, self.ge, self.lt, self.le, self.equals) if one is not None)


class Need(Condition):
    """A condition that must hold for the rule to be used at all.

    Attributes:
        refusal: why it is not used where the condition does not hold, as one clause.
        or_unknown: whether the rule may be used where it is not known whether the condition holds.
    """

    refusal: str
    or_unknown: bool = False


class Row(_Frozen):
    """One line of the table: it holds if all of `all` and at least one of `any` hold; without conditions, always."""

    verdict: Verdict
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the row."""
        return (*self.all, *self.any)


class Call(_Frozen):
    """A tool call whose result is an input.

    Attributes:
        tool: name of the tool.
        args: its arguments; ``$structure`` stands for the organ, ``$lesion`` for the lesion.
        quantity: quantity of the evidence that is taken.
    """

    tool: str
    args: dict[str, JsonValue] = Field(default_factory=dict)
    quantity: str


class Input(_Frozen):
    """One thing that a table rests on; exactly one of `tool`, `declared`, `unseen` and `rule` is set.

    Attributes:
        says: what it is, in words that complete "the …" ("longest axial diameter").
        unit: unit of the limits that it is compared with; None for texts, yes or no, and plain counts.
        tool, args, quantity: the tool call that makes it; see `Call`.
        over: divisor, for a ratio.
        declared: name of a fact that only the user can declare ("age").
        unseen: why nothing here can see it, as one clause; such an input is never known.
        rule: topic of other rules on the same structure whose verdict it is.
        values: every value that a text can have, so that a missing one is not taken for something else.
    """

    says: str
    unit: str | None = None
    tool: str | None = None
    args: dict[str, JsonValue] = Field(default_factory=dict)
    quantity: str | None = None
    over: Call | None = None
    declared: str | None = None
    unseen: str | None = None
    rule: str | None = None
    values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Input:
        if sum(one is not None for one in (self.tool, self.declared, self.unseen, self.rule)) != 1:
            raise ValueError(f"input “{self.says}” needs exactly one of tool, declared, unseen, rule")
        if (self.tool is None) != (self.quantity is None):
            raise ValueError(f"input “{self.says}”: a tool needs the quantity that is taken, nothing else has one")
        if self.tool is None and (self.args or self.over is not None):
            raise ValueError(f"input “{self.says}”: arguments and divisors belong to tools")
        return self

    @property
    def call(self) -> Call:
        """The tool call that makes it (the dividend of a ratio)."""
        assert self.tool is not None and self.quantity is not None
        return Call(tool=self.tool, args=self.args, quantity=self.quantity)


class TableRule(_Frozen):
    """One clinical rule that is a decision table.

    Attributes:
        id: identifier, equal to the file's name.
        version: raised on every change.
        topic: what it decides ("t_category", "resectability", …).
        structure: organ that it applies to, without its side; `ANY_ORGAN` for lesions of any.
        lesion: type of lesion that it is about, which a question that names only the organ means; "" for rules on
            the organ itself.
        source: short name of the source, used in sentences.
        citation: where it is published.
        priority: the rule with the smallest number is the answer where several apply, unless configured otherwise.
        phases: contrast phases in which it is valid; empty for any.
        quantity: quantity of the evidence that it makes.
        noun: what is decided ("T category"), for rules whose verdict is no yes or no.
        unknown: how "not decided" is written in the source ("TX").
        ordered: verdicts from lowest to highest, for "at least".
        normal: verdicts that call for no attention.
        text: how a verdict completes "the {structure} …"; where it is missing, the noun is the verdict.
        implies: what its verdicts mean for questions that rules on other topics decide.
        opinions: verdict → type of lesion that it takes the lesion for; verdicts that are mere cues are left out.
        needs: what must hold for the rule to be used.
        inputs: what it rests on, by name, in the order in which it is told.
        rows: the table.
        note: limits and boundary decisions.
    """

    id: str
    version: str
    topic: str
    structure: str
    lesion: str = ""
    source: str
    citation: str
    priority: int = 1
    phases: tuple[str, ...] = ()
    quantity: str = "verdict"
    noun: str | None = None
    unknown: str | None = None
    ordered: tuple[Verdict, ...] = ()
    normal: tuple[Verdict, ...] = (False,)
    text: dict[str, str] = Field(default_factory=dict)
    implies: tuple[Implied, ...] = ()
    opinions: dict[str, str] = Field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    inputs: dict[str, Input] = Field(min_length=1, max_length=60)
    rows: tuple[Row, ...] = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> TableRule:
        verdicts = self.verdicts
        unknown = {one.input for one in self.conditions} - set(self.inputs)
        if unknown:
            raise ValueError(f"rule {self.id}: conditions on what is no input: {', '.join(sorted(unknown))}")
        if any(not row.conditions for row in self.rows[:-1]):
            raise ValueError(f"rule {self.id}: a row without conditions hides the rows below it")
        if self.noun is None and "true" not in self.text:
            raise ValueError(f"rule {self.id}: a rule needs a noun for what it decides, or a text for yes and no")
        if any(isinstance(one, bool) and str(one).lower() not in self.text for one in verdicts):
            raise ValueError(f"rule {self.id}: yes and no need a text")
        if self.ordered and set(verdicts) - set(self.ordered):
            raise ValueError(f"rule {self.id}: the order leaves verdicts out")
        if set(self.opinions) - {str(one) for one in verdicts}:
            raise ValueError(f"rule {self.id}: opinions on verdicts that it never gives")
        if strange := sorted(set(self.opinions.values()) - set(load_ontology().lesion_types)):
            raise ValueError(f"rule {self.id}: no types of lesions: {', '.join(strange)}")
        for name in self.inputs:
            self.limits(name)
        return self

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the rule, its needs first."""
        return (*self.needs, *(one for row in self.rows for one in row.conditions))

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every verdict that it can give, in the order of the rows."""
        return tuple(dict.fromkeys(row.verdict for row in self.rows))

    def limits(self, name: str) -> tuple[float, ...]:
        """Ascending limits that a number is compared with; empty for inputs that are no numbers.

        Raises:
            ValueError: if the input is compared with numbers in one place and with texts or a yes in another.
        """
        operands = [one for condition in self.conditions if condition.input == name for one in condition.operands]
        kinds = {bool if isinstance(o, bool) else float if isinstance(o, int | float) else str for o in operands}
        if len(kinds) > 1:
            raise ValueError(f"rule {self.id}: input {name} is compared with values of different kinds")
        if kinds != {float}:
            return ()
        return tuple(sorted({float(one) for one in operands}))
