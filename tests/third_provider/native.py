"""Acme's own API, as the gateway serves it for clients of Acme."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from providers.contract.native import NativeAnswer, NativeCall, NativeError, NativeOperation, NativeTask
from providers.contract.requests import RawSubmit, VideoRequest


class AcmeVideo(BaseModel):
    """A video of Acme's."""

    id: str
    state: str


class AcmeProblem(BaseModel):
    """An error of Acme's."""

    problem: str
    trace: str


_ROOT, _ONE = "/acme/v0/videos", "/acme/v0/videos/{id}"


class AcmeEntrance:
    """Submit, poll, list and cancel. Acme takes no files."""

    prefix, request_id_field, error_model = "/acme/v0", "trace", AcmeProblem
    chinese: Mapping[str, str] = {}
    operations = (
        NativeOperation(NativeCall.SUBMIT, "POST", _ROOT, "acmeSubmit", "Submit", AcmeVideo, AcmeVideo),
        NativeOperation(NativeCall.LIST, "GET", _ROOT, "acmeList", "List", AcmeVideo),
        NativeOperation(NativeCall.STATUS, "GET", _ONE, "acmeStatus", "Poll", AcmeVideo, error_statuses=(404,)),
        NativeOperation(NativeCall.CANCEL, "POST", f"{_ONE}/cancel", "acmeCancel", "Cancel", AcmeVideo),
    )

    def read_submit(
        self, path: str, headers: Mapping[str, str], body: bytes, fields: Mapping[str, Any], *, managed: bool
    ) -> VideoRequest:
        return VideoRequest(fields["model"], raw=RawSubmit("acme", "/videos", fields["model"], body))

    def translated(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return fields

    def read_uploads(self, query: Mapping[str, str]) -> str:
        return ""

    def client_session(self, headers: Mapping[str, str]) -> str:
        return ""

    def accepted(self, id: str) -> dict[str, Any]:
        return {"id": id, "state": "new"}

    def status(self, task: NativeTask) -> dict[str, Any]:
        return {"id": task.id, "state": task.state.phase.value}

    def missing(self, id: str) -> NativeAnswer | None:
        return None

    def cancelled(self) -> dict[str, Any]:
        return {"state": "cancelled"}

    def page(self, tasks: Sequence[NativeTask], query: Mapping[str, str], now: float) -> dict[str, Any]:
        return {"videos": [self.status(task) for task in tasks]}

    def grant(self, granted: Mapping[str, Any], account_tag: str) -> dict[str, Any]:
        return {}

    def error(self, error: NativeError) -> NativeAnswer:
        return NativeAnswer(error.status, {"problem": error.code})
