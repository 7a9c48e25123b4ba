"""Who is calling: an Authorization header becomes a `Caller` with the accounts that may be used for it."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from gateway.core.errors import gateway_error
from providers.contract.accounts import Account
from providers.registry import Registry, credential_hints

TAG_BYTES = 6
NO_OWNER = "0" * (2 * TAG_BYTES)
"""Owner of tasks of pass-through callers: whoever holds the account's credential."""

MAX_CREDENTIALS = 50
"""Credentials in one header. A submit may be tried with each of them."""

_REMEMBERED_CALLERS = 4096
_LONGEST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """One client. `owner` is 12 hex digits that mark the tasks of a gateway key, the same on every replica.

    A pass-through caller owns what its credentials own, and has no mark.
    """

    accounts: tuple[Account, ...]
    managed: bool = False
    owner: str = NO_OWNER
    name: str = field(default="pass-through")
    identity: str = field(init=False)
    """Tells callers apart without a credential in it: the owner mark, or the keys of the accounts."""

    def __post_init__(self) -> None:
        # The same credential by another way, or with a cookie of its own, is another caller.
        marks = (_mark(account) for account in self.accounts)
        object.__setattr__(self, "identity", self.owner if self.managed else ",".join(sorted(marks)))

    def accounts_of(self, provider: str) -> tuple[Account, ...]:
        return tuple(account for account in self.accounts if account.provider == provider)

    def account(self, tag: str) -> Account | None:
        """The account of a tag; also of the one it had before it was given a name."""
        return next((account for account in self.accounts if tag in (account.tag, account.credential_tag)), None)


def _mark(account: Account) -> str:
    way = f"{account.proxy or ''}\0{account.cookie or ''}"
    return account.key if way == "\0" else f"{account.key}-{hashlib.sha256(way.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """One of the gateway's own keys. Its owner mark outlives a change of the key when it has a name."""

    secret: str = field(repr=False)
    name: str = ""

    @property
    def owner(self) -> str:
        identity = f"name:{self.name}" if self.name else f"key:{self.secret}"
        return hashlib.sha256(f"owner\0{identity}".encode()).hexdigest()[: 2 * TAG_BYTES]


def parse_key(text: str) -> GatewayKey:
    """`name:gw-…` or `gw-…`."""
    name, colon, secret = text.partition(":")
    return GatewayKey(secret.strip(), name.strip()) if colon else GatewayKey(text.strip())


class Callers:
    """Tells callers apart. With keys, only those are let in, unless `pass_through` says otherwise."""

    def __init__(
        self,
        registry: Registry,
        *,
        keys: Sequence[GatewayKey] = (),
        accounts: Sequence[Account] = (),
        pass_through: bool = False,
        proxies: bool = True,
    ) -> None:
        """Without `proxies` callers' own credentials may name none."""
        self._registry = registry
        self._keys = {_digest(key.secret): key for key in keys}
        self._accounts = tuple(accounts)
        self._pass_through = pass_through or not keys
        self._proxies = proxies
        self._remembered: LRUCache[str, Caller] = LRUCache(_REMEMBERED_CALLERS)

    def identify(self, authorization: str) -> Caller:
        """The caller of an Authorization header. Raises GatewayError (401)."""
        remembered = self._remembered.get(authorization)
        if remembered is not None:
            return remembered
        scheme, _, value = authorization.strip().partition(" ")
        value = value.strip()
        if scheme.lower() != "bearer" or not value:
            raise gateway_error("no_credential")
        found = self._managed(value) or self._passing_through(value)
        if len(authorization) <= _LONGEST_REMEMBERED:
            self._remembered[authorization] = found
        return found

    def _managed(self, value: str) -> Caller | None:
        # Looked up by digest, so that the time it takes tells nothing of a key.
        digest = _digest(value)
        key = self._keys.get(digest)
        if key is None or not hmac.compare_digest(digest, _digest(key.secret)):
            return None
        return Caller(self._accounts, managed=True, owner=key.owner, name=key.name or f"key-{key.owner[:6]}")

    def _passing_through(self, value: str) -> Caller:
        if not self._pass_through or value.startswith("gw-"):
            raise gateway_error("unknown_key")
        accounts: dict[str, Account] = {}
        credentials = value.split(",", MAX_CREDENTIALS)
        if len(credentials) > MAX_CREDENTIALS:
            raise gateway_error("too_many_credentials", limit=MAX_CREDENTIALS)
        for credential in credentials:
            if not credential.strip():
                continue
            account = self._registry.account_from(credential)
            if account is not None:
                if account.proxy and not self._proxies:
                    raise gateway_error("no_proxies")
                accounts.setdefault(account.key, account)
        if not accounts:
            raise gateway_error("unusable_credential", credentials=credential_hints())
        return Caller(tuple(accounts.values()))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
