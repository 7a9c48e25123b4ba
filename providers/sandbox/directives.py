"""Directives: words in a prompt, a credential or a file that choose the outcome.

    "a cat #slow #fail=2003"     takes ten times as long, then fails with code 2003
    "a cat #status=500 #times=1" the first submit of this prompt is answered 500, the second is accepted

A file has its directives anywhere in its first bytes, such as a PNG's text or a JPEG's comment: `#unsafe`.

Unknown hashtags are ignored: real prompts contain some.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

Upstream = Literal["jimeng", "dashscope", "chat"]
Stage = Literal["refusal", "answer", "task", "poll", "link", "count", "file", "credential"]
Directives = dict[str, str]

VIDEO: tuple[Upstream, ...] = ("jimeng", "dashscope")
JIMENG: tuple[Upstream, ...] = ("jimeng",)
DASHSCOPE: tuple[Upstream, ...] = ("dashscope",)
CHAT: tuple[Upstream, ...] = ("chat",)
ALL: tuple[Upstream, ...] = ("jimeng", "dashscope", "chat")


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive. `stage` is what it affects. `argument`: "" none; "number" and "status" (400 to 599) required;
    "code" a text, `default` if omitted."""

    directive: str
    description: str
    stage: Stage
    argument: Literal["", "number", "status", "code"] = ""
    default: str = ""
    upstreams: tuple[Upstream, ...] = VIDEO

    @property
    def pattern(self) -> str:
        """The directive as it is typed."""
        prefix = "" if self.stage == "credential" else "#"
        return prefix + self.directive + {"": "", "number": "=N", "status": "=500", "code": "=CODE"}[self.argument]


