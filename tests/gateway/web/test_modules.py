"""The page's own modules, run in the browser: what they compute is what the gateway computes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.async_api import Page

from gateway.api.schemas import shot_prompt
from gateway.core.settings import Settings
from gateway.web.site import describe_site
from tests.gateway.web.conftest import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

_TEXTS = st.text(st.sampled_from("ab 镜头\t\n\u00a0\u3000\ufeff\x1c\x85，"), max_size=8)
_SHOTS = st.fixed_dictionaries(
    {"prompt": _TEXTS},
    optional={
        "camera_movement": st.sampled_from([*shot_prompt.CAMERA_MOVEMENTS, "dolly", "constructor"]) | _TEXTS,
        "shot_type": st.sampled_from([*shot_prompt.SHOT_TYPES, "single", "Multi", "toString"]) | _TEXTS,
        "lighting": st.sampled_from([*shot_prompt.LIGHTING, "neon"]) | _TEXTS,
        "motion_prompt": _TEXTS,
    },
)


def examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    found: list[Any] = []

    @settings(max_examples=count, database=None)
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


async def test_preview_is_the_prompt_that_the_gateway_composes(page: Page) -> None:
    shots = examples(_SHOTS, 200)
    terms = describe_site(Settings.model_construct(providers={}))["shot"]
    composed = await run(
        page, "playground/shot.js", "given[1].map((one) => module.compose(given[0], one))", [terms, shots]
    )
    assert composed == [shot_prompt.compose(**shot) for shot in shots]


@pytest.mark.parametrize("pieces", [1, 2, 3, 1000], ids=lambda size: f"pieces_of_{size}")
async def test_events_are_parsed_in_any_pieces(page: Page, pieces: int) -> None:
    stream = (
        ': heartbeat\n\nevent: status\nid: 1\ndata: {"a":\ndata:  1}\n\ndata: x\r\n\r\n'
        "event: empty\n\nid\rdata\r\revent: end\ndata: z\n\n"
    )
    chunks = [stream[start : start + pieces] for start in range(0, len(stream), pieces)]
    expression = "((parser) => given.flatMap((piece) => parser.push(piece)))(new module.EventParser())"
    events = await run(page, "shared/sse.js", expression, chunks)
    assert events == [
        {"event": "status", "data": '{"a":\n 1}', "id": "1"},
        {"event": "message", "data": "x", "id": "1"},
        {"event": "message", "data": "", "id": ""},
        {"event": "end", "data": "z", "id": ""},
    ]


CARD = {
    "inputs": [
        [],
        ["first_frame"],
        ["first_frame", "last_frame"],
        ["reference_image"],
        ["reference_image", "reference_video"],
    ],
    "input_counts": {"first_frame": 1, "last_frame": 1, "reference_image": 3, "reference_video": 2},
    "input_counts_with": {"reference_video": {"reference_image": 1}},
    "durations": [2, 5, 10],
    "durations_with": {"reference_video": [5]},
    "durations_at": {"1080p": [2, 5]},
    "ratios": ["16:9"],
    "ratio_from": ["first_frame"],
}


@pytest.mark.parametrize(
    ("kinds", "roles"),
    [
        (["image", "image"], ["first_frame", "last_frame"]),
        (["image", "image", "image"], ["first_frame", "last_frame", None]),
        (["video", "image"], ["reference_video", "reference_image"]),
        (["video", "image", "image"], ["reference_video", "reference_image", None]),
        (["audio"], [None]),
    ],
    ids=["frames", "a_third_frame", "references", "limit_beside_a_clip", "sound"],
)
async def test_inputs_get_roles_that_go_together(page: Page, kinds: list[str], roles: list[str | None]) -> None:
    expression = "module.assignRoles(given[0], given[1].map((kind) => ({ kind }))).map(({ role }) => role)"
    assert await run(page, "playground/capabilities.js", expression, [CARD, kinds]) == roles


@pytest.mark.parametrize(
    ("roles", "resolution", "expected"),
    [([], "720p", [2, 5, 10]), ([], "1080p", [2, 5]), (["reference_video"], "720p", [5])],
    ids=["all", "by_resolution", "by_input"],
)
async def test_seconds_depend_on_inputs_and_resolution(
    page: Page, roles: list[str], resolution: str, expected: list[int]
) -> None:
    assert (
        await run(page, "playground/capabilities.js", "module.durations(...given)", [CARD, roles, resolution])
        == expected
    )


@pytest.mark.parametrize("text", ["猫", "cat 猫", "あ", ""])
async def test_prompt_is_counted_as_the_upstream_counts(page: Page, text: str) -> None:
    counted = await run(page, "playground/capabilities.js", "module.promptLength({ han_weight: 2 }, given)", text)
    assert counted == sum(2 if "一" <= character <= "鿿" else 1 for character in text)


async def test_python_snippet_is_python(page: Page) -> None:
    fields = {
        "model": "m",
        "prompt": 'it\'s "a" \\ \n 猫',
        "seed": 1,
        "audio": True,
        "provider_options": {"a": [None, {}]},
    }
    for inputs in ([], [["first_frame", "https://a/b.png", "b.png"]]):
        code = await run(
            page, "playground/snippets.js", "module.SNIPPETS.python('http://h/', ...given)", [fields, inputs]
        )
        compile(code, "snippet", "exec")
    expression = "module.SNIPPETS.python('http://h/', given, [['images[]', new File(['x'], 'a\"b.png'), 'a\"b.png']])"
    compile(await run(page, "playground/snippets.js", expression, fields), "snippet", "exec")
