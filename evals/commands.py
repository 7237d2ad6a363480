"""Commands that this package adds to the command line: `phantom make`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import ValidationError
from rich.console import Console

from agent.errors import UsageError
from evals.phantom_options import LesionSpec, LesionType, PhantomOptions
from evals.phantom_tissue import Phase

LESION_HELP = (
    f"A lesion TYPE[:DIAMETER_MM[:left|right]], repeatable; types: {', '.join(get_args(LesionType))}. "
    "Not together with --lesions."
)


def register(app: typer.Typer) -> None:
    """Add the `phantom` group to the root command."""
    group = typer.Typer(help="Synthetic CT scans with exact truth.", no_args_is_help=True)
    group.command("make")(make)
    group.callback()(_group)
    app.add_typer(group, name="phantom")


def _group() -> None:
    """Synthetic CT scans with exact truth."""


def make(
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for ct.nii.gz, labels.nii.gz and truth.json. One that holds a phantom is overwritten."
        ),
    ],
    seed: Annotated[int, typer.Option(min=0, help="Which patient; equal options give equal files.")] = 0,
    phase: Annotated[Phase, typer.Option(help="Contrast phase.")] = Phase.PORTAL,
    spacing: Annotated[
        tuple[float, float, float], typer.Option(metavar="X Y Z", help="Voxel spacing in mm (0.3 to 15).")
    ] = (2.5, 2.5, 2.5),
    truncate: Annotated[
        list[str] | None,
        typer.Option(help="Cut the field of view: top=MM, bottom=MM (repeatable), or none."),
    ] = None,
    noise: Annotated[float, typer.Option(min=0, help="Standard deviation of the noise in HU.")] = 11.0,
    lesions: Annotated[
        int | None, typer.Option(min=0, help="Number of lesions of random type; one or two if not given.")
    ] = None,
    lesion: Annotated[list[str] | None, typer.Option(help=LESION_HELP)] = None,
    fatty_liver: Annotated[bool, typer.Option("--fatty-liver", help="A liver below the spleen on plain CT.")] = False,
    padding: Annotated[bool, typer.Option("--padding", help="−2000 HU outside the reconstruction circle.")] = False,
    metal: Annotated[bool, typer.Option("--metal", help="A metal screw in the spine, with streaks.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of these names that are no phantom's.")
    ] = False,
) -> None:
    """Make a synthetic abdominal CT with labels and truth from a seed."""
    from evals.phantom import make_phantom  # noqa: PLC0415  (scipy: only when a phantom is made)
    from evals.phantom_io import check_target, write_phantom  # noqa: PLC0415

    if lesion and lesions is not None:
        raise UsageError("--lesions and --lesion exclude each other: give a number, or name the lesions")
    options = parse_options(
        seed=seed,
        phase=phase,
        spacing=spacing,
        noise=noise,
        lesions=tuple(parse_lesion(text) for text in lesion) if lesion else lesions,
        fatty_liver=fatty_liver,
        padding=padding,
        metal=metal,
        **parse_truncation(truncate or []),
    )
    check_target(out, force)
    with Console(stderr=True).status(f"making the phantom of seed {seed}"):
        phantom = make_phantom(options)
        files = write_phantom(phantom, out, force)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for path in (files.scan, files.labels, files.truth):
        console.print(str(path))


def parse_options(**values: Any) -> PhantomOptions:
    """Checked options of a phantom.

    Raises:
        UsageError: a value is out of its range.
    """
    try:
        return PhantomOptions(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{str(first['loc'][0]).replace('_', '-')}: {_clause(first['msg'])}") from error


def parse_lesion(text: str) -> LesionSpec:
    """A lesion from TYPE[:DIAMETER_MM[:SIDE]].

    Raises:
        UsageError: unknown type or side, or a diameter that is none.
    """
    kind, _, rest = text.partition(":")
    diameter, _, side = rest.partition(":")
    try:
        return LesionSpec.model_validate({"type": kind, "diameter_mm": diameter or None, "side": side or None})
    except ValidationError as error:
        raise UsageError(f"--lesion {text}: {_clause(error.errors()[0]['msg'])}") from error


def parse_truncation(texts: list[str]) -> dict[str, float]:
    """Millimetres off the field of view from top=MM, bottom=MM or none.

    Raises:
        UsageError: another end, or a length that is none.
    """
    cuts: dict[str, float] = {}
    for text in texts:
        if text == "none":
            continue
        end, _, length = text.partition("=")
        try:
            cuts[{"top": "cut_top_mm", "bottom": "cut_bottom_mm"}[end]] = float(length)
        except (KeyError, ValueError) as error:
            raise UsageError(f"--truncate {text} is none of top=MM, bottom=MM and none: give a length in mm") from error
    return cuts


def _clause(message: str) -> str:
    return message[:1].lower() + message[1:]
