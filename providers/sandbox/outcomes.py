"""The words that choose what happens. A prompt, a credential or a file that contains one orders its outcome.

    "a cat #slow #fail=2003"     takes ten times as long, then ends failed with code 2003
    "a cat #status=500 #times=1" the first submit of this prompt is answered 500, the second goes through

A file has its words anywhere in its first bytes, such as a PNG's text or a JPEG's comment: `#unsafe`.

Unknown words are left alone, since real prompts have hashtags of their own.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

Upstream = Literal["jimeng", "dashscope", "chat"]
TaskRef = Literal["refusal", "answer", "task", "poll", "link", "count", "file", "credential"]
Directives = dict[str, str]

VIDEO: tuple[Upstream, ...] = ("jimeng", "dashscope")
JIMENG: tuple[Upstream, ...] = ("jimeng",)
DASHSCOPE: tuple[Upstream, ...] = ("dashscope",)
ALL: tuple[Upstream, ...] = ("jimeng", "dashscope", "chat")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One word. `argument`: "" none; "number" and "status" (400 to 599) required; "code" a text,
    `default` when left out."""

    directive: str
    does: str
    place: TaskRef
    argument: Literal["", "number", "status", "code"] = ""
    default: str = ""
    upstreams: tuple[Upstream, ...] = VIDEO

    @property
    def pattern(self) -> str:
        """The word as a person types it."""
        mark = "" if self.place == "credential" else "#"
        return mark + self.directive + {"": "", "number": "=N", "status": "=500", "code": "=CODE"}[self.argument]


OUTCOMES: tuple[Outcome, ...] = (
    Outcome("refuse", "submit refused with this ret or code", "refusal", "code", upstreams=ALL),
    Outcome("throttle", "submit refused: too frequent (ret 1057, 429 Throttling.RateQuota)", "refusal", upstreams=ALL),
    Outcome("status", "submit answered with this HTTP status, not accepted", "refusal", "status", upstreams=ALL),
    Outcome(
        "retire", "the model leaves its site: refused with ret 2061, no longer listed", "refusal", upstreams=JIMENG
    ),
    Outcome("redirect", "submit answered 302, not accepted", "refusal"),
    Outcome("html-before", "submit answered with an HTML page, not accepted", "refusal"),
    Outcome("lost-before", "connection closed without an answer, not accepted", "refusal", upstreams=ALL),
    Outcome("hang-before", "never answered, not accepted", "refusal"),
    Outcome("lost", "accepted, connection closed without an answer", "answer"),
    Outcome("status-after", "accepted, answered with this HTTP status", "answer", "status"),
    Outcome("html", "accepted, answered with an HTML page", "answer"),
    Outcome("empty", "accepted, answered 200 with an empty body", "answer"),
    Outcome("noid", "accepted, answered 200 without a task id", "answer"),
    Outcome("halfjson", "accepted, the answer is half a JSON text", "answer"),
    Outcome("cut", "accepted, the connection breaks in the middle of the answer", "answer"),
    Outcome("drip", "accepted, the answer drips in over seconds", "answer"),
    Outcome("hang", "accepted, never answered", "answer"),
    Outcome("delay", "accepted, answered after N seconds", "answer", "number"),
    Outcome("fail", "ends failed with this code, credits given back", "task", "code"),
    Outcome("fail-number", "the same, the code a JSON number", "task", "code", "2038", JIMENG),
    Outcome(
        "fail-key",
        "ends failed with this fail_starling_key and no code",
        "task",
        "code",
        "web_text_violates_community_guidelines_toast",
        JIMENG,
    ),
    Outcome("slow", "takes ten times as long", "task"),
    Outcome("seconds", "takes N seconds", "task", "number"),
    Outcome("pending", "waits in the queue for ever (and can be cancelled where that exists)", "task"),
    Outcome("stuck", "is processed for ever", "task"),
    Outcome("state", "reports this state while it is processed", "task", "code", "SUSPENDED"),
    Outcome("nourl", "finishes without a URL", "task"),
    Outcome(
        "form", "result in an older form: transcoded (360p, 720p keys) or origin", "task", "code", "origin", JIMENG
    ),
    Outcome("nohd", "the best-quality call fails", "task", upstreams=JIMENG),
    Outcome("lag", "becomes visible ten times later", "task", upstreams=JIMENG),
    Outcome("vanish", "is forgotten by the upstream once it is processed", "task"),
    Outcome("nocancel", "a cancel is refused although the task still waits", "task"),
    Outcome("poll-status", "status calls answered with this HTTP status", "poll", "status"),
    Outcome("poll-500", "status calls answered 500", "poll"),
    Outcome("poll-429", "status calls throttled (ret 1057, 429 Throttling.RateQuota)", "poll"),
    Outcome("poll-refuse", "status calls refused with this ret or code", "poll", "code"),
    Outcome("poll-html", "status calls answered with an HTML page", "poll"),
    Outcome("poll-empty", "status calls answered 200 with an empty body", "poll"),
    Outcome("poll-halfjson", "status calls answered with half a JSON text", "poll"),
    Outcome("poll-lost", "status calls lose their connection", "poll"),
    Outcome("poll-drip", "status calls drip in over seconds", "poll"),
    Outcome("poll-hang", "status calls are never answered", "poll"),
    Outcome("link-expired", "the result links have expired already", "link"),
    Outcome("link-404", "the result links lead to nothing", "link"),
    Outcome("link-500", "the result links answer 500", "link"),
    Outcome("link-cut", "downloads break in the middle", "link"),
    Outcome(
        "times", "the troubles of submit or upload strike only the first N of this prompt or file", "count", "number"
    ),
    Outcome("poll-times", "the status troubles strike only the first N status calls of this task", "count", "number"),
    Outcome("unsafe", "in a file: refused for its content (ret 2039, 400 DataInspectionFailed)", "file"),
    Outcome("shaky", "in a picture: its safety check itself fails (ret 2002)", "file", upstreams=JIMENG),
    Outcome("lost-upload", "in a file: connection closed during its upload", "file"),
    Outcome("bad-upload", "in a file: its upload answered 500", "file"),
    Outcome("expired", "login or key not valid (ret 1015, 401 InvalidApiKey)", "credential", upstreams=ALL),
    Outcome("poor", "no money (ret 1006, 400 Arrearage)", "credential"),
    Outcome("banned", "account closed (ret 1018, 403 AccessDenied.Unpurchased)", "credential"),
    Outcome("shark", "risk control (ret 1019, 429 Throttling.BurstRate)", "credential"),
    Outcome("limited", "the day is used up (ret 121101, 429 Throttling.AllocationQuota)", "credential"),
    Outcome(
        "exhausted",
        "the week of a token plan is used up (429 Throttling.AllocationQuota)",
        "credential",
        upstreams=DASHSCOPE,
    ),
    Outcome("peak", "submits refused at peak time (ret 1310)", "credential", upstreams=JIMENG),
    Outcome("noregion", "submits refused in this region (ret 3000)", "credential", upstreams=JIMENG),
    Outcome(
        "elsewhere", "the account is at home in Singapore: ret 1015 on other sites", "credential", upstreams=JIMENG
    ),
    Outcome("relogin", "credit calls want a new login (ret 34010105)", "credential", upstreams=JIMENG),
    Outcome(
        "noproof", "abroad: refused without browser proofs (ret -6, grant 34070104)", "credential", upstreams=JIMENG
    ),
)

