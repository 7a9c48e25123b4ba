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
from tests.gateway_fixture import ONE, OWNER, THREE, TWO, GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import CancellingProvider, ScriptedProvider, card, finished, provider_error


class TestSubmit:
    async def test_single_credential_gets_the_upstream_id(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through_caller(ONE))
        now = int(env.clock.now())
        assert submitted.id == "scripted-1"
        assert submitted.signed_id.startswith(PREFIX)
        assert (submitted.provider, submitted.model, submitted.created) == ("scripted", "scripted-model", now)

    async def test_several_credentials_get_a_signed_id(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through_caller(ONE, TWO), VideoRequest("scripted-model", "cat"))
        opened = verify(submitted.id, [derived_key(ONE.credential)])
        assert opened
        assert opened.account_tag == public_tag(ONE)
        assert (opened.upstream_id, opened.model) == ("scripted-1", "scripted-model")
        assert opened.created == submitted.created

    async def test_managed_caller_gets_a_signed_id(self) -> None:
        env = GatewayFixture(secret=["secret"])
        submitted = await env.submit(managed_caller(ONE))
        opened = verify(submitted.id, [derived_key("secret")])
        assert opened
        assert opened.owner_tag == OWNER

    async def test_id_of_an_unexpected_shape_is_signed(self) -> None:
        env = GatewayFixture()
        env.provider.submits = ["odd/id"]
        submitted = await env.submit(pass_through_caller(ONE))
        env.provider.states["odd/id"] = finished("odd/id")
        assert (await env.tasks.status(pass_through_caller(ONE), submitted.id)).state.result

    async def test_id_that_cannot_be_signed_is_unconfirmed(self) -> None:
        env = GatewayFixture()
        env.provider.submits = ["x" * 300]
        assert (await env.submit_error(pass_through_caller(ONE))).code == "submission_unconfirmed"

    async def test_account_with_a_dead_proxy_is_skipped(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [provider_error(ErrorKind.UNREACHABLE), "scripted-9"]
        behind = Account("scripted", "s-4", proxy="http://h:1")
        assert await env.submit(pass_through_caller(behind, TWO))
        assert len(env.provider.submitted) == 2

    async def test_message_to_a_managed_caller_names_the_model_and_no_credentials(self) -> None:
        env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")])
        error = await env.submit_error(managed_caller(ONE), VideoRequest("other-model", "cat"))
        assert error.code == "model_not_found"

    async def test_credential_of_another_provider_is_not_used(self) -> None:
        env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")])
        submitted = await env.submit(pass_through_caller(ONE, Account("other", "o-1")))
        assert submitted.id == "scripted-1"

    @pytest.mark.parametrize(
        "kind",
        [
            *(ErrorKind.INVALID_CREDENTIAL, ErrorKind.NO_CREDITS, ErrorKind.RATE_LIMITED),
            *(ErrorKind.TOO_MANY_RUNNING, ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED, ErrorKind.DAILY_LIMIT),
        ],
    )
    async def test_account_error_leads_to_the_next_account(self, kind: ErrorKind) -> None:
        env = GatewayFixture()
        env.provider.submits = [provider_error(kind), provider_error(kind), "scripted-9"]
        submitted = await env.submit(pass_through_caller(ONE, TWO, THREE))
        assert [credential for credential, _, _ in env.provider.submitted] == [
            account.credential for account in (ONE, TWO, THREE)
        ]
        opened = verify(submitted.id, [derived_key(THREE.credential)])
        assert opened
        assert opened.account_tag == public_tag(THREE)

    async def test_unknown_refusal_tries_one_other_account(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [provider_error(ErrorKind.UNKNOWN_REFUSAL), "scripted-9"]
        await env.submit(pass_through_caller(ONE, TWO, THREE))
        assert len(env.provider.submitted) == 2
        # The account that refused is used last, and is not paused.
        for _ in range(3):
            await env.submit(pass_through_caller(ONE, TWO))
        assert [credential for credential, _, _ in env.provider.submitted[2:]] == [TWO.credential] * 3
        await env.submit(pass_through_caller(ONE))
        assert len(env.provider.submitted) == 6

    async def test_two_unknown_refusals_are_the_requests(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [
            provider_error(ErrorKind.UNKNOWN_REFUSAL, "77"),
            provider_error(ErrorKind.UNKNOWN_REFUSAL, "77"),
        ]
        refusal = await env.submit_error(pass_through_caller(ONE, TWO, THREE))
        assert (refusal.code, refusal.upstream_code) == ("upstream_error", "77")
        assert len(env.provider.submitted) == 2

    async def test_unknown_refusal_is_raised_where_no_other_account_is_ready(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [provider_error(ErrorKind.RESTRICTED), provider_error(ErrorKind.UNKNOWN_REFUSAL, "77")]
        refusal = await env.submit_error(pass_through_caller(ONE, TWO))
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
    async def test_other_error_is_returned_at_once(self, kind: ErrorKind, code: str) -> None:
        env = GatewayFixture()
        env.provider.submits = [provider_error(kind, "77", "said by s-secret-1")]
        error = await env.submit_error(pass_through_caller(ONE, TWO))
        assert (error.code, error.upstream_code) == (code, "77")
        assert len(env.provider.submitted) == 1

    async def test_when_all_accounts_fail_the_shortest_pause_is_reported(self) -> None:
        env = GatewayFixture()
        env.provider.submits = [
            provider_error(ErrorKind.INVALID_CREDENTIAL),
            provider_error(ErrorKind.RATE_LIMITED),
            provider_error(ErrorKind.NO_CREDITS),
        ]
        assert (await env.submit_error(pass_through_caller(ONE, TWO, THREE))).code == "rate_limit_exceeded"

    async def test_invalid_field_is_refused_before_anything_is_sent(self) -> None:
        env = GatewayFixture()
        error = await env.submit_error(pass_through_caller(ONE), VideoRequest("scripted-model", "", watermark=True))
        assert (error.code, error.param) == ("unsupported_parameter", "watermark")
        assert "prompt" in error.message("en")
        assert env.provider.submitted == []

    async def test_unknown_model_is_refused(self) -> None:
        error = await GatewayFixture().submit_error(pass_through_caller(ONE), VideoRequest("gpt-9", "cat"))
        assert error.code == "model_not_found"
        assert "gpt-9" in error.message("en")

    async def test_missing_credential_for_the_models_provider_is_refused(self) -> None:
        env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")])
        assert (await env.submit_error(pass_through_caller(Account("other", "o-1")))).code == "invalid_api_key"

    async def test_model_missing_at_the_accounts_site_is_refused(self) -> None:
        provider = ScriptedProvider(cards=[card("scripted-model", "scripted", regions=frozenset({"cn"}))])
        error = await GatewayFixture(provider).submit_error(
            pass_through_caller(Account("scripted", "s-1", region="us"))
        )
        assert error.code == "model_not_found"
        assert "cn" in error.message("en")

    async def test_alias_resolves_to_its_model(self) -> None:
        env = GatewayFixture(aliases={"sora-2": "scripted-model"})
        submitted = await env.submit(pass_through_caller(ONE), VideoRequest("sora-2", "cat"))
        assert submitted.model == "scripted-model"
        assert set((await env.tasks.catalog.offer(pass_through_caller(ONE))).cards()) == {"scripted-model", "sora-2"}


class TestStatus:
    async def test_status_has_the_fields_of_the_task(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through_caller(ONE))
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING, progress=50)
        task = await env.tasks.status(pass_through_caller(ONE), submitted.id)
        assert (task.id, task.provider, task.progress, task.created) == (
            "scripted-1",
            "scripted",
            50,
            submitted.created,
        )

    async def test_signed_id_contains_model_and_time_for_any_replica(self) -> None:
        submitted = await GatewayFixture().submit(pass_through_caller(ONE, TWO))
        replica = GatewayFixture()
        replica.provider.states["scripted-1"] = finished("scripted-1")
        replica.clock.move(3600)
        task = await replica.tasks.status(pass_through_caller(TWO, ONE), submitted.id)
        assert (task.model, task.created, task.state.phase) == (
            "scripted-model",
            submitted.created,
            Phase.COMPLETED,
        )
        assert replica.provider.asked == [(ONE.credential, ("scripted-1",))]

    async def test_poll_queries_only_the_owner_of_the_task(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(pass_through_caller(ONE, TWO))
        await env.no_such_task(pass_through_caller(TWO), submitted.id)
        await env.no_such_task(pass_through_caller(TWO, THREE), submitted.id)
        assert env.provider.asked == []

    async def test_managed_tasks_belong_to_the_key_that_submitted_them(self) -> None:
        env = GatewayFixture(secret=["new", "old"])
        submitted = await env.submit(managed_caller(ONE))
        env.provider.states["scripted-1"] = finished("scripted-1")
        assert (await env.tasks.status(managed_caller(TWO, ONE), submitted.id)).state.result
        await env.no_such_task(managed_caller(ONE, owner="b" * 12), submitted.id)
        await env.no_such_task(managed_caller(ONE), "scripted-1")
        await env.no_such_task(pass_through_caller(ONE), submitted.id)

    async def test_id_signed_with_an_older_secret_is_valid(self) -> None:
        submitted = await GatewayFixture(secret=["old"]).submit(managed_caller(ONE))
        env = GatewayFixture(secret=["new", "old"])
        env.provider.states["scripted-1"] = finished("scripted-1")
        assert await env.tasks.status(managed_caller(ONE), submitted.id)
        await GatewayFixture(secret=["new"]).no_such_task(managed_caller(ONE), submitted.id)

    async def test_without_a_secret_only_managed_ids_end_with_the_process(self) -> None:
        first = GatewayFixture()
        passing_id, managed_id = (
            await first.submit(pass_through_caller(ONE, TWO)),
            await first.submit(managed_caller(ONE)),
        )
        second = GatewayFixture()
        second.provider.states["scripted-1"] = finished("scripted-1")
        assert (await second.tasks.status(pass_through_caller(ONE, TWO), passing_id.id)).state.result
        await second.no_such_task(managed_caller(ONE), managed_id.id)

    async def test_managed_caller_cannot_use_an_id_signed_with_a_credential(self) -> None:
        submitted = await GatewayFixture().submit(pass_through_caller(ONE, TWO))
        await GatewayFixture(secret=["s"]).no_such_task(managed_caller(ONE, TWO), submitted.id)

    async def test_pass_through_id_survives_a_new_secret(self) -> None:
        submitted = await GatewayFixture().submit(pass_through_caller(ONE, TWO))
        env = GatewayFixture(secret=["s"])
        env.provider.states["scripted-1"] = finished("scripted-1")
        assert await env.tasks.status(pass_through_caller(ONE, TWO), submitted.id)

    @pytest.mark.parametrize("id", ["", "x", "..", "video_", PREFIX + "A" * 100, "🎬", "a" * 5000, "a\x00b"])
    async def test_invalid_ids_are_not_found(self, id: str) -> None:
        env = GatewayFixture(secret=["s"])
        for caller in (pass_through_caller(ONE), pass_through_caller(ONE, TWO), managed_caller(ONE)):
            await env.no_such_task(caller, id)
        assert env.provider.asked == []

    async def test_native_id_with_several_unknown_credentials_is_not_found(self) -> None:
        env = GatewayFixture()
        await env.no_such_task(pass_through_caller(ONE, TWO), "scripted-1")

    async def test_rejected_credential_is_401(self) -> None:
        env = GatewayFixture()
        env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL, "1015", "of s-secret-1")
        with pytest.raises(GatewayError) as caught:
            await env.tasks.status(pass_through_caller(ONE), "scripted-1")
        assert caught.value.spec.status == 401
        assert "secret" not in caught.value.message("en")

    async def test_failed_query_is_stale_and_shows_no_credential(self) -> None:
        env = GatewayFixture()
        env.provider.query_error = provider_error(ErrorKind.RATE_LIMITED, "1057", "of s-secret-1")
        task = await env.tasks.status(pass_through_caller(ONE), "scripted-1")
        assert task.query_error
        assert task.query_error.detail == "of ***"


class TestSharedTag:
    """Tags are public and short: a credential with the tag of another one can be found by brute force."""

    async def test_accounts_with_the_same_tag_do_not_share_cached_states(self) -> None:
        env = GatewayFixture()
        thief = Account("scripted", "s-thief")
        object.__setattr__(thief, "id", public_tag(ONE) + thief.id[12:])
        submitted = await env.submit(pass_through_caller(ONE))
        result = Result("https://host/v.mp4?signature=1")
        env.provider.states[submitted.upstream_id] = TaskState(
            submitted.upstream_id, Phase.COMPLETED, 100, result=result
        )
        for id in (submitted.signed_id, submitted.upstream_id):
            assert (await env.tasks.status(pass_through_caller(ONE), id)).state.result == result
        with pytest.raises(GatewayError) as caught:
            await env.tasks.status(pass_through_caller(thief), submitted.signed_id)
        assert caught.value.code == "task_not_found"
        # It is queried with its own credential.
        env.provider.asked.clear()
        await env.tasks.status(pass_through_caller(thief), submitted.upstream_id)
        assert env.provider.asked == [(thief.credential, (submitted.upstream_id,))]


class TestSeveralIds:
    async def test_each_account_is_queried_once(self) -> None:
        env = GatewayFixture()
        ids = [(await env.submit(pass_through_caller(account, THREE))).id for account in (ONE, TWO, ONE)]
        for number in (1, 2, 3):
            env.provider.states[f"scripted-{number}"] = finished(f"scripted-{number}")
        found = await env.tasks.statuses(pass_through_caller(ONE, TWO, THREE), [*ids, "nobody's"])
        assert list(found) == [*ids, "nobody's"]
        assert found["nobody's"] is None
        assert sorted(env.provider.asked) == [
            (ONE.credential, ("scripted-1", "scripted-3")),
            (TWO.credential, ("scripted-2",)),
        ]

    async def test_unknown_task_does_not_affect_the_others(self) -> None:
        env = GatewayFixture()
        env.provider.states["scripted-1"] = finished("scripted-1")
        found = await env.tasks.statuses(pass_through_caller(ONE), ["scripted-1", "scripted-2"])
        assert isinstance(found["scripted-1"], Task)
        assert found["scripted-2"] is None

    async def test_rejected_account_affects_its_own_tasks_only(self) -> None:
        other = ScriptedProvider("other", prefix="o-")
        env = GatewayFixture(others=[other])
        caller = pass_through_caller(ONE, Account("other", "o-1"))
        env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        other.states["other-1"] = finished("other-1")
        found = await env.tasks.statuses(caller, ["scripted-1", "other-1"])
        refused, fine = found["scripted-1"], found["other-1"]
        assert refused
        assert fine
        assert refused.query_error
        assert (refused.state.phase, fine.state.phase) == (Phase.PROCESSING, Phase.COMPLETED)

    async def test_credential_rejected_for_all_tasks_is_401(self) -> None:
        env = GatewayFixture()
        env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        with pytest.raises(GatewayError) as caught:
            await env.tasks.statuses(pass_through_caller(ONE), ["scripted-1", "scripted-2"])
        assert caught.value.spec.status == 401


class TestCancel:
    async def test_cancelled_task_is_failed(self) -> None:
        env = GatewayFixture(CancellingProvider())
        submitted = await env.submit(pass_through_caller(ONE))
        task = await env.tasks.cancel(pass_through_caller(ONE), submitted.id)
        assert (task.state.phase, task.state.error and task.state.error.code) == (Phase.FAILED, "cancelled")

    async def test_message_of_the_provider_is_shown(self) -> None:
        provider = CancellingProvider()
        provider.cancelled = ProviderError(
            ErrorKind.CANCELLED,
            code="cancelled",
            message=LocalizedText("已取消，积分已返还", "Cancelled, credits returned"),
        )
        env = GatewayFixture(provider)
        submitted = await env.submit(pass_through_caller(ONE))
        task = await env.tasks.cancel(pass_through_caller(ONE), submitted.id)
        assert task.state.error
        assert describe(task.state.error, "zh") == "已取消，积分已返还"
        again = await env.tasks.status(pass_through_caller(ONE), submitted.id)
        assert again.state.error is task.state.error

    async def test_refused_cancel_has_its_reason(self) -> None:
        provider = CancellingProvider()
        words = LocalizedText("任务已开始生成", "The task is being generated")
        provider.cancel_error = ProviderError(ErrorKind.NOT_CANCELLABLE, code="1000", message=words, detail="no")
        with pytest.raises(GatewayError) as caught:
            await GatewayFixture(provider).tasks.cancel(pass_through_caller(ONE), "scripted-1")
        assert (caught.value.message("zh"), caught.value.upstream_code) == ("任务已开始生成：no", "1000")

    async def test_cancelled_task_frees_a_slot(self) -> None:
        env = GatewayFixture(CancellingProvider())
        submitted = await env.submit(pass_through_caller(ONE))
        assert env.pool.record(ONE).busy == 1
        await env.tasks.cancel(pass_through_caller(ONE), submitted.id)
        assert env.pool.record(ONE).busy == 0

    async def test_second_cancel_returns_the_cancelled_task(self) -> None:
        provider = CancellingProvider()
        env = GatewayFixture(provider)
        submitted = await env.submit(pass_through_caller(ONE))
        await env.tasks.cancel(pass_through_caller(ONE), submitted.id)
        provider.cancel_error = provider_error(ErrorKind.NOT_CANCELLABLE)
        assert (await env.tasks.cancel(pass_through_caller(ONE), submitted.id)).state.phase is Phase.FAILED

    async def test_provider_without_cancel_is_not_cancellable(self) -> None:
        env = GatewayFixture()
        with pytest.raises(GatewayError) as caught:
            await env.tasks.cancel(pass_through_caller(ONE), "scripted-1")
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
    async def test_error_of_a_cancel_is_returned(self, kind: ErrorKind, code: str) -> None:
        provider = CancellingProvider()
        provider.cancel_error = provider_error(kind)
        with pytest.raises(GatewayError) as caught:
            await GatewayFixture(provider).tasks.cancel(pass_through_caller(ONE), "scripted-1")
        assert caught.value.code == code

    async def test_invalid_id_is_not_found(self) -> None:
        with pytest.raises(GatewayError) as caught:
            await GatewayFixture(CancellingProvider()).tasks.cancel(pass_through_caller(ONE), "x")
        assert caught.value.code == "task_not_found"


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
def test_poll_after_depends_on_the_state(state: TaskState, pause: int | None) -> None:
    assert Task("1", "scripted", state).poll_after_ms == pause
