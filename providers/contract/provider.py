"""The protocol of a provider, and what an upstream can do besides.

Read this file first. `validation.validate` checks a `VideoRequest` against a `ModelCard`, `Provider.prepare` uploads
its files with an `Account` and builds what is sent, `Provider.submit` sends that and gives a `Submission`. A poll asks
`Provider.query` and gets for each id a `TaskState` or a `ProviderError`. Nothing in this package does I/O or knows a
clock.

Units everywhere: seconds (also for times: unix seconds, UTC), pixels, bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from providers.contract.accounts import Account, Credits
from providers.contract.errors import ProviderError
from providers.contract.models import ModelCard
from providers.contract.requests import Prepared, Submission, VideoRequest
from providers.contract.tasks import ListedTask, TaskState


class Provider(Protocol):
    """An upstream. All calls raise ProviderError and nothing else.

    What an upstream can do besides this is said by the protocols below: a provider that cannot, does not define
    the method, and the gateway says so to the client.
    """

    @property
    def name(self) -> str:
        """The word in ids, accounts and `provider` fields: `jimeng`, `dashscope`."""

    @property
    def query_batch(self) -> int:
        """How many ids one upstream query may carry."""

    @property
    def regions(self) -> frozenset[str]:
        """The words that `Account.region` may hold."""

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        """The account of a credential as clients send it; None when it cannot be one of this upstream's.

        `named` says that the caller wrote this provider's name in front: then the usual prefix is not asked for.
        """

    def owns(self, native_id: str) -> bool:
        """True when an id has the shape of this upstream's ids."""

    def submitted_at(self, native_id: str) -> float | None:
        """The time of the submit, where the upstream's ids carry it."""

    def models(self) -> Sequence[ModelCard]:
        """Every model in the table, preferred ones first. A name may stand there several times, for other regions each
        time."""

    def card(self, model: str) -> ModelCard | None:
        """The card of a model by its name or the upstream's key, an open one for an unknown model of a known family,
        None for a stranger. A model that the table knows and no region has any more has a card, too."""

    async def prepare(self, request: VideoRequest, account: Account) -> Prepared:
        """Upload the files of a settled request and build what `submit` sends. Not charged.

        It may take minutes. Whatever it raises, nothing was created: it never raises ANSWER_LOST. Without files it
        makes no call.
        """

    async def submit(self, prepared: Prepared, account: Account, *, submit_key: str) -> Submission:
        """Start the generation that `prepare` prepared for this account, in one call. **Charged.**

        `submit_key` is a UUID chosen by the gateway: for one account, the same key means the same submit. After a lost
        answer the same `prepared` is sent again with the same key.
        ANSWER_LOST is raised when the upstream may have accepted it; every other kind means that nothing was created.
        """

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
        """The state of each id. Not charged.

        An id that the upstream does not know maps to ProviderError(TASK_NOT_FOUND). Raised is what concerns the
        whole call: the way, the credential, the rate.
        """


@runtime_checkable
class CanDiscover(Protocol):
    """An upstream that tells which models an account's site has now. Absent: the table is all there is."""

    async def discover(self, account: Account) -> Sequence[ModelCard]:
        """The models that the account's site lists, in its order, read live. Not charged.

        A model of the table keeps the table's name; any other is called by the upstream's key. The answer is cached by
        the gateway, and the table counts where a call fails.
        """


@runtime_checkable
class CanFind(Protocol):
    """An upstream where a submit can be looked up by its key. Absent: a lost answer stays unconfirmed."""

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        """The submission of a key, None when the upstream does not know it (yet)."""


@runtime_checkable
class CanCancel(Protocol):
    """An upstream that can cancel. Absent: the gateway answers 409 `not_cancellable`."""

    async def cancel(self, id: str, account: Account) -> None:
        """Cancel a task. Raises NOT_CANCELLABLE when it is too late."""


@runtime_checkable
class CanList(Protocol):
    """An upstream that lists an account's recent tasks. Absent: its tasks are known by their ids only."""

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        """Tasks of the account, newest first, that were created at or before `before` (unix seconds, None: now).

        At least `limit` of them where there are so many, in as few calls as the upstream's pages allow. Every state
        has `created_at`.
        """


@runtime_checkable
class CanCheck(Protocol):
    """An upstream that tells whether a login is alive. Absent: only a submit shows it."""

    async def check(self, account: Account) -> None:
        """Return when the login is alive. Raises INVALID_CREDENTIAL when the upstream refuses it. Not charged."""


@runtime_checkable
class CanTellCredits(Protocol):
    """An upstream that tells what an account has left. Absent: only a refused submit shows that it is nothing.

    Asking often is a risk to the account: it is done on request, and once after a submit was refused for want of
    credits.
    """

    async def credits(self, account: Account) -> Credits:
        """What is left now. Not charged."""


@runtime_checkable
class CanReceiveCredits(Protocol):
    """An upstream that gives credits away to whoever asks. Absent: there is nothing to receive."""

    async def receive_credits(self, account: Account) -> int:
        """Take today's gift and give its size; 0 when it was taken already."""
