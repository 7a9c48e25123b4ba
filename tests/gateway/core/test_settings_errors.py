"""Problems of a configuration: the place, the operator's words and the key that was meant."""

import json
import re
from pathlib import Path

import pytest

from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_errors import _PHRASES
from gateway.core.settings_loader import load_settings

RAW = re.compile(r"[Ii]nput should|unable to parse|validation error|pydantic|Extra inputs|Field required|source \"")
"""What pydantic says by itself."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def message_of(text: str = "") -> str:
    Path("gateway.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert "\n" not in message
    assert not RAW.search(message), message
    return message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prot = 5", "gateway.toml line 1: prot: unknown key; did you mean port?"),
        ("\n# x\nport = 'x'", "gateway.toml line 3: port: must be a whole number"),
        ("port = 1.5", "gateway.toml line 1: port: must be a whole number"),
        ("port = 99999", "gateway.toml line 1: port: must be at most 65535"),
        ("language = 'fr'", "gateway.toml line 1: language: must be 'zh' or 'en'"),
        ("zzzzz = 1", "gateway.toml line 1: zzzzz: unknown key"),
        ("host = 7", "gateway.toml line 1: host: must be text"),
        ("[timeouts]\nread = 'x'", "gateway.toml line 2: timeouts.read: must be a number"),
        ("timeouts = 3", "gateway.toml line 1: timeouts: must be a table"),
        ("timeouts.read = 0", "gateway.toml line 1: timeouts.read: must be greater than 0"),
        ("[archive]\nfolow = true", "gateway.toml line 2: archive.folow: unknown key; did you mean follow?"),
        ("[archve]\nfollow = true", "gateway.toml line 1: archve: unknown key; did you mean archive?"),
        (
            "[providers.jimeng]\nquery_bach = 1",
            "providers.jimeng.query_bach: unknown key; did you mean query_batch?",
        ),
        ("[providers.jimmeng]", "line 1: providers.jimmeng: unknown key; did you mean jimeng?"),
        (
            '[[accounts]]\nname = "a"\ncredential = "x"\n\n[[accounts]]\nname = "b"\ncredential = "y"\nwieght = 2',
            'gateway.toml line 8: [[accounts]] "b": wieght: unknown key; did you mean weight?',
        ),
        ('[[accounts]]\ncredential = "x"', "gateway.toml line 1: [[accounts]] number 1: name: is missing"),
        ('accounts = [{name = "a"}]', 'gateway.toml line 1: [[accounts]] "a": credential: is missing'),
        (
            "[key_limits.keys.bob]\nsubmit_per_day = 1",
            "line 2: key_limits.keys.bob.submit_per_day: unknown key; did you mean submits_per_day?",
        ),
        ("[key_limits.keys.bob]\nburst = 'x'", "line 2: key_limits.keys.bob.burst: must be a whole number"),
        ("[aliases]\na = 1", "line 2: aliases.a: must be text"),
        ("[api]\nhold_submits = 7", "line 2: api.hold_submits: must be true or false or must be a list"),
        ("port = ", "gateway.toml line 1: Invalid value"),
        ("a = 1\na = 2", "gateway.toml line 2: Cannot overwrite a value"),
    ],
)
def test_problem_has_file_line_key_and_what_is_meant(text: str, expected: str) -> None:
    assert expected in message_of(text)


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("GATEWAY_PORT", "x", "GATEWAY_PORT: must be a whole number"),
        ("gateway_port", "x", "GATEWAY_PORT: must be a whole number"),
        ("VIDEO_TIMEOUT", "-1", "VIDEO_TIMEOUT: must be at least 0"),
        ("GATEWAY_LOG_LEVEL", "loud", "GATEWAY_LOG_LEVEL: must be 'debug', 'info', 'warning' or 'error'"),
        ("GATEWAY_ALIASES", "{", "GATEWAY_ALIASES is not JSON"),
        ("GATEWAY_TIMEOUTS", '{"reed": 1}', "GATEWAY_TIMEOUTS.reed: unknown key; did you mean read?"),
        ("JIMENG_QPS", "fast", "JIMENG_QPS: must be a number"),
        ("GATEWAY_ADMINKEY", "x", "GATEWAY_ADMINKEY: unknown variable; did you mean GATEWAY_ADMIN_KEY?"),
        ("GATEWAY_MEDIA", '{"networks": ["x"]}', "GATEWAY_MEDIA.networks.entry 1: must be an IP network"),
    ],
)
def test_problem_of_a_variable_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, expected: str
) -> None:
    monkeypatch.setenv(variable, text)
    assert message_of().startswith(expected)


def test_variable_is_named_where_it_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "x")
    assert message_of("port = 5100") == "GATEWAY_PORT: must be a whole number"


@pytest.mark.parametrize("name", ["a\n", "", ".a", "a b", "a/b", "x" * 65])
def test_account_name_with_other_characters_is_an_error(name: str) -> None:
    text = f'[[accounts]]\nname = {json.dumps(name)}\ncredential = "x"'
    assert "name: has characters that are not allowed here, or too many" in message_of(text)


@pytest.mark.parametrize("name", ["a", "团队-1", "é_2.b", "-x", "x" * 64])
def test_account_name_may_have_letters_of_any_script(name: str) -> None:
    Path("gateway.toml").write_text(f'[[accounts]]\nname = "{name}"\ncredential = "sk-x"', "utf-8")
    assert [account.name for account in load_settings().accounts] == [name]


def test_all_problems_are_in_one_line() -> None:
    message = message_of("prot = 5\n[timeouts]\nread = 0\n")
    assert sorted(re.findall(r"line \d: [\w.]+", message)) == ["line 1: prot", "line 3: timeouts.read"]


@pytest.mark.parametrize("name", ["port", "keys", "timeouts", "accounts", "cors_origins", "archive_url", "media"])
def test_no_value_is_shown(name: str) -> None:
    assert name in Settings.model_fields
    assert "sk-secret" not in message_of(f'{name} = [[["sk-secret"]]]')


def test_phrases_need_no_value() -> None:
    for phrase in _PHRASES.values():
        assert not re.search(r"\{(?!(gt|ge|lt|le|expected)\})", phrase)


def test_names_of_keys_are_shown_and_the_keys_are_not() -> None:
    Path("gateway.toml").write_text('keys = ["alice:gw-secret-1", "gw-secret-2", "sk-wrong:x"]', "utf-8")
    assert load_settings().masked()["keys"] == ["alice:***", "***", "***"]
