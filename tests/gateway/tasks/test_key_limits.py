"""Submits against the limits of their key: what counts, what is given back, and which models a key may use."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.core.key_limit_settings import KeyLimits
from gateway.limits.daily_counts import Calendar
from gateway.limits.key_usage import KeyUsage
from gateway.tasks.order import Derivation
from gateway.tasks.reservation import UNKNOWN_SECONDS, counted_seconds
from providers.contract.errors import ErrorKind
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, Submission, VideoRequest
from providers.contract.spec import DefaultModels
from providers.contract.tasks import Phase, TaskState
from providers.media_files import MediaKind
from tests.gateway_fixture import NO_DEFAULTS, ONE, OWNER, REQUEST, TWO, GatewayFixture, order
from tests.upstream import FindingProvider, ScriptedProvider, provider_error


class LimitedKey:
    """A key with limits, and the gateway that counts for it."""

    def __init__(
        self, provider: ScriptedProvider | None = None, *, defaults: DefaultModels = NO_DEFAULTS, **limits: Any
    ):
        self.env = GatewayFixture(provider, defaults=defaults)
        self.provider = self.env.provider
        self.usage: KeyUsage = self.env.process.usages.of(OWNER, "alice")
        self.usage.configure("alice", KeyLimits(**limits), Calendar())
        self.caller = Caller((ONE, TWO), managed=True, owner=OWNER, name="alice", usage=self.usage)

    @property
    def used(self) -> tuple[int, int]:
        return self.usage.submits.used, self.usage.running_tasks.used

    async def error(self, request: VideoRequest | Derivation = REQUEST, **options: Any) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.env.tasks.submit(order(self.caller, request, **options))
        return caught.value

    async def submit(self, request: VideoRequest = REQUEST, **options: Any) -> str:
        return (await self.env.tasks.submit(order(self.caller, request, **options))).upstream_id


# --- what counts -------------------------------------------------------------------------------------------------


async def test_accepted_submit_counts_once_and_its_retry_does_not() -> None:
    key = LimitedKey(submits_per_day=1)
    first = await key.submit(idempotency_key="k")
    assert key.used == (1, 1)
    assert await key.submit(idempotency_key="k") == first
    assert (await key.error()).code == "insufficient_quota"
    assert key.used == (1, 1)
    assert len(key.provider.submitted) == 1


async def test_concurrent_retries_count_once() -> None:
    key = LimitedKey(submits_per_day=1)
    ids = await asyncio.gather(*(key.submit(idempotency_key="k") for _ in range(5)))
    assert len(set(ids)) == 1
    assert key.used == (1, 1)


@pytest.mark.parametrize(
    "kind", [ErrorKind.CONTENT_REFUSED, ErrorKind.INVALID_REQUEST, ErrorKind.NO_CREDITS, ErrorKind.UNREACHABLE]
)
async def test_refused_submit_gives_its_quota_back(kind: ErrorKind) -> None:
    key = LimitedKey(submits_per_day=1, running_tasks=1)
    key.provider.submits = [provider_error(kind), provider_error(kind)]
    await key.error()
    assert key.used == (0, 0)


async def test_submit_over_the_limit_reaches_no_upstream() -> None:
    key = LimitedKey(submits_per_day=1)
    await key.submit()
    await key.error()
    assert len(key.provider.prepared) == 1


async def test_invalid_request_is_told_before_the_limit() -> None:
    key = LimitedKey(submits_per_day=1)
    await key.submit()
    assert (await key.error(VideoRequest("scripted-model", "cat", ratio="16:9"))).code == "unsupported_parameter"


async def test_unconfirmed_submit_counts_and_its_retry_does_not_count_again() -> None:
    key = LimitedKey(submits_per_day=2)
    key.provider.submits = [provider_error(ErrorKind.ANSWER_LOST)]
    for _ in range(3):
        assert (await key.error(idempotency_key="k")).code == "submission_unconfirmed"
        assert key.used == (1, 1)


async def test_submission_of_another_process_is_not_counted_again() -> None:
    key = LimitedKey(FindingProvider([Submission("scripted-7")]), submits_per_day=1)
    assert await key.submit(idempotency_key="k") == "scripted-7"
    assert key.used == (0, 0)


async def test_cancelled_submit_that_was_sent_counts() -> None:
    key = LimitedKey()
    sent, never = asyncio.Event(), asyncio.Event()

    async def submit(*args: object, **options: object) -> Submission:
        sent.set()
        await never.wait()
        raise AssertionError

    key.provider.submit = submit  # type: ignore[method-assign]
    running = asyncio.create_task(key.submit())
    await sent.wait()
    assert key.used == (1, 1)
    running.cancel()
    with pytest.raises(GatewayError, match="submission_unconfirmed"):
        await running
    assert key.used == (1, 1)


async def test_seconds_are_those_of_the_validated_request() -> None:
    card = ModelCard("scripted-model", "scripted", durations=(5, 10), duration=5)
    key = LimitedKey(ScriptedProvider(cards=[card]), video_seconds_per_day=14)
    await key.submit(VideoRequest("scripted-model", "cat", duration=10))
    assert key.usage.video_seconds.used == 10
    assert (await key.error(VideoRequest("scripted-model", "cat"))).code == "insufficient_quota"


@pytest.mark.parametrize(
    ("request_", "card", "seconds"),
    [
        (VideoRequest("m", duration=8), ModelCard("m", "p"), 8),
        (VideoRequest("m"), ModelCard("m", "p", durations=(5, 10), duration=5), 5),
        (VideoRequest("m"), ModelCard("m", "p", durations=(5, 10)), 10),
        (VideoRequest("m", options={"duration": "long"}), ModelCard("m", "p"), UNKNOWN_SECONDS),
        (VideoRequest("m", options={"duration": 12}, duration=5), ModelCard("m", "p"), 12),
    ],
)
def test_unknown_length_counts_as_the_longest(request_: VideoRequest, card: ModelCard, seconds: int) -> None:
    assert counted_seconds(request_, card) == seconds


# --- running tasks -----------------------------------------------------------------------------------------------


async def test_poll_that_sees_the_end_frees_a_slot() -> None:
    key = LimitedKey(running_tasks=1)
    submitted = await key.env.submit(key.caller)
    key.provider.states[submitted.upstream_id] = TaskState(submitted.upstream_id, Phase.PROCESSING)
    assert (await key.error()).code == "rate_limit_exceeded"
    key.provider.states[submitted.upstream_id] = TaskState(submitted.upstream_id, Phase.FAILED)
    key.env.clock.move(2)
    await key.env.tasks.status(key.caller, submitted.id)
    assert await key.submit()


async def test_key_at_its_limit_is_asked_for_before_it_is_refused() -> None:
    """The client may have polled another process."""
    key = LimitedKey(running_tasks=2)
    ids = [await key.submit(), await key.submit()]
    for id in ids:
        key.provider.states[id] = TaskState(id, Phase.PROCESSING)
    assert (await key.error()).code == "rate_limit_exceeded"
    queries = len(key.provider.asked)
    assert queries
    assert (await key.error()).code == "rate_limit_exceeded"
    assert len(key.provider.asked) == queries
    key.provider.states[ids[0]] = TaskState(ids[0], Phase.FAILED)
    key.env.clock.move(6)
    assert await key.submit()


# --- models ------------------------------------------------------------------------------------------------------


def cards(*names: str) -> Sequence[ModelCard]:
    return [ModelCard(name, "scripted") for name in names]


async def test_model_that_is_not_allowed_does_not_exist_for_the_key() -> None:
    key = LimitedKey(ScriptedProvider(cards=cards("cheap-1", "cheap-2", "dear-1")), models=["cheap-*"])
    error = await key.error(VideoRequest("dear-1", "cat"))
    assert (error.code, error.spec.status, error.param) == ("model_not_found", 404, "model")
    assert "dear-1" in error.message("en")
    assert "cheap-1" in error.message("en")
    assert key.provider.submitted == []
    offer = await key.env.tasks.catalog.offer(key.caller)
    assert list(offer.cards()) == ["cheap-1", "cheap-2"]
    assert await key.submit(VideoRequest("cheap-1", "cat"))


async def test_provider_that_is_not_allowed() -> None:
    key = LimitedKey(providers=["other"])
    assert (await key.error()).code == "model_not_found"
    assert (await key.env.tasks.catalog.offer(key.caller)).cards() == {}


async def test_default_model_is_one_that_the_key_may_use() -> None:
    provider = ScriptedProvider(cards=cards("dear-1", "cheap-1"))
    key = LimitedKey(provider, defaults=DefaultModels(("dear-1", "cheap-1")), models=["cheap-*"])
    await key.submit(VideoRequest("", "cat"))
    await key.submit(VideoRequest("sora-2", "dog"))
    assert [request.model for _, _, request in provider.submitted] == ["cheap-1", "cheap-1"]
    assert "sora-2" in (await key.env.tasks.catalog.offer(key.caller)).cards()
    only = LimitedKey(ScriptedProvider(cards=cards("dear-1")), defaults=DefaultModels(("dear-1",)), models=["x"])
    assert (await only.error(VideoRequest("", "cat"))).code == "model_not_found"
    assert (await only.env.tasks.catalog.offer(only.caller)).cards() == {}


async def test_former_name_may_be_allowed_by_itself() -> None:
    provider = ScriptedProvider(cards=cards("dear-1"))
    key = LimitedKey(provider, defaults=DefaultModels(("dear-1",)), models=["sora-2"])
    assert list((await key.env.tasks.catalog.offer(key.caller)).cards()) == ["sora-2"]
    await key.submit(VideoRequest("sora-2", "cat"))
    assert (await key.error(VideoRequest("dear-1", "cat"))).code == "model_not_found"


async def test_edit_uses_a_model_that_the_key_may_use() -> None:
    edits = [ModelCard(name, "scripted", media_sets=(frozenset({MediaRole.VIDEO}),)) for name in ("dear-e", "cheap-e")]
    provider = ScriptedProvider(cards=edits)
    key = LimitedKey(provider, defaults=DefaultModels(edit=("dear-e", "cheap-e")), models=["cheap-*"])
    clip = Media(MediaKind.VIDEO, "https://example.com/v.mp4", "video")
    await key.submit(Derivation("edit", "snow", clip=clip))  # type: ignore[arg-type]
    assert provider.submitted[0][2].model == "cheap-e"
    assert (await key.error(Derivation("edit", "snow", "dear-e", clip=clip))).code == "model_not_found"


async def test_task_of_a_model_that_is_no_longer_allowed_can_be_polled() -> None:
    key = LimitedKey()
    submitted = await key.env.submit(key.caller)
    key.provider.states[submitted.upstream_id] = TaskState(submitted.upstream_id, Phase.PROCESSING)
    key.usage.configure("alice", KeyLimits(models=("other",), providers=("other",)), Calendar())
    assert (await key.env.tasks.status(key.caller, submitted.id)).state.phase is Phase.PROCESSING


async def test_uploads_are_granted_for_allowed_models_only() -> None:
    key = LimitedKey(models=["other"])
    with pytest.raises(GatewayError) as caught:
        await key.env.tasks.upload_grant(key.caller, "scripted", "scripted-model", "")
    assert "may not use model scripted-model" in caught.value.message("en")
