"""Warnings about a valid configuration, logged at the start and, once each, after a reload."""

import logging
from collections.abc import Iterable, Iterator

from gateway.accounts.callers import Caller, parse_key
from gateway.core.logs import GATEWAY
from gateway.core.settings import Settings
from providers import registry as provider_registry
from providers.contract.provider import CanFind
from providers.registry import Registry

_MIN_SECRET_LENGTH = 16


def log_warnings(logged_warnings: set[str], warnings: Iterable[tuple[int, str]]) -> None:
    """Log the warnings that are not logged yet, and forget those that no longer apply."""
    found = {text: level for level, text in warnings}
    for text, level in found.items():
        if text not in logged_warnings:
            GATEWAY.log(level, text)
    logged_warnings.clear()
    logged_warnings.update(found)


def _unknown_names(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """The names of keys in other settings that are not configured: the setting, and its unknown names."""
    keys = [parse_key(key.get_secret_value()) for key in settings.keys]
    held = settings.api.hold_submits
    callers = {key.name for key in keys} | {Caller(()).name}
    yield "[api] hold_submits", [] if isinstance(held, bool) else [name for name in held if name not in callers]
    labels = {key.label for key in keys}
    yield "[key_limits.keys]", [name for name in settings.key_limits.keys if name not in labels]


def warnings_of(settings: Settings, accounts: int, registry: Registry) -> Iterator[tuple[int, str]]:
    """Warnings about a valid configuration: log level and text."""
    if settings.renamed:
        names = ", ".join(f"{former} is {name}" for former, name in settings.renamed.items())
        yield logging.WARNING, f"the configuration file uses deprecated setting names, still accepted for now: {names}"
    if any(len(secret.get_secret_value()) < _MIN_SECRET_LENGTH for secret in settings.secret):
        yield (
            logging.WARNING,
            f"GATEWAY_SECRET is shorter than {_MIN_SECRET_LENGTH} characters: set it to a long random text",
        )
    if settings.keys and not accounts:
        yield (
            logging.WARNING,
            f"keys are configured but no accounts: set {provider_registry.credential_variables()}, or add "
            "[[accounts]] to the configuration file",
        )
    without_lookup = [provider.name for provider in registry.videos if not isinstance(provider, CanFind)]
    if settings.workers > 1 and without_lookup:
        yield (
            logging.WARNING,
            f"with {settings.workers} workers, a repeated Idempotency-Key is recognised only by the worker that had it "
            f"first, for {', '.join(without_lookup)}: it may be charged again. Where that matters, run processes with "
            "one worker each and let a proxy route by key, as the samples in deploy/ do",
        )
    for setting, unknown in _unknown_names(settings):
        if unknown:
            yield logging.WARNING, f"{setting} names keys that are not configured: {', '.join(unknown)}"
    if settings.workers > 1 and settings.key_limits.counts:
        yield (
            logging.WARNING,
            f"with {settings.workers} workers, each counts the limits of keys for itself: a key may use up to "
            f"{settings.workers} times its limits. Where they must hold exactly, run processes with one worker each "
            "and let a proxy route by the Authorization header",
        )
    if settings.archive_url is None and settings.archive.follow:
        yield logging.WARNING, "[archive] follow has no effect: ARCHIVE_URL is not set"
    if accounts and not settings.keys:
        yield logging.WARNING, "accounts are configured but no keys to use them: set GATEWAY_KEYS=name:gw-…"
    if accounts and settings.admin_key is None:
        yield logging.INFO, "GATEWAY_ADMIN_KEY is not set: /v1/accounts and /metrics are restricted to this machine"
    if settings.keys and not settings.secret:
        yield (
            logging.WARNING,
            "GATEWAY_SECRET is not set: task ids become invalid at restart and on other replicas; "
            "set it to a long random text",
        )
