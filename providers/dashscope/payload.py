"""Build path, JSON body and headers of a submit from a validated request. Pure: no clock, no I/O.

Only given or validated fields are sent, so that everything else stays the model's default. `options` override
`parameters`, except those that a family reads from `input` or from its videos, and the object `options["input"]`, which
overrides `input`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.contract.client_headers import ClientHeaders
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import RawSubmit, VideoRequest
from providers.dashscope.request_protocols import LIST_FIELDS, VACE_PROTOCOL, InputStyle, RequestProtocol, SizeStyle
from providers.dashscope.sizes import Sizes
from providers.json_text import with_model
from providers.media_files import MediaKind
from providers.sizes import parse_size, short_side

RESOLVE_HEADER = "X-DashScope-OssResourceResolve"
CLIENT_HEADERS = ClientHeaders(
    (RESOLVE_HEADER, "X-DashScope-DataInspection", "X-DashScope-Wait-Timeout"), of_account=("X-DashScope-WorkSpace",)
)
"""Of clients' requests, in the service's own API and in its compatible mode: links of uploaded files are resolved, the
content filter is set, a call waits where the rate rises too fast, and the key acts in another workspace."""
"""Without it an `oss://` URL anywhere in the body is rejected as not downloadable."""

MODES: dict[str, str] = {"720p": "std", "1080p": "pro", "4k": "4k", "2160p": "4k"}
"""Kling's name for a resolution."""

_FIELDS = ("negative_prompt", "template", "shot_type", "audio", "prompt_extend", "watermark", "seed")
"""The request's fields that are sent under their own name, in this order."""

VACE_FUNCTIONS = ("image_reference", "video_repainting", "video_edit", "video_extension", "video_outpainting")
"""The functions of VACE, in `input.function`."""

_EXTENDED = frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.FIRST_CLIP})
"""Inputs that only `video_extension` takes."""

