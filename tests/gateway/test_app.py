"""Making the application from settings."""

import logging

import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.settings import ExtraModel, Settings, SettingsError


def test_a_credential_that_cannot_be_one_stops_the_start_and_is_not_shown() -> None:
    settings = Settings.model_construct(jimeng_tokens=(SecretStr("good"), SecretStr("a b secret")))
    with pytest.raises(SettingsError, match="JIMENG_TOKENS: entry 2 is not a credential of jimeng") as caught:
        create_app(settings)
    assert "secret" not in str(caught.value)


def test_keys_without_a_secret_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    create_app(Settings.model_construct(keys=(SecretStr("gw-one"),)))
    assert "GATEWAY_SECRET" in caplog.text
    caplog.clear()
    create_app(Settings.model_construct(keys=(SecretStr("gw-one"),), secret=(SecretStr("s"),)))
    create_app(Settings.model_construct())
    assert not caplog.text


def test_a_model_of_the_configuration_is_known() -> None:
    extra = ExtraModel(name="jimeng-video-next", key="dreamina_next", benefit_type="b", durations=(6,))
    app = create_app(Settings.model_construct(models=(extra,)))
    assert app.state.parts.tasks.card("jimeng-video-next").durations == (6,)
