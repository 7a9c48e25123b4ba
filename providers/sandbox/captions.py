"""The text in a drawn clip: the model, the ratio, the prompt's first words; and a font that has its characters."""

import shutil
import unicodedata
from pathlib import Path

from providers.sandbox.clips import Scene, Shape, nearest_ratio
from providers.sandbox.subprocesses import run

MAX_PROMPT_LINES = 4
MAX_PROMPT_CHARACTERS = 1000
LIST_SECONDS = 5.0

_FONT_TYPES = (".ttf", ".otf", ".ttc")
_ODD_FONTS = ("bold", "italic", "oblique", "condensed", "narrow", "mono", "serif", "math", "light", "thin", "black")
_USUAL_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    "/System/Library/Fonts/Helvetica.ttc",
    "C:/Windows/Fonts/arial.ttf",
)
"""Tried for ASCII where fontconfig's tools are not installed."""


def ratio_name(shape: Shape) -> str:
    """A ratio such as 9:16, or the pixels of a shape that is near to none."""
    width, height = shape
    wide, high = nearest_ratio(shape)
    return f"{wide}:{high}" if abs(width * high / (height * wide) - 1) < 0.05 else f"{width}x{height}"


def caption(scene: Scene, columns: int) -> list[str]:
    """The lines of a scene, each of at most `columns` columns."""
    prompt = scene.prompt[:MAX_PROMPT_CHARACTERS]
    printable = "".join(character for character in prompt if character.isprintable() or character.isspace())
    facts = f"{ratio_name(scene.shape)}  {scene.seconds:g} s"
    return [*wrap(scene.model, columns, 1), facts, "", *wrap(printable, columns, MAX_PROMPT_LINES)]


def wrap(text: str, columns: int, lines: int) -> list[str]:
    """The beginning of a text in at most `lines` lines, broken at spaces where there are any; wide characters take two
    columns."""
    found: list[str] = []
    rest = " ".join(text.split())
    while rest and len(found) < lines:
        fits = _fitting(rest, columns)
        if fits < len(rest) and rest[fits] != " " and " " in rest[:fits]:
            fits = rest.rfind(" ", 0, fits)
        found.append(rest[:fits])
        rest = rest[fits:].lstrip()
    if rest:
        found[-1] = f"{found[-1][: _fitting(found[-1], columns - 3)]}..."
    return found


def _fitting(text: str, columns: int) -> int:
    """How many characters of a text fit, at least one."""
    used = 0
    for at, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > columns:
            return max(at, 1)
    return len(text)


def only_ascii(lines: list[str]) -> list[str]:
    """The lines without what a font without other characters cannot show."""
    return [line.encode("ascii", "ignore").decode().strip() for line in lines]


async def find_font(text: str) -> str | None:
    """The path of a font that has every character of a text, preferably an upright sans-serif one; None if none has.
    Raises OSError and TimeoutError."""
    program = shutil.which("fc-list")
    if program is None:
        return _usual_font() if text.isascii() else None
    wanted = " ".join(sorted({f"{ord(character):x}" for character in text if not character.isspace()}))
    listed = await run(program, "-f", "%{file}\n", f":charset={wanted}", seconds=LIST_SECONDS)
    fonts = [line for line in listed.output.decode(errors="replace").splitlines() if line.lower().endswith(_FONT_TYPES)]
    return min(fonts, key=_oddity, default=None)


def _usual_font() -> str | None:
    return next((font for font in _USUAL_FONTS if Path(font).is_file()), None)


def _oddity(font: str) -> tuple[int, bool, str]:
    name = Path(font).name.lower()
    return sum(word in name for word in _ODD_FONTS), "sans" not in name, font


async def write_caption(lines: list[str], folder: Path) -> bool:
    """Write the lines as `text` into a folder, and a link `font` beside it. False if no font has even the ASCII of
    them. Raises OSError and TimeoutError."""
    for shown in (lines, only_ascii(lines)):
        font = await find_font("".join(shown))
        if font is not None:
            _write(folder, "\n".join(shown).rstrip(), font)
            return True
    return False


def _write(folder: Path, text: str, font: str) -> None:
    (folder / "text").write_text(text, "utf-8", newline="\n")
    (folder / "font").symlink_to(font)
