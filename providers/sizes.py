"""Convert between sizes in pixels and resolution (720p, 2k) with ratio (16:9), and find a request's size and duration.

Arithmetic is not enough: 480p at 1:1 is 624x624 in one family, and 1024x1024 is 540p in another. A card's tables take
precedence over arithmetic.
"""

import math
import re
from collections.abc import Iterable, Mapping

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from providers.media_files import MediaFile

Tier = tuple[str | None, str | None]
"""Resolution and ratio; None for what a size does not determine."""

_SIZE = re.compile(r"(\d{2,5})\s*[xX*×]\s*(\d{2,5})")
_SHORT_SIDES = {"2k": 1440, "4k": 2160}
_DEFAULT_SIDE = 720


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels of "1280x720" or "1280*720"; None when it is neither."""
    match = _SIZE.fullmatch(text.strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    return (width, height) if width and height else None


def short_side(resolution: str | None) -> int | None:
    """Pixels of the short side of a 16:9 video at a resolution: 720 for 720p, 2160 for 4k; None for another word."""
    tier = re.fullmatch(r"(\d{3,4})p", resolution or "")
    return int(tier[1]) if tier else _SHORT_SIDES.get(resolution or "")


def nominal_size(resolution: str | None, ratio: str | None) -> str:
    """ "WIDTHxHEIGHT" of a resolution and a ratio, for models that do not speak of pixels: 720p and 16:9 unless said.

    >>> nominal_size("1080p", "9:16")
    '1080x1920'
    """
    short = short_side(resolution) or _DEFAULT_SIDE
    shape = re.fullmatch(r"(\d{1,3}):(\d{1,3})", ratio or "")
    across, down = (int(shape[1]) or 1, int(shape[2]) or 1) if shape else (16, 9)
    long = round(short * max(across, down) / min(across, down) / 2) * 2
    return f"{long}x{short}" if across >= down else f"{short}x{long}"


def read_size(card: ModelCard, ratios: Iterable[str], width: int, height: int) -> Tier | None:
    """Resolution and ratio that a size says to a model, None when it says none that the model has.

    `ratios` are those that can be chosen for the request. A model without resolutions or ratios is told None for them.
    """
    size, ratios = f"{width}x{height}", tuple(ratios)
    for (tier, ratio), made in card.sizes.items():
        if made == size:
            return tier, ratio if ratios else None
    named = card.nominal_sizes.get(size)
    if named is not None:
        return _allowed(card, ratios, *named)
    if card.sizes:
        return None
    shape = next((ratio for ratio in ratios if _is_shape(ratio, width, height)), None)
    if shape is None and ratios:
        pairs = [(tier, ratio) for tier in card.resolutions for ratio in ratios if ":" in ratio]
        return next(((tier, ratio) for tier, ratio in pairs if nominal_size(tier, ratio) == size), None)
    return _allowed(card, ratios, _tier_of(card, min(width, height)), shape)


def _allowed(card: ModelCard, ratios: tuple[str, ...], resolution: str, ratio: str | None) -> Tier | None:
    if (card.resolutions and resolution not in card.resolutions) or (ratios and ratio not in ratios):
        return None
    if card.sizes and (resolution, ratio) not in card.sizes:
        return None
    return resolution if card.resolutions else None, ratio if ratios else None


def _tier_of(card: ModelCard, side: int) -> str:
    return next((tier for tier in card.resolutions if short_side(tier) == side), f"{side}p")


def sizes_of(card: ModelCard, ratios: Iterable[str]) -> tuple[str, ...]:
    """A size for each resolution and ratio that a model has, as its family writes it."""
    if card.sizes:
        return tuple(dict.fromkeys(card.sizes.values()))
    shapes = tuple(ratio for ratio in ratios if ":" in ratio) or (None,)
    tiers = card.resolutions or (None,)
    return tuple(dict.fromkeys(size_of(card, tier, ratio) for tier in tiers for ratio in shapes))


def size_of(card: ModelCard, resolution: str | None, ratio: str | None) -> str:
    """The pixels of a resolution and a ratio, by the tables of a model's family, else by arithmetic."""
    pair = (resolution or "", ratio or "")
    written = card.sizes.get(pair) or _written(card.nominal_sizes).get(pair)
    return written or nominal_size(resolution, ratio)


def oriented_size(card: ModelCard, resolution: str, width: int, height: int) -> str:
    """The pixels of a resolution in the ratio nearest to a size, for a model without a ratio parameter."""
    shapes = {ratio for tier, ratio in card.nominal_sizes.values() if tier == resolution} or {"16:9", "9:16", "1:1"}
    shape = math.log(width / height)
    return size_of(card, resolution, min(sorted(shapes), key=lambda name: _distance(shape, 0, name.replace(":", "x"))))


