"""The providers there are, and which of them a model, a credential or an id belongs to."""

from collections.abc import Iterator, Sequence

from providers.contract.accounts import Account
from providers.contract.models import ModelCard
from providers.contract.provider import Provider


class Registry:
    """Providers in the order in which they are asked: the one that takes any credential comes last."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._providers.values())

    def __getitem__(self, name: str) -> Provider:
        """The provider of a name. Raises KeyError."""
        return self._providers[name]

    def __contains__(self, name: object) -> bool:
        return name in self._providers

    def card(self, model: str) -> ModelCard | None:
        """The card of a model: a table's before one that only passes through. None when no provider knows it."""
        found: ModelCard | None = None
        for provider in self:
            card = provider.card(model)
            if card is not None and not card.open:
                return card
            found = found or card
        return found

    def account_from(self, credential: str) -> Account | None:
        """The account of a credential as clients send it.

        A provider's name and a colon in front decide; without, the first provider whose shape it has. None when it
        has no provider's shape.
        """
        text = credential.strip()
        name, colon, rest = text.partition(":")
        if colon and name.lower() in self._providers:
            return self._providers[name.lower()].account_from(rest.strip(), named=True)
        for provider in self:
            account = provider.account_from(text)
            if account is not None:
                return account
        return None

    def owner(self, native_id: str) -> Provider | None:
        """The provider whose ids have this shape."""
        return next((provider for provider in self if provider.owns(native_id)), None)
