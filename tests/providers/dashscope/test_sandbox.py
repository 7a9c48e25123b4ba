"""The provider against the sandbox's server: every way in for a file, over a real connection, to a finished video."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.contract.tasks import Phase, TaskState
from providers.dashscope.provider import DashScope
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from tests.providers.dashscope.media import clip, heavy_picture, media, picture, tone
from tests.providers.dashscope.wire import refused, submitted


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(task_seconds=0.0, queries_per_second=0)) as running:
        yield running


@pytest.fixture
async def real(sandbox: SandboxServer) -> AsyncIterator[DashScope]:
    async with HttpClient() as http:
        yield DashScope(http, sandbox.dashscope_url)


def sound_of(mark: bytes = b"") -> Media:
    return media(tone(mark=mark), param="audio_url")


FIRST, LAST = picture(), picture("image/jpeg")
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("wan2.6-i2v", {"media": (media(picture("image/webp")),), "sound": sound_of()}),
    ("wan2.6-i2v", {"media": (media(heavy_picture(8)),)}),
    ("wan2.5-t2v-preview", {"sound": sound_of()}),
    ("wan2.2-kf2v-flash", {"media": (media(FIRST), media(LAST))}),
    ("wan2.6-r2v", {"media": (media(clip()), media(FIRST), media(LAST))}),
    ("wanx2.1-vace-plus", {"media": (media(FIRST, MediaRole.REFERENCE_IMAGE),)}),
    ("wanx2.1-vace-plus", {"media": (media(clip()),), "options": {"input": {"function": "video_repainting"}}}),
    ("wan2.7-t2v", {"sound": sound_of()}),
    ("wan2.7-i2v", {"media": (media(FIRST), media(LAST)), "sound": sound_of()}),
    ("wan2.7-i2v", {"media": (media(clip()), media(LAST, MediaRole.LAST_FRAME)), "duration": 10}),
    ("wan2.7-r2v", {"media": (media(FIRST, MediaRole.REFERENCE_IMAGE), media(clip()))}),
    ("wan2.7-videoedit", {"media": (media(clip()), media(FIRST))}),
    ("wan3.0-video", {"media": (media(FIRST), media(LAST))}),
    ("wan3.0-video", {"media": (media(FIRST), media(clip())), "reference_mode": True, "sound": sound_of()}),
    ("happyhorse-1.1-i2v", {"media": (media(FIRST),)}),
    ("happyhorse-1.1-r2v", {"media": (media(heavy_picture(2)), media(heavy_picture(2, 7)))}),
    ("happyhorse-1.0-video-edit", {"media": (media(clip()), media(FIRST))}),
    ("wan2.2-s2v", {"media": (media(FIRST),), "sound": sound_of()}),
    ("wan2.2-animate-mix", {"media": (media(FIRST), media(clip()))}),
    ("videoretalk", {"media": (media(clip()), media(tone(), param="audio"))}),
]


@pytest.mark.parametrize(("model", "fields"), REQUESTS, ids=lambda value: value if isinstance(value, str) else "")
async def test_files_become_a_video(real: DashScope, account: Account, model: str, fields: dict[str, Any]) -> None:
    id = await submitted(real, account, model=model, **fields)
    state = (await real.query([id], account))[id]
    assert isinstance(state, TaskState)
    assert state.phase is Phase.COMPLETED


async def test_link_used_again_is_taken_again(real: DashScope, account: Account) -> None:
    assert await submitted(real, account, sound=sound_of()) != await submitted(real, account, sound=sound_of())


@pytest.mark.parametrize(
    ("mark", "kind"), [(b"#lost-upload", ErrorKind.UPLOAD_FAILED), (b"#bad-upload", ErrorKind.UPLOAD_FAILED)]
)
async def test_failed_upload_creates_nothing(
    sandbox: SandboxServer, real: DashScope, account: Account, mark: bytes, kind: ErrorKind
) -> None:
    before = sandbox.sandbox.submits("dashscope")
    assert (await refused(real, account, sound=sound_of(mark + b" #times=1 "))).kind is kind
    assert sandbox.sandbox.submits("dashscope") == before
    await submitted(real, account, sound=sound_of(mark + b" #times=1 "))


async def test_refused_key_sends_nothing(real: DashScope) -> None:
    with pytest.raises(ProviderError) as caught:
        await submitted(real, Account("dashscope", "no-key"), sound=sound_of())
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL


async def test_model_of_another_maker_takes_no_file(real: DashScope, account: Account) -> None:
    error = await refused(real, account, model="kling/kling-v3-video-generation", media=(media(FIRST),))
    assert error.kind is ErrorKind.INVALID_REQUEST