def asked_size(request: VideoRequest) -> str:
    """The pixels that a validated request asks for, "" if they are unknown.

    A video that takes its shape from a first frame has that of the file, if the gateway has it; of a picture at a URL
    only the size that the client sent is known. Without a duration or a ratio the video follows its input video.
    """
    card = request.card
    if _options_decide(request):
        return ""
    if card is None or card.unlisted or request.raw is not None:
        return _given_size(request)
    ignored = any(request.media_in(role) for role in card.ratio_ignored_with)
    if request.media and (ignored or not _is_ratio(request.ratio)):
        frame = next(iter(request.media_in(MediaRole.FIRST_FRAME)), None)
        if frame is None or any(request.media_in(role) for role in _CLIPS):
            return ""
        if frame.file is None:
            return "" if ignored else request.size or ""
        return _framed_size(card, request.resolution, frame.file)
    if request.size or not request.duration:
        return request.size or ""
    if card.ratios and not _is_ratio(request.ratio):
        return ""
    return size_of(card, request.resolution, request.ratio)


def asked_seconds(request: VideoRequest) -> int:
    """The duration that a validated request asks for, in seconds; 0 if it follows the model or an input video, or if
    it is an option that is no number."""
    seconds = request.options.get("duration", request.duration)
    return max(seconds, 0) if isinstance(seconds, int) and not isinstance(seconds, bool) else 0


_CLIPS = (MediaRole.VIDEO, MediaRole.FIRST_CLIP)
_SHAPE_OPTIONS = frozenset({"size", "resolution", "ratio", "aspect_ratio", "mode", "width", "height"})
"""Upstream parameters that decide the pixels. As options they override the fields of the request."""


def _options_decide(request: VideoRequest) -> bool:
    """True if the options may change the shape of the video: by a parameter, or by an input of their own."""
    inputs = request.options.get("input")
    names = inputs.keys() if isinstance(inputs, Mapping) else ()
    return not _SHAPE_OPTIONS.isdisjoint(request.options) or any("url" in name or name == "media" for name in names)


def _given_size(request: VideoRequest) -> str:
    """The size that the client sent, or that of its resolution and ratio."""
    if request.size or request.resolution is None or not _is_ratio(request.ratio):
        return request.size or ""
    return nominal_size(request.resolution, request.ratio)


def _is_ratio(ratio: str | None) -> bool:
    """False for "adaptive" and the like, which follow an input or the model."""
    return ratio is not None and ":" in ratio


def _framed_size(card: ModelCard, resolution: str | None, frame: MediaFile) -> str:
    """The pixels of a video in the shape of its first frame; "" where neither a known size of the resolution has
    exactly this shape nor the family tells how it fits a frame."""
    width, height = frame.width, frame.height
    if not width or not height or (frame.is_turned and width != height):
        return ""
    known = [size for size, (tier, _) in card.nominal_sizes.items() if tier == resolution]
    known += [size_of(card, resolution, ratio) for ratio in ("16:9", "9:16")]
    for size in known:
        across, down = parse_size(size) or (0, 0)
        if across * height == down * width:
            return size
    area = parse_size(size_of(card, resolution, "16:9"))
    if not card.frame_step or area is None or not _is_shape("16:9", *area):
        return ""
    pixels = area[0] * area[1]
    sides = (math.isqrt(pixels * width // height), math.isqrt(pixels * height // width))
    across, down = (side // card.frame_step * card.frame_step for side in sides)
    return f"{across}x{down}" if across and down else ""


def nearest_size(card: ModelCard, ratios: Iterable[str], width: int, height: int) -> Tier:
    """The resolution and the ratio of a model that come nearest to a size: the shape first, then the short side."""
    exact = read_size(card, ratios, width, height)
    if exact is not None:
        return exact
    shape, short = math.log(width / height), min(width, height)
    if card.sizes:
        return min(card.sizes, key=lambda pair: _distance(shape, short, card.sizes[pair]))
    written = _written(card.nominal_sizes)
    shapes = tuple(ratio for ratio in ratios if ":" in ratio)
    ratio = min(shapes, key=lambda name: _distance(shape, 0, name.replace(":", "x")), default=None)
    families = {name for _, name in card.nominal_sizes.values()}
    known = ratio or min(families, key=lambda name: _distance(shape, 0, name.replace(":", "x")), default=None)
    sides = {tier: side for tier in card.resolutions if (side := _side(written, tier, known))}
    return min(sides, key=lambda tier: abs(sides[tier] - short), default=None), ratio


def _side(written: Mapping[Tier, str], tier: str, ratio: str | None) -> int | None:
    pixels = parse_size(written.get((tier, ratio), ""))
    return min(pixels) if pixels else short_side(tier)


def _written(nominal: Mapping[str, tuple[str, str]]) -> dict[Tier, str]:
    """Resolution and ratio to size, where several sizes say the same the first of them."""
    written: dict[Tier, str] = {}
    for size, pair in nominal.items():
        written.setdefault(pair, size)
    return written


def _distance(shape: float, short: int, size: str) -> tuple[float, int]:
    across, _, down = size.partition("x")
    return round(abs(math.log(int(across) / int(down)) - shape), 3), abs(min(int(across), int(down)) - short)


def _is_shape(ratio: str, width: int, height: int) -> bool:
    """True for pixels of a ratio, reduced or not: 1680x720 is 21:9 as well as 7:3."""
    across, _, down = ratio.partition(":")
    return across.isdecimal() and down.isdecimal() and int(across) * height == int(down) * width
