"""An upstream's own API, which the gateway serves for clients of the upstream's SDK.

A `NativeEntrance` is pure: it reads requests and words answers, as the upstream would. The gateway does everything in
between. Every answer also has the id of the request, which the gateway adds as `request_id_field`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from providers.contract.requests import VideoRequest
from providers.contract.tasks import TaskState


class NativeCall(StrEnum):
    """What a path of an entrance does."""

    SUBMIT = "submit"
    STATUS = "status"
    LIST = "list"
    CANCEL = "cancel"
    UPLOADS = "uploads"
    """The permission to upload a file, see `GrantsUploads`."""


@dataclass(frozen=True, slots=True)
class NativeOperation:
    """One path of an entrance, whole and with `{id}` for the id of a task. The rest is for the documentation: `query`
    and `headers` are the parameters with their meanings."""

    call: NativeCall
    method: str
    path: str
    id: str
    summary: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    error_statuses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NativeTask:
    """A task for an answer, of any provider. `id` is its public id. `model` and `created` (unix seconds) are None if
    unknown. `failure` is the message of a failed task, for people."""

    id: str
    provider: str
    state: TaskState
    model: str | None = None
    created: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class NativeError:
    """An error for an answer. `code` and `status` are the gateway's. `upstream_code` and `detail` are those of an
    upstream, of any provider; "" without one. `message` is for people."""

    code: str
    status: int
    message: str
    upstream_code: str = ""
    detail: str = ""


class NativeAnswer(NamedTuple):
    """An HTTP status and a body."""

    status: int
    body: dict[str, Any]


class NativeEntrance(Protocol):
    """An upstream's own API. Methods that read a request raise ProviderError(INVALID_REQUEST or NOT_ENTITLED), with the
    upstream's code, for one that the upstream would refuse before it looks at the model."""

    @property
    def prefix(self) -> str:
        """The path that all of its paths begin with, without a slash at the end."""

    @property
    def request_id_field(self) -> str:
        """The field of a body with the id of the request."""

    @property
    def operations(self) -> Sequence[NativeOperation]:
        """Its paths."""

    @property
    def chinese(self) -> Mapping[str, str]:
        """The Chinese of the texts of `operations` and their models, by the English, for the documentation."""

    @property
    def error_model(self) -> type[BaseModel]:
        """The form of an error, for the documentation."""

    def read_submit(
        self, path: str, headers: Mapping[str, str], body: bytes, fields: Mapping[str, Any], *, managed: bool
    ) -> VideoRequest:
        """The request of a submit, with the body as it is in `raw`. `path` is that of the operation, `fields` is the
        parsed body, `headers` can be looked up in any case. With `managed` the accounts are not the client's."""

    def translated(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parsed body for a model of another provider: without what the SDK adds on its own."""

    def read_uploads(self, query: Mapping[str, str]) -> str:
        """The model that files are to be uploaded for."""

    def client_session(self, headers: Mapping[str, str]) -> str:
        """What tells one process of a client from another, "" if the client does not say."""

    def accepted(self, id: str) -> dict[str, Any]:
        """The answer to a submit."""

    def status(self, task: NativeTask) -> dict[str, Any]:
        """The answer to a poll."""

    def missing(self, id: str) -> NativeAnswer | None:
        """The answer to a poll of an unknown task; None where that is an error."""

    def cancelled(self) -> dict[str, Any]:
        """The answer to a cancel."""

    def page(self, tasks: Sequence[NativeTask], query: Mapping[str, str], now: float) -> dict[str, Any]:
        """A page of the list. `tasks` are the client's recent ones, newest first; `now` is in unix seconds."""

    def grant(self, granted: Mapping[str, Any], account_tag: str) -> dict[str, Any]:
        """The answer to a request for the permission to upload, from that of the upstream. `account_tag` is to be part
        of the address of the uploaded file, where `read_submit` finds it; "" where there is no need."""

    def error(self, error: NativeError) -> NativeAnswer:
        """An error."""
