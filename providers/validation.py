"""Validate a request against a model card: fill in defaults, report every invalid field at once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.models import OPTIONAL_FIELDS, SOUND_FIELD, ModelCard
from providers.contract.requests import FieldWarning, Media, VideoRequest
from providers.media_roles import FRAMES, assign_roles, place_sound
from providers.sizes import nearest_size, oriented_size, parse_size, read_size, sizes_of

AUTO = "auto"
"""A ratio that leaves the choice to the model, where the model has no such ratio of its own."""

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_REFERENCES = frozenset({MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO})

AS_REFERENCES = LocalizedText(
    "画面帧与参考素材不能同时使用；若要全部作为参考，请加上 functionMode=omni_reference",
    "Frames and references cannot be combined: to use all of them as references, add functionMode=omni_reference",
)
URLS_ONLY = LocalizedText(
    "此模型只接受公网 https 地址，不接受文件和 data: 数据；请改传地址，或改用接受文件的模型",
    "This model takes public https URLs only, no files and no data: URLs: give such a URL, or use a model that takes "
    "files",
)
RATIO_FROM_INPUT = LocalizedText(
    "视频的宽高比取自输入的图片或视频，请去掉该参数",
    "The video takes its aspect ratio from the input image or video: omit this parameter",
)
DURATION_FROM_INPUT = LocalizedText(
    "视频的时长与输入视频相同，请去掉该参数",
    "The video is as long as the input video: omit this parameter",
)
NO_AUDIO_WITH_VIDEO = LocalizedText(
    "有输入视频时此模型不生成声音，请去掉该参数或设为 false",
    "With an input video this model generates no sound: omit this parameter or send false",
)
HAN_WEIGHTED_LIMIT = LocalizedText(
    "此模型最多 {limit} 个字符，一个汉字按 {weight} 个字符计算",
    "This model takes at most {limit} characters; a Chinese character counts as {weight}",
)

NO_SUPPORTED_MODE = LocalizedText(
    "网关不支持此模型的任何生成方式，请改用其他模型",
    "The gateway supports none of the generation modes of this model: use another model",
)

_IMAGE_MISSING = LocalizedText(
    "请用 image、image_url、input_reference 或 first_frame 传入图片",
    "Send an image as image, image_url, input_reference or first_frame",
)


def validate(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request with roles assigned, `size` resolved and the card's defaults filled in.

    Raises ProviderError(INVALID_REQUEST) whose `fields` name every invalid field and what the model allows. For an
    unlisted model only the number of inputs is checked, if its card limits it: the upstream validates the rest.
    """
    request = replace(assign_roles(card, place_sound(card, request)), card=card)
    problems: list[FieldProblem] = []
    if card.unlisted:
        _check_counts(card, request, problems)
        if problems:
            raise ProviderError(ErrorKind.INVALID_REQUEST, fields=problems)
        return request
    _check_addresses(card, request, problems)
    request = _drop_granted(card, request)
    request = _take_only_resolution(card, request)
    request = _resolve_size(card, request, problems)
    request = _apply_defaults(card, request, problems)
    _check_optional_fields(card, request, problems)
    _check_media(card, request, problems)
    _check_texts(card, request, problems)
    if problems:
        raise ProviderError(ErrorKind.INVALID_REQUEST, fields=problems)
    return request


def text_length(text: str, han_weight: int = 1) -> int:
    """Characters of a text, in which a Chinese one counts as `han_weight`."""
    return len(text) + (han_weight - 1) * len(_HAN.findall(text)) if han_weight > 1 else len(text)


def format_seconds(seconds: Iterable[int]) -> tuple[str, ...]:
    """Seconds as text, runs of three or more joined: (5, 10, 12) → 5, 10, 12; range(4, 16) → 4–15."""
    runs: list[list[int]] = []
    for second in sorted(seconds):
        if runs and second == runs[-1][-1] + 1:
            runs[-1].append(second)
        else:
            runs.append([second])
    texts: list[str] = []
    for run in runs:
        texts += [f"{run[0]}–{run[-1]}"] if len(run) > 2 else [str(second) for second in run]
    return tuple(texts)


