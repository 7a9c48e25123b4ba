"""Where a public id leads: sealing ids, opening them, and telling whose tasks are whose, all without a store."""

import hashlib
import hmac
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import NamedTuple

from cachetools import LRUCache

from gateway.accounts.callers import Caller
from gateway.core.errors import as_transient, from_provider
from gateway.task_ids import signed
from gateway.task_ids.owner_lookup import OwnerLookup, UnknownOwner
from gateway.task_ids.signed import TaskId
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import Provider
from providers.contract.requests import VideoRequest
from providers.registry import Registry
from providers.sizes import asked_seconds, asked_size, parse_size

_KEY_BYTES = 10
_MARK_BYTES = 6
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class TaskRef:
    """The account that owns a task and the upstream's id there, with what the public id says of the task besides.

    `seconds`, `width` and `height` are 0 and `model` is "" where the id does not say.
    """

    public_id: str
    provider: Provider
    account: Account
    upstream_id: str
    model: str = ""
    created: int | None = None
    seconds: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class TaskRefCache:
    """What lives as long as the process: `passing` is a MAC key of its own, `submitted` what was submitted here."""

    passing: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    submitted: LRUCache[tuple[str, str], TaskId] = field(default_factory=lambda: LRUCache(_REMEMBERED))


class AmbiguousId(NamedTuple):
    """A native id that may be any of several accounts': one that might own it could not be asked, or, without an error,
    it is too new for all of them."""

    provider: Provider
    error: ProviderError | None = None


