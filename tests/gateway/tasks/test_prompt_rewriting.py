"""A submit with a rewritten prompt, over a scripted enhancer: its time, its trouble, and what a retry pays."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.prompts.draft import PromptDraft, PromptLimit
from gateway.prompts.enhancer import Enhanced
from gateway.prompts.failure import PromptError
from gateway.tasks.idempotency import RETRY_SECONDS
from gateway.tasks.prompt_rewriting import SENDING_SECONDS
from gateway.tasks.send_deadline import SEND_WITHIN
from gateway.tasks.view import Submitted
from providers.contract.errors import ErrorKind
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from tests.gateway_fixture import ONE, TWO, GatewayFixture, order, pass_through_caller
from tests.upstream import ScriptedProvider, provider_error

CALLER = pass_through_caller(ONE)
DRAFT = PromptDraft("cat")


class ScriptedEnhancer:
    """Answers "cat 1", "cat 2", …, or raises `error`. `meanwhile` is called before."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.seconds: list[float | None] = []
        self.limits: list[PromptLimit] = []

    async def enhance(
        self,
        caller: Caller,
        draft: PromptDraft,
        limit: PromptLimit,
        pictures: Sequence[str] = (),
        *,
        seconds: float | None = None,
    ) -> Enhanced:
        self.seconds.append(seconds)
        self.limits.append(limit)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return Enhanced(f"{draft.prompt} {len(self.seconds)}", "m", {"model": "m", "provider": "p", "account": "a"})


class Fixture:
    def __init__(self, *cards: ModelCard) -> None:
        self.gateway = GatewayFixture(ScriptedProvider(cards=cards))
        self.provider, self.clock = self.gateway.provider, self.gateway.clock
        self.enhancer = ScriptedEnhancer()
        self.gateway.tasks._prompts.enhancer = self.enhancer  # type: ignore[assignment]

    async def submit(self, caller: Caller = CALLER, draft: PromptDraft | None = DRAFT, **options: Any) -> Submitted:
        return await self.gateway.tasks.submit(order(caller, draft=draft, **options))

    @property
    def prompts(self) -> list[str]:
        return [request.prompt for _, _, request in self.provider.submitted]


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


class Left:
    """A client that has disconnected."""

    async def is_disconnected(self) -> bool:
        return True


async def test_rewritten_prompt_is_sent_and_answered(fixture: Fixture) -> None:
    submitted = await fixture.submit()
    assert (fixture.prompts, submitted.revised_prompt, submitted.warnings) == (["cat 1"], "cat 1", ())
    fields = submitted.log_fields(submitted.id)
    assert fields["model"] == "scripted-model"
    assert {name: value for name, value in fields.items() if name.startswith("enhance")} == {
        "enhance": "ok",
        "enhance_model": "m",
        "enhance_account": "a",
    }


async def test_order_without_a_draft_asks_nobody(fixture: Fixture) -> None:
    submitted = await fixture.submit(draft=None)
    assert (fixture.prompts, submitted.revised_prompt, fixture.enhancer.seconds) == (["cat"], None, [])


async def test_limit_is_that_of_the_model() -> None:
    fixture = Fixture(ModelCard("scripted-model", "scripted", max_prompt=80))
    await fixture.submit()
    assert fixture.enhancer.limits == [PromptLimit(80)]


async def test_rewriting_leaves_time_to_send(fixture: Fixture) -> None:
    fixture.enhancer.meanwhile = lambda: fixture.clock.move(SEND_WITHIN - SENDING_SECONDS)
    await fixture.submit()
    assert fixture.enhancer.seconds == [SEND_WITHIN - SENDING_SECONDS]
    assert fixture.prompts == ["cat 1"]


async def test_submit_whose_deadline_has_passed_is_not_sent(fixture: Fixture) -> None:
    """A charge would be in doubt: the client may have given up."""
    fixture.enhancer.meanwhile = lambda: fixture.clock.move(SEND_WITHIN + 1)
    with pytest.raises(GatewayError) as caught:
        await fixture.submit()
    assert (caught.value.code, fixture.prompts) == ("upstream_unavailable", [])
    assert caught.value.log_fields()["enhance"] == "ok"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PromptError("timeout", seconds=20), "timeout"),
        (GatewayError("insufficient_quota", detail="left: {0}"), "insufficient_quota"),
        (RuntimeError("a fault of ours"), "internal_error"),
    ],
)
async def test_any_trouble_leaves_the_prompt_as_it_is(
    fixture: Fixture, caplog: pytest.LogCaptureFixture, error: Exception, reason: str
) -> None:
    fixture.enhancer.error = error
    with caplog.at_level(logging.ERROR, "gateway"):
        submitted = await fixture.submit()
    assert (fixture.prompts, submitted.revised_prompt) == (["cat"], None)
    (warning,) = submitted.warnings
    assert (warning.code, warning.field, warning.value) == ("not_enhanced", "enhance_prompt", reason)
    assert warning.message is not None and "{reason}" not in warning.message.zh + warning.message.en
    assert submitted.log_fields("x")["enhance"] == reason
    assert bool(caplog.records) == (reason == "internal_error")


async def test_next_account_gets_the_same_prompt(fixture: Fixture) -> None:
    fixture.provider.submits = [provider_error(ErrorKind.NO_CREDITS), "scripted-9"]
    await fixture.submit(pass_through_caller(ONE, TWO))
    assert fixture.prompts == ["cat 1", "cat 1"]


async def test_retry_of_a_failed_submit_gets_the_same_prompt_and_a_new_submit_another(fixture: Fixture) -> None:
    fixture.provider.submits = [provider_error(ErrorKind.UPSTREAM_ERROR)]
    with pytest.raises(GatewayError) as caught:
        await fixture.submit()
    assert caught.value.log_fields()["enhance"] == "ok"
    await fixture.submit()
    await fixture.submit()
    assert fixture.prompts == ["cat 1", "cat 1", "cat 2"]


async def test_prompt_for_a_retry_is_of_one_caller_and_expires(fixture: Fixture) -> None:
    fixture.provider.submits = [provider_error(ErrorKind.UPSTREAM_ERROR)] * 2
    for caller in (CALLER, pass_through_caller(TWO)):
        with pytest.raises(GatewayError):
            await fixture.submit(caller)
    fixture.clock.move(RETRY_SECONDS + 1)
    await fixture.submit()
    assert fixture.prompts == ["cat 1", "cat 2", "cat 3"]


async def test_client_that_left_is_not_charged_and_its_retry_pays_no_second_prompt(fixture: Fixture) -> None:
    with pytest.raises(ClientDisconnect):
        await fixture.submit(client=Left())
    assert fixture.prompts == []
    await fixture.submit()
    assert (fixture.prompts, len(fixture.enhancer.seconds)) == (["cat 1"], 1)


async def test_preview_names_the_model_whose_limit_it_keeps(fixture: Fixture) -> None:
    preview = fixture.gateway.tasks._prompts.preview
    done, model = await preview(CALLER, VideoRequest("scripted-model", "cat"), DRAFT)
    assert (done.prompt, model) == ("cat 1", "scripted-model")
    done, model = await preview(Caller(()), VideoRequest(""), DRAFT)
    assert (done.prompt, model) == ("cat 2", None)
    with pytest.raises(GatewayError) as caught:
        await preview(CALLER, VideoRequest("unknown"), DRAFT)
    assert caught.value.code == "model_not_found"
