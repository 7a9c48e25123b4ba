"""The submit order of a request: caller, idempotency key, retry count and client presence."""

import pytest
from starlette.requests import Request

from gateway.accounts.callers import Caller
from gateway.api.context import IS_DISCONNECTED, add_log_fields, submit_order
from gateway.tasks.order import Derivation, SubmitOrder
from providers.contract.requests import VideoRequest

CALLER = Caller(())


def request(**headers: str) -> Request:
    """A request with these headers, whose client stays connected."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


def ordered(**headers: str) -> SubmitOrder:
    return submit_order(request(**headers), CALLER, VideoRequest("m", "cat"), b"fingerprint")


def test_order_has_the_request_of_the_client() -> None:
    asked = Derivation("remix", "cat", video_id="v")
    order = submit_order(request(), CALLER, asked, b"fingerprint", nearest=True)
    assert (order.caller, order.request, order.fingerprint, order.nearest) == (CALLER, asked, b"fingerprint", True)
    assert (order.idempotency_key, order.retry_count) == (None, None)


def test_order_has_the_idempotency_key_of_the_client() -> None:
    assert ordered(idempotency_key="k").idempotency_key == "k"
    assert ordered(idempotency_key="").idempotency_key is None


@pytest.mark.parametrize(
    ("header", "count"), [("0", 0), ("2", 2), ("999", 999), ("1000", None), ("-1", None), ("x", None), ("", None)]
)
def test_order_has_the_retry_count_of_the_client_library(header: str, count: int | None) -> None:
    assert ordered(x_stainless_retry_count=header).retry_count == count


async def test_order_knows_whether_the_client_is_disconnected() -> None:
    gone = False

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"} if gone else {"type": "http.request"}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    client = submit_order(Request(scope, receive), CALLER, VideoRequest("m"), b"").client
    assert not await client.is_disconnected()
    gone = True
    assert await client.is_disconnected()


async def test_order_asks_the_server_whether_the_client_is_disconnected_where_it_tells() -> None:
    gone = False

    async def receive() -> dict[str, str]:
        raise AssertionError("the messages are not looked through")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], IS_DISCONNECTED: lambda: gone}
    client = submit_order(Request(scope, receive), CALLER, VideoRequest("m"), b"").client
    assert not await client.is_disconnected()
    gone = True
    assert await client.is_disconnected()


def test_order_says_whether_retries_have_a_mark() -> None:
    assert not ordered().unmarked_retries
    assert submit_order(request(), CALLER, VideoRequest("m"), b"", unmarked_retries=True).unmarked_retries


def test_log_fields_are_merged() -> None:
    made = request()
    add_log_fields(made, {"task": "1"})
    add_log_fields(made, {"code": "x"})
    assert made.scope["gateway.log_fields"] == {"task": "1", "code": "x"}
