"""Submit, status, cancel and wait, over scripted upstreams."""

import pytest

from gateway.core.errors import GatewayError, describe
from gateway.task_ids.signed import PREFIX, derived_key, verify
from gateway.tasks.view import Task
from providers.contract.accounts import Account, public_tag
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.requests import VideoRequest
from providers.contract.tasks import Phase, Queue, Result, TaskState
from tests.gateway_fixture import ONE, OWNER, THREE, TWO, GatewayFixture, managed, pass_through
from tests.upstream import CancellingProvider, ScriptedProvider, card, finished, trouble


class TestSubmit:
    async def test_one_credential_gets_the_upstream_id(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE))
        now = int(env.clock.now())
        assert submitted.id == "scripted-1"
        assert submitted.signed_id.startswith(PREFIX)
        assert (submitted.provider, submitted.model, submitted.created) == ("scripted", "scripted-model", now)

    async def test_several_credentials_get_a_signed_id(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE, TWO), VideoRequest("scripted-model", "cat"))
        opened = verify(submitted.id, [derived_key(ONE.credential)])
        assert opened
        assert opened.account_tag == public_tag(ONE)
        assert (opened.upstream_id, opened.model) == ("scripted-1", "scripted-model")
        assert opened.created == submitted.created

    async def test_managed_caller_gets_a_signed_id(self) -> None:
        env = GatewayFixture(secrets=[derived_key("secret")])
        submitted = await env.submit(managed(ONE))
        opened = verify(submitted.id, [derived_key("secret")])
        assert opened
        assert opened.owner_tag == OWNER

    async def test_unrecognized_upstream_id_is_signed(self) -> None:
        env = GatewayFixture()
        env.provider.submits = ["odd/id"]
        submitted = await env.submit(pass_through(ONE))
        env.provider.states["odd/id"] = finished("odd/id")
        assert (await env.tasks.status(pass_through(ONE), submitted.id)).state.result

    async def test_upstream_id_too_long_to_sign_is_unconfirmed(self) -> None:
        env = GatewayFixture()
        env.provider.submits = ["x" * 300]
        assert (await env.refusal(pass_through(ONE))).code == "submission_unconfirmed"

    async def test_account_with_an_unreachable_proxy_is_skipped(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [trouble(ErrorKind.UNREACHABLE), "scripted-9"]
        behind = Account("scripted", "s-4", proxy="http://h:1")
        assert await env.submit(pass_through(behind, TWO))
        assert len(env.provider.submitted) == 2

    async def test_error_of_a_managed_caller_names_the_model(self) -> None:
        env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")])
        refusal = await env.refusal(managed(ONE), VideoRequest("other-model", "cat"))
        assert refusal.code == "model_not_found"

    async def test_credential_of_another_provider_is_ignored(self) -> None:
        env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")])
        submitted = await env.submit(pass_through(ONE, Account("other", "o-1")))
        assert submitted.id == "scripted-1"

    @pytest.mark.parametrize(
        "kind",
        [
            *(ErrorKind.INVALID_CREDENTIAL, ErrorKind.NO_CREDITS, ErrorKind.RATE_LIMITED),
            *(ErrorKind.TOO_MANY_RUNNING, ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED, ErrorKind.DAILY_LIMIT),
        ],
    )
    async def test_account_error_tries_the_next_account(self, kind: ErrorKind) -> None:
        env = GatewayFixture()
        env.provider.submits = [trouble(kind), trouble(kind), "scripted-9"]
        submitted = await env.submit(pass_through(ONE, TWO, THREE))
        assert [credential for credential, _, _ in env.provider.submitted] == [
            account.credential for account in (ONE, TWO, THREE)
        ]
        opened = verify(submitted.id, [derived_key(THREE.credential)])
        assert opened
        assert opened.account_tag == public_tag(THREE)

    async def test_unknown_refusal_tries_one_other_account(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [trouble(ErrorKind.UNKNOWN_REFUSAL), "scripted-9"]
        await env.submit(pass_through(ONE, TWO, THREE))
        assert len(env.provider.submitted) == 2
        # The account that refused is used last, and is not paused.
        for _ in range(3):
            await env.submit(pass_through(ONE, TWO))
        assert [credential for credential, _, _ in env.provider.submitted[2:]] == [TWO.credential] * 3
        await env.submit(pass_through(ONE))
        assert len(env.provider.submitted) == 6

    async def test_two_unknown_refusals_are_the_requests(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [trouble(ErrorKind.UNKNOWN_REFUSAL, "77"), trouble(ErrorKind.UNKNOWN_REFUSAL, "77")]
        refusal = await env.refusal(pass_through(ONE, TWO, THREE))
        assert (refusal.code, refusal.upstream_code) == ("upstream_error", "77")
        assert len(env.provider.submitted) == 2

    async def test_unknown_refusal_is_raised_where_no_other_account_is_ready(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [trouble(ErrorKind.RESTRICTED), trouble(ErrorKind.UNKNOWN_REFUSAL, "77")]
        refusal = await env.refusal(pass_through(ONE, TWO))
        assert (refusal.code, refusal.upstream_code) == ("upstream_error", "77")

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (ErrorKind.CONTENT_REFUSED, "content_policy_violation"),
            (ErrorKind.INVALID_REQUEST, "invalid_value"),
            (ErrorKind.UPSTREAM_ERROR, "upstream_error"),
            (ErrorKind.GENERATION_FAILED, "generation_failed"),
            (ErrorKind.UNREACHABLE, "upstream_unavailable"),
            (ErrorKind.ANSWER_LOST, "submission_unconfirmed"),
        ],
    )
    async def test_other_error_is_raised_at_once(self, kind: ErrorKind, code: str) -> None:
        env = GatewayFixture()
        env.provider.submits = [trouble(kind, "77", "said by s-secret-1")]
        refusal = await env.refusal(pass_through(ONE, TWO))
        assert (refusal.code, refusal.upstream_code) == (code, "77")
        assert len(env.provider.submitted) == 1

    async def test_error_of_the_soonest_available_account_is_raised(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [
            trouble(ErrorKind.INVALID_CREDENTIAL),
            trouble(ErrorKind.RATE_LIMITED),
            trouble(ErrorKind.NO_CREDITS),
        ]
        assert (await env.refusal(pass_through(ONE, TWO, THREE))).code == "rate_limit_exceeded"

    async def test_invalid_field_is_rejected_before_anything_is_sent(self) -> None:
        env = GatewayFixture()
        refusal = await env.refusal(pass_through(ONE), VideoRequest("scripted-model", "", watermark=True))
        assert (refusal.code, refusal.param) == ("unsupported_parameter", "watermark")
        assert "prompt" in refusal.message("en")
        assert env.provider.submitted == []

    async def test_an_unknown_model(self) -> None:
        refusal = await GatewayFixture().refusal(pass_through(ONE), VideoRequest("gpt-9", "cat"))
        assert refusal.code == "model_not_found"
        assert "gpt-9" in refusal.message("en")

    async def test_no_credential_for_the_models_provider(self) -> None:
        env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")])
        assert (await env.refusal(pass_through(Account("other", "o-1")))).code == "invalid_api_key"

    async def test_model_missing_at_the_accounts_site(self) -> None:
        provider = ScriptedProvider(cards=[card("scripted-model", "scripted", regions=frozenset({"cn"}))])
        refusal = await GatewayFixture(provider).refusal(pass_through(Account("scripted", "s-1", region="us")))
        assert refusal.code == "model_not_found"
        assert "cn" in refusal.message("en")

    async def test_alias_resolves_to_its_model(self) -> None:
        env = GatewayFixture(aliases={"sora-2": "scripted-model"})
        submitted = await env.submit(pass_through(ONE), VideoRequest("sora-2", "cat"))
        assert submitted.model == "scripted-model"
        assert set((await env.tasks.catalog.offer(pass_through(ONE))).cards()) == {"scripted-model", "sora-2"}


class TestStatus:
    async def test_fields_of_a_task(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE))
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING, progress=50)
        task = await env.tasks.status(pass_through(ONE), submitted.id)
        assert (task.id, task.provider, task.progress, task.created) == (
            "scripted-1",
            "scripted",
            50,
            submitted.created,
        )

    async def test_signed_id_has_model_and_time_on_any_replica(self) -> None:
        submitted = await GatewayFixture().submit(pass_through(ONE, TWO))
        replica = GatewayFixture()
        replica.provider.states["scripted-1"] = finished("scripted-1")
        replica.clock.move(3600)
        task = await replica.tasks.status(pass_through(TWO, ONE), submitted.id)
        assert (task.model, task.created, task.state.phase) == (
            "scripted-model",
            submitted.created,
            Phase.COMPLETED,
        )
        assert replica.provider.asked == [(ONE.credential, ("scripted-1",))]

    async def test_a_poll_goes_only_to_the_account_that_owns_the_task(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE, TWO))
        await env.no_such_task(pass_through(TWO), submitted.id)
        await env.no_such_task(pass_through(TWO, THREE), submitted.id)
        assert env.provider.asked == []

    async def test_managed_task_belongs_to_its_key(self) -> None:
        env = GatewayFixture(secrets=[derived_key("new"), derived_key("old")])
        submitted = await env.submit(managed(ONE))
        env.provider.states["scripted-1"] = finished("scripted-1")
        assert (await env.tasks.status(managed(TWO, ONE), submitted.id)).state.result
        await env.no_such_task(managed(ONE, owner="b" * 12), submitted.id)
        await env.no_such_task(managed(ONE), "scripted-1")
        await env.no_such_task(pass_through(ONE), submitted.id)

    async def test_older_secret_still_verifies(self) -> None:
        submitted = await GatewayFixture(secrets=[derived_key("old")]).submit(managed(ONE))
        env = GatewayFixture(secrets=[derived_key("new"), derived_key("old")])
        env.provider.states["scripted-1"] = finished("scripted-1")
        assert await env.tasks.status(managed(ONE), submitted.id)
        await GatewayFixture(secrets=[derived_key("new")]).no_such_task(managed(ONE), submitted.id)

    async def test_without_a_secret_only_managed_ids_end_with_the_process(self) -> None:
        first = GatewayFixture()
        passing_id, managed_id = await first.submit(pass_through(ONE, TWO)), await first.submit(managed(ONE))
        second = GatewayFixture()
        second.provider.states["scripted-1"] = finished("scripted-1")
        assert (await second.tasks.status(pass_through(ONE, TWO), passing_id.id)).state.result
        await second.no_such_task(managed(ONE), managed_id.id)

    async def test_managed_caller_cannot_use_an_id_signed_by_a_credential_key(self) -> None:
        submitted = await GatewayFixture().submit(pass_through(ONE, TWO))
        await GatewayFixture(secrets=[derived_key("s")]).no_such_task(managed(ONE, TWO), submitted.id)

    async def test_pass_through_id_stays_valid_after_a_secret_is_set(self) -> None:
        submitted = await GatewayFixture().submit(pass_through(ONE, TWO))
        env = GatewayFixture(secrets=[derived_key("s")])
        env.provider.states["scripted-1"] = finished("scripted-1")
        assert await env.tasks.status(pass_through(ONE, TWO), submitted.id)

    @pytest.mark.parametrize("id", ["", "x", "..", "video_", PREFIX + "A" * 100, "🎬", "a" * 5000, "a\x00b"])
    async def test_unknown_ids_are_not_found(self, id: str) -> None:
        env = GatewayFixture(secrets=[derived_key("s")])
        for caller in (pass_through(ONE), pass_through(ONE, TWO), managed(ONE)):
            await env.no_such_task(caller, id)
        assert env.provider.asked == []

    async def test_upstream_id_with_several_credentials_is_looked_up(self) -> None:
        env = GatewayFixture()
        await env.no_such_task(pass_through(ONE, TWO), "scripted-1")

    async def test_rejected_credential_is_401(self) -> None:
        env = GatewayFixture()
        env.provider.query_trouble = trouble(ErrorKind.INVALID_CREDENTIAL, "1015", "of s-secret-1")
        with pytest.raises(GatewayError) as caught:
            await env.tasks.status(pass_through(ONE), "scripted-1")
        assert caught.value.shape.status == 401
        assert "secret" not in caught.value.message("en")

    async def test_query_error_makes_the_task_stale_and_shows_no_credential(self) -> None:
        env = GatewayFixture()
        env.provider.query_trouble = trouble(ErrorKind.RATE_LIMITED, "1057", "of s-secret-1")
        task = await env.tasks.status(pass_through(ONE), "scripted-1")
        assert task.query_error
        assert task.query_error.detail == "of ***"


