"""How a file reaches DashScope: written into the body as a `data:` URL, or as a temporary file of the service's own.

A temporary file takes two calls: a policy for one model is asked for, and the file goes with it to the object store,
as a form. Its link, `oss://…`, works for 48 hours, for that model and that main account only. None of this is charged
and none of it creates a task, so nothing that goes wrong here may count as a lost answer.
"""

import asyncio
import math
import re
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.errors import MAX_DETAIL, text_of
from providers.dashscope.request_protocols import USER_AGENT, Files, RequestProtocol
from providers.media_files import MediaFile, MediaKind
from providers.single_flight import SingleFlight, all_of
from providers.transport.client import HttpClient
from providers.transport.transports import Reply
from providers.validation import URLS_ONLY, is_public

DATA_URL_BYTES = 4 * 1024 * 1024
"""What the pictures written into one body may come to before they are encoded: 5.6 million characters after it."""

UPLOADS_AT_ONCE = 4
"""Files of one submit that are uploaded at the same time."""

LINK_SECONDS = 12 * 3600.0
"""How long the link of a file is used again. It has 48 hours: a task may wait in the queue for one day of them."""

REMEMBERED_LINKS = 4096

_MEGABYTE = 1024 * 1024
_ERROR = re.compile(rb"<(Code|Message)>\s*([^<]{1,500})", re.IGNORECASE)
_EXPIRED = "policy expired"


@dataclass(frozen=True, slots=True)
class Policy:
    """The leave to put files of up to `max_bytes` (0: not said) into one folder of the object store, for 5 minutes."""

    host: str
    folder: str
    access_key_id: str = field(repr=False)
    signature: str = field(repr=False)
    policy: str = field(repr=False)
    acl: str = "private"
    forbid_overwrite: str = "true"
    max_bytes: int = 0


def parse_policy(body: Any) -> Policy | None:
    """The policy in the decoded answer to `GET /uploads`, below `data`; None when no file can be sent with it."""
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
    """What stands before and after the bytes of a file in the form that sends it.

    The fields are those of the service's own SDK, in its order; the file comes last, without a type of its own.
    `name` is the file's in its folder, plain ASCII; `boundary` must be random, so that no text can hold it.
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
    """Code and message of the object store's `<Error><Code>…</Code><Message>…</Message>…`; empty where there are none.

    The rest of such an answer quotes the signature and what was signed.
    """
    said = {
        name.lower(): " ".join(text.decode("utf-8", "replace").split()) for name, text in reversed(_ERROR.findall(body))
    }
    return said.get(b"code", ""), said.get(b"message", "")


async def data_url(file: MediaFile) -> str:
    """The whole file as `data:{type};base64,…`, encoded piece by piece so that nothing else waits for it."""
    encoded = [f"data:{file.media_type};base64,"]
    rest = b""
    async for piece in file.pieces():
        rest += piece
        whole = len(rest) - len(rest) % 3
        encoded.append(b64encode(rest[:whole]).decode())
        rest = rest[whole:]
    encoded.append(b64encode(rest).decode())
    return "".join(encoded)


class LinkKey(NamedTuple):
    """Whom a link works for, what for, and what it is of. The credential's principal covers its region as well; the
    account's id outlives the main account behind its name."""

    principal: str
    model: str
    sha256: str


class _TooLargeError(Exception):
    """The service takes files of at most `max_bytes`, 0 where it does not say."""

    def __init__(self, max_bytes: int = 0) -> None:
        super().__init__(max_bytes)
        self.max_bytes = max_bytes


AskPolicy = Callable[[str, Account], Awaitable[Policy]]
"""Asks for a policy for a model, by its name on the wire. Raises ProviderError."""


