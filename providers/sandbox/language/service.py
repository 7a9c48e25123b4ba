"""What the two OpenAI-shaped services have in common: routes, keys, checks, faults, and the answer as a stream."""

import abc
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from providers.sandbox.answers import close_connection, hang, pause, rejection, with_quotes
from providers.sandbox.context import SandboxContext
from providers.sandbox.directives import Directives, read_directives
from providers.sandbox.language.completions import Json, complete, said, words
from providers.sandbox.language.embeddings import vector
from providers.sandbox.language.prompts import pictures_in
from providers.sandbox.state import bearer_of

_CALL_FAULTS: dict[str, ASGIApp] = {
    "hang": hang,
    "status": Response("status 503 as ordered", 503, media_type="text/plain"),
}
_STREAM_FAULTS = ("cut", "fail")
"""Kinds of `#say` that are no answer: as `#hang-before`, `#status`, `#cut` and `#fail`, which videos have as well."""

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


class Refused(Exception):  # noqa: N818
    """`headers` are those of the error response."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """`dimensions` are the lengths of a vector, the default first. `rows` is the most texts of a request."""

    dimensions: tuple[int, ...]
    rows: int


class LanguageService(abc.ABC):
    """A service below `prefix`. `chat_models` maps names to whether they think; `stream_only` are models that refuse an
    answer that is not streamed, `seeing` those that take pictures."""

    prefix: ClassVar[str]
    owner: ClassVar[str]
    chat_models: ClassVar[dict[str, bool]]
    embedding_models: ClassVar[dict[str, EmbeddingModel]]
    other_models: ClassVar[tuple[str, ...]] = ()
    stream_only: ClassVar[frozenset[str]] = frozenset()
    seeing: ClassVar[frozenset[str]] = frozenset()
    throttled: ClassVar[str]

    def __init__(self, context: SandboxContext) -> None:
        self._settings = context.settings
        self._clock = context.clock
        self._ledger = context.ledger
        self._faults: Counter[tuple[str, str]] = Counter()

    def routes(self) -> list[Route]:
        return [
            Route(f"{self.prefix}/chat/completions", self._guarded(self._chat), methods=["POST"]),
            Route(f"{self.prefix}/embeddings", self._guarded(self._embed), methods=["POST"]),
            Route(f"{self.prefix}/models", self._guarded(self._list), methods=["GET"]),
            Route(f"{self.prefix}/{{path:path}}", self._guarded(self._nothing), methods=["GET", "POST"]),
        ]

    @abc.abstractmethod
    def error(self, refused: Refused) -> Response:
        """An error response in the service's form."""

    @abc.abstractmethod
    def check_key(self, key: str) -> None:
        """Raises Refused for a key that is not valid."""

    @abc.abstractmethod
    def check_account(self, key: str, model: str) -> None:
        """Raises Refused for an account that may not call the model now, as its key says."""

    @abc.abstractmethod
    def unknown_model(self, name: object) -> Refused: ...

    @abc.abstractmethod
    def check_chat(self, body: Json, model: str) -> None:
        """Raises Refused for fields that the service checks beside the messages."""

    def refusal(self, code: str) -> Refused:
        """What `#refuse=CODE` means."""
        return Refused(429 if code == self.throttled else 400, code, f"The request was refused with {code}.")

    def invalid(self, message: str) -> Refused:
        return Refused(400, "invalid_parameter_error", message)

    def _guarded(self, call: Callable[[Json, str], ASGIApp]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> ASGIApp:
            text, key = await request.body(), bearer_of(request.headers)
            try:
                self.check_key(key)
                answer = call(self._object(text) if request.method == "POST" else {}, key)
            except Refused as refused:
                answer = self.error(refused)
            return with_quotes(answer, key)

        return endpoint

    def _object(self, text: bytes) -> Json:
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            raise self.invalid("The request body must be a JSON object.")
        return body

    def _chat(self, body: Json, key: str) -> ASGIApp:
        model = str(body.get("model"))
        if model not in self.chat_models:
            raise self.unknown_model(body.get("model"))
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
            raise self.invalid("messages must be a list with at least one message")
        self.check_chat(body, model)
        if model in self.stream_only and not body.get("stream"):
            raise self.invalid(
                "This model only support stream mode, please enable the stream parameter to access the model."
            )
        self.check_account(key, model)
        directives = self._counted(key, said(messages))
        refused = rejection(directives, lambda code: self.error(self.refusal(code)), self.throttled, "invalid")
        if refused is not None:
            return refused
        if "quota" in directives:
            return self.error(self.daily_quota(model))
        self._ledger.record_submit("chat", key)
        self._ledger.record_body("chat", key, body)
        thinks = bool(body.get("enable_thinking", self.chat_models[model]))
        say = directives.get("say", "")
        if say in _CALL_FAULTS:
            return _CALL_FAULTS[say]
        if pictures_in(messages) and model not in self.seeing:
            raise self.invalid(f"The model {model} does not support image input.")
        answer = complete(body, model, self._clock(), thinks=thinks, say=say)
        if body.get("stream"):
            options = body.get("stream_options") or {}
            events = answer.events(include_usage=bool(options.get("include_usage")))
            faults = directives | {name: "" for name in _STREAM_FAULTS if name == say}
            return _streamed(events, faults, self._settings.drip_seconds, len(words(answer.text)) + 4)
        return _delayed(self.json(answer.whole()), directives)

    def daily_quota(self, model: str) -> Refused:
        return Refused(429, "insufficient_quota", f"You have exceeded today's quota for model {model}")

    def json(self, body: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        all_headers = {"X-Request-ID": str(uuid.uuid4()), **(headers or {})}
        return Response(orjson.dumps(body), status, all_headers, media_type="application/json")

    def _counted(self, key: str, text: str) -> Directives:
        """The directives of a message, without its faults once `#times=N` requests had them."""
        directives = read_directives(text)
        if "times" in directives:
            self._faults[key, text] += 1
            if self._faults[key, text] > float(directives["times"]):
                return {}
        return directives

    def _embed(self, body: Json, key: str) -> ASGIApp:
        name, given = str(body.get("model")), body.get("input")
        model = self.embedding_models.get(name)
        if model is None:
            raise self.unknown_model(body.get("model"))
        rows = [given] if isinstance(given, str) else given
        if not isinstance(rows, list) or not rows or not all(isinstance(one, str) and one for one in rows):
            raise self.invalid("Value error, contents is neither str nor list of str.: input.contents")
        if len(rows) > model.rows:
            raise self.invalid(
                f"Value error, batch size is invalid, it should not be larger than {model.rows}.: input.contents"
            )
        # The service documents `float` only; OpenAI's libraries ask for `base64` and take either.
        if body.get("encoding_format", "float") not in ("float", "base64"):
            raise self.invalid("encoding_format must be float")
        dimensions = body.get("dimensions", model.dimensions[0])
        if dimensions not in model.dimensions:
            raise self.invalid(f"dimensions must be one of {list(model.dimensions)}")
        self.check_account(key, name)
        directives = self._counted(key, rows[0])
        refused = rejection(directives, lambda code: self.error(self.refusal(code)), self.throttled, "invalid")
        if refused is not None:
            return refused
        self._ledger.record_submit("chat", key)
        self._ledger.record_body("chat", key, body)
        data = [
            {"object": "embedding", "index": index, "embedding": vector(text, dimensions)}
            for index, text in enumerate(rows)
        ]
        tokens = sum(len(words(text)) for text in rows)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return self.json({"object": "list", "model": name, "data": data, "usage": usage, "id": str(uuid.uuid4())})

    def _list(self, body: Json, key: str) -> ASGIApp:
        names = (*self.chat_models, *self.embedding_models, *self.other_models)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": self.owner} for name in names]
        return self.json({"object": "list", "data": data})

    def _nothing(self, body: Json, key: str) -> ASGIApp:
        raise Refused(404, "not_found", "This path does not exist.")


def _is_message(one: object) -> bool:
    if not isinstance(one, dict) or one.get("role") not in _ROLES:
        return False
    return one.get("content") is None or isinstance(one["content"], str | list)


def _delayed(answer: Response, directives: Directives) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await pause(receive, float(directives.get("delay") or 0))
        await answer(scope, receive, send)

    return app if "delay" in directives else answer


def _streamed(events: Iterator[bytes], directives: Directives, drip_seconds: float, count: int) -> ASGIApp:
    """A stream of events: at once, with `#drip` over seconds, with `#cut` broken after the third event, and with
    `#fail` ended there by an error event."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = Response(media_type="text/event-stream", headers={"Cache-Control": "no-cache"}).raw_headers
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        await pause(receive, float(directives.get("delay") or 0))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, event in enumerate(events):
            if number == 3 and "cut" in directives:
                await close_connection(scope, receive)
                return
            if number == 3 and "fail" in directives:
                error = {"error": {"message": "The service broke down.", "code": directives["fail"] or "internal"}}
                await send({"type": "http.response.body", "body": b"data: " + orjson.dumps(error) + b"\n\n"})
                return
            if number and "drip" in directives:
                await pause(receive, drip_seconds / count)
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app
