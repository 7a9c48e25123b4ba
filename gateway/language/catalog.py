"""Language catalog: the provider of a language model for a caller, and the models that a caller can use.

A model of a provider's table goes to that provider. Any other name goes to the provider of the caller's credential; of
several, to the one that lists the model now, else to the one whose names have this form.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from gateway.accounts.callers import Caller
from gateway.accounts.model_discovery import Discovery, ModelIndex, fold_name
from gateway.core.errors import GatewayError, gateway_error
from providers.contract.accounts import Account
from providers.contract.client_headers import ClientHeaders
from providers.contract.language import (
    CanChat,
    CanEmbed,
    LanguageKind,
    LanguageModel,
    LanguageProvider,
    LanguageResponse,
)
from providers.contract.spec import DefaultLanguageModels
from providers.registry import LanguageProviders

LanguageCall = Callable[[bytes, Account, Mapping[str, str]], Awaitable[LanguageResponse]]
"""Sends a body with an account and headers; see `CanChat.chat`."""


class Choice(NamedTuple):
    """The provider of a request, its call for the kind of request, the model's name for it, and the headers of the
    client that it takes."""

    provider: LanguageProvider
    call: LanguageCall
    model: str
    client_headers: ClientHeaders


class LanguageCatalog:
    """`aliases` are other names of models, in any case. `defaults` are the models of each provider for requests without
    one, `client_headers` the headers that each provider takes from clients."""

    def __init__(
        self,
        registry: LanguageProviders,
        aliases: Mapping[str, str],
        defaults: Mapping[str, DefaultLanguageModels],
        discovery: Discovery[LanguageModel],
        client_headers: Mapping[str, ClientHeaders],
    ) -> None:
        self._registry = registry
        self._calls = {kind: _calls(registry, kind) for kind in LanguageKind}
        self._aliases = {fold_name(alias): name for alias, name in aliases.items()}
        self._defaults = defaults
        self._discovery = discovery
        self._client_headers = client_headers

    @property
    def chat_providers(self) -> Collection[str]:
        """The names of the providers with chat models."""
        return self._calls[LanguageKind.CHAT].keys()

    async def choose(self, caller: Caller, kind: LanguageKind, model: str) -> Choice:
        """The provider for a model as a client names it, "" for the default.

        Raises GatewayError: 401 where the caller has no credential for it, 404 where there is no default, and where the
        limits of its key do not allow it.
        """
        calls = self._calls[kind]
        usable = [provider for provider in self._providers_of(caller) if provider.name in calls]
        name = self._aliases.get(fold_name(model), model)
        if not name:
            provider, name = self._default(caller, kind, usable)
        else:
            provider = await self._provider_of(caller, usable, name, model)
            caller.require_model(provider.name, model, name)
        return Choice(provider, calls[provider.name], name, self._client_headers[provider.name])

    async def _provider_of(
        self, caller: Caller, usable: Sequence[LanguageProvider], name: str, written: str
    ) -> LanguageProvider:
        """The provider of a model, `written` as the client wrote it. Any may take the name of one that no table has:
        then one that the caller's key may use."""
        tables = [one for one in self._registry if (found := one.language_model(name)) and not found.unlisted]
        listed = [provider for provider in usable if provider in tables]
        if listed:
            return listed[0]
        if tables:
            raise _no_credential(caller, [provider.name for provider in tables])
        if not usable:
            raise _no_credential(caller, [provider.name for provider in self._registry])
        usable = [one for one in usable if caller.may_use(one.name, written, name)] or usable
        if len(usable) == 1:
            return usable[0]
        indexes = await asyncio.gather(*(self._live(caller, provider) for provider in usable))
        live = [one for one, found in zip(usable, indexes, strict=True) if found is not None and found.get(name)]
        alike = [provider for provider in usable if provider.language_model(name) is not None]
        return (live or alike or usable)[0]

    async def chat_models(self, caller: Caller, *, see_pictures: bool = False) -> list[str]:
        """A chat model of each provider that the caller can use, in the order of the providers, by a name that the
        caller's key may use: the default, else the first of the table that the upstream lists now, else the first that
        it lists. With `see_pictures` only models that take pictures."""
        providers = [one for one in self._providers_of(caller) if one.name in self._calls[LanguageKind.CHAT]]
        found = (self._chat_model(caller, provider, see_pictures=see_pictures) for provider in providers)
        return [name for name in await asyncio.gather(*found) if name]

    async def _chat_model(self, caller: Caller, provider: LanguageProvider, *, see_pictures: bool) -> str:
        """The name of the model of a provider, see `chat_models`; "" without one."""

        def name_of(model: LanguageModel) -> str:
            fits = model.kind is LanguageKind.CHAT and (model.sees_pictures or not see_pictures)
            return self._allowed_name(caller, model) if fits else ""

        default = self._defaults[provider.name].chat
        if default:
            card = provider.language_model(default)
            sees = card is not None and card.sees_pictures
            name = name_of(LanguageModel(default, provider.name, LanguageKind.CHAT, sees_pictures=sees))
            if name:
                return name
        models = provider.language_models()
        index = await self._live(caller, provider)
        if index is not None:
            models = [*(model for model in models if index.get(model.name)), *index.cards]
        return next(filter(None, map(name_of, models)), "")

    def _allowed_name(self, caller: Caller, model: LanguageModel) -> str:
        """The name of a model, or an alias, that the caller's key may use; "" without one."""
        names = [
            model.name,
            *(alias for alias, name in self._aliases.items() if fold_name(name) == fold_name(model.name)),
        ]
        return next((name for name in names if caller.may_use(model.provider, name)), "")

    async def models(self, caller: Caller) -> dict[str, LanguageModel]:
        """The models that a caller can use now, with their aliases, by name."""
        providers = self._providers_of(caller)
        indexes = await asyncio.gather(*(self._live(caller, provider) for provider in providers))
        found: dict[str, LanguageModel] = {}
        for provider, index in zip(providers, indexes, strict=True):
            cards = index.cards if index is not None else provider.language_models()
            found.update((card.name, card) for card in cards)
        by_name = {fold_name(name): model for name, model in found.items()}
        aliases = {alias: by_name.get(fold_name(name)) for alias, name in self._aliases.items()}
        found |= {alias: model for alias, model in aliases.items() if model is not None}
        return {name: model for name, model in found.items() if caller.may_use(model.provider, name, model.name)}

    async def model(self, caller: Caller, name: str) -> LanguageModel | None:
        """A model that the caller can use, by its name or an alias; None if it lists none of this name."""
        models = await self.models(caller)
        return models.get(name) or next(
            (model for known, model in models.items() if fold_name(known) == fold_name(name)), None
        )

    def _default(
        self, caller: Caller, kind: LanguageKind, usable: Sequence[LanguageProvider]
    ) -> tuple[LanguageProvider, str]:
        if not usable:
            raise _no_credential(caller, [provider.name for provider in self._registry])
        for provider in usable:
            defaults = self._defaults[provider.name]
            name = defaults.chat if kind is LanguageKind.CHAT else defaults.embedding
            if name and caller.may_use(provider.name, name):
                return provider, name
        raise GatewayError("model_not_found", param="model", values={"model": "-"})

    def _providers_of(self, caller: Caller) -> list[LanguageProvider]:
        names = {account.provider for account in caller.accounts}
        return [provider for provider in self._registry if provider.name in names]

    async def _live(self, caller: Caller, provider: LanguageProvider) -> ModelIndex[LanguageModel] | None:
        """What the provider lists for the first of the caller's accounts; None where its table applies."""
        account: Account = caller.accounts_of(provider.name)[0]
        return await self._discovery.models(provider, account)


def _calls(registry: LanguageProviders, kind: LanguageKind) -> dict[str, LanguageCall]:
    """The call of each provider that has models of a kind."""
    if kind is LanguageKind.CHAT:
        return {provider.name: provider.chat for provider in registry if isinstance(provider, CanChat)}
    return {provider.name: provider.embed for provider in registry if isinstance(provider, CanEmbed)}


def _no_credential(caller: Caller, providers: Sequence[str]) -> GatewayError:
    if not caller.managed:
        return gateway_error("no_account_for_provider", provider=" / ".join(providers))
    return gateway_error("no_accounts_for_language", providers=" / ".join(providers))
