"""What the tests of Jimeng's requests share: an account, a submit, and what was sent."""

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.requests import VideoRequest
from providers.contract.tasks import TaskState
from providers.jimeng.provider import (
    Jimeng,
)

NOW = 1757737934
ID = "7535099487211244578"
BASE = "https://jimeng.jianying.com"
SECRET = "5e55101d0123456789"
KEY = "5b1f6a0e-7f2b-5c33-9d0c-1a2b3c4d5e6f"
CN = Account("jimeng", SECRET, region="cn")
US = Account("jimeng", SECRET, region="us")
REQUEST = VideoRequest("jimeng-video-3.0-fast", "猫", duration=5, ratio="16:9", resolution="720p", seed=7)
ACCEPTED = {"ret": "0", "errmsg": "success", "data": {"aigc_data": {"history_record_id": ID}}}


def sent(route: respx.Route, number: int = -1) -> httpx.Request:
    return route.calls[number].request  # type: ignore[no-any-return]


async def submit(jimeng: Jimeng, account: Account = CN, key: str = KEY) -> str:
    return (await jimeng.submit(await jimeng.prepare(REQUEST, account), account, submit_key=key)).id


async def failed_submit(jimeng: Jimeng) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await submit(jimeng)
    assert SECRET not in str(caught.value)
    return caught.value


async def result_url(jimeng: Jimeng) -> str:
    state = (await jimeng.query([ID], CN))[ID]
    assert isinstance(state, TaskState)
    assert state.result
    return state.result.url
