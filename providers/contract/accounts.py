"""An account of an upstream, and its credit balance."""

import hashlib
from dataclasses import dataclass, field

from providers.contract.redaction import redactor

_TAG_DIGITS, _ID_DIGITS = 12, 32


@dataclass(frozen=True, slots=True)
class CallerProxy:
    """The proxy that a caller names in its own credential. The gateway connects to it only where its policy for such
    proxies allows it, and says of a failure only that there was one: a caller must not be able to scan with it."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        return self.url


Proxy = str | CallerProxy
"""The URL of an operator's proxy, or a caller's."""


@dataclass(frozen=True, slots=True)
class Account:
    """One upstream account. Its credential, proxy and cookie are never shown.

    It has three identities: `label` for people, `id` for look-ups and `principals` for the archive. `name` is the
    operator's, empty where there is none. `region` is the provider's own code of a site, empty where there is only
    one. Every call of the account goes through `proxy`. `cookie` is a whole Cookie header, sent unchanged in
    place of a generated one.
    """

    provider: str
    credential: str = field(repr=False)
    name: str = ""
    region: str = ""
    proxy: Proxy | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    id: str = field(init=False, repr=False)
    """32 hex digits, the same on every replica. A named account keeps its id when its credential is replaced."""
    _unnamed_id: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        unnamed_id = self._digest(self._credential_identity)
        object.__setattr__(self, "_unnamed_id", unnamed_id)
        object.__setattr__(self, "id", self._digest(f"name:{self.name}") if self.name else unnamed_id)

    @property
    def label(self) -> str:
        """The configured name, else the public tag."""
        return self.name or public_tag(self)

    @property
    def principals(self) -> tuple[str, ...]:
        """The owner ids of archived tasks, 32 hex digits each: of the name where there is one, and last of the
        credential with its region. One match gives access, since the archive queries no upstream."""
        names = [f"name:{self.name}"] if self.name else []
        return tuple(self._digest(f"mark:{identity}") for identity in (*names, self._credential_identity))

    def answers_to(self, tag: str) -> bool:
        """True for the account's public tag, and for the one of tasks signed before the account was named."""
        return tag in (public_tag(self), self._unnamed_id[:_TAG_DIGITS])

    @property
    def _credential_identity(self) -> str:
        return f"credential:{self.region}:{self.credential}"

    def _digest(self, identity: str) -> str:
        text = f"{self.provider}\0{identity}".encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()[:_ID_DIGITS]

    def redact(self, text: str) -> str:
        """`text` with `***` for this account's secrets: an upstream may quote what was sent, or a part of it."""
        return redactor(self.credential, str(self.proxy or ""), self.cookie)(text) if text else text


def public_tag(account: Account) -> str:
    """The first 12 hex digits of the id, shown to clients and part of signed ids. It is too short to look anything up
    by: a credential with the same tag can be found."""
    return account.id[:_TAG_DIGITS]


@dataclass(frozen=True, slots=True)
class Credits:
    """The credit balance of an account by origin, in the upstream's units."""

    gift: int = 0
    purchase: int = 0
    vip: int = 0

    @property
    def total(self) -> int:
        return self.gift + self.purchase + self.vip
