"""Help texts: in the language of the terminal, without Python's types, wrapped by the width of the characters."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.language import localize_help, terminal_language

if TYPE_CHECKING:
    from typer._click import HelpFormatter
else:
    HelpFormatter = typer.Context.formatter_class

# Compiled when they are needed: the program starts faster.
_TYPE = r" <[^>]+>"
_DETAILS = r"(?s)(.*?)(?:^|  )\[([^\]]+)\]"
_UNIT = r"\s+|[（“]*(?:[\u2e80-\u9fff]|[^\s\u2e80-\uffef]+)[，。；：、）”]*|."
"""What a line is not broken in: a Chinese character or a word of letters, with its punctuation."""
_MAX_NAME_WIDTH = 30
_GAP = 2


class LocalizedHelp(HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args.replace("{", "").replace("}", ""), prefix or localize_help("Usage: "))

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{localize_help(f'{heading}:')}\n")

    def write_text(self, text: str) -> None:
        paragraphs = localize_help(text).split("\n\n")
        indent = " " * self.current_indent
        lines = ("\n".join(indent + line for line in wrap(text, self.width - len(indent))) for text in paragraphs)
        self.write("\n\n".join(lines) + "\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = _MAX_NAME_WIDTH, col_spacing: int = _GAP
    ) -> None:
        rows = [(re.sub(_TYPE, "", name), _localize_row(text)) for name, text in rows]
        column = min(max(len(name) for name, _ in rows), col_max) + col_spacing
        left = " " * self.current_indent
        for name, text in rows:
            lines = list(wrap(text, max(self.width - column - self.current_indent, 10)))
            first = lines.pop(0) if lines and len(name) + col_spacing <= column else ""
            self.write(f"{left}{name:<{column}}{first}".rstrip() + "\n")
            for line in lines:
                self.write(f"{left}{'':<{column}}{line}\n")


class _Context(typer.Context):
    formatter_class = LocalizedHelp


def localize_command(command: Any) -> None:
    """Give a command, and those below it, help texts in the language of the terminal, also for completion."""
    command.context_class = _Context
    if terminal_language() != "en":
        command.help = localize_help(command.help) if command.help else command.help
        command.short_help = command.help and command.help.partition("。")[0] + "。"
        for parameter in command.params:
            if getattr(parameter, "help", None):
                parameter.help = localize_help(parameter.help)
    for below in getattr(command, "commands", {}).values():
        localize_command(below)


def wrap(text: str, width: int) -> Iterator[str]:
    """Lines of at most `width` terminal cells. A word that is longer stays whole."""
    if text.isascii():
        yield from textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        return
    line, used = "", 0
    for unit in re.findall(_UNIT, " ".join(text.split())):
        cells = width_of(unit)
        if line and used + cells > width:
            yield line.rstrip()
            line, used = "", 0
        if line or not unit.isspace():
            line, used = line + unit, used + cells
    if line:
        yield line.rstrip()


def width_of(text: Iterable[str]) -> int:
    """The width of a text in terminal cells."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _localize_row(text: str) -> str:
    """A description with its details in brackets, such as `[env var: NAME; default: VALUE]`."""
    if terminal_language() == "en":
        return text
    found = re.fullmatch(_DETAILS, text)
    if found is None:
        return localize_help(text)
    details = "；".join(localize_help(detail) for detail in found[2].split("; "))
    return f"{localize_help(found[1])}（{details}）"
