"""A request against a model's card: what was not said is filled in, and every bad field is named at once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.models import OPTIONAL_FIELDS, SOUND_FIELD, ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.sizes import nearest_size, oriented_size, parse_size, read_size, sizes_of

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_FRAMES = (MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME)
_REFERENCES = frozenset({MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO})
_PLACES: dict[MediaKind, tuple[MediaRole, ...]] = {
    MediaKind.IMAGE: (MediaRole.REFERENCE_IMAGE,),
    MediaKind.VIDEO: (MediaRole.VIDEO, MediaRole.FIRST_CLIP, MediaRole.REFERENCE_VIDEO),
    MediaKind.AUDIO: (MediaRole.DRIVING_AUDIO, MediaRole.REFERENCE_AUDIO),
}
"""What media without a role can be besides frames, in the order in which a model's card is asked; the last one is
a reference."""


AS_REFERENCES = LocalizedText(
    "画面帧与参考素材不能同时使用；若要全部作为参考，请加上 functionMode=omni_reference",
    "Frames and references do not go together: to make all of them references, add functionMode=omni_reference",
)


ADDRESS_ONLY = LocalizedText(
    "此模型只接受公网 https 地址，不接受文件和 data: 数据；请改传地址，或改用接受文件的模型",
    "This model takes public https addresses only, no files and no data: URLs: give an address, or use a model that "
    "takes files",
)
SHAPE_OF_INPUT = LocalizedText(
    "视频的宽高比取自输入的图片或视频，请去掉该参数",
    "The video takes its shape from its picture or clip: leave this out",
)
LENGTH_OF_INPUT = LocalizedText(
    "视频的时长与输入视频相同，请去掉该参数",
    "The video is as long as its clip: leave this out",
)
SILENT = LocalizedText(
    "有输入视频时此模型不生成声音，请去掉该参数或设为 false",
    "Beside a clip this model makes no sound: leave this out, or send false",
)
HAN_WEIGHT = LocalizedText(
    "此模型最多 {limit} 个字符，一个汉字按 {weight} 个字符计算",
    "This model takes {limit} characters at most, and a Chinese one counts as {weight}",
)

NO_KNOWN_WAY = LocalizedText(
    "网关不支持此模型的任何生成方式，请改用其他模型",
    "The gateway knows none of the ways in which this model makes videos: use another model",
)

_PICTURE_NEEDED = LocalizedText(
    "请用 image、image_url、input_reference 或 first_frame 传入图片",
    "Send a picture as image, image_url, input_reference or first_frame",
)


def validate(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request with roles assigned, `size` read and the card's defaults filled in.

    Raises ProviderError(INVALID_REQUEST) whose `fields` name every bad field and what the model allows. The card of
    an unknown model checks nothing but how many inputs there are, where it says that: everything else goes on as it
    came, for the upstream to judge.
    """
    request = replace(_place_media(card, _place_sound(card, request)), card=card)
    problems: list[FieldProblem] = []
    if card.open:
        _check_counts(card, request, problems)
        if problems:
            raise ProviderError(ErrorKind.INVALID_REQUEST, fields=problems)
        return request
    _check_addresses(card, request, problems)
    request = _without_granted(card, request)
    request = _read_size(card, request, problems)
    request = _choose(card, request, problems)
    _check_optional_fields(card, request, problems)
    _check_media(card, request, problems)
    _check_texts(card, request, problems)
    if problems:
        raise ProviderError(ErrorKind.INVALID_REQUEST, fields=problems)
    return request


def spell_seconds(seconds: Iterable[int]) -> tuple[str, ...]:
    """Seconds as people write them, runs of three or more joined: (5, 10, 12) → 5, 10, 12; range(4, 16) → 4–15."""
    runs: list[list[int]] = []
    for second in sorted(seconds):
        if runs and second == runs[-1][-1] + 1:
            runs[-1].append(second)
        else:
            runs.append([second])
    spelled: list[str] = []
    for run in runs:
        spelled += [f"{run[0]}–{run[-1]}"] if len(run) > 2 else [str(second) for second in run]
    return tuple(spelled)