_BY_WORD = {row.directive: row for row in OUTCOMES if row.place not in ("credential", "file")}
_MARKS = {row.directive: f"#{row.directive}".encode() for row in OUTCOMES if row.place == "file"}
_MARK_TIMES = re.compile(rb"#times=(\d{1,6})")
_CREDENTIAL_WORDS = tuple(row.directive for row in OUTCOMES if row.place == "credential")
_HASHTAG = re.compile(r"#([a-z0-9]+(?:-[a-z0-9]+)*)(?:=([A-Za-z0-9_./-]*[A-Za-z0-9_]))?", re.ASCII)
_REQUIRED = {"number": re.compile(r"\d+(\.\d+)?"), "status": re.compile(r"[45]\d\d")}


def _read(prompt: str) -> Iterator[tuple[str, str]]:
    for directive, value in _HASHTAG.findall(prompt):
        row = _BY_WORD.get(directive)
        if row is None:
            continue
        required = _REQUIRED.get(row.argument)
        if required is None or required.fullmatch(value):
            yield directive, value or row.default


def read_directives(prompt: str) -> Directives:
    """The known words of a prompt with their values ("" where there is none), in the order given."""
    return dict(_read(prompt))


def read_marks(head: bytes) -> Directives:
    """The words of a file by its first bytes, and `times` where they have a number. What follows a word does not
    matter: it is some byte of the file."""
    marks = {directive: "" for directive, mark in _MARKS.items() if mark in head}
    times = _MARK_TIMES.search(head) if marks else None
    return marks | {"times": times[1].decode()} if times else marks


def without(directives: Directives, *places: TaskRef) -> Directives:
    """The same words without those of the given places."""
    return {directive: value for directive, value in directives.items() if _BY_WORD[directive].place not in places}


def credential_word(credential: str) -> str:
    """The word a credential carries as one of its dash-separated parts: `sk-poor-1` → `poor`; else ""."""
    parts = credential.split("-")
    return next((directive for directive in _CREDENTIAL_WORDS if directive in parts), "")


def table() -> list[dict[str, object]]:
    """The whole table for printing: pattern, word, does, place, argument, default, upstreams."""
    return [{"pattern": row.pattern, **asdict(row)} for row in OUTCOMES]
