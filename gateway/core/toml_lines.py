"""The line of a key in a TOML file, which the parser does not tell."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_LONG_TEXT = re.compile("\"\"\"|'''")

Path = tuple[str | int, ...]
"""Keys, and indexes from 0 of the tables of an array."""


def line_of(text: str, path: Path) -> int | None:
    """The number, from 1, of the line that has the key `path`, or the nearest table or key around it; None where there
    is none. `text` is a valid TOML document."""
    lines = _lines(text)
    for length in range(len(path), 0, -1):
        if (line := lines.get(path[:length])) is not None:
            return line
    return None


def _lines(text: str) -> dict[Path, int]:
    """The line of each key and of each table. Elements of inline arrays and tables have that of their key."""
    found: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _HEADER.match(line):
            table = _in_arrays(_parts(header[2]), arrays)
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, arrays[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
            opened = _LONG_TEXT.findall(line)
            closing = opened[0] if len(opened) % 2 else ""
    return found


def _parts(name: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(name))


def _in_arrays(path: Sequence[str | int], arrays: dict[Path, int]) -> Path:
    """The path with the index of the latest table of each array that it passes through."""
    inside: Path = ()
    for part in path[:-1]:
        inside = (*inside, part)
        if inside in arrays:
            inside = (*inside, arrays[inside])
    return (*inside, *path[-1:])
