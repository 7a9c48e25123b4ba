"""What a session has uploaded, as the calls that use it see it."""

from collections.abc import Callable
from dataclasses import dataclass

from providers.sandbox.jimeng.errors import PARAMETER, UNSAFE, Refused, need
from providers.sandbox.media import Kind


@dataclass(frozen=True, slots=True)
class Resource:
    """A committed upload. `kind` and `seconds` are None for one that the settings name: it counts as what is asked
    for, and as long as the caller says."""

    kind: Kind | None = None
    seconds: float | None = None
    unsafe: bool = False
    shaky: bool = False


Resources = Callable[[str], Resource | None]
"""A session's resource by its URI or vid; None for what it never uploaded, or never committed."""


def uploaded(uri: object, kind: Kind, resources: Resources) -> Resource:
    """The resource of a material. Raises `Refused` for a strange one, one of another kind, and one that is unsafe."""
    found = resources(uri) if isinstance(uri, str) else None
    if found is None:
        raise Refused(PARAMETER, "resource was not uploaded")
    need(found.kind in (None, kind), f"resource is no {kind}")
    need(not found.unsafe, "", UNSAFE)
    return found
