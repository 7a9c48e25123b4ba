"""What the pages know about the gateway."""

from typing import Any

import pytest
from pydantic import SecretStr

from gateway.core.settings import Settings
from gateway.web.site import describe_site, uses_sandbox
from providers import registry
from providers.sandbox.server import SandboxServer


def settings_with(**fields: Any) -> Settings:
    defaults: dict[str, Any] = {"providers": {}}
    return Settings.model_construct(**defaults | fields)


@pytest.mark.parametrize(
    ("keys", "pass_through", "accepts"),
    [((), False, ["upstream"]), (("a:gw-1",), False, ["gateway"]), (("a:gw-1",), True, ["gateway", "upstream"])],
    ids=["pass_through", "managed", "both"],
)
def test_accepted_kinds_of_key(keys: tuple[str, ...], pass_through: bool, accepts: list[str]) -> None:
    settings = settings_with(keys=tuple(map(SecretStr, keys)), pass_through=pass_through)
    assert describe_site(settings)["accepts"] == accepts


def test_sample_key_only_with_the_embedded_upstream() -> None:
    with SandboxServer() as upstream:
        sandbox = settings_with(providers=upstream.settings())
        found = describe_site(sandbox)
        demos = [spec.sandbox.demo for spec in registry.PROVIDERS if spec.sandbox.demo]
        assert found["sandbox"] and found["sample_key"].split(",") == [demo.credential for demo in demos]
        managed = settings_with(providers=upstream.settings(), keys=(SecretStr("a:gw-1"),))
        assert "sample_key" not in describe_site(managed)
    real = describe_site(settings_with())
    assert not real["sandbox"] and "sample_key" not in real


def test_one_provider_elsewhere_is_no_sandbox() -> None:
    with SandboxServer() as upstream:
        spec = registry.PROVIDERS[0]
        providers = upstream.settings() | {spec.name: spec.settings()}
        assert not uses_sandbox(settings_with(providers=providers))


def test_default_models_are_those_of_the_providers_in_order() -> None:
    expected = [name for spec in registry.PROVIDERS for name in spec.default_models(spec.settings()).text]
    assert describe_site(settings_with())["default_models"] == expected
