"""What an upstream is: the values that travel between the gateway and a provider, and the protocol of a provider.

Read this file first. A request goes down as a `VideoRequest`, `settle` checks it against a `ModelCard`, a `Provider`
submits it with an `Account` and gives a `Submission`. A poll asks `Provider.query` and gets for each id a `TaskState`
or a `ProviderError`. Nothing here does I/O or knows a clock.

Units everywhere: seconds (also for times: unix seconds, UTC), pixels, bytes.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from providers.files import MediaFile, MediaKind


class Words(NamedTuple):
    """One sentence for a person, in the two languages the gateway speaks."""

    zh: str
    en: str


# --- errors -----------------------------------------------------------------------------------------------------


class Blame(StrEnum):
    """Whose trouble a failure is. It decides what happens next: back to the caller, on to the next account, or wait."""

    CALLER = "caller"
    ACCOUNT = "account"
    UPSTREAM = "upstream"


class ErrorKind(StrEnum):
    """The kinds of failure an upstream can report, whatever its own numbers are.

    CALLER                     ACCOUNT                    UPSTREAM
    ├─ INVALID_REQUEST         ├─ INVALID_CREDENTIAL      ├─ GENERATION_FAILED
    ├─ CONTENT_REFUSED         ├─ NO_CREDITS              ├─ UPSTREAM_ERROR
    ├─ MODEL_NOT_FOUND         ├─ RATE_LIMITED            ├─ UPLOAD_FAILED
    ├─ TASK_NOT_FOUND          ├─ TOO_MANY_RUNNING        ├─ UNREACHABLE
    ├─ NOT_CANCELLABLE         ├─ RESTRICTED              └─ ANSWER_LOST
    └─ CANCELLED               └─ NOT_ENTITLED

    On a submit, every kind but ANSWER_LOST means that surely nothing was created and nothing was charged.
    """

    INVALID_REQUEST = "invalid_request"
    CONTENT_REFUSED = "content_refused"
    MODEL_NOT_FOUND = "model_not_found"
    TASK_NOT_FOUND = "task_not_found"
    NOT_CANCELLABLE = "not_cancellable"
    CANCELLED = "cancelled"

    INVALID_CREDENTIAL = "invalid_credential"
    NO_CREDITS = "no_credits"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_RUNNING = "too_many_running"
    RESTRICTED = "restricted"
    """Risk control or punishment. Asking again makes it worse."""
    NOT_ENTITLED = "not_entitled"
    """This account may not use this model or feature."""

    GENERATION_FAILED = "generation_failed"
    UPSTREAM_ERROR = "upstream_error"
    """The upstream answered, and the answer is a refusal nobody can place, or no answer one can read."""
    UPLOAD_FAILED = "upload_failed"
    """An input did not arrive. It can be sent again: uploads are not charged."""
    UNREACHABLE = "unreachable"
    """No connection came about: nothing was sent."""
    ANSWER_LOST = "answer_lost"
    """Something was sent and no usable answer came: the upstream may or may not have acted on it."""

    @property
    def blame(self) -> Blame:
        return _BLAME[self]


_BLAME: dict[ErrorKind, Blame] = {
    ErrorKind.INVALID_REQUEST: Blame.CALLER,
    ErrorKind.CONTENT_REFUSED: Blame.CALLER,
    ErrorKind.MODEL_NOT_FOUND: Blame.CALLER,
    ErrorKind.TASK_NOT_FOUND: Blame.CALLER,
    ErrorKind.NOT_CANCELLABLE: Blame.CALLER,
    ErrorKind.CANCELLED: Blame.CALLER,
    ErrorKind.INVALID_CREDENTIAL: Blame.ACCOUNT,
    ErrorKind.NO_CREDITS: Blame.ACCOUNT,
    ErrorKind.RATE_LIMITED: Blame.ACCOUNT,
    ErrorKind.TOO_MANY_RUNNING: Blame.ACCOUNT,
    ErrorKind.RESTRICTED: Blame.ACCOUNT,
    ErrorKind.NOT_ENTITLED: Blame.ACCOUNT,
    ErrorKind.GENERATION_FAILED: Blame.UPSTREAM,
    ErrorKind.UPSTREAM_ERROR: Blame.UPSTREAM,
    ErrorKind.UPLOAD_FAILED: Blame.UPSTREAM,
    ErrorKind.UNREACHABLE: Blame.UPSTREAM,
    ErrorKind.ANSWER_LOST: Blame.UPSTREAM,
}


class FieldReason(StrEnum):
    """Why a field was refused."""

    NOT_ALLOWED = "not_allowed"
    """The value is not one of those in `allowed`."""
    UNSUPPORTED = "unsupported"
    """The model has no such field; `allowed` names what it has instead, if anything."""
    MISSING = "missing"
    """The model cannot do without it."""
    CONFLICT = "conflict"
    """It contradicts another field; `allowed` names the way out."""
    TOO_MANY = "too_many"
    """There are more than the number in `allowed`."""
    BROKEN = "broken"
    """A file of the type `value` that breaks off or is damaged."""
    TOO_LONG = "too_long"
    """A text of `value` characters; `allowed` is how many it may have."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One refused field of a request, with what the model would take, ready to be shown as it is.

    `hint` is a sentence on the way out, where there is more to say than what is allowed.
    """

    param: str
    reason: FieldReason
    allowed: tuple[str, ...] = ()
    value: str = ""
    hint: Words | None = None


class ProviderError(Exception):
    """What a provider raises, and what `query` gives for an id that has no state.

    `code` is the upstream's own number or word, kept as text. `words` is the sentence for people where the provider
    has one of its own for that code; `detail` is the upstream's own text, which may be empty and is never trusted.
    `retry_after` is in seconds, where the upstream named one.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *,
        code: str = "",
        words: Words | None = None,
        detail: str = "",
        fields: Sequence[FieldProblem] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind, code, detail)
        self.kind = kind
        self.code = code
        self.words = words
        self.detail = detail
        self.fields = tuple(fields)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.code, self.detail) if part)


