"""Prompts cut at their marks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.jimeng.references import (
    Material,
    find_references,
    meta_list,
    plain_prompt,
    possible_references,
    unmatched_references,
)
from providers.media_files import MediaKind

IMAGE, VIDEO, AUDIO = MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO
MIXED = [
    Material(IMAGE, "image_file_1", "dancer1.png"),
    Material(VIDEO, "video_file_1", "moves (2).mp4"),
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
        ("@image01", 0),
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
        ("@image_file", 0),
        ("@video_file", 1),
        ("@audio_file", 3),
        ("@image", 0),
        ("@Video", 1),
        ("@audio", 3),
        ("@图", 0),
        ("@图片", 0),
        ("@视频", 1),
        ("@音频", 3),
        ("@1", 0),
        ("@2", 1),
        ("@4", 3),
        ("@images[1]", 2),
        ("@audio_url", 3),
        ("@dancer1.png", 0),
        ("@Moves (2).MP4", 1),
    ],
)
def test_forms_of_a_reference(tag: str, index: int) -> None:
    assert short(f"a {tag} b", MIXED) == [*without(index), "a ", index, " b"]
    assert short(f"像{tag}，", MIXED) == [*without(index), "像", index, "，"]
    assert unmatched_references(f"a {tag} b", MIXED) == []


@pytest.mark.parametrize(
    "prompt",
    [
        *("", "a cat", "@", "@ image1", "image1", "@someone dances", "by @studio.ghibli"),
        *("@imagery", "@video.com", "me@video.com", "a@b.png", "@图书馆", "@视频号", "@2026", "at 3@5pm"),
    ],
)
def test_other_words_stay_text_after_all_materials(prompt: str) -> None:
    assert short(prompt, MIXED) == [*without(), prompt]
    assert unmatched_references(prompt, MIXED) == []


@pytest.mark.parametrize(
    "tag", ["@image3", "@image_file_12", "@video2", "@image0", "@image100", "@图7", "@5", "@0", "@cat.png", "@舞者.mp4"]
)
def test_reference_to_no_material_is_unmatched(tag: str) -> None:
    assert unmatched_references(f"a {tag} b", MIXED) == [tag]
    assert short(f"a {tag} b", MIXED) == [*without(), f"a {tag} b"]


@pytest.mark.parametrize("tag", ["@image", "@视频", "@1"])
def test_short_words_are_references_only_beside_materials(tag: str) -> None:
    assert unmatched_references(tag, []) == []
    assert unmatched_references("@audio @video", [Material(IMAGE, "image")]) == ["@audio", "@video"]


@pytest.mark.parametrize("tag", ["@image_file_1", "@图1", "@video_file", "@dancer1.png"])
def test_clear_references_without_materials_are_unmatched(tag: str) -> None:
    assert unmatched_references(tag, []) == [tag]


def test_file_name_of_several_materials_is_unmatched() -> None:
    same = [Material(IMAGE, "images[0]", "a.png"), Material(IMAGE, "images[1]", "a.png")]
    assert unmatched_references("@a.png @images[1]", same) == ["@a.png"]


def test_possible_references_name_each_material_once_and_the_files() -> None:
    assert possible_references(MIXED) == (
        *("@image_file_1", "@video_file_1", "@image_file_2", "@audio_file_1", "@dancer1.png", "@moves (2).mp4"),
    )
    third = [Material(IMAGE, "image_file_3"), Material(IMAGE, "images")]
    assert possible_references(third) == ("@image_file_3", "@image_file_2")
    assert possible_references([]) == ()


@given(
    st.lists(
        st.builds(Material, st.sampled_from(MediaKind), st.sampled_from(["image_file_2", "files", "video"])),
        max_size=6,
    )
)
def test_every_possible_reference_names_a_material(given: list[Material]) -> None:
    for tag in possible_references(given):
        assert unmatched_references(tag, given) == []


@pytest.mark.parametrize(
    ("prompt", "materials", "plain"),
    [
        ("@image_file_1 走向镜头", [Material(IMAGE, "file_paths")], "图片 走向镜头"),
        ("let @1 dance", [Material(IMAGE, "image_url")], "let the image dance"),
        ("从@图1变成@图2", [Material(IMAGE, "first_frame"), Material(IMAGE, "last_frame")], "从图片1变成图片2"),
        (
            "@first_frame to @end.png",
            [Material(IMAGE, "first_frame"), Material(IMAGE, "x", "end.png")],
            "image 1 to image 2",
        ),
        ("@someone walks", [Material(IMAGE, "image_url")], "@someone walks"),
    ],
)
def test_plain_prompt_has_words_for_the_frames(prompt: str, materials: list[Material], plain: str) -> None:
    assert plain_prompt(prompt, materials) == plain


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
        ["@", "@image", "@image_file_", "@图", "@视频", "@IMAGE_FILE_", "@audio", "@video_file_", "1", "12", "@a.png"]
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
    tags = iter([one for one in find_references(prompt, given) if one.material is not None])
    spelled = ""
    for meta in metas:
        if meta["meta_type"] == "text":
            spelled += meta["text"]
            continue
        tag = next(tags, None)
        if tag is None or tag.material != meta["material_ref"]["material_idx"] or tag.start != len(spelled):
            return False
        spelled += prompt[tag.start : tag.end]
    return bool(metas) and spelled == prompt and next(tags, None) is None


@given(st.text(max_size=40))
def test_prompt_without_materials_is_one_text(prompt: str) -> None:
    assert meta_list(prompt, []) == [text(prompt)]
