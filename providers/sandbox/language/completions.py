"""Chat completions: what the model says to a request, and its chunks.

The answer is "You said: " and the last user message, or "The tool said: " and the last message of a tool. Where a
request has tools and ends with a user message, the first function is called, or the one that `tool_choice` names. A
system message that asks for a video prompt gets one, see `prompts`.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from providers.sandbox.language.prompts import pictures_in, rewritten, spoiled

Json = dict[str, Any]

THOUGHT = "The user says something. I repeat it."


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model answers: a text, or calls of tools. `reasoning` is "" for a model that does not think."""

    head: Json
    text: str
    calls: tuple[Json, ...]
    reasoning: str
    usage: Json
    filtered: bool = False

    @property
    def finish_reason(self) -> str:
        if self.filtered:
            return "content_filter"
        return "tool_calls" if self.calls else "stop"

    def whole(self) -> Json:
        """The body of an answer that is not streamed."""
        message: Json = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [{"index": index, **call} for index, call in enumerate(self.calls)]
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": None}
        return {**self.head, "object": "chat.completion", "choices": [choice], "usage": self.usage}

    def events(self, *, include_usage: bool) -> Iterator[bytes]:
        """The events of a stream: the role, the reasoning, the words or the calls, the reason, the usage, `[DONE]`."""
        for delta, reason in self._deltas():
            choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
            yield _event({**self.head, "object": "chat.completion.chunk", "choices": [choice], "usage": None})
        if include_usage:
            yield _event({**self.head, "object": "chat.completion.chunk", "choices": [], "usage": self.usage})
        yield b"data: [DONE]\n\n"

    def _deltas(self) -> Iterator[tuple[Json, str | None]]:
        if self.reasoning:
            yield {"role": "assistant", "content": None, "reasoning_content": ""}, None
            for word in words(self.reasoning):
                yield {"content": None, "reasoning_content": word}, None
        else:
            yield {"role": "assistant", "content": ""}, None
        for index, call in enumerate(self.calls):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            begin = {**call, "index": index, "function": {"name": name, "arguments": ""}}
            yield {"content": None, "tool_calls": [begin]}, None
            half = len(arguments) // 2
            for part in (arguments[:half], arguments[half:]):
                yield {"content": None, "tool_calls": [{"index": index, "function": {"arguments": part}}]}, None
        for word in words(self.text):
            yield {"content": word}, None
        yield {"content": ""}, self.finish_reason


def complete(body: Json, model: str, now: float, *, thinks: bool, say: str = "") -> Completion:
    """The answer to a valid request. `say` is the kind of a spoiled answer."""
    messages = body["messages"]
    last = messages[-1]
    calls = _calls(body, said(messages)) if last.get("role") == "user" else ()
    prefix = "The tool said: " if last.get("role") == "tool" else "You said: "
    answer = "" if calls else prefix + (text_of(last.get("content")) if last.get("role") == "tool" else said(messages))
    system = "\n".join(text_of(one.get("content")) for one in messages if one.get("role") in ("system", "developer"))
    prompt = rewritten(system, said(messages), pictures_in(messages)) if not calls else None
    answer = spoiled(say, answer if prompt is None else prompt)
    given = sum(len(words(text_of(one.get("content")))) for one in messages)
    tokens = len(words(answer)) + sum(len(words(call["function"]["arguments"])) for call in calls)
    usage: Json = {"prompt_tokens": given, "completion_tokens": tokens, "total_tokens": given + tokens}
    if thinks:
        usage["completion_tokens_details"] = {"reasoning_tokens": len(words(THOUGHT))}
    head = {"id": f"chatcmpl-{uuid.uuid4()}", "created": int(now), "model": model, "system_fingerprint": None}
    return Completion(head, answer, calls, THOUGHT if thinks else "", usage, filtered=say == "filtered")


def said(messages: list[Json]) -> str:
    """The text of the last user message."""
    return next((text_of(one.get("content")) for one in reversed(messages) if one.get("role") == "user"), "")


def text_of(content: object) -> str:
    """A message's content: a text, or a list of parts whose texts count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text")


def words(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)


def _calls(body: Json, text: str) -> tuple[Json, ...]:
    choice, tools = body.get("tool_choice"), body.get("tools") or []
    if not tools or choice == "none":
        return ()
    name = choice["function"]["name"] if isinstance(choice, dict) else tools[0]["function"]["name"]
    function = next(tool["function"] for tool in tools if tool["function"]["name"] == name)
    properties = (function.get("parameters") or {}).get("properties") or {}
    arguments = {key: _argument(schema.get("type"), text) for key, schema in properties.items()}
    called = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    return ({"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": called},)


def _argument(kind: object, text: str) -> Any:
    return {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}.get(str(kind), text)


def _event(body: Json) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"
