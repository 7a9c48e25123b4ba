"""Submits: failover, lookups, and no resend of what may have been accepted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import IO

import pytest
from starlette.requests import ClientDisconnect

from gateway.core.errors import GatewayError
from gateway.media.fetcher import Fetcher
from gateway.task_ids.signed import derived_key, verify
from gateway.tasks.submitter import LOOKUP_DELAYS, RESEND_WITHIN
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
        provider.on_submit = lambda: env.clock.move(RESEND_WITHIN)
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

    async def test_existing_submission_is_returned(self) -> None:
        env = GatewayFixture(FindingProvider(["scripted-7"]))
        again = await self.repeat(env)
        opened = verify(again.signed_id, [derived_key(ONE.credential)])
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
        assert verify(again.signed_id, [derived_key(ONE.credential)])
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
        provider.on_upload = lambda: env.clock.move(10 * RESEND_WITHIN)
        provider.submits = [provider_error(ErrorKind.NO_CREDITS)]
        await env.submit(pass_through_caller(ONE, TWO), self.request())
        assert provider.uploaded == [ONE.credential, TWO.credential]

    async def test_disconnected_client_is_not_charged_after_an_upload(self) -> None:
        class Gone:
            async def is_disconnected(self) -> bool:
                return True

        provider = UploadingProvider()
        env = GatewayFixture(provider)
        with pytest.raises(ClientDisconnect):
            await env.tasks.submit(order(pass_through_caller(ONE), self.request(), client=Gone()))
        assert (len(provider.uploaded), provider.submitted) == (1, [])

    async def test_disconnected_client_is_not_charged_after_waiting_for_the_model_list(self) -> None:
        class Gone:
            asked = 0

            async def is_disconnected(self) -> bool:
                self.asked += 1
                return True

        class SlowProvider(DiscoveringProvider):
            async def discover(self, account: Account) -> Sequence[ModelCard]:
                env.clock.move(2.0)
                return await super().discover(account)

        provider = SlowProvider({"cn": [card("scripted-model", "scripted")]})
        env = GatewayFixture(provider)
        caller = pass_through_caller(Account("scripted", "s-1", region="cn"))
        request = VideoRequest("scripted-model", "cat")
        with pytest.raises(ClientDisconnect):
            await env.tasks.submit(order(caller, request, client=Gone()))
        assert provider.submitted == []
        # The list is cached now: no wait, and no check of the client.
        client = Gone()
        await env.tasks.submit(order(caller, replace(request, prompt="dog"), client=client))
        assert (len(provider.submitted), client.asked) == (1, 0)
