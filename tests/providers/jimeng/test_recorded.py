"""Answers of the site, one file each with its source and date, through every parser that reads them.

Ids, links and keys in them are made up. A file whose source is a description is put together from the fields that the
description names.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from providers.contract.accounts import Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Queue, Result, TaskState
from providers.jimeng import history
from providers.jimeng.configuration import parse_configuration
from providers.jimeng.credits import parse_alive, parse_credits, parse_received
from providers.jimeng.provider import CANCEL_PATH
from providers.jimeng.results import best_choices, choose, with_better
from providers.jimeng.site.errors import envelope_error
from providers.jimeng.uploads import answers
from providers.jimeng.uploads.answers import StaleTokenError, UploadAddress, Uploaded, UploadToken
from providers.jimeng.uploads.sigv4 import SigningKeys
from providers.media_files import MediaKind
from providers.transport.transports import Reply

FOLDER = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
ID = "9481700000001"
SUBMIT_ID = "5b1f6a0e-7f2b-4c33-9d0c-1a2b3c4d5e6f"
KEYS = SigningKeys("AKTPexample", "c2VjcmV0", "STS2example")


class Recording(NamedTuple):
    source: str
    site: str
    date: str
    call: str
    answer: Any

    @property
    def envelope(self) -> history.Envelope:
        """The answer as the site's own calls open it."""
        opened = history.open_envelope(self.answer)
        assert opened
        return opened

    @property
    def result(self) -> Any:
        """The answer as ImageX and VOD write it."""
        return answers.open_result(Reply(200, orjson.dumps(self.answer)))


def recorded(name: str) -> Recording:
    return Recording(**orjson.loads((FOLDER / f"{name}.json").read_bytes()))


def state_of(name: str) -> TaskState:
    found = history.records(recorded(name).envelope.data, [ID])
    assert found
    return history.parse_record(ID, found[ID])


@pytest.mark.parametrize("name", NAMES)
def test_recording_has_a_source_and_is_small(name: str) -> None:
    recording = recorded(name)
    assert recording.source
    assert recording.site in ("cn", "us", "sg")
    assert recording.date[:3] == "202"
    assert recording.call
    # The configuration lists a model in a hundred lines.
    assert (FOLDER / f"{name}.json").stat().st_size < (49_152 if name.startswith("configuration") else 8192)


PARSERS: list[Callable[[Any], object]] = [
    lambda answer: history.open_envelope(answer),
    lambda answer: history.records(opened(answer), [ID]),
    lambda answer: history.parse_record(ID, answer if isinstance(answer, dict) else {}),
    lambda answer: history.parse_submit(opened(answer)),
    lambda answer: history.parse_history(opened(answer)),
    lambda answer: history.queue_entries(opened(answer), [ID]),
    lambda answer: best_choices(opened(answer)),
    lambda answer: parse_configuration(opened(answer)),
    choose,
    lambda answer: parse_credits(opened(answer)),
    lambda answer: parse_received(history.Envelope("0", "", opened(answer))),
    lambda answer: parse_alive(history.Envelope("0", "", opened(answer))),
    lambda answer: envelope_error("7", "", opened(answer)),
    lambda answer: answers.parse_token(opened(answer)),
    lambda answer: answers.open_result(Reply(200, orjson.dumps(answer))),
    lambda answer: answers.check_stored(Reply(200, orjson.dumps(answer))),
    lambda answer: answers.parse_image_address(opened(answer)),
    lambda answer: answers.parse_media_address(opened(answer)),
    lambda answer: answers.parse_image(opened(answer), MediaKind.IMAGE),
    lambda answer: answers.parse_media(opened(answer), MediaKind.VIDEO),
]


def refused_as(parse: Callable[[], object]) -> ErrorKind | None:
    try:
        parse()
    except ProviderError as error:
        return error.kind
    return None


def opened(answer: Any) -> Any:
    envelope = history.open_envelope(answer)
    return envelope.data if envelope else answer


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("name", NAMES)
def test_every_parser_reads_or_refuses_every_answer(name: str, parse: Callable[[Any], object]) -> None:
    assert refused_as(lambda: parse(recorded(name).answer)) in (None, ErrorKind.UPLOAD_FAILED)


# --- submits and refusals -----------------------------------------------------------------------------------------


def test_accepted_submit() -> None:
    envelope = recorded("submit_accepted").envelope
    assert envelope.ret == "0"
    answer = history.parse_submit(envelope.data)
    assert answer
    assert (answer.id, bool(answer.reason)) == (ID, False)


