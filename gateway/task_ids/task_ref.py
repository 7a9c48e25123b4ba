"""Task reference: the account and upstream id that a public task id resolves to."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from gateway.task_ids.signed import TaskId
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.provider import Provider


@dataclass(frozen=True, slots=True)
class TaskRef:
    """The provider, account and upstream id of a task, with the other fields of its public id.

    It differs from `TaskId`, the fields on the wire, in that provider and account are resolved to objects. `created` is
    in unix seconds. `seconds` is 0, `model` and `size` ("WIDTHxHEIGHT") are "" where the id lacks them.
    """

    public_id: str
    provider: Provider
    account: Account
    upstream_id: str
    model: str = ""
    created: int | None = None
    seconds: int = 0
    size: str = ""

    @classmethod
    def of(cls, public_id: str, provider: Provider, account: Account, id: TaskId) -> Self:
        return cls(public_id, provider, account, id.upstream_id, id.model, id.created, id.seconds, id.size)


class AmbiguousId(NamedTuple):
    """An upstream id that may belong to any of several accounts. `error` is the failed query of a possible owner, or
    says that the accounts were not queried. It is None where the task is too new for every account to list it."""

    provider: Provider
    error: ProviderError | None = None
