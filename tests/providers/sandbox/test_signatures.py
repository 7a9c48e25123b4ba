"""Signatures, against botocore's own."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from providers.sandbox.signatures import (
    ALGORITHM,
    Authorization,
    Keys,
    SignedRequest,
    Unsigned,
    canonical_query,
    read_authorization,
    verify,
)
from tests.providers.sandbox.signing import moment_of, sign

NOW = 1_790_000_000.0
TOKEN = {"access_key_id": "AKTP1", "secret_access_key": "secret/+", "session_token": "STS2x", "region": "cn-north-1"}
KEYS = Keys("AKTP1", "secret/+", ("cn-north-1", "cn"), "imagex")
APPLY, COMMIT = ("x-amz-date", "x-amz-security-token"), ("x-amz-content-sha256", "x-amz-date", "x-amz-security-token")


def apply_request(now: float = NOW, service: str = "imagex", region: str = "cn-north-1") -> SignedRequest:
    query = "Action=A&Version=1"
    headers = sign("GET", f"http://h:1/imagex/?{query}", TOKEN, now, service=service, region=region)
    return SignedRequest("GET", "/imagex/", query, Headers(headers), b"")


def commit_request(body: bytes = b'{"SessionKey":"x"}') -> SignedRequest:
    headers = sign("POST", "http://h:1/?Action=C", TOKEN, NOW, body=body)
    return SignedRequest("POST", "/", "Action=C", Headers(headers), body)


def rejection(request: SignedRequest, keys: Keys = KEYS, signed: tuple[str, ...] = APPLY, now: float = NOW) -> str:
    with pytest.raises(Unsigned) as caught:
        verify(request, keys, signed, now)
    assert caught.value.message
    return caught.value.code


def test_what_botocore_signs_is_accepted() -> None:
    verify(apply_request(), KEYS, APPLY, NOW)
    verify(commit_request(), KEYS, COMMIT, NOW)
    elsewhere = replace(KEYS, service="vod", regions=("us-east-1",))
    verify(apply_request(service="vod", region="us-east-1"), elsewhere, APPLY, NOW)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=6), st.binary(max_size=40))
def test_any_query_and_body_that_botocore_signs_are_accepted(params: dict[str, str], body: bytes) -> None:
    headers = sign("POST", "http://h/vod/", TOKEN, NOW, params=params, body=body)
    query = "&".join(f"{quote(name, safe='/')}={quote(value)}" for name, value in reversed(params.items()))
    verify(SignedRequest("POST", "/vod/", query, Headers(headers), body), KEYS, COMMIT if body else APPLY, NOW)


@pytest.mark.parametrize("seconds", [-900, 899])
def test_clock_may_be_a_little_wrong(seconds: float) -> None:
    verify(apply_request(now=NOW + seconds), KEYS, APPLY, NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda request: replace(request, method="POST"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, path="/imagex"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, path="/"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, query="Action=B&Version=1"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, query="Action=A&Version=1&s=2"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, body=b"x"), "SignatureDoesNotMatch"),
        (lambda request: with_header(request, "x-amz-security-token", "STS2y"), "SignatureDoesNotMatch"),
        (lambda request: with_header(request, "x-amz-security-token", ""), "MissingRequestInfo"),
        (lambda request: with_header(request, "x-amz-date", moment_of(NOW + 1)), "SignatureDoesNotMatch"),
        (lambda request: with_header(request, "x-amz-date", moment_of(NOW + 86_400)), "InvalidTimestamp"),
        (lambda request: with_header(request, "x-amz-date", moment_of(NOW)[:8]), "InvalidTimestamp"),
        (lambda request: with_header(request, "x-amz-date", moment_of(NOW)[:8] + "T256161Z"), "InvalidTimestamp"),
        (lambda request: with_header(request, "x-amz-date", ""), "MissingRequestInfo"),
        (lambda request: with_header(request, "authorization", ""), "MissingAuthenticationToken"),
        (lambda request: with_header(request, "authorization", "Bearer x"), "InvalidAuthorization"),
    ],
)
def test_what_was_changed_after_the_signing(change: Callable[[SignedRequest], SignedRequest], code: str) -> None:
    assert rejection(change(apply_request())) == code


def with_header(request: SignedRequest, name: str, value: str) -> SignedRequest:
    return replace(request, headers=Headers({**dict(request.headers.items()), name: value}))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (replace(KEYS, secret_key="other"), "SignatureDoesNotMatch"),
        (replace(KEYS, access_key="AKTP2"), "InvalidAccessKey"),
        (replace(KEYS, regions=("us-east-1",)), "InvalidCredential"),
        (replace(KEYS, service="vod"), "InvalidCredential"),
    ],
)
def test_other_keys(keys: Keys, code: str) -> None:
    assert rejection(apply_request(), keys) == code


def test_time_is_about_now() -> None:
    assert rejection(apply_request(), now=NOW + 901) == "InvalidTimestamp"
    assert rejection(apply_request(), now=NOW - 901) == "InvalidTimestamp"


def test_any_of_the_regions_will_do() -> None:
    verify(apply_request(region="cn"), KEYS, APPLY, NOW)


def test_headers_of_the_call_are_signed_and_more_may_be() -> None:
    assert rejection(apply_request(), signed=COMMIT) == "InvalidAuthorization"
    verify(commit_request(), KEYS, APPLY, NOW)
    more = {"content-type": "application/json", "host": "h:1"}
    headers = Headers(sign("POST", "http://h:1/?Action=C", TOKEN, NOW, body=b"{}", more=more))
    request = SignedRequest("POST", "/", "Action=C", headers, b"{}")
    assert "SignedHeaders=content-type;host;x-amz-content-sha256" in headers["authorization"]
    verify(request, KEYS, COMMIT, NOW)
    assert rejection(with_header(request, "host", "h:2"), signed=COMMIT) == "SignatureDoesNotMatch"
    assert rejection(with_header(request, "content-type", ""), signed=COMMIT) == "MissingRequestInfo"


def test_hash_is_of_the_body() -> None:
    assert rejection(replace(commit_request(), body=b"{}"), signed=COMMIT) == "SignatureDoesNotMatch"


def test_query_in_its_canonical_form() -> None:
    assert canonical_query("b=2&a=%7e*&a=1&c&=&d=a+b%20c%2f") == "=&a=1&a=~%2A&b=2&c=&d=a%2Bb%20c%2F"
    assert canonical_query("") == ""


WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=10)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


@settings(deadline=None)
@given(WORD, WORD, WORD, WORD, HEX, st.sampled_from([", ", ",", " , "]))
def test_header_is_read_as_it_was_written(
    key: str, date: str, region: str, service: str, signature: str, comma: str
) -> None:
    text = f"{ALGORITHM} Credential={key}/{date}/{region}/{service}/aws4_request"
    text += f"{comma}SignedHeaders=host;x-amz-date{comma}Signature={signature}"
    expected = Authorization(key, date, region, service, ("host", "x-amz-date"), signature)
    assert read_authorization(text) == expected
    assert expected.scope == f"{date}/{region}/{service}/aws4_request"


@settings(deadline=None)
@given(st.text(max_size=80) | st.builds(lambda tail: f"{ALGORITHM} Credential={tail}", st.text(max_size=80)))
def test_any_other_header_is_refused(text: str) -> None:
    with pytest.raises(Unsigned):
        read_authorization(text)


NO_CREDENTIALS = ["a/b/c/d/e", "a/b/c/aws4_request", "a//c/d/aws4_request", "a/b/c/d/aws4_request/"]


@pytest.mark.parametrize("credential", NO_CREDENTIALS)
def test_credential_has_five_parts(credential: str) -> None:
    text = f"{ALGORITHM} Credential={credential}, SignedHeaders=host, Signature={'0' * 64}"
    with pytest.raises(Unsigned, match="InvalidCredential"):
        read_authorization(text)