class TaskLocator:
    """Makes public ids and finds the places they lead to.

    `secrets` are the MAC keys of the configuration; the first one seals. Where there are none, a key of the memory
    seals what belongs to gateway keys, for as long as this process lives.
    """

    def __init__(
        self,
        registry: Registry,
        owners: OwnerLookup,
        secrets: Sequence[bytes] = (),
        memory: "TaskRefCache | None" = None,
    ) -> None:
        memory = memory or TaskRefCache()
        self._registry = registry
        self._owners = owners
        self._secrets = tuple(secrets)
        self._passing = memory.passing
        self._submitted = memory.submitted
        self._opened: LRUCache[tuple[str, str], TaskRef] = LRUCache(_REMEMBERED)

    def needs_signed_id(self, caller: Caller, account: Account, upstream_id: str) -> bool:
        """False where the upstream's own id and the caller's one credential are enough to find the task again."""
        own = self._registry.owner(upstream_id) is self._registry[account.provider]
        return caller.managed or not own or len(caller.accounts_of(account.provider)) != 1

    def signed_id(self, caller: Caller, account: Account, upstream_id: str, request: VideoRequest, created: int) -> str:
        """The sealed id of a task. `request` is the settled one, or what is known of it.

        Raises ValueError for an id of the upstream's that is too long to seal.
        """
        width, height = parse_size(asked_size(request)) or (0, 0)
        id = TaskId(
            provider=account.provider,
            upstream_id=upstream_id,
            account_tag=account.tag,
            owner_tag=caller.owner,
            model=request.model,
            created=created,
            seconds=asked_seconds(request),
            width=width,
            height=height,
        )
        # A list made here gives the same id as the submit did. A repeat found again knows less than that submit.
        self._submitted.setdefault((account.key, upstream_id), id)
        return self.sign(caller, account, id)

    def remembered(self, account: Account, upstream_id: str, caller: Caller) -> TaskId | None:
        """What this process submitted for a caller; None for what it did not, or has forgotten."""
        id = self._submitted.get((account.key, upstream_id))
        return id if id is not None and id.owner_tag == caller.owner else None

    def sign(self, caller: Caller, account: Account, id: TaskId) -> str:
        return signed.sign(id, self._keys(caller, account)[0])

    def known(self, caller: Caller, id: str) -> TaskRef | None:
        """Where an id leads that was opened for this caller a while ago."""
        return self._opened.get((caller.identity, id))

    async def find(self, caller: Caller, ids: Sequence[str]) -> dict[str, TaskRef | AmbiguousId | None]:
        """Where public ids lead for this caller; None for one that is forged, another's, or nobody's.

        A sealed id says it, and of a native one a single credential. Of several credentials the upstreams have to
        tell which is the one.
        """
        found: dict[str, TaskRef | AmbiguousId | None] = {}
        ambiguous: dict[str, list[str]] = {}
        for id in ids:
            if id.startswith(signed.PREFIX):
                found[id] = self._find_sealed(caller, id)
                continue
            provider = None if caller.managed else self._registry.owner(id)
            accounts: Sequence[Account] = caller.accounts_of(provider.name) if provider else ()
            if len(accounts) > 1:
                accounts = [one for one in accounts if (one.key, id) in self._submitted] or accounts
            found[id] = self._native(provider, accounts[0], id) if provider and len(accounts) == 1 else None
            if provider and len(accounts) > 1:
                ambiguous.setdefault(provider.name, []).append(id)
        for name, unclear in ambiguous.items():
            provider = self._registry[name]
            for id, owner in (await self._owners.find(caller, provider, unclear)).items():
                if isinstance(owner, Account):
                    found[id] = self._native(provider, owner, id)
                elif owner is not UnknownOwner.NOBODYS:
                    found[id] = AmbiguousId(provider, owner if isinstance(owner, ProviderError) else None)
        self._opened.update({(caller.identity, id): ref for id, ref in found.items() if isinstance(ref, TaskRef)})
        return found

    async def find_one(self, caller: Caller, id: str) -> TaskRef | None:
        """The same for one id. Raises GatewayError where it cannot be told just now."""
        ref = (await self.find(caller, [id]))[id]
        if isinstance(ref, AmbiguousId):
            error = ref.error or ProviderError(ErrorKind.UPSTREAM_ERROR)
            raise from_provider(as_transient(error)) from ref.error
        return ref

    def submitted_here(self, ref: TaskRef) -> bool:
        return (ref.account.key, ref.upstream_id) in self._submitted

    def possible(self, caller: Caller, id: str) -> list[TaskRef]:
        """Everywhere a native id may lead for this caller, nobody asked; nothing for a sealed one, which says it."""
        provider = None if caller.managed or id.startswith(signed.PREFIX) else self._registry.owner(id)
        accounts = caller.accounts_of(provider.name) if provider else ()
        return [self._native(provider, account, id) for account in accounts] if provider else []

    def _native(self, provider: Provider, account: Account, id: str) -> TaskRef:
        """The place of a task whose id says nothing, with what is known where it was submitted here."""
        known = self._submitted.get((account.key, id))
        if known is None:
            return TaskRef(id, provider, account, id)
        return TaskRef(id, provider, account, id, known.model, known.created, known.seconds, known.width, known.height)

    def _find_sealed(self, caller: Caller, id: str) -> TaskRef | None:
        claimed = signed.peek(id)
        account = caller.account(claimed.account_tag) if claimed else None
        if account is None:
            return None
        opened = signed.unseal(id, self._keys(caller, account))
        if (
            opened is None
            or opened.provider != account.provider
            or not hmac.compare_digest(opened.owner_tag, caller.owner)
        ):
            return None
        return TaskRef(
            id,
            self._registry[account.provider],
            account,
            opened.upstream_id,
            opened.model,
            opened.created,
            opened.seconds,
            opened.width,
            opened.height,
        )

    def submit_keys(self, caller: Caller, account: Account, seed: str) -> Iterator[str]:
        """The UUID under which a submit goes to an account, the same for the same seed on every replica; behind it
        those that older secrets gave, and those from before the account had a name.

        Its last six bytes mark the owner, so that an upstream that keeps the key and lists it tells whose task it is.
        """
        for tag in dict.fromkeys((account.tag, account.credential_tag)):
            head = bytearray(hashlib.sha256(f"{caller.owner}\0{tag}\0{seed}".encode()).digest()[:_KEY_BYTES])
            head[6] = head[6] & 0x0F | 0x40
            head[8] = head[8] & 0x3F | 0x80
            for key in self._keys(caller, account):
                yield str(uuid.UUID(bytes=bytes(head) + self._mark(bytes(head), caller, key)))

    def made(self, caller: Caller, account: Account, submit_key: str) -> bool:
        """True when a submit key was made here for this caller."""
        try:
            data = uuid.UUID(submit_key).bytes
        except ValueError:
            return False
        head, mark = data[:_KEY_BYTES], data[_KEY_BYTES:]
        genuine = False
        for key in self._keys(caller, account):
            genuine |= hmac.compare_digest(self._mark(head, caller, key), mark)
        return genuine

    @staticmethod
    def _mark(head: bytes, caller: Caller, key: bytes) -> bytes:
        return hashlib.blake2b(head + caller.owner.encode(), key=key, digest_size=_MARK_BYTES).digest()

    def _keys(self, caller: Caller, account: Account) -> tuple[bytes, ...]:
        """The MAC keys of an account's tasks: the gateway's, and for whoever holds the credential, the one made of
        it, so that ids hold everywhere with no configuration at all."""
        if caller.managed:
            return self._secrets or (self._passing,)
        return (*self._secrets, signed.derived_key(account.credential))