def test_submit_rejected_with_a_key_only() -> None:
    envelope = recorded("submit_refused_key_only").envelope
    answer = history.parse_submit(envelope.data)
    assert answer
    assert (envelope.ret, answer.id) == ("0", "")
    assert answer.reason.key == "web_text_violates_community_guidelines_toast"


REFUSALS = [
    ("submit_refused_parameters", "1000", ErrorKind.INVALID_REQUEST, "参数"),
    ("submit_refused_model_gone", "2061", ErrorKind.MODEL_NOT_FOUND, "不提供此模型"),
    ("submit_refused_no_credits", "1006", ErrorKind.NO_CREDITS, "积分不足"),
    ("submit_refused_peak", "1310", ErrorKind.TOO_MANY_RUNNING, "高峰期"),
    ("submit_refused_shark", "1019", ErrorKind.RESTRICTED, "风控"),
    ("submit_refused_risk", "4013", ErrorKind.RESTRICTED, "风控"),
    ("submit_refused_browser_proofs", "-6", ErrorKind.RESTRICTED, "X-Bogus"),
    ("submit_refused_permission", "3018", ErrorKind.RESTRICTED, "X-Bogus"),
    ("refused_login", "1015", ErrorKind.INVALID_CREDENTIAL, "登录已失效"),
    ("refused_login_commerce", "34010105", ErrorKind.INVALID_CREDENTIAL, "登录已失效"),
    ("refused_signature", "1014", ErrorKind.UPSTREAM_ERROR, "签名"),
    ("refused_page", "1014", ErrorKind.UPSTREAM_ERROR, "签名"),
    ("refused_punished", "1018", ErrorKind.RESTRICTED, "限制"),
    ("refused_download", "3020", ErrorKind.UPLOAD_FAILED, "素材"),
    ("refused_receive", "34070104", ErrorKind.RESTRICTED, "X-Bogus"),
    ("picture_refused", "2003", ErrorKind.CONTENT_REFUSED, "内容违规"),
]


@pytest.mark.parametrize(("name", "ret", "kind", "part"), REFUSALS)
def test_error_response(name: str, ret: str, kind: ErrorKind, part: str) -> None:
    envelope = recorded(name).envelope
    assert (envelope.ret, envelope.bare) == (ret, False)
    error = envelope_error(envelope.ret, envelope.errmsg, envelope.data)
    assert (error.kind, error.code) == (kind, ret)
    assert error.message
    assert part in error.message.zh
    assert bool(error.detail) is bool(envelope.errmsg)


def test_all_refusals_are_here() -> None:
    refused = {name for name in NAMES if recorded(name).answer.get("ret") not in ("0", 0, "", None)}
    assert refused == {name for name, *_ in REFUSALS}


# --- records ------------------------------------------------------------------------------------------------------


def test_queued_task() -> None:
    state = state_of("record_queued")
    assert (state.phase, state.queue) == (Phase.QUEUED, Queue(47460, 47460, 34023))
    assert (state.model, state.created_at) == ("dreamina_seedance_40_pro", 1770799601.029)
    found = history.records(recorded("record_queued").envelope.data, [SUBMIT_ID])
    assert found is not None
    assert history.record_id(found[SUBMIT_ID]) == ID


def test_running_task() -> None:
    state = state_of("record_running")
    assert (state.phase, state.progress, state.queue) == (Phase.PROCESSING, 50, None)


def test_finished_task() -> None:
    state = state_of("record_finished")
    assert (state.phase, state.ended_at) == (Phase.COMPLETED, 1770800200)
    assert state.result == Result(
        "https://v.example/model.mp4", "https://c.example/cover.jpg", 1770886600, 960, 960, 5.017
    )


def test_finished_task_with_several_rates() -> None:
    result = state_of("record_finished_rates").result
    assert result
    assert (result.url, result.width, result.height) == ("https://v.example/720.mp4", 1280, 720)


@pytest.mark.parametrize("name", ["record_finished", "record_finished_rates"])
def test_best_quality_of_a_finished_task(name: str) -> None:
    best = best_choices(recorded("best_quality").envelope.data)
    found = history.records(recorded(name).envelope.data, [ID])
    assert found
    item = history.item_id(found[ID])
    state = with_better(state_of(name), choose(history.record_item(found[ID])), best[item])
    assert state.result
    assert (state.result.url, state.result.height) == ("https://v.example/1080.mp4", 1080)


