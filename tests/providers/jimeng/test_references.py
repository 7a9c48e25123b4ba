"""Prompts cut at their marks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.jimeng.references import Material, meta_list
from providers.media_files import MediaKind

IMAGE, VIDEO, AUDIO = MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO
MIXED = [
    Material(IMAGE, "image_file_1"),
    Material(VIDEO, "video_file_1"),
    Material(IMAGE, "images[1]"),
    Material(AUDIO, "audio_url"),
]


def text(words: str) -> dict[str, Any]:
    return {"meta_type": "text", "text": words}


def material(kind: str, index: int) -> dict[str, Any]:
    return {"meta_type": kind, "text": "", "material_ref": {"material_idx": index}}


def short(prompt: str, materials: list[Material]) -> list[str | int]:
    """Texts, and the index of each material."""
    metas = meta_list(prompt, materials)
    return [meta["text"] if meta["meta_type"] == "text" else meta["material_ref"]["material_idx"] for meta in metas]


def without(*named: int) -> list[int]:
    """The materials of MIXED that lead, since no mark means them."""
    return [index for index in range(len(MIXED)) if index not in named]


def test_untagged_materials_precede_texts_and_tagged_materials() -> None:
    assert meta_list("让@图1跳舞，像@video_file_1那样", MIXED) == [
        material("image", 2),
        material("audio", 3),
        text("让"),
        material("image", 0),
        text("跳舞，像"),
        material("video", 1),
        text("那样"),
    ]


@pytest.mark.parametrize(
    ("tag", "index"),
    [
        ("@image_file_1", 0),
        ("@IMAGE_FILE_1", 0),
        ("@Image1", 0),
        ("@image2", 2),
        ("@image_file_2", 2),
        ("@图1", 0),
        ("@图片2", 2),
        ("@video1", 1),
        ("@video_file_1", 1),
        ("@视频1", 1),
        ("@audio1", 3),
        ("@audio_file_1", 3),
        ("@音频1", 3),
    ],
)
def test_every_kind_of_tag(tag: str, index: int) -> None:
    assert short(f"a {tag} b", MIXED) == [*without(index), "a ", index, " b"]


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a cat",
        "@image3",
        "@image_file_12",
        "@video2",
        "@image0",
        "@image01",
        "@image100",
        "@image１",
        "@ image1",
        "image1",
        "@图",
        "@",
    ],
)
def test_what_names_no_material_stays_text_behind_all_of_them(prompt: str) -> None:
    assert short(prompt, MIXED) == [*without(), prompt]


def test_whole_number_counts() -> None:
    twelve = [Material(IMAGE, f"image_file_{number}") for number in range(1, 13)]
    assert short("@image_file_1@image_file_12", twelve) == [*range(1, 11), 0, 11]
    assert short("@image_file_1@image_file_12", twelve[:9]) == [*range(1, 9), 0, "@image_file_12"]


def test_field_name_takes_precedence_over_position() -> None:
    third = [Material(IMAGE, "image_file_3"), Material(IMAGE, "image_file_1")]
    assert short("@image_file_3 @image_file_1 @image_file_2 @image1 @图2", third) == [0, " ", 1, " ", 1, " ", 0, " ", 1]


def test_same_material_may_be_named_twice_and_others_not_at_all() -> None:
    assert short("@image2@image2", MIXED) == [*without(2), 2, 2]


materials = st.lists(
    st.builds(
        Material,
        st.sampled_from(MediaKind),
        st.sampled_from(["image_file_1", "image_file_3", "video_file_2", "images[0]", "audio_url", "file_paths"]),
    ),
    max_size=12,
)
pieces = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["@", "@image", "@image_file_", "@图", "@视频", "@IMAGE_FILE_", "@audio", "@video_file_", "1", "12"]
    ),
    st.builds("@{}{}".format, st.sampled_from(["image", "图", "video_file_", "音频"]), st.integers(0, 20)),
)


@given(st.lists(pieces, max_size=12).map("".join), materials)
def test_nothing_of_any_prompt_is_lost(prompt: str, given: list[Material]) -> None:
    metas = meta_list(prompt, given)
    # Materials that no mark means lead, in their order; the rest is the prompt.
    indexes = [meta["material_ref"]["material_idx"] for meta in metas if meta["meta_type"] != "text"]
    assert set(indexes) == set(range(len(given)))
    for leading in range(len(given) + 1):
        if _spells(prompt, metas[leading:], given):
            assert indexes[:leading] == sorted(set(indexes[:leading]) - set(indexes[leading:]))
            return
    raise AssertionError("the prompt is not in its parts")


def _spells(prompt: str, metas: list[dict[str, Any]], given: list[Material]) -> bool:
    """True where the parts are the prompt from its beginning to its end."""
    at = 0
    for meta in metas:
        if meta["meta_type"] == "text":
            if not prompt.startswith(meta["text"], at) or not (meta["text"] or len(metas) == 1):
                return False
            at += len(meta["text"])
        else:
            assert meta["meta_type"] == given[meta["material_ref"]["material_idx"]].kind
            if prompt[at : at + 1] != "@":
                return False
            end = at + 1
            while prompt[end : end + 1] and not prompt[end].isdecimal():
                end += 1
            while prompt[end : end + 1].isdecimal():
                end += 1
            at = end
    return bool(metas) and at == len(prompt)


@given(st.text(max_size=40))
def test_prompt_without_materials_is_one_text(prompt: str) -> None:
    assert meta_list(prompt, []) == [text(prompt)]
