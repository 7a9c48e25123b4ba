"""Pass files to DashScope: as a `data:` URL in the body, or as a temporary file of the service.

A temporary file takes two calls: a policy for one model, and a form upload to the object store with that policy. Its
link, `oss://…`, works for 48 hours, for that model and main account only. None of this is charged or creates a task, so
no failure here counts as ANSWER_LOST.
"""

import asyncio
import math
import re
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from providers.concurrent_calls import all_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.errors import MAX_DETAIL, text_of
from providers.dashscope.request_protocols import USER_AGENT, Files, RequestProtocol
from providers.media_files import MediaFile, MediaKind
from providers.offload import offload
from providers.single_flight import SingleFlight
from providers.transport.client import HttpClient
from providers.transport.transports import Reply
from providers.validation import URLS_ONLY, is_public

DATA_URL_BYTES = 4 * 1024 * 1024
"""Total bytes of the images in one body, before base64: 5.6 million characters after it."""

UPLOADS_AT_ONCE = 4
"""Concurrent uploads of one submit."""

LINK_SECONDS = 12 * 3600.0
"""How long a link is reused. It works for 48 hours, and a task may be queued for 24 of them."""

MAX_CACHED_LINKS = 4096

_MEGABYTE = 1024 * 1024
_ERROR = re.compile(rb"<(Code|Message)>\s*([^<]{1,500})", re.IGNORECASE)
_EXPIRED = "policy expired"


@dataclass(frozen=True, slots=True)
class Policy:
    """Permission to upload files of up to `max_bytes` (0: unknown) to one folder of the object store, for 5 minutes."""

    host: str
    folder: str
    access_key_id: str = field(repr=False)
    signature: str = field(repr=False)
    policy: str = field(repr=False)
    acl: str = "private"
    forbid_overwrite: str = "true"
    max_bytes: int = 0


