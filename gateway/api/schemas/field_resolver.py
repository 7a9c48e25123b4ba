"""Resolve the fields of a request body: every name a client may use becomes ours, and nothing that decides the video or
its price is dropped.

Unknown fields that decide nothing are collected for the answer's `warnings`; the others are refused with the field that
the client may have meant. The names are those of `field_aliases`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.api.schemas import field_aliases as aliases
from gateway.api.schemas.body_parser import UnreadableFile
from gateway.api.schemas.field_aliases import InputField, ScalarField, field_of, fold, is_one_of
from gateway.api.schemas.field_values import (
    PIXELS,
    RATIO,
    TIER,
    comparable,
    is_blank,
    is_empty,
    is_random_seed,
    is_read_of_metadata,
    object_of,
    switch_of,
    tier_of,
    whole_number,
)
from gateway.api.schemas.media_fields import (
    Given,
    InputError,
    holds_inputs,
    is_address,
    read_inputs,
    shown_value,
)
from gateway.api.schemas.unknown_fields import (
    decides,
    holds_files,
    holds_media,
    holds_misplaced_inputs,
    input_names,
    is_misspelled,
    nearest_fields,
)
from gateway.core.errors import invalid
from gateway.core.localization import format_text
from gateway.core.messages import ERRORS
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.media_files import MediaFile, MediaKind

UnknownFields = Literal["check", "ignore", "refuse"]
"""What becomes of unknown fields: refused where they decide the video, ignored with a warning, or refused."""

MAX_WARNINGS = 20
MAX_FIELDS = 1000
"""Fields of one body, those in objects as well. To say what an unknown one may mean takes time."""
_MAX_NESTING = 4
_SHOWN_NAME = 64

_INPUT_ORDER = {declared.name: index for index, declared in enumerate(aliases.INPUTS)}


@dataclass(slots=True)
class ResolvedFields:
    """The fields of a body under our names.

    `scalars` are the values as the client wrote them, `names` the names under which they came, both by our name.
    `inputs` are in the order in which they come to the model. `ignored` are the names of ignored fields.
    """

    scalars: dict[str, Any] = field(default_factory=dict)
    inputs: list[tuple[InputField, str, Any]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    conflicts: list[FieldProblem] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)

    def media(self) -> list[Media]:
        """The inputs, read. An input under several names is one; twice in one field it is meant. What is wrong with
        them is added to `problems`, two inputs for one place to `conflicts`."""
        read: list[list[Media]] = []
        alone: dict[str, Media] = {}
        for declared, path, value in self.inputs:
            try:
                items = read_inputs(declared, path, value)
            except InputError as error:
                self.problems.append(error.problem(path))
                continue
            if items and items[0].role is None and not declared.many and not declared.numbered:
                other = alone.setdefault(declared.name, items[0])
                if _content(other) != _content(items[0]):
                    self.conflicts.append(_conflict(path, "", other.param, ""))
                    continue
            read.append(items)
        return self._without_repeats(read) if len(read) > 1 else read[0] if read else []

    def _without_repeats(self, read: list[list[Media]]) -> list[Media]:
        items = [item for one in read for item in one]
        if len({(item.file or item.url) for item in items} | {item.role for item in items}) == 2 * len(items):
            # Each is there once, and in a place of its own.
            return items
        placed: dict[Any, Media] = {}
        for items in read:
            for item in items:
                if item.role is not None:
                    placed.setdefault(_content(item), item)
        kept: list[Media] = []
        first: dict[Any, Media] = {}
        single: dict[Any, Media] = {}
        roles = [item.role for items in read for item in items]
        # A video that ends as it begins: the unlabelled image is the first frame, not the last one a second time.
        loop = roles.count(None) == 1 and MediaRole.LAST_FRAME in roles and MediaRole.FIRST_FRAME not in roles
        for items in read:
            for item in items:
                content = _content(item)
                known = first.get(content) or (placed.get(content) if item.role is None else None)
                if loop and item.role is None and known is not None and known.role is MediaRole.LAST_FRAME:
                    known = None
                if known is not None and known.param != item.param and (item.role is None or item.role is known.role):
                    continue
                if item.role in _SINGLE:
                    other = single.setdefault(item.role, item)
                    if other is not item and other.param != item.param:
                        self.conflicts.append(_conflict(item.param, "", other.param, ""))
                        continue
                first.setdefault(content, item)
                kept.append(item)
        return kept


_SINGLE = frozenset(declared.role for declared in aliases.INPUTS if declared.role is not None and not declared.many)


def _content(item: Media) -> Given:
    return item.file or item.url


def resolve_fields(body: Mapping[str, Any], unknown: UnknownFields = "check") -> ResolvedFields:
    """Resolve the fields of a body. Problems are collected in the result, for `refuse_problems`."""
    resolver = _Resolver(unknown)
    for name, value in body.items():
        resolver.add(name, value, name)
    return resolver.result()


class _Resolver:
    def __init__(self, unknown: UnknownFields) -> None:
        self._unknown = unknown
        self._found = ResolvedFields()
        self._sides: dict[str, tuple[str, Any]] = {}
        self._options: dict[str, Any] = {}
        self._added = 0

    def result(self) -> ResolvedFields:
        self._join_sides()
        self._join_options()
        self._found.inputs.sort(key=_place_of)
        return self._found

    def add(self, name: str, value: Any, path: str, container: str = "") -> None:
        """Add a field. `path` is its name with the objects it stands in, `parameters.size`, and `container` the last of
        these objects."""
        # A submit has few fields, but each costs: texts and numbers take the shortest way.
        text = type(value) is str
        if (not value or value.isspace()) if text else is_blank(value):
            return
        self._added += 1
        if self._added > MAX_FIELDS:
            if self._added == MAX_FIELDS + 1:
                self._found.problems.append(FieldProblem(path[:_SHOWN_NAME], FieldReason.UNKNOWN, hint=_TOO_MANY))
            return
        declared = field_of(name)
        if not text and is_empty(value) and not (isinstance(declared, ScalarField) and declared.name not in _OBJECTS):
            return
        if declared is None:
            self._add_other(name, value, path, container)
        elif isinstance(declared, InputField):
            self._add_input(declared, value, path)
        elif (":" in value if text else not isinstance(value, int)) and holds_misplaced_inputs(declared.name, value):
            # A model that has no use for the field would drop the input.
            hint = format_text(ERRORS["unknown_input"], fields=", ".join(input_names()))
            self._found.problems.append(FieldProblem(path, FieldReason.NOT_ALLOWED, hint=hint))
        elif declared.name in _TRANSLATED:
            self._add_scalar(declared, name, value, path, container)
        else:
            self._set(declared.name, value, path)

    def _add_input(self, declared: InputField, value: Any, path: str) -> None:
        if declared.kind is MediaKind.AUDIO and switch_of(value) is not None:
            self._set("audio", switch_of(value), path)
        else:
            self._found.inputs.append((declared, path, value))

    def _add_scalar(self, declared: ScalarField, name: str, value: Any, path: str, container: str = "") -> None:
        own = declared.name
        alias = own if name == own else fold(name)
        if alias in _SIDES:
            self._add_side(alias, value, path)
        elif alias in _TIERS:
            tier = tier_of(value)
            if tier is not None:
                self._set(own, tier, path)
            elif container in aliases.UPSTREAM_CONTAINERS:
                self._add_option(container, name, value, path)
            else:
                self._ignore(path)
        elif own in _SHAPES:
            self._add_shape(own, value, path)
        elif own == "seed" and is_random_seed(value):
            pass
        elif own == "audio" and (isinstance(value, dict | list | MediaFile | UnreadableFile) or is_address(value)):
            self._found.inputs.append((_AUDIO, path, value))
        elif own == "wait_completion" and alias == "async":
            switch = switch_of(value)
            self._set(own, value if switch is None else not switch, path)
        else:
            switch = switch_of(value) if own in _SWITCHES else None
            self._set(own, value if switch is None else switch, path)

    def _add_shape(self, own: str, value: Any, path: str) -> None:
        """Add a size, a ratio or a resolution: the value tells which of them it is, whatever the field is called."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        text = value.strip().lower() if isinstance(value, str) else ""
        ratio = RATIO.fullmatch(text)
        # 1x1 is a ratio where one is asked for, and a size that no model has where a size is.
        if ratio and (own != "size" or not any(sign in text for sign in "x×")):
            self._set("ratio", f"{ratio[1]}:{ratio[2]}", path)
        elif TIER.fullmatch(text):
            self._set("resolution", value, path)
        elif PIXELS.fullmatch(text):
            self._set("size", value, path)
        elif own != "size" or text != "auto":
            self._set(own, value, path)

    def _add_side(self, side: str, value: Any, path: str) -> None:
        other_path, said = self._sides.setdefault(side, (path, value))
        if comparable("duration", said) != comparable("duration", value):
            self._found.conflicts.append(_conflict(path, shown_value(value), other_path, shown_value(said)))

    def _join_sides(self) -> None:
        """`width` and `height` are a size; 0 in both is none."""
        if not self._sides:
            return
        for name in _SIDES:
            if name not in self._sides:
                [(path, _)] = self._sides.values()
                other = f"{path.rpartition('.')[0]}.{name}".lstrip(".")
                self._found.problems.append(FieldProblem(other, FieldReason.MISSING, hint=_SIDE_MISSING))
                return
        (path, width), (other_path, height) = self._sides["width"], self._sides["height"]
        across, down = whole_number(width), whole_number(height)
        if across == 0 and down == 0:
            return
        for side, side_path, value in ((across, path, width), (down, other_path, height)):
            if not side:
                self._found.problems.append(
                    FieldProblem(side_path, FieldReason.NOT_ALLOWED, ("720, 1280, …",), shown_value(value))
                )
                return
        self._set("size", f"{across}x{down}", path)

    def _set(self, own: str, value: Any, path: str) -> None:
        found = self._found
        if own in found.scalars:
            said = found.scalars[own]
            if comparable(own, said) != comparable(own, value):
                found.conflicts.append(_conflict(path, shown_value(value), found.names[own], shown_value(said)))
            return
        found.scalars[own] = value
        found.names[own] = path

    # --- other names -------------------------------------------------------------------------------------------------

    def _add_other(self, name: str, value: Any, path: str, container: str) -> None:
        if is_one_of(name, aliases.CONTAINERS) and (inner := object_of(value)) is not None:
            if path.count(".") >= _MAX_NESTING:
                self._found.problems.append(FieldProblem(path[:_SHOWN_NAME], FieldReason.UNKNOWN))
                return
            for key, item in inner.items():
                self.add(key, item, f"{path}.{key}", name.lower())
        elif container in aliases.UPSTREAM_CONTAINERS:
            self._add_option(container, name, value, path)
        elif name.lower() == aliases.LABELS and (labels := object_of(value)) is not None:
            self._add_labels(labels, path)
        elif is_one_of(name, aliases.COUNTS):
            if whole_number(value) != 1:
                self._found.problems.append(
                    FieldProblem(path, FieldReason.NOT_ALLOWED, ("1",), shown_value(value), _ONE_VIDEO)
                )
        elif is_one_of(name, aliases.MEANINGLESS) and not (name.lower() == "stream" and switch_of(value) is not False):
            if holds_media(value) if isinstance(value, str) else holds_inputs(value):
                self._refuse(name, value, path)
        else:
            self._add_unknown(name, value, path)

    def _add_labels(self, labels: Mapping[str, Any], path: str) -> None:
        """`metadata` holds labels of the client's own, and with some clients fields of the request."""
        for name, value in labels.items():
            own_path, declared = f"{path}.{name}", field_of(name)
            if is_blank(value) or is_empty(value):
                continue
            if is_one_of(name, aliases.CONTAINERS) and (inner := object_of(value)) is not None:
                for key, item in inner.items():
                    self.add(key, item, f"{own_path}.{key}", name.lower())
            elif isinstance(declared, InputField) and holds_inputs(value):
                self._found.inputs.append((declared, own_path, value))
            elif isinstance(declared, ScalarField) and is_read_of_metadata(declared.name, name, value):
                self._add_scalar(declared, name, value, own_path)
            elif holds_media(value):
                self._refuse(name, value, own_path)

    def _add_option(self, container: str, name: str, value: Any, path: str) -> None:
        """Add a field of the upstream's own protocol to its options, unless it is a misspelled field of ours."""
        if self._unknown == "refuse" or holds_files(value) or (self._unknown == "check" and is_misspelled(name)):
            self._refuse(name, value, path)
        elif container == "input":
            self._options.setdefault("input", {})[name] = value
        else:
            self._options[name] = value

    def _join_options(self) -> None:
        """The options of the upstream's own protocol, under those that `provider_options` names."""
        if not self._options:
            return
        named = object_of(self._found.scalars.get("provider_options", {}))
        if named is not None:
            joined = {**self._options, **named}
            if isinstance(named.get("input"), dict) and "input" in self._options:
                joined["input"] = {**self._options["input"], **named["input"]}
            self._found.scalars["provider_options"] = joined
            self._found.names.setdefault("provider_options", "parameters")

    def _add_unknown(self, name: str, value: Any, path: str) -> None:
        refused = self._unknown == "refuse" or (self._unknown == "check" and decides(name, value))
        if refused:
            self._refuse(name, value, path)
        else:
            self._ignore(path)

    def _ignore(self, path: str) -> None:
        if len(self._found.ignored) < MAX_WARNINGS:
            self._found.ignored.append(path[:_SHOWN_NAME])

    def _refuse(self, name: str, value: Any, path: str) -> None:
        nearest = nearest_fields(name, value)
        hint = None
        if holds_inputs(value) and nearest[:1] != ("webhook_url",):
            fields = ", ".join(nearest[:1] + tuple(shown for shown in input_names() if shown not in nearest[:1]))
            hint = format_text(ERRORS["unknown_input"], fields=fields)
        self._found.problems.append(FieldProblem(path[:_SHOWN_NAME], FieldReason.UNKNOWN, nearest, hint=hint))


