"""Validate a DashScope submit. Pure: returns an order or raises `Refused`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.sandbox.dashscope.codes import Refused
from providers.sandbox.dashscope.inputs import check_fields, check_urls, given_fields, is_integer, media_of, need
from providers.sandbox.dashscope.models import find_model
from providers.sandbox.dashscope.rules import MediaSet, Model

Json = dict[str, Any]

URL_ERROR = "url error, please check url！"
NO_MODEL = "Model not exist."
NO_ASYNC = "current user api does not support synchronous calls."
TWO_MODES = "The two modes are mutually exclusive: first_frame/last_frame and reference media cannot be mixed."
WRONG_SIZE = "The size is not match the allowed size ['{}']"

_TEXT_MODELS = ("qwen", "qwq", "text-embedding", "deepseek")
_BOOLEANS = ("prompt_extend", "watermark", "audio")
_MAX_SEED = 2**31 - 1
_FRAMES = ("first_frame", "last_frame")


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted submit.

    `seconds` of video as asked, 0 or -1 = the service's choice. `tier` and `size` as they will be; `size` "" where
    only the service knows. `kinds`: the media types in order. `fails` is (code, message) of a failure found only once
    it runs.
    """

    model: Model
    model_name: str
    prompt: str
    seconds: int
    tier: str
    size: str
    ratio: str
    prompt_extend: bool
    audio: bool
    watermark: bool
    shot_type: str
    kinds: tuple[str, ...]
    fails: tuple[str, str] | None = None


def read_order(path: str, headers: Mapping[str, str], body: Json) -> Order:
    """Check a submit to `/services/aigc/{path}`. Raises `Refused`."""
    name = body.get("model")
    need(isinstance(name, str) and name, "Field required: model")
    need(headers.get("x-dashscope-async", "").lower() == "enable", NO_ASYNC, "AccessDenied")
    model = find_model(str(name))
    if model is None:
        raise Refused("InvalidParameter", URL_ERROR if str(name).startswith(_TEXT_MODELS) else NO_MODEL)
    need(path == model.path, URL_ERROR)
    given = body.get("input")
    if not isinstance(given, dict):
        raise Refused("InvalidParameter", "Field required: input")
    parameters = body.get("parameters") or {}
    need(isinstance(parameters, dict), "parameters must be an object")
    fields = given_fields(given)
    check_fields(model, fields, parameters)
    media, legal = media_of(model, fields)
    check_urls(model, fields, media, resolve=headers.get("x-dashscope-ossresourceresolve", "").lower() == "enable")
    for needed in (*model.requires, *legal.requires):
        need(parameters.get(needed) not in (None, ""), f"Field required: parameters.{needed}")
    return _order(model, str(name), fields, parameters, tuple(str(one["type"]) for one in media), legal)


def _order(model: Model, name: str, fields: Json, parameters: Json, kinds: tuple[str, ...], legal: MediaSet) -> Order:
    tier, size, fails = _shape(model, parameters)
    seed = parameters.get("seed", 0)
    need(is_integer(seed) and 0 <= seed <= _MAX_SEED, f"seed must be in [0, {_MAX_SEED}]")
    for key in _BOOLEANS:
        need(isinstance(parameters.get(key, False), bool), f"{key} must be a boolean")
    audio = parameters.get("audio", model.audio)
    need(not (legal.silent and audio), "audio must be false when media has a video")
    prompt = fields.get("prompt", "")
    need(isinstance(prompt, str), "prompt must be a string")
    need(not model.prompt_limit or len(prompt) <= model.prompt_limit, "prompt is too long")
    if model.name.startswith("wan3.0") and len({kind in _FRAMES for kind in kinds}) == 2:
        fails = ("InvalidParameter", TWO_MODES)
    return Order(
        model=model,
        model_name=name,
        prompt=prompt,
        seconds=_seconds(model, legal, parameters, tier),
        tier=tier,
        size=size,
        ratio=_ratio(model, legal, parameters),
        prompt_extend=parameters.get("prompt_extend", True),
        audio=audio,
        watermark=parameters.get("watermark", False),
        shot_type=str(parameters.get("shot_type") or "single"),
        kinds=kinds,
        fails=fails,
    )


def _shape(model: Model, parameters: Json) -> tuple[str, str, tuple[str, str] | None]:
    """(tier, size, failure): a size outside the table is found only when the task runs."""
    tier = parameters.get("resolution", model.tier) if model.tiers else model.tier
    need(not model.tiers or tier in model.tiers, f"resolution must be in {list(model.tiers)}")
    if model.modes:
        modes = list(model.modes)
        mode = parameters.get("mode", modes[0])
        need(mode in modes, f"mode must be in {modes}")
        return model.modes[mode], "", None
    size = parameters.get("size", "")
    if model.sized_by_tier and "resolution" not in parameters:
        # Vidu's page: a size alone is ignored, the video is 720P in 16:9.
        size = ""
    if not model.sizes or (not size and model.tiers):
        return str(tier), "", None
    if not size:
        size = "1920*1080" if "1080P" in model.sizes.values() else "1280*720"
    allowed = [one for one, of in model.sizes.items() if not model.tiers or of == tier]
    if size not in allowed:
        return str(tier), str(size), ("InvalidParameter", WRONG_SIZE.format("', '".join(sorted(allowed))))
    return model.sizes[size], size, None


def _seconds(model: Model, legal: MediaSet, parameters: Json, tier: str) -> int:
    seconds = parameters.get("duration", 0 if model.usage == "edit" else 5)
    need(is_integer(seconds), "duration must be an integer")
    allowed = model.tier_seconds.get(tier, model.seconds) if legal.seconds is None else legal.seconds
    need(not allowed or seconds in allowed, f"duration must be in {sorted(allowed)}")
    return int(seconds)


def _ratio(model: Model, legal: MediaSet, parameters: Json) -> str:
    ratios = model.ratios if legal.ratios is None else legal.ratios
    ratio = parameters.get(model.ratio_name, ratios[0] if ratios else "16:9")
    need(not ratios or ratio in ratios, f"{model.ratio_name} must be in {list(ratios)}")
    return str(ratio)