@pytest.mark.parametrize(
    ("name", "code", "part"),
    [
        ("record_failed_text", "2038", "内容违规"),
        ("record_failed_words", "2047", "提示词"),
        ("record_failed_key_only", "", "输入的素材"),
        ("record_failed_output", "", "生成结果"),
        ("record_failed_copyright", "", "版权"),
        ("record_failed_input_by_status", "", "输入的素材"),
        ("record_failed_output_by_status", "", "生成结果"),
    ],
)
def test_refused_content(name: str, code: str, part: str) -> None:
    state = state_of(name)
    assert state.phase is Phase.FAILED
    assert state.error
    assert (state.error.kind, state.error.code) == (ErrorKind.CONTENT_REFUSED, code)
    assert state.error.message
    assert part in state.error.message.zh


def test_cancelled_task() -> None:
    error = state_of("record_cancelled").error
    assert error
    assert (error.kind, error.code) == (ErrorKind.CANCELLED, "cancelled")
    assert error.detail == "你已取消生成，积分已返还"


def test_accepted_cancel() -> None:
    recording = recorded("cancel_accepted")
    assert (recording.call, recording.envelope.ret) == (CANCEL_PATH, "0")


def test_queue_position() -> None:
    entries = history.queue_entries(recorded("queue_info").envelope.data, [ID])
    state = history.with_queue(TaskState(ID, Phase.PROCESSING), entries[ID])
    assert (state.phase, state.queue) == (Phase.QUEUED, Queue(47460, 47460, 120))


# --- accounts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["credits", "credits_as_text"])
def test_credits(name: str) -> None:
    assert parse_credits(recorded(name).envelope.data) == Credits(gift=50)


@pytest.mark.parametrize("name", ["credit_history", "credit_history_as_text"])
def test_data_of_the_credit_log_is_the_same_on_every_site(name: str) -> None:
    assert recorded(name).envelope.data["records"][0]["amount"] == 5


def test_daily_credits() -> None:
    assert parse_received(recorded("credits_received").envelope) == 66


@pytest.mark.parametrize("name", ["passport", "passport_bare"])
def test_login_that_is_alive(name: str) -> None:
    assert parse_alive(recorded(name).envelope) is True


# --- uploads ------------------------------------------------------------------------------------------------------


def test_upload_tokens() -> None:
    image = answers.parse_token(recorded("upload_token_image").envelope.data)
    assert image == UploadToken(KEYS, "", "tb4s082cfz", "imagex.bytedanceapi.com", "cn")
    media = answers.parse_token(recorded("upload_token_media").envelope.data)
    assert media == UploadToken(KEYS, "", "dreamina", "vod-sg.example.com", "sg", "https")
    assert media.signing_region("ap-southeast-1", "ap-singapore-1") == "ap-singapore-1"


@pytest.mark.parametrize("name", ["apply_image", "apply_image_one_host"])
def test_where_a_image_goes(name: str) -> None:
    auth = "SpaceKey/x/1/:version:v2:auth"
    expected = UploadAddress("tos-a.example.com", "tos-cn-i-x/a", auth, "session-key")
    assert answers.parse_image_address(recorded(name).result) == (expected,)


def test_where_a_video_goes() -> None:
    found = answers.parse_media_address(recorded("apply_media").result)
    assert [(address.host, address.session_key) for address in found] == [
        ("tos-1.example.com", "session-key-1"),
        ("tos-2.example.com", "session-key-2"),
    ]


def test_stored_bytes() -> None:
    answers.check_stored(Reply(200, orjson.dumps(recorded("bytes_stored").answer)))


def test_what_was_uploaded() -> None:
    image = answers.parse_image(recorded("commit_image").result, MediaKind.IMAGE)
    assert image == Uploaded(MediaKind.IMAGE, "tos-cn-i-x/a", 1280, 720, "png")
    clip = answers.parse_media(recorded("commit_media").result, MediaKind.VIDEO)
    assert clip == Uploaded(MediaKind.VIDEO, "v02aa1", 1280, 720, milliseconds=5000)


def test_refused_keys_may_be_stale() -> None:
    with pytest.raises(StaleTokenError) as caught:
        _ = recorded("upload_refused").result
    assert caught.value.code == "InvalidCredential"


def test_submitted_audit_is_a_success_without_a_number() -> None:
    envelope = recorded("audit_submitted").envelope
    assert (envelope.ret, envelope.bare) == ("0", True)


@pytest.mark.parametrize(("name", "field"), [("generate_audit", "result_list"), ("workspaces", "workspaces")])
def test_answers_that_only_their_envelope_is_read_of(name: str, field: str) -> None:
    assert recorded(name).envelope.data[field]
