"""What the video of a DashScope submit shows."""

from collections.abc import Iterable

from providers.sandbox.clips import SECONDS, WIDE, Scene, Shape, read_shape
from providers.sandbox.dashscope.checks import Order
from providers.sandbox.media import Content


def scene_of(order: Order, found: Iterable[tuple[str, Content | None]]) -> Scene:
    """The scene of a submit with the media `found` in it by place. Without a size or a ratio the first picture or film
    gives the shape."""
    ratio = order.ratio if order.model.ratios else ""
    shape = read_shape(order.size) or read_shape(ratio) or _seen(found) or WIDE
    return Scene(order.model_name, order.prompt, shape, order.seconds if order.seconds > 0 else SECONDS)


def _seen(found: Iterable[tuple[str, Content | None]]) -> Shape | None:
    media = (content.media for _, content in found if content and content.media)
    return next(((one.width, one.height) for one in media if one.width and one.height), None)
