"""The foreign clients: how each program is built from its package manager, once, and what its library can do.

Everything lands under .tools/foreign, which git ignores. A digest of what a build read is left beside it, so
that the next session finds its programs ready; a lock keeps two sessions from building at once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".tools" / "foreign"
BUILD_SECONDS = 900.0

Build = Callable[["Client", Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client library and the program in the folder of its name that drives it."""

    name: str
    build: Build
    command: tuple[str, ...]  # {folder} is where it was built, {source} our folder of that name
    can: frozenset[str]  # its sub-commands besides `produce` and `work`
    tells_custom: bool = True  # whether a job's handler sees the custom fields
    tells_quiet: bool = True  # whether the library lets a program know that it was told to be quiet

    @property
    def source(self) -> Path:
        return HERE / self.name

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    def invocation(self, command: str) -> list[str]:
        words = [word.format(folder=self.folder, source=self.source) for word in self.command]
        words[0] = find(words[0])
        return [*words, command]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": _search_path(), "NODE_PATH": str(self.folder / "node_modules")}


def make_ready(client: Client) -> None:
    """Build the client's program unless the one that is there came from the same files and tools."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{client.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, digest = CACHE / f"{client.name}.stamp", _digest(client)
        if stamp.exists() and stamp.read_text() == digest:
            return
        stamp.unlink(missing_ok=True)
        client.folder.mkdir(exist_ok=True)
        client.build(client, client.folder)
        stamp.write_text(digest)


def find(program: str) -> str:
    """Return the program's path; the test fails, and says what to do, where it is missing."""
    found = shutil.which(program, path=_search_path())
    if found is None:
        says = f"{program} is missing; this installs it: scripts/install-test-tools {Path(program).name}"
        pytest.fail(says, pytrace=False)
    return found


def _search_path() -> str:
    """Look first where scripts/install-test-tools leaves its links, last where our environment has Node."""
    folders = (str(ROOT / ".tools" / "bin"), os.environ["PATH"], str(Path(sys.executable).parent))
    return os.pathsep.join(folders)


def _digest(client: Client) -> str:
    digest = hashlib.sha256(f"{CACHE} {sys.version}".encode())
    for path in sorted(client.source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _build_node(client: Client, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(client.source / name, folder)
    _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", within=folder)


def _build_python(client: Client, folder: Path) -> None:
    """Make an environment of its own: what these packages depend on is no business of ours."""
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _run(*pip, "--requirement", str(client.source / "requirements.txt"), within=folder)


def _build_go(client: Client, folder: Path) -> None:
    _run("go", "build", "-mod=readonly", "-o", str(folder / "client"), ".", within=client.source)


def _build_rust(client: Client, folder: Path) -> None:
    """Build a copy, so that the Cargo.lock that cargo writes stays out of the repository."""
    shutil.copytree(client.source, folder, dirs_exist_ok=True)
    _run("cargo", "build", "--quiet", within=folder)


def _run(program: str, *arguments: str, within: Path) -> None:
    path = find(program)
    environment = {**os.environ, "PATH": _search_path(), "GOTOOLCHAIN": "local"}
    environment.pop("CARGO_TARGET_DIR", None)
    done = subprocess.run(
        [path, *arguments],
        cwd=within,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        says = f"{program} {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}"
        pytest.fail(says, pytrace=False)


EVERY_CLIENT = (
    Client(
        name="node",
        build=_build_node,
        command=("node", "{source}/client.js"),
        can=frozenset({"produce-bulk", "requeue", "info"}),
    ),
    Client(
        name="pyfaktory",
        build=_build_python,
        command=("{folder}/bin/python", "{source}/client.py"),
        can=frozenset({"produce-bulk", "requeue", "info", "pause", "resume"}),
        tells_custom=False,
    ),
    Client(
        name="cdrx",
        build=_build_python,
        command=("{folder}/bin/python", "{source}/client.py"),
        can=frozenset(),
        tells_custom=False,
    ),
    Client(
        name="go",
        build=_build_go,
        command=("{folder}/client",),
        can=frozenset({"produce-bulk", "requeue", "info", "pause", "resume", "batch", "sequence"}),
    ),
    Client(
        name="rust",
        build=_build_rust,
        command=("{folder}/target/debug/foreign",),
        can=frozenset({"produce-bulk", "requeue", "info", "pause", "resume"}),
        tells_quiet=False,
    ),
)
