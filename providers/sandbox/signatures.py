"""AWS Signature Version 4, the side that checks. Pure: a request, the keys it must be signed with and the time in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
CLOCK_SKEW = 15 * 60.0
"""Seconds that a request's own time may be away from now."""

_AUTHORIZATION = re.compile(
    ALGORITHM + r" +Credential=(?P<credential>[^\s,]+) *, *SignedHeaders=(?P<headers>[a-z0-9;-]+) *, *"
    r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_MOMENT = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_UNRESERVED = "-_.~"


class Unsigned(Exception):  # noqa: N818
    """The signature does not hold. `code` is the API gateway's own word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Headers(Protocol):
    """A request's headers, asked for in lower case."""

    def get(self, key: str, default: str, /) -> str:
        """The first value of a name."""

    def getlist(self, key: str) -> list[str]:
        """All values of a name."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an `Authorization` header. `date` is YYYYMMDD, `signature` 64 hex digits."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        """What the key is bound to."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Temporary keys, the regions that a signature may name, and the service it must name."""

    access_key: str
    secret_key: str
    regions: tuple[str, ...]
    service: str


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came: `path` and `query` still percent-encoded, `query` without its question mark."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


def read_authorization(text: str) -> Authorization:
    """The header's parts. Raises `Unsigned`."""
    if not text:
        raise Unsigned("MissingAuthenticationToken", "Request is missing Authentication Token.")
    found = _AUTHORIZATION.fullmatch(text.strip())
    if not found:
        raise Unsigned("InvalidAuthorization", "Invalid 'Authorization' header, Pls check authorization header.")
    parts = found["credential"].split("/")
    if len(parts) != 5 or parts[4] != TERMINATOR or not all(parts):
        message = "Invalid credential in 'Authorization', Pls check credential in authorization header."
        raise Unsigned("InvalidCredential", message)
    access_key, date, region, service, _ = parts
    return Authorization(access_key, date, region, service, tuple(found["headers"].split(";")), found["signature"])


def verify(request: SignedRequest, keys: Keys, signed_headers: Sequence[str], now: float) -> None:
    """Raises `Unsigned` unless `request` is signed with `keys` over at least `signed_headers`, at about `now`.

    More headers may be signed; all that are must be there. The value of `x-amz-content-sha256` must be the body's own
    hash.
    """
    given = read_authorization(request.headers.get("authorization", ""))
    if given.access_key != keys.access_key:
        message = f"The accesskey [{given.access_key}] included in the request is invalid."
        raise Unsigned("InvalidAccessKey", message)
    if given.region not in keys.regions or given.service != keys.service:
        scopes = " or ".join(f"{region}/{keys.service}" for region in keys.regions)
        raise Unsigned("InvalidCredential", f"Credential should be scoped to {scopes}.")
    if missing := [name for name in signed_headers if name not in given.signed_headers]:
        raise Unsigned("InvalidAuthorization", f"SignedHeaders should have {';'.join(missing)}.")
    for name in given.signed_headers:
        if not request.headers.get(name, ""):
            raise Unsigned("MissingRequestInfo", f"The request is missing {name} information.")
    moment = request.headers.get("x-amz-date", "")
    if given.date != moment[:8] or abs(_seconds(moment) - now) > CLOCK_SKEW:
        raise Unsigned("InvalidTimestamp", "The Signature of the request is expired.")
    payload = hashlib.sha256(request.body).hexdigest()
    if request.headers.get("x-amz-content-sha256", payload) != payload:
        raise Unsigned("SignatureDoesNotMatch", "The body is not the one that x-amz-content-sha256 promises.")
    expected = _sign(request, keys.secret_key, given, moment, payload)
    if not hmac.compare_digest(expected, given.signature):
        raise Unsigned("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
                       "provided. Check your Secret Access Key and signing method.")  # fmt: skip


def canonical_query(query: str) -> str:
    """The query decoded, encoded again by RFC 3986, and sorted by name, then value."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(
        f"{name}={value}" for name, value in sorted((_again(name), _again(value)) for name, _, value in pairs)
    )


def _again(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


def _seconds(moment: str) -> float:
    """Unix seconds of `YYYYMMDDTHHMMSSZ`."""
    try:
        if not _MOMENT.fullmatch(moment):
            raise ValueError
        return datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Unsigned("InvalidTimestamp", "x-amz-date should be YYYYMMDD'T'HHMMSS'Z'.") from None


def _sign(request: SignedRequest, secret_key: str, given: Authorization, moment: str, payload: str) -> str:
    headers = "".join(
        f"{name}:{','.join(' '.join(value.split()) for value in request.headers.getlist(name))}\n"
        for name in given.signed_headers
    )
    signed = ";".join(given.signed_headers)
    query = canonical_query(request.query)
    canonical = "\n".join((request.method, request.path, query, headers, signed, payload))
    to_sign = "\n".join((ALGORITHM, moment, given.scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret_key}".encode()
    for part in (given.date, given.region, given.service, TERMINATOR):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return hmac.digest(key, to_sign.encode(), hashlib.sha256).hex()
