"""The managed accounts of a configuration: those of the environment's lists, then those of the file."""

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
    """Every one of them. Raises SettingsError for what cannot be an account, and for one that is there twice."""
    found: list[tuple[str, ManagedAccount]] = []
    for spec in provider_registry.PROVIDERS:
        for number, credential in enumerate(settings.provider(spec).credentials, 1):
            where = f"{_list_name(spec)}: entry {number}"
            found.append((where, ManagedAccount(_of_list(where, credential, registry, spec.name))))
    for number, one in enumerate(settings.accounts, 1):
        where = f"accounts: entry {number} ({one.name})"
        found.append((where, ManagedAccount(_of_file(where, one, registry), one.weight, one.max_running)))
    _refuse_repeats(found)
    return [managed for _, managed in found]


def _list_name(spec: AnySpec) -> str:
    """What the operator knows the list of credentials by."""
    return next(
        (variable for variable, key in spec.environment.items() if key == "credentials"),
        f"providers.{spec.name}.credentials",
    )


def _of_list(where: str, credential: SecretStr, registry: Registry, provider: str) -> Account:
    text = credential.get_secret_value().strip().removeprefix(f"{provider}:")
    account = registry[provider].account_from(text, named=True)
    if account is None:
        raise SettingsError(f"{where} is not a credential of {provider}")
    return account


def _of_file(where: str, one: AccountSettings, registry: Registry) -> Account:
    if one.provider is not None and one.provider not in registry:
        raise SettingsError(f"{where}: provider {one.provider} is not one of {_names(registry)}")
    text = one.credential.get_secret_value().strip()
    if one.provider is not None:
        account = registry[one.provider].account_from(text.removeprefix(f"{one.provider}:"), named=True)
    else:
        account = registry.account_from(text)
    if account is None:
        raise SettingsError(f"{where}: credential is none of {one.provider or _names(registry)}")
    regions = registry[account.provider].regions
    if one.region is not None and one.region not in regions:
        raise SettingsError(f"{where}: region {one.region} is not one of {', '.join(sorted(regions))}")
    proxy = one.proxy.get_secret_value() if one.proxy else None
    if proxy is not None and not is_proxy(proxy):
        raise SettingsError(
            f"{where}: proxy is no address such as http://user:password@host:port or socks5://host:port"
        )
    for what, in_key, in_credential in (("region", one.region, account.region), ("proxy", proxy, account.proxy)):
        prefixed = in_credential and (what == "proxy" or text.rpartition("@")[2].startswith(f"{in_credential}-"))
        if in_key and prefixed and in_key != in_credential:
            raise SettingsError(f"{where}: {what} is one thing and what stands in the credential another")
    cookie = one.cookie.get_secret_value() if one.cookie else None
    if cookie is not None and not _takes(account.provider, "cookie"):
        raise SettingsError(f"{where}: a {account.provider} account takes no cookie")
    if cookie is not None and not _COOKIE.fullmatch(cookie):
        raise SettingsError(f"{where}: cookie is no Cookie header of printable ASCII")
    return replace(
        account,
        name=one.name,
        region=one.region or account.region,
        proxy=proxy or account.proxy,
        cookie=cookie,
    )


def _takes(provider: str, field: str) -> bool:
    spec = provider_registry.find_spec(provider)
    return spec is not None and field in spec.account_fields


def _refuse_repeats(found: Sequence[tuple[str, ManagedAccount]]) -> None:
    """One account under two names would be used twice as much, and count as two."""
    for index, (where, managed) in enumerate(found):
        one = managed.account
        for first, other in found[:index]:
            if one.name and one.name == other.account.name:
                raise SettingsError(f"{where} has the same name as {first}")
            if _is_the_same(one, other.account):
                raise SettingsError(f"{where} has the same credential as {first}")


def _is_the_same(one: Account, other: Account) -> bool:
    """A session may be known at several sites; without a site it is meant wherever it is."""
    same = (one.provider, one.credential) == (other.provider, other.credential)
    return same and (one.region == other.region or not one.region or not other.region)


def _names(registry: Registry) -> str:
    return ", ".join(provider.name for provider in registry)
