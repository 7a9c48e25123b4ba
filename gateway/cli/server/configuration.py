"""`config`: the effective configuration as JSON or TOML, secrets masked."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.cli.errors import configuration_errors
from gateway.cli.output import print_result
from gateway.core.settings import Settings
from gateway.core.settings_loader import load_settings

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_settings(config: Path | None = None) -> Settings:
    """The settings from the environment and the file. Raises CommandError."""
    with configuration_errors():
        return load_settings(str(config) if config else None)


def show_configuration(config: Path | None, as_json: bool) -> None:
    """Print the effective configuration. Raises CommandError if it is invalid."""
    masked = read_settings(config).masked()
    print_result(json.dumps(masked, ensure_ascii=False, indent=2) if as_json else "\n".join(toml_lines(masked)))


def toml_lines(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The table as TOML, one key per line, tables as dotted keys, unset keys as comments."""
    for name, value in table.items():
        key = prefix + _key(name)
        if isinstance(value, Mapping) and value:
            yield from toml_lines(value, f"{key}.")
        elif value is None:
            yield f"# {key} is not set"
        else:
            yield f"{key} = {_toml(value)}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Mapping):
        fields = (f"{_key(name)} = {_toml(item)}" for name, item in value.items() if item is not None)
        return f"{{{', '.join(fields)}}}"
    # Strings, numbers and booleans have the same syntax in JSON and TOML.
    return json.dumps(value, ensure_ascii=False)