class Uploads:
    """Hands files over, and remembers what it sent: the same bytes for the same model and account go once."""

    def __init__(self, http: HttpClient, ask_policy: AskPolicy, now: Callable[[], float]) -> None:
        self._http = http
        self._ask_policy = ask_policy
        self._links: SingleFlight[LinkKey, str] = SingleFlight(REMEMBERED_LINKS, LINK_SECONDS, now)

    async def hand_over(
        self, request: VideoRequest, protocol: RequestProtocol, model: str, account: Account
    ) -> VideoRequest:
        """The request with an address in place of every file. `model` is the name on the wire.

        Raises ProviderError: INVALID_REQUEST for files that the model or the service does not take; the kinds of an
        account's trouble as a policy is refused for them; MODEL_NOT_FOUND; UNREACHABLE; else UPLOAD_FAILED. Nothing
        was charged then.
        """
        media = _media_of(request)
        hopeless = [
            FieldProblem(item.param, FieldReason.UNSUPPORTED, ("https://…",), hint=URLS_ONLY)
            for item in media
            if protocol.files is Files.NONE and not is_public(item)
        ]
        if hopeless:
            raise ProviderError(ErrorKind.INVALID_REQUEST, fields=hopeless)
        if not any(item.file for item in media):
            return request
        turns = asyncio.Semaphore(UPLOADS_AT_ONCE)
        left = DATA_URL_BYTES if protocol.files is Files.DATA else 0
        ways: list[Coroutine[Any, Any, Media]] = []
        for item in media:
            if item.file and item.file.kind is MediaKind.IMAGE and item.file.size <= left:
                left -= item.file.size
                ways.append(_written_out(item))
            else:
                ways.append(self._uploaded(item, model, account, turns))
        placed = await all_of(ways)
        sound = placed.pop() if request.sound else None
        return replace(request, media=tuple(placed), sound=sound)

    def keys(self, request: VideoRequest, model: str, account: Account) -> tuple[LinkKey, ...]:
        """Under which the links of a request's files are cached."""
        files = [item.file for item in _media_of(request) if item.file]
        return tuple(LinkKey(account.principals[-1], model, file.sha256) for file in files)

    def forget(self, keys: Iterable[LinkKey]) -> None:
        """Upload these files again the next time: their submit was refused, which may be for their links."""
        for key in keys:
            self._links.forget(key)

    async def _uploaded(self, item: Media, model: str, account: Account, turns: asyncio.Semaphore) -> Media:
        if item.file is None:
            return item
        try:
            async with turns:
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
        """Send the file. A policy that expired meanwhile is replaced once."""
        try:
            for last in (False, True):
                policy = await self._ask_policy(model, account)
                if policy.max_bytes and file.size > policy.max_bytes:
                    raise _TooLargeError(policy.max_bytes)
                reply = await self._post(file, policy, account)
                if 200 <= reply.status < 300:
                    break
                code, message = parse_error(reply.body)
                if code == "EntityTooLarge":
                    raise _TooLargeError(policy.max_bytes if policy.max_bytes < file.size else 0)
                if last or _EXPIRED not in message.lower():
                    raise _refused(reply, code, message, policy, account)
        except ProviderError as error:
            if error.kind is not ErrorKind.ANSWER_LOST:
                raise
            # It may be sent again as often as one likes.
            raise ProviderError(ErrorKind.UPLOAD_FAILED, code=error.code, detail=error.detail) from error
        return f"oss://{policy.folder}/{file.name}"

    async def _post(self, file: MediaFile, policy: Policy, account: Account) -> Reply:
        boundary = secrets.token_hex(16)
        head, tail = form(policy, file.name, file.media_type, boundary)
        return await self._http.upload(
            "POST",
            policy.host,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": USER_AGENT},
            content=_around(head, file, tail),
            length=len(head) + file.size + len(tail),
            proxy=account.proxy,
        )


def _media_of(request: VideoRequest) -> tuple[Media, ...]:
    """Every input, the sound last."""
    return (*request.media, request.sound) if request.sound else request.media


async def _written_out(item: Media) -> Media:
    return replace(item, url=await data_url(item.file), file=None) if item.file else item


async def _around(head: bytes, file: MediaFile, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async for piece in file.pieces():
        yield piece
    yield tail


def _refused(reply: Reply, code: str, message: str, policy: Policy, account: Account) -> ProviderError:
    """An answer of the object store that is not a success. It has no say on the account or the request."""
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