_OBJECTS = frozenset({"provider_options"})
_SWITCHES = frozenset({"audio", "watermark", "prompt_extend"})
_SHAPES = frozenset({"size", "ratio", "resolution"})
_SIDES = ("width", "height")
_TIERS = ("quality", "mode")
_TRANSLATED = _SWITCHES | _SHAPES | {"wait_completion", "seed"}
"""Fields whose aliases or values say more than the field's own."""

_AUDIO = next(declared for declared in aliases.INPUTS if declared.name == "audio_url")
_SIDE_MISSING = LocalizedText(
    "width 与 height 需同时给出，或改用 size（如 1280x720）",
    "width and height go together; or send size, such as 1280x720",
)
_TOO_MANY = LocalizedText(f"字段过多，最多 {MAX_FIELDS} 个", f"There are too many fields: send at most {MAX_FIELDS}")
_LAST_NUMBER = re.compile(r"(\d+)(?:\[\])?$", re.ASCII)
_ONE_VIDEO = LocalizedText("一个任务只生成一个视频，多个请多次提交", "One task makes one video: submit once for each")


def _place_of(given: tuple[InputField, str, Any]) -> tuple[int, int]:
    declared, path, _ = given
    number = _LAST_NUMBER.search(path) if declared.numbered else None
    return _INPUT_ORDER[declared.name], int(number[1]) if number else 0


def refuse_problems(found: ResolvedFields) -> None:
    """Raises GatewayError (400) for what `resolve_fields` or `media` found wrong."""
    if found.problems:
        raise invalid([*found.problems, *found.conflicts])
    if found.conflicts:
        raise invalid(found.conflicts, code="conflict")


def _conflict(path: str, value: str, other: str, other_value: str) -> FieldProblem:
    """Two names of one field with different values."""
    meant = f"{other} = {other_value}" if other_value else other
    hint = LocalizedText(f"与 {meant} 含义相同而值不同，请只保留一个", f"It means the same as {meant}: send only one")
    return FieldProblem(path, FieldReason.CONFLICT, (meant,), value, hint)
