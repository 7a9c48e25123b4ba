"""A request against a model's card: what was not said is filled in, and every bad field is named at once."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace

from providers.contract import (
    OPTIONAL_FIELDS,
    SOUND_FIELD,
    ErrorKind,
    FieldProblem,
    FieldReason,
    Media,
    MediaRole,
    ModelCard,
    ProviderError,
    VideoRequest,
    Words,
)
from providers.files import MediaKind

_SIZE = re.compile(r"(\d{2,5})\s*[xX*×]\s*(\d{2,5})")

_FRAMES = (MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME)
_REFERENCES = frozenset({MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO})
_PLACES: dict[MediaKind, tuple[MediaRole, ...]] = {
    MediaKind.IMAGE: (MediaRole.REFERENCE_IMAGE,),
    MediaKind.VIDEO: (MediaRole.VIDEO, MediaRole.FIRST_CLIP, MediaRole.REFERENCE_VIDEO),
    MediaKind.AUDIO: (MediaRole.DRIVING_AUDIO, MediaRole.REFERENCE_AUDIO),
}
"""What media without a role can be besides frames, in the order in which a model's card is asked; the last one is
a reference."""


AS_REFERENCES = Words(
    "画面帧与参考素材不能同时使用；若要全部作为参考，请加上 functionMode=omni_reference",
    "Frames and references do not go together: to make all of them references, add functionMode=omni_reference",
)


_PICTURE_NEEDED = Words(
    "请用 image、image_url、input_reference 或 first_frame 传入图片",
    "Send a picture as image, image_url, input_reference or first_frame",
)


def settle(card: ModelCard, request: VideoRequest) -> VideoRequest:
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
    request = _read_size(card, request, problems)
    request = _choose(card, request, problems)
    _check_optional_fields(card, request, problems)
    _check_media(card, request, problems)
    if card.prompt_needed and not request.prompt.strip() and not request.media:
        problems.append(FieldProblem("prompt", FieldReason.MISSING))
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


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels of "1280x720" or "1280*720"; None when it is neither."""
    match = _SIZE.fullmatch(text.strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    return (width, height) if width and height else None


def nominal_size(resolution: str | None, ratio: str | None) -> str:
    """ "WIDTHxHEIGHT" of a resolution and a ratio, for models that do not speak of pixels: 720p and 16:9 unless said.

    >>> nominal_size("1080p", "9:16")
    '1080x1920'
    """
    tier = re.fullmatch(r"(\d{3,4})p", resolution or "")
    short = int(tier[1]) if tier else 720
    shape = re.fullmatch(r"(\d{1,3}):(\d{1,3})", ratio or "")
    across, down = (int(shape[1]) or 1, int(shape[2]) or 1) if shape else (16, 9)
    long = round(short * max(across, down) / min(across, down) / 2) * 2
    return f"{long}x{short}" if across >= down else f"{short}x{long}"


def approach(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request with its duration and size moved to the nearest that the model can do.

    For clients of an API whose sizes and lengths are not the model's. What cannot be read as a size stays as it is,
    for `settle` to refuse.
    """
    if card.open:
        return request
    if request.duration is not None:
        seconds = request.duration
        allowed = [allowed for allowed in _durations(card, _place_media(card, request)) if allowed > 0]
        nearest = min(allowed, key=lambda allowed: (abs(allowed - seconds), -allowed), default=None)
        request = replace(request, duration=nearest)
    pixels = parse_size(request.size) if request.size else None
    if pixels is None:
        return request
    shape = math.log(pixels[0] / pixels[1])
    short = min(pixels)
    if card.sizes:
        made = {size: parse_size(size) or pixels for size in card.sizes.values()}
        size = min(made, key=lambda name: (_away(shape, made[name]), abs(min(made[name]) - short)))
        return replace(request, size=size)
    ratios = {ratio: tuple(map(int, ratio.split(":"))) for ratio in card.ratios if ":" in ratio}
    ratio = min(ratios, key=lambda name: _away(shape, ratios[name]), default=None)
    tiers = {tier: int(tier[:-1]) for tier in card.resolutions if tier[:-1].isdigit() and tier.endswith("p")}
    resolution = min(tiers, key=lambda name: abs(tiers[name] - short), default=None)
    return replace(request, size=None, ratio=request.ratio or ratio, resolution=request.resolution or resolution)


def _away(shape: float, pixels: tuple[int, ...]) -> float:
    return round(abs(math.log(pixels[0] / pixels[1]) - shape), 3)


def _place_sound(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """A sound goes among the other inputs where the model has no field of its own for it, but takes one so."""
    sound = request.sound
    if sound is None or SOUND_FIELD in card.fields or card.open or not card.roles & set(_PLACES[MediaKind.AUDIO]):
        return request
    return replace(request, media=(*request.media, sound), sound=None)


def _place_media(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """Give unlabelled media their roles: frames in order where the model can work from frames alone, else what its
    card has for them, else references."""
    if all(item.role for item in request.media):
        return request
    roles = card.roles
    by_frames = card.open or any(given and given <= set(_FRAMES) for given in card.media_sets)
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


def _read_size(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> VideoRequest:
    """Turn `size` into ratio and resolution; a size that the model cannot make is a problem."""
    if request.size is None:
        return request
    allowed = tuple(dict.fromkeys(card.sizes.values())) or _nominal_sizes(card)
    pixels = parse_size(request.size)
    if pixels is None:
        problems.append(FieldProblem("size", FieldReason.NOT_ALLOWED, allowed, request.size))
        return replace(request, size=None)
    width, height = pixels
    size = f"{width}x{height}"
    if card.sizes:
        for (resolution, ratio), made in card.sizes.items():
            if made == size:
                return _agree(request, resolution, ratio, size, problems)
        problems.append(FieldProblem("size", FieldReason.NOT_ALLOWED, allowed, request.size))
        return replace(request, size=None)
    shape = next((shape for shape in card.ratios if _is_shape(shape, width, height)), None)
    resolution = f"{min(width, height)}p"
    if card.ratios and shape is None:
        problems.append(FieldProblem("size", FieldReason.NOT_ALLOWED, allowed, request.size))
        return replace(request, size=None)
    if card.resolutions and resolution not in card.resolutions:
        problems.append(FieldProblem("size", FieldReason.NOT_ALLOWED, allowed, request.size))
        return replace(request, size=None)
    return _agree(request, resolution if card.resolutions else None, shape, size, problems)


def _nominal_sizes(card: ModelCard) -> tuple[str, ...]:
    """Sizes that say each of a card's resolutions and ratios, for models that do not speak of pixels."""
    tiers, ratios = card.resolutions or (None,), card.ratios or (None,)
    return tuple(dict.fromkeys(nominal_size(tier, ratio) for tier in tiers for ratio in ratios))


def _is_shape(ratio: str, width: int, height: int) -> bool:
    """True for pixels of a ratio, reduced or not: 1680x720 is 21:9 as well as 7:3."""
    across, _, down = ratio.partition(":")
    return across.isdigit() and down.isdigit() and int(across) * height == int(down) * width


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
    duration = request.duration
    if duration is None:
        duration = card.duration
    elif duration not in (durations := _durations(card, request)):
        reason = FieldReason.NOT_ALLOWED if durations else FieldReason.UNSUPPORTED
        problems.append(FieldProblem("duration", reason, spell_seconds(durations), str(duration)))

    resolution = request.resolution
    if resolution is None:
        resolution = card.resolution
    else:
        resolution = resolution.lower()
        if resolution not in card.resolutions:
            reason = FieldReason.NOT_ALLOWED if card.resolutions else FieldReason.UNSUPPORTED
            problems.append(FieldProblem("resolution", reason, card.resolutions, request.resolution or ""))

    ratio = request.ratio
    if ratio is None:
        ratio = card.ratio
    elif ratio not in card.ratios:
        reason = FieldReason.NOT_ALLOWED if card.ratios else FieldReason.UNSUPPORTED
        problems.append(FieldProblem("ratio", reason, card.ratios, ratio))

    size = request.size
    if card.sizes and size is None and resolution and ratio:
        size = card.sizes.get((resolution, ratio))
        if size is None and not any(problem.param in ("resolution", "ratio", "size") for problem in problems):
            made = tuple(shape for tier, shape in card.sizes if tier == resolution)
            problems.append(FieldProblem("ratio", FieldReason.NOT_ALLOWED, made, ratio))
    return replace(request, duration=duration, resolution=resolution, ratio=ratio, size=size)


def _durations(card: ModelCard, request: VideoRequest) -> tuple[int, ...]:
    """The lengths that the model can do with these inputs."""
    narrower = [durations for role, durations in card.durations_with.items() if request.media_in(role)]
    return tuple(second for second in card.durations if all(second in durations for durations in narrower))


def _check_optional_fields(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    for name in OPTIONAL_FIELDS:
        value = getattr(request, name)
        if value is not None and name not in card.fields:
            problems.append(FieldProblem(name, FieldReason.UNSUPPORTED, value=str(value)))
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
        items = request.media_in(role)
        limit = card.media_limits.get(role, len(items) if card.open or role not in card.roles else 1)
        if len(items) > limit:
            problems.append(FieldProblem(items[limit].param, FieldReason.NOT_ALLOWED, (f"{role} ≤ {limit}",)))


def _wrong_set(card: ModelCard, request: VideoRequest, given: frozenset[MediaRole]) -> FieldProblem:
    legal = tuple(" + ".join(sorted(roles)) or "text" for roles in card.media_sets)
    larger = [roles for roles in card.media_sets if given < roles]
    if larger:
        absent = sorted(min(larger, key=len) - given)[0]
        hint = _PICTURE_NEEDED if absent is MediaRole.FIRST_FRAME and not given else None
        return FieldProblem(absent, FieldReason.MISSING, legal, hint=hint)
    references = MediaRole.REFERENCE_IMAGE in card.roles or MediaRole.REFERENCE_VIDEO in card.roles
    hint = AS_REFERENCES if references and given & set(_FRAMES) and not request.reference_mode else None
    return FieldProblem(request.media[-1].param, FieldReason.CONFLICT, legal, hint=hint)
