"""Requests with local files: a multipart form whose files are streamed."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from gateway.cli.errors import BAD_USAGE, CommandError

FormPart = tuple[str, tuple[str | None, bytes | IO[bytes], str | None]]
"""The field's name; then file name, content and media type, of which only files have the first and the last."""

_FILE_TYPE = "application/octet-stream"
"""The gateway detects the media type by the first bytes."""


def has_files(body: Mapping[str, Any]) -> bool:
    """True if a value is a file: a `Path`, alone or in a list."""
    return any(isinstance(item, Path) for value in body.values() for item in _items(value))


@contextlib.contextmanager
def open_form(body: Mapping[str, Any]) -> Iterator[list[FormPart]]:
    """The body as the parts of a form, in its order; a list as one `name[]` per item, an object as JSON.

    Files are open inside of the context. Raises CommandError for an unreadable file, UnicodeEncodeError for lone
    surrogates.
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
    # A form has the empty string for null.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value is not None else ""
    return None, text.encode(), None
