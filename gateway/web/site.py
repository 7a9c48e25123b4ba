"""What the pages have to know about this gateway before anybody has given a key."""

from importlib.metadata import version
from typing import Any

from gateway.api.schemas import shot_prompt
from gateway.core.settings import Settings
from providers import registry


def describe_site(settings: Settings) -> dict[str, Any]:
    """The gateway as its pages show it, as JSON. Nothing of it is secret.

    `accepts` lists the kinds of key: "gateway" for keys of this gateway, "upstream" for upstream credentials, which
    `credentials` describes. `sample_key` is there only with the embedded upstream, which takes any credential.
    """
    sandbox = uses_sandbox(settings)
    accepts = ["gateway"] if settings.keys else []
    if settings.pass_through or not settings.keys:
        accepts.append("upstream")
    site: dict[str, Any] = {
        "version": version("video-gateway"),
        "accepts": accepts,
        "credentials": registry.credential_hints()._asdict(),
        "providers": {spec.name: spec.title for spec in registry.PROVIDERS},
        "default_models": _default_models(settings),
        "sandbox": sandbox,
        "shot": _shot_terms(),
    }
    if sandbox and "upstream" in accepts:
        demos = [spec.sandbox.demo for spec in registry.PROVIDERS]
        site["sample_key"] = ",".join(demo.credential for demo in demos if demo is not None)
    return site


def uses_sandbox(settings: Settings) -> bool:
    """True if the addresses of every provider are those of one embedded upstream."""
    origins = set()
    for spec in registry.PROVIDERS:
        own = settings.provider(spec)
        for key, path in spec.sandbox.addresses.items():
            address = getattr(own, key, None)
            if not address or not str(address).endswith(path):
                return False
            origins.add(str(address).removesuffix(path).rstrip("/"))
    return len(origins) == 1


def _default_models(settings: Settings) -> list[str]:
    """The models for a text alone, the preferred one first."""
    return [name for spec in registry.PROVIDERS for name in spec.default_models(settings.provider(spec)).text]


def _shot_terms() -> dict[str, Any]:
    """The tables of `shot_prompt.compose`, from which the page composes the same prompt while it is being written."""
    return {
        "camera_movement": shot_prompt.CAMERA_MOVEMENTS,
        "shot_type": shot_prompt.SHOT_TYPES,
        "lighting": shot_prompt.LIGHTING,
        "model_shot_types": sorted(shot_prompt.MODEL_SHOT_TYPES),
        "light_suffix": shot_prompt.LIGHT_SUFFIX,
        "separator": shot_prompt.SEPARATOR,
    }
