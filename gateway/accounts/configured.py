"""The managed accounts of a configuration: those of the environment, then those of the file."""

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import SecretStr

from gateway.accounts.pool import ManagedAccount
from gateway.core.settings import AccountSettings, Settings, SettingsError
from providers import registry as provider_registry
from providers.contract.accounts import Account
from providers.contract.spec import AnySpec
from providers.registry import Registry
from providers.transport.proxy_urls import is_proxy

_COOKIE = re.compile(r"[\x20-\x7e]+")


def managed_accounts(settings: Settings, registry: Registry) -> list[ManagedAccount]:
    """Build the accounts. Raises SettingsError for an invalid one, and for duplicates."""
    found: list[tuple[str, ManagedAccount]] = []
    for spec in provider_registry.PROVIDERS:
        for number, credential in enumerate(settings.provider(spec).credentials, 1):
            where = f"{_list_name(spec)}: entry {number}"
            found.append((where, ManagedAccount(_from_list(where, credential, registry, spec.name))))
    for one in settings.accounts:
        where = f'[[accounts]] "{one.name}"'
        found.append((where, ManagedAccount(_from_file(where, one, registry), one.weight, one.max_running)))
    _reject_duplicates(found)
    return [managed for _, managed in found]


def _list_name(spec: AnySpec) -> str:
    """The environment variable of the provider's credentials, else the key in the file."""
    return next(
        (variable for variable, key in spec.environment.items() if key == "credentials"),
        f"providers.{spec.name}.credentials",
    )


def _from_list(where: str, credential: SecretStr, registry: Registry, provider: str) -> Account:
    text = credential.get_secret_value().strip().removeprefix(f"{provider}:")
    account = registry[provider].account_from(text, named=True)
    if account is None:
        raise SettingsError(f"{where} is not a credential of {provider}")
    return account


def _from_file(where: str, one: AccountSettings, registry: Registry) -> Account:
    if one.provider is not None and one.provider not in registry:
        raise SettingsError(f"{where}: provider {one.provider} is not one of {_provider_names(registry)}")
    text = one.credential.get_secret_value().strip()
    if one.provider is not None:
        account = registry[one.provider].account_from(text.removeprefix(f"{one.provider}:"), named=True)
    else:
        account = registry.account_from(text)
    if account is None:
        raise SettingsError(f"{where}: not a credential of {one.provider or _provider_names(registry)}")
    regions = registry[account.provider].regions
    if one.region is not None and one.region not in regions:
        raise SettingsError(f"{where}: region {one.region} is not one of {', '.join(sorted(regions))}")
    proxy = one.proxy.get_secret_value() if one.proxy else None
    if proxy is not None and not is_proxy(proxy):
        raise SettingsError(
            f"{where}: proxy must be a URL such as http://user:password@host:port or socks5://host:port"
        )
    for what, in_file, in_credential in (("region", one.region, account.region), ("proxy", proxy, account.proxy)):
        prefixed = in_credential and (what == "proxy" or text.rpartition("@")[2].startswith(f"{in_credential}-"))
        if in_file and prefixed and in_file != in_credential:
            raise SettingsError(f"{where}: {what} differs from the one in the credential")
    cookie = one.cookie.get_secret_value() if one.cookie else None
    if cookie is not None and not _accepts_field(account.provider, "cookie"):
        raise SettingsError(f"{where}: {account.provider} accounts have no cookie")
    if cookie is not None and not _COOKIE.fullmatch(cookie):
        raise SettingsError(f"{where}: cookie must be a Cookie header of printable ASCII")
    return replace(
        account,
        name=one.name,
        region=one.region or account.region,
        proxy=proxy or account.proxy,
        cookie=cookie,
    )


def _accepts_field(provider: str, field: str) -> bool:
    spec = provider_registry.find_spec(provider)
    return spec is not None and field in spec.account_fields


def _reject_duplicates(found: Sequence[tuple[str, ManagedAccount]]) -> None:
    """Raise SettingsError for duplicates: one account under two names would take two shares of the submits."""
    for index, (where, managed) in enumerate(found):
        one = managed.account
        for first, other in found[:index]:
            if one.name and one.name == other.account.name:
                raise SettingsError(f"{where} is there twice: give each account a name of its own")
            if _is_same_account(one, other.account):
                raise SettingsError(f"{where} has the same credential as {first}")


def _is_same_account(one: Account, other: Account) -> bool:
    """One credential may exist in several regions. Without a region it matches all of them."""
    same = (one.provider, one.credential) == (other.provider, other.credential)
    return same and (one.region == other.region or not one.region or not other.region)


def _provider_names(registry: Registry) -> str:
    return ", ".join(provider.name for provider in registry)
