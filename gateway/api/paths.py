"""Paths of clients that were written for other gateways: aliases, normalisation, and what a path not found may mean.

Sources of the aliases: new-api (`/v1/video/generations`), proxies of one upstream (`/v1/videos/generations/async`) and
the base URLs that users set with a slash or a `/v1` too many.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.core.errors import GatewayError
from gateway.core.settings import SettingsError
from providers.contract.localized_text import LocalizedText

SUBMIT, STATUS = "/v1/videos/generations", "/v1/videos/tasks/{id}"

ALIASES: Mapping[str, tuple[str, ...]] = {
    SUBMIT: ("/v1/video/generations", "/v1/videos/generations/async"),
    STATUS: (
        "/v1/video/generations/{id}",
        "/v1/videos/generations/{id}",
        "/v1/videos/generations/async/{id}",
    ),
}
"""By path: other paths of the same operation. All of them are also served without `/v1`."""

OTHER_SURFACES: tuple[tuple[str, str], ...] = (
    (r"completions|responses", ""),
    (r"images(/.*)?", SUBMIT),
    (r"(videos?/)?(text2video|image2video|multi-image2video|text-to-video|image-to-video|t2v|i2v)", SUBMIT),
    (r"(videos?/)?(text2video|image2video|multi-image2video|text-to-video|image-to-video|t2v|i2v)/[^/]+", STATUS),
    (r"contents/generations/tasks", SUBMIT),
    (r"contents/generations/tasks/[^/]+", STATUS),
    (r"tasks/[^/]+", STATUS),
    (r"videos?/(tasks/|generations/)?[^/]+/(status|result|results)", STATUS),
)
"""Paths of other APIs, without prefix, and ours that does the same; "" for what this gateway does not do yet."""

NOT_ALLOWED = "method_not_allowed"
"""The name of a route that refuses its method, since a route with a parameter would take the path."""

_MEANT = {alias: path for path, aliases in ALIASES.items() for alias in aliases}
_METHODS = {SUBMIT: "POST", STATUS: "GET"}
_PREFIX = re.compile(r"/*(?:api/)?(?:v\d/)*")
_SURPLUS = re.compile(r"/+((?:v1/+)*)")
_OPERATOR = ("/metrics", "/v1/accounts")
_DOUBLED = ("//", "/v1//", "/v1/v1/")
_ALIKE, _PARAMETER = 0.7, 0.1
"""How much alike two segments are at least, of 1, and what a parameter of a route counts."""

_LONGEST = 200

NOT_AVAILABLE = LocalizedText(
    "{path} 暂未提供，接口文档见 /docs", "{path} is not available on this gateway yet: see /docs"
)
DID_YOU_MEAN = LocalizedText(
    "路径不存在，应为 {path}；接口文档见 /docs", "Path not found: did you mean {path}? See /docs"
)
ONLY_VIDEOS = LocalizedText(
    "本网关不生成图片，请用 {path}；接口文档见 /docs", "This gateway makes no images, but videos: use {path}. See /docs"
)


def all_paths(path: str) -> tuple[str, ...]:
    """A path of ours with its aliases, each also without `/v1`."""
    known = (path, *ALIASES.get(path, ()))
    return (*known, *(alias.removeprefix("/v1") for alias in known))


def normalized(path: str) -> str:
    """A path without a slash at its end, a doubled slash or a doubled `/v1` at its beginning.

    The operator's paths have one spelling, so that the rules of a proxy that closes them hold.

    >>> normalized("/v1/v1/videos/"), normalized("//v1/videos"), normalized("/")
    ('/v1/videos', '/v1/videos', '/')
    """
    found = path
    if path.startswith(_DOUBLED):
        surplus = _SURPLUS.match(path)
        if surplus is not None:
            found = ("/v1/" if surplus[1] else "/") + path[surplus.end() :]
    found = found.rstrip("/") or "/"
    return path if found.startswith(_OPERATOR) else found


class NormalizePath:
    """Normalises the path of each request, and takes the path prefix off that a reverse proxy has left. Plain ASGI, in
    front of everything that reads the path. Links get the prefix from `link_to`.

    A proxy may take the prefix off as well, and health checks have none: so it is optional, and `check_root_path`
    refuses one that is a path of ours.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        """`root_path` has no slash at its end."""
        self._app = app
        self._root_path = root_path
        self._prefix = f"{root_path}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            given: str = scope["path"]
            path = given
            if self._root_path:
                scope["root_path"] = self._root_path
                if path.startswith(self._prefix) or path == self._root_path:
                    path = path[len(self._root_path) :] or "/"
            if path[-1:] == "/" or path.startswith(_DOUBLED):
                path = normalized(path)
            if path is not given:
                scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def link_to(scope: Scope, path: str) -> str:
    """A link to a path of ours, without scheme and host: right under every name that the gateway has."""
    return f"{scope.get('root_path', '')}{path}"


