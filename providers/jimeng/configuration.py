"""The site's configuration of video models, parsed. Pure, and never an exception on shape.

The call is the one that the site's own page makes before it shows its form: uncharged, and open to guests. Its answer
lists a model an entry; every option of an entry names itself in `key`, and its value stands in a field of its own.
Forms as captured on the mainland site and on Dreamina, 2026-08-30.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from providers.contract.media import MediaLimits
from providers.jimeng.site.lenient_json import dig, integer, number, string
from providers.jimeng.site_model import (
    MEDIA_FILES,
    Benefits,
    MaterialLimit,
    Materials,
    ResolutionBenefit,
    SiteModel,
)
from providers.media_files import MediaKind

CONFIGURATION_PATH = "/mweb/v1/video_generate/get_common_config"
CONFIGURATION_BODY: Mapping[str, Any] = {"scene": "video_generate", "params": {}}
"""Captured 2026-09-30 on the mainland site. Two other bodies work as well: one with the scene `generate_video`, and an
empty object."""

_FRAMES_PER_SECOND = 24
_MEGABYTE = 1024 * 1024
_MOST_SECONDS = 600
_MOST_MODELS = 200
_MOST_OPTIONS = 100
"""Of a model, and values of an option: a list is foreign, and is served to whoever asks for the models."""
_MOST_MEGABYTES = 10_000
_MOST_ASPECT = 1000
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RATIO = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,40}")
_KINDS = {1: MediaKind.IMAGE, 2: MediaKind.VIDEO, 3: MediaKind.AUDIO}
_OFFERED = 0
"""`model_status` of every entry that was captured. What another number means is not known: the model is listed, and
not taken by default."""

_TYPES = {
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
}
"""The site's words for the types that the gateway can tell by their content."""


def parse_configuration(data: Any) -> list[SiteModel]:
    """The models that the answer lists, in its order; none where it lists none. An entry without a key or without
    anything to charge is left out."""
    rows = dig(data, "model_list")
    found: dict[str, SiteModel] = {}
    for row in rows[:_MOST_MODELS] if isinstance(rows, list) else ():
        model = _parse_entry(row)
        if model is not None:
            found.setdefault(model.key, model)
    return list(found.values())


def _parse_entry(entry: Any) -> SiteModel | None:
    key = string(dig(entry, "model_req_key"))
    benefits = _parse_benefits(dig(entry, "commercial_config"))
    if not _KEY.fullmatch(key) or benefits is None:
        return None
    options = dig(entry, "options")
    by_key: dict[str, Mapping[str, Any]] = {}
    for option in options[:_MOST_OPTIONS] if isinstance(options, list) else ():
        if isinstance(option, dict):
            by_key.setdefault(string(option.get("key")), option)
    seconds, site_seconds = _parse_seconds(by_key)
    resolutions, site_resolution = _parse_words(by_key.get("resolution"), _WORD)
    ratios, _ = _parse_words(by_key.get("video_aspect_ratio"), _RATIO)
    inputs, _ = _parse_words(by_key.get("input_media_type"), _WORD)
    unified = dig(by_key.get("unified_edit"), "unified_edit_config")
    return SiteModel(
        key,
        benefits,
        title=_title(string(dig(entry, "model_name"))),
        seconds=seconds,
        site_seconds=site_seconds,
        resolutions=_distinct(resolutions),
        site_resolution=site_resolution,
        ratios=ratios,
        inputs=frozenset(inputs),
        materials=_parse_materials(unified),
        max_prompt=max(integer(dig(entry, "extra", "max_prompt_length")) or 0, 0),
        draft_mode=dig(entry, "extra", "is_draft_mode") is True,
        offered=(integer(dig(entry, "model_status")) or 0) == _OFFERED,
    )


def _title(text: str) -> str:
    """A line that can be shown on a terminal."""
    shown = " ".join(text[:1000].split())
    return "".join(character for character in shown if character.isprintable())[:100].strip()


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without those that differ from an earlier one in case alone."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.lower(), name)
    return tuple(found.values())


# --- options ----------------------------------------------------------------------------------------------------


def _parse_words(option: Any, shape: re.Pattern[str]) -> tuple[tuple[str, ...], str | None]:
    """The texts of an enum option, and the site's default among them."""
    values = dig(option, "enum_val", "string_value")
    texts = tuple(string(value) for value in values[:_MOST_OPTIONS]) if isinstance(values, list) else ()
    index = integer(dig(option, "enum_val", "default_val_idx"))
    default = texts[index] if index is not None and 0 <= index < len(texts) else None
    options = tuple(dict.fromkeys(text for text in texts if shape.fullmatch(text)))
    return options, default if default in options else None


def _parse_seconds(options: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[int, ...], int | None]:
    """The whole seconds that a model makes, and the site's default: from its frames, which are 24 a second, or from a
    slider in milliseconds, as models of third parties have it."""
    frames = options.get("frames")
    values = dig(frames, "enum_val", "int_value")
    counts = [integer(value) for value in values[:_MOST_SECONDS]] if isinstance(values, list) else []
    if counts:
        index = integer(dig(frames, "enum_val", "default_val_idx"))
        default = counts[index] if index is not None and 0 <= index < len(counts) else None
        return _seconds(counts, _FRAMES_PER_SECOND), _whole(default, _FRAMES_PER_SECOND)
    for key, unit in (("frames_slide_bar", _FRAMES_PER_SECOND), ("duration_ms", 1000)):
        slider = _slider(options.get(key))
        if slider is not None:
            low, high, step, default = slider
            steps = range(low, high + 1, step)
            found = tuple(second for second in range(1, _MOST_SECONDS + 1) if second * unit in steps)
            return found, _whole(default, unit)
    return (), None


