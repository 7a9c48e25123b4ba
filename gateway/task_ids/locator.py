"""Resolve public task ids: verify signed ids, find the account of upstream ids, and sign new ids.

All state is a cache.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_bytes

from cachetools import LRUCache

from gateway.accounts.callers import Caller
from gateway.core.errors import as_transient, from_provider
from gateway.core.messages import ERRORS
from gateway.task_ids import signed
from gateway.task_ids.owner_lookup import OwnerLookup, UnknownOwner
from gateway.task_ids.signed import TaskId
from gateway.task_ids.submit_keys import MacKeys, SubmitKeys, is_own_submit_key
from gateway.task_ids.task_ref import AmbiguousId, TaskRef
from providers.contract.accounts import Account, public_tag
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import ListsLate, Provider
from providers.contract.requests import VideoRequest
from providers.registry import VideoProviders
from providers.sizes import asked_seconds, asked_size

_MAX_CACHED = 20_000


@dataclass(frozen=True, slots=True)
class TaskRefCache:
    """Process state: `process_key` is a random MAC key, `submitted` holds the ids of the tasks that this process
    submitted."""

    process_key: bytes = field(default_factory=lambda: token_bytes(32), repr=False)
    submitted: LRUCache[tuple[str, str], TaskId] = field(default_factory=lambda: LRUCache(_MAX_CACHED))


class TaskLocator:
    """Creates public task ids and resolves them to task references.

    `secrets` are the MAC keys of the configuration; the first one signs. Without secrets, ids of gateway keys are
    signed with the process key and are valid until the process ends."""

    def __init__(
        self,
        registry: VideoProviders,
        owners: OwnerLookup,
        secrets: Sequence[bytes] = (),
        cache: "TaskRefCache | None" = None,
    ) -> None:
        cache = cache or TaskRefCache()
        self._registry = registry
        self._late = {one.name for one in registry if isinstance(one, ListsLate) and one.lists_late}
        self._owners = owners
        self._mac_keys = MacKeys(secrets, cache.process_key)
        self._submitted = cache.submitted
        self._resolved: LRUCache[tuple[str, str], TaskRef] = LRUCache(_MAX_CACHED)

    def needs_signed_id(self, caller: Caller, account: Account, upstream_id: str) -> bool:
        """False where the upstream id and the caller's only credential are enough to resolve the task, and to tell one
        that is not listed yet from one that is gone."""
        provider = self._registry[account.provider]
        own = self._registry.owner(upstream_id) is provider
        late = provider.name in self._late and provider.submitted_at(upstream_id) is None
        return caller.managed or not own or late or len(caller.accounts_of(account.provider)) != 1

    def signed_id(self, caller: Caller, account: Account, upstream_id: str, request: VideoRequest, created: int) -> str:
        """The signed id of a task. `request` is the validated request, or its known fields. `created` is in unix
        seconds.

        Raises ValueError where the upstream id is too long.
        """
        id = TaskId(
            provider=account.provider,
            upstream_id=upstream_id,
            account_tag=public_tag(account),
            owner_tag=caller.owner,
            model=request.model,
            created=created,
            seconds=asked_seconds(request),
            size=asked_size(request),
        )
        # A later list must return the id that the submit returned. The id of a retry has fewer fields.
        self._submitted.setdefault((account.id, upstream_id), id)
        return self.sign(caller, account, id)

    def cached_id(self, account: Account, upstream_id: str, caller: Caller) -> TaskId | None:
        """The id of a task that this process submitted for the caller, from the cache, else None."""
        id = self._submitted.get((account.id, upstream_id))
        return id if id is not None and id.owner_tag == caller.owner else None

    def sign(self, caller: Caller, account: Account, id: TaskId) -> str:
        return signed.sign(id, self._mac_keys.of(caller, account)[0])

    def task_key(self, caller: Caller, id: str) -> bytes:
        """A key of 32 bytes for the task of a signed id of this caller: the same on every replica, and for every retry
        of its submit. Raises ValueError for another id."""
        claimed = signed.peek(id)
        account = caller.account(claimed.account_tag) if claimed else None
        if account is None:
            raise ValueError("not an id of this caller")
        return signed.task_key(id, self._mac_keys.of(caller, account)[0])

    def cached(self, caller: Caller, id: str) -> TaskRef | None:
        """The reference that an id resolved to for this caller, from the cache, else None."""
        return self._resolved.get((caller.identity, id))

    async def find(self, caller: Caller, ids: Sequence[str]) -> dict[str, TaskRef | AmbiguousId | None]:
        """Resolve public ids for this caller. An id maps to None where it is forged, of another owner, or unknown.

        A signed id names its account. An upstream id belongs to the caller's only credential. With several credentials,
        each account is queried.
        """
        found: dict[str, TaskRef | AmbiguousId | None] = {}
        ambiguous: dict[str, list[str]] = {}
        for id in ids:
            if id.startswith(signed.PREFIX):
                found[id] = self._resolve_signed(caller, id)
                continue
            provider = None if caller.managed else self._registry.owner(id)
            accounts: Sequence[Account] = caller.accounts_of(provider.name) if provider else ()
            if len(accounts) > 1:
                accounts = [one for one in accounts if (one.id, id) in self._submitted] or accounts
            found[id] = self._native(provider, accounts[0], id) if provider and len(accounts) == 1 else None
            if provider and len(accounts) > 1:
                ambiguous.setdefault(provider.name, []).append(id)
        for name, unresolved in ambiguous.items():
            provider = self._registry[name]
            for id, owner in (await self._owners.find(caller, provider, unresolved)).items():
                if isinstance(owner, Account):
                    found[id] = self._native(provider, owner, id)
                elif owner is UnknownOwner.NOT_ASKED:
                    not_asked = ProviderError(ErrorKind.UNREACHABLE, message=ERRORS["owner_not_asked"])
                    found[id] = AmbiguousId(provider, not_asked)
                elif owner is not UnknownOwner.NOBODY:
                    found[id] = AmbiguousId(provider, owner if isinstance(owner, ProviderError) else None)
        self._resolved.update({(caller.identity, id): ref for id, ref in found.items() if isinstance(ref, TaskRef)})
        return found

    async def find_one(self, caller: Caller, id: str) -> TaskRef | None:
        """Resolve one id. Raises GatewayError where it is ambiguous for now."""
        ref = (await self.find(caller, [id]))[id]
        if isinstance(ref, AmbiguousId):
            error = ref.error or ProviderError(ErrorKind.UPSTREAM_ERROR)
            raise from_provider(as_transient(error)) from ref.error
        return ref

    def submitted_here(self, ref: TaskRef) -> bool:
        """True for a task that this process submitted, from the cache."""
        return (ref.account.id, ref.upstream_id) in self._submitted

    def possible(self, caller: Caller, id: str) -> list[TaskRef]:
        """The references that an upstream id may resolve to for this caller, without a query. Empty for a signed id."""
        provider = None if caller.managed or id.startswith(signed.PREFIX) else self._registry.owner(id)
        accounts = caller.accounts_of(provider.name) if provider else ()
        return [self._native(provider, account, id) for account in accounts] if provider else []

    def _native(self, provider: Provider, account: Account, id: str) -> TaskRef:
        """The reference of an upstream id, with further fields where this process submitted the task."""
        submitted = self._submitted.get((account.id, id))
        return TaskRef.of(id, provider, account, submitted) if submitted else TaskRef(id, provider, account, id)

    def _resolve_signed(self, caller: Caller, id: str) -> TaskRef | None:
        claimed = signed.peek(id)
        account = caller.account(claimed.account_tag) if claimed else None
        if account is None:
            return None
        verified = signed.verify(id, self._mac_keys.of(caller, account))
        if (
            verified is None
            or verified.provider != account.provider
            or not hmac.compare_digest(verified.owner_tag, caller.owner)
        ):
            return None
        return TaskRef.of(id, self._registry[account.provider], account, verified)

    def submit_keys(self, caller: Caller, seed: str) -> SubmitKeys:
        """The submit keys of one submit."""
        return SubmitKeys(self._mac_keys, caller, seed)

    def is_own_submit_key(self, caller: Caller, account: Account, submit_key: str) -> bool:
        """True for a submit key that was derived here for this caller."""
        return is_own_submit_key(self._mac_keys, caller, account, submit_key)
