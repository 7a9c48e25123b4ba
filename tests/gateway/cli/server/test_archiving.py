"""`archive` against the sandbox, without a gateway."""

import asyncio
import io
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from gateway.app import create_app
from gateway.archive.atomic_files import FOLDER
from gateway.cli import main
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.sandbox import clips, files
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.archives import ArchiveLocation, new_location
from tests.process import running

Out = pytest.CaptureFixture[str]

CHARACTER = SandboxSettings(task_seconds=0.0, visible_after=0.0, queries_per_second=0, max_running=100, credits=10_000)
CLIP_BYTES, COVER_BYTES = clips.DEFAULT.size("best.mp4"), clips.DEFAULT.size("cover.jpg")
JIMENG, WAN = "jimeng-video-3.0-fast", "wan2.6-t2v"
UNKNOWN = "0f2b8a5e-3c1d-4e6f-8a9b-0c1d2e3f4a5b"
DAY = 86_400.0


@pytest.fixture(scope="module")
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(CHARACTER) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: SandboxServer) -> Iterator[httpx.Client]:
    """A gateway that submits the tasks; the commands do not use it."""
    settings = Settings.model_construct(providers=upstream.settings(), poll_freshness=0.0)
    with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.fixture
def location(upstream: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveLocation:
    location = new_location("file", tmp_path, monkeypatch)
    for name, value in environment(upstream, location).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return location


@pytest.fixture
def session(request: pytest.FixtureRequest) -> str:
    """A Jimeng session that no other test uses."""
    return f"session-{request.node.originalname}-{time.time_ns()}"


@pytest.fixture
def key(session: str) -> str:
    """A DashScope key that no other test uses."""
    return f"sk-{session}"


def environment(upstream: SandboxServer, location: ArchiveLocation) -> dict[str, str]:
    return {
        "JIMENG_BASE_URL": upstream.jimeng_url,
        "JIMENG_COMMERCE_URL": upstream.jimeng_url,
        "DASHSCOPE_BASE_URL": upstream.dashscope_url,
        "ARCHIVE_URL": location.url,
        "LC_ALL": "C.UTF-8",
    }


def submit(gateway: httpx.Client, credential: str, prompt: str = "a cat", model: str = WAN) -> str:
    body = {"model": model, "prompt": prompt}
    headers = {"authorization": f"Bearer {credential}"}
    answer = gateway.post("/v1/videos/generations", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def printed(capsys: Out) -> tuple[dict[str, tuple[str, str, str]], str]:
    """The rows of the table by task, and standard error. Only archived tasks have a path."""
    out, err = capsys.readouterr()
    header, *lines = (line.split("\t") for line in out.splitlines())
    assert header == ["task", "outcome", "bytes", "path", "cause"]
    for _, outcome, _, path, _ in lines:
        assert path.endswith(".mp4") if outcome in ("copied", "already there") else path == ""
    return {task: (outcome, size, cause) for task, outcome, size, _, cause in lines}, err


def test_outcome_of_each_task_is_shown(
    gateway: httpx.Client, location: ArchiveLocation, session: str, key: str, capsys: Out
) -> None:
    jimeng = submit(gateway, session, model=JIMENG)
    wan, stuck, failed, dead, broken, cut = (
        submit(gateway, key, f"a {word}")
        for word in ("cat", "#stuck", "#fail=InternalError", "#link-expired", "#link-500", "#link-cut")
    )
    both = f"{session},{key}"
    assert main(["archive", jimeng, wan, stuck, failed, dead, UNKNOWN, "--key", both]) == 0
    table, err = printed(capsys)
    assert list(table) == [jimeng, wan, stuck, failed, dead, UNKNOWN]
    assert table[jimeng] == ("copied", f"{CLIP_BYTES + COVER_BYTES:,}", "")
    assert table[wan] == ("copied", f"{CLIP_BYTES:,}", "")
    assert table[stuck] == ("unfinished", "", "")
    assert table[failed][0] == "no video"
    assert "internal error" in table[failed][2]
    assert table[dead] == table[UNKNOWN] == ("expired", "", "")
    assert err == "2 copied, 0 already there, 2 expired, 0 failed, 1 unfinished, 1 no video\n"
    assert sum(path.endswith(".mp4") for path in location.visible()) == 2

    assert main(["archive", jimeng, broken, cut, wan, wan, "--key", both]) == 1
    table, err = printed(capsys)
    assert table[jimeng] == table[wan] == ("already there", "", "")
    assert table[broken] == ("failed", "", "HTTP 500")
    assert table[cut][0] == "failed"
    assert table[cut][2]
    assert err == "0 copied, 2 already there, 0 expired, 2 failed\n"
    assert sum(path.endswith(".mp4") for path in location.visible()) == 2


def test_task_forgotten_by_the_upstream_is_already_archived(
    gateway: httpx.Client, location: ArchiveLocation, key: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    id = submit(gateway, key)
    assert main(["archive", id, "--key", key]) == 0
    with SandboxServer(CHARACTER) as empty:
        monkeypatch.setenv("DASHSCOPE_BASE_URL", empty.dashscope_url)
        capsys.readouterr()
        for credentials in (key, f"sk-other-{key},{key}"):
            assert main(["archive", id, UNKNOWN, "--key", credentials]) == 0
            assert {task: row[0] for task, row in printed(capsys)[0].items()} == {
                id: "already there",
                UNKNOWN: "expired",
            }


def test_dead_link_with_several_keys_is_expired(
    gateway: httpx.Client, location: ArchiveLocation, key: str, capsys: Out
) -> None:
    id = submit(gateway, key, "a #link-expired")
    assert main(["archive", id, "--key", f"sk-other-{key},{key}"]) == 0
    assert printed(capsys)[0][id] == ("expired", "", "")


def test_unknown_id_and_rejected_key_are_failures(location: ArchiveLocation, key: str, capsys: Out) -> None:
    assert main(["archive", "nonsense", "video_forged", "--key", key]) == 1
    table, err = printed(capsys)
    assert [outcome for outcome, _, _ in table.values()] == ["failed", "failed"]
    assert all("task" in cause.lower() for _, _, cause in table.values())
    assert main(["archive", UNKNOWN, "--key", f"{key}-expired"]) == 1
    table, err = printed(capsys)
    assert table[UNKNOWN][0] == "failed"
    assert "key" in table[UNKNOWN][2].lower()
    assert key not in str(table) + err


def test_json_is_one_line_for_each(gateway: httpx.Client, location: ArchiveLocation, key: str, capsys: Out) -> None:
    id, broken = submit(gateway, key), submit(gateway, key, "a #link-500")
    assert main(["archive", id, broken, UNKNOWN, "--json", "--key", key]) == 1
    out, err = capsys.readouterr()
    copied, *others = (json.loads(line) for line in out.splitlines())
    assert copied.pop("path").endswith(f"/{id}.mp4")
    assert copied == {"task_id": id, "outcome": "copied", "bytes": CLIP_BYTES, "cause": ""}
    assert others == [
        {"task_id": broken, "outcome": "failed", "bytes": 0, "path": "", "cause": "HTTP 500"},
        {"task_id": UNKNOWN, "outcome": "expired", "bytes": 0, "path": "", "cause": ""},
    ]
    assert err == "1 copied, 0 already there, 1 expired, 1 failed\n"


def test_recent_archives_the_listed_tasks(
    gateway: httpx.Client, location: ArchiveLocation, session: str, key: str, capsys: Out
) -> None:
    for number in range(3):
        submit(gateway, session, f"{number}", JIMENG)
        submit(gateway, key, f"{number}")
    submit(gateway, session, "a #stuck", JIMENG)
    submit(gateway, key, "a #fail=InternalError")
    both = f"{session},{key}"
    assert main(["archive", "--recent", "--key", both]) == 0
    table, err = printed(capsys)
    assert [outcome for outcome, _, _ in table.values()] == ["copied"] * 6
    assert all(id.startswith("video_") for id in table)
    assert err == "6 copied, 0 already there, 0 expired, 0 failed\n"

    late = submit(gateway, key, "late")
    assert main(["archive", late, "--recent", "--key", both]) == 0
    table, err = printed(capsys)
    assert table[late][0] == "copied"
    assert {outcome for id, (outcome, _, _) in table.items() if id != late} <= {"copied", "already there"}
    # The late task is listed too, under its signed id: it may be copied for both at the same time.
    assert err in {f"{copied} copied, {8 - copied} already there, 0 expired, 0 failed\n" for copied in (1, 2)}


def test_recent_without_tasks_archives_nothing(location: ArchiveLocation, key: str, capsys: Out) -> None:
    assert main(["archive", "--recent", "--key", key]) == 0
    assert capsys.readouterr() == ("", "0 copied, 0 already there, 0 expired, 0 failed\n")


@pytest.mark.parametrize("by", ["file", "standard input"])
def test_ids_are_read_from_a_file(
    gateway: httpx.Client,
    location: ArchiveLocation,
    key: str,
    by: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Out,
) -> None:
    ids = [submit(gateway, key, f"{number}") for number in range(3)]
    text = f"# yesterday's\n{ids[0]}\tcompleted\thttps://h/v.mp4\n\n  {ids[1]}\r\n{ids[0]}\n"
    (tmp_path / "ids").write_bytes(text.encode())
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main(["archive", ids[2], "--from-file", "ids" if by == "file" else "-", "--key", key]) == 0
    table, _ = printed(capsys)
    assert list(table) == [ids[2], ids[0], ids[1]]
    assert {outcome for outcome, _, _ in table.values()} == {"copied"}


def test_file_without_ids_is_no_error(location: ArchiveLocation, tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "ids").write_text("# none today\n")
    assert main(["archive", "--from-file", "ids", "--key", "sk-x"]) == 0
    assert capsys.readouterr() == ("", "0 copied, 0 already there, 0 expired, 0 failed\n")


def test_gateway_key_selects_the_managed_accounts(
    upstream: SandboxServer, location: ArchiveLocation, key: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    settings = Settings.model_construct(
        providers=upstream.settings(dashscope={"credentials": (SecretStr(key),)}),
        keys=(SecretStr("gw-alice"),),
        secret=(SecretStr("a long secret of the gateway"),),
    )
    with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url) as managed:
        id = submit(managed, "gw-alice")
    assert id.startswith("video_")
    monkeypatch.setenv("GATEWAY_KEYS", "gw-alice")
    monkeypatch.setenv("GATEWAY_SECRET", "a long secret of the gateway")
    monkeypatch.setenv("DASHSCOPE_API_KEY", key)
    monkeypatch.setenv("GATEWAY_KEY", "gw-alice")
    assert main(["archive", id]) == 0
    assert printed(capsys)[0][id][0] == "copied"
    assert main(["archive", "--recent"]) == 0
    assert [outcome for outcome, _, _ in printed(capsys)[0].values()] == ["already there"]
    assert main(["archive", id, "--key", "gw-nobody"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_terminal_shows_a_progress_bar_and_standard_output_only_the_table(
    gateway: httpx.Client, location: ArchiveLocation, key: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    ids = [submit(gateway, key, f"{number}") for number in range(2)]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["archive", *ids, "--key", key]) == 0
    table, err = printed(capsys)
    assert list(table) == ids
    assert "2/2" in err
    assert err.splitlines()[-1].endswith("2 copied, 0 already there, 0 expired, 0 failed")


# --- interrupted runs ----------------------------------------------------------------------------------------


class Held(FileResponse):
    """Serves the first file, and half of the others until they are released."""

    given = 0
    let_go = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        Held.given += 1
        if Held.given == 1 or Held.let_go.is_set():
            await super().__call__(scope, receive, send)
            return
        content = clips.CLIPS.joinpath("best.mp4").read_bytes()
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        await asyncio.to_thread(Held.let_go.wait, 20)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_interrupted_run_is_completed_by_the_next(
    gateway: httpx.Client,
    upstream: SandboxServer,
    location: ArchiveLocation,
    key: str,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Out,
) -> None:
    monkeypatch.setattr(files, "FileResponse", Held)
    Held.given = 0
    Held.let_go.clear()
    ids = [submit(gateway, key, f"{number}") for number in range(4)]
    with running(tmp_path, "archive", *ids, "--key", key, **environment(upstream, location)) as process:
        give_up = time.monotonic() + 20
        while (Held.given < 3 or len(location.visible()) < 3) and time.monotonic() < give_up:
            time.sleep(0.02)
        code = process.end(number)
        assert "Traceback" not in process.output
    assert code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    Held.let_go.set()
    assert [path.rpartition(".")[2] for path in sorted(location.visible()) if "index" not in path] == ["json", "mp4"]

    assert main(["archive", *ids, "--key", key]) == 0
    table, _ = printed(capsys)
    assert sorted(outcome for outcome, _, _ in table.values()) == ["already there", "copied", "copied", "copied"]
    assert location.folder
    assert list((location.folder / FOLDER).iterdir()) == []


# --- prune ---------------------------------------------------------------------------------------------------


def test_prune_removes_old_videos(
    gateway: httpx.Client,
    location: ArchiveLocation,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Out,
) -> None:
    new = submit(gateway, key)
    assert main(["archive", new, "--key", key]) == 0
    files = location.visible()
    with SandboxServer(CHARACTER, clock=lambda: time.time() - 3 * DAY) as then:
        monkeypatch.setenv("DASHSCOPE_BASE_URL", then.dashscope_url)
        headers = {"authorization": f"Bearer {key}", "x-dashscope-async": "enable"}
        body = {"model": WAN, "input": {"prompt": "a cat"}, "parameters": {"size": "1280*720"}}
        path = "/services/aigc/video-generation/video-synthesis"
        made = httpx.post(then.dashscope_url + path, json=body, headers=headers, trust_env=False)
        assert main(["archive", made.json()["output"]["task_id"], "--key", key]) == 0
    everything = location.visible()
    assert len(everything) == 2 * len(files)
    capsys.readouterr()

    assert main(["archive", "--prune", "--keep-days", "4"]) == 0
    assert capsys.readouterr() == ("", "0 deleted: older than 4 days\n")
    assert location.visible() == everything
    config = tmp_path / "archive.toml"
    config.write_text("[archive]\nkeep_days = 1.5\n")
    assert main(["archive", "--prune", "--dry-run", "--config", str(config)]) == 0
    out, err = capsys.readouterr()
    named = out.strip()
    assert err == "1 would be deleted: older than 1.5 days\n"
    assert location.visible() == everything
    assert main(["archive", "--prune", "--config", str(config)]) == 0
    assert capsys.readouterr() == (f"{named}\n", "1 deleted: older than 1.5 days\n")
    assert named.startswith("dashscope/")
    assert location.visible() == files
    assert main(["archive", "--prune", "--config", str(config)]) == 0
    assert capsys.readouterr() == ("", "0 deleted: older than 1.5 days\n")


# --- wrong usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "name tasks by id, with --from-file, or with --recent"),
        (["x", "--keep-days", "3"], "--keep-days requires --prune"),
        (["--prune"], "set --keep-days, or keep_days under [archive] in the configuration file"),
        (["x", "--prune", "--keep-days", "3"], "--prune deletes by age only"),
        (["--recent", "--prune", "--keep-days", "3"], "--prune deletes by age only"),
        (["--prune", "--keep-days", "-1"], "greater than or equal to 0"),
        (["--prune", "--keep-days", "soon"], "valid number"),
        (["--from-file", "no-such-file"], "--from-file no-such-file: "),
        (["x", "--config", "no-such.toml"], "no-such.toml does not exist"),
        (["x", "--frmo-file", "-"], "--frmo-file"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    argv: list[str], message: str, location: ArchiveLocation, capsys: Out
) -> None:
    assert main(["archive", *argv, "--key", "sk-x"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_without_key_and_accounts_nothing_can_be_archived(location: ArchiveLocation, capsys: Out) -> None:
    assert main(["archive", UNKNOWN]) == 2
    assert capsys.readouterr().err.startswith("error: no accounts are configured: set ")


@pytest.mark.parametrize("key_option", [(), ("--key", "gw-admin")], ids=["no key", "admin key"])
def test_operator_archives_recent_tasks_of_all_accounts_and_keys(
    key_option: tuple[str, ...],
    upstream: SandboxServer,
    location: ArchiveLocation,
    session: str,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Out,
) -> None:
    credentials = {"jimeng": {"credentials": (SecretStr(session),)}, "dashscope": {"credentials": (SecretStr(key),)}}
    settings = Settings.model_construct(
        providers=upstream.settings(**credentials), keys=(SecretStr("a:gw-alice"), SecretStr("b:gw-bob"))
    )
    with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url) as managed:
        for caller in ("gw-alice", "gw-bob"):
            for model in (JIMENG, WAN):
                submit(managed, caller, model=model)
    for name, value in {
        "GATEWAY_KEYS": "a:gw-alice,b:gw-bob",
        "GATEWAY_ADMIN_KEY": "gw-admin",
        "DASHSCOPE_API_KEY": key,
        "JIMENG_TOKENS": session,
    }.items():
        monkeypatch.setenv(name, value)
    assert main(["archive", "--recent", *key_option]) == 0
    rows, err = printed(capsys)
    assert [outcome for outcome, _, _ in rows.values()] == ["copied"] * 4
    assert err.startswith("4 copied")


@pytest.mark.parametrize("argv", [["x"], ["--recent"], ["--prune", "--keep-days", "3"]], ids=" ".join)
@pytest.mark.parametrize("value", [None, "", " "], ids=["unset", "empty", "blank"])
def test_missing_archive_is_an_error(
    argv: list[str], value: str | None, location: ArchiveLocation, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    if value is None:
        monkeypatch.delenv("ARCHIVE_URL")
    else:
        monkeypatch.setenv("ARCHIVE_URL", value)
    assert main(["archive", *argv, "--key", "sk-x"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: no archive is configured: set ARCHIVE_URL, such as file:///srv/videos or s3://bucket/prefix\n"


@pytest.mark.parametrize("argv", [["x"], ["--prune", "--keep-days", "3"]], ids=" ".join)
@pytest.mark.parametrize("below", ["", "/videos"], ids=["a file", "below a file"])
def test_folder_that_cannot_be_created_is_an_error(
    argv: list[str], below: str, location: ArchiveLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("ARCHIVE_URL", (tmp_path / "taken").as_uri() + below)
    assert main(["archive", *argv, "--key", "sk-x"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: configuration: ARCHIVE_URL: ")
    assert err.count("\n") == 1


def test_help_is_shown(capsys: Out) -> None:
    assert main(["archive", "--help"]) == 0
    shown = capsys.readouterr().out
    for option in ("--recent", "--from-file", "--prune", "--keep-days", "--json"):
        assert option in shown
