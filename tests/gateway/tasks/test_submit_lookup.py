"""Lookups of submits with an idempotency key, with several accounts and several processes."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from gateway.accounts.health import AccountState
from gateway.accounts.pool import ManagedAccount
from gateway.core.errors import GatewayError
from gateway.tasks import submit_lookup
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media, Submission
from providers.media_files import MediaKind
from tests.gateway.tasks.shared_site import ACCOUNTS, HANGS, KEYS, Site, order_of, process, submit
from tests.gateway_fixture import REQUEST, managed_caller, pass_through_caller
from tests.pictures import media_file, picture
from tests.upstream import card, provider_error

pytestmark = pytest.mark.usefixtures("short_lookups")


class TestSeveralProcesses:
    @pytest.mark.parametrize("policy", ["round_robin", "least_busy", "random", "fill_first"])
    async def test_keys_sent_to_two_processes_at_once_are_charged_once_each(self, policy: str) -> None:
        site = Site()
        one, two = (process(site, policy=policy) for _ in range(2))
        both = [submit(env, key) for key in KEYS for env in (one, two)]
        answers = await asyncio.gather(*both)
        assert len(site.tasks) == len(KEYS)
        assert [answer.upstream_id for answer in answers[::2]] == [answer.upstream_id for answer in answers[1::2]]
        assert len({account for account, _ in site.tasks}) > 1

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
    async def test_account_that_takes_no_submit_fails_no_key(self, account: Account, error: ProviderError) -> None:
        site = Site()
        site.trouble[account.credential] = error
        accounts = [account if one.id == account.id else one for one in ACCOUNTS]
        env = process(site)
        for key in KEYS:
            await submit(env, key, accounts)
        assert len(site.tasks) == len(KEYS)

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

    async def test_failover_from_a_dead_proxy_needs_no_answer_through_it(self) -> None:
        site = Site()
        env = process(site)
        first, second = order_of(env, "k")[:2]
        proxied = replace(first, proxy="http://127.0.0.1:1")
        accounts = [proxied if one == first else one for one in ACCOUNTS]
        site.submits = [provider_error(ErrorKind.UNREACHABLE)]
        site.on_submit = lambda: site.trouble.update({first.credential: HANGS})
        await submit(env, "k", accounts)
        assert [credential for credential, _, _ in site.submitted] == [first.credential, second.credential]

    async def test_failover_from_a_dead_proxy_finds_what_another_process_has_submitted_meanwhile(self) -> None:
        site = Site()
        env = process(site)
        first = order_of(env, "k")[0]
        accounts = [replace(one, proxy="http://127.0.0.1:1") if one == first else one for one in ACCOUNTS]
        key = next(env.locator.submit_keys(pass_through_caller(*ACCOUNTS), "client:k").of(first))
        site.submits = [provider_error(ErrorKind.UNREACHABLE)]
        site.on_submit = lambda: site.tasks.update({(first.credential, key): "scripted-other"})
        assert (await submit(env, "k", accounts)).upstream_id == "scripted-other"
        assert len(site.submitted) == 1

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

    @pytest.mark.parametrize("paused", [0, 195])
    async def test_number_of_accounts_that_are_asked_is_limited(self, paused: int) -> None:
        many = [Account("scripted", f"s-secret-{number}") for number in range(200)]
        site = Site()
        env = process(site)
        for account in many[:paused]:
            env.pool.pause(account)
        await submit(env, "k", many)
        # Where an account was passed over, the lookup is repeated.
        asked = set(site.looked_up)
        assert len(asked) == submit_lookup.MAX_ASKED
        assert not paused or {one.credential for one in many[paused:]} < asked

    async def test_account_beyond_the_limit_is_asked_before_it_is_charged(self) -> None:
        many = [Account("scripted", f"s-secret-{number}") for number in range(40)]
        site = Site()
        env = process(site)
        order = order_of(env, "k", many)
        for account in order[:-1]:
            # They are ready for other models.
            error = provider_error(ErrorKind.NOT_ENTITLED)
            env.pool.record_failure(account, error, REQUEST.model, sent_at=env.clock.monotonic())
        key = next(env.locator.submit_keys(pass_through_caller(*many), "client:k").of(order[-1]))
        site.tasks[order[-1].credential, key] = "scripted-other"
        assert (await submit(env, "k", many)).upstream_id == "scripted-other"
        assert site.submitted == []


class TestWaits:
    """How long a lookup waits for accounts that give no answer."""

    @pytest.fixture
    def long_lookups(self, short_lookups: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only the grace is short."""
        monkeypatch.setattr(submit_lookup, "LOOKUP_SECONDS", 10.0)

    @pytest.mark.usefixtures("long_lookups")
    async def test_account_that_hangs_behind_others_costs_little_time_and_no_further_lookup(self) -> None:
        site = Site()
        env = process(site)
        site.trouble[order_of(env, "k")[-1].credential] = HANGS
        assert await seconds_of(submit(env, "k")) < submit_lookup.LOOKUP_SECONDS / 2
        assert len(site.looked_up) == len(ACCOUNTS)

    async def test_account_that_must_answer_and_hangs_does_not_hide_the_submission_of_another(self) -> None:
        site = Site()
        env = process(site)
        first, *_, last = order_of(env, "k")
        key = next(env.locator.submit_keys(pass_through_caller(*ACCOUNTS), "client:k").of(last))
        site.tasks[last.credential, key] = "scripted-other"
        site.trouble[first.credential] = HANGS
        assert (await submit(env, "k")).upstream_id == "scripted-other"

    async def test_account_behind_a_proxy_known_as_failed_costs_no_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(submit_lookup, "GRACE_SECONDS", 10.0)
        site = Site()
        env = process(site)
        *_, last = order_of(env, "k")
        proxied = replace(last, proxy="http://127.0.0.1:1")
        env.pool.proxy_failed(proxied, provider_error(ErrorKind.UNREACHABLE))
        site.trouble[last.credential] = HANGS
        accounts = [proxied if one == last else one for one in ACCOUNTS]
        assert await seconds_of(submit(env, "k", accounts)) < submit_lookup.GRACE_SECONDS / 2
        assert last.credential in site.looked_up

    @pytest.mark.usefixtures("long_lookups")
    async def test_first_account_behind_a_proxy_known_as_failed_costs_no_more_than_the_grace(self) -> None:
        site = Site()
        env = process(site)
        first, second = order_of(env, "k")[:2]
        proxied = replace(first, proxy="http://127.0.0.1:1")
        env.pool.proxy_failed(proxied, provider_error(ErrorKind.UNREACHABLE))
        site.trouble[first.credential] = HANGS
        accounts = [proxied if one == first else one for one in ACCOUNTS]
        assert await seconds_of(submit(env, "k", accounts)) < submit_lookup.LOOKUP_SECONDS / 2
        assert [credential for credential, _, _ in site.submitted] == [second.credential]

    async def test_accounts_that_share_a_proxy_known_as_failed_are_waited_for(self) -> None:
        site = Site()
        accounts = [replace(one, proxy="http://127.0.0.1:1") for one in ACCOUNTS]
        made = await submit(process(site), "k", accounts)
        other = process(site)
        other.pool.proxy_failed(accounts[0], provider_error(ErrorKind.UNREACHABLE))
        assert (await submit(other, "k", accounts)).upstream_id == made.upstream_id

    async def test_proxy_that_hangs_is_known_as_dead_before_the_lookup_ends(self) -> None:
        connect = 2 * submit_lookup.LOOKUP_SECONDS

        class HangingProxy(Site):
            async def find(self, submit_key: str, account: Account) -> Submission | None:
                if account.proxy is not None:
                    await asyncio.sleep(connect)
                    raise provider_error(ErrorKind.UNREACHABLE)
                return await super().find(submit_key, account)

        site = HangingProxy()
        env = process(site, connect=connect)
        first, second = order_of(env, "k")[:2]
        proxied = replace(first, proxy="http://127.0.0.1:1")
        await submit(env, "k", [proxied if one == first else one for one in ACCOUNTS])
        assert [credential for credential, _, _ in site.submitted] == [second.credential]


