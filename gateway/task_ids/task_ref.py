"""Task reference: where the task of a public id lives."""

from dataclasses import dataclass
from typing import NamedTuple

from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.provider import Provider


@dataclass(frozen=True, slots=True)
class TaskRef:
    """The provider, account and upstream id of a task, with the other fields of its public id.

    `created` is in unix seconds. `seconds`, `width` and `height` are 0 and `model` is "" where the id lacks them.
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


class AmbiguousId(NamedTuple):
    """An upstream id that may belong to any of several accounts. `error` is the failed query of a possible owner. It is
    None where the task is too new for every account to list it."""

    provider: Provider
    error: ProviderError | None = None
