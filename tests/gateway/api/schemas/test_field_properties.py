"""Whatever a client sends is a request that drops nothing, or a refusal that names a field."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.schemas.field_aliases import (
    CONTAINERS,
    COUNTS,
    IGNORED,
    LABELS,
    MEANINGLESS,
    all_names,
    field_of,
    is_one_of,
)
from gateway.api.schemas.field_values import json_of
from gateway.api.schemas.media_fields import is_address, kind_by_address
from gateway.api.schemas.requests import Generation, parse_generation
from gateway.core.errors import GatewayError

DATA = "data:image/png;base64,iVBORw0KGgo="


addresses = st.builds(
    lambda kind, number: f"https://h/{number}.{kind}", st.sampled_from(["png", "mp4", "mp3", "x"]), st.integers(0, 9)
) | st.sampled_from([DATA, "data:video/mp4;base64,AAAA", "oss://b/k.png"])
texts_of_json = addresses.map(lambda address: json.dumps([{"url": address}]))
words = st.sampled_from(["", "720p", "16:9", "on", "text"])
scalars = texts_of_json | st.none() | st.booleans() | st.integers(-9, 9999) | words
values = st.recursive(
    addresses | scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["url", "image_url", "type", "role", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
special = st.sampled_from(sorted(MEANINGLESS | COUNTS | IGNORED | {"callbackUrl", "responseFormat"}))
names = st.sampled_from(sorted(all_names())) | special | st.text("abcdefgimnoprstuvz_", min_size=1, max_size=12)
bodies = st.dictionaries(names, values, max_size=4) | st.builds(
    lambda outer, name, inner: outer | {name: inner},
    st.dictionaries(names, values, max_size=2),
    st.sampled_from((*CONTAINERS, LABELS)),
    st.dictionaries(names, values, max_size=3),
)


def addresses_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from addresses_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from addresses_in(item)
    elif json_of(value) is not value:
        yield from addresses_in(json_of(value))
    elif is_address(value):
        yield value


def addresses_asked(parsed: Generation) -> set[str]:
    request = parsed.request
    media = [*request.media, *([request.sound] if request.sound else [])]
    texts = [request.model, request.prompt, request.negative_prompt, request.template, request.ratio, request.size]
    texts.append(parsed.webhook_url)
    found = addresses_in([dict(request.options), *texts])
    return {*(item.url for item in media), *found, *(text for text in texts if text)}


_IN_THE_PROMPT = ("shot_type", "camera_movement", "lighting", "motion_prompt")


def written_fields(body: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Name, path and value of every field, those in containers and in `metadata` as well."""
    for name, value in body.items():
        if name in (*CONTAINERS, LABELS) and isinstance(value, dict):
            yield from ((key, f"{name}.{key}", item) for key, item in value.items())
        else:
            yield name, name, value


def _as_option(parsed: Generation, path: str) -> Any:
    """What goes to the upstream among its own options for a field in `parameters` or `input`."""
    options, (container, _, name) = parsed.request.options, path.partition(".")
    return options.get("input", {}).get(name) if container == "input" else options.get(name)


@given(bodies)
def test_nothing_is_dropped_without_a_word(body: dict[str, Any]) -> None:
    with contextlib.suppress(GatewayError):
        parsed = parse_generation({"prompt": "p"} | body)
        asked, warned = addresses_asked(parsed), {warning.field for warning in parsed.warnings}
        for name, path, value in written_fields(body):
            labels = is_one_of(name, MEANINGLESS) or path.startswith(LABELS)
            if value in (None, "", [], {}) or name in _IN_THE_PROMPT:
                continue
            given = {address for address in addresses_in(value) if not labels or kind_by_address(address)}
            assert given <= asked
            if field_of(name) is None and not labels and not is_one_of(name, COUNTS) and name not in CONTAINERS:
                assert path in warned or _as_option(parsed, path) == value


@given(bodies)
def test_every_refusal_names_a_field(body: dict[str, Any]) -> None:
    refusal: GatewayError | None = None
    try:
        parse_generation({"prompt": "p"} | body)
    except GatewayError as error:
        refusal = error
    assert refusal is None or refusal.param
