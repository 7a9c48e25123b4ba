"""Lookups of submits with an idempotency key, with several accounts and several processes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.core.errors import GatewayError
from gateway.core.settings import RotationSettings
from gateway.tasks import submit_lookup
from gateway.tasks.submitter import MAX_ATTEMPTS
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media, Submission, VideoRequest
from providers.media_files import MediaKind
from tests.gateway_fixture import REQUEST, GatewayFixture, pass_through_caller
from tests.pictures import media_file, picture
from tests.upstream import UploadingProvider, card, provider_error

ACCOUNTS = tuple(Account("scripted", f"s-secret-{number}") for number in range(6))
KEYS = [f"key-{number}" for number in range(12)]
HANGS = ProviderError(ErrorKind.ANSWER_LOST, detail="hangs")


class Site(UploadingProvider):
    """An upstream with several accounts, shared by several processes. It creates one task for a submit key and account,
    and shows it at once. `trouble` is the error of every call of an account, by its credential."""

    def __init__(self) -> None:
        super().__init__()
        self.cards = {"scripted-model": card("scripted-model", "scripted", MediaRole.FIRST_FRAME)}
        self.tasks: dict[tuple[str, str], str] = {}
        self.trouble: dict[str, ProviderError] = {}
        self.looked_up: list[str] = []
        self.found_model: str | None = None

    async def _answer(self, account: Account) -> None:
        # Each call takes a while, so that concurrent submits overlap.
        for _ in range(3):
            await asyncio.sleep(0)
        error = self.trouble.get(account.credential)
        if error is HANGS:
            await asyncio.Event().wait()
        if error is not None:
            raise error

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        self.looked_up.append(account.credential)
        await self._answer(account)
        id = self.tasks.get((account.credential, submit_key))
        return Submission(id, self.found_model) if id is not None else None

    async def submit(self, prepared: VideoRequest, account: Account, *, submit_key: str) -> Submission:
        await self._answer(account)
        made = await super().submit(prepared, account, submit_key=submit_key)
        return Submission(self.tasks.setdefault((account.credential, submit_key), made.id))


def process(site: Site, **options: object) -> GatewayFixture:
    return GatewayFixture(site, **{"keys": (), "rotation": RotationSettings(policy="round_robin"), **options})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def short_lookups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit_lookup, "LOOKUP_SECONDS", 0.1)
    monkeypatch.setattr(submit_lookup, "OTHERS_SECONDS", 0.02)


def order_of(env: GatewayFixture, key: str, accounts: Sequence[Account] = ACCOUNTS) -> list[Account]:
    keys = env.locator.submit_keys(pass_through_caller(*accounts), f"client:{key}")
    return env.pool.in_rendezvous_order(accounts, keys.order_key)


async def submit(env: GatewayFixture, key: str, accounts: Sequence[Account] = ACCOUNTS) -> Submitted:
    return await env.submit_with_key(pass_through_caller(*accounts), REQUEST, key)


class TestSeveralProcesses:
    @pytest.mark.parametrize("policy", ["round_robin", "least_busy", "random", "fill_first"])
    async def test_keys_sent_to_two_processes_at_once_are_charged_once_each(self, policy: str) -> None:
        site = Site()
        one, two = (process(site, rotation=RotationSettings.model_validate({"policy": policy})) for _ in range(2))
        both = [submit(env, key) for key in KEYS for env in (one, two)]
        answers = await asyncio.gather(*both)
        assert len(site.tasks) == len(KEYS)
        assert [answer.upstream_id for answer in answers[::2]] == [answer.upstream_id for answer in answers[1::2]]
        assert len({account for account, _ in site.tasks}) > 1

    @pytest.mark.parametrize("kind", [ErrorKind.NO_CREDITS, ErrorKind.TOO_MANY_RUNNING, ErrorKind.RATE_LIMITED])
    async def test_keys_are_charged_once_where_only_one_process_knows_of_a_pause(self, kind: ErrorKind) -> None:
        site = Site()
        one, two = process(site), process(site)
        paused = ACCOUNTS[0]
        site.trouble[paused.credential] = provider_error(kind)
        with pytest.raises(GatewayError):
            await one.submit(pass_through_caller(paused))
        del site.trouble[paused.credential]
        for key in KEYS:
            assert (await submit(two, key)).upstream_id == (await submit(one, key)).upstream_id
        assert len(site.tasks) == len(KEYS)

    async def test_keys_sent_at_once_are_charged_once_where_only_one_process_passes_an_account_over(self) -> None:
        site = Site()
        one, two = process(site), process(site)
        one.pool.pause(ACCOUNTS[0])

        async def sleep(seconds: float) -> None:
            one.clock.move(seconds)
            # As long as the other process may take.
            for _ in range(500):
                await asyncio.sleep(0)

        one.clock.sleep = sleep  # type: ignore[method-assign]
        await asyncio.gather(*(submit(env, key) for key in KEYS for env in (one, two)))
        assert len(site.tasks) == len(KEYS)
        assert any(order_of(two, key)[0] == ACCOUNTS[0] for key in KEYS)

    async def test_order_of_the_accounts_in_the_request_does_not_matter(self) -> None:
        site = Site()
        for key in KEYS:
            await submit(process(site), key, ACCOUNTS)
            await submit(process(site), key, ACCOUNTS[::-1])
        assert len(site.tasks) == len(KEYS)

    async def test_submit_that_another_process_makes_during_an_upload_is_found(self) -> None:
        site, picture_of = Site(), Media(MediaKind.IMAGE, "", "image", MediaRole.FIRST_FRAME, media_file(picture()))
        one, two = process(site), process(site)
        request = replace(REQUEST, media=(picture_of,))
        caller = pass_through_caller(*ACCOUNTS)
        first, second = order_of(one, "k")[:2]

        def other_process_submits() -> None:
            # It has used another account: its own view of the first one differs.
            key = next(two.locator.submit_keys(caller, "client:k").of(second))
            site.tasks[second.credential, key] = "scripted-other"
            one.clock.move(1.5)

        site.on_upload = other_process_submits
        assert (await one.submit_with_key(caller, request, "k")).upstream_id == "scripted-other"
        assert (site.uploaded, site.submitted) == ([first.credential], [])

    async def test_submission_of_another_model_found_during_an_upload_is_a_mismatch(self) -> None:
        site, picture_of = Site(), Media(MediaKind.IMAGE, "", "image", MediaRole.FIRST_FRAME, media_file(picture()))
        env, caller = process(site), pass_through_caller(*ACCOUNTS)
        first = order_of(env, "k")[0]

        def other_process_submits() -> None:
            key = next(env.locator.submit_keys(caller, "client:k").of(first))
            site.tasks[first.credential, key] = "scripted-other"
            env.clock.move(1.5)

        site.cards["another-model"] = card("another-model", "scripted")
        site.found_model = "another-model"
        site.on_upload = other_process_submits
        with pytest.raises(GatewayError) as caught:
            await env.submit_with_key(caller, replace(REQUEST, media=(picture_of,)), "k")
        assert (caught.value.code, site.submitted) == ("idempotency_mismatch", [])

    async def test_unconfirmed_key_stays_unconfirmed_where_an_account_gives_no_answer(self) -> None:
        site = Site()
        env = process(site)
        site.submits = [provider_error(ErrorKind.ANSWER_LOST)]
        site.on_submit = lambda: site.trouble.update(
            (one.credential, provider_error(ErrorKind.UPSTREAM_ERROR)) for one in ACCOUNTS
        )
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                await submit(env, "k")
            assert (caught.value.code, caught.value.spec.should_retry) == ("submission_unconfirmed", False)
        assert len(site.submitted) == 1

    async def test_submission_is_found_on_an_account_that_left_the_rotation(self) -> None:
        site = Site()
        env = process(site)
        made = await submit(env, "k")
        other = process(site)
        other.pool.pause(order_of(other, "k")[0])
        assert (await submit(other, "k")).upstream_id == made.upstream_id
        assert len(site.tasks) == 1


class TestAccountsInTrouble:
    DEAD_PROXY = replace(ACCOUNTS[2], proxy="http://127.0.0.1:1")

    @pytest.mark.parametrize(
        ("account", "error"),
        [
            (DEAD_PROXY, provider_error(ErrorKind.UNREACHABLE)),
            (ACCOUNTS[2], provider_error(ErrorKind.RESTRICTED)),
            (ACCOUNTS[2], provider_error(ErrorKind.NOT_ENTITLED)),
            (ACCOUNTS[2], provider_error(ErrorKind.INVALID_CREDENTIAL)),
        ],
    )
    async def test_account_that_takes_no_submit_fails_no_key(
        self, account: Account, error: ProviderError, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        site = Site()
        site.trouble[account.credential] = error
        accounts = [account if one.id == account.id else one for one in ACCOUNTS]
        env = process(site)
        for key in KEYS:
            await submit(env, key, accounts)
        assert len(site.tasks) == len(KEYS)
        assert "could not be asked for an earlier submit" in caplog.text

    @pytest.mark.parametrize(
        "error", [HANGS, provider_error(ErrorKind.UPSTREAM_ERROR), provider_error(ErrorKind.RATE_LIMITED)]
    )
    async def test_account_that_gives_no_answer_fails_only_the_keys_that_it_may_have(
        self, error: ProviderError
    ) -> None:
        site = Site()
        env = process(site)
        troubled = order_of(env, KEYS[0])[0]
        site.trouble[troubled.credential] = error
        for key in KEYS:
            if order_of(env, key)[0] == troubled:
                with pytest.raises(GatewayError) as caught:
                    await submit(env, key)
                assert (caught.value.code, caught.value.spec.should_retry) == ("upstream_unavailable", True)
            else:
                await submit(env, key)
        assert len(site.tasks) == sum(order_of(env, key)[0] != troubled for key in KEYS) < len(KEYS)

    async def test_failover_does_not_pass_an_account_that_gives_no_answer(self) -> None:
        site = Site()
        env = process(site)
        first, second, third = order_of(env, "k")[:3]
        site.trouble[second.credential] = HANGS
        site.submits = [provider_error(ErrorKind.NO_CREDITS)]
        env.pool.pause(second)
        with pytest.raises(GatewayError):
            await submit(env, "k")
        assert [credential for credential, _, _ in site.submitted] == [first.credential]
        assert third.credential not in {credential for credential, _ in site.tasks}

    async def test_failover_from_a_dead_proxy_does_not_look_up_through_it(self) -> None:
        site = Site()
        env = process(site)
        first = order_of(env, "k")[0]
        accounts = [replace(one, proxy="http://127.0.0.1:1") if one == first else one for one in ACCOUNTS]
        site.submits = [provider_error(ErrorKind.UNREACHABLE)]
        await submit(env, "k", accounts)
        assert site.looked_up.count(first.credential) == 1
        assert len(site.submitted) == 2

    async def test_nothing_is_sent_where_no_account_answers(self) -> None:
        site = Site()
        site.trouble = {one.credential: provider_error(ErrorKind.RESTRICTED) for one in ACCOUNTS}
        with pytest.raises(GatewayError) as caught:
            await submit(process(site), "k")
        assert caught.value.spec.should_retry
        assert site.submitted == []


class TestCosts:
    async def test_lookups_count_in_the_rate_limit_of_the_accounts(self) -> None:
        counted: list[str] = []
        env = process(Site())
        lookup = env.tasks._submitter._lookup
        lookup._acquire = lambda provider, account: counted.append(account.credential)
        await submit(env, "k")
        assert sorted(counted) == sorted(one.credential for one in ACCOUNTS)

    async def test_only_the_accounts_that_can_have_the_key_are_asked(self) -> None:
        many = [Account("scripted", f"s-secret-{number}") for number in range(40)]
        site = Site()
        env = process(site)
        env.pool.pause(order_of(env, "k", many)[1])
        await submit(env, "k", many)
        asked = order_of(env, "k", many)[: MAX_ATTEMPTS + 1]
        assert site.looked_up == [one.credential for one in asked]

    async def test_account_that_hangs_behind_others_costs_little_time(self) -> None:
        site = Site()
        env = process(site)
        site.trouble[order_of(env, "k")[-1].credential] = HANGS
        began = asyncio.get_running_loop().time()
        await submit(env, "k")
        assert asyncio.get_running_loop().time() - began < submit_lookup.LOOKUP_SECONDS
