"""Which model is meant where a client names none."""

import pytest

from providers.contract import (
    Account,
    Media,
    MediaRole,
    VideoRequest,
)
from providers.files import MediaKind
from tests.house import House, passing
from tests.upstream import ScriptedProvider, card


class TestDefaultModel:
    def house(self) -> House:
        text = ScriptedProvider("text", prefix="t-")
        both = [card("both-model", "both"), card("both-image", "both", MediaRole.FIRST_FRAME)]
        return House(
            text,
            others=[ScriptedProvider("both", prefix="b-", cards=both)],
            defaults=[("text-model", "text-model"), ("both-model", "both-image")],
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
    async def test_the_first_that_the_caller_can_use(self, accounts: str, with_image: bool, model: str) -> None:
        names = {"t": Account("text", "t-1"), "b": Account("both", "b-1")}
        media = (Media(MediaKind.IMAGE, "https://h/a.png", "image_url"),) if with_image else ()
        submitted = await self.house().submit(
            passing(*(names[letter] for letter in accounts)), VideoRequest("", "cat", media=media)
        )
        assert submitted.model == model

    async def test_an_image_for_nobody_who_takes_one_is_refused_by_the_first(self) -> None:
        media = (Media(MediaKind.IMAGE, "https://h/a.png", "image_url"),)
        refusal = await self.house().refusal(passing(Account("text", "t-1")), VideoRequest("", "cat", media=media))
        assert (refusal.code, refusal.param) == ("unsupported_parameter", "image_url")
