"""A probe's report: the structure of the upstream's responses without personal data."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.server.probe_report import Exchange, RecordingClient, Redaction, probe
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import ListedTask, Phase, Result, TaskState
from providers.transport.transports import Reply
from tests.upstream import DiscoveringProvider, ScriptedProvider, card, provider_error

SECRET = "5e55101d0123456789abcdef"
ACCOUNT = Account("scripted", SECRET, region="cn", cookie=f"sessionid={SECRET}; odin=o-secret-7")


def redacted(value: Any) -> Any:
    return Redaction(ACCOUNT).value(value)


def exchanged(value: Any, url: str = "https://h/x") -> dict[str, Any]:
    return Redaction(ACCOUNT).exchange(Exchange("POST", url, {}, Reply(200, json.dumps(value).encode())))


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "success",
        "dreamina_seedance_45_pro",
        "seedance_25_720p_output",
        "720p",
        "16:9",
        "first_frame",
        "{resolution}",
        "",
        None,
        True,
        20,
        0.4,
        4000,
    ],
)
def test_field_names_and_enum_values_are_kept(value: Any) -> None:
    assert redacted({"x": value}) == {"x": value}


def test_messages_of_the_upstream_are_kept() -> None:
    report = {
        "errmsg": "模型已不可用，请刷新界面后再试试",
        "fail_starling_message": "你已取消生成，积分已返还",
        "message": "Requests rate limit exceeded",
        "model_name": "即梦 Seedance 2.5",
    }
    assert redacted(report) == report


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "a cat"),
        ("description", "一只猫在沙滩上奔跑"),
        ("description", "running"),
        # A part of a prompt with references, as a draft writes it.
        ("text", "let the person sing"),
        ("text", "sing"),
        ("title", "Holidays"),
        ("name", "bob.png"),
        ("author", "bob"),
        ("x", "my cat at home"),
        ("nickname", "bob"),
        ("screen_name", "bob"),
        ("user_id", "1000001"),
        ("mobile", 13800000000),
        ("uid", 1000001),
        ("session_token", "STS2x"),
        ("api_key_id", "100001"),
        ("history_record_id", "9481700000001"),
        ("id", 7600000000001),
        ("vid", "v02aaa0123456789abcdef0123"),
        ("submit_id", "0b5b6c3e-9d6f-5d5e-8d5e-1f2e3d4c5b6a"),
        ("x", "0385dc79-5ff8-4275-a30d-25daff24c6c0"),
        ("main_url", "aHR0cHM6Ly92My5leGFtcGxlLmNvbS92aWRlby9hLm1wND94LWV4cGlyZXM9MQ=="),
        ("errmsg", f"session {SECRET} is gone"),
        ("x", SECRET),
        ("x", "o-secret-7"),
        ("x", "-o-secret-7-"),
    ],
)
def test_personal_data_is_redacted(field: str, value: Any) -> None:
    text = json.dumps(redacted({field: value}), ensure_ascii=False)
    assert str(value) not in text
    assert SECRET not in text
    assert "o-secret-7" not in text


AWKWARD = Account(
    "scripted", "Abc-Def_Ghi.12345", proxy="http://bob:p%40ss word@h:1", cookie="odin_tt=o%2Fdd; passport=zz_top"
)


@pytest.mark.parametrize(
    ("answer", "private"),
    [
        ({"title": "a cat on the moon"}, "cat"),
        ({"author": {"name": "Alice"}}, "Alice"),
        ({"x": "a cat on the moon"}, "cat"),
        ({"a cat on the moon": 1}, "cat"),
        ({"小明": 1}, "小明"),
        ({"errmsg": "mail bob@example.com"}, "bob"),
        ({"errmsg": "call 138 0013 8000"}, "0013"),
        ({"errmsg": "from 203.0.113.7"}, "203.0"),
        ({"errmsg": 'not JSON {"prompt":"a king"}'}, "king"),
        ({"errmsg": ' {"prompt":"a king"}'}, "king"),
        ({"verification_code": "483920"}, "483920"),
        ({"user_status": "on holiday with Anna"}, "Anna"),
        ({"prompt_message": "a king"}, "king"),
        ({"item": {"prompt": "a red king"}, "reason": "the text a red king is refused"}, "king"),
        ({"draft": '{"prompt":"a red king"}', "reason": "the text a red king is refused"}, "king"),
        ({"url": "https://h.example/v?eyJhbGciOi"}, "eyJ"),
        ({"x": "see https://h/?a=b&my secret words"}, "secret"),
        ({"x": "YSBjYXQgcnVucw"}, "YSBj"),
        ({"x": "AKTPabc12XyZ9"}, "AKTP"),
        ({"client_ip": "203.0.113.7"}, "113"),
        ({"vip_credit": 777}, "777"),
        ({"lat": 31.2304}, "31.2"),
        ({"errmsg": "auth p@ss word failed"}, "p@ss"),
        ({"errmsg": "auth p%40ss failed for bob:p%40ss word"}, "p%40ss word"),
        ({"errmsg": "o/dd is bad"}, "o/dd"),
        ({"errmsg": "ABC-DEF_GHI.12345 is gone"}, "12345"),
        ({"x": "Abc%2DDef_Ghi.12345"}, "12345"),
        ({"errmsg": "QWJjLURlZl9HaGkuMTIzNDU= is gone"}, "QWJj"),
        ({"errmsg": "clear \x1b[2J\x9b2J the screen"}, "\x9b"),
    ],
)
def test_personal_data_is_redacted_at_any_depth(answer: Any, private: str) -> None:
    exchange = Exchange("POST", "https://h/x", {}, Reply(200, json.dumps(answer).encode()))
    report = Redaction(AWKWARD).exchange(exchange)["answer"]
    assert private not in json.dumps(report, ensure_ascii=False)


def test_endless_object_is_truncated() -> None:
    report = redacted({f"field_{number}": 1 for number in range(1000)})
    assert len(report) == 201
    assert report["<more>"] == 800


def test_link_shows_its_host_and_the_names_of_its_query() -> None:
    link = "https://v3.example.com/1/2/a.mp4?x-expires=1788036238&x-signature=abc%2F"
    assert redacted({"video_url": link}) == {"video_url": "<link v3.example.com ?x-expires,x-signature>"}
    assert redacted({"uri": "tos-cn-i-x/0123456789abcdef0123"}) == {"uri": "<text of 31>"}


def test_json_inside_a_text_is_parsed_and_redacted() -> None:
    inside = json.dumps({"video_list": {"video_1": {"main_url": "a" * 60}}, "status": 10})
    assert redacted({"video_model": inside}) == {
        "video_model": {"<JSON text>": {"video_list": {"video_1": {"main_url": "<text of 60>"}}, "status": 10}}
    }


def test_ids_as_keys_are_redacted() -> None:
    assert redacted({"9481700000001": {"status": 20}}) == {"<id>": {"status": 20}}


def test_exchange_shows_its_path_without_ids_and_query_names() -> None:
    report = exchanged({"ret": "0"}, f"https://h/api/v1/tasks/0385dc79-5ff8-4d82-bcb6-0123456789ab?token={SECRET}&aid=")
    assert report == {
        "method": "POST",
        "path": report["path"],
        "query": ["token", "aid"],
        "body": {},
        "status": 200,
        "answer": {"ret": "0"},
    }
    assert report["path"].startswith("/api/v1/tasks/<id>")
    assert report["path"] == "/api/v1/tasks/<id>"


def test_response_that_is_no_json_is_counted() -> None:
    reply = Reply(404, b"<html>secret</html>")
    report = Redaction(ACCOUNT).exchange(Exchange("POST", "https://h/x", None, reply))
    assert report["answer"] == "<19 bytes that are no JSON>"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(anything)
def test_any_response_gives_json_without_secrets(value: Any) -> None:
    text = json.dumps(redacted(value))
    assert SECRET not in text
    assert not re.search(r"(?<![\d.])\d{17}", text)


class ProbedProvider(DiscoveringProvider):
    """Supports every call of a probe."""

    login: ProviderError | None = None

    async def check(self, account: Account) -> None:
        if self.login:
            raise self.login

    async def credits(self, account: Account) -> Credits:
        return Credits(gift=66)

    async def list(self, account: Account, *, before: float | None, limit: int) -> list[ListedTask]:
        return [ListedTask(TaskState(id, Phase.COMPLETED, created_at=1.0), "key") for id in ("t-1", "t-2")]


def probed_provider() -> ProbedProvider:
    provider = ProbedProvider({"cn": [card("video-3.0", "scripted")]})
    provider.states = {"t-1": TaskState("t-1", Phase.COMPLETED, created_at=1.0, result=Result("https://h/v.mp4"))}
    return provider


async def test_probe_makes_every_uncharged_call_and_no_submit() -> None:
    provider = probed_provider()
    async with RecordingClient() as http:
        report = await probe(provider, ACCOUNT, http)
    assert [call["call"] for call in report["calls"]] == ["check", "models", "credits", "list", "query"]
    assert all(call["ok"] for call in report["calls"])
    assert provider.asked == [(SECRET, ("t-1", "t-2"))]
    assert provider.submitted == []
    read = {call["call"]: call["read"] for call in report["calls"]}
    assert read["models"][0]["name"] == "video-3.0"
    assert read["credits"] == "some"
    assert read["query"][0]["result"]["link"]
    assert read["query"][1] == {"error": "task_not_found", "code": ""}
    assert SECRET not in json.dumps(report)


async def test_failed_call_is_reported() -> None:
    provider = probed_provider()
    provider.login = provider_error(ErrorKind.INVALID_CREDENTIAL, "1015", f"login error of {SECRET}")
    async with RecordingClient() as http:
        report = await probe(provider, ACCOUNT, http)
    first = report["calls"][0]
    assert (first["ok"], first["read"]["error"], first["read"]["code"]) == (False, "invalid_credential", "1015")
    assert SECRET not in json.dumps(report)
    assert len(report["calls"]) == 5


async def test_parsed_values_are_redacted_and_nothing_breaks_a_report() -> None:
    provider = probed_provider()
    provider.login = provider_error(ErrorKind.UPSTREAM_ERROR, "a cat on the moon", "clear \x1b[2J")
    provider.states = {"t-1": TaskState("t-1", Phase.PROCESSING, model="a cat on the moon")}
    provider.listed["cn"] = [card("a cat on the moon", "scripted")]

    async def broken(account: Account) -> Credits:
        raise RecursionError("a cat on the moon")

    provider.credits = broken  # type: ignore[method-assign]
    async with RecordingClient() as http:
        report = await probe(provider, ACCOUNT, http)
    assert "cat" not in json.dumps(report)
    assert "\\u001b" not in json.dumps(report)
    assert report["calls"][2]["read"]["error"] == "RecursionError"
    assert len(report["calls"]) == 5


async def test_provider_without_such_calls_has_an_empty_report() -> None:
    async with RecordingClient() as http:
        assert (await probe(ScriptedProvider(), ACCOUNT, http))["calls"] == []


async def test_charged_call_is_never_sent() -> None:
    async with RecordingClient() as http:
        with pytest.raises(AssertionError):
            await http.send("POST", "http://127.0.0.1:9/x", headers={}, once=True)
