"""The scripts of the pages: their types hold, and they stay few."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.foreign.clients import ROOT, find

SOURCE = Path(__file__).parent / "scripts"
SCRIPTS = ROOT / "src" / "shopfloor" / "web" / "static"
COMPILER = ROOT / ".tools" / "page-scripts"
LINES_MAX = 400
BUILD_SECONDS = 300


def test_types_hold() -> None:
    """JSDoc says the types, and TypeScript's compiler checks them."""
    _install()
    node = find("node")
    compiler = COMPILER / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run([node, compiler, "--project", SOURCE], capture_output=True, text=True, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_little_to_read() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in SCRIPTS.glob("*.js"))
    assert lines <= LINES_MAX


def _install() -> None:
    """Fetch the compiler that the lock file names, once for each lock file."""
    COMPILER.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
    with (COMPILER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = COMPILER / "stamp"
        if stamp.exists() and stamp.read_text() == digest:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, COMPILER)
        npm = find("npm")
        search_path = f"{Path(find('node')).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=COMPILER,
            env={**os.environ, "PATH": search_path},
            check=True,
            capture_output=True,
            timeout=BUILD_SECONDS,
        )
        stamp.write_text(digest)
