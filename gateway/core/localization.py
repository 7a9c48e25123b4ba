"""Localization: messages in the language of a client, states and invalid fields described, the language chosen."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, cast

from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, Queue, TaskState

Language = Literal["zh", "en"]

_STATES: dict[Phase, LocalizedText] = {
    Phase.QUEUED: LocalizedText("排队中", "Queued"),
    Phase.PROCESSING: LocalizedText("视频生成中", "Generating the video"),
    Phase.POST_PROCESSING: LocalizedText("后期处理中", "Post-processing"),
    Phase.FINALIZING: LocalizedText("即将完成", "Almost finished"),
    Phase.COMPLETED: LocalizedText("视频生成完成", "Video finished"),
    Phase.FAILED: LocalizedText("生成失败", "The generation failed"),
}

_POSITION = LocalizedText("，第 {position} 位", ", position {position}")
_ETA = LocalizedText("，预计 {eta}", ", about {eta} left")
_HOURS = LocalizedText("{count} 小时", "{count} h")
_MINUTES = LocalizedText("{count} 分钟", "{count} min")
_SECONDS = LocalizedText("{count} 秒", "{count} s")

_THIS_VALUE: dict[Language, str] = {"zh": "该值", "en": "this value"}
_MAX_PROBLEMS = 20
_MAX_HEADER = 256
_MAX_VALUE_LENGTH = 60

_PROBLEMS: dict[FieldReason, tuple[LocalizedText, LocalizedText]] = {
    FieldReason.NOT_ALLOWED: (
        LocalizedText("{param}：不支持{value}", "{param}: {value} is not supported"),
        LocalizedText("，可选：{allowed}", "; allowed: {allowed}"),
    ),
    FieldReason.UNSUPPORTED: (
        LocalizedText("{param}：此模型不支持该参数", "{param}: not supported by this model"),
        LocalizedText("，支持：{allowed}", "; supported: {allowed}"),
    ),
    FieldReason.UNKNOWN: (
        LocalizedText("{param}：没有该参数", "{param}: there is no such field"),
        LocalizedText("，您是否要用：{allowed}", "; did you mean: {allowed}"),
    ),
    FieldReason.MISSING: (
        LocalizedText("{param}：缺少必填参数", "{param}: required"),
        LocalizedText("，可用组合：{allowed}", "; allowed: {allowed}"),
    ),
    FieldReason.CONFLICT: (
        LocalizedText("{param}：与其他参数冲突", "{param}: conflicts with another field"),
        LocalizedText("，可用：{allowed}", "; allowed: {allowed}"),
    ),
    FieldReason.TOO_MANY: (
        LocalizedText("{param}：素材过多", "{param}: too many inputs"),
        LocalizedText("，此模型最多 {allowed} 个", "; at most {allowed} for this model"),
    ),
    FieldReason.BROKEN: (
        LocalizedText(
            "{param}：该{value} 文件不完整或已损坏，请重新上传",
            "{param}: this {value} file is incomplete or damaged: send it again",
        ),
        LocalizedText("", ""),
    ),
    FieldReason.TOO_LONG: (
        LocalizedText("{param}：文本过长，长度为{value} 个字符", "{param}: too long at {value} characters"),
        LocalizedText("，此模型最多 {allowed} 个字符", "; at most {allowed} for this model"),
    ),
}


def localize(text: LocalizedText, language: Language, **values: object) -> str:
    """Localize and format a message. Values that are messages are localized too."""
    template = text.zh if language == "zh" else text.en
    shown = {
        key: localize(value, language) if isinstance(value, LocalizedText) else value for key, value in values.items()
    }
    return template.format(**shown) if values else template


def format_text(text: LocalizedText, **values: object) -> LocalizedText:
    """Format a message in both languages. Values that are messages are localized too."""
    return LocalizedText(localize(text, "zh", **values), localize(text, "en", **values))


def format_duration(seconds: float) -> LocalizedText:
    """Format a duration, rounded to hours, minutes or seconds."""
    if seconds >= 5400:
        return format_text(_HOURS, count=round(seconds / 3600))
    if seconds >= 90:
        return format_text(_MINUTES, count=round(seconds / 60))
    return format_text(_SECONDS, count=max(1, round(seconds)))


def format_bytes(size: int) -> str:
    """Format a size in binary units: 20 MB is 20 × 1024 × 1024 bytes.

    >>> format_bytes(20 * 1024 * 1024)
    '20 MB'
    """
    for unit, bytes in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size >= bytes:
            return f"{round(size / bytes, 1):g} {unit}"
    return f"{size} B"


def choose_language(accept_language: str, default: Language) -> Language:
    """Negotiate the language from an Accept-Language header, of which the first 256 characters count. `default` where
    it accepts neither."""
    return _choose_language(accept_language[:_MAX_HEADER], default)


@lru_cache(256)
def _choose_language(accept_language: str, default: Language) -> Language:
    best: tuple[float, Language] | None = None
    for part in accept_language.split(","):
        name, _, quality = part.strip().partition(";")
        primary = name.strip().lower().partition("-")[0]
        if primary not in ("zh", "en"):
            continue
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        if weight > 0 and (best is None or weight > best[0]):
            best = (weight, cast(Language, primary))
    return best[1] if best else default


def describe_problems(problems: Sequence[FieldProblem], language: Language) -> str:
    """Join the messages of the invalid fields, at most _MAX_PROBLEMS, with the allowed values."""
    separator = "；" if language == "zh" else "; "
    return separator.join(_describe_problem(problem, language) for problem in problems[:_MAX_PROBLEMS])


def _describe_problem(problem: FieldProblem, language: Language) -> str:
    problem_text, allowed_text = _PROBLEMS[problem.reason]
    value = problem.value[:_MAX_VALUE_LENGTH]
    # Chinese typography: a space before Latin text, none before Chinese.
    shown = f" {value}" if language == "zh" and value and value.isascii() else value or _THIS_VALUE[language]
    text = localize(problem_text, language, param=problem.param, value=shown)
    if problem.hint:
        return f"{text}{'。' if language == 'zh' else '. '}{localize(problem.hint, language)}"
    if problem.allowed:
        text += localize(allowed_text, language, allowed=", ".join(problem.allowed))
    return text


def describe_state(state: TaskState, language: Language) -> str:
    """The message of a task: its note, else its phase with the queue position and ETA."""
    if state.note:
        return localize(state.note, language)
    text = localize(_STATES[state.phase], language)
    if state.queue:
        text += localize(_POSITION, language, position=state.queue.position) + _describe_eta(state.queue, language)
    return text


def _describe_eta(queue: Queue, language: Language) -> str:
    if not queue.eta_seconds:
        return ""
    return localize(_ETA, language, eta=localize(format_duration(queue.eta_seconds), language))