def _slider(option: Any) -> tuple[int, int, int, int | None] | None:
    """Least, most, step and default of a slider, in whichever field of the option it stands."""
    for value in option.values() if isinstance(option, dict) else ():
        low, high = integer(dig(value, "min")), integer(dig(value, "max"))
        if low is not None and high is not None and 0 < low <= high:
            return low, high, max(integer(dig(value, "step")) or 0, 1), integer(dig(value, "default"))
    return None


def _seconds(counts: list[int | None], unit: int) -> tuple[int, ...]:
    found = {whole for count in counts if (whole := _whole(count, unit)) is not None}
    return tuple(sorted(found))


def _whole(count: int | None, unit: int) -> int | None:
    if count is None or count % unit or not 0 < count // unit <= _MOST_SECONDS:
        return None
    return count // unit


# --- benefits ---------------------------------------------------------------------------------------------------


def _parse_benefits(config: Any) -> Benefits | None:
    """What the model's videos are charged as; None where the entry does not say it."""
    default = _benefit(dig(config, "default"))
    by_resolution: dict[str, ResolutionBenefit] = {}
    rows = dig(config, "resolution_price_configs")
    for row in rows[:_MOST_OPTIONS] if isinstance(rows, list) else ():
        price = _benefit(dig(row, "price"))
        if price:
            without_clip = _benefit(dig(row, "no_input_video_price")) or price
            by_resolution[string(dig(row, "resolution")).lower()] = ResolutionBenefit(price, without_clip)
    forms = dig(config, "format_conf")
    if not by_resolution and string(dig(config, "format")) == "{resolution}" and isinstance(forms, dict):
        by_resolution = {
            str(name).lower(): ResolutionBenefit(benefit, benefit)
            for name, value in islice(forms.items(), _MOST_OPTIONS)
            if (benefit := _benefit(value))
        }
    with_clip = _benefit(dig(forms, "unified_edit_input_video"))
    default = default or next((price.without_clip for price in by_resolution.values()), "")
    return Benefits(default, by_resolution, with_clip) if default else None


def _benefit(price: Any) -> str:
    name = string(dig(price, "benefit_type"))
    return name if _KEY.fullmatch(name) else ""


# --- materials --------------------------------------------------------------------------------------------------


def _parse_materials(config: Any) -> Materials | None:
    """What the reference mode takes; None where the entry has no such mode."""
    kinds = dict(_parse_kinds(config))
    if not kinds:
        return None
    counts = sum(limit.count for limit in kinds.values())
    needed = dig(config, "required_material_types", "any_of")
    return Materials(
        kinds,
        total=_positive(dig(config, "max_total_count")) or counts,
        any_of=frozenset(kind for number in needed if (kind := _KINDS.get(integer(number) or 0)))
        if isinstance(needed, list)
        else frozenset(),
    )


def _parse_kinds(config: Any) -> Iterator[tuple[MediaKind, MaterialLimit]]:
    rows = dig(config, "supported_materials")
    for row in rows[:_MOST_OPTIONS] if isinstance(rows, list) else ():
        kind = _KINDS.get(integer(dig(row, "material_type")) or 0)
        count = _positive(dig(row, "limit", "max_count"))
        if kind is not None and count:
            total = _length(dig(config, f"max_total_{kind}_duration"))
            yield kind, MaterialLimit(count, _parse_limits(kind, dig(row, "limit"), total))


def _parse_limits(kind: MediaKind, limit: Any, total_seconds: float) -> MediaLimits:
    """The bounds on one file. What the site leaves out is bounded as in `MEDIA_FILES`."""
    known = MEDIA_FILES[kind]
    formats = dig(limit, "support_formats")
    types = (
        [_TYPES.get(string(word).lower(), "") for word in formats[:_MOST_OPTIONS]] if isinstance(formats, list) else []
    )
    megabytes = number(dig(limit, "max_file_size")) or 0
    sides = [_positive(dig(limit, name)) for name in ("min_width", "min_height", "max_width", "max_height")]
    aspect = number(dig(limit, "max_aspect_ratio")) or 0.0
    return MediaLimits(
        tuple(dict.fromkeys(filter(None, types))) or known.types,
        int(megabytes * _MEGABYTE) if 0 < megabytes < _MOST_MEGABYTES else known.max_bytes,
        min_side=min(sides[0], sides[1]),
        max_side=max(sides[2], sides[3]),
        max_aspect=aspect if 1 <= aspect < _MOST_ASPECT else 0.0,
        min_seconds=_length(dig(limit, "min_duration")),
        max_seconds=_length(dig(limit, "max_duration")),
        max_total_seconds=total_seconds,
    )


def _positive(value: Any) -> int:
    return max(integer(value) or 0, 0)


def _length(value: Any) -> float:
    """Seconds; 0 where they are not said."""
    found = number(value) or 0.0
    return found if 0 < found < 100_000 else 0.0
