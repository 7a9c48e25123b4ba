"""The configuration: environment before file, unknown keys refused, secrets never shown."""

from pathlib import Path

import pytest
from pydantic import AliasChoices

from gateway.core.settings import Settings, SettingsError, load_settings
from tests.environment import bare

ENVIRONMENT = [
    ("GATEWAY_HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("GATEWAY_PORT", "80", "port", 80),
    ("GATEWAY_WORKERS", "3", "workers", 3),
    ("GATEWAY_LANGUAGE", "en", "language", "en"),
    ("GATEWAY_LOG_LEVEL", "debug", "log_level", "debug"),
    ("GATEWAY_LOG_FORMAT", "json", "log_format", "json"),
    ("JIMENG_BASE_URL", "http://h:1/", "jimeng_base_url", "http://h:1"),
    ("JIMENG_COMMERCE_URL", "http://h:2", "jimeng_commerce_url", "http://h:2"),
    ("DASHSCOPE_BASE_URL", "http://h/api/v1", "dashscope_base_url", "http://h/api/v1"),
    ("QWEN_BASE_URL", "http://old/api/v1", "dashscope_base_url", "http://old/api/v1"),
    ("QWEN_VIDEO_MODEL", "wan2.7-i2v", "qwen_video_model", "wan2.7-i2v"),
    ("VIDEO_POLL_INTERVAL", "2000", "video_poll_interval", 2000),
    ("VIDEO_TIMEOUT", "1000", "video_timeout", 1000),
    ("POLL_FRESHNESS", "0", "poll_freshness", 0),
    ("JIMENG_QUERY_BATCH", "10", "jimeng_query_batch", 10),
]
SECRETS = [
    ("GATEWAY_KEYS", "keys"),
    ("GATEWAY_SECRET", "secret"),
    ("JIMENG_TOKENS", "jimeng_tokens"),
    ("DASHSCOPE_API_KEY", "dashscope_api_key"),
]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def refused(config: str | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_test_is_configured_from_outside(name: str) -> None:
    alias = Settings.model_fields[name].validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [alias or f"GATEWAY_{name.upper()}"]
    assert bare({str(each): "x" for each in names}) == {}


def test_the_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 5100, 1)
    assert (settings.language, settings.video_poll_interval, settings.video_timeout) == ("zh", 5000, 600_000)
    assert settings.dashscope_base_url == "https://dashscope.aliyuncs.com/api/v1"
    assert (settings.poll_freshness, settings.jimeng_query_batch, settings.keys) == (1.0, 50, ())


@pytest.mark.parametrize(("variable", "text", "field", "value"), ENVIRONMENT)
def test_a_variable(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: object) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(load_settings(), field) == value


@pytest.mark.parametrize(("variable", "field"), SECRETS)
def test_a_list_of_secrets(monkeypatch: pytest.MonkeyPatch, variable: str, field: str) -> None:
    monkeypatch.setenv(variable, " one-secret , two-secret,")
    settings = load_settings()
    assert [secret.get_secret_value() for secret in getattr(settings, field)] == ["one-secret", "two-secret"]
    shown = f"{settings!r} {settings.masked()}"
    assert "one-secret" not in shown
    assert settings.masked()[field] == ["***", "***"]


@pytest.mark.parametrize("variable", ["HOST", "PORT", "KEYS", "SECRET", "MODELS"])
def test_names_of_others_are_not_read(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "99")
    assert load_settings().model_dump() == Settings.model_construct().model_dump()


def test_a_file_stands_below_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('port = 1\nhost = "::"\n[aliases]\n"sora-2" = "wan2.6-t2v"\n')
    monkeypatch.setenv("GATEWAY_PORT", "2")
    settings = load_settings()
    assert (settings.port, settings.host, settings.aliases) == (2, "::", {"sora-2": "wan2.6-t2v"})


def test_a_named_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("port = 11")
    (tmp_path / "b.toml").write_text("port = 12")
    monkeypatch.setenv("GATEWAY_CONFIG", str(tmp_path / "a.toml"))
    assert load_settings().port == 11
    assert load_settings(str(tmp_path / "b.toml")).port == 12


def test_parts_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        "[timeouts]\nread = 5\n[limits]\nbody_bytes = 2048\n"
        '[[models]]\nname = "n"\nkey = "dreamina_n"\nbenefit_type = "b"\ndurations = [6]\n'
    )
    settings = load_settings()
    assert (settings.timeouts.read, settings.timeouts.connect, settings.limits.body_bytes) == (5, 10, 2048)
    assert (settings.models[0].key, settings.models[0].durations) == ("dreamina_n", (6,))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour: unknown key"),
        ("[timeouts]\nconnekt = 1", "timeouts.connekt: unknown key"),
        ("port = 99999", "port"),
        ('port = "x"', "port"),
        ("port = ", "gateway.toml"),
        ('language = "fr"', "language"),
        ('jimeng_base_url = "not an address"', "JIMENG_BASE_URL"),
        ('[[models]]\nname = "n"', "models.entry 1.key"),
    ],
)
def test_what_cannot_be_used_stops_with_one_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    assert named in refused()


def test_a_table_in_a_variable_that_is_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ALIASES", "notjson")
    assert "aliases" in refused()


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe\x00")
    assert "gateway.toml" in refused()


def test_a_named_file_that_is_not_there() -> None:
    assert "nowhere.toml does not exist" in refused("nowhere.toml")


def test_a_bad_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", "sk-put-here-by-mistake")
    assert "sk-put-here" not in refused()


@pytest.mark.parametrize("userinfo", ["user:pw", "user:p/w"])
def test_a_password_in_an_address_is_masked(userinfo: str) -> None:
    settings = Settings.model_construct(jimeng_base_url=f"http://{userinfo}@h:1")
    assert settings.masked()["jimeng_base_url"] == "http://***@h:1"


def test_a_misspelt_variable_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PROT", "1")
    assert refused() == "GATEWAY_PROT: unknown variable"


def test_variables_of_others_that_look_alike_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_URL", "GATEWAY_KEY", "GATEWAY_SERVICE_HOST", "GATEWAY_PORT_80_TCP_ADDR"):
        monkeypatch.setenv(name, "x")
    assert load_settings().port == 5100
