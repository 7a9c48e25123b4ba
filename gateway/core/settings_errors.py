"""Problems of a configuration in an operator's words: where they stand, what is wrong and which key was meant."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.core.toml_lines import line_of

_PHRASES = {
    "bool": "must be true or false",
    "dict": "must be a table",
    "float": "must be a number",
    "int": "must be a whole number",
    "list": "must be a list",
    "model": "must be a table",
    "string": "must be text",
    "tuple": "must be a list",
    "ip": "must be an IP network such as 10.1.2.0/24",
    "missing": "is missing",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "has characters that are not allowed here, or too many",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "finite_number": "must be a finite number",
}
"""By type of error, or by its first word. A value is never shown: it may be a secret."""

_MAX_NAME = 64
"""Characters of the name of a table that are shown."""


@dataclass(slots=True)
class WrittenNames:
    """The names that the operator wrote: `written` by the path of the current key, `variables` by that of keys which
    come from the environment, `renamed` for the log."""

    written: dict[tuple[str, ...], str] = field(default_factory=dict)
    variables: dict[tuple[str, ...], str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def describe(error: ValidationError, model: type[BaseModel], file: Path, names: WrittenNames) -> str:
    """All problems in one line, each with its place."""
    text = _text_of(file)
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_input=False, include_url=False, include_context=True):
        where, what = _describe(problem, model, file, text, names)
        # A field of several types has a problem for each.
        found.setdefault(where, []).append(what)
    return "; ".join(f"{where}: {' or '.join(dict.fromkeys(whats))}" for where, whats in found.items())


def syntax_error(file: Path, error: tomllib.TOMLDecodeError) -> str:
    """A file that is no TOML. The parser names the place after its message."""
    what, _, where = str(error).rpartition(" (at ")
    line = where.removeprefix("line ").partition(",")[0]
    if not line.isdigit():
        # At the end of the document.
        line = str(len(_text_of(file).splitlines()))
    return f"{file} line {line}: {what}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean port?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _describe(
    problem: ErrorDetails, model: type[BaseModel], file: Path, text: str, names: WrittenNames
) -> tuple[str, str]:
    """Where a problem is, and what it is."""
    path = _path_of_field(problem["loc"], model)
    if problem["type"] == "extra_forbidden":
        what = f"unknown key{did_you_mean(str(path[-1]), _keys_at(path[:-1], model))}"
    else:
        what = _phrase(problem)
    spelled, place = _spelled(path, text, names)
    line = line_of(text, place) if place is not None else None
    return f"{file} line {line}: {spelled}" if line is not None else spelled, what


def _phrase(problem: ErrorDetails) -> str:
    kind = problem["type"]
    if kind in ("value_error", "assertion_error"):
        return problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    phrase = _PHRASES.get(kind) or _PHRASES.get(kind.partition("_")[0], "is not valid")
    limits = problem.get("ctx", {}).items()
    return phrase.format_map({name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in limits})


def _spelled(path: tuple[str | int, ...], text: str, names: WrittenNames) -> tuple[str, tuple[str | int, ...] | None]:
    """A key as the operator wrote it, and where it stands in the file; None for the environment."""
    for length in range(len(path), 0, -1):
        key = tuple(str(part) for part in path[:length])
        if key in names.variables:
            return _join((names.variables[key], *path[length:])), None
        if key in names.written:
            path = (names.written[key], *path[length:])
            break
    index = next((number for number, part in enumerate(path) if isinstance(part, int)), len(path))
    table = _table_at(text, path[: index + 1])
    if table is None:
        return _join(path), path
    name = table.get("name")
    is_shown = isinstance(name, str) and name.isprintable() and len(name) <= _MAX_NAME
    shown = f'"{name}"' if is_shown else f"number {int(path[index]) + 1}"
    return ": ".join(filter(None, [f"[[{_join(path[:index])}]] {shown}", _join(path[index + 1 :])])), path


def _table_at(text: str, path: tuple[str | int, ...]) -> dict[str, Any] | None:
    """The table of an array at a path that ends with its index; None where there is none."""
    if not path or not isinstance(path[-1], int):
        return None
    try:
        found: Any = tomllib.loads(text)
        for part in path:
            found = found[part]
    except (tomllib.TOMLDecodeError, LookupError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _join(path: tuple[str | int, ...]) -> str:
    return ".".join(part if isinstance(part, str) else f"entry {part + 1}" for part in path)


def _path_of_field(path: tuple[str | int, ...], model: type[BaseModel]) -> tuple[str | int, ...]:
    """The path without the members of unions, which the operator does not write, and with the field in place of an
    alias."""
    if not path:
        return ("configuration",)
    for name, info in model.model_fields.items():
        if path[0] == info.validation_alias:
            path = (name, *path[1:])
    kept: list[str | int] = []
    types: list[Any] = [model]
    for part in path:
        if not any(_holds(one, part) for one in types):
            break
        kept.append(part)
        types = _types_at(types, part)
    return tuple(kept)


def _keys_at(path: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    types: list[Any] = [model]
    for part in path:
        types = _types_at(types, part)
    return [name for one in types if _is_table(one) for name in one.model_fields]


def _holds(type_: Any, part: str | int) -> bool:
    """True for a table or an array, which a key or an index is in."""
    origin = get_origin(type_)
    if isinstance(part, int):
        return origin in (list, tuple, Sequence)
    return _is_table(type_) or origin in (dict, Mapping)


def _types_at(types: Sequence[Any], part: str | int) -> list[Any]:
    """The possible types of what is at a key or an index of one of these types."""
    found: list[Any] = []
    for one in types:
        if _is_table(one):
            found += _members(one.model_fields[part].annotation) if part in one.model_fields else ()
        elif _holds(one, part):
            found += _members(get_args(one)[-1 if isinstance(part, str) else 0])
    return found


def _members(annotation: Any) -> list[Any]:
    """The types of a union, and what is below `Annotated`."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return [member for one in get_args(annotation) for member in _members(one)]
    return _members(get_args(annotation)[0]) if origin is Annotated else [annotation]


def _is_table(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, BaseModel)


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def variables_of(model: type[BaseModel], prefix: str, environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """The variables of the environment that set a field, by the path of the field."""
    given = {name.upper(): name for name in environment}
    found: dict[tuple[str, ...], str] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        variable = (alias if isinstance(alias, str) else f"{prefix}{name}").upper()
        if variable in given:
            found[name,] = variable
    return found
