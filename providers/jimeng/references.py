"""A prompt cut at its marks: what stands between them, and which material each of them means. Pure.

A mark is `@`, the name of a kind and a number: `@image_file_1`, `@video_file_1`, `@audio_file_1`, `@图1`, `@视频1`,
`@音频1`, `@image1`, `@video1`, `@audio1`. Numbers count the materials of a kind from 1, in the order of the request.
A mark with a field's name means that very field, where the request has it: whoever fills only `image_file_3` writes
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
_FIELD = "_file_"
_NAMES = "|".join(sorted(map(re.escape, _KINDS), key=len, reverse=True))
# The whole number counts: @image12 is never the mark @image1 with a 2 behind it.
_MARK = re.compile(rf"@({_NAMES})([1-9][0-9]?)(?![0-9])", re.IGNORECASE | re.ASCII)


class Material(NamedTuple):
    """One material in the order of the request. `param` is the field it came from."""

    kind: MediaKind
    param: str


def meta_list(prompt: str, materials: Sequence[Material]) -> list[dict[str, Any]]:
    """The parts of a draft's `meta_list`: materials that the prompt does not name lead, then texts and materials in
    turn, as the prompt names them.

    A mark with a number that no material of its kind has stays text. A prompt that names none is one text, even an
    empty one.

    Witnesses differ on clips without a mark: one capture (mainland, 2026-09-20) leaves their part out, another
    (Dreamina, autumn 2026) and every other client leads with all materials, which is what is done here.
    """
    marks = [
        (mark, index)
        for mark in _MARK.finditer(prompt)
        if (index := _material(mark[1].lower(), int(mark[2]), materials)) is not None
    ]
    named = {index for _, index in marks}
    metas = [_part(index, material) for index, material in enumerate(materials) if index not in named]
    end = 0
    for mark, index in marks:
        if mark.start() > end:
            metas.append(_text(prompt[end : mark.start()]))
        metas.append(_part(index, materials[index]))
        end = mark.end()
    if end < len(prompt) or not marks:
        metas.append(_text(prompt[end:]))
    return metas


def unmatched_marks(prompt: str, materials: Sequence[Material]) -> list[str]:
    """The marks with a field's name, such as `@image_file_7`, that no material answers to: they are no words of a
    prompt, so that somebody has forgotten an input."""
    marks = [mark for mark in _MARK.finditer(prompt) if mark[1].lower().endswith(_FIELD)]
    return [mark[0] for mark in marks if _material(mark[1].lower(), int(mark[2]), materials) is None]


def _material(name: str, number: int, materials: Sequence[Material]) -> int | None:
    """The index of the material that a mark means."""
    kind = _KINDS[name]
    ours = [index for index, material in enumerate(materials) if material.kind is kind]
    if name.endswith(_FIELD):
        for index in ours:
            if materials[index].param == f"{name}{number}":
                return index
    return ours[number - 1] if number <= len(ours) else None


def _part(index: int, material: Material) -> dict[str, Any]:
    return {"meta_type": material.kind.value, "text": "", "material_ref": {"material_idx": index}}


def _text(text: str) -> dict[str, Any]:
    return {"meta_type": "text", "text": text}
