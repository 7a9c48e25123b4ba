"""Building the application from settings."""

import logging

import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.core.settings import ApiSettings, Settings, SettingsError
from providers.contract.settings import ProviderSettings
from providers.dashscope.settings import DashScopeSettings
from providers.jimeng.settings import ExtraModel, JimengSettings


def sessions(*ids: str) -> dict[str, ProviderSettings]:
    return {"jimeng": JimengSettings(credentials=tuple(map(SecretStr, ids)))}


def test_invalid_credential_stops_the_start_and_is_not_shown() -> None:
    settings = Settings.model_construct(providers=sessions("good", "a b secret"))
    with pytest.raises(SettingsError, match="JIMENG_TOKENS: entry 2 is not a credential of jimeng") as caught:
        create_app(settings)
    assert "secret" not in str(caught.value)


def test_keys_without_a_secret_give_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    create_app(Settings.model_construct(keys=(SecretStr("gw-one"),)))
    assert "GATEWAY_SECRET" in caplog.text
    caplog.clear()
    create_app(
        Settings.model_construct(
            keys=(SecretStr("gw-one"),), secret=(SecretStr("a long random text"),), providers=sessions("abc")
        )
    )
    create_app(Settings.model_construct())
    assert not caplog.text


def test_keys_without_accounts_and_short_secrets_give_warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    create_app(Settings.model_construct(keys=(SecretStr("gw-one"),), secret=(SecretStr("short"),)))
    assert "no account" in caplog.text
    assert "shorter than" in caplog.text


@pytest.mark.parametrize("workers", [1, 2])
def test_several_workers_warn_of_upstreams_without_a_lookup_of_submits(
    workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    create_app(Settings.model_construct(workers=workers))
    told = [record.message for record in caplog.records if "Idempotency-Key" in record.message]
    assert len(told) == workers - 1
    assert all("dashscope" in text and "jimeng" not in text for text in told)


def test_unknown_keys_in_hold_submits_give_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    secret, keys = (SecretStr("a long random text"),), (SecretStr("alice:gw-one"),)
    api = ApiSettings(hold_submits=("alice", "pass-through", "bob"))
    create_app(Settings.model_construct(keys=keys, secret=secret, providers=sessions("abc"), api=api))
    assert "names keys that are not configured: bob" in caplog.text


@pytest.mark.parametrize("key", ["alice:one", "gw-abc:def", "one"])
def test_invalid_key_stops_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_KEYS: entry 1"):
        create_app(Settings.model_construct(keys=(SecretStr(key),)))


def test_alias_of_an_unknown_model_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="no-such-model"):
        create_app(Settings.model_construct(aliases={"mine": "no-such-model"}))
    with pytest.raises(SettingsError, match="no-such-model"):
        create_app(Settings.model_construct(providers={"dashscope": DashScopeSettings(image_model="no-such-model")}))


def test_credential_may_name_its_provider() -> None:
    settings = Settings.model_construct(
        keys=(SecretStr("gw-one"),),
        providers=sessions("jimeng:abc")
        | {"dashscope": DashScopeSettings(credentials=(SecretStr("dashscope:sk-abc"),))},
    )
    caller = create_app(settings).state.services.callers.identify("Bearer gw-one")
    assert [account.credential for account in caller.accounts] == ["abc", "sk-abc"]


def test_configured_model_is_known() -> None:
    extra = ExtraModel(name="jimeng-video-next", key="dreamina_next", benefit_type="b", durations=(6,))
    app = create_app(Settings.model_construct(providers={"jimeng": JimengSettings(models=(extra,))}))
    assert app.state.services.tasks.catalog.card("jimeng-video-next").durations == (6,)
