"""The example of a configuration file: complete, and valid as it is and with every setting set."""

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.core.settings import AccountSettings, Settings
from gateway.core.settings_loader import load_settings
from providers.registry import PROVIDERS
from tests.deploy.example_config import FILE, render

TEXT = FILE.read_text("utf-8")
EVERYTHING = re.sub(r"^#(?=\S)", "", TEXT, flags=re.MULTILINE)


def test_file_matches_the_settings() -> None:
    assert render() == TEXT, "run: python -m tests.deploy.example_config"


def test_copied_file_changes_nothing(tmp_path: Path) -> None:
    copied = tmp_path / "gateway.toml"
    copied.write_text(TEXT, "utf-8")
    assert load_settings(str(copied)).masked() == Settings().masked()


def test_every_setting_may_be_uncommented(tmp_path: Path) -> None:
    copied = tmp_path / "gateway.toml"
    copied.write_text(EVERYTHING, "utf-8")
    settings = load_settings(str(copied))
    assert [account.name for account in settings.accounts] == ["main"]
    assert settings.renamed == {}


def keys_of(table: Any, path: str = "") -> Iterator[str]:
    """Every key of a TOML document, with those of tables and of the first entry of a list of tables."""
    for name, value in table.items():
        yield f"{path}{name}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = value[0]
        if isinstance(value, dict):
            yield from keys_of(value, f"{path}{name}.")


def fields_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        if isinstance(field.default, BaseModel):
            yield from fields_of(type(field.default), f"{path}{name}.")


def test_no_setting_is_missing() -> None:
    written = set(keys_of(tomllib.loads(EVERYTHING)))
    missing = [name for name in fields_of(Settings) if name not in written]
    missing += [name for name in fields_of(AccountSettings, "accounts.") if name not in written]
    for spec in PROVIDERS:
        missing += [name for name in fields_of(spec.settings, f"providers.{spec.name}.") if name not in written]
    assert missing == []


@pytest.mark.parametrize("spec", PROVIDERS, ids=lambda spec: spec.name)
def test_variables_of_providers_are_named(spec: Any) -> None:
    first = {key: name for name, key in reversed([*spec.environment.items()])}
    assert [name for name in first.values() if f"({name})" not in TEXT] == []


def test_every_setting_has_a_comment_above() -> None:
    lines = TEXT.splitlines()
    uncommented = [line for above, line in pairwise(lines) if re.match(r"#[\w\"]+ = ", line) and above[:2] != "# "]
    assert uncommented == []
