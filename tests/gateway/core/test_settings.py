"""The configuration: environment before file, unknown keys refused, secrets never shown."""

import pickle
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_loader import load_settings
from providers.dashscope.spec import DASHSCOPE
from providers.jimeng.settings import JimengSettings
from providers.jimeng.spec import JIMENG
from providers.registry import PROVIDERS
from tests.environment import bare

ENVIRONMENT = [
    ("GATEWAY_HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("GATEWAY_PORT", "80", "port", 80),
    ("GATEWAY_WORKERS", "3", "workers", 3),
    ("GATEWAY_LANGUAGE", "en", "language", "en"),
    ("GATEWAY_LOG_LEVEL", "debug", "log_level", "debug"),
    ("GATEWAY_LOG_FORMAT", "json", "log_format", "json"),
    ("VIDEO_POLL_INTERVAL", "2000", "video_poll_interval", 2000),
    ("VIDEO_TIMEOUT", "1000", "video_timeout", 1000),
    ("POLL_FRESHNESS", "0", "poll_freshness", 0),
]
OF_PROVIDERS = [
    ("JIMENG_BASE_URL", "http://h:1/", "jimeng", "base_url", "http://h:1"),
    ("JIMENG_COMMERCE_URL", "http://h:2", "jimeng", "commerce_url", "http://h:2"),
    ("JIMENG_IMAGEX_URL", "http://h:3", "jimeng", "imagex_url", "http://h:3"),
    ("JIMENG_VOD_URL", "http://h:4", "jimeng", "vod_url", "http://h:4"),
    ("JIMENG_QPS", "2.5", "jimeng", "queries_per_second", 2.5),
    ("JIMENG_QUERY_BATCH", "10", "jimeng", "query_batch", 10),
    ("jimeng_query_batch", "10", "jimeng", "query_batch", 10),
    ("DASHSCOPE_BASE_URL", "http://h/api/v1", "dashscope", "base_url", "http://h/api/v1"),
    ("QWEN_BASE_URL", "http://old/api/v1", "dashscope", "base_url", "http://old/api/v1"),
    ("QWEN_VIDEO_MODEL", "wan2.7-i2v", "dashscope", "image_model", "wan2.7-i2v"),
    ("DASHSCOPE_QPS", "0", "dashscope", "queries_per_second", 0),
]
FORMER = [
    ('jimeng_tokens = ["one"]', "jimeng", "credentials", (SecretStr("one"),), "[providers.jimeng] credentials"),
    ('jimeng_base_url = "http://h:1"', "jimeng", "base_url", "http://h:1", "[providers.jimeng] base_url"),
    ('jimeng_commerce_url = "http://h:1"', "jimeng", "commerce_url", "http://h:1", "[providers.jimeng] commerce_url"),
    ('jimeng_imagex_url = "http://h:1"', "jimeng", "imagex_url", "http://h:1", "[providers.jimeng] imagex_url"),
    ('jimeng_vod_url = "http://h:1"', "jimeng", "vod_url", "http://h:1", "[providers.jimeng] vod_url"),
    ("jimeng_qps = 1", "jimeng", "queries_per_second", 1, "[providers.jimeng] queries_per_second"),
    ("jimeng_query_batch = 7", "jimeng", "query_batch", 7, "[providers.jimeng] query_batch"),
    ('[jimeng]\napp_version = "1.2.3"', "jimeng", "app_version", "1.2.3", "[providers.jimeng]"),
    ('dashscope_api_key = "a"', "dashscope", "credentials", (SecretStr("a"),), "[providers.dashscope] credentials"),
    ('dashscope_base_url = "http://h"', "dashscope", "base_url", "http://h", "[providers.dashscope] base_url"),
    ('qwen_video_model = "m"', "dashscope", "image_model", "m", "[providers.dashscope] image_model"),
    ("dashscope_qps = 2", "dashscope", "queries_per_second", 2, "[providers.dashscope] queries_per_second"),
]
SECRETS = [("GATEWAY_KEYS", "keys"), ("GATEWAY_SECRET", "secret")]
CREDENTIALS = [("JIMENG_TOKENS", "jimeng"), ("DASHSCOPE_API_KEY", "dashscope")]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def settings_error(config: str | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", Settings.model_fields)
def test_tests_run_without_gateway_variables(name: str) -> None:
    alias = Settings.model_fields[name].validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [alias or f"GATEWAY_{name.upper()}"]
    assert bare({str(each): "x" for each in names}) == {}


@pytest.mark.parametrize("variable", [variable for spec in PROVIDERS for variable in spec.environment])
def test_tests_run_without_provider_variables(variable: str) -> None:
    assert bare({variable: "x"}) == {}


def test_defaults_apply() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 5100, 1)
    assert (settings.language, settings.video_poll_interval, settings.video_timeout) == ("zh", 5000, 600_000)
    assert (settings.poll_freshness, settings.keys) == (1.0, ())
    assert settings.provider(DASHSCOPE).base_url == "https://dashscope.aliyuncs.com/api/v1"
    assert settings.provider(DASHSCOPE).queries_per_second == 20
    assert settings.provider(JIMENG).query_batch == 50


@pytest.mark.parametrize(("variable", "text", "field", "value"), ENVIRONMENT)
def test_variable_sets_a_field(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: object
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(load_settings(), field) == value


@pytest.mark.parametrize(("variable", "text", "provider", "key", "value"), OF_PROVIDERS)
def test_variable_sets_a_provider_field(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, provider: str, key: str, value: object
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(load_settings().providers[provider], key) == value


@pytest.mark.parametrize(("variable", "provider"), CREDENTIALS)
def test_list_of_credentials_is_split(monkeypatch: pytest.MonkeyPatch, variable: str, provider: str) -> None:
    monkeypatch.setenv(variable, " one-secret , two-secret,")
    settings = load_settings()
    credentials = settings.providers[provider].credentials
    assert [credential.get_secret_value() for credential in credentials] == ["one-secret", "two-secret"]
    assert "one-secret" not in f"{settings!r} {settings.masked()}"
    assert settings.masked()["providers"][provider]["credentials"] == ["***", "***"]


def test_newer_of_two_variables_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_BASE_URL", "http://old")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", "http://new")
    assert load_settings().provider(DASHSCOPE).base_url == "http://new"


@pytest.mark.parametrize(("text", "provider", "key", "value", "name"), FORMER)
def test_former_name_in_the_file_is_read(
    tmp_path: Path, text: str, provider: str, key: str, value: object, name: str
) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    settings = load_settings()
    assert getattr(settings.providers[provider], key) == value
    assert list(settings.renamed.values()) == [name]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("jimeng_qps = -1", "jimeng_qps: "),
        ('[jimeng]\napp_version = "x"', "jimeng.app_version: "),
        ("[jimeng]\nversion = 1", "jimeng.version: unknown key"),
        ("jimeng = 1", "jimeng: must be a table"),
        ("jimeng_qps = 1\n[providers]\njimeng = 1", "providers.jimeng: must be a table"),
        ("jimeng_qps = 1\n[providers.jimeng]\nqueries_per_second = 2", "set twice"),
    ],
)
def test_error_under_a_former_name_uses_that_name(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    assert named in settings_error()


def test_variable_takes_precedence_over_former_name_and_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JIMENG_QPS", "3")
    monkeypatch.setenv("DASHSCOPE_QPS", "4")
    (tmp_path / "gateway.toml").write_text(
        "jimeng_qps = 1\n[providers.jimeng]\nquery_batch = 2\n[providers.dashscope]\nqueries_per_second = 1\n"
    )
    settings = load_settings()
    assert (settings.provider(JIMENG).queries_per_second, settings.provider(JIMENG).query_batch) == (3, 2)
    assert settings.provider(DASHSCOPE).queries_per_second == 4


def test_variables_of_former_tables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_MODELS", '[{"name": "n", "key": "k", "benefit_type": "b"}]')
    monkeypatch.setenv("GATEWAY_JIMENG", '{"app_version": "9.9.9"}')
    jimeng = load_settings().provider(JIMENG)
    assert (jimeng.models[0].key, jimeng.app_version) == ("k", "9.9.9")
    monkeypatch.setenv("GATEWAY_MODELS", "[not json")
    assert settings_error() == "GATEWAY_MODELS is not JSON"


def test_providers_can_be_set_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PROVIDERS", '{"jimeng": {"query_batch": 3}}')
    assert load_settings().provider(JIMENG).query_batch == 3


def test_settings_can_be_sent_to_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIMENG_QPS", "3")
    assert pickle.loads(pickle.dumps(load_settings())).provider(JIMENG).queries_per_second == 3


@pytest.mark.parametrize(("variable", "field"), SECRETS)
def test_list_of_secrets_is_split(monkeypatch: pytest.MonkeyPatch, variable: str, field: str) -> None:
    monkeypatch.setenv(variable, " one-secret , two-secret,")
    settings = load_settings()
    assert [secret.get_secret_value() for secret in getattr(settings, field)] == ["one-secret", "two-secret"]
    shown = f"{settings!r} {settings.masked()}"
    assert "one-secret" not in shown
    assert settings.masked()[field] == ["***", "***"]


@pytest.mark.parametrize("variable", ["HOST", "PORT", "KEYS", "SECRET", "MODELS", "PROVIDERS"])
def test_variables_without_the_prefix_are_ignored(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "99")
    assert load_settings().masked() == Settings.model_construct().masked()


def test_environment_takes_precedence_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('port = 1\nhost = "::"\n[aliases]\n"sora-2" = "wan2.6-t2v"\n')
    monkeypatch.setenv("GATEWAY_PORT", "2")
    settings = load_settings()
    assert (settings.port, settings.host, settings.aliases) == (2, "::", {"sora-2": "wan2.6-t2v"})


def test_named_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("port = 11")
    (tmp_path / "b.toml").write_text("port = 12")
    monkeypatch.setenv("GATEWAY_CONFIG", str(tmp_path / "a.toml"))
    assert load_settings().port == 11
    assert load_settings(str(tmp_path / "b.toml")).port == 12


def test_tables_of_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        "[timeouts]\nread = 5\n[limits]\nbody_bytes = 2048\n"
        '[[models]]\nname = "n"\nkey = "dreamina_n"\nbenefit_type = "b"\ndurations = [6]\n'
    )
    settings = load_settings()
    assert (settings.timeouts.read, settings.timeouts.connect, settings.limits.body_bytes) == (5, 10, 2048)
    model = settings.provider(JIMENG).models[0]
    assert (model.key, model.durations) == ("dreamina_n", (6,))


@pytest.mark.parametrize(("written", "held"), [("true", True), ('["alice", "bob"]', ("alice", "bob"))])
def test_submits_are_held_for_all_or_for_named_keys(tmp_path: Path, written: str, held: object) -> None:
    (tmp_path / "gateway.toml").write_text(f'[api]\nhold_submits = {written}\nunknown_fields = "refuse"\n')
    api = load_settings().api
    assert (api.hold_submits, api.unknown_fields) == (held, "refuse")
    assert api.holds_submits("alice")
    assert api.holds_submits("carol") is (held is True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour: unknown key"),
        ("[timeouts]\nconnekt = 1", "timeouts.connekt: unknown key"),
        ("port = 99999", "port"),
        ('port = "x"', "port"),
        ("port = ", "gateway.toml"),
        ('language = "fr"', "language"),
        ('jimeng_base_url = "not an address"', "jimeng_base_url: "),
        ('[api]\nunknown_fields = "drop"', "api.unknown_fields"),
        ("[api]\nhold_submits = 7", "api.hold_submits"),
        ("[providers.nobody]", "providers.nobody: unknown key"),
        ("[providers.jimeng]\nquery = 1", "providers.jimeng.query: unknown key"),
        ("providers = 1", "providers: must have a table"),
        ('[[models]]\nname = "n"', '[[models]] "n": key: is missing'),
    ],
)
def test_invalid_value_stops_the_start_with_one_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    assert named in settings_error()


