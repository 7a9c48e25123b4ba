"""Split a prompt at its reference tags into the parts of a draft's `meta_list`. Pure.

A tag is `@`, the name of a kind and a number: `@image_file_1`, `@video_file_1`, `@audio_file_1`, `@图1`, `@视频1`,
`@音频1`, `@image1`, `@video1`, `@audio1`. Numbers count the materials of a kind from 1, in the order of the request. A
tag with a field's name refers to that field if the request has it: with only `image_file_3` sent, the tag is
`@image_file_3`.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from providers.media_files import MediaKind

_KINDS: dict[str, MediaKind] = {
    "image_file_": MediaKind.IMAGE,
    "video_file_": MediaKind.VIDEO,
    "audio_file_": MediaKind.AUDIO,
    "image": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
    "图片": MediaKind.IMAGE,
    "视频": MediaKind.VIDEO,
    "音频": MediaKind.AUDIO,
    "图": MediaKind.IMAGE,
}
_FIELD_SUFFIX = "_file_"
_NAMES = "|".join(sorted(map(re.escape, _KINDS), key=len, reverse=True))
# The whole number counts: @image12 is never the tag @image1 followed by a 2.
_TAG = re.compile(rf"@({_NAMES})([1-9][0-9]?)(?![0-9])", re.IGNORECASE | re.ASCII)


class Material(NamedTuple):
    """One material in the order of the request. `param` is the field it came from."""

    kind: MediaKind
    param: str


def meta_list(prompt: str, materials: Sequence[Material]) -> list[dict[str, Any]]:
    """The parts of a draft's `meta_list`: first the materials without a tag, then texts and materials in the order of
    the prompt.

    A tag whose number matches no material stays text. A prompt without tags is one text, even an empty one.

    Sources differ on videos without a tag: one capture (mainland, 2026-09-20) omits their part, another (Dreamina,
    autumn 2026) and every other client puts all materials first, as here.
    """
    tags = [
        (tag, index)
        for tag in _TAG.finditer(prompt)
        if (index := _material(tag[1].lower(), int(tag[2]), materials)) is not None
    ]
    tagged = {index for _, index in tags}
    metas = [_part(index, material) for index, material in enumerate(materials) if index not in tagged]
    end = 0
    for tag, index in tags:
        if tag.start() > end:
            metas.append(_text(prompt[end : tag.start()]))
        metas.append(_part(index, materials[index]))
        end = tag.end()
    if end < len(prompt) or not tags:
        metas.append(_text(prompt[end:]))
    return metas


def unmatched_tags(prompt: str, materials: Sequence[Material]) -> list[str]:
    """Tags with a field's name, such as `@image_file_7`, that match no material. They are never plain text, so an
    input is missing."""
    tags = [tag for tag in _TAG.finditer(prompt) if tag[1].lower().endswith(_FIELD_SUFFIX)]
    return [tag[0] for tag in tags if _material(tag[1].lower(), int(tag[2]), materials) is None]


def _material(name: str, number: int, materials: Sequence[Material]) -> int | None:
    """The index of the material that a tag refers to."""
    kind = _KINDS[name]
    same_kind = [index for index, material in enumerate(materials) if material.kind is kind]
    if name.endswith(_FIELD_SUFFIX):
        for index in same_kind:
            if materials[index].param == f"{name}{number}":
                return index
    return same_kind[number - 1] if number <= len(same_kind) else None


def _part(index: int, material: Material) -> dict[str, Any]:
    return {"meta_type": material.kind.value, "text": "", "material_ref": {"material_idx": index}}


def _text(text: str) -> dict[str, Any]:
    return {"meta_type": "text", "text": text}
