"""Signatures, against those of botocore."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from providers.jimeng.uploads.sigv4 import EMPTY_SHA256, SigningKeys, sign

AT = 1757737934.5
KEYS = SigningKeys("AKTPexample", "c2VjcmV0/+=", "STS2eyJMVEFj+/=")

printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


class OnlyNamed(auth.SigV4Auth):  # type: ignore[misc]
    """botocore's signer, told which headers to sign."""

    def __init__(self, keys: SigningKeys, service: str, region: str, names: set[str]) -> None:
        super().__init__(Credentials(keys.access_key, keys.secret_key, keys.session_token), service, region)
        self._names = names

    def headers_to_sign(self, request: AWSRequest) -> Any:
        headers = super().headers_to_sign(request)
        for name in set(headers) - self._names:
            del headers[name]
        return headers


def botocores(
    keys: SigningKeys, method: str, url: str, *, region: str, service: str, at: float, body: bytes | None
) -> str:
    names, headers = {"x-amz-date", "x-amz-security-token"}, {}
    if body is not None:
        names.add("x-amz-content-sha256")
        headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    request = AWSRequest(method, url, headers, body or b"")
    with patch.object(auth, "get_current_datetime", lambda: datetime.fromtimestamp(at, UTC)):
        OnlyNamed(keys, service, region, names).add_auth(request)
    return str(request.headers["Authorization"])


def ours(
    keys: SigningKeys, method: str, url: str, *, region: str, service: str, at: float, body: bytes | None
) -> dict[str, str]:
    if body is None:
        return sign(keys, method, url, region=region, service=service, at=at)
    digest = hashlib.sha256(body).hexdigest()
    headers = {"x-amz-content-sha256": digest}
    return sign(keys, method, url, region=region, service=service, at=at, headers=headers, body_sha256=digest)


def test_application_is_signed_over_the_date_and_the_token() -> None:
    url = "https://imagex.bytedanceapi.com/?Action=ApplyImageUpload&Version=2018-08-01&ServiceId=tb4s082cfz"
    call: dict[str, Any] = {"region": "cn-north-1", "service": "imagex", "at": AT, "body": None}
    signed = ours(KEYS, "GET", url, **call)
    assert set(signed) == {"x-amz-date", "x-amz-security-token", "authorization"}
    assert signed["x-amz-date"] == "20250913T043214Z"
    assert signed["x-amz-security-token"] == KEYS.session_token
    assert "SignedHeaders=x-amz-date;x-amz-security-token, " in signed["authorization"]
    assert "Credential=AKTPexample/20250913/cn-north-1/imagex/aws4_request, " in signed["authorization"]
    assert signed["authorization"] == botocores(KEYS, "GET", url, **call)


def test_commit_is_signed_over_its_body_too() -> None:
    url = "https://vod.bytedanceapi.com/?Action=CommitUploadInner&Version=2020-11-19&SpaceName=dreamina"
    call: dict[str, Any] = {"region": "us-east-1", "service": "vod", "at": AT, "body": b'{"SessionKey":"k"}'}
    signed = ours(KEYS, "POST", url, **call)
    assert "SignedHeaders=x-amz-content-sha256;x-amz-date;x-amz-security-token, " in signed["authorization"]
    assert signed["x-amz-content-sha256"] == hashlib.sha256(b'{"SessionKey":"k"}').hexdigest()
    assert signed["authorization"] == botocores(KEYS, "POST", url, **call)


@pytest.mark.parametrize("path", ["", "/", "/imagex/", "/a/b~c/", "/a%20b/"])
def test_path_is_that_of_the_url(path: str) -> None:
    call: dict[str, Any] = {"region": "cn-north-1", "service": "imagex", "at": AT, "body": None}
    url = f"http://localhost:8080{path}?s=1&b"
    assert ours(KEYS, "GET", url, **call)["authorization"] == botocores(KEYS, "GET", url, **call)


@given(
    keys=st.builds(SigningKeys, printable, printable, printable),
    method=st.sampled_from(["GET", "POST", "post"]),
    asked=st.lists(st.tuples(words, words), max_size=6),
    scope=st.tuples(printable, printable),
    at=st.integers(0, 4_000_000_000),
    body=st.none() | st.binary(max_size=200),
)
def test_it_is_botocores_for_any_call(
    keys: SigningKeys,
    method: str,
    asked: list[tuple[str, str]],
    scope: tuple[str, str],
    at: float,
    body: bytes | None,
) -> None:
    region, service = (part.replace("/", "-") for part in scope)
    url = f"https://host/?{urlencode(asked, quote_via=quote)}"
    call: dict[str, Any] = {"region": region, "service": service, "at": at, "body": body}
    assert ours(keys, method, url, **call)["authorization"] == botocores(keys, method, url, **call)


def test_keys_are_not_shown() -> None:
    assert all(secret not in repr(KEYS) for secret in (KEYS.access_key, KEYS.secret_key, KEYS.session_token))
    assert hashlib.sha256(b"").hexdigest() == EMPTY_SHA256
