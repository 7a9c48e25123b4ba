"""Which model a name means for a caller: the tables of the providers, aliases, and what is taken when none is named."""

from collections.abc import Mapping, Sequence

from gateway.callers import Caller
from gateway.errors import GatewayError, refused
from providers.contract import ModelCard, VideoRequest
from providers.registry import Registry

FORMER_NAMES = ("sora-2", "sora-2-pro")
"""Models of a service that has closed; clients written for it still name them. They mean the default model."""


class Catalog:
    """`aliases` are other names of models. `defaults` are pairs of model names, for text and for requests with media,
    in the order in which they are tried where a client names no model."""

    def __init__(
        self,
        registry: Registry,
        aliases: Mapping[str, str] | None = None,
        defaults: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._registry = registry
        self._aliases = dict(aliases or {})
        self._defaults = tuple(defaults)

    def card_for(self, caller: Caller, request: VideoRequest) -> ModelCard:
        """The card of the model a request names, or of the first default that the caller can use.

        Raises GatewayError (404) for a name that nobody knows.
        """
        if request.model and not self._means_default(request.model):
            return self.card(request.model)
        cards = [self.card(with_media if request.media else text) for text, with_media in self._defaults]
        usable = [card for card in cards if caller.accounts_for(card)] or cards
        able = [card for card in usable if not request.media or card.open or card.roles]
        return (able or usable)[0]

    def card(self, name: str) -> ModelCard:
        """The card of a model or of an alias. Raises GatewayError (404)."""
        card = self._registry.card(self._aliases.get(name, name))
        if card is None:
            raise GatewayError("model_not_found", values={"model": name})
        return card

    def unknown(self) -> list[str]:
        """Names in the configuration that lead to no model."""
        meant = [*self._aliases.values(), *(name for pair in self._defaults for name in pair)]
        return sorted({name for name in meant if self._registry.card(name) is None})

    def cards(self, caller: Caller) -> dict[str, ModelCard]:
        """Every model the caller's accounts can use, aliases included, by the name that clients write."""
        found = {
            card.name: card for provider in self._registry for card in provider.models() if caller.accounts_for(card)
        }
        former = [name for name in FORMER_NAMES if found and self._means_default(name)]
        found |= {name: self.card_for(caller, VideoRequest(name)) for name in former}
        for alias, name in self._aliases.items():
            card = self._registry.card(name)
            if card is not None and caller.accounts_for(card):
                found[alias] = card
        return found

    def _means_default(self, name: str) -> bool:
        return name in FORMER_NAMES and name not in self._aliases and bool(self._defaults)


def no_account(caller: Caller, card: ModelCard) -> GatewayError:
    """Why none of the caller's accounts can serve a model."""
    if caller.accounts_of(card.provider):
        return refused("not_in_region", model=card.name, regions=", ".join(sorted(card.regions)))
    if caller.managed and not caller.accounts:
        return refused("no_accounts")
    if caller.managed:
        return GatewayError("model_not_found", values={"model": card.name})
    return refused("no_account_for_provider", provider=card.provider)
