"""What each input is to the video: inputs that a client did not label get a role by the model's card."""

from dataclasses import replace

from providers.contract.media import MediaRole
from providers.contract.models import SOUND_FIELD, ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind

FRAMES = (MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME)
_DEFAULT_ROLES: dict[MediaKind, tuple[MediaRole, ...]] = {
    MediaKind.IMAGE: (MediaRole.REFERENCE_IMAGE,),
    MediaKind.VIDEO: (MediaRole.VIDEO, MediaRole.FIRST_CLIP, MediaRole.REFERENCE_VIDEO),
    MediaKind.AUDIO: (MediaRole.DRIVING_AUDIO, MediaRole.REFERENCE_AUDIO),
}
"""Roles of unlabelled media besides frames: the first that the model's card has, else the last, a reference."""


def place_sound(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """The sound where the model takes it: in a field of its own, or among the inputs."""
    sounds = [item for item in request.media if item.kind is MediaKind.AUDIO and item.role is None]
    if SOUND_FIELD in card.fields:
        if request.sound is not None or len(sounds) != 1:
            return request
        others = tuple(item for item in request.media if item is not sounds[0])
        return replace(request, media=others, sound=sounds[0])
    if request.sound is None or card.unlisted or not card.roles & set(_DEFAULT_ROLES[MediaKind.AUDIO]):
        return request
    return replace(request, media=(*request.media, request.sound), sound=None)


def assign_roles(card: ModelCard, request: VideoRequest) -> VideoRequest:
    """Assign roles to unlabelled media: frames in order if the model takes frames alone, else the card's first role
    for the kind, else references. Beside a video to edit that takes no frame, images are references. Beside a first
    clip, which the video starts with, an image is the last frame.

    The last frame comes after the first: some upstreams tell them by their order.
    """
    if not request.media:
        return request
    roles = card.roles
    by_frames = card.unlisted or any(given and given <= set(FRAMES) for given in card.media_sets)
    if by_frames and _edits_video(card, request):
        by_frames = any(given & set(FRAMES) for given in card.media_sets if MediaRole.VIDEO in given)
    frames = FRAMES[1:] if request.media_in(MediaRole.FIRST_CLIP) else FRAMES
    unused = [role for role in frames if (card.unlisted or role in roles) and not request.media_in(role)]
    placed: list[Media] = []
    for item in request.media:
        role = item.role
        if role is None and item.kind is MediaKind.IMAGE and by_frames and unused and not request.reference_mode:
            role = unused.pop(0)
        elif role is None:
            defaults = _DEFAULT_ROLES[item.kind]
            supported = [] if request.reference_mode else [default for default in defaults if default in roles]
            role = (*supported, defaults[-1])[0]
        placed.append(item if role is item.role else replace(item, role=role))
    return replace(request, media=tuple(_frames_in_order(placed)))


def _frames_in_order(media: list[Media]) -> list[Media]:
    roles = [item.role for item in media]
    if set(FRAMES) <= set(roles) and roles.index(MediaRole.LAST_FRAME) < roles.index(MediaRole.FIRST_FRAME):
        media.insert(roles.index(MediaRole.LAST_FRAME), media.pop(roles.index(MediaRole.FIRST_FRAME)))
    return media


def _edits_video(card: ModelCard, request: VideoRequest) -> bool:
    """True if a video of the request is to be edited."""
    if MediaRole.VIDEO not in card.roles:
        return False
    unlabelled = not request.reference_mode and any(
        item.kind is MediaKind.VIDEO and item.role is None for item in request.media
    )
    return unlabelled or bool(request.media_in(MediaRole.VIDEO))