class TestTagCollision:
    """Tags are public and short: a credential with the tag of another one can be found by brute force."""

    async def test_cached_task_is_not_shown_to_the_other_account(self) -> None:
        env = GatewayFixture()
        thief = Account("scripted", "s-thief")
        object.__setattr__(thief, "id", public_tag(ONE) + thief.id[12:])
        submitted = await env.submit(pass_through(ONE))
        result = Result("https://host/v.mp4?signature=1")
        env.provider.states[submitted.upstream_id] = TaskState(
            submitted.upstream_id, Phase.COMPLETED, 100, result=result
        )
        for id in (submitted.signed_id, submitted.upstream_id):
            assert (await env.tasks.status(pass_through(ONE), id)).state.result == result
        with pytest.raises(GatewayError) as caught:
            await env.tasks.status(pass_through(thief), submitted.signed_id)
        assert caught.value.code == "task_not_found"
        # It is queried with its own credential.
        env.provider.asked.clear()
        await env.tasks.status(pass_through(thief), submitted.upstream_id)
        assert env.provider.asked == [(thief.credential, (submitted.upstream_id,))]


class TestStatuses:
    async def test_one_query_for_each_account(self) -> None:
        env = GatewayFixture()
        ids = [(await env.submit(pass_through(account, THREE))).id for account in (ONE, TWO, ONE)]
        for number in (1, 2, 3):
            env.provider.states[f"scripted-{number}"] = finished(f"scripted-{number}")
        found = await env.tasks.statuses(pass_through(ONE, TWO, THREE), [*ids, "nobody's"])
        assert list(found) == [*ids, "nobody's"]
        assert found["nobody's"] is None
        assert sorted(env.provider.asked) == [
            (ONE.credential, ("scripted-1", "scripted-3")),
            (TWO.credential, ("scripted-2",)),
        ]

    async def test_unknown_task_does_not_affect_the_others(self) -> None:
        env = GatewayFixture()
        env.provider.states["scripted-1"] = finished("scripted-1")
        found = await env.tasks.statuses(pass_through(ONE), ["scripted-1", "scripted-2"])
        assert isinstance(found["scripted-1"], Task)
        assert found["scripted-2"] is None

    async def test_rejected_account_affects_its_own_tasks_only(self) -> None:
        other = ScriptedProvider("other", prefix="o-")
        env = GatewayFixture(others=[other])
        caller = pass_through(ONE, Account("other", "o-1"))
        env.provider.query_trouble = trouble(ErrorKind.INVALID_CREDENTIAL)
        other.states["other-1"] = finished("other-1")
        found = await env.tasks.statuses(caller, ["scripted-1", "other-1"])
        refused, fine = found["scripted-1"], found["other-1"]
        assert refused
        assert fine
        assert refused.query_error
        assert (refused.state.phase, fine.state.phase) == (Phase.PROCESSING, Phase.COMPLETED)

    async def test_rejected_credential_for_all_tasks_is_401(self) -> None:
        env = GatewayFixture()
        env.provider.query_trouble = trouble(ErrorKind.INVALID_CREDENTIAL)
        with pytest.raises(GatewayError) as caught:
            await env.tasks.statuses(pass_through(ONE), ["scripted-1", "scripted-2"])
        assert caught.value.shape.status == 401


