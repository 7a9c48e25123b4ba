"""HTTP client of a running gateway, for the client commands."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote, urljoin

import httpx

from gateway.cli.client.forms import FormPart, has_files, open_form
from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.language import terminal_language
from gateway.cli.options import KEY_VARIABLE

_TIMEOUT = httpx.Timeout(150.0, connect=5.0)
"""Seconds. The gateway looks up a submit whose response was lost, and may send it again."""

_STALL_SECONDS = 60.0
"""Seconds without a byte after which a download counts as interrupted."""

_DEFAULT_POLL_SECONDS = 3.0
_DELAY = re.compile(r"[0-9]{1,9}")
_MAX_IDS = 100
"""In one request."""

_MEDIA_TYPES = ("video/", "image/", "application/octet-stream")


class UnreachableError(CommandError):
    def __init__(self, url: str) -> None:
        super().__init__(f"no gateway responds at {url}: start one with `video-gateway serve`, or set another --url")


class BrokenResponseError(CommandError):
    def __init__(self, url: str, error: Exception, consequence: str = "the request may have been processed") -> None:
        super().__init__(f"the response of {url} did not arrive ({type(error).__name__}): {consequence}")


class ResponseError(CommandError):
    """`status` is the HTTP status; `error` is the gateway's error object, empty if another server responded."""

    def __init__(self, message: str, status: int, error: Mapping[str, Any] | None = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.error = error or {}


@dataclass(frozen=True, slots=True)
class TaskView:
    """The status of a task. `status` may also be `not_found`, for one of several.

    `timed_out`: the gateway does not wait for it any longer. `body` is the status object.
    """

    id: str
    status: str
    progress: int = 0
    message: str = ""
    url: str = ""
    timed_out: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "not_found")

    @property
    def over(self) -> bool:
        """Whether nothing is expected any more."""
        return self.ended or self.timed_out

    @property
    def failed(self) -> bool:
        """Whether it is over without a video."""
        return self.over and self.status != "completed"

    @property
    def outcome(self) -> str:
        """The link, else the error or the status message."""
        return self.url or self.message


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """`text` is the unchanged body, `poll_after` the seconds until the next poll, `base` the gateway's URL."""

    text: str
    body: Mapping[str, Any]
    poll_after: float
    base: str = ""

    @property
    def tasks(self) -> list[TaskView]:
        """The tasks of a status response, of one or many. Raises CommandError."""
        try:
            found = self.body["data"] if self.body.get("object") == "list" else [self.body]
            return [_task_view(task, self.base) for task in found]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise CommandError("the response is no task: is it the gateway?") from None


def require_key(key: str) -> str:
    """The key. Raises CommandError if it is missing."""
    if not key:
        message = "a key is required: use --key or set GATEWAY_KEY (a gateway key or an upstream credential)"
        raise CommandError(message, BAD_USAGE)
    return key


