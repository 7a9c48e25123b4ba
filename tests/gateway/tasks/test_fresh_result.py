"""A fresh link for content whose link has expired."""

from dataclasses import replace

import pytest

from gateway.core.errors import GatewayError
from gateway.polling.task_cache import GRACE_SECONDS
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from tests.gateway_fixture import ONE, GatewayFixture, pass_through_caller
from tests.upstream import finished

ID = "scripted-1"


async def gateway_of_a_finished_task() -> GatewayFixture:
    env = GatewayFixture()
    env.provider.states[ID] = finished(ID)
    await env.tasks.status(pass_through_caller(ONE), ID)
    return env


async def test_link_is_queried_even_if_the_state_is_fresh() -> None:
    env = await gateway_of_a_finished_task()
    fresh = Result("https://host.example/again.mp4")
    env.provider.states[ID] = replace(finished(ID), result=fresh)
    assert await env.tasks.fresh_result(pass_through_caller(ONE), ID) == fresh
    assert len(env.provider.asked) == 2


async def test_task_unknown_to_the_upstream_has_no_fresh_link() -> None:
    env = await gateway_of_a_finished_task()
    del env.provider.states[ID]
    with pytest.raises(GatewayError) as caught:
        await env.tasks.fresh_result(pass_through_caller(ONE), ID)
    assert caught.value.code == "upstream_unavailable"
    env.clock.move(GRACE_SECONDS)
    assert await env.tasks.fresh_result(pass_through_caller(ONE), ID) is None
    assert await env.tasks.fresh_result(pass_through_caller(ONE), "video_forged") is None


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.UNREACHABLE, "upstream_unavailable"),
        (ErrorKind.RATE_LIMITED, "upstream_unavailable"),
        (ErrorKind.INVALID_CREDENTIAL, "invalid_api_key"),
    ],
)
async def test_failed_query_does_not_return_the_old_link(kind: ErrorKind, code: str) -> None:
    env = await gateway_of_a_finished_task()
    env.provider.query_error = ProviderError(kind)
    with pytest.raises(GatewayError) as caught:
        await env.tasks.fresh_result(pass_through_caller(ONE), ID)
    assert caught.value.code == code