class TestCancel:
    async def test_cancelled_task_is_failed(self) -> None:
        env = GatewayFixture(CancellingProvider())
        submitted = await env.submit(pass_through(ONE))
        task = await env.tasks.cancel(pass_through(ONE), submitted.id)
        assert (task.state.phase, task.state.error and task.state.error.code) == (Phase.FAILED, "cancelled")

    async def test_error_text_of_the_provider_is_shown(self) -> None:
        provider = CancellingProvider()
        provider.cancelled = ProviderError(
            ErrorKind.CANCELLED,
            code="cancelled",
            message=LocalizedText("已取消，积分已返还", "Cancelled, credits returned"),
        )
        env = GatewayFixture(provider)
        submitted = await env.submit(pass_through(ONE))
        task = await env.tasks.cancel(pass_through(ONE), submitted.id)
        assert task.state.error
        assert describe(task.state.error, "zh") == "已取消，积分已返还"
        again = await env.tasks.status(pass_through(ONE), submitted.id)
        assert again.state.error is task.state.error

    async def test_reason_for_a_late_cancel_is_shown(self) -> None:
        provider = CancellingProvider()
        words = LocalizedText("任务已开始生成", "The task is being generated")
        provider.cancel_trouble = ProviderError(ErrorKind.NOT_CANCELLABLE, code="1000", message=words, detail="no")
        with pytest.raises(GatewayError) as caught:
            await GatewayFixture(provider).tasks.cancel(pass_through(ONE), "scripted-1")
        assert (caught.value.message("zh"), caught.value.upstream_code) == ("任务已开始生成：no", "1000")

    async def test_cancelled_task_frees_its_slot(self) -> None:
        env = GatewayFixture(CancellingProvider())
        submitted = await env.submit(pass_through(ONE))
        assert env.pool.record(ONE).busy == 1
        await env.tasks.cancel(pass_through(ONE), submitted.id)
        assert env.pool.record(ONE).busy == 0

    async def test_cancel_is_idempotent(self) -> None:
        provider = CancellingProvider()
        env = GatewayFixture(provider)
        submitted = await env.submit(pass_through(ONE))
        await env.tasks.cancel(pass_through(ONE), submitted.id)
        provider.cancel_trouble = trouble(ErrorKind.NOT_CANCELLABLE)
        assert (await env.tasks.cancel(pass_through(ONE), submitted.id)).state.phase is Phase.FAILED

    async def test_cancel_without_provider_support_is_an_error(self) -> None:
        env = GatewayFixture()
        with pytest.raises(GatewayError) as caught:
            await env.tasks.cancel(pass_through(ONE), "scripted-1")
        assert caught.value.code == "not_cancellable"

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (ErrorKind.NOT_CANCELLABLE, "not_cancellable"),
            (ErrorKind.TASK_NOT_FOUND, "task_not_found"),
            (ErrorKind.ANSWER_LOST, "upstream_unavailable"),
            (ErrorKind.RATE_LIMITED, "rate_limit_exceeded"),
        ],
    )
    async def test_cancel_error_is_raised(self, kind: ErrorKind, code: str) -> None:
        provider = CancellingProvider()
        provider.cancel_trouble = trouble(kind)
        with pytest.raises(GatewayError) as caught:
            await GatewayFixture(provider).tasks.cancel(pass_through(ONE), "scripted-1")
        assert caught.value.code == code

    async def test_cancel_of_an_unknown_id(self) -> None:
        with pytest.raises(GatewayError) as caught:
            await GatewayFixture(CancellingProvider()).tasks.cancel(pass_through(ONE), "x")
        assert caught.value.code == "task_not_found"


