"""Model catalog: resolves a model name for a caller, from the models of its accounts, aliases and defaults."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.accounts.callers import Caller
from gateway.accounts.model_discovery import Discovery, ModelIndex, fold_name
from gateway.core.errors import GatewayError, from_provider, gateway_error, with_detail
from gateway.core.localization import format_text
from gateway.core.messages import ERRORS
from gateway.tasks.nearest_names import SHOWN_NAME, nearest_names
from providers.concurrent_calls import all_of
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard
from providers.contract.provider import Provider
from providers.contract.requests import RawSubmit, VideoRequest
from providers.contract.spec import DefaultModels
from providers.registry import VideoProviders
from providers.validation import snap_to_nearest, validate

FORMER_NAMES = ("sora-2", "sora-2-pro")
"""Models of a closed service that clients still name, also by dated snapshots: `sora-2-2025-10-06`. They mean the
default model."""
_SNAPSHOT = re.compile(rf"({'|'.join(FORMER_NAMES)})-\d{{4}}-\d{{2}}-\d{{2}}", re.ASCII)


class Catalog:
    """`aliases` are other names of models, in any case. `defaults` are the models that are tried in order where a
    client names none. Without a `discovery` all models come from the built-in table."""

    def __init__(
        self,
        registry: VideoProviders,
        aliases: Mapping[str, str] | None = None,
        defaults: DefaultModels | None = None,
        discovery: Discovery[ModelCard] | None = None,
    ) -> None:
        self.registry = registry
        self.aliases = dict(aliases or {})
        self._aliases = {fold_name(alias): name for alias, name in self.aliases.items()}
        self.defaults = defaults or DefaultModels()
        self._discovery = discovery
        self._tables: dict[tuple[str, str], ModelIndex[ModelCard]] = {}
        self._configured: dict[str, ModelIndex[ModelCard]] = {}

    async def offer(self, caller: Caller) -> "Offer":
        """The models that the caller can use now. Waits for an upstream only for the first account of a site."""
        accounts = [account for account in caller.accounts if account.provider in self.registry]
        offered = await all_of([self._offered_to(account) for account in accounts])
        return Offer(self, caller, offered)

    async def refresh(self, accounts: Sequence[Account]) -> None:
        """Refresh the model lists of accounts, after their upstream reported a missing model."""
        discovery = self._discovery
        if discovery is not None:
            reads = (discovery.refresh(self.registry[account.provider], account) for account in accounts)
            await asyncio.gather(*reads)

    def invalidate(self, accounts: Sequence[Account]) -> None:
        """Refresh the model lists of accounts at their next use, without waiting."""
        if self._discovery is not None:
            for account in accounts:
                self._discovery.invalidate(account)

    def card(self, name: str) -> ModelCard:
        """The card of a model or an alias, for any caller. Raises GatewayError (404)."""
        card = self.registry.card(self.meant(name))
        if card is None:
            raise GatewayError("model_not_found", values={"model": name})
        return card

    def unknown_aliases(self) -> list[str]:
        """The targets of aliases that are no model."""
        return sorted({name for name in self.aliases.values() if self.registry.card(name) is None})

    def meant(self, name: str) -> str:
        """The model that a name is an alias of, else the name. A snapshot is an alias of what its model is one of."""
        folded = fold_name(name)
        return self._aliases.get(folded) or self._aliases.get(_undated(folded)) or name

    def means_default(self, name: str) -> bool:
        """True for an empty name, and for the names of a closed service, unless they are aliases."""
        former = _undated(fold_name(name)) in FORMER_NAMES
        return not name or (former and self.meant(name) == name and bool(self.defaults.text))

    async def provider_of(self, caller: Caller, name: str) -> str | None:
        """The name of the provider of a model, whether or not the caller has an account of it; "" for a name that means
        the default model, None for an unknown one."""
        if self.means_default(name):
            return ""
        card = self.registry.card(self.meant(name))
        if card is not None:
            return card.provider
        try:
            return (await self.offer(caller)).known_card(name).provider
        except GatewayError:
            return None

    async def _offered_to(self, account: Account) -> "Offered":
        provider = self.registry[account.provider]
        live = await self._discovery.models(provider, account) if self._discovery is not None else None
        return Offered(account, self._configured_of(provider), live or self._table(provider, account.region))

    def _configured_of(self, provider: Provider) -> ModelIndex[ModelCard]:
        found = self._configured.get(provider.name)
        if found is None:
            cards = [card for card in provider.models() if card.configured]
            found = self._configured[provider.name] = ModelIndex(cards, live=False)
        return found

    def _table(self, provider: Provider, region: str) -> ModelIndex[ModelCard]:
        """The models of a site in the built-in table."""
        found = self._tables.get((provider.name, region))
        if found is None:
            cards = [card for card in provider.models() if not card.regions or not region or region in card.regions]
            found = self._tables[provider.name, region] = ModelIndex(cards, live=False)
        return found


@dataclass(frozen=True, slots=True)
class Offered:
    """The models of one account: those of the gateway's configuration, then those of its site."""

    account: Account
    configured: ModelIndex[ModelCard]
    models: ModelIndex[ModelCard]

    def get(self, name: str) -> ModelCard | None:
        return self.configured.get(name) or self.models.get(name)

    def __iter__(self) -> Iterator[ModelCard]:
        yield from self.models
        yield from self.configured


