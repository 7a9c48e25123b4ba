"""Submits: failover, lookups, and no resend of what may have been accepted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, Any

import pytest
from starlette.requests import ClientDisconnect

from gateway.core.errors import GatewayError
from gateway.media.fetcher import Fetcher
from gateway.task_ids.signed import derived_key, verify
from gateway.tasks.send_deadline import SEND_WITHIN
from gateway.tasks.submit_lookup import LOOKUP_DELAYS
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, Submission, VideoRequest
from providers.media_files import MediaKind
from tests.gateway_fixture import ONE, REQUEST, TWO, GatewayFixture, order, pass_through_caller
from tests.pictures import media_file, opened, picture
from tests.upstream import DiscoveringProvider, FindingProvider, UploadingProvider, card, provider_error


class TestLostResponses:
    """A submit whose response was lost is looked up first."""

    def env(self, finds: Sequence[object], submits: Sequence[object]) -> tuple[GatewayFixture, FindingProvider]:
        provider = FindingProvider(finds)  # type: ignore[arg-type]
        provider.submits = list(submits)  # type: ignore[arg-type]
        return GatewayFixture(provider), provider

    async def test_found_submission_is_the_task(self) -> None:
        env, provider = self.env([None, None, "scripted-7"], [provider_error(ErrorKind.ANSWER_LOST)])
        assert (await env.submit(pass_through_caller(ONE))).id == "scripted-7"
        assert len(provider.submitted) == 1
        assert provider.looked_up == [provider.submitted[0][1]] * 3
        assert env.clock.slept == list(LOOKUP_DELAYS[:3])

    async def test_submission_unknown_to_the_upstream_is_resent_with_the_same_key(self) -> None:
        env, provider = self.env([None], [provider_error(ErrorKind.ANSWER_LOST), "scripted-8"])
        assert (await env.submit(pass_through_caller(ONE))).id == "scripted-8"
        assert len({key for _, key, _ in provider.submitted}) == 1
        assert len(provider.submitted) == 2
        assert len(provider.looked_up) == len(LOOKUP_DELAYS)

    async def test_resend_does_not_prepare_again(self) -> None:
        env, provider = self.env([None], [provider_error(ErrorKind.ANSWER_LOST), "scripted-8"])
        await env.submit(pass_through_caller(ONE))
        assert provider.prepared == [ONE.credential]
        (_, _, first), (_, _, second) = provider.submitted
        assert first is second

    async def test_second_lost_answer_is_looked_up_and_not_resent(self) -> None:
        env, provider = self.env([None], [provider_error(ErrorKind.ANSWER_LOST), provider_error(ErrorKind.ANSWER_LOST)])
        assert (await env.submit_error(pass_through_caller(ONE, TWO))).code == "submission_unconfirmed"
        assert len(provider.submitted) == 2
        assert {credential for credential, _, _ in provider.submitted} == {ONE.credential}

    async def test_refused_resend_leaves_it_unconfirmed(self) -> None:
        env, provider = self.env(
            [None], [provider_error(ErrorKind.ANSWER_LOST), provider_error(ErrorKind.TOO_MANY_RUNNING, "1010")]
        )
        assert (await env.submit_error(pass_through_caller(ONE, TWO))).code == "submission_unconfirmed"
        assert {credential for credential, _, _ in provider.submitted} == {ONE.credential}

    async def test_refused_resend_returns_the_first_task_when_it_is_found(self) -> None:
        finds: list[object] = [None] * len(LOOKUP_DELAYS) + ["scripted-7"]
        env, provider = self.env(
            finds, [provider_error(ErrorKind.ANSWER_LOST), provider_error(ErrorKind.TOO_MANY_RUNNING)]
        )
        assert (await env.submit(pass_through_caller(ONE, TWO))).id
        assert len(provider.submitted) == 2

    async def test_submit_is_not_resent_after_a_long_wait(self) -> None:
        env, provider = self.env([None], [provider_error(ErrorKind.ANSWER_LOST)])
        provider.on_submit = lambda: env.clock.move(SEND_WITHIN)
        assert (await env.submit_error(pass_through_caller(ONE))).code == "submission_unconfirmed"
        assert len(provider.submitted) == 1

    async def test_submit_is_not_resent_if_the_look_up_fails(self) -> None:
        env, provider = self.env([provider_error(ErrorKind.UNREACHABLE)], [provider_error(ErrorKind.ANSWER_LOST)])
        assert (await env.submit_error(pass_through_caller(ONE, TWO))).code == "submission_unconfirmed"
        assert len(provider.submitted) == 1

    async def test_failed_last_look_up_leaves_it_unconfirmed(self) -> None:
        env, provider = self.env(
            [None, provider_error(ErrorKind.UPSTREAM_ERROR)], [provider_error(ErrorKind.ANSWER_LOST)]
        )
        assert (await env.submit_error(pass_through_caller(ONE))).code == "submission_unconfirmed"
        assert len(provider.submitted) == 1

    async def test_failed_look_up_before_a_successful_one_has_no_effect(self) -> None:
        env, _ = self.env(
            [provider_error(ErrorKind.UNREACHABLE), "scripted-7"], [provider_error(ErrorKind.ANSWER_LOST)]
        )
        assert (await env.submit(pass_through_caller(ONE))).id == "scripted-7"


class TestRepeatedSubmits:
    """A submit with an idempotency key is looked up before it is sent, on every account."""

    async def repeat(self, env: GatewayFixture, key: str = "k") -> Submitted:
        return await env.submit_with_key(pass_through_caller(ONE, TWO), REQUEST, key)

    def first(self, env: GatewayFixture) -> Account:
        """The first account in the order of the key `k`."""
        keys = env.locator.submit_keys(pass_through_caller(ONE, TWO), "client:k")
        return env.pool.in_rendezvous_order((ONE, TWO), keys.order_key)[0]

    async def test_existing_submission_is_returned(self) -> None:
        env = GatewayFixture(FindingProvider(["scripted-7"]))
        again = await self.repeat(env)
        opened = verify(again.signed_id, [derived_key(self.first(env).credential)])
        assert opened
        assert opened.upstream_id == "scripted-7"
        assert (opened.seconds, opened.size) == (0, "")
        assert env.provider.submitted == []

    async def test_submission_of_another_model_is_a_mismatch(self) -> None:
        env = GatewayFixture(FindingProvider([Submission("scripted-7", "another-model")]))
        env.provider.cards["another-model"] = card("another-model", "scripted")
        with pytest.raises(GatewayError) as caught:
            await self.repeat(env)
        assert caught.value.code == "idempotency_mismatch"

    @pytest.mark.parametrize(
        "kind", [ErrorKind.RATE_LIMITED, ErrorKind.RESTRICTED, ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR]
    )
    async def test_nothing_is_sent_if_an_account_cannot_be_queried(self, kind: ErrorKind) -> None:
        env = GatewayFixture(FindingProvider([provider_error(kind)]))
        with pytest.raises(GatewayError) as caught:
            await self.repeat(env)
        assert caught.value.spec.should_retry
        assert env.provider.submitted == []

    async def test_rejected_account_may_have_the_submission(self) -> None:
        env = GatewayFixture(FindingProvider([None, None, "scripted-7"]))
        env.provider.submits = [provider_error(ErrorKind.TOO_MANY_RUNNING)]
        again = await self.repeat(env)
        assert verify(again.signed_id, [derived_key(self.first(env).credential)])
        assert len(env.provider.submitted) == 1

    async def test_unconfirmed_submit_is_looked_up_and_never_sent(self) -> None:
        provider = FindingProvider([None, provider_error(ErrorKind.UNREACHABLE)])
        provider.submits = [provider_error(ErrorKind.ANSWER_LOST)]
        env, repeated = GatewayFixture(provider), order(pass_through_caller(ONE), idempotency_key="k")
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                await env.tasks.submit(repeated)
            assert caught.value.code == "submission_unconfirmed"
            provider.finds = [None]
        assert len(provider.submitted) == 1

    async def test_submit_key_is_the_same_on_every_replica(self) -> None:
        provider = FindingProvider([None])
        for key in ("k", "k", "l"):
            await self.repeat(GatewayFixture(provider), key)
        keys = [key for _, key, _ in provider.submitted]
        assert keys[0] == keys[1] != keys[2]


class TestUploads:
    """Files go to the upstream before the submit, which alone is charged."""

    def request(self) -> VideoRequest:
        media = Media(MediaKind.IMAGE, "", "image", MediaRole.FIRST_FRAME, media_file(picture()))
        return replace(REQUEST, media=(media,))

    async def test_files_are_uploaded_to_the_account_that_submits(self) -> None:
        provider = UploadingProvider()
        await GatewayFixture(provider).submit(pass_through_caller(ONE), self.request())
        assert provider.uploaded == [ONE.credential]
        assert len(provider.submitted) == 1

    async def test_request_without_files_uploads_nothing(self) -> None:
        provider = UploadingProvider()
        by_address = Media(MediaKind.IMAGE, "https://h/a.png", "image", MediaRole.FIRST_FRAME)
        await GatewayFixture(provider).submit(pass_through_caller(ONE), replace(REQUEST, media=(by_address,)))
        assert provider.uploaded == []

    async def test_url_is_fetched_in_the_name_of_the_client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fetched: list[str] = []

        async def fetch(self: Fetcher, url: str, *, max_bytes: int, param: str, client: str) -> IO[bytes]:
            fetched.append(client)
            return opened(picture())

        monkeypatch.setattr(Fetcher, "fetch", fetch)
        provider = UploadingProvider()
        provider.cards = {name: replace(card, fetches_urls=False) for name, card in provider.cards.items()}
        by_address = Media(MediaKind.IMAGE, "https://h/a.png", "image", MediaRole.FIRST_FRAME)
        await GatewayFixture(provider).submit(pass_through_caller(ONE), replace(REQUEST, media=(by_address,)))
        assert (fetched, provider.uploaded) == ([pass_through_caller(ONE).identity], [ONE.credential])

    async def test_failed_upload_is_retried_once(self) -> None:
        provider = UploadingProvider(provider_error(ErrorKind.UPLOAD_FAILED))
        await GatewayFixture(provider).submit(pass_through_caller(ONE), self.request())
        assert (len(provider.uploaded), len(provider.submitted)) == (2, 1)

    async def test_second_failed_upload_is_retryable_and_no_account_is_blamed(self) -> None:
        proxied = replace(ONE, proxy="http://p:1")
        provider = UploadingProvider(provider_error(ErrorKind.UPLOAD_FAILED), provider_error(ErrorKind.UPLOAD_FAILED))
        env = GatewayFixture(provider)
        error = await env.submit_error(pass_through_caller(proxied, TWO), self.request())
        assert (error.code, error.spec.should_retry, provider.submitted) == ("upstream_unavailable", True, [])
        await env.submit(pass_through_caller(proxied), self.request())
        assert provider.uploaded[-1] == proxied.credential

    @pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.CONTENT_REFUSED])
    async def test_invalid_picture_is_a_client_error(self, kind: ErrorKind) -> None:
        provider = UploadingProvider(provider_error(kind))
        env = GatewayFixture(provider)
        assert (await env.submit_error(pass_through_caller(ONE, TWO), self.request())).spec.status == 400
        assert (provider.uploaded, provider.submitted) == ([ONE.credential], [])
        await env.submit(pass_through_caller(ONE, TWO), self.request())
        assert provider.uploaded[-1] == ONE.credential

    async def test_account_that_rejects_uploads_leads_to_the_next(self) -> None:
        provider = UploadingProvider(provider_error(ErrorKind.INVALID_CREDENTIAL))
        await GatewayFixture(provider).submit(pass_through_caller(ONE, TWO), self.request())
        assert provider.uploaded == [ONE.credential, TWO.credential]
        assert [credential for credential, _, _ in provider.submitted] == [TWO.credential]

    async def test_upload_time_does_not_count(self) -> None:
        provider = UploadingProvider()
        env = GatewayFixture(provider)
        provider.on_upload = lambda: env.clock.move(10 * SEND_WITHIN)
        provider.submits = [provider_error(ErrorKind.NO_CREDITS)]
        await env.submit(pass_through_caller(ONE, TWO), self.request())
        assert provider.uploaded == [ONE.credential, TWO.credential]


class TestClientsThatGaveUp:
    """Right before anything is sent, a client must be waiting, and not for too long."""

    @pytest.mark.parametrize("options", [{}, {"retry_count": 0}, {"idempotency_key": "k"}])
    async def test_disconnected_client_is_not_charged(self, options: dict[str, Any]) -> None:
        env = GatewayFixture(FindingProvider([None]))
        with pytest.raises(ClientDisconnect):
            await env.tasks.submit(order(pass_through_caller(ONE), client=Client(True), **options))
        assert env.provider.submitted == []
        await env.tasks.submit(order(pass_through_caller(ONE), **options))
        assert len(env.provider.submitted) == 1

    async def test_disconnected_client_is_not_charged_after_an_upload(self) -> None:
        provider = UploadingProvider()
        env = GatewayFixture(provider)
        media = Media(MediaKind.IMAGE, "", "image", MediaRole.FIRST_FRAME, media_file(picture()))
        with pytest.raises(ClientDisconnect):
            await env.tasks.submit(
                order(pass_through_caller(ONE), replace(REQUEST, media=(media,)), client=Client(True))
            )
        assert (len(provider.uploaded), provider.submitted) == (1, [])

    async def test_disconnected_client_is_not_charged_with_the_next_account(self) -> None:
        env, client = GatewayFixture(), Client(False)
        env.provider.submits = [provider_error(ErrorKind.NO_CREDITS)]
        env.provider.on_submit = lambda: setattr(client, "gone", True)
        with pytest.raises(ClientDisconnect):
            await env.tasks.submit(order(pass_through_caller(ONE, TWO), client=client))
        assert len(env.provider.submitted) == 1

    async def test_lost_submit_is_not_resent_for_a_disconnected_client(self) -> None:
        env, client = GatewayFixture(FindingProvider([None])), Client(False)
        env.provider.submits = [provider_error(ErrorKind.ANSWER_LOST)]
        env.provider.on_submit = lambda: setattr(client, "gone", True)
        with pytest.raises(GatewayError) as caught:
            await env.tasks.submit(order(pass_through_caller(ONE), client=client))
        assert (caught.value.code, len(env.provider.submitted)) == ("submission_unconfirmed", 1)

    async def test_one_of_several_waiting_clients_is_enough(self) -> None:
        env = GatewayFixture(FindingProvider([None]))
        caller = pass_through_caller(ONE)
        gone, waits = (order(caller, idempotency_key="k", client=Client(one)) for one in (True, False))
        answers = await asyncio.gather(env.tasks.submit(gone), env.tasks.submit(waits), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Submitted}
        assert len(env.provider.submitted) == 1

    async def test_client_that_comes_as_a_submit_is_given_up_starts_it_again(self) -> None:
        env, first = GatewayFixture(FindingProvider([None])), Client(True)
        caller, answers = pass_through_caller(ONE), list[asyncio.Task[Submitted]]()
        second = order(caller, idempotency_key="k")
        first.on_question = lambda: answers.append(asyncio.ensure_future(env.tasks.submit(second)))
        with pytest.raises(ClientDisconnect):
            await env.tasks.submit(order(caller, idempotency_key="k", client=first))
        assert await answers[0]
        assert len({id for answer in answers for id in [(await answer).id]}) == len(env.provider.submitted) == 1

    @pytest.mark.parametrize("options", [{}, {"idempotency_key": "k"}])
    async def test_nothing_is_sent_after_a_long_wait_for_the_upstream(self, options: dict[str, Any]) -> None:
        class SlowProvider(DiscoveringProvider):
            async def discover(self, account: Account) -> Sequence[ModelCard]:
                env.clock.move(SEND_WITHIN + 1)
                return await super().discover(account)

        provider = SlowProvider({"cn": [card("scripted-model", "scripted")]})
        env = GatewayFixture(provider)
        caller = pass_through_caller(Account("scripted", "s-1", region="cn"))
        with pytest.raises(GatewayError) as caught:
            await env.tasks.submit(order(caller, **options))
        assert (caught.value.code, caught.value.spec.should_retry) == ("upstream_unavailable", True)
        assert "Nothing was submitted" in caught.value.message("en")
        assert provider.submitted == []

    async def test_nothing_is_sent_after_a_long_wait_for_an_account(self) -> None:
        env = GatewayFixture()
        checked = asyncio.Event()

        async def check(account: Account) -> None:
            env.clock.move(SEND_WITHIN + 1)
            checked.set()

        env.provider.check = check  # type: ignore[attr-defined]
        env.provider.submits = [provider_error(ErrorKind.INVALID_CREDENTIAL)]
        await env.submit_error(pass_through_caller(ONE))
        env.clock.move(3600.0)
        error = await env.submit_error(pass_through_caller(ONE))
        assert checked.is_set()
        assert (error.code, len(env.provider.submitted)) == ("upstream_unavailable", 1)


class Client:
    """A client that has disconnected, or not yet. `on_question` is called once it is asked for the first time."""

    def __init__(self, gone: bool) -> None:
        self.gone = gone
        self.on_question: Callable[[], object] = lambda: None

    async def is_disconnected(self) -> bool:
        on_question, self.on_question = self.on_question, lambda: None
        on_question()
        return self.gone