def parse_policy(body: Any) -> Policy | None:
    """The policy in the decoded response of `GET /uploads`, below `data`; None if it is unusable."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        return None
    host, folder = text_of(data.get("upload_host")), text_of(data.get("upload_dir")).strip("/")
    key, signature, policy = (text_of(data.get(name)) for name in ("oss_access_key_id", "signature", "policy"))
    if not host.lower().startswith(("https://", "http://")) or not all((folder, key, signature, policy)):
        return None
    return Policy(
        host,
        folder,
        key,
        signature,
        policy,
        acl=text_of(data.get("x_oss_object_acl")) or "private",
        forbid_overwrite=text_of(data.get("x_oss_forbid_overwrite")) or "true",
        max_bytes=_bytes_of(data.get("max_file_size_mb")),
    )


def _bytes_of(megabytes: Any) -> int:
    try:
        size = float(text_of(megabytes)) * _MEGABYTE
    except ValueError:
        return 0
    return int(size) if 0 < size < math.inf else 0


def form(policy: Policy, name: str, media_type: str, boundary: str) -> tuple[bytes, bytes]:
    """The multipart bytes before and after the file.

    The fields are those of the service's SDK, in its order; the file comes last, without a content type. `name` is the
    file's name in its folder, plain ASCII; `boundary` must be random, so that no content can contain it.
    """
    fields = {
        "OSSAccessKeyId": policy.access_key_id,
        "Signature": policy.signature,
        "policy": policy.policy,
        "key": f"{policy.folder}/{name}",
        "x-oss-object-acl": policy.acl,
        "x-oss-forbid-overwrite": policy.forbid_overwrite,
        "success_action_status": "200",
        "x-oss-content-type": media_type,
    }
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    head = "".join(f'{part}{field}"\r\n\r\n{value}\r\n' for field, value in fields.items())
    head += f'{part}file"; filename="{name}"\r\n\r\n'
    return head.encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()


def parse_error(body: bytes) -> tuple[str, str]:
    """Code and message of the object store's `<Error><Code>…</Code><Message>…</Message>…`; "" if missing.

    The rest of such a response contains the signature and the signed text.
    """
    found = {
        name.lower(): " ".join(text.decode("utf-8", "replace").split()) for name, text in reversed(_ERROR.findall(body))
    }
    return found.get(b"code", ""), found.get(b"message", "")


async def data_url(file: MediaFile) -> str:
    """The whole file as `data:{type};base64,…`."""
    return await offload(file.size, partial(_data_url, file))


def _data_url(file: MediaFile) -> str:
    encoded = [f"data:{file.media_type};base64,"]
    rest = b""
    for piece in file.sync_pieces():
        rest += piece
        whole = len(rest) - len(rest) % 3
        encoded.append(b64encode(rest[:whole]).decode())
        rest = rest[whole:]
    encoded.append(b64encode(rest).decode())
    return "".join(encoded)


class LinkKey(NamedTuple):
    """The account, model and content of a link. The credential's principal covers its region as well; the account's id
    would survive a change of the main account behind its name."""

    principal: str
    model: str
    sha256: str


class _TooLargeError(Exception):
    """The service takes files of at most `max_bytes`, 0 if unknown."""

    def __init__(self, max_bytes: int = 0) -> None:
        super().__init__(max_bytes)
        self.max_bytes = max_bytes


RequestPolicy = Callable[[str, Account], Awaitable[Policy]]
"""Requests a policy for a model, by its name on the wire. Raises ProviderError."""


class Uploads:
    """Uploads files and caches their links: the same bytes for the same model and account are uploaded once."""

    def __init__(self, http: HttpClient, request_policy: RequestPolicy, now: Callable[[], float]) -> None:
        self._http = http
        self._request_policy = request_policy
        self._links: SingleFlight[LinkKey, str] = SingleFlight(MAX_CACHED_LINKS, LINK_SECONDS, now)

    async def replace_files(
        self, request: VideoRequest, protocol: RequestProtocol, model: str, account: Account
    ) -> VideoRequest:
        """The request with a URL in place of every file. `model` is the name on the wire.

        Raises ProviderError: INVALID_REQUEST for files that the model or the service does not take; the kinds of an
        account for which a policy is refused; MODEL_NOT_FOUND; UNREACHABLE; else UPLOAD_FAILED. Nothing is charged.
        """
        media = _media_of(request)
        unsupported = [
            FieldProblem(item.param, FieldReason.UNSUPPORTED, ("https://…",), hint=URLS_ONLY)
            for item in media
            if protocol.files is Files.NONE and not is_public(item)
        ]
        if unsupported:
            raise ProviderError(ErrorKind.INVALID_REQUEST, fields=unsupported)
        if not any(item.file for item in media):
            return request
        slots = asyncio.Semaphore(UPLOADS_AT_ONCE)
        data_bytes_left = DATA_URL_BYTES if protocol.files is Files.DATA else 0
        transfers: list[Coroutine[Any, Any, Media]] = []
        for item in media:
            if item.file and item.file.kind is MediaKind.IMAGE and item.file.size <= data_bytes_left:
                data_bytes_left -= item.file.size
                transfers.append(_as_data_url(item))
            else:
                transfers.append(self._uploaded(item, model, account, slots))
        replaced = await all_of(transfers)
        sound = replaced.pop() if request.sound else None
        return replace(request, media=tuple(replaced), sound=sound)

    def keys(self, request: VideoRequest, model: str, account: Account) -> tuple[LinkKey, ...]:
        """The cache keys of a request's files."""
        files = [item.file for item in _media_of(request) if item.file]
        return tuple(LinkKey(account.principals[-1], model, file.sha256) for file in files)

    def forget(self, keys: Iterable[LinkKey]) -> None:
        """Drop these links from the cache: their submit was rejected, possibly because of them."""
        for key in keys:
            self._links.forget(key)

    async def _uploaded(self, item: Media, model: str, account: Account, slots: asyncio.Semaphore) -> Media:
        if item.file is None:
            return item
        try:
            async with slots:
                link = await self._link(item.file, model, account)
        except _TooLargeError as error:
            allowed = (f"≤ {_in_megabytes(error.max_bytes)}",) if error.max_bytes else ()
            problem = FieldProblem(item.param, FieldReason.NOT_ALLOWED, allowed, _in_megabytes(item.file.size))
            raise ProviderError(ErrorKind.INVALID_REQUEST, fields=[problem]) from error
        return replace(item, url=link, file=None)

    async def _link(self, file: MediaFile, model: str, account: Account) -> str:
        key = LinkKey(account.principals[-1], model, file.sha256)
        return await self._links.get(key, lambda: self._upload(file, model, account), route=account.proxy)

    async def _upload(self, file: MediaFile, model: str, account: Account) -> str:
        """Upload the file. A policy that expired meanwhile is replaced once."""
        try:
            for last in (False, True):
                policy = await self._request_policy(model, account)
                if policy.max_bytes and file.size > policy.max_bytes:
                    raise _TooLargeError(policy.max_bytes)
                reply = await self._post(file, policy, account)
                if 200 <= reply.status < 300:
                    break
                code, message = parse_error(reply.body)
                if code == "EntityTooLarge":
                    raise _TooLargeError(policy.max_bytes if policy.max_bytes < file.size else 0)
                if last or _EXPIRED not in message.lower():
                    raise _store_error(reply, code, message, policy, account)
        except ProviderError as error:
            if error.kind is not ErrorKind.ANSWER_LOST:
                raise
            # A retry is always safe.
            raise ProviderError(ErrorKind.UPLOAD_FAILED, code=error.code, detail=error.detail) from error
        return f"oss://{policy.folder}/{file.name}"

    async def _post(self, file: MediaFile, policy: Policy, account: Account) -> Reply:
        boundary = secrets.token_hex(16)
        head, tail = form(policy, file.name, file.media_type, boundary)
        return await self._http.upload(
            "POST",
            policy.host,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": USER_AGENT},
            content=_multipart(head, file, tail),
            length=len(head) + file.size + len(tail),
            proxy=account.proxy,
        )


def _media_of(request: VideoRequest) -> tuple[Media, ...]:
    """Every input, the sound last."""
    return (*request.media, request.sound) if request.sound else request.media


async def _as_data_url(item: Media) -> Media:
    return replace(item, url=await data_url(item.file), file=None) if item.file else item


async def _multipart(head: bytes, file: MediaFile, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async for piece in file.pieces():
        yield piece
    yield tail


def _store_error(reply: Reply, code: str, message: str, policy: Policy, account: Account) -> ProviderError:
    """The error of the object store's response. It tells nothing of the account or the request."""
    for secret in (policy.signature, policy.policy):
        message = message.replace(secret, "***")
    return ProviderError(
        ErrorKind.UPLOAD_FAILED,
        code=account.redact(code),
        detail=account.redact(message)[:MAX_DETAIL] or f"HTTP {reply.status} of the object store",
        retry_after=reply.retry_after,
    )


def _in_megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.4g} MB"