def test_table_variable_that_is_no_json_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ALIASES", "notjson")
    assert settings_error() == "GATEWAY_ALIASES is not JSON"


def test_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe\x00")
    assert "gateway.toml" in settings_error()


def test_missing_named_file_is_an_error() -> None:
    assert "nowhere.toml does not exist" in settings_error("nowhere.toml")


def test_invalid_value_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", "sk-put-here-by-mistake")
    assert "sk-put-here" not in settings_error()


@pytest.mark.parametrize("userinfo", ["user:pw", "user:p/w"])
def test_password_in_a_url_is_masked(userinfo: str) -> None:
    settings = Settings.model_construct(providers={"jimeng": JimengSettings(base_url=f"http://{userinfo}@h:1")})
    assert settings.masked()["providers"]["jimeng"]["base_url"] == "http://***@h:1"


def test_misspelt_variable_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PROT", "1")
    assert settings_error() == "GATEWAY_PROT: unknown variable; did you mean GATEWAY_PORT?"


def test_similar_variables_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_URL", "GATEWAY_KEY", "GATEWAY_SERVICE_HOST", "GATEWAY_PORT_80_TCP_ADDR"):
        monkeypatch.setenv(name, "x")
    assert load_settings().port == 5100


GOOD_SECRET = "whsec_" + "A" * 32


def test_secret_and_networks_of_webhooks_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_WEBHOOK_SECRET", GOOD_SECRET)
    monkeypatch.setenv("GATEWAY_WEBHOOK_NETWORKS", "10.1.4.0/24,fd00::/8")
    settings = load_settings()
    assert settings.webhook_secret is not None
    assert settings.webhook_secret.get_secret_value() == GOOD_SECRET
    assert list(map(str, settings.webhook_networks)) == ["10.1.4.0/24", "fd00::/8"]
    assert settings.masked()["webhook_secret"] == "***"


@pytest.mark.parametrize(
    "secret", ["a long random text", "A" * 32, "whsec_", "whsec_" + "A" * 28, "whsec_" + "A" * 31, "whsec_" + "A" * 88]
)
def test_malformed_webhook_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    """A verifier would read it as other bytes, or refuse it."""
    monkeypatch.setenv("GATEWAY_WEBHOOK_SECRET", secret)
    assert settings_error().startswith("GATEWAY_WEBHOOK_SECRET: must be whsec_ and the base64 of 24 to 64 random bytes")
