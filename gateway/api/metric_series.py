"""The series of metrics that exist from the start, at 0: an alert cannot see the first event of one that did not."""

from importlib.metadata import version
from typing import get_args

from gateway.accounts.health import PAUSE_RULES
from gateway.accounts.lease import UNMANAGED_LABEL
from gateway.archive.copier import Outcome as CopyOutcome
from gateway.core import metrics
from gateway.live.webhooks.sender import Outcome as AttemptOutcome
from providers.contract.language import CanChat, CanDiscoverLanguage, CanEmbed, LanguageKind
from providers.contract.provider import CanDiscover, CanHint, Provider
from providers.contract.upstream import Upstream
from providers.registry import Registry

VERSION = version("video-gateway")

_LANGUAGE_CALLS: dict[LanguageKind, type] = {LanguageKind.CHAT: CanChat, LanguageKind.EMBEDDING: CanEmbed}


def declare_series(registry: Registry) -> None:
    """Make the series of all label values that are known. Repeated calls change nothing."""
    metrics.BUILD_INFO.labels(VERSION).set(1)
    reasons = {rule.state.value for rule in PAUSE_RULES.values()}
    for provider in registry:
        cards = provider.models() if isinstance(provider, Provider) else ()
        models = {metrics.model_label(card) for card in cards}
        metrics.declare_provider(provider.name, _calls_of(provider), models, reasons)
    metrics.declare_account(None, UNMANAGED_LABEL)
    for copied in CopyOutcome:
        metrics.COPIES.labels(copied)
    for attempted in get_args(AttemptOutcome):
        metrics.WEBHOOK_ATTEMPTS.labels(attempted)


def _calls_of(provider: Upstream) -> list[str]:
    calls = [kind.value for kind in LanguageKind if isinstance(provider, _LANGUAGE_CALLS[kind])]
    if isinstance(provider, CanDiscover | CanDiscoverLanguage):
        calls.append("discover")
    if isinstance(provider, CanHint):
        calls.append("hint")
    return [*calls, "query", "submit", "upload"] if isinstance(provider, Provider) else calls
