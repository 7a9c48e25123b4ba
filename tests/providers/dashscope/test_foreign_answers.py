"""Whatever DashScope, or something in between, answers has a meaning, and never one that loses a charged task."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.dashscope.responses import (
    cancel_error,
    json_of,
    policy_error,
    query_error,
    request_id_of,
    submit_error,
    task_id_of,
)
from providers.transport.transports import Reply
from tests.foreign_data import bodies

NAMES = ("code", "message", "request_id", "output", "task_id", "error", "task_status")
ACCOUNT = Account("dashscope", "sk-one")

replies = st.builds(Reply, st.integers(100, 599), bodies(NAMES), st.none() | st.floats(0, 1e9))


@pytest.mark.parametrize("read", [submit_error, cancel_error, query_error, policy_error])
@settings(max_examples=40)
@given(replies)
def test_any_answer_is_an_error_with_texts(read: Callable[[Reply, Account], ProviderError], reply: Reply) -> None:
    error = read(reply, ACCOUNT)
    assert isinstance(error.code, str) and isinstance(error.detail, str)
    assert isinstance(task_id_of(reply), str) and isinstance(request_id_of(json_of(reply)), str)


@settings(max_examples=60)
@given(replies)
def test_submit_is_lost_unless_the_service_itself_refuses_it(reply: Reply) -> None:
    if request_id_of(json_of(reply)) == "":
        assert submit_error(reply, ACCOUNT).kind is ErrorKind.ANSWER_LOST