class TestWait:
    async def test_until_the_task_ends(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE))
        env.provider.states[submitted.id] = finished(submitted.id)
        task = await env.tasks.wait(pass_through(ONE), submitted, 60)
        assert (task.state.phase, task.model) == (Phase.COMPLETED, "scripted-model")
        assert env.clock.slept == [5.0]

    async def test_wait_is_limited_to_its_seconds(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE))
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING)
        task = await env.tasks.wait(pass_through(ONE), submitted, 12)
        assert task.state.phase is Phase.PROCESSING
        assert env.clock.slept == pytest.approx([5.0, 5.0, 2.0], abs=0.02)

    async def test_wait_ends_when_the_client_disconnects(self) -> None:
        class Client:
            async def is_disconnected(self) -> bool:
                return bool(env.clock.slept)

        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE))
        task = await env.tasks.wait(pass_through(ONE), submitted, 60, Client())
        assert (task.id, task.state.phase) == (submitted.id, Phase.QUEUED)
        assert len(env.clock.slept) == 1

    async def test_poll_error_ends_the_wait_with_the_last_status(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through(ONE))
        env.provider.query_trouble = trouble(ErrorKind.INVALID_CREDENTIAL)
        task = await env.tasks.wait(pass_through(ONE), submitted, 60)
        assert (task.id, task.state.phase) == (submitted.id, Phase.QUEUED)


@pytest.mark.parametrize(
    ("state", "pause"),
    [
        (TaskState("1", Phase.QUEUED), 3000),
        (TaskState("1", Phase.QUEUED, queue=Queue(3)), 3000),
        (TaskState("1", Phase.QUEUED, queue=Queue(3, 40, 40)), 8000),
        (TaskState("1", Phase.QUEUED, queue=Queue(300, 400, 7200)), 15000),
        (TaskState("1", Phase.PROCESSING), 3000),
        (TaskState("1", Phase.POST_PROCESSING), 2000),
        (TaskState("1", Phase.FINALIZING), 1000),
        (finished("1"), None),
        (TaskState("1", Phase.FAILED), None),
    ],
)
def test_poll_after(state: TaskState, pause: int | None) -> None:
    assert Task("1", "scripted", state).poll_after_ms == pause
