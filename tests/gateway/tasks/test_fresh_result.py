"""A fresh link for content whose link has expired."""

from dataclasses import replace

import pytest

from gateway.core.errors import GatewayError
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from tests.house import ONE, House, passing
from tests.upstream import finished

ID = "scripted-1"


async def gateway_of_a_finished_task() -> House:
    house = House()
    house.provider.states[ID] = finished(ID)
    await house.tasks.status(passing(ONE), ID)
    return house


async def test_the_upstream_is_asked_however_fresh_the_task_is() -> None:
    house = await gateway_of_a_finished_task()
    fresh = Result("https://host.example/again.mp4")
    house.provider.states[ID] = replace(finished(ID), result=fresh)
    assert await house.tasks.fresh_result(passing(ONE), ID) == fresh
    assert len(house.provider.asked) == 2


async def test_a_task_that_the_upstream_no_longer_knows_has_none() -> None:
    house = await gateway_of_a_finished_task()
    del house.provider.states[ID]
    assert await house.tasks.fresh_result(passing(ONE), ID) is None
    assert await house.tasks.fresh_result(passing(ONE), "video_forged") is None


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.UNREACHABLE, "upstream_unavailable"),
        (ErrorKind.RATE_LIMITED, "upstream_unavailable"),
        (ErrorKind.INVALID_CREDENTIAL, "invalid_api_key"),
    ],
)
async def test_when_nobody_can_be_asked_the_old_link_is_not_given_again(kind: ErrorKind, code: str) -> None:
    house = await gateway_of_a_finished_task()
    house.provider.query_trouble = ProviderError(kind)
    with pytest.raises(GatewayError) as caught:
        await house.tasks.fresh_result(passing(ONE), ID)
    assert caught.value.code == code
