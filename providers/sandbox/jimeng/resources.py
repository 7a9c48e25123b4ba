"""The uploaded resources of a session."""

from collections.abc import Callable
from dataclasses import dataclass

from providers.sandbox.jimeng.errors import PARAMETER, UNSAFE, Refused, need
from providers.sandbox.media import Kind


@dataclass(frozen=True, slots=True)
class Resource:
    """A committed upload. `kind` and `seconds` are None for one named in the settings: any kind matches, and the
    caller's duration is used. `width` and `height` in pixels, 0 where they are not known."""

    kind: Kind | None = None
    seconds: float | None = None
    unsafe: bool = False
    shaky: bool = False
    width: int = 0
    height: int = 0


Resources = Callable[[str], Resource | None]
"""A session's resource by its URI or vid; None if it was never uploaded or never committed."""


def uploaded(uri: object, kind: Kind, resources: Resources) -> Resource:
    """The resource of a material. Raises `Refused` for an unknown one, one of another kind, and an unsafe one."""
    found = resources(uri) if isinstance(uri, str) else None
    if found is None:
        raise Refused(PARAMETER, "resource was not uploaded")
    need(found.kind in (None, kind), f"resource is no {kind}")
    need(not found.unsafe, "", UNSAFE)
    return found
