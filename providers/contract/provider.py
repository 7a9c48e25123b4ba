"""The protocol of a provider of videos, and of its optional capabilities.

Read this file first. `validation.validate` checks a `VideoRequest` against a `ModelCard`, `Provider.prepare` uploads
its files with an `Account` and builds the submit, `Provider.submit` sends it and returns a `Submission`. A poll calls
`Provider.query`, which returns a `TaskState` or a `ProviderError` for each id. Nothing in this package does I/O or
reads a clock. `language` is the same for chat and embeddings.

Units everywhere: seconds (also for times: unix seconds, UTC), pixels, bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from providers.contract.accounts import Account, Credits
from providers.contract.errors import ProviderError
from providers.contract.models import ModelCard
from providers.contract.requests import Prepared, Submission, VideoRequest
from providers.contract.tasks import HintPage, ListedTask, TaskState
from providers.contract.upstream import Upstream


@runtime_checkable
class Provider(Upstream, Protocol):
    """An upstream that makes videos. All calls raise ProviderError and nothing else.

    Optional capabilities are the protocols below: a provider without one does not define the method, and the gateway
    answers accordingly.
    """

    @property
    def query_batch(self) -> int:
        """How many ids one upstream query may carry."""

    def owns(self, native_id: str) -> bool:
        """True if an id has the format of this upstream's ids."""

    def submitted_at(self, native_id: str) -> float | None:
        """The time of the submit, None if the upstream's ids do not contain it."""

    def models(self) -> Sequence[ModelCard]:
        """Every model in the table, preferred ones first. A name may occur several times, for different regions."""

    def card(self, model: str) -> ModelCard | None:
        """The card of a model by its name or the upstream's key, that of an unlisted model for a known family, else
        None. A model in the table that no region has any more still has a card."""

    async def prepare(self, request: VideoRequest, account: Account) -> Prepared:
        """Upload the files of a validated request and build what `submit` sends. Not charged.

        It may take minutes. If it raises, nothing was created: it never raises ANSWER_LOST. Without files it makes no
        call.
        """

    async def submit(self, prepared: Prepared, account: Account, *, submit_key: str) -> Submission:
        """Start the generation that `prepare` prepared for this account, in one call. **Charged.**

        `submit_key` is a UUID chosen by the gateway: for one account, the same key means the same submit. After a lost
        response the same `prepared` is sent again with the same key.
        ANSWER_LOST is raised if the upstream may have accepted it; every other kind means that nothing was created.
        """

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
        """The state of each id. Not charged.

        An id unknown to the upstream maps to ProviderError(TASK_NOT_FOUND). Only errors of the whole call are raised:
        transport, credential, rate limit.
        """


@runtime_checkable
class CanDiscover(Protocol):
    """An upstream that lists the models of an account's site. Absent: only the table is used."""

    async def discover(self, account: Account) -> Sequence[ModelCard]:
        """The models that the account's site lists, in its order, read live. Not charged.

        A model in the table keeps the table's name; any other has the upstream's key as its name. The gateway caches
        the list, and uses the table if a call fails.
        """


@runtime_checkable
class ListsLate(Protocol):
    """An upstream that lists a task only seconds after its submit, so that a poll has to know the time of the submit.
    Absent: it lists a task at once."""

    lists_late: bool
    """True: an id whose time `submitted_at` does not tell is given signed, since the signed one does."""


@runtime_checkable
class TakesRawKeys(Protocol):
    """An upstream whose own model keys are passed on unchecked, on every site. Absent: a key means the table's
    model."""

    def raw_card(self, key: str) -> ModelCard | None:
        """The open card of a model by the upstream's own key; None for a text that is no key."""


@runtime_checkable
class CanFind(Protocol):
    """An upstream where a submit can be looked up by its key. Absent: a lost response stays unconfirmed."""

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        """The submission of a key, None if the upstream does not know it (yet)."""


@runtime_checkable
class CanCancel(Protocol):
    """An upstream that can cancel. Absent: the gateway answers 409 `not_cancellable`."""

    async def cancel(self, id: str, account: Account) -> None:
        """Cancel a task. Raises NOT_CANCELLABLE if it is too late."""


@runtime_checkable
class CanList(Protocol):
    """An upstream that lists an account's recent tasks. Absent: its tasks are known by their ids only."""

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        """Tasks of the account, newest first, that were created at or before `before` (unix seconds, None: now).

        At least `limit` of them if there are as many, in as few calls as the upstream's pages allow. Every state has
        `created_at`.
        """


@runtime_checkable
class CanHint(Protocol):
    """An upstream whose queries take one id each, and whose list tells the states of many tasks in one call. Absent:
    every state takes a query.

    The gateway reads pages of the list while an account has more tasks than its rate limit allows queries. A task that
    the list shows as unfinished needs no query for now; that a task has ended is told by its query alone.
    """

    @property
    def hint_size(self) -> int:
        """Rows to ask for. The upstream may give fewer, or refuse the call as INVALID_REQUEST: then fewer are asked
        for."""

    async def hint(self, account: Account, *, page: int, size: int) -> HintPage:
        """A page of the account's recent tasks, in one call. Not charged. `page` counts from 1, `size` is in rows."""


@runtime_checkable
class GrantsUploads(Protocol):
    """An upstream whose own clients upload files to it before a submit. Absent: they cannot do so here."""

    async def upload_grant(self, model: str, account: Account) -> Mapping[str, Any]:
        """The upstream's permission to upload files for a model, as it words it. Not charged: it never raises
        ANSWER_LOST. `model` is a name or the upstream's key. A file that is uploaded with it can be used by this
        account only."""


@runtime_checkable
class CanCheck(Protocol):
    """An upstream that can verify a login. Absent: only a submit shows whether it is valid."""

    async def check(self, account: Account) -> None:
        """Return if the login is valid. Raises INVALID_CREDENTIAL if the upstream rejects it. Not charged."""


@runtime_checkable
class CanReadCredits(Protocol):
    """An upstream that reports an account's credits. Absent: only a rejected submit shows that there are none.

    Frequent calls are a risk to the account: they are made on request, and once after a submit failed for lack of
    credits.
    """

    async def credits(self, account: Account) -> Credits:
        """The remaining credits. Not charged."""


@runtime_checkable
class CanReceiveCredits(Protocol):
    """An upstream with daily credits to claim. Absent: there are none."""

    async def receive_credits(self, account: Account) -> int:
        """Claim today's credits and return their number; 0 if already claimed."""
