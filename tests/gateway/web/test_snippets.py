"""The code that the form shows, run for real: with a prompt alone, and with a picture."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page

from providers.sandbox.server import SandboxServer
from tests.gateway.web.conftest import OpenPage, choose_model, new_key

pytestmark = pytest.mark.asyncio(loop_scope="session")

PICTURE = Path("providers/sandbox/pictures/cat.jpg").absolute()
PROMPT = 'it\'s a "cat" \\ and $HOME `ls` #猫\nin two lines'
PROGRAMS = {
    "curl": ("bash", "snippet.sh"),
    "python": (sys.executable, "snippet.py"),
    "javascript": ("node", "snippet.mjs"),
}
NEEDED = {"curl": "curl", "javascript": "node"}


async def snippets(page: Page, model: str, picture: Path | None) -> dict[str, str]:
    await choose_model(page, model)
    await page.fill("#prompt", PROMPT)
    if picture:
        await page.set_input_files("#media-files", picture)
    await page.click("summary:has-text('Advanced')")
    await page.fill("#provider_options", '{"a": [1, true, null, "it\'s"]}')
    await page.click("summary:has-text('Show as code')")
    found = {}
    for name in PROGRAMS:
        await page.check(f"input[name=snippet][value={name}]", force=True)
        found[name] = await page.inner_text(".code-box pre")
    return found


async def run(name: str, code: str, folder: Path, key: str) -> str:
    program, file = PROGRAMS[name]
    (folder / file).write_text(code, "utf-8")
    process = await asyncio.create_subprocess_exec(
        program,
        file,
        cwd=folder,
        env={**os.environ, "GATEWAY_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, f"{name}: {errors.decode()}"
    return out.decode()


@pytest.mark.parametrize(("model", "picture"), [("wan2.6-t2v", None), ("wan2.6-i2v", PICTURE)], ids=["text", "picture"])
async def test_snippets_do_what_the_form_does(
    open_page: OpenPage, upstream: SandboxServer, tmp_path: Path, model: str, picture: Path | None
) -> None:
    missing = [program for program in NEEDED.values() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    shutil.copy(PICTURE, tmp_path)
    key = new_key()
    async with open_page(key=key) as page:
        code = await snippets(page, model, picture)
    # The second credential alone: its task has the upstream's own id.
    outputs = await asyncio.gather(*(run(name, text, tmp_path, key.partition(",")[2]) for name, text in code.items()))
    bodies = upstream.sandbox.bodies("dashscope", key.partition(",")[2])
    assert [body["input"]["prompt"] for body in bodies] == [PROMPT] * 3
    shown = dict(zip(code, outputs, strict=True))
    assert '"status":"pending"' in shown["curl"]
    assert shown["python"].startswith("http://127.0.0.1:") and ".mp4" in shown["python"]
    assert shown["javascript"].startswith("http://127.0.0.1:") and ".mp4" in shown["javascript"]


async def test_prompts_arrive_as_they_are(open_page: OpenPage, tmp_path: Path) -> None:
    """The shell, Python and JavaScript write strange text in their own ways; the body says the same in all."""
    async with open_page() as page:
        code = await snippets(page, "wan2.6-t2v", None)
    namespace: dict[str, object] = {}
    start = code["python"].index("json=") + len("json=")
    exec("body = " + code["python"][start : code["python"].index("\n).raise")].rstrip(","), namespace)
    body = namespace["body"]
    assert (
        isinstance(body, dict)
        and body["prompt"] == PROMPT
        and body["provider_options"] == {"a": [1, True, None, "it's"]}
    )
