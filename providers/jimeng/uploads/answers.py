"""Parse the responses of an upload's four steps: token, address, stored bytes, committed file. Pure.

A response that cannot be read is a ProviderError, never another exception.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.contract.errors import ErrorKind, ProviderError
from providers.jimeng.site.lenient_json import dig, first, integer, number, number_text, string
from providers.jimeng.uploads.sigv4 import SigningKeys
from providers.media_files import MediaKind
from providers.transport.transports import Reply

MAX_ADDRESSES = 2
"""Addresses tried for one file: the first and one fallback."""

UPLOADED = 2000
"""`code` of the upload host's response and `UriStatus` of ImageX: success."""

_LONGEST_MS = 2**31
_PRINTABLE = re.compile(r"[\x20-\x7e]*[\x21-\x7e]")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?", re.ASCII)
_STORE_URI = re.compile(r"[\x21\x22\x24-\x3e\x40-\x5b\x5d-\x7e]+")
"""No `?`, no `#` and no backslash: it becomes a path."""


_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)*-\d", re.ASCII)
_SHORT_REGION = re.compile(r"[A-Za-z0-9]{2,16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UploadToken:
    """Temporary keys for uploads, and where they are valid. "" for what the response does not name.

    `domain` is the host of ImageX or VOD, possibly with a port and a path; `scheme` is that of its URL. `region` is the
    signing region as the site writes it, `cn` or `ap-singapore-1`.
    """

    keys: SigningKeys
    service: str = ""
    space: str = ""
    domain: str = ""
    region: str = ""
    scheme: str = ""

    def signing_region(self, default: str, default_for_short: str) -> str:
        """The region for signatures: the token's if it is a full name, else one of the defaults."""
        if _REGION.fullmatch(self.region):
            return self.region
        return default_for_short if _SHORT_REGION.fullmatch(self.region) else default


@dataclass(frozen=True, slots=True)
class UploadAddress:
    """The destination of an upload and its credentials. `host` may have a port and a path."""

    host: str
    store_uri: str
    auth: str = field(repr=False)
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An uploaded input: `id` is the URI of an image, the vid of a video or audio.

    `width` and `height` are in pixels, `format` is the site's name of an image format, `milliseconds` the duration of a
    video or audio; 0 or "" if unknown.
    """

    kind: MediaKind
    id: str
    width: int = 0
    height: int = 0
    format: str = ""
    milliseconds: int = 0


class StaleTokenError(ProviderError):
    """An UPLOAD_FAILED: the keys or the signature were rejected; new keys may be accepted."""


def unusable(detail: str, code: str = "") -> ProviderError:
    """The error of an unreadable response or a failed step."""
    return ProviderError(ErrorKind.UPLOAD_FAILED, code=code, detail=detail)


def parse_token(data: Any) -> UploadToken:
    """The token in a successful response of get_upload_token. Raises ProviderError if a key is missing."""
    keys = [_printable(dig(data, name)) for name in ("access_key_id", "secret_access_key", "session_token")]
    if not all(keys):
        raise unusable("the upload token has no keys")
    scheme, domain = _domain(dig(data, "upload_domain"))
    return UploadToken(
        SigningKeys(*keys),
        _printable(dig(data, "service_id")),
        _printable(dig(data, "space_name")),
        domain,
        string(dig(data, "region")).strip(),
        scheme,
    )


def open_result(reply: Reply) -> Any:
    """The `Result` of a response of ImageX or VOD.

    Raises StaleTokenError if the keys or the signature are rejected, ProviderError (UPLOAD_FAILED) for every other
    error and for an unreadable response.
    """
    try:
        body = reply.json()
    except ValueError:
        body = None
    error = dig(body, "ResponseMetadata", "Error")
    if error or reply.status >= 300 or not isinstance(body, dict):
        code = number_text(dig(error, "Code")) or number_text(dig(error, "CodeN")) or str(reply.status)
        raise _error(reply, code, string(dig(error, "Message")) or f"HTTP {reply.status}")
    return body.get("Result")


def parse_image_address(result: Any) -> tuple[UploadAddress, ...]:
    """The upload addresses of an image from ImageX, fallbacks last. Raises ProviderError."""
    found = dig(result, "UploadAddress")
    return _addresses([(found, host) for host in _hosts(found)])


def parse_media_address(result: Any) -> tuple[UploadAddress, ...]:
    """The upload addresses of a video or audio from VOD, fallbacks last. Raises ProviderError."""
    nodes = dig(result, "InnerUploadAddress", "UploadNodes")
    return _addresses([(node, host) for node in nodes for host in _hosts(node)] if isinstance(nodes, list) else [])


def check_stored(reply: Reply) -> None:
    """Check the response of the upload host. Raises StaleTokenError if it rejects the authorization, ProviderError
    (UPLOAD_FAILED) for every other error."""
    try:
        body = reply.json() if reply.body.strip() else {}
    except ValueError:
        body = None
    code = integer(dig(body, "code"))
    if reply.status >= 300 or not isinstance(body, dict) or code not in (None, UPLOADED):
        message = string(dig(body, "message")) or string(dig(body, "error", "message")) or f"HTTP {reply.status}"
        raise _error(reply, str(code or reply.status), message)


def parse_image(result: Any, kind: MediaKind) -> Uploaded:
    """The uploaded image. Raises ProviderError if it was not stored."""
    found = first(dig(result, "Results"))
    uri, status = string(dig(found, "Uri")), integer(dig(found, "UriStatus"))
    if not uri or status not in (None, UPLOADED):
        raise unusable("the image was not stored", number_text(dig(found, "UriStatus")))
    plugin = first(dig(result, "PluginResult"))
    return Uploaded(
        kind,
        uri,
        width=_whole(dig(plugin, "ImageWidth")),
        height=_whole(dig(plugin, "ImageHeight")),
        format=string(dig(plugin, "ImageFormat")),
    )


def parse_media(result: Any, kind: MediaKind) -> Uploaded:
    """The uploaded video or audio; VOD gives durations in seconds. Raises ProviderError if it was not stored."""
    found = first(dig(result, "Results"))
    vid = string(dig(found, "Vid"))
    if not vid:
        raise unusable(f"the {kind} was not stored")
    meta = dig(found, "VideoMeta")
    seconds = number(dig(meta, "Duration")) or 0.0
    return Uploaded(
        kind,
        vid,
        width=_whole(dig(meta, "Width")),
        height=_whole(dig(meta, "Height")),
        milliseconds=min(max(round(seconds * 1000), 0), _LONGEST_MS),
    )


def _hosts(holder: Any) -> list[str]:
    """`UploadHosts`, a list, or `UploadHost`: both are in use, and differ by site and by service."""
    several = dig(holder, "UploadHosts")
    hosts = [*(several if isinstance(several, list) else ()), dig(holder, "UploadHost")]
    return list(dict.fromkeys(host for host in map(_printable, hosts) if host))


def _addresses(candidates: Sequence[tuple[Any, str]]) -> tuple[UploadAddress, ...]:
    found = []
    for holder, host in candidates:
        store = first(dig(holder, "StoreInfos"))
        store_uri, auth = string(dig(store, "StoreUri")), _printable(dig(store, "Auth"))
        session = string(dig(holder, "SessionKey"))
        if _HOST.fullmatch(host) and _STORE_URI.fullmatch(store_uri) and auth and session:
            found.append(UploadAddress(host, store_uri, auth, session))
    if not found:
        raise unusable("the response has no upload address")
    return tuple(found[:MAX_ADDRESSES])


def _domain(value: Any) -> tuple[str, str]:
    """Scheme and host of an `upload_domain`, which may lack the scheme; both "" if it is no host."""
    scheme, separator, host = string(value).strip().rpartition("://")
    host = host.rstrip("/")
    if not _HOST.fullmatch(host) or (separator and scheme not in ("http", "https")):
        return "", ""
    return scheme, host


_STALE_PHRASES = ("signature", "token", "expire", "credential", "accesskey")


def _error(reply: Reply, code: str, detail: str) -> ProviderError:
    stale = reply.status in (401, 403) or any(word in f"{code} {detail}".lower() for word in _STALE_PHRASES)
    kind = StaleTokenError if stale else ProviderError
    return kind(ErrorKind.UPLOAD_FAILED, code=code, detail=detail, retry_after=reply.retry_after)


def _printable(value: Any) -> str:
    """A text that is valid in a header, "" for anything else."""
    text = string(value)
    return text if _PRINTABLE.fullmatch(text) else ""


def _whole(value: Any) -> int:
    return max(integer(value) or 0, 0)