class TestReports:
    """What lookups tell the log and the pool."""

    ACCOUNTS = tuple(Account("scripted", f"s-secret-{number}", name=f"main-{number}") for number in range(6))

    async def test_one_line_names_all_managed_accounts_that_gave_no_answer(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "gateway")
        site = Site()
        env = process(site)
        env.pool.manage([ManagedAccount(one) for one in self.ACCOUNTS])
        caller = managed_caller(*self.ACCOUNTS)
        order_key = env.locator.submit_keys(caller, "client:k").order_key
        *_, fifth, sixth = env.pool.in_rendezvous_order(self.ACCOUNTS, order_key)
        site.trouble = {
            fifth.credential: HANGS,
            sixth.credential: provider_error(ErrorKind.UPSTREAM_ERROR, detail=f"no {sixth.credential}"),
        }
        await env.submit_with_key(caller, REQUEST, "k")
        (line,) = [one for one in caplog.records if "earlier submit" in one.getMessage()]
        assert line.fields["accounts"] == 2  # type: ignore[attr-defined]
        assert all(one.label in line.fields["causes"] for one in (fifth, sixth))  # type: ignore[attr-defined]
        assert sixth.credential not in str(line.fields)  # type: ignore[attr-defined]

    async def test_accounts_of_pass_through_callers_are_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "gateway")
        site = Site()
        env = process(site)
        site.trouble[order_of(env, "k")[-1].credential] = provider_error(ErrorKind.UPSTREAM_ERROR)
        await submit(env, "k")
        lines = [(one.getMessage(), one.fields) for one in caplog.records]  # type: ignore[attr-defined]
        assert lines == [("trouble with accounts of pass-through callers", {"lookup_failed": 1})]

    @pytest.mark.parametrize(
        ("kind", "state"),
        [
            (ErrorKind.INVALID_CREDENTIAL, AccountState.EXPIRED),
            (ErrorKind.RESTRICTED, AccountState.RESTRICTED),
            (ErrorKind.RATE_LIMITED, AccountState.READY),
            (ErrorKind.UPSTREAM_ERROR, AccountState.READY),
        ],
    )
    async def test_error_that_counts_on_any_call_pauses_the_account(self, kind: ErrorKind, state: AccountState) -> None:
        site = Site()
        env = process(site)
        *_, last = order_of(env, "k")
        site.trouble[last.credential] = provider_error(kind)
        await submit(env, "k")
        assert env.pool.status(last).state is state

    async def test_answer_does_not_revive_a_credential_that_a_submit_has_found_expired(self) -> None:
        site = Site()
        env = process(site)
        *_, last = order_of(env, "k")
        expired = provider_error(ErrorKind.INVALID_CREDENTIAL)
        env.pool.record_failure(last, expired, "", sent_at=env.clock.monotonic())
        env.clock.move(1.0)
        await submit(env, "k")
        assert env.pool.status(last).state is AccountState.EXPIRED


async def seconds_of(work: Awaitable[object]) -> float:
    began = asyncio.get_running_loop().time()
    await work
    return asyncio.get_running_loop().time() - began
