"""Access log: what a client writes into its request must not bring its credential into the log."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from gateway.api.access_log import log_request, request_id_of
from gateway.api.request_measure import RECORD
from gateway.core.request_record import RequestRecord

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


def test_credential_is_masked_in_the_path(caplog: pytest.LogCaptureFixture) -> None:
    assert fields_of(caplog, f"/v1/models/{CREDENTIAL}", "r")["path"] == "/v1/models/***"


@pytest.mark.parametrize("given", [CREDENTIAL, f"trace-{CREDENTIAL}", f"{CREDENTIAL}.1"])
def test_request_id_of_a_client_that_holds_its_credential_is_replaced(given: str) -> None:
    assert CREDENTIAL not in request_id_of(given.encode(), f"Bearer other, {CREDENTIAL}".encode())


@pytest.mark.parametrize("authorization", ["", f"Bearer {CREDENTIAL}", "Bearer ab", "Bearer"])
def test_other_request_id_stays(authorization: str) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert request_id_of(trace.encode(), authorization.encode()) == trace


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


def test_line_has_the_address_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    scope = {"path": "/v1/models", "headers": [], "gateway.request_id": "r", "client": ("203.0.113.9", 4711)}
    with caplog.at_level(logging.INFO, "gateway.access"):
        log_request(scope, "/v1/models", 401, 0.1)
        log_request({**scope, "client": None}, "/v1/models", 401, 0.1)
    assert [vars(record)["fields"]["client"] for record in caplog.records] == ["203.0.113.9", "-"]


@pytest.mark.parametrize(
    ("route", "path", "task"),
    [
        ("/v1/videos/tasks/{id}", "/v1/videos/tasks/t-1", "t-1"),
        ("/v1/videos/{id}/content", "/v1/videos/t-1/content", "t-1"),
        ("/v1/models/{id:path}", "/v1/models/wan2.6", None),
        ("unmatched", "/x", None),
    ],
)
def test_line_names_the_task_of_its_path(
    caplog: pytest.LogCaptureFixture, route: str, path: str, task: str | None
) -> None:
    with caplog.at_level(logging.INFO, "gateway.access"):
        log_request({"path": path, "headers": [], "gateway.request_id": "r"}, route, 404, 0.1)
    assert vars(caplog.records[0])["fields"].get("task") == task


def test_credential_in_place_of_a_task_is_masked_in_both_fields(caplog: pytest.LogCaptureFixture) -> None:
    headers = [(b"authorization", f"Bearer {CREDENTIAL}".encode())]
    scope = {"path": f"/v1/videos/{CREDENTIAL}", "headers": headers, "gateway.request_id": "r"}
    with caplog.at_level(logging.INFO, "gateway.access"):
        log_request(scope, "/v1/videos/{id}", 404, 0.1)
    assert CREDENTIAL not in str(vars(caplog.records[0])["fields"])


def test_line_has_upstream_time_and_account_where_the_request_waited(caplog: pytest.LogCaptureFixture) -> None:
    scope = {"path": "/", "headers": [], "gateway.request_id": "r", RECORD: RequestRecord("r", "main", 0.0123)}
    with caplog.at_level(logging.INFO, "gateway.access"):
        log_request(scope, "/", 200, 0.1)
    fields = vars(caplog.records[0])["fields"]
    assert (fields["upstream_ms"], fields["account"]) == (12.3, "main")
