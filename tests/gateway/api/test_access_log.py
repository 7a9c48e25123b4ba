"""Access log: what a client writes into its request must not bring its credential into the log."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from gateway.api.access_log import log_request

CREDENTIAL = "Zx9kQ2mT7rB4"


def fields_of(
    caplog: pytest.LogCaptureFixture, path: str, request_id: str, credential: str = CREDENTIAL
) -> dict[str, Any]:
    """The fields of the line of a request that the credential has authorized."""
    headers = [(b"authorization", f"Bearer other, {credential}".encode())]
    scope = {"method": "GET", "path": path, "headers": headers, "gateway.request_id": request_id}
    with caplog.at_level(logging.INFO, "gateway.access"):
        log_request(scope, "/", 404, 0.1)
    (record,) = caplog.records
    return dict(vars(record)["fields"])


def test_credential_is_masked_in_the_path_and_in_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    fields = fields_of(caplog, f"/v1/models/{CREDENTIAL}", f"trace-{CREDENTIAL}")
    assert (fields["path"], fields["request_id"]) == ("/v1/models/***", "trace-***")


def test_other_request_id_stays(caplog: pytest.LogCaptureFixture) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert fields_of(caplog, "/v1/models", trace)["request_id"] == trace


@pytest.mark.parametrize("encode", [str, quote, lambda text: quote(quote(text, safe=""), safe="")])
def test_credential_of_the_header_is_masked_in_an_encoded_path(
    caplog: pytest.LogCaptureFixture, encode: Callable[[str], str]
) -> None:
    credential = "Zx9/kQ2m+T7rB4="
    fields = fields_of(caplog, f"/v1/models/{encode(credential)}", "r", credential)
    assert fields["path"] == "/v1/models/***"


@pytest.mark.parametrize("before", range(490, 520, 3))
def test_credential_of_the_header_at_the_end_of_what_is_logged_is_masked(
    caplog: pytest.LogCaptureFixture, before: int
) -> None:
    path = fields_of(caplog, "/v1/".ljust(before, "z") + CREDENTIAL + "z" * 60_000, "r")["path"]
    assert CREDENTIAL[:3] not in path
    assert len(path) < 520
