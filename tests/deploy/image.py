"""The steps of the Dockerfile, run in a folder instead of a container.

`python -m tests.deploy.image FOLDER` builds there what the image has in /opt. It needs a package index.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.paths import DEPLOY, ROOT

DOCKERFILE = DEPLOY / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments: of the JSON form, else separated by blanks."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return shlex.split(self.text)


@dataclass(slots=True)
class Stage:
    """One stage of the image. `environment` is what its ENV instructions set."""

    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction:
        return next(one for one in reversed(self.instructions) if one.name == name)

    @property
    def environment(self) -> dict[str, str]:
        words = [word for one in self.instructions if one.name == "ENV" for word in one.words]
        return dict(word.split("=", 1) for word in words)


def read_stages(dockerfile: Path = DOCKERFILE) -> list[Stage]:
    """The stages of a Dockerfile. Instructions before the first FROM are left out."""
    stages: list[Stage] = []
    for one in _instructions(dockerfile.read_text("utf-8")):
        if one.name == "FROM":
            stages.append(Stage())
        if stages:
            stages[-1].instructions.append(one)
    return stages


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            yield Instruction(name.upper(), rest.strip())


def in_folder(text: str, folder: Path) -> str:
    """A text of the Dockerfile with the folders of the image below another one."""
    return re.sub(r"(?<![\w./])/(opt|source|etc)\b", rf"{folder}/\1", text)


def build(folder: Path) -> None:
    """Run the COPY and RUN instructions of the first stage: its /opt is then in `folder`/opt."""
    stage = read_stages()[0]
    environment = {**os.environ, **stage.environment}
    # `python` is this one, as that of the base image is.
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    work = folder
    for one in stage.instructions:
        if one.name == "WORKDIR":
            work = Path(in_folder(one.text, folder))
            work.mkdir(parents=True)
        elif one.name == "COPY":
            *sources, target = one.words
            for source in sources:
                _copy(source, work / target)
        elif one.name == "RUN":
            subprocess.run(["sh", "-euc", in_folder(one.text, folder)], cwd=work, env=environment, check=True)


def _copy(source: str, target: Path) -> None:
    for path in ROOT.glob(source):
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
