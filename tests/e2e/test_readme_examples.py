"""The commands and programs of README.md and gateway/README.md run as printed, against a gateway with the sandbox.

Replaced are only the gateway's address, placeholders of credentials and the path of the command line. Pauses between
polls are shortened.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests import pictures
from tests.e2e.client_programs import is_film
from tests.environment import bare
from tests.process import running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "gateway" / "README.md").read_text("utf-8")

KEYS = {
    "<sessionid or sk-…>": "readmesession,sk-readme",
    "<ms-… and sk-…, or gw-…>": "ms-readme,sk-readme",
    "<gw-… or sk-…>": "sk-readme",
    "<sessionid>": "readmesession",
    "<another sessionid>": "anothersession",
    "<sk-…>": "sk-readme",
    "Bearer sk-…": "Bearer sk-readme",
    "GATEWAY_KEY=sk-…": "GATEWAY_KEY=sk-readme",
}
SHORT_PAUSES = "import time; pause = time.sleep; time.sleep = lambda seconds: pause(seconds / 50)\n"
# LangChain and receivers of webhooks have tests of their own.
TESTED_ELSEWHERE = ("langchain_openai", "webhook")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def programs() -> list[str]:
    """Blocks of Python that begin with their imports."""
    found = [code for code in blocks(README, "python") + blocks(API, "python") if re.match("import|from", code)]
    return [code for code in found if not any(word in code for word in TESTED_ELSEWHERE)]


def calls(text: str) -> list[str]:
    """The calls of curl. Those with an id that only stands for one (`video_…`) cannot be made."""
    lines = [line for block in blocks(text, "(?:ba)?sh") for line in re.sub(r"\\\n *", "", block).splitlines()]
    curls = [filled(line) for line in lines if line.startswith("curl ") and "127.0.0.1:5100/" in line]
    return [line for line in curls if "…" not in line and "webhook" not in line and not re.search(r"/\d{10,}", line)]


def filled(example: str) -> str:
    for placeholder, key in KEYS.items():
        example = example.replace(placeholder, key)
    return example


def run(directory: Path, command: list[str], **environment: str) -> str:
    env = bare(os.environ) | {"NO_PROXY": "*", "PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=directory, env=env, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cat.png").write_bytes(pictures.picture())
    (tmp_path / "street.mp4").write_bytes(pictures.clip())
    return tmp_path


def test_examples_are_found() -> None:
    assert len(blocks(README, "python")) == 3 and len(programs()) >= 6
    assert len(calls(README)) == 3 and len(calls(API)) >= 4


@pytest.mark.parametrize("code", programs(), ids=lambda code: re.sub(r"\W+", "-", code)[:60])
def test_program_runs(url: str, folder: Path, code: str) -> None:
    program = SHORT_PAUSES + filled(code).replace("http://127.0.0.1:5100", url)
    output = run(folder, [sys.executable, "-W", "ignore", "-c", program])
    assert "error" not in output.lower()
    if "cat.mp4" in code:
        assert is_film(folder / "cat.mp4")
    if "video_url" in code or '["url"]' in code:
        assert "http" in output.splitlines()[-1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("call", [*calls(README), *calls(API)], ids=lambda call: re.sub(r"\W+", "-", call)[:80])
def test_call_succeeds(url: str, folder: Path, call: str) -> None:
    task = httpx.post(
        f"{url}/v1/videos/generations", json={"prompt": "a cat"}, headers={"Authorization": "Bearer sk-readme"}
    ).json()["task_id"]
    variables = {"GATEWAY_KEY": "sk-readme", "KEY": "sk-readme", "TASK": task, "TASK_ID": task}
    answered = run(
        folder,
        ["bash", "-c", call.replace("curl ", "curl -sS --fail-with-body ").replace("http://127.0.0.1:5100", url)],
        **variables,
    )
    assert "task_id" in answered or '"object":"video"' in answered


def test_command_line_submits_and_waits(url: str, folder: Path) -> None:
    [line] = [line for block in blocks(README, "sh") for line in block.splitlines() if " submit " in line]
    command = line.replace(".venv/bin/video-gateway", f"{sys.executable} -m gateway")
    output = run(folder, ["bash", "-c", command], GATEWAY_KEY="sk-readme", GATEWAY_URL=url)
    assert "http" in output


def variables(block: str, directory: Path) -> Mapping[str, str]:
    """What the exports of a block set."""
    exports = "\n".join(line for line in filled(block).splitlines() if line.startswith("export "))
    printed = run(directory, ["bash", "-euc", f"{exports}\nenv -0"])
    return {name: value for name, _, value in (pair.partition("=") for pair in printed.split("\0")) if name != "PWD"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_gateway_of_a_team_starts_with_its_keys_and_archive(folder: Path) -> None:
    [block] = [block for block in blocks(README, "sh") if "GATEWAY_KEYS" in block]
    assert block.splitlines()[0] == ".venv/bin/pip install -q '.[archive]'"
    assert block.splitlines()[-1] == ".venv/bin/video-gateway serve"
    set_by_it = {name: value for name, value in variables(block, folder).items() if f"{name}=" in block}
    assert set_by_it.keys() >= {"GATEWAY_KEYS", "GATEWAY_SECRET", "JIMENG_TOKENS", "DASHSCOPE_API_KEY", "ARCHIVE_URL"}
    environment = {**set_by_it, "PYTHONPATH": str(ROOT)}
    with running(folder, "serve", "--sandbox", "--port", "0", **environment) as gateway:
        url = gateway.find(r"(http://127\.0\.0\.1:\d+)")
        statuses = [
            httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code
            for key in ("gw-alice", "gw-bob", "gw-eve", "sk-readme")
        ]
        assert statuses == [200, 200, 401, 401]
        listed = httpx.get(f"{url}/v1/models", headers={"Authorization": "Bearer gw-alice"}).json()["data"]
        assert {model["owned_by"] for model in listed} == {"jimeng", "dashscope"}
