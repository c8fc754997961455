"""Makes `.venv` from a lock file: `python local/setup.py product|dev`. Runs before anything else is installed.

What is there is noted in `.venv/setup.json`; when that is what the lock says, nothing is done. A run that was
interrupted is carried on by the next one.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
NOTE = VENV / "setup.json"
LOG = VENV / "setup.log"
LOCKS = {"product": ROOT / "requirements.txt", "dev": ROOT / "requirements-dev.txt"}
# Raised when this file makes the folder in another way than before.
FORM = 1
# A terminal's line is written anew four times a second; a log file gets a line every 10 s.
TICK_S, LINE_EVERY_S = 0.25, 10.0
BYTES = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}

COMMAND = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from local.entry import main
sys.exit(main())
"""


def main(kind: str) -> int:
    """0 when `.venv` holds the lock's packages and the `nexus` command."""
    began = time.monotonic()
    if is_done(kind):
        return 0
    VENV.mkdir(exist_ok=True)
    with (VENV / "setup.lock").open("w") as lock:
        wait_for(lock.fileno())
        if is_done(kind):  # another make was at it
            return 0
        if not is_usable():
            make_venv()
        NOTE.unlink(missing_ok=True)
        if not install(LOCKS[kind]):
            return 1
        write_command()
        NOTE.write_text(json.dumps({"product": fingerprint("product"), kind: fingerprint(kind)}) + "\n")
    print(f"ready in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def fingerprint(kind: str) -> str:
    """Changes whenever the packages of a kind must be installed again."""
    return f"{FORM} {sys.version_info[0]}.{sys.version_info[1]} {hashlib.sha256(LOCKS[kind].read_bytes()).hexdigest()}"


def is_done(kind: str) -> bool:
    """Whether the last complete run installed what the lock says now."""
    try:
        found = json.loads(NOTE.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get(kind) == fingerprint(kind) and is_usable()


def is_usable() -> bool:
    """Whether `.venv` is of this Python and stands where it was made: a moved one has dead paths in its scripts."""
    try:
        here = str(VENV) in (VENV / "bin" / "activate").read_text()
    except OSError:
        return False
    return here and (VENV / "bin" / "python").exists() and site_packages().is_dir()


def site_packages() -> Path:
    """Where packages of this Python's version go."""
    return VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def wait_for(lock: int) -> None:
    """Takes the lock of a folder that another make may be setting up."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another setup in this folder to end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def make_venv() -> None:
    """A virtual environment, in place of whatever an unusable one left behind."""
    print(f"making .venv with Python {sys.version.split()[0]}", flush=True)
    for entry in VENV.iterdir():
        if entry.name != "setup.lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    # not this very program, which may be the one of the folder just emptied
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([base, "-m", "venv", str(VENV)], check=True)


def install(lock: Path) -> bool:
    """Installs exactly the lock's packages, checked against their hashes; False, the reason shown, if it failed."""
    names = re.findall(r"^([A-Za-z0-9][^=\s]*)==", lock.read_text(), re.MULTILINE)
    print(f"installing {lock.name}: up to {len(names)} packages, about 200 MB the first time", flush=True)
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--require-hashes"]
    command += [
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--no-compile",
        "-r",
        str(lock),
    ]
    progress = Progress(len(names))
    with LOG.open("w") as log:
        pip = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert pip.stdout is not None
        with progress:
            for line in pip.stdout:
                log.write(line)
                progress.read(line)
        code = pip.wait()
    if code == 0:
        print(f"installed; {progress.megabytes():.0f} MB downloaded", flush=True)
        return True
    print("".join(LOG.read_text().splitlines(keepends=True)[-12:]), file=sys.stderr)
    print(
        f"pip could not install {lock.name}; all it said is in {LOG.relative_to(ROOT)}. If the package index could not "
        "be reached, mend the network (or pip's index settings). Then run the same command again.",
        file=sys.stderr,
    )
    return False


class Progress:
    """Counts what pip says and shows it: on one line of a terminal, else as a line now and then."""

    def __init__(self, packages: int) -> None:
        self._packages, self._seen, self._bytes = packages, 0, 0.0
        self._what, self._began = "looking up", time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def read(self, line: str) -> None:
        """One line of pip's output."""
        if line.startswith("Collecting "):
            self._seen += 1
        elif line.startswith("Installing collected packages"):
            self._what = "unpacking"
        elif found := re.search(r"Downloading \S+ \(([\d.]+) (bytes|kB|MB|GB)\)", line):
            self._what = "downloading"
            self._bytes += float(found[1]) * BYTES[found[2]]

    def megabytes(self) -> float:
        """Downloaded so far."""
        return self._bytes / 1e6

    def _show(self) -> None:
        terminal = sys.stdout.isatty()
        while not self._over.wait(TICK_S if terminal else LINE_EVERY_S):
            print(
                "\r\033[K" + self._line() if terminal else self._line(),
                end="" if terminal else "\n",
                flush=True,
            )
        if terminal:
            print("\r\033[K", end="", flush=True)

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        if self._what == "unpacking":
            there = len(list(site_packages().glob("*.dist-info")))
            done = f"unpacking: {there} of {self._packages} packages"
        else:
            done = f"{self._what}: {self._seen} of {self._packages} packages"
        return f"  {done}, {self.megabytes():.0f} MB downloaded, {seconds:.0f} s"


def write_command() -> None:
    """`.venv/bin/nexus`, and a path entry so that every Python of this folder finds the product from anywhere.

    Written by hand instead of an editable install: that needs a build tool, which a fresh environment lacks.
    """
    (site_packages() / "keystone_nexus.pth").write_text(f"{ROOT}\n")
    command = VENV / "bin" / "nexus"
    command.write_text(COMMAND.format(python=VENV / "bin" / "python"))
    command.chmod(0o755)


if __name__ == "__main__":
    if sys.argv[1:] not in (["product"], ["dev"]):
        raise SystemExit("usage: setup.py product|dev")
    raise SystemExit(main(sys.argv[1]))
