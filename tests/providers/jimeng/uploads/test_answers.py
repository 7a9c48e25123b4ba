"""What the answers of an upload say, whatever they look like."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import ErrorKind, ProviderError
from providers.jimeng.uploads import answers as answers
from providers.jimeng.uploads.answers import StaleTokenError, UploadAddress, Uploaded, UploadToken
from providers.jimeng.uploads.sigv4 import SigningKeys
from providers.media_files import MediaKind
from providers.transport.transports import Reply

KEYS = {"access_key_id": "a", "secret_access_key": "b", "session_token": "c"}
STORE = {"StoreUri": "tos-cn-i-x/1", "Auth": "auth"}
IMAGE = MediaKind.IMAGE


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, body if isinstance(body, bytes) else orjson.dumps(body))


def image_address(**fields: Any) -> Any:
    return {"UploadAddress": {"StoreInfos": [STORE], "UploadHosts": ["h.example"], "SessionKey": "s", **fields}}


def refused(parse: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        parse()
    assert caught.value.kind is ErrorKind.UPLOAD_FAILED
    assert caught.value.detail
    return caught.value


def refused_as(parse: Callable[[], object]) -> ErrorKind | None:
    try:
        parse()
    except ProviderError as error:
        return error.kind
    return None


class TestTokens:
    def test_mainland_token_is_parsed(self) -> None:
        token = answers.parse_token({**KEYS, "service_id": "tb4s082cfz", "space_name": "dreamina"})
        assert token == UploadToken(SigningKeys("a", "b", "c"), "tb4s082cfz", "dreamina")

    def test_token_without_space_is_parsed(self) -> None:
        assert answers.parse_token({**KEYS, "service_id": None}) == UploadToken(SigningKeys("a", "b", "c"))

    @pytest.mark.parametrize(
        ("written", "domain"),
        [
            ("imagex.bytedanceapi.com", "imagex.bytedanceapi.com"),
            ("https://imagex.bytedanceapi.com", "imagex.bytedanceapi.com"),
            ("https://imagex.bytedanceapi.com/", "imagex.bytedanceapi.com"),
            ("127.0.0.1:8080/imagex", "127.0.0.1:8080/imagex"),
            ("http://127.0.0.1:8080/imagex", "127.0.0.1:8080/imagex"),
            *(
                (odd, "")
                for odd in (
                    "ftp://h",
                    "h?x",
                    "h:٨٠",
                    "u@h",
                    "h h",
                    "",
                    "https://",
                    "//h",
                    "h\r\nx",
                    "https://https://h",
                )
            ),
            (None, ""),
            (5, ""),
            ([], ""),
        ],
    )
    def test_token_domain_is_parsed(self, written: object, domain: str) -> None:
        token = answers.parse_token({**KEYS, "upload_domain": written})
        assert token.domain == domain
        scheme = str(written).partition("://")[0] if domain and "://" in str(written) else ""
        assert token.scheme == scheme

    @pytest.mark.parametrize(
        ("written", "region"),
        [
            *((whole, whole) for whole in ("cn-north-1", "ap-singapore-1", "us-east-1", "us-ttp-1")),
            *((short, "short") for short in ("cn", "SG", "singapore", "useast5")),
            *((none, "none") for none in ("", None, 5, "a/b-1", "a" * 40, "cn north-1", "cn-north-1\r\nx")),
        ],
    )
    def test_token_signing_region_is_parsed(self, written: object, region: str) -> None:
        token = answers.parse_token({**KEYS, "region": written})
        assert token.signing_region("none", "short") == region

    @pytest.mark.parametrize("missing", KEYS)
    @pytest.mark.parametrize("value", [None, "", 1, [], "a\nb", "密钥"])
    def test_token_without_a_key_is_refused(self, missing: str, value: object) -> None:
        refused(lambda: answers.parse_token({**KEYS, missing: value}))


class TestAddresses:
    def test_address_of_a_image_is_parsed(self) -> None:
        expected = UploadAddress("h.example", "tos-cn-i-x/1", "auth", "s")
        assert answers.parse_image_address(image_address()) == (expected,)
        assert answers.parse_image_address(image_address(UploadHosts=[], UploadHost="h.example")) == (expected,)
        assert answers.parse_image_address(image_address(UploadHost="h.example")) == (expected,)
        assert "auth" not in repr(expected)

    def test_address_of_a_video_is_parsed(self) -> None:
        node = {"UploadHost": "h.example:8080", "Vid": "v1", "SessionKey": "s", "StoreInfos": [STORE]}
        found = answers.parse_media_address({"InnerUploadAddress": {"UploadNodes": [node]}})
        assert found == (UploadAddress("h.example:8080", "tos-cn-i-x/1", "auth", "s"),)

    def test_first_two_usable_addresses_are_taken(self) -> None:
        hosts = ["a.example", None, "user@b", "b.example", "c.example"]
        found = answers.parse_image_address(image_address(UploadHosts=["a.example", "b.example", "c.example"]))
        assert [address.host for address in found] == ["a.example", "b.example"]
        nodes: list[Any] = [{"UploadHost": host, "SessionKey": "s", "StoreInfos": [STORE]} for host in hosts]
        nodes[1:1] = [None, {"UploadHost": "h.example", "SessionKey": "", "StoreInfos": [STORE]}]
        several = {"UploadHosts": ["d.example"], "SessionKey": "s", "StoreInfos": [STORE]}
        found = answers.parse_media_address({"InnerUploadAddress": {"UploadNodes": [*nodes, several]}})
        assert [address.host for address in found] == ["a.example", "b.example"]
        assert answers.parse_media_address({"InnerUploadAddress": {"UploadNodes": [several]}})[0].host == "d.example"

    @pytest.mark.parametrize(
        "host", ["", None, "h/../..?x", "user@h", "h:99999999", "h x", "https://h", "h\nx", "h#", "[::1]"]
    )
    def test_invalid_host_is_refused(self, host: object) -> None:
        refused(lambda: answers.parse_image_address(image_address(UploadHosts=[host])))

    @pytest.mark.parametrize("field", [{"StoreInfos": []}, {"SessionKey": ""}, {"StoreInfos": [{"StoreUri": "x"}]}])
    def test_incomplete_address_is_refused(self, field: Any) -> None:
        refused(lambda: answers.parse_image_address(image_address(**field)))

    @pytest.mark.parametrize("uri", ["a?b", "a#b", "a\\b", "a b", "图", ""])
    def test_invalid_store_uri_is_refused(self, uri: str) -> None:
        store = {"StoreUri": uri, "Auth": "auth"}
        refused(lambda: answers.parse_image_address(image_address(StoreInfos=[store])))


class TestResults:
    def test_result_is_parsed(self) -> None:
        assert answers.open_result(reply({"ResponseMetadata": {"Error": None}, "Result": {"a": 1}})) == {"a": 1}

    def test_error_keeps_its_code(self) -> None:
        error = {"Code": "QuotaExceeded", "Message": "too much"}
        caught = refused(lambda: answers.open_result(reply({"ResponseMetadata": {"Error": error}})))
        assert (caught.code, caught.detail) == ("QuotaExceeded", "too much")
        assert not isinstance(caught, StaleTokenError)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"ResponseMetadata": {"Error": {"Code": "SignatureDoesNotMatch"}}}, 200),
            ({"ResponseMetadata": {"Error": {"Code": "InvalidAccessKey"}}}, 400),
            ({"ResponseMetadata": {"Error": {"CodeN": 100026, "Message": "security token is invalid"}}}, 400),
            ({"ResponseMetadata": {"Error": {"Message": "The Signature of the request is expired."}}}, 200),
            (b"", 401),
            (b"<html>", 403),
        ],
    )
    def test_rejected_keys_are_detected(self, body: Any, status: int) -> None:
        assert isinstance(refused(lambda: answers.open_result(reply(body, status))), StaleTokenError)

    @pytest.mark.parametrize(
        ("body", "status"), [(b"<html>", 200), (b"", 200), ([], 200), ({"Result": {}}, 500), (b"", 302)]
    )
    def test_invalid_answer_is_an_error(self, body: Any, status: int) -> None:
        assert refused(lambda: answers.open_result(reply(body, status))).code == str(status)


class TestStored:
    @pytest.mark.parametrize(
        "body", [{"code": 2000, "data": {"crc32": "0a"}}, {"code": "2000"}, {}, b"", {"success": 0, "payload": {}}]
    )
    def test_stored_file_is_accepted(self, body: Any) -> None:
        answers.check_stored(reply(body))

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"code": 4018, "message": "crc32 mismatch"}, 200, "4018"),
            ({"error": {"message": "no"}}, 400, "400"),
            (b"", 503, "503"),
            ({"code": 2000}, 302, "2000"),
        ],
    )
    def test_file_that_was_not_stored_is_an_error(self, body: Any, status: int, code: str) -> None:
        caught = refused(lambda: answers.check_stored(reply(body, status)))
        assert caught.code == code
        assert not isinstance(caught, StaleTokenError)

    def test_refused_authorization_is_a_stale_one(self) -> None:
        assert isinstance(refused(lambda: answers.check_stored(reply({"code": 4003}, 403))), StaleTokenError)


class TestUploads:
    def test_uploaded_image_is_parsed(self) -> None:
        plugin = {"ImageWidth": 8, "ImageHeight": "6", "ImageFormat": "png"}
        found = answers.parse_image({"Results": [{"Uri": "u", "UriStatus": 2000}], "PluginResult": [plugin]}, IMAGE)
        assert found == Uploaded(IMAGE, "u", 8, 6, "png")

    def test_image_without_metadata(self) -> None:
        assert answers.parse_image({"Results": [{"Uri": "u"}]}, IMAGE) == Uploaded(IMAGE, "u")

    @pytest.mark.parametrize("row", [{"Uri": "u", "UriStatus": 2001}, {"UriStatus": 2000}, {"Uri": ""}, None])
    def test_image_that_was_not_stored(self, row: Any) -> None:
        refused(lambda: answers.parse_image({"Results": [row]}, IMAGE))

    def test_video_has_a_duration(self) -> None:
        meta = {"Width": 1280, "Height": 720, "Duration": 5.0417, "Size": 9}
        found = answers.parse_media({"Results": [{"Vid": "v", "VideoMeta": meta}]}, MediaKind.VIDEO)
        assert found == Uploaded(MediaKind.VIDEO, "v", 1280, 720, milliseconds=5042)

    @pytest.mark.parametrize("seconds", [None, -1, "x", float("nan"), [], 1e300])
    def test_odd_length_is_none(self, seconds: Any) -> None:
        result = {"Results": [{"Vid": "v", "VideoMeta": {"Duration": seconds}}]}
        assert answers.parse_media(result, MediaKind.AUDIO) == Uploaded(MediaKind.AUDIO, "v")

    def test_video_that_was_not_stored(self) -> None:
        refused(lambda: answers.parse_media({"Results": [{"Vid": None}]}, MediaKind.VIDEO))


NAMES = [
    "ResponseMetadata",
    "Error",
    "Result",
    "Results",
    "UploadAddress",
    "StoreInfos",
    "UploadHosts",
    "InnerUploadAddress",
    "UploadNodes",
    "VideoMeta",
    "Duration",
    "Uri",
    "Vid",
    "code",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "upload_domain",
    "region",
    "UploadHost",
    "StoreUri",
    "Auth",
    "SessionKey",
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner),
    max_leaves=12,
)


@given(anything)
@pytest.mark.parametrize(
    "parse",
    [
        answers.parse_token,
        answers.parse_image_address,
        answers.parse_media_address,
        lambda value: answers.parse_image(value, IMAGE),
        lambda value: answers.parse_media(value, MediaKind.VIDEO),
    ],
)
def test_any_answer_is_read_or_refused(parse: Callable[[Any], object], value: Any) -> None:
    assert refused_as(lambda: parse(value)) in (None, ErrorKind.UPLOAD_FAILED)


@given(
    st.text(max_size=30) | st.sampled_from(["imagex.bytedanceapi.com", "https://h:1/a", "http://h"]) | anything,
    st.text(max_size=20) | st.sampled_from(["cn", "ap-singapore-1"]) | anything,
)
def test_whatever_a_token_names_it_is_a_host_and_a_region(domain: Any, region: Any) -> None:
    token = answers.parse_token({**KEYS, "upload_domain": domain, "region": region})
    assert not token.domain or answers._HOST.fullmatch(token.domain)
    signed_for = token.signing_region("none", "short")
    assert signed_for in ("none", "short") or (signed_for == region.strip() and "/" not in signed_for)


@given(
    st.binary(max_size=60)
    | st.builds(
        lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS),
        st.recursive(
            st.none() | st.integers(-9, 9999) | st.text(max_size=8),
            lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
            max_leaves=8,
        ),
    ),
    st.integers(200, 599),
)
@pytest.mark.parametrize("read", [answers.open_result, answers.check_stored])
def test_any_body_is_read_or_refused(read: Callable[[Reply], object], body: bytes, status: int) -> None:
    assert refused_as(lambda: read(Reply(status, body))) in (None, ErrorKind.UPLOAD_FAILED)
