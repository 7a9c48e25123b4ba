"""Find the references of a prompt to its inputs, and split the prompt at them. Pure.

A reference is an @ and one of:

- the name of a kind and a number: `@image_file_1`, `@video1`, `@图1`, `@视频1`, `@音频1`; numbers count the inputs of
  the kind from 1, in the order of the request, unless an input came under a field of exactly that name;
- the name of a kind alone: the first input of the kind;
- a number alone: `@1` is the first input of all;
- the file name of an input, `@dancer1.png`, or the name of the field that it came under.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from providers.media_files import MediaKind

_KINDS: dict[str, MediaKind] = {
    "image_file": MediaKind.IMAGE,
    "video_file": MediaKind.VIDEO,
    "audio_file": MediaKind.AUDIO,
    "image": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
    "图片": MediaKind.IMAGE,
    "视频": MediaKind.VIDEO,
    "音频": MediaKind.AUDIO,
    "图": MediaKind.IMAGE,
}
_FIELD_SUFFIX = "_file"
_NAMES = "|".join(sorted(map(re.escape, _KINDS), key=len, reverse=True))
# The whole number counts: @image12 is never the reference @image1 followed by a 2.
_NUMBERED = re.compile(rf"@(?P<kind>{_NAMES})_?(?P<number>[0-9]{{1,3}})(?![0-9])", re.IGNORECASE)
# Not the beginning of a longer word or of an address: @imagery, @图书馆, @视频号, me@video.com.
_BARE = re.compile(
    rf"@(?P<kind>{_NAMES})(?![A-Za-z0-9_]|[.-][A-Za-z0-9]|(?<=@图)[片书像标案腾表形纸层库集文灵]|(?<=频)[号网站会])",
    re.IGNORECASE,
)
_PLACE = re.compile(r"@(?P<number>[0-9]{1,2})(?![A-Za-z0-9_]|[.:][0-9])")
_FILE_NAME = re.compile(
    r"@[\w.-]{1,80}?\.(?:png|jpe?g|webp|bmp|gif|tiff?|hei[cf]|mp4|mov|m4v|webm|avi|mkv|wav|mp3|m4a|aac|flac|ogg)"
    r"(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"[A-Za-z0-9._%+-]")
_WORD_AFTER = re.compile(r"[A-Za-z0-9_\[]|[.-][A-Za-z0-9]")
_HAN = re.compile(r"[\u4e00-\u9fff]")

_NAMED_ALONE: dict[MediaKind, tuple[str, str]] = {
    MediaKind.IMAGE: ("图片", "the image"),
    MediaKind.VIDEO: ("视频", "the video"),
    MediaKind.AUDIO: ("音频", "the audio"),
}


class Material(NamedTuple):
    """One input in the order of the request. `param` is the field it came from, `name` its file name or ""."""

    kind: MediaKind
    param: str
    name: str = ""


class Reference(NamedTuple):
    """A reference from `start` to `end` of a prompt, and the place of its material from 0; None where it names none."""

    start: int
    end: int
    material: int | None


def find_references(prompt: str, materials: Sequence[Material]) -> list[Reference]:
    """The references of a prompt, in its order.

    Those to no material are found where their form is clear: a kind with a number or as a field's name, a file name,
    and beside any material also a kind or a number alone. `@someone` is text.
    """
    found: list[Reference] = []
    names = _names(materials)
    at = prompt.find("@")
    while at >= 0:
        reference = _reference(prompt, at, found[-1].end if found else 0, materials, names)
        if reference is not None:
            found.append(reference)
        at = prompt.find("@", reference.end if reference is not None else at + 1)
    return found


def meta_list(prompt: str, materials: Sequence[Material]) -> list[dict[str, Any]]:
    """The parts of a draft's `meta_list`: first the materials without a reference, then texts and materials in the
    order of the prompt.

    A reference to no material stays text. A prompt without references is one text, even an empty one.

    Sources differ on videos without a reference: one capture (mainland, 2026-09-20) omits their part, another
    (Dreamina, autumn 2026) and every other client puts all materials first, as here.
    """
    references = [(one, one.material) for one in find_references(prompt, materials) if one.material is not None]
    referenced = {index for _, index in references}
    metas = [_part(index, material) for index, material in enumerate(materials) if index not in referenced]
    end = 0
    for reference, index in references:
        if reference.start > end:
            metas.append(_text(prompt[end : reference.start]))
        metas.append(_part(index, materials[index]))
        end = reference.end
    if end < len(prompt) or not references:
        metas.append(_text(prompt[end:]))
    return metas


def plain_prompt(prompt: str, materials: Sequence[Material]) -> str:
    """The prompt of a draft that cannot refer to its materials, such as one with frames: each reference becomes the
    word for its material, `图片` or `the image`, with its number among several of the kind."""
    chinese = _HAN.search(prompt) is not None
    pieces, end = [], 0
    for reference in find_references(prompt, materials):
        if reference.material is not None:
            pieces += [prompt[end : reference.start], _word(reference.material, materials, chinese)]
            end = reference.end
    return "".join((*pieces, prompt[end:]))


def unmatched_references(prompt: str, materials: Sequence[Material]) -> list[str]:
    """References that name no material: an input is missing, or its name is wrong."""
    return [prompt[one.start : one.end] for one in find_references(prompt, materials) if one.material is None]


def possible_references(materials: Sequence[Material]) -> tuple[str, ...]:
    """A reference to each material by its kind, then those by the file names that clients gave."""
    found: list[str] = []
    for index, material in enumerate(materials):
        number = 1 + sum(other.kind is material.kind for other in materials[:index])
        own = [f"@{material.param}"] if f"{_FIELD_SUFFIX}_" in material.param else []
        # A field may have the name of another one's place.
        by_place = (f"@{material.kind}{_FIELD_SUFFIX}_{number}", f"@{material.kind}{number}")
        found += next(([tag] for tag in (*own, *by_place) if _names_only(tag, index, materials)), [])
    names = [(f"@{material.name}", index) for index, material in enumerate(materials) if material.name]
    return tuple(dict.fromkeys((*found, *(tag for tag, index in names if _names_only(tag, index, materials)))))


def _names_only(tag: str, index: int, materials: Sequence[Material]) -> bool:
    """True for a text that is one reference, to this material."""
    return find_references(tag, materials) == [Reference(0, len(tag), index)]


def _reference(
    prompt: str, at: int, last_end: int, materials: Sequence[Material], names: Sequence[tuple[str, int | None]]
) -> Reference | None:
    """The reference that begins at the @ at `at`; None for text."""
    in_word = at > last_end and _WORD_BEFORE.match(prompt[at - 1]) is not None
    rest = prompt[at + 1 :].lower() if names else ""
    for name, index in names:
        if rest.startswith(name) and not _WORD_AFTER.match(rest[len(name) :]):
            return Reference(at, at + 1 + len(name), index)
    if not in_word and (match := _FILE_NAME.match(prompt, at)):
        return Reference(at, match.end(), None)
    if match := _NUMBERED.match(prompt, at):
        return Reference(at, match.end(), _of_kind(match["kind"], int(match["number"]), materials))
    if in_word:
        return None
    if match := _BARE.match(prompt, at):
        index = _of_kind(match["kind"], 1, materials)
        clear = index is not None or bool(materials) or match["kind"].lower().endswith(_FIELD_SUFFIX)
        return Reference(at, match.end(), index) if clear else None
    if materials and (match := _PLACE.match(prompt, at)):
        place = int(match["number"])
        return Reference(at, match.end(), place - 1 if 0 < place <= len(materials) else None)
    return None


def _names(materials: Sequence[Material]) -> list[tuple[str, int | None]]:
    """The file names and fields of the materials in lower case, the longest first; the index is None for a file name
    that several have. A field of several is no name."""
    found = _unique(materials, lambda material: material.param, shared=False)
    found |= _unique(materials, lambda material: material.name, shared=True)
    return sorted(found.items(), key=lambda item: len(item[0]), reverse=True)


def _unique(
    materials: Sequence[Material], name_of: Callable[[Material], str], *, shared: bool
) -> dict[str, int | None]:
    indexes: dict[str, list[int]] = {}
    for index, material in enumerate(materials):
        if name := name_of(material).lower():
            indexes.setdefault(name, []).append(index)
    return {name: some[0] if len(some) == 1 else None for name, some in indexes.items() if shared or len(some) == 1}


def _of_kind(name: str, number: int, materials: Sequence[Material]) -> int | None:
    """The index of the material that a kind and a number name."""
    kind = _KINDS[name.lower()]
    same_kind = [index for index, material in enumerate(materials) if material.kind is kind]
    return same_kind[number - 1] if 0 < number <= len(same_kind) else None


def _word(index: int, materials: Sequence[Material], chinese: bool) -> str:
    kind = materials[index].kind
    same_kind = [other for other, material in enumerate(materials) if material.kind is kind]
    alone_zh, alone_en = _NAMED_ALONE[kind]
    if len(same_kind) == 1:
        return alone_zh if chinese else alone_en
    number = same_kind.index(index) + 1
    return f"{alone_zh}{number}" if chinese else f"{kind} {number}"


def _part(index: int, material: Material) -> dict[str, Any]:
    return {"meta_type": material.kind.value, "text": "", "material_ref": {"material_idx": index}}


def _text(text: str) -> dict[str, Any]:
    return {"meta_type": "text", "text": text}
