"""An account of an upstream, and its credits."""

import hashlib
from dataclasses import dataclass, field

_SHORTEST_SECRET = 4
"""Characters. A shorter secret is not masked: it would match ordinary text."""
_TAG_DIGITS, _KEY_DIGITS = 12, 32


@dataclass(frozen=True, slots=True)
class Account:
    """One upstream account. Its credential, proxy and cookie are never shown: `tag` identifies it everywhere.

    `name` is set for accounts that the operator named. `region` is the provider's name of a site; "" if there is only
    one. `proxy` is the URL of the proxy for every call of this account. `cookie` is a complete Cookie header, sent
    unchanged instead of a generated one.
    """

    provider: str
    credential: str = field(repr=False)
    name: str = ""
    region: str = ""
    proxy: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    tag: str = field(init=False)
    """12 hex digits, the same on every replica. A named account keeps its tag if its credential is replaced."""
    credential_tag: str = field(init=False)
    """The tag that the account has without a name: tasks from before it was named carry it."""
    key: str = field(init=False, repr=False)
    """32 hex digits that start with the tag: the key of cached account data. Tags are public, and short enough that a
    credential with a given tag could be found."""

    def __post_init__(self) -> None:
        digest = self._digest(self._credential_identity)
        object.__setattr__(self, "credential_tag", digest[:_TAG_DIGITS])
        if self.name:
            digest = self._digest(f"name:{self.name}")
        object.__setattr__(self, "tag", digest[:_TAG_DIGITS])
        object.__setattr__(self, "key", digest[:_KEY_DIGITS])

    @property
    def label(self) -> str:
        """The name for people: the operator's, else the tag."""
        return self.name or self.tag

    @property
    def principals(self) -> tuple[str, ...]:
        """The account's identities in the archive, which asks no upstream: 32 hex digits each, of its name if it has
        one, and of its credential. The public tag is too short for that."""
        names = [f"name:{self.name}"] if self.name else []
        return tuple(self._digest(f"mark:{identity}")[:_KEY_DIGITS] for identity in (*names, self._credential_identity))

    @property
    def _credential_identity(self) -> str:
        return f"credential:{self.region}:{self.credential}"

    def _digest(self, identity: str) -> str:
        return hashlib.sha256(f"{self.provider}\0{identity}".encode("utf-8", "surrogateescape")).hexdigest()

    def redact(self, text: str) -> str:
        """`text` without this account's secrets: an upstream's text may quote what was sent, or a part of it."""
        if text:
            userinfo = (self.proxy or "").rpartition("@")[0].partition("://")[2]
            values = [pair.partition("=")[2] for pair in (self.cookie or "").split("; ")]
            for secret in (self.cookie, self.proxy, userinfo, userinfo.partition(":")[2], self.credential, *values):
                if secret and len(secret) >= _SHORTEST_SECRET:
                    text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True)
class Credits:
    """An account's remaining credits, in the upstream's units, by source."""

    gift: int = 0
    purchase: int = 0
    vip: int = 0

    @property
    def total(self) -> int:
        return self.gift + self.purchase + self.vip