_SHORTEST_SECRET = 4
"""Characters. What is shorter stands in many an innocent text."""
_TAG_DIGITS, _KEY_DIGITS = 12, 32

# --- accounts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """One upstream account. Its credential, proxy and cookie are never shown: `tag` stands for it everywhere.

    `name` is set for accounts that the operator named. `region` is the provider's own word for a site; empty where
    there is only one. `proxy` is the URL through which every call of this account goes. `cookie` is a whole Cookie
    header of the account's own, sent as it is in place of a made one.
    """

    provider: str
    credential: str = field(repr=False)
    name: str = ""
    region: str = ""
    proxy: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    tag: str = field(init=False)
    """12 hex digits, the same on every replica. A named account keeps its tag when its credential is replaced."""
    credential_tag: str = field(init=False)
    """The tag that the account has, or would have, without a name: tasks from before it was named carry it."""
    key: str = field(init=False, repr=False)
    """32 hex digits, the first of which are the tag: for what is remembered of an account. Tags are shown to everybody,
    and short enough that somebody could find a credential for one."""

    def __post_init__(self) -> None:
        digest = self._digest(self._credential_identity)
        object.__setattr__(self, "credential_tag", digest[:_TAG_DIGITS])
        if self.name:
            digest = self._digest(f"name:{self.name}")
        object.__setattr__(self, "tag", digest[:_TAG_DIGITS])
        object.__setattr__(self, "key", digest[:_KEY_DIGITS])

    @property
    def label(self) -> str:
        """What people call it by."""
        return self.name or self.tag

    @property
    def marks(self) -> tuple[str, ...]:
        """What an account proves itself by where no upstream is asked: 32 hex digits each, by its name where it has
        one, and by its credential. A tag, which everybody may see, is too short for that."""
        names = [f"name:{self.name}"] if self.name else []
        return tuple(self._digest(f"mark:{identity}")[:_KEY_DIGITS] for identity in (*names, self._credential_identity))

    @property
    def _credential_identity(self) -> str:
        return f"credential:{self.region}:{self.credential}"

    def _digest(self, identity: str) -> str:
        return hashlib.sha256(f"{self.provider}\0{identity}".encode("utf-8", "surrogateescape")).hexdigest()

    def redact(self, text: str) -> str:
        """`text` without this account's secrets: foreign text may quote what was sent, or a part of it."""
        if text:
            userinfo = (self.proxy or "").rpartition("@")[0].partition("://")[2]
            values = [pair.partition("=")[2] for pair in (self.cookie or "").split("; ")]
            for secret in (self.cookie, self.proxy, userinfo, userinfo.partition(":")[2], self.credential, *values):
                if secret and len(secret) >= _SHORTEST_SECRET:
                    text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True)
