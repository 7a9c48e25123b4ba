"""DashScope's own video API as the gateway serves it, for programs that use Alibaba's SDK `dashscope`.

Submits go upstream as they come. What tells the account of an uploaded file is in its address: the gateway lets the
client upload into a sub-folder of the folder that the service grants, and that folder's name holds the account's tag.
A policy of the object store covers a folder with all that is below it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import orjson

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.native import NativeAnswer, NativeError, NativeTask
from providers.contract.requests import RawSubmit, VideoRequest
from providers.dashscope.models import PROVIDER
from providers.dashscope.native import answers, errors
from providers.dashscope.native.operations import OPERATIONS, PREFIX, DashScopeError
from providers.dashscope.payload import CLIENT_HEADERS
from providers.sizes import parse_size

NO_ASYNC = "current user api does not support synchronous calls."

_ASYNC_HEADER = "x-dashscope-async"
_SESSION_HEADER = "x-dashscope-sdk-session-id"
_LONGEST_NAME = 200
"""Characters of a model's name: limits and pauses of a model are kept by it."""
_SDK_INPUTS = frozenset({"extend_prompt", "function"})
"""What the SDK adds to every `input`."""

_FOLDER = "gateway-"
_UPLOADED = re.compile(rf"oss://.+/{_FOLDER}([0-9a-f]{{12}})/[^/]+", re.DOTALL)
_MIXED = LocalizedText(
    "素材上传到了不同的账号，无法用于同一个任务：请重新上传全部素材后再提交",
    "The files were uploaded for different accounts and cannot be used in one task: upload all of them again, then "
    "submit",
)


_CHINESE: dict[str, str] = orjson.loads(files("providers.dashscope.native").joinpath("chinese.json").read_bytes())


class DashScopeEntrance:
    """The entrance below `/api/v1`."""

    prefix = PREFIX
    request_id_field = "request_id"
    operations = OPERATIONS
    error_model = DashScopeError
    chinese = _CHINESE

    def read_submit(
        self, path: str, headers: Mapping[str, str], body: bytes, fields: Mapping[str, Any], *, managed: bool
    ) -> VideoRequest:
        """The fields besides `raw` are for the log, the archive and the public id: what cannot be read is left out,
        the service checks it."""
        if headers.get(_ASYNC_HEADER, "").lower() != "enable":
            raise ProviderError(ErrorKind.NOT_ENTITLED, code="AccessDenied", detail=NO_ASYNC)
        model = fields.get("model")
        if not isinstance(model, str) or not model.strip():
            raise errors.invalid_parameter("Field required: model")
        if len(model) > _LONGEST_NAME:
            raise errors.invalid_parameter("Model not exist.")
        inputs, parameters = _object(fields.get("input")), _object(fields.get("parameters"))
        tags = {found[1] for link in _links(inputs) if (found := _UPLOADED.fullmatch(link))}
        if len(tags) > 1:
            raise ProviderError(ErrorKind.INVALID_REQUEST, code="InvalidParameter", message=_MIXED)
        passed = CLIENT_HEADERS.of(headers, managed=managed)
        prompt, duration = inputs.get("prompt"), parameters.get("duration")
        resolution, pixels = parameters.get("resolution"), parse_size(_text(parameters.get("size")))
        return VideoRequest(
            model.strip(),
            _text(prompt),
            duration=duration if isinstance(duration, int) and not isinstance(duration, bool) else None,
            resolution=_text(resolution).lower() or None,
            size=f"{pixels[0]}x{pixels[1]}" if pixels else None,
            raw=RawSubmit(PROVIDER, path.removeprefix(PREFIX), model, body, passed, next(iter(tags), "")),
        )

    def translated(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        inputs = fields.get("input")
        if not isinstance(inputs, dict):
            return fields
        return {**fields, "input": {name: value for name, value in inputs.items() if name not in _SDK_INPUTS}}

    def read_uploads(self, query: Mapping[str, str]) -> str:
        model = query.get("model", "").strip()
        if query.get("action") != "getPolicy" or not model:
            raise errors.invalid_parameter("action must be getPolicy, and model is required")
        return model

    def client_session(self, headers: Mapping[str, str]) -> str:
        return headers.get(_SESSION_HEADER, "")

    def accepted(self, id: str) -> dict[str, Any]:
        return {"output": {"task_status": "PENDING", "task_id": id}}

    def status(self, task: NativeTask) -> dict[str, Any]:
        return answers.status_answer(task)

    def missing(self, id: str) -> NativeAnswer | None:
        return NativeAnswer(200, {"output": {"task_id": id, "task_status": "UNKNOWN"}})

    def cancelled(self) -> dict[str, Any]:
        return {}

    def page(self, tasks: Sequence[NativeTask], query: Mapping[str, str], now: float) -> dict[str, Any]:
        return answers.list_page(tasks, query, now)

    def grant(self, granted: Mapping[str, Any], account_tag: str) -> dict[str, Any]:
        data = dict(granted)
        if account_tag:
            data["upload_dir"] = f"{str(data.get('upload_dir', '')).rstrip('/')}/{_FOLDER}{account_tag}"
        return {"data": data}

    def error(self, error: NativeError) -> NativeAnswer:
        return errors.error_answer(error)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _links(value: Any) -> Iterator[str]:
    """The addresses of uploaded files in a body, however deep."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            if one.startswith("oss://"):
                yield one
        elif isinstance(one, dict):
            pending += one.values()
        elif isinstance(one, list):
            pending += one