DIRECTIVES: tuple[Directive, ...] = (
    Directive("refuse", "submit refused with this ret or code", "refusal", "code", upstreams=ALL),
    Directive(
        "throttle", "submit refused: too frequent (ret 1057, 429 Throttling.RateQuota)", "refusal", upstreams=ALL
    ),
    Directive(
        "refuse-inside", "submit answered ret 0 without a task, with this fail_code", "refusal", "code", "2047", JIMENG
    ),
    Directive(
        "refuse-key",
        "the same with this fail_starling_key and no code or sentence",
        "refusal",
        "code",
        "web_text_violates_community_guidelines_toast",
        JIMENG,
    ),
    Directive("refuse-sentence", "the same with a sentence alone", "refusal", upstreams=JIMENG),
    Directive("refuse-benefit", "submit refused: invalid parameter, under ret 1006", "refusal", upstreams=JIMENG),
    Directive("status", "submit answered with this HTTP status, not accepted", "refusal", "status", upstreams=ALL),
    Directive(
        "retire", "the model leaves its site: refused with ret 2061, no longer listed", "refusal", upstreams=JIMENG
    ),
    Directive("redirect", "submit answered 302, not accepted", "refusal"),
    Directive("html-before", "submit answered with an HTML page, not accepted", "refusal"),
    Directive("lost-before", "connection closed without an answer, not accepted", "refusal", upstreams=ALL),
    Directive("hang-before", "never answered, not accepted", "refusal", upstreams=ALL),
    Directive("quota", "refused: today's quota of the model is used up", "refusal", upstreams=CHAT),
    Directive(
        "say",
        "answers with: junk, empty, refusal, long, thought, filtered; or fails: cut, fail, status, hang",
        "answer",
        "code",
        "junk",
        CHAT,
    ),
    Directive("lost", "accepted, connection closed without an answer", "answer"),
    Directive("status-after", "accepted, answered with this HTTP status", "answer", "status"),
    Directive("html", "accepted, answered with an HTML page", "answer"),
    Directive("empty", "accepted, answered 200 with an empty body", "answer"),
    Directive("noid", "accepted, answered 200 without a task id", "answer"),
    Directive("halfjson", "accepted, the answer is half a JSON text", "answer"),
    Directive("cut", "accepted, the connection breaks in the middle of the answer", "answer", upstreams=ALL),
    Directive("drip", "accepted, the answer drips in over seconds", "answer", upstreams=ALL),
    Directive("hang", "accepted, never answered", "answer"),
    Directive("delay", "accepted, answered after N seconds", "answer", "number", upstreams=ALL),
    Directive(
        "fail",
        "fails with this code, credits refunded; chat: an error event in the stream",
        "task",
        "code",
        upstreams=ALL,
    ),
    Directive("fail-number", "the same, the code a JSON number", "task", "code", "2038", JIMENG),
    Directive(
        "fail-key",
        "fails with this fail_starling_key and no code",
        "task",
        "code",
        "web_text_violates_community_guidelines_toast",
        JIMENG,
    ),
    Directive("slow", "takes ten times as long", "task"),
    Directive("seconds", "takes N seconds", "task", "number"),
    Directive("pending", "stays queued forever (and can be cancelled if the upstream can)", "task"),
    Directive("stuck", "stays in processing forever", "task"),
    Directive("state", "reports this state while processing", "task", "code", "SUSPENDED"),
    Directive("nourl", "finishes without a URL", "task"),
    Directive(
        "form", "result in an older form: transcoded (360p, 720p keys) or origin", "task", "code", "origin", JIMENG
    ),
    Directive("nohd", "the best-quality call fails", "task", upstreams=JIMENG),
    Directive("short-id", "its id has 14 digits, which do not tell its time", "task", upstreams=JIMENG),
    Directive("lag", "becomes visible ten times later", "task", upstreams=JIMENG),
    Directive("vanish", "is forgotten by the upstream once processing starts", "task"),
    Directive("lapse", "is not found while it is processed, and found again at its end", "task"),
    Directive("nocancel", "a cancel is refused although the task is still queued", "task"),
    Directive("poll-status", "status calls answered with this HTTP status", "poll", "status"),
    Directive("poll-500", "status calls answered 500", "poll"),
    Directive("poll-429", "status calls throttled (ret 1057, 429 Throttling.RateQuota)", "poll"),
    Directive("poll-refuse", "status calls refused with this ret or code", "poll", "code"),
    Directive("poll-html", "status calls answered with an HTML page", "poll"),
    Directive("poll-empty", "status calls answered 200 with an empty body", "poll"),
    Directive("poll-halfjson", "status calls answered with half a JSON text", "poll"),
    Directive("poll-lost", "status calls lose their connection", "poll"),
    Directive("poll-drip", "status calls drip in over seconds", "poll"),
    Directive("poll-hang", "status calls are never answered", "poll"),
    Directive("link-expired", "the result links have already expired", "link"),
    Directive("link-404", "the result links answer 404", "link"),
    Directive("link-500", "the result links answer 500", "link"),
    Directive("link-cut", "downloads break in the middle", "link"),
    Directive(
        "times",
        "submit and upload faults apply only to the first N of this prompt or file",
        "count",
        "number",
        upstreams=ALL,
    ),
    Directive("poll-times", "status faults apply only to the first N status calls of this task", "count", "number"),
    Directive("unsafe", "in a file: refused for its content (ret 2039, 400 DataInspectionFailed)", "file"),
    Directive("shaky", "in an image: its safety check fails (ret 2002)", "file", upstreams=JIMENG),
    Directive("lost-upload", "in a file: connection closed during its upload", "file"),
    Directive("bad-upload", "in a file: its upload answered 500", "file"),
    Directive("expired", "login or key not valid (ret 1015, 401 InvalidApiKey)", "credential", upstreams=ALL),
    Directive("poor", "no credits (ret 1006, 400 Arrearage), no calls left today", "credential", upstreams=ALL),
    Directive("banned", "account closed (ret 1018, 403 AccessDenied.Unpurchased)", "credential", upstreams=ALL),
    Directive(
        "shark", "risk control (ret 1019, 429 Throttling.BurstRate), rate limit (chat)", "credential", upstreams=ALL
    ),
    Directive(
        "limited",
        "daily limit reached (ret 121101, 429 Throttling.AllocationQuota), quota of each model used up (chat)",
        "credential",
        upstreams=ALL,
    ),
    Directive(
        "exhausted",
        "weekly quota of a token plan exhausted (429 Throttling.AllocationQuota)",
        "credential",
        upstreams=DASHSCOPE,
    ),
    Directive("nolist", "lists refused: no permission (403 AccessDenied)", "credential", upstreams=DASHSCOPE),
    Directive("peak", "submits refused at peak time (ret 1310)", "credential", upstreams=JIMENG),
    Directive("strange", "submits refused with a ret that is in no table (9527)", "credential", upstreams=JIMENG),
    Directive("signedout", "submits refused: login error (ret 34010105)", "credential", upstreams=JIMENG),
    Directive(
        "tight",
        "credits for videos of up to 5 seconds: longer ones refused with ret 1006",
        "credential",
        upstreams=JIMENG,
    ),
    Directive("badkeys", "the upload services refuse the keys that the site issues", "credential", upstreams=JIMENG),
    Directive("noregion", "submits refused in this region (ret 3000)", "credential", upstreams=JIMENG),
    Directive("elsewhere", "the account belongs to Singapore: ret 1015 on other sites", "credential", upstreams=JIMENG),
    Directive("relogin", "credit calls require a new login (ret 34010105)", "credential", upstreams=JIMENG),
    Directive(
        "noproof",
        "international sites: refused without browser parameters (ret -6, grant 34070104)",
        "credential",
        upstreams=JIMENG,
    ),
    Directive(
        "quoting", "beside another word: messages quote the credential, mostly in part", "credential", upstreams=ALL
    ),
)

