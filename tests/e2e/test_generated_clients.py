"""Clients that generators make of `/openapi.json` work with the gateway.

The generators need environments of their own, which `.ci/run` makes: GENERATORS_PYTHON has openapi-python-client and
datamodel-code-generator, GENERATORS_JS is a folder with openapi-typescript, openapi-fetch and typescript.
"""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.client_programs import JOURNEYS, Json, errors, run
from tests.e2e.conftest import bearer, follow
from tests.environment import bare

pytestmark = pytest.mark.clients

with_python = pytest.mark.skipif(
    "GENERATORS_PYTHON" not in os.environ, reason="GENERATORS_PYTHON names no Python with openapi-python-client"
)
with_javascript = pytest.mark.skipif(
    "GENERATORS_JS" not in os.environ, reason="GENERATORS_JS names no folder with openapi-typescript"
)

MODEL = "wan2.6-t2v"
# The generator reads JSON and bytes; without this it leaves out what it cannot read.
OVERRIDES = "content_type_overrides:\n  video/mp4: application/octet-stream\n  image/jpeg: application/octet-stream\n"


@pytest.fixture(scope="module")
def description(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway's own description, as a file."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_bytes(httpx.get(f"{url}/openapi.json").content)
    return path


def generate(command: list[str], folder: Path) -> str:
    """Run a generator. Returns what it wrote to the terminal."""
    found = Path(command[0]).parent
    env = bare(os.environ) | {"PATH": f"{found}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@with_python
def test_python_client_submits_polls_lists_and_downloads(url: str, description: Path, key: str, tmp_path: Path) -> None:
    (tmp_path / "overrides.yaml").write_text(OVERRIDES)
    python = os.environ["GENERATORS_PYTHON"]
    tool = str(Path(python).parent / "openapi-python-client")
    said = generate(
        [
            *(tool, "generate", "--path", str(description), "--config", "overrides.yaml"),
            *("--meta", "none", "--output-path", "video_client"),
        ],
        tmp_path,
    )
    assert "Endpoint will not be generated" not in said
    assert "Cannot parse" not in said
    command = [python, str(JOURNEYS / "generated_client.py")]
    seen = run(command, {"dashscope": {"url": url, "token": key, "model": MODEL}}, PYTHONPATH=str(tmp_path))[
        "dashscope"
    ]
    assert (seen["status"], seen["progress"], seen["video"], seen["content"]) == ("completed", 100, "completed", "ftyp")
    assert len(seen["listed"]) == 1
    assert (seen["refused"], seen["error"]) == (400, "unsupported_parameter")
    assert seen["types"] == ["chat", "embedding", "video"]


@with_python
def test_generated_models_read_the_answers(
    client: httpx.Client, description: Path, session: str, key: str, tmp_path: Path
) -> None:
    python = os.environ["GENERATORS_PYTHON"]
    generate(
        [
            *(str(Path(python).parent / "datamodel-codegen"), "--input", str(description)),
            *("--input-file-type", "openapi", "--output", "video_models.py"),
            *("--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin"),
        ],
        tmp_path,
    )
    answers: Json = {}
    for name, model, credential in (("jimeng", "jimeng-video-3.0-fast", session), ("dashscope", MODEL, key)):
        headers = bearer(credential)
        accepted = client.post(
            "/v1/videos/generations", headers=headers, json={"model": model, "prompt": "a cat"}
        ).json()
        id = accepted["task_id"]
        answers[f"{name} accepted"] = {"model": "TaskAccepted", "body": accepted}
        answers[f"{name} running"] = {"model": "TaskObject", "body": follow(client, id, credential)[0]}
        answers[f"{name} ended"] = {"model": "TaskObject", "body": follow(client, id, credential)[-1]}
        answers[f"{name} video"] = {
            "model": "VideoObject",
            "body": client.get(f"/v1/videos/{id}", headers=headers).json(),
        }
        answers[f"{name} list"] = {"model": "VideoList", "body": client.get("/v1/videos", headers=headers).json()}
        answers[f"{name} models"] = {"model": "ModelList", "body": client.get("/v1/models", headers=headers).json()}
        unknown = client.post("/v1/videos", headers=headers, json={"model": "no-such", "prompt": "a cat"})
        answers[f"{name} error"] = {"model": "ErrorBody", "body": unknown.json()}
        later = {**client.get(f"/v1/videos/tasks/{id}", headers=headers).json(), "field_of_a_later_version": 1}
        answers[f"{name} later version"] = {"model": "TaskObject", "body": later}
    seen = run([python, str(JOURNEYS / "generated_models.py")], answers, PYTHONPATH=str(tmp_path))
    assert errors(seen) == {}
    for name, answer in answers.items():
        if "later" not in name:
            assert seen[name]["read"] == answer["body"], name


@with_javascript
def test_types_of_typescript_fit_the_gateway(url: str, description: Path, key: str, tmp_path: Path) -> None:
    modules = Path(os.environ["GENERATORS_JS"]) / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    shutil.copy(JOURNEYS / "generated_types.mts", tmp_path)
    generate([str(modules / ".bin" / "openapi-typescript"), str(description), "-o", "video_api.mts"], tmp_path)
    strict = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node"]
    generate([str(modules / ".bin" / "tsc"), *strict, "generated_types.mts"], tmp_path)
    command = ["node", str(tmp_path / "generated_types.mjs")]
    seen = run(command, {"dashscope": {"url": url, "token": key, "model": MODEL}})["dashscope"]
    assert (seen["status"], seen["progress"], len(seen["listed"])) == ("completed", 100, 1)
    assert seen["link"].startswith("http")
    assert seen["error"] == "model_not_found"
