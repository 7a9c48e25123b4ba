"""One running gateway, as the client commands speak to it."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote

import httpx

from gateway.cli.client.forms import Part, form_of, holds_files
from gateway.cli.errors import BAD_USAGE, CommandError

_TIMEOUT = httpx.Timeout(150.0, connect=5.0)
"""Seconds. A submit whose answer was lost is looked up by the gateway, and may be sent once more."""

_STALL_SECONDS = 60.0
"""A file that does not move for so long is one that broke off."""

_DEFAULT_PAUSE = 3.0

_MEDIA_TYPES = ("video/", "image/", "application/octet-stream")


class UnreachableError(CommandError):
    def __init__(self, url: str) -> None:
        super().__init__(f"no gateway answers at {url}: start one with `video-gateway serve`, or name another by --url")


class BrokenAnswerError(CommandError):
    def __init__(self, url: str, error: Exception, consequence: str = "what was asked for may have been done") -> None:
        super().__init__(f"the answer of {url} did not arrive ({type(error).__name__}): {consequence}")


class RefusedError(CommandError):
    """`status` is the HTTP status; `error` is what the gateway said, empty where something else answered."""

    def __init__(self, message: str, status: int, error: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error or {}


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as a person sees it. `status` may also be `not_found`, for one of several that were asked for."""

    id: str
    status: str
    progress: int = 0
    message: str = ""
    url: str = ""

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "not_found")

    @property
    def failed(self) -> bool:
        return self.ended and self.status != "completed"

    @property
    def outcome(self) -> str:
        """The most useful word on it: the link, else why there is none, else what is going on."""
        return self.url or self.message


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is the body exactly as it came, `pause` the seconds after which to ask again, `base` the address of the
    gateway."""

    text: str
    body: Mapping[str, Any]
    pause: float
    base: str = ""

    @property
    def tasks(self) -> list[TaskView]:
        """The tasks of a status answer, of one or of many. Raises CommandError."""
        found = self.body["data"] if self.body.get("object") == "list" else [self.body]
        try:
            return [_view(task, self.base) for task in found]
        except (KeyError, TypeError, ValueError):
            raise CommandError("the answer is no task: is it the gateway that listens there?") from None


def require_key(key: str) -> str:
    """The key, for commands that cannot do without one. Raises CommandError."""
    if not key:
        message = "a key is needed: give --key or set GATEWAY_KEY (a key of the gateway, or an upstream's)"
        raise CommandError(message, BAD_USAGE)
    return key


class GatewayClient:
    """Calls one gateway, with one key or, where the key is empty, without. Every method raises CommandError."""

    def __init__(self, url: str, key: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise CommandError("the key has characters that no key has: copy it once more", BAD_USAGE)
        self.url = _base(url)
        self._http = httpx.Client(
            base_url=self.url,
            headers={"accept-language": _language()} | ({"authorization": f"Bearer {key}"} if key else {}),
            timeout=_TIMEOUT,
            # A proxy in the environment does not lead to this machine.
            trust_env=not _is_loopback(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def submit(self, body: Mapping[str, Any]) -> Answer:
        """Start a task. **Charged.** A `Path` among the values is a file that is handed over."""
        path = "/v1/videos/generations"
        try:
            if holds_files(body):
                with form_of(body) as parts:
                    return self._call("POST", path, files=parts)
            return self._call("POST", path, json.dumps(body, ensure_ascii=False).encode())
        except UnicodeEncodeError:
            raise CommandError("the prompt is not readable text in this terminal's encoding", BAD_USAGE) from None

    def status(self, ids: Sequence[str]) -> Answer:
        """How tasks stand. One that does not exist is refused when it is asked for alone, else listed as such."""
        if len(ids) == 1:
            return self._call("GET", f"/v1/videos/tasks/{_segment(ids[0])}")
        return self._call("GET", f"/v1/videos/tasks?ids={quote(','.join(ids), safe='')}")

    def cancel(self, id: str) -> Answer:
        """Cancel a task, and how it stands then. Refused (409) where the upstream cannot cancel it any more."""
        return self._call("POST", f"/v1/videos/tasks/{_segment(id)}/cancel")

    @contextlib.contextmanager
    def content(
        self, id: str, *, thumbnail: bool = False, only: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """The file of a finished video, answered 200, 206 or 416, its body still to be read; `only` are the headers
        that ask for a part of it. No other host is ever followed to.

        Also what breaks while the body is read becomes a CommandError.
        """
        query = "?variant=thumbnail" if thumbnail else ""
        headers = {"accept-encoding": "identity", **(only or {})}
        timeout = httpx.Timeout(_STALL_SECONDS, connect=_TIMEOUT.connect)
        path = f"/v1/videos/{_segment(id)}/content{query}"
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout, follow_redirects=False) as response:
                if response.status_code not in (200, 206, 416):
                    response.read()
                    raise self._refusal(response)
                kind = response.headers.get("content-type", "").lower()
                if response.is_success and not kind.startswith(_MEDIA_TYPES):
                    message = f"{self.url} answered with something else than a file: is it the gateway?"
                    raise RefusedError(message, response.status_code)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise UnreachableError(self.url) from None
        except httpx.HTTPError as error:
            raise BrokenAnswerError(self.url, error, "the file is not whole") from None

    def models(self) -> Answer:
        return self._call("GET", "/v1/models")

    def accounts(self) -> Answer:
        """How the gateway's own accounts stand. For the operator, as all that concerns them."""
        return self._call("GET", "/v1/accounts")

    def on_account(self, name: str, action: str) -> Answer:
        """Do something with one account: check, points, receive, pause or resume."""
        return self._call("POST", f"/v1/accounts/{_segment(name)}/{action}")

    def _call(
        self, method: str, path: str, content: bytes | None = None, files: Sequence[Part] | None = None
    ) -> Answer:
        headers = {"content-type": "application/json"} if content else {}
        try:
            response = self._http.request(method, path, content=content, files=files, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise UnreachableError(self.url) from None
        except httpx.HTTPError as error:
            raise BrokenAnswerError(self.url, error) from None
        return self._read(response)

    def _read(self, response: httpx.Response) -> Answer:
        body = _object(response)
        if body is None or not response.is_success:
            raise self._refusal(response)
        return Answer(response.text, body, _pause(response), self.url)

    def _refusal(self, response: httpx.Response) -> RefusedError:
        body = _object(response)
        if body is None:
            message = f"{self.url} answered {response.status_code} with something else than JSON: is it the gateway?"
            return RefusedError(message, response.status_code)
        error = body.get("error")
        known = error if isinstance(error, dict) and error.get("message") else {}
        return RefusedError(self._complaint(known, response), response.status_code, known)

    def _complaint(self, error: Mapping[str, Any], response: httpx.Response) -> str:
        if not error:
            return f"{self.url} answered {response.status_code}, and not in the gateway's words: is it the gateway?"
        return f"{error['message']} (request {response.headers.get('x-request-id', 'without id')})"


def _base(url: str) -> str:
    """The gateway's address, also from what people paste: without a scheme, or with the `/v1` of OpenAI's clients."""
    text = url if "://" in url else f"http://{url}"
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise CommandError(f"--url {url}: an address such as http://127.0.0.1:5100 is wanted", BAD_USAGE)
    return text.rstrip("/").removesuffix("/v1")


def _object(response: httpx.Response) -> dict[str, Any] | None:
    """The answer's JSON object, None where it is something else."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _segment(text: str) -> str:
    """A text as one segment of a path, also where it is nothing but dots."""
    return quote(text, safe="").replace(".", "%2E")


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _language() -> str:
    """The language of this terminal, of the two that the gateway speaks."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next(filter(None, names), "").startswith("zh") else "en"


def _pause(response: httpx.Response) -> float:
    wished = response.headers.get("openai-poll-after-ms", "")
    return int(wished) / 1000 if wished.isascii() and wished.isdigit() else _DEFAULT_PAUSE


def _view(task: Mapping[str, Any], base: str) -> TaskView:
    status = str(task["status"])
    url = str((task.get("result") or {}).get("url") or "")
    return TaskView(
        id=str(task["task_id"]),
        status=status,
        progress=int(task.get("progress") or 0),
        message=str(task.get("error") or task.get("message") or ""),
        # What is archived lies behind the gateway itself, which does not know by what name it is reached.
        url=base + url if url.startswith("/") else url,
    )
