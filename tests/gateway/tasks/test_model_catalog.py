"""Resolution of model names, aliases and defaults."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.errors import GatewayError
from gateway.tasks.nearest_names import nearest_names
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import FieldWarning, Media, Submission, VideoRequest
from providers.contract.spec import DefaultModels
from providers.media_files import MediaKind
from tests.gateway_fixture import GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import DiscoveringProvider, FindingProvider, ScriptedProvider, card, provider_error


class TestDefaultModel:
    def env(self) -> GatewayFixture:
        text = ScriptedProvider("text", prefix="t-")
        both = [card("both-model", "both"), card("both-image", "both", MediaRole.FIRST_FRAME)]
        return GatewayFixture(
            text,
            others=[ScriptedProvider("both", prefix="b-", cards=both)],
            defaults=DefaultModels(("text-model", "both-model"), ("text-model", "both-image")),
        )

    @pytest.mark.parametrize(
        ("accounts", "with_image", "model"),
        [
            ("t", False, "text-model"),
            ("b", False, "both-model"),
            ("tb", False, "text-model"),
            ("b", True, "both-image"),
            ("tb", True, "both-image"),
        ],
    )
    async def test_default_is_the_first_model_that_the_caller_can_use(
        self, accounts: str, with_image: bool, model: str
    ) -> None:
        names = {"t": Account("text", "t-1"), "b": Account("both", "b-1")}
        media = (Media(MediaKind.IMAGE, "https://h/a.png", "image_url"),) if with_image else ()
        submitted = await self.env().submit(
            pass_through_caller(*(names[letter] for letter in accounts)), VideoRequest("", "cat", media=media)
        )
        assert submitted.model == model

    async def test_image_that_no_default_takes_is_refused_by_the_first(self) -> None:
        media = (Media(MediaKind.IMAGE, "https://h/a.png", "image_url"),)
        error = await self.env().submit_error(
            pass_through_caller(Account("text", "t-1")), VideoRequest("", "cat", media=media)
        )
        assert (error.code, error.param) == ("unsupported_parameter", "image_url")

    @pytest.mark.parametrize(
        ("asked", "param"),
        [
            ({"duration": 20}, "duration"),
            ({"prompt": "a cat on a skateboard"}, "prompt"),
            ({"media": (Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1"),)}, "video_file_1"),
        ],
    )
    async def test_request_that_the_default_cannot_do_uses_no_other_model(
        self, asked: dict[str, Any], param: str
    ) -> None:
        """The other model may cost many times as much."""
        usual = replace(card("usual", "text"), durations=(5,), duration=5, max_prompt=10)
        grand = replace(card("grand", "text", MediaRole.VIDEO), durations=(5, 20), duration=5)
        text = ScriptedProvider("text", prefix="t-", cards=[usual, grand])
        env = GatewayFixture(text, defaults=DefaultModels(("usual",), ("usual",)))
        error = await env.submit_error(
            pass_through_caller(Account("text", "t-1")), VideoRequest("", **{"prompt": "cat", **asked})
        )
        assert error.param == param
        assert text.submitted == []


class TestNames:
    """A name is known in any case, and the snapshots of a former model mean what the model means."""

    def env(self, **options: Any) -> GatewayFixture:
        provider = ScriptedProvider(cards=[card("scripted-model", "scripted"), card("other-model", "scripted")])
        defaults = DefaultModels(("scripted-model",), ("scripted-model",))
        return GatewayFixture(provider, **{"defaults": defaults, "aliases": {"My-Model": "other-model"}} | options)

    @pytest.mark.parametrize(
        ("name", "model"),
        [
            ("SCRIPTED-Model", "scripted-model"),
            ("other-MODEL", "other-model"),
            ("my-model", "other-model"),
            ("MY-MODEL", "other-model"),
            ("Sora-2", "scripted-model"),
            ("SORA-2-PRO", "scripted-model"),
            ("sora-2-2025-10-06", "scripted-model"),
            ("sora-2-pro-2025-10-06", "scripted-model"),
            ("Sora-2-2025-12-08", "scripted-model"),
        ],
    )
    async def test_name_is_known_in_any_case(self, name: str, model: str) -> None:
        env, caller = self.env(), pass_through_caller(Account("scripted", "s-1"))
        offer = await env.tasks.catalog.offer(caller)
        assert offer.card(name).name == model
        assert (await env.submit(caller, VideoRequest(name, "cat"))).model == model

    @pytest.mark.parametrize("name", ["sora-2", "SORA-2", "sora-2-2025-10-06"])
    async def test_alias_of_a_former_name_covers_its_snapshots(self, name: str) -> None:
        env = self.env(aliases={"sora-2": "other-model"})
        assert (await env.submit(pass_through_caller(Account("scripted", "s-1")), VideoRequest(name, "cat"))).model == (
            "other-model"
        )

    @pytest.mark.parametrize("name", ["sora-3", "sora-2-max", "sora-2-latest", "sora-2-2025-10-06-x"])
    async def test_other_names_of_the_kind_are_unknown(self, name: str) -> None:
        refusal = await self.env().submit_error(
            pass_through_caller(Account("scripted", "s-1")), VideoRequest(name, "cat")
        )
        assert refusal.code == "model_not_found"
        assert "other-model" in refusal.message("en")

    async def test_list_of_models_has_no_snapshots(self) -> None:
        offer = await self.env().tasks.catalog.offer(pass_through_caller(Account("scripted", "s-1")))
        assert set(offer.cards()) == {"scripted-model", "other-model", "sora-2", "sora-2-pro", "My-Model"}


CN, OTHER_CN = (Account("scripted", f"s-cn-{number}", region="cn") for number in (1, 2))
US = Account("scripted", "s-us", region="us")
ROLES = (MediaRole.FIRST_FRAME,)


def live(name: str, *, regions: str = "cn us", **fields: object) -> ModelCard:
    """A card of the table."""
    return replace(card(name, "scripted", *ROLES, regions=frozenset(regions.split())), **fields)  # type: ignore[arg-type]


class TestLiveModels:
    """Models that appear and disappear at the sites of two accounts."""

    def env(
        self, provider: type[DiscoveringProvider] = DiscoveringProvider, **options: object
    ) -> tuple[GatewayFixture, DiscoveringProvider]:
        table = [live("video-3.5"), live("video-3.0"), live("video-2.0")]
        site = [card("video-3.0", "scripted"), card("video-2.0", "scripted"), card("brand-new", "scripted")]
        playing = provider({"cn": site, "us": [card("video-3.5", "scripted")]}, cards=table)
        names = ("video-3.5", "video-3.0", "video-2.0")
        defaults = DefaultModels(names, names)
        return GatewayFixture(playing, defaults=defaults, **options), playing  # type: ignore[arg-type]

    async def test_default_is_the_first_preference_of_the_site(self) -> None:
        env, _ = self.env()
        assert (await env.submit(pass_through_caller(CN), VideoRequest("", "cat"))).model == "video-3.0"
        assert (await env.submit(pass_through_caller(US), VideoRequest("", "cat"))).model == "video-3.5"
        assert (await env.submit(pass_through_caller(CN, US), VideoRequest("", "cat"))).model == "video-3.5"

    async def test_without_a_preference_the_default_is_the_first_model_of_the_site(self) -> None:
        env, provider = self.env()
        provider.listed["cn"] = [card("strange", "scripted"), card("stranger", "scripted")]
        assert (await env.submit(pass_through_caller(CN), VideoRequest("", "cat"))).model == "strange"

    async def test_model_that_is_not_offered_is_no_default(self) -> None:
        env, provider = self.env()
        provider.listed["cn"] = [replace(card("video-3.0", "scripted"), available=False), card("video-2.0", "scripted")]
        assert (await env.submit(pass_through_caller(CN), VideoRequest("", "cat"))).model == "video-2.0"
        assert (await env.submit(pass_through_caller(CN), VideoRequest("video-3.0", "cat"))).model == "video-3.0"

    async def test_default_supports_the_inputs_of_the_request(self) -> None:
        env, provider = self.env()
        provider.listed["cn"] = [card("video-3.0", "scripted"), card("video-2.0", "scripted", *ROLES)]
        media = (Media(MediaKind.IMAGE, "https://h/a.png", "image_url"),)
        assert (await env.submit(pass_through_caller(CN), VideoRequest("", "cat", media=media))).model == "video-2.0"

    async def test_new_model_of_the_site_is_available(self) -> None:
        env, _ = self.env()
        assert (await env.submit(pass_through_caller(CN), VideoRequest("brand-new", "cat"))).model == "brand-new"
        offer = await env.tasks.catalog.offer(pass_through_caller(CN))
        assert list(offer.cards())[:3] == ["video-3.0", "video-2.0", "brand-new"]

    async def test_model_missing_at_the_site_is_refused_with_the_nearest(self) -> None:
        env, provider = self.env()
        error = await env.submit_error(pass_through_caller(CN), VideoRequest("video-3.5", "cat"))
        assert (error.code, error.param) == ("model_not_found", "model")
        assert "video-3.5" in error.message("en")
        assert error.message("en").endswith("closest models: video-3.0, video-2.0, brand-new")
        assert error.message("zh").endswith("相近的可用模型：video-3.0, video-2.0, brand-new")
        assert provider.submitted == []

    async def test_model_missing_in_one_answer_is_queried_once_more(self) -> None:
        env, provider = self.env()
        whole = provider.listed["cn"]
        provider.listed["cn"] = [card("video-2.0", "scripted")]
        assert (
            await env.submit(pass_through_caller(CN, OTHER_CN), VideoRequest("video-2.0", "cat"))
        ).model == "video-2.0"
        provider.listed["cn"] = whole
        assert (
            await env.submit(pass_through_caller(CN, OTHER_CN), VideoRequest("video-3.0", "cat"))
        ).model == "video-3.0"
        # Not at every request for a model that is really gone.
        calls = len(provider.discovered)
        for _ in range(3):
            await env.submit_error(pass_through_caller(CN, OTHER_CN), VideoRequest("video-3.5", "cat"))
        assert len(provider.discovered) <= calls + 1

    async def test_only_accounts_whose_site_has_the_model_are_tried(self) -> None:
        env, provider = self.env()
        await env.submit(pass_through_caller(CN, US), VideoRequest("video-3.5", "cat"))
        assert [credential for credential, _, _ in provider.submitted] == ["s-us"]

    async def test_request_has_the_card_of_the_accounts_site(self) -> None:
        env, provider = self.env()
        theirs, ours = (replace(card("video-3.0", "scripted"), wire=wire) for wire in ("us", "cn"))
        provider.listed = {"us": [theirs], "cn": [ours]}
        await env.submit(pass_through_caller(US, CN), VideoRequest("video-3.0", "cat"))
        await env.submit(pass_through_caller(CN, US), VideoRequest("video-3.0", "cat"))
        assert [request.card and request.card.wire for _, _, request in provider.submitted] == ["us", "cn"]

    async def test_accounts_whose_site_cannot_make_the_same_video_are_left_out(self) -> None:
        env, provider = self.env()
        small, large = (
            replace(card("video-3.0", "scripted"), resolutions=tiers, resolution="720p")
            for tiers in (("720p",), ("720p", "1080p"))
        )
        provider.listed = {"cn": [small], "us": [large]}
        await env.submit(pass_through_caller(CN, US), VideoRequest("video-3.0", "cat", resolution="1080p"))
        assert [credential for credential, _, _ in provider.submitted] == ["s-us"]
        submitted = await env.submit(pass_through_caller(CN), VideoRequest("video-3.0", "cat", resolution="1080p"))
        assert submitted.warnings == (FieldWarning("adjusted_value", "resolution", "720p"),)

    async def test_accounts_whose_site_has_other_defaults_are_left_out(self) -> None:
        env, provider = self.env()
        plain = card("video-3.0", "scripted")
        provider.listed = {"cn": [plain], "us": [replace(plain, resolutions=("720p",), resolution="720p")]}
        provider.submits = [provider_error(ErrorKind.RATE_LIMITED)]
        await env.submit_error(pass_through_caller(CN, US), VideoRequest("video-3.0", "cat"))
        assert [(credential, request.resolution) for credential, _, request in provider.submitted] == [("s-cn-1", None)]

    async def test_model_error_of_the_upstream_refreshes_the_list_and_names_the_nearest(self) -> None:
        env, provider = self.env()
        await env.submit(pass_through_caller(CN), VideoRequest("video-3.0", "cat"))
        provider.listed["cn"] = [card("video-2.0", "scripted"), card("brand-new", "scripted")]
        provider.submits = [provider_error(ErrorKind.MODEL_NOT_FOUND, "2061")]
        error = await env.submit_error(pass_through_caller(CN, OTHER_CN), VideoRequest("video-3.0", "cat"))
        assert (error.code, error.upstream_code) == ("model_not_found", "2061")
        assert "video-2.0, brand-new" in error.message("en")
        # Neither account is paused, no other account of the site was asked, and the next submit is not sent at all.
        assert len(provider.submitted) == 2
        assert (await env.submit(pass_through_caller(CN), VideoRequest("", "cat"))).model == "video-2.0"
        await env.submit_error(pass_through_caller(CN), VideoRequest("video-3.0", "cat"))
        assert len(provider.submitted) == 3

    async def test_submit_without_a_model_uses_the_next_default(self) -> None:
        env, provider = self.env()
        await env.submit(pass_through_caller(CN), VideoRequest("", "cat"))
        provider.listed["cn"] = [card("video-2.0", "scripted")]
        provider.submits = [provider_error(ErrorKind.MODEL_NOT_FOUND, "2061")]
        assert (await env.submit(pass_through_caller(CN), VideoRequest("", "cat"))).model == "video-2.0"
        assert len(provider.submitted) == 3

    async def test_there_is_no_third_attempt(self) -> None:
        env, provider = self.env()
        provider.submits = [provider_error(ErrorKind.MODEL_NOT_FOUND, "2061")] * 3
        provider.listed["cn"] = [card("video-3.0", "scripted")]
        assert (await env.submit_error(pass_through_caller(CN), VideoRequest("", "cat"))).code == "model_not_found"
        assert len(provider.submitted) == 1

    async def test_retry_finds_its_task_although_the_model_has_left(self) -> None:
        provider = FindingProvider(["scripted-7", None])
        env = GatewayFixture(provider)
        gone = replace(card("gone", "scripted"), regions=frozenset({"elsewhere"}))
        provider.cards["gone"] = gone
        found = await env.submit_with_key(pass_through_caller(CN), VideoRequest("gone", "cat"))
        assert found.upstream_id == "scripted-7"
        with pytest.raises(GatewayError) as caught:
            await env.submit_with_key(pass_through_caller(CN), VideoRequest("gone", "cat"), "t")
        assert caught.value.code == "model_not_found"

    async def test_account_of_another_site_takes_a_model_that_left_the_first(self) -> None:
        env, provider = self.env()
        provider.listed["us"] = [card("video-3.0", "scripted")]
        provider.submits = [provider_error(ErrorKind.MODEL_NOT_FOUND, "2061")]
        await env.submit(pass_through_caller(CN, OTHER_CN, US), VideoRequest("video-3.0", "cat"))
        assert [credential for credential, _, _ in provider.submitted] == ["s-cn-1", "s-us"]
        # The list of the first account's site is refreshed.
        provider.listed["cn"] = [card("video-2.0", "scripted")]
        await env.tasks.catalog.offer(pass_through_caller(CN, OTHER_CN, US))
        await asyncio.sleep(0)
        await env.submit(pass_through_caller(CN, OTHER_CN, US), VideoRequest("video-3.0", "cat"))
        assert [credential for credential, _, _ in provider.submitted][2:] == ["s-us"]

    async def test_raw_key_passes_unchecked_unless_the_site_lists_it(self) -> None:
        class TakingKeys(DiscoveringProvider):
            def raw_card(self, key: str) -> ModelCard | None:
                return live(key, regions="", unlisted=True) if key.startswith("key-") else None

        env, provider = self.env(TakingKeys)
        provider.cards["tabled"] = replace(live("tabled", regions="us"), key="key-tabled")
        submitted = await env.submit(pass_through_caller(CN), VideoRequest("key-tabled", "cat", resolution="9k"))
        assert submitted.model == "key-tabled"
        provider.listed["cn"] = [replace(card("listed", "scripted"), key="key-listed")]
        await env.tasks.catalog.refresh([CN])
        assert (await env.submit(pass_through_caller(CN), VideoRequest("key-listed", "cat"))).model == "listed"

    async def test_unreachable_site_uses_the_table_of_its_region(self) -> None:
        env, provider = self.env()
        provider.listed["cn"] = provider_error(ErrorKind.UNREACHABLE)
        provider.cards["abroad"] = live("abroad", regions="us")
        assert (await env.submit(pass_through_caller(CN), VideoRequest("video-3.5", "cat"))).model == "video-3.5"
        error = await env.submit_error(pass_through_caller(CN), VideoRequest("abroad", "cat"))
        assert "us" in error.message("en")

    async def test_configured_model_is_offered_whatever_the_site_lists(self) -> None:
        env, provider = self.env()
        provider.cards["mine"] = live("mine", regions="", configured=True)
        assert (await env.submit(pass_through_caller(CN), VideoRequest("mine", "cat"))).model == "mine"
        assert "mine" in (await env.tasks.catalog.offer(pass_through_caller(CN))).cards()

    async def test_unlisted_model_is_passed_on(self) -> None:
        env, provider = self.env()
        provider.cards["raw_key"] = live("raw_key", regions="", unlisted=True)
        assert (await env.submit(pass_through_caller(CN), VideoRequest("raw_key", "cat"))).model == "raw_key"

    async def test_title_does_not_hide_the_name_of_another_model(self) -> None:
        env, provider = self.env()
        provider.listed["cn"] = [live("impostor", title="video-3.5"), live("odd", title="video-2.0")]
        # By name from the account whose site has it, and not by the title that stands first.
        submitted = await env.submit(pass_through_caller(CN, US), VideoRequest("video-3.5", "cat"))
        assert (submitted.model, provider.submitted[0][0]) == ("video-3.5", "s-us")
        # The table knows the name, and no site of the caller's has the model.
        error = await env.submit_error(pass_through_caller(CN), VideoRequest("video-2.0", "cat"))
        assert error.code == "model_not_found"
        assert len(provider.submitted) == 1

    async def test_site_does_not_hide_the_name_of_another_provider(self) -> None:
        table = [live("video-3.5")]
        provider = DiscoveringProvider({"cn": [live("other-model"), live("b", title="other-model")]}, cards=table)
        other = ScriptedProvider("other", prefix="o-")
        env = GatewayFixture(provider, others=[other], defaults=DefaultModels(("video-3.5",), ("video-3.5",)))
        caller = pass_through_caller(CN, Account("other", "o-1"))
        await env.submit(caller, VideoRequest("other-model", "cat"))
        assert (provider.submitted, len(other.submitted)) == ([], 1)
        assert (
            await env.submit_error(pass_through_caller(CN), VideoRequest("other-model", "cat"))
        ).code == "invalid_api_key"
        assert (await env.tasks.catalog.offer(caller)).cards()["other-model"].provider == "other"

    async def test_unknown_name_is_refused_with_the_nearest(self) -> None:
        env, _ = self.env()
        error = await env.submit_error(pass_through_caller(CN), VideoRequest("video-3", "cat"))
        assert "video-3.0" in error.message("en")
        error = await env.submit_error(managed_caller(), VideoRequest("video-{3}", "cat"))
        assert "video-{3}" in error.message("en")

    async def test_retry_without_a_model_finds_its_task_although_the_default_has_changed(self) -> None:
        provider = FindingProvider([Submission("scripted-7", "former-default")])
        provider.cards["former-default"] = card("former-default", "scripted")
        env = GatewayFixture(provider, defaults=DefaultModels(("scripted-model",), ("scripted-model",)))
        found = await env.submit_with_key(pass_through_caller(CN), VideoRequest("", "cat"))
        assert (found.upstream_id, found.model) == ("scripted-7", "former-default")
        with pytest.raises(GatewayError) as caught:
            await env.submit_with_key(pass_through_caller(CN), VideoRequest("scripted-model", "cat"), "t")
        assert caught.value.code == "idempotency_mismatch"

    async def test_retry_finds_its_task_although_the_accounts_site_has_lost_the_model(self) -> None:
        env, provider = self.env(provider=Remembering)
        provider.listed = {"cn": [card("video-2.0", "scripted")], "us": [card("video-3.0", "scripted")]}
        provider.submits = ["scripted-9"]
        await provider.submit(VideoRequest("video-3.0", "cat"), CN, submit_key="earlier")
        found = await env.submit_with_key(managed_caller(CN, US), VideoRequest("video-3.0", "cat"))
        assert found.upstream_id == "scripted-9"
        assert len(provider.submitted) == 1


class Remembering(DiscoveringProvider):
    """Records for each account whether it has submitted anything."""

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        return Submission("scripted-9") if account.credential in {who for who, _, _ in self.submitted} else None


def test_nearest_names_are_suggested() -> None:
    names = ["jimeng-video-3.0-fast", "jimeng-video-3.0-pro", "jimeng-video-seedance-2.0", "wan2.7-t2v"]
    assert nearest_names("jimeng-video-3.0", names)[:2] == ["jimeng-video-3.0-pro", "jimeng-video-3.0-fast"]
    assert nearest_names("Seedance-2.0", names)[0] == "jimeng-video-seedance-2.0"
    assert nearest_names("x", []) == []


def test_nearest_of_a_huge_name_takes_no_time() -> None:
    began = time.process_time()
    assert nearest_names("jimeng-video-" * 10_000, ["jimeng-video-3.0", "wan2.6-t2v"])[0] == "jimeng-video-3.0"
    assert time.process_time() - began < 0.1
