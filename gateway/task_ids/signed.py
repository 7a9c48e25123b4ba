"""Signed task ids: a MAC over readable fields that hold all that a poll needs, so that nothing is stored.

A signed id is `video_` and the URL-safe base64, without padding, of a record and its MAC:

    version 1 byte | account tag 6 | owner tag 6 | created 5 | seconds 1 | width 2 | height 2
    | provider length 1 + text | upstream id kind 1 (+ length 1) + bytes | model text | MAC 12

It is authenticated, not encrypted. The tags are hashes.
"""

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.accounts.callers import NO_OWNER, TAG_BYTES
from providers.sizes import parse_size

PREFIX = "video_"
MAX_LENGTH = 160
MAX_MODEL_BYTES = 50
"""UTF-8 bytes of a model name that always fit beside a number or a UUID."""

_VERSION = 1
_MAC_BYTES = 12
_KIND_NUMBER, _KIND_UUID, _KIND_TEXT = 0, 1, 2
_HEAD_BYTES = 1 + 2 * TAG_BYTES + 5 + 1 + 2 + 2
_PATTERN = re.compile(r"video_[A-Za-z0-9_-]{20,154}")


@dataclass(frozen=True, slots=True)
class TaskId:
    """The fields of a signed id.

    `account_tag` and `owner_tag` are 12 hex digits. `created` is in unix seconds. `seconds` (0: unknown) and `size`
    ("WIDTHxHEIGHT", "": unknown) are those of the requested video.
    """

    provider: str
    upstream_id: str
    account_tag: str
    owner_tag: str = NO_OWNER
    model: str = ""
    created: int = 0
    seconds: int = 0
    size: str = ""


def derived_key(secret: str) -> bytes:
    """The MAC key of a gateway secret, or of the credential that owns a task where there is no secret."""
    return hashlib.blake2b(
        secret.encode("utf-8", "surrogateescape"), digest_size=32, person=b"video-gateway-id"
    ).digest()


def sign(id: TaskId, key: bytes) -> str:
    """Sign an id. Returns its text, at most MAX_LENGTH characters.

    A model name that does not fit is left out. Raises ValueError where the upstream id is too long.
    """
    for model in (id.model, ""):
        record = _pack(id if model == id.model else replace(id, model=model))
        text = PREFIX + _encode(record + _mac(record, key))
        if len(text) <= MAX_LENGTH:
            return text
    raise ValueError("the upstream's id is too long for a task id")


def peek(text: str) -> TaskId | None:
    """The **unverified** fields of a signed id. Use them only to find the key that verifies it."""
    parts = _decode(text)
    return _unpack(parts[0]) if parts else None


def verify(text: str, keys: Sequence[bytes]) -> TaskId | None:
    """Verify a signed id. None unless one of the keys has signed it."""
    parts = _decode(text)
    if parts is None:
        return None
    record, mac = parts
    genuine = False
    for key in keys:
        genuine |= hmac.compare_digest(_mac(record, key), mac)
    return _unpack(record) if genuine else None


def identity_of(text: str) -> bytes:
    """The fields of a signed id that are the same in every id of its task: those of a retry may have another time and
    model. Raises ValueError for a text that is no signed id."""
    id = peek(text)
    if id is None:
        raise ValueError("not a signed id")
    return _pack(replace(id, model="", created=0, seconds=0, size=""))


def task_key(text: str, key: bytes) -> bytes:
    """A key of 32 bytes for one task, derived from the MAC key that signs its ids: the same for each of its ids."""
    return hashlib.blake2b(identity_of(text), key=key, digest_size=32, person=b"video-task-key").digest()


def _decode(text: str) -> tuple[bytes, bytes] | None:
    if not _PATTERN.fullmatch(text):
        return None
    encoded = text[len(PREFIX) :]
    try:
        data = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error:
        return None
    # Unused bits of the last character would give one id several spellings.
    if _encode(data) != encoded or len(data) < _HEAD_BYTES + 3 + _MAC_BYTES:
        return None
    return data[:-_MAC_BYTES], data[-_MAC_BYTES:]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _mac(record: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(record, key=key, digest_size=_MAC_BYTES).digest()


def _pack(id: TaskId) -> bytes:
    provider = id.provider.encode("ascii")
    width, height = parse_size(id.size) or (0, 0)
    return b"".join(
        (
            bytes((_VERSION,)),
            bytes.fromhex(id.account_tag),
            bytes.fromhex(id.owner_tag),
            min(max(id.created, 0), 2**40 - 1).to_bytes(5),
            min(max(id.seconds, 0), 255).to_bytes(1),
            min(width, 65535).to_bytes(2),
            min(height, 65535).to_bytes(2),
            bytes((len(provider),)),
            provider,
            _pack_upstream_id(id.upstream_id),
            id.model.encode(),
        )
    )


def _pack_upstream_id(text: str) -> bytes:
    if text.isascii() and text.isdigit() and text == str(int(text)) and int(text) < 2**64:
        return bytes((_KIND_NUMBER,)) + int(text).to_bytes(8)
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        parsed = None
    if parsed is not None and str(parsed) == text:
        return bytes((_KIND_UUID,)) + parsed.bytes
    encoded = text.encode()
    if len(encoded) > 255:
        raise ValueError("the upstream's id is too long for a task id")
    return bytes((_KIND_TEXT, len(encoded))) + encoded


def _unpack(record: bytes) -> TaskId | None:
    """Decode a record. None where it is malformed or of another version."""
    if record[0] != _VERSION:
        return None
    cursor = _HEAD_BYTES
    provider_end = cursor + 1 + record[cursor]
    provider = record[cursor + 1 : provider_end]
    if provider_end >= len(record):
        return None
    kind, cursor = record[provider_end], provider_end + 1
    width, height = int.from_bytes(record[19:21]), int.from_bytes(record[21:23])
    try:
        if kind == _KIND_NUMBER:
            end = cursor + 8
            upstream_id = str(int.from_bytes(record[cursor:end]))
        elif kind == _KIND_UUID:
            end = cursor + 16
            upstream_id = str(uuid.UUID(bytes=record[cursor:end]))
        elif kind == _KIND_TEXT and cursor < len(record):
            end = cursor + 1 + record[cursor]
            upstream_id = record[cursor + 1 : end].decode()
        else:
            return None
        if end > len(record):
            return None
        return TaskId(
            provider=provider.decode("ascii"),
            upstream_id=upstream_id,
            account_tag=record[1:7].hex(),
            owner_tag=record[7:13].hex(),
            model=record[end:].decode(),
            created=int.from_bytes(record[13:18]),
            seconds=record[18],
            size=f"{width}x{height}" if width and height else "",
        )
    except ValueError:
        return None