_VACE_SIZED = frozenset({"image_reference", "video_edit"})
"""The functions of VACE that take a `size`; the others keep the size of their input."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One submit: `path` below the base URL, the JSON body, additional headers. `raw`, if not empty, is a body as it
    is, in place of `body`."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = field(default=b"", repr=False)


def build(request: VideoRequest, card: ModelCard, protocol: RequestProtocol) -> Payload:
    """The submit of a validated request that `check_inputs` accepts, with a URL in place of every file."""
    inputs = _inputs(request, protocol)
    parameters = _parameters(request, protocol)
    for name in _FIELDS:
        value = getattr(request, name)
        if name == "watermark" and value is None:
            value = protocol.watermark
        if value is not None:
            (inputs if name in protocol.in_input else parameters)[name] = value

    options = dict(request.options)
    given = options.pop("input") if isinstance(options.get("input"), Mapping) else {}
    for name in protocol.on_videos & options.keys():
        _set_on_videos(inputs, protocol, name, options.pop(name))
    inputs |= {name: options.pop(name) for name in sorted(protocol.in_input & options.keys())}
    inputs |= given
    if any(inputs.get(name) for name in card.prompt_options):
        inputs.setdefault("prompt", "")
    if protocol is VACE_PROTOCOL and inputs.get("function") not in _VACE_SIZED:
        parameters.pop("size", None)
    parameters |= options
    if card.unlisted:
        parameters = {**_required(request, protocol), **parameters}

    body: dict[str, Any] = {"model": card.key or card.name, "input": inputs}
    if parameters:
        body["parameters"] = parameters
    return Payload(protocol.path, body, {RESOLVE_HEADER: "enable"} if _names_oss(body) else {})


def build_raw(raw: RawSubmit, model: str) -> Payload:
    """The submit of a client of this API, as it is. Only a model that the client calls by another name is replaced."""
    body = raw.body if model == raw.model else with_model(raw.body, model)
    return Payload(raw.path, {}, dict(raw.headers), body)


def check_inputs(request: VideoRequest, protocol: RequestProtocol) -> None:
    """Check the inputs before any file is uploaded.

    Raises ProviderError(INVALID_REQUEST) for an input that the model's protocol has no field for, which validation
    accepts for an unlisted model only, and for a video for VACE without a `function`.
    """
    used: set[str] = set()
    for item in request.media if protocol.input_style is InputStyle.NAMED else ():
        name = protocol.inputs.get(item.role) if item.role else None
        if name is None or (name in used and name not in LIST_FIELDS):
            reason = FieldReason.CONFLICT if name else FieldReason.UNSUPPORTED
            problem = FieldProblem(item.param, reason, tuple(sorted(protocol.inputs)), item.role or "")
            raise ProviderError(ErrorKind.INVALID_REQUEST, fields=(problem,))
        used.add(name)
    given = request.options.get("input")
    named = isinstance(given, Mapping) and "function" in given
    if protocol is VACE_PROTOCOL and not named and _implied_function(request) is None:
        problem = FieldProblem("provider_options.input.function", FieldReason.MISSING, VACE_FUNCTIONS)
        raise ProviderError(ErrorKind.INVALID_REQUEST, fields=(problem,))


def _implied_function(request: VideoRequest) -> str | None:
    """The function that the inputs imply. A video alone or with a reference is ambiguous: `options` must name one."""
    roles = {item.role for item in request.media}
    if roles & _EXTENDED:
        return "video_extension"
    return "image_reference" if roles == {MediaRole.REFERENCE_IMAGE} else None


def _inputs(request: VideoRequest, protocol: RequestProtocol) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if request.prompt:
        inputs["prompt"] = request.prompt
    function = _implied_function(request) if protocol is VACE_PROTOCOL else None
    if function is not None:
        inputs["function"] = function
    if protocol.input_style is InputStyle.MEDIA:
        items = [(item.role, item.url) for item in request.media if item.role]
        if request.sound is not None and protocol.audio_as is not None:
            items.append((protocol.audio_as, request.sound.url))
        media = [{"type": protocol.inputs.get(role, role.value), "url": url} for role, url in items]
        if media:
            inputs["media"] = media
    else:
        _fill_named_inputs(request, protocol, inputs)
    if request.sound is not None and protocol.audio_as is None:
        inputs["audio_url"] = request.sound.url
    return inputs


def _fill_named_inputs(request: VideoRequest, protocol: RequestProtocol, inputs: dict[str, Any]) -> None:
    """Set the named field of each input."""
    for item in request.media:
        name = protocol.inputs.get(item.role) if item.role else None
        if name in LIST_FIELDS:
            inputs.setdefault(name, []).append(item.url)
        elif name is not None:
            inputs[name] = item.url


def _set_on_videos(inputs: dict[str, Any], protocol: RequestProtocol, name: str, value: Any) -> None:
    videos = {protocol.inputs.get(role, role.value) for role in MediaRole if role.kind is MediaKind.VIDEO}
    for item in inputs.get("media", ()):
        if item["type"] in videos:
            item[name] = value


def _required(request: VideoRequest, protocol: RequestProtocol) -> dict[str, Any]:
    """The parameters that the family requires, for an unlisted model without defaults."""
    ratio_from_input = _takes_ratio_from_input(request, protocol)
    return {
        name: value for name, value in protocol.required.items() if not (ratio_from_input and name == "aspect_ratio")
    }


def _parameters(request: VideoRequest, protocol: RequestProtocol) -> dict[str, Any]:
    resolution, ratio = _tier_and_ratio(request, protocol)
    parameters: dict[str, Any]
    match protocol.size_style:
        case SizeStyle.SIZE:
            parameters = _size(request, protocol)
        case SizeStyle.BOTH:
            parameters = _size_and_resolution(request, protocol, resolution, ratio)
        case SizeStyle.AS_ASKED:
            parameters = {
                "size": _wire_size(request.size),
                "resolution": _tier(request.resolution),
                "ratio": request.ratio,
            }
        case SizeStyle.MODE:
            mode = MODES.get(resolution.lower(), resolution) if resolution else None
            parameters = {"mode": mode, "aspect_ratio": ratio}
        case SizeStyle.ASPECT:
            parameters = {"resolution": _tier(resolution), "aspect_ratio": ratio}
        case SizeStyle.RESOLUTION:
            parameters = {"resolution": _tier(resolution)}
            if request.ratio is not None:
                # Only for an unlisted model.
                parameters["ratio"] = ratio
        case SizeStyle.RATIO:
            parameters = {"resolution": _tier(resolution), "ratio": ratio}
    parameters |= {"duration": request.duration}
    return {name: value for name, value in parameters.items() if value is not None}


def _size(request: VideoRequest, protocol: RequestProtocol) -> dict[str, str | None]:
    """Pixels; for an unlisted model without `size`, those of the resolution and ratio in its family."""
    if request.size is not None:
        return {"size": _wire_size(request.size)}
    if request.resolution is None and not (request.ratio and protocol.required):
        return {"ratio": request.ratio}
    tier, ratio = (request.resolution or "720p").lower(), request.ratio or "16:9"
    known = protocol.sizes.get((tier, ratio))
    if known is not None:
        return {"size": _wire_size(known)}
    return {"resolution": _tier(request.resolution), "ratio": request.ratio}


def _size_and_resolution(
    request: VideoRequest, protocol: RequestProtocol, resolution: str | None, ratio: str | None
) -> dict[str, str | None]:
    """Both, for a family that ignores `size` without a resolution and has no ratio."""
    if not any((request.size, resolution, ratio)):
        return {}
    tier = _nearest_tier(protocol.sizes, resolution) if resolution else "720p"
    size = request.size or protocol.sizes.get((tier.lower(), ratio or "16:9"))
    return {"resolution": _tier(tier), "size": _wire_size(size)}


def _nearest_tier(sizes: Sizes, resolution: str) -> str:
    """The resolution in a table that is nearest to one computed from a size; any other text is unchanged."""
    side = short_side(resolution.lower())
    known = {tier: known for tier, _ in sizes if (known := short_side(tier))}
    if side is None or not known:
        return resolution
    return min(known, key=lambda tier: abs(known[tier] - side))


def _tier_and_ratio(request: VideoRequest, protocol: RequestProtocol) -> tuple[str | None, str | None]:
    """Resolution and ratio, from `size` if not given; no ratio if the model takes that of an input."""
    resolution, ratio = request.resolution, request.ratio
    pixels = parse_size(request.size) if request.size else None
    if pixels is not None:
        width, height = pixels
        divisor = math.gcd(width, height) or 1
        tier = (f"{min(width, height)}p", f"{width // divisor}:{height // divisor}")
        tier = protocol.nominal_sizes.get(f"{width}x{height}", tier)
        resolution = resolution or tier[0]
        if protocol.size_style is not SizeStyle.RESOLUTION:
            ratio = ratio or tier[1]
    return resolution, None if _takes_ratio_from_input(request, protocol) else ratio


def _takes_ratio_from_input(request: VideoRequest, protocol: RequestProtocol) -> bool:
    """True if an input determines the ratio of the video."""
    return any(item.role in protocol.shape_from for item in request.media)


def _tier(resolution: str | None) -> str | None:
    """The wire format is 720P and 2K."""
    return resolution.upper() if resolution else None


def _wire_size(size: str | None) -> str | None:
    """The wire format is 1280*720. Any other text is unchanged."""
    pixels = parse_size(size) if size else None
    return f"{pixels[0]}*{pixels[1]}" if pixels else size


def _names_oss(value: Any) -> bool:
    """True if a body contains an `oss://` URL."""
    if isinstance(value, str):
        return value.startswith("oss://")
    if isinstance(value, Mapping):
        return any(_names_oss(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_names_oss(item) for item in value)
