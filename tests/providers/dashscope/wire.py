"""What the tests of the provider send and are answered."""

from typing import Any

import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.requests import VideoRequest
from providers.dashscope.provider import DashScope
from providers.validation import validate

BASE = "https://dashscope.aliyuncs.com/api/v1"
SUBMIT = f"{BASE}/services/aigc/video-generation/video-synthesis"
KEY = "sk-0123456789abcdef"
ID = "0385dc79-5ff8-4d82-bcb6-0123456789ab"
OTHER_ID = "11111111-5ff8-4d82-bcb6-0123456789ab"
REQUEST_ID = "4909100c-7b5a-9f92-bfe5-0385dc795ff8"
ACCEPTED = {"output": {"task_status": "PENDING", "task_id": ID}, "request_id": REQUEST_ID}
RUNNING = {"output": {"task_status": "RUNNING", "task_id": ID}, "request_id": REQUEST_ID}
NOW = 1709285904
HTML = "<html><body>502 Bad Gateway</body></html>"


def request_for(provider: DashScope, model: str = "wan2.6-t2v", prompt: str = "a cat", **fields: Any) -> VideoRequest:
    card = provider.card(model)
    assert card is not None
    return validate(card, VideoRequest(model, prompt, **fields))


async def submitted(provider: DashScope, account: Account, **fields: Any) -> str:
    return await submit(provider, request_for(provider, **fields), account)


async def submit(provider: DashScope, request: VideoRequest, account: Account) -> str:
    """Prepare and submit a settled request; the upstream's id."""
    return (await provider.submit(await provider.prepare(request, account), account, submit_key="k")).id


async def refused(provider: DashScope, account: Account, **fields: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await submitted(provider, account, **fields)
    return without_key(caught.value)


def without_key(error: ProviderError) -> ProviderError:
    assert KEY not in f"{error} {error!r} {error.detail} {error.code} {error.message} {error.args}"
    return error


def error_body(code: Any, message: Any = "why") -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": REQUEST_ID}


# --- what it is ---------------------------------------------------------------------------------------------------
