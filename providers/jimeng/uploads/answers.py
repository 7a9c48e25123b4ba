"""Answers of an upload's four steps, parsed: the token, the address, the host's own and what became of the file. Pure.

Whatever an answer looks like, it is read or refused with a ProviderError, and never breaks anything else.
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
"""Places that one file is tried at: the first, and one to fall back on."""

UPLOADED = 2000
"""`code` of the upload host's answer, `UriStatus` of ImageX: it worked."""

_LONGEST_MS = 2**31
_PRINTABLE = re.compile(r"[\x20-\x7e]*[\x21-\x7e]")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?", re.ASCII)
_STORE_URI = re.compile(r"[\x21\x22\x24-\x3e\x40-\x5b\x5d-\x7e]+")
"""No `?`, no `#` and no backslash: it becomes a path."""


_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)*-\d", re.ASCII)
_SHORT_REGION = re.compile(r"[A-Za-z0-9]{2,16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UploadToken:
    """Keys for the uploads of a while, and where they are good. What the answer does not name is "".

    `domain` is the host of ImageX or VOD, with a port and a path where it has them; `scheme` is the one that stands in
    front of it. `region` is the signing region as the site writes it, `cn` or `ap-singapore-1`.
    """

    keys: SigningKeys
    service: str = ""
    space: str = ""
    domain: str = ""
    region: str = ""
    scheme: str = ""

    def signing_region(self, named_none: str, named_short: str) -> str:
        """The region for signatures: the token's own where it is a whole name."""
        if _REGION.fullmatch(self.region):
            return self.region
        return named_short if _SHORT_REGION.fullmatch(self.region) else named_none


@dataclass(frozen=True, slots=True)
class UploadAddress:
    """Where a file goes, and with what. `host` may have a port and a path."""

    host: str
    store_uri: str
    auth: str = field(repr=False)
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An input as the site knows it: `id` is the URI of a picture, the vid of a clip or a sound.

    `width` and `height` are in pixels, `format` is the site's word for a picture's; 0 and "" where the site tells
    nothing. `milliseconds` is the length of a clip or a sound, 0 likewise.
    """

    kind: MediaKind
    id: str
    width: int = 0
    height: int = 0
    format: str = ""
    milliseconds: int = 0


class StaleTokenError(ProviderError):
    """An UPLOAD_FAILED: the keys or the signature were refused, and fresh ones may do."""


def unusable(detail: str, code: str = "") -> ProviderError:
    """The error of an answer that cannot be read, or of a refusal."""
    return ProviderError(ErrorKind.UPLOAD_FAILED, code=code, detail=detail)


def parse_token(data: Any) -> UploadToken:
    """The token in a successful answer of get_upload_token. Raises ProviderError when it lacks a key."""
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
    """The `Result` of an answer of ImageX or VOD.

    Raises StaleTokenError when the keys or the signature are refused, ProviderError (UPLOAD_FAILED) for every other
    refusal and for what is no answer.
    """
    try:
        body = reply.json()
    except ValueError:
        body = None
    error = dig(body, "ResponseMetadata", "Error")
    if error or reply.status >= 300 or not isinstance(body, dict):
        code = number_text(dig(error, "Code")) or number_text(dig(error, "CodeN")) or str(reply.status)
        raise _refusal(reply, code, string(dig(error, "Message")) or f"HTTP {reply.status}")
    return body.get("Result")


def parse_image_address(result: Any) -> tuple[UploadAddress, ...]:
    """Where a picture goes, from ImageX: the host to use, then those to fall back on. Raises ProviderError."""
    found = dig(result, "UploadAddress")
    return _addresses([(found, host) for host in _hosts(found)])


def parse_media_address(result: Any) -> tuple[UploadAddress, ...]:
    """Where a clip or a sound goes, from VOD: the node to use, then those to fall back on. Raises ProviderError."""
    nodes = dig(result, "InnerUploadAddress", "UploadNodes")
    return _addresses([(node, host) for node in nodes for host in _hosts(node)] if isinstance(nodes, list) else [])


def check_stored(reply: Reply) -> None:
    """Read the answer of the upload host. Raises StaleTokenError when it refuses the authorization, ProviderError
    (UPLOAD_FAILED) for every other refusal."""
    try:
        body = reply.json() if reply.body.strip() else {}
    except ValueError:
        body = None
    code = integer(dig(body, "code"))
    if reply.status >= 300 or not isinstance(body, dict) or code not in (None, UPLOADED):
        message = string(dig(body, "message")) or string(dig(body, "error", "message")) or f"HTTP {reply.status}"
        raise _refusal(reply, str(code or reply.status), message)


def parse_image(result: Any, kind: MediaKind) -> Uploaded:
    """The picture that was uploaded. Raises ProviderError when it was not."""
    found = first(dig(result, "Results"))
    uri, status = string(dig(found, "Uri")), integer(dig(found, "UriStatus"))
    if not uri or status not in (None, UPLOADED):
        raise unusable("the picture was not stored", number_text(dig(found, "UriStatus")))
    plugin = first(dig(result, "PluginResult"))
    return Uploaded(
        kind,
        uri,
        width=_whole(dig(plugin, "ImageWidth")),
        height=_whole(dig(plugin, "ImageHeight")),
        format=string(dig(plugin, "ImageFormat")),
    )


def parse_media(result: Any, kind: MediaKind) -> Uploaded:
    """The clip or the sound that was uploaded; VOD tells lengths in seconds. Raises ProviderError when it was not."""
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


def _addresses(places: Sequence[tuple[Any, str]]) -> tuple[UploadAddress, ...]:
    found = []
    for holder, host in places:
        store = first(dig(holder, "StoreInfos"))
        store_uri, auth = string(dig(store, "StoreUri")), _printable(dig(store, "Auth"))
        session = string(dig(holder, "SessionKey"))
        if _HOST.fullmatch(host) and _STORE_URI.fullmatch(store_uri) and auth and session:
            found.append(UploadAddress(host, store_uri, auth, session))
    if not found:
        raise unusable("the answer names no place for the upload")
    return tuple(found[:MAX_ADDRESSES])


def _domain(value: Any) -> tuple[str, str]:
    """The scheme and the host of an `upload_domain`, which is written with a scheme and without; both "" for what is no
    host."""
    scheme, separator, host = string(value).strip().rpartition("://")
    host = host.rstrip("/")
    if not _HOST.fullmatch(host) or (separator and scheme not in ("http", "https")):
        return "", ""
    return scheme, host


_STALE_WORDS = ("signature", "token", "expire", "credential", "accesskey")


def _refusal(reply: Reply, code: str, detail: str) -> ProviderError:
    stale = reply.status in (401, 403) or any(word in f"{code} {detail}".lower() for word in _STALE_WORDS)
    kind = StaleTokenError if stale else ProviderError
    return kind(ErrorKind.UPLOAD_FAILED, code=code, detail=detail, retry_after=reply.retry_after)


def _printable(value: Any) -> str:
    """A text that can stand in a header, "" for anything else."""
    text = string(value)
    return text if _PRINTABLE.fullmatch(text) else ""


def _whole(value: Any) -> int:
    return max(integer(value) or 0, 0)
