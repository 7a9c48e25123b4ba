"""Authenticate callers: an Authorization header maps to a `Caller` with the accounts that it may use."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cachetools import LRUCache

from gateway.core.errors import GatewayError, gateway_error
from gateway.limits.key_usage import KeyUsage
from providers.contract.accounts import Account, CallerProxy
from providers.registry import Registry, credential_hints

TAG_BYTES = 6
NO_OWNER = "0" * (2 * TAG_BYTES)
"""Owner tag of pass-through callers. Their tasks belong to whoever holds the account's credential."""

MAX_CREDENTIALS = 50
"""Limit of credentials in one header. A submit may be attempted with each of them."""

_MAX_CACHED_CALLERS = 4096
_MAX_CACHED_HEADER = 4096
_SHOWN_NAME = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client. `owner` is the owner tag of a gateway key: 12 hex digits, the same on every replica.

    `accounts` has each account once. `credentials` has an entry for each credential of the header in its order, None
    for one of an invalid format.

    A pass-through caller owns the tasks of its credentials, and its owner tag is NO_OWNER. `usage` is that of a gateway
    key, None for a pass-through caller.
    """

    accounts: tuple[Account, ...]
    managed: bool = False
    owner: str = NO_OWNER
    name: str = field(default="pass-through")
    credentials: tuple[Account | None, ...] = field(default=(), compare=False)
    usage: KeyUsage | None = field(default=None, compare=False, repr=False)
    identity: str = field(init=False)
    """A unique id of the caller without credentials: the owner tag, or the ids of the accounts."""

    def __post_init__(self) -> None:
        # The same credential with another proxy or cookie is another caller.
        ids = (_identity_of(account) for account in self.accounts)
        object.__setattr__(self, "identity", self.owner if self.managed else ",".join(sorted(ids)))

    @property
    def holders(self) -> tuple[str, ...]:
        """Whom to count what this caller holds against: its key, or each of its credentials. Unlike `identity` these
        do not change with a proxy, a cookie, or a credential more."""
        return (self.owner,) if self.managed else tuple(account.id for account in self.accounts)

    def may_use(self, provider: str, *names: str) -> bool:
        """True where the limits of the caller's key allow a model, by any of its names."""
        return self.usage is None or self.usage.allowed.allows(provider, *names)

    def require_model(self, provider: str, *names: str) -> None:
        """Raises GatewayError (404) where `may_use` is False. The first name is what the client wrote."""
        if not self.may_use(provider, *names):
            raise model_not_allowed(next(filter(None, names), "-"))

    def accounts_of(self, provider: str) -> tuple[Account, ...]:
        return tuple(account for account in self.accounts if account.provider == provider)

    def account(self, tag: str) -> Account | None:
        """The account that answers to a public tag."""
        return next((account for account in self.accounts if account.answers_to(tag)), None)


def model_not_allowed(name: str) -> GatewayError:
    """The error (404) for a model that a key may not use: for the key it does not exist."""
    return gateway_error("model_not_allowed", param="model", model=name[:_SHOWN_NAME])


def _identity_of(account: Account) -> str:
    route = f"{account.proxy or ''}\0{account.cookie or ''}"
    return account.id if route == "\0" else f"{account.id}-{hashlib.sha256(route.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """A gateway key. The owner tag of a named key stays the same when the secret is replaced."""

    secret: str = field(repr=False)
    name: str = ""

    @property
    def owner(self) -> str:
        identity = f"name:{self.name}" if self.name else f"key:{self.secret}"
        return hashlib.sha256(f"owner\0{identity}".encode()).hexdigest()[: 2 * TAG_BYTES]

    @property
    def label(self) -> str:
        """Its name in the log and in the configuration: of a key without one, a part of its owner tag."""
        return self.name or f"key-{self.owner[:6]}"


def parse_key(text: str) -> GatewayKey:
    """Parse `name:gw-…` or `gw-…`."""
    name, colon, secret = text.partition(":")
    return GatewayKey(secret.strip(), name.strip()) if colon else GatewayKey(text.strip())


class Callers:
    """Authenticates callers. With keys, other credentials are rejected unless `pass_through` is set."""

    def __init__(
        self,
        registry: Registry,
        *,
        keys: Sequence[GatewayKey] = (),
        accounts: Sequence[Account] = (),
        pass_through: bool = False,
        proxies: bool = True,
        usage_of: Callable[[GatewayKey], KeyUsage | None] = lambda key: None,
    ) -> None:
        """`proxies` allows a proxy in pass-through credentials. `usage_of` gives the usage of a key."""
        self._registry = registry
        self._keys = {_digest(key.secret): key for key in keys}
        self._owners = frozenset(key.owner for key in keys)
        self._usage_of = usage_of
        self._accounts = tuple(accounts)
        self._pass_through = pass_through or not keys
        self._proxies = proxies
        self._cached: LRUCache[str, Caller] = LRUCache(_MAX_CACHED_CALLERS)

    def identify(self, authorization: str) -> Caller:
        """Authenticate an Authorization header. Raises GatewayError (401)."""
        cached = self._cached.get(authorization)
        if cached is not None:
            return cached
        scheme, _, value = authorization.strip().partition(" ")
        value = value.strip()
        if scheme.lower() != "bearer" or not value:
            raise gateway_error("no_credential")
        found = self._managed(value) or self._pass_through_caller(value)
        if len(authorization) <= _MAX_CACHED_HEADER:
            self._cached[authorization] = found
        return found

    def operator(self) -> Caller:
        """The operator, who holds the credentials of all managed accounts and so owns every task on them."""
        return Caller(self._accounts, name="admin")

    def current(self, caller: Caller) -> Caller:
        """A caller that was authenticated under an earlier configuration, with the accounts that it has now. Raises
        GatewayError (401) where its key, or any credential of a caller, is no longer accepted."""
        if not caller.managed and self._pass_through:
            return caller
        if caller.owner not in self._owners:
            raise gateway_error("unknown_key")
        return replace(caller, accounts=self._accounts)

    def _managed(self, value: str) -> Caller | None:
        # A lookup by digest leaks nothing about a key through its timing.
        digest = _digest(value)
        key = self._keys.get(digest)
        if key is None or not hmac.compare_digest(digest, _digest(key.secret)):
            return None
        usage = self._usage_of(key)
        return Caller(self._accounts, managed=True, owner=key.owner, name=key.label, usage=usage)

    def _pass_through_caller(self, value: str) -> Caller:
        if not self._pass_through or value.startswith("gw-"):
            raise gateway_error("unknown_key")
        accounts: dict[str, Account] = {}
        credentials = value.split(",", MAX_CREDENTIALS)
        if len(credentials) > MAX_CREDENTIALS:
            raise gateway_error("too_many_credentials", limit=MAX_CREDENTIALS)
        found = [_of_caller(self._registry.account_from(one)) for one in credentials if one.strip()]
        for account in found:
            if account is not None:
                if account.proxy and not self._proxies:
                    raise gateway_error("proxy_not_accepted")
                accounts.setdefault(account.id, account)
        if not accounts:
            raise gateway_error("invalid_credential_format", credentials=credential_hints())
        return Caller(tuple(accounts.values()), credentials=tuple(found))


def _of_caller(account: Account | None) -> Account | None:
    """The account, its proxy marked as one that the operator does not vouch for."""
    if account is None or account.proxy is None:
        return account
    return replace(account, proxy=CallerProxy(str(account.proxy)))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
