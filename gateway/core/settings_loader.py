"""Loads the configuration from the environment, which takes precedence, and one TOML file.

The settings of providers come from the variables of their specs and from the tables `[providers.NAME]`. Their former
keys at the top level of the file are still accepted.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic_settings
from pydantic import ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from gateway.core.settings import FileVersion, Settings, SettingsError
from gateway.core.settings_errors import WrittenNames, describe, did_you_mean, syntax_error, variables_of
from providers import registry
from providers.contract.settings import Section
from providers.contract.spec import AnySpec

DEFAULT_FILE = "gateway.toml"

_OTHER_VARIABLES = {"GATEWAY_CONFIG", "GATEWAY_URL", "GATEWAY_KEY"}
"""Variables of the loader and of the client commands."""
_FIELD_OF_ERROR = re.compile(r'field "(\w+)"')
_SERVICE_LINK = re.compile(r"GATEWAY_(?:SERVICE|PORT)_")
"""Kubernetes sets such variables for a service named gateway."""


def settings_file(config: str | None = None) -> Path:
    """The configuration file: `config`, else GATEWAY_CONFIG, else gateway.toml in the working directory."""
    return Path(config or os.environ.get("GATEWAY_CONFIG") or DEFAULT_FILE)


def file_version(file: Path) -> FileVersion | None:
    """The current version of a file, None if it does not exist."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def load_settings(config: str | None = None) -> Settings:
    """The settings from the environment and the file, which must exist only if it is named.

    Raises SettingsError.
    """
    path = settings_file(config)
    if (config or os.environ.get("GATEWAY_CONFIG")) and not path.is_file():
        raise SettingsError(f"{path} does not exist")
    names = WrittenNames()
    # Taken before the file is read, so that a change in between is detected.
    version = file_version(path)
    try:
        _refuse_unknown_variables()
        model = _settings_class(path, names)
        names.variables.update(variables_of(model, "GATEWAY_", os.environ))
        found = model()
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(syntax_error(path, error)) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except pydantic_settings.SettingsError as error:
        # A variable of a table, such as GATEWAY_ALIASES, whose field is all that the error names.
        name = _FIELD_OF_ERROR.search(str(error))
        variable = names.variables.get((name[1],), name[1]) if name else "a variable"
        raise SettingsError(f"{variable} is not JSON") from None
    except ValidationError as error:
        raise SettingsError(describe(error, model, path, names)) from None
    # An instance of the plain class, which can be pickled for other processes.
    values = {name: value for name, value in found}  # noqa: C416 - `keys` is a field, which would mislead `dict`
    settings = Settings.model_construct(**values | {"providers": dict(found.providers)})
    settings._file_version, settings._renamed = version, names.renamed
    return settings


def _settings_class(path: Path, names: WrittenNames) -> type[Settings]:
    """The settings with a table for each provider, read from the environment and from `path`."""

    class Loaded(Settings):
        model_config = SettingsConfigDict(toml_file=path if path.is_file() else None)

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **sources: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                _ProviderVariables(settings_cls, names),
                sources["env_settings"],
                _File(settings_cls, names),
            )

    tables: dict[str, Any] = {spec.name: (spec.settings, spec.settings()) for spec in registry.PROVIDERS}
    providers = create_model("Providers", __base__=Section, **tables)
    return create_model("LoadedSettings", __base__=Loaded, providers=(providers, providers()))


class _ProviderVariables(PydanticBaseSettingsSource):
    """The environment variables of the specs, and the GATEWAY_ variables of former tables."""

    def __init__(self, settings_cls: type[BaseSettings], names: WrittenNames) -> None:
        super().__init__(settings_cls)
        self._names = names

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Unused: all fields are read at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        # Case-insensitive, like the other variables.
        environment = {name.upper(): text for name, text in os.environ.items()}
        found: dict[str, Any] = {}
        for spec in registry.PROVIDERS:
            table = found.setdefault(spec.name, {})
            for variable, key in spec.environment.items():
                if variable in environment and key not in table:
                    table[key] = environment[variable]
                    self._names.variables["providers", spec.name, key] = variable
            for variable, key in _json_variables(spec).items():
                if variable in environment:
                    value = _json(variable, environment[variable])
                    _put(table, key, value, variable)
                    path = ("providers", spec.name, key) if key else ("providers", spec.name)
                    self._names.variables[path] = variable
        return {"providers": {name: table for name, table in found.items() if table}}


class _File(TomlConfigSettingsSource):
    """The file, with former keys under their current names."""

    def __init__(self, settings_cls: type[BaseSettings], names: WrittenNames) -> None:
        super().__init__(settings_cls)
        self._names = names

    def __call__(self) -> dict[str, Any]:
        content = dict(super().__call__())
        if not isinstance(content.setdefault("providers", {}), Mapping):
            raise SettingsError("providers: must have a table for each provider")
        for spec in registry.PROVIDERS:
            for former, key in spec.former_keys.items():
                if former in content:
                    value = content.pop(former)
                    tables = content["providers"] = dict(content["providers"])
                    table = tables.get(spec.name, {})
                    if not isinstance(table, Mapping):
                        raise SettingsError(f"providers.{spec.name}: must be a table")
                    table = tables[spec.name] = dict(table)
                    _put(table, key, value, former)
                    path = ("providers", spec.name, *filter(None, [key]))
                    self._names.written.setdefault(path, former)
                    self._names.renamed[former] = f"[providers.{spec.name}] {key}".rstrip()
        return content


def _put(table: dict[str, Any], key: str, value: Any, written: str) -> None:
    """Put a value under a key of a provider's table, or into the table itself. Raises SettingsError if the current name
    is set as well."""
    values = {key: value} if key else value
    if not isinstance(values, Mapping):
        raise SettingsError(f"{written}: must be a table")
    for name in values:
        if name in table:
            raise SettingsError(f"{written}: {name} is set twice, here and under its current name")
    table |= values


def _json_variables(spec: AnySpec) -> dict[str, str]:
    """The variables of former tables, whose values are JSON, such as `GATEWAY_MODELS`."""
    own = set(spec.environment.values())
    return {f"GATEWAY_{former.upper()}": key for former, key in spec.former_keys.items() if key not in own}


def _json(variable: str, text: str) -> Any:
    """The value of a variable that holds JSON. Raises SettingsError."""
    try:
        return json.loads(text)
    except ValueError:
        raise SettingsError(f"{variable} is not JSON") from None


def _refuse_unknown_variables() -> None:
    """Raises SettingsError for an unknown variable: a misspelt one would silently do nothing."""
    known = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    known |= {name for spec in registry.PROVIDERS for name in _json_variables(spec)}
    for name in sorted(os.environ):
        if name.startswith("GATEWAY_") and name not in known and not _SERVICE_LINK.match(name):
            raise SettingsError(f"{name}: unknown variable{did_you_mean(name, known)}")