class Credits:
    """What an account has left to spend, in the upstream's own units, by where it came from."""

    gift: int = 0
    purchase: int = 0
    vip: int = 0

    @property
    def total(self) -> int:
        return self.gift + self.purchase + self.vip


# --- requests ---------------------------------------------------------------------------------------------------


class MediaRole(StrEnum):
    """What a picture, clip or sound is to the video. The words are those of the `media[]` protocol of DashScope."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"
    DRIVING_AUDIO = "driving_audio"
    FIRST_CLIP = "first_clip"
    VIDEO = "video"
    """The clip to be edited or brought to life, for models that work on one."""

    @property
    def kind(self) -> MediaKind:
        """What plays this role."""
        return _KIND_OF.get(self, MediaKind.IMAGE)


_KIND_OF = {
    MediaRole.REFERENCE_VIDEO: MediaKind.VIDEO,
    MediaRole.FIRST_CLIP: MediaKind.VIDEO,
    MediaRole.VIDEO: MediaKind.VIDEO,
    MediaRole.REFERENCE_AUDIO: MediaKind.AUDIO,
    MediaRole.DRIVING_AUDIO: MediaKind.AUDIO,
}


@dataclass(frozen=True, slots=True)
class Media:
    """One input besides the prompt: by URL (`https://…`, `oss://…`), or as a `file`, which goes before the URL.

    `role` is None where the caller only handed in "an image": the model's card then gives it its place.
    `param` is the field it came from, for error messages. `from_upstream` marks a URL that an upstream gave, as that of
    an earlier video, to be fetched by the `proxy` of its account: a client's own is fetched from public hosts only.
    """

    kind: MediaKind
    url: str = field(repr=False)
    param: str
    role: MediaRole | None = None
    file: MediaFile | None = None
    from_upstream: bool = False
    proxy: str | None = field(default=None, repr=False)
    read: Callable[[], Awaitable[AsyncIterator[bytes]]] | None = field(default=None, repr=False, compare=False)
    """Gives what the gateway has itself; it goes before everything else."""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """One wish for a video, as every surface parses it. None means: not said, the model's default.

    `size` is "WIDTHxHEIGHT". After `providers.settle.settle` the fields that the model knows are filled.
    `sound` is for the video to be made to: the client's `audio_url`. `shot_type` is `single` or `multi`.
    `reference_mode` asks for unlabelled media to be references rather than frames.
    `options` goes into the upstream's own parameters as it is, over everything else.
    """

    model: str
    prompt: str = ""
    duration: int | None = None
    ratio: str | None = None
    resolution: str | None = None
    size: str | None = None
    media: tuple[Media, ...] = ()
    reference_mode: bool = False
    negative_prompt: str | None = None
    seed: int | None = None
    prompt_extend: bool | None = None
    watermark: bool | None = None
    audio: bool | None = None
    sound: Media | None = None
    shot_type: str | None = None
    template: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    card: "ModelCard | None" = field(default=None, repr=False, compare=False)
    """The card that it was settled against: the model as the account's site has it now. None before that."""

    @property
    def has_files(self) -> bool:
        return any(item.file for item in self.media) or bool(self.sound and self.sound.file)

    def media_in(self, role: MediaRole) -> tuple[Media, ...]:
        return tuple(item for item in self.media if item.role is role)


