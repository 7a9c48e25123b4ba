"""A request that hands over files of this machine: a form, its files read while they are sent."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from gateway.cli.errors import BAD_USAGE, CommandError

Part = tuple[str, tuple[str | None, bytes | IO[bytes], str | None]]
"""The field's name; then the file's name, what is in it, and its type: names and types are those of files only."""

_FILE_TYPE = "application/octet-stream"
"""The gateway knows pictures and videos by their first bytes."""


def holds_files(body: Mapping[str, Any]) -> bool:
    """Whether a file is among the values: a `Path`, alone or in a list."""
    return any(isinstance(item, Path) for value in body.values() for item in _items(value))


@contextlib.contextmanager
def form_of(body: Mapping[str, Any]) -> Iterator[list[Part]]:
    """The body as the parts of a form, in its order; a list as `name[]` once for each item, an object as JSON.

    Files are open inside. Raises CommandError for one that cannot be read, UnicodeEncodeError for what is no text.
    """
    with contextlib.ExitStack() as opened:
        try:
            yield [
                (f"{name}[]" if isinstance(value, list) else name, _part(item, opened))
                for name, value in body.items()
                for item in _items(value)
            ]
        except OSError as error:
            reason = error.strerror or error
            raise CommandError(f"{error.filename or 'a file'} cannot be read: {reason}", BAD_USAGE) from None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _part(value: Any, opened: contextlib.ExitStack) -> tuple[str | None, bytes | IO[bytes], str | None]:
    if isinstance(value, Path):
        name = value.name.encode("utf-8", "replace").decode()
        return name, opened.enter_context(value.open("rb")), _FILE_TYPE
    # An empty text is what a form has for null.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value is not None else ""
    return None, text.encode(), None
