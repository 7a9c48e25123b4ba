"""What DashScope bills a finished task for: the names and types of `usage` by model."""

import math
from dataclasses import dataclass
from typing import Any

from providers.sandbox.clips import FPS
from providers.sandbox.dashscope.checks import Order

Json = dict[str, Any]

UNSEEN_SECONDS = 5.0
"""What an input that nobody here can look at is taken to last."""

_EDIT_SECONDS = 15.0
_FREE_IMAGES = 5
_KLING_SIZES = {
    "720P": {"16:9": "1280*720", "9:16": "720*1280", "1:1": "960*960"},
    "1080P": {"16:9": "1920*1080", "9:16": "1080*1920", "1:1": "1440*1440"},
    "4K": {"16:9": "3840*2160", "9:16": "2160*3840", "1:1": "2880*2880"},
}
_TIER_SIZES = {
    "360P": "640*360", "480P": "832*480", "540P": "1024*576", "720P": "1280*720", "1080P": "1920*1080",
    "4K": "3840*2160", "": "1280*720",
}  # fmt: skip
_VIDU_OUTPUT = {"1024*576": "960*528"}
"""Vidu's 540P in 16:9 is smaller than its name, in every sample of its pages."""

_MINIMAX_SIDE = {"768P": 768, "2K": 1440}


@dataclass(frozen=True, slots=True)
class Inputs:
    """How long each video and each sound of a submit is, in seconds, and how many pictures it has."""

    videos: tuple[float, ...] = ()
    sounds: tuple[float, ...] = ()
    pictures: int = 0


def usage(order: Order, inputs: Inputs) -> Json:
    """`usage` of a finished task. `SR` is a text for the models of other makers, lengths are floats for wan3.0,
    wan2.6-t2v and the editing models."""
    given = sum(inputs.videos)
    seconds = order.seconds if order.seconds > 0 else 5
    tier = order.tier.removesuffix("P")
    size = order.size or _TIER_SIZES.get(order.tier, "1280*720")
    split: Json = {"duration": seconds, "input_video_duration": 0, "output_video_duration": seconds}
    match order.model.usage:
        case "video_ratio":
            return {"video_duration": seconds, "video_ratio": size, "video_count": 1}
        case "t2v26":
            return {**_floats(seconds, 0), "size": size, "SR": int(tier), "video_count": 1}
        case "i2v":
            return {"duration": seconds, "SR": int(tier), "video_count": 1}
        case "i2v26":
            flash = {"audio": order.audio} if "flash" in order.model.name else {}
            return {**split, "SR": int(tier), "video_count": 1, **flash}
        case "standard":
            return {"video_duration": seconds, "video_ratio": "standard", "video_count": 1}
        case "kf2v22":
            return {"video_duration": seconds, "video_count": 1, "SR": int(tier)}
        case "r2v26":
            return {**_whole(seconds, given), "size": size, "SR": int(tier), "video_count": 1}
        case "wan27":
            ratio = {"ratio": order.ratio} if order.model.ratios else {}
            # A clip that goes on is part of the length that is asked for.
            made = max(0, seconds - round(given)) if "first_clip" in order.kinds else seconds
            return {**_whole(made, given), "SR": int(tier), "video_count": 1, **ratio}
        case "edit":
            kept = min(given, _EDIT_SECONDS, order.seconds or _EDIT_SECONDS)
            return {**_floats(kept, given), "SR": int(tier), "video_count": 1}
        case "wan30":
            # Its `duration` is the finished video's alone; samples show the ratio that came of "adaptive".
            ratio = {"ratio": "16:9" if order.ratio == "adaptive" else order.ratio}
            lengths = {**_floats(seconds, given), "duration": float(seconds)}
            return {**lengths, "SR": int(tier), "video_count": 1, "fps": 30, **ratio}
        case "kling":
            made = round(given) if "base" in order.kinds else seconds
            return _partner(made, _KLING_SIZES[order.tier][order.ratio], tier) | {"audio": order.audio}
        case "vidu":
            return _vidu(order, inputs, size, tier)
        case "pixverse" | "pixverse_shots":
            made = order.seconds or math.ceil(max(inputs.videos, default=5))
            shots = {"shot_type": order.shot_type} if order.model.usage == "pixverse_shots" else {}
            return _partner(made, size, tier) | {"audio": order.audio} | shots
        case "pixverse_video":
            lasts = (inputs.sounds or inputs.videos) if "lipsync" in order.model.name else inputs.videos
            return _partner(math.ceil(max(lasts, default=5)), size, tier)
        case "minimax":
            return _minimax(order, inputs)
        case "portrait":
            return {"video_duration": float(seconds), "video_ratio": "standard"}
        case "s2v":
            return {"duration": float(seconds), "size": size, "fps": FPS, "video_count": 1, "SR": int(tier)}


def _floats(made: float, given: float) -> Json:
    lengths = {"duration": given + made, "input_video_duration": given, "output_video_duration": made}
    return {name: round(float(value), 2) for name, value in lengths.items()}


def _whole(made: int, given: float) -> Json:
    taken = round(given)
    return {"duration": taken + made, "input_video_duration": taken, "output_video_duration": made}


def _partner(made: int, size: str, tier: str) -> Json:
    return {"duration": made, "size": size, "fps": FPS, "video_count": 1, "SR": tier}


def _vidu(order: Order, inputs: Inputs, size: str, tier: str) -> Json:
    made = order.seconds or round(max(inputs.videos, default=5))
    references = {"reference_type": ",".join(sorted(set(order.kinds)))} if "reference2video" in order.model.name else {}
    billed = _partner(made, _VIDU_OUTPUT.get(size, size), tier)
    return {**billed, "output_video_duration": made, "audio": order.audio, **references}


def _minimax(order: Order, inputs: Inputs) -> Json:
    """Pictures are billed from the sixth on. Of the sizes only 1344*768 is known: it fits sides in steps of 64."""
    taken = round(sum(inputs.videos))
    total = taken + order.seconds
    wide, high = (16, 9) if order.ratio == "adaptive" else map(int, order.ratio.split(":"))
    short = _MINIMAX_SIDE[order.tier]
    long = short * max(wide, high) // min(wide, high) // 64 * 64
    width, height = (long, short) if wide >= high else (short, long)
    return {
        "duration": total, "size": f"{width}*{height}", "SR": order.tier.removesuffix("P"), "video_count": 1,
        "image_count": max(0, inputs.pictures - _FREE_IMAGES), "input_seconds": taken,
        "output_seconds": order.seconds, "total_seconds": total,
    }  # fmt: skip