def redirect_of_page(scope: Scope) -> Response | None:
    """The redirect for a page whose path has a slash at its end, None for one without: its links are relative to the
    path without a slash, so that they work behind a proxy that adds a prefix."""
    if not scope.get("raw_path", b"").endswith(b"/"):
        return None
    return RedirectResponse(f"../{scope['path'].rpartition('/')[2]}", 308)


def check_root_path(root_path: str, routes: Iterable[BaseRoute]) -> None:
    """Raises SettingsError for a path prefix that is the beginning of a path of ours: requests would be ambiguous.

    Aliases do not count: with /video only the alias /video/generations is lost, and only where a proxy takes the prefix
    off. It is also served as /v1/video/generations.
    """
    aliases = tuple(path for main in ALIASES for path in all_paths(main))
    for route in routes:
        path = getattr(route, "path", "")
        if root_path and f"{path}/".startswith(f"{root_path}/") and not path.startswith(aliases):
            raise SettingsError(
                f"root_path: {root_path} is the beginning of the gateway's own path {path}: use another"
            )


def allowed_methods(path: str, routes: Iterable[BaseRoute]) -> list[str]:
    """The methods of a path: of the routes that have it literally, else of those whose parameters fit it."""
    known = [route for route in routes if isinstance(route, Route) and route.name != NOT_ALLOWED]
    literal = [route for route in known if route.path == path]
    fitting = literal or [route for route in known if route.path_regex.match(path)]
    return sorted({method for route in fitting for method in route.methods or ()})


def path_error(method: str, path: str, routes: Iterable[BaseRoute], *, exists: bool = False) -> GatewayError | None:
    """The error (404) that names the right path for a near miss; None for a path that is like none of `routes`.

    `exists` says that the path has a route for another method, such as `POST /v1/videos/generation`, which is also the
    path of a video: then only another path is one.
    """
    known = [route for route in routes if isinstance(route, Route)]
    if len(path) > _LONGEST or any(route.path == path for route in known):
        return None
    rest = _PREFIX.sub("", path, count=1)
    for pattern, ours in OTHER_SURFACES:
        if re.fullmatch(pattern, rest):
            if not ours:
                return GatewayError("not_found", NOT_AVAILABLE, values={"path": f"{method} /v1/{rest}"})
            text = ONLY_VIDEOS if rest.startswith("images") else DID_YOU_MEAN
            return GatewayError("not_found", text, values={"path": f"{_METHODS[ours]} {ours}"})
    nearest = _nearest(method, rest, known, other=exists)
    return GatewayError("not_found", DID_YOU_MEAN, values={"path": f"{method} {nearest}"}) if nearest else None


def _nearest(method: str, rest: str, routes: Iterable[Route], *, other: bool) -> str | None:
    """The path of the route that takes `method` and is most alike, segment by segment. With `other` a path that is the
    route's own is none."""
    segments = rest.split("/")
    best, found = 0.0, None
    for route in routes:
        path = route.path if route.include_in_schema else _MEANT.get(route.path, "")
        if method not in (route.methods or ()) or _METHODS.get(path, method) != method or not path:
            continue
        likeness, own = _likeness(segments, _PREFIX.sub("", route.path, count=1).split("/"))
        if likeness > best and not (own and other):
            best, found = likeness, path
    return found


def _likeness(segments: list[str], template: list[str]) -> tuple[float, bool]:
    """How much a path is like a template, at most 1 for each segment, 0 where it is not; and whether it is its own."""
    if len(segments) != len(template):
        return 0.0, False
    total, own = 0.0, True
    for given, known in zip(segments, template, strict=True):
        if known.startswith("{"):
            total += _PARAMETER
            continue
        alike = 1.0 if given == known else SequenceMatcher(None, given.lower(), known).ratio()
        if alike < _ALIKE:
            return 0.0, False
        total, own = total + alike, own and given == known
    return total, own