class Offer:
    """The models that one caller can use now, with the card that each of the caller's accounts has for them."""

    def __init__(self, catalog: Catalog, caller: Caller, offered: Sequence[Offered]) -> None:
        self._catalog = catalog
        self._caller = caller
        self._offered = offered

    def card_for(self, request: VideoRequest) -> ModelCard:
        """The card of the model that a request names; without a name, of the first default that the caller can use and
        that takes the request's inputs. The other parameters do not select the default: it may reject them.

        Raises GatewayError: 404 for an unknown name, and for a model that none of the accounts has.
        """
        if request.raw is not None:
            return self._required(request.model, self._raw_card(request.model, request.raw))
        if not self._catalog.means_default(request.model):
            return self.card(request.model)
        defaults = self._catalog.defaults
        names = (defaults.image if request.media else ()) or defaults.text
        found = [card for name in names if (card := self._find(self._catalog.meant(name))) is not None]
        preferred = [card for card in found if self.allows(card, request.model)]
        others = [
            card
            for offered in self._offered
            for card in offered
            if self._may_have(card, card.name) and self.allows(card, request.model)
        ]
        # Another model may cost many times as much: use it only where no preferred one is available.
        candidates = [card for card in preferred if card.available] or [card for card in others if card.available]
        candidates = candidates or preferred
        if not candidates:
            return self.card(names[0] if names else request.model)
        return next((card for card in candidates if _takes(card, request)), candidates[0])

    def resolve(self, request: VideoRequest) -> tuple[ModelCard, GatewayError | None]:
        """The card as by `card_for`, and None. Where none of the accounts has the model any more, its card in the
        registry, and the error: an earlier submit of the model may still be looked up.

        Raises GatewayError (404) for an unknown name.
        """
        try:
            return self.card_for(request), None
        except GatewayError as error:
            known = self._catalog.registry.card(self._catalog.meant(request.model))
            if known is None or not self._caller.accounts_of(known.provider) or not self.allows(known, request.model):
                raise
            return known, error

    def card(self, name: str) -> ModelCard:
        """The card of a model, an alias or a former name. Raises GatewayError (404) as `card_for` does."""
        if name and self._catalog.means_default(name):
            return self.card_for(VideoRequest(name))
        return self._required(name, self._card(name))

    def allows(self, card: ModelCard, *names: str) -> bool:
        """True where the limits of the caller's key allow a model, by its name or one of `names`."""
        return self._caller.may_use(card.provider, *names, card.name)

    def _required(self, name: str, card: ModelCard) -> ModelCard:
        if self.allows(card, name):
            return card
        raise self._not_found("model_not_allowed", replace(card, name=name or card.name))

    def _card(self, name: str) -> ModelCard:
        meant = self._catalog.meant(name)
        found = self._find(meant)
        raw = self._catalog.registry.raw_card(meant)
        # The table does not overrule a key of the upstream's own; what the site lists and what is configured does.
        if raw is not None and not self._lists(found) and self._caller.accounts_of(raw.provider):
            return raw
        if found is not None:
            return found
        known = self.known_card(name)
        if known.unlisted and self._caller.accounts_of(known.provider):
            return known
        raise self._no_account(known)

    def _raw_card(self, name: str, raw: RawSubmit) -> ModelCard:
        """The card of a model in an upstream's own request; an open one for a name that only the upstream may know."""
        meant = self._catalog.meant(name)
        known = self._catalog.registry[raw.provider].card(meant)
        card = known or ModelCard(meant, raw.provider, unlisted=True)
        own = [offered for offered in self._offered if offered.account.provider == raw.provider]
        if not own and known is None and self._offered:
            raise self._not_found("model_not_found", ModelCard(name, ""))
        if not own or (not card.unlisted and not self.cards_of(card)):
            raise self._no_account(card)
        return card

    def known_card(self, name: str) -> ModelCard:
        """The card of a model or an alias, whether or not one of the accounts has it. Raises GatewayError (404)."""
        meant = self._catalog.meant(name)
        known = self._find(meant) or self._catalog.registry.card(meant)
        if known is None:
            raise self._not_found("model_not_found", ModelCard(name, ""))
        return known

    def live_accounts(self, provider: str) -> list[Account]:
        """One account for each site of a provider whose models are read live."""
        live = (offered.account for offered in self._offered if offered.models.live)
        return list({account.region: account for account in live if account.provider == provider}.values())

    def cards_of(self, card: ModelCard) -> dict[Account, ModelCard]:
        """The accounts that can serve a model, each with its own card of it, in the caller's order."""
        found: dict[Account, ModelCard] = {}
        for offered in self._offered:
            if offered.account.provider == card.provider:
                own = card if card.unlisted else offered.get(card.name)
                # Another site may use the name of this model as the title of a different one.
                if own is not None and _same_model(own, card):
                    found[offered.account] = own
        return found

    def validated(self, card: ModelCard, request: VideoRequest, *, nearest: bool) -> dict[Account, VideoRequest]:
        """The request for each account that can make the same video, validated against the account's own card. Defaults
        come from the first card that makes what was asked; only where there is none, from one that adjusts it.

        `nearest` snaps duration and size to the nearest that the model supports. Raises GatewayError (400) with the
        problems of the first account's card, where no account can make the video. An upstream's own request is not
        validated.
        """
        request = replace(request, model=card.name)
        cards = self.cards_of(card)
        if request.raw is not None:
            return _as_they_are(cards, request, request.raw)
        distinct = {id(own): own for own in cards.values()}
        made: list[VideoRequest] = []
        first_error: ProviderError | None = None
        for own in distinct.values():
            try:
                made.append(validate(own, snap_to_nearest(own, request) if nearest else request))
            except ProviderError as error:
                first_error = first_error or error
        if not made:
            if first_error is not None:
                raise from_provider(first_error) from first_error
            return {}
        best = min(made, key=lambda one: len(one.warnings))
        if len(distinct) == 1:
            return dict.fromkeys(cards, best)
        # A card with other defaults than the best one would make a different video.
        same = {key: found for key, own in distinct.items() if (found := _valid(own, best)) == best}
        return {account: found for account, own in cards.items() if (found := same.get(id(own))) is not None}

    def cards(self) -> dict[str, ModelCard]:
        """Every model that the accounts have, aliases included, by the name that clients write."""
        found: dict[str, ModelCard] = {}
        for offered in self._offered:
            for card in offered:
                if self._may_have(card, card.name):
                    found.setdefault(card.name, card)
        former = [name for name in FORMER_NAMES if found and self._catalog.means_default(name)]
        for name in former:
            if any(self.allows(card, name) for card in found.values()):
                found[name] = self.card_for(VideoRequest(name))
        meant = {alias: self._find(name) for alias, name in self._catalog.aliases.items()}
        found |= {alias: card for alias, card in meant.items() if card is not None}
        return {name: card for name, card in found.items() if self.allows(card, name)}

    def add_nearest(self, error: GatewayError, card: ModelCard) -> None:
        """Add the caller's models that are closest to `card` to the message of an error."""
        text = format_text(error.text, **error.values) if error.values else error.text
        reason = LocalizedText(with_detail(text.zh, error.detail, "zh"), with_detail(text.en, error.detail, "en"))
        error.text, error.values, error.detail = self._with_nearest(reason, card), {}, ""

    def _find(self, name: str) -> ModelCard | None:
        """The card of a name for the first account that has it. Sites choose keys and titles: a match by name takes
        precedence, and no site can take the name of another model in the registry."""
        found = [
            card for offered in self._offered if (card := offered.get(name)) is not None and self._may_have(card, name)
        ]
        folded = fold_name(name)
        return next((card for card in found if fold_name(card.name) == folded), found[0] if found else None)

    def _lists(self, card: ModelCard | None) -> bool:
        """True for a card of the configuration, and for one that a site lists now."""
        live = (offered.models for offered in self._offered if offered.models.live)
        return card is not None and (card.configured or any(card is models.get(card.name) for models in live))

    def _may_have(self, card: ModelCard, name: str) -> bool:
        """False where the registry has the name for another model."""
        known = self._catalog.registry.card(name)
        return known is None or known.unlisted or card.configured or _same_model(card, known)

    def _no_account(self, card: ModelCard) -> GatewayError:
        """Why none of the caller's accounts can serve a model."""
        caller = self._caller
        own = [offered for offered in self._offered if offered.account.provider == card.provider]
        if any(offered.models.live for offered in own) or (own and not card.regions):
            return self._not_found("model_not_offered", card)
        if own:
            return self._not_found("not_in_region", card, regions=", ".join(sorted(card.regions)))
        if caller.managed and not self._offered:
            return gateway_error("no_accounts")
        if caller.managed:
            return self._not_found("model_not_found", card)
        return gateway_error("no_account_for_provider", provider=card.provider)

    def _not_found(self, sentence: str, card: ModelCard, **values: object) -> GatewayError:
        message = format_text(ERRORS[sentence], model=card.name[:SHOWN_NAME], **values)
        return GatewayError("model_not_found", self._with_nearest(message, card), param="model")

    def _with_nearest(self, message: LocalizedText, card: ModelCard) -> LocalizedText:
        """Add the closest models to a message; of the same provider, where the card has one."""
        names = [
            other.name
            for offered in self._offered
            for other in offered
            if card.provider in ("", other.provider) and other.name != card.name and self.allows(other)
        ]
        nearest = nearest_names(card.name, names)
        return format_text(ERRORS["nearest_models"], reason=message, nearest=", ".join(nearest)) if nearest else message


