"""AWS Signature Version 4, as ImageX and VOD require it. Pure: the time is an argument.

Unlike AWS they sign no Host header: only the headers passed to `sign` and the two of the signature.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""Of a call without a body."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Temporary keys from the site."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)


def sign(
    keys: SigningKeys,
    method: str,
    url: str,
    *,
    region: str,
    service: str,
    at: float,
    headers: Mapping[str, str] | None = None,
    body_sha256: str = EMPTY_SHA256,
) -> dict[str, str]:
    """The headers of a signed call, in lower case: those of `headers`, `x-amz-date`, `x-amz-security-token` and
    `authorization`. All but the last are signed.

    `url` is signed as given, so it must be escaped as it is sent. `at` is in unix seconds, `body_sha256` in hex digits.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    signed = {name.lower(): value for name, value in (headers or {}).items()}
    signed |= {"x-amz-date": stamp, "x-amz-security-token": keys.session_token}
    names = ";".join(sorted(signed))
    parts = urlsplit(url)
    request = "\n".join(
        (
            method.upper(),
            quote(parts.path or "/", safe="/~"),
            _canonical_query(parts.query),
            *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
            "",
            names,
            body_sha256,
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    authorization = f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "authorization": authorization}


def _canonical_query(query: str) -> str:
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