class GatewayClient:
    """Calls one gateway, with one key or, where the key is empty, without. Every method raises CommandError."""

    def __init__(self, url: str, key: str, *, key_variable: str = KEY_VARIABLE, seconds: float | None = None) -> None:
        """`key_variable` is the environment variable of the key, for messages. `seconds` is a limit for each step of a
        call, instead of the usual ones."""
        if not (key.isascii() and key.isprintable()):
            raise CommandError("the key has characters that no key has: copy it once more", BAD_USAGE)
        self.url = _normalize_url(url)
        self._key_variable = key_variable
        self._headers = {"accept-language": terminal_language()} | ({"authorization": f"Bearer {key}"} if key else {})
        # A proxy in the environment does not lead to this machine.
        self._trust_env = not _is_loopback(self.url)
        timeout = _TIMEOUT if seconds is None else httpx.Timeout(seconds)
        self._http = httpx.Client(base_url=self.url, headers=self._headers, timeout=timeout, trust_env=self._trust_env)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def submit(self, body: Mapping[str, Any]) -> GatewayResponse:
        """Submit a task. **Charged.** A `Path` among the values is uploaded as a file."""
        path = "/v1/videos/generations"
        try:
            if has_files(body):
                with open_form(body) as parts:
                    return self._call("POST", path, files=parts)
            return self._call("POST", path, json.dumps(body, ensure_ascii=False).encode())
        except UnicodeEncodeError:
            raise CommandError("the prompt is not valid text in this terminal's encoding", BAD_USAGE) from None

    def status(self, ids: Sequence[str]) -> GatewayResponse:
        """The status of tasks. An unknown one is an error if it is the only one, else a row `not_found`."""
        if len(ids) == 1:
            return self._call("GET", f"/v1/videos/tasks/{_path_segment(ids[0])}")
        return self._call("GET", f"/v1/videos/tasks?ids={quote(','.join(ids), safe='')}")

    def statuses(self, ids: Sequence[str]) -> list[GatewayResponse]:
        """The status of tasks in their order, an unknown one as a row `not_found`."""
        parts = [ids[start : start + _MAX_IDS] for start in range(0, len(ids), _MAX_IDS)]
        return [self._call("GET", f"/v1/videos/tasks?ids={quote(','.join(part), safe='')}") for part in parts]

    def stream_client(self, silent_seconds: float) -> httpx.AsyncClient:
        """A client for responses that never end, each lost after `silent_seconds` without a byte."""
        timeout = httpx.Timeout(silent_seconds, connect=_TIMEOUT.connect)
        return httpx.AsyncClient(base_url=self.url, headers=self._headers, timeout=timeout, trust_env=self._trust_env)

    def events_path(self, id: str) -> str:
        """Where the events of a task are."""
        return f"/v1/videos/tasks/{_path_segment(id)}/events"

    def task_view(self, status: Mapping[str, Any]) -> TaskView:
        """The task of a status object. Raises CommandError."""
        return GatewayResponse("", status, 0.0, self.url).tasks[0]

    def cancel(self, id: str) -> GatewayResponse:
        """Cancel a task. Returns its status. An error (409) if it can no longer be cancelled."""
        return self._call("POST", f"/v1/videos/tasks/{_path_segment(id)}/cancel")

    @contextlib.contextmanager
    def content(
        self, id: str, *, thumbnail: bool = False, range_headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """The response (200, 206 or 416) with the file of a finished video, its body unread. `range_headers` request a
        range of it. Redirects are not followed.

        Errors while the body is read become CommandError.
        """
        query = "?variant=thumbnail" if thumbnail else ""
        headers = {"accept-encoding": "identity", **(range_headers or {})}
        timeout = httpx.Timeout(_STALL_SECONDS, connect=_TIMEOUT.connect)
        path = f"/v1/videos/{_path_segment(id)}/content{query}"
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout, follow_redirects=False) as response:
                if response.status_code not in (200, 206, 416):
                    response.read()
                    raise self._response_error(response)
                kind = response.headers.get("content-type", "").lower()
                if response.is_success and not kind.startswith(_MEDIA_TYPES):
                    message = f"{self.url} did not respond with a file: is it the gateway?"
                    raise ResponseError(message, response.status_code)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise UnreachableError(self.url) from None
        except httpx.HTTPError as error:
            raise BrokenResponseError(self.url, error, "the file is incomplete") from None

    def models(self) -> GatewayResponse:
        return self._call("GET", "/v1/models")

    def accounts(self) -> GatewayResponse:
        """The status of the managed accounts. For the operator."""
        return self._call("GET", "/v1/accounts")

    def account_action(self, name: str, action: str) -> GatewayResponse:
        """Run an action on one account: check, points, receive, pause or resume. For the operator."""
        return self._call("POST", f"/v1/accounts/{_path_segment(name)}/{action}")

    def _call(
        self, method: str, path: str, content: bytes | None = None, files: Sequence[FormPart] | None = None
    ) -> GatewayResponse:
        headers = {"content-type": "application/json"} if content else {}
        try:
            response = self._http.request(method, path, content=content, files=files, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise UnreachableError(self.url) from None
        except httpx.HTTPError as error:
            raise BrokenResponseError(self.url, error) from None
        return self._read(response)

    def _read(self, response: httpx.Response) -> GatewayResponse:
        body = _json_object(response)
        if body is None or not response.is_success:
            raise self._response_error(response)
        return GatewayResponse(response.text, body, _poll_after(response), self.url)

    def _response_error(self, response: httpx.Response) -> ResponseError:
        body = _json_object(response)
        if body is None:
            message = f"{self.url} responded {response.status_code} without JSON: is it the gateway?"
            return ResponseError(message, response.status_code)
        error = body.get("error")
        if not isinstance(error, dict) or not error.get("message"):
            message = f"{self.url} responded {response.status_code} without an error object: is it the gateway?"
            return ResponseError(message, response.status_code)
        message = str(error["message"])
        if id := response.headers.get("x-request-id"):
            message += f"（请求 {id}）" if terminal_language() == "zh" else f" (request {id})"
        is_unauthorized = response.status_code in (401, 403) and "upstream_code" not in error
        return ResponseError(message, response.status_code, error, hint=self._key_hint() if is_unauthorized else "")

    def _key_hint(self) -> str:
        if "authorization" in self._headers:
            return f"check the key in --key or {self._key_variable}"
        return f"give the key with --key or {self._key_variable}"


def _normalize_url(url: str) -> str:
    """The gateway's URL, also from one without a scheme or with the `/v1` of OpenAI's clients."""
    text = url if "://" in url else f"http://{url}"
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise CommandError(f"--url {url}: must be a URL such as http://127.0.0.1:5100", BAD_USAGE)
    return text.rstrip("/").removesuffix("/v1")


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object of a response, None if it is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _path_segment(text: str) -> str:
    """A text as one segment of a path, also if it has only dots."""
    return quote(text, safe="").replace(".", "%2E")


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _poll_after(response: httpx.Response) -> float:
    delay_ms = response.headers.get("openai-poll-after-ms", "")
    return int(delay_ms) / 1000 if _DELAY.fullmatch(delay_ms) else _DEFAULT_POLL_SECONDS


def _task_view(task: Mapping[str, Any], base: str) -> TaskView:
    status = str(task["status"])
    url = str((task.get("result") or {}).get("url") or "")
    return TaskView(
        id=str(task["task_id"]),
        status=status,
        progress=int(task.get("progress") or 0),
        message=str(task.get("error") or task.get("message") or ""),
        # An archived video is served by the gateway, which does not know its own URL.
        url=urljoin(base, url) if url else "",
        body=task,
    )