def _undated(name: str) -> str:
    """The model of a folded name that is a dated snapshot of a former model, else the name."""
    snapshot = _SNAPSHOT.fullmatch(name)
    return snapshot[1] if snapshot else name


def _same_model(one: ModelCard, other: ModelCard) -> bool:
    """True where two cards, of two sites, are of the same model."""
    names = {one.name.casefold(), one.key.casefold()} - {""}
    return one.provider == other.provider and not names.isdisjoint((other.name.casefold(), other.key.casefold()))


def _takes(card: ModelCard, request: VideoRequest) -> bool:
    """True where a model takes the media inputs of a request."""
    inputs = VideoRequest(
        card.name, "…", media=request.media, sound=request.sound, reference_mode=request.reference_mode
    )
    try:
        validate(card, inputs)
    except ProviderError:
        return False
    return True


def _as_they_are(
    cards: Mapping[Account, ModelCard], request: VideoRequest, raw: RawSubmit
) -> dict[Account, VideoRequest]:
    """An upstream's own request for each account that it may be sent with. Raises GatewayError (400) where its files
    were uploaded for an account that is not there any more."""
    usable = {
        account: replace(request, card=own)
        for account, own in cards.items()
        if not raw.account_tag or account.answers_to(raw.account_tag)
    }
    if cards and not usable:
        raise gateway_error("uploads_of_other_account")
    return usable


def _valid(card: ModelCard, request: VideoRequest) -> VideoRequest | None:
    try:
        return validate(card, request)
    except ProviderError:
        return None