def snap_to_nearest(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request with its duration and size moved to the nearest that the model can do.

    For clients of an API whose sizes and lengths are not the model's. What cannot be read as a size stays as it is,
    for `validate` to refuse.
    """
    if card.open:
        return request
    placed = _place_media(card, request)
    pixels = parse_size(request.size) if request.size else None
    if pixels is not None:
        resolution, ratio = nearest_size(card, _ratios(card, placed), *pixels)
        if card.sizes:
            made = card.sizes.get((resolution or "", ratio or ""))
            request = replace(request, size=made or f"{pixels[0]}x{pixels[1]}")
        else:
            resolution, ratio = request.resolution or resolution, request.ratio or ratio
            by_clip = placed.media_in(MediaRole.VIDEO) or placed.media_in(MediaRole.FIRST_CLIP)
            size = None if ratio or by_clip or not resolution else oriented_size(card, resolution, *pixels)
            request = replace(request, size=size, ratio=ratio, resolution=resolution)
        placed = replace(placed, resolution=resolution)
    durations = _durations(card, placed)
    if request.duration is not None and request.duration not in durations:
        seconds = request.duration
        allowed = [allowed for allowed in durations if allowed > 0]
        nearest = min(allowed, key=lambda allowed: (abs(allowed - seconds), -allowed), default=None)
        request = replace(request, duration=nearest)
    return request


def _place_sound(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """A sound goes among the other inputs where the model has no field of its own for it, but takes one so."""
    sound = request.sound
    if sound is None or SOUND_FIELD in card.fields or card.open or not card.roles & set(_PLACES[MediaKind.AUDIO]):
        return request
    return replace(request, media=(*request.media, sound), sound=None)


def _place_media(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """Give unlabelled media their roles: frames in order where the model can work from frames alone, else what its
    card has for them, else references. Beside a clip to edit that goes with no frame, pictures are references."""
    if all(item.role for item in request.media):
        return request
    roles = card.roles
    by_frames = card.open or any(given and given <= set(_FRAMES) for given in card.media_sets)
    if by_frames and _edits(card, request):
        by_frames = any(given & set(_FRAMES) for given in card.media_sets if MediaRole.VIDEO in given)
    free = [role for role in _FRAMES if (card.open or role in roles) and not request.media_in(role)]
    placed: list[Media] = []
    for item in request.media:
        role = item.role
        if role is None and item.kind is MediaKind.IMAGE and by_frames and free and not request.reference_mode:
            role = free.pop(0)
        elif role is None:
            places = _PLACES[item.kind]
            known = [] if request.reference_mode else [place for place in places if place in roles]
            role = (*known, places[-1])[0]
        placed.append(replace(item, role=role))
    return replace(request, media=tuple(placed))


def _edits(card: ModelCard, request: VideoRequest) -> bool:
    """True where a clip of the request is the one to edit."""
    if MediaRole.VIDEO not in card.roles:
        return False
    unlabelled = not request.reference_mode and any(
        item.kind is MediaKind.VIDEO and item.role is None for item in request.media
    )
    return unlabelled or bool(request.media_in(MediaRole.VIDEO))


def _read_size(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> VideoRequest:
    """Turn `size` into ratio and resolution; a size that the model cannot make is a problem."""
    if request.size is None:
        return request
    ratios = _ratios(card, request)
    pixels = parse_size(request.size)
    said = read_size(card, ratios, *pixels) if pixels else None
    if pixels is None or said is None:
        problems.append(FieldProblem("size", FieldReason.NOT_ALLOWED, sizes_of(card, ratios), request.size))
        return replace(request, size=None)
    resolution, ratio = said
    size = card.sizes.get((resolution or "", ratio or ""), f"{pixels[0]}x{pixels[1]}")
    return _agree(request, resolution, ratio, size, problems)


def _agree(
    request: VideoRequest,
    resolution: str | None,
    ratio: str | None,
    size: str,
    problems: list[FieldProblem],
) -> VideoRequest:
    """Take resolution and ratio from the size, unless they were named as well and say something else."""
    for name, said, meant in (("resolution", request.resolution, resolution), ("ratio", request.ratio, ratio)):
        if said is not None and meant is not None and said.lower() != meant.lower():
            problems.append(FieldProblem("size", FieldReason.CONFLICT, (f"{name} = {meant}",), size))
            return request
    return replace(request, resolution=resolution or request.resolution, ratio=ratio or request.ratio, size=size)


def _choose(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> VideoRequest:
    """Check duration, resolution and ratio against the card and fill in its defaults."""
    duration, durations = request.duration, _durations(card, request)
    if duration is None:
        duration = card.duration
        if duration is not None and duration not in durations:
            duration = durations[0] if len(durations) == 1 else None
    elif duration not in durations:
        reason = FieldReason.NOT_ALLOWED if durations else FieldReason.UNSUPPORTED
        hint = LENGTH_OF_INPUT if card.durations and not durations else None
        problems.append(FieldProblem("duration", reason, spell_seconds(durations), str(duration), hint))

    resolution = request.resolution
    if resolution is None:
        resolution = card.resolution
    else:
        resolution = resolution.lower()
        if resolution not in card.resolutions:
            reason = FieldReason.NOT_ALLOWED if card.resolutions else FieldReason.UNSUPPORTED
            problems.append(FieldProblem("resolution", reason, card.resolutions, request.resolution or ""))

    ratio, ratios = request.ratio, _ratios(card, request)
    if ratio in card.input_ratios and not ratios:
        # What happens anyway.
        ratio = None
    if ratio is None:
        ratio = card.ratio if card.ratio in ratios else next(iter(ratios), None) if card.ratio else None
    elif ratio not in ratios:
        reason = FieldReason.NOT_ALLOWED if ratios else FieldReason.UNSUPPORTED
        hint = SHAPE_OF_INPUT if not ratios and request.media else None
        problems.append(FieldProblem("ratio", reason, ratios, ratio, hint))

    size = request.size
    if card.sizes and size is None and resolution and ratio:
        size = card.sizes.get((resolution, ratio))
        if size is None and not any(problem.param in ("resolution", "ratio", "size") for problem in problems):
            made = tuple(shape for tier, shape in card.sizes if tier == resolution)
            problems.append(FieldProblem("ratio", FieldReason.NOT_ALLOWED, made, ratio))
    return replace(request, duration=duration, resolution=resolution, ratio=ratio, size=size)


def _durations(card: ModelCard, request: VideoRequest) -> tuple[int, ...]:
    """The lengths that the model can do with these inputs at this resolution."""
    of_inputs = [durations for role, durations in card.durations_with.items() if request.media_in(role)]
    first, *rest = of_inputs or [card.durations]
    if at := card.durations_at.get((request.resolution or card.resolution or "").lower()):
        rest.append(at)
    return tuple(second for second in first if all(second in durations for durations in rest))


def _ratios(card: ModelCard, request: VideoRequest) -> tuple[str, ...]:
    """The ratios that can be chosen beside these inputs."""
    if any(request.media_in(role) for role in card.shape_from):
        return ()
    return card.ratios if request.media else tuple(ratio for ratio in card.ratios if ratio not in card.input_ratios)


def _check_addresses(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    """Refuse what the upstream cannot fetch, before anything is read, uploaded or charged."""
    for item in (*request.media, *([request.sound] if request.sound else ())):
        if not card.takes_files and not is_public(item):
            problems.append(FieldProblem(item.param, FieldReason.UNSUPPORTED, ("https://…",), hint=ADDRESS_ONLY))


def is_public(item: Media) -> bool:
    """True for an input that is given by an http(s) address."""
    return item.file is None and item.url[:8].lower().startswith(("https://", "http://"))


def _without_granted(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request without the switches that are on anyway."""
    granted = {name: None for name in card.always_on if getattr(request, name) is True}
    return replace(request, **granted) if granted else request  # type: ignore[arg-type]


def _check_optional_fields(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    for name in OPTIONAL_FIELDS:
        value = getattr(request, name)
        if value is not None and name not in card.fields:
            problems.append(FieldProblem(name, FieldReason.UNSUPPORTED, value=str(value)))
    if request.audio and "audio" in card.fields and any(request.media_in(role) for role in card.silent_with):
        problems.append(FieldProblem("audio", FieldReason.CONFLICT, ("audio = false",), "true", SILENT))
    if request.sound is not None and SOUND_FIELD not in card.fields:
        problems.append(FieldProblem(request.sound.param, FieldReason.UNSUPPORTED))
    if request.seed is not None and "seed" in card.fields and request.seed > card.max_seed:
        problems.append(FieldProblem("seed", FieldReason.NOT_ALLOWED, (f"0–{card.max_seed}",), str(request.seed)))


def _check_media(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    """The set of roles must be one of the card's, and no role may be there more often than it takes."""
    given = frozenset(item.role for item in request.media if item.role)
    if given not in card.media_sets:
        strange = [item for item in request.media if item.role not in card.roles]
        beyond = _beyond_the_frames(card, request, strange)
        if beyond:
            frames = len(card.roles & set(_FRAMES))
            problems.append(FieldProblem(beyond[0].param, FieldReason.TOO_MANY, (str(frames),)))
        for item in strange:
            if item in beyond:
                continue
            allowed = tuple(sorted(card.roles))
            problems.append(FieldProblem(item.param, FieldReason.UNSUPPORTED, allowed, hint=card.media_hint))
        if not strange:
            problems.append(_wrong_set(card, request, given))
    _check_counts(card, request, problems)


def _beyond_the_frames(card: ModelCard, request: VideoRequest, strange: list[Media]) -> list[Media]:
    """Pictures without a role, of which there are more than the model has frames for."""
    frames = card.roles & set(_FRAMES)
    if request.reference_mode or not frames or not all(request.media_in(role) for role in frames):
        return []
    return [item for item in strange if item.role is MediaRole.REFERENCE_IMAGE]


def _check_counts(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    if card.media_total is not None and len(request.media) > card.media_total:
        beyond = request.media[card.media_total].param
        problems.append(FieldProblem(beyond, FieldReason.NOT_ALLOWED, (f"≤ {card.media_total}",)))
    references = [item for item in request.media if item.role in _REFERENCES]
    if card.references_total is not None and len(references) > card.references_total:
        beyond = references[card.references_total].param
        problems.append(FieldProblem(beyond, FieldReason.TOO_MANY, (str(card.references_total),)))
    for role in sorted({item.role for item in request.media if item.role}):
        if role in _REFERENCES and card.references_total is not None:
            continue
        if not card.open and role not in card.roles:
            # Refused as such.
            continue
        items = request.media_in(role)
        limit = _limit(card, request, role, len(items))
        if len(items) > limit:
            problems.append(FieldProblem(items[limit].param, FieldReason.NOT_ALLOWED, (f"{role} ≤ {limit}",)))
    for name, role in card.counted_options.items():
        listed, items = _listed_option(request, name), request.media_in(role)
        limit = _limit(card, request, role, 0)
        if listed and listed + len(items) > limit >= len(items):
            what = f"{role} + {name}" if items else name
            reason = FieldReason.NOT_ALLOWED if limit else FieldReason.UNSUPPORTED
            problems.append(FieldProblem(f"provider_options.{name}", reason, (f"{what} ≤ {limit}",) if limit else ()))


def _limit(card: ModelCard, request: VideoRequest, role: MediaRole, otherwise: int) -> int:
    """How many inputs of a role the model takes beside the others; `otherwise` where its card does not say."""
    limit = card.media_limits.get(role, otherwise if card.open or role not in card.roles else 1)
    beside = [
        limits[role] for other, limits in card.media_limits_with.items() if role in limits and request.media_in(other)
    ]
    return min([limit, *beside])


def _option(request: VideoRequest, name: str) -> object:
    """An option of the upstream, wherever among them it stands."""
    inside = request.options.get("input")
    found = inside.get(name) if isinstance(inside, Mapping) else None
    return request.options.get(name) if found is None else found


def _listed_option(request: VideoRequest, name: str) -> int:
    found = _option(request, name)
    return len(found) if isinstance(found, list | tuple) else 0


def _check_texts(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    """The prompt must be there where the model needs one, and no text longer than the model reads: the upstream would
    cut it without a word, and charge."""
    needed = card.words_needed or (card.prompt_needed and not request.media)
    if needed and not request.prompt.strip() and not any(_option(request, n) for n in {"prompt", *card.prompt_options}):
        problems.append(FieldProblem("prompt", FieldReason.MISSING))
    for name, text, limit in (
        ("prompt", request.prompt, card.max_prompt),
        ("negative_prompt", request.negative_prompt or "", card.max_negative_prompt),
    ):
        length = len(text) + (card.han_weight - 1) * len(_HAN.findall(text))
        if limit and length > limit:
            said = {"limit": limit, "weight": card.han_weight}
            hint = LocalizedText(*(words.format(**said) for words in HAN_WEIGHT)) if card.han_weight > 1 else None
            problems.append(FieldProblem(name, FieldReason.TOO_LONG, (str(limit),), str(length), hint))


def _wrong_set(card: ModelCard, request: VideoRequest, given: frozenset[MediaRole]) -> FieldProblem:
    legal = tuple(" + ".join(sorted(roles)) or "text" for roles in card.media_sets)
    larger = [roles for roles in card.media_sets if given < roles]
    if larger:
        absent = sorted(min(larger, key=len) - given)[0]
        hint = _PICTURE_NEEDED if absent is MediaRole.FIRST_FRAME and not given else None
        return FieldProblem(absent, FieldReason.MISSING, legal, hint=hint)
    if not request.media:
        return FieldProblem("model", FieldReason.UNSUPPORTED, legal, card.name, NO_KNOWN_WAY)
    references = MediaRole.REFERENCE_IMAGE in card.roles or MediaRole.REFERENCE_VIDEO in card.roles
    hint = AS_REFERENCES if references and given & set(_FRAMES) and not request.reference_mode else None
    return FieldProblem(request.media[-1].param, FieldReason.CONFLICT, legal, hint=hint)
