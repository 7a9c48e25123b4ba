"""The list of providers, and the lookup of a provider by credential; of one that makes videos, by model or id."""

from collections.abc import Container, Iterator, Sequence
from typing import Generic, TypeVar

from providers.contract.accounts import Account
from providers.contract.language import LanguageProvider
from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard
from providers.contract.provider import Provider, TakesRawKeys
from providers.contract.spec import AnySpec
from providers.contract.upstream import Upstream
from providers.dashscope.spec import DASHSCOPE
from providers.jimeng.spec import JIMENG
from providers.modelscope.spec import MODELSCOPE

PROVIDERS: tuple[AnySpec, ...] = (
    JIMENG,
    MODELSCOPE,
    DASHSCOPE,
)
"""Every provider, one line each. For a caller with accounts of several, the order is that of the default models. Read
it as `registry.PROVIDERS`, so that a test can replace it."""


def find_spec(name: str) -> AnySpec | None:
    """The spec of a provider, None for an unknown name."""
    return next((spec for spec in PROVIDERS if spec.name == name), None)


def titles() -> str:
    """`Jimeng, ModelScope and DashScope`: the providers' titles."""
    return _joined([spec.title for spec in PROVIDERS], " and ")


def credential_hints(names: Container[str] | None = None) -> LocalizedText:
    """`a Jimeng sessionid or a DashScope key (sk-…)`: what callers may send as a credential; with `names`, those of
    these providers."""
    hints = [spec.credential_hint for spec in PROVIDERS if names is None or spec.name in names]
    # Chinese sets no blank beside its own brackets.
    chinese = _joined([hint.zh for hint in hints], " 或 ", "、").replace("） ", "）")
    return LocalizedText(chinese, _joined([hint.en for hint in hints], " or "))


def credential_variables(conjunction: str = " or ") -> str:
    """`JIMENG_TOKENS or DASHSCOPE_API_KEY`: the environment variables that list managed accounts."""
    variables = [spec.variable("credentials") for spec in PROVIDERS if "credentials" in spec.environment.values()]
    return _joined(variables, conjunction)


def _joined(parts: Sequence[str], last: str, comma: str = ", ") -> str:
    return last.join([*filter(None, [comma.join(parts[:-1])]), *parts[-1:]])


U = TypeVar("U", bound=Upstream)


class _ByName(Generic[U]):
    """Providers by their names, in the order of lookup of a model."""

    def __init__(self, providers: Sequence[U]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    def __iter__(self) -> Iterator[U]:
        return iter(self._providers.values())

    def __getitem__(self, name: str) -> U:
        """The provider of a name. Raises KeyError."""
        return self._providers[name]

    def __contains__(self, name: object) -> bool:
        return name in self._providers


class VideoProviders(_ByName[Provider]):
    """The providers that make videos."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        super().__init__(providers)
        self._takes_raw_keys = [provider for provider in providers if isinstance(provider, TakesRawKeys)]

    def card(self, model: str) -> ModelCard | None:
        """The card of a model: that of a table before that of an unlisted model. None if no provider knows it."""
        found: ModelCard | None = None
        for provider in self:
            card = provider.card(model)
            if card is not None and not card.unlisted:
                return card
            found = found or card
        return found

    def raw_card(self, key: str) -> ModelCard | None:
        """The open card of a model by an upstream's own key, where an upstream takes keys unchecked."""
        cards = (provider.raw_card(key) for provider in self._takes_raw_keys)
        return next((card for card in cards if card is not None), None)

    def owner(self, native_id: str) -> Provider | None:
        """The provider whose ids have this format."""
        return next((provider for provider in self if provider.owns(native_id)), None)


class LanguageProviders(_ByName[LanguageProvider]):
    """The providers with language models."""

    def knows(self, name: str) -> bool:
        """True for a model of a table, and for a name of an upstream's form."""
        return any(provider.language_model(name) is not None for provider in self)


class Registry(_ByName[Upstream]):
    """All providers, and those of each kind. The owner of a credential does not depend on the order."""

    def __init__(self, providers: Sequence[Upstream]) -> None:
        super().__init__(providers)
        self.videos = VideoProviders([one for one in providers if isinstance(one, Provider)])
        self.languages = LanguageProviders([one for one in providers if isinstance(one, LanguageProvider)])
        claim_any = {spec.name for spec in PROVIDERS if spec.claims_any_credential}
        self._with_format = [provider for provider in providers if provider.name not in claim_any]
        self._without_format = [provider for provider in providers if provider.name in claim_any]

    def account_from(self, credential: str) -> Account | None:
        """The account of a credential as clients send it.

        A prefix of a provider's name and a colon decides. Without it, the provider whose credential format matches, or
        the provider that claims any credential if none matches. None if no provider takes it, or if several formats
        match: then the prefix is required.
        """
        text = credential.strip()
        name, colon, rest = text.partition(":")
        if colon and name.lower() in self._providers:
            return self._providers[name.lower()].account_from(rest.strip(), named=True)
        claimed = _accounts(self._with_format, text)
        if not claimed:
            # A prefix such as a proxy's may hide the format from its owner.
            candidates = _accounts(self._without_format, text)
            claimed = [account for account in candidates if not _accounts(self._with_format, account.credential)]
        return claimed[0] if len(claimed) == 1 else None


def _accounts(providers: Sequence[Upstream], credential: str) -> list[Account]:
    """The accounts of the providers that accept a credential."""
    found = (provider.account_from(credential) for provider in providers)
    return [account for account in found if account is not None]