class Submission(NamedTuple):
    """What a submit gave: the upstream's id, exactly as the upstream writes it.

    A submission that was looked up tells its model by the upstream's own name and its time, where they are known.
    """

    id: str
    model: str | None = None
    created_at: float | None = None


# --- states -----------------------------------------------------------------------------------------------------


class Phase(StrEnum):
    """Where a task is. Four of them are `processing` to a client; see `status`."""

    QUEUED = "queued"
    PROCESSING = "processing"
    POST_PROCESSING = "post_processing"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def status(self) -> str:
        """The client's word: pending, processing, completed or failed."""
        return _STATUS[self]

    @property
    def ended(self) -> bool:
        return self in (Phase.COMPLETED, Phase.FAILED)


_STATUS = {
    Phase.QUEUED: "pending",
    Phase.PROCESSING: "processing",
    Phase.POST_PROCESSING: "processing",
    Phase.FINALIZING: "processing",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Queue:
    """A place in the upstream's queue; None where the upstream does not say."""

    position: int
    length: int | None = None
    eta_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The finished video. `expires_at` is when the link stops working, where that is known."""

    url: str
    cover_url: str | None = None
    expires_at: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """What the upstream says of one task now.

    `progress` (0–95) is the figure that the wire facts name for this state; an estimate takes its place where
    `created_at` or `started_at` allow one. `note` is a sentence that belongs to this state rather than to its phase.
    `expected_seconds` is the upstream's own forecast of how long this phase lasts.
    `result` is there exactly when the phase is COMPLETED, `error` exactly when it is FAILED.
    """

    id: str
    phase: Phase
    progress: int = 0
    note: Words | None = None
    queue: Queue | None = None
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    expected_seconds: float | None = None
    model: str | None = None
    result: Result | None = None
    error: ProviderError | None = None


# --- models -----------------------------------------------------------------------------------------------------

OPTIONAL_FIELDS = (
    "negative_prompt",
    "seed",
    "prompt_extend",
    "watermark",
    "audio",
    "shot_type",
    "template",
)
"""The fields of a `VideoRequest` that only some models have."""

SOUND_FIELD = "audio_url"
"""The client's name of `VideoRequest.sound`, which only some models have as well."""


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What one input of a kind may be. What is empty or 0 is not limited here: the upstream is the judge.

    `types` are media types, `max_bytes` the size of the file. Of pictures and clips: `min_side` and `max_side` are the
    pixels that every side needs and may have, `max_aspect` how many times longer than the short side the long one may
    be. `no_alpha` refuses pictures with an alpha channel. Of clips and sounds: `min_seconds` and `max_seconds` bound
    each, `max_total_seconds` all of that kind together.
    """

    types: tuple[str, ...] = ()
    max_bytes: int = 0
    min_side: int = 0
    max_side: int = 0
    max_aspect: float = 0.0
    no_alpha: bool = False
    min_seconds: float = 0.0
    max_seconds: float = 0.0
    max_total_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one model can do. It settles requests, fills /v1/models and drives forms: said once.

    An empty `durations`, `resolutions` or `ratios` means that the model has no such choice, so that naming one is an
    error. The first of each is not the default: `duration`, `resolution`, `ratio` are.

    `sizes` maps resolution and ratio to "WIDTHxHEIGHT" for models that want pixels; without it `size` is only read
    as a way to say ratio and resolution.
    `media_sets` are the legal sets of inputs; the empty set in it means that text alone is enough.
    `media_limits` says how many of a role are taken (1 unless named here), `media_limits_with` the same where an input
    of another role is there, `media_total` how many in all, `references_total` how many references.
    `durations_with` are the lengths where an input of such a role is there, in place of `durations`: the empty tuple
    for a video that is as long as its input. `durations_at` are the lengths at a resolution that allows fewer of them.
    `nominal_sizes` are sizes in pixels that say a resolution and a ratio, for models that are told these two: what the
    family writes for 480p, 16:9 is 832x480, which no arithmetic finds.
    `input_ratios` are those of `ratios` that follow an input: with text alone they say nothing and are refused.
    `shape_from` are the roles whose picture gives the video its ratio, so that beside them there is none to choose.
    `always_on` are switches that the model has no say in: true is accepted and left out.
    `silent_with` are the roles beside which the video has no sound, so that `audio` may not be true.
    `takes_files` is False for an upstream that reads public addresses only: files, `data:` and `oss://` are refused.
    `max_prompt` and `max_negative_prompt` are characters, 0 for no limit known; a Chinese one counts as `han_weight`.
    `words_needed` says that no input stands in for the prompt; `prompt_options` are the options that do.
    `counted_options` are options that list things which count as inputs of a role.
    `media_hint` is said to whoever hands in what no set has.
    `media_files` says what one file of a kind may be; a kind that is missing is not limited here.
    `fetches_urls` is False for an upstream that reads no addresses: what is given by one is fetched for it, and every
    input reaches its provider as a file.
    `fields` are those of OPTIONAL_FIELDS that the model has, and SOUND_FIELD.
    `regions` are the sites that have the model; empty means all.
    `typical_seconds` is how long a generation usually takes: it drives the progress estimate and nothing else.
    `title` is the upstream's own name of the model for people, which clients may write as well.
    `available` is False for a model that the upstream lists and does not offer at the moment.
    `configured` marks a model of the gateway's own configuration: it is offered whatever the upstream lists.
    `wire` is the provider's own: what its requests say of the model beyond this card.
    `open` marks a model that no table knows: everything is passed on as it is, and the upstream is the judge.
    """

    name: str
    provider: str
    key: str = ""
    title: str = ""
    durations: tuple[int, ...] = ()
    duration: int | None = None
    resolutions: tuple[str, ...] = ()
    resolution: str | None = None
    ratios: tuple[str, ...] = ()
    ratio: str | None = None
    sizes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    media_sets: tuple[frozenset[MediaRole], ...] = (frozenset(),)
    media_limits: Mapping[MediaRole, int] = field(default_factory=dict)
    media_total: int | None = None
    references_total: int | None = None
    media_limits_with: Mapping[MediaRole, Mapping[MediaRole, int]] = field(default_factory=dict)
    durations_with: Mapping[MediaRole, tuple[int, ...]] = field(default_factory=dict)
    durations_at: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    nominal_sizes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    input_ratios: frozenset[str] = frozenset()
    shape_from: frozenset[MediaRole] = frozenset()
    always_on: frozenset[str] = frozenset()
    silent_with: frozenset[MediaRole] = frozenset()
    takes_files: bool = True
    max_prompt: int = 0
    max_negative_prompt: int = 0
    han_weight: int = 1
    words_needed: bool = False
    prompt_options: frozenset[str] = frozenset()
    counted_options: Mapping[str, MediaRole] = field(default_factory=dict)
    media_hint: Words | None = None
    media_files: Mapping[MediaKind, MediaLimits] = field(default_factory=dict)
    fetches_urls: bool = True
    prompt_needed: bool = True
    fields: frozenset[str] = frozenset()
    max_seed: int = 2**32 - 1
    regions: frozenset[str] = frozenset()
    typical_seconds: float = 120.0
    available: bool = True
    configured: bool = False
    wire: Any = field(default=None, repr=False)
    open: bool = False

    @property
    def roles(self) -> frozenset[MediaRole]:
        """Every kind of input the model takes in some set."""
        return frozenset().union(*self.media_sets)


# --- providers --------------------------------------------------------------------------------------------------


class Provider(Protocol):
    """An upstream. All calls raise ProviderError and nothing else.

    What an upstream can do besides this is said by the protocols below: a provider that cannot, does not define
    the method, and the gateway says so to the client.
    """

    @property
    def name(self) -> str:
        """The word in ids, accounts and `provider` fields: `jimeng`, `dashscope`."""

    @property
    def query_batch(self) -> int:
        """How many ids one upstream query may carry."""

    @property
    def regions(self) -> frozenset[str]:
        """The words that `Account.region` may hold."""

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        """The account of a credential as clients send it; None when it cannot be one of this upstream's.

        `named` says that the caller wrote this provider's name in front: then the usual prefix is not asked for.
        """

    def owns(self, native_id: str) -> bool:
        """True when an id has the shape of this upstream's ids."""

    def submitted_at(self, native_id: str) -> float | None:
        """The time of the submit, where the upstream's ids carry it."""

    def models(self) -> Sequence[ModelCard]:
        """Every model in the table, preferred ones first. A name may stand there several times, for other regions each
        time."""

    def card(self, model: str) -> ModelCard | None:
        """The card of a model by its name or the upstream's key, an open one for an unknown model of a known family,
        None for a stranger. A model that the table knows and no region has any more has a card, too."""

    async def submit(self, request: VideoRequest, account: Account, *, submit_key: str) -> Submission:
        """Start the generation of a settled request. **Charged.**

        `submit_key` is a UUID chosen by the gateway: for one account, the same key means the same submit.
        ANSWER_LOST is raised when the upstream may have accepted it; every other kind means that nothing was created.
        """

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
        """The state of each id. Not charged.

        An id that the upstream does not know maps to ProviderError(TASK_NOT_FOUND). Raised is what concerns the
        whole call: the way, the credential, the rate.
        """


@runtime_checkable
class CanDiscover(Protocol):
    """An upstream that tells which models an account's site has now. Absent: the table is all there is."""

    async def discover(self, account: Account) -> Sequence[ModelCard]:
        """The models that the account's site lists, in its order, read live. Not charged.

        A model of the table keeps the table's name; any other is called by the upstream's key. The answer is cached by
        the gateway, and the table counts where a call fails.
        """


@runtime_checkable
class CanUpload(Protocol):
    """An upstream to which inputs go ahead of the submit that uses them. Absent: a submit carries all of it."""

    async def upload(self, request: VideoRequest, account: Account) -> None:
        """Hand over the files of a settled request, so that the same request's submit finds them there.

        Not charged, and it may take long. Whatever is raised, nothing was created: it is never ANSWER_LOST.
        """


@runtime_checkable
class CanFind(Protocol):
    """An upstream where a submit can be looked up by its key. Absent: a lost answer stays unconfirmed."""

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        """The submission of a key, None when the upstream does not know it (yet)."""


@runtime_checkable
class CanCancel(Protocol):
    """An upstream that can cancel. Absent: the gateway answers 409 `not_cancellable`."""

    async def cancel(self, id: str, account: Account) -> None:
        """Cancel a task. Raises NOT_CANCELLABLE when it is too late."""


class ListedTask(NamedTuple):
    """A task as an upstream's list shows it: no result, but its time and often its model.

    `submit_key` is the one it was submitted with, "" where the upstream keeps none.
    """

    state: TaskState
    submit_key: str = ""


@runtime_checkable
class CanList(Protocol):
    """An upstream that lists an account's recent tasks. Absent: its tasks are known by their ids only."""

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        """Tasks of the account, newest first, that were created at or before `before` (unix seconds, None: now).

        At least `limit` of them where there are so many, in as few calls as the upstream's pages allow. Every state
        has `created_at`.
        """


@runtime_checkable
class CanCheck(Protocol):
    """An upstream that tells whether a login is alive. Absent: only a submit shows it."""

    async def check(self, account: Account) -> None:
        """Return when the login is alive. Raises INVALID_CREDENTIAL when the upstream refuses it. Not charged."""


@runtime_checkable
class CanTellCredits(Protocol):
    """An upstream that tells what an account has left. Absent: only a refused submit shows that it is nothing.

    Asking often is a risk to the account: it is done on request, and once after a submit was refused for want of
    credits.
    """

    async def credits(self, account: Account) -> Credits:
        """What is left now. Not charged."""


@runtime_checkable
class CanReceiveCredits(Protocol):
    """An upstream that gives credits away to whoever asks. Absent: there is nothing to receive."""

    async def receive_credits(self, account: Account) -> int:
        """Take today's gift and give its size; 0 when it was taken already."""