def snap_to_nearest(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request with duration and size snapped to the nearest that the model supports.

    For clients of an API with fixed sizes and durations. An unreadable size is left for `validate` to reject.
    """
    if card.unlisted:
        return request
    placed = assign_roles(card, request)
    pixels = parse_size(request.size) if request.size else None
    if pixels is not None:
        resolution, ratio = nearest_size(card, _ratios(card, placed), *pixels)
        if card.sizes:
            nearest_pixels = card.sizes.get((resolution or "", ratio or ""))
            request = replace(request, size=nearest_pixels or f"{pixels[0]}x{pixels[1]}")
        else:
            resolution, ratio = request.resolution or resolution, request.ratio or ratio
            ratio_from_video = placed.media_in(MediaRole.VIDEO) or placed.media_in(MediaRole.FIRST_CLIP)
            size = None if ratio or ratio_from_video or not resolution else oriented_size(card, resolution, *pixels)
            request = replace(request, size=size, ratio=ratio, resolution=resolution)
        placed = replace(placed, resolution=resolution)
    durations = _durations(card, placed)
    if request.duration is not None and request.duration not in durations:
        seconds = request.duration
        allowed = [allowed for allowed in durations if allowed > 0]
        nearest = min(allowed, key=lambda allowed: (abs(allowed - seconds), -allowed), default=None)
        request = replace(request, duration=nearest)
    return request


def _resolve_size(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> VideoRequest:
    """Resolve `size` to ratio and resolution; a size that the model does not support is a problem."""
    if request.size is None:
        return request
    ratios = _ratios(card, request)
    pixels = parse_size(request.size)
    choice = read_size(card, ratios, *pixels) if pixels else None
    if pixels is None or choice is None:
        problems.append(FieldProblem("size", FieldReason.NOT_ALLOWED, sizes_of(card, ratios), request.size))
        return replace(request, size=None)
    resolution, ratio = choice
    size = card.sizes.get((resolution or "", ratio or ""), f"{pixels[0]}x{pixels[1]}")
    return _apply_size(request, resolution, ratio, size, problems)


def _apply_size(
    request: VideoRequest,
    resolution: str | None,
    ratio: str | None,
    size: str,
    problems: list[FieldProblem],
) -> VideoRequest:
    """Set resolution and ratio from the size; a different value given for one of them is a conflict."""
    for name, given, derived in (("resolution", request.resolution, resolution), ("ratio", request.ratio, ratio)):
        if given is not None and derived is not None and given.lower() != derived.lower():
            problems.append(FieldProblem("size", FieldReason.CONFLICT, (f"{name} = {derived}",), size))
            return request
    return replace(request, resolution=resolution or request.resolution, ratio=ratio or request.ratio, size=size)


def _take_only_resolution(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request with the only resolution that the model has, and a warning where another one was asked for: clients
    of some families send 720p with every model. A model with a choice rejects what it does not have."""
    asked, only = request.resolution, next(iter(card.resolutions), card.resolution)
    if asked is None or len(card.resolutions) > 1 or asked.lower() == only:
        return request
    warning = (
        FieldWarning("adjusted_value", "resolution", only) if only else FieldWarning("ignored_field", "resolution")
    )
    return replace(request, resolution=only, warnings=(*request.warnings, warning))


def _apply_defaults(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> VideoRequest:
    """Check duration, resolution and ratio against the card and fill in its defaults."""
    duration, durations = request.duration, _durations(card, request)
    if duration is None:
        duration = card.duration
        if duration is not None and duration not in durations:
            duration = durations[0] if len(durations) == 1 else None
    elif duration not in durations:
        reason = FieldReason.NOT_ALLOWED if durations else FieldReason.UNSUPPORTED
        hint = DURATION_FROM_INPUT if card.durations and not durations else None
        problems.append(FieldProblem("duration", reason, format_seconds(durations), str(duration), hint))

    resolution = request.resolution
    if resolution is None:
        resolution = card.resolution
    else:
        resolution = resolution.lower()
        if resolution not in card.resolutions:
            reason = FieldReason.NOT_ALLOWED if card.resolutions else FieldReason.UNSUPPORTED
            problems.append(FieldProblem("resolution", reason, card.resolutions, request.resolution or ""))

    ratio, ratios = request.ratio, _ratios(card, request)
    if ratio == AUTO and ratio not in card.ratios:
        ratio = None
    if ratio in card.input_ratios and not ratios:
        # The model's behaviour without a ratio.
        ratio = None
    if ratio is None:
        ratio = card.ratio if card.ratio in ratios else next(iter(ratios), None) if card.ratio else None
    elif ratio not in ratios:
        reason = FieldReason.NOT_ALLOWED if ratios else FieldReason.UNSUPPORTED
        hint = RATIO_FROM_INPUT if not ratios and request.media else None
        problems.append(FieldProblem("ratio", reason, ratios, ratio, hint))

    size = request.size
    if card.sizes and size is None and resolution and ratio:
        size = card.sizes.get((resolution, ratio))
        if size is None and not any(problem.param in ("resolution", "ratio", "size") for problem in problems):
            supported = tuple(shape for tier, shape in card.sizes if tier == resolution)
            problems.append(FieldProblem("ratio", FieldReason.NOT_ALLOWED, supported, ratio))
    return replace(request, duration=duration, resolution=resolution, ratio=ratio, size=size)


def _durations(card: ModelCard, request: VideoRequest) -> tuple[int, ...]:
    """The durations, in seconds, that the model supports with these inputs at this resolution."""
    by_input = [durations for role, durations in card.durations_with.items() if request.media_in(role)]
    first, *rest = by_input or [card.durations]
    if at := card.durations_at.get((request.resolution or card.resolution or "").lower()):
        rest.append(at)
    return tuple(second for second in first if all(second in durations for durations in rest))


def _ratios(card: ModelCard, request: VideoRequest) -> tuple[str, ...]:
    """The ratios that the model supports with these inputs."""
    if any(request.media_in(role) for role in card.shape_from):
        return ()
    return card.ratios if request.media else tuple(ratio for ratio in card.ratios if ratio not in card.input_ratios)


def _check_addresses(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    """Report inputs that the upstream cannot fetch, before anything is read, uploaded or charged."""
    for item in (*request.media, *([request.sound] if request.sound else ())):
        if not card.takes_files and not is_public(item):
            problems.append(FieldProblem(item.param, FieldReason.UNSUPPORTED, ("https://…",), hint=URLS_ONLY))


def is_public(item: Media) -> bool:
    """True for an input given as an http(s) URL."""
    return item.file is None and item.url[:8].lower().startswith(("https://", "http://"))


def _drop_granted(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The request without the switches that the model cannot set and that ask for what it does anyway."""
    granted: dict[str, None] = {name: None for name in card.always_on if getattr(request, name) is True}
    granted |= {name: None for name in card.always_off if getattr(request, name) is False}
    return replace(request, **granted) if granted else request  # type: ignore[arg-type]


def _check_optional_fields(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    for name in OPTIONAL_FIELDS:
        value = getattr(request, name)
        if value is not None and name not in card.fields:
            problems.append(FieldProblem(name, FieldReason.UNSUPPORTED, value=str(value)))
    if request.audio and "audio" in card.fields and any(request.media_in(role) for role in card.silent_with):
        problems.append(FieldProblem("audio", FieldReason.CONFLICT, ("audio = false",), "true", NO_AUDIO_WITH_VIDEO))
    if request.sound is not None and SOUND_FIELD not in card.fields:
        problems.append(FieldProblem(request.sound.param, FieldReason.UNSUPPORTED))
    if request.seed is not None and "seed" in card.fields and request.seed > card.max_seed:
        problems.append(FieldProblem("seed", FieldReason.NOT_ALLOWED, (f"0–{card.max_seed}",), str(request.seed)))


def _check_media(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    """Check the set of roles against the card's sets, and the number of inputs against its limits."""
    given = frozenset(item.role for item in request.media if item.role)
    if given not in card.media_sets:
        unsupported = [item for item in request.media if item.role not in card.roles]
        excess = _excess_frames(card, request, unsupported)
        if excess:
            frames = len(card.roles & set(FRAMES))
            problems.append(FieldProblem(excess[0].param, FieldReason.TOO_MANY, (str(frames),)))
        for item in unsupported:
            if item in excess:
                continue
            allowed = tuple(sorted(card.roles))
            problems.append(FieldProblem(item.param, FieldReason.UNSUPPORTED, allowed, hint=card.media_hint))
        if not unsupported:
            problems.append(_media_set_problem(card, request, given))
    _check_counts(card, request, problems)


def _excess_frames(card: ModelCard, request: VideoRequest, unsupported: list[Media]) -> list[Media]:
    """Unlabelled images beyond the model's frames."""
    frames = card.roles & set(FRAMES)
    if request.reference_mode or not frames or not all(request.media_in(role) for role in frames):
        return []
    return [item for item in unsupported if item.role is MediaRole.REFERENCE_IMAGE]


def _check_counts(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    if card.media_total is not None and len(request.media) > card.media_total:
        excess = request.media[card.media_total].param
        problems.append(FieldProblem(excess, FieldReason.NOT_ALLOWED, (f"≤ {card.media_total}",)))
    references = [item for item in request.media if item.role in _REFERENCES]
    if card.references_total is not None and len(references) > card.references_total:
        excess = references[card.references_total].param
        problems.append(FieldProblem(excess, FieldReason.TOO_MANY, (str(card.references_total),)))
    for role in sorted({item.role for item in request.media if item.role}):
        if role in _REFERENCES and card.references_total is not None:
            continue
        if not card.unlisted and role not in card.roles:
            # Reported as unsupported.
            continue
        items = request.media_in(role)
        limit = _limit(card, request, role, len(items))
        if len(items) > limit:
            problems.append(FieldProblem(items[limit].param, FieldReason.NOT_ALLOWED, (f"{role} ≤ {limit}",)))
    for name, role in card.counted_options.items():
        listed, items = _listed_option(request, name), request.media_in(role)
        limit = _limit(card, request, role, 0)
        if listed and listed + len(items) > limit >= len(items):
            counted = f"{role} + {name}" if items else name
            reason = FieldReason.NOT_ALLOWED if limit else FieldReason.UNSUPPORTED
            allowed = (f"{counted} ≤ {limit}",) if limit else ()
            problems.append(FieldProblem(f"provider_options.{name}", reason, allowed))


def _limit(card: ModelCard, request: VideoRequest, role: MediaRole, default: int) -> int:
    """The number of inputs of a role that the model takes beside the others; `default` if its card has no limit."""
    limit = card.media_limits.get(role, default if card.unlisted or role not in card.roles else 1)
    beside = [
        limits[role] for other, limits in card.media_limits_with.items() if role in limits and request.media_in(other)
    ]
    return min([limit, *beside])


def _option(request: VideoRequest, name: str) -> object:
    """An option of the upstream, at the top level or inside `input`."""
    nested = request.options.get("input")
    value = nested.get(name) if isinstance(nested, Mapping) else None
    return request.options.get(name) if value is None else value


def _listed_option(request: VideoRequest, name: str) -> int:
    value = _option(request, name)
    return len(value) if isinstance(value, list | tuple) else 0


def _check_texts(card: ModelCard, request: VideoRequest, problems: list[FieldProblem]) -> None:
    """Check that a required prompt is present and no text is too long: the upstream would silently truncate it, and
    charge."""
    needed = card.words_needed or (card.prompt_needed and not request.media)
    if needed and not request.prompt.strip() and not any(_option(request, n) for n in {"prompt", *card.prompt_options}):
        problems.append(FieldProblem("prompt", FieldReason.MISSING))
    for name, text, limit in (
        ("prompt", request.prompt, card.max_prompt),
        ("negative_prompt", request.negative_prompt or "", card.max_negative_prompt),
    ):
        length = text_length(text, card.han_weight)
        if limit and length > limit:
            values = {"limit": limit, "weight": card.han_weight}
            texts = (text.format(**values) for text in HAN_WEIGHTED_LIMIT)
            hint = LocalizedText(*texts) if card.han_weight > 1 else None
            problems.append(FieldProblem(name, FieldReason.TOO_LONG, (str(limit),), str(length), hint))


def _media_set_problem(card: ModelCard, request: VideoRequest, given: frozenset[MediaRole]) -> FieldProblem:
    allowed = tuple(" + ".join(sorted(roles)) or "text" for roles in card.media_sets)
    larger = [roles for roles in card.media_sets if given < roles]
    if larger:
        absent = sorted(min(larger, key=len) - given)[0]
        hint = _IMAGE_MISSING if absent is MediaRole.FIRST_FRAME and not given else None
        return FieldProblem(absent, FieldReason.MISSING, allowed, hint=hint)
    if not request.media:
        return FieldProblem("model", FieldReason.UNSUPPORTED, allowed, card.name, NO_SUPPORTED_MODE)
    references = MediaRole.REFERENCE_IMAGE in card.roles or MediaRole.REFERENCE_VIDEO in card.roles
    hint = AS_REFERENCES if references and given & set(FRAMES) and not request.reference_mode else None
    return FieldProblem(request.media[-1].param, FieldReason.CONFLICT, allowed, hint=hint)