_BY_NAME = {row.directive: row for row in DIRECTIVES if row.stage not in ("credential", "file")}
_FILE_TAGS = {row.directive: f"#{row.directive}".encode() for row in DIRECTIVES if row.stage == "file"}
_FILE_TIMES = re.compile(rb"#times=(\d{1,6})")
_CREDENTIAL_DIRECTIVES = tuple(row.directive for row in DIRECTIVES if row.stage == "credential")
_HASHTAG = re.compile(r"#([a-z0-9]+(?:-[a-z0-9]+)*)(?:=([A-Za-z0-9_./-]*[A-Za-z0-9_]))?", re.ASCII)
_REQUIRED = {"number": re.compile(r"\d+(\.\d+)?"), "status": re.compile(r"[45]\d\d")}


def _read(prompt: str) -> Iterator[tuple[str, str]]:
    for directive, value in _HASHTAG.findall(prompt):
        row = _BY_NAME.get(directive)
        if row is None:
            continue
        required = _REQUIRED.get(row.argument)
        if required is None or required.fullmatch(value):
            yield directive, value or row.default


def read_directives(prompt: str) -> Directives:
    """The directives of a prompt with their values ("" without one), in the order of the prompt."""
    return dict(_read(prompt))


def read_file_directives(head: bytes) -> Directives:
    """The directives in the first bytes of a file, and `times` if it has a number. Any byte may follow a directive."""
    directives = {directive: "" for directive, prefix in _FILE_TAGS.items() if prefix in head}
    times = _FILE_TIMES.search(head) if directives else None
    return directives | {"times": times[1].decode()} if times else directives


def without(directives: Directives, *stages: Stage) -> Directives:
    """The directives without those of the given stages."""
    return {directive: value for directive, value in directives.items() if _BY_NAME[directive].stage not in stages}


def credential_directive(credential: str) -> str:
    """The directive among the dash-separated parts of a credential: `sk-poor-1` → `poor`; else ""."""
    parts = credential.split("-")
    return next((directive for directive in _CREDENTIAL_DIRECTIVES if directive in parts), "")


def is_quoted(credential: str) -> bool:
    """True for a credential whose services quote it in their messages. It may have another directive as well."""
    return "quoting" in credential.split("-")


def table() -> list[dict[str, object]]:
    """The whole table as JSON: pattern, directive, does, place, argument, default, upstreams."""
    names = {"description": "does", "stage": "place"}
    return [
        {"pattern": row.pattern, **{names.get(name, name): value for name, value in asdict(row).items()}}
        for row in DIRECTIVES
    ]
