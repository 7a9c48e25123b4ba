"""Lengths, secrets and whole configurations as others write them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.byte_ranges import content_length
from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_loader import load_settings
from gateway.core.webhook_secrets import PREFIX, is_secret
from tests.foreign_data import headers, texts

_TABLES = ("", "[limits]", "[media]", "[timeouts]", "[providers.jimeng]", "[providers.dashscope]", "[aliases]")
_NAMES = (*list(Settings.model_fields)[:40], "name", "credential", "queries_per_second", "x")
_VALUES = (
    "1",
    "-1",
    "1e400",
    "true",
    '"x"',
    '"\\u0000"',
    "[]",
    "[1]",
    "{}",
    "{a = 1}",
    '["a", 1]',
    "1979-05-27",
    "nan",
)
_lines = st.sampled_from([*_TABLES, "[[accounts]]", "# x", "=", '"'])
_pairs = st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES)).map(" = ".join)
configurations = st.lists(_lines | _pairs, max_size=6).map("\n".join) | st.text(max_size=30)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("configuration"))
    yield
    os.chdir(before)


@settings(max_examples=60)
@given(configurations.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=20))
def test_any_configuration_is_loaded_or_has_a_problem_in_one_line(text: bytes) -> None:
    Path("gateway.toml").write_bytes(text)
    try:
        assert isinstance(load_settings(), Settings)
        problem = "none"
    except SettingsError as error:
        problem = str(error)
    assert problem and "\n" not in problem


@settings(max_examples=80)
@given(headers | texts)
def test_any_content_length_is_a_length_or_none(value: str) -> None:
    found = content_length({"content-length": value})
    assert found is None or found >= 0


@settings(max_examples=80)
@given(st.booleans(), texts)
def test_any_text_is_a_webhook_secret_or_not(prefixed: bool, text: str) -> None:
    assert is_secret(PREFIX + text if prefixed else text) in (True, False)


@pytest.mark.parametrize("value", ["9" * 5000, "٣", "²", "-1", ""])
def test_endless_content_length_is_unknown(value: str) -> None:
    assert content_length({"content-length": value}) is None


@pytest.mark.parametrize("text", [f"{PREFIX}é", "whsec", f"{PREFIX}{'A' * 31}"])
def test_secret_with_other_letters_is_none(text: str) -> None:
    assert not is_secret(text)
