"""The container image: linted, its packages pinned, and what it runs started from a folder with the same content."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from gateway.core.settings_loader import load_settings
from tests.deploy.image import DOCKERFILE, Instruction, in_folder, read_stages
from tests.deploy.paths import DEPLOY, ROOT
from tests.deploy.programs import program
from tests.environment import bare
from tests.ports import free_port
from tests.process import running

BUILD, RUNTIME = read_stages()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK, BUILD_LOCK = DEPLOY / "requirements.lock", DEPLOY / "requirements-build.lock"


def pinned(lock: Path) -> dict[str, Version]:
    """The versions of a lock file. Every one has hashes."""
    text = re.sub(r"\\\n\s*", " ", lock.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, Version] = {}
    for line in lines:
        specification, *hashes = line.split(" --hash=")
        requirement = Requirement(specification)
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64} ?", one) for one in hashes), line
        (version,) = requirement.specifier
        found[canonicalize_name(requirement.name)] = Version(version.version)
    return found


def direct_dependencies() -> list[Requirement]:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    return [Requirement(line) for line in (*project["dependencies"], *extras["archive"], *extras["images"])]


def test_dockerfile_passes_the_linter() -> None:
    command = [program("hadolint"), "--failure-threshold", "style", str(DOCKERFILE)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_dependency_is_pinned_to_a_version_that_the_project_takes() -> None:
    versions = pinned(LOCK)
    for requirement in direct_dependencies():
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None and version in requirement.specifier, f"{requirement}: see deploy/README.md"
    assert len(versions) > len(direct_dependencies())


def test_build_backend_is_pinned() -> None:
    versions = pinned(BUILD_LOCK)
    for line in PROJECT["build-system"]["requires"]:
        requirement = Requirement(line)
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("lock", [LOCK, BUILD_LOCK], ids=lambda path: path.name)
def test_lock_file_names_no_index(lock: Path) -> None:
    assert "://" not in lock.read_text("utf-8")


def test_what_is_copied_is_sent_to_the_builder() -> None:
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert ignore[1] == "*"
    sent = {line[1:] for line in ignore if line.startswith("!")}
    copied = {source for one in BUILD.instructions if one.name == "COPY" for source in one.words[:-1]}
    assert sent == copied
    assert all(any(ROOT.glob(source)) for source in copied)


def test_image_runs_as_a_user_that_kubernetes_can_tell_from_root() -> None:
    user, group = RUNTIME.last("USER").text.split(":")
    assert int(user) > 0 and int(group) > 0


def test_environment_of_the_image_is_a_valid_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in RUNTIME.environment.items():
        if name.startswith("GATEWAY_"):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    assert str(settings.port) == RUNTIME.last("EXPOSE").text
    assert (settings.host, settings.log_format) == ("0.0.0.0", "json")


@pytest.fixture
def image() -> Path:
    built = os.environ.get("IMAGE_FOLDER")
    if not built:
        pytest.skip("IMAGE_FOLDER names no folder made by `python -m tests.deploy.image FOLDER`")
    return Path(built)


def written_in(*folders: Path) -> dict[Path, int]:
    """When each file was changed, in ns."""
    return {path: path.lstat().st_mtime_ns for folder in folders for path in folder.rglob("*")}


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--sandbox"], ["serve", "--workers", "2"]], ids=" ".join)
def test_command_of_the_image_serves_with_a_read_only_root(image: Path, tmp_path: Path, arguments: list[str]) -> None:
    """It serves, its health check passes, it stops with 0, and it writes to the folder of temporary files only."""
    temporary, work, port = tmp_path / "tmp", tmp_path / "work", free_port()
    temporary.mkdir()
    work.mkdir()
    program = in_folder(RUNTIME.environment["PATH"], image).partition(":")[0]
    environment = RUNTIME.environment | {
        "PATH": f"{program}:{os.environ['PATH']}",
        "PYTHONPATH": "",
        "HOME": "/nonexistent",
        "TMPDIR": str(temporary),
        "GATEWAY_PORT": str(port),
        "GATEWAY_HOST": "127.0.0.1",
    }
    before = written_in(image, work)
    name, *options = [*RUNTIME.last("ENTRYPOINT").words, *arguments]
    check, *check_options = Instruction("CMD", RUNTIME.last("HEALTHCHECK").text.partition("CMD ")[2]).words
    with running(work, *options, program=[f"{program}/{name}"], **environment) as process:
        process.find("(listening on)")
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json()["status"] == "ok"
        command = [f"{program}/{check}", *check_options]
        assert subprocess.run(command, env={**bare(os.environ), **environment}, timeout=20).returncode == 0
        assert process.end() == 0, process.output
    assert written_in(image, work) == before
    assert list(temporary.iterdir()) == []


def test_command_of_the_image_is_the_one_that_is_tested() -> None:
    assert (RUNTIME.last("ENTRYPOINT").words, RUNTIME.last("CMD").words) == (["video-gateway"], ["serve"])
    assert RUNTIME.last("STOPSIGNAL").text == "SIGTERM"
