"""Colours, fonts and furniture of the overlay pictures: legend, scale bar, orientation letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from PIL import ImageDraw, ImageFont

from tools.overlay_colours import Colour, colour_of

BACKGROUND: Colour = (17, 21, 27)
INK: Colour = (238, 241, 245)
BLACK: Colour = (0, 0, 0)
DIM: Colour = (158, 168, 180)
MAX_LEGEND = 24

_ROW = 22
_SWATCH = 14
_ASCENT = 3
_BARS_MM = (200, 100, 50, 20, 10, 5, 2, 1)
_BAR_SHARE = 0.3


def palette(names: Iterable[str]) -> dict[str, Colour]:
    """The colour of every name, the same whatever others there are; no two names have the very same one."""
    made: dict[str, Colour] = {}
    for name in names:
        red, green, blue = colour_of(name)
        while (red, green, blue) in made.values():
            blue = (blue + 37) % 256
        made[name] = (red, green, blue)
    return made


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with Pillow, `size` pixels high: the same on every machine."""
    return ImageFont.load_default(size)


def clip_text(draw: ImageDraw.ImageDraw, text: str, size: int, width: float) -> str:
    """One line of printable text that fits into `width` pixels."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:400]).split())
    face = font(size)
    if draw.textlength(line, font=face) <= width:
        return line
    fitting = bisect_right(range(1, len(line)), width, key=lambda n: draw.textlength(line[:n] + "...", font=face))
    return line[:fitting].rstrip() + "..."


def legend_rows(
    draw: ImageDraw.ImageDraw, colours: Mapping[str, Colour], width: float
) -> list[list[tuple[str, Colour | None, float]]]:
    """Break a legend into rows of (text, colour, x in pixels); a colourless entry counts what is left out."""
    entries: list[tuple[str, Colour | None]] = [*list(colours.items())[:MAX_LEGEND]]
    if len(colours) > MAX_LEGEND:
        entries.append((f"and {len(colours) - MAX_LEGEND} more", None))
    rows: list[list[tuple[str, Colour | None, float]]] = []
    x = 0.0
    for name, colour in entries:
        text = clip_text(draw, name, 14, width / 4)
        needed = _SWATCH + 7 + draw.textlength(text, font=font(14))
        if not rows or x + needed > width:
            rows.append([])
            x = 0.0
        rows[-1].append((text, colour, x))
        x += needed + 20
    return rows


def draw_legend(
    draw: ImageDraw.ImageDraw, rows: list[list[tuple[str, Colour | None, float]]], left: float, top: float
) -> None:
    """Draw rows made by `legend_rows`."""
    for number, row in enumerate(rows):
        y = top + number * _ROW
        for text, colour, x in row:
            if colour is not None:
                faint = tuple(round(b + (c - b) * 0.35) for c, b in zip(colour, BACKGROUND, strict=True))
                box = (left + x, y + 2, left + x + _SWATCH, y + 2 + _SWATCH)
                draw.rounded_rectangle(box, radius=3, fill=faint, outline=colour, width=2)
            draw.text((left + x + _SWATCH + 7, y), text, font=font(14), fill=INK)


def legend_height(rows: list[list[tuple[str, Colour | None, float]]]) -> int:
    """Height in pixels of a legend."""
    return len(rows) * _ROW


def draw_letters(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], letters: tuple[str, ...]) -> None:
    """Write what lies left, right, up and down at the middle of a box's edges (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    places = (
        (x0 + 6, middle_y, "lm"),
        (x1 - 6, middle_y, "rm"),
        (middle_x, y0 + 3, "ma"),
        (middle_x, y1 - 3, "md"),
    )
    for letter, (x, y, anchor) in zip(letters, places, strict=True):
        draw.text((x, y), letter, font=font(17), fill=INK, anchor=anchor, stroke_width=2, stroke_fill=BLACK)


def draw_scale_bar(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], pixels_per_mm: float) -> None:
    """Draw a bar of a round length, with that length, into the lower left corner of a box."""
    x0, _, x1, y1 = box
    length = next((mm for mm in _BARS_MM if mm * pixels_per_mm <= _BAR_SHARE * (x1 - x0)), None)
    if length is None:
        return
    left, right, y = x0 + 12, x0 + 12 + length * pixels_per_mm, y1 - 14
    for width, colour in ((5, BLACK), (2, INK)):
        draw.line((left, y, right, y), fill=colour, width=width)
        for x in (left, right):
            draw.line((x, y - 5, x, y + 5), fill=colour, width=width)
    text = f"{length / 10:g} cm"
    draw.text((left, y - 8), text, font=font(13), fill=INK, anchor="ld", stroke_width=2, stroke_fill=BLACK)
