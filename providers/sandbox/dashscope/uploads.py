"""DashScope's temporary files: a policy for one model, a form sent to the object store, an `oss://` link.

A link works for 48 hours, for the account and the model of its policy, and cannot be read back: only the type and size
of a file are kept.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from providers.sandbox.dashscope.checks import Json
from providers.sandbox.dashscope.codes import Refused
from providers.sandbox.files import denied
from providers.sandbox.media import Content, Sample
from providers.sandbox.state import tag_of
from providers.sandbox.upload_faults import UploadFaults

POLICY_SECONDS = 300
LINK_SECONDS = 48 * 3600
MAX_MEGABYTES = 100
ACCESS_KEY = "LTAIsandbox"
_PIECE_BYTES = 256 * 1024
_FORM_BYTES = 16 * 1024
_FIELDS = ("OSSAccessKeyId", "Signature", "policy", "key", "x-oss-object-acl", "x-oss-forbid-overwrite")
_NOT_FOUND = "Unable to download the media resource during the data inspection process."


@dataclass(frozen=True, slots=True)
class _Stored:
    owner: str
    model: str
    at: float
    content: Content


class Uploads:
    """The policies issued and the files uploaded."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(16)
        self._folders: dict[str, tuple[str, str]] = {}
        self._files: dict[str, _Stored] = {}
        self._faults = UploadFaults()

    def policy(self, key: str, model: str, base: str) -> Json:
        """`data` of `GET /uploads?action=getPolicy&model=…`."""
        now = self._clock()
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        folder = f"dashscope-instant/{tag_of(key)}/{day}/{uuid.uuid4()}"
        self._folders[folder] = (key, model)
        terms = {"expires": now + POLICY_SECONDS, "folder": folder}
        policy = base64.b64encode(orjson.dumps(terms)).decode()
        return {
            "policy": policy,
            "signature": self._sign(policy),
            "upload_dir": folder,
            "upload_host": f"{base}/oss",
            "expire_in_seconds": POLICY_SECONDS,
            "max_file_size_mb": MAX_MEGABYTES,
            "capacity_limit_mb": 999_999_999,
            "oss_access_key_id": ACCESS_KEY,
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
        }

    def _sign(self, policy: str) -> str:
        return base64.b64encode(hmac.digest(self._secret, policy.encode(), hashlib.sha1)).decode()

    async def receive(self, request: Request) -> ASGIApp:
        """The form: the policy's fields, `key` inside its folder, `file` last. A large file spills to disk."""
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_MEGABYTES * 1024 * 1024 + _FORM_BYTES:
            return _too_large()
        async with request.form() as form:
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            last = list(form.multi_items())[-1:]
            file = last[0][1] if last and last[0][0] == "file" else None
            if not isinstance(file, UploadFile) or any(name not in fields for name in _FIELDS):
                return denied(400, "InvalidArgument", "A field of the form is missing, or the file is not last.")
            sample = await _read(file)
        if fields["OSSAccessKeyId"] != ACCESS_KEY or fields["Signature"] != self._sign(fields["policy"]):
            return denied(403, "SignatureDoesNotMatch", "The request signature does not match.")
        terms = orjson.loads(base64.b64decode(fields["policy"]))
        if terms["expires"] <= self._clock():
            return denied(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        # A condition of an object store's policy on `key` covers all that begins so.
        if not fields["key"].startswith(f"{terms['folder']}/") or fields["key"].endswith("/"):
            return denied(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed: key.")
        if sample.size > MAX_MEGABYTES * 1024 * 1024:
            return _too_large()
        if fields["key"] in self._files:
            return denied(409, "FileAlreadyExists", "The object you specified already exists.")
        owner, model = self._folders[terms["folder"]]
        failure = denied(500, "InternalError", "Please contact the server administrator.")
        if fault := self._faults.response_for(owner, sample, failure):
            return fault
        self._files[fields["key"]] = _Stored(owner, model, self._clock(), sample.content())
        return Response(b"", 200 if fields.get("success_action_status") == "200" else 204)

    def check(self, given: object, key: str, model: str) -> None:
        """Check that every `oss://` link in `given` belongs to this key and model. Raises `Refused`."""
        for link in _links(given):
            stored = self._files.get(link.removeprefix("oss://"))
            if stored is None or (stored.owner, stored.model) != (key, model):
                raise Refused("InvalidParameter.DataInspection", _NOT_FOUND)
            if self._clock() - stored.at > LINK_SECONDS:
                raise Refused("InvalidParameter.DataInspection", _NOT_FOUND)

    def content(self, link: str) -> Content:
        """The content behind a link that `check` has accepted."""
        return self._files[link.removeprefix("oss://")].content


async def _read(file: UploadFile) -> Sample:
    sample = Sample()
    while piece := await file.read(_PIECE_BYTES):
        sample.add(piece)
    return sample


def _too_large() -> Response:
    return denied(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")


def _links(given: object) -> Iterator[str]:
    if isinstance(given, str) and given.startswith("oss://"):
        yield given
    elif isinstance(given, dict):
        for value in given.values():
            yield from _links(value)
    elif isinstance(given, list):
        for value in given:
            yield from _links(value)
